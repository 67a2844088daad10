//! Unix: a directory as a remote, by calls relative to its open root.
//!
//! Sits at the bottom of the flow, called through [`Remote`] only. Keeps I-2 and I-10 by writing to a random name,
//! syncing the bytes, and renaming without replacing; keeps I-9 by taking only a missing folder below a root that
//! is there for empty, and every other trouble for an error.
//!
//! Names become durable in [`Remote::barrier`], which syncs each touched folder once, however many objects it got.

mod reserve;
mod sharing;
mod staged;

use self::sharing::Sharing;
use self::staged::StagedFile;
use crate::error::{Cause, Error, Object, Operation, Result};
use crate::id::is_hex;
use crate::platform::opening::open_patiently;
use crate::remote::{AllEnded, Kind, ObjectName, Remote, Staged};
use parking_lot::Mutex;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Unpublished writes: on the same filesystem as the objects, so that publishing is a rename.
const STAGING: &str = "tmp";
/// The root, among the relative folders.
const ROOT: &str = ".";
const ROOT_MODE: u32 = 0o700;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A repository in a directory. Nothing is created before the first write.
pub struct Local {
    shared: Arc<LocalState>,
}

struct LocalState {
    path: PathBuf,
    /// Opened once and kept: what is mounted over or put in place of the path later is not our repository.
    root: OnceLock<OwnedFd>,
    /// Whose new objects are, by the root as it was when something was first written.
    sharing: OnceLock<Sharing>,
    unsynced: Mutex<Unsynced>,
    /// Held for a whole barrier: a second caller may rely on folders that the first one is syncing.
    barrier: Mutex<()>,
}

/// Folders, relative to the root, whose entries changed since they were last synced.
#[derive(Default)]
struct Unsynced {
    folders: BTreeSet<String>,
    /// Folders whose own entries in their parents this process has seen to.
    known: BTreeSet<String>,
    /// After a failed sync the system may have dropped what was dirty, so that another sync would succeed without
    /// having written it: from then on this remote promises nothing.
    failed: bool,
}

impl Unsynced {
    /// An entry of `folder` changed. The first time also the folders above are to be synced: another process may
    /// have created this one a moment ago and died before its own barrier.
    fn touch(&mut self, folder: &str, created: bool) {
        self.folders.insert(folder.to_string());
        if self.known.insert(folder.to_string()) || created {
            let mut below = folder;
            while below != ROOT {
                below = parent(below);
                self.folders.insert(below.to_string());
            }
        }
    }
}

/// The folder of a path relative to the root.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(ROOT, |(folder, _)| folder)
}

impl Local {
    /// The directory need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Local {
            shared: Arc::new(LocalState {
                path: root.into(),
                root: OnceLock::new(),
                sharing: OnceLock::new(),
                unsynced: Mutex::default(),
                barrier: Mutex::default(),
            }),
        }
    }
}

impl LocalState {
    fn root(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(root) = self.root.get() {
            return Ok(root.as_fd());
        }
        let opened = open_patiently(|| rustix::fs::open(&self.path, FOLDER, Mode::empty()))?;
        Ok(self.root.get_or_init(|| opened).as_fd())
    }

