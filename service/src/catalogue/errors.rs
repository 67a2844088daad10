//! What the engine and the storage report: the status that a job gets by it, what happened, and what to do about it.

use super::Lang::{self, En, Ja};
use super::storage_advice::{newer, storage_remedy, too_large};
use super::{SystemError, faults, say};
use crate::machine::NOWHERE;
use crate::status::Status;
use engine::error::store::Object;
use engine::{Error, StoreError};
use std::io::ErrorKind as Kind;

/// What happened, and what to do.
pub fn engine_error(lang: Lang, error: &Error) -> String {
    let what = plain_error(lang, error);
    match advice(lang, error) {
        None => what,
        Some(advice) => match lang {
            En => format!("{what}; {advice}"),
            Ja => format!("{what}。{advice}"),
        },
    }
}

/// What happened, without what to do.
pub fn plain_error(lang: Lang, error: &Error) -> String {
    match error {
        Error::NoState { path, .. } if path.starts_with(NOWHERE) => say!(
            lang,
            "there is no home directory in which this machine's notes could be kept",
            "このコンピューターの記録を置くホームディレクトリーがありません"
        ),
        error => faults::engine_error(lang, error),
    }
}

/// The status of a job that ends with this error.
pub fn engine_status(error: &Error) -> Status {
    match error {
        Error::Store(error) => store_status(error),
        Error::Usage(_) => Status::BadSettings,
        Error::NoSource(_) | Error::NotSaved { .. } | Error::Late => Status::Incomplete,
        Error::Target { .. } => Status::BadSettings,
        Error::Io { source, .. } | Error::Output(source) => system_status(&source.clone().into()),
        Error::NoState { source, .. } => match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Status::OutOfSpace,
            _ => Status::Failed,
        },
        Error::ViewChanged => Status::Busy,
        Error::Damaged(_) | Error::Lost(_) => Status::Damaged,
        Error::Interrupted => Status::Interrupted,
        Error::Refused(_)
        | Error::NoSnapshot(_)
        | Error::Ambiguous { .. }
        | Error::NoSnapshotAt { .. }
        | Error::NoSuchPath { .. }
        | Error::EmptyStream(_)
        | Error::ShortListing(_) => Status::Failed,
    }
}

fn store_status(error: &StoreError) -> Status {
    match error {
        StoreError::Unreadable { .. } => Status::AccessDenied,
        StoreError::Missing { .. } | StoreError::Corrupt { .. } => Status::Damaged,
        StoreError::NoRepository { .. } => Status::NoRepository,
        StoreError::WrongKey => Status::WrongKey,
        StoreError::NoSpace { .. } | StoreError::OverQuota { .. } => Status::OutOfSpace,
        StoreError::Remote { source, .. } => storage_status(source.kind()),
        StoreError::Local { source, .. } => system_status(&source.clone().into()),
        StoreError::NoMemory { .. } => Status::OutOfMemory,
        StoreError::Invalid(_) => Status::BadSettings,
        StoreError::Interrupted => Status::Interrupted,
        StoreError::RepositoryExists { .. }
        | StoreError::NewerFormat(_)
        | StoreError::Random(_)
        | StoreError::TooManyOpen { .. }
        | StoreError::Thread(_)
        | StoreError::Index(_)
        | StoreError::Fenced
        | StoreError::WriterFailed
        | StoreError::Refused(_) => Status::Failed,
    }
}

/// What it means that storage refused something.
pub fn storage_status(kind: Kind) -> Status {
    match kind {
        Kind::PermissionDenied => Status::AccessDenied,
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::NotConnected
        | Kind::StaleNetworkFileHandle
        | Kind::AddrNotAvailable
        | Kind::TimedOut
        | Kind::ConnectionAborted
        | Kind::ConnectionRefused
        | Kind::ConnectionReset => Status::Network,
        _ => Status::Failed,
    }
}

/// What it means that the system refused something on this machine.
pub fn system_status(why: &SystemError) -> Status {
    match why.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => Status::OutOfSpace,
        Kind::Interrupted => Status::Interrupted,
        Kind::PermissionDenied => Status::AccessDenied,
        _ => Status::Failed,
    }
}

/// The same of standard output.
pub fn output_status(why: &SystemError) -> Status {
    match why.kind() {
        Kind::StorageFull => Status::OutOfSpace,
        _ => Status::Failed,
    }
}

