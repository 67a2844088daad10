//! The job `purge`: paths out of all snapshots. Those that hold them get a new id, and their old forms go to the trash.
//! Their data goes with a later prune.

use crate::catalogue::{Cause, Question};
use crate::context::Context;
use crate::face::{Activity, Face, Notice, Step, confirm};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::listing;
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::find::FindQuery;
use engine::manifest::Snapshot;
use engine::monitor::{Monitor, Quiet};
use engine::purge::{IsNamed, Purge, PurgeOptions};
pub use engine::purge::{PurgeCount, Purged};
use engine::repo::Repo;
use engine::{Error, SessionId, StoreError};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How often it is looked whether a backup that ran meanwhile has saved the paths again.
const ROUNDS: usize = 3;

#[derive(Clone, Debug)]
pub struct Request {
    /// Names, paths or patterns, as for `find`. What lies below a directory goes with it.
    pub paths: Vec<String>,
    pub force_protected: bool,
    /// Remove the old forms for good, so that they can't be brought back.
    pub end_now: bool,
    pub yes: bool,
    pub dry_run: bool,
}

/// A snapshot that held the paths.
#[derive(Debug)]
pub struct PurgedSnapshot<'a> {
    pub old: &'a SnapshotInfo,
    pub held: PurgeCount,
    /// `None` in a dry run.
    pub done: Option<Purged>,
}

#[derive(Debug)]
pub struct Report {
    /// Snapshots that were, or would be, changed, and those of them of which nothing is left.
    pub changed: u64,
    pub emptied: u64,
    /// Snapshots that still hold the paths: protected ones, and those that could not be changed.
    pub protected: u64,
    pub failed: u64,
    /// Of all snapshots that were changed.
    pub held: PurgeCount,
    /// Patterns that nothing matched.
    pub unmatched: Vec<String>,
    /// Snapshots that were removed before, or have been now, and may hold the paths until a prune ends them.
    pub in_trash: u64,
    /// Other repositories in the settings.
    pub elsewhere: Vec<String>,
    listed: Status,
}

impl Report {
    pub fn status(&self) -> Status {
        let own = match (self.protected + self.failed, self.unmatched.is_empty()) {
            (0, true) => Status::Completed,
            _ => Status::Incomplete,
        };
        own.max(self.listed)
    }
}

/// `each` is called for each snapshot as it is changed.
pub fn run(
    context: &Context,
    request: &Request,
    face: &dyn Face,
    each: &mut dyn FnMut(&PurgedSnapshot<'_>) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    if !request.dry_run {
        context.may_remove()?;
    }
    let job = JobInfo {
        sources: request.paths.clone(),
        ..JobInfo::of(JobKind::Delete)
    };
    recorded(
        context,
        (!request.dry_run).then_some(job),
        face,
        |face| perform(context, request, face, each),
        |report, row| {
            row.snapshots = report.changed;
            (row.files, row.bytes) = (report.held.files, report.held.bytes);
            report.status()
        },
    )
}

fn perform(
    context: &Context,
    request: &Request,
    face: &dyn Face,
    each: &mut dyn FnMut(&PurgedSnapshot<'_>) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let query = query(&request.paths)?;
    let is_matched: Vec<AtomicBool> = request.paths.iter().map(|_| AtomicBool::new(false)).collect();
    let named = |path: &[u8]| {
        let matching = query.matching(path);
        let flags = matching.iter().filter_map(|number| is_matched.get(*number));
        flags.for_each(|flag| flag.store(true, Relaxed));
        !matching.is_empty()
    };
    let repo = context.open(face)?;
    let mut job = PurgeJob::begin(context, request, &repo, &named, face)?;
    let all = listing::read(context, &repo, face)?;
    job.report.listed = all.status();
    let found = job.search(&all.snapshots)?;
    let matched = request.paths.iter().zip(&is_matched);
    let unmatched = matched.filter(|(_, flag)| !flag.load(Relaxed));
    job.report.unmatched = unmatched.map(|(path, _)| path.clone()).collect();
    if let (true, Some(path)) = (found.is_empty(), request.paths.first())
        && job.report.failed == 0
    {
        return Err(Cause::PathNowhere { path: path.clone() }.into());
    }
    if !request.dry_run && !found.is_empty() {
        confirm(face, request.yes, &question(request, &found))?;
    }
    job.remove(found, &all.snapshots, each)?;
    for _ in 1..ROUNDS {
        let (snapshots, unread) = match request.dry_run {
            true => break,
            false => repo.snapshots()?,
        };
        if unread.len() > all.damaged + all.unread {
            // Made since, perhaps with what is to be purged.
            job.report.listed = listing::read(context, &repo, face)?.status();
        }
        let found = job.search(&snapshots)?;
        if found.is_empty() {
            break;
        }
        job.remove(found, &snapshots, each)?;
    }
    job.report.in_trash = repo.store.trashed()?.len() as u64;
    Ok(job.report)
}

/// A path that names a directory may end with a slash.
fn query(paths: &[String]) -> Result<FindQuery, Failure> {
    let trimmed = paths.iter().map(|path| path.trim_end_matches('/').to_string());
    let trimmed: Vec<String> = trimmed.collect();
    if let Some(path) = trimmed.iter().position(String::is_empty) {
        let path = paths.get(path).cloned().unwrap_or_default();
        return Err(Cause::NotToPurge { path }.into());
    }
    Ok(FindQuery::new(&trimmed, false)?)
}

fn question(request: &Request, found: &[(SnapshotInfo, PurgeCount)]) -> Question {
    let changed = found
        .iter()
        .filter(|(facts, _)| request.force_protected || !facts.protected);
    Question::Purge {
        paths: request.paths.clone(),
        snapshots: changed.count() as u64,
        for_good: request.end_now,
    }
}

struct PurgeJob<'a> {
    request: &'a Request,
    repo: &'a Repo,
    face: &'a dyn Face,
    purge: Purge<'a>,
    /// Snapshots that were looked into, or made here.
    known: BTreeSet<SessionId>,
    report: Report,
}

