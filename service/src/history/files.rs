//! The files of one backup: its snapshot against the snapshot it was compared with. Nothing is stored for this; it is
//! computed when somebody looks.

use super::HistoryRow;
use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use engine::entry::Kind;
use engine::list::{self, Modifier};
use engine::manifest::Manifest;
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::{Error, SessionId, StoreError};
use std::sync::mpsc::{SyncSender, sync_channel};

/// Rows on one page.
pub const PAGE: u64 = 100;
/// Differences that may wait for the listing to come to them.
const AHEAD: usize = 1024;

/// What became of a file in a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileStatus {
    New,
    Changed,
    Unchanged,
    Deleted,
    Failed,
}

impl FileStatus {
    pub const ALL: [FileStatus; 5] = [
        FileStatus::New,
        FileStatus::Changed,
        FileStatus::Unchanged,
        FileStatus::Deleted,
        FileStatus::Failed,
    ];

    pub fn word(self) -> &'static str {
        match self {
            FileStatus::New => "new",
            FileStatus::Changed => "changed",
            FileStatus::Unchanged => "unchanged",
            FileStatus::Deleted => "deleted",
            FileStatus::Failed => "failed",
        }
    }
}

/// One file or other entry that is no directory.
pub struct FileRow<'a> {
    pub path: &'a [u8],
    pub status: FileStatus,
    pub size: u64,
}

/// The manifests of a backup's snapshot and of its parent.
pub struct BackupFiles {
    repo: Repo,
    new: Manifest,
    old: Option<Manifest>,
}

impl BackupFiles {
    /// Opens what a row is about: in the repository that was asked for, or else in that of the row's first destination.
    pub fn open(context: &Context, row: &HistoryRow, face: &dyn Face) -> Result<BackupFiles, Failure> {
        let Some(hex) = &row.snapshot else {
            return Err(Cause::NoSnapshotOfJob { id: row.id.clone() }.into());
        };
        let gone = || {
            Failure::from(Cause::SnapshotOfJobGone {
                snapshot: crate::text::short(hex),
            })
        };
        let id = SessionId::from_hex(hex).ok_or_else(gone)?;
        let first = row.destinations.first();
        let first = first.filter(|first| context.settings.remote(&first.name).is_some());
        let repo = match (context.options.names_repository(), first) {
            (false, Some(first)) => context.open_at(&context.remote(&first.name)?, face)?,
            _ => context.open(face)?,
        };
        let new = match repo.manifest(id) {
            Err(Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_)) => return Err(gone()),
            new => new?,
        };
        let old = match new.parent.map(|parent| repo.manifest(parent)).transpose() {
            // Removed since: everything is shown as new.
            Err(Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_)) => None,
            old => old?,
        };
        Ok(BackupFiles { repo, new, old })
    }

    /// Whether everything counts as new because there is nothing to compare with.
    pub fn is_first(&self) -> bool {
        self.old.is_none()
    }

    /// Calls `each` for every file, in the order in which the snapshot has them.
    pub fn each(&self, each: &mut dyn FnMut(&FileRow<'_>) -> engine::Result<()>) -> Result<(), Failure> {
        let Some(old) = &self.old else {
            return self.merge(&mut std::iter::empty(), FileStatus::New, each);
        };
        let no_thread = |e: std::io::Error| Failure::from(Cause::NoThread { why: e.into() });
        std::thread::scope(|scope| {
            let (send, differing) = sync_channel(AHEAD);
            let thread = std::thread::Builder::new().name("diff".to_string());
            let thread = thread
                .spawn_scoped(scope, move || self.differing(old, &send))
                .map_err(no_thread)?;
            let merged = self.merge(&mut differing.into_iter(), FileStatus::Unchanged, each);
            // A panic has been printed by its thread.
            let differing = thread.join().unwrap_or(Err(Error::Interrupted));
            merged.and(differing.map_err(Failure::from))
        })
    }

    /// What differs from the parent.
    fn differing(&self, old: &Manifest, send: &SyncSender<Differing>) -> engine::Result<()> {
        let reader = self.repo.reader(&Quiet);
        let differing = list::diff(&reader, old, &self.new, None, &mut |row| {
            let (status, entry) = match (row.modifier, row.old, row.new) {
                (Modifier::Removed, Some(old), _) => (FileStatus::Deleted, old),
                (Modifier::Added, _, Some(new)) => (FileStatus::New, new),
                (_, _, Some(new)) => (FileStatus::Changed, new),
                (_, _, None) => return Ok(()),
            };
            let differing = Differing {
                path: row.path.to_vec(),
                status,
                size: entry.meta.size,
                is_dir: entry.kind == Kind::Dir,
            };
            send.send(differing).map_err(|_| Error::Interrupted)
        });
        match differing {
            // The reader has ended, and reports why.
            Err(Error::Interrupted) => Ok(()),
            differing => differing.map(drop),
        }
    }

    /// Both have the order of the snapshot.
    fn merge(
        &self,
        differing: &mut dyn Iterator<Item = Differing>,
        otherwise: FileStatus,
        each: &mut dyn FnMut(&FileRow<'_>) -> engine::Result<()>,
    ) -> Result<(), Failure> {
        let mut next = differing.next();
        let deleted =
            |one: &Differing, each: &mut dyn FnMut(&FileRow<'_>) -> engine::Result<()>| match one.is_dir {
                true => Ok(()),
                false => each(&FileRow {
                    path: &one.path,
                    status: one.status,
                    size: one.size,
                }),
            };
        let reader = self.repo.reader(&Quiet);
        list::in_stored_order(&reader, &self.new, &mut |path, entry| {
            while let Some(one) = next.take_if(|one| one.status == FileStatus::Deleted) {
                deleted(&one, each)?;
                next = differing.next();
            }
            let mut status = otherwise;
            if let Some(one) = next.take_if(|one| one.path == path) {
                status = one.status;
                next = differing.next();
            }
            match (entry.trouble.is_some(), entry.kind == Kind::Dir) {
                (true, _) => status = FileStatus::Failed,
                (false, true) => return Ok(()),
                (false, false) => {}
            }
            each(&FileRow {
                path,
                status,
                size: entry.meta.size,
            })
        })?;
        while let Some(one) = next.take() {
            deleted(&one, each)?;
            next = differing.next();
        }
        Ok(())
    }
}

struct Differing {
    path: Vec<u8>,
    status: FileStatus,
    size: u64,
    is_dir: bool,
}
