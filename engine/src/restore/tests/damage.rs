//! Whatever is lost in the repository: what is damaged is named, everything else is restored, no byte is wrong.

use super::kit::{Kit, Recorder, assert_same, facts, file_names, noise, tiny};
use crate::dump;
use crate::entry::{Content, Extent, ExtentList, Kind};
use crate::error::{Error, StoreError};
use crate::monitor::ProblemKind;
use crate::restore::finish::on_disk;
use crate::restore::job::{Action, FileJob};
use crate::restore::shared::Shared;
use crate::restore::window::{Builder, FilePart, Limits};
use crate::restore::write::RestoreWorker;
use crate::restore::{ChunkSource, run_within};
use crate::tree::encode_extent_list;
use chunkstore::frame::Decoder;
use chunkstore::remote::{Kind as ObjectKind, Remote};
use chunkstore::{ChunkId, ContentHash};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<String> {
    paths.into_iter().map(String::from).collect()
}

#[test]
fn a_broken_chunk_hurts_its_files_only() {
    for limits in [Limits::default(), tiny()] {
        for verify in [false, true] {
            let kit = Kit::new();
            let mut broken = Vec::new();
            let shared = noise(1, 9000);
            let manifest = kit.craft(|craft| {
                craft.dir("d");
                craft.file("d/good", b"good");
                let pieces = [
                    Ok(&noise(2, 9000)[..]),
                    Err(5000),
                    Ok(&shared),
                    Ok(&noise(3, 9000)),
                ];
                let (extents, _) = craft.pieces("d/big", &pieces);
                craft.pieces("d/twin", &[Ok(&noise(4, 800)), Ok(&shared)]);
                craft.pieces("d/fine", &[Ok(&noise(4, 800)), Ok(&noise(2, 9000))]);
                craft.file("small", b"small");
                craft.file("z", b"z");
                let Extent::Chunk { id, .. } = extents[2] else {
                    panic!("{extents:?}")
                };
                broken.push(id);
                broken.push(craft.chunk(b"<<small>>"));
            });
            broken.iter().for_each(|id| kit.break_chunk(id));
            let mut options = super::super::RestoreOptions::new(kit.target());
            options.verify = verify;
            let recorder = Recorder::default();
            let summary = run_within(&kit.repo, &manifest, &options, &recorder, limits).unwrap();
            assert_eq!(recorder.hurt(), set(["/d/big", "/d/twin", "/small"]));
            assert_eq!(file_names(&kit.target()), set(["d", "z"]));
            assert_eq!(file_names(&kit.target().join("d")), set(["fine", "good"]));
            let fine = [noise(4, 800), noise(2, 9000)].concat();
            assert_eq!(fs::read(kit.target().join("d/fine")).unwrap(), fine);
            assert_eq!((summary.files_failed, summary.files_restored), (3, 3));
            assert_eq!((summary.problems, summary.total_files), (3, 6));
        }
    }
}

#[test]
fn what_was_there_outlives_a_failed_replacement() {
    let kit = Kit::new();
    let mut ids = Vec::new();
    let manifest = kit.craft(|craft| {
        let (extents, _) = craft.pieces("file", &[Ok(&noise(1, 900)), Ok(&noise(2, 900))]);
        ids.extend(extents.iter().filter_map(|extent| match extent {
            Extent::Chunk { id, .. } => Some(*id),
            Extent::Zero { .. } => None,
        }));
    });
    kit.break_chunk(&ids[1]);
    fs::create_dir(kit.target()).unwrap();
    fs::write(kit.target().join("file"), b"mine").unwrap();
    let options = super::super::RestoreOptions::new(kit.target());
    let (result, recorder) = kit.restore(&manifest, &options);
    assert_eq!(result.unwrap().files_failed, 1);
    assert_eq!(recorder.hurt(), set(["/file"]));
    assert_eq!(fs::read(kit.target().join("file")).unwrap(), b"mine");
    assert_eq!(file_names(&kit.target()), set(["file"]));
}

