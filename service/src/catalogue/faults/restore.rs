//! What keeps a path from being restored.

use super::store::io::io_error;
use super::store::object::operation;
use crate::catalogue::{Lang, say};
use ::engine::problem::{MetaPart, NameFault, RestoreProblem};

pub(super) fn restore_problem(lang: Lang, problem: &RestoreProblem) -> String {
    match problem {
        RestoreProblem::Io { operation, error } => {
            let what = format!("{}: {}", self::operation(lang, *operation), io_error(lang, error));
            match problem.refuses_name() {
                true => say!(
                    lang,
                    "{what} (the file system of the target does not allow this name)",
                    "{what} (復元先のファイルシステムでは使えない名前です)"
                ),
                false => what,
            }
        }
        RestoreProblem::Metadata(part, errno) => metadata(lang, part, *errno),
        RestoreProblem::UnsafeName { name, fault } => unsafe_name(lang, name, *fault),
        RestoreProblem::Replaced { name } => replaced(lang, name),
        RestoreProblem::ForeignLink { owner } => foreign_link(lang, *owner),
        RestoreProblem::TooManyBeside { most } => too_many_beside(lang, *most),
        RestoreProblem::LinkedNotRestored { first } => linked_not_restored(lang, first),
        RestoreProblem::LeftInPlace { name } => left_in_place(lang, name),
        RestoreProblem::NoMatch { pattern } => no_match(lang, pattern),
        RestoreProblem::NothingFound { pattern } => nothing_found(lang, pattern),
        RestoreProblem::NothingBelow(why) => nothing_below(lang, why),
        RestoreProblem::NotRemoved(why) => not_removed(lang, why),
        RestoreProblem::NotDeleted(why) => not_deleted(lang, why),
        RestoreProblem::LeftoverNotRemoved(why) => leftover_not_removed(lang, why),
        RestoreProblem::PermissionsNotPutBack(why) => permissions_not_put_back(lang, why),
        RestoreProblem::LinkInPlace => link_in_place(lang).to_string(),
        RestoreProblem::OtherInPlace => other_in_place(lang).to_string(),
        RestoreProblem::DirectoryInPlace => directory_in_place(lang).to_string(),
        RestoreProblem::FullDirectoryInPlace => full_directory_in_place(lang).to_string(),
        RestoreProblem::DryRun => dry_run(lang).to_string(),
        RestoreProblem::TooDeep => too_deep(lang).to_string(),
        RestoreProblem::NoRecord => no_record(lang).to_string(),
        RestoreProblem::RecordedSize => recorded_size(lang).to_string(),
        RestoreProblem::WrittenSize => written_size(lang).to_string(),
        RestoreProblem::ReadBack => read_back(lang).to_string(),
        RestoreProblem::NoContent => no_content(lang).to_string(),
        RestoreProblem::NotInSnapshot => not_in_snapshot(lang).to_string(),
        RestoreProblem::NotInArchive => not_in_archive(lang).to_string(),
    }
}

fn unsafe_name(lang: Lang, name: &[u8], fault: NameFault) -> String {
    let (name, why) = (name.escape_ascii(), name_fault(lang, fault));
    say!(
        lang,
        "unsafe name '{name}': {why}",
        "安全でない名前「{name}」: {why}"
    )
}

fn replaced(lang: Lang, name: &[u8]) -> String {
    let name = name.escape_ascii();
    say!(
        lang,
        "'{name}' was replaced while it was restored",
        "「{name}」は復元中に置き換えられました"
    )
}

fn foreign_link(lang: Lang, owner: u32) -> String {
    say!(
        lang,
        "it is a symbolic link of another user (number {owner}), which is not followed",
        "ほかの利用者 (番号 {owner}) のシンボリックリンクなので、たどりません"
    )
}

fn too_many_beside(lang: Lang, most: u32) -> String {
    say!(
        lang,
        "{most} restored files are beside it already",
        "すでに {most} 個の復元したファイルが並んでいます"
    )
}

fn linked_not_restored(lang: Lang, first: &[u8]) -> String {
    let first = first.escape_ascii();
    say!(
        lang,
        "it is a link to /{first}, which was not restored",
        "/{first} へのリンクですが、リンク先が復元されていません"
    )
}

fn left_in_place(lang: Lang, name: &[u8]) -> String {
    let name = name.escape_ascii();
    say!(
        lang,
        "it was being restored in place and is incomplete: it is now named {name}, in the same directory; restore it \
         again to complete it",
        "上書き復元の途中で終わったため不完全です。今の名前は、同じディレクトリーの {name} です。もう一度復元すると完成します"
    )
}

