//! A generation's head object: who, when, what, and the root of its tree. CBOR with numbered fields, so that a later
//! version can add one; bytes are sealed and published by `chunkstore`.

mod listing;

pub use listing::{Listed, Snapshot, load, problem};
pub(crate) use listing::{Outlines, list, read_all};

use crate::entry::Time;
use crate::error::{Error, Result};
use crate::facts::{Dated, Made, SnapshotInfo};
use crate::order;
use crate::tree::Root;
use chunkstore::error::{Flaw, Object};
use chunkstore::object::{Tail, cbor, from_cbor};
use chunkstore::remote::ObjectName;
use chunkstore::session::View;
use chunkstore::{IndexId, SessionId};
use jiff::Timestamp;
use minicbor::{Decode, Encode};

/// What a backup found and did. Counters end in their unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, serde::Serialize)]
pub struct Summary {
    /// Files that the parent does not have.
    #[n(0)]
    pub files_new: u64,
    /// Files that changed since the parent.
    #[n(1)]
    pub files_changed: u64,
    /// Files as in the parent.
    #[n(2)]
    pub files_unmodified: u64,
    /// Directories that the parent does not have.
    #[n(3)]
    pub dirs_new: u64,
    /// Directories that changed since the parent.
    #[n(4)]
    pub dirs_changed: u64,
    /// Directories as in the parent.
    #[n(5)]
    pub dirs_unmodified: u64,
    /// New data chunks.
    #[n(6)]
    pub data_blobs: u64,
    /// New tree chunks.
    #[n(7)]
    pub tree_blobs: u64,
    /// Plaintext bytes of new chunks.
    #[n(8)]
    pub data_added: u64,
    /// The same as stored.
    #[n(9)]
    pub data_added_packed: u64,
    /// Files that were backed up.
    #[n(10)]
    pub total_files_processed: u64,
    /// Their size in bytes.
    #[n(11)]
    pub total_bytes_processed: u64,
    /// Paths that are not what the source held.
    #[n(12)]
    pub errors: u64,
}

/// What defines a generation: who, when, what, and the root of its tree.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Manifest {
    /// The name of the machine.
    #[n(0)]
    pub host: String,
    /// The name of the user.
    #[n(1)]
    pub user: String,
    /// Sources as given, made absolute; raw bytes.
    #[cbor(n(2), with = "paths")]
    pub paths: Vec<Vec<u8>>,
    /// Its tags.
    #[n(3)]
    pub tags: Vec<String>,
    /// Its description; empty if there is none.
    #[n(4)]
    pub description: String,
    /// The generation's time: when the backup started, or `--time`.
    #[n(5)]
    time_secs: i64,
    #[n(6)]
    time_nanos: u32,
    /// Start of the walk by this machine's clock: entries as young as this are read again next time.
    #[n(7)]
    walk_secs: i64,
    /// How long the backup took.
    #[n(8)]
    pub seconds_taken: u64,
    /// A checkpoint of a backup that goes on, or did not.
    #[n(9)]
    pub partial: bool,
    /// It is not removed by policies or by mistake.
    #[n(10)]
    pub protected: bool,
    /// The generation that it was compared with.
    #[n(11)]
    pub parent: Option<SessionId>,
    /// The generation that this one restates (undelete, tag): its id then.
    #[n(12)]
    pub original: Option<SessionId>,
    /// I-17: machine, its count of manifests, and the hash of its previous one.
    #[cbor(n(13), with = "minicbor::bytes")]
    pub machine: [u8; 16],
    /// The machine's count of manifests.
    #[n(14)]
    pub sequence: u64,
    /// The hash of the machine's previous manifest.
    #[cbor(n(15), with = "minicbor::bytes")]
    pub previous: [u8; 32],
    /// What the backup found and did.
    #[n(16)]
    pub summary: Summary,
    /// The program that made it, with its version.
    #[n(17)]
    pub program: String,
    /// CBOR of the [`Root`].
    #[cbor(n(18), with = "minicbor::bytes")]
    root: Vec<u8>,
    /// Directories that could not be listed, at most [`UNREADABLE_MAX`]; what was in them is not in the tree.
    #[cbor(n(19), with = "paths")]
    pub unreadable_dirs: Vec<Vec<u8>>,
    /// Directories on which a file system with something in it was mounted, at most [`MOUNTS_MAX`].
    #[cbor(n(20), with = "list", has_nil)]
    pub mounts: Vec<Mounted>,
    /// What an earlier generation held, and this one does not because it could not be found, at most [`MISSING_MAX`].
    #[cbor(n(21), with = "list", has_nil)]
    pub missing: Vec<Missing>,
    /// The operating system whose conventions its entries follow unless they name another: [`SYSTEM`].
    #[n(22)]
    pub system: u8,
    /// The set of the settings whose run made it.
    #[n(23)]
    pub set: Option<String>,
    /// What a later version wrote after the summary's counters, and after all of these: written again where this is.
    #[cbor(skip)]
    tails: [Tail; 2],
}

