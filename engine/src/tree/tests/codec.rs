//! A segment, a list and a page decode to exactly what was put in, and nothing else passes for one.

use super::*;
use chunkstore::error::{TreeFault, TreeFeature, TreePart};
use std::collections::{BTreeMap, BTreeSet};

/// What decodes is canonical, whatever else happens to it.
fn judge(plain: &[u8]) {
    if let Ok(runs) = decode(plain) {
        assert_eq!(encode(&runs), plain);
        for run in &runs {
            for entry in &run.entries {
                assert_eq!(check_entry(&run.dir, entry), Ok(()));
            }
        }
        assert!(references(plain).is_ok());
    }
    if let Ok(extents) = decode_extent_list(plain) {
        assert_eq!(encode_extent_list(&extents), plain);
    }
    if let Ok(rows) = decode_page(plain) {
        assert_eq!(page::encode_page(rows.iter()).unwrap(), plain);
    }
    let _ = references(plain);
    let _ = Root::decode(plain);
}

/// Kind, id, two numbers, and the hash of a small file.
type Found = (u8, ChunkId, u64, u64, [u8; 16]);

fn refs_of(stream: &Stream) -> BTreeSet<Found> {
    let mut refs = BTreeSet::new();
    for (_, entry) in stream {
        match &entry.content {
            Content::None => {}
            Content::Bundled {
                bundle,
                offset,
                len,
                hash,
            } => {
                refs.insert((0, *bundle, u64::from(*offset), u64::from(*len), hash.0));
            }
            Content::Extents(extents) => {
                for extent in extents {
                    if let Extent::Chunk { id, len } = extent {
                        refs.insert((1, *id, u64::from(*len), 0, [0; 16]));
                    }
                }
            }
            Content::Lists(lists) => {
                refs.extend(
                    lists
                        .iter()
                        .map(|list| (2, list.id, u64::from(list.extents), list.bytes, [0; 16])),
                );
            }
        }
    }
    refs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn segments_round_trip(stream in stream(40)) {
        let runs = runs(&stream);
        for run in &runs {
            for entry in &run.entries {
                prop_assert_eq!(check_entry(&run.dir, entry), Ok(()));
            }
        }
        let plain = encode(&runs);
        prop_assert_eq!(decode(&plain), Ok(runs));
    }

    #[test]
    fn references_are_those_of_the_entries(stream in stream(40)) {
        let mut found = Vec::new();
        for reference in references(&encode(&runs(&stream))).unwrap() {
            match reference {
                Reference::Bundle { id, files } => {
                    prop_assert!(!files.is_empty() && files.iter().all(|file| file.bundle == id));
                    found.extend(files.iter().map(|file| (0, id, u64::from(file.offset), u64::from(file.len), file.hash.0)));
                }
                Reference::Chunk { id, len } => found.push((1, id, u64::from(len), 0, [0; 16])),
                Reference::ExtentList { id, extents, bytes } => found.push((2, id, u64::from(extents), bytes, [0; 16])),
            }
        }
        let distinct: BTreeSet<_> = found.iter().copied().collect();
        prop_assert_eq!(distinct.len(), found.len());
        prop_assert_eq!(distinct, refs_of(&stream));
    }

    #[test]
    fn damaged_segments_are_refused_or_canonical(
        stream in stream(12),
        flips in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<Index>()),
    ) {
        let mut plain = encode(&runs(&stream));
        // The beginning determines how all else is read, so half the flips go there.
        for (i, (at, value)) in flips.iter().enumerate() {
            let within = if i % 2 == 0 { plain.len().min(60) } else { plain.len() };
            plain[at.index(within)] ^= value;
        }
        if let Some(cut) = cut {
            plain.truncate(cut.index(plain.len()));
        }
        judge(&plain);
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(kind in 0u8..5, body in vec(any::<u8>(), 0..200)) {
        judge(&[&[kind, 1], body.as_slice()].concat());
        judge(&body);
    }

    #[test]
    fn small_bytes_are_refused_or_canonical(kind in 1u8..4, body in vec(0u8..6, 0..60)) {
        judge(&[&[kind, 1], body.as_slice()].concat());
    }

    #[test]
    fn extent_lists_round_trip(extents in extents(), flip in any::<(Index, u8)>()) {
        let mut plain = encode_extent_list(&extents);
        let chunks = references(&plain).unwrap();
        prop_assert_eq!(decode_extent_list(&plain), Ok(extents.clone()));
        let ids: BTreeMap<_, _> = extents.iter().filter_map(|extent| match extent {
            Extent::Chunk { id, len } => Some(((*id, *len), ())),
            Extent::Zero { .. } => None,
        }).collect();
        prop_assert_eq!(chunks.len(), ids.len());
        let at = flip.0.index(plain.len());
        plain[at] ^= flip.1;
        judge(&plain);
    }
}

