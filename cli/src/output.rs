//! Standard output. A reader that went away (`dedup ls | head`) is the end of the run, not a failure of it.

use serde::Serialize;
use service::catalogue::{Cause, Unfit};
use service::json;
use service::platform::process::output_leads_nowhere;
use service::{Failure, Status};
use std::io::{self, BufWriter, Stdout, Write};

/// Writes all of `bytes`.
pub fn write(bytes: &[u8]) -> Result<Status, Failure> {
    let mut out = io::stdout().lock();
    ended(out.write_all(bytes).and_then(|()| out.flush())).map(|_| Status::Completed)
}

/// Writes one line.
pub fn line(text: &str) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes()).map(|_| ())
}

/// Writes one JSON object as a line.
pub fn object(value: &impl Serialize) -> Result<(), Failure> {
    line(&to_json(value)?)
}

/// Writes what must have been seen before anything relies on it: a reader that went away is a failure, and so is an
/// output that leads nowhere.
pub fn show(bytes: &[u8]) -> Result<(), Failure> {
    let failed = |why: Unfit| Failure::from(Cause::PhraseNotPrinted { why });
    if output_leads_nowhere() {
        return Err(failed(Unfit::LeadsNowhere));
    }
    let mut out = io::stdout().lock();
    let shown = out.write_all(bytes).and_then(|()| out.flush());
    shown.map_err(|e| failed(e.into()))
}

/// A line to standard error; if that is closed, there is no one to report it to.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    let value = serde_json::to_value(value);
    let value = value.map_err(|e| Cause::WritingJson { why: e.to_string() })?;
    Ok(json::line(&value))
}

/// Many lines, buffered. A failure is kept for [`Lines::finish`], so that loops need only ask [`Lines::closed`].
pub struct Lines {
    out: BufWriter<Stdout>,
    closed: bool,
    failure: Option<Failure>,
}

impl Lines {
    pub fn new() -> Lines {
        Lines {
            out: BufWriter::with_capacity(64 << 10, io::stdout()),
            closed: false,
            failure: None,
        }
    }

    pub fn line(&mut self, text: &str) {
        if !self.closed {
            let written = self
                .out
                .write_all(text.as_bytes())
                .and_then(|()| self.out.write_all(b"\n"));
            self.note(ended(written));
        }
    }

    /// What does not end a line.
    pub fn part(&mut self, text: &str) {
        if !self.closed {
            let written = self.out.write_all(text.as_bytes());
            self.note(ended(written));
        }
    }

    pub fn object(&mut self, value: &impl Serialize) {
        match to_json(value) {
            Ok(text) => self.line(&text),
            Err(failure) => self.note(Err(failure)),
        }
    }

    fn note(&mut self, open: Result<bool, Failure>) {
        match open {
            Ok(true) => {}
            Ok(false) => self.closed = true,
            Err(failure) => {
                self.closed = true;
                self.failure = Some(failure);
            }
        }
    }

    /// No one reads any more, or nothing can be written: the rest need not be made.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// For the engine's callbacks, which end with its own errors; [`Lines::end`] takes this one back.
    pub fn go_on(&self) -> service::Result<()> {
        match self.closed {
            true => Err(service::Error::Interrupted),
            false => Ok(()),
        }
    }

    /// Ends a listing: `result` is the engine's, and if these lines ended it, theirs is the answer.
    pub fn end<T>(mut self, result: service::Result<T>) -> Result<Option<T>, Failure> {
        match result {
            Err(service::Error::Interrupted) if self.closed => {}
            Err(e) => return Err(e.into()),
            Ok(value) => {
                self.flush();
                return self.failure.map_or(Ok(Some(value)), Err);
            }
        }
        self.failure.map_or(Ok(None), Err)
    }

    pub fn finish(mut self) -> Result<(), Failure> {
        self.flush();
        self.failure.map_or(Ok(()), Err)
    }

    /// Shows what was written so far.
    pub fn flush(&mut self) {
        if !self.closed {
            let flushed = self.out.flush();
            self.note(ended(flushed));
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
        Err(e) => Err(Cause::Output { why: e.into() }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert_eq!(ended(Err(io::ErrorKind::BrokenPipe.into())), Ok(false));
        assert_eq!(
            ended(Err(io::ErrorKind::StorageFull.into())).unwrap_err().status,
            Status::OutOfSpace
        );
        assert_eq!(
            ended(Err(io::ErrorKind::Other.into())).unwrap_err().status,
            Status::Failed
        );
    }
}
