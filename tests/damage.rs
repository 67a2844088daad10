//! Damage of every kind of object is found, named, and traced to the paths it affects.

mod unread;

use chunkstore::pack::Class;
use chunkstore::remote::{Kind, Memory, ObjectName, Remote};
use chunkstore::sweep;
use chunkstore::{PackId, SessionId};
use engine::check::{self, CheckOptions, CheckReport, ReadData};
use engine::forget;
use engine::monitor::Quiet;
use engine::repo::Repo;
use kit::generation::{self, Files, files, foreign_writer, read_back, read_some, repository};
use kit::machine::Machine;
use kit::remotes::contents;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) struct Scene {
    pub remote: Memory,
    pub repo: Repo,
    pub objects: Vec<(ObjectName, Vec<u8>)>,
    pub generations: Vec<SessionId>,
    machine: Machine,
}

impl Scene {
    /// Four generations, one of them in the trash, a running writer, and a mark.
    pub fn new() -> Scene {
        let (remote, machine) = (repository(), Machine::new("here"));
        let repo = machine.open(Arc::new(remote.clone())).unwrap();
        let mut generations = Vec::new();
        for number in 1..=4u64 {
            let mut of: Files = files(number * 5..number * 5 + 10, 4000);
            of.extend(files(number * 2..number * 2 + 4, 40_000));
            of.extend(files(500 + number..505 + number, 200));
            generations.push(generation::generation(&repo, number, &of).unwrap());
        }
        forget::apply(&repo, &[generations.remove(3)]).unwrap();
        // Dropping it would end its session.
        std::mem::forget(foreign_writer(&repo));
        let plan = sweep::Plan {
            unneeded: [PackId([1; 32])].into(),
            ..sweep::Plan::default()
        };
        sweep::condemn(&repo.store, &plan).unwrap();
        let objects = contents(&remote).unwrap();
        Scene {
            remote,
            repo,
            objects,
            generations,
            machine,
        }
    }

    /// Opens the repository anew, as another run does: an open one remembers which segments it found damaged.
    pub fn reopen(&mut self) {
        self.repo = self.machine.open(Arc::new(self.remote.clone())).unwrap();
    }

    pub fn check(&self, read_data: ReadData) -> CheckReport {
        check::run(&self.repo, &CheckOptions { read_data }, &Quiet).unwrap()
    }

    /// Checks with an object replaced or removed, and puts it back.
    fn with(&self, name: &ObjectName, bytes: Option<&[u8]>, read_data: ReadData) -> CheckReport {
        self.put(name, bytes);
        let report = self.check(read_data);
        let whole = &self.objects.iter().find(|(other, _)| other == name).unwrap().1;
        self.put(name, Some(whole));
        report
    }

    pub fn put(&self, name: &ObjectName, bytes: Option<&[u8]>) {
        self.remote.delete(name).unwrap();
        if let Some(bytes) = bytes {
            self.remote.put(name, bytes).unwrap();
        }
    }
}

fn names(report: &CheckReport, name: &ObjectName) -> bool {
    report.num_errors > 0 && report.broken_objects.contains(&name.to_string())
}

#[test]
fn a_sound_repository_is_found_so() {
    let scene = Scene::new();
    let report = scene.check(ReadData::All);
    assert_eq!((report.num_errors, report.num_warnings), (0, 0), "{report:?}");
    assert_eq!((report.snapshots, report.trash), (3, 1));
    assert_eq!(report.packs_read, report.packs);
    assert_eq!(report.bytes_read, report.packs_size);
    assert!(report.tree_chunks > 8 && report.chunks > report.tree_chunks);
    assert_eq!(
        contents(&scene.remote).unwrap(),
        scene.objects,
        "and is not changed"
    );
}

#[test]
fn any_flipped_bit_is_found_and_named() {
    let scene = Scene::new();
    for (name, bytes) in &scene.objects {
        let tries = if name.kind() == Kind::Pack { 30 } else { 12 };
        let last = bytes.len() - 1;
        let mut offsets: Vec<usize> = (0..tries).map(|i| i * last / (tries - 1)).collect();
        offsets.extend([5, 8, 9, 20, 30].iter().filter(|at| **at < last));
        for at in offsets {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            let report = scene.with(name, Some(&flipped), ReadData::All);
            assert!(names(&report, name), "{name} at {at}: {report:?}");
        }
    }
}

