//! Trying again: exponential waits with full jitter, for as long as the address says. Errors that trying again can't
//! help are returned at once.
//!
//! Patience is for a storage that is away, so it counts from the first failure of a request, and only time in which the
//! storage can have been away: not the wait for a slot, and of a try that moved bytes for minutes no more than the time
//! for which a transfer may stand still.

use super::fault::{Fault, Outcome};
use super::runtime;
use crate::cancel::{CancelToken, POLL, Work};
use crate::error::{Cause, Result};
use crate::remote::address::Address;
use parking_lot::{Condvar, Mutex};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// While a storage has not answered at all: a mistyped name should not cost minutes.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);

/// Requests under way at most, and at first.
pub(super) const MOST: usize = 24;
const AT_FIRST: usize = 4;

/// Sends requests: as many at a time as the storage bears, and each until it succeeds or patience ends.
pub(super) struct RetryingClient {
    patience: Duration,
    /// How long a transfer may stand still before it fails.
    stall: Duration,
    cancel: CancelToken,
    clock: Clock,
    /// Requests under way at most.
    most: usize,
    reached: AtomicBool,
    slots: Mutex<RequestLimit>,
    freed: Condvar,
}

/// Grows by one for each success until something fails, from then on by one for each round of successes, and is halved by
/// a failure that may be of load.
struct RequestLimit {
    taken: usize,
    limit: usize,
    successes: usize,
    has_failed: bool,
}

struct RequestPermit<'s>(&'s RetryingClient);

impl Drop for RequestPermit<'_> {
    fn drop(&mut self) {
        self.0.slots.lock().taken -= 1;
        self.0.freed.notify_one();
    }
}

/// Where time comes from; tests have one of their own.
#[derive(Clone, Copy)]
struct Clock {
    now: fn() -> Instant,
    /// False where waiting was not wanted any more.
    wait: fn(&CancelToken, Work, Duration) -> bool,
}

const REAL: Clock = Clock {
    now: Instant::now,
    wait: CancelToken::wait,
};

impl RetryingClient {
    pub fn new(address: &Address, cancel: CancelToken, most: usize) -> Result<Self> {
        Ok(RetryingClient::with(
            address.patience()?,
            address.stall()?,
            cancel,
            most,
        ))
    }

    fn with(patience: Duration, stall: Duration, cancel: CancelToken, most: usize) -> Self {
        RetryingClient {
            patience,
            stall,
            cancel,
            clock: REAL,
            most,
            reached: AtomicBool::new(false),
            slots: Mutex::new(RequestLimit {
                taken: 0,
                limit: AT_FIRST.min(most),
                successes: 0,
                has_failed: false,
            }),
            freed: Condvar::new(),
        }
    }

    /// Runs one try of a request.
    pub fn run<T>(&self, work: Work, request: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        runtime::run(&self.cancel, work, request)
    }

    /// Calls `request` with the number of the try, from 0. Once cancelled, it waits no more.
    pub fn send<T>(&self, work: Work, mut request: impl FnMut(u32) -> Outcome<T>) -> Outcome<T> {
        let mut tries = 0;
        // For how long the storage has been away, as far as this request knows.
        let mut away = Duration::ZERO;
        loop {
            let slot = self.slot(work).ok_or_else(runtime::interrupted)?;
            let began = (self.clock.now)();
            let outcome = request(tries);
            let lasted = (self.clock.now)().saturating_duration_since(began);
            drop(slot);
            self.learn(&outcome);
            let fault = match outcome {
                Err(fault) if fault.passing => fault,
                outcome => return outcome,
            };
            let reached = self.reached.load(Relaxed);
            if tries > 0 || !reached {
                // Had nothing moved for longer, the try would have been ended.
                away += lasted.min(self.stall);
            }
            let patience = match reached {
                true => self.patience,
                false => self.patience.min(FIRST_PATIENCE),
            };
            let wait = jittered(tries);
            if away + wait > patience {
                return Err(given_up(fault, tries + 1, away));
            }
            if !(self.clock.wait)(&self.cancel, work, wait) {
                return Err(Fault::lasting(
                    ErrorKind::Interrupted,
                    Cause::detailed(&fault.source),
                ));
            }
            away += wait;
            tries += 1;
        }
    }

    fn slot(&self, work: Work) -> Option<RequestPermit<'_>> {
        let mut slots = self.slots.lock();
        while slots.taken >= slots.limit {
            let timed_out = self.freed.wait_for(&mut slots, POLL).timed_out();
            if timed_out && self.cancel.is_over(work) {
                return None;
            }
        }
        slots.taken += 1;
        Some(RequestPermit(self))
    }

    fn learn<T>(&self, outcome: &Outcome<T>) {
        let mut slots = self.slots.lock();
        match outcome {
            Err(fault) if fault.passing => {
                slots.limit = (slots.limit / 2).max(1);
                slots.successes = 0;
                slots.has_failed = true;
            }
            _ => {
                self.reached.store(true, Relaxed);
                slots.successes += 1;
                let round = if slots.has_failed { slots.limit } else { 1 };
                if slots.successes >= round && slots.limit < self.most {
                    slots.limit += 1;
                    slots.successes = 0;
                    self.freed.notify_one();
                }
            }
        }
    }
}

