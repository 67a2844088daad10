//! Garbage collection beside writers, other collectors, crashes, full disks and lying listings. The oracle is always
//! the same: every generation that was not forgotten comes back byte by byte, and a check finds no damage.

mod faults;
mod lies;

use chunkstore::remote::{Kind, Memory, Remote};
use chunkstore::session::View;
use chunkstore::sweep::{self, Policy, Unused};
use chunkstore::writer::Writer;
use chunkstore::{Error as StoreError, SessionId};
use engine::monitor::Quiet;
use engine::prune::{self, PruneOptions, PruneSummary};
use engine::repo::Repo;
use engine::{Error, check, forget};
use kit::generation::{self, Files, files, foreign_writer, noise, put_all, read_back, repository};
use kit::machine::Machine;
use kit::remotes::{Faulty, Hooked, contents, listed};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DAY: i64 = 86_400;

/// Throws away all that is not needed, at once.
fn options() -> PruneOptions {
    let gc = Policy {
        max_unused: Unused::Bytes(0),
        max_repack: u64::MAX,
    };
    PruneOptions {
        keep_trash: 0,
        ..PruneOptions::new(gc)
    }
}

fn collect(repo: &Repo) -> engine::Result<PruneSummary> {
    prune::run(repo, &options(), &Quiet)
}

fn open<T: Remote + Clone + 'static>(machine: &Machine, remote: &T) -> Repo {
    machine.open(handle(remote)).unwrap()
}

/// Another handle to the same storage.
fn handle<T: Remote + Clone + 'static>(remote: &T) -> Arc<dyn Remote> {
    Arc::new(remote.clone())
}

/// A copy of everything that is stored.
fn copy(remote: &Memory) -> Memory {
    let copy = Memory::new();
    for (name, bytes) in contents(remote).unwrap() {
        copy.put(&name, &bytes).unwrap();
    }
    copy
}

fn assert_sound(repo: &Repo, expected: &[(SessionId, Files)], what: &str) {
    for (id, files) in expected {
        assert_eq!(&read_back(repo, *id).unwrap(), files, "{what}");
    }
    let all = check::CheckOptions {
        read_data: check::ReadData::All,
    };
    let report = check::run(repo, &all, &Quiet).unwrap();
    assert_eq!(
        (report.num_errors, &report.broken_objects),
        (0, &vec![]),
        "{what}"
    );
}

/// Four generations that share files; the first and third are forgotten, so that whole packs and parts go.
struct Story {
    remote: Memory,
    machine: Machine,
    kept: Vec<(SessionId, Files)>,
    forgotten: Vec<(SessionId, Files)>,
}

impl Story {
    fn new() -> Story {
        let (remote, machine) = (repository(), Machine::new("here"));
        let repo = open(&machine, &remote);
        let (mut kept, mut forgotten) = (Vec::new(), Vec::new());
        for number in 1..=4u64 {
            let mut of = files(number * 20..number * 20 + 12, 5000);
            of.extend(files(0..6, 30_000 + number as usize % 2));
            of.extend(files(number * 4..number * 4 + 8, 300));
            let id = generation::generation(&repo, number, &of).unwrap();
            let list = if number % 2 == 1 {
                &mut forgotten
            } else {
                &mut kept
            };
            list.push((id, of));
        }
        Story {
            remote,
            machine,
            kept,
            forgotten,
        }
    }

    fn forget(&self, repo: &Repo) {
        let ids: Vec<SessionId> = self.forgotten.iter().map(|(id, _)| *id).collect();
        forget::apply(repo, &ids).unwrap();
    }
}

fn stored(remote: &dyn Remote, kind: Kind) -> u64 {
    listed(remote, kind).unwrap().iter().map(|(_, size)| size).sum()
}

#[test]
fn what_nobody_needs_goes_and_the_rest_stays() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    let nothing = collect(&repo).unwrap();
    assert_eq!(
        (nothing.packs_deleted, nothing.bytes_moved, nothing.pending),
        (0, 0, false)
    );
    story.forget(&repo);
    let before = stored(&story.remote, Kind::Pack);
    let dry = PruneOptions {
        dry_run: true,
        ..options()
    };
    let untouched = contents(&story.remote).unwrap();
    let plan = prune::run(&repo, &dry, &Quiet).unwrap();
    assert_eq!(
        contents(&story.remote).unwrap(),
        untouched,
        "a dry run changes nothing"
    );
    let done = collect(&repo).unwrap();
    let after = stored(&story.remote, Kind::Pack);
    assert!(done.packs_repack > 0 && done.packs_unneeded > 0, "{done:?}");
    assert_eq!(
        (
            plan.packs_unneeded,
            plan.packs_repack,
            plan.bytes_moved,
            plan.bytes_freed
        ),
        (
            done.packs_unneeded,
            done.packs_repack,
            done.bytes_moved,
            done.bytes_freed
        )
    );
    assert_eq!((done.trash_discarded, done.snapshots), (2, 2));
    assert!(after < before * 2 / 3, "{before} -> {after}");
    assert_eq!(listed(&story.remote, Kind::Mark).unwrap(), []);
    assert_eq!(listed(&story.remote, Kind::Session).unwrap(), []);
    assert_sound(&repo, &story.kept, "after");
    let again = collect(&repo).unwrap();
    assert_eq!((again.packs_deleted, again.bytes_moved), (0, 0), "{again:?}");
}

