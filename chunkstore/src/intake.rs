//! How the packs of one backup reach the destinations beside the first: the writer offers each pack that it closes to
//! an [`Intake`] per destination, and the thread that serves that destination takes it from there (`receive`).
//!
//! All destinations share one copy of a pack's bytes. Offering never waits: what a slow destination has not taken yet
//! goes to its spool on disk, and what does not fit there is not offered to it at all. A pack that never arrives, for
//! whatever reason, is brought by the catch-up that comes before the generation ([`crate::transfer`]), so nothing here
//! needs to be complete.
//!
//! A pack has the same name everywhere. The writer has just made that name, and each destination gets it once, so it
//! comes back nowhere (I-18). Its footer lists what this process has sealed and opened again (I-3).

mod receive;
mod spool;

pub use receive::{Received, receive};
pub use spool::SPOOL_BYTES;

use crate::error::Result;
use crate::pack::PackList;
use crate::parity::SharedParity;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use spool::{Spool, SpooledPack};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Packs in memory that all destinations beside the first may have, as long as there are few of them.
const PACKS: usize = 8;
/// And each of them: one that it sends, and one that waits.
const LEAST: usize = 2;
/// More requests at a time than this make no destination faster.
const MOST: usize = 6;
const LANES: usize = 4;

/// Gets the bytes of each piece as it is there; an error ends the transfer.
pub type OnProgress<'a> = dyn Fn(u64) -> Result<()> + Sync + 'a;

/// A pack on its way to a further destination. Clones share its bytes.
#[derive(Clone)]
pub struct HandedPack {
    pub list: Arc<PackList>,
    pub bytes: Bytes,
    /// Not kept where the pack has to wait on disk: it is made again then.
    pub parity: Arc<SharedParity>,
    /// [`crate::session::Owner::packs`] of the session that made it.
    pub under: Option<[u64; 2]>,
}

/// The packs that wait for one destination.
pub struct Intake {
    state: Mutex<IntakeState>,
    changed: Condvar,
    spool: Spool,
    /// Packs in memory at most, with those that are being sent.
    packs: usize,
}

struct IntakeState {
    waiting: VecDeque<Waiting>,
    in_memory: usize,
    is_open: bool,
    /// Packs that were not offered for want of room.
    missed: u64,
}

enum Waiting {
    InMemory(HandedPack),
    Spooled {
        list: Arc<PackList>,
        under: Option<[u64; 2]>,
        slot: SpooledPack,
    },
}

impl Intake {
    /// One for each of `count` destinations. Packs have `pack_size` bytes; spools are kept below `cache`.
    pub fn for_each(count: usize, cache: &Path, pack_size: u32) -> Vec<Arc<Intake>> {
        let packs = (PACKS / count.max(1)).clamp(LEAST, MOST);
        let intake = || Intake::new(packs, Spool::new(cache, pack_size, SPOOL_BYTES));
        (0..count).map(|_| Arc::new(intake())).collect()
    }

    fn new(packs: usize, spool: Spool) -> Intake {
        Intake {
            state: Mutex::new(IntakeState {
                waiting: VecDeque::new(),
                in_memory: 0,
                is_open: true,
                missed: 0,
            }),
            changed: Condvar::new(),
            spool,
            packs,
        }
    }

    /// Packs that this one holds in memory at most.
    pub(crate) fn packs(&self) -> usize {
        self.packs
    }

    /// Packs that are sent at a time, of the `wanted`.
    fn lanes(&self, wanted: usize) -> usize {
        wanted.clamp(1, LANES.min(self.packs - 1))
    }

    /// Packs that may wait in memory beside those that are being sent.
    fn queue(&self) -> usize {
        self.packs - self.lanes(LANES)
    }

    /// Packs that found no room.
    pub fn missed(&self) -> u64 {
        self.state.lock().missed
    }

    /// Hands a pack over, unless there is no room for it. Never waits for the destination.
    pub(crate) fn offer(&self, pack: &HandedPack) {
        {
            let mut state = self.state.lock();
            if !state.is_open {
                return;
            }
            if state.in_memory < self.queue() {
                state.in_memory += 1;
                return self.add(&mut state, Waiting::InMemory(pack.clone()));
            }
        }
        // Written without the lock: the destination goes on in the meantime.
        let slot = self.spool.put(&pack.bytes);
        let mut state = self.state.lock();
        match slot {
            Some(slot) if state.is_open => {
                let (list, under) = (pack.list.clone(), pack.under);
                self.add(&mut state, Waiting::Spooled { list, under, slot });
            }
            Some(slot) => self.spool.free(slot),
            None => state.missed += 1,
        }
    }

    fn add(&self, state: &mut IntakeState, waiting: Waiting) {
        state.waiting.push_back(waiting);
        self.changed.notify_one();
    }

    /// The next pack; waits for one until the intake is closed. `None` when there will be no more.
    pub fn take(&self) -> Option<HandedPack> {
        loop {
            let (list, under, slot) = match self.next()? {
                Waiting::InMemory(pack) => return Some(pack),
                Waiting::Spooled { list, under, slot } => (list, under, slot),
            };
            // One that can't be read back as it was is as good as one that was never offered.
            if let Some(bytes) = self.spool.take(slot, &list.id) {
                return Some(HandedPack {
                    list,
                    bytes,
                    parity: Arc::default(),
                    under,
                });
            }
            self.state.lock().missed += 1;
        }
    }

    fn next(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        loop {
            match state.waiting.pop_front() {
                Some(waiting) => {
                    state.in_memory -= usize::from(matches!(waiting, Waiting::InMemory(_)));
                    return Some(waiting);
                }
                None if !state.is_open => return None,
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Nothing more will be offered; what waits is still to be taken.
    pub fn close(&self) {
        self.state.lock().is_open = false;
        self.changed.notify_all();
    }

    /// The destination takes nothing more: what waits is dropped.
    pub fn abandon(&self) {
        let dropped = {
            let mut state = self.state.lock();
            state.is_open = false;
            state.in_memory = 0;
            std::mem::take(&mut state.waiting)
        };
        self.changed.notify_all();
        for waiting in dropped {
            if let Waiting::Spooled { slot, .. } = waiting {
                self.spool.free(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
