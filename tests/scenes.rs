//! Scenes for two or three, in which one step at the wrong moment would lose data: a backup of what a collection is
//! about to remove, and two collections that each hold another copy of a chunk for the one to go. They take turns only
//! right before the acts that matter, in an order that a seed determines; so a few hundred seeds come to most orders.
//!
//! With all rules of the protocol nothing is lost (I-1, I-4, I-5, I-7, I-8). With any one of them left out something must
//! be, or the rule is not tested.

use crate::schedules::{Leaves, key, missing};
use chunkstore::remote::{Kind, Memory};
use chunkstore::session::View;
use chunkstore::simulation::{self, Rule};
use chunkstore::sweep::{Policy, Unused};
use chunkstore::{Error as StoreError, PackId, SessionId, pack};
use engine::error::{Error, Result};
use engine::monitor::Quiet;
use engine::prune::{self, PruneOptions};
use engine::repo::Repo;
use engine::{forget, repair};
use kit::generation::{self, Files};
use kit::machine::Machine;
use kit::random::{Random, first_failure, seeds};
use kit::remotes::{Act, Stage, Turns};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NEVER: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plot {
    /// A generation was forgotten; a collection removes it while its machine backs up the same files again.
    Return,
    /// Two machines stored the same chunks at once; a collection keeps one copy, and a repair takes just that for
    /// damaged.
    Copies,
    /// Two files were stored in one bundle, and one of them was forgotten; a collection moves the other while its machine
    /// backs up both again.
    Moved,
}

impl Plot {
    /// The plot in which the rule matters.
    fn of(rule: Rule) -> Plot {
        match rule {
            Rule::Session
            | Rule::SessionFirst
            | Rule::MarksFirst
            | Rule::NoTrust
            | Rule::Fence
            | Rule::Wait
            | Rule::MarkLast
            | Rule::FreshNames => Plot::Return,
            Rule::PacksLast | Rule::OthersMarks => Plot::Copies,
            Rule::EachFile => Plot::Moved,
        }
    }

    /// The acts that turns are taken at.
    fn points(self) -> &'static [Act] {
        match self {
            Plot::Return | Plot::Moved => &[
                Act::Put(Kind::Session),
                Act::List(Kind::Mark),
                Act::List(Kind::Index),
                Act::List(Kind::Pack),
                Act::Put(Kind::Snapshot),
                Act::Put(Kind::Mark),
                Act::List(Kind::Session),
                Act::Delete(Kind::Index),
                Act::Delete(Kind::Pack),
                Act::Delete(Kind::Mark),
            ],
            Plot::Copies => &[
                Act::Put(Kind::Mark),
                Act::List(Kind::Mark),
                Act::Delete(Kind::Index),
            ],
        }
    }
}

/// One seed's scene, set and ready.
struct Scene {
    plot: Plot,
    seed: u64,
    without: Option<Rule>,
    memory: Memory,
    machines: [Machine; 2],
    points: Vec<Act>,
    alive: Mutex<BTreeMap<SessionId, Files>>,
    wrong: Mutex<Vec<String>>,
}

impl Scene {
    fn set(plot: Plot, seed: u64, without: Option<Rule>) -> Scene {
        simulation::seed(Some(key(seed, 99)));
        let mut random = Random::new(seed);
        let points = plot.points().iter().copied();
        // The fewer there are the more of their orders come up: of many, each seed has some.
        let share = if points.len() > 3 { 60 } else { 100 };
        let scene = Scene {
            plot,
            seed,
            without,
            memory: generation::repository(),
            machines: [Machine::quick("one"), Machine::quick("two")],
            points: points.filter(|_| random.chance(share)).collect(),
            alive: Mutex::default(),
            wrong: Mutex::default(),
        };
        match plot {
            Plot::Return => scene.forget_one(),
            Plot::Copies => scene.store_twice(),
            Plot::Moved => scene.forget_half(),
        }
        .unwrap();
        simulation::seed(None);
        scene
    }

    fn files(from: u64) -> Files {
        generation::files(from..from + 2, 1200)
    }

    fn quietly(&self, machine: usize) -> Repo {
        self.machines[machine]
            .open(Arc::new(self.memory.clone()))
            .unwrap()
    }

    fn holds(&self, id: SessionId, files: Files) {
        self.alive.lock().unwrap().insert(id, files);
    }

    /// The second machine has a generation that is in the trash, and one that stays.
    fn forget_one(&self) -> Result<()> {
        let repo = self.quietly(1);
        let doomed = generation::generation(&repo, 1, &Scene::files(0))?;
        let stays = generation::generation(&repo, 2, &Scene::files(10))?;
        self.holds(stays, Scene::files(10));
        forget::apply(&repo, &[doomed])
    }

    fn small(names: &[&str]) -> Files {
        let content = |name: &str| kit::generation::noise(name.as_bytes()[0].into(), 300);
        names
            .iter()
            .map(|name| (name.to_string(), content(name)))
            .collect()
    }

    /// The second machine has a generation of two small files in the trash, and one of the first of them that stays.
    fn forget_half(&self) -> Result<()> {
        let repo = self.quietly(1);
        let both = Scene::small(&["a", "b"]);
        let doomed = generation::bundled(&repo, 1, &both, &Files::new())?;
        let stays = generation::bundled(&repo, 2, &Scene::small(&["a"]), &both)?;
        self.holds(stays, Scene::small(&["a"]));
        forget::apply(&repo, &[doomed])
    }

