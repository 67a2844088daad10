//! Reads the structure of a repository and looks for what it refers to.
//!
//! What others do in the meantime can look like damage (a segment replaced, a generation ended). So findings count only
//! if the repository is still as it was listed; otherwise everything is read again.

use super::Findings;
use super::chain;
use super::ingest::Ingest;
use super::presence;
use super::structure::{ObjectNames, Structure, control_objects, generations, sizes};
use super::triage::Triage;
use crate::error::{Error, Result};
use crate::generations::Known;
use crate::monitor::Monitor;
use crate::repo::Repo;
use chunkstore::PackId;
use chunkstore::SessionId;
use chunkstore::index::Inventory;
use chunkstore::live::LiveSet;
use chunkstore::remote::ObjectName;
use chunkstore::session::View;
use chunkstore::store::Store;

/// Readings that others may overtake.
const TRIES: usize = 3;

/// Of `only` these snapshots, or of all. With `read_condemned`, what snapshots need and only condemned packs hold is read: a
/// repair may have given it up.
pub(super) fn read(
    repo: &Repo,
    triage: &Triage<'_>,
    only: Option<&[SessionId]>,
    read_condemned: bool,
    monitor: &dyn Monitor,
) -> Result<(Structure, Findings)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let known = Known::read_if_allowed(repo)?;
        let names = ObjectNames::read(&repo.store)?.only(only);
        // What is missing is looked for among all.
        let known = only.is_none().then_some(&known);
        let (structure, findings) = read_once(repo, triage, known, names, read_condemned, monitor)?;
        let is_settled = || Ok::<_, Error>(ObjectNames::read(&repo.store)?.only(only) == structure.names);
        if findings.errors == 0 || tries == TRIES || is_settled()? {
            return Ok((structure, findings));
        }
    }
}

fn read_once(
    repo: &Repo,
    triage: &Triage<'_>,
    known: Option<&Known>,
    names: ObjectNames,
    read_condemned: bool,
    monitor: &dyn Monitor,
) -> Result<(Structure, Findings)> {
    let store = &*repo.store;
    let mut findings = Findings::new(repo)?;
    let condemned = control_objects(store, triage, &mut findings)?;
    let mut packs = store.packs()?;
    let mut ingest = Ingest::default();
    let progress = crate::repo::index_progress(monitor);
    let view = View {
        segments: names.segments.clone(),
        condemned,
    };
    let index = store.fresh_index(
        &view,
        &packs,
        &mut |id| ingest.segment(store, triage, id),
        &mut |done, total| progress(done, total),
    )?;
    let View { condemned, .. } = view;
    let (listed, entries) = ingest.finish(triage, &mut findings);
    store.ask_sizes(index.wrong_sizes(), &mut packs)?;
    let wrong = index.wrong_sizes().keys();
    leave_out_unreadable(store, wrong, &mut packs, (triage, &mut findings));
    let mut structure = Structure::new(names, packs, listed, index, condemned, entries);
    let mut live = LiveSet::new(store.cache())?;
    let manifests = generations(repo, triage, &mut structure, &mut live, &mut findings, monitor)?;
    match known {
        Some(known) => {
            let names = &structure.names;
            let (ids, trash) = (&names.snapshot_ids, &names.trash);
            chain::missing(repo, triage, known, ids, trash, &mut findings)?;
            chain::check(repo, triage, &manifests, &mut findings)?;
        }
        // Other snapshots may need what these do not.
        None => structure.needs_more = true,
    }
    presence::check(
        store,
        triage,
        &mut structure,
        &mut live,
        read_condemned,
        &mut findings,
    )?;
    structure.live = Some(live);
    sizes(&structure, &mut findings);
    Ok((structure, findings))
}

/// Of packs that can't be examined, neither the size nor anything else is known, and nothing in them will be read.
fn leave_out_unreadable<'p>(
    store: &Store,
    suspects: impl Iterator<Item = &'p PackId>,
    packs: &mut Inventory,
    (triage, findings): (&Triage<'_>, &mut Findings),
) {
    for id in suspects {
        if let Some(error) = store.unreadable_pack(id) {
            findings.trouble(ObjectName::pack(*id), &error);
            triage.note_unreadable(*id, error);
            packs.remove(id);
        }
    }
}