#[test]
fn the_trash_protects_until_its_time_is_over() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    story.forget(&repo);
    let later = PruneOptions {
        keep_trash: 200 * DAY as u64,
        ..options()
    };
    let kept = prune::run(&repo, &later, &Quiet).unwrap();
    assert_eq!(
        (kept.trash_kept, kept.trash_discarded, kept.packs_deleted),
        (2, 0, 0)
    );
    let (id, of) = &story.forgotten[0];
    let (trash, unreadable) = forget::list_trash(&repo).unwrap();
    assert_eq!((trash.len(), unreadable.len()), (2, 0));
    let back = forget::undelete(&repo, *id, &Quiet).unwrap();
    assert_ne!(back, *id);
    assert_eq!(repo.manifest(back).unwrap().original, Some(*id));
    let mut all = story.kept.clone();
    all.push((back, of.clone()));
    collect(&repo).unwrap();
    assert_sound(&repo, &all, "brought back");
    assert_eq!(forget::list_trash(&repo).unwrap().0, []);
    let gone = forget::undelete(&repo, *id, &Quiet);
    assert!(matches!(gone, Err(Error::NoSnapshot(_))));
}

#[test]
fn what_is_being_collected_is_not_brought_back() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    story.forget(&repo);
    let packs = repo.store.packs().unwrap();
    let plan = sweep::Plan {
        unneeded: packs.into_keys().collect(),
        ..sweep::Plan::default()
    };
    sweep::condemn(&repo.store, &plan).unwrap();
    let refused = forget::undelete(&repo, story.forgotten[0].0, &Quiet);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    collect(&repo).unwrap();
    assert_sound(&repo, &story.kept, "condemned by mistake, and moved out in time");
}

/// Somebody forgets a snapshot, and stops at each step for somebody else to bring it back: what came back stays.
#[test]
fn what_came_back_beside_an_unfinished_forgetting_stays() {
    let mut tried = 0;
    for stop in 0.. {
        let story = Story::new();
        let (id, files) = story.forgotten[0].clone();
        let reached = Arc::new(AtomicUsize::new(0));
        let back: Arc<Mutex<Option<SessionId>>> = Arc::default();
        let elsewhere = Machine::new("other");
        let other = open(&elsewhere, &story.remote);
        let hooked = Hooked::new(handle(&story.remote), {
            let (reached, back) = (reached.clone(), back.clone());
            move |_, _| {
                if reached.fetch_add(1, Relaxed) == stop {
                    match forget::undelete(&other, id, &Quiet) {
                        Ok(new) => *back.lock().unwrap() = Some(new),
                        Err(Error::NoSnapshot(_)) => {}
                        Err(e) => panic!("{e}"),
                    }
                }
            }
        });
        let repo = story.machine.open(Arc::new(hooked)).unwrap();
        let before = reached.load(Relaxed);
        match forget::apply(&repo, &[id]) {
            Ok(()) | Err(Error::Store(StoreError::Missing { .. })) => {}
            Err(e) => panic!("{e}"),
        }
        if reached.load(Relaxed) <= stop {
            break;
        }
        let new = *back.lock().unwrap();
        if let Some(new) = new {
            let repo = open(&story.machine, &story.remote);
            assert_eq!(read_back(&repo, new).unwrap(), files, "stopped at {stop}");
            tried += usize::from(stop >= before);
        }
    }
    assert!(tried >= 3, "{tried}");
}

#[test]
fn protected_snapshots_are_not_forgotten() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    let writer = foreign_writer(&repo);
    let mut manifest = put_all(&repo, &writer, 9, &files(0..3, 100)).unwrap();
    manifest.protected = true;
    let id = generation::publish(&writer, &manifest).unwrap();
    let refused = forget::apply(&repo, &[story.kept[0].0, id]);
    assert!(matches!(refused, Err(Error::Refused(_))));
    assert_eq!(forget::list_trash(&repo).unwrap().0, [], "none of them");
}

