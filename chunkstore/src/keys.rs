//! From the repository master key to the keys in use. The master key exists only inside slots; what is here is
//! derived, per purpose, with BLAKE3 `derive_key`.
//!
//! Content is sealed with random keys that a session draws, one for each class, so that who may read one class need not
//! be able to read another. Each is stored sealed, in the objects that it opens and nowhere else. Sealed keys have a
//! kind: this version writes and opens kind 0, a symmetric wrap for holders of the master key. Kinds for machines that
//! may only write are defined in docs/format.md and refused by name here (I-15).

use crate::error::{Error, Feature, Flaw, Object, Result};
use crate::id::{ChunkId, ContentHash, RepoId, random};
use crate::seal::{SealKey, Sealed, aad};
use crate::varint::{Bytes, Malformed, Undecodable};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Opened content keys kept at most; each costs some 200 bytes, opening one some microseconds.
const OPENED_MAX: usize = 4096;
/// The only kind of sealed key that this version knows: a wrap under a key of the master key's.
const OWNERS: u8 = 0;
/// A content key as kind 0 wraps it: 32 bytes and what sealing adds.
const WRAPPED_LEN: usize = 32 + crate::seal::OVERHEAD;
const TAG_LEN: usize = 16;
/// The author of what a holder of the master key writes.
const OWNER: [u8; 16] = [0; 16];

/// What a content key opens, as stored. Frames carry keys of their pack's class.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum KeyClass {
    Data = 1,
    Tree = 2,
    Manifest = 3,
}

impl KeyClass {
    const ALL: [KeyClass; 3] = [KeyClass::Data, KeyClass::Tree, KeyClass::Manifest];

    pub fn of_frames(tree: bool) -> Self {
        if tree { KeyClass::Tree } else { KeyClass::Data }
    }

    fn word(self) -> &'static str {
        match self {
            KeyClass::Data => "data",
            KeyClass::Tree => "tree",
            KeyClass::Manifest => "manifest",
        }
    }
}

/// A content key of one class as it is stored: `kind(1) author-tag(16) length(2) bytes`. Always of kind 0: reading
/// another one means that it is of a newer format.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SealedSessionKey([u8; SealedSessionKey::LEN]);

impl SealedSessionKey {
    const HEAD: usize = 1 + TAG_LEN + 2;
    /// Stored bytes of a key of any kind at least.
    pub const LEN_MIN: usize = SealedSessionKey::HEAD;
    /// Stored bytes of a key of kind 0.
    pub const LEN: usize = SealedSessionKey::HEAD + WRAPPED_LEN;

    pub fn as_bytes(&self) -> &[u8; SealedSessionKey::LEN] {
        &self.0
    }

    /// Takes one off `bytes`.
    pub fn read(bytes: &mut Bytes<'_>) -> Result<Self, Undecodable> {
        let head: [u8; SealedSessionKey::HEAD] = bytes.array()?;
        let len = usize::from(u16::from_le_bytes([head[TAG_LEN + 1], head[TAG_LEN + 2]]));
        if head[0] != OWNERS {
            return Err(Undecodable::Newer(Feature::SealedKeyKind(head[0])));
        }
        let wrapped = bytes.take(len)?;
        let mut key = [0; SealedSessionKey::LEN];
        key[..SealedSessionKey::HEAD].copy_from_slice(&head);
        let body = &mut key[SealedSessionKey::HEAD..];
        if wrapped.len() != body.len() {
            return Err(Malformed.into());
        }
        body.copy_from_slice(wrapped);
        Ok(SealedSessionKey(key))
    }

