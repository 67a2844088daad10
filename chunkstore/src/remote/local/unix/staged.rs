//! Unpublished writes of a [`super::Local`]: from the temporary name to the final one, or to nothing.
//!
//! Keeps I-2 (bytes are synced before they get a name) and the exclusive creation that I-8 and I-10 stand on. The
//! writer holds a lock on its file for as long as it lives, so that a sweep takes only what no process will publish,
//! whatever the clocks say.

use super::{LocalState, ROOT, STAGING, failed, parent};
use crate::error::{Cause, Error, Operation, Result};
use crate::id::is_hex;
use crate::platform::opening::open_patiently;
use crate::remote::{AllEnded, ObjectName, Published, Staged};
use rustix::fs::{Advice, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Hexadecimal digits of a name that was made here, and of one that a writer behind a server made: on that machine there
/// is no lock of it.
const OWN_NAME: usize = 32;
const SERVED_NAME: usize = 34;
/// Files that sweeps took away before they were locked, until that is an error.
const TRIES: usize = 10;
/// Bytes after which the disk is set to work while the rest of a pack is still being made: 1.7 instead of 1.0 GB/s
/// for packs of 32 MiB by two threads; half of it is no better.
const WRITEBACK: u64 = 8 << 20;

/// A file in the staging folder; goes with the value.
pub(super) struct StagedFile {
    shared: Arc<LocalState>,
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
    pub(super) fn create(shared: &Arc<LocalState>) -> Result<Self> {
        let root = shared.root_or_create()?;
        for _ in 0..TRIES {
            let temporary = format!("{STAGING}/{}", hex::encode(crate::id::random::<16>()?));
            let created = create_locked(shared, root, &temporary);
            let created =
                created.map_err(|e| shared.refused(Operation::Create, &temporary, parent(&temporary), e))?;
            if let Some(file) = created {
                return Ok(StagedFile {
                    shared: shared.clone(),
                    file,
                    temporary,
                    failed: false,
                    written: 0,
                    started: 0,
                });
            }
        }
        let why = Cause::StagingVolatile.into_io(std::io::ErrorKind::Other);
        Err(failed(Operation::WriteTo, STAGING, why))
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
        self.file
            .sync_data()
            .map_err(|e| failed(Operation::Sync, name, e))?;
        let root = self.shared.existing_root(Operation::Replace)?;
        let path = name.path();
        rustix::fs::renameat(root, self.temporary.as_str(), root, path.as_str())
            .map_err(|e| failed(Operation::Replace, name, e))?;
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
            failed(Operation::Write, &self.temporary, e)
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
        self.file
            .sync_data()
            .map_err(|e| failed(Operation::Sync, name, e))?;
        let root = self.shared.existing_root(Operation::Publish)?;
        let path = name.path();
        let folder = parent(&path);
        let mut created = false;
        let mut published = rename_exclusive(root, &self.temporary, &path);
        if published == Err(Errno::NOENT) && folder != ROOT {
            created = true;
            published = self
                .shared
                .make_folder(root, folder)
                .and_then(|()| rename_exclusive(root, &self.temporary, &path));
        }
        let published = published.map_err(|e| self.shared.refused(Operation::Publish, name, folder, e))?;
        // After the rename, or a barrier in between would take the note and miss the name. A name that exists is
        // noted too: its publisher may not have reached a barrier, and our caller will rely on it.
        self.shared.unsynced.lock().touch(folder, created);
        Ok(published)
    }
}

/// Creates a file, hands it to whom it shall belong to, and locks it; `None` where a sweep was quicker than the lock.
fn create_locked(
    shared: &LocalState,
    root: BorrowedFd<'_>,
    temporary: &str,
) -> rustix::io::Result<Option<File>> {
    let sharing = shared.sharing(root);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || open_patiently(|| rustix::fs::openat(root, temporary, flags, Mode::from_raw_mode(0o600)));
    let file = File::from(match create() {
        Err(Errno::NOENT) => shared.make_folder(root, STAGING).and_then(|()| create())?,
        created => created?,
    });
    sharing.hand_over(&file, sharing.file);
    match file.try_lock() {
        Ok(()) if rustix::fs::fstat(&file)?.st_nlink > 0 => Ok(Some(file)),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: there a sweep goes by the sessions.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
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

/// Whether locks on a file system are seen by everybody who can write there. On a network a lock may be this machine's
/// own, so only file systems that are known to be on a disk of this machine count.
#[cfg(target_os = "linux")]
fn locks_are_seen(folder: impl AsFd) -> bool {
    /// ext2 to ext4, XFS, Btrfs, ZFS, F2FS, bcachefs, tmpfs, overlayfs, JFS, FAT, exFAT, NTFS.
    const LOCAL: [u32; 12] = [
        0xEF53,
        0x5846_5342,
        0x9123_683E,
        0x2FC1_2FC1,
        0xF2F5_2010,
        0xCA45_1A4E,
        0x0102_1994,
        0x794C_7630,
        0x3153_464A,
        0x4D44,
        0x2011_BAB0,
        0x7366_746E,
    ];
    rustix::fs::fstatfs(folder).is_ok_and(|found| LOCAL.contains(&(found.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn locks_are_seen(_: impl AsFd) -> bool {
    false
}

/// What is known of who made an unpublished write.
enum StagedWriter {
    /// And so is the file.
    Gone,
    /// Alive, or not a file of ours.
    Keeps,
    /// Only the sessions show it.
    Unknown,
}

/// Removes the unpublished writes whose writers are gone: those that no process holds locked where locks can be relied
/// on, and elsewhere those that were there before every other session had ended.
pub(super) fn sweep(dir: &mut Dir, all_ended: &mut AllEnded<'_>) -> Result<u64> {
    let relies_on_locks = locks_are_seen(dir.fd().map_err(|e| failed(Operation::List, STAGING, e))?);
    let mut doubtful = Vec::new();
    let mut swept = 0;
    while let Some(entry) = dir.read() {
        let entry = entry.map_err(|e| failed(Operation::List, STAGING, e))?;
        let name = entry.file_name();
        let of_length = |len| {
            name.to_str()
                .is_ok_and(|n| n.len() == len && is_hex(n.as_bytes()))
        };
        let own = of_length(OWN_NAME);
        if !own && !of_length(SERVED_NAME) {
            continue;
        }
        match look_at(dir, name, relies_on_locks && own) {
            Ok(StagedWriter::Gone) => swept += 1,
            Ok(StagedWriter::Unknown) => doubtful.push(CString::from(name)),
            // Published or swept by another in the meantime.
            Ok(StagedWriter::Keeps) | Err(Errno::NOENT) => {}
            Err(e) => return Err(failed(Operation::Sweep, shown(name), e)),
        }
    }
    if !doubtful.is_empty() && all_ended()? {
        for name in doubtful {
            swept +=
                u64::from(sweep_doubtful(dir, &name).map_err(|e| failed(Operation::Sweep, shown(&name), e))?);
        }
    }
    Ok(swept)
}

/// Removes a file whose writer is known to be gone: with `unlocked_is_gone`, one that nobody holds locked.
fn look_at(dir: &Dir, name: &CStr, unlocked_is_gone: bool) -> rustix::io::Result<StagedWriter> {
    let stat = rustix::fs::statat(dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(StagedWriter::Keeps);
    }
    // Some file systems lock only what can be written to.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let folder = dir.fd()?;
    let file = match open_patiently(|| rustix::fs::openat(folder, name, flags, Mode::empty())) {
        // Another user's, or on a disk that can't be written to.
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => return Ok(StagedWriter::Keeps),
        file => File::from(file?),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(StagedWriter::Keeps),
        // While the lock is held: a writer that has created its file and not locked it yet makes another one.
        Ok(()) if unlocked_is_gone => {
            rustix::fs::unlinkat(dir.fd()?, name, AtFlags::empty())?;
            Ok(StagedWriter::Gone)
        }
        _ => Ok(StagedWriter::Unknown),
    }
}

/// Removes a file that may have a writer behind a server, but not one that a process of this machine has locked since it
/// was looked at. False where there is nothing to remove.
fn sweep_doubtful(dir: &Dir, name: &CStr) -> rustix::io::Result<bool> {
    let removed = match look_at(dir, name, true) {
        Ok(StagedWriter::Gone) => return Ok(true),
        Ok(StagedWriter::Keeps) => return Ok(false),
        Ok(StagedWriter::Unknown) => rustix::fs::unlinkat(dir.fd()?, name, AtFlags::empty()),
        Err(e) => Err(e),
    };
    match removed {
        Err(Errno::NOENT) => Ok(false),
        removed => removed.map(|()| true),
    }
}

fn shown(name: &CStr) -> String {
    format!("{STAGING}/{}", name.to_string_lossy())
}