    fn existing_root(&self, operation: Operation) -> Result<BorrowedFd<'_>> {
        self.root().map_err(|e| failed(operation, &self.path, e))
    }

    fn root_or_create(&self) -> Result<BorrowedFd<'_>> {
        match self.root() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                create_durably(&self.path).map_err(|e| failed(Operation::Create, &self.path, e))?;
                self.existing_root(Operation::Create)
            }
            other => other.map_err(|e| failed(Operation::Create, &self.path, e)),
        }
    }

    /// Of a root that can't be looked at nothing is known: new objects are their writer's own.
    fn sharing(&self, root: BorrowedFd<'_>) -> Sharing {
        *self
            .sharing
            .get_or_init(|| Sharing::of(root).unwrap_or(Sharing::PRIVATE))
    }

    /// Creates a folder and those above it, as far as they are missing.
    fn make_folder(&self, root: BorrowedFd<'_>, folder: &str) -> rustix::io::Result<()> {
        if parent(folder) != ROOT {
            self.make_folder(root, parent(folder))?;
        }
        match rustix::fs::mkdirat(root, folder, Mode::from_raw_mode(ROOT_MODE)) {
            Err(Errno::EXIST) => Ok(()),
            Err(e) => Err(e),
            Ok(()) => {
                let sharing = self.sharing(root);
                let made = open_below(root, folder, FOLDER | OFlags::NOFOLLOW)?;
                sharing.hand_over(&made, sharing.folder);
                Ok(())
            }
        }
    }

    /// An operation on `object` at `path` failed. If it was not permitted, the error names the owner of what is in the
    /// way.
    fn refused(&self, operation: Operation, object: impl Into<Object>, path: &str, error: Errno) -> Error {
        let foreign = match (error, self.root()) {
            (Errno::ACCESS | Errno::PERM, Ok(root)) => sharing::in_the_way(root, path),
            _ => None,
        };
        match foreign {
            Some(foreign) => failed(
                operation,
                object,
                Cause::Foreign(foreign).into_io(io::ErrorKind::PermissionDenied),
            ),
            None => failed(operation, object, error),
        }
    }

    /// Called when something below the root was not found: was it the root that went away?
    fn check_root(&self, root: BorrowedFd<'_>, operation: Operation) -> Result<()> {
        match rustix::fs::fstat(root) {
            Ok(stat) if stat.st_nlink > 0 => Ok(()),
            Ok(_) => Err(failed(operation, &self.path, Errno::NOENT)),
            Err(e) => Err(failed(operation, &self.path, e)),
        }
    }

    /// `None` where the folder is missing below a root that is there.
    fn open_folder(&self, folder: &str, flags: OFlags) -> Result<Option<Dir>> {
        let root = self.existing_root(Operation::List)?;
        match open_below(root, folder, FOLDER | flags) {
            Ok(folder_fd) => Ok(Some(
                Dir::new(folder_fd).map_err(|e| failed(Operation::List, folder, e))?,
            )),
            Err(Errno::NOENT) => self.check_root(root, Operation::List).map(|()| None),
            Err(e) => Err(self.refused(Operation::List, folder, folder, e)),
        }
    }

    /// Calls `each` with the objects directly in one folder.
    fn list_folder(
        &self,
        folder: &str,
        kind: Kind,
        each: &mut dyn FnMut(ObjectName, u64) -> Result<()>,
    ) -> Result<()> {
        let Some(mut dir) = self.open_folder(folder, OFlags::empty())? else {
            return Ok(());
        };
        while let Some(entry) = dir.read() {
            let entry = entry.map_err(|e| failed(Operation::List, folder, e))?;
            let parsed = entry
                .file_name()
                .to_str()
                .ok()
                .and_then(|id| ObjectName::parse(kind, id));
            // A pack in another pack's folder can't be read under its name: not an object.
            let Some(name) = parsed.filter(|name| parent(&name.path()) == folder) else {
                continue;
            };
            match dir.fd().and_then(|fd| examine(fd, entry.file_name())) {
                // Whoever asks for what is no file gets the error, and goes on with the others.
                Ok(stat) => each(name, object_size(&stat).unwrap_or(0))?,
                // Deleted since the folder was read.
                Err(Errno::NOENT) => {}
                Err(e) => return Err(failed(Operation::List, name, e)),
            }
        }
        Ok(())
    }

    fn list_packs(&self, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        let packs = Kind::Pack.folder();
        let Some(mut dir) = self.open_folder(packs, OFlags::empty())? else {
            return Ok(());
        };
        while let Some(entry) = dir.read() {
            let entry = entry.map_err(|e| failed(Operation::List, packs, e))?;
            let Ok(prefix) = entry.file_name().to_str() else {
                continue;
            };
            if prefix.len() == 2 && is_hex(prefix.as_bytes()) {
                self.list_folder(&format!("{packs}/{prefix}"), Kind::Pack, each)?;
            }
        }
        Ok(())
    }

    /// Why an object could not be opened or examined: `None` where it does not exist, below a root that does.
    fn why_not(
        &self,
        root: BorrowedFd<'_>,
        operation: Operation,
        name: &ObjectName,
        errno: Errno,
    ) -> Option<Error> {
        match errno {
            Errno::NOENT if !is_link(root, &name.path()) => self.check_root(root, operation).err(),
            Errno::NOENT | Errno::LOOP => Some(not_a_file(operation, name, Cause::BrokenLink)),
            // How a socket refuses to be opened.
            Errno::NXIO => Some(not_a_file(operation, name, Cause::NotARegularFile)),
            errno => Some(self.refused(operation, name, &name.path(), errno)),
        }
    }

    fn open_object(&self, name: &ObjectName) -> Result<(File, u64)> {
        let missing = || Error::missing(name);
        let root = match self.root() {
            // No directory at all is how "no repository here" looks; an object's absence is not inferred from it.
            Err(e) if e.kind() == io::ErrorKind::NotFound && name.kind() == Kind::Config => {
                return Err(missing());
            }
            _ => self.existing_root(Operation::Read)?,
        };
        // Non-blocking: should a FIFO lie under the name, opening it must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match open_below(root, &name.path(), flags) {
            Ok(file) => file,
            Err(e) => {
                return Err(self
                    .why_not(root, Operation::Read, name, e)
                    .unwrap_or_else(missing));
            }
        };
        let stat = rustix::fs::fstat(&file).map_err(|e| failed(Operation::Stat, name, e))?;
        match object_size(&stat) {
            Some(size) => Ok((File::from(file), size)),
            None => Err(not_a_file(Operation::Read, name, Cause::NotARegularFile)),
        }
    }

    /// Syncs a folder or, where it has been removed since, the nearest one above it that is left.
    fn open_to_sync(&self, folder: &str) -> Result<File> {
        let root = self.existing_root(Operation::Sync)?;
        let mut nearest = folder;
        loop {
            match open_below(root, nearest, FOLDER) {
                Ok(opened) => return Ok(File::from(opened)),
                Err(Errno::NOENT) if nearest != ROOT => nearest = parent(nearest),
                Err(e) => return Err(failed(Operation::Sync, nearest, e)),
            }
        }
    }
}

