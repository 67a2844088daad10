//! From a remote to an opened repository: its `config`, and a slot that the secret fits.
//!
//! A far remote is asked as little as can be. The machine notes which slot opened a repository, and keeps `config`,
//! which never changes: then one round trip opens it, for the slot, since a slot that was removed must open nothing, and
//! for the names of upgrades, which a kept `config` must not hide. Who goes on to read the index has `config` compared
//! with what is stored ([`Store::confirm_config`]), and each sixteenth opening asks for all. Without a note it is two
//! round trips: `config` and the names of slots and upgrades, then the slots.

use crate::config::{self, read_config};
use crate::error::{Error, Flaw, Object, Result};
use crate::id::{RepoId, SlotId};
use crate::keys::MasterKey;
use crate::object::{cbor, from_cbor};
use crate::platform::files;
use crate::remote::{Remote, for_all, join_concurrent};
use crate::slot::{STRETCHES_MAX, Secret, Slot, SlotKind, read_slot, slot_ids};
use crate::store::{Opened, Store};
use crate::upgrades;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Openings by one kept `config` at most.
const USES: u8 = 16;
/// Folder of the notes, below the root of the caches.
pub const NOTES: &str = "places";

/// What this machine notes of the repository at a place.
#[derive(Clone, minicbor::Encode, minicbor::Decode)]
struct OpeningNote {
    /// The slot that was opened last.
    #[cbor(n(0), with = "minicbor::bytes")]
    slot: [u8; 16],
    /// As it is stored.
    #[cbor(n(1), with = "minicbor::bytes")]
    config: Vec<u8>,
    /// Openings since `config` was read.
    #[n(2)]
    uses: u8,
}

/// A repository that is there, and not opened yet.
pub struct Found {
    remote: Arc<dyn Remote>,
    cache_root: PathBuf,
    /// By the note, with the slot as it is stored now.
    noted: Option<(OpeningNote, Vec<u8>)>,
    /// The highest upgrade that was listed with that slot.
    upgrade: u64,
    asked: Mutex<Option<Arc<Asked>>>,
}

/// What the remote contains.
struct Asked {
    config: Vec<u8>,
    /// The highest upgrade.
    upgrade: u64,
    /// Slots that could not be read are requested again when their turn comes, which then reports why.
    slots: Vec<(SlotId, Option<Vec<u8>>)>,
}

impl Store {
    /// Opens the repository with the first slot that `secret` fits. `cache_root` gets a folder per repository.
    pub fn open(remote: Arc<dyn Remote>, secret: &Secret, cache_root: &Path) -> Result<Self> {
        Found::look(remote, cache_root)?.open(secret)
    }
}

impl Found {
    /// Looks for the repository; [`Error::NoRepository`] where there is none. `cache_root` gets a folder per repository.
    pub fn look(remote: Arc<dyn Remote>, cache_root: &Path) -> Result<Found> {
        let mut upgrade = 0;
        let noted = match OpeningNote::read(&*remote, cache_root) {
            Some(note) => {
                let slot = || read_slot(&*remote, SlotId(note.slot));
                let (slot, listed) = join_concurrent(&*remote, slot, || upgrades::highest(&*remote));
                match slot {
                    Ok(slot) => {
                        upgrade = listed?;
                        Some((note, slot))
                    }
                    // Removed since, or another repository is there now.
                    Err(Error::Missing { .. }) => None,
                    Err(e) => return Err(e),
                }
            }
            None => None,
        };
        let asked = match noted {
            Some(_) => None,
            None => Some(Arc::new(Asked::of(&*remote)?)),
        };
        Ok(Found {
            remote,
            cache_root: cache_root.to_path_buf(),
            noted,
            upgrade,
            asked: Mutex::new(asked),
        })
    }

    /// Opens it with the first slot that `secret` fits. A slot that is damaged never keeps another one from being
    /// tried; if none is sound, that is the error.
    pub fn open(&self, secret: &Secret) -> Result<Store> {
        if let Some(store) = self.open_by_note(secret) {
            store.take_upgrade(self.upgrade)?;
            return Ok(store);
        }
        let asked = self.asked()?;
        let repo = config::clear(&asked.config)?.repo;
        let (slot, master) = asked.unlock(&*self.remote, &repo, secret)?;
        let note = OpeningNote {
            slot: slot.0,
            config: asked.config.clone(),
            uses: 0,
        };
        let store = self.store(repo, slot, master, note)?;
        store.take_upgrade(asked.upgrade)?;
        Ok(store)
    }

