//! Stands between a client and a server, and does to what passes what networks and servers do: replies get lost,
//! nothing moves any more, a write is answered by an error. Counts requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    lose: AtomicUsize,
    /// Their first lines.
    requests: Mutex<Vec<String>>,
    frozen: AtomicBool,
    /// What the first line of a request holds that the server does not see, and the status and body that are sent.
    answer: Mutex<Option<(String, String, String)>>,
    /// What the first line of a request holds on which this is called, before the server sees it.
    hook: Mutex<Option<(String, Hook)>>,
    /// Lines of a head that begin so are replaced.
    header: Mutex<Option<(String, String)>>,
}

type Hook = Box<dyn FnOnce() + Send>;

impl Proxy {
    /// For HTTP without TLS. Lives as long as the process.
    pub fn start(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::default(),
        };
        let shared = proxy.shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], server)));
                if let Ok(server) = server {
                    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let requests = shared.clone();
                    std::thread::spawn(move || end(&from, &to, requests.pass_requests(&from, &to)));
                    let replies = shared.clone();
                    std::thread::spawn(move || end(&server, &client, replies.pass_replies(&server, &client)));
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
        self.shared.lose.store(count, SeqCst);
    }

    /// Replies still to be lost.
    pub fn left(&self) -> usize {
        self.shared.lose.load(SeqCst)
    }

    /// First lines of the requests since this was asked last.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// From now on nothing passes, and nothing is closed.
    pub fn freeze(&self, frozen: bool) {
        self.shared.frozen.store(frozen, SeqCst);
    }

    /// From now on each `PUT` is answered so, as by a server that can't store anything.
    pub fn answer_writes(&self, answer: Option<(&str, &str)>) {
        let answer = answer.map(|(status, body)| ("PUT ".into(), status.into(), body.into()));
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// From now on each request whose first line holds this is answered with a status.
    pub fn refuse(&self, request: &str, status: &str) {
        *self.shared.answer.lock().unwrap() = Some((request.into(), status.into(), String::new()));
    }

    /// Calls this at the next request whose first line holds this, before the server sees it.
    pub fn at(&self, request: &str, hook: impl FnOnce() + Send + 'static) {
        *self.shared.hook.lock().unwrap() = Some((request.into(), Box::new(hook)));
    }

    /// From now on a line of each head that begins so is replaced.
    pub fn replace_header(&self, name: &str, line: &str) {
        *self.shared.header.lock().unwrap() = Some((name.to_lowercase(), line.to_string()));
    }
}

/// The other direction ends with this one, whatever ended it.
fn end(from: &TcpStream, to: &TcpStream, _: std::io::Result<()>) {
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Shared {
    fn thaw(&self) {
        while self.frozen.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn pass_requests(&self, from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::with_capacity(64 << 10, from);
        loop {
            let (head, length) = self.read_head(&mut reader)?;
            if head.is_empty() {
                return Ok(());
            }
            let line = head.lines().next().unwrap_or_default();
            self.requests.lock().unwrap().push(line.to_string());
            let hook = self
                .hook
                .lock()
                .unwrap()
                .take_if(|(request, _)| line.contains(&*request));
            if let Some((_, hook)) = hook {
                hook();
            }
            let answer = self.answer.lock().unwrap().clone();
            match answer.filter(|(request, ..)| line.contains(request)) {
                Some((_, status, body)) => {
                    std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\r\n"
                    );
                    let mut client = from;
                    client.write_all((head + &body).as_bytes())?;
                }
                None => {
                    to.write_all(head.as_bytes())?;
                    self.pass_body(&mut reader, length, &mut to)?;
                }
            }
        }
    }

    /// A request's head, and the length of what follows it; an empty one where the client has closed.
    fn read_head(&self, reader: &mut impl BufRead) -> std::io::Result<(String, u64)> {
        let (mut head, mut length) = (String::new(), 0);
        let header = self.header.lock().unwrap().clone();
        loop {
            let mut line = String::new();
            let read = reader.read_line(&mut line)?;
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            match &header {
                Some((name, new)) if lower.starts_with(name) => head += &format!("{new}\r\n"),
                _ => head += &line,
            }
            if read == 0 || line == "\r\n" {
                self.thaw();
                return Ok((head, length));
            }
        }
    }

    fn pass_body(&self, from: &mut impl Read, mut left: u64, to: &mut impl Write) -> std::io::Result<()> {
        let mut bytes = vec![0; 64 << 10];
        while left > 0 {
            let most = bytes.len().min(left as usize);
            let n = from.read(&mut bytes[..most])?;
            self.thaw();
            if n == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            to.write_all(&bytes[..n])?;
            left -= n as u64;
        }
        Ok(())
    }

    fn pass_replies(&self, mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let n = from.read(&mut bytes)?;
            self.thaw();
            let lost = |left: usize| left.checked_sub(1);
            if n == 0 || self.lose.fetch_update(SeqCst, SeqCst, lost).is_ok() {
                return Ok(());
            }
            to.write_all(&bytes[..n])?;
        }
    }
}
