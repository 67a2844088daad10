//! Every machine of a repository: its newest snapshot of each of its sources, and what the machine itself recorded about its
//! sets. So a machine that never completed a backup is seen, too, if it runs sets.

use crate::context::Context;
use crate::face::Face;
use crate::failure::Failure;
use crate::listing;
use crate::resolve::Location;
use crate::status::Status;
use engine::RepoId;
use engine::facts::SnapshotInfo;
use engine::machines::{self, RecordContent};
use engine::repo::Repo;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// One machine's backups of the same sources.
#[derive(Clone, Debug)]
pub struct HostStatus {
    /// The remote's name, or its URL without passwords.
    pub repository: String,
    pub host: String,
    /// It is this one.
    pub is_here: bool,
    pub paths: Vec<Vec<u8>>,
    pub tags: Vec<String>,
    pub snapshots: u64,
    pub newest: Timestamp,
    /// A checkpoint of a backup that did not finish.
    pub partial: bool,
    /// Paths that could not be saved as they were.
    pub errors: u64,
    /// The newest snapshot of which all is whole.
    pub last_complete: Option<Timestamp>,
}

impl HostStatus {
    pub fn is_complete(&self) -> bool {
        !self.partial && self.errors == 0
    }
}

/// What a machine last recorded about its sets. It is as old as that: a machine that no longer runs says nothing.
#[derive(Clone, Debug)]
pub struct RecordedState {
    /// The remote's name, or its URL without passwords.
    pub repository: String,
    pub host: String,
    /// Which settings file it is about; empty for the usual one.
    pub profile: String,
    pub recorded: Timestamp,
    pub sets: Vec<RecordedSet>,
    pub last_check: Option<Timestamp>,
    pub last_restore: Option<Timestamp>,
    pub program: String,
}

