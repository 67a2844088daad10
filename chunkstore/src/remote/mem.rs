//! A remote in memory, for tests and dry runs: the contract of [`Remote`] with nothing below it.
//!
//! A clone is another handle to the same objects.

use super::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

type Objects = Arc<Mutex<BTreeMap<ObjectName, Arc<[u8]>>>>;

/// Objects in memory; gone with the last handle.
#[derive(Clone, Default)]
pub struct Memory {
    objects: Objects,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn object(&self, name: &ObjectName) -> Option<Arc<[u8]>> {
        self.objects.lock().get(name).cloned()
    }
}

impl Remote for Memory {
    fn location(&self) -> String {
        "mem:".to_string()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedInMemory {
            objects: self.objects.clone(),
            bytes: Vec::new(),
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let object = self.object(name).ok_or_else(|| Error::missing(name))?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(object.len());
        let end = start.saturating_add(len).min(object.len());
        out.extend_from_slice(&object[start..end]);
        Ok(())
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        Ok(self.object(name).map(|object| object.len() as u64))
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        // Copied first: `each` may use the remote.
        let listed: Vec<(ObjectName, u64)> = self
            .objects
            .lock()
            .iter()
            .filter(|(name, _)| name.kind() == kind)
            .map(|(name, object)| (name.clone(), object.len() as u64))
            .collect();
        listed.into_iter().try_for_each(|(name, size)| each(name, size))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.objects.lock().remove(name);
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        self.objects.lock().insert(name.clone(), Arc::from(bytes));
        Ok(())
    }

    fn sweep_staged(&self, _: &mut AllEnded<'_>) -> Result<u64> {
        // Unpublished bytes are owned by their writer and go with it.
        Ok(0)
    }
}

struct StagedInMemory {
    objects: Objects,
    bytes: Vec<u8>,
}

impl Staged for StagedInMemory {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        let object = Arc::from(self.bytes);
        match self.objects.lock().entry(name.clone()) {
            Entry::Occupied(_) => Ok(Published::Exists),
            Entry::Vacant(vacant) => {
                vacant.insert(object);
                Ok(Published::Created)
            }
        }
    }
}
