//! Trying again: exponential waits with full jitter, for as long as the address says. Errors that trying again can't
//! help are returned at once.

use super::fault::{Fault, Outcome};
use super::runtime::stopped;
use crate::stopping::{self, Work};
use parking_lot::{Condvar, Mutex};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// While a storage has not answered at all: a mistyped name should not cost minutes.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);

/// Requests under way at most, and at first.
pub(super) const MOST: usize = 16;
const AT_FIRST: usize = 4;

/// Sends requests: as many at a time as the storage bears, and each until it succeeds or patience ends.
pub(super) struct Sender {
    patience: Duration,
    /// Requests under way at most.
    most: usize,
    reached: AtomicBool,
    slots: Mutex<Slots>,
    freed: Condvar,
}

/// Grows by one for each round of successes and is halved by a failure that may be of load.
struct Slots {
    taken: usize,
    limit: usize,
    successes: usize,
}

struct Slot<'s>(&'s Sender);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.slots.lock().taken -= 1;
        self.0.freed.notify_one();
    }
}

impl Sender {
    pub fn new(patience: Duration, most: usize) -> Self {
        Sender {
            patience,
            most,
            reached: AtomicBool::new(false),
            slots: Mutex::new(Slots {
                taken: 0,
                limit: AT_FIRST.min(most),
                successes: 0,
            }),
            freed: Condvar::new(),
        }
    }

    /// Calls `request` with the number of the try, from 0. Told to stop, it waits no more.
    pub fn send<T>(&self, work: Work, mut request: impl FnMut(u32) -> Outcome<T>) -> Outcome<T> {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            let slot = self.slot(work).ok_or_else(stopped)?;
            let outcome = request(tries);
            drop(slot);
            self.learn(&outcome);
            let fault = match outcome {
                Err(fault) if fault.passing => fault,
                outcome => return outcome,
            };
            let patience = match self.reached.load(Relaxed) {
                true => self.patience,
                false => self.patience.min(FIRST_PATIENCE),
            };
            let wait = jittered(tries);
            if started.elapsed() + wait > patience {
                return Err(given_up(fault, tries + 1, started.elapsed()));
            }
            if !stopping::wait_for(work, wait) {
                return Err(Fault::lasting(ErrorKind::Interrupted, fault.source.to_string()));
            }
            tries += 1;
        }
    }

    fn slot(&self, work: Work) -> Option<Slot<'_>> {
        let mut slots = self.slots.lock();
        while slots.taken >= slots.limit {
            let timed_out = self.freed.wait_for(&mut slots, stopping::LOOK).timed_out();
            if timed_out && stopping::is_over(work) {
                return None;
            }
        }
        slots.taken += 1;
        Some(Slot(self))
    }

    fn learn<T>(&self, outcome: &Outcome<T>) {
        let mut slots = self.slots.lock();
        match outcome {
            Err(fault) if fault.passing => {
                slots.limit = (slots.limit / 2).max(1);
                slots.successes = 0;
            }
            _ => {
                self.reached.store(true, Relaxed);
                slots.successes += 1;
                if slots.successes >= slots.limit && slots.limit < self.most {
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

fn given_up(fault: Fault, tries: u32, after: Duration) -> Fault {
    let text = format!("{} (tried {tries} times in {} s)", fault.source, after.as_secs());
    Fault::passing(fault.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn busy() -> Fault {
        Fault::passing(ErrorKind::TimedOut, "busy")
    }

    #[test]
    fn what_passes_is_tried_again_and_the_rest_is_not() {
        let sender = Sender::new(Duration::from_secs(60), MOST);
        let outcome = sender.send(
            Work::Closing,
            |tries| if tries < 3 { Err(busy()) } else { Ok(tries) },
        );
        assert_eq!(outcome.unwrap(), 3);
        let mut calls = 0;
        let denied = sender.send::<()>(Work::Closing, |_| {
            calls += 1;
            Err(Fault::lasting(ErrorKind::PermissionDenied, "no"))
        });
        assert_eq!(
            (denied.unwrap_err().kind(), calls),
            (ErrorKind::PermissionDenied, 1)
        );
    }

    #[test]
    fn patience_ends() {
        let sender = Sender::new(Duration::from_millis(500), MOST);
        let started = Instant::now();
        let fault = sender.send::<()>(Work::Closing, |_| Err(busy())).unwrap_err();
        assert_eq!(fault.kind(), ErrorKind::TimedOut);
        assert!(fault.source.to_string().contains("tried"), "{}", fault.source);
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn requests_are_bounded_and_adapt() {
        let sender = Sender::new(Duration::from_secs(60), MOST);
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
