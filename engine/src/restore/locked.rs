//! Files and directories that nobody may change: immutable and append-only. They get these flags when all else is done,
//! since until then they need names, other names and what is in them.

use super::fault::{Fault, RestoreOutcome};
use super::job::Failure;
use super::shared::Shared;
use crate::entry::Kind;
use crate::fsmeta::{AsFd, set_flags};
use crate::platform::errno::errno_of;
use crate::problem::{MetaPart, RestoreProblem};
use parking_lot::Mutex;

/// Objects that are remembered. More are no use of these flags that anybody has, and are told.
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

    /// Sets the flags of all, what is lowest first.
    pub fn end(&self, shared: &Shared<'_>) {
        let mut found = std::mem::take(&mut *self.found.lock());
        found.sort_unstable_by(|(a, ..), (b, ..)| b.cmp(a));
        for (path, is_dir, flags) in found {
            match set(shared, &path, is_dir, flags) {
                Ok(()) => {}
                Err(Fault::Path(RestoreProblem::Metadata(part, errno))) => {
                    shared.meta_problem(&path, &part, errno);
                }
                Err(fault) => match fault.apart() {
                    Ok(failure) => shared.failed(&path, failure),
                    Err(e) => {
                        shared.fail(e);
                        shared.failed(&path, Failure::Abandoned);
                    }
                },
            }
        }
    }
}

fn set(shared: &Shared<'_>, path: &[u8], is_dir: bool, flags: u32) -> RestoreOutcome<()> {
    let done = match is_dir {
        true => set_flags(shared.dir(path)?.as_fd(), flags),
        false => {
            let slash = path.iter().rposition(|b| *b == b'/');
            let (dir, name) = match slash {
                Some(slash) => (path.get(..slash), path.get(slash + 1..)),
                None => (path.get(..0), Some(path)),
            };
            let dir = shared.dir(dir.unwrap_or_default())?;
            let file = dir.open_file(name.unwrap_or_default())?;
            set_flags(&file, flags)
        }
    };
    done.map_err(|e| Fault::Path(RestoreProblem::Metadata(MetaPart::Flags, errno_of(&e))))
}
