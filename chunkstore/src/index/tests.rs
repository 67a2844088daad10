use super::*;
use crate::SmallFile;
use crate::compress::Codec;
use crate::dbdir::DatabasePlace;
use crate::id::ContentHash;
use crate::keys::SealedSessionKey;
use proptest::prelude::*;
use std::collections::BTreeMap;

const REPO: RepoId = RepoId([1; 16]);

fn segment(pack: u8, chunks: &[u16]) -> (IndexId, IndexSegment) {
    let record = PackRecord {
        id: PackId([pack; 32]),
        class: Class::Data,
        size: 1 << 20,
        sealed_keys: vec![SealedSessionKey::dummy(pack)],
    };
    let mut entries: Vec<IndexEntry> = chunks
        .iter()
        .map(|chunk| {
            let mut id = [0; 32];
            id[..2].copy_from_slice(&chunk.to_be_bytes());
            let offset = u32::from(*chunk);
            IndexEntry {
                id: ChunkId(id),
                pack: 0,
                offset,
                stored_len: 50,
                plain_len: 60,
                codec: Codec::Zstd,
                key: 0,
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.id);
    (
        IndexId([pack; 32]),
        IndexSegment {
            packs: vec![record],
            entries,
            parts: Vec::new(),
        },
    )
}

fn open(
    dir: &Path,
    segments: &BTreeMap<IndexId, IndexSegment>,
    condemned: &Condemned,
) -> (LocalIndex, usize) {
    let listed: Vec<IndexId> = segments.keys().copied().collect();
    let mut loads = 0;
    let mut load = |id: IndexId| {
        loads += 1;
        Ok(segments[&id].clone())
    };
    let index = LocalIndex::open(
        DatabaseDir::cached(dir).unwrap(),
        &REPO,
        &listed,
        condemned,
        None,
        &mut load,
        &mut |_, _| {},
    )
    .unwrap();
    (index, loads)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever segments come and go, the index answers as a map built from the listed ones.
    #[test]
    fn mirrors_a_map_of_the_listed_segments(steps in prop::collection::vec((0u8..6, prop::collection::vec(0u16..400, 0..80), any::<bool>()), 1..7)) {
        let dir = tempfile::tempdir().unwrap();
        let mut listed = BTreeMap::new();
        for (pack, chunks, remove) in steps {
            if remove {
                listed.remove(&IndexId([pack; 32]));
            } else {
                let (id, segment) = segment(pack, &chunks);
                listed.entry(id).or_insert(segment);
            }
            let (index, _) = open(dir.path(), &listed, &Condemned::new());
            let mut model: BTreeMap<ChunkId, Vec<PackId>> = BTreeMap::new();
            for segment in listed.values() {
                for entry in &segment.entries {
                    model.entry(entry.id).or_default().push(segment.packs[0].id);
                }
            }
            let mut scanned = Vec::new();
            index.scan(&mut |id, located| { scanned.push((id, located)); Ok(()) }).unwrap();
            prop_assert_eq!(scanned.iter().map(|(id, _)| *id).collect::<Vec<_>>(), model.keys().copied().collect::<Vec<_>>());
            for (id, located) in scanned {
                prop_assert!(model[&id].contains(&located.place.pack));
                prop_assert_eq!(located.place.sealed_key, SealedSessionKey::dummy(located.place.pack.0[0]));
                prop_assert!(index.contains(&id, &Condemned::new()).unwrap());
            }
            prop_assert!(index.locate(&ChunkId([255; 32])).unwrap().is_none());
        }
    }
}

#[test]
fn condemned_packs_are_readable_but_not_present_and_never_displace() {
    let dir = tempfile::tempdir().unwrap();
    let condemned: Condemned = [PackId([9; 32])].into();
    let listed = BTreeMap::from([segment(1, &[1, 2]), segment(9, &[2, 3])]);
    let (index, _) = open(dir.path(), &listed, &condemned);
    let id = |n: u16| segment(0, &[n]).1.entries[0].id;
    assert!(index.contains(&id(1), &condemned).unwrap());
    assert!(
        index.contains(&id(2), &condemned).unwrap(),
        "the copy in the good pack counts"
    );
    assert!(!index.contains(&id(3), &condemned).unwrap());
    assert!(index.locate(&id(3)).unwrap().is_some());
    let ids = [id(1), id(3), id(4)];
    let found: Vec<bool> = index
        .locate_sorted(&ids)
        .unwrap()
        .iter()
        .map(Option::is_some)
        .collect();
    assert_eq!(found, [true, true, false]);
}

#[test]
fn bulk_segments_reopening_deletion_and_garbage() {
    let dir = tempfile::tempdir().unwrap();
    let many: Vec<u16> = (0..10_000).collect();
    let listed = BTreeMap::from([segment(1, &many)]);
    let (index, loads) = open(dir.path(), &listed, &Condemned::new());
    assert_eq!(loads, 1);
    let (second, _) = open(dir.path(), &listed, &Condemned::new());
    assert_ne!(
        second.home.dir(),
        index.home.dir(),
        "another process gets a copy of its own"
    );
    drop((index, second));
    let (index, loads) = open(dir.path(), &listed, &Condemned::new());
    assert_eq!(loads, 0, "what was ingested is still there");
    let file = KnownFile {
        bundle: ChunkId([3; 32]),
        offset: 5,
        len: 6,
    };
    index.remember_files(&[(ContentHash([4; 16]), file)]).unwrap();
    index.flush().unwrap();
    drop(index);
    let (index, _) = open(dir.path(), &listed, &Condemned::new());
    assert_eq!(
        index
            .known_files(&[ContentHash([4; 16]), ContentHash([5; 16])])
            .unwrap(),
        [Some(file), None]
    );
    let path = index.home.dir().unwrap().to_path_buf();
    drop(index);
    for entry in std::fs::read_dir(&path).unwrap() {
        std::fs::write(entry.unwrap().path(), b"garbage").unwrap();
    }
    let (index, loads) = open(dir.path(), &listed, &Condemned::new());
    assert_eq!(loads, 1, "garbage is thrown away and rebuilt");
    assert!(
        index
            .contains(&segment(0, &[7]).1.entries[0].id, &Condemned::new())
            .unwrap()
    );
}

#[test]
fn what_segments_say_of_absent_packs_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let all = BTreeMap::from([segment(1, &[1, 2]), segment(9, &[2, 3])]);
    let open = |present: Option<&[u8]>| {
        let listed: Vec<IndexId> = all.keys().copied().collect();
        let mut load = |id: IndexId| Ok(all[&id].clone());
        let present = present.map(|packs| {
            packs
                .iter()
                .map(|pack| (PackId([*pack; 32]), 1 << 20))
                .collect::<Inventory>()
        });
        let none = Condemned::new();
        let index = LocalIndex::open(
            DatabaseDir::cached(dir.path()).unwrap(),
            &REPO,
            &listed,
            &none,
            present.as_ref(),
            &mut load,
            &mut |_, _| {},
        )
        .unwrap();
        let at = |n: u16| index.locate(&segment(0, &[n]).1.entries[0].id).unwrap();
        [1, 2, 3].map(|n| at(n).map(|located| located.place.pack.0[0]))
    };
    assert_eq!(open(None), [Some(1), Some(1), Some(9)], "the first copy wins");
    assert_eq!(open(Some(&[1, 9])), [Some(1), Some(1), Some(9)]);
    assert_eq!(
        open(Some(&[1])),
        [Some(1), Some(1), None],
        "the copy that is there counts"
    );
    assert_eq!(open(None), [Some(1), Some(1), None], "and is remembered");
    assert_eq!(
        open(Some(&[1, 9])),
        [Some(1), Some(1), Some(9)],
        "until the pack is back"
    );
    assert_eq!(
        open(Some(&[9])),
        [None, Some(9), Some(9)],
        "any copy that is there counts"
    );
}

/// A segment of one pack, which lists a moved file in each of its chunks.
fn with_parts(pack: u8, chunks: &[u16], hashes: &[u8]) -> (IndexId, IndexSegment) {
    let (id, mut segment) = segment(pack, chunks);
    segment.parts = (0..segment.entries.len() as u32)
        .zip(hashes)
        .map(|(at, hash)| crate::smallfile::Part {
            at,
            offset: 5,
            len: 10,
            hash: ContentHash([*hash; 16]),
        })
        .collect();
    (id, segment)
}

fn small(bundle: u16, hash: u8) -> SmallFile {
    crate::SmallFile {
        bundle: segment(0, &[bundle]).1.entries[0].id,
        offset: 0,
        len: 10,
        hash: ContentHash([hash; 16]),
    }
}

#[test]
fn every_copy_is_known_and_no_segment_hides_another_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (id, mut lie) = segment(5, &[1, 2]);
    // It makes a false claim about pack 1, and lists chunks there that are elsewhere.
    lie.packs[0].id = PackId([1; 32]);
    lie.packs[0].sealed_keys = vec![SealedSessionKey::dummy(66)];
    let listed = BTreeMap::from([segment(1, &[1, 3]), segment(7, &[2]), (id, lie)]);
    let (index, _) = open(dir.path(), &listed, &Condemned::new());
    let id = |n: u16| segment(0, &[n]).1.entries[0].id;
    let keys = |n: u16| -> Vec<u8> {
        let copies = index.copies(&id(n)).unwrap();
        copies
            .iter()
            .map(|at| at.place.sealed_key.as_bytes()[1])
            .collect()
    };
    assert_eq!(keys(3), [1], "what else is in the pack is not touched");
    for (chunk, good) in [(1, 1), (2, 7)] {
        let mut found = keys(chunk);
        found.sort_unstable();
        assert_eq!(found, if good == 1 { vec![1, 66] } else { vec![7, 66] });
    }
    let mut copied = Vec::new();
    index
        .each_copied(&mut |id| {
            copied.push(id);
            Ok(())
        })
        .unwrap();
    assert_eq!(copied.len(), 2);
    let condemned: Condemned = [PackId([7; 32])].into();
    assert!(index.contains(&id(2), &condemned).unwrap(), "by another copy");
}

