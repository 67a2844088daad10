//! How a command ends: the exit code of each status, and the line on standard error of what ended it early.

use service::catalogue::Lang;
use service::json;
use service::units;
use service::{Failure, Status};
use std::fmt::Write;
use std::process::ExitCode;

/// The whole vocabulary of exit codes; wrappers rely on the numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Code {
    #[default]
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Incomplete = 3,
    Paused = 4,
    NoRepository = 10,
    Busy = 11,
    WrongKey = 12,
    Damage = 13,
    NoSpace = 14,
    Interrupted = 130,
}

/// Every code with its meaning, as `dedup help exit-codes` prints it.
pub const CODES: [(Code, &str); 11] = [
    (Code::Ok, "all was done"),
    (
        Code::Failed,
        "it failed; the message says why. What was stored before is safe",
    ),
    (
        Code::Usage,
        "the command line, a value or a setting is wrong; nothing was done",
    ),
    (
        Code::Incomplete,
        "done in part: some source could not be read, some snapshot not removed, or some replica is behind; the rest is saved",
    ),
    (Code::Paused, "not done: paused, or not now"),
    (Code::NoRepository, "there is no repository at that place"),
    (
        Code::Busy,
        "the repository, the cache or the set is in use by another run",
    ),
    (
        Code::WrongKey,
        "the password, key file or recovery phrase does not open the repository",
    ),
    (
        Code::Damage,
        "something in the repository is damaged or missing; the messages name it",
    ),
    (
        Code::NoSpace,
        "no space left, at the source, in the cache or in the repository",
    ),
    (
        Code::Interrupted,
        "interrupted by a signal; what is already stored is safe",
    ),
];

impl From<Status> for Code {
    fn from(status: Status) -> Code {
        match status {
            Status::Completed => Code::Ok,
            Status::BadSettings => Code::Usage,
            Status::ForbiddenName | Status::Incomplete => Code::Incomplete,
            Status::NotRun => Code::Paused,
            Status::NoRepository => Code::NoRepository,
            Status::Busy => Code::Busy,
            Status::WrongKey => Code::WrongKey,
            Status::Damaged => Code::Damage,
            Status::OutOfSpace => Code::NoSpace,
            Status::Interrupted => Code::Interrupted,
            // A command that ends does not run.
            Status::Running
            | Status::Failed
            | Status::AccessDenied
            | Status::Network
            | Status::OutOfMemory => Code::Failed,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// The text of `dedup help exit-codes`.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n\n");
    for (code, meaning) in CODES {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {:>3}  {meaning}", code as u8);
    }
    text
}

/// The line of a failure for standard error: escaped, so that no name in it can steer a terminal.
pub fn line(failure: &Failure, lang: Lang, json: bool) -> String {
    if json {
        let code = Code::from(failure.status) as u8;
        let fields = serde_json::json!({ "code": code, "message": failure.message() });
        return json::line(&json::object("exit_error", fields));
    }
    format!("dedup: {}", units::escape(failure.text(lang).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::catalogue::Cause;

    #[test]
    fn numbers_are_the_contract() {
        let numbers: Vec<u8> = CODES.iter().map(|(code, _)| *code as u8).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 130]);
        assert!(CODES.iter().all(|(_, meaning)| help().contains(meaning)));
        assert!(help().contains("   12  the password") && help().contains("  130  interrupted"));
    }

    #[test]
    fn lines() {
        let what = "open /a\n\x1b[2Jb: no \"such\" file".to_string();
        let failure = Failure::from(Cause::Said { what });
        assert_eq!(
            line(&failure, Lang::En, false),
            "dedup: open /a\\x0a\\x1b[2Jb: no \"such\" file"
        );
        let json: serde_json::Value = serde_json::from_str(&line(&failure, Lang::En, true)).unwrap();
        assert_eq!(json["message_type"], "exit_error");
        assert_eq!(json["code"], 2);
        assert_eq!(json["message"], failure.message());
        assert!(!line(&failure, Lang::En, true).contains('\n'));
    }

    /// The greatest status has the greatest code, so that either can stand for the whole.
    #[test]
    fn codes_have_the_order_of_statuses() {
        let codes: Vec<Code> = Status::ALL.into_iter().skip(1).map(Code::from).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        assert_eq!(codes.first(), Some(&Code::Ok));
        let reached: std::collections::BTreeSet<Code> = codes.into_iter().collect();
        assert_eq!(reached.len(), CODES.len());
    }
}