#[derive(Clone, Debug)]
pub struct RecordedSet {
    pub name: String,
    /// How the last run ended, in the words of the history; empty before the first.
    pub status: String,
    pub reason: Option<String>,
    pub last_run: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    pub next_run: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Report {
    /// By machine and sources.
    pub hosts: Vec<HostStatus>,
    /// By machine and profile.
    pub states: Vec<RecordedState>,
    /// The greatest of what was found at the repositories.
    pub status: Status,
}

/// Of the repository that was asked for, or of each remote; replicas of one repository count once.
pub fn run(context: &Context, face: &dyn Face) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut seen: Vec<RepoId> = Vec::new();
    let places = places(context)?;
    let several = places.len() > 1;
    for (name, location) in places {
        let opened = context.open_at(&location, face);
        let repo = match opened {
            Ok(repo) => repo,
            // The others may have it.
            Err(failure) if several => {
                report.status = report.status.max(failure.status);
                face.notice(&crate::face::Notice::PartFailed(&failure.of(name)));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let id = repo.id();
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        let all = listing::read(context, &repo, face)?;
        report.status = report.status.max(all.status());
        let here = context.host(None)?;
        let mut groups: BTreeMap<(&str, &Vec<Vec<u8>>), Vec<Member>> = BTreeMap::new();
        for (facts, snapshot) in all.facts.iter().zip(&all.snapshots) {
            let errors = snapshot.manifest.summary.errors;
            let group = groups.entry((&facts.host, &facts.paths)).or_default();
            group.push(Member::of(facts, errors));
        }
        for ((host, paths), members) in groups {
            report
                .hosts
                .extend(of_group(&name, (host, paths), &members, host == here));
        }
        report.states.extend(states(&name, &repo)?);
    }
    Ok(report)
}

fn places(context: &Context) -> Result<Vec<(String, Location)>, Failure> {
    if context.options.names_repository() || context.settings.remotes.is_empty() {
        let name = context.repository_name().unwrap_or_default();
        return Ok(vec![(name, context.location()?)]);
    }
    let remotes = context.settings.remotes.iter();
    remotes
        .map(|remote| Ok((remote.name.clone(), context.remote(&remote.name)?)))
        .collect()
}

/// What machines recorded there: of several of one name, such as before and after a takeover, the last that did.
fn states(repository: &str, repo: &Repo) -> Result<Vec<RecordedState>, Failure> {
    let mut states: BTreeMap<(String, String), RecordedState> = BTreeMap::new();
    for record in machines::newest(repo)?.newest {
        let RecordContent::State(state) = record.content else {
            continue;
        };
        let key = (record.host.clone(), record.profile.clone());
        if states
            .get(&key)
            .is_some_and(|known| known.recorded >= record.time)
        {
            continue;
        }
        let sets = state.sets.into_iter().map(|set| RecordedSet {
            name: set.name,
            status: set.status,
            reason: set.detail,
            last_run: moment(set.last_run),
            last_success: moment(set.last_success),
            next_run: moment(set.next_run),
        });
        let state = RecordedState {
            repository: repository.to_string(),
            host: record.host,
            profile: record.profile,
            recorded: record.time,
            sets: sets.collect(),
            last_check: moment(state.last_check),
            last_restore: moment(state.last_restore),
            program: state.program,
        };
        states.insert(key, state);
    }
    Ok(states.into_values().collect())
}

fn moment(secs: Option<i64>) -> Option<Timestamp> {
    secs.and_then(|secs| Timestamp::from_second(secs).ok())
}

/// What counts of one snapshot.
#[derive(Clone, Debug)]
struct Member {
    time: Timestamp,
    /// The time that it counts as, and its number on its machine.
    at: (Timestamp, u64),
    is_in_future: bool,
    partial: bool,
    errors: u64,
    tags: Vec<String>,
}

impl Member {
    fn of(facts: &SnapshotInfo, errors: u64) -> Member {
        Member {
            time: facts.time,
            at: (facts.at, facts.made.sequence),
            is_in_future: facts.is_in_future(),
            partial: facts.partial,
            errors,
            tags: facts.tags.clone(),
        }
    }
}

fn of_group(
    repository: &str,
    (host, paths): (&str, &[Vec<u8>]),
    members: &[Member],
    is_here: bool,
) -> Option<HostStatus> {
    // One whose time is still to come is not the newest of anything, unless there is no other.
    let now = members.iter().filter(|member| !member.is_in_future);
    let newest = now
        .max_by_key(|member| member.at)
        .or_else(|| members.iter().max_by_key(|member| member.at))?;
    let complete = members
        .iter()
        .filter(|member| !member.partial && member.errors == 0);
    Some(HostStatus {
        repository: repository.to_string(),
        host: host.to_string(),
        is_here,
        paths: paths.to_vec(),
        tags: newest.tags.clone(),
        snapshots: members.len() as u64,
        newest: newest.time,
        partial: newest.partial,
        errors: newest.errors,
        last_complete: complete.map(|member| member.time).max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(time: &str, partial: bool, errors: u64) -> Member {
        let time: Timestamp = time.parse().unwrap();
        Member {
            time,
            at: (time, 0),
            is_in_future: false,
            partial,
            errors,
            tags: Vec::new(),
        }
    }

    #[test]
    fn the_newest_and_the_newest_that_is_whole() {
        let old = member("2026-11-01T00:00:00Z", false, 0);
        let new = member("2026-11-02T00:00:00Z", true, 0);
        let hurt = member("2026-11-01T00:00:00Z", false, 3);
        let future = Member {
            is_in_future: true,
            ..member("2027-01-01T00:00:00Z", false, 0)
        };
        let of = |members: &[Member]| of_group("main", ("a", &[]), members, true).unwrap();
        let found = of(&[old.clone(), new.clone()]);
        assert!(found.newest == new.time && !found.is_complete() && found.last_complete == Some(old.time));
        let found = of(&[hurt.clone(), future.clone()]);
        assert!(found.newest == hurt.time && found.errors == 3);
        assert_eq!(of(std::slice::from_ref(&future)).newest, future.time);
        assert!(of_group("main", ("a", &[]), &[], false).is_none());
    }
}
