//! Search in many generations. Segments that generations share are read once, and of one in which no name matches only
//! the names are read.

use crate::entry::{Entry, Kind, Time, cmp_dirs, common_path, join};
use crate::error::{Error, PatternFault, PatternKind, Result, Usage};
use crate::list::is_at_or_below;
use crate::manifest::Snapshot;
use crate::repo::Repo;
use crate::run::CancelToken;
use crate::tree::{Cursor, SegmentRef};
use crate::trees::ahead::{Want, fetching};
use crate::trees::cursor;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Place};
use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::{HashMap, HashSet};

/// Segments whose matches are remembered, and matches remembered in all, so that memory stays bounded.
const MEMO_SEGMENTS: usize = 64 << 10;
const MEMO_MATCHES: usize = 64 << 10;

/// What a search looks for: entries that match any of the patterns and are within all of the limits.
#[derive(Clone, Debug)]
pub struct FindQuery {
    globs: GlobSet,
    patterns: Vec<String>,
    /// Whether an entry's name alone decides.
    by_name: bool,
    /// All matches are in this directory or below it.
    below: Vec<u8>,
    pub limits: FindLimits,
}

/// Bounds are part of what is found; what is `None` excludes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct FindLimits {
    /// Bytes of a regular file. With one of these, nothing but regular files is found.
    pub smallest: Option<u64>,
    pub largest: Option<u64>,
    /// When it was modified.
    pub oldest: Option<Time>,
    pub newest: Option<Time>,
}

impl FindLimits {
    fn let_pass(&self, entry: &Entry) -> bool {
        let sized = self.smallest.is_some() || self.largest.is_some();
        let (size, time) = (entry.meta.size, entry.meta.mtime);
        (!sized || entry.kind == Kind::File)
            && self.smallest.is_none_or(|smallest| size >= smallest)
            && self.largest.is_none_or(|largest| size <= largest)
            && self.oldest.is_none_or(|oldest| time >= oldest)
            && self.newest.is_none_or(|newest| time <= newest)
    }
}

impl FindQuery {
    /// Any of these globs. `*` and `?` stay within a component, `**` does not. One without `/` is compared with names,
    /// one with `/` with whole paths.
    pub fn new(patterns: &[String], ignore_case: bool) -> Result<FindQuery> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let bad = |e: globset::Error| {
                Error::Usage(Usage::Pattern {
                    kind: PatternKind::Find,
                    pattern: pattern.clone(),
                    fault: PatternFault::Glob(e.kind().to_string()),
                })
            };
            let glob = match pattern.strip_prefix('/') {
                Some(anchored) => anchored.to_string(),
                None => format!("**/{pattern}"),
            };
            let glob = GlobBuilder::new(&glob)
                .literal_separator(true)
                .backslash_escape(true)
                .case_insensitive(ignore_case)
                .build();
            set.add(glob.map_err(bad)?);
        }
        let globs = set.build().map_err(|e| {
            Error::Usage(Usage::Patterns {
                kind: PatternKind::Find,
                detail: e.to_string(),
            })
        })?;
        Ok(FindQuery {
            globs,
            by_name: patterns.iter().all(|pattern| is_of_names(pattern)),
            below: match ignore_case {
                true => Vec::new(),
                false => directory_of_all(patterns),
            },
            patterns: patterns.to_vec(),
            limits: FindLimits::default(),
        })
    }

    /// The pattern that only this path matches.
    pub fn literal(path: &str) -> String {
        let mut pattern = String::with_capacity(path.len());
        for c in path.chars() {
            if "*?[]{}\\!".contains(c) {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern
    }

    /// The patterns, in the order given.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// The numbers of those that match `path`.
    pub fn matching(&self, path: &[u8]) -> Vec<usize> {
        self.globs.matches_candidate(&Candidate::from_bytes(path))
    }

    /// Whether the path of an entry matches; it is made in `path`.
    fn names(&self, dir: &[u8], name: &[u8], path: &mut Vec<u8>) -> bool {
        if self.by_name {
            return self.globs.is_match_candidate(&Candidate::from_bytes(name));
        }
        path.clear();
        path.extend_from_slice(dir);
        if !dir.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        self.globs.is_match_candidate(&Candidate::from_bytes(path))
    }

    /// The next piece that matches may be in.
    fn piece_ahead<'t, L>(&self, tree: &'t mut Cursor<L>) -> Result<Option<&'t SegmentRef>>
    where
        L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        match tree.peek_key().is_some_and(|(dir, _)| self.reaches(dir)) {
            true => Ok(tree.segment_ahead()?.map(|ahead| &ahead.segment)),
            false => Ok(None),
        }
    }

    /// Whether matches may follow where a directory comes next.
    fn reaches(&self, dir: &[u8]) -> bool {
        cmp_dirs(dir, &self.below).is_le() || is_at_or_below(dir, &self.below)
    }
}

