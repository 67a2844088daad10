//! What is wrong with a repository's URL.

use crate::catalogue::{Lang, say};
use engine::error::store::UrlFault;

/// What a URL can begin with, beside a path.
const SCHEMES: &str = "file:, s3://, sftp://, webdav://, webdavs://, gs://, azblob://, b2://";

pub(super) fn url_fault(lang: Lang, fault: &UrlFault) -> String {
    match fault {
        UrlFault::UnknownScheme { scheme } => unknown_scheme(lang, scheme),
        UrlFault::NotARepository { scheme } => not_a_repository(lang, scheme),
        UrlFault::NoName { scheme } => no_name(lang, scheme),
        UrlFault::NoSlashes => no_slashes(lang),
        UrlFault::UnknownParameter {
            scheme,
            parameter,
            known,
        } => unknown_parameter(lang, scheme, parameter, known),
        UrlFault::RepeatedParameter { parameter } => repeated_parameter(lang, parameter),
        UrlFault::Seconds { parameter, most } => seconds(lang, parameter, *most),
        UrlFault::Style => style(lang),
        UrlFault::Parameter { parameter, detail } => bad_parameter(lang, parameter, detail),
        UrlFault::Empty => say!(lang, "it is empty", "空です"),
        UrlFault::ControlCharacter => say!(
            lang,
            "it must not contain tabs, line breaks or other control characters",
            "タブ、改行などの制御文字は使えません"
        ),
        UrlFault::NotUtf8 => say!(lang, "it is not UTF-8", "UTF-8 ではありません"),
        UrlFault::DotComponent => {
            say!(
                lang,
                "its path may not hold '.' or '..'",
                "パスに「.」や「..」は使えません"
            )
        }
        UrlFault::NoRcloneRemote => say!(
            lang,
            "after rclone: comes a remote of rclone's, such as rclone:name:path",
            "rclone: の後には rclone:name:path のように rclone のリモートを書いてください"
        ),
        UrlFault::NoBucketId => say!(
            lang,
            "b2: needs ?bucket-id=..., as the bucket's page shows it",
            "b2: には ?bucket-id=... が必要です。バケットのページに表示されています"
        ),
        UrlFault::NoCredential { variable } => {
            say!(lang, "b2: needs {variable}", "b2: には {variable} が必要です")
        }
        UrlFault::SftpPassword => say!(
            lang,
            "sftp: takes keys and agents as 'ssh' does, and no password",
            "sftp: ではパスワードを使えません。'ssh' と同じく鍵かエージェントを使ってください"
        ),
        UrlFault::Other { detail } => detail.clone(),
        UrlFault::Tls { detail } => say!(lang, "set up TLS: {detail}", "TLS を準備できません: {detail}"),
    }
}

fn not_a_repository(lang: Lang, scheme: &str) -> String {
    say!(
        lang,
        "'{scheme}' is not a kind of repository",
        "「{scheme}」はリポジトリーの種類ではありません"
    )
}

fn unknown_scheme(lang: Lang, scheme: &str) -> String {
    say!(
        lang,
        "'{scheme}:' is not known here; use a path, {SCHEMES} or rclone:",
        "「{scheme}:」には対応していません。パスか、{SCHEMES}, rclone: のどれかを使ってください"
    )
}

fn no_name(lang: Lang, scheme: &str) -> String {
    say!(
        lang,
        "after {scheme}:// a name is missing",
        "{scheme}:// の後に名前がありません"
    )
}

fn no_slashes(lang: Lang) -> String {
    say!(
        lang,
        "after the scheme, :// is missing",
        "スキームの後に :// がありません"
    )
}

fn unknown_parameter(lang: Lang, scheme: &str, parameter: &str, known: &[String]) -> String {
    let known = known.join(", ");
    say!(
        lang,
        "{scheme}: has no parameter '{parameter}', but {known}",
        "{scheme}: にパラメーター「{parameter}」はありません (使えるもの: {known})"
    )
}

fn repeated_parameter(lang: Lang, parameter: &str) -> String {
    say!(
        lang,
        "'{parameter}' is given twice",
        "「{parameter}」が 2 回指定されています"
    )
}

fn seconds(lang: Lang, parameter: &str, most: u64) -> String {
    say!(
        lang,
        "'{parameter}' is a number of seconds, from 1 to {most}",
        "「{parameter}」には 1 から {most} までの秒数を指定してください"
    )
}

fn bad_parameter(lang: Lang, parameter: &str, detail: &str) -> String {
    say!(lang, "'{parameter}': {detail}", "「{parameter}」: {detail}")
}

fn style(lang: Lang) -> String {
    say!(
        lang,
        "'style' is 'path' or 'virtual'",
        "「style」には「path」か「virtual」を指定してください"
    )
}
