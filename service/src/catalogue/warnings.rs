//! What a job reports that harms nothing.

use super::{Lang, say, weakness};
use crate::failure::Failure;
use engine::storage::Weakness;

#[derive(Clone, PartialEq, Debug)]
pub enum SetupWarning {
    /// Nobody would see a recovery phrase.
    NoPhrase,
    WeakStorage {
        weakness: Weakness,
    },
    NotTried {
        failure: Failure,
    },
    /// About runs of sets and the history.
    OfRuns {
        text: String,
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
            SetupWarning::OfRuns { text } => text.clone(),
        }
    }
}
