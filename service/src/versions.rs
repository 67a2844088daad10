//! The job `versions`: every version of one file in all snapshots, and all of them restored side by side.

use crate::catalogue::{BrowseCause, Cause};
use crate::context::Context;
use crate::face::{Activity, Face, ProblemCounts, Step};
use crate::failure::Failure;
use crate::history::record::recorded;
use crate::history::{JobInfo, JobKind, shown_path};
use crate::paths::absolute;
use crate::status::Status;
use crate::{listing, restore};
use engine::SessionId;
use engine::entry::{Kind, Time};
use engine::facts::SnapshotInfo;
use engine::platform::paths::from_bytes;
use engine::repo::Repo;
use engine::restore as run;
use engine::select::Filter;
pub use engine::versions::{Holding, PathHistory, Version, VersionChange, Versions, versions as of_path};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Which file, and which snapshots are looked at.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: PathBuf,
    /// Without a host in it: those of this machine.
    pub filter: Filter,
    pub all_hosts: bool,
}

/// The versions of a file.
pub struct FoundVersions {
    /// Absolute.
    pub path: Vec<u8>,
    pub history: PathHistory,
    pub status: Status,
    looked_at: HashMap<SessionId, SnapshotInfo>,
    repo: Repo,
}

impl FoundVersions {
    /// A snapshot that is named in the history.
    pub fn snapshot(&self, id: SessionId) -> Option<&SnapshotInfo> {
        self.looked_at.get(&id)
    }

    /// Snapshots that hold some version.
    pub fn holders(&self) -> u64 {
        let versions = self.history.versions.iter();
        versions.map(|version| version.holdings.len() as u64).sum()
    }
}

/// Finds the versions of a file.
pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<FoundVersions, Failure> {
    let path = absolute(&request.path)?;
    let mut filter = request.filter.clone();
    let own = filter.hosts.is_empty() && !request.all_hosts;
    if own {
        filter.hosts.push(context.host(None)?);
    }
    let repo = context.open(face)?;
    let all = listing::read(context, &repo, face)?;
    let mut chosen = filter.matching(&all.facts);
    chosen.retain(|facts| facts.may_hold(&path));
    chosen.reverse();
    let ids: Vec<SessionId> = chosen.iter().map(|facts| facts.id).collect();
    let step = Step::start(face, Activity::Find)?;
    let history = engine::versions::versions(&repo, &repo.reader(&step), &ids, &path, &step)?;
    let status = step.finish().status().max(all.status());
    let shown = || String::from_utf8_lossy(&path).into_owned();
    if history.is_dir {
        return Err(BrowseCause::VersionsOfDirectory { path: shown() }.into());
    }
    if history.versions.is_empty() {
        let elsewhere = own && all.facts.iter().any(|facts| facts.may_hold(&path));
        return Err(Failure {
            status: status.max(Status::Failed),
            cause: match filter.hosts.first().filter(|_| elsewhere && ids.is_empty()) {
                Some(host) => {
                    let (path, host) = (shown(), host.clone());
                    let cause = BrowseCause::PathOfOtherHosts { path, host };
                    Cause::Browse { cause }
                }
                None => Cause::PathNowhere { path: shown() },
            },
        });
    }
    let looked_at = chosen.into_iter().map(|facts| (facts.id, facts.clone()));
    Ok(FoundVersions {
        looked_at: looked_at.collect(),
        path,
        history,
        status,
        repo,
    })
}

/// What became of all versions.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Oldest first.
    pub files: Vec<RestoredVersion>,
    pub files_restored: u64,
    pub bytes_restored: u64,
    /// Left as they are, since something of this name was there.
    pub files_skipped: u64,
    pub problems: ProblemCounts,
    pub status: Status,
}

/// One version and the name that it got.
#[derive(Clone, Debug)]
pub struct RestoredVersion {
    pub name: Vec<u8>,
    pub snapshot: SessionId,
    pub size: u64,
    /// Something of this name was there already.
    pub was_there: bool,
}

