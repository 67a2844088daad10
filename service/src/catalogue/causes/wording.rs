//! What causes are made with.

use super::Cause;
use crate::catalogue::{Action, BrowseCause, Lang, ReplicaCause, SetCause, SystemError};
use crate::failure::Failure;

impl Cause {
    pub fn system(action: Action, path: &std::path::Path, error: impl Into<SystemError>) -> Cause {
        Cause::System {
            action,
            path: path.display().to_string(),
            why: error.into(),
        }
    }

    /// What happened, without what to do about it: for who says that in words of its own.
    pub fn without_advice(&self, lang: Lang) -> String {
        match self {
            Cause::Systemctl { command, why } => format!("{command}: {}", why.text(lang)),
            _ => self.text(lang),
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

impl From<SetCause> for Cause {
    fn from(what: SetCause) -> Cause {
        Cause::Sets { what }
    }
}

impl From<SetCause> for Failure {
    fn from(what: SetCause) -> Failure {
        Cause::from(what).into()
    }
}

impl From<ReplicaCause> for Cause {
    fn from(what: ReplicaCause) -> Cause {
        Cause::Replica { what }
    }
}

impl From<ReplicaCause> for Failure {
    fn from(what: ReplicaCause) -> Failure {
        Cause::from(what).into()
    }
}

impl From<BrowseCause> for Failure {
    fn from(cause: BrowseCause) -> Failure {
        Cause::Browse { cause }.into()
    }
}