#[test]
fn a_file_is_there_by_its_bundle_or_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let listed = BTreeMap::from([segment(1, &[1]), with_parts(2, &[7, 8], &[3, 4])]);
    let (index, _) = open(dir.path(), &listed, &Condemned::new());
    let none = Condemned::new();
    let has =
        |bundle, hash, condemned: &Condemned| index.contains_file(&small(bundle, hash), condemned).unwrap();
    assert!(has(1, 9, &none), "its bundle is there");
    assert!(has(6, 3, &none) && has(6, 4, &none), "it was moved");
    assert!(!has(6, 5, &none), "that others of its bundle were says nothing");
    let condemned: Condemned = [PackId([2; 32])].into();
    assert!(!has(6, 3, &condemned) && has(1, 3, &condemned));
    assert!(
        index.find_file(&small(6, 3)).unwrap().is_some(),
        "readable all the same"
    );
    let mut longer = small(6, 3);
    longer.len = 11;
    assert!(!index.contains_file(&longer, &none).unwrap());
    let moved = index.moved(&ContentHash([4; 16])).unwrap();
    assert_eq!((moved[0].bundle, moved[0].offset), (small(8, 4).bundle, 5));
    same_together(
        &index,
        &[small(6, 4), longer, small(6, 5), small(6, 3), small(6, 4)],
    );
    drop(index);
    let bulk: Vec<u16> = (0..9000).collect();
    let hashes: Vec<u8> = (0..9000).map(|n| (n % 256) as u8).collect();
    let listed = BTreeMap::from([with_parts(2, &bulk, &hashes)]);
    let (index, _) = open(dir.path(), &listed, &none);
    let places = index.moved(&ContentHash([77; 16])).unwrap();
    assert!(places.len() > 30 && places.iter().all(|to| to.len == 10));
    let all: Vec<SmallFile> = (0..=255).rev().map(|hash| small(6, hash)).collect();
    same_together(&index, &all);
}

