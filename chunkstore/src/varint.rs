//! Bounded reading and writing of little numbers: LEB128 varints and fixed little-endian fields.
//! Nothing here allocates by a length it reads (I-14).

use crate::error::{Error, Feature, Flaw, Object};

/// The bytes ended early, or a number was not in its shortest form.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Why a structure can't be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// No version writes it so.
    Malformed,
    /// It has something that a later version has defined (I-15): never damage, and never as good as absent.
    Newer(Feature),
}

impl Undecodable {
    /// As the error of reading `object`.
    pub fn of(self, object: impl Into<Object>) -> Error {
        match self {
            Undecodable::Malformed => Error::corrupt(object, Flaw::Undecodable),
            Undecodable::Newer(feature) => Error::NewerFormat(feature),
        }
    }
}

impl From<Malformed> for Undecodable {
    fn from(_: Malformed) -> Self {
        Undecodable::Malformed
    }
}

pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What is left to read of some bytes.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A varint in its shortest form.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                return if shortest { Ok(value) } else { Err(Malformed) };
            }
        }
        Err(Malformed)
    }

    pub fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed)
    }

    /// A count of things that take at least `each` bytes: refused when they can't all be there.
    pub fn count(&mut self, each: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        if count > self.0.len() / each.max(1) {
            return Err(Malformed);
        }
        Ok(count)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_only_shortest_is_read() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, value);
            let mut bytes = Bytes(&out);
            assert_eq!(bytes.varint(), Ok(value));
            assert!(bytes.is_empty());
            assert_eq!(Bytes(&out[..out.len() - 1]).varint(), Err(Malformed));
        }
        assert_eq!(Bytes(&[0x80, 0]).varint(), Err(Malformed));
        assert_eq!(Bytes(&[0xff; 11]).varint(), Err(Malformed));
        assert_eq!(Bytes(&[200, 1]).count(2), Err(Malformed));
    }
}