/// Whether a pattern matches names, whatever directories they are in. Classes may match a slash, and `**` does.
fn is_of_names(pattern: &str) -> bool {
    !pattern.contains(['/', '[']) && !pattern.contains("**")
}

/// The innermost directory that all matches of all patterns are in or below.
fn directory_of_all(patterns: &[String]) -> Vec<u8> {
    let mut dirs = patterns.iter().map(|pattern| directory_of(pattern));
    let first = dirs.next().unwrap_or_default();
    let all = dirs.fold(first, |all, dir| {
        let common = common_path(all.as_bytes(), dir.as_bytes());
        all.get(..common).unwrap_or_default().to_string()
    });
    all.into_bytes()
}

/// The same for one pattern: the components that are literal, but for the last.
fn directory_of(pattern: &str) -> String {
    let Some(anchored) = pattern.strip_prefix('/') else {
        return String::new();
    };
    let is_literal = |name: &&str| !name.is_empty() && !name.contains(['*', '?', '[', ']', '{', '}', '\\']);
    let mut components: Vec<&str> = anchored.split('/').collect();
    components.pop();
    let literal: Vec<&str> = components.into_iter().take_while(is_literal).collect();
    literal.join("/")
}

/// Told of a match: the snapshot, its path relative to `/`, its entry.
pub type OnMatch<'a> = dyn FnMut(&Snapshot, &[u8], &Entry) -> Result<()> + 'a;

/// Calls `each` with every match in every one of `snapshots`.
pub fn find(
    repo: &Repo,
    reader: &Reader<'_>,
    snapshots: &[Snapshot],
    wanted: &FindQuery,
    each: &mut OnMatch<'_>,
) -> Result<()> {
    let order = |want: &mut Want<'_>| {
        let mut named: HashSet<ChunkId> = HashSet::new();
        for snapshot in snapshots {
            let mut tree = cursor(reader, &repo.manifest(snapshot.id)?.root()?)?;
            tree.stand_before(&wanted.below, b"")?;
            while let Some(piece) = wanted.piece_ahead(&mut tree)? {
                let is_new = !named.contains(&piece.id);
                if is_new && named.len() < MEMO_SEGMENTS {
                    named.insert(piece.id);
                }
                if is_new && !want(piece) {
                    return Ok(());
                }
                tree.skip_piece();
            }
        }
        Ok(())
    };
    fetching(reader, repo.run().threads(2), order, |mut loader| {
        let mut search = NameSearch {
            wanted,
            memo: Memo::default(),
            path: Vec::new(),
        };
        for snapshot in snapshots {
            let root = repo.manifest(snapshot.id)?.root()?;
            let mut tree = Cursor::new(&root, |id, hint| loader.load(id, hint));
            let mut each = |path: &[u8], entry: &Entry| each(snapshot, path, entry);
            search.one(&mut tree, repo.run().cancel(), &mut each)?;
        }
        Ok(())
    })
}

/// A search, and what it knows of segments.
struct NameSearch<'a> {
    wanted: &'a FindQuery,
    memo: Memo,
    /// Where paths are made.
    path: Vec<u8>,
}

