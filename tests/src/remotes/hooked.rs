//! A remote that calls a function before each operation: to make others run in exactly that gap, or to slow it down.

use super::Operation;
use chunkstore::Result;
use chunkstore::remote::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use std::sync::Arc;

/// Called before an operation with the kind of object that it is about, where it is about one.
pub type Hook = dyn Fn(Operation, Option<Kind>) + Send + Sync;

#[derive(Clone)]
pub struct Hooked {
    inner: Arc<dyn Remote>,
    hook: Arc<Hook>,
}

impl Hooked {
    pub fn new(
        inner: Arc<dyn Remote>,
        hook: impl Fn(Operation, Option<Kind>) + Send + Sync + 'static,
    ) -> Self {
        Hooked {
            inner,
            hook: Arc::new(hook),
        }
    }
}

impl Remote for Hooked {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        (self.hook)(Operation::Begin, None);
        Ok(Box::new(StagedHooked {
            inner: self.inner.begin()?,
            hook: self.hook.clone(),
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        (self.hook)(Operation::Read, Some(name.kind()));
        self.inner.read(name, offset, len, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        (self.hook)(Operation::Size, Some(name.kind()));
        self.inner.size(name)
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        (self.hook)(Operation::List, Some(kind));
        self.inner.list(kind, each)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        (self.hook)(Operation::Delete, Some(name.kind()));
        self.inner.delete(name)
    }

    fn barrier(&self) -> Result<()> {
        (self.hook)(Operation::Barrier, None);
        self.inner.barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        (self.hook)(Operation::Sweep, None);
        self.inner.sweep_staged(all_ended)
    }
}

struct StagedHooked {
    inner: Box<dyn Staged>,
    hook: Arc<Hook>,
}

impl Staged for StagedHooked {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        (self.hook)(Operation::Write, None);
        self.inner.write(bytes)
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        (self.hook)(Operation::Publish, Some(name.kind()));
        self.inner.publish(name)
    }
}
