//! The destinations of a backup. The first that can be reached leads: the backup is made there, and the others follow.
//! One that can't be reached is left behind, also the one that the command is about, and also one that was leading until
//! then.
//!
//! What makes another one lead is an outage, or a directory without the repository that this machine found there before: a
//! disk that is not mounted. It is reported, and the exit code says it. That there never was a repository, that no key fits,
//! or that something is damaged is an error.

use crate::catalogue::{Cause, Question, SetCause};
use crate::context::Context;
use crate::face::{Face, confirm};
use crate::failure::Failure;
use crate::following;
use crate::resolve::{self, Location};
use crate::status::Status;
use engine::SessionId;
use engine::monitor::Problem;
use engine::replicate::{self, Follow, Followed, Follower, Followers, ReplicateOptions, Replicated};
use engine::repo::{self, Repo};
use engine::run::RunContext;
use jiff::{SignedDuration, Span};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The repository at which a backup was made, still open.
#[derive(Clone)]
pub struct OpenRepository {
    pub repo: Arc<Repo>,
    pub url: String,
}

impl fmt::Debug for OpenRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo.location())
    }
}

/// What became of a destination beside the one at which the backup was made.
#[derive(Debug)]
pub struct FollowerReport {
    pub name: String,
    pub done: Replicated,
    /// Generations that it is behind by; as last known here, where it could not be reached.
    pub behind: u64,
    pub failure: Option<Failure>,
    pub problems: Vec<Problem>,
}

struct Destination {
    /// As the user calls it.
    name: String,
    /// With an absolute URL.
    location: Location,
}

pub struct Destinations {
    /// The repository that the command is about.
    first: Location,
    leader: Option<Destination>,
    /// Those that were not tried, in the order in which they may lead.
    left: VecDeque<Destination>,
    /// Those that can't be reached.
    away: Vec<(Follower, Failure)>,
    /// They are a set's, which nobody may be watching.
    of_set: bool,
}

/// The destinations once one of them is open.
pub struct Opened {
    pub leader: Arc<Repo>,
    /// How the user calls the leader, if it is not the repository that the command is about.
    pub instead: Option<String>,
    /// What `-r` names the leader by, if it has to.
    option: Option<String>,
    url: String,
    followers: Vec<Follower>,
}

impl Destinations {
    /// The repository that the command is about, and the remotes that were named beside it, each once.
    pub fn new(
        context: &Context,
        first: &Location,
        also: &[String],
        of_set: bool,
    ) -> Result<Destinations, Failure> {
        let first = Location {
            url: resolve::absolute(&first.url)?,
            ..first.clone()
        };
        let named = context.settings.remotes.iter();
        let name = named.into_iter().find(|remote| remote.url == first.url);
        let name = name.map_or_else(|| repo::shown(&first.url), |remote| remote.name.clone());
        let mut left = VecDeque::from([Destination {
            name,
            location: first.clone(),
        }]);
        for name in also {
            let location = context.remote(name)?;
            // A mistake in an option is told before anything is saved.
            repo::check_location(&location.url)?;
            if location.url == first.url {
                return Err(Cause::AlsoIsFirst { name: name.clone() }.into());
            }
            if !left.iter().any(|known| known.location.url == location.url) {
                let name = name.clone();
                left.push_back(Destination { name, location });
            }
        }
        Ok(Destinations {
            first,
            leader: None,
            left,
            away: Vec::new(),
            of_set,
        })
    }

    /// Of those that were not tried.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(|one| one.location.url.as_str())
    }

    /// Opens the first that can be reached; `begin` is called once, as in [`Context::open_while`].
    pub fn open(
        &mut self,
        (context, run): (&Context, &RunContext),
        face: &dyn Face,
        begin: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<Opened, Failure> {
        let mut begun = false;
        let mut begin = || match std::mem::replace(&mut begun, true) {
            true => Ok(()),
            false => begin(),
        };
        while let Some(one) = self.left.pop_front() {
            let location = match self.away.is_empty() {
                true => one.location.clone(),
                false => with_keys(context, &self.first, &one.location)?,
            };
            match context.open_while(&location, run, face, &mut begin) {
                Ok(repo) => {
                    check_stead(context, &one, &repo, &self.away)?;
                    if self.of_set {
                        check_known(context, &one, &repo, face)?;
                    }
                    // A note that can't be kept only means that no other can lead in this one's place.
                    let _ = replicate::note_place(&repo, &one.location.url);
                    let opened = Opened {
                        leader: Arc::new(repo),
                        instead: (!self.away.is_empty()).then(|| one.name.clone()),
                        option: following::option_for(&context.settings, &one.location, &one.location.url),
                        url: one.location.url.clone(),
                        followers: self.left.iter().map(Destination::follower).collect(),
                    };
                    self.leader = Some(one);
                    return Ok(opened);
                }
                Err(failure) if is_away(context, &one, &failure)? => {
                    if self.away.is_empty() && !self.left.is_empty() && place(context, &one)?.is_none() {
                        return Err(failure.with(Cause::FirstNeverReached));
                    }
                    self.away.push((one.follower(), failure));
                }
                Err(failure) => return Err(failure),
            }
        }
        Err(self.away.swap_remove(0).1)
    }

    /// The backup failed at the leader. Returns if that went away and another may lead: [`Destinations::open`] opens it.
    /// Otherwise the error also says who could not be reached before.
    pub fn failed(&mut self, failure: Failure) -> Result<(), Failure> {
        match self.leader.take() {
            Some(leader) if failure.status == Status::Network && !self.left.is_empty() => {
                self.away.push((leader.follower(), failure));
                Ok(())
            }
            _ => Err(self.explain(failure)),
        }
    }

    /// Those that could not be reached.
    pub fn into_away(self) -> Vec<(Follower, Failure)> {
        self.away
    }

    /// Adds who could not be reached before.
    pub fn explain(&self, failure: Failure) -> Failure {
        let before = |failure: Failure, (one, why): &(Follower, Failure)| {
            let name = one.name.clone();
            failure.with(Cause::AwayBefore { name }).with(why.cause.clone())
        };
        self.away.iter().fold(failure, before)
    }
}

