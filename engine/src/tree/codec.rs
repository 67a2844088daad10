//! A segment's plaintext: a run of the stream as columns, canonical (equal entries give equal bytes, and bytes that
//! decode would be encoded the same), so that equal stretches of two generations are one chunk.
//!
//! ```text
//! 1  layout  runs  entries  sections  (tag, length)*  section*
//! ```
//! Integers are varints, tags and the first two are bytes. A section is there when it is not empty, in order of tags;
//! a tag that is not known names something this version must not pass over (I-15). `meta` holds the
//! columns of metadata, `refs` those of references. Decoding trusts nothing (I-14): a hostile writer may
//! hold the keys. [`select`] is for whoever looks for few entries in many segments: names stand in sections of their own.

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
    let mut decoder = Decoder::open(&header, &sections)?;
    let mut runs: Vec<Run> = Vec::with_capacity(header.runs);
    let mut dir = Vec::new();
    for number in 0..header.runs {
        let count = decoder.names.dir(&mut dir, number == 0)?;
        runs.push(decoder.run(&dir, count)?);
    }
    decoder.end()?;
    Ok(runs)
}

/// What [`select`] found in a segment.
#[derive(Debug)]
pub struct Selected {
    /// All entries of the segment.
    pub entries: usize,
    /// Directory and name of the last entry.
    pub last: (Vec<u8>, Vec<u8>),
    /// The entries that were wanted, in order, with their directories.
    pub found: Vec<(DirPath, Entry)>,
}

/// The entries of a segment that `wanted` accepts by directory and name; it is asked once for each, in order. Where it
/// accepts none, only names are decoded and checked, which takes a fraction of the time of [`decode`] and no memory.
pub fn select(plain: &[u8], wanted: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Selected, CodecError> {
    let (header, sections) = Sections::open(plain)?;
    check_header(&header, plain)?;
    let mut names = NameDecoder::open(&header, &sections);
    let mut chosen: Vec<usize> = Vec::new();
    let (mut dir, mut name, mut at) = (Vec::new(), Vec::new(), 0);
    for run in 0..header.runs {
        let count = names.dir(&mut dir, run == 0)?;
        name.clear();
        for _ in 0..count {
            names.name(&mut name)?;
            if wanted(&dir, &name) {
                chosen.push(at);
            }
            at += 1;
        }
    }
    names.end()?;
    let found = match chosen.is_empty() {
        true => Vec::new(),
        false => Decoder::open(&header, &sections)?.only(header.runs, &chosen)?,
    };
    Ok(Selected {
        entries: at,
        last: (dir, name),
        found,
    })
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

impl<'a> Decoder<'a> {
    fn open(header: &Header, sections: &Sections<&'a [u8]>) -> Result<Self, CodecError> {
        Ok(Decoder {
            names: NameDecoder::open(header, sections),
            meta: MetaDecoder::open(sections, header.entries)?,
            contents: ContentDecoder::open(sections)?,
        })
    }

    fn run(&mut self, dir: &[u8], count: usize) -> Result<Run, CodecError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        let mut name = Vec::new();
        for _ in 0..count {
            self.names.name(&mut name)?;
            entries.push(self.meta.entry(name.clone(), self.contents.next()?)?);
        }
        Ok(Run {
            dir: dir.into(),
            entries,
        })
    }

    /// The entries with these numbers, in order. All of the segment is read, as nothing in it can be found otherwise.
    fn only(mut self, runs: usize, chosen: &[usize]) -> Result<Vec<(DirPath, Entry)>, CodecError> {
        let mut found: Vec<(DirPath, Entry)> = Vec::with_capacity(chosen.len());
        let mut chosen = chosen.iter().copied().peekable();
        let (mut dir, mut name, mut at) = (Vec::new(), Vec::new(), 0);
        for run in 0..runs {
            let count = self.names.dir(&mut dir, run == 0)?;
            let mut shared: Option<DirPath> = None;
            name.clear();
            for _ in 0..count {
                self.names.name(&mut name)?;
                let content = self.contents.next()?;
                if chosen.next_if_eq(&at).is_some() {
                    let dir = shared.get_or_insert_with(|| dir.as_slice().into());
                    found.push((dir.clone(), self.meta.entry(name.clone(), content)?));
                } else {
                    self.meta.entry(Vec::new(), content)?;
                }
                at += 1;
            }
        }
        self.end()?;
        Ok(found)
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

    /// Replaces `dir` by the next directory, unless this is the `first`, and gives how many entries it has.
    fn dir(&mut self, dir: &mut Vec<u8>, first: bool) -> Result<usize, CodecError> {
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
        let before = dir.clone();
        self.unfold(dir, shared, rest)?;
        limits::check_dir(dir)?;
        if !first && cmp_dirs(&before, dir) != Ordering::Less {
            return damaged(TreePart::Directory, TreeFault::OutOfOrder);
        }
        Ok(count)
    }

    /// Replaces `name` by the next in its directory; the first one comes after the empty name.
    #[inline]
    fn name(&mut self, name: &mut Vec<u8>) -> Result<(), CodecError> {
        let shared = self
            .lens
            .up_to(limits::COMPONENT, (TreePart::Name, TreeFault::TooLong))?;
        let len = self
            .lens
            .up_to(limits::COMPONENT, (TreePart::Name, TreeFault::TooLong))?;
        let rest = self.names.take(len)?;
        // What is shared is all that is, so the first byte after it decides the order.
        let follows = name.get(shared) < rest.first();
        self.unfold(name, shared, rest)?;
        limits::check_name_end(name, rest)?;
        match follows {
            true => Ok(()),
            false => damaged(TreePart::Name, TreeFault::OutOfOrder),
        }
    }

    /// Keeps `shared` bytes of `last` and appends `rest`; refused where more could have been shared.
    #[inline]
    fn unfold(&mut self, last: &mut Vec<u8>, shared: usize, rest: &[u8]) -> Result<(), CodecError> {
        if shared > last.len() {
            return damaged(TreePart::Name, TreeFault::OutOfRange);
        }
        if let (Some(a), Some(b)) = (last.get(shared), rest.first())
            && a == b
        {
            return damaged(TreePart::Name, TreeFault::NotCanonical);
        }
        self.paths_left = match self.paths_left.checked_sub(shared + rest.len()) {
            Some(left) => left,
            None => return damaged(TreePart::Name, TreeFault::TooMany),
        };
        last.truncate(shared);
        last.extend_from_slice(rest);
        Ok(())
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