/// Elements of a manifest and of its summary, and which one the summary is.
const ELEMENTS: u64 = 24;
const COUNTERS: u64 = 13;
const SUMMARY: usize = 16;

/// Linux, as docs/format.md numbers operating systems.
const SYSTEM: u8 = 1;

/// Unreadable directories that a manifest names; the summary counts all.
pub const UNREADABLE_MAX: usize = 1000;
/// Mounted file systems that a manifest names.
pub const MOUNTS_MAX: usize = 1000;
/// Missing paths that a manifest names.
pub const MISSING_MAX: usize = 1000;

/// A source, or a mounted file system below or above one, that was not there to be saved.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Missing {
    /// Where it should have been, absolute.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub path: Vec<u8>,
    /// The time of the last generation that held it whole, in seconds since 1970.
    #[n(1)]
    pub last_complete: i64,
    /// What it was then.
    #[n(2)]
    pub held: Held,
}

/// A directory on which a file system was mounted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Mounted {
    /// The directory, absolute.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub path: Vec<u8>,
    /// [`Held::Directory`] where it was the one that the directory above is on, or else [`Held::Mount`].
    #[n(1)]
    pub held: Held,
}

/// What was at a path when it was whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Held {
    /// Not a directory, or an empty one.
    #[n(0)]
    Entry,
    /// A directory with something in it.
    #[n(1)]
    Directory,
    /// The same, on a file system of its own.
    #[n(2)]
    Mount,
}

/// Paths as CBOR byte strings: names need not be text.
mod paths {
    use minicbor::bytes::ByteVec;
    use minicbor::decode::{Decoder, Error as DecodeError};
    use minicbor::encode::{Encoder, Error as EncodeError, Write};

    pub fn encode<C, W: Write>(
        paths: &[Vec<u8>],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(paths.len() as u64)?;
        for path in paths {
            e.bytes(path)?;
        }
        Ok(())
    }

    pub fn decode<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<Vec<u8>>, DecodeError> {
        let list: Vec<ByteVec> = d.decode()?;
        Ok(list.into_iter().map(Vec::from).collect())
    }
}

/// Lists that older versions did not write; an empty one is not written either.
mod list {
    use minicbor::decode::{Decode, Decoder, Error as DecodeError};
    use minicbor::encode::{Encode, Encoder, Error as EncodeError, Write};

    pub fn encode<C, T: Encode<C>, W: Write>(
        list: &[T],
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.encode_with(list, context)?.ok()
    }

    pub fn decode<'b, C, T: Decode<'b, C>>(
        d: &mut Decoder<'b>,
        context: &mut C,
    ) -> Result<Vec<T>, DecodeError> {
        d.decode_with(context)
    }

    pub fn nil<T>() -> Option<Vec<T>> {
        Some(Vec::new())
    }

    pub fn is_nil<T>(list: &[T]) -> bool {
        list.is_empty()
    }
}

/// What a backup records of itself when it publishes.
pub struct Head {
    /// The name of the machine.
    pub host: String,
    /// The name of the user.
    pub user: String,
    /// The set whose run it is, or empty.
    pub set: String,
    /// The sources, absolute.
    pub paths: Vec<Vec<u8>>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its description.
    pub description: String,
    /// The time that it states.
    pub time: Timestamp,
    /// When the walk began.
    pub walk: Time,
    /// The id of the machine.
    pub machine: [u8; 16],
}

impl Manifest {
    /// A manifest with this head, tree and summary.
    #[doc(hidden)]
    pub fn new(head: &Head, root: &Root, summary: Summary) -> Self {
        Manifest {
            host: head.host.clone(),
            user: head.user.clone(),
            paths: head.paths.clone(),
            tags: head.tags.clone(),
            description: head.description.clone(),
            time_secs: head.time.as_second(),
            time_nanos: head.time.subsec_nanosecond().unsigned_abs(),
            walk_secs: head.walk.secs,
            seconds_taken: 0,
            partial: false,
            protected: false,
            parent: None,
            original: None,
            machine: head.machine,
            sequence: 0,
            previous: [0; 32],
            summary,
            program: format!("dedup {}", env!("CARGO_PKG_VERSION")),
            root: cbor(root),
            unreadable_dirs: Vec::new(),
            mounts: Vec::new(),
            missing: Vec::new(),
            system: SYSTEM,
            set: Some(head.set.clone()).filter(|set| !set.is_empty()),
            tails: Default::default(),
        }
    }

    /// Whether its paths and metadata are those of the operating system that this runs on.
    pub fn is_of_this_system(&self) -> bool {
        self.system == SYSTEM
    }

    /// The time that it states.
    pub fn time(&self) -> Timestamp {
        let whole = Timestamp::from_second(self.time_secs).unwrap_or(Timestamp::UNIX_EPOCH);
        whole
            .checked_add(jiff::SignedDuration::from_nanos(
                self.time_nanos.min(999_999_999).into(),
            ))
            .unwrap_or(whole)
    }

    /// Seconds since 1970 when the walk began.
    pub fn walk_secs(&self) -> i64 {
        self.walk_secs
    }

