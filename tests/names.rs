//! Names that come back (I-18): what `models` finds in all orders, played with the real program.

use crate::replicas::{Pair, options};
use chunkstore::remote::Kind;
use chunkstore::simulation::{self, Rule};
use engine::forget;
use engine::monitor::Quiet;
use engine::replicate::{self, ReplicateOptions, Replicated};
use kit::generation;
use kit::machine;
use kit::remotes::{Hooked, Operation};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);

/// A collector stops right before it deletes a pack. Another run of it on the same machine finishes the mark by its note,
/// the generation comes back from the other replica, and only then does the first one go on.
fn brought_back_before_a_stalled_deletion(rule_left_out: Option<Rule>) -> bool {
    let pair = Pair::new(1);
    simulation::leave_out(rule_left_out);
    pair.bring();
    simulation::leave_out(None);
    let id = pair.second().snapshots().unwrap().0[0].id;
    forget::apply(&pair.second(), &[id]).unwrap();
    let stalled = Arc::new(AtomicBool::new(false));
    let (again, first) = (Arc::new(pair.second()), pair.first());
    let hooked = Hooked::new(Arc::new(pair.second.clone()), {
        let stalled = stalled.clone();
        move |operation, kind| {
            let is_first = operation == Operation::Delete && kind == Some(Kind::Pack);
            if !is_first || stalled.swap(true, Ordering::SeqCst) {
                return;
            }
            let summary = machine::prune(&again, NEVER).unwrap();
            assert!(summary.packs_deleted > 0 && !summary.pending, "{summary:?}");
            let all = ReplicateOptions {
                all: true,
                ..options()
            };
            let mut done = Replicated::default();
            simulation::leave_out(rule_left_out);
            replicate::run(&first, &again, &all, &Quiet, &mut done).unwrap();
            simulation::leave_out(None);
            assert_eq!((done.snapshots, done.behind), (1, 0));
        }
    });
    let collector = pair.second_on(Arc::new(hooked));
    // What it reports when it wakes up is of no interest: it may find its mark gone.
    let _woken = machine::prune(&collector, NEVER);
    assert!(stalled.load(Ordering::SeqCst), "it never came to delete a pack");
    drop(collector);
    pair.machine.lose_cache();
    let replica = pair.second();
    let (snapshots, _) = replica.snapshots().unwrap();
    let read = generation::read_back(&replica, snapshots[0].id);
    matches!(read, Ok(files) if files == *pair.generations.values().next().unwrap())
}

/// I-18: no name comes back, so a client that still deletes by an old one deletes nothing that is relied on.
#[test]
fn a_stalled_collector_deletes_nothing_that_was_brought_back() {
    assert!(brought_back_before_a_stalled_deletion(None));
    let kept = brought_back_before_a_stalled_deletion(Some(Rule::FreshNames));
    assert!(
        !kept,
        "names that come back do no harm here: this test shows nothing"
    );
}
