//! One writer's run as garbage collection sees it (I-1, I-8): the open session, the view read under it, and the
//! fence that ends a dead one. Also the marks and the trash, the other objects of that protocol.
//!
//! Order is everything here: the session exists before the marks are read, and the marks are read before the index.
//! docs/invariants.md has the argument.

use super::{SnapshotObject, Store};
use crate::descriptors;
use crate::error::{Error, Flaw, Invalid, Operation, Refusal, Result};
use crate::id::{IndexId, MarkId, PackId, SessionId, random};
use crate::index::Condemned;
use crate::keys::{ContentKey, SealedSessionKey};
use crate::object::{self, cap, cbor, from_cbor};
use crate::platform::{files, lock, private};
use crate::remote::{self, Kind, ObjectName, Published, join_concurrent};
use crate::seal::{SealKey, Sealed};
use crate::simulation::{self, Rule};
use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

/// Who a session belongs to: for people, and so that a machine can see that its own process is gone.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Owner {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub machine: [u8; 16],
    #[n(1)]
    pub host: String,
    #[n(2)]
    pub pid: u32,
    /// Seconds since 1970, by the owner's clock; never used for safety.
    #[n(3)]
    pub started: i64,
    /// Distinguishes the packs of this session from others ([`packs_under`]), for data and for trees; `None` if it was
    /// not recorded.
    #[n(4)]
    pub packs: Option<[u64; 2]>,
}

/// What [`Owner::packs`] is for packs under this key.
pub fn packs_under(key: &SealedSessionKey) -> u64 {
    let hash = blake3::hash(key.as_bytes());
    hash.as_bytes()
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// What a writer may refer to: the index segments that were listed, and the packs that marks condemn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Sorted.
    pub segments: Vec<IndexId>,
    pub condemned: Condemned,
}

impl View {
    /// Marks first, then the index: a mark that is gone has taken its index entries with it (I-5). Segments that this
    /// process found damaged (I-2), or could not read, are not in it.
    pub fn read(store: &Store) -> Result<View> {
        if simulation::left_out(Rule::MarksFirst) || simulation::left_out(Rule::PacksLast) {
            let segments = View::list_segments(store)?;
            let condemned = View::read_marks(store)?;
            return Ok(View { segments, condemned });
        }
        let condemned = View::read_marks(store)?;
        // What is written or deleted after this follows the rules that hold now: an upgrade costs no round trip of its
        // own.
        let listed = || View::list_segments(store);
        let (segments, known) = join_concurrent(store.remote(), listed, || store.check_upgrades());
        known?;
        Ok(View {
            segments: segments?,
            condemned,
        })
    }

    fn read_marks(store: &Store) -> Result<Condemned> {
        let marks = pending_marks(store)?;
        Ok(marks.into_iter().flat_map(|mark| mark.packs).collect())
    }

    fn list_segments(store: &Store) -> Result<Vec<IndexId>> {
        let used = |id: &str| IndexId::from_hex(id).filter(|id| !store.is_left_out(id));
        remote::ids(&*store.remote, Kind::Index, used)
    }

    /// Whether ids that were checked under `earlier` may be used under this view without checking again (I-4):
    /// every segment of then is still listed, and nothing is condemned that was not.
    pub fn extends(&self, earlier: &View) -> bool {
        self.condemned.is_subset(&earlier.condemned)
            && earlier
                .segments
                .iter()
                .all(|id| self.segments.binary_search(id).is_ok())
    }
}

/// An open session. Dropping it does not end it: it is published, or fenced by its writer or by a collection.
pub struct Session {
    pub id: SessionId,
    _alive: File,
    lock: PathBuf,
}

impl Session {
    /// Creates the session object; only then may a view be read under it.
    pub fn begin(store: &Store, owner: &Owner) -> Result<Session> {
        // Never a name that was there before: a client that still removes what it named would remove this (I-18).
        let id = SessionId(random()?);
        let taken = || Error::Refused(Refusal::NameTaken);
        let dir = store.cache().join("sessions");
        private::create_dir_all(&dir).map_err(|e| Error::local(Operation::Create, &dir, e))?;
        let path = dir.join(id.to_hex());
        let alive = lock::open(&path).map_err(|e| Error::local(Operation::Create, &path, e))?;
        if !lock::try_lock(&alive).map_err(|e| Error::local(Operation::Lock, &path, e))? {
            return Err(taken());
        }
        let bytes = seal_control(store, Sealed::Session, id.as_bytes(), &cbor(owner))?;
        let published = match simulation::left_out(Rule::Session) {
            true => Published::Created,
            false => store.remote.put(&ObjectName::session(id), &bytes)?,
        };
        match published {
            Published::Created => Ok(Session {
                id,
                _alive: alive,
                lock: path,
            }),
            Published::Exists => Err(taken()),
        }
    }

