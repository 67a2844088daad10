//! How a worker reads one file: to its end, whatever its size was, and again if it changed while it was read. Files
//! of the kernel and of some servers report that they have no bytes, or more than they have.

use super::ahead::Opened;
use super::job::{BackupSlot, EntryState};
use super::open::{open_file, stat_file};
use super::stream::RangeReader;
use super::work::{Small, Worker, change_since};
use crate::entry::{Content, Entry, Extent, Kind, Meta, Trouble, join};
use crate::error::Result;
use crate::fsmeta::{self, AsFd};
use crate::monitor::EntryChange;
use crate::platform::errno::errno_of;
use crate::platform::handle::read_at;
use crate::tree::ExtentListWriter;
use crate::walk::{DirHandle, Found, Lent};
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::platform::files::identity;
use chunkstore::simulation;
use std::fs::File;
use std::io;
use std::time::Instant;

/// How often a file that changes while it is read is read at most.
const TRIES: usize = 3;

impl Worker<'_> {
    pub(super) fn file(
        &mut self,
        dir: &DirHandle,
        opened: Option<Opened>,
        entry: &mut Entry,
        slot: usize,
        small: &mut Vec<Small>,
    ) -> Result<()> {
        let (file, before) = match opened.unwrap_or_else(|| open_file(dir, &entry.name)) {
            Ok(opened) => opened,
            Err(e) => {
                unreadable(entry, &e);
                return Ok(());
            }
        };
        if let Err(e) = self.read_settled(&file, before, entry, slot, small)? {
            unreadable(entry, &e);
            return Ok(());
        }
        self.complete(dir, &file, entry);
        Ok(())
    }

    /// Reads what a command prints to its end.
    pub(super) fn output(&mut self, slot: &mut BackupSlot) -> Result<()> {
        let state = std::mem::replace(&mut slot.state, EntryState::LeftOut);
        let EntryState::Output {
            mut entry,
            output,
            known,
        } = state
        else {
            slot.state = state;
            return Ok(());
        };
        let path = join(&slot.dir, &entry.name);
        self.run.monitor.current(&path);
        let read = match output.begin() {
            Ok(mut stream) => {
                let read = self.in_chunks(|worker, extents| worker.chunks(&mut *stream, extents))?;
                self.run.large_file_done(self.lane);
                read
            }
            Err(e) => Err(e),
        };
        match read {
            Ok((content, bytes)) => (entry.content, entry.meta.size) = (content, bytes),
            Err(e) => {
                unreadable(&mut entry, &e);
                // Why it ended so is known to whoever handed it over, and told there: the error says nothing about it.
                self.run.counts.errors.add(1);
            }
        }
        self.run.counts.files.add(1);
        self.run.counts.bytes.add(entry.meta.size);
        let mut change = change_since(known.as_deref(), &entry, None);
        // The times are of each run: the same bytes are what makes it the same.
        if let Some(known) = &known
            && known.kind == Kind::File
            && (known.trouble, &known.content) == (entry.trouble, &entry.content)
            && known.meta.size == entry.meta.size
        {
            change = EntryChange::Unchanged;
        }
        self.run.counts.count(&Kind::File, change);
        slot.state = EntryState::Drafted(entry, None, change);
        self.run.progress();
        Ok(())
    }

    /// A source that is a device or a FIFO, read to its end as if it were a file.
    pub(super) fn special(&mut self, found: Found, lent: &Lent) -> Result<Entry> {
        let mut entry = Entry {
            name: found.name,
            kind: Kind::File,
            meta: found.meta,
            content: Content::None,
            trouble: None,
        };
        let open = || {
            let dir = lent.open()?;
            let file = fsmeta::open_special(dir.as_fd(), &entry.name)?;
            let (kind, _) = fsmeta::stat_fd(file.as_fd())?;
            let size = match kind {
                Kind::BlockDevice { .. } => Some(fsmeta::size_of_device(&file)?),
                _ => None,
            };
            Ok((dir, file, size))
        };
        let (dir, file, size) = match open() {
            Ok(opened) => opened,
            Err(e) => {
                unreadable(&mut entry, &e);
                return Ok(entry);
            }
        };
        let read = match size {
            Some(size) => self.read_large(&file, size)?,
            None => self.read_stream(&file)?,
        };
        self.run.large_file_done(self.lane);
        match read {
            Ok((content, bytes)) => {
                entry.content = content;
                (entry.meta.size, entry.meta.nlink) = (bytes, 1);
                if size.is_some_and(|size| size != bytes) {
                    entry.trouble = Some(Trouble::Changed);
                }
                self.complete(&dir, &file, &mut entry);
            }
            Err(e) => unreadable(&mut entry, &e),
        }
        Ok(entry)
    }

    fn complete(&self, dir: &DirHandle, file: &File, entry: &mut Entry) {
        let (mut kind, fd) = (Kind::File, Some(file.as_fd()));
        let failed = fsmeta::complete(
            dir.as_fd(),
            &entry.name,
            fd,
            &self.owners,
            &mut kind,
            &mut entry.meta,
        );
        entry.trouble = entry.trouble.or(failed);
    }

    /// Reads until the file did not change while it was read, or reports that it did. The inner error is the source's
    /// (I-12), the outer one the repository's (I-11).
    fn read_settled(
        &mut self,
        file: &File,
        mut before: Meta,
        entry: &mut Entry,
        slot: usize,
        small: &mut Vec<Small>,
    ) -> Result<io::Result<()>> {
        for attempt in 1..=TRIES {
            let start = self.arena.len();
            let read = self.read(file, before.size, entry)?;
            simulation::source_was_read(file, identity);
            let (bytes, after) = match read.and_then(|bytes| Ok((bytes, stat_file(file)?))) {
                Ok(read) => read,
                Err(e) => {
                    self.arena.truncate(start);
                    return Ok(Err(e));
                }
            };
            // How many bytes there were does not matter: the file was read to its end, and its size need not be that.
            let settled =
                after.size == before.size && after.mtime == before.mtime && after.ctime == before.ctime;
            if settled || attempt == TRIES {
                entry.meta = Meta {
                    size: bytes,
                    ..before
                };
                if !settled {
                    entry.trouble = Some(Trouble::Changed);
                }
                if self.arena.len() > start {
                    let hash = self.run.writer_keys().content_hash(&self.arena[start..]);
                    small.push(Small {
                        slot,
                        start,
                        len: self.arena.len() - start,
                        hash,
                    });
                }
                return Ok(Ok(()));
            }
            self.arena.truncate(start);
            entry.content = Content::None;
            before = after;
        }
        Ok(Ok(()))
    }

    /// Reads a file once. A small one's bytes are then in the arena, another's in chunks.
    fn read(&mut self, file: &File, size: u64, entry: &mut Entry) -> Result<io::Result<u64>> {
        if size < self.run.small_file {
            let began = Instant::now();
            let read = self.read_small(file, size);
            self.ahead.took(began.elapsed());
            match read {
                Ok(Some(bytes)) => return Ok(Ok(bytes)),
                Ok(None) => {}
                Err(e) if fsmeta::cannot_seek(&e) => {}
                Err(e) => return Ok(Err(e)),
            }
        }
        let read = match self.read_large(file, size)? {
            Err(e) if fsmeta::cannot_seek(&e) => self.read_stream(file)?,
            read => read,
        };
        self.run.large_file_done(self.lane);
        Ok(read.map(|(content, bytes)| {
            entry.content = content;
            bytes
        }))
    }

    /// Appends a small file's bytes to the arena. `None`, and nothing is appended, if it has more of them than its size
    /// and than fit.
    fn read_small(&mut self, file: &File, size: u64) -> io::Result<Option<u64>> {
        let start = self.arena.len();
        let most = (size + self.surplus.min(self.run.small_file - size)) as usize;
        let (mut filled, mut room) = (0, size as usize + 1);
        self.arena.resize(start + room, 0);
        loop {
            match read_at(file, &mut self.arena[start + filled..], filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.arena.truncate(start);
                    return Err(e);
                }
            }
            if filled as u64 == size {
                // One byte more was asked for: the file ends where it should.
                break;
            }
            if filled > most {
                self.arena.truncate(start);
                return Ok(None);
            }
            if filled == room {
                room = (2 * room).clamp(4096, most + 1);
                self.arena.resize(start + room, 0);
            }
        }
        self.arena.truncate(start + filled);
        self.surplus -= (filled as u64).saturating_sub(size);
        Ok(Some(filled as u64))
    }

    /// Chunks of a large file and the bytes they cover. Holes are extents and are not read.
    fn read_large(&mut self, file: &File, size: u64) -> Result<io::Result<(Content, u64)>> {
        fsmeta::advise_sequential(file);
        self.in_chunks(|worker, extents| {
            let mut at = 0;
            for range in fsmeta::data_ranges(file, size) {
                let (start, end) = match range {
                    Ok(range) => range,
                    Err(e) => return Ok(Err(e)),
                };
                if start > at {
                    extents(Extent::Zero { len: start - at })?;
                }
                let mut reader = RangeReader { file, at: start, end };
                match worker.chunks(&mut reader, extents)? {
                    Ok(bytes) => at = start + bytes,
                    Err(e) => return Ok(Err(e)),
                }
                if at < end {
                    // Shorter than its size was: what is there has been read.
                    return Ok(Ok(at));
                }
            }
            if size > at {
                extents(Extent::Zero { len: size - at })?;
            }
            match goes_on(file, size) {
                Ok(false) => Ok(Ok(size)),
                Ok(true) => {
                    let (at, end) = (size, u64::MAX);
                    let mut reader = RangeReader { file, at, end };
                    Ok(worker.chunks(&mut reader, extents)?.map(|bytes| size + bytes))
                }
                Err(e) => Ok(Err(e)),
            }
        })
    }

    /// The same of what can only be read from front to back.
    fn read_stream(&mut self, mut file: &File) -> Result<io::Result<(Content, u64)>> {
        self.in_chunks(|worker, extents| worker.chunks(&mut file, extents))
    }

    /// The content that `read` gives piece by piece, and its bytes.
    pub(super) fn in_chunks(
        &mut self,
        read: impl FnOnce(&mut Self, &mut dyn FnMut(Extent) -> Result<()>) -> Result<io::Result<u64>>,
    ) -> Result<io::Result<(Content, u64)>> {
        let (run, lane) = (self.run, self.lane);
        // Two encoders: one is busy with lists only when a file has thousands of chunks.
        let mut list_encoder: Option<Encoder> = None;
        let mut extents = ExtentListWriter::new(|plain: &[u8]| {
            let encoder = match &mut list_encoder {
                Some(encoder) => encoder,
                None => list_encoder.insert(Encoder::new(run.level)?),
            };
            Ok((run.writer.put(lane, encoder, Class::Tree, plain)?.id, None))
        });
        match read(self, &mut |extent| extents.push(extent))? {
            Ok(bytes) => Ok(Ok((extents.finish()?, bytes))),
            Err(e) => Ok(Err(e)),
        }
    }
}

/// Whether a file has bytes past the size that it still reports. One that grew is read again anyway.
fn goes_on(file: &File, size: u64) -> io::Result<bool> {
    loop {
        match read_at(file, &mut [0], size) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(stat_file(file)?.size <= size),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

pub(super) fn unreadable(entry: &mut Entry, error: &io::Error) {
    entry.trouble = Some(Trouble::Unreadable {
        errno: errno_of(error),
    });
    entry.content = Content::None;
    entry.meta.size = 0;
}
