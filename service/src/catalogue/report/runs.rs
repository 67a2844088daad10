//! Sets, their runs and the history.

use crate::catalogue::Lang::{self, En, Ja};
use crate::catalogue::{Noun, count, say};
use crate::history::HistoryRow;
use crate::history::files::FileStatus;
use crate::text::{grouped, time};
use engine::units::escape;
use jiff::Timestamp;

/// A word that a row of the history holds, in a language; one of a later version as it is.
fn translated<'a>(lang: Lang, word: &'a str, known: &[(&str, &'static str)]) -> &'a str {
    match lang {
        En => word,
        Ja => known
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(word, |(_, ja)| ja),
    }
}

const KINDS: [(&str, &str); 17] = [
    ("backup", "バックアップ"),
    ("restore", "復元"),
    ("delete", "削除"),
    ("prune", "整理"),
    ("check", "検査"),
    ("replicate", "複製"),
    ("copy", "コピー"),
    ("heal", "修復"),
    ("repair", "補修"),
    ("drill", "復元訓練"),
    ("undelete", "削除の取り消し"),
    ("tag", "タグの変更"),
    ("init", "作成"),
    ("key add", "鍵の追加"),
    ("key remove", "鍵の削除"),
    ("key passwd", "鍵の交換"),
    ("key recovery", "回復フレーズの作成"),
];

const CAUSES: [(&str, &str); 4] = [
    ("regular", "予定どおり"),
    ("catch-up", "追いかけ"),
    ("retry", "再試行"),
    ("manual", "手動"),
];

const STATUSES: [(&str, &str); 4] = [
    ("running", "実行中"),
    ("completed", "完了"),
    ("not run", "未実行"),
    ("incomplete", "未完了"),
];

const REASONS: [(&str, &str); 12] = [
    ("access denied", "アクセス拒否"),
    ("bad settings", "設定の誤り"),
    ("damage found", "破損を検出"),
    ("forbidden name", "使えない名前"),
    ("in use", "使用中"),
    ("interrupted", "中断"),
    ("network", "ネットワーク"),
    ("no repository", "リポジトリーなし"),
    ("out of memory", "メモリー不足"),
    ("out of space", "容量不足"),
    ("unexpected error", "予期しないエラー"),
    ("wrong key", "鍵の誤り"),
];

const SEVERAL: (&str, &str) = ("several", "複数の理由");

pub fn job_kind(lang: Lang, word: &str) -> &str {
    translated(lang, word, &KINDS)
}

pub fn run_cause(lang: Lang, word: &str) -> &str {
    translated(lang, word, &CAUSES)
}

/// `incomplete (network)`.
pub fn status(lang: Lang, word: &str, reason: Option<&str>) -> String {
    let word = translated(lang, word, &STATUSES);
    match reason {
        Some(reason) if reason == SEVERAL.0 => format!("{word} ({})", translated(lang, reason, &[SEVERAL])),
        Some(reason) => format!("{word} ({})", translated(lang, reason, &REASONS)),
        None => word.to_string(),
    }
}

pub fn row_status(lang: Lang, row: &HistoryRow) -> String {
    status(lang, &row.status, row.reason.as_deref())
}

/// Sets have schedules, which nothing looks at.
pub fn nothing_starts_sets(lang: Lang) -> &'static str {
    lang.pick(
        "Nothing starts the sets when they are due: 'dedup schedule install' installs a timer; 'dedup doctor' says more",
        "時間が来てもセットを開始するものがありません。'dedup schedule install' でタイマーを入れてください。詳しくは 'dedup doctor'",
    )
}

/// A set's name, or the sources or the target of a job without one.
pub fn what(lang: Lang, row: &HistoryRow) -> String {
    let sources = || match (row.sources.first(), row.sources.len() as u64 + row.more_sources) {
        (Some(first), 1) => first.clone(),
        (Some(first), all) => {
            let more = all - 1;
            say!(lang, "{first} and {more} more", "{first} ほか {more} 個")
        }
        (None, _) => String::new(),
    };
    let named = row.set.clone().or_else(|| row.target.clone());
    escape(named.unwrap_or_else(sources).as_bytes()).to_string()
}

pub fn history_columns(lang: Lang) -> [&'static str; 8] {
    match lang {
        En => ["Job", "Start", "Took", "Kind", "What", "Files", "Size", "Status"],
        Ja => [
            "ジョブ",
            "開始",
            "時間",
            "種類",
            "対象",
            "ファイル",
            "大きさ",
            "状態",
        ],
    }
}

/// A field of one job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    Job,
    Kind,
    Set,
    Cause,
    Due,
    Start,
    End,
    Sources,
    Target,
    Repository,
    Files,
    Size,
    Removed,
    Snapshot,
    Status,
    Message,
    Destination,
    Problems,
}

