//! Followers: replicas that a backup also brings its generation to. Each has a thread of its own, which catches up with
//! older generations while the backup runs, takes over the packs that it makes, and at the end brings the new one. Whatever becomes of one is a result, told at
//! the end: it holds back neither the backup nor the others, and is given up when its time is over.

use super::{Noted, ReplicateOptions, Replicated, note, noted, run, run_after};
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Phase, Problem, Progress};
use crate::repo::Repo;
use crate::run::{LocalDirs, RunContext};
use chunkstore::PackId;
use chunkstore::session::{self, Session};
use chunkstore::threads;
use chunkstore::transfer::{self, Ahead};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether the user asked to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is looked for new packs.
const AHEAD: Duration = Duration::from_secs(1);
/// How long one that was told to stop has to do so: it ends between two packs.
const GRACE: Duration = Duration::from_secs(3);

/// A replica to follow a backup.
#[derive(Clone, Debug)]
pub struct Follower {
    /// As the user calls it.
    pub name: String,
    pub url: String,
}

/// What became of one.
#[derive(Debug)]
pub struct Followed {
    pub name: String,
    pub done: Replicated,
    /// Generations that it is behind by; as last known here, where it could not be reached.
    pub behind: u64,
    pub failure: Option<Error>,
    pub problems: Vec<Problem>,
}

/// How to follow.
pub struct Follow {
    pub options: ReplicateOptions,
    /// How long they may go on once the backup has ended.
    pub wait: Duration,
}

/// Followers at work.
pub struct Followers {
    at_work: Vec<AtWork>,
    follow: Arc<Follow>,
    dirs: LocalDirs,
}

struct AtWork {
    follower: Follower,
    /// This one's part of the run.
    run: RunContext,
    watch: Arc<FollowerWatch>,
    /// Told whether the backup has published.
    published: Sender<bool>,
    ended: Receiver<Ended>,
}

struct Ended {
    done: Replicated,
    reached: bool,
    failure: Option<Error>,
}

impl Followers {
    /// Starts them beside a backup to `first`.
    pub fn start(first: &Arc<Repo>, followers: Vec<Follower>, follow: Follow) -> Result<Followers> {
        let follow = Arc::new(follow);
        let start = |follower: Follower| {
            let (published, wait) = bounded(1);
            let (end, ended) = bounded(1);
            let watch = Arc::new(FollowerWatch::default());
            let (first, shared, url) = (first.clone(), follow.clone(), follower.url.clone());
            let theirs = watch.clone();
            let run = first.run().part();
            let own = run.clone();
            let work = move || {
                // Nobody takes it any more only when this one was given up.
                let _ = end.send(work(&first, (&url, &own), &shared, &theirs, &wait));
            };
            // Nobody joins it: one that was given up may be waiting for its storage.
            let _running = threads::spawn("follower", work)?;
            Ok(AtWork {
                follower,
                run,
                watch,
                published,
                ended,
            })
        };
        let at_work = followers.into_iter().map(start).collect::<Result<_>>()?;
        Ok(Followers {
            at_work,
            follow,
            dirs: first.run().dirs.clone(),
        })
    }

    /// Lets them bring what was published, if anything was, and waits for them. `snapshots` counts what the first
    /// replica has: one that was never reached lacks all of them.
    pub fn finish(self, published: bool, snapshots: u64) -> Vec<Followed> {
        for one in &self.at_work {
            // It may have failed already.
            let _ = one.published.send(published);
        }
        let deadline = Instant::now() + self.follow.wait;
        let dirs = self.dirs;
        let end = |one: AtWork| {
            let ended = one.wait(deadline);
            one.report(ended, published, snapshots, &dirs)
        };
        self.at_work.into_iter().map(end).collect()
    }
}

impl Followers {
    /// The backup failed: what is under way ends between two packs, and is not waited for longer than that takes.
    pub fn give_up(self) {
        for one in &self.at_work {
            one.run.cancel().cancel();
            // It may have failed already.
            let _ = one.published.send(false);
        }
        let deadline = Instant::now() + GRACE;
        for one in &self.at_work {
            // What does not end is ended with the process, and its session by the next to look.
            let _ = one.ended.recv_deadline(deadline);
        }
    }
}

