//! Folders read in part: pages of a wide one, and what earlier generations had in one. Compared with whole listings.

use chunkstore::chunker::Bounds;
use chunkstore::remote::Memory;
use engine::SessionId;
use engine::backup;
use engine::deleted::deleted;
use engine::list;
use engine::monitor::Quiet;
use engine::repo::Repo;
use kit::machine::{self, Machine};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Names in `path` of a generation.
fn names(repo: &Repo, id: SessionId, path: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let manifest = repo.manifest(id).unwrap();
    let top = list::relative(path).to_vec();
    let reader = repo.reader(&Quiet);
    let listed = list::entries(&reader, &manifest, Some(path), false, &mut |at, entry| {
        if at != top {
            names.push(entry.name.clone());
        }
        Ok(())
    });
    match listed {
        Ok(()) | Err(engine::Error::NoSuchPath { .. }) => names,
        Err(e) => panic!("{e}"),
    }
}

/// The same in pages.
fn in_pages(repo: &Repo, id: SessionId, path: &[u8], most: usize) -> Vec<Vec<u8>> {
    let manifest = repo.manifest(id).unwrap();
    let reader = repo.reader(&Quiet);
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        let after = all.last().cloned().unwrap_or_default();
        let before = all.len();
        list::directory(&reader, &manifest, path, &after, &mut |entry| {
            all.push(entry.name.clone());
            Ok(all.len() - before < most)
        })
        .unwrap();
        if all.len() == before {
            return all;
        }
    }
}

/// Wide enough that its entries lie in several pieces of the tree, of which each generation changes some.
fn change(wide: &Path, generation: usize) {
    for nr in 0..4000 {
        let path = wide.join(format!(
            "{nr:05} a name that is long enough to fill the pieces of the tree"
        ));
        match (generation, nr) {
            (0, _) if nr % 3 == 0 => fs::write(path, "x").unwrap(),
            // A stretch that is made, and later deleted.
            (1, 1000..1400) | (3, 2000..2003) => fs::write(path, "y").unwrap(),
            (2, 1000..1200) | (4, 3000..3900) | (5, 0..4) => {
                let _ = fs::remove_file(path);
            }
            _ => {}
        }
    }
}

#[test]
fn pages_and_deleted_entries_of_a_wide_folder() {
    let memory = Memory::new();
    machine::create(&memory, Bounds::FINE).unwrap();
    let machine = Machine::quick("alpha");
    let repo = machine.open(Arc::new(memory.clone())).unwrap();
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    for dir in ["before", "wide", "wide/sub", "yonder"] {
        fs::create_dir_all(source.join(dir)).unwrap();
        fs::write(source.join(dir).join("file"), dir).unwrap();
    }
    let mut ids = Vec::new();
    for generation in 0..7 {
        change(&source.join("wide"), generation);
        if generation == 6 {
            fs::remove_dir_all(source.join("yonder")).unwrap();
        }
        let options = machine.options(&[&source]);
        let report = backup::run(&repo, &options, None, &Quiet).unwrap();
        ids.push(report.snapshot.unwrap());
    }
    let folders = [
        "",
        "/before",
        "/wide",
        "/wide/sub",
        "/yonder",
        "/wide/nothing",
        "/zzz",
    ];
    for (place, id) in ids.iter().enumerate() {
        for below in folders {
            let path = [source.to_str().unwrap(), below].concat().into_bytes();
            let whole = names(&repo, *id, &path);
            for most in [1000, 10_000] {
                assert_eq!(in_pages(&repo, *id, &path, most), whole, "{below} of {place}");
            }
            let older: Vec<SessionId> = ids[..place].iter().rev().copied().collect();
            let manifest = repo.manifest(*id).unwrap();
            let reader = repo.reader(&Quiet);
            let (found, more) = deleted(&repo, &reader, &manifest, &older, &path, 10_000).unwrap();
            assert!(!more);
            let found: BTreeMap<Vec<u8>, SessionId> = found
                .into_iter()
                .map(|one| (one.entry.name, one.snapshot))
                .collect();
            let known: BTreeSet<&Vec<u8>> = whole.iter().collect();
            let mut want: BTreeMap<Vec<u8>, SessionId> = BTreeMap::new();
            for earlier in &older {
                for name in names(&repo, *earlier, &path) {
                    if !known.contains(&name) {
                        want.entry(name).or_insert(*earlier);
                    }
                }
            }
            assert_eq!(found, want, "{below} of {place}");
        }
    }
    let path = source.join("wide").into_os_string().into_encoded_bytes();
    let manifest = repo.manifest(ids[6]).unwrap();
    let older: Vec<SessionId> = ids[..6].iter().rev().copied().collect();
    let (found, more) = deleted(&repo, &repo.reader(&Quiet), &manifest, &older, &path, 5).unwrap();
    assert_eq!((found.len(), more), (5, true));
}
