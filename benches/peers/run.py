#!/usr/bin/env python3
"""Compare dedup with its peers, side by side on the same data in one run.

    benches/peers/run.py --data DIR [--fast DIR] [--rounds N] [--tools A,B] [--workloads A,B] [--json FILE]

In every round each tool in turn (the order moves on from round to round) makes a repository, backs up every
generation, backs up again with nothing changed and with a hundred files changed, restores the newest generation,
checks all stored data and throws away all but the newest. Every restore is compared with the source, byte by byte,
by rsync; one that differs makes its figure void. Plain tools (tar, find, cp) run in the same rounds as a yardstick.
Repositories and restored trees lie in --fast (a tmpfs), sources are in the page cache: processors are measured, not
disks. `report.py` makes the table and the chart of what this writes.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time

import data
import tools
from tools import run

CHANGED = 100


def size_of(path):
    total = 0
    for at, _, names in os.walk(path):
        total += sum(os.lstat(os.path.join(at, name)).st_size for name in names)
    return total


def differences(source, restored):
    """Lines that rsync prints; times of directories above the source are not the restore's."""
    done = subprocess.run(["rsync", "-rlptgoDnc", "--delete", "-i", source + "/", restored + "/"], capture_output=True, text=True, check=False)
    if done.returncode:
        return [done.stderr.strip()]
    return [line for line in done.stdout.splitlines() if line.strip() and not line.startswith(".d..t")]


def read_all(path):
    subprocess.run(f"tar cf - -C '{path}' . | cat > /dev/null", shell=True, check=True)


def touch_memory(size=5 << 30):
    """A virtual machine gives memory back to its host: pages that were never touched cost ten times as much. Whoever
    runs first would pay for all. In a process of its own: children inherit their parent's peak."""
    subprocess.run([sys.executable, "-c", f"memory = bytearray({size})"], check=True)


