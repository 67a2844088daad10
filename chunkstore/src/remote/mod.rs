//! The one plug-point for storage: write-once objects by name. Backends live beside this file.
//!
//! Contract every backend keeps (I-2, I-10): a final name appears only with complete bytes; publishing never
//! replaces an existing name, and of several racing publishers exactly one wins; what `barrier` covered survives a
//! power cut; a listing that could not be completed is an error, never short (I-9).

#[doc(hidden)]
pub mod address;
mod link;
mod local;
mod mem;
#[doc(hidden)]
pub mod multistatus;
mod network;
mod probe;
mod quota;
mod resting;
mod several;

pub use address::shown;
pub use link::{Bandwidth, Link};
pub use local::{Local, PortableLocal};
pub use mem::Memory;
pub use probe::{Probe, probe};
pub use quota::total;
pub use resting::{Rest, resting};
pub use several::for_all;
pub(crate) use several::join_concurrent;

use crate::error::{Error, Flaw, Refusal, Result, UrlFault};
use crate::id::{IndexId, ListId, MarkId, PackId, RecordName, SessionId, SlotId, is_hex};
use bytes::Bytes;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A kind of object, which is also its folder in the repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// What a repository is, and how it was created.
    Config,
    /// A key slot.
    Key,
    /// A pack.
    Pack,
    /// An index segment.
    Index,
    /// A session that is open.
    Session,
    /// A manifest or a fence.
    Snapshot,
    /// A mark, which condemns packs.
    Mark,
    /// A forgotten manifest.
    Trash,
    /// Parity of a pack.
    Parity,
    /// What changed about a repository since it was created.
    Upgrade,
    /// A list of forgotten generations.
    Forgotten,
    /// An overview of the manifests.
    Overview,
    /// A machine's record about itself.
    Machine,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 13] = [
        Kind::Config,
        Kind::Key,
        Kind::Pack,
        Kind::Index,
        Kind::Session,
        Kind::Snapshot,
        Kind::Mark,
        Kind::Trash,
        Kind::Parity,
        Kind::Upgrade,
        Kind::Forgotten,
        Kind::Overview,
        Kind::Machine,
    ];

    /// The folder of its objects.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Config => "config",
            Kind::Key => "keys",
            Kind::Pack => "packs",
            Kind::Index => "index",
            Kind::Session => "sessions",
            Kind::Snapshot => "snapshots",
            Kind::Mark => "marks",
            Kind::Trash => "trash",
            Kind::Parity => "parity",
            Kind::Upgrade => "upgrades",
            Kind::Forgotten => "forgotten",
            Kind::Overview => "overviews",
            Kind::Machine => "machines",
        }
    }

    /// Length of the hexadecimal name below the folder; 0 for `config`, which is one object.
    pub fn name_len(self) -> usize {
        match self {
            Kind::Config => 0,
            Kind::Upgrade | Kind::Overview => 16,
            Kind::Pack | Kind::Index | Kind::Parity => 64,
            Kind::Key
            | Kind::Session
            | Kind::Snapshot
            | Kind::Mark
            | Kind::Trash
            | Kind::Forgotten
            | Kind::Machine => 32,
        }
    }
}

/// The name of one object: its kind and, but for `config`, a lower-case hexadecimal id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjectName {
    kind: Kind,
    id: String,
}

impl ObjectName {
    /// The one object of its kind.
    pub fn config() -> Self {
        ObjectName {
            kind: Kind::Config,
            id: String::new(),
        }
    }
    /// A key slot.
    pub fn key(id: SlotId) -> Self {
        ObjectName {
            kind: Kind::Key,
            id: id.to_hex(),
        }
    }
    /// A pack.
    pub fn pack(id: PackId) -> Self {
        ObjectName {
            kind: Kind::Pack,
            id: id.to_hex(),
        }
    }
    /// An index segment.
    pub fn index(id: IndexId) -> Self {
        ObjectName {
            kind: Kind::Index,
            id: id.to_hex(),
        }
    }
    /// A session.
    pub fn session(id: SessionId) -> Self {
        ObjectName {
            kind: Kind::Session,
            id: id.to_hex(),
        }
    }
    /// A session's manifest or fence.
    pub fn snapshot(id: SessionId) -> Self {
        ObjectName {
            kind: Kind::Snapshot,
            id: id.to_hex(),
        }
    }
    /// A mark.
    pub fn mark(id: MarkId) -> Self {
        ObjectName {
            kind: Kind::Mark,
            id: id.to_hex(),
        }
    }
    /// An upgrade, by its number.
    pub fn upgrade(number: u64) -> Self {
        ObjectName {
            kind: Kind::Upgrade,
            id: format!("{number:016x}"),
        }
    }
    /// An overview, by its number.
    pub fn overview(number: u64) -> Self {
        ObjectName {
            kind: Kind::Overview,
            id: format!("{number:016x}"),
        }
    }
    /// A machine's record.
    pub fn machine(name: RecordName) -> Self {
        ObjectName {
            kind: Kind::Machine,
            id: name.to_hex(),
        }
    }
    /// What belongs to the pack of the same name.
    pub fn parity(id: PackId) -> Self {
        ObjectName {
            kind: Kind::Parity,
            id: id.to_hex(),
        }
    }
    /// A list of forgotten generations.
    pub fn forgotten(id: ListId) -> Self {
        ObjectName {
            kind: Kind::Forgotten,
            id: id.to_hex(),
        }
    }
    /// A forgotten manifest, by its session.
    pub fn trash(id: SessionId) -> Self {
        ObjectName {
            kind: Kind::Trash,
            id: id.to_hex(),
        }
    }

