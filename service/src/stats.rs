//! The job `stats`: how much a repository holds, or some of its snapshots.

use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::listing;
use crate::status::Status;
use engine::SessionId;
use engine::repo::Repo;
use engine::select::Filter;
use engine::stats;
pub use engine::stats::{SnapshotTotals, Stats};

/// Of a whole repository.
pub fn whole(repo: &Repo, face: &dyn Face) -> Result<(Stats, Status), Failure> {
    let step = Step::start(face, Activity::Stats)?;
    let stats = stats::run(repo, &step)?;
    let status = step.finish().status();
    Ok(match stats.num_errors {
        0 => (stats, status),
        _ => (stats, Status::Damaged),
    })
}

/// Of the snapshots that `texts` name; without any, of all that the filter lets through.
pub fn chosen(
    context: &Context,
    texts: &[String],
    filter: &Filter,
    face: &dyn Face,
) -> Result<(SnapshotTotals, Status), Failure> {
    let repo = context.open(face)?;
    let listing = listing::read(context, &repo, face)?;
    let chosen = listing.chosen(texts, filter)?;
    let ids: Vec<SessionId> = chosen.iter().map(|facts| facts.id).collect();
    let step = Step::start(face, Activity::Stats)?;
    let held = stats::held(&repo, &ids, &step)?;
    Ok((held, step.finish().status().max(listing.status())))
}
