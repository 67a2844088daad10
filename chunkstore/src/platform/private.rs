//! Files and folders for their owner only, whatever the umask: the cache, and what a machine notes.

use super::folders::{folder_of, sync_folder};
use super::system;
use crate::simulation::{self, LocalStep};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::path::Path;

/// Folders whose many files are made privately, or go with the run; what a drill restores must stay as it is.
const MANY: [&str; 3] = ["kept", "scratch", "drill"];

/// Makes a folder and what is missing above it, durably: what is later made durable in it is not lost with it.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    let mut builder = DirBuilder::new();
    system::make_private_folder(builder.recursive(true)).create(path)?;
    for folder in new.into_iter().rev() {
        simulation::local_step(LocalStep::MakeFolder(folder), || Ok(()))?;
        sync_folder(folder_of(folder))?;
    }
    Ok(())
}

/// Makes a folder that is not there yet, in one that is; it may be lost with the power.
pub fn create_dir(path: &Path) -> io::Result<()> {
    system::make_private_folder(&mut DirBuilder::new()).create(path)
}

/// For the owner only where it makes a new file.
pub(super) fn for_the_owner(options: &mut OpenOptions) -> &mut OpenOptions {
    system::make_private_file(options)
}

/// Takes a file or folder from all but its owner.
pub fn tighten(path: &Path) -> io::Result<()> {
    system::tighten(path, &fs::symlink_metadata(path)?)
}

/// The same for everything below a folder too. What can't be changed, or has gone in the meantime, is skipped: it is
/// another user's, or another run's.
pub fn tighten_all(path: &Path) {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return;
    };
    let _ = system::tighten(path, &meta);
    if !meta.is_dir()
        || path
            .file_name()
            .is_some_and(|name| MANY.iter().any(|many| name == *many))
    {
        return;
    }
    let Ok(list) = fs::read_dir(path) else { return };
    for entry in list.flatten() {
        tighten_all(&entry.path());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::platform::files;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |below: &str| fs::metadata(dir.path().join(below)).unwrap().permissions().mode() & 0o777;
        create_dir_all(&dir.path().join("a/b")).unwrap();
        files::write_hint(&dir.path().join("a/b/c"), b"x").unwrap();
        assert_eq!((mode("a"), mode("a/b"), mode("a/b/c")), (0o700, 0o700, 0o600));
        for (below, bits) in [("a", 0o777), ("a/b", 0o755), ("a/b/c", 0o644)] {
            fs::set_permissions(dir.path().join(below), PermissionsExt::from_mode(bits)).unwrap();
        }
        let outside = dir.path().join("outside");
        fs::write(&outside, "").unwrap();
        fs::set_permissions(&outside, PermissionsExt::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("a/link")).unwrap();
        tighten_all(&dir.path().join("a"));
        assert_eq!((mode("a"), mode("a/b"), mode("a/b/c")), (0o700, 0o700, 0o600));
        assert_eq!(mode("outside"), 0o644);
    }
}
