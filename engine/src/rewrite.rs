//! A generation published again: with other information (tags), or brought back from the trash. Manifests are
//! write-once, so a new one is published by a session of its own, which proves first that everything is in its view
//! (I-4).

use crate::error::{Error, Refusal, Result};
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase};
use crate::references;
use crate::repo::{Repo, index_progress};
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
use chunkstore::{Error as StoreError, SessionId};

/// Sessions that one restating may take.
const TRIES: usize = 5;

/// Publishes the generation `id` as `change` makes it, unless that reports that nothing changed. Gives the
/// new id.
pub fn run(
    repo: &Repo,
    id: SessionId,
    change: &dyn Fn(&mut Manifest) -> bool,
    monitor: &dyn Monitor,
) -> Result<Option<SessionId>> {
    let mut manifest = repo.manifest(id)?;
    if !change(&mut manifest) {
        return Ok(None);
    }
    manifest.original = Some(manifest.original.unwrap_or(id));
    let (new, hash) = publish(repo, id, &manifest, monitor)?;
    // First: a crash between the two leaves both, and this machine knows the new one.
    follow(repo, id, new, hash)?;
    match repo.store.forget(id, repo.run().now_secs()) {
        // Another client removed it in the meantime.
        Err(chunkstore::Error::Missing { .. }) => Ok(Some(new)),
        forgotten => forgotten.map(|()| Some(new)).map_err(Error::from),
    }
}

/// Publishes `manifest`, which restates the generation `id`, and gives its new id and the hash of its stored bytes.
/// Refused when part of it is being collected. Begun again where a collection moves what it is about to read.
pub(crate) fn publish(
    repo: &Repo,
    id: SessionId,
    manifest: &Manifest,
    monitor: &dyn Monitor,
) -> Result<(SessionId, [u8; 32])> {
    repo.prove_state()?;
    let once = || -> Result<_> {
        let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false)?;
        prove_present(repo, &writer, manifest, id, monitor)?;
        let flushed = writer.flush()?;
        Ok(writer.publish(flushed, &manifest.encode())?)
    };
    for _ in 1..TRIES {
        match once() {
            Err(e) if e.is_overtaken() || lacks_a_pack(&e) => {}
            published => return published,
        }
    }
    once()
}

/// A pack of the session's view went away: its chunks are elsewhere, or it is damage.
fn lacks_a_pack(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Missing { object }) if object.is_in("packs"))
}

/// Looks every chunk and small file up in the view of the writer's session: that the generation was listed proves nothing, since a
/// collection may have begun after it was forgotten.
fn prove_present(
    repo: &Repo,
    writer: &Writer,
    manifest: &Manifest,
    id: SessionId,
    monitor: &dyn Monitor,
) -> Result<()> {
    monitor.phase(Phase::FindingReferences);
    let reader = Reader::beside(repo.store.clone(), writer, index_progress(monitor));
    let mut live = LiveSet::new(repo.store.cache())?;
    references::collect(&reader, &[manifest.root()?], &mut live, monitor)?;
    let mut is_whole = true;
    writer.absent(&mut live, &mut |_| {
        is_whole = false;
        Ok(())
    })?;
    if is_whole {
        return Ok(());
    }
    // What a segment lists that can't be read is not known to be gone.
    repo.store.index_is_read()?;
    Err(Error::Refused(Refusal::PartGone(id)))
}

/// What this machine made last (I-17) has another name now.
fn follow(repo: &Repo, old: SessionId, new: SessionId, hash: [u8; 32]) -> Result<()> {
    let _turn = repo.turn()?;
    let mut last = repo.remembered();
    if last.snapshot == Some(old) {
        (last.snapshot, last.hash) = (Some(new), hash);
        repo.remember(&last)?;
    }
    Ok(())
}
