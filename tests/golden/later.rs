//! The third golden repository: what the format gained after the others were written. It is of the kind that lies on a
//! network, with an overview; its generations name sets, and its entries have inode flags.

use super::replicas::{NOW, by_hand, create, digest, open, place};
use super::sound;
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{Kind as ObjectKind, Local, Memory, Remote};
use chunkstore::session;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place, SessionId};
use engine::entry::{Content, DirPath, Entry, Kind, Meta, Time};
use engine::forget;
use engine::manifest::{Head, Manifest, Summary};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::tree::TreeWriter;
use kit::machine::{self, Machine, copy_dir};
use kit::remotes::{Counting, contents, listed};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SOURCE: &str = "/tmp/dedup-golden-later/source";
const HOUR: Duration = Duration::from_secs(3600);
const LARGEST: u64 = 120_000;
/// After so many generations a backup has written an overview.
const GENERATIONS: usize = 17;
const SETS: [&str; 2] = ["documents", "letters"];
/// Names and flags: no dump; immutable; append-only and no copy on write.
const FLAGS: [(&str, u32); 4] = [
    ("append", 0x80_0020),
    ("immutable", 0x10),
    ("nodump", 0x40),
    ("plain", 0),
];

fn with_copy(each: impl Fn(&Repo)) {
    let work = tempfile::tempdir().unwrap();
    copy_dir(&place("later"), &work.path().join("later"));
    let remote = Local::new(work.path().join("later"));
    let remote: Arc<dyn Remote> = Arc::new(Counting::far(Arc::new(remote)));
    each(&open(&Machine::new("reader"), &remote));
}

/// Names and flags of all entries of the generation that has flags.
fn flags(repo: &Repo) -> Vec<(String, u32)> {
    let (snapshots, _) = repo.snapshots().unwrap();
    let of_flags = snapshots
        .iter()
        .find(|snapshot| snapshot.manifest.host == "flags");
    let root = repo.manifest(of_flags.unwrap().id).unwrap().root().unwrap();
    let reader = repo.reader(&Quiet);
    let mut cursor = engine::trees::cursor(&reader, &root).unwrap();
    let mut found = Vec::new();
    while let Some(item) = cursor.next().unwrap() {
        found.push((String::from_utf8(item.entry.name).unwrap(), item.entry.meta.flags));
    }
    found
}

#[test]
fn what_came_later_is_read_and_collected() {
    with_copy(|repo| {
        let expected = fs::read_to_string(place("expected-later")).unwrap();
        assert_eq!(digest(repo), expected, "not as it was");
        sound(repo, "as found");
        let want = FLAGS.map(|(name, flags)| (name.to_string(), flags));
        assert_eq!(flags(repo)[1..], want);
        assert!(repo.store.newest_overview().unwrap().is_some());
        let snapshots = repo.snapshots().unwrap().0;
        let mut sets: Vec<&str> = snapshots
            .iter()
            .filter_map(|snapshot| snapshot.manifest.set.as_deref())
            .collect();
        sets.sort_unstable();
        assert_eq!(sets, SETS);
        for _ in 0..2 {
            machine::prune(repo, Duration::ZERO).unwrap();
        }
        assert_eq!(digest(repo), expected, "after a collection");
        sound(repo, "after a collection");
    });
}

#[test]
fn what_came_later_is_read_by_hand() {
    let walk = by_hand("later");
    for set in SETS {
        assert!(walk.text.contains(&format!("  set {set}\n")), "{}", walk.text);
    }
    let of_name = |name: &str| {
        let mut lines = walk.text.lines();
        lines
            .find(|line| line.contains(&format!(" flags/{name},")))
            .unwrap()
    };
    for (name, flags) in FLAGS {
        assert_eq!(
            of_name(name).ends_with(&format!(", flags {flags:#x}")),
            flags != 0,
            "{}",
            of_name(name)
        );
    }
    assert!(walk.text.contains("\noverview "), "{}", walk.text);
    assert_eq!(walk.generations.len(), SETS.len());
}

// How it is made.

