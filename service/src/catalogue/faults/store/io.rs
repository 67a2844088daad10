//! Why an operation of a system, a storage or a program failed. Messages of others stay in their own words.

use super::object::joined;
use super::store_error;
use crate::catalogue::{Lang, os_error, say};
use engine::error::store::{Cause, Foreign, IoError, Obstacle};
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
        Cause::NotInstalled => not_installed(lang),
        Cause::StarterEnded => starter_ended(lang),
        Cause::NotStarted { program, error } => not_started(lang, program, error),
        Cause::NoPipes { program } => no_pipes(lang, program),
        Cause::NotReady { program } => not_ready(lang, program),
        Cause::Program { program, said } => of_program(lang, program, said),
        Cause::NoLength => no_length(lang),
        Cause::AnswerTooLong => answer_too_long(lang),
        Cause::ListingUnparsable { detail } => listing_unparsable(lang, detail),
        Cause::ListingIncomplete => listing_incomplete(lang),
        Cause::WrongRange => wrong_range(lang),
        Cause::Redirected { to } => redirected(lang, to),
        Cause::Answered { status, detail } => answered(lang, status, detail),
        Cause::ConnectionClosed => connection_closed(lang),
        Cause::Stalled { seconds } => stalled(lang, *seconds),
        Cause::NotConnected { host, port, detail } => not_connected(lang, host, *port, detail),
        Cause::NotTrusted { host, port, detail } => not_trusted(lang, host, *port, detail),
        Cause::ClockSkew { detail } => clock_skew(lang, detail),
        Cause::Retried { tries, seconds, last } => retried(lang, *tries, *seconds, &io_error(lang, last)),
        Cause::NetworkThreads(why) => network_threads(lang, why),
        Cause::ServerFull => server_full(lang),
        Cause::NoCredentials => no_credentials(lang).to_string(),
        Cause::NotARegularFile => not_a_regular_file(lang).to_string(),
        Cause::BrokenLink => broken_link(lang).to_string(),
        Cause::SyncFailed => sync_failed(lang).to_string(),
        Cause::StagingVolatile => staging_volatile(lang).to_string(),
        Cause::StagedRemoved => staged_removed(lang).to_string(),
        Cause::Exists => exists(lang).to_string(),
        Cause::FolderMissing => folder_missing(lang).to_string(),
        Cause::Interrupted => interrupted(lang).to_string(),
        Cause::Crashed => crashed(lang).to_string(),
    }
}

fn no_credentials(lang: Lang) -> &'static str {
    lang.pick(
        "the storage wants credentials, and there are none",
        "この保存先には認証情報が必要ですが、ありません",
    )
}

fn not_a_regular_file(lang: Lang) -> &'static str {
    lang.pick("not a regular file", "通常のファイルではありません")
}

fn broken_link(lang: Lang) -> &'static str {
    lang.pick(
        "a symbolic link that leads to no file",
        "リンク先のファイルがないシンボリックリンクです",
    )
}

fn sync_failed(lang: Lang) -> &'static str {
    lang.pick(
        "an earlier sync of a folder failed; what it covered may be lost",
        "前回のフォルダーの同期に失敗しました。対象の内容が失われたかもしれません",
    )
}

fn staging_volatile(lang: Lang) -> &'static str {
    lang.pick(
        "what is written there is removed at once",
        "そこに書き込んだものはすぐに削除されます",
    )
}

fn staged_removed(lang: Lang) -> &'static str {
    lang.pick(
        "another process removed what was being written",
        "書き込み中のファイルをほかのプロセスが削除しました",
    )
}

fn exists(lang: Lang) -> &'static str {
    lang.pick("it exists", "すでに存在します")
}

fn folder_missing(lang: Lang) -> &'static str {
    lang.pick(
        "the repository's folder is missing",
        "リポジトリーのフォルダーがありません",
    )
}

