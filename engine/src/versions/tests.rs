//! Versions by their entries alone; over real generations they are tested with the whole program.

use super::*;
use crate::entry::{Content, Time};
use crate::fsmeta::Blank;
use chunkstore::ContentHash;

fn entry(content: u8, mtime: i64) -> Entry {
    let mut meta = Blank::default().meta();
    (meta.size, meta.nlink) = (3, 1);
    meta.mtime = Time {
        secs: mtime,
        nanos: 0,
    };
    Entry {
        name: b"f".to_vec(),
        kind: Kind::File,
        meta,
        content: Content::Bundled {
            // Where it lies says nothing about what it is.
            bundle: ChunkId([mtime as u8; 32]),
            offset: 0,
            len: 3,
            hash: ContentHash([content; 16]),
        },
        trouble: None,
    }
}

#[test]
fn a_version_is_a_content() {
    use VersionChange::{Content, First, Metadata, Unchanged};
    let mut versions = Versions::default();
    let rows = [(1, 10), (1, 10), (2, 20), (2, 25), (1, 30), (3, 40)];
    for (at, (content, mtime)) in (0u8..).zip(rows) {
        versions.add(SessionId([at; 16]), &entry(content, mtime));
    }
    let seen: Vec<_> = versions
        .into_vec()
        .iter()
        .map(|version| {
            let holdings = version.holdings.iter();
            let holdings = holdings.map(|holding| (holding.snapshot.0[0], holding.change));
            (version.entry.meta.mtime.secs, holdings.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        seen,
        [
            (30, vec![(0, First), (1, Unchanged), (4, Content)]),
            (25, vec![(2, Content), (3, Metadata)]),
            (40, vec![(5, Content)]),
        ]
    );
}
