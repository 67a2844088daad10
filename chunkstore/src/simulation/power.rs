//! A disk on which the power is cut: what was not synced is torn, or never happened. Watches the steps in which this
//! thread writes local files (`platform/files.rs`).

use super::LocalStep;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::{fs, io};

/// A power cut at one of the steps of writing local files.
#[derive(Debug)]
pub struct PowerCut {
    at: u64,
    steps: AtomicU64,
    unsynced: Mutex<UnsyncedSteps>,
}

#[derive(Default, Debug)]
struct UnsyncedSteps {
    /// Files with bytes that are not on the disk.
    files: BTreeSet<PathBuf>,
    /// Names that are not on the disk, the last one last, with what each led to before.
    names: Vec<(PathBuf, Before)>,
}

#[derive(Debug)]
enum Before {
    Nothing,
    File(Vec<u8>),
}

impl PowerCut {
    /// Cuts the power before a step; no later one has an effect.
    pub fn new(at: u64) -> Arc<PowerCut> {
        Arc::new(PowerCut {
            at,
            steps: AtomicU64::new(0),
            unsynced: Mutex::default(),
        })
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps.load(Relaxed)
    }

    /// Whether there was such a step.
    pub fn happened(&self) -> bool {
        self.steps.load(Relaxed) > self.at
    }

    /// Leaves the files as the disk has them after the cut. A disk may hold names that were not synced, or not
    /// (`lose_names`); of bytes that were not synced it holds half.
    pub fn lose(&self, lose_names: bool) -> io::Result<()> {
        let unsynced = std::mem::take(&mut *self.unsynced.lock());
        for path in &unsynced.files {
            match fs::read(path) {
                Ok(bytes) => fs::write(path, &bytes[..bytes.len() / 2])?,
                // Removed again by who wrote it.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        for (path, before) in unsynced.names.into_iter().rev().filter(|_| lose_names) {
            match before {
                Before::File(bytes) => fs::write(path, bytes)?,
                Before::Nothing if path.is_dir() => fs::remove_dir_all(path)?,
                Before::Nothing if path.exists() => fs::remove_file(path)?,
                Before::Nothing => {}
            }
        }
        Ok(())
    }

    fn step(&self, step: LocalStep<'_>, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.steps.fetch_add(1, Relaxed) >= self.at {
            return Err(io::Error::other("the power is cut"));
        }
        let before = match step {
            LocalStep::Name { to, .. } => fs::read(to).map_or(Before::Nothing, Before::File),
            _ => Before::Nothing,
        };
        act()?;
        self.unsynced.lock().note(step, before);
        Ok(())
    }
}

impl UnsyncedSteps {
    fn note(&mut self, step: LocalStep<'_>, before: Before) {
        match step {
            LocalStep::MakeFolder(path) => self.names.push((path.to_path_buf(), before)),
            LocalStep::Write(path) => {
                self.files.insert(path.to_path_buf());
            }
            LocalStep::SyncFile(path) => {
                self.files.remove(path);
            }
            LocalStep::Name { from, to } => {
                if self.files.remove(from) {
                    self.files.insert(to.to_path_buf());
                } else {
                    self.files.remove(to);
                }
                self.names.push((to.to_path_buf(), before));
            }
            LocalStep::SyncFolder(folder) => self.names.retain(|(path, _)| path.parent() != Some(folder)),
        }
    }
}

thread_local! {
    static POWER_CUT: RefCell<Option<Arc<PowerCut>>> = const { RefCell::new(None) };
}

/// From now on this thread's local files are on a disk whose power is cut, until it is `None`.
pub fn cut_power(cut: Option<Arc<PowerCut>>) {
    POWER_CUT.with(|current| *current.borrow_mut() = cut);
}

pub(crate) fn local_step(step: LocalStep<'_>, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match POWER_CUT.with(|cut| cut.borrow().clone()) {
        Some(cut) => cut.step(step, act),
        None => act(),
    }
}
