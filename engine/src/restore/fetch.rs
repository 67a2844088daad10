//! Data chunks by id, wherever they are by now. Also the source of [`crate::dump`].

use crate::error::Result;
use crate::monitor::Monitor;
use crate::repo::Repo;
use chunkstore::error::Object;
use chunkstore::frame::Decoder;
use chunkstore::index::LocalIndex;
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::reader::others::Others;
use chunkstore::remote::ObjectName;
use chunkstore::{ChunkId, Error, PackId, Place, SmallFile};

pub(crate) struct ChunkSource<'a> {
    reader: Reader<'a>,
}

impl<'a> ChunkSource<'a> {
    pub fn new(repo: &Repo, monitor: &'a dyn Monitor) -> Self {
        ChunkSource {
            reader: repo.reader(monitor),
        }
    }

    pub fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// The local index; `None` where this replica can't be asked for it and the others are to be.
    pub fn index(&self) -> Result<Option<&LocalIndex>> {
        if self.own_is_down().is_some() {
            return Ok(None);
        }
        match (self.reader.index(), self.reader.others()) {
            (Ok(index), _) => Ok(Some(index)),
            (Err(e), Some(others)) if !e.is_of_this_process() => {
                others.give_own_up(&e);
                Ok(None)
            }
            (Err(e), _) => Err(e.into()),
        }
    }

    /// Replaces `out` by the data chunk `id`.
    pub fn chunk(&self, decoder: &mut Decoder, id: &ChunkId, out: &mut Vec<u8>) -> Result<()> {
        let located = match self.index()? {
            Some(index) => index.locate(id)?.filter(|l| l.class == Class::Data),
            None => None,
        };
        match located {
            Some(located) => self.frame(decoder, id, &located.place, out),
            None => self.elsewhere(decoder, id, out),
        }
    }

    /// The same for a chunk that was located.
    pub fn frame(&self, decoder: &mut Decoder, id: &ChunkId, place: &Place, out: &mut Vec<u8>) -> Result<()> {
        if self.own_is_down().is_some() {
            return self.elsewhere(decoder, id, out);
        }
        match self.frame_at(decoder, id, place, out) {
            Err(e) => self.again(decoder, id, place, e, out),
            Ok(()) => Ok(()),
        }
    }

    /// The same for a chunk of which the copy at `place` failed with `error`: from another copy, or another replica.
    pub fn again(
        &self,
        decoder: &mut Decoder,
        id: &ChunkId,
        place: &Place,
        error: Error,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let read = self
            .reader
            .another_copy(decoder, (Class::Data, id), place, error, out);
        match read {
            Err(e) => self.instead(decoder, id, e, out),
            Ok(()) => Ok(()),
        }
    }

    /// The small file by the bundle that it can be read from, as far as the index knows one.
    pub fn find(&self, file: &SmallFile) -> Result<SmallFile> {
        let now = match self.index()? {
            Some(index) => index.find_file(file)?.map(|(now, _)| now),
            None => None,
        };
        Ok(now.unwrap_or(*file))
    }

    /// The bytes of a small file. `held` is the bundle that was read last, which the next file is often in too; where
    /// that fails, `out` takes what another place has.
    pub fn small<'b>(
        &self,
        decoder: &mut Decoder,
        file: &SmallFile,
        held: (&mut Option<ChunkId>, &'b mut Vec<u8>),
        out: &'b mut Vec<u8>,
    ) -> Result<&'b [u8]> {
        let (holds, plain) = held;
        let now = self.find(file)?;
        if *holds != Some(now.bundle) {
            *holds = None;
            match self.chunk(decoder, &now.bundle, plain) {
                Ok(()) => *holds = Some(now.bundle),
                // The file may be elsewhere, too.
                Err(crate::Error::Store(e)) if e.is_object_local() => {}
                Err(e) => return Err(e),
            }
        }
        let keys = self.reader.store().keys();
        let is_it = |bytes: &&[u8]| keys.content_hash(bytes) == file.hash;
        if *holds == Some(now.bundle)
            && let Some(bytes) = now.slice(plain).filter(is_it)
        {
            return Ok(bytes);
        }
        self.reader.file(decoder, file, out)?;
        Ok(out)
    }

    /// The same for a chunk that this replica does not have, or can't be asked for, from the others.
    pub fn elsewhere(&self, decoder: &mut Decoder, id: &ChunkId, out: &mut Vec<u8>) -> Result<()> {
        let unknown = || self.reader.store().unknown(Object::Chunk(*id));
        self.instead(decoder, id, self.own_is_down().unwrap_or_else(unknown), out)
    }

    /// The same for a chunk that this replica failed to give with `error`.
    pub fn instead(
        &self,
        decoder: &mut Decoder,
        id: &ChunkId,
        error: Error,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        Ok(self.reader.elsewhere(decoder, Class::Data, id, error, out)?)
    }

    fn own_is_down(&self) -> Option<Error> {
        self.reader.others().and_then(Others::own_is_down)
    }

    /// Whom chunks came from that should have come from here.
    pub fn served_by_others(&self) -> Vec<(String, u64)> {
        self.reader.others().map(Others::served).unwrap_or_default()
    }

    fn frame_at(
        &self,
        decoder: &mut Decoder,
        id: &ChunkId,
        place: &Place,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let store = self.reader.store();
        if let Some(known) = store.unreadable_pack(&place.pack) {
            return Err(known);
        }
        let read = decoder.read(store.remote(), store.keys(), Class::Data, *id, place, out);
        self.judged(read, place.pack)
    }

    /// Replaces `out` by bytes of a pack: fewer only where it ends, none where it can't be read and its frames must be
    /// asked for one by one.
    pub fn range(&self, pack: PackId, start: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        if self.own_is_down().is_some() {
            return Ok(());
        }
        // Each frame of it is then refused for the same reason.
        let store = self.reader.store();
        if store.unreadable_pack(&pack).is_some() {
            return Ok(());
        }
        let read = store.remote().read(&ObjectName::pack(pack), start, len, out);
        let Err(error) = self.judged(read, pack) else {
            return Ok(());
        };
        out.clear();
        match self.reader.others() {
            _ if error.is_damage() || matches!(error, Error::Unreadable { .. }) => Ok(()),
            // Frame by frame from the others.
            Some(others) if !error.is_of_this_process() => {
                others.give_own_up(&error);
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// A pack that can't be read is not asked for again. A bad sector is no reason: other frames of the pack can be read.
    fn judged<T>(&self, read: Result<T, Error>, pack: PackId) -> Result<T, Error> {
        let store = self.reader.store();
        match read {
            Err(e) if !e.is_bad_sector() => Err(store.judge_pack(pack, e)),
            read => store.judged(read),
        }
    }
}
