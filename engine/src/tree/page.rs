//! The list of a generation's segments: [`Root`], which the manifest embeds, and pages, which are tree chunks between
//! the root and very many segments.
//!
//! Rows are CBOR arrays; packs and sealed keys repeat from row to row and stand in tables before them. A row's
//! [`Place`] is a hint, so reading a generation takes no index (I-6). Totals and order are checked on reading.

use super::fault::{CodecError, TreeFault, TreePart};
use super::sections::open_piece;
use super::{LAYOUT, cmp_keys, cut, limits, piece};
use crate::entry::DirPath;
use chunkstore::error::{Feature, TreeFeature};
use chunkstore::keys::SealedSessionKey;
use chunkstore::varint::Undecodable;
use chunkstore::{ChunkId, PackId, Place};
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use std::collections::HashMap;
use std::hash::Hash;

/// Segments that a root lists by itself; with more it lists pages.
pub const INLINE_MAX: usize = cut::PAGE_MAX;

/// A stored piece and the stretch of the stream in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentRef {
    /// Directory and name of the first entry; the stretch goes up to the first of the next.
    pub first_dir: DirPath,
    pub first_name: Vec<u8>,
    /// The piece, a tree chunk.
    pub id: ChunkId,
    pub entries: u64,
    /// Regular files among the entries.
    pub files: u64,
    /// Sum of the files' sizes in bytes.
    pub bytes: u64,
    /// Bytes of the piece's plaintext.
    pub plain_len: u32,
    pub place: Option<Place>,
}

impl SegmentRef {
    pub fn first(&self) -> (&[u8], &[u8]) {
        (&self.first_dir, &self.first_name)
    }
}

/// A page: a piece that lists segments. `span` covers all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRef {
    pub segments: u32,
    pub span: SegmentRef,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segments {
    /// At most [`INLINE_MAX`]; none in an empty generation.
    Inline(Vec<SegmentRef>),
    Pages(Vec<PageRef>),
}

/// All entries of a generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    pub segments: Segments,
    pub entries: u64,
    /// Regular files among the entries.
    pub files: u64,
    /// Sum of the files' sizes in bytes.
    pub bytes: u64,
}

/// Sums over rows. They stop at `u64::MAX`: three sparse files can claim more than that.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Tally {
    pub(super) entries: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn of<'a>(rows: impl IntoIterator<Item = &'a SegmentRef>) -> Tally {
        rows.into_iter().fold(Tally::default(), |sum, row| Tally {
            entries: sum.entries.saturating_add(row.entries),
            files: sum.files.saturating_add(row.files),
            bytes: sum.bytes.saturating_add(row.bytes),
        })
    }
}

impl Root {
    pub(crate) fn new(segments: Segments) -> Self {
        let tally = match &segments {
            Segments::Inline(rows) => Tally::of(rows),
            Segments::Pages(pages) => Tally::of(pages.iter().map(|page| &page.span)),
        };
        Root {
            segments,
            entries: tally.entries,
            files: tally.files,
            bytes: tally.bytes,
        }
    }
}

/// Distinct values of rows, in order of first use.
struct PageTable<'a, T: ?Sized> {
    rows: Vec<&'a T>,
    known: HashMap<&'a T, usize>,
}

impl<'a, T: Eq + Hash + ?Sized> PageTable<'a, T> {
    fn of(values: impl Iterator<Item = &'a T>) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            known: HashMap::new(),
        };
        for value in values {
            if !table.known.contains_key(value) {
                table.known.insert(value, table.rows.len());
                table.rows.push(value);
            }
        }
        table
    }

    fn row(&self, value: &T) -> u64 {
        self.known.get(value).map_or(0, |row| *row as u64)
    }
}

