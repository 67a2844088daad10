//! Copies generations into another repository, whose keys are others: everything is opened, and cut and sealed anew as
//! a backup there does. What is there already is not stored again, whether a copy or a backup brought it.
//!
//! What did not change since the last generation that was copied is not even read: the two generations of that pair are
//! read beside the new one, all in the order of their streams, and what is equal at the source has its references in
//! the copy. They are looked up in the view like all others (I-4).

use crate::backup::fill_places;
use crate::entry::{Content, Entry, Extent};
use crate::error::{Error, Refusal, Result, StoreError};
use crate::manifest::{Manifest, Snapshot};
use crate::monitor::{Monitor, Phase, Problem, Progress};
use crate::problem::Warning;
use crate::repo::{Repo, index_progress};
use crate::restore::ChunkSource;
use crate::tree::{Cursor, ExtentListWriter, Root, TreeWriter};
use crate::{replicate, trees};
use chunkstore::error::{Flaw, Object};
use chunkstore::frame::{Decoder, Encoder};
use chunkstore::index::{KnownFile, Presence};
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::remote::ObjectName;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, Place, SessionId, SmallFile};
use std::collections::HashMap;

/// The lane for trees, beside that for data.
const TREES: usize = 1;

#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// Copy also what the target has removed, and what is older than what it has.
    pub all: bool,
    /// Read and compare, and show what would be stored; write nothing.
    pub dry_run: bool,
    /// zstd's level.
    pub level: i32,
}

/// A generation that was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    pub from: SessionId,
    /// `None` in a dry run.
    pub to: Option<SessionId>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub snapshots: Vec<Copy>,
    /// Generations that could not be copied, since the source lost something of them.
    pub damaged: u64,
    /// Those that were left out since something that they need can't be read.
    pub unreadable: u64,
    /// New chunks at the target, and their bytes before and after compression.
    pub chunks: u64,
    pub data_added: u64,
    pub data_added_packed: u64,
    /// Bytes of files that were read at the source.
    pub bytes_read: u64,
}

