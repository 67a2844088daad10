//! Where backups are: whether each place can be reached and opened unattended, what else opens it, what is there,
//! and when that was last proven.

use super::{Diagnosis, Finding, machine};
use crate::context::Context;
use crate::face::Nobody;
use crate::failure::Failure;
use crate::following::{self, Follower};
use crate::history::journal::Journal;
use crate::history::proofs::Proofs;
use crate::resolve::{self, Location};
use crate::secret::SecretSource;
use crate::settings::Remote;
use crate::status::Status;
use crate::usage;
use engine::error::store::Refusal;
use engine::key::{self, SlotInfo, SlotKind};
use engine::repo::{self, Repo};
use engine::{Error, StoreError, order, replicate};
use jiff::{SignedDuration, Timestamp};

/// A check or restore that is older proves little.
const CHECK_AGE: SignedDuration = SignedDuration::from_hours(24 * 90);
const RESTORE_AGE: SignedDuration = SignedDuration::from_hours(24 * 365);
/// A place that will be full so soon is worth a word.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 60);

/// A place with backups.
pub(super) struct Place {
    name: String,
    location: Result<Location, Failure>,
}

/// The repository that was asked for, or every remote; without remotes, the usual repository if it is there.
pub(super) fn places(context: &Context) -> Vec<Place> {
    let remotes = &context.settings.remotes;
    let asked = Place {
        name: context.repository_name().unwrap_or_default(),
        location: context.location(),
    };
    if context.options.names_repository() {
        return vec![asked];
    }
    let mut places: Vec<Place> = remotes
        .iter()
        .map(|remote| Place {
            name: remote.name.clone(),
            location: context.remote(&remote.name),
        })
        .collect();
    let is_there = |location: &Location| {
        let run = context.run();
        run.is_ok_and(|run| repo::exists(&location.url, &run).unwrap_or(true))
    };
    let is_other = |location: &Location| {
        let known = places.iter().filter_map(|place| place.location.as_ref().ok());
        let url = resolve::absolute(&location.url);
        !known.into_iter().any(|known| Ok(&known.url) == url.as_ref())
    };
    match &asked.location {
        // Who never made the usual repository uses another.
        Ok(location) if is_other(location) && (remotes.is_empty() || is_there(location)) => {
            places.push(asked)
        }
        Err(_) => places.push(asked),
        Ok(_) => {}
    }
    places
}

/// What was found at a place, and the time of the newest snapshot there.
pub(super) fn findings(context: &Context, place: &Place) -> (Vec<Finding>, Option<Timestamp>) {
    let name = &place.name;
    let mut findings = Vec::new();
    let mut newest = None;
    let opened = place.location.clone().and_then(|location| {
        let remote = context.settings.remote(name);
        findings.extend(usage_of(context, name, remote));
        let append_only = remote.filter(|remote| remote.append_only);
        findings.extend(append_only.map(|_| Finding::of(name, Diagnosis::RemoteAppendOnly)));
        findings.extend(repo::local_path(&location.url).and_then(machine::room));
        let openers = resolve::opening(&context.options, &context.env, &location)?;
        match openers.as_slice() {
            [SecretSource::Prompt] => {
                // That it is not there comes first.
                context.look(&location)?;
                Ok(None)
            }
            _ => Ok(Some((context.open_with(&location, openers, &Nobody)?, location))),
        }
    });
    if let Some(what) = no_replica(context, place, &opened) {
        findings.insert(0, Finding::of(name, what));
        findings.extend(proofs(context, name));
        return (findings, newest);
    }
    match opened {
        Err(failure) => findings.insert(0, Finding::of(name, Diagnosis::RemoteFails { failure })),
        Ok(None) => findings.insert(0, Finding::of(name, Diagnosis::RemoteAsks)),
        Ok(Some((repo, location))) => {
            findings.insert(0, Finding::of(name, Diagnosis::RemoteOpens));
            findings.extend(identity(context, name, &repo, &location));
            findings.extend(slots(name, &repo));
            let (found, time) = snapshots(context, name, &repo);
            findings.extend(found);
            newest = time;
        }
    }
    findings.extend(proofs(context, name));
    (findings, newest)
}