    /// Publishes the manifest under this session's name: the one act that makes a generation. [`Error::Fenced`] when
    /// a collection was first.
    pub fn publish(&self, store: &Store, manifest: &ContentKey, body: &[u8]) -> Result<[u8; 32]> {
        let bytes = object::seal(
            Sealed::Manifest,
            store.id(),
            &manifest.key,
            Some(&[manifest.sealed]),
            self.id.as_bytes(),
            body,
            4096,
        )?;
        let name = ObjectName::snapshot(self.id);
        if bytes.len() > cap::MANIFEST {
            return Err(Error::Invalid(Invalid::ManifestTooLong { bytes: bytes.len() }));
        }
        if store.remote.put(&name, &bytes)? == Published::Exists {
            // I-13: the reply to an earlier try may have been lost; equal bytes are our own success.
            let found = store.remote.get(&name, cap::MANIFEST)?;
            if found != bytes {
                store.open_snapshot_object(self.id, &found)?;
                return Err(Error::Fenced);
            }
        }
        if let Some(kept) = &store.kept {
            kept.keep_manifest(self.id, &bytes);
        }
        Ok(*blake3::hash(&bytes).as_bytes())
    }
}

impl Session {
    /// Ends a session that never tried to publish, and leaves nothing of it: no manifest of its name can be on its way,
    /// so none has to be kept out by a fence. Only for collections and repairs, which may delete (I-10).
    pub fn abandon(self, store: &Store) -> Result<()> {
        store.remote.delete(&ObjectName::session(self.id))?;
        store.remote.barrier()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A leftover lock file is harmless: it is found unlocked.
        let _ = std::fs::remove_file(&self.lock);
    }
}

/// Ends a session without a generation. False when it has published: publish and fence exclude each other by name.
pub fn fence(store: &Store, id: SessionId) -> Result<bool> {
    let bytes = seal_control(store, Sealed::Fence, id.as_bytes(), &[])?;
    match store.remote.put(&ObjectName::snapshot(id), &bytes)? {
        Published::Created => Ok(true),
        Published::Exists => match store.snapshot_object(id) {
            // Published, and forgotten since.
            Err(Error::Missing { .. }) => Ok(false),
            object => Ok(matches!(object?, SnapshotObject::Fence)),
        },
    }
}

/// Ends a session whose object is gone though it has neither published nor been fenced. Its absence proves nothing (I-9):
/// the storage may have lost it while its writer lives.
pub fn end_lost(store: &Store, id: SessionId) -> Result<()> {
    match store.remote.size(&ObjectName::trash(id))? {
        // Forgotten: its object went after the copy in the trash was there.
        Some(_) => Ok(()),
        None => fence(store, id).map(drop),
    }
}

/// Puts a fence in the place of what can't be read under a session's name, in one step where the storage can: so there
/// is no moment at which the name is free for a session that was ended by what lay there (I-8).
pub fn fence_over(store: &Store, id: SessionId) -> Result<bool> {
    let name = ObjectName::snapshot(id);
    let bytes = seal_control(store, Sealed::Fence, id.as_bytes(), &[])?;
    match store.remote.replace(&name, &bytes) {
        Ok(()) => Ok(true),
        // This storage replaces nothing.
        Err(Error::Refused(_)) => {
            store.remote.delete(&name)?;
            store.remote.barrier()?;
            fence(store, id)
        }
        Err(e) => Err(e),
    }
}

/// Who holds a session; `None` if it has been removed in the meantime.
pub fn owner(store: &Store, id: SessionId) -> Result<Option<Owner>> {
    let object = ObjectName::session(id);
    let bytes = match store.remote.get(&object, cap::CONTROL) {
        Err(Error::Missing { .. }) => return Ok(None),
        bytes => bytes?,
    };
    let object = object.to_string();
    let body = open_control(store, Sealed::Session, id.as_bytes(), &object, &bytes)?;
    from_cbor(&body)
        .map(Some)
        .ok_or_else(|| Error::corrupt(object, Flaw::Undecodable))
}

/// Whether a process of this machine still holds the session. Only ever a reason to try a fence, or not yet (I-8).
pub fn held_here(store: &Store, id: SessionId) -> bool {
    let path = store.cache().join("sessions").join(id.to_hex());
    match descriptors::patiently(|| File::open(&path)) {
        Ok(file) => !matches!(lock::try_lock(&file), Ok(true)),
        Err(_) => false,
    }
}

/// Whose sessions may be fenced, and when to try (never whether it is safe, I-8).
#[derive(Clone, Copy, Debug)]
pub struct FencePolicy {
    pub machine: [u8; 16],
    /// A session that this machine first saw longer ago than this is fenced.
    pub stale: Duration,
    /// Fence nothing: only report who would stay open.
    pub dry_run: bool,
}

