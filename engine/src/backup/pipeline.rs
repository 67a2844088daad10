//! The stages of a backup of files, run beside each other: `dispatch`, `work`, `assemble`.

use super::assemble::Assembler;
use super::dispatch::Dispatcher;
use super::expected::Expected;
use super::job::{BackupJob, BackupSlot};
use super::parent::Parent;
use super::run::BackupRun;
use super::work::Worker;
use super::{BackupOptions, RunOutcome, WINDOW, outputs, scan};
use crate::error::{Error, NoSource, Result};
use crate::walk::Walk;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place, SessionId, threads};
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::Scope;

/// The error that came first where several stages fail together.
#[derive(Default)]
struct FirstError(Mutex<Option<Error>>);

impl FirstError {
    /// An error that only follows from another's gives way to that.
    fn note(&self, e: Error) {
        let follows = |e: &Error| matches!(e, Error::Store(chunkstore::Error::WriterFailed));
        let mut first = self.0.lock();
        if first.as_ref().is_none_or(|known| follows(known) && !follows(&e)) {
            *first = Some(e);
        }
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().take()
    }
}

/// Runs the stages until all have ended.
pub(super) fn run<'a, L>(
    run: &'a BackupRun<'a>,
    options: &BackupOptions,
    mut walk: Walk,
    parent: (Parent<L>, Option<SessionId>),
    expected: Expected<'a>,
    reader: &'a Reader<'a>,
    assembler: impl FnOnce(Receiver<BackupJob>, Sender<Vec<BackupSlot>>) -> Assembler<'a>,
) -> Result<RunOutcome>
where
    L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> + Send,
{
    check_sources_exist(&walk, options)?;
    let (to_workers, for_workers) = bounded(WINDOW);
    let (to_assembler, for_assembler) = bounded(WINDOW);
    let (return_slots, free_slots) = free_slots();
    let first_error = FirstError::default();
    let failed = |e: Error| {
        run.stop.store(true, Relaxed);
        first_error.note(e);
    };
    std::thread::scope(|scope| {
        let mut dispatcher = Dispatcher::new(
            run,
            parent,
            expected,
            reader,
            to_workers,
            to_assembler.clone(),
            free_slots,
        )?;
        dispatcher.outputs = outputs::Outputs::new(&options.outputs);
        let (walking, walk_over) = bounded::<Infallible>(0);
        if let Some(wait) = run.wants_totals_after() {
            // Without a thread there are no totals.
            let _ = threads::spawn_in(scope, "scan", move || scan::count(run, options, wait, &walk_over));
        }
        let (failed, walk) = (&failed, &mut walk);
        threads::spawn_in(scope, "dispatch", move || {
            // Its error is known before its channels close: else what came through them would pass for the whole.
            dispatcher.walk(walk).unwrap_or_else(failed);
            run.walked.store(true, Relaxed);
            drop((walking, dispatcher));
        })?;
        start_workers(scope, run, &for_workers, &to_assembler, failed)?;
        drop((to_assembler, for_workers));
        let mut ended_well = || first_error.take().map_or(Ok(()), Err);
        let assembled = assembler(for_assembler, return_slots).assemble(&mut ended_well);
        if assembled.is_err() {
            run.stop.store(true, Relaxed);
        }
        match (first_error.take(), assembled) {
            (Some(first), Err(Error::Store(chunkstore::Error::WriterFailed))) => Err(first),
            (_, assembled) => assembled,
        }
    })
}

fn free_slots() -> (Sender<Vec<BackupSlot>>, Receiver<Vec<BackupSlot>>) {
    let (put, take) = bounded(WINDOW);
    for _ in 0..WINDOW {
        // The channel holds exactly this many.
        let _ = put.try_send(Vec::new());
    }
    (put, take)
}

/// An error where none of the sources is there, and nothing else is to be saved.
fn check_sources_exist(walk: &Walk, options: &BackupOptions) -> Result<()> {
    let missing = walk.missing_sources();
    match missing.first() {
        Some((path, errno)) if missing.len() >= options.sources.len() && options.outputs.is_empty() => {
            let (path, errno) = (path.clone(), *errno);
            Err(Error::NoSource(NoSource::Missing { path, errno }))
        }
        _ => Ok(()),
    }
}

/// One worker for each lane but that of trees.
fn start_workers<'scope, 'a: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    run: &'a BackupRun<'a>,
    jobs: &Receiver<BackupJob>,
    done: &Sender<BackupJob>,
    failed: &'scope (impl Fn(Error) + Sync),
) -> Result<()> {
    for lane in 0..run.tree_lane {
        let worker = Worker::new(run, lane)?;
        let (jobs, done) = (jobs.clone(), done.clone());
        let work = move || worker.work(&jobs, &done).unwrap_or_else(failed);
        match threads::spawn_in(scope, "worker", work) {
            // One does what several would.
            Err(_) if lane > 0 => break,
            started => drop(started?),
        }
    }
    Ok(())
}
