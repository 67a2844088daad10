//! A generation published again: with other information (tags), with another tree ([`crate::purge`]), or brought back
//! from the trash. Manifests are write-once, so a new one is published by a session of its own, which proves first that
//! everything is in its view (I-4).

use crate::error::{Error, Refusal, Result};
use crate::manifest::{Manifest, Remembered};
use crate::monitor::{Monitor, Phase};
use crate::references;
use crate::repo::{Repo, index_progress};
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::writer::{Flushed, Writer};
use chunkstore::{Error as StoreError, IndexId, SessionId};

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
    let published = publish(repo, id, &manifest, monitor)?;
    // First: a crash between the two leaves both, and this machine knows the new one.
    follow(repo, id, &published)?;
    retire(repo, id)?;
    Ok(Some(published.id))
}

/// Moves the form of a generation that another has replaced to the trash.
pub(crate) fn retire(repo: &Repo, id: SessionId) -> Result<()> {
    match repo.store.forget(id, repo.run().now_secs()) {
        // Another client removed it in the meantime.
        Err(chunkstore::Error::Missing { .. }) => Ok(()),
        forgotten => forgotten.map_err(Error::from),
    }
}

/// A manifest that was published, and the view under which everything that it refers to was found (I-4).
pub(crate) struct Published {
    pub id: SessionId,
    pub hash: [u8; 32],
    segments: Vec<IndexId>,
    packs: Option<u64>,
}

/// What is to be published, made under a writer's session.
pub(crate) enum Remade<T> {
    /// This manifest. Everything that the writer put for it was flushed.
    Manifest(Box<Manifest>, Flushed),
    /// Nothing after all.
    Nothing(T),
}

/// What came of it.
pub(crate) enum Restated<T> {
    Published(Published),
    Nothing(T),
}

/// Publishes `manifest`, which restates the generation `id`. Refused when part of it is being collected.
pub(crate) fn publish(
    repo: &Repo,
    id: SessionId,
    manifest: &Manifest,
    monitor: &dyn Monitor,
) -> Result<Published> {
    let make = |writer: &Writer| -> Result<Remade<Never>> {
        Ok(Remade::Manifest(Box::new(manifest.clone()), writer.flush()?))
    };
    match publish_made(repo, id, &make, monitor)? {
        Restated::Published(published) => Ok(published),
        Restated::Nothing(never) => match never {},
    }
}

enum Never {}

/// Publishes what `make` makes of the generation `id`. Begun again, with another session, where a collection moves what it
/// is about to read.
pub(crate) fn publish_made<T>(
    repo: &Repo,
    id: SessionId,
    make: &dyn Fn(&Writer) -> Result<Remade<T>>,
    monitor: &dyn Monitor,
) -> Result<Restated<T>> {
    repo.prove_state()?;
    let once = || -> Result<_> {
        let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false)?;
        let (manifest, flushed) = match make(&writer)? {
            Remade::Manifest(manifest, flushed) => (manifest, flushed),
            Remade::Nothing(instead) => return Ok(Restated::Nothing(instead)),
        };
        prove_present(repo, &writer, &manifest, id, monitor)?;
        let (id, hash) = writer.publish(flushed, &manifest.encode())?;
        Ok(Restated::Published(Published {
            id,
            hash,
            segments: writer.final_view().segments,
            packs: writer.packs_seen(),
        }))
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

/// What this machine made last (I-17) has another name now, and rests on another view.
pub(crate) fn follow(repo: &Repo, old: SessionId, new: &Published) -> Result<()> {
    follow_to(repo, old, &|last| Remembered {
        snapshot: Some(new.id),
        hash: new.hash,
        segments: new.segments.clone(),
        packs: new.packs,
        ..last
    })
}

/// The same where another run published the new form: under which view is not known, so that the next backup looks up
/// every chunk.
pub(crate) fn follow_other(repo: &Repo, old: SessionId, hash: [u8; 32]) -> Result<()> {
    follow_to(repo, old, &|last| Remembered {
        sequence: last.sequence,
        hash,
        ..Remembered::default()
    })
}

fn follow_to(repo: &Repo, old: SessionId, new: &dyn Fn(Remembered) -> Remembered) -> Result<()> {
    let _turn = repo.turn()?;
    let last = repo.remembered();
    match last.snapshot == Some(old) {
        true => repo.remember(&new(last)),
        false => Ok(()),
    }
}
