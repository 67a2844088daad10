//! The job `support-bundle`: a ZIP of what helps somebody else to find a fault: logs, settings, versions, history, and
//! what `doctor` found. Secrets are blanked in all of it ([`crate::redact`]), commands as a whole, for nobody can tell
//! what in them is secret.

use crate::catalogue::report::bundle as words;
use crate::catalogue::{Action, Lang};
use crate::context::Context;
use crate::doctor;
use crate::failure::Failure;
use crate::history::journal::Journal;
use crate::history::read::HistoryQuery;
use crate::key_file;
use crate::log;
use crate::objects;
use crate::redact::{REMOVED, Redactor, is_secret_name};
use crate::settings::show;
use engine::entry::Time;
use engine::platform::files;
use engine::zip::{Crc32, ZipDirectory, ZipMember};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Rows of the history, and jobs whose problems go in.
const ROWS: usize = 1000;
const JOBS_WITH_PROBLEMS: usize = 20;
/// What goes in of one file of this machine, from its end.
const FILE_MAX: u64 = 1 << 20;
/// Variables that say where things are, or how this program behaves.
const VARIABLES: [&str; 15] = [
    "DEDUP_", "XDG_", "AWS_", "AZURE_", "B2_", "GOOGLE_", "LANG", "LC_", "HOME", "TZ", "PATH", "http",
    "HTTP", "SSL_", "NO_",
];

/// What a bundle is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    pub path: PathBuf,
    /// Names and bytes.
    pub files: Vec<(String, u64)>,
    /// How many values were blanked.
    pub removed: u64,
}

/// Without a file, one in the current directory, named after the time.
pub fn run(context: &Context, file: Option<&Path>) -> Result<Report, Failure> {
    let usual = || {
        PathBuf::from(
            context
                .now
                .strftime("dedup-support-%Y%m%d-%H%M%S.zip")
                .to_string(),
        )
    };
    let path = file.map_or_else(usual, Path::to_path_buf);
    if path.symlink_metadata().is_ok() {
        // Before anything takes its time.
        return Err(key_file::exists(&path));
    }
    let bundle = made(context)?;
    files::create(&path, &bundle.bytes).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => key_file::exists(&path),
        _ => Failure::system(Action::Write, &path, e),
    })?;
    Ok(Report {
        path,
        files: bundle.files,
        removed: bundle.removed,
    })
}

/// A bundle that is not written anywhere.
pub struct Bundle {
    /// A ZIP.
    pub bytes: Vec<u8>,
    /// Names and bytes.
    pub files: Vec<(String, u64)>,
    /// How many values were blanked.
    pub removed: u64,
}

/// Makes a bundle.
pub fn made(context: &Context) -> Result<Bundle, Failure> {
    let redactor = Redactor::of(&context.env, &context.settings, &context.options);
    let mut parts = gathered(context, &redactor)?;
    let contents: Vec<(String, u64)> = parts
        .iter()
        .map(|(name, text)| (name.clone(), text.len() as u64))
        .collect();
    let removed = redactor.removed();
    let readme =
        words::readme(Lang::En, &contents, removed) + "\n" + &words::readme(Lang::Ja, &contents, removed);
    parts.insert(0, ("README.txt".to_string(), readme));
    // It is made in memory.
    let failed = |e: io::Error| Failure::system(Action::Write, Path::new("dedup-support.zip"), e);
    let bytes = zipped(&parts, context.now_secs()).map_err(failed)?;
    Ok(Bundle {
        bytes,
        files: parts
            .into_iter()
            .map(|(name, text)| (name, text.len() as u64))
            .collect(),
        removed,
    })
}

/// Every part but the readme, without secrets.
fn gathered(context: &Context, redactor: &Redactor) -> Result<Vec<(String, String)>, Failure> {
    let dirs = context.dirs()?;
    let mut parts = vec![
        ("versions.json".to_string(), versions()),
        ("environment.txt".to_string(), environment(context, redactor)),
        ("settings.txt".to_string(), settings(context, redactor)),
        ("doctor.jsonl".to_string(), found_by_doctor(context)?),
    ];
    parts.extend(history(context));
    let state = ["runs", "runs/sets", "usage", "notify"].map(|folder| dirs.state.join(folder));
    let states = state.iter().flat_map(|folder| files_in(folder, "json"));
    for path in states.chain(log::log_files(&log::dir(&dirs))) {
        let name = path.strip_prefix(&dirs.state).unwrap_or(&path).to_string_lossy();
        // One that is gone meanwhile, or can't be read, is left out.
        if let Ok(text) = end_of(&path) {
            parts.push((name.into_owned(), text));
        }
    }
    // Once more over everything: what has been blanked stays so.
    for (_, text) in &mut parts {
        *text = redactor.scrub(text);
    }
    Ok(parts)
}

