//! Gives each snapshot that lost something a successor that holds the rest and lists what is missing. The old one
//! stays.
//!
//! Lost is what can't be read. What can be read and not be referred to anew (I-4), because its pack is condemned, is
//! stored again.

use super::RepairOptions;
use crate::backup::fill_places;
use crate::check::DamagedPath;
use crate::entry::{Content, Entry, Extent, Trouble, join};
use crate::error::{Error, Result};
use crate::manifest::{self, Manifest, UNREADABLE_MAX};
use crate::monitor::{Monitor, Phase};
use crate::platform::errno;
use crate::repo::{Repo, index_progress};
use crate::tree::{SegmentRef, TreeWriter};
use crate::trees::{self, TreeStep};
use chunkstore::frame::{Decoder, Encoder, LEVEL};
use chunkstore::index::Presence;
use chunkstore::live::LiveSet;
use chunkstore::pack::Class;
use chunkstore::reader::Reader;
use chunkstore::writer::Writer;
use chunkstore::{ChunkId, SessionId, SmallFile};
use std::collections::HashSet;

/// Tag of a successor.
pub const TAG: &str = "repaired";
/// Lost paths that a report names.
const LISTED: usize = 1000;

/// A snapshot that lost something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRepaired {
    pub id: SessionId,
    /// `None` in a dry run.
    pub successor: Option<SessionId>,
    pub lost_entries: u64,
    /// At most a thousand of them.
    pub lost: Vec<DamagedPath>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotsRepaired {
    pub repaired: Vec<SnapshotRepaired>,
    /// Looked through.
    pub snapshots: u64,
    /// Whose manifest can't be read.
    pub unreadable: u64,
}

/// Mends the given snapshots; all, where none is given. One that has a successor already is passed over.
pub fn snapshots(
    repo: &Repo,
    ids: &[SessionId],
    options: &RepairOptions,
    monitor: &dyn Monitor,
) -> Result<SnapshotsRepaired> {
    monitor.phase(Phase::FindingReferences);
    let mut done = SnapshotsRepaired::default();
    let (all, unreadable) = repo.snapshots()?;
    for (id, error) in &unreadable {
        done.unreadable += 1;
        monitor.problem(&manifest::problem(*id, error));
    }
    let succeeded: HashSet<SessionId> = all
        .iter()
        .filter(|snapshot| snapshot.manifest.tags.iter().any(|tag| tag == TAG))
        .filter_map(|snapshot| snapshot.manifest.original)
        .collect();
    let mut proven = LiveSet::new(repo.store.cache())?;
    let mut hurt = Vec::new();
    {
        // Writes nothing: it only reports what could be referred to.
        let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, true)?;
        for snapshot in &all {
            let chosen = ids.is_empty() || ids.contains(&snapshot.id);
            if !chosen || succeeded.contains(&snapshot.id) {
                continue;
            }
            done.snapshots += 1;
            let manifest = repo.manifest(snapshot.id)?;
            let mut mender = Mender::new(repo, &writer, snapshot.id, monitor)?;
            mender.look(&manifest, &mut proven)?;
            if mender.lost_entries > 0 {
                hurt.push((manifest, mender.report()));
            }
        }
    }
    for (manifest, mut found) in hurt {
        if !options.dry_run {
            found = succeed(repo, manifest, found.id, monitor)?;
        }
        done.repaired.push(found);
    }
    Ok(done)
}

/// Publishes what is left of a generation as one of its own.
fn succeed(
    repo: &Repo,
    mut manifest: Manifest,
    id: SessionId,
    monitor: &dyn Monitor,
) -> Result<SnapshotRepaired> {
    let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false)?;
    let mut mender = Mender::new(repo, &writer, id, monitor)?;
    mender.rewrite(&mut manifest)?;
    manifest.original = Some(id);
    manifest.tags.push(TAG.to_string());
    manifest.summary.errors = manifest.summary.errors.saturating_add(mender.lost_entries);
    let flushed = writer.flush()?;
    let mut root = manifest.root()?;
    fill_places(&writer, &mut root)?;
    manifest.set_root(&root);
    let report = mender.report();
    let (new, _) = writer.publish(flushed, &manifest.encode())?;
    Ok(SnapshotRepaired {
        successor: Some(new),
        ..report
    })
}

