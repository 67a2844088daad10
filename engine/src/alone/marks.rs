//! Who needs each of many things, more than memory has room for.

use crate::error::Result;
use chunkstore::scratch::Scratch;
use std::collections::BTreeMap;
use std::path::Path;

/// Marks gathered before they are written out together.
const BATCH: usize = 32 << 10;

/// Who needs something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// None of the owners.
    Outside,
    /// An owner, and what is outside.
    Both,
    /// Several owners, and nothing outside.
    Several,
    One(u32),
}

impl Mark {
    pub(super) fn and(self, other: Mark) -> Mark {
        match (self, other) {
            (a, b) if a == b => a,
            (Mark::Outside | Mark::Both, _) | (_, Mark::Outside | Mark::Both) => Mark::Both,
            _ => Mark::Several,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 4] {
        match self {
            Mark::Outside => 0,
            Mark::Both => 1,
            Mark::Several => 2,
            Mark::One(owner) => owner.saturating_add(3),
        }
        .to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Mark {
        match bytes.try_into().map_or(0, u32::from_le_bytes) {
            0 => Mark::Outside,
            1 => Mark::Both,
            2 => Mark::Several,
            owner => Mark::One(owner - 3),
        }
    }
}

/// The marks of things with keys of `N` bytes.
pub(super) struct Marks<const N: usize> {
    written: Scratch,
    fresh: BTreeMap<[u8; N], Mark>,
}

impl<const N: usize> Marks<N> {
    pub(super) fn new(cache: &Path) -> Self {
        Marks {
            written: Scratch::new(cache),
            fresh: BTreeMap::new(),
        }
    }

    /// Adds who needs it. Its mark, if that is another one now.
    pub(super) fn add(&mut self, key: [u8; N], mark: Mark) -> Result<Option<Mark>> {
        let known = match self.fresh.get(&key) {
            Some(known) => Some(*known),
            None => self.written.get(&key)?.map(|bytes| Mark::from_bytes(&bytes)),
        };
        let now = known.map_or(mark, |known| known.and(mark));
        if known == Some(now) {
            return Ok(None);
        }
        self.fresh.insert(key, now);
        if self.fresh.len() >= BATCH {
            self.spill()?;
        }
        Ok(Some(now))
    }

    pub(super) fn spill(&mut self) -> Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        Ok(self
            .written
            .write(fresh.into_iter().map(|(key, mark)| (key, mark.to_bytes())))?)
    }

    /// Calls `each` with all marks, by key.
    pub(super) fn scan(&mut self, each: &mut dyn FnMut([u8; N], Mark) -> Result<()>) -> Result<()> {
        if self.written.is_unused() {
            return self.fresh.iter().try_for_each(|(key, mark)| each(*key, *mark));
        }
        self.spill()?;
        let mut failed = None;
        self.written.rows(&mut |key, value| {
            if let (None, Ok(key)) = (&failed, key.try_into()) {
                failed = each(key, Mark::from_bytes(value)).err();
            }
            Ok(())
        })?;
        failed.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_add_up_and_go_to_the_disk() {
        use Mark::{Both, One, Outside, Several};
        let rows = [
            (One(1), One(1), One(1)),
            (One(1), One(2), Several),
            (One(1), Outside, Both),
            (Several, Outside, Both),
            (Several, One(1), Several),
            (Outside, Outside, Outside),
            (Both, One(1), Both),
        ];
        for (a, b, want) in rows {
            assert_eq!((a.and(b), b.and(a)), (want, want));
            assert_eq!(Mark::from_bytes(&want.to_bytes()), want);
        }
        let dir = tempfile::tempdir().unwrap();
        let mut marks: Marks<4> = Marks::new(dir.path());
        let all = 3 * BATCH as u32 + 5;
        for n in 0..all {
            assert_eq!(marks.add(n.to_le_bytes(), One(n % 5)).unwrap(), Some(One(n % 5)));
        }
        assert_eq!(marks.add(7u32.to_le_bytes(), One(2)).unwrap(), None);
        assert_eq!(marks.add(7u32.to_le_bytes(), One(3)).unwrap(), Some(Several));
        let mut found = 0;
        marks
            .scan(&mut |key, mark| {
                let n = u32::from_le_bytes(key);
                assert_eq!(mark, if n == 7 { Several } else { One(n % 5) });
                found += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(found, all);
    }
}