fn versions() -> String {
    let object = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        // The name and version of the distribution, where it says so.
        "system": end_of(Path::new("/etc/os-release")).unwrap_or_default().lines().collect::<Vec<_>>(),
        "kernel": end_of(Path::new("/proc/version")).unwrap_or_default().trim(),
    });
    format!("{object:#}\n")
}

fn environment(context: &Context, redactor: &Redactor) -> String {
    let mut text = String::new();
    for (name, value) in context.env.all() {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let is_secret = is_secret_name(&name);
        if !is_secret && !VARIABLES.iter().any(|known| name.starts_with(known)) {
            continue;
        }
        let value = match is_secret {
            true => redactor.blank(),
            false => redactor.scrub(&value),
        };
        // Writing to a String can't fail.
        let _ = writeln!(text, "{name}={}", value.escape_debug());
    }
    text
}

/// The effective settings. The file itself could have secrets in comments.
fn settings(context: &Context, redactor: &Redactor) -> String {
    let mut text = String::new();
    if let Some(failure) = &context.unusable_settings {
        text += &format!("# {}\n", redactor.scrub(&failure.message()));
    }
    let shown = match show::effective(context.settings.path.as_deref()) {
        Ok(shown) => shown,
        Err(failure) => return text + &format!("# {}\n", redactor.scrub(&failure.message())),
    };
    for one in shown {
        let value = match is_secret_key(&one.key) {
            true => redactor.blank(),
            false => redactor.scrub(&one.value),
        };
        let line = one
            .line
            .map_or_else(String::new, |line| format!("  # line {line}"));
        let _ = writeln!(text, "{} = {value}{line}", one.key);
    }
    text
}

/// Commands, names of users, and whatever says that it is secret.
fn is_secret_key(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    let is_command = last.starts_with("run-") && last != "run-timeout" || key.contains("command");
    is_command || last == "user" || (is_secret_name(&last.replace('-', "_")) && !last.ends_with("-file"))
}

/// One finding a line, in English.
fn found_by_doctor(context: &Context) -> Result<String, Failure> {
    let mut text = String::new();
    doctor::run(context, &mut |finding| {
        let _ = writeln!(text, "{}", objects::finding(finding));
        Ok(())
    })?;
    Ok(text)
}

/// The newest rows, and the problems of the newest jobs that had any.
fn history(context: &Context) -> Vec<(String, String)> {
    let Ok(dirs) = context.dirs() else {
        return Vec::new();
    };
    let journal = Journal::of(&dirs);
    let query = HistoryQuery {
        limit: ROWS,
        ..HistoryQuery::default()
    };
    // What can't be read is found by `doctor`.
    let rows = journal.rows(&query).unwrap_or_default().rows;
    let lines: String = rows
        .iter()
        .map(|row| format!("{}\n", row.for_programs()))
        .collect();
    let mut parts = vec![("history.jsonl".to_string(), lines)];
    for row in rows
        .iter()
        .filter(|row| row.problems > 0)
        .take(JOBS_WITH_PROBLEMS)
    {
        let problems = journal.problems_of(&row.id).unwrap_or_default();
        let lines = problems.iter().map(|problem| {
            let object: Value = json!({ "item": problem.item, "message": problem.en });
            format!("{object}\n")
        });
        parts.push((format!("problems/{}.jsonl", row.id), lines.collect()));
    }
    parts
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

/// The end of a file as text.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(FILE_MAX)))?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn zipped(parts: &[(String, String)], now: i64) -> io::Result<Vec<u8>> {
    let (mut out, mut directory) = (Vec::new(), ZipDirectory::default());
    for (name, text) in parts {
        let member = ZipMember {
            path: name.as_bytes(),
            // A file for its owner only.
            mode: 0o100_600,
            uid: 0,
            gid: 0,
            mtime: Time { secs: now, nanos: 0 },
            size: text.len() as u64,
        };
        let mut crc = Crc32::default();
        crc.update(text.as_bytes());
        let offset = out.len() as u64;
        out.extend_from_slice(&member.header()?);
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&member.descriptor(crc.value()));
        directory.add(&member, crc.value(), offset)?;
    }
    directory.end(out.len() as u64, &mut out)?;
    Ok(out)
}

impl Redactor {
    /// Stands for a value that is blanked as a whole.
    fn blank(&self) -> String {
        self.count();
        REMOVED.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::schema;

    #[test]
    fn keys_whose_values_are_blanked() {
        for key in [
            "remotes.a.password-command",
            "sets.a.run-before",
            "sets.a.commands.dump",
            "notify.mail.user",
            "notify.x.token",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in [
            "remotes.a.password-file",
            "sets.a.run-timeout",
            "sets.a.sources",
            "notify.mail.to",
        ] {
            assert!(!is_secret_key(key), "{key}");
        }
        // Every key of the settings that holds a command is one.
        let commands = schema::KEYS.iter().filter(|key| key.kind.contains("command"));
        assert!(commands.clone().count() > 3 && commands.into_iter().all(|key| is_secret_key(key.path)));
    }
}
