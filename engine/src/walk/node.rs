//! Directories of the walk: by name below their parent, opened when needed, only so many open at once.
//!
//! A directory stays open while its listing, its files and its subdirectories are dealt with, as long as the budget of
//! descriptors allows. Else it is closed and opened again from its nearest open ancestor, component by component and
//! without following links.

use super::grafts::{Graft, Grafts};
use crate::entry::Meta;
use crate::fsmeta::{AsFd, BorrowedFd, OwnedFd, open_ancestor, open_dir, open_linked_dir, open_root};
use chunkstore::descriptors::{self, Permit};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// Directories kept open for their subdirectories.
const KEPT_LEAST: usize = 16;
const KEPT_MOST: usize = 128;

/// An open directory. Ancestors of sources are open for names in them only, not for listing.
pub struct DirHandle {
    fd: OwnedFd,
    /// With one, it may stay open for what was found in it.
    permit: Option<Permit>,
    /// Since it was last due to be closed.
    used: AtomicBool,
    grafts: Arc<Grafts>,
}

impl DirHandle {
    /// As it is recorded of something in the directory: of a snapshot, with the device of the original.
    pub fn original(&self, meta: Meta) -> Meta {
        self.grafts.original(meta)
    }

    /// The directory that is read in the place of the one at this path, relative to `/`, if there is one.
    pub fn instead(&self, path: &[u8]) -> io::Result<Option<OwnedFd>> {
        let graft = self.grafts.at(path);
        graft.map(Graft::open).transpose()
    }
}

impl AsFd for DirHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A directory in which names are opened later: open, or opened again when it is needed.
pub struct Lent {
    handles: Arc<Handles>,
    node: Arc<Node>,
    open: Option<Arc<DirHandle>>,
}

impl Lent {
    pub(super) fn new(handles: &Arc<Handles>, node: &Arc<Node>, open: &Arc<DirHandle>) -> Self {
        Lent {
            handles: handles.clone(),
            node: node.clone(),
            open: open.permit.is_some().then(|| open.clone()),
        }
    }

    pub fn open(&self) -> io::Result<Arc<DirHandle>> {
        if let Some(open) = self.open.clone().or_else(|| self.node.if_open()) {
            return Ok(open);
        }
        let opened = self.handles.open(&self.node)?;
        // Others that were closed may be next to it.
        self.handles.keep(&opened);
        Ok(opened)
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

/// How a directory is come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// As one of the names in its parent; a link is none.
    Listed,
    /// As a source named through a link.
    Linked,
    /// As an ancestor of a source, where links are followed and nothing is listed.
    Ancestor,
}

/// A directory's place in the tree. No path is kept: in a deep tree all paths together grow with the square of depth.
pub(super) struct Node {
    /// `None` is `/`.
    parent: Option<Arc<Node>>,
    name: Box<[u8]>,
    way: Way,
    /// The directory that is read in its place.
    instead: Option<Graft>,
    handle: Mutex<Weak<DirHandle>>,
}

impl Node {
    pub(super) fn new(parent: Option<Arc<Node>>, name: &[u8], way: Way) -> Arc<Node> {
        Arc::new(Node {
            parent,
            name: name.into(),
            way,
            instead: None,
            handle: Mutex::new(Weak::new()),
        })
    }

    fn instead(parent: Arc<Node>, name: &[u8], way: Way, graft: Graft) -> Arc<Node> {
        Arc::new(Node {
            parent: Some(parent),
            name: name.into(),
            way,
            instead: Some(graft),
            handle: Mutex::new(Weak::new()),
        })
    }

    fn if_open(&self) -> Option<Arc<DirHandle>> {
        let open = self.handle.lock().upgrade();
        open.inspect(|open| open.used.store(true, Relaxed))
    }

    /// Relative to `/`.
    pub(super) fn path(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut node = self;
        while let Some(parent) = &node.parent {
            names.push(&*node.name);
            node = parent;
        }
        names.reverse();
        names.join(&b'/')
    }
}

impl Drop for Node {
    /// A chain of last references must not recurse: a deep tree would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(node) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.parent.take());
        }
    }
}

/// Opens nodes, most recently used ones from memory.
pub(super) struct Handles {
    kept: Mutex<VecDeque<Arc<DirHandle>>>,
    /// For so many.
    room: Permit,
    /// `/` is listed as a source.
    list_root: bool,
    grafts: Arc<Grafts>,
}

impl Handles {
    pub(super) fn new(list_root: bool, grafts: Arc<Grafts>) -> Self {
        Handles {
            kept: Mutex::default(),
            room: descriptors::hold(KEPT_LEAST, KEPT_MOST),
            list_root,
            grafts,
        }
    }

    /// The place of a directory in another; `path` is relative to `/`.
    pub(super) fn node(&self, parent: &Arc<Node>, name: &[u8], way: Way, path: &[u8]) -> Arc<Node> {
        match self.grafts.at(path) {
            Some(graft) => Node::instead(parent.clone(), name, way, graft.clone()),
            None => Node::new(Some(parent.clone()), name, way),
        }
    }

    pub(super) fn grafts(&self) -> &Grafts {
        &self.grafts
    }

    pub(super) fn open(&self, node: &Arc<Node>) -> io::Result<Arc<DirHandle>> {
        descriptors::patiently(|| {
            let opened = self.try_open(node);
            if opened.as_ref().is_err_and(descriptors::are_exhausted) {
                self.kept.lock().clear();
            }
            opened
        })
    }

    fn try_open(&self, node: &Arc<Node>) -> io::Result<Arc<DirHandle>> {
        let mut closed: Vec<&Node> = Vec::new();
        let mut at: &Node = node;
        let mut handle = loop {
            if let Some(open) = at.if_open() {
                break open;
            }
            match (&at.instead, &at.parent) {
                (Some(graft), _) => break self.remember(at, graft.open()?),
                (None, Some(parent)) => {
                    closed.push(at);
                    at = parent;
                }
                (None, None) => break self.remember(at, self.root()?),
            }
        };
        while let Some(next) = closed.pop() {
            let fd = match next.way {
                Way::Listed => open_dir(handle.as_fd(), &next.name)?,
                Way::Linked => open_linked_dir(handle.as_fd(), &next.name)?,
                Way::Ancestor => open_ancestor(handle.as_fd(), &next.name)?,
            };
            handle = self.remember(next, fd);
            if !closed.is_empty() {
                self.keep(&handle);
            }
        }
        Ok(handle)
    }

    fn root(&self) -> io::Result<OwnedFd> {
        let root = open_root()?;
        if self.list_root {
            return open_dir(root.as_fd(), b".");
        }
        Ok(root)
    }

    /// Keeps a directory open whose subdirectories or files will be opened soon. What was used since its turn came last
    /// has another turn.
    pub(super) fn keep(&self, handle: &Arc<DirHandle>) {
        let mut kept = self.kept.lock();
        let mut oldest = None;
        if kept.len() >= self.room.count() {
            for _ in 0..kept.len() {
                match kept.front() {
                    Some(first) if first.used.swap(false, Relaxed) => kept.rotate_left(1),
                    _ => break,
                }
            }
            oldest = kept.pop_front();
        }
        kept.push_back(handle.clone());
        drop(kept);
        // Closes, outside the lock.
        drop(oldest);
    }

    fn remember(&self, node: &Node, fd: OwnedFd) -> Arc<DirHandle> {
        let handle = Arc::new(DirHandle {
            fd,
            permit: descriptors::try_keep(),
            used: AtomicBool::new(false),
            grafts: self.grafts.clone(),
        });
        *node.handle.lock() = Arc::downgrade(&handle);
        handle
    }
}
