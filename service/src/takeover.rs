//! The job `takeover`: this machine takes the place of another, whose settings its runs recorded in the repository
//! ([`crate::runs`]). The settings file is written as it was there, with that machine's name as `host`: so the next run of each
//! set compares with the snapshots that are there, and the set's retention goes on with them. What the file refers to and this
//! machine lacks (keys, passwords, sources) is listed.

use crate::catalogue::{Question, SetCause};
use crate::context::Context;
use crate::face::{Face, confirm};
use crate::failure::Failure;
use crate::redact::REMOVED;
use crate::resolve;
use crate::secret::SecretSource;
use crate::settings::edit::Draft;
use crate::settings::{self, Remote, Settings, nearest};
use engine::machines::{self, MachineRecord, RecordContent};
use engine::repo::{self, Repo};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Request {
    /// The machine whose place is taken, by its name in snapshots.
    pub host: String,
    /// Replace a settings file that is there without asking.
    pub yes: bool,
    /// Only report what would be written.
    pub dry_run: bool,
}

/// What this machine still needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Needed {
    ForRemote {
        remote: String,
        what: RemoteNeed,
    },
    /// No remote is at the URL from which the settings came.
    OtherPlace {
        url: String,
    },
    MailPassword {
        path: PathBuf,
    },
    /// A value that was not recorded because it is a secret, by the line of the settings file.
    Secret {
        line: usize,
        key: String,
    },
    Source {
        set: String,
        path: PathBuf,
    },
}

/// What a remote needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RemoteNeed {
    /// A file that opens it.
    KeyFile {
        path: PathBuf,
    },
    PasswordFile {
        path: PathBuf,
    },
    /// A command that prints its password; whether it does here is not known.
    PasswordCommand {
        command: String,
    },
    /// Nothing in the settings opens it.
    Password,
    /// Its directory holds no repository here.
    Repository {
        url: String,
    },
}

#[derive(Clone, Debug)]
pub struct Report {
    pub host: String,
    /// When the other machine recorded them.
    pub recorded: Timestamp,
    pub draft: Draft,
    pub written: bool,
    pub sets: Vec<String>,
    /// Snapshots of that machine.
    pub snapshots: u64,
    pub needed: Vec<Needed>,
}

pub fn run(context: &Context, request: &Request, face: &dyn Face) -> Result<Report, Failure> {
    let location = context.location()?;
    let repo = context.open(face)?;
    let record = recorded(context, &repo, &request.host)?;
    let RecordContent::Settings(text) = &record.content else {
        return Err(no_settings(&repo, &request.host, Vec::new())?);
    };
    let system = crate::machine::host(None, &context.env, None)?;
    let text = with_host(text, &record.host, &system)?;
    let draft = Draft {
        after: text,
        ..Draft::open(&context.env)?
    };
    let new = draft.check(&context.env).map_err(|failure| {
        let host = record.host.clone();
        failure.with(SetCause::RecordedSettings { host }.into())
    })?;
    // Before anything is written: whatever may fail of a takeover leaves the settings as they are.
    let (snapshots, _) = repo.outlines()?;
    let of_host = snapshots.iter().filter(|one| one.manifest.host == record.host);
    let url = resolve::absolute(&location.url)?;
    let mut written = false;
    if !request.dry_run && draft.is_change() {
        if !draft.before.is_empty() {
            let path = draft.path.display().to_string();
            confirm(face, request.yes, &Question::ReplaceSettings { path })?;
        }
        draft.write(&context.env)?;
        written = true;
    }
    Ok(Report {
        recorded: record.time,
        written,
        sets: new.set_names().into_iter().map(String::from).collect(),
        snapshots: of_host.count() as u64,
        needed: needed(context, &new, &draft.after, &url),
        host: record.host,
        draft,
    })
}

/// The newest settings that a machine of this name recorded: of the profile that was asked for, or of the usual one.
fn recorded(context: &Context, repo: &Repo, host: &str) -> Result<MachineRecord, Failure> {
    let profile = settings::profile(&context.env)?;
    let records = machines::newest(repo)?;
    let is_settings = |one: &&MachineRecord| matches!(one.content, RecordContent::Settings(_));
    let all = records.newest.iter().filter(is_settings);
    let fitting = all
        .clone()
        .filter(|one| one.host == host && one.profile == profile);
    if let Some(newest) = fitting.max_by_key(|one| one.time) {
        return Ok(newest.clone());
    }
    // What can't be read may be what was asked for.
    if let Some((_, error)) = records.unreadable.into_iter().next() {
        return Err(error.into());
    }
    let mut hosts: Vec<String> = all.map(|one| one.host.clone()).collect();
    hosts.sort();
    hosts.dedup();
    Err(no_settings(repo, host, hosts)?)
}

