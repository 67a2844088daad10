//! What ended a job.

use super::restore::restore_problem;
use super::store::io::{errno, io_error};
use super::store::object::{attempt, joined, object};
use super::store::store_error;
use crate::catalogue::{Lang, say, weakness};
use crate::text;
use ::engine::error::store::{IoError, Object};
use ::engine::error::{NamedSnapshot, NoSource, PatternFault, PatternKind, Refusal, Usage};
use ::engine::{Error, SessionId, StoreError};
use jiff::Timestamp;
use std::path::Path;

/// What happened and to what, without advice.
pub fn engine_error(lang: Lang, error: &Error) -> String {
    match error {
        Error::Store(error) => store_error(lang, error),
        Error::Usage(usage) => self::usage(lang, usage),
        Error::Refused(refusal) => {
            let why = self::refusal(lang, refusal);
            say!(lang, "refused: {why}", "拒否しました: {why}")
        }
        Error::NoSnapshot(text) => no_snapshot(lang, text),
        Error::Ambiguous { text, matches } => ambiguous(lang, text, *matches),
        Error::NoSnapshotAt { at, id, oldest } => no_snapshot_at(lang, *at, *id, *oldest),
        Error::NoSuchPath { path, snapshot } => no_such_path(lang, path, snapshot),
        Error::NotSaved { path } => not_saved(lang, path),
        Error::NoSource(why) => {
            let why = no_source(lang, why);
            say!(
                lang,
                "no source could be read: {why}",
                "バックアップするものを読み取れません: {why}"
            )
        }
        Error::EmptyStream(name) => say!(
            lang,
            "nothing was read that could be saved as {name}",
            "{name} として保存する内容を何も読み取れませんでした"
        ),
        Error::Io {
            operation,
            path,
            source,
        } => {
            let path = path.display().to_string();
            format!("{}: {}", attempt(lang, *operation, &path), io_error(lang, source))
        }
        Error::Output(source) => {
            let why = io_error(lang, source);
            say!(lang, "write to the output: {why}", "出力に書き込めません: {why}")
        }
        Error::Target { path, problem } => format!("{}: {}", path.display(), restore_problem(lang, problem)),
        Error::NoState { path, source } => no_state(lang, path, source),
        Error::Damaged(error) => damaged(lang, error),
        Error::ShortListing(object) => short_listing(lang, object),
        Error::Lost(ids) => lost(lang, ids),
        Error::ViewChanged => say!(
            lang,
            "garbage collection overtook this backup",
            "このバックアップの間にガベージコレクションが進みました"
        ),
        Error::Interrupted => say!(lang, "interrupted", "中断されました"),
        Error::Late => say!(
            lang,
            "its time ran out before everything was replicated",
            "すべてを複製する前に時間が終わりました"
        ),
    }
}

fn not_saved(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} is not in the snapshot: it could not be read when it was backed up, or its data was lost",
        "{path} はスナップショットにありません。バックアップ時に読み取れなかったか、データが失われています"
    )
}

fn no_state(lang: Lang, path: &Path, source: &IoError) -> String {
    let (path, why) = (path.display(), io_error(lang, source));
    say!(
        lang,
        "this machine's notes on the repository can't be kept in {path}: {why}",
        "リポジトリーについてのこのコンピューターの記録を {path} に置けません: {why}"
    )
}

fn no_snapshot(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "no snapshot matches '{text}'",
        "「{text}」に合うスナップショットはありません"
    )
}

fn ambiguous(lang: Lang, text: &str, matches: usize) -> String {
    say!(
        lang,
        "'{text}' matches {matches} snapshots",
        "「{text}」に合うスナップショットが {matches} 個あります"
    )
}

fn no_snapshot_at(lang: Lang, at: Timestamp, id: SessionId, oldest: Timestamp) -> String {
    let (at, id, oldest) = (text::as_of(at), short(id), text::time(oldest));
    say!(
        lang,
        "no snapshot was made by {at}; the oldest is {id} of {oldest}",
        "{at} までのスナップショットはありません。最も古いものは {id} ({oldest}) です"
    )
}

fn no_such_path(lang: Lang, path: &str, snapshot: &NamedSnapshot) -> String {
    match snapshot {
        NamedSnapshot::Text(text) => say!(
            lang,
            "{path} is not in snapshot {text}",
            "{path} はスナップショット {text} にありません"
        ),
        NamedSnapshot::Of(time) => {
            let time = text::time(*time);
            say!(
                lang,
                "{path} is not in the snapshot of {time}",
                "{path} は {time} のスナップショットにありません"
            )
        }
        NamedSnapshot::This => say!(
            lang,
            "{path} is not in the snapshot",
            "{path} はスナップショットにありません"
        ),
    }
}

fn damaged(lang: Lang, error: &StoreError) -> String {
    let why = store_error(lang, error);
    say!(
        lang,
        "nothing more was deleted, because the repository is damaged: {why}",
        "リポジトリーが破損しているため、これ以上は何も削除していません: {why}"
    )
}

