//! How far a long step is, and what went wrong with single paths.

use super::{Lang, Noun, count, faults, say};
use crate::text::{absolute, clock, grouped};
use engine::monitor::{Phase, Problem, Progress};
use engine::units::{escape, format_bytes};
use std::time::Duration;

/// What a long step does; without a phase, it begins.
pub fn phase(lang: Lang, phase: Option<Phase>) -> &'static str {
    let (en, ja) = match phase {
        None => ("starting", "開始中"),
        Some(Phase::OpeningRepository) => ("opening the repository", "リポジトリーを開いています"),
        Some(Phase::LoadingIndex) => ("loading the index", "索引を読み込んでいます"),
        Some(Phase::BackingUp) => ("backing up", "バックアップ中"),
        Some(Phase::Restoring) => ("restoring", "復元中"),
        Some(Phase::Verifying) => ("verifying", "検証中"),
        Some(Phase::CheckingStructure) => ("checking the structure", "構造を検査中"),
        Some(Phase::ReadingData) => ("reading data", "データを読み取り中"),
        Some(Phase::FindingReferences) => ("finding what is in use", "使われているものを調査中"),
        Some(Phase::Repacking) => ("rewriting packs", "パックを書き直し中"),
        Some(Phase::Replicating) => ("replicating", "複製中"),
        Some(Phase::Deleting) => ("deleting", "削除中"),
    };
    match lang {
        Lang::En => en,
        Lang::Ja => ja,
    }
}

/// Bytes, or files where bytes are not counted.
pub fn units_done(progress: &Progress) -> u64 {
    match progress.bytes_done | progress.bytes_total {
        0 => progress.files_done,
        _ => progress.bytes_done,
    }
}

fn units_total(progress: &Progress) -> u64 {
    match progress.bytes_done | progress.bytes_total {
        0 => progress.files_total,
        _ => progress.bytes_total,
    }
}

/// 0 to 1; 0 where the total is not known.
pub fn share_done(progress: &Progress) -> f64 {
    match units_total(progress) {
        0 => 0.0,
        total => (units_done(progress) as f64 / total as f64).min(1.0),
    }
}

/// At this rate, if that is known.
pub fn time_left(p: &Progress, rate: f64) -> Option<Duration> {
    let left = units_total(p).saturating_sub(units_done(p)) as f64;
    let known = left > 0.0 && rate > 0.0 && left / rate < 1e7;
    known.then(|| Duration::from_secs((left / rate) as u64 + 1))
}

/// One line: `rate` in bytes (or files) a second.
pub fn progress_line(
    lang: Lang,
    at: Option<Phase>,
    p: &Progress,
    rate: f64,
    elapsed: Duration,
    current: &[u8],
) -> String {
    let mut parts = vec![format!("[{}] {}", clock(elapsed), phase(lang, at))];
    if units_total(p) > 0 {
        parts.push(format!("{:.1}%", share_done(p) * 100.0));
    }
    if p.files_done | p.files_total > 0 {
        parts.push(match p.files_total {
            0 => count(lang, p.files_done, Noun::File),
            total => {
                let (done, total) = (grouped(p.files_done), grouped(total));
                say!(lang, "{done}/{total} files", "ファイル {done}/{total} 個")
            }
        });
    }
    if p.bytes_done | p.bytes_total > 0 {
        let done = format_bytes(p.bytes_done);
        parts.push(match p.bytes_total {
            0 => done,
            total => {
                let total = format_bytes(total);
                say!(lang, "{done} of {total}", "{done}/{total}")
            }
        });
        parts.push(format!("{}/s", format_bytes(rate as u64)));
    }
    if let Some(left) = time_left(p, rate) {
        let left = clock(left);
        parts.push(say!(lang, "ETA {left}", "残り {left}"));
    }
    if p.errors > 0 {
        parts.push(count(lang, p.errors, Noun::Problem));
    }
    if !current.is_empty() {
        parts.push(escape(&absolute(current)));
    }
    parts.join("  ")
}

