//! Tests of the stream as a whole: streams to try it on, and a store in memory that counts.

mod codec;
mod speed;
mod stream;

use super::*;
use crate::Result;
use crate::entry::{Content, DirPath, Entry, Extent, ExtentList, Kind, Meta, Time, Trouble, Xattr};
use chunkstore::keys::SealedSessionKey;
use chunkstore::{ChunkId, ContentHash, PackId, Place};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

pub(super) type Stream = Vec<(DirPath, Entry)>;

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        // Few letters share prefixes; `-` and `.` sort around the slash.
        8 => vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'-'), Just(b'.')], 1..5),
        2 => vec(any::<u8>(), 1..300),
    ]
    .prop_map(|mut name| {
        name.iter_mut()
            .filter(|b| matches!(b, 0 | b'/'))
            .for_each(|b| *b = 0xff);
        if name == b"." || name == b".." {
            b"...".to_vec()
        } else {
            name
        }
    })
}

fn dir() -> impl Strategy<Value = Vec<u8>> {
    vec(name(), 0..4).prop_map(|names| names.join(&b'/'))
}

/// Few distinct ids, so that tables are used more than once.
fn id() -> impl Strategy<Value = ChunkId> {
    any::<u8>().prop_map(|b| ChunkId([b % 16; 32]))
}

fn time() -> impl Strategy<Value = Time> {
    let secs = prop_oneof![any::<i64>(), -5i64..5, 1_700_000_000i64..1_700_000_100];
    (secs, prop_oneof![Just(0), 0u32..1_000_000_000]).prop_map(|(secs, nanos)| Time { secs, nanos })
}

fn xattrs() -> impl Strategy<Value = Arc<[Xattr]>> {
    let name = vec(1u8.., 1..20);
    let some = btree_map(name, vec(any::<u8>(), 0..300), 1..4);
    let few = btree_map(Just(b"user.x".to_vec()), vec(0u8..2, 1), 1);
    let big = btree_map(Just(b"big".to_vec()), vec(any::<u8>(), 60_000..65_536), 1);
    prop_oneof![12 => Just(Default::default()), 4 => few, 3 => some, 1 => big].prop_map(|map| {
        map.into_iter()
            .map(|(name, value)| Xattr { name, value })
            .collect()
    })
}

