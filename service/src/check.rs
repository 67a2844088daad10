//! The job `check`: what is damaged in the repository, and which files that affects.

use crate::context::Context;
use crate::face::{Activity, Face, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind};
use crate::status::Status;
use engine::check as run;
pub use engine::check::{CheckReport, DamagedPath, ReadData};

#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Which stored data is read, beside everything that locates it.
    pub read_data: ReadData,
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    pub found: CheckReport,
    pub problems: ProblemCounts,
}

impl Report {
    pub fn status(&self) -> Status {
        match self.found.num_errors {
            0 => self.problems.status(),
            _ => Status::Damaged,
        }
    }
}

pub fn run(context: &Context, request: Request, face: &dyn Face) -> Result<Report, Failure> {
    recorded(
        context,
        Some(JobInfo::of(JobKind::Check)),
        face,
        |face| perform(context, request, face),
        |report, _| report.status(),
    )
}

/// The same without a row in the history.
pub(crate) fn perform(context: &Context, request: Request, face: &dyn Face) -> Result<Report, Failure> {
    let options = run::CheckOptions {
        read_data: request.read_data,
    };
    let repo = context.open(face)?;
    let step = Step::start(face, Activity::Check)?;
    let found = run::run(&repo, &options, &step)?;
    let problems = step.finish();
    Ok(Report { found, problems })
}
