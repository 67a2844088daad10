//! Part of a generation as a tar stream: `dump` for directories. What tar can't hold is reported and left out; damage
//! ends it, since half a member can't be taken back.

use crate::dump::{Contents, failed};
use crate::entry::{Content, Entry, Kind};
use crate::error::Result;
use crate::fsmeta::device_numbers;
use crate::list;
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Phase, Problem, ProblemKind};
use crate::problem::{RestoreProblem, Warning};
use crate::repo::Repo;
use crate::restore::ChunkSource;
use crate::tar::{self, Member, Type};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// Directories that wait for their turn: beyond this they are written at once, and a reader that sets a directory's
/// times as soon as it meets the next one sets them too early.
const DIRS_MAX: usize = 1 << 20;
/// Multiply linked files that are remembered, so that memory stays bounded; the links of others are files of their own.
const LINKS_MAX: usize = 1 << 20;

/// Writes the directory at `path` (absolute) and all below it. Members have their whole path, without the first slash.
pub fn tar(
    repo: &Repo,
    manifest: &Manifest,
    path: &[u8],
    out: &mut dyn Write,
    monitor: &dyn Monitor,
) -> Result<()> {
    monitor.phase(Phase::Restoring);
    let source = ChunkSource::new(repo, monitor);
    let mut writer = Archive {
        contents: Contents::new(&source, out, monitor)?,
        monitor,
        links: HashMap::new(),
        dirs: BTreeMap::new(),
    };
    list::entries(source.reader(), manifest, Some(path), true, &mut |path, entry| {
        writer.dirs_up_to(Some(parent(path)))?;
        match entry.kind {
            Kind::Dir => writer.wait(path, entry),
            _ => writer.member(path, entry),
        }
    })?;
    writer.dirs_up_to(None)?;
    tar::end(writer.contents.out)
        .and_then(|()| writer.contents.out.flush())
        .map_err(failed)
}

struct Archive<'a> {
    contents: Contents<'a>,
    monitor: &'a dyn Monitor,
    /// First path of each multiply linked file, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    /// A generation lists all directories of one directory before what is in the first of them, and readers
    /// of archives expect each with its content: by [`turn`].
    dirs: BTreeMap<Vec<u8>, (Vec<u8>, Entry)>,
}

/// Path of the directory that holds this one; the root's is the root.
fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..slash).unwrap_or_default()
}

/// Sorts directories in the order in which generations list what is in them (see [`crate::entry::cmp_dirs`]).
fn turn(path: &[u8]) -> Vec<u8> {
    path.iter()
        .map(|byte| if *byte == b'/' { 0 } else { *byte })
        .collect()
}

impl Archive<'_> {
    fn wait(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        if self.dirs.len() >= DIRS_MAX {
            self.dirs_up_to(None)?;
        }
        self.dirs.insert(turn(path), (path.to_vec(), entry.clone()));
        Ok(())
    }

    /// Writes the directories whose turn has come now that something in `dir` comes; at the end all.
    fn dirs_up_to(&mut self, dir: Option<&[u8]>) -> Result<()> {
        let until = dir.map(turn);
        while let Some(next) = self.dirs.first_entry() {
            if until.as_ref().is_some_and(|until| next.key() > until) {
                break;
            }
            let (path, entry) = next.remove();
            self.member(&path, &entry)?;
        }
        Ok(())
    }

    fn member(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        let meta = &entry.meta;
        let lost = entry.trouble.is_some() && entry.content == Content::None && meta.size > 0;
        if lost || entry.kind == Kind::Socket {
            self.left_out(path, lost);
            return Ok(());
        }
        let mut member = Member {
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
            user: &meta.user,
            group: &meta.group,
            ..Member::file(path, 0, meta.mtime)
        };
        match &entry.kind {
            Kind::File => match self.first_link(path, entry) {
                Some(first) => {
                    (member.kind, member.link) = (Type::HardLink, &first);
                    return member.write(self.contents.out).map_err(failed);
                }
                None => member.size = meta.size,
            },
            Kind::Dir => member.kind = Type::Dir,
            Kind::Symlink { target } => (member.kind, member.link) = (Type::Symlink, target),
            Kind::CharDevice { rdev } => {
                (member.kind, member.device) = (Type::CharDevice, device_numbers(*rdev));
            }
            Kind::BlockDevice { rdev } => {
                (member.kind, member.device) = (Type::BlockDevice, device_numbers(*rdev));
            }
            Kind::Fifo => member.kind = Type::Fifo,
            Kind::Socket => return Ok(()),
        }
        member.write(self.contents.out).map_err(failed)?;
        if entry.kind == Kind::File {
            let shown = format!("/{}", path.escape_ascii());
            self.contents.write(&shown, entry)?;
            self.contents
                .out
                .write_all(tar::padding(meta.size))
                .map_err(failed)?;
        }
        Ok(())
    }

    fn first_link(&mut self, path: &[u8], entry: &Entry) -> Option<Vec<u8>> {
        if entry.meta.nlink < 2 {
            return None;
        }
        let key = (entry.meta.dev, entry.meta.ino);
        if let Some(first) = self.links.get(&key) {
            return Some(first.clone());
        }
        if self.links.len() < LINKS_MAX {
            self.links.insert(key, path.to_vec());
        }
        None
    }

    fn left_out(&self, path: &[u8], lost: bool) {
        let path = [b"/", path].concat();
        let what = match lost {
            true => ProblemKind::Restore(RestoreProblem::NotInArchive),
            false => ProblemKind::Warning(Warning::SocketNotArchived),
        };
        self.monitor.problem(&Problem { path, what });
    }
}
