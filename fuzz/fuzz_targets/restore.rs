//! Where a hostile tree would have files put: whatever names, links and order its entries have, nothing is made or
//! changed outside the target.
#![no_main]
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{Memory, Remote};
use chunkstore::writer::Writer;
use engine::entry::{Content, Entry, Kind, Meta, Time};
use engine::manifest::{Manifest, Summary};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::restore;
use engine::tree::{self, Run, TreeWriter, piece};
use kit::machine::{Machine, create_small};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, LazyLock};

const DIRS: [&str; 10] = ["", "a", "a/b", "b", "c", "..", "../outside", "a/..", "/", "a//b"];
const NAMES: [&str; 10] = [
    "a",
    "b",
    "c",
    "file",
    "..",
    ".",
    "",
    "../outside/file",
    "a/b",
    "/file",
];
const TARGETS: [&str; 6] = ["..", "../outside", "a", "../../outside", ".", "../outside/file"];

static EMPTY: LazyLock<Vec<(chunkstore::remote::ObjectName, Vec<u8>)>> = LazyLock::new(|| {
    let remote = Memory::new();
    create_small(&remote).expect("a repository");
    kit::remotes::contents(&remote).expect("its objects")
});

/// Four bytes are an entry: directory, name, kind, and what a link or a linked file is.
fn entries(bytes: &[u8]) -> Vec<(&'static str, Entry)> {
    let pick = |from: &[&'static str], by: u8| from[usize::from(by) % from.len()];
    let entry = |bytes: &[u8]| {
        let kind = match bytes[2] % 5 {
            0 | 1 => Kind::File,
            2 => Kind::Dir,
            3 => Kind::Symlink {
                target: pick(&TARGETS, bytes[3]).into(),
            },
            _ => Kind::Fifo,
        };
        let meta = Meta {
            mode: 0o700,
            uid: 0,
            gid: 0,
            user: "".into(),
            group: "".into(),
            size: 0,
            mtime: Time::default(),
            ctime: Time::default(),
            btime: None,
            dev: 1,
            ino: u64::from(bytes[3] % 3),
            nlink: if bytes[2] % 5 == 2 {
                1
            } else {
                u64::from(bytes[3] % 4)
            },
            xattrs: Arc::default(),
            flags: 0,
        };
        let entry = Entry {
            name: pick(&NAMES, bytes[1]).into(),
            kind,
            meta,
            content: Content::None,
            trouble: None,
        };
        (pick(&DIRS, bytes[0]), entry)
    };
    bytes.chunks_exact(4).take(24).map(entry).collect()
}

/// As honest a tree as can be made of the entries; or, by storage that knows the keys, the entries as they are where an
/// honest tree of as many was.
fn publish(repo: &Repo, entries: Vec<(&'static str, Entry)>, honest: bool) -> engine::Result<Manifest> {
    let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false)?;
    let mut encoder = Encoder::new(1)?;
    let runs: Vec<Run> = entries
        .iter()
        .map(|(dir, entry)| Run {
            dir: dir.as_bytes().into(),
            entries: vec![entry.clone()],
        })
        .collect();
    let mut tree = TreeWriter::new(*repo.store.keys().tree_cuts(), |plain: &[u8]| {
        let hostile = match honest || plain.first() != Some(&piece::SEGMENT) {
            true => plain.to_vec(),
            false => tree::encode(&runs),
        };
        Ok((writer.put(0, &mut encoder, Class::Tree, &hostile)?.id, None))
    });
    for (number, (dir, mut entry)) in entries.into_iter().enumerate() {
        if honest {
            let _refused = tree.push(&dir.as_bytes().into(), entry);
        } else {
            entry.name = format!("{number:03}").into();
            tree.push(&b""[..].into(), entry)?;
        }
    }
    let root = tree.finish()?;
    let head = kit::generation::head(repo, jiff::Timestamp::UNIX_EPOCH);
    let manifest = Manifest::new(&head, &root, Summary::default());
    let flushed = writer.flush()?;
    writer.publish(flushed, &manifest.encode())?;
    Ok(manifest)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let remote = Memory::new();
    for (name, bytes) in EMPTY.iter() {
        remote.put(name, bytes).expect("room");
    }
    let machine = Machine::new("here");
    let mut repo = machine.open(Arc::new(remote)).expect("a repository");
    repo.run_mut().threads = NonZeroUsize::new(1);
    let Ok(manifest) = publish(&repo, entries(rest), first & 1 == 0) else {
        return;
    };
    let home = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder");
    fs::create_dir(home.path().join("outside")).expect("a folder");
    fs::write(home.path().join("outside/file"), "mine").expect("a file");
    let mut options = restore::RestoreOptions::new(home.path().join("target"));
    options.verify = first & 2 != 0;
    // The second goes over what the first has made.
    for _ in 0..2 {
        let _ = restore::run(&repo, &manifest, &options, &Quiet);
        assert!(
            names(home.path())
                .iter()
                .all(|name| name == "outside" || name == "target")
        );
        assert_eq!(names(&home.path().join("outside")), ["file"]);
        assert_eq!(fs::read(home.path().join("outside/file")).expect("it"), b"mine");
    }
});
