//! `drill`: what was restored, and whether it is what it should be.

use crate::catalogue::{Lang, Noun, count, say};
use crate::drill::{DrillReport, DrilledSnapshot, Report};
use crate::face::ProblemCounts;
use engine::units::{escape, format_bytes};

/// Everything that a drill reports, a line each; the last is the verdict.
pub fn drilled(lang: Lang, report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &report.drilled {
        lines.push(restored(lang, one));
        lines.extend(compared(lang, &one.found));
    }
    let different = report.drilled.iter().map(|one| one.found.different).sum();
    lines.push(verdict(lang, different, report.problems));
    lines
}

fn restored(lang: Lang, one: &DrilledSnapshot) -> String {
    let (found, snapshot) = (&one.found, &one.snapshot);
    let (short, time) = (&snapshot.short, &snapshot.time);
    let (files, all) = (
        count(lang, found.files, Noun::File),
        count(lang, found.total_files, Noun::File),
    );
    let (bytes, total) = (format_bytes(found.bytes), format_bytes(found.total_bytes));
    let of = match &one.set {
        Some(set) => {
            let set = escape(set.as_bytes());
            say!(lang, " of set {set}", "セット {set} の")
        }
        None => String::new(),
    };
    say!(
        lang,
        "Restored {files} ({bytes}) of {all} ({total}) from snapshot {short} of {time}{of}, and compared them",
        "{of}スナップショット {short} ({time}) の{all} ({total}) のうち{files} ({bytes}) を復元して比べました"
    )
}

fn compared(lang: Lang, found: &DrillReport) -> Vec<String> {
    let mut lines = Vec::new();
    if found.live_files + found.live_changed > 0 {
        let (same, changed) = (
            count(lang, found.live_files, Noun::File),
            count(lang, found.live_changed, Noun::File),
        );
        lines.push(say!(
            lang,
            "Compared with the files on this machine: {same}; changed or gone since the backup: {changed}",
            "このコンピューターにある元のファイルとも比べたもの: {same}。バックアップ後に変わったか、なくなったもの: {changed}"
        ));
    }
    if found.metadata_skipped > 0 {
        let paths = count(lang, found.metadata_skipped, Noun::Entry);
        lines.push(say!(
            lang,
            "Some metadata of {paths} can't be restored by this user, or in the scratch folder, and was not compared",
            "{paths}のメタデータの一部は、この利用者、またはこの作業フォルダーでは復元できないため比べていません"
        ));
    }
    lines
}

fn verdict(lang: Lang, different: u64, problems: ProblemCounts) -> String {
    let paths = count(lang, different, Noun::Entry);
    match (different, problems.paths + problems.unreadable) {
        (0, 0) => say!(
            lang,
            "Everything was restored as it was backed up",
            "すべてバックアップしたとおりに復元できました"
        ),
        (0, _) => say!(
            lang,
            "Everything was restored as it was backed up, but for what is named above",
            "上に示したもの以外は、すべてバックアップしたとおりに復元できました"
        ),
        (_, _) if problems.damage == 0 => say!(
            lang,
            "{paths}, named above, could not be restored as backed up",
            "{paths}をバックアップしたとおりに復元できませんでした (上に示したもの)"
        ),
        (_, _) => say!(
            lang,
            "{paths}, named above, could not be restored as backed up. 'dedup check --read-data' shows what is damaged",
            "{paths}をバックアップしたとおりに復元できませんでした (上に示したもの)。'dedup check --read-data' で破損を調べてください"
        ),
    }
}