/// `[packs, keys, rows]`; each row `[dir, name, id, entries, files, bytes, plain_len, place, segments]`, the last two
/// null where there is none; `place` is `[pack, key, offset, stored_len, codec]`.
fn encode_rows<'a, W: Write>(
    e: &mut Encoder<W>,
    rows: impl ExactSizeIterator<Item = (&'a SegmentRef, Option<u32>)> + Clone,
) -> Result<(), EncodeError<W::Error>> {
    let places = || rows.clone().filter_map(|(row, _)| row.place.as_ref());
    let packs = PageTable::of(places().map(|place| &place.pack));
    let keys = PageTable::of(places().map(|place| &place.sealed_key));
    e.array(3)?.array(packs.rows.len() as u64)?;
    for pack in &packs.rows {
        e.encode(pack)?;
    }
    e.array(keys.rows.len() as u64)?;
    for key in &keys.rows {
        e.bytes(key.as_bytes())?;
    }
    e.array(rows.len() as u64)?;
    for (row, segments) in rows {
        e.array(9)?
            .bytes(&row.first_dir)?
            .bytes(&row.first_name)?
            .encode(row.id)?;
        e.u64(row.entries)?
            .u64(row.files)?
            .u64(row.bytes)?
            .u32(row.plain_len)?;
        match &row.place {
            None => e.null()?,
            Some(place) => e
                .array(5)?
                .u64(packs.row(&place.pack))?
                .u64(keys.row(&place.sealed_key))?
                .u32(place.offset)?
                .u32(place.stored_len)?
                .u8(place.codec)?,
        };
        e.encode(segments)?;
    }
    Ok(())
}

/// Why rows can't be read.
enum PageFault {
    Damaged,
    /// A later version wrote them (I-15).
    Newer(Feature),
}

impl From<DecodeError> for PageFault {
    fn from(_: DecodeError) -> Self {
        PageFault::Damaged
    }
}

impl From<PageFault> for CodecError {
    fn from(fault: PageFault) -> Self {
        match fault {
            PageFault::Damaged => CodecError::Damaged(TreePart::SegmentList, TreeFault::Undecodable),
            PageFault::Newer(what) => CodecError::Newer(what),
        }
    }
}

/// Length of an array, which must be stated.
fn array(d: &mut Decoder<'_>) -> Result<u64, PageFault> {
    d.array()?.ok_or(PageFault::Damaged)
}

/// Rows have exactly these elements: they are distinguished by their bytes, so nothing in them can be passed over.
fn array_of(d: &mut Decoder<'_>, len: u64) -> Result<(), PageFault> {
    match array(d)? {
        found if found == len => Ok(()),
        found if found > len => Err(PageFault::Newer(Feature::Tree(TreeFeature::RowLength {
            found,
            known: len,
        }))),
        _ => Err(PageFault::Damaged),
    }
}

/// Values until the stated number; grows with what is really there (I-14).
fn list<'b, T>(
    d: &mut Decoder<'b>,
    mut item: impl FnMut(&mut Decoder<'b>) -> Result<T, PageFault>,
) -> Result<Vec<T>, PageFault> {
    let count = array(d)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(d)?);
    }
    Ok(items)
}

fn sealed_key(d: &mut Decoder<'_>) -> Result<SealedSessionKey, PageFault> {
    SealedSessionKey::from_slice(d.bytes()?).map_err(|e| match e {
        Undecodable::Malformed => PageFault::Damaged,
        Undecodable::Newer(what) => PageFault::Newer(what),
    })
}

fn decode_rows(d: &mut Decoder<'_>) -> Result<Vec<(SegmentRef, Option<u32>)>, PageFault> {
    array_of(d, 3)?;
    let packs = list(d, |d| Ok(d.decode::<PackId>()?))?;
    let keys = list(d, sealed_key)?;
    let rows = list(d, |d| decode_row(d, &packs, &keys))?;
    let ordered = rows.is_sorted_by(|(a, _), (b, _)| cmp_keys(a.first(), b.first()).is_lt());
    if ordered {
        Ok(rows)
    } else {
        Err(PageFault::Damaged)
    }
}

fn decode_row(
    d: &mut Decoder<'_>,
    packs: &[PackId],
    keys: &[SealedSessionKey],
) -> Result<(SegmentRef, Option<u32>), PageFault> {
    array_of(d, 9)?;
    let mut row = SegmentRef {
        first_dir: d.bytes()?.into(),
        first_name: d.bytes()?.to_vec(),
        id: d.decode()?,
        entries: d.u64()?,
        files: d.u64()?,
        bytes: d.u64()?,
        plain_len: d.u32()?,
        place: decode_place(d, packs, keys)?,
    };
    // The row has it once for both.
    if let Some(place) = &mut row.place {
        place.plain_len = row.plain_len;
    }
    let segments = d.decode()?;
    let names = limits::check_dir(&row.first_dir).and_then(|()| limits::check_name(&row.first_name));
    if names.is_err() || row.entries == 0 || row.plain_len as usize > limits::PLAIN || segments == Some(0) {
        return Err(PageFault::Damaged);
    }
    Ok((row, segments))
}

