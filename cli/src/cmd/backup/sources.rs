//! Which paths a backup is about: arguments and `--files-from*`, made absolute, sorted, each once (so that the order
//! in which they were given does not make another set of sources); and what is never backed up, since it is the
//! backup.

use crate::args::backup::SelectArgs;
use crate::args::snapshot::{absolute, path_from};
use crate::exit::{Code, Failure};
use engine::repo;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A list of sources is no larger.
const LIST_MAX: u64 = 256 << 20;

pub fn collect(paths: &[OsString], select: &SelectArgs) -> Result<Vec<PathBuf>, Failure> {
    let mut found: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    for file in &select.files_from {
        for line in lines(&read_list(file)?, b'\n') {
            let text = String::from_utf8_lossy(line);
            let text = text.trim();
            if !text.is_empty() && !text.starts_with('#') {
                expand(text, line, &mut found)?;
            }
        }
    }
    for file in &select.files_from_verbatim {
        found.extend(lines(&read_list(file)?, b'\n').map(path_from));
    }
    for file in &select.files_from_raw {
        found.extend(lines(&read_list(file)?, 0).map(path_from));
    }
    let mut sources = Vec::with_capacity(found.len());
    for path in &found {
        sources.push(path_from(&absolute(path)?));
    }
    sources.sort();
    sources.dedup();
    match sources.is_empty() {
        true => Err(Failure::new(
            Code::Incomplete,
            "nothing to back up: the lists of files name none; no snapshot was made",
        )),
        false => Ok(sources),
    }
}

fn read_list(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = |from: &mut dyn Read, bytes: &mut Vec<u8>| from.take(LIST_MAX + 1).read_to_end(bytes);
    let done = match file == Path::new("-") {
        true => read(&mut std::io::stdin().lock(), &mut bytes),
        false => File::open(file).and_then(|mut file| read(&mut file, &mut bytes)),
    };
    let shown = file.display();
    done.map_err(|e| Failure::usage(format!("can't read the list of files {shown}: {e}")))?;
    match bytes.len() as u64 > LIST_MAX {
        true => Err(Failure::usage(format!("the list of files {shown} is too long"))),
        false => Ok(bytes),
    }
}

fn lines(bytes: &[u8], end: u8) -> impl Iterator<Item = &[u8]> {
    let strip = move |line: &'_ [u8]| -> usize {
        // A list made on Windows.
        match end == b'\n' && line.ends_with(b"\r") {
            true => line.len() - 1,
            false => line.len(),
        }
    };
    bytes
        .split(move |byte| *byte == end)
        .map(move |line| line.get(..strip(line)).unwrap_or_default())
        .filter(|line| !line.is_empty())
}

/// The paths that a pattern matches; one that matches none stays as it is, and is reported as missing.
fn expand(pattern: &str, line: &[u8], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !pattern.contains(['*', '?', '[']) {
        // As bytes, since a plain name need not be UTF-8.
        found.push(path_from(line.trim_ascii()));
        return Ok(());
    }
    let paths = glob::glob(pattern).map_err(|e| Failure::usage(format!("the pattern '{pattern}': {e}")))?;
    let before = found.len();
    for path in paths {
        // What can't be looked into is a source all the same, so that the backup reports it.
        found.push(path.unwrap_or_else(|e| e.path().to_path_buf()));
    }
    if found.len() == before {
        found.push(PathBuf::from(pattern));
    }
    Ok(())
}

/// Where the repositories and the cache are, links resolved; what doesn't exist is not in any source.
pub struct OwnPlaces {
    repositories: Vec<PathBuf>,
    cache: Option<PathBuf>,
}

pub fn own_places(urls: &[&str], cache: &Path) -> OwnPlaces {
    let directory = |url: &&str| repo::local_path(url).and_then(|path| path.canonicalize().ok());
    OwnPlaces {
        repositories: urls.iter().filter_map(directory).collect(),
        cache: cache.canonicalize().ok(),
    }
}

