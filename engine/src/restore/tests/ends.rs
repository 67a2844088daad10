//! Restores that die: at each of their changes to the target, before, within or after it. What has its own name is whole
//! at every moment, and the next restore makes everything good and leaves nothing behind.

use super::kit::{Fact, Facts, Kit, assert_same, facts, file_names, noise, tiny};
use crate::entry::Kind;
use crate::fsmeta::{Changes, End, How};
use crate::manifest::Manifest;
use crate::restore::leftovers::is_leftover;
use crate::restore::window::Limits;
use crate::restore::{Options, Overwrite, run_within};
use rustix::fs::{FlockOperation, flock};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

const MODES: [Overwrite; 5] = [
    Overwrite::Always,
    Overwrite::IfChanged,
    Overwrite::IfNewer,
    Overwrite::Never,
    Overwrite::Rename,
];

/// One of each kind, and a file of many parts.
fn fill(kit: &Kit) {
    let path = |name: &str| kit.source().join(name);
    for dir in ["d1", "d1/d2", "d3"] {
        fs::create_dir(path(dir)).unwrap();
    }
    for (number, name) in ["a", "d1/b", "d1/d2/c", "d3/d"].into_iter().enumerate() {
        fs::write(path(name), noise(number as u64, 700 + number * 900)).unwrap();
    }
    fs::write(path("d1/large"), noise(9, 60_000)).unwrap();
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

fn leftovers(target: &Path) -> usize {
    facts(target).keys().filter(|path| is_ours(path)).count()
}

/// Everything but directories, which get their metadata last, and names that a restore gives itself.
fn files(root: &Path) -> Facts {
    let mut files = facts(root);
    files.retain(|path, fact| fact.kind != Kind::Dir && !is_ours(path));
    files
}

/// All but the target itself, which is the user's.
fn everything(root: &Path) -> Facts {
    let mut facts = facts(root);
    facts.remove(Path::new(""));
    // Which name of a file is met first is chance.
    facts.values_mut().for_each(|fact| fact.same_as = None);
    facts
}

/// The same content and metadata; which of its names stand for one file is known only when all are there.
fn same(found: &Fact, wanted: &Fact) -> bool {
    let alone = |fact: &Fact| Fact {
        same_as: None,
        ..fact.clone()
    };
    alone(found) == alone(wanted)
}

struct Death<'k> {
    kit: &'k Kit,
    manifest: &'k Manifest,
    limits: Limits,
    /// What the target has before: nothing, or what an older restore left there.
    before: Option<&'k Facts>,
}

impl Death<'_> {
    fn options(&self, overwrite: Overwrite) -> Options {
        Options {
            overwrite,
            threads: 1,
            ..self.kit.options()
        }
    }

    /// A restore that ends at change `at`; whether it came to that.
    fn die(&self, at: u64, how: How, wanted: &Facts) -> bool {
        let end = End::new(at, how);
        let mut options = self.options(Overwrite::Always);
        options.changes = Changes {
            end: Some(end.clone()),
            ..Changes::default()
        };
        let recorder = super::kit::Recorder::default();
        // What it says nobody hears.
        let _dead = run_within(&self.kit.repo, self.manifest, &options, &recorder, self.limits);
        for (path, fact) in files(&self.kit.target()) {
            let was = self.before.and_then(|before| before.get(&path));
            let is_whole = same(&fact, &wanted[&path]) || was.is_some_and(|was| same(&fact, was));
            assert!(is_whole, "{at} {how:?}: {} is {fact:?}", path.display());
        }
        end.ended()
    }

    /// The restore after it.
    fn make_good(&self, overwrite: Overwrite, wanted: &Facts, what: &str) {
        self.kit
            .restore(self.manifest, &self.options(overwrite))
            .0
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(leftovers(&self.kit.target()), 0, "{what}");
        let found = files(&self.kit.target());
        for (path, fact) in wanted {
            let is_right = found.get(path).is_some_and(|found| same(found, fact));
            // What was there before this all, and is to be left, is left.
            let was = self.before.and_then(|before| before.get(path));
            let is_left = overwrite != Overwrite::Always
                && was.is_some_and(|was| found.get(path).is_some_and(|found| same(found, was)));
            assert!(
                is_right || is_left,
                "{what}: {} is {:?}",
                path.display(),
                found.get(path)
            );
        }
        if overwrite == Overwrite::Always {
            assert_same(&everything(&self.kit.target()), &everything(&self.kit.source()));
        }
    }
}