/// Many that are looked up together are found as each one is.
fn same_together(index: &LocalIndex, files: &[SmallFile]) {
    let each: Vec<Option<SmallFile>> = files
        .iter()
        .map(|file| index.find_moved(file).unwrap().map(|(now, _)| now))
        .collect();
    assert!(each.iter().any(Option::is_some));
    assert_eq!(index.find_all_moved(files).unwrap(), each);
}

#[test]
fn what_is_left_out_of_a_segment_takes_its_moved_files_along() {
    let (_, mut all) = with_parts(2, &[1, 2, 3], &[1, 2, 3]);
    let gone = all.entries[1].id;
    all.retain(|entry| entry.id != gone);
    let left: Vec<(u32, u8)> = all.parts.iter().map(|part| (part.at, part.hash.0[0])).collect();
    assert_eq!(left, [(0, 1), (1, 3)]);
}

/// Where nothing may be written, the index is in memory; elsewhere it goes with who used it.
#[test]
fn without_a_cache() {
    let cache = Path::new("/proc/nosuch");
    assert!(DatabasePlace::Cache.find(cache).is_err());
    let many: Vec<u16> = (0..10_000).collect();
    let (id, segment) = segment(1, &many);
    for place in [DatabasePlace::Temporary, DatabasePlace::Memory] {
        let home = place.find(cache).unwrap();
        let dir = home.dir().map(Path::to_path_buf);
        let mut load = |_| Ok(segment.clone());
        let index = LocalIndex::open(
            home,
            &REPO,
            &[id],
            &Condemned::new(),
            None,
            &mut load,
            &mut |_, _| {},
        )
        .unwrap();
        for entry in segment.entries.iter().step_by(999) {
            let located = index.locate(&entry.id).unwrap().unwrap();
            assert_eq!(located.place.offset, entry.offset, "{place:?}");
        }
        assert!(dir.as_deref().is_none_or(Path::exists));
        assert_eq!(dir.is_some(), place == DatabasePlace::Temporary);
        drop(index);
        assert!(dir.is_none_or(|dir| !dir.exists()), "{place:?}");
    }
}

