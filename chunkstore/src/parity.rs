//! Parity of packs: an object beside a pack, from which a damaged pack is rebuilt without any key. Optional, and made
//! at any time: nothing refers to it.
//!
//! `head, recovery shards, head, head length(4) "DDUPRITY"`; the head names the pack and has a short hash of every
//! shard, so that the damaged ones are known and the others count as good; the pack's name proves the result. The head
//! stands at both ends, so that one damage never makes all shards useless.

use crate::error::{Error, Feature, Flaw, Invalid, Result};
use crate::id::{PackId, RepoId};
use crate::index::Inventory;
use crate::object::cap;
use crate::remote::{self, Kind, ObjectName, Remote};
use crate::seal::FORMAT_VERSION;
use bytes::Bytes;
use parking_lot::Mutex;
use reed_solomon_simd as code;
use std::borrow::Cow;

const MAGIC: &[u8; 8] = b"DDUPRITY";
/// Magic, version, zeros, repository, pack, size of the pack, length of a shard, data shards, recovery shards.
const FIXED: usize = 8 + 1 + 3 + 16 + 32 + 8 + 4 + 4 + 4;
/// Version, and what later versions may use.
const KIND: [u8; 4] = [FORMAT_VERSION, 0, 0, 0];
const SUM: usize = 8;
const CHECK: usize = 32;
const TAIL: usize = 12;
/// Data shards that a pack is cut into, about: damage costs whole shards, so many small ones are better than few.
const SHARDS: usize = 512;
const SHARD_MAX: usize = 64 << 10;
/// Recovery shards at least.
const RECOVERY_MIN: usize = 2;
/// Percent of a pack that its parity may take.
pub const PERCENT_MAX: u8 = 100;

/// How a pack is cut, and what every shard should be.
#[derive(Clone, PartialEq, Eq, Debug)]
struct ParityHeader {
    size: usize,
    shard: usize,
    data: usize,
    recovery: usize,
    sums: Vec<[u8; SUM]>,
}

fn sum(shard: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.copy_from_slice(&blake3::hash(shard).as_bytes()[..SUM]);
    sum
}

/// The shards that a pack must have, whatever is left of it.
fn shards(pack: &[u8], head: &ParityHeader) -> Vec<Vec<u8>> {
    let there = borrowed_shards(pack, head).into_iter().take(head.data);
    let mut shards: Vec<Vec<u8>> = there.map(Cow::into_owned).collect();
    shards.resize(head.data, vec![0; head.shard]);
    shards
}

/// The pack's shards; only the last is copied, to fill it up with zeros.
fn borrowed_shards<'p>(pack: &'p [u8], head: &ParityHeader) -> Vec<Cow<'p, [u8]>> {
    let filled = |shard: &'p [u8]| match shard.len() == head.shard {
        true => Cow::Borrowed(shard),
        false => {
            let mut filled = shard.to_vec();
            filled.resize(head.shard, 0);
            Cow::Owned(filled)
        }
    };
    pack.chunks(head.shard).map(filled).collect()
}

impl ParityHeader {
    fn plan(size: usize, percent: u8) -> ParityHeader {
        let shard = size.div_ceil(SHARDS).next_multiple_of(64).min(SHARD_MAX);
        let data = size.div_ceil(shard);
        let recovery = (data * usize::from(percent)).div_ceil(100).max(RECOVERY_MIN);
        ParityHeader {
            size,
            shard,
            data,
            recovery,
            sums: Vec::new(),
        }
    }