#[test]
fn every_byte_of_a_pack() {
    let kit = Kit::new().with_threads(1);
    fs::write(kit.source().join("large"), noise(1, 60_000)).unwrap();
    for i in 0..20 {
        fs::write(kit.source().join(format!("file{i}")), noise(i, 100)).unwrap();
    }
    let manifest = kit.backup();
    let options = kit.options();
    let wanted = facts(&kit.source());
    for name in kit.packs() {
        let mut len = 0;
        kit.alter(&name, |bytes| len = bytes.len());
        for at in (0..len).step_by(1 + len / 40) {
            kit.alter(&name, |bytes| bytes[at] ^= 0x10);
            let (result, recorder) = kit.restore(&manifest, &options);
            match result {
                Ok(summary) => {
                    let mut wanted = wanted.clone();
                    let found = facts(&kit.target());
                    wanted.retain(|path, _| found.contains_key(path));
                    for found in found.keys().filter(|path| !path.as_os_str().is_empty()) {
                        assert_eq!(facts(&kit.target())[found].content, wanted[found].content);
                    }
                    let lost = 21 - (found.len() as u64 - 1);
                    assert_eq!(summary.files_failed, lost, "{:?}", recorder.hurt());
                    assert_eq!(lost > 0, summary.problems > 0);
                }
                // The path that was asked for is in a part of the tree that can't be read, or the root is.
                Err(Error::Store(e)) => assert!(e.is_damage(), "{e}"),
                Err(e) => panic!("{e}"),
            }
            kit.alter(&name, |bytes| bytes[at] ^= 0x10);
            let _gone = fs::remove_dir_all(kit.target());
        }
    }
    kit.restore_well(&manifest, &options, Limits::default());
}

#[test]
fn a_pack_that_is_gone() {
    let kit = Kit::new();
    let mut ids = Vec::new();
    let manifest = kit.craft(|craft| {
        ids.push(craft.chunk(b"<<1>>"));
        craft.file("a", b"1");
        craft.pieces("b", &[Ok(&noise(1, 900)), Ok(&noise(2, 900))]);
        craft.entry(
            "link",
            Kind::Symlink {
                target: b"x".to_vec(),
            },
            Content::None,
            0,
        );
    });
    let reader = kit.repo.reader(&crate::monitor::Quiet);
    let pack = reader.locate(&ids[0]).unwrap().unwrap().place.pack;
    let name = chunkstore::remote::ObjectName::pack(pack);
    chunkstore::remote::Remote::delete(&kit.remote, &name).unwrap();
    let options = super::super::RestoreOptions::new(kit.target());
    let (result, recorder) = kit.restore(&manifest, &options);
    assert_eq!(result.unwrap().problems, 2);
    assert_eq!(recorder.hurt(), set(["/a", "/b"]));
    assert_eq!(file_names(&kit.target()), set(["link"]));
    let mut out = Vec::new();
    let error = dump::file(&kit.repo, &manifest, b"/b", &mut out, &recorder).unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::Missing { .. })),
        "{error}"
    );
    assert!(out.is_empty());
}

/// Segments of one directory are lost; those around it are not.
#[test]
fn pieces_of_the_tree() {
    let kit = Kit::new();
    for dir in 0..100 {
        let dir = kit.source().join(format!("d{dir:02}"));
        fs::create_dir(&dir).unwrap();
        for file in 0..120 {
            let name = format!("{file:03}-{}", "long-name-".repeat(20));
            fs::write(dir.join(name), noise(file, 10)).unwrap();
        }
    }
    let manifest = kit.backup();
    let root = manifest.root().unwrap();
    let crate::tree::Segments::Inline(segments) = &root.segments else {
        panic!("pages")
    };
    assert!(segments.len() >= 3, "{}", segments.len());
    let lost = &segments[segments.len() / 2];
    kit.break_chunk(&lost.id);
    let mut options = kit.options();
    options.subpath = None;
    let (result, recorder) = kit.restore(&manifest, &options);
    let summary = result.unwrap();
    assert_eq!(summary.files_failed, lost.files);
    assert_eq!(summary.files_restored, 100 * 120 - lost.files);
    let damage = recorder.problems.lock();
    let damage = damage
        .iter()
        .filter(|p| matches!(p.what, ProblemKind::Damage { .. }));
    assert_eq!(damage.count(), 1);
    let wanted = facts(&kit.source());
    for (path, fact) in facts(&kit.restored()) {
        assert_eq!(fact.content, wanted[&path].content);
    }
}

