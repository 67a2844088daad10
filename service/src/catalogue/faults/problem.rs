//! What is not as it should be with a path or an object, to be put after its name.

use super::engine_error;
use super::restore::{meta_part, restore_problem};
use super::store::io::errno;
use super::store::{about, missing, store_error};
use super::tree::tree_fault;
use super::warning::warning;
use crate::catalogue::Lang::{self, En, Ja};
use crate::catalogue::{Noun, count, object_advice, say};
use crate::text;
use ::engine::entry::Trouble;
use ::engine::problem::{Damage, DrillFault, Lost, LostEntries, Problem, ProblemKind, Unread};
use ::engine::{ChunkId, Error};
use jiff::Timestamp;

/// What is wrong, without the path.
pub fn problem(lang: Lang, problem: &Problem) -> String {
    let name = &problem.path[..];
    match &problem.what {
        ProblemKind::Source(trouble) => self::trouble(lang, *trouble),
        ProblemKind::SourceMissing { errno } => left_out(lang, &self::errno(lang, *errno)),
        ProblemKind::Lost { how, last_complete } => lost(lang, *how, *last_complete),
        ProblemKind::SnapshotLost => say!(
            lang,
            "its snapshot was lost while it was read, probably because it was full: what is saved may be incomplete; leave more \
             space free in the volume group",
            "読み取り中にスナップショットが失われました (空き領域の不足と思われます)。保存した内容は完全ではないかもしれません。\
             ボリュームグループの空き領域を増やしてください"
        ),
        ProblemKind::Bare { link: true } => say!(
            lang,
            "only the symbolic link itself is saved; for the directory that it leads to, write a slash after it",
            "シンボリックリンクそのものだけを保存しました。リンク先のディレクトリーを保存するには末尾に / を付けてください"
        ),
        ProblemKind::Bare { link: false } => say!(
            lang,
            "only the device or FIFO itself is saved; --read-special saves what can be read from it",
            "デバイスまたは FIFO そのものだけを保存しました。中身を読み取って保存するには --read-special を付けてください"
        ),
        ProblemKind::LeftOut { part, fault } => left_out(lang, &tree_fault(lang, *part, *fault)),
        ProblemKind::Restore(problem) => restore_problem(lang, problem),
        ProblemKind::Unreadable(unread) => self::unread(lang, unread, name),
        ProblemKind::Damage(damage) => self::damage(lang, damage, name),
        ProblemKind::Warning(warning) => self::warning(lang, warning, name),
    }
}

fn left_out(lang: Lang, why: &str) -> String {
    say!(lang, "not backed up: {why}", "バックアップできません: {why}")
}

/// Why an entry is not what its source held.
pub fn trouble(lang: Lang, trouble: Trouble) -> String {
    let why = |errno| self::errno(lang, errno);
    match trouble {
        Trouble::Unreadable { errno } => {
            let why = why(errno);
            say!(lang, "can't be read: {why}", "読み取れません: {why}")
        }
        Trouble::Unknown { errno } => {
            let why = why(errno);
            say!(lang, "can't be examined: {why}", "調べられません: {why}")
        }
        Trouble::Changed => say!(
            lang,
            "changed each time it was read; what is saved may be half old, half new",
            "読み取るたびに変わっていました。保存した内容には新旧が混ざっているかもしれません"
        ),
        Trouble::NoXattrs { errno } => {
            let why = why(errno);
            say!(
                lang,
                "its extended attributes can't be read: {why}",
                "拡張属性を読み取れません: {why}"
            )
        }
    }
}

/// The same of an object that a listing leaves out, and what to do about it.
pub fn listed_problem(lang: Lang, problem: &Problem) -> String {
    let text = self::problem(lang, problem);
    let advice = match &problem.what {
        ProblemKind::Unreadable(Unread::Object(Error::Store(error))) => object_advice(lang, error),
        _ => None,
    };
    match (lang, advice) {
        (_, None) => text,
        (En, Some(advice)) => format!("{text}; {advice}"),
        (Ja, Some(advice)) => format!("{text}。{advice}"),
    }
}

fn lost(lang: Lang, how: Lost, last_complete: i64) -> String {
    let (en, ja) = match how {
        Lost::Empty => ("empty", "空です"),
        Lost::Unmounted => ("not a mounted file system any more", "マウントされていません"),
        Lost::NotADirectory => ("not a directory any more", "ディレクトリーではなくなりました"),
    };
    let found = lang.pick(en, ja);
    let then = Timestamp::from_second(last_complete).map(text::time);
    let then = then.unwrap_or_else(|_| say!(lang, "before", "以前"));
    say!(
        lang,
        "it is {found}, and the snapshot of {then} has files there; if that is as it should be, accept it once with \
         --allow-empty",
        "{found}。{then} のスナップショットにはファイルがありました。これで正しければ、一度だけ --allow-empty を付けて\
         受け入れてください"
    )
}

fn unread(lang: Lang, unread: &Unread, name: &[u8]) -> String {
    match unread {
        Unread::Object(Error::Store(error)) => about(lang, error, name),
        Unread::Object(error) => engine_error(lang, error),
        Unread::Needed(error) => store_error(lang, error),
        Unread::Entries(entries) => self::entries(lang, entries),
    }
}

