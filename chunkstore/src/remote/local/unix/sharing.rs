//! Who owns new objects. They get the owner of the repository's folder: its group where that is shared, and
//! its owner where root works in somebody else's repository, as far as the system allows
//! (docs/decisions/0023-whose-objects.md).

use super::{ROOT, parent};
use crate::error::{Foreign, Obstacle};
use rustix::fs::{AtFlags, Gid, Mode, Uid};
use rustix::process::geteuid;
use std::os::fd::{AsFd, BorrowedFd};

const OWNER_FOLDER: u32 = 0o700;
const OWNER_FILE: u32 = 0o600;
const SETGID: u32 = 0o2000;

/// Owner, group and permissions of new objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sharing {
    pub folder: u32,
    pub file: u32,
    owner: Option<u32>,
    group: Option<u32>,
}

impl Sharing {
    /// Of a new repository: no other user's.
    pub const PRIVATE: Sharing = Sharing {
        folder: OWNER_FOLDER,
        file: OWNER_FILE,
        owner: None,
        group: None,
    };

    pub fn of(root: BorrowedFd<'_>) -> rustix::io::Result<Sharing> {
        let stat = rustix::fs::fstat(root)?;
        let me = geteuid();
        let foreign = me.is_root() && stat.st_uid != me.as_raw();
        Ok(Sharing::new(
            stat.st_mode,
            foreign.then_some(stat.st_uid),
            stat.st_gid,
        ))
    }

    /// A folder is shared when its group may do more there than everybody, or when it is set-group-ID: what a plain
    /// `mkdir` makes is not.
    fn new(mode: u32, owner: Option<u32>, group: u32) -> Sharing {
        let (of_group, of_others) = (mode >> 3 & 7, mode & 7);
        let is_shared = of_group & !of_others != 0 || (mode & SETGID != 0 && of_group != 0);
        let shared = if is_shared { mode & 0o070 } else { 0 };
        let setgid = if is_shared { mode & SETGID } else { 0 };
        Sharing {
            folder: OWNER_FOLDER | shared | setgid,
            file: OWNER_FILE | (shared & 0o060),
            owner,
            group: (is_shared || owner.is_some()).then_some(group),
        }
    }

    fn is_private(&self) -> bool {
        *self == Sharing::PRIVATE
    }

    /// Hands over a file or folder that was just made. What the system does not allow is left: the object is whole, and
    /// who can't use it is told whose it is.
    pub fn hand_over(&self, made: impl AsFd, mode: u32) {
        if self.is_private() {
            return;
        }
        let owner = self.owner.map(Uid::from_raw);
        let _ = rustix::fs::fchown(&made, owner, self.group.map(Gid::from_raw));
        // After the owner, whose change takes set-group-ID away; and whatever the umask.
        let _ = rustix::fs::fchmod(&made, Mode::from_raw_mode(mode));
    }
}

/// Who owns what is in the way where something at `path` below `root` was not permitted: the nearest of the path and the
/// folders above it that can be looked at. `None` where the owner is this user.
pub(super) fn in_the_way(root: BorrowedFd<'_>, path: &str) -> Option<Foreign> {
    let user = geteuid().as_raw();
    let mut path = path;
    loop {
        match rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if stat.st_uid != user => {
                return Some(Foreign {
                    place: match path {
                        ROOT => Obstacle::Root,
                        path => Obstacle::Path(path.to_string()),
                    },
                    owner: stat.st_uid,
                    user,
                });
            }
            Ok(_) => return None,
            Err(_) if path == ROOT => return None,
            Err(_) => path = parent(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Permissions of the repository's folder, and of new folders and files in it.
    #[test]
    fn permissions_follow_the_repository() {
        let rows = [
            (0o700, 0o700, 0o600),
            (0o755, 0o700, 0o600),
            (0o777, 0o700, 0o600),
            (0o750, 0o750, 0o640),
            (0o770, 0o770, 0o660),
            (0o775, 0o770, 0o660),
            (0o2770, 0o2770, 0o660),
            (0o2775, 0o2770, 0o660),
            (0o2755, 0o2750, 0o640),
            (0o2700, 0o700, 0o600),
        ];
        for (mode, folder, file) in rows {
            let sharing = Sharing::new(0o040000 | mode, None, 7);
            assert_eq!((sharing.folder, sharing.file), (folder, file), "{mode:o}");
            assert_eq!(sharing.is_private(), folder == 0o700, "{mode:o}");
        }
        let handed = Sharing::new(0o040700, Some(1000), 7);
        assert_eq!((handed.owner, handed.group), (Some(1000), Some(7)));
        assert!(!handed.is_private());
    }
}
