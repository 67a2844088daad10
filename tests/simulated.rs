//! Every job on simulated storage: the process ends before, within or after each change, with and without the power
//! going, once and again while finishing; and every operation suffers every fault of the matrix. Afterwards every
//! acknowledged generation is whole, read without the machine's own files, and the job can be done.
//!
//! A case is named by its seed, its job, and where it was broken; these give the same case again.

use chunkstore::simulation::{self, Left, LocalEnd};
use kit::random::{Random, campaign};
use kit::remotes::{StorageFault, When};
use kit::world::{Job, World, reseed};

const CRASHES: u64 = 10_000;
const FAULTS: u64 = 7200;
const LOCAL: u64 = 500;

/// Ends the job at each of its changes, each way. Returns how many crashes there were.
fn crash_everywhere(job: Job, seed: u64) -> u64 {
    let context = format!("{job:?}, seed {seed}");
    reseed(&context);
    let world = World::before(job, seed);
    let mut crashes = 0u64;
    for at in 0.. {
        let before = crashes;
        for (way, (when, power)) in When::WITH_POWER.into_iter().enumerate() {
            let context = format!("{context}, {when:?} change {at}, power cut {power}");
            reseed(&context);
            let mut fork = world.fork(at * 10 + way as u64);
            crashes += u64::from(broken_once(&mut fork, job, at, when, power, &context));
            let mut random = Random::new(seed ^ (at << 8) ^ way as u64);
            if random.chance(30) {
                let again = format!("{context}, and again");
                let (at, (when, power)) = (random.below(12), When::WITH_POWER[random.below(6) as usize]);
                crashes += u64::from(broken_once(&mut fork, job, at, when, power, &again));
            }
            if random.chance(20) {
                fork.machine.lose_cache();
            }
            let done = fork.run(job);
            done.unwrap_or_else(|e| panic!("{context}: run again: {e:?}"));
            fork.verify(&format!("{context}, run again"), random.chance(5));
        }
        if crashes == before {
            return crashes;
        }
    }
    crashes
}

/// Whether the job came to the change at which it was to end.
fn broken_once(world: &mut World, job: Job, at: u64, when: When, power: bool, context: &str) -> bool {
    world.storage.crash(at, when);
    let result = world.run(job);
    let crashed = world.storage.crashed();
    assert!(crashed || result.is_ok(), "{context}: {result:?}");
    if power {
        world.storage.lose_power();
    }
    world.storage.restart();
    world.verify(context, false);
    crashed
}

/// Lets each operation of the job suffer each fault. Returns how many there were that meant something.
fn fail_everywhere(job: Job, seed: u64) -> u64 {
    let context = format!("{job:?}, seed {seed}");
    reseed(&context);
    let world = World::before(job, seed);
    let mut rehearsal = world.fork(0);
    rehearsal.run(job).unwrap();
    let mut struck = 0u64;
    for at in 0..rehearsal.storage.operations() {
        for (number, fault) in StorageFault::ALL.into_iter().enumerate() {
            let context = format!("{context}, {fault:?} at operation {at}");
            reseed(&context);
            let mut fork = world.fork(at * 100 + number as u64);
            fork.storage.fail(at, fault);
            let result = fork.run(job);
            if !fork.storage.struck() {
                continue;
            }
            struck += 1;
            fork.storage.restart();
            fork.verify(&format!("{context}: {result:?}"), false);
            if result.is_err() {
                let done = fork.run(job);
                done.unwrap_or_else(|e| panic!("{context}: run again: {e:?}"));
                fork.verify(&format!("{context}, run again"), struck.is_multiple_of(40));
            }
        }
    }
    struck
}

/// Ends the job in each of its writes of local files, leaving them in each way. Returns how many crashes there were.
fn crash_in_local_files(job: Job, seed: u64) -> u64 {
    let context = format!("{job:?}, seed {seed}");
    reseed(&context);
    let world = World::before(job, seed);
    let mut crashes = 0;
    for at in 0.. {
        let before = crashes;
        for left in [Left::Nothing, Left::Temporary, Left::Torn, Left::All] {
            let context = format!("{context}, local write {at}, left {left:?}");
            reseed(&context);
            let mut fork = world.fork(at);
            let end = LocalEnd::new(at, left);
            fork.storage.crash_with(end.clone());
            simulation::end_in_local(Some(end.clone()));
            let result = fork.run(job);
            simulation::end_in_local(None);
            assert!(end.ended() || result.is_ok(), "{context}: {result:?}");
            fork.storage.restart();
            crashes += u64::from(end.ended());
            fork.verify(&context, false);
            let done = fork.run(job);
            done.unwrap_or_else(|e| panic!("{context}: run again: {e:?}"));
            fork.verify(&format!("{context}, run again"), false);
        }
        if crashes == before {
            return crashes;
        }
    }
    crashes
}

#[test]
fn a_crash_at_every_change_of_every_job() {
    campaign("crashes", CRASHES, &Job::ALL, crash_everywhere);
}

#[test]
fn a_crash_in_every_local_file_of_every_job() {
    campaign("local", LOCAL, &Job::ALL, crash_in_local_files);
}

#[test]
fn every_fault_at_every_operation_of_every_job() {
    campaign("faults", FAULTS, &Job::ALL, fail_everywhere);
}

/// A copy of a machine has its index, and what one of the copies adds to it no other has.
#[test]
fn a_copied_machine_has_the_index_of_the_first() {
    reseed("a copied machine");
    let world = World::before(Job::Backup, 5);
    let operations = |lose: bool| {
        let mut fork = world.fork(1);
        if lose {
            fork.machine.lose_cache();
        }
        reseed("a copied machine's backup");
        fork.run(Job::Backup).unwrap();
        fork.verify("copied", true);
        fork.storage.operations()
    };
    let with_index = operations(false);
    assert_eq!(operations(false), with_index);
    assert!(operations(true) > with_index, "{with_index}");
    simulation::seed(None);
}

/// The same case is the same storage in the end. Unless another test starts a process right then, which holds our locks
/// for a moment, and makes a session that is over look alive: then the case gets a second try.
#[test]
fn a_case_can_be_had_again() {
    let ends = |job: Job| {
        let context = format!("{job:?} again");
        reseed(&context);
        let mut world = World::before(job, 5);
        world.storage.crash(7, When::After);
        let _crashed = world.run(job);
        world.storage.lose_power();
        world.storage.restart();
        simulation::seed(None);
        kit::remotes::contents(&world.storage).unwrap()
    };
    for job in Job::ALL {
        assert!((0..3).any(|_| ends(job) == ends(job)), "{job:?}");
    }
}
