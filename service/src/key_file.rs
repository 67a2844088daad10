//! Files that hold a secret or what it seals: made new, for the owner only, and durable before anything relies on them.

use crate::catalogue::{Action, Cause};
use crate::failure::Failure;
use crate::secret;
use engine::key;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A key file that is there, or was made now.
pub struct KeyFile {
    pub path: PathBuf,
    pub secret: key::Secret,
    pub made: bool,
}

impl KeyFile {
    /// Reads the key file at `path`, or makes one where there is none.
    pub fn read_or_make(path: &Path) -> Result<KeyFile, Failure> {
        let path = std::path::absolute(path).map_err(|e| Cause::system(Action::Locate, path, &e))?;
        let (text, secret) = key::new_key_file().map_err(engine::Error::from)?;
        match create_private(&path, text.as_bytes()) {
            Ok(()) => Ok(KeyFile {
                path,
                secret,
                made: true,
            }),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(KeyFile {
                secret: secret::read_key_file(&path)?,
                path,
                made: false,
            }),
            Err(e) => Err(Cause::system(Action::CreateKeyFile, &path, &e).into()),
        }
    }

    /// Takes back a file that was made for what then failed.
    pub fn unmake(&self) {
        if self.made {
            // It opens nothing; that it can't be removed is less than why we are here.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes `bytes` to a new file for the owner only, durably. On failure there is no file.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let new: Vec<PathBuf> = folder
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists())
        .map(Path::to_path_buf)
        .collect();
    make_folder(folder)?;
    let mut file = private().open(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(folder)?.sync_all())
        .and_then(|()| new.iter().try_for_each(|dir| sync_parent(dir)));
    if written.is_err() {
        std::fs::remove_file(path)?;
    }
    written
}

/// Makes the name of a new folder durable.
fn sync_parent(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(unix)]
pub fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
pub fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true).create_new(true);
    options
}

/// A failure to write a file of this kind that is there already.
pub fn exists(path: &Path) -> Failure {
    let path = path.display().to_string();
    Cause::Exists { path }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    #[cfg(unix)]
    #[test]
    fn made_once_for_the_owner_and_read_again() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/key");
        let first = KeyFile::read_or_make(&path).unwrap();
        assert!(first.made);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&dir.path().join("a/b"))), (0o600, 0o700));
        let again = KeyFile::read_or_make(&path).unwrap();
        let (key::Secret::KeyFile(a), key::Secret::KeyFile(b)) = (&first.secret, &again.secret) else {
            panic!("not keys")
        };
        assert!(!again.made && a == b);
        again.unmake();
        assert!(path.exists());
        first.unmake();
        assert!(!path.exists());
        std::fs::write(&path, "no key").unwrap();
        let failure = KeyFile::read_or_make(&path).err().unwrap();
        assert_eq!(failure.status, Status::WrongKey);
        assert_eq!(std::fs::read(&path).unwrap(), b"no key");
    }
}