fn decode_place(
    d: &mut Decoder<'_>,
    packs: &[PackId],
    keys: &[SealedSessionKey],
) -> Result<Option<Place>, PageFault> {
    if d.datatype()? == minicbor::data::Type::Null {
        d.null()?;
        return Ok(None);
    }
    array_of(d, 5)?;
    let pack = packs.get(d.u64()? as usize);
    let key = keys.get(d.u64()? as usize);
    let (Some(pack), Some(key)) = (pack, key) else {
        return Err(PageFault::Damaged);
    };
    Ok(Some(Place {
        pack: *pack,
        sealed_key: *key,
        offset: d.u32()?,
        stored_len: d.u32()?,
        plain_len: 0,
        codec: d.u8()?,
    }))
}

fn only_segments(rows: Vec<(SegmentRef, Option<u32>)>) -> Result<Vec<SegmentRef>, PageFault> {
    let segment = |(row, segments): (SegmentRef, Option<u32>)| match segments {
        None => Ok(row),
        Some(_) => Err(PageFault::Damaged),
    };
    rows.into_iter().map(segment).collect()
}

/// `[rows, entries, files, bytes]`.
impl<C> minicbor::Encode<C> for Root {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(4)?;
        match &self.segments {
            Segments::Inline(rows) => encode_rows(e, rows.iter().map(|row| (row, None)))?,
            Segments::Pages(pages) => {
                encode_rows(e, pages.iter().map(|page| (&page.span, Some(page.segments))))?
            }
        }
        e.u64(self.entries)?.u64(self.files)?.u64(self.bytes)?;
        Ok(())
    }
}

impl Root {
    /// Reads the CBOR of a root, of any origin.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut decoder = Decoder::new(bytes);
        let root = Root::read(&mut decoder)?;
        match decoder.position() == bytes.len() {
            true => Ok(root),
            false => Err(PageFault::Damaged.into()),
        }
    }

    fn read(d: &mut Decoder<'_>) -> Result<Self, PageFault> {
        array_of(d, 4)?;
        let rows = decode_rows(d)?;
        let segments = match rows.first() {
            Some((_, Some(_))) => Segments::Pages(only_pages(rows)?),
            _ => Segments::Inline(only_segments(rows)?),
        };
        let stated = (d.u64()?, d.u64()?, d.u64()?);
        let root = Root::new(segments);
        if (root.entries, root.files, root.bytes) == stated {
            Ok(root)
        } else {
            Err(PageFault::Damaged)
        }
    }
}

fn only_pages(rows: Vec<(SegmentRef, Option<u32>)>) -> Result<Vec<PageRef>, PageFault> {
    let page = |(span, segments): (SegmentRef, Option<u32>)| match segments {
        Some(segments) => Ok(PageRef { segments, span }),
        None => Err(PageFault::Damaged),
    };
    rows.into_iter().map(page).collect()
}

/// The plaintext of a page that lists `rows`.
pub fn encode_page<'a>(
    rows: impl ExactSizeIterator<Item = &'a SegmentRef> + Clone,
) -> Result<Vec<u8>, CodecError> {
    let mut encoder = Encoder::new(vec![piece::PAGE, LAYOUT]);
    match encode_rows(&mut encoder, rows.map(|row| (row, None))) {
        Ok(()) => Ok(encoder.into_writer()),
        Err(_) => Err(CodecError::Damaged(TreePart::SegmentList, TreeFault::Undecodable)),
    }
}

/// The segments that a page lists, 1 to 1,024 of them, from its plaintext of any origin.
pub fn decode_page(plain: &[u8]) -> Result<Vec<SegmentRef>, CodecError> {
    let mut reader = open_piece(plain, piece::PAGE)?;
    let mut decoder = Decoder::new(reader.take(reader.len())?);
    let rows = decode_rows(&mut decoder).and_then(only_segments)?;
    if rows.is_empty() || rows.len() > cut::PAGE_MAX || encode_page(rows.iter())? != plain {
        return Err(CodecError::Damaged(TreePart::SegmentList, TreeFault::Undecodable));
    }
    Ok(rows)
}
