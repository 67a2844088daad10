//! Followers: the destinations of a backup beside the one that it is made at. Each has threads of its own, which take
//! over the packs that the backup makes from memory ([`chunkstore::intake`]) and catch up with older generations
//! in the meantime. In the end the new generation is brought: what it needs and is not there yet comes from the first.
//!
//! What becomes of a follower is a result, reported at the end: it holds back neither the backup nor the others, and is
//! given up when its time is over.

use super::{
    Noted, ReplicateOptions, Replicated, debts, note, note_place, noted, noted_place, repay, run, run_after,
};
use crate::error::{Error, Result};
use crate::monitor::{Monitor, Phase, Problem, ProblemKind, Progress};
use crate::problem::Warning;
use crate::repo::Repo;
use crate::run::RunContext;
use chunkstore::SessionId;
use chunkstore::intake::{self, Intake, Received};
use chunkstore::session::{self, Session};
use chunkstore::threads;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether the user asked to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long a follower that was asked to stop may take: it ends between two packs.
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
    pub url: String,
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
    first: Arc<Repo>,
    at_work: Vec<AtWork>,
    follow: Arc<Follow>,
}

struct AtWork {
    follower: Follower,
    /// This one's part of the run.
    run: RunContext,
    watch: Arc<FollowerWatch>,
    intake: Arc<Intake>,
    /// Receives what the backup has published.
    published: Sender<Option<SessionId>>,
    ended: Receiver<Ended>,
}

/// Opens a follower by a repository that is open.
type Open = dyn Fn(&Repo, &Follower, &RunContext) -> Result<Repo> + Send + Sync;

#[derive(Default)]
struct Ended {
    done: Replicated,
    reached: bool,
    failure: Option<Error>,
}

impl Followers {
    /// Starts them beside a backup to `first`.
    pub fn start(first: &Arc<Repo>, followers: Vec<Follower>, follow: Follow) -> Result<Followers> {
        let open =
            |first: &Repo, follower: &Follower, run: &RunContext| first.open_replica_for(&follower.url, run);
        Followers::start_with(first, followers, follow, Arc::new(open))
    }

    /// The same, with another way to open them.
    pub fn start_with(
        first: &Arc<Repo>,
        followers: Vec<Follower>,
        follow: Follow,
        open: Arc<Open>,
    ) -> Result<Followers> {
        let follow = Arc::new(follow);
        let pack_size = first.store.config().pack_size;
        let intakes = Intake::for_each(followers.len(), first.store.cache(), pack_size);
        let start = |(follower, intake): (Follower, Arc<Intake>)| -> Result<AtWork> {
            let (published, wait) = bounded(1);
            let (end, ended) = bounded(1);
            let (run, watch) = (first.run().part(), Arc::new(FollowerWatch::default()));
            let work = FollowerWork {
                first: first.clone(),
                follower: follower.clone(),
                open: open.clone(),
                follow: follow.clone(),
                run: run.clone(),
                watch: watch.clone(),
                intake: intake.clone(),
                published: wait,
            };
            let work = move || {
                // The receiver is gone only when this one was given up.
                let _ = end.send(work.work());
            };
            // No thread joins it: one that was given up may be waiting for its storage.
            let _running = threads::spawn("follower", work)?;
            Ok(AtWork {
                follower,
                run,
                watch,
                intake,
                published,
                ended,
            })
        };
        let mut started = Followers {
            first: first.clone(),
            at_work: Vec::new(),
            follow: follow.clone(),
        };
        for one in followers.into_iter().zip(intakes) {
            started.at_work.push(start(one)?);
        }
        Ok(started)
    }

    pub fn is_empty(&self) -> bool {
        self.at_work.is_empty()
    }

    /// What the backup hands its packs to ([`crate::backup::BackupOptions::intakes`]).
    pub fn intakes(&self) -> Vec<Arc<Intake>> {
        self.at_work.iter().map(|one| one.intake.clone()).collect()
    }

