//! First stage: the walk joined with the parent generation, cut into jobs. One thread; reads no file.
//!
//! Jobs end where a keyed hash of a file's name matches once enough bytes of small files have gathered, so two
//! machines that store the same tree for the first time make the same bundles.

use super::BackupRun;
use super::expected::Expected;
use super::job::{BackupJob, BackupSlot, EntryState};
use super::outputs::{OUTPUTS, Outputs};
use super::parent::{Parent, ParentEntry};
use crate::entry::{Content, DirPath, Entry, Kind, join};
use crate::error::{Error, NoSource, Result};
use crate::fsmeta::{Trust, sizes_of};
use crate::manifest::{Held, Mounted};
use crate::monitor::{EntryChange, Problem, ProblemKind};
use crate::platform::paths::to_bytes;
use crate::problem::Warning;
use crate::tree::Item;
use crate::trees;
use crate::walk::{Batch, Found, Lent, Mount, Placeholders, Walk};
use chunkstore::frame::Decoder;
use chunkstore::index::Presence;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place, SessionId};
use crossbeam_channel::{Receiver, Sender};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// Entries of a job at most; with [`super::WINDOW`] this bounds what the pipeline holds.
const ENTRIES: usize = 1024;

/// Sources that are links or devices, and are reported one by one.
const BARE_TOLD: usize = 10;

pub struct Dispatcher<'a, L> {
    pub run: &'a BackupRun<'a>,
    pub parent: Parent<L>,
    pub reader: &'a Reader<'a>,
    pub to_workers: Sender<BackupJob>,
    pub to_assembler: Sender<BackupJob>,
    /// Room for a job's slots; as many as may be on their way, since the assembler gives them back.
    pub free_slots: Receiver<Vec<BackupSlot>>,
    job: Vec<BackupSlot>,
    small_bytes: u64,
    todo: bool,
    number: u64,
    decoder: Decoder,
    /// Of the small files of the parent generation.
    presence: Presence,
    expected: Expected<'a>,
    pub(super) outputs: Outputs,
    /// Something is expected in the directory at hand.
    looks_closely: bool,
    /// Somebody wants to know what became of each entry.
    reports: bool,
    /// The parent, where it is one generation.
    parent_id: Option<SessionId>,
    /// Mount points whose listings are to come, and whether only what leads to sources is listed there.
    mounts: BTreeMap<Vec<u8>, (Held, bool)>,
    /// By device, and the last one asked for.
    trust: HashMap<u64, Trust>,
    last_trust: Option<(u64, Trust)>,
    /// Files that were come to, and their bytes: the totals, once the walk has ended.
    come_to: (u64, u64),
}

impl<'a, L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>> Dispatcher<'a, L> {
    pub fn new(
        run: &'a BackupRun<'a>,
        (parent, parent_id): (Parent<L>, Option<SessionId>),
        expected: Expected<'a>,
        reader: &'a Reader<'a>,
        to_workers: Sender<BackupJob>,
        to_assembler: Sender<BackupJob>,
        free_slots: Receiver<Vec<BackupSlot>>,
    ) -> Result<Self> {
        let decoder = Decoder::new()?;
        let (job, small_bytes, todo, number, presence, mounts, trust, last_trust) = Default::default();
        Ok(Dispatcher {
            run,
            parent,
            reader,
            to_workers,
            to_assembler,
            free_slots,
            job,
            small_bytes,
            todo,
            number,
            decoder,
            presence,
            expected,
            outputs: Outputs::default(),
            looks_closely: false,
            reports: run.monitor.wants_entries(),
            parent_id,
            mounts,
            trust,
            last_trust,
            come_to: (0, 0),
        })
    }

