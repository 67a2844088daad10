//! Generations made by hand: exactly the files a test names, put by the store's own writer and nothing above it.

use chunkstore::chunker::Bounds;
use chunkstore::frame::{Decoder, Encoder};
use chunkstore::index::Presence;
use chunkstore::intake::Intake;
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::remote::Memory;
use chunkstore::session::Owner;
use chunkstore::writer::Writer;
use chunkstore::{Error as StoreError, SessionId, SmallFile};
use engine::Result;
use engine::entry::{Content, Entry, Extent, ExtentList, Kind, Meta, Time, join};
use engine::manifest::{Head, Manifest, Summary};
use engine::monitor::Quiet;
use engine::repo::Repo;
use engine::tree::cut::Params;
use engine::tree::{TreeWriter, encode_extent_list};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Another machine than the repository's own.
pub const ELSEWHERE: [u8; 16] = [0xee; 16];

/// Path to content; all directories are one level deep.
pub type Files = BTreeMap<String, Vec<u8>>;

/// An empty repository in memory.
pub fn repository() -> Memory {
    let remote = Memory::new();
    crate::machine::create(&remote, Bounds::DEFAULT).unwrap();
    remote
}

/// Bytes that no compressor shrinks and that differ by `seed`.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Files of `len` bytes, one for each seed, named by it.
pub fn files(seeds: impl IntoIterator<Item = u64>, len: usize) -> Files {
    seeds
        .into_iter()
        .map(|seed| (format!("d{}/{seed:05}", seed % 3), noise(seed, len)))
        .collect()
}

/// A run of another machine, of which this one can't know whether it is dead or alive.
pub fn foreign_writer(repo: &Repo) -> Writer {
    let owner = Owner {
        machine: ELSEWHERE,
        host: "elsewhere".to_string(),
        pid: 1,
        started: 0,
        packs: None,
    };
    Writer::begin(repo.store.clone(), owner, 1, false).unwrap()
}

/// One whole backup of exactly these files; `number` counts the machine's generations and is their time.
pub fn generation(repo: &Repo, number: u64, files: &Files) -> Result<SessionId> {
    successor(repo, number, files, &Files::new())
}

/// The same as a backup with a parent does it: what is as it was there is not put again if the view has it.
pub fn successor(repo: &Repo, number: u64, files: &Files, parent: &Files) -> Result<SessionId> {
    followed(repo, number, files, parent, &[])
}

/// The same, with packs for further destinations, too.
pub fn followed(
    repo: &Repo,
    number: u64,
    files: &Files,
    parent: &Files,
    intakes: &[Arc<Intake>],
) -> Result<SessionId> {
    let writer = Writer::begin_with(repo.store.clone(), repo.owner(), 1, false, intakes)?;
    put_changed(repo, &writer, number, files, (parent, false))
        .and_then(|manifest| publish(&writer, &manifest))
}

/// The same where all small files that are new are in one bundle, and those of the parent in that of all of its files.
pub fn bundled(repo: &Repo, number: u64, files: &Files, parent: &Files) -> Result<SessionId> {
    let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false)?;
    put_changed(repo, &writer, number, files, (parent, true)).and_then(|manifest| publish(&writer, &manifest))
}

pub fn publish(writer: &Writer, manifest: &Manifest) -> Result<SessionId> {
    let flushed = writer.flush()?;
    Ok(writer.publish(flushed, &manifest.encode())?.0)
}

/// Puts the files and their tree, and gives the manifest to publish.
pub fn put_all(repo: &Repo, writer: &Writer, number: u64, files: &Files) -> Result<Manifest> {
    put_changed(repo, writer, number, files, (&Files::new(), false))
}

