//! A repository that is there already, as an interrupted setup or another machine may have made it: what opens it is found or
//! asked for, and the guided start goes on with it.

use super::{Guide, shown};
use service::catalogue::report::setup::{self as say, Ask};
use service::face::Face;
use service::repo;
use service::secret::{PasswordPrompt, SecretSource};
use service::units::escape;
use service::{Failure, setup};
use std::path::{Path, PathBuf};

impl Guide<'_> {
    /// What opens it. `None` if backups are to go elsewhere. `key` is what probably does, `name` what the remote will be
    /// called.
    pub(super) fn opener(
        &self,
        (url, key): (&str, Option<PathBuf>),
        name: &str,
    ) -> Result<Option<SecretSource>, Failure> {
        let place = escape(repo::shown(url).as_bytes());
        let found = match setup::kept_opener(self.context(), (url, key), name, self.terminal) {
            Ok(found) => found,
            Err(failure) => {
                self.tell_failure(&failure);
                self.tell(&say::try_another(self.lang()));
                return Ok(None);
            }
        };
        let source = match found {
            Some(source) => source,
            None => {
                self.tell(&say::repository_there(self.lang(), &place));
                match self.asked_opener(url, name)? {
                    Some(source) => source,
                    None => return Ok(None),
                }
            }
        };
        let file = shown(file_of(&source));
        self.tell(&say::repository_used(self.lang(), &place, &file, name));
        Ok(Some(source))
    }

    fn asked_opener(&self, url: &str, name: &str) -> Result<Option<SecretSource>, Failure> {
        loop {
            let opened = match self.choose(Ask::Opener, &["key", "password", "other"])? {
                "other" => return Ok(None),
                "password" => self.password_of(url, name),
                _ => self.key_file_of(url),
            };
            if let Some(source) = opened? {
                return Ok(Some(source));
            }
        }
    }

    /// `None` if the file that is named does not open the repository.
    fn key_file_of(&self, url: &str) -> Result<Option<SecretSource>, Failure> {
        let answer = self.ask(Ask::KeyFile, "")?;
        if answer.is_empty() {
            return Ok(None);
        }
        let opened = setup::key_file(&self.context().env, &answer).and_then(|path| {
            let source = SecretSource::KeyFile(path);
            setup::open(self.context(), url, &source, self.terminal).map(|()| source)
        });
        Ok(opened.map_err(|failure| self.tell_failure(&failure)).ok())
    }

    /// The same of a password that is typed, which then is written down.
    fn password_of(&self, url: &str, name: &str) -> Result<Option<SecretSource>, Failure> {
        self.say_where_password(name)?;
        let password = self.terminal.password(PasswordPrompt::Known)?;
        let Some(password) = password.filter(|password| !password.expose().is_empty()) else {
            return Ok(None);
        };
        let typed = SecretSource::Password(password.clone());
        if let Err(failure) = setup::open(self.context(), url, &typed, self.terminal) {
            self.tell_failure(&failure);
            return Ok(None);
        }
        let path = setup::keep_password(&self.context().env, name, &password)?;
        Ok(Some(SecretSource::PasswordFile(path)))
    }
}

fn file_of(source: &SecretSource) -> &Path {
    match source {
        SecretSource::KeyFile(path) | SecretSource::PasswordFile(path) => path,
        // Nothing else is kept or asked for.
        _ => Path::new(""),
    }
}
