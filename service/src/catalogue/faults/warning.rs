//! What is worth reporting and harms nothing, to be put after "warning:" and the name of what it is about.

use super::engine::lost_snapshots;
use super::engine_error;
use super::restore::metadata;
use super::store::{about, store_error};
use crate::catalogue::{Lang, Noun, count, say};
use crate::text::{short, time};
use ::engine::problem::{ClockWarning, Warning, WrongSize};
use ::engine::{Error, SessionId, StoreError};
use std::path::Path;

/// `name` is the object that it is about.
pub(super) fn warning(lang: Lang, warning: &Warning, name: &[u8]) -> String {
    match warning {
        Warning::NotCopied(error) => not_copied(lang, error, name),
        Warning::NotReplicated { origin, error } => not_replicated(lang, origin, error, name),
        Warning::CacheNotUsed(error) => cache_not_used(lang, error),
        Warning::Unread(error) => unread(lang, error),
        Warning::ParentDamaged(error) => parent_damaged(lang, error),
        Warning::MissingUnknown(error) => missing_unknown(lang, error),
        Warning::ReadNotNoted(error) => read_not_noted(lang, error),
        Warning::SnapshotsGone(ids) => snapshots_gone(lang, ids),
        Warning::LeftInPlace { name } => left_in_place(lang, name),
        Warning::Metadata(part, errno) => metadata(lang, part, *errno),
        Warning::Clock(warning) => clock_warning(lang, warning),
        Warning::PackSize(size) => pack_size(lang, size),
        Warning::MorePacks { packs } => more_packs(lang, *packs),
        Warning::MoreBare { sources } => more_bare(lang, *sources),
        Warning::MorePlaceholders { files } => more_placeholders(lang, *files),
        Warning::Unfinished { files } => unfinished(lang, *files),
        Warning::RestoreLeftovers { files } => restore_leftovers(lang, *files),
        Warning::RestorePartials { files } => restore_partials(lang, *files),
        Warning::DumpLeftovers { files } => dump_leftovers(lang, *files),
        Warning::FromReplica { chunks, replica } => from_replica(lang, *chunks, replica),
        Warning::NotFollowing { before } => not_following(lang, *before),
        Warning::TwoMachines { other } => two_machines(lang, *other),
        Warning::Gaps { snapshots, host } => gaps(lang, *snapshots, host),
        Warning::NoSuchTags(tags) => no_such_tags(lang, tags),
        Warning::SameMachineId {
            snapshot,
            host,
            machine_file,
        } => same_machine_id(lang, *snapshot, host, machine_file),
        Warning::BeingReplicated => being_replicated(lang).to_string(),
        Warning::SegmentIgnored => segment_ignored(lang).to_string(),
        Warning::Placeholder => placeholder(lang).to_string(),
        Warning::MountGone => mount_gone(lang).to_string(),
        Warning::NotArchived => not_archived(lang).to_string(),
        Warning::ForeignSlot => foreign_slot(lang).to_string(),
        Warning::PackUnneeded => pack_unneeded(lang).to_string(),
        Warning::IncompleteAtBackup => incomplete_at_backup(lang).to_string(),
        Warning::ChangedAtBackup => changed_at_backup(lang).to_string(),
    }
}

fn id(id: SessionId) -> String {
    short(&id.to_hex())
}

fn not_copied(lang: Lang, error: &StoreError, name: &[u8]) -> String {
    let why = about(lang, error, name);
    say!(lang, "not copied: {why}", "コピーしていません: {why}")
}

fn not_replicated(lang: Lang, origin: &str, error: &StoreError, name: &[u8]) -> String {
    let why = about(lang, error, name);
    say!(
        lang,
        "not replicated from {origin}: {why}",
        "{origin} から複製していません: {why}"
    )
}

fn cache_not_used(lang: Lang, error: &StoreError) -> String {
    let why = store_error(lang, error);
    say!(
        lang,
        "the cache is not used: {why}",
        "キャッシュを使いません: {why}"
    )
}

fn read_not_noted(lang: Lang, error: &Error) -> String {
    let why = engine_error(lang, error);
    say!(
        lang,
        "what was read can't be noted, so a later check with --max-age reads it again: {why}",
        "読み取った範囲を記録できないため、次の --max-age 付きの検査でもう一度読み取ります: {why}"
    )
}

fn unread(lang: Lang, error: &StoreError) -> String {
    let why = match error {
        StoreError::Unreadable { cause, .. } => super::store::unreadable(lang, cause),
        error => store_error(lang, error),
    };
    say!(
        lang,
        "can't be read, and this run does without it: {why}",
        "読み取れないため、今回は使いません: {why}"
    )
}

fn parent_damaged(lang: Lang, error: &StoreError) -> String {
    let why = store_error(lang, error);
    say!(
        lang,
        "part of the previous snapshot can't be used ({why}); the files in it are read again",
        "前のスナップショットの一部を使えません ({why})。その中のファイルは読み直します"
    )
}

