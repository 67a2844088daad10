//! How time and memory grow where real files would take too long to make: a generation of N entries, or a local index
//! of N chunks, or of N small files that collections have moved. `scale entries 10000000 DIR`, `scale chunks 20000000 DIR`,
//! `scale moved 10000000 DIR`; one JSON object a line. DIR is scratch.
//!
//! `scale generations 1000000 50 DIR` leaves a repository of 50 generations, each with a fiftieth of its files changed, and
//! its key file beside it: `dedup -r DIR/repository --key-file DIR/key ls`, `find`, `versions`, `diff` and `mount` are to be
//! measured on it. It holds trees only, no content of files.
//!
//! `scale folder 100000 1000 DIR` makes 1000 generations of a folder of 100,000 files, of which each has another content of
//! the first file and one file less, and measures what the console asks of them.
//!
//! Entries go the way of a backup from the dispatcher on: into segments, through the writer into packs; then they
//! are read back beside the same stream, as in a run that finds nothing changed.

use chunkstore::chunker::Bounds;
use chunkstore::frame::Encoder;
use chunkstore::index::{Condemned, DatabaseDir, LocalIndex};
use chunkstore::indexfile::ENTRIES_PER_SEGMENT;
use chunkstore::keys::{Keys, MasterKey};
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::session::Owner;
use chunkstore::slot::{Cost, Secret, new_key_file};
use chunkstore::store::{NewStore, Store};
use chunkstore::writer::Writer;
use chunkstore::{IndexId, RepoId, SessionId};
use corpus::made::{ids, moved_hashes, moved_segment, segment, stream, tree, wide};
use engine::deleted::deleted;
use engine::entry::{DirPath, Entry, Kind, Time};
use engine::find::{FindQuery, find};
use engine::manifest::{Head, Manifest, Summary};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::run::{LocalDirs, RunContext};
use engine::tree::{Root, TreeWriter};
use engine::versions::versions;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ids asked for at once.
const BATCH: usize = 256;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    // As the program does (docs/decisions/0011-level-three.md).
    rustix::thread::disable_transparent_huge_pages(true)?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["entries", count, dir] => entries(count.parse()?, Path::new(dir)),
        ["chunks", count, dir] => chunks(count.parse()?, Path::new(dir)),
        ["moved", count, dir] => moved(count.parse()?, Path::new(dir)),
        ["generations", entries, count, dir] => generations(entries.parse()?, count.parse()?, Path::new(dir)),
        ["folder", files, count, dir] => folder(files.parse()?, count.parse()?, Path::new(dir)),
        _ => Err("usage: scale entries|chunks|moved N DIR, or scale generations|folder N COUNT DIR".into()),
    }
}

/// Highest resident size so far, MiB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.ok_or("no VmHWM in /proc/self/status")? >> 10)
}

fn told(what: &str, count: u64, started: Instant) -> Done {
    let seconds = started.elapsed().as_secs_f64();
    let rate = count as f64 / seconds;
    let peak = peak()?;
    println!(
        r#"{{"what":"{what}","count":{count},"seconds":{seconds:.3},"per_second":{rate:.0},"peak_mib":{peak}}}"#
    );
    Ok(())
}

/// A new repository in `dir`, with its key file beside it.
fn new_store(dir: &Path) -> Result<(Arc<Store>, Secret), Box<dyn Error>> {
    let location = dir.join("repository");
    let remote = chunkstore::remote::open(
        location.to_str().ok_or("DIR must be UTF-8")?,
        &chunkstore::remote::Link::default(),
    )?;
    let (text, secret) = new_key_file()?;
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("key"), text.as_bytes())?;
    let new = NewStore {
        bounds: Bounds::DEFAULT,
        secrets: &[(secret.clone(), "scale")],
        cost: Cost::FLOOR,
        now: 0,
    };
    Store::create(&*remote, &new)?;
    let store = Arc::new(Store::open(remote, &secret, &dir.join("cache"))?);
    Ok((store, secret))
}

fn owner() -> Owner {
    Owner {
        machine: [1; 16],
        host: "scale".to_string(),
        pid: std::process::id(),
        started: 0,
        packs: None,
    }
}

/// Each generation has another part of the files changed.
fn generations(entries: u64, count: u64, dir: &Path) -> Done {
    let store = new_store(dir)?.0;
    let started = Instant::now();
    for generation in 0..count {
        let changed = (0u64..).zip(tree(entries)).map(|(number, (path, mut entry))| {
            // Neighbours, as people work.
            let changed = number * count / entries.max(1);
            if changed <= generation && entry.kind == Kind::File {
                entry.meta.mtime.secs += 1 + changed as i64;
            }
            (path, entry)
        });
        publish(&store, generation, changed)?;
    }
    told("generations", count, started)
}

