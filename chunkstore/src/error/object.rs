//! What an error is about.

use crate::id::{ChunkId, PackId};
use crate::remote::ObjectName;
use crate::smallfile::SmallFile;
use std::fmt;
use std::path::{Path, PathBuf};

/// An object of the repository, or what else an error is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Object {
    /// Its name in the repository, or that of a folder there.
    Named(String),
    /// A file or directory of this machine.
    Path(PathBuf),
    Chunk(ChunkId),
    TreeChunk(ChunkId),
    /// A chunk that is just being stored.
    NewChunk(ChunkId),
    /// A small file in the bundle that a chunk holds.
    BundledFile(Box<SmallFile>),
    /// The local index, and which file of it, where the database says so.
    LocalIndex(Option<PathBuf>),
    RestoreTarget,
    /// The payload of a frame, before it is known whose it is.
    Frame,
    /// The key of a session, sealed beside what it seals.
    SealedKey,
    /// The key slots, all of them.
    KeySlots,
    Manifest,
    /// An entry of a tree.
    Entry,
}

impl Object {
    /// Its name in the repository, where it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Object::Named(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it is an object in this folder of the repository.
    pub fn is_in(&self, folder: &str) -> bool {
        let rest = self.name().and_then(|name| name.strip_prefix(folder));
        rest.is_some_and(|rest| rest.starts_with('/'))
    }

    /// The pack that it is, if it is one.
    pub fn pack(&self) -> Option<PackId> {
        let name = self.name().filter(|_| self.is_in("packs"))?;
        PackId::from_hex(name.rsplit('/').next()?)
    }

    /// On this machine, as opposed to the repository's storage.
    pub fn is_of_this_machine(&self) -> bool {
        match self {
            Object::Path(_) | Object::LocalIndex(_) | Object::RestoreTarget => true,
            // As a local repository that is just being made is named.
            Object::Named(name) => name.starts_with('/'),
            Object::Chunk(_)
            | Object::TreeChunk(_)
            | Object::NewChunk(_)
            | Object::BundledFile(..)
            | Object::Frame
            | Object::SealedKey
            | Object::KeySlots
            | Object::Manifest
            | Object::Entry => false,
        }
    }
}

/// For developers, and where an object needs a name in data.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Named(name) => f.write_str(name),
            Object::Path(path) => write!(f, "{}", path.display()),
            Object::Chunk(id) => write!(f, "chunk {id}"),
            Object::TreeChunk(id) => write!(f, "tree chunk {id}"),
            Object::NewChunk(id) => write!(f, "new chunk {id}"),
            Object::BundledFile(file) => write!(f, "file {} of chunk {}", file.hash, file.bundle),
            Object::LocalIndex(None) => f.write_str("local index"),
            Object::LocalIndex(Some(path)) => write!(f, "local index, {}", path.display()),
            Object::RestoreTarget => f.write_str("restore target"),
            Object::Frame => f.write_str("frame"),
            Object::SealedKey => f.write_str("sealed key"),
            Object::KeySlots => f.write_str("keys"),
            Object::Manifest => f.write_str("manifest"),
            Object::Entry => f.write_str("entry"),
        }
    }
}

impl From<&str> for Object {
    fn from(name: &str) -> Object {
        Object::Named(name.to_string())
    }
}

impl From<String> for Object {
    fn from(name: String) -> Object {
        Object::Named(name)
    }
}

impl From<&String> for Object {
    fn from(name: &String) -> Object {
        Object::Named(name.clone())
    }
}

impl From<ObjectName> for Object {
    fn from(name: ObjectName) -> Object {
        Object::Named(name.to_string())
    }
}

impl From<&ObjectName> for Object {
    fn from(name: &ObjectName) -> Object {
        Object::Named(name.to_string())
    }
}

impl From<&Path> for Object {
    fn from(path: &Path) -> Object {
        Object::Path(path.to_path_buf())
    }
}

impl From<&PathBuf> for Object {
    fn from(path: &PathBuf) -> Object {
        Object::Path(path.clone())
    }
}

impl From<&Object> for Object {
    fn from(object: &Object) -> Object {
        object.clone()
    }
}

impl From<&SmallFile> for Object {
    fn from(file: &SmallFile) -> Object {
        Object::BundledFile(Box::new(*file))
    }
}
