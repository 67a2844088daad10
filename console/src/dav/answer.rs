//! The methods: OPTIONS, PROPFIND, GET and HEAD. All others are refused.

use super::ANSWERS;
use super::auth::{Asked, admitted};
use super::multistatus::{self as say, href, http_date, is_shown};
use crate::download::Pieces;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use service::entry::{Entry, Kind};
use service::shown::{NoAnswer, SnapshotTree, TOP, ViewNode};
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What a client may say with PROPFIND; all properties are told, whichever it names.
const BODY_MAX: usize = 64 << 10;
/// Bytes of a file that are read at once.
const READ: usize = 256 << 10;

const ALLOWED: &str = "OPTIONS, GET, HEAD, PROPFIND";

pub(super) struct Server {
    tree: Arc<SnapshotTree>,
    token: String,
    answers: Arc<Semaphore>,
}

/// How deep PROPFIND looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Itself,
    Children,
}

/// Bytes of a file, from the first to before the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    All,
    Some {
        from: u64,
        end: u64,
    },
    /// The file is shorter.
    None,
}

impl Server {
    pub(super) fn new(tree: SnapshotTree, token: String) -> Server {
        Server {
            tree: Arc::new(tree),
            token,
            answers: Arc::new(Semaphore::new(ANSWERS)),
        }
    }

    pub(super) async fn answer(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let mut answer = match admitted(&self.token, head.uri.path(), &head.headers) {
            None => unauthorized(),
            Some(asked) => match head.method.as_str() {
                "OPTIONS" => allowed(StatusCode::OK),
                "PROPFIND" => match (to_bytes(body, BODY_MAX).await, depth(&head.headers)) {
                    (Err(_), _) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
                    (_, None) => endless(),
                    (Ok(_), Some(depth)) => {
                        self.made(move |tree, send| propfind(tree, &asked, depth, send))
                            .await
                    }
                },
                "GET" | "HEAD" => self.get(asked, &head.method, head.headers).await,
                _ => allowed(StatusCode::METHOD_NOT_ALLOWED),
            },
        };
        let headers = answer.headers_mut();
        // Nothing that was backed up is to run in a browser, or to learn the token.
        let fixed = [
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; sandbox; frame-ancestors 'none'",
            ),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "private, no-store"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    async fn get(&self, asked: Asked, method: &Method, headers: HeaderMap) -> Response {
        let head_only = *method == Method::HEAD;
        self.made(move |tree, send| {
            let node = match find(tree, &asked.path) {
                Ok(node) => node,
                Err(refused) => return send(refused.into_response()),
            };
            match node.entry.kind {
                Kind::Dir => page(tree, &asked, &node, head_only, send),
                _ => file(tree, &node, head_only, &headers, send),
            }
        })
        .await
    }

    /// An answer that is made in a thread which may wait for disks and networks. `make` sends its head, and goes on writing
    /// the body.
    async fn made(&self, make: impl FnOnce(&SnapshotTree, Answering<'_>) + Send + 'static) -> Response {
        let Ok(permit) = self.answers.clone().acquire_owned().await else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let (send, receive) = tokio::sync::oneshot::channel();
        let tree = self.tree.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut send = Some(send);
            make(&tree, &mut |answer| {
                // If the client is gone, nobody is to be told.
                if let Some(send) = send.take() {
                    let _gone = send.send(answer);
                }
            });
        });
        // A panic has been printed by its thread.
        receive
            .await
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// Sends the head of an answer, and where its body comes from.
type Answering<'a> = &'a mut dyn FnMut(Response);

fn unauthorized() -> Response {
    let scheme = HeaderValue::from_static("Basic realm=\"dedup\", charset=\"UTF-8\"");
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, scheme)]).into_response()
}

fn allowed(status: StatusCode) -> Response {
    let headers = [
        (header::ALLOW, ALLOWED),
        (header::HeaderName::from_static("dav"), "1"),
        (header::HeaderName::from_static("ms-author-via"), "DAV"),
    ];
    (status, headers).into_response()
}