fn put_changed(
    repo: &Repo,
    writer: &Writer,
    number: u64,
    files: &Files,
    (parent, together): (&Files, bool),
) -> Result<Manifest> {
    let mut encoder = Encoder::new(3)?;
    let mut presence = Presence::default();
    let mut entries = Vec::new();
    for (path, bytes) in files {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let unchanged = parent.get(path) == Some(bytes);
        let beside = together.then_some(if unchanged { parent } else { files });
        let content = match bytes.len() {
            1..1000 => {
                let file = small_file(repo, bytes, beside);
                if !(unchanged && writer.present_file(&mut presence, &file.0)?) {
                    writer.put(0, &mut encoder, Class::Data, &file.1)?;
                }
                file.0.into()
            }
            _ => put_content(repo, writer, &mut encoder, bytes, unchanged)?,
        };
        entries.push((
            dir.as_bytes().to_vec(),
            entry(name, Kind::File, content, bytes.len()),
        ));
    }
    let dirs: std::collections::BTreeSet<Vec<u8>> = entries.iter().map(|(dir, _)| dir.clone()).collect();
    for dir in dirs.iter().filter(|dir| !dir.is_empty()) {
        let name = std::str::from_utf8(dir).unwrap();
        entries.push((Vec::new(), entry(name, Kind::Dir, Content::None, 0)));
    }
    entries.sort_by(|a, b| engine::tree::cmp_keys((&a.0, &a.1.name), (&b.0, &b.1.name)));
    // Short segments, so that a few files make several.
    let params = Params {
        min_cost: 400,
        max_cost: 4000,
        max_entries: 50,
        mask: 3,
    };
    let mut tree = TreeWriter::with_params(*repo.store.keys().tree_cuts(), params, |plain: &[u8]| {
        Ok((writer.put(0, &mut encoder, Class::Tree, plain)?.id, None))
    });
    for (dir, entry) in entries {
        tree.push(&dir.into(), entry)?;
    }
    let root = tree.finish()?;
    let time = Timestamp::from_second(1_000_000 + number as i64).unwrap();
    let mut manifest = Manifest::new(&head(repo, time), &root, Summary::default());
    manifest.sequence = number;
    Ok(manifest)
}

/// What this machine's generations of everything begin with.
pub fn head(repo: &Repo, time: Timestamp) -> Head {
    Head {
        set: String::new(),
        host: "here".to_string(),
        user: "me".to_string(),
        paths: vec![b"/".to_vec()],
        tags: Vec::new(),
        description: String::new(),
        time,
        walk: Time {
            secs: time.as_second(),
            nanos: 0,
        },
        machine: repo.machine(),
    }
}

const BEFORE: &[u8] = b"bundle";

/// A small file, and the bundle that it is in: with all that are to be `beside` it, or in one of its own. There a very
/// small one is beside another that no generation has, so that a collection which leaves nothing unused moves it.
fn small_file(repo: &Repo, bytes: &[u8], beside: Option<&Files>) -> (SmallFile, Vec<u8>) {
    let mut plain = BEFORE.to_vec();
    let mut offset = BEFORE.len();
    match beside {
        Some(files) => {
            for other in files.values().filter(|other| other.len() < 1000) {
                if other == bytes {
                    offset = plain.len();
                }
                plain.extend(other);
            }
        }
        None => {
            plain.extend(bytes);
            if let Some(seed) = bytes.first_chunk().filter(|_| bytes.len() < 260) {
                plain.extend(noise(u64::from_le_bytes(*seed), 300));
            }
        }
    }
    let keys = repo.store.keys();
    let file = SmallFile {
        bundle: keys.chunk_id(false, &plain),
        offset: offset as u32,
        len: bytes.len() as u32,
        hash: keys.content_hash(bytes),
    };
    (file, plain)
}