/// Entries that lie about their content.
#[test]
fn content_that_is_not_what_the_entry_says() {
    let kit = Kit::new();
    let manifest = kit.craft(|craft| {
        craft.file("good", b"good");
        let bundle = craft.chunk(b"0123456789");
        let part = |offset, len, hash| Content::Bundled {
            bundle,
            offset,
            len,
            hash,
        };
        let right = kit.repo.store.keys().content_hash(b"345");
        craft.entry("part", Kind::File, part(3, 3, right), 3);
        craft.entry("part-beyond", Kind::File, part(8, 3, right), 3);
        craft.entry("part-far", Kind::File, part(u32::MAX - 3, 3, right), 3);
        craft.entry("part-wrong", Kind::File, part(4, 3, right), 3);
        craft.entry("part-hash", Kind::File, part(3, 3, ContentHash([0; 16])), 3);
        craft.entry("part-size", Kind::File, part(3, 3, right), 4);
        craft
            .pieces("size-less", &[Ok(b"abc"), Err(10), Ok(b"def")])
            .1
            .meta
            .size = 15;
        craft.pieces("size-more", &[Ok(b"abc"), Ok(b"def")]).1.meta.size = 1 << 40;
        craft.pieces("size-huge", &[Ok(b"abc"), Err(u64::MAX - 10)]);
        craft.pieces("only-hole", &[Err(1000)]);
        craft.pieces("hole-less", &[Err(1000)]).1.meta.size = 999;
        let chunk = Extent::Chunk { id: bundle, len: 9 };
        craft.entry("chunk-len", Kind::File, Content::Extents(vec![chunk]), 9);
        let unknown = Extent::Chunk {
            id: ChunkId([9; 32]),
            len: 9,
        };
        craft.entry("unknown", Kind::File, Content::Extents(vec![unknown]), 9);
        craft.entry("no-content", Kind::File, Content::None, 5);
        craft.unreadable("unreadable");
        let list = ExtentList {
            id: ChunkId([8; 32]),
            extents: 3,
            bytes: 9,
        };
        craft.entry("list-lost", Kind::File, Content::Lists(vec![list]), 9);
    });
    for limits in [Limits::default(), tiny()] {
        let options = super::super::RestoreOptions::new(kit.target());
        let recorder = Recorder::default();
        let summary = run_within(&kit.repo, &manifest, &options, &recorder, limits).unwrap();
        let good = set(["good", "only-hole", "part"]);
        assert_eq!(file_names(&kit.target()), good, "{:?}", recorder.problems.lock());
        assert_eq!(recorder.hurt().len() as u64, summary.files_failed);
        assert_eq!(summary.files_failed + 3, summary.total_files);
        assert_eq!(fs::read(kit.target().join("part")).unwrap(), b"345");
        fs::remove_dir_all(kit.target()).unwrap();
    }
    // What the snapshot itself says it does not hold is no damage.
    let mut out = Vec::new();
    for (path, is_damage) in [("/unreadable", false), ("/no-content", true)] {
        let dumped = dump::file(
            &kit.repo,
            &manifest,
            path.as_bytes(),
            &mut out,
            &Recorder::default(),
        );
        match dumped.unwrap_err() {
            Error::NotSaved { path: named } => assert!(!is_damage && named == path, "{path}"),
            Error::Store(e) => assert!(is_damage && e.is_damage(), "{path}"),
            other => panic!("{path}: {other}"),
        }
    }
    assert!(out.is_empty());
}

#[test]
fn extent_lists() {
    let kit = Kit::new();
    let bytes: Vec<Vec<u8>> = (0..30).map(|i| noise(i, 700)).collect();
    let mut lists = Vec::new();
    let manifest = kit.craft(|craft| {
        for (n, chunks) in bytes.chunks(10).enumerate() {
            let mut extents = vec![Extent::Zero { len: 100 + n as u64 }];
            for chunk in chunks {
                let id = craft.chunk(chunk);
                extents.push(Extent::Chunk { id, len: 700 });
            }
            let plain = encode_extent_list(&extents);
            lists.push(ExtentList {
                id: craft.tree_chunk(&plain),
                extents: extents.len() as u32,
                bytes: extents.iter().map(Extent::len).sum(),
            });
        }
        let size = lists.iter().map(|list| list.bytes).sum();
        craft.entry("file", Kind::File, Content::Lists(lists.clone()), size);
        craft.file("other", b"other");
    });
    let mut wanted = Vec::new();
    for (n, chunks) in bytes.chunks(10).enumerate() {
        wanted.extend(vec![0; 100 + n]);
        wanted.extend(chunks.concat());
    }
    let options = super::super::RestoreOptions::new(kit.target());
    for limits in [Limits::default(), tiny()] {
        kit.restore_well(&manifest, &options, limits);
        assert!(fs::read(kit.target().join("file")).unwrap() == wanted);
    }
    fs::remove_dir_all(kit.target()).unwrap();
    kit.break_chunk(&lists[2].id);
    for limits in [Limits::default(), tiny()] {
        let recorder = Recorder::default();
        let summary = run_within(&kit.repo, &manifest, &options, &recorder, limits).unwrap();
        assert_eq!((summary.files_restored, summary.files_failed), (1, 1));
        assert_eq!(recorder.hurt(), set(["/file"]));
        assert_eq!(file_names(&kit.target()), set(["other"]));
        fs::remove_dir_all(kit.target()).unwrap();
    }
}

