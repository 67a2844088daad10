//! Proves a repository: every object opens, every reference leads to a chunk, and on demand every stored byte is what
//! it was. Never stops at the first damage, nor at an object that can't be read, changes nothing, and runs beside writers
//! and collections.
//!
//! [`structure`] reads everything but the data, [`presence`] looks for what that refers to ([`readings`] repeats both
//! if others overtake them), [`data`] streams packs, and [`paths`] goes through the generations again, only if
//! something is damaged or could not be read, to say which files that concerns. [`triage`] tells the two apart. The
//! local index is not trusted (I-6): a fresh one is made. [`read_times`] notes when which pack was read, so that a check can
//! read what is due.

mod chain;
mod data;
mod ingest;
mod listed;
mod paths;
mod presence;
mod read_times;
mod readings;
mod structure;
mod triage;

use self::read_times::ReadTimes;
use self::structure::Structure;
use self::triage::Triage;
use crate::error::Result;
use crate::monitor::{Monitor, Phase, Problem, ProblemKind};
use crate::problem::{Damage, Warning};
use crate::repo::Repo;
use chunkstore::error::Object;
use chunkstore::live::LiveSet;
use chunkstore::remote::ObjectName;
use chunkstore::{ChunkId, Error as StoreError, PackId, SessionId};
use std::collections::{BTreeSet, HashSet};

/// Problems and names that a report shows; the rest is counted. Nothing that acts on a report goes by these.
const LISTED: usize = 1000;

/// Which packs are read whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ReadData {
    /// No data, only what says where it is.
    None,
    /// All packs.
    All,
    /// The `n`-th (from 1) of `of` parts; all parts together are everything.
    Subset {
        /// Which part, counted from 1.
        n: u64,
        /// How many parts there are.
        of: u64,
    },
    /// A random choice of so many percent of the packs.
    Percent(f64),
    /// A random choice of about so many bytes.
    Size(u64),
    /// Packs that were not read whole for some time, as far as this machine knows, the longest ago first.
    Due {
        /// Packs that were read since then are not due. Seconds since 1970.
        since: i64,
        /// How much is read of what is due; everything if there is no limit.
        limit: Option<DueLimit>,
    },
}

/// How much a check reads of what is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DueLimit {
    /// What is due in the `n`-th (from 1) of `of` parts.
    Subset {
        /// Which part, counted from 1.
        n: u64,
        /// How many parts there are.
        of: u64,
    },
    /// So many percent of all data.
    Percent(f64),
    /// About so many bytes.
    Size(u64),
}

/// How a check goes.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// Which data is read.
    pub read_data: ReadData,
}

/// A path that can't be restored whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedPath {
    /// Snapshot's short id.
    pub snapshot: String,
    /// Absolute, raw bytes. The first of several if `entries` is more than one.
    pub path: Vec<u8>,
    /// Entries from this path on of which not even the names can be read; 1 if only this one is affected.
    pub entries: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Damages found; 0 for a sound repository.
    pub num_errors: u64,
    /// Warnings: nothing that a snapshot needs is damaged.
    pub num_warnings: u64,
    /// Names of damaged objects, at most a thousand.
    pub broken_objects: Vec<String>,
    /// Objects that can't be read, of which nothing is known, and the names of the first thousand.
    pub num_unreadable: u64,
    /// The names of the first thousand of them.
    pub unreadable_objects: Vec<String>,
    /// Those of them that are packs.
    pub packs_unreadable: u64,
    #[serde(skip)]
    pub unreadable_packs: BTreeSet<PackId>,
    /// Those of `broken_objects` that are packs, by id, as restic lists them.
    pub broken_packs: Vec<String>,
    /// All hurt packs, to act on: damaged ones, and needed ones that are missing. Memory holds just the names of packs.
    #[serde(skip)]
    pub hurt_packs: BTreeSet<PackId>,
    /// Damaged packs that no snapshot needs anything of, and that are not condemned yet.
    #[serde(skip)]
    pub unneeded_packs: BTreeSet<PackId>,
    /// Packs that are in no index segment may hold what snapshots miss.
    pub suggest_repair_index: bool,
    /// There is something that is not needed and a collection removes.
    pub suggest_prune: bool,
    /// Snapshots that were checked.
    pub snapshots: u64,
    /// Snapshots in the trash that were checked.
    pub trash: u64,
    /// Manifests that can't be read, forgotten ones included.
    pub snapshots_unreadable: u64,
    /// Index segments.
    pub index_segments: u64,
    /// Entries in them.
    pub index_entries: u64,
    /// Packs.
    pub packs: u64,
    /// Their size in bytes.
    pub packs_size: u64,
    /// Packs in no index segment: of a backup that runs or was interrupted, or the index is not whole.
    pub packs_unlisted: u64,
    /// Damaged packs that are condemned and that nothing needs: warnings, not errors.
    pub packs_abandoned: u64,
    /// Distinct chunks that snapshots refer to, and how many of them are parts of trees, each of which was read.
    pub chunks: u64,
    /// Those that are parts of trees.
    pub tree_chunks: u64,
    /// Packs that were read whole.
    pub packs_read: u64,
    /// Bytes of data that were read.
    pub bytes_read: u64,
    /// Packs that are still due, of a check that reads what is due, and their bytes.
    pub packs_due: u64,
    /// The bytes of these.
    pub bytes_due: u64,
    /// Every byte that was stored by then has been read since, in seconds since 1970; `None` if that is not known of all
    /// packs.
    #[serde(skip)]
    pub proven: Option<i64>,
    /// Damaged paths of all snapshots, and the first thousand of them.
    pub damaged_paths: u64,
    /// The first thousand of them.
    #[serde(skip)]
    pub paths: Vec<DamagedPath>,
    /// The same for paths that could not be checked, since something that they need can't be read.
    pub unproven_paths: u64,
    /// The first thousand of them.
    #[serde(skip)]
    pub unproven: Vec<DamagedPath>,
}

