//! Stands in front of every change that a restore makes to its target. A test can end a restore at any of them, before,
//! within or after it, and the target is then as a killed process would have left it; or watch what was written to disk
//! when, and so know what a power failure may leave. Outside the engine's own tests nothing is here, and the compiler
//! drops it.

use crate::platform::handle::write_all_at;
use std::fs::File;
use std::io;

#[derive(Clone, Default, Debug)]
pub struct Changes {
    #[cfg(test)]
    pub end: Option<std::sync::Arc<End>>,
    /// Components of paths that were walked on the way to directories.
    #[cfg(test)]
    pub walked: Option<std::sync::Arc<std::sync::atomic::AtomicU64>>,
    /// Called for every change and sync.
    #[cfg(test)]
    pub watch: Option<std::sync::Arc<Watch>>,
    /// Files can be cloned on every file system.
    #[cfg(test)]
    pub clones: bool,
}

#[cfg(not(test))]
impl Changes {
    /// Makes one change.
    #[inline(always)]
    pub fn make<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        change()
    }

    /// Writes all that was changed to disk.
    #[inline(always)]
    pub fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        sync()
    }

    #[inline(always)]
    pub fn walked(&self, _components: usize) {}

    /// Writes all of `bytes`.
    #[inline(always)]
    pub fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        write_all_at(file, bytes, at)
    }

    /// Makes `to` a clone of `from`, by a call that not every file system knows.
    #[inline(always)]
    pub fn clone_file(
        &self,
        _from: &File,
        _to: &File,
        by: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        by()
    }
}

#[cfg(test)]
pub use ends::{End, Event, How, Watch};

#[cfg(test)]
mod ends {
    use super::{Changes, File, io, write_all_at};
    use crate::platform::handle::read_exact_at;
    use parking_lot::Mutex;
    use std::fmt;
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

    /// A process that ends at one of its changes: no later one has an effect. A sync counts as one.
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

        /// How many there were.
        pub fn changes(&self) -> u64 {
            self.changes.load(SeqCst)
        }
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Event {
        Changed,
        Synced,
    }

    /// Sees the target after every change, while no other is made.
    pub struct Watch(Mutex<Box<dyn FnMut(Event) + Send>>);

    impl Watch {
        pub fn new(see: impl FnMut(Event) + Send + 'static) -> Arc<Watch> {
            Arc::new(Watch(Mutex::new(Box::new(see))))
        }
    }

    impl fmt::Debug for Watch {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Watch")
        }
    }

    fn over<T>() -> io::Result<T> {
        Err(io::Error::other("the process has ended"))
    }

    impl Changes {
        pub fn walked(&self, components: usize) {
            if let Some(walked) = &self.walked {
                walked.fetch_add(components as u64, SeqCst);
            }
        }

        pub fn make<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
            self.seen(Event::Changed, || self.until_the_end(change))
        }

        pub fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            self.seen(Event::Synced, || self.until_the_end(sync))
        }

        fn seen<T>(&self, event: Event, change: impl FnOnce() -> (io::Result<T>, bool)) -> io::Result<T> {
            let mut watch = self.watch.as_ref().map(|watch| watch.0.lock());
            let (result, done) = change();
            if let Some(see) = watch.as_mut().filter(|_| done) {
                see(event);
            }
            result
        }

        /// What the process is told, and whether something was done.
        fn until_the_end<T>(&self, change: impl FnOnce() -> io::Result<T>) -> (io::Result<T>, bool) {
            let done = |result: io::Result<T>| {
                let is_done = result.is_ok();
                (result, is_done)
            };
            let Some(end) = &self.end else {
                return done(change());
            };
            if end.ended() {
                return (over(), false);
            }
            if end.changes.fetch_add(1, SeqCst) == end.at {
                end.over.store(true, SeqCst);
                let is_done = end.how == How::After && change().is_ok();
                return (over(), is_done);
            }
            done(change())
        }

        pub fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
            let written = self.make(|| write_all_at(file, bytes, at));
            if let (Err(_), Some(end)) = (&written, &self.end)
                && end.how == How::Within
                && end.changes.load(SeqCst) == end.at + 1
            {
                let _half = write_all_at(file, &bytes[..bytes.len() / 2], at);
            }
            written
        }

        pub fn clone_file(
            &self,
            from: &File,
            to: &File,
            by: impl FnOnce() -> io::Result<()>,
        ) -> io::Result<()> {
            self.make(|| match self.clones {
                true => copy(from, to),
                false => by(),
            })
        }
    }

    fn copy(from: &File, to: &File) -> io::Result<()> {
        let mut bytes = vec![0; from.metadata()?.len() as usize];
        read_exact_at(from, &mut bytes, 0)?;
        write_all_at(to, &bytes, 0)
    }
}
