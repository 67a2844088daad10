//! A file or stream cut into chunks: the loop that a worker runs over what is too large for a bundle.

use super::share::Extents;
use super::work::Worker;
use crate::entry::Extent;
use crate::error::Result;
use crate::platform::handle::read_at;
use std::fs::File;
use std::io;

/// Read at once from a large file, beside what a chunk may need.
const READ: usize = 2 << 20;

/// Part of a file as a stream.
pub struct RangeReader<'f> {
    pub file: &'f File,
    pub at: u64,
    pub end: u64,
}

impl io::Read for RangeReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let len = buf.len().min(left);
        let read = read_at(self.file, &mut buf[..len], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Worker<'_> {
    /// Cuts a stream into chunks and puts each; runs of zeros become extents. The inner error is the source's.
    pub(super) fn chunks(
        &mut self,
        source: &mut dyn io::Read,
        each: &mut dyn FnMut(Extent) -> Result<()>,
    ) -> Result<io::Result<u64>> {
        let (run, lane) = (self.run, self.lane);
        let (encoder, window) = (&mut self.encoder, &mut self.window);
        let mut extents = Extents::new(run, lane, each);
        let chunker = run.chunker();
        let max = chunker.bounds().max as usize;
        window.resize(max + READ, 0);
        let (mut start, mut end, mut total, mut ended) = (0, 0, 0u64, false);
        let read = 'stream: loop {
            if !ended && end - start < max {
                window.copy_within(start..end, 0);
                (start, end) = (0, end - start);
                while end < window.len() {
                    match source.read(&mut window[end..]) {
                        Ok(0) => {
                            ended = true;
                            break;
                        }
                        Ok(read) => end += read,
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => break 'stream Err(e),
                    }
                }
            }
            if start == end {
                break Ok(total);
            }
            run.step()?;
            let len = chunker.cut(&window[start..end]);
            let chunk = &window[start..start + len];
            if is_zero(chunk) {
                extents.zero(len as u64)?;
            } else {
                extents.chunk(encoder, chunk)?;
            }
            start += len;
            total += len as u64;
            run.bytes_read(lane, len as u64);
        };
        extents.finish(encoder)?;
        Ok(read)
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // Data almost always shows itself in the first block.
    let (head, rest) = bytes.split_at(bytes.len().min(64));
    head.iter().all(|b| *b == 0)
        && rest
            .chunks(4096)
            .all(|block| block.iter().fold(0, |acc, b| acc | b) == 0)
}