    fn encode(&self, repo: &RepoId, pack: PackId) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&KIND);
        out.extend_from_slice(repo.as_bytes());
        out.extend_from_slice(pack.as_bytes());
        out.extend_from_slice(&(self.size as u64).to_le_bytes());
        for number in [self.shard, self.data, self.recovery] {
            out.extend_from_slice(&(number as u32).to_le_bytes());
        }
        self.sums.iter().for_each(|sum| out.extend_from_slice(sum));
        let check = blake3::hash(&out);
        out.extend_from_slice(check.as_bytes());
        out
    }

    /// A head that `bytes` begin with, if its own check holds; and its length.
    fn parse(repo: &RepoId, pack: PackId, bytes: &[u8]) -> Option<(ParityHeader, usize)> {
        let fixed = bytes.get(..FIXED)?;
        let number = |at: usize| {
            let bytes = fixed.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(bytes) as usize)
        };
        let (shard, data, recovery) = (number(FIXED - 12)?, number(FIXED - 8)?, number(FIXED - 4)?);
        let size = u64::from_le_bytes(fixed.get(FIXED - 20..FIXED - 12)?.try_into().ok()?);
        let ours = fixed.starts_with(MAGIC)
            && fixed[8..12] == KIND
            && fixed[12..28] == repo.0
            && fixed[28..60] == pack.0;
        let fits = (1..=cap::PACK).contains(&size)
            && (64..=SHARD_MAX).contains(&shard)
            && shard % 64 == 0
            && data == (size as usize).div_ceil(shard)
            && (1..=2 * data.max(RECOVERY_MIN)).contains(&recovery);
        if !ours || !fits {
            return None;
        }
        let end = FIXED + SUM * (data + recovery);
        let check = bytes.get(end..end + CHECK)?;
        if blake3::hash(&bytes[..end]).as_bytes() != check {
            return None;
        }
        let sums = bytes[FIXED..end].chunks_exact(SUM);
        let head = ParityHeader {
            size: size as usize,
            shard,
            data,
            recovery,
            sums: sums.filter_map(|sum| sum.try_into().ok()).collect(),
        };
        Some((head, end + CHECK))
    }

    fn len(&self) -> usize {
        FIXED + SUM * (self.data + self.recovery) + CHECK
    }

    fn object_len(&self) -> usize {
        2 * self.len() + self.recovery * self.shard + TAIL
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has made parity.
    pub(crate) static ENCODED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// The parity object of a pack whose bytes these are.
pub fn encode(repo: &RepoId, pack: PackId, bytes: &[u8], percent: u8) -> Result<Vec<u8>> {
    #[cfg(test)]
    ENCODED.with(|encoded| encoded.set(encoded.get() + 1));
    if !(1..=PERCENT_MAX).contains(&percent) || bytes.is_empty() || bytes.len() as u64 > cap::PACK {
        return Err(Error::Invalid(Invalid::Parity {
            percent,
            bytes: bytes.len(),
        }));
    }
    let mut head = ParityHeader::plan(bytes.len(), percent);
    let data = borrowed_shards(bytes, &head);
    let failed = |e: code::Error| Error::Invalid(Invalid::ParityCode(e.to_string()));
    let recovery = code::encode(head.data, head.recovery, &data).map_err(failed)?;
    let sums = data.iter().map(|shard| sum(shard));
    head.sums = sums.chain(recovery.iter().map(|shard| sum(shard))).collect();
    let encoded = head.encode(repo, pack);
    let mut out = Vec::with_capacity(head.object_len());
    out.extend_from_slice(&encoded);
    recovery.iter().for_each(|shard| out.extend_from_slice(shard));
    out.extend_from_slice(&encoded);
    out.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
    out.extend_from_slice(MAGIC);
    Ok(out)
}

/// Either head of a parity object, and where the recovery shards begin.
fn find_head(repo: &RepoId, pack: PackId, parity: &[u8]) -> Option<(ParityHeader, usize)> {
    if let Some(found) = ParityHeader::parse(repo, pack, parity) {
        return Some(found);
    }
    let tail = parity.last_chunk::<TAIL>().filter(|tail| &tail[4..] == MAGIC)?;
    let len = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
    let start = parity.len().checked_sub(TAIL + len)?;
    let (head, _) = ParityHeader::parse(repo, pack, &parity[start..])?;
    // Counted from the end: what is before may have been cut.
    let shards = start.checked_sub(head.recovery * head.shard)?;
    Some((head, shards))
}

/// Refuses parity that a later version made. That both heads say so distinguishes it from damage.
fn refuse_newer(parity: &[u8]) -> Result<()> {
    let kind_at = |at: usize| {
        let head = parity.get(at..at.checked_add(12)?)?;
        head.starts_with(MAGIC).then_some(&head[8..])
    };
    let last = parity.last_chunk::<TAIL>().and_then(|tail| {
        let len = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
        kind_at(parity.len().checked_sub(TAIL + len)?)
    });
    match (kind_at(0), last) {
        (Some(first), Some(last)) if first == last && first != KIND => {
            Err(Error::NewerFormat(Feature::ParityVersion(first[0])))
        }
        _ => Ok(()),
    }
}

/// Whether a parity object is whole.
pub fn verify(repo: &RepoId, pack: PackId, parity: &[u8]) -> Result<()> {
    refuse_newer(parity)?;
    let object = ObjectName::parity(pack);
    let (head, start) =
        find_head(repo, pack, parity).ok_or_else(|| Error::corrupt(&object, Flaw::ParityHeads))?;
    let encoded = head.encode(repo, pack);
    let tail = parity.len().checked_sub(TAIL + encoded.len());
    let heads = tail.is_some_and(|at| parity[at..at + encoded.len()] == encoded[..])
        && parity.starts_with(&encoded)
        && parity.ends_with(MAGIC)
        && parity.len() == head.object_len()
        && parity[parity.len() - TAIL..parity.len() - 8] == (encoded.len() as u32).to_le_bytes();
    let recovery = parity.get(start..).unwrap_or(&[]).chunks_exact(head.shard);
    let good = recovery
        .zip(&head.sums[head.data..])
        .filter(|(shard, expected)| sum(shard) == **expected);
    match heads && good.count() == head.recovery {
        true => Ok(()),
        false => Err(Error::corrupt(&object, Flaw::HashMismatch)),
    }
}

/// The pack's bytes, rebuilt from what is left of it and of its parity, and proven by its name.
pub fn rebuild(repo: &RepoId, pack: PackId, damaged: &[u8], parity: &[u8]) -> Result<Vec<u8>> {
    refuse_newer(parity)?;
    let object = ObjectName::pack(pack);
    let (head, start) =
        find_head(repo, pack, parity).ok_or_else(|| Error::corrupt(&object, Flaw::ParityHeads))?;
    let data = shards(damaged, &head);
    let whole: Vec<bool> = data
        .iter()
        .zip(&head.sums)
        .map(|(shard, expected)| sum(shard) == *expected)
        .collect();
    let recovery = parity.get(start..).unwrap_or(&[]).chunks_exact(head.shard);
    let recovery: Vec<(usize, &[u8])> = recovery
        .zip(&head.sums[head.data..])
        .enumerate()
        .filter(|(_, (shard, expected))| sum(shard) == **expected)
        .map(|(number, (shard, _))| (number, shard))
        .collect();
    let missing = whole.iter().filter(|whole| !**whole).count();
    if missing > recovery.len() {
        let exceeded = Flaw::ParityExceeded {
            damaged: missing,
            parts: head.data,
            spare: recovery.len(),
        };
        return Err(Error::corrupt(&object, exceeded));
    }
    let mut data = data;
    if missing > 0 {
        let original = data.iter().enumerate().filter(|(number, _)| whole[*number]);
        let restored = code::decode(head.data, head.recovery, original, recovery)
            .map_err(|_| Error::corrupt(&object, Flaw::ParityMismatch))?;
        for (number, shard) in restored {
            if let Some(slot) = data.get_mut(number) {
                *slot = shard;
            }
        }
    }
    let mut bytes = data.concat();
    bytes.truncate(head.size);
    match blake3::hash(&bytes).as_bytes() == pack.as_bytes() {
        true => Ok(bytes),
        false => Err(Error::corrupt(&object, Flaw::ParityMismatch)),
    }
}

/// Stores the parity of a pack that is there and whole, which is read for it. Made before: nothing changes.
pub fn protect(remote: &dyn Remote, repo: &RepoId, pack: PackId, percent: u8) -> Result<u64> {
    let name = ObjectName::pack(pack);
    let bytes = remote.get(&name, cap::PACK as usize)?;
    if blake3::hash(&bytes).as_bytes() != pack.as_bytes() {
        return Err(Error::corrupt(&name, Flaw::HashMismatch));
    }
    store(remote, pack, encode(repo, pack, &bytes, percent)?.into())
}

/// Stores the parity of a pack.
pub fn store(remote: &dyn Remote, pack: PackId, parity: Bytes) -> Result<u64> {
    let len = parity.len() as u64;
    remote.publish(&ObjectName::parity(pack), parity)?;
    Ok(len)
}

/// The parity of a pack that goes to several destinations: made by the first of them that needs it, for all.
#[derive(Default)]
pub struct SharedParity(Mutex<Option<(u8, Bytes)>>);

impl SharedParity {
    /// The parity object of the pack whose bytes these are. Who comes meanwhile waits for it, which is quicker than making
    /// another. A destination with another percentage than the first gets one of its own.
    pub fn get(&self, repo: &RepoId, pack: PackId, bytes: &[u8], percent: u8) -> Result<Bytes> {
        let mut made = self.0.lock();
        match &*made {
            Some((of, parity)) if *of == percent => Ok(parity.clone()),
            known => {
                let is_first = known.is_none();
                let parity = Bytes::from(encode(repo, pack, bytes, percent)?);
                if is_first {
                    *made = Some((percent, parity.clone()));
                }
                Ok(parity)
            }
        }
    }
}

/// The packs that have parity, and its bytes.
pub fn list(remote: &dyn Remote) -> Result<Inventory> {
    let listed = remote::listed(remote, Kind::Parity, PackId::from_hex)?;
    Ok(listed.into_iter().collect())
}

/// What [`mend`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mended {
    Whole,
    /// The pack was damaged and is whole now.
    Pack,
    /// The parity was damaged and was made anew, of so many percent.
    Parity,
}

