//! All snapshots as one tree of directories: names, entries and bytes by numbers of inodes, for whoever shows it as a file
//! system. A snapshot never changes, so every answer about what is in one holds for as long as the tree is shown. The
//! directories above them change when snapshots come and go.

use super::file::OpenFile;
use super::layout::{LayoutEntry, ViewLayout};
use super::{Seen, View};
use crate::entry::{Content, Entry, Kind, Meta, Time, join};
use crate::error::Error;
use crate::facts::SnapshotInfo;
use crate::fsmeta::Blank;
use crate::problem::{Damage, Problem, ProblemKind, RestoreProblem, Unread};
use crate::repo::Repo;
use chunkstore::SessionId;
use jiff::Timestamp;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// Inodes: from 1 on directories above snapshots, then links among them; with a snapshot's number in the upper bits what
/// is in it, by its number there.
const BITS: u32 = 40;
/// The root of a snapshot.
const ROOT: u64 = (1 << BITS) - 1;
const LINKS: u64 = 1 << (BITS - 1);

/// The top of the tree.
pub const TOP: u64 = 1;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// Nothing has this name, or this attribute.
    Absent,
    NotADirectory,
    /// It has no bytes to be read.
    NotAFile,
    /// The number is of nothing.
    Unknown,
    /// It can't be read; the problem is told.
    Failed,
}

pub type Answer<T> = std::result::Result<T, NoAnswer>;

/// Something in the tree, by its number.
#[derive(Clone, Debug)]
pub struct ViewNode {
    pub inode: u64,
    pub entry: Entry,
}

/// Looks for other snapshots whenever somebody looks into a directory above them: all that there are, oldest first, if
/// there are others than before. It decides how often it really looks.
pub type Look = dyn Fn() -> Option<Vec<SnapshotInfo>> + Send + Sync;

pub struct SnapshotTree {
    view: View,
    above: RwLock<AboveSnapshots>,
    look: Box<Look>,
    owner: (u32, u32),
    tell: Box<dyn Fn(Problem) + Send + Sync>,
}

/// What is above the snapshots.
#[derive(Default)]
struct AboveSnapshots {
    layout: ViewLayout,
    /// By number; those that are gone stay, for who has them open.
    snapshots: Vec<SnapshotInfo>,
    /// When the newest was made.
    newest: Option<Timestamp>,
}

impl AboveSnapshots {
    /// `listed` oldest first.
    fn renew(&mut self, listed: &[SnapshotInfo]) {
        let mut known: HashMap<SessionId, usize> = HashMap::new();
        known.extend(self.snapshots.iter().enumerate().map(|(n, facts)| (facts.id, n)));
        let mut numbers = Vec::with_capacity(listed.len());
        for facts in listed {
            let number = *known.entry(facts.id).or_insert(self.snapshots.len());
            match self.snapshots.get_mut(number) {
                Some(before) => *before = facts.clone(),
                None => self.snapshots.push(facts.clone()),
            }
            numbers.push(number);
        }
        self.layout = self.layout.renewed(listed, &numbers);
        self.newest = listed.last().map(|facts| facts.time);
    }
}

/// What an inode is.
enum Inode {
    Above(usize),
    Link(usize),
    Root(usize),
    Inside(usize, Box<Seen>),
}

impl Inode {
    /// Its path in the snapshot.
    fn path(&self) -> Vec<u8> {
        match self {
            Inode::Inside(_, seen) => join(&seen.dir, &seen.entry.name),
            Inode::Above(_) | Inode::Link(_) | Inode::Root(_) => Vec::new(),
        }
    }
}

fn inode(snapshot: usize, number: u64) -> u64 {
    (snapshot as u64 + 1) << BITS | number
}

impl SnapshotTree {
    /// `snapshots` oldest first. What no snapshot holds belongs to `owner`, user and group. `tell` hears of what can't be
    /// read.
    pub fn new(
        repo: Arc<Repo>,
        snapshots: &[SnapshotInfo],
        owner: (u32, u32),
        look: Box<Look>,
        tell: Box<dyn Fn(Problem) + Send + Sync>,
    ) -> SnapshotTree {
        let mut above = AboveSnapshots::default();
        above.renew(snapshots);
        SnapshotTree {
            view: View::new(repo),
            above: RwLock::new(above),
            look,
            owner,
            tell,
        }
    }

