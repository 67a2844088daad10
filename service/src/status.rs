//! The status of a job: one vocabulary for exit codes, history, mail and console.

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
}
