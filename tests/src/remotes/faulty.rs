//! A remote that fails as planned: at the n-th operation, from the n-th on as after a crash, or in what it lists.
//!
//! Operations are counted from 0. *Mutating* are begin, write, publish, delete, barrier and sweep; a test runs once
//! without a plan, asks [`Faulty::operations`], and then crashes a fresh run at each of 0..n. What a crash leaves
//! behind stays behind: unpublished writes are not tidied up, and [`Faulty::power_cut`] takes away what no barrier
//! had covered.

use chunkstore::error::Operation;
use chunkstore::remote::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use chunkstore::{Error, Result};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The disk is full; a write has put down half of its bytes.
    NoSpace,
    /// EIO; a write has put down half of its bytes, a listing gave half of its names.
    Io,
    /// The request never arrived.
    TimeoutBefore,
    /// The request was carried out and the reply was lost.
    TimeoutAfter,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::NoSpace => io::ErrorKind::StorageFull.into(),
            Fault::Io => rustix::io::Errno::IO.into(),
            Fault::TimeoutBefore | Fault::TimeoutAfter => io::ErrorKind::TimedOut.into(),
        }
    }
}

/// How much of an operation takes place before it fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Nothing,
    Half,
    All,
}

struct Crash {
    at: u64,
    torn: bool,
}

/// A change that no barrier has covered yet.
enum Change {
    Published(ObjectName),
    Deleted(ObjectName, Vec<u8>),
}

#[derive(Default)]
struct Plan {
    requests: u64,
    mutations: u64,
    on_request: BTreeMap<u64, Fault>,
    on_mutation: BTreeMap<u64, Fault>,
    crash: Option<Crash>,
    crashed: bool,
    shortened: BTreeMap<Kind, usize>,
    frozen: BTreeMap<Kind, Vec<(ObjectName, u64)>>,
    doubled: bool,
    swollen: bool,
    unsynced: Vec<Change>,
}

impl Plan {
    /// Counts an operation and returns how it is to fail, if it is.
    fn next(&mut self, mutating: bool) -> Option<(Extent, io::Error)> {
        if self.crashed {
            return Some((Extent::Nothing, io::Error::other("crashed before")));
        }
        let request = self.requests;
        self.requests += 1;
        let mut fault = self.on_request.remove(&request);
        if mutating {
            let mutation = self.mutations;
            self.mutations += 1;
            if let Some(crash) = self.crash.as_ref().filter(|crash| mutation >= crash.at) {
                self.crashed = true;
                let extent = if crash.torn { Extent::Half } else { Extent::Nothing };
                return Some((extent, io::Error::other("crashed")));
            }
            fault = self.on_mutation.remove(&mutation).or(fault);
        }
        let fault = fault?;
        let extent = match fault {
            Fault::TimeoutBefore => Extent::Nothing,
            Fault::NoSpace | Fault::Io => Extent::Half,
            Fault::TimeoutAfter => Extent::All,
        };
        Some((extent, fault.error()))
    }
}

