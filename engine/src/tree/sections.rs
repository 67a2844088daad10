//! The parts of a segment by their tags, and what every piece begins with.

use super::bytes::{Reader, put_varint};
use super::fault::{CodecError, TreeFault, TreePart, damaged, newer};
use super::{LAYOUT, limits, piece};
use chunkstore::error::TreeFeature;

/// Tags of a segment's sections; written, so never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    /// Per run: prefix shared with the directory before, length of the rest, entries, the rest.
    Dirs = 1,
    /// Per entry: prefix shared with the name before in the directory, length of the rest.
    NameLens = 2,
    /// The rests of the names.
    Names = 3,
    Attrs = 4,
    Mtimes = 5,
    Ctimes = 6,
    Btimes = 7,
    Inodes = 8,
    Devices = 9,
    Links = 10,
    Sizes = 11,
    Xattrs = 12,
    Targets = 13,
    Rdevs = 14,
    Troubles = 15,
    Bundles = 16,
    Chunks = 17,
    Lists = 18,
    Contents = 19,
    Hashes = 20,
    /// 21 to 27 are reserved (docs/format.md).
    Flags = 28,
}

/// The highest tag.
const SECTIONS: usize = 28;

/// Whether this version writes sections of this tag.
fn is_known(tag: usize) -> bool {
    tag <= Section::Hashes as usize || tag == Section::Flags as usize
}

/// A segment's sections by tag; one that is not there is empty.
#[derive(Default)]
pub(super) struct Sections<T = Vec<u8>> {
    by_tag: [T; SECTIONS + 1],
}

impl<T> Sections<T> {
    pub(super) fn set(&mut self, section: Section, body: T) {
        self.by_tag[section as usize] = body;
    }
}

impl Sections {
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let there = || {
            self.by_tag
                .iter()
                .enumerate()
                .filter(|(_, body)| !body.is_empty())
        };
        put_varint(out, there().count() as u64);
        for (tag, body) in there() {
            out.push(tag as u8);
            put_varint(out, body.len() as u64);
        }
        out.reserve(there().map(|(_, body)| body.len()).sum());
        for (_, body) in there() {
            out.extend_from_slice(body);
        }
    }
}

impl<'a> Sections<&'a [u8]> {
    pub(super) fn get(&self, section: Section) -> &'a [u8] {
        self.by_tag[section as usize]
    }

    /// Finds the sections of a segment without looking into them.
    pub(super) fn open(plain: &'a [u8]) -> Result<(Header, Self), CodecError> {
        let mut reader = open_piece(plain, piece::SEGMENT)?;
        let runs = reader.up_to(limits::ENTRIES, (TreePart::Directory, TreeFault::TooMany))?;
        let entries = reader.up_to(limits::ENTRIES, (TreePart::Entry, TreeFault::TooMany))?;
        let count = reader.up_to(SECTIONS, (TreePart::Section, TreeFault::TooMany))?;
        let mut lens = [(0, 0); SECTIONS];
        let mut last = 0;
        for slot in lens.iter_mut().take(count) {
            let tag = usize::from(reader.byte()?);
            if !is_known(tag) {
                return Err(newer(TreeFeature::Section(tag as u64)));
            }
            let len = reader.up_to(limits::PLAIN, (TreePart::Section, TreeFault::TooLong))?;
            if tag <= last || len == 0 {
                return damaged(TreePart::Section, TreeFault::OutOfOrder);
            }
            *slot = (tag, len);
            last = tag;
        }
        let mut sections = Self::default();
        for (tag, len) in lens.into_iter().take(count) {
            sections.by_tag[tag] = reader.take(len)?;
        }
        reader.end()?;
        Ok((Header { runs, entries }, sections))
    }
}

pub(super) struct Header {
    pub(super) runs: usize,
    pub(super) entries: usize,
}

/// Reads what every piece begins with: its type and its layout.
pub(super) fn open_piece<'a>(plain: &'a [u8], kind: u8) -> Result<Reader<'a>, CodecError> {
    if plain.len() > limits::PLAIN {
        return damaged(TreePart::Piece, TreeFault::TooLong);
    }
    let mut reader = Reader::new(plain);
    let [found, layout] = reader.array()?;
    if found != kind {
        return damaged(TreePart::Piece, TreeFault::WrongKind);
    }
    if layout != LAYOUT {
        let layout = u64::from(layout);
        return Err(newer(match kind {
            piece::PAGE => TreeFeature::PageLayout(layout),
            piece::EXTENT_LIST => TreeFeature::ExtentListLayout(layout),
            _ => TreeFeature::SegmentLayout(layout),
        }));
    }
    Ok(reader)
}
