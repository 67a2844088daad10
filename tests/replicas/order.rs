//! What a replica is behind by, whatever the clock showed when the generations were made.

use super::{NEVER, Pair};
use engine::monitor::Quiet;
use engine::replicate::{self, Replicated};
use engine::{backup, forget, order};
use kit::machine;
use std::fs;
use std::path::Path;

const DAY: i64 = 86_400;

/// A backup on this day of the machine's clock, or with the `--time` of another.
fn backup(pair: &Pair, source: &Path, (clock, said): (i64, Option<i64>)) {
    fs::write(source.join("file"), format!("{clock} {said:?}")).unwrap();
    let mut options = pair.machine.options(&[source]);
    options.time = said.map(|day| order::at(day * DAY));
    let mut first = pair.first();
    first.run_mut().now = order::at(clock * DAY);
    backup::run(&first, &options, None, &Quiet).unwrap();
}

fn behind(pair: &Pair) -> usize {
    let now = order::at(1_700_000_000);
    let lacking = replicate::lacking(&pair.first(), &pair.second(), false, now).unwrap();
    lacking.snapshots.len()
}

#[test]
fn a_replica_follows_whatever_the_clock_said() {
    const NONE: Option<i64> = None;
    type Row<'a> = (&'a str, &'a [(i64, Option<i64>)]);
    let rows: &[Row<'_>] = &[
        ("within one second", &[(400, NONE), (400, NONE), (400, NONE)]),
        (
            "set back once",
            &[(400, NONE), (401, NONE), (36, NONE), (402, NONE)],
        ),
        (
            "set back for good",
            &[(400, NONE), (401, NONE), (36, NONE), (37, NONE), (38, NONE)],
        ),
        (
            "ahead, and that day has come",
            &[(400, NONE), (500, NONE), (401, NONE), (402, NONE)],
        ),
        (
            "ahead of now",
            &[(400, NONE), (30_000, NONE), (401, NONE), (402, NONE)],
        ),
        (
            "--time that has come",
            &[(400, Some(500)), (401, NONE), (402, Some(500)), (403, NONE)],
        ),
    ];
    for (what, days) in rows {
        let source = tempfile::tempdir().unwrap();
        let pair = Pair::new(0);
        for (number, day) in days.iter().enumerate() {
            backup(&pair, source.path(), *day);
            assert_eq!(pair.bring().snapshots, 1, "{what}: {number}");
            assert_eq!(behind(&pair), 0, "{what}: {number}");
        }
        assert_eq!(pair.second().snapshots().unwrap().0.len(), days.len(), "{what}");
    }
}

/// Also the newest, and one of several that were made within a second: it is listed as forgotten.
#[test]
fn a_replica_gets_nothing_back_that_it_forgot() {
    let source = tempfile::tempdir().unwrap();
    let pair = Pair::new(0);
    for day in [400, 400, 401, 402] {
        backup(&pair, source.path(), (day, None));
    }
    assert_eq!(pair.bring().snapshots, 4);
    let snapshots = pair.second().snapshots().unwrap().0;
    forget::apply(&pair.second(), &[snapshots[1].id, snapshots[3].id]).unwrap();
    assert_eq!(pair.bring(), Replicated::default(), "in the trash");
    machine::prune(&pair.second(), NEVER).unwrap();
    assert_eq!(pair.bring(), Replicated::default(), "gone");
}
