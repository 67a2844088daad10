//! `prune`: deleted files that leave older snapshots.

use crate::catalogue::{Lang, Noun, count, say};
use crate::expire::Expired;
use crate::face::ExpiringSet;
use crate::text::{absolute, short};
use engine::expire::ExpiredPath;
use engine::units::{escape, format_bytes};

/// Above the files of a set.
pub fn expiring(lang: Lang, set: &ExpiringSet) -> String {
    let (files, bytes) = set.found.files();
    let (files, bytes) = (count(lang, files, Noun::DeletedFile), format_bytes(bytes));
    let snapshots = count(lang, set.snapshots.len() as u64, Noun::Snapshot);
    let name = escape(set.set.as_bytes());
    match set.dry_run {
        true => say!(
            lang,
            "Set {name}: would drop {files}, {bytes}, from {snapshots}:",
            "セット {name}: {snapshots}から取り除く{files}、{bytes}:"
        ),
        false => say!(
            lang,
            "Set {name}: dropping {files}, {bytes}, from {snapshots}",
            "セット {name}: {snapshots}から{files}、{bytes} を取り除きます"
        ),
    }
}

/// One of the files, or a directory with all that is in it.
pub fn expiring_path(lang: Lang, path: &[u8], one: &ExpiredPath) -> String {
    let slash = if one.is_dir { "/" } else { "" };
    let path = escape(&absolute(path)) + slash;
    let held_by = short(&one.held_by.to_hex());
    match one.size.map(format_bytes) {
        Some(size) => say!(
            lang,
            "  {path}  {size}, last in {held_by}",
            "  {path}  {size}、最後は {held_by}"
        ),
        None => say!(lang, "  {path}  last in {held_by}", "  {path}  最後は {held_by}"),
    }
}

/// Below the files of a set, where there are more.
pub fn more_expiring(lang: Lang) -> String {
    say!(
        lang,
        "  and more, which the next prune drops",
        "  ほかにもあり、次の prune で取り除きます"
    )
}

/// In the end; nothing where there was nothing to do.
pub fn expired(lang: Lang, expired: &Expired, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if expired.snapshots > 0 {
        let (files, bytes) = (
            count(lang, expired.files, Noun::DeletedFile),
            format_bytes(expired.bytes),
        );
        let snapshots = count(lang, expired.snapshots, Noun::Snapshot);
        lines.push(match dry_run {
            true => say!(
                lang,
                "Would drop {files}, {bytes}, from {snapshots}",
                "{snapshots}から{files}、{bytes} が取り除かれます"
            ),
            false => say!(
                lang,
                "Dropped {files}, {bytes}, from {snapshots}; 'dedup undelete' lists their old forms",
                "{snapshots}から{files}、{bytes} を取り除きました。以前の形は 'dedup undelete' で一覧できます"
            ),
        });
    }
    if expired.failed > 0 {
        lines.push(say!(
            lang,
            "Some deleted files could not be dropped",
            "取り除けなかった削除済みファイルがあります"
        ));
    }
    lines
}
