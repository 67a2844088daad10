//! What causes are made of: what the system was asked to do, what was to be read, why it is of no use, and what a
//! variable may be.

use super::Lang::{self, En, Ja};
use super::{SystemError, say};
use crate::runs::hooks::Hook;
use std::process::ExitStatus;

/// What the system was asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Read,
    Write,
    Open,
    Create,
    Use,
    List,
    CreateKeyFile,
    Mount,
    /// Make the path absolute.
    Locate,
}

impl Action {
    pub(super) fn text(self, lang: Lang, path: &str, why: &SystemError) -> String {
        let why = why.text(lang);
        match (lang, self) {
            (En, Action::Read) => format!("can't read {path}: {why}"),
            (En, Action::Write) => format!("can't write to {path}: {why}"),
            (En, Action::Open) => format!("can't open {path}: {why}"),
            (En, Action::Create) => format!("can't create {path}: {why}"),
            (En, Action::Use) => format!("can't use {path}: {why}"),
            (En, Action::List) => format!("can't list {path}: {why}"),
            (En, Action::CreateKeyFile) => format!("can't create the key file {path}: {why}"),
            (En, Action::Mount) => format!("can't mount on {path}: {why}"),
            (En, Action::Locate) => format!("can't locate {path}: {why}"),
            (Ja, Action::Read) => format!("{path} を読み取れません: {why}"),
            (Ja, Action::Write) => format!("{path} に書き込めません: {why}"),
            (Ja, Action::Open) => format!("{path} を開けません: {why}"),
            (Ja, Action::Create) => format!("{path} を作れません: {why}"),
            (Ja, Action::Use) => format!("{path} を使えません: {why}"),
            (Ja, Action::List) => format!("{path} の一覧を取得できません: {why}"),
            (Ja, Action::CreateKeyFile) => format!("鍵ファイル {path} を作れません: {why}"),
            (Ja, Action::Mount) => format!("{path} にマウントできません: {why}"),
            (Ja, Action::Locate) => format!("{path} の場所が分かりません: {why}"),
        }
    }
}

/// What was to be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    Password,
    SmtpPassword,
    KeyFile,
    Phrase,
    /// Where a repository is.
    Location,
    DefaultLocation,
    HomePath,
    Path,
    /// The settings file.
    Text,
    /// A variable or a key of the settings, by its name.
    Named(String),
}

impl What {
    pub(super) fn text(&self, lang: Lang) -> String {
        let (en, ja) = match self {
            What::Password => ("the password", "パスワード"),
            What::SmtpPassword => ("the SMTP password", "SMTP のパスワード"),
            What::KeyFile => ("the key file", "鍵ファイル"),
            What::Phrase => ("the recovery phrase", "回復フレーズ"),
            What::Location => ("the location of the repository", "リポジトリーの場所"),
            What::DefaultLocation => ("the path of the default repository", "既定のリポジトリーのパス"),
            What::HomePath => ("the path of the home directory", "ホームディレクトリーのパス"),
            What::Path => ("the path", "パス"),
            What::Text => ("this", "このファイル"),
            What::Named(name) => (name.as_str(), name.as_str()),
        };
        match lang {
            En => en.to_string(),
            Ja => ja.to_string(),
        }
    }
}

/// Why what was read, or a program that ran, is of no use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unfit {
    System(SystemError),
    TooLong {
        most: u64,
    },
    NotUtf8,
    /// UTF-16, as some editors save.
    Utf16,
    NoOutput,
    PrintedNothing,
    /// How a program ended.
    Ended(ExitStatus),
    LeadsNowhere,
}

impl From<std::io::Error> for Unfit {
    fn from(error: std::io::Error) -> Unfit {
        Unfit::System(error.into())
    }
}