impl NameSearch<'_> {
    /// Goes through one generation.
    fn one<L>(
        &mut self,
        tree: &mut Cursor<L>,
        cancel: &CancelToken,
        each: &mut dyn FnMut(&[u8], &Entry) -> Result<()>,
    ) -> Result<()>
    where
        L: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        let NameSearch { wanted, memo, path } = self;
        tree.stand_before(&wanted.below, b"")?;
        while let Some(piece) = wanted.piece_ahead(tree)? {
            cancel.check()?;
            let id = piece.id;
            if let Some(known) = memo.segments.get(&id) {
                known.iter().try_for_each(|(path, entry)| each(path, entry))?;
                tree.skip_piece();
                continue;
            }
            let named = tree.select(&mut |dir, name| wanted.names(dir, name, path))?;
            let matches = named
                .into_iter()
                .filter(|(_, entry)| wanted.limits.let_pass(entry))
                .map(|(dir, entry)| (join(&dir, &entry.name), entry));
            let matches: Vec<Match> = matches.collect();
            matches.iter().try_for_each(|(path, entry)| each(path, entry))?;
            memo.add(id, matches);
        }
        Ok(())
    }
}

type Match = (Vec<u8>, Entry);

#[derive(Default)]
struct Memo {
    segments: HashMap<ChunkId, Vec<Match>>,
    matches: usize,
}

impl Memo {
    fn add(&mut self, id: ChunkId, matches: Vec<Match>) {
        if self.segments.len() < MEMO_SEGMENTS && self.matches + matches.len() <= MEMO_MATCHES {
            self.matches += matches.len();
            self.segments.insert(id, matches);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(patterns: &[&str]) -> FindQuery {
        let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_string()).collect();
        FindQuery::new(&patterns, false).unwrap()
    }

    #[test]
    fn where_matches_can_be() {
        let rows: &[(&[&str], &str)] = &[
            (&["a"], ""),
            (&["a/b"], ""),
            (&["/a"], ""),
            (&["/a/b"], "a"),
            (&["/a/b/c*/d"], "a/b"),
            (&["/a/**"], "a"),
            (&["/a/b/c", "/a/b/d"], "a/b"),
            (&["/a/bc/x", "/a/bd/x"], "a"),
            (&["/a/b/c", "d"], ""),
            (&["//a/b"], ""),
            (&["/a/\\b/c"], "a"),
            (&["/{a,b}/c"], ""),
        ];
        for (patterns, below) in rows {
            assert_eq!(query(patterns).below, below.as_bytes(), "{patterns:?}");
        }
        let any_case = FindQuery::new(&["/a/b".to_string()], true).unwrap();
        assert_eq!(any_case.below, b"");
    }

    /// The quick ways say what the whole path says.
    #[test]
    fn names_decide_only_where_they_do() {
        let dirs: &[&[u8]] = &[b"", b"a", b"a/b", b"a/b/c", b"b", b"ab", b"a-b", b"x.txt"];
        let names: &[&[u8]] = &[
            b"a",
            b"b",
            b"ab",
            b"x.txt",
            b".txt",
            b"a[b",
            b"\xff",
            b"b\xff.txt",
            b"{",
        ];
        let patterns = [
            "a",
            "*",
            "?",
            "*.txt",
            "x*",
            "*b*",
            "a*t",
            "**",
            "a**",
            "**b",
            "[a/]b",
            "[!x]b",
            "[!x]",
            "{a,b}",
            "{,a}",
            "\\*",
            "\\[",
            "a[[]b",
            "a/b",
            "a/*",
            "**/b",
            "b/**",
            "/a",
            "/a/b",
            "/a/*",
            "/a/**",
            "/a/b/*",
            "/*",
            "/**",
            "/a/b/",
            "//a",
            "/",
            "/a/{b,c}/a",
            "/a/b/c/a",
        ];
        for ignore_case in [false, true] {
            for pattern in patterns {
                let Ok(query) = FindQuery::new(&[pattern.to_string()], ignore_case) else {
                    continue;
                };
                for (dir, name) in dirs
                    .iter()
                    .flat_map(|dir| names.iter().map(move |name| (dir, name)))
                {
                    let path = join(dir, name);
                    let whole = !query.matching(&path).is_empty();
                    let quick = query.names(dir, name, &mut Vec::new());
                    assert_eq!(quick, whole, "{pattern}: {}", path.escape_ascii());
                    let is_below = query.reaches(dir) && !cmp_dirs(dir, &query.below).is_lt();
                    assert!(is_below || !whole, "{pattern}: {}", path.escape_ascii());
                }
            }
        }
    }
}
