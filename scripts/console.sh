#!/usr/bin/env bash
# Walks through the console in a real browser and takes the pictures in docs/console. Installs what that needs: Chromium
# and fonts from the distribution, Playwright and axe-core into the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${DEDUP_CONSOLE_TOOLS:-$HOME/.cache/dedup/console}
axe=4.14.1

say() { printf '%s\n' "$*" >&2; }

if ! command -v chromium >/dev/null; then
    say "Installing Chromium ..."
    sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-noto-cjk fonts-dejavu-core >&2
fi
if [ ! -x "$tools/bin/python" ] || ! "$tools/bin/python" -c 'import playwright, PIL' 2>/dev/null; then
    say "Installing Playwright into $tools ..."
    python3 -m venv "$tools"
    "$tools/bin/pip" install -q playwright==1.65.2 pillow >&2
fi
if [ ! -f "$tools/axe-$axe.js" ]; then
    say "Fetching axe-core $axe ..."
    curl -sSfL "https://registry.npmjs.org/axe-core/-/axe-core-$axe.tgz" |
        tar -xzO package/axe.min.js >"$tools/axe-$axe.js.new"
    mv "$tools/axe-$axe.js.new" "$tools/axe-$axe.js"
fi
AXE="$tools/axe-$axe.js" exec "$tools/bin/python" scripts/console.py "$@"