#[test]
fn a_restore_that_dies_anywhere_is_made_good_by_the_next() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    let wanted = files(&kit.source());
    let mut deaths = 0;
    for (number, limits) in [tiny(), Limits::default()].into_iter().enumerate() {
        let death = Death {
            kit: &kit,
            manifest: &manifest,
            limits,
            before: None,
        };
        for at in 0.. {
            let how = [How::Before, How::Within, How::After][(at as usize + number) % 3];
            let overwrite = MODES[(at as usize / 3 + number) % MODES.len()];
            let died = death.die(at, how, &wanted);
            death.make_good(overwrite, &wanted, &format!("{at} {how:?} {overwrite:?}"));
            fs::remove_dir_all(kit.target()).unwrap();
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    println!("{deaths} deaths");
    assert!(deaths > 100, "{deaths}");
}

#[test]
fn a_restore_over_older_files_that_dies_leaves_the_old_or_the_new() {
    let kit = Kit::new();
    fill(&kit);
    let old = kit.backup();
    for (number, name) in ["a", "d1/large", "d3/d", "empty"].into_iter().enumerate() {
        fs::write(kit.source().join(name), noise(90 + number as u64, 40_000)).unwrap();
    }
    let manifest = kit.backup();
    let wanted = files(&kit.source());
    for at in 0.. {
        kit.restore_well(&old, &kit.options(), Limits::default());
        let before = files(&kit.target());
        let death = Death {
            kit: &kit,
            manifest: &manifest,
            limits: tiny(),
            before: Some(&before),
        };
        let how = [How::After, How::Before, How::Within][at as usize % 3];
        let died = death.die(at, how, &wanted);
        let overwrite = MODES[at as usize / 3 % MODES.len()];
        death.make_good(overwrite, &wanted, &format!("{at} {how:?} {overwrite:?}"));
        fs::remove_dir_all(kit.target()).unwrap();
        if !died {
            break;
        }
    }
}

#[test]
fn what_a_living_restore_has_begun_stays() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    let target = kit.target();
    fs::create_dir(&target).unwrap();
    for (run, dir) in [("00000001", ""), ("00000002", "d1")] {
        fs::create_dir_all(target.join(dir)).unwrap();
        let journal = format!("{dir}\0d9\0gone");
        fs::write(target.join(format!(".dedup-restore-{run}")), journal).unwrap();
        fs::write(target.join(dir).join(format!(".dedup-restore-{run}-a")), b"half").unwrap();
    }
    let others = [
        ".dedup-restore-",
        ".dedup-restore-0000000g",
        ".dedup-restore-00000002-",
    ];
    for name in others {
        fs::write(target.join(name), b"the user's").unwrap();
    }
    let living = fs::File::open(target.join(".dedup-restore-00000001")).unwrap();
    flock(&living, FlockOperation::LockExclusive).unwrap();
    let (result, recorder) = kit.restore(&manifest, &kit.options());
    result.unwrap();
    let ours = |dir: &Path| {
        let mut names = file_names(dir);
        names.retain(|name| name.starts_with(".dedup-restore-"));
        names
    };
    let mut want: std::collections::BTreeSet<String> = others.map(str::to_string).into();
    let of_the_living = [".dedup-restore-00000001", ".dedup-restore-00000001-a"];
    want.extend(of_the_living.map(str::to_string));
    assert_eq!(ours(&target), want);
    assert_eq!(ours(&target.join("d1")).len(), 0);
    assert!(recorder.hurt().is_empty(), "{:?}", recorder.hurt());
    assert_eq!(
        recorder.problems.lock().len(),
        1,
        "that something was removed is told"
    );
    drop(living);
    let (result, _) = kit.restore(&manifest, &kit.options());
    assert_eq!(result.unwrap().files_restored, 0, "all is there");
    assert_eq!(ours(&target).len(), others.len());
}

/// A second restore writes nothing, and puts back only what differs.
#[test]
fn equal_files_are_left() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    kit.restore_well(&manifest, &kit.options(), Limits::default());
    let stamps = || {
        let mut stamps = std::collections::BTreeMap::new();
        for path in files(&kit.target()).keys() {
            use std::os::unix::fs::MetadataExt;
            let meta = fs::symlink_metadata(kit.target().join(path)).unwrap();
            stamps.insert(path.clone(), (meta.ino(), meta.ctime(), meta.ctime_nsec()));
        }
        stamps
    };
    let before = stamps();
    for overwrite in [Overwrite::Always, Overwrite::IfChanged] {
        let mut options = kit.options();
        options.overwrite = overwrite;
        let summary = kit.restore_well(&manifest, &options, tiny());
        assert_eq!(summary.files_restored, 0, "{overwrite:?}");
        assert_eq!(summary.files_unchanged, summary.total_files);
        assert_eq!((summary.files_skipped, summary.total_files), (8, 8));
    }
    // Set-id bits are set again in any case: what gave the file away may have cleared them.
    let changed = stamps();
    for (path, stamp) in &before {
        assert!(
            path == Path::new("d1/b") || changed[path] == *stamp,
            "{}",
            path.display()
        );
    }
    // The same size and time, other bytes.
    let hurt = kit.target().join("d1/large");
    let time = fs::metadata(&hurt).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&hurt).unwrap();
    file.write_all_at(b"!", 12_345).unwrap();
    file.set_modified(time).unwrap();
    let mut options = kit.options();
    options.overwrite = Overwrite::IfChanged;
    assert_eq!(kit.restore_well(&manifest, &options, tiny()).files_restored, 0);
    options.verify = true;
    let summary = kit.restore_well(&manifest, &options, tiny());
    assert_eq!((summary.files_restored, summary.files_verified), (1, 8));
    assert_same(&everything(&kit.target()), &everything(&kit.source()));
}
