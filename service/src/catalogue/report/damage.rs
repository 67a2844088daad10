//! `check`, `heal` and `repair`: what is damaged, and what became of it.

use crate::catalogue::report::and_more;
use crate::catalogue::{Lang, Noun, count, say};
use crate::text::{grouped, short, time};
use engine::check::{CheckReport, DamagedPath};
use engine::heal::Healed;
use engine::repair::{IndexRepaired, PacksRepaired, ParityRepaired, SnapshotsRepaired};
use engine::units::{escape, format_bytes};
use jiff::Timestamp;

/// One path that can't be restored whole.
pub fn damaged_path(lang: Lang, hurt: &DamagedPath) -> String {
    let (snapshot, path) = (&hurt.snapshot, escape(&hurt.path));
    let more = match hurt.entries {
        0 | 1 => String::new(),
        n => {
            let entries = count(lang, n - 1, Noun::Entry);
            say!(lang, " and {entries} after it", " (とその後ろの{entries})")
        }
    };
    format!("  {snapshot}  {path}{more}")
}

/// What can't be restored whole, named as far as a report does; nothing where all can.
pub fn damaged_paths(lang: Lang, paths: &[DamagedPath], all: u64) -> Vec<String> {
    let head = say!(lang, "Can't be restored completely:", "完全には復元できないもの:");
    path_lines(lang, head, paths, all)
}

fn unproven_paths(lang: Lang, paths: &[DamagedPath], all: u64) -> Vec<String> {
    let head = say!(
        lang,
        "Not checked, because an object that they need can't be read:",
        "必要なオブジェクトを読み取れず、調べられなかったもの:"
    );
    path_lines(lang, head, paths, all)
}

fn path_lines(lang: Lang, head: String, paths: &[DamagedPath], all: u64) -> Vec<String> {
    if paths.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![head];
    lines.extend(paths.iter().map(|path| damaged_path(lang, path)));
    let more = all.saturating_sub(paths.iter().map(|path| path.entries.max(1)).sum());
    if more > 0 {
        lines.push(and_more(lang, more));
    }
    lines
}

/// What a check found, path by path.
pub fn found_paths(lang: Lang, r: &CheckReport) -> Vec<String> {
    let mut lines = damaged_paths(lang, &r.paths, r.damaged_paths);
    lines.extend(unproven_paths(lang, &r.unproven, r.unproven_paths));
    lines
}

/// What a check looked at, and what to do about what it found.
pub fn checked(lang: Lang, r: &CheckReport) -> Vec<String> {
    let snapshots = count(lang, r.snapshots, Noun::Snapshot);
    let chunks = count(lang, r.chunks, Noun::Chunk);
    let segments = count(lang, r.index_segments, Noun::IndexSegment);
    let packs = count(lang, r.packs, Noun::Pack);
    let size = format_bytes(r.packs_size);
    let mut lines = vec![say!(
        lang,
        "Checked {snapshots}, {chunks}, {segments}, {packs} with {size}",
        "検査したもの: {snapshots}、{chunks}、{segments}、{packs} ({size})"
    )];
    if r.packs_read > 0 {
        let (packs, bytes) = (count(lang, r.packs_read, Noun::Pack), format_bytes(r.bytes_read));
        lines.push(say!(
            lang,
            "Read {packs}, {bytes}",
            "読み取ったもの: {packs}、{bytes}"
        ));
    }
    lines.extend(advice(lang, r));
    lines
}

/// What is still due, and since when all data has been read.
pub fn read_since(lang: Lang, r: &CheckReport, since: Option<Timestamp>) -> Vec<String> {
    let mut lines = Vec::new();
    if r.packs_due > 0 {
        let (packs, bytes) = (count(lang, r.packs_due, Noun::Pack), format_bytes(r.bytes_due));
        lines.push(say!(
            lang,
            "Still to be read: {packs}, {bytes}",
            "まだ読み取っていないもの: {packs}、{bytes}"
        ));
    }
    if let Some(since) = since {
        let since = time(since);
        lines.push(say!(
            lang,
            "Every byte stored by {since} has been read since",
            "{since} までに保存した全データを、それ以降に読み取りました"
        ));
    }
    lines
}