impl<'a> PurgeJob<'a> {
    fn begin(
        context: &Context,
        request: &'a Request,
        repo: &'a Repo,
        named: &'a IsNamed<'a>,
        face: &'a dyn Face,
    ) -> Result<Self, Failure> {
        let options = PurgeOptions {
            force_protected: request.force_protected,
            end_now: request.end_now,
        };
        let this = context.repository_name();
        let remotes = context.settings.remotes.iter().map(|remote| remote.name.clone());
        Ok(PurgeJob {
            request,
            repo,
            face,
            purge: Purge::new(repo, named, options)?,
            known: BTreeSet::new(),
            report: Report {
                changed: 0,
                emptied: 0,
                protected: 0,
                failed: 0,
                held: PurgeCount::default(),
                unmatched: Vec::new(),
                in_trash: 0,
                elsewhere: remotes.filter(|name| Some(name) != this.as_ref()).collect(),
                listed: Status::Completed,
            },
        })
    }

    /// The snapshots that hold any of the paths, of those that were not looked into before.
    fn search(&mut self, snapshots: &[Snapshot]) -> Result<Vec<(SnapshotInfo, PurgeCount)>, Failure> {
        let step = Step::start(self.face, Activity::Purge)?;
        let reader = self.repo.reader(&step);
        let mut found = Vec::new();
        for (done, snapshot) in snapshots.iter().enumerate() {
            if !self.known.insert(snapshot.id) {
                continue;
            }
            match self.purge.held(&reader, snapshot.id) {
                Ok(held) if held.entries > 0 => found.push((snapshot.facts(), held)),
                Ok(_) => {}
                Err(e) => self.failed(e)?,
            }
            step.progress(&engine::monitor::Progress {
                files_done: done as u64 + 1,
                files_total: snapshots.len() as u64,
                ..Default::default()
            });
        }
        drop(reader);
        step.finish();
        Ok(found)
    }

    /// Counts a snapshot that can't be read or changed. Any other error ends the job.
    fn failed(&mut self, error: Error) -> Result<(), Failure> {
        match &error {
            // Gone since it was listed.
            Error::NoSnapshot(_) => return Ok(()),
            Error::Store(StoreError::Missing { object }) if object.is_in("snapshots") => return Ok(()),
            Error::Refused(_) => self.report.failed += 1,
            Error::Store(e) if e.concerns_one_object() => self.report.failed += 1,
            _ => return Err(error.into()),
        }
        self.face.notice(&Notice::PartFailed(&error.into()));
        Ok(())
    }

    fn remove(
        &mut self,
        found: Vec<(SnapshotInfo, PurgeCount)>,
        all: &[Snapshot],
        each: &mut dyn FnMut(&PurgedSnapshot<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (facts, held) in &found {
            self.repo.run().cancel().check()?;
            if facts.protected && !self.request.force_protected {
                self.report.protected += 1;
                let refused = Error::Refused(engine::error::Refusal::Protected(facts.id));
                self.face.notice(&Notice::PartFailed(&refused.into()));
                continue;
            }
            let done = match self.request.dry_run {
                true => None,
                false => match self.purge.remove(facts.id, all, &Quiet) {
                    Ok(purged) => Some(purged),
                    Err(e) => {
                        self.failed(e)?;
                        continue;
                    }
                },
            };
            match done {
                Some(Purged::Replaced(new)) => drop(self.known.insert(new)),
                Some(Purged::Emptied) => self.report.emptied += 1,
                None => {}
            }
            self.report.changed += 1;
            self.report.held.add(held);
            each(&PurgedSnapshot {
                old: facts,
                held: *held,
                done,
            })?;
        }
        Ok(())
    }
}
