//! Why a destination can't have a replica, or a remote can't lose its name.

use super::{Lang, plain_error, say};
use crate::status::Status;
use std::sync::Arc;

/// A variant of [`super::Cause`].
#[derive(Clone, Debug)]
pub enum ReplicaCause {
    /// There is no repository where a replica belongs.
    NoReplica {
        error: Arc<engine::Error>,
        /// Makes a replica there.
        command: String,
        /// This machine found a repository there before.
        was_there: bool,
    },
    /// Follows from another cause: another repository is where a replica belongs.
    InTheWay {
        /// Makes a replica there.
        command: String,
    },
    /// The same, of the command that makes one.
    OtherThere,
    /// Sets are saved at a remote that is to lose its name.
    InUse {
        name: String,
        /// Each with the other destinations that it has.
        sets: Vec<(String, Vec<String>)>,
    },
}

impl ReplicaCause {
    pub fn status(&self) -> Status {
        match self {
            ReplicaCause::NoReplica { .. } => Status::NoRepository,
            ReplicaCause::InTheWay { .. } | ReplicaCause::OtherThere => Status::Failed,
            ReplicaCause::InUse { .. } => Status::BadSettings,
        }
    }

    pub fn text(&self, lang: Lang) -> String {
        match self {
            ReplicaCause::NoReplica {
                error,
                command,
                was_there,
            } => no_replica(lang, &plain_error(lang, error), command, *was_there),
            ReplicaCause::InTheWay { command } => in_the_way(lang, command),
            ReplicaCause::OtherThere => say!(
                lang,
                "choose another folder, or remove that repository first",
                "別のフォルダーを選ぶか、先にそのリポジトリーを削除してください"
            ),
            ReplicaCause::InUse { name, sets } => in_use(lang, name, sets),
        }
    }
}

fn no_replica(lang: Lang, what: &str, command: &str, was_there: bool) -> String {
    match was_there {
        true => say!(
            lang,
            "{what}; this machine found one there before: is a disk not mounted? If it is gone for good, '{command}' \
             makes a new replica there",
            "{what}。以前はそこにありました。ディスクが接続されていないのではありませんか。完全になくなったのなら、\
             '{command}' で新しいレプリカを作れます"
        ),
        false => say!(
            lang,
            "{what}; '{command}' makes a replica there",
            "{what}。'{command}' でそこにレプリカを作れます"
        ),
    }
}

/// What to do where another repository is in the place of a replica.
pub(crate) fn in_the_way(lang: Lang, command: &str) -> String {
    say!(
        lang,
        "give it another folder in dedup.toml, or remove that repository; then '{command}' makes a replica",
        "dedup.toml で別のフォルダーにするか、そのリポジトリーを削除してください。そのあと '{command}' でレプリカを作れます"
    )
}

fn in_use(lang: Lang, name: &str, sets: &[(String, Vec<String>)]) -> String {
    let names = sets.iter().map(|(set, _)| match lang {
        Lang::En => format!("'{set}'"),
        Lang::Ja => format!("「{set}」"),
    });
    let names = names.collect::<Vec<_>>().join(lang.pick(", ", ""));
    let command = |(set, others): &(String, Vec<String>)| {
        let others = match others.is_empty() {
            true => vec!["NAME".to_string()],
            false => others.clone(),
        };
        let options: String = others
            .iter()
            .map(|name| format!(" --destination {name}"))
            .collect();
        format!("'dedup set edit {set}{options}'")
    };
    let commands = sets.iter().map(command).collect::<Vec<_>>();
    let commands = commands.join(lang.pick(", ", "、"));
    match sets.len() {
        1 => say!(
            lang,
            "the set {names} is saved at '{name}', so nothing was changed; give the set other destinations first: {commands}",
            "セット{names}の保存先なので、「{name}」は変更していません。先にセットの保存先を変えてください: {commands}"
        ),
        _ => say!(
            lang,
            "the sets {names} are saved at '{name}', so nothing was changed; give them other destinations first: {commands}",
            "セット{names}の保存先なので、「{name}」は変更していません。先にそれぞれの保存先を変えてください: {commands}"
        ),
    }
}
