//! Each stage of the write and read pipelines by itself. `cargo bench -p dedup-benches`.

use chunkstore::chunker::{Bounds, Chunker};
use chunkstore::compress::{Codec, Compressor, Decompressor};
use chunkstore::frame::{Decoder, Encoder};
use chunkstore::index::{Condemned, DatabaseDir, LocalIndex};
use chunkstore::keys::{Keys, MasterKey};
use chunkstore::pack::{Class, Frame, PackWriter};
use chunkstore::remote::Memory;
use chunkstore::seal::SealKey;
use chunkstore::{ChunkId, Error as StoreError, IndexId, Place, RepoId};
use corpus::made::{ids, segment, stream};
use corpus::{noise, text};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::entry::{DirPath, Entry};
use engine::tree::{Cursor, Root, Run, TreeWriter, decode, diff, encode, references};
use std::collections::HashMap;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: usize = 1 << 20;

fn fail<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(e) => {
            eprintln!("benchmark: {e}");
            std::process::exit(1)
        }
    }
}

fn keys() -> Keys {
    Keys::new(&fail(MasterKey::generate()), RepoId([1; 16]))
}

fn write_stages(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    let keys = keys();
    let (random, source) = (noise(1, 8 * MIB), text(1, MIB));
    group.throughput(Throughput::Bytes(random.len() as u64));
    let chunker = fail(Chunker::new(&[1; 32], Bounds::DEFAULT));
    group.bench_function("cut", |b| {
        b.iter(|| {
            let mut rest = &random[..];
            while !rest.is_empty() {
                rest = &rest[chunker.cut(rest)..];
            }
        })
    });
    group.throughput(Throughput::Bytes(MIB as u64));
    group.bench_function("hash", |b| {
        b.iter(|| keys.chunk_id(false, black_box(&random[..MIB])))
    });
    let mut compressor = fail(Compressor::new(3));
    let mut out = Vec::new();
    group.bench_function("compress text", |b| {
        b.iter(|| fail(compressor.compress(&source, &mut out)))
    });
    group.bench_function("compress noise", |b| {
        b.iter(|| fail(compressor.compress(&random[..MIB], &mut out)))
    });
    let key = SealKey::new([2; 32]);
    group.bench_function("seal", |b| {
        b.iter(|| {
            out.clear();
            fail(key.seal(b"associated", &random[..MIB], &mut out))
        })
    });
    let session = fail(keys.new_session());
    let mut encoder = fail(Encoder::new(3));
    let id = keys.chunk_id(false, &source);
    group.bench_function("encode and verify text", |b| {
        b.iter(|| {
            fail(
                encoder
                    .encode(&keys, &session.data.key, Class::Data, id, &source)
                    .map(|(frame, _)| frame),
            )
        })
    });
    group.finish();
}

fn read_stages(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Bytes(MIB as u64));
    let keys = keys();
    let source = text(2, MIB);
    let session = fail(keys.new_session());
    let mut encoder = fail(Encoder::new(3));
    let id = keys.chunk_id(false, &source);
    let (frame, sealed) = fail(encoder.encode(&keys, &session.data.key, Class::Data, id, &source));
    let sealed = sealed.to_vec();
    let mut decoder = fail(Decoder::new());
    let mut out = Vec::new();
    group.bench_function("open frame", |b| {
        b.iter(|| fail(decoder.open(&keys, &session.data.key, Class::Data, &frame, &sealed, &mut out)))
    });
    let (mut payload, mut decompressor) = (Vec::new(), fail(Decompressor::new()));
    fail(fail(Compressor::new(3)).compress(&source, &mut payload));
    group.bench_function("decompress text", |b| {
        b.iter(|| fail(decompressor.decompress(Codec::Zstd, &payload, source.len(), &mut out)))
    });
    group.finish();
}

/// Closes packs of sealed frames, in memory.
fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("pack");
    let (keys, remote) = (keys(), Memory::new());
    let sealed_key = fail(keys.new_session()).data.sealed;
    let sealed = noise(3, 8192);
    let frame = |number: u64| Frame {
        id: keys.chunk_id(false, &number.to_le_bytes()),
        offset: 0,
        stored_len: sealed.len() as u32,
        plain_len: 20_000,
        codec: Codec::Zstd,
        key: 0,
    };
    let frames: Vec<Frame> = (0..1024).map(frame).collect();
    group.throughput(Throughput::Bytes(8 * MIB as u64));
    group.bench_function("append and finish", |b| {
        b.iter(|| {
            let keys_of_pack = vec![sealed_key];
            let mut pack = fail(PackWriter::begin(&remote, keys.repo(), Class::Data, keys_of_pack));
            for frame in &frames {
                fail(pack.append(*frame, &sealed));
            }
            fail(pack.finish(&keys)).list.size
        })
    });
    group.finish();
}

