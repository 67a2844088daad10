//! The `config` object: what a client must know before it may touch a repository.
//!
//! `"DEDUPCFG" length(2) clear-CBOR sealed-CBOR`. The clear part is associated data of the sealed one. Features are
//! names, so that an older version can name the one it lacks (I-15).

use crate::chunker::Bounds;
use crate::error::{Error, Feature, Flaw, Result};
use crate::id::{ReplicaId, RepoId};
use crate::object::{Tail, cap, cbor, from_cbor};
use crate::remote::{ObjectName, Remote};
use crate::seal::{FORMAT_VERSION, SUITE, SealKey, Sealed, aad};
use crate::upgrades::{Standing, check_required};

const MAGIC: &[u8; 8] = b"DEDUPCFG";
/// Elements of [`Config`].
const ELEMENTS: u64 = 7;

/// The part of `config` that can be read without a key.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Clear {
    /// The version of the format.
    #[n(0)]
    pub format: u8,
    /// The id of the repository.
    #[n(1)]
    pub repo: RepoId,
    /// The cryptographic algorithms.
    #[n(2)]
    pub suite: u8,
    /// A client that lacks one of these must not touch the repository.
    #[n(3)]
    pub required: Vec<String>,
    /// Features that a program need not know.
    #[n(4)]
    pub optional: Vec<String>,
}

/// What an upgrade does not change. Sealed with a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Config {
    /// 1: FastCDC with a keyed gear table.
    #[n(0)]
    pub chunker: u8,
    /// The sizes of chunks.
    #[n(1)]
    pub bounds: Bounds,
    /// Bytes at which a pack is closed.
    #[n(2)]
    pub pack_size: u32,
    /// Plaintext bytes a bundle of small files aims at.
    #[n(3)]
    pub bundle_size: u32,
    /// Seconds since 1970.
    #[n(4)]
    pub created: i64,
    /// Percent of each new pack that its parity takes; `None`: it gets none.
    #[n(5)]
    pub parity: Option<u8>,
    /// Which of several replicas this is; `None`: the first.
    #[n(6)]
    pub replica: Option<ReplicaId>,
    /// What a later version wrote after these.
    #[cbor(skip)]
    pub tail: Tail,
}

impl Config {
    /// Usual values for the rest. `created` is in seconds since 1970.
    pub fn new(bounds: Bounds, created: i64) -> Self {
        Config {
            chunker: 1,
            bounds,
            pack_size: 32 << 20,
            bundle_size: 3 << 19,
            created,
            parity: None,
            replica: None,
            tail: Tail::default(),
        }
    }

    /// Files below this many bytes go into bundles.
    pub fn small_file(&self) -> u64 {
        u64::from(self.bounds.min)
    }
}

/// The `config` of a repository in which `standing` holds from the beginning.
pub fn encode(repo: RepoId, config: &Config, standing: &Standing, key: &SealKey) -> Result<Vec<u8>> {
    let clear = Clear {
        format: FORMAT_VERSION,
        repo,
        suite: SUITE,
        required: standing.required.clone(),
        optional: standing.optional.clone(),
    };
    let clear = cbor(&clear);
    let config = Config {
        parity: standing.parity,
        ..config.clone()
    };
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&(clear.len() as u16).to_le_bytes());
    out.extend_from_slice(&clear);
    let aad = [&aad(Sealed::Config, &repo), &clear[..]].concat();
    let body = config.tail.append_to(cbor(&config), ELEMENTS);
    key.seal(&aad, &body, &mut out)?;
    Ok(out)
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let wrong = |flaw| Error::corrupt("config", flaw);
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong(Flaw::BadMagic))?;
    let (len, rest) = rest.split_first_chunk().ok_or_else(|| wrong(Flaw::Truncated))?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))
        .ok_or_else(|| wrong(Flaw::Truncated))
}

/// The bytes of `config` as they are stored.
pub(crate) fn read_config(remote: &dyn Remote) -> Result<Vec<u8>> {
    match remote.get(&ObjectName::config(), cap::CONTROL) {
        Err(Error::Missing { .. }) => Err(Error::NoRepository {
            location: remote.location(),
        }),
        bytes => bytes,
    }
}

/// The clear part; refuses what this version may not touch.
pub fn clear(bytes: &[u8]) -> Result<Clear> {
    let clear: Clear =
        minicbor::decode(split(bytes)?.0).map_err(|_| Error::corrupt("config", Flaw::Undecodable))?;
    if clear.format != FORMAT_VERSION {
        return Err(Error::NewerFormat(Feature::RepositoryFormat(clear.format.into())));
    }
    if clear.suite != SUITE {
        return Err(Error::NewerFormat(Feature::CipherSuite(clear.suite.into())));
    }
    check_required(&clear.required)?;
    Ok(clear)
}

/// Opens the sealed part.
pub fn open(bytes: &[u8], repo: &RepoId, key: &SealKey) -> Result<Config> {
    let wrong = |flaw| Error::corrupt("config", flaw);
    let (clear, sealed) = split(bytes)?;
    let aad = [&aad(Sealed::Config, repo), clear].concat();
    let mut body = Vec::new();
    key.open(&aad, sealed, &mut body)
        .map_err(|_| wrong(Flaw::SealBroken))?;
    let mut config: Config = from_cbor(&body).ok_or_else(|| wrong(Flaw::Undecodable))?;
    config.tail = Tail::of(&body, ELEMENTS);
    if config.chunker != 1 {
        return Err(Error::NewerFormat(Feature::Chunker(config.chunker.into())));
    }
    config.bounds.check()?;
    let sizes = (1 << 20..=64 << 20).contains(&config.pack_size)
        && (64 << 10..=8 << 20).contains(&config.bundle_size);
    if sizes {
        Ok(config)
    } else {
        Err(wrong(Flaw::OutOfRange))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_tampering_and_unknown_features() {
        let (repo, key) = (RepoId([3; 16]), SealKey::new([1; 32]));
        let config = Config::new(Bounds::DEFAULT, 12);
        let bytes = encode(repo, &config, &Standing::new(None), &key).unwrap();
        assert_eq!(clear(&bytes).unwrap().repo, repo);
        assert_eq!(open(&bytes, &repo, &key).unwrap(), config);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let opened = clear(&bad).and_then(|clear| open(&bad, &clear.repo, &key));
            assert!(opened.is_err(), "byte {at}");
        }
        let clear_part = Clear {
            format: 1,
            repo,
            suite: 1,
            required: vec!["time-travel".into()],
            optional: vec![],
        };
        let body = cbor(&clear_part);
        let newer = [&MAGIC[..], &(body.len() as u16).to_le_bytes(), &body].concat();
        let feature = Feature::Named("time-travel".to_string());
        assert_eq!(clear(&newer).err(), Some(Error::NewerFormat(feature)));
    }

    #[test]
    fn what_a_later_version_appended_is_written_again() {
        let (repo, key) = (RepoId([3; 16]), SealKey::new([1; 32]));
        let config = Config::new(Bounds::DEFAULT, 12);
        let standing = Standing::new(Some(7));
        let longer = Tail::of(&cbor(&(0, 0, 0, 0, 0, 0, 0, "later")), ELEMENTS);
        let newer = Config {
            tail: longer,
            ..config
        };
        let read = open(&encode(repo, &newer, &standing, &key).unwrap(), &repo, &key).unwrap();
        assert_eq!((&read.tail, read.parity), (&newer.tail, Some(7)));
        let again = open(&encode(repo, &read, &standing, &key).unwrap(), &repo, &key).unwrap();
        assert_eq!(again, read);
    }
}