impl OwnPlaces {
    /// Patterns that leave out the repository and the cache below each source, as the walk will name them.
    pub fn excludes(&self, sources: &[PathBuf]) -> Result<Vec<String>, Failure> {
        let mut patterns = Vec::new();
        for source in sources {
            let Ok(real) = source.canonicalize() else { continue };
            if self.repositories.iter().any(|own| real.starts_with(own)) {
                let source = source.display();
                return Err(Failure::usage(format!(
                    "{source} is the repository itself, or in it: it can't be backed up into itself"
                )));
            }
            for own in self.repositories.iter().chain(&self.cache) {
                match own.strip_prefix(&real) {
                    Ok(below) if !below.as_os_str().is_empty() => patterns.push(literal(&source.join(below))),
                    _ => {}
                }
            }
        }
        Ok(patterns)
    }
}

/// A pattern that matches just this path. A name that is no UTF-8 matches by the rest of it.
fn literal(path: &Path) -> String {
    let mut out = String::new();
    for c in path.to_string_lossy().chars() {
        match c {
            '*' | '?' | '[' | ']' | '{' | '}' | '\\' => out.extend(['\\', c]),
            char::REPLACEMENT_CHARACTER => out.push('*'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn select(line: &str) -> (Vec<OsString>, SelectArgs) {
        let words = ["dedup", "backup"].into_iter().chain(line.split_whitespace());
        let Command::Backup(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("not backup")
        };
        (args.paths, args.select)
    }

    fn collected(line: &str) -> Result<Vec<String>, Failure> {
        let (paths, select) = select(line);
        let found = collect(&paths, &select)?;
        Ok(found.iter().map(|p| p.to_str().unwrap().to_string()).collect())
    }

    #[test]
    fn arguments_are_absolute_sorted_and_once() {
        assert_eq!(collected("/b /a/./x/../y /b/").unwrap(), ["/a/y", "/b"]);
        let here = std::env::current_dir().unwrap();
        let above = here.parent().unwrap().to_str().unwrap().to_string();
        assert_eq!(collected("..").unwrap(), [above]);
    }

    #[test]
    fn lists() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
        for name in ["one.txt", "two.txt", "three"] {
            std::fs::write(at(name), "").unwrap();
        }
        let list = at("list");
        let text = format!(
            "# comment\n\n  {}  \r\n{}\n{}\n",
            at("*.txt"),
            at("three"),
            at("none*")
        );
        std::fs::write(&list, text).unwrap();
        let want = [at("none*"), at("one.txt"), at("three"), at("two.txt")];
        assert_eq!(collected(&format!("--files-from {list}")).unwrap(), want);
        std::fs::write(&list, "/# no comment\n/*.txt\n\n").unwrap();
        assert_eq!(
            collected(&format!("--files-from-verbatim {list}")).unwrap(),
            ["/# no comment", "/*.txt"]
        );
        std::fs::write(&list, b"/with\nline end\0/b\0").unwrap();
        assert_eq!(
            collected(&format!("--files-from-raw {list}")).unwrap(),
            ["/b", "/with\nline end"]
        );
        std::fs::write(&list, "# nothing\n").unwrap();
        assert_eq!(
            collected(&format!("--files-from {list}")).unwrap_err().code,
            Code::Incomplete
        );
        let missing = collected(&format!("--files-from {}", at("no-list"))).unwrap_err();
        assert!(missing.code == Code::Usage && missing.message.contains("no-list"));
        std::fs::write(&list, "/a/[\n").unwrap();
        assert_eq!(
            collected(&format!("--files-from {list}")).unwrap_err().code,
            Code::Usage
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_backup_does_not_back_up_itself() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("data/re[po]*")).unwrap();
        std::fs::create_dir_all(real.join("cache")).unwrap();
        std::os::unix::fs::symlink(real.join("data"), real.join("link")).unwrap();
        let own = own_places(
            &[real.join("link/re[po]*").to_str().unwrap()],
            &real.join("cache"),
        );
        let excludes = |source: &str| own.excludes(&[real.join(source)]);
        let shown = real.display();
        assert_eq!(excludes("data").unwrap(), [format!("{shown}/data/re\\[po\\]\\*")]);
        assert_eq!(excludes("link").unwrap(), [format!("{shown}/link/re\\[po\\]\\*")]);
        assert_eq!(
            excludes("").unwrap(),
            [format!("{shown}/data/re\\[po\\]\\*"), format!("{shown}/cache")]
        );
        assert!(excludes("cache").unwrap().is_empty());
        assert_eq!(excludes("data/re[po]*").unwrap_err().code, Code::Usage);
    }
}
