//! A remote that breaks one promise of the contract, for the probe to find out.

use chunkstore::error::Operation;
use chunkstore::id;
use chunkstore::remote::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use chunkstore::{Error, Result};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// Every create replaces and reports that it won, like a server that ignores `If-None-Match`.
    Replaces,
    /// Looks whether the name is free and then writes: right unless two do so at once.
    ChecksThenWrites,
    /// Answers `Exists` and replaces all the same.
    ReplacesAndSaysExists,
    /// A new object can't be read the first time.
    ReadsLate,
    /// A new object is not in the first listing.
    ListsLate,
    /// Ranges are ignored and the object is given from its beginning.
    IgnoresRanges,
    /// Deleting is refused.
    RefusesDelete,
    /// Deleting reports success and does nothing.
    KeepsDeleted,
}

pub struct Lying {
    inner: Arc<dyn Remote>,
    lie: Lie,
    /// Names to be withheld once more, for the lies about lateness.
    late: Arc<Mutex<BTreeSet<ObjectName>>>,
}

impl Lying {
    pub fn new(inner: Arc<dyn Remote>, lie: Lie) -> Self {
        Lying {
            inner,
            lie,
            late: Arc::default(),
        }
    }

    fn is_late(&self, name: &ObjectName) -> bool {
        self.late.lock().unwrap().remove(name)
    }
}

impl Remote for Lying {
    fn location(&self) -> String {
        format!("lying ({:?}) {}", self.lie, self.inner.location())
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedLying {
            inner: self.inner.clone(),
            lie: self.lie,
            late: self.late.clone(),
            bytes: Vec::new(),
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.lie == Lie::ReadsLate && self.is_late(name) {
            return Err(Error::Missing { object: name.into() });
        }
        let offset = if self.lie == Lie::IgnoresRanges { 0 } else { offset };
        self.inner.read(name, offset, len, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.size(name)
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        self.inner.list(kind, &mut |name, size| {
            if self.lie == Lie::ListsLate && self.is_late(&name) {
                return Ok(());
            }
            each(name, size)
        })
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        match self.lie {
            Lie::RefusesDelete => {
                let refused = std::io::ErrorKind::PermissionDenied.into();
                Err(Error::remote(Operation::Delete, name, refused))
            }
            Lie::KeepsDeleted => Ok(()),
            _ => self.inner.delete(name),
        }
    }

    fn barrier(&self) -> Result<()> {
        self.inner.barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        self.inner.sweep_staged(all_ended)
    }
}

struct StagedLying {
    inner: Arc<dyn Remote>,
    lie: Lie,
    late: Arc<Mutex<BTreeSet<ObjectName>>>,
    bytes: Vec<u8>,
}

impl StagedLying {
    fn put(&self, name: &ObjectName) -> Result<Published> {
        let mut staged = self.inner.begin()?;
        staged.write(&self.bytes)?;
        staged.publish(name)
    }

    fn replace(&self, name: &ObjectName) -> Result<()> {
        while self.put(name)? == Published::Exists {
            self.inner.delete(name)?;
        }
        Ok(())
    }
}

impl Staged for StagedLying {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        match self.lie {
            Lie::Replaces => self.replace(name).map(|()| Published::Created),
            Lie::ReplacesAndSaysExists => {
                let published = self.put(name)?;
                self.replace(name)?;
                Ok(published)
            }
            Lie::ChecksThenWrites => {
                if self.inner.size(name)?.is_some() {
                    return Ok(Published::Exists);
                }
                // As long as a request to a server takes, give or take.
                let [jitter] = id::random()?;
                std::thread::sleep(Duration::from_micros(500 + u64::from(jitter)));
                self.replace(name).map(|()| Published::Created)
            }
            Lie::ReadsLate | Lie::ListsLate => {
                let published = self.put(name)?;
                if published == Published::Created {
                    self.late.lock().unwrap().insert(name.clone());
                }
                Ok(published)
            }
            Lie::IgnoresRanges | Lie::RefusesDelete | Lie::KeepsDeleted => self.put(name),
        }
    }
}