    pub fn walk(&mut self, walk: &mut Walk) -> Result<()> {
        while let Some(batch) = walk.next() {
            self.run.repo.run().cancel().check()?;
            if self.outputs.come_before(&batch.dir) {
                self.store_outputs()?;
            }
            let told = batch.excluded.iter().filter(|_| self.run.monitor.wants_entries());
            for (path, exclusion) in told {
                if let Some(rule) = walk.rule(exclusion) {
                    self.run.monitor.excluded(path, rule, exclusion.line.as_deref());
                }
            }
            self.batch(batch)?;
        }
        self.put_outputs_dir(None)?;
        self.run.totals.set(self.come_to.0, self.come_to.1);
        self.store_outputs()?;
        self.removed(None)?;
        self.send()?;
        let missing = walk.missing_sources();
        for problem in self.expected.end(&missing)? {
            self.run.monitor.problem(&problem);
        }
        *self.run.missing.lock() = self.expected.list();
        let own = walk
            .left_out()
            .into_iter()
            .map(|path| to_bytes(&path).into_owned());
        self.run.left_out.lock().extend(own);
        *self.run.excluded.lock() = walk.rule_hits();
        self.tell_bare(walk.bare_sources());
        let there_is_nothing = missing.len() + walk.excluded_sources().len() + self.expected.empty_sources
            >= self.run.head.paths.len();
        for (path, errno) in missing {
            let path = to_bytes(&path).into_owned();
            self.problem(path, ProblemKind::SourceMissing { errno });
        }
        self.tell_leftovers(walk.leftovers());
        self.tell_placeholders(walk.placeholders());
        match there_is_nothing {
            // What leads to the sources was found, and none of them: no generation is to claim that.
            true => Err(Error::NoSource(NoSource::NoneUsable)),
            false => Ok(()),
        }
    }

    fn tell_leftovers(&self, leftovers: u64) {
        if leftovers == 0 {
            return;
        }
        let warning = Warning::Unfinished { files: leftovers };
        self.run.monitor.problem(&Problem::general(warning));
    }

    fn tell_placeholders(&self, placeholders: Placeholders) {
        *self.run.placeholders.lock() = placeholders.count();
        for path in placeholders.named {
            let what = ProblemKind::Warning(Warning::Placeholder);
            self.run.monitor.problem(&Problem { path, what });
        }
        if placeholders.more > 0 {
            let files = placeholders.more;
            let warning = Warning::MorePlaceholders { files };
            self.run.monitor.problem(&Problem::general(warning));
        }
    }

    /// A list of sources may hold very many links, which are as they should be.
    fn tell_bare(&self, bare: Vec<(PathBuf, Kind)>) {
        let more = bare.len().saturating_sub(BARE_TOLD);
        for (path, kind) in bare.into_iter().take(BARE_TOLD) {
            let path = to_bytes(&path).into_owned();
            let link = matches!(kind, Kind::Symlink { .. });
            let what = ProblemKind::Bare { link };
            self.run.monitor.problem(&Problem { path, what });
        }
        if more > 0 {
            let warning = Warning::MoreBare { sources: more };
            self.run.monitor.problem(&Problem::general(warning));
        }
    }

    fn problem(&self, path: Vec<u8>, what: ProblemKind) {
        self.run.problem(&Problem { path, what });
    }

    fn batch(&mut self, batch: Batch) -> Result<()> {
        if let Some(trouble) = batch.trouble {
            trouble.of_the_source(&batch.dir)?;
            let path = [b"/", &batch.dir[..]].concat();
            self.run.unreadable_dir(&path);
            self.expected.missing(&batch.dir)?;
            self.mounts.remove(&batch.dir[..]);
            self.problem(path, ProblemKind::Source(trouble));
        }
        if batch.last {
            self.listed(&batch.dir, batch.empty, batch.entries.is_empty())?;
        }
        self.looks_closely = self.expected.looks_into(&batch.dir);
        let is_root = batch.dir.is_empty();
        for found in batch.entries {
            if is_root {
                self.put_outputs_dir(Some(&found.name))?;
            }
            self.entry(&batch.dir, batch.handle.as_ref(), found)?;
        }
        if is_root && batch.last {
            self.put_outputs_dir(None)?;
        }
        Ok(())
    }