/// No walk makes these trees; a hostile writer could.
#[test]
fn hostile_trees_stay_in_the_target() {
    let kit = Kit::new();
    let outside = kit.source();
    let target = |text: &Path| Kind::Symlink {
        target: std::os::unix::ffi::OsStrExt::as_bytes(text.as_os_str()).to_vec(),
    };
    let manifest = kit.craft(|craft| {
        // A link out, and then entries in a directory of its name.
        craft.entry("a", target(&outside), Content::None, 0);
        craft.file("a/evil", b"evil");
        craft.dir("a/dir");
        craft.file("a/dir/evil", b"evil");
        // A file that is a directory too.
        craft.file("b", b"b");
        craft.file("b/evil", b"evil");
        // Entries in a directory that no listing has.
        craft.file("c/d/e", b"e");
        craft.entry(
            "empty-link",
            Kind::Symlink { target: Vec::new() },
            Content::None,
            0,
        );
        craft.entry(&"n".repeat(300), Kind::Fifo, Content::None, 0);
        craft.file("z", b"z");
    });
    for limits in [Limits::default(), tiny()] {
        let options = super::super::RestoreOptions::new(kit.target());
        let recorder = Recorder::default();
        run_within(&kit.repo, &manifest, &options, &recorder, limits).unwrap();
        assert!(file_names(&outside).is_empty());
        assert_eq!(fs::read(kit.target().join("z")).unwrap(), b"z");
        assert_eq!(fs::read(kit.target().join("c/d/e")).unwrap(), b"e");
        let hurt = recorder.hurt();
        for path in ["/c", "/c/d", "/empty-link"] {
            assert!(hurt.contains(path), "{path}: {hurt:?}");
        }
        fs::remove_dir_all(kit.target()).unwrap();
    }
}

#[test]
fn names_that_lead_elsewhere_never_get_into_a_tree() {
    let kit = Kit::new();
    for name in ["..", ".", "", "a\0b"] {
        let entry = kit.craft_entry(name);
        assert!(crate::tree::check_entry(b"", &entry).is_err(), "{name:?}");
    }
    // `check_entry` is what the decoder applies too; the target refuses once more.
    fs::create_dir(kit.target()).unwrap();
    let target = crate::fsmeta::Target::open(&kit.target()).unwrap();
    assert!(target.root().create_file(b"../x").is_err());
}

#[test]
fn the_class_of_a_chunk_counts() {
    let kit = Kit::new();
    let manifest = kit.craft(|craft| {
        let id = craft.tree_chunk(b"a tree chunk");
        let extent = Extent::Chunk { id, len: 12 };
        craft.entry("file", Kind::File, Content::Extents(vec![extent]), 12);
    });
    let options = super::super::RestoreOptions::new(kit.target());
    let (result, recorder) = kit.restore(&manifest, &options);
    assert_eq!(result.unwrap().files_failed, 1);
    assert_eq!(recorder.hurt(), set(["/file"]));
    assert!(file_names(&kit.target()).is_empty());
}

/// A collection moved everything while a restore was under way.
#[test]
fn chunks_that_moved_meanwhile() {
    let kit = Kit::new();
    let store_chunk = || {
        let mut id = None;
        kit.craft(|craft| id = Some(craft.chunk(&noise(1, 900))));
        id.unwrap()
    };
    let id = store_chunk();
    let (mut decoder, mut out) = (Decoder::new().unwrap(), Vec::new());
    for moves in [true, false] {
        let source = ChunkSource::new(&kit.repo, &crate::monitor::Quiet);
        source.reader().index().unwrap();
        delete_all(&kit);
        if moves {
            assert_eq!(store_chunk(), id);
        }
        match source.chunk(&mut decoder, &id, &mut out) {
            Ok(()) => assert!(moves && out == noise(1, 900)),
            Err(e) => assert!(
                !moves && matches!(e, Error::Store(StoreError::Missing { .. })),
                "{e}"
            ),
        }
    }
}

