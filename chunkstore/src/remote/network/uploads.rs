//! How many packs are sent at once where the rate is limited: so few that each of them is stored soon. Several that share
//! a low rate would be finished late and all together, and until then nothing of them counts if the run dies.

use super::fault::Outcome;
use super::runtime;
use crate::cancel::{POLL, Work};
use crate::remote::link::Link;
use parking_lot::{Condvar, Mutex};

/// Within so many seconds a pack is to be stored, if the rate allows it.
const SOON: u64 = 15;

#[derive(Default)]
pub(super) struct UploadGate {
    under_way: Mutex<usize>,
    freed: Condvar,
}

pub(super) struct UploadPermit<'g>(&'g UploadGate);

impl Drop for UploadPermit<'_> {
    fn drop(&mut self) {
        *self.0.under_way.lock() -= 1;
        self.0.freed.notify_one();
    }
}

impl UploadGate {
    /// Waits until a pack of so many bytes may be sent.
    pub fn enter(&self, bytes: usize, link: &Link) -> Outcome<UploadPermit<'_>> {
        let mut under_way = self.under_way.lock();
        // Looked at again and again, since the rate may rise meanwhile.
        while *under_way >= at_once(link.bandwidth.upload_rate(), bytes) {
            self.freed.wait_for(&mut under_way, POLL);
            if link.cancel.is_over(Work::Bulk) {
                return Err(runtime::interrupted());
            }
        }
        *under_way += 1;
        Ok(UploadPermit(self))
    }
}

/// Packs of so many bytes that are stored in time if they share the rate, in bytes per second.
fn at_once(rate: Option<u64>, bytes: usize) -> usize {
    let Some(rate) = rate else {
        return usize::MAX;
    };
    let in_time = rate.saturating_mul(SOON) / (bytes as u64).max(1);
    usize::try_from(in_time).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;
    use crate::remote::link::Bandwidth;
    use std::time::{Duration, Instant};

    const PACK: usize = 32 << 20;

    #[test]
    fn as_many_as_are_stored_soon() {
        for (rate, want) in [(1, 1), (500_000, 1), (3 << 20, 1), (10 << 20, 4), (100 << 20, 46)] {
            assert_eq!(at_once(Some(rate), PACK), want, "{rate}");
        }
        assert_eq!(at_once(None, PACK), usize::MAX);
        assert_eq!(at_once(Some(u64::MAX), 0), usize::MAX);
        assert!(at_once(Some(500_000), 1000) > 1000);
    }

    #[test]
    fn one_waits_for_the_other_until_the_rate_rises_or_the_run_ends() {
        let link = Link {
            bandwidth: Bandwidth::unlimited(),
            cancel: CancelToken::new(),
            ..Link::default()
        };
        let gate = UploadGate::default();
        link.bandwidth.limit(Some(1000), None);
        let first = gate.enter(PACK, &link).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| gate.enter(PACK, &link).map(drop));
            std::thread::sleep(Duration::from_millis(100));
            assert!(!second.is_finished());
            link.bandwidth.limit(None, None);
            assert!(second.join().unwrap().is_ok());
        });
        link.bandwidth.limit(Some(1000), None);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| gate.enter(PACK, &link).map(drop));
            std::thread::sleep(Duration::from_millis(100));
            drop(first);
            assert!(second.join().unwrap().is_ok());
        });
        let _first = gate.enter(PACK, &link).unwrap();
        link.cancel.cancel();
        let begun = Instant::now();
        assert!(gate.enter(PACK, &link).is_err() && begun.elapsed() < Duration::from_secs(10));
    }
}