/// What a server answers that does not go down to the end of the tree.
fn endless() -> Response {
    let text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
        <D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n";
    (
        StatusCode::FORBIDDEN,
        [(header::CONTENT_TYPE, "application/xml")],
        text,
    )
        .into_response()
}

/// `None` for a depth without end, which is also meant where there is none.
fn depth(headers: &HeaderMap) -> Option<Depth> {
    match headers.get("depth")?.as_bytes() {
        b"0" => Some(Depth::Itself),
        b"1" => Some(Depth::Children),
        _ => None,
    }
}

fn refused(why: NoAnswer) -> StatusCode {
    match why {
        NoAnswer::Absent | NoAnswer::NotADirectory | NoAnswer::NotAFile | NoAnswer::Unknown => {
            StatusCode::NOT_FOUND
        }
        NoAnswer::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What is at a path.
fn find(tree: &SnapshotTree, path: &[u8]) -> Result<ViewNode, StatusCode> {
    let mut node = tree.node(TOP).map_err(refused)?;
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        let parent = node.inode;
        node = tree.lookup(parent, name).map_err(refused)?;
        // Above the snapshots, `latest` leads to a name in the same directory.
        if let Kind::Symlink { target } = &node.entry.kind
            && SnapshotTree::may_change(node.inode)
        {
            node = tree.lookup(parent, target).map_err(refused)?;
        }
    }
    match is_shown(&node.entry.kind) {
        true => Ok(node),
        false => Err(StatusCode::NOT_FOUND),
    }
}

/// Called with a path, the number of what is there, and what it is.
type OnChild<'a> = dyn FnMut(&[u8], u64, &Entry) -> io::Result<()> + 'a;

/// Calls `each` with what is in a directory.
fn children(tree: &SnapshotTree, path: &[u8], node: &ViewNode, each: &mut OnChild<'_>) -> bool {
    let mut written = Ok(());
    let listed = tree.list(node.inode, 0, &mut |_, inode, entry| {
        let child = match path {
            b"" => entry.name.clone(),
            path => [path, b"/", &entry.name].concat(),
        };
        let is_latest = matches!(entry.kind, Kind::Symlink { .. }) && SnapshotTree::may_change(inode);
        if is_latest {
            let dir = Entry {
                kind: Kind::Dir,
                ..entry.clone()
            };
            written = each(&child, inode, &dir);
        } else if is_shown(&entry.kind) {
            written = each(&child, inode, entry);
        }
        written.is_ok()
    });
    listed.is_ok() && written.is_ok()
}

fn propfind(tree: &SnapshotTree, asked: &Asked, depth: Depth, send: Answering<'_>) {
    let node = match find(tree, &asked.path) {
        Ok(node) => node,
        Err(refused) => return send(refused.into_response()),
    };
    let (mut out, body) = Pieces::new();
    let kind = [(header::CONTENT_TYPE, "application/xml; charset=utf-8")];
    send((StatusCode::MULTI_STATUS, kind, body).into_response());
    let base = &asked.base;
    let mut is_whole = say::begin(&mut out)
        .and_then(|()| say::response(&mut out, base, &asked.path, node.inode, &node.entry))
        .is_ok();
    if is_whole && depth == Depth::Children && node.entry.kind == Kind::Dir {
        is_whole = children(tree, &asked.path, &node, &mut |path, inode, entry| {
            say::response(&mut out, base, path, inode, entry)
        });
    }
    is_whole &= say::end(&mut out).is_ok();
    out.end(is_whole);
}

/// A directory for a browser.
fn page(tree: &SnapshotTree, asked: &Asked, node: &ViewNode, head_only: bool, send: Answering<'_>) {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    if head_only {
        return send((StatusCode::OK, kind).into_response());
    }
    let (mut out, body) = Pieces::new();
    send((StatusCode::OK, kind, body).into_response());
    let mut begun = say::begin_page(&mut out, &asked.path);
    if let (Ok(()), false) = (&begun, asked.path.is_empty()) {
        let slash = asked.path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let up = href(&asked.base, asked.path.get(..slash).unwrap_or_default(), true);
        begun = say::row(&mut out, &up, b"..", None);
    }
    let mut is_whole = begun.is_ok()
        && children(tree, &asked.path, node, &mut |path, _, entry| {
            let link = href(&asked.base, path, entry.kind == Kind::Dir);
            say::row(&mut out, &link, &entry.name, Some(entry))
        });
    is_whole &= say::end_page(&mut out).is_ok();
    out.end(is_whole);
}

