//! Last stage: takes jobs back in order, writes the tree, and publishes: a checkpoint now and then, the generation at
//! the end (I-1). Runs on the calling thread.

use super::job::{BackupJob, BackupSlot, EntryState};
use super::{BackupRun, RunOutcome};
use crate::entry::join;
use crate::error::{Error, NoSource, Result};
use crate::manifest::{Manifest, Missing, Mounted, Remembered};
use crate::monitor::{EntryChange, Monitor};
use crate::tree::{Root, Segments, TreeWriter};
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place, SessionId};
use crossbeam_channel::{Receiver, Sender};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// zstd's level for segments at least: they are few bytes beside the data, and every generation has new ones.
const TREE_LEVEL: i32 = 9;

pub struct Assembler<'a> {
    pub run: &'a BackupRun<'a>,
    pub jobs: Receiver<BackupJob>,
    /// Back to the dispatcher, for the next job.
    pub free_slots: Sender<Vec<BackupSlot>>,
    /// Time between checkpoints.
    pub checkpoint: Duration,
    pub parent: Option<SessionId>,
    pub remembered: Remembered,
    pub started: Instant,
    pub dry_run: bool,
    /// Publish nothing if the new generation would be the same as this.
    pub skip_if_like: Option<RecordedSources>,
}

/// What a generation records of its sources: the tree with every byte of it, and what else the next run relies on.
pub struct RecordedSources {
    pub root: Root,
    pub mounts: Vec<Mounted>,
    pub missing: Vec<Missing>,
}

