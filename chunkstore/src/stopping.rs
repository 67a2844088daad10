//! Whether somebody asked this process to stop, for whoever waits: on a network, for a rate, for a descriptor.
//!
//! Whoever asked waits for the end, so little is done after the question: transfers of whole packs get a moment to
//! complete, and then what makes them count (an index segment, a fence) gets another. A service manager's patience is
//! some seconds at least.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Content, which the next run can send or ask for again.
    Bulk,
    /// What is small and makes that content count.
    Closing,
}

/// From the question to the end of each kind of work.
const BULK: Duration = Duration::from_millis(800);
const CLOSING: Duration = Duration::from_millis(1600);

/// Between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

static ASKED: OnceLock<fn() -> bool> = OnceLock::new();
static SINCE: OnceLock<Instant> = OnceLock::new();

/// From now on whoever waits asks `asked` whether to go on. Said once in a process.
pub fn stop_when(asked: fn() -> bool) {
    // A second word would be the same one.
    let _ = ASKED.set(asked);
}

/// Somebody asked this process to stop.
pub fn is_asked() -> bool {
    let asked = SINCE.get().is_some() || ASKED.get().is_some_and(|asked| asked());
    if asked {
        SINCE.get_or_init(Instant::now);
    }
    asked
}

/// Whether work of this kind is to end now.
pub(crate) fn is_over(work: Work) -> bool {
    let given = match work {
        Work::Bulk => BULK,
        Work::Closing => CLOSING,
    };
    is_asked() && SINCE.get().is_some_and(|since| since.elapsed() >= given)
}

/// Waits, unless somebody asks to stop: then it returns false at once.
pub(crate) fn wait(time: Duration) -> bool {
    wait_unless(time, is_asked)
}

/// The same for what may go on for a moment after that.
pub(crate) fn wait_for(work: Work, time: Duration) -> bool {
    match work {
        Work::Bulk => wait(time),
        Work::Closing => wait_unless(time, || is_over(work)),
    }
}

fn wait_unless(time: Duration, over: impl Fn() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if over() {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
}
