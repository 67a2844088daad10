//! An object's name is taken by a directory, a FIFO or a link that leads nowhere: it can't be read, which is not damage.

use super::{PROGRAM, file, new_objects, small, tells};
use kit::odd::{ALL, Odd};
use kit::program::Home;
use std::fs;
use std::path::{Path, PathBuf};

/// A repository with two backups, of which the second needs half of the pack of the first.
struct Place {
    home: Home,
    pack: PathBuf,
    segment: PathBuf,
}

impl Place {
    fn new() -> Place {
        let home = Home::new(PROGRAM);
        home.init();
        for (name, bytes) in [small("a", 1), small("b", 2)] {
            home.write(&format!("docs/{name}"), bytes);
        }
        home.ok(&["backup", "docs"]);
        let (pack, segment) = (
            new_objects(&home, "packs", &[]).swap_remove(0),
            new_objects(&home, "index", &[]).swap_remove(0),
        );
        fs::remove_file(home.path("docs/b")).unwrap();
        home.write("docs/c", small("c", 3).1);
        home.ok(&["backup", "docs"]);
        Place { home, pack, segment }
    }

    fn is_whole(&self) {
        let _ = fs::remove_dir_all(self.home.path(".cache"));
        self.home.ok(&["check", "--read-data"]);
        self.restores();
    }

    /// The newest snapshot, by a machine that never read the repository.
    fn restores(&self) {
        let _ = fs::remove_dir_all(self.home.path(".cache"));
        let _ = fs::remove_dir_all(self.home.path("out"));
        let from = format!("latest:{}", self.home.text("docs"));
        self.home.ok(&["restore", &from, "--target", "out"]);
        for name in ["a", "c"] {
            assert_eq!(
                fs::read(self.home.path("out").join(name)).unwrap(),
                fs::read(self.home.path("docs").join(name)).unwrap()
            );
        }
    }

    fn while_odd(&self, object: &Path, odd: Odd, act: impl FnOnce()) {
        let aside = self.home.path("aside");
        fs::rename(object, &aside).unwrap();
        odd.make(object);
        act();
        odd.remove(object);
        fs::rename(&aside, object).unwrap();
    }
}

/// A backup stores again what the pack holds; a collection deletes nothing that may be needed.
#[test]
fn a_pack_that_is_no_file() {
    for odd in ALL {
        let place = Place::new();
        let home = &place.home;
        place.while_odd(&place.pack, odd, || {
            let run = home.ok(&["backup", "docs"]);
            tells(&run, odd.text());
            assert!(run.err.contains("packs/"), "{}", run.err);
            // All of it is there without the pack.
            place.restores();
            let prune = ["prune", "--keep-trash=0s", "--max-unused=0", "--yes"];
            tells(&home.ends(1, &[&prune[..], &["--dry-run"]].concat()), odd.text());
            let run = home.ends(1, &prune);
            tells(&run, odd.text());
            assert!(run.out.contains("kept as it is"), "{}", run.out);
            assert!(place.pack.symlink_metadata().is_ok());
            tells(&home.ends(1, &["check"]), odd.text());
        });
        place.is_whole();
        // The first snapshot, which needs all of the pack.
        home.ok(&["restore", "latest~2", "--target", "first"]);
        home.ok(&["prune", "--keep-trash=0s", "--max-unused=0", "--yes"]);
        place.is_whole();
    }
}

/// What no segment lists may be a pack that was damaged like this: it stays, too.
#[test]
fn a_pack_that_nothing_lists_and_is_no_file() {
    let place = Place::new();
    let home = &place.home;
    let prefix = home.repository().join("packs/ab");
    fs::create_dir_all(&prefix).unwrap();
    for odd in ALL {
        let unlisted = prefix.join(format!("ab{}", "0".repeat(62)));
        odd.make(&unlisted);
        tells(&home.ends(1, &["prune", "--yes"]), odd.text());
        assert!(unlisted.symlink_metadata().is_ok());
        odd.remove(&unlisted);
    }
    home.ok(&["prune", "--yes"]);
    place.is_whole();
}

#[test]
fn an_index_segment_that_is_no_file() {
    for odd in ALL {
        let place = Place::new();
        let home = &place.home;
        place.while_odd(&place.segment, odd, || {
            fs::remove_dir_all(home.path(".cache")).unwrap();
            let run = home.ok(&["backup", "docs"]);
            tells(&run, odd.text());
            place.restores();
            let packs = home.objects("packs");
            tells(&home.ends(1, &["prune", "--keep-trash=0s", "--yes"]), odd.text());
            assert_eq!(home.objects("packs"), packs);
        });
        place.is_whole();
    }
}

/// Of two slots the other one opens the repository; if none does, the key is not said to be wrong.
#[test]
fn a_key_slot_that_is_no_file() {
    let home = Home::new(PROGRAM);
    home.init();
    home.write("docs/a", file("a", 1).1);
    home.ok(&["backup", "docs"]);
    let slots = home.objects("keys");
    assert!(!slots.is_empty());
    for odd in ALL {
        let extra = home.repository().join("keys").join("0".repeat(32));
        odd.make(&extra);
        home.ok(&["snapshots"]);
        odd.remove(&extra);
        let aside = home.path("aside");
        fs::create_dir(&aside).unwrap();
        for slot in &slots {
            fs::rename(slot, aside.join(slot.file_name().unwrap())).unwrap();
            odd.make(slot);
        }
        let run = home.ends(1, &["snapshots"]);
        assert!(run.err.contains(odd.text()), "{}", run.err);
        for slot in &slots {
            odd.remove(slot);
            fs::rename(aside.join(slot.file_name().unwrap()), slot).unwrap();
        }
        fs::remove_dir(&aside).unwrap();
    }
    home.ok(&["snapshots"]);
}

/// These say what everybody must know: whoever can't read them ends, with the cause.
#[test]
fn control_objects_that_are_no_files() {
    let home = Home::new(PROGRAM);
    home.init();
    home.write("docs/a", file("a", 1).1);
    home.ok(&["backup", "docs"]);
    let repository = home.repository();
    for (name, codes) in [("config", [1, 1]), ("upgrades/0000000000000001", [1, 1])] {
        for odd in ALL {
            let object = repository.join(name);
            fs::create_dir_all(object.parent().unwrap()).unwrap();
            let aside = home.path("aside");
            let was_there = fs::rename(&object, &aside).is_ok();
            odd.make(&object);
            for (args, code) in [["snapshots", "--json"], ["backup", "docs"]].iter().zip(codes) {
                let run = home.ends(code, args);
                assert!(
                    run.err.contains(odd.text()) || run.out.contains(odd.text()),
                    "{name}: {run:?}"
                );
            }
            odd.remove(&object);
            if was_there {
                fs::rename(&aside, &object).unwrap();
            }
        }
    }
    home.ok(&["check", "--read-data"]);
}
