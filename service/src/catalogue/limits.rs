//! What holds a run back.

use super::{Lang, say};
use crate::limits::Hindrance;
use engine::units::escape;

pub fn hindrance(lang: Lang, why: &Hindrance) -> String {
    let shown = |name: &str| escape(name.as_bytes()).to_string();
    match why {
        Hindrance::Battery { percent, least } => say!(
            lang,
            "the battery is at {percent}%, below 'battery-min' ({least}%)",
            "バッテリーの残量が {percent}% で、battery-min ({least}%) を下回っています"
        ),
        Hindrance::Wifi { name } => {
            let name = shown(name);
            say!(
                lang,
                "the wireless network '{name}' is in 'skip-wifi'",
                "無線ネットワーク「{name}」は skip-wifi にあります"
            )
        }
        Hindrance::Interface { name } => {
            let name = shown(name);
            say!(
                lang,
                "the network interface '{name}' is in 'skip-interfaces'",
                "ネットワークインターフェース「{name}」は skip-interfaces にあります"
            )
        }
        Hindrance::Metered => say!(
            lang,
            "the network is metered ('skip-metered')",
            "従量課金のネットワークに接続しています (skip-metered)"
        ),
    }
}

/// What the system shows as the reason why it does not sleep.
pub fn awake_for_a_backup(lang: Lang) -> String {
    say!(lang, "A backup is running", "バックアップを実行中です")
}