fn short_listing(lang: Lang, object: &Object) -> String {
    let name = self::object(lang, object);
    let name_ja = joined(&name, "がありますが一覧にありません");
    say!(
        lang,
        "nothing more was deleted: the storage listed its objects incompletely ({name} is there and not \
         listed)",
        "これ以上は何も削除していません。保存先の一覧が不完全です ({name_ja})"
    )
}

fn lost(lang: Lang, ids: &[SessionId]) -> String {
    let lost = lost_snapshots(lang, ids);
    say!(
        lang,
        "nothing more was deleted: {lost}",
        "これ以上は何も削除していません: {lost}"
    )
}

fn short(id: SessionId) -> String {
    text::short(&id.to_hex())
}

/// The text for snapshots that are gone though no one removed them.
pub(super) fn lost_snapshots(lang: Lang, ids: &[SessionId]) -> String {
    let mut names: Vec<String> = ids.iter().take(3).map(|id| short(*id)).collect();
    if ids.len() > names.len() {
        let more = ids.len() - names.len();
        names.push(say!(lang, "{more} more", "ほか {more} 個"));
    }
    let names = names.join(lang.pick(", ", "、"));
    match ids.len() {
        1 => say!(
            lang,
            "snapshot {names} is gone from the storage, though nobody removed it",
            "スナップショット {names} が、だれも削除していないのに保存先からなくなっています"
        ),
        _ => say!(
            lang,
            "snapshots {names} are gone from the storage, though nobody removed them",
            "スナップショット ({names}) が、だれも削除していないのに保存先からなくなっています"
        ),
    }
}

fn no_source(lang: Lang, why: &NoSource) -> String {
    match why {
        NoSource::Missing { path, errno } => {
            format!("{}: {}", path.display(), self::errno(lang, *errno))
        }
        NoSource::NoneUsable => say!(
            lang,
            "each of them is missing, excluded, or empty where it was not before",
            "どれも、存在しないか、除外されているか、以前と違って空です"
        ),
        NoSource::Nothing => say!(
            lang,
            "nothing was found to back up",
            "バックアップするものが見つかりません"
        ),
    }
}

fn refusal(lang: Lang, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Protected(id) => protected(lang, *id),
        Refusal::Readable(id) => readable(lang, *id),
        Refusal::PublishedAgain(id) => published_again(lang, *id),
        Refusal::PartGone(id) => part_gone(lang, *id),
        Refusal::NotAReplica { location, of } => say!(
            lang,
            "{location} is not a replica of {of}",
            "{location} は {of} のレプリカではありません"
        ),
        Refusal::Replicas => say!(
            lang,
            "they are replicas of one repository: 'dedup replicate' brings one up to the other",
            "1 つのリポジトリーのレプリカどうしです。'dedup replicate' で片方をもう片方に合わせられます"
        ),
        Refusal::KeyInUse => say!(
            lang,
            "this key is in use: the repository was opened with it",
            "この鍵は使用中です。リポジトリーはこの鍵で開かれています"
        ),
        Refusal::TooManyPathTags => say!(
            lang,
            "this machine has tagged too many paths: there is room for about ten thousand; remove tags, or tag directories \
             instead of files",
            "このコンピューターがタグを付けたパスが多すぎます (約 1 万件まで)。タグを減らすか、ファイルの代わりにディレクトリーに\
             付けてください"
        ),
        Refusal::PathTagsBusy => say!(
            lang,
            "other processes of this machine are changing tags of paths; try again",
            "このコンピューターのほかのプロセスがパスのタグを変更しています。もう一度試してください"
        ),
        Refusal::OpenToOthers { folder } => open_to_others(lang, folder),
        Refusal::AnotherCollection(error) => {
            let why = store_error(lang, error);
            say!(
                lang,
                "another collection is running ({why})",
                "別のガベージコレクションが実行中です ({why})"
            )
        }
        Refusal::WeakStorage(weaknesses) => {
            let weaknesses: Vec<&str> = weaknesses.iter().map(|weak| weakness(lang, *weak)).collect();
            let weaknesses = weaknesses.join("; ");
            say!(
                lang,
                "this storage is weak: {weaknesses}; make sure that nothing else uses the repository, and run \
                 'dedup prune --exclusive'",
                "この保存先には弱点があります: {weaknesses}。ほかにリポジトリーを使うものがないことを確かめて、\
                 'dedup prune --exclusive' を実行してください"
            )
        }
    }
}

fn open_to_others(lang: Lang, folder: &Path) -> String {
    let folder = folder.display();
    say!(
        lang,
        "{folder} is not a folder that only this user may change, so others could lead elsewhere what is restored there; \
         remove it, or name another folder with --scratch",
        "{folder} はこのユーザーだけが変更できるフォルダーではありません。復元するものを、ほかのユーザーが別の場所へ導くおそれが\
         あります。削除するか、--scratch で別のフォルダーを指定してください"
    )
}

fn protected(lang: Lang, id: SessionId) -> String {
    let id = short(id);
    say!(
        lang,
        "snapshot {id} is protected",
        "スナップショット {id} は保護されています"
    )
}

fn readable(lang: Lang, id: SessionId) -> String {
    let id = short(id);
    say!(
        lang,
        "snapshot {id} can be read",
        "スナップショット {id} は読み取れます"
    )
}

