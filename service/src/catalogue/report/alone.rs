//! `space`: what paths, sets or snapshots hold alone.

use crate::catalogue::{Lang, say};
use crate::text::grouped;
use engine::units::{escape, format_bytes};

/// Above the sizes, and above what they are of.
pub fn columns(lang: Lang) -> [&'static str; 2] {
    match lang {
        Lang::En => ["Alone", "Path"],
        Lang::Ja => ["単独の量", "パス"],
    }
}

pub fn set_column(lang: Lang) -> &'static str {
    lang.pick("Set", "セット")
}

pub fn snapshot_column(lang: Lang) -> &'static str {
    lang.pick("Snapshot", "スナップショット")
}

pub fn no_set(lang: Lang) -> String {
    say!(lang, "(no set)", "(セットなし)")
}

/// What is too much to be told apart.
pub fn rest(lang: Lang) -> String {
    say!(lang, "(everything else)", "(そのほか)")
}

/// Rows that are not shown.
pub fn more(lang: Lang, rows: u64) -> String {
    let rows = grouped(rows);
    say!(
        lang,
        "{rows} more hold less; -v shows all",
        "ほかに {rows} 件 (より少ない量)。-v ですべて表示します"
    )
}

/// Bytes that several of the rows need, and nothing else.
pub fn together(lang: Lang, bytes: u64) -> String {
    let bytes = format_bytes(bytes);
    say!(
        lang,
        "{bytes} more are shared among them, and needed by nothing else",
        "ほかに {bytes} が、これらの間だけで共有されています"
    )
}

/// What goes with a whole directory.
pub fn all_of(lang: Lang, path: &str, bytes: u64) -> String {
    let bytes = format_bytes(bytes);
    say!(
        lang,
        "Without {path}, {bytes} would be freed",
        "{path} を取り除くと {bytes} が空きます"
    )
}

/// The commands that follow from it.
pub fn advice_on_path(lang: Lang, path: &str) -> String {
    let path = quoted(path);
    say!(
        lang,
        "To save it no longer: 'dedup backup --exclude {path}' or 'dedup set edit'. To remove it from all snapshots: \
         'dedup purge {path}', then 'dedup prune'",
        "今後バックアップしないようにするには 'dedup backup --exclude {path}' か 'dedup set edit' を、すべてのスナップショットから\
         取り除くには 'dedup purge {path}' のあと 'dedup prune' を実行してください"
    )
}

/// As a shell takes it.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    let path = escape(path.as_bytes());
    match path.chars().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

pub fn advice_on_snapshot(lang: Lang, id: &str) -> String {
    say!(
        lang,
        "To remove a snapshot: 'dedup forget {id}', then 'dedup prune'",
        "スナップショットを削除するには 'dedup forget {id}' のあと 'dedup prune' を実行してください"
    )
}

pub fn advice_on_sets(lang: Lang) -> String {
    say!(
        lang,
        "To keep fewer snapshots of a set, change its retention: 'dedup set edit'; then 'dedup prune'",
        "セットのスナップショットを減らすには 'dedup set edit' で保持の規則を変更し、'dedup prune' を実行してください"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(quoted("/home/u/文書"), "/home/u/文書");
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("/it's"), "'/it'\\''s'");
    }
}