fn entries(lang: Lang, lost: &LostEntries) -> String {
    let (entries, files) = (lost.entries, lost.files);
    let why = store_error(lang, &lost.error);
    say!(
        lang,
        "this entry and those that follow, {entries} in all ({files} of them files), can't be read: {why}",
        "この項目と後に続く項目、合わせて {entries} 件 (うちファイル {files} 個) を読み取れません: {why}"
    )
}

fn damage(lang: Lang, damage: &Damage, name: &[u8]) -> String {
    let what = damaged(lang, damage, name);
    // "missing" alone, or with what is missing for whom.
    match what.starts_with(missing(lang)) {
        true => what,
        false => say!(lang, "damaged: {what}", "破損: {what}"),
    }
}

fn damaged(lang: Lang, damage: &Damage, name: &[u8]) -> String {
    match damage {
        Damage::Object(error) => about(lang, error, name),
        Damage::Needed(error) => store_error(lang, error),
        Damage::Entries(entries) => self::entries(lang, entries),
        Damage::Chunk { id, error } => {
            let why = about(lang, error, format!("chunk {id}").as_bytes());
            say!(lang, "chunk {id}: {why}", "チャンク {id}: {why}")
        }
        Damage::PackMissing { chunks } => pack_missing(lang, *chunks),
        Damage::Unlisted { chunks } => unlisted(lang, *chunks),
        Damage::BundledFiles { files, chunk } => bundled_files(lang, *files, chunk),
        Damage::ChunksLost { chunks } => chunks_lost(lang, *chunks),
        Damage::NowhereWhole { chunks } => nowhere_whole(lang, *chunks),
        Damage::Known => say!(lang, "it is damaged", "すでに報告した破損です"),
        Damage::NotListed => say!(
            lang,
            "the storage has it and does not list it",
            "保存先にありますが、一覧に現れません"
        ),
        Damage::SnapshotGone => say!(
            lang,
            "this snapshot is gone, though nobody removed it: the storage has lost it, or was set back. \
             'dedup forget --lost' accepts that",
            "このスナップショットは、だれも削除していないのになくなっています。保存先が失ったか、過去の状態に戻されました。\
             'dedup forget --lost' で消失を受け入れられます"
        ),
        Damage::ListDiffers => say!(
            lang,
            "its list of frames differs from the index",
            "フレームの一覧が索引と異なります"
        ),
        Damage::SegmentsDiffer { pack } => say!(
            lang,
            "its entries for pack {pack} differ from those of another segment",
            "パック {pack} の項目が別のセグメントのものと異なります"
        ),
        Damage::PartLost => say!(lang, "part of it is lost", "一部が失われています"),
        Damage::Drill(fault) => drill_fault(lang, fault),
    }
}

/// In what way something that a drill restored is not what it should be.
fn drill_fault(lang: Lang, fault: &DrillFault) -> String {
    match fault {
        DrillFault::Missing => say!(
            lang,
            "it was restored without an error, but is not there",
            "エラーなく復元されましたが、見つかりません"
        ),
        DrillFault::Kind => say!(
            lang,
            "it was restored as something else",
            "別の種類のものとして復元されました"
        ),
        DrillFault::Content => say!(
            lang,
            "the restored content differs from the snapshot",
            "復元した内容がスナップショットと異なります"
        ),
        DrillFault::Metadata(part) => {
            let part = meta_part(lang, part);
            say!(
                lang,
                "restored, but not as the snapshot has it: {part}",
                "復元しましたが、{part}がスナップショットと異なります"
            )
        }
        DrillFault::Live => say!(
            lang,
            "the file on this machine has the size and times that were backed up, but another content: the file or its \
             backup is corrupt",
            "このコンピューターのファイルは、大きさも日時もバックアップしたときのままですが、内容が異なります。\
             ファイルかバックアップのどちらかが壊れています"
        ),
    }
}

fn pack_missing(lang: Lang, chunks: u64) -> String {
    match chunks {
        1 => say!(
            lang,
            "missing, but 1 chunk in it is needed",
            "見つかりません。中のチャンク 1 個が必要です"
        ),
        chunks => say!(
            lang,
            "missing, but {chunks} chunks in it are needed",
            "見つかりません。中のチャンク {chunks} 個が必要です"
        ),
    }
}

fn unlisted(lang: Lang, chunks: u64) -> String {
    say!(
        lang,
        "{chunks} chunks that snapshots need are in no index segment",
        "スナップショットに必要なチャンク {chunks} 個が、どの索引セグメントにもありません"
    )
}

fn bundled_files(lang: Lang, files: u64, chunk: &ChunkId) -> String {
    say!(
        lang,
        "{files} files in chunk {chunk} are not what it lists",
        "チャンク {chunk} の中のファイル {files} 個が一覧と一致しません"
    )
}

fn chunks_lost(lang: Lang, chunks: u64) -> String {
    say!(
        lang,
        "{chunks} chunks in the damaged packs are lost",
        "破損したパックのチャンク {chunks} 個が失われています"
    )
}

fn nowhere_whole(lang: Lang, chunks: u64) -> String {
    let copies = match chunks {
        1 => "an intact copy",
        _ => "intact copies",
    };
    let chunks = count(lang, chunks, Noun::Chunk);
    say!(
        lang,
        "none of the replicas asked has {copies} of {chunks}",
        "{chunks}は、調べたどのレプリカにも完全なものがありません"
    )
}
