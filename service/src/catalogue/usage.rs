//! Mistakes in what was typed: options, commands and values that the command line does not have.

use super::{Lang, ValueFault, say};

/// What is wrong with the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UsageFault {
    UnknownArgument {
        argument: String,
    },
    UnknownCommand {
        command: String,
    },
    /// One of these is needed.
    NoCommand {
        commands: Vec<String>,
    },
    /// A value that is not one of a few words.
    NotOneOf {
        option: String,
        value: String,
        words: Vec<String>,
    },
    Value {
        option: String,
        value: String,
        why: Option<ValueFault>,
    },
    NoValue {
        option: String,
    },
    /// More, or fewer, values than it takes.
    ValueCount {
        option: String,
    },
    NoEquals {
        option: String,
    },
    Missing {
        arguments: Vec<String>,
    },
    Conflict {
        option: String,
        with: Vec<String>,
    },
    NotUtf8,
    /// In the parser's own words.
    Other {
        what: String,
    },
}

impl UsageFault {
    fn text(&self, lang: Lang) -> String {
        match self {
            UsageFault::UnknownArgument { argument } => say!(
                lang,
                "unexpected argument '{argument}'",
                "引数 '{argument}' は使えません"
            ),
            UsageFault::UnknownCommand { command } => say!(
                lang,
                "unknown command '{command}'",
                "コマンド '{command}' はありません"
            ),
            UsageFault::NoCommand { commands } => {
                let commands = commands.join(", ");
                say!(
                    lang,
                    "a command is required: {commands}",
                    "コマンドを指定してください: {commands}"
                )
            }
            UsageFault::NotOneOf { option, value, words } => not_one_of(lang, option, value, words),
            UsageFault::Value { option, value, why } => bad_value(lang, option, value, why.as_ref()),
            UsageFault::NoValue { option } => no_value(lang, option),
            UsageFault::ValueCount { option } => value_count(lang, option),
            UsageFault::NoEquals { option } => no_equals(lang, option),
            UsageFault::Missing { arguments } => {
                let arguments = arguments.join(" ");
                say!(
                    lang,
                    "these arguments are required: {arguments}",
                    "必要な引数がありません: {arguments}"
                )
            }
            UsageFault::Conflict { option, with }
                if with.is_empty() || *with == std::slice::from_ref(option) =>
            {
                say!(
                    lang,
                    "'{option}' can be given only once",
                    "'{option}' は 1 回しか指定できません"
                )
            }
            UsageFault::Conflict { option, with } => {
                let with = with.join(" ");
                say!(
                    lang,
                    "'{option}' can't be used together with {with}",
                    "'{option}' は {with} と同時に使えません"
                )
            }
            UsageFault::NotUtf8 => say!(lang, "an argument is not UTF-8", "UTF-8 ではない引数があります"),
            UsageFault::Other { what } => what.clone(),
        }
    }
}

/// What is wrong, what may have been meant, and how it is used.
pub fn usage_error(lang: Lang, fault: &UsageFault, meant: &[String], usage: Option<&str>) -> String {
    let what = fault.text(lang);
    let mut out = say!(lang, "error: {what}\n", "エラー: {what}\n");
    if !meant.is_empty() {
        let meant: Vec<String> = meant.iter().map(|word| format!("'{word}'")).collect();
        let meant = meant.join(", ");
        out += &say!(
            lang,
            "\n  tip: did you mean {meant}?\n",
            "\n  ヒント: {meant} ではありませんか\n"
        );
    }
    if let Some(usage) = usage {
        let usage = usage.strip_prefix("Usage: ").unwrap_or(usage).trim_end();
        out += &say!(lang, "\nUsage: {usage}\n", "\n使い方: {usage}\n");
    }
    out + &say!(
        lang,
        "\nFor more information, try '--help'.\n",
        "\n詳しくは '--help' を見てください。\n"
    )
}

fn not_one_of(lang: Lang, option: &str, value: &str, words: &[String]) -> String {
    let words = words.join(", ");
    say!(
        lang,
        "invalid value '{value}' for '{option}': possible values are {words}",
        "'{option}' の値 '{value}' は使えません。使える値: {words}"
    )
}

fn bad_value(lang: Lang, option: &str, value: &str, why: Option<&ValueFault>) -> String {
    let why = why.map(|why| why.text(lang)).unwrap_or_default();
    let colon = if why.is_empty() { "" } else { ": " };
    say!(
        lang,
        "invalid value '{value}' for '{option}'{colon}{why}",
        "'{option}' の値 '{value}' は使えません{colon}{why}"
    )
}

fn no_value(lang: Lang, option: &str) -> String {
    say!(lang, "'{option}' needs a value", "'{option}' には値が必要です")
}

fn no_equals(lang: Lang, option: &str) -> String {
    say!(
        lang,
        "'{option}' needs an equal sign before its value",
        "'{option}' の値の前には = が必要です"
    )
}

fn value_count(lang: Lang, option: &str) -> String {
    say!(
        lang,
        "'{option}' has more or fewer values than it takes",
        "'{option}' の値の数が違います"
    )
}
