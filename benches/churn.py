"""What is left of a month of edits: a tree of source files is backed up 40 times, 5 % of the files edited in between; then
generations are forgotten and the space that stays is measured, beside what a fresh backup of the last one takes.

    python3 benches/churn.py --dedup PATH [--restic PATH] [--files N] [--generations N] [--work DIR]

The tree is made by a seed, so that every run has the same bytes: text whose words are as unevenly frequent as those of
source code, files from a few lines to a few hundred KiB. Prints a table in Markdown. Times are of whole commands.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

ENVIRONMENT = {
    "DEDUP_PASSWORD": "churn",
    "RESTIC_PASSWORD": "churn",
    "RESTIC_PROGRESS_FPS": "0",
}


class Tree:
    """A tree of text files that can be edited."""

    def __init__(self, root, files, seed):
        self.root = root
        self.random = random.Random(seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        lengths = [self.random.randint(2, 12) for _ in range(20_000)]
        self.words = ["".join(self.random.choices(letters, k=length)) for length in lengths]
        self.weights = [1 / (rank + 3) for rank in range(len(self.words))]
        total = 0
        self.cumulative = [total := total + weight for weight in self.weights]
        self.paths = [f"{number % 97:02}/{number % 7}/{number}.c" for number in range(files)]
        for path in self.paths:
            lines = max(3, int(self.random.lognormvariate(5.6, 1.1)))
            self.write(path, [self.line() for _ in range(min(lines, 8000))])

    def line(self):
        count = self.random.randint(1, 11)
        chosen = self.random.choices(self.words, cum_weights=self.cumulative, k=count)
        return "    " * self.random.randint(0, 4) + " ".join(chosen) + ";\n"

    def write(self, path, lines):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as file:
            file.writelines(lines)

    def edit(self, share):
        """Changes one to five lines of some files."""
        for path in self.random.sample(self.paths, int(len(self.paths) * share)):
            with open(os.path.join(self.root, path)) as file:
                lines = file.readlines()
            for _ in range(self.random.randint(1, 5)):
                lines[self.random.randrange(len(lines))] = self.line()
            self.write(path, lines)

    def size(self):
        return sum(os.path.getsize(os.path.join(self.root, path)) for path in self.paths)


class Tool:
    def __init__(self, name, program, work):
        self.name, self.program = name, program
        self.repository = os.path.join(work, "repository-" + name)
        self.home = os.path.join(work, "home-" + name)

    def run(self, *arguments):
        environment = dict(os.environ, HOME=self.home, XDG_CACHE_HOME=self.home, XDG_STATE_HOME=self.home, **ENVIRONMENT)
        os.makedirs(self.home, exist_ok=True)
        began = time.monotonic()
        done = subprocess.run([self.program, "-r", self.repository, *arguments], env=environment, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{self.name} {' '.join(arguments)}: {done.stderr.decode()}{done.stdout.decode()}")
        return time.monotonic() - began

    def init(self):
        self.run("init", *(["--no-recovery"] if self.name == "dedup" else []))

    def backup(self, source):
        return self.run("backup", source)

    def keep(self, last, unused):
        arguments = ["--keep-last", str(last), "--max-unused", unused]
        if self.name == "dedup":
            return self.run("prune", *arguments, "--keep-trash", "0s", "--yes")
        return self.run("forget", "--prune", *arguments)

    def restore(self, target):
        shutil.rmtree(target, ignore_errors=True)
        snapshot = ["latest"] if self.name == "restic" else []
        return self.run("restore", *snapshot, "--target", target)

    def stored(self):
        total = 0
        for folder, _, files in os.walk(self.repository):
            total += sum(os.path.getsize(os.path.join(folder, file)) for file in files if file != "reserve")
        return total

    def fresh(self, source, work):
        """Another repository, of the newest files only."""
        shutil.rmtree(os.path.join(work, "fresh"), ignore_errors=True)
        other = Tool(self.name, self.program, os.path.join(work, "fresh"))
        os.makedirs(other.home)
        other.init()
        other.backup(source)
        return other


def mebibytes(size):
    return f"{size / 1e6:.1f}"


def measure(tool, arguments, work):
    """Rows of what is stored, and times."""
    source = os.path.join(work, "source")
    shutil.rmtree(source, ignore_errors=True)
    tree = Tree(source, arguments.files, 7)
    tool.init()
    times = {"backups": tool.backup(source)}
    for _ in range(arguments.generations - 1):
        tree.edit(0.05)
        times["backups"] += tool.backup(source)
    rows = [("all", tool.stored())]
    for last in (10, 3, 1):
        times[f"prune to {last}"] = tool.keep(last, "5%")
        rows.append((f"keep {last}", tool.stored()))
    times["prune to nothing unused"] = tool.keep(1, "0")
    rows.append(("keep 1, nothing unused", tool.stored()))
    fresh = tool.fresh(source, work)
    rows.append(("a fresh backup of the last", fresh.stored()))
    target = os.path.join(work, "target")
    times["restore"] = min(tool.restore(target) for _ in range(3))
    times["restore of the fresh one"] = min(fresh.restore(target) for _ in range(3))
    return tree.size(), rows, times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dedup", required=True)
    parser.add_argument("--restic")
    parser.add_argument("--files", type=int, default=5031)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--work", default=None)
    arguments = parser.parse_args()
    work = arguments.work or tempfile.mkdtemp(prefix="churn-")
    os.makedirs(work, exist_ok=True)
    tools = [Tool("dedup", arguments.dedup, work)]
    if arguments.restic:
        tools.append(Tool("restic", arguments.restic, work))
    found = [measure(tool, arguments, work) for tool in tools]
    print(f"{arguments.files} files, {mebibytes(found[0][0])} MB, {arguments.generations} generations; MB stored:\n")
    print("| | " + " | ".join(tool.name for tool in tools) + " |")
    print("|---" * (len(tools) + 1) + "|")
    for number, (what, _) in enumerate(found[0][1]):
        print(f"| {what} | " + " | ".join(mebibytes(rows[number][1]) for _, rows, _ in found) + " |")
    print("\nSeconds:\n")
    print("| | " + " | ".join(tool.name for tool in tools) + " |")
    print("|---" * (len(tools) + 1) + "|")
    for what in found[0][2]:
        print(f"| {what} | " + " | ".join(f"{times[what]:.2f}" for _, _, times in found) + " |")
    if not arguments.work:
        shutil.rmtree(work)


main()
