//! What commands print, saved as files of a generation beside its sources: `/commands/NAME`. Streamed like a large file;
//! the engine starts nothing, it is handed what to read. A stream that ends in an error is a file that could not be read:
//! it has no content, and the others go on (I-12). Whoever hands over a stream tells why it failed.

use crate::entry::{Content, Entry, Kind, Meta, Time, cmp_dirs};
use crate::error::{Error, Result, Usage};
use crate::fsmeta;
use crate::manifest::Head;
use crate::walk::{Found, Mount};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

/// The folder of the root that they are in.
pub const OUTPUTS: &[u8] = b"commands";

/// Begins the stream of an output. Called again if a backup has to begin again.
type Begin = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

#[derive(Clone)]
pub struct Output(Arc<Begin>);

impl Output {
    pub fn new(begin: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static) -> Output {
        Output(Arc::new(begin))
    }

    pub(super) fn begin(&self) -> io::Result<Box<dyn Read + Send>> {
        (self.0)()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// Outputs that are still to be put into the stream of entries.
#[derive(Default)]
pub(super) struct Outputs {
    files: BTreeMap<Vec<u8>, Output>,
    has_dir: bool,
}

impl Outputs {
    pub fn new(files: &BTreeMap<Vec<u8>, Output>) -> Outputs {
        Outputs {
            files: files.clone(),
            has_dir: false,
        }
    }

    /// Whether they come before the entries of this directory, which the walk has come to.
    pub fn come_before(&self, dir: &[u8]) -> bool {
        self.has_dir && !self.files.is_empty() && cmp_dirs(dir, OUTPUTS).is_gt()
    }

    /// Whether their folder is to be put before this entry of the root; at the end, without one.
    pub fn wait_for_dir(&mut self, before: Option<&[u8]>) -> Result<bool> {
        if self.files.is_empty() {
            return Ok(false);
        }
        if before == Some(OUTPUTS) {
            return Err(Error::Usage(Usage::OutputsThere));
        }
        if self.has_dir || before.is_some_and(|name| name < OUTPUTS) {
            return Ok(false);
        }
        self.has_dir = true;
        Ok(true)
    }

    pub fn dir(&self, head: &Head) -> Found {
        found(OUTPUTS, Kind::Dir, 0o700, head)
    }

    pub fn files(&mut self, head: &Head) -> Vec<(Found, Output)> {
        let files = std::mem::take(&mut self.files).into_iter();
        files
            .map(|(name, output)| (found(&name, Kind::File, 0o600, head), output))
            .collect()
    }

    pub fn entry(found: Found) -> Entry {
        Entry {
            name: found.name,
            kind: found.kind,
            meta: found.meta,
            content: Content::None,
            trouble: None,
        }
    }
}

/// As if it had been made when the backup began.
fn found(name: &[u8], kind: Kind, mode: u32, head: &Head) -> Found {
    let time = Time {
        secs: head.time.as_second(),
        nanos: head.time.subsec_nanosecond().unsigned_abs(),
    };
    Found {
        name: name.to_vec(),
        kind,
        meta: Meta {
            mode,
            mtime: time,
            ctime: time,
            nlink: 1,
            ..fsmeta::Blank::default().meta()
        },
        trouble: None,
        above: false,
        mount: Mount::None,
        special: true,
    }
}
