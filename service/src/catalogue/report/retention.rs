//! `forget` and `prune`: what is removed, and what is freed.

use crate::catalogue::report::nothing_changed;
use crate::catalogue::{Lang, Noun, count, say};
use crate::text::{self, short};
use engine::prune::PruneSummary;
use engine::units::format_bytes;
use jiff::Timestamp;

/// The heading of the snapshots that a policy keeps or removes.
pub fn decision(lang: Lang, keeps: bool, dry_run: bool, snapshots: u64) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    match (keeps, dry_run) {
        (true, _) => say!(lang, "Keep {snapshots}:", "残す{snapshots}:"),
        (false, true) => say!(lang, "Would remove {snapshots}:", "削除される{snapshots}:"),
        (false, false) => say!(lang, "Remove {snapshots}:", "削除する{snapshots}:"),
    }
}

/// Above what a policy would keep on another day.
pub fn simulated(lang: Lang, day: Timestamp, is_to_come: bool) -> String {
    let day = text::time(day);
    match is_to_come {
        true => say!(
            lang,
            "Of the snapshots that exist now, these would be kept on {day} if backups go on as often as before:",
            "これまでと同じ間隔でバックアップが続く場合に、今あるスナップショットのうち {day} の時点で残るもの:"
        ),
        false => say!(
            lang,
            "Of the snapshots that were made by {day}, these would have been kept then:",
            "{day} までに作られたスナップショットのうち、その時点で残るもの:"
        ),
    }
}

/// Above a picture of snapshots, with what its signs mean.
pub fn timeline_heading(lang: Lang) -> String {
    say!(
        lang,
        "Snapshots over time (# kept, . removed, + some of both):",
        "スナップショットの分布 (# 残る、. 削除、+ 両方):"
    )
}

pub fn forgotten(lang: Lang, snapshots: u64, dry_run: bool) -> String {
    let what = count(lang, snapshots, Noun::Snapshot);
    let them = if snapshots == 1 { "it" } else { "them" };
    match (snapshots, dry_run) {
        (0, _) => say!(lang, "Nothing to remove", "削除するものはありません"),
        (_, true) => say!(
            lang,
            "Dry run: {what} would be removed; nothing was changed",
            "試しの実行: {what}が削除されます。何も変更していません"
        ),
        (_, false) => match lang {
            Lang::En => format!(
                "Removed {what}. 'dedup undelete' brings {them} back for 7 days; a 'dedup prune' after that frees the space"
            ),
            Lang::Ja => format!(
                "{what}を削除しました。7 日間は 'dedup undelete' で元に戻せます。そのあとの 'dedup prune' で空き容量が増えます"
            ),
        },
    }
}

pub fn none_matches(lang: Lang) -> String {
    say!(
        lang,
        "No snapshot matches, so there is nothing to remove",
        "条件に合うスナップショットがないため、削除するものはありません"
    )
}

pub fn loss_accepted(lang: Lang, snapshots: u64, dry_run: bool) -> String {
    let what = count(lang, snapshots, Noun::Snapshot);
    match (snapshots, dry_run) {
        (0, _) => say!(
            lang,
            "No snapshot that this machine knows is gone",
            "このコンピューターが知るスナップショットはすべてあります"
        ),
        (_, true) => say!(
            lang,
            "Dry run: the loss of {what} would be accepted; nothing was changed",
            "試しの実行: {what}の消失を受け入れます。何も変更していません"
        ),
        (_, false) => say!(
            lang,
            "Accepted the loss of {what}",
            "{what}の消失を受け入れました"
        ),
    }
}

/// A snapshot that could not be read, and where what is left of it is kept; nowhere in a dry run.
pub fn given_up(lang: Lang, id: &str, kept_at: Option<&str>) -> String {
    let id = short(id);
    match kept_at {
        Some(path) => say!(
            lang,
            "Gave up {id}. What is left of it is kept in {path}",
            "{id} をあきらめました。残ったものは {path} にあります"
        ),
        None => say!(
            lang,
            "Dry run: {id} would be given up; nothing was changed",
            "試しの実行: {id} をあきらめます。何も変更していません"
        ),
    }
}

