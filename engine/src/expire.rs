//! Deleted files whose time is over: what the source of a set has not had for so long that older generations give it up.
//! The generations themselves stay; [`crate::purge`] publishes them again without these paths.
//!
//! The time counts back from the newest generation, as that of every rule of retention does. The newest generation that
//! is as old or older is the *base*: it says what the source held then. A path is over where neither the base nor any
//! generation since has it, so it is kept for at least that long after the first generation that lacked it. Only
//! generations before the base are changed. docs/decisions/0058-deleted-files.md has the reasons.
//!
//! A generation that could not look, or was not asked to, says nothing of what is there ([`Sight`]).

use crate::entry::{Kind, Trouble, join};
use crate::error::Result;
use crate::facts::{Dated, SnapshotInfo, newest_first};
use crate::list::{is_at_or_below, relative};
use crate::manifest::{MISSING_MAX, Manifest, UNREADABLE_MAX};
use crate::platform::files;
use crate::repo::Repo;
use crate::tree::{self, Change};
use crate::trees::cursor;
use chunkstore::SessionId;
use chunkstore::reader::Reader;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// Paths that one run finds, so that memory stays bounded; the next run finds the others.
const PATHS_MAX: usize = 1 << 18;

/// The generations of one set, as far as they decide which deleted files are over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpiryPlan {
    newest: SessionId,
    base: SessionId,
    /// After the base, oldest first.
    since: Vec<SessionId>,
    /// Before the base, oldest first: those that may be changed.
    before: Vec<SessionId>,
}

impl ExpiryPlan {
    /// `None` where no generation could be changed. `members` are all generations of the set, and `newest_at` is the time
    /// that counts as now: that of the newest of them, or of one that is imagined.
    pub fn new(
        members: &[&SnapshotInfo],
        keep: &Span,
        zone: &TimeZone,
        newest_at: Timestamp,
        may_change: &dyn Fn(&SnapshotInfo) -> bool,
    ) -> Option<ExpiryPlan> {
        // Before the calendar began, nothing is old enough.
        let cut_off = newest_at.to_zoned(zone.clone()).checked_sub(*keep).ok()?;
        let cut_off = cut_off.timestamp();
        let mut list = members.to_vec();
        list.sort_by(|a, b| newest_first(a, b));
        let is_complete = |facts: &SnapshotInfo| !facts.partial && !facts.is_in_future();
        let newest = list.iter().find(|facts| is_complete(facts))?.id;
        // When one was made whose clock was wrong is not known.
        let is_base = |facts: &&SnapshotInfo| {
            is_complete(facts) && facts.dated == Dated::Believed && facts.at <= cut_off
        };
        let place = list.iter().position(is_base)?;
        let ids = |part: &[&SnapshotInfo]| part.iter().rev().map(|facts| facts.id).collect::<Vec<_>>();
        let (since, rest) = list.split_at(place);
        let (base, before) = rest.split_first()?;
        let changed: Vec<&SnapshotInfo> = before.iter().copied().filter(|facts| may_change(facts)).collect();
        (!changed.is_empty()).then(|| ExpiryPlan {
            newest,
            base: base.id,
            since: ids(since),
            before: ids(&changed),
        })
    }

    /// The time that counts as now: that of the newest complete generation.
    pub fn newest_at(members: &[&SnapshotInfo]) -> Option<Timestamp> {
        let complete = members
            .iter()
            .filter(|facts| !facts.partial && !facts.is_in_future());
        complete.map(|facts| facts.at).max()
    }

    /// The generations that may hold paths that are over, oldest first.
    pub fn before(&self) -> &[SessionId] {
        &self.before
    }

    /// A name for what there is to compare.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for id in std::iter::once(&self.base).chain(&self.before) {
            hasher.update(&id.0);
        }
        *hasher.finalize().as_bytes()
    }
}

/// A path that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExpiredPath {
    /// The last generation before the base that holds it.
    pub held_by: SessionId,
    pub is_dir: bool,
    /// Bytes of a regular file.
    pub size: Option<u64>,
}

