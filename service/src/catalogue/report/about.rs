//! The program itself: versions and licences.

use crate::catalogue::{Lang, say};
use crate::update::Report;
use engine::units::escape;

pub fn licence(lang: Lang, licence: &str) -> String {
    say!(lang, "Licence: {licence}", "ライセンス: {licence}")
}

pub fn dependencies(lang: Lang) -> String {
    say!(
        lang,
        "It is built from these packages, each under its own licence:",
        "次のパッケージを使っています。それぞれのライセンスに従います:"
    )
}

/// What `version --check` says.
pub fn compared(lang: Lang, report: &Report) -> String {
    let (current, latest) = (&report.current, escape(report.latest.as_bytes()));
    match report.is_newer {
        true => say!(
            lang,
            "dedup {latest} is newer than this one, {current}",
            "この dedup {current} より新しい {latest} があります"
        ),
        false => say!(
            lang,
            "dedup {current} is current (published: {latest})",
            "dedup {current} は最新です (公開中の版: {latest})"
        ),
    }
}
