//! Texts of the pages from which files are found and brought back, and of storage on Home.

use super::{Labels, relative};
use crate::catalogue::{Lang, Noun, count, say};
use crate::text::grouped;
use engine::versions::VersionChange;
use jiff::Timestamp;

labels! {
    // Folders.
    show_deleted => "Deleted files", "削除されたファイル";
    show_hidden => "Hidden files", "隠しファイル";
    hidden_not_shown => "Names that begin with a dot are not shown.", "ドットで始まる名前は表示していません。";
    deleted_here => "Deleted from this folder", "このフォルダーから削除されたもの";
    nothing_deleted => "Nothing that an earlier snapshot has in this folder is missing here.",
        "以前の世代にあってここにないものはありません。";
    more_deleted => "There are more deleted files than are shown. Look at an earlier day to see the others.",
        "削除されたファイルはほかにもあります。前の日を開くと表示できます。";
    more_entries => "More", "続き";
    still_here => "In this snapshot", "この世代にあるもの";
    download_zip => "Download as ZIP", "ZIP でダウンロード";

    // Where to.
    target_desktop => "To the desktop", "デスクトップ";
    target_downloads => "To the downloads", "ダウンロード";

    // Versions.
    restore_this => "Restore this…", "これを復元する…";
    preview => "Preview", "プレビュー";
    in_newest => "newest snapshot", "最新の世代";
    compare_with_now => "Compare with now", "今のファイルと比べる";
    compare_with_previous => "Compare with the version before", "前の版と比べる";
    change_first => "first seen", "初めて保存";
    change_content => "content changed", "内容を変更";
    change_metadata => "only times or permissions changed", "日時や権限だけ変更";
    change_none => "unchanged", "変更なし";

    // Previews.
    no_preview => "There is no preview of this kind of file. Download it to open it.",
        "この種類のファイルはプレビューできません。ダウンロードして開いてください。";
    empty_file => "This file is empty.", "このファイルは空です。";
    preview_cut => "The rest is not shown here. Download the file to see all of it.",
        "続きは表示していません。全体を見るにはダウンロードしてください。";
    pdf_hint => "Your browser's PDF viewer shows this file. If nothing appears, download it.",
        "ブラウザーの PDF ビューアーで表示します。何も表示されないときはダウンロードしてください。";

    no_pdf_viewer => "This browser has no PDF viewer, or it is turned off. Download the file to open it.",
        "このブラウザーには PDF ビューアーがないか、無効になっています。ダウンロードして開いてください。";

    // Comparisons.
    on_disk_now => "on the disk now", "現在のディスク";
    not_there => "not there", "ありません";
    no_lines => "These files are not text, or too large to be compared line by line.",
        "テキストではないか、大きすぎるため、行ごとには比べられません。";
    too_different => "The two texts differ too much to be compared line by line.",
        "違いが多すぎるため、行ごとには比べられません。";
    same_text => "The text is the same; formatting or line endings may differ.",
        "文章は同じです。書式や改行だけが違う可能性があります。";
    more_lines => "Only the first differences are shown.", "違いの最初の部分だけを表示しています。";
    line => "Line", "行";
    what_changed => "What changed", "変更点";
    compare_with => "Compare with", "比べる相手";
    the_one_before => "the snapshot before", "一つ前の世代";
    show_metadata => "Also changes of times and permissions", "日時や権限の変更も表示";
    compare => "Compare", "比べる";
    before => "Before", "変更前";
    after => "After", "変更後";
    added => "added", "追加";
    removed => "deleted", "削除";
    modified => "changed", "変更";
    other_type => "other type", "種類を変更";
    attributes => "attributes", "属性";
    no_earlier => "There is no earlier snapshot of this folder from the same machine.",
        "このフォルダーの、同じコンピューターによる以前の世代はありません。";
    no_changes => "Nothing changed.", "変更はありません。";
    not_all_compared => "Some files could not be read, so they were not compared.",
        "読み取れないファイルがあり、それらは比べていません。";

    // Storage on Home.
    storage => "Storage", "保存容量";
    used => "Used", "使用量";
    growth => "Growth", "増え方";
    full => "Full", "満杯の見込み";
    last_verified => "Last verified", "最後の検証";
    last_restored => "Last restore", "最後の復元";
    not_known => "not known yet", "まだ不明";
    not_measured => "not measured yet", "未測定";
    no_growth => "hardly grows", "ほぼ一定";
}

/// How a preview calls a slide.
pub fn slide(lang: Lang, nr: usize) -> String {
    say!(lang, "Slide {nr}", "スライド {nr}")
}

/// The name of an archive of what was selected.
pub fn archive_name(lang: Lang, day: &str) -> String {
    say!(lang, "restored {day}.zip", "復元 {day}.zip")
}

/// Beside a deleted file.
pub fn deleted_after(lang: Lang, time: &str) -> String {
    say!(lang, "deleted after {time}", "{time} より後に削除")
}

/// When a file was deleted: it is in the first snapshot and not in the second.
pub fn deleted_between(lang: Lang, last: &str, first: &str) -> String {
    say!(
        lang,
        "Deleted: it is in the snapshot of {last}, and no longer in that of {first}.",
        "削除されています。{last} の世代にはあり、{first} の世代にはありません。"
    )
}

