//! Bounds on how fast this process sends and receives, shared by all its remotes: they share one link.

use crate::stopping;
use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// Index segments, manifests and fences are smaller.
const SMALL: usize = 1 << 20;

/// One direction of the link.
pub(super) struct Rate(Mutex<Schedule>);

struct Schedule {
    /// Bytes in a second; `None` for no bound.
    limit: Option<u64>,
    /// When what was granted so far will have been sent.
    free: Option<Instant>,
}

pub(super) static UPLOAD: Rate = Rate::unbounded();
pub(super) static DOWNLOAD: Rate = Rate::unbounded();

/// Bounds uploads and downloads of this process, in bytes a second.
pub fn limit_rates(upload: Option<u64>, download: Option<u64>) {
    UPLOAD.0.lock().limit = upload;
    DOWNLOAD.0.lock().limit = download;
}

impl Rate {
    const fn unbounded() -> Self {
        Rate(Mutex::new(Schedule {
            limit: None,
            free: None,
        }))
    }

    /// How long to wait before these bytes, of `whole`, may go. What is small waits no more once the process was asked to
    /// stop: it makes count what was sent before.
    pub fn grant(&self, bytes: usize, whole: usize, now: Instant) -> Duration {
        if whole <= SMALL && stopping::is_asked() {
            return Duration::ZERO;
        }
        let mut schedule = self.0.lock();
        let Some(limit) = schedule.limit else {
            return Duration::ZERO;
        };
        let start = schedule.free.map_or(now, |free| free.max(now));
        schedule.free = Some(start + Duration::from_secs_f64(bytes as f64 / limit.max(1) as f64));
        start - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_spread_over_time() {
        let (rate, now) = (Rate::unbounded(), Instant::now());
        assert_eq!(rate.grant(1 << 30, 1 << 30, now), Duration::ZERO);
        rate.0.lock().limit = Some(1000);
        assert_eq!(rate.grant(500, 500, now), Duration::ZERO);
        assert_eq!(rate.grant(500, 500, now), Duration::from_millis(500));
        assert_eq!(rate.grant(1, 1, now + Duration::from_secs(3)), Duration::ZERO);
    }
}
