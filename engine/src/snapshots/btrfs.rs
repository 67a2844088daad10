//! Snapshots on btrfs, by the `btrfs` program. The root of a subvolume has the inode number 256.

use super::{SNAPSHOTS_FOLDER, SnapshotTool, ToolError, run};
use crate::entry::Kind;
use crate::fsmeta::stat_path;
use crate::platform::paths::from_bytes;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "btrfs";
const ROOT_INODE: u64 = 256;

pub(super) const TOOL: SnapshotTool = SnapshotTool {
    file_systems: &["btrfs"],
    is_on_device: |_| true,
    programs: &[PROGRAM],
    root_of,
    create,
    delete,
    nested,
    is_whole: |_| true,
};

/// `None` where the root is not mounted: part of a subvolume may be, as a bind mount.
fn root_of(dir: &Path) -> Option<PathBuf> {
    let (_, meta) = stat_path(dir).ok()?;
    let mut above = dir.ancestors();
    let root = above.find_map(|path| match stat_path(path) {
        Ok((Kind::Dir, found)) if found.dev != meta.dev => Some(None),
        Ok((Kind::Dir, found)) if found.ino == ROOT_INODE => Some(Some(path.to_path_buf())),
        Ok(_) => None,
        Err(_) => Some(None),
    });
    root.flatten()
}

fn create(root: &Path, to: &Path) -> Result<(), ToolError> {
    let args = ["subvolume", "snapshot", "-r"].map(OsStr::new);
    run(
        PROGRAM,
        &[&args[..], &[root.as_os_str(), to.as_os_str()]].concat(),
    )
    .map(drop)
}

fn delete(path: &Path) -> Result<(), ToolError> {
    let args = ["subvolume", "delete"].map(OsStr::new);
    run(PROGRAM, &[&args[..], &[path.as_os_str()]].concat()).map(drop)
}

/// `btrfs subvolume list -o` names them from the top of the file system, `btrfs subvolume show` says where this one is there.
fn nested(root: &Path) -> Result<Vec<PathBuf>, ToolError> {
    let show = ["subvolume", "show"].map(OsStr::new);
    let shown = run(PROGRAM, &[&show[..], &[root.as_os_str()]].concat())?;
    let own = shown.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let own = own.strip_prefix(b"/").unwrap_or(own);
    let list = ["subvolume", "list", "-o"].map(OsStr::new);
    let listed = run(PROGRAM, &[&list[..], &[root.as_os_str()]].concat())?;
    Ok(paths_below(own, &listed)
        .map(|below| root.join(from_bytes(below)))
        .filter(|path| stat_path(path).is_ok_and(|(_, meta)| meta.ino == ROOT_INODE))
        .collect())
}

/// The paths in lines such as `ID 258 gen 9 top level 256 path home/u/vm`, relative to `own`, without our own snapshots.
fn paths_below<'a>(own: &'a [u8], listed: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let lines = listed.split(|byte| *byte == b'\n');
    let paths = lines.filter_map(|line| {
        let marker = b" path ";
        let at = line.windows(marker.len()).position(|part| part == marker)?;
        line.get(at + marker.len()..)
    });
    let below = paths.filter_map(move |path| match own {
        b"" => Some(path),
        own => path.strip_prefix(own)?.strip_prefix(b"/"),
    });
    below.filter(|path| !path.starts_with(SNAPSHOTS_FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_subvolumes_in_a_listing() {
        let listed = b"ID 257 gen 8 top level 5 path @home/vm\nID 258 gen 9 top level 5 path @home/a b path c\n\
            ID 259 gen 9 top level 5 path @home/.dedup-snapshots/0011223344556677\nID 260 gen 9 top level 5 path other\n";
        let found: Vec<&[u8]> = paths_below(b"@home", listed).collect();
        assert_eq!(found, [b"vm".as_slice(), b"a b path c"]);
        let all: Vec<&[u8]> = paths_below(b"", listed).collect();
        assert_eq!(all.len(), 4);
    }
}
