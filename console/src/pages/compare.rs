//! One file at two moments: two snapshots, or a snapshot and the disk. Texts line by line, office documents by their text,
//! others by what is known of them.

use super::{Moment, shown, size, stamp};
use crate::browse::{self, Spot};
use crate::preview::document::{Block, Document};
use crate::preview::{self, words};
use crate::reply::{self, answer};
use crate::textdiff::{self, LineSign};
use crate::visit::{Frame, Visit};
use askama::Template;
use axum::response::Response;
use service::catalogue::report::console::{self as texts, Labels};
use service::catalogue::{Action, Cause, Lang};
use service::entry::{Entry, Kind};
use service::manifest::Manifest;
use service::platform::paths::from_bytes;
use service::repo::Repo;
use service::versions::{VersionChange, Versions};
use service::{Context, Failure, dump, monitor::Quiet, text};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// A text of more bytes is not compared line by line.
const TEXT_MAX: usize = 1 << 20;
/// A file of more bytes is not read to compare it with the disk.
const READ_MAX: u64 = 1 << 30;
/// Lines that a page shows.
const LINES_SHOWN: usize = 5000;

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    f: Frame,
    name: String,
    back: String,
    /// The older one first.
    sides: [SideView; 2],
    verdict: String,
    lines: Vec<LineView>,
    /// Why there are no lines, or not all of them.
    note: &'static str,
}

struct SideView {
    title: String,
    changed: Option<Moment>,
    size: String,
    is_there: bool,
}

struct LineView {
    class: &'static str,
    sign: &'static str,
    old: String,
    new: String,
    text: String,
}

/// A file at one of the moments.
struct Side {
    title: String,
    mtime: Option<jiff::Timestamp>,
    size: u64,
    is_there: bool,
    /// Its text, if it has one.
    text: Option<String>,
}

impl Side {
    /// It has no such file.
    fn nothing(title: String) -> Side {
        Side {
            title,
            mtime: None,
            size: 0,
            is_there: false,
            text: Some(String::new()),
        }
    }
}

pub async fn page(visit: Visit) -> Response {
    answer(visit, compare).await
}

fn compare(visit: &Visit, context: &Context, lang: Lang) -> Result<Response, Failure> {
    let spot = Spot::of(&visit.query);
    let repo = visit.app.open(&spot.remote)?;
    let manifest = repo.manifest(browse::id(&spot.snapshot)?)?;
    let entry = browse::entry(&repo, &manifest, &spot.path)?.filter(|entry| entry.kind == Kind::File);
    let entry = entry.ok_or_else(|| browse::bad("path"))?;
    let this = of_snapshot(lang, &repo, &manifest, &spot, Some(&entry))?;
    let (old, new, change) = match visit.query.text("with") {
        Some("now") => with_now(context, lang, (&repo, &manifest), &spot, &entry, this)?,
        Some(other) => {
            let manifest_there = repo.manifest(browse::id(other)?)?;
            let there = browse::entry(&repo, &manifest_there, &spot.path)?;
            let there = there.filter(|entry| entry.kind == Kind::File);
            let change = change(there.as_ref(), &entry);
            let other = of_snapshot(lang, &repo, &manifest_there, &spot, there.as_ref())?;
            match manifest_there.time() <= manifest.time() {
                true => (other, this, change),
                false => (this, other, change),
            }
        }
        None => return Err(browse::bad("with")),
    };
    let (lines, note) = lines(lang, &old, &new, change);
    reply::page(&ComparePage {
        f: visit.frame_in(Some(context), lang, "restore", &shown(spot.name())),
        name: shown(spot.name()),
        back: spot.link("/restore/versions", &spot.path),
        verdict: texts::compared_as(lang, change).to_string(),
        lines,
        note,
        sides: [view(context, lang, old), view(context, lang, new)],
    })
}

fn view(context: &Context, lang: Lang, side: Side) -> SideView {
    SideView {
        title: side.title,
        changed: side.mtime.map(|at| Moment::ago(lang, at, &context.now)),
        size: if side.is_there {
            size(side.size)
        } else {
            String::new()
        },
        is_there: side.is_there,
    }
}

/// `None`: only one side has it.
fn change(old: Option<&Entry>, new: &Entry) -> Option<VersionChange> {
    let mut versions = Versions::default();
    versions.add(service::SessionId([0; 16]), old?);
    versions.add(service::SessionId([1; 16]), new);
    let all = versions.into_vec();
    let last = all
        .iter()
        .flat_map(|version| &version.holdings)
        .find(|holding| holding.snapshot.0 == [1; 16]);
    last.map(|holding| holding.change)
}

fn of_snapshot(
    lang: Lang,
    repo: &Repo,
    manifest: &Manifest,
    spot: &Spot,
    entry: Option<&Entry>,
) -> Result<Side, Failure> {
    let title = texts::as_of(lang, &text::time(manifest.time()));
    let Some(entry) = entry else {
        return Ok(Side::nothing(title));
    };
    let text = match preview::is_office(entry) {
        true => preview::read_document(repo, manifest, &spot.path, lang)?.map(|document| plain(&document)),
        false => {
            let (bytes, is_cut) = browse::head(repo, manifest, &spot.path, TEXT_MAX)?;
            words::string(&bytes).filter(|_| !is_cut)
        }
    };
    Ok(Side {
        title,
        mtime: stamp(entry.meta.mtime),
        size: entry.meta.size,
        is_there: true,
        text,
    })
}

