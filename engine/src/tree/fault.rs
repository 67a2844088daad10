//! What can be wrong with a piece of a tree.

use chunkstore::ChunkId;
use chunkstore::error::{Feature, Flaw, Invalid, Object, TreeFeature};
pub(super) use chunkstore::error::{TreeFault, TreePart};

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    #[error("{0:?}: {1:?}")]
    Damaged(TreePart, TreeFault),
    /// A later version wrote it (I-15).
    #[error("newer: {0:?}")]
    Newer(Feature),
}

impl CodecError {
    /// The same, about an object.
    pub fn of_object(self, object: impl Into<Object>) -> chunkstore::Error {
        match self {
            CodecError::Damaged(part, fault) => chunkstore::Error::corrupt(object, Flaw::Tree(part, fault)),
            CodecError::Newer(feature) => chunkstore::Error::NewerFormat(feature),
        }
    }

    /// The same, about the piece `id`.
    pub fn of(self, id: &ChunkId) -> crate::Error {
        self.of_object(Object::TreeChunk(*id)).into()
    }

    /// The same, about an entry that was to be stored.
    pub fn of_entry(self, dir: &[u8], name: &[u8]) -> crate::Error {
        let path = Some(crate::entry::join(dir, name));
        self.of_stored(path)
    }

    /// The same, about something that was to be stored.
    pub(super) fn of_stored(self, path: Option<Vec<u8>>) -> crate::Error {
        match self {
            CodecError::Damaged(part, fault) => {
                chunkstore::Error::Invalid(Invalid::Tree { path, part, fault }).into()
            }
            CodecError::Newer(feature) => chunkstore::Error::NewerFormat(feature).into(),
        }
    }
}

pub(super) fn damaged<T>(part: TreePart, fault: TreeFault) -> Result<T, CodecError> {
    Err(CodecError::Damaged(part, fault))
}

/// What a later version has defined.
pub(super) fn newer(feature: TreeFeature) -> CodecError {
    CodecError::Newer(Feature::Tree(feature))
}
