//! `versions` and `find`: files over many snapshots.

use crate::catalogue::{Lang, Noun, count, say};
use engine::units::format_bytes;
use engine::versions::VersionChange;

/// Heads of the columns of `versions`.
pub fn version_columns(lang: Lang) -> [&'static str; 5] {
    match lang {
        Lang::En => ["Modified", "Size", "Snapshots", "Newest", "Oldest"],
        Lang::Ja => ["更新日時", "大きさ", "スナップショット", "最新", "最古"],
    }
}

/// What became of the file since the snapshot before.
pub fn version_change(lang: Lang, change: VersionChange) -> &'static str {
    let (en, ja) = match change {
        VersionChange::First => ("first", "最初"),
        VersionChange::Content => ("changed", "変更あり"),
        VersionChange::Metadata => ("metadata", "属性のみ"),
        VersionChange::Unchanged => ("unchanged", "変更なし"),
    };
    lang.pick(en, ja)
}

pub fn versions(lang: Lang, versions: u64, snapshots: u64) -> String {
    let (versions, snapshots) = (
        count(lang, versions, Noun::Version),
        count(lang, snapshots, Noun::Snapshot),
    );
    say!(lang, "{versions} in {snapshots}", "{versions} ({snapshots})")
}

/// After the versions: snapshots that have nothing there.
pub fn not_held(lang: Lang, snapshots: u64) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(
        lang,
        "Not in {snapshots} of the same sources",
        "同じ対象の{snapshots}にはありません"
    )
}

/// How many snapshots hold a version of a file that was found, and which.
pub fn held_by(lang: Lang, snapshots: u64, newest: &str, oldest: &str) -> String {
    let held = count(lang, snapshots, Noun::Snapshot);
    match snapshots {
        1 => say!(lang, "{held}: {newest}", "{held}: {newest}"),
        _ => say!(
            lang,
            "{held}: {oldest} to {newest}",
            "{held}: {oldest} から {newest} まで"
        ),
    }
}

/// When a repository is mounted.
pub fn mounted(lang: Lang, snapshots: u64, path: &str) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(
        lang,
        "{snapshots} mounted on {path}: unmount with 'umount {path}' or Ctrl-C",
        "{snapshots}を {path} にマウントしました。'umount {path}' か Ctrl-C でアンマウントします"
    )
}

/// When snapshots are served; the address has the token in it.
pub fn serving(lang: Lang, snapshots: u64, url: &str) -> String {
    let snapshots = count(lang, snapshots, Noun::Snapshot);
    say!(
        lang,
        "{snapshots} at {url} (WebDAV, or a browser)",
        "{snapshots}: {url} (WebDAV またはブラウザー)"
    )
}

pub fn serving_with_password(lang: Lang, url: &str) -> String {
    say!(
        lang,
        "Or at {url}, with any user name; the password is the last part of the address above. Whoever has it can read \
         all snapshots. Ctrl-C ends this",
        "{url} でも使えます (利用者名は任意、パスワードは上のアドレスの末尾の文字列)。それを知る人はすべてのスナップショットを読めます。\
         Ctrl-C で終了します"
    )
}

pub fn version_restored(lang: Lang, name: &str, was_there: bool, dry_run: bool) -> String {
    match (was_there, dry_run) {
        (true, _) => say!(
            lang,
            "Left {name}: it was there already",
            "{name} はすでにあるため、そのまま残しました"
        ),
        (false, true) => say!(lang, "Would restore {name}", "{name} を復元します"),
        (false, false) => say!(lang, "Restored {name}", "{name} を復元しました"),
    }
}

pub fn versions_restored(lang: Lang, files: u64, bytes: u64, target: &str, dry_run: bool) -> String {
    let (versions, bytes) = (count(lang, files, Noun::Version), format_bytes(bytes));
    match dry_run {
        true => say!(
            lang,
            "Would restore {versions}, {bytes} to {target}",
            "{target} に{versions}、{bytes} を復元します"
        ),
        false => say!(
            lang,
            "Restored {versions}, {bytes} to {target}",
            "{target} に{versions}、{bytes} を復元しました"
        ),
    }
}
