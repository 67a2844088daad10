//! The job `undelete`: removed snapshots back from the trash.

use crate::catalogue::Cause;
use crate::context::Context;
use crate::face::{Activity, Face, Notice, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::forget as run;
pub use engine::forget::Trashed;
use engine::monitor::{Monitor, Problem};
use engine::repo::Repo;
use engine::select::{self, Filter};
use engine::{Error, SessionId};

/// What is in the trash.
#[derive(Debug)]
pub struct Trash {
    /// What can be brought back, last removed first.
    pub snapshots: Vec<Trashed>,
    /// Earlier forms of snapshots that are still there, or listed.
    pub earlier: u64,
    pub problems: ProblemCounts,
}

pub fn list(context: &Context, face: &dyn Face) -> Result<Trash, Failure> {
    let repo = context.open(face)?;
    let step = Step::start(face, Activity::Undelete)?;
    let (snapshots, earlier) = read(&repo, &step)?;
    let problems = step.finish();
    Ok(Trash {
        snapshots,
        earlier,
        problems,
    })
}

#[derive(Clone, Debug)]
pub struct Request {
    /// The beginnings of ids.
    pub snapshots: Vec<String>,
    pub dry_run: bool,
}

/// What was, or would be, brought back.
#[derive(Debug)]
pub struct Report {
    /// As it was in the trash, and its id now.
    pub snapshots: Vec<(SnapshotInfo, SessionId)>,
    refused: bool,
    problems: ProblemCounts,
}

impl Report {
    pub fn status(&self) -> Status {
        let refused = match self.refused {
            true => Status::Incomplete,
            false => Status::Completed,
        };
        self.problems.status().max(refused)
    }
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Undelete)),
        face,
        |face| perform(context, request, face),
        |report, row| {
            row.snapshots = report.snapshots.len() as u64;
            report.status()
        },
    )
}

fn perform(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let repo = context.open(face)?;
    let step = Step::start(face, Activity::Undelete)?;
    let (trash, _) = read(&repo, &step)?;
    let facts: Vec<SnapshotInfo> = trash.iter().map(|trashed| trashed.facts.clone()).collect();
    let chosen = select::choose_all(&facts, &request.snapshots, &Filter::default()).map_err(|e| match e {
        Error::NoSnapshot(text) => Failure::from(Cause::NotInTrash { text }),
        e => e.into(),
    })?;
    let (mut snapshots, mut refused) = (Vec::new(), false);
    for facts in chosen {
        if request.dry_run {
            snapshots.push((facts.clone(), facts.id));
            continue;
        }
        match run::undelete(&repo, facts.id, &step) {
            Ok(new) => snapshots.push((facts.clone(), new)),
            Err(e @ Error::Refused(_)) => {
                refused = true;
                face.notice(&Notice::PartFailed(&e.into()));
            }
            Err(e) => return Err(e.into()),
        }
    }
    let problems = step.finish();
    Ok(Report {
        snapshots,
        refused,
        problems,
    })
}

/// Without what is there in another form: changing a snapshot's tags leaves its old form, with the same files, in the
/// trash. Of several such forms in the trash, the one that was removed last. And how many there are without being listed.
fn read(repo: &Repo, monitor: &dyn Monitor) -> Result<(Vec<Trashed>, u64), Failure> {
    let (trash, damaged) = run::list_trash(repo)?;
    for (id, error) in damaged {
        monitor.problem(&Problem::of(format!("trash/{id}"), &error));
    }
    let (snapshots, _) = repo.outlines()?;
    let same = |a: (&SnapshotInfo, &[u8; 32]), b: (&SnapshotInfo, &[u8; 32])| {
        a.1 == b.1 && a.0.time == b.0.time && a.0.host == b.0.host && a.0.paths == b.0.paths
    };
    let restated: Vec<(SnapshotInfo, [u8; 32])> = snapshots
        .iter()
        .filter(|snapshot| snapshot.manifest.original.is_some())
        .map(|snapshot| (snapshot.facts(), snapshot.tree))
        .collect();
    let mut newest: Vec<Trashed> = Vec::new();
    let mut earlier = 0;
    // Last forgotten first.
    for trashed in trash {
        let form = (&trashed.facts, &trashed.tree);
        let there = restated.iter().any(|(facts, tree)| same((facts, tree), form));
        if !there && !newest.iter().any(|known| same((&known.facts, &known.tree), form)) {
            newest.push(trashed);
        } else {
            earlier += 1;
        }
    }
    Ok((newest, earlier))
}
