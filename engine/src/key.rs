//! Key slots for callers that know the engine only: what opens a repository, and changing it. The cryptography and the
//! slots' form are `chunkstore::slot`'s.

use crate::error::{Error, Refusal, Result};
use crate::repo::Repo;
use chunkstore::SlotId;
#[doc(hidden)]
pub use chunkstore::keyring::forget as forget_kept;
use chunkstore::object::cap;
use chunkstore::remote::ObjectName;
use chunkstore::slot::SLOT_MAX;
pub use chunkstore::slot::{
    Cost, Password, Secret, SlotKind, new_key_file, new_phrase, parse_key_file, parse_phrase,
};
pub use chunkstore::store::SlotInfo;

/// Every slot, damaged ones too, in the order of their ids.
#[doc(hidden)]
pub fn list(repo: &Repo) -> Result<Vec<SlotInfo>> {
    Ok(repo.store.slots()?)
}

/// Adds a slot and proves that it opens.
#[doc(hidden)]
pub fn add(repo: &Repo, secret: &Secret, label: &str) -> Result<SlotId> {
    Ok(repo
        .store
        .add_slot(secret, Cost::DEFAULT, label, repo.run().now_secs())?)
}

/// Removes a slot. The one that opened the repository is refused, and so is the last sound one.
#[doc(hidden)]
pub fn remove(repo: &Repo, id: SlotId) -> Result<()> {
    if id == repo.store.opened_with() {
        return Err(Error::Refused(Refusal::KeyInUse));
    }
    Ok(repo.store.remove_slot(id)?)
}

/// Removes the slot that opened the repository, now that another secret has taken its place.
#[doc(hidden)]
pub fn retire(repo: &Repo) -> Result<()> {
    Ok(repo.store.remove_slot(repo.store.opened_with())?)
}

/// The configuration and every slot as they are stored (sealed; a secret is still needed), each under its name in
/// the repository.
#[doc(hidden)]
pub fn export(repo: &Repo) -> Result<Vec<(String, Vec<u8>)>> {
    let remote = repo.store.remote();
    let config = ObjectName::config();
    let mut objects = vec![(config.path(), remote.get(&config, cap::CONTROL)?)];
    for slot in repo.store.slots()?.iter().filter(|slot| slot.kind.is_some()) {
        let name = ObjectName::key(slot.id);
        objects.push((name.path(), remote.get(&name, SLOT_MAX)?));
    }
    Ok(objects)
}
