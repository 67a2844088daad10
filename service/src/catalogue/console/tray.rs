//! Why the desktop shows no icon.

use super::{Lang, say};

/// What the icon lacks.
#[derive(Clone, Debug)]
pub enum TrayFault {
    /// No desktop is there to show an icon.
    NoSessionBus {
        why: String,
    },
    /// The desktop has no place for icons.
    NoTray,
    Ended {
        why: String,
    },
}

impl TrayFault {
    pub(super) fn text(&self, lang: Lang) -> String {
        match self {
            TrayFault::NoSessionBus { why } => say!(
                lang,
                "there is no desktop session to show an icon in ({why}): start 'dedup tray' in one, or see \
                 'dedup status'",
                "アイコンを表示するデスクトップのセッションがありません ({why})。セッションの中で 'dedup tray' を起動するか、\
                 'dedup status' を使ってください"
            ),
            TrayFault::NoTray => say!(
                lang,
                "this desktop has no place for icons (org.kde.StatusNotifierWatcher); GNOME needs the extension \
                 AppIndicator",
                "このデスクトップにはアイコンの表示場所 (org.kde.StatusNotifierWatcher) がありません。GNOME では拡張機能 \
                 AppIndicator が必要です"
            ),
            TrayFault::Ended { why } => say!(
                lang,
                "the icon can no longer be shown: {why}",
                "アイコンを表示できなくなりました: {why}"
            ),
        }
    }
}
