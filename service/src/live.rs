//! The job `diff` of a snapshot with the files as they are now.

use crate::backup::standard;
use crate::context::Context;
use crate::face::Step;
use crate::failure::Failure;
use crate::listing::Chosen;
use crate::restore;
use crate::runs::one;
pub use engine::filter::FilterOptions;
use engine::list::{DiffSummary, Row};
use engine::live::{self as run, LiveOptions};
use engine::manifest::Manifest;
use engine::platform::paths::from_bytes;
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

/// What the set that made a snapshot leaves out today, which would otherwise count as added. If no set of today made it,
/// nothing is known to be left out.
pub fn filter_for(context: &Context, manifest: &Manifest) -> Result<FilterOptions, Failure> {
    let name = manifest.set.as_deref();
    let Some((_, set)) = name.and_then(|name| context.settings.recorded_as(name)) else {
        return Ok(FilterOptions::default());
    };
    let mut filter = one::filter_of(set);
    if set.standard_excludes.unwrap_or(true) {
        let sources: Vec<_> = manifest.paths.iter().map(|path| from_bytes(path)).collect();
        standard::add_to(&mut filter, sources.iter().map(|path| &**path))?;
    }
    Ok(filter)
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
