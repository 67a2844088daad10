//! Files that hold a secret or what it seals: made new, for the owner only, and on the disk before anything relies on them.

use crate::catalogue::{Action, Cause};
use crate::credential;
use crate::failure::Failure;
use engine::key;
use engine::platform::files;
use std::io;
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
        let path = std::path::absolute(path).map_err(|e| Cause::system(Action::Locate, path, e))?;
        let (text, secret) = key::new_key_file().map_err(engine::Error::from)?;
        match files::create(&path, text.as_bytes()) {
            Ok(()) => Ok(KeyFile {
                path,
                secret,
                made: true,
            }),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(KeyFile {
                secret: credential::read_key_file(&path)?,
                path,
                made: false,
            }),
            Err(e) => Err(Cause::system(Action::CreateKeyFile, &path, e).into()),
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
