//! Files of a snapshot shown in the browser. What is in them is somebody else's: it is sent into a frame that runs nothing,
//! loads nothing, opens nothing and has no session (`sandbox`), and nothing guesses what it is (`nosniff`).
//!
//! Text and office documents become HTML here, all of it escaped. Images are sent as what their first bytes say they are. A
//! PDF is sent as a PDF: the viewers of browsers are sandboxes of their own, and show nothing within another
//! (docs/decisions/0054-previews.md).

pub mod document;
pub mod office;
mod sheets;
pub mod unzip;
pub mod words;
mod xml;

use crate::browse::{self, Spot};
use crate::download::{self, Sending};
use crate::gate;
use crate::locks::lock;
use crate::reply::{self, answer};
use crate::visit::Visit;
use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use document::{Block, Document};
use service::Failure;
use service::catalogue::Lang;
use service::catalogue::report::console::{self as texts, Labels};
use service::entry::{Entry, Kind};
use service::manifest::Manifest;
use service::repo::Repo;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Bytes of a text that are shown.
const TEXT_MAX: usize = 512 << 10;
/// A larger document is not opened.
pub const DOCUMENT_MAX: usize = 32 << 20;
/// A larger image, or PDF, is only downloaded.
const SENT_MAX: u64 = 256 << 20;
/// Enough to know what it is.
const MAGIC: usize = 64;
/// Stands for text in an encoding of its own until it is put there.
const MARK: &str = "\u{f8ff}text\u{f8ff}";

/// One document at a time is in memory.
static ONE: Mutex<()> = Mutex::new(());

/// What a query asks for.
pub fn opened(visit: &Visit) -> Result<(Spot, Arc<Repo>, Manifest), Failure> {
    let spot = Spot::of(&visit.query);
    let repo = visit.app.open(&spot.remote)?;
    let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
    Ok((spot, repo, manifest))
}

/// The entry, if it is a file.
pub fn file(repo: &Repo, manifest: &Manifest, spot: &Spot) -> Result<Option<Entry>, Failure> {
    let entry = browse::entry(repo, manifest, &spot.path)?;
    Ok(entry.filter(|entry| entry.kind == Kind::File))
}

pub fn is_named(entry: &Entry, extensions: &[&str]) -> bool {
    let dot = entry.name.iter().rposition(|byte| *byte == b'.');
    let extension = dot.and_then(|dot| entry.name.get(dot + 1..)).unwrap_or_default();
    extensions
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known.as_bytes()))
}

pub fn is_office(entry: &Entry) -> bool {
    is_named(
        entry,
        &[
            "docx", "docm", "xlsx", "xlsm", "pptx", "pptm", "odt", "ods", "odp",
        ],
    )
}

/// What the first bytes say, and for SVG, which has none, the name.
fn image(bytes: &[u8], entry: &Entry) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'B', b'M', ..] if is_named(entry, &["bmp"]) => Some("image/bmp"),
        [0, 0, 1, 0, ..] if is_named(entry, &["ico"]) => Some("image/x-icon"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => Some("image/avif"),
        _ if is_named(entry, &["svg"]) => Some("image/svg+xml"),
        _ => None,
    }
}

/// What the frame shows.
pub async fn frame(visit: Visit) -> Response {
    answer(visit, |visit, _, lang| {
        let (spot, repo, manifest) = opened(visit)?;
        let Some(entry) = file(&repo, &manifest, &spot)? else {
            return Ok(StatusCode::NOT_FOUND.into_response());
        };
        let (magic, _) = browse::head(&repo, &manifest, &spot.path, MAGIC)?;
        let is_small = entry.meta.size <= SENT_MAX;
        if magic.starts_with(b"%PDF-") && is_small && is_named(&entry, &["pdf"]) {
            return sent(repo, manifest, spot, &entry, "application/pdf");
        }
        if let Some(kind) = image(&magic, &entry).filter(|_| is_small) {
            return sent(repo, manifest, spot, &entry, kind);
        }
        if magic.starts_with(b"PK") && is_office(&entry) {
            return document(visit, lang, &repo, &manifest, &spot);
        }
        let (bytes, is_cut) = browse::head(&repo, &manifest, &spot.path, TEXT_MAX)?;
        match words::text(&bytes) {
            Some((text, encoding)) => words_frame(visit, lang, &text, encoding, is_cut),
            None => message(visit, lang, Labels(lang).no_preview()),
        }
    })
    .await
}

/// As it is, for the browser to draw.
fn sent(
    repo: Arc<Repo>,
    manifest: Manifest,
    spot: Spot,
    entry: &Entry,
    kind: &'static str,
) -> Result<Response, Failure> {
    let mut answer = download::stream(Sending::File(repo, manifest, spot.path))?;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(entry.meta.size));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    let policy = match kind {
        "application/pdf" => {
            "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
        }
        // The browser's own page around an image has styles, and so have drawings.
        _ => {
            "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
        }
    };
    framed(&mut answer, policy);
    Ok(answer)
}

