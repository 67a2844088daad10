"""Measures the console in Chromium with a folder of many files and many snapshots: how long a page takes to its first
paint, whether scrolling stalls, and how much memory the program takes.

DEDUP is the program. Arguments: files in the folder (100,000), snapshots (1,000).
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

DEDUP = os.environ["DEDUP"]
FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
SNAPSHOTS = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
# Of these, the large folder is in the last ones.
LARGE = min(2, SNAPSHOTS)
PASSWORD = "correct horse battery"
PAGES = 7
# As fast as a page can be scrolled by hand.
ROWS_A_FRAME, FRAMES = 60, 300

# Scrolls through the grid, a step each frame. Gives how long frames took, and in how many of them a row in sight had not
# come yet.
SCROLL = """async ([rows, frames]) => {
  const grid = document.querySelector("dd-grid");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const took = [];
  let bare = 0, last = await frame();
  for (let nr = 0; nr < frames; nr += 1) {
    grid.scrollTop += rows * grid.height;
    const now = await frame();
    took.push(now - last);
    last = now;
    const box = grid.getBoundingClientRect();
    const isSeen = (row) => { const at = row.getBoundingClientRect(); return at.bottom > box.top && at.top < box.bottom; };
    if (grid.rows.some((row) => !row.entry && isSeen(row))) bare += 1;
  }
  return { took, bare, row: grid.rows[0].nr };
}"""


def run(env, *args):
    done = subprocess.run([DEDUP, *args], env=env, capture_output=True, text=True)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def prepare(home):
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DEDUP_HOST": "office-pc3",
           "DEDUP_KEY_CACHE": "0s"}
    (home / "large").mkdir()
    (home / "small").mkdir()
    (home / "small/note").write_text("a note")
    for nr in range(FILES):
        (home / f"large/document-{nr:06}.txt").write_text(f"{nr}")
    run(env, "init", "--no-recovery")
    (home / ".config/dedup/dedup.toml").write_text(f"""
[remotes.main]
url = "{home}/.local/share/dedup/repository"
key-file = "{home}/.config/dedup/default.key"
[sets.all]
sources = ["~/small"]
destinations = ["main"]
[console]
listen = "127.0.0.1:0"
lang = "en"
""")
    began = time.monotonic()
    for nr in range(SNAPSHOTS):
        (home / "small/note").write_text(f"note {nr}")
        folders = ["small"] if nr < SNAPSHOTS - LARGE else ["small", "large"]
        run(env, "backup", "--quiet", *[str(home / folder) for folder in folders])
    print(f"  {FILES:,} files, {SNAPSHOTS:,} snapshots, made in {time.monotonic() - began:.0f} s", flush=True)
    return env


def memory(program):
    status = Path(f"/proc/{program.pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s*(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")}


def paints(page, address):
    """Milliseconds from the navigation to the first paint of content, several times."""
    times = []
    for _ in range(PAGES):
        page.goto(address)
        # Waiting within the page would evaluate text there, which its policy forbids.
        while (painted := page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")) is None:
            page.wait_for_timeout(10)
        times.append(painted)
    return times


def measure(page, told, home, program):
    page.goto(told["link"])
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Repeat the password").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    page.wait_for_url(told["url"])
    large = f"{told['url']}restore?remote=main&path={quote(str(home / 'large'))}"
    for name, address in (("Home", told["url"]), ("Restore, the large folder", large),
                          ("History", told["url"] + "history"), ("Sets", told["url"] + "sets")):
        first, *others = paints(page, address)
        print(f"  {name}: first paint after {first:.0f} ms, then {statistics.median(others):.0f} ms"
              f" (at most {max(others):.0f})", flush=True)
    page.goto(large)
    page.wait_for_selector("dd-grid.live")
    print(f"  {page.evaluate('document.querySelectorAll(`dd-grid tr`).length')} rows are in the page", flush=True)
    found = page.evaluate(SCROLL, [ROWS_A_FRAME, FRAMES])
    took = sorted(found["took"])
    print(f"  scrolled through {found['row']:,} rows, {ROWS_A_FRAME} a frame: median {statistics.median(took):.0f} ms,"
          f" 99 % within {took[len(took) * 99 // 100]:.0f} ms, longest {took[-1]:.0f} ms;"
          f" rows still to come in {found['bare']} of {FRAMES} frames", flush=True)
    page.evaluate("document.querySelector('dd-grid').scrollTop = 1e9")
    page.get_by_text(f"document-{FILES - 1:06}.txt").wait_for()
    last = page.locator("dd-grid tr[aria-rowindex]").last.get_attribute("aria-rowindex")
    assert int(last) == FILES + 1, last
    page.locator("dd-grid").focus()
    page.keyboard.press("Home")
    page.get_by_text("document-000000.txt").wait_for()
    kept = memory(program)
    print(f"  memory of the program: {kept['VmRSS']:.0f} MiB, at most {kept['VmHWM']:.0f} MiB", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="console-speed.") as folder, sync_playwright() as playwright:
        home = Path(folder)
        env = prepare(home)
        program = subprocess.Popen([DEDUP, "console", "--json"], env=env, stdout=subprocess.PIPE, text=True)
        try:
            told = json.loads(program.stdout.readline())
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            measure(browser.new_page(viewport={"width": 1280, "height": 800}), told, home, program)
            browser.close()
            program.send_signal(signal.SIGINT)
            assert program.wait(30) == 0
        finally:
            program.kill()


main()