#[test]
#[ignore = "writes tests/golden/v1/later"]
fn regenerate_golden_later() {
    let _not_there = fs::remove_dir_all(place("later"));
    let _not_there = fs::remove_dir_all(Path::new(SOURCE).parent().unwrap());
    fs::create_dir_all(SOURCE).unwrap();
    fs::write(Path::new(SOURCE).join("letter"), b"Dear reader").unwrap();
    let memory = Memory::new();
    create(&memory, None);
    let machine = Machine::new("alpha");
    let remote: Arc<dyn Remote> = Arc::new(Counting::far(Arc::new(memory.clone())));
    let mut made: Vec<SessionId> = (0..GENERATIONS)
        .map(|_| {
            let repo = machine.open_settled(remote.clone()).unwrap();
            let mut options = machine.options(&[Path::new(SOURCE)]);
            options.set = SETS[0].to_string();
            let report = engine::backup::run(&repo, &options, None, &Quiet).unwrap();
            report.snapshot.unwrap()
        })
        .collect();
    let repo = machine.open_settled(remote.clone()).unwrap();
    write_flags(&repo);
    session::fence(&repo.store, SessionId([3; 16])).unwrap();
    made.pop();
    // The overview is written anew, without those that are gone.
    forget::apply(&repo, &made).unwrap();
    machine::prune(&repo, HOUR).unwrap();
    assert_eq!(listed(&memory, ObjectKind::Overview).unwrap().len(), 1);
    let folder = Local::new(place("later"));
    let mut size = 0;
    for (object, bytes) in contents(&memory).unwrap() {
        folder.put(&object, &bytes).unwrap();
        size += bytes.len() as u64;
    }
    assert!(size < LARGEST, "{size} bytes are too many to keep");
    let _nothing = fs::remove_dir_all(place("later").join("tmp"));
    fs::write(
        place("expected-later"),
        digest(&open(&Machine::new("reader"), &remote)),
    )
    .unwrap();
    fs::remove_dir_all(Path::new(SOURCE).parent().unwrap()).unwrap();
}

/// A generation of a set, whose entries have flags.
fn write_flags(repo: &Repo) {
    let store = &repo.store;
    let writer = Writer::begin(store.clone(), repo.owner(), 1, false).unwrap();
    let mut encoder = Encoder::new(3).unwrap();
    let put = |plain: &[u8]| -> engine::Result<(ChunkId, Option<Place>)> {
        let put = writer.put(0, &mut encoder, Class::Tree, plain)?;
        Ok((put.id, None))
    };
    let mut tree = TreeWriter::new(*store.keys().tree_cuts(), put);
    tree.push(&DirPath::from(&b""[..]), entry("flags", Kind::Dir, 0x40))
        .unwrap();
    for (name, flags) in FLAGS {
        tree.push(&DirPath::from(&b"flags"[..]), entry(name, Kind::File, flags))
            .unwrap();
    }
    let root = tree.finish().unwrap();
    let flushed = writer.flush().unwrap();
    let head = Head {
        set: SETS[1].to_string(),
        host: "flags".to_string(),
        user: "tester".to_string(),
        paths: vec![b"/flags".to_vec()],
        tags: Vec::new(),
        description: "entries with inode flags".to_string(),
        time: jiff::Timestamp::now(),
        walk: Time { secs: NOW, nanos: 0 },
        machine: repo.machine(),
    };
    let manifest = Manifest::new(&head, &root, Summary::default());
    writer.publish(flushed, &manifest.encode()).unwrap();
}

fn entry(name: &str, kind: Kind, flags: u32) -> Entry {
    let time = Time { secs: NOW, nanos: 5 };
    Entry {
        name: name.into(),
        meta: Meta {
            mode: if kind == Kind::Dir { 0o755 } else { 0o644 },
            uid: 1000,
            gid: 1000,
            user: "u".into(),
            group: "u".into(),
            size: 0,
            mtime: time,
            ctime: time,
            btime: None,
            dev: 1,
            ino: 1,
            nlink: 1,
            xattrs: Arc::new([]),
            flags,
        },
        kind,
        content: Content::None,
        trouble: None,
    }
}