/// A document as lines.
fn plain(document: &Document) -> String {
    let mut lines = String::new();
    for block in &document.blocks {
        match block {
            Block::Heading(text) | Block::Paragraph(text) => lines += text,
            Block::Table(rows) => {
                let rows: Vec<String> = rows.iter().map(|row| row.join("\t")).collect();
                lines += &rows.join("\n");
            }
        }
        lines.push('\n');
    }
    lines
}

/// The file at the same path on this machine, which must have made the snapshot.
fn with_now(
    context: &Context,
    lang: Lang,
    (repo, manifest): (&Arc<Repo>, &Manifest),
    spot: &Spot,
    entry: &Entry,
    this: Side,
) -> Result<(Side, Side, Option<VersionChange>), Failure> {
    if context.host(None)? != manifest.host {
        return Err(browse::bad("with"));
    }
    let path = from_bytes(&spot.path);
    let refused = |e: io::Error| Failure::from(Cause::system(Action::Read, &path, e));
    let title = Labels(lang).on_disk_now().to_string();
    let found = match fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() => Some(found),
        // Something else is there now.
        Ok(_) => None,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        Err(e) => return Err(refused(e)),
    };
    let Some(found) = found else {
        return Ok((this, Side::nothing(title), None));
    };
    let text = text_on_disk(&path, entry, lang).map_err(refused)?;
    let same = found.len() == entry.meta.size && is_same(repo, manifest, spot, entry)?;
    let mtime = found
        .modified()
        .ok()
        .and_then(|at| jiff::Timestamp::try_from(at).ok());
    let is_untouched = mtime.map(jiff::Timestamp::as_second) == Some(entry.meta.mtime.secs);
    let change = match (same, is_untouched) {
        (true, true) => VersionChange::Unchanged,
        (true, false) => VersionChange::Metadata,
        (false, _) => VersionChange::Content,
    };
    let there = Side {
        title,
        mtime,
        size: found.len(),
        is_there: true,
        text,
    };
    Ok((this, there, Some(change)))
}

/// The text of a file on the disk, if it has one and is not too large.
fn text_on_disk(path: &Path, entry: &Entry, lang: Lang) -> io::Result<Option<String>> {
    if preview::is_office(entry) {
        let document = preview::document_of(path, lang)?;
        return Ok(document.map(|document| plain(&document)));
    }
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(TEXT_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(words::string(&bytes).filter(|_| bytes.len() <= TEXT_MAX))
}

/// Compares what is read of the snapshot with the file, piece by piece.
struct Comparing {
    file: File,
    buffer: Vec<u8>,
    differs: bool,
}

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        let read = self.file.read_exact(&mut self.buffer);
        self.differs |= read.is_err() || self.buffer != bytes;
        match self.differs {
            true => Err(io::ErrorKind::Other.into()),
            false => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the file on the disk has the same bytes. One that is too large to be read for a page counts by its time.
fn is_same(repo: &Repo, manifest: &Manifest, spot: &Spot, entry: &Entry) -> Result<bool, Failure> {
    let path = from_bytes(&spot.path);
    let file = File::open(&path).map_err(|e| Failure::from(Cause::system(Action::Read, &path, e)))?;
    if entry.meta.size > READ_MAX {
        let modified = file.metadata().and_then(|found| found.modified());
        let at = modified.ok().and_then(|at| jiff::Timestamp::try_from(at).ok());
        return Ok(at.map(jiff::Timestamp::as_second) == Some(entry.meta.mtime.secs));
    }
    let mut comparing = Comparing {
        file,
        buffer: Vec::new(),
        differs: false,
    };
    match dump::file(repo, manifest, &spot.path, &mut comparing, &Quiet) {
        Err(_) if comparing.differs => Ok(false),
        read => Ok(read.map(|_| true)?),
    }
}

fn lines(lang: Lang, old: &Side, new: &Side, change: Option<VersionChange>) -> (Vec<LineView>, &'static str) {
    let t = Labels(lang);
    let (Some(before), Some(after)) = (&old.text, &new.text) else {
        return (Vec::new(), t.no_lines());
    };
    if matches!(change, Some(VersionChange::Unchanged | VersionChange::Metadata)) {
        return (Vec::new(), "");
    }
    let Some(lines) = textdiff::diff(before, after) else {
        return (Vec::new(), t.too_different());
    };
    if lines
        .iter()
        .all(|line| matches!(line.sign, LineSign::Gap | LineSign::Same))
    {
        return (Vec::new(), t.same_text());
    }
    let note = if lines.len() > LINES_SHOWN {
        t.more_lines()
    } else {
        ""
    };
    let number = |nr: Option<usize>| nr.map(|nr| nr.to_string()).unwrap_or_default();
    let shown = lines.iter().take(LINES_SHOWN).map(|line| {
        let (class, sign) = match line.sign {
            LineSign::Same => ("same", " "),
            LineSign::Removed => ("removed", "−"),
            LineSign::Added => ("added", "+"),
            LineSign::Gap => ("gap", "⋯"),
        };
        LineView {
            class,
            sign,
            old: number(line.old),
            new: number(line.new),
            text: line.text.to_string(),
        }
    });
    (shown.collect(), note)
}
