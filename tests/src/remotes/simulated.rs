//! Storage that a seed determines, with everything that storage does to people: it loses power, and with it what no
//! barrier covered or some of that; it ends a process before, within or after an operation; it fails in each of the
//! ways that a disk, a network or a server does; and it is slow, on a clock of its own.
//!
//! Operations are counted from 0, so that a test can run once, ask [`Simulated::operations`], and then break each one.

mod fault;

pub use fault::{Fault, When};

use crate::random::Random;
use chunkstore::error::Operation;
use chunkstore::remote::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use chunkstore::simulation::LocalEnd;
use chunkstore::{Error, Result};
use fault::Done;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

type Objects = BTreeMap<ObjectName, Arc<[u8]>>;

struct Storage {
    /// What survives a power cut.
    durable: Objects,
    now: Objects,
    /// As it was one barrier earlier.
    past: Objects,
    /// Changes since the last barrier: a name and its bytes, or that it is gone.
    fresh: Vec<(ObjectName, Option<Arc<[u8]>>)>,
    random: Random,
    operations: u64,
    /// Those of them that change something.
    changes: u64,
    crash: Option<(u64, When)>,
    crashed: Arc<AtomicBool>,
    /// The process that uses the storage ends with this.
    local_end: Option<Arc<LocalEnd>>,
    faults: BTreeMap<u64, Fault>,
    /// Whether a fault found an operation that it means something to.
    struck: bool,
    clock: Duration,
}

/// What becomes of one operation.
struct Verdict {
    done: Done,
    error: Option<io::Error>,
    fault: Option<Fault>,
}

impl Storage {
    fn next(&mut self, changes: bool) -> Verdict {
        let verdict = |done, error, fault| Verdict { done, error, fault };
        if self.local_end.as_ref().is_some_and(|end| end.ended()) {
            self.crashed.store(true, Relaxed);
        }
        if self.crashed.load(Relaxed) {
            return verdict(Done::Nothing, Some(io::Error::other("crashed before")), None);
        }
        self.clock += Duration::from_millis(20);
        let number = self.operations;
        self.operations += 1;
        if changes {
            let change = self.changes;
            self.changes += 1;
            if let Some((_, when)) = self.crash.filter(|(at, _)| *at == change) {
                self.crashed.store(true, Relaxed);
                let done = match when {
                    When::Before => Done::Nothing,
                    When::Within => Done::Half,
                    When::After => Done::All,
                };
                return verdict(done, Some(io::Error::other("crashed")), None);
            }
        }
        let Some(fault) = self.faults.remove(&number) else {
            return verdict(Done::All, None, None);
        };
        match fault.failure() {
            Some((done, error)) => {
                self.struck = true;
                verdict(done, Some(error), None)
            }
            None => verdict(Done::All, None, Some(fault)),
        }
    }

    fn change(&mut self, name: &ObjectName, bytes: Option<Arc<[u8]>>) {
        match &bytes {
            Some(bytes) => self.now.insert(name.clone(), bytes.clone()),
            None => self.now.remove(name),
        };
        self.fresh.push((name.clone(), bytes));
    }

    /// What a listing gives, with what is wrong about it.
    fn listing(&mut self, kind: Kind, fault: Option<Fault>) -> Vec<(ObjectName, u64)> {
        let objects = match fault {
            Some(Fault::Stale) => &self.past,
            _ => &self.now,
        };
        let sized = |(name, bytes): (&ObjectName, &Arc<[u8]>)| (name.clone(), bytes.len() as u64);
        let of_kind = objects.iter().filter(|(name, _)| name.kind() == kind);
        let mut listed: Vec<_> = of_kind.map(sized).collect();
        match fault {
            Some(Fault::Short) if !listed.is_empty() => {
                let missing = 1 + self.random.below(listed.len() as u64) as usize;
                listed.drain(..missing);
                self.struck = true;
            }
            Some(Fault::Stale | Fault::Slow) => self.struck = true,
            _ => {}
        }
        listed
    }

