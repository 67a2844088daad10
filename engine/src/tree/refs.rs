//! The references of a segment: which chunks its files are made of, in sections of their own, so that garbage
//! collection and check read nothing else ([`references`]).
//!
//! Three tables hold each referenced bundle, whole chunk and extent list once, in order of first use; a column holds
//! what each entry takes of them. A code in the column is mostly "the next one" (or, in a bundle, "goes on where the
//! last file ended"), which is a constant byte to the compressor.

use super::bytes::{Reader, put_varint};
use super::fault::{CodecError, TreeFault, TreePart, damaged, newer};
use super::limits;
use super::sections::{Section, Sections, open_piece};
use super::{LAYOUT, piece};
use crate::entry::{Content, Extent, ExtentList};
use chunkstore::error::TreeFeature;
use chunkstore::{ChunkId, ContentHash, SmallFile};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

// What an entry's content is, in the column of contents.
const NONE: u8 = 0;
/// A part of the last bundle, right after the last part.
const NEXT_PART: u8 = 1;
const PART: u8 = 2;
const EXTENTS: u8 = 3;
const LISTS: u8 = 4;

// Which row of a table, in a run of extents or lists: `ROW + n` is row n, written only where `NEXT` does not apply.
const ZERO: u64 = 0;
const NEXT: u64 = 1;
const ROW: u64 = 2;

const CHUNK_ROW: usize = 36;
const LIST_ROW: usize = 44;

/// One distinct thing that a segment or extent list refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reference {
    /// A data chunk of small files, and the distinct files in use, by offset.
    Bundle { id: ChunkId, files: Vec<SmallFile> },
    /// A data chunk of `len` bytes that is used whole.
    Chunk { id: ChunkId, len: u32 },
    /// A tree chunk with `extents` more references.
    ExtentList { id: ChunkId, extents: u32, bytes: u64 },
}

/// Rows by first use.
struct RefTable<K> {
    rows: Vec<K>,
    known: HashMap<K, u32>,
    /// The row after the one used last.
    next: u32,
}

impl<K: Copy + Eq + Hash> RefTable<K> {
    fn new() -> Self {
        Self {
            rows: Vec::new(),
            known: HashMap::new(),
            next: 0,
        }
    }

    fn row(&mut self, key: K) -> u32 {
        let fresh = self.rows.len() as u32;
        let row = *self.known.entry(key).or_insert(fresh);
        if row == fresh {
            self.rows.push(key);
        }
        row
    }

    /// Writes which row `key` has.
    fn refer(&mut self, key: K, column: &mut Vec<u8>) {
        let row = self.row(key);
        let code = if row == self.next {
            NEXT
        } else {
            ROW + u64::from(row)
        };
        put_varint(column, code);
        self.next = row + 1;
    }
}

/// Collects the contents of a segment's entries, in order.
pub(super) struct ContentEncoder {
    bundles: RefTable<ChunkId>,
    /// Bundle and row of the part last written, and where it ends.
    last: Option<(ChunkId, u32, u32)>,
    chunks: RefTable<(ChunkId, u32)>,
    lists: RefTable<(ChunkId, u32, u64)>,
    column: Vec<u8>,
    hashes: Vec<u8>,
}