/// What is to follow the first destination of a set and holds another repository. `None` also where that can't be known, and
/// where this machine found a replica there before: then another disk may be mounted.
fn no_replica(
    context: &Context,
    place: &Place,
    opened: &Result<Option<(Repo, Location)>, Failure>,
) -> Option<Diagnosis> {
    let url = resolve::absolute(&place.location.as_ref().ok()?.url).ok()?;
    let (set, first) = following::followed(&context.settings, &place.name)?;
    let dirs = context.dirs().ok()?;
    let repo = match opened {
        Ok(Some((repo, _))) => Some(repo),
        Ok(None) => None,
        // Nothing of this machine opens it, since it is another one.
        Err(failure) if failure.status == Status::WrongKey => None,
        Err(_) => return None,
    };
    let known = |url: &str| replicate::noted_place(&dirs, url);
    let is_another = match (repo, known(&url), known(&first.url)) {
        (Some(repo), Some(before), _) if !before.is_replica(repo) => false,
        (Some(repo), _, Some(first)) => !first.is_replica(repo),
        _ => refuses(context, first, &url)?,
    };
    let follower = Follower {
        of: Some(&first.name),
        name: &place.name,
        url: &url,
    };
    is_another.then(|| Diagnosis::RemoteNoReplica {
        first: first.name.clone(),
        set: set.to_string(),
        command: follower.command_elsewhere(),
    })
}

/// Whether the repository at `first` finds another one at `url`, if it can be asked.
fn refuses(context: &Context, first: &Remote, url: &str) -> Option<bool> {
    let location = context.remote(&first.name).ok()?;
    let openers = resolve::opening(&context.options, &context.env, &location).ok()?;
    if openers == [SecretSource::Prompt] {
        return None;
    }
    let first = context.open_with(&location, openers, &Nobody).ok()?;
    let found = first.open_replica(url);
    Some(matches!(
        found,
        Err(Error::Store(StoreError::Refused(Refusal::OtherRepository { .. })))
    ))
}

fn usage_of(context: &Context, name: &str, remote: Option<&Remote>) -> Vec<Finding> {
    let Some(remote) = remote else {
        return Vec::new();
    };
    // That it can't be reached is found by opening it.
    let Ok(note) = usage::measure(context, remote) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let used = note.used().unwrap_or_default();
    if let Some(quota) = remote.quota {
        found.push(match used {
            _ if used >= quota => Diagnosis::QuotaReached { used, quota },
            _ if used >= quota / 10 * 9 => Diagnosis::QuotaNear { used, quota },
            _ => Diagnosis::WithinQuota { used, quota },
        });
    }
    let soon = usage::full_at(remote, &note);
    let soon = soon.filter(|at| at.duration_since(context.now.timestamp()) < SOON);
    found.extend(soon.map(|at| Diagnosis::FullSoon { at }));
    found.into_iter().map(|what| Finding::of(name, what)).collect()
}

fn identity(context: &Context, name: &str, repo: &Repo, location: &Location) -> Vec<Finding> {
    let mut found = Vec::new();
    let Ok(dirs) = context.dirs() else {
        return Vec::new();
    };
    let url = resolve::absolute(&location.url).unwrap_or_else(|_| location.url.clone());
    let known = replicate::noted_place(&dirs, &url);
    let noted = replicate::noted(&dirs, &url).filter(|noted| noted.behind > 0);
    match (known.is_some_and(|known| !known.is_replica(repo)), noted) {
        // No run brings it up to date.
        (true, _) => found.push(Diagnosis::RemoteIsAnother),
        (false, Some(noted)) => {
            let snapshots = noted.behind;
            found.push(Diagnosis::RemoteBehind { snapshots });
        }
        (false, None) => {}
    }
    let weaknesses = repo
        .storage()
        .map(|storage| storage.weaknesses())
        .unwrap_or_default();
    found.extend(
        weaknesses
            .into_iter()
            .map(|weakness| Diagnosis::RemoteWeak { weakness }),
    );
    found.into_iter().map(|what| Finding::of(name, what)).collect()
}