/// A pack of another size than in its segment is read if nothing else is there, and nothing new relies on it.
#[test]
fn packs_of_the_wrong_size_are_readable_but_not_present() {
    let dir = tempfile::tempdir().unwrap();
    let all = BTreeMap::from([segment(1, &[1, 2]), segment(9, &[2, 3])]);
    let open = |sizes: &[(u8, u64)]| {
        let listed: Vec<IndexId> = all.keys().copied().collect();
        let mut load = |id: IndexId| Ok(all[&id].clone());
        let present: Inventory = sizes
            .iter()
            .map(|(pack, size)| (PackId([*pack; 32]), *size))
            .collect();
        let none = Condemned::new();
        let none = &none;
        let (mut told, at) = (|_: usize, _: usize| {}, dir.path());
        let index = LocalIndex::open(
            DatabaseDir::cached(at).unwrap(),
            &REPO,
            &listed,
            none,
            Some(&present),
            &mut load,
            &mut told,
        )
        .unwrap();
        let found = [1, 2, 3].map(|n: u16| {
            let id = segment(0, &[n]).1.entries[0].id;
            let located = index.locate(&id).unwrap().map(|at| at.place.pack.0[0]);
            (located, index.contains(&id, none).unwrap())
        });
        let wrong: Vec<(u8, u64)> = index
            .wrong_sizes()
            .iter()
            .map(|(id, size)| (id.0[0], size.listed))
            .collect();
        for (pack, _) in &wrong {
            assert!(index.check_size(&PackId([*pack; 32])).is_err());
        }
        (found, wrong)
    };
    let size = 1 << 20;
    let whole = ([(Some(1), true), (Some(1), true), (Some(9), true)], vec![]);
    assert_eq!(open(&[(1, size), (9, size)]), whole);
    for listed in [0, size - 1, size + 1] {
        let hurt = (
            [(Some(1), true), (Some(1), true), (Some(9), false)],
            vec![(9, listed)],
        );
        assert_eq!(
            open(&[(1, size), (9, listed)]),
            hurt,
            "found in a cache that knew it whole"
        );
        assert_eq!(open(&[(1, size), (9, listed)]), hurt, "and remembered");
    }
    assert_eq!(open(&[(1, size), (9, size)]), whole, "until it is whole again");
    let first = open(&[(1, 5), (9, size)]);
    assert_eq!(first.0, [(Some(1), false), (Some(9), true), (Some(9), true)]);
    let both = open(&[(1, 5), (9, 6)]);
    assert_eq!(
        both.0.map(|(at, present)| (at.is_some(), present)),
        [(true, false); 3]
    );
}