fn file(tree: &SnapshotTree, node: &ViewNode, head_only: bool, headers: &HeaderMap, send: Answering<'_>) {
    // Before the head is sent, which would promise a file.
    if let Err(why) = tree.open(node.inode) {
        return send(refused(why).into_response());
    }
    let size = node.entry.meta.size;
    let tag = say::tag(node.inode, &node.entry);
    let part = match headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(range) if continues(headers, &tag) => part_of(range, size),
        _ => Part::All,
    };
    let (status, from, end) = match part {
        Part::All => (StatusCode::OK, 0, size),
        Part::Some { from, end } => (StatusCode::PARTIAL_CONTENT, from, end),
        Part::None => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let (pieces, body) = match head_only || part == Part::None {
        true => (None, Body::empty()),
        false => {
            let (pieces, body) = Pieces::new();
            (Some(pieces), body)
        }
    };
    let mut answer = (status, body).into_response();
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/octet-stream");
    set(header::ACCEPT_RANGES, "bytes");
    set(header::CONTENT_LENGTH, &(end - from).to_string());
    set(header::ETAG, &tag);
    match part {
        Part::All => {}
        Part::Some { from, end } => {
            set(
                header::CONTENT_RANGE,
                &format!("bytes {from}-{}/{size}", end.saturating_sub(1)),
            );
        }
        Part::None => set(header::CONTENT_RANGE, &format!("bytes */{size}")),
    }
    if let Some(date) = http_date(node.entry.meta.mtime) {
        set(header::LAST_MODIFIED, &date);
    }
    send(answer);
    if let Some(pieces) = pieces {
        copy(tree, node.inode, (from, end), pieces);
    }
}

fn copy(tree: &SnapshotTree, inode: u64, (mut from, end): (u64, u64), mut out: Pieces) {
    while from < end {
        let len = usize::try_from(end - from).map_or(READ, |left| left.min(READ));
        match tree.read(inode, from, len) {
            Ok(bytes) if !bytes.is_empty() => {
                from += bytes.len() as u64;
                if out.write_all(&bytes).is_err() {
                    return;
                }
            }
            Ok(_) | Err(_) => return out.end(false),
        }
    }
    out.end(true);
}

/// Whether a part is wanted of what the client has got already, if it says so.
fn continues(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get(header::IF_RANGE)
        .is_none_or(|value| value.as_bytes() == tag.as_bytes())
}

/// The part that a Range header means. Of several parts, and of what is no range, all is sent, as RFC 9110 allows.
fn part_of(range: &str, size: u64) -> Part {
    let Some((first, last)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Part::All;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (from, end) = match (number(first), number(last)) {
        (Some(from), Some(last)) if last >= from => (from, size.min(last.saturating_add(1))),
        (Some(from), None) if last.trim().is_empty() => (from, size),
        (None, Some(last)) if first.trim().is_empty() => match last {
            0 => return Part::None,
            last => (size.saturating_sub(last), size),
        },
        _ => return Part::All,
    };
    match from < end {
        true => Part::Some { from, end },
        false => Part::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_file() {
        let some = |from, end| Part::Some { from, end };
        for (range, want) in [
            ("bytes=0-0", some(0, 1)),
            ("bytes=2-5", some(2, 6)),
            ("bytes=2-", some(2, 10)),
            ("bytes=-3", some(7, 10)),
            ("bytes=-30", some(0, 10)),
            ("bytes=5-100", some(5, 10)),
            ("bytes=10-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=5-2", Part::All),
            ("bytes=0-1,3-4", Part::All),
            ("bytes=x-", Part::All),
            ("lines=0-1", Part::All),
            ("bytes=", Part::All),
            ("bytes=-", Part::All),
        ] {
            assert_eq!(part_of(range, 10), want, "{range}");
        }
        assert_eq!(part_of("bytes=0-", 0), Part::None);
    }
}
