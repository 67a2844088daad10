//! Why an operation of a system, a storage or a program failed. Messages of others stay in their own words.

use super::object::joined;
use super::store_error;
use crate::catalogue::{Lang, os_error, say};
use engine::error::store::{Cause, Foreign, Obstacle};
use std::io;

pub(crate) fn io_error(lang: Lang, error: &io::Error) -> String {
    match Cause::of(error) {
        Some(cause) => self::cause(lang, cause),
        None => os_error::text(lang, error),
    }
}

/// The system's text for an error number: "permission denied".
pub(in crate::catalogue::faults) fn errno(lang: Lang, errno: i32) -> String {
    let said = os_error::text(lang, &::engine::platform::errno::error(errno));
    let said = said.split(" (os error").next().unwrap_or_default();
    let mut chars = said.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => say!(lang, "error {errno}", "エラー {errno}"),
    }
}

fn cause(lang: Lang, cause: &Cause) -> String {
    match cause {
        Cause::Detail(detail) => detail.clone(),
        Cause::Foreign(foreign) => self::foreign(lang, foreign),
        Cause::Store(error) => store_error(lang, error),
        Cause::NotInstalled
        | Cause::StarterEnded
        | Cause::NotStarted { .. }
        | Cause::NoPipes { .. }
        | Cause::NotReady { .. }
        | Cause::Program { .. } => program(lang, cause),
        Cause::NoLength
        | Cause::AnswerTooLong
        | Cause::ListingUnparsable { .. }
        | Cause::Answered { .. }
        | Cause::ConnectionClosed
        | Cause::Stalled { .. }
        | Cause::NotConnected { .. }
        | Cause::ClockSkew { .. }
        | Cause::Retried { .. }
        | Cause::NetworkThreads(_)
        | Cause::ServerFull => network(lang, cause),
        Cause::NotARegularFile
        | Cause::BrokenLink
        | Cause::SyncFailed
        | Cause::StagingVolatile
        | Cause::StagedRemoved
        | Cause::Exists
        | Cause::FolderMissing
        | Cause::Interrupted
        | Cause::Crashed => plain(lang, cause).to_string(),
    }
}

fn plain(lang: Lang, cause: &Cause) -> &'static str {
    let (en, ja) = match cause {
        Cause::NotARegularFile => ("not a regular file", "通常のファイルではありません"),
        Cause::BrokenLink => (
            "a symbolic link that leads to no file",
            "リンク先のファイルがないシンボリックリンクです",
        ),
        Cause::SyncFailed => (
            "an earlier sync of a folder failed; what it covered may be lost",
            "前回のフォルダーの同期に失敗しました。対象の内容が失われたかもしれません",
        ),
        Cause::StagingVolatile => (
            "what is written there is removed at once",
            "そこに書き込んだものはすぐに削除されます",
        ),
        Cause::StagedRemoved => (
            "another process removed what was being written",
            "書き込み中のファイルをほかのプロセスが削除しました",
        ),
        Cause::Exists => ("it exists", "すでに存在します"),
        Cause::FolderMissing => (
            "the repository's folder is missing",
            "リポジトリーのフォルダーがありません",
        ),
        Cause::Crashed => ("simulated crash", "模擬クラッシュ"),
        Cause::Interrupted => ("interrupted", "中断されました"),
        _ => ("", ""),
    };
    lang.pick(en, ja)
}

fn program(lang: Lang, cause: &Cause) -> String {
    match cause {
        Cause::NotStarted { program, error } => {
            let why = io_error(lang, error);
            say!(
                lang,
                "start {program}: {why}",
                "{program} を起動できません: {why}"
            )
        }
        Cause::NoPipes { program } => say!(
            lang,
            "{program} has no pipes",
            "{program} につながるパイプがありません"
        ),
        Cause::NotReady { program } => say!(lang, "{program} does not start", "{program} が起動しません"),
        Cause::Program { program, said } => format!("{program}: {}", self::cause(lang, said)),
        Cause::StarterEnded => say!(
            lang,
            "the thread that starts programs has ended",
            "プログラムを起動するスレッドが終了しています"
        ),
        Cause::NotInstalled => say!(
            lang,
            "it is not installed, or not in a directory of PATH",
            "インストールされていないか、PATH のディレクトリーにありません"
        ),
        other => format!("{other:?}"),
    }
}

fn network(lang: Lang, cause: &Cause) -> String {
    match cause {
        Cause::NoLength => say!(
            lang,
            "the server does not say how long it is",
            "サーバーが長さを返しません"
        ),
        Cause::AnswerTooLong => say!(
            lang,
            "the server's answer is too long",
            "サーバーの応答が長すぎます"
        ),
        Cause::ListingUnparsable { detail } => say!(
            lang,
            "the server's listing can't be parsed: {detail}",
            "サーバーの一覧を解釈できません: {detail}"
        ),
        Cause::Answered { status, detail } => answered(lang, status, detail),
        Cause::Stalled { seconds } => say!(
            lang,
            "nothing moved for {seconds} s",
            "{seconds} 秒間データが流れませんでした"
        ),
        Cause::NotConnected { host, port, detail } => say!(
            lang,
            "connect to {host}:{port}: {detail}",
            "{host}:{port} に接続できません: {detail}"
        ),
        Cause::ClockSkew { detail } => say!(
            lang,
            "this machine's clock and the server's differ: set the clock ({detail})",
            "このコンピューターとサーバーの時計がずれています。時計を合わせてください ({detail})"
        ),
        Cause::Retried { tries, seconds, last } => retried(lang, *tries, *seconds, &io_error(lang, last)),
        Cause::NetworkThreads(why) => {
            let why = self::cause(lang, why);
            say!(
                lang,
                "start the network threads: {why}",
                "通信用のスレッドを開始できません: {why}"
            )
        }
        Cause::ServerFull => say!(
            lang,
            "the server's disk is full",
            "サーバーのディスクに空きがありません"
        ),
        Cause::ConnectionClosed => say!(lang, "the connection was closed", "接続が閉じられました"),
        other => format!("{other:?}"),
    }
}

fn foreign(lang: Lang, Foreign { place, owner, user }: &Foreign) -> String {
    let name = |id: u32| match id {
        0 => "root".to_string(),
        id => say!(lang, "user {id}", "利用者 {id}"),
    };
    let place = match place {
        Obstacle::Itself => lang.pick("it", "これ"),
        Obstacle::Root => lang.pick("the repository's folder", "リポジトリーのフォルダー"),
        Obstacle::Path(path) => path,
    };
    let (owner, user) = (name(*owner), name(*user));
    let place_ja = joined(place, "の所有者は");
    say!(
        lang,
        "permission denied: {place} belongs to {owner}, not to {user}",
        "アクセスが拒否されました: {place_ja}「{user}」ではなく「{owner}」です"
    )
}

fn answered(lang: Lang, status: &str, detail: &str) -> String {
    let said = say!(
        lang,
        "the server answered {status}",
        "サーバーの応答は {status} でした"
    );
    match detail.is_empty() {
        true => said,
        false => format!("{said}: {detail}"),
    }
}

fn retried(lang: Lang, tries: u32, seconds: u64, why: &str) -> String {
    say!(
        lang,
        "{why} (tried {tries} times in {seconds} s)",
        "{why} ({seconds} 秒間に {tries} 回試しました)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_words() {
        assert_eq!(errno(Lang::En, 13), "permission denied");
        assert_eq!(
            errno(Lang::Ja, 13),
            os_error::text(Lang::Ja, &io::ErrorKind::PermissionDenied.into())
        );
    }
}