/// The paths that are over, relative to `/`.
#[derive(Clone, Debug, Default)]
pub struct ExpiredPaths {
    pub paths: BTreeMap<Vec<u8>, ExpiredPath>,
    /// There are more than are named here.
    pub more: bool,
    /// Others may be over: the base or the newest generation could not look where they were.
    pub doubtful: bool,
}

impl ExpiredPaths {
    /// Whether this path is one of them.
    pub fn names(&self, path: &[u8]) -> bool {
        self.paths.contains_key(path)
    }

    /// Regular files, and their bytes.
    pub fn files(&self) -> (u64, u64) {
        let sizes = self.paths.values().filter_map(|path| path.size);
        sizes.fold((0, 0), |(files, bytes), size| {
            (files + 1, size.saturating_add(bytes))
        })
    }

    /// Those that are not below another of them.
    pub fn tops(&self) -> impl Iterator<Item = (&[u8], &ExpiredPath)> {
        let is_top = |path: &[u8]| !parent_of(path).is_some_and(|above| self.paths.contains_key(above));
        let all = self.paths.iter().map(|(path, one)| (path.as_slice(), one));
        all.filter(move |(path, _)| is_top(path))
    }
}

/// Finds what is over. Costs as much as what differs between the generations.
pub fn find(repo: &Repo, reader: &Reader<'_>, plan: &ExpiryPlan) -> Result<ExpiredPaths> {
    let mut found = ExpiredPaths::default();
    let mut steps = plan.before.iter().chain([&plan.base]).copied();
    if let Some(first) = steps.next() {
        let mut old = first;
        for new in steps {
            each_change(repo, reader, (old, new), &mut |change| found.follow(old, change))?;
            old = new;
        }
    }
    let mut old = plan.base;
    for new in &plan.since {
        if found.paths.is_empty() {
            break;
        }
        each_change(repo, reader, (old, *new), &mut |change| found.spare(change))?;
        old = *new;
    }
    let newest = Some(plan.newest).filter(|newest| *newest != plan.base);
    for id in std::iter::once(plan.base).chain(newest) {
        if !found.paths.is_empty() {
            Sight::of(repo.manifest(id)?).confirm(reader, &mut found)?;
        }
    }
    Ok(found)
}

fn each_change(
    repo: &Repo,
    reader: &Reader<'_>,
    (old, new): (SessionId, SessionId),
    each: &mut dyn FnMut(Change),
) -> Result<()> {
    let old = cursor(reader, &repo.manifest(old)?.root()?)?;
    let new = cursor(reader, &repo.manifest(new)?.root()?)?;
    for change in tree::diff(old, new) {
        repo.run().cancel().check()?;
        each(change?);
    }
    Ok(())
}

impl ExpiredPaths {
    /// From one generation before the base to the next, or to the base.
    fn follow(&mut self, held_by: SessionId, change: Change) {
        match change {
            Change::Removed(item) if self.paths.len() >= PATHS_MAX => {
                let path = join(&item.dir, &item.entry.name);
                // What is above goes as a whole.
                self.more |= !parent_of(&path).is_some_and(|above| self.paths.contains_key(above));
            }
            Change::Removed(item) => {
                let path = join(&item.dir, &item.entry.name);
                let one = ExpiredPath {
                    held_by,
                    is_dir: item.entry.kind == Kind::Dir,
                    size: (item.entry.kind == Kind::File).then_some(item.entry.meta.size),
                };
                self.paths.insert(path, one);
            }
            change => self.spare(change),
        }
    }

    /// What is there again is not deleted.
    fn spare(&mut self, change: Change) {
        if let Change::Added(item) = change {
            self.paths.remove(&join(&item.dir, &item.entry.name));
        }
    }
}

/// What a generation can tell: that something is not there, if it looked.
struct Sight {
    manifest: Manifest,
    /// Relative to `/`.
    sources: Vec<Vec<u8>>,
    unknown: Vec<Vec<u8>>,
    /// More was unknown than a manifest names.
    is_blind: bool,
}

