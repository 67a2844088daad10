//! Runs that end early, targets that change or fill up, remotes that fail: an error or a problem, never half a file.

use super::kit::{Kit, Recorder, assert_same, facts, noise, tiny};
use crate::entry::{Content, Kind};
use crate::error::{Error, StoreError};
use crate::repo::Repo;
use crate::restore::window::{Builder, Limits};
use crate::restore::{RestoreOptions, run, run_within};
use crate::run::{LocalDirs, RunContext};
use chunkstore::remote::{AllEnded, Kind as ObjectKind, Memory, ObjectName, Published, Remote, Staged};
use chunkstore::slot::Secret;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

fn fill(kit: &Kit) {
    for dir in 0..6u64 {
        let dir = kit.source().join(format!("d{dir}"));
        fs::create_dir(&dir).unwrap();
        for i in 0..10 {
            fs::write(dir.join(format!("f{i}")), noise(i, 300 + i as usize * 900)).unwrap();
        }
        fs::write(dir.join("large"), noise(99, 200_000)).unwrap();
    }
}

#[test]
fn interrupted_at_any_file() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    let wanted = facts(&kit.source());
    let mut most = 0;
    for (limits, verify) in [(Limits::default(), false), (tiny(), false), (tiny(), true)] {
        for after in [0, 1, 2, 10, 30, 60] {
            let mut options = kit.options();
            options.verify = verify;
            let repo = reopened(&kit, Arc::new(Wrapped::new(&kit)));
            let recorder = Recorder::stopping_after(after, repo.run().cancel().clone());
            let result = run_within(&repo, &manifest, &options, &recorder, limits);
            assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
            assert_eq!(recorder.problems.lock().as_slice(), &[]);
            let found = facts(&kit.target());
            for (path, fact) in &found {
                if fact.kind == Kind::File {
                    assert_eq!(fact, &wanted[path], "{}", path.display());
                }
            }
            most = most.max(found.len());
            fs::remove_dir_all(kit.target()).unwrap();
        }
    }
    assert!(most > 20, "{most}");
}

/// Fails, or counts, reads of packs.
pub(super) struct Wrapped {
    inner: Memory,
    pub until_error: AtomicI64,
    kind: io::ErrorKind,
    raw: Option<i32>,
    config_too: bool,
    pub pack_reads: AtomicU64,
}

impl Wrapped {
    /// Goes away altogether after so many reads of packs.
    pub fn going_away(kit: &Kit, reads: i64) -> Arc<Wrapped> {
        let wrapped = Wrapped {
            config_too: true,
            ..Wrapped::new(kit)
        };
        wrapped.until_error.store(reads, Relaxed);
        Arc::new(wrapped)
    }

    pub fn new(kit: &Kit) -> Wrapped {
        Wrapped {
            inner: kit.remote.clone(),
            until_error: AtomicI64::new(i64::MAX),
            kind: io::ErrorKind::TimedOut,
            raw: None,
            config_too: false,
            pack_reads: AtomicU64::new(0),
        }
    }

    fn error(&self, name: &ObjectName) -> StoreError {
        let source = match self.raw {
            Some(raw) => io::Error::from_raw_os_error(raw),
            None => self.kind.into(),
        };
        StoreError::remote(chunkstore::error::Operation::Read, name, source)
    }
}

