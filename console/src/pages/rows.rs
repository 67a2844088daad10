//! Rows of a folder: what a snapshot holds, and what earlier ones held.

use super::{Moment, shown, size, stamp};
use crate::browse::{self, Spot, below};
use crate::fields::encoded;
use serde_json::{Value, json};
use service::catalogue::Lang;
use service::catalogue::report::console as texts;
use service::deleted::deleted as find_deleted;
use service::entry::{Entry, Kind};
use service::facts::SnapshotInfo;
use service::manifest::Manifest;
use service::monitor::Quiet;
use service::repo::Repo;
use service::{Context, Failure, SessionId, text};

/// Deleted entries of one folder that are shown.
const DELETED_MAX: usize = 1000;

pub struct Row {
    pub name: String,
    pub full: String,
    pub value: String,
    pub is_dir: bool,
    /// The folder, or the preview of the file.
    pub to: Option<String>,
    pub versions: Option<String>,
    pub download: Option<String>,
    pub changed: Option<Moment>,
    pub size: String,
    pub problem: bool,
}

impl Row {
    /// What a grid fills a row with.
    pub fn for_grid(&self) -> Value {
        let changed = self.changed.as_ref();
        let changed = changed.map(|at| json!({ "words": at.words, "exact": at.exact, "iso": at.iso }));
        json!({
            "name": self.name,
            "full": self.full,
            "value": self.value,
            "is_dir": self.is_dir,
            "to": self.to,
            "versions": self.versions,
            "download": self.download,
            "changed": changed,
            "size": self.size,
            "problem": self.problem,
        })
    }
}

/// One that is gone.
pub struct DeletedRow {
    pub row: Row,
    /// When.
    pub when: String,
}

/// What the form says of a ticked path: its kind, the snapshot if it is another than the form's, and the path.
pub fn pick_value(path: &[u8], is_dir: bool, snapshot: Option<SessionId>) -> String {
    let kind = if is_dir { 'd' } else { 'f' };
    let snapshot = snapshot.map(|id| id.to_hex()).unwrap_or_default();
    format!("{kind}{snapshot}{}", encoded(path))
}

pub fn row(context: &Context, lang: Lang, spot: &Spot, entry: &Entry) -> Row {
    let path = below(&spot.path, &entry.name);
    let is_dir = entry.kind == Kind::Dir;
    let is_file = entry.kind == Kind::File;
    Row {
        name: shown(&entry.name),
        full: shown(&path),
        value: pick_value(&path, is_dir, None),
        is_dir,
        to: match entry.kind {
            Kind::Dir => Some(spot.link("/restore", &path)),
            Kind::File => Some(spot.link("/preview", &path)),
            _ => None,
        },
        versions: (!is_dir).then(|| spot.link("/restore/versions", &path)),
        download: is_file.then(|| spot.link("/download", &path)),
        changed: stamp(entry.meta.mtime).map(|at| Moment::ago(lang, at, &context.now)),
        size: if is_file {
            size(entry.meta.size)
        } else {
            String::new()
        },
        problem: entry.trouble.is_some(),
    }
}

/// What earlier snapshots of the machine have in the folder and this one has not.
pub fn deleted(
    context: &Context,
    lang: Lang,
    repo: &Repo,
    manifest: &Manifest,
    spot: &Spot,
    (facts, newest): (&SnapshotInfo, &[&SnapshotInfo]),
) -> Result<(Vec<DeletedRow>, bool), Failure> {
    let all = browse::of_same_host(newest, facts, &spot.path);
    let here = all.iter().position(|one| one.id == facts.id);
    let older: Vec<&SnapshotInfo> = all
        .iter()
        .skip(here.map_or(0, |here| here + 1))
        .copied()
        .collect();
    let ids: Vec<SessionId> = older.iter().map(|one| one.id).collect();
    let reader = repo.reader(&Quiet);
    let (mut found, has_more) = find_deleted(repo, &reader, manifest, &ids, &spot.path, DELETED_MAX)?;
    found.retain(|one| spot.hidden || !one.entry.name.starts_with(b"."));
    found.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
    let rows = found.iter().map(|one| {
        let there = spot.in_snapshot(one.snapshot);
        let place = older.iter().position(|facts| facts.id == one.snapshot);
        let holder = place.and_then(|place| older.get(place));
        let last = holder.map(|facts| text::time(facts.time)).unwrap_or_default();
        let path = below(&spot.path, &one.entry.name);
        let is_dir = one.entry.kind == Kind::Dir;
        DeletedRow {
            row: Row {
                value: pick_value(&path, is_dir, Some(one.snapshot)),
                ..row(context, lang, &there, &one.entry)
            },
            when: texts::deleted_after(lang, &last),
        }
    });
    Ok((rows.collect(), has_more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_ticked_paths() {
        assert_eq!(pick_value(b"/a b", false, None), "f/a%20b");
        let id = SessionId([0x1f; 16]);
        assert_eq!(
            pick_value(b"/d", true, Some(id)),
            format!("d{}/d", "1f".repeat(16))
        );
    }
}