    /// `None` unless `id` is lower-case hexadecimal of the kind's length: what else lies in the folder is not ours.
    pub fn parse(kind: Kind, id: &str) -> Option<Self> {
        let ours = id.len() == kind.name_len() && is_hex(id.as_bytes());
        ours.then(|| ObjectName {
            kind,
            id: id.to_string(),
        })
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name within its kind.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Path relative to the repository, `/`-separated.
    pub fn path(&self) -> String {
        match self.kind {
            Kind::Config => "config".to_string(),
            Kind::Pack => format!("packs/{}/{}", &self.id[..2], self.id),
            kind => format!("{}/{}", kind.folder(), self.id),
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// What publishing found under the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Published {
    /// Nothing; now it is there.
    Created,
    /// The name was taken; nothing was changed. Its bytes may differ from ours.
    Exists,
}

/// An object being written under no name yet. Dropped unpublished, it leaves nothing that counts.
pub trait Staged: Send {
    /// Appends bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Makes the bytes durable and gives them their name, unless the name is taken. The *name* is durable after
    /// the next [`Remote::barrier`].
    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published>;
}

/// Whether every session but the caller's own has published or been fenced: then nothing that was written before the
/// answer is anybody's (I-8).
pub type AllEnded<'a> = dyn FnMut() -> Result<bool> + 'a;

/// Storage of one repository. All offsets and lengths are bytes.
pub trait Remote: Send + Sync {
    /// Where this is, for messages; never holds a secret.
    fn location(&self) -> String;
    /// Begins to write an object, which has no name yet.
    fn begin(&self) -> Result<Box<dyn Staged>>;
    /// Replaces `out` by up to `len` bytes from `offset`: fewer only where the object ends.
    /// [`Error::Missing`] where there is no such object.
    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()>;
    /// `None` where there is no such object.
    fn size(&self, name: &ObjectName) -> Result<Option<u64>>;
    /// Calls `each` with every object of a kind and its size, in no order, and perhaps with some of them twice: see
    /// [`listed`]. What doesn't parse as a name is passed over.
    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()>;
    /// Deleting what is not there is no error.
    fn delete(&self, name: &ObjectName) -> Result<()>;
    /// Every publish and delete that returned before this call survives a power cut once it returns.
    fn barrier(&self) -> Result<()>;
    /// Removes unpublished writes that will never be published; returns how many. Never touches named objects.
    /// If the storage itself can't know whether a writer lives, `all_ended` is asked after they were listed.
    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64>;

    /// Puts `bytes` in the place of a damaged object, all at once, and durably. Only for what is named by the hash of
    /// its bytes, or made from what is, or that another replica has sealed under this name, so that no one can have
    /// relied on what was there (I-2, I-16).
    fn replace(&self, name: &ObjectName, _: &[u8]) -> Result<()> {
        Err(Error::Refused(Refusal::NoReplace { object: name.into() }))
    }
    /// Sets room aside for a collection on a full disk, where that makes sense and was not done before.
    fn create_reserve(&self) -> Result<()> {
        Ok(())
    }
    /// Frees the room that was set aside; false where there is none.
    fn release_reserve(&self) -> Result<bool> {
        Ok(false)
    }

    /// How many requests a caller does well to have under way at once.
    fn max_concurrency(&self) -> usize {
        1
    }

    /// Whether a request takes so long that what it brings is worth keeping, and that several had better go at once.
    fn is_high_latency(&self) -> bool {
        self.max_concurrency() > 1
    }

    /// Makes bytes durable under a name that is not taken, as [`Staged::publish`] does. They are shared, not copied, where
    /// the storage takes an object only as a whole.
    fn publish(&self, name: &ObjectName, bytes: Bytes) -> Result<Published> {
        let mut staged = self.begin()?;
        staged.write(&bytes)?;
        staged.publish(name)
    }

    /// Publishes small `bytes` and makes the name durable.
    fn put(&self, name: &ObjectName, bytes: &[u8]) -> Result<Published> {
        let mut staged = self.begin()?;
        staged.write(bytes)?;
        let published = staged.publish(name)?;
        self.barrier()?;
        Ok(published)
    }

    /// The whole object, refused above `cap` bytes (I-14).
    fn get(&self, name: &ObjectName, cap: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.read(name, 0, cap.saturating_add(1), &mut out)?;
        if out.len() > cap {
            return Err(Error::corrupt(name, Flaw::TooLarge { cap: cap as u64 }));
        }
        Ok(out)
    }
}

/// No object is this long, bytes. Any number of objects that a listing can hold has a sum that is a number.
const SIZE_MAX: u64 = 1 << 40;

/// What a storage says of a size, as a number that sums can be made of. What it cuts is of the wrong size for whoever
/// knows the right one, before and after.
pub(crate) fn bounded_size(said: u64) -> u64 {
    said.min(SIZE_MAX)
}

/// The objects of a kind with their sizes, by what `parse` makes of their ids, and in that order. Each is there once, also
/// where a storage lists it twice, as it may when a page or a folder changes while it is read.
pub fn listed<T: Ord>(
    remote: &dyn Remote,
    kind: Kind,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<(T, u64)>> {
    let mut listed = Vec::new();
    remote.list(kind, &mut |name, size| {
        listed.extend(parse(name.id()).map(|id| (id, bounded_size(size))));
        Ok(())
    })?;
    listed.sort_unstable();
    listed.dedup_by(|(id, _), (before, _)| id == before);
    Ok(listed)
}

/// The same without sizes.
pub fn ids<T: Ord>(remote: &dyn Remote, kind: Kind, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let listed = listed(remote, kind, parse)?;
    Ok(listed.into_iter().map(|(id, _)| id).collect())
}

/// The directory that a URL names; `None` for what is no directory.
pub fn local_path(url: &str) -> Option<&Path> {
    match url.strip_prefix("file:") {
        Some(path) => Some(Path::new(path.strip_prefix("//").unwrap_or(path))),
        None => (scheme(url).is_none() && !url.is_empty()).then(|| Path::new(url)),
    }
}

/// What stands before the colon of a URL; a single letter is a drive, and a slash before it makes it a path.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    (!scheme.contains('/') && scheme.len() > 1).then_some(scheme)
}

/// Opens a remote by URL: a path, `file:PATH`, or one on a network. For tests also `mem:`, a private, empty memory. It
/// obeys its quota, if the link has one for it.
pub fn open(url: &str, link: &Link) -> Result<Arc<dyn Remote>> {
    let remote = open_unlimited(url, link)?;
    Ok(match link.quotas.get(url) {
        Some(quota) => Arc::new(quota::Limited::new(remote, *quota)),
        None => remote,
    })
}

fn open_unlimited(url: &str, link: &Link) -> Result<Arc<dyn Remote>> {
    if let Some(path) = local_path(url) {
        return Ok(Arc::new(Local::new(path)));
    }
    #[cfg(feature = "simulation")]
    if url == "mem:" {
        return Ok(Arc::new(Memory::new()));
    }
    match network::Network::open(url, known_scheme(url)?, link)? {
        Some(network) => Ok(Arc::new(network)),
        None => Err(unknown(url)),
    }
}

/// Whether a URL can be opened, as far as is known without a connection.
pub fn check(url: &str) -> Result<()> {
    if local_path(url).is_some() {
        return Ok(());
    }
    match network::Network::address(url, known_scheme(url)?)? {
        Some(_) => Ok(()),
        None => Err(unknown(url)),
    }
}

fn known_scheme(url: &str) -> Result<&str> {
    scheme(url).ok_or_else(|| address::invalid(UrlFault::Empty))
}

fn unknown(url: &str) -> Error {
    let scheme = scheme(url).unwrap_or_default().to_string();
    address::invalid(UrlFault::UnknownScheme { scheme })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_opened() {
        for url in ["/a", "a b", "file:/a", "s3://b", "sftp://h/x", "rclone:a:b"] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "ftp://h/x",
            "s3:b",
            "s3://b?x=y",
            "s3://b?timeout=0",
            "rclone:x",
        ] {
            assert!(
                check(url).is_err() && open(url, &Link::default()).is_err(),
                "{url}"
            );
        }
        // A repository in memory is gone with its process: it must not be possible to back up into one.
        assert_eq!(
            open("mem:", &Link::default()).is_ok(),
            cfg!(feature = "simulation")
        );
    }
}
