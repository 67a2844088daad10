//! Small sealed objects (everything but packs and slots): a clear head, then one sealed body, padded.
//!
//! `magic(5) type(1) version(1) suite(1) repository(16) domain(1) generation(1) keys(2) sealed-keys nonce body tag`.
//! The body is `length(4) bytes zeros`; the padding follows Padmé (Nikitin et al., PETS 2019), so that a stored
//! size tells little. The whole head and the object's name are associated data.

use crate::error::{Error, Feature, Flaw, Invalid, Result};
use crate::id::RepoId;
use crate::keys::SealedSessionKey;
use crate::seal::{DOMAIN, FORMAT_VERSION, OVERHEAD, SUITE, SealKey, Sealed};
use crate::varint::Bytes;

const MAGIC: &[u8; 5] = b"dedup";
const HEAD_LEN: usize = 28;

/// Largest stored size of each object, bytes (I-14).
pub mod cap {
    pub const CONTROL: usize = 64 << 10;
    pub const MARK: usize = 32 << 20;
    pub const INDEX: usize = 32 << 20;
    pub const MANIFEST: usize = 16 << 20;
    pub const TRASH: usize = MANIFEST + CONTROL;
    pub const FORGOTTEN: usize = 32 << 20;
    pub const OVERVIEW: usize = 16 << 20;
    pub const RECORD: usize = 1 << 20;
    pub const PACK: u64 = 80 << 20;
    pub const PARITY: usize = 96 << 20;
}

/// CBOR of a value. Our encoders raise no error of their own and a vector takes every byte.
#[allow(clippy::expect_used)]
pub fn cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("encoding into a vector")
}

/// Elements that a later version appended to a structure, as they were stored: they say something harmless, which must
/// not be lost where the structure is written again (docs/format.md, section 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail(Vec<Vec<u8>>);

impl Tail {
    /// What follows the first `known` elements of the array at the beginning of `body`; nothing where there is none.
    pub fn of(body: &[u8], known: u64) -> Self {
        let mut decoder = minicbor::Decoder::new(body);
        let Ok(Some(count)) = decoder.array() else {
            return Tail::default();
        };
        let mut elements = Vec::new();
        for number in 0..count {
            let start = decoder.position();
            if decoder.skip().is_err() {
                return Tail::default();
            }
            if number >= known {
                elements.push(body[start..decoder.position()].to_vec());
            }
        }
        Tail(elements)
    }

    /// The CBOR `body` of a structure of `known` elements, of which it may lack the last, with these after them.
    pub fn append_to(&self, body: Vec<u8>, known: u64) -> Vec<u8> {
        if self.0.is_empty() {
            return body;
        }
        let mut decoder = minicbor::Decoder::new(&body);
        let Ok(Some(count)) = decoder.array() else {
            return body;
        };
        let mut encoder = minicbor::Encoder::new(Vec::with_capacity(body.len() + 64));
        // A vector takes every byte.
        let _ = encoder.array(known + self.0.len() as u64);
        let mut out = encoder.into_writer();
        out.extend_from_slice(&body[decoder.position()..]);
        const NULL: u8 = 0xf6;
        out.extend((count..known).map(|_| NULL));
        self.0.iter().for_each(|element| out.extend_from_slice(element));
        out
    }
}

/// The value whose CBOR is all of `body`; `None` for anything else.
pub fn from_cbor<'b, T: minicbor::Decode<'b, ()>>(body: &'b [u8]) -> Option<T> {
    let mut decoder = minicbor::Decoder::new(body);
    let value = decoder.decode().ok()?;
    (decoder.position() == body.len()).then_some(value)
}

/// The Padmé length at or above `len`: at most 12 % more, and few distinct values.
pub fn padme(len: usize, floor: usize) -> usize {
    let len = len.max(floor).max(2);
    let exponent = len.ilog2();
    let mantissa = exponent.checked_ilog2().unwrap_or(0) + 1;
    let mask = (1usize << exponent.saturating_sub(mantissa)) - 1;
    (len + mask) & !mask
}