/// Between nothing and what doubles each time, so that many clients do not come back at one moment.
fn jittered(tries: u32) -> Duration {
    let ceiling = FIRST_WAIT.saturating_mul(1 << tries.min(10)).min(LONGEST_WAIT);
    // Without random numbers half of it is as good.
    let random = crate::id::random::<4>().map_or(u32::MAX / 2, u32::from_le_bytes);
    ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

fn given_up(fault: Fault, tries: u32, away: Duration) -> Fault {
    let kind = fault.kind();
    let cause = Cause::Retried {
        tries,
        seconds: away.as_secs(),
        last: fault.source.into(),
    };
    Fault::passing(kind, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;

    const MINUTE: Duration = Duration::from_secs(60);

    thread_local! {
        /// What has passed on the simulated clock of a test.
        static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
        static START: Instant = Instant::now();
    }

    fn pass(time: Duration) {
        PASSED.set(PASSED.get() + time);
    }

    /// A storage that was reached before, on a simulated clock.
    fn simulated(patience: Duration) -> RetryingClient {
        let sender = RetryingClient {
            clock: Clock {
                now: || START.with(|start| *start) + PASSED.get(),
                wait: |_, _, time| {
                    pass(time);
                    true
                },
            },
            ..RetryingClient::with(patience, MINUTE, CancelToken::new(), MOST)
        };
        sender.send(Work::Bulk, |_| Ok(())).unwrap();
        sender
    }

    /// Of a slow, large put whose server goes away, only what comes after its failure counts.
    #[test]
    fn a_long_transfer_that_breaks_is_tried_again() {
        let sender = simulated(2 * MINUTE);
        let outcome = sender.send(Work::Bulk, |tries| {
            pass(3 * MINUTE);
            if tries < 2 { Err(busy()) } else { Ok(tries) }
        });
        assert_eq!(outcome.unwrap(), 2);
    }

    /// Each try moves bytes and fails in the end: that is not gone on with for ever.
    #[test]
    fn a_storage_that_takes_bytes_and_always_fails_is_given_up() {
        let sender = simulated(2 * MINUTE);
        let mut calls = 0;
        let outcome = sender.send::<()>(Work::Bulk, |_| {
            calls += 1;
            pass(10 * MINUTE);
            Err(busy())
        });
        assert!((2..=4).contains(&calls), "{calls}");
        assert!(was_given_up(&outcome.unwrap_err()));
    }

    /// A storage that refuses at once is asked for as long as patience lasts, and little longer.
    #[test]
    fn patience_counts_from_the_first_failure() {
        let sender = simulated(2 * MINUTE);
        let before = PASSED.get();
        let outcome = sender.send::<()>(Work::Bulk, |_| Err(busy()));
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::TimedOut);
        let passed = PASSED.get() - before;
        assert!(
            passed <= 2 * MINUTE && passed > 2 * MINUTE - LONGEST_WAIT,
            "{passed:?}"
        );
    }

    fn was_given_up(fault: &Fault) -> bool {
        matches!(Cause::of(&fault.source), Some(Cause::Retried { .. }))
    }

    fn busy() -> Fault {
        Fault::passing(ErrorKind::TimedOut, Cause::NoLength)
    }

    #[test]
    fn what_passes_is_tried_again_and_the_rest_is_not() {
        let sender = RetryingClient::with(MINUTE, MINUTE, CancelToken::new(), MOST);
        let outcome = sender.send(
            Work::Closing,
            |tries| if tries < 3 { Err(busy()) } else { Ok(tries) },
        );
        assert_eq!(outcome.unwrap(), 3);
        let mut calls = 0;
        let denied = sender.send::<()>(Work::Closing, |_| {
            calls += 1;
            Err(Fault::lasting(ErrorKind::PermissionDenied, Cause::NoLength))
        });
        assert_eq!(
            (denied.unwrap_err().kind(), calls),
            (ErrorKind::PermissionDenied, 1)
        );
    }

    #[test]
    fn patience_ends() {
        let sender = RetryingClient::with(Duration::from_millis(500), MINUTE, CancelToken::new(), MOST);
        let started = Instant::now();
        let fault = sender.send::<()>(Work::Closing, |_| Err(busy())).unwrap_err();
        assert_eq!(fault.kind(), ErrorKind::TimedOut);
        assert!(was_given_up(&fault), "{}", fault.source);
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn requests_are_bounded_and_adapt() {
        let sender = RetryingClient::with(MINUTE, MINUTE, CancelToken::new(), MOST);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let sent = sender.send(Work::Closing, |_| {
                            most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                            std::thread::yield_now();
                            now.fetch_sub(1, Relaxed);
                            Ok(())
                        });
                        sent.unwrap();
                    }
                });
            }
        });
        assert!(most.load(Relaxed) <= MOST);
        assert_eq!(sender.slots.lock().limit, MOST);
        let _ = sender.send(
            Work::Closing,
            |tries| if tries < 4 { Err(busy()) } else { Ok(()) },
        );
        assert!(sender.slots.lock().limit <= 2);
    }

    #[test]
    fn waits_grow_to_a_bound() {
        assert!((0..100).all(|_| jittered(0) <= FIRST_WAIT));
        assert!((0..100).all(|tries| jittered(tries) <= LONGEST_WAIT));
    }
}
