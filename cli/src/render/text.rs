//! Text for people. Every name and path in it is escaped, so that none can steer a terminal.

use jiff::Timestamp;
use service::entry::{Entry, Kind, Trouble};
use service::facts::SnapshotInfo;
use service::manifest::Summary;
use service::monitor::{Lost, Problem, ProblemKind, Progress};
use service::platform::errno::message;
pub use service::text::{count, grouped, short, time};
use service::units::{self, escape, format_bytes, format_duration};
use std::fmt::Write;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// `path` from the root, as snapshots hold it.
pub fn absolute(path: &[u8]) -> Vec<u8> {
    match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [b"/", path].concat(),
    }
}

/// What is wrong, without the path.
pub fn why(what: &ProblemKind) -> String {
    match what {
        ProblemKind::Source(Trouble::Unreadable { errno }) => format!("can't be read: {}", message(*errno)),
        ProblemKind::Source(Trouble::Unknown { errno }) => format!("can't be examined: {}", message(*errno)),
        ProblemKind::Source(Trouble::Changed) => {
            "changed each time it was read; what is saved may be half old, half new".to_string()
        }
        ProblemKind::Source(Trouble::NoXattrs { errno }) => {
            format!("its extended attributes can't be read: {}", message(*errno))
        }
        ProblemKind::SourceMissing { errno } => format!("not backed up: {}", message(*errno)),
        ProblemKind::Lost { how, whole } => {
            let found = match how {
                Lost::Empty => "empty",
                Lost::Unmounted => "not a mounted file system any more",
                Lost::NotADirectory => "not a directory any more",
            };
            let then = Timestamp::from_second(*whole).map_or_else(|_| "before".to_string(), time);
            format!(
                "it is {found}, and the snapshot of {then} has files there; if that is as it should be, accept it once with --allow-empty"
            )
        }
        ProblemKind::Bare { link: true } => {
            "only the symbolic link itself is saved; for the directory that it leads to, write a slash after it"
                .to_string()
        }
        ProblemKind::Bare { link: false } => {
            "only the device or FIFO itself is saved; --read-special saves what can be read from it".to_string()
        }
        ProblemKind::LeftOut { why } => format!("not backed up: {why}"),
        ProblemKind::Restore { why } | ProblemKind::Unreadable { why } | ProblemKind::Warning { why } => {
            why.clone()
        }
        // "missing" alone, or with what is missing for whom.
        ProblemKind::Damage { why } if why.starts_with("missing") => why.clone(),
        ProblemKind::Damage { why } => format!("damaged: {why}"),
    }
}

