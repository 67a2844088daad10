//! What a job needs of whoever started it: somebody to ask, and somewhere to show how it goes. The command line and
//! the console each have one; a scheduled run has one that nobody is in front of.

use crate::failure::Failure;
use crate::removal::Decisions;
use crate::secret::{Hidden, PasswordPrompt};
use crate::status::Status;
use engine::monitor::{Monitor, Phase, Problem, ProblemKind, Progress};
use engine::prune::PruneSummary;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Must answer from any thread, and not fail for being closed.
pub trait Face: Send + Sync {
    /// Asks for a password, a new one twice. `None` where nobody can be asked.
    fn password(&self, prompt: PasswordPrompt) -> Result<Option<Hidden>, Failure>;

    /// Whether somebody can answer [`Face::confirm`].
    fn can_confirm(&self) -> bool;

    /// Asks a question, without its question mark, that is answered by yes or no.
    fn confirm(&self, question: &str) -> Result<bool, Failure>;

    /// Shows what a policy decides, before anything is removed. An error stops that.
    fn decided(&self, _: &Decisions) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a recovery phrase would be seen.
    fn can_show_phrase(&self) -> bool;

    /// Shows a recovery phrase, this once, before anything relies on it. An error: it was not seen.
    fn show_phrase(&self, phrase: &str) -> Result<(), Failure>;

    /// Something to be said at once.
    fn notice(&self, notice: &Notice<'_>);

    /// A long step begins, after everything that has to be asked is known. From here on the person may ask it to stop.
    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure>;
}

/// Shows how one long step goes, from [`Face::start`] until it is dropped.
pub trait Watch: Monitor {
    /// The step came to its end.
    fn finish(self: Box<Self>);
}

/// What is going on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    Backup,
    Bench,
    Check,
    Copy,
    Dump,
    Find,
    Forget,
    Heal,
    Prune,
    Repair,
    Replicate,
    Restore,
    Stats,
    Tag,
    Undelete,
}

impl Activity {
    /// The command's name, as JSON has it.
    pub fn word(self) -> &'static str {
        match self {
            Activity::Backup => "backup",
            Activity::Bench => "bench",
            Activity::Check => "check",
            Activity::Copy => "copy",
            Activity::Dump => "dump",
            Activity::Find => "find",
            Activity::Forget => "forget",
            Activity::Heal => "heal",
            Activity::Prune => "prune",
            Activity::Repair => "repair",
            Activity::Replicate => "replicate",
            Activity::Restore => "restore",
            Activity::Stats => "stats",
            Activity::Tag => "tag",
            Activity::Undelete => "undelete",
        }
    }
}

