//! Which of the packs that segments list are there, and whole as far as a listing shows.
//!
//! A pack that is not listed counts as gone: its entries are left out. One that is listed with another size than the
//! index has for it was cut short, swapped or overwritten. What is left of it can be read where there is no other copy,
//! but nothing new may rely on it (I-4), and a collection that needs it deletes nothing (I-9).

use super::{Inventory, LocalIndex, failed};
use crate::error::{Error, Flaw, IndexFault, Result};
use crate::id::PackId;
use crate::indexfile::IndexSegment;
use crate::remote::ObjectName;
use crate::varint::Bytes;
use rocksdb::DB;
use std::collections::{BTreeMap, BTreeSet};

/// Key of the packs that were left out, sorted ids one after the other.
const ABSENT: &[u8] = b"absent";
/// Key of the packs of the wrong size: for each its id and both sizes.
const WRONG: &[u8] = b"wrong sizes";

/// A pack's two sizes, where they differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongSize {
    /// As the index has it: what was written.
    pub indexed: u64,
    /// As the storage lists it.
    pub listed: u64,
}

impl From<WrongSize> for Flaw {
    fn from(size: WrongSize) -> Flaw {
        Flaw::SizeMismatch {
            indexed: size.indexed,
            found: size.listed,
        }
    }
}

pub type WrongSizes = BTreeMap<PackId, WrongSize>;

/// A number that changes with every pack that comes, goes, or has another size.
pub fn fingerprint(packs: &Inventory) -> u64 {
    packs
        .iter()
        .fold(0, |sum: u64, (id, size)| sum.wrapping_add(trace(id, *size)))
}

/// What one pack adds to the [`fingerprint`].
pub fn trace(id: &PackId, size: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(id.as_bytes()).update(&size.to_le_bytes());
    let mut trace = [0; 8];
    hasher.finalize_xof().fill(&mut trace);
    u64::from_le_bytes(trace)
}

impl LocalIndex {
    /// Packs that are there with another size than the index has for them.
    pub fn wrong_sizes(&self) -> &WrongSizes {
        &self.wrong
    }

    /// [`Error::Corrupt`] for a pack of the wrong size.
    pub fn check_size(&self, pack: &PackId) -> Result<()> {
        match self.wrong.get(pack) {
            None => Ok(()),
            Some(wrong) => Err(Error::corrupt(ObjectName::pack(*pack), (*wrong).into())),
        }
    }

    /// Drops entries in packs that are not there, and notes the packs: should one come back, the index is rebuilt.
    pub(super) fn leave_out_absent(
        &self,
        segment: &mut IndexSegment,
        present: Option<&Inventory>,
    ) -> Result<()> {
        let mut noted = absent(&self.db)?;
        let is_gone = |id: &PackId| match present {
            Some(present) => !present.contains_key(id),
            None => noted.contains(id),
        };
        let gone: Vec<bool> = segment.packs.iter().map(|pack| is_gone(&pack.id)).collect();
        if !gone.contains(&true) {
            return Ok(());
        }
        let packs = segment.packs.iter().zip(&gone);
        noted.extend(packs.filter(|(_, gone)| **gone).map(|(pack, _)| pack.id));
        let (key, value) = absent_value(&noted);
        self.db.put(key, value).map_err(failed)?;
        segment.retain(|entry| !gone[entry.pack as usize]);
        Ok(())
    }

    /// Notes which packs of a segment that is about to be ingested are listed with another size.
    pub(super) fn note_wrong_sizes(&mut self, segment: &IndexSegment, present: &Inventory) -> Result<()> {
        let before = self.wrong.len();
        for pack in &segment.packs {
            if let Some(listed) = present.get(&pack.id).copied().filter(|size| *size != pack.size) {
                let indexed = pack.size;
                self.wrong.insert(pack.id, WrongSize { indexed, listed });
            }
        }
        if self.wrong.len() == before {
            return Ok(());
        }
        let mut value = Vec::with_capacity(self.wrong.len() * 48);
        for (id, WrongSize { indexed, listed }) in &self.wrong {
            value.extend_from_slice(id.as_bytes());
            value.extend_from_slice(&indexed.to_le_bytes());
            value.extend_from_slice(&listed.to_le_bytes());
        }
        self.db.put(WRONG, value).map_err(failed)
    }
}

/// Packs that segments list and that were not there when they were ingested.
pub(super) fn absent(db: &DB) -> Result<BTreeSet<PackId>> {
    let value = db.get(ABSENT).map_err(failed)?.unwrap_or_default();
    Ok(value
        .chunks_exact(PackId::LEN)
        .filter_map(PackId::from_slice)
        .collect())
}

/// What to write when these are absent.
pub(super) fn absent_value(absent: &BTreeSet<PackId>) -> (&'static [u8], Vec<u8>) {
    (ABSENT, absent.iter().flat_map(|id| id.0).collect())
}

/// Packs that had another size when their segments were ingested.
pub(super) fn wrong_sizes(db: &DB) -> Result<WrongSizes> {
    let value = db.get(WRONG).map_err(failed)?.unwrap_or_default();
    let mut bytes = Bytes(&value);
    let mut found = WrongSizes::new();
    let mut next = || -> Result<_, crate::varint::Malformed> {
        let id = PackId(bytes.array()?);
        let indexed = u64::from_le_bytes(bytes.array()?);
        let listed = u64::from_le_bytes(bytes.array()?);
        Ok((id, WrongSize { indexed, listed }))
    };
    for _ in 0..value.len() / 48 {
        let (id, wrong) = next().map_err(|_| Error::Index(IndexFault::Undecodable))?;
        found.insert(id, wrong);
    }
    Ok(found)
}

/// Whether exactly the packs that were absent are absent now, and those of the wrong size have that size still.
pub(super) fn still_hold(db: &DB, present: &Inventory) -> Result<bool> {
    if absent(db)?.iter().any(|id| present.contains_key(id)) {
        return Ok(false);
    }
    let cf = db
        .cf_handle("packs")
        .ok_or(Error::Index(IndexFault::NoColumnFamily))?;
    let mut wrong = WrongSizes::new();
    for row in db.iterator_cf(cf, rocksdb::IteratorMode::Start) {
        let (_, value) = row.map_err(failed)?;
        let mut bytes = Bytes(&value);
        let mut fields = || -> Result<_, crate::varint::Malformed> {
            Ok((PackId(bytes.array()?), bytes.u8()?, bytes.array::<8>()?))
        };
        let Ok((id, _, indexed)) = fields() else {
            return Ok(false);
        };
        let indexed = u64::from_le_bytes(indexed);
        match present.get(&id) {
            None => return Ok(false),
            Some(listed) if *listed != indexed => {
                let listed = *listed;
                wrong.insert(id, WrongSize { indexed, listed });
            }
            Some(_) => {}
        }
    }
    Ok(wrong == wrong_sizes(db)?)
}
