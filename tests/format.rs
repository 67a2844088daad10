//! docs/format.md stays true: it ends with a whole repository in hexadecimal, which the library opens, and which a
//! second decoder, written from the text alone ([`by_hand`]), reads to the same end.
//!
//! After a change of format: `cargo test --release -p dedup-tests --test all -- --ignored write_a_new_example`.

pub mod by_hand;

use chunkstore::chunker::Bounds;
use chunkstore::forgotten::Forgotten;
use chunkstore::frame::{Decoder, Encoder};
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::remote::{Kind as ObjectKind, Memory, ObjectName, Remote};
use chunkstore::session::{self, Owner, Session, View};
use chunkstore::slot::{Cost, parse_key_file};
use chunkstore::store::{NewStore, SnapshotObject, Store};
use chunkstore::upgrades::Standing;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place};
use engine::entry::{Content, DirPath, Entry, Extent, Kind, Meta, Time, Trouble};
use engine::manifest::{Head, Manifest, Summary};
use engine::tree::{Segments, TreeWriter};
use engine::{manifest, trees};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

const DOCUMENT: &str = include_str!("../docs/format.md");
const MARK: &str = "<!-- The rest of this file is written by tests/format.rs. -->";
const KEY_FILE: &str = "dedup key file 1\n000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
const NOW: i64 = 1_767_225_600;
/// Bytes in a line of hexadecimal.
const LINE: usize = 48;

pub type Objects = BTreeMap<String, Vec<u8>>;

/// The blocks whose opening fence is "````kind` `name`".
fn blocks(kind: &str) -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in DOCUMENT.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some((_, body)), _) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, Some(info)) => {
                let name = info.strip_prefix(kind).and_then(|name| name.strip_prefix(' '));
                open = Some((name.unwrap_or_default().to_string(), String::new()));
            }
            (None, None) => {}
        }
    }
    blocks.remove("");
    blocks
}

fn objects() -> Objects {
    let bytes = |block: String| {
        let mut bytes = Vec::new();
        for line in block.lines() {
            match line.strip_suffix(" zero bytes") {
                Some(count) => bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), 0),
                None => bytes.extend(unhex(line)),
            }
        }
        bytes
    };
    blocks("hex")
        .into_iter()
        .map(|(name, block)| (name, bytes(block)))
        .collect()
}

