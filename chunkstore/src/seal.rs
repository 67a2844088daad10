//! The one way bytes are sealed: XChaCha20-Poly1305 with a hedged random nonce. Below keys, above everything stored.
//!
//! Nonce = keyed BLAKE3 over (32 random bytes, length of the associated data, associated data, plaintext), cut to 24
//! bytes: no counter and no state that a rollback or a cloned machine could repeat. The cipher is
//! draft-irtf-cfrg-xchacha: a subkey by HChaCha20 from the first 16 nonce bytes, then RFC 8439 with the last 8.
//! The `chacha20poly1305` crate is the oracle in the tests; ring's assembly does the work at twice its speed.

use crate::error::Result;
use crate::id::{ChunkId, RepoId, random};
use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub const NONCE_LEN: usize = 24;
pub const TAG_LEN: usize = 16;
/// Bytes that sealing adds.
pub const OVERHEAD: usize = NONCE_LEN + TAG_LEN;
/// Suite 1: BLAKE3, XChaCha20-Poly1305, Argon2id.
pub const SUITE: u8 = 1;
pub const FORMAT_VERSION: u8 = 1;

/// What a sealed thing is; part of its associated data, so that nothing opens as something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Sealed {
    DataFrame = 1,
    TreeFrame = 2,
    PackFooter = 3,
    Index = 4,
    Session = 5,
    Manifest = 6,
    Fence = 7,
    Mark = 8,
    Trash = 9,
    Config = 10,
    Slot = 11,
    SlotNote = 12,
    ContentKey = 13,
    Upgrade = 14,
    Forgotten = 15,
    Overview = 16,
    Machine = 17,
}

/// A content key and its nonce key. Zeroed when dropped; has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SealKey {
    content: [u8; 32],
    nonce: [u8; 32],
}

/// Sealed bytes that don't open: wrong key, wrong name, or changed bytes; deliberately without more detail.
#[derive(Debug, PartialEq, Eq)]
pub struct DoesNotOpen;

impl SealKey {
    pub fn new(content: [u8; 32]) -> Self {
        SealKey {
            nonce: blake3::derive_key("dedup 2026 v1 nonce", &content),
            content,
        }
    }