/// What lets a page of ours, and no other, hold it in a frame.
fn framed(answer: &mut Response, policy: &str) {
    let headers = answer.headers_mut();
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("sandbox"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    let resources = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resources, HeaderValue::from_static("same-origin"));
}

#[derive(Template)]
#[template(path = "preview_frame.html")]
struct FramePage {
    lang: &'static str,
    theme: &'static str,
    charset: &'static str,
    nonce: String,
    /// Instead of content.
    message: &'static str,
    words: String,
    blocks: Vec<Block>,
    /// Said below, where there is more.
    cut: &'static str,
}

impl FramePage {
    fn new(visit: &Visit, lang: Lang) -> Result<FramePage, Failure> {
        Ok(FramePage {
            lang: lang.code(),
            theme: visit.theme,
            charset: "utf-8",
            nonce: gate::token()?,
            message: "",
            words: String::new(),
            blocks: Vec::new(),
            cut: "",
        })
    }

    fn answer(&self, into: impl FnOnce(String) -> Vec<u8>) -> Result<Response, Failure> {
        let mut answer = into(reply::rendered(self)?).into_response();
        let kind = HeaderValue::from_str(&format!("text/html; charset={}", self.charset));
        let kind = kind.unwrap_or(HeaderValue::from_static("text/html"));
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{}'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
            self.nonce
        );
        framed(&mut answer, &policy);
        Ok(answer)
    }
}

fn message(visit: &Visit, lang: Lang, text: &'static str) -> Result<Response, Failure> {
    let page = FramePage {
        message: text,
        ..FramePage::new(visit, lang)?
    };
    page.answer(String::into_bytes)
}

fn words_frame(
    visit: &Visit,
    lang: Lang,
    text: &[u8],
    encoding: words::Encoding,
    is_cut: bool,
) -> Result<Response, Failure> {
    let t = Labels(lang);
    let page = FramePage {
        message: if text.is_empty() { t.empty_file() } else { "" },
        words: MARK.to_string(),
        charset: encoding.name(),
        cut: if is_cut { t.preview_cut() } else { "" },
        ..FramePage::new(visit, lang)?
    };
    page.answer(|around| {
        // What is around it is ASCII, which is the same in each of these encodings.
        let (before, after) = around.split_once(MARK).unwrap_or((&around, ""));
        [ascii(before), escaped(text), ascii(after)].concat()
    })
}

/// With character references for everything else.
fn ascii(html: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(html.len());
    for char in html.chars() {
        match char.is_ascii() {
            true => out.push(char as u8),
            false => out.extend_from_slice(format!("&#{};", u32::from(char)).as_bytes()),
        }
    }
    out
}

/// Byte by byte: in none of the encodings are these bytes part of another character.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            byte => out.push(*byte),
        }
    }
    out
}

fn document(
    visit: &Visit,
    lang: Lang,
    repo: &Repo,
    manifest: &Manifest,
    spot: &Spot,
) -> Result<Response, Failure> {
    let t = Labels(lang);
    let Some(Document { blocks, is_cut }) = read_document(repo, manifest, &spot.path, lang)? else {
        return message(visit, lang, t.no_preview());
    };
    let page = FramePage {
        message: if blocks.is_empty() { t.empty_file() } else { "" },
        blocks,
        cut: if is_cut { t.preview_cut() } else { "" },
        ..FramePage::new(visit, lang)?
    };
    page.answer(String::into_bytes)
}

/// An office document of a snapshot; `None` if it is too large, or none.
pub fn read_document(
    repo: &Repo,
    manifest: &Manifest,
    path: &[u8],
    lang: Lang,
) -> Result<Option<Document>, Failure> {
    let _one = lock(&ONE);
    let (bytes, is_cut) = browse::head(repo, manifest, path, DOCUMENT_MAX)?;
    if is_cut {
        return Ok(None);
    }
    Ok(office::read(&bytes, &|nr| texts::slide(lang, nr)))
}

/// The same of a file on the disk.
pub fn document_of(path: &Path, lang: Lang) -> io::Result<Option<Document>> {
    let _one = lock(&ONE);
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(DOCUMENT_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > DOCUMENT_MAX {
        return Ok(None);
    }
    Ok(office::read(&bytes, &|nr| texts::slide(lang, nr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_in_every_encoding() {
        assert_eq!(escaped(b"<b>&\x83\\\xff"), b"&lt;b&gt;&amp;\x83\\\xff");
        assert_eq!(ascii("a\u{65e5}<p>"), b"a&#26085;<p>");
    }
}
