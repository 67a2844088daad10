//! The second golden repository, with a replica: what the first has none of. All are read once more by the decoder that
//! was written from docs/format.md alone, and between them hold everything that the document defines; what the format
//! gained since is in [`super::later`] and [`super::records`].

use super::{PASSWORD, describe, golden, secrets, sound, source_of};
use crate::format::by_hand::{self, Secret, Walk};
use crate::format::{Objects, hex};
use chunkstore::chunker::Bounds;
use chunkstore::config::Config;
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{Kind as ObjectKind, Local, Memory, Remote};
use chunkstore::session::Session;
use chunkstore::slot::Cost;
use chunkstore::store::{NewStore, Store};
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place, SessionId};
use engine::entry::{DirPath, Entry, Kind, Meta, Time, Trouble, Xattr};
use engine::manifest::{Head, Held, Manifest, Missing, Mounted, Summary};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::tree::cut::Params;
use engine::tree::{Segments, TreeWriter};
use engine::{forget, replicate};
use kit::machine::{self, Machine, copy_dir};
use kit::oracle;
use kit::random::Random;
use kit::remotes::{contents, listed};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DOCUMENT: &str = include_str!("../../docs/format.md");
const SOURCE: &str = "/tmp/dedup-golden-small/source";
pub const NOW: i64 = 1_700_000_000;
const HOUR: Duration = Duration::from_secs(3600);
const FILES: u64 = 90;
/// The golden repositories.
const ALL: [&str; 5] = ["repository", "first", "second", "later", "records"];
/// What is worth keeping of both replicas, in bytes.
const LARGEST: u64 = 1_500_000;
/// Segments of the tree that has pages.
const SEGMENTS: u64 = 1100;

pub fn place(name: &str) -> std::path::PathBuf {
    golden().join("v1").join(name)
}

fn objects(name: &str) -> Objects {
    let all = contents(&Local::new(place(name))).unwrap();
    all.into_iter()
        .map(|(name, bytes)| (name.path(), bytes))
        .collect()
}

pub fn open(machine: &Machine, remote: &Arc<dyn Remote>) -> Repo {
    Repo::open_on(remote.clone(), &machine::secret(), &machine.run()).unwrap()
}

/// Opens copies of the two, so that what is kept stays as it is.
fn with_copies(each: impl Fn(&str, &Repo)) {
    for name in ["first", "second"] {
        let work = tempfile::tempdir().unwrap();
        let copy = work.path().join(name);
        copy_dir(&place(name), &copy);
        let remote: Arc<dyn Remote> = Arc::new(Local::new(&copy));
        each(name, &open(&Machine::new("reader"), &remote));
    }
}

pub fn digest(repo: &Repo) -> String {
    hex(blake3::hash(describe(repo).as_bytes()).as_bytes())
}

#[test]
fn both_replicas_are_read_and_collected() {
    with_copies(|name, repo| {
        let expected = fs::read_to_string(place(&format!("expected-{name}"))).unwrap();
        assert_eq!(digest(repo), expected, "{name}: not as it was");
        sound(repo, name);
        // The first time a stranger's session is only noticed.
        for _ in 0..2 {
            machine::prune(repo, Duration::ZERO).unwrap();
        }
        assert_eq!(digest(repo), expected, "{name}: after a collection");
        sound(repo, name);
    });
}

pub fn by_hand(name: &str) -> Walk {
    let key = format!("dedup key file 1\n{}\n", hex(&[7; 32]));
    by_hand::read(&objects(name), &Secret::KeyFile(&key))
}

