//! What is read of many generations at once is the same as a walk through each of them gives: listings, searches, versions
//! and deleted entries, on random trees of which every generation changes something. And no piece is read that need not be.

use chunkstore::SessionId;
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{Kind as ObjectKind, Memory};
use chunkstore::writer::Writer;
use engine::deleted::deleted;
use engine::entry::{Content, DirPath, Entry, Kind, join};
use engine::find::{FindLimits, FindQuery, find};
use engine::fsmeta::Blank;
use engine::list;
use engine::manifest::{Manifest, Summary};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::tree::cut::Params;
use engine::tree::{TreeWriter, cmp_keys};
use engine::versions::{PathHistory, Versions, versions};
use jiff::Timestamp;
use kit::generation::{head, publish, repository};
use kit::machine::Machine;
use kit::random::{Random, seeds};
use kit::remotes::{Counting, Operation};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Directory and entry, in the order of the stream.
type Stream = Vec<(Vec<u8>, Entry)>;

fn entry(name: &str, kind: Kind, changes: u64) -> Entry {
    let mut meta = Blank::default().meta();
    meta.mtime.secs = changes as i64;
    Entry {
        name: name.as_bytes().to_vec(),
        kind,
        meta,
        content: Content::None,
        trouble: None,
    }
}

fn sort(stream: &mut Stream) {
    stream.sort_by(|(a, x), (b, y)| cmp_keys((a, &x.name), (b, &y.name)));
    stream.dedup_by(|(a, x), (b, y)| a == b && x.name == y.name);
}

/// Directories in directories, some of them empty, and files of few names, so that the same ones are in many.
fn grow(random: &mut Random) -> Stream {
    let mut stream = Stream::new();
    let mut dirs = vec![Vec::new()];
    for _ in 0..30 {
        let parent = random.pick(&dirs).unwrap().clone();
        let name = format!(
            "{}{}",
            random.pick(&["a", "b", "a-b", "a.b", "c"]).unwrap(),
            random.below(3)
        );
        dirs.push(join(&parent, name.as_bytes()));
        stream.push((parent, entry(&name, Kind::Dir, 0)));
    }
    for _ in 0..400 {
        let dir = random.pick(&dirs[..20]).unwrap().clone();
        let name = format!(
            "file{}.{}",
            random.below(200),
            random.pick(&["txt", "TXT", "rs"]).unwrap()
        );
        stream.push((dir, entry(&name, Kind::File, random.below(5))));
    }
    sort(&mut stream);
    stream
}

/// Changes, removes and adds files: here and there, or a stretch of neighbours.
fn change(stream: &mut Stream, random: &mut Random, generation: u64) {
    let at = random.below(stream.len() as u64) as usize;
    let stretch = random.below(30) as usize;
    for (_, entry) in stream.iter_mut().skip(at).take(stretch) {
        entry.meta.mtime.secs += random.below(2) as i64;
    }
    let doomed = random.below(8);
    for _ in 0..doomed {
        let at = random.below(stream.len() as u64) as usize;
        if stream[at].1.kind == Kind::File {
            stream.remove(at);
        }
    }
    for _ in 0..random.below(8) {
        let dir = random.pick(stream).unwrap().0.clone();
        let name = format!("file{}.new", random.below(20));
        stream.push((dir, entry(&name, Kind::File, 100 + generation)));
    }
    sort(stream);
}

fn save(repo: &Repo, number: u64, stream: &Stream, params: Params) -> SessionId {
    let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false).unwrap();
    let mut encoder = Encoder::new(3).unwrap();
    let mut tree = TreeWriter::with_params(*repo.store.keys().tree_cuts(), params, |plain: &[u8]| {
        let put = writer.put(0, &mut encoder, Class::Tree, plain)?;
        Ok((put.id, writer.place(&put.id)?.map(|located| located.place)))
    });
    let mut last: DirPath = Vec::new().into();
    for (dir, entry) in stream {
        if *last != **dir {
            last = dir.as_slice().into();
        }
        tree.push(&last, entry.clone()).unwrap();
    }
    let root = tree.finish().unwrap();
    let time = Timestamp::from_second(1_000_000 + number as i64).unwrap();
    let mut manifest = Manifest::new(&head(repo, time), &root, Summary::default());
    manifest.sequence = number;
    publish(&writer, &manifest).unwrap()
}