fn slots(name: &str, repo: &Repo) -> Vec<Finding> {
    let slots = match key::list(repo) {
        Ok(slots) => slots,
        Err(e) => {
            let failure = e.into();
            return vec![Finding::of(name, Diagnosis::RemoteFails { failure })];
        }
    };
    let phrases = || slots.iter().filter(|slot| slot.kind == Some(SlotKind::Recovery));
    let is_confirmed = |slot: &SlotInfo| slot.note.as_ref().is_some_and(|note| note.confirmed.is_some());
    let damaged = slots.iter().filter(|slot| slot.kind.is_none()).count() as u64;
    let mut found = vec![match phrases().next() {
        None => Diagnosis::NoPhrase,
        Some(_) if phrases().any(is_confirmed) => Diagnosis::HasPhrase,
        Some(_) => Diagnosis::PhraseUnconfirmed,
    }];
    if damaged > 0 {
        found.push(Diagnosis::SlotsDamaged { slots: damaged });
    }
    found.into_iter().map(|what| Finding::of(name, what)).collect()
}

fn snapshots(context: &Context, name: &str, repo: &Repo) -> (Vec<Finding>, Option<Timestamp>) {
    let survey = match repo.survey() {
        Ok(survey) => survey,
        Err(e) => {
            let failure = e.into();
            return (vec![Finding::of(name, Diagnosis::RemoteFails { failure })], None);
        }
    };
    let facts = order::facts(&survey.snapshots, context.now.timestamp());
    let newest = facts
        .iter()
        .map(|facts| facts.made.ended.max(facts.made.started))
        .max();
    let mut found = vec![Diagnosis::SnapshotsThere {
        snapshots: facts.len() as u64,
        newest: facts.iter().map(|facts| facts.time).max(),
    }];
    let unreadable = survey.unreadable.len() as u64;
    if unreadable > 0 {
        found.push(Diagnosis::SnapshotsUnreadable {
            snapshots: unreadable,
        });
    }
    let lost = survey.lost.map_or(0, |lost| lost.len() as u64);
    if lost > 0 {
        found.push(Diagnosis::SnapshotsGone { snapshots: lost });
    }
    let found = found.into_iter().map(|what| Finding::of(name, what));
    (found.collect(), newest)
}

fn proofs(context: &Context, name: &str) -> Vec<Finding> {
    let now = context.now.timestamp();
    let is_recent = |at: &Timestamp, age| now.duration_since(*at) <= age;
    let dirs = context.dirs();
    let proofs = dirs.map(|dirs| Journal::of(&dirs).proofs(name));
    let Proofs {
        check: checked,
        restore: restored,
        drill,
        failed_drill,
        read,
    } = proofs.unwrap_or_default();
    let mut found = vec![match checked.filter(|at| is_recent(at, CHECK_AGE)) {
        Some(at) => Diagnosis::Checked { at },
        None => Diagnosis::CheckedLongAgo { at: checked },
    }];
    found.extend(read.map(|since| match is_recent(&since, CHECK_AGE) {
        true => Diagnosis::AllRead { since },
        false => Diagnosis::ReadLongAgo { since },
    }));
    found.push(match restored.filter(|at| is_recent(at, RESTORE_AGE)) {
        Some(at) => Diagnosis::Restored { at },
        None => Diagnosis::RestoredLongAgo { at: restored },
    });
    found.extend(match failed_drill {
        Some(at) => Some(Diagnosis::DrillFailed { at }),
        None => drill.map(|at| Diagnosis::Drilled { at }),
    });
    found.into_iter().map(|what| Finding::of(name, what)).collect()
}
