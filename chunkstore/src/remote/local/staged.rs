//! Unpublished writes of a [`super::Local`]: from the temporary name to the final one, or to nothing.
//!
//! Keeps I-2 (bytes are synced before they get a name) and the exclusive creation that I-8 and I-10 stand on.

use super::{ROOT, STAGING, Shared, failed, make_folder, parent};
use crate::descriptors::open_patiently;
use crate::error::{Error, Result};
use crate::remote::{ObjectName, Published, Staged};
use rustix::fs::{Advice, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
/// Bytes after which the disk is set to work while the rest of a pack is still being made: 1.7 instead of 1.0 GB/s
/// for packs of 32 MiB by two threads; half of it is no better.
const WRITEBACK: u64 = 8 << 20;

/// A file in the staging folder; goes with the value.
pub(super) struct StagedFile {
    shared: Arc<Shared>,
    pub(super) file: File,
    /// Relative to the root.
    pub(super) temporary: String,
    /// A write failed: how much of it was done is not known, so the rest must never get a name.
    failed: bool,
    written: u64,
    /// Of them, those whose writeback was asked for.
    started: u64,
}

impl StagedFile {
    pub(super) fn create(shared: &Arc<Shared>) -> Result<Self> {
        let root = shared.root_or_create()?;
        let temporary = format!("{STAGING}/{}", hex::encode(crate::id::random::<16>()?));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = || open_patiently(|| rustix::fs::openat(root, temporary.as_str(), flags, FILE_MODE));
        let created = match create() {
            Err(Errno::NOENT) => make_folder(root, STAGING).and_then(|()| create()),
            other => other,
        };
        let file = created.map_err(|e| failed("create", &temporary, e))?;
        Ok(StagedFile {
            shared: shared.clone(),
            file: File::from(file),
            temporary,
            failed: false,
            written: 0,
            started: 0,
        })
    }

    /// Asks for writeback of what was written since the last time. A hint: nothing depends on its success.
    #[cfg(target_os = "linux")]
    fn start_writeback(&mut self) {
        let len = NonZeroU64::new(self.written - self.started);
        // Starts writing the dirty pages of the range; drops from the cache only what is on disk already. An error
        // of the disk is not lost by it: the sync at the end reports that.
        let _ = rustix::fs::fadvise(&self.file, self.started, len, Advice::DontNeed);
        self.started = self.written;
    }

    #[cfg(not(target_os = "linux"))]
    fn start_writeback(&mut self) {
        self.started = self.written;
    }
}

impl StagedFile {
    /// Gives the bytes a name that has others, in one step.
    pub(super) fn replace(self, name: &ObjectName) -> Result<()> {
        self.file.sync_data().map_err(|e| failed("sync", name, e))?;
        let root = self.shared.existing_root("replace")?;
        let path = name.path();
        rustix::fs::renameat(root, self.temporary.as_str(), root, path.as_str())
            .map_err(|e| failed("replace", name, e))?;
        self.shared.unsynced.lock().touch(parent(&path), false);
        Ok(())
    }
}

impl Staged for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.failed {
            return Err(Error::WriterFailed);
        }
        self.file.write_all(bytes).map_err(|e| {
            self.failed = true;
            failed("write", &self.temporary, e)
        })?;
        self.written += bytes.len() as u64;
        if self.written - self.started >= WRITEBACK {
            self.start_writeback();
        }
        Ok(())
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        if self.failed {
            return Err(Error::WriterFailed);
        }
        // Tried once: after a failed sync the kernel may call the lost pages clean, and a second try would succeed.
        self.file.sync_data().map_err(|e| failed("sync", name, e))?;
        let root = self.shared.existing_root("publish")?;
        let path = name.path();
        let folder = parent(&path);
        let mut created = false;
        let mut published = rename_exclusive(root, &self.temporary, &path);
        if published == Err(Errno::NOENT) && folder != ROOT {
            created = true;
            published =
                make_folder(root, folder).and_then(|()| rename_exclusive(root, &self.temporary, &path));
        }
        let published = published.map_err(|e| failed("publish", name, e))?;
        // After the rename, or a barrier in between would take the note and miss the name. A name that exists is
        // noted too: its publisher may not have reached a barrier, and our caller will rely on it.
        self.shared.unsynced.lock().touch(folder, created);
        Ok(published)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // After a rename there is nothing under this name any more. What can't be removed counts for nothing and
        // is left to the sweep.
        if let Ok(root) = self.shared.root() {
            let _ = rustix::fs::unlinkat(root, self.temporary.as_str(), AtFlags::empty());
        }
    }
}

/// Gives `temporary` the name `target` unless that exists; of several racing callers one wins.
fn rename_exclusive(root: BorrowedFd<'_>, temporary: &str, target: &str) -> rustix::io::Result<Published> {
    match rustix::fs::renameat_with(root, temporary, root, target, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Published::Created),
        Err(Errno::EXIST) => Ok(Published::Exists),
        // NFS and old filesystems know no flags.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_exclusive(root, temporary, target),
        Err(e) => Err(e),
    }
}

/// The same by a second link, which never replaces either; `temporary` stays, for its owner to remove.
pub(super) fn link_exclusive(
    root: BorrowedFd<'_>,
    temporary: &str,
    target: &str,
) -> rustix::io::Result<Published> {
    match rustix::fs::linkat(root, temporary, root, target, AtFlags::empty()) {
        Ok(()) => Ok(Published::Created),
        Err(Errno::EXIST) => {
            // Over NFS a repeated request can find the link that its lost first try made (I-13).
            let ours = rustix::fs::statat(root, temporary, AtFlags::SYMLINK_NOFOLLOW)?;
            let theirs = rustix::fs::statat(root, target, AtFlags::SYMLINK_NOFOLLOW)?;
            let same = (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino);
            Ok(if same {
                Published::Created
            } else {
                Published::Exists
            })
        }
        Err(e) => Err(e),
    }
}

/// Removes one file of the staging folder if it is older than `age` by its time of last write.
pub(super) fn sweep_one(dir: &Dir, name: &std::ffi::CStr, age: Duration) -> rustix::io::Result<bool> {
    let stat = rustix::fs::statat(dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let written = UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    // A time in the future has no age.
    let old = SystemTime::now()
        .duration_since(written)
        .is_ok_and(|since| since > age);
    if !old || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(false);
    }
    rustix::fs::unlinkat(dir.fd()?, name, AtFlags::empty())?;
    Ok(true)
}
