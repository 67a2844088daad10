//! Replicas: several remotes that hold one repository, with the same id and the same keys. Chunks are the same in each;
//! packs, sessions, marks, index and generations are every replica's own (I-10), under names of their own (I-18).

use super::{Opened, SnapshotObject, Store};
use crate::config::{self, Config, read_config};
use crate::error::{Error, Refusal, Result};
use crate::id::{ReplicaId, SessionId, random};
use crate::keys::Keys;
use crate::remote::{ObjectName, Published, Remote};
use crate::slot::{Slot, read_slot, slot_ids};
use std::path::Path;
use std::sync::Arc;

/// The name of a replica's folders on this machine: what is noted of one must not be taken for another's. It follows
/// from the master key, so that a repository that somebody made with another one's id gets folders of its own.
pub(super) fn folder(keys: &Keys, config: &Config) -> String {
    folder_of(keys, config.replica)
}

fn folder_of(keys: &Keys, replica: Option<ReplicaId>) -> String {
    let replica = replica.map_or([0; 16], |replica| replica.0);
    let name = blake3::keyed_hash(keys.fingerprint(), &replica);
    hex::encode(&name.as_bytes()[..16])
}

/// What became of the making of a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// It was made.
    New,
    /// There was one already.
    Before,
}

impl Store {
    /// The name of this replica's folders on this machine.
    pub fn folder(&self) -> String {
        folder(&self.keys, &self.config)
    }

    /// The name of the folder for what this machine notes of all replicas together: that of the one which all were made
    /// from.
    pub fn family(&self) -> String {
        folder_of(&self.keys, None)
    }

    /// Makes an empty replica of this repository on `remote`: the slots first, `config` last, as
    /// [`Store::create_with`] does. What opens this one opens that. `now` in seconds since 1970.
    pub fn make_replica(&self, remote: &dyn Remote, now: i64) -> Result<Made> {
        self.check_upgrades()?;
        if remote.size(&ObjectName::config())?.is_some() {
            return self.own_config(remote).map(|_| Made::Before);
        }
        for id in slot_ids(self.remote())? {
            let bytes = read_slot(self.remote(), id)?;
            match Slot::parse(id, &bytes) {
                // Of a kind that is not for people: a holder of its secret can use it there, too.
                Ok(_) | Err(Error::NewerFormat(_)) => {}
                // It opens nothing here either.
                Err(e) if e.is_damage() => continue,
                Err(e) => return Err(e),
            }
            let (Published::Created | Published::Exists) = remote.put(&ObjectName::key(id), &bytes)?;
        }
        let config = Config {
            created: now,
            replica: Some(ReplicaId(random()?)),
            ..self.config.clone()
        };
        let bytes = config::encode(*self.id(), &config, &self.standing(), &self.keys.control.config)?;
        if remote.put(&ObjectName::config(), &bytes)? == Published::Exists {
            // I-13: our own, from a try whose reply was lost, or somebody was quicker.
            self.own_config(remote)?;
        }
        remote.barrier()?;
        match remote.create_reserve() {
            // The next collection tries again.
            Ok(()) | Err(Error::NoSpace { .. }) => Ok(Made::New),
            Err(e) => Err(e),
        }
    }

    /// The `config` there, as it is stored and opened. Refuses what is no replica of this repository.
    fn own_config(&self, remote: &dyn Remote) -> Result<(Vec<u8>, Config)> {
        let bytes = read_config(remote)?;
        if config::clear(&bytes)?.repo != *self.id() {
            return Err(Error::Refused(Refusal::OtherRepository {
                location: remote.location(),
            }));
        }
        let config = config::open(&bytes, self.id(), &self.keys.control.config)?;
        Ok((bytes, config))
    }

    /// Opens another replica of this repository: the keys are at hand, so no secret is needed.
    pub fn open_replica(&self, remote: Arc<dyn Remote>, cache_root: &Path) -> Result<Store> {
        let (bytes, config) = self.own_config(&*remote)?;
        if config.replica == self.config.replica {
            return Err(Error::Refused(Refusal::SameReplica {
                location: remote.location(),
                of: self.remote.location(),
            }));
        }
        let opened = Opened {
            config: bytes,
            is_kept: false,
            master: self.opened.master.again(),
            slot: self.opened.slot,
        };
        let store = Store::new(remote, *self.id(), opened, cache_root)?;
        store.check_upgrades()?;
        Ok(store)
    }

    /// A manifest's body, as it is stored here now; [`Error::Missing`] for a fence.
    pub fn stored_manifest(&self, id: SessionId) -> Result<Vec<u8>> {
        match self.snapshot_object(id)? {
            SnapshotObject::Manifest { body, .. } => Ok(body),
            SnapshotObject::Fence => Err(Error::missing(ObjectName::snapshot(id))),
        }
    }

    /// Whether two openings are of one repository.
    pub fn is_replica_of(&self, other: &Store) -> bool {
        self.id() == other.id() && self.opened.master.0 == other.opened.master.0
    }
}
