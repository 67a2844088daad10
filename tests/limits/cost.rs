//! What few descriptors cost.

use super::FEW_FILES;
use kit::program::Home;
use std::fs;
use std::time::Instant;

const ROUNDS: usize = 5;

/// Prints how much longer runs take with few descriptors than with as many as the system gives: the shortest of some
/// each. `cargo test --release -p dedup-tests --test all -- --ignored --nocapture what_few_descriptors_cost`, on a quiet
/// machine.
#[test]
#[ignore = "measures; takes some minutes"]
fn what_few_descriptors_cost() {
    // In memory: a disk takes longer each time for reasons of its own.
    let home = Home::within(env!("CARGO_BIN_EXE_dedup-under-test"), "/dev/shm");
    for n in 0..100_000 {
        home.write(&format!("source/{}/d{n}/f", n / 1000), n.to_string());
    }
    let seconds = |limits: &str, args: &[&str]| {
        let started = Instant::now();
        home.run_limited(limits, args).ends(0);
        started.elapsed().as_secs_f64()
    };
    let compare = |name: &str, args: &[&str], before: &dyn Fn()| {
        let mut shortest = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            // One after the other, so that a busy moment affects both.
            for (limits, shortest) in [FEW_FILES, "-Sn 1024"].iter().zip(&mut shortest) {
                before();
                *shortest = shortest.min(seconds(limits, args));
            }
        }
        let [few, many] = shortest;
        println!(
            "{name}: {few:.2} s with 256 descriptors, {many:.2} s without, {:.2} x",
            few / many
        );
    };
    let remove = |names: &[&str]| {
        for name in names {
            let _none = fs::remove_dir_all(home.path(name));
        }
    };
    compare("first backup", &["backup", "source"], &|| {
        remove(&[".local", ".cache"]);
        home.init();
    });
    compare("backup, all read", &["backup", "source", "--force"], &|| {});
    compare("backup, unchanged", &["backup", "source"], &|| {});
    compare("restore", &["restore", "--target", "out"], &|| remove(&["out"]));
    compare("restore over it", &["restore", "--target", "out"], &|| {});
    compare("check", &["check", "--read-data"], &|| remove(&[".cache"]));
    let prune = [
        "prune",
        "--keep-last=1",
        "--keep-trash=0s",
        "--max-unused=0",
        "--yes",
    ];
    compare("prune", &prune, &|| {
        home.ok(&["backup", "source", "--force"]);
    });
}
