//! Key slots: the master key wrapped under a password, a key file or a recovery phrase. Objects of a few KiB in `keys/`.
//!
//! A secret yields 64 bytes: a wrapping key and a commitment. The commitment is compared before anything is opened,
//! since ChaCha20-Poly1305 alone would let a crafted slot open under several passwords (partitioning oracles,
//! Len et al., USENIX Security 2021).
//! A slot that is damaged or of an unknown kind is passed over, never fatal.

use crate::error::{Error, Feature, Flaw, Invalid, Result};
use crate::id::{RepoId, SlotId, random};
use crate::keys::MasterKey;
use crate::object::{cbor, from_cbor};
use crate::remote::{self, Kind, ObjectName, Remote};
use crate::seal::{SealKey, Sealed, aad};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

mod secret;

pub use secret::{Password, Secret, new_key_file, new_phrase, parse_key_file, parse_phrase};

const MAGIC: &[u8; 8] = b"DEDUPSLT";
/// Slots are filled up to a multiple of this: all kinds for people have one size.
const SLOT_STEP: usize = 1024;
/// Stored size of a slot at most. Kinds for machines may need more than people's.
pub const SLOT_MAX: usize = 8 << 10;
/// Slots that a password is stretched for at most when opening.
pub const STRETCHES_MAX: usize = 64;

/// Kinds of slots, as stored; numbers are never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotKind {
    /// A password.
    Password,
    /// A key file.
    KeyFile,
    /// A recovery phrase.
    Recovery,
}

impl SlotKind {
    fn tag(self) -> u8 {
        match self {
            SlotKind::Password => 1,
            SlotKind::KeyFile => 2,
            SlotKind::Recovery => 3,
        }
    }

    fn from_tag(tag: u8) -> Option<Self> {
        [SlotKind::Password, SlotKind::KeyFile, SlotKind::Recovery]
            .into_iter()
            .find(|kind| kind.tag() == tag)
    }

    /// Its name in the format.
    pub fn word(self) -> &'static str {
        match self {
            SlotKind::Password => "password",
            SlotKind::KeyFile => "key-file",
            SlotKind::Recovery => "recovery",
        }
    }
}

/// Argon2id's cost: memory in KiB, passes, lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, minicbor::Encode, minicbor::Decode)]
pub struct Cost {
    /// Memory in KiB.
    #[n(0)]
    pub memory_kib: u32,
    /// Passes over the memory.
    #[n(1)]
    pub passes: u32,
    /// Lanes.
    #[n(2)]
    pub lanes: u32,
}

impl Cost {
    /// For new slots.
    pub const DEFAULT: Cost = Cost {
        memory_kib: 256 << 10,
        passes: 3,
        lanes: 4,
    };
    /// The least a new slot may have (RFC 9106, second recommended option).
    pub const FLOOR: Cost = Cost {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };
    /// The most that is ever computed: a hostile slot can't take more.
    const CEILING: Cost = Cost {
        memory_kib: 2 << 20,
        passes: 16,
        lanes: 16,
    };

    fn within_ceiling(&self) -> bool {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = Self::CEILING;
        self.memory_kib <= memory_kib
            && self.passes <= passes
            && (1..=lanes).contains(&self.lanes)
            && self.passes >= 1
            && self.memory_kib >= 8 * self.lanes
    }
}

/// A slot's stored fields.
#[derive(Clone, minicbor::Encode, minicbor::Decode)]
struct Fields {
    #[n(0)]
    kind: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    salt: [u8; 32],
    #[n(2)]
    cost: Option<Cost>,
    #[cbor(n(3), with = "minicbor::bytes")]
    commitment: [u8; 32],
    /// Master key under the wrapping key: 32 bytes and the sealing's overhead.
    #[cbor(n(4), with = "minicbor::bytes")]
    wrapped: Vec<u8>,
    /// [`Note`] under the key of notes.
    #[cbor(n(5), with = "minicbor::bytes")]
    note: Vec<u8>,
}

/// What people see of a slot; sealed, so that storage learns no names.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Note {
    /// What people know it by.
    #[n(0)]
    pub label: String,
    /// Seconds since 1970.
    #[n(1)]
    pub created: i64,
    /// Of a recovery phrase: when somebody typed words of it back, and so has it.
    #[n(2)]
    pub confirmed: Option<i64>,
}