#[test]
fn truncated_objects_are_found_without_reading_data() {
    let scene = Scene::new();
    for (name, bytes) in &scene.objects {
        for len in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let report = scene.with(name, Some(&bytes[..len]), ReadData::None);
            assert!(names(&report, name), "{name} of {len}: {report:?}");
            let report = scene.with(name, Some(&bytes[..len]), ReadData::All);
            assert!(names(&report, name), "{name} of {len}: {report:?}");
        }
    }
}

#[test]
fn missing_objects_are_found() {
    let scene = Scene::new();
    let mut hurt = 0;
    for (name, _) in &scene.objects {
        let report = scene.with(name, None, ReadData::None);
        match name.kind() {
            Kind::Config | Kind::Pack => assert!(names(&report, name), "{name}: {report:?}"),
            Kind::Index => {
                assert!(report.broken_objects.contains(&"index".to_string()), "{report:?}");
                assert!(report.packs_unlisted > 0, "{report:?}");
                // One segment is of the trash alone.
                hurt += u64::from(report.damaged_paths > 0);
            }
            // Neighbours in the chain show it; of the first one nothing does, as when it was forgotten.
            Kind::Snapshot => {
                let first = name.id() == scene.generations[0].to_hex();
                assert_eq!(report.num_warnings, u64::from(!first), "{report:?}");
            }
            // These end in the course of things.
            Kind::Key
            | Kind::Session
            | Kind::Mark
            | Kind::Trash
            | Kind::Parity
            | Kind::Upgrade
            | Kind::Forgotten
            | Kind::Overview
            | Kind::Machine => {
                assert_eq!(report.num_errors, 0)
            }
        }
    }
    assert!(hurt >= 2, "{hurt}");
    assert_eq!(scene.check(ReadData::All).num_errors, 0, "all is back");
}

/// Exactly the files that do not come back are named.
#[test]
fn damage_in_data_names_the_files_it_hurts() {
    let scene = Scene::new();
    let reader = scene.repo.reader(&Quiet);
    let mut data = BTreeSet::new();
    let mut places = Vec::new();
    reader
        .index()
        .unwrap()
        .scan(&mut |_, located| {
            if located.class == Class::Data {
                data.insert(located.place.pack);
                places.push(located.place);
            }
            Ok(())
        })
        .unwrap();
    let mut hurt = 0;
    for place in places.iter().step_by(3) {
        let name = ObjectName::pack(place.pack);
        let mut bytes = scene.objects.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        bytes[place.offset as usize + 30] ^= 4;
        scene.put(&name, Some(&bytes));
        let report = scene.check(ReadData::All);
        assert!(names(&report, &name));
        let mut lost = BTreeSet::new();
        for id in &scene.generations {
            let (_, unreadable) = read_some(&scene.repo, *id).unwrap();
            lost.extend(
                unreadable
                    .into_iter()
                    .map(|path| (id.to_hex()[..8].to_string(), path)),
            );
        }
        let told: BTreeSet<(String, String)> = report
            .paths
            .iter()
            .map(|path| {
                let text = String::from_utf8(path.path.clone()).unwrap();
                (path.snapshot.clone(), text.trim_start_matches('/').to_string())
            })
            .collect();
        assert_eq!(told, lost, "{name}");
        assert_eq!(report.damaged_paths, lost.len() as u64);
        hurt += lost.len();
        let whole = &scene.objects.iter().find(|(n, _)| *n == name).unwrap().1;
        scene.put(&name, Some(whole));
    }
    assert!(hurt > 10, "{hurt}");
    for id in &scene.generations {
        assert!(!read_back(&scene.repo, *id).unwrap().is_empty());
    }
}

#[test]
fn parts_of_the_data_make_up_the_whole() {
    let scene = Scene::new();
    let all = scene.check(ReadData::All);
    let parts: u64 = (1..=3)
        .map(|n| scene.check(ReadData::Subset { n, of: 3 }).packs_read)
        .sum();
    assert_eq!(parts, all.packs);
    assert_eq!(scene.check(ReadData::Percent(100.0)).packs_read, all.packs);
    assert_eq!(scene.check(ReadData::Percent(0.0)).packs_read, 0);
    assert_eq!(scene.check(ReadData::Size(1)).packs_read, 1);
    assert_eq!(scene.check(ReadData::Size(u64::MAX)).packs_read, all.packs);
    let bad = CheckOptions {
        read_data: ReadData::Subset { n: 4, of: 3 },
    };
    assert!(check::run(&scene.repo, &bad, &Quiet).is_err());
}
