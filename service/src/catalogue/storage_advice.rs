//! What to do about storage that refused something, or holds what this version does not know.

use super::{Lang, say};
use engine::StoreError;
use engine::error::store::{Cause, IoError};
use std::io::ErrorKind as Kind;

/// What to do about one object that can't be read, while others are used.
pub fn object_advice(lang: Lang, error: &StoreError) -> Option<String> {
    match error {
        StoreError::Remote { source, .. } => Some(storage_remedy(lang, source)),
        StoreError::NewerFormat(_) => Some(newer(lang)),
        _ => None,
    }
}

/// What to do about storage that refused something.
pub(super) fn storage_remedy(lang: Lang, error: &IoError) -> String {
    match (error.cause(), error.kind()) {
        (Some(Cause::Foreign(_)), Kind::PermissionDenied) => say!(
            lang,
            "give it to the owner of the repository's folder with 'chown', or run dedup as the user it belongs to",
            "'chown' でリポジトリーのフォルダーの所有者に渡すか、それを所有する利用者として dedup を実行してください"
        ),
        (Some(Cause::NotTrusted { .. }), _) => say!(
            lang,
            "check the host's name and this machine's clock; if the certificate is the server's own or of an authority of your \
             own, write it to a file and add '?ca=FILE' to the URL",
            "ホスト名と、このマシンの時計を確かめてください。サーバー自身や自前の認証局の証明書なら、ファイルに保存し、URL に \
             '?ca=FILE' を付けてください"
        ),
        (Some(Cause::NoCredentials), _) => say!(
            lang,
            "for S3 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws with '?profile=NAME' in the \
             URL; docs/remotes.md has those of the others",
            "S3 では AWS_ACCESS_KEY_ID と AWS_SECRET_ACCESS_KEY を設定するか、URL の '?profile=NAME' で ~/.aws のプロファイルを\
             指定してください。ほかの保存先については docs/remotes.md にあります"
        ),
        (_, kind) => remedy(lang, kind),
    }
}

fn remedy(lang: Lang, kind: Kind) -> String {
    match kind {
        Kind::PermissionDenied => say!(
            lang,
            "check the user, keys and passwords for this storage, and what they are allowed to do there",
            "この保存先の利用者、鍵、パスワードと、それらに許されている操作を確かめてください"
        ),
        Kind::ReadOnlyFilesystem => say!(
            lang,
            "the storage is mounted read-only: mount it writable",
            "保存先が読み取り専用でマウントされています。書き込めるようにマウントしてください"
        ),
        Kind::FileTooLarge => too_large(lang),
        Kind::Unsupported => say!(
            lang,
            "install the program, or put it where PATH finds it",
            "プログラムを入れるか、PATH で見つかる場所に置いてください"
        ),
        Kind::InvalidInput | Kind::NotADirectory => say!(
            lang,
            "check the repository's URL and the settings of its storage",
            "リポジトリーの URL と保存先の設定を確かめてください"
        ),
        Kind::HostUnreachable | Kind::AddrNotAvailable => say!(
            lang,
            "check the host's name in the URL, and the network",
            "URL のホスト名とネットワークを確かめてください"
        ),
        Kind::TimedOut
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::NotConnected
        | Kind::StaleNetworkFileHandle
        | Kind::ConnectionAborted
        | Kind::ConnectionRefused
        | Kind::ConnectionReset => say!(
            lang,
            "check the network and the server and run the command again; what is already stored is safe",
            "ネットワークとサーバーを確かめ、もう一度実行してください。すでに保存したものは無事です"
        ),
        _ => say!(
            lang,
            "run the command again; what is already stored is safe",
            "もう一度実行してください。すでに保存したものは無事です"
        ),
    }
}

pub(super) fn too_large(lang: Lang) -> String {
    say!(
        lang,
        "raise the limit on the size of files (ulimit -f), or use a file system that holds larger ones",
        "ファイルの大きさの上限 (ulimit -f) を上げるか、大きなファイルを置けるファイルシステムを使ってください"
    )
}

pub(super) fn newer(lang: Lang) -> String {
    say!(lang, "install a newer dedup", "新しい版の dedup を入れてください")
}
