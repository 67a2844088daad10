//! A file that a command writes, at a place of the user's choice. A regular file appears there only when it is whole; a
//! device, a FIFO or whatever else is there is opened and written through.
//!
//! Until it is whole it has a name of our own beside its final one, and is locked. So one that nobody holds locked belongs
//! to a run that died; the next one that writes into the same folder removes it.

use crate::terminal::Terminal;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use service::dump::{is_temporary, temporary_name};
use service::listing;
use service::problem::Warning;
use service::{Error, Failure};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Links followed at most, as the kernel does.
const LINKS_MAX: usize = 40;

/// Has `write` write what is to be at `target`.
pub fn write(
    terminal: &Terminal,
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> service::Result<()>,
) -> Result<(), Failure> {
    let there = fs::metadata(target);
    if there.as_ref().is_ok_and(Metadata::is_dir) {
        return Err(Failure::usage(format!("{} is a directory", target.display())));
    }
    let is_special = there.as_ref().is_ok_and(|there| !there.is_file());
    match real(target).filter(|_| !is_special) {
        Some(real) => {
            let removed = remove_leftovers(folder(&real));
            if removed > 0 {
                let files = removed;
                listing::warn(terminal, Warning::DumpLeftovers { files });
            }
            replace(&real, there.ok(), write)
        }
        None => through(target, write),
    }
}

/// Where links at `target` lead in the end. `None` where that is an open file of a process rather than a name.
fn real(target: &Path) -> Option<PathBuf> {
    let mut path = target.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Ok(to) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(to);
        if path.starts_with("/proc") || path.starts_with("/dev/fd") {
            return None;
        }
    }
    Some(path)
}

fn through(target: &Path, write: impl FnOnce(&mut dyn Write) -> service::Result<()>) -> Result<(), Failure> {
    let failed = |what: &str, e: &io::Error| Failure::io(what, target, e);
    let file = OpenOptions::new().write(true).open(target);
    let mut out = BufWriter::with_capacity(1 << 20, file.map_err(|e| failed("open", &e))?);
    write(&mut out).map_err(|e| named(target, e))?;
    out.flush().map_err(|e| failed("write to", &e))?;
    match out.get_ref().sync_all() {
        // Nothing that could be synced.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(|e| failed("write to", &e)),
    }
}

/// Writes under a name of our own beside it first. What is replaced gives its owner and permissions.
fn replace(
    target: &Path,
    there: Option<Metadata>,
    write: impl FnOnce(&mut dyn Write) -> service::Result<()>,
) -> Result<(), Failure> {
    let failed = |e: &io::Error| Failure::io("write", target, e);
    let (temporary, file) = beside(target)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = write(&mut out).map_err(|e| named(target, e)).and_then(|()| {
        out.flush().map_err(|e| failed(&e))?;
        if let Some(there) = there {
            // Only root may give files away; the content is what was asked for.
            let _given = fchown(out.get_ref(), Some(there.uid()), Some(there.gid()));
            let _allowed = out.get_ref().set_permissions(there.permissions());
        }
        let named = out
            .get_ref()
            .sync_all()
            .and_then(|()| fs::rename(&temporary, target));
        // Where a folder can't be opened or synced, its file system writes the name in its own time.
        let _durable = File::open(folder(target)).and_then(|folder| folder.sync_all());
        named.map_err(|e| failed(&e))
    });
    if written.is_err() {
        // What is wrong is being said; what is left is part of a file at most.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// What is wrong with the output is told with its path.
fn named(target: &Path, error: Error) -> Failure {
    match error {
        Error::Output(source) => Failure::io("write to", target, &source),
        error => error.into(),
    }
}

/// The folder that a file is or will be in.
fn folder(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or(Path::new(""));
    match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    }
}

/// A new file with a name that backups leave out, in the folder of `target`, locked.
fn beside(target: &Path) -> Result<(PathBuf, File), Failure> {
    for number in 0u32.. {
        let path = target.with_file_name(temporary_name(std::process::id(), number));
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(Failure::io("create", target, &e)),
        };
        let locked = flock(&file, FlockOperation::NonBlockingLockExclusive);
        // Before it was locked, another run may have taken it for a dead one's. Where locks are unknown, no run is ever
        // taken for dead.
        let lost = file.metadata().is_ok_and(|meta| meta.nlink() == 0);
        if locked != Err(Errno::WOULDBLOCK) && !lost {
            return Ok((path, file));
        }
    }
    Err(Failure::io(
        "create",
        target,
        &io::ErrorKind::AlreadyExists.into(),
    ))
}

/// Removes what runs that died have left in a folder; how many files that were. What can't be removed is left to the next
/// run.
fn remove_leftovers(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        // Entering it may be all that is allowed.
        return 0;
    };
    let ours = entries
        .flatten()
        .filter(|entry| is_temporary(entry.file_name().as_bytes()));
    ours.map(|entry| u64::from(remove_dead(&entry.path()))).sum()
}

/// Removes the file at `path` if the run that wrote it has died.
fn remove_dead(path: &Path) -> bool {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let Ok(file) = opened else { return false };
    let locked = flock(&file, FlockOperation::NonBlockingLockExclusive);
    let same = |meta: Metadata| {
        let named = fs::symlink_metadata(path);
        meta.is_file() && named.is_ok_and(|named| (named.dev(), named.ino()) == (meta.dev(), meta.ino()))
    };
    locked.is_ok() && file.metadata().is_ok_and(same) && fs::remove_file(path).is_ok()
}