impl ContentEncoder {
    pub(super) fn new() -> Self {
        Self {
            bundles: RefTable::new(),
            last: None,
            chunks: RefTable::new(),
            lists: RefTable::new(),
            column: Vec::new(),
            hashes: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, content: &Content) {
        match content {
            Content::None => self.column.push(NONE),
            Content::Bundled {
                bundle,
                offset,
                len,
                hash,
            } => {
                self.push_part(bundle, *offset, *len);
                self.hashes.extend_from_slice(hash.as_bytes());
            }
            Content::Extents(extents) => {
                self.column.push(EXTENTS);
                self.push_extents(extents);
            }
            Content::Lists(lists) => {
                self.column.push(LISTS);
                put_varint(&mut self.column, lists.len() as u64);
                for list in lists {
                    self.lists
                        .refer((list.id, list.extents, list.bytes), &mut self.column);
                }
            }
        }
    }

    fn push_part(&mut self, bundle: &ChunkId, offset: u32, len: u32) {
        let row = match self.last {
            Some((id, row, end)) if id == *bundle => {
                if end == offset {
                    self.column.push(NEXT_PART);
                    put_varint(&mut self.column, u64::from(len));
                    self.last = Some((id, row, offset.saturating_add(len)));
                    return;
                }
                row
            }
            _ => self.bundles.row(*bundle),
        };
        self.column.push(PART);
        for value in [row, offset, len] {
            put_varint(&mut self.column, u64::from(value));
        }
        self.last = Some((*bundle, row, offset.saturating_add(len)));
    }

    fn push_extents(&mut self, extents: &[Extent]) {
        put_varint(&mut self.column, extents.len() as u64);
        for extent in extents {
            match extent {
                Extent::Chunk { id, len } => self.chunks.refer((*id, *len), &mut self.column),
                Extent::Zero { len } => {
                    put_varint(&mut self.column, ZERO);
                    put_varint(&mut self.column, *len);
                }
            }
        }
    }

    pub(super) fn finish(self, sections: &mut Sections) {
        sections.set(
            Section::Bundles,
            self.bundles.rows.iter().flat_map(|id| id.0).collect(),
        );
        sections.set(Section::Chunks, chunk_rows(&self.chunks.rows));
        let mut lists = Vec::with_capacity(self.lists.rows.len() * LIST_ROW);
        for (id, extents, bytes) in &self.lists.rows {
            lists.extend_from_slice(&id.0);
            lists.extend_from_slice(&extents.to_le_bytes());
            lists.extend_from_slice(&bytes.to_le_bytes());
        }
        sections.set(Section::Lists, lists);
        sections.set(Section::Contents, self.column);
        sections.set(Section::Hashes, self.hashes);
    }
}

fn chunk_rows(rows: &[(ChunkId, u32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * CHUNK_ROW);
    for (id, len) in rows {
        out.extend_from_slice(&id.0);
        out.extend_from_slice(&len.to_le_bytes());
    }
    out
}

/// A table being read: fixed-length rows, of which the column must use the first ones first and leave none.
struct Rows<'a, const N: usize> {
    rows: &'a [[u8; N]],
    used: usize,
    next: usize,
}

impl<'a, const N: usize> Rows<'a, N> {
    fn open(section: &'a [u8]) -> Result<Self, CodecError> {
        let (rows, rest) = section.as_chunks::<N>();
        if !rest.is_empty() {
            return damaged(TreePart::Table, TreeFault::Truncated);
        }
        let mut distinct = HashSet::with_capacity(rows.len());
        if !rows.iter().all(|row| distinct.insert(row)) {
            return damaged(TreePart::Table, TreeFault::NotCanonical);
        }
        Ok(Self {
            rows,
            used: 0,
            next: 0,
        })
    }

    #[inline]
    fn get(&mut self, row: usize) -> Result<&'a [u8; N], CodecError> {
        match self.rows.get(row) {
            Some(found) if row <= self.used => {
                self.used = self.used.max(row + 1);
                self.next = row + 1;
                Ok(found)
            }
            _ => damaged(TreePart::Table, TreeFault::OutOfRange),
        }
    }

    /// What [`RefTable::refer`] wrote.
    fn follow(&mut self, code: u64) -> Result<&'a [u8; N], CodecError> {
        match code {
            NEXT => self.get(self.next),
            _ => match usize::try_from(code - ROW) {
                Ok(row) if row != self.next => self.get(row),
                _ => damaged(TreePart::Table, TreeFault::OutOfRange),
            },
        }
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.used == self.rows.len() {
            Ok(())
        } else {
            damaged(TreePart::Table, TreeFault::NotCanonical)
        }
    }
}

/// First `N` bytes from `at`; the rows are as long as their constants say.
fn field<const N: usize>(row: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(row.iter().skip(at)) {
        *to = *from;
    }
    out
}

fn chunk_of(row: &[u8; CHUNK_ROW]) -> (ChunkId, u32) {
    (ChunkId(field(row, 0)), u32::from_le_bytes(field(row, 32)))
}

