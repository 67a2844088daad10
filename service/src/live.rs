//! The job `diff` of a snapshot with the files as they are now.

use crate::context::Context;
use crate::face::Step;
use crate::failure::Failure;
use crate::listing::Chosen;
use crate::restore;
pub use engine::filter::FilterOptions;
use engine::list::{DiffSummary, Row};
use engine::live::{self as run, LiveOptions};
use engine::repo::Repo;

/// What is compared, and how closely.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Absolute: only this and what is below it.
    pub path: Option<Vec<u8>>,
    pub filter: FilterOptions,
    /// Read every file.
    pub content: bool,
}

/// Calls `each` with what changed on this machine since the snapshot. The inner result is what the engine says, which a face
/// that ended the listing knows better.
pub fn diff(
    context: &Context,
    repo: &Repo,
    chosen: &Chosen,
    request: Request,
    step: &Step<'_>,
    each: &mut dyn FnMut(Row<'_>) -> engine::Result<()>,
) -> Result<engine::Result<DiffSummary>, Failure> {
    let options = LiveOptions {
        path: request.path,
        filter: request.filter,
        content: request.content,
        own: restore::own_places(context, repo)?,
    };
    let reader = repo.reader(step);
    Ok(run::diff(
        &reader,
        &chosen.manifest,
        &options,
        repo.run(),
        step,
        each,
    ))
}
