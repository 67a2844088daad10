//! Snapshots of logical volumes with ext4 or XFS, by the programs of LVM. The snapshot `VG/dedup-ID` of a volume belongs to
//! the directory `.dedup-snapshots/ID` in the root of the file system, at which it is mounted read-only.
//!
//! A snapshot of a thin volume is a thin volume. Any other has space of its own for what changes in the original meanwhile
//! ([`room_for`]), and is lost when that is full: the kernel then fails each read, and LVM's daemon unmounts it.

use super::mounts::Mounts;
use super::{SnapshotTool, ToolError, make_dir, patiently, remove_dir, run, run_to_its_end};
use std::ffi::OsStr;
use std::path::Path;

const LVS: &str = "lvs";
const LVCREATE: &str = "lvcreate";
const LVREMOVE: &str = "lvremove";
const MOUNT: &str = "mount";
const UMOUNT: &str = "umount";

/// What a device of LVM's is called in the kernel begins so.
const UUID_PREFIX: &str = "LVM-";
/// Space for changes, unless there is less.
const ROOM_LEAST: u64 = 256 << 20;
const ROOM_DIVISOR: u64 = 10;

pub(super) const TOOL: SnapshotTool = SnapshotTool {
    file_systems: &["ext4", "xfs"],
    is_on_device: |device| told(device, "uuid").starts_with(UUID_PREFIX),
    programs: &[LVS, LVCREATE, LVREMOVE, MOUNT, UMOUNT],
    root_of: |dir| Mounts::read().root_of(dir),
    create,
    delete,
    nested: |_| Ok(Vec::new()),
    is_whole: |path| is_whole(path).unwrap_or(false),
};

/// What the kernel says of a device of the device mapper; nothing of another.
fn told(device: &str, what: &str) -> String {
    let path = format!("/sys/dev/block/{device}/dm/{what}");
    let said = std::fs::read_to_string(path).unwrap_or_default();
    said.trim_end().to_string()
}

/// A logical volume with a file system.
#[derive(PartialEq, Eq, Debug)]
struct Volume {
    group: String,
    name: String,
    is_thin: bool,
    size: u64,
    /// Of the group: how large an extent is, and how many are free.
    extent: u64,
    free: u64,
}

impl Volume {
    /// That which is mounted at `root`.
    fn at(root: &Path) -> Result<Volume, ToolError> {
        let device = Mounts::read().whole_at(root).map(|line| line.device.clone());
        let name = told(&device.unwrap_or_default(), "name");
        let device = format!("/dev/mapper/{name}");
        let fields = "vg_name,lv_name,lv_attr,lv_size,vg_extent_size,vg_free_count";
        let listed = lvs(fields, &[&device])?;
        Volume::parse(&listed).ok_or_else(|| ToolError {
            command: format!("{LVS} {device}"),
            stderr: listed.trim().to_string(),
        })
    }

    fn parse(line: &str) -> Option<Volume> {
        let mut fields = line.split_whitespace();
        let (group, name, attributes) = (fields.next()?, fields.next()?, fields.next()?);
        let mut number = || fields.next()?.parse().ok();
        Some(Volume {
            group: group.into(),
            name: name.into(),
            is_thin: attributes.starts_with('V'),
            size: number()?,
            extent: number().filter(|extent| *extent > 0)?,
            free: number()?,
        })
    }
}

/// Extents for what changes while a snapshot of this volume is read. Of one that needs no more than the volume has, LVM makes
/// a smaller one.
fn room_for(volume: &Volume) -> u64 {
    let wanted = (volume.size / ROOM_DIVISOR).max(ROOM_LEAST);
    // Where nothing is free, the program says so.
    wanted.div_ceil(volume.extent).min(volume.free).max(1)
}

fn create(root: &Path, to: &Path) -> Result<(), ToolError> {
    let volume = Volume::at(root)?;
    // From here on whoever finds this directory removes what belongs to it.
    make_dir(to)?;
    let made = snapshot(&volume, root, to);
    if made.is_err() {
        // What can't be removed now is removed by the next run.
        let _ = delete(to);
    }
    made
}