fn advice(lang: Lang, r: &CheckReport) -> Vec<String> {
    let mut lines = Vec::new();
    let packs = count(lang, r.packs_unlisted, Noun::Pack);
    if r.suggest_repair_index {
        lines.push(say!(
            lang,
            "The index is incomplete: snapshots need chunks that no index segment lists, and {packs} can be listed. Run \
             'dedup repair index', then 'dedup check' again",
            "索引が不完全です。スナップショットに必要なチャンクが索引になく、{packs}を登録できます。\
             'dedup repair index' のあと、もう一度 'dedup check' を実行してください"
        ));
    } else if r.packs_unlisted > 0 && r.suggest_prune {
        lines.push(say!(
            lang,
            "{packs} of unfinished backups: 'dedup prune' removes those that no running backup needs",
            "終わらなかったバックアップの{packs}: 実行中のバックアップが使わないものは 'dedup prune' で削除されます"
        ));
    }
    if r.packs_abandoned > 0 {
        lines.push(unneeded(lang, r.packs_abandoned));
    }
    if r.num_errors > 0 && !r.suggest_repair_index {
        lines.push(say!(
            lang,
            "What is not named above can be restored. 'dedup heal' repairs the rest from a replica, 'dedup repair' from \
             what is left",
            "上に示したもの以外は復元できます。残りは、レプリカがあれば 'dedup heal' で、なければ残ったものから \
             'dedup repair' で修復できます"
        ));
    }
    lines
}

fn unneeded(lang: Lang, packs: u64) -> String {
    let packs = count(lang, packs, Noun::DamagedPack);
    say!(
        lang,
        "{packs} that no snapshot needs: 'dedup prune' removes them",
        "どのスナップショットも使わない{packs}: 'dedup prune' で削除されます"
    )
}

/// What was found, and no more than was looked at.
pub fn verdict(lang: Lang, r: &CheckReport) -> String {
    let errors = count(lang, r.num_errors, Noun::Error);
    let unreadable = count(lang, r.num_unreadable, Noun::Object);
    match (r.num_errors, r.num_unreadable) {
        (0, 0) => say!(lang, "No damage found", "破損は見つかりませんでした"),
        (_, 0) => say!(lang, "{errors} found", "{errors}見つかりました"),
        (0, _) => say!(
            lang,
            "No errors found, but the check is incomplete: {unreadable} could not be read. Run 'dedup check' again when \
             they can be",
            "エラーは見つかりませんでしたが、{unreadable}を読み取れず、検査は不完全です。読み取れるようにしてから、\
             もう一度 'dedup check' を実行してください"
        ),
        (_, _) => say!(
            lang,
            "{errors} found, but the check is incomplete: {unreadable} could not be read. Run 'dedup check' again when \
             they can be",
            "{errors}見つかりました。また、{unreadable}を読み取れず、検査は不完全です。読み取れるようにしてから、\
             もう一度 'dedup check' を実行してください"
        ),
    }
}

/// What `heal` did, a line each; the last but for hints is the verdict.
pub fn healed(lang: Lang, h: &Healed, read_data: bool, dry_run: bool) -> Vec<String> {
    let mut lines: Vec<String> = h
        .mended
        .iter()
        .map(|name| {
            let name = escape(name.as_bytes());
            say!(lang, "Repaired {name}", "修復しました: {name}")
        })
        .collect();
    lines.extend(listed_again(lang, h.segments_damaged, h.packs_listed));
    if h.packs_damaged > 0 {
        let (packs, good) = (
            count(lang, h.packs_damaged, Noun::DamagedPack),
            grouped(h.packs_mended),
        );
        lines.push(say!(
            lang,
            "{packs}, {good} replaced by a good copy",
            "{packs}のうち {good} 個を正しい複製に置き換えました"
        ));
    }
    if h.chunks_brought > 0 {
        let (chunks, bytes) = (count(lang, h.chunks_brought, Noun::Chunk), format_bytes(h.bytes));
        lines.push(match dry_run {
            true => say!(
                lang,
                "{chunks} would come from other replicas, {bytes} sent",
                "ほかのレプリカから{chunks} ({bytes}) を取り寄せます"
            ),
            false => say!(
                lang,
                "{chunks} came from other replicas, {bytes} sent",
                "ほかのレプリカから{chunks} ({bytes}) を取り寄せました"
            ),
        });
    }
    if h.packs_unneeded > 0 {
        lines.push(unneeded(lang, h.packs_unneeded));
    }
    lines.push(heal_verdict(lang, h, read_data, dry_run));
    if !read_data {
        lines.push(say!(
            lang,
            "Only trees and what is missing were checked: --read-data reads everything",
            "調べたのはツリーと欠けているものだけです。--read-data ですべてを読み取ります"
        ));
    }
    if dry_run {
        lines.push(super::nothing_changed(lang));
    }
    lines
}

