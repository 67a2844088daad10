//! What a job reports that harms nothing.

use super::{Lang, Noun, count, say};
use crate::failure::Failure;
use jiff::Timestamp;

#[derive(Clone, PartialEq, Debug)]
pub enum Warning {
    /// Nobody would see a recovery phrase.
    NoPhrase,
    WeakStorage {
        what: &'static str,
    },
    NotTried {
        failure: Failure,
    },
    /// A snapshot whose time is still to come, and how many more there are.
    InFuture {
        id: String,
        time: Timestamp,
        more: u64,
    },
    /// A tag to keep that no snapshot has.
    NoSuchTag {
        tags: Vec<String>,
    },
    /// Unfinished files of an earlier dump, which were removed.
    DumpLeftovers {
        files: u64,
    },
    /// About runs of sets and the history.
    OfRuns {
        text: String,
    },
    /// A message about a run that did not arrive; `waits`: sending is tried again.
    NotSent {
        channel: String,
        why: String,
        waits: bool,
    },
    /// What the engine says of the snapshots as a whole.
    Said {
        what: String,
    },
}

impl Warning {
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Warning::NoPhrase => say!(
                lang,
                "no recovery phrase was made, because standard output is closed or leads to /dev/null; \
                 'dedup key recovery' makes one",
                "標準出力が閉じているか /dev/null につながっているため、回復フレーズは作りませんでした。\
                 'dedup key recovery' で作れます"
            ),
            Warning::WeakStorage { what } => {
                say!(
                    lang,
                    "this storage is weak: {what}",
                    "この保存先には弱点があります: {what}"
                )
            }
            Warning::NotTried { failure } => {
                let why = failure.text(lang);
                say!(
                    lang,
                    "the storage could not be tried out: {why}",
                    "保存先を試せませんでした: {why}"
                )
            }
            Warning::InFuture { id, time, more } => {
                let time = crate::text::time(*time);
                let others = match (more, lang) {
                    (0, _) => String::new(),
                    (more, Lang::En) => format!(" and {} like it", count(lang, *more, Noun::Snapshot)),
                    (more, Lang::Ja) => format!(" (ほかに{})", count(lang, *more, Noun::Snapshot)),
                };
                say!(
                    lang,
                    "snapshot {id} says that it was made in the future, at {time}{others}: until then it is not \
                     'latest', and no --keep-* rule removes it; 'dedup forget {id}' does",
                    "スナップショット {id} の日時は未来の {time} です{others}。その日時までは 'latest' にならず、\
                     --keep-* でも削除されません。'dedup forget {id}' で削除できます"
                )
            }
            Warning::NoSuchTag { tags } => {
                let tags = tags.join(",");
                say!(
                    lang,
                    "--keep-tag {tags}: no snapshot has these tags",
                    "--keep-tag {tags}: このタグの付いたスナップショットはありません"
                )
            }
            Warning::DumpLeftovers { files } => say!(
                lang,
                "an earlier dump did not end: {files} unfinished files of it were removed",
                "以前の取り出しが終わらずに残した {files} 個のファイルを削除しました"
            ),
            Warning::OfRuns { text } => text.clone(),
            Warning::NotSent { channel, why, waits } => {
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
            Warning::Said { what } => what.clone(),
        }
    }
}