    /// Hurts bytes on their way.
    fn deliver(&mut self, out: &mut Vec<u8>, fault: Option<Fault>) {
        match fault {
            Some(Fault::Truncated) if !out.is_empty() => {
                let left = self.random.below(out.len() as u64) as usize;
                out.truncate(left);
            }
            Some(Fault::Corrupt) if !out.is_empty() => {
                let at = self.random.below(out.len() as u64) as usize;
                out[at] ^= 1 << self.random.below(8);
            }
            Some(Fault::Slow) => {}
            _ => return,
        }
        self.struck = true;
    }
}

/// A clone is another handle to the same storage.
#[derive(Clone)]
pub struct Simulated {
    storage: Arc<Mutex<Storage>>,
}

impl Simulated {
    pub fn new(seed: u64) -> Self {
        Simulated::holding(seed, Objects::new())
    }

    fn holding(seed: u64, objects: Objects) -> Self {
        let storage = Storage {
            durable: objects.clone(),
            past: objects.clone(),
            now: objects,
            fresh: Vec::new(),
            random: Random::new(seed),
            operations: 0,
            changes: 0,
            crash: None,
            crashed: Arc::default(),
            local_end: None,
            faults: BTreeMap::new(),
            struck: false,
            clock: Duration::ZERO,
        };
        Simulated {
            storage: Arc::new(Mutex::new(storage)),
        }
    }

    /// Other storage with the same objects, to be changed on its own.
    pub fn fork(&self, seed: u64) -> Self {
        Simulated::holding(seed, self.storage().now.clone())
    }

    fn storage(&self) -> MutexGuard<'_, Storage> {
        self.storage.lock().unwrap()
    }

    pub fn operations(&self) -> u64 {
        self.storage().operations
    }

    /// Those of the operations that change something.
    pub fn changes(&self) -> u64 {
        self.storage().changes
    }

    /// The process ends in the change number `at`.
    pub fn crash(&self, at: u64, when: When) {
        self.storage().crash = Some((at, when));
    }

    /// The process ends while it writes a local file: from then on nothing gets here.
    pub fn crash_with(&self, end: Arc<LocalEnd>) {
        self.storage().local_end = Some(end);
    }

    pub fn crashed(&self) -> bool {
        self.storage().crashed.load(Relaxed)
    }

    /// From now on one process uses both: if it ends at one of them, nothing gets to the other either.
    pub fn used_with(&self, other: &Simulated) {
        let crashed = self.storage().crashed.clone();
        other.storage().crashed = crashed;
    }

    /// Nothing else ends the process that uses this.
    pub fn used_alone(&self) {
        self.storage().crashed = Arc::default();
    }

    /// The operation number `at` suffers a fault, once.
    pub fn fail(&self, at: u64, fault: Fault) {
        self.storage().faults.insert(at, fault);
    }

    /// Whether a fault came to an operation that it means something to.
    pub fn struck(&self) -> bool {
        self.storage().struck
    }

    /// What operations took so far, on the storage's own clock.
    pub fn clock(&self) -> Duration {
        self.storage().clock
    }

    /// The machine ends: of what no barrier covered each change is there or not, in any combination.
    pub fn lose_power(&self) {
        let mut storage = self.storage();
        let fresh = std::mem::take(&mut storage.fresh);
        let mut left = storage.durable.clone();
        for (name, bytes) in fresh {
            match bytes {
                _ if storage.random.chance(50) => {}
                Some(bytes) => drop(left.insert(name, bytes)),
                None => drop(left.remove(&name)),
            }
        }
        storage.durable = left.clone();
        storage.now = left;
    }

    /// One byte of an object is another from now on, wherever it is kept.
    pub fn hurt(&self, name: &ObjectName, at: usize) {
        let mut storage = self.storage();
        let mut bytes = storage.now[name].to_vec();
        bytes[at] ^= 0x40;
        storage.now.insert(name.clone(), bytes.into());
        storage.durable = storage.now.clone();
        storage.past = storage.now.clone();
    }

    /// From now on nothing fails: the next process on the same storage.
    pub fn restart(&self) {
        let mut storage = self.storage();
        storage.crash = None;
        storage.crashed.store(false, Relaxed);
        storage.local_end = None;
        storage.faults.clear();
        storage.struck = false;
        storage.operations = 0;
        storage.changes = 0;
    }

    fn publish(&self, name: &ObjectName, bytes: Vec<u8>) -> Result<Published> {
        let mut storage = self.storage();
        let verdict = storage.next(true);
        let taken = storage.now.contains_key(name);
        if verdict.done == Done::All && !taken {
            storage.change(name, Some(bytes.into()));
        }
        if let Some(error) = verdict.error {
            return Err(Error::remote(Operation::Publish, name, error));
        }
        match verdict.fault {
            Some(Fault::Slow) => storage.slow(),
            Some(Fault::Precondition) => {
                storage.struck = true;
                return Ok(Published::Exists);
            }
            _ => {}
        }
        Ok(match taken {
            true => Published::Exists,
            false => Published::Created,
        })
    }

    /// An operation of which there is no half.
    fn whole<T>(
        &self,
        what: Operation,
        object: &dyn ToString,
        changes: bool,
        act: impl FnOnce(&mut Storage) -> T,
    ) -> Result<T> {
        let mut storage = self.storage();
        let verdict = storage.next(changes);
        if verdict.fault == Some(Fault::Slow) {
            storage.slow();
        }
        match (verdict.done, verdict.error) {
            (Done::All, None) => Ok(act(&mut storage)),
            (done, error) => {
                if done == Done::All {
                    act(&mut storage);
                }
                let error = error.unwrap_or_else(|| io::Error::other("cut short"));
                Err(Error::remote(what, object.to_string(), error))
            }
        }
    }
}