fn snapshot(volume: &Volume, root: &Path, to: &Path) -> Result<(), ToolError> {
    let (name, original) = (name_of(to), format!("{}/{}", volume.group, volume.name));
    let room = room_for(volume).to_string();
    let kind: [&str; 2] = match volume.is_thin {
        // Otherwise it would not be there until it is activated.
        true => ["--setactivationskip", "n"],
        false => ["--extents", &room],
    };
    let args = [
        "--yes",
        "--snapshot",
        "--name",
        &name,
        kind[0],
        kind[1],
        &original,
    ];
    // Meanwhile nothing can be written to the volume, and if it were killed then, that would stay so.
    run_to_its_end(LVCREATE, &args.map(OsStr::new))?;
    let file_system = Mounts::read().whole_at(root).map(|line| line.kind.clone());
    let file_system = file_system.unwrap_or_default();
    let options = match file_system.as_str() {
        // XFS leaves something in its log even if it is frozen, so what is mounted is not read-only for it. The original has
        // the same UUID.
        "xfs" => "ro,nouuid",
        // A lost snapshot is no reason to do what the file system may be set to do, such as to stop the machine.
        _ => "ro,errors=continue",
    };
    let device = format!("/dev/{}/{name}", volume.group);
    let args = ["-t", &file_system, "-o", options, &device].map(OsStr::new);
    run(MOUNT, &[&args[..], &[to.as_os_str()]].concat()).map(drop)
}

fn delete(path: &Path) -> Result<(), ToolError> {
    let is_mounted = || Mounts::read().is_mount_point(path);
    patiently(|| match is_mounted() {
        true => run(UMOUNT, &[path.as_os_str()]).map(drop),
        false => Ok(()),
    })?;
    let volume = Volume::at(root_of(path))?;
    let name = format!("{}/{}", volume.group, name_of(path));
    patiently(|| match attributes(&volume, path)? {
        Some(_) => run_to_its_end(LVREMOVE, &["--yes", &name].map(OsStr::new)).map(drop),
        None => Ok(()),
    })?;
    remove_dir(path)
}

/// One that is full is invalid, and may not be mounted any more.
fn is_whole(path: &Path) -> Result<bool, ToolError> {
    let volume = Volume::at(root_of(path))?;
    let attributes = attributes(&volume, path)?;
    let state = attributes.and_then(|attributes| attributes.as_bytes().get(4).copied());
    // Active, or suspended for a moment.
    Ok(matches!(state, Some(b'a' | b's')) && Mounts::read().is_mount_point(path))
}

/// Those of the snapshot that belongs to a path, as LVM prints them; `None` if there is none.
fn attributes(volume: &Volume, path: &Path) -> Result<Option<String>, ToolError> {
    let selected = format!("lv_name={}", name_of(path));
    let listed = lvs("lv_attr", &["--select", &selected, &volume.group])?;
    Ok(listed.split_whitespace().next().map(String::from))
}

/// The root of the file system is two levels above.
fn root_of(path: &Path) -> &Path {
    path.ancestors().nth(2).unwrap_or(path)
}

fn name_of(path: &Path) -> String {
    let id = path.file_name().unwrap_or_default().to_string_lossy();
    format!("dedup-{id}")
}

fn lvs(fields: &str, what: &[&str]) -> Result<String, ToolError> {
    // Whatever the machine's own settings for listings are.
    let options = [
        "--reportformat",
        "basic",
        "--separator",
        " ",
        "--noheadings",
        "--units",
        "b",
    ];
    let more = ["--nosuffix", "-o", fields];
    let args: Vec<&OsStr> = options.iter().chain(&more).chain(what).map(OsStr::new).collect();
    let listed = run(LVS, &args)?;
    Ok(String::from_utf8_lossy(&listed).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(size: u64, free: u64) -> Volume {
        Volume::parse(&format!("  vg-x da-ta -wi-ao---- {size} 4194304 {free}\n")).unwrap()
    }

    #[test]
    fn listed_volumes() {
        let found = volume(67108864, 226);
        assert_eq!((found.group.as_str(), found.name.as_str()), ("vg-x", "da-ta"));
        assert!(!found.is_thin);
        let thin = Volume::parse("vg thin Vwi-aotz-- 104857600 4194304 0").unwrap();
        assert!(thin.is_thin);
        for bad in ["", "vg thin", "vg a -wi 1 0 5", "vg a -wi 1 2 x"] {
            assert_eq!(Volume::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn room_for_changes() {
        // A tenth, rounded up; no less than 256 MiB; what is free; and something to ask for.
        assert_eq!(room_for(&volume(10 << 30, 1 << 20)), 256);
        assert_eq!(room_for(&volume(1 << 30, 1 << 20)), 64);
        assert_eq!(room_for(&volume(10 << 30, 7)), 7);
        assert_eq!(room_for(&volume(10 << 30, 0)), 1);
    }
}
