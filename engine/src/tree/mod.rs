//! The stream of entries of a generation, cut into pieces that generations share.
//!
//! Entries come sorted by ([`crate::entry::cmp_dirs`], name): a directory's listing is contiguous, its own entry
//! stands in its parent's listing. [`cut`] decides from names alone where a segment ends, [`codec`] writes a segment
//! as columns, [`page`] lists segments, [`writer`] does all three going up to the manifest and [`cursor`] comes back
//! down; [`mod@diff`] walks two generations and leaves out what they share. Pieces are tree chunks to the store:
//! this module sees a closure that keeps or fetches their plaintext and no store.
//!
//! Keeps I-14: nothing here reserves memory by a length that the bytes at hand do not bear out.

mod bytes;
pub mod codec;
mod columns;
pub mod cursor;
pub mod cut;
pub mod diff;
pub mod extents;
mod fault;
pub mod limits;
mod meta;
mod opened;
pub mod page;
mod refs;
mod sections;
mod troubles;
mod writer;

pub use codec::{Run, Selected, decode, encode, select};
pub use cursor::Cursor;
pub use diff::{Change, Differs, diff};
pub use extents::{ExtentListWriter, open_extent_list};
pub use fault::CodecError;
pub use limits::check_entry;
pub use opened::{Item, ParentPos, ParentSegment};
pub use page::{PageRef, Root, SegmentRef, Segments, decode_page};
pub use refs::{Reference, decode_extent_list, encode_extent_list, references};
pub use writer::TreeWriter;

use std::cmp::Ordering;

/// First byte of a piece's plaintext: what the piece is. Never reused.
pub mod piece {
    pub const SEGMENT: u8 = 1;
    pub const EXTENT_LIST: u8 = 2;
    pub const PAGE: u8 = 3;
}

/// Second byte of every piece: how it is laid out.
pub const LAYOUT: u8 = 1;

/// Order of the stream: of (directory, name) pairs.
pub fn cmp_keys(a: (&[u8], &[u8]), b: (&[u8], &[u8])) -> Ordering {
    // Neighbours are mostly in one directory, and equality is a memcmp.
    let dirs = if a.0 == b.0 {
        Ordering::Equal
    } else {
        crate::entry::cmp_dirs(a.0, b.0)
    };
    dirs.then_with(|| a.1.cmp(b.1))
}

#[cfg(test)]
mod tests;