/// Whether a session is one of this machine's that its process has left; `None` where it has ended.
pub(crate) fn is_left(store: &Store, id: SessionId, patience: &FencePolicy) -> Result<Option<bool>> {
    match owner(store, id) {
        Ok(None) if patience.dry_run => Ok(None),
        Ok(None) => end_lost(store, id).map(|()| None),
        Ok(Some(owner)) => Ok(Some(owner.machine == patience.machine && !held_here(store, id))),
        Err(e) => match store.judge(e) {
            // Its owner is unknown: it has the time that any other machine's has.
            e if e.is_damage() || e.is_unreadable() => Ok(Some(false)),
            e => Err(e),
        },
    }
}

/// Marks that were not swept yet.
pub fn pending_marks(store: &Store) -> Result<Vec<Mark>> {
    let mut marks = Vec::new();
    for id in store.marks()? {
        match Mark::load(store, id) {
            // Its collection ended between the listing and now.
            Err(Error::Missing { .. }) => {}
            mark => marks.push(mark?),
        }
    }
    Ok(marks)
}

/// The packs that one garbage collection has condemned: readable, but not to be referenced anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub id: MarkId,
    pub packs: HashSet<PackId>,
}

impl Mark {
    pub fn publish(store: &Store, packs: &HashSet<PackId>) -> Result<Mark> {
        let id = MarkId(random()?);
        let mut sorted: Vec<&PackId> = packs.iter().collect();
        sorted.sort_unstable();
        let body: Vec<u8> = sorted.into_iter().flat_map(|pack| pack.0).collect();
        let bytes = seal_control(store, Sealed::Mark, id.as_bytes(), &body)?;
        match store.remote.put(&ObjectName::mark(id), &bytes)? {
            Published::Created => Ok(Mark {
                id,
                packs: packs.clone(),
            }),
            Published::Exists => Err(Error::Refused(Refusal::NameTaken)),
        }
    }

    pub fn load(store: &Store, id: MarkId) -> Result<Mark> {
        let bytes = store.remote.get(&ObjectName::mark(id), cap::MARK)?;
        let object = format!("marks/{id}");
        let body = open_control(store, Sealed::Mark, id.as_bytes(), &object, &bytes)?;
        if body.len() % PackId::LEN != 0 {
            return Err(Error::corrupt(object, Flaw::Undecodable));
        }
        Ok(Mark {
            id,
            packs: body
                .chunks_exact(PackId::LEN)
                .filter_map(PackId::from_slice)
                .collect(),
        })
    }
}

/// Stores a manifest's bytes in the trash with the time of forgetting. Done already: nothing changes.
pub(crate) fn put_trash(store: &Store, id: SessionId, manifest: &[u8], now: i64) -> Result<()> {
    let body = [&now.to_le_bytes(), manifest].concat();
    let bytes = seal_control(store, Sealed::Trash, id.as_bytes(), &body)?;
    let (Published::Created | Published::Exists) = store.remote.put(&ObjectName::trash(id), &bytes)?;
    Ok(())
}

/// When this machine first saw a manifest in the trash, by its own clock; from `now` on, if it has not before. The time in
/// the trash is the forgetter's, whose clock may be wrong, so it never shortens the grace. A note that was lost only
/// makes it longer.
pub fn trashed_since(store: &Store, id: SessionId, now: i64) -> i64 {
    let path = store.cache().join("trash").join(id.to_hex());
    let noted = std::fs::read(&path).ok();
    if let Some(seen) = noted.and_then(|bytes| Some(i64::from_le_bytes(bytes.try_into().ok()?))) {
        return seen;
    }
    // One that can't be written counts as lost: what else needs the cache reports why.
    let _ = files::write_hint(&path, &now.to_le_bytes());
    now
}

/// A manifest left the trash.
pub(crate) fn forget_trashed(store: &Store, id: SessionId) {
    // A note without its object is a few bytes in a cache.
    let _ = std::fs::remove_file(store.cache().join("trash").join(id.to_hex()));
}

pub(crate) fn get_trash(store: &Store, id: SessionId) -> Result<(Vec<u8>, i64)> {
    let bytes = store.remote.get(&ObjectName::trash(id), cap::TRASH)?;
    let object = format!("trash/{id}");
    let body = open_control(store, Sealed::Trash, id.as_bytes(), &object, &bytes)?;
    let (forgotten, manifest) = body
        .split_first_chunk()
        .ok_or_else(|| Error::corrupt(&object, Flaw::Truncated))?;
    Ok((manifest.to_vec(), i64::from_le_bytes(*forgotten)))
}

/// Seals a control object (session, fence, mark, trash) under its own name.
pub(crate) fn seal_control(store: &Store, what: Sealed, name: &[u8], body: &[u8]) -> Result<Vec<u8>> {
    object::seal(what, store.id(), control_key(store, what), None, name, body, 1024)
}

fn open_control(store: &Store, what: Sealed, name: &[u8], object: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    object::open(what, store.id(), control_key(store, what), name, object, bytes)
}

/// Who may only add has the key of sessions and fences, and none of what condemns and removes.
fn control_key(store: &Store, what: Sealed) -> &SealKey {
    match what {
        Sealed::Mark | Sealed::Trash => &store.keys.control.removals,
        _ => &store.keys.control.sessions,
    }
}