impl Field {
    pub fn name(self, lang: Lang) -> &'static str {
        let (en, ja) = match self {
            Field::Job => ("Job", "ジョブ"),
            Field::Kind => ("Kind", "種類"),
            Field::Set => ("Set", "セット"),
            Field::Cause => ("Cause", "きっかけ"),
            Field::Due => ("Due", "予定時刻"),
            Field::Start => ("Start", "開始"),
            Field::End => ("End", "終了"),
            Field::Sources => ("Sources", "対象"),
            Field::Target => ("Target", "復元先"),
            Field::Repository => ("Repository", "リポジトリー"),
            Field::Files => ("Files", "ファイル"),
            Field::Size => ("Size", "大きさ"),
            Field::Removed => ("Removed", "削除"),
            Field::Snapshot => ("Snapshot", "スナップショット"),
            Field::Status => ("Status", "状態"),
            Field::Message => ("Message", "説明"),
            Field::Destination => ("Destination", "保存先"),
            Field::Problems => ("Problems", "問題"),
        };
        match lang {
            En => en,
            Ja => ja,
        }
    }
}

pub fn no_history(lang: Lang) -> String {
    say!(lang, "No jobs", "ジョブはありません")
}

/// Where no job is listed because there is no such set, and never was.
pub fn no_history_of_set(lang: Lang, set: &str, near: Option<&str>) -> String {
    let set = escape(set.as_bytes());
    match near {
        Some(near) => say!(
            lang,
            "No job of a set '{set}', and there is no such set; did you mean '{near}'?",
            "セット「{set}」のジョブはなく、そのセットもありません。「{near}」のことですか"
        ),
        None => say!(
            lang,
            "No job of a set '{set}', and there is no such set; 'dedup set list' lists them",
            "セット「{set}」のジョブはなく、そのセットもありません。'dedup set list' で一覧できます"
        ),
    }
}

pub fn more_history(lang: Lang, limit: u32) -> String {
    let limit = grouped(u64::from(limit));
    say!(
        lang,
        "These are the newest {limit}; --limit shows more",
        "新しい {limit} 件です。--limit でもっと表示します"
    )
}

/// Sources that are not named.
pub fn more(lang: Lang, n: u64) -> String {
    let n = grouped(n);
    say!(lang, "{n} more", "ほか {n} 個")
}

/// What became of one destination.
pub fn destination(lang: Lang, name: &str, status: &str, behind: u64) -> String {
    let name = escape(name.as_bytes());
    match behind {
        0 => format!("{name}: {status}"),
        n => {
            let n = count(lang, n, Noun::Snapshot);
            say!(
                lang,
                "{name}: {status}, behind by {n}",
                "{name}: {status}、{n}遅れ"
            )
        }
    }
}

pub fn more_problems(lang: Lang, left: u64) -> String {
    let left = count(lang, left, Noun::MoreProblem);
    say!(lang, "{left} not kept", "{left}は記録していません")
}

pub fn file_status(lang: Lang, status: FileStatus) -> &'static str {
    match (lang, status) {
        (En, status) => status.word(),
        (Ja, FileStatus::New) => "新規",
        (Ja, FileStatus::Changed) => "変更",
        (Ja, FileStatus::Unchanged) => "同じ",
        (Ja, FileStatus::Deleted) => "削除",
        (Ja, FileStatus::Failed) => "失敗",
    }
}

