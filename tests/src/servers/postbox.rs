//! Receivers of messages that write down what they get: a mail server and a web server, each on a port of its own. What
//! is waited for is an event; nothing sleeps.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A certificate for loopback that is its own root.
pub struct Certificate {
    pub path: PathBuf,
    pub key: PathBuf,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// Made by the program `openssl`. If it is missing the test is skipped, with a message.
    pub fn new(folder: &Path, test: &str) -> Option<Certificate> {
        let (path, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args(["-days", "2", "-subj", "/CN=localhost", "-addext"])
            .args([
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&path)
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            let word = format!("SKIPPED {test}: openssl could not make a certificate\n");
            let _ = io::stderr().write_all(word.as_bytes());
            return None;
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = CertificateDer::from_pem_file(&path).unwrap();
        let private = PrivateKeyDer::from_pem_file(&key).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![chain], private)
            .unwrap();
        Some(Certificate {
            path,
            key,
            config: Arc::new(config),
        })
    }

    fn accept(&self, stream: TcpStream) -> Box<dyn Wire> {
        let connection = ServerConnection::new(self.config.clone()).unwrap();
        Box::new(StreamOwned::new(connection, stream))
    }
}

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// Up to the end of the line, without it. `None` at the end of the stream.
fn line(wire: &mut dyn Wire) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        match wire.read(&mut byte) {
            Ok(1) if byte[0] == b'\n' => break,
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some(text.trim_end_matches('\r').to_string())
}

/// Accepts for as long as the process lives.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// What a mail server got.
#[derive(Clone, Debug)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    /// Head and body as they came.
    pub data: String,
    pub encrypted: bool,
    /// `user:password`.
    pub login: Option<String>,
}

/// How a mail server behaves.
#[derive(Default)]
pub struct SmtpOptions {
    /// Offers STARTTLS, or speaks TLS from the beginning.
    pub certificate: Option<Certificate>,
    pub implicit: bool,
    /// Wants this user and this password.
    pub login: Option<(&'static str, &'static str)>,
    /// Refuses mail to this address.
    pub refuses: Option<&'static str>,
    /// Takes connections and answers nothing.
    pub hangs: bool,
}

pub struct Smtp {
    pub port: u16,
    pub letters: Arc<Mutex<Vec<Letter>>>,
    /// Passwords that were tried.
    pub logins: Arc<Mutex<Vec<String>>>,
}

impl Smtp {
    pub fn start(options: SmtpOptions) -> Smtp {
        let (letters, logins) = (
            Arc::<Mutex<Vec<Letter>>>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
        );
        let (kept, tried) = (letters.clone(), logins.clone());
        let port = listen(move |stream| {
            if options.hangs {
                // Until the other side gives up.
                let _ = (&stream).read(&mut [0]);
                return;
            }
            // A client that goes away ends the session.
            let _ = session(&options, stream, &kept, &tried);
        });
        Smtp {
            port,
            letters,
            logins,
        }
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }
}

fn session(
    options: &SmtpOptions,
    stream: TcpStream,
    letters: &Mutex<Vec<Letter>>,
    logins: &Mutex<Vec<String>>,
) -> Option<()> {
    let plain = stream.try_clone().unwrap();
    let certificate = options.certificate.as_ref();
    let mut encrypted = options.implicit;
    let mut wire: Box<dyn Wire> = match (options.implicit, certificate) {
        (true, Some(certificate)) => certificate.accept(stream),
        _ => Box::new(stream),
    };
    let say = |wire: &mut Box<dyn Wire>, text: &str| {
        let sent = wire.write_all(format!("{text}\r\n").as_bytes());
        sent.and_then(|()| wire.flush()).ok()
    };
    let (mut from, mut to, mut login) = (String::new(), Vec::new(), None);
    say(&mut wire, "220 localhost ESMTP")?;
    loop {
        let command = line(&mut *wire)?;
        let upper = command.to_ascii_uppercase();
        let answer = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if certificate.is_some() && !encrypted => "250-localhost\r\n250 STARTTLS",
            "EHLO" => "250-localhost\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                say(&mut wire, "220 go on")?;
                wire = certificate?.accept(plain.try_clone().unwrap());
                encrypted = true;
                continue;
            }
            "AUTH" => {
                login = logged_in(options, &command, logins);
                match login.is_some() {
                    true => "235 welcome",
                    false => "535 5.7.8 authentication failed",
                }
            }
            "MAIL" if options.login.is_some() && login.is_none() => "530 5.7.0 authentication required",
            "MAIL" => {
                from = between(&command);
                "250 ok"
            }
            "RCPT" if options.refuses == Some(between(&command).as_str()) => "550 5.1.1 no such user",
            "RCPT" => {
                to.push(between(&command));
                "250 ok"
            }
            "DATA" => {
                say(&mut wire, "354 go on")?;
                let data = data(&mut *wire)?;
                letters.lock().unwrap().push(Letter {
                    from: std::mem::take(&mut from),
                    to: std::mem::take(&mut to),
                    data,
                    encrypted,
                    login: login.clone(),
                });
                "250 kept"
            }
            "QUIT" => {
                say(&mut wire, "221 bye")?;
                return Some(());
            }
            _ => "250 ok",
        };
        say(&mut wire, answer)?;
    }
}

