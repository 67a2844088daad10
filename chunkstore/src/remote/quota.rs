//! A quota: a limit on what a repository may take up at one place. Packs and parity that would exceed it are refused
//! before they get a name. Everything else is small and completes what was begun, so it is never refused.
//!
//! What others write to the same place meanwhile is not counted until the place is opened again.

use super::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use crate::error::{Error, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;

/// Bytes of all objects of a repository.
pub fn total(remote: &dyn Remote) -> Result<u64> {
    let mut total = 0u64;
    for kind in Kind::ALL {
        remote.list(kind, &mut |_, size| {
            total = total.saturating_add(size);
            Ok(())
        })?;
    }
    Ok(total)
}

/// What is used of a quota, as far as this process knows.
struct Account {
    quota: u64,
    /// Counted when the first pack is published.
    used: Mutex<Option<u64>>,
}

impl Account {
    /// Books so many bytes, or refuses them. What fails later stays booked, which errs on the safe side.
    fn book(&self, remote: &dyn Remote, name: &ObjectName, bytes: u64) -> Result<()> {
        let mut used = self.used.lock();
        let before = match *used {
            Some(used) => used,
            None => total(remote)?,
        };
        let after = before.saturating_add(bytes);
        *used = Some(before);
        if after > self.quota && matches!(name.kind(), Kind::Pack | Kind::Parity) {
            let (used, quota) = (before, self.quota);
            return Err(Error::OverQuota { used, quota });
        }
        *used = Some(after);
        Ok(())
    }
}

/// Storage with a quota.
pub(super) struct Limited {
    inner: Arc<dyn Remote>,
    account: Arc<Account>,
}

impl Limited {
    pub fn new(inner: Arc<dyn Remote>, quota: u64) -> Self {
        let used = Mutex::new(None);
        Limited {
            inner,
            account: Arc::new(Account { quota, used }),
        }
    }
}

struct LimitedStaged {
    inner: Box<dyn Staged>,
    bytes: u64,
    remote: Arc<dyn Remote>,
    account: Arc<Account>,
}

impl Staged for LimitedStaged {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        self.inner.write(bytes)
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        self.account.book(&*self.remote, name, self.bytes)?;
        self.inner.publish(name)
    }
}

impl Remote for Limited {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(LimitedStaged {
            inner: self.inner.begin()?,
            bytes: 0,
            remote: self.inner.clone(),
            account: self.account.clone(),
        }))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        self.inner.read(name, offset, len, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.size(name)
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        self.inner.list(kind, each)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.inner.delete(name)
    }

    fn barrier(&self) -> Result<()> {
        self.inner.barrier()
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        self.inner.sweep_staged(all_ended)
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        self.inner.replace(name, bytes)
    }

    fn create_reserve(&self) -> Result<()> {
        self.inner.create_reserve()
    }

    fn release_reserve(&self) -> Result<bool> {
        self.inner.release_reserve()
    }

    fn max_concurrency(&self) -> usize {
        self.inner.max_concurrency()
    }

    fn is_high_latency(&self) -> bool {
        self.inner.is_high_latency()
    }

    fn publish(&self, name: &ObjectName, bytes: Bytes) -> Result<Published> {
        self.account.book(&*self.inner, name, bytes.len() as u64)?;
        self.inner.publish(name, bytes)
    }

    fn put(&self, name: &ObjectName, bytes: &[u8]) -> Result<Published> {
        self.account.book(&*self.inner, name, bytes.len() as u64)?;
        self.inner.put(name, bytes)
    }

    fn get(&self, name: &ObjectName, cap: usize) -> Result<Vec<u8>> {
        self.inner.get(name, cap)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Local;
    use super::*;
    use crate::id::{PackId, SessionId};

    #[test]
    fn packs_are_refused_before_they_exceed_it_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let inner: Arc<dyn Remote> = Arc::new(Local::new(dir.path()));
        let pack = |nr: u8| ObjectName::pack(PackId([nr; 32]));
        inner.put(&pack(1), &[0; 600]).unwrap();
        let limited = Limited::new(inner.clone(), 1000);
        limited.publish(&pack(2), Bytes::from(vec![0; 300])).unwrap();
        let refused = limited.publish(&pack(3), Bytes::from(vec![0; 101])).unwrap_err();
        assert_eq!(
            refused,
            Error::OverQuota {
                used: 900,
                quota: 1000
            }
        );
        let mut staged = limited.begin().unwrap();
        staged.write(&[0; 101]).unwrap();
        assert!(staged.publish(&pack(4)).is_err());
        assert_eq!(
            (limited.size(&pack(3)), limited.size(&pack(4))),
            (Ok(None), Ok(None))
        );
        limited
            .put(&ObjectName::session(SessionId([1; 16])), &[0; 200])
            .unwrap();
        assert_eq!(total(&*inner), Ok(1100));
        assert!(limited.put(&pack(5), &[0]).is_err());
    }
}