/// Everything that `prune` reports in the end, a line each.
pub fn pruned(lang: Lang, removed: u64, summary: Option<&PruneSummary>, dry_run: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if removed > 0 {
        let what = count(lang, removed, Noun::Snapshot);
        let them = if removed == 1 { "it" } else { "them" };
        // Nothing is kept in the trash.
        let is_gone = summary.is_some_and(|s| s.trash_discarded >= removed && s.trash_kept == 0);
        lines.push(match (lang, dry_run, is_gone) {
            (Lang::En, true, _) => format!("Would remove {what}"),
            (Lang::En, false, true) => format!("Removed {what}"),
            (Lang::En, false, false) => format!("Removed {what}; 'dedup undelete' brings {them} back"),
            (Lang::Ja, true, _) => format!("{what}が削除されます"),
            (Lang::Ja, false, true) => format!("{what}を削除しました"),
            (Lang::Ja, false, false) => format!("{what}を削除しました。'dedup undelete' で元に戻せます"),
        });
    }
    if let Some(summary) = summary {
        lines.extend(match dry_run {
            true => costs(lang, summary),
            false => done(lang, summary),
        });
    }
    if dry_run {
        lines.push(nothing_changed(lang));
    }
    lines
}

/// What a collection will do and what it takes, before it begins.
pub fn costs(lang: Lang, s: &PruneSummary) -> Vec<String> {
    if s.held_back {
        return vec![say!(
            lang,
            "What could be freed is not known, as not everything could be read",
            "読み取れないものがあるため、解放できる量は分かりません"
        )];
    }
    let mut lines = vec![needed(lang, s)];
    if s.trash_discarded > 0 {
        let ended = count(lang, s.trash_discarded, Noun::RemovedSnapshot);
        lines.push(say!(
            lang,
            "{ended} could no longer be undeleted",
            "{ended}は元に戻せなくなります"
        ));
    }
    if s.trash_kept > 0 {
        let kept = count(lang, s.trash_kept, Noun::RemovedSnapshot);
        lines.push(say!(
            lang,
            "{kept} can be undeleted for now, and what only they need stays ('--keep-trash 0s' frees it)",
            "{kept}はまだ元に戻せるため、それだけが使うデータは残ります ('--keep-trash 0s' で解放)"
        ));
    }
    match s.packs_unneeded == 0 && s.packs_repack == 0 {
        true => lines.push(say!(lang, "Nothing to free", "解放できるものはありません")),
        false => lines.extend(freed(lang, s)),
    }
    lines.extend(waiting(lang, s));
    lines
}

fn needed(lang: Lang, s: &PruneSummary) -> String {
    let (needed, total) = (format_bytes(s.bytes_needed), format_bytes(s.bytes_total));
    let snapshots = count(lang, s.snapshots, Noun::Snapshot);
    let packs = count(lang, s.packs_total, Noun::Pack);
    say!(
        lang,
        "Needed by {snapshots}: {needed} of {total} in {packs}",
        "{snapshots}が使う量: {packs}の {total} のうち {needed}"
    )
}

fn freed(lang: Lang, s: &PruneSummary) -> [String; 3] {
    let (bytes, moved) = (format_bytes(s.bytes_freed), format_bytes(s.bytes_moved));
    let (peak, unused) = (
        format_bytes(s.bytes_peak_extra),
        format_bytes(s.bytes_kept_unused),
    );
    let deleted = count(lang, s.packs_unneeded, Noun::Pack);
    let rewritten = count(lang, s.packs_repack, Noun::Pack);
    let requests = count(lang, s.requests, Noun::Request);
    [
        say!(
            lang,
            "To free: {bytes}, by deleting {deleted} and rewriting {rewritten}",
            "解放する量: {bytes} (削除する{deleted}、書き直す{rewritten})"
        ),
        say!(
            lang,
            "Cost: {moved} read and written again, about {requests}, at most {peak} more space meanwhile",
            "費用: {moved} を読み直して書き直し、およそ{requests}、途中で最大 {peak} の空きが必要"
        ),
        say!(lang, "Left unused: {unused}", "未使用のまま残す量: {unused}"),
    ]
}

