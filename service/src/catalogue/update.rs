//! Why it can't be told whether there is a newer version.

use super::{Lang, say};
use crate::status::Status;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpdateFault {
    NoUrl,
    NotHttps,
    /// In the words of a library.
    NoAnswer {
        why: String,
    },
    NoVersion,
}

impl UpdateFault {
    pub fn status(&self) -> Status {
        match self {
            UpdateFault::NoUrl | UpdateFault::NotHttps => Status::BadSettings,
            UpdateFault::NoAnswer { .. } => Status::Network,
            UpdateFault::NoVersion => Status::Failed,
        }
    }

    pub fn text(&self, lang: Lang) -> String {
        match self {
            UpdateFault::NoUrl => say!(
                lang,
                "there is no place to ask: add a table [update] with a url to dedup.toml",
                "問い合わせ先がありません。dedup.toml に [update] の表を作り、url を書いてください"
            ),
            UpdateFault::NotHttps => say!(
                lang,
                "'update.url' must begin with https://, so that nobody can pretend that there is nothing new",
                "偽の答えを防ぐため、「update.url」は https:// で始めてください"
            ),
            UpdateFault::NoAnswer { why } => say!(
                lang,
                "the newest version is unknown: {why}",
                "最新の版が分かりません: {why}"
            ),
            UpdateFault::NoVersion => say!(
                lang,
                "the answer names no version: expected 1.2.3, or JSON with 'version'",
                "答えに版がありません (1.2.3、または version のある JSON が必要です)"
            ),
        }
    }
}
