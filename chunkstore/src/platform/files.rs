//! Replacing and creating local files atomically: other processes, and the next run after a crash, find the old file or
//! the new one, never a part.
//!
//! What a machine must not lose, such as notes on a repository, settings and keys, is on the disk when the call returns:
//! [`atomic_write`], [`rewrite`], [`create`]. What is in a cache is a hint that its readers verify (I-6), and no call
//! waits for the disk: [`write_hint`].

pub use super::folders::{folder_of, sync_folder};
use super::{private, system};
use crate::simulation::{self, LocalStep};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

/// A folder that is always there, for a library that wants one and writes nothing into it.
pub(crate) const ALWAYS_THERE: &str = system::ALWAYS_THERE;

/// What a new file takes over.
enum Rights {
    /// For its owner only.
    Private,
    /// Those of the file that it replaces; for its owner only where there is none.
    Kept,
}

/// Replaces the file at `path`, or creates it with the folders above it, readable by its owner only. Once this returns, the
/// new file survives a power failure. An error or a crash before that leaves the old file; a crash may also leave a
/// temporary file `*.new` beside it.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    simulation::local_write(path, bytes, || replace(path, bytes, &Rights::Private))
}

/// The same for a file that the user maintains: it keeps its permissions, and a symbolic link at `path` is followed.
pub fn rewrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    simulation::local_write(path, bytes, || replace(path, bytes, &Rights::Kept))
}

/// Replaces a file like [`atomic_write`], but does not wait for the disk: after a power failure it may be old, missing or
/// cut short.
pub fn write_hint(path: &Path, bytes: &[u8]) -> io::Result<()> {
    simulation::local_write(path, bytes, || {
        private::create_dir_all(folder_of(path))?;
        let (temporary, file) = create_beside(path)?;
        undo_unless(&temporary, || {
            fill(&temporary, file, bytes)?;
            name(&temporary, path, || fs::rename(&temporary, path))
        })
    })
}

/// Opens a file to read and write it, and makes it, readable by its owner only, where there is none. Its folder must exist.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    private::for_the_owner(&mut options).open(path)
}

/// Creates a file, readable by its owner only, with the folders above it. [`io::ErrorKind::AlreadyExists`] if anything has
/// that name; of several processes that try, one succeeds. Once this returns, the file survives a power failure. On an
/// error there is no such file.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    simulation::local_write(path, bytes, || {
        // First, so that an existing file is found even where nothing can be written.
        if path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        private::create_dir_all(folder_of(path))?;
        let (temporary, file) = create_beside(path)?;
        let linked = undo_unless(&temporary, || {
            fill(&temporary, file, bytes).and_then(sync(&temporary))?;
            name(&temporary, path, || fs::hard_link(&temporary, path))?;
            fs::remove_file(&temporary)
        });
        match linked {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => create_in_place(path, bytes),
            linked => linked,
        }?;
        sync_folder(folder_of(path))
    })
}

/// For file systems without hard links. A crash may leave a part of the file.
fn create_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = create_new(path)?;
    undo_unless(path, || fill(path, file, bytes).and_then(sync(path)))
}

/// Sets a file's time to now, which marks it as in use.
pub(crate) fn touch(file: &File) -> io::Result<()> {
    file.set_modified(SystemTime::now())
}

/// Two numbers that no other file of this machine has while this one exists.
pub fn identity(file: &File) -> io::Result<(u64, u64)> {
    system::identity(file)
}

fn replace(path: &Path, bytes: &[u8], rights: &Rights) -> io::Result<()> {
    let folder = folder_of(path);
    private::create_dir_all(folder)?;
    let kept: Option<Permissions> = match rights {
        Rights::Private => None,
        Rights::Kept => fs::metadata(path).ok().map(|meta| meta.permissions()),
    };
    let (temporary, file) = create_beside(path)?;
    undo_unless(&temporary, || {
        kept.map_or(Ok(()), |kept| file.set_permissions(kept))?;
        fill(&temporary, file, bytes).and_then(sync(&temporary))?;
        name(&temporary, path, || fs::rename(&temporary, path))
    })?;
    sync_folder(folder)
}

/// A new file under a name that no other process or thread uses, in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id();
    loop {
        let number = NUMBER.fetch_add(1, Relaxed);
        let temporary = path.with_added_extension(format!("{process:x}-{number:x}.new"));
        match create_new(&temporary) {
            // A dead process of this number has left it.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            file => return Ok((temporary, file?)),
        }
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    private::for_the_owner(options.write(true).create_new(true)).open(path)
}

fn fill(path: &Path, mut file: File, bytes: &[u8]) -> io::Result<File> {
    simulation::local_step(LocalStep::Write(path), || file.write_all(bytes)).map(|()| file)
}

fn sync(path: &Path) -> impl FnOnce(File) -> io::Result<()> {
    move |file| simulation::local_step(LocalStep::SyncFile(path), || file.sync_all())
}

fn name(temporary: &Path, path: &Path, name: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let step = LocalStep::Name {
        from: temporary,
        to: path,
    };
    simulation::local_step(step, name)
}

/// Removes the file at `path` again where `act` fails.
fn undo_unless(path: &Path, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    act().inspect_err(|_| {
        // The error says why it failed. What may be left is part of a file, under a name that is never read.
        let _ = fs::remove_file(path);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = names
            .map(|name| name.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_replaced_whole_and_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/note.x");
        for write in [atomic_write, rewrite, write_hint] {
            for bytes in [b"one".as_slice(), b"", b"longer"] {
                write(&path, bytes).unwrap();
                assert_eq!(fs::read(&path).unwrap(), bytes);
                assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o600, 0o700));
                assert_eq!(names(&dir.path().join("a/b")), ["note.x"]);
            }
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
        assert!(atomic_write(&path, b"x").is_err() && write_hint(&path, b"x").is_err());
        assert_eq!(names(&dir.path().join("a/b")), ["note.x"], "nothing is left");
    }

    #[test]
    fn a_users_file_keeps_its_rights_and_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("dotfiles"), dir.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        rewrite(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"new".to_vec(), 0o644));
        atomic_write(&link, b"own").unwrap();
        assert!(!link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn a_new_file_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/key");
        let made: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8u8)
                .map(|n| {
                    let path = &path;
                    scope.spawn(move || match create(path, &[n; 9]) {
                        Ok(()) => 1,
                        Err(e) => {
                            assert_eq!(e.kind(), io::ErrorKind::AlreadyExists);
                            0
                        }
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        let bytes = fs::read(&path).unwrap();
        assert!(made == 1 && bytes.len() == 9 && bytes.iter().all(|b| *b == bytes[0]));
        assert_eq!(
            (mode(&path), names(&dir.path().join("a"))),
            (0o600, vec!["key".into()])
        );
        assert_eq!(
            create_in_place(&path, b"x").unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        let dangling = dir.path().join("dangling");
        symlink(dir.path().join("none"), &dangling).unwrap();
        for taken in [path.as_path(), &dangling, dir.path()] {
            assert_eq!(
                create(taken, b"x").unwrap_err().kind(),
                io::ErrorKind::AlreadyExists
            );
        }
        create_in_place(&path.with_extension("b"), b"x").unwrap();
        assert_eq!(fs::read(path.with_extension("b")).unwrap(), b"x");
    }
}