impl Assembler<'_> {
    /// Takes jobs until all stages have ended; then `ended_well` decides whether the generation is
    /// to be published.
    pub fn assemble(mut self, ended_well: &mut dyn FnMut() -> Result<()>) -> Result<RunOutcome> {
        let run = self.run;
        let mut encoder = Encoder::new(run.level.max(TREE_LEVEL))?;
        let lane = run.tree_lane;
        let mut tree = TreeWriter::new(*run.writer_keys().tree_cuts(), |plain: &[u8]| {
            let put = run.writer.put(lane, &mut encoder, Class::Tree, plain)?;
            run.counts.tree_blobs.add(u64::from(put.stored.is_some()));
            Ok((put.id, None))
        });
        let mut waiting: BTreeMap<u64, BackupJob> = BTreeMap::new();
        let (mut next, reports) = (0, run.monitor.wants_entries());
        let mut last_checkpoint = Instant::now();
        while let Ok(job) = self.jobs.recv() {
            waiting.insert(job.number, job);
            while let Some(mut job) = waiting.remove(&next) {
                next += 1;
                for slot in job.slots.drain(..) {
                    if reports {
                        report(run.monitor, &slot);
                    }
                    push(&mut tree, slot)?;
                }
                // The dispatcher has ended if there is no receiver.
                let _ = self.free_slots.try_send(job.slots);
            }
            if !self.dry_run && last_checkpoint.elapsed() >= self.checkpoint {
                let root = tree.checkpoint()?;
                self.checkpoint_here(root)?;
                last_checkpoint = Instant::now();
            }
        }
        if let Err(e) = ended_well() {
            // Stopped by the user: what is there becomes a generation to restore from and to go on from.
            if matches!(e, Error::Interrupted) && !self.dry_run {
                let checkpoint = tree.checkpoint();
                self.publish_stopped(checkpoint)?;
            }
            return Err(e);
        }
        if !waiting.is_empty() {
            return Err(Error::Store(chunkstore::Error::WriterFailed));
        }
        let root = tree.finish()?;
        if root.entries == 0 {
            return Err(Error::NoSource(NoSource::Nothing));
        }
        if self
            .skip_if_like
            .as_ref()
            .is_some_and(|parent| self.says_the_same(parent, &root))
        {
            return Ok(RunOutcome {
                snapshot: None,
                unchanged: true,
            });
        }
        self.publish(root, false)
    }

    /// Publishes what a run that was stopped has come to, if it has come to anything.
    fn publish_stopped(&mut self, checkpoint: Result<Root>) -> Result<()> {
        let published = checkpoint.and_then(|root| match root.entries {
            0 => Ok(()),
            _ => self.publish(root, true).map(drop),
        });
        match published {
            // What is still to be sent takes too long: the next run does it.
            Ok(()) | Err(Error::Interrupted | Error::Store(chunkstore::Error::WriterFailed)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn says_the_same(&self, parent: &RecordedSources, root: &Root) -> bool {
        same_tree(&parent.root, root)
            && *self.run.mounts.lock() == parent.mounts
            && *self.run.missing.lock() == parent.missing
    }

    fn checkpoint_here(&mut self, root: Root) -> Result<()> {
        let writer = self.run.writer;
        // First, so that at every moment one is open: what workers put while this publishes is in its care.
        writer.open_next_session()?;
        let outcome = self.publish(root, true)?;
        self.parent = outcome.snapshot;
        if writer.is_covered()? {
            Ok(())
        } else {
            Err(Error::ViewChanged)
        }
    }

    fn publish(&mut self, mut root: Root, partial: bool) -> Result<RunOutcome> {
        let run = self.run;
        let flushed = run.writer.flush()?;
        if self.dry_run {
            return Ok(RunOutcome {
                snapshot: None,
                unchanged: false,
            });
        }
        fill_places(run.writer, &mut root)?;
        let mut manifest = Manifest::new(&run.head, &root, run.summary());
        manifest.partial = partial;
        manifest.parent = self.parent;
        manifest.unreadable_dirs = run.unreadable_dirs();
        manifest.mounts = run.mounts.lock().clone();
        manifest.missing = run.missing.lock().clone();
        manifest.seconds_taken = self.started.elapsed().as_secs();
        let _turn = run.repo.turn()?;
        let last = run.repo.remembered();
        if last.sequence > self.remembered.sequence {
            // Another backup of this machine has published since this one began.
            self.remembered = last;
        }
        manifest.sequence = self.remembered.sequence.max(run.repo.last_number()) + 1;
        manifest.previous = self.remembered.hash;
        let (id, hash) = run.writer.publish(flushed, &manifest.encode())?;
        let segments = run.writer.final_view().segments;
        self.remembered = Remembered {
            sequence: manifest.sequence,
            hash,
            snapshot: Some(id),
            segments,
            packs: run.writer.packs_seen(),
        };
        run.repo.remember(&self.remembered)?;
        Ok(RunOutcome {
            snapshot: Some(id),
            unchanged: false,
        })
    }
}

/// Reports what became of an entry.
fn report(monitor: &dyn Monitor, slot: &BackupSlot) {
    let (name, kind, change, size) = match &slot.state {
        EntryState::Same(entry, _) => (&entry.name, &entry.kind, EntryChange::Unchanged, entry.meta.size),
        EntryState::Drafted(entry, _, change) => (&entry.name, &entry.kind, *change, entry.meta.size),
        EntryState::Removed(name, kind) => (name, kind, EntryChange::Removed, 0),
        EntryState::LeftOut | EntryState::Todo { .. } | EntryState::Output { .. } => return,
    };
    monitor.entry(&join(&slot.dir, name), kind, change, size);
}

fn push<F: FnMut(&[u8]) -> Result<(ChunkId, Option<Place>)>>(
    tree: &mut TreeWriter<F>,
    slot: BackupSlot,
) -> Result<()> {
    let lost = || Error::Store(chunkstore::Error::WriterFailed);
    match slot.state {
        EntryState::Same(entry, Some(at)) => tree.push_same(&slot.dir, entry, &at),
        EntryState::Same(entry, None) => tree.push(&slot.dir, entry),
        EntryState::Drafted(mut entry, part, _) => {
            if let Some(part) = part {
                entry.content = part.content().ok_or_else(lost)?;
            }
            tree.push(&slot.dir, entry)
        }
        EntryState::LeftOut | EntryState::Removed(..) => Ok(()),
        EntryState::Todo { .. } | EntryState::Output { .. } => Err(lost()),
    }
}

/// Two roots list the same segments: then every entry is equal.
pub(crate) fn same_tree(a: &Root, b: &Root) -> bool {
    let ids = |root: &Root| -> Vec<ChunkId> {
        match &root.segments {
            Segments::Inline(rows) => rows.iter().map(|row| row.id).collect(),
            Segments::Pages(pages) => pages.iter().map(|page| page.span.id).collect(),
        }
    };
    ids(a) == ids(b)
}

/// Where new segments lie is known once their packs have names.
pub(crate) fn fill_places(writer: &Writer, root: &mut Root) -> Result<()> {
    let rows: Box<dyn Iterator<Item = &mut crate::tree::SegmentRef>> = match &mut root.segments {
        Segments::Inline(rows) => Box::new(rows.iter_mut()),
        Segments::Pages(pages) => Box::new(pages.iter_mut().map(|page| &mut page.span)),
    };
    for row in rows.filter(|row| row.place.is_none()) {
        row.place = writer.place(&row.id)?.map(|located| located.place);
    }
    Ok(())
}