fn crashed(lang: Lang) -> &'static str {
    lang.pick("simulated crash", "模擬クラッシュ")
}

fn interrupted(lang: Lang) -> &'static str {
    lang.pick("interrupted", "中断されました")
}

fn not_started(lang: Lang, program: &str, error: &IoError) -> String {
    let why = io_error(lang, error);
    say!(
        lang,
        "start {program}: {why}",
        "{program} を起動できません: {why}"
    )
}

fn no_pipes(lang: Lang, program: &str) -> String {
    say!(
        lang,
        "{program} has no pipes",
        "{program} につながるパイプがありません"
    )
}

fn not_ready(lang: Lang, program: &str) -> String {
    say!(lang, "{program} does not start", "{program} が起動しません")
}

fn of_program(lang: Lang, program: &str, said: &Cause) -> String {
    format!("{program}: {}", self::cause(lang, said))
}

fn starter_ended(lang: Lang) -> String {
    say!(
        lang,
        "the thread that starts programs has ended",
        "プログラムを起動するスレッドが終了しています"
    )
}

fn not_installed(lang: Lang) -> String {
    say!(
        lang,
        "it is not installed, or not in a directory of PATH",
        "インストールされていないか、PATH のディレクトリーにありません"
    )
}

fn no_length(lang: Lang) -> String {
    say!(
        lang,
        "the server does not say how long it is",
        "サーバーが長さを返しません"
    )
}

fn answer_too_long(lang: Lang) -> String {
    say!(
        lang,
        "the server's answer is too long",
        "サーバーの応答が長すぎます"
    )
}

fn listing_unparsable(lang: Lang, detail: &str) -> String {
    say!(
        lang,
        "the server's listing can't be parsed: {detail}",
        "サーバーの一覧を解釈できません: {detail}"
    )
}

fn listing_incomplete(lang: Lang) -> String {
    say!(
        lang,
        "the server's listing is incomplete, or is none",
        "サーバーの一覧が途中で切れているか、一覧ではありません"
    )
}

fn wrong_range(lang: Lang) -> String {
    say!(
        lang,
        "the server sent another part than the one that was asked for",
        "サーバーが要求とは別の範囲を返しました"
    )
}

fn redirected(lang: Lang, to: &str) -> String {
    say!(
        lang,
        "the server redirects to {to}, which is not followed: use the address that it leads to in the URL",
        "サーバーが {to} へ転送しようとしました。転送には従いません。転送先のアドレスを URL に指定してください"
    )
}

fn stalled(lang: Lang, seconds: u64) -> String {
    say!(
        lang,
        "nothing moved for {seconds} s",
        "{seconds} 秒間データが流れませんでした"
    )
}

fn not_connected(lang: Lang, host: &str, port: u16, detail: &str) -> String {
    say!(
        lang,
        "connect to {host}:{port}: {detail}",
        "{host}:{port} に接続できません: {detail}"
    )
}

fn not_trusted(lang: Lang, host: &str, port: u16, detail: &str) -> String {
    say!(
        lang,
        "{host}:{port} is not trusted: {detail}",
        "{host}:{port} を信頼できません: {detail}"
    )
}

fn clock_skew(lang: Lang, detail: &str) -> String {
    say!(
        lang,
        "this machine's clock and the server's differ: set the clock ({detail})",
        "このコンピューターとサーバーの時計がずれています。時計を合わせてください ({detail})"
    )
}

fn network_threads(lang: Lang, why: &Cause) -> String {
    let why = self::cause(lang, why);
    say!(
        lang,
        "start the network threads: {why}",
        "通信用のスレッドを開始できません: {why}"
    )
}

fn server_full(lang: Lang) -> String {
    say!(
        lang,
        "the server's disk is full",
        "サーバーのディスクに空きがありません"
    )
}

fn connection_closed(lang: Lang) -> String {
    say!(lang, "the connection was closed", "接続が閉じられました")
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