impl AtWork {
    /// `None` for one that does not even stop.
    fn wait(&self, deadline: Instant) -> Option<Ended> {
        loop {
            match self.ended.recv_timeout(LOOK) {
                Ok(ended) => return Some(ended),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.run.cancel().is_cancelled() || Instant::now() >= deadline {
                self.run.cancel().cancel();
                return self.ended.recv_timeout(GRACE).ok();
            }
        }
    }

    fn report(self, ended: Option<Ended>, published: bool, snapshots: u64, dirs: &LocalDirs) -> Followed {
        let late = || Error::Late;
        let ended = ended.unwrap_or_else(|| Ended {
            done: Replicated::default(),
            reached: false,
            failure: Some(late()),
        });
        let before = noted(dirs, &self.follower.url);
        let behind = match (ended.reached, before) {
            (true, _) => ended.done.behind,
            (false, Some(noted)) => noted.behind + u64::from(published),
            (false, None) => snapshots,
        };
        let reached = match (ended.reached, before) {
            (true, _) => self.run.now_secs(),
            (false, noted) => noted.map_or(0, |noted| noted.reached),
        };
        // A note that can't be kept is told by what can: the next listing asks the replica itself.
        let _ = note(dirs, &self.follower.url, &Noted { behind, reached });
        let failure = match ended.failure {
            // Only the deadline stops one whose run was not stopped.
            Some(Error::Interrupted) => Some(late()),
            failure => failure,
        };
        Followed {
            name: self.follower.name,
            done: ended.done,
            behind,
            failure,
            problems: self.watch.problems.lock().drain(..).collect(),
        }
    }
}

fn work(
    first: &Repo,
    (url, run_of_it): (&str, &RunContext),
    follow: &Follow,
    watch: &FollowerWatch,
    published: &Receiver<bool>,
) -> Ended {
    let mut ended = Ended {
        done: Replicated::default(),
        reached: false,
        failure: None,
    };
    let done = (|| {
        let known = match first.store.remote().is_high_latency() {
            true => None,
            false => Some(first.store.packs()?.into_keys().collect()),
        };
        let to = first.open_replica_for(url, run_of_it)?;
        let older = run(first, &to, &follow.options, watch, &mut ended.done);
        ended.reached = older.is_ok() || ended.done.behind > 0;
        if let Err(e) = older {
            ended.done.behind += u64::from(published.recv().unwrap_or(false));
            return Err(e);
        }
        let ahead = carry_ahead(first, &to, known, published, &mut ended.done.bytes);
        let (has_published, before_it) = ahead?;
        if has_published {
            let before = std::mem::take(&mut ended.done);
            // Unless it is found out what is lacking now, it is that.
            ended.done.behind = before.behind + 1;
            let mut new = Replicated::default();
            let brought = run_after(first, &to, &follow.options, watch, before_it, &mut new);
            if brought.is_ok() || new.behind > 0 {
                ended.done.behind = new.behind;
            }
            ended.done.add(&before, &new);
            brought?;
        } else if let Some((session, _)) = before_it {
            session::fence(&to.store, session.id)?;
        }
        Ok(())
    })();
    ended.failure = done.err();
    ended
}

/// Packs that came before their generation, and the session that keeps collections off them.
type Before = Option<(Session, Ahead)>;

/// Brings the packs of the backup as it makes them, until it has ended; says whether it has published. Not from far
/// away (where nothing is `known`): what is being sent there would be fetched back at the same time.
fn carry_ahead(
    first: &Repo,
    to: &Repo,
    known: Option<HashSet<PackId>>,
    published: &Receiver<bool>,
    sent: &mut u64,
) -> Result<(bool, Before)> {
    let Some(mut known) = known else {
        return Ok((published.recv().unwrap_or(false), None));
    };
    let owner = to.owner();
    let mut before: Before = None;
    let told = |_| to.run().cancel().check();
    let ended = loop {
        match published.recv_timeout(AHEAD) {
            Ok(published) => break published,
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let (_, ahead) = match &mut before {
            Some(begun) => begun,
            None => before.insert((Session::begin(&to.store, &owner)?, Ahead::new())),
        };
        *sent += transfer::carry_ahead(&first.store, &to.store, &mut known, ahead, &told)?;
    };
    Ok((ended, before))
}

impl Replicated {
    /// The work of two runs; what is lacking stays as it is.
    fn add(&mut self, before: &Replicated, then: &Replicated) {
        self.snapshots = before.snapshots + then.snapshots;
        self.packs = before.packs + then.packs;
        self.chunks = before.chunks + then.chunks;
        self.bytes = before.bytes + then.bytes;
        self.hurt = then.hurt;
        self.unread = then.unread;
    }
}

/// What a follower tells, kept for the end; what it shows meanwhile is the backup's.
#[derive(Default)]
struct FollowerWatch {
    problems: Mutex<Vec<Problem>>,
}

/// Problems that are kept of each.
const PROBLEMS: usize = 100;

impl Monitor for FollowerWatch {
    fn phase(&self, _: Phase) {}
    fn progress(&self, _: &Progress) {}
    fn current(&self, _: &[u8]) {}
    fn problem(&self, problem: &Problem) {
        let mut problems = self.problems.lock();
        if problems.len() < PROBLEMS && !problems.contains(problem) {
            problems.push(problem.clone());
        }
    }
}
