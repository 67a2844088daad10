//! A directory as a remote where the system has no calls relative to an open folder: by the standard library and whole
//! paths. It promises what the one of Unix promises: bytes are synced before they get a name, a name is created by a
//! second link, which never replaces (I-2, I-10), and only a missing folder below a root that is there counts as empty
//! (I-9). Whose new objects are is left to the system: they inherit it from the folder.
//!
//! Staged files are held locked, so that a sweep takes only what no process will publish.

use crate::error::{Cause, Error, Object, Operation, Result};
use crate::id::{is_hex, random};
use crate::platform::{files, lock, private};
use crate::remote::{AllEnded, Kind, ObjectName, Published, Remote, Staged};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Unpublished writes: on the same file system as the objects, so that a second link can be made.
const STAGING: &str = "tmp";
const RESERVE: &str = "tmp/reserve";
const RESERVE_BYTES: usize = 256 << 10;
/// Hexadecimal digits of the name of an unpublished write.
const STAGED_NAME: usize = 32;
/// Files that sweeps took away before they were locked, until that is an error.
const TRIES: usize = 10;

/// A repository in a directory. Nothing is created before the first write.
pub struct PortableLocal {
    shared: Arc<PortableState>,
}

struct PortableState {
    path: PathBuf,
    unsynced: Mutex<UnsyncedFolders>,
    /// Held for a whole barrier: a second caller may rely on folders that the first one is syncing.
    barrier: Mutex<()>,
}

/// Folders whose entries changed since they were last synced.
#[derive(Default)]
struct UnsyncedFolders {
    folders: BTreeSet<PathBuf>,
    /// After a failed sync another one could succeed without having written what is lost.
    failed: bool,
}

impl PortableLocal {
    /// The directory need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        PortableLocal {
            shared: Arc::new(PortableState {
                path: root.into(),
                unsynced: Mutex::default(),
                barrier: Mutex::default(),
            }),
        }
    }
}

impl PortableState {
    fn at(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    fn of(&self, name: &ObjectName) -> PathBuf {
        self.at(&name.path())
    }

    /// Called when something below the root was not found: was it the root that went away?
    fn check_root(&self, operation: Operation) -> Result<()> {
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_dir() => Ok(()),
            Ok(_) => Err(failed(operation, &self.path, io::ErrorKind::NotADirectory)),
            Err(e) => Err(failed(operation, &self.path, e)),
        }
    }

    /// Why an object could not be opened or examined: `None` where it does not exist, below a root that does, or where no
    /// directory at all is how "no repository here" looks.
    fn why_not(&self, operation: Operation, name: &ObjectName, error: io::Error) -> Option<Error> {
        if error.kind() != io::ErrorKind::NotFound {
            return Some(failed(operation, name, error));
        }
        if fs::symlink_metadata(self.of(name)).is_ok_and(|meta| meta.is_symlink()) {
            return Some(not_a_file(operation, name, Cause::BrokenLink));
        }
        match self.check_root(operation) {
            Err(Error::Remote { source, .. })
                if source.kind() == io::ErrorKind::NotFound && name.kind() == Kind::Config =>
            {
                None
            }
            checked => checked.err(),
        }
    }

    fn touch(&self, folder: &Path) {
        let mut unsynced = self.unsynced.lock();
        let below = folder
            .ancestors()
            .take_while(|above| above.starts_with(&self.path));
        unsynced.folders.extend(below.map(Path::to_path_buf));
    }

    /// Calls `each` with the objects directly in one folder.
    fn list_folder(
        &self,
        folder: &str,
        kind: Kind,
        each: &mut dyn FnMut(ObjectName, u64) -> Result<()>,
    ) -> Result<()> {
        for entry in self.entries(folder)? {
            let entry = entry.map_err(|e| failed(Operation::List, folder, e))?;
            let name = entry.file_name();
            let parsed = name.to_str().and_then(|id| ObjectName::parse(kind, id));
            // A pack in another pack's folder can't be read under its name: not an object.
            let Some(name) = parsed.filter(|name| self.of(name) == entry.path()) else {
                continue;
            };
            let found = fs::metadata(entry.path()).or_else(|_| fs::symlink_metadata(entry.path()));
            match found {
                // Whoever asks for what is no file gets the error, and goes on with the others.
                Ok(meta) => each(name, if meta.is_file() { meta.len() } else { 0 })?,
                // Deleted since the folder was read.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(Operation::List, name, e)),
            }
        }
        Ok(())
    }

    /// None of a folder that is missing below a root that is there.
    fn entries(&self, folder: &str) -> Result<impl Iterator<Item = io::Result<fs::DirEntry>> + use<>> {
        let entries = match fs::read_dir(self.at(folder)) {
            Ok(entries) => Some(entries),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.check_root(Operation::List)?;
                None
            }
            Err(e) => return Err(failed(Operation::List, folder, e)),
        };
        Ok(entries.into_iter().flatten())
    }
}

