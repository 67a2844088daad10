//! Destinations that follow another one: which remotes do, and what to do where one holds no replica. The engine's advice
//! is for the repository that a command is about; where a replica belongs, another new repository would be in the way.

use crate::catalogue::{Cause, ReplicaCause};
use crate::failure::Failure;
use crate::resolve::Location;
use crate::settings::form::quoted;
use crate::settings::{Remote, Settings, is_name};
use engine::error::store::Refusal;
use engine::replicate::noted_place;
use engine::repo;
use engine::run::LocalDirs;
use engine::{Error, StoreError};

/// The set by which a remote follows that set's first destination. Of the sets that name the remote, the first one decides:
/// if two sets name each other's first destination, one of these comes first.
pub(crate) fn followed<'s>(settings: &'s Settings, remote: &str) -> Option<(&'s str, &'s Remote)> {
    let mut sets = settings.set_names().into_iter();
    sets.find_map(|name| {
        let set = settings.set(name)?;
        let mut names = set.destinations.iter().map(|name| name.get_ref().0.as_str());
        let first = names.next()?;
        match first == remote {
            true => Some(None),
            false => names
                .any(|name| name == remote)
                .then(|| settings.remote(first).map(|first| (name, first))),
        }
    })?
}

/// What `-r` names a repository by; nothing for the one that commands use without it. `url` is its absolute one.
pub(crate) fn option_for(settings: &Settings, location: &Location, url: &str) -> Option<String> {
    if location.embedded {
        return None;
    }
    let named = settings.remotes.iter().find(|remote| remote.url == url);
    Some(named.map_or_else(|| repo::shown(url), |remote| remote.name.clone()))
}

/// A destination that is to hold a replica.
pub(crate) struct Follower<'a> {
    /// What `-r` names the repository by that it follows.
    pub of: Option<&'a str>,
    /// A name, or a URL.
    pub name: &'a str,
    pub url: &'a str,
}

impl Follower<'_> {
    /// The command that makes a replica where it is now.
    pub fn command(&self) -> String {
        self.command_at(&quoted(&repo::shown(self.url)))
    }

    /// The same for a place that is still to be chosen, or to be cleared.
    pub fn command_elsewhere(&self) -> String {
        self.command_at("URL")
    }

    fn command_at(&self, place: &str) -> String {
        let of = match self.of {
            Some(of) => format!("-r {} ", quoted(of)),
            None => String::new(),
        };
        let name = if is_name(self.name) { self.name } else { "NAME" };
        format!("dedup {of}remote add {name} {place}")
    }

    /// A failure with what to do if there is no replica, but no repository or another one.
    pub fn explained(&self, dirs: &LocalDirs, failure: Failure) -> Failure {
        let Cause::Engine { error } = &failure.cause else {
            return failure;
        };
        match &**error {
            Error::Store(StoreError::NoRepository { .. }) => ReplicaCause::NoReplica {
                error: error.clone(),
                command: self.command(),
                was_there: noted_place(dirs, self.url).is_some(),
            }
            .into(),
            Error::Store(StoreError::Refused(Refusal::OtherRepository { .. })) => {
                let command = self.command_elsewhere();
                failure.with(ReplicaCause::InTheWay { command }.into())
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use std::path::Path;

    fn settings(sets: &str) -> Settings {
        let remotes = "[remotes.a]\nurl = '/a'\n[remotes.b]\nurl = '/b'\n[remotes.c]\nurl = '/c'\n";
        let text = format!("{remotes}{sets}");
        Settings::parse(Path::new("dedup.toml"), &text, &Env::of(&[])).unwrap()
    }

    #[test]
    fn the_first_set_decides() {
        let settings = settings(
            "[sets.x]\nsources = ['/s']\ndestinations = ['a', 'b']\n\
             [sets.y]\nsources = ['/s']\ndestinations = ['b', 'a']\n",
        );
        let of = |name| followed(&settings, name).map(|(set, first)| (set, first.name.as_str()));
        assert_eq!(of("a"), None);
        assert_eq!(of("b"), Some(("x", "a")));
        assert_eq!(of("c"), None);
    }

    #[test]
    fn commands_are_written_as_a_shell_reads_them() {
        let command = |of, name, url| Follower { of, name, url }.command();
        assert_eq!(
            command(Some("a"), "b", "/my disk"),
            "dedup -r a remote add b '/my disk'"
        );
        assert_eq!(command(None, "/b", "/b"), "dedup remote add NAME /b");
    }
}
