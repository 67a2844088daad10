//! Files and directories that nobody may change: immutable and append-only. They get these flags when all else is done
//! (`finish`), since until then they need names, other names and what is in them.

use crate::entry::Kind;
use parking_lot::Mutex;

/// Objects that are remembered. Nobody uses these flags for more; further ones are reported as problems.
const MOST: usize = 1 << 18;

#[derive(Default)]
pub(super) struct Locked {
    found: Mutex<Vec<(Vec<u8>, bool, u32)>>,
}

impl Locked {
    /// False where there is no room.
    pub fn remember(&self, path: &[u8], kind: &Kind, flags: u32) -> bool {
        let mut found = self.found.lock();
        let has_room = found.len() < MOST;
        if has_room {
            found.push((path.to_vec(), *kind == Kind::Dir, flags));
        }
        has_room
    }

    /// Path, whether it is a directory, and flags of all, what is lowest first.
    pub fn take_all(&self) -> Vec<(Vec<u8>, bool, u32)> {
        let mut found = std::mem::take(&mut *self.found.lock());
        found.sort_unstable_by(|(a, ..), (b, ..)| b.cmp(a));
        found
    }
}