impl Remote for PortableLocal {
    fn location(&self) -> String {
        self.shared.path.display().to_string()
    }

    fn begin(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(PortableStaged::create(&self.shared)?))
    }

    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        let opened = File::open(self.shared.of(name));
        let mut file = opened.map_err(|e| {
            let why = self.shared.why_not(Operation::Read, name, e);
            why.unwrap_or_else(|| Error::missing(name))
        })?;
        let meta = file.metadata().map_err(|e| failed(Operation::Stat, name, e))?;
        if !meta.is_file() {
            return Err(not_a_file(Operation::Read, name, Cause::NotARegularFile));
        }
        if offset >= meta.len() {
            return Ok(());
        }
        let read = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(len as u64).read_to_end(out));
        read.map(drop).map_err(|e| {
            out.clear();
            failed(Operation::Read, name, e)
        })
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        match fs::metadata(self.shared.of(name)) {
            Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
            Ok(_) => Err(not_a_file(Operation::Stat, name, Cause::NotARegularFile)),
            Err(e) => self
                .shared
                .why_not(Operation::Stat, name, e)
                .map_or(Ok(None), Err),
        }
    }

    fn list(&self, kind: Kind, each: &mut dyn FnMut(ObjectName, u64) -> Result<()>) -> Result<()> {
        let packs = Kind::Pack.folder();
        match kind {
            Kind::Config => {
                self.shared.check_root(Operation::List)?;
                match self.size(&ObjectName::config())? {
                    Some(size) => each(ObjectName::config(), size),
                    None => Ok(()),
                }
            }
            Kind::Pack => {
                for entry in self.shared.entries(packs)? {
                    let entry = entry.map_err(|e| failed(Operation::List, packs, e))?;
                    let name = entry.file_name();
                    let prefix = name
                        .to_str()
                        .filter(|name| name.len() == 2 && is_hex(name.as_bytes()));
                    if let Some(prefix) = prefix {
                        self.shared
                            .list_folder(&format!("{packs}/{prefix}"), kind, each)?;
                    }
                }
                Ok(())
            }
            _ => self.shared.list_folder(kind.folder(), kind, each),
        }
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        let path = self.shared.of(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.shared.check_root(Operation::Delete)?,
            Err(e) => return Err(failed(Operation::Delete, name, e)),
        }
        // Also if it was gone already: the process that removed it may not have made that durable.
        self.shared.touch(files::folder_of(&path));
        Ok(())
    }

    fn barrier(&self) -> Result<()> {
        let _all = self.shared.barrier.lock();
        let mut folders = {
            let mut unsynced = self.shared.unsynced.lock();
            if unsynced.failed {
                let why = Cause::SyncFailed.into_io(io::ErrorKind::Other);
                return Err(failed(Operation::Sync, self.location(), why));
            }
            std::mem::take(&mut unsynced.folders)
        };
        while let Some(folder) = folders.pop_last() {
            match files::sync_folder(&folder) {
                Ok(()) => {}
                // Removed since: its own entry is in the one above.
                Err(e) if e.kind() == io::ErrorKind::NotFound && folder != self.shared.path => {}
                Err(e) => {
                    self.shared.unsynced.lock().failed = true;
                    return Err(failed(Operation::Sync, folder.as_path(), e));
                }
            }
        }
        Ok(())
    }

    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> Result<u64> {
        let mut doubtful = Vec::new();
        for entry in self.shared.entries(STAGING)? {
            let entry = entry.map_err(|e| failed(Operation::List, STAGING, e))?;
            let name = entry.file_name();
            let is_staged = |name: &str| name.len() == STAGED_NAME && is_hex(name.as_bytes());
            let is_file = fs::symlink_metadata(entry.path()).is_ok_and(|meta| meta.is_file());
            if !name.to_str().is_some_and(is_staged) || !is_file {
                continue;
            }
            // One that can't be opened is another user's.
            let Ok(file) = open_to_lock(&entry.path()) else {
                continue;
            };
            if !has_writer(&file) {
                doubtful.push(entry.path());
            }
        }
        let mut swept = 0;
        // Locks may be this machine's own: the sessions decide.
        if !doubtful.is_empty() && all_ended()? {
            for path in doubtful {
                swept += u64::from(sweep(&path).map_err(|e| failed(Operation::Sweep, path.as_path(), e))?);
            }
        }
        Ok(swept)
    }

    fn replace(&self, name: &ObjectName, bytes: &[u8]) -> Result<()> {
        let mut staged = PortableStaged::create(&self.shared)?;
        staged.write(bytes)?;
        staged.sync(name)?;
        let path = self.shared.of(name);
        fs::rename(&staged.temporary, &path).map_err(|e| failed(Operation::Replace, name, e))?;
        self.shared.touch(files::folder_of(&path));
        self.barrier()
    }

    fn create_reserve(&self) -> Result<()> {
        let path = self.shared.at(RESERVE);
        let made = || {
            let mut file = match File::options().write(true).create_new(true).open(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
                file => file?,
            };
            // Of bytes that no file system compresses.
            let seed: [u8; 32] = random().map_err(io::Error::other)?;
            let mut bytes = vec![0; RESERVE_BYTES];
            blake3::Hasher::new()
                .update(&seed)
                .finalize_xof()
                .fill(&mut bytes);
            let written = file.write_all(&bytes).and_then(|()| file.sync_all());
            if written.is_err() {
                // Half a reserve would be in the way of a whole one later.
                fs::remove_file(&path)?;
            }
            written
        };
        self.shared.check_root(Operation::SetAside)?;
        made().map_err(|e| failed(Operation::SetAside, RESERVE, e))
    }

    fn release_reserve(&self) -> Result<bool> {
        self.shared.check_root(Operation::Free)?;
        match fs::remove_file(self.shared.at(RESERVE)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(failed(Operation::Free, RESERVE, e)),
        }
    }
}