/// The writer relies on what the first generation stored; then that is forgotten.
#[test]
fn a_running_writer_keeps_what_it_found() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    let other = Machine::new("elsewhere");
    let theirs = open(&other, &story.remote);
    let writer = foreign_writer(&theirs);
    let (_, of) = &story.forgotten[0];
    let manifest = put_all(&theirs, &writer, 1, of).unwrap();
    story.forget(&repo);
    let waits = collect(&repo).unwrap();
    assert!(waits.pending, "{waits:?}");
    assert_eq!((waits.sessions_waited_for, waits.packs_deleted), (1, 0));
    let id = generation::publish(&writer, &manifest).unwrap();
    let mut all = story.kept.clone();
    all.push((id, of.clone()));
    assert_sound(&repo, &all, "condemned and readable");
    let done = collect(&repo).unwrap();
    assert!(!done.pending && done.packs_deleted > 0, "{done:?}");
    assert_sound(&repo, &all, "moved");
}

/// Only those sessions count that were there when the mark was made.
#[test]
fn a_collection_does_not_wait_for_later_sessions() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    let early = foreign_writer(&repo);
    story.forget(&repo);
    assert!(collect(&repo).unwrap().pending);
    let late = foreign_writer(&repo);
    drop(early);
    let done = collect(&repo).unwrap();
    assert!(done.packs_deleted > 0 && !done.pending, "{done:?}");
    let manifest = put_all(&repo, &late, 7, &story.forgotten[0].1).unwrap();
    let id = generation::publish(&late, &manifest).unwrap();
    let all = [&story.kept[..], &[(id, story.forgotten[0].1.clone())]].concat();
    assert_sound(&repo, &all, "the late one stored it anew");
}

/// Were it condemned, it would have to be stored again.
#[test]
fn what_a_running_writer_has_listed_is_left_alone() {
    let (remote, machine) = (repository(), Machine::new("here"));
    let repo = open(&machine, &remote);
    let first = (
        generation::generation(&repo, 1, &files(0..9, 5000)).unwrap(),
        files(0..9, 5000),
    );
    let theirs = open(&Machine::new("elsewhere"), &remote);
    let (writer, of) = (foreign_writer(&theirs), files(900..930, 5000));
    let manifest = put_all(&theirs, &writer, 1, &of).unwrap();
    writer.flush().unwrap();
    let done = collect(&repo).unwrap();
    assert!(done.packs_deleted == 0 && !done.pending, "{done:?}");
    writer.open_next_session().unwrap();
    let id = generation::publish(&writer, &manifest).unwrap();
    assert!(writer.is_covered().unwrap());
    assert_sound(&repo, &[first, (id, of)], "published");
}

/// A writer that was declared dead wakes up: it can't publish, and what it still writes misleads no one.
#[test]
fn a_fenced_writer_harms_nobody() {
    let story = Story::new();
    let repo = open(&story.machine, &story.remote);
    let other = Machine::new("elsewhere");
    let theirs = open(&other, &story.remote);
    let writer = foreign_writer(&theirs);
    let of = files(900..930, 5000);
    let manifest = put_all(&theirs, &writer, 1, &of).unwrap();
    let impatient = PruneOptions {
        stale_after: Duration::ZERO,
        ..options()
    };
    std::thread::sleep(Duration::from_millis(5));
    prune::run(&repo, &impatient, &Quiet).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    prune::run(&repo, &impatient, &Quiet).unwrap();
    let fenced = generation::publish(&writer, &manifest);
    assert!(
        matches!(fenced, Err(Error::Store(StoreError::Fenced))),
        "{fenced:?}"
    );
    drop(writer);
    // It has indexed its packs by now. They go, and a late writer's segment comes back to list them.
    let segments = contents(&story.remote).unwrap();
    let done = prune::run(&repo, &impatient, &Quiet).unwrap();
    assert!(done.packs_deleted > 0, "{done:?}");
    for (name, bytes) in segments.iter().filter(|(name, _)| name.kind() == Kind::Index) {
        story.remote.put(name, bytes).unwrap();
    }
    for machine in [&story.machine, &other, &Machine::new("third")] {
        let repo = open(machine, &story.remote);
        let id = generation::generation(&repo, 50, &of).unwrap();
        let all = [&story.kept[..], &story.forgotten[..], &[(id, of.clone())]].concat();
        assert_sound(&repo, &all, "stored anew");
    }
    let all = [&story.kept[..], &story.forgotten[..]].concat();
    collect(&repo).unwrap();
    assert_sound(&repo, &all, "collected");
}

#[test]
fn a_dead_writer_of_this_machine_is_fenced_at_once() {
    let story = Story::new();
    let faulty = Faulty::new(handle(&story.remote));
    let repo = open(&story.machine, &faulty);
    let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false).unwrap();
    put_all(&repo, &writer, 5, &files(500..540, 5000)).unwrap();
    writer.flush().unwrap();
    faulty.crash_at(0);
    drop(writer);
    faulty.restart();
    let repo = open(&story.machine, &faulty);
    assert_eq!(sweep::open_sessions(&repo.store).unwrap().len(), 1);
    let done = collect(&repo).unwrap();
    assert!(done.packs_deleted > 0 && !done.pending, "{done:?}");
    let all = [&story.kept[..], &story.forgotten[..]].concat();
    assert_sound(&repo, &all, "after");
}

