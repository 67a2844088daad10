//! `backup` and `restore`. The words of the summary are restic's where it has them: scripts read them.

use crate::catalogue::{Lang, Noun, count, say};
use crate::status::Status;
use crate::text::{self, clock, short};
use engine::manifest::Summary;
use engine::monitor::EntryChange;
use engine::units::format_bytes;
use std::fmt::Write;
use std::time::Duration;

pub fn compared_with(lang: Lang, id: &str) -> String {
    let id = short(id);
    say!(
        lang,
        "Compared with snapshot {id}",
        "比較したスナップショット: {id}"
    )
}

pub fn saved(lang: Lang, id: &str) -> String {
    let id = short(id);
    say!(
        lang,
        "snapshot {id} saved",
        "スナップショット {id} を保存しました"
    )
}

/// At another destination than the one that was asked for.
pub fn saved_at(lang: Lang, id: &str, name: &str) -> String {
    let id = short(id);
    say!(
        lang,
        "snapshot {id} saved at {name}",
        "スナップショット {id} を {name} に保存しました"
    )
}

pub fn nothing_new(lang: Lang) -> String {
    say!(
        lang,
        "Nothing changed: no snapshot made",
        "変更がないため、スナップショットは作っていません"
    )
}

/// Folders that hold the backup itself; `path` names one of them.
pub fn left_out(lang: Lang, folders: u64) -> String {
    let folders = count(lang, folders, Noun::Folder);
    say!(
        lang,
        "Left out what belongs to the backup itself: {folders} (-v names them)",
        "バックアップ自身のものを除外しました: {folders} (-v で表示)"
    )
}

pub fn left_out_path(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "Left out, as it belongs to the backup itself: {path}",
        "バックアップ自身のものなので除外しました: {path}"
    )
}

/// What an exclude rule left out: the option that makes it, and its value.
pub fn excluded_by(lang: Lang, option: &str, value: &str, entries: u64) -> String {
    let entries = count(lang, entries, Noun::Entry);
    let rule = format!("{option} {value}");
    let rule = rule.trim_end();
    say!(
        lang,
        "Excluded by {rule}: {entries}",
        "{rule} による除外: {entries}"
    )
}

/// An entry that a rule left out; `line` is that of an ignore file, if one did.
pub fn excluded(lang: Lang, path: &str, option: &str, value: &str, line: Option<&str>) -> String {
    let rule = match line {
        Some(line) => line.to_string(),
        None => format!("{option} {value}").trim_end().to_string(),
    };
    let word = lang.pick("excluded", "除外");
    format!("{} {path} ({rule})", crate::text::padded(word, 9))
}

pub fn not_all_saved(lang: Lang, problems: u64) -> String {
    let problems = count(lang, problems, Noun::Problem);
    say!(
        lang,
        "{problems}: the paths named above were not saved, or not completely; the rest is saved",
        "{problems}: 上に示したパスは保存できなかったか、一部だけです。残りは保存しました"
    )
}

