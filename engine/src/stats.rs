//! Totals of a repository: what its snapshots hold, what that takes up, and what is waiting to be tidied up.

use crate::alone;
use crate::check::{self, DamagedPath, ReadData};
use crate::error::Result;
use crate::manifest;
use crate::monitor::{Monitor, Problem};
use crate::repo::Repo;
use chunkstore::SessionId;
use chunkstore::pack::Class;
use chunkstore::remote::ObjectName;
use chunkstore::sweep;

/// Names as restic has them where it has them; bytes unless the name indicates otherwise.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Stats {
    pub snapshots_count: u64,
    /// Manifests that can't be read.
    pub snapshots_unreadable: u64,
    /// Regular files and their bytes in the newest snapshot, and in all of them together.
    pub latest_file_count: u64,
    pub latest_size: u64,
    pub total_file_count: u64,
    pub total_restore_size: u64,
    /// Distinct chunks, their bytes as stored and before compression.
    pub total_blob_count: u64,
    pub data_blob_count: u64,
    pub tree_blob_count: u64,
    pub total_size: u64,
    pub total_uncompressed_size: u64,
    /// Uncompressed by stored bytes; 0 for an empty repository.
    pub compression_ratio: f64,
    /// Percent saved by compression.
    pub compression_space_saving: f64,
    pub packs_count: u64,
    pub packs_size: u64,
    pub index_segments_count: u64,
    pub trash_count: u64,
    pub open_sessions_count: u64,
    /// Collections that wait for a session, and the packs that they condemned.
    pub marks_count: u64,
    pub condemned_packs_count: u64,
    /// What a check finds; it is run only where something shows that data was lost.
    pub num_errors: u64,
    pub damaged_paths: u64,
    /// Some of these paths.
    #[serde(skip)]
    pub paths: Vec<DamagedPath>,
}

pub fn run(repo: &Repo, monitor: &dyn Monitor) -> Result<Stats> {
    let store = &*repo.store;
    let mut stats = Stats::default();
    let survey = repo.survey()?;
    survey.tell_missing(monitor);
    let (snapshots, unreadable) = (survey.snapshots, survey.unreadable);
    stats.snapshots_count = snapshots.len() as u64;
    stats.snapshots_unreadable = unreadable.len() as u64;
    for snapshot in &snapshots {
        let root = repo.manifest(snapshot.id)?.root()?;
        stats.total_file_count = stats.total_file_count.saturating_add(root.files);
        stats.total_restore_size = stats.total_restore_size.saturating_add(root.bytes);
        // Oldest first.
        (stats.latest_file_count, stats.latest_size) = (root.files, root.bytes);
    }
    let view = chunkstore::session::View::read(store)?;
    stats.index_segments_count = view.segments.len() as u64;
    let reader = repo.reader(monitor);
    let index = reader.index()?;
    // Packs that are listed and gone, or chunks that only condemned packs hold: a repair may have given them up.
    let mut suspect = index.lists_absent()? || !store.damaged_segments().is_empty();
    for (id, error) in store.unreadable_segments() {
        monitor.problem(&Problem::of(ObjectName::index(id), &error));
    }
    index.scan(&mut |_, located| {
        suspect |= view.condemned.contains(&located.place.pack);
        stats.total_blob_count += 1;
        match located.class {
            Class::Data => stats.data_blob_count += 1,
            Class::Tree => stats.tree_blob_count += 1,
        }
        stats.total_size += u64::from(located.place.stored_len);
        stats.total_uncompressed_size += u64::from(located.place.plain_len);
        Ok(())
    })?;
    if stats.total_size > 0 && stats.total_uncompressed_size > 0 {
        let (stored, plain) = (stats.total_size as f64, stats.total_uncompressed_size as f64);
        stats.compression_ratio = plain / stored;
        stats.compression_space_saving = (1.0 - stored / plain) * 100.0;
    }
    let packs = store.packs()?;
    stats.packs_count = packs.len() as u64;
    stats.packs_size = packs.values().sum();
    stats.trash_count = store.trashed()?.len() as u64;
    stats.open_sessions_count = sweep::open_sessions(store)?.len() as u64;
    let marks = sweep::pending_marks(store)?;
    stats.marks_count = marks.len() as u64;
    stats.condemned_packs_count = view.condemned.len() as u64;
    match suspect {
        true => add_damage(repo, &mut stats, monitor)?,
        false => unreadable
            .iter()
            .for_each(|(id, error)| monitor.problem(&manifest::problem(*id, error))),
    }
    Ok(stats)
}

/// What some snapshots hold, whether or not others hold it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotTotals {
    pub snapshots: u64,
    /// Regular files in all of them together, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Bytes that are stored for them. Of a bundle of small files, the share of each that is in one of them.
    pub stored: u64,
}

/// What these snapshots hold.
pub fn held(repo: &Repo, ids: &[SessionId], monitor: &dyn Monitor) -> Result<SnapshotTotals> {
    let mut held = SnapshotTotals {
        snapshots: ids.len() as u64,
        ..SnapshotTotals::default()
    };
    for id in ids {
        let root = repo.manifest(*id)?.root()?;
        held.files = held.files.saturating_add(root.files);
        held.bytes = held.bytes.saturating_add(root.bytes);
    }
    let together: Vec<(SessionId, u32)> = ids.iter().map(|id| (*id, 0)).collect();
    held.stored = alone::by_group(repo, &repo.reader(monitor), &together, monitor)?.all();
    Ok(held)
}

/// What is known to be lost is damage as long as it is needed. The check names it, and the manifests that can't be
/// read.
fn add_damage(repo: &Repo, stats: &mut Stats, monitor: &dyn Monitor) -> Result<()> {
    let options = check::CheckOptions {
        read_data: ReadData::None,
    };
    let report = check::run(repo, &options, monitor)?;
    stats.num_errors = report.num_errors;
    stats.damaged_paths = report.damaged_paths;
    stats.paths = report.paths;
    Ok(())
}