/// A parsed slot object.
pub struct Slot {
    /// Its id.
    pub id: SlotId,
    /// What opens it.
    pub kind: SlotKind,
    fields: Fields,
    /// Hash of the slot as it is stored, with an empty note.
    bare: [u8; 32],
}

/// The name of a slot: 64 random bits, and 64 that say which repository it is of. So a slot that an interrupted `init`
/// left can be distinguished from one that is damaged.
fn name_in(repo: &RepoId, random: &[u8; 8]) -> SlotId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(repo.as_bytes()).update(random);
    let mut id = [0; 16];
    id[..8].copy_from_slice(random);
    id[8..].copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    SlotId(id)
}

/// Whether a slot's name is one that [`create`] gives in this repository.
pub fn is_named_in(repo: &RepoId, id: &SlotId) -> bool {
    id.0.first_chunk()
        .is_some_and(|random| name_in(repo, random) == *id)
}

/// Wraps `master` under `secret` as a new slot object.
pub fn create(
    master: &MasterKey,
    notes: &SealKey,
    repo: &RepoId,
    secret: &Secret,
    cost: Cost,
    note: &Note,
) -> Result<(SlotId, Vec<u8>)> {
    let id = name_in(repo, &random()?);
    let kind = secret.kind();
    let cost = (kind == SlotKind::Password).then_some(cost);
    if let Some(cost) = cost
        && (!cost.within_ceiling()
            || cost.memory_kib < Cost::FLOOR.memory_kib
            || cost.passes < Cost::FLOOR.passes)
    {
        return Err(Error::Invalid(Invalid::Argon2Cost(cost)));
    }
    let salt = random()?;
    let keys = secret.stretch(&salt, cost)?;
    let mut commitment = [0; 32];
    commitment.copy_from_slice(&keys[32..]);
    let mut wrapped = Vec::new();
    wrapping_key(&keys).seal(&slot_aad(Sealed::Slot, repo, &id, kind), &master.0, &mut wrapped)?;
    let mut fields = Fields {
        kind: kind.tag(),
        salt,
        cost,
        commitment,
        wrapped,
        note: Vec::new(),
    };
    let mut sealed_note = Vec::new();
    let bare = blake3::hash(&cbor(&fields));
    notes.seal(
        &note_aad(repo, &id, bare.as_bytes()),
        &cbor(note),
        &mut sealed_note,
    )?;
    fields.note = sealed_note;
    let body = cbor(&fields);
    let mut bytes = Vec::with_capacity(SLOT_STEP);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(body.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&body);
    if bytes.len() > SLOT_STEP {
        return Err(Error::Invalid(Invalid::SlotLabelTooLong));
    }
    bytes.resize(SLOT_STEP, 0);
    Ok((id, bytes))
}

impl Slot {
    /// Reads a slot object; the error says why it is of no use.
    pub fn parse(id: SlotId, bytes: &[u8]) -> Result<Slot> {
        let wrong = |flaw| Error::corrupt(format!("keys/{id}"), flaw);
        let rest = bytes
            .strip_prefix(MAGIC)
            .filter(|_| bytes.len().is_multiple_of(SLOT_STEP) && bytes.len() <= SLOT_MAX)
            .ok_or_else(|| wrong(Flaw::BadMagic))?;
        let (len, rest) = rest.split_first_chunk().ok_or_else(|| wrong(Flaw::Truncated))?;
        let body = rest
            .get(..usize::from(u16::from_le_bytes(*len)))
            .ok_or_else(|| wrong(Flaw::Truncated))?;
        let fields: Fields = from_cbor(body).ok_or_else(|| wrong(Flaw::Undecodable))?;
        if rest[body.len()..].iter().any(|byte| *byte != 0) {
            return Err(wrong(Flaw::Undecodable));
        }
        let kind =
            SlotKind::from_tag(fields.kind).ok_or(Error::NewerFormat(Feature::SlotKind(fields.kind)))?;
        let bare = without_note(body).ok_or_else(|| wrong(Flaw::Undecodable))?;
        Ok(Slot {
            id,
            kind,
            bare: *blake3::hash(&bare).as_bytes(),
            fields,
        })
    }