/// An index of a million chunks; the ids asked for are sorted, as a run asks for a batch.
fn lookup(c: &mut Criterion) {
    const SEGMENTS: u64 = 8;
    const EACH: usize = 128 << 10;
    const BATCH: usize = 256;
    let mut group = c.benchmark_group("index");
    let dir = fail(tempfile::tempdir());
    let listed: Vec<IndexId> = (0..SEGMENTS).map(|number| IndexId([number as u8; 32])).collect();
    let mut load = |id: IndexId| Ok(segment(id.0[0].into(), EACH));
    let repo = RepoId([1; 16]);
    let none = Condemned::new();
    let index = LocalIndex::open(
        fail(DatabaseDir::cached(dir.path())),
        &repo,
        &listed,
        &none,
        None,
        &mut load,
        &mut |_, _| {},
    );
    let index = fail(index);
    group.throughput(Throughput::Elements(BATCH as u64));
    for (what, seed) in [("look up known", 3), ("look up new", SEGMENTS)] {
        let ids = ids(seed, EACH);
        let mut batches = ids.chunks_exact(BATCH).cycle();
        group.bench_function(what, |b| {
            b.iter(|| fail(index.locate_sorted(batches.next().unwrap_or_default())))
        });
    }
    group.finish();
}

/// Trees in memory, by chunk id.
type Stored = HashMap<ChunkId, Vec<u8>>;

fn write_tree(stored: &mut Stored, entries: impl Iterator<Item = (DirPath, Entry)>) -> Root {
    let mut tree = TreeWriter::new([1; 32], |plain: &[u8]| {
        let id = ChunkId(*blake3::hash(plain).as_bytes());
        stored.insert(id, plain.to_vec());
        Ok((id, None))
    });
    for (dir, entry) in entries {
        fail(tree.push(&dir, entry));
    }
    fail(tree.finish())
}

/// Whole generations: written anew, joined with an equal parent, compared with one of which each hundredth file
/// differs.
fn trees(c: &mut Criterion) {
    const ENTRIES: u64 = 20_000;
    let mut group = c.benchmark_group("tree");
    let mut stored = Stored::new();
    let root = write_tree(&mut stored, stream(ENTRIES));
    let changed = stream(ENTRIES).enumerate().map(|(number, (dir, mut entry))| {
        entry.meta.mtime.secs += i64::from(number % 100 == 0);
        (dir, entry)
    });
    let later = write_tree(&mut stored, changed);
    let load = |id: &ChunkId, _: Option<&Place>| Ok(stored[id].clone());
    let entries: Vec<(DirPath, Entry)> = stream(ENTRIES).collect();
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("write", |b| {
        b.iter(|| write_tree(&mut Stored::new(), entries.iter().cloned()))
    });
    group.bench_function("join with an equal parent", |b| {
        b.iter(|| {
            let mut parent = Cursor::new(&root, load);
            let mut tree = TreeWriter::new([1; 32], |_: &[u8]| Err(StoreError::WriterFailed.into()));
            while let Some(item) = fail(parent.next()) {
                fail(tree.push_same(&item.dir, item.entry, &item.pos));
            }
            fail(tree.finish())
        })
    });
    group.bench_function("compare", |b| {
        b.iter(|| {
            let changes = diff(Cursor::new(&root, load), Cursor::new(&later, load));
            changes.map(|change| drop(fail(change))).count()
        })
    });
    let some: Vec<&Vec<u8>> = stored.values().filter(|plain| decode(plain).is_ok()).collect();
    group.throughput(Throughput::Bytes(
        some.iter().map(|plain| plain.len() as u64).sum(),
    ));
    group.bench_function("decode", |b| {
        b.iter(|| some.iter().map(|plain| fail(decode(plain)).len()).sum::<usize>())
    });
    let runs: Vec<Vec<Run>> = some.iter().map(|plain| fail(decode(plain))).collect();
    group.bench_function("encode", |b| {
        b.iter(|| {
            runs.iter()
                .map(|runs| encode(black_box(runs)).len())
                .sum::<usize>()
        })
    });
    group.bench_function("references", |b| {
        b.iter(|| {
            some.iter()
                .map(|plain| fail(references(plain)).len())
                .sum::<usize>()
        })
    });
    group.finish();
}

criterion_group!(benches, write_stages, read_stages, append, lookup, trees);
criterion_main!(benches);