/// A few entries in each segment, and several pages of segments.
const SHORT: Params = Params {
    min_cost: 100,
    max_cost: 2000,
    max_entries: 20,
    mask: 3,
};

/// A repository with generations, each with what a plain walk finds in it.
struct World {
    repo: Repo,
    remote: Counting,
    generations: Vec<(SessionId, Stream)>,
    _machine: Machine,
}

impl World {
    fn new(generations: impl IntoIterator<Item = Stream>, params: Params) -> World {
        let memory: Memory = repository();
        let remote = Counting::new(Arc::new(memory));
        let machine = Machine::quick("alpha");
        let repo = machine.open(Arc::new(remote.clone())).unwrap();
        let saved = (1..).zip(generations).map(|(number, stream)| {
            let id = save(&repo, number, &stream, params);
            (id, stream)
        });
        let generations: Vec<(SessionId, Stream)> = saved.collect();
        let repo = machine.open(Arc::new(remote.clone())).unwrap();
        World {
            repo,
            remote,
            generations,
            _machine: machine,
        }
    }

    fn random(seed: u64) -> World {
        let mut random = Random::new(seed);
        let mut stream = grow(&mut random);
        let generations = (0..8).map(move |number| {
            if number > 0 {
                change(&mut stream, &mut random, number);
            }
            stream.clone()
        });
        World::new(generations.collect::<Vec<Stream>>(), SHORT)
    }

    fn ids(&self) -> Vec<SessionId> {
        self.generations.iter().map(|(id, _)| *id).collect()
    }

    /// Reads of packs that `run` takes.
    fn reads<T>(&self, run: impl FnOnce() -> T) -> (T, u64) {
        let before = self.remote.counts();
        let done = run();
        let counts = self.remote.counts().since(&before);
        (done, counts.of(Operation::Read, ObjectKind::Pack).calls)
    }

    fn find(&self, wanted: &FindQuery) -> Vec<(SessionId, Vec<u8>, Entry)> {
        let snapshots = self.repo.snapshots().unwrap().0;
        let mut found = Vec::new();
        find(
            &self.repo,
            &self.repo.reader(&Quiet),
            &snapshots,
            wanted,
            &mut |snapshot, path, entry| {
                found.push((snapshot.id, path.to_vec(), entry.clone()));
                Ok(())
            },
        )
        .unwrap();
        found
    }

    fn deleted(&self, place: usize, dir: &[u8]) -> BTreeMap<Vec<u8>, (SessionId, Entry)> {
        let ids = self.ids();
        let older: Vec<SessionId> = ids[..place].iter().rev().copied().collect();
        let manifest = self.repo.manifest(ids[place]).unwrap();
        let reader = self.repo.reader(&Quiet);
        let (found, more) = deleted(&self.repo, &reader, &manifest, &older, dir, 10_000).unwrap();
        assert!(!more);
        let found = found.into_iter();
        found
            .map(|one| (one.entry.name.clone(), (one.snapshot, one.entry)))
            .collect()
    }
}

/// Depth first, as listings go.
fn listed(stream: &Stream, dir: &[u8], out: &mut Vec<(Vec<u8>, Entry)>) {
    for (_, entry) in stream.iter().filter(|(at, _)| at == dir) {
        let path = join(dir, &entry.name);
        out.push((path.clone(), entry.clone()));
        if entry.kind == Kind::Dir {
            listed(stream, &path, out);
        }
    }
}

