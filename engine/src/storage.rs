//! What the storage of a repository was seen to do: tried out when the repository is made, and before a machine collects
//! garbage there for the first time, and noted on this machine.
//!
//! A collection of garbage beside writers rests on promises (docs/invariants.md) that not every storage keeps. Where one
//! was seen not to, nothing is collected unless the caller guarantees that no one writes in the meantime.

use crate::error::{Error, Refusal, Result};
use crate::repo::{Repo, write_replacing};
use crate::run::{LocalDirs, RunContext};
use chunkstore::object::{cbor, from_cbor};
use chunkstore::remote::{self, Probe, Remote};
use minicbor::{Decode, Encode};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Storage {
    /// Hash of the place: a copy of a repository lies on other storage.
    #[cbor(n(0), with = "minicbor::bytes")]
    place: [u8; 32],
    /// Seconds since 1970.
    #[n(1)]
    pub tried: i64,
    #[n(2)]
    pub exclusive_create: bool,
    #[n(3)]
    pub read_after_write: bool,
    #[n(4)]
    pub list_after_write: bool,
    #[n(5)]
    pub range_read: bool,
    #[n(6)]
    pub delete: bool,
}

/// What a storage was seen not to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weakness {
    /// Of two writers of one name both can win.
    ExclusiveCreate,
    /// What was written can't be read at once.
    ReadAfterWrite,
    /// Listings lag behind what was written or deleted.
    ListAfterWrite,
    /// It does not give parts of objects as asked.
    RangeRead,
    /// Nothing can be deleted.
    Delete,
}

impl Storage {
    fn of(probe: &Probe, remote: &dyn Remote, now: i64) -> Storage {
        Storage {
            place: place(remote),
            tried: now,
            exclusive_create: probe.exclusive_create,
            read_after_write: probe.read_after_write,
            list_after_write: probe.list_after_write,
            range_read: probe.range_read,
            delete: probe.delete,
        }
    }

    /// What it was seen not to do; nothing for sound storage.
    pub fn weaknesses(&self) -> Vec<Weakness> {
        let found = [
            (self.exclusive_create, Weakness::ExclusiveCreate),
            (self.read_after_write, Weakness::ReadAfterWrite),
            (self.list_after_write, Weakness::ListAfterWrite),
            (self.range_read, Weakness::RangeRead),
            (self.delete, Weakness::Delete),
        ];
        let weak = found.into_iter().filter(|(good, _)| !good);
        weak.map(|(_, what)| what).collect()
    }

    /// Garbage can be collected there while others write.
    fn bears_collections(&self) -> bool {
        self.exclusive_create && self.read_after_write && self.list_after_write
    }

    fn note(&self, dirs: &LocalDirs) -> Result<()> {
        write_replacing(&file(dirs, &self.place), &cbor(self))
    }
}

/// By the place and not by the repository: it is known before the repository is opened.
fn file(dirs: &LocalDirs, place: &[u8; 32]) -> PathBuf {
    dirs.state.join("storage").join(hex::encode(&place[..16]))
}

fn place(remote: &dyn Remote) -> [u8; 32] {
    *blake3::hash(remote.location().as_bytes()).as_bytes()
}

/// Tries out the storage of the new repository at `location`, and notes what was seen. Writes there, and removes what it
/// wrote.
pub fn try_out(location: &str, run: &RunContext) -> Result<Storage> {
    let remote = run.storage(location)?;
    let storage = Storage::of(&remote::probe(&*remote)?, &*remote, run.now_secs());
    storage.note(&run.dirs)?;
    Ok(storage)
}

impl Repo {
    /// What this machine has noted; `None` where it never tried.
    pub fn storage(&self) -> Option<Storage> {
        let place = place(self.store.remote());
        let bytes = std::fs::read(file(&self.run().dirs, &place)).ok()?;
        from_cbor(&bytes).filter(|noted: &Storage| noted.place == place)
    }

    /// Refuses a collection that others could be harmed by. Storage on a network that was never tried is tried now.
    pub(crate) fn refuse_weak_storage(&self) -> Result<()> {
        let remote = self.store.remote();
        let storage = match self.storage() {
            None if remote.is_high_latency() => {
                let storage = Storage::of(&remote::probe(remote)?, remote, self.run().now_secs());
                storage.note(&self.run().dirs)?;
                Some(storage)
            }
            noted => noted,
        };
        match storage.filter(|storage| !storage.bears_collections()) {
            Some(storage) => Err(Error::Refused(Refusal::WeakStorage(storage.weaknesses()))),
            None => Ok(()),
        }
    }
}
