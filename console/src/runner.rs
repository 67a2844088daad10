//! Starts jobs, each in a thread of its own: a run of a set, a restore, and whatever else a page asks for.

use crate::app::App;
use crate::jobs::{Job, Outcome, Page, What};
use service::face::Face;
use service::run::CancelToken;
use service::runs::{self, WhichSets};
use service::{Context, Failure, Status, catalogue, restore};
use std::sync::Arc;

/// Runs a set, unless it runs already.
pub fn back_up(app: &Arc<App>, set: &str) -> Result<(), Failure> {
    let cancel = app.cancel().child();
    let context = app.context_with(cancel.clone())?;
    context.settings.named_set(set)?;
    if app.jobs.of_set(set).is_some() {
        return Ok(());
    }
    let request = runs::Request {
        which: WhichSets::Named(vec![set.to_string()]),
        wait: false,
        dry_run: false,
        allow_empty: false,
    };
    spawn(app, What::Set(set.to_string()), cancel, move |face| {
        let mut failure = None;
        let report = runs::run(&context, &request, face, &mut |done| {
            failure = done.failure.clone();
            Ok(())
        });
        context.tighten();
        let report = report?;
        Ok(Outcome {
            status: report.status,
            failure,
            restored: Vec::new(),
        })
    })
    .map(drop)
}

/// Restores one request after the other, each with its context; the number of the job.
pub fn bring_back(
    app: &Arc<App>,
    target: String,
    cancel: CancelToken,
    requests: Vec<(Context, restore::Request)>,
) -> Result<u64, Failure> {
    spawn(app, What::Restore(target), cancel, move |face| {
        let mut outcome = Outcome {
            status: Status::Completed,
            failure: None,
            restored: Vec::new(),
        };
        for (context, request) in &requests {
            match restore::run(context, request, face) {
                Ok(report) => {
                    outcome.status = outcome.status.max(report.status());
                    outcome.restored.push(report.summary);
                }
                Err(failure) => {
                    outcome.status = outcome.status.max(failure.status);
                    let is_end = failure.status == Status::Interrupted;
                    outcome.failure = outcome.failure.or(Some(failure));
                    if is_end {
                        break;
                    }
                }
            }
            context.tighten();
        }
        Ok(outcome)
    })
}

fn spawn(
    app: &Arc<App>,
    what: What,
    cancel: CancelToken,
    run: impl FnOnce(&dyn Face) -> Result<Outcome, Failure> + Send + 'static,
) -> Result<u64, Failure> {
    begin(app, what, cancel, move |face, _| run(face))
}

/// The number of a job that runs in a thread of its own.
pub fn begin(
    app: &Arc<App>,
    what: What,
    cancel: CancelToken,
    run: impl FnOnce(&dyn Face, &Job) -> Result<Outcome, Failure> + Send + 'static,
) -> Result<u64, Failure> {
    let job = app.jobs.begin(what, cancel);
    let nr = job.nr;
    let (of_thread, shared) = (job.clone(), app.clone());
    let work = move || {
        let job = of_thread;
        // A panic has been printed; the job has ended all the same.
        let ending = Ending {
            app: &shared,
            job: &job,
        };
        let outcome = run(&Page { job: &job }, &job).unwrap_or_else(|failure| Outcome {
            status: failure.status,
            failure: Some(failure),
            restored: Vec::new(),
        });
        ending.app.jobs.end(&job, outcome);
    };
    let thread = std::thread::Builder::new().name("job".to_string());
    match thread.spawn(work) {
        Ok(_) => Ok(nr),
        Err(e) => {
            let failure = Failure::from(catalogue::Cause::NoThread { why: e.into() });
            let outcome = Outcome {
                status: failure.status,
                failure: Some(failure.clone()),
                restored: Vec::new(),
            };
            app.jobs.end(&job, outcome);
            Err(failure)
        }
    }
}

/// A job whose thread is gone has ended.
struct Ending<'a> {
    app: &'a App,
    job: &'a Job,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if self.job.outcome().is_none() {
            let outcome = Outcome {
                status: Status::Failed,
                failure: None,
                restored: Vec::new(),
            };
            self.app.jobs.end(self.job, outcome);
        }
    }
}
