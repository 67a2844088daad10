//! Snapshots of the file systems that sources are on, made for one backup: what it reads is then of one moment, whatever
//! happens to the files meanwhile. The paths in the generation stay those of the sources ([`Grafts`]).
//!
//! A snapshot is `.dedup-snapshots/<16 digits>` in the root of its subvolume, beside a lock file of the same name that its
//! process holds. Whoever makes one first deletes those that no process holds: what a killed run left. The folder is only for
//! its owner, since old permissions would otherwise show in it, and it stays, so that making a snapshot does not change the
//! directory above. [`Walk`](crate::walk::Walk) never enters it.
//!
//! What differs between file systems is in [`SnapshotTool`]: btrfs, ZFS, and those on logical volumes of LVM have one
//! (docs/decisions/0053-source-snapshots.md).

mod btrfs;
mod lvm;
mod mounts;
mod zfs;

use crate::fsmeta::stat_path;
use crate::platform::{child, lock, private, process};
use crate::walk::{Grafts, SNAPSHOTS_FOLDER};
use chunkstore::error::IoError;
use chunkstore::id::random;
use mounts::{MountLine, Mounts};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// More subvolumes below a source are not snapshotted.
const SUBVOLUMES_MAX: usize = 256;
/// How often what is busy is tried, and what lies between.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);

/// How snapshots are made on one kind of file system.
struct SnapshotTool {
    /// As the system calls the file systems.
    file_systems: &'static [&'static str],
    /// Whether it makes them on the device with this number, `MAJOR:MINOR`. Asks no program.
    is_on_device: fn(&str) -> bool,
    programs: &'static [&'static str],
    /// The root of the subvolume that a directory is in.
    root_of: fn(&Path) -> Option<PathBuf>,
    /// Makes a read-only snapshot of a subvolume's root at a new path.
    create: fn(&Path, &Path) -> Result<(), ToolError>,
    /// Deletes the snapshot at a path, or what is left of it.
    delete: fn(&Path) -> Result<(), ToolError>,
    /// The roots of the subvolumes directly below one, which a snapshot of it lacks.
    nested: fn(&Path) -> Result<Vec<PathBuf>, ToolError>,
    /// Whether the snapshot at a path still is what it was, now that it has been read.
    is_whole: fn(&Path) -> bool,
}

impl SnapshotTool {
    fn is_for(&self, mount: &MountLine) -> bool {
        self.file_systems.contains(&mount.kind.as_str()) && (self.is_on_device)(&mount.device)
    }

    /// The root of the subvolume that a directory is in, if it is seen through this mount: a directory that is mounted
    /// elsewhere in its own file system is not in a snapshot at the place where it is mounted.
    fn root_of(&self, dir: &Path, mount: &MountLine) -> Option<PathBuf> {
        (self.root_of)(dir).filter(|root| root.starts_with(&mount.point))
    }
}

const TOOLS: &[SnapshotTool] = &[btrfs::TOOL, zfs::TOOL, lvm::TOOL];

/// A command that failed, and what it said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolError {
    pub command: String,
    pub stderr: String,
}

/// Why a source can't be read from a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum NoSnapshot {
    /// Its file system has none, or none that this program can make.
    NotSupported {
        source: PathBuf,
        file_system: String,
    },
    /// A file beside sources that are elsewhere.
    FileAmongOthers {
        source: PathBuf,
    },
    /// Only root can delete what it made.
    NotPermitted {
        source: PathBuf,
    },
    NoProgram {
        program: &'static str,
    },
    TooManySubvolumes {
        source: PathBuf,
    },
    Tool {
        source: PathBuf,
        error: ToolError,
    },
    Io {
        path: PathBuf,
        error: IoError,
    },
}

impl NoSnapshot {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> NoSnapshot {
        let path = path.to_path_buf();
        move |error| NoSnapshot::Io {
            path,
            error: error.into(),
        }
    }
}

