//! The local cache as a whole: a folder per repository below one root, disposable at any moment. What is in a folder
//! is `chunkstore`'s; here it is only measured and removed, never beneath a process that uses it.

use crate::error::{Error, Result};
use crate::platform::{lock, private, process};
use chunkstore::error::Operation;
use chunkstore::id::is_hex;
use chunkstore::opening;
use std::fs::{DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};

/// A folder of this name is ours whatever it holds.
const OWN_NAME: &str = "dedup";

/// One repository's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// The repository's id, hexadecimal.
    pub repository: String,
    pub path: PathBuf,
    pub bytes: u64,
}

/// What [`clear`] did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cleared {
    pub bytes: u64,
    /// Repositories whose folder another process uses: left as they were.
    pub busy: Vec<String>,
}

/// Folders below `root`, by repository; what is not named like one is not ours.
pub fn folders(root: &Path) -> Result<Vec<Folder>> {
    let mut found = Vec::new();
    for entry in entries(root)? {
        let name = entry.file_name();
        let Some(repository) = name.to_str().filter(|name| is_id(name)) else {
            continue;
        };
        if is_dir(&entry)? {
            let (path, repository) = (entry.path(), repository.to_string());
            let bytes = size(&path)?;
            found.push(Folder {
                repository,
                path,
                bytes,
            });
        }
    }
    found.sort_by(|a, b| a.repository.cmp(&b.repository));
    Ok(found)
}

/// Empties every folder that is not in use.
pub fn clear(root: &Path) -> Result<Cleared> {
    let mut cleared = Cleared::default();
    // What is noted of places is short, and the next opening notes it anew.
    remove_but(&root.join(opening::NOTES), |_| false)?;
    for folder in folders(root)? {
        let index = folder.path.join("index");
        match lock_all(&folder.path)? {
            Some(locks) => {
                // The lock files stay: another process may have opened one and be about to lock it.
                remove_but(&index, |name| name.ends_with(".lock"))?;
                remove_but(&folder.path, |name| name == "index")?;
                drop(locks);
                cleared.bytes += folder.bytes;
            }
            None => cleared.busy.push(folder.repository),
        }
    }
    Ok(cleared)
}

/// Makes the root of the caches, or of this machine's notes, for its owner only. What was there for others too is taken
/// from them, unless it is a folder that holds other things.
pub fn make_root(root: &Path) -> io::Result<()> {
    private::create_dir_all(root)?;
    if process::owns(&std::fs::metadata(root)?) && (root.ends_with(OWN_NAME) || ours(root)?.is_some()) {
        // It may be a file system that knows no modes.
        let _ = private::tighten(root);
    }
    Ok(())
}

/// Takes all that is ours in such a folder from everybody but its owner.
pub fn tighten(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_ours) {
            private::tighten_all(&entry.path());
        }
    }
}

