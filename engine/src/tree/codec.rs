//! A segment's plaintext: a run of the stream as columns, canonical (equal entries give equal bytes, and bytes that
//! decode would be encoded the same), so that equal stretches of two generations are one chunk.
//!
//! ```text
//! 1  layout  runs  entries  sections  (tag, length)*  section*
//! ```
//! Integers are varints, tags and the first two are bytes. A section is there when it is not empty, in order of tags;
//! a tag that is not known names something this version must not pass over (I-15). `meta` holds the
//! columns of metadata, `refs` those of references. Decoding trusts nothing (I-14): a hostile writer may
//! hold the keys.

use super::bytes::{Reader, put_varint, shared_prefix};
use super::columns::damaged;
use super::meta::{MetaDecoder, MetaEncoder};
use super::refs::{ContentDecoder, ContentEncoder};
use super::{LAYOUT, limits, piece};
use crate::entry::{DirPath, Entry, cmp_dirs};
use chunkstore::ChunkId;
use std::cmp::Ordering;

/// Entries of one directory, sorted by name; all of its listing, or the part in this segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    pub dir: DirPath,
    pub entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    #[error("{0}")]
    Damaged(&'static str),
    #[error("needs {0}, which this version does not know")]
    Unknown(String),
}

impl CodecError {
    /// The same, said of the piece `id`.
    pub fn of(self, id: &ChunkId) -> crate::Error {
        match self {
            CodecError::Damaged(what) => chunkstore::Error::corrupt(format!("tree chunk {id}"), what).into(),
            CodecError::Unknown(feature) => chunkstore::Error::NewerFormat { feature }.into(),
        }
    }

    /// The same, said of an entry that was to be stored.
    pub fn of_entry(self, dir: &[u8], name: &[u8]) -> crate::Error {
        let path = crate::entry::join(dir, name);
        chunkstore::Error::Invalid {
            what: "entry",
            why: format!("{}: {self}", String::from_utf8_lossy(&path)),
        }
        .into()
    }
}

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
}

const SECTIONS: usize = 20;

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
    fn append_to(&self, out: &mut Vec<u8>) {
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
        let mut reader = open_piece(plain, piece::SEGMENT, "segment")?;
        let runs = reader.up_to(limits::ENTRIES, "too many directories")?;
        let entries = reader.up_to(limits::ENTRIES, "too many entries")?;
        let count = reader.up_to(SECTIONS, "too many sections")?;
        let mut lens = [(0, 0); SECTIONS];
        let mut last = 0;
        for slot in lens.iter_mut().take(count) {
            let tag = usize::from(reader.byte()?);
            if tag > SECTIONS {
                return Err(CodecError::Unknown(format!("tree segment section {tag}")));
            }
            let len = reader.up_to(limits::PLAIN, "section too long")?;
            if tag <= last || len == 0 {
                return damaged("sections out of order or empty");
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
    runs: usize,
    pub(super) entries: usize,
}

/// Reads what every piece begins with: its type and its layout.
pub(super) fn open_piece<'a>(plain: &'a [u8], kind: u8, name: &str) -> Result<Reader<'a>, CodecError> {
    if plain.len() > limits::PLAIN {
        return damaged("piece too long");
    }
    let mut reader = Reader::new(plain);
    let [found, layout] = reader.array()?;
    if found != kind {
        return damaged("another type of piece");
    }
    if layout != LAYOUT {
        return Err(CodecError::Unknown(format!("tree {name} layout {layout}")));
    }
    Ok(reader)
}

/// The plaintext of `runs`: sorted, none empty, every entry one that [`super::check_entry`] accepts; what isn't so
/// gives bytes that [`decode`] refuses.
pub fn encode(runs: &[Run]) -> Vec<u8> {
    let count = runs.iter().map(|run| run.entries.len()).sum();
    let (mut dirs, mut lens, mut names) = (
        Vec::new(),
        Vec::with_capacity(count * 2),
        Vec::with_capacity(count * 8),
    );
    let mut meta = MetaEncoder::new(count);
    let mut contents = ContentEncoder::new();
    let mut last_dir: &[u8] = b"";
    for run in runs {
        let shared = shared_prefix(last_dir, &run.dir);
        for value in [shared, run.dir.len() - shared, run.entries.len()] {
            put_varint(&mut dirs, value as u64);
        }
        dirs.extend_from_slice(&run.dir[shared..]);
        last_dir = &run.dir;
        let mut last_name: &[u8] = b"";
        for entry in &run.entries {
            let shared = shared_prefix(last_name, &entry.name);
            put_varint(&mut lens, shared as u64);
            put_varint(&mut lens, (entry.name.len() - shared) as u64);
            names.extend_from_slice(&entry.name[shared..]);
            last_name = &entry.name;
            contents.push(&entry.content);
            meta.push(entry);
        }
    }
    let mut sections = Sections::default();
    sections.set(Section::Dirs, dirs);
    sections.set(Section::NameLens, lens);
    sections.set(Section::Names, names);
    meta.finish(&mut sections);
    contents.finish(&mut sections);
    let mut out = vec![piece::SEGMENT, LAYOUT];
    put_varint(&mut out, runs.len() as u64);
    put_varint(&mut out, count as u64);
    sections.append_to(&mut out);
    out
}

