//! Which entries of a generation are wanted: paths as the user gave them, and patterns.

use super::{Patterns, RestoreOptions};
use crate::entry::cmp_dirs;
use crate::error::{Error, PatternKind, Result, Usage};
use crate::filter::{DirRules, Filter, FilterOptions};
use std::collections::BTreeSet;

/// What was decided about an entry, and holds for what is below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    /// Restored itself. A directory that is not may be needed for what is below it.
    pub selected: bool,
    /// Neither it nor anything below it.
    pub excluded: bool,
}

pub(super) struct Chooser {
    exclude: Filter,
    include: Option<Filter>,
    /// Numbers of include patterns that have matched nothing so far.
    unmatched: BTreeSet<usize>,
    rules: DirRules,
    scratch: Vec<usize>,
}

impl Chooser {
    pub fn build(options: &RestoreOptions) -> Result<Chooser> {
        let include = (!options.include.is_empty()).then(|| options.include.filter());
        let include = include.transpose().map_err(of_include)?;
        let choosing = include.iter().flat_map(Filter::choosing);
        Ok(Chooser {
            exclude: options.exclude.filter()?,
            unmatched: choosing.map(|(number, _)| number).collect(),
            include,
            rules: DirRules::default(),
            scratch: Vec::new(),
        })
    }

    /// What holds at the top, before any pattern is asked.
    pub fn top(&self) -> Choice {
        Choice {
            selected: self.include.is_none(),
            excluded: false,
        }
    }

    /// About the entry at `path`, in a directory about which `above` was decided.
    pub fn choose(&mut self, above: Choice, path: &[u8], is_dir: bool) -> Choice {
        if let Some(include) = self.include.as_ref().filter(|_| !self.unmatched.is_empty()) {
            include.matching(path, is_dir, &mut self.scratch);
            for number in &self.scratch {
                self.unmatched.remove(number);
            }
        }
        self.judge(above, path, is_dir)
    }

    /// The same about what the generation does not hold.
    pub fn judge(&mut self, above: Choice, path: &[u8], is_dir: bool) -> Choice {
        let mut matches = |filter: &Filter| filter.leaves_out(&self.rules, path, is_dir, &mut self.scratch);
        Choice {
            excluded: above.excluded || matches(&self.exclude),
            selected: above.selected || self.include.as_ref().is_some_and(matches),
        }
    }

    /// The include patterns that matched nothing.
    pub fn unmatched(&self) -> impl Iterator<Item = &str> {
        let choosing = self.include.iter().flat_map(Filter::choosing);
        choosing
            .filter(|(number, _)| self.unmatched.contains(number))
            .map(|(_, text)| text)
    }

    /// Everything is chosen.
    pub fn takes_all(&self) -> bool {
        self.include.is_none() && self.exclude.keeps_all_names()
    }
}

impl Patterns {
    pub(super) fn is_empty(&self) -> bool {
        let Patterns {
            patterns,
            either_case,
            files,
            either_case_files,
        } = self;
        patterns.is_empty() && either_case.is_empty() && files.is_empty() && either_case_files.is_empty()
    }

    fn filter(&self) -> Result<Filter> {
        Filter::build(FilterOptions {
            excludes: self.patterns.clone(),
            iexcludes: self.either_case.clone(),
            exclude_files: self.files.clone(),
            iexclude_files: self.either_case_files.clone(),
            ..FilterOptions::default()
        })
    }
}

fn of_include(error: Error) -> Error {
    match error {
        Error::Usage(Usage::Pattern { pattern, fault, .. }) => Error::Usage(Usage::Pattern {
            kind: PatternKind::Include,
            pattern,
            fault,
        }),
        Error::Usage(Usage::Patterns { detail, .. }) => Error::Usage(Usage::Patterns {
            kind: PatternKind::Include,
            detail,
        }),
        other => other,
    }
}

/// A path of the user's as paths are recorded: relative to `/`, no empty components and no `.`.
pub(crate) fn normalize(path: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    for name in path.split(|&b| b == b'/') {
        if name.is_empty() || name == b"." {
            continue;
        }
        if name == b".." {
            let path = path.escape_ascii().to_string();
            return Err(Error::Usage(Usage::ParentComponent { path }));
        }
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(name);
    }
    Ok(out)
}

/// Normalized, in the order of the stream, without those that another one contains.
pub(super) fn distinct(paths: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut paths = paths
        .iter()
        .map(|path| normalize(path))
        .collect::<Result<Vec<_>>>()?;
    paths.sort_by(|a, b| cmp_dirs(a, b));
    paths.dedup_by(|later, first| contains(first, later));
    Ok(paths)
}

/// Whether `path` is `dir` or below it.
pub(super) fn contains(dir: &[u8], path: &[u8]) -> bool {
    let rest = path.strip_prefix(dir);
    dir.is_empty() || matches!(rest, Some([] | [b'/', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_what_is_recorded() {
        assert_eq!(normalize(b"/a//b/./c/").unwrap(), b"a/b/c");
        assert_eq!(normalize(b"/").unwrap(), b"");
        assert!(normalize(b"/a/../b").is_err());
        let given = [&b"/a/b"[..], b"/a-b", b"/a/b/c", b"/a/b", b"x"].map(<[u8]>::to_vec);
        let want = [&b"a/b"[..], b"a-b", b"x"].map(<[u8]>::to_vec);
        assert_eq!(distinct(&given).unwrap(), want);
        assert!(contains(b"", b"a") && contains(b"a", b"a/b") && !contains(b"a", b"ab"));
    }

    fn chooser(exclude: &[&str], include: &[&str]) -> Chooser {
        let mut options = RestoreOptions::new("x");
        options.exclude.patterns = exclude.iter().map(|s| s.to_string()).collect();
        options.include.patterns = include.iter().map(|s| s.to_string()).collect();
        Chooser::build(&options).unwrap()
    }

    #[test]
    fn patterns_hold_for_what_is_below() {
        let mut chooser = chooser(&["*.o"], &["/a/b", "*.c"]);
        let top = chooser.top();
        let a = chooser.choose(top, b"a", true);
        assert_eq!((a.selected, a.excluded), (false, false));
        let b = chooser.choose(a, b"a/b", true);
        assert!(b.selected && chooser.choose(b, b"a/b/x", false).selected);
        assert!(chooser.choose(b, b"a/b/x.o", false).excluded);
        assert!(chooser.choose(a, b"a/x.c", false).selected);
        assert!(!chooser.choose(a, b"a/x.h", false).selected);
        let dir = chooser.choose(b, b"a/b/d.o", true);
        assert!(chooser.choose(dir, b"a/b/d.o/x", false).excluded);
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let mut options = RestoreOptions::new("x");
        options.include.patterns = vec!["[".to_string()];
        let error = Chooser::build(&options).err().unwrap();
        assert!(
            matches!(
                &error,
                Error::Usage(Usage::Pattern { kind: PatternKind::Include, pattern, .. }) if pattern == "["
            ),
            "{error}"
        );
    }
}
