//! What a job reports while it runs.

use super::{Lang, problem, say, warning_prefix};
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
        Notice::Listing(found) => problem(lang, found),
        Notice::PartFailed(failure) => escape(failure.text(lang).as_bytes()),
        Notice::RestoringFrom(location) => {
            say!(lang, "restoring from {location}", "{location} から復元します")
        }
        Notice::OlderSnapshot { short, time } => say!(
            lang,
            "taken from snapshot {short} of {time}, the newest that holds it",
            "それを含む最も新しいスナップショット {short} ({time}) から取り出します"
        ),
        Notice::Warning { warning, .. } => {
            let text = escape(warning.text(lang).as_bytes());
            format!("{}{text}", warning_prefix(lang))
        }
        Notice::PruneCosts(planned) => retention::costs(lang, planned).join("\n"),
    }
}
