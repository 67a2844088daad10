//! The program itself, killed (SIGKILL) at random moments: every generation that it acknowledged comes back byte by
//! byte, and the next run works.

use kit::oracle::{self, Tree, assert_same};
use kit::program::{Home, objects};
use kit::random::{Random, seeds};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Generations kept; older ones are forgotten, so that there is garbage.
const KEPT: usize = 3;

struct Victim {
    home: Home,
    random: Random,
    /// What each acknowledged generation must hold.
    acknowledged: BTreeMap<String, Tree>,
    order: VecDeque<String>,
    /// How long the last run of each command took that was not killed.
    took: BTreeMap<&'static str, Duration>,
    died: u64,
}

impl Victim {
    fn new(seed: u64) -> Self {
        let home = Home::within(env!("CARGO_BIN_EXE_dedup-under-test"), "/dev/shm");
        home.init();
        fs::create_dir(home.path("source")).unwrap();
        let mut victim = Victim {
            home,
            random: Random::new(seed),
            acknowledged: BTreeMap::new(),
            order: VecDeque::new(),
            took: BTreeMap::new(),
            died: 0,
        };
        victim.change(30);
        victim
    }

    fn change(&mut self, files: usize) {
        for _ in 0..files {
            let name = format!("source/f{}", self.random.below(40));
            let mut bytes = vec![0; self.random.below(60_000) as usize];
            self.random.fill(&mut bytes);
            self.home.write(&name, bytes);
        }
    }

    /// Runs a command; killed at a random moment of what it takes, if `mercy` is not given. What it printed.
    fn run(&mut self, command: &'static str, args: &[&str], mercy: bool) -> Option<String> {
        let started = Instant::now();
        let mut child = self
            .home
            .command(&[&[command, "--json"], args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if !mercy {
            let most = self
                .took
                .get(command)
                .copied()
                .unwrap_or(Duration::from_millis(60));
            let wait = self.random.below(most.as_micros() as u64 * 11 / 10);
            std::thread::sleep(Duration::from_micros(wait));
            // It may be over.
            let _ = child.kill();
        }
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        match status.code() {
            Some(0) => {
                self.took.insert(command, started.elapsed());
                Some(out)
            }
            Some(code) => panic!("{command} {args:?} ended with {code}: {err}"),
            None => {
                self.died += 1;
                Some(out).filter(|out| out.ends_with('\n'))
            }
        }
    }

    /// A generation counts from when the program has reported it.
    fn backup(&mut self, mercy: bool) {
        let source = self.home.path("source");
        let tree = oracle::walk(&source);
        let Some(out) = self.run("backup", &[source.to_str().unwrap()], mercy) else {
            return;
        };
        let said = objects(&out);
        let id = said.iter().find_map(|line| line["snapshot_id"].as_str());
        if let Some(id) = id {
            self.acknowledged.insert(id.to_string(), tree);
            self.order.push_back(id.to_string());
        } else {
            assert!(!mercy, "{out}");
        }
    }

    fn forget(&mut self, mercy: bool) {
        if self.order.len() > KEPT {
            let id = self.order.pop_front().unwrap();
            // From when it was asked for, it may be gone.
            self.acknowledged.remove(&id);
            self.run("forget", &[&id, "--yes"], mercy);
        }
    }

    fn prune(&mut self, mercy: bool) {
        let all = ["--gc-only", "--keep-trash", "0s", "--max-unused", "0", "--yes"];
        self.run("prune", &all, mercy);
    }

    fn key(&mut self, mercy: bool) {
        let before = self.home.objects("keys").len();
        if before < 8 {
            let file = self.home.text(&format!("key{}", self.random.next()));
            self.run("key", &["add", "--new-key-file", &file], mercy);
        }
    }

    fn verify(&self, what: &str) {
        let source = self.home.text("source");
        for (id, tree) in &self.acknowledged {
            let target = self.home.text("restored");
            let from = format!("{id}:{source}");
            let run = self.home.run(&["restore", &from, "--target", &target, "--quiet"]);
            assert_eq!(run.code, 0, "{what}: {id}: {}", run.err);
            let mut found = oracle::walk(Path::new(&target));
            let mut tree = tree.clone();
            // The target is the user's.
            found.remove(&b""[..]);
            tree.remove(&b""[..]);
            assert_same(&tree, &found, &format!("{what}: {id}"));
            fs::remove_dir_all(&target).unwrap();
        }
    }

    fn round(&mut self, number: u64) {
        self.change(4);
        let what = match self.random.below(8) {
            0..=3 => {
                self.backup(false);
                "backup"
            }
            4 => {
                self.forget(false);
                "forget"
            }
            5 | 6 => {
                self.prune(false);
                "prune"
            }
            _ => {
                self.key(false);
                "key"
            }
        };
        let context = format!("round {number}: {what} killed");
        self.verify(&context);
        match what {
            "prune" => self.prune(true),
            _ => self.backup(true),
        }
        self.forget(true);
        if number.is_multiple_of(20) {
            let check = self.home.run(&["check", "--read-data"]);
            assert_eq!(check.code, 0, "{context}: {}{}", check.out, check.err);
            self.verify(&format!("{context}, and all went on"));
        }
    }
}

#[test]
fn every_acknowledged_generation_survives() {
    let rounds = seeds(200);
    let (seed, count) = (rounds.start, rounds.end - rounds.start);
    println!("kills: {count} cases, seeds {seed} to {seed}");
    let mut victim = Victim::new(rounds.start);
    victim.backup(true);
    victim.prune(true);
    for number in 1..=rounds.end - rounds.start {
        victim.round(number);
    }
    println!("{} of {count} died before their end", victim.died);
    assert!(victim.died > count / 4);
}
