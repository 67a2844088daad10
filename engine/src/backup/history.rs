//! What is known of earlier runs when one begins: the generations to compare with, and what this machine published
//! last (I-17).

use super::BackupOptions;
use super::assemble::RecordedSources;
use super::parent::Parent;
use crate::error::{Error, Result};
use crate::facts::{SnapshotInfo, newest_first};
use crate::manifest::{Head, Manifest, Remembered, Snapshot};
use crate::monitor::{Monitor, Problem};
use crate::order;
use crate::problem::{ClockWarning, Warning};
use crate::repo::Repo;
use crate::trees;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place, SessionId};
use jiff::SignedDuration;

/// What there is when a run begins.
pub struct Before {
    pub snapshots: Vec<Snapshot>,
    /// The generations to compare with, as [`parents`] chose them.
    parents: Vec<(SessionId, Manifest)>,
    pub remembered: Remembered,
}

impl Before {
    pub fn find(repo: &Repo, options: &BackupOptions, head: &Head, monitor: &dyn Monitor) -> Result<Before> {
        let survey = repo.survey_outlines()?;
        survey.tell_missing(monitor);
        let snapshots = survey.snapshots;
        tell_clock(repo, &snapshots, options, monitor);
        let parents = match options.force {
            true => Vec::new(),
            false => parents(repo, &snapshots, options, head)?,
        };
        let remembered = newest_of_this_machine(repo, &snapshots, monitor)?;
        Ok(Before {
            snapshots,
            parents,
            remembered,
        })
    }

    /// The complete one of the generations to compare with.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.parents.last().map(|(_, manifest)| manifest)
    }

    pub fn parent_id(&self) -> Option<SessionId> {
        self.parents.last().map(|(id, _)| *id)
    }

    /// The parent, where it is one generation.
    pub fn only_parent_id(&self) -> Option<SessionId> {
        match self.parents.as_slice() {
            [(id, _)] => Some(*id),
            _ => None,
        }
    }

    /// Files and bytes of the generation to compare with.
    pub fn totals(&self) -> Option<(u64, u64)> {
        let summary = self.manifest().map(|manifest| &manifest.summary)?;
        Some((summary.total_files_processed, summary.total_bytes_processed))
    }

    /// The generations to compare with as one stream. Unless their ids were checked under a view that still holds (I-4), the
    /// index is opened to check them.
    #[allow(clippy::type_complexity)] // a closure in a return type has no name
    pub fn parent<'a>(
        &self,
        repo: &Repo,
        reader: &'a Reader<'a>,
        writer: &Writer,
        options: &BackupOptions,
    ) -> Result<Parent<impl FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>> + use<'a>>> {
        let remembered = &self.remembered;
        let is_last = |id: SessionId| remembered.snapshot == Some(id);
        let holds = self.parents.iter().any(|(id, _)| is_last(*id))
            && writer.trusts(&remembered.view(), remembered.packs)?;
        let mut parent = Parent::new(options.ignore);
        for (id, manifest) in &self.parents {
            let cursor = trees::cursor(reader, &manifest.root()?)?;
            parent.then(manifest, repo.run().now_secs(), cursor, holds && is_last(*id));
        }
        if self.parents.iter().any(|(id, _)| !(holds && is_last(*id))) {
            reader.index()?;
        }
        Ok(parent)
    }

    /// What the new generation must differ from to be published.
    pub fn skip_if_like(&self, options: &BackupOptions) -> Result<Option<RecordedSources>> {
        let complete = self.manifest().filter(|manifest| !manifest.partial);
        let complete = complete.filter(|_| options.skip_if_unchanged);
        let recorded = complete.map(|manifest| {
            Ok(RecordedSources {
                root: manifest.root()?,
                mounts: manifest.mounts.clone(),
                missing: manifest.missing.clone(),
            })
        });
        recorded.transpose()
    }
}

/// The generations to compare with: one, or an interrupted one and the complete one before it.
fn parents(
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
    // A time that is still to come does not show what is newest, unless there is nothing else.
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
        match repo.manifest(facts.id) {
            Ok(manifest) => chosen.push((facts.id, manifest)),
            // Nothing can be compared with it.
            Err(Error::Store(e)) if e.concerns_one_object() => continue,
            Err(e) => return Err(e),
        }
        if !facts.partial {
            break;
        }
    }
    Ok(chosen)
}

/// Warns of a time that is still to come, and of a clock that does not fit to what this machine made last.
fn tell_clock(repo: &Repo, snapshots: &[Snapshot], options: &BackupOptions, monitor: &dyn Monitor) {
    let now = repo.run().now;
    let warn = |warning| monitor.problem(&Problem::general(Warning::Clock(warning)));
    if let Some(time) = options.time.filter(|time| *time > order::later(now)) {
        warn(ClockWarning::FutureTime(time));
    }
    let ours = snapshots.iter().filter(|s| s.manifest.machine == repo.machine());
    let Some(last) = ours.max_by_key(|s| s.manifest.sequence) else {
        return;
    };
    let ended = last.facts().made.ended;
    let (snapshot, year) = (last.id, SignedDuration::from_hours(366 * 24));
    if ended > order::later(now) {
        warn(ClockWarning::Behind {
            now,
            snapshot,
            made: ended,
        });
    } else if now.duration_since(ended) > year {
        warn(ClockWarning::Ahead { now, snapshot });
    }
}

/// What this machine published last (I-17), and a warning where another one seems to go by its id.
fn newest_of_this_machine(repo: &Repo, snapshots: &[Snapshot], monitor: &dyn Monitor) -> Result<Remembered> {
    // Not while another backup of this machine has published and not noted it yet.
    let (remembered, given) = {
        let _turn = repo.turn()?;
        (repo.remembered(), repo.last_number())
    };
    let listed = snapshots
        .iter()
        .filter(|s| s.manifest.machine == repo.machine())
        .max_by_key(|s| s.manifest.sequence);
    Ok(match listed {
        Some(newest) if newest.manifest.sequence > remembered.sequence => {
            if newest.manifest.sequence > given && is_of_a_clone(&remembered, newest, &repo.run().host) {
                monitor.problem(&Problem::general(Warning::SameMachineId {
                    snapshot: newest.id,
                    host: newest.manifest.host.clone(),
                    machine_file: repo.machine_file().to_path_buf(),
                }));
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
