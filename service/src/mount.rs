//! The job `mount`: all snapshots as directories, also those that come meanwhile, until they are unmounted or the job is
//! asked to end.

use crate::catalogue::{Action, BrowseCause, Cause};
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::listing;
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::monitor::{Monitor, Problem};
use engine::mount::{MountError, mount};
use engine::order;
use engine::platform::process::owner_of;
use engine::repo::Repo;
use engine::select::Filter;
use engine::view::tree::{Look, SnapshotTree};
use jiff::Timestamp;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often it is looked whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// Problems that wait to be reported; more are reported when they are met again.
const PROBLEMS: usize = 256;

/// How often snapshots are listed at most, while somebody looks into the directories above them.
const LISTED_NEAR: Duration = Duration::from_secs(1);
const LISTED_FAR: Duration = Duration::from_secs(15);

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
    let look = look(repo.clone(), request.filter.clone());
    let tree = SnapshotTree::new(repo.clone(), &snapshots, owner_of(&found), look, tell);
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

/// Looks for other snapshots, now and then. What can't be read now stays as it was.
fn look(repo: Arc<Repo>, filter: Filter) -> Box<Look> {
    let every = match repo.store.is_kept() {
        true => LISTED_FAR,
        false => LISTED_NEAR,
    };
    let seen = Mutex::new((Instant::now(), repo.store.snapshot_ids().unwrap_or_default()));
    Box::new(move || {
        // Somebody else is looking.
        let mut seen = seen.try_lock().ok()?;
        let (when, names) = &mut *seen;
        if when.elapsed() < every {
            return None;
        }
        *when = Instant::now();
        let now = repo.store.snapshot_ids().ok().filter(|now| now != names)?;
        let (snapshots, _unreadable) = repo.outlines().ok()?;
        *names = now;
        let facts = order::facts(&snapshots, Timestamp::now());
        let chosen = filter.matching(&facts).into_iter().rev();
        Some(chosen.cloned().collect())
    })
}
