//! Texts of the pages about what uses the space: what each path frees, excluding it from now on, and purging it.

use super::Labels;
use crate::catalogue::{Lang, Noun, count, say};
use engine::units::{escape, format_bytes};

labels! {
    space => "What uses the space", "容量の内訳";
    space_what => "How much space would become free without each file or folder: what it alone needs, in all snapshots together. \
        What several of them share stands below the table.",
        "それぞれのファイルやフォルダーを取り除くと空く量です。すべての世代を通して、それだけが必要としているデータの量を示します。\
        共有されているデータは表の下に示します。";
    frees => "Frees", "空く量";
    calculate => "Calculate", "計算する";
    calculate_again => "Calculate again", "計算し直す";
    calculate_what => "All snapshots are looked through, which takes a while in a large repository. The result is kept with its \
        date until the console ends.",
        "すべての世代を調べるため、大きなリポジトリーでは時間がかかります。結果はコンソールが終わるまで日時とともに残します。";
    calculating => "Looking through all snapshots", "すべての世代を調べています";
    nothing_saved => "Nothing is saved in this folder.", "このフォルダーには何も保存されていません。";
    exclude_from_now => "Exclude from now on", "今後は除外する";
    exclude_what => "The next backups leave it out. What is saved already stays; a purge removes that.",
        "次のバックアップから除外します。すでに保存されたものは残り、削除するには「完全に取り除く」を使います。";
    no_set_saves_it => "No set that saves here has this path in its sources. It may be from another machine, from a set that was removed, \
        or be a source itself: then change the sources of the set.",
        "ここに保存するセットの対象に、このパスはありません。別のコンピューターや削除したセットのものか、対象そのものです。対象\
        そのものなら、セットの対象を変更してください。";
    already_excluded => "This set leaves it out already.", "このセットはすでに除外しています。";
    purge => "Purge", "完全に取り除く";
    purge_what => "Takes it out of all snapshots of this repository. Files that are on this machine stay. First it is only looked for, \
        and the figures are shown.",
        "このリポジトリーのすべての世代から取り除きます。このコンピューターにあるファイルはそのままです。まず探すだけで、件数と量を\
        表示します。";
    look_for_it => "See what would go", "何が消えるか確認";
    type_path => "To remove it from all of them, type its path", "すべてから取り除くには、そのパスを入力してください";
    path_differs => "This is not the path that is to be purged. Nothing was changed.",
        "取り除くパスと一致しません。何も変更していません。";
    purge_now => "Purge it now", "今すぐ取り除く";
}

/// When it was found out.
pub fn space_as_of(lang: Lang, when: &str) -> String {
    say!(lang, "As of {when}", "{when}の時点")
}

/// Rows that are not shown.
pub fn smaller(lang: Lang, rows: u64, bytes: u64) -> String {
    let (rows, bytes) = (count(lang, rows, Noun::Entry), format_bytes(bytes));
    say!(
        lang,
        "Smaller ones that are not shown: {rows}, {bytes} together",
        "表示していない小さなもの: {rows}、合わせて {bytes}"
    )
}

/// After a set got an exclude.
pub fn excluded_from(lang: Lang, path: &str, set: &str) -> String {
    let path = escape(path.as_bytes());
    say!(
        lang,
        "Set '{set}' leaves out {path} from now on.",
        "セット「{set}」は今後 {path} を除外します。"
    )
}

pub fn purge_title(lang: Lang, path: &str, is_dry: bool) -> String {
    match is_dry {
        true => say!(lang, "What a purge of {path} would do", "{path} を取り除いた場合"),
        false => say!(lang, "Purge of {path}", "{path} を取り除く"),
    }
}

/// The figures of a dry run, or of a purge.
pub fn purge_figures(lang: Lang, snapshots: u64, files: u64, bytes: u64, is_dry: bool) -> String {
    let (snapshots, files) = (
        count(lang, snapshots, Noun::Snapshot),
        count(lang, files, Noun::File),
    );
    let bytes = format_bytes(bytes);
    match is_dry {
        true => say!(
            lang,
            "It is in {snapshots}, with {files} and {bytes}, counted in each of them.",
            "{snapshots}にあり、世代ごとに数えると{files}、{bytes} です。"
        ),
        false => say!(
            lang,
            "It was taken out of {snapshots}, with {files} and {bytes}, counted in each of them.",
            "{snapshots}から取り除きました。世代ごとに数えると{files}、{bytes} です。"
        ),
    }
}

/// What that frees in the end.
pub fn purge_frees(lang: Lang, bytes: u64) -> String {
    let bytes = format_bytes(bytes);
    say!(
        lang,
        "Without it, {bytes} become free at a later prune.",
        "取り除くと、後の整理で {bytes} が空きます。"
    )
}
