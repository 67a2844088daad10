//! When each pack was last read whole and proved itself, as far as this machine knows: so that a check can read what was
//! not read for some time, and stop where it likes. A file among the machine's notes on the replica:
//!
//! ```text
//! "DDUPREAD" · 1 · time of the listing(8) · entries, sorted by pack · BLAKE3 of everything before(32)
//! entry: pack id(32) · 1 if it was read, or 0 · time(8)
//! ```
//!
//! A pack that was never read has the time of the last listing that did not show it, and so is younger than that; 0 if
//! there was none. The file is a note: a repository looks the same without it, and everything is due again
//! (docs/decisions/0049-proof-by-age.md). Memory is that of the names of packs.

use crate::repo::write_replacing;
use chunkstore::PackId;
use chunkstore::index::Inventory;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MAGIC: &[u8] = b"DDUPREAD\x01";
const ENTRY: usize = 32 + 1 + 8;
const HASH: usize = 32;
/// How much work is lost at most when the process is killed.
const SAVED_EVERY: Duration = Duration::from_secs(30);

/// What is known of one pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct PackAge {
    is_read: bool,
    /// When it was read; if it was not, a time at which it was not there yet. Seconds since 1970.
    at: i64,
}

/// Of a pack of which nothing is known, or that did not prove itself.
const UNKNOWN: PackAge = PackAge {
    is_read: false,
    at: 0,
};

pub(super) struct ReadTimes {
    path: PathBuf,
    now: i64,
    ages: HashMap<PackId, PackAge>,
    /// Read by this run, and not sound.
    hurt: HashSet<PackId>,
    saved: Instant,
}

impl ReadTimes {
    /// What is known of the packs that are there.
    pub fn load(state: &Path, now: i64, there: &Inventory) -> ReadTimes {
        let path = state.join("read");
        let (listed, known) = read(&path, now);
        let age = |id: &PackId| {
            let new = PackAge {
                is_read: false,
                at: listed,
            };
            known.get(id).copied().unwrap_or(new)
        };
        ReadTimes {
            path,
            now,
            ages: there.keys().map(|id| (*id, age(id))).collect(),
            hurt: HashSet::new(),
            saved: Instant::now(),
        }
    }

    /// Those of `packs` that were never read, or last before `since`; the longest ago first.
    pub fn due(&self, packs: Vec<(PackId, u64)>, since: i64) -> Vec<(PackId, u64)> {
        let age = |id: &PackId| self.ages.get(id).copied().unwrap_or(UNKNOWN);
        let mut due = packs;
        due.retain(|(id, _)| !age(id).is_read || age(id).at < since);
        due.sort_by_key(|(id, _)| (age(id).at, *id));
        due
    }

    /// A pack was read whole: it is what it was, or it is damaged.
    pub fn note(&mut self, id: PackId, is_sound: bool) {
        let age = match is_sound {
            true => PackAge {
                is_read: true,
                at: self.now,
            },
            false => UNKNOWN,
        };
        self.ages.insert(id, age);
        if !is_sound {
            self.hurt.insert(id);
        }
    }

    /// Every byte that was stored by then has been read since; `None` if there are packs of which that is not known.
    pub fn proven(&self) -> Option<i64> {
        let oldest = self.ages.values().map(|age| age.at).min();
        oldest.filter(|at| *at > 0)
    }

    /// Saves what was read so far, from time to time.
    pub fn keep(&mut self) -> crate::Result<()> {
        match self.saved.elapsed() < SAVED_EVERY {
            true => Ok(()),
            false => self.save(),
        }
    }

    /// Saves all, with what other checks have noted in the meantime.
    pub fn save(&mut self) -> crate::Result<()> {
        self.saved = Instant::now();
        let (_, others) = read(&self.path, self.now);
        let mut all: BTreeMap<PackId, PackAge> = BTreeMap::new();
        for (id, own) in &self.ages {
            let other = others
                .get(id)
                .filter(|other| other.is_read && !self.hurt.contains(id));
            let age = match other {
                Some(other) if !own.is_read || other.at > own.at => *other,
                _ => *own,
            };
            all.insert(*id, age);
        }
        write_replacing(&self.path, &encoded(self.now, &all))
    }
}

fn encoded(listed: i64, all: &BTreeMap<PackId, PackAge>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + 8 + all.len() * ENTRY + HASH);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&listed.to_le_bytes());
    for (id, age) in all {
        bytes.extend_from_slice(id.as_bytes());
        bytes.push(u8::from(age.is_read));
        bytes.extend_from_slice(&age.at.to_le_bytes());
    }
    let hash = blake3::hash(&bytes);
    bytes.extend_from_slice(hash.as_bytes());
    bytes
}