/// Puts right a pack or its parity, whichever is damaged, from what is left of both. No key is needed. What can't be
/// put right is left as it is, with the reason as the error.
pub fn mend(remote: &dyn Remote, repo: &RepoId, pack: PackId, percent: u8, dry: bool) -> Result<Mended> {
    let (name, beside) = (ObjectName::pack(pack), ObjectName::parity(pack));
    let parity = remote.get(&beside, cap::PARITY)?;
    let bytes = match remote.get(&name, cap::PACK as usize) {
        Err(Error::Corrupt { .. }) => {
            // Grown beyond all bounds: what is too much is not needed.
            let mut bytes = Vec::new();
            remote.read(&name, 0, cap::PACK as usize, &mut bytes)?;
            bytes
        }
        bytes => bytes?,
    };
    if blake3::hash(&bytes).as_bytes() == pack.as_bytes() {
        return match verify(repo, pack, &parity) {
            Ok(()) => Ok(Mended::Whole),
            Err(e @ Error::NewerFormat(_)) => Err(e),
            Err(_) => {
                let percent = find_head(repo, pack, &parity).map_or(percent, |(head, _)| {
                    (head.recovery * 100 / head.data).clamp(1, 100) as u8
                });
                if !dry {
                    remote.replace(&beside, &encode(repo, pack, &bytes, percent)?)?;
                }
                Ok(Mended::Parity)
            }
        };
    }
    let whole = rebuild(repo, pack, &bytes, &parity)?;
    if !dry {
        remote.replace(&name, &whole)?;
    }
    Ok(Mended::Pack)
}

#[cfg(test)]
mod tests;