fn extents() -> impl Strategy<Value = Vec<Extent>> {
    let extent = prop_oneof![
        (id(), 1u32..4).prop_map(|(id, len)| Extent::Chunk { id, len }),
        (1u64..9).prop_map(|len| Extent::Zero { len }),
    ];
    vec(extent, 1..50)
}

#[test]
fn every_truncation_and_every_appended_byte_is_refused() {
    let plain = encode(&runs(&plain_stream(30)));
    for len in 0..plain.len() {
        assert!(decode(&plain[..len]).is_err(), "{len}");
    }
    assert!(decode(&[&plain[..], &[0]].concat()).is_err());
}

#[test]
fn single_flips_are_refused_or_canonical() {
    let mut stream = plain_stream(6);
    stream[1].1.kind = Kind::Symlink {
        target: b"x".to_vec(),
    };
    stream[1].1.content = Content::None;
    stream[1].1.meta.size = 0;
    stream[2].1.meta.nlink = 2;
    stream[3].1.meta.xattrs = Arc::new([Xattr {
        name: b"user.a".to_vec(),
        value: b"1".to_vec(),
    }]);
    stream[4].1.meta.btime = None;
    stream[5].1.trouble = Some(Trouble::Changed);
    let mut plain = encode(&runs(&stream));
    for at in 0..plain.len() {
        for value in 1..=255 {
            plain[at] ^= value;
            judge(&plain);
            plain[at] ^= value;
        }
    }
}

/// Beside an errno stands what it means; another pair is what another system's version writes.
#[test]
fn a_reason_that_is_not_linuxs_is_a_newer_format() {
    let mut stream = plain_stream(1);
    stream[0].1.trouble = Some(Trouble::Unreadable { errno: 116 });
    let mut plain = encode(&runs(&stream));
    assert_eq!(decode(&plain).unwrap(), runs(&stream));
    let at = plain.windows(3).position(|bytes| bytes == [1, 2, 116]).unwrap();
    plain[at + 1] = 3;
    assert!(matches!(decode(&plain), Err(CodecError::Newer(_))));
}

#[test]
fn wrong_entries_are_refused_on_both_ways() {
    type Spoil = fn(&mut Stream);
    let wrong: Vec<(&str, Spoil)> = vec![
        ("empty", |s| s[0].1.name.clear()),
        ("dot", |s| s[0].1.name = b".".to_vec()),
        ("dots", |s| s[0].1.name = b"..".to_vec()),
        ("slash", |s| s[0].1.name = b"a/b".to_vec()),
        ("nul", |s| s[0].1.name = b"a\0b".to_vec()),
        ("long", |s| s[0].1.name = vec![b'a'; limits::COMPONENT + 1]),
        ("dir", |s| s[0].0 = Arc::from(*b"a//b")),
        ("dir up", |s| s[0].0 = Arc::from(*b"a/../b")),
        ("dir absolute", |s| s[0].0 = Arc::from(*b"/a")),
        ("dir deep", |s| {
            s[0].0 = vec![vec![b'a']; limits::DEPTH + 1].join(&b'/').into()
        }),
        ("mode", |s| s[0].1.meta.mode = 0o10000),
        ("nanos", |s| s[0].1.meta.mtime.nanos = 1_000_000_000),
        ("size", |s| s[0].1.kind = Kind::Fifo),
        ("errno", |s| {
            s[0].1.trouble = Some(Trouble::Unreadable { errno: -1 })
        }),
        ("extents", |s| s[0].1.content = Content::Extents(vec![])),
        ("zeros", |s| {
            s[0].1.content = Content::Extents(vec![Extent::Zero { len: 0 }])
        }),
        ("sum", |s| {
            s[0].1.content = Content::Extents(vec![Extent::Zero { len: u64::MAX }; 2])
        }),
        ("many", |s| {
            s[0].1.content = Content::Extents(vec![Extent::Zero { len: 1 }; 4097])
        }),
        ("lists", |s| s[0].1.content = Content::Lists(vec![])),
        ("xattr", |s| {
            let value = vec![0; limits::XATTR_VALUE + 1];
            s[0].1.meta.xattrs = Arc::new([Xattr {
                name: b"a".to_vec(),
                value,
            }]);
        }),
        ("xattr order", |s| {
            let xattr = |name: &[u8]| Xattr {
                name: name.to_vec(),
                value: vec![],
            };
            s[0].1.meta.xattrs = Arc::new([xattr(b"b"), xattr(b"a")]);
        }),
        ("target", |s| {
            s[0].1 = plain_entry(0);
            s[0].1.kind = Kind::Symlink { target: vec![0] };
        }),
    ];
    for (what, spoil) in wrong {
        let mut stream = plain_stream(1);
        spoil(&mut stream);
        let (dir, entry) = &stream[0];
        assert!(check_entry(dir, entry).is_err(), "{what}");
        assert!(decode(&encode(&runs(&stream))).is_err(), "{what}");
        let pieces = Pieces::default();
        let mut writer = TreeWriter::new(KEY, pieces.store());
        assert!(writer.push(dir, entry.clone()).is_err(), "{what}");
        assert!(writer.finish().unwrap().entries == 0, "{what}");
    }
}

