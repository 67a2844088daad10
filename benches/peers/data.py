"""What is backed up: real generations where they can be had, and generated ones from a seed. Every workload is a list
of directories, the generations of one source. They are made once and kept."""

import os
import random
import shutil
import subprocess

KERNEL = ["6.1.187-1", "6.1.190-1", "6.1.192-2"]


def sh(script, **more):
    subprocess.run(["sh", "-euc", script], check=True, stdin=subprocess.DEVNULL, **more)


def made(path, make):
    """`path`, made whole or not at all."""
    if not os.path.exists(path):
        partial = path + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial)
        make(partial)
        os.rename(partial, path)
    return path


def kernel(data):
    """Three generations of the kernel's source tree, 78 k files and 1.4 GB each: every inode and time is new in each,
    some five files in a hundred have other content. From Debian's archive; None where it can't be had."""

    def unpack(version):
        def make(into):
            sh(f"cd '{into}' && apt-get download 'linux-source-6.1={version}' >&2 && dpkg-deb -x *.deb d && tar --strip-components=1 -xf d/usr/src/*.tar.xz && rm -rf d *.deb")

        return make

    try:
        return [made(os.path.join(data, "kernel-" + version), unpack(version)) for version in KERNEL]
    except (subprocess.CalledProcessError, OSError):
        return None


WORDS = "static int const return struct void if else for while break case switch goto sizeof unsigned long char define include buffer length offset index count error result state flags lock node list next head page frame table entry value key name path file".split()


def text(rng, size):
    """Something that compresses like source code."""
    lines = []
    have = 0
    while have < size:
        line = "\t" * rng.randrange(4) + " ".join(rng.choices(WORDS, k=rng.randrange(2, 9))) + f"_{rng.randrange(1 << 20):x};\n"
        lines.append(line)
        have += len(line)
    return "".join(lines)[:size].encode()


def generated(data, files=60_000, seed=1):
    """Three generations of a generated source tree: log-normal sizes with a median of 4 KiB, a few large files; from
    one to the next five files in a hundred change, some come and some go."""

    def size(rng):
        return min(int(rng.lognormvariate(8.3, 1.3)), 4 << 20)

    def make(generation):
        def build(into):
            rng = random.Random(seed)
            pool = [text(rng, 1 << 16) for _ in range(64)]
            for number in range(files):
                born = random.Random(f"{seed}/{number}")
                version = sum(random.Random(f"{seed}/{number}/{g}").random() < 0.05 for g in range(1, generation + 1))
                if born.random() < 0.01 and generation == 0 or born.random() > 0.99 and generation == 2:
                    continue
                directory = os.path.join(into, f"d{number // 500}", f"e{number // 25 % 20}")
                os.makedirs(directory, exist_ok=True)
                wanted = size(born)
                content = random.Random(f"{seed}/{number}/{version}/content")
                with open(os.path.join(directory, f"f{number}.c"), "wb") as out:
                    out.write(f"/* {number}.{version} */\n".encode())
                    while wanted > 0:
                        block = content.choice(pool)
                        at = content.randrange(len(block) - 256)
                        piece = block[at : at + min(wanted, content.randrange(200, 8000))]
                        out.write(piece)
                        wanted -= len(piece)

        return build

    return [made(os.path.join(data, f"generated-{generation}"), make(generation)) for generation in range(3)]


def few(data, tree):
    """The first 2000 files of a tree: a small job."""

    def build(into):
        left = 2000
        for at, directories, names in os.walk(tree):
            directories.sort()
            to = os.path.join(into, os.path.relpath(at, tree))
            for name in sorted(names)[:left]:
                os.makedirs(to, exist_ok=True)
                shutil.copy2(os.path.join(at, name), os.path.join(to, name), follow_symlinks=False)
                left -= 1
            if not left:
                break

    return [made(os.path.join(data, "few"), build)]


def image(data, tree):
    """A 2 GiB ext4 image of a tree, then one of the same files in a file system made anew, then the first one shifted
    by a few bytes."""

    def make_fs(seed):
        def build(into):
            disk = os.path.join(into, "disk.img")
            sh(f"truncate -s 2G '{disk}' && mke2fs -q -t ext4 -N 200000 -E hash_seed={seed},lazy_itable_init=0 -U {seed} -d '{tree}' '{disk}'")

        return build

    def shift(into):
        with open(os.path.join(data, "image-0", "disk.img"), "rb") as whole, open(os.path.join(into, "disk.img"), "wb") as out:
            out.write(b"seven b")
            shutil.copyfileobj(whole, out, 1 << 20)

    first = made(os.path.join(data, "image-0"), make_fs("01234567-89ab-cdef-0123-456789abcdef"))
    second = made(os.path.join(data, "image-1"), make_fs("fedcba98-7654-3210-fedc-ba9876543210"))
    return [first, second, made(os.path.join(data, "image-2"), shift)]


def noise(data):
    """1.5 GB that nothing compresses, in one file."""

    def build(into):
        rng = random.Random(3)
        with open(os.path.join(into, "noise.bin"), "wb") as out:
            for _ in range(1500):
                out.write(rng.randbytes(1_000_000))

    return [made(os.path.join(data, "noise"), build)]
