//! What this machine knows of a repository's generations, and what is gone though no one forgot it (I-9, I-17).
//!
//! A generation leaves in two steps: to the trash, and from there for good, when its name goes to a list that stays
//! ([`chunkstore::forgotten`]). So one that this machine made or saw, and that is in neither place nor on a list, was
//! lost by the storage, or the storage was set back. The note may be lost: then it proves less, and harms nothing.

use super::refuse_short_listing;
use crate::error::{Error, Result};
use crate::repo::{Repo, write_replacing};
use chunkstore::SessionId;
use chunkstore::error::Operation;
use chunkstore::forgotten::Forgotten;
use chunkstore::object::{cbor, from_cbor};
use chunkstore::store::Store;
use minicbor::{Decode, Encode};
use std::collections::BTreeSet;

/// Lost generations that are asked for by name: a listing that is short lacks more than a few by chance.
const ASKED: usize = 16;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    /// Generations that were there.
    pub there: BTreeSet<SessionId>,
    /// Those that were in the trash.
    pub trash: BTreeSet<SessionId>,
    /// Of those that were there, what the note on this machine names.
    noted: BTreeSet<SessionId>,
}

/// Generations that were there and are no longer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MissingSnapshots {
    pub in_trash: BTreeSet<SessionId>,
    pub forgotten: BTreeSet<SessionId>,
    pub lost: Vec<SessionId>,
}

#[derive(Default, Encode, Decode)]
struct Note {
    #[n(0)]
    there: Vec<SessionId>,
    #[n(1)]
    trash: Vec<SessionId>,
}

impl Known {
    /// To be read before what it is compared with.
    pub fn read(repo: &Repo) -> Result<Known> {
        let path = repo.state().join("generations");
        let note: Note = match std::fs::read(&path) {
            Ok(bytes) => from_cbor(&bytes).unwrap_or_default(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Note::default(),
            Err(source) => {
                return Err(Error::io(Operation::Read, path, source));
            }
        };
        let noted: BTreeSet<SessionId> = note.there.into_iter().collect();
        let mut known = Known {
            there: noted.clone(),
            trash: note.trash.into_iter().collect(),
            noted,
        };
        known.there.extend(repo.remembered().snapshot);
        Ok(known)
    }

    /// The same for a run that only reads: notes of another user, whose home this is, count as lost.
    pub fn read_if_allowed(repo: &Repo) -> Result<Known> {
        match Known::read(repo) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Ok(Known::default())
            }
            known => known,
        }
    }

    /// What became of the generations that `listed` (manifests and fences) lacks. `trash` is listed if it is needed and
    /// not given.
    pub fn missing(
        &self,
        store: &Store,
        listed: &BTreeSet<SessionId>,
        trash: Option<&BTreeSet<SessionId>>,
    ) -> Result<MissingSnapshots> {
        let mut missing = MissingSnapshots::default();
        let mut gone: BTreeSet<SessionId> = self.there.difference(listed).copied().collect();
        if gone.is_empty() {
            return Ok(missing);
        }
        // In this order: what moves on while this looks is found where it went.
        missing.in_trash = match trash {
            Some(trash) => gone.intersection(trash).copied().collect(),
            None => store
                .trashed()?
                .into_iter()
                .filter(|id| gone.contains(id))
                .collect(),
        };
        gone.retain(|id| !missing.in_trash.contains(id));
        if gone.is_empty() {
            return Ok(missing);
        }
        let forgotten = store.forgotten()?.into_iter().map(|forgotten| forgotten.id);
        missing.forgotten = forgotten.filter(|id| gone.contains(id)).collect();
        gone.retain(|id| !missing.forgotten.contains(id));
        missing.lost = gone.into_iter().collect();
        missing
            .lost
            .iter()
            .take(ASKED)
            .try_for_each(|id| refuse_short_listing(store, *id))?;
        Ok(missing)
    }

    /// Takes in what was seen, and writes the note if that changed it. What is lost stays known. `trash` is given where
    /// all of it was listed.
    pub fn update(
        &self,
        repo: &Repo,
        there: &BTreeSet<SessionId>,
        trash: Option<&BTreeSet<SessionId>>,
        missing: &MissingSnapshots,
    ) -> Result<()> {
        let mut now = self.clone();
        now.there
            .retain(|id| !missing.in_trash.contains(id) && !missing.forgotten.contains(id));
        now.there.extend(there);
        if let Some(trash) = trash {
            now.trash.clone_from(trash);
        }
        now.trash.extend(&missing.in_trash);
        match now.there == self.noted && now.trash == self.trash {
            true => Ok(()),
            false => now.write(repo),
        }
    }

    fn write(self, repo: &Repo) -> Result<()> {
        let note = Note {
            there: self.there.into_iter().collect(),
            trash: self.trash.into_iter().collect(),
        };
        write_replacing(&repo.state().join("generations"), &cbor(&note))
    }
}

/// Notes that this machine moved generations to the trash.
pub(crate) fn note_forgotten(repo: &Repo, ids: &[SessionId]) -> Result<()> {
    let mut known = Known::read(repo)?;
    known.there.retain(|id| !ids.contains(id));
    known.trash.extend(ids);
    known.write(repo)
}

/// Accepts that generations are lost: they are listed as forgotten, so that no machine misses them any more.
pub fn accept_loss(repo: &Repo, lost: &[SessionId]) -> Result<()> {
    let last = repo.remembered();
    let forgotten = lost.iter().map(|id| match last.snapshot == Some(*id) {
        true => Forgotten {
            id: *id,
            machine: repo.machine(),
            sequence: last.sequence,
            original: None,
        },
        false => Forgotten::named(*id),
    });
    Ok(repo.store.list_forgotten(&forgotten.collect::<Vec<_>>())?)
}
