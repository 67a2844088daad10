//! Files and folders for their owner only, whatever the umask says: the cache, and what a machine notes.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::Path;

/// Folders whose many files are made privately, or go with the run.
const MANY: [&str; 2] = ["kept", "scratch"];

/// Makes a folder and what is missing above it.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file whole.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)
}

/// Takes a file or folder from all but its owner.
pub fn tighten(path: &Path) -> io::Result<()> {
    tighten_known(path, &fs::symlink_metadata(path)?)
}

#[cfg(unix)]
fn tighten_known(path: &Path, meta: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ if meta.is_symlink() => Ok(()),
        _ => fs::set_permissions(path, PermissionsExt::from_mode(mode & 0o700)),
    }
}

#[cfg(not(unix))]
fn tighten_known(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// The same for everything below a folder too. What can't be changed, or is gone meanwhile, is passed over: it is
/// another user's, or another run's.
pub fn tighten_all(path: &Path) {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return;
    };
    let _ = tighten_known(path, &meta);
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
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |below: &str| fs::metadata(dir.path().join(below)).unwrap().permissions().mode() & 0o777;
        create_dir_all(&dir.path().join("a/b")).unwrap();
        write(&dir.path().join("a/b/c"), b"x").unwrap();
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