impl Remote for Local {
    fn location(&self) -> String {
        self.shared.path.display().to_string()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedFile::create(&self.shared)?))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        // Whatever `out` holds is overwritten, so a reused buffer is not zeroed again.
        let (file, size) = self.shared.open_object(name).inspect_err(|_| out.clear())?;
        let rest = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        out.resize(rest.min(len), 0);
        let mut filled = 0;
        while filled < out.len() {
            match file.read_at(&mut out[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    out.clear();
                    return Err(failed(Operation::Read, name, e));
                }
            }
        }
        out.truncate(filled);
        Ok(())
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let root = match self.shared.root() {
            Err(e) if e.kind() == io::ErrorKind::NotFound && name.kind() == Kind::Config => return Ok(None),
            _ => self.shared.existing_root(Operation::Stat)?,
        };
        match rustix::fs::statat(root, name.path(), AtFlags::empty()) {
            Ok(stat) => match object_size(&stat) {
                None => Err(not_a_file(Operation::Stat, name, Cause::NotARegularFile)),
                size => Ok(size),
            },
            Err(e) => match self.shared.why_not(root, Operation::Stat, name, e) {
                None => Ok(None),
                Some(why) => Err(why),
            },
        }
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        match kind {
            Kind::Config => {
                self.shared.existing_root(Operation::List)?;
                match self.size(&ObjectName::config())? {
                    Some(size) => each(ObjectName::config(), size),
                    None => Ok(()),
                }
            }
            Kind::Pack => self.shared.list_packs(each),
            _ => self.shared.list_folder(kind.folder(), kind, each),
        }
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        let root = self.shared.existing_root(Operation::Delete)?;
        match rustix::fs::unlinkat(root, name.path(), AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => self.shared.check_root(root, Operation::Delete)?,
            Err(e) => {
                let path = name.path();
                return Err(self.shared.refused(Operation::Delete, name, parent(&path), e));
            }
        }
        // Also if it was gone already: the process that removed it may not have made that durable.
        self.shared.unsynced.lock().touch(parent(&name.path()), false);
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        let _all = self.shared.barrier.lock();
        let refuse = || Cause::SyncFailed.into_io(io::ErrorKind::Other);
        let mut folders = {
            let mut unsynced = self.shared.unsynced.lock();
            if unsynced.failed {
                return Err(failed(Operation::Sync, self.location(), refuse()));
            }
            std::mem::take(&mut unsynced.folders)
        };
        while let Some(folder) = folders.pop_last() {
            let opened = self.shared.open_to_sync(&folder).inspect_err(|_| {
                // Not yet tried: a later barrier still owes these.
                let mut unsynced = self.shared.unsynced.lock();
                unsynced.folders.append(&mut folders);
                unsynced.folders.insert(folder.clone());
            })?;
            if let Err(e) = sync_folder(&opened) {
                self.shared.unsynced.lock().failed = true;
                return Err(failed(Operation::Sync, folder, e));
            }
        }
        Ok(())
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        // A link in place of the folder would have us delete elsewhere.
        let Some(mut dir) = self.shared.open_folder(STAGING, OFlags::NOFOLLOW)? else {
            return Ok(0);
        };
        staged::sweep(&mut dir, all_ended)
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        let mut staged = StagedFile::create(&self.shared)?;
        staged.write(bytes)?;
        staged.replace(name)?;
        self.barrier()
    }

    fn create_reserve(&self) -> Result<()> {
        let root = self.shared.existing_root(Operation::SetAside)?;
        reserve::create_reserve(root, &self.shared.sharing(root))
            .map_err(|e| failed(Operation::SetAside, reserve::PATH, e))
    }

    fn release_reserve(&self) -> Result<bool> {
        let root = self.shared.existing_root(Operation::Free)?;
        reserve::free(root).map_err(|e| failed(Operation::Free, reserve::PATH, e))
    }
}

