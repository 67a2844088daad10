//! Reads what has more than one place: further copies of a chunk where the first is of no use, and small files, which
//! are in the bundle that the tree names or where a collection has moved them.

use super::{Reader, Source};
use crate::error::{Error, Object, Result};
use crate::frame::Decoder;
use crate::id::ChunkId;
use crate::index::LocalIndex;
use crate::pack::Class;
use crate::place::Place;
use crate::smallfile::SmallFile;

impl Reader<'_> {
    /// Replaces `out` by a chunk of which the copy at `tried` failed with `error`: by another copy, if one is sound.
    pub fn another_copy(
        &self,
        decoder: &mut Decoder,
        (class, id): (Class, &ChunkId),
        tried: &Place,
        error: Error,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if !error.concerns_one_object() {
            return Err(error);
        }
        if let FoundFile::Whole = self.any_copy(self.index()?, decoder, (class, id), Some(tried), out)? {
            return Ok(());
        }
        // A collection may have moved it since the index was opened.
        match self.moved(class, id, tried)? {
            Some(now) if matches!(error, Error::Missing { .. }) => {
                let (remote, keys) = (self.store.remote(), self.store.keys());
                decoder.read(remote, keys, class, *id, &now, out)
            }
            _ => Err(error),
        }
    }

    /// Whether a copy other than `tried` is sound; then the chunk is in `out`.
    fn any_copy(
        &self,
        index: &LocalIndex,
        decoder: &mut Decoder,
        (class, id): (Class, &ChunkId),
        tried: Option<&Place>,
        out: &mut Vec<u8>,
    ) -> Result<FoundFile> {
        let mut found = FoundFile::Nothing;
        let (remote, keys) = (self.store.remote(), self.store.keys());
        let copies = index.copies(id)?;
        let others = copies
            .iter()
            .filter(|at| at.class == class && tried != Some(&at.place));
        for at in others {
            let read = decoder.read(remote, keys, class, *id, &at.place, out);
            match self.store.judged(read) {
                Ok(()) => return Ok(FoundFile::Whole),
                Err(e) if e.concerns_one_object() => found = found.or(e),
                Err(e) => return Err(e),
            }
        }
        Ok(found)
    }

    /// Replaces `out` by the bytes of a small file, wherever they are by now: each place that is listed is tried, here and
    /// then at the other replicas.
    pub fn file(&self, decoder: &mut Decoder, file: &SmallFile, out: &mut Vec<u8>) -> Result<()> {
        let down = self.others().and_then(|others| others.own_is_down());
        let error = match down {
            Some(why) => why,
            None => match self.own_file(decoder, file, out) {
                Ok(FoundFile::Whole) => return Ok(()),
                Ok(FoundFile::Useless(e)) => e,
                Ok(FoundFile::Nothing) => self.store.unknown(Object::Chunk(file.bundle)),
                Err(e) => self.store.judge(e),
            },
        };
        match self.others() {
            Some(others) => others.read_file(decoder, file, error, out),
            None => Err(error),
        }
    }

    /// The same without other replicas.
    pub(super) fn own_file(
        &self,
        decoder: &mut Decoder,
        file: &SmallFile,
        out: &mut Vec<u8>,
    ) -> Result<FoundFile> {
        let found = self.file_by(self.index()?, decoder, file, out)?;
        // A collection may have moved it since the index was opened.
        let Source::Own { fresh, .. } = &self.source else {
            return Ok(found);
        };
        if let FoundFile::Whole = found {
            return Ok(found);
        }
        let fresh = fresh.get_or_init(|| Box::new(Reader::new(self.store.clone(), Box::new(|_, _| {}))));
        self.file_by(fresh.index()?, decoder, file, out)
    }

    fn file_by(
        &self,
        index: &LocalIndex,
        decoder: &mut Decoder,
        file: &SmallFile,
        out: &mut Vec<u8>,
    ) -> Result<FoundFile> {
        let mut found = FoundFile::Nothing;
        let moved = index.moved(&file.hash)?;
        let moved = moved.iter().map(|to| to.file(file.hash));
        let mut plain = Vec::new();
        for place in std::iter::once(*file).chain(moved) {
            match self.any_copy(index, decoder, (Class::Data, &place.bundle), None, &mut plain)? {
                FoundFile::Whole => {}
                FoundFile::Useless(e) => {
                    found = found.or(e);
                    continue;
                }
                FoundFile::Nothing => continue,
            }
            let bytes = place.slice(&plain).filter(|_| place.len == file.len);
            if let Some(bytes) = bytes.filter(|bytes| self.store.keys().content_hash(bytes) == file.hash) {
                out.clear();
                out.extend_from_slice(bytes);
                return Ok(FoundFile::Whole);
            }
        }
        Ok(found)
    }
}

/// What became of the search for a chunk or file.
pub(super) enum FoundFile {
    Whole,
    /// It is in a place that is of no use, and why: it is not missing.
    Useless(Error),
    /// No place that is known has it.
    Nothing,
}

impl FoundFile {
    /// Of several failures the one that proves the least: what can't be read may be whole.
    fn or(self, error: Error) -> FoundFile {
        match self {
            FoundFile::Useless(known) if !known.is_damage() || error.is_damage() => FoundFile::Useless(known),
            _ => FoundFile::Useless(error),
        }
    }
}
