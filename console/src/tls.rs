//! TLS of the console's connections: the certificate that its files hold at the moment, and what is said to somebody who
//! comes without TLS.

use crate::app::App;
use crate::locks::{lock, try_lock};
use serde_json::json;
use service::Failure;
use service::catalogue::report::console as texts;
use service::certificate::{CertificateFiles, FileStamp, Identity};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// How a record of a TLS handshake begins.
const HANDSHAKE: u8 = 22;
/// Of a request without TLS, so much is read before the connection is closed: an answer to a client that is still sending
/// would be lost.
const REQUEST_MAX: u64 = 64 << 10;
const GOODBYE: Duration = Duration::from_secs(2);
/// Files that could not be used are read again after this, though they look the same: what was wrong, such as too many open
/// files, may be over.
const AGAIN: Duration = Duration::from_secs(5);

pub struct Tls {
    files: CertificateFiles,
    /// Held for a moment only.
    config: Mutex<Arc<ServerConfig>>,
    /// Held while the files are looked at.
    looked: Mutex<Looked>,
}

/// What was seen of the files.
struct Looked {
    /// Of those that are in use.
    stamps: [FileStamp; 2],
    /// Those that are there now can't be used.
    unusable: Option<Unusable>,
}

struct Unusable {
    stamps: [FileStamp; 2],
    why: String,
    at: Instant,
}

impl Tls {
    pub fn open(files: CertificateFiles) -> Result<(Tls, Identity), Failure> {
        // Before the files are read: what is written meanwhile is read again.
        let stamps = files.stamps();
        let identity = files.read()?;
        let tls = Tls {
            files,
            config: Mutex::new(identity.config.clone()),
            looked: Mutex::new(Looked {
                stamps,
                unusable: None,
            }),
        };
        Ok((tls, identity))
    }

    /// The certificate as it is now. While the files can't be used, for instance since only one of the two was replaced yet,
    /// the one before stays. So it does for whoever comes while another looks at the files: their disk may hang.
    fn config(&self, app: &App, now: Instant) -> Arc<ServerConfig> {
        let failure = try_lock(&self.looked).and_then(|mut looked| self.renew(&mut looked, now));
        if let Some(failure) = failure {
            app.log_failure("console-certificate", &failure, json!({}));
        }
        lock(&self.config).clone()
    }

    /// Reads the files if they are not those in use. What is wrong with them is returned once, not for each connection.
    fn renew(&self, looked: &mut Looked, now: Instant) -> Option<Failure> {
        let stamps = self.files.stamps();
        if stamps == looked.stamps {
            looked.unusable = None;
            return None;
        }
        let is_early =
            |known: &Unusable| known.stamps == stamps && now.saturating_duration_since(known.at) < AGAIN;
        if looked.unusable.as_ref().is_some_and(is_early) {
            return None;
        }
        match self.files.read() {
            Ok(identity) => {
                *lock(&self.config) = identity.config;
                *looked = Looked {
                    stamps,
                    unusable: None,
                };
                None
            }
            Err(failure) => {
                let why = failure.message();
                let is_new = looked.unusable.as_ref().is_none_or(|known| known.why != why);
                looked.unusable = Some(Unusable { stamps, why, at: now });
                is_new.then_some(failure)
            }
        }
    }

    /// `None` if nobody speaks TLS there.
    pub async fn accept(
        self: Arc<Self>,
        app: Arc<App>,
        mut stream: TcpStream,
    ) -> io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Ok(None);
        }
        if first != [HANDSHAKE] {
            // Whoever has gone meanwhile needs no answer.
            let _ = timeout(GOODBYE, refuse(&app, &mut stream)).await;
            return Ok(None);
        }
        // Files may be on a disk that is slow.
        let config = tokio::task::spawn_blocking(move || self.config(&app, Instant::now())).await?;
        TlsAcceptor::from(config).accept(stream).await.map(Some)
    }
}

/// Says what to call instead.
async fn refuse(app: &App, stream: &mut TcpStream) -> io::Result<()> {
    let text = texts::tls_only(app.lang());
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(REQUEST_MAX);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::Console;
    use std::fs::{self, File};
    use std::time::SystemTime;

    const CERTIFICATE: &str = include_str!("../../service/testdata/localhost.pem");
    const KEY: &str = include_str!("../../service/testdata/localhost.key");

    fn console() -> Console {
        let console = Console::new("");
        let settings = format!(
            "[console]\ntls-certificate = '{}'\n",
            console.path("console.pem").display()
        );
        fs::write(console.path("config/dedup/dedup.toml"), settings).unwrap();
        console
    }

    /// Certificate and key in one file, which says that it was changed at this second.
    fn write(console: &Console, text: &str, second: u64) {
        let path = console.path("console.pem");
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    }

    fn open(console: &Console) -> Tls {
        let files = CertificateFiles::of(&console.app.context().unwrap());
        Tls::open(files.unwrap().unwrap()).unwrap().0
    }

    fn logged(console: &Console) -> usize {
        let log = fs::read_to_string(console.path("state/dedup/logs/dedup.log")).unwrap_or_default();
        log.matches("console-certificate").count()
    }

    /// What can't be read for a moment, such as with too many open files, looks the same before and after.
    #[test]
    fn a_failure_that_passes() {
        let console = console();
        let right = format!("{KEY}{CERTIFICATE}");
        let wrong = "x".repeat(right.len());
        write(&console, &right, 1_000_000_000);
        let tls = open(&console);
        let start = Instant::now();
        let at = |secs: u64| tls.config(&console.app, start + Duration::from_secs(secs));
        let first = at(0);
        write(&console, &wrong, 2_000_000_000);
        for secs in [0, 0, 1, 6, 7] {
            assert!(Arc::ptr_eq(&first, &at(secs)), "the one before stays");
            assert_eq!(logged(&console), 1, "after {secs} s");
        }
        write(&console, &right, 2_000_000_000);
        assert!(Arc::ptr_eq(&first, &at(8)), "not for each connection");
        let second = at(12);
        assert!(!Arc::ptr_eq(&first, &second), "it is read again");
        assert!(Arc::ptr_eq(&second, &at(60)), "and not once more");
        // Another failure, and later the same one again, are told.
        fs::remove_file(console.path("console.pem")).unwrap();
        at(61);
        assert_eq!(logged(&console), 2);
        write(&console, &wrong, 2_000_000_001);
        at(61);
        assert_eq!(logged(&console), 3, "files that changed are read at once");
        write(&console, &right, 2_000_000_002);
        assert!(!Arc::ptr_eq(&second, &at(61)));
    }

    #[test]
    fn nobody_waits_for_a_disk() {
        let console = console();
        let right = format!("{KEY}{CERTIFICATE}");
        write(&console, &right, 1_000_000_000);
        let tls = open(&console);
        let now = Instant::now();
        let first = tls.config(&console.app, now);
        write(&console, &right, 2_000_000_000);
        let reading = lock(&tls.looked);
        assert!(Arc::ptr_eq(&first, &tls.config(&console.app, now)));
        drop(reading);
        assert!(!Arc::ptr_eq(&first, &tls.config(&console.app, now)));
    }
}