/// A snapshot that exists. Dropping it deletes it.
struct HeldSnapshot {
    tool: &'static SnapshotTool,
    /// Of which subvolume.
    root: PathBuf,
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Drop for HeldSnapshot {
    fn drop(&mut self) {
        // The next run deletes what can't be deleted now.
        if (self.tool.delete)(&self.path).is_ok() {
            let _ = std::fs::remove_file(&self.lock_path);
        }
    }
}

/// The snapshots of a run, and where the walk finds them.
#[derive(Default)]
pub struct SourceSnapshots {
    grafts: Grafts,
    snapshots: Vec<HeldSnapshot>,
    /// Sources that are read where they are, and why.
    pub without: Vec<NoSnapshot>,
}

impl SourceSnapshots {
    /// Makes snapshots for these sources, absolute, of which the `followed` mean what a link leads to.
    pub fn take(sources: &[PathBuf], followed: &BTreeSet<PathBuf>) -> SourceSnapshots {
        let mut made = SourceSnapshots::default();
        let mounts = Mounts::read();
        let mut places = Vec::new();
        for source in sources {
            match place_of(source, followed.contains(source), sources) {
                Ok(Some(place)) if !places.contains(&place) => places.push(place),
                Ok(_) => {}
                Err(why) => made.without.push(why),
            }
        }
        for (path, real) in &places {
            if let Err(why) = made.add(path, real, &mounts) {
                made.without.push(why);
                // A snapshot of a directory above has nothing of another file system.
                made.grafts.add(path, real.clone(), mounts.is_mount_point(real));
            }
        }
        if made.snapshots.is_empty() {
            made.grafts = Grafts::default();
        }
        made
    }

    /// What the walk reads elsewhere. It must end before this does.
    pub fn grafts(&self) -> Arc<Grafts> {
        Arc::new(self.grafts.clone())
    }

    /// The roots of the subvolumes whose snapshots did not last until everything was read.
    pub fn lost(&self) -> Vec<PathBuf> {
        let lost = self
            .snapshots
            .iter()
            .filter(|held| !(held.tool.is_whole)(&held.path));
        lost.map(|held| held.root.clone()).collect()
    }

    /// Reads the directory `real`, to which the walk comes at `path`, in a snapshot.
    fn add(&mut self, path: &Path, real: &Path, mounts: &Mounts) -> Result<(), NoSnapshot> {
        let source = || path.to_path_buf();
        let mount = mounts.of(real);
        let not_supported = || NoSnapshot::NotSupported {
            source: source(),
            file_system: mount.map_or_else(String::new, |mount| mount.kind.clone()),
        };
        let mount = mount.ok_or_else(not_supported)?;
        let mut tools = TOOLS.iter();
        let tool = tools.find(|tool| tool.is_for(mount)).ok_or_else(not_supported)?;
        if process::user_id() != 0 {
            return Err(NoSnapshot::NotPermitted { source: source() });
        }
        let root = tool.root_of(real, mount).ok_or_else(not_supported)?;
        let failed = |error: ToolError| NoSnapshot::Tool {
            source: source(),
            error,
        };
        self.graft(tool, path, real, &root, mounts)?;
        let mut roots = vec![root];
        let mut seen = 0;
        while let Some(root) = roots.pop() {
            for nested in (tool.nested)(&root).map_err(failed)? {
                seen += 1;
                if seen > SUBVOLUMES_MAX {
                    return Err(NoSnapshot::TooManySubvolumes { source: source() });
                }
                if let Ok(below) = nested.strip_prefix(real) {
                    let at = path.join(below);
                    match self.graft(tool, &at, &nested, &nested, mounts) {
                        // It can't change either.
                        Err(NoSnapshot::Io { error, .. })
                            if error.kind() == io::ErrorKind::ReadOnlyFilesystem =>
                        {
                            let is_mount = mounts.is_mount_point(&nested);
                            self.grafts.add(&at, nested.clone(), is_mount);
                        }
                        grafted => grafted?,
                    }
                }
                roots.push(nested);
            }
        }
        self.add_mounts(tool, path, real, mounts)
    }

