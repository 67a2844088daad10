//! Windows under way: worker their tasks to threads over a bounded channel and ends them in order.

use super::fault::RestoreOutcome;
use super::finish::on_disk;
use super::job::Failure;
use super::left::Done;
use super::leftovers::end_dir;
use super::placing::Placing;
use super::shared::{Shared, below};
use super::window::{Builder, DoneDir, Limits, Window};
use super::write::RestoreWorker;
use crate::entry::{Kind, Meta, join};
use crate::error::{Error, Result};
use crate::fsmeta::{AsFd, At};
use chunkstore::error::Operation;
use crossbeam_channel::{Receiver, Sender};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Windows handed over at a time; one more is being planned.
pub(super) const UNDER_WAY: usize = 2;
/// Tasks that wait for a thread at most.
pub(super) const WAITING: usize = 64;
/// Entries without chunks that are one task, and parts that are read back as one.
const BATCH: usize = 64;

pub(super) struct PoolTask {
    window: Arc<Window>,
    work: PoolWork,
}

enum PoolWork {
    /// A range read, by its number in the window.
    Read(usize),
    Loose(Range<usize>),
    /// Zeros where files may have something else.
    Clear(Range<usize>),
    /// Parts to be read back.
    Check(Range<usize>),
    /// Help with the names of finished files.
    Place,
}

/// What a thread does until there are no more tasks.
pub(super) fn work(worker: &mut RestoreWorker<'_, '_>, tasks: &Receiver<PoolTask>) {
    for PoolTask { window, work } in tasks {
        let _done = Done(&window.left);
        match work {
            PoolWork::Read(number) => {
                if let Some(read) = window.reads.get(number) {
                    worker.read(&window, read);
                }
            }
            PoolWork::Loose(range) => {
                let jobs = window.loose.get(range).unwrap_or_default();
                jobs.iter().for_each(|job| worker.loose(job));
            }
            PoolWork::Clear(zeros) => worker.clear(&window, zeros),
            PoolWork::Check(parts) => worker.check(&window, parts),
            PoolWork::Place => {
                if let Some(placing) = window.placing.get() {
                    placing.help(|batch| batch.iter().for_each(|finished| worker.place(finished)));
                }
            }
        }
    }
}

pub(super) struct WorkerPool<'r, 'a> {
    pub worker: RestoreWorker<'r, 'a>,
    pub limits: Limits,
    tasks: Sender<PoolTask>,
    under_way: VecDeque<Arc<Window>>,
    /// The run ends before its end.
    early: bool,
}

impl<'r, 'a> WorkerPool<'r, 'a> {
    pub fn new(shared: &'r Shared<'a>, limits: Limits, tasks: Sender<PoolTask>) -> Result<Self> {
        Ok(WorkerPool {
            worker: RestoreWorker::new(shared)?,
            limits,
            tasks,
            under_way: VecDeque::new(),
            early: false,
        })
    }

    fn shared(&self) -> &'r Shared<'a> {
        self.worker.shared
    }

    /// Hands a window over, once there is room for it.
    pub fn submit(&mut self, mut builder: Builder) -> Result<()> {
        if builder.is_empty() {
            return Ok(());
        }
        let located = match self.make_room().and_then(|()| {
            let index = self.shared().source.index()?;
            builder.locate(index)
        }) {
            Ok(located) => located,
            Err(e) => {
                self.worker.abandon(builder);
                return Err(e);
            }
        };
        let window = Arc::new(builder.build(located, &self.limits));
        self.under_way.push_back(window.clone());
        for parts in &window.lost {
            if window.reuses {
                self.worker.reuse(&window, parts.clone());
            }
            if window.is_wanted(parts.clone()) {
                self.worker.missing(&window, parts.clone());
            }
        }
        let loose = batches(window.loose.len()).map(PoolWork::Loose);
        let zeros = batches(window.zeros.len()).map(PoolWork::Clear);
        let reads = (0..window.reads.len()).map(PoolWork::Read);
        self.send(&window, loose.chain(zeros).chain(reads))
    }

    fn make_room(&mut self) -> Result<()> {
        while self.under_way.len() >= UNDER_WAY {
            self.end_first()?;
        }
        Ok(())
    }

    fn send(&self, window: &Arc<Window>, works: impl Iterator<Item = PoolWork>) -> Result<()> {
        for work in works {
            window.left.add(1);
            let task = PoolTask {
                window: window.clone(),
                work,
            };
            if self.tasks.send(task).is_err() {
                window.left.done();
                return Err(Error::Interrupted);
            }
        }
        Ok(())
    }

