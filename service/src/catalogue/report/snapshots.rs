//! Commands that list, compare and change snapshots: `snapshots`, `find`, `diff`, `tag`, `undelete`, `copy`.

use crate::catalogue::{Lang, Noun, count, say};
use crate::text::short;
use engine::facts::Group;
use engine::units::{escape, format_bytes};

/// Heads of the columns that tables of snapshots have.
pub fn columns(lang: Lang) -> [&'static str; 6] {
    match lang {
        Lang::En => ["ID", "Time", "Host", "Tags", "Paths", "Size"],
        Lang::Ja => ["ID", "日時", "ホスト", "タグ", "パス", "大きさ"],
    }
}

pub fn status_column(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Status",
        Lang::Ja => "状態",
    }
}

pub fn description_column(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Description",
        Lang::Ja => "説明",
    }
}

/// When a snapshot was removed.
pub fn removed_column(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Removed",
        Lang::Ja => "削除日時",
    }
}

pub fn reasons_column(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "Reasons",
        Lang::Ja => "理由",
    }
}

/// How the backup that made a snapshot ended, where it did not complete.
pub fn backup_status(lang: Lang, partial: bool) -> &'static str {
    match (lang, partial) {
        (Lang::En, true) => "partial",
        (Lang::En, false) => "incomplete",
        (Lang::Ja, true) => "途中まで",
        (Lang::Ja, false) => "未完了",
    }
}

pub fn no_snapshots(lang: Lang) -> String {
    say!(lang, "No snapshots", "スナップショットはありません")
}

/// What the snapshots of a group have in common.
#[derive(Clone, Debug)]
pub struct InCommon {
    host: Option<String>,
    paths: Option<Vec<Vec<u8>>>,
    tags: Option<Vec<String>>,
    set: Option<String>,
}

impl InCommon {
    pub fn of(group: &Group<'_>) -> InCommon {
        InCommon {
            host: group.host.clone(),
            paths: group.paths.clone(),
            tags: group.tags.clone(),
            set: group.set.clone(),
        }
    }

    /// Empty if they were not distinguished.
    pub fn text(&self, lang: Lang) -> String {
        let mut parts = Vec::new();
        if let Some(host) = &self.host {
            let host = escape(host.as_bytes());
            parts.push(say!(lang, "host {host}", "ホスト {host}"));
        }
        if let Some(paths) = &self.paths {
            let paths: Vec<String> = paths.iter().map(|path| escape(path)).collect();
            let paths = paths.join(" ");
            parts.push(say!(lang, "paths {paths}", "パス {paths}"));
        }
        if let Some(tags) = &self.tags {
            let tags: Vec<String> = tags.iter().map(|tag| escape(tag.as_bytes())).collect();
            let names = tags.join(",");
            parts.push(match tags.is_empty() {
                true => say!(lang, "no tags", "タグなし"),
                false => say!(lang, "tags {names}", "タグ {names}"),
            });
        }
        match self.set.as_deref() {
            None => {}
            Some("") => parts.push(say!(lang, "no set", "セットなし")),
            Some(set) => {
                let set = escape(set.as_bytes());
                parts.push(say!(lang, "set {set}", "セット {set}"));
            }
        }
        parts.join(lang.pick(", ", "、"))
    }
}

/// The heading of a group.
pub fn group(lang: Lang, group: &Group<'_>) -> String {
    let in_common = InCommon::of(group).text(lang);
    match in_common.is_empty() {
        true => say!(lang, "All snapshots", "すべてのスナップショット"),
        false => say!(lang, "Snapshots of {in_common}", "スナップショット ({in_common})"),
    }
}

pub fn in_snapshot(lang: Lang, snapshot: &str) -> String {
    say!(lang, "In snapshot {snapshot}", "スナップショット {snapshot}")
}

pub fn compared(lang: Lang, side: Side, files: u64, dirs: u64, others: u64, bytes: u64) -> String {
    let (files, dirs) = (count(lang, files, Noun::File), count(lang, dirs, Noun::Folder));
    let (others, bytes) = (count(lang, others, Noun::Other), format_bytes(bytes));
    let word = match (lang, side) {
        (Lang::En, Side::Added) => "Added",
        (Lang::En, Side::Removed) => "Removed",
        (Lang::En, Side::Missing) => "Missing",
        (Lang::Ja, Side::Added) => "追加",
        (Lang::Ja, Side::Removed) => "削除",
        (Lang::Ja, Side::Missing) => "不明",
    };
    let line = format!("{word}: {files}, {dirs}, {others}, {bytes}");
    match side {
        Side::Added | Side::Removed => line,
        Side::Missing => say!(
            lang,
            "{line} (the second snapshot could not read where they were)",
            "{line} (2 つ目のスナップショットでは、その場所を読み取れませんでした)"
        ),
    }
}

/// One line of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Added,
    Removed,
    Missing,
}

pub fn changed_files(lang: Lang, files: u64) -> String {
    let files = count(lang, files, Noun::File);
    say!(lang, "Changed: {files}", "変更: {files}")
}

