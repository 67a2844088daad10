#!/usr/bin/env python3
"""How costs grow: the same steps with ten times the files, ten times the chunks, ten times the generations, and the
simulations of `scale` for what would take too long with real files. Writes FOLDER/growth.md.

    DEDUP=path SCALE=path benches/growth.py FOLDER [--scratch DIR]

Scratch is a tmpfs: costs of the program, not of a disk. A line whose processor time grows by much more than ten is a
defect; if only its time does, something else ran on the machine.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
import tools  # noqa: E402

DEDUP = os.environ.get("DEDUP", "dedup")
SCALE = os.environ.get("SCALE", "scale")
INTRODUCTION = (
    "This document is for users and contributors who want to know how time and memory grow with the number of files, chunks and generations."
    " `make bench-scale` runs the same steps with ten times as many and writes it."
)


class Repository:
    def __init__(self, scratch, *init):
        self.at = os.path.join(scratch, "growth")
        shutil.rmtree(self.at, ignore_errors=True)
        self.source = os.path.join(self.at, "source")
        os.makedirs(self.source)
        home = os.path.join(self.at, "home")
        self.env = {"HOME": home, "DEDUP_REPOSITORY": self.at + "/repository", "DEDUP_KEY_FILE": self.at + "/key"}
        self.env.update({f"XDG_{k}_HOME": f"{home}/{k}" for k in ("CACHE", "CONFIG", "DATA", "STATE")})
        os.makedirs(home)
        self.run("init", *init)

    def run(self, *words):
        done = tools.run([DEDUP, *words], env=self.env, log=os.path.join(self.at, "log"))
        if not done["ok"]:
            with open(os.path.join(self.at, "log"), encoding="utf-8", errors="replace") as log:
                sys.exit(f"dedup {' '.join(words)} ended with {done['code']}: {log.read()[-500:]}")
        return done

    def steps(self, change, keep="1"):
        """Every step once, on the source as it is; `change` makes the second generation."""
        done = {"first backup": self.run("backup", self.source)}
        # A file as young as the backup before counts as just changed.
        time.sleep(3)
        self.run("backup", self.source)
        done["no change"] = self.run("backup", self.source)
        done["restore"] = self.run("restore", "--target", self.at + "/restored")
        done["check all data"] = self.run("check", "--read-data")
        change()
        done["second backup"] = self.run("backup", self.source)
        done["prune"] = self.run("prune", "--keep-last", keep, "--keep-trash", "0s", "--yes")
        shutil.rmtree(self.at)
        return done


def files(scratch, count):
    repository = Repository(scratch)
    rng = random.Random(count)
    paths = []
    for number in range(count):
        folder = os.path.join(repository.source, f"{number // 1000}", f"{number // 50 % 20}")
        os.makedirs(folder, exist_ok=True)
        paths.append(os.path.join(folder, f"{number}.txt"))
        with open(paths[-1], "wb") as out:
            out.write(rng.randbytes(400) * 2)

    def change():
        for path in paths[::10]:
            with open(path, "ab") as out:
                out.write(rng.randbytes(100))

    return repository.steps(change)


def chunks(scratch, megabytes):
    repository = Repository(scratch, "--chunker", "fine")
    rng = random.Random(megabytes)
    path = os.path.join(repository.source, "image")
    with open(path, "wb") as out:
        for _ in range(megabytes):
            out.write(rng.randbytes(1 << 20))

    def change():
        with open(path, "r+b") as out:
            for megabyte in range(0, megabytes, 10):
                out.seek(megabyte << 20)
                out.write(rng.randbytes(4096))

    return repository.steps(change)


def generations(scratch, count):
    repository = Repository(scratch)
    rng = random.Random(count)
    for number in range(2000):
        with open(os.path.join(repository.source, f"{number}"), "wb") as out:
            out.write(rng.randbytes(2000))

    def change():
        for number in rng.sample(range(2000), 20):
            with open(os.path.join(repository.source, f"{number}"), "wb") as out:
                out.write(rng.randbytes(2000))

    for _ in range(count):
        last = repository.run("backup", repository.source)
        change()
    time.sleep(3)
    repository.run("backup", repository.source)
    done = {"last backup": last, "no change": repository.run("backup", repository.source)}
    done["list"] = repository.run("snapshots")
    done["restore"] = repository.run("restore", "--target", repository.at + "/restored")
    done["check all data"] = repository.run("check", "--read-data")
    done["prune to half"] = repository.run("prune", "--keep-last", str(count // 2), "--keep-trash", "0s", "--yes")
    shutil.rmtree(repository.at)
    return done


def simulated(scratch, what, *counts):
    at = os.path.join(scratch, "scale")
    shutil.rmtree(at, ignore_errors=True)
    os.makedirs(at)
    done = subprocess.run([SCALE, what, *map(str, counts), at], capture_output=True, text=True, check=False)
    shutil.rmtree(at)
    if done.returncode:
        sys.exit(f"scale {what}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def browsing(at, entries, count):
    """What is asked of many generations of a large tree, once files are in the system's cache; output goes nowhere."""
    shutil.rmtree(at, ignore_errors=True)
    os.makedirs(at)
    subprocess.run([SCALE, "generations", str(entries), str(count), at], check=True, stdout=subprocess.DEVNULL)
    env = {f"XDG_{kind}_HOME": f"{at}/{kind}" for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    env.update(HOME=at, DEDUP_REPOSITORY=at + "/repository", DEDUP_KEY_FILE=at + "/key")
    listed = subprocess.run([DEDUP, "snapshots", "--json"], env={**os.environ, **env}, capture_output=True, text=True, check=True)
    ids = re.findall(r'"short_id":"([0-9a-f]+)"', listed.stdout)
    first, before, last = ids[0], ids[-2], ids[-1]
    path = "/home/user/00000/003/document_042.txt"
    commands = {
        f"`ls`, all {entries:,} entries": ["ls", "latest"],
        "`ls --long`": ["ls", "latest", "--long"],
        "`ls --json`": ["ls", "latest", "--json"],
        "`find document_042.txt`, 1 % of all names": ["find", "document_042.txt"],
        "`find --json`, the same": ["find", "document_042.txt", "--json"],
        "`find` of a name that nothing has": ["find", "nothing"],
        "`find` of one path": ["find", path],
        "`versions` of one file": ["versions", path, "--all-hosts"],
        "`diff`, last two snapshots": ["diff", before, last],
        "`diff`, first and last snapshot": ["diff", first, last],
    }
    lines = ["| command | time | processor time | memory, MiB |", "|---|---|---|---|"]

    def told(what, done):
        lines.append(f"| {what} | {done['wall']:.2f} s | {done['cpu']:.2f} s | {done['rss']:.0f} |")
        print(lines[-1], flush=True)

    for what, words in commands.items():
        runs = [tools.run([DEDUP, *words], env=env) for _ in range(3)]
        told(what, min(runs, key=lambda run: run["wall"]))
    mounted(at, env, told)
    shutil.rmtree(at)
    return lines + [""]


def mounted(at, env, told):
    """As root, where there is FUSE."""
    if os.geteuid() or not os.path.exists("/dev/fuse"):
        return
    place = at + "/mnt"
    os.makedirs(place)
    child = subprocess.Popen([DEDUP, "mount", place], env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)
    try:
        child.stdout.readline()
        for again in ("", ", again"):
            told("`du -s` of the last snapshot, mounted" + again, tools.run(["du", "-s", f"{place}/snapshots/latest/"]))
    finally:
        subprocess.run(["umount", place], check=False)
        child.wait()


def grown(title, small, large):
    columns = ["step", "time", "ten times as many", "factor", "processor time", "ten times as many", "factor", "memory, MiB", "ten times as many"]
    lines = [f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for step, one in small.items():
        ten = large[step]
        times = [f"{one[kind]:.2f} s | {ten[kind]:.2f} s | {ten[kind] / max(one[kind], 0.001):.1f}" for kind in ("wall", "cpu")]
        lines.append(f"| {step} | {times[0]} | {times[1]} | {one['rss']:.0f} | {ten['rss']:.0f} |")
        print(f"{title}: {lines[-1]}", flush=True)
    return lines + [""]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--scratch", default="/dev/shm")
    options = parser.parse_args()
    out = ["# How costs grow", "", INTRODUCTION, "", f"Measured on {time.strftime('%Y-%m-%d')} with {os.cpu_count()} cores, everything on tmpfs; wall time, processor time and peak resident memory of whole processes.", ""]
    out += grown("Files: 10,000 and 100,000 of 800 bytes", files(options.scratch, 10_000), files(options.scratch, 100_000))
    out += grown("Chunks: 128 MiB and 1.25 GiB of noise, fine chunks (about 2,000 and 20,000)", chunks(options.scratch, 128), chunks(options.scratch, 1280))
    out += grown("Generations: 10 and 100 of 2,000 files, 20 changed in each", generations(options.scratch, 10), generations(options.scratch, 100))
    out += ["## Simulated", "", "Measured with the program `scale` of `benches`: writing the entries of a generation through tree and packs, and rebuilding and querying the local index of chunks.", "", "| what | count | seconds | a second | peak memory, MiB |", "|---|---|---|---|---|"]
    for what, counts in (("entries", (1_000_000, 10_000_000)), ("chunks", (2_000_000, 20_000_000))):
        for count in counts:
            for row in simulated(options.scratch, what, count):
                out.append(f"| {row['what']} | {row['count']:,} | {row.get('seconds', '')} | {row['per_second']:,} | {row.get('peak_mib', '')} |")
                print(out[-1], flush=True)
    out += ["", "## Reading many generations", "", "A repository that `scale generations 1000000 50` makes: a fiftieth of the files changes in each. Wall time, processor time and peak memory of whole processes, the best of three.", ""]
    out += browsing(os.path.join(options.scratch, "browsing"), 1_000_000, 50)
    out += ["What the console asks, measured in one process by `scale folder 100000 1000`: of 1,000 generations of a folder of 100,000 files, each has another content of the first file and one file less.", "", "| what | found | seconds |", "|---|---|---|"]
    for row in simulated(options.scratch, "folder", 100_000, 1000):
        out.append(f"| {row['what']} | {row['count']:,} | {row['seconds']} |")
        print(out[-1], flush=True)
    os.makedirs(options.folder, exist_ok=True)
    with open(os.path.join(options.folder, "growth.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
