//! `stats`, `cache` and `bench`.

use crate::catalogue::{Lang, Noun, count, say, weakness};
use crate::text::grouped;
use engine::stats::{SnapshotTotals, Stats};
use engine::storage::Weakness;
use engine::units::format_bytes;

/// Rows of what some snapshots hold.
pub fn held(lang: Lang, held: &SnapshotTotals) -> Vec<(String, String)> {
    let stored = format_bytes(held.stored);
    vec![
        (
            say!(lang, "Snapshots", "スナップショット"),
            grouped(held.snapshots),
        ),
        (
            say!(lang, "All together", "すべての合計"),
            files(lang, held.files, held.bytes),
        ),
        (
            say!(lang, "Stored", "格納量"),
            say!(
                lang,
                "{stored}, shared with other snapshots or not",
                "{stored} (ほかのスナップショットと共有する分を含む)"
            ),
        ),
    ]
}

fn files(lang: Lang, files: u64, bytes: u64) -> String {
    let (files, bytes) = (count(lang, files, Noun::File), format_bytes(bytes));
    say!(lang, "{files}, {bytes}", "{files}、{bytes}")
}

/// Rows of names and values; `storage` describes how sound the storage is.
pub fn stats(lang: Lang, s: &Stats, storage: &str) -> Vec<(String, String)> {
    let files = |n: u64, bytes: u64| files(lang, n, bytes);
    let counted = |n: u64, noun: Noun, bytes: u64| {
        let (what, bytes) = (count(lang, n, noun), format_bytes(bytes));
        say!(lang, "{what}, {bytes}", "{what}、{bytes}")
    };
    // What does not compress is a little larger as stored.
    let (stored, saved) = (format_bytes(s.total_size), s.compression_space_saving.max(0.0));
    let mut rows = vec![
        (
            say!(lang, "Snapshots", "スナップショット"),
            grouped(s.snapshots_count),
        ),
        (
            say!(lang, "Newest", "最新"),
            files(s.latest_file_count, s.latest_size),
        ),
        (
            say!(lang, "All together", "すべての合計"),
            files(s.total_file_count, s.total_restore_size),
        ),
        (
            say!(lang, "Distinct data", "重複のないデータ"),
            counted(s.total_blob_count, Noun::Chunk, s.total_uncompressed_size),
        ),
        (
            say!(lang, "Stored", "格納量"),
            say!(
                lang,
                "{stored} (compression saves {saved:.1}%)",
                "{stored} (圧縮で {saved:.1}% 減)"
            ),
        ),
        (
            say!(lang, "On the storage", "保存先での量"),
            counted(s.packs_count, Noun::Pack, s.packs_size),
        ),
        (say!(lang, "The storage is", "保存先の状態"), storage.to_string()),
    ];
    rows.extend(counted_if_any([
        (
            s.num_errors,
            say!(lang, "Errors ('dedup check')", "エラー ('dedup check')"),
        ),
        (
            s.snapshots_unreadable,
            say!(lang, "Unreadable snapshots", "読み取れないスナップショット"),
        ),
    ]));
    rows.extend(upkeep(lang, s));
    rows
}

/// Rows of what waits for 'prune'.
fn upkeep(lang: Lang, s: &Stats) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    if s.trash_count > 0 {
        let entries = grouped(s.trash_count);
        rows.push((
            say!(lang, "In the trash", "ゴミ箱"),
            say!(
                lang,
                "{entries} (removed snapshots, and earlier forms of existing ones)",
                "{entries} (削除したスナップショットと、残っているものの以前の形)"
            ),
        ));
    }
    rows.extend(counted_if_any([
        (
            s.open_sessions_count,
            say!(lang, "Open sessions", "開いているセッション"),
        ),
        (
            s.condemned_packs_count,
            say!(lang, "Packs to be deleted", "削除待ちのパック"),
        ),
    ]));
    rows
}

/// Rows for the numbers that are not zero.
fn counted_if_any(rows: [(u64, String); 2]) -> impl Iterator<Item = (String, String)> {
    let rows = rows.into_iter().filter(|(n, _)| *n > 0);
    rows.map(|(n, name)| (name, grouped(n)))
}

