//! `init` and `key`.

use crate::catalogue::{Lang, Noun, count, say};
use crate::text::short;

/// What comes before a recovery phrase, which is shown this once.
pub fn phrase_heading(lang: Lang) -> String {
    say!(
        lang,
        "Recovery phrase: it opens the repository if the password or key file is lost. It is not shown\n\
         again: write it down and keep it away from this machine.",
        "回復フレーズです。パスワードや鍵ファイルを失ったときに、これでリポジトリーを開けます。二度と表示しないので、\n\
         書き留めて、このコンピューターとは別の場所に保管してください。"
    )
}

/// The prompt for a password, and the second one.
pub fn password_prompt(lang: Lang, is_new: bool) -> (&'static str, Option<&'static str>) {
    match (lang, is_new) {
        (Lang::En, false) => ("Password: ", None),
        (Lang::En, true) => ("New password: ", Some("Repeat password: ")),
        (Lang::Ja, false) => ("パスワード: ", None),
        (Lang::Ja, true) => ("新しいパスワード: ", Some("もう一度: ")),
    }
}

/// A question as it stands before the cursor.
pub fn yes_or_no(lang: Lang, question: &str) -> String {
    say!(lang, "{question}? [y/N] ", "{question}? [y/N] ")
}

pub fn created(lang: Lang, id: &str, url: &str) -> String {
    let id = short(id);
    say!(
        lang,
        "Created repository {id} at {url}",
        "リポジトリー {id} を {url} に作りました"
    )
}

pub fn opened_by(lang: Lang, path: &str, made: bool) -> String {
    match made {
        true => say!(
            lang,
            "Made the key file {path}: keep a copy of it elsewhere, it opens the repository",
            "鍵ファイル {path} を作りました。これでリポジトリーを開けます。写しを別の場所に保管してください"
        ),
        false => say!(
            lang,
            "Opened by the key file {path}: keep a copy of it elsewhere, it opens the repository",
            "鍵ファイル {path} で開けます。写しを別の場所に保管してください"
        ),
    }
}

pub fn no_phrase(lang: Lang) -> String {
    say!(
        lang,
        "There is no recovery phrase: without this password or key file nothing can be restored.",
        "回復フレーズはありません。このパスワードか鍵ファイルがなければ何も復元できません。"
    )
}

/// What to run next; `option` names the repository where that is needed.
pub fn next_backup(lang: Lang, option: &str) -> String {
    say!(
        lang,
        "Next: dedup {option}backup DIR",
        "次に: dedup {option}backup DIR"
    )
}

pub fn added(lang: Lang, kind: &str, id: &str) -> String {
    let id = short(id);
    say!(lang, "Added {kind} {id}", "{kind} {id} を追加しました")
}

pub fn replaced(lang: Lang, kind: &str, id: &str, old: &str) -> String {
    let (id, old) = (short(id), short(old));
    say!(
        lang,
        "The {kind} {id} opens the repository now; {old} no longer does",
        "これからは {kind} {id} でリポジトリーを開きます。{old} では開けません"
    )
}

pub fn key_file(lang: Lang, path: &str) -> String {
    say!(lang, "Key file: {path}", "鍵ファイル: {path}")
}

pub fn columns(lang: Lang) -> [&'static str; 5] {
    match lang {
        Lang::En => ["ID", "Kind", "Host", "Created", ""],
        Lang::Ja => ["ID", "種類", "ホスト", "作成日時", ""],
    }
}

pub fn current(lang: Lang) -> String {
    say!(lang, "opened with this", "これで開きました")
}

pub fn removed(lang: Lang, kind: &str, id: &str) -> String {
    let id = short(id);
    say!(
        lang,
        "Removed {kind} {id}. Whoever kept a copy of the slot and its secret can still open the repository",
        "{kind} {id} を削除しました。スロットの写しと秘密を持つ人は、今でもリポジトリーを開けます"
    )
}

pub fn exported(lang: Lang, keys: u64, file: &str) -> String {
    let keys = count(lang, keys, Noun::Key);
    say!(
        lang,
        "Saved {keys} to {file}. If the repository loses its own, unpack it there: tar -xf FILE -C REPOSITORY",
        "{keys}を {file} に保存しました。リポジトリーの鍵が失われたら、そこに展開してください: tar -xf FILE -C REPOSITORY"
    )
}

pub fn phrase_added(lang: Lang, id: &str) -> String {
    let id = short(id);
    say!(
        lang,
        "Added recovery phrase {id}",
        "回復フレーズ {id} を追加しました"
    )
}
