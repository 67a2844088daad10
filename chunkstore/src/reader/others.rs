//! Other replicas, for a reader whose own has lost a chunk, holds it damaged, or can't be asked any more. Each is opened
//! when it is first needed.

use super::Reader;
use super::files::FoundFile;
use crate::error::{Error, Result};
use crate::frame::Decoder;
use crate::id::ChunkId;
use crate::pack::Class;
use crate::smallfile::SmallFile;
use crate::store::Store;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// Opens a replica; what can't be opened is passed over.
pub type Opener = Box<dyn FnOnce() -> Option<Arc<Store>> + Send>;

/// Asked in this order.
pub struct Others {
    replicas: Vec<Other>,
    /// Why the reader's own could not be asked: it is not asked again.
    own_is_down: OnceLock<Error>,
}

struct Other {
    name: String,
    opener: Mutex<Option<Opener>>,
    reader: OnceLock<Option<Reader<'static>>>,
    is_down: AtomicBool,
    chunks: AtomicU64,
}

impl Others {
    /// By the names that people know them by.
    pub fn new(replicas: Vec<(String, Opener)>) -> Others {
        let other = |(name, opener)| Other {
            name,
            opener: Mutex::new(Some(opener)),
            reader: OnceLock::new(),
            is_down: AtomicBool::new(false),
            chunks: AtomicU64::new(0),
        };
        Others {
            replicas: replicas.into_iter().map(other).collect(),
            own_is_down: OnceLock::new(),
        }
    }

    /// Why the reader's own is not asked any more, if it is not.
    pub fn own_is_down(&self) -> Option<Error> {
        self.own_is_down.get().cloned()
    }

    /// From now on only the others are asked. The first reason counts.
    pub fn give_own_up(&self, why: &Error) {
        self.own_is_down.get_or_init(|| why.clone());
    }

    /// Replaces `out` by a chunk that the reader's own replica failed to give, with `error`.
    pub(super) fn read(
        &self,
        decoder: &mut Decoder,
        class: Class,
        id: &ChunkId,
        error: Error,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut read = |other: &Other| other.read(decoder, class, id, out);
        self.ask(error, &mut read)
    }

    /// The same for a small file.
    pub(super) fn read_file(
        &self,
        decoder: &mut Decoder,
        file: &SmallFile,
        error: Error,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.ask(error, &mut |other| match other.reader() {
            Some(reader) => Ok(matches!(reader.own_file(decoder, file, out)?, FoundFile::Whole)),
            None => Ok(false),
        })
    }

    fn ask(&self, error: Error, read: &mut dyn FnMut(&Other) -> Result<bool>) -> Result<()> {
        if error.is_of_this_process() {
            return Err(error);
        }
        if !error.concerns_one_object() {
            self.give_own_up(&error);
        }
        for other in self.replicas.iter().filter(|other| !other.is_down.load(Relaxed)) {
            match read(other) {
                Ok(true) => {
                    other.chunks.fetch_add(1, Relaxed);
                    return Ok(());
                }
                Ok(false) => {}
                Err(e) if e.is_of_this_process() => return Err(e),
                Err(e) if e.is_object_local() => {}
                Err(_) => other.is_down.store(true, Relaxed),
            }
        }
        Err(error)
    }

    /// Whom chunks came from, and how many.
    pub fn served(&self) -> Vec<(String, u64)> {
        let served = |other: &Other| (other.name.clone(), other.chunks.load(Relaxed));
        let served = self.replicas.iter().map(served);
        served.filter(|(_, chunks)| *chunks > 0).collect()
    }
}

impl Other {
    fn reader(&self) -> Option<&Reader<'static>> {
        let open = || {
            let opener = self.opener.lock().take();
            let store = opener.and_then(|open| open())?;
            Some(Reader::new(store, Box::new(|_, _| {})))
        };
        self.reader.get_or_init(open).as_ref()
    }

    /// False where it has none.
    fn read(&self, decoder: &mut Decoder, class: Class, id: &ChunkId, out: &mut Vec<u8>) -> Result<bool> {
        let Some(reader) = self.reader() else {
            return Ok(false);
        };
        let located = reader.locate(id)?.filter(|at| at.class == class);
        let Some(located) = located else { return Ok(false) };
        let store = reader.store();
        decoder.read(store.remote(), store.keys(), class, *id, &located.place, out)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn what_this_process_lacks_is_no_reason_to_ask_others() {
        let asked: Opener = Box::new(|| unreachable!("it is asked"));
        let others = Others::new(vec![("other".to_string(), asked)]);
        let refused = Error::Thread(io::Error::from(io::ErrorKind::WouldBlock).into());
        let (mut decoder, mut out) = (Decoder::new().unwrap(), Vec::new());
        let read = others.read(&mut decoder, Class::Data, &ChunkId([7; 32]), refused, &mut out);
        assert!(matches!(read, Err(Error::Thread(_))));
        assert!(others.own_is_down().is_none());
    }
}
