//! Reading what opens a repository: from the environment's value, a file, an open file, a command or the person in front of
//! the face, never from arguments.

use crate::catalogue::{Cause, Unfit, What};
use crate::face::Face;
use crate::failure::Failure;
use crate::secret::{
    Hidden, PasswordPrompt, SecretSource, first_line, read_file, read_first_line, read_text,
};
use engine::platform::{child, process};
use engine::{StoreError, key};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

/// What can open a repository. A key file's content is the engine's to read and check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    Password(Hidden),
    KeyFile(PathBuf),
    /// As it was written.
    Phrase(Hidden),
}

/// Reads a secret from where it is.
pub fn read(source: &SecretSource, prompt: PasswordPrompt, face: &dyn Face) -> Result<Credential, Failure> {
    let password = match source {
        SecretSource::KeyFile(path) => return Ok(Credential::KeyFile(path.clone())),
        SecretSource::PhraseFile(path) => {
            let text = read_file(What::Phrase, path)?;
            return Ok(Credential::Phrase(Hidden::of(text)));
        }
        SecretSource::Password(password) => password.clone(),
        SecretSource::PasswordFile(path) => read_first_line(What::Password, path)?,
        SecretSource::PasswordFd(fd) => read_first_line(What::Password, &open_file(*fd)?)?,
        SecretSource::PasswordCommand(command) => run(command)?,
        SecretSource::Prompt => ask(prompt, face)?,
    };
    Ok(Credential::Password(password))
}

/// The path of an open file, which needs no unsafe code to read.
fn open_file(fd: u32) -> Result<PathBuf, Failure> {
    process::path_of_descriptor(fd).ok_or_else(|| Cause::NoDescriptors.into())
}

/// The first line that a shell command prints. It sees no password of ours and no standard input, which may be data.
fn run(line: &OsStr) -> Result<Hidden, Failure> {
    let failed = |why: Unfit| Failure::from(Cause::PasswordCommand { why });
    let mut command = child::shell(line).map_err(|e| failed(e.into()))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = child::start(move || command.spawn()).map_err(|e| failed(e.into()))?;
    let text = match child.stdout.take() {
        Some(stdout) => read_text(stdout),
        None => Err(Unfit::NoOutput),
    };
    let status = child.wait().map_err(|e| failed(e.into()))?;
    let text = text.map_err(failed)?;
    if !status.success() {
        return Err(failed(Unfit::Ended(status)));
    }
    first_line(&text).ok_or_else(|| failed(Unfit::PrintedNothing))
}

/// Asks the person in front of the face.
fn ask(prompt: PasswordPrompt, face: &dyn Face) -> Result<Hidden, Failure> {
    let Some(password) = face.password(prompt)? else {
        let cause = match prompt {
            PasswordPrompt::Known => Cause::NoPassword,
            PasswordPrompt::New => Cause::NoNewPassword,
            PasswordPrompt::First => Cause::NoFirstPassword,
        };
        return Err(cause.into());
    };
    match password.expose().is_empty() {
        true => Err(Cause::EmptyPassword.into()),
        false => Ok(password),
    }
}

/// What the engine takes for what was read. Text that can't be a key or phrase opens nothing.
pub fn unlocking(credential: &Credential) -> Result<key::Secret, Failure> {
    let useless = |e: StoreError| useless(None, e);
    match credential {
        Credential::Password(password) => Ok(key::Secret::Password(key::Password::new(password.expose()))),
        Credential::KeyFile(path) => read_key_file(path),
        Credential::Phrase(phrase) => key::parse_phrase(phrase.expose()).map_err(useless),
    }
}

pub fn read_key_file(path: &Path) -> Result<key::Secret, Failure> {
    let text = read_file(What::KeyFile, path)?;
    key::parse_key_file(&text).map_err(|e| useless(Some(path.display().to_string()), e))
}

fn useless(name: Option<String>, error: StoreError) -> Failure {
    let error = Arc::new(error.into());
    Cause::UselessSecret { name, error }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Nobody;
    use crate::secret::MOST_BYTES;
    use crate::status::Status;
    use std::fs::File;

    fn password(source: &SecretSource) -> Result<String, Failure> {
        match read(source, PasswordPrompt::Known, &Nobody)? {
            Credential::Password(hidden) => Ok(hidden.expose().to_string()),
            other => panic!("not a password: {other:?}"),
        }
    }

    #[test]
    fn from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = |content: &[u8]| {
            let path = dir.path().join("secret");
            std::fs::write(&path, content).unwrap();
            path
        };
        let rows: &[(&[u8], &str)] = &[
            (b"word", "word"),
            (b"word\n", "word"),
            (b"word\r\nmore\n", "word"),
            (b"\xef\xbb\xbfword\n", "word"),
            (b" two words \n", " two words "),
        ];
        for (content, want) in rows {
            assert_eq!(
                password(&SecretSource::PasswordFile(file(content))).as_deref(),
                Ok(*want)
            );
        }
        for content in [
            b"".as_slice(),
            b"\n",
            b"\r\nlate",
            b"\xff\xfe",
            &[b'a'; MOST_BYTES + 1],
        ] {
            let failure = password(&SecretSource::PasswordFile(file(content))).unwrap_err();
            assert_eq!(failure.status, Status::BadSettings);
        }
        let missing = password(&SecretSource::PasswordFile(dir.path().join("none"))).unwrap_err();
        assert!(missing.message().contains("none"));
        let phrase = read(
            &SecretSource::PhraseFile(file(b" one two\n  three\r\n")),
            PasswordPrompt::Known,
            &Nobody,
        )
        .unwrap();
        assert_eq!(phrase, Credential::Phrase(Hidden::new(" one two\n  three\r\n")));
    }

    #[cfg(unix)]
    #[test]
    fn from_open_files() {
        use std::os::fd::AsRawFd;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "word\n").unwrap();
        let file = File::open(dir.path().join("secret")).unwrap();
        assert_eq!(
            password(&SecretSource::PasswordFd(file.as_raw_fd() as u32)).as_deref(),
            Ok("word")
        );
        assert_eq!(
            password(&SecretSource::PasswordFd(1_000_000)).unwrap_err().status,
            Status::BadSettings
        );
    }

    #[cfg(unix)]
    #[test]
    fn from_commands() {
        let run = |line: &str| password(&SecretSource::PasswordCommand(line.into()));
        assert_eq!(run("echo 'a b'; echo more").as_deref(), Ok("a b"));
        assert_eq!(
            run("printf '%s' \"$HOME\" | wc -l | tr -d ' '").as_deref(),
            Ok("0")
        );
        assert_eq!(run("cat; echo read nothing").as_deref(), Ok("read nothing"));
        for line in [
            "exit 3",
            "echo word; exit 1",
            "true",
            "echo",
            "/no/such/command",
            "yes",
        ] {
            let failure = run(line).unwrap_err();
            assert_eq!(failure.status, Status::BadSettings, "{line}");
            assert!(!failure.message().contains("word;"), "{line}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let shown = format!(
            "{:?} {:?}",
            SecretSource::Password(Hidden::new("sesame")),
            Credential::Phrase(Hidden::new("sesame"))
        );
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