/// Seals `body` as an object named `name` (empty for objects named by their own hash).
pub fn seal(
    what: Sealed,
    repo: &RepoId,
    key: &SealKey,
    session: Option<&[SealedSessionKey]>,
    name: &[u8],
    body: &[u8],
    floor: usize,
) -> Result<Vec<u8>> {
    let keys = session.unwrap_or(&[]);
    let mut out = Vec::with_capacity(HEAD_LEN + body.len() + 256);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[what as u8, FORMAT_VERSION, SUITE]);
    out.extend_from_slice(repo.as_bytes());
    out.extend_from_slice(&DOMAIN);
    let count = u16::try_from(keys.len()).map_err(|_| Error::Invalid(Invalid::TooManyKeys))?;
    out.extend_from_slice(&count.to_le_bytes());
    keys.iter().for_each(|key| out.extend_from_slice(key.as_bytes()));
    let aad = [&out[..], name].concat();
    let total = padme(out.len() + OVERHEAD + 4 + body.len(), floor);
    let mut plain = Vec::with_capacity(total - out.len() - OVERHEAD);
    plain.extend_from_slice(&(body.len() as u32).to_le_bytes());
    plain.extend_from_slice(body);
    plain.resize(total - out.len() - OVERHEAD, 0);
    key.seal(&aad, &plain, &mut out)?;
    Ok(out)
}

/// The same bytes with a head as this version writes it, with no or one sealed key, to distinguish damage to a head from
/// a later version's.
pub(crate) fn with_own_head(bytes: &[u8], has_key: bool) -> Vec<u8> {
    let mut own = bytes.to_vec();
    if let Some(head) = own.get_mut(..HEAD_LEN) {
        head[6..8].copy_from_slice(&[FORMAT_VERSION, SUITE]);
        head[24..26].copy_from_slice(&DOMAIN);
        head[26..28].copy_from_slice(&[u8::from(has_key), 0]);
    }
    if has_key {
        // The kind of its sealed key.
        own.iter_mut().skip(HEAD_LEN).take(1).for_each(|kind| *kind = 0);
    }
    own
}

/// The body of a stored object without keys of its own. A head that was hurt can look like a later version's: then the seal
/// holds for the head that this version writes (I-15).
pub(crate) fn open(
    what: Sealed,
    repo: &RepoId,
    key: &SealKey,
    name: &[u8],
    object: &str,
    bytes: &[u8],
) -> Result<Vec<u8>> {
    let read = |bytes: &[u8]| Head::parse(repo, object, bytes)?.open(what, key, name, object);
    match read(bytes) {
        Err(newer @ Error::NewerFormat(_)) => match read(&with_own_head(bytes, false)) {
            Ok(_) => Err(Error::corrupt(object, Flaw::HeadDamaged)),
            Err(_) => Err(newer),
        },
        opened => opened,
    }
}

/// The clear head of a stored object.
pub struct Head<'a> {
    head: &'a [u8],
    sealed: &'a [u8],
    pub keys: Vec<SealedSessionKey>,
    what: u8,
}

impl<'a> Head<'a> {
    pub fn parse(repo: &RepoId, object: &str, bytes: &'a [u8]) -> Result<Self> {
        let fixed = Head::fixed(repo, object, bytes)?;
        if fixed[6] != FORMAT_VERSION || fixed[7] != SUITE {
            return Err(Error::NewerFormat(Feature::ObjectFormat {
                format: fixed[6],
                suite: fixed[7],
            }));
        }
        if fixed[24..26] != DOMAIN {
            return Err(Error::NewerFormat(Feature::KeyDomain {
                domain: fixed[24],
                generation: fixed[25],
            }));
        }
        Head::of_any_version(repo, object, bytes)
    }

    /// What begins the head, in every version.
    fn fixed(repo: &RepoId, object: &str, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let wrong = |flaw| Error::corrupt(object, flaw);
        let fixed = bytes.get(..HEAD_LEN).ok_or_else(|| wrong(Flaw::Truncated))?;
        match &fixed[..5] == MAGIC && fixed[8..24] == repo.0 {
            true => Ok(fixed),
            false => Err(wrong(Flaw::BadMagic)),
        }
    }

