//! What generations refer to: pages, tree segments, extent lists, bundles and data chunks. Visits each distinct tree
//! chunk once, however many generations share it, and decodes no more of it than its references. Garbage collection
//! stands on the answer, so a tree chunk that can't be read is an error here, never passed over (I-9).

use crate::error::{Error, Result};
use crate::monitor::{Monitor, Progress};
use crate::run::CancelToken;
use crate::tree::{CodecError, Reference, Root, SegmentRef, Segments, decode_page, references};
use chunkstore::frame::Decoder;
use chunkstore::live::LiveSet;
use chunkstore::reader::Reader;
use chunkstore::{ChunkId, Error as StoreError, Place, threads};
use std::thread::ScopedJoinHandle;

/// Tree chunks read side by side, and threads that do so.
const BATCH: usize = 64;
const THREADS: usize = 2;

/// Adds every chunk and small file that the generations with these roots refer to. What is in `live` already counts as visited, so
/// that it can be filled generation by generation.
pub fn collect(reader: &Reader<'_>, roots: &[Root], live: &mut LiveSet, monitor: &dyn Monitor) -> Result<()> {
    let load =
        |decoder: &mut Decoder, id: &ChunkId, hint: Option<&Place>| Ok(reader.tree(decoder, id, hint)?);
    let cancel = reader.store().cancel();
    let mut walk = Walk::new(&load, references, live, (monitor, cancel))?;
    for root in roots {
        walk.root(root, &mut |_, error| Err(error))?;
    }
    Ok(())
}

/// Gives the plaintext of a tree chunk; the place is where it may lie.
pub(crate) type Load<'a> = dyn Fn(&mut Decoder, &ChunkId, Option<&Place>) -> Result<Vec<u8>> + Sync + 'a;
/// Called for a tree chunk that could not be read; an error ends the walk.
pub(crate) type OnDamage<'a> = dyn FnMut(ChunkId, Error) -> Result<()> + 'a;

/// A walk over the distinct tree chunks of many generations.
pub(crate) struct Walk<'a> {
    load: &'a Load<'a>,
    /// Decodes a segment or an extent list.
    parse: fn(&[u8]) -> Result<Vec<Reference>, CodecError>,
    live: &'a mut LiveSet,
    monitor: &'a dyn Monitor,
    cancel: &'a CancelToken,
    decoders: Vec<Decoder>,
    /// Tree chunks read so far.
    pub(crate) visited: u64,
}

type Piece = (ChunkId, Option<Place>);

impl<'a> Walk<'a> {
    pub(crate) fn new(
        load: &'a Load<'a>,
        parse: fn(&[u8]) -> Result<Vec<Reference>, CodecError>,
        live: &'a mut LiveSet,
        (monitor, cancel): (&'a dyn Monitor, &'a CancelToken),
    ) -> Result<Self> {
        let decoders = (0..THREADS).map(|_| Decoder::new()).collect::<Result<_, _>>()?;
        Ok(Walk {
            load,
            parse,
            live,
            monitor,
            cancel,
            decoders,
            visited: 0,
        })
    }

    pub(crate) fn root(&mut self, root: &Root, damage: &mut OnDamage<'_>) -> Result<()> {
        match &root.segments {
            Segments::Inline(rows) => self.segments(rows, damage),
            Segments::Pages(pages) => {
                for pages in pages.chunks(BATCH) {
                    let mut new = Vec::new();
                    for page in pages {
                        if self.live.insert(page.span.id)? {
                            new.push((page.span.id, page.span.place));
                        }
                    }
                    for ((id, _), rows) in new.iter().zip(self.read(&new, decode_page)?) {
                        match rows {
                            Ok(rows) => self.segments(&rows, damage)?,
                            Err(error) => damage(*id, error)?,
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn segments(&mut self, rows: &[SegmentRef], damage: &mut OnDamage<'_>) -> Result<()> {
        for rows in rows.chunks(BATCH) {
            let mut new = Vec::new();
            for row in rows {
                if self.live.insert(row.id)? {
                    new.push((row.id, row.place));
                }
            }
            let mut lists = self.pieces(&new, damage)?;
            while !lists.is_empty() {
                let batch: Vec<Piece> = lists.drain(..lists.len().min(BATCH)).collect();
                // A list names chunks only: nothing is added here.
                lists.extend(self.pieces(&batch, damage)?);
            }
        }
        Ok(())
    }

    /// Reads segments or extent lists and takes in what they refer to; returns the extent lists that are new.
    fn pieces(&mut self, pieces: &[Piece], damage: &mut OnDamage<'_>) -> Result<Vec<Piece>> {
        let mut lists = Vec::new();
        for ((id, _), found) in pieces.iter().zip(self.read(pieces, self.parse)?) {
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    damage(*id, error)?;
                    continue;
                }
            };
            for reference in &found {
                match reference {
                    Reference::Bundle { files, .. } => {
                        files.iter().try_for_each(|file| self.live.insert_file(*file))?;
                    }
                    Reference::Chunk { id, .. } => {
                        self.live.insert(*id)?;
                    }
                    Reference::ExtentList { id, .. } => {
                        if self.live.insert(*id)? {
                            lists.push((*id, None));
                        }
                    }
                }
            }
        }
        Ok(lists)
    }

    /// Reads and parses tree chunks side by side; results in their order.
    fn read<T: Send>(
        &mut self,
        pieces: &[Piece],
        parse: fn(&[u8]) -> Result<T, CodecError>,
    ) -> Result<Vec<Result<T>>> {
        self.cancel.check()?;
        let load = self.load;
        let one = move |decoder: &mut Decoder, (id, hint): &Piece| -> Result<T> {
            let plain = load(decoder, id, hint.as_ref())?;
            parse(&plain).map_err(|e| e.of(id))
        };
        let share = pieces.len().div_ceil(self.decoders.len()).max(1);
        let results = std::thread::scope(|scope| {
            if let ([piece], [decoder, ..]) = (pieces, &mut self.decoders[..]) {
                return Ok(vec![vec![one(decoder, piece)]]);
            }
            let workers: Vec<_> = pieces
                .chunks(share)
                .zip(&mut self.decoders)
                .map(|(pieces, decoder)| {
                    let all = move || pieces.iter().map(|piece| one(decoder, piece)).collect::<Vec<_>>();
                    threads::spawn_in(scope, "trees", all)
                })
                .collect();
            // Nothing in a worker panics by design; if one does, what it should have read is not known.
            let ended = |worker: Result<ScopedJoinHandle<'_, _>, StoreError>| {
                worker?.join().map_err(|_| StoreError::WriterFailed)
            };
            workers.into_iter().map(ended).collect::<Result<Vec<_>, _>>()
        })?;
        self.visited += pieces.len() as u64;
        self.monitor.progress(&Progress {
            files_done: self.visited,
            ..Progress::default()
        });
        Ok(results.into_iter().flatten().collect())
    }
}