/// Checks. Damage is in the report and reported to `monitor` as it is found; an error means that the check itself
/// failed.
pub fn run(repo: &Repo, options: &CheckOptions, monitor: &dyn Monitor) -> Result<CheckReport> {
    run_within(repo, options, &CheckScope::default(), monitor)
}

/// The same for what these snapshots need. Beside that, everything is checked that says where it is.
pub fn run_for(
    repo: &Repo,
    options: &CheckOptions,
    snapshots: &[SessionId],
    monitor: &dyn Monitor,
) -> Result<CheckReport> {
    let scope = CheckScope {
        snapshots: Some(snapshots),
        packs: None,
    };
    run_within(repo, options, &scope, monitor)
}

/// The same as [`run`], reading the data of `only` these packs.
pub(crate) fn run_on(
    repo: &Repo,
    options: &CheckOptions,
    only: Option<&HashSet<PackId>>,
    monitor: &dyn Monitor,
) -> Result<CheckReport> {
    let scope = CheckScope {
        snapshots: None,
        packs: only,
    };
    run_within(repo, options, &scope, monitor)
}

/// What is checked, if not everything.
#[derive(Default)]
struct CheckScope<'a> {
    /// The snapshots whose trees are read, and of whose data the packs are.
    snapshots: Option<&'a [SessionId]>,
    /// The packs whose data is read.
    packs: Option<&'a HashSet<PackId>>,
}

fn run_within(
    repo: &Repo,
    options: &CheckOptions,
    scope: &CheckScope<'_>,
    monitor: &dyn Monitor,
) -> Result<CheckReport> {
    monitor.phase(Phase::CheckingStructure);
    // A check that reads all packs reads those that are condemned, too.
    let reads_all = options.read_data == ReadData::All && scope.packs.is_none() && scope.snapshots.is_none();
    let triage = Triage::new(&repo.store);
    let (structure, mut findings) = readings::read(repo, &triage, scope.snapshots, !reads_all, monitor)?;
    let mut report = structure.report();
    for problem in std::mem::take(&mut findings.problems) {
        monitor.problem(&problem);
    }
    let mut times = ReadTimes::load(repo.state(), repo.run().now_secs(), &structure.packs);
    if options.read_data != ReadData::None {
        monitor.phase(Phase::ReadingData);
        let only = scope.packs.or(scope.snapshots.map(|_| &structure.needed));
        let chosen = data::choose(&structure, options.read_data, only, &times)?;
        (report.packs_due, report.bytes_due) = chosen.left;
        let read = data::read(
            repo,
            &triage,
            &structure,
            chosen.packs,
            (&mut findings, &mut times),
            monitor,
        );
        // What was read before an error was read.
        let saved = times.save();
        // Without a place for notes, only a check that goes by them is worse off.
        if let (Err(e), ReadData::Due { .. }) = (saved, options.read_data) {
            monitor.problem(&Problem::general(Warning::ReadNotNoted(Box::new(e))));
        }
        (report.packs_read, report.bytes_read) = read?;
    } else {
        // Without it, new packs seem older than they are; where no notes can be kept that is all that is lost.
        let _ = times.save();
    }
    report.proven = times.proven();
    (report.unneeded_packs, report.packs_abandoned) = judge(&triage, &structure, &mut findings)?;
    structure.add_unproven(&triage, &mut findings)?;
    for problem in std::mem::take(&mut findings.problems) {
        monitor.problem(&problem);
    }
    if findings.hurts_paths {
        paths::find(repo, &triage, &structure, &findings, &mut report)?;
    }
    report.suggest_repair_index = findings.index_is_short && structure.has_packs_to_list();
    let unfinished = report.packs_unlisted > 0 && !report.suggest_repair_index;
    // Packs that only a segment which can't be read lists look like those of unfinished backups.
    report.suggest_prune = report.packs_abandoned > 0 || unfinished && !triage.index_is_unread();
    add_findings(&mut report, findings);
    Ok(report)
}

