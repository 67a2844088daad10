//! What a job needs from its caller: someone to ask, and somewhere to report progress. The command line and the console
//! each implement [`Face`]; a scheduled run uses [`Nobody`].

mod decisions;
mod expiry;

pub use decisions::Decisions;
pub use expiry::{ExpiringSet, ExpiryNews};

use crate::catalogue::{Cause, Question, SetupWarning};
use crate::failure::Failure;
use crate::secret::{Hidden, PasswordPrompt};
use crate::status::Status;
use engine::entry::Kind;
use engine::monitor::{EntryChange, ExcludeRule, Monitor, Phase, Problem, ProblemKind, Progress};
use engine::prune::PruneSummary;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Methods may be called from any thread. A closed terminal or connection is not an error.
/// The methods that ask somebody answer for an unattended job unless they are overridden.
pub trait Face: Send + Sync {
    /// Asks for a password; a new one is asked for twice. `None` if there is no one to ask.
    fn password(&self, _: PasswordPrompt) -> Result<Option<Hidden>, Failure> {
        Ok(None)
    }

    /// Whether somebody can answer [`Face::confirm`].
    fn can_confirm(&self) -> bool {
        false
    }

    /// Asks a yes-or-no question.
    fn confirm(&self, _: &Question) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Shows the decisions of a policy before anything is removed. An error cancels the removal.
    fn decided(&self, _: &Decisions) -> Result<(), Failure> {
        Ok(())
    }

    /// Shows deleted files before they leave snapshots, and each snapshot that was changed. An error cancels it.
    fn expiry(&self, _: &ExpiryNews<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether somebody would see a recovery phrase.
    fn can_show_phrase(&self) -> bool {
        false
    }

    /// Shows a recovery phrase, once, before it becomes valid. An error means that no one saw it.
    fn show_phrase(&self, _: &str) -> Result<(), Failure> {
        Err(Cause::NobodySeesPhrase.into())
    }

    /// Whether [`Face::show_phrase`] also makes sure that the phrase was written down: it asks for some of its words.
    fn confirms_phrase(&self) -> bool {
        false
    }

    /// Reports something immediately.
    fn notice(&self, notice: &Notice<'_>);

    /// Starts to show a long step. Nothing is asked from here on, and the user may interrupt.
    fn start(&self, activity: Activity) -> Result<Box<dyn Watch + '_>, Failure>;
}

/// Shows the progress of one long step, from [`Face::start`] until it is dropped.
pub trait Watch: Monitor {
    /// The step completed.
    fn finish(self: Box<Self>);
}

/// What a long step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    Backup,
    Bench,
    Check,
    Copy,
    Diff,
    Drill,
    Dump,
    Find,
    Forget,
    Heal,
    Mount,
    Prune,
    Purge,
    Repair,
    Replicate,
    Restore,
    Serve,
    Space,
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
            Activity::Diff => "diff",
            Activity::Drill => "drill",
            Activity::Dump => "dump",
            Activity::Find => "find",
            Activity::Forget => "forget",
            Activity::Heal => "heal",
            Activity::Mount => "mount",
            Activity::Prune => "prune",
            Activity::Purge => "purge",
            Activity::Repair => "repair",
            Activity::Replicate => "replicate",
            Activity::Restore => "restore",
            Activity::Serve => "serve",
            Activity::Space => "space",
            Activity::Stats => "stats",
            Activity::Tag => "tag",
            Activity::Undelete => "undelete",
        }
    }
}