fn listed_again(lang: Lang, segments: u64, packs: u64) -> Option<String> {
    let listed = count(lang, packs, Noun::Pack);
    match (segments, packs) {
        (0, 0) => None,
        (0, _) => Some(say!(
            lang,
            "{listed} that no index segment listed: listed again",
            "索引になかった{listed}を登録し直しました"
        )),
        (segments, _) => {
            let segments = count(lang, segments, Noun::DamagedSegment);
            Some(say!(
                lang,
                "{segments}: {listed} listed again",
                "{segments}: {listed}を登録し直しました"
            ))
        }
    }
}

/// The final result, and no more than is known.
fn heal_verdict(lang: Lang, h: &Healed, read_data: bool, dry_run: bool) -> String {
    match (h.is_whole(), h.was_whole()) {
        (true, true) => say!(
            lang,
            "Nothing that any snapshot needs was found lost or damaged",
            "スナップショットに必要なものに、欠けや破損は見つかりませんでした"
        ),
        (true, false) if dry_run => say!(
            lang,
            "The replicas hold everything that is lost or damaged here",
            "ここで欠けたり壊れたりしているものは、すべてレプリカにあります"
        ),
        (true, false) if read_data => say!(
            lang,
            "All that any snapshot needs is there again",
            "スナップショットに必要なものがすべてそろいました"
        ),
        (true, false) => say!(
            lang,
            "All that was found lost or damaged is there again",
            "見つかった欠けや破損はすべて元に戻りました"
        ),
        (false, _) if h.chunks_unread > 0 => {
            let chunks = count(lang, h.chunks_unread, Noun::Chunk);
            say!(
                lang,
                "Could not bring {chunks}: part of another replica, which may hold them, can't be read. Run 'dedup heal' \
                 again once everything can be read",
                "{chunks}を取り寄せられませんでした。読み取れなかったレプリカの一部にあるかもしれません。読み取れるようにしてから、\
                 もう一度 'dedup heal' を実行してください"
            )
        }
        (false, _) if !h.is_lacking() => {
            let objects = count(lang, h.unreadable(), Noun::Object);
            say!(
                lang,
                "Could not read {objects}, whose content is not known. Run 'dedup heal' again once everything can be read",
                "{objects}を読み取れず、中身は分かりません。読み取れるようにしてから、もう一度 'dedup heal' を実行してください"
            )
        }
        (false, _) => {
            let chunks = count(lang, h.chunks_lost, Noun::Chunk);
            let snapshots = count(lang, h.snapshots_lost, Noun::Snapshot);
            let paths = count(lang, h.damaged_paths, Noun::Path);
            say!(
                lang,
                "Still lost: {chunks} and {snapshots}, {paths} damaged. A backup stores again what its source still has; \
                 'dedup repair' recovers what it can of the rest",
                "まだ失われたまま: {chunks}、{snapshots}、影響する{paths}。元のファイルが残っているものは次のバックアップで\
                 保存し直されます。残りは 'dedup repair' で可能な限り回復できます"
            )
        }
    }
}

/// What became of the packs that had parity.
fn parity_checked(lang: Lang, done: &ParityRepaired, dry_run: bool) -> Vec<String> {
    if done.packs == 0 {
        // Where packs get it now, that is what is told.
        let is_told = done.packs_protected == 0 || dry_run;
        let none = say!(lang, "No pack has parity", "パリティーのあるパックはありません");
        return is_told.then_some(none).into_iter().collect();
    }
    let packs = count(lang, done.packs, Noun::Pack);
    let (repaired, parity) = (grouped(done.packs_repaired), grouped(done.parity_repaired));
    let beyond = grouped(done.packs_beyond);
    vec![say!(
        lang,
        "{packs} with parity: {repaired} repaired; parity rebuilt: {parity}; not repairable from parity: {beyond}",
        "パリティーのある{packs}: 修復 {repaired} 個、作り直したパリティー {parity} 個、パリティーでは修復できないもの {beyond} 個"
    )]
}

pub fn parity_repaired(lang: Lang, done: &ParityRepaired, turned_on: bool, dry_run: bool) -> Vec<String> {
    let mut lines = parity_checked(lang, done, dry_run);
    if done.packs_protected > 0 {
        let noun = match done.packs {
            0 => Noun::Pack,
            _ => Noun::MorePack,
        };
        let packs = count(lang, done.packs_protected, noun);
        let bytes = format_bytes(done.bytes_added);
        lines.push(match dry_run {
            true => say!(
                lang,
                "Would give parity to {packs}",
                "{packs}にパリティーを付けます"
            ),
            false => say!(
                lang,
                "Gave parity to {packs}: {bytes}",
                "{packs}にパリティーを付けました: {bytes}"
            ),
        });
    }
    if turned_on {
        lines.push(say!(
            lang,
            "New packs get parity from now on",
            "これから作るパックにはパリティーが付きます"
        ));
    }
    if done.packs_beyond > 0 {
        lines.push(say!(
            lang,
            "'dedup repair packs' saves what is intact in the others",
            "残りのうち無事なものは 'dedup repair packs' で救えます"
        ));
    }
    lines
}

