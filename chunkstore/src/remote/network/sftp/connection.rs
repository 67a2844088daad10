//! One `ssh` process and the SFTP session over it: the user's own configuration, keys, agent and known hosts count, as
//! they do for everything else that goes to that machine.

use super::super::fault::{Fault, Outcome, not_started};
use crate::child;
use crate::error::Cause;
use crate::remote::address::Address;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as Said;
use russh_sftp::client::rawsession::SftpResult;
use russh_sftp::extensions::HardlinkExtension;
use russh_sftp::protocol::{Packet, Status, StatusCode};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

/// Bytes at most of what `ssh` prints before it gives up.
const COMPLAINT_MAX: usize = 2000;
/// What it prints when trying again can't help.
const DENIED: [&str; 4] = [
    "Permission denied",
    "Host key verification failed",
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
    "Too many authentication failures",
];
/// How this program reports it through the library's errors.
const NAME_IS_TAKEN: &str = "name-taken";
const CLOSED: &str = "connection-closed";
const SSH: &str = "ssh";

pub(super) struct Connection {
    session: RawSftpSession,
    broken: AtomicBool,
    gone: Arc<Notify>,
    syncs: bool,
    /// Ends with this value.
    _child: Child,
}

impl Connection {
    pub async fn make(address: &Address) -> Outcome<Connection> {
        let stall = address
            .stall()
            .map_err(|e| Fault::lasting(ErrorKind::InvalidInput, e))?;
        let mut child = command(address, stall)
            .and_then(child::start_async)
            .map_err(|e| not_started(SSH, e))?;
        let (Some(input), Some(output), Some(complaint)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Fault::lasting(ErrorKind::Other, Cause::NoPipes { program: SSH }));
        };
        let gone = Arc::new(Notify::new());
        let mut session = RawSftpSession::new(Watched {
            pipe: tokio::io::join(output, input),
            packets: Packets::default(),
            gone: gone.clone(),
        });
        session.set_timeout(stall.as_secs());
        let greeted = tokio::select! {
            greeted = session.init() => greeted.map_err(|e| Cause::Detail(e.to_string())),
            () = gone.notified() => Err(Cause::ConnectionClosed),
        };
        let version = match greeted {
            Ok(version) => version,
            Err(e) => return Err(refused(&mut child, complaint, e).await),
        };
        // Read on, or ssh would wait once the pipe is full.
        tokio::spawn(async move {
            let mut complaint = complaint;
            let mut sink = [0; 512];
            while complaint.read(&mut sink).await.is_ok_and(|n| n > 0) {}
        });
        if version.extensions.contains_key("limits@openssh.com") {
            session.set_limits(session.limits().await.map_err(fault)?.into());
        }
        Ok(Connection {
            session,
            broken: AtomicBool::new(false),
            gone,
            syncs: version.extensions.contains_key("fsync@openssh.com"),
            _child: child,
        })
    }

    pub fn is_open(&self) -> bool {
        !self.broken.load(Relaxed)
    }

    /// Asks the server something. An answer that never came ends the connection: the next try makes a new one.
    pub async fn ask<'s, T, F>(&'s self, request: impl FnOnce(&'s RawSftpSession) -> F) -> SftpResult<T>
    where
        F: Future<Output = SftpResult<T>>,
    {
        let answer = tokio::select! {
            biased;
            answer = request(&self.session) => answer,
            () = self.gone.notified() => {
                // The others that wait here are to hear of it too.
                self.gone.notify_one();
                Err(Said::IO(CLOSED.to_string()))
            }
        };
        if matches!(&answer, Err(said) if !matches!(said, Said::Status(_))) {
            self.broken.store(true, Relaxed);
        }
        answer
    }

    /// A rename that replaces, by OpenSSH's extension: the protocol's own never does.
    pub async fn rename_over(&self, from: &str, to: &str) -> SftpResult<()> {
        // Two paths, as that of links has them.
        let paths = HardlinkExtension {
            oldpath: from.to_string(),
            newpath: to.to_string(),
        };
        let paths: Vec<u8> = paths.try_into()?;
        match self
            .ask(|sftp| sftp.extended("posix-rename@openssh.com", paths))
            .await?
        {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(Said::Status(status)),
            _ => Err(Said::UnexpectedPacket),
        }
    }

    /// Makes a file's bytes durable, where the server can.
    pub async fn sync(&self, handle: &str) -> SftpResult<()> {
        match self.syncs {
            true => self.ask(|sftp| sftp.fsync(handle)).await.map(drop),
            false => Ok(()),
        }
    }
}

/// Longest packet that is taken, bytes: the library makes room for as much as a packet says. OpenSSH's are shorter.
const PACKET_MAX: u32 = 1 << 20;

/// Where the packets of a stream begin.
#[derive(Default)]
struct Packets {
    /// What was read of the length that a packet begins with.
    length: Vec<u8>,
    /// How much of the packet is left.
    left: usize,
}

impl Packets {
    /// Goes on over these bytes. False if a packet is too long.
    fn pass(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let (length, rest) = bytes.split_at(bytes.len().min(4 - self.length.len()));
            self.length.extend_from_slice(length);
            bytes = rest;
            if let Ok(length) = <[u8; 4]>::try_from(self.length.as_slice()) {
                #[allow(clippy::big_endian_bytes)] // of the protocol
                let length = u32::from_be_bytes(length);
                if length > PACKET_MAX {
                    return false;
                }
                self.left = length as usize;
                self.length.clear();
            }
        }
        true
    }
}