    /// `None` if the note is of no use, for any reason: then the remote is asked, and reports what is wrong.
    fn open_by_note(&self, secret: &Secret) -> Option<Store> {
        let (note, slot) = self.noted.as_ref()?;
        let repo = config::clear(&note.config).ok()?.repo;
        let id = SlotId(note.slot);
        let master = Slot::parse(id, slot).ok()?.unwrap(secret, &repo).ok()??;
        let uses = note.uses + 1;
        let note = OpeningNote { uses, ..note.clone() };
        self.store(repo, id, master, note).ok()
    }

    fn store(&self, repo: RepoId, slot: SlotId, master: MasterKey, note: OpeningNote) -> Result<Store> {
        let opened = Opened {
            config: note.config.clone(),
            is_kept: note.uses > 0,
            master,
            slot,
        };
        let store = Store::new(self.remote.clone(), repo, opened, &self.cache_root)?;
        note.write(&*self.remote, &self.cache_root);
        Ok(store)
    }

    fn asked(&self) -> Result<Arc<Asked>> {
        let mut asked = self.asked.lock();
        if let Some(asked) = &*asked {
            return Ok(asked.clone());
        }
        let now = Arc::new(Asked::of(&*self.remote)?);
        Ok(asked.insert(now).clone())
    }
}

impl Asked {
    fn of(remote: &dyn Remote) -> Result<Asked> {
        let listed = || join_concurrent(remote, || upgrades::highest(remote), || slot_ids(remote));
        let (config, (upgrade, ids)) = join_concurrent(remote, || read_config(remote), listed);
        let (config, upgrade, ids) = (config?, upgrade?, ids?);
        let slots = for_all(remote, &ids, |id| (*id, read_slot(remote, *id).ok()));
        Ok(Asked {
            config,
            upgrade,
            slots,
        })
    }

    fn unlock(&self, remote: &dyn Remote, repo: &RepoId, secret: &Secret) -> Result<(SlotId, MasterKey)> {
        let (mut unusable, mut unread) = (None, None);
        let (mut sound, mut stretches) = (0, 0);
        for (id, bytes) in &self.slots {
            let slot = match bytes {
                Some(bytes) => Slot::parse(*id, bytes),
                None => read_slot(remote, *id).and_then(|bytes| Slot::parse(*id, &bytes)),
            };
            match slot {
                Ok(slot) => {
                    sound += 1;
                    // Anyone who may add objects can add slots: those of other kinds cost nothing, and don't count.
                    // Only a password is worth a bound, since a third of a second goes into each.
                    if slot.kind == secret.kind() && slot.kind == SlotKind::Password {
                        stretches += 1;
                        if stretches > STRETCHES_MAX {
                            continue;
                        }
                    }
                    if let Some(master) = slot.unwrap(secret, repo)? {
                        return Ok((*id, master));
                    }
                }
                // Damaged, or of a kind for others than people.
                Err(e) if e.is_object_local() => unusable = Some(e),
                // `config` was read: it is about this slot, and another one may open the repository.
                Err(e) if e.is_about_one_object() => unread = Some(e),
                Err(e) => return Err(e),
            }
        }
        if let Some(e) = unread {
            // The secret may be that slot's.
            return Err(e);
        }
        match unusable {
            Some(e) if sound == 0 => Err(e),
            _ if self.slots.is_empty() => Err(Error::corrupt(Object::KeySlots, Flaw::NoKeySlot)),
            _ => Err(Error::WrongKey),
        }
    }
}

impl OpeningNote {
    fn path(remote: &dyn Remote, cache_root: &Path) -> PathBuf {
        let place = blake3::hash(remote.location().as_bytes()).to_hex();
        cache_root.join(NOTES).join(&place[..32])
    }

    fn read(remote: &dyn Remote, cache_root: &Path) -> Option<OpeningNote> {
        if !remote.is_high_latency() {
            return None;
        }
        let bytes = std::fs::read(OpeningNote::path(remote, cache_root)).ok()?;
        from_cbor(&bytes).filter(|note: &OpeningNote| note.uses < USES - 1)
    }

    /// That it could not be written costs requests and nothing else.
    fn write(&self, remote: &dyn Remote, cache_root: &Path) {
        if remote.is_high_latency() {
            let _ = files::write_hint(&OpeningNote::path(remote, cache_root), &cbor(self));
        }
    }
}
