//! Objects by their names, what was done to them, and what is wrong with them.

use super::super::tree::tree_fault;
use super::store_error;
use crate::catalogue::Lang::{self, En, Ja};
use crate::catalogue::say;
use engine::error::store::{Flaw, Object, Operation};

pub(in crate::catalogue::faults) fn object(lang: Lang, object: &Object) -> String {
    match object {
        Object::Named(name) => name.clone(),
        Object::Path(path) => path.display().to_string(),
        Object::Chunk(id) => say!(lang, "chunk {id}", "チャンク {id}"),
        Object::TreeChunk(id) => say!(lang, "tree chunk {id}", "ツリーチャンク {id}"),
        Object::NewChunk(id) => say!(lang, "new chunk {id}", "新しいチャンク {id}"),
        Object::BundledFile(file) => {
            let (file, chunk) = (&file.hash, &file.bundle);
            say!(
                lang,
                "file {file} of chunk {chunk}",
                "チャンク {chunk} の中のファイル {file}"
            )
        }
        Object::LocalIndex(None) => say!(lang, "the local index", "ローカル索引"),
        Object::LocalIndex(Some(path)) => {
            let path = path.display();
            say!(lang, "the local index, {path}", "ローカル索引 {path}")
        }
        Object::RestoreTarget => say!(lang, "the restore target", "復元先"),
        Object::Frame => say!(lang, "a frame", "フレーム"),
        Object::SealedKey => say!(lang, "a sealed content key", "封印されたコンテンツ鍵"),
        Object::KeySlots => say!(lang, "keys", "鍵"),
        Object::Manifest => say!(lang, "a manifest", "マニフェスト"),
        Object::Entry => say!(lang, "an entry", "項目"),
    }
}

/// A name and what follows it in Japanese: a space separates the two scripts.
pub(in crate::catalogue::faults) fn joined(name: &str, rest: &str) -> String {
    let space = if name.ends_with(|last: char| last.is_ascii()) {
        " "
    } else {
        ""
    };
    format!("{name}{space}{rest}")
}

/// "read packs/ab", "packs/ab を読み取れません"; to be put before the reason.
pub(in crate::catalogue::faults) fn attempt(lang: Lang, operation: Operation, what: &str) -> String {
    match lang {
        En => format!("{} {what}", english(operation)),
        Ja => {
            let (noun, particle, verb) = japanese(operation);
            let space = if noun.is_empty() { "" } else { " " };
            joined(&format!("{noun}{space}{what}"), &format!("{particle}{verb}"))
        }
    }
}

/// The same where it is known what it was done to.
pub(in crate::catalogue::faults) fn operation(lang: Lang, operation: Operation) -> String {
    match lang {
        En => english(operation).to_string(),
        Ja => match japanese(operation) {
            ("", _, verb) => verb.to_string(),
            (noun, particle, verb) => format!("{noun}{particle}{verb}"),
        },
    }
}

fn english(operation: Operation) -> &'static str {
    match operation {
        Operation::Chmod => "chmod",
        Operation::Create => "create",
        Operation::CreateFolder => "create the folder of",
        Operation::Delete => "delete",
        Operation::Examine => "examine",
        Operation::Free => "free",
        Operation::Link => "link",
        Operation::List => "list",
        Operation::Lock => "lock",
        Operation::LookUp => "look up",
        Operation::Mkdir => "mkdir",
        Operation::Mknod => "mknod",
        Operation::Open => "open",
        Operation::Publish => "publish",
        Operation::Race => "race for",
        Operation::Read => "read",
        Operation::ReadBack => "read back",
        Operation::ReadExcludeFile => "read pattern file",
        Operation::ReadLink => "readlink",
        Operation::Remove => "remove",
        Operation::Rename => "rename",
        Operation::Replace => "replace",
        Operation::Rmdir => "rmdir",
        Operation::SetAside => "set aside",
        Operation::SetSize => "set the size",
        Operation::Stat => "stat",
        Operation::Sweep => "sweep",
        Operation::Symlink => "symlink",
        Operation::Sync => "sync",
        Operation::SyncRestored => "write to disk",
        Operation::Unlink => "unlink",
        Operation::Write => "write",
        Operation::WriteIndex => "write the local index",
        Operation::WriteTo => "write to",
    }
}

/// What stands before the object, the particle behind it, and what failed.
fn japanese(operation: Operation) -> (&'static str, &'static str, &'static str) {
    match operation {
        Operation::Chmod => ("", "の", "モードを変更できません"),
        Operation::Create => ("", "を", "作れません"),
        Operation::CreateFolder => ("", "の", "フォルダーを作れません"),
        Operation::Delete | Operation::Remove | Operation::Unlink => ("", "を", "削除できません"),
        Operation::Examine => ("", "を", "調べられません"),
        Operation::Free => ("", "の", "領域を解放できません"),
        Operation::Link => ("ハードリンク", "を", "作れません"),
        Operation::List => ("", "の", "一覧を取得できません"),
        Operation::Lock => ("", "を", "ロックできません"),
        Operation::LookUp => ("", "の", "有無を確認できません"),
        Operation::Mkdir => ("ディレクトリー", "を", "作れません"),
        Operation::Mknod => ("特殊ファイル", "を", "作れません"),
        Operation::Open => ("", "を", "開けません"),
        Operation::Publish => ("", "を", "公開できません"),
        Operation::Race => ("", "の", "同時作成を試せません"),
        Operation::Read => ("", "を", "読み取れません"),
        Operation::ReadBack => ("", "を", "読み戻せません"),
        Operation::ReadExcludeFile => ("パターンファイル", "を", "読み取れません"),
        Operation::ReadLink => ("", "の", "リンク先を読み取れません"),
        Operation::Rename => ("", "の", "名前を変更できません"),
        Operation::Replace => ("", "を", "置き換えられません"),
        Operation::Rmdir => ("ディレクトリー", "を", "削除できません"),
        Operation::SetAside => ("", "を", "退避できません"),
        Operation::SetSize => ("", "の", "サイズを設定できません"),
        Operation::Stat => ("", "の", "情報を取得できません"),
        Operation::Sweep => ("", "を", "片付けられません"),
        Operation::Symlink => ("シンボリックリンク", "を", "作れません"),
        Operation::Sync => ("", "を", "同期できません"),
        Operation::SyncRestored => ("", "を", "ディスクに書き込めません"),
        Operation::Write => ("", "を", "書き込めません"),
        Operation::WriteIndex => ("ローカル索引", "を", "書き込めません"),
        Operation::WriteTo => ("", "に", "書き込めません"),
    }
}