fn done(lang: Lang, s: &PruneSummary) -> Vec<String> {
    let mut lines = Vec::new();
    match s.packs_deleted {
        0 if s.trash_kept > 0 && s.trash_discarded == 0 => {
            lines.push(nothing_yet(lang, s));
            lines.extend(waiting(lang, s));
            lines.extend(unread(lang, s));
            return lines;
        }
        0 if s.held_back => {}
        0 => lines.push(say!(lang, "No data to delete", "削除するデータはありません")),
        packs => {
            let (packs, bytes) = (count(lang, packs, Noun::Pack), format_bytes(s.bytes_deleted));
            lines.push(say!(
                lang,
                "Deleted {packs}, {bytes}",
                "{packs}、{bytes} を削除しました"
            ));
        }
    }
    if s.bytes_moved > 0 && !s.no_space {
        let bytes = format_bytes(s.bytes_moved);
        lines.push(say!(lang, "Rewrote {bytes}", "{bytes} を書き直しました"));
    }
    if s.trash_discarded > 0 {
        let ended = count(lang, s.trash_discarded, Noun::RemovedSnapshot);
        lines.push(say!(
            lang,
            "{ended} can no longer be undeleted",
            "{ended}は元に戻せなくなりました"
        ));
    }
    if s.trash_kept > 0 {
        let kept = count(lang, s.trash_kept, Noun::RemovedSnapshot);
        lines.push(say!(
            lang,
            "{kept} can still be undeleted, so that their data stays",
            "{kept}はまだ元に戻せるため、そのデータは残ります"
        ));
    }
    if s.no_space {
        lines.push(say!(
            lang,
            "The repository was full, so only whole packs were deleted: run it again to rewrite the others",
            "リポジトリーに空きがなかったため、丸ごと不要なパックだけを削除しました。残りを書き直すにはもう一度実行してください"
        ));
    }
    lines.extend(waiting(lang, s));
    lines.extend(unread(lang, s));
    lines
}

/// What could not be read stays, and what it may need.
fn unread(lang: Lang, s: &PruneSummary) -> Option<String> {
    match (s.held_back, s.packs_deleted) {
        (true, 0) => Some(say!(
            lang,
            "Nothing was deleted: what could not be read may need it. Make it readable and run 'dedup prune' again",
            "読み取れないものが必要としている可能性があるため、何も削除していません。読み取れるようにしてから、もう一度 'dedup prune' を実行してください"
        )),
        (true, _) => Some(say!(
            lang,
            "No more was deleted: what could not be read may need it. Make it readable and run 'dedup prune' again",
            "読み取れないものが必要としている可能性があるため、それ以上は削除していません。読み取れるようにしてから、もう一度 'dedup prune' を実行してください"
        )),
        (false, _) => (s.objects_unreadable > 0).then(|| {
            say!(
                lang,
                "What could not be read was kept as it is",
                "読み取れなかったものはそのまま残しました"
            )
        }),
    }
}

/// Nothing could be deleted, as what was removed can still be undeleted.
fn nothing_yet(lang: Lang, s: &PruneSummary) -> String {
    let kept = count(lang, s.trash_kept, Noun::Snapshot);
    let until = Timestamp::from_second(s.trash_until).map(text::time).ok();
    match (lang, s.trash_kept, until) {
        (Lang::En, 1, Some(at)) => {
            format!("Nothing freed yet: {kept} is in the trash until {at}; '--keep-trash 0s' deletes it now")
        }
        (Lang::En, _, Some(at)) => format!(
            "Nothing freed yet: {kept} are in the trash, the first until {at}; '--keep-trash 0s' deletes them now"
        ),
        (Lang::En, _, None) => {
            format!("Nothing freed yet: {kept} in the trash; '--keep-trash 0s' deletes them now")
        }
        (Lang::Ja, _, Some(at)) => {
            format!(
                "まだ何も解放していません: ゴミ箱に{kept} ({at} まで)。'--keep-trash 0s' ですぐに削除します"
            )
        }
        (Lang::Ja, _, None) => {
            format!("まだ何も解放していません: ゴミ箱に{kept}。'--keep-trash 0s' ですぐに削除します")
        }
    }
}

fn waiting(lang: Lang, s: &PruneSummary) -> Option<String> {
    let backups = count(lang, s.sessions_waited_for, Noun::RunningBackup);
    s.pending.then(|| {
        say!(
            lang,
            "Waiting for {backups}: run it again when they have ended, to delete the rest",
            "{backups}の終了を待っています。終わってからもう一度実行すると、残りを削除します"
        )
    })
}