fn missing_unknown(lang: Lang, error: &Error) -> String {
    let why = engine_error(lang, error);
    say!(
        lang,
        "can't tell whether snapshots are missing: {why}",
        "失われたスナップショットがあるかどうかを確かめられません: {why}"
    )
}

fn snapshots_gone(lang: Lang, ids: &[SessionId]) -> String {
    let lost = lost_snapshots(lang, ids);
    say!(
        lang,
        "{lost}; 'dedup check' shows details",
        "{lost}。'dedup check' で詳しく調べられます"
    )
}

fn pack_size(lang: Lang, size: &WrongSize) -> String {
    let (found, indexed) = (size.listed, size.indexed);
    say!(
        lang,
        "it is damaged: it has {found} bytes, but the index says {indexed}. A backup stores again what the \
         source still has of it",
        "破損しています。{found} バイトありますが、索引では {indexed} バイトです。元のファイルが残っているものは、\
         次のバックアップで保存し直されます"
    )
}

fn more_packs(lang: Lang, packs: usize) -> String {
    say!(
        lang,
        "{packs} more are damaged; 'dedup check' names them",
        "ほかに {packs} 個が破損しています。'dedup check' で調べられます"
    )
}

fn more_bare(lang: Lang, sources: usize) -> String {
    say!(
        lang,
        "{sources} more sources are symbolic links, devices or FIFOs, and saved as such",
        "ほかに {sources} 個のシンボリックリンク、デバイス、FIFO を、そのものとして保存しました"
    )
}

fn placeholder(lang: Lang) -> &'static str {
    lang.pick(
        "only its placeholder is saved: the content is in the cloud and not on this machine",
        "プレースホルダーだけを保存しました。内容はクラウドにあり、このマシンにはありません",
    )
}

fn more_placeholders(lang: Lang, files: u64) -> String {
    say!(
        lang,
        "{files} more files are only in the cloud; only their placeholders are saved",
        "ほかに {files} 個のファイルの内容がクラウドだけにあります。プレースホルダーだけを保存しました"
    )
}

fn unfinished(lang: Lang, files: u64) -> String {
    say!(
        lang,
        "{files} files named .dedup-restore-... or .dedup-dump-... were not backed up: a restore or dump \
         there has not ended; the next one there removes what one that died has left",
        "名前が .dedup-restore-... か .dedup-dump-... のファイル {files} 個はバックアップしていません。復元か取り出しが\
         終わっていません。異常終了したものが残したファイルは、次にそこで実行したときに削除されます"
    )
}

fn left_in_place(lang: Lang, name: &[u8]) -> String {
    let name = name.escape_ascii();
    say!(
        lang,
        "an earlier restore in place did not finish: the incomplete file is {name}, in the same directory; restore it \
         again to complete it",
        "前の上書き復元が終わっていません。途中のものは、同じディレクトリーの {name} です。もう一度復元すると完成します"
    )
}

fn restore_partials(lang: Lang, files: u64) -> String {
    say!(
        lang,
        "{files} large files are incomplete and kept under temporary names: restore to the same place again to \
         continue them",
        "大きなファイル {files} 個は途中までで、一時的な名前で残っています。同じ場所にもう一度復元すると続きから始まります"
    )
}

fn restore_leftovers(lang: Lang, files: u64) -> String {
    say!(
        lang,
        "an earlier restore did not end: {files} unfinished files of it were removed",
        "前の復元が終わっていなかったため、書きかけのファイル {files} 個を削除しました"
    )
}

fn dump_leftovers(lang: Lang, files: u64) -> String {
    say!(
        lang,
        "an earlier dump did not end: {files} unfinished files of it were removed",
        "前の取り出しが終わっていなかったため、書きかけのファイル {files} 個を削除しました"
    )
}

fn from_replica(lang: Lang, chunks: u64, replica: &str) -> String {
    say!(
        lang,
        "{chunks} chunks that are lost, damaged or out of reach here came from {replica}",
        "ここでは失われたか、破損したか、読み取れないチャンク {chunks} 個を {replica} から取得しました"
    )
}

fn not_following(lang: Lang, before: SessionId) -> String {
    say!(
        lang,
        "it does not follow {before}, which has the number before",
        "1 つ前の番号を持つ {before} に続いていません"
    )
}

fn two_machines(lang: Lang, other: SessionId) -> String {
    say!(
        lang,
        "it and {other} were made by two machines with the same id: if one is a clone of the other, delete \
         dedup's file 'machine' in the state directory of one of them",
        "これと {other} は、同じ ID を持つ 2 台のコンピューターで作られました。片方がもう片方の複製であれば、\
         どちらか 1 台の状態ディレクトリーにある dedup のファイル「machine」を削除してください"
    )
}

fn gaps(lang: Lang, snapshots: u64, host: &str) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(
        lang,
        "{snapshots} of host {host} between others can't be found here, though nobody removed any: lost, or made at a replica \
         and still only there",
        "ホスト {host} の途中の{snapshots}が、だれも削除していないのにここにありません。失われたか、レプリカで作られて\
         まだそこにしかないものです"
    )
}

