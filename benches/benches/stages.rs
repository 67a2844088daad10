//! Each stage of the write and read pipelines by itself. `cargo bench -p dedup-benches`.

use chunkstore::chunker::{Bounds, Chunker};
use chunkstore::compress::{Codec, Compressor, Decompressor};
use chunkstore::frame::{Decoder, Encoder};
use chunkstore::keys::{Keys, MasterKey};
use chunkstore::pack::Class;
use chunkstore::seal::SealKey;
use chunkstore::{ChunkId, ContentHash, RepoId};
use corpus::{noise, text};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use engine::entry::{Content, Entry, Kind, Meta, Time};
use engine::tree::{Run, decode, encode, references};
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
    let (session, _) = fail(keys.new_session());
    let mut encoder = fail(Encoder::new(3));
    let id = keys.chunk_id(false, &source);
    group.bench_function("encode and verify text", |b| {
        b.iter(|| {
            fail(
                encoder
                    .encode(&keys, &session.data, Class::Data, id, &source)
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
    let (session, _) = fail(keys.new_session());
    let mut encoder = fail(Encoder::new(3));
    let id = keys.chunk_id(false, &source);
    let (frame, sealed) = fail(encoder.encode(&keys, &session.data, Class::Data, id, &source));
    let sealed = sealed.to_vec();
    let mut decoder = fail(Decoder::new());
    let mut out = Vec::new();
    group.bench_function("open frame", |b| {
        b.iter(|| fail(decoder.open(&keys, &session.data, Class::Data, &frame, &sealed, &mut out)))
    });
    let (mut payload, mut decompressor) = (Vec::new(), fail(Decompressor::new()));
    fail(fail(Compressor::new(3)).compress(&source, &mut payload));
    group.bench_function("decompress text", |b| {
        b.iter(|| fail(decompressor.decompress(Codec::Zstd, &payload, source.len(), &mut out)))
    });
    group.finish();
}

/// 3000 entries as a source tree has them.
fn segment() -> Vec<Run> {
    let entry = |dir: u64, number: u64| {
        let mut hash = [0; 16];
        hash.copy_from_slice(&noise(dir << 32 | number, 16));
        let bundle = ChunkId([dir as u8; 32]);
        let time = Time {
            secs: 1_700_000_000 + number as i64,
            nanos: (number * 7919) as u32,
        };
        let len = 1000 + number as u32;
        Entry {
            name: format!("file_{number:04}.c").into_bytes(),
            kind: Kind::File,
            meta: Meta {
                mode: 0o644,
                uid: 1000,
                gid: 1000,
                user: "user".into(),
                group: "user".into(),
                size: len.into(),
                mtime: time,
                ctime: time,
                btime: Some(time),
                dev: 1,
                ino: 1_000_000 + number,
                nlink: 1,
                xattrs: [].into(),
            },
            content: Content::Bundled {
                bundle,
                offset: number as u32 * 1000,
                len,
                hash: ContentHash(hash),
            },
            trouble: None,
        }
    };
    (0..100)
        .map(|dir| Run {
            dir: format!("drivers/net/dir_{dir:03}").into_bytes().into(),
            entries: (0..30).map(|number| entry(dir, number)).collect(),
        })
        .collect()
}

fn trees(c: &mut Criterion) {
    let mut group = c.benchmark_group("tree");
    let runs = segment();
    let plain = encode(&runs);
    group.throughput(Throughput::Elements(3000));
    group.bench_function("encode", |b| b.iter(|| encode(black_box(&runs))));
    group.bench_function("decode", |b| {
        b.iter_batched(|| (), |()| fail(decode(&plain)), BatchSize::SmallInput)
    });
    group.bench_function("references", |b| b.iter(|| fail(references(&plain))));
    group.finish();
}

criterion_group!(benches, write_stages, read_stages, trees);
criterion_main!(benches);