/// What is wrong with it, to be put after its name.
pub(in crate::catalogue::faults) fn flaw(lang: Lang, object: &Object, flaw: &Flaw) -> String {
    match flaw {
        Flaw::TooLarge { cap } => say!(lang, "larger than {cap} bytes", "{cap} バイトより大きいです"),
        Flaw::SizeMismatch { indexed, found } => say!(
            lang,
            "it has {found} bytes, but the index says {indexed}",
            "{found} バイトありますが、索引では {indexed} バイトです"
        ),
        Flaw::NotReproduced(error) => {
            let why = store_error(lang, error);
            say!(
                lang,
                "it does not decode to what was read ({why}); check this machine's memory",
                "復号しても読み取った内容に戻りません ({why})。このコンピューターのメモリーを検査してください"
            )
        }
        Flaw::ParityExceeded {
            damaged,
            parts,
            spare,
        } => say!(
            lang,
            "{damaged} of its {parts} parts are damaged, and its parity can replace {spare}",
            "{parts} 個の部分のうち {damaged} 個が破損していて、パリティーで補えるのは {spare} 個です"
        ),
        Flaw::Tree(part, fault) => tree_fault(lang, *part, *fault),
        Flaw::HashMismatch => mismatch(lang, object).to_string(),
        flaw => plain_flaw(lang, flaw).to_string(),
    }
}

fn mismatch(lang: Lang, object: &Object) -> &'static str {
    match object {
        Object::Chunk(_) | Object::TreeChunk(_) | Object::NewChunk(_) => {
            lang.pick("its content is not that of its id", "内容が ID と一致しません")
        }
        Object::Named(name) if name.starts_with("parity/") => lang.pick(
            "its bytes are not those of its checksum",
            "内容がチェックサムと一致しません",
        ),
        Object::Named(_)
        | Object::Path(_)
        | Object::BundledFile(..)
        | Object::LocalIndex(_)
        | Object::RestoreTarget
        | Object::Frame
        | Object::SealedKey
        | Object::KeySlots
        | Object::Manifest
        | Object::Entry => lang.pick("its content does not match its name", "内容が名前と一致しません"),
    }
}

/// What needs no fields.
fn plain_flaw(lang: Lang, flaw: &Flaw) -> &'static str {
    let (en, ja) = match flaw {
        Flaw::Truncated => ("cut short", "途中で切れています"),
        Flaw::BadMagic => (
            "not an object of this repository",
            "このリポジトリーのオブジェクトではありません",
        ),
        Flaw::WrongKind => ("of another kind than its name says", "種類が名前と一致しません"),
        Flaw::SealBroken => ("its seal is broken", "封印が壊れています"),
        Flaw::Undecodable => ("its fields do not decode", "内容を解釈できません"),
        Flaw::OutOfRange => ("a size in it is out of range", "中に書かれたサイズが範囲外です"),
        Flaw::LengthMismatch => ("its length is not the recorded one", "長さが記録と一致しません"),
        Flaw::Unsorted => ("its rows are out of order", "行の順序が正しくありません"),
        Flaw::NotCanonical => (
            "it is not in the form in which it is written",
            "正規の形式で書かれていません",
        ),
        Flaw::NoFooter => ("no footer at its end", "末尾にフッターがありません"),
        Flaw::NotAsListed => ("it does not fit what lists it", "一覧の記録と一致しません"),
        Flaw::KeyNotListed => ("a key that it needs is not listed", "必要な鍵が一覧にありません"),
        Flaw::NoKeySlot => ("there is no key slot", "鍵スロットがありません"),
        Flaw::UnknownSealer => ("it was sealed with an unknown key", "不明な鍵で封印されています"),
        Flaw::NoSessionKey => ("it carries no session key", "セッション鍵がありません"),
        Flaw::NoManifest => ("it holds no manifest", "マニフェストがありません"),
        Flaw::HeadDamaged => ("its head is damaged", "先頭部分が破損しています"),
        Flaw::NoSuccessor => ("no upgrade can follow it", "これに続くアップグレードはありません"),
        Flaw::NotAsWritten => ("it is not as it was written", "書き込んだ内容と一致しません"),
        Flaw::ParityHeads => (
            "neither head of its parity is whole",
            "パリティーの先頭部分が 2 つとも破損しています",
        ),
        Flaw::ParityMismatch => (
            "what its parity gives does not match its name",
            "パリティーから得た内容が名前と一致しません",
        ),
        Flaw::Incomplete => (
            "it could not be read when it was backed up, or its data was lost",
            "バックアップ時に読み取れなかったか、データが失われています",
        ),
        // Those with fields, or that depend on the object, are above.
        Flaw::HashMismatch
        | Flaw::TooLarge { .. }
        | Flaw::SizeMismatch { .. }
        | Flaw::NotReproduced(_)
        | Flaw::ParityExceeded { .. }
        | Flaw::Tree(..) => ("", ""),
    };
    lang.pick(en, ja)
}
