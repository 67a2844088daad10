#!/usr/bin/env bash
# Shows what dedup does, for real and with nothing of yours touched: everything happens in a scratch folder that is also
# the home directory of what is run. Usage: demo.sh [DIR]; KEEP=1 leaves the scratch folder.
set -euo pipefail

dedup=${DEDUP:?set DEDUP to the program}
from=${1:-/usr/share/doc}
# Some systems come without documentation: then this project is what there is to save.
if [ $# -eq 0 ] && [ "$(find "$from" -type f 2>/dev/null | head -100 | wc -l)" -lt 100 ]; then
    from=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fi
if [ ! -d "$from" ]; then
    printf '%s is not a directory\n' "$from" >&2
    exit 2
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/dedup-demo.XXXXXX")
cleanup() {
    if [ -n "${KEEP:-}" ]; then
        printf '\nLeft in %s\n' "$scratch"
    else
        chmod -R u+rwX "$scratch" && rm -rf "$scratch"
    fi
}
trap cleanup EXIT

for name in $(compgen -e | grep -E '^(DEDUP_|XDG_)' || true); do unset "$name"; done
export HOME=$scratch/home
repository=$HOME/.local/share/dedup/repository
source=$scratch/documents
mkdir "$HOME"

step() { printf '\n== %s\n' "$*"; }
run() {
    local word
    printf '$'
    for word in "${@/#$dedup/dedup}"; do
        case $word in
        *' '*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@" </dev/null
}
size() { du -sh "$1" | cut -f1; }

# Content, names, types, modes, owners, times and links of two trees must be equal.
same() {
    diff -r --no-dereference "$1" "$2"
    if command -v rsync >/dev/null; then
        local differing
        differing=$(rsync -aHAXSnci --delete "$1/" "$2/")
        [ -z "$differing" ] || { printf '%s\n' "$differing"; return 1; }
    else
        diff <(list "$1") <(list "$2")
    fi
    printf 'Equal: content, names, modes, owners, times and links.\n'
}
list() { (cd "$1" && find . -printf '%P\t%y\t%m\t%U:%G\t%n\t%T@\t%l\n' | LC_ALL=C sort); }

step "A copy of $from to work on"
cp -a "$from" "$source"
printf '%s files, %s\n' "$(find "$source" -type f | wc -l)" "$(size "$source")"
# What was changed within two seconds of a backup is read again by the next one: these should not be.
sleep 3.1

step 'Make a repository. The phrase below is the one thing to write down'
run "$dedup" init

step 'The first backup stores everything'
run "$dedup" backup "$source"
printf 'The repository has %s.\n' "$(size "$repository")"

step 'Time passes, and files change: one new, one longer, one gone, one renamed'
cp -a "$source" "$scratch/as-it-was"
sleep 1.1
then=$(date '+%Y-%m-%d %H:%M:%S')
sleep 1.1
first() { find "$source" -type f -size +0 | LC_ALL=C sort | sed -n "$1p"; }
longer=$(first 1) gone=$(first 2) renamed=$(first 3)
printf 'written after the first backup\n' >"$source/new.txt"
if [ -n "$longer" ]; then chmod u+w "$longer" && printf 'one more line\n' >>"$longer"; fi
if [ -n "$gone" ]; then rm -f "$gone"; fi
if [ -n "$renamed" ]; then mv "$renamed" "$renamed.renamed"; fi
cp -a "$source" "$scratch/as-it-is"

step 'The second backup stores only what is new'
run "$dedup" backup "$source"
printf 'The repository has %s.\n' "$(size "$repository")"
run "$dedup" snapshots

step "Restore everything as it was at $then, and compare"
run "$dedup" restore --at "$then" --target "$scratch/restored"
same "$scratch/as-it-was" "$scratch/restored$source"

step 'Keep only the newest snapshot, and free what only the others needed'
run "$dedup" prune --keep-last 1 --keep-trash 0s --yes
run "$dedup" snapshots
printf 'The repository has %s.\n' "$(size "$repository")"

step 'Read all of the repository, restore the newest snapshot, and compare'
run "$dedup" check --read-data
run "$dedup" restore --target "$scratch/newest"
same "$scratch/as-it-is" "$scratch/newest$source"

printf '\nAll of it worked.\n'
