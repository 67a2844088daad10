//! A life of a repository on storage that fails: each two bytes are a job and where it is broken. After each the
//! oracle must find every acknowledged generation whole, and in the end every job can be done.
#![no_main]
use kit::remotes::{StorageFault, When};
use kit::world::{Job, World, reseed};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    reseed("operations");
    let mut world = World::new(1);
    for step in bytes.chunks_exact(2).take(12) {
        let job = Job::ALL[usize::from(step[0]) % Job::ALL.len()];
        let at = u64::from(step[1] & 0x3f);
        match step[1] >> 6 {
            0 => {}
            1 => world.storage.crash(at, When::Within),
            2 => world.storage.crash(at, When::After),
            _ => {
                let fault = usize::from(step[0] >> 4) % StorageFault::ALL.len();
                world.storage.fail(at, StorageFault::ALL[fault]);
            }
        }
        // It may fail, and must not lie.
        let result = world.run(job);
        if step[1] >> 6 == 2 {
            world.storage.lose_power();
        }
        world.storage.restart();
        world.verify(&format!("{job:?}: {result:?}"), false);
    }
    for job in [Job::Init, Job::Backup, Job::Repack] {
        world.run(job).expect("nothing is in the way");
    }
    world.verify("in the end", false);
});
