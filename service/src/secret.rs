//! Secrets, where they come from, and reading them from files. What was read is wiped when it is dropped and never shown,
//! not even by `{:?}`.

use crate::catalogue::{Cause, Unfit, What};
use crate::failure::Failure;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No password or phrase is longer; what is, is the wrong file.
pub(crate) const MOST_BYTES: usize = 64 << 10;

/// Text that is wiped after use and not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    pub fn new(text: &str) -> Hidden {
        Hidden(Zeroizing::new(text.to_string()))
    }

    /// Takes a text over, without a copy.
    pub fn take(text: String) -> Hidden {
        Hidden(Zeroizing::new(text))
    }

    pub(crate) fn of(text: Zeroizing<String>) -> Hidden {
        Hidden(text)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretSource {
    Password(Hidden),
    PasswordFile(PathBuf),
    PasswordCommand(OsString),
    PasswordFd(u32),
    KeyFile(PathBuf),
    PhraseFile(PathBuf),
    /// The person in front of the face.
    Prompt,
}

/// What a prompt asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordPrompt {
    /// The password that opens a repository.
    Known,
    /// A further password that is to be: asked for twice.
    New,
    /// The same for a repository that is made now.
    First,
}

/// The first line of a file, not empty.
pub fn read_first_line(what: What, path: &Path) -> Result<Hidden, Failure> {
    let text = read_file(what.clone(), path)?;
    first_line(&text).ok_or_else(|| {
        let path = path.display().to_string();
        Cause::EmptyFile { what, path }.into()
    })
}

/// A short file of text.
pub fn read_file(what: What, path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = File::open(path).map_err(Unfit::from).and_then(read_text);
    text.map_err(|why| {
        let path = path.display().to_string();
        Cause::CannotRead { what, path, why }.into()
    })
}

/// Everything, if it is short and UTF-8. The buffer never grows, so that no copy is left behind.
pub(crate) fn read_text(from: impl Read) -> Result<Zeroizing<String>, Unfit> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    from.take(MOST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(Unfit::from)?;
    if bytes.len() > MOST_BYTES {
        return Err(Unfit::TooLong {
            most: MOST_BYTES as u64,
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Unfit::NotUtf8)?;
    // What editors put before a text to mark it as UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(Zeroizing::new(text.to_string()))
}

pub(crate) fn first_line(text: &str) -> Option<Hidden> {
    let line = text.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    (!line.is_empty()).then(|| Hidden::new(line))
}
