//! Answers that no sound server gives: cut, of another kind, without end, or about something else. None may be taken for a
//! short listing, for damage, or for success, and none may cost more than it has to.

use chunkstore::error::{Cause, Error, Result};
use chunkstore::id::SessionId;
use chunkstore::remote::{self, Kind, Link, ObjectName, Remote};
use kit::remotes::listed;
use kit::servers::{Answer, scripted};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Bytes that an endless answer is made of.
const MUCH: usize = 1 << 20;
/// No page follows.
const ONLY: &str = "<IsTruncated>false</IsTruncated>";
const SOON: Duration = Duration::from_secs(30);

fn s3(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Arc<dyn Remote> {
    let port = scripted(answer);
    let url = format!("s3://key:secret@bucket/backup?endpoint=http://127.0.0.1:{port}&retry=1&timeout=10");
    remote::open(&url, &Link::default()).unwrap()
}

fn webdav(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Arc<dyn Remote> {
    let port = scripted(answer);
    let url = format!("webdav://127.0.0.1:{port}/backup?retry=1&timeout=10");
    remote::open(&url, &Link::default()).unwrap()
}

/// What was found instead of an answer.
#[track_caller]
fn cause<T: std::fmt::Debug>(result: Result<T>) -> Cause {
    let Err(Error::Remote { source, .. }) = result else {
        panic!("{result:?}");
    };
    let mut cause = source.cause().unwrap().clone();
    while let Cause::Retried { last, .. } = &cause {
        cause = last.cause().unwrap().clone();
    }
    cause
}

fn id(number: u8) -> SessionId {
    SessionId([number; 16])
}

fn snapshot(number: u8) -> ObjectName {
    ObjectName::snapshot(id(number))
}

/// A page of S3's with these keys.
fn page(keys: &[&str], more: &str) -> String {
    let keys: String = keys
        .iter()
        .map(|key| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>5</Size></Contents>")
        })
        .collect();
    format!("<?xml version=\"1.0\"?><ListBucketResult>{more}{keys}</ListBucketResult>")
}

#[test]
fn listings_of_object_stores_that_are_none() {
    let error = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
    let endless = page(&[], "<IsTruncated>true</IsTruncated>");
    for answer in [error, "{}", "", &endless] {
        let answer = answer.to_string();
        let remote = s3(move |_| Answer::new("200 OK", &answer));
        let began = Instant::now();
        assert_eq!(cause(listed(&*remote, Kind::Snapshot)), Cause::ListingIncomplete);
        assert!(began.elapsed() < SOON);
    }
    let whole = page(&[&format!("backup/{}", snapshot(1))], ONLY);
    let cut = whole[..whole.len() - 5].to_string();
    let remote = s3(move |_| Answer::new("200 OK", &cut));
    assert_eq!(cause(listed(&*remote, Kind::Snapshot)), Cause::ListingIncomplete);
    let remote = s3(move |_| Answer::new("200 OK", &whole));
    assert_eq!(listed(&*remote, Kind::Snapshot).unwrap(), [(snapshot(1), 5)]);
}

/// A server that always gives the first page says that there is another one.
#[test]
fn a_listing_that_begins_anew() {
    let next = "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>";
    let again = page(&[&format!("backup/{}", snapshot(1))], next);
    let remote = s3(move |_| Answer::new("200 OK", &again));
    assert_eq!(cause(listed(&*remote, Kind::Snapshot)), Cause::ListingIncomplete);
}

#[test]
fn keys_that_were_not_asked_for() {
    let (ours, others) = (
        format!("backup/{}", snapshot(1)),
        format!("others/{}", snapshot(2)),
    );
    let keys = [&ours, "a", "/", "", "é", "back", "backup", &others, &ours];
    let answer = page(&keys, ONLY);
    // One name that is listed twice is the remote's own matter: see below.
    let answer = answer.replacen(&format!("<Key>{ours}"), "<Key>backup/snapshots/x", 1);
    let remote = s3(move |_| Answer::new("200 OK", &answer));
    assert_eq!(listed(&*remote, Kind::Snapshot).unwrap(), [(snapshot(1), 5)]);
}

#[test]
fn a_name_that_is_listed_twice_is_one_object() {
    let [first, again] = [1, 2].map(|number| format!("backup/{}", snapshot(number)));
    let answer = page(&[&first, &again, &again], ONLY);
    let remote = s3(move |_| Answer::new("200 OK", &answer));
    let ids = remote::ids(&*remote, Kind::Snapshot, SessionId::from_hex).unwrap();
    assert_eq!(ids, [id(1), id(2)]);
}

#[test]
fn answers_without_end() {
    let filler = "x".repeat(MUCH);
    let range = ["content-range: bytes 0-99/100"];
    let body = filler.clone();
    let remote = s3(move |_| Answer::endless("206 Partial Content", &range, &body));
    let (mut out, began) = (Vec::new(), Instant::now());
    remote.read(&ObjectName::config(), 0, 100, &mut out).unwrap();
    assert_eq!(out, [b'x'; 100]);
    let body = filler.clone();
    let remote = s3(move |_| Answer::endless("400 Bad Request", &[], &body));
    let Cause::Detail(said) = cause(remote.read(&ObjectName::config(), 0, 100, &mut out)) else {
        panic!("another cause");
    };
    assert!(said.len() < 1000, "{}", said.len());
    let Cause::Detail(said) = cause(listed(&*remote, Kind::Snapshot)) else {
        panic!("another cause");
    };
    assert!(said.len() < 1000, "{}", said.len());
    let remote = s3(move |_| Answer::endless("200 OK", &[], &filler));
    assert_eq!(cause(listed(&*remote, Kind::Snapshot)), Cause::AnswerTooLong);
    assert!(began.elapsed() < SOON);
}

/// Bytes of somewhere else would be taken for damage.
#[test]
fn other_ranges_than_were_asked_for() {
    for open in [
        s3 as fn(fn(&str) -> Answer) -> _,
        webdav as fn(fn(&str) -> Answer) -> _,
    ] {
        let remote: Arc<dyn Remote> =
            open(|_| Answer::with("206 Partial Content", &["content-range: bytes 0-4/9"], "abcde"));
        let mut out = Vec::new();
        remote.read(&ObjectName::config(), 0, 5, &mut out).unwrap();
        assert_eq!(out, b"abcde");
        let read = remote.read(&ObjectName::config(), 4, 5, &mut out);
        assert_eq!(cause(read), Cause::WrongRange);
    }
    // With the status of the whole, and what it is a part of.
    let some = s3(|_| Answer::with("200 OK", &["content-range: bytes 4-6/9"], "efg"));
    let mut out = Vec::new();
    some.read(&ObjectName::config(), 4, 3, &mut out).unwrap();
    assert_eq!(out, b"efg");
    let ignoring = |_: &str| Answer::new("200 OK", "abcdefghi");
    let read = s3(ignoring).read(&ObjectName::config(), 4, 3, &mut out);
    assert_eq!(cause(read), Cause::WrongRange);
    webdav(ignoring)
        .read(&ObjectName::config(), 4, 3, &mut out)
        .unwrap();
    assert_eq!(out, b"efg");
}

/// As from a portal that wants a login.
#[test]
fn redirects_are_not_followed() {
    let portal = |head: &str| match head.starts_with("GET /login") {
        true => Answer::new("200 OK", "Please log in"),
        false => Answer::with("303 See Other", &["location: /login", "content-length: 0"], ""),
    };
    for remote in [s3(portal), webdav(portal)] {
        let to = "/login".to_string();
        let redirected = Cause::Redirected { to };
        let name = snapshot(1);
        assert_eq!(cause(remote.delete(&name)), redirected);
        assert_eq!(cause(remote.size(&name)), redirected);
        assert_eq!(cause(remote.read(&name, 0, 9, &mut Vec::new())), redirected);
        assert_eq!(cause(listed(&*remote, Kind::Snapshot)), redirected);
        assert_eq!(cause(remote.put(&name, b"x")), redirected);
    }
}

#[test]
fn listings_of_webdav_that_are_none() {
    let member = |href: &str| format!("<response><href>{href}</href></response>");
    let name = format!("/backup/{}", snapshot(1));
    let whole = format!(
        "<multistatus>{}{}</multistatus>",
        member("/backup/snapshots/"),
        member(&name)
    );
    let cut = whole.replace("</multistatus>", "");
    for answer in ["", "<html/>", "<html><p>Please log in</p></html>", &cut] {
        let answer = answer.to_string();
        let remote = webdav(move |_| Answer::new("207 Multi-Status", &answer));
        assert_eq!(cause(listed(&*remote, Kind::Snapshot)), Cause::ListingIncomplete);
    }
    let in_data = whole.replace(&name, &format!("<![CDATA[{name}]]>"));
    for answer in [whole, in_data] {
        let remote = webdav(move |_| Answer::new("207 Multi-Status", &answer));
        assert_eq!(listed(&*remote, Kind::Snapshot).unwrap(), [(snapshot(1), 0)]);
    }
}

/// Folders of packs are named by two digits: what else a server says costs no request.
#[test]
fn folders_of_packs() {
    let odd = ["..", "zz", "AB", "abc", "ab", "ab"];
    let folders: String = odd
        .iter()
        .map(|name| {
            format!(
                "<response><href>/backup/packs/{name}/</href><resourcetype><collection/></resourcetype></response>"
            )
        })
        .collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    let remote = webdav(move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_string();
        let members = match path.as_str() {
            "/backup/packs/" => folders.clone(),
            _ => String::new(),
        };
        let own =
            format!("<response><href>{path}</href><resourcetype><collection/></resourcetype></response>");
        noted.lock().unwrap().push(path);
        Answer::new(
            "207 Multi-Status",
            &format!("<multistatus>{own}{members}</multistatus>"),
        )
    });
    assert_eq!(listed(&*remote, Kind::Pack).unwrap(), []);
    assert_eq!(*asked.lock().unwrap(), ["/backup/packs/", "/backup/packs/ab/"]);
}
