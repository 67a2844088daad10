//! Standard output. A reader that went away (`dedup ls | head`) is the end of the run, not a failure of it.

use crate::exit::{Code, Failure};
use std::io::{self, Write};

/// Writes all of `bytes`.
pub fn write(bytes: &[u8]) -> Result<Code, Failure> {
    let mut out = io::stdout().lock();
    ended(out.write_all(bytes).and_then(|()| out.flush()))
}

fn ended(result: io::Result<()>) -> Result<Code, Failure> {
    match result {
        Ok(()) => Ok(Code::Ok),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Code::Ok),
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
        assert_eq!(ended(Err(io::ErrorKind::BrokenPipe.into())), Ok(Code::Ok));
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
