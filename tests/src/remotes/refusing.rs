//! A remote that can't read some of its objects, for as long as they are named here, while it gives all others; or one
//! that deletes nothing.

use chunkstore::error::Operation;
use chunkstore::remote::{AllEnded, Kind, ObjectName, Remote, Staged};
use chunkstore::{Error, Result};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// Why an object can't be read.
pub type Why = fn() -> io::Error;

#[derive(Clone)]
pub struct Refusing {
    inner: Arc<dyn Remote>,
    refused: Arc<Mutex<BTreeMap<ObjectName, Why>>>,
    is_append_only: bool,
}

impl Refusing {
    pub fn new(inner: Arc<dyn Remote>) -> Self {
        Refusing {
            inner,
            refused: Arc::default(),
            is_append_only: false,
        }
    }

    /// All can be read, and nothing deleted.
    pub fn append_only(inner: Arc<dyn Remote>) -> Self {
        Refusing {
            is_append_only: true,
            ..Refusing::new(inner)
        }
    }

    /// From now on exactly these can't be read.
    pub fn refuse(&self, names: impl IntoIterator<Item = ObjectName>, why: Why) {
        *self.refused.lock().unwrap() = names.into_iter().map(|name| (name, why)).collect();
    }
}

impl Remote for Refusing {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        self.inner.begin()
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        let why = self.refused.lock().unwrap().get(name).copied();
        match why {
            Some(why) => Err(Error::remote(Operation::Read, name, why())),
            None => self.inner.read(name, offset, len, out),
        }
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.size(name)
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        self.inner.list(kind, each)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        match self.is_append_only {
            true => Err(Error::remote(
                Operation::Delete,
                name,
                io::ErrorKind::PermissionDenied.into(),
            )),
            false => self.inner.delete(name),
        }
    }

    fn barrier(&self) -> Result<()> {
        self.inner.barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        self.inner.sweep_staged(all_ended)
    }
}
