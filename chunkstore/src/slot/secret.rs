//! What people open a repository with: a password, a key file or a recovery phrase, as they are written, and the 64 bytes
//! that each gives for a slot. Passwords go through Argon2id (RFC 9106) with bounded parameters.

use super::{Cost, SlotKind};
use crate::error::{Error, Invalid, PhraseFault, Result, Task};
use crate::id::{SlotId, random};
use crate::keyring;
use crate::threads;
use std::time::Duration;
use unicode_normalization::UnicodeNormalization;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// What opens a slot. Held in memory that is zeroed; has no `Debug`.
#[derive(Clone)]
pub enum Secret {
    /// A password.
    Password(Password),
    /// The key in a key file.
    KeyFile(Zeroizing<[u8; 32]>),
    /// The key that a recovery phrase stands for.
    Phrase(Zeroizing<[u8; 32]>),
}

/// A password, and how long the kernel may keep what opening made of it.
#[derive(Clone)]
pub struct Password {
    /// In Unicode form NFC, however it was typed.
    text: Zeroizing<String>,
    keep: Duration,
}

impl Password {
    /// The same password in every Unicode form of the text.
    pub fn new(text: &str) -> Self {
        // Form NFC has three times the bytes at most: it never grows, so that no copy is left behind.
        let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
        normal.extend(text.nfc());
        Password {
            text: normal,
            keep: Duration::ZERO,
        }
    }

    /// For so long after each use; zero is not at all.
    pub fn kept_for(self, keep: Duration) -> Self {
        Password { keep, ..self }
    }

    /// The keys of a slot, from the kernel where they are kept and `fit`.
    pub(super) fn recall(
        &self,
        slot: &SlotId,
        fit: impl Fn(&[u8; 64]) -> bool,
    ) -> Option<Zeroizing<[u8; 64]>> {
        if self.keep.is_zero() {
            return None;
        }
        keyring::recall(slot, &self.text, self.keep).filter(|keys| fit(keys))
    }

    /// To be called for keys that fit.
    pub(super) fn keep(&self, slot: &SlotId, keys: &[u8; 64]) {
        if !self.keep.is_zero() {
            // A hint: where it can't be kept, the next run takes longer.
            let _ = keyring::keep(slot, &self.text, keys, self.keep);
        }
    }
}

impl ZeroizeOnDrop for Password {}

impl Secret {
    /// The kind of slot that it opens.
    pub fn kind(&self) -> SlotKind {
        match self {
            Secret::Password(_) => SlotKind::Password,
            Secret::KeyFile(_) => SlotKind::KeyFile,
            Secret::Phrase(_) => SlotKind::Recovery,
        }
    }

    /// Wrapping key and commitment for this secret under a slot's salt.
    pub(super) fn stretch(&self, salt: &[u8; 32], cost: Option<Cost>) -> Result<Zeroizing<[u8; 64]>> {
        let mut out = Zeroizing::new([0; 64]);
        match self {
            Secret::Password(password) => {
                let cost = cost.filter(Cost::within_ceiling).ok_or(Error::WrongKey)?;
                let failed = |e: argon2::Error| match e {
                    argon2::Error::OutOfMemory => Error::NoMemory {
                        task: Task::DeriveKey,
                        needed: u64::from(cost.memory_kib) << 10,
                    },
                    e => Error::Invalid(Invalid::Argon2(e.to_string())),
                };
                // The library for its threads ends the process where it gets none.
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                threads::can_spawn(cores)?;
                let params = argon2::Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(64))
                    .map_err(failed)?;
                argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
                    .hash_password_into(password.text.as_bytes(), salt, &mut out[..])
                    .map_err(failed)?;
            }
            Secret::KeyFile(key) | Secret::Phrase(key) => {
                let context = format!("dedup 2026 v1 slot {}", self.kind().word());
                blake3::Hasher::new_derive_key(&context)
                    .update(&key[..])
                    .update(salt)
                    .finalize_xof()
                    .fill(&mut out[..]);
            }
        }
        Ok(out)
    }
}

/// A new recovery phrase: 24 words of the BIP-39 English list, 256 random bits and a checksum.
pub fn new_phrase() -> Result<Zeroizing<String>> {
    let entropy = Zeroizing::new(random::<32>()?);
    let words = bip39::Mnemonic::from_entropy(&entropy[..])
        .map_err(|e| Error::Invalid(Invalid::Phrase(PhraseFault::Library(e.to_string()))))?;
    Ok(Zeroizing::new(words.to_string()))
}

