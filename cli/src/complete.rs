//! What can stand at the end of an unfinished command line, from the definitions of the parser alone. What only settings
//! or a repository know is named ([`Wanted`]) and found by [`crate::cmd::complete`].

pub mod line;

use clap::{Arg, Command};
use service::resolve::RepositoryOptions;
use service::settings::values::SourceSnapshot;
use std::ffi::OsString;

/// One word that can stand there, and what it means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub text: String,
    pub help: String,
}

impl Candidate {
    pub fn new(text: impl Into<String>, help: impl Into<String>) -> Candidate {
        Candidate {
            text: text.into(),
            help: help.into(),
        }
    }
}

/// What a value is, beside words that the parser knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    Sets,
    Remotes,
    Snapshots,
    Hosts,
    Tags,
    Profiles,
    Files,
    Folders,
}

/// What can stand at the cursor.
#[derive(Default, Debug)]
pub struct Place {
    /// All of these, whatever was typed of them.
    pub words: Vec<Candidate>,
    pub wanted: Vec<Wanted>,
    /// What stands before the value in the same word: `--set=`, `host,`.
    pub before: String,
    /// What was typed of it.
    pub begun: String,
    /// The options that say which repository it is about.
    pub repository: RepositoryOptions,
    pub profile: Option<OsString>,
}

/// `words` are those after the program's name; the last one is unfinished, or empty.
pub fn place(parser: &Command, words: &[String]) -> Place {
    let (last, typed) = words
        .split_last()
        .map_or(("", words), |(last, typed)| (last.as_str(), typed));
    let mut walk = Walk {
        root: parser,
        command: parser,
        names: Vec::new(),
        positionals: Vec::new(),
        open: None,
        only_positionals: false,
        place: Place::default(),
    };
    for word in typed {
        walk.step(word);
    }
    walk.finish(last)
}

struct Walk<'a> {
    root: &'a Command,
    command: &'a Command,
    /// Of the commands that led there.
    names: Vec<&'a str>,
    positionals: Vec<String>,
    /// The option whose value comes next.
    open: Option<&'a Arg>,
    /// After `--`.
    only_positionals: bool,
    place: Place,
}

impl<'a> Walk<'a> {
    fn step(&mut self, word: &str) {
        if let Some(option) = self.open.take() {
            self.note(option, word);
        } else if self.only_positionals {
            self.positionals.push(word.to_string());
        } else if word == "--" {
            self.only_positionals = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long
                .split_once('=')
                .map_or((long, None), |(name, value)| (name, Some(value)));
            match (self.long(name), value) {
                (Some(option), Some(value)) => self.note(option, value),
                (option, None) => self.open = option,
                (None, Some(_)) => {}
            }
        } else if word.len() > 1 && word.starts_with('-') {
            self.shorts(word);
        } else {
            let command = self.command.find_subcommand(word);
            match command.filter(|_| self.positionals.is_empty()) {
                Some(command) => {
                    self.names.push(command.get_name());
                    self.command = command;
                }
                None => self.positionals.push(word.to_string()),
            }
        }
    }

    /// An option that takes a value, by its long name.
    fn long(&self, name: &str) -> Option<&'a Arg> {
        let mut options = self.command.get_arguments().filter(|arg| takes_value(arg));
        options.find(|arg| {
            arg.get_long() == Some(name) || arg.get_all_aliases().unwrap_or_default().contains(&name)
        })
    }

    /// `-vr URL` and `-rURL`.
    fn shorts(&mut self, word: &str) {
        for (at, short) in word.char_indices().skip(1) {
            let mut options = self.command.get_arguments().filter(|arg| takes_value(arg));
            let Some(option) = options.find(|arg| arg.get_short() == Some(short)) else {
                continue;
            };
            match word.get(at + short.len_utf8()..).unwrap_or_default() {
                "" => self.open = Some(option),
                value => self.note(option, value),
            }
            return;
        }
    }

    /// Notes a value that says which repository is meant.
    fn note(&mut self, option: &Arg, value: &str) {
        let repository = &mut self.place.repository;
        let place = match option.get_id().as_str() {
            "repo" => &mut repository.repo,
            "repository_file" => &mut repository.repository_file,
            "password_file" => &mut repository.password_file,
            "password_command" => &mut repository.password_command,
            "key_file" => &mut repository.key_file,
            "recovery_phrase_file" => &mut repository.recovery_phrase_file,
            "profile" => &mut self.place.profile,
            _ => return,
        };
        *place = Some(value.into());
    }

    fn finish(mut self, last: &str) -> Place {
        self.place.begun = last.to_string();
        if let Some(option) = self.open {
            self.value(option);
        } else if !self.only_positionals && last.starts_with('-') {
            match last.split_once('=') {
                Some((name, value)) => {
                    self.place.before = format!("{name}=");
                    self.place.begun = value.to_string();
                    if let Some(option) = self.long(name.trim_start_matches('-')) {
                        self.value(option);
                    }
                }
                None => self.place.words = options(self.command),
            }
        } else {
            self.positional();
        }
        self.place
    }

    fn positional(&mut self) {
        if self.names == ["help"] {
            self.place.words = topics(self.root, &self.positionals);
            return;
        }
        if self.positionals.is_empty() && !self.only_positionals {
            self.place.words = commands(self.command);
        }
        let all: Vec<&Arg> = self.command.get_positionals().collect();
        if let Some(arg) = all.get(self.positionals.len()).or(all.last()).copied()
            && (self.positionals.len() < all.len() || is_repeated(arg))
        {
            self.value(arg);
        }
    }

    fn value(&mut self, arg: &Arg) {
        let values = arg.get_possible_values();
        let values = values.iter().filter(|value| !value.is_hide_set());
        let values = values.map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            Candidate::new(value.get_name(), help)
        });
        self.place.words.extend(values);
        let (words, wanted) = meaning(&self.names, arg);
        let words = words.iter().map(|word| Candidate::new(*word, ""));
        self.place.words.extend(words);
        self.place.wanted.extend(wanted);
        if is_list(arg)
            && let Some((before, begun)) = self.place.begun.rsplit_once(',')
        {
            self.place.before = format!("{}{before},", self.place.before);
            self.place.begun = begun.to_string();
        }
    }
}

