//! Tokens for programs: each has a name, and is kept as a hash, for a token of 256 random bits needs no slow one. It is
//! shown once. Tokens stand in a file of the state directory, read for each request, so that one that a command revokes
//! is refused at once.

use crate::gate::{is_same, token};
use jiff::Timestamp;
use serde_json::{Value, json};
use service::catalogue::{Action, Cause, ConsoleFault};
use service::platform::files;
use service::run::LocalDirs;
use service::settings::is_name;
use service::{Context, Failure};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Tokens of one console.
const TOKENS_MAX: usize = 100;
/// The file is no larger.
const FILE_MAX: u64 = 256 << 10;
/// What every token begins with, so that it is known for what it is where it turns up.
const PREFIX: &str = "dedup_";

/// A token, without itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub name: String,
    /// Hexadecimal BLAKE3.
    hash: String,
    pub created: Timestamp,
    /// It may start and stop runs, not only read.
    pub may_change: bool,
}

/// A token that was made now.
pub struct NewToken {
    pub token: Token,
    /// What a program sends. It is not kept.
    pub secret: String,
}

/// Where tokens are kept.
#[derive(Clone)]
pub struct Tokens {
    file: PathBuf,
}

fn hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

fn fault(fault: ConsoleFault) -> Failure {
    Cause::Console { fault }.into()
}

impl Tokens {
    /// Those of this machine.
    pub fn of(context: &Context) -> Result<Tokens, Failure> {
        Ok(Tokens::at(&context.dirs()?))
    }

    pub(crate) fn at(dirs: &LocalDirs) -> Tokens {
        Tokens {
            file: dirs.state.join("console").join("tokens.json"),
        }
    }

    /// Oldest first.
    pub fn list(&self) -> Result<Vec<Token>, Failure> {
        let mut text = String::new();
        match File::open(&self.file).and_then(|file| file.take(FILE_MAX).read_to_string(&mut text)) {
            Ok(_) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(e) => return Err(Cause::system(Action::Read, &self.file, e).into()),
        }
        let rows: Option<Vec<Token>> = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|rows| rows.as_array()?.iter().map(parsed).collect());
        rows.ok_or_else(|| {
            let path = self.file.display().to_string();
            fault(ConsoleFault::TokenFile { path })
        })
    }

    /// A new token.
    pub fn add(&self, name: &str, may_change: bool, now: Timestamp) -> Result<NewToken, Failure> {
        let mut all = self.list()?;
        let name = name.to_string();
        if !is_name(&name) {
            return Err(Cause::NotAName { text: name }.into());
        }
        if all.iter().any(|known| known.name == name) {
            return Err(fault(ConsoleFault::TokenTaken { name }));
        }
        if all.len() >= TOKENS_MAX {
            return Err(fault(ConsoleFault::TooManyTokens));
        }
        let secret = format!("{PREFIX}{}", token()?);
        let token = Token {
            name,
            hash: hash(&secret),
            created: now,
            may_change,
        };
        all.push(token.clone());
        self.keep(&all)?;
        Ok(NewToken { token, secret })
    }

    /// From now on it opens nothing.
    pub fn revoke(&self, name: &str) -> Result<(), Failure> {
        let mut all = self.list()?;
        let before = all.len();
        all.retain(|known| known.name != name);
        if all.len() == before {
            let name = name.to_string();
            return Err(fault(ConsoleFault::NoToken { name }));
        }
        self.keep(&all)
    }

    /// The token that a program sent.
    pub(crate) fn find(&self, secret: &str) -> Result<Option<Token>, Failure> {
        let sent = hash(secret);
        let all = self.list()?.into_iter();
        // Each is compared, so that the time says nothing of which one it was.
        let found = all.filter(|known| is_same(&known.hash, &sent));
        Ok(found.fold(None, |_, known| Some(known)))
    }

    fn keep(&self, all: &[Token]) -> Result<(), Failure> {
        let rows: Vec<Value> = all
            .iter()
            .map(|one| {
                json!({
                    "name": one.name,
                    "hash": one.hash,
                    "created": one.created.to_string(),
                    "may_change": one.may_change,
                })
            })
            .collect();
        let text = format!("{:#}\n", Value::from(rows));
        let written = files::atomic_write(&self.file, text.as_bytes());
        Ok(written.map_err(|e| Cause::system(Action::Write, &self.file, e))?)
    }
}

fn parsed(row: &Value) -> Option<Token> {
    let text = |name: &str| row.get(name)?.as_str().map(String::from);
    Some(Token {
        name: text("name")?,
        hash: text("hash")?,
        created: text("created")?.parse().ok()?,
        may_change: row.get("may_change")?.as_bool()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_found_and_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::at(&LocalDirs {
            cache: dir.path().join("cache"),
            state: dir.path().join("state"),
        });
        let now = Timestamp::from_second(1_795_737_600).unwrap();
        assert!(tokens.list().unwrap().is_empty() && tokens.find("x").unwrap().is_none());
        let made = tokens.add("grafana", false, now).unwrap();
        let other = tokens.add("cron", true, now).unwrap();
        assert!(made.secret.starts_with("dedup_") && made.secret.len() == 70);
        assert_eq!(tokens.find(&made.secret).unwrap().unwrap().name, "grafana");
        assert!(tokens.find(&other.secret).unwrap().unwrap().may_change);
        for wrong in ["", "dedup_", &made.secret[..69], &made.token.hash] {
            assert!(tokens.find(wrong).unwrap().is_none(), "{wrong}");
        }
        let kept = std::fs::read_to_string(&tokens.file).unwrap();
        assert!(!kept.contains(&made.secret) && kept.contains(&made.token.hash));
        assert!(
            tokens
                .add("cron", false, now)
                .err()
                .unwrap()
                .message()
                .contains("cron")
        );
        assert!(tokens.add("a b", false, now).is_err());
        tokens.revoke("grafana").unwrap();
        assert!(tokens.find(&made.secret).unwrap().is_none());
        assert!(tokens.revoke("grafana").is_err());
        files::atomic_write(&tokens.file, b"[{}]").unwrap();
        assert!(
            tokens.find(&other.secret).is_err(),
            "a file that is none is not an empty one"
        );
    }
}
