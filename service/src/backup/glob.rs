//! The patterns of lists of files: `*` and `?` stay within a component, `**` is any number of directories. Names are
//! bytes, so one that is not UTF-8 is matched like every other.

use crate::catalogue::Cause;
use crate::failure::Failure;
use engine::platform::paths::{from_bytes, name_bytes};
use std::path::{Path, PathBuf};

/// Directories below each other that `**` goes down at most: PATH_MAX has room for no more.
const DEPTH: usize = 2048;

/// Adds the paths that match, sorted. What can't be looked into is one of them, so that the backup reports it.
pub fn matching(pattern: &[u8], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let parts: Vec<Part> = pattern
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(Part::parse)
        .collect::<Option<_>>()
        .ok_or_else(|| {
            let pattern = String::from_utf8_lossy(pattern).into_owned();
            Cause::UnclosedBracket { pattern }
        })?;
    let start = match pattern.first() {
        Some(b'/') => Path::new("/"),
        _ => Path::new(""),
    };
    let mut matched = Vec::new();
    descend(start.to_path_buf(), &parts, DEPTH, &mut matched);
    matched.sort();
    matched.dedup();
    found.append(&mut matched);
    Ok(())
}

fn descend(at: PathBuf, parts: &[Part], depth: usize, found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else {
        found.push(at);
        return;
    };
    if let Part::Plain(name) = part {
        let next = at.join(from_bytes(name));
        // A link that leads nowhere is there too.
        if next.symlink_metadata().is_ok() {
            descend(next, rest, depth, found);
        }
        return;
    }
    if *part == Part::AnyDirs {
        descend(at.clone(), rest, depth, found);
    }
    let folder = match at.as_os_str().is_empty() {
        true => Path::new("."),
        false => &at,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => return,
        Err(_) => return found.push(at),
    };
    for entry in entries {
        let Ok(entry) = entry else {
            found.push(at.clone());
            continue;
        };
        let next = at.join(entry.file_name());
        match part {
            Part::AnyDirs => {
                if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    descend(next, parts, depth - 1, found);
                }
            }
            Part::Glob(tokens) if matches(tokens, &units(name_bytes(&entry.file_name()))) => {
                descend(next, rest, depth, found);
            }
            Part::Glob(_) | Part::Plain(_) => {}
        }
    }
}

/// One component of a pattern.
#[derive(PartialEq, Eq, Debug)]
enum Part {
    Plain(Vec<u8>),
    AnyDirs,
    Glob(Vec<Token>),
}

#[derive(PartialEq, Eq, Debug)]
enum Token {
    Unit(u32),
    One,
    Any,
    /// Ranges, and whether they are what is not meant.
    Class(Vec<(u32, u32)>, bool),
}

impl Part {
    /// `None` for a class that does not end.
    fn parse(text: &[u8]) -> Option<Part> {
        if text == b"**" {
            return Some(Part::AnyDirs);
        }
        if !text.iter().any(|byte| b"*?[".contains(byte)) {
            return Some(Part::Plain(text.to_vec()));
        }
        let units = units(text);
        let (mut tokens, mut at) = (Vec::new(), 0);
        while let Some(&unit) = units.get(at) {
            at += 1;
            tokens.push(match char::from_u32(unit) {
                Some('*') => Token::Any,
                Some('?') => Token::One,
                Some('[') => {
                    let (class, end) = class(&units, at)?;
                    at = end;
                    class
                }
                _ => Token::Unit(unit),
            });
        }
        Some(Part::Glob(tokens))
    }
}

/// The class that begins at `at`, behind its bracket, and where it ends. The first character is a member, `]` too.
fn class(units: &[u32], mut at: usize) -> Option<(Token, usize)> {
    let is = |at: usize, c: char| units.get(at) == Some(&u32::from(c));
    let negated = is(at, '!') || is(at, '^');
    at += usize::from(negated);
    let (first, mut ranges) = (at, Vec::new());
    loop {
        let &from = units.get(at)?;
        if is(at, ']') && at > first {
            return Some((Token::Class(ranges, negated), at + 1));
        }
        match units.get(at + 2) {
            Some(&to) if is(at + 1, '-') && !is(at + 2, ']') => {
                ranges.push((from, to));
                at += 3;
            }
            _ => {
                ranges.push((from, from));
                at += 1;
            }
        }
    }
}