/// `3 versions in 12 snapshots`.
pub fn versions_in(lang: Lang, versions: u64, snapshots: u64) -> String {
    let (n, s) = (grouped(versions), if versions == 1 { "" } else { "s" });
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(lang, "{n} version{s} in {snapshots}", "{snapshots}に {n} 版")
}

pub fn more_versions(lang: Lang, n: u64) -> String {
    let n = grouped(n);
    say!(
        lang,
        "{n} older versions are not shown.",
        "さらに古い {n} 版は表示していません。"
    )
}

/// Which snapshots hold a version.
pub fn held_by(lang: Lang, snapshots: u64, newest: &str, oldest: &str) -> String {
    let n = count(lang, snapshots, Noun::Snapshot);
    match snapshots {
        1 => say!(lang, "in the snapshot of {newest}", "{newest} の世代"),
        _ => say!(
            lang,
            "in {n}, {oldest} to {newest}",
            "{n} ({oldest} から {newest} まで)"
        ),
    }
}

pub fn and_more(lang: Lang, n: u64) -> String {
    let n = grouped(n);
    say!(lang, "and {n} more", "ほか {n} 個")
}

/// What a comparison of one file comes to; `None`: one side has none.
pub fn compared_as(lang: Lang, change: Option<VersionChange>) -> &'static str {
    match change {
        None => lang.pick("only one of the two has it", "片方にだけあります"),
        Some(VersionChange::First | VersionChange::Content) => lang.pick("content differs", "内容が違います"),
        Some(VersionChange::Metadata) => lang.pick(
            "same content; only times or permissions differ",
            "内容は同じで、日時や権限だけ違います",
        ),
        Some(VersionChange::Unchanged) => lang.pick("identical", "同じものです"),
    }
}

/// Between which moments changes are shown; without the second, until now.
pub fn from_to(lang: Lang, old: &str, new: Option<&str>) -> String {
    match new {
        Some(new) => say!(lang, "{old} to {new}", "{old} から {new} まで"),
        None => say!(lang, "since {old}", "{old} から現在まで"),
    }
}

/// `212 GiB of 500 GiB`.
pub fn used_of(lang: Lang, used: &str, quota: &str) -> String {
    say!(lang, "{used} of {quota}", "{quota} 中 {used}")
}

/// How much a repository grows, or shrinks, in a week.
pub fn growth(lang: Lang, amount: &str, shrinks: bool) -> String {
    let sign = if shrinks { "−" } else { "+" };
    say!(lang, "{sign}{amount} a week", "週に {sign}{amount}")
}

/// When a repository will be full, roughly.
pub fn full_in(lang: Lang, at: Timestamp, now: Timestamp) -> String {
    let days = at.duration_since(now).as_hours() / 24;
    let (n, en, ja) = match days {
        ..=0 => return lang.pick("full now", "満杯です").to_string(),
        1..=59 => (days, "day", "日"),
        60..=729 => ((days + 15) / 30, "month", "か月"),
        _ => ((days + 182) / 365, "year", "年"),
    };
    let s = if n == 1 { "" } else { "s" };
    say!(lang, "full in about {n} {en}{s}", "約 {n} {ja}後に満杯")
}

/// What is not safe yet.
pub fn would_lose(lang: Lang, last: Timestamp, now: Timestamp) -> String {
    let ago = relative(lang, last, now);
    let is_just_now = now.duration_since(last).as_secs() < 45;
    match is_just_now {
        true => say!(
            lang,
            "If this disk failed now, nothing but the changes of this minute would be lost.",
            "今このディスクが壊れても、失われるのはこの 1 分の変更だけです。"
        ),
        false => say!(
            lang,
            "If this disk failed now, the changes since the last backup, {ago}, would be lost.",
            "今このディスクが壊れると、最後のバックアップ ({ago}) より後の変更が失われます。"
        ),
    }
}

/// What was proven of the repositories.
pub fn proven(lang: Lang, verified: &str, restored: &str) -> String {
    say!(
        lang,
        "Storage last verified: {verified} · last restore: {restored}",
        "保存先の最後の検証: {verified}・最後の復元: {restored}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_it_is_full() {
        let now: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
        for (then, en, ja) in [
            ("2026-11-27T13:00:00Z", "full now", "満杯です"),
            ("2026-11-28T13:00:00Z", "full in about 1 day", "約 1 日後に満杯"),
            (
                "2027-03-27T12:00:00Z",
                "full in about 4 months",
                "約 4 か月後に満杯",
            ),
            ("2030-11-27T12:00:00Z", "full in about 4 years", "約 4 年後に満杯"),
        ] {
            assert_eq!(full_in(Lang::En, then.parse().unwrap(), now), en);
            assert_eq!(full_in(Lang::Ja, then.parse().unwrap(), now), ja);
        }
    }

    #[test]
    fn counts() {
        assert_eq!(versions_in(Lang::En, 1, 2), "1 version in 2 snapshots");
        assert_eq!(held_by(Lang::En, 1, "b", "b"), "in the snapshot of b");
        assert_eq!(held_by(Lang::En, 3, "c", "a"), "in 3 snapshots, a to c");
    }
}
