//! Room on disk for the packs that one destination has not taken yet: one file of a fixed number of slots. It holds
//! sealed bytes only. Its name is removed as soon as it is open, so it is gone with the process, however that ends.

use crate::dbdir::ScratchDir;
use crate::id::PackId;
use bytes::Bytes;
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes on disk at most for each destination.
pub const SPOOL_BYTES: u64 = 1 << 30;

/// Where a pack lies.
pub(super) struct SpooledPack {
    number: u64,
    len: usize,
}

pub(super) struct Spool {
    cache: PathBuf,
    slot_len: u64,
    slots: u64,
    state: Mutex<SpoolState>,
}

#[derive(Default)]
struct SpoolState {
    /// Made when the first pack comes: most destinations keep up.
    file: Option<Arc<Mutex<File>>>,
    /// Slots that were used and are free again.
    free: Vec<u64>,
    used: u64,
    /// The disk did not take a pack: from then on nothing is written.
    failed: bool,
}

impl Spool {
    pub fn new(cache: &Path, pack_size: u32, bytes: u64) -> Spool {
        // A pack may be padded beyond its size.
        let slot_len = u64::from(pack_size) + u64::from(pack_size / 16);
        Spool {
            cache: cache.to_path_buf(),
            slot_len,
            slots: bytes / slot_len.max(1),
            state: Mutex::default(),
        }
    }

    /// `None` where there is no room.
    pub fn put(&self, bytes: &Bytes) -> Option<SpooledPack> {
        let (file, number) = self.reserve(bytes.len() as u64)?;
        let slot = SpooledPack {
            number,
            len: bytes.len(),
        };
        if write_at(&file, number * self.slot_len, bytes).is_err() {
            self.state.lock().failed = true;
            self.free(slot);
            return None;
        }
        Some(slot)
    }

    fn reserve(&self, len: u64) -> Option<(Arc<Mutex<File>>, u64)> {
        let mut state = self.state.lock();
        if state.failed || len > self.slot_len {
            return None;
        }
        let number = match state.free.pop() {
            Some(number) => number,
            None if state.used < self.slots => {
                state.used += 1;
                state.used - 1
            }
            None => return None,
        };
        let file = match &state.file {
            Some(file) => file.clone(),
            None => match unnamed(&self.cache) {
                Some(file) => state.file.insert(Arc::new(Mutex::new(file))).clone(),
                None => {
                    state.failed = true;
                    return None;
                }
            },
        };
        Some((file, number))
    }

    /// The pack's bytes, if they are still those of its name. Its slot is free again.
    pub fn take(&self, slot: SpooledPack, id: &PackId) -> Option<Bytes> {
        let file = self.state.lock().file.clone()?;
        let mut bytes = vec![0; slot.len];
        let read = read_at(&file, slot.number * self.slot_len, &mut bytes);
        self.free(slot);
        (read.is_ok() && blake3::hash(&bytes).as_bytes() == id.as_bytes()).then(|| Bytes::from(bytes))
    }

    pub fn free(&self, slot: SpooledPack) {
        self.state.lock().free.push(slot.number);
    }
}

fn write_at(file: &Mutex<File>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = file.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

fn read_at(file: &Mutex<File>, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut file = file.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

/// A file without a name, in a folder that is removed at once, or by a later run if this one dies right here.
fn unnamed(cache: &Path) -> Option<File> {
    let folder = ScratchDir::below(cache).ok()?;
    let path = folder.path().join("spool");
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    options.open(path).ok()
}
