//! A repository in memory, ways to fill it, and trees of files as values.

use crate::backup;
pub use crate::bench::noise;
use crate::entry::{Content, DirPath, Entry, Extent, Kind, Meta, Time, Trouble};
use crate::error::Result;
use crate::fsmeta::{self, Blank, FollowLinks, Owners};
use crate::manifest::{Head, Manifest};
use crate::monitor::{Monitor, Phase, Problem, ProblemKind, Progress};
use crate::repo::Repo;
use crate::restore::window::Limits;
use crate::restore::{RestoreOptions, Summary, run_within};
use crate::run::{CancelToken, LocalDirs, RunContext};
use crate::tree::{TreeWriter, cmp_keys};
use chunkstore::ChunkId;
use chunkstore::chunker::Bounds;
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{Kind as ObjectKind, Memory, ObjectName, Remote};
use chunkstore::slot::{Cost, Secret};
use chunkstore::store::{NewStore, Store};
use chunkstore::writer::Writer;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use tempfile::TempDir;

/// Chunks of a few KiB, so that small trees have many.
const BOUNDS: Bounds = Bounds {
    min: 1024,
    avg: 4096,
    max: 16 << 10,
};

/// Windows that hold next to nothing.
pub fn tiny() -> Limits {
    Limits {
        entries: 3,
        parts: 2,
        bytes: 6000,
        text: 300,
        open: 1,
        read: 5000,
        gap: 100,
        links: 1,
        resume: u64::MAX,
    }
}

/// Keeps what is reported to it; asks to stop after so many calls of `current`.
pub struct Recorder {
    pub problems: Mutex<Vec<Problem>>,
    pub last: Mutex<Progress>,
    until_stop: AtomicI64,
    run: CancelToken,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder::stopping_after(i64::MAX, CancelToken::new())
    }
}

impl Recorder {
    /// Cancels the run at this file.
    pub fn stopping_after(files: i64, run: CancelToken) -> Self {
        if files <= 0 {
            run.cancel();
        }
        Recorder {
            problems: Mutex::default(),
            last: Mutex::default(),
            until_stop: AtomicI64::new(files),
            run,
        }
    }

    /// Paths with a problem that is not only a warning.
    pub fn hurt(&self) -> BTreeSet<String> {
        let problems = self.problems.lock();
        let real = problems
            .iter()
            .filter(|p| !matches!(p.what, ProblemKind::Warning { .. }));
        real.map(|p| String::from_utf8_lossy(&p.path).into_owned())
            .collect()
    }
}

impl Monitor for Recorder {
    fn phase(&self, _: Phase) {}
    fn progress(&self, progress: &Progress) {
        *self.last.lock() = *progress;
    }
    fn current(&self, _: &[u8]) {
        if self.until_stop.fetch_sub(1, Relaxed) <= 1 {
            self.run.cancel();
        }
    }
    fn problem(&self, problem: &Problem) {
        self.problems.lock().push(problem.clone());
    }
}

pub struct Kit {
    dir: TempDir,
    pub remote: Memory,
    pub repo: Repo,
}

impl Kit {
    pub fn new() -> Kit {
        // Each restore ends with a sync of its whole file system, which in memory costs nothing.
        let memory = Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let remote = Memory::new();
        let secret = || Secret::KeyFile([7; 32].into());
        let new = NewStore {
            bounds: BOUNDS,
            secrets: &[(secret(), "test")],
            cost: Cost::FLOOR,
            now: 0,
        };
        Store::create(&remote, &new).unwrap();
        let dirs = LocalDirs {
            cache: dir.path().join("cache"),
            state: dir.path().join("state"),
        };
        let run = RunContext {
            host: "host".to_string(),
            threads: NonZeroUsize::new(2),
            ..RunContext::new(dirs)
        };
        let repo = Repo::open_on(Arc::new(remote.clone()), &secret(), &run).unwrap();
        fs::create_dir(dir.path().join("source")).unwrap();
        Kit { dir, remote, repo }
    }

    /// So many threads from now on.
    pub fn with_threads(mut self, threads: usize) -> Kit {
        self.repo.run_mut().threads = NonZeroUsize::new(threads);
        self
    }

    /// What is backed up.
    pub fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    /// Where it is restored to. Not there yet.
    pub fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    /// `source` restored with its whole path below the target.
    pub fn restored(&self) -> PathBuf {
        self.target().join(self.source().strip_prefix("/").unwrap())
    }

    /// `source` as a path in generations.
    pub fn subpath(&self) -> Vec<u8> {
        self.source().as_os_str().as_bytes().to_vec()
    }

    pub fn backup(&self) -> Manifest {
        let options = backup::BackupOptions {
            force: true,
            level: 1,
            ..backup::BackupOptions::new(vec![self.source()])
        };
        let report = backup::run(&self.repo, &options, None, &Recorder::default()).unwrap();
        self.repo.manifest(report.snapshot.unwrap()).unwrap()
    }

