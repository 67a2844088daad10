//! What a takeover did, and what the machine still needs.

use crate::catalogue::{Lang, Noun, count, say};
use crate::redact::REMOVED;
use crate::takeover::{Needed, RemoteNeed, Report};
use crate::text::time;
use engine::units::escape;
use std::path::Path;

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// What was or would be written.
pub fn outcome(lang: Lang, report: &Report) -> String {
    let (host, file) = (escape(report.host.as_bytes()), shown(&report.draft.path));
    let at = time(report.recorded);
    match (report.draft.is_change(), report.written) {
        (false, _) => say!(
            lang,
            "{file} is already what {host} recorded at {at}",
            "{file} はすでに {host} が {at} に記録した設定と同じです"
        ),
        (true, true) => say!(
            lang,
            "Wrote the settings that {host} recorded at {at} to {file}",
            "{host} が {at} に記録した設定を {file} に書き込みました"
        ),
        (true, false) => say!(
            lang,
            "Would write the settings that {host} recorded at {at} to {file}",
            "{host} が {at} に記録した設定を {file} に書き込みます"
        ),
    }
}

/// The sets and snapshots that are taken over.
pub fn taken(lang: Lang, report: &Report) -> String {
    let snapshots = count(lang, report.snapshots, Noun::Snapshot);
    let sets = report.sets.join(", ");
    say!(
        lang,
        "Sets: {sets}; {snapshots} of this machine so far",
        "セット: {sets}。これまでのスナップショット: {snapshots}"
    )
}

pub fn still_needed(lang: Lang) -> String {
    say!(lang, "Still needed here:", "このコンピューターにまだ必要なもの:")
}

/// One thing that this machine lacks.
pub fn needed(lang: Lang, needed: &Needed) -> String {
    match needed {
        Needed::ForRemote { remote, what } => needed_for(lang, remote, what),
        Needed::OtherPlace { url } => {
            let url = escape(url.as_bytes());
            say!(
                lang,
                "a remote with the url {url}, where these settings come from: no remote is there",
                "設定の取得元 {url} を url とする保存先 (設定にはありません)"
            )
        }
        Needed::MailPassword { path } => {
            let path = shown(path);
            say!(
                lang,
                "{path}: the password for sending mail",
                "{path}: メール送信のパスワード"
            )
        }
        Needed::Secret { line, key } => {
            let key = escape(key.as_bytes());
            say!(
                lang,
                "the secret in '{key}', line {line} of the settings: it was not recorded, and {REMOVED} stands for it",
                "設定の {line} 行目「{key}」の秘密の値 (記録されないため {REMOVED} となっています)"
            )
        }
        Needed::Source { set, path } => {
            let path = shown(path);
            say!(
                lang,
                "{path}: a source of set '{set}'; 'dedup restore' can bring it back",
                "{path}: セット「{set}」の対象。'dedup restore' で復元できます"
            )
        }
    }
}

fn needed_for(lang: Lang, remote: &str, what: &RemoteNeed) -> String {
    match what {
        RemoteNeed::KeyFile { path } => {
            let path = shown(path);
            say!(
                lang,
                "{path}: the key file of remote '{remote}'",
                "{path}: 保存先「{remote}」の鍵ファイル"
            )
        }
        RemoteNeed::PasswordFile { path } => {
            let path = shown(path);
            say!(
                lang,
                "{path}: the password of remote '{remote}'",
                "{path}: 保存先「{remote}」のパスワード"
            )
        }
        RemoteNeed::PasswordCommand { command } => {
            let command = escape(command.as_bytes());
            say!(
                lang,
                "the password that '{command}' prints for remote '{remote}'",
                "保存先「{remote}」のために '{command}' が出力するパスワード"
            )
        }
        RemoteNeed::Password => say!(
            lang,
            "a key-file, password-file or password-command for remote '{remote}', unless somebody types its password",
            "保存先「{remote}」の key-file、password-file、password-command のいずれか (パスワードを手で入力しない場合)"
        ),
        RemoteNeed::Repository { url } => {
            let url = escape(url.as_bytes());
            say!(
                lang,
                "{url}: there is no repository for remote '{remote}'; mount it there, or change its url",
                "{url}: 保存先「{remote}」のリポジトリーがありません。そこにマウントするか、url を変えてください"
            )
        }
    }
}

pub fn next(lang: Lang) -> String {
    say!(
        lang,
        "Then: 'dedup doctor' checks everything, 'dedup run --all' backs up, 'dedup schedule install' does so regularly",
        "次に: 'dedup doctor' で確認、'dedup run --all' でバックアップ、'dedup schedule install' で定期実行を設定します"
    )
}