/// Copies the generations `ids` of `from`; without any, those by which `to` is behind. What is there already is passed
/// over.
pub fn run(
    from: &Repo,
    to: &Repo,
    ids: &[SessionId],
    options: &CopyOptions,
    monitor: &dyn Monitor,
) -> Result<Copied> {
    if to.store.is_replica_of(&from.store) {
        return Err(Error::Refused(Refusal::Replicas));
    }
    let all = options.all || !ids.is_empty();
    let mut wanted = replicate::lacking(from, to, all, from.run().now)?.snapshots;
    wanted.retain(|snapshot| ids.is_empty() || ids.contains(&snapshot.id));
    let mut pairs = pairs(from, to)?;
    let mut copied = Copied::default();
    for snapshot in &wanted {
        let base = pairs.iter().rev().find(|pair| pair.is_akin(snapshot));
        let mut done = copy(from, to, snapshot, base, options, monitor, &mut copied);
        if base.is_some() && matches!(&done, Err(Error::Store(e)) if e.concerns_one_object()) {
            // It may be of the earlier pair, which only saves work.
            done = copy(from, to, snapshot, None, options, monitor, &mut copied);
        }
        match done {
            Ok(new) => {
                copied.snapshots.push(Copy {
                    from: snapshot.id,
                    to: new,
                });
                pairs.extend(new.map(|to| Pair::new(snapshot, to)));
            }
            Err(Error::Store(e)) if e.concerns_one_object() => {
                match e.is_damage() {
                    true => copied.damaged += 1,
                    false => copied.unreadable += 1,
                }
                let warning = Warning::NotCopied(e);
                monitor.problem(&Problem::warning(ObjectName::snapshot(snapshot.id), warning));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(copied)
}

/// A generation and its copy.
struct Pair {
    host: String,
    paths: Vec<Vec<u8>>,
    from: SessionId,
    to: SessionId,
}

impl Pair {
    fn new(snapshot: &Snapshot, to: SessionId) -> Pair {
        Pair {
            host: snapshot.manifest.host.clone(),
            paths: snapshot.manifest.paths.clone(),
            from: snapshot.id,
            to,
        }
    }

    fn is_akin(&self, snapshot: &Snapshot) -> bool {
        self.host == snapshot.manifest.host && self.paths == snapshot.manifest.paths
    }
}

/// What was copied before and is in both, oldest first.
fn pairs(from: &Repo, to: &Repo) -> Result<Vec<Pair>> {
    let (copies, _) = to.snapshots()?;
    let by_origin: HashMap<SessionId, SessionId> = copies
        .iter()
        .filter_map(|copy| Some((copy.manifest.original?, copy.id)))
        .collect();
    let (sources, _) = from.snapshots()?;
    let pair = |source: &Snapshot| {
        let origin = source.manifest.original.unwrap_or(source.id);
        Some(Pair::new(source, *by_origin.get(&origin)?))
    };
    Ok(sources.iter().filter_map(pair).collect())
}

fn copy(
    from: &Repo,
    to: &Repo,
    snapshot: &Snapshot,
    base: Option<&Pair>,
    options: &CopyOptions,
    monitor: &dyn Monitor,
    copied: &mut Copied,
) -> Result<Option<SessionId>> {
    let mut manifest = from.manifest(snapshot.id)?;
    let owner = to.owner();
    let writer = Writer::begin(to.store.clone(), owner, 2, options.dry_run)?;
    let source = ChunkSource::new(from, monitor);
    let target = Reader::beside(to.store.clone(), &writer, index_progress(monitor));
    target.index()?;
    monitor.phase(Phase::Replicating);
    let mut copier = Copier {
        from,
        to,
        writer: &writer,
        source: &source,
        target: &target,
        level: options.level,
        encoder: Encoder::new(options.level)?,
        decoder: Decoder::new()?,
        bundle: None,
        presence: Presence::default(),
        monitor,
        bytes_read: copied.bytes_read,
    };
    let root = match base {
        Some(pair) => {
            let earlier = (from.manifest(pair.from)?.root()?, to.manifest(pair.to)?.root()?);
            let beside = Base {
                source: trees::cursor(source.reader(), &earlier.0)?,
                target: trees::cursor(&target, &earlier.1)?,
            };
            copier.tree(&manifest, Some(beside))?
        }
        None => copier.tree(
            &manifest,
            None::<Base<fn(&ChunkId, Option<&Place>) -> _, fn(&ChunkId, Option<&Place>) -> _>>,
        )?,
    };
    copied.bytes_read = copier.bytes_read;
    let published = publish(&writer, &mut manifest, root, snapshot, options)?;
    let written = writer.written();
    copied.chunks += written.chunks;
    copied.data_added += written.plain;
    copied.data_added_packed += written.stored;
    Ok(published)
}

fn publish(
    writer: &Writer,
    manifest: &mut Manifest,
    mut root: Root,
    snapshot: &Snapshot,
    options: &CopyOptions,
) -> Result<Option<SessionId>> {
    let flushed = writer.flush()?;
    if options.dry_run {
        return Ok(None);
    }
    fill_places(writer, &mut root)?;
    manifest.set_root(&root);
    manifest.original = Some(manifest.original.unwrap_or(snapshot.id));
    // Of another repository, as is the chain of its machine's manifests (I-17).
    manifest.parent = None;
    (manifest.sequence, manifest.previous) = (0, [0; 32]);
    Ok(Some(writer.publish(flushed, &manifest.encode())?.0))
}

/// The generation copied last, at the source and at the target: the same entries in the same order.
struct Base<S, T> {
    source: Cursor<S>,
    target: Cursor<T>,
}

impl<S, T> Base<S, T>
where
    S: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    T: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
{
    /// What the copy has for an entry with this content.
    fn find(&mut self, dir: &[u8], entry: &Entry) -> Result<Option<Content>> {
        self.source.seek(dir, &entry.name)?;
        let same = |found: Option<(&crate::entry::DirPath, &Entry)>| {
            found
                .filter(|(at, other)| ***at == *dir && other.name == entry.name)
                .map(|(_, other)| other.content.clone())
        };
        if same(self.source.peek()?).as_ref() != Some(&entry.content) {
            return Ok(None);
        }
        self.target.seek(dir, &entry.name)?;
        Ok(same(self.target.peek()?))
    }
}

struct Copier<'a> {
    from: &'a Repo,
    to: &'a Repo,
    writer: &'a Writer,
    source: &'a ChunkSource<'a>,
    target: &'a Reader<'a>,
    level: i32,
    encoder: Encoder,
    decoder: Decoder,
    /// The bundle read last, and its id at the target once it is there.
    bundle: Option<(ChunkId, Vec<u8>, Option<ChunkId>)>,
    /// Of small files of the copy before.
    presence: Presence,
    monitor: &'a dyn Monitor,
    bytes_read: u64,
}

impl Copier<'_> {
    fn tree<S, T>(&mut self, manifest: &Manifest, mut base: Option<Base<S, T>>) -> Result<Root>
    where
        S: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
        T: FnMut(&ChunkId, Option<&Place>) -> Result<Vec<u8>>,
    {
        let (writer, mut encoder) = (self.writer, Encoder::new(self.level)?);
        let mut tree = TreeWriter::new(*self.to.store.keys().tree_cuts(), |plain: &[u8]| {
            Ok((writer.put(TREES, &mut encoder, Class::Tree, plain)?.id, None))
        });
        let root = manifest.root()?;
        let mut cursor = trees::cursor(self.source.reader(), &root)?;
        let mut files_done = 0;
        while let Some(mut item) = cursor.next()? {
            self.to.run().cancel().check()?;
            if item.entry.content != Content::None {
                let known = match &mut base {
                    Some(base) => base.find(&item.dir, &item.entry)?,
                    None => None,
                };
                item.entry.content = match known {
                    Some(content) if self.is_present(&content)? => content,
                    _ => self.content(&item.entry.content)?,
                };
            }
            tree.push(&item.dir, item.entry)?;
            files_done += 1;
            self.monitor.progress(&Progress {
                files_done,
                files_total: root.entries,
                bytes_done: self.bytes_read,
                ..Progress::default()
            });
        }
        tree.finish()
    }

    /// Whether all of it may be referred to.
    fn is_present(&mut self, content: &Content) -> Result<bool> {
        let reading = (self.target, &mut self.decoder);
        trees::is_present(self.writer, &mut self.presence, reading, content)
    }

    /// The same content under the target's keys.
    fn content(&mut self, content: &Content) -> Result<Content> {
        match content {
            Content::None => Ok(Content::None),
            Content::Bundled { .. } => match content.small_file() {
                Some(file) => self.small(&file),
                None => Ok(Content::None),
            },
            Content::Extents(_) | Content::Lists(_) => self.large(content),
        }
    }

    /// A file in a bundle: where the target has its bytes already, or the bundle as it is.
    fn small(&mut self, file: &SmallFile) -> Result<Content> {
        let mut now = self.source.find(file)?;
        if self
            .bundle
            .as_ref()
            .is_none_or(|(known, ..)| *known != now.bundle)
        {
            let mut plain = Vec::new();
            let read = self.source.chunk(&mut self.decoder, &now.bundle, &mut plain);
            self.bundle = match read {
                Ok(()) => Some((now.bundle, plain, None)),
                // The file may be elsewhere, too.
                Err(Error::Store(e)) if e.is_object_local() => None,
                Err(e) => return Err(e),
            };
            let read = self.bundle.as_ref().map_or(0, |(_, plain, _)| plain.len());
            self.bytes_read += read as u64;
        }
        let keys = self.from.store.keys();
        let holds = |plain: &[u8]| {
            let bytes = now.slice(plain);
            bytes.is_some_and(|bytes| keys.content_hash(bytes) == file.hash)
        };
        if !self.bundle.as_ref().is_some_and(|(_, plain, _)| holds(plain)) {
            let mut bytes = Vec::new();
            self.source.reader().file(&mut self.decoder, file, &mut bytes)?;
            // A bundle of its own, which no other file of this name's is looked for in.
            (now.bundle, now.offset) = (ChunkId([0; 32]), 0);
            self.bundle = Some((now.bundle, bytes, None));
        }
        let missing = || StoreError::corrupt(Object::Chunk(file.bundle), Flaw::HashMismatch);
        let (_, plain, put) = self.bundle.as_mut().ok_or_else(missing)?;
        let (offset, len) = (now.offset, file.len);
        let bytes = now.slice(plain).ok_or_else(missing)?;
        let hash = self.to.store.keys().content_hash(bytes);
        let known = self.writer.known_files(&[hash])?.into_iter().next().flatten();
        if let Some(known) = known.filter(|known| known.len == len) {
            return Ok(Content::Bundled {
                bundle: known.bundle,
                offset: known.offset,
                len,
                hash,
            });
        }
        let bundle = match put {
            Some(bundle) => *bundle,
            None => *put.insert(self.writer.put(0, &mut self.encoder, Class::Data, plain)?.id),
        };
        let file = KnownFile { bundle, offset, len };
        self.writer.remember_files(&[(hash, file)])?;
        Ok(Content::Bundled {
            bundle,
            offset,
            len,
            hash,
        })
    }

    /// A large file, cut where the target cuts: so it shares chunks with what was backed up there.
    fn large(&mut self, content: &Content) -> Result<Content> {
        let (writer, level) = (self.writer, self.level);
        let mut list_encoder: Option<Encoder> = None;
        let mut extents = ExtentListWriter::new(|plain: &[u8]| {
            let encoder = match &mut list_encoder {
                Some(encoder) => encoder,
                None => list_encoder.insert(Encoder::new(level)?),
            };
            Ok((writer.put(TREES, encoder, Class::Tree, plain)?.id, None))
        });
        let mut cut = Cut {
            writer,
            encoder: &mut self.encoder,
            chunker: self.to.store.chunker(),
            window: Vec::new(),
            push: &mut |extent| extents.push(extent),
        };
        let (source, cancel) = (self.source, self.to.run().cancel());
        let (mut plain, mut read) = (Vec::new(), 0);
        let mut chunks = Decoder::new()?;
        trees::for_each_extent(source.reader(), &mut self.decoder, content, &mut |extent| {
            cancel.check().map_err(Error::from)?;
            match extent {
                Extent::Zero { len } => cut.zero(len),
                Extent::Chunk { id, len } => {
                    source.chunk(&mut chunks, &id, &mut plain)?;
                    if plain.len() != len as usize {
                        return Err(StoreError::corrupt(Object::Chunk(id), Flaw::LengthMismatch).into());
                    }
                    read += u64::from(len);
                    cut.bytes(&plain)
                }
            }
        })?;
        cut.finish()?;
        self.bytes_read += read;
        extents.finish()
    }
}

/// Bytes in, chunks at the target out.
struct Cut<'a> {
    writer: &'a Writer,
    encoder: &'a mut Encoder,
    chunker: &'a chunkstore::chunker::Chunker,
    /// Less than the longest chunk between two calls.
    window: Vec<u8>,
    push: &'a mut dyn FnMut(Extent) -> Result<()>,
}

impl Cut<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.window.extend_from_slice(bytes);
        self.chunks(self.chunker.bounds().max as usize)
    }

    /// Puts chunks while at least so many bytes are there: no cut depends on what is still to come.
    fn chunks(&mut self, least: usize) -> Result<()> {
        let mut start = 0;
        while self.window.len() - start >= least.max(1) {
            let rest = &self.window[start..];
            let chunk = &rest[..self.chunker.cut(rest)];
            let put = self.writer.put(0, self.encoder, Class::Data, chunk)?;
            let len = chunk.len() as u32;
            (self.push)(Extent::Chunk { id: put.id, len })?;
            start += len as usize;
        }
        self.window.drain(..start);
        Ok(())
    }

    fn zero(&mut self, len: u64) -> Result<()> {
        self.chunks(1)?;
        (self.push)(Extent::Zero { len })
    }

    fn finish(&mut self) -> Result<()> {
        self.chunks(1)
    }
}