    /// A head whatever version it declares, for objects that are authenticated before that is believed.
    pub(crate) fn of_any_version(repo: &RepoId, object: &str, bytes: &'a [u8]) -> Result<Self> {
        let fixed = Head::fixed(repo, object, bytes)?;
        let count = usize::from(u16::from_le_bytes([fixed[26], fixed[27]]));
        let mut rest = Bytes(&bytes[HEAD_LEN..]);
        let keys = (0..count)
            .map(|_| SealedSessionKey::read(&mut rest))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| e.of(object))?;
        let sealed = rest.0;
        let head = &bytes[..bytes.len() - sealed.len()];
        Ok(Head {
            head,
            sealed,
            keys,
            what: fixed[5],
        })
    }

    pub fn is(&self, what: Sealed) -> bool {
        self.what == what as u8
    }

    /// The sealed key of an object that has one of its own.
    pub(crate) fn content_key(&self, object: &str) -> Result<&SealedSessionKey> {
        let missing = || Error::corrupt(object, Flaw::NoSessionKey);
        self.keys.first().ok_or_else(missing)
    }

    /// The body, once it is proven to be of this kind, name and repository.
    pub fn open(&self, what: Sealed, key: &SealKey, name: &[u8], object: &str) -> Result<Vec<u8>> {
        let wrong = |flaw| Error::corrupt(object, flaw);
        if !self.is(what) {
            return Err(wrong(Flaw::WrongKind));
        }
        let aad = [self.head, name].concat();
        let mut plain = Vec::new();
        key.open(&aad, self.sealed, &mut plain)
            .map_err(|_| wrong(Flaw::SealBroken))?;
        let len = plain
            .first_chunk()
            .map(|len| u32::from_le_bytes(*len) as usize)
            .ok_or_else(|| wrong(Flaw::Truncated))?;
        if len > plain.len() - 4 {
            return Err(wrong(Flaw::Truncated));
        }
        plain.truncate(4 + len);
        plain.drain(..4);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPO: RepoId = RepoId([5; 16]);

    #[test]
    fn padme_wastes_at_most_an_eighth_and_never_shrinks() {
        for len in (1..100_000).chain([1 << 25, (1 << 25) + 1, usize::MAX >> 8]) {
            let padded = padme(len, 0);
            assert!(
                padded >= len && padded <= len.max(2) + len / 8 + 1,
                "{len} {padded}"
            );
            assert_eq!(padme(padded, 0), padded);
        }
    }

    #[test]
    fn what_is_appended_is_kept() {
        #[derive(minicbor::Encode, minicbor::Decode)]
        struct Known {
            #[n(0)]
            a: u8,
            #[n(1)]
            b: Option<u8>,
        }
        // As a later version writes it: two elements more.
        let newer = [0x84, 1, 0xf6, 7, 0x62, b'h', b'i'];
        let known: Known = from_cbor(&newer).unwrap();
        let tail = Tail::of(&newer, 2);
        assert_eq!(tail.append_to(cbor(&known), 2), newer);
        let changed = Known { a: 2, ..known };
        assert_eq!(
            tail.append_to(cbor(&changed), 2),
            [0x84, 2, 0xf6, 7, 0x62, b'h', b'i']
        );
        let plain = cbor(&changed);
        assert_eq!(Tail::of(&plain, 2).append_to(plain.clone(), 2), plain);
        assert_eq!(Tail::of(b"\x9f\xff", 2), Tail::default());
        assert_eq!(Tail::of(&[0x84, 1], 1), Tail::default());
    }

    #[test]
    fn opens_only_as_what_it_is_under_its_name() {
        let key = SealKey::new([1; 32]);
        let bytes = seal(Sealed::Session, &REPO, &key, None, b"name", b"body", 1024).unwrap();
        assert_eq!(bytes.len(), 1024);
        let head = Head::parse(&REPO, "x", &bytes).unwrap();
        assert_eq!(head.open(Sealed::Session, &key, b"name", "x").unwrap(), b"body");
        assert!(head.open(Sealed::Mark, &key, b"name", "x").is_err());
        assert!(head.open(Sealed::Session, &key, b"other", "x").is_err());
        assert!(Head::parse(&RepoId([6; 16]), "x", &bytes).is_err());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let opened =
                Head::parse(&REPO, "x", &bad).and_then(|h| h.open(Sealed::Session, &key, b"name", "x"));
            assert!(opened.is_err(), "byte {at}");
        }
        for len in 0..bytes.len() {
            let opened = Head::parse(&REPO, "x", &bytes[..len])
                .and_then(|h| h.open(Sealed::Session, &key, b"name", "x"));
            assert!(opened.is_err());
        }
    }
}
