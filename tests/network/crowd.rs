//! Many machines and one repository, with no lock and no server of ours: processes back up into one bucket while
//! another prunes it again and again.

use kit::oracle::{self, Tree, assert_same};
use kit::program::{Home, number, string};
use kit::random::Random;
use kit::servers::Seaweed;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const MACHINES: usize = 8;
const BACKUPS: usize = 4;
/// Of each machine; what is older is forgotten and collected in the meantime.
const KEPT: usize = 2;

struct Machine {
    home: Home,
    url: String,
    name: String,
}

impl Machine {
    fn new(number: usize, url: &str, key: &Path) -> Machine {
        let home = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
        std::fs::copy(key, home.path("key")).unwrap();
        Machine {
            home,
            url: url.to_string(),
            name: format!("machine{number}"),
        }
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> kit::program::Run {
        let key = self.home.text("key");
        let vars = [("DEDUP_HOST", self.name.as_str())];
        let run = self
            .home
            .run_with(&vars, &[&["-r", &self.url, "--key-file", &key], args].concat());
        run.ends(0)
    }

    fn backup(&self) -> serde_json::Value {
        self.ok(&["backup", "--json", &self.home.text("source")])
            .summary()
    }

    /// A source that all machines have, and something of its own.
    fn fill(&self) {
        let mut large = vec![0; 6_000_000];
        Random::new(1).fill(&mut large);
        self.home.write("source/shared/large", large);
        for n in 0..300 {
            let mut small = vec![0; 2000 + 10 * n as usize];
            Random::new(1000 + n).fill(&mut small);
            self.home.write(&format!("source/shared/small/{n}"), small);
        }
    }

    fn change(&self, random: &mut Random) {
        for _ in 0..5 {
            let mut own = vec![0; random.below(300_000) as usize];
            random.fill(&mut own);
            self.home.write(&format!("source/own/{}", random.below(8)), own);
        }
    }
}

/// What one machine made, newest last.
type Made = Vec<(String, Tree)>;

#[test]
fn eight_machines_and_a_prune_in_a_loop() {
    let Some(server) = Seaweed::start("eight_machines_and_a_prune_in_a_loop") else {
        return;
    };
    let url = server.url();
    let keeper = Home::new(env!("CARGO_BIN_EXE_dedup-under-test"));
    let key = keeper.text("key");
    let with = ["-r", &url, "--key-file", &key];
    keeper.ok(&[&with[..], &["init", "--no-recovery"]].concat());
    let machines: Vec<Machine> = (0..MACHINES)
        .map(|number| Machine::new(number, &url, Path::new(&key)))
        .collect();
    machines.iter().for_each(Machine::fill);

    // What another machine stored is not stored again: pieces of large files, and small files.
    let first = machines[0].backup();
    assert!(number(&first, "data_added_packed") > 7_000_000, "{first}");
    let second = machines[1].backup();
    assert!(number(&second, "data_added_packed") < 60_000, "{second}");

    let done = AtomicBool::new(false);
    let made: Vec<Made> = std::thread::scope(|scope| {
        let lives: Vec<_> = machines
            .iter()
            .enumerate()
            .map(|(number, machine)| scope.spawn(move || live(machine, number as u64)))
            .collect();
        let pruning = scope.spawn(|| {
            let mut prunes = 0;
            let keep = KEPT.to_string();
            let args = [
                "prune",
                "--keep-last",
                &keep,
                "--group-by",
                "host",
                "--keep-trash",
                "0s",
                "--max-unused",
                "0",
                "--yes",
            ];
            // Each waits for the sessions that it found: on a busy machine the first may take as long as all of them.
            while !done.load(Relaxed) || prunes < 2 {
                keeper.ok(&[&with[..], &args].concat());
                prunes += 1;
            }
        });
        let lived: Vec<_> = lives.into_iter().map(|life| life.join()).collect();
        done.store(true, Relaxed);
        pruning.join().unwrap();
        lived.into_iter().map(Result::unwrap).collect()
    });

    let rows = keeper
        .ok(&[&with[..], &["snapshots", "--json"]].concat())
        .objects();
    let listed: Vec<String> = rows.iter().map(|row| string(row, "id")).collect();
    keeper.ok(&[&with[..], &["check", "--read-data"]].concat());
    std::thread::scope(|scope| {
        for (machine, made) in machines.iter().zip(&made) {
            for (id, tree) in &made[made.len() - KEPT..] {
                assert!(listed.contains(id), "{}: {id}", machine.name);
                scope.spawn(move || {
                    let target = machine.home.text(&format!("target-{id}"));
                    machine.ok(&["restore", id, "--target", &target]);
                    let source = machine.home.text("source");
                    let restored = Path::new(&target).join(source.trim_start_matches('/'));
                    assert_same(tree, &oracle::walk(&restored), id);
                });
            }
        }
    });
}

fn live(machine: &Machine, seed: u64) -> Made {
    let mut random = Random::new(seed);
    let mut made = Vec::new();
    for _ in 0..BACKUPS {
        machine.change(&mut random);
        let tree = oracle::walk(&machine.home.path("source"));
        made.push((string(&machine.backup(), "snapshot_id"), tree));
    }
    made
}
