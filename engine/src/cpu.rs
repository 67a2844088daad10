//! The share of the machine's processors that a run may use. Threads that do the work rest between two steps, for as long
//! as the process has used more than its share: what threads of libraries use counts too, and there is one place to
//! wait. Nothing is saved up: a process that waited for a disk may not work faster than its share afterwards.

use crate::platform::process;
use chunkstore::cancel::CancelToken;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How far the time that was used may differ from the share. Shorter rests would only cost.
const SLACK: Duration = Duration::from_millis(40);
/// One rest is no longer, whatever was used: what waits for this thread, such as a server, has limits of its own.
const LONGEST: Duration = Duration::from_secs(10);
/// How often a rest looks whether the share was changed or the run was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// A share of the processors that can be changed during the run. Clones share it; without one there is no limit.
#[derive(Clone, Debug, Default)]
pub struct CpuShare(Arc<Mutex<Budget>>);

#[derive(Debug, Default)]
struct Budget {
    /// Of all processors, from 1 to 100.
    percent: Option<u8>,
    since: Option<Account>,
}

/// A moment, and the processor time that the process had used by then.
#[derive(Clone, Copy, Debug)]
struct Account {
    at: Instant,
    used: Duration,
}

impl CpuShare {
    /// Sets the share from now on, in per cent of all processors.
    pub fn limit(&self, percent: Option<u8>) {
        let mut budget = self.0.lock();
        if budget.percent != percent {
            *budget = Budget { percent, since: None };
        }
    }

    /// Waits until the process has used no more than its share, or the run is cancelled.
    pub fn rest(&self, cancel: &CancelToken) {
        let end = Instant::now() + LONGEST;
        loop {
            let left = self.left().min(end.saturating_duration_since(Instant::now()));
            if left.is_zero() || cancel.is_cancelled() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// How long to rest at the present share.
    fn left(&self) -> Duration {
        let mut budget = self.0.lock();
        if budget.percent.is_none_or(|percent| percent >= 100) {
            return Duration::ZERO;
        }
        // Where the system doesn't tell, there is no limit.
        let Some(used) = process::cpu_time() else {
            return Duration::ZERO;
        };
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let at = Instant::now();
        budget.over(Account { at, used }, cores)
    }
}

impl Budget {
    /// How long to wait until what was used is no more than the share.
    fn over(&mut self, now: Account, cores: usize) -> Duration {
        let (Some(percent), Some(since)) = (self.percent, self.since) else {
            self.since = Some(now);
            return Duration::ZERO;
        };
        let rate = f64::from(percent.max(1)) / 100.0 * cores as f64;
        let used = now.used.saturating_sub(since.used);
        let due = Duration::from_secs_f64(used.as_secs_f64() / rate);
        let passed = now.at.saturating_duration_since(since.at);
        if due + SLACK < passed {
            self.since = Some(now);
        }
        match due.saturating_sub(passed) {
            over if over > SLACK => over,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_too_much_is_waited_for() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut budget = Budget {
            percent: Some(25),
            since: None,
        };
        let mut over = |at, used| {
            let now = Account {
                at: start + ms(at),
                used: ms(used),
            };
            budget.over(now, 2)
        };
        assert_eq!(
            over(0, 500),
            Duration::ZERO,
            "what was used before does not count"
        );
        assert_eq!(
            over(1000, 1000),
            Duration::ZERO,
            "half of two processors' quarter each"
        );
        assert_eq!(over(1000, 1500), ms(1000));
        assert_eq!(over(2000, 1500), Duration::ZERO);
        // A minute of waiting for a disk is not made up for.
        assert_eq!(over(62_000, 1500), Duration::ZERO);
        assert_eq!(over(62_000, 2000), ms(1000));
    }

    #[test]
    fn without_a_share_nobody_rests() {
        let share = CpuShare::default();
        share.rest(&CancelToken::new());
        share.limit(Some(100));
        share.rest(&CancelToken::new());
        assert!(share.0.lock().since.is_none());
    }

    #[test]
    fn a_cancelled_run_does_not_rest() {
        let (share, cancel) = (CpuShare::default(), CancelToken::new());
        share.limit(Some(1));
        share.0.lock().since = Some(Account {
            at: Instant::now(),
            used: Duration::ZERO,
        });
        cancel.cancel();
        // Whatever this process has used: it returns.
        for _ in 0..1000 {
            share.rest(&cancel);
        }
    }
}