/// The table at the end of a backup: restic's words and plain numbers.
pub fn summary(lang: Lang, s: &Summary, elapsed: Duration, dry_run: bool) -> String {
    let (added, packed) = (format_bytes(s.data_added), format_bytes(s.data_added_packed));
    let (files, bytes) = (s.total_files_processed, format_bytes(s.total_bytes_processed));
    let took = clock(elapsed);
    let mut out = String::new();
    for (name, new, changed, same) in [
        (
            say!(lang, "Files:", "ファイル:"),
            s.files_new,
            s.files_changed,
            s.files_unmodified,
        ),
        (
            say!(lang, "Dirs:", "フォルダー:"),
            s.dirs_new,
            s.dirs_changed,
            s.dirs_unmodified,
        ),
    ] {
        let name = text::padded(&name, 11);
        // Writing to a String can't fail.
        let _ = match lang {
            Lang::En => writeln!(
                out,
                "{name}{new:>7} new, {changed:>5} changed, {same:>5} unmodified"
            ),
            Lang::Ja => writeln!(out, "{name}新規 {new:>7}、変更 {changed:>5}、変更なし {same:>5}"),
        };
    }
    out += &match (lang, dry_run) {
        (Lang::En, true) => format!("Would add to the repository: {added} ({packed} stored)\n\n"),
        (Lang::En, false) => format!("Added to the repository: {added} ({packed} stored)\n\n"),
        (Lang::Ja, true) => format!("リポジトリーに追加する量: {added} (格納時 {packed})\n\n"),
        (Lang::Ja, false) => format!("リポジトリーに追加: {added} (格納時 {packed})\n\n"),
    };
    let files = match (lang, files) {
        (Lang::En, 1) => "1 file".to_string(),
        (Lang::En, n) => format!("{n} files"),
        (Lang::Ja, n) => format!("ファイル {n} 個"),
    };
    out += &say!(
        lang,
        "processed {files}, {bytes} in {took}\n",
        "{files}、{bytes} を {took} で処理しました\n"
    );
    out
}

/// What became of an entry; in English restic's word where it has one.
pub fn change(lang: Lang, change: EntryChange) -> &'static str {
    match (lang, change) {
        (Lang::En, EntryChange::New) => "new",
        (Lang::En, EntryChange::Modified) => "modified",
        (Lang::En, EntryChange::Unchanged) => "unchanged",
        (Lang::En, EntryChange::Removed) => "removed",
        (Lang::En, EntryChange::Restored) => "restored",
        (Lang::En, EntryChange::Skipped) => "skipped",
        (Lang::En, EntryChange::Deleted) => "deleted",
        (Lang::Ja, EntryChange::New) => "新規",
        (Lang::Ja, EntryChange::Modified) => "変更",
        (Lang::Ja, EntryChange::Unchanged) => "変更なし",
        (Lang::Ja, EntryChange::Removed) => "削除",
        (Lang::Ja, EntryChange::Restored) => "復元",
        (Lang::Ja, EntryChange::Skipped) => "そのまま",
        (Lang::Ja, EntryChange::Deleted) => "消去",
    }
}

/// What made a backup, and so what makes the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MadeBy {
    Command,
    Set,
}

/// One replica that got the snapshot too, or is behind.
pub fn replica(lang: Lang, name: &str, bytes: u64, behind: u64, by: MadeBy) -> String {
    let state = behind_by(lang, behind);
    let sent = match (lang, bytes) {
        (_, 0) => String::new(),
        (Lang::En, bytes) => format!(", {} sent", format_bytes(bytes)),
        (Lang::Ja, bytes) => format!("、{} 送信", format_bytes(bytes)),
    };
    let catches_up = match (lang, by) {
        _ if behind == 0 => "",
        (Lang::En, MadeBy::Set) => ": the next run, or 'dedup replicate', continues from there",
        (Lang::Ja, MadeBy::Set) => "。次の実行か 'dedup replicate' で、続きから送ります",
        (Lang::En, MadeBy::Command) => {
            ": the next run with --also, or 'dedup replicate', continues from there"
        }
        (Lang::Ja, MadeBy::Command) => {
            "。次に --also を付けて実行するか 'dedup replicate' を実行すると、続きから送ります"
        }
    };
    say!(
        lang,
        "Replica {name}: {state}{sent}{catches_up}",
        "レプリカ {name}: {state}{sent}{catches_up}"
    )
}

/// How far a replica is behind.
pub fn behind_by(lang: Lang, behind: u64) -> String {
    match behind {
        0 => say!(lang, "current", "最新"),
        behind => {
            let snapshots = count(lang, behind, Noun::Snapshot);
            say!(lang, "behind by {snapshots}", "{snapshots}遅れ")
        }
    }
}

