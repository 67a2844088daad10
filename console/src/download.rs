//! Files out of snapshots: one as it is, a folder as a tar archive, the basket as a ZIP archive. They leave as attachments that no browser opens by
//! itself, and one that can't be read to its end breaks off instead of looking whole.

use crate::browse::{self, Spot};
use crate::locks::lock;
use crate::reply;
use crate::sessions::Picked;
use crate::visit::Visit;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use service::archive::{self, ZipStream};
use service::catalogue::report::console as texts;
use service::catalogue::{Cause, ConsoleFault};
use service::entry::{Kind, Time};
use service::manifest::Manifest;
use service::monitor::{Monitor, Phase, Problem, Progress, Quiet};
use service::repo::Repo;
use service::units::escape;
use service::{Error, Failure, SessionId, dump, list};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Pieces that wait for a slow reader.
const AHEAD: usize = 4;
const PIECE: usize = 256 << 10;

/// What is sent.
pub enum Sending {
    File(Arc<Repo>, Manifest, Vec<u8>),
    Tar(Arc<Repo>, Manifest, Vec<u8>),
    Zip(Vec<Packed>),
}

/// A path of a snapshot that goes into an archive.
pub struct Packed {
    pub repo: Arc<Repo>,
    pub snapshot: SessionId,
    pub path: Vec<u8>,
    /// The folder in the archive, or empty.
    pub below: String,
}

pub async fn download(visit: Visit) -> Response {
    reply::answer(visit, |visit, _, _| {
        let spot = Spot::of(&visit.query);
        let repo = visit.app.open(&spot.remote)?;
        let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
        let entry = browse::entry(&repo, &manifest, &spot.path)?;
        let name = spot.name().to_vec();
        let path = spot.path.clone();
        let (name, length, sending) = match &entry {
            Some(entry) if entry.kind == Kind::File && !entry.is_saved() => {
                let path = escape(&path);
                return Err(Error::NotSaved { path }.into());
            }
            Some(entry) if entry.kind == Kind::File => {
                (name, Some(entry.meta.size), Sending::File(repo, manifest, path))
            }
            Some(entry) if entry.kind == Kind::Dir => {
                let name = [&name, b".tar".as_slice()].concat();
                (name, None, Sending::Tar(repo, manifest, path))
            }
            None if spot.path == b"/" => (b"snapshot.tar".to_vec(), None, Sending::Tar(repo, manifest, path)),
            Some(_) | None => return Ok(StatusCode::NOT_FOUND.into_response()),
        };
        attachment(&name, length, sending)
    })
    .await
}

/// All that is in the basket, as one archive.
pub async fn basket(visit: Visit) -> Response {
    reply::answer(visit, |visit, context, lang| {
        let picked = match &visit.session {
            Some(session) => session.basket().clone(),
            None => Vec::new(),
        };
        if picked.is_empty() {
            let fault = ConsoleFault::EmptyBasket;
            return Err(Cause::Console { fault }.into());
        }
        let mut repos: HashMap<String, Arc<Repo>> = HashMap::new();
        for one in &picked {
            if !repos.contains_key(&one.remote) {
                let repo = visit.app.open(&one.remote)?;
                repos.insert(one.remote.clone(), repo);
            }
        }
        let mut packed = Vec::new();
        for (one, below) in folders(&topmost(&picked)) {
            let Some(repo) = repos.get(&one.remote) else {
                continue;
            };
            packed.push(Packed {
                repo: repo.clone(),
                snapshot: browse::id(&one.snapshot)?,
                path: one.path.clone(),
                below,
            });
        }
        let name = texts::archive_name(lang, &context.now.strftime("%Y-%m-%d").to_string());
        attachment(name.as_bytes(), None, Sending::Zip(packed))
    })
    .await
}

/// Without what lies in a folder that is picked from the same snapshot, too.
fn topmost(picked: &[Picked]) -> Vec<&Picked> {
    let is_within = |one: &Picked, folder: &Picked| {
        let same = (&one.remote, &one.snapshot) == (&folder.remote, &folder.snapshot);
        let rest = one.path.strip_prefix(folder.path.as_slice());
        let is_below = folder.path == b"/" || rest.is_some_and(|rest| rest.starts_with(b"/"));
        same && folder.is_dir && one.path != folder.path && is_below
    };
    let all = picked.iter();
    all.filter(|one| !picked.iter().any(|folder| is_within(one, folder)))
        .collect()
}

