#!/usr/bin/env bash
# Checks that the crates compile for Windows (x86_64-pc-windows-gnu), with warnings as errors. Nothing is linked or run, and
# RocksDB is not compiled: an empty library stands for it (docs/decisions/0057-windows-check.md).
#
# The standard library for Windows comes with rustup where that can fetch it. Otherwise Debian's compiler builds it from
# source, which takes some minutes once.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=${HOME:+$HOME/.cargo/bin:}$PATH
. scripts/packages.sh

target=x86_64-pc-windows-gnu
folder=${DEDUP_WINDOWS_TARGET:-$HOME/.cache/dedup/windows}
packages=(chunkstore dedup-engine dedup-service)

# Debian's own compiler, with the sources of the standard library: that of rustup may have neither.
debian_cargo=/usr/bin/cargo
debian_rustc=/usr/bin/rustc
has_std() { have rustup && rustup target list --installed 2>/dev/null | grep -qx "$target"; }
has_sources() { [ -x "$debian_cargo" ] && [ -e "$("$debian_rustc" --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]; }

missing=()
have x86_64-w64-mingw32-gcc || missing+=(gcc-mingw-w64-x86-64-posix)
if ! has_std && ! has_sources; then
    if ! { have rustup && timeout 120 rustup target add "$target" >/dev/null 2>&1; }; then
        missing+=(rustc-web cargo-web rust-web-src)
    fi
fi
if [ "${#missing[@]}" -gt 0 ]; then
    if ! have apt-get; then
        say "These are missing: ${missing[*]} (names of Debian packages)."
        say "Install the C compiler of MinGW-w64, and run: rustup target add $target"
        exit 1
    fi
    install_packages "${missing[@]}"
fi

# The library that bindings of RocksDB are made for: an archive without members, which nothing is linked with.
mkdir -p "$folder/none"
x86_64-w64-mingw32-ar rcs "$folder/none/librocksdb.a"

# Bindgen finds the compiler's own headers only where a clang program is installed.
headers=$(compgen -G '/usr/lib/llvm-*/lib/clang/*' | sort -V | tail -n 1 || true)

# Warnings are errors in our own crates, and only there.
printf '#!/bin/sh\nexec "$@" -D warnings\n' >"$folder/strict"
chmod +x "$folder/strict"
export RUSTC_WORKSPACE_WRAPPER=$folder/strict

# This machine's C compiler must not be taken for that of Windows.
unset CC CXX
export ROCKSDB_LIB_DIR=$folder/none ROCKSDB_STATIC=1
export CARGO_TARGET_DIR=$folder
[ -z "$headers" ] || export BINDGEN_EXTRA_CLANG_ARGS_x86_64_pc_windows_gnu="-resource-dir=$headers"

flags=(--locked --target "$target" --config profile.dev.debug=0 --keep-going)
if has_std; then
    cargo=(cargo)
else
    # Only a compiler that takes itself for a nightly one builds the standard library.
    export RUSTC_BOOTSTRAP=1 RUSTC=$debian_rustc RUSTDOC=/usr/bin/rustdoc
    cargo=("$debian_cargo")
    flags+=(-Zbuild-std=std,panic_abort,panic_unwind)
fi
"${cargo[@]}" check "${flags[@]}" "${packages[@]/#/--package=}"