impl Remote for Wrapped {
    fn location(&self) -> String {
        self.inner.location()
    }
    fn begin(&self) -> chunkstore::Result<Box<dyn Staged>> {
        self.inner.begin()
    }
    fn read(&self, name: &ObjectName, offset: u64, len: usize, out: &mut Vec<u8>) -> chunkstore::Result<()> {
        let left = match name.kind() {
            ObjectKind::Pack => {
                self.pack_reads.fetch_add(1, Relaxed);
                self.until_error.fetch_sub(1, Relaxed)
            }
            ObjectKind::Config if self.config_too => self.until_error.load(Relaxed),
            _ => 1,
        };
        match left <= 0 {
            true => Err(self.error(name)),
            false => self.inner.read(name, offset, len, out),
        }
    }
    fn size(&self, name: &ObjectName) -> chunkstore::Result<Option<u64>> {
        self.inner.size(name)
    }
    fn list(
        &self,
        kind: ObjectKind,
        each: &mut dyn FnMut(ObjectName, u64) -> chunkstore::Result<()>,
    ) -> chunkstore::Result<()> {
        self.inner.list(kind, each)
    }
    fn delete(&self, name: &ObjectName) -> chunkstore::Result<()> {
        self.inner.delete(name)
    }
    fn barrier(&self) -> chunkstore::Result<()> {
        self.inner.barrier()
    }
    fn sweep_staged(&self, all_ended: &mut AllEnded<'_>) -> chunkstore::Result<u64> {
        self.inner.sweep_staged(all_ended)
    }
    fn put(&self, name: &ObjectName, bytes: &[u8]) -> chunkstore::Result<Published> {
        self.inner.put(name, bytes)
    }
}

pub(super) fn reopened(kit: &Kit, remote: Arc<Wrapped>) -> Repo {
    let dirs = LocalDirs {
        cache: kit.source().with_file_name("cache2"),
        state: kit.source().with_file_name("state2"),
    };
    let run = RunContext {
        threads: kit.repo.run().threads,
        ..RunContext::new(dirs)
    };
    Repo::open_on(remote, &Secret::KeyFile([7; 32].into()), &run).unwrap()
}

#[test]
fn a_remote_that_goes_away_ends_the_run() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    let wanted = facts(&kit.source());
    let cases = [
        (false, tiny(), false),
        (true, tiny(), false),
        (false, Limits::default(), false),
        (false, tiny(), true),
        (true, Limits::default(), true),
    ];
    for (verify, limits, others) in cases {
        for after in [0, 1, 2, 3, 5, 9, 20] {
            let remote = Arc::new(Wrapped {
                config_too: true,
                ..Wrapped::new(&kit)
            });
            let mut repo = reopened(&kit, remote.clone());
            remote.until_error.store(after, Relaxed);
            if others {
                // One that is away, too: what is wrong is still reported by its cause.
                let away = ("away".to_string(), "/nowhere/at/all".to_string());
                repo = repo.or_from(vec![away]);
            }
            let mut options = kit.options();
            options.verify = verify;
            let recorder = Recorder::default();
            let result = run_within(&repo, &manifest, &options, &recorder, limits);
            if remote.pack_reads.load(Relaxed) <= after as u64 {
                result.unwrap();
            } else {
                let error = result.unwrap_err();
                assert!(
                    matches!(error, Error::Store(StoreError::Remote { .. })),
                    "{error}"
                );
            }
            assert_eq!(recorder.problems.lock().as_slice(), &[]);
            if kit.target().exists() {
                for (path, fact) in facts(&kit.target()) {
                    assert!(
                        fact.kind != Kind::File || fact == wanted[&path],
                        "{}",
                        path.display()
                    );
                }
                fs::remove_dir_all(kit.target()).unwrap();
            }
        }
    }
}

#[test]
fn a_bad_sector_is_damage_and_a_dead_disk_is_not() {
    let kit = Kit::new();
    let manifest = kit.craft(|craft| {
        craft.file("file", b"file");
        craft.entry("fifo", Kind::Fifo, Content::None, 0);
    });
    const EIO: i32 = 5;
    for config_too in [false, true] {
        let mut remote = Wrapped::new(&kit);
        (remote.raw, remote.config_too) = (Some(EIO), config_too);
        // The tree is read, and then nothing more of the packs.
        remote.until_error.store(1, Relaxed);
        let repo = reopened(&kit, Arc::new(remote));
        let recorder = Recorder::default();
        let options = RestoreOptions::new(kit.target());
        match run(&repo, &manifest, &options, &recorder) {
            Ok(summary) => {
                assert!(!config_too);
                assert_eq!((summary.files_failed, summary.others), (1, 1));
            }
            Err(e) => assert!(config_too, "{e}"),
        }
        assert!(!kit.target().join("file").exists());
    }
}

