//! A proxy as offices have them: it takes whole URLs, and tunnels for what is encrypted. It counts what goes through.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

pub struct Forward {
    port: u16,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct Traffic {
    requests: AtomicUsize,
    tunnels: AtomicUsize,
    /// Bytes to servers, and from them.
    up: AtomicU64,
    down: AtomicU64,
    /// Where every server is, whatever address it has; otherwise they are at their addresses.
    server: Option<u16>,
}

impl Forward {
    /// Lives as long as the process.
    pub fn start() -> Forward {
        Forward::with(None)
    }

    /// Has every server, however far away its address is, at this port of loopback.
    pub fn to(server: u16) -> Forward {
        Forward::with(Some(server))
    }

    fn with(server: Option<u16>) -> Forward {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let forward = Forward {
            port: listener.local_addr().unwrap().port(),
            traffic: Arc::new(Traffic {
                server,
                ..Traffic::default()
            }),
        };
        let traffic = forward.traffic.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let traffic = traffic.clone();
                std::thread::spawn(move || traffic.serve(&client));
            }
        });
        forward
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests that it passed on, and tunnels that it opened.
    pub fn asked(&self) -> (usize, usize) {
        (
            self.traffic.requests.load(SeqCst),
            self.traffic.tunnels.load(SeqCst),
        )
    }

    /// Bytes that went to servers so far, and that came from them.
    pub fn carried(&self) -> (u64, u64) {
        (self.traffic.up.load(SeqCst), self.traffic.down.load(SeqCst))
    }
}

impl Traffic {
    fn connect(&self, address: &str) -> Option<TcpStream> {
        match self.server {
            Some(port) => TcpStream::connect(("127.0.0.1", port)).ok(),
            None => TcpStream::connect(address).ok(),
        }
    }

    /// One connection; whatever goes wrong ends it.
    fn serve(&self, client: &TcpStream) -> Option<()> {
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
            let server = self.connect(target)?;
            self.tunnels.fetch_add(1, SeqCst);
            (&*client)
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .ok()?;
            return self.both_ways(reader, client, &server);
        }
        // The rest of this connection goes to the same server, which understands whole URLs.
        let host = target.strip_prefix("http://")?.split('/').next()?;
        let mut server = self.connect(host)?;
        self.requests.fetch_add(1, SeqCst);
        server.write_all(line.as_bytes()).ok()?;
        self.both_ways(reader, client, &server)
    }

    fn both_ways(&self, from: impl Read + Send, client: &TcpStream, server: &TcpStream) -> Option<()> {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ended = io::copy(&mut Counted(from, &self.up), &mut &*server);
                let _ = server.shutdown(Shutdown::Write);
            });
            let _ended = io::copy(&mut Counted(server, &self.down), &mut &*client);
            let _ = client.shutdown(Shutdown::Both);
        });
        Some(())
    }
}

/// Counts the bytes that are read.
struct Counted<'a, R>(R, &'a AtomicU64);

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, SeqCst);
        Ok(read)
    }
}
