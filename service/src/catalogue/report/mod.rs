//! What the commands report when they have ended, and what the console shows of the same: one file for each group of
//! commands. Names and paths come here escaped, numbers and times in the form that is the same in every language.

pub mod about;
pub mod alone;
pub mod backup;
pub mod browse;
pub mod bundle;
pub mod console;
pub mod damage;
pub mod doctor;
pub mod drill;
pub mod expiry;
pub mod keys;
pub mod notify;
pub mod purge;
pub mod remotes;
pub mod retention;
pub mod runs;
pub mod schedule;
pub mod sets;
pub mod setup;
pub mod snapshots;
pub mod space;
pub mod status;
pub mod takeover;
pub mod tray;

use super::{Lang, say};

/// At the end of a dry run that would have written only to the repository.
pub fn nothing_written(lang: Lang) -> String {
    say!(
        lang,
        "Dry run: nothing was written",
        "試しの実行のため、何も書き込んでいません"
    )
}

/// At the end of every other one.
pub fn nothing_changed(lang: Lang) -> String {
    say!(
        lang,
        "Dry run: nothing was changed",
        "試しの実行のため、何も変更していません"
    )
}

/// After a list that is cut off.
pub fn and_more(lang: Lang, more: u64) -> String {
    let more = crate::text::grouped(more);
    say!(lang, "  and {more} more", "  ほかに {more} 件")
}