/// Restores every version of the file into a folder. What is there is left.
pub fn restore_all(
    context: &Context,
    found: &FoundVersions,
    target: &Path,
    dry_run: bool,
    face: &dyn Face,
) -> Result<Report, Failure> {
    if target.as_os_str().is_empty() {
        return Err(Cause::EmptyTarget.into());
    }
    let job = JobInfo {
        sources: vec![String::from_utf8_lossy(&found.path).into_owned()],
        target: Some(shown_path(target)),
        ..JobInfo::of(JobKind::Restore)
    };
    recorded(
        context,
        (!dry_run).then_some(job),
        face,
        |face| put_all(found, target, dry_run, face),
        |report, row| {
            row.files = report.files_restored;
            row.bytes = report.bytes_restored;
            report.status
        },
    )
}

fn put_all(found: &FoundVersions, target: &Path, dry_run: bool, face: &dyn Face) -> Result<Report, Failure> {
    let step = Step::start(face, Activity::Restore)?;
    let mut report = Report::default();
    let mut taken = HashSet::new();
    for version in &found.history.versions {
        let Some(newest) = version
            .holdings
            .last()
            .filter(|_| version.entry.kind != Kind::Dir)
        else {
            continue;
        };
        let name = free_name(&version.entry.name, version.entry.meta.mtime, &mut taken);
        let was_there = std::fs::symlink_metadata(target.join(from_bytes(&name))).is_ok();
        let manifest = found.repo.manifest(newest.snapshot)?;
        let options = run::RestoreOptions {
            subpath: Some(found.path.clone()),
            name: Some(name.clone()),
            overwrite: restore::Overwrite::Never,
            dry_run,
            ..run::RestoreOptions::new(target)
        };
        let done = run::run(&found.repo, &manifest, &options, &step)?;
        report.files_restored += done.files_restored;
        report.bytes_restored += done.bytes_restored;
        report.files_skipped += done.files_skipped;
        report.files.push(RestoredVersion {
            name,
            snapshot: newest.snapshot,
            size: version.entry.meta.size,
            was_there,
        });
    }
    found.repo.tell_damage(&step);
    report.problems = step.finish();
    report.status = report.problems.status().max(found.status);
    Ok(report)
}

/// Bytes that a name may have.
const NAME_MAX: usize = 255;

/// `report_2026-11-01_09-30-00.odt`; a second one of the same time has a number. The same versions get the same names
/// each time.
fn free_name(name: &[u8], modified: Time, taken: &mut HashSet<Vec<u8>>) -> Vec<u8> {
    let dot = name.iter().rposition(|b| *b == b'.').filter(|dot| *dot > 0);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    for number in 1u64.. {
        let mut middle = format!("_{}", file_time(modified));
        if number > 1 {
            middle += &format!("-{number}");
        }
        let room = NAME_MAX.saturating_sub(middle.len() + extension.len());
        let stem = stem.get(..room).unwrap_or(stem);
        let name = [stem, middle.as_bytes(), extension].concat();
        if taken.insert(name.clone()) {
            return name;
        }
    }
    name.to_vec()
}

/// As it may be in the name of a file on every system.
fn file_time(time: Time) -> String {
    match Timestamp::new(time.secs, time.nanos.min(999_999_999).cast_signed()) {
        Ok(at) => at
            .to_zoned(TimeZone::system())
            .strftime("%Y-%m-%d_%H-%M-%S")
            .to_string(),
        // No calendar has it.
        Err(_) => format!("{}s", time.secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_versions() {
        let mut taken = HashSet::new();
        let mut name = |name: &[u8], secs| {
            let name = free_name(name, Time { secs, nanos: 5 }, &mut taken);
            String::from_utf8_lossy(&name).into_owned()
        };
        let first = name(b"a.b.odt", 0);
        assert!(first.starts_with("a.b_19") && first.ends_with(".odt"), "{first}");
        let second = name(b"a.b.odt", 0);
        assert_eq!(second, first.replace(".odt", "-2.odt"));
        assert!(name(b".profile", 0).starts_with(".profile_19"));
        assert!(name(b"x", i64::MAX).starts_with("x_9223372036854775807s"));
        let long = name(&[b'y'; 255], 0);
        assert!(long.len() <= NAME_MAX && long.starts_with("yyy"), "{long}");
    }
}