/// The entries of a segment, at least one. `plain` may be any bytes; what [`encode`] would not have written is refused.
pub fn decode(plain: &[u8]) -> Result<Vec<Run>, CodecError> {
    let (header, sections) = Sections::open(plain)?;
    // A directory takes three bytes, an entry more than eight in the columns of names and times alone.
    if header.runs == 0 || header.runs > header.entries || header.entries > plain.len() / 8 {
        return damaged("number of entries");
    }
    let mut decoder = Decoder {
        dirs: Reader::new(sections.get(Section::Dirs)),
        lens: Reader::new(sections.get(Section::NameLens)),
        names: Reader::new(sections.get(Section::Names)),
        meta: MetaDecoder::open(&sections, header.entries)?,
        contents: ContentDecoder::open(&sections)?,
        entries_left: header.entries,
        paths_left: limits::PATHS,
    };
    let mut runs: Vec<Run> = Vec::with_capacity(header.runs);
    for _ in 0..header.runs {
        let run = decoder.run(runs.last().map(|run| &*run.dir))?;
        runs.push(run);
    }
    decoder.end()?;
    Ok(runs)
}

struct Decoder<'a> {
    dirs: Reader<'a>,
    lens: Reader<'a>,
    names: Reader<'a>,
    meta: MetaDecoder<'a>,
    contents: ContentDecoder<'a>,
    entries_left: usize,
    /// Bytes that front coding may still unfold to.
    paths_left: usize,
}

impl Decoder<'_> {
    fn run(&mut self, last: Option<&[u8]>) -> Result<Run, CodecError> {
        let shared = self.dirs.up_to(limits::PATH, "path too long")?;
        let len = self.dirs.up_to(limits::PATH, "path too long")?;
        let count = self.dirs.up_to(self.entries_left, "number of entries")?;
        let rest = self.dirs.take(len)?;
        if count == 0 {
            return damaged("directory without entries");
        }
        self.entries_left -= count;
        let dir = self.unfold(last.unwrap_or_default(), shared, rest)?;
        limits::check_dir(&dir)?;
        if last.is_some_and(|last| cmp_dirs(last, &dir) != Ordering::Less) {
            return damaged("directories out of order");
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let entry = self.entry(entries.last().map_or(b"", |entry| &entry.name))?;
            entries.push(entry);
        }
        Ok(Run {
            dir: dir.into(),
            entries,
        })
    }

    fn entry(&mut self, last: &[u8]) -> Result<Entry, CodecError> {
        let shared = self.lens.up_to(limits::COMPONENT, "name too long")?;
        let len = self.lens.up_to(limits::COMPONENT, "name too long")?;
        let rest = self.names.take(len)?;
        let name = self.unfold(last, shared, rest)?;
        limits::check_name(&name)?;
        // What is shared is all that is, so the first byte after it decides.
        if last.get(shared) >= name.get(shared) {
            return damaged("names out of order");
        }
        self.meta.entry(name, self.contents.next()?)
    }

    /// `shared` bytes of `last`, then `rest`; refused where more could have been shared.
    fn unfold(&mut self, last: &[u8], shared: usize, rest: &[u8]) -> Result<Vec<u8>, CodecError> {
        let Some((prefix, after)) = last.split_at_checked(shared) else {
            return damaged("shared prefix too long");
        };
        if let (Some(a), Some(b)) = (after.first(), rest.first())
            && a == b
        {
            return damaged("shared prefix too short");
        }
        let len = shared + rest.len();
        self.paths_left = match self.paths_left.checked_sub(len) {
            Some(left) => left,
            None => return damaged("names too long"),
        };
        let mut whole = Vec::with_capacity(len);
        whole.extend_from_slice(prefix);
        whole.extend_from_slice(rest);
        Ok(whole)
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.entries_left != 0 {
            return damaged("number of entries");
        }
        self.dirs.end()?;
        self.lens.end()?;
        self.names.end()?;
        self.meta.end()?;
        self.contents.end()
    }
}