    fn end_first(&mut self) -> Result<()> {
        let Some(window) = self.under_way.front().cloned() else {
            return Ok(());
        };
        window.left.wait();
        self.shared().check()?;
        if self.shared().options.verify {
            self.read_back(&window)?;
        }
        self.under_way.pop_front();
        self.end(&window)?;
        self.shared().check()
    }

    fn read_back(&self, window: &Arc<Window>) -> Result<()> {
        let shared = self.shared();
        if let Some(target) = shared.target() {
            let path = &shared.options.target;
            let synced = target.root().sync_fs();
            synced.map_err(|e| Error::io(Operation::SyncRestored, path, e))?;
        }
        self.send(window, batches(window.parts.len()).map(PoolWork::Check))?;
        window.left.wait();
        Ok(())
    }

    /// What can be done only when all files of a window, and of those before it, are written.
    fn end(&mut self, window: &Arc<Window>) -> Result<()> {
        self.place(window)?;
        // When a run ends early, nothing more is reported of the other names of files that it gave up.
        let early = self.early;
        for link in window
            .links
            .iter()
            .filter(|link| !early || link.slot.id().is_some())
        {
            self.worker.link(link);
        }
        for dir in &window.dirs {
            self.end_dir(dir);
        }
        Ok(())
    }

    /// Gives names to what is finished so far.
    fn place(&mut self, window: &Arc<Window>) -> Result<()> {
        let finished = on_disk(self.worker.shared, &mut self.worker)?;
        let placing = window.placing.get_or_init(|| Placing::new(finished));
        let (tasks, mut helpers) = (&self.tasks, self.shared().threads());
        let worker = &mut self.worker;
        placing.help(|batch| {
            if helpers > 0 && ask_for_help(tasks, window) {
                helpers -= 1;
            }
            batch.iter().for_each(|finished| worker.place(finished));
        });
        placing.wait();
        Ok(())
    }

    fn end_dir(&mut self, dir: &DoneDir) {
        let path = dir.path.get(..dir.end).unwrap_or_default();
        let path = match &dir.name {
            Some(name) => join(path, name),
            None => path.to_vec(),
        };
        if let Err(fault) = self.try_end_dir(dir, &path) {
            self.worker.blame(&path, fault);
        }
    }

    fn try_end_dir(&mut self, dir: &DoneDir, path: &[u8]) -> RestoreOutcome<()> {
        let shared = self.shared();
        let in_target = below(path, shared.strip());
        let Some(look) = &dir.look else {
            return match shared.opened.has(in_target) {
                true => Ok(shared.opened.put_back(in_target, &self.worker.reach(path)?)?),
                false => Ok(()),
            };
        };
        let meta = Meta {
            mtime: dir.mtime,
            ..(**look).clone()
        };
        let opened = self.worker.reach(path)?;
        end_dir(shared, in_target, &opened);
        shared.opened.forget(in_target);
        shared.apply_meta(path, &At::Fd(opened.as_fd()), &Kind::Dir, &meta);
        Ok(())
    }

    /// Ends all windows.
    pub fn end_all(&mut self) -> Result<()> {
        while !self.under_way.is_empty() {
            self.end_first()?;
        }
        self.shared().check()
    }

    /// After an error: waits for what was begun, and gives up what can't be completed. What is complete stays, and its
    /// links and directories are ended, too.
    pub fn wind_down(&mut self) {
        self.early = true;
        while let Some(window) = self.under_way.pop_front() {
            window.left.wait();
            if self.shared().options.verify {
                for (_, job) in window.jobs_of(0..window.parts.len()) {
                    job.fail(Failure::Abandoned);
                    self.worker.part_done(job, None);
                }
            }
            if let Err(e) = self.end(&window) {
                // The first error is the answer.
                self.shared().fail(e);
            }
        }
    }
}

/// False where the threads have enough to do.
fn ask_for_help(tasks: &Sender<PoolTask>, window: &Arc<Window>) -> bool {
    window.left.add(1);
    let task = PoolTask {
        window: window.clone(),
        work: PoolWork::Place,
    };
    let is_sent = tasks.try_send(task).is_ok();
    if !is_sent {
        window.left.done();
    }
    is_sent
}

fn batches(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(BATCH)
        .map(move |start| start..(start + BATCH).min(count))
}
