//! The `config` object: what a client must know before it may touch a repository.
//!
//! `"DEDUPCFG" length(2) clear-CBOR sealed-CBOR`. The clear part is associated data of the sealed one. Features are
//! names, so that an older version can say which one it lacks (I-15).

use crate::chunker::Bounds;
use crate::error::{Error, Result};
use crate::id::{ReplicaId, RepoId};
use crate::object::{cbor, from_cbor};
use crate::seal::{FORMAT_VERSION, SUITE, SealKey, Sealed, aad};

const MAGIC: &[u8; 8] = b"DEDUPCFG";
/// Optional feature: packs have parity.
const PARITY: &str = "parity";
/// Required features that this version knows.
const KNOWN: &[&str] = &[];

#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Clear {
    #[n(0)]
    pub format: u8,
    #[n(1)]
    pub repo: RepoId,
    #[n(2)]
    pub suite: u8,
    /// A client that lacks one of these must not touch the repository.
    #[n(3)]
    pub required: Vec<String>,
    #[n(4)]
    pub optional: Vec<String>,
}

/// Sealed with the control key.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Config {
    /// 1: FastCDC with a keyed gear table.
    #[n(0)]
    pub chunker: u8,
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
}

impl Config {
    pub fn new(bounds: Bounds, created: i64) -> Self {
        Config {
            chunker: 1,
            bounds,
            pack_size: 32 << 20,
            bundle_size: 3 << 19,
            created,
            parity: None,
            replica: None,
        }
    }

    /// Files below this many bytes go into bundles.
    pub fn small_file(&self) -> u64 {
        u64::from(self.bounds.min)
    }
}

pub fn encode(repo: RepoId, config: &Config, control: &SealKey) -> Result<Vec<u8>> {
    let clear = Clear {
        format: FORMAT_VERSION,
        repo,
        suite: SUITE,
        required: Vec::new(),
        // Who does not know it makes packs without, which is harmless.
        optional: config.parity.map(|_| PARITY.to_string()).into_iter().collect(),
    };
    let clear = cbor(&clear);
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&(clear.len() as u16).to_le_bytes());
    out.extend_from_slice(&clear);
    let aad = [&aad(Sealed::Config, &repo), &clear[..]].concat();
    control.seal(&aad, &cbor(config), &mut out)?;
    Ok(out)
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let wrong = |what: &str| Error::corrupt("config", what);
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| wrong("this is not a dedup repository's"))?;
    let (len, rest) = rest.split_first_chunk().ok_or_else(|| wrong("cut short"))?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))
        .ok_or_else(|| wrong("cut short"))
}

/// The clear part; refuses what this version may not touch.
pub fn clear(bytes: &[u8]) -> Result<Clear> {
    let clear: Clear = minicbor::decode(split(bytes)?.0)
        .map_err(|_| Error::corrupt("config", "its fields do not decode"))?;
    if clear.format != FORMAT_VERSION {
        return Err(Error::NewerFormat {
            feature: format!("repository format {}", clear.format),
        });
    }
    if clear.suite != SUITE {
        return Err(Error::NewerFormat {
            feature: format!("cipher suite {}", clear.suite),
        });
    }
    match clear
        .required
        .iter()
        .find(|feature| !KNOWN.contains(&feature.as_str()))
    {
        Some(feature) => Err(Error::NewerFormat {
            feature: format!("the feature '{feature}'"),
        }),
        None => Ok(clear),
    }
}

pub fn open(bytes: &[u8], repo: &RepoId, control: &SealKey) -> Result<Config> {
    let wrong = |what: &str| Error::corrupt("config", what);
    let (clear, sealed) = split(bytes)?;
    let aad = [&aad(Sealed::Config, repo), clear].concat();
    let mut body = Vec::new();
    control
        .open(&aad, sealed, &mut body)
        .map_err(|_| wrong("its seal is broken"))?;
    let config: Config = from_cbor(&body).ok_or_else(|| wrong("its fields do not decode"))?;
    if config.chunker != 1 {
        return Err(Error::NewerFormat {
            feature: format!("chunker {}", config.chunker),
        });
    }
    config.bounds.check()?;
    let sizes = (1 << 20..=64 << 20).contains(&config.pack_size)
        && (64 << 10..=8 << 20).contains(&config.bundle_size);
    if sizes {
        Ok(config)
    } else {
        Err(wrong("its sizes are out of bounds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_tampering_and_unknown_features() {
        let (repo, control) = (RepoId([3; 16]), SealKey::new([1; 32]));
        let config = Config::new(Bounds::DEFAULT, 12);
        let bytes = encode(repo, &config, &control).unwrap();
        assert_eq!(clear(&bytes).unwrap().repo, repo);
        assert_eq!(open(&bytes, &repo, &control).unwrap(), config);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let opened = clear(&bad).and_then(|clear| open(&bad, &clear.repo, &control));
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
        assert!(clear(&newer).unwrap_err().to_string().contains("time-travel"));
    }
}
