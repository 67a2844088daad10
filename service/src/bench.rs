//! The job `bench`: what this machine can do, and what a backup and a restore get of it.

use crate::catalogue::{Action, Cause};
use crate::context::Context;
use crate::face::{Activity, Face, Step};
use crate::failure::Failure;
use crate::machine;
use crate::status::Status;
use engine::bench::{self, BenchOptions};
pub use engine::bench::{BenchReport, MeasuredRun};
use std::io;
use std::path::{Path, PathBuf};

/// What to measure.
pub struct Request {
    /// On the disk to be measured; without one, where the cache is.
    pub scratch: Option<PathBuf>,
    /// Bytes of each kind of data.
    pub size: u64,
    /// zstd's level.
    pub level: i32,
}

pub struct Report {
    pub bench: BenchReport,
    pub status: Status,
}

/// Measures. What is written for that is removed again, however it ends.
pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let on = match &request.scratch {
        Some(dir) => dir.clone(),
        None => machine::cache_dir(&context.env)?,
    };
    let scratch = std::fs::create_dir_all(&on)
        .and_then(|()| tempfile::Builder::new().prefix("bench-").tempdir_in(&on))
        .map_err(|e| failed(&on, e))?;
    let step = Step::start(face, Activity::Bench)?;
    let options = BenchOptions {
        scratch: scratch.path().to_path_buf(),
        size: request.size,
        run: context.run()?,
        level: request.level,
    };
    let bench = bench::run(&options, &step);
    let status = step.finish().status();
    let bench = bench?;
    scratch.close().map_err(|e| failed(&on, e))?;
    Ok(Report { bench, status })
}

fn failed(dir: &Path, source: io::Error) -> Failure {
    Cause::system(Action::Use, dir, source).into()
}
