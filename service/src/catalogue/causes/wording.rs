//! What causes are made with, and what their texts have in common.

use super::Cause;
use crate::catalogue::Lang::{self, En, Ja};
use crate::catalogue::{Action, SystemError};

impl Cause {
    pub fn system(action: Action, path: &std::path::Path, error: impl Into<SystemError>) -> Cause {
        Cause::System {
            action,
            path: path.display().to_string(),
            why: error.into(),
        }
    }

    /// This, and what follows from it.
    pub fn followed_by(self, by: Cause) -> Cause {
        Cause::Followed {
            cause: Box::new(self),
            by: Box::new(by),
        }
    }
}

pub(super) fn in_file(name: &Option<String>, what: &str) -> String {
    match name {
        Some(name) => format!("{name}: {what}"),
        None => what.to_string(),
    }
}

pub(super) fn did_you_mean(lang: Lang, near: &Option<String>) -> String {
    match (lang, near) {
        (_, None) => String::new(),
        (En, Some(near)) => format!("; did you mean '{near}'?"),
        (Ja, Some(near)) => format!("。「{near}」ではありませんか"),
    }
}
