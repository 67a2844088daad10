//! Replicas: several remotes that hold one repository, with the same id and the same keys. A pack of one is a pack of
//! each; sessions, marks, index and generations are every replica's own (I-10).

use super::{Opened, Slate, Store};
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::id::{ReplicaId, RepoId, SessionId, random};
use crate::object::cap;
use crate::opening::{read_config, slot_ids};
use crate::remote::{ObjectName, Published, Remote};
use crate::slot::{SLOT_LEN, Slot};
use std::path::Path;
use std::sync::Arc;

/// The name of a replica's folders on this machine: what is noted of one must not be taken for another's.
pub(super) fn folder(repo: &RepoId, config: &Config) -> String {
    config.replica.map_or_else(|| repo.to_hex(), ReplicaId::to_hex)
}

/// What became of the making of a replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    New,
    /// There was one already.
    Before,
}

impl Store {
    /// The name of this replica's folders on this machine.
    pub fn folder(&self) -> String {
        folder(self.id(), &self.config)
    }

    /// Makes an empty replica of this repository on `remote`: the slots first, `config` last, as
    /// [`Store::create_with`] does. What opens this one opens that. `now` in seconds since 1970.
    pub fn make_replica(&self, remote: &dyn Remote, now: i64) -> Result<Made> {
        if remote.size(&ObjectName::config())?.is_some() {
            return self.own_config(remote).map(|_| Made::Before);
        }
        for id in slot_ids(self.remote())? {
            let bytes = self.remote.get(&ObjectName::key(id), SLOT_LEN)?;
            match Slot::parse(id, &bytes) {
                Ok(_) => {}
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
        let bytes = config::encode(*self.id(), &config, &self.keys.control)?;
        if remote.put(&ObjectName::config(), &bytes)? == Published::Exists {
            // I-13: our own, from a try whose reply was lost, or somebody was quicker.
            self.own_config(remote)?;
        }
        remote.barrier()?;
        match remote.set_aside() {
            // The next collection tries again.
            Ok(()) | Err(Error::NoSpace { .. }) => Ok(Made::New),
            Err(e) => Err(e),
        }
    }

    /// The `config` there, as it is stored and opened. Refuses what is no replica of this repository.
    fn own_config(&self, remote: &dyn Remote) -> Result<(Vec<u8>, Config)> {
        let bytes = read_config(remote)?;
        if config::clear(&bytes)?.repo != *self.id() {
            return Err(Error::Refused(format!(
                "{} holds another repository, which is no replica of this one",
                remote.location()
            )));
        }
        let config = config::open(&bytes, self.id(), &self.keys.control)?;
        Ok((bytes, config))
    }

    /// Opens another replica of this repository: the keys are at hand, so no secret is needed.
    pub fn open_replica(&self, remote: Arc<dyn Remote>, cache_root: &Path) -> Result<Store> {
        let (bytes, config) = self.own_config(&*remote)?;
        if config.replica == self.config.replica {
            return Err(Error::Refused(format!(
                "{} is the same replica as {}",
                remote.location(),
                self.remote.location()
            )));
        }
        let opened = Opened {
            config: bytes,
            is_kept: false,
            master: self.opened.master.again(),
            slot: self.opened.slot,
        };
        Store::new(remote, *self.id(), opened, cache_root)
    }

    /// A manifest as it is stored here, byte for byte, and its body; [`Error::Missing`] for a fence.
    pub fn sealed_manifest(&self, id: SessionId) -> Result<(Vec<u8>, Vec<u8>)> {
        let name = ObjectName::snapshot(id);
        let bytes = self.remote.get(&name, cap::MANIFEST)?;
        match self.open_slate(id, &bytes)? {
            Slate::Manifest { body, .. } => Ok((bytes, body)),
            Slate::Fence => Err(Error::Missing {
                object: name.to_string(),
            }),
        }
    }

    /// Whether two openings are of one repository.
    pub fn is_replica_of(&self, other: &Store) -> bool {
        self.id() == other.id() && self.opened.master.0 == other.opened.master.0
    }
}
