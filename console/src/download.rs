//! Files out of a snapshot: one as it is, a folder as a tar archive. They leave as attachments that no browser opens by
//! itself, and one that can't be read to its end breaks off instead of looking whole.

use crate::browse::{self, Spot};
use crate::guard::Visit;
use crate::reply;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use service::entry::Kind;
use service::manifest::Manifest;
use service::monitor::Quiet;
use service::repo::Repo;
use service::{Context, Failure, archive, dump};
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces that wait for a slow reader.
const AHEAD: usize = 4;
const PIECE: usize = 256 << 10;

pub async fn download(visit: Visit) -> Response {
    reply::answer(visit, |visit, context, _| start(visit, context)).await
}

fn start(visit: &Visit, _: &Context) -> Result<Response, Failure> {
    let spot = Spot::of(&visit.query);
    let repo = visit.app.repos.open(&visit.app, &spot.remote)?;
    let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
    let entry = browse::entry(&repo, &manifest, &spot.path)?;
    let name = spot.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let (name, length, is_dir) = match &entry {
        Some(entry) if entry.kind == Kind::File => (name.to_vec(), Some(entry.meta.size), false),
        Some(entry) if entry.kind == Kind::Dir => ([name, b".tar"].concat(), None, true),
        None if spot.path == b"/" => (b"snapshot.tar".to_vec(), None, true),
        Some(_) | None => return Ok(StatusCode::NOT_FOUND.into_response()),
    };
    let (pieces, body) = Pieces::new();
    let thread = std::thread::Builder::new().name("download".to_string());
    let path = spot.path;
    let spawned = thread.spawn(move || write(&repo, &manifest, &path, is_dir, pieces));
    spawned.map_err(|e| service::catalogue::Cause::NoThread { why: e.into() })?;
    let mut answer = body.into_response();
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, disposition(&name));
    // Should a browser open it all the same, it runs nothing.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(answer)
}

/// An attachment by this name: in ASCII for old readers, and as it is (RFC 6266).
fn disposition(name: &[u8]) -> HeaderValue {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_ ".contains(c);
    let text = String::from_utf8_lossy(name);
    let ascii: String = text.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let whole = percent_encode(text.as_bytes(), NON_ALPHANUMERIC);
    let value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}");
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

fn write(repo: &Arc<Repo>, manifest: &Manifest, path: &[u8], is_dir: bool, mut out: Pieces) {
    let written = match is_dir {
        true => archive::tar(repo, manifest, path, &mut out, &Quiet),
        false => dump::file(repo, manifest, path, &mut out, &Quiet).map(drop),
    };
    out.end(written.is_ok());
}

type Piece = io::Result<Bytes>;

/// Gathers what is written into pieces for the connection.
pub(crate) struct Pieces {
    send: mpsc::Sender<Piece>,
    waiting: Vec<u8>,
}

impl Pieces {
    /// Writes to a body, which is given with it.
    pub(crate) fn new() -> (Pieces, Body) {
        let (send, receive) = mpsc::channel(AHEAD);
        let body = stream::unfold(receive, |mut receive| async {
            receive.recv().await.map(|piece: Piece| (piece, receive))
        });
        let waiting = Vec::new();
        (Pieces { send, waiting }, Body::from_stream(body))
    }

    /// Sends what is left. Where what was to be written could not be, the connection breaks off, which is how a client learns
    /// that it has not got the whole.
    pub(crate) fn end(mut self, is_whole: bool) {
        if !is_whole || self.flush().is_err() {
            // If the reader is gone, nobody is to be told.
            let _ = self.send.blocking_send(Err(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.waiting));
        let sent = self.send.blocking_send(Ok(piece));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attachments() {
        let value = |name: &str| disposition(name.as_bytes()).to_str().unwrap().to_string();
        assert_eq!(
            value("letter.odt"),
            "attachment; filename=\"letter.odt\"; filename*=UTF-8''letter%2Eodt"
        );
        let odd = value("a\"; x=\r\nSet-Cookie: y; 日本<script>.html");
        assert!(
            odd.starts_with("attachment; filename=\"a__ x___Set-Cookie_ y_ ___script_.html\";"),
            "{odd}"
        );
    }
}
