//! A pack being written, from its header to its name. Its bytes go to the remote as they come; where somebody needs them
//! as a whole afterwards (a network, another destination, parity), they are gathered in memory, once for all of these.

use super::{Class, FRAME_MAX, Frame, PackList, TAIL_LEN, header, tail};
use crate::error::{Error, Result, Task};
use crate::id::{PackId, RepoId, random};
use crate::keys::{Keys, SealedSessionKey};
use crate::remote::{ObjectName, Published, Remote, Staged};
use crate::seal::OVERHEAD;
use crate::smallfile::Part;
use bytes::Bytes;

/// What is gathered grows by so much at a time, so that little memory is taken that is not used.
const GROWTH: usize = 4 << 20;

/// A pack being written.
pub struct PackWriter {
    /// `None` where the remote takes an object only as a whole.
    staged: Option<Box<dyn Staged>>,
    /// All bytes so far, where they are needed afterwards.
    gathered: Option<Vec<u8>>,
    hasher: blake3::Hasher,
    head: Vec<u8>,
    len: usize,
    class: Class,
    sealed_keys: Vec<SealedSessionKey>,
    frames: Vec<Frame>,
    parts: Vec<Part>,
}

/// A complete pack that has no name yet.
pub struct ClosedPack {
    staged: Option<Box<dyn Staged>>,
    /// Its bytes, if they were gathered. A clone shares them.
    pub bytes: Option<Bytes>,
    pub list: PackList,
}

impl PackWriter {
    pub fn begin(
        remote: &dyn Remote,
        repo: &RepoId,
        class: Class,
        sealed_keys: Vec<SealedSessionKey>,
    ) -> Result<Self> {
        let head = header(repo, class, &random()?, &sealed_keys);
        let gathers = remote.is_high_latency();
        let mut writer = PackWriter {
            staged: (!gathers).then(|| remote.begin()).transpose()?,
            gathered: gathers.then(Vec::new),
            hasher: blake3::Hasher::new(),
            len: 0,
            class,
            sealed_keys,
            frames: Vec::new(),
            parts: Vec::new(),
            head: Vec::new(),
        };
        writer.write(&head)?;
        writer.head = head;
        Ok(writer)
    }

    /// The same pack, whose bytes are also at hand once it is closed. To be called before the first frame.
    pub fn keeping_bytes(mut self) -> Self {
        self.gathered.get_or_insert_with(|| self.head.clone());
        self
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        if let Some(gathered) = &mut self.gathered {
            gather(gathered, bytes)?;
        }
        if let Some(staged) = &mut self.staged {
            staged.write(bytes)?;
        }
        self.len += bytes.len();
        Ok(())
    }

    /// Bytes written so far.
    #[allow(clippy::len_without_is_empty)] // it has its header at least
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether the pack stays within `size` bytes with another `stored` bytes of frame and all that ends a pack. The
    /// first frame always fits. A pack that is one byte longer than a power of two is padded by a thirty-second of it.
    pub fn has_room(&self, stored: usize, size: usize) -> bool {
        self.has_room_for(stored, 0, size)
    }

    /// The same for a bundle of moved files, which are listed.
    pub fn has_room_for(&self, stored: usize, parts: usize, size: usize) -> bool {
        let parts = Part::STORED_MAX * (self.parts.len() + parts);
        let footer = OVERHEAD + 20 + FRAME_MAX * (self.frames.len() + 1) + parts;
        self.frames.is_empty() || self.len + stored + footer + TAIL_LEN <= size
    }

    /// Appends a sealed frame; its `offset` is set here.
    pub fn append(&mut self, mut frame: Frame, sealed: &[u8]) -> Result<()> {
        frame.offset = self.len as u32;
        frame.stored_len = sealed.len() as u32;
        self.write(sealed)?;
        self.frames.push(frame);
        Ok(())
    }

    /// The same for a bundle that moved files are in, sorted by offset; which frame it is is set here. Only what was
    /// compared with its hash may be listed.
    pub fn append_bundle(&mut self, frame: Frame, sealed: &[u8], parts: &[Part]) -> Result<()> {
        let at = self.frames.len() as u32;
        self.append(frame, sealed)?;
        self.parts.extend(parts.iter().map(|part| Part { at, ..*part }));
        Ok(())
    }

    /// Writes padding and footer.
    pub fn finish(mut self, keys: &Keys) -> Result<ClosedPack> {
        let tail = tail(keys, &self.head, (&self.frames, &self.parts), self.len)?;
        self.write(&tail)?;
        let list = PackList {
            id: PackId(*self.hasher.finalize().as_bytes()),
            class: self.class,
            size: self.len as u64,
            sealed_keys: self.sealed_keys,
            frames: self.frames,
            parts: self.parts,
        };
        Ok(ClosedPack {
            staged: self.staged,
            bytes: self.gathered.map(Bytes::from),
            list,
        })
    }
}

impl ClosedPack {
    /// Makes the bytes durable under their name at the remote that it was begun on. The name itself needs the remote's
    /// barrier.
    pub fn publish(self, remote: &dyn Remote) -> Result<PackList> {
        let name = ObjectName::pack(self.list.id);
        // "Exists" means the same bytes: the name is their hash.
        let (Published::Created | Published::Exists) = match self.staged {
            Some(staged) => staged.publish(&name)?,
            None => remote.publish(&name, self.bytes.unwrap_or_default())?,
        };
        Ok(self.list)
    }
}

fn gather(gathered: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    if gathered.capacity() - gathered.len() < bytes.len() {
        let more = bytes.len().max(GROWTH);
        gathered.try_reserve_exact(more).map_err(|_| Error::NoMemory {
            task: Task::GatherPack,
            needed: (gathered.len() + more) as u64,
        })?;
    }
    gathered.extend_from_slice(bytes);
    Ok(())
}