    /// All but the tree, for who keeps many.
    pub(crate) fn without_root(self) -> Manifest {
        Manifest {
            root: Vec::new(),
            ..self
        }
    }

    /// A name for the tree: of two generations with the same, all files are the same.
    pub fn tree(&self) -> [u8; 32] {
        *blake3::hash(&self.root).as_bytes()
    }

    /// The root of its tree.
    #[doc(hidden)]
    pub fn root(&self) -> Result<Root> {
        Root::decode(&self.root).map_err(|e| Error::Store(e.of_object(Object::Manifest)))
    }

    /// The same generation with another tree.
    #[doc(hidden)]
    pub fn set_root(&mut self, root: &Root) {
        self.root = cbor(root);
    }

    /// As it is stored, before sealing.
    #[doc(hidden)]
    pub fn encode(&self) -> Vec<u8> {
        let [counters, fields] = &self.tails;
        let mut body = cbor(self);
        if let Some(summary) = element(&body, SUMMARY) {
            let longer = counters.append_to(body[summary.clone()].to_vec(), COUNTERS);
            body.splice(summary, longer);
        }
        fields.append_to(body, ELEMENTS)
    }

    /// Reads the manifest of generation `id` from what [`Manifest::encode`] wrote.
    #[doc(hidden)]
    pub fn decode(id: SessionId, body: &[u8]) -> Result<Self> {
        let mut manifest: Manifest = from_cbor(body).ok_or_else(|| {
            Error::Store(chunkstore::Error::corrupt(
                ObjectName::snapshot(id),
                Flaw::Undecodable,
            ))
        })?;
        let counters = element(body, SUMMARY).map(|at| Tail::of(&body[at], COUNTERS));
        manifest.tails = [counters.unwrap_or_default(), Tail::of(body, ELEMENTS)];
        Ok(manifest)
    }

    /// What selection and retention need to know of it.
    pub fn facts(&self, id: SessionId) -> SnapshotInfo {
        SnapshotInfo {
            id,
            time: self.time(),
            at: self.time(),
            dated: Dated::default(),
            made: Made {
                machine: self.machine,
                sequence: self.sequence,
                started: order::at(self.walk_secs),
                ended: order::at(self.walk_secs.saturating_add_unsigned(self.seconds_taken)),
            },
            host: self.host.clone(),
            paths: self.paths.clone(),
            tags: self.tags.clone(),
            set: self.set.clone().unwrap_or_default(),
            protected: self.protected,
            partial: self.partial,
            original: self.original,
        }
    }
}

/// Where the n-th element of the array `body` stands.
fn element(body: &[u8], n: usize) -> Option<std::ops::Range<usize>> {
    let mut decoder = minicbor::Decoder::new(body);
    decoder.array().ok()??;
    for _ in 0..n {
        decoder.skip().ok()?;
    }
    let start = decoder.position();
    decoder.skip().ok()?;
    Some(start..decoder.position())
}

/// What this machine remembers of the last generation it published to a repository: I-17, and the view that lets
/// the next run trust its references (I-4). Losing it costs a look-up per chunk.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Remembered {
    /// Its place in the machine's count of manifests.
    #[n(0)]
    pub sequence: u64,
    /// The hash of its stored manifest.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// Its id.
    #[n(2)]
    pub snapshot: Option<SessionId>,
    /// The index segments of the view under which it was made.
    #[n(3)]
    pub segments: Vec<IndexId>,
    /// The fingerprint of the packs that were there, where it is known.
    #[n(4)]
    pub packs: Option<u64>,
}

impl Remembered {
    /// The view under which it was made.
    pub fn view(&self) -> View {
        View {
            segments: self.segments.clone(),
            ..View::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A later version appended a counter and a field: who restates the generation loses neither.
    #[test]
    fn what_a_later_version_appended_is_said_again() {
        let head = Head {
            set: String::new(),
            host: "h".to_string(),
            user: "u".to_string(),
            paths: vec![b"/a".to_vec()],
            tags: Vec::new(),
            description: String::new(),
            time: Timestamp::UNIX_EPOCH,
            walk: Time::default(),
            machine: [1; 16],
        };
        let root = Root::new(crate::tree::Segments::Inline(Vec::new()));
        let mut newer = Manifest::new(&head, &root, Summary::default());
        newer.tails = [
            Tail::of(&cbor(&([0u8; 13].as_slice(), 14u8)), 1),
            Tail::of(&cbor(&(0u8, "later")), 1),
        ];
        let body = newer.encode();
        let mut read = Manifest::decode(SessionId([1; 16]), &body).unwrap();
        assert_eq!(read, newer);
        assert_eq!(read.encode(), body);
        read.tags.push("tag".to_string());
        let again = Manifest::decode(SessionId([1; 16]), &read.encode()).unwrap();
        assert_eq!((&again.tails, &again.tags), (&newer.tails, &read.tags));
        let mut decoder = minicbor::Decoder::new(&body);
        assert_eq!(decoder.array().unwrap(), Some(ELEMENTS + 1));
    }
}
