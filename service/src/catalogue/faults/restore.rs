//! What keeps a path from being restored.

use super::store::io::io_error;
use super::store::object::operation;
use crate::catalogue::{Lang, say};
use ::engine::problem::{MetaPart, NameFault, RestoreProblem};

pub(super) fn restore_problem(lang: Lang, problem: &RestoreProblem) -> String {
    match problem {
        RestoreProblem::Io { operation, error } => {
            format!("{}: {}", self::operation(lang, *operation), io_error(lang, error))
        }
        RestoreProblem::Metadata(part, errno) => metadata(lang, part, *errno),
        RestoreProblem::UnsafeName { .. }
        | RestoreProblem::Replaced { .. }
        | RestoreProblem::ForeignLink { .. }
        | RestoreProblem::TooManyBeside { .. }
        | RestoreProblem::LinkedNotRestored { .. }
        | RestoreProblem::LeftInPlace { .. }
        | RestoreProblem::NoMatch { .. }
        | RestoreProblem::NothingFound { .. } => named(lang, problem),
        RestoreProblem::NothingBelow(why)
        | RestoreProblem::NotRemoved(why)
        | RestoreProblem::NotDeleted(why)
        | RestoreProblem::LeftoverNotRemoved(why)
        | RestoreProblem::PermissionsNotPutBack(why) => followed(lang, problem, restore_problem(lang, why)),
        RestoreProblem::LinkInPlace
        | RestoreProblem::OtherInPlace
        | RestoreProblem::DirectoryInPlace
        | RestoreProblem::FullDirectoryInPlace
        | RestoreProblem::DryRun
        | RestoreProblem::TooDeep
        | RestoreProblem::NoRecord
        | RestoreProblem::RecordedSize
        | RestoreProblem::WrittenSize
        | RestoreProblem::ReadBack
        | RestoreProblem::NoContent
        | RestoreProblem::NotInSnapshot
        | RestoreProblem::NotInArchive => plain(lang, problem).to_string(),
    }
}

/// With a name or a number.
fn named(lang: Lang, problem: &RestoreProblem) -> String {
    match problem {
        RestoreProblem::UnsafeName { name, fault } => {
            let (name, why) = (name.escape_ascii(), name_fault(lang, *fault));
            say!(
                lang,
                "unsafe name '{name}': {why}",
                "安全でない名前「{name}」: {why}"
            )
        }
        RestoreProblem::Replaced { name } => {
            let name = name.escape_ascii();
            say!(
                lang,
                "'{name}' was replaced while it was restored",
                "「{name}」は復元中に置き換えられました"
            )
        }
        RestoreProblem::ForeignLink { owner } => say!(
            lang,
            "it is a symbolic link of another user (number {owner}), which is not followed",
            "ほかの利用者 (番号 {owner}) のシンボリックリンクなので、たどりません"
        ),
        RestoreProblem::TooManyBeside { most } => say!(
            lang,
            "{most} restored files are beside it already",
            "すでに {most} 個の復元したファイルが並んでいます"
        ),
        RestoreProblem::LinkedNotRestored { first } => {
            let first = first.escape_ascii();
            say!(
                lang,
                "it is a link to /{first}, which was not restored",
                "/{first} へのリンクですが、リンク先が復元されていません"
            )
        }
        RestoreProblem::LeftInPlace { name } => {
            let name = name.escape_ascii();
            say!(
                lang,
                "it was being restored in place and is incomplete: it is now named {name}, in the same directory; restore it \
                 again to complete it",
                "上書き復元の途中で終わったため不完全です。今の名前は、同じディレクトリーの {name} です。もう一度復元すると完成します"
            )
        }
        RestoreProblem::NoMatch { pattern } => say!(
            lang,
            "nothing in the snapshot matches the include pattern '{pattern}'",
            "スナップショットに、含めるパターン「{pattern}」に合うものがありません"
        ),
        RestoreProblem::NothingFound { pattern } => say!(
            lang,
            "nothing in these snapshots matches '{pattern}'",
            "これらのスナップショットに「{pattern}」に合うものがありません"
        ),
        other => format!("{other:?}"),
    }
}

