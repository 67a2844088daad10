//! Stands between a client and a server, and loses replies when told to: the server has done what it was asked, and the
//! client finds its connection closed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub struct Proxy {
    port: u16,
    lose: Arc<AtomicUsize>,
}

impl Proxy {
    /// Lives as long as the process.
    pub fn start(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            port: listener.local_addr().unwrap().port(),
            lose: Arc::default(),
        };
        let lose = proxy.lose.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server)));
                if let Ok(server) = server {
                    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    std::thread::spawn(move || pass(from, to, None));
                    let lose = lose.clone();
                    std::thread::spawn(move || pass(server, client, Some(&lose)));
                }
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next so many replies do not arrive.
    pub fn lose_replies(&self, count: usize) {
        self.lose.store(count, SeqCst);
    }

    /// Replies still to be lost.
    pub fn left(&self) -> usize {
        self.lose.load(SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, lose: Option<&AtomicUsize>) {
    let mut bytes = [0; 64 << 10];
    while let Ok(n) = from.read(&mut bytes) {
        let lost = lose.is_some_and(|left| {
            left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                .is_ok()
        });
        if n == 0 || lost || to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
