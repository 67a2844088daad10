//! The network as one run uses it: its bandwidth, and the token that cancels it.

use crate::cancel::CancelToken;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Index segments, manifests and fences are smaller.
const SMALL: usize = 1 << 20;

/// Limits how fast is sent and received, shared by all remotes that are opened with it. Clones share the limits.
#[derive(Clone, Debug, Default)]
pub struct Bandwidth(Arc<Directions>);

#[derive(Debug, Default)]
struct Directions {
    upload: Mutex<Schedule>,
    download: Mutex<Schedule>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    Upload,
    Download,
}

#[derive(Debug, Default)]
struct Schedule {
    /// Bytes per second; `None` is unlimited.
    limit: Option<u64>,
    /// When what was granted so far will have been sent.
    free: Option<Instant>,
}

impl Bandwidth {
    /// No limit.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// Sets the limits, in bytes per second, from now on.
    pub fn limit(&self, upload: Option<u64>, download: Option<u64>) {
        self.0.upload.lock().limit = upload;
        self.0.download.lock().limit = download;
    }

    /// How long to wait before so many bytes may go.
    fn reserve(&self, direction: Direction, bytes: usize, now: Instant) -> Duration {
        let mut schedule = match direction {
            Direction::Upload => self.0.upload.lock(),
            Direction::Download => self.0.download.lock(),
        };
        let Some(limit) = schedule.limit else {
            return Duration::ZERO;
        };
        let start = schedule.free.map_or(now, |free| free.max(now));
        schedule.free = Some(start + Duration::from_secs_f64(bytes as f64 / limit.max(1) as f64));
        start - now
    }
}

/// What remotes on a network are opened with.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// How much may be sent and received.
    pub bandwidth: Bandwidth,
    /// What ends requests.
    pub cancel: CancelToken,
}

impl Link {
    /// How long to wait before these bytes, of `whole`, may go. Small objects wait no more once the run was cancelled:
    /// they make count what was sent before.
    pub(super) fn delay(&self, direction: Direction, bytes: usize, whole: usize) -> Duration {
        if whole <= SMALL && self.cancel.is_cancelled() {
            return Duration::ZERO;
        }
        self.bandwidth.reserve(direction, bytes, Instant::now())
    }

    /// Waits until so many bytes may go.
    pub(super) async fn pace(&self, direction: Direction, bytes: usize, whole: usize) {
        tokio::time::sleep(self.delay(direction, bytes, whole)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time() {
        let (bandwidth, now) = (Bandwidth::unlimited(), Instant::now());
        let reserve = |bytes, now| bandwidth.reserve(Direction::Upload, bytes, now);
        assert_eq!(reserve(1 << 30, now), Duration::ZERO);
        bandwidth.limit(Some(1000), None);
        assert_eq!(reserve(500, now), Duration::ZERO);
        assert_eq!(reserve(500, now), Duration::from_millis(500));
        assert_eq!(reserve(1, now + Duration::from_secs(3)), Duration::ZERO);
        assert_eq!(
            bandwidth.reserve(Direction::Download, 1 << 30, now),
            Duration::ZERO
        );
    }

    #[test]
    fn runs_do_not_share_limits() {
        let (slow, fast) = (Link::default(), Link::default());
        slow.bandwidth.limit(Some(1), None);
        for link in [&slow, &fast] {
            link.delay(Direction::Upload, 1000, 1000);
        }
        assert!(slow.delay(Direction::Upload, 1, 1) > Duration::from_secs(900));
        assert!(fast.delay(Direction::Upload, 1, 1).is_zero());
        slow.cancel.cancel();
        assert!(
            slow.delay(Direction::Upload, 1, 1).is_zero(),
            "small objects go at once"
        );
        assert!(!slow.delay(Direction::Upload, 1, SMALL + 1).is_zero());
    }
}