    /// RestoreOptions for the source's content to land directly in the target.
    pub fn options(&self) -> RestoreOptions {
        RestoreOptions {
            subpath: Some(self.subpath()),
            ..RestoreOptions::new(self.target())
        }
    }

    pub fn restore(&self, manifest: &Manifest, options: &RestoreOptions) -> (Result<Summary>, Recorder) {
        let recorder = Recorder::default();
        let result = run_within(&self.repo, manifest, options, &recorder, Limits::default());
        (result, recorder)
    }

    /// A restore that has nothing to complain about.
    pub fn restore_well(&self, manifest: &Manifest, options: &RestoreOptions, limits: Limits) -> Summary {
        let recorder = Recorder::default();
        let summary = run_within(&self.repo, manifest, options, &recorder, limits).unwrap();
        assert_eq!(recorder.problems.lock().as_slice(), &[]);
        assert_eq!(summary.problems, 0);
        summary
    }

    /// Every pack's name.
    pub fn packs(&self) -> Vec<ObjectName> {
        let mut names = Vec::new();
        let each = &mut |name, _| {
            names.push(name);
            Ok(())
        };
        self.remote.list(ObjectKind::Pack, each).unwrap();
        names
    }

    pub fn remote_size(&self, name: &ObjectName) -> u64 {
        self.remote.size(name).unwrap().unwrap()
    }

    /// Changes an object behind the repository's back.
    pub fn alter(&self, name: &ObjectName, alter: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.remote.get(name, usize::MAX - 1).unwrap();
        alter(&mut bytes);
        self.remote.delete(name).unwrap();
        self.remote.put(name, &bytes).unwrap();
    }

    /// Breaks the frame of a chunk.
    pub fn break_chunk(&self, id: &ChunkId) {
        let reader = self.repo.reader(&crate::monitor::Quiet);
        let place = reader.locate(id).unwrap().unwrap().place;
        self.alter(&ObjectName::pack(place.pack), |bytes| {
            bytes[place.offset as usize + place.stored_len as usize / 2] ^= 1;
        });
    }

    pub fn craft_entry(&self, name: &str) -> Entry {
        Entry {
            name: name.into(),
            kind: Kind::File,
            meta: plain_meta(0),
            content: Content::None,
            trouble: None,
        }
    }

    /// Writes a generation that no walk could have found.
    pub fn craft(&self, make: impl FnOnce(&mut Craft<'_>)) -> Manifest {
        let owner = self.repo.owner();
        let writer = Writer::begin(self.repo.store.clone(), owner, 1, false).unwrap();
        let mut craft = Craft {
            kit: self,
            writer: &writer,
            encoder: Encoder::new(1).unwrap(),
            entries: Vec::new(),
        };
        make(&mut craft);
        let mut entries = std::mem::take(&mut craft.entries);
        entries.sort_by(|(a, x), (b, y)| cmp_keys((a, &x.name), (b, &y.name)));
        let mut encoder = Encoder::new(1).unwrap();
        let mut tree = TreeWriter::new(*self.repo.store.keys().tree_cuts(), |plain: &[u8]| {
            Ok((writer.put(0, &mut encoder, Class::Tree, plain)?.id, None))
        });
        for (dir, entry) in entries {
            tree.push(&dir, entry).unwrap();
        }
        let root = tree.finish().unwrap();
        writer.flush().unwrap();
        let head = Head {
            set: String::new(),
            host: String::new(),
            user: String::new(),
            paths: vec![b"/".to_vec()],
            tags: Vec::new(),
            description: String::new(),
            time: jiff::Timestamp::UNIX_EPOCH,
            walk: Time::default(),
            machine: [0; 16],
        };
        Manifest::new(&head, &root, Default::default())
    }
}

pub struct Craft<'k> {
    kit: &'k Kit,
    writer: &'k Writer,
    encoder: Encoder,
    entries: Vec<(DirPath, Entry)>,
}