/// One line about a problem.
pub fn problem(problem: &Problem) -> String {
    let what = escape(why(&problem.what).as_bytes());
    let warning = match problem.what {
        ProblemKind::Warning { .. } | ProblemKind::Bare { .. } => "warning: ",
        _ => "",
    };
    match problem.path.is_empty() {
        true => format!("{warning}{what}"),
        false => format!("{warning}{}: {what}", escape(&problem.path)),
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

/// At this rate, where that can be said.
pub fn time_left(p: &Progress, rate: f64) -> Option<Duration> {
    let left = units_total(p).saturating_sub(units_done(p)) as f64;
    let known = left > 0.0 && rate > 0.0 && left / rate < 1e7;
    known.then(|| Duration::from_secs((left / rate) as u64 + 1))
}

/// One line of progress: `rate` in bytes (or files) a second.
pub fn progress(phase: &str, p: &Progress, rate: f64, elapsed: Duration, current: &[u8]) -> String {
    let mut line = format!("[{}] {phase}", format_duration(elapsed));
    let total = units_total(p);
    // Writing to a String can't fail.
    if total > 0 {
        let _ = write!(line, "  {:.1}%", share_done(p) * 100.0);
    }
    if p.files_done | p.files_total > 0 {
        let _ = match p.files_total {
            0 => write!(line, "  {}", count(p.files_done, "file")),
            total => write!(line, "  {}/{} files", grouped(p.files_done), grouped(total)),
        };
    }
    if p.bytes_done | p.bytes_total > 0 {
        let _ = match p.bytes_total {
            0 => write!(line, "  {}", format_bytes(p.bytes_done)),
            total => write!(
                line,
                "  {} of {}",
                format_bytes(p.bytes_done),
                format_bytes(total)
            ),
        };
        let _ = write!(line, "  {}/s", format_bytes(rate as u64));
    }
    if let Some(left) = time_left(p, rate) {
        let _ = write!(line, "  about {} left", format_duration(left));
    }
    if p.errors > 0 {
        let _ = write!(line, "  {}", count(p.errors, "problem"));
    }
    if !current.is_empty() {
        let _ = write!(line, "  {}", escape(&absolute(current)));
    }
    line
}

/// The table at the end of a backup: restic's words and plain numbers, as scripts read them.
pub fn backup(s: &Summary, elapsed: Duration, dry_run: bool) -> String {
    let row = |name: &str, new: u64, changed: u64, same: u64| {
        format!("{name:<11}{new:>7} new, {changed:>5} changed, {same:>5} unmodified\n")
    };
    let mut out = row("Files:", s.files_new, s.files_changed, s.files_unmodified);
    out += &row("Dirs:", s.dirs_new, s.dirs_changed, s.dirs_unmodified);
    let would = if dry_run { "Would add" } else { "Added" };
    let (added, packed) = (format_bytes(s.data_added), format_bytes(s.data_added_packed));
    let _ = writeln!(out, "{would} to the repository: {added} ({packed} stored)\n");
    let files = match s.total_files_processed {
        1 => "1 file".to_string(),
        n => format!("{n} files"),
    };
    let bytes = format_bytes(s.total_bytes_processed);
    let _ = writeln!(out, "processed {files}, {bytes} in {}", clock(elapsed));
    out
}

/// `0:07`, `1:02:03`.
pub fn clock(elapsed: Duration) -> String {
    let secs = elapsed.as_secs();
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    match hours {
        0 => format!("{minutes}:{secs:02}"),
        hours => format!("{hours}:{minutes:02}:{secs:02}"),
    }
}

/// Columns padded to the widest cell; the last column is not padded, numbers (`right`) are aligned right. Widths are
/// those of a terminal, where an ideograph takes two columns.
pub fn table(head: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (nr, (cell, width)) in cells.zip(&widths).enumerate() {
            let gap = if nr == 0 { "" } else { "  " };
            let padding = " ".repeat(width - cell.width());
            let _ = match right.contains(&nr) {
                true => write!(out, "{gap}{padding}{cell}"),
                false => write!(out, "{gap}{cell}{padding}"),
            };
        }
        format!("{}\n", out.trim_end())
    };
    let mut out = line(&mut head.iter().copied());
    for row in rows {
        out += &line(&mut row.iter().map(String::as_str));
    }
    out
}

/// Escaped and separated by commas.
pub fn names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| escape(name.as_bytes())).collect();
    names.join(",")
}

pub fn paths(paths: &[Vec<u8>]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| escape(path)).collect();
    paths.join(" ")
}

/// One snapshot in a line: where only a few are named.
pub fn snapshot_line(facts: &SnapshotInfo) -> String {
    let id = short(&facts.id.to_hex());
    let tags = match facts.tags.is_empty() {
        true => String::new(),
        false => format!("  [{}]", names(&facts.tags)),
    };
    let (host, paths) = (escape(facts.host.as_bytes()), paths(&facts.paths));
    format!("{id}  {}  {host}{tags}  {paths}", time(facts.time))
}

