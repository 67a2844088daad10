//! Standard output. A reader that went away (`dedup ls | head`) is the end of the run, not a failure of it.

use crate::exit::{Code, Failure};
use serde::Serialize;
use std::io::{self, BufWriter, Stdout, Write};

/// Writes all of `bytes`.
pub fn write(bytes: &[u8]) -> Result<Code, Failure> {
    let mut out = io::stdout().lock();
    ended(out.write_all(bytes).and_then(|()| out.flush())).map(|_| Code::Ok)
}

/// Writes one line.
pub fn line(text: &str) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes()).map(|_| ())
}

/// Writes one JSON object as a line.
pub fn object(value: &impl Serialize) -> Result<(), Failure> {
    line(&to_json(value)?)
}

/// A line to standard error; a closed one leaves nobody to tell.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|e| Failure::new(Code::Failed, format!("writing JSON: {e}")))
}

/// Many lines, buffered.
pub struct Lines {
    out: BufWriter<Stdout>,
    closed: bool,
}

impl Lines {
    pub fn new() -> Lines {
        Lines {
            out: BufWriter::with_capacity(64 << 10, io::stdout()),
            closed: false,
        }
    }

    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        self.bytes(b"\n")
    }

    pub fn object(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&to_json(value)?)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !self.closed {
            let open = ended(self.out.write_all(bytes))?;
            self.closed = !open;
        }
        Ok(())
    }

    /// Nobody reads any more: the rest need not be made.
    pub fn closed(&self) -> bool {
        self.closed
    }

    pub fn finish(mut self) -> Result<(), Failure> {
        match self.closed {
            true => Ok(()),
            false => ended(self.out.flush()).map(|_| ()),
        }
    }
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::new()
    }
}

/// False where the reader went away.
fn ended(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::StorageFull => Err(Failure::new(
            Code::NoSpace,
            format!("writing to standard output: {e}"),
        )),
        Err(e) => Err(Failure::new(
            Code::Failed,
            format!("writing to standard output: {e}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert_eq!(ended(Err(io::ErrorKind::BrokenPipe.into())), Ok(false));
        assert_eq!(
            ended(Err(io::ErrorKind::StorageFull.into())).unwrap_err().code,
            Code::NoSpace
        );
        assert_eq!(
            ended(Err(io::ErrorKind::Other.into())).unwrap_err().code,
            Code::Failed
        );
    }
}
