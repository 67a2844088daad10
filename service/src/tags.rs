//! The jobs `tag`, `protect` and `unprotect`: what is said of snapshots. A snapshot gets a new id by it.

use crate::context::Context;
use crate::face::{Activity, Face, Notice, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::listing;
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::monitor::Quiet;
use engine::select::Filter;
use engine::{Error, SessionId, StoreError, rewrite};

#[derive(Clone, Debug)]
pub struct Request {
    /// Empty for all that the filter lets through.
    pub snapshots: Vec<String>,
    pub filter: Filter,
    pub change: TagChange,
    pub dry_run: bool,
}

/// What becomes of tags, or of the protection.
#[derive(Clone, Debug)]
pub enum TagChange {
    Edit {
        add: Vec<String>,
        remove: Vec<String>,
    },
    Replace(Vec<String>),
    /// No policy removes what is protected, nor does anybody by its id.
    Protect(bool),
}

impl TagChange {
    /// Each once, in their order.
    fn apply(&self, tags: &[String]) -> Vec<String> {
        let wanted: Vec<&String> = match self {
            TagChange::Edit { add, remove } => {
                let kept = tags.iter().filter(|tag| !remove.contains(tag));
                kept.chain(add).collect()
            }
            TagChange::Replace(tags) => tags.iter().collect(),
            TagChange::Protect(_) => tags.iter().collect(),
        };
        let mut result: Vec<String> = Vec::new();
        for tag in wanted {
            if !result.contains(tag) {
                result.push(tag.clone());
            }
        }
        result
    }
}

impl TagChange {
    /// Whether a snapshot is protected afterwards.
    fn protects(&self, is_protected: bool) -> bool {
        match self {
            TagChange::Protect(protect) => *protect,
            TagChange::Edit { .. } | TagChange::Replace(_) => is_protected,
        }
    }
}

/// A snapshot of which something is, or would be, said anew.
pub struct TaggedSnapshot<'a> {
    pub old: &'a SnapshotInfo,
    /// `None` in a dry run.
    pub new: Option<SessionId>,
    pub tags: Vec<String>,
}

#[derive(Debug)]
pub struct Report {
    pub changed: u64,
    pub status: Status,
}

/// `each` is called for each snapshot as it is changed.
pub fn run(
    context: &Context,
    request: &Request,
    face: &dyn Face,
    each: &mut dyn FnMut(&TaggedSnapshot<'_>) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    recorded(
        context,
        (!request.dry_run).then(|| JobInfo::of(JobKind::Tag)),
        face,
        |face| perform(context, request, face, each),
        |report, row| {
            row.snapshots = report.changed;
            report.status
        },
    )
}

fn perform(
    context: &Context,
    request: &Request,
    face: &dyn Face,
    each: &mut dyn FnMut(&TaggedSnapshot<'_>) -> Result<(), Failure>,
) -> Result<Report, Failure> {
    let repo = context.open(face)?;
    let all = listing::read(context, &repo, face)?;
    let chosen = all.chosen(&request.snapshots, &request.filter)?;
    let step = Step::start(face, Activity::Tag)?;
    let mut report = Report {
        changed: 0,
        status: all.status(),
    };
    for old in chosen {
        repo.run().cancel().check()?;
        let tags = request.change.apply(&old.tags);
        if tags == old.tags && request.change.protects(old.protected) == old.protected {
            continue;
        }
        let new = match request.dry_run {
            true => None,
            false => {
                let change = |manifest: &mut engine::manifest::Manifest| {
                    manifest.tags = request.change.apply(&manifest.tags);
                    manifest.protected = request.change.protects(manifest.protected);
                    true
                };
                match rewrite::run(&repo, old.id, &change, &Quiet) {
                    Ok(new) => new,
                    // Gone since it was listed.
                    Err(e @ (Error::Store(StoreError::Missing { .. }) | Error::NoSnapshot(_))) => {
                        report.status = report.status.max(Status::Incomplete);
                        face.notice(&Notice::PartFailed(&e.into()));
                        None
                    }
                    Err(e) => return Err(e.into()),
                }
            }
        };
        if request.dry_run || new.is_some() {
            report.changed += 1;
            each(&TaggedSnapshot { old, new, tags })?;
        }
    }
    step.finish();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        let list = |text: &str| -> Vec<String> { text.split_terminator(',').map(String::from).collect() };
        let edit = |add: &str, remove: &str| TagChange::Edit {
            add: list(add),
            remove: list(remove),
        };
        let rows = [
            (edit("c,a", ""), "a,b,c"),
            (edit("", "a"), "b"),
            (edit("d", "a"), "b,d"),
            (TagChange::Replace(list("x,y,x")), "x,y"),
            (TagChange::Replace(Vec::new()), ""),
            (edit("b", ""), "a,b"),
        ];
        for (change, want) in rows {
            let tags = change.apply(&["a".to_string(), "b".to_string()]);
            assert_eq!(tags.join(","), want, "{change:?}");
        }
    }
}