/// Large files as an extent list, others as one chunk.
fn put_content(
    repo: &Repo,
    writer: &Writer,
    encoder: &mut Encoder,
    bytes: &[u8],
    unchanged: bool,
) -> Result<Content> {
    let mut put = |plain: &[u8]| -> Result<chunkstore::ChunkId> {
        let id = repo.store.keys().chunk_id(false, plain);
        match unchanged && writer.present(&id)? {
            true => Ok(id),
            false => Ok(writer.put(0, encoder, Class::Data, plain)?.id),
        }
    };
    if bytes.is_empty() {
        return Ok(Content::None);
    }
    let len = bytes.len() as u32;
    let id = put(bytes)?;
    let extents = vec![Extent::Chunk { id, len }];
    if bytes.len() < 20_000 {
        return Ok(Content::Extents(extents));
    }
    let id = writer
        .put(0, encoder, Class::Tree, &encode_extent_list(&extents))?
        .id;
    Ok(Content::Lists(vec![ExtentList {
        id,
        extents: 1,
        bytes: len.into(),
    }]))
}

fn entry(name: &str, kind: Kind, content: Content, size: usize) -> Entry {
    Entry {
        name: name.as_bytes().to_vec(),
        kind,
        meta: Meta {
            mode: 0o644,
            uid: 0,
            gid: 0,
            user: "".into(),
            group: "".into(),
            size: size as u64,
            mtime: Time::default(),
            ctime: Time::default(),
            btime: None,
            dev: 1,
            ino: 1,
            nlink: 1,
            xattrs: Arc::from([]),
            flags: 0,
        },
        content,
        trouble: None,
    }
}

/// The files of a generation as they come back; the first that does not is the error.
pub fn read_back(repo: &Repo, id: SessionId) -> Result<Files> {
    let mut files = Files::new();
    each_file(repo, id, &mut |path, bytes| {
        files.insert(path, bytes?);
        Ok(())
    })?;
    Ok(files)
}

/// The files that come back, and the paths of those that do not.
pub fn read_some(repo: &Repo, id: SessionId) -> Result<(Files, Vec<String>)> {
    let (mut files, mut lost) = (Files::new(), Vec::new());
    each_file(repo, id, &mut |path, bytes| {
        match bytes {
            Ok(bytes) => drop(files.insert(path, bytes)),
            Err(_) => lost.push(path),
        }
        Ok(())
    })?;
    Ok((files, lost))
}

fn each_file(
    repo: &Repo,
    id: SessionId,
    each: &mut dyn FnMut(String, Result<Vec<u8>>) -> Result<()>,
) -> Result<()> {
    let reader = repo.reader(&Quiet);
    let mut cursor = engine::trees::cursor(&reader, &repo.manifest(id)?.root()?)?;
    while let Some(item) = cursor.next()? {
        if item.entry.kind == Kind::File {
            let path = join(&item.dir, &item.entry.name);
            each(
                String::from_utf8(path).unwrap(),
                file(&reader, &item.entry.content),
            )?;
        }
    }
    Ok(())
}

fn file(reader: &Reader<'_>, content: &Content) -> Result<Vec<u8>> {
    let mut decoder = Decoder::new()?;
    let mut bytes = Vec::new();
    let chunk = |id: chunkstore::ChunkId| -> Result<Vec<u8>> {
        let located = reader
            .locate(&id)?
            .ok_or_else(|| StoreError::missing(chunkstore::error::Object::Chunk(id)))?;
        let mut out = Vec::new();
        let (remote, keys) = (reader.store().remote(), reader.store().keys());
        Decoder::new()?.read(remote, keys, Class::Data, id, &located.place, &mut out)?;
        Ok(out)
    };
    if let Some(file) = content.small_file() {
        let now = reader.index()?.find_file(&file)?.map_or(file, |(now, _)| now);
        bytes.extend_from_slice(now.slice(&chunk(now.bundle)?).unwrap());
        assert_eq!(reader.store().keys().content_hash(&bytes), file.hash);
    }
    engine::trees::for_each_extent(reader, &mut decoder, content, &mut |extent| {
        if let Extent::Chunk { id, .. } = extent {
            bytes.extend(chunk(id)?);
        }
        Ok(())
    })?;
    Ok(bytes)
}
