//! What was wrong with an entry, in bytes: an errno of the system that read it, and beside it what that means anywhere.

use super::bytes::{Reader, put_varint};
use super::fault::{CodecError, damaged};
use crate::entry::Trouble;
use crate::platform::errno::Reason;

// Troubles by code; each but `CHANGED` is followed by a reason and an errno.
const UNREADABLE: u8 = 1;
const UNKNOWN: u8 = 2;
const CHANGED: u8 = 3;
const NO_XATTRS: u8 = 4;

pub(super) fn put_trouble(out: &mut Vec<u8>, trouble: Trouble) {
    let (code, errno) = match trouble {
        Trouble::Unreadable { errno } => (UNREADABLE, Some(errno)),
        Trouble::Unknown { errno } => (UNKNOWN, Some(errno)),
        Trouble::Changed => (CHANGED, None),
        Trouble::NoXattrs { errno } => (NO_XATTRS, Some(errno)),
    };
    out.push(code);
    if let Some(errno) = errno {
        out.push(Reason::of(errno).code());
        put_varint(out, u64::from(errno as u32));
    }
}

pub(super) fn read_trouble(reader: &mut Reader<'_>) -> Result<Trouble, CodecError> {
    let code = reader.byte()?;
    if code == CHANGED {
        return Ok(Trouble::Changed);
    }
    let said = reader.byte()?;
    let Ok(errno) = i32::try_from(reader.varint()?) else {
        return damaged("errno");
    };
    // Other systems have other numbers; a later version that reads what they wrote keeps both.
    if said != Reason::of(errno).code() {
        return Err(CodecError::Unknown(format!("reason {said} for errno {errno}")));
    }
    match code {
        UNREADABLE => Ok(Trouble::Unreadable { errno }),
        UNKNOWN => Ok(Trouble::Unknown { errno }),
        NO_XATTRS => Ok(Trouble::NoXattrs { errno }),
        _ => Err(CodecError::Unknown(format!("trouble of type {code}"))),
    }
}