/// Counts and names what was found.
fn add_findings(report: &mut CheckReport, findings: Findings) {
    report.hurt_packs = findings.hurt_packs;
    report.num_errors = findings.errors;
    report.num_warnings = findings.warnings;
    let pack = |name: &String| Object::from(name.as_str()).pack();
    report.unreadable_packs = findings.unreadable.iter().filter_map(pack).collect();
    report.packs_unreadable = report.unreadable_packs.len() as u64;
    report.num_unreadable = findings.unreadable.len() as u64;
    report.unreadable_objects = findings.unreadable.into_iter().take(LISTED).collect();
    report.broken_objects = findings.objects.into_iter().collect();
    report.broken_packs = report
        .broken_objects
        .iter()
        .filter_map(|name| Some(name.strip_prefix("packs/")?.split_once('/')?.1.to_string()))
        .collect();
}

/// Takes the packs that nothing needs from those that are hurt. Returns them, and how many damaged packs only wait for a
/// collection: these do no harm.
fn judge(
    triage: &Triage<'_>,
    structure: &Structure,
    findings: &mut Findings,
) -> Result<(BTreeSet<PackId>, u64)> {
    let hurt = findings.hurt_packs.union(&findings.abandoned).copied().collect();
    let mut unneeded = structure.unneeded(triage, &hurt)?;
    let mut abandoned = 0;
    for id in std::mem::take(&mut findings.abandoned) {
        if unneeded.remove(&id) {
            findings.warn(ObjectName::pack(id), Warning::PackUnneeded);
            abandoned += 1;
        } else {
            findings.hurt_pack(id, Damage::Known);
        }
    }
    findings.hurt_packs.retain(|id| !unneeded.contains(id));
    Ok((unneeded, abandoned))
}

/// What is wrong, gathered.
struct Findings {
    errors: u64,
    warnings: u64,
    problems: Vec<Problem>,
    objects: BTreeSet<String>,
    hurt_packs: BTreeSet<PackId>,
    /// Damaged packs that are condemned and, by the index, not needed.
    abandoned: BTreeSet<PackId>,
    /// A segment is damaged, or snapshots need what none lists.
    index_is_short: bool,
    /// Names of objects that can't be read. Memory is that of the names.
    unreadable: BTreeSet<String>,
    /// Chunks that are damaged or missing.
    bad: LiveSet,
    /// Chunks of which nothing is known, since each copy is in a pack that can't be read.
    unproven: LiveSet,
    /// Whether a chunk that a generation may need is one of these.
    hurts_paths: bool,
}

impl Findings {
    fn new(repo: &Repo) -> Result<Findings> {
        Ok(Findings {
            errors: 0,
            warnings: 0,
            problems: Vec::new(),
            objects: BTreeSet::new(),
            hurt_packs: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            index_is_short: false,
            unreadable: BTreeSet::new(),
            bad: LiveSet::new(repo.store.cache())?,
            unproven: LiveSet::new(repo.store.cache())?,
            hurts_paths: false,
        })
    }

    fn damage(&mut self, object: impl Into<Object>, damage: Damage) {
        let object = object.into();
        let problem = Problem::new(&object, ProblemKind::Damage(damage));
        // A pack of trees is met twice: when they are read, and with the data.
        if self.problems.contains(&problem) {
            return;
        }
        self.errors += 1;
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        }
        if self.objects.len() < LISTED {
            self.objects.insert(object.to_string());
        }
    }

    /// Notes what [`Triage`] found of an object.
    fn trouble(&mut self, object: impl Into<Object>, error: &StoreError) {
        let object = object.into();
        match error {
            error if error.is_damage() => self.damage(object, Damage::Object(error.clone())),
            StoreError::Unreadable { object, .. } => self.unread(object.clone(), error),
            error => self.unread(object, error),
        }
    }

    fn unread(&mut self, object: Object, error: &StoreError) {
        let problem = Problem::of(&object, error);
        if self.unreadable.insert(object.to_string()) && self.problems.len() < LISTED {
            self.problems.push(problem);
        }
    }

    fn hurt_pack(&mut self, id: PackId, why: Damage) {
        self.hurt_packs.insert(id);
        self.damage(ObjectName::pack(id), why);
    }

    fn warn(&mut self, about: impl Into<Object>, warning: Warning) {
        self.warnings += 1;
        if self.problems.len() < LISTED {
            self.problems.push(Problem::warning(about, warning));
        }
    }

    fn bad_chunk(&mut self, id: ChunkId) -> Result<()> {
        self.hurts_paths = true;
        self.bad.insert(id)?;
        Ok(())
    }

    fn unproven_chunk(&mut self, id: ChunkId) -> Result<()> {
        self.hurts_paths = true;
        self.unproven.insert(id)?;
        Ok(())
    }
}
