//! File descriptors as a budget. The system gives a process so many, and everything that opens files, sockets or pipes
//! shares them: walk and readers, packs, the databases, connections, a restore's files.
//!
//! There are three kinds of use:
//! - What one thread opens, uses and closes needs no permit. A reserve covers it, sized by the number of threads.
//! - What stays open only because opening it again takes time asks [`try_keep`] first, and is closed if refused.
//! - What needs several for long takes them with [`hold`] and stays within what it was granted.
//!
//! Should the system refuse one all the same, because something else took it, [`patiently`] waits for a while. What then
//! fails is the run, never the file that was to be opened.

use super::system;
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Standard streams, locks, the databases' own logs, the runtime of the network, a child's pipes.
const FIXED: usize = 48;
/// A file and its directory, a pack that is read, one or two that are written, a step on the way to a directory.
const PER_THREAD: usize = 8;
/// More directories and files kept open make nothing quicker.
const KEPT_MOST: usize = 1024;
/// Where a system has no limit.
const UNLIMITED: u64 = 1 << 20;

const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_millis(250);

static BUDGET: LazyLock<Budget> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Budget::new(limit(), cores)
});

/// What is left of the limit beside the reserve, in two halves, so that neither kind of use starves the other.
struct Budget {
    limit: usize,
    keep: Allotment,
    hold: Allotment,
}

struct Allotment {
    size: usize,
    taken: AtomicUsize,
}

/// Descriptors that whoever has this may keep open; given back when dropped.
pub struct Permit {
    room: &'static Allotment,
    count: usize,
}

impl Permit {
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.count, Relaxed);
    }
}

impl Allotment {
    fn new(size: usize) -> Self {
        Allotment {
            size,
            taken: AtomicUsize::new(0),
        }
    }

    fn free(&self) -> usize {
        self.size.saturating_sub(self.taken.load(Relaxed))
    }

    fn try_take(&self) -> bool {
        let more = |taken| (taken < self.size).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// A third of what is free, within bounds: others come later.
    fn take(&self, least: usize, most: usize) -> usize {
        let granted = (self.free() / 3).min(most).max(least);
        self.taken.fetch_add(granted, Relaxed);
        granted
    }
}

impl Budget {
    fn new(limit: usize, cores: usize) -> Self {
        let reserve = FIXED + PER_THREAD * threads_within(limit, cores);
        let room = limit.saturating_sub(reserve).max(limit / 4);
        Budget {
            limit,
            keep: Allotment::new((room / 2).min(KEPT_MOST)),
            hold: Allotment::new(room / 2),
        }
    }
}

fn threads_within(limit: usize, wanted: usize) -> usize {
    let bearable = limit.saturating_sub(FIXED) / 2 / PER_THREAD;
    wanted.min(bearable).max(1)
}

/// The limit that is in force.
fn limit() -> usize {
    let soft = system::descriptor_limit().unwrap_or(UNLIMITED);
    usize::try_from(soft.min(UNLIMITED)).unwrap_or(usize::MAX)
}

/// Raises this process's limit as far as the system lets it. For programs, before anything is opened: a library's
/// process is its host's.
pub fn raise_limit() -> io::Result<()> {
    // A limit in the thousands of millions slows down children that close all descriptors one by one.
    system::raise_descriptor_limit(UNLIMITED)
}

/// A permit to keep one more open that could be opened again; `None` when there are enough.
pub fn try_keep() -> Option<Permit> {
    let room = &BUDGET.keep;
    room.try_take().then(|| Permit { room, count: 1 })
}

/// Takes up to `most` for long, and `least` in any case. The holder keeps to [`Permit::count`].
pub fn hold(least: usize, most: usize) -> Permit {
    let room = &BUDGET.hold;
    Permit {
        room,
        count: room.take(least, most),
    }
}

/// So many of `wanted` threads that read and write have the descriptors they need.
pub fn threads(wanted: usize) -> usize {
    threads_within(BUDGET.limit, wanted)
}

/// Calls `open` again, for a while, when too many files are open.
pub fn patiently<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut started = None;
    let mut wait = FIRST_WAIT;
    loop {
        match open() {
            Err(e) if are_exhausted(&e) => {
                let started = *started.get_or_insert_with(Instant::now);
                if started.elapsed() >= PATIENCE {
                    return Err(e);
                }
                std::thread::sleep(wait);
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            done => return done,
        }
    }
}

/// Whether `error` says that too many files are open, in this process or in the whole system.
pub fn are_exhausted(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(is_exhaustion)
}

/// The same for an error's number.
pub fn is_exhaustion(errno: i32) -> bool {
    system::is_exhaustion(errno)
}

/// The limit that is in force, for messages.
pub(crate) fn limit_in_force() -> usize {
    limit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn shares_fit_into_the_limit_whatever_it_is() {
        for limit in [64, 256, 1024, 4096, 20_000, 1 << 20] {
            for cores in [1, 2, 8, 64] {
                let budget = Budget::new(limit, cores);
                let reserve = FIXED + PER_THREAD * threads_within(limit, cores);
                let shares = budget.keep.size + budget.hold.size;
                assert!(budget.keep.size > 0 && budget.keep.size <= KEPT_MOST);
                assert!(limit < 256 || shares + reserve <= limit, "{limit} {cores}");
                assert!(shares <= limit);
            }
        }
        assert_eq!(threads_within(20_000, 64), 64);
        assert!(threads_within(256, 64) < 64);
        assert_eq!(threads_within(10, 64), 1);
    }

    #[test]
    fn permits_are_bounded_and_come_back() {
        let room = Box::leak(Box::new(Allotment::new(30)));
        assert_eq!(room.take(4, 100), 10);
        assert_eq!(room.take(4, 5), 5);
        assert_eq!(room.take(8, 100), 8, "at least what was asked for");
        assert_eq!(room.free(), 7);
        let permits: Vec<Permit> = (0..10)
            .filter(|_| room.try_take())
            .map(|_| Permit { room, count: 1 })
            .collect();
        assert_eq!((permits.len(), room.free()), (7, 0));
        drop(permits);
        assert_eq!(room.free(), 7);
    }

    #[test]
    fn a_refusal_that_passes_is_waited_out() {
        let mut refusals = 3;
        let opened = patiently(|| match refusals {
            0 => Ok(7),
            _ => {
                refusals -= 1;
                Err(Errno::MFILE.into())
            }
        });
        assert_eq!(opened.unwrap(), 7);
        let mut calls = 0;
        let missing: io::Result<()> = patiently(|| {
            calls += 1;
            Err(Errno::NOENT.into())
        });
        assert_eq!((missing.unwrap_err().kind(), calls), (io::ErrorKind::NotFound, 1));
    }
}