/// Characters, and numbers past them for bytes that are none.
fn units(bytes: &[u8]) -> Vec<u32> {
    let mut units = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().chars().map(u32::from));
        units.extend(chunk.invalid().iter().map(|byte| 0x11_0000 + u32::from(*byte)));
    }
    units
}

/// Goes back to the last `*` only, which is enough: what an earlier one could take, the last one can.
fn matches(tokens: &[Token], name: &[u32]) -> bool {
    let (mut token, mut at, mut back) = (0, 0, None);
    loop {
        let fits = match (tokens.get(token), name.get(at)) {
            (None, None) => return true,
            (Some(Token::Any), _) => {
                back = Some((token, at));
                token += 1;
                continue;
            }
            (Some(Token::One), Some(_)) => true,
            (Some(Token::Unit(wanted)), Some(unit)) => wanted == unit,
            (Some(Token::Class(ranges, negated)), Some(unit)) => {
                ranges.iter().any(|(from, to)| (from..=to).contains(&unit)) != *negated
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits {
            (token, at) = (token + 1, at + 1);
            continue;
        }
        match back {
            Some((any, taken)) if taken < name.len() => {
                back = Some((any, taken + 1));
                (token, at) = (any + 1, taken + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn components() {
        let rows: &[(&[u8], &[u8], bool)] = &[
            (b"*.txt", b"a.txt", true),
            (b"*.txt", b".txt", true),
            (b"*.txt", b"a.txt~", false),
            (b"a*b*c", b"axbbyc", true),
            (b"a*b*c", b"axbby", false),
            (b"?", "\u{e9}".as_bytes(), true),
            (b"?", b"\xff", true),
            (b"d[1].txt", b"d1.txt", true),
            (b"d[!1].txt", b"d1.txt", false),
            (b"[]x]", b"]", true),
            (b"[a-c]", b"b", true),
            (b"[a-]", b"-", true),
            (b"re\xff*", b"re\xffpo", true),
            (b"re\xff*", b"re\xfepo", false),
            (b"re*po", b"re\xffpo", true),
            (b"**x", b"abx", true),
        ];
        for (pattern, name, want) in rows {
            let Some(Part::Glob(tokens)) = Part::parse(pattern) else {
                panic!("{}", pattern.escape_ascii())
            };
            let got = matches(&tokens, &units(name));
            assert_eq!(got, *want, "{} {}", pattern.escape_ascii(), name.escape_ascii());
        }
        assert_eq!(Part::parse(b"a[b"), None);
    }

    #[test]
    fn trees() {
        let dir = tempfile::tempdir().unwrap();
        let names: &[&[u8]] = &[b"a/x.txt", b"a/b/x.txt", b"a/b/\xff.txt", b"c/y"];
        for name in names {
            let path = dir.path().join(OsStr::from_bytes(name));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| -> Vec<Vec<u8>> {
            let mut found = Vec::new();
            let pattern = dir.path().join(pattern);
            matching(pattern.as_os_str().as_bytes(), &mut found).unwrap();
            let below = |path: &PathBuf| {
                path.strip_prefix(dir.path())
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec()
            };
            found.iter().map(below).collect()
        };
        assert_eq!(found("*/x.txt"), [b"a/x.txt".to_vec()]);
        assert_eq!(
            found("**/*.txt"),
            [&b"a/b/x.txt"[..], b"a/b/\xff.txt", b"a/x.txt"]
        );
        assert_eq!(found("?/b/*"), [&b"a/b/x.txt"[..], b"a/b/\xff.txt"]);
        assert!(found("z*").is_empty() && found("c/y/*").is_empty());
    }
}
