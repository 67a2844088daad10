//! Pieces of trees that a thread of its own fetches and opens, for whoever will read many of them in a known order: that is
//! about half of the work, so two processors take about half of the time.

use crate::error::Result;
use crate::tree::SegmentRef;
use chunkstore::frame::Decoder;
use chunkstore::reader::Reader;
use chunkstore::threads::spawn_in;
use chunkstore::{ChunkId, Place};
use crossbeam_channel::{Receiver, Sender, bounded};

/// Pieces that wait for their reader, of some 230 KiB each.
const WAITING: usize = 8;

/// Told of a piece that will be read after those before; false if no more need be named.
pub type Want<'a> = dyn FnMut(&SegmentRef) -> bool + 'a;

/// A piece's plaintext, or why it can't be read.
type Fetched = (ChunkId, Result<Vec<u8>>);

/// Loads pieces for a cursor: those that were fetched ahead, and any other one itself.
pub struct PieceLoader<'a> {
    reader: &'a Reader<'a>,
    decoder: Decoder,
    ready: Option<Receiver<Fetched>>,
    /// The next of those that were fetched, until it is asked for.
    next: Option<Fetched>,
}

impl PieceLoader<'_> {
    pub fn load(&mut self, id: &ChunkId, hint: Option<&Place>) -> Result<Vec<u8>> {
        if self.next.is_none() {
            self.next = self.ready.as_ref().and_then(|ready| ready.recv().ok());
        }
        match self.next.take_if(|(next, _)| next == id) {
            Some((_, fetched)) => fetched,
            None => Ok(self.reader.tree(&mut self.decoder, id, hint)?),
        }
    }
}

/// Calls `run` with a loader. With two `threads` or more, one of them fetches the pieces that `order` names meanwhile. What
/// it names is no more than a hint: pieces that are asked for in another order are loaded when they are asked for.
pub fn fetching<'a, T>(
    reader: &'a Reader<'a>,
    threads: usize,
    order: impl FnOnce(&mut Want<'_>) -> Result<()> + Send,
    run: impl FnOnce(PieceLoader<'a>) -> Result<T>,
) -> Result<T> {
    let decoder = Decoder::new()?;
    std::thread::scope(|scope| {
        let ready = (threads > 1).then(|| {
            let (send, ready) = bounded(WAITING);
            let fetch = move || fetch_all(reader, order, &send);
            // One that can't be started is not missed.
            spawn_in(scope, "ahead", fetch).ok().map(|_| ready)
        });
        run(PieceLoader {
            reader,
            decoder,
            ready: ready.flatten(),
            next: None,
        })
    })
}

/// An error ends it: whoever reads the trees meets the same one in its place.
fn fetch_all(reader: &Reader<'_>, order: impl FnOnce(&mut Want<'_>) -> Result<()>, ready: &Sender<Fetched>) {
    let Ok(mut decoder) = Decoder::new() else { return };
    let _ = order(&mut |piece| {
        let plain = reader.tree(&mut decoder, &piece.id, piece.place.as_ref());
        ready.send((piece.id, plain.map_err(Into::into))).is_ok()
    });
}
