//! `purge`: paths out of all snapshots.

use crate::catalogue::{Lang, Noun, count, say};
use crate::text::short;
use engine::units::{escape, format_bytes};

/// What came of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeOutcome<'a> {
    /// Its id now.
    Replaced(&'a str),
    /// Nothing was left of it.
    Emptied,
    /// It would be changed.
    DryRun,
}

/// One snapshot that held the paths: `files` and `bytes` of them.
pub fn purged(lang: Lang, old: &str, outcome: PurgeOutcome<'_>, files: u64, bytes: u64) -> String {
    let (old, files, bytes) = (short(old), count(lang, files, Noun::File), format_bytes(bytes));
    match outcome {
        PurgeOutcome::Replaced(new) => {
            let new = short(new);
            say!(
                lang,
                "{old} is now {new}, without {files}, {bytes}",
                "{old} は {new} になりました ({files}、{bytes} を取り除きました)"
            )
        }
        PurgeOutcome::Emptied => say!(
            lang,
            "{old} is removed: it held nothing but {files}, {bytes}",
            "{old} を削除しました ({files}、{bytes} のほかに何もありませんでした)"
        ),
        PurgeOutcome::DryRun => say!(lang, "{old}: {files}, {bytes}", "{old}: {files}、{bytes}"),
    }
}

/// At the end, one line for each thing to know.
pub struct PurgeEnd<'a> {
    pub changed: u64,
    pub dry_run: bool,
    /// The old forms can't be brought back.
    pub for_good: bool,
    /// Snapshots that hold the paths still.
    pub protected: u64,
    pub failed: u64,
    pub in_trash: u64,
    pub unmatched: &'a [String],
    pub elsewhere: &'a [String],
}

pub fn ended(lang: Lang, end: &PurgeEnd<'_>) -> Vec<String> {
    let what = count(lang, end.changed, Noun::Snapshot);
    let mut lines = vec![match (end.dry_run, end.for_good) {
        (true, _) => say!(
            lang,
            "Dry run: {what} would be changed",
            "試しの実行: {what}を変更します"
        ),
        (false, false) => say!(
            lang,
            "Changed {what}. 'dedup undelete' lists the old forms for 7 days; a 'dedup prune' after that frees the space",
            "{what}を変更しました。以前の形は 7 日間、'dedup undelete' で元に戻せます。そのあとの 'dedup prune' で空き容量が増えます"
        ),
        (false, true) => say!(
            lang,
            "Changed {what}. 'dedup prune' frees the space",
            "{what}を変更しました。'dedup prune' で空き容量が増えます"
        ),
    }];
    for path in end.unmatched {
        let path = escape(path.as_bytes());
        lines.push(say!(
            lang,
            "No snapshot holds {path}",
            "{path} はどのスナップショットにもありません"
        ));
    }
    if end.protected > 0 {
        let them = if end.protected == 1 { "it" } else { "them" };
        let kept = count(lang, end.protected, Noun::ProtectedSnapshot);
        lines.push(say!(
            lang,
            "Still in {kept}; --force-protected changes {them} too",
            "{kept}にまだあります。--force-protected で、これらも変更できます"
        ));
    }
    if end.failed > 0 {
        let failed = count(lang, end.failed, Noun::Snapshot);
        lines.push(say!(
            lang,
            "{failed} could not be changed",
            "{failed}は変更できませんでした"
        ));
    }
    lines.extend(advice(lang, end));
    lines
}

/// Where the paths may still be, and how they stay away.
fn advice(lang: Lang, end: &PurgeEnd<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if end.dry_run || end.changed == 0 {
        return lines;
    }
    if end.for_good && end.in_trash > 0 {
        let them = if end.in_trash == 1 { "it" } else { "them" };
        let trashed = count(lang, end.in_trash, Noun::RemovedSnapshot);
        lines.push(say!(
            lang,
            "The trash has {trashed}, which may hold it too; 'dedup prune --keep-trash 0s' deletes {them}",
            "ゴミ箱にある{trashed}にも含まれている可能性があります。'dedup prune --keep-trash 0s' で完全に削除できます"
        ));
    }
    if !end.elsewhere.is_empty() {
        let names: Vec<String> = end.elsewhere.iter().map(|name| escape(name.as_bytes())).collect();
        let names = names.join(", ");
        lines.push(say!(
            lang,
            "Replicas and other repositories are not changed: run it again with --repo for {names}",
            "レプリカやほかのリポジトリーは変更していません。--repo を付けて、それぞれで実行してください: {names}"
        ));
    }
    lines.push(say!(
        lang,
        "The next backup saves it again unless it is excluded",
        "除外しない限り、次のバックアップでまた保存されます"
    ));
    lines
}
