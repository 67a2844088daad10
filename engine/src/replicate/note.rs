//! What this machine last saw of a replica: shown if it can't be asked. Kept by its location, since the rest of what is
//! kept of it goes by an id that only the replica knows. Losing a note harms nothing; without one, nothing can be done
//! in the place of a replica that can't be reached.

use super::debts;
use crate::error::Result;
use crate::repo::{Repo, write_replacing};
use crate::run::LocalDirs;
use chunkstore::object::{cbor, from_cbor};
use minicbor::{Decode, Encode};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Noted {
    /// Generations that it was behind by.
    #[n(0)]
    pub behind: u64,
    /// When it was last reached, seconds since 1970.
    #[n(1)]
    pub reached: i64,
}

fn path(dirs: &LocalDirs, location: &str) -> PathBuf {
    let name = &blake3::hash(location.as_bytes()).to_hex()[..32];
    dirs.state.join("remotes").join(name)
}

/// Nothing where it was never reached from here.
pub fn noted(dirs: &LocalDirs, location: &str) -> Option<Noted> {
    from_cbor(&std::fs::read(path(dirs, location)).ok()?)
}

pub fn note(dirs: &LocalDirs, location: &str, noted: &Noted) -> Result<()> {
    write_replacing(&path(dirs, location), &cbor(noted))
}

/// Which replica of which repository was at a location when it was last reached.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NotedPlace {
    #[n(0)]
    pub repository: String,
    /// The name of its folders on this machine.
    #[n(1)]
    pub folder: String,
}

impl NotedPlace {
    fn of(repo: &Repo) -> NotedPlace {
        NotedPlace {
            repository: repo.store.id().to_hex(),
            folder: repo.store.folder(),
        }
    }

    /// Whether this is a replica of the repository that was there.
    pub fn is_replica(&self, repo: &Repo) -> bool {
        self.repository == repo.store.id().to_hex()
    }
}

fn place_path(dirs: &LocalDirs, location: &str) -> PathBuf {
    path(dirs, location).with_extension("place")
}

/// Nothing where it was never reached from here.
pub fn noted_place(dirs: &LocalDirs, location: &str) -> Option<NotedPlace> {
    from_cbor(&std::fs::read(place_path(dirs, location)).ok()?)
}

/// Notes what was found at a location.
pub fn note_place(repo: &Repo, location: &str) -> Result<()> {
    let (dirs, place) = (&repo.run().dirs, NotedPlace::of(repo));
    match noted_place(dirs, location) == Some(place.clone()) {
        true => Ok(()),
        false => write_replacing(&place_path(dirs, location), &cbor(&place)),
    }
}

/// Notes how the destination stands that a backup was made at.
pub fn note_leader(repo: &Repo, location: &str) -> Result<()> {
    let (behind, reached) = (debts::count(repo), repo.run().now_secs());
    note(&repo.run().dirs, location, &Noted { behind, reached })
}