/// Every file of every generation has the bytes that the library reads.
#[test]
fn what_is_read_by_hand_is_what_the_library_reads() {
    with_copies(|name, repo| {
        let walk = by_hand(name);
        let snapshots = repo.snapshots().unwrap().0;
        assert_eq!(walk.generations.len(), snapshots.len(), "{name}");
        for snapshot in snapshots {
            let source = &snapshot.manifest.paths[0];
            let below = |path: &Vec<u8>| Some(path.strip_prefix(&source[1..])?.to_vec());
            let files = walk.generations[&snapshot.id.to_hex()].iter();
            let files: BTreeMap<Vec<u8>, [u8; 32]> = files
                .filter_map(|(path, bytes)| Some((below(path)?, *blake3::hash(bytes).as_bytes())))
                .collect();
            let known = oracle::generation(repo, snapshot.id, &source_of(source)).unwrap();
            assert_eq!(known.len(), files.len(), "{name}: {}", snapshot.id);
            assert!(known.len() > 50, "{name}");
            for (path, node) in known {
                let Some(content) = node.content else { continue };
                let below = match path.is_empty() {
                    true => path,
                    false => [b"/", &path[..]].concat(),
                };
                assert_eq!(files[&below], content, "{name}: {}", below.escape_ascii());
            }
        }
    });
}

/// A password and a recovery phrase lead to the same key.
#[test]
fn every_kind_of_slot_is_opened_by_hand() {
    for name in ALL {
        let first = |secret| by_hand::read(&objects(name), &secret).text;
        let by_password = first(Secret::Password(PASSWORD));
        assert!(by_password == first(Secret::Recovery([5; 32])), "{name}");
        assert!(by_password == by_hand(name).text, "{name}");
    }
}