/// What to do where the system refused something on this machine: nothing, or the rest of a sentence.
pub fn remedy(lang: Lang, why: &SystemError) -> String {
    match why.kind() {
        Kind::FileTooLarge => match lang {
            En => format!("; {}", too_large(lang)),
            Ja => format!("。{}", too_large(lang)),
        },
        _ => String::new(),
    }
}

/// What to do about an error.
fn advice(lang: Lang, error: &Error) -> Option<String> {
    Some(match error {
        Error::Store(error) => return store_advice(lang, error),
        Error::NoSnapshot(_) => say!(
            lang,
            "'dedup snapshots' lists what there is",
            "'dedup snapshots' で一覧を表示できます"
        ),
        Error::Ambiguous { .. } => say!(lang, "write more of the id", "ID をもっと長く書いてください"),
        Error::NoSuchPath { .. } => say!(
            lang,
            "'dedup ls' shows what is",
            "'dedup ls' で中身を表示できます"
        ),
        Error::NoSource(_) => say!(
            lang,
            "no snapshot was made; is a disk not mounted, or a path misspelt?",
            "スナップショットは作っていません。ディスクが接続されていないか、パスが間違っていませんか"
        ),
        Error::EmptyStream(_) => say!(
            lang,
            "standard input was empty, or the command printed nothing; no snapshot was made. --allow-empty saves an \
             empty file",
            "標準入力が空か、コマンドが何も出力しませんでした。スナップショットは作っていません。\
             空のファイルを保存するには --allow-empty を付けてください"
        ),
        Error::Io { source, .. } | Error::Output(source) if source.kind() == Kind::FileTooLarge => {
            too_large(lang)
        }
        Error::NoState { path, .. } if path.starts_with(NOWHERE) => say!(
            lang,
            "set HOME, or DEDUP_STATE_DIR to a directory that can be written",
            "HOME を設定するか、DEDUP_STATE_DIR に書き込めるディレクトリーを設定してください"
        ),
        Error::NoState { .. } => say!(
            lang,
            "set DEDUP_STATE_DIR to a directory that can be written",
            "DEDUP_STATE_DIR に書き込めるディレクトリーを設定してください"
        ),
        Error::ViewChanged => say!(
            lang,
            "this happened several times in a row: run the command again when 'dedup prune' is done",
            "何度か繰り返しました。'dedup prune' が終わってからもう一度実行してください"
        ),
        Error::Damaged(_) | Error::Lost(_) | Error::ShortListing(_) => loss_advice(lang, error),
        Error::Interrupted => interrupted(lang),
        Error::Usage(_)
        | Error::Refused(_)
        | Error::Target { .. }
        | Error::Output(_)
        | Error::NoSnapshotAt { .. }
        | Error::NotSaved { .. }
        | Error::Io { .. }
        | Error::Late => return None,
    })
}

/// What to do about generations that can't be read or are missing.
fn loss_advice(lang: Lang, error: &Error) -> String {
    match error {
        Error::Damaged(_) => say!(
            lang,
            "run 'dedup check' to see what is affected, and repair it first; 'dedup forget --unreadable' gives up a \
             snapshot that can't be read",
            "まず 'dedup check' で影響を調べて修復してください。読み取れないスナップショットは \
             'dedup forget --unreadable' であきらめられます"
        ),
        Error::Lost(_) => say!(
            lang,
            "the storage has lost them, or was set back. Bring them back there, or accept the loss with \
             'dedup forget --lost'",
            "保存先がそれらを失ったか、過去の状態に戻されました。元に戻すか、'dedup forget --lost' で消失を受け入れてください"
        ),
        _ => say!(
            lang,
            "try again, and if it happens again, don't trust this storage",
            "もう一度試し、繰り返すようならこの保存先を信用しないでください"
        ),
    }
}

fn interrupted(lang: Lang) -> String {
    say!(
        lang,
        "what is already stored is safe, and the next run continues from there",
        "すでに保存したものは無事で、次の実行はそこから続きます"
    )
}