/// Makes a generation of these entries.
fn publish(store: &Arc<Store>, number: u64, entries: impl Iterator<Item = (DirPath, Entry)>) -> Done {
    let writer = Writer::begin(store.clone(), owner(), 1, false)?;
    let mut encoder = Encoder::new(3)?;
    let mut segments = TreeWriter::new(*store.keys().tree_cuts(), |plain: &[u8]| {
        let put = writer.put(0, &mut encoder, Class::Tree, plain)?;
        Ok((put.id, writer.place(&put.id)?.map(|located| located.place)))
    });
    for (path, entry) in entries {
        segments.push(&path, entry)?;
    }
    let root = segments.finish()?;
    let flushed = writer.flush()?;
    let at = 1_700_000_000 + number as i64 * 86_400;
    let head = Head {
        set: String::new(),
        host: "scale".to_string(),
        user: "scale".to_string(),
        paths: vec![b"/home".to_vec()],
        tags: Vec::new(),
        description: String::new(),
        time: jiff::Timestamp::from_second(at)?,
        walk: Time { secs: at, nanos: 0 },
        machine: owner().machine,
    };
    let manifest = Manifest::new(&head, &root, Summary::default());
    writer.publish(flushed, &manifest.encode())?;
    Ok(())
}

/// What the console asks of many generations of a wide folder.
fn folder(files: u64, count: u64, dir: &Path) -> Done {
    let (store, secret) = new_store(dir)?;
    let started = Instant::now();
    let step = (files / count.max(1)).max(2);
    for generation in 0..count {
        let is_gone = |number: u64| number > 2 && number % step == step - 1 && number / step < generation;
        let held = (0u64..).zip(wide(files)).filter(|(number, _)| !is_gone(*number));
        let held = held.map(|(number, (path, mut entry))| {
            // The first behind the directories.
            if number == 2 {
                entry.meta.size += generation;
            }
            (path, entry)
        });
        publish(&store, generation, held)?;
    }
    told("folder, making it", count, started)?;
    drop(store);
    let run = RunContext::new(LocalDirs::below(dir.join("local")));
    let location = dir.join("repository");
    let repo = Repo::open(location.to_str().ok_or("DIR must be UTF-8")?, &secret, &run)?;
    let reader = repo.reader(&Quiet);
    let mut snapshots = repo.snapshots()?.0;
    let ids: Vec<SessionId> = snapshots.iter().map(|snapshot| snapshot.id).collect();
    snapshots.reverse();
    let older: Vec<SessionId> = ids.iter().rev().skip(1).copied().collect();
    let last = repo.manifest(*ids.last().ok_or("no generations")?)?;
    // The first round brings files in.
    for round in ["first", "again"] {
        let started = Instant::now();
        let (gone, _) = deleted(&repo, &reader, &last, &older, b"/home/wide", files as usize)?;
        told(
            &format!("folder, deleted files, {round}"),
            gone.len() as u64,
            started,
        )?;
        let started = Instant::now();
        let path = b"/home/wide/document_000000.txt";
        let history = versions(&repo, &reader, &ids, path, &Quiet)?;
        told(
            &format!("folder, versions of a file, {round}"),
            history.versions.len() as u64,
            started,
        )?;
        for pattern in ["*99.TXT", "*nothing*"] {
            let (wanted, started) = (FindQuery::new(&[pattern.to_string()], true)?, Instant::now());
            let mut found = 0;
            find(&repo, &reader, &snapshots, &wanted, &mut |_, _, _| {
                found += 1;
                Ok(())
            })?;
            told(&format!("folder, search for {pattern}, {round}"), found, started)?;
        }
    }
    Ok(())
}

fn entries(count: u64, dir: &Path) -> Done {
    let store = new_store(dir)?.0;
    let writer = Writer::begin(store.clone(), owner(), 1, false)?;
    let started = Instant::now();
    let root = first(&store, &writer, count)?;
    told("entries, first generation", count, started)?;
    let started = Instant::now();
    let again = unchanged(&store, &writer, &root, count)?;
    told("entries, nothing changed", count, started)?;
    if again.entries != count || again.segments != root.segments {
        return Err("the second generation is not the first".into());
    }
    Ok(())
}

fn first(store: &Store, writer: &Writer, count: u64) -> Result<Root, Box<dyn Error>> {
    let mut encoder = Encoder::new(3)?;
    let mut tree = TreeWriter::new(*store.keys().tree_cuts(), |plain: &[u8]| {
        Ok((writer.put(0, &mut encoder, Class::Tree, plain)?.id, None))
    });
    for (dir, entry) in stream(count) {
        tree.push(&dir, entry)?;
    }
    let root = tree.finish()?;
    writer.flush()?;
    Ok(root)
}

fn unchanged(store: &Arc<Store>, writer: &Writer, root: &Root, count: u64) -> Result<Root, Box<dyn Error>> {
    let reader = Reader::beside(store.clone(), writer, Box::new(|_, _| {}));
    let mut parent = engine::trees::cursor(&reader, root)?;
    let mut tree = TreeWriter::new(*store.keys().tree_cuts(), |_: &[u8]| {
        Err(chunkstore::Error::WriterFailed.into())
    });
    for (dir, entry) in stream(count) {
        let item = parent.next()?.ok_or("the parent ended early")?;
        if item.entry != entry || item.dir != dir {
            return Err(format!("entry of {} differs", String::from_utf8_lossy(&dir)).into());
        }
        tree.push_same(&dir, item.entry, &item.pos)?;
    }
    Ok(tree.finish()?)
}