/// The numbers of the first column of the table in docs/format.md that has this head.
fn table(head: &str, column: usize) -> BTreeSet<u64> {
    let (_, table) = DOCUMENT.split_once(head).unwrap_or_else(|| panic!("{head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(column));
    let numbers = cells.flat_map(|cell| cell.split(|c: char| !c.is_ascii_digit()));
    numbers.filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn nothing_that_the_document_defines_is_missing_in_the_golden_repositories() {
    let mut met = BTreeSet::new();
    for name in ALL {
        met.extend(by_hand(name).met);
    }
    let mut defined = BTreeSet::new();
    let mut add = |what: &str, numbers: BTreeSet<u64>, least: usize| {
        assert!(numbers.len() >= least, "{what}: {numbers:?}");
        defined.extend(numbers.into_iter().map(|number| format!("{what} {number}")));
    };
    let types = table("| path | name is | type | sealed under | cap, bytes |", 3);
    add("type", types, 15);
    add("subject", [1, 2, 3].into(), 3);
    add("slot", table("| kind | secret | 64 bytes |", 1), 3);
    add("section", table("| tag | section | content |", 1), 21);
    // Content keys are in other objects.
    add("type", [13].into(), 1);
    add("kind", (0..=6).collect(), 7);
    add("content", (0..=4).collect(), 5);
    add("piece", (1..=3).collect(), 3);
    add("codec", (0..=1).collect(), 2);
    add("trouble", (1..=4).collect(), 4);
    for what in [
        "parity",
        "parts",
        "moved file",
        "pack of several keys",
        "replica",
        "forgotten",
        "loss",
        "mounts",
        "missing",
        "set",
        "fence in an overview",
    ] {
        defined.insert(what.to_string());
    }
    let missing: Vec<_> = defined.difference(&met).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for kind in ObjectKind::ALL
        .into_iter()
        .filter(|kind| *kind != ObjectKind::Machine)
    {
        let count: usize = ALL
            .iter()
            .map(|name| listed(&Local::new(place(name)), kind).unwrap().len())
            .sum();
        assert!(count > 0, "no {kind:?}");
    }
}

// How it is made.

#[test]
#[ignore = "writes tests/golden/v1/first and second"]
fn regenerate_golden_replicas() {
    for name in ["first", "second"] {
        let _not_there = fs::remove_dir_all(place(name));
    }
    let (memory, other) = (Memory::new(), Memory::new());
    create(&memory, Some(5));
    let machine = Machine::new("alpha");
    let remote: Arc<dyn Remote> = Arc::new(memory.clone());
    let mut churn = Churn::new(&machine, &remote);
    // Six generations of small files, of which the last stays: its files are moved together.
    let mut ids: Vec<SessionId> = (0..6).map(|_| churn.backup()).collect();
    ids.pop();
    let repo = machine.open(remote.clone()).unwrap();
    forget::apply(&repo, &ids).unwrap();
    machine::prune(&repo, HOUR).unwrap();
    // One that the storage loses, which is accepted, and one behind it.
    let lost = churn.backup();
    churn.backup();
    lose(&memory, lost);
    forget::accept_loss(&repo, &[lost]).unwrap();
    write_pages(&repo);
    let standing = |standing: &mut chunkstore::upgrades::Standing| standing.parity = Some(3);
    assert!(repo.store.upgrade(NOW + 1, &standing).unwrap());
    // A replica, which forgets one of what came.
    repo.store.make_replica(&other, NOW + 2).unwrap();
    let second: Arc<dyn Remote> = Arc::new(other.clone());
    let replica = repo.open_replica_on(second.clone()).unwrap();
    let how = replicate::ReplicateOptions {
        all: true,
        dry_run: false,
    };
    let mut done = replicate::Replicated::default();
    replicate::run(&repo, &replica, &how, &Quiet, &mut done).unwrap();
    assert_eq!(done.behind, 0, "{done:?}");
    let oldest = replica.snapshots().unwrap().0.remove(0).id;
    forget::apply(&replica, &[oldest]).unwrap();
    // A session that stays open, for which a mark waits; a fence; something in the trash.
    chunkstore::session::fence(&repo.store, SessionId([3; 16])).unwrap();
    let thrown_away = churn.backup();
    forget::apply(&repo, &[thrown_away]).unwrap();
    let stranger = open(&Machine::new("stranger"), &remote);
    std::mem::forget(Session::begin(&stranger.store, &stranger.owner()).unwrap());
    assert!(machine::prune(&repo, HOUR).unwrap().pending);
    let thrown_away = churn.backup();
    forget::apply(&repo, &[thrown_away]).unwrap();
    drop((repo, replica));
    let mut size = 0;
    for (name, memory) in [("first", &memory), ("second", &other)] {
        let folder = Local::new(place(name));
        for (object, bytes) in contents(memory).unwrap() {
            folder.put(&object, &bytes).unwrap();
            size += bytes.len() as u64;
        }
        let _nothing = fs::remove_dir_all(place(name).join("tmp"));
        let remote: Arc<dyn Remote> = Arc::new(memory.clone());
        fs::write(
            place(&format!("expected-{name}")),
            digest(&open(&Machine::new("reader"), &remote)),
        )
        .unwrap();
    }
    assert!(size < LARGEST, "{size} bytes are too many to keep");
    fs::remove_dir_all(Path::new(SOURCE).parent().unwrap()).unwrap();
}

pub fn create(remote: &dyn Remote, parity: Option<u8>) {
    let bounds = Bounds {
        min: 1 << 10,
        avg: 4 << 10,
        max: 16 << 10,
    };
    let config = Config {
        pack_size: 1 << 20,
        bundle_size: 64 << 10,
        parity,
        ..Config::new(bounds, NOW)
    };
    let new = NewStore {
        bounds,
        secrets: &secrets(),
        cost: Cost::FLOOR,
        now: NOW,
    };
    Store::create_with(remote, &new, &config).unwrap();
}

/// A source of small files, a third of which change between two backups.
struct Churn<'a> {
    machine: &'a Machine,
    remote: &'a Arc<dyn Remote>,
    random: Random,
}

impl<'a> Churn<'a> {
    fn new(machine: &'a Machine, remote: &'a Arc<dyn Remote>) -> Churn<'a> {
        let _not_there = fs::remove_dir_all(Path::new(SOURCE).parent().unwrap());
        let mut churn = Churn {
            machine,
            remote,
            random: Random::new(11),
        };
        (0..FILES).for_each(|number| churn.write(number));
        churn
    }

    fn write(&mut self, number: u64) {
        let dir = Path::new(SOURCE).join(format!("d{}", number % 5));
        fs::create_dir_all(&dir).unwrap();
        // Every tenth is cut into chunks of its own.
        let len = if number.is_multiple_of(10) { 4000 } else { 150 } + self.random.below(700);
        let mut bytes = vec![0; len as usize];
        self.random.fill(&mut bytes);
        fs::write(dir.join(number.to_string()), bytes).unwrap();
    }

    fn backup(&mut self) -> SessionId {
        for _ in 0..30 {
            let number = self.random.below(FILES);
            self.write(number);
        }
        let repo = self.machine.open_settled(self.remote.clone()).unwrap();
        let options = self.machine.options(&[Path::new(SOURCE)]);
        let report = engine::backup::run(&repo, &options, None, &Quiet).unwrap();
        report.snapshot.unwrap()
    }
}

fn lose(memory: &Memory, id: SessionId) {
    for kind in [ObjectKind::Snapshot, ObjectKind::Session] {
        for (name, _) in listed(memory, kind).unwrap() {
            if name.id() == id.to_hex() {
                memory.delete(&name).unwrap();
            }
        }
    }
}

/// A generation of so many segments that they need pages, with every trouble that an entry can have, and what a source
/// should have held.
fn write_pages(repo: &Repo) {
    let store = &repo.store;
    let writer = Writer::begin(store.clone(), repo.owner(), 1, false).unwrap();
    let mut encoder = Encoder::new(3).unwrap();
    let params = Params {
        min_cost: 1,
        max_cost: 1,
        max_entries: 1,
        mask: 0,
    };
    let put = |plain: &[u8]| -> engine::Result<(ChunkId, Option<Place>)> {
        let put = writer.put(0, &mut encoder, Class::Tree, plain)?;
        Ok((put.id, None))
    };
    let mut tree = TreeWriter::with_params(*store.keys().tree_cuts(), params, put);
    for number in 0..SEGMENTS {
        tree.push(&DirPath::from(&b"pages"[..]), entry(number)).unwrap();
    }
    let root = tree.finish().unwrap();
    assert!(matches!(&root.segments, Segments::Pages(pages) if pages.len() > 1));
    let flushed = writer.flush().unwrap();
    let time = jiff::Timestamp::from_second(NOW).unwrap();
    let head = Head {
        set: String::new(),
        host: "pages".to_string(),
        user: "tester".to_string(),
        paths: vec![b"/pages".to_vec()],
        tags: Vec::new(),
        description: "a tree of several pages".to_string(),
        time,
        walk: Time { secs: NOW, nanos: 0 },
        machine: repo.machine(),
    };
    let mut manifest = Manifest::new(&head, &root, Summary::default());
    manifest.unreadable_dirs.push(b"/pages/closed".to_vec());
    manifest.mounts.push(Mounted {
        path: b"/pages".to_vec(),
        held: Held::Mount,
    });
    manifest.missing.push(Missing {
        path: b"/pages/gone".to_vec(),
        last_complete: NOW - 1,
        held: Held::Directory,
    });
    writer.publish(flushed, &manifest.encode()).unwrap();
}

fn entry(number: u64) -> Entry {
    let time = |nanos| Time {
        secs: NOW - 60 + number as i64,
        nanos,
    };
    let xattr = Xattr {
        name: b"user.note".to_vec(),
        value: number.to_string().into_bytes(),
    };
    Entry {
        name: format!("{number:04}").into_bytes(),
        meta: Meta {
            mode: 0o644,
            uid: 1000,
            gid: 1000,
            user: "u".into(),
            group: "u".into(),
            size: if number % 20 == 10 { 77 } else { 0 },
            mtime: time(5),
            ctime: time(6),
            btime: number.is_multiple_of(2).then(|| time(7)),
            dev: 1 + number % 2,
            ino: 1 + number,
            nlink: 1 + number % 3,
            xattrs: match number % 50 {
                0 => Arc::new([xattr]),
                _ => Arc::new([]),
            },
            flags: 0,
        },
        kind: match number % 100 {
            1 => Kind::CharDevice { rdev: number },
            2 => Kind::BlockDevice { rdev: number },
            3 => Kind::Fifo,
            4 => Kind::Socket,
            _ => Kind::File,
        },
        content: engine::entry::Content::None,
        trouble: match number % 20 {
            10 => Some(Trouble::Unreadable { errno: 13 }),
            11 => Some(Trouble::Unknown { errno: 5 }),
            12 => Some(Trouble::Changed),
            13 => Some(Trouble::NoXattrs { errno: 95 }),
            _ => None,
        },
    }
}