fn list_of(row: &[u8; LIST_ROW]) -> ExtentList {
    ExtentList {
        id: ChunkId(field(row, 0)),
        extents: u32::from_le_bytes(field(row, 32)),
        bytes: u64::from_le_bytes(field(row, 36)),
    }
}

/// One entry's content, that of a small file with its bundle's row, so that files can be gathered by it.
enum Raw {
    None,
    Part(u32, SmallFile),
    Extents,
    Lists,
}

/// Gives the contents of a segment's entries back, in order.
pub(super) struct ContentDecoder<'a> {
    bundles: Rows<'a, 32>,
    last: Option<(u32, u32)>,
    chunks: Rows<'a, CHUNK_ROW>,
    lists: Rows<'a, LIST_ROW>,
    column: Reader<'a>,
    hashes: Reader<'a>,
    extents_left: usize,
    lists_left: usize,
    /// Of the entry read last.
    extents: Vec<Extent>,
    list: Vec<ExtentList>,
}

impl<'a> ContentDecoder<'a> {
    pub(super) fn open(sections: &Sections<&'a [u8]>) -> Result<Self, CodecError> {
        Ok(Self {
            bundles: Rows::open(sections.get(Section::Bundles))?,
            last: None,
            chunks: Rows::open(sections.get(Section::Chunks))?,
            lists: Rows::open(sections.get(Section::Lists))?,
            column: Reader::new(sections.get(Section::Contents)),
            hashes: Reader::new(sections.get(Section::Hashes)),
            extents_left: limits::EXTENTS_IN_SEGMENT,
            lists_left: limits::LISTS_IN_SEGMENT,
            extents: Vec::new(),
            list: Vec::new(),
        })
    }

    #[inline]
    pub(super) fn next(&mut self) -> Result<Content, CodecError> {
        Ok(match self.step()? {
            Raw::None => Content::None,
            Raw::Part(
                _,
                SmallFile {
                    bundle,
                    offset,
                    len,
                    hash,
                },
            ) => Content::Bundled {
                bundle,
                offset,
                len,
                hash,
            },
            Raw::Extents => Content::Extents(self.extents.clone()),
            Raw::Lists => Content::Lists(self.list.clone()),
        })
    }

    #[inline]
    fn step(&mut self) -> Result<Raw, CodecError> {
        let code = self.column.byte()?;
        match code {
            NONE => Ok(Raw::None),
            NEXT_PART => {
                let Some((row, offset)) = self.last else {
                    return damaged(TreePart::BundlePart, TreeFault::OutOfRange);
                };
                let len = self.column.u32()?;
                self.part(row, offset, len)
            }
            PART => {
                let (row, offset, len) = (self.column.u32()?, self.column.u32()?, self.column.u32()?);
                if self.last == Some((row, offset)) {
                    return damaged(TreePart::BundlePart, TreeFault::NotCanonical);
                }
                self.bundles.get(row as usize)?;
                self.part(row, offset, len)
            }
            EXTENTS => self.read_extents().map(|()| Raw::Extents),
            LISTS => self.read_lists().map(|()| Raw::Lists),
            _ => Err(newer(TreeFeature::ContentType(code.into()))),
        }
    }

    #[inline]
    fn part(&mut self, row: u32, offset: u32, len: u32) -> Result<Raw, CodecError> {
        limits::check_part(offset, len)?;
        self.last = Some((row, offset + len));
        let file = SmallFile {
            bundle: ChunkId(self.bundles.rows[row as usize]),
            offset,
            len,
            hash: ContentHash(self.hashes.array()?),
        };
        Ok(Raw::Part(row, file))
    }

    fn read_extents(&mut self) -> Result<(), CodecError> {
        let most = limits::EXTENTS.min(self.extents_left);
        let count = self.column.up_to(most, (TreePart::Extents, TreeFault::TooMany))?;
        self.extents_left -= count;
        self.extents.clear();
        for _ in 0..count {
            let extent = match self.column.varint()? {
                ZERO => Extent::Zero {
                    len: self.column.varint()?,
                },
                code => {
                    let (id, len) = chunk_of(self.chunks.follow(code)?);
                    Extent::Chunk { id, len }
                }
            };
            self.extents.push(extent);
        }
        limits::check_extents(&self.extents)
    }