    /// Appends nonce, ciphertext and tag to `out`.
    pub fn seal(&self, aad: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let nonce = self.hedged_nonce(aad, plain)?;
        out.reserve(plain.len() + OVERHEAD);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let (key, iv) = self.cipher(&nonce);
        let tag = key
            .seal_in_place_separate_tag(iv, Aad::from(aad), &mut out[start..])
            .map_err(|_| crate::Error::Invalid(crate::error::Invalid::PlaintextTooLong))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Replaces `out` by the plaintext of `sealed` (nonce, ciphertext, tag).
    pub fn open(&self, aad: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Result<(), DoesNotOpen> {
        out.clear();
        let Some((nonce, rest)) = sealed.split_first_chunk::<NONCE_LEN>() else {
            return Err(DoesNotOpen);
        };
        out.extend_from_slice(rest);
        let (key, iv) = self.cipher(nonce);
        let opened = key
            .open_in_place(iv, Aad::from(aad), out)
            .map(|plain| plain.len());
        match opened {
            Ok(len) => {
                out.truncate(len);
                Ok(())
            }
            Err(_) => {
                out.clear();
                Err(DoesNotOpen)
            }
        }
    }

    fn hedged_nonce(&self, aad: &[u8], plain: &[u8]) -> Result<[u8; NONCE_LEN]> {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonce);
        hasher.update(&random::<32>()?);
        hasher.update(&(aad.len() as u64).to_le_bytes());
        hasher.update(aad);
        hasher.update(plain);
        let mut nonce = [0; NONCE_LEN];
        hasher.finalize_xof().fill(&mut nonce);
        Ok(nonce)
    }

    fn cipher(&self, nonce: &[u8; NONCE_LEN]) -> (LessSafeKey, Nonce) {
        let mut head = [0; 16];
        head.copy_from_slice(&nonce[..16]);
        let mut content = self.content.into();
        let mut subkey = hchacha::<R20>(&content, &head.into());
        let mut iv = [0; 12];
        iv[4..].copy_from_slice(&nonce[16..]);
        #[allow(clippy::expect_used)] // a 32-byte key is what the algorithm takes
        let key = UnboundKey::new(&CHACHA20_POLY1305, &subkey).expect("ChaCha20-Poly1305 takes 32 bytes");
        // What ring keeps of it goes with its key, and is not zeroed there.
        subkey.as_mut_slice().zeroize();
        content.as_mut_slice().zeroize();
        (LessSafeKey::new(key), Nonce::assume_unique_for_key(iv))
    }
}

/// Key domain and generation: there is one of each. Stored in heads and part of all associated data, so that a later
/// version can give a machine keys of its own, or a repository new ones.
pub const DOMAIN: [u8; 2] = [0, 0];

/// Associated data that every sealed thing starts with: magic, format version, what it is, suite, repository, key domain
/// and generation.
pub fn aad(what: Sealed, repo: &RepoId) -> Vec<u8> {
    let mut aad = Vec::with_capacity(64);
    aad.extend_from_slice(b"dedup");
    aad.extend_from_slice(&[FORMAT_VERSION, what as u8, SUITE]);
    aad.extend_from_slice(repo.as_bytes());
    aad.extend_from_slice(&DOMAIN);
    aad
}

/// Associated data of a frame: position is not in it, so garbage collection can move frames bytewise.
pub fn frame_aad(tree: bool, repo: &RepoId, id: &ChunkId, plain_len: u32, codec: u8) -> [u8; 63] {
    let what = if tree {
        Sealed::TreeFrame
    } else {
        Sealed::DataFrame
    };
    let mut aad = [0; 63];
    aad[..5].copy_from_slice(b"dedup");
    aad[5..8].copy_from_slice(&[FORMAT_VERSION, what as u8, SUITE]);
    aad[8..24].copy_from_slice(repo.as_bytes());
    aad[24..26].copy_from_slice(&DOMAIN);
    aad[26..58].copy_from_slice(id.as_bytes());
    aad[58..62].copy_from_slice(&plain_len.to_le_bytes());
    aad[62] = codec;
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::aead::{Aead, KeyInit, Payload};
    use std::collections::HashSet;

    #[test]
    fn agrees_with_the_reference_implementation() {
        for len in [0, 1, 63, 64, 65, 1000, 70_000] {
            let plain: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let key = SealKey::new([9; 32]);
            let mut sealed = Vec::new();
            key.seal(b"names", &plain, &mut sealed).unwrap();
            assert_eq!(sealed.len(), plain.len() + OVERHEAD);
            let reference = chacha20poly1305::XChaCha20Poly1305::new(&[9; 32].into());
            let nonce: [u8; 24] = sealed[..24].try_into().unwrap();
            let payload = Payload {
                msg: &sealed[24..],
                aad: b"names",
            };
            assert_eq!(reference.decrypt(&nonce.into(), payload).unwrap(), plain);
            let theirs = reference
                .encrypt(
                    &nonce.into(),
                    Payload {
                        msg: &plain,
                        aad: b"names",
                    },
                )
                .unwrap();
            assert_eq!(theirs, sealed[24..]);
            let mut out = Vec::new();
            key.open(b"names", &sealed, &mut out).unwrap();
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn every_changed_bit_is_refused() {
        let key = SealKey::new([1; 32]);
        let mut sealed = Vec::new();
        key.seal(b"a", b"some plaintext", &mut sealed).unwrap();
        let mut out = Vec::new();
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"a", &bad, &mut out), Err(DoesNotOpen));
        }
        for cut in 0..sealed.len() {
            assert_eq!(key.open(b"a", &sealed[..cut], &mut out), Err(DoesNotOpen));
        }
        assert_eq!(key.open(b"b", &sealed, &mut out), Err(DoesNotOpen));
        assert_eq!(
            SealKey::new([2; 32]).open(b"a", &sealed, &mut out),
            Err(DoesNotOpen)
        );
    }

    #[test]
    fn nonces_never_repeat_even_for_equal_plaintext() {
        let key = SealKey::new([3; 32]);
        let mut seen = HashSet::new();
        for _ in 0..20_000 {
            assert!(seen.insert(key.hedged_nonce(b"aad", b"same").unwrap()));
        }
    }
}
