//! Exclude patterns as the user writes them, and all of them compiled into one matcher.

use crate::error::{Error, Result};
use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

pub(super) struct Pattern {
    /// As the user wrote it.
    text: String,
    glob: Glob,
    /// `!`: takes back what an earlier pattern excludes.
    keeps: bool,
    /// Ended in `/`.
    dirs_only: bool,
}

impl Pattern {
    pub(super) fn parse(text: &str, either_case: bool) -> Result<Pattern> {
        let refuse = |why: &str| Error::Usage(format!("exclude pattern '{text}': {why}"));
        let (keeps, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let parts: Vec<&str> = rest.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
        if parts.is_empty() {
            return Err(refuse("it names nothing"));
        }
        if parts.contains(&"..") {
            return Err(refuse("'..' never matches"));
        }
        let mut glob = if rest.starts_with('/') {
            String::new()
        } else {
            "**/".into()
        };
        glob.push_str(&without_braces(&parts.join("/")));
        let glob = GlobBuilder::new(&glob)
            .literal_separator(true)
            .backslash_escape(true)
            .case_insensitive(either_case)
            .build()
            .map_err(|e| refuse(&e.kind().to_string()))?;
        Ok(Pattern {
            text: text.to_string(),
            glob,
            keeps,
            dirs_only: rest.ends_with('/'),
        })
    }
}

/// Braces are plain characters here, as in a shell's file name patterns, and alternatives to `globset`.
fn without_braces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut class = Class::Outside;
    let mut escaped = false;
    for c in text.chars() {
        if class == Class::Outside && !escaped && matches!(c, '{' | '}') {
            out.push('\\');
        }
        out.push(c);
        class = match (class, c) {
            (Class::Outside, '[') if !escaped => Class::Start,
            (Class::Start, '!' | '^') => Class::Negated,
            // The first character of a class is a member of it, `]` too.
            (Class::Start | Class::Negated, _) => Class::Inside,
            (Class::Inside, ']') => Class::Outside,
            (class, _) => class,
        };
        escaped = class == Class::Outside && !escaped && c == '\\';
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Outside,
    Start,
    Negated,
    Inside,
}

/// All patterns in the order given.
pub(super) struct Patterns {
    globs: GlobSet,
    /// (keeps, dirs only) of each.
    flags: Vec<(bool, bool)>,
    texts: Vec<String>,
    /// No flag is set: any match decides.
    plain: bool,
}

impl Patterns {
    pub(super) fn build(patterns: Vec<Pattern>) -> Result<Patterns> {
        let mut globs = GlobSetBuilder::new();
        let mut flags = Vec::with_capacity(patterns.len());
        let mut texts = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            globs.add(pattern.glob);
            flags.push((pattern.keeps, pattern.dirs_only));
            texts.push(pattern.text);
        }
        let globs = globs
            .build()
            .map_err(|e| Error::Usage(format!("exclude patterns: {e}")))?;
        let plain = !flags.iter().any(|&(keeps, dirs_only)| keeps || dirs_only);
        Ok(Patterns {
            globs,
            flags,
            texts,
            plain,
        })
    }

    /// Those that choose something rather than take it back, by number.
    pub(super) fn choosing(&self) -> impl Iterator<Item = (usize, &str)> {
        let all = self.flags.iter().zip(&self.texts).enumerate();
        all.filter(|(_, ((keeps, _), _))| !keeps)
            .map(|(number, (_, text))| (number, text.as_str()))
    }

    /// Replaces `matching` by the numbers of the patterns that match `path`.
    pub(super) fn matching(&self, path: &[u8], is_dir: bool, matching: &mut Vec<usize>) {
        self.globs
            .matches_candidate_into(&Candidate::from_bytes(path), matching);
        matching.retain(|&i| {
            self.flags
                .get(i)
                .is_some_and(|&(_, dirs_only)| is_dir || !dirs_only)
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// Whether the last pattern that matches `path` excludes it.
    pub(super) fn exclude(&self, path: &[u8], is_dir: bool, scratch: &mut Vec<usize>) -> bool {
        if self.is_empty() {
            return false;
        }
        let path = Candidate::from_bytes(path);
        if self.plain {
            return self.globs.is_match_candidate(&path);
        }
        self.globs.matches_candidate_into(&path, scratch);
        let deciding = scratch
            .iter()
            .rev()
            .filter_map(|&i| self.flags.get(i))
            .find(|&&(_, dirs_only)| is_dir || !dirs_only);
        deciding.is_some_and(|&(keeps, _)| !keeps)
    }
}
