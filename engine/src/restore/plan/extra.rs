//! What the target has and the generation has not, which is deleted where that was asked for.
//!
//! Only in directories whose whole listing was read: never above what was backed up, where a piece of the tree is lost, or
//! where the backup itself could not look. Never on another file system, which the backup may have left out, nor what this
//! program keeps for itself. Patterns hold for it as for what is restored.

use super::Planner;
use crate::entry::{DirPath, Kind, join};
use crate::error::Result;
use crate::fsmeta::{AsFd, TargetDir, stat_fd};
use crate::list::relative;
use crate::manifest::Manifest;
use crate::monitor::EntryChange;
use crate::problem::RestoreProblem;
use crate::restore::RestoreOptions;
use crate::restore::choose::Choice;
use crate::restore::dirs::Place;
use crate::restore::fault::{Fault, RestoreOutcome};
use crate::restore::job::Failure;
use crate::restore::journal::is_leftover;
use crate::restore::shared::below;
use chunkstore::error::Operation;
use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// Levels of directories that are deleted with what is in them; each keeps one open.
const DEPTH: usize = 128;
/// Directories that are remembered because nothing may be deleted in them.
const UNKNOWN_MAX: usize = 1 << 16;

/// What is known of the directory that is being read.
pub(super) struct Extras {
    wanted: bool,
    dir: Option<DirPath>,
    names: Vec<Vec<u8>>,
    /// Directories that the backup could not read, relative to `/`.
    unknown: BTreeSet<Vec<u8>>,
    own: Vec<(u64, u64)>,
}

impl Extras {
    pub fn new(options: &RestoreOptions, manifest: &Manifest) -> Extras {
        let missing = manifest.missing.iter().map(|missing| &missing.path);
        let unknown = missing.chain(&manifest.unreadable_dirs);
        Extras {
            wanted: options.delete,
            dir: None,
            names: Vec::new(),
            unknown: unknown.map(|path| relative(path).to_vec()).collect(),
            own: match options.delete {
                true => options.own.ids(),
                false => Vec::new(),
            },
        }
    }

    /// Part of the tree can't be read: from here on it is not known what belongs into the target.
    pub fn give_up(&mut self) {
        self.wanted = false;
    }

    /// The listing of this directory is not complete.
    pub fn keep_all_in(&mut self, path: &[u8]) {
        if self.unknown.len() >= UNKNOWN_MAX {
            return self.give_up();
        }
        if self.wanted {
            self.unknown.insert(path.to_vec());
        }
    }

    /// An entry of the directory at hand is restored under another name.
    pub fn put(&mut self, name: &[u8], recorded: &[u8]) {
        if self.wanted && name != recorded {
            self.names.push(name.to_vec());
        }
    }
}

impl Planner<'_, '_> {
    /// The generation holds this name. Where it is in another directory than the one before, that one is complete.
    pub(super) fn listed(&mut self, dir: &DirPath, name: &[u8]) -> Result<()> {
        if !self.extras.wanted {
            return Ok(());
        }
        if self.extras.dir.as_deref() != Some(&**dir) {
            self.listed_all()?;
            self.extras.dir = Some(dir.clone());
        }
        self.extras.names.push(name.to_vec());
        Ok(())
    }

    /// Nothing more comes of the directory that is at hand.
    pub(super) fn listed_all(&mut self) -> Result<()> {
        let mut names = std::mem::take(&mut self.extras.names);
        let Some(dir) = self.extras.dir.take() else {
            return Ok(());
        };
        let choice = self.stack.choice();
        // One that is not restored is not made for this either.
        if choice.excluded || !choice.selected && !self.stack.is_made() {
            return Ok(());
        }
        let found = match self.place()? {
            Place::Existing(found) => found.try_clone(),
            Place::New | Place::Absent | Place::Failed => return Ok(()),
        };
        names.sort_unstable();
        match found {
            Ok(found) => self.delete_others(&found, &dir, choice, &names),
            Err(e) => {
                let failure = Fault::from(e).apart()?;
                self.not_deleted(&dir, failure);
                Ok(())
            }
        }
    }

    /// A directory without entries; `dir` if it was there already.
    pub(super) fn empty(&mut self, dir: Option<TargetDir>, path: &[u8], choice: Choice) -> Result<()> {
        match dir {
            Some(dir) => self.delete_others(&dir, path, choice, &[]),
            None => Ok(()),
        }
    }