#[test]
fn listings_are_walks() {
    for seed in seeds(4) {
        let world = World::random(seed);
        for (id, stream) in &world.generations {
            let manifest = world.repo.manifest(*id).unwrap();
            let mut want = Vec::new();
            listed(stream, b"", &mut want);
            let mut found = Vec::new();
            list::entries(
                &world.repo.reader(&Quiet),
                &manifest,
                None,
                true,
                &mut |path, entry| {
                    found.push((path.to_vec(), entry.clone()));
                    Ok(())
                },
            )
            .unwrap();
            assert_eq!(found, want, "seed {seed}");
        }
    }
}

#[test]
fn searches_are_walks() {
    let patterns: [&[&str]; 12] = [
        &["file7.txt"],
        &["*.txt"],
        &["file1*"],
        &["*"],
        &["a*", "*.new"],
        &["b*/**"],
        &["/a0/*"],
        &["/a0/**/*.rs"],
        &["a0/file*"],
        &["[!f]*"],
        &["/nothing/at/all"],
        &["nothing"],
    ];
    for seed in seeds(4) {
        let world = World::random(seed);
        for (patterns, ignore_case) in patterns.iter().flat_map(|p| [(p, false), (p, true)]) {
            let patterns: Vec<String> = patterns.iter().map(|p| p.to_string()).collect();
            let mut wanted = FindQuery::new(&patterns, ignore_case).unwrap();
            for newest in [None, Some(2)] {
                wanted.limits = FindLimits {
                    newest: newest.map(|secs| engine::entry::Time { secs, nanos: 0 }),
                    ..FindLimits::default()
                };
                let all = world.generations.iter().flat_map(|(id, stream)| {
                    stream
                        .iter()
                        .map(move |(dir, entry)| (*id, join(dir, &entry.name), entry))
                });
                let want = all
                    .filter(|(_, path, _)| !wanted.matching(path).is_empty())
                    .filter(|(_, _, entry)| newest.is_none_or(|newest| entry.meta.mtime.secs <= newest));
                let want: Vec<(SessionId, Vec<u8>, Entry)> =
                    want.map(|(id, path, entry)| (id, path, entry.clone())).collect();
                assert_eq!(world.find(&wanted), want, "seed {seed}, {patterns:?}");
            }
        }
    }
}

#[test]
fn versions_are_those_of_walks() {
    for seed in seeds(4) {
        let world = World::random(seed);
        let entries = world.generations.iter().flat_map(|(_, stream)| stream);
        let mut paths: BTreeSet<Vec<u8>> = entries.map(|(dir, entry)| join(dir, &entry.name)).collect();
        paths.extend([
            b"0".to_vec(),
            b"a0/nothing".to_vec(),
            b"zzz".to_vec(),
            b"zzz/zzz".to_vec(),
        ]);
        for path in paths {
            let (mut want, mut absent) = (Versions::default(), Vec::new());
            for (id, stream) in &world.generations {
                match stream.iter().find(|(dir, entry)| join(dir, &entry.name) == path) {
                    Some((_, entry)) => want.add(*id, entry),
                    None => absent.push(*id),
                }
            }
            let reader = world.repo.reader(&Quiet);
            let PathHistory {
                versions,
                absent: not,
                ..
            } = versions(&world.repo, &reader, &world.ids(), &path, &Quiet).unwrap();
            assert_eq!(
                (versions, not),
                (want.into_vec(), absent),
                "seed {seed}, {}",
                path.escape_ascii()
            );
        }
    }
}