    /// A snapshot lacks what is mounted below: that is read where it is, or in a snapshot of its own.
    fn add_mounts(
        &mut self,
        tool: &'static SnapshotTool,
        path: &Path,
        real: &Path,
        mounts: &Mounts,
    ) -> Result<(), NoSnapshot> {
        let is_ours = |part: Component<'_>| part.as_os_str().as_encoded_bytes() == SNAPSHOTS_FOLDER;
        for mount in mounts.below(real) {
            let Ok(below) = mount.strip_prefix(real) else {
                continue;
            };
            if below.components().any(is_ours) {
                // The snapshot of another run.
                continue;
            }
            let at = path.join(below);
            let line = mounts.of(mount).filter(|line| tool.is_for(line));
            let root = line.and_then(|line| tool.root_of(mount, line));
            match root {
                Some(root) => self.graft(tool, &at, mount, &root, mounts)?,
                None => self.grafts.add(&at, mount.clone(), true),
            }
        }
        Ok(())
    }

    /// Reads `real`, which is in the subvolume of this root, in a snapshot of that.
    fn graft(
        &mut self,
        tool: &'static SnapshotTool,
        path: &Path,
        real: &Path,
        root: &Path,
        mounts: &Mounts,
    ) -> Result<(), NoSnapshot> {
        let known = self.snapshots.iter().find(|known| known.root == root);
        let snapshot = match known {
            Some(known) => known.path.clone(),
            None => {
                let made = make(tool, root, path)?;
                let path = made.path.clone();
                self.snapshots.push(made);
                path
            }
        };
        let original = stat_path(root).map_err(NoSnapshot::io(root))?.1.dev;
        let below = real.strip_prefix(root).unwrap_or(Path::new(""));
        let instead = match below.as_os_str().is_empty() {
            true => snapshot.clone(),
            false => snapshot.join(below),
        };
        let is_mount = mounts.is_mount_point(real);
        self.grafts
            .add_snapshot(path, instead, is_mount, &snapshot, original)
            .map_err(NoSnapshot::io(&snapshot))
    }
}

/// The directory whose snapshot shows a source: at which path the walk comes to it, and where it is. `None` for what is not
/// there, or is neither a file nor a directory.
fn place_of(
    source: &Path,
    followed: bool,
    sources: &[PathBuf],
) -> Result<Option<(PathBuf, PathBuf)>, NoSnapshot> {
    let meta = match followed {
        true => std::fs::metadata(source),
        false => source.symlink_metadata(),
    };
    // The walk reports what is not there.
    let Ok(meta) = meta else { return Ok(None) };
    let real = |path: &Path| path.canonicalize().map_err(NoSnapshot::io(path));
    if meta.is_dir() {
        return Ok(Some((source.to_path_buf(), real(source)?)));
    }
    let (true, false, Some(parent)) = (meta.is_file(), followed, source.parent()) else {
        return Ok(None);
    };
    // Its directory is read elsewhere, so nothing that is not in it may be come to through it.
    let is_alone =
        |other: &PathBuf| !other.starts_with(parent) || other == parent || other.parent() == Some(parent);
    match sources.iter().all(is_alone) {
        true => Ok(Some((parent.to_path_buf(), real(parent)?))),
        false => Err(NoSnapshot::FileAmongOthers {
            source: source.to_path_buf(),
        }),
    }
}

/// Makes a snapshot of a subvolume, once what dead runs left there is gone.
fn make(tool: &'static SnapshotTool, root: &Path, source: &Path) -> Result<HeldSnapshot, NoSnapshot> {
    let folder = root.join(crate::platform::paths::from_bytes(SNAPSHOTS_FOLDER));
    private::create_dir_all(&folder).map_err(NoSnapshot::io(&folder))?;
    remove_leftovers(tool, &folder);
    let id: [u8; 8] = random().map_err(|e| NoSnapshot::io(&folder)(io::Error::other(e)))?;
    let name: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join(&name);
    let lock_path = folder.join(name + ".lock");
    let lock = lock::open(&lock_path).map_err(NoSnapshot::io(&lock_path))?;
    lock::try_lock(&lock).map_err(NoSnapshot::io(&lock_path))?;
    let made = (tool.create)(root, &path);
    match made {
        Ok(()) => Ok(HeldSnapshot {
            tool,
            root: root.to_path_buf(),
            path,
            lock_path,
            _lock: lock,
        }),
        Err(error) => {
            // An empty file that nobody holds is removed by the next run, too.
            let _ = std::fs::remove_file(&lock_path);
            let source = source.to_path_buf();
            let is_missing =
                |name: &&&str| child::command(name).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
            Err(match tool.programs.iter().find(is_missing) {
                Some(program) => NoSnapshot::NoProgram { program },
                None => NoSnapshot::Tool { source, error },
            })
        }
    }
}

/// Deletes the snapshots in a folder that no process holds. One that can't be deleted stays for the next run.
fn remove_leftovers(tool: &SnapshotTool, folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let locks: Vec<OsString> = names.filter(|name| is_lock(name)).collect();
    for name in locks {
        let lock_path = folder.join(&name);
        let Ok(lock) = lock::open(&lock_path) else {
            continue;
        };
        if !matches!(lock::try_lock(&lock), Ok(true)) {
            continue;
        }
        let path = lock_path.with_extension("");
        let is_gone = path.symlink_metadata().is_err() || (tool.delete)(&path).is_ok();
        if is_gone {
            let _ = std::fs::remove_file(&lock_path);
        }
    }
}

/// Makes the directory at which a tool shows a snapshot.
fn make_dir(path: &Path) -> Result<(), ToolError> {
    std::fs::create_dir(path).map_err(|e| ToolError {
        command: format!("mkdir {}", path.display()),
        stderr: e.to_string(),
    })
}

fn remove_dir(path: &Path) -> Result<(), ToolError> {
    std::fs::remove_dir(path).map_err(|e| ToolError {
        command: format!("rmdir {}", path.display()),
        stderr: e.to_string(),
    })
}

/// Tries again for a while: something else may look at what is to be removed, such as udev, or it was unmounted a moment ago.
fn patiently(mut what: impl FnMut() -> Result<(), ToolError>) -> Result<(), ToolError> {
    let mut tries = 1;
    loop {
        match what() {
            Err(_) if tries < TRIES => std::thread::sleep(PAUSE),
            done => return done,
        }
        tries += 1;
    }
}

/// Runs a program and returns what it prints.
fn run(program: &str, args: &[&OsStr]) -> Result<Vec<u8>, ToolError> {
    run_as(child::command(program), program, args)
}

/// The same of a program that must not be ended halfway.
fn run_to_its_end(program: &str, args: &[&OsStr]) -> Result<Vec<u8>, ToolError> {
    run_as(child::lasting(program), program, args)
}

fn run_as(command: io::Result<Command>, program: &str, args: &[&OsStr]) -> Result<Vec<u8>, ToolError> {
    let words = std::iter::once(program.into()).chain(args.iter().map(|arg| arg.to_string_lossy()));
    let words: Vec<_> = words.collect();
    let failed = |stderr: String| ToolError {
        command: words.join(" "),
        stderr,
    };
    let mut command = command.map_err(|e| failed(e.to_string()))?;
    command.args(args).stdin(std::process::Stdio::null());
    let done = child::start(move || command.output()).map_err(|e| failed(e.to_string()))?;
    match done.status.success() {
        true => Ok(done.stdout),
        false => {
            let said = String::from_utf8_lossy(&done.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            Err(failed(last.unwrap_or_default().trim().to_string()))
        }
    }
}

/// `<16 digits>.lock`
fn is_lock(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let digits = bytes.strip_suffix(b".lock").unwrap_or_default();
    digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit)
}
