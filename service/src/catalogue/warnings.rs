//! What a job reports that harms nothing.

use super::{Lang, SystemError, no_source_snapshot, say, weakness};
use crate::failure::Failure;
use engine::snapshots::NoSnapshot;
use engine::storage::Weakness;

#[derive(Clone, PartialEq, Debug)]
pub enum SetupWarning {
    /// No one would see a recovery phrase.
    NoPhrase,
    WeakStorage {
        weakness: Weakness,
    },
    NotTried {
        failure: Failure,
    },
    /// This run is not in the history.
    NotInHistory {
        dir: String,
        why: SystemError,
    },
    /// What is known of a set's runs can't be kept.
    NotNoted {
        set: String,
        failure: Failure,
    },
    /// A source of a set that is written down.
    SourceNotThere {
        path: String,
    },
    /// A source is read as it is, and may change meanwhile.
    NoSourceSnapshot {
        why: NoSnapshot,
    },
    /// A message about a run that did not arrive; `waits`: sending is tried again.
    NotSent {
        channel: String,
        why: String,
        waits: bool,
    },
}

impl SetupWarning {
    pub fn text(&self, lang: Lang) -> String {
        match self {
            SetupWarning::NoPhrase => say!(
                lang,
                "no recovery phrase was made, because standard output is closed or leads to /dev/null; \
                 'dedup key recovery' makes one",
                "標準出力が閉じているか /dev/null につながっているため、回復フレーズは作りませんでした。\
                 'dedup key recovery' で作れます"
            ),
            SetupWarning::WeakStorage { weakness: found } => {
                let what = weakness(lang, *found);
                say!(
                    lang,
                    "this storage is weak: {what}",
                    "この保存先には弱点があります: {what}"
                )
            }
            SetupWarning::NotTried { failure } => {
                let why = failure.text(lang);
                say!(
                    lang,
                    "the storage could not be tried out: {why}",
                    "保存先を試せませんでした: {why}"
                )
            }
            SetupWarning::SourceNotThere { path } => say!(
                lang,
                "{path} does not exist at the moment; while that is so, runs are incomplete",
                "{path} は今ありません。このままでは実行しても未完了になります"
            ),
            SetupWarning::NoSourceSnapshot { why } => {
                let why = no_source_snapshot(lang, why);
                say!(lang, "{why}; it is read as it is", "{why}。そのまま読み取ります")
            }
            SetupWarning::NotSent { channel, why, waits } => {
                let then = match (lang, waits) {
                    (_, false) => "",
                    (Lang::En, true) => "; the next runs try again",
                    (Lang::Ja, true) => "。次回以降の実行で再送します",
                };
                say!(
                    lang,
                    "could not notify by {channel}: {why}{then}",
                    "{channel} で通知できませんでした: {why}{then}"
                )
            }
            SetupWarning::NotInHistory { dir, why } => not_in_history(lang, dir, why),
            SetupWarning::NotNoted { set, failure } => not_noted(lang, set, failure),
        }
    }
}

fn not_in_history(lang: Lang, dir: &str, why: &SystemError) -> String {
    let why = why.text(lang);
    say!(
        lang,
        "this run is not in the history: can't write in {dir}: {why}; is the state directory \
         (DEDUP_STATE_DIR) full or read-only?",
        "この実行を履歴に残せません。{dir} に書き込めません: {why}。状態ディレクトリー (DEDUP_STATE_DIR) が\
         いっぱいか、読み取り専用ではありませんか"
    )
}

fn not_noted(lang: Lang, set: &str, failure: &Failure) -> String {
    let why = failure.text(lang);
    say!(
        lang,
        "set '{set}': what is known of its runs can't be kept ({why}), so it may run again too early",
        "セット「{set}」の実行の記録を残せないため ({why})、次の実行が早すぎるかもしれません"
    )
}
