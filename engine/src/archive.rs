//! Part of a generation as a tar stream: `dump` for directories. What can't be in one is said and left out; damage ends
//! it, since half a member can't be taken back.

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
use std::collections::HashMap;
use std::io::Write;

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
    };
    list::entries(source.reader(), manifest, Some(path), true, &mut |path, entry| {
        writer.member(path, entry)
    })?;
    tar::end(writer.contents.out)
        .and_then(|()| writer.contents.out.flush())
        .map_err(failed)
}

struct Archive<'a> {
    contents: Contents<'a>,
    monitor: &'a dyn Monitor,
    /// First path of each multiply linked file, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl Archive<'_> {
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