    /// One that is all of `bytes`.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Undecodable> {
        let mut bytes = Bytes(bytes);
        let key = SealedSessionKey::read(&mut bytes)?;
        match bytes.is_empty() {
            true => Ok(key),
            false => Err(Malformed.into()),
        }
    }

    /// One that opens nothing, for tests of what only carries keys along.
    pub fn dummy(fill: u8) -> Self {
        let mut key = [fill; SealedSessionKey::LEN];
        key[0] = OWNERS;
        key[TAG_LEN + 1..SealedSessionKey::HEAD].copy_from_slice(&(WRAPPED_LEN as u16).to_le_bytes());
        SealedSessionKey(key)
    }

    fn new(author: &[u8; 32], class: KeyClass, repo: &RepoId, wrapped: &[u8]) -> Self {
        let mut key = SealedSessionKey::dummy(0);
        key.0[SealedSessionKey::HEAD..].copy_from_slice(wrapped);
        let tag = key.tag(author, class, repo);
        key.0[1..=TAG_LEN].copy_from_slice(&tag);
        key
    }

    fn wrapped(&self) -> &[u8] {
        &self.0[SealedSessionKey::HEAD..]
    }

    /// Who sealed it proves it by this: only the writer and the owner have the author's secret. It does not depend on
    /// where the key lies, so it holds after frames were moved.
    fn tag(&self, author: &[u8; 32], class: KeyClass, repo: &RepoId) -> [u8; TAG_LEN] {
        let mut hasher = blake3::Hasher::new_keyed(author);
        hasher
            .update(&aad(Sealed::ContentKey, repo))
            .update(&[self.0[0], class as u8])
            .update(&self.0[1 + TAG_LEN..]);
        let mut tag = [0; TAG_LEN];
        hasher.finalize_xof().fill(&mut tag);
        tag
    }
}

impl std::fmt::Debug for SealedSessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedSessionKey({})", hex::encode(&self.0[1..5]))
    }
}

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

/// A content key that this session drew, and how it is stored.
pub struct ContentKey {
    pub key: SealKey,
    pub sealed: SealedSessionKey,
}

/// Keys of one session's content, one for each class.
pub struct SessionKeys {
    pub data: ContentKey,
    pub tree: ContentKey,
    pub manifest: ContentKey,
}

impl SessionKeys {
    pub fn frames(&self, tree: bool) -> &ContentKey {
        if tree { &self.tree } else { &self.data }
    }
}

/// All keys of an opened repository. Has no `Debug`; keys are zeroed when dropped.
pub struct Keys {
    repo: RepoId,
    data_ids: Zeroizing<[u8; 32]>,
    tree_ids: Zeroizing<[u8; 32]>,
    file_hashes: Zeroizing<[u8; 32]>,
    chunker: Zeroizing<[u8; 32]>,
    tree_cuts: Zeroizing<[u8; 32]>,
    padding: Zeroizing<[u8; 32]>,
    machines: Zeroizing<[u8; 32]>,
    fingerprint: Zeroizing<[u8; 32]>,
    pub(crate) index: SealKey,
    pub(crate) control: ControlKeys,
    /// By class, of what wraps content keys.
    wraps: [SealKey; 3],
    /// The owner's secret as an author.
    author: Zeroizing<[u8; 32]>,
    opened: Mutex<HashMap<(KeyClass, SealedSessionKey), Arc<SealKey>>>,
}

/// Keys of what is no content, each its own, so that who may do one thing need not be able to do another.
pub(crate) struct ControlKeys {
    pub config: SealKey,
    pub upgrades: SealKey,
    /// Notes of slots.
    pub notes: SealKey,
    /// Sessions and fences.
    pub sessions: SealKey,
    /// Marks and trash.
    pub removals: SealKey,
}

impl Keys {
    pub fn new(master: &MasterKey, repo: RepoId) -> Self {
        let derive = |purpose| Zeroizing::new(master.derive(&repo, purpose));
        let seal = |purpose: &str| SealKey::new(master.derive(&repo, purpose));
        let authors = derive("authors");
        Keys {
            data_ids: derive("data chunk ids"),
            tree_ids: derive("tree chunk ids"),
            file_hashes: derive("file content hashes"),
            chunker: derive("chunker"),
            tree_cuts: derive("tree cuts"),
            padding: derive("padding"),
            machines: derive("machines"),
            fingerprint: derive("fingerprint"),
            index: seal("index"),
            control: ControlKeys {
                config: seal("config"),
                upgrades: seal("upgrades"),
                notes: seal("notes"),
                sessions: seal("sessions"),
                removals: seal("removals"),
            },
            wraps: KeyClass::ALL.map(|class| seal(&format!("wrap {}", class.word()))),
            author: Zeroizing::new(*blake3::keyed_hash(&authors, &OWNER).as_bytes()),
            opened: Mutex::default(),
            repo,
        }
    }

