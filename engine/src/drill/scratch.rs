//! The folder that a drill restores into: for its owner only, locked while the drill lives, and removed in the end. One that
//! nobody holds locked is what a drill that was killed has left, and the next one removes it.

use crate::error::{Error, Result};
use crate::fsmeta::{Target, set_flags};
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::platform::paths::to_bytes;
use crate::platform::{lock, private, space};
use crate::problem::RestoreProblem;
use chunkstore::error::Operation;
use chunkstore::id::random;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What is left free beside what is restored: directories, and what others write meanwhile.
const SPARE: u64 = 64 << 20;

pub(super) struct DrillFolder {
    path: PathBuf,
    /// Held as long as the drill lives. A file system may know no locks.
    _lock: Option<File>,
}

impl DrillFolder {
    /// Makes a folder in the first of these places that has room for so many bytes.
    pub fn make(places: &[PathBuf], room: u64) -> Result<DrillFolder> {
        let mut failure = None;
        for place in places {
            match space::of(place) {
                Ok(disk) if disk.free < room.saturating_add(SPARE) => {
                    let object = place.into();
                    failure.get_or_insert(Error::Store(chunkstore::Error::NoSpace { object }));
                }
                _ => match below(place) {
                    Ok(folder) => return Ok(folder),
                    Err(e) => failure = failure.or(Some(e)),
                },
            }
        }
        let nowhere = || {
            Error::io(
                Operation::CreateFolder,
                "",
                io::Error::from(io::ErrorKind::NotFound),
            )
        };
        Err(failure.unwrap_or_else(nowhere))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with all that is in it.
    pub fn remove(self, monitor: &dyn Monitor) {
        if let Err(e) = remove_tree(&self.path) {
            let why = RestoreProblem::Io {
                operation: Operation::Remove,
                error: e.into(),
            };
            monitor.problem(&Problem {
                path: to_bytes(&self.path).into_owned(),
                what: ProblemKind::Restore(RestoreProblem::NotRemoved(Box::new(why))),
            });
        }
    }
}

fn below(place: &Path) -> Result<DrillFolder> {
    loop {
        let path = place.join(hex::encode(random::<8>()?));
        let made = private::create_dir_all(place).and_then(|()| private::create_dir(&path));
        made.map_err(|e| Error::io(Operation::CreateFolder, path.clone(), e))?;
        match lock::try_lock_folder(&path) {
            // Another drill took it for what a dead one has left, before it was locked.
            Ok(None) => continue,
            Ok(Some(_)) | Err(_) if !path.is_dir() => continue,
            Ok(lock) => return Ok(DrillFolder { path, _lock: lock }),
            Err(_) => return Ok(DrillFolder { path, _lock: None }),
        }
    }
}

/// Removes what drills that were killed have left. What can't be removed now may be removed another time.
pub(super) fn sweep(places: &[PathBuf]) {
    for place in places {
        let Ok(folders) = fs::read_dir(place) else {
            continue;
        };
        for folder in folders.flatten() {
            if matches!(lock::try_lock_folder(&folder.path()), Ok(Some(_))) {
                let _ = remove_tree(&folder.path());
            }
        }
    }
}

/// Removes a folder, also where what was restored has no permissions for that, or may not be changed.
fn remove_tree(top: &Path) -> io::Result<()> {
    if fs::remove_dir_all(top).is_ok() {
        return Ok(());
    }
    open_up(top);
    fs::remove_dir_all(top)
}

/// Gives what is in a folder the permissions and flags that its removal needs. What can't be changed shows when it is
/// removed.
fn open_up(top: &Path) {
    let mut folders = vec![top.to_path_buf()];
    while let Some(folder) = folders.pop() {
        unlock(&folder);
        if let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) {
            let name = to_bytes(Path::new(name)).into_owned();
            let _ = Target::open(above).and_then(|above| above.root().open_up_dir(&name));
        }
        // It may have had no permission to be read before.
        unlock(&folder);
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => unlock(&entry.path()),
                _ => {}
            }
        }
    }
}

/// Lets a file or folder be changed and removed.
fn unlock(path: &Path) {
    if let Ok(file) = File::open(path) {
        let _ = set_flags(&file, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Quiet;

    fn left(place: &Path) -> usize {
        fs::read_dir(place).unwrap().count()
    }

    #[test]
    fn what_a_dead_drill_has_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("drill");
        let places = [place.clone()];
        let alive = DrillFolder::make(&places, 0).unwrap();
        let dead = place.join("0123456789abcdef");
        fs::create_dir_all(dead.join("a/b")).unwrap();
        fs::write(dead.join("a/b/c"), "x").unwrap();
        for folder in ["a/b", "a"] {
            let closed = Target::open(&dead.join(folder)).unwrap();
            closed.root().set_mode(0).unwrap();
        }
        sweep(&places);
        assert_eq!(left(&place), 1, "the other one lives");
        alive.remove(&Quiet);
        assert_eq!(left(&place), 0);
    }

    #[test]
    fn a_place_without_room_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let places = [dir.path().join("one")];
        let error = DrillFolder::make(&places, u64::MAX).err().unwrap();
        assert!(
            matches!(error, Error::Store(chunkstore::Error::NoSpace { .. })),
            "{error}"
        );
        assert!(!places[0].exists());
        // A file is where a folder is to be made.
        fs::write(dir.path().join("file"), "").unwrap();
        let places = [dir.path().join("file/x"), dir.path().join("two")];
        let folder = DrillFolder::make(&places, 0).unwrap();
        assert!(folder.path().starts_with(&places[1]));
        folder.remove(&Quiet);
    }
}