/// What a restore wrote, or would write: files and bytes, from which snapshot of what time, where to.
pub struct Restored<'a> {
    pub files: u64,
    pub bytes: u64,
    pub id: &'a str,
    pub time: &'a str,
    pub target: &'a str,
}

pub fn restored(lang: Lang, done: &Restored<'_>, took: Duration) -> String {
    let Restored { id, time, target, .. } = done;
    let (files, bytes) = (count(lang, done.files, Noun::File), format_bytes(done.bytes));
    let took = engine::units::format_duration(took);
    say!(
        lang,
        "Restored {files}, {bytes} from snapshot {id} of {time} to {target} in {took}",
        "スナップショット {id} ({time}) から {target} に{files}、{bytes} を {took} で復元しました"
    )
}

pub fn would_restore(lang: Lang, done: &Restored<'_>) -> String {
    let Restored { id, time, target, .. } = done;
    let (files, bytes) = (count(lang, done.files, Noun::File), format_bytes(done.bytes));
    say!(
        lang,
        "Would restore {files}, {bytes} from snapshot {id} of {time} to {target}",
        "スナップショット {id} ({time}) から {target} に{files}、{bytes} を復元します"
    )
}

pub fn skipped_equal(lang: Lang, files: u64, bytes: u64, dry_run: bool) -> String {
    let (are, were) = match files {
        1 => ("is", "was"),
        _ => ("are", "were"),
    };
    let (files, bytes) = (count(lang, files, Noun::File), format_bytes(bytes));
    match dry_run {
        true => say!(
            lang,
            "Would leave {files} that {are} already equal, {bytes}",
            "すでに同じものは残します: {files}、{bytes}"
        ),
        false => say!(
            lang,
            "Left {files} that {were} already equal, {bytes}",
            "すでに同じものはそのまま残しました: {files}、{bytes}"
        ),
    }
}

/// What was in the target where it belongs, so that it was not fetched.
pub fn reused(lang: Lang, bytes: u64) -> String {
    let bytes = format_bytes(bytes);
    say!(
        lang,
        "{bytes} of it were already in the target",
        "そのうち {bytes} は復元先にありました"
    )
}

/// What the target had and the snapshot has not.
pub fn deleted(lang: Lang, files: u64, dry_run: bool) -> String {
    let files = count(lang, files, Noun::File);
    match dry_run {
        true => say!(
            lang,
            "Would delete {files} that the snapshot does not hold",
            "スナップショットにない{files}を削除します"
        ),
        false => say!(
            lang,
            "Deleted {files} that the snapshot does not hold",
            "スナップショットにない{files}を削除しました"
        ),
    }
}

/// Files that were deleted before the snapshot was made, from those that still hold them.
pub fn deleted_earlier(lang: Lang, files: u64, snapshots: u64) -> String {
    let (files, snapshots) = (
        count(lang, files, Noun::File),
        count(lang, snapshots, Noun::Snapshot),
    );
    say!(
        lang,
        "Of these, {files} had been deleted and came from {snapshots} before it",
        "そのうち{files}は削除されていたもので、それ以前の{snapshots}から取り出しました"
    )
}

pub fn left_as_is(lang: Lang, files: u64, bytes: u64) -> String {
    let (files, bytes) = (count(lang, files, Noun::File), format_bytes(bytes));
    say!(
        lang,
        "Left {files}, {bytes} as they are",
        "そのまま残しました: {files}、{bytes}"
    )
}

pub fn verified(lang: Lang, files: u64) -> String {
    let files = count(lang, files, Noun::File);
    say!(
        lang,
        "Verified {files}: read again from the target, and as they were saved",
        "{files}を復元先から読み直し、保存したときと同じであることを確かめました"
    )
}

