//! What remotes take up, and the machines of a repository.

use crate::catalogue::Lang::{self, En, Ja};
use crate::catalogue::{Noun, count, say};
use crate::failure::Failure;
use crate::text::time;
use engine::units::escape;
use jiff::{SignedDuration, Timestamp};

pub fn remote_columns(lang: Lang) -> [&'static str; 11] {
    match lang {
        En => [
            "",
            "Destination",
            "Used",
            "Quota",
            "Growth",
            "Full",
            "Checked",
            "Read since",
            "Restored",
            "Drill",
            "Asked",
        ],
        Ja => [
            "",
            "保存先",
            "使用量",
            "上限",
            "増加",
            "満杯",
            "検査",
            "全読み取り",
            "復元",
            "復元訓練",
            "問い合わせ",
        ],
    }
}

/// A remote from which this machine removes nothing.
pub fn append_only(lang: Lang, name: &str) -> String {
    say!(lang, "{name} (append-only)", "{name} (追記のみ)")
}

/// A drill that found differences, and when.
pub fn failed_drill(lang: Lang, day: &str) -> String {
    say!(lang, "{day} FAILED", "{day} 失敗")
}

/// When a remote was last asked, or why it could not be.
pub fn asked(lang: Lang, at: Option<Timestamp>, failure: Option<&Failure>) -> String {
    match (failure, at) {
        (Some(failure), _) => escape(failure.text(lang).as_bytes()),
        (None, Some(at)) => time(at),
        (None, None) => say!(lang, "never", "なし"),
    }
}

pub fn host_columns(lang: Lang) -> [&'static str; 8] {
    match lang {
        En => [
            "",
            "Machine",
            "Newest snapshot",
            "Age",
            "State",
            "Snapshots",
            "Repository",
            "Sources",
        ],
        Ja => [
            "",
            "コンピューター",
            "最新のスナップショット",
            "経過",
            "状態",
            "スナップショット数",
            "リポジトリー",
            "対象",
        ],
    }
}

/// Of what machines recorded about their sets.
pub fn recorded_columns(lang: Lang) -> [&'static str; 8] {
    match lang {
        En => [
            "",
            "Machine",
            "Set",
            "Last run",
            "Started",
            "Last success",
            "Next run",
            "Reported",
        ],
        Ja => [
            "",
            "コンピューター",
            "セット",
            "最後の実行",
            "開始",
            "最後の成功",
            "次の実行",
            "記録",
        ],
    }
}

pub fn here(lang: Lang, host: &str) -> String {
    say!(lang, "{host} (this one)", "{host} (これ)")
}

/// How long ago something was: in days, hours or minutes.
pub fn age(lang: Lang, age: SignedDuration) -> String {
    let minutes = age.as_mins().max(0).unsigned_abs();
    match (minutes / (24 * 60), minutes / 60) {
        (0, 0) => say!(lang, "{minutes} min", "{minutes} 分"),
        (0, hours) => say!(lang, "{hours} h", "{hours} 時間"),
        (days, _) => say!(lang, "{days} d", "{days} 日"),
    }
}

/// Whether a snapshot holds all of its sources.
pub fn whole(lang: Lang, partial: bool, errors: u64) -> String {
    match (partial, errors) {
        (true, _) => say!(lang, "not finished", "途中まで"),
        (false, 0) => say!(lang, "complete", "完全"),
        (false, errors) => count(lang, errors, Noun::Problem),
    }
}

pub fn no_snapshots(lang: Lang) -> String {
    say!(lang, "No snapshots", "スナップショットはありません")
}