impl Sight {
    fn of(manifest: Manifest) -> Sight {
        let missing = manifest.missing.iter().map(|missing| &missing.path);
        let unknown = missing.chain(&manifest.unreadable_dirs);
        Sight {
            sources: manifest
                .paths
                .iter()
                .map(|path| relative(path).to_vec())
                .collect(),
            unknown: unknown.map(|path| relative(path).to_vec()).collect(),
            is_blind: manifest.missing.len() >= MISSING_MAX
                || manifest.unreadable_dirs.len() >= UNREADABLE_MAX,
            manifest,
        }
    }

    /// Leaves out what this generation may lack for another reason than that it was deleted.
    fn confirm(&self, reader: &Reader<'_>, found: &mut ExpiredPaths) -> Result<()> {
        if self.is_blind {
            found.doubtful = true;
            found.paths.clear();
            return Ok(());
        }
        let mut doubted: HashSet<Vec<u8>> = HashSet::new();
        let mut cursor = cursor(reader, &self.manifest.root()?)?;
        let mut asked: Option<(Vec<u8>, bool)> = None;
        // What is above comes first.
        for path in found.paths.keys() {
            let is_doubtful = match parent_of(path) {
                Some(above) if found.paths.contains_key(above) => doubted.contains(above),
                Some(above) => match &asked {
                    Some((known, is_read)) if known == above => !*is_read,
                    _ => {
                        let entry = cursor.lookup(above)?.map(|item| item.entry);
                        let is_read = !entry.is_some_and(|entry| hides(entry.trouble));
                        asked = Some((above.to_vec(), is_read));
                        !is_read
                    }
                },
                None => false,
            };
            if is_doubtful || !self.sees(path) {
                doubted.insert(path.clone());
            }
        }
        found.doubtful |= !doubted.is_empty();
        found.paths.retain(|path, _| !doubted.contains(path));
        Ok(())
    }

    /// Whether the backup looked at this path and at all below it.
    fn sees(&self, path: &[u8]) -> bool {
        let is_in_source = self.sources.iter().any(|source| is_at_or_below(path, source));
        let is_unknown = |above: &Vec<u8>| is_at_or_below(path, above) || is_at_or_below(above, path);
        is_in_source && !self.unknown.iter().any(is_unknown)
    }
}

/// What was in such a directory is not known.
fn hides(trouble: Option<Trouble>) -> bool {
    match trouble {
        Some(Trouble::Unreadable { .. } | Trouble::Unknown { .. }) => true,
        Some(Trouble::Changed | Trouble::NoXattrs { .. }) | None => false,
    }
}

/// `None` for a name in `/`.
fn parent_of(path: &[u8]) -> Option<&[u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    path.get(..slash)
}

/// Whether an earlier run found that nothing is over in these generations, so that none of them need be read. `set` is any
/// name that stays the same.
pub fn is_settled(repo: &Repo, set: &str, plan: &ExpiryPlan) -> bool {
    std::fs::read(note_path(repo, set)).is_ok_and(|known| known == plan.digest())
}

/// Notes that nothing is over. Without the note, the next run looks again.
pub fn settle(repo: &Repo, set: &str, plan: &ExpiryPlan) {
    // Nothing depends on it.
    let _ = files::write_hint(&note_path(repo, set), &plan.digest());
}

