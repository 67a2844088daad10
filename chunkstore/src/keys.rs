//! From the repository master key to the keys in use. The master key exists only inside slots; what is here is
//! derived, per purpose, with BLAKE3 `derive_key`.
//!
//! Content is sealed with a random key per session, itself sealed (HPKE, RFC 9180: X25519, HKDF-SHA256,
//! ChaCha20-Poly1305) to the repository's public key, so that a machine that may only write can't read.

use crate::error::{Error, Result};
use crate::id::{ChunkId, ContentHash, RepoId, random};
use crate::seal::SealKey;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A session's content key, sealed to the repository: 32 bytes of encapsulated key, 32 + 16 of ciphertext.
pub type SealedSessionKey = [u8; 80];

const HPKE_INFO: &[u8] = b"dedup 2026 v1 session key";
/// Opened session keys kept at most; each costs some 200 bytes, opening one some 50 us.
const OPENED_MAX: usize = 4096;

/// 256 random bits; everything else follows from them and the repository's id.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey(pub(crate) [u8; 32]);

impl MasterKey {
    pub fn generate() -> Result<Self> {
        Ok(MasterKey(random()?))
    }

    pub(crate) fn again(&self) -> Self {
        MasterKey(self.0)
    }

    /// For tests of formats, which need the same key each time.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        MasterKey(key)
    }

    fn derive(&self, repo: &RepoId, purpose: &str) -> [u8; 32] {
        let mut material = Zeroizing::new([0; 48]);
        material[..32].copy_from_slice(&self.0);
        material[32..].copy_from_slice(repo.as_bytes());
        blake3::derive_key(&format!("dedup 2026 v1 {purpose}"), &material[..])
    }
}

/// Keys of one session's content, by what they seal.
pub struct SessionKeys {
    pub data: SealKey,
    pub tree: SealKey,
    pub manifest: SealKey,
}

impl SessionKeys {
    fn new(content: &[u8; 32]) -> Self {
        let derive = |purpose| SealKey::new(blake3::derive_key(purpose, content));
        SessionKeys {
            data: derive("dedup 2026 v1 session data"),
            tree: derive("dedup 2026 v1 session tree"),
            manifest: derive("dedup 2026 v1 session manifest"),
        }
    }

    pub fn frame(&self, tree: bool) -> &SealKey {
        if tree { &self.tree } else { &self.data }
    }
}

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
/// The sender's half, and what it seals.
type Encapped = (<X25519HkdfSha256 as Kem>::EncappedKey, Vec<u8>);

/// All keys of an opened repository. Has no `Debug`; keys are zeroed when dropped.
pub struct Keys {
    repo: RepoId,
    data_ids: Zeroizing<[u8; 32]>,
    tree_ids: Zeroizing<[u8; 32]>,
    file_hashes: Zeroizing<[u8; 32]>,
    chunker: Zeroizing<[u8; 32]>,
    tree_cuts: Zeroizing<[u8; 32]>,
    padding: Zeroizing<[u8; 32]>,
    pub(crate) index: SealKey,
    pub(crate) control: SealKey,
    public: PublicKey,
    private: PrivateKey,
    opened: Mutex<HashMap<SealedSessionKey, Arc<SessionKeys>>>,
}

impl Keys {
    pub fn new(master: &MasterKey, repo: RepoId) -> Self {
        let derive = |purpose| Zeroizing::new(master.derive(&repo, purpose));
        let pair = derive("repository key pair");
        let (private, public) = X25519HkdfSha256::derive_keypair(&pair[..]);
        Keys {
            data_ids: derive("data chunk ids"),
            tree_ids: derive("tree chunk ids"),
            file_hashes: derive("file content hashes"),
            chunker: derive("chunker"),
            tree_cuts: derive("tree cuts"),
            padding: derive("padding"),
            index: SealKey::new(master.derive(&repo, "index")),
            control: SealKey::new(master.derive(&repo, "control")),
            public,
            private,
            opened: Mutex::default(),
            repo,
        }
    }

    pub fn repo(&self) -> &RepoId {
        &self.repo
    }

    pub fn chunk_id(&self, tree: bool, plain: &[u8]) -> ChunkId {
        let key = if tree { &self.tree_ids } else { &self.data_ids };
        ChunkId(*blake3::keyed_hash(key, plain).as_bytes())
    }