fn published_again(lang: Lang, id: SessionId) -> String {
    let id = short(id);
    say!(
        lang,
        "snapshot {id} was published again",
        "スナップショット {id} は再び公開されています"
    )
}

fn part_gone(lang: Lang, id: SessionId) -> String {
    let id = short(id);
    say!(
        lang,
        "part of snapshot {id} is gone or being removed",
        "スナップショット {id} の一部がないか、削除中です"
    )
}

fn usage(lang: Lang, usage: &Usage) -> String {
    match usage {
        Usage::Pattern { kind, pattern, fault } => {
            let why = pattern_fault(lang, fault);
            match kind {
                PatternKind::Exclude => say!(
                    lang,
                    "exclude pattern '{pattern}': {why}",
                    "除外パターン「{pattern}」: {why}"
                ),
                PatternKind::Include => say!(
                    lang,
                    "include pattern '{pattern}': {why}",
                    "含めるパターン「{pattern}」: {why}"
                ),
                PatternKind::Find => say!(lang, "pattern '{pattern}': {why}", "パターン「{pattern}」: {why}"),
            }
        }
        Usage::Patterns { kind, detail } => match kind {
            PatternKind::Exclude => say!(lang, "exclude patterns: {detail}", "除外パターン: {detail}"),
            PatternKind::Include => say!(lang, "include patterns: {detail}", "含めるパターン: {detail}"),
            PatternKind::Find => say!(lang, "patterns: {detail}", "パターン: {detail}"),
        },
        Usage::IdAndTime { text } => say!(
            lang,
            "'{text}' names a snapshot and a time was given too: only one can choose",
            "「{text}」でスナップショットを指定していますが、日時も指定されています。どちらか 1 つだけを指定してください"
        ),
        Usage::NotAPackId { text } => say!(
            lang,
            "'{text}' is not a pack id",
            "「{text}」はパックの ID ではありません"
        ),
        Usage::ParityPercent => say!(
            lang,
            "parity takes 1 to 100 percent",
            "パリティーは 1 から 100 パーセントまでです"
        ),
        Usage::Part { n, of } => say!(
            lang,
            "part {n} of {of}: count from 1 to {of}",
            "{of} 分割の {n} 番目: 1 から {of} までで指定してください"
        ),
        Usage::OutputsThere => say!(
            lang,
            "the sources hold a folder /commands, where the output of the set's commands is saved: exclude or rename it",
            "バックアップの対象に /commands がありますが、そこにはコマンドの出力を保存します。除外するか、名前を変えてください"
        ),
        Usage::NotARegularFile { path } => not_a_regular_file(lang, path),
        Usage::NotAFileName { name } => not_a_file_name(lang, name),
        Usage::NotAnAttribute { text } => not_an_attribute(lang, text),
        Usage::OwnRepository { source } => own_repository(lang, source),
        Usage::ParentComponent { path } => parent_component(lang, path),
        Usage::NotBelow { path, subpath } => not_below(lang, path, subpath),
        Usage::NotPlain { path } => not_plain(lang, path),
        Usage::NotAbsolute { source } => not_absolute(lang, source),
    }
}

fn pattern_fault(lang: Lang, fault: &PatternFault) -> String {
    match fault {
        PatternFault::Empty => say!(lang, "it names nothing", "何も指していません"),
        PatternFault::ParentComponent => say!(lang, "'..' never matches", "「..」は何にも合いません"),
        PatternFault::Glob(detail) => detail.clone(),
    }
}

fn not_a_regular_file(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "{path} is not a regular file",
        "{path} は通常のファイルではありません"
    )
}

fn not_an_attribute(lang: Lang, text: &str) -> String {
    say!(
        lang,
        "'{text}' is not NAME or NAME=VALUE of an extended attribute",
        "「{text}」は拡張属性の名前でも、名前と値を = でつないだものでもありません"
    )
}

fn not_a_file_name(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "'{name}' is not a file name",
        "「{name}」はファイル名ではありません"
    )
}

fn own_repository(lang: Lang, source: &Path) -> String {
    let source = source.display();
    say!(
        lang,
        "{source} is the repository itself, or in it: it can't be backed up into itself",
        "{source} はリポジトリー自身か、その中にあります。自分自身にはバックアップできません"
    )
}

fn parent_component(lang: Lang, path: &str) -> String {
    say!(
        lang,
        "'{path}': '..' can't be used in a snapshot",
        "「{path}」: スナップショットの中では「..」を使えません"
    )
}

fn not_below(lang: Lang, path: &str, subpath: &str) -> String {
    say!(
        lang,
        "{path} is not below {subpath}",
        "{path} は {subpath} の下にありません"
    )
}

fn not_plain(lang: Lang, path: &Path) -> String {
    let path = path.display();
    say!(
        lang,
        "{path} is not a plain absolute path",
        "{path} は単純な絶対パスではありません"
    )
}

fn not_absolute(lang: Lang, source: &Path) -> String {
    let source = source.display();
    say!(
        lang,
        "source '{source}' is not absolute",
        "バックアップするもの「{source}」が絶対パスではありません"
    )
}
