"""The tools that are compared, each driven by its own command line as its users would: encryption on, zstd level 3,
its own default verification. A tool whose program is not found is left out."""

import os
import shutil
import subprocess
import time

PASSWORD = "correct horse battery staple"
PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/dedup/peers"))


def run(command, env=None, cwd=None, log=None):
    """Runs a command to its end: wall and processor seconds, peak resident MiB (of the largest process)."""
    out = open(log, "ab") if log else subprocess.DEVNULL
    started = time.monotonic()
    child = subprocess.Popen(command, env={**os.environ, **(env or {})}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if log:
        out.close()
    return {"ok": child.returncode == 0, "code": child.returncode, "wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss / 1024}


def together(*parts):
    """Several commands as one step."""
    return {
        "ok": all(p["ok"] for p in parts),
        "code": next((p["code"] for p in parts if p["code"]), 0),
        "wall": sum(p["wall"] for p in parts),
        "cpu": sum(p["cpu"] for p in parts),
        "rss": max(p["rss"] for p in parts),
    }


def find(program, variable):
    """A tool's program: from the environment, among the installed peers, or on the path."""
    named = os.environ.get(variable)
    path = os.pathsep.join([os.path.join(PEERS, "bin"), os.environ.get("PATH", "")])
    return named or shutil.which(program, path=path)


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


class Tool:
    name = program = variable = None
    verifies = True  # has a check of all stored data

    def __init__(self, work, repositories):
        self.exe = find(self.program or self.name, self.variable or self.name.upper())
        self.work = os.path.join(work, self.name)
        self.repo = os.path.join(repositories, self.name + "-repository")
        self.log = os.path.join(work, self.name + ".log")

    def begin(self):
        """A new home and no repository."""
        for path in (self.work, self.repo):
            shutil.rmtree(path, ignore_errors=True)
        home = os.path.join(self.work, "home")
        os.makedirs(home)
        self.env = {"HOME": home, **{f"XDG_{k}_HOME": f"{home}/{k.lower()}" for k in ("CACHE", "CONFIG", "DATA", "STATE")}}
        self.settings()
        self.made = 0

    def settings(self):
        pass

    def call(self, *arguments, cwd=None):
        return run([self.exe, *arguments], env=self.env, cwd=cwd, log=self.log)

    def shell(self, script):
        return run(["sh", "-c", script], env=self.env, log=self.log)

    def version(self):
        return first_line(self.exe, "--version")

    def init(self):
        return self.call("init")

    def backup(self, source):
        return self.call("backup", source)

    def check(self):
        return self.call("check", "--read-data")

    def prune(self, last=1, unused=0):
        """Keeps the newest `last` generations, and at most `unused` percent of bytes that none of them needs."""
        raise NotImplementedError

    def backups_with_password(self, source):
        """For a tool that opens with a key file otherwise: by the name of each step."""
        return {}

    def restored(self, source, target):
        """Where `restore` puts the source's content."""
        return target + source


class Dedup(Tool):
    name = "dedup"

    def settings(self):
        self.env.update(DEDUP_REPOSITORY=self.repo, DEDUP_KEY_FILE=os.path.join(self.work, "key"))

    def version(self):
        return first_line(self.exe, "version")

    def backups_with_password(self, source):
        self.env["DEDUP_NEW_PASSWORD"] = PASSWORD
        added = self.call("key", "add")
        key = self.env.pop("DEDUP_KEY_FILE")
        self.env.update(DEDUP_PASSWORD=PASSWORD, DEDUP_KEY_CACHE="5m")
        # The kernel keeps from the first what the second needs.
        steps = ("no change, password", "no change, kept key")
        done = {step: self.backup(source) if added["ok"] else added for step in steps}
        del self.env["DEDUP_PASSWORD"], self.env["DEDUP_NEW_PASSWORD"], self.env["DEDUP_KEY_CACHE"]
        self.env["DEDUP_KEY_FILE"] = key
        return done

    def restore(self, source, target):
        return self.call("restore", "--target", target)

    def prune(self, last=1, unused=0):
        return self.call("prune", "--keep-last", str(last), "--keep-trash", "0s", "--max-unused", f"{unused}%", "--yes")


class Restic(Tool):
    name = "restic"

    def settings(self):
        self.env.update(RESTIC_REPOSITORY=self.repo, RESTIC_PASSWORD=PASSWORD)

    def version(self):
        return first_line(self.exe, "version")

    def restore(self, source, target):
        return self.call("restore", "latest", "--target", target)

    def prune(self, last=1, unused=0):
        return self.call("forget", "--keep-last", str(last), "--prune", "--max-unused", f"{unused}%")


class Rustic(Tool):
    name = "rustic"

    def settings(self):
        self.env.update(RUSTIC_REPOSITORY=self.repo, RUSTIC_PASSWORD=PASSWORD, RUSTIC_NO_PROGRESS="true")

    def init(self):
        return self.call("init", "--set-compression", "3")

    def restore(self, source, target):
        return self.call("restore", "latest:" + source, target)

    def restored(self, source, target):
        return target

    def prune(self, last=1, unused=0):
        return self.call("forget", "--keep-last", str(last), "--prune", "--instant-delete", "--max-unused", f"{unused}%", "--keep-pack", "0s")


class Borg(Tool):
    name = "borg"

    def settings(self):
        self.env.update(BORG_REPO=self.repo, BORG_PASSPHRASE=PASSWORD, BORG_RELOCATED_REPO_ACCESS_IS_OK="yes")

    def init(self):
        return self.call("init", "-e", "repokey-blake2")

    def backup(self, source):
        self.made += 1
        return self.call("create", "-C", "zstd,3", f"::a{self.made}", source)

    def restore(self, source, target):
        return self.call("extract", f"::a{self.made}", cwd=target)

    def check(self):
        return self.call("check", "--verify-data")

    def prune(self, last=1, unused=0):
        return together(self.call("prune", "--keep-last", str(last)), self.call("compact", "--threshold", str(unused)))


class Bupstash(Tool):
    name = "bupstash"
    verifies = False

    def settings(self):
        self.key = os.path.join(self.work, "key")
        self.oldest = 1
        self.env.update(BUPSTASH_REPOSITORY=self.repo, BUPSTASH_KEY=self.key)

    def init(self):
        return together(self.call("new-key", "-o", self.key), self.call("init"))

    def backup(self, source):
        self.made += 1
        return self.call("put", "--no-progress", f"name=x{self.made}", source)

    def restore(self, source, target):
        return self.call("restore", "--no-progress", "--into", target, f"name=x{self.made}")

    def restored(self, source, target):
        return target

    def check(self):
        return None

    def prune(self, last=1, unused=0):
        first = self.made - last + 1
        removed = [self.call("rm", f"name=x{number}") for number in range(self.oldest, first)]
        self.oldest = max(self.oldest, first)
        return together(*removed, self.call("gc"))


class Kopia(Tool):
    name = "kopia"

    def settings(self):
        self.env.update(KOPIA_PASSWORD=PASSWORD, KOPIA_CHECK_FOR_UPDATES="false")

    def init(self):
        made = self.call("repository", "create", "filesystem", "--path", self.repo, "--encryption", "CHACHA20-POLY1305-HMAC-SHA256", "--block-hash", "BLAKE3-256")
        return together(made, self.call("policy", "set", "--global", "--compression", "zstd", "--clear-ignore"))

    def backup(self, source):
        return self.call("snapshot", "create", source)

    def restore(self, source, target):
        return self.call("snapshot", "restore", source, target)

    def restored(self, source, target):
        return target

    def check(self):
        return self.call("snapshot", "verify", "--verify-files-percent=100")

    def prune(self, last=1, unused=0):
        keep = [f"--keep-{unit}=0" for unit in ("hourly", "daily", "weekly", "monthly", "annual")]
        return together(
            self.call("policy", "set", "--global", f"--keep-latest={last}", *keep),
            self.call("snapshot", "expire", "--all", "--delete"),
            self.call("maintenance", "run", "--full", "--safety=none"),
        )


ALL = [Dedup, Bupstash, Rustic, Restic, Borg, Kopia]
