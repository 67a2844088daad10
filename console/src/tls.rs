//! TLS of the console's connections: the certificate that its files hold at the moment, and what is said to somebody who
//! comes without TLS.

use crate::app::App;
use crate::locks::lock;
use serde_json::json;
use service::Failure;
use service::catalogue::report::console as texts;
use service::certificate::{CertificateFiles, FileStamp, Identity};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
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

pub struct Tls {
    files: CertificateFiles,
    current: Mutex<Current>,
}

struct Current {
    stamps: [FileStamp; 2],
    config: Arc<ServerConfig>,
}

impl Tls {
    pub fn open(files: CertificateFiles) -> Result<(Tls, Identity), Failure> {
        // Before the files are read: what is written meanwhile is read again.
        let stamps = files.stamps();
        let identity = files.read()?;
        let config = identity.config.clone();
        let current = Mutex::new(Current { stamps, config });
        Ok((Tls { files, current }, identity))
    }

    /// The certificate as it is now. While the files can't be used, for instance since only one of the two was replaced yet,
    /// the one before stays.
    fn config(&self, app: &App) -> Arc<ServerConfig> {
        let mut current = lock(&self.current);
        let stamps = self.files.stamps();
        if stamps != current.stamps {
            current.stamps = stamps;
            match self.files.read() {
                Ok(identity) => current.config = identity.config,
                Err(failure) => app.log_failure("console-certificate", &failure, json!({})),
            }
        }
        current.config.clone()
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
        let config = tokio::task::spawn_blocking(move || self.config(&app)).await?;
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