pub fn index_repaired(lang: Lang, done: &IndexRepaired, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if done.segments_damaged > 0 {
        let segments = count(lang, done.segments_damaged, Noun::DamagedSegment);
        lines.push(say!(
            lang,
            "{segments}: 'dedup prune' removes what nobody needs",
            "{segments}: 使われないものは 'dedup prune' で削除されます"
        ));
    }
    let packs = count(lang, done.packs_listed, Noun::Pack);
    let chunks = count(lang, done.chunks_listed, Noun::Chunk);
    lines.push(match (done.packs_listed, dry_run) {
        (0, _) => say!(
            lang,
            "Every readable pack is in the index",
            "読み取れるパックはすべて索引にあります"
        ),
        (_, true) => say!(
            lang,
            "Would list {packs} again, with {chunks}",
            "{packs} ({chunks}) を登録し直します"
        ),
        (_, false) => say!(
            lang,
            "Listed {packs} again, with {chunks}",
            "{packs} ({chunks}) を登録し直しました"
        ),
    });
    lines
}

pub fn packs_repaired(lang: Lang, done: &PacksRepaired, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let from = count(lang, done.packs - done.packs_unneeded, Noun::DamagedPack);
    let (chunks, bytes) = (
        count(lang, done.chunks_rescued, Noun::Chunk),
        format_bytes(done.bytes_rescued),
    );
    lines.push(match (done.packs, dry_run) {
        (0, _) => say!(
            lang,
            "No damaged pack found",
            "破損したパックは見つかりませんでした"
        ),
        (_, true) => say!(
            lang,
            "Would rescue {chunks}, {bytes}, from {from}",
            "{from}から{chunks}、{bytes} を救います"
        ),
        (_, false) => say!(
            lang,
            "Rescued {chunks}, {bytes}, from {from}",
            "{from}から{chunks}、{bytes} を救いました"
        ),
    });
    if done.packs_unneeded > 0 {
        lines.push(unneeded(lang, done.packs_unneeded));
    }
    if done.packs_lost + done.chunks_lost > 0 {
        let lost = [
            (done.packs_lost, Noun::WholePack),
            (done.chunks_lost, Noun::Chunk),
        ];
        let lost = lost.into_iter().filter(|(n, _)| *n > 0);
        let lost: Vec<String> = lost.map(|(n, what)| count(lang, n, what)).collect();
        let lost = lost.join(match lang {
            Lang::En => " and ",
            Lang::Ja => "、",
        });
        lines.push(say!(
            lang,
            "Lost: {lost}. A backup of what is still at its source brings it back; 'dedup repair snapshots' repairs the \
             snapshots as far as possible",
            "失われたもの: {lost}。元のファイルが残っていればバックアップで元に戻ります。\
             スナップショットは 'dedup repair snapshots' で可能な限り修復できます"
        ));
    }
    lines
}

pub fn snapshots_repaired(lang: Lang, done: &SnapshotsRepaired) -> Vec<String> {
    let mut lines = Vec::new();
    for hurt in &done.repaired {
        let old = short(&hurt.id.to_hex());
        let lost = count(lang, hurt.lost_entries, Noun::Path);
        lines.push(match hurt.successor.map(|id| short(&id.to_hex())) {
            Some(new) => say!(
                lang,
                "{old} is repaired as {new}, without {lost}:",
                "{old} を {new} として修復しました。含まれない{lost}:"
            ),
            None => say!(
                lang,
                "{old} would be repaired, without {lost}:",
                "{old} を修復します。含まれない{lost}:"
            ),
        });
        lines.extend(hurt.lost.iter().map(|path| damaged_path(lang, path)));
        let named = hurt.lost.iter().map(|path| path.entries).sum();
        let more = hurt.lost_entries.saturating_sub(named);
        if more > 0 {
            lines.push(and_more(lang, more));
        }
    }
    lines.push(match done.repaired.is_empty() {
        true => say!(
            lang,
            "No snapshot needs repair",
            "修復の必要なスナップショットはありません"
        ),
        false => say!(
            lang,
            "The old ones stay: 'dedup forget' removes them",
            "元のスナップショットは残っています。'dedup forget' で削除できます"
        ),
    });
    lines
}