struct Mender<'a> {
    repo: &'a Repo,
    writer: &'a Writer,
    reader: Reader<'a>,
    encoder: Encoder,
    decoder: Decoder,
    plain: Vec<u8>,
    id: SessionId,
    monitor: &'a dyn Monitor,
    /// The bundle last found whole: neighbours are mostly in the same.
    last_whole: Option<ChunkId>,
    presence: Presence,
    lost: Vec<DamagedPath>,
    lost_entries: u64,
}

impl<'a> Mender<'a> {
    fn new(repo: &'a Repo, writer: &'a Writer, id: SessionId, monitor: &'a dyn Monitor) -> Result<Self> {
        Ok(Mender {
            repo,
            writer,
            reader: Reader::beside(repo.store.clone(), writer, index_progress(monitor)),
            encoder: Encoder::new(LEVEL)?,
            decoder: Decoder::new()?,
            plain: Vec::new(),
            id,
            monitor,
            last_whole: None,
            presence: Presence::default(),
            lost: Vec::new(),
            lost_entries: 0,
        })
    }

    fn report(self) -> SnapshotRepaired {
        SnapshotRepaired {
            id: self.id,
            successor: None,
            lost_entries: self.lost_entries,
            lost: self.lost,
        }
    }

    /// Goes through a generation and notes what is lost; passes over segments in `whole`, and adds to them.
    fn look(&mut self, manifest: &Manifest, proven: &mut LiveSet) -> Result<()> {
        let reader = Reader::beside(self.repo.store.clone(), self.writer, index_progress(self.monitor));
        let mut cursor = trees::cursor(&reader, &manifest.root()?)?;
        let cancel = self.repo.run().cancel().clone();
        trees::each_step(&mut cursor, proven, &cancel, &mut |step| {
            let item = match step {
                TreeStep::Entry(item) => item,
                TreeStep::Unread(error, piece) => return self.lose_piece(error, piece).map(|()| false),
            };
            let is_lost = self.is_lost(&item.entry.content)?;
            if is_lost {
                self.lose(&join(&item.dir, &item.entry.name), 1);
            }
            Ok(!is_lost)
        })
    }

    /// Writes the generation's tree again without what is lost.
    fn rewrite(&mut self, manifest: &mut Manifest) -> Result<()> {
        let (writer, mut encoder) = (self.writer, Encoder::new(LEVEL)?);
        let mut tree = TreeWriter::new(*self.repo.store.keys().tree_cuts(), |plain: &[u8]| {
            let put = writer.put(0, &mut encoder, Class::Tree, plain)?;
            Ok((put.id, None))
        });
        let reader = Reader::beside(self.repo.store.clone(), self.writer, index_progress(self.monitor));
        let mut cursor = trees::cursor(&reader, &manifest.root()?)?;
        loop {
            self.repo.run().cancel().check()?;
            match cursor.next() {
                Ok(Some(mut item)) => {
                    if self.is_lost(&item.entry.content)? {
                        self.lose(&join(&item.dir, &item.entry.name), 1);
                        forsake(&mut item.entry);
                    } else if let Some(content) = self.place_again(&item.entry.content)? {
                        item.entry.content = content;
                    }
                    tree.push(&item.dir, item.entry)?;
                }
                Ok(None) => break,
                Err(e) => {
                    let piece = cursor.skip_piece();
                    let dir = piece.as_ref().map(|piece| piece.first().0.to_vec());
                    self.lose_piece(e, piece)?;
                    let dirs = &mut manifest.unreadable_dirs;
                    dirs.extend(dir.filter(|dir| dirs.len() < UNREADABLE_MAX && !dirs.contains(dir)));
                }
            }
        }
        let root = tree.finish()?;
        manifest.set_root(&root);
        Ok(())
    }

