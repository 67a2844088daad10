#!/usr/bin/env bash
# Runs every fuzz target, or those named, on its corpus: FUZZ_SECONDS for each (default 20), as many at a time as there
# are processors. The stable compiler has all that this needs.
#
# What is found new is kept beside what is built, for the next run. With FUZZ_SEED nothing is kept, and each target is run as
# often as runs_of says, not for a time, so that two runs do the same. Inputs that fail are named; put them into the corpus
# once they are understood.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/dedup/target}
export FUZZ_SECONDS=${FUZZ_SECONDS:-20} FUZZ_SEED=${FUZZ_SEED:-} FUZZ_FOUND=$CARGO_TARGET_DIR/fuzz
export FUZZ_BINARIES=$CARGO_TARGET_DIR/release

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        names+=("$(basename "$file" .rs)")
    done
fi
mkdir -p "$FUZZ_FOUND"
bins=()
for name in "${names[@]}"; do
    bins+=(--bin "$name")
done
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/fuzz-rustc.sh cargo build --release --locked --package dedup-fuzz "${bins[@]}"

# Some seconds of each. Those that back up and restore are slow.
runs_of() {
    case $1 in
        operations | restore) echo 200 ;;
        tree_segment) echo 40000 ;;
        *) echo 150000 ;;
    esac
}

run() {
    local name=$1 log=$FUZZ_FOUND/$1.log found=$FUZZ_FOUND/$1 started=$SECONDS extent=(-max_total_time="$FUZZ_SECONDS")
    if [ -n "$FUZZ_SEED" ]; then
        extent=(-seed="$FUZZ_SEED" -runs="$(runs_of "$name")")
        found=$(mktemp -d)
        # shellcheck disable=SC2064 # as it is now
        trap "rm -rf '$found'" EXIT
    fi
    mkdir -p "$found"
    if ! "$FUZZ_BINARIES/$name" "${extent[@]}" -max_len=65536 -rss_limit_mb=1024 -timeout=20 \
        -print_final_stats=1 -artifact_prefix="$FUZZ_FOUND/$name." "$found" "fuzz/corpus/$1" >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "fuzz $name: FAILED; all of it is in $log"
        return 1
    fi
    local runs cover
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "fuzz $name: $runs runs in $((SECONDS - started)) s, $cover places reached"
}
export -f run runs_of
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run {}'
