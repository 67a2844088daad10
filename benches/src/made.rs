//! Made-up trees and index segments, where real files and packs would take too long to make.

use crate::noise;
use chunkstore::compress::Codec;
use chunkstore::indexfile::{IndexEntry, IndexSegment, PackRecord};
use chunkstore::pack::Class;
use chunkstore::smallfile::Part;
use chunkstore::{ChunkId, ContentHash, PackId};
use engine::entry::{Content, DirPath, Entry, Kind, Meta, Time};

/// Entries of a directory.
const EACH: u64 = 100;

/// A stream of `count` small files as a tree of directories holds them.
pub fn stream(count: u64) -> impl Iterator<Item = (DirPath, Entry)> {
    let blank = engine::fsmeta::Blank::default().meta();
    (0..count.div_ceil(EACH)).flat_map(move |dir| {
        let path: DirPath = format!("home/user/{:05}/{:03}", dir / 1000, dir % 1000)
            .into_bytes()
            .into();
        let blank = blank.clone();
        (0..EACH.min(count - dir * EACH)).map(move |name| (path.clone(), entry(&blank, dir * EACH + name)))
    })
}

/// The same with the directories that they are in, as a backup of `/home` stores them.
pub fn tree(count: u64) -> impl Iterator<Item = (DirPath, Entry)> {
    let dirs = count.div_ceil(EACH);
    let upper = dirs.div_ceil(1000);
    let top = [("", "home".to_string()), ("home", "user".to_string())];
    let uppers = (0..upper).map(|dir| ("home/user", format!("{dir:05}")));
    let top = top.into_iter().chain(uppers);
    let top = top.map(|(dir, name)| (dir.as_bytes().into(), directory(&name)));
    top.chain((0..upper).flat_map(move |upper| {
        let path: DirPath = format!("home/user/{upper:05}").into_bytes().into();
        let here = (dirs - upper * 1000).min(1000);
        let listing = (0..here).map(move |dir| (path.clone(), directory(&format!("{dir:03}"))));
        let first = upper * 1000 * EACH;
        let files = (count - first).min(1000 * EACH);
        listing.chain(stream(first + files).skip(first as usize))
    }))
}

/// `count` small files in one directory, with those above it.
pub fn wide(count: u64) -> impl Iterator<Item = (DirPath, Entry)> {
    let blank = engine::fsmeta::Blank::default().meta();
    let above = [("", "home"), ("home", "wide")];
    let above = above.map(|(dir, name)| (dir.as_bytes().into(), directory(name)));
    let path: DirPath = b"home/wide".as_slice().into();
    above.into_iter().chain((0..count).map(move |number| {
        let name = format!("document_{number:06}.txt").into_bytes();
        let entry = Entry {
            name,
            ..entry(&blank, number)
        };
        (path.clone(), entry)
    }))
}

fn directory(name: &str) -> Entry {
    let blank = engine::fsmeta::Blank::default().meta();
    Entry {
        name: name.as_bytes().to_vec(),
        kind: Kind::Dir,
        meta: Meta {
            mode: 0o755,
            nlink: 2,
            ..blank
        },
        content: Content::None,
        trouble: None,
    }
}

fn entry(blank: &Meta, number: u64) -> Entry {
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number << 29);
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&random.to_le_bytes());
    hash[8..].copy_from_slice(&random.rotate_left(23).wrapping_mul(31).to_le_bytes());
    let mut bundle = [7; 32];
    bundle[..8].copy_from_slice(&(number / 200).wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    let size = random % 8192 + 1;
    let time = Time {
        secs: 1_700_000_000 + (random % 10_000_000) as i64,
        nanos: (random % 1_000_000_000) as u32,
    };
    Entry {
        name: format!("document_{:03}.txt", number % EACH).into_bytes(),
        kind: Kind::File,
        meta: Meta {
            mode: 0o644,
            uid: 1000,
            gid: 1000,
            size,
            mtime: time,
            ctime: time,
            btime: Some(time),
            dev: 2049,
            ino: 1_000_000 + number,
            nlink: 1,
            ..blank.clone()
        },
        content: Content::Bundled {
            bundle: ChunkId(bundle),
            offset: (number % 200) as u32 * 4096,
            len: size as u32,
            hash: ContentHash(hash),
        },
        trouble: None,
    }
}

/// Ids of the chunks of one segment, sorted.
pub fn ids(segment: u64, count: usize) -> Vec<ChunkId> {
    let mut ids: Vec<ChunkId> = noise(segment, count * 32)
        .chunks_exact(32)
        .filter_map(ChunkId::from_slice)
        .collect();
    ids.sort_unstable();
    ids
}

/// Files in a bundle that a collection has made: of 5 KiB each, as a tree of source files has them.
const BUNDLED: usize = 300;

/// Hashes of the moved files of one segment, in the order of their bundles.
pub fn moved_hashes(segment: u64, count: usize) -> Vec<ContentHash> {
    let bytes = noise(segment | 1 << 50, count * ContentHash::LEN);
    let hashes = bytes.chunks_exact(ContentHash::LEN);
    hashes.filter_map(ContentHash::from_slice).collect()
}

/// An index segment of bundles that `count` small files were moved into.
pub fn moved_segment(number: u64, count: usize) -> IndexSegment {
    let hashes = moved_hashes(number, count);
    let mut segment = segment(number, count.div_ceil(BUNDLED));
    for (at, (entry, files)) in segment.entries.iter_mut().zip(hashes.chunks(BUNDLED)).enumerate() {
        let mut offset = 0;
        for hash in files {
            let len = 200 + u32::from(hash.as_bytes()[0]) * 38;
            segment.parts.push(Part {
                at: at as u32,
                offset,
                len,
                hash: *hash,
            });
            offset += len;
        }
        (entry.plain_len, entry.stored_len) = (offset, offset / 3);
    }
    segment
}

/// An index segment of `count` chunks in 32 packs.
pub fn segment(number: u64, count: usize) -> IndexSegment {
    let packs = 32;
    IndexSegment {
        packs: (0..packs)
            .map(|pack| {
                let mut id = [0; 32];
                id.copy_from_slice(&noise(number << 8 | u64::from(pack), 32));
                PackRecord {
                    id: PackId(id),
                    class: Class::Data,
                    size: 32 << 20,
                    sealed_keys: vec![chunkstore::keys::SealedSessionKey::dummy(1)],
                }
            })
            .collect(),
        entries: ids(number, count)
            .into_iter()
            .enumerate()
            .map(|(at, id)| IndexEntry {
                id,
                pack: at as u32 % packs,
                offset: at as u32 / packs * 5000,
                stored_len: 5000,
                plain_len: 20_000,
                codec: Codec::Zstd,
                key: 0,
            })
            .collect(),
        parts: Vec::new(),
    }
}