class Changes:
    """A hundred files of a tree, changed for one step and put back as they were."""

    def __init__(self, source):
        files = []
        for at, directories, names in os.walk(source):
            directories.sort()
            files += [os.path.join(at, name) for name in sorted(names) if not os.path.islink(os.path.join(at, name))]
        self.files = files[:: max(1, len(files) // CHANGED)][:CHANGED] if len(files) > CHANGED else []

    def __enter__(self):
        self.before = [os.stat(path) for path in self.files]
        for path in self.files:
            with open(path, "ab") as file:
                file.write(b"/* changed */\n")
        return self

    def __exit__(self, *_):
        for path, stat in zip(self.files, self.before):
            os.truncate(path, stat.st_size)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


class Bench:
    def __init__(self, options, rows):
        self.options = options
        self.rows = rows
        self.source = os.path.join(options.data, "source")

    def record(self, workload, tool, step, result, repository=None):
        if result is None:
            return
        row = {"workload": workload, "tool": tool, "step": step, **result}
        if repository:
            row["repository"] = size_of(repository)
        self.rows.append(row)
        wrong = "" if result["ok"] else f"  FAILED, code {result['code']}"
        bytes_ = f"  {row['repository'] / 1e6:8.1f} MB" if repository else ""
        print(f"{workload:10} {tool:9} {step:12} {result['wall']:8.2f} s  {result['cpu']:7.2f} s cpu  {result['rss']:7.1f} MiB{bytes_}{wrong}", flush=True)

    def placed(self, generation):
        """Every generation is backed up under the same path."""
        bench = self

        class Placed:
            def __enter__(self):
                os.rename(generation, bench.source)

            def __exit__(self, *_):
                os.rename(bench.source, generation)

        return Placed()

    def turn(self, workload, tool, generations):
        tool.begin()
        touch_memory()
        self.record(workload, tool.name, "init", tool.init())
        for number, generation in enumerate(generations, 1):
            with self.placed(generation):
                read_all(self.source)
                self.record(workload, tool.name, f"backup {number}", tool.backup(self.source), tool.repo)
                if number == len(generations):
                    self.newest(workload, tool)
        if len(generations) > 1:
            self.record(workload, tool.name, "prune", tool.prune(), tool.repo)
        shutil.rmtree(tool.repo, ignore_errors=True)
        shutil.rmtree(tool.work, ignore_errors=True)

    def newest(self, workload, tool):
        self.record(workload, tool.name, "no change", tool.backup(self.source), tool.repo)
        for step, done in tool.backups_with_password(self.source).items():
            self.record(workload, tool.name, step, done)
        with Changes(self.source) as changes:
            if changes.files:
                self.record(workload, tool.name, "100 changed", tool.backup(self.source), tool.repo)
            target = os.path.join(self.options.fast, "restored")
            shutil.rmtree(target, ignore_errors=True)
            os.makedirs(target)
            restored = tool.restore(self.source, target)
            different = differences(self.source, tool.restored(self.source, target))
            restored["ok"] = restored["ok"] and not different
            restored["different"] = different[:5]
            self.record(workload, tool.name, "restore", restored)
            shutil.rmtree(target, ignore_errors=True)
        self.record(workload, tool.name, "check", tool.check())

    def yardsticks(self, workload, generations):
        """What plain tools need for the same bytes."""
        with self.placed(generations[-1]):
            read_all(self.source)
            log = os.path.join(self.options.data, "yardsticks.log")
            sh = lambda script: run(["sh", "-c", script], log=log)
            self.record(workload, "tar|zstd -3 -T2", "backup 1", sh(f"tar cf - -C '{self.source}' . | zstd -q -3 -T2 -c > '{self.options.fast}/yardstick'"))
            os.remove(os.path.join(self.options.fast, "yardstick"))
            self.record(workload, "find -printf", "no change", sh(f"find '{self.source}' -printf '%p %s %T@ %C@ %i %m\\n' > /dev/null"))
            target = os.path.join(self.options.fast, "restored")
            os.makedirs(target)
            self.record(workload, "cp -a", "restore", sh(f"cp -a '{self.source}/.' '{target}'"))
            shutil.rmtree(target, ignore_errors=True)


def workloads(options):
    wanted = options.workloads.split(",")
    of_tree = {"tree", "few", "image"} & set(wanted)
    kernel = data.kernel(options.data) if of_tree else None
    if kernel is None and of_tree:
        print("the kernel's sources can't be had; a generated tree takes their place", file=sys.stderr)
    tree = kernel or (data.generated(options.data) if of_tree else None)
    chosen = {}
    if "tree" in wanted:
        chosen["tree"] = tree
    if "few" in wanted:
        chosen["few"] = data.few(options.data, tree[0])
    if "generated" in wanted:
        chosen["generated"] = data.generated(options.data)
    if "image" in wanted:
        chosen["image"] = data.image(options.data, tree[0])
    if "noise" in wanted:
        chosen["noise"] = data.noise(options.data)
    return chosen, ("kernel sources " + ", ".join(data.KERNEL)) if kernel else "generated tree"


def machine():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        cpu = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
    return {"cpu": cpu, "cores": os.cpu_count(), "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "system": f"{platform.system()} {platform.release()}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="where sources are made and kept (15 GB)")
    parser.add_argument("--fast", default="/dev/shm/dedup-peers", help="where repositories and restored trees go")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", default="dedup,bupstash,rustic,restic,borg,kopia")
    parser.add_argument("--workloads", default="tree,few,image,noise")
    parser.add_argument("--json", help="write all figures here")
    options = parser.parse_args()
    options.data = os.path.abspath(options.data)
    os.makedirs(options.data, exist_ok=True)
    os.makedirs(options.fast, exist_ok=True)
    wanted = options.tools.split(",")
    running = [tool(options.data, options.fast) for tool in tools.ALL if tool.name in wanted]
    for tool in [tool for tool in running if not tool.exe]:
        print(f"{tool.name} is not installed, and is left out", file=sys.stderr)
    running = [tool for tool in running if tool.exe]
    versions = {tool.name: tool.version() for tool in running}
    chosen, what = workloads(options)
    rows = []
    bench = Bench(options, rows)
    for number in range(options.rounds):
        for workload, generations in chosen.items():
            bench.yardsticks(workload, generations)
            at = number % len(running)
            for tool in running[at:] + running[:at]:
                bench.turn(workload, tool, generations)
        write(options, versions, what, rows, number + 1)
    shutil.rmtree(options.fast, ignore_errors=True)
    failed = [row for row in rows if not row["ok"]]
    for row in failed:
        print(f"void: {row['workload']} {row['tool']} {row['step']}: {row.get('different') or row['code']}", file=sys.stderr)
    ours = [row for row in failed if row["tool"] == "dedup"]
    sys.exit(1 if ours else 0)


def write(options, versions, what, rows, rounds):
    if options.json:
        kept = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "versions": versions, "data": what, "rounds": rounds, "rows": rows}
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(kept, out, indent=1)


if __name__ == "__main__":
    main()