/// What was seen of the storage when this machine tried it out; `None` where it never did.
pub fn soundness(lang: Lang, weaknesses: Option<&[Weakness]>) -> String {
    match weaknesses {
        None => say!(lang, "not tested by this machine", "このコンピューターでは未確認"),
        Some([]) => say!(lang, "sound", "良好"),
        Some(weak) => {
            let weak: Vec<&str> = weak.iter().map(|found| weakness(lang, *found)).collect();
            let weak = weak.join("; ");
            say!(lang, "weak: {weak}", "弱点あり: {weak}")
        }
    }
}

pub fn cache_at(lang: Lang, path: &str) -> String {
    say!(lang, "Cache at {path}", "キャッシュの場所: {path}")
}

pub fn cache_columns(lang: Lang) -> [&'static str; 2] {
    match lang {
        Lang::En => ["Repository", "Size"],
        Lang::Ja => ["リポジトリー", "大きさ"],
    }
}

pub fn total(lang: Lang, bytes: u64) -> String {
    let bytes = format_bytes(bytes);
    say!(lang, "Total: {bytes}", "合計: {bytes}")
}

pub fn cleared(lang: Lang, bytes: u64) -> String {
    let bytes = format_bytes(bytes);
    say!(lang, "Removed {bytes}", "{bytes} を削除しました")
}

/// What one thread does for `bench`, each measured alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Read,
    Cut,
    Hash,
    CompressText,
    CompressNoise,
    DecompressText,
    Seal,
    Open,
    WriteToDisk,
    ReadSmallFile,
    ExamineFile,
    SyncFile,
}

pub fn stage(lang: Lang, stage: Stage) -> &'static str {
    match (lang, stage) {
        (Lang::En, Stage::Read) => "read from memory",
        (Lang::En, Stage::Cut) => "cut",
        (Lang::En, Stage::Hash) => "hash",
        (Lang::En, Stage::CompressText) => "compress text",
        (Lang::En, Stage::CompressNoise) => "compress noise",
        (Lang::En, Stage::DecompressText) => "decompress text",
        (Lang::En, Stage::Seal) => "seal",
        (Lang::En, Stage::Open) => "open",
        (Lang::En, Stage::WriteToDisk) => "write to disk",
        (Lang::En, Stage::ReadSmallFile) => "read a small file",
        (Lang::En, Stage::ExamineFile) => "examine a file",
        (Lang::En, Stage::SyncFile) => "make a file durable",
        (Lang::Ja, Stage::Read) => "メモリーから読み取り",
        (Lang::Ja, Stage::Cut) => "分割",
        (Lang::Ja, Stage::Hash) => "ハッシュ",
        (Lang::Ja, Stage::CompressText) => "文章の圧縮",
        (Lang::Ja, Stage::CompressNoise) => "乱数の圧縮",
        (Lang::Ja, Stage::DecompressText) => "文章の展開",
        (Lang::Ja, Stage::Seal) => "封印",
        (Lang::Ja, Stage::Open) => "開封",
        (Lang::Ja, Stage::WriteToDisk) => "ディスクへの書き込み",
        (Lang::Ja, Stage::ReadSmallFile) => "小さなファイルの読み取り",
        (Lang::Ja, Stage::ExamineFile) => "ファイルの調査",
        (Lang::Ja, Stage::SyncFile) => "ファイルの永続化",
    }
}

pub fn stage_columns(lang: Lang) -> [&'static str; 2] {
    match lang {
        Lang::En => ["Stage, one thread", "Rate"],
        Lang::Ja => ["段階 (1 スレッド)", "速度"],
    }
}

pub fn whole_runs(lang: Lang, threads: u64) -> String {
    let threads = count(lang, threads, Noun::Thread);
    say!(
        lang,
        "Whole runs with {threads}, beside what the stages allow",
        "{threads}での全体の速度と、各段階から見た上限"
    )
}

pub fn run_columns(lang: Lang) -> [&'static str; 5] {
    match lang {
        Lang::En => ["Run", "Time", "Rate", "Limit", "Reached"],
        Lang::Ja => ["内容", "時間", "速度", "上限", "達成率"],
    }
}

/// `+1.200 GiB a week`.
pub fn per_week(lang: Lang, bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "+" };
    let size = format_bytes(bytes.unsigned_abs());
    say!(lang, "{sign}{size} a week", "週に {sign}{size}")
}