fn numbered(segments: u64) -> Vec<IndexId> {
    let id = |number: u64| {
        let mut id = [0; 32];
        id[24..].copy_from_slice(&number.to_le_bytes());
        IndexId(id)
    };
    (0..segments).map(id).collect()
}

fn number_of(id: IndexId) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&id.0[24..]);
    u64::from_le_bytes(number)
}

/// Bytes of a folder's files.
fn stored(dir: &Path) -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        sum += match entry.file_type()?.is_dir() {
            true => stored(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(sum)
}

/// What small files cost in the index once each of them was moved: stored, in the local database, and to look up.
fn moved(count: u64, dir: &Path) -> Done {
    let each = ENTRIES_PER_SEGMENT - ENTRIES_PER_SEGMENT / 256;
    let segments = count.div_ceil(each as u64);
    let files = |number: u64| each.min((count - number * each as u64) as usize);
    let repo = RepoId([3; 16]);
    let keys = Keys::new(&MasterKey::from_bytes([5; 32]), repo);
    let (mut sealed, mut rows) = (0, 0);
    let mut load = |id: IndexId| {
        let made = moved_segment(number_of(id), files(number_of(id)));
        sealed += made.seal(&keys)?.1.len() as u64;
        rows += made.entries.len() as u64;
        Ok(made)
    };
    let started = Instant::now();
    let (listed, none) = (numbered(segments), Condemned::new());
    let index = LocalIndex::open(
        DatabaseDir::cached(dir)?,
        &repo,
        &listed,
        &none,
        None,
        &mut load,
        &mut |_, _| {},
    )?;
    told("moved, making them up, sealing and rebuild", count, started)?;
    settle()?;
    let local = stored(dir)?;
    println!(
        r#"{{"what":"moved, bytes","files":{count},"bundles":{rows},"segments":{segments},"stored":{sealed},"stored_per_file":{:.1},"local":{local},"local_per_file":{:.1}}}"#,
        sealed as f64 / count as f64,
        local as f64 / count as f64,
    );
    for (what, hit) in [("moved, lookup of known", true), ("moved, lookup of new", false)] {
        let (mut asked, started) = (0, Instant::now());
        for number in (0..segments).step_by(segments.div_ceil(8) as usize) {
            let seed = if hit { number } else { number | 1 << 60 };
            for hash in moved_hashes(seed, files(number)).iter().step_by(16) {
                if index.moved(hash)?.is_empty() == hit {
                    return Err("the index is wrong".into());
                }
                asked += 1;
            }
        }
        told(what, asked, started)?;
    }
    Ok(())
}

fn chunks(count: u64, dir: &Path) -> Done {
    let segments = count.div_ceil(ENTRIES_PER_SEGMENT as u64);
    let listed = numbered(segments);
    let (mut making, started) = (0.0, Instant::now());
    let mut load = |id: IndexId| {
        let began = Instant::now();
        let made = segment(number_of(id), ENTRIES_PER_SEGMENT);
        making += began.elapsed().as_secs_f64();
        Ok(made)
    };
    let repo = RepoId([3; 16]);
    let none = Condemned::new();
    let index = LocalIndex::open(
        DatabaseDir::cached(dir)?,
        &repo,
        &listed,
        &none,
        None,
        &mut load,
        &mut |_, _| {},
    )?;
    let entries = segments * ENTRIES_PER_SEGMENT as u64;
    told("chunks, making them up and rebuild", entries, started)?;
    let rate = entries as f64 / (started.elapsed().as_secs_f64() - making);
    println!(r#"{{"what":"chunks, rebuild alone","count":{entries},"per_second":{rate:.0}}}"#);
    settle()?;
    for (what, hit) in [
        ("chunks, lookup of known ids", true),
        ("chunks, lookup of new ids", false),
    ] {
        // The first round brings blocks and filters in; the second is what a long backup sees.
        look_up(&index, segments, hit)?;
        let started = Instant::now();
        let asked = look_up(&index, segments, hit)?;
        told(what, asked, started)?;
    }
    Ok(())
}

/// Waits until the database's own threads have put the new files in order: lookups beside that measure both.
fn settle() -> Done {
    let used = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
    };
    for _ in 0..600 {
        let before = used();
        std::thread::sleep(Duration::from_millis(500));
        if used() - before < 0.01 {
            return Ok(());
        }
    }
    Err("the database does not come to rest".into())
}

/// Sorted batches from a few segments; the time to make the ids up is small beside that of the lookups.
fn look_up(index: &LocalIndex, segments: u64, hit: bool) -> Result<u64, Box<dyn Error>> {
    let mut asked = 0;
    for number in (0..segments).step_by(segments.div_ceil(8) as usize) {
        let seed = if hit { number } else { number | 1 << 60 };
        for batch in ids(seed, ENTRIES_PER_SEGMENT).chunks(BATCH) {
            let found = index.locate_sorted(batch)?;
            if found.iter().any(|found| found.is_some() != hit) {
                return Err("the index is wrong".into());
            }
            asked += batch.len() as u64;
        }
    }
    Ok(asked)
}