    /// The master key, or `None` where this secret is not the slot's.
    pub fn unwrap(&self, secret: &Secret, repo: &RepoId) -> Result<Option<MasterKey>> {
        if secret.kind() != self.kind {
            return Ok(None);
        }
        let Some(keys) = self.keys(secret)? else {
            return Ok(None);
        };
        let mut master = Zeroizing::new(Vec::new());
        let aad = slot_aad(Sealed::Slot, repo, &self.id, self.kind);
        let opened = wrapping_key(&keys).open(&aad, &self.fields.wrapped, &mut master);
        Ok(opened
            .ok()
            .and_then(|()| master.as_slice().try_into().ok())
            .map(MasterKey))
    }

    /// Wrapping key and commitment, or `None` where this secret is not the slot's.
    fn keys(&self, secret: &Secret) -> Result<Option<Zeroizing<[u8; 64]>>> {
        let fit = |keys: &[u8; 64]| bool::from(keys[32..].ct_eq(&self.fields.commitment));
        if let Secret::Password(password) = secret
            && let Some(kept) = password.recall(&self.id, fit)
        {
            return Ok(Some(kept));
        }
        let keys = match secret.stretch(&self.fields.salt, self.fields.cost) {
            Err(Error::WrongKey) => return Ok(None),
            keys => keys?,
        };
        if !fit(&keys) {
            return Ok(None);
        }
        if let Secret::Password(password) = secret {
            password.keep(&self.id, &keys);
        }
        Ok(Some(keys))
    }

    /// `None` where the note was not made for this repository, or any part of the slot is not as it was written: so
    /// that a slot can be checked without its secret.
    pub fn note(&self, notes: &SealKey, repo: &RepoId) -> Option<Note> {
        let mut body = Vec::new();
        let aad = note_aad(repo, &self.id, &self.bare);
        notes.open(&aad, &self.fields.note, &mut body).ok()?;
        from_cbor(&body)
    }
}

fn wrapping_key(keys: &[u8; 64]) -> SealKey {
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&keys[..32]);
    SealKey::new(*key)
}

/// Binds the note to all other fields.
fn note_aad(repo: &RepoId, id: &SlotId, bare: &[u8; 32]) -> Vec<u8> {
    let mut aad = aad(Sealed::SlotNote, repo);
    aad.extend_from_slice(id.as_bytes());
    aad.extend_from_slice(bare);
    aad
}

/// A slot's fields as they are stored, those that a later version appended too, with an empty note.
fn without_note(body: &[u8]) -> Option<Vec<u8>> {
    const NOTE: u64 = 5;
    let mut decoder = minicbor::Decoder::new(body);
    decoder.array().ok()??;
    for _ in 0..NOTE {
        decoder.skip().ok()?;
    }
    let start = decoder.position();
    decoder.bytes().ok()?;
    const EMPTY: u8 = 0x40;
    Some([&body[..start], &[EMPTY], &body[decoder.position()..]].concat())
}

fn slot_aad(what: Sealed, repo: &RepoId, id: &SlotId, kind: SlotKind) -> Vec<u8> {
    let mut aad = aad(what, repo);
    aad.extend_from_slice(id.as_bytes());
    aad.push(kind.tag());
    aad
}

pub(crate) fn read_slot(remote: &dyn Remote, id: SlotId) -> Result<Vec<u8>> {
    remote.get(&ObjectName::key(id), SLOT_MAX)
}

