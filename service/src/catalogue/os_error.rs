//! Errors of the operating system in the words of each language.

use super::Lang;
use engine::platform::errno;
use std::io::{self, ErrorKind};

/// The common ones have names in each language; for the others, the system's text is better than nothing.
pub(super) fn text(lang: Lang, error: &io::Error) -> String {
    let said = error.to_string();
    let known = errno::number(error)
        .and_then(japanese_number)
        .or_else(|| japanese(error.kind()));
    match (lang, known) {
        (Lang::Ja, Some(known)) => with_detail(known, error.kind(), &said),
        (Lang::Ja, None) | (Lang::En, _) => said,
    }
}

/// A message of a library is more precise than the kind of its error.
fn with_detail(known: &str, kind: ErrorKind, said: &str) -> String {
    match said.contains("(os error") || said == kind.to_string() {
        true => known.to_string(),
        false => format!("{known} ({said})"),
    }
}

fn japanese(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "見つかりません",
        ErrorKind::PermissionDenied => "アクセスが拒否されました",
        ErrorKind::ConnectionRefused => "接続を拒否されました",
        ErrorKind::ConnectionReset => "接続が切断されました",
        ErrorKind::ConnectionAborted => "接続が中断されました",
        ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable => "ホストに到達できません",
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => "ネットワークに到達できません",
        ErrorKind::AlreadyExists => "すでに存在します",
        ErrorKind::NotADirectory => "ディレクトリーではありません",
        ErrorKind::IsADirectory => "ディレクトリーです",
        ErrorKind::DirectoryNotEmpty => "ディレクトリーが空ではありません",
        ErrorKind::ReadOnlyFilesystem => "ファイルシステムが読み取り専用です",
        ErrorKind::InvalidInput => "不正な値です",
        ErrorKind::InvalidData => "不正なデータです",
        ErrorKind::TimedOut => "時間切れになりました",
        ErrorKind::StorageFull => "空き容量がありません",
        ErrorKind::QuotaExceeded => "割り当て容量を超えました",
        ErrorKind::FileTooLarge => "ファイルが大きすぎます",
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => "使用中です",
        ErrorKind::AddrInUse => "アドレスが使用中です",
        ErrorKind::CrossesDevices => "別のファイルシステムにまたがっています",
        ErrorKind::NotConnected => "接続されていません",
        ErrorKind::NotSeekable => "読み書きの位置を変えられません",
        ErrorKind::WouldBlock => "一時的に使えません",
        ErrorKind::TooManyLinks => "リンクが多すぎます",
        ErrorKind::InvalidFilename => "使えない名前か、長すぎる名前です",
        ErrorKind::ArgumentListTooLong => "引数が長すぎます",
        ErrorKind::Interrupted => "中断されました",
        ErrorKind::Unsupported => "対応していません",
        ErrorKind::UnexpectedEof => "途中で終わっています",
        ErrorKind::OutOfMemory => "メモリーが足りません",
        ErrorKind::BrokenPipe => "受け取り側が閉じました",
        ErrorKind::StaleNetworkFileHandle => "ネットワーク上のファイルが無効になりました",
        _ => return None,
    })
}

/// Those that have no kind, or share it with another.
fn japanese_number(errno: i32) -> Option<&'static str> {
    Some(match errno {
        1 => "許可されていない操作です",
        5 => "入出力エラーです",
        6 | 19 => "デバイスがありません",
        23 => "システムが開けるファイルの数を超えました",
        24 => "開けるファイルの数を超えました",
        40 => "シンボリックリンクが循環しています",
        61 => "データがありません",
        75 => "値が大きすぎます",
        117 => "ファイルシステムの構造が壊れています",
        121 => "デバイスの入出力エラーです",
        _ => return None,
    })
}
