//! A stream as a generation of one file: standard input, or what a command prints.

use super::assemble::Assembler;
use super::job::{BackupJob, BackupSlot, EntryState};
use super::work::Worker;
use super::{BackupOptions, BackupRun, RunOutcome, Stream, WINDOW};
use crate::entry::{Content, DirPath, Entry, Kind, Meta, Time};
use crate::error::{Error, Result};
use crate::fsmeta;
use crate::manifest::Manifest;
use crate::monitor::EntryChange;
use crate::trees;
use chunkstore::error::Operation;
use chunkstore::reader::Reader;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::PathBuf;

/// What the parent generation has under the name of a stream. Damage to it only means that nothing can be compared.
pub fn before(reader: &Reader<'_>, parent: Option<&Manifest>, name: &[u8]) -> Result<Option<Entry>> {
    let look = |manifest: &Manifest| -> Result<Option<Entry>> {
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let found = trees::cursor(reader, &manifest.root()?)?.lookup(name)?;
        Ok(found.map(|item| item.entry))
    };
    match parent.map(look).transpose() {
        Err(Error::Store(e)) if e.concerns_one_object() => Ok(None),
        found => found.map(Option::flatten),
    }
}

pub fn store<'a>(
    run: &'a BackupRun<'a>,
    options: &BackupOptions,
    stream: &mut Stream<'_>,
    known: Option<&Entry>,
    assembler: impl FnOnce(Receiver<BackupJob>, Sender<Vec<super::job::BackupSlot>>) -> Assembler<'a>,
) -> Result<RunOutcome> {
    let (content, size) = read(run, stream)?;
    if size == 0 && !options.allow_empty {
        let name = String::from_utf8_lossy(&stream.name).into_owned();
        return Err(Error::EmptyStream(name));
    }
    // The times are of each run: the same bytes are what makes it the same.
    let is_same = |known: &Entry| {
        known.kind == Kind::File
            && known.trouble.is_none()
            && known.content == content
            && known.meta.size == size
    };
    let change = match known {
        None => EntryChange::New,
        Some(known) if is_same(known) => EntryChange::Unchanged,
        Some(_) => EntryChange::Modified,
    };
    run.counts.count(&Kind::File, change);
    run.counts.files.add(1);
    run.counts.bytes.add(size);
    if change == EntryChange::Unchanged && options.skip_if_unchanged {
        return Ok(RunOutcome {
            snapshot: None,
            unchanged: true,
        });
    }
    let slots = slots(run, &stream.name, (content, size), change);
    let (to_assembler, jobs) = bounded(1);
    let (return_slots, _free_slots) = bounded(WINDOW);
    to_assembler
        .send(BackupJob { number: 0, slots })
        .map_err(|_| Error::Store(chunkstore::Error::WriterFailed))?;
    drop(to_assembler);
    assembler(jobs, return_slots).assemble(&mut || Ok(()))
}

/// The file of this name, with the directories above it.
fn slots(
    run: &BackupRun<'_>,
    name: &[u8],
    (content, size): (Content, u64),
    change: EntryChange,
) -> Vec<BackupSlot> {
    let now = run.head.time;
    let time = Time {
        secs: now.as_second(),
        nanos: now.subsec_nanosecond().unsigned_abs(),
    };
    let blank = fsmeta::Blank::default().meta();
    let file = Meta {
        mode: 0o600,
        size,
        mtime: time,
        ctime: time,
        nlink: 1,
        ..blank.clone()
    };
    let dir = Meta {
        mode: 0o700,
        mtime: time,
        ctime: time,
        nlink: 1,
        ..blank
    };
    let mut slots = Vec::new();
    let mut above: Vec<u8> = Vec::new();
    let mut names = name
        .split(|b| *b == b'/')
        .filter(|name| !name.is_empty())
        .peekable();
    while let Some(name) = names.next() {
        let (kind, meta, content) = match names.peek() {
            Some(_) => (Kind::Dir, dir.clone(), Content::None),
            None => (Kind::File, file.clone(), content.clone()),
        };
        let entry = Entry {
            name: name.to_vec(),
            kind,
            meta,
            content,
            trouble: None,
        };
        let dir = DirPath::from(&above[..]);
        slots.push(BackupSlot {
            dir,
            state: EntryState::Drafted(entry, None, change),
        });
        above = crate::entry::join(&above, name);
    }
    slots
}

fn read(run: &BackupRun<'_>, stream: &mut Stream<'_>) -> Result<(Content, u64)> {
    const LANE: usize = 0;
    let mut worker = Worker::new(run, LANE)?;
    let read = worker.in_chunks(|worker, extents| worker.chunks(stream.source, extents))?;
    run.large_file_done(LANE);
    read.map_err(|source| {
        let path = PathBuf::from(String::from_utf8_lossy(&stream.name).into_owned());
        Error::io(Operation::Read, path, source)
    })
}
