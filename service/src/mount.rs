//! The job `mount`: all snapshots as directories, also those that come meanwhile, until they are unmounted or the job is
//! asked to end.

use crate::catalogue::{Action, BrowseCause, Cause};
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::shown;
use crate::status::Status;
use engine::monitor::Monitor;
use engine::mount::{MountError, mount};
use engine::platform::process::owner_of;
use engine::select::Filter;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(100);

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
    let shown_tree = shown::open(context, &request.filter, owner_of(&found), face)?;
    let (told, cancel) = (shown_tree.problems, shown_tree.cancel);
    // From here on a request to end is one to unmount.
    let step = Step::start(face, Activity::Mount)?;
    let session = mount(shown_tree.tree, &request.mountpoint, request.allow_other).map_err(|e| match e {
        MountError::NotSupported => Failure::from(BrowseCause::NoFuse),
        MountError::Refused(e) => refused(Action::Mount, e).into(),
    })?;
    let said = mounted(shown_tree.snapshots);
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
    Ok(step.finish().status().max(shown_tree.listed))
}
