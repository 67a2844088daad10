//! The folder that a drill restores into: for its owner only, locked while the drill lives, and removed in the end. One that
//! nobody holds locked is what a drill that was killed has left, and the next one removes it.
//!
//! It is made in a place that only this user may change. In a folder where everybody may make folders, such as `/tmp`,
//! somebody else may have made the place first, and could put a link where the restore is about to write. As the place lets
//! nobody else in, what is in it can be opened by its path.

use crate::error::{Error, Refusal, Result};
use crate::fsmeta::{Target, set_flags};
use crate::monitor::{Monitor, Problem, ProblemKind};
use crate::platform::paths::to_bytes;
use crate::platform::{lock, private, process, space};
use crate::problem::RestoreProblem;
use chunkstore::error::Operation;
use chunkstore::id::random;
use std::fs::{self, File, Metadata};
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
        make_place(place)?;
        let path = place.join(hex::encode(random::<8>()?));
        private::create_dir(&path).map_err(|e| Error::io(Operation::CreateFolder, path.clone(), e))?;
        match lock::try_lock_folder(&path) {
            // Another drill took it for what a dead one has left, before it was locked.
            Ok(None) => continue,
            Ok(Some(_)) | Err(_) if !path.is_dir() => continue,
            Ok(lock) => return Ok(DrillFolder { path, _lock: lock }),
            Err(_) => return Ok(DrillFolder { path, _lock: None }),
        }
    }
}

/// Makes a place, or takes one that is there from everybody but its owner. One that is not ours is refused.
fn make_place(place: &Path) -> Result<()> {
    let found = match fs::symlink_metadata(place) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            // Somebody may make it meanwhile.
            private::create_dir_all(place).and_then(|()| fs::symlink_metadata(place))
        }
        found => found,
    };
    let meta = found.map_err(|e| Error::io(Operation::CreateFolder, place, e))?;
    if !is_ours(&meta) {
        let folder = place.into();
        return Err(Error::Refused(Refusal::OpenToOthers { folder }));
    }
    // It may be a file system that knows no modes.
    let _ = private::tighten(place);
    Ok(())
}

/// Of what is there itself: a link to a folder is none.
fn is_ours(place: &Metadata) -> bool {
    place.is_dir() && process::only_we_may_change(place)
}

/// Whether a drill of this user may have made this. Anything else is left alone: a FIFO would be waited for without end.
fn is_of_a_drill(path: &Path) -> bool {
    let is_own = |meta: &Metadata| process::owner_of(meta).0 == process::user_id();
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir() && is_own(&meta))
}

/// Removes what drills that were killed have left. What can't be removed now may be removed another time.
pub(super) fn sweep(places: &[PathBuf]) {
    let is_own = |place: &&PathBuf| fs::symlink_metadata(place).is_ok_and(|meta| is_ours(&meta));
    for place in places.iter().filter(is_own) {
        let Ok(folders) = fs::read_dir(place) else {
            continue;
        };
        for folder in folders.flatten().map(|entry| entry.path()) {
            if is_of_a_drill(&folder) && matches!(lock::try_lock_folder(&folder), Ok(Some(_))) {
                let _ = remove_tree(&folder);
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

    #[cfg(unix)]
    #[test]
    fn a_place_that_others_may_change_is_refused() {
        use crate::platform::nobody::NOBODY;
        use std::os::unix::fs::{PermissionsExt, chown, symlink};
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str, mode: u32| {
            let place = dir.path().join(name);
            fs::create_dir_all(place.join("0123456789abcdef")).unwrap();
            fs::set_permissions(&place, PermissionsExt::from_mode(mode)).unwrap();
            place
        };
        let (open, shared, foreign) = (
            place("open", 0o777),
            place("shared", 0o770),
            place("foreign", 0o700),
        );
        chown(&foreign, Some(NOBODY), Some(NOBODY)).unwrap();
        let ours = place("ours", 0o755);
        let (link, dangling) = (dir.path().join("link"), dir.path().join("dangling"));
        symlink(&ours, &link).unwrap();
        symlink(dir.path().join("nowhere"), &dangling).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for refused in [&open, &shared, &foreign, &link, &dangling, &file] {
            let places = [refused.clone()];
            sweep(&places);
            let error = DrillFolder::make(&places, 0).err().unwrap();
            let want = Refusal::OpenToOthers {
                folder: refused.clone(),
            };
            assert_eq!(error, Error::Refused(want));
        }
        for untouched in [&open, &shared, &foreign, &ours] {
            assert_eq!(left(untouched), 1, "nothing is made or removed there");
        }
        assert!(!dir.path().join("nowhere").exists());
        // Where others may only read, they can't from now on.
        let made = DrillFolder::make(std::slice::from_ref(&ours), 0).unwrap();
        made.remove(&Quiet);
        assert_eq!(fs::metadata(&ours).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn what_no_drill_has_made_is_left_alone() {
        use crate::platform::nobody::NOBODY;
        use std::os::unix::fs::{chown, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (place, outside) = (dir.path().join("drill"), dir.path().join("outside"));
        private::create_dir_all(&place).unwrap();
        fs::create_dir(&outside).unwrap();
        let fifo = place.join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        symlink(&outside, place.join("link")).unwrap();
        fs::write(place.join("file"), "").unwrap();
        fs::create_dir(place.join("foreign")).unwrap();
        chown(place.join("foreign"), Some(NOBODY), Some(NOBODY)).unwrap();
        fs::create_dir(place.join("0123456789abcdef")).unwrap();
        // Opening the FIFO would wait for ever.
        let (done, ended) = std::sync::mpsc::channel();
        let places = [place.clone()];
        std::thread::spawn(move || {
            sweep(&places);
            done.send(()).unwrap();
        });
        ended.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(left(&place), 4);
        assert!(outside.exists() && !place.join("0123456789abcdef").exists());
    }
}
