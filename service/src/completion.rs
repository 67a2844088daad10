//! What a shell offers for completion beside the words of the command line: nothing is asked of anybody, nothing is
//! reported, and nothing takes long. What can't be found out so is not offered.

use crate::context::Context;
use crate::env::Env;
use crate::face::Nobody;
use crate::listing;
use crate::resolve::{self, Location};
use crate::secret::SecretSource;
use crate::settings;
use engine::facts::SnapshotInfo;
use engine::repo;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How long snapshots are looked for in a repository on this machine, and in one on a network.
const NEAR: Duration = Duration::from_secs(10);
const FAR: Duration = Duration::from_millis(1500);
/// How long the end is waited for of what was given up.
const END: Duration = Duration::from_millis(200);

/// The snapshots of the repository that was asked for, the newest first; none if finding them takes longer than a moment, or
/// if it opens only by what somebody or a command would have to be asked for.
pub fn snapshots(context: Context) -> Vec<SnapshotInfo> {
    let Ok(location) = context.location() else {
        return Vec::new();
    };
    let within = match repo::local_path(&location.url) {
        Some(_) => NEAR,
        None => FAR,
    };
    let cancel = context.cancel().clone();
    let (answer, answered) = sync_channel(1);
    let looking = std::thread::Builder::new().name("complete".to_string());
    let started = looking.spawn(move || {
        let found = look(&context, &location);
        // Nobody waits any more.
        let _ = answer.send(found);
    });
    if started.is_err() {
        return Vec::new();
    }
    let found = answered.recv_timeout(within).unwrap_or_else(|_| {
        cancel.cancel();
        let _too_late = answered.recv_timeout(END);
        None
    });
    found.unwrap_or_default()
}

fn look(context: &Context, location: &Location) -> Option<Vec<SnapshotInfo>> {
    let mut sources = resolve::opening(&context.options, &context.env, location).ok()?;
    sources.retain(opens_by_itself);
    if sources.is_empty() {
        return None;
    }
    let opened = context.open_with(location, sources, &Nobody).ok()?;
    let listed = listing::read_outlines(context, &opened, &Nobody).ok();
    context.tighten();
    let mut facts = listed?.facts;
    facts.reverse();
    Some(facts)
}

/// Without a question: a command may ask for a password, and what an open file gives can be read only once.
fn opens_by_itself(source: &SecretSource) -> bool {
    match source {
        SecretSource::Password(_)
        | SecretSource::PasswordFile(_)
        | SecretSource::KeyFile(_)
        | SecretSource::PhraseFile(_) => true,
        SecretSource::PasswordCommand(_) | SecretSource::PasswordFd(_) | SecretSource::Prompt => false,
    }
}

/// The names of the settings files that can be chosen as profiles.
pub fn profiles(env: &Env) -> Vec<String> {
    let file = settings::file_in_use(env).unwrap_or_default();
    let folder = file.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let files = folder.into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let names = names.filter_map(|name| name.strip_suffix(".toml").map(String::from));
    let mut names: Vec<String> = names.filter(|name| settings::is_name(name)).collect();
    names.sort();
    names
}
