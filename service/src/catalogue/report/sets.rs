//! Changes of sets and of the settings file.

use crate::catalogue::{Lang, say};

pub fn added(lang: Lang, name: &str, file: &str) -> String {
    say!(
        lang,
        "Added set '{name}' to {file}; 'dedup run {name}' runs it now",
        "セット「{name}」を {file} に追加しました。'dedup run {name}' ですぐに実行できます"
    )
}

pub fn changed(lang: Lang, name: &str, file: &str) -> String {
    say!(
        lang,
        "Changed set '{name}' in {file}",
        "{file} のセット「{name}」を変更しました"
    )
}

pub fn removed(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "Removed set '{name}' from the settings. Its snapshots stay, and no policy applies to them any more: \
         'dedup snapshots' lists them, 'dedup forget' removes them",
        "セット「{name}」を設定から削除しました。スナップショットは残り、保存の規則は適用されなくなります。\
         'dedup snapshots' で一覧、'dedup forget' で削除できます"
    )
}

/// Before somebody confirms it.
pub fn removed_when_asked(lang: Lang) -> String {
    say!(
        lang,
        "Nothing backs these files up any more. Snapshots that were made stay and can be restored, but no policy applies to them: \
         they take up their space until somebody removes them.",
        "これらのファイルはバックアップされなくなります。作成済みのスナップショットは残り、復元もできますが、保存の規則は適用されず、削除する\
         まで場所を取ります。"
    )
}

pub fn written(lang: Lang, file: &str) -> String {
    say!(lang, "{file} was changed", "{file} を変更しました")
}

pub fn unchanged(lang: Lang) -> String {
    say!(lang, "Nothing was changed", "何も変更していません")
}
