//! The menu of the icon in the desktop's panel.

use crate::catalogue::{Lang, say};

pub fn no_sets(lang: Lang) -> &'static str {
    lang.pick("There is no set yet.", "セットがまだありません。")
}

pub fn open(lang: Lang) -> &'static str {
    lang.pick("Open the console", "コンソールを開く")
}

/// In the place of the entry above.
pub fn not_running(lang: Lang) -> &'static str {
    lang.pick("The console is not running", "コンソールは動いていません")
}

/// `status`: a line for each set.
pub fn start_the_console(lang: Lang, status: &str) -> String {
    say!(
        lang,
        "The console is not running: start 'dedup console'.\n{status}",
        "コンソールは動いていません。'dedup console' で起動してください。\n{status}"
    )
}

pub fn pause(lang: Lang, hours: i64) -> &'static str {
    match hours {
        1 => lang.pick("Pause for 1 hour", "1 時間停止する"),
        4 => lang.pick("Pause for 4 hours", "4 時間停止する"),
        _ => lang.pick("Pause for 1 day", "1 日停止する"),
    }
}

pub fn resume(lang: Lang) -> &'static str {
    lang.pick("End the pause", "再開する")
}

pub fn stop(lang: Lang) -> &'static str {
    lang.pick("Stop running backups", "実行中のバックアップを止める")
}

pub fn quit(lang: Lang) -> &'static str {
    lang.pick("Remove this icon", "このアイコンを消す")
}

/// The entry that starts the icon with each session.
pub fn installed(lang: Lang, place: &str, dry_run: bool) -> String {
    match dry_run {
        true => say!(
            lang,
            "Would write {place}: the icon comes with your next session",
            "{place} を書きます。次のセッションからアイコンが表示されます"
        ),
        false => say!(
            lang,
            "Wrote {place}: the icon comes with your next session",
            "{place} を書きました。次のセッションからアイコンが表示されます"
        ),
    }
}

pub fn removed(lang: Lang, place: &str, is_there: bool, dry_run: bool) -> String {
    match (is_there, dry_run) {
        (false, _) => say!(
            lang,
            "There is no {place}: the icon does not come by itself",
            "{place} はありません。アイコンは自動では表示されません"
        ),
        (true, true) => say!(lang, "Would remove {place}", "{place} を削除します"),
        (true, false) => say!(lang, "Removed {place}", "{place} を削除しました"),
    }
}

/// Once the icon is there.
pub fn shown(lang: Lang) -> String {
    say!(
        lang,
        "The icon is in the panel (Ctrl-C removes it)",
        "パネルにアイコンを表示しました (Ctrl-C で終了)"
    )
}