/// What follows from another, or why it failed.
fn followed(lang: Lang, problem: &RestoreProblem, why: String) -> String {
    match problem {
        RestoreProblem::NotRemoved(_) => say!(
            lang,
            "what was written of it could not be removed: {why}",
            "途中まで書き込んだものを削除できません: {why}"
        ),
        RestoreProblem::NotDeleted(_) => say!(
            lang,
            "it is not in the snapshot and can't be deleted: {why}",
            "スナップショットにありませんが、削除できません: {why}"
        ),
        RestoreProblem::LeftoverNotRemoved(_) => say!(
            lang,
            "what an earlier restore left can't be removed: {why}",
            "前の復元が残したものを削除できません: {why}"
        ),
        RestoreProblem::PermissionsNotPutBack(_) => say!(
            lang,
            "its permissions were changed for the restore and can't be put back: {why}",
            "復元のために変更したアクセス権を元に戻せません: {why}"
        ),
        RestoreProblem::NothingBelow(_) => say!(
            lang,
            "{why}; nothing below it was restored",
            "{why}。この下は何も復元していません"
        ),
        other => format!("{other:?}"),
    }
}

fn plain(lang: Lang, problem: &RestoreProblem) -> &'static str {
    let (en, ja) = match problem {
        RestoreProblem::LinkInPlace => (
            "a symbolic link, which is not followed, is in its place",
            "同じ場所にシンボリックリンクがあります。たどりません",
        ),
        RestoreProblem::OtherInPlace => ("something else is in its place", "同じ場所に別のものがあります"),
        RestoreProblem::DirectoryInPlace => (
            "a directory is in its place",
            "同じ場所にディレクトリーがあります",
        ),
        RestoreProblem::FullDirectoryInPlace => (
            "a directory that is not empty, or can't be removed, is in its place",
            "同じ場所に、空ではないか削除できないディレクトリーがあります",
        ),
        RestoreProblem::DryRun => ("nothing is written in a dry run", "予行では何も書き込みません"),
        RestoreProblem::TooDeep => (
            "it holds too many levels of directories",
            "ディレクトリーの階層が深すぎます",
        ),
        RestoreProblem::NoRecord => (
            "the snapshot's record of this directory is lost: it gets no metadata",
            "このディレクトリーの記録が失われているため、メタデータを復元できません",
        ),
        RestoreProblem::RecordedSize => (
            "its recorded size is not that of its content",
            "記録されたサイズが内容と一致しません",
        ),
        RestoreProblem::WrittenSize => (
            "its size is not what was written",
            "サイズが書き込んだ量と一致しません",
        ),
        RestoreProblem::ReadBack => (
            "what was read back is not what was written",
            "読み戻した内容が書き込んだ内容と一致しません",
        ),
        RestoreProblem::NoContent => (
            "none of its content could be read",
            "内容をまったく読み取れませんでした",
        ),
        RestoreProblem::NotInSnapshot => (
            "it is not in the snapshot: it could not be read when it was backed up, or its data was lost",
            "スナップショットにありません。バックアップ時に読み取れなかったか、データが失われています",
        ),
        RestoreProblem::NotInArchive => (
            "not in the archive: it could not be read when it was backed up, or its data was lost",
            "アーカイブに含まれません。バックアップ時に読み取れなかったか、データが失われています",
        ),
        _ => ("", ""),
    };
    lang.pick(en, ja)
}

/// Metadata, by its name.
pub(super) fn meta_part(lang: Lang, part: &MetaPart) -> String {
    match part {
        MetaPart::All => say!(lang, "metadata", "メタデータ"),
        MetaPart::Owner => say!(lang, "owner", "所有者"),
        MetaPart::Mode => say!(lang, "mode", "モード"),
        MetaPart::Times => say!(lang, "times", "日時"),
        MetaPart::Flags => say!(lang, "flags (lsattr)", "ファイルフラグ"),
        MetaPart::Attributes => say!(lang, "extended attributes", "拡張属性"),
        MetaPart::Attribute(name) => {
            let name = name.escape_ascii();
            say!(lang, "attribute {name}", "属性「{name}」")
        }
    }
}

pub(super) fn metadata(lang: Lang, part: &MetaPart, errno: i32) -> String {
    let what = meta_part(lang, part);
    let why = io_error(lang, &::engine::platform::errno::error(errno));
    say!(
        lang,
        "{what} not restored: {why}",
        "{what}を復元できません: {why}"
    )
}

fn name_fault(lang: Lang, fault: NameFault) -> &'static str {
    let (en, ja) = match fault {
        NameFault::Empty => ("empty", "空です"),
        NameFault::Directory => ("refers to a directory", "ディレクトリーを指しています"),
        NameFault::Slash => ("contains a slash", "スラッシュを含みます"),
        NameFault::Nul => ("contains NUL", "NUL を含みます"),
        NameFault::TooLong => ("too long", "長すぎます"),
        NameFault::LinkTarget => ("not a link's target", "リンク先になりません"),
    };
    lang.pick(en, ja)
}
