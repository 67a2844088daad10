//! What is known of earlier runs when one begins: the generations to compare with, and what this machine published
//! last (I-17).

use super::BackupOptions;
use crate::error::Result;
use crate::facts::{SnapshotInfo, newest_first};
use crate::manifest::{Head, Manifest, Remembered, Snapshot};
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::order;
use crate::repo::Repo;
use chunkstore::SessionId;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The generations to compare with: one, or an interrupted one and the complete one before it.
pub fn parents(
    repo: &Repo,
    snapshots: &[Snapshot],
    options: &BackupOptions,
    head: &Head,
) -> Result<Vec<(SessionId, Manifest)>> {
    if let Some(id) = options.parent {
        return Ok(vec![(id, repo.manifest(id)?)]);
    }
    let facts = order::facts(snapshots, repo.run().now);
    let same = |facts: &&SnapshotInfo| facts.host == head.host && facts.paths == head.paths;
    let mut candidates: Vec<&SnapshotInfo> = facts.iter().filter(same).collect();
    // A time that is still to come says nothing of what is newest, unless there is nothing else.
    candidates.sort_by(|a, b| {
        a.is_in_future()
            .cmp(&b.is_in_future())
            .then_with(|| newest_first(a, b))
    });
    let mut chosen = Vec::new();
    for facts in candidates {
        if facts.partial && !chosen.is_empty() {
            continue;
        }
        chosen.push((facts.id, repo.manifest(facts.id)?));
        if !facts.partial {
            break;
        }
    }
    Ok(chosen)
}

/// Warns of a time that is still to come, and of a clock that does not fit to what this machine made last.
pub fn tell_clock(repo: &Repo, snapshots: &[Snapshot], options: &BackupOptions, monitor: &dyn Monitor) {
    let now = repo.run().now;
    let warn = |why: String| {
        let what = ProblemKind::Warning { why };
        monitor.problem(&Problem {
            path: Vec::new(),
            what,
        });
    };
    if let Some(time) = options.time.filter(|time| *time > order::later(now)) {
        warn(format!(
            "the time {} is in the future: until then this snapshot is not 'latest', and no --keep-* rule removes it",
            local(time)
        ));
    }
    let ours = snapshots.iter().filter(|s| s.manifest.machine == repo.machine());
    let Some(last) = ours.max_by_key(|s| s.manifest.sequence) else {
        return;
    };
    let ended = last.facts().made.ended;
    let (short, year) = (last.short_id(), SignedDuration::from_hours(366 * 24));
    if ended > order::later(now) {
        warn(format!(
            "the clock of this machine says {}, but snapshot {short} was made at {}: is the clock right? Snapshots count in \
             the order in which they are made",
            local(now),
            local(ended),
        ));
    } else if now.duration_since(ended) > year {
        warn(format!(
            "the clock of this machine says {}, more than a year after the last snapshot {short}: is the clock right?",
            local(now)
        ));
    }
}

/// As people here write it.
fn local(time: Timestamp) -> String {
    let local = time.to_zoned(TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// What this machine published last (I-17), and a warning where another one seems to go by its id.
pub fn newest_of_this_machine(
    repo: &Repo,
    snapshots: &[Snapshot],
    monitor: &dyn Monitor,
) -> Result<Remembered> {
    // Not while another backup of this machine has published and not noted it yet.
    let remembered = {
        let _turn = repo.turn()?;
        repo.remembered()
    };
    let listed = snapshots
        .iter()
        .filter(|s| s.manifest.machine == repo.machine())
        .max_by_key(|s| s.manifest.sequence);
    Ok(match listed {
        Some(newest) if newest.manifest.sequence > remembered.sequence => {
            if is_of_a_clone(&remembered, newest, &repo.run().host) {
                monitor.problem(&Problem {
                    path: Vec::new(),
                    what: ProblemKind::Warning {
                        why: cloned(repo, newest),
                    },
                });
            }
            Remembered {
                sequence: newest.manifest.sequence,
                hash: newest.hash,
                ..Remembered::default()
            }
        }
        _ => remembered,
    })
}

/// Whether another machine has made the `newest` of this one's snapshots. A crash leaves one that is not remembered, and
/// of the same host; without anything remembered, the machine's state is new.
fn is_of_a_clone(remembered: &Remembered, newest: &Snapshot, host: &str) -> bool {
    let more = newest.manifest.sequence - remembered.sequence;
    remembered.sequence > 0 && (more > 1 || newest.manifest.host != host)
}

fn cloned(repo: &Repo, newest: &Snapshot) -> String {
    format!(
        "snapshot {} of host {} was made by a machine with the same id as this one. If one is a clone of the other,          delete {} on one of them; if this machine's files were restored from a backup, nothing is wrong",
        newest.short_id(),
        newest.manifest.host,
        repo.machine_file().display(),
    )
}