impl Unfit {
    pub(super) fn text(&self, lang: Lang) -> String {
        let (en, ja) = match self {
            Unfit::System(why) => return why.text(lang),
            Unfit::TooLong { most } => {
                return say!(
                    lang,
                    "it is longer than {most} bytes",
                    "{most} バイトより長いです"
                );
            }
            Unfit::Ended(status) => return ended(lang, *status),
            Unfit::NotUtf8 => ("it is not UTF-8", "UTF-8 ではありません"),
            Unfit::Utf16 => (
                "it is UTF-16; save it as UTF-8",
                "UTF-16 です。UTF-8 で保存し直してください",
            ),
            Unfit::NoOutput => ("it has no output", "出力がありません"),
            Unfit::PrintedNothing => ("it printed nothing", "何も出力しませんでした"),
            Unfit::LeadsNowhere => (
                "it is closed, or leads to /dev/null",
                "閉じているか、/dev/null につながっています",
            ),
        };
        match lang {
            En => en.to_string(),
            Ja => ja.to_string(),
        }
    }
}

/// What a variable may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    DrawingsPerSecond,
    LogLevel,
    KeyCacheTime,
    Seconds,
    OpenFile,
}

impl Expected {
    pub(super) fn text(self, lang: Lang) -> &'static str {
        match (lang, self) {
            (En, Expected::LogLevel) => "off, error, warning, info or debug",
            (Ja, Expected::LogLevel) => "off、error、warning、info、debug のどれか",
            (En, Expected::DrawingsPerSecond) => "a number of updates a second from 0.001 to 60",
            (En, Expected::KeyCacheTime) => "a time such as 30m or 2h, a day at most, or 0s",
            (En, Expected::Seconds) => "a number of seconds",
            (En, Expected::OpenFile) => "the number of an open file, such as 3",
            (Ja, Expected::DrawingsPerSecond) => "1 秒間の更新回数 (0.001～60)",
            (Ja, Expected::KeyCacheTime) => "30m や 2h のような時間 (長くても 1 日)、または 0s",
            (Ja, Expected::Seconds) => "秒数",
            (Ja, Expected::OpenFile) => "開いたファイルの番号 (たとえば 3)",
        }
    }
}

/// How a program ended that was to do something for us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandEnd {
    /// It could not be started or awaited.
    System(SystemError),
    /// It ended by itself or was killed.
    Status(ExitStatus),
    /// What it wrote to standard error.
    Said(String),
}

impl CommandEnd {
    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            CommandEnd::System(error) => error.text(lang),
            CommandEnd::Status(status) => ended(lang, *status),
            CommandEnd::Said(text) => text.clone(),
        }
    }
}

/// How a program ended that did not end well.
fn ended(lang: Lang, status: ExitStatus) -> String {
    match status.code() {
        Some(code) => say!(lang, "exit status: {code}", "終了コード: {code}"),
        // By a signal, in the system's words.
        None => say!(lang, "{status}", "異常終了: {status}"),
    }
}

/// Why a set's own command failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HookEnd {
    Command(CommandEnd),
    /// It was killed after this time.
    TimedOut(std::time::Duration),
}

impl HookEnd {
    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            HookEnd::Command(end) => end.text(lang),
            HookEnd::TimedOut(limit) => {
                let limit = engine::units::format_duration(*limit);
                say!(
                    lang,
                    "it took longer than {limit} and was killed (run-timeout in the settings)",
                    "{limit} を過ぎても終わらないため強制終了しました (設定の run-timeout)"
                )
            }
        }
    }
}

/// A command before the backup decides whether there is one.
pub(super) fn no_snapshot(lang: Lang, hook: Hook) -> &'static str {
    match (lang, hook) {
        (En, Hook::Before) => "; no snapshot was made",
        (Ja, Hook::Before) => "。スナップショットは作っていません",
        (_, Hook::After | Hook::Failed | Hook::Finally) => "",
    }
}

/// With the name of the file that it is about.
pub(super) fn in_file(name: &Option<String>, what: &str) -> String {
    match name {
        Some(name) => format!("{name}: {what}"),
        None => what.to_string(),
    }
}

pub(super) fn did_you_mean(lang: Lang, near: &Option<String>) -> String {
    match (lang, near) {
        (_, None) => String::new(),
        (En, Some(near)) => format!("; did you mean '{near}'?"),
        (Ja, Some(near)) => format!("。「{near}」ではありませんか"),
    }
}
