//! A generation said anew with other words about it (tags): manifests are write-once, so a new one is published and
//! the old one goes to the trash, where it protects the chunks of both until the new one is long listed (I-9).

use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::repo::Repo;
use chunkstore::SessionId;
use chunkstore::writer::Writer;

/// Publishes the generation `id` as `change` makes it, unless that says that nothing changed. `now` in seconds since
/// 1970. Gives the new id.
pub fn run(
    repo: &Repo,
    id: SessionId,
    host: &str,
    now: i64,
    change: &dyn Fn(&mut Manifest) -> bool,
) -> Result<Option<SessionId>> {
    let mut manifest = repo.manifest(id)?;
    if !change(&mut manifest) {
        return Ok(None);
    }
    manifest.original = Some(manifest.original.unwrap_or(id));
    let writer = Writer::begin(repo.store.clone(), repo.owner(host, now), 1, false)?;
    let flushed = writer.flush()?;
    let (new, hash) = writer.publish(flushed, &manifest.encode())?;
    // First: a crash between the two leaves both, and this machine knows the new one.
    follow(repo, id, new, hash)?;
    match repo.store.forget(id, now) {
        // Somebody else removed it meanwhile.
        Err(chunkstore::Error::Missing { .. }) => Ok(Some(new)),
        forgotten => forgotten.map(|()| Some(new)).map_err(Error::from),
    }
}

/// What this machine made last (I-17) has another name now.
fn follow(repo: &Repo, old: SessionId, new: SessionId, hash: [u8; 32]) -> Result<()> {
    let mut last = repo.remembered();
    if last.snapshot == Some(old) {
        (last.snapshot, last.hash) = (Some(new), hash);
        repo.remember(&last)?;
    }
    Ok(())
}
