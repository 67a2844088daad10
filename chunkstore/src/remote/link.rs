//! Storage as one run uses it: its bandwidth, its quotas, and the token that cancels it.

use super::address::Address;
use crate::cancel::CancelToken;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
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
            link.delay(Direction::Upload, 100, 100);
            link.delay(Direction::Upload, 1, 1)
        };
        assert!(delay("webdav://192.168.1.9/x").is_zero());
        assert!(delay("s3://bucket?endpoint=http://[fd00::1]:9000").is_zero());
        assert!(!delay("s3://bucket?endpoint=https://192.0.2.1").is_zero());
        assert!(!delay("s3://bucket").is_zero());
    }

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
