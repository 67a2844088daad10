//! Which paths a backup is about: arguments and lists of files, made absolute, sorted, each once (so that the order
//! in which they were given does not make another set of sources).

use super::glob::matching;
use crate::catalogue::{Cause, Unfit};
use crate::failure::Failure;
use crate::paths::absolute;
use engine::platform::paths::from_bytes;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A list of sources is no larger.
const LIST_MAX: u64 = 256 << 20;

/// Lists of further sources, which are files, or `-` for standard input.
#[derive(Clone, Debug, Default)]
pub struct SourceLists {
    /// One pattern a line; `#` begins a comment.
    pub patterns: Vec<PathBuf>,
    /// One path a line, taken as it is.
    pub verbatim: Vec<PathBuf>,
    /// Paths taken as they are, each ended by a NUL byte.
    pub raw: Vec<PathBuf>,
}

#[derive(Default)]
pub struct CollectedSources {
    pub paths: Vec<PathBuf>,
    /// Those that are links to directories, written with a slash at the end.
    pub followed: BTreeSet<PathBuf>,
}

pub fn collect(paths: &[OsString], lists: &SourceLists) -> Result<CollectedSources, Failure> {
    let mut found: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    for file in &lists.patterns {
        for line in lines(without_mark(&read_list(file)?), b'\n') {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                expand(line, &mut found)?;
            }
        }
    }
    for file in &lists.verbatim {
        found.extend(lines(without_mark(&read_list(file)?), b'\n').map(|line| from_bytes(line).into_owned()));
    }
    for file in &lists.raw {
        found.extend(lines(&read_list(file)?, 0).map(|line| from_bytes(line).into_owned()));
    }
    let mut sources = Vec::with_capacity(found.len());
    let mut followed = BTreeSet::new();
    for path in &found {
        let source = from_bytes(&absolute(path)?).into_owned();
        if is_link_followed(path, &source) {
            followed.insert(source.clone());
        }
        sources.push(source);
    }
    sources.sort();
    sources.dedup();
    match sources.is_empty() {
        true => Err(Cause::NoSourceListed.into()),
        false => Ok(CollectedSources {
            paths: sources,
            followed,
        }),
    }
}

/// `link/` means what it leads to, as for every program; `link` is the link.
fn is_link_followed(given: &Path, source: &Path) -> bool {
    let given = given.as_os_str().as_encoded_bytes();
    (given.ends_with(b"/") || given.ends_with(b"/."))
        && source.is_dir()
        && source.symlink_metadata().is_ok_and(|meta| meta.is_symlink())
}

fn read_list(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = |from: &mut dyn Read, bytes: &mut Vec<u8>| from.take(LIST_MAX + 1).read_to_end(bytes);
    let done = match file == Path::new("-") {
        true => read(&mut std::io::stdin().lock(), &mut bytes),
        false => File::open(file).and_then(|mut file| read(&mut file, &mut bytes)),
    };
    let unfit = |why: Unfit| Cause::ListUnreadable {
        list: file.display().to_string(),
        why,
    };
    done.map_err(|e| unfit(e.into()))?;
    if bytes.len() as u64 > LIST_MAX {
        return Err(unfit(Unfit::TooLong { most: LIST_MAX }).into());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(unfit(Unfit::Utf16).into());
    }
    Ok(bytes)
}

/// What editors put before a text to mark it as UTF-8.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
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

/// The path itself if there is one of this name, or else the paths that it matches as a pattern; one that matches none
/// stays as it is, and is reported as missing.
fn expand(line: &[u8], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let path = from_bytes(line).into_owned();
    let is_pattern = line.iter().any(|byte| b"*?[".contains(byte));
    if !is_pattern || path.symlink_metadata().is_ok() {
        found.push(path);
        return Ok(());
    }
    let before = found.len();
    matching(line, found)?;
    if found.len() == before {
        found.push(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    fn collected(line: &str) -> Result<Vec<String>, Failure> {
        let (mut paths, mut lists) = (Vec::new(), SourceLists::default());
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "--files-from" => lists.patterns.push(words.next().unwrap().into()),
                "--files-from-verbatim" => lists.verbatim.push(words.next().unwrap().into()),
                "--files-from-raw" => lists.raw.push(words.next().unwrap().into()),
                path => paths.push(path.into()),
            }
        }
        let found = collect(&paths, &lists)?;
        Ok(found
            .paths
            .iter()
            .map(|p| p.to_str().unwrap().to_string())
            .collect())
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
            collected(&format!("--files-from {list}")).unwrap_err().status,
            Status::Incomplete
        );
        let missing = collected(&format!("--files-from {}", at("no-list"))).unwrap_err();
        assert!(missing.status == Status::BadSettings && missing.message().contains("no-list"));
        std::fs::write(&list, "/a/[\n").unwrap();
        assert_eq!(
            collected(&format!("--files-from {list}")).unwrap_err().status,
            Status::BadSettings
        );
    }
}