    /// Two generations that share nothing, of the same contents under different names: a collection that reads the trees
    /// again sees nothing wrong.
    fn store_twice(&self) -> Result<()> {
        let files = Scene::files(0);
        let moved = files
            .iter()
            .map(|(path, bytes)| (format!("{path}-moved"), bytes.clone()));
        let files = [files.clone(), moved.collect()];
        let repo = self.quietly(1);
        let writers = [
            generation::foreign_writer(&repo),
            generation::foreign_writer(&repo),
        ];
        let manifests = [
            generation::put_all(&repo, &writers[0], 1, &files[0])?,
            generation::put_all(&repo, &writers[1], 2, &files[1])?,
        ];
        for ((writer, manifest), files) in writers.iter().zip(&manifests).zip(&files).rev() {
            let id = generation::publish(writer, manifest)?;
            let store = self.quietly(0).store;
            let view = View::read(&store)?;
            store.index_of(&view, &store.packs()?, &mut |_, _| {})?;
            self.holds(id, files.clone());
        }
        Ok(())
    }

    fn play(&self) {
        let stage = &match self.plot {
            Plot::Return | Plot::Moved => Stage::new(self.seed, 2),
            Plot::Copies => Stage::fair(self.seed, 2),
        };
        std::thread::scope(|scope| {
            for actor in 0..2 {
                scope.spawn(move || {
                    simulation::seed(Some(key(self.seed, actor as u64)));
                    simulation::leave_out(self.without);
                    let _leaves = Leaves(stage, actor);
                    let remote = Turns::new(self.memory.clone(), stage.clone(), actor).at(&self.points);
                    let repo = self.machines[actor].open(Arc::new(remote)).unwrap();
                    stage.turn(actor);
                    let random = Random::new(self.seed * 10 + actor as u64);
                    match (self.plot, actor) {
                        (Plot::Return | Plot::Moved, 1) => self.write(&repo),
                        (Plot::Copies, 1) => {
                            self.take_for_hurt(&repo);
                            self.collect(&repo, random);
                        }
                        _ => self.collect(&repo, random),
                    }
                });
            }
        });
    }

    fn write(&self, repo: &Repo) {
        let (files, written) = match self.plot {
            Plot::Moved => {
                let both = Scene::small(&["a", "b"]);
                (both.clone(), generation::bundled(repo, 3, &both, &both))
            }
            Plot::Return | Plot::Copies => {
                let files = Scene::files(0);
                (files.clone(), generation::successor(repo, 3, &files, &files))
            }
        };
        match written {
            Ok(id) => self.holds(id, files),
            Err(e) => self.failed("backup", &e),
        }
    }

    /// Condemns the copy that every collection keeps, after a look whether there is another.
    fn take_for_hurt(&self, repo: &Repo) {
        let mut packs: Vec<PackId> = repo.store.packs().unwrap().into_keys().collect();
        packs.sort_unstable();
        let list = |id: &PackId| pack::read_list(&self.memory, repo.store.keys(), *id);
        let first = packs
            .iter()
            .find(|id| list(id).is_ok_and(|list| !list.class.is_tree()));
        let options = repair::RepairOptions { dry_run: false };
        let hurt: Vec<String> = first.iter().map(|id| id.to_hex()).collect();
        if let Err(e) = repair::packs(repo, &hurt, &options, &Quiet) {
            self.failed("repair", &e);
        }
    }

    fn collect(&self, repo: &Repo, mut random: Random) {
        let policy = Policy {
            max_unused: Unused::Bytes(0),
            max_repack: u64::MAX,
        };
        let mut options = PruneOptions::new(policy);
        options.keep_trash = 0;
        // Two collections wait for each other, unless each takes the other for dead.
        options.stale_after = match self.plot != Plot::Copies && random.chance(50) {
            true => NEVER,
            false => Duration::ZERO,
        };
        for _ in 0..1 + random.below(2) {
            match prune::run(repo, &options, &Quiet) {
                Ok(_) => {}
                Err(e) => self.failed("prune", &e),
            }
        }
    }

    /// What another's work may do to this one's: end it, so that it must be begun again. Nothing else.
    fn failed(&self, what: &str, error: &Error) {
        match error {
            Error::ViewChanged
            | Error::Refused(_)
            | Error::Store(StoreError::Fenced | StoreError::Refused(_)) => {}
            e => self.wrong.lock().unwrap().push(format!("{what}: {e:?}")),
        }
    }

    /// What was lost; and, with all rules, what else was wrong.
    fn judge(&self) -> Vec<String> {
        let mut lost = missing(&self.memory, &self.alive.lock().unwrap());
        if self.without.is_none() {
            lost.append(&mut self.wrong.lock().unwrap());
        }
        lost
    }
}

fn first_loss(plot: Plot, seeds: std::ops::Range<u64>, without: Option<Rule>) -> Option<(u64, Vec<String>)> {
    first_failure(seeds, |seed| {
        let scene = Scene::set(plot, seed, without);
        scene.play();
        scene.judge()
    })
}

#[test]
fn nothing_is_lost_at_any_turn() {
    for plot in [Plot::Return, Plot::Copies, Plot::Moved] {
        let range = seeds(2000);
        let (first, count) = (range.start, range.end - range.start);
        let lost = first_loss(plot, range, None);
        println!(
            "scenes: {count} cases, seeds {first} to {}, {plot:?}",
            first + count - 1
        );
        assert!(lost.is_none(), "{plot:?}: {lost:?}");
    }
}

/// Each rule of the protocol carries its weight, which is seen within these seeds.
#[test]
fn what_a_rule_prevents_happens_without_it() {
    let mut unneeded = Vec::new();
    // What needs another replica is tried in `names`.
    for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::FreshNames) {
        match first_loss(Plot::of(rule), 1..2001, Some(rule)) {
            Some((seed, lost)) => println!("without {rule:?}: lost at seed {seed}: {}", lost[0]),
            None => unneeded.push(rule),
        }
    }
    assert!(unneeded.is_empty(), "{unneeded:?}");
}