fn failed(operation: Operation, object: impl Into<Object>, source: impl Into<io::Error>) -> Error {
    Error::remote(operation, object, source.into())
}

/// An object's name is taken by something that can't be read as one. It is there, so it never counts as missing (I-9).
fn not_a_file(operation: Operation, name: &ObjectName, cause: Cause) -> Error {
    failed(operation, name, cause.into_io(io::ErrorKind::InvalidData))
}

/// The size of a regular file, `None` of anything else.
fn object_size(stat: &Stat) -> Option<u64> {
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    is_file.then(|| u64::try_from(stat.st_size).unwrap_or(0))
}

/// A directory entry, or what it links to. A link that can't be followed is examined itself.
fn examine(folder: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<Stat> {
    rustix::fs::statat(folder, name, AtFlags::empty())
        .or_else(|_| rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW))
}

fn is_link(root: BorrowedFd<'_>, path: &str) -> bool {
    let stat = rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

fn open_below(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    open_patiently(|| rustix::fs::openat(root, path, flags, Mode::empty()))
}

/// Creates the root and the directories above it, each durable in the one above.
fn create_durably(path: &Path) -> io::Result<()> {
    let above = match path.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new(ROOT),
        Some(above) => above,
        None => return Err(io::ErrorKind::NotFound.into()),
    };
    let create = || DirBuilder::new().mode(ROOT_MODE).create(path);
    let created = match create() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => create_durably(above).and_then(|()| create()),
        other => other,
    };
    match created {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    sync_folder(&File::open(above)?)
}

fn sync_folder(folder: &File) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        // Some network filesystems can't sync a folder and have made the change durable at the server already.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
        other => other.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests;
