//! What to do about a name that is taken: [`Overwrite`] applied to one entry. Asked by the planner, before anything of
//! the entry is made.

use super::Overwrite;
use super::fault::{Fault, RestoreOutcome};
use super::job::{Action, EntrySlot};
use super::shared::Shared;
use super::verify::holds;
use crate::entry::{Entry, Kind, Meta};
use crate::fsmeta::{self, AsFd, FileId, Owners, TargetDir};
use crate::problem::RestoreProblem;
use std::io;

/// Names tried for a file that is restored beside another.
const BESIDE_MAX: u32 = 1000;

/// What becomes of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ConflictDecision {
    /// Restored under this name.
    Put { name: Vec<u8>, action: Action },
    /// What is there stays as it is.
    Skip,
    /// What is there is that very file already.
    Equal,
}

impl ConflictDecision {
    pub fn create(entry: &Entry) -> ConflictDecision {
        ConflictDecision::Put {
            name: entry.name.clone(),
            action: Action::Create,
        }
    }
}

/// `first`: the entry is another name of this file, which was restored or found to be there.
pub(super) fn decide(
    shared: &Shared<'_>,
    dir: &TargetDir,
    entry: &Entry,
    first: Option<&EntrySlot>,
) -> RestoreOutcome<ConflictDecision> {
    let (kind, meta) = match dir.stat(&entry.name) {
        Ok(found) => found,
        Err(e) if e.io_kind() == Some(io::ErrorKind::NotFound) => return Ok(ConflictDecision::create(entry)),
        Err(e) => return Err(e.into()),
    };
    let is_dir = kind == Kind::Dir;
    let unchanged = || match first {
        Some(first) => Ok(first.id() == Some(FileId::from(&meta))),
        None => unchanged(shared, dir, entry, &kind, &meta),
    };
    match shared.options.overwrite {
        Overwrite::Never => Ok(ConflictDecision::Skip),
        Overwrite::Rename if same_so_far(dir, entry, &kind, &meta) => Ok(ConflictDecision::Skip),
        Overwrite::Rename => beside(dir, entry),
        Overwrite::IfNewer if meta.mtime >= entry.meta.mtime => Ok(ConflictDecision::Skip),
        Overwrite::Always if is_dir => in_place_of_dir(shared, dir, entry),
        Overwrite::IfChanged | Overwrite::IfNewer if is_dir => {
            Err(Fault::Path(RestoreProblem::DirectoryInPlace))
        }
        Overwrite::Always | Overwrite::IfChanged if unchanged()? => Ok(match first {
            Some(_) => ConflictDecision::Equal,
            None => ConflictDecision::Put {
                name: entry.name.clone(),
                action: Action::Keep {
                    id: FileId::from(&meta),
                },
            },
        }),
        Overwrite::Always | Overwrite::IfChanged | Overwrite::IfNewer => Ok(ConflictDecision::Put {
            name: entry.name.clone(),
            action: Action::Replace,
        }),
    }
}

/// Only an empty directory gives way: what is in it was not asked about.
fn in_place_of_dir(shared: &Shared<'_>, dir: &TargetDir, entry: &Entry) -> RestoreOutcome<ConflictDecision> {
    if !shared.options.dry_run && dir.remove_dir(&entry.name).is_err() {
        return Err(Fault::Path(RestoreProblem::FullDirectoryInPlace));
    }
    Ok(ConflictDecision::create(entry))
}

fn beside(dir: &TargetDir, entry: &Entry) -> RestoreOutcome<ConflictDecision> {
    for number in 1..=BESIDE_MAX {
        let mut name = entry.name.clone();
        name.extend_from_slice(b".restored");
        if number > 1 {
            name.extend_from_slice(format!("-{number}").as_bytes());
        }
        match dir.stat(&name) {
            Ok(_) => {}
            Err(e) if e.io_kind() == Some(io::ErrorKind::NotFound) => {
                return Ok(ConflictDecision::Put {
                    name,
                    action: Action::Create,
                });
            }
            Err(e) => return Err(e.into()),
        }
    }
    let most = BESIDE_MAX;
    Err(Fault::Path(RestoreProblem::TooManyBeside { most }))
}

/// As far as it is known without reading content.
fn same_so_far(dir: &TargetDir, entry: &Entry, kind: &Kind, meta: &Meta) -> bool {
    let mut kind = kind.clone();
    if let Kind::Symlink { .. } = kind {
        let mut meta = meta.clone();
        // Attributes that can't be read don't matter here; a target that can't be is empty and differs.
        let _incomplete = fsmeta::complete(
            dir.as_fd(),
            &entry.name,
            None,
            &Owners::default(),
            &mut kind,
            &mut meta,
        );
    }
    let file = entry.kind == Kind::File;
    kind == entry.kind && (!file || meta.size == entry.meta.size && meta.mtime == entry.meta.mtime)
}

/// Files count as unchanged by their size and time only if the user asked for that.
fn unchanged(
    shared: &Shared<'_>,
    dir: &TargetDir,
    entry: &Entry,
    kind: &Kind,
    meta: &Meta,
) -> RestoreOutcome<bool> {
    let trusts_time = shared.options.overwrite == Overwrite::IfChanged && !shared.options.verify;
    if (trusts_time || entry.kind != Kind::File) && same_so_far(dir, entry, kind, meta) {
        return Ok(true);
    }
    let comparable = *kind == Kind::File && entry.kind == Kind::File && meta.size == entry.meta.size;
    let same = comparable && holds(shared.source.reader(), dir, &entry.name, entry)?;
    shared.verified(same);
    Ok(same)
}