    fn listed(&mut self, dir: &[u8], empty: bool, no_entries: bool) -> Result<()> {
        if let Some((held, above)) = self.mounts.remove(dir)
            && !empty
            && !(above && no_entries)
        {
            let path = [b"/", dir].concat();
            self.run.mounted(Mounted { path, held });
        }
        if let Some(problem) = self.expected.listed(dir, empty)? {
            self.run.problem(&problem);
        }
        Ok(())
    }

    /// What is worth a word about an entry before it is read.
    fn note(&mut self, dir: &[u8], found: &Found, known: Option<&ParentEntry>) -> Result<()> {
        let path = join(dir, &found.name);
        let then = known.map(|known| &known.item.entry.kind);
        if let Some(problem) = self.expected.entry(&path, found, then, self.parent_id)? {
            self.run.problem(&problem);
        }
        let held = match found.mount {
            Mount::None => return Ok(()),
            Mount::Bound => Held::Directory,
            Mount::Device => Held::Mount,
        };
        self.mounts.insert(path, (held, found.above));
        Ok(())
    }

    /// Whether examining a file shows that it is as it was: not where sizes and times are made up.
    fn can_be_told(&mut self, found: &Found, handle: Option<&Arc<Lent>>) -> bool {
        if found.kind != Kind::File {
            return true;
        }
        let device = found.meta.dev;
        let trust = match self.last_trust {
            Some((last, trust)) if last == device => trust,
            _ => {
                let known = self.trust.get(&device).copied();
                let asked = || {
                    let dir = handle.and_then(|dir| dir.open().ok());
                    dir.map(|dir| sizes_of(&*dir))
                };
                let Some(trust) = known.or_else(asked) else {
                    return false;
                };
                self.trust.insert(device, trust);
                self.last_trust = Some((device, trust));
                trust
            }
        };
        match trust {
            Trust::All => true,
            Trust::NotEmpty => found.meta.size > 0,
            Trust::None => false,
        }
    }

