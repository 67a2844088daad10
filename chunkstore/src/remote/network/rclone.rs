//! Whatever rclone can reach: it serves the place as WebDAV on loopback, for as long as this value lives, with a
//! password that only the two know.

use super::fault::{Fault, Outcome, not_started};
use super::webdav::WebDav;
use crate::child;
use crate::error::Cause;
use crate::remote::address::Address;
use crate::remote::link::Link;
use std::io::ErrorKind;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

const RCLONE: &str = "rclone";
const USER: &str = "dedup";
/// Longest start.
const START: Duration = Duration::from_secs(60);
/// Lines that rclone may print before the one with its address.
const LINES: usize = 100;

pub(super) struct Rclone {
    place: String,
    link: Link,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// Ends with this value.
    child: Child,
    server: Arc<WebDav>,
}

impl Rclone {
    pub fn new(address: &Address, link: &Link) -> Rclone {
        Rclone {
            place: address.path.clone(),
            link: link.clone(),
            running: Mutex::new(None),
        }
    }

    /// The server, started when first asked for and again when it ended.
    pub async fn server(&self) -> Outcome<Arc<WebDav>> {
        let mut running = self.running.lock().await;
        if let Some(Running { child, server }) = &mut *running
            && matches!(child.try_wait(), Ok(None))
        {
            return Ok(server.clone());
        }
        let started = self.start().await?;
        let server = started.server.clone();
        *running = Some(started);
        Ok(server)
    }

    async fn start(&self) -> Outcome<Running> {
        let random = crate::id::random::<24>().map_err(|e| Fault::lasting(ErrorKind::Other, e))?;
        let password = Zeroizing::new(hex::encode(random));
        let mut command = Command::from(child::command(RCLONE).map_err(|e| not_started(RCLONE, e))?);
        command
            .args([
                "serve",
                "webdav",
                "--addr",
                "127.0.0.1:0",
                "--log-level",
                "NOTICE",
                "--",
                &self.place,
            ])
            .env("RCLONE_USER", USER)
            .env("RCLONE_PASS", password.as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(proxy) = &self.link.proxy {
            command.env("HTTP_PROXY", proxy).env("HTTPS_PROXY", proxy);
        }
        child::detach(&mut command);
        let mut child = child::start_async(command).map_err(|e| not_started(RCLONE, e))?;
        let Some(said) = child.stderr.take() else {
            return Err(Fault::lasting(
                ErrorKind::Other,
                Cause::NoPipes { program: RCLONE },
            ));
        };
        let mut said = BufReader::new(said);
        let port = tokio::time::timeout(START, listens(&mut said)).await;
        let port =
            port.map_err(|_| Fault::passing(ErrorKind::TimedOut, Cause::NotReady { program: RCLONE }))??;
        // Read on, or rclone would wait once the pipe is full.
        tokio::spawn(async move {
            let mut sink = [0; 512];
            while said.read(&mut sink).await.is_ok_and(|n| n > 0) {}
        });
        let address = Address::of_loopback(port, USER, password);
        // The server that it is here is never behind the proxy.
        let link = Link {
            proxy: None,
            ..self.link.clone()
        };
        let server = WebDav::new(&address, &link).map_err(|e| Fault::lasting(ErrorKind::Other, e))?;
        Ok(Running {
            child,
            server: Arc::new(server),
        })
    }
}

/// The port that rclone chose, from what it prints at its start.
async fn listens(said: &mut BufReader<ChildStderr>) -> Outcome<u16> {
    let mut last = String::new();
    for _ in 0..LINES {
        let mut line = String::new();
        match said.read_line(&mut line).await {
            Ok(n) if n > 0 => {}
            _ => break,
        }
        let port = line.split("http://127.0.0.1:").nth(1).and_then(|rest| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        if let Some(port) = port {
            return Ok(port);
        }
        last = line;
    }
    Err(Fault::lasting(
        ErrorKind::InvalidInput,
        Cause::Program {
            program: RCLONE,
            said: Box::new(Cause::Detail(last.trim().to_string())),
        },
    ))
}
