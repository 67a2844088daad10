//! Storage as one run uses it: its bandwidth, its quotas, and the token that cancels it.

use super::address::Address;
use crate::cancel::CancelToken;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Index segments, manifests and fences are smaller.
const SMALL: usize = 1 << 20;
/// How often bytes that wait look whether the rate was changed.
const LOOK: Duration = Duration::from_millis(500);

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
    /// Bytes that have asked to go so far. They go in the order in which they asked.
    asked: u64,
    /// How many of them may have gone by `at`.
    gone: f64,
    at: Option<Instant>,
}

impl Schedule {
    /// What may have gone by now. Bandwidth that nobody used is not saved up.
    fn pass(&mut self, now: Instant) {
        let asked = self.asked as f64;
        let passed = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.gone = match self.limit {
            Some(limit) => (self.gone + passed.as_secs_f64() * limit as f64).min(asked),
            None => asked,
        };
        self.at = Some(now);
    }
}

/// The place of some bytes among those that go in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Turn {
    direction: Direction,
    /// Bytes that go before them.
    after: u64,
    /// They are part of a large object.
    is_bulk: bool,
}

impl Bandwidth {
    /// No limit.
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// Sets the limits, in bytes per second, from now on: also for what is waiting already.
    pub fn limit(&self, upload: Option<u64>, download: Option<u64>) {
        self.limit_at(upload, download, Instant::now());
    }

    fn limit_at(&self, upload: Option<u64>, download: Option<u64>, now: Instant) {
        for (direction, limit) in [(Direction::Upload, upload), (Direction::Download, download)] {
            let mut schedule = self.schedule(direction);
            // What has passed so far passed at the rate that held until now.
            schedule.pass(now);
            schedule.limit = limit;
        }
    }

    /// Bytes per second that may be sent at present; `None` without a limit.
    pub(super) fn upload_rate(&self) -> Option<u64> {
        self.0.upload.lock().limit
    }

    fn schedule(&self, direction: Direction) -> MutexGuard<'_, Schedule> {
        match direction {
            Direction::Upload => self.0.upload.lock(),
            Direction::Download => self.0.download.lock(),
        }
    }

    /// Puts so many bytes behind those that wait.
    fn queue(&self, direction: Direction, bytes: usize, now: Instant) -> u64 {
        let mut schedule = self.schedule(direction);
        schedule.pass(now);
        let after = schedule.asked;
        schedule.asked = after.saturating_add(bytes as u64);
        after
    }

    /// How long it takes at the present rate until what is before these bytes has gone.
    fn left(&self, turn: &Turn, now: Instant) -> Duration {
        let mut schedule = self.schedule(turn.direction);
        schedule.pass(now);
        let before = turn.after as f64 - schedule.gone;
        match schedule.limit {
            Some(limit) if before > 0.0 => {
                let left = Duration::try_from_secs_f64(before / limit.max(1) as f64);
                left.unwrap_or(Duration::MAX)
            }
            _ => Duration::ZERO,
        }
    }
}

/// What remotes are opened with.
#[derive(Clone, Default)]
pub struct Link {
    /// How much may be sent and received.
    pub bandwidth: Bandwidth,
    /// For servers in the local network, if they have limits of their own.
    pub local: Option<Bandwidth>,
    /// The HTTP proxy of remotes whose address names none; it may hold a password.
    pub proxy: Option<String>,
    /// What ends requests.
    pub cancel: CancelToken,
    /// The most that a repository may take up in bytes, by its URL.
    pub quotas: Arc<BTreeMap<String, u64>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("bandwidth", &self.bandwidth)
            .field("cancel", &self.cancel)
            .field("quotas", &self.quotas)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// The link of a remote: with the limits of the local network, if that is where its server is.
    pub(super) fn to(&self, address: &Address) -> Link {
        let is_local = || address.server().is_some_and(|(host, port)| is_local(&host, port));
        let bandwidth = self.local.clone().filter(|_| is_local());
        Link {
            bandwidth: bandwidth.unwrap_or_else(|| self.bandwidth.clone()),
            ..self.clone()
        }
    }

    /// A turn for these bytes, of an object of `whole`.
    pub(super) fn turn(&self, direction: Direction, bytes: usize, whole: usize) -> Turn {
        Turn {
            direction,
            after: self.bandwidth.queue(direction, bytes, Instant::now()),
            is_bulk: whole > SMALL,
        }
    }

    /// How long to wait before it is looked again whether it is their turn; nothing if it is. Small objects wait no more once
    /// the run was cancelled: they make count what was sent before.
    pub(super) fn wait(&self, turn: &Turn) -> Duration {
        if !turn.is_bulk && self.cancel.is_cancelled() {
            return Duration::ZERO;
        }
        self.bandwidth.left(turn, Instant::now()).min(LOOK)
    }