    /// Takes in what the parent has and the walk did not come to, where somebody wants to know.
    fn removed(&mut self, before: Option<(&[u8], &[u8])>) -> Result<()> {
        if !self.reports {
            return Ok(());
        }
        while let Some(Item { dir, entry, .. }) = self.parent.passed_over(before)? {
            let state = EntryState::Removed(entry.name, entry.kind);
            self.job.push(BackupSlot { dir, state });
            if self.job.len() >= ENTRIES {
                self.send()?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, dir: &DirPath, handle: Option<&Arc<Lent>>, found: Found) -> Result<()> {
        self.removed(Some((dir, &found.name)))?;
        let known = self.parent.take(dir, &found)?;
        for damage in std::mem::take(&mut self.parent.damage) {
            let warning = Warning::ParentDamaged(damage);
            self.run.monitor.problem(&Problem::general(warning));
        }
        if self.looks_closely || found.mount != Mount::None {
            self.note(dir, &found, known.as_ref())?;
        }
        let (state, earlier) = self.compare(known, &found, handle)?;
        let size = if found.kind == Kind::File {
            self.come_to = (self.come_to.0 + 1, self.come_to.1.saturating_add(found.meta.size));
            found.meta.size
        } else {
            0
        };
        let large = state.is_none() && (size >= self.run.small_file || found.special);
        if large {
            // A large file is a job of its own, so that nothing waits behind it.
            self.send()?;
        }
        let mut cut_here = false;
        let state = state.unwrap_or_else(|| {
            self.todo = true;
            if !large && size > 0 {
                self.small_bytes += size;
                cut_here = self.run.ends_job(&found.name);
            }
            EntryState::Todo {
                found,
                dir: handle.cloned(),
                known: earlier,
            }
        });
        self.job.push(BackupSlot {
            dir: dir.clone(),
            state,
        });
        let target = u64::from(self.run.bundle_size);
        let full = (cut_here && self.small_bytes >= target / 2) || self.small_bytes >= 2 * target;
        if large || full || self.job.len() >= ENTRIES {
            self.send()?;
        }
        Ok(())
    }

    /// The entry as the parent has it, if it is taken over, or else for the worker to compare with.
    fn compare(
        &mut self,
        known: Option<ParentEntry>,
        found: &Found,
        handle: Option<&Arc<Lent>>,
    ) -> Result<(Option<EntryState>, Option<Box<Entry>>)> {
        let Some(ParentEntry {
            item,
            trusted,
            unchanged,
        }) = known
        else {
            return Ok((None, None));
        };
        let is_same = unchanged
            && self.can_be_told(found, handle)
            && (trusted || self.references_present(&item.entry.content)?);
        if !is_same {
            return Ok((None, Some(Box::new(item.entry))));
        }
        let counts = &self.run.counts;
        counts.bytes.add(item.entry.meta.size);
        counts.files.add(u64::from(item.entry.kind == Kind::File));
        counts.count(&item.entry.kind, EntryChange::Unchanged);
        Ok((
            Some(EntryState::Same(item.entry, trusted.then_some(item.pos))),
            None,
        ))
    }

    /// I-4 for a parent that proves nothing by itself: every chunk and small file must be in this session's view.
    fn references_present(&mut self, content: &Content) -> Result<bool> {
        let reading = (self.reader, &mut self.decoder);
        trees::is_present(self.run.writer, &mut self.presence, reading, content)
    }

    /// The folder of the outputs, before the entry of the root that comes after it, or last.
    fn put_outputs_dir(&mut self, before: Option<&[u8]>) -> Result<()> {
        if !self.outputs.wait_for_dir(before)? {
            return Ok(());
        }
        let root = DirPath::from(&b""[..]);
        let found = self.outputs.dir(&self.run.head);
        self.removed(Some((&root, &found.name)))?;
        let known = self.parent.take(&root, &found)?;
        if self.looks_closely {
            self.note(&root, &found, known.as_ref())?;
        }
        let change = match &known {
            Some(known) if known.item.entry.kind == Kind::Dir => EntryChange::Unchanged,
            Some(_) => EntryChange::Modified,
            None => EntryChange::New,
        };
        self.run.counts.count(&Kind::Dir, change);
        let state = EntryState::Drafted(Outputs::entry(found), None, change);
        self.job.push(BackupSlot { dir: root, state });
        Ok(())
    }

    /// The outputs, each a job of its own, so that nothing waits behind it.
    fn store_outputs(&mut self) -> Result<()> {
        let dir = DirPath::from(OUTPUTS);
        let files = self.outputs.files(&self.run.head);
        if files.is_empty() {
            return Ok(());
        }
        self.listed(&dir, false, false)?;
        for (found, output) in files {
            self.removed(Some((&dir, &found.name)))?;
            let known = self.parent.take(&dir, &found)?;
            self.send()?;
            self.todo = true;
            let state = EntryState::Output {
                entry: Outputs::entry(found),
                output,
                known: known.map(|known| Box::new(known.item.entry)),
            };
            let dir = dir.clone();
            self.job.push(BackupSlot { dir, state });
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        if self.job.is_empty() {
            return Ok(());
        }
        // A closed channel means that another stage failed; its error is the one to report.
        let stopped = || Error::Store(chunkstore::Error::WriterFailed);
        let free = self.free_slots.recv().map_err(|_| stopped())?;
        let job = BackupJob {
            number: self.number,
            slots: std::mem::replace(&mut self.job, free),
        };
        self.number += 1;
        self.small_bytes = 0;
        let to = if std::mem::take(&mut self.todo) {
            &self.to_workers
        } else {
            &self.to_assembler
        };
        to.send(job).map_err(|_| stopped())
    }
}
