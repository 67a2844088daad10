//! A collection that crashes, runs out of space, or is lied to, at every step it takes.

use super::{DAY, Story, assert_sound, collect, copy, handle, open, options, stored};
use chunkstore::pack::Class;
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use engine::check::{self, CheckOptions, ReadData};
use engine::monitor::Quiet;
use engine::prune::{self, PruneOptions};
use engine::retain::{self, Bucket, Count, Rule};
use engine::select::Filter;
use engine::{Error, forget, stats};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kit::generation::{files, generation, read_back};
use kit::machine::Machine;
use kit::remotes::{Fault, Faulty, contents, listed};

/// A machine that begins where the story's left off.
fn scene(story: &Story) -> (Memory, Machine) {
    (copy(&story.remote), story.machine.copy())
}

#[test]
fn a_crash_at_every_step_loses_nothing() {
    let story = Story::new();
    story.forget(&open(&story.machine, &story.remote));
    let (remote, machine) = scene(&story);
    let whole = Faulty::new(handle(&remote));
    collect(&open(&machine, &whole)).unwrap();
    let steps = whole.operations();
    let freed = stored(&remote, Kind::Pack);
    assert!(steps > 40, "{steps}");
    for step in 0..steps {
        for torn in [false, true] {
            let (remote, machine) = scene(&story);
            let faulty = Faulty::new(handle(&remote));
            let repo = open(&machine, &faulty);
            if torn {
                faulty.crash_torn(step);
            } else {
                faulty.crash_at(step);
            }
            assert!(collect(&repo).is_err(), "{step}");
            drop(repo);
            faulty.restart();
            if torn {
                // The machine lost its power: what no barrier covered is gone, or by chance not.
                faulty
                    .power_cut(&mut |name| name.id().as_bytes()[0] % 2 == 0)
                    .unwrap();
            }
            let repo = open(&machine, &faulty);
            assert_sound(&repo, &story.kept, &format!("crash at {step}"));
            let done = collect(&repo).unwrap();
            assert!(!done.pending, "{step}: {done:?}");
            collect(&repo).unwrap();
            assert_sound(&repo, &story.kept, &format!("crash at {step}, finished"));
            assert_eq!(listed(&remote, Kind::Mark).unwrap(), [], "{step}");
            let left = stored(&remote, Kind::Pack);
            assert!(
                left <= freed * 11 / 10,
                "{step}: {left} bytes left, {freed} without a crash"
            );
        }
    }
}

#[test]
fn a_full_disk_at_every_step_loses_nothing() {
    let story = Story::new();
    story.forget(&open(&story.machine, &story.remote));
    let (remote, machine) = scene(&story);
    let whole = Faulty::new(handle(&remote));
    collect(&open(&machine, &whole)).unwrap();
    let mut without_moving = 0;
    for step in 0..whole.operations() {
        let (remote, machine) = scene(&story);
        let faulty = Faulty::new(handle(&remote));
        let repo = open(&machine, &faulty);
        faulty.fail_mutation(step, Fault::NoSpace);
        if let Ok(done) = collect(&repo) {
            without_moving += u64::from(done.no_space && done.packs_deleted > 0);
        }
        assert_sound(&repo, &story.kept, &format!("full at {step}"));
        let done = collect(&repo).unwrap();
        assert!(!done.pending && !done.no_space, "{step}: {done:?}");
        assert_sound(&repo, &story.kept, &format!("full at {step}, finished"));
    }
    assert!(without_moving > 5, "{without_moving}");
}

#[test]
fn short_listings_delete_nothing() {
    let story = Story::new();
    story.forget(&open(&story.machine, &story.remote));
    for kind in [Kind::Snapshot, Kind::Pack, Kind::Index, Kind::Trash] {
        for missing in 1..=4 {
            for fresh in [false, true] {
                if fresh && kind == Kind::Trash {
                    continue;
                }
                let (remote, machine) = scene(&story);
                // A machine that never saw this repository knows only the sessions that are still there.
                let machine = if fresh { Machine::new("fresh") } else { machine };
                let faulty = Faulty::new(handle(&remote));
                let repo = open(&machine, &faulty);
                faulty.shorten(kind, missing);
                let result = prune::run(
                    &repo,
                    &PruneOptions {
                        keep_trash: 1000 * DAY as u64,
                        ..options()
                    },
                    &Quiet,
                );
                let all = [&story.kept[..], &story.forgotten[..]].concat();
                faulty.restart();
                assert_sound(&repo, &story.kept, &format!("{kind:?} {missing} {result:?}"));
                for (id, _) in &story.forgotten {
                    let back = forget::undelete(&repo, *id, &Quiet).unwrap();
                    let files = &all.iter().find(|(old, _)| old == id).unwrap().1;
                    assert_eq!(&read_back(&repo, back).unwrap(), files, "{kind:?} {missing}");
                }
            }
        }
    }
}

