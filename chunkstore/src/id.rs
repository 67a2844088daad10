//! Names of things: distinct newtypes, so that a pack can't be asked for by a chunk's id.
//!
//! `ChunkId` is the keyed BLAKE3-256 of a chunk's plaintext, `PackId` and `IndexId` the BLAKE3-256 of the stored
//! bytes (so that a scrub of names needs no key), the 16-byte ids are random.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Bytes of an id.
            pub const LEN: usize = $len;

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// `None` unless `bytes` has exactly the id's length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The lower-case hexadecimal form.
            pub fn to_hex(self) -> String {
                hex::encode(self.0)
            }

            /// `None` unless `text` is the full lower-case hexadecimal form.
            pub fn from_hex(text: &str) -> Option<Self> {
                if text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return None;
                }
                let mut id = [0; $len];
                hex::decode_to_slice(text, &mut id).ok()?;
                Some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(&self.0[..4]))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?;
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| minicbor::decode::Error::message(stringify!($name)))
            }
        }
    };
}

id!(
    /// Keyed BLAKE3-256 of a chunk's plaintext. Data and tree chunks use different keys.
    ChunkId,
    32
);
id!(
    /// BLAKE3-256 of a pack's stored bytes.
    PackId,
    32
);
id!(
    /// BLAKE3-256 of an index segment's stored bytes.
    IndexId,
    32
);
id!(
    /// Random id of a repository.
    RepoId,
    16
);
id!(
    /// Random id of a replica that was made from another; the first has none.
    ReplicaId,
    16
);
id!(
    /// Random id of a session; its manifest (or fence) is published under the same id.
    SessionId,
    16
);
id!(
    /// Random id of a garbage collection's mark.
    MarkId,
    16
);
id!(
    /// Random id of a list of forgotten generations.
    ListId,
    16
);
id!(
    /// Random id of a key slot.
    SlotId,
    16
);
id!(
    /// Keyed BLAKE3 of a small file's content, cut to 128 bits: finds a known file whatever bundle holds it.
    ContentHash,
    16
);

/// Whether these are lower-case hexadecimal digits, as in the names of objects and temporary files.
pub fn is_hex(text: &[u8]) -> bool {
    text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Fills `N` bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], crate::Error> {
    let mut bytes = [0; N];
    if crate::simulation::fill(&mut bytes) {
        return Ok(bytes);
    }
    getrandom::fill(&mut bytes).map_err(|e| crate::Error::Random(std::io::Error::other(e).into()))?;
    Ok(bytes)
}

/// The name of a machine's record ([`crate::machines`]): its series, and its number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RecordName {
    /// A machine's records about one subject.
    pub series: [u8; 8],
    /// The highest counts.
    pub number: u64,
}

impl RecordName {
    /// Of 32 hexadecimal digits, as an object is named.
    pub fn from_hex(id: &str) -> Option<RecordName> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(id, &mut bytes).ok()?;
        let (series, _) = bytes.split_first_chunk()?;
        Some(RecordName {
            series: *series,
            number: u64::from_str_radix(id.get(16..)?, 16).ok()?,
        })
    }

    /// The 32 digits.
    pub fn to_hex(self) -> String {
        format!("{}{:016x}", hex::encode(self.series), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trip_and_refusals() {
        let id = SessionId(*b"0123456789abcdef");
        assert_eq!(SessionId::from_hex(&id.to_hex()), Some(id));
        assert_eq!(SessionId::from_hex("00"), None);
        assert_eq!(SessionId::from_hex(&"A".repeat(32)), None);
        assert_eq!(SessionId::from_hex(&"g".repeat(32)), None);
    }
}