/// When packs were last listed, and what was known then. Nothing if it can't be read: it is only a note.
fn read(path: &Path, now: i64) -> (i64, HashMap<PackId, PackAge>) {
    let bytes = std::fs::read(path).unwrap_or_default();
    decoded(&bytes, now).unwrap_or_default()
}

fn decoded(bytes: &[u8], now: i64) -> Option<(i64, HashMap<PackId, PackAge>)> {
    let (body, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    if blake3::hash(body).as_bytes() != hash {
        return None;
    }
    let (listed, entries) = body.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    // What lies in the future was noted by a clock that was wrong.
    let past = |at: i64| if at > now { 0 } else { at };
    let mut ages = HashMap::new();
    for entry in entries.chunks_exact(ENTRY) {
        let (id, rest) = entry.split_first_chunk::<32>()?;
        let ([flag], at) = rest.split_first_chunk::<1>()?;
        let at = past(i64::from_le_bytes(at.try_into().ok()?));
        let is_read = *flag == 1 && at > 0;
        ages.insert(PackId(*id), PackAge { is_read, at });
    }
    Some((past(i64::from_le_bytes(*listed)), ages))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> PackId {
        PackId([n; 32])
    }

    fn there(ids: &[u8]) -> Inventory {
        ids.iter().map(|n| (id(*n), u64::from(*n))).collect()
    }

    fn due(times: &ReadTimes, ids: &[u8], since: i64) -> Vec<u8> {
        let packs = there(ids).into_iter().collect();
        times.due(packs, since).iter().map(|(id, _)| id.0[0]).collect()
    }

    #[test]
    fn what_was_read_longest_ago_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut times = ReadTimes::load(dir.path(), 1000, &there(&[1, 2, 3]));
        assert_eq!(
            (due(&times, &[3, 2, 1], 0), times.proven()),
            (vec![1, 2, 3], None)
        );
        times.note(id(2), true);
        times.save().unwrap();
        // A pack that is new since then.
        let mut times = ReadTimes::load(dir.path(), 2000, &there(&[1, 2, 3, 4]));
        assert_eq!(due(&times, &[1, 2, 3, 4], 1000), [1, 3, 4]);
        assert_eq!(due(&times, &[1, 2, 3, 4], 1001), [1, 3, 2, 4]);
        times.note(id(1), true);
        times.note(id(3), true);
        assert_eq!(times.proven(), Some(1000), "2 then, and 4 is younger than that");
        times.save().unwrap();
        let mut times = ReadTimes::load(dir.path(), 3000, &there(&[1, 2, 3, 4]));
        assert_eq!(due(&times, &[1, 2, 3, 4], 2000), [2, 4]);
        times.note(id(2), true);
        times.note(id(4), true);
        assert_eq!(times.proven(), Some(2000));
        // A pack that is damaged is due until it is gone.
        times.note(id(3), false);
        assert_eq!(
            (times.proven(), due(&times, &[1, 2, 3, 4], 2000)),
            (None, vec![3])
        );
        times.save().unwrap();
        let times = ReadTimes::load(dir.path(), 4000, &there(&[1, 2, 4]));
        assert_eq!(times.proven(), Some(2000));
    }

    #[test]
    fn two_checks_at_once_keep_what_both_have_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut one = ReadTimes::load(dir.path(), 1000, &there(&[1, 2]));
        let mut other = ReadTimes::load(dir.path(), 1001, &there(&[1, 2]));
        one.note(id(1), true);
        one.save().unwrap();
        other.note(id(2), true);
        other.save().unwrap();
        let times = ReadTimes::load(dir.path(), 1002, &there(&[1, 2]));
        assert_eq!(times.proven(), Some(1000));
    }

    #[test]
    fn a_note_that_is_damaged_or_from_the_future_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut times = ReadTimes::load(dir.path(), 1000, &there(&[1]));
        times.note(id(1), true);
        times.save().unwrap();
        assert_eq!(ReadTimes::load(dir.path(), 999, &there(&[1])).proven(), None);
        let whole = std::fs::read(dir.path().join("read")).unwrap();
        for len in 0..whole.len() {
            assert_eq!(decoded(&whole[..len], 1000), None, "{len}");
        }
        let mut bytes = whole.clone();
        bytes[MAGIC.len() + 10] ^= 1;
        std::fs::write(dir.path().join("read"), bytes).unwrap();
        assert_eq!(ReadTimes::load(dir.path(), 1000, &there(&[1])).proven(), None);
    }
}