    /// Whether a number is of a directory or link above the snapshots, which may change.
    pub fn may_change(number: u64) -> bool {
        number >> BITS == 0
    }

    /// Looks for other snapshots.
    fn refresh(&self) {
        if let Some(listed) = (self.look)() {
            self.above.write().renew(&listed);
        }
    }

    pub fn node(&self, number: u64) -> Answer<ViewNode> {
        let inode = self.inode(number)?;
        Ok(self.shown(&self.above.read(), inode))
    }

    /// What `name` leads to in a directory.
    pub fn lookup(&self, parent: u64, name: &[u8]) -> Answer<ViewNode> {
        let inode = self.inode(parent)?;
        let (snapshot, path) = match &inode {
            Inode::Above(at) => {
                self.refresh();
                let above = self.above.read();
                let found = above.layout.dirs.get(*at).and_then(|dir| dir.get(name));
                let found = found.map(|entry| self.named(&above, entry, name));
                return found.ok_or(NoAnswer::Absent);
            }
            Inode::Link(_) => return Err(NoAnswer::NotADirectory),
            Inode::Root(snapshot) | Inode::Inside(snapshot, _) => (*snapshot, inode.path()),
        };
        let found = self.view.lookup(self.id(snapshot)?, &path, name);
        let found = found.map_err(|e| self.failed(&join(&path, name), e))?;
        found
            .map(|seen| self.shown(&self.above.read(), Inode::Inside(snapshot, Box::new(seen))))
            .ok_or(NoAnswer::Absent)
    }

    /// Calls `each` with what is in a directory and with where its successor is, from `place` on (0: the beginning), until
    /// it says that this is enough.
    pub fn list(
        &self,
        number: u64,
        place: u64,
        each: &mut dyn FnMut(u64, u64, &Entry) -> bool,
    ) -> Answer<()> {
        let directory = self.inode(number)?;
        let snapshot = match &directory {
            Inode::Above(at) => {
                if place == 0 {
                    self.refresh();
                }
                let above = self.above.read();
                let names = above.layout.dirs.get(*at).into_iter().flatten();
                let skip = usize::try_from(place).unwrap_or(usize::MAX);
                for (n, (name, entry)) in names.enumerate().skip(skip) {
                    let node = self.named(&above, entry, name);
                    if !each(n as u64 + 1, node.inode, &node.entry) {
                        break;
                    }
                }
                return Ok(());
            }
            Inode::Inside(_, seen) if seen.entry.kind != Kind::Dir => return Err(NoAnswer::NotADirectory),
            Inode::Link(_) => return Err(NoAnswer::NotADirectory),
            Inode::Root(snapshot) | Inode::Inside(snapshot, _) => *snapshot,
        };
        let path = directory.path();
        let listed = self
            .view
            .list(self.id(snapshot)?, &path, place, &mut |number, entry| {
                each(number + 1, inode(snapshot, number), entry)
            });
        listed.map_err(|e| self.failed(&path, e))
    }

    /// Whether a file can be read. One that the snapshot does not hold must not look like an empty one: it may be recorded
    /// without a size, and is then never read.
    pub fn open(&self, number: u64) -> Answer<()> {
        self.file(number).map(drop)
    }

    /// Up to `len` bytes of a file from `offset` on.
    pub fn read(&self, number: u64, offset: u64, len: usize) -> Answer<Vec<u8>> {
        let file = self.file(number)?;
        let read = self.view.read(&file, offset, len);
        read.map_err(|e| self.failed(&file.path(), e))
    }

