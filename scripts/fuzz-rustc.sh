#!/usr/bin/env bash
# Stands before the compiler when fuzz targets are built (scripts/fuzz.sh) and asks it for the counters that libFuzzer
# steers by, in our own crates alone: what they depend on is shared with every other build.
set -euo pipefail
rustc=$1
shift
case " $* " in
    # Runs while others are built, without libFuzzer.
    *" --crate-name build_script_"* | *" --crate-type proc-macro "*) exec "$rustc" "$@" ;;
esac
exec "$rustc" "$@" --cfg fuzzing -Cdebug-assertions=on -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