pub(crate) fn slot_ids(remote: &dyn Remote) -> Result<Vec<SlotId>> {
    remote::ids(remote, Kind::Key, SlotId::from_hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring;
    use std::time::Duration;

    const REPO: RepoId = RepoId([5; 16]);
    const CHEAP: Cost = Cost {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    fn control() -> SealKey {
        SealKey::new([8; 32])
    }

    fn note() -> Note {
        Note {
            label: "office".to_string(),
            created: 1_700_000_000,
            confirmed: None,
        }
    }

    #[test]
    fn each_secret_opens_its_own_slot_only() {
        let master = MasterKey([4; 32]);
        let phrase = new_phrase().unwrap();
        assert_eq!(phrase.split(' ').count(), 24);
        let (text, key) = new_key_file().unwrap();
        let secrets = [
            Secret::Password(Password::new("caf\u{e9}")),
            key,
            parse_phrase(&phrase.to_uppercase()).unwrap(),
        ];
        let slots: Vec<Slot> = secrets
            .iter()
            .map(|secret| {
                let (id, bytes) = create(&master, &control(), &REPO, secret, CHEAP, &note()).unwrap();
                assert_eq!(bytes.len(), SLOT_STEP);
                Slot::parse(id, &bytes).unwrap()
            })
            .collect();
        for (i, slot) in slots.iter().enumerate() {
            assert_eq!(slot.note(&control(), &REPO), Some(note()));
            for (j, secret) in secrets.iter().enumerate() {
                assert_eq!(slot.unwrap(secret, &REPO).unwrap().is_some(), i == j);
            }
        }
        // The same password typed as e + combining accent.
        let decomposed = Secret::Password(Password::new("cafe\u{301}"));
        assert_eq!(slots[0].unwrap(&decomposed, &REPO).unwrap().unwrap().0, [4; 32]);
        assert!(
            slots[1]
                .unwrap(&parse_key_file(&text).unwrap(), &RepoId([6; 16]))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn kept_keys_prove_themselves() {
        let hour = Duration::from_secs(3600);
        let kept = |text: &str| Secret::Password(Password::new(text).kept_for(hour));
        let (id, bytes) = create(
            &MasterKey([4; 32]),
            &control(),
            &REPO,
            &kept("right"),
            CHEAP,
            &note(),
        )
        .unwrap();
        let slot = Slot::parse(id, &bytes).unwrap();
        assert!(keyring::recall(&id, "right", hour).is_none());
        assert!(slot.unwrap(&kept("wrong"), &REPO).unwrap().is_none());
        assert!(keyring::recall(&id, "wrong", hour).is_none());
        if keyring::keep(&id, "right", &[9; 64], hour).is_none() {
            eprintln!("no keyring can be had from this kernel: not tried");
            return;
        }
        // What somebody put there is not believed, and replaced.
        assert_eq!(slot.unwrap(&kept("right"), &REPO).unwrap().unwrap().0, [4; 32]);
        let keys = keyring::recall(&id, "right", hour).unwrap();
        assert_eq!(
            *keys,
            *slot
                .keys(&Secret::Password(Password::new("right")))
                .unwrap()
                .unwrap()
        );
        assert!(keyring::recall(&id, "wrong", hour).is_none());
        assert!(slot.unwrap(&kept("wrong"), &REPO).unwrap().is_none());
        assert_eq!(slot.unwrap(&kept("right"), &REPO).unwrap().unwrap().0, [4; 32]);
        assert!(keyring::forget() > 0);
        assert!(keyring::recall(&id, "right", hour).is_none());
    }

    #[test]
    fn damaged_and_hostile_slots_are_refused() {
        let master = MasterKey([4; 32]);
        let (_, key) = new_key_file().unwrap();
        let (id, bytes) = create(&master, &control(), &REPO, &key, CHEAP, &note()).unwrap();
        for at in 0..SLOT_STEP {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            if let Ok(slot) = Slot::parse(id, &bad)
                && let Ok(Some(opened)) = slot.unwrap(&key, &REPO)
            {
                assert_eq!(opened.0, [4; 32]);
                assert_eq!(slot.note(&control(), &REPO), None, "byte {at}");
            }
        }
        for len in 0..SLOT_STEP {
            assert!(Slot::parse(id, &bytes[..len]).is_err());
        }
        let greedy = Cost {
            memory_kib: u32::MAX,
            passes: 1,
            lanes: 1,
        };
        let password = Secret::Password(Password::new("x"));
        assert!(create(&master, &control(), &REPO, &password, greedy, &note()).is_err());
        assert!(matches!(
            password.stretch(&[0; 32], Some(greedy)),
            Err(Error::WrongKey)
        ));
    }
}
