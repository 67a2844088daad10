//! Where segments, pages and extent lists end. Pure rules over what was seen since the last cut, so that equal
//! stretches of two streams are cut equally whatever came before, and a change moves only the cuts around it.
//!
//! A segment ends after an entry whose keyed hash of directory and name matches: metadata and content don't matter,
//! so a touched file never moves a cut by itself. The key keeps an observer from predicting piece boundaries.

use super::limits;
use crate::entry::{Content, Entry, Extent, Kind};
use chunkstore::ChunkId;

/// Bounds of a segment; `TreeWriter::new` uses [`Params::default`], others are for tests.
#[derive(Clone, Copy, Debug)]
pub struct Params {
    /// Cost below which a segment does not end.
    pub min_cost: u64,
    /// Cost from which a segment ends at once.
    pub max_cost: u64,
    pub max_entries: u64,
    /// A segment ends where all these bits of the hash are zero.
    pub mask: u64,
}

impl Default for Params {
    /// An entry costs about 80, so 64 KiB are 800 entries and 2,048 more come on average: some 2,900 of 230 KiB.
    fn default() -> Self {
        Self {
            min_cost: 64 << 10,
            max_cost: 1 << 20,
            max_entries: (limits::ENTRIES / 4) as u64,
            mask: (1 << 11) - 1,
        }
    }
}

/// About the bytes of `entry` in a segment: a fixed share of the columns, and what has no fixed length. Part of the
/// format in that another formula cuts elsewhere.
pub fn cost(entry: &Entry) -> u64 {
    let content = match &entry.content {
        Content::None => 0,
        Content::Bundled { .. } => 24,
        Content::Extents(extents) => 40 * extents.len(),
        Content::Lists(lists) => 48 * lists.len(),
    };
    let target = match &entry.kind {
        Kind::Symlink { target } => target.len(),
        Kind::File
        | Kind::Dir
        | Kind::CharDevice { .. }
        | Kind::BlockDevice { .. }
        | Kind::Fifo
        | Kind::Socket => 0,
    };
    let meta = &entry.meta;
    let xattrs: usize = meta
        .xattrs
        .iter()
        .map(|x| x.name.len() + x.value.len() + 16)
        .sum();
    (36 + entry.name.len() + meta.user.len() + meta.group.len() + content + target + xattrs) as u64
}

/// Cost of beginning a directory, once in every segment that holds some of it.
pub fn dir_cost(dir: &[u8]) -> u64 {
    4 + dir.len() as u64
}

/// The rule for segments, and what it knows of the open one.
pub(super) struct Cutter {
    key: [u8; 32],
    params: Params,
    cost: u64,
    entries: u64,
    scratch: Vec<u8>,
}

impl Cutter {
    pub(super) fn new(key: [u8; 32], params: Params) -> Self {
        Self {
            key,
            params,
            cost: 0,
            entries: 0,
            scratch: Vec::new(),
        }
    }

    /// Counts one more entry.
    pub(super) fn add(&mut self, cost: u64) {
        self.cost += cost;
        self.entries += 1;
    }

    /// Whether the segment ends after the entry last added, which is `name` in `dir`.
    pub(super) fn ends(&mut self, dir: &[u8], name: &[u8]) -> bool {
        if self.cost >= self.params.max_cost || self.entries >= self.params.max_entries {
            return true;
        }
        self.cost >= self.params.min_cost && self.hash(dir, name) & self.params.mask == 0
    }

    pub(super) fn restart(&mut self) {
        self.cost = 0;
        self.entries = 0;
    }

    fn hash(&mut self, dir: &[u8], name: &[u8]) -> u64 {
        self.scratch.clear();
        self.scratch.extend_from_slice(dir);
        self.scratch.push(0);
        self.scratch.extend_from_slice(name);
        low_bits(blake3::keyed_hash(&self.key, &self.scratch).as_bytes())
    }
}

fn low_bits(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Ids are keyed hashes already: `n` items, the last of which is named `id`, end here. 512 or 1,024 on average.
fn ends_at_id(n: usize, id: Option<&ChunkId>, min: usize, max: usize, mask: u64) -> bool {
    n >= max || (n >= min && id.is_some_and(|id| low_bits(&id.0) & mask == 0))
}

/// Segments on a page.
pub const PAGE_MAX: usize = 1024;

/// Whether a page ends after its `n`th segment, which is `id`.
pub(super) fn page_ends(n: usize, id: &ChunkId) -> bool {
    ends_at_id(n, Some(id), PAGE_MAX / 8, PAGE_MAX, 0x1ff)
}

/// Whether an extent list ends after its `n`th extent.
pub(super) fn list_ends(n: usize, extent: &Extent) -> bool {
    let id = match extent {
        Extent::Chunk { id, .. } => Some(id),
        Extent::Zero { .. } => None,
    };
    ends_at_id(n, id, limits::EXTENTS / 16, limits::EXTENTS, 0x3ff)
}
