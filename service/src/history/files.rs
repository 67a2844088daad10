//! The files of one backup: its snapshot against the snapshot it was compared with, and what could not be read, of which
//! the snapshot may know nothing: a directory, or a source that was not there. It is computed when somebody looks; nothing
//! is stored for it but the problems of the job.

use super::journal::Journal;
use super::problems::ProblemRow;
use super::{HistoryRow, JobKind};
use crate::catalogue::report::runs;
use crate::catalogue::{Action, Cause, Lang, faults};
use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use crate::{json, text};
use engine::backup::OUTPUTS;
use engine::entry::{Entry, Kind, Trouble};
use engine::list::{self, Modifier};
use engine::manifest::Manifest;
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::{Error, SessionId, StoreError};
use serde_json::{Value, json};
use std::collections::HashMap;
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

/// One file or other entry that is no directory, or a path that could not be read, whatever it is or was.
pub struct FileRow<'a> {
    pub path: &'a [u8],
    pub status: FileStatus,
    pub size: u64,
    /// Why it is failed.
    pub why: Option<FileFault<'a>>,
}

impl FileRow<'_> {
    /// As programs read it.
    pub fn for_programs(&self) -> Value {
        let mut object = json!({
            "message_type": "file",
            "path": json::name(&text::absolute(self.path)),
            "status": self.status.word(),
            "size": self.size,
        });
        if let Some(why) = self.why {
            object["problem"] = json!(why.text(Lang::En));
        }
        object
    }
}

/// Called with each file.
type EachFile<'a> = &'a mut dyn FnMut(&FileRow<'_>) -> engine::Result<()>;

/// The manifests of a backup's snapshot and of its parent, and what the backup recorded of paths.
pub struct BackupFiles {
    repo: Repo,
    new: Manifest,
    old: Option<Manifest>,
    told: Vec<ProblemRow>,
}

impl BackupFiles {
    /// Opens what a row is about: in the repository that was asked for, or else in that of the row's first destination.
    pub fn open(context: &Context, row: &HistoryRow, face: &dyn Face) -> Result<BackupFiles, Failure> {
        let Some(hex) = &row.snapshot else {
            return Err(Cause::NoSnapshotOfJob { id: row.id.clone() }.into());
        };
        let gone = || {
            Failure::from(Cause::SnapshotOfJobGone {
                snapshot: text::short(hex),
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
        let told = told(context, row)?;
        Ok(BackupFiles { repo, new, old, told })
    }

    /// Whether everything counts as new because there is nothing to compare with.
    pub fn is_first(&self) -> bool {
        self.old.is_none()
    }

    /// Calls `each` for every file, in the order in which the snapshot has them.
    pub fn each(&self, each: EachFile<'_>) -> Result<(), Failure> {
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

    /// Both have the order of the snapshot. What is told of paths that the snapshot lacks comes last.
    fn merge(
        &self,
        differing: &mut dyn Iterator<Item = Differing>,
        otherwise: FileStatus,
        each: EachFile<'_>,
    ) -> Result<(), Failure> {
        let mut told = Told::of(&self.told);
        let mut next = differing.next();
        let reader = self.repo.reader(&Quiet);
        list::in_stored_order(&reader, &self.new, &mut |path, entry| {
            while let Some(one) = next.take_if(|one| one.status == FileStatus::Deleted) {
                one.tell(&mut told, each)?;
                next = differing.next();
            }
            let mut status = otherwise;
            if let Some(one) = next.take_if(|one| one.path == path) {
                status = one.status;
                next = differing.next();
            }
            let why = told.take(path).map(FileFault::Told);
            let why = why.or_else(|| entry.trouble.map(|trouble| FileFault::of(path, entry, trouble)));
            match (why.is_some(), entry.kind == Kind::Dir) {
                (true, _) => status = FileStatus::Failed,
                (false, true) => return Ok(()),
                (false, false) => {}
            }
            each(&FileRow {
                path,
                status,
                size: entry.meta.size,
                why,
            })
        })?;
        while let Some(one) = next.take() {
            one.tell(&mut told, each)?;
            next = differing.next();
        }
        for problem in &self.told {
            let path = list::relative(problem.item.as_bytes());
            if told.take(path).is_some() {
                each(&FileRow {
                    path,
                    status: FileStatus::Failed,
                    size: 0,
                    why: Some(FileFault::Told(problem)),
                })?;
            }
        }
        Ok(())
    }
}

/// The paths of which a backup recorded that they could not be saved as they are.
fn told(context: &Context, row: &HistoryRow) -> Result<Vec<ProblemRow>, Failure> {
    if row.kind != JobKind::Backup.word() {
        return Ok(Vec::new());
    }
    let journal = Journal::of(&context.dirs()?);
    let kept = journal.problems_of(&row.id);
    let mut kept = kept.map_err(|e| Failure::system(Action::Read, journal.dir(), e))?;
    // Others are about objects of the repository, or about the job.
    kept.retain(|problem| !problem.is_warning && problem.item.starts_with('/'));
    Ok(kept)
}

/// What was recorded of paths and has not been listed yet, by path. A job keeps a thousand problems at most.
struct Told<'a>(HashMap<&'a str, &'a ProblemRow>);

impl<'a> Told<'a> {
    fn of(problems: &'a [ProblemRow]) -> Told<'a> {
        // The last word on a path that was read again counts.
        Told(problems.iter().map(|one| (one.item.as_str(), one)).collect())
    }

    fn take(&mut self, path: &[u8]) -> Option<&'a ProblemRow> {
        match self.0.is_empty() {
            true => None,
            false => self.0.remove(json::name(&text::absolute(path)).as_str()),
        }
    }
}

/// Why a path is failed.
#[derive(Clone, Copy)]
pub enum FileFault<'a> {
    /// What the job recorded.
    Told(&'a ProblemRow),
    /// What the snapshot says.
    Trouble(Trouble),
    /// The command of which it would be the output failed.
    Output,
}

impl FileFault<'_> {
    fn of(path: &[u8], entry: &Entry, trouble: Trouble) -> FileFault<'static> {
        let below = path.strip_prefix(OUTPUTS);
        let is_output = below.is_some_and(|name| name.starts_with(b"/"))
            && !entry.was_a_file()
            && matches!(trouble, Trouble::Unreadable { .. });
        match is_output {
            true => FileFault::Output,
            false => FileFault::Trouble(trouble),
        }
    }

    pub fn text(&self, lang: Lang) -> String {
        match self {
            FileFault::Told(problem) => problem.text(lang).to_string(),
            FileFault::Trouble(trouble) => faults::trouble(lang, *trouble),
            FileFault::Output => runs::output_failed(lang).to_string(),
        }
    }
}

struct Differing {
    path: Vec<u8>,
    status: FileStatus,
    size: u64,
    is_dir: bool,
}

impl Differing {
    /// What is not there any more. A path that could not be read is not said to be deleted.
    fn tell(&self, told: &mut Told<'_>, each: EachFile<'_>) -> engine::Result<()> {
        let why = told.take(&self.path).map(FileFault::Told);
        if self.is_dir && why.is_none() {
            return Ok(());
        }
        let status = match why {
            Some(_) => FileStatus::Failed,
            None => self.status,
        };
        each(&FileRow {
            path: &self.path,
            status,
            size: self.size,
            why,
        })
    }
}