fn takes_value(arg: &Arg) -> bool {
    !arg.is_positional() && arg.get_action().takes_values()
}

fn is_repeated(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// The name of a value in the help.
fn value_name(arg: &Arg) -> &str {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map_or(arg.get_id().as_str(), |name| name.as_str())
}

fn is_list(arg: &Arg) -> bool {
    matches!(value_name(arg), "TAG[,TAG]" | "host,paths,tags")
}

/// What a value means by its name in the help: words, and what else it can be.
fn meaning(names: &[&str], arg: &Arg) -> (&'static [&'static str], &'static [Wanted]) {
    use Wanted::{Files, Folders, Hosts, Profiles, Remotes, Sets, Snapshots, Tags};
    match (names, value_name(arg)) {
        (_, "SET" | "SET|ID") | (["set", "edit" | "remove"], "NAME") => (&[], &[Sets]),
        (_, "SET|SNAPSHOT") => (&["latest"], &[Sets, Snapshots]),
        (_, "SNAPSHOT" | "SNAPSHOT[:SUBPATH]") => (&["latest"], &[Snapshots]),
        (_, "SNAPSHOT|PATH") => (&["latest"], &[Snapshots, Files]),
        (["remote", "remove"], "NAME") | (_, "REMOTE") => (&[], &[Remotes]),
        (_, "NAME|URL" | "URL") => (&[], &[Remotes, Folders]),
        (_, "HOST") => (&[], &[Hosts]),
        (_, "TAG[,TAG]") => (&[], &[Tags]),
        (_, "NAME") if arg.get_id() == "profile" => (&[], &[Profiles]),
        (_, "FILE" | "PATH" | "SOURCE" | "FILE.zip") => (&[], &[Files]),
        (_, "DIR") => (&[], &[Folders]),
        (_, "original|desktop|downloads|DIR") => (&["original", "desktop", "downloads"], &[Folders]),
        (_, "host,paths,tags") => (&["host", "paths", "tags"], &[]),
        (_, "MODE") => (SourceSnapshot::WORDS, &[]),
        (_, "LEVEL") => (&["auto", "fastest", "better", "max"], &[]),
        _ => (&[], &[]),
    }
}

fn commands(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let shown = shown.map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        Candidate::new(command.get_name(), about)
    });
    shown.collect()
}

/// What `help` explains.
fn topics(root: &Command, words: &[String]) -> Vec<Candidate> {
    let mut command = root;
    for word in words {
        let Some(next) = command.find_subcommand(word) else {
            return Vec::new();
        };
        command = next;
    }
    let mut topics = commands(command);
    if words.is_empty() {
        topics.extend(["env", "excludes", "exit-codes"].map(|topic| Candidate::new(topic, "")));
    }
    topics
}

/// The long options of a command, those of every command last.
fn options(command: &Command) -> Vec<Candidate> {
    let mut arguments: Vec<&Arg> = command.get_arguments().collect();
    arguments.retain(|arg| !arg.is_hide_set() || arg.is_global_set());
    arguments.sort_by_key(|arg| arg.is_global_set());
    let options = arguments.into_iter().filter_map(|arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        Some(Candidate::new(format!("--{}", arg.get_long()?), help))
    });
    options.collect()
}

#[cfg(test)]
mod tests;