    fn file(&self, number: u64) -> Answer<Arc<OpenFile>> {
        let (above, within) = (number >> BITS, number & ROOT);
        let snapshot = above.checked_sub(1).filter(|_| within != ROOT);
        let id = self.id(snapshot.ok_or(NoAnswer::NotAFile)? as usize)?;
        let file = self.view.open(id, within).map_err(|e| self.failed(b"", e))?;
        let file = file.ok_or(NoAnswer::NotAFile)?;
        if !file.is_saved() {
            let path = [b"/", &file.path()[..]].concat();
            let what = ProblemKind::Restore(RestoreProblem::NotInSnapshot);
            (self.tell)(Problem { path, what });
            return Err(NoAnswer::Failed);
        }
        Ok(file)
    }

    fn id(&self, snapshot: usize) -> Answer<SessionId> {
        let above = self.above.read();
        let facts = above.snapshots.get(snapshot);
        facts.map(|facts| facts.id).ok_or(NoAnswer::Unknown)
    }

    fn failed(&self, path: &[u8], error: Error) -> NoAnswer {
        let path = [b"/", path].concat();
        match error {
            Error::Store(e) if e.is_damage() => {
                let what = ProblemKind::Damage(Damage::Needed(e));
                (self.tell)(Problem { path, what });
            }
            Error::Store(e) => {
                let what = ProblemKind::Unreadable(Unread::Needed(e));
                (self.tell)(Problem { path, what });
            }
            // The end of the run, which is told as that.
            _ => {}
        }
        NoAnswer::Failed
    }

    fn inode(&self, number: u64) -> Answer<Inode> {
        let (above, within) = (number >> BITS, number & ROOT);
        let Some(snapshot) = above.checked_sub(1) else {
            let at = within.checked_sub(1).ok_or(NoAnswer::Unknown)?;
            return Ok(match at.checked_sub(LINKS) {
                Some(link) => Inode::Link(link as usize),
                None => Inode::Above(at as usize),
            });
        };
        let snapshot = snapshot as usize;
        if within == ROOT {
            return Ok(Inode::Root(snapshot));
        }
        let id = self.id(snapshot)?;
        let seen = self.view.entry(id, within).map_err(|e| self.failed(b"", e))?;
        seen.map(|seen| Inode::Inside(snapshot, Box::new(seen)))
            .ok_or(NoAnswer::Unknown)
    }

    fn named(&self, above: &AboveSnapshots, entry: &LayoutEntry, name: &[u8]) -> ViewNode {
        let inode = match entry {
            LayoutEntry::Dir(at) => Inode::Above(*at),
            LayoutEntry::Snapshot(at) => Inode::Root(*at),
            LayoutEntry::Link(at) => Inode::Link(*at),
        };
        let mut node = self.shown(above, inode);
        node.entry.name = name.to_vec();
        node
    }

    fn shown(&self, above: &AboveSnapshots, of: Inode) -> ViewNode {
        let newest = above.newest;
        match of {
            Inode::Above(at) => ViewNode {
                inode: at as u64 + 1,
                entry: self.made(Kind::Dir, newest),
            },
            Inode::Link(at) => ViewNode {
                inode: at as u64 + 1 + LINKS,
                entry: self.made(
                    Kind::Symlink {
                        target: above.layout.target(at).cloned().unwrap_or_default(),
                    },
                    newest,
                ),
            },
            Inode::Root(snapshot) => ViewNode {
                inode: inode(snapshot, ROOT),
                entry: self.made(Kind::Dir, above.snapshots.get(snapshot).map(|facts| facts.time)),
            },
            Inode::Inside(snapshot, seen) => ViewNode {
                inode: inode(snapshot, seen.number),
                entry: seen.entry,
            },
        }
    }

    /// Of what no snapshot holds.
    fn made(&self, kind: Kind, at: Option<Timestamp>) -> Entry {
        let time = at.map_or(Time::default(), |at| {
            let second = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
            Time {
                secs: second,
                nanos: at.subsec_nanosecond().rem_euclid(1_000_000_000).unsigned_abs(),
            }
        });
        Entry {
            name: Vec::new(),
            kind,
            meta: Meta {
                mode: 0o555,
                uid: self.owner.0,
                gid: self.owner.1,
                mtime: time,
                ctime: time,
                nlink: 2,
                ..Blank::default().meta()
            },
            content: Content::None,
            trouble: None,
        }
    }
}
