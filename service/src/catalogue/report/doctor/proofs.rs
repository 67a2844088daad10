//! What is stored, and when that was last proven.

use super::day;
use crate::catalogue::{Lang, Noun, count, say};
use crate::doctor::Diagnosis;
use crate::text::time;
use jiff::Timestamp;

pub(super) fn of_snapshots(lang: Lang, found: &Diagnosis) -> String {
    let snapshots = |n: u64| count(lang, n, Noun::Snapshot);
    match found {
        Diagnosis::SnapshotsThere { snapshots: n, newest } => {
            let n = snapshots(*n);
            match newest {
                Some(at) => {
                    let at = time(*at);
                    say!(lang, "{n}, the newest of {at}", "{n}、最新は {at}")
                }
                None => n,
            }
        }
        Diagnosis::SnapshotsGone { snapshots: n } => {
            let n = snapshots(*n);
            say!(
                lang,
                "missing, although nobody removed it: {n}",
                "誰も削除していないのに失われています: {n}"
            )
        }
        Diagnosis::SnapshotsUnreadable { snapshots: n } => count(lang, *n, Noun::UnreadableSnapshot),
        Diagnosis::Checked { at } => {
            let at = time(*at);
            say!(lang, "last check: {at}", "最後の検査: {at}")
        }
        Diagnosis::CheckedLongAgo { at } => proof(lang, *at, "check", "検査"),
        Diagnosis::Restored { at } => {
            let at = time(*at);
            say!(lang, "last restore: {at}", "最後の復元: {at}")
        }
        Diagnosis::RestoredLongAgo { at } => proof(lang, *at, "restore", "復元"),
        _ => String::new(),
    }
}

pub(super) fn proven(lang: Lang, found: &Diagnosis) -> String {
    match found {
        Diagnosis::AllRead { since } | Diagnosis::ReadLongAgo { since } => {
            let since = day(*since);
            say!(
                lang,
                "every byte stored by {since} has been read since",
                "{since} までに保存した全データを、それ以降に読み取って確かめました"
            )
        }
        Diagnosis::Drilled { at } => {
            let at = time(*at);
            say!(lang, "last drill: {at}, passed", "最後の復元訓練: {at}、成功")
        }
        Diagnosis::DrillFailed { at } => {
            let at = time(*at);
            say!(
                lang,
                "the drill of {at} found files that can't be restored as they were backed up",
                "{at} の復元訓練で、バックアップしたとおりに復元できないファイルが見つかりました"
            )
        }
        _ => String::new(),
    }
}

fn proof(lang: Lang, at: Option<Timestamp>, en: &str, ja: &str) -> String {
    match at {
        Some(at) => {
            let at = time(at);
            say!(
                lang,
                "the last {en} was long ago: {at}",
                "最後の{ja}からだいぶたっています: {at}"
            )
        }
        None => say!(
            lang,
            "no {en} from this machine is known",
            "このコンピューターで{ja}をした記録がありません"
        ),
    }
}

/// What to do where nothing was proven for long, or the proof failed.
pub(super) fn advice(lang: Lang, found: &Diagnosis, name: &str) -> String {
    match found {
        Diagnosis::CheckedLongAgo { .. } => say!(
            lang,
            "run 'dedup -r {name} check --read-data-subset 5%'",
            "'dedup -r {name} check --read-data-subset 5%' を実行してください"
        ),
        Diagnosis::ReadLongAgo { .. } => say!(
            lang,
            "run 'dedup -r {name} check --max-age 30d'",
            "'dedup -r {name} check --max-age 30d' を実行してください"
        ),
        Diagnosis::RestoredLongAgo { .. } => say!(
            lang,
            "run 'dedup -r {name} drill', which restores some files and compares them",
            "'dedup -r {name} drill' を実行してください。いくつかのファイルを復元して比べます"
        ),
        Diagnosis::DrillFailed { .. } => say!(
            lang,
            "'dedup history --kind drill' names the files; 'dedup -r {name} check --read-data' shows what is damaged",
            "該当するファイルは 'dedup history --kind drill' で、破損は 'dedup -r {name} check --read-data' で調べられます"
        ),
        _ => String::new(),
    }
}