/// A file in the staging folder; goes with the value.
struct PortableStaged {
    shared: Arc<PortableState>,
    file: File,
    temporary: PathBuf,
    /// A write failed: how much of it was done is not known, so the rest must never get a name.
    failed: bool,
}

impl PortableStaged {
    fn create(shared: &Arc<PortableState>) -> Result<Self> {
        let folder = shared.at(STAGING);
        private::create_dir_all(&folder).map_err(|e| failed(Operation::Create, &shared.path, e))?;
        for _ in 0..TRIES {
            let temporary = folder.join(hex::encode(random::<16>()?));
            let file = File::options().write(true).create_new(true).open(&temporary);
            let file = file.map_err(|e| failed(Operation::Create, temporary.as_path(), e))?;
            if lock::hold_new(&file) {
                return Ok(PortableStaged {
                    shared: shared.clone(),
                    file,
                    temporary,
                    failed: false,
                });
            }
        }
        let why = Cause::StagingVolatile.into_io(io::ErrorKind::Other);
        Err(failed(Operation::WriteTo, STAGING, why))
    }

    /// Tried once: after a failed sync a second one could succeed without having written what is lost.
    fn sync(&self, name: &ObjectName) -> Result<()> {
        match self.failed {
            true => Err(Error::WriterFailed),
            false => self
                .file
                .sync_data()
                .map_err(|e| failed(Operation::Sync, name, e)),
        }
    }
}

impl Staged for PortableStaged {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.failed {
            return Err(Error::WriterFailed);
        }
        self.file.write_all(bytes).map_err(|e| {
            self.failed = true;
            failed(Operation::Write, self.temporary.as_path(), e)
        })
    }

    fn publish(self: Box<Self>, name: &ObjectName) -> Result<Published> {
        self.sync(name)?;
        let path = self.shared.of(name);
        let folder = files::folder_of(&path);
        let link = || fs::hard_link(&self.temporary, &path);
        let linked = match link() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                private::create_dir_all(folder).and_then(|()| link())
            }
            linked => linked,
        };
        let published = match linked {
            Ok(()) => Published::Created,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Published::Exists,
            Err(e) => return Err(failed(Operation::Publish, name, e)),
        };
        // A name that exists is noted too: its publisher may not have reached a barrier, and our caller relies on it.
        self.shared.touch(folder);
        Ok(published)
    }
}

impl Drop for PortableStaged {
    fn drop(&mut self) {
        // What can't be removed counts for nothing and is left to the sweep.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Some file systems lock only what can be written to.
fn open_to_lock(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Whether a process holds it locked. Where nobody does, it is locked for this one as long as `file` lives.
fn has_writer(file: &File) -> bool {
    matches!(lock::try_lock(file), Ok(false))
}

/// Removes an unpublished write unless it has got a writer since it was looked at: one that had made its file and not
/// locked it yet. The lock is held meanwhile, so that such a writer makes another file.
fn sweep(path: &Path) -> io::Result<bool> {
    let removed = open_to_lock(path).and_then(|file| match has_writer(&file) {
        true => Ok(false),
        false => fs::remove_file(path).map(|()| true),
    });
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed,
    }
}

fn failed(operation: Operation, object: impl Into<Object>, source: impl Into<io::Error>) -> Error {
    Error::remote(operation, object, source.into())
}

/// An object's name is taken by something that can't be read as one. It is there, so it never counts as missing (I-9).
fn not_a_file(operation: Operation, name: &ObjectName, cause: Cause) -> Error {
    failed(operation, name, cause.into_io(io::ErrorKind::InvalidData))
}