    /// Lets them bring what was published, if anything was, and waits for them. `snapshots` counts what the first
    /// replica has: one that was never reached lacks all of them.
    pub fn finish(mut self, published: Option<SessionId>, snapshots: u64) -> Vec<Followed> {
        for one in &self.at_work {
            one.intake.close();
            // It may have failed already.
            let _ = one.published.send(published);
        }
        let deadline = Instant::now() + self.follow.wait;
        let end = |one: AtWork| {
            let ended = one.wait(deadline);
            one.report(ended, &self.first, published, snapshots)
        };
        let at_work = std::mem::take(&mut self.at_work);
        at_work.into_iter().map(end).collect()
    }

    /// The backup failed: what is under way ends between two packs, and is not waited for longer than that takes.
    pub fn give_up(self) {
        for one in &self.at_work {
            one.stop();
            // It may have failed already.
            let _ = one.published.send(None);
        }
        let deadline = Instant::now() + GRACE;
        for one in &self.at_work {
            // What does not end is ended with the process, and its session by the next to look.
            let _ = one.ended.recv_deadline(deadline);
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        // Nothing more will be offered.
        self.at_work.iter().for_each(|one| one.intake.abandon());
    }
}

impl AtWork {
    fn stop(&self) {
        self.run.cancel().cancel();
        self.intake.abandon();
    }

    /// `None` for one that does not even stop.
    fn wait(&self, deadline: Instant) -> Option<Ended> {
        loop {
            match self.ended.recv_timeout(LOOK) {
                Ok(ended) => return Some(ended),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.run.cancel().is_cancelled() || Instant::now() >= deadline {
                self.stop();
                return self.ended.recv_timeout(GRACE).ok();
            }
        }
    }

    fn report(
        self,
        ended: Option<Ended>,
        first: &Repo,
        published: Option<SessionId>,
        snapshots: u64,
    ) -> Followed {
        let late = || Error::Late;
        let ended = ended.unwrap_or_else(|| Ended {
            failure: Some(late()),
            ..Ended::default()
        });
        let behind = match ended.reached {
            true => {
                let now = self.run.now_secs();
                keep_account(first, &self.follower.url, ended.done.behind, now, published);
                ended.done.behind
            }
            false => left_behind(first, &self.follower.url, published, snapshots),
        };
        let failure = match ended.failure {
            // Only the deadline stops one whose run was not stopped.
            Some(Error::Interrupted) => Some(late()),
            failure => failure,
        };
        Followed {
            name: self.follower.name,
            url: self.follower.url,
            done: ended.done,
            behind,
            failure,
            problems: self.watch.problems.lock().drain(..).collect(),
        }
    }
}

/// Notes that a destination was not reached while `published` was made at `first`, which has so many `snapshots` by now.
/// Returns how many it is behind by, as far as is known here.
pub fn left_behind(first: &Repo, url: &str, published: Option<SessionId>, snapshots: u64) -> u64 {
    let before = noted(&first.run().dirs, url);
    let behind = before.map_or(snapshots, |noted| noted.behind + u64::from(published.is_some()));
    let reached = before.map_or(0, |noted| noted.reached);
    keep_account(first, url, behind, reached, published);
    behind
}

/// Notes by how much a destination is behind, and that it is owed what was published, unless that is there.
fn keep_account(first: &Repo, url: &str, behind: u64, reached: i64, published: Option<SessionId>) {
    let dirs = &first.run().dirs;
    // A note that can't be kept is reported by what can: the next listing asks the replica itself.
    let _ = note(dirs, url, &Noted { behind, reached });
    if let (Some(snapshot), Some(place)) = (published, noted_place(dirs, url))
        && behind > 0
    {
        // Without it only a later generation is in the way, and `replicate --all` does not mind.
        let _ = debts::owe(first, &place.folder, snapshot);
    }
}

/// One follower's work.
struct FollowerWork {
    first: Arc<Repo>,
    follower: Follower,
    open: Arc<Open>,
    follow: Arc<Follow>,
    run: RunContext,
    watch: Arc<FollowerWatch>,
    intake: Arc<Intake>,
    published: Receiver<Option<SessionId>>,
}

impl FollowerWork {
    fn work(&self) -> Ended {
        let mut ended = Ended::default();
        ended.failure = self.follow(&mut ended).err();
        // Whatever became of it, nothing more is taken.
        self.intake.abandon();
        ended
    }