    pub fn repo(&self) -> &RepoId {
        &self.repo
    }

    /// Distinguishes repositories by their master key. An attacker who has only the storage can't make two with one
    /// fingerprint, as he can with one id.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    pub fn chunk_id(&self, tree: bool, plain: &[u8]) -> ChunkId {
        let key = if tree { &self.tree_ids } else { &self.data_ids };
        ChunkId(*blake3::keyed_hash(key, plain).as_bytes())
    }

    /// What names a machine's records about a subject, so that the storage does not learn which machines it serves.
    pub(crate) fn record_series(&self, machine: &[u8; 16], subject: &[u8]) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new_keyed(&self.machines);
        hasher.update(machine).update(subject);
        let mut series = [0; 8];
        hasher.finalize_xof().fill(&mut series);
        series
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

    /// `len` bytes that look like ciphertext to anyone without the key; the same for the same `salt`.
    pub(crate) fn padding(&self, salt: &[u8], len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new_keyed(&self.padding)
            .update(salt)
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    fn wrap(&self, class: KeyClass) -> &SealKey {
        &self.wraps[class as usize - 1]
    }

    fn wrap_aad(&self, class: KeyClass) -> Vec<u8> {
        let mut aad = aad(Sealed::ContentKey, &self.repo);
        aad.extend_from_slice(&[OWNERS, class as u8]);
        aad
    }

    /// A new session's keys, each sealed for those who hold the master key.
    pub fn new_session(&self) -> Result<SessionKeys> {
        let [data, tree, manifest] = KeyClass::ALL.map(|class| self.new_key(class));
        Ok(SessionKeys {
            data: data?,
            tree: tree?,
            manifest: manifest?,
        })
    }

    fn new_key(&self, class: KeyClass) -> Result<ContentKey> {
        let content = Zeroizing::new(random::<32>()?);
        let mut wrapped = Vec::new();
        self.wrap(class)
            .seal(&self.wrap_aad(class), &content[..], &mut wrapped)?;
        Ok(ContentKey {
            key: SealKey::new(*content),
            sealed: SealedSessionKey::new(&self.author, class, &self.repo, &wrapped),
        })
    }

    /// Opens a sealed content key; remembers it, since frames of one session come in runs.
    pub fn open_key(&self, class: KeyClass, sealed: &SealedSessionKey) -> Result<Arc<SealKey>> {
        if let Some(key) = self.opened.lock().get(&(class, *sealed)) {
            return Ok(key.clone());
        }
        let wrong = |flaw| Error::corrupt(Object::SealedKey, flaw);
        let tag = sealed.tag(&self.author, class, &self.repo);
        if !bool::from(tag.ct_eq(&sealed.0[1..=TAG_LEN])) {
            return Err(wrong(Flaw::UnknownSealer));
        }
        let mut content = Zeroizing::new(Vec::new());
        self.wrap(class)
            .open(&self.wrap_aad(class), sealed.wrapped(), &mut content)
            .map_err(|_| wrong(Flaw::SealBroken))?;
        let content = content.as_slice().try_into();
        let key = Arc::new(SealKey::new(content.map_err(|_| wrong(Flaw::LengthMismatch))?));
        let mut opened = self.opened.lock();
        if opened.len() >= OPENED_MAX {
            opened.clear();
        }
        opened.insert((class, *sealed), key.clone());
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(repo: u8) -> Keys {
        Keys::new(&MasterKey([7; 32]), RepoId([repo; 16]))
    }

    #[test]
    fn content_keys_open_only_their_class_in_their_repository() {
        let keys_of_one = keys(1);
        let session = keys_of_one.new_session().unwrap();
        let mut frame = Vec::new();
        session.data.key.seal(b"", b"hello", &mut frame).unwrap();
        let again = keys(1);
        let opened = again.open_key(KeyClass::Data, &session.data.sealed).unwrap();
        let mut plain = Vec::new();
        opened.open(b"", &frame, &mut plain).unwrap();
        assert_eq!(plain, b"hello");
        // No key of a session opens what another class holds, nor follows from it.
        let tree = again.open_key(KeyClass::Tree, &session.tree.sealed).unwrap();
        assert!(tree.open(b"", &frame, &mut plain).is_err());
        for class in [KeyClass::Tree, KeyClass::Manifest] {
            assert!(again.open_key(class, &session.data.sealed).is_err());
        }
        assert!(keys(2).open_key(KeyClass::Data, &session.data.sealed).is_err());
    }

    #[test]
    fn a_changed_sealed_key_is_refused_and_an_unknown_kind_named() {
        let keys = keys(1);
        let sealed = keys.new_session().unwrap().tree.sealed;
        for at in 0..SealedSessionKey::LEN {
            let mut bad = *sealed.as_bytes();
            bad[at] ^= 1;
            match SealedSessionKey::from_slice(&bad) {
                Ok(bad) => assert!(keys.open_key(KeyClass::Tree, &bad).is_err(), "byte {at}"),
                // The kind and the length.
                Err(_) => assert!(at == 0 || at == 17 || at == 18, "byte {at}"),
            }
        }
        // Of any length: X25519 and X-Wing have other ones.
        for (kind, len) in [(1u8, 80usize), (2, 1168), (200, 0)] {
            let mut newer = vec![kind];
            newer.extend_from_slice(&[5; TAG_LEN]);
            newer.extend_from_slice(&(len as u16).to_le_bytes());
            newer.resize(newer.len() + len, 9);
            let error = SealedSessionKey::from_slice(&newer).unwrap_err().of("an object");
            assert!(error == Error::NewerFormat(Feature::SealedKeyKind(kind)));
            assert!(!error.is_damage());
        }
    }

    /// Someone with another secret than the author's can't pass a key off as the author's.
    #[test]
    fn the_author_tag_does_not_depend_on_where_the_key_lies() {
        let keys = keys(1);
        let sealed = keys.new_session().unwrap().data.sealed;
        let mut forged = sealed;
        let tag = sealed.tag(&[3; 32], KeyClass::Data, &RepoId([1; 16]));
        forged.0[1..=TAG_LEN].copy_from_slice(&tag);
        assert!(keys.open_key(KeyClass::Data, &forged).is_err());
        assert!(keys.open_key(KeyClass::Data, &sealed).is_ok());
    }

    /// A holder of some of the keys opens and forges nothing that is sealed with the others.
    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let keys = keys(1);
        let control = &keys.control;
        let all = [
            &keys.index,
            &control.config,
            &control.upgrades,
            &control.notes,
            &control.sessions,
            &control.removals,
            keys.wrap(KeyClass::Data),
            keys.wrap(KeyClass::Tree),
            keys.wrap(KeyClass::Manifest),
        ];
        for (number, key) in all.iter().enumerate() {
            let (mut sealed, mut plain) = (Vec::new(), Vec::new());
            key.seal(b"aad", b"text", &mut sealed).unwrap();
            for (other, key) in all.iter().enumerate() {
                let opened = key.open(b"aad", &sealed, &mut plain).is_ok();
                assert_eq!(opened, other == number, "{number} {other}");
            }
        }
    }

    #[test]
    fn ids_differ_by_purpose_and_repository() {
        let (keys, other) = (keys(1), keys(2));
        assert_ne!(keys.chunk_id(true, b"x"), keys.chunk_id(false, b"x"));
        assert_ne!(keys.chunk_id(false, b"x"), other.chunk_id(false, b"x"));
        assert_eq!(keys.chunk_id(false, b"x"), keys.chunk_id(false, b"x"));
        assert_ne!(keys.content_hash(b"x").0, keys.chunk_id(false, b"x").0[..16]);
        assert_ne!(keys.fingerprint(), other.fingerprint());
    }
}
