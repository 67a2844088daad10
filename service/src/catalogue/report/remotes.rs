//! `remote` and `replicate`.

use super::backup::behind_by;
use crate::catalogue::{Lang, Noun, count, say};
use crate::failure::Failure;
use crate::remotes::{Noted, RemoteState};
use crate::text;
use engine::units::format_bytes;
use jiff::Timestamp;

pub fn new_replica(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "Made an empty replica at {url}; it opens with the same passwords and keys",
        "{url} に空のレプリカを作りました。同じパスワードと鍵で開けます"
    )
}

pub fn known_replica(lang: Lang, url: &str) -> String {
    say!(lang, "There is a replica at {url}", "{url} にレプリカがあります")
}

pub fn known_repository(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "There is a repository at {url}",
        "{url} にリポジトリーがあります"
    )
}

pub fn named(lang: Lang, name: &str, file: &str) -> String {
    say!(
        lang,
        "It is called '{name}' in {file}",
        "{file} での名前は「{name}」です"
    )
}

pub fn next_replicate(lang: Lang, name: &str) -> String {
    say!(
        lang,
        "Next: dedup replicate --to {name}, or dedup backup DIR --also {name}",
        "次に: dedup replicate --to {name}、または dedup backup DIR --also {name}"
    )
}

/// Of a set that replicates to it.
pub fn next_run(lang: Lang, set: &str) -> String {
    say!(
        lang,
        "Next: dedup run {set} brings it up to date",
        "次に: dedup run {set} で最新になります"
    )
}

pub fn nothing_to_make(lang: Lang, name: &str, url: &str) -> String {
    say!(
        lang,
        "There is a replica of this repository at {url} already, and it is called '{name}': nothing to do",
        "{url} にはすでにこのリポジトリーのレプリカがあり、名前も「{name}」です。することはありません"
    )
}

pub fn name_removed(lang: Lang, name: &str, url: &str) -> String {
    say!(
        lang,
        "Removed the name '{name}'; what is stored at {url} is unchanged",
        "名前「{name}」を削除しました。{url} に保存したものはそのままです"
    )
}

pub fn no_names(lang: Lang) -> String {
    say!(
        lang,
        "No remote has a name; 'dedup remote add NAME URL' gives one",
        "名前の付いた保存先はありません。'dedup remote add NAME URL' で付けられます"
    )
}

pub fn columns(lang: Lang) -> [&'static str; 4] {
    match lang {
        Lang::En => ["Name", "URL", "Snapshots", "State"],
        Lang::Ja => ["名前", "URL", "スナップショット", "状態"],
    }
}

/// Below rows of which none was compared.
pub fn how_to_compare(lang: Lang) -> String {
    say!(
        lang,
        "'dedup -r NAME remote list' compares them with the one of that name",
        "'dedup -r 名前 remote list' で、その名前の保存先と比べます"
    )
}

/// How a remote stands, in the last column.
pub fn state(lang: Lang, state: &RemoteState) -> String {
    match state {
        RemoteState::First => say!(lang, "this repository", "このリポジトリー"),
        RemoteState::Replica { behind, .. } => behind_by(lang, *behind),
        RemoteState::Empty => say!(lang, "no repository", "リポジトリーなし"),
        RemoteState::OtherRepository => say!(lang, "another repository", "別のリポジトリー"),
        RemoteState::NotCompared => say!(lang, "not compared", "比べていません"),
        RemoteState::Unreachable { failure, noted } => unreachable(lang, failure, *noted),
    }
}

fn unreachable(lang: Lang, failure: &Failure, noted: Option<Noted>) -> String {
    let why = failure.text(lang);
    let was = noted.filter(|noted| noted.reached > 0).map(|noted| {
        let at = Timestamp::from_second(noted.reached);
        let (at, behind) = (
            at.map(text::time).unwrap_or_default(),
            behind_by(lang, noted.behind),
        );
        say!(
            lang,
            "; {behind}, last reached {at}",
            "。{behind}、最後に接続できたのは {at}"
        )
    });
    let was = was.unwrap_or_default();
    say!(lang, "not reached: {why}{was}", "接続できません: {why}{was}")
}

pub fn would_bring(lang: Lang, name: &str, snapshots: u64) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(
        lang,
        "{name}: would bring {snapshots}",
        "{name}: {snapshots}を送ります"
    )
}

/// What a replica got, and how it stands; `failed` where that is not known.
pub fn brought(lang: Lang, name: &str, snapshots: u64, bytes: u64, behind: Option<u64>) -> String {
    let came = match snapshots {
        0 => String::new(),
        n => {
            let (snapshots, bytes) = (count(lang, n, Noun::Snapshot), format_bytes(bytes));
            say!(
                lang,
                "{snapshots} replicated, {bytes} sent; ",
                "{snapshots}、{bytes} を送りました。"
            )
        }
    };
    let state = match behind {
        Some(behind) => behind_by(lang, behind),
        None => say!(lang, "failed", "失敗"),
    };
    format!("{name}: {came}{state}")
}