    pub fn content_hash(&self, content: &[u8]) -> ContentHash {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::keyed_hash(&self.file_hashes, content).as_bytes()[..16]);
        ContentHash(hash)
    }

    pub fn chunker(&self) -> &[u8; 32] {
        &self.chunker
    }

    /// Key of the rule that cuts a generation's entries into segments.
    pub fn tree_cuts(&self) -> &[u8; 32] {
        &self.tree_cuts
    }

    /// `len` bytes that look like ciphertext to who has no key; the same for the same `salt`.
    pub(crate) fn padding(&self, salt: &[u8], len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new_keyed(&self.padding)
            .update(salt)
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    /// A new session's keys, with its content key sealed to the repository.
    pub fn new_session(&self) -> Result<(Arc<SessionKeys>, SealedSessionKey)> {
        let content = Zeroizing::new(random::<32>()?);
        let (encapped, ciphertext) = self.seal_session(&content).map_err(|e| Error::Invalid {
            what: "session key",
            why: e.to_string(),
        })?;
        let mut sealed = [0; 80];
        sealed[..32].copy_from_slice(&encapped.to_bytes());
        sealed[32..].copy_from_slice(&ciphertext);
        Ok((Arc::new(SessionKeys::new(&content)), sealed))
    }

    fn seal_session(&self, content: &[u8; 32]) -> Result<Encapped, hpke::HpkeError> {
        #[cfg(feature = "simulation")]
        if crate::simulation::seeded() {
            return hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &self.public,
                HPKE_INFO,
                content,
                self.repo.as_bytes(),
                &mut crate::simulation::Seeded,
            );
        }
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &self.public,
            HPKE_INFO,
            content,
            self.repo.as_bytes(),
        )
    }

    /// Opens a sealed session key; remembers it, since frames of one session come in runs.
    pub fn open_session(&self, sealed: &SealedSessionKey) -> Result<Arc<SessionKeys>> {
        if let Some(keys) = self.opened.lock().get(sealed) {
            return Ok(keys.clone());
        }
        let wrong = || Error::corrupt("a sealed session key", "it does not open");
        let encapped =
            <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&sealed[..32]).map_err(|_| wrong())?;
        let content = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &encapped,
            HPKE_INFO,
            &sealed[32..],
            self.repo.as_bytes(),
        )
        .map(Zeroizing::new)
        .map_err(|_| wrong())?;
        let content: &[u8; 32] = content.as_slice().try_into().map_err(|_| wrong())?;
        let keys = Arc::new(SessionKeys::new(content));
        let mut opened = self.opened.lock();
        if opened.len() >= OPENED_MAX {
            opened.clear();
        }
        opened.insert(*sealed, keys.clone());
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_keys_open_only_in_their_repository() {
        let master = MasterKey([7; 32]);
        let keys = Keys::new(&master, RepoId([1; 16]));
        let other = Keys::new(&master, RepoId([2; 16]));
        let (session, sealed) = keys.new_session().unwrap();
        let mut frame = Vec::new();
        session.data.seal(b"", b"hello", &mut frame).unwrap();
        let opened = Keys::new(&master, RepoId([1; 16])).open_session(&sealed).unwrap();
        let mut plain = Vec::new();
        opened.data.open(b"", &frame, &mut plain).unwrap();
        assert_eq!(plain, b"hello");
        assert!(opened.tree.open(b"", &frame, &mut plain).is_err());
        assert!(other.open_session(&sealed).is_err());
        let mut bad = sealed;
        bad[40] ^= 1;
        assert!(keys.open_session(&bad).is_err());
    }

    #[test]
    fn ids_differ_by_purpose_and_repository() {
        let keys = Keys::new(&MasterKey([7; 32]), RepoId([1; 16]));
        let other = Keys::new(&MasterKey([7; 32]), RepoId([2; 16]));
        assert_ne!(keys.chunk_id(true, b"x"), keys.chunk_id(false, b"x"));
        assert_ne!(keys.chunk_id(false, b"x"), other.chunk_id(false, b"x"));
        assert_eq!(keys.chunk_id(false, b"x"), keys.chunk_id(false, b"x"));
        assert_ne!(keys.content_hash(b"x").0, keys.chunk_id(false, b"x").0[..16]);
    }
}