    /// Waits until so many bytes may go.
    pub(super) async fn pace(&self, direction: Direction, bytes: usize, whole: usize) {
        let turn = self.turn(direction, bytes, whole);
        loop {
            let wait = self.wait(&turn);
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// Whether every address of a host is one of this machine or of a private network (RFC 1918, RFC 4193, RFC 3927). One that
/// can't be looked up is not.
fn is_local(host: &str, port: u16) -> bool {
    let Ok(addresses) = (host, port).to_socket_addrs() else {
        return false;
    };
    let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
    !addresses.is_empty() && addresses.into_iter().all(is_private)
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_servers_are() {
        for (address, is_near) in [
            ("127.0.0.1", true),
            ("192.168.1.9", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("169.254.1.1", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
            ("::ffff:192.168.1.9", true),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), is_near, "{address}");
        }
        let link = Link {
            local: Some(Bandwidth::unlimited()),
            ..Link::default()
        };
        link.bandwidth.limit(Some(1), None);
        let delay = |url: &str| {
            let address = Address::parse(url, &["endpoint"]).unwrap();
            let link = link.to(&address);
            link.turn(Direction::Upload, 100, 100);
            link.wait(&link.turn(Direction::Upload, 1, 1))
        };
        assert!(delay("webdav://192.168.1.9/x").is_zero());
        assert!(delay("s3://bucket?endpoint=http://[fd00::1]:9000").is_zero());
        assert!(!delay("s3://bucket?endpoint=https://192.0.2.1").is_zero());
        assert!(!delay("s3://bucket").is_zero());
    }

    /// How long so many bytes wait for their turn if the rate stays.
    fn reserve(bandwidth: &Bandwidth, direction: Direction, bytes: usize, now: Instant) -> Duration {
        let turn = turn(bandwidth, direction, bytes, now);
        bandwidth.left(&turn, now)
    }

    fn turn(bandwidth: &Bandwidth, direction: Direction, bytes: usize, now: Instant) -> Turn {
        Turn {
            direction,
            after: bandwidth.queue(direction, bytes, now),
            is_bulk: true,
        }
    }

    #[test]
    fn bytes_are_spread_over_time() {
        let (bandwidth, now) = (Bandwidth::unlimited(), Instant::now());
        let upload = |bytes, now| reserve(&bandwidth, Direction::Upload, bytes, now);
        assert_eq!(upload(1 << 30, now), Duration::ZERO);
        bandwidth.limit_at(Some(1000), None, now);
        assert_eq!(upload(500, now), Duration::ZERO);
        assert_eq!(upload(500, now), Duration::from_millis(500));
        assert_eq!(upload(1, now + Duration::from_secs(3)), Duration::ZERO);
        assert_eq!(
            reserve(&bandwidth, Direction::Download, 1 << 30, now),
            Duration::ZERO
        );
    }

    /// What waits goes on at the new rate, whichever way it was changed.
    #[test]
    fn a_rate_that_changes_holds_for_what_waits() {
        let (bandwidth, start) = (Bandwidth::unlimited(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        bandwidth.limit_at(Some(1000), None, start);
        turn(&bandwidth, Direction::Upload, 100_000, start);
        let waits = turn(&bandwidth, Direction::Upload, 1, start);
        assert_eq!(bandwidth.left(&waits, start), Duration::from_secs(100));
        assert_eq!(bandwidth.left(&waits, after(10)), Duration::from_secs(90));
        bandwidth.limit_at(Some(10_000), None, after(10));
        assert_eq!(bandwidth.left(&waits, after(10)), Duration::from_secs(9));
        bandwidth.limit_at(Some(100), None, after(15));
        assert_eq!(bandwidth.left(&waits, after(15)), Duration::from_secs(400));
        bandwidth.limit_at(None, None, after(16));
        assert_eq!(bandwidth.left(&waits, after(16)), Duration::ZERO);
        // Without a limit nothing was left waiting for what comes next.
        bandwidth.limit_at(Some(1000), None, after(17));
        assert_eq!(
            reserve(&bandwidth, Direction::Upload, 1, after(17)),
            Duration::ZERO
        );
    }

    #[test]
    fn runs_do_not_share_limits() {
        let (slow, fast) = (Link::default(), Link::default());
        slow.bandwidth.limit(Some(1), None);
        for link in [&slow, &fast] {
            link.turn(Direction::Upload, 1000, 1000);
        }
        let small = slow.turn(Direction::Upload, 1, 1);
        let bulk = slow.turn(Direction::Upload, 1, SMALL + 1);
        assert!(slow.bandwidth.left(&small, Instant::now()) > Duration::from_secs(900));
        assert_eq!(slow.wait(&small), LOOK);
        assert!(fast.wait(&fast.turn(Direction::Upload, 1, 1)).is_zero());
        slow.cancel.cancel();
        assert!(slow.wait(&small).is_zero(), "small objects go at once");
        assert!(!slow.wait(&bulk).is_zero());
    }
}