/// `drwxr-xr-x`.
pub fn mode(letter: char, bits: u32) -> String {
    let mut out = String::from(letter);
    for (shift, special, letters) in [
        (6, 0o4000, ('s', 'S')),
        (3, 0o2000, ('s', 'S')),
        (0, 0o1000, ('t', 'T')),
    ] {
        let three = bits >> shift;
        out.push(if three & 4 != 0 { 'r' } else { '-' });
        out.push(if three & 2 != 0 { 'w' } else { '-' });
        out.push(match (bits & special != 0, three & 1 != 0) {
            (true, true) => letters.0,
            (true, false) => letters.1,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

/// What `ls -l` begins a line with.
pub fn kind_letter(kind: &Kind) -> char {
    match kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink { .. } => 'l',
        Kind::CharDevice { .. } => 'c',
        Kind::BlockDevice { .. } => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    }
}

/// A line of `ls -l`: mode, owner, bytes, local time, path.
pub fn long_entry(path: &[u8], entry: &Entry) -> String {
    let meta = &entry.meta;
    let who = |name: &str, number: u32| match name.is_empty() {
        true => number.to_string(),
        false => escape(name.as_bytes()),
    };
    let at = Timestamp::new(meta.mtime.secs, meta.mtime.nanos.min(999_999_999).cast_signed());
    let mut line = format!(
        "{} {:<8} {:<8} {:>13} {:<19} {}",
        mode(kind_letter(&entry.kind), meta.mode),
        who(&meta.user, meta.uid),
        who(&meta.group, meta.gid),
        meta.size,
        at.map_or_else(|_| "?".to_string(), time),
        escape(&absolute(path))
    );
    if let Kind::Symlink { target } = &entry.kind {
        let _ = write!(line, " -> {}", escape(target));
    }
    if let Some(trouble) = entry.trouble {
        let _ = write!(line, " ({})", why(&ProblemKind::Source(trouble)));
    }
    line
}

/// A duration as restic's summary has it, for people.
pub fn took(elapsed: Duration) -> String {
    units::format_duration(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_one_safe_line() {
        let line = |path: &[u8], what| {
            problem(&Problem {
                path: path.to_vec(),
                what,
            })
        };
        assert_eq!(
            line(
                b"/a\n\x1b[2J",
                ProblemKind::Source(Trouble::Unreadable { errno: 13 })
            ),
            "/a\\x0a\\x1b[2J: can't be read: permission denied"
        );
        assert_eq!(
            line(b"/x", ProblemKind::SourceMissing { errno: 2 }),
            "/x: not backed up: no such file or directory"
        );
        let why = || "bad\nword".to_string();
        assert_eq!(
            line(b"", ProblemKind::Warning { why: why() }),
            "warning: bad\\x0aword"
        );
        assert_eq!(
            line(b"packs/aa", ProblemKind::Damage { why: why() }),
            "packs/aa: damaged: bad\\x0aword"
        );
        let why = "missing, but 1 chunk in it is needed".to_string();
        assert_eq!(
            line(b"packs/aa", ProblemKind::Damage { why }),
            "packs/aa: missing, but 1 chunk in it is needed"
        );
    }

    #[test]
    fn progress_says_what_is_known() {
        let second = Duration::from_secs(1);
        let mut p = Progress::default();
        assert_eq!(progress("backing up", &p, 0.0, second, b""), "[1.0s] backing up");
        p.files_done = 1234;
        assert_eq!(
            progress("backing up", &p, 5.0, second, b""),
            "[1.0s] backing up  1,234 files"
        );
        p.bytes_done = 512 << 20;
        p.bytes_total = 1 << 30;
        p.files_total = 2000;
        p.errors = 2;
        let line = progress("backing up", &p, f64::from(1 << 20), second, b"home/\x07");
        assert_eq!(
            line,
            "[1.0s] backing up  50.0%  1,234/2,000 files  512.000 MiB of 1.000 GiB  1.000 MiB/s  \
             about 8m33s left  2 problems  /home/\\x07"
        );
        p.bytes_done = 2 << 30;
        assert_eq!(share_done(&p), 1.0);
    }

    #[test]
    fn times_as_restic_has_them() {
        for (secs, want) in [(0, "0:00"), (67, "1:07"), (3723, "1:02:03")] {
            assert_eq!(clock(Duration::from_secs(secs)), want);
        }
        let summary = Summary {
            files_new: 60573,
            total_files_processed: 1,
            ..Summary::default()
        };
        let said = backup(&summary, Duration::from_millis(57), false);
        assert!(
            said.contains("60573 new,     0 changed,     0 unmodified\n"),
            "{said}"
        );
        assert!(said.contains("\nprocessed 1 file, 0 B in 0:00\n"), "{said}");
    }

    #[test]
    fn tables() {
        let rows = [
            vec!["a".to_string(), "1".into(), "x".into()],
            vec!["bb".into(), "22".into(), String::new()],
        ];
        assert_eq!(
            table(&["N", "Size", "P"], &[1], &rows),
            "N   Size  P\na      1  x\nbb    22\n"
        );
        let wide = [
            vec!["日本".to_string(), "x".into()],
            vec!["abcde".into(), "y".into()],
        ];
        assert_eq!(table(&["N", "P"], &[], &wide), "N      P\n日本   x\nabcde  y\n");
    }

    #[test]
    fn modes() {
        let rows = [
            ('d', 0o755, "drwxr-xr-x"),
            ('-', 0o4755, "-rwsr-xr-x"),
            ('-', 0o6644, "-rwSr-Sr--"),
            ('d', 0o1777, "drwxrwxrwt"),
            ('d', 0o1770, "drwxrwx--T"),
        ];
        for (letter, bits, want) in rows {
            assert_eq!(mode(letter, bits), want);
        }
    }
}
