//! Why a source was not read in a snapshot of its file system.

use super::{Lang, SystemError, say};
use crate::status::Status;
use engine::snapshots::{NoSnapshot, ToolError};
use engine::units::escape;
use std::path::Path;

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

pub(super) fn status(why: &NoSnapshot) -> Status {
    match why {
        NoSnapshot::NotPermitted { .. } => Status::AccessDenied,
        NoSnapshot::NotSupported { .. }
        | NoSnapshot::FileAmongOthers { .. }
        | NoSnapshot::NoProgram { .. }
        | NoSnapshot::TooManySubvolumes { .. } => Status::BadSettings,
        NoSnapshot::Tool { .. } | NoSnapshot::Io { .. } => Status::Failed,
    }
}

pub(super) fn no_source_snapshot(lang: Lang, why: &NoSnapshot) -> String {
    match why {
        NoSnapshot::NotSupported { source, file_system } => {
            let source = shown(source);
            let kind = escape(file_system.as_bytes());
            say!(
                lang,
                "no snapshot of {source}: its file system ({kind}) can't make snapshots that dedup can read; btrfs and ZFS can, and ext4 \
                 and XFS on LVM",
                "{source} のスナップショットを作れません。ファイルシステム ({kind}) が対応していません (btrfs、ZFS、または LVM \
                 上の ext4 と XFS なら可能)"
            )
        }
        NoSnapshot::FileAmongOthers { source } => {
            let source = shown(source);
            say!(
                lang,
                "no snapshot of {source}: it is a file, and other sources are below its directory; name the directory instead",
                "{source} のスナップショットを作れません。ファイルであり、同じディレクトリーの下に別の対象があるためです。\
                 ディレクトリーを指定してください"
            )
        }
        NoSnapshot::NotPermitted { source } => {
            let source = shown(source);
            say!(
                lang,
                "no snapshot of {source}: only root may make and delete snapshots",
                "{source} のスナップショットを作れません。作成と削除には root の権限が必要です"
            )
        }
        NoSnapshot::NoProgram { program } => no_program(lang, program),
        NoSnapshot::TooManySubvolumes { source } => {
            let source = shown(source);
            say!(
                lang,
                "no snapshot of {source}: there are too many subvolumes below it",
                "{source} のスナップショットを作れません。下にサブボリュームが多すぎます"
            )
        }
        NoSnapshot::Tool { source, error } => tool_failed(lang, source, error),
        NoSnapshot::Io { path, error } => {
            let path = shown(path);
            let why = SystemError::from(error.clone()).text(lang);
            say!(
                lang,
                "no snapshot: {path}: {why}",
                "スナップショットを作れません。{path}: {why}"
            )
        }
    }
}

fn no_program(lang: Lang, program: &str) -> String {
    let package = match program {
        "zfs" => "zfsutils-linux",
        "btrfs" => "btrfs-progs",
        "mount" | "umount" => "mount",
        _ => "lvm2",
    };
    say!(
        lang,
        "no snapshot: the program '{program}' is not installed (Debian and Ubuntu: {package})",
        "スナップショットを作れません。'{program}' がインストールされていません (Debian、Ubuntu では {package})"
    )
}

fn tool_failed(lang: Lang, source: &Path, error: &ToolError) -> String {
    let source = shown(source);
    let command = escape(error.command.as_bytes());
    let why = escape(error.stderr.as_bytes());
    say!(
        lang,
        "no snapshot of {source}: '{command}' failed: {why}",
        "{source} のスナップショットを作れません。'{command}' が失敗しました: {why}"
    )
}
