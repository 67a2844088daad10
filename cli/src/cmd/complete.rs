//! `complete`: what can follow an unfinished command line, for the scripts that [`super::completions`] prints. A line for
//! each word, with what it means after a tab; `#files` and `#folders` stand for what the shell itself knows.
//!
//! It asks nothing, reports nothing and takes a moment at most. What comes from a repository may be somebody else's, so
//! only what no shell reads as more than a word is offered.

use crate::args::parser;
use crate::args::program::CompleteArgs;
use crate::complete::{Candidate, Place, Wanted, line, place};
use crate::output;
use jiff::Zoned;
use service::env::Env;
use service::facts::SnapshotInfo;
use service::run::CancelToken;
use service::settings::{PROFILE, Settings};
use service::{Context, Failure, Status, completion, text};
use std::collections::BTreeSet;

/// So many of the newest are offered.
const MOST_SNAPSHOTS: usize = 100;

pub fn run(args: &CompleteArgs) -> Result<Status, Failure> {
    let (words, finished) = match &args.line {
        Some(text) => {
            let line = line::split(text);
            (line.words.into_iter().skip(1).collect(), line.finished)
        }
        None => {
            let words = args.words.iter().map(|word| word.to_string_lossy().into_owned());
            (words.collect::<Vec<_>>(), 0)
        }
    };
    let place = place(&parser(), &words);
    let found = lines(&place, known(&place), finished);
    output::write(found.as_bytes())
}

/// What the settings and the repository know of what can stand there.
fn known(place: &Place) -> Vec<Candidate> {
    let mut env = Env::of_process();
    if let Some(profile) = &place.profile {
        env = env.with(PROFILE, profile);
    }
    // What is wrong with them is for the command itself to say.
    let settings = Settings::read(&env).unwrap_or_default();
    let mut known = Vec::new();
    for wanted in &place.wanted {
        match wanted {
            Wanted::Sets => known.extend(
                settings
                    .set_names()
                    .into_iter()
                    .map(|name| Candidate::new(name, "")),
            ),
            Wanted::Remotes => {
                let remotes = settings.remotes.iter();
                known.extend(
                    remotes.map(|remote| Candidate::new(&remote.name, service::repo::shown(&remote.url))),
                );
            }
            Wanted::Profiles => {
                let names = completion::profiles(&env).into_iter();
                known.extend(names.map(|name| Candidate::new(name, "")));
            }
            Wanted::Snapshots | Wanted::Hosts | Wanted::Tags => {}
            Wanted::Files => known.push(Candidate::new("#files", "")),
            Wanted::Folders => known.push(Candidate::new("#folders", "")),
        }
    }
    let of_snapshots = |wanted: &Wanted| matches!(wanted, Wanted::Snapshots | Wanted::Hosts | Wanted::Tags);
    if place.wanted.iter().any(of_snapshots) {
        let repository = place.repository.clone();
        let context = Context::new(env, settings, repository, Zoned::now(), CancelToken::new());
        let snapshots = completion::snapshots(context);
        known.extend(place.wanted.iter().flat_map(|wanted| of(&snapshots, *wanted)));
    }
    known
}

fn of(snapshots: &[SnapshotInfo], wanted: Wanted) -> Vec<Candidate> {
    let words = |words: BTreeSet<&String>| words.into_iter().map(|word| Candidate::new(word, "")).collect();
    match wanted {
        Wanted::Snapshots => snapshots.iter().take(MOST_SNAPSHOTS).map(snapshot).collect(),
        Wanted::Hosts => words(snapshots.iter().map(|snapshot| &snapshot.host).collect()),
        Wanted::Tags => words(snapshots.iter().flat_map(|snapshot| &snapshot.tags).collect()),
        Wanted::Sets | Wanted::Remotes | Wanted::Profiles | Wanted::Files | Wanted::Folders => Vec::new(),
    }
}

fn snapshot(facts: &SnapshotInfo) -> Candidate {
    let paths = facts.paths.iter().map(|path| String::from_utf8_lossy(path));
    let paths: Vec<_> = paths.collect();
    let help = format!("{} {} {}", text::time(facts.time), facts.host, paths.join(" "));
    Candidate::new(text::short(&facts.id.to_hex()), help)
}

/// Without the first bytes of the word, which the shell has done with.
fn lines(place: &Place, known: Vec<Candidate>, finished: usize) -> String {
    let mut out = String::new();
    for candidate in place.words.iter().chain(&known) {
        let text = &candidate.text;
        if text.starts_with('#') {
            out += &format!("{text}\n");
        } else if text.starts_with(&place.begun) && is_plain(text) {
            let whole = format!("{}{text}", place.before);
            let help = candidate.help.lines().next().unwrap_or_default();
            let help: String = help.chars().filter(|c| !c.is_control()).take(100).collect();
            out += &format!("{}\t{help}\n", whole.get(finished..).unwrap_or_default());
        }
    }
    out
}

/// Whether every shell takes it for the word that it is.
fn is_plain(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@+:/%".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_word_that_fits() {
        let place = Place {
            words: vec![
                Candidate::new("host", "machine\nmore"),
                Candidate::new("paths", ""),
            ],
            before: "--group-by=host,".into(),
            begun: "h".into(),
            ..Place::default()
        };
        let known = vec![
            Candidate::new("home", "\u{1b}[2J"),
            Candidate::new("h$(reboot)", ""),
            Candidate::new("h i", ""),
            Candidate::new("#files", ""),
        ];
        let all = "--group-by=host,host\tmachine\n--group-by=host,home\t[2J\n#files\n";
        assert_eq!(lines(&place, known, 0), all);
        assert_eq!(lines(&place, Vec::new(), 11), "host,host\tmachine\n");
    }
}
