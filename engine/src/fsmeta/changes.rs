//! Stands in front of every change that a restore makes to its target. A test can end a restore at any of them, before,
//! within or after it, and the target is then as a killed process would have left it. Outside the engine's own tests
//! nothing is here, and the compiler drops it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

#[derive(Clone, Default, Debug)]
pub struct Changes {
    #[cfg(test)]
    pub end: Option<std::sync::Arc<End>>,
}

#[cfg(not(test))]
impl Changes {
    /// Makes one change.
    #[inline(always)]
    pub fn make<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        change()
    }

    /// Writes all of `bytes`.
    #[inline(always)]
    pub fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }
}

#[cfg(test)]
pub use ends::{End, How};

#[cfg(test)]
mod ends {
    use super::{Changes, File, FileExt, io};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

    /// Where in a change the process ends.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum How {
        Before,
        /// Half of a write is done. Of what can't be halved: before.
        Within,
        After,
    }

    /// A process that ends at one of its changes: no later one has an effect.
    #[derive(Debug)]
    pub struct End {
        at: u64,
        how: How,
        changes: AtomicU64,
        over: AtomicBool,
    }

    impl End {
        pub fn new(at: u64, how: How) -> Arc<End> {
            Arc::new(End {
                at,
                how,
                changes: AtomicU64::new(0),
                over: AtomicBool::new(false),
            })
        }

        /// Whether the process came to that change.
        pub fn ended(&self) -> bool {
            self.over.load(SeqCst)
        }
    }

    fn over<T>() -> io::Result<T> {
        Err(io::Error::other("the process has ended"))
    }

    impl Changes {
        pub fn make<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
            let Some(end) = &self.end else { return change() };
            if end.ended() {
                return over();
            }
            if end.changes.fetch_add(1, SeqCst) == end.at {
                end.over.store(true, SeqCst);
                if end.how == How::After {
                    let _done = change();
                }
                return over();
            }
            change()
        }

        pub fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
            let written = self.make(|| file.write_all_at(bytes, at));
            if let (Err(_), Some(end)) = (&written, &self.end)
                && end.how == How::Within
                && end.changes.load(SeqCst) == end.at + 1
            {
                let _half = file.write_all_at(&bytes[..bytes.len() / 2], at);
            }
            written
        }
    }
}