#[test]
fn neighbours_are_read_at_once() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    let remote = Arc::new(Wrapped::new(&kit));
    let repo = reopened(&kit, remote.clone());
    run(&repo, &manifest, &kit.options(), &Recorder::default()).unwrap();
    let reads = remote.pack_reads.load(Relaxed);
    // A few for the tree's segment (by its hint or not) and one for each data pack.
    assert!(reads <= 12, "{reads} reads");
}

#[test]
fn somebody_swaps_directories_for_links() {
    let kit = Kit::new();
    for dir in 0..40u64 {
        let dir = kit.source().join(format!("d{dir:02}/inner"));
        fs::create_dir_all(&dir).unwrap();
        for i in 0..5 {
            fs::write(dir.join(format!("f{i}")), noise(i, 2000)).unwrap();
        }
    }
    let manifest = kit.backup();
    let outside = kit.source().with_file_name("outside");
    fs::create_dir_all(outside.join("inner")).unwrap();
    fs::write(outside.join("inner/f0"), b"mine").unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                for dir in 0..40 {
                    let dir = kit.target().join(format!("d{dir:02}"));
                    let aside = dir.with_extension("aside");
                    if fs::rename(&dir, &aside).is_ok() {
                        let _raced = symlink(&outside, &dir);
                    }
                }
            }
        });
        for _ in 0..10 {
            let _old = fs::remove_dir_all(kit.target());
            run_within(&kit.repo, &manifest, &kit.options(), &Recorder::default(), tiny()).unwrap();
        }
        done.store(true, Relaxed);
    });
    let found = facts(&outside);
    assert_eq!(found.len(), 3);
    assert_eq!(found[Path::new("inner/f0")].content, b"mine");
}

#[test]
fn a_full_disk_ends_the_run() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    fs::create_dir(kit.target()).unwrap();
    let mount = |args: &[&str]| std::process::Command::new(args[0]).args(&args[1..]).status();
    let target = kit.target();
    let target = target.to_str().unwrap();
    let mounted = mount(&["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", target]);
    assert!(mounted.unwrap().success(), "this test needs root and tmpfs");
    let (result, recorder) = kit.restore(&manifest, &kit.options());
    let found = facts(&kit.target());
    mount(&["umount", target]).unwrap();
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::NoSpace { .. })),
        "{error}"
    );
    assert_eq!(recorder.problems.lock().as_slice(), &[]);
    let wanted = facts(&kit.source());
    for (path, fact) in found {
        assert!(
            fact.kind != Kind::File || fact == wanted[&path],
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_directory_that_cannot_be_made() {
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    fs::create_dir(kit.target()).unwrap();
    let mut options = kit.options();
    options.overwrite = crate::restore::Overwrite::Never;
    fs::write(kit.target().join("d3"), b"mine").unwrap();
    let (result, recorder) = kit.restore(&manifest, &options);
    let summary = result.unwrap();
    assert_eq!((summary.files_failed, summary.files_restored), (11, 55));
    assert_eq!(recorder.hurt().len(), 1);
    assert_eq!(fs::read(kit.target().join("d3")).unwrap(), b"mine");
    assert_same(&facts(&kit.target().join("d4")), &facts(&kit.source().join("d4")));
}

#[test]
fn a_window_holds_no_more_than_its_limits() {
    let limits = tiny();
    let builder = Builder::default();
    assert!(builder.is_empty() && !builder.is_full(&limits));
    let kit = Kit::new();
    fill(&kit);
    let manifest = kit.backup();
    // Each window is at most two parts of a file: every large file spans many, and every window is at most two reads.
    let remote = Arc::new(Wrapped::new(&kit));
    let repo = reopened(&kit, remote.clone());
    run_within(&repo, &manifest, &kit.options(), &Recorder::default(), limits).unwrap();
    let reads = remote.pack_reads.load(Relaxed);
    assert!(reads > 100, "{reads} reads");
}
