//! The status of a job: one vocabulary for exit codes, history, mail and console.

/// Every status but completed, running and not run, where somebody looks for jobs.
pub const FAILED: &str = "failed";

/// Ordered by severity: the status of a whole is the greatest of its parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Status {
    Running,
    #[default]
    Completed,
    /// Failed for a reason that has no variant of its own.
    Failed,
    /// The storage or the operating system refused access.
    AccessDenied,
    /// The storage could not be reached, or stopped answering.
    Network,
    OutOfMemory,
    /// The request or the settings are invalid; nothing was done.
    BadSettings,
    /// The destination cannot store a name.
    ForbiddenName,
    /// Partly done; the problems explain why.
    Incomplete,
    /// Paused, or outside its window.
    NotRun,
    NoRepository,
    /// The repository or the cache is in use by another run.
    Busy,
    WrongKey,
    /// Something in the repository is damaged or missing.
    Damaged,
    OutOfSpace,
    Interrupted,
}

impl Status {
    pub const ALL: [Status; 16] = [
        Status::Running,
        Status::Completed,
        Status::Failed,
        Status::AccessDenied,
        Status::Network,
        Status::OutOfMemory,
        Status::BadSettings,
        Status::ForbiddenName,
        Status::Incomplete,
        Status::NotRun,
        Status::NoRepository,
        Status::Busy,
        Status::WrongKey,
        Status::Damaged,
        Status::OutOfSpace,
        Status::Interrupted,
    ];

    /// The status in one word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Completed => "completed",
            Status::NotRun => "not run",
            Status::Failed
            | Status::AccessDenied
            | Status::Network
            | Status::OutOfMemory
            | Status::BadSettings
            | Status::ForbiddenName
            | Status::Incomplete
            | Status::NoRepository
            | Status::Busy
            | Status::WrongKey
            | Status::Damaged
            | Status::OutOfSpace
            | Status::Interrupted => "incomplete",
        }
    }

    /// What a user may write to choose jobs: the words, [`FAILED`], and the reasons.
    pub fn names() -> Vec<&'static str> {
        let mut names = vec![
            Status::Completed.word(),
            Status::Incomplete.word(),
            FAILED,
            Status::NotRun.word(),
            Status::Running.word(),
        ];
        names.extend(Status::ALL.into_iter().filter_map(Status::reason));
        names
    }

    /// Whether a user who wrote this means a status: one of the names, or a word with its reason, as lists show it.
    pub fn is_name(text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let is_both = |status: Status| {
            let reason = status.reason();
            reason.is_some_and(|reason| text == format!("{} ({reason})", status.word()))
        };
        Status::names().contains(&text.as_str()) || Status::ALL.into_iter().any(is_both)
    }

    /// Why the job is incomplete.
    pub fn reason(self) -> Option<&'static str> {
        Some(match self {
            Status::Running | Status::Completed | Status::NotRun => return None,
            Status::Failed => "unexpected error",
            Status::AccessDenied => "access denied",
            Status::Network => "network",
            Status::OutOfMemory => "out of memory",
            Status::BadSettings => "bad settings",
            Status::ForbiddenName => "forbidden name",
            Status::Incomplete => "several",
            Status::NoRepository => "no repository",
            Status::Busy => "in use",
            Status::WrongKey => "wrong key",
            Status::Damaged => "damage found",
            Status::OutOfSpace => "out of space",
            Status::Interrupted => "interrupted",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_words() {
        let words: std::collections::HashSet<_> = Status::ALL
            .iter()
            .map(|status| (status.word(), status.reason()))
            .collect();
        assert_eq!(words.len(), Status::ALL.len());
        assert!(Status::ALL.is_sorted());
        for status in Status::ALL {
            assert_eq!(
                status.word() == "incomplete",
                status.reason().is_some(),
                "{status:?}"
            );
        }
    }

    #[test]
    fn every_status_has_a_name_that_a_user_may_write() {
        for status in Status::ALL {
            assert!(Status::is_name(status.word()), "{status:?}");
            if let Some(reason) = status.reason() {
                assert!(Status::is_name(reason), "{status:?}");
                assert!(Status::is_name(&format!("Incomplete ({reason})")), "{status:?}");
            }
        }
        assert!(Status::is_name("Failed"));
        for other in ["", "bogus", "complete", "completed (network)", "incomplete ()"] {
            assert!(!Status::is_name(other), "{other:?}");
        }
    }
}