#[test]
fn wrong_order_is_refused() {
    let swapped = |a: usize, b: usize| {
        let mut stream = plain_stream(45);
        stream.swap(a, b);
        decode(&encode(&runs(&stream)))
    };
    assert!(swapped(0, 0).is_ok());
    assert!(swapped(3, 4).is_err());
    assert!(swapped(3, 25).is_err());
    let mut runs = runs(&plain_stream(45));
    runs.swap(0, 1);
    assert!(decode(&encode(&runs)).is_err());
    runs.swap(0, 1);
    runs[1].entries.clear();
    assert!(decode(&encode(&runs)).is_err());
    assert!(decode(&encode(&[])).is_err());
}

#[test]
fn small_bytes_cannot_ask_for_much_memory() {
    // 64 directories of 1 MB each in 1 MB of plaintext.
    let long = vec![vec![b'x'; 4000]; 256].join(&b'/');
    let mut stream = Stream::new();
    for i in 0..64u8 {
        let dir = [long.as_slice(), &[b'/', b'A' + i / 26, b'A' + i % 26]].concat();
        let mut entry = plain_entry(0);
        entry.name = b"a".to_vec();
        stream.push((dir.into(), entry));
    }
    let plain = encode(&runs(&stream));
    assert!(plain.len() < 2 << 20);
    assert_eq!(
        decode(&plain),
        Err(CodecError::Damaged(TreePart::Name, TreeFault::TooMany))
    );

    // Counts without the bytes for them.
    for body in [
        [0xff, 0xff, 3, 0xff, 0xff, 3, 0].as_slice(),
        &[1, 0xff, 0xff, 3, 1, 1, 1, 0],
    ] {
        assert!(decode(&[&[1, 1], body].concat()).is_err());
    }
    let stream: Stream = plain_stream(limits::ENTRIES + 1);
    assert!(decode(&encode(&runs(&stream))).is_err());
}

#[test]
fn unknown_features_are_named() {
    let plain = encode(&runs(&plain_stream(1)));
    let mut layout = plain.clone();
    layout[1] = 2;
    assert_eq!(
        decode(&layout),
        Err(super::super::fault::newer(TreeFeature::SegmentLayout(2)))
    );
    let mut section = plain.clone();
    section[5] = 21;
    assert_eq!(
        decode(&section),
        Err(super::super::fault::newer(TreeFeature::Section(21)))
    );
    let error = decode(&layout).unwrap_err().of(&ChunkId([0; 32]));
    assert!(matches!(
        error,
        crate::Error::Store(chunkstore::Error::NewerFormat { .. })
    ));
}

/// The format, as it is written: a change here is a new layout.
#[test]
fn known_bytes() {
    let mut stream = plain_stream(3);
    stream[2].1.content = Content::Extents(vec![
        Extent::Chunk {
            id: ChunkId([1; 32]),
            len: 10,
        },
        Extent::Zero { len: 5 },
    ]);
    let plain = encode(&runs(&stream));
    let hash = blake3::hash(&plain).to_hex();
    assert_eq!(&hash[..16], "00e31a0291a99fb2");
    let pieces = Pieces::default();
    let root = pieces.write(cut::Params::default(), &plain_stream(20_000));
    let hash = blake3::hash(&minicbor::to_vec(&root).unwrap()).to_hex();
    assert_eq!(&hash[..16], "bb712d857eda2709");
}
