#!/usr/bin/env bash
# Sees to it that what is needed is there. 'setup.sh build': what the build needs, that is Rust, a C and C++ compiler, and
# libclang, which the bindings of RocksDB are made with. Without an argument also what the tests need. Does nothing,
# quickly, when all is there.
set -euo pipefail
PATH=${HOME:+$HOME/.cargo/bin:}$PATH
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"

# libclang itself and the headers that belong to it.
have_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null &&
        compgen -G '/usr/lib/llvm-*/lib/clang/*/include/stddef.h' >/dev/null && return 0
    compgen -G '/usr/lib*/libclang*.so*' >/dev/null &&
        compgen -G '/usr/lib*/clang/*/include/stddef.h' >/dev/null
}

missing=()
if ! have cc || ! have c++; then missing+=(g++); fi
have make || missing+=(make)
have_libclang || missing+=(libclang-dev)
if [ "${1:-}" != build ]; then
    # The tests compare restored trees with it, as a second opinion.
    have rsync || missing+=(rsync)
    # The models of the protocol (docs/model) are Python.
    have python3 || missing+=(python3)
    # The tests move a program's clock, and talk to a private D-Bus.
    have faketime || missing+=(faketime)
    have dbus-daemon || missing+=(dbus-daemon)
    # They ask servers with it.
    have curl || missing+=(curl)
    # They make certificates with it.
    have openssl || missing+=(openssl)
    # They back up file systems that they make.
    have mkfs.btrfs || missing+=(btrfs-progs)
    have mkntfs || missing+=(ntfs-3g)
    # Where ZFS is not there: one that needs no module of the kernel, if the system has a package of it.
    have zpool || ! apt-cache show zfs-fuse >/dev/null 2>&1 || missing+=(zfs-fuse)
    # cargo-deny reads advisories from a repository of git's, which the tests make.
    have git || missing+=(git)
fi

if [ "${#missing[@]}" -gt 0 ]; then
    if ! have apt-get; then
        say "These are missing: ${missing[*]} (names of Debian packages)."
        say "Install a C++ compiler and libclang with its headers. Fedora: gcc-c++ clang-devel; Arch: gcc clang;"
        say "openSUSE: gcc-c++ clang-devel. Then run this again."
        exit 1
    fi
    # Compiles RocksDB from a cache the second time. Where it was compiled without, it would be compiled again.
    compgen -G "${CARGO_TARGET_DIR:-$HOME/.cache/dedup/target}/release/build/librocksdb-sys-*" >/dev/null ||
        have ccache || missing+=(ccache)
    install_packages "${missing[@]}"
fi

if ! have cargo; then
    say "Rust is missing. Get it from https://rustup.rs:"
    say "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    say "and run this again."
    exit 1
fi
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    if have rustup; then
        rustup component add rustfmt clippy
    else
        say "rustfmt or clippy is missing: 'make test' needs them."
    fi
fi
