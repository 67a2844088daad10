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
use super::fault::{CodecError, TreeFault, TreePart, damaged};
use super::meta::{MetaDecoder, MetaEncoder};
use super::refs::{ContentDecoder, ContentEncoder};
use super::sections::{Header, Section, Sections};
use super::{LAYOUT, limits, piece};
use crate::entry::{DirPath, Entry, cmp_dirs};
use std::cmp::Ordering;

/// Entries of one directory, sorted by name; all of its listing, or the part in this segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    pub dir: DirPath,
    pub entries: Vec<Entry>,
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
    check_header(&header, plain)?;
    let mut decoder = Decoder {
        names: NameDecoder::open(&header, &sections),
        meta: MetaDecoder::open(&sections, header.entries)?,
        contents: ContentDecoder::open(&sections)?,
    };
    let mut runs: Vec<Run> = Vec::with_capacity(header.runs);
    for _ in 0..header.runs {
        let run = decoder.run(runs.last().map(|run| &*run.dir))?;
        runs.push(run);
    }
    decoder.end()?;
    Ok(runs)
}

/// Calls `each` with directory and name of the entries of a segment, in order, until it says that this is enough. Much
/// quicker than [`decode`], and for those who go on to it: only what is read here is checked.
pub fn names(plain: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), CodecError> {
    let (header, sections) = Sections::open(plain)?;
    check_header(&header, plain)?;
    let mut decoder = NameDecoder::open(&header, &sections);
    let mut last_dir: Option<Vec<u8>> = None;
    for _ in 0..header.runs {
        let (dir, count) = decoder.dir(last_dir.as_deref())?;
        let mut last = Vec::new();
        for _ in 0..count {
            last = decoder.name(&last)?;
            if !each(&dir, &last) {
                return Ok(());
            }
        }
        last_dir = Some(dir);
    }
    decoder.end()
}

/// A directory takes three bytes, an entry more than eight in the columns of names and times alone.
fn check_header(header: &Header, plain: &[u8]) -> Result<(), CodecError> {
    match header.runs == 0 || header.runs > header.entries || header.entries > plain.len() / 8 {
        true => damaged(TreePart::Entry, TreeFault::OutOfRange),
        false => Ok(()),
    }
}

struct Decoder<'a> {
    names: NameDecoder<'a>,
    meta: MetaDecoder<'a>,
    contents: ContentDecoder<'a>,
}

impl Decoder<'_> {
    fn run(&mut self, last: Option<&[u8]>) -> Result<Run, CodecError> {
        let (dir, count) = self.names.dir(last)?;
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let name = self.names.name(entries.last().map_or(b"", |entry| &entry.name))?;
            entries.push(self.meta.entry(name, self.contents.next()?)?);
        }
        Ok(Run {
            dir: dir.into(),
            entries,
        })
    }

    fn end(&self) -> Result<(), CodecError> {
        self.names.end()?;
        self.meta.end()?;
        self.contents.end()
    }
}

struct NameDecoder<'a> {
    dirs: Reader<'a>,
    lens: Reader<'a>,
    names: Reader<'a>,
    entries_left: usize,
    /// Bytes that front coding may still unfold to.
    paths_left: usize,
}

impl<'a> NameDecoder<'a> {
    fn open(header: &Header, sections: &Sections<&'a [u8]>) -> Self {
        NameDecoder {
            dirs: Reader::new(sections.get(Section::Dirs)),
            lens: Reader::new(sections.get(Section::NameLens)),
            names: Reader::new(sections.get(Section::Names)),
            entries_left: header.entries,
            paths_left: limits::PATHS,
        }
    }

    /// The next directory and how many entries it has.
    fn dir(&mut self, last: Option<&[u8]>) -> Result<(Vec<u8>, usize), CodecError> {
        let shared = self
            .dirs
            .up_to(limits::PATH, (TreePart::Path, TreeFault::TooLong))?;
        let len = self
            .dirs
            .up_to(limits::PATH, (TreePart::Path, TreeFault::TooLong))?;
        let count = self
            .dirs
            .up_to(self.entries_left, (TreePart::Entry, TreeFault::OutOfRange))?;
        let rest = self.dirs.take(len)?;
        if count == 0 {
            return damaged(TreePart::Directory, TreeFault::Empty);
        }
        self.entries_left -= count;
        let dir = self.unfold(last.unwrap_or_default(), shared, rest)?;
        limits::check_dir(&dir)?;
        if last.is_some_and(|last| cmp_dirs(last, &dir) != Ordering::Less) {
            return damaged(TreePart::Directory, TreeFault::OutOfOrder);
        }
        Ok((dir, count))
    }

    /// The next name, after `last` in its directory; the first comes after the empty one.
    fn name(&mut self, last: &[u8]) -> Result<Vec<u8>, CodecError> {
        let shared = self
            .lens
            .up_to(limits::COMPONENT, (TreePart::Name, TreeFault::TooLong))?;
        let len = self
            .lens
            .up_to(limits::COMPONENT, (TreePart::Name, TreeFault::TooLong))?;
        let rest = self.names.take(len)?;
        let name = self.unfold(last, shared, rest)?;
        limits::check_name(&name)?;
        // What is shared is all that is, so the first byte after it decides.
        if last.get(shared) >= name.get(shared) {
            return damaged(TreePart::Name, TreeFault::OutOfOrder);
        }
        Ok(name)
    }

    /// `shared` bytes of `last`, then `rest`; refused where more could have been shared.
    fn unfold(&mut self, last: &[u8], shared: usize, rest: &[u8]) -> Result<Vec<u8>, CodecError> {
        let Some((prefix, after)) = last.split_at_checked(shared) else {
            return damaged(TreePart::Name, TreeFault::OutOfRange);
        };
        if let (Some(a), Some(b)) = (after.first(), rest.first())
            && a == b
        {
            return damaged(TreePart::Name, TreeFault::NotCanonical);
        }
        let len = shared + rest.len();
        self.paths_left = match self.paths_left.checked_sub(len) {
            Some(left) => left,
            None => return damaged(TreePart::Name, TreeFault::TooMany),
        };
        let mut whole = Vec::with_capacity(len);
        whole.extend_from_slice(prefix);
        whole.extend_from_slice(rest);
        Ok(whole)
    }

    fn end(&self) -> Result<(), CodecError> {
        if self.entries_left != 0 {
            return damaged(TreePart::Entry, TreeFault::OutOfRange);
        }
        self.dirs.end()?;
        self.lens.end()?;
        self.names.end()
    }
}
