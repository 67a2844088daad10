//! Tags on paths: a file or directory of a host keeps its tags in all generations, also in those that are to come. They
//! are kept in records of machines ([`crate::machines`]), so no generation is published again for one.
//!
//! Each machine records what it changed, and what holds is all of it together: of the machines that say something about a
//! tag of a path, the last one is right. So every machine may change every tag, and no two have to agree
//! (docs/decisions/0059-tags-on-paths.md).

use crate::error::{Error, Refusal, Result};
use crate::machines::{self, Kept, PathTag, RecordContent};
use crate::repo::Repo;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A tag of a path: the host, the absolute path, the tag.
type Key = (String, Vec<u8>, String);

/// What is said of one tag of one path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct TagState {
    time: i64,
    is_there: bool,
}

/// The tags of paths, by host and absolute path.
#[derive(Clone, Debug, Default)]
pub struct PathTags {
    all: BTreeMap<Key, TagState>,
}

/// What becomes of the tags of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathTagChange {
    pub host: String,
    /// Absolute.
    pub path: Vec<u8>,
    pub edit: PathTagEdit,
}

/// What is wanted of them. Which tags a replacement removes shows only when the change is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PathTagEdit {
    Edit { add: Vec<String>, remove: Vec<String> },
    Replace(Vec<String>),
}

impl PathTags {
    /// All that machines recorded. What can't be read is left out.
    pub fn read(repo: &Repo) -> Result<PathTags> {
        let records = machines::newest(repo)?.newest;
        let rows = records.into_iter().flat_map(|record| match record.content {
            RecordContent::PathTags(rows) => rows,
            RecordContent::Settings(_) | RecordContent::State(_) => Vec::new(),
        });
        Ok(PathTags::of_rows(rows))
    }

    fn of_rows(rows: impl IntoIterator<Item = PathTag>) -> PathTags {
        let mut tags = PathTags::default();
        for row in rows {
            let said = TagState {
                time: row.time,
                is_there: row.is_there,
            };
            let known = tags.all.entry((row.host, row.path, row.tag)).or_insert(said);
            // Of one moment, that it is there.
            if (said.time, said.is_there) > (known.time, known.is_there) {
                *known = said;
            }
        }
        tags
    }

    fn into_rows(self) -> Vec<PathTag> {
        let row = |((host, path, tag), said): (Key, TagState)| PathTag {
            host,
            path,
            tag,
            time: said.time,
            is_there: said.is_there,
        };
        self.all.into_iter().map(row).collect()
    }

    fn there(&self) -> impl Iterator<Item = &Key> {
        let there = self.all.iter().filter(|(_, said)| said.is_there);
        there.map(|(key, _)| key)
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The tags of exactly this path, sorted.
    pub fn of(&self, host: &str, path: &[u8]) -> Vec<&str> {
        let from = (host.to_string(), path.to_vec(), String::new());
        let own = self
            .all
            .range(from..)
            .take_while(|((at, of, _), _)| at == host && of == path);
        let there = own.filter(|(_, said)| said.is_there);
        there.map(|((_, _, tag), _)| tag.as_str()).collect()
    }

    /// Whether this path, together with the directories above it, has all tags of any of the lists.
    pub fn has_any(&self, host: &str, path: &[u8], lists: &[Vec<String>]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = slashes.map(|(at, _)| at.max(1)).chain([path.len()]);
        let tags: BTreeSet<&str> = ends
            .filter_map(|end| path.get(..end))
            .flat_map(|path| self.of(host, path))
            .collect();
        has_all_of_any(&tags, lists)
    }

    /// The paths that have all tags of any of the lists themselves, with their hosts; all tagged paths for no list.
    pub fn paths(&self, lists: &[Vec<String>]) -> Vec<(&str, &[u8])> {
        let mut paths: BTreeMap<(&str, &[u8]), BTreeSet<&str>> = BTreeMap::new();
        for (host, path, tag) in self.there() {
            paths.entry((host, path)).or_default().insert(tag);
        }
        let is_meant = |tags: &BTreeSet<&str>| lists.is_empty() || has_all_of_any(tags, lists);
        let meant = paths.into_iter().filter(|(_, tags)| is_meant(tags));
        meant.map(|(path, _)| path).collect()
    }

    fn with(&self, others: &PathTags) -> PathTags {
        let rows = self.clone().into_rows().into_iter();
        PathTags::of_rows(rows.chain(others.clone().into_rows()))
    }
}

/// What one machine says, while it is changed.
struct OwnTags {
    own: PathTags,
    others: PathTags,
    /// Both together.
    all: PathTags,
    /// Another machine may have said more: not all that is there could be read.
    is_partly_unread: bool,
}

impl OwnTags {
    fn new(own: PathTags, others: PathTags, is_partly_unread: bool) -> OwnTags {
        OwnTags {
            all: own.with(&others),
            own,
            others,
            is_partly_unread,
        }
    }

