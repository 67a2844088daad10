//! Restores that die: at each of their changes to the target, before, within or after it, with each `--overwrite`, also
//! when they change files in place or clone them. What has its own name is whole at every moment, and the next restore,
//! with each `--overwrite` again, makes everything good, goes on with large files, and leaves nothing behind.

use super::kit::{Fact, Kit, SnapshotInfo, assert_same, facts, noise, seeds};
use super::reuse::{small, usual};
use crate::entry::Kind;
use crate::fsmeta::{Changes, End, How};
use crate::manifest::Manifest;
use crate::restore::journal::is_leftover;
use crate::restore::window::Limits;
use crate::restore::{Overwrite, RestoreOptions, run_within};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

pub(super) const MODES: [Overwrite; 5] = [
    Overwrite::Always,
    Overwrite::IfChanged,
    Overwrite::IfNewer,
    Overwrite::Never,
    Overwrite::Rename,
];

/// One of each kind, and a file of many parts.
pub(super) fn fill(kit: &Kit) {
    let path = |name: &str| kit.source().join(name);
    for dir in ["d1", "d1/d2", "d3"] {
        fs::create_dir(path(dir)).unwrap();
    }
    for (number, name) in ["a", "d1/b", "d1/d2/c", "d3/d"].into_iter().enumerate() {
        fs::write(path(name), noise(number as u64, 700 + number * 900)).unwrap();
    }
    fs::write(path("d1/large"), noise(9, 60_000)).unwrap();
    let image = fs::File::create(path("d1/image")).unwrap();
    image.write_all_at(&noise(8, 40_000), 0).unwrap();
    image.write_all_at(&noise(7, 20_000), 100_000).unwrap();
    fs::write(path("empty"), b"").unwrap();
    let sparse = fs::File::create(path("d3/sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    sparse.write_all_at(b"end", 1_000_000).unwrap();
    fs::hard_link(path("a"), path("d3/link-to-a")).unwrap();
    symlink("nowhere", path("d1/symlink")).unwrap();
    fs::set_permissions(path("d1/b"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::set_permissions(path("d3"), fs::Permissions::from_mode(0o555)).unwrap();
}

fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_leftover(name.as_bytes()))
}

pub(super) fn leftovers(target: &Path) -> usize {
    facts(target).keys().filter(|path| is_ours(path)).count()
}

/// Everything but directories, which get their metadata last, and names that a restore gives itself.
pub(super) fn files(root: &Path) -> SnapshotInfo {
    let mut files = facts(root);
    files.retain(|path, fact| fact.kind != Kind::Dir && !is_ours(path));
    files
}

/// All but the target itself, which is the user's.
pub(super) fn everything(root: &Path) -> SnapshotInfo {
    let mut facts = facts(root);
    facts.remove(Path::new(""));
    // Which name of a file is met first is chance.
    facts.values_mut().for_each(|fact| fact.same_as = None);
    facts
}

/// The same content and metadata; which of its names stand for one file is known only when all are there.
pub(super) fn same(found: &Fact, wanted: &Fact) -> bool {
    let alone = |fact: &Fact| Fact {
        same_as: None,
        ..fact.clone()
    };
    alone(found) == alone(wanted)
}

/// A repository of two generations, and what they hold.
pub(super) struct Story {
    pub kit: Kit,
    pub old: Manifest,
    pub new: Manifest,
    pub before: SnapshotInfo,
    pub wanted: SnapshotInfo,
}

impl Story {
    pub fn new() -> Story {
        let kit = Kit::new().with_threads(1);
        fill(&kit);
        let old = kit.backup();
        let before = files(&kit.source());
        for (number, name) in ["a", "d1/large", "d3/d", "empty"].into_iter().enumerate() {
            fs::write(kit.source().join(name), noise(90 + number as u64, 40_000)).unwrap();
        }
        // Data where a hole was, a hole where data was, and a few bytes.
        let image = fs::File::options()
            .write(true)
            .open(kit.source().join("d1/image"));
        let image = image.unwrap();
        image.write_all_at(&noise(6, 10_000), 60_000).unwrap();
        crate::fsmeta::clear(&image, 104_000, 12_000).unwrap();
        image.write_all_at(b"changed", 20_000).unwrap();
        let new = kit.backup();
        let wanted = files(&kit.source());
        Story {
            kit,
            old,
            new,
            before,
            wanted,
        }
    }

    /// An empty place, or one where the older generation was restored.
    pub fn prepare(&self, over: bool) {
        if self.kit.target().exists() {
            fs::remove_dir_all(self.kit.target()).unwrap();
        }
        fs::create_dir(self.kit.target()).unwrap();
        if over {
            self.kit
                .restore_well(&self.old, &self.kit.options(), Limits::default());
        }
    }
}

/// What may happen in a restore and after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// There are older files in the target.
    pub over: bool,
    pub windows: Windows,
    pub first: Overwrite,
    pub writing: Changing,
}

/// How large files that are there are changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Changing {
    Copies,
    Clones,
    InPlace,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Windows {
    Tiny,
    Usual,
}

impl Life {
    pub fn all() -> Vec<Life> {
        let mut lives = Vec::new();
        for over in [false, true] {
            for windows in [Windows::Tiny, Windows::Usual] {
                for writing in [Changing::Copies, Changing::Clones, Changing::InPlace] {
                    // There is nothing to be changed.
                    if over || writing == Changing::Copies {
                        let life = |first| Life {
                            over,
                            windows,
                            first,
                            writing,
                        };
                        lives.extend(MODES.map(life));
                    }
                }
            }
        }
        lives
    }

    /// The restore that may die; whether it came to its end.
    pub fn run(&self, story: &Story, mut changes: Changes) -> bool {
        changes.clones = self.writing == Changing::Clones;
        let options = RestoreOptions {
            overwrite: self.first,
            in_place: self.writing == Changing::InPlace,
            changes,
            ..story.kit.options()
        };
        let limits = match self.windows {
            Windows::Tiny => small(),
            Windows::Usual => usual(),
        };
        // No one hears what a dead one reports.
        let recorder = super::kit::Recorder::default();
        run_within(&story.kit.repo, &story.new, &options, &recorder, limits).is_ok()
    }

    /// Every name that is not a restore's own leads to a whole file: the recorded one, or the one that was there.
    pub fn assert_whole(&self, story: &Story, what: &str) {
        for (path, fact) in files(&story.kit.target()) {
            let name = beside_of(&path);
            let was = story.before.get(&path).filter(|_| self.over);
            let is_whole = story.wanted.get(&name).is_some_and(|want| same(&fact, want))
                || was.is_some_and(|was| same(&fact, was));
            assert!(is_whole, "{what}: {} is {}", path.display(), short(&fact));
        }
    }

    /// The restore after it: every file is right, or left as the user asked.
    pub fn make_good(&self, story: &Story, second: Overwrite, may_leave: bool, what: &str) {
        let options = RestoreOptions {
            overwrite: second,
            ..story.kit.options()
        };
        let (result, recorder) = story.kit.restore(&story.new, &options);
        result.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(recorder.hurt().is_empty(), "{what}: {:?}", recorder.hurt());
        self.assert_good(story, second, may_leave, what);
    }

    /// What a restore that ended well leaves.
    pub fn assert_good(&self, story: &Story, second: Overwrite, may_leave: bool, what: &str) {
        let target = story.kit.target();
        assert!(may_leave || leftovers(&target) == 0, "{what}: something is left");
        let found = files(&target);
        for (path, fact) in &story.wanted {
            let at = |path: &Path| found.get(path);
            let is_right = at(path).is_some_and(|found| same(found, fact));
            let was = story.before.get(path).filter(|_| self.over);
            let is_left = was.is_some_and(|was| {
                at(path).is_some_and(|found| same(found, was))
                    && match second {
                        Overwrite::Always | Overwrite::IfChanged => false,
                        Overwrite::IfNewer => was.mtime >= fact.mtime,
                        Overwrite::Never => true,
                        Overwrite::Rename => found
                            .iter()
                            .any(|(beside, found)| beside_of(beside) == *path && same(found, fact)),
                    }
            });
            let what = || format!("{what}: {} is {:?}", path.display(), at(path).map(short));
            assert!(is_right || is_left, "{}", what());
        }
        self.assert_whole(story, what);
        if second == Overwrite::Always {
            let mut all = everything(&target);
            all.retain(|path, _| beside_of(path) == *path && !(may_leave && is_ours(path)));
            assert_same(&all, &everything(&story.kit.source()));
        }
    }
}

/// The name beside which this one was restored, or the same.
fn beside_of(path: &Path) -> PathBuf {
    let name = path.to_string_lossy();
    name.split(".restored").next().unwrap_or_default().into()
}

fn short(fact: &Fact) -> String {
    let start = fact.content.get(..20).unwrap_or(&fact.content);
    let (len, mode, mtime) = (fact.content.len(), fact.mode, fact.mtime);
    format!("{:?} {mode:o} {mtime:?}, {len} bytes: {start:x?}", fact.kind)
}

/// A death and what follows.
struct Case {
    life: Life,
    at: u64,
    how: How,
    second: Overwrite,
}

/// Everything that can be tried, counted: each change of each life, three ways to die there, each `--overwrite` after it.
struct Product {
    lives: Vec<(Life, u64)>,
}

impl Product {
    fn of(story: &Story) -> Product {
        let mut lives = Vec::new();
        for life in Life::all() {
            story.prepare(life.over);
            let never = End::new(u64::MAX, How::Before);
            let changes = Changes {
                end: Some(never.clone()),
                ..Changes::default()
            };
            assert!(life.run(story, changes), "{life:?}");
            lives.push((life, never.changes()));
        }
        Product { lives }
    }

    fn count(&self) -> u64 {
        self.lives.iter().map(|(_, changes)| changes * 15).sum()
    }

    fn case(&self, mut number: u64) -> Option<Case> {
        for (life, changes) in &self.lives {
            if number < changes * 15 {
                return Some(Case {
                    life: *life,
                    at: number / 15,
                    how: [How::Before, How::Within, How::After][(number % 3) as usize],
                    second: MODES[(number / 3 % 5) as usize],
                });
            }
            number -= changes * 15;
        }
        None
    }
}

/// A sample in every run of the tests; as many runs as it takes try all of it.
#[test]
fn a_restore_that_dies_anywhere_is_made_good_by_the_next() {
    let story = Story::new();
    let product = Product::of(&story);
    let (count, seeds) = (product.count(), seeds(1000));
    // Prime, and so without a divisor that the count has: neighbours are tried far from each other, and all once.
    let stride = [1_000_003, 999_983]
        .into_iter()
        .find(|prime| count % prime != 0)
        .unwrap();
    let mut deaths = 0;
    for seed in seeds.clone() {
        let number = seed % count * stride % count;
        let Case {
            life,
            at,
            how,
            second,
        } = product.case(number).unwrap();
        let what = format!("seed {seed}: {life:?} dies at change {at} {how:?}, then {second:?}");
        story.prepare(life.over);
        let end = End::new(at, how);
        let changes = Changes {
            end: Some(end.clone()),
            ..Changes::default()
        };
        let _dead = life.run(&story, changes);
        deaths += u64::from(end.ended());
        life.assert_whole(&story, &what);
        life.make_good(&story, second, false, &what);
    }
    println!(
        "restores: {} cases, seeds {} to {}; there are {count}",
        seeds.end - seeds.start,
        seeds.start,
        seeds.end - 1
    );
    assert!(count > 20_000, "{count}");
    assert!(deaths >= (seeds.end - seeds.start) * 9 / 10, "{deaths}");
}
