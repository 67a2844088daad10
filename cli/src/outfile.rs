//! A file that a command writes, at a place of the user's choice. A regular file appears there only when it is whole; a
//! device, a FIFO or whatever else is there is opened and written through.

use service::Failure;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

/// Links followed at most, as the kernel does.
const LINKS_MAX: usize = 40;

/// Has `write` write what is to be at `target`.
pub fn write(
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> service::Result<()>,
) -> Result<(), Failure> {
    let there = fs::metadata(target);
    if there.as_ref().is_ok_and(Metadata::is_dir) {
        return Err(Failure::usage(format!("{} is a directory", target.display())));
    }
    let is_special = there.as_ref().is_ok_and(|there| !there.is_file());
    match real(target).filter(|_| !is_special) {
        Some(real) => replace(&real, there.ok(), write),
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
    write(&mut out)?;
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
    let written = write(&mut out).map_err(Failure::from).and_then(|()| {
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
        named.map_err(|e| failed(&e))
    });
    if written.is_err() {
        // What is wrong is being said; what is left is part of a file at most.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file with a name that backups leave out, in the folder of `target`.
fn beside(target: &Path) -> Result<(PathBuf, File), Failure> {
    let own = std::process::id();
    for number in 0u32.. {
        let path = target.with_file_name(format!(".dedup-restore-{own:08x}-{number:x}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Failure::io("create", target, &e)),
        }
    }
    Err(Failure::io(
        "create",
        target,
        &io::ErrorKind::AlreadyExists.into(),
    ))
}