    /// What this machine said is about to be replaced, so it must be known. Of a damaged record nothing can be known any
    /// more, and an older one stands in for it.
    fn read(repo: &Repo) -> Result<OwnTags> {
        let series = machines::own_path_tags(repo);
        let records = machines::newest(repo)?;
        let mut is_partly_unread = false;
        for (name, error) in records.unreadable {
            match &error {
                _ if name.series != series => is_partly_unread = true,
                Error::Store(e) if e.is_damage() => {}
                _ => return Err(error),
            }
        }
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for record in records.newest {
            if let RecordContent::PathTags(rows) = record.content {
                match record.machine == repo.machine() {
                    true => own.extend(rows),
                    false => others.extend(rows),
                }
            }
        }
        let (own, others) = (PathTags::of_rows(own), PathTags::of_rows(others));
        Ok(OwnTags::new(own, others, is_partly_unread))
    }

    fn apply(&mut self, change: &PathTagChange, now: i64) {
        let (add, remove) = match &change.edit {
            PathTagEdit::Edit { add, remove } => (add, remove.clone()),
            PathTagEdit::Replace(tags) => {
                let old = self.all.of(&change.host, &change.path).into_iter();
                let old = old.map(String::from).filter(|tag| !tags.contains(tag));
                (tags, old.collect())
            }
        };
        let removed = remove.iter().map(|tag| (tag, false));
        for (tag, is_there) in removed.chain(add.iter().map(|tag| (tag, true))) {
            let key = (change.host.clone(), change.path.clone(), tag.clone());
            self.say(key, is_there, now);
        }
    }