fn meta() -> impl Strategy<Value = Meta> {
    let owner = || prop_oneof![Just(""), Just("root"), Just("wheel"), Just("ünïcode")].prop_map(Arc::from);
    let ids = (
        prop_oneof![Just(0o644), 0u32..0o10000],
        0u32..3,
        any::<u32>(),
        owner(),
        owner(),
    );
    let numbers = (
        prop_oneof![Just(7), any::<u64>()],
        any::<u64>(),
        prop_oneof![4 => Just(1), 1 => any::<u64>()],
    );
    let flags = prop_oneof![4 => Just(0), 1 => any::<u32>()];
    let numbers = (numbers, flags);
    (ids, (time(), time(), option::of(time())), numbers, xattrs()).prop_map(
        |((mode, uid, gid, user, group), (mtime, ctime, btime), ((dev, ino, nlink), flags), xattrs)| Meta {
            mode,
            uid,
            gid,
            user,
            group,
            size: 0,
            mtime,
            ctime,
            btime,
            dev,
            ino,
            nlink,
            xattrs,
            flags,
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let part = (id(), 0u32..3, 1u32.., any::<[u8; 16]>());
    let bundled = part.prop_map(|(bundle, offset, len, hash)| Content::Bundled {
        bundle,
        offset,
        len: len.min(u32::MAX - 2),
        hash: ContentHash(hash),
    });
    let next = (0u32..20).prop_map(|offset| Content::Bundled {
        bundle: ChunkId([3; 32]),
        offset: offset * 10,
        len: 10,
        hash: ContentHash([1; 16]),
    });
    let extent = prop_oneof![
        3 => (id(), 1u32..4).prop_map(|(id, len)| Extent::Chunk { id, len }),
        1 => (1u64..1 << 50).prop_map(|len| Extent::Zero { len }),
    ];
    let list =
        (id(), 1u32..=4096, 1u64..1 << 50).prop_map(|(id, extents, bytes)| ExtentList { id, extents, bytes });
    prop_oneof![
        1 => Just(Content::None),
        2 => bundled,
        4 => next,
        2 => vec(extent, 1..9).prop_map(Content::Extents),
        1 => vec(list, 1..5).prop_map(Content::Lists),
    ]
}

fn trouble() -> impl Strategy<Value = Option<Trouble>> {
    prop_oneof![
        12 => Just(None),
        1 => Just(Some(Trouble::Changed)),
        1 => (0i32..200).prop_map(|errno| Some(Trouble::Unreadable { errno })),
        1 => Just(Some(Trouble::Unknown { errno: i32::MAX })),
        1 => Just(Some(Trouble::NoXattrs { errno: 95 })),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let file = (content(), option::weighted(0.1, any::<u64>()))
        .prop_map(|(content, size)| (Kind::File, content, size));
    let other = prop_oneof![
        3 => Just(Kind::Dir),
        3 => vec(1u8.., 0..40).prop_map(|target| Kind::Symlink { target }),
        1 => any::<u64>().prop_map(|rdev| Kind::CharDevice { rdev }),
        1 => any::<u64>().prop_map(|rdev| Kind::BlockDevice { rdev }),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Socket),
    ];
    let what = prop_oneof![2 => file, 1 => other.prop_map(|kind| (kind, Content::None, None))];
    (what, meta(), trouble()).prop_map(|((kind, content, size), mut meta, trouble)| {
        let covered = match &content {
            Content::Bundled { len, .. } => u64::from(*len),
            Content::Extents(extents) => extents.iter().map(Extent::len).sum(),
            Content::Lists(lists) => lists.iter().map(|list| list.bytes).sum(),
            Content::None => 0,
        };
        meta.size = size.unwrap_or(covered);
        Entry {
            name: Vec::new(),
            kind,
            meta,
            content,
            trouble,
        }
    })
}

/// Anything the stream may hold, in order.
pub(super) fn stream(most: usize) -> impl Strategy<Value = Stream> {
    btree_map((dir(), name()), entry(), 1..most).prop_map(|map| {
        let mut stream: Stream = Vec::new();
        for ((dir, name), mut entry) in map {
            entry.name = name;
            stream.push((dir.into(), entry));
        }
        sort(&mut stream);
        stream
    })
}

fn sort(stream: &mut Stream) {
    stream.sort_by(|(a, x), (b, y)| cmp_keys((a, &x.name), (b, &y.name)));
}

pub(super) fn runs(stream: &Stream) -> Vec<Run> {
    let listings = stream.chunk_by(|(a, _), (b, _)| a == b);
    let run = |listing: &[(DirPath, Entry)]| Run {
        dir: listing[0].0.clone(),
        entries: listing.iter().map(|(_, entry)| entry.clone()).collect(),
    };
    listings.map(run).collect()
}

/// A tree like a source tree: directories of about 20 files in bundles, some links, one owner.
pub(super) fn plain_stream(entries: usize) -> Stream {
    let mut stream: Stream = Vec::new();
    for i in 0..entries {
        let dir = format!("home/user/project-{:02}/src/module-{:04}", i / 2000, i / 20);
        stream.push((dir.into_bytes().into(), plain_entry(i)));
    }
    let mut last = stream[0].0.clone();
    for (dir, _) in &mut stream {
        if *dir == last {
            *dir = last.clone();
        }
        last = dir.clone();
    }
    stream
}

pub(super) fn plain_entry(i: usize) -> Entry {
    let noise = blake3::hash(&(i as u64).to_le_bytes());
    let word = |at: usize| u32::from_le_bytes(noise.as_bytes()[at..at + 4].try_into().unwrap());
    let len = word(0) % 20_000 + 1;
    let time = |secs: u32, nanos| Time {
        secs: 1_700_000_000 + i64::from(secs),
        nanos: nanos % 1_000_000_000,
    };
    Entry {
        name: format!("file_{:05}_{:03}.rs", i, word(4) % 1000).into_bytes(),
        kind: Kind::File,
        meta: Meta {
            mode: if i.is_multiple_of(50) { 0o755 } else { 0o644 },
            uid: 1000,
            gid: 1000,
            user: "user".into(),
            group: "user".into(),
            size: u64::from(len),
            mtime: time(word(8) % 10_000_000, word(12)),
            ctime: time(i as u32 / 1000, word(16)),
            btime: Some(time(i as u32 / 1000, word(20))),
            dev: 65024,
            ino: 5_000_000 + i as u64 + u64::from(word(24) % 7),
            nlink: 1,
            xattrs: Default::default(),
            flags: 0,
        },
        content: Content::Bundled {
            bundle: ChunkId(blake3::hash(&(i as u64 / 100).to_le_bytes()).into()),
            offset: (i % 100) as u32 * 20_000,
            len,
            hash: ContentHash(noise.as_bytes()[..16].try_into().unwrap()),
        },
        trouble: None,
    }
}

pub(super) const KEY: [u8; 32] = [7; 32];

/// Bounds that cut a few dozen entries into several segments.
pub(super) const SMALL: cut::Params = cut::Params {
    min_cost: 300,
    max_cost: 20_000,
    max_entries: 12,
    mask: 3,
};

/// Keeps pieces by id and counts what is asked of it.
#[derive(Default)]
pub(super) struct Pieces {
    kept: RefCell<HashMap<ChunkId, Vec<u8>>>,
    pub(super) stores: Cell<usize>,
    pub(super) loads: Cell<usize>,
}

impl Pieces {
    pub(super) fn store(&self) -> impl FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)> {
        |plain| {
            self.stores.set(self.stores.get() + 1);
            let id = ChunkId(blake3::hash(plain).into());
            self.kept.borrow_mut().insert(id, plain.to_vec());
            let place = Place {
                pack: PackId([(id.0[0] % 4); 32]),
                offset: id.0[1].into(),
                stored_len: plain.len() as u32,
                plain_len: plain.len() as u32,
                codec: 1,
                sealed_key: SealedSessionKey::dummy(id.0[0] % 2),
            };
            Ok((id, id.0[2].is_multiple_of(2).then_some(place)))
        }
    }

    pub(super) fn load(&self) -> impl FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> {
        |id, _| {
            self.loads.set(self.loads.get() + 1);
            let kept = self.kept.borrow();
            let plain = kept.get(id).ok_or(chunkstore::Error::missing(id.to_hex()))?;
            Ok(plain.clone())
        }
    }

    pub(super) fn write(&self, params: cut::Params, stream: &Stream) -> Root {
        let mut writer = TreeWriter::with_params(KEY, params, self.store());
        for (dir, entry) in stream {
            writer.push(dir, entry.clone()).unwrap();
        }
        writer.finish().unwrap()
    }

    pub(super) fn cursor(
        &self,
        root: &Root,
    ) -> Cursor<impl FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>> {
        Cursor::new(root, self.load())
    }

    pub(super) fn read(&self, root: &Root) -> Stream {
        rest(&mut self.cursor(root))
    }
}

pub(super) fn rest<L>(cursor: &mut Cursor<L>) -> Stream
where
    L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
{
    let mut stream = Stream::new();
    while let Some(item) = cursor.next().unwrap() {
        stream.push((item.dir, item.entry));
    }
    stream
}

/// One edit of a stream at an index into it.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Remove,
    Touch,
    Insert(Vec<u8>),
}

pub(super) fn edits(most: usize) -> impl Strategy<Value = Vec<(Index, Edit)>> {
    let edit = prop_oneof![
        Just(Edit::Remove),
        Just(Edit::Touch),
        name().prop_map(Edit::Insert)
    ];
    vec((any::<Index>(), edit), 0..most)
}

pub(super) fn edited(stream: &Stream, edits: &[(Index, Edit)]) -> Stream {
    let mut new = stream.clone();
    for (index, edit) in edits {
        if new.is_empty() {
            break;
        }
        let at = index.index(new.len());
        match edit {
            Edit::Remove => {
                new.remove(at);
            }
            Edit::Touch => new[at].1.meta.ino ^= 1,
            Edit::Insert(name) => {
                let (dir, mut entry) = new[at].clone();
                entry.name.extend_from_slice(name);
                new.push((dir, entry));
                sort(&mut new);
                new.dedup_by(|(a, x), (b, y)| a == b && x.name == y.name);
            }
        }
    }
    new
}
