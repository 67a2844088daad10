//! What can be wrong with a piece of a tree.

use chunkstore::ChunkId;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    #[error("{0}")]
    Damaged(&'static str),
    #[error("needs {0}, which this version does not know")]
    Unknown(String),
}

impl CodecError {
    /// The same, said of the piece `id`.
    pub fn of(self, id: &ChunkId) -> crate::Error {
        match self {
            CodecError::Damaged(what) => chunkstore::Error::corrupt(format!("tree chunk {id}"), what).into(),
            CodecError::Unknown(feature) => chunkstore::Error::NewerFormat { feature }.into(),
        }
    }

    /// The same, said of an entry that was to be stored.
    pub fn of_entry(self, dir: &[u8], name: &[u8]) -> crate::Error {
        let path = crate::entry::join(dir, name);
        chunkstore::Error::Invalid {
            what: "entry",
            why: format!("{}: {self}", String::from_utf8_lossy(&path)),
        }
        .into()
    }
}

pub(super) fn damaged<T>(what: &'static str) -> Result<T, CodecError> {
    Err(CodecError::Damaged(what))
}
