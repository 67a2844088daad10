//! The job `mount`: all snapshots as directories, until they are unmounted or the job is asked to end.

use crate::catalogue::{Action, BrowseCause, Cause};
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::listing;
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::monitor::{Monitor, Problem};
use engine::mount::{MountError, mount};
use engine::platform::process::owner_of;
use engine::select::Filter;
use engine::view::tree::SnapshotTree;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// Problems that wait to be reported; more are reported when they are met again.
const PROBLEMS: usize = 256;

/// Where, and which snapshots.
#[derive(Clone, Debug)]
pub struct Request {
    pub mountpoint: PathBuf,
    pub filter: Filter,
    /// Others than the user who mounts may look, as far as recorded permissions let them.
    pub allow_other: bool,
}

/// Mounts, says by `mounted` how many snapshots there are, and comes back when nothing is mounted any more.
pub fn run(
    context: &Context,
    request: &Request,
    face: &dyn Face,
    mounted: &mut dyn FnMut(u64) -> Result<(), Failure>,
) -> Result<Status, Failure> {
    let shown = || request.mountpoint.display().to_string();
    let refused = |action, e: io::Error| Cause::System {
        action,
        path: shown(),
        why: e.into(),
    };
    let found = std::fs::metadata(&request.mountpoint).map_err(|e| refused(Action::Use, e))?;
    if !found.is_dir() {
        return Err(refused(Action::Use, io::ErrorKind::NotADirectory.into()).into());
    }
    let repo = Arc::new(context.open(face)?);
    let all = listing::read(context, &repo, face)?;
    let chosen = request.filter.matching(&all.facts).into_iter().rev();
    let snapshots: Vec<SnapshotInfo> = chosen.cloned().collect();
    let count = snapshots.len() as u64;
    let cancel = repo.run().cancel().clone();
    let (tell, told) = sync_channel::<Problem>(PROBLEMS);
    let tell = Box::new(move |problem| {
        // A full queue drops it.
        let _dropped = tell.try_send(problem);
    });
    let tree = SnapshotTree::new(repo.clone(), snapshots, owner_of(&found), tell);
    // From here on a request to end is one to unmount.
    let step = Step::start(face, Activity::Mount)?;
    let session = mount(tree, &request.mountpoint, request.allow_other).map_err(|e| match e {
        MountError::NotSupported => Failure::from(BrowseCause::NoFuse),
        MountError::Refused(e) => refused(Action::Mount, e).into(),
    })?;
    let said = mounted(count);
    while said.is_ok() && !cancel.is_cancelled() && !session.is_over() {
        if let Ok(problem) = told.recv_timeout(LOOK) {
            step.problem(&problem);
        }
    }
    for problem in told.try_iter() {
        step.problem(&problem);
    }
    session.end().map_err(|e| {
        let (path, why) = (shown(), e.into());
        Failure::from(BrowseCause::StillMounted { path, why })
    })?;
    said?;
    Ok(step.finish().status().max(all.status()))
}
