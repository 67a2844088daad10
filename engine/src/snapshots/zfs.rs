//! Snapshots on ZFS, by the `zfs` program. A snapshot of a dataset is read through a read-only clone, which is mounted where
//! it is asked for: `.zfs/snapshot` exists only where the kernel's own ZFS is used, and is mounted by itself at moments that
//! nobody controls.
//!
//! `DATASET@dedup-ID` and `DATASET/dedup-ID` belong to the directory `.dedup-snapshots/ID` in the root of the dataset.

use super::mounts::Mounts;
use super::{SnapshotTool, ToolError, make_dir, patiently, remove_dir, run};
use std::ffi::{OsStr, OsString};
use std::path::Path;

const PROGRAM: &str = "zfs";
/// The kernel's, and that of `zfs-fuse`.
const FILE_SYSTEMS: &[&str] = &["zfs", "fuse.zfs"];

pub(super) const TOOL: SnapshotTool = SnapshotTool {
    file_systems: FILE_SYSTEMS,
    is_on_device: |_| true,
    programs: &[PROGRAM],
    // A dataset is a file system of its own.
    root_of: |dir| Mounts::read().root_of(dir),
    create,
    delete,
    // Those below are mounts of their own.
    nested: |_| Ok(Vec::new()),
    is_whole: |_| true,
};

/// The names of the snapshot and of its clone.
fn names(root: &Path, place: &Path) -> Result<(OsString, OsString), ToolError> {
    // It was mounted when the root was looked for.
    let unknown = || ToolError {
        command: format!("{PROGRAM} list {}", root.display()),
        stderr: String::new(),
    };
    let dataset = Mounts::read().source_of(root).ok_or_else(unknown)?;
    let id = place
        .file_name()
        .ok_or_else(unknown)?
        .to_string_lossy()
        .into_owned();
    Ok((
        format!("{dataset}@dedup-{id}").into(),
        format!("{dataset}/dedup-{id}").into(),
    ))
}

fn create(root: &Path, to: &Path) -> Result<(), ToolError> {
    let (snapshot, clone) = names(root, to)?;
    // From here on whoever finds this directory removes what belongs to it.
    make_dir(to)?;
    let made = zfs(&["snapshot"], &[&snapshot]).and_then(|()| {
        let mut mountpoint = OsString::from("mountpoint=");
        mountpoint.push(to);
        let options = ["clone", "-o", "readonly=on", "-o"];
        zfs(&options, &[&mountpoint, &snapshot, &clone])
    });
    if made.is_err() {
        // What can't be removed now is removed by the next run.
        let _ = delete(to);
    }
    made
}

fn delete(path: &Path) -> Result<(), ToolError> {
    // The root of the dataset is two levels above.
    let root = path.ancestors().nth(2).unwrap_or(path);
    let (snapshot, clone) = names(root, path)?;
    destroy("filesystem", &clone)?;
    destroy("snapshot", &snapshot)?;
    remove_dir(path)
}

/// Destroys a clone or a snapshot, if it is there.
fn destroy(kind: &str, name: &OsStr) -> Result<(), ToolError> {
    patiently(|| match zfs(&["list", "-H", "-o", "name", "-t", kind], &[name]) {
        Ok(()) => zfs(&["destroy"], &[name]),
        Err(_) => Ok(()),
    })
}

fn zfs(options: &[&str], names: &[&OsStr]) -> Result<(), ToolError> {
    let options = options.iter().map(OsStr::new);
    let args: Vec<&OsStr> = options.chain(names.iter().copied()).collect();
    run(PROGRAM, &args).map(drop)
}