impl Destination {
    fn follower(&self) -> Follower {
        Follower {
            name: self.name.clone(),
            url: self.location.url.clone(),
        }
    }
}

fn place(context: &Context, one: &Destination) -> Result<Option<replicate::NotedPlace>, Failure> {
    Ok(replicate::noted_place(&context.dirs()?, &one.location.url))
}

/// Whether a destination may come back: it can't be reached, or its directory is gone where this machine found it before,
/// as if a disk is not mounted.
fn is_away(context: &Context, one: &Destination, failure: &Failure) -> Result<bool, Failure> {
    Ok(match failure.status {
        Status::Network => true,
        Status::NoRepository => place(context, one)?.is_some(),
        _ => false,
    })
}

/// What opens the repository that the command is about opens its replicas.
fn with_keys(context: &Context, first: &Location, location: &Location) -> Result<Location, Failure> {
    let mut location = location.clone();
    if location.keys.is_empty() {
        location.keys = resolve::opening(&context.options, &context.env, first)?;
    }
    Ok(location)
}

/// Refuses another repository than the one that was there before: the wrong disk may be mounted, and a set would begin anew
/// there. Who is asked may say that it is meant.
fn check_known(context: &Context, one: &Destination, repo: &Repo, face: &dyn Face) -> Result<(), Failure> {
    if place(context, one)?.is_none_or(|known| known.is_replica(repo)) {
        return Ok(());
    }
    let name = one.name.clone();
    match face.can_confirm() {
        true => confirm(face, false, &Question::OtherRepository { name }),
        false => {
            let url = repo::shown(&one.location.url);
            Err(SetCause::OtherRepository { name, url }.into())
        }
    }
}

/// Refuses what is no replica of the repository in whose place it would lead.
fn check_stead(
    context: &Context,
    one: &Destination,
    repo: &Repo,
    away: &[(Follower, Failure)],
) -> Result<(), Failure> {
    let Some((first, failure)) = away.first() else {
        return Ok(());
    };
    let known = replicate::noted_place(&context.dirs()?, &first.url);
    match known.is_some_and(|place| place.is_replica(repo)) {
        true => Ok(()),
        false => {
            let (name, first) = (one.name.clone(), first.name.clone());
            Err(Failure::from(Cause::NoReplicaOf { name, first }).with(failure.cause.clone()))
        }
    }
}

impl Opened {
    /// The leader, for what follows the backup.
    pub fn repository(&self) -> OpenRepository {
        OpenRepository {
            repo: self.leader.clone(),
            url: self.url.clone(),
        }
    }

    /// Starts the followers beside the backup; `wait` is how long they may go on once it has ended.
    pub fn start(&mut self, wait: Span) -> Result<Followers, Failure> {
        let wait = SignedDuration::try_from(wait);
        let wait = wait.map_err(|e| Cause::OptionValue {
            option: "--also-wait",
            why: e.to_string(),
        })?;
        let follow = Follow {
            options: ReplicateOptions {
                all: false,
                dry_run: false,
            },
            wait: Duration::try_from(wait).unwrap_or_default(),
        };
        let followers = std::mem::take(&mut self.followers);
        Ok(Followers::start(&self.leader, followers, follow)?)
    }

    /// Waits for the followers, and notes which are behind.
    pub fn finish(
        self,
        followers: Followers,
        away: Vec<(Follower, Failure)>,
        published: Option<SessionId>,
    ) -> Result<Vec<FollowerReport>, Failure> {
        let leader = &self.leader;
        if followers.is_empty() && away.is_empty() {
            return Ok(Vec::new());
        }
        let snapshots = leader.outlines()?.0.len() as u64;
        let left = |(one, failure): (Follower, Failure)| FollowerReport {
            behind: replicate::left_behind(leader, &one.url, published, u64::from(published.is_some())),
            failure: Some(self.explained((&one.name, &one.url), failure)),
            name: one.name,
            done: Replicated::default(),
            problems: Vec::new(),
        };
        let mut reports: Vec<FollowerReport> = away.into_iter().map(left).collect();
        let followed = followers.finish(published, snapshots);
        reports.extend(followed.into_iter().map(|one| self.report(one)));
        // As with every note of a remote: without it, the next listing asks.
        let _ = replicate::note_leader(leader, &self.url);
        Ok(reports)
    }

    fn report(&self, one: Followed) -> FollowerReport {
        let explained = |e| self.explained((&one.name, &one.url), Failure::from(e));
        FollowerReport {
            failure: one.failure.map(explained),
            name: one.name,
            done: one.done,
            behind: one.behind,
            problems: one.problems,
        }
    }

    /// What to do about a destination that is no replica is said of the one that leads.
    fn explained(&self, (name, url): (&str, &str), failure: Failure) -> Failure {
        let of = self.option.as_deref();
        following::Follower { of, name, url }.explained(&self.leader.run().dirs, failure)
    }
}
