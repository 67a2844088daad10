//! What is mounted where: from `/proc/self/mountinfo`, whose lines are "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS... - TYPE ...".

use crate::platform::paths::from_bytes;
use std::path::{Path, PathBuf};

/// One mount.
pub(super) struct MountLine {
    pub point: PathBuf,
    /// The type of its file system.
    pub kind: String,
    /// `MAJOR:MINOR`
    pub device: String,
    /// What is mounted: a device, or the name of a dataset.
    source: String,
    /// All of the file system, not only a directory of it.
    is_whole: bool,
}

pub(super) struct Mounts {
    /// In the order in which they were mounted.
    all: Vec<MountLine>,
}

impl Mounts {
    /// Nothing where the system does not tell: then no file system is known to have snapshots.
    pub fn read() -> Mounts {
        Mounts::parse(&std::fs::read("/proc/self/mountinfo").unwrap_or_default())
    }

    fn parse(text: &[u8]) -> Mounts {
        let lines = text.split(|byte| *byte == b'\n');
        let parsed = lines.filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ');
            let device = fields.nth(2)?;
            let is_whole = fields.next()? == b"/";
            let point = unescape(fields.next()?);
            let mut fields = fields.skip_while(|field| *field != b"-");
            let kind = fields.nth(1)?;
            let source = unescape(fields.next().unwrap_or_default());
            Some(MountLine {
                point: from_bytes(&point).into_owned(),
                kind: String::from_utf8_lossy(kind).into_owned(),
                device: String::from_utf8_lossy(device).into_owned(),
                source: String::from_utf8_lossy(&source).into_owned(),
                is_whole,
            })
        });
        Mounts {
            all: parsed.collect(),
        }
    }

    /// The mount that a path is on; `path` has no links in it.
    pub fn of(&self, path: &Path) -> Option<&MountLine> {
        let above = self.all.iter().enumerate();
        let above = above.filter(|(_, line)| path.starts_with(&line.point));
        // The longest, and of those at one place the last.
        let found = above.max_by_key(|(nr, line)| (line.point.components().count(), *nr));
        found.map(|(_, line)| line)
    }

    /// The mount at a mount point; `None` if that is no more than a part of a file system.
    pub fn whole_at(&self, point: &Path) -> Option<&MountLine> {
        let found = self.all.iter().rfind(|line| line.point == point);
        found.filter(|line| line.is_whole)
    }

    /// What is mounted there.
    pub fn source_of(&self, point: &Path) -> Option<String> {
        self.whole_at(point).map(|line| line.source.clone())
    }

    /// Where the file system is mounted that a directory is on. `None` where only a part of it is, as a bind mount.
    pub fn root_of(&self, dir: &Path) -> Option<PathBuf> {
        let mount = self.of(dir)?;
        mount.is_whole.then(|| mount.point.clone())
    }

    pub fn is_mount_point(&self, path: &Path) -> bool {
        self.all.iter().any(|line| line.point == path)
    }

    /// The mount points below a directory, each once.
    pub fn below(&self, path: &Path) -> Vec<&PathBuf> {
        let points = self.all.iter().map(|line| &line.point);
        let mut below: Vec<&PathBuf> = points
            .filter(|point| point.as_path() != path && point.starts_with(path))
            .collect();
        below.sort();
        below.dedup();
        below
    }
}

/// `\040` stands for a space, and other bytes are written so, too.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_where() {
        let mounts = Mounts::parse(
            b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            30 22 0:5 /@home /home rw - btrfs /dev/sdb rw,subvolid=256\n\
            31 30 0:6 / /home/u/my\\040disk rw shared:2 master:3 - vfat /dev/sdc rw\nnonsense\n\
            32 22 0:7 / /tank rw - zfs pool/my\\040data rw,xattr\n33 22 0:7 /a /part rw - zfs pool/my\\040data rw\n",
        );
        let on = |path: &str| mounts.of(Path::new(path)).unwrap().kind.clone();
        assert_eq!(
            [on("/etc"), on("/home/u"), on("/homes")],
            ["ext4", "btrfs", "ext4"]
        );
        assert_eq!(on("/home/u/my disk/x"), "vfat");
        let source = |point: &str| mounts.source_of(Path::new(point));
        assert_eq!(source("/tank"), Some("pool/my data".to_string()));
        assert_eq!([source("/part"), source("/tank/a")], [None, None]);
        let root = |dir: &str| mounts.root_of(Path::new(dir));
        assert_eq!(root("/tank/a"), Some(PathBuf::from("/tank")));
        assert_eq!(
            [root("/part/b"), root("/home/u")],
            [None, None],
            "a part of a file system"
        );
        assert_eq!(mounts.whole_at(Path::new("/")).unwrap().device, "8:1");
        assert_eq!(mounts.below(Path::new("/home/u")), [Path::new("/home/u/my disk")]);
        assert!(mounts.is_mount_point(Path::new("/home")) && !mounts.is_mount_point(Path::new("/home/u")));
    }
}