    /// A piece of the tree that can't be read. Any other error ends the repair, as does one that nothing can be passed
    /// over for.
    fn lose_piece(&mut self, error: Error, piece: Option<SegmentRef>) -> Result<()> {
        match (&error, piece) {
            (Error::Store(e), Some(piece)) if e.is_hurt() => {
                let (dir, name) = piece.first();
                self.lose(&join(dir, name), piece.entries);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn lose(&mut self, path: &[u8], entries: u64) {
        self.lost_entries = self.lost_entries.saturating_add(entries);
        if self.lost.len() < LISTED {
            self.lost.push(DamagedPath {
                snapshot: self.id.to_hex()[..8].to_string(),
                path: [b"/", path].concat(),
                entries,
            });
        }
    }

    fn is_lost(&mut self, content: &Content) -> Result<bool> {
        match content {
            Content::None => Ok(false),
            Content::Bundled { .. } => match content.small_file() {
                Some(file) => self.is_file_lost(&file),
                None => Ok(false),
            },
            Content::Extents(extents) => self.any_lost(extents),
            Content::Lists(lists) => {
                for list in lists {
                    if !self.keep(&list.id, Class::Tree)? {
                        return Ok(true);
                    }
                    let read = self.reader.tree(&mut self.decoder, &list.id, None);
                    let extents = match read {
                        Ok(plain) => crate::tree::open_extent_list(list, &plain)?,
                        Err(e) if e.is_hurt() => return Ok(true),
                        Err(e) => return Err(e.into()),
                    };
                    if self.any_lost(&extents)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Whether a small file may be referred to; a bundle that can only be read is stored again, and then it may.
    fn may_refer(&mut self, file: &SmallFile) -> Result<bool> {
        Ok(self.writer.present_file(&mut self.presence, file)? || self.keep(&file.bundle, Class::Data)?)
    }

    /// What can be read at all is not lost: [`Mender::rewrite`] puts it where it may be referred to.
    fn is_file_lost(&mut self, file: &SmallFile) -> Result<bool> {
        if self.may_refer(file)? {
            return Ok(false);
        }
        let read = self.reader.file(&mut self.decoder, file, &mut self.plain);
        match read {
            Ok(()) => Ok(false),
            Err(e) if e.is_object_local() => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    /// The same content by a bundle that may be referred to.
    fn place_again(&mut self, content: &Content) -> Result<Option<Content>> {
        let Some(file) = content.small_file() else {
            return Ok(None);
        };
        if self.may_refer(&file)? {
            return Ok(None);
        }
        self.reader.file(&mut self.decoder, &file, &mut self.plain)?;
        let put = self.writer.put(0, &mut self.encoder, Class::Data, &self.plain)?;
        let (bundle, offset) = (put.id, 0);
        Ok(Some(
            SmallFile {
                bundle,
                offset,
                ..file
            }
            .into(),
        ))
    }

    fn any_lost(&mut self, extents: &[Extent]) -> Result<bool> {
        for extent in extents {
            if let Extent::Chunk { id, .. } = extent
                && !self.keep(id, Class::Data)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a chunk may be referred to; one that can only be read is stored again, and then may.
    fn keep(&mut self, id: &ChunkId, class: Class) -> Result<bool> {
        if self.last_whole == Some(*id) {
            return Ok(true);
        }
        let kept = self.writer.present(id)? || self.store_again(id, class)?;
        self.last_whole = kept.then_some(*id);
        Ok(kept)
    }

    fn store_again(&mut self, id: &ChunkId, class: Class) -> Result<bool> {
        let Some(located) = self.reader.locate(id)?.filter(|at| at.class == class) else {
            return Ok(false);
        };
        let store = &self.repo.store;
        let (remote, keys) = (store.remote(), store.keys());
        let read = self
            .decoder
            .read(remote, keys, class, *id, &located.place, &mut self.plain);
        match read {
            Ok(()) => {
                self.writer.put(0, &mut self.encoder, class, &self.plain)?;
                Ok(true)
            }
            Err(e) if e.is_hurt() => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

/// Leaves the name and metadata. The next backup reads the file again, as it does with what it could not read.
fn forsake(entry: &mut Entry) {
    entry.content = Content::None;
    entry.trouble = Some(Trouble::Unreadable {
        errno: errno::INPUT_OUTPUT,
    });
}