/// What a job says while it goes on.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The password that was typed opens nothing; another is asked for.
    WrongPassword,
    /// The embedded repository has no key file at this place, so something else is asked for.
    NoKeyFile(&'a Path),
    /// About the snapshots of a repository as a whole.
    Listing(&'a Problem),
    /// A part failed; the job goes on with the rest.
    PartFailed(&'a Failure),
    /// A replica is read, as the first repository can't be.
    RestoringFrom(&'a str),
    /// An older snapshot than the latest was taken, as the latest does not hold what was asked for.
    OlderSnapshot { short: &'a str, time: &'a str },
    /// Said during this command, of no path.
    Warning { during: &'static str, why: &'a str },
    /// What a collection of garbage would do, before the question whether it may.
    PruneCosts(&'a PruneSummary),
}

/// A face that nobody is in front of.
pub struct Nobody;

impl Face for Nobody {
    fn password(&self, _: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        Ok(None)
    }

    fn can_confirm(&self) -> bool {
        false
    }

    fn confirm(&self, _: &str) -> Result<bool, Failure> {
        Ok(false)
    }

    fn can_show_phrase(&self) -> bool {
        false
    }

    fn show_phrase(&self, _: &str) -> Result<(), Failure> {
        let why = "nobody would see the recovery phrase, so none was made";
        Err(Failure::new(Status::Failed, why))
    }

    fn notice(&self, _: &Notice<'_>) {}

    fn start(&self, _: Activity) -> Result<Box<dyn Watch + '_>, Failure> {
        Ok(Box::new(Unwatched))
    }
}

struct Unwatched;

impl Watch for Unwatched {
    fn finish(self: Box<Self>) {}
}

impl Monitor for Unwatched {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, _: &Problem) {}
    fn interrupted(&self) -> bool {
        false
    }
}

/// Asks before something is removed, where somebody can answer. Where nobody can, what was asked for in so many words,
/// such as a policy, is the answer.
pub(crate) fn confirm_if_possible(face: &dyn Face, yes: bool, question: &str) -> Result<(), Failure> {
    match face.can_confirm() {
        true => confirm(face, yes, question),
        false => Ok(()),
    }
}

/// Asks before something that can't be taken back, unless `yes` was given.
pub(crate) fn confirm(face: &dyn Face, yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !face.can_confirm() {
        return Err(Failure::usage(format!(
            "{question}? This is not a terminal, so nobody can answer: add --yes"
        )));
    }
    match face.confirm(question)? {
        true => Ok(()),
        false => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}

/// How many problems there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProblemCounts {
    /// Something in the repository is damaged or missing.
    pub damage: u64,
    /// Something in the repository can't be read.
    pub unreadable: u64,
    /// A path that is not what it should be for another reason.
    pub paths: u64,
    pub warnings: u64,
}

impl ProblemCounts {
    /// The status of a job that came to its end.
    pub fn status(&self) -> Status {
        match (self.damage, self.unreadable, self.paths) {
            (0, 0, 0) => Status::Completed,
            (0, 0, _) => Status::Incomplete,
            (0, _, _) => Status::AccessDenied,
            _ => Status::Damaged,
        }
    }
}

/// A long step that is shown, and whose problems are counted: they decide its status (I-12).
pub struct Step<'a> {
    watch: Box<dyn Watch + 'a>,
    damage: AtomicU64,
    unreadable: AtomicU64,
    paths: AtomicU64,
    warnings: AtomicU64,
}

impl<'a> Step<'a> {
    pub fn start(face: &'a dyn Face, activity: Activity) -> Result<Step<'a>, Failure> {
        Ok(Step {
            watch: face.start(activity)?,
            damage: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            paths: AtomicU64::new(0),
            warnings: AtomicU64::new(0),
        })
    }

    /// Ends it, and tells how many problems there were.
    pub fn finish(self) -> ProblemCounts {
        let counts = ProblemCounts {
            damage: self.damage.load(Relaxed),
            unreadable: self.unreadable.load(Relaxed),
            paths: self.paths.load(Relaxed),
            warnings: self.warnings.load(Relaxed),
        };
        self.watch.finish();
        counts
    }
}

impl Monitor for Step<'_> {
    fn phase(&self, phase: Phase) {
        self.watch.phase(phase);
    }

    fn progress(&self, progress: &Progress) {
        self.watch.progress(progress);
    }

    fn current(&self, path: &[u8]) {
        self.watch.current(path);
    }

    fn problem(&self, problem: &Problem) {
        let counter = match problem.what {
            ProblemKind::Damage { .. } => &self.damage,
            ProblemKind::Unreadable { .. } => &self.unreadable,
            ProblemKind::Warning { .. } | ProblemKind::Bare { .. } => &self.warnings,
            ProblemKind::Source(_)
            | ProblemKind::SourceMissing { .. }
            | ProblemKind::Lost { .. }
            | ProblemKind::LeftOut { .. }
            | ProblemKind::Restore { .. } => &self.paths,
        };
        counter.fetch_add(1, Relaxed);
        self.watch.problem(problem);
    }

    fn interrupted(&self) -> bool {
        self.watch.interrupted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_decide_the_status() {
        let step = |problems: &[ProblemKind]| {
            let step = Step::start(&Nobody, Activity::Check).unwrap();
            for what in problems {
                step.problem(&Problem {
                    path: b"/a".to_vec(),
                    what: what.clone(),
                });
            }
            step.finish().status()
        };
        let why = || "x".to_string();
        let warning = ProblemKind::Warning { why: why() };
        let path = ProblemKind::SourceMissing { errno: 2 };
        let unreadable = ProblemKind::Unreadable { why: why() };
        let damage = ProblemKind::Damage { why: why() };
        assert_eq!(step(&[]), Status::Completed);
        assert_eq!(step(std::slice::from_ref(&warning)), Status::Completed);
        assert_eq!(step(&[warning, path.clone()]), Status::Incomplete);
        assert_eq!(step(&[path.clone(), unreadable.clone()]), Status::AccessDenied);
        assert_eq!(step(&[path, unreadable, damage]), Status::Damaged);
    }

    #[test]
    fn what_nobody_can_confirm() {
        assert_eq!(confirm_if_possible(&Nobody, false, "Remove 1 snapshot"), Ok(()));
        assert_eq!(confirm(&Nobody, true, "Remove it"), Ok(()));
        let refused = confirm(&Nobody, false, "Remove it").unwrap_err();
        assert!(refused.status == Status::BadSettings && refused.message.contains("--yes"));
    }
}