impl Storage {
    fn slow(&mut self) {
        self.clock += Duration::from_secs(3600);
        self.struck = true;
    }
}

impl Remote for Simulated {
    fn location(&self) -> String {
        "simulated storage".to_string()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        self.whole(Operation::Create, &"a staged object", true, |_| ())?;
        Ok(Box::new(StagedBytes {
            remote: self.clone(),
            bytes: Vec::new(),
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let mut storage = self.storage();
        let verdict = storage.next(false);
        if let Some(error) = verdict.error {
            return Err(Error::remote(Operation::Read, name, error));
        }
        let object = storage
            .now
            .get(name)
            .cloned()
            .ok_or_else(|| Error::Missing { object: name.into() })?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(object.len());
        let end = start.saturating_add(len).min(object.len());
        out.extend_from_slice(&object[start..end]);
        if verdict.fault == Some(Fault::Slow) {
            storage.slow();
        }
        storage.deliver(out, verdict.fault);
        Ok(())
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.whole(Operation::Stat, name, false, |storage| {
            storage.now.get(name).map(|bytes| bytes.len() as u64)
        })
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        let (verdict, mut listed) = {
            let mut storage = self.storage();
            let verdict = storage.next(false);
            let listed = storage.listing(kind, verdict.fault);
            (verdict, listed)
        };
        if verdict.done != Done::All {
            listed.truncate(listed.len() / 2);
        }
        listed.into_iter().try_for_each(|(name, size)| each(name, size))?;
        match verdict.error {
            Some(error) => Err(Error::remote(Operation::List, kind.folder(), error)),
            None => Ok(()),
        }
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.whole(Operation::Delete, name, true, |storage| {
            if storage.now.contains_key(name) {
                storage.change(name, None);
            }
        })
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        self.whole(Operation::Replace, name, true, |storage| {
            storage.change(name, Some(bytes.into()));
        })
    }

    fn barrier(&self) -> Result<()> {
        self.whole(Operation::Sync, &"folders", true, |storage| {
            storage.fresh.clear();
            storage.past = std::mem::replace(&mut storage.durable, storage.now.clone());
        })
    }

    fn sweep_staged(&self, _: &mut AllEnded<'_>) -> Result<u64> {
        self.whole(Operation::Sweep, &"staged objects", true, |_| 0)
    }
}

struct StagedBytes {
    remote: Simulated,
    bytes: Vec<u8>,
}

impl Staged for StagedBytes {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let verdict = self.remote.storage().next(true);
        let len = match verdict.done {
            Done::Nothing => 0,
            Done::Half => bytes.len() / 2,
            Done::All => bytes.len(),
        };
        self.bytes.extend_from_slice(&bytes[..len]);
        match verdict.error {
            Some(error) => Err(Error::remote(Operation::Write, "a staged object", error)),
            None => Ok(()),
        }
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        let StagedBytes { remote, bytes } = *self;
        remote.publish(name, bytes)
    }
}
