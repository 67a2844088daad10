//! All snapshots as one tree of directories, for `mount` and `serve`.

use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use crate::listing;
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::monitor::Problem;
use engine::order;
use engine::repo::Repo;
use engine::run::CancelToken;
use engine::select::Filter;
use engine::view::tree::Look;
pub use engine::view::tree::{NoAnswer, SnapshotTree, TOP, ViewNode};
use jiff::Timestamp;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Problems that wait to be reported; more are reported when they are met again.
const PROBLEMS: usize = 256;

/// How often snapshots are listed at most, while somebody looks into the directories above them.
const LISTED_NEAR: Duration = Duration::from_secs(1);
const LISTED_FAR: Duration = Duration::from_secs(15);

/// What is shown.
pub struct Shown {
    pub tree: SnapshotTree,
    /// How many snapshots it has.
    pub snapshots: u64,
    /// What could not be read.
    pub problems: Receiver<Problem>,
    pub cancel: CancelToken,
    /// Of listing the snapshots.
    pub listed: Status,
}

/// Opens the repository. What no snapshot holds belongs to `owner`, user and group.
pub fn open(
    context: &Context,
    filter: &Filter,
    owner: (u32, u32),
    face: &dyn Face,
) -> Result<Shown, Failure> {
    let repo = Arc::new(context.open(face)?);
    let all = listing::read(context, &repo, face)?;
    let chosen = filter.matching(&all.facts).into_iter().rev();
    let snapshots: Vec<SnapshotInfo> = chosen.cloned().collect();
    let (tell, problems) = sync_channel::<Problem>(PROBLEMS);
    let tell = Box::new(move |problem| {
        // A full queue drops it.
        let _dropped = tell.try_send(problem);
    });
    Ok(Shown {
        snapshots: snapshots.len() as u64,
        cancel: repo.run().cancel().clone(),
        tree: SnapshotTree::new(repo.clone(), &snapshots, owner, look(repo, filter.clone()), tell),
        problems,
        listed: all.status(),
    })
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
