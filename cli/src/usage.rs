//! What clap reports of a command line that it does not understand, in the language of the reader. English is clap's own.

use crate::exit::{self, Code};
use crate::output;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use service::catalogue::{Cause, Lang, UsageFault, ValueFault, usage_error};
use service::units::escape;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Help and version come this way too, to standard output. If that is closed, there is no one to report it to.
pub fn report(error: &clap::Error, lang: impl Fn(Option<&str>) -> Lang) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return Code::Ok.into();
    }
    // The options were not understood, so those that matter here are looked for as they stand.
    let given: Vec<OsString> = std::env::args_os().collect();
    if given.iter().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default();
        let what = message.trim_start_matches("error: ").to_string();
        output::say(&exit::line(&Cause::Said { what }.into(), Lang::En, true));
        return Code::Usage.into();
    }
    // If standard error is closed, there is no one to report it to.
    let _ = match lang(option_lang(&given)) {
        Lang::En => error.print(),
        lang => std::io::stderr().write_all(text(lang, error).as_bytes()),
    };
    Code::Usage.into()
}

/// The value of `--lang`.
fn option_lang(given: &[OsString]) -> Option<&str> {
    given
        .iter()
        .enumerate()
        .find_map(|(at, arg)| match arg.to_str()? {
            "--lang" => given.get(at + 1).and_then(|arg| arg.to_str()),
            arg => arg.strip_prefix("--lang="),
        })
}

fn text(lang: Lang, error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return error.render().to_string();
    }
    let kinds = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ];
    let mut meant: Vec<String> = kinds.into_iter().flat_map(|kind| strings(error, kind)).collect();
    let fault = fault(error);
    if let (UsageFault::UnknownArgument { argument }, true) =
        (&fault, error.get(ContextKind::TrailingArg).is_some())
    {
        meant.push(format!("-- {argument}"));
    }
    let usage = error.get(ContextKind::Usage).map(ToString::to_string);
    // No name in it can steer a terminal.
    let text = usage_error(lang, &fault, &meant, usage.as_deref());
    text.lines().map(|line| escape(line.as_bytes()) + "\n").collect()
}

fn fault(error: &clap::Error) -> UsageFault {
    let first = |kind| strings(error, kind).into_iter().next().unwrap_or_default();
    let option = || first(ContextKind::InvalidArg);
    let value = || first(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => UsageFault::UnknownArgument { argument: option() },
        ErrorKind::InvalidSubcommand => UsageFault::UnknownCommand {
            command: first(ContextKind::InvalidSubcommand),
        },
        ErrorKind::MissingSubcommand => UsageFault::NoCommand {
            commands: strings(error, ContextKind::ValidSubcommand),
        },
        ErrorKind::InvalidValue if value().is_empty() => UsageFault::NoValue { option: option() },
        ErrorKind::InvalidValue => UsageFault::NotOneOf {
            option: option(),
            value: value(),
            words: strings(error, ContextKind::ValidValue),
        },
        ErrorKind::ValueValidation => UsageFault::Value {
            option: option(),
            value: value(),
            why: error
                .source()
                .and_then(|why| why.downcast_ref::<ValueFault>())
                .cloned(),
        },
        ErrorKind::NoEquals => UsageFault::NoEquals { option: option() },
        ErrorKind::TooFewValues if value().is_empty() => UsageFault::NoValue { option: option() },
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            UsageFault::ValueCount { option: option() }
        }
        ErrorKind::MissingRequiredArgument => UsageFault::Missing {
            arguments: strings(error, ContextKind::InvalidArg),
        },
        ErrorKind::ArgumentConflict => UsageFault::Conflict {
            option: option(),
            with: strings(error, ContextKind::PriorArg),
        },
        ErrorKind::InvalidUtf8 => UsageFault::NotUtf8,
        _ => {
            let text = error.render().to_string();
            let what = text.lines().next().unwrap_or_default();
            UsageFault::Other {
                what: what.trim_start_matches("error: ").to_string(),
            }
        }
    }
}

fn strings(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn japanese(words: &[&str]) -> String {
        let words = ["dedup"].iter().chain(words);
        match crate::args::parser().try_get_matches_from(words) {
            Err(error) => text(Lang::Ja, &error),
            Ok(_) => panic!("understood"),
        }
    }

    #[test]
    fn mistakes_in_japanese() {
        for (words, want) in [
            (
                &["backup", "--forse", "/a"][..],
                &["'--forse'", "'--force'", "使い方: dedup backup"][..],
            ),
            (&["bakcup"], &["'bakcup'", "'backup'", "使い方: dedup"]),
            (
                &["prune", "--max-unused", "many"],
                &["'many'", "--max-unused", "2G のようなサイズ"],
            ),
            (&["--lang", "fr", "snapshots"], &["'fr'", "使える値: en, ja"]),
            (&["bench", "--size"], &["--size", "値が必要です"]),
            (&["-q", "-v", "snapshots"], &["同時に使えません"]),
            (&["tag"], &["引数", "使い方: dedup tag"]),
        ] {
            let said = japanese(words);
            for want in want {
                assert!(said.contains(want), "{words:?}: {want}: {said}");
            }
            assert!(!said.contains("error:") && !said.contains("Usage:"), "{said}");
        }
    }

    #[test]
    fn the_language_is_found_in_what_was_typed() {
        let of = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            option_lang(&words).map(String::from)
        };
        assert_eq!(of(&["dedup", "--lang", "ja", "x"]).as_deref(), Some("ja"));
        assert_eq!(of(&["dedup", "x", "--lang=en"]).as_deref(), Some("en"));
        assert_eq!((of(&["dedup", "--lang"]), of(&["dedup"])), (None, None));
    }
}