    /// Only what is new is said, and what nobody else says is forgotten rather than denied. Whoever could not be read may
    /// say it.
    fn say(&mut self, key: Key, is_there: bool, now: i64) {
        let known = self.all.all.get(&key).copied();
        let may_be_unread = self.is_partly_unread && known.is_none() && !is_there;
        if known.is_some_and(|known| known.is_there) == is_there && !may_be_unread {
            return;
        }
        if !is_there && !self.is_partly_unread && !self.others.all.contains_key(&key) {
            self.own.all.remove(&key);
            self.all.all.remove(&key);
            return;
        }
        // After what was said before, whatever the clocks.
        let time = known.map_or(now, |known| now.max(known.time.saturating_add(1)));
        let said = TagState { time, is_there };
        self.own.all.insert(key.clone(), said);
        self.all.all.insert(key, said);
    }
}

fn has_all_of_any(tags: &BTreeSet<&str>, lists: &[Vec<String>]) -> bool {
    let has = |list: &Vec<String>| !list.is_empty() && list.iter().all(|tag| tags.contains(tag.as_str()));
    lists.iter().any(has)
}

/// Changes tags of paths, and returns what holds then, and how many paths have other tags than before. In a dry run nothing
/// is recorded.
pub fn change(
    repo: &Repo,
    changes: &[PathTagChange],
    now: Timestamp,
    dry_run: bool,
) -> Result<(PathTags, u64)> {
    // Processes of this machine take turns: each replaces what the machine said.
    let _turn = repo.turn()?;
    let mut tags = OwnTags::read(repo)?;
    let (own_before, before) = (tags.own.clone(), tags.all.clone());
    let mut paths = BTreeSet::new();
    for change in changes {
        tags.apply(change, now.as_second());
        paths.insert((change.host.as_str(), change.path.as_slice()));
    }
    let differs = |(host, path): &(&str, &[u8])| before.of(host, path) != tags.all.of(host, path);
    let changed = paths.into_iter().filter(differs).count() as u64;
    if dry_run || tags.own.all == own_before.all {
        return Ok((tags.all, changed));
    }
    let content = RecordContent::PathTags(tags.own.into_rows());
    match machines::keep_one(repo, &content, now)? {
        Kept::Added | Kept::Same => Ok((tags.all, changed)),
        Kept::TooLong => Err(Error::Refused(Refusal::TooManyPathTags)),
        // By a copy of this machine, such as a cloned disk.
        Kept::Taken => Err(Error::Refused(Refusal::PathTagsBusy)),
        Kept::Newer(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(host: &str, path: &str, tag: &str, time: i64, is_there: bool) -> PathTag {
        PathTag {
            host: host.to_string(),
            path: path.as_bytes().to_vec(),
            tag: tag.to_string(),
            time,
            is_there,
        }
    }

    fn lists(text: &str) -> Vec<Vec<String>> {
        let list = |text: &str| text.split(',').map(String::from).collect();
        text.split(' ').map(list).collect()
    }

    #[test]
    fn the_last_word_counts() {
        let rows = [
            row("a", "/x", "t", 5, true),
            row("a", "/x", "t", 7, false),
            row("a", "/x", "u", 7, false),
            row("a", "/x", "u", 7, true),
            row("a", "/x", "v", 3, false),
            row("a", "/x", "v", 9, true),
            row("b", "/x", "w", 9, true),
        ];
        let mut backwards = rows.to_vec();
        backwards.reverse();
        for rows in [rows.to_vec(), backwards] {
            let tags = PathTags::of_rows(rows);
            assert_eq!(tags.of("a", b"/x"), ["u", "v"]);
            assert_eq!(tags.of("b", b"/x"), ["w"]);
            assert!(tags.of("a", b"/").is_empty() && tags.of("a", b"/xx").is_empty());
        }
    }

    #[test]
    fn what_is_below_a_tagged_directory() {
        let tags = PathTags::of_rows([
            row("a", "/d", "t", 1, true),
            row("a", "/d/e/f", "u", 1, true),
            row("a", "/dd", "u", 1, true),
        ]);
        for (path, list, want) in [
            ("/d", "t", true),
            ("/d/e", "t", true),
            ("/d/e/f", "t,u", true),
            ("/d/e/g", "t,u", false),
            ("/d/e/g", "u x t", true),
            ("/dd", "t", false),
            ("/", "t", false),
        ] {
            assert_eq!(
                tags.has_any("a", path.as_bytes(), &lists(list)),
                want,
                "{path} {list}"
            );
            assert!(!tags.has_any("b", path.as_bytes(), &lists(list)));
        }
        let paths = |list: &str| tags.paths(&lists(list)).len();
        assert_eq!(
            (paths("u"), paths("t,u"), paths("t u"), tags.paths(&[]).len()),
            (2, 0, 3, 3)
        );
        let root = PathTags::of_rows([row("a", "/", "t", 1, true)]);
        assert!(root.has_any("a", b"/any/thing", &lists("t")));
    }

    #[test]
    fn a_machine_says_only_what_is_new() {
        let others = PathTags::of_rows([row("a", "/x", "theirs", 100, true)]);
        let own = PathTags::of_rows([row("a", "/x", "mine", 50, true)]);
        let texts = |list: &[&str]| list.iter().map(|tag| tag.to_string()).collect::<Vec<_>>();
        let edited = |edit: PathTagEdit, is_partly_unread: bool| {
            let change = PathTagChange {
                host: "a".to_string(),
                path: b"/x".to_vec(),
                edit,
            };
            let mut tags = OwnTags::new(own.clone(), others.clone(), is_partly_unread);
            tags.apply(&change, 60);
            assert_eq!(tags.all.all, tags.own.with(&others).all);
            tags.own.into_rows()
        };
        let edit = |add: &[&str], remove: &[&str]| PathTagEdit::Edit {
            add: texts(add),
            remove: texts(remove),
        };
        let change = |add: &[&str], remove: &[&str]| edited(edit(add, remove), false);
        assert_eq!(
            change(&["theirs", "mine"], &[]),
            own.clone().into_rows(),
            "both are there"
        );
        assert!(change(&[], &["mine"]).is_empty(), "nobody else says it");
        let denied = change(&[], &["theirs"]);
        assert_eq!(
            denied[1],
            row("a", "/x", "theirs", 101, false),
            "after what was said before"
        );
        assert_eq!(change(&["new"], &["none"])[1], row("a", "/x", "new", 60, true));
        let replaced = edited(PathTagEdit::Replace(texts(&["mine", "new"])), false);
        let mine = row("a", "/x", "mine", 50, true);
        assert_eq!(
            replaced,
            [mine.clone(), row("a", "/x", "new", 60, true), denied[1].clone()]
        );
        // Somebody who could not be read may say it.
        let denied = edited(edit(&[], &["mine"]), true);
        assert_eq!(denied, [row("a", "/x", "mine", 60, false)]);
        let denied = edited(edit(&[], &["none"]), true);
        assert_eq!(denied, [mine, row("a", "/x", "none", 60, false)]);
    }
}
