//! What the operating system says went wrong.

use super::Lang;
use std::io::{self, ErrorKind};

/// An error of the system, kept as data until somebody reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SystemError {
    pub kind: ErrorKind,
    /// As the system, or the library that passed it on, puts it.
    pub detail: String,
}

impl From<&io::Error> for SystemError {
    fn from(error: &io::Error) -> SystemError {
        SystemError {
            kind: error.kind(),
            detail: error.to_string(),
        }
    }
}

impl From<io::Error> for SystemError {
    fn from(error: io::Error) -> SystemError {
        SystemError::from(&error)
    }
}

impl SystemError {
    /// The common ones have names in each language; of the others, what the system says is better than nothing.
    pub fn text(&self, lang: Lang) -> String {
        let known = match lang {
            Lang::En => None,
            Lang::Ja => japanese(self.kind),
        };
        known.map_or_else(|| self.detail.clone(), |known| with_detail(known, self))
    }
}

/// A message of a library says more than the kind of its error.
fn with_detail(known: &str, error: &SystemError) -> String {
    let is_plain = error.detail.contains("(os error") || error.detail == error.kind.to_string();
    match is_plain {
        true => known.to_string(),
        false => format!("{known} ({})", error.detail),
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
        ErrorKind::NotADirectory => "ディレクトリではありません",
        ErrorKind::IsADirectory => "ディレクトリです",
        ErrorKind::DirectoryNotEmpty => "ディレクトリが空ではありません",
        ErrorKind::ReadOnlyFilesystem => "ファイルシステムが読み取り専用です",
        ErrorKind::InvalidInput => "不正な値です",
        ErrorKind::InvalidData => "不正なデータです",
        ErrorKind::TimedOut => "時間切れになりました",
        ErrorKind::StorageFull => "空き容量がありません",
        ErrorKind::QuotaExceeded => "割り当て容量を超えました",
        ErrorKind::FileTooLarge => "ファイルが大きすぎます",
        ErrorKind::ResourceBusy => "使用中です",
        ErrorKind::TooManyLinks => "リンクが多すぎます",
        ErrorKind::InvalidFilename => "使えない名前です",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let denied = SystemError::from(engine::platform::errno::error(13));
        assert_eq!(denied.text(Lang::En), "Permission denied (os error 13)");
        assert_eq!(denied.text(Lang::Ja), "アクセスが拒否されました");
        let said = io::Error::new(ErrorKind::PermissionDenied, "403 Forbidden");
        let said = SystemError::from(said);
        assert_eq!(said.text(Lang::En), "403 Forbidden");
        assert_eq!(said.text(Lang::Ja), "アクセスが拒否されました (403 Forbidden)");
        let other = SystemError::from(io::Error::other("odd"));
        assert_eq!(other.text(Lang::Ja), "odd");
    }
}