    fn delete_others(
        &mut self,
        dir: &TargetDir,
        path: &[u8],
        choice: Choice,
        names: &[Vec<u8>],
    ) -> Result<()> {
        let is_root = path.is_empty() && !self.is_source(path);
        if !self.extras.wanted
            || is_root
            || self.is_above_sources(path)
            || self
                .extras
                .unknown
                .iter()
                .any(|above| is_at_or_below(path, above))
        {
            return Ok(());
        }
        match self.delete_in(dir, path, choice, names, 0) {
            Ok(_) => Ok(()),
            Err(fault) => {
                let failure = fault.apart()?;
                self.not_deleted(path, failure);
                Ok(())
            }
        }
    }

    /// Whether the directory is empty afterwards.
    fn delete_in(
        &mut self,
        dir: &TargetDir,
        path: &[u8],
        choice: Choice,
        keep: &[Vec<u8>],
        depth: usize,
    ) -> RestoreOutcome<bool> {
        let device = device_of(dir)?;
        let found = dir.names()?;
        let mut is_empty = true;
        for at in 0..found.len() {
            self.shared.check().map_err(Fault::Fatal)?;
            let Some((name, _)) = found.get(at) else { break };
            if is_leftover(name) || keep.binary_search_by(|kept| kept.as_slice().cmp(name)).is_ok() {
                is_empty = false;
                continue;
            }
            let full = join(path, name);
            match self.delete(dir, device, (path, name), &full, choice, depth) {
                Ok(gone) => is_empty &= gone,
                Err(fault) => {
                    is_empty = false;
                    let failure = fault.apart().map_err(Fault::Fatal)?;
                    self.not_deleted(&full, failure);
                }
            }
        }
        Ok(is_empty)
    }

    /// Whether `name` is gone afterwards.
    fn delete(
        &mut self,
        dir: &TargetDir,
        device: u64,
        (path, name): (&[u8], &[u8]),
        full: &[u8],
        above: Choice,
        depth: usize,
    ) -> RestoreOutcome<bool> {
        let shared = self.shared;
        let (kind, meta) = match dir.stat(name) {
            Err(e) if e.io_kind() == Some(io::ErrorKind::NotFound) => return Ok(true),
            stat => stat?,
        };
        let is_dir = kind == Kind::Dir;
        let choice = self.chooser.judge(above, full, is_dir);
        let stays = meta.dev != device || self.extras.own.contains(&(meta.dev, meta.ino));
        if choice.excluded || stays {
            return Ok(false);
        }
        let within = below(path, shared.strip());
        if is_dir {
            if depth >= DEPTH {
                return Err(Fault::Path(RestoreProblem::TooDeep));
            }
            let inner = match shared.options.dry_run {
                true => dir.open_dir(name)?,
                false => shared.opened.enter(within, dir, name)?,
            };
            let is_empty = self.delete_in(&inner, full, choice, &[], depth + 1)?;
            if !is_empty || !choice.selected {
                return Ok(false);
            }
            if !shared.options.dry_run {
                shared.opened.forget(below(full, shared.strip()));
                shared.opened.change(within, dir, || dir.remove_dir(name))?;
            }
        } else if !choice.selected {
            return Ok(false);
        } else {
            if !shared.options.dry_run {
                shared.opened.change(within, dir, || dir.remove(name))?;
            }
            shared.counts.files_deleted.fetch_add(1, Relaxed);
        }
        shared.entry(full, &kind, EntryChange::Deleted, meta.size);
        Ok(true)
    }

    fn not_deleted(&self, path: &[u8], failure: Failure) {
        let failure = match failure {
            Failure::Problem(why) => Failure::Problem(RestoreProblem::NotDeleted(Box::new(why))),
            failure => failure,
        };
        self.shared.failed(path, failure);
    }
}

fn device_of(dir: &TargetDir) -> RestoreOutcome<u64> {
    match stat_fd(dir.as_fd()) {
        Ok((_, meta)) => Ok(meta.dev),
        Err(e) => Err(Fault::target(Operation::Stat, e)),
    }
}

fn is_at_or_below(path: &[u8], above: &[u8]) -> bool {
    matches!(path.strip_prefix(above), Some([] | [b'/', ..]))
}