#[test]
fn trees_that_moved_meanwhile() {
    let kit = Kit::new();
    let store_tree = || {
        let manifest = kit.craft(|craft| {
            craft.file("a", b"1");
        });
        match manifest.root().unwrap().segments {
            crate::tree::Segments::Inline(segments) => segments[0].clone(),
            crate::tree::Segments::Pages(_) => panic!("pages"),
        }
    };
    let segment = store_tree();
    let mut decoder = Decoder::new().unwrap();
    for moves in [true, false] {
        let reader = kit.repo.reader(&crate::monitor::Quiet);
        reader.index().unwrap();
        delete_all(&kit);
        if moves {
            assert_eq!(store_tree().id, segment.id);
        }
        for hint in [None, segment.place.as_ref()] {
            let read = reader.tree(&mut decoder, &segment.id, hint);
            assert_eq!(read.is_ok(), moves, "{read:?}");
        }
    }
}

fn delete_all(kit: &Kit) {
    for kind in [ObjectKind::Pack, ObjectKind::Index] {
        let mut names = Vec::new();
        let each = &mut |name, _| {
            names.push(name);
            Ok(())
        };
        kit.remote.list(kind, each).unwrap();
        names.iter().for_each(|name| kit.remote.delete(name).unwrap());
    }
}

/// What the disk gives back is compared, whatever was written.
#[test]
fn reading_back_finds_what_changed() {
    let kit = Kit::new();
    let bytes = noise(1, 900);
    kit.craft(|craft| {
        craft.chunk(&bytes);
    });
    let mut options = super::super::RestoreOptions::new(kit.target());
    options.verify = true;
    let recorder = Recorder::default();
    let source = ChunkSource::new(&kit.repo, &recorder);
    let shared = Shared::new(&source, &options, b"", (&recorder, kit.repo.run())).unwrap();
    let mut worker = RestoreWorker::new(&shared).unwrap();
    let mut builder = Builder::default();
    for name in ["intact", "altered", "shorter", "gone"] {
        let mut entry = kit.craft_entry(name);
        entry.meta.size = 900;
        let mut job = FileJob::new((*b"").into(), name.into(), entry, Action::Replace, true);
        job.temporary = name.into();
        let job = Arc::new(job);
        let number = builder.add_job(&job);
        builder.add_part(FilePart {
            id: kit.repo.store.keys().chunk_id(false, &bytes),
            job: number,
            from: 0,
            len: 900,
            at: 0,
            file: None,
            is_found: false.into(),
        });
        job.part_done();
    }
    let located = builder.locate(source.index().unwrap()).unwrap();
    let window = builder.build(located, &Limits::default());
    window.reads.iter().for_each(|read| worker.read(&window, read));
    let path = |name: &str| kit.target().join(name);
    let file = fs::File::options().write(true).open(path("altered")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"!", 500).unwrap();
    let file = fs::File::options().write(true).open(path("shorter")).unwrap();
    file.set_len(899).unwrap();
    fs::remove_file(path("gone")).unwrap();
    fs::write(path("gone"), &bytes[1..]).unwrap();
    worker.check(&window, 0..4);
    for finished in on_disk(&shared, &mut worker).unwrap() {
        worker.place(&finished);
    }
    assert_eq!(recorder.hurt(), set(["/altered", "/gone", "/shorter"]));
    assert_eq!(file_names(&kit.target()), set(["intact"]));
    assert_eq!(shared.summary().files_restored, 1);
}

#[test]
fn undamaged_after_all() {
    // The helpers above break what they name and nothing else: mending it mends everything.
    let kit = Kit::new();
    fs::write(kit.source().join("file"), noise(1, 50_000)).unwrap();
    let manifest = kit.backup();
    for name in kit.packs() {
        kit.alter(&name, |bytes| bytes[100] ^= 1);
        kit.alter(&name, |bytes| bytes[100] ^= 1);
    }
    let mut options = kit.options();
    options.subpath = None;
    kit.restore_well(&manifest, &options, Limits::default());
    assert_same(&facts(&kit.restored()), &facts(&kit.source()));
}
