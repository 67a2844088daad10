//! A proxy as offices have them: it takes whole URLs, and tunnels for what is encrypted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub struct Forward {
    port: u16,
    asked: Arc<[AtomicUsize; 2]>,
}

impl Forward {
    /// Lives as long as the process.
    pub fn start() -> Forward {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let forward = Forward {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
        };
        let asked = forward.asked.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let asked = asked.clone();
                std::thread::spawn(move || serve(&client, &asked));
            }
        });
        forward
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests that it passed on, and tunnels that it opened.
    pub fn asked(&self) -> (usize, usize) {
        (self.asked[0].load(SeqCst), self.asked[1].load(SeqCst))
    }
}

/// One connection; whatever goes wrong ends it.
fn serve(client: &TcpStream, asked: &[AtomicUsize; 2]) -> Option<()> {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    if method == "CONNECT" {
        let mut header = String::new();
        while header != "\r\n" {
            header.clear();
            reader.read_line(&mut header).ok()?;
        }
        let server = TcpStream::connect(target).ok()?;
        asked[1].fetch_add(1, SeqCst);
        (&*client)
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .ok()?;
        return both_ways(reader, client, &server);
    }
    // The rest of this connection goes to the same server, which understands whole URLs.
    let host = target.strip_prefix("http://")?.split('/').next()?;
    let mut server = TcpStream::connect(host).ok()?;
    asked[0].fetch_add(1, SeqCst);
    server.write_all(line.as_bytes()).ok()?;
    both_ways(reader, client, &server)
}

fn both_ways(mut from: impl Read + Send, client: &TcpStream, server: &TcpStream) -> Option<()> {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ended = std::io::copy(&mut from, &mut &*server);
            let _ = server.shutdown(Shutdown::Write);
        });
        let _ended = std::io::copy(&mut &*server, &mut &*client);
        let _ = client.shutdown(Shutdown::Both);
    });
    Some(())
}
