//! Takes packs from an [`Intake`] to its destination: each is made durable there under its name, and listed in an index
//! segment every now and then (I-1). It happens under a session of that destination, begun with the first pack, which
//! keeps collections off what no generation refers to yet; the generation is published under it in the end.

use super::{HandedPack, Intake, OnProgress};
use crate::error::{Error, Result};
use crate::pack::PackList;
use crate::session::{Owner, Session};
use crate::store::Store;
use crate::threads;
use crate::unlisted::Unlisted;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether packs are to be listed.
const LOOK: Duration = Duration::from_millis(500);

/// What came.
#[derive(Default)]
pub struct Received {
    /// Open, for the caller that publishes what the packs are for; `None` if nothing came.
    pub session: Option<Session>,
    pub packs: u64,
    pub bytes: u64,
    /// Why the rest did not come, and nothing more was taken.
    pub failure: Option<Error>,
}

/// Takes packs until the intake is closed, or until something fails. `told` gets the bytes of each stored pack; its
/// error ends this.
pub fn receive(to: &Store, owner: &Owner, intake: &Intake, on_progress: &OnProgress<'_>) -> Received {
    let mut received = Received::default();
    if let Err(e) = receive_all(to, owner, intake, on_progress, &mut received) {
        intake.abandon();
        received.failure = Some(e);
    }
    received
}

fn receive_all(
    to: &Store,
    owner: &Owner,
    intake: &Intake,
    on_progress: &OnProgress<'_>,
    received: &mut Received,
) -> Result<()> {
    let Some(first) = intake.take() else {
        return Ok(());
    };
    let owner = Owner {
        packs: first.under,
        ..owner.clone()
    };
    received.session = Some(Session::begin(to, &owner)?);
    let first = Mutex::new(Some(first));
    let next = || {
        let first = first.lock().take();
        first.or_else(|| intake.take())
    };
    let lanes = intake.lanes(to.remote().max_concurrency());
    let (send, arrivals) = bounded(lanes);
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let (send, next) = (send.clone(), &next);
            let work = move || {
                while let Some(pack) = next() {
                    let stored = store(to, &pack, on_progress);
                    let failed = stored.is_err();
                    if send.send(stored).is_err() || failed {
                        return;
                    }
                }
            };
            match threads::spawn_in(scope, "receive", work) {
                Err(e) if lane == 0 => return Err(e),
                // One is enough.
                Err(_) => break,
                Ok(_) => {}
            }
        }
        drop(send);
        let listed = list(to, arrivals, received);
        if listed.is_err() {
            // Or the other lanes would wait for more.
            intake.abandon();
        }
        listed
    })
}

fn store(to: &Store, pack: &HandedPack, on_progress: &OnProgress<'_>) -> Result<Arc<PackList>> {
    on_progress(0)?;
    to.publish_bytes(pack.list.id, &pack.bytes, &pack.parity)?;
    on_progress(pack.list.size)?;
    Ok(pack.list.clone())
}

/// Lists the packs that are there as they arrive.
fn list(to: &Store, arrivals: Receiver<Result<Arc<PackList>>>, received: &mut Received) -> Result<()> {
    let mut unlisted = Unlisted::new();
    loop {
        match arrivals.recv_timeout(LOOK) {
            Ok(arrived) => {
                let list = Arc::unwrap_or_clone(arrived?);
                received.packs += 1;
                received.bytes += list.size;
                unlisted.add(list);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if unlisted.is_due() {
            to.list_packs(unlisted.take())?;
        }
    }
    to.list_packs(unlisted.take())
}