fn store_advice(lang: Lang, error: &StoreError) -> Option<String> {
    Some(match error {
        StoreError::Unreadable { .. } => say!(
            lang,
            "make it readable and run the command again",
            "読み取れるようにしてから、もう一度実行してください"
        ),
        StoreError::Missing { object } | StoreError::Corrupt { object, .. } => damage_advice(lang, object),
        StoreError::NoRepository { .. } => say!(
            lang,
            "is a disk not mounted, or --repo wrong? 'dedup init' makes a new repository",
            "ディスクが接続されていないか、--repo が間違っていませんか。新しいリポジトリーは 'dedup init' で作ります"
        ),
        StoreError::RepositoryExists { .. } => say!(
            lang,
            "nothing was changed; 'dedup backup' can use it",
            "何も変更していません。そのまま 'dedup backup' で使えます"
        ),
        StoreError::WrongKey => say!(
            lang,
            "no key of this repository opens with it",
            "このリポジトリーのどの鍵も開けませんでした"
        ),
        StoreError::NewerFormat(_) => newer(lang),
        StoreError::NoSpace { object } => no_space_advice(lang, object),
        StoreError::OverQuota { .. } => say!(
            lang,
            "raise 'quota' in dedup.toml, or remove snapshots and run 'dedup prune'",
            "dedup.toml の「quota」を増やすか、スナップショットを削除して 'dedup prune' を実行してください"
        ),
        StoreError::Remote { source, .. } => storage_remedy(lang, source),
        StoreError::Local { source, .. } if source.kind() == Kind::FileTooLarge => too_large(lang),
        StoreError::TooManyOpen { .. } | StoreError::Thread(_) | StoreError::NoMemory { .. } => {
            limit_advice(lang, error)
        }
        StoreError::Index(_) => say!(
            lang,
            "'dedup cache clear' removes it, and it is made again",
            "'dedup cache clear' で削除すれば、作り直されます"
        ),
        StoreError::Fenced => say!(
            lang,
            "it took too long or the machine was asleep; run the command again",
            "時間がかかりすぎたか、コンピューターがスリープしていました。もう一度実行してください"
        ),
        StoreError::WriterFailed => say!(
            lang,
            "no snapshot was made; run the command again",
            "スナップショットは作っていません。もう一度実行してください"
        ),
        StoreError::Interrupted => interrupted(lang),
        StoreError::Local { .. }
        | StoreError::Random(_)
        | StoreError::Invalid(_)
        | StoreError::Refused(_) => {
            return None;
        }
    })
}

/// What to do about objects that are missing or damaged.
fn damage_advice(lang: Lang, object: &Object) -> String {
    match object.is_in("keys") || *object == Object::KeySlots {
        true => say!(
            lang,
            "without a key nothing can be opened: unpack what 'dedup key export' saved, or use a replica",
            "鍵がないと何も開けません。'dedup key export' で保存したものを展開するか、レプリカを使ってください"
        ),
        false => say!(
            lang,
            "'dedup check' shows what else is damaged; the rest can be restored",
            "ほかの破損は 'dedup check' で調べられます。残りは復元できます"
        ),
    }
}

fn no_space_advice(lang: Lang, object: &Object) -> String {
    match object.is_of_this_machine() {
        true if *object == Object::RestoreTarget => say!(
            lang,
            "free some space there and run the command again; '--in-place' needs none for large files that are already there",
            "そこに空きを作り、もう一度実行してください。すでにある大きなファイルは、'--in-place' なら空きがなくても復元できます"
        ),
        true => say!(
            lang,
            "free some space there and run the command again",
            "そこに空きを作り、もう一度実行してください"
        ),
        false => say!(
            lang,
            "free some space and run the command again; 'dedup prune --gc-only' works on a full disk",
            "空きを作り、もう一度実行してください。'dedup prune --gc-only' は空きがなくても動きます"
        ),
    }
}

/// What to do about the limits of this machine.
fn limit_advice(lang: Lang, error: &StoreError) -> String {
    match error {
        StoreError::TooManyOpen { .. } => say!(
            lang,
            "raise the limit on open files (ulimit -n), or run fewer programs at once",
            "開けるファイル数の上限 (ulimit -n) を上げるか、同時に動かすプログラムを減らしてください"
        ),
        StoreError::Thread(_) => say!(
            lang,
            "raise the limit on processes (ulimit -u, a service's TasksMax), or run fewer programs at once",
            "プロセス数の上限 (ulimit -u、サービスの TasksMax) を上げるか、同時に動かすプログラムを減らしてください"
        ),
        _ => say!(
            lang,
            "raise the limit on memory (ulimit -v), or run fewer programs at once",
            "メモリーの上限 (ulimit -v) を上げるか、同時に動かすプログラムを減らしてください"
        ),
    }
}
