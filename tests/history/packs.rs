//! Packs whose size is not that of the index: nothing new relies on them, and nothing is deleted while one is needed (I-4,
//! I-9).

use super::{Scene, warned};
use chunkstore::pack::Class;
use engine::Error;
use engine::check::{self, ReadData};
use engine::monitor::Quiet;
use kit::machine::{Noting, prune};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What storage does to a pack.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Emptied,
    Cut,
    Extended,
}

impl Harm {
    fn to(self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        match self {
            Harm::Emptied => bytes.clear(),
            Harm::Cut => bytes.truncate(bytes.len() / 2),
            Harm::Extended => bytes.extend_from_slice(&[0; 100]),
        }
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_backup_relies_on_no_pack_of_the_wrong_size() {
    for harm in [Harm::Emptied, Harm::Cut, Harm::Extended] {
        for (force, class) in [(true, Class::Data), (false, Class::Data), (false, Class::Tree)] {
            for warm in [true, false] {
                let scene = Scene::new();
                scene.backup(false, &Noting::default());
                scene.backup(false, &Noting::default());
                harm.to(&scene.packs(class)[0]);
                if !warm {
                    scene.machine.lose_cache();
                }
                let what = format!("{harm:?} {force} {class:?} {warm}");
                let notes = Noting::default();
                let report = scene.backup(force, &notes);
                assert!(
                    warned(&notes, "bytes, but the index says"),
                    "{what}: {:?}",
                    notes.problems()
                );
                assert!(
                    report.summary.data_blobs + report.summary.tree_blobs > 0,
                    "{what}"
                );
                assert!(scene.restores(&report), "{what}");
                let again = scene.backup(false, &Noting::default());
                assert!(scene.restores(&again), "{what}");
            }
        }
    }
}

#[test]
fn swapped_packs_are_found() {
    let scene = Scene::new();
    scene.backup(false, &Noting::default());
    fs::write(scene.source().join("another"), vec![b'y'; 50_000]).unwrap();
    scene.backup(false, &Noting::default());
    let packs = scene.packs(Class::Data);
    // Threads may make several of the same length.
    let (long, short) = (packs.first().unwrap(), packs.last().unwrap());
    let (one, other) = (fs::read(long).unwrap(), fs::read(short).unwrap());
    assert_ne!(one.len(), other.len());
    fs::write(long, other).unwrap();
    fs::write(short, one).unwrap();
    let report = scene.backup(false, &Noting::default());
    assert!(scene.restores(&report));
}

/// What a snapshot needs of such a pack stops deletion; what none needs goes with the pack.
#[test]
fn a_collection_that_needs_a_short_pack_deletes_nothing() {
    for harm in [Harm::Emptied, Harm::Cut, Harm::Extended] {
        let scene = Scene::new();
        let first = scene.backup(false, &Noting::default());
        let hurt = scene.packs(Class::Data).remove(0);
        harm.to(&hurt);
        let stale = Duration::from_secs(3600);
        let refused = prune(&scene.open(), stale);
        assert!(matches!(refused, Err(Error::Damaged(_))), "{harm:?}: {refused:?}");
        let options = check::CheckOptions {
            read_data: ReadData::None,
        };
        assert!(check::run(&scene.open(), &options, &Quiet).unwrap().num_errors > 0);
        // A backup stores it again, and then the damaged pack is of no use.
        let second = scene.backup(false, &Noting::default());
        engine::forget::apply(&scene.open(), &[first.snapshot.unwrap()]).unwrap();
        prune(&scene.open(), stale).unwrap();
        assert!(!hurt.exists(), "{harm:?}");
        let report = check::run(&scene.open(), &options, &Quiet).unwrap();
        assert_eq!(report.num_errors, 0, "{harm:?}");
        assert!(scene.restores(&second), "{harm:?}");
    }
}