fn no_settings(repo: &Repo, host: &str, hosts: Vec<String>) -> Result<Failure, Failure> {
    let (snapshots, _) = repo.outlines()?;
    let has_snapshots = snapshots.iter().any(|one| one.manifest.host == host);
    let known: Vec<&str> = hosts.iter().map(String::as_str).collect();
    Ok(SetCause::NoSettingsOf {
        near: nearest(host, &known),
        host: host.to_string(),
        has_snapshots,
        hosts,
    }
    .into())
}

/// The settings of a machine for this one, which is called otherwise, or may be.
fn with_host(text: &str, host: &str, system: &str) -> Result<String, Failure> {
    let wrong = |e: toml_edit::TomlError| {
        let host = host.to_string();
        Failure::from(SetCause::RecordedSettings { host }).with(crate::catalogue::Cause::Said {
            what: e.message().to_string(),
        })
    };
    let document: toml_edit::DocumentMut = text.parse().map_err(wrong)?;
    if document.contains_key("host") || host == system {
        return Ok(text.to_string());
    }
    let mut line = toml_edit::DocumentMut::new();
    line.insert("host", toml_edit::value(host));
    let gap = if text.is_empty() { "" } else { "\n" };
    Ok(format!("{line}{gap}{text}"))
}

/// What the settings refer to and this machine lacks. `url` is where they came from.
fn needed(context: &Context, settings: &Settings, text: &str, url: &str) -> Vec<Needed> {
    let mut needed = Vec::new();
    let is_at = |remote: &Remote| resolve::absolute(&remote.url).is_ok_and(|one| one == url);
    if !settings.remotes.iter().any(is_at) {
        let url = repo::shown(url);
        needed.push(Needed::OtherPlace { url });
    }
    for remote in &settings.remotes {
        needed_for(context, remote, &mut needed);
    }
    if let Some(file) = settings
        .notify
        .mail
        .as_ref()
        .and_then(|mail| mail.password_file.as_ref())
        && let Ok(path) = file.expand(&context.env)
        && is_missing(&path)
    {
        needed.push(Needed::MailPassword { path });
    }
    needed.extend(secrets(text));
    for (name, set) in &settings.sets.0 {
        // A path that can't be expanded was refused.
        let paths = set
            .sources
            .iter()
            .filter_map(|source| source.expand(&context.env).ok());
        needed.extend(paths.filter(|path| is_missing(path)).map(|path| Needed::Source {
            set: name.get_ref().0.clone(),
            path,
        }));
    }
    needed
}

fn needed_for(context: &Context, remote: &Remote, needed: &mut Vec<Needed>) {
    let expanded = |path: &Path| {
        context
            .env
            .expand(path.as_os_str())
            .unwrap_or_else(|_| path.into())
    };
    let mut need = |what: RemoteNeed| {
        let remote = remote.name.clone();
        needed.push(Needed::ForRemote { remote, what });
    };
    for key in &remote.keys {
        match key {
            SecretSource::KeyFile(path) if is_missing(&expanded(path)) => {
                need(RemoteNeed::KeyFile { path: expanded(path) });
            }
            SecretSource::PasswordFile(path) if is_missing(&expanded(path)) => {
                need(RemoteNeed::PasswordFile { path: expanded(path) });
            }
            SecretSource::PasswordCommand(command) => need(RemoteNeed::PasswordCommand {
                command: command.to_string_lossy().into_owned(),
            }),
            _ => {}
        }
    }
    if remote.keys.is_empty() {
        need(RemoteNeed::Password);
    }
    let is_elsewhere = |path: &Path| is_missing(&expanded(path).join("config"));
    if repo::local_path(&remote.url).is_some_and(is_elsewhere) {
        let url = repo::shown(&remote.url);
        need(RemoteNeed::Repository { url });
    }
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err()
}

/// Values that were not recorded, by line.
fn secrets(text: &str) -> impl Iterator<Item = Needed> + '_ {
    let lines = text.lines().enumerate();
    let values = lines.filter(|(_, line)| line.contains(REMOVED) && !line.trim_start().starts_with('#'));
    values.map(|(nr, line)| Needed::Secret {
        line: nr + 1,
        key: line.split('=').next().unwrap_or_default().trim().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_comes_before_the_first_table() {
        let text = "[remotes.a]\nurl = \"/r\"\n";
        assert_eq!(with_host(text, "alpha", "alpha").unwrap(), text);
        let renamed = with_host(text, "al\"pha", "beta").unwrap();
        assert_eq!(renamed, format!("host = 'al\"pha'\n\n{text}"));
        let named = "host = \"alpha\"\n[remotes.a]\nurl = \"/r\"\n";
        assert_eq!(with_host(named, "alpha", "beta").unwrap(), named);
    }

    #[test]
    fn values_that_were_not_recorded() {
        let text = "# (removed)\n[notify.ping]\nurl = \"https://h/(removed)\"\n";
        let found: Vec<Needed> = secrets(text).collect();
        let key = "url".to_string();
        assert_eq!(found, [Needed::Secret { line: 3, key }]);
    }
}
