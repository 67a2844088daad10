//! A long, thin wire to a server: what goes in comes out later, and no faster than the wire carries.
//!
//! Each direction has one rate that all connections share, and a delay. A connection holds so much that a rate and a
//! delay need (a window), and no more: then its sender has to wait. A new connection costs a round trip. There is no
//! loss, and no slow start.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Read at once, some twentieth of a millisecond of a gigabit a second.
const PIECE: usize = 16 << 10;
/// Bytes of one connection on their way in one direction at most.
const WINDOW: usize = 8 << 20;
/// What sleeping too long may be made up for.
const SLACK: Duration = Duration::from_millis(5);

pub struct Link {
    port: u16,
    up: Arc<Direction>,
    down: Arc<Direction>,
}

struct Direction {
    /// Bytes in a second.
    rate: f64,
    delay: Duration,
    free: Mutex<Instant>,
    carried: AtomicU64,
}

impl Direction {
    fn new(rate: u64, delay: Duration) -> Arc<Direction> {
        Arc::new(Direction {
            rate: rate as f64,
            delay,
            free: Mutex::new(Instant::now()),
            carried: AtomicU64::new(0),
        })
    }

    /// Waits until the wire has taken these bytes; when they arrive.
    fn send(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let taken = {
            let mut free = self.free.lock().unwrap();
            let start = (*free).max(now.checked_sub(SLACK).unwrap_or(now));
            *free = start + Duration::from_secs_f64(bytes as f64 / self.rate);
            *free
        };
        std::thread::sleep(taken.saturating_duration_since(Instant::now()));
        self.carried.fetch_add(bytes as u64, Relaxed);
        taken + self.delay
    }
}

impl Link {
    /// `rate` in bytes a second, `round_trip` there and back. Lives as long as the process.
    pub fn start(server: u16, rate: u64, round_trip: Duration) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = Link {
            port: listener.local_addr().unwrap().port(),
            up: Direction::new(rate, round_trip / 2),
            down: Direction::new(rate, round_trip / 2),
        };
        let (up, down) = (link.up.clone(), link.down.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server)));
                if let Ok(server) = server {
                    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let (up, down) = (up.clone(), down.clone());
                    std::thread::spawn(move || pass(from, to, &up, round_trip));
                    std::thread::spawn(move || pass(server, client, &down, Duration::ZERO));
                }
            }
        });
        link
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Bytes to the server and from it so far.
    pub fn carried(&self) -> (u64, u64) {
        (self.up.carried.load(Relaxed), self.down.carried.load(Relaxed))
    }
}

fn pass(mut from: TcpStream, to: TcpStream, direction: &Direction, at_first: Duration) {
    let _ = to.set_nodelay(true);
    let (out, arriving) = sync_channel::<(Instant, Vec<u8>)>(WINDOW / PIECE);
    let deliver = |arriving: Receiver<(Instant, Vec<u8>)>, mut to: TcpStream| {
        for (at, bytes) in arriving {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        // Either may be closed already.
        let _ = to.shutdown(Shutdown::Write);
    };
    std::thread::scope(|scope| {
        scope.spawn(move || deliver(arriving, to));
        send(&mut from, &out, direction, at_first);
        drop(out);
    });
    let _ = from.shutdown(Shutdown::Read);
}

fn send(
    from: &mut TcpStream,
    out: &SyncSender<(Instant, Vec<u8>)>,
    direction: &Direction,
    at_first: Duration,
) {
    let mut bytes = vec![0; PIECE];
    let mut wait = at_first;
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(std::mem::take(&mut wait));
        let arrives = direction.send(n);
        if out.send((arrives, bytes[..n].to_vec())).is_err() {
            return;
        }
    }
}