    fn read_lists(&mut self) -> Result<(), CodecError> {
        let most = limits::LISTS.min(self.lists_left);
        let count = self
            .column
            .up_to(most, (TreePart::ExtentList, TreeFault::TooMany))?;
        self.lists_left -= count;
        self.list.clear();
        for _ in 0..count {
            let code = self.column.varint()?;
            if code == ZERO {
                return damaged(TreePart::Table, TreeFault::OutOfRange);
            }
            self.list.push(list_of(self.lists.follow(code)?));
        }
        limits::check_lists(&self.list)
    }

    pub(super) fn end(&self) -> Result<(), CodecError> {
        self.bundles.end()?;
        self.chunks.end()?;
        self.lists.end()?;
        self.column.end()?;
        self.hashes.end()
    }

    /// Reads `entries` contents and keeps only what they refer to.
    fn references(mut self, entries: usize) -> Result<Vec<Reference>, CodecError> {
        let mut files = vec![Vec::new(); self.bundles.rows.len()];
        for _ in 0..entries {
            if let Raw::Part(row, file) = self.step()? {
                files[row as usize].push(file);
            }
        }
        self.end()?;
        let bundles = self.bundles.rows.iter().zip(files).map(|(id, mut files)| {
            files.sort_unstable();
            files.dedup();
            Reference::Bundle {
                id: ChunkId(*id),
                files,
            }
        });
        let lists = self.lists.rows.iter().map(|row| {
            let list = list_of(row);
            Reference::ExtentList {
                id: list.id,
                extents: list.extents,
                bytes: list.bytes,
            }
        });
        Ok(bundles
            .chain(chunk_references(self.chunks.rows))
            .chain(lists)
            .collect())
    }
}

fn chunk_references(rows: &[[u8; CHUNK_ROW]]) -> impl Iterator<Item = Reference> {
    rows.iter().map(|row| {
        let (id, len) = chunk_of(row);
        Reference::Chunk { id, len }
    })
}

/// What a segment or an extent list refers to, each distinct use once: bundles, chunks, extent lists, each in order
/// of first use. Reads only the sections of references; the rest may be damaged and is [`super::decode`]'s to judge.
/// `plain` is the piece's plaintext, of any origin.
pub fn references(plain: &[u8]) -> Result<Vec<Reference>, CodecError> {
    match plain.first() {
        Some(&piece::EXTENT_LIST) => {
            let decoder = read_list(plain)?;
            Ok(chunk_references(decoder.chunks.rows).collect())
        }
        _ => {
            let (header, sections) = Sections::open(plain)?;
            ContentDecoder::open(&sections)?.references(header.entries)
        }
    }
}

/// The plaintext of an extent list: a table of chunks and one file's run of extents.
pub fn encode_extent_list(extents: &[Extent]) -> Vec<u8> {
    let mut encoder = ContentEncoder::new();
    encoder.push_extents(extents);
    let mut out = vec![piece::EXTENT_LIST, LAYOUT];
    put_varint(&mut out, encoder.chunks.rows.len() as u64);
    out.append(&mut chunk_rows(&encoder.chunks.rows));
    out.append(&mut encoder.column);
    out
}

/// The extents of a list, 1 to 4,096 of them.
pub fn decode_extent_list(plain: &[u8]) -> Result<Vec<Extent>, CodecError> {
    Ok(read_list(plain)?.extents)
}

fn read_list(plain: &[u8]) -> Result<ContentDecoder<'_>, CodecError> {
    let mut reader = open_piece(plain, piece::EXTENT_LIST)?;
    let rows = reader.up_to(limits::EXTENTS, (TreePart::Extents, TreeFault::TooMany))?;
    let mut sections = Sections::default();
    sections.set(Section::Chunks, reader.take(rows * CHUNK_ROW)?);
    sections.set(Section::Contents, reader.take(reader.len())?);
    let mut decoder = ContentDecoder::open(&sections)?;
    decoder.read_extents()?;
    decoder.end()?;
    Ok(decoder)
}
