//! Every variant has a text in each language, and no language strays into another.

mod kinds;
mod store;
mod system;

use crate::catalogue::Lang;
use engine::error::store::IoError;
use engine::{ChunkId, PackId, SessionId, StoreError};
use std::fmt::Debug;

/// A list of all variants of an enum, first those without fields. One that is missing does not compile.
macro_rules! every {
    ($type:ident; $($unit:ident),*; $($variant:pat => $value:expr),* $(,)?) => {{
        let _complete = |value: &$type| match value {
            $($type::$unit => (),)*
            $($variant => (),)*
        };
        let all: Vec<$type> = vec![$($type::$unit,)* $($value),*];
        all
    }};
}
use every;

/// English words that Japanese texts hold: commands, variables, names of formats and values.
const NAMES: &[&str] = &[
    "Argon",
    "FIFO",
    "HOME",
    "PATH",
    "YYYY",
    "ascii",
    "azblob",
    "bucket",
    "check",
    "commands",
    "dedup",
    "dump",
    "exclusive",
    "file",
    "forget",
    "host",
    "index",
    "init",
    "latest",
    "machine",
    "name",
    "path",
    "paths",
    "prune",
    "rclone",
    "repair",
    "replicate",
    "root",
    "sftp",
    "style",
    "tags",
    "today",
    "virtual",
    "webdav",
    "webdavs",
    "yesterday",
    "zstd",
];

/// Words of English that are no names. Options and names of files are passed over.
fn english_words(text: &str) -> Vec<&str> {
    let tokens = text.split(|c: char| !c.is_ascii_alphanumeric() && !['-', '.', '_'].contains(&c));
    tokens
        .filter(|token| !token.starts_with(['-', '.']))
        .flat_map(|token| token.split(|c: char| !c.is_ascii_alphabetic()))
        .filter(|word| word.len() >= 4 && !NAMES.contains(word))
        .collect()
}

/// Each of these has a text in English and another in Japanese.
#[track_caller]
fn in_each_language<T: Debug>(all: &[T], text: impl Fn(Lang, &T) -> String) {
    assert!(!all.is_empty());
    for value in all {
        let (en, ja) = (text(Lang::En, value), text(Lang::Ja, value));
        assert!(!en.is_empty() && en.is_ascii(), "{value:?}: {en}");
        assert!(en != ja && !ja.is_ascii(), "{value:?}: {ja}");
        assert_eq!(english_words(&ja), Vec::<&str>::new(), "{value:?}: {ja}");
        assert!(!ja.ends_with('。'), "{value:?}: {ja}");
    }
}

// What the values hold, none of which is a word.

fn x() -> String {
    "x".to_string()
}

fn session() -> SessionId {
    SessionId([0x11; 16])
}

fn chunk() -> ChunkId {
    ChunkId([0x22; 32])
}

fn pack() -> PackId {
    PackId([0x33; 32])
}

fn io() -> IoError {
    std::io::Error::from_raw_os_error(13).into()
}

fn missing() -> StoreError {
    StoreError::missing("x")
}

#[test]
fn english_is_found() {
    assert_eq!(english_words("破損: not a file of ours here"), ["ours", "here"]);
    assert!(english_words("'dedup forget --lost' で .dedup-restore-... を").is_empty());
}
