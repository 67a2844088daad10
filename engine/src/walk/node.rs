//! Directories of the walk: by name below their parent, opened when needed, only so many open at once.

use crate::fsmeta::{is_out_of_descriptors, open_ancestor, open_dir, open_linked_dir, open_root};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Weak};

/// Directories kept open for their subdirectories. With those in batches this stays far below the usual limit of 1024
/// descriptors. A directory that fell out is opened again from its nearest open ancestor.
const KEPT_OPEN: usize = 128;

/// An open directory. Ancestors of sources are open for names in them only, not for listing.
pub struct DirHandle {
    fd: OwnedFd,
}

impl AsFd for DirHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A batch's directory: open, or closed for want of descriptors and opened again when it is needed.
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
            open: Some(open.clone()),
        }
    }

    pub fn open(&mut self) -> io::Result<&Arc<DirHandle>> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.handles.open(&self.node)?,
        };
        Ok(self.open.insert(open))
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
    handle: Mutex<Weak<DirHandle>>,
}

impl Node {
    pub(super) fn new(parent: Option<Arc<Node>>, name: &[u8], way: Way) -> Arc<Node> {
        Arc::new(Node {
            parent,
            name: name.into(),
            way,
            handle: Mutex::new(Weak::new()),
        })
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
    /// `/` is listed as a source.
    list_root: bool,
}

impl Handles {
    pub(super) fn new(list_root: bool) -> Self {
        Handles {
            kept: Mutex::new(VecDeque::with_capacity(KEPT_OPEN)),
            list_root,
        }
    }

    pub(super) fn open(&self, node: &Arc<Node>) -> io::Result<Arc<DirHandle>> {
        match self.try_open(node) {
            Err(e) if is_out_of_descriptors(&e) => {
                self.kept.lock().clear();
                self.try_open(node)
            }
            other => other,
        }
    }

    fn try_open(&self, node: &Arc<Node>) -> io::Result<Arc<DirHandle>> {
        let mut closed: Vec<&Node> = Vec::new();
        let mut at: &Node = node;
        let mut handle = loop {
            if let Some(open) = at.handle.lock().upgrade() {
                break open;
            }
            match &at.parent {
                Some(parent) => {
                    closed.push(at);
                    at = parent;
                }
                None => break remember(at, self.root()?),
            }
        };
        while let Some(next) = closed.pop() {
            let fd = match next.way {
                Way::Listed => open_dir(handle.as_fd(), &next.name)?,
                Way::Linked => open_linked_dir(handle.as_fd(), &next.name)?,
                Way::Ancestor => open_ancestor(handle.as_fd(), &next.name)?,
            };
            handle = remember(next, fd);
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

    /// Keeps a directory open whose subdirectories will be opened soon.
    pub(super) fn keep(&self, handle: &Arc<DirHandle>) {
        let mut kept = self.kept.lock();
        let oldest = if kept.len() >= KEPT_OPEN {
            kept.pop_front()
        } else {
            None
        };
        kept.push_back(handle.clone());
        drop(kept);
        // Closes, outside the lock.
        drop(oldest);
    }
}

fn remember(node: &Node, fd: OwnedFd) -> Arc<DirHandle> {
    let handle = Arc::new(DirHandle { fd });
    *node.handle.lock() = Arc::downgrade(&handle);
    handle
}