/// That not everything was restored, and what to do: which of the problems are damage of the repository, and which only
/// could not be read.
pub fn not_all_restored(lang: Lang, problems: u64, damage: u64, unreadable: u64) -> String {
    let problems = count(lang, problems, Noun::Problem);
    let then = match (damage, unreadable) {
        (0, 0) => lang.pick(
            "when their causes are gone, run the command again with '--overwrite if-changed': it leaves what is restored \
             already",
            "原因を取り除いてから、'--overwrite if-changed' を付けてもう一度実行してください。復元済みのものは飛ばします",
        ),
        (0, _) => lang.pick(
            "when the repository can be read again, run the command again with '--overwrite if-changed': it leaves what \
             is restored already",
            "リポジトリーを読み取れるようになったら、'--overwrite if-changed' を付けてもう一度実行してください。\
             復元済みのものは飛ばします",
        ),
        (_, _) => lang.pick(
            "'dedup check' says whether 'dedup repair' can help, 'dedup heal' repairs the repository from a replica, and \
             'dedup versions PATH' shows other snapshots that hold a file",
            "'dedup repair' で直るかどうかは 'dedup check' で分かります。レプリカがあれば 'dedup heal' でリポジトリーを\
             修復できます。'dedup versions PATH' で、そのファイルのあるほかのスナップショットを探せます",
        ),
    };
    say!(
        lang,
        "{problems}: the paths named above were not restored, or not completely; {then}",
        "{problems}: 上に示したパスは復元できなかったか、一部だけです。{then}"
    )
}

/// The status of a job, and the reason of one that is incomplete.
pub fn status(lang: Lang, status: Status) -> String {
    let (word, reason) = match lang {
        Lang::En => (status.word(), status.reason()),
        Lang::Ja => japanese_status(status),
    };
    match reason {
        None => word.to_string(),
        Some(reason) => format!("{word} ({reason})"),
    }
}

fn japanese_status(status: Status) -> (&'static str, Option<&'static str>) {
    match status {
        Status::Running => ("実行中", None),
        Status::Completed => ("完了", None),
        Status::NotRun => ("実行せず", None),
        Status::Failed => ("未完了", Some("予期しないエラー")),
        Status::AccessDenied => ("未完了", Some("アクセス拒否")),
        Status::Network => ("未完了", Some("ネットワーク")),
        Status::OutOfMemory => ("未完了", Some("メモリー不足")),
        Status::BadSettings => ("未完了", Some("設定の誤り")),
        Status::ForbiddenName => ("未完了", Some("使えない名前")),
        Status::Incomplete => ("未完了", Some("複数の原因")),
        Status::NoRepository => ("未完了", Some("リポジトリーなし")),
        Status::Busy => ("未完了", Some("使用中")),
        Status::WrongKey => ("未完了", Some("鍵の誤り")),
        Status::Damaged => ("未完了", Some("破損あり")),
        Status::OutOfSpace => ("未完了", Some("容量不足")),
        Status::Interrupted => ("未完了", Some("中断")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_restics() {
        let summary_of = |lang| {
            let s = Summary {
                files_new: 60573,
                total_files_processed: 1,
                ..Summary::default()
            };
            summary(lang, &s, Duration::from_millis(57), false)
        };
        let said = summary_of(Lang::En);
        assert!(
            said.contains("Files:       60573 new,     0 changed,     0 unmodified\n"),
            "{said}"
        );
        assert!(said.contains("\nprocessed 1 file, 0 B in 0:00\n"), "{said}");
        let said = summary_of(Lang::Ja);
        let columns: Vec<usize> = said
            .lines()
            .take(2)
            .filter_map(|line| line.split_once("新規").map(|(name, _)| text::width(name)))
            .collect();
        assert_eq!(columns, [11, 11], "{said}");
    }

    #[test]
    fn every_status_has_its_words() {
        for lang in Lang::ALL {
            let words: std::collections::HashSet<String> =
                Status::ALL.iter().map(|one| status(lang, *one)).collect();
            assert_eq!(words.len(), Status::ALL.len());
        }
    }
}