impl Craft<'_> {
    pub fn chunk(&mut self, bytes: &[u8]) -> ChunkId {
        let put = self.writer.put(0, &mut self.encoder, Class::Data, bytes).unwrap();
        put.id
    }

    pub fn tree_chunk(&mut self, bytes: &[u8]) -> ChunkId {
        let put = self.writer.put(0, &mut self.encoder, Class::Tree, bytes).unwrap();
        put.id
    }

    pub fn entry(&mut self, path: &str, kind: Kind, content: Content, size: u64) -> &mut Entry {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entry = Entry {
            name: name.into(),
            kind,
            meta: plain_meta(size),
            content,
            trouble: None,
        };
        self.entries.push((dir.as_bytes().into(), entry));
        &mut self.entries.last_mut().unwrap().1
    }

    pub fn dir(&mut self, path: &str) -> &mut Entry {
        let entry = self.entry(path, Kind::Dir, Content::None, 0);
        entry.meta.mode = 0o755;
        entry
    }

    /// A small file in a bundle of its own, with bytes around it.
    pub fn file(&mut self, path: &str, bytes: &[u8]) -> &mut Entry {
        let bundle = self.chunk(&[b"<<", bytes, b">>"].concat());
        let content = Content::Bundled {
            bundle,
            offset: 2,
            len: bytes.len() as u32,
            hash: self.kit.repo.store.keys().content_hash(bytes),
        };
        self.entry(path, Kind::File, content, bytes.len() as u64)
    }

    /// A file of these chunks; `Err` is a hole.
    pub fn pieces(
        &mut self,
        path: &str,
        pieces: &[std::result::Result<&[u8], u64>],
    ) -> (Vec<Extent>, &mut Entry) {
        let mut extents = Vec::new();
        for piece in pieces {
            extents.push(match piece {
                Ok(bytes) => Extent::Chunk {
                    id: self.chunk(bytes),
                    len: bytes.len() as u32,
                },
                Err(len) => Extent::Zero { len: *len },
            });
        }
        let size = extents.iter().map(Extent::len).sum();
        let content = Content::Extents(extents.clone());
        (extents, self.entry(path, Kind::File, content, size))
    }

    pub fn unreadable(&mut self, path: &str) {
        let entry = self.entry(path, Kind::File, Content::None, 0);
        entry.trouble = Some(Trouble::Unreadable { errno: 13 });
    }
}

pub fn plain_meta(size: u64) -> Meta {
    Meta {
        mode: 0o640,
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        size,
        mtime: Time {
            secs: 1_000_000_000,
            nanos: 123,
        },
        nlink: 1,
        ..Blank::default().meta()
    }
}

/// What can be observed of an object in a tree; for hard links, the first path of the object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    pub kind: Kind,
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: Time,
    pub content: Vec<u8>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub same_as: Option<PathBuf>,
}

pub type SnapshotInfo = BTreeMap<PathBuf, Fact>;

/// All that is below `root`, `root` itself as the empty path.
pub fn facts(root: &Path) -> SnapshotInfo {
    let (mut facts, mut inodes) = (SnapshotInfo::new(), BTreeMap::new());
    add_facts(root, Path::new(""), &mut facts, &mut inodes);
    facts
}

fn add_facts(root: &Path, at: &Path, facts: &mut SnapshotInfo, inodes: &mut BTreeMap<u64, PathBuf>) {
    let path = root.join(at);
    let (dir, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let dir = fs::File::open(dir).unwrap();
    let dir = std::os::fd::AsFd::as_fd(&dir);
    let (mut kind, mut meta) =
        fsmeta::stat(dir, name.as_bytes(), FollowLinks::No, &Blank::default()).unwrap();
    let owners = Owners::default();
    assert_eq!(
        fsmeta::complete(dir, name.as_bytes(), None, &owners, &mut kind, &mut meta),
        None
    );
    let content = match kind {
        Kind::File => fs::read(&path).unwrap(),
        _ => Vec::new(),
    };
    let first = inodes.entry(meta.ino).or_insert_with(|| at.to_path_buf());
    let fact = Fact {
        mode: meta.mode,
        owner: (meta.uid, meta.gid),
        mtime: meta.mtime,
        content,
        xattrs: meta
            .xattrs
            .iter()
            .map(|x| (x.name.clone(), x.value.clone()))
            .collect(),
        same_as: (*first != at).then(|| first.clone()),
        kind,
    };
    let is_dir = fact.kind == Kind::Dir;
    facts.insert(at.to_path_buf(), fact);
    if is_dir {
        for entry in fs::read_dir(&path).unwrap() {
            add_facts(root, &at.join(entry.unwrap().file_name()), facts, inodes);
        }
    }
}

/// Names the paths that differ, rather than print whole trees.
pub fn assert_same(found: &SnapshotInfo, wanted: &SnapshotInfo) {
    let paths: BTreeSet<&PathBuf> = found.keys().chain(wanted.keys()).collect();
    for path in paths {
        let (found, wanted) = (found.get(path), wanted.get(path));
        if found != wanted {
            let short = |fact: Option<&Fact>| {
                fact.map(|fact| {
                    let mut fact = fact.clone();
                    fact.content.truncate(40);
                    fact
                })
            };
            panic!(
                "{}: {:?}\nshould be {:?}",
                path.display(),
                short(found),
                short(wanted)
            );
        }
    }
}

pub fn file_names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

/// The seeds that a test runs with, as `kit::random::seeds` has them for whole-program tests.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok());
    let first = number("DEDUP_TEST_SEED").unwrap_or(1.0) as u64;
    let times = number("DEDUP_TEST_RUNS").unwrap_or(1.0);
    first..first + (count as f64 * times).ceil() as u64
}