#[test]
fn deleted_entries_are_those_of_walks() {
    for seed in seeds(4) {
        let world = World::random(seed);
        let entries = world.generations.iter().flat_map(|(_, stream)| stream);
        let mut dirs: BTreeSet<Vec<u8>> = entries.map(|(dir, _)| dir.clone()).collect();
        dirs.extend([b"0".to_vec(), b"zzz".to_vec()]);
        for (place, dir) in
            (0..world.generations.len()).flat_map(|place| dirs.iter().map(move |dir| (place, dir)))
        {
            let held = |(_, stream): &(SessionId, Stream)| -> BTreeMap<Vec<u8>, Entry> {
                let here = stream.iter().filter(|(at, _)| at == dir);
                here.map(|(_, entry)| (entry.name.clone(), entry.clone()))
                    .collect()
            };
            let now = held(&world.generations[place]);
            let mut want = BTreeMap::new();
            for generation in world.generations[..place].iter().rev() {
                for (name, entry) in held(generation) {
                    if !now.contains_key(&name) {
                        want.entry(name).or_insert((generation.0, entry));
                    }
                }
            }
            assert_eq!(
                world.deleted(place, dir),
                want,
                "seed {seed}, {}",
                dir.escape_ascii()
            );
        }
    }
}

/// 3,000 files in one directory among others. Generation `n` has another file `n`, and none with the number `1000 + n`.
fn wide(generations: u64) -> World {
    let stream = |n: u64| {
        let files = (0..3000u64)
            .filter(|nr| !(1000..1000 + n).contains(nr))
            .map(|nr| {
                let changes = if nr < n { nr + 1 } else { 0 };
                (b"wide".to_vec(), entry(&format!("{nr:05}"), Kind::File, changes))
            });
        let others = ["a", "wide", "z"].map(|name| (Vec::new(), entry(name, Kind::Dir, 0)));
        let inside = ["a", "z"].map(|dir| (dir.as_bytes().to_vec(), entry("file", Kind::File, 0)));
        let mut stream: Stream = others.into_iter().chain(inside).chain(files).collect();
        sort(&mut stream);
        stream
    };
    World::new((0..generations).map(stream), SHORT)
}

#[test]
fn what_did_not_change_is_not_read_again() {
    const GENERATIONS: u64 = 20;
    let world = wide(GENERATIONS);
    let pieces = |run: &dyn Fn()| world.reads(run).1;
    let whole = pieces(&|| {
        let manifest = world.repo.manifest(world.ids()[0]).unwrap();
        list::in_stored_order(&world.repo.reader(&Quiet), &manifest, &mut |_, _| Ok(())).unwrap();
    });
    assert!(whole > 100, "{whole}");
    // Depth first, too, each piece is read once, though listings of directories begin within pieces.
    let depth_first = pieces(&|| {
        let manifest = world.repo.manifest(world.ids()[0]).unwrap();
        list::entries(&world.repo.reader(&Quiet), &manifest, None, true, &mut |_, _| {
            Ok(())
        })
        .unwrap();
    });
    assert!(depth_first <= whole + 4, "{depth_first} of {whole}");
    // Each generation changes two places.
    let changed = GENERATIONS * 4;
    let search = |pattern: &str| {
        let wanted = FindQuery::new(&[pattern.to_string()], false).unwrap();
        pieces(&|| drop(world.find(&wanted)))
    };
    for pattern in ["0*7", "nothing", "wide/*0"] {
        let reads = search(pattern);
        assert!(reads <= whole + changed, "{pattern}: {reads} of {whole}");
    }
    // Where the pattern says where to look, only that is read.
    assert!(search("/a/*") <= 4);
    let of_path = |path: &[u8]| {
        pieces(&|| {
            versions(
                &world.repo,
                &world.repo.reader(&Quiet),
                &world.ids(),
                path,
                &Quiet,
            )
            .unwrap();
        })
    };
    assert!(of_path(b"wide/02500") <= 2, "{}", of_path(b"wide/02500"));
    assert!(of_path(b"wide/00005") <= changed);
    let last = world.generations.len() - 1;
    let gone = pieces(&|| assert_eq!(world.deleted(last, b"wide").len() as u64, GENERATIONS - 1));
    assert!(gone <= whole + changed, "{gone} of {whole}");
    assert!(pieces(&|| drop(world.deleted(last, b"z"))) <= 4);
}