fn structure_alone() -> CheckOptions {
    CheckOptions {
        read_data: ReadData::None,
    }
}

/// As where a page of a listing begins anew, or a folder changes while it is read.
#[test]
fn what_is_listed_twice_is_there_once() {
    let story = Story::new();
    story.forget(&open(&story.machine, &story.remote));
    let results = [false, true].map(|doubled| {
        let (remote, machine) = scene(&story);
        let faulty = Faulty::new(handle(&remote));
        if doubled {
            faulty.double();
        }
        let repo = open(&machine, &faulty);
        let (snapshots, _) = repo.snapshots().unwrap();
        let newest = Rule::Newest {
            bucket: Bucket::EACH,
            count: Count::Limited(2),
        };
        let policy = retain::Policy::new(vec![newest]).unwrap();
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let plan = forget::plan(&snapshots, &policy, &[], &Filter::default(), &TimeZone::UTC, now);
        let kept: Vec<_> = plan.iter().map(|one| (one.facts.id, one.action)).collect();
        let checked = check::run(&repo, &structure_alone(), &Quiet).unwrap();
        let collected = collect(&repo).unwrap();
        assert_sound(&repo, &story.kept, &format!("doubled: {doubled}"));
        (
            kept,
            checked.num_errors + checked.num_warnings,
            collected.packs_deleted,
            collected.packs_repack,
        )
    });
    assert_eq!(results[0], results[1]);
}

/// Sizes whose sum is no number.
#[test]
fn sizes_that_are_lies_end_nothing() {
    let story = Story::new();
    story.forget(&open(&story.machine, &story.remote));
    let (remote, machine) = scene(&story);
    let faulty = Faulty::new(handle(&remote));
    let repo = open(&machine, &faulty);
    faulty.swell();
    // Whatever they say, they say something.
    let _ = check::run(&repo, &structure_alone(), &Quiet);
    let _ = stats::run(&repo, &Quiet);
    let _ = collect(&repo);
    drop(repo);
    let _ = machine.open(handle(&faulty)).map(|repo| collect(&repo));
    faulty.restart();
    assert_sound(&open(&machine, &faulty), &story.kept, "swollen");
}

#[test]
fn an_unreadable_manifest_or_tree_stops_deletion() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    story.forget(&repo);
    let whole = contents(&story.remote).unwrap();
    let located = |class: Class| {
        let reader = repo.reader(&Quiet);
        let mut packs = std::collections::BTreeSet::new();
        reader
            .index()
            .unwrap()
            .scan(&mut |_, located| {
                if located.class == class {
                    packs.insert(located.place.pack);
                }
                Ok(())
            })
            .unwrap();
        packs
    };
    let mut victims: Vec<ObjectName> = vec![ObjectName::snapshot(story.kept[0].0)];
    victims.extend(located(Class::Tree).into_iter().map(ObjectName::pack));
    let mut stopped = 0;
    for victim in victims {
        let (remote, machine) = scene(&story);
        let mut bytes = whole.iter().find(|(name, _)| *name == victim).unwrap().1.clone();
        bytes.iter_mut().skip(200).for_each(|byte| *byte ^= 0x55);
        remote.delete(&victim).unwrap();
        remote.put(&victim, &bytes).unwrap();
        let before = listed(&remote, Kind::Pack).unwrap();
        match collect(&open(&machine, &remote)) {
            Err(Error::Damaged(e)) => {
                assert!(e.is_damage());
                stopped += 1;
                assert_eq!(listed(&remote, Kind::Pack).unwrap(), before, "{victim}");
            }
            // That tree is the forgotten ones'.
            result => assert!(result.is_ok() && victim.kind() == Kind::Pack, "{result:?}"),
        }
    }
    assert!(stopped >= 3, "{stopped}");
}

/// Index segments that come back after their packs went, beside packs that hold the same chunks anew: the names decide
/// which of the two a new machine reads first.
#[test]
fn a_late_index_segment_misleads_no_reader() {
    for round in 0..8 {
        let story = Story::new();
        let repo = open(&story.machine, &story.remote);
        let of = files(900..930, 5000);
        let first = generation(&repo, 40, &of).unwrap();
        let late = contents(&story.remote).unwrap();
        forget::apply(&repo, &[first]).unwrap();
        while collect(&repo).unwrap().packs_deleted > 0 {}
        let again = generation(&repo, 50, &of).unwrap();
        let mut came_back = 0;
        for (name, bytes) in late.iter().filter(|(name, _)| name.kind() == Kind::Index) {
            came_back += u32::from(story.remote.put(name, bytes).is_ok());
        }
        assert!(came_back > 0);
        let all = [&story.kept[..], &story.forgotten[..], &[(again, of)]].concat();
        let reader = Machine::new("reader");
        assert_sound(&open(&reader, &story.remote), &all, &format!("round {round}"));
    }
}