/// What a job reports while it runs.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The password is wrong; it will be asked for again.
    WrongPassword,
    /// The default repository has no key file at this path, so a password will be asked for.
    NoKeyFile(&'a Path),
    /// A problem with the list of snapshots.
    Listing(&'a Problem),
    /// A part of the job failed; the rest continues.
    PartFailed(&'a Failure),
    /// Reading from this replica because the first repository cannot be read.
    RestoringFrom(&'a str),
    /// An older snapshot was chosen because the latest does not contain the requested paths.
    OlderSnapshot { short: &'a str, time: &'a str },
    /// The snapshot that was taken as the newest one is of some sources, and there are others.
    OtherSources { sources: u64 },
    /// A warning that concerns no path; `during` is the command's name.
    Warning {
        during: &'static str,
        warning: &'a SetupWarning,
    },
    /// What garbage collection would do, before asking for confirmation.
    PruneCosts(&'a PruneSummary),
}

/// The face of an unattended run.
pub struct Nobody;

impl Face for Nobody {
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
}

/// Asks for confirmation if somebody can answer. Otherwise an explicit request, such as a policy, counts as a yes.
pub(crate) fn confirm_if_possible(face: &dyn Face, yes: bool, question: &Question) -> Result<(), Failure> {
    match face.can_confirm() {
        true => confirm(face, yes, question),
        false => Ok(()),
    }
}

/// Asks for confirmation of something irreversible, unless `yes` was given.
pub(crate) fn confirm(face: &dyn Face, yes: bool, question: &Question) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !face.can_confirm() {
        let question = question.clone();
        return Err(Cause::NobodyConfirms { question }.into());
    }
    match face.confirm(question)? {
        true => Ok(()),
        false => Err(Cause::NotConfirmed.into()),
    }
}

/// Number of problems by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProblemCounts {
    /// Something in the repository is damaged or missing.
    pub damage: u64,
    /// Something in the repository cannot be read.
    pub unreadable: u64,
    /// Problems with single paths.
    pub paths: u64,
    pub warnings: u64,
}

impl ProblemCounts {
    /// The status of a job that ran to completion.
    pub fn status(&self) -> Status {
        match (self.damage, self.unreadable, self.paths) {
            (0, 0, 0) => Status::Completed,
            (0, 0, _) => Status::Incomplete,
            (0, _, _) => Status::AccessDenied,
            _ => Status::Damaged,
        }
    }
}

/// A long step. Counts its problems, which determine its status (I-12), and passes everything on to its [`Watch`].
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

    /// Completes the step.
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
            | ProblemKind::SnapshotLost
            | ProblemKind::LeftOut { .. }
            | ProblemKind::Restore { .. } => &self.paths,
        };
        counter.fetch_add(1, Relaxed);
        self.watch.problem(problem);
    }

    fn wants_entries(&self) -> bool {
        self.watch.wants_entries()
    }

    fn entry(&self, path: &[u8], kind: &Kind, change: EntryChange, size: u64) {
        self.watch.entry(path, kind, change, size);
    }

    fn excluded(&self, path: &[u8], rule: &ExcludeRule, line: Option<&str>) {
        self.watch.excluded(path, rule, line);
    }

    fn wants_totals_after(&self) -> Option<Duration> {
        self.watch.wants_totals_after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::StoreError;
    use engine::problem::{Damage, Unread, Warning};

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
        let missing = StoreError::missing("x");
        let warning = ProblemKind::Warning(Warning::MountGone);
        let path = ProblemKind::SourceMissing { errno: 2 };
        let unreadable = ProblemKind::Unreadable(Unread::Needed(missing.clone()));
        let damage = ProblemKind::Damage(Damage::Needed(missing));
        assert_eq!(step(&[]), Status::Completed);
        assert_eq!(step(std::slice::from_ref(&warning)), Status::Completed);
        assert_eq!(step(&[warning, path.clone()]), Status::Incomplete);
        assert_eq!(step(&[path.clone(), unreadable.clone()]), Status::AccessDenied);
        assert_eq!(step(&[path, unreadable, damage]), Status::Damaged);
    }

    #[test]
    fn what_nobody_can_confirm() {
        let question = Question::CollectGarbage;
        assert_eq!(confirm_if_possible(&Nobody, false, &question), Ok(()));
        assert_eq!(confirm(&Nobody, true, &question), Ok(()));
        let refused = confirm(&Nobody, false, &question).unwrap_err();
        assert!(refused.status == Status::BadSettings && refused.message().contains("--yes"));
    }
}
