//! Things that are counted.

use super::Lang;
use crate::text::grouped;

macro_rules! nouns {
    ($($name:ident => $one:literal, $many:literal, $ja:literal, $counter:literal;)*) => {
        /// What a number counts.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Noun {
            $($name),*
        }

        impl Noun {
            #[cfg(test)]
            pub const ALL: &[Noun] = &[$(Noun::$name),*];

            /// One and several of them in English; in Japanese the word and its counter.
            fn forms(self) -> (&'static str, &'static str, &'static str, &'static str) {
                match self {
                    $(Noun::$name => ($one, $many, $ja, $counter)),*
                }
            }
        }
    };
}

nouns! {
    Channel => "channel", "channels", "送信先", "か所";
    Chunk => "chunk", "chunks", "チャンク", "個";
    DamagedPack => "damaged pack", "damaged packs", "破損したパック", "個";
    DamagedSegment => "damaged index segment", "damaged index segments", "破損した索引セグメント", "個";
    DeletedFile => "deleted file", "deleted files", "削除されたファイル", "個";
    EarlierForm => "earlier form", "earlier forms", "以前の形", "個";
    Entry => "entry", "entries", "項目", "件";
    Error => "error", "errors", "エラー", "件";
    File => "file", "files", "ファイル", "個";
    Folder => "folder", "folders", "フォルダー", "個";
    IndexSegment => "index segment", "index segments", "索引セグメント", "個";
    Key => "sealed key", "sealed keys", "封印された鍵", "個";
    Message => "message", "messages", "メッセージ", "件";
    MorePack => "more pack", "more packs", "ほかのパック", "個";
    MoreProblem => "more problem", "more problems", "ほかの問題", "件";
    Object => "object", "objects", "オブジェクト", "個";
    Other => "other", "others", "その他", "個";
    Pack => "pack", "packs", "パック", "個";
    Path => "path", "paths", "パス", "個";
    Problem => "problem", "problems", "問題", "件";
    ProtectedSnapshot => "protected snapshot", "protected snapshots", "保護されたスナップショット", "個";
    RemovedSnapshot => "removed snapshot", "removed snapshots", "削除したスナップショット", "個";
    Request => "request", "requests", "リクエスト", "回";
    Remote => "remote", "remotes", "保存先", "か所";
    Run => "run", "runs", "実行", "回";
    RunningBackup => "running backup", "running backups", "実行中のバックアップ", "件";
    Set => "set", "sets", "セット", "個";
    Snapshot => "snapshot", "snapshots", "スナップショット", "個";
    Thread => "thread", "threads", "スレッド", "個";
    UnreadableSnapshot => "unreadable snapshot", "unreadable snapshots", "読み取れないスナップショット", "個";
    Value => "value", "values", "値", "個";
    Version => "version", "versions", "版", "個";
    Warning => "warning", "warnings", "注意", "件";
    WholePack => "whole pack", "whole packs", "丸ごとのパック", "個";
}

/// `1 snapshot`, `2,000 snapshots`; `スナップショット 2,000 個`.
pub fn count(lang: Lang, n: u64, noun: Noun) -> String {
    let (one, many, ja, counter) = noun.forms();
    match (lang, n) {
        (Lang::En, 1) => format!("1 {one}"),
        (Lang::En, n) => format!("{} {many}", grouped(n)),
        (Lang::Ja, n) => format!("{ja} {} {counter}", grouped(n)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted() {
        assert_eq!(count(Lang::En, 1, Noun::Entry), "1 entry");
        assert_eq!(count(Lang::En, 2000, Noun::Entry), "2,000 entries");
        assert_eq!(count(Lang::En, 0, Noun::File), "0 files");
        assert_eq!(count(Lang::Ja, 1234, Noun::File), "ファイル 1,234 個");
    }

    #[test]
    fn every_noun_is_there() {
        for noun in Noun::ALL {
            let (one, many, ja, counter) = noun.forms();
            assert!(
                one != many && !one.is_empty() && !ja.is_ascii() && !counter.is_ascii(),
                "{noun:?}"
            );
        }
    }
}
