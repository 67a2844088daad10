//! Key slots for callers that know the engine only: what opens a repository, and changing it. The cryptography and the
//! slots' form are `chunkstore::slot`'s.

use crate::error::{Error, Refusal, Result};
use crate::repo::Repo;
use chunkstore::SlotId;
#[doc(hidden)]
pub use chunkstore::keyring::forget as forget_kept;
use chunkstore::object::cap;
use chunkstore::remote::ObjectName;
pub use chunkstore::slot::{
    Cost, Password, Secret, SlotKind, new_key_file, new_phrase, parse_key_file, parse_phrase,
};
use chunkstore::slot::{Note, SLOT_MAX};
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

/// Adds a slot for a recovery phrase, words of which somebody typed back.
#[doc(hidden)]
pub fn add_confirmed(repo: &Repo, phrase: &Secret) -> Result<SlotId> {
    let now = repo.run().now_secs();
    let note = Note {
        label: String::new(),
        created: now,
        confirmed: Some(now),
    };
    Ok(repo.store.add_noted_slot(phrase, Cost::DEFAULT, note)?)
}

/// Notes of the phrase that opened the repository that somebody typed words of it back: in a slot that takes the place of
/// the one that says nothing of it. Where nothing can be removed, both stay.
#[doc(hidden)]
pub fn confirm(repo: &Repo, phrase: &Secret) -> Result<SlotId> {
    let old = repo.store.opened_with();
    let id = add_confirmed(repo, phrase)?;
    repo.store.remove_slot(old)?;
    Ok(id)
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