#[test]
fn two_collectors_at_once() {
    for round in 0..6 {
        let story = Story::new();
        let machines = [&story.machine, &Machine::new("b"), &Machine::new("c")];
        story.forget(&open(&story.machine, &story.remote));
        std::thread::scope(|scope| {
            for machine in machines {
                let remote = story.remote.clone();
                scope.spawn(move || {
                    let repo = open(machine, &remote);
                    // Overtaken by the other, it may give up; it must not be wrong.
                    let _ = collect(&repo);
                });
            }
        });
        let repo = open(machines[round % 3], &story.remote);
        assert_sound(&repo, &story.kept, &format!("round {round}"));
        let impatient = PruneOptions {
            stale_after: Duration::ZERO,
            ..options()
        };
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(2));
            prune::run(&repo, &impatient, &Quiet).unwrap();
        }
        assert_sound(&repo, &story.kept, &format!("round {round}, finished"));
        assert_eq!(listed(&story.remote, Kind::Mark).unwrap(), []);
        let again = collect(&repo).unwrap();
        assert_eq!((again.packs_deleted, again.pending), (0, false), "{again:?}");
    }
}

/// Whatever a listing leaves out, nothing that a generation needs is deleted.
#[test]
fn many_small_generations_end_in_few_packs() {
    let (remote, machine) = (repository(), Machine::new("here"));
    let repo = open(&machine, &remote);
    let mut all = Vec::new();
    for number in 1..=40 {
        let of = files(number * 3..number * 3 + 3, 2000);
        all.push((generation::generation(&repo, number, &of).unwrap(), of));
    }
    assert!(listed(&remote, Kind::Pack).unwrap().len() >= 80);
    let done = collect(&repo).unwrap();
    assert!(done.bytes_moved > 0);
    assert!(listed(&remote, Kind::Pack).unwrap().len() <= 4, "{done:?}");
    assert!(listed(&remote, Kind::Index).unwrap().len() <= 4);
    assert_sound(&repo, &all, "merged");
    assert_eq!(collect(&repo).unwrap().bytes_moved, 0);
    assert_eq!(View::read(&repo.store).unwrap().condemned.len(), 0);
}

/// Random lives of a repository: several machines, backups, forgetting, collecting, writers that stall and die.
#[test]
fn random_lives() {
    for seed in 0..12u64 {
        let remote = repository();
        let machines: Vec<Machine> = (0..3).map(|n| Machine::new(&format!("m{n}"))).collect();
        let mut alive: Vec<(SessionId, Files)> = Vec::new();
        let mut stalled: Vec<(Writer, engine::manifest::Manifest, Files)> = Vec::new();
        let draws = noise(seed, 4 * 60);
        for (step, draw) in draws.chunks_exact(4).enumerate() {
            let repo = open(&machines[usize::from(draw[0]) % 3], &remote);
            let what = format!("seed {seed} step {step}");
            let from = u64::from(draw[2] % 8) * 4;
            let of = files(from..from + 8, 3000);
            match draw[1] % 8 {
                0..=2 => alive.push((generation::generation(&repo, step as u64 + 1, &of).unwrap(), of)),
                3 if !alive.is_empty() => {
                    let (id, _) = alive.remove(usize::from(draw[3]) % alive.len());
                    forget::apply(&repo, &[id]).unwrap();
                }
                4 if stalled.len() < 2 => {
                    let writer = foreign_writer(&repo);
                    let manifest = put_all(&repo, &writer, 0, &of).unwrap();
                    stalled.push((writer, manifest, of));
                }
                5 if !stalled.is_empty() => {
                    let (writer, manifest, of) = stalled.remove(0);
                    match generation::publish(&writer, &manifest) {
                        Ok(id) => alive.push((id, of)),
                        Err(Error::Store(StoreError::Fenced)) => {}
                        Err(e) => panic!("{what}: {e}"),
                    }
                }
                _ => {
                    let stale_after = match draw[3] % 4 {
                        0 => Duration::ZERO,
                        _ => Duration::from_secs(3600),
                    };
                    let impatient = PruneOptions {
                        stale_after,
                        ..options()
                    };
                    prune::run(&repo, &impatient, &Quiet).unwrap_or_else(|e| panic!("{what}: {e}"));
                }
            }
        }
        drop(stalled);
        let repo = open(&machines[0], &remote);
        collect(&repo).unwrap();
        assert_sound(&repo, &alive, &format!("seed {seed}"));
    }
}
