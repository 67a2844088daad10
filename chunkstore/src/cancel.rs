//! A request to stop one run, seen by whatever waits on its behalf: for a server, for bandwidth, between two steps.
//!
//! The user waits for the run to end, so little is done afterwards: transfers of whole packs get a moment to
//! complete, and then what makes them count (an index segment, a fence) gets another. Service managers wait for some
//! seconds at least before they kill.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What a request to a server is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Content, which the next run can transfer again.
    Bulk,
    /// Small objects that make that content count.
    Closing,
}

impl Work {
    /// How long after the cancellation this may go on.
    fn grace(self) -> Duration {
        match self {
            Work::Bulk => Duration::from_millis(800),
            Work::Closing => Duration::from_millis(1600),
        }
    }
}

/// How often waits look at the token.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// Cancels one run. Clones share their state; a cancelled token stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: Arc<AtomicBool>,
    /// Cancelled with it.
    parent: Option<CancelToken>,
    /// When the cancellation was first seen.
    since: OnceLock<Instant>,
}

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is cancelled by setting `flag`, as signal handlers can.
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        CancelToken(Arc::new(State {
            cancelled: flag,
            parent: None,
            since: OnceLock::new(),
        }))
    }

    /// A token for a part of the run: cancelled alone or with this one.
    pub fn child(&self) -> Self {
        CancelToken(Arc::new(State {
            parent: Some(self.clone()),
            ..State::default()
        }))
    }

    /// Cancels whatever obeys this token, and its children.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        let is_parent = || self.0.parent.as_ref().is_some_and(CancelToken::is_cancelled);
        let cancelled = self.0.cancelled.load(Relaxed) || is_parent();
        if cancelled {
            self.0.since.get_or_init(Instant::now);
        }
        cancelled
    }

    /// [`Error::Interrupted`] once cancelled.
    pub fn check(&self) -> Result<()> {
        match self.is_cancelled() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    /// Whether work of this kind is to end now.
    pub(crate) fn is_over(&self, work: Work) -> bool {
        self.is_cancelled()
            && self
                .0
                .since
                .get()
                .is_some_and(|since| since.elapsed() >= work.grace())
    }

    /// Waits for `time`. False as soon as the wait is pointless: for content at the cancellation, for the rest after its
    /// grace.
    pub(crate) fn wait(&self, work: Work, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let over = match work {
                Work::Bulk => self.is_cancelled(),
                Work::Closing => self.is_over(work),
            };
            if over {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(POLL));
        }
    }

    /// Returns when work of this kind is to end.
    pub(crate) async fn over(&self, work: Work) {
        while !self.is_over(work) {
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_cancelled_alone() {
        let (one, other) = (CancelToken::new(), CancelToken::new());
        let same = one.clone();
        one.cancel();
        assert!(same.is_cancelled() && same.check().is_err());
        assert!(!other.is_cancelled() && other.check().is_ok());
        assert!(!one.wait(Work::Bulk, Duration::from_secs(60)));
        assert!(other.wait(Work::Bulk, Duration::from_millis(1)));
    }

    #[test]
    fn a_part_is_cancelled_alone_or_with_the_whole() {
        let whole = CancelToken::new();
        let (one, other) = (whole.child(), whole.child());
        one.cancel();
        assert!(one.is_cancelled() && !other.is_cancelled() && !whole.is_cancelled());
        whole.cancel();
        assert!(other.is_cancelled() && other.is_over(Work::Bulk) == one.is_over(Work::Bulk));
    }

    #[test]
    fn what_makes_content_count_may_go_on_longer() {
        let flag = Arc::new(AtomicBool::new(false));
        let token = CancelToken::from_flag(flag.clone());
        assert!(!token.is_over(Work::Bulk));
        flag.store(true, Relaxed);
        assert!(!token.is_over(Work::Bulk), "it has its moment");
        assert!(token.wait(Work::Closing, Work::Bulk.grace()));
        assert!(token.is_over(Work::Bulk) && !token.is_over(Work::Closing));
        assert!(!token.wait(Work::Closing, Duration::from_secs(60)));
    }
}