pub fn tagged(lang: Lang, snapshots: u64, dry_run: bool) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    match dry_run {
        true => say!(
            lang,
            "Dry run: {snapshots} would be changed",
            "試しの実行: {snapshots}を変更します"
        ),
        false => say!(lang, "Changed {snapshots}", "{snapshots}を変更しました"),
    }
}

pub fn new_tags(lang: Lang, old: &str, new: Option<&str>, tags: &str) -> String {
    let old = short(old);
    match new.map(short) {
        None => format!("{old}: [{tags}]"),
        Some(new) => say!(
            lang,
            "{old} is now {new}: [{tags}]",
            "{old} は {new} になりました: [{tags}]"
        ),
    }
}

/// A snapshot that is, or would be, protected or not any more.
pub fn protected(lang: Lang, old: &str, new: Option<&str>, protect: bool) -> String {
    let old = short(old);
    let state = match (lang, protect) {
        (Lang::En, true) => "protected",
        (Lang::En, false) => "not protected",
        (Lang::Ja, true) => "保護",
        (Lang::Ja, false) => "保護なし",
    };
    match new.map(short) {
        None => format!("{old}: {state}"),
        Some(new) => say!(
            lang,
            "{old} is now {new}: {state}",
            "{old} は {new} になりました: {state}"
        ),
    }
}

pub fn trash_is_empty(lang: Lang, earlier_forms: u64) -> String {
    match earlier_forms {
        0 => say!(lang, "The trash is empty", "ゴミ箱は空です"),
        forms => {
            let forms = count(lang, forms, Noun::EarlierForm);
            say!(
                lang,
                "The trash is empty, but for {forms} of snapshots that are still there",
                "ゴミ箱には、残っているスナップショットの{forms}だけがあります"
            )
        }
    }
}

pub fn would_bring_back(lang: Lang, snapshot: &str) -> String {
    say!(lang, "Would bring back {snapshot}", "元に戻します: {snapshot}")
}

pub fn brought_back(lang: Lang, old: &str, new: &str) -> String {
    let (old, new) = (short(old), short(new));
    say!(
        lang,
        "Brought back {old} as {new}",
        "{old} を {new} として元に戻しました"
    )
}

pub fn copied(lang: Lang, from: &str, to: Option<&str>) -> String {
    let from = short(from);
    match to.map(short) {
        Some(to) => say!(
            lang,
            "Snapshot {from} is copied as {to}",
            "スナップショット {from} を {to} としてコピーしました"
        ),
        None => say!(
            lang,
            "Snapshot {from} would be copied",
            "スナップショット {from} をコピーします"
        ),
    }
}

pub fn nothing_to_copy(lang: Lang, some_failed: bool) -> String {
    match some_failed {
        true => say!(
            lang,
            "No snapshot was copied",
            "スナップショットはコピーしていません"
        ),
        false => say!(
            lang,
            "Nothing to copy: every snapshot is there already",
            "コピーするものはありません。すべてのスナップショットがすでにあります"
        ),
    }
}

pub fn copy_summary(lang: Lang, snapshots: u64, read: u64, new: u64, stored: u64, dry_run: bool) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    let (read, new, stored) = (format_bytes(read), format_bytes(new), format_bytes(stored));
    match dry_run {
        true => say!(
            lang,
            "{snapshots} to copy: {read} read, {new} new at the target ({stored} stored)",
            "コピーする{snapshots}: {read} を読み取り、コピー先に新しく {new} (格納時 {stored})"
        ),
        false => say!(
            lang,
            "{snapshots} copied: {read} read, {new} new at the target ({stored} stored)",
            "{snapshots}をコピーしました: {read} を読み取り、コピー先に新しく {new} (格納時 {stored})"
        ),
    }
}

/// A path with its tags.
pub fn tagged_path(lang: Lang, host: &str, path: &[u8], tags: &[String]) -> String {
    let tags: Vec<String> = tags.iter().map(|tag| escape(tag.as_bytes())).collect();
    let (host, path) = (escape(host.as_bytes()), escape(path));
    match tags.is_empty() {
        true => say!(lang, "{host}:{path}  no tags", "{host}:{path}  タグなし"),
        false => format!("{host}:{path}  [{}]", tags.join(", ")),
    }
}

pub fn paths_tagged(lang: Lang, paths: u64, dry_run: bool) -> String {
    let what = count(lang, paths, Noun::Path);
    match (paths, dry_run) {
        (0, _) => say!(lang, "Nothing to change", "変更するものはありません"),
        (_, true) => say!(
            lang,
            "Dry run: the tags of {what} would change",
            "試しの実行: {what}のタグが変わります"
        ),
        (_, false) => say!(lang, "Changed the tags of {what}", "{what}のタグを変更しました"),
    }
}

pub fn no_tagged_paths(lang: Lang) -> String {
    say!(lang, "No path has a tag", "タグの付いたパスはありません")
}