pub fn unhex(line: &str) -> Vec<u8> {
    assert!(line.len().is_multiple_of(2), "{line}");
    (0..line.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn example() -> Memory {
    let remote = Memory::new();
    for (path, bytes) in objects() {
        let name = name_of(&path);
        assert_eq!(name.path(), path);
        remote.put(&name, &bytes).unwrap();
    }
    remote
}

fn name_of(path: &str) -> ObjectName {
    let id = path.rsplit('/').next().unwrap();
    let kind = ObjectKind::ALL
        .into_iter()
        .find(|kind| path.starts_with(kind.folder()))
        .unwrap();
    match kind {
        ObjectKind::Config => ObjectName::config(),
        _ => ObjectName::parse(kind, id).unwrap(),
    }
}

fn open(remote: Memory, cache: &Path) -> Arc<Store> {
    let secret = parse_key_file(KEY_FILE).unwrap();
    Arc::new(Store::open(Arc::new(remote), &secret, cache).unwrap())
}

#[test]
fn the_library_reads_the_example() {
    let cache = tempfile::tempdir().unwrap();
    let store = open(example(), cache.path());
    let reader = Reader::new(store.clone(), Box::new(|_, _| {}));
    let (mut manifests, mut fences, mut seen) = (0, 0, Vec::new());
    for id in store.snapshot_ids().unwrap() {
        let Owner { packs, .. } = session::owner(&store, id).unwrap().unwrap();
        let said = Owner { packs, ..owner() };
        assert_eq!(session::owner(&store, id).unwrap().unwrap(), said);
        let SnapshotObject::Manifest { .. } = store.snapshot_object(id).unwrap() else {
            assert_eq!(packs, None);
            fences += 1;
            continue;
        };
        manifests += 1;
        for segment in View::read(&store).unwrap().segments {
            let segment = store.segment(segment).unwrap();
            let mut keys = segment.packs.iter().flat_map(|pack| &pack.sealed_keys);
            assert!(keys.all(|key| packs.is_some_and(|own| own.contains(&session::packs_under(key)))));
        }
        let root = manifest::load(&store, id).unwrap().root().unwrap();
        let mut cursor = trees::cursor(&reader, &root).unwrap();
        while let Some(item) = cursor.next().unwrap() {
            let content = content_of(&reader, &item.entry.content);
            seen.push((item.dir.to_vec(), item.entry.name, item.entry.kind, content));
        }
    }
    assert_eq!((manifests, fences), (1, 1));
    let want: Vec<_> = files()
        .into_iter()
        .map(|(dir, name, kind, content)| (dir.to_vec(), name.to_vec(), kind, content))
        .collect();
    assert_eq!(seen, want);
}

fn content_of(reader: &Reader<'_>, content: &Content) -> Vec<u8> {
    let mut decoder = Decoder::new().unwrap();
    let mut chunk = |id: &ChunkId| {
        let place = reader.locate(id).unwrap().unwrap().place;
        let (store, mut out) = (reader.store(), Vec::new());
        decoder
            .read(store.remote(), store.keys(), Class::Data, *id, &place, &mut out)
            .unwrap();
        out
    };
    match content {
        Content::None => Vec::new(),
        Content::Bundled {
            bundle, offset, len, ..
        } => chunk(bundle)[*offset as usize..(*offset + *len) as usize].to_vec(),
        Content::Extents(extents) => extents
            .iter()
            .flat_map(|extent| match extent {
                Extent::Chunk { id, .. } => chunk(id),
                Extent::Zero { len } => vec![0; *len as usize],
            })
            .collect(),
        Content::Lists(_) => panic!("the example has none"),
    }
}

/// Nothing of ours but the text of the document went into that decoder.
#[test]
fn a_decoder_written_from_the_document_reads_the_example() {
    let mut walk = by_hand::read(&objects(), &by_hand::Secret::KeyFile(KEY_FILE));
    let blocks = blocks("text");
    assert_eq!(blocks["walk"], walk.text);
    assert_eq!(blocks["key-file"], KEY_FILE);
    let want: Vec<(Vec<u8>, Vec<u8>)> = files()
        .into_iter()
        .map(|(dir, name, _, content)| ([dir, b"/", name].concat(), content))
        .collect();
    let (_, files) = walk.generations.pop_first().unwrap();
    assert_eq!((files, walk.generations.len()), (want, 0));
}

#[test]
fn another_key_does_not_open_the_example() {
    let cache = tempfile::tempdir().unwrap();
    let other = parse_key_file(&KEY_FILE.replace("1f\n", "1e\n")).unwrap();
    let opened = Store::open(Arc::new(example()), &other, cache.path());
    assert!(matches!(opened.err(), Some(chunkstore::Error::WrongKey)));
}

// What is in the example.

fn owner() -> Owner {
    Owner {
        machine: *b"an example's id!",
        host: "example".to_string(),
        pid: 42,
        started: NOW,
        packs: None,
    }
}

fn text() -> Vec<u8> {
    (1..=120)
        .flat_map(|n| format!("line {n} of a file that is cut into chunks\n").into_bytes())
        .collect()
}

/// Directory, name, kind and bytes, in the stream's order.
type Sample = (&'static [u8], &'static [u8], Kind, Vec<u8>);

fn files() -> Vec<Sample> {
    let link = Kind::Symlink {
        target: b"a.txt".to_vec(),
    };
    vec![
        (b"", b"home", Kind::Dir, vec![]),
        (b"home", b"a.txt", Kind::File, b"hello, world\n".to_vec()),
        (b"home", b"b.txt", Kind::File, b"a second small file\n".to_vec()),
        (b"home", b"gone", Kind::File, vec![]),
        (b"home", b"large", Kind::File, [text(), vec![0; 5000]].concat()),
        (b"home", b"link", link, vec![]),
    ]
}

fn entry(name: &[u8], kind: Kind, size: usize, content: Content) -> Entry {
    let time = |nanos| Time {
        secs: NOW - 60,
        nanos,
    };
    Entry {
        name: name.to_vec(),
        meta: Meta {
            mode: if kind == Kind::Dir { 0o755 } else { 0o644 },
            uid: 1000,
            gid: 1000,
            user: "u".into(),
            group: "u".into(),
            size: size as u64,
            mtime: time(500),
            ctime: time(500),
            btime: None,
            dev: 7,
            ino: 100 + u64::from(name[0]),
            nlink: if kind == Kind::Dir { 2 } else { 1 },
            xattrs: Arc::new([]),
            flags: 0,
        },
        kind,
        content,
        trouble: (name == b"gone").then_some(Trouble::Unreadable { errno: 13 }),
    }
}

fn write_example(remote: &Memory, cache: &Path) {
    let bounds = Bounds {
        min: 1024,
        avg: 2048,
        max: 8192,
    };
    let secret = parse_key_file(KEY_FILE).unwrap();
    let new = NewStore {
        bounds,
        secrets: &[(secret, "the example's key file")],
        cost: Cost::DEFAULT,
        now: NOW,
    };
    Store::create(remote, &new).unwrap();
    let store = open(remote.clone(), cache);
    session::fence(&store, Session::begin(&store, &owner()).unwrap().id).unwrap();
    let writer = Writer::begin(store.clone(), owner(), 1, false).unwrap();
    let mut encoder = Encoder::new(3).unwrap();
    let mut put = |class, plain: &[u8]| writer.put(0, &mut encoder, class, plain).unwrap().id;
    let bundle = put(Class::Data, b"hello, world\na second small file\n");
    let (mut extents, text) = (Vec::new(), text());
    let mut rest = &text[..];
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(store.chunker().cut(rest));
        let len = chunk.len() as u32;
        extents.push(Extent::Chunk {
            id: put(Class::Data, chunk),
            len,
        });
        rest = after;
    }
    assert!(extents.len() > 1);
    extents.push(Extent::Zero { len: 5000 });
    let mut offset = 0;
    let entries = files().into_iter().map(|(dir, name, kind, bytes)| {
        let len = bytes.len() as u32;
        let content = match name {
            b"a.txt" | b"b.txt" => Content::Bundled {
                bundle,
                offset,
                len,
                hash: store.keys().content_hash(&bytes),
            },
            b"large" => Content::Extents(extents.clone()),
            _ => Content::None,
        };
        offset += len;
        (DirPath::from(dir), entry(name, kind, bytes.len(), content))
    });
    let entries: Vec<_> = entries.collect();
    let mut tree = TreeWriter::new(
        *store.keys().tree_cuts(),
        |plain: &[u8]| -> engine::Result<(ChunkId, Option<Place>)> { Ok((put(Class::Tree, plain), None)) },
    );
    for (dir, entry) in entries {
        tree.push(&dir, entry).unwrap();
    }
    let mut root = tree.finish().unwrap();
    let flushed = writer.flush().unwrap();
    let Segments::Inline(rows) = &mut root.segments else {
        panic!("too many segments")
    };
    for row in rows {
        row.place = writer.place(&row.id).unwrap().map(|located| located.place);
    }
    writer.publish(flushed, &manifest_of(&root).encode()).unwrap();
    // A second generation, in the trash; a mark; a list of the forgotten; an upgrade.
    let writer = Writer::begin(store.clone(), owner(), 1, false).unwrap();
    let mut second = manifest_of(&root);
    (second.description, second.sequence) = ("forgotten".to_string(), 2);
    let flushed = writer.flush().unwrap();
    let (id, _) = writer.publish(flushed, &second.encode()).unwrap();
    store.forget(id, NOW + 1).unwrap();
    let gone = [chunkstore::PackId([1; 32]), chunkstore::PackId([2; 32])];
    session::Mark::publish(&store, &gone.into()).unwrap();
    let ended = Forgotten {
        id: chunkstore::SessionId([3; 16]),
        machine: owner().machine,
        sequence: 3,
        original: None,
    };
    store.list_forgotten(&[ended]).unwrap();
    let feature = |standing: &mut Standing| standing.optional.push("an example".to_string());
    assert!(store.upgrade(NOW + 2, &feature).unwrap());
}

fn manifest_of(root: &engine::tree::Root) -> Manifest {
    let time = jiff_time();
    let head = Head {
        set: String::new(),
        host: "example".to_string(),
        user: "u".to_string(),
        paths: vec![b"/home".to_vec()],
        tags: vec!["tag".to_string()],
        description: "an example".to_string(),
        time,
        walk: Time { secs: NOW, nanos: 0 },
        machine: owner().machine,
    };
    let mut manifest = Manifest::new(&head, root, Summary::default());
    manifest.sequence = 1;
    manifest
}

fn jiff_time() -> jiff::Timestamp {
    jiff::Timestamp::from_second(NOW).unwrap()
}

/// Replaces the example in the document by a new one: ids, nonces and keys are drawn anew.
#[test]
#[ignore = "rewrites docs/format.md"]
fn write_a_new_example() {
    let cache = tempfile::tempdir().unwrap();
    let remote = Memory::new();
    write_example(&remote, cache.path());
    let objects: Objects = kit::remotes::contents(&remote)
        .unwrap()
        .into_iter()
        .map(|(name, bytes)| (name.path(), bytes))
        .collect();
    let mut out = DOCUMENT.split(MARK).next().unwrap().to_string();
    out.push_str(MARK);
    write!(
        out,
        "\n\n```text walk\n{}```\n",
        by_hand::read(&objects, &by_hand::Secret::KeyFile(KEY_FILE)).text
    )
    .unwrap();
    for (name, bytes) in &objects {
        write!(
            out,
            "\n`{name}`, {} bytes:\n\n```hex {name}\n{}```\n",
            bytes.len(),
            hex_lines(bytes)
        )
        .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    std::fs::write(path, out).unwrap();
}

fn hex_lines(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let mut lines: String = bytes[..end].chunks(LINE).map(|line| hex(line) + "\n").collect();
    if end < bytes.len() {
        writeln!(lines, "{} zero bytes", bytes.len() - end).unwrap();
    }
    lines
}