/// Each with the folder in which it stands in the archive: none if all come from one snapshot, and else the snapshot's
/// time, since the same path may come from several.
fn folders<'p>(picked: &[&'p Picked]) -> Vec<(&'p Picked, String)> {
    let mut snapshots: Vec<(&str, &str, String)> = Vec::new();
    for one in picked {
        let is_known = snapshots
            .iter()
            .any(|known| (known.0, known.1) == (one.remote.as_str(), one.snapshot.as_str()));
        if is_known {
            continue;
        }
        let mut name = one.time.replace(':', "-");
        if snapshots.iter().any(|known| known.2 == name) {
            name += &format!(" {}", one.snapshot.get(..8).unwrap_or_default());
        }
        snapshots.push((&one.remote, &one.snapshot, name));
    }
    let is_single = snapshots.len() == 1;
    let below = |one: &Picked| {
        let found = snapshots
            .iter()
            .find(|known| (known.0, known.1) == (one.remote.as_str(), one.snapshot.as_str()));
        let name = found.filter(|_| !is_single).map(|known| known.2.clone());
        name.unwrap_or_default()
    };
    picked.iter().map(|one| (*one, below(one))).collect()
}

/// A file that the browser saves.
fn attachment(name: &[u8], length: Option<u64>, sending: Sending) -> Result<Response, Failure> {
    let mut answer = stream(sending)?;
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, disposition(name));
    // Should a browser open it all the same, it runs nothing.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(answer)
}

/// An answer that a thread writes while it is read.
pub fn stream(sending: Sending) -> Result<Response, Failure> {
    let (pieces, body) = Pieces::new();
    let thread = std::thread::Builder::new().name("download".to_string());
    let spawned = thread.spawn(move || write(&sending, pieces));
    spawned.map_err(|e| Cause::NoThread { why: e.into() })?;
    Ok(body.into_response())
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

fn write(sending: &Sending, mut out: Pieces) {
    let written = match sending {
        Sending::Tar(repo, manifest, path) => archive::tar(repo, manifest, path, &mut out, &Quiet),
        Sending::File(repo, manifest, path) => dump::file(repo, manifest, path, &mut out, &Quiet).map(drop),
        Sending::Zip(packed) => zip(packed, &mut out),
    };
    out.end(written.is_ok());
}

/// Names in the archive begin below the deepest folder that holds everything.
fn zip(packed: &[Packed], out: &mut dyn Write) -> Result<(), Error> {
    let folders = packed
        .iter()
        .map(|one| browse::parent(&one.path).unwrap_or_default());
    let within = folders.reduce(|a, b| browse::shared(&a, &b)).unwrap_or_default();
    let within = list::relative(&within);
    let left_out = LeftOut::default();
    let mut archive = ZipStream::new(out);
    for one in packed {
        let manifest = one.repo.manifest(one.snapshot)?;
        let place = (within, one.below.as_bytes());
        archive.add(&one.repo, &manifest, &one.path, place, &left_out)?;
    }
    let text = left_out.text();
    if !text.is_empty() {
        archive.add_bytes(NOT_HERE, text.as_bytes(), LeftOut::time())?;
    }
    archive.end()
}

/// The member that names what could not be put into the archive.
const NOT_HERE: &[u8] = b"NOT IN THIS ARCHIVE.txt";
/// Paths that it names.
const NAMED_MAX: usize = 10_000;

/// Remembers what an archive has no place for, or what could not be read when it was backed up.
#[derive(Default)]
struct LeftOut(Mutex<Vec<String>>);

impl Monitor for LeftOut {
    fn phase(&self, _: Phase) {}

    fn progress(&self, _: &Progress) {}

    fn current(&self, _: &[u8]) {}

    fn problem(&self, problem: &Problem) {
        let mut paths = lock(&self.0);
        if paths.len() < NAMED_MAX {
            paths.push(escape(&problem.path));
        }
    }
}

impl LeftOut {
    fn text(&self) -> String {
        let paths = lock(&self.0);
        paths.iter().map(|path| format!("{path}\r\n")).collect()
    }

    fn time() -> Time {
        Time {
            secs: jiff::Timestamp::now().as_second(),
            nanos: 0,
        }
    }
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

    fn picked(snapshot: &str, path: &str, is_dir: bool) -> Picked {
        Picked {
            remote: "main".to_string(),
            snapshot: snapshot.repeat(16),
            time: "2026-11-27 12:00:00".to_string(),
            path: path.as_bytes().to_vec(),
            is_dir,
        }
    }

    #[test]
    fn an_archive_has_each_path_once() {
        let all = [
            picked("1f", "/a", true),
            picked("1f", "/a/b", false),
            picked("1f", "/ab", false),
            picked("2f", "/a/b", false),
        ];
        let top = topmost(&all);
        let names: Vec<&[u8]> = top.iter().map(|one| one.path.as_slice()).collect();
        assert_eq!(names, [b"/a".as_slice(), b"/ab", b"/a/b"]);
        let below: Vec<String> = folders(&top).into_iter().map(|(_, below)| below).collect();
        assert_eq!(
            below,
            [
                "2026-11-27 12-00-00",
                "2026-11-27 12-00-00",
                "2026-11-27 12-00-00 2f2f2f2f"
            ]
        );
        assert_eq!(
            folders(&topmost(&all[..3]))[0].1,
            "",
            "one snapshot needs no folder"
        );
    }

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
