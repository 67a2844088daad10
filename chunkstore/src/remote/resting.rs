//! Storage that calls something before each request, which may wait: that is how a run keeps to its share of the
//! processors. Every job works by reading and writing objects, so none of them can be forgotten here.

use super::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use crate::error::Result;
use bytes::Bytes;
use std::sync::Arc;

/// Called before each request.
pub type Rest = dyn Fn() + Send + Sync;

/// The same storage, each request to which waits until `rest` has returned.
pub fn resting(inner: Arc<dyn Remote>, rest: Box<Rest>) -> Arc<dyn Remote> {
    Arc::new(Resting { inner, rest })
}

struct Resting {
    inner: Arc<dyn Remote>,
    rest: Box<Rest>,
}

impl Resting {
    fn rested(&self) -> &dyn Remote {
        (self.rest)();
        &*self.inner
    }
}

impl Remote for Resting {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        self.rested().begin()
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        self.rested().read(name, offset, len, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.rested().size(name)
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        self.rested().list(kind, each)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.rested().delete(name)
    }

    fn barrier(&self) -> Result<()> {
        self.rested().barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        self.rested().sweep_staged(all_ended)
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        self.rested().replace(name, bytes)
    }

    fn create_reserve(&self) -> Result<()> {
        self.rested().create_reserve()
    }

    fn release_reserve(&self) -> Result<bool> {
        self.rested().release_reserve()
    }

    fn max_concurrency(&self) -> usize {
        self.inner.max_concurrency()
    }

    fn is_high_latency(&self) -> bool {
        self.inner.is_high_latency()
    }

    fn publish(&self, name: &ObjectName, bytes: Bytes) -> Result<Published> {
        self.rested().publish(name, bytes)
    }

    fn put(&self, name: &ObjectName, bytes: &[u8]) -> Result<Published> {
        self.rested().put(name, bytes)
    }

    fn get(&self, name: &ObjectName, cap: usize) -> Result<Vec<u8>> {
        self.rested().get(name, cap)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Local;
    use super::*;
    use crate::id::PackId;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn each_request_rests_first() {
        let dir = tempfile::tempdir().unwrap();
        let rests = Arc::new(AtomicUsize::new(0));
        let counted = rests.clone();
        let count = move || {
            counted.fetch_add(1, Relaxed);
        };
        let remote = resting(Arc::new(Local::new(dir.path())), Box::new(count));
        let name = ObjectName::pack(PackId([1; 32]));
        remote.publish(&name, Bytes::from_static(b"bytes")).unwrap();
        remote.put(&name, b"others").unwrap();
        assert_eq!(remote.get(&name, 10).unwrap(), b"bytes");
        assert_eq!(remote.size(&name), Ok(Some(5)));
        remote.list(Kind::Pack, &mut |_, _| Ok(())).unwrap();
        remote.delete(&name).unwrap();
        remote.barrier().unwrap();
        assert_eq!(rests.load(Relaxed), 7);
    }
}