fn no_such_tags(lang: Lang, tags: &[String]) -> String {
    let tags = tags.join(",");
    say!(
        lang,
        "--keep-tag {tags}: no snapshot has these tags",
        "--keep-tag {tags}: これらのタグを持つスナップショットはありません"
    )
}

fn same_machine_id(lang: Lang, snapshot: SessionId, host: &str, machine_file: &Path) -> String {
    let (id, file) = (id(snapshot), machine_file.display());
    say!(
        lang,
        "snapshot {id} of host {host} was made by a machine with the same id as this one. If one is a clone \
         of the other, delete {file} on one of them; if this machine's files were restored from a backup, \
         nothing is wrong",
        "ホスト {host} のスナップショット {id} は、このコンピューターと同じ ID を持つコンピューターで作られました。\
         片方がもう片方の複製であれば、どちらか 1 台で {file} を削除してください。このコンピューターのファイルを\
         バックアップから復元したのであれば、問題ありません"
    )
}

fn being_replicated(lang: Lang) -> &'static str {
    lang.pick("another run is replicating it", "別の実行が複製しています")
}

fn segment_ignored(lang: Lang) -> &'static str {
    lang.pick(
        "damaged, and ignored by this run; 'dedup repair index' repairs it",
        "破損しているため、今回は使いません。'dedup repair index' で修復できます",
    )
}

fn mount_gone(lang: Lang) -> &'static str {
    lang.pick(
        "a file system was mounted here, and the directory is gone",
        "ここにはファイルシステムがマウントされていましたが、ディレクトリーがなくなっています",
    )
}

fn not_archived(lang: Lang) -> &'static str {
    lang.pick(
        "not in the archive, which has no place for it",
        "この種類のものはアーカイブに入れられません",
    )
}

fn foreign_slot(lang: Lang) -> &'static str {
    lang.pick(
        "no slot of this repository: left by an 'init' that was interrupted, or damaged",
        "このリポジトリーの鍵スロットではありません。中断した 'init' が残したか、破損しています",
    )
}

fn pack_unneeded(lang: Lang) -> &'static str {
    lang.pick(
        "it is damaged, and no snapshot needs it: a collection removes it",
        "破損していますが、どのスナップショットにも必要ありません。ガベージコレクションで削除されます",
    )
}

fn incomplete_at_backup(lang: Lang) -> &'static str {
    lang.pick(
        "it could not be read completely when it was backed up",
        "バックアップ時に完全には読み取れませんでした",
    )
}

fn changed_at_backup(lang: Lang) -> &'static str {
    lang.pick(
        "it changed, or could not be read completely, when it was backed up",
        "バックアップ中に変更されたか、完全には読み取れませんでした",
    )
}

fn clock_warning(lang: Lang, warning: &ClockWarning) -> String {
    match warning {
        ClockWarning::FutureTime(at) => {
            let at = time(*at);
            say!(
                lang,
                "the time {at} is in the future: until then this snapshot is not 'latest', and no --keep-* rule \
                 removes it",
                "日時 {at} は未来です。その時までこのスナップショットは latest にならず、--keep-* の規則でも削除されません"
            )
        }
        ClockWarning::Behind { now, snapshot, made } => {
            let (now, id, made) = (time(*now), id(*snapshot), time(*made));
            say!(
                lang,
                "the clock of this machine says {now}, but snapshot {id} was made at {made}: is the clock right? \
                 Snapshots count in the order in which they are made",
                "このコンピューターの時計は {now} ですが、スナップショット {id} は {made} に作られています。時計は正しいですか。\
                 スナップショットは作られた順に数えられます"
            )
        }
        ClockWarning::Ahead { now, snapshot } => {
            let (now, id) = (time(*now), id(*snapshot));
            say!(
                lang,
                "the clock of this machine says {now}, more than a year after the last snapshot {id}: is the clock \
                 right?",
                "このコンピューターの時計は {now} で、最後のスナップショット {id} から 1 年以上たっています。時計は正しいですか"
            )
        }
        ClockWarning::MadeInFuture {
            snapshot,
            time: at,
            more,
        } => {
            let (short, at) = (id(*snapshot), time(*at));
            let others = like_it(lang, *more);
            say!(
                lang,
                "snapshot {short} says that it was made in the future, at {at}{others}: until then it is not \
                 'latest', and no --keep-* rule removes it; 'dedup forget {short}' does",
                "スナップショット {short} の日時は未来 ({at}) です{others}。その時まで latest にならず、--keep-* の規則でも\
                 削除されません。'dedup forget {short}' で削除できます"
            )
        }
    }
}

fn like_it(lang: Lang, more: u64) -> String {
    if more == 0 {
        return String::new();
    }
    let more = count(lang, more, Noun::Snapshot);
    say!(lang, " and {more} like it", " (ほかにも同様の{more})")
}