/// `user:password` of `AUTH PLAIN`, if it is the one that is wanted.
fn logged_in(options: &SmtpOptions, command: &str, logins: &Mutex<Vec<String>>) -> Option<String> {
    let given = command.rsplit(' ').next().unwrap_or_default();
    let text = String::from_utf8(base64(given)).unwrap();
    let text = text.trim_start_matches('\0').replace('\0', ":");
    logins.lock().unwrap().push(text.clone());
    let wanted = options.login.map(|(user, password)| format!("{user}:{password}"));
    (wanted.as_ref() == Some(&text)).then_some(text)
}

/// A letter up to the dot that ends it.
fn data(wire: &mut dyn Wire) -> Option<String> {
    let mut data = String::new();
    loop {
        match line(wire)?.as_str() {
            "." => return Some(data),
            text => data += &format!("{}\n", text.strip_prefix('.').unwrap_or(text)),
        }
    }
}

/// The address in `MAIL FROM:<...>`.
fn between(command: &str) -> String {
    let rest = command.split_once('<').map_or("", |(_, rest)| rest);
    rest.split('>').next().unwrap_or_default().to_string()
}

/// What base64 stands for; other characters are left out.
pub fn base64(text: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values: Vec<u32> = text
        .chars()
        .filter_map(|c| digits.find(c))
        .map(|value| value as u32)
        .collect();
    let mut bytes = Vec::new();
    for group in values.chunks(4) {
        let bits = group.iter().fold(0, |bits, value| bits << 6 | value) << (6 * (4 - group.len()));
        let all = [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8];
        bytes.extend(&all[..group.len().saturating_sub(1)]);
    }
    bytes
}

/// What a web server got.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub path: String,
    pub body: String,
}

pub struct Web {
    pub port: u16,
    pub requests: Arc<Mutex<Vec<Request>>>,
    /// The status of its answers.
    pub status: Arc<Mutex<u16>>,
}

impl Web {
    pub fn start() -> Web {
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let status = Arc::new(Mutex::new(200));
        let (kept, answer) = (requests.clone(), status.clone());
        let port = listen(move |mut stream| {
            let _ = answered(&mut stream, &kept, &answer);
        });
        Web {
            port,
            requests,
            status,
        }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A server that gives everybody this answer, over TLS; returns its port.
pub fn https(certificate: &Certificate, answer: &str) -> u16 {
    let config = certificate.config.clone();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    listen(move |stream| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut wire = StreamOwned::new(connection, stream);
        while line(&mut wire).is_some_and(|line| !line.is_empty()) {}
        // Whoever does not trust the certificate has gone.
        let _ = wire.write_all(answer.as_bytes()).and_then(|()| wire.flush());
        wire.conn.send_close_notify();
        let _ = wire.flush();
    })
}

fn answered(stream: &mut TcpStream, kept: &Mutex<Vec<Request>>, status: &Mutex<u16>) -> Option<()> {
    let head = line(stream)?;
    let path = head.split(' ').nth(1)?.to_string();
    let mut length = 0;
    loop {
        let header = line(stream)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    kept.lock().unwrap().push(Request { path, body });
    let status = *status.lock().unwrap();
    let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()
}
