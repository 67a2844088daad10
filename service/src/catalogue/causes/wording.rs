//! What causes are made with.

use super::Cause;
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