fn no_match(lang: Lang, pattern: &str) -> String {
    say!(
        lang,
        "nothing in the snapshot matches the include pattern '{pattern}'",
        "スナップショットに、含めるパターン「{pattern}」に合うものがありません"
    )
}

fn nothing_found(lang: Lang, pattern: &str) -> String {
    say!(
        lang,
        "nothing in these snapshots matches '{pattern}'",
        "これらのスナップショットに「{pattern}」に合うものがありません"
    )
}

fn not_removed(lang: Lang, why: &RestoreProblem) -> String {
    let why = restore_problem(lang, why);
    say!(
        lang,
        "what was written of it could not be removed: {why}",
        "途中まで書き込んだものを削除できません: {why}"
    )
}

fn not_deleted(lang: Lang, why: &RestoreProblem) -> String {
    let why = restore_problem(lang, why);
    say!(
        lang,
        "it is not in the snapshot and can't be deleted: {why}",
        "スナップショットにありませんが、削除できません: {why}"
    )
}

fn leftover_not_removed(lang: Lang, why: &RestoreProblem) -> String {
    let why = restore_problem(lang, why);
    say!(
        lang,
        "what an earlier restore left can't be removed: {why}",
        "前の復元が残したものを削除できません: {why}"
    )
}

fn permissions_not_put_back(lang: Lang, why: &RestoreProblem) -> String {
    let why = restore_problem(lang, why);
    say!(
        lang,
        "its permissions were changed for the restore and can't be put back: {why}",
        "復元のために変更したアクセス権を元に戻せません: {why}"
    )
}

fn nothing_below(lang: Lang, why: &RestoreProblem) -> String {
    let why = restore_problem(lang, why);
    say!(
        lang,
        "{why}; nothing below it was restored",
        "{why}。この下は何も復元していません"
    )
}

fn link_in_place(lang: Lang) -> &'static str {
    lang.pick(
        "a symbolic link, which is not followed, is in its place",
        "同じ場所にシンボリックリンクがあります。たどりません",
    )
}

fn other_in_place(lang: Lang) -> &'static str {
    lang.pick("something else is in its place", "同じ場所に別のものがあります")
}

fn directory_in_place(lang: Lang) -> &'static str {
    lang.pick(
        "a directory is in its place",
        "同じ場所にディレクトリーがあります",
    )
}

fn full_directory_in_place(lang: Lang) -> &'static str {
    lang.pick(
        "a directory that is not empty, or can't be removed, is in its place",
        "同じ場所に、空ではないか削除できないディレクトリーがあります",
    )
}

fn dry_run(lang: Lang) -> &'static str {
    lang.pick("nothing is written in a dry run", "予行では何も書き込みません")
}

fn too_deep(lang: Lang) -> &'static str {
    lang.pick(
        "it holds too many levels of directories",
        "ディレクトリーの階層が深すぎます",
    )
}

fn no_record(lang: Lang) -> &'static str {
    lang.pick(
        "the snapshot's record of this directory is lost: it gets no metadata",
        "このディレクトリーの記録が失われているため、メタデータを復元できません",
    )
}

fn recorded_size(lang: Lang) -> &'static str {
    lang.pick(
        "its recorded size is not that of its content",
        "記録されたサイズが内容と一致しません",
    )
}

fn written_size(lang: Lang) -> &'static str {
    lang.pick(
        "its size is not what was written",
        "サイズが書き込んだ量と一致しません",
    )
}

fn read_back(lang: Lang) -> &'static str {
    lang.pick(
        "what was read back is not what was written",
        "読み戻した内容が書き込んだ内容と一致しません",
    )
}

fn no_content(lang: Lang) -> &'static str {
    lang.pick(
        "none of its content could be read",
        "内容をまったく読み取れませんでした",
    )
}

fn not_in_snapshot(lang: Lang) -> &'static str {
    lang.pick(
        "it is not in the snapshot: it could not be read when it was backed up, or its data was lost",
        "スナップショットにありません。バックアップ時に読み取れなかったか、データが失われています",
    )
}

fn not_in_archive(lang: Lang) -> &'static str {
    lang.pick(
        "not in the archive: it could not be read when it was backed up, or its data was lost",
        "アーカイブに含まれません。バックアップ時に読み取れなかったか、データが失われています",
    )
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
