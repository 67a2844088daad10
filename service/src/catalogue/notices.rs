//! What a job reports while it runs.

use super::{Lang, listed_problem, say, warning_prefix};
use crate::catalogue::report::retention;
use crate::face::Notice;
use engine::units::escape;

pub fn notice(lang: Lang, notice: &Notice<'_>) -> String {
    match notice {
        Notice::WrongPassword => say!(
            lang,
            "wrong password; try again",
            "パスワードが違います。もう一度入力してください"
        ),
        Notice::NoKeyFile(path) => {
            let path = path.display();
            say!(
                lang,
                "there is no key file at {path}: give another key, a password or the recovery phrase",
                "{path} に鍵ファイルがありません。別の鍵、パスワード、回復フレーズのどれかを指定してください"
            )
        }
        Notice::Listing(found) => listed_problem(lang, found),
        Notice::PartFailed(failure) => escape(failure.text(lang).as_bytes()),
        Notice::RestoringFrom(location) => {
            say!(lang, "restoring from {location}", "{location} から復元します")
        }
        Notice::OlderSnapshot { short, time } => say!(
            lang,
            "taken from snapshot {short} of {time}, the newest that holds it",
            "それを含む最も新しいスナップショット {short} ({time}) から取り出します"
        ),
        Notice::OtherSources { sources: 1 } => say!(
            lang,
            "the newest snapshot is of some sources only; there are snapshots of other sources, too: 'dedup snapshots --latest 1' \
             lists the newest of each",
            "最も新しいスナップショットは一部の対象だけのものです。別の対象のスナップショットもあります。\
             'dedup snapshots --latest 1' でそれぞれの最新のものが分かります"
        ),
        Notice::OtherSources { sources } => say!(
            lang,
            "the newest snapshot is of some sources only; there are snapshots of {sources} other lists of sources, too: \
             'dedup snapshots --latest 1' lists the newest of each",
            "最も新しいスナップショットは一部の対象だけのものです。ほかに {sources} とおりの対象のスナップショットがあります。\
             'dedup snapshots --latest 1' でそれぞれの最新のものが分かります"
        ),
        Notice::Warning { warning, .. } => {
            let text = escape(warning.text(lang).as_bytes());
            format!("{}{text}", warning_prefix(lang))
        }
        Notice::PruneCosts(planned) => retention::costs(lang, planned).join("\n"),
    }
}