/// One line about a problem.
pub fn problem(lang: Lang, problem: &Problem) -> String {
    problem_line(
        lang,
        &problem.path,
        problem.what.is_warning(),
        &faults::problem(lang, problem),
    )
}

/// The same of an object that a listing leaves out, and what to do about it.
pub fn listed_problem(lang: Lang, problem: &Problem) -> String {
    let text = faults::listed_problem(lang, problem);
    problem_line(lang, &problem.path, problem.what.is_warning(), &text)
}

/// One line about an item (empty: about the job as a whole), where `text` is what is wrong with it.
pub fn problem_line(lang: Lang, item: &[u8], is_warning: bool, text: &str) -> String {
    let what = escape(text.as_bytes());
    let warning = match is_warning {
        true => warning_prefix(lang),
        false => "",
    };
    match item.is_empty() {
        true => format!("{warning}{what}"),
        false => format!("{warning}{}: {what}", escape(item)),
    }
}

/// What comes before a text that reports nothing harmful.
pub fn warning_prefix(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "warning: ",
        Lang::Ja => "警告: ",
    }
}

/// Problems that were counted and not shown.
pub fn not_shown(lang: Lang, problems: u64) -> String {
    let more = count(lang, problems, Noun::MoreProblem);
    say!(
        lang,
        "{more} not shown: -v shows all",
        "{more}は表示していません。-v ですべて表示します"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::entry::Trouble;
    use engine::monitor::ProblemKind;

    #[test]
    fn problems_are_one_safe_line() {
        let line = |path: &[u8], what| {
            let path = path.to_vec();
            problem(Lang::En, &Problem { path, what })
        };
        let unreadable = ProblemKind::Source(Trouble::Unreadable { errno: 13 });
        assert_eq!(
            line(b"/a\n\x1b[2J", unreadable),
            "/a\\x0a\\x1b[2J: can't be read: permission denied"
        );
        assert_eq!(
            line(b"/x", ProblemKind::SourceMissing { errno: 2 }),
            "/x: not backed up: no such file or directory"
        );
    }

    #[test]
    fn progress_says_what_is_known() {
        let second = Duration::from_secs(1);
        let mut p = Progress::default();
        let line = |p: &Progress, rate, current: &[u8]| {
            progress_line(Lang::En, Some(Phase::BackingUp), p, rate, second, current)
        };
        assert_eq!(line(&p, 0.0, b""), "[0:01] backing up");
        p.files_done = 1234;
        assert_eq!(line(&p, 5.0, b""), "[0:01] backing up  1,234 files");
        p.bytes_done = 512 << 20;
        p.bytes_total = 1 << 30;
        p.files_total = 2000;
        p.errors = 2;
        assert_eq!(
            line(&p, f64::from(1 << 20), b"home/\x07"),
            "[0:01] backing up  50.0%  1,234/2,000 files  512.000 MiB of 1.000 GiB  1.000 MiB/s  ETA 8:33  2 problems  \
             /home/\\x07"
        );
        p.bytes_done = 2 << 30;
        assert_eq!(share_done(&p), 1.0);
    }

    #[test]
    fn every_phase_has_words() {
        let all = [
            None,
            Some(Phase::OpeningRepository),
            Some(Phase::LoadingIndex),
            Some(Phase::BackingUp),
            Some(Phase::Restoring),
            Some(Phase::Verifying),
            Some(Phase::CheckingStructure),
            Some(Phase::ReadingData),
            Some(Phase::FindingReferences),
            Some(Phase::Repacking),
            Some(Phase::Deleting),
            Some(Phase::Replicating),
        ];
        for lang in Lang::ALL {
            let words: std::collections::HashSet<_> = all.iter().map(|at| phase(lang, *at)).collect();
            assert_eq!(words.len(), all.len());
        }
    }
}