/// A remote that fails as planned. A clone is another handle to the same plan.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Remote>,
    plan: Arc<Mutex<Plan>>,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Remote>) -> Self {
        Faulty {
            inner,
            plan: Arc::default(),
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    /// Mutating operations so far.
    pub fn operations(&self) -> u64 {
        self.plan().mutations
    }

    /// All operations so far.
    pub fn requests(&self) -> u64 {
        self.plan().requests
    }

    /// Fails the mutating operation number `nth`, once.
    pub fn fail_mutation(&self, nth: u64, fault: Fault) {
        self.plan().on_mutation.insert(nth, fault);
    }

    /// Fails the operation number `nth`, reading ones included, once.
    pub fn fail_request(&self, nth: u64, fault: Fault) {
        self.plan().on_request.insert(nth, fault);
    }

    /// The mutating operation number `nth` and everything after it fail and have no effect.
    pub fn crash_at(&self, nth: u64) {
        self.plan().crash = Some(Crash { at: nth, torn: false });
    }

    /// The same, but if that operation is a write, half of its bytes are put down.
    pub fn crash_torn(&self, nth: u64) {
        self.plan().crash = Some(Crash { at: nth, torn: true });
    }

    /// Whether the planned crash has come.
    pub fn crashed(&self) -> bool {
        self.plan().crashed
    }

    /// Listings of `kind` lack `missing` of their objects, without a sign of it.
    pub fn shorten(&self, kind: Kind, missing: usize) {
        self.plan().shortened.insert(kind, missing);
    }

    /// Listings have each of their objects twice.
    pub fn double(&self) {
        self.plan().doubled = true;
    }

    /// Every object is as long as a number can say.
    pub fn swell(&self) {
        self.plan().swollen = true;
    }

    /// Listings of `kind` stay as they are now.
    pub fn freeze(&self, kind: Kind) -> Result<()> {
        let now = super::listed(&*self.inner, kind)?;
        self.plan().frozen.insert(kind, now);
        Ok(())
    }

    /// Forgets plan and counts, and works from now on: the next process on the same storage.
    pub fn restart(&self) {
        let mut plan = self.plan();
        let unsynced = std::mem::take(&mut plan.unsynced);
        *plan = Plan {
            unsynced,
            ..Plan::default()
        };
    }

    /// Takes back the publishes and deletes that no barrier has covered, but for names that by `kept` made it to
    /// the disk by chance. Returns how many were taken back. To be called when the remote is not in use.
    pub fn power_cut(&self, kept: &mut dyn FnMut(&ObjectName) -> bool) -> Result<usize> {
        let unsynced = std::mem::take(&mut self.plan().unsynced);
        let mut lost = 0;
        for change in unsynced.into_iter().rev() {
            match change {
                Change::Published(name) if !kept(&name) => self.inner.delete(&name)?,
                Change::Deleted(name, bytes) if !kept(&name) => {
                    self.inner.put(&name, &bytes)?;
                }
                _ => continue,
            }
            lost += 1;
        }
        Ok(lost)
    }

    /// Runs one operation as planned. `work` does half of it if that means something to it.
    fn run<T>(
        &self,
        operation: Operation,
        object: &dyn ToString,
        mutating: bool,
        work: &mut dyn FnMut(Extent) -> Result<T>,
    ) -> Result<T> {
        let verdict = self.plan().next(mutating);
        let Some((extent, error)) = verdict else {
            return work(Extent::All);
        };
        if extent != Extent::Nothing {
            work(extent)?;
        }
        Err(Error::remote(operation, object.to_string(), error))
    }

    fn listing(&self, kind: Kind) -> Result<Vec<(ObjectName, u64)>> {
        let frozen = self.plan().frozen.get(&kind).cloned();
        let mut listed = match frozen {
            Some(listed) => listed,
            None => super::listed(&*self.inner, kind)?,
        };
        let missing = self.plan().shortened.get(&kind).copied().unwrap_or(0);
        listed.drain(..missing.min(listed.len()));
        if self.plan().doubled {
            listed.extend_from_within(..);
        }
        if self.plan().swollen {
            listed.iter_mut().for_each(|(_, size)| *size = u64::MAX);
        }
        Ok(listed)
    }

    fn delete_and_note(&self, name: &ObjectName) -> Result<()> {
        let size = self.inner.size(name)?;
        let bytes = size.map(|size| self.inner.get(name, size as usize)).transpose()?;
        self.inner.delete(name)?;
        if let Some(bytes) = bytes {
            let change = Change::Deleted(name.clone(), bytes);
            self.plan().unsynced.push(change);
        }
        Ok(())
    }

    fn barrier_and_note(&self) -> Result<()> {
        // What others change in the meantime is not covered.
        let covered = self.plan().unsynced.len();
        self.inner.barrier()?;
        let mut plan = self.plan();
        let covered = covered.min(plan.unsynced.len());
        plan.unsynced.drain(..covered);
        Ok(())
    }
}

impl Remote for Faulty {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        let begun = self.run(
            Operation::Create,
            &"a staged object",
            true,
            &mut |extent| match extent {
                Extent::All => self.inner.begin().map(Some),
                _ => Ok(None),
            },
        )?;
        Ok(Box::new(StagedFaulty {
            faulty: self.clone(),
            inner: begun,
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        self.run(Operation::Read, name, false, &mut |_| {
            self.inner.read(name, offset, len, out)
        })
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.run(Operation::Stat, name, false, &mut |_| {
            let size = self.inner.size(name)?;
            Ok(size.map(|size| if self.plan().swollen { u64::MAX } else { size }))
        })
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        self.run(Operation::List, &kind.folder(), false, &mut |extent| {
            let mut listed = self.listing(kind)?;
            if extent == Extent::Half {
                listed.truncate(listed.len() / 2);
            }
            listed.into_iter().try_for_each(|(name, size)| each(name, size))
        })
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.run(Operation::Delete, name, true, &mut |extent| match extent {
            Extent::All => self.delete_and_note(name),
            _ => Ok(()),
        })
    }

    fn barrier(&self) -> Result<()> {
        self.run(Operation::Sync, &"folders", true, &mut |extent| match extent {
            Extent::All => self.barrier_and_note(),
            _ => Ok(()),
        })
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        self.run(
            Operation::Sweep,
            &"staged objects",
            true,
            &mut |extent| match extent {
                Extent::All => self.inner.sweep_staged(all_ended),
                _ => Ok(0),
            },
        )
    }
}

struct StagedFaulty {
    faulty: Faulty,
    /// `None` once published.
    inner: Option<Box<dyn Staged>>,
}

fn used_up() -> Error {
    // It was published before.
    Error::WriterFailed
}

impl Staged for StagedFaulty {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let inner = self.inner.as_mut().ok_or_else(used_up)?;
        self.faulty
            .run(Operation::Write, &"a staged object", true, &mut |extent| {
                let len = if extent == Extent::Half {
                    bytes.len() / 2
                } else {
                    bytes.len()
                };
                inner.write(&bytes[..len])
            })
    }

    fn publish(mut self: Box<Self>, name: &ObjectName) -> Result<Published> {
        let faulty = self.faulty.clone();
        faulty.run(Operation::Publish, name, true, &mut |extent| {
            if extent != Extent::All {
                return Ok(Published::Exists);
            }
            let published = self.inner.take().ok_or_else(used_up)?.publish(name)?;
            if published == Published::Created {
                faulty.plan().unsynced.push(Change::Published(name.clone()));
            }
            Ok(published)
        })
    }
}

impl Drop for StagedFaulty {
    fn drop(&mut self) {
        // A process that died tidies nothing up.
        if self.faulty.crashed() {
            std::mem::forget(self.inner.take());
        }
    }
}