/// Nothing where something else is there too.
fn ours(root: &Path) -> io::Result<Option<()>> {
    for entry in std::fs::read_dir(root)? {
        if !entry?.file_name().to_str().is_some_and(is_ours) {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

/// Names that are ours in the roots of the caches and of the notes.
fn is_ours(name: &str) -> bool {
    let known = [
        opening::NOTES,
        "console",
        "drill",
        "machine",
        "repositories",
        "storage",
        "remotes",
        "history",
        "logs",
        "notify",
        "runs",
        "usage",
    ];
    is_id(name) || known.contains(&name)
}

fn is_id(name: &str) -> bool {
    name.len() == 32 && is_hex(name.as_bytes())
}

fn failed(operation: Operation, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::io(operation, path, source)
}

/// Nothing where there is no such folder.
fn entries(dir: &Path) -> Result<Vec<DirEntry>> {
    match std::fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list
            .and_then(Iterator::collect)
            .map_err(failed(Operation::List, dir)),
    }
}

/// A link to a directory is none.
fn is_dir(entry: &DirEntry) -> Result<bool> {
    let kind = entry
        .file_type()
        .map_err(failed(Operation::Examine, &entry.path()))?;
    Ok(kind.is_dir())
}

fn size(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in entries(dir)? {
        if is_dir(&entry)? {
            bytes += size(&entry.path())?;
            continue;
        }
        match entry.metadata() {
            Ok(meta) => bytes += meta.len(),
            // Removed since it was listed, by the process that uses the cache.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(Operation::Examine, &entry.path())(e)),
        }
    }
    Ok(bytes)
}

/// Locks every copy of the index and every run's own folder; `None` where one is in use.
fn lock_all(folder: &Path) -> Result<Option<Vec<File>>> {
    let copies = entries(&folder.join("index"))?;
    let copies = copies.iter().map(DirEntry::path);
    let copies = copies.filter(|path| path.extension().is_some_and(|end| end == "lock"));
    let copies = copies.map(|path| (lock_file(&path), path));
    let runs = entries(&folder.join("scratch"))?;
    let runs = runs.iter().map(DirEntry::path);
    let runs = runs.map(|path| (lock::try_lock_folder(&path), path));
    let mut locks = Vec::new();
    for (locked, path) in copies.chain(runs) {
        match locked {
            // Its run has ended.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            locked => match locked.map_err(failed(Operation::Lock, &path))? {
                Some(lock) => locks.push(lock),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(locks))
}

fn lock_file(path: &Path) -> io::Result<Option<File>> {
    let file = File::open(path)?;
    Ok(lock::try_lock_soon(&file)?.then_some(file))
}

fn remove_but(dir: &Path, stays: impl Fn(&str) -> bool) -> Result<()> {
    for entry in entries(dir)? {
        if entry.file_name().to_str().is_some_and(&stays) {
            continue;
        }
        let path = entry.path();
        let removed = match is_dir(&entry)? {
            true => std::fs::remove_dir_all(&path),
            false => std::fs::remove_file(&path),
        };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(Operation::Remove, &path)(e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_and_cleared_but_not_while_in_use() {
        let root = tempfile::tempdir().unwrap();
        let folder = |digit: &str| {
            let copy = root.path().join(digit.repeat(32)).join("index/0");
            std::fs::create_dir_all(&copy).unwrap();
            std::fs::write(copy.join("data"), [0; 100]).unwrap();
            std::fs::write(copy.with_extension("lock"), "").unwrap();
            copy
        };
        let (free, used) = (folder("a"), folder("b"));
        let foreign = root.path().join("somebody-elses");
        std::fs::create_dir_all(&foreign).unwrap();
        let list = folders(root.path()).unwrap();
        let sizes: Vec<(&str, u64)> = list.iter().map(|f| (&f.repository[..1], f.bytes)).collect();
        assert_eq!(sizes, [("a", 100), ("b", 100)]);
        let lock = File::options()
            .write(true)
            .open(used.with_extension("lock"))
            .unwrap();
        lock::lock(&lock).unwrap();
        let cleared = clear(root.path()).unwrap();
        assert_eq!((cleared.bytes, cleared.busy), (100, vec!["b".repeat(32)]));
        assert!(!free.exists() && free.with_extension("lock").exists());
        assert!(used.join("data").exists() && foreign.exists());
        drop(lock);
        let run = chunkstore::scratch::ScratchDir::new(&root.path().join("b".repeat(32))).unwrap();
        assert_eq!(clear(root.path()).unwrap().busy, ["b".repeat(32)]);
        drop(run);
        assert_eq!(clear(root.path()).unwrap().busy, Vec::<String>::new());
        assert!(!used.exists());
    }

    #[test]
    fn roots_are_the_owners_and_shared_folders_stay() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let open = |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        let root = dir.path().join("a/own");
        make_root(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        std::fs::create_dir(root.join("c".repeat(32))).unwrap();
        open(&root);
        make_root(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        std::fs::write(root.join("letter"), "").unwrap();
        for path in [&root, &root.join("c".repeat(32)), &root.join("letter")] {
            open(path);
        }
        make_root(&root).unwrap();
        tighten(&root);
        assert_eq!((mode(&root), mode(&root.join("letter"))), (0o755, 0o755));
        assert_eq!(mode(&root.join("c".repeat(32))), 0o700);
    }

    #[test]
    fn no_cache_is_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(folders(&root.path().join("none")).unwrap(), []);
        assert_eq!(clear(&root.path().join("none")).unwrap(), Cleared::default());
    }
}
