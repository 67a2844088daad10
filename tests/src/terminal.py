"""Runs a program on a terminal of its own and answers its questions.

Arguments: steps as JSON, each a pattern to wait for and the line to type then, and the program with its arguments.
In an answer, {word} is the word of the recovery phrase whose number is the pattern's first group. Prints everything that
the terminal showed, and ends with the program's exit code; 99 if a pattern did not come.
"""

import json
import os
import pty
import re
import select
import signal
import sys
import time

LONGEST = 300  # seconds

steps, program = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    # What a person starts is ended by Ctrl-C, also if whoever runs the tests ignores it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(program[0], program)

shown, ended = "", False


def read():
    """Takes in what is shown; false at the end."""
    global shown, ended
    ready, _, _ = select.select([terminal], [], [], 1)
    if not ready:
        return True
    try:
        got = os.read(terminal, 65536)
    except OSError:
        got = b""
    shown += got.decode(errors="replace")
    ended = not got
    return not ended


def word(number):
    lines = re.findall(r"^    ((?:[a-z]+ ){5}[a-z]+)\r?$", shown, re.MULTILINE)
    return " ".join(lines[-4:]).split()[number - 1]


begun, at = time.monotonic(), 0
for pattern, answer in steps:
    while not (found := re.compile(pattern).search(shown, at)):
        if not read() or time.monotonic() - begun > LONGEST:
            print(shown)
            print(f"--- no '{pattern}'", file=sys.stderr)
            os.kill(pid, 9)
            sys.exit(99)
    at = found.end()
    if "{word}" in answer:
        answer = answer.replace("{word}", word(int(found.group(1))))
    os.write(terminal, (answer + "\n").encode())
while not ended and time.monotonic() - begun < LONGEST:
    read()
_, status = os.waitpid(pid, 0)
print(shown)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
