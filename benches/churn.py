#!/usr/bin/env python3
"""What is left of a month of edits: a tree of source files is backed up 40 times, 5 % of the files edited in between; then
generations are forgotten and the space that stays is measured, beside what a fresh backup of the last one takes.

    DEDUP=PATH benches/churn.py [--tools A,B] [--files N] [--generations N] [--work DIR] [--write FOLDER]

The tree is made by a seed, so that every run has the same bytes: text whose words are as unevenly frequent as those of
source code, files from a few lines to a few hundred KiB. Prints tables in Markdown, or writes FOLDER/churn.md. Times are of whole
commands, the work directory should be a tmpfs, and `peers/tools.py` says what each tool is made to do; its restores are compared with the source, as `peers/run.py` does.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))

import tools
from run import differences, machine, size_of

INTRODUCTION = """# What a month of edits leaves behind

This document is for users who choose a backup program and for contributors who work on space. `make bench-churn` runs
the comparison and writes it: a tree of source files is backed up 40 times, with 5 % of the files edited in between. Then old
snapshots are removed, and what is still stored is measured. dedup, restic, rustic and borg first may leave 5 % of unused
data, and then none; bupstash and kopia have no such limit. Restores are the quickest of three and were compared with the
source."""


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


def done(what, step):
    """A step's figures, or the end of everything."""
    if not step["ok"]:
        sys.exit(f"{what}: exit code {step['code']}")
    return step


def restored(tool, source, target):
    """The quickest of three restores; each is compared with the source."""
    steps = []
    for _ in range(3):
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        steps.append(done(f"{tool.name}: restore", tool.restore(source, target)))
        if found := differences(source, tool.restored(source, target)):
            sys.exit(f"{tool.name} restored something else: {found[:3]}")
    return {"wall": min(step["wall"] for step in steps), "cpu": min(step["cpu"] for step in steps)}


def measure(kind, arguments, work):
    """Rows of what is stored, and times."""
    source = os.path.join(work, "source")
    shutil.rmtree(source, ignore_errors=True)
    tree = Tree(source, arguments.files, 7)
    tool = kind(work, work)
    tool.begin()
    done(f"{tool.name}: init", tool.init())
    backups = [done(f"{tool.name}: backup", tool.backup(source))]
    for _ in range(arguments.generations - 1):
        tree.edit(0.05)
        backups.append(done(f"{tool.name}: backup", tool.backup(source)))
    times = {"backups": sum(step["wall"] for step in backups)}
    rows = [("all", size_of(tool.repo))]
    for last in (10, 3, 1):
        times[f"prune to {last}"] = done(f"{tool.name}: prune", tool.prune(last, 5))["wall"]
        rows.append((f"keep {last}", size_of(tool.repo)))
    times["prune to nothing unused"] = done(f"{tool.name}: prune", tool.prune(1, 0))["wall"]
    rows.append(("keep 1, nothing unused", size_of(tool.repo)))
    fresh = kind(os.path.join(work, "fresh"), os.path.join(work, "fresh"))
    fresh.begin()
    done(f"{tool.name}: init", fresh.init())
    done(f"{tool.name}: backup", fresh.backup(source))
    rows.append(("a fresh backup of the last", size_of(fresh.repo)))
    target = os.path.join(work, "target")
    for name, of in (("restore", tool), ("restore of the fresh one", fresh)):
        step = restored(of, source, target)
        times[name] = step["wall"]
        times[f"{name}, processor"] = step["cpu"]
    for path in (tool.repo, fresh.repo, target):
        shutil.rmtree(path, ignore_errors=True)
    return tool.version(), tree.size(), rows, times


def report(kinds, arguments, found):
    """The lines of both tables."""
    heading = ["| | " + " | ".join(kind.name for kind in kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    named = [version if kind.name in version else f"{kind.name} {version}" for kind, (version, *_) in zip(kinds, found)]
    lines = ["Versions: " + "; ".join(named) + ".", ""]
    lines += [f"{arguments.files} files, {found[0][1] / 1e6:.1f} MB, {arguments.generations} generations; MB stored:", "", *heading]
    for number, (what, _) in enumerate(found[0][2]):
        lines.append(f"| {what} | " + " | ".join(f"{rows[number][1] / 1e6:.1f}" for *_, rows, _ in found) + " |")
    lines += ["", "Seconds:", "", *heading]
    for what in found[0][3]:
        lines.append(f"| {what} | " + " | ".join(f"{times[what]:.2f}" for *_, times in found) + " |")
    return lines


def measured():
    """When and where."""
    here = machine()
    return f"Measured on {time.strftime('%Y-%m-%d')} with {here['cores']} cores of {here['cpu']}, {here['system']}, everything on tmpfs."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", default="dedup,bupstash,restic")
    parser.add_argument("--files", type=int, default=5031)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--work", default=None)
    parser.add_argument("--write", default=None)
    arguments = parser.parse_args()
    work = arguments.work or tempfile.mkdtemp(prefix="churn-")
    os.makedirs(work, exist_ok=True)
    wanted = arguments.tools.split(",")
    kinds = [kind for kind in tools.ALL if kind.name in wanted and kind(work, work).exe]
    found = [measure(kind, arguments, work) for kind in kinds]
    print("\n".join(report(kinds, arguments, found)))
    if arguments.write:
        with open(os.path.join(arguments.write, "churn.md"), "w", encoding="utf-8") as out:
            out.write("\n".join([INTRODUCTION, "", measured(), "", *report(kinds, arguments, found), ""]))
    if not arguments.work:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