/// Words of a recovery phrase.
const PHRASE_WORDS: usize = 24;

/// The secret of a recovery phrase. Case, spacing, commas and the numbers of a list don't matter.
pub fn parse_phrase(phrase: &str) -> Result<Secret> {
    let wrong = |fault| Error::Invalid(Invalid::Phrase(fault));
    let is_word = |word: &&str| !word.is_empty() && !word.chars().all(|c| c.is_ascii_digit());
    let words = phrase.split(|c: char| !c.is_alphanumeric()).filter(is_word);
    let words = words.map(|word| Zeroizing::new(word.to_lowercase()));
    let words: Vec<Zeroizing<String>> = words.collect();
    let count = || PhraseFault::WordCount {
        found: words.len(),
        wanted: PHRASE_WORDS,
    };
    let known = bip39::Language::English.word_list();
    for (nr, word) in words.iter().enumerate() {
        if !known.contains(&word.as_str()) {
            return Err(wrong(PhraseFault::UnknownWord {
                number: nr + 1,
                word: word.to_string(),
            }));
        }
    }
    if words.len() != PHRASE_WORDS {
        return Err(wrong(count()));
    }
    let mut normal = Zeroizing::new(String::with_capacity(PHRASE_WORDS * 9));
    for word in &words {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    let phrase = bip39::Mnemonic::parse_in_normalized(bip39::Language::English, &normal)
        .map_err(|_| wrong(PhraseFault::Checksum))?;
    let entropy = Zeroizing::new(phrase.to_entropy());
    let key = entropy.as_slice().try_into();
    let key = key.map_err(|_| wrong(count()))?;
    Ok(Secret::Phrase(Zeroizing::new(key)))
}

const KEY_FILE_HEAD: &str = "dedup key file 1";

/// A new key file's text and its secret.
pub fn new_key_file() -> Result<(Zeroizing<String>, Secret)> {
    let key = Zeroizing::new(random::<32>()?);
    let digits = Zeroizing::new(hex::encode(&key[..]));
    Ok((
        Zeroizing::new(format!("{KEY_FILE_HEAD}\n{}\n", *digits)),
        Secret::KeyFile(key),
    ))
}

/// The secret in the text of a key file.
pub fn parse_key_file(text: &str) -> Result<Secret> {
    let wrong = || Error::Invalid(Invalid::KeyFile);
    let mut lines = text.lines().map(str::trim);
    if lines.next() != Some(KEY_FILE_HEAD) {
        return Err(wrong());
    }
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(lines.next().unwrap_or(""), &mut key[..]).map_err(|_| wrong())?;
    Ok(Secret::KeyFile(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_as_people_write_them() {
        let phrase = new_phrase().unwrap();
        let words: Vec<&str> = phrase.split(' ').collect();
        let same = |text: &str| match (parse_phrase(text), parse_phrase(&phrase)) {
            (Ok(Secret::Phrase(a)), Ok(Secret::Phrase(b))) => a == b,
            _ => false,
        };
        let numbered = words
            .iter()
            .enumerate()
            .map(|(nr, word)| format!("{}. {word}\n", nr + 1));
        for text in [
            phrase.to_uppercase(),
            words.join(", "),
            words.join(",\n") + ".",
            words.join("-"),
            numbered.collect(),
        ] {
            assert!(same(&text), "{text}");
        }
        let why = |words: &[&str]| match parse_phrase(&words.join(" ")) {
            Err(Error::Invalid(Invalid::Phrase(fault))) => Some(fault),
            _ => None,
        };
        let mut wrong = words.clone();
        wrong[7] = "abandoned";
        let unknown = PhraseFault::UnknownWord {
            number: 8,
            word: "abandoned".to_string(),
        };
        assert_eq!(why(&wrong), Some(unknown));
        let (found, wanted) = (23, 24);
        assert_eq!(why(&words[1..]), Some(PhraseFault::WordCount { found, wanted }));
        wrong[7] = if words[7] == "abandon" {
            "ability"
        } else {
            "abandon"
        };
        assert!(why(&wrong) == Some(PhraseFault::Checksum) || parse_phrase(&wrong.join(" ")).is_ok());
        assert!(parse_phrase("abandon abandon").is_err());
        assert!(parse_key_file("dedup key file 1\nxyz\n").is_err());
    }
}