fn note_path(repo: &Repo, set: &str) -> std::path::PathBuf {
    let name = &blake3::hash(set.as_bytes()).to_hex()[..32];
    repo.store.cache().join("expired").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Made;
    use crate::order;

    const DAY: i64 = 86_400;

    /// Generations by day, newest last.
    fn made(days: &[i64]) -> Vec<SnapshotInfo> {
        let facts = |(nr, day): (usize, &i64)| {
            let at = order::at(day * DAY);
            let mut facts = SnapshotInfo::imagined(nr as u64 + 1, at);
            facts.made = Made {
                machine: [7; 16],
                ..facts.made
            };
            facts
        };
        days.iter().enumerate().map(facts).collect()
    }

    fn plan(
        all: &[SnapshotInfo],
        days: i64,
        may_change: &dyn Fn(&SnapshotInfo) -> bool,
    ) -> Option<Vec<Vec<u8>>> {
        let members: Vec<&SnapshotInfo> = all.iter().collect();
        let newest_at = ExpiryPlan::newest_at(&members)?;
        let keep = Span::new().days(days);
        let plan = ExpiryPlan::new(&members, &keep, &TimeZone::UTC, newest_at, may_change)?;
        let numbers = |ids: &[SessionId]| ids.iter().map(|id| id.0[0]).collect();
        Some(vec![
            numbers(&plan.before),
            numbers(&[plan.base]),
            numbers(&plan.since),
        ])
    }

    #[test]
    fn which_generations_decide_and_which_are_changed() {
        let all = made(&[1, 2, 3, 50, 60, 100]);
        let any = |_: &SnapshotInfo| true;
        assert_eq!(
            plan(&all, 40, &any),
            Some(vec![vec![1, 2, 3, 4], vec![5], vec![6]])
        );
        assert_eq!(
            plan(&all, 90, &any),
            Some(vec![vec![1, 2], vec![3], vec![4, 5, 6]])
        );
        assert_eq!(plan(&all, 99, &any), None, "nothing is before the base");
        assert_eq!(plan(&all, 100, &any), None, "nothing is old enough");
        assert_eq!(plan(&[], 1, &any), None);
        let odd = |facts: &SnapshotInfo| facts.id.0[0] % 2 == 1;
        assert_eq!(plan(&all, 40, &odd), Some(vec![vec![1, 3], vec![5], vec![6]]));
        assert_eq!(plan(&all, 40, &|_| false), None);
    }

    #[test]
    fn what_can_not_say_when_it_was_made_is_no_base() {
        let any = |_: &SnapshotInfo| true;
        let mut all = made(&[1, 2, 50, 60, 100]);
        all[3].dated = Dated::Doubtful;
        assert_eq!(plan(&all, 40, &any), Some(vec![vec![1, 2], vec![3], vec![4, 5]]));
        all[2].partial = true;
        assert_eq!(plan(&all, 40, &any), Some(vec![vec![1], vec![2], vec![3, 4, 5]]));
        // The newest complete one counts as now.
        all[4].partial = true;
        assert_eq!(plan(&all, 58, &any), Some(vec![vec![1], vec![2], vec![3, 4, 5]]));
        assert_eq!(plan(&all, 59, &any), None);
    }

    #[test]
    fn tops() {
        let mut found = ExpiredPaths::default();
        for (path, size) in [
            ("a", None),
            ("a/b", Some(3)),
            ("a/c", Some(4)),
            ("ab", Some(5)),
            ("d/e", Some(6)),
        ] {
            let one = ExpiredPath {
                held_by: SessionId([1; 16]),
                is_dir: size.is_none(),
                size,
            };
            found.paths.insert(path.as_bytes().to_vec(), one);
        }
        let tops: Vec<&[u8]> = found.tops().map(|(path, _)| path).collect();
        assert_eq!(tops, [b"a".as_slice(), b"ab", b"d/e"]);
        assert_eq!(found.files(), (4, 18));
    }

    #[test]
    fn what_was_not_looked_at_is_not_deleted() {
        let mut sight = Sight {
            manifest: blank(),
            sources: vec![b"home/u".to_vec(), b"etc".to_vec()],
            unknown: vec![b"home/u/mnt".to_vec()],
            is_blind: false,
        };
        for (path, want) in [
            ("home/u/a", true),
            ("home/u", false),
            ("home/u/mnt", false),
            ("home/u/mnt/x", false),
            ("home/u/mntx", true),
            ("home/v", false),
            ("etc", true),
        ] {
            assert_eq!(sight.sees(path.as_bytes()), want, "{path}");
        }
        sight.sources = vec![Vec::new()];
        assert!(sight.sees(b"home/v"), "everything is below /");
    }

    fn blank() -> Manifest {
        let head = crate::manifest::Head {
            set: String::new(),
            host: String::new(),
            user: String::new(),
            paths: Vec::new(),
            tags: Vec::new(),
            description: String::new(),
            time: Timestamp::UNIX_EPOCH,
            walk: crate::entry::Time::default(),
            machine: [0; 16],
        };
        let root = tree::Root::new(tree::Segments::Inline(Vec::new()));
        Manifest::new(&head, &root, crate::manifest::Summary::default())
    }
}