/// The pipes to and from `ssh`; signals when it has closed them.
struct Watched<P> {
    pipe: P,
    packets: Packets,
    gone: Arc<Notify>,
}

impl<P: AsyncRead + Unpin> AsyncRead for Watched<P> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let watched = self.get_mut();
        let before = buffer.filled().len();
        let mut read = std::task::ready!(Pin::new(&mut watched.pipe).poll_read(context, buffer));
        if !watched.packets.pass(&buffer.filled()[before..]) {
            read = Err(ErrorKind::InvalidData.into());
        }
        if read.is_err() || buffer.filled().len() == before {
            watched.gone.notify_one();
        }
        Poll::Ready(read)
    }
}

impl<P: AsyncWrite + Unpin> AsyncWrite for Watched<P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(context)
    }
}

fn command(address: &Address, stall: Duration) -> io::Result<Command> {
    let mut command = Command::from(child::command("ssh")?);
    command.args([
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=20",
        "-o",
        "ServerAliveCountMax=3",
    ]);
    command
        .arg("-o")
        .arg(format!("ServerAliveInterval={}", (stall.as_secs() / 3).max(1)));
    if let Some(config) = address.get("config") {
        command.args(["-F", config]);
    }
    if let Some(identity) = address.get("identity") {
        command.args(["-o", "IdentitiesOnly=yes", "-i", identity]);
    }
    if let Some(port) = address.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &address.user {
        command.args(["-l", user]);
    }
    command
        .args(["-s", "--", &address.host, "sftp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    child::detach(&mut command);
    Ok(command)
}

/// Why `ssh` ended before it had a session.
async fn refused(child: &mut Child, complaint: impl AsyncRead + Unpin, otherwise: Cause) -> Fault {
    let mut said = Vec::new();
    let mut complaint = complaint.take(COMPLAINT_MAX as u64);
    let read = tokio::time::timeout(Duration::from_secs(5), complaint.read_to_end(&mut said)).await;
    // It may have ended by itself.
    let _ = child.start_kill();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let said = match (read, lines.is_empty()) {
        (Ok(Ok(_)), false) => Cause::Detail(lines.join("; ")),
        _ => otherwise,
    };
    let is_denied = matches!(&said, Cause::Detail(said) if DENIED.iter().any(|word| said.contains(word)));
    let said = Box::new(said);
    let cause = Cause::Program { program: SSH, said };
    match is_denied {
        true => Fault::lasting(ErrorKind::PermissionDenied, cause),
        false => Fault::passing(ErrorKind::ConnectionAborted, cause),
    }
}

/// The answer to a rename whose target exists.
pub(super) fn taken() -> Said {
    Said::Status(Status {
        id: 0,
        status_code: StatusCode::Failure,
        error_message: NAME_IS_TAKEN.to_string(),
        language_tag: String::new(),
    })
}

pub(super) fn fault(said: Said) -> Fault {
    let cause = match &said {
        Said::IO(said) if said == CLOSED => Cause::ConnectionClosed,
        Said::Status(status) if status.error_message == NAME_IS_TAKEN => Cause::Exists,
        said => Cause::Detail(said.to_string()),
    };
    match said {
        Said::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => Fault::lasting(ErrorKind::NotFound, cause),
            StatusCode::PermissionDenied => Fault::lasting(ErrorKind::PermissionDenied, cause),
            StatusCode::Failure if status.error_message == NAME_IS_TAKEN => {
                Fault::lasting(ErrorKind::AlreadyExists, cause)
            }
            StatusCode::NoConnection | StatusCode::ConnectionLost => {
                Fault::passing(ErrorKind::ConnectionAborted, cause)
            }
            _ => Fault::lasting(ErrorKind::Other, cause),
        },
        Said::Timeout => Fault::passing(ErrorKind::TimedOut, cause),
        Said::IO(_) | Said::UnexpectedBehavior(_) => Fault::passing(ErrorKind::ConnectionAborted, cause),
        Said::Limited(_) | Said::UnexpectedPacket => Fault::lasting(ErrorKind::InvalidData, cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::big_endian_bytes)] // of the protocol
    fn packets_are_bounded() {
        let packet = |length: u32, bytes: usize| [&length.to_be_bytes()[..], &vec![0xff; bytes]].concat();
        let stream = [packet(5, 5), packet(0, 0), packet(3000, 3000), packet(1, 1)].concat();
        // However the stream is cut.
        for step in [1, 2, 3, 5, 7, 100, stream.len()] {
            let mut packets = Packets::default();
            assert!(stream.chunks(step).all(|bytes| packets.pass(bytes)), "{step}");
            assert!(packets.pass(&packet(PACKET_MAX, 10)), "{step}");
            let mut packets = Packets::default();
            let stream = [stream.clone(), packet(PACKET_MAX + 1, 10)].concat();
            assert!(!stream.chunks(step).all(|bytes| packets.pass(bytes)), "{step}");
        }
    }
}
