#!/usr/bin/env bash
# The campaigns of docs/reliability.md, for hours: each goes on through seeds that it has not had, one after the other,
# until TORTURE_HOURS (default 8) are over or something is found. As many lanes at a time as there are pairs of
# processors (or TORTURE_LANES). TORTURE_ONLY="crashes faults" runs only these. May be stopped and started again: what
# was done is in TORTURE_DIR, and so are the words of what failed, which name the seed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/dedup/target}
dir=${TORTURE_DIR:-$CARGO_TARGET_DIR/torture}
lanes=${TORTURE_LANES:-$((($(nproc) + 1) / 2))}
end=$(awk -v hours="${TORTURE_HOURS:-8}" 'BEGIN { print int(systime() + hours * 3600) }')
mkdir -p "$dir"

# Name, the program of tests that it is in, and the test. As it prints it, each turn goes on with the seeds of the last.
campaigns=(
    'crashes whole simulated::a_crash_at_every_change_of_every_job'
    'faults whole simulated::every_fault_at_every_operation_of_every_job'
    'follower-crashes whole followers::a_crash_at_every_change_of_both_destinations'
    'follower-faults whole followers::every_fault_at_every_operation_of_both_destinations'
    'orders whole schedules::nothing_is_lost_in_any_order'
    'scenes whole scenes::nothing_is_lost_at_any_turn'
    'kills whole killed::'
    'restores engine restore::tests::deaths::'
    'power engine restore::tests::power::'
)
if [ -n "${TORTURE_ONLY:-}" ]; then
    wanted=()
    for campaign in "${campaigns[@]}"; do
        case " $TORTURE_ONLY " in *" ${campaign%% *} "*) wanted+=("$campaign") ;; esac
    done
    [ ${#wanted[@]} -gt 0 ] || { echo "there is no campaign $TORTURE_ONLY"; exit 2; }
    campaigns=("${wanted[@]}")
fi
tests_of() {
    cargo test --release --locked "$@" --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
declare -A programs
programs[whole]=$(tests_of --package dedup-tests --test all)
programs[engine]=$(tests_of --package dedup-engine --lib)

# A lane has seeds of its own: a million for each lane and campaign.
lane() {
    local lane=$1 name of test next log
    while true; do
        for campaign in "${campaigns[@]}"; do
            read -r name of test <<<"$campaign"
            [ "$(date +%s)" -lt "$end" ] && [ ! -e "$dir/failed" ] || return 0
            next=$(cat "$dir/$name.$lane.next" 2>/dev/null || echo $((lane * 1000000 + 1)))
            log=$dir/$name.$lane.log
            if ! DEDUP_TEST_SEED=$next DEDUP_TEST_RUNS=${TORTURE_RUNS:-1} "${programs[$of]}" "$test" --nocapture >"$log" 2>&1; then
                cp "$log" "$dir/failed"
                echo "$name: FAILED at seeds from $next on; see $dir/failed"
                return 1
            fi
            # "name: CASES cases, seeds FIRST to LAST"
            read -r cases last < <(sed -n "s/.*$name: \([0-9]*\) cases, seeds [0-9]* to \([0-9]*\).*/\1 \2/p" "$log" |
                awk '{ cases += $1; last = $2 } END { print cases + 0, last + 0 }')
            if [ "$cases" -eq 0 ]; then
                echo "$name: nothing was tried; see $log"
                return 1
            fi
            echo $((last + 1)) >"$dir/$name.$lane.next"
            echo "$name $cases $last" >>"$dir/done"
            awk -v name="$name" '$1 == name { cases += $2 } END { print name ": " cases " cases in all, none lost" }' "$dir/done" |
                sed "s/$/; lane $lane, up to seed $last/"
        done
    done
}

rm -f "$dir/failed"
for ((lane = 0; lane < lanes; lane++)); do
    lane "$lane" &
done
status=0
for job in $(jobs -p); do
    wait "$job" || status=1
done
exit $status
