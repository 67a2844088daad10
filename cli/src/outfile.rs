//! A file that a command writes, at a place of the user's choice. A regular file appears there only when it is whole; a
//! device, a FIFO or whatever else is there is opened and written through.
//!
//! Until it is whole it has a name of our own beside its final one, and is locked. So one that no process holds locked
//! belongs to a run that died; the next one that writes into the same folder removes it.

use crate::terminal::Terminal;
use service::catalogue::{Action, Cause};
use service::dump::{is_temporary, temporary_name};
use service::listing;
use service::platform::files::{folder_of, sync_folder};
use service::platform::{handle, lock, paths};
use service::problem::Warning;
use service::{Error, Failure};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
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
        let path = target.display().to_string();
        return Err(Cause::IsDirectory { path }.into());
    }
    let is_special = there.as_ref().is_ok_and(|there| !there.is_file());
    match real(target).filter(|_| !is_special) {
        Some(real) => {
            let removed = remove_leftovers(folder_of(&real));
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
        if handle::is_of_a_process(&path) {
            return None;
        }
    }
    Some(path)
}

fn through(target: &Path, write: impl FnOnce(&mut dyn Write) -> service::Result<()>) -> Result<(), Failure> {
    let failed = |action: Action, e: io::Error| Failure::from(Cause::system(action, target, e));
    let file = OpenOptions::new().write(true).open(target);
    let mut out = BufWriter::with_capacity(1 << 20, file.map_err(|e| failed(Action::Open, e))?);
    write(&mut out).map_err(|e| named(target, e))?;
    out.flush().map_err(|e| failed(Action::Write, e))?;
    match out.get_ref().sync_all() {
        // Nothing that could be synced.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(|e| failed(Action::Write, e)),
    }
}

/// Writes under a name of our own beside it first. What is replaced gives its owner and permissions.
fn replace(
    target: &Path,
    there: Option<Metadata>,
    write: impl FnOnce(&mut dyn Write) -> service::Result<()>,
) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::from(Cause::system(Action::Write, target, e));
    let (temporary, file) = beside(target)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = write(&mut out).map_err(|e| named(target, e)).and_then(|()| {
        out.flush().map_err(failed)?;
        if let Some(there) = there {
            // Only root may give files away; the content is what was asked for.
            let _given = handle::give_as(out.get_ref(), &there);
            let _allowed = out.get_ref().set_permissions(there.permissions());
        }
        let named = out
            .get_ref()
            .sync_all()
            .and_then(|()| fs::rename(&temporary, target));
        let durable = named.and_then(|()| sync_folder(folder_of(target)));
        durable.map_err(failed)
    });
    if written.is_err() {
        // The error is being reported; what is left is part of a file at most.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// What is wrong with the output is reported with its path.
fn named(target: &Path, error: Error) -> Failure {
    match error {
        Error::Output(source) => Cause::system(Action::Write, target, source).into(),
        error => error.into(),
    }
}

/// A new file with a name that backups leave out, in the folder of `target`, locked.
fn beside(target: &Path) -> Result<(PathBuf, File), Failure> {
    for number in 0u32.. {
        let path = target.with_file_name(temporary_name(std::process::id(), number));
        let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(Cause::system(Action::Create, target, e).into()),
        };
        if lock::hold_new(&file) {
            return Ok((path, file));
        }
    }
    Err(Cause::system(
        Action::Create,
        target,
        io::Error::from(io::ErrorKind::AlreadyExists),
    )
    .into())
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
        .filter(|entry| is_temporary(paths::name_bytes(&entry.file_name())));
    ours.map(|entry| u64::from(remove_dead(&entry.path()))).sum()
}

/// Removes the file at `path` if the run that wrote it has died.
fn remove_dead(path: &Path) -> bool {
    let Ok(file) = handle::open_unwaiting(path) else {
        return false;
    };
    let is_dead = matches!(lock::try_lock(&file), Ok(true));
    is_dead && handle::is_named(&file, path) && fs::remove_file(path).is_ok()
}
