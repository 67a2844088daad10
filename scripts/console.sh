#!/usr/bin/env bash
# Walks through the console in a real browser and takes the pictures in docs/console; with `speed` as the first argument,
# measures it with a large folder and many snapshots instead. Installs what that needs: Chromium
# and fonts from the distribution, Playwright and axe-core into the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${DEDUP_CONSOLE_TOOLS:-$HOME/.cache/dedup/console}

say() { printf '%s\n' "$*" >&2; }

if ! command -v chromium >/dev/null; then
    say "Installing Chromium ..."
    sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-noto-cjk fonts-dejavu-core >&2
fi
if ! "$tools/bin/python" -c 'import playwright, PIL, axe_playwright_python' 2>/dev/null; then
    say "Installing Playwright and axe-core into $tools ..."
    python3 -m venv "$tools"
    "$tools/bin/pip" install -q playwright==1.65.2 axe-playwright-python==0.1.8 pillow >&2
fi
axe=$("$tools/bin/python" -c 'import axe_playwright_python as axe; print(axe.__path__[0] + "/axe.min.js")')
program=scripts/console.py
if [ "${1:-}" = speed ]; then
    program=scripts/console_speed.py
    shift
fi
AXE="$axe" exec "$tools/bin/python" "$program" "$@"
