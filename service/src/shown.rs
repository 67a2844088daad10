//! All snapshots as one tree of directories, for `mount` and `serve`.

use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use crate::listing;
use crate::status::Status;
use engine::facts::SnapshotInfo;
use engine::monitor::Problem;
use engine::run::CancelToken;
use engine::select::Filter;
pub use engine::view::tree::{NoAnswer, SnapshotTree, TOP, ViewNode};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// Problems that wait to be reported; more are reported when they are met again.
const PROBLEMS: usize = 256;

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
        tree: SnapshotTree::new(repo, snapshots, owner, tell),
        problems,
        listed: all.status(),
    })
}
