//! Text for people. Every name and path in it is escaped, so that none can steer a terminal.

use jiff::Timestamp;
use service::catalogue::report::backup::change as change_word;
use service::catalogue::{Lang, faults};
use service::entry::{Entry, Kind, Time};
use service::facts::SnapshotInfo;
use service::monitor::EntryChange;
use service::text::padded;
pub use service::text::{absolute, entry_path, grouped, kind_letter, mode, short, time};
use service::units::{escape, format_bytes};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// One line about what became of an entry.
pub fn change(lang: Lang, path: &[u8], kind: &Kind, change: EntryChange) -> String {
    let word = padded(change_word(lang, change), 9);
    format!("{word} {}", escape(&entry_path(path, kind)))
}

/// Columns padded to the widest cell; the last column is not padded, numbers (`right`) are aligned right. Widths are
/// those of a terminal, where an ideograph takes two columns.
pub fn table(head: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (nr, (cell, width)) in cells.zip(&widths).enumerate() {
            let gap = if nr == 0 { "" } else { "  " };
            let padding = " ".repeat(width - cell.width());
            let _ = match right.contains(&nr) {
                true => write!(out, "{gap}{padding}{cell}"),
                false => write!(out, "{gap}{cell}{padding}"),
            };
        }
        format!("{}\n", out.trim_end())
    };
    let mut out = line(&mut head.iter().copied());
    for row in rows {
        out += &line(&mut row.iter().map(String::as_str));
    }
    out
}

/// Escaped and separated by commas.
pub fn names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| escape(name.as_bytes())).collect();
    names.join(",")
}

pub fn paths(paths: &[Vec<u8>]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| escape(path)).collect();
    paths.join(" ")
}

/// One snapshot in a line: where only a few are named.
pub fn snapshot_line(facts: &SnapshotInfo) -> String {
    let id = short(&facts.id.to_hex());
    let tags = match facts.tags.is_empty() {
        true => String::new(),
        false => format!("  [{}]", names(&facts.tags)),
    };
    let (host, paths) = (escape(facts.host.as_bytes()), paths(&facts.paths));
    format!("{id}  {}  {host}{tags}  {paths}", time(facts.time))
}

/// When a file was modified, in local time.
pub fn file_time(modified: Time) -> String {
    let at = Timestamp::new(modified.secs, modified.nanos.min(999_999_999).cast_signed());
    at.map_or_else(|_| "?".to_string(), time)
}

/// Mode and owner.
pub fn look(entry: &Entry) -> String {
    let meta = &entry.meta;
    let who = |name: &str, number: u32| match name.is_empty() {
        true => number.to_string(),
        false => escape(name.as_bytes()),
    };
    format!(
        "{} {:<8} {:<8}",
        mode(kind_letter(&entry.kind), meta.mode),
        who(&meta.user, meta.uid),
        who(&meta.group, meta.gid),
    )
}

/// A line of `ls -l`: mode, owner, size, local time, path.
pub fn long_entry(lang: Lang, path: &[u8], entry: &Entry, human: bool) -> String {
    let size = match human {
        true => format_bytes(entry.meta.size),
        false => entry.meta.size.to_string(),
    };
    let mut line = format!(
        "{} {size:>13} {:<19} {}",
        look(entry),
        file_time(entry.meta.mtime),
        escape(&absolute(path))
    );
    if let Kind::Symlink { target } = &entry.kind {
        let _ = write!(line, " -> {}", escape(target));
    }
    if let Some(trouble) = entry.trouble {
        let _ = write!(line, " ({})", faults::trouble(lang, trouble));
    }
    line
}

/// The tags of a path, behind its line.
pub fn tags(tags: &[&str]) -> String {
    match tags.is_empty() {
        true => String::new(),
        false => format!("  [{}]", escape(tags.join(", ").as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let rows = [
            vec!["a".to_string(), "1".into(), "x".into()],
            vec!["bb".into(), "22".into(), String::new()],
        ];
        assert_eq!(
            table(&["N", "Size", "P"], &[1], &rows),
            "N   Size  P\na      1  x\nbb    22\n"
        );
        let wide = [
            vec!["日本".to_string(), "x".into()],
            vec!["abcde".into(), "y".into()],
        ];
        assert_eq!(table(&["N", "P"], &[], &wide), "N      P\n日本   x\nabcde  y\n");
    }
}