    fn follow(&self, ended: &mut Ended) -> Result<()> {
        let to = (self.open)(&self.first, &self.follower, &self.run)?;
        note_place(&to, &self.follower.url)?;
        let (older, received) = self.receive_beside_older(&to, &mut ended.done)?;
        ended.reached = older.is_ok() || ended.done.behind > 0;
        ended.done.packs += received.packs;
        ended.done.bytes += received.bytes;
        let published = self.published.recv().unwrap_or(None);
        if let Err(e) = older {
            ended.done.behind += u64::from(published.is_some());
            end(&to, received.session)?;
            return Err(e);
        }
        match published {
            Some(id) => self.bring_new(&to, id, received.session, ended)?,
            None => end(&to, received.session)?,
        }
        match self.run.cancel().is_cancelled() {
            true => Ok(()),
            false => repay(
                &to,
                &self.first,
                &self.follow.options,
                &*self.watch,
                &mut Replicated::default(),
            ),
        }
    }

    /// Brings the generation that was published at the first, under the session that its packs came under.
    fn bring_new(
        &self,
        to: &Repo,
        published: SessionId,
        session: Option<Session>,
        ended: &mut Ended,
    ) -> Result<()> {
        let before = std::mem::take(&mut ended.done);
        // Unless it is found out what is lacking now, it is that.
        ended.done.behind = before.behind + 1;
        let (options, watch, mut new) = (&self.follow.options, &*self.watch, Replicated::default());
        // Why packs did not come does not matter if what they hold comes now. If it does not, this is the reason.
        let brought = run_after(&self.first, to, options, watch, session, &mut new);
        if brought.is_ok() && new.snapshots + new.behind == 0 && !has(to, published)? {
            // The first does not list it yet: a listing that is out of date.
            new.behind = 1;
        }
        if brought.is_ok() || new.behind > 0 {
            ended.done.behind = new.behind;
        }
        ended.done.add(&before, &new);
        brought
    }

    /// Takes the packs of the backup as it makes them, until it has ended, and catches up with older generations beside.
    fn receive_beside_older(&self, to: &Repo, done: &mut Replicated) -> Result<(Result<()>, Received)> {
        let options = &self.follow.options;
        let owner = to.owner();
        let on_progress = |_| self.run.cancel().check();
        std::thread::scope(|scope| {
            let receive = || intake::receive(&to.store, &owner, &self.intake, &on_progress);
            let receiving = threads::spawn_in(scope, "receive", receive)?;
            let older = run(&self.first, to, options, &*self.watch, done);
            if older.is_err() {
                self.intake.abandon();
            }
            // A panic has been printed by its thread.
            Ok((older, receiving.join().unwrap_or_default()))
        })
    }
}

/// Whether a replica has the generation that was published elsewhere under this name.
fn has(replica: &Repo, published: SessionId) -> Result<bool> {
    let (snapshots, _) = replica.outlines()?;
    Ok(snapshots
        .iter()
        .any(|snapshot| snapshot.manifest.original == Some(published)))
}

/// Ends a session under which nothing is published.
fn end(to: &Repo, session: Option<Session>) -> Result<()> {
    match session {
        Some(session) => Ok(session::fence(&to.store, session.id).map(drop)?),
        None => Ok(()),
    }
}

impl Replicated {
    /// The work of two runs; what is lacking stays as it is.
    fn add(&mut self, before: &Replicated, then: &Replicated) {
        self.snapshots = before.snapshots + then.snapshots;
        self.packs = before.packs + then.packs;
        self.chunks = before.chunks + then.chunks;
        self.bytes = before.bytes + then.bytes;
        self.damaged = then.damaged;
        self.unread = then.unread;
    }
}

/// What a follower reports, kept for the end; what is shown during the run is the backup's.
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
        // About the first repository, of which the backup itself reports it.
        if matches!(problem.what, ProblemKind::Warning(Warning::Unread(_))) {
            return;
        }
        let mut problems = self.problems.lock();
        if problems.len() < PROBLEMS && !problems.contains(problem) {
            problems.push(problem.clone());
        }
    }
}
