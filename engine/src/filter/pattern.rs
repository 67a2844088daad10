//! Exclude patterns as the user writes them, and all of them compiled into one matcher.

use crate::error::{Error, PatternFault, PatternKind, Result, Usage};
use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use std::borrow::Cow;

/// Where characters begin that stand for bytes which are none: the last of those for private use.
const RAW: u32 = 0x10_ff00;

/// A pattern or path as text. Bytes that are not UTF-8 become characters that are never used, so that they match only
/// themselves.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let raw = chunk.invalid().iter();
        text.extend(raw.filter_map(|byte| char::from_u32(RAW + u32::from(*byte))));
    }
    Cow::Owned(text)
}

fn has_raw(text: &str) -> bool {
    text.chars().any(|c| u32::from(c) >= RAW)
}

pub(super) struct Pattern {
    /// As the user wrote it.
    text: String,
    glob: Glob,
    /// `!`: takes back what an earlier pattern excludes.
    keeps: bool,
    /// Ended in `/`.
    dirs_only: bool,
    /// Has bytes that are not UTF-8.
    raw: bool,
}

impl Pattern {
    /// As the user wrote it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn parse(text: &str, either_case: bool) -> Result<Pattern> {
        let refuse = |fault| {
            Error::Usage(Usage::Pattern {
                kind: PatternKind::Exclude,
                pattern: text.to_string(),
                fault,
            })
        };
        let (keeps, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let parts: Vec<&str> = rest.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
        if parts.is_empty() {
            return Err(refuse(PatternFault::Empty));
        }
        if parts.contains(&"..") {
            return Err(refuse(PatternFault::ParentComponent));
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
            .map_err(|e| refuse(PatternFault::Glob(e.kind().to_string())))?;
        Ok(Pattern {
            text: text.to_string(),
            glob,
            keeps,
            dirs_only: rest.ends_with('/'),
            raw: has_raw(rest),
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
    /// Those with bytes that are not UTF-8, for paths that have such bytes too, and their numbers among all.
    raw: Option<(GlobSet, Vec<usize>)>,
    /// (keeps, dirs only) of each.
    flags: Vec<(bool, bool)>,
    texts: Vec<String>,
    /// No flag is set: any match decides.
    plain: bool,
}

impl Patterns {
    pub(super) fn build(patterns: Vec<Pattern>) -> Result<Patterns> {
        let (mut globs, mut raw) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut flags = Vec::with_capacity(patterns.len());
        let mut texts = Vec::with_capacity(patterns.len());
        let mut raw_numbers = Vec::new();
        for (number, pattern) in patterns.into_iter().enumerate() {
            flags.push((pattern.keeps, pattern.dirs_only));
            if pattern.raw {
                raw.add(pattern.glob.clone());
                raw_numbers.push(number);
            }
            // Also a raw one, so that numbers are those of all; it matches no path that is as it is.
            globs.add(pattern.glob);
            texts.push(pattern.text);
        }
        let build = |globs: GlobSetBuilder| {
            let built = globs.build();
            built.map_err(|e| {
                Error::Usage(Usage::Patterns {
                    kind: PatternKind::Exclude,
                    detail: e.to_string(),
                })
            })
        };
        let raw = match raw_numbers.is_empty() {
            true => None,
            false => Some((build(raw)?, raw_numbers)),
        };
        let plain = raw.is_none() && !flags.iter().any(|&(keeps, dirs_only)| keeps || dirs_only);
        let globs = build(globs)?;
        Ok(Patterns {
            globs,
            raw,
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

    /// Replaces `matching` by the numbers of all patterns that match `path`, in order.
    pub(super) fn matching(&self, path: &[u8], is_dir: bool, matching: &mut Vec<usize>) {
        self.globs
            .matches_candidate_into(&Candidate::from_bytes(path), matching);
        if let Some((globs, numbers)) = &self.raw
            && let Cow::Owned(text) = text_of(path)
        {
            let more = globs.matches_candidate(&Candidate::from_bytes(text.as_bytes()));
            matching.extend(more.into_iter().filter_map(|at| numbers.get(at)));
            matching.sort_unstable();
        }
        matching.retain(|&i| {
            self.flags
                .get(i)
                .is_some_and(|&(_, dirs_only)| is_dir || !dirs_only)
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// The last pattern that matches `path`, by number, if it excludes it.
    pub(super) fn excluding(&self, path: &[u8], is_dir: bool, scratch: &mut Vec<usize>) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        // Quicker than to ask which, and mostly there is none.
        if self.plain && !self.globs.is_match_candidate(&Candidate::from_bytes(path)) {
            return None;
        }
        self.matching(path, is_dir, scratch);
        let last = *scratch.last()?;
        let (keeps, _) = self.flags.get(last)?;
        (!keeps).then_some(last)
    }
}
