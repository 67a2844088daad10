//! What this machine keeps of a far remote, so that it is asked once: objects that never change, as they are stored.
//!
//! All of it may be lost or damaged at any time (I-6). What is taken from here is proven by its seal and its id like
//! what comes from the remote, and whether an object still exists is never read off it. A repository nearby keeps
//! nothing: it would copy one local file to another.

use crate::id::{ChunkId, SessionId};
use crate::keys::SealedSessionKey;
use crate::platform::files;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

/// Bytes kept of one repository at most; what was not used for longest goes first.
const MOST: u64 = 512 << 20;
/// Bytes kept between two looks at how many there are.
const STEP: u64 = 32 << 20;

const OVERVIEW: &str = "overview";

/// A tree chunk's frame with what opening it needs.
pub(crate) struct KeptFrame {
    pub codec: u8,
    pub plain_len: u32,
    pub sealed_key: SealedSessionKey,
    pub stored: Vec<u8>,
}

pub(crate) struct ObjectCache {
    dir: PathBuf,
    most: u64,
    /// Since the last look; the first is due with the first that is kept.
    written: AtomicU64,
}

impl ObjectCache {
    /// Below a repository's folder of disposable files.
    pub fn new(cache: &Path) -> ObjectCache {
        ObjectCache {
            dir: cache.join("kept"),
            most: MOST,
            written: AtomicU64::new(STEP),
        }
    }

    pub fn manifest(&self, id: SessionId) -> Option<Vec<u8>> {
        self.read(&manifest_name(id))
    }

    pub fn keep_manifest(&self, id: SessionId, stored: &[u8]) {
        self.write(&manifest_name(id), &[stored]);
    }

    pub fn has_manifest(&self, id: SessionId) -> bool {
        self.dir.join(manifest_name(id)).is_file()
    }

    /// The last overview that was kept, and its number.
    pub fn overview(&self) -> Option<(u64, Vec<u8>)> {
        let bytes = self.read(OVERVIEW)?;
        let (number, stored) = bytes.split_first_chunk()?;
        Some((u64::from_le_bytes(*number), stored.to_vec()))
    }

    pub fn keep_overview(&self, number: u64, stored: &[u8]) {
        self.write(OVERVIEW, &[&number.to_le_bytes(), stored]);
    }

    pub fn frame(&self, id: &ChunkId) -> Option<KeptFrame> {
        let mut bytes = self.read(&frame_name(id))?;
        let (codec, rest) = bytes.split_first()?;
        let (plain_len, rest) = rest.split_first_chunk()?;
        let sealed_key = SealedSessionKey::from_slice(rest.get(..SealedSessionKey::LEN)?).ok()?;
        let (codec, plain_len) = (*codec, u32::from_le_bytes(*plain_len));
        let stored = bytes.split_off(1 + 4 + SealedSessionKey::LEN);
        Some(KeptFrame {
            codec,
            plain_len,
            sealed_key,
            stored,
        })
    }

    pub fn keep_frame(&self, id: &ChunkId, codec: u8, plain_len: u32, key: &SealedSessionKey, stored: &[u8]) {
        self.write(
            &frame_name(id),
            &[&[codec], &plain_len.to_le_bytes(), key.as_bytes(), stored],
        );
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut file = File::open(self.dir.join(name)).ok()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        // What is used stays. Should that fail, it goes earlier.
        let _ = files::touch(&file);
        Some(bytes)
    }

    /// That a file could not be kept costs a request later on, and is no reason to end a run.
    fn write(&self, name: &str, parts: &[&[u8]]) {
        let bytes = parts.concat();
        if self.written.fetch_add(bytes.len() as u64, Relaxed) >= STEP {
            self.written.store(0, Relaxed);
            let _ = self.make_room();
        }
        let _ = files::write_hint(&self.dir.join(name), &bytes);
    }

    /// Removes the oldest, down to three quarters, where there is too much.
    fn make_room(&self) -> std::io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            files.push((meta.modified()?, meta.len(), entry.path()));
        }
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        if total <= self.most {
            return Ok(());
        }
        files.sort_unstable();
        for (_, len, path) in files {
            if total <= self.most / 4 * 3 {
                break;
            }
            std::fs::remove_file(path)?;
            total -= len;
        }
        Ok(())
    }
}

fn manifest_name(id: SessionId) -> String {
    format!("manifest-{}", id.to_hex())
}

fn frame_name(id: &ChunkId) -> String {
    format!("tree-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let kept = ObjectCache {
            most: 10 << 20,
            ..ObjectCache::new(dir.path())
        };
        let id = |n: u8| ChunkId([n; 32]);
        let stored = vec![7; 1 << 20];
        for n in 0..100 {
            kept.keep_frame(&id(n), 3, 9, &SealedSessionKey::dummy(n), &stored);
            let first = kept.frame(&id(0)).unwrap();
            assert_eq!((first.codec, first.plain_len), (3, 9));
            assert_eq!(first.sealed_key, SealedSessionKey::dummy(0));
            assert!(first.stored == stored);
            // Times of files are not finer than this.
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(kept.frame(&id(1)).is_none());
        kept.make_room().unwrap();
        let files = std::fs::read_dir(dir.path().join("kept")).unwrap();
        let total: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(total <= 10 << 20, "{total}");
    }

    #[test]
    fn damaged_files_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let kept = ObjectCache::new(dir.path());
        let id = ChunkId([1; 32]);
        assert!(kept.frame(&id).is_none() && kept.manifest(SessionId([1; 16])).is_none());
        kept.keep_frame(&id, 1, 1, &SealedSessionKey::dummy(2), &[]);
        assert!(kept.frame(&id).unwrap().stored.is_empty());
        std::fs::write(dir.path().join("kept").join(frame_name(&id)), [1; 84]).unwrap();
        assert!(kept.frame(&id).is_none());
    }
}
