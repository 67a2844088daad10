//! The chain of manifests that this machine makes (I-17): what it published last at a replica, and the numbers it has given
//! at all of them. Each replica has a chain of its own, since manifests are published anew where they are brought to; but
//! no number is given twice, whichever of them a backup is made at.

use super::{Repo, write_replacing};
use crate::error::{Error, Result};
use crate::manifest::Remembered;
use crate::platform::{lock, private};
use chunkstore::error::Operation;
use chunkstore::object::{cbor, from_cbor};
use std::fs::File;
use std::io;
use std::path::PathBuf;

impl Repo {
    /// Nothing remembered, or not readable: the defaults, which only cost time.
    pub fn remembered(&self) -> Remembered {
        std::fs::read(self.state.join("last"))
            .ok()
            .and_then(|bytes| from_cbor(&bytes))
            .unwrap_or_default()
    }

    pub fn remember(&self, last: &Remembered) -> Result<()> {
        write_replacing(&self.state.join("last"), &cbor(last))?;
        match last.sequence > self.last_number() {
            true => write_replacing(&self.number_file(), &last.sequence.to_le_bytes()),
            false => Ok(()),
        }
    }

    /// The highest number that this machine has given to a manifest at any replica, as far as it remembers.
    pub fn last_number(&self) -> u64 {
        let noted = std::fs::read(self.number_file()).ok();
        let noted = noted.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        noted.unwrap_or(0)
    }

    fn number_file(&self) -> PathBuf {
        self.family.join("number")
    }

    /// Waits until no other process of this machine publishes, at any replica: the holder of this may number a
    /// manifest and name the one before it (I-17).
    pub(crate) fn turn(&self) -> Result<File> {
        let path = self.family.join("last.lock");
        let failed = |operation, source: io::Error| Error::io(operation, path.clone(), source);
        private::create_dir_all(&self.family).map_err(|e| failed(Operation::CreateFolder, e))?;
        let file = lock::open(&path).map_err(|e| failed(Operation::Open, e))?;
        lock::lock(&file).map_err(|e| failed(Operation::Lock, e))?;
        Ok(file)
    }
}