/// Of what a command would have printed.
pub fn output_failed(lang: Lang) -> &'static str {
    lang.pick("the command failed", "コマンドが失敗しました")
}

pub fn pages(lang: Lang, page: u64, all: u64, per_page: u64) -> String {
    let last = grouped(all.div_ceil(per_page).max(1));
    let (all, page) = (count(lang, all, Noun::File), grouped(page));
    say!(
        lang,
        "{all}, page {page} of {last}",
        "{all}、{page}/{last} ページ"
    )
}

/// Where those are listed that are not as they were.
pub fn no_file_changed(lang: Lang) -> String {
    say!(
        lang,
        "No file changed; '--status unchanged' lists those that did not",
        "変わったファイルはありません。同じままのものは '--status unchanged' で一覧できます"
    )
}

pub fn no_parent(lang: Lang) -> String {
    say!(
        lang,
        "There is no snapshot to compare with any more, or there never was: every file is shown as new",
        "比べるスナップショットがないため、すべてのファイルを新規として表示します"
    )
}

/// Before the report of a set.
pub fn set_head(lang: Lang, set: &str, cause: &str) -> String {
    let cause = match cause {
        "manual" => lang.pick("started by hand", "手動"),
        cause => run_cause(lang, cause),
    };
    say!(lang, "Set {set} ({cause})", "セット {set} ({cause})")
}

/// After it; `id` is that of its row in the history.
pub fn set_end(lang: Lang, set: &str, status: &str, id: Option<&str>) -> String {
    match id {
        None => say!(lang, "Set {set}: {status}", "セット {set}: {status}"),
        Some(id) => say!(
            lang,
            "Set {set}: {status}; 'dedup history {id}' has the details",
            "セット {set}: {status}。詳しくは 'dedup history {id}'"
        ),
    }
}

/// Maintenance of a destination after runs.
pub fn maintained(lang: Lang, remote: &str, kind: &str, status: &str, id: Option<&str>) -> String {
    let kind = job_kind(lang, kind);
    match id {
        None => say!(lang, "{remote}, {kind}: {status}", "{remote} の{kind}: {status}"),
        Some(id) => say!(
            lang,
            "{remote}, {kind}: {status}; 'dedup history {id}' has the details",
            "{remote} の{kind}: {status}。詳しくは 'dedup history {id}'"
        ),
    }
}

pub fn would_run(lang: Lang, set: &str, cause: &str, is_held: bool, from: &str, to: &str) -> String {
    let cause = run_cause(lang, cause);
    match is_held {
        false => say!(
            lang,
            "Would run set {set} ({cause}): {from} to {to}",
            "セット {set} ({cause}) を実行します: {from} → {to}"
        ),
        true => say!(
            lang,
            "Would run set {set} ({cause}, but held back by a pause or by [limits]): {from} to {to}",
            "セット {set} ({cause}、ただし休止か [limits] により保留中) を実行します: {from} → {to}"
        ),
    }
}

pub fn nothing_due(lang: Lang) -> String {
    say!(lang, "Nothing is due", "実行の時刻になったセットはありません")
}

pub fn paused(lang: Lang, until: Timestamp) -> String {
    let until = time(until);
    say!(
        lang,
        "Paused until {until}; 'dedup resume' ends that",
        "{until} まで休止中です。'dedup resume' で再開します"
    )
}

pub fn resumed(lang: Lang, was_paused: bool) -> String {
    match was_paused {
        true => say!(
            lang,
            "Resumed; what is due runs when the scheduler next calls 'dedup run --due'",
            "再開しました。時刻を過ぎたものは、スケジューラーが次に 'dedup run --due' を呼んだときに実行します"
        ),
        false => say!(lang, "Nothing was paused", "休止していませんでした"),
    }
}

