//! Search in many generations. Segments that generations share are read once.

use crate::entry::{Entry, Kind, Time, join};
use crate::error::{Error, PatternFault, PatternKind, Result, Usage};
use crate::manifest::Snapshot;
use crate::repo::Repo;
use crate::tree::{self, SegmentRef};
use crate::trees::cursor;
use chunkstore::ChunkId;
use chunkstore::frame::Decoder;
use chunkstore::reader::Reader;
use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::HashMap;

/// Segments whose matches are remembered, and matches remembered in all, so that memory stays bounded.
const MEMO_SEGMENTS: usize = 64 << 10;
const MEMO_MATCHES: usize = 64 << 10;

/// What a search looks for: entries that match any of the patterns and are within all of the limits.
#[derive(Clone, Debug)]
pub struct FindQuery {
    globs: GlobSet,
    patterns: Vec<String>,
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

    /// `path` is relative to `/`.
    fn matches(&self, path: &[u8], entry: &Entry) -> bool {
        self.limits.let_pass(entry) && self.names(path)
    }

    fn names(&self, path: &[u8]) -> bool {
        self.globs.is_match_candidate(&Candidate::from_bytes(path))
    }
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
    let mut memo = Memo::default();
    let mut decoder = Decoder::new()?;
    // Looking at names alone is quick, and in vain where something matches.
    let mut names_help = true;
    for snapshot in snapshots {
        let mut cursor = cursor(reader, &repo.manifest(snapshot.id)?.root()?)?;
        let mut matches = Vec::new();
        let mut current = None;
        loop {
            repo.run().cancel().check()?;
            if let Some(ahead) = cursor.segment_ahead()? {
                let id = ahead.segment.id;
                if let Some(known) = memo.segments.get(&id) {
                    known
                        .iter()
                        .try_for_each(|(path, entry)| each(snapshot, path, entry))?;
                    cursor.skip_piece();
                    continue;
                }
                if names_help {
                    names_help = !may_match(reader, &mut decoder, &ahead.segment, wanted)?;
                    if names_help {
                        memo.add(id, Vec::new());
                        cursor.skip_piece();
                        continue;
                    }
                } else {
                    // Most segments have matches, or just this one had.
                    names_help = true;
                }
                current = Some(id);
            }
            let Some(item) = cursor.next()? else { break };
            let path = join(&item.dir, &item.entry.name);
            if wanted.matches(&path, &item.entry) {
                each(snapshot, &path, &item.entry)?;
                matches.push((path, item.entry));
            }
            if item.pos.last
                && let Some(id) = current.take()
            {
                memo.add(id, std::mem::take(&mut matches));
            }
        }
    }
    Ok(())
}

/// Whether a name in the segment matches.
fn may_match(
    reader: &Reader<'_>,
    decoder: &mut Decoder,
    segment: &SegmentRef,
    wanted: &FindQuery,
) -> Result<bool> {
    let plain = reader.tree(decoder, &segment.id, segment.place.as_ref())?;
    let mut found = false;
    let read = tree::names(&plain, &mut |dir, name| {
        found = wanted.names(&join(dir, name));
        !found
    });
    read.map_err(|e| e.of(&segment.id))?;
    Ok(found)
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