pub fn stopped(lang: Lang, row: &HistoryRow) -> String {
    let (kind, what) = (job_kind(lang, &row.kind), what(lang, row));
    say!(lang, "Stopped {kind} of {what}", "{what} の{kind}を止めました")
}

pub fn still_running(lang: Lang, row: &HistoryRow) -> String {
    let (kind, what) = (job_kind(lang, &row.kind), what(lang, row));
    say!(
        lang,
        "The {kind} of {what} was asked to stop and still runs: it ends at its next safe point",
        "{what} の{kind}に停止を求めました。次の安全な区切りで終わります"
    )
}

pub fn nothing_runs(lang: Lang) -> String {
    say!(lang, "Nothing is running", "実行中のものはありません")
}

pub fn no_sets(lang: Lang) -> String {
    say!(
        lang,
        "There are no sets; 'dedup setup' or 'dedup set add' makes one",
        "セットはまだありません。'dedup setup' か 'dedup set add' で作れます"
    )
}

pub fn set_columns(lang: Lang) -> [&'static str; 6] {
    match lang {
        En => [
            "Set",
            "Schedule",
            "Next run",
            "Priority",
            "Destinations",
            "Sources",
        ],
        Ja => ["セット", "スケジュール", "次の実行", "優先度", "保存先", "対象"],
    }
}

pub fn status_columns(lang: Lang) -> [&'static str; 6] {
    match lang {
        En => ["", "Set", "State", "Last success", "Next run", "Destinations"],
        Ja => ["", "セット", "状態", "最後の成功", "次の実行", "保存先"],
    }
}

pub fn running_since(lang: Lang, start: Timestamp) -> String {
    let start = time(start);
    say!(lang, "running since {start}", "{start} から実行中")
}

pub fn never_ran(lang: Lang) -> String {
    say!(lang, "never ran", "未実行")
}

pub fn overdue(lang: Lang, state: &str) -> String {
    say!(lang, "{state}, overdue", "{state}、期限超過")
}

/// A destination, and what it was last known to be behind by.
pub fn behind(lang: Lang, name: &str, behind: Option<u64>) -> String {
    match behind {
        None => name.to_string(),
        Some(0) => say!(lang, "{name} (current)", "{name} (最新)"),
        Some(behind) => {
            let behind = count(lang, behind, Noun::Snapshot);
            say!(lang, "{name} (behind by {behind})", "{name} ({behind}遅れ)")
        }
    }
}

pub fn settings_are_right(lang: Lang, path: Option<&str>, remotes: u64, sets: u64) -> String {
    let (remotes, sets) = (count(lang, remotes, Noun::Remote), count(lang, sets, Noun::Set));
    match path {
        None => say!(
            lang,
            "There is no dedup.toml, so every setting has its default",
            "dedup.toml がないため、すべての設定が既定値です"
        ),
        Some(path) => say!(
            lang,
            "{path}: no errors, {remotes}, {sets}",
            "{path}: 誤りはありません ({remotes}、{sets})"
        ),
    }
}

pub fn setting_columns(lang: Lang) -> [&'static str; 3] {
    match lang {
        En => ["Key", "Value", "From"],
        Ja => ["項目", "値", "由来"],
    }
}

pub fn default_value(lang: Lang) -> String {
    say!(lang, "default", "既定値")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::JobKind;
    use crate::schedule::RunCause;
    use crate::status::Status;

    /// No word of a row is without a translation.
    #[test]
    fn words() {
        for kind in JobKind::ALL {
            assert_ne!(job_kind(Ja, kind.word()), kind.word());
        }
        for cause in RunCause::ALL {
            assert_ne!(run_cause(Ja, cause.word()), cause.word());
        }
        for found in Status::ALL {
            let (en, ja) = [En, Ja]
                .map(|lang| status(lang, found.word(), found.reason()))
                .into();
            assert!(!ja.chars().any(|c| c.is_ascii_alphabetic()), "{en}: {ja}");
        }
        assert_eq!(status(Ja, "incomplete", Some("several")), "未完了 (複数の理由)");
        assert_eq!(status(Ja, "of a later version", None), "of a later version");
    }
}
