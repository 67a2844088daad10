//! Compares what was restored with what the snapshot records, and files with those that were backed up, where these are
//! as they were: of the same size, times and inode. A live file that changes meanwhile is not compared.

use super::{DrillReport, Said, Told, absolute};
use crate::entry::{DirPath, Entry, Kind, Meta, Time, Trouble, Xattr};
use crate::error::{Error, Result};
use crate::fsmeta::{
    self, ApplyOptions, AsFd, Blank, FollowLinks, OwnedFd, Owner, Owners, Target, TargetDir,
};
use crate::list::in_stored_order;
use crate::manifest::Manifest;
use crate::monitor::{Monitor, Problem, ProblemKind, Progress};
use crate::platform::errno::errno_of;
use crate::platform::handle::read_at;
use crate::problem::{Damage, DrillFault, MetaPart};
use crate::repo::Repo;
use crate::restore::file_holds;
use crate::trees::cursor;
use chunkstore::reader::Reader;
use std::fs::File;
use std::io;
use std::path::Path;

pub(super) struct DrillComparison<'a> {
    repo: &'a Repo,
    reader: &'a Reader<'a>,
    manifest: &'a Manifest,
    told: &'a Told<'a>,
    target: Target,
    /// The directory that was compared in last.
    dir: Option<(DirPath, TargetDir)>,
    /// `/`, if the snapshot is of this machine.
    live: Option<OwnedFd>,
    owners: Owners,
    apply: ApplyOptions,
    expected: (u64, u64),
    /// The same of what was looked at.
    seen: (u64, u64),
    pub found: DrillReport,
}

/// What became of a live file.
enum LiveFile {
    Equal,
    Differs,
    /// It is another one now, or changes, or is not there.
    Changed,
}

impl<'a> DrillComparison<'a> {
    pub fn new(
        repo: &'a Repo,
        reader: &'a Reader<'a>,
        manifest: &'a Manifest,
        folder: &Path,
        told: &'a Told<'a>,
    ) -> Result<DrillComparison<'a>> {
        let target = Target::open(folder).map_err(|e| Error::Target {
            path: folder.to_path_buf(),
            problem: e.into(),
        })?;
        let is_ours = manifest.host == repo.run().host;
        Ok(DrillComparison {
            repo,
            reader,
            manifest,
            told,
            target,
            dir: None,
            // Without it, nothing is compared with live files.
            live: is_ours.then(fsmeta::open_root).and_then(io::Result::ok),
            owners: Owners::default(),
            apply: ApplyOptions::for_this_process(),
            expected: (0, 0),
            seen: (0, 0),
            found: DrillReport::default(),
        })
    }

    /// How many files and bytes there are to compare.
    pub fn expect(&mut self, files: u64, bytes: u64) {
        self.expected = (files, bytes);
    }

    /// Compares what is at these paths, or everything.
    pub fn all(&mut self, paths: Option<&[Vec<u8>]>) -> Result<()> {
        let Some(paths) = paths else {
            return in_stored_order(self.reader, self.manifest, &mut |path, entry| {
                self.entry(path, entry)
            });
        };
        let mut recorded = cursor(self.reader, &self.manifest.root()?)?;
        for path in paths {
            // It was found there before.
            if let Some(item) = recorded.lookup(path)? {
                self.entry(path, &item.entry)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        self.repo.run().cancel().check()?;
        self.repo.run().rest();
        if !entry.is_saved() {
            return Ok(());
        }
        self.told.current(path);
        let said = self.told.of(&absolute(path));
        let was_restored = said != Some(Said::NotRestored);
        self.count(entry, was_restored);
        if !was_restored {
            self.found.different += 1;
        } else if let Some(fault) = self.restored(path, entry, said)? {
            self.differs(path, fault);
        } else if entry.kind == Kind::File && entry.was_a_file() {
            match self.live(path, entry)? {
                Some(LiveFile::Equal) => self.found.live_files += 1,
                Some(LiveFile::Changed) => self.found.live_changed += 1,
                Some(LiveFile::Differs) => {
                    self.found.live_files += 1;
                    self.differs(path, DrillFault::Live);
                }
                None => {}
            }
        }
        let (files_total, bytes_total) = self.expected;
        self.told.progress(&Progress {
            files_done: self.seen.0,
            files_total,
            bytes_done: self.seen.1,
            bytes_total,
            errors: self.found.different,
        });
        Ok(())
    }

    fn count(&mut self, entry: &Entry, was_restored: bool) {
        let is_file = entry.kind == Kind::File;
        let size = if is_file { entry.meta.size } else { 0 };
        self.seen.0 += u64::from(is_file);
        self.seen.1 = self.seen.1.saturating_add(size);
        if was_restored {
            self.found.files += u64::from(is_file);
            self.found.others += u64::from(!is_file);
            self.found.bytes = self.found.bytes.saturating_add(size);
        }
    }

    fn differs(&mut self, path: &[u8], fault: DrillFault) {
        self.found.different += 1;
        self.told.monitor.problem(&Problem {
            path: absolute(path),
            what: ProblemKind::Damage(Damage::Drill(fault)),
        });
    }

    /// What is wrong with what was restored.
    fn restored(&mut self, path: &[u8], entry: &Entry, said: Option<Said>) -> Result<Option<DrillFault>> {
        let slash = path.iter().rposition(|b| *b == b'/');
        let above = slash.and_then(|slash| path.get(..slash)).unwrap_or_default();
        if self.dir.as_ref().is_none_or(|(dir, _)| **dir != *above) {
            let Ok(dir) = self.target.dir(above) else {
                return Ok(Some(DrillFault::Missing));
            };
            self.dir = Some((above.into(), dir));
        }
        let Some((_, dir)) = &self.dir else {
            return Ok(Some(DrillFault::Missing));
        };
        let Ok((mut kind, mut meta)) = dir.stat(&entry.name) else {
            return Ok(Some(DrillFault::Missing));
        };
        // What can't be read of it differs.
        let _unread = fsmeta::complete(dir.as_fd(), &entry.name, None, &self.owners, &mut kind, &mut meta);
        if kind != entry.kind {
            return Ok(Some(DrillFault::Kind));
        }
        if kind == Kind::File {
            let holds = match dir.open_file(&entry.name) {
                Ok(file) => file_holds(self.reader, &file, entry)?,
                Err(_) => false,
            };
            if !holds {
                return Ok(Some(DrillFault::Content));
            }
        }
        let part = match said {
            Some(_) => None,
            None => self.metadata(&kind, &entry.meta, &meta),
        };
        Ok(part.map(DrillFault::Metadata))
    }

    /// The first part of the metadata that is not as recorded.
    fn metadata(&self, kind: &Kind, was: &Meta, is: &Meta) -> Option<MetaPart> {
        let has_owner = self.apply.owner == Owner::Keep || (was.uid, was.gid) == (is.uid, is.gid);
        let has_mode = matches!(kind, Kind::Symlink { .. }) || was.mode == is.mode;
        let has_flags = was.flags & !is.flags == 0;
        match () {
            () if !has_owner => Some(MetaPart::Owner),
            () if !has_mode => Some(MetaPart::Mode),
            () if !is_same_time(was.mtime, is.mtime) => Some(MetaPart::Times),
            () if !has_flags => Some(MetaPart::Flags),
            () => self.attribute(&was.xattrs, &is.xattrs).map(MetaPart::Attribute),
        }
    }

    /// The first extended attribute that differs. The system may add some of its own.
    fn attribute(&self, was: &[Xattr], is: &[Xattr]) -> Option<Vec<u8>> {
        let is_systems = |xattr: &&Xattr| {
            let name = &xattr.name[..];
            name.starts_with(b"security.") || name.starts_with(b"trusted.")
        };
        let comparable = |xattr: &&Xattr| self.apply.privileged || !is_systems(xattr);
        let lost = was.iter().filter(comparable).find(|xattr| !is.contains(xattr));
        let mut new = is.iter().filter(|xattr| !is_systems(xattr));
        let added = || new.find(|xattr| !was.iter().any(|known| known.name == xattr.name));
        lost.or_else(added).map(|xattr| xattr.name.clone())
    }

    /// Compares the live file with what is recorded, if it is as it was then.
    fn live(&self, path: &[u8], entry: &Entry) -> Result<Option<LiveFile>> {
        let Some(root) = &self.live else {
            return Ok(None);
        };
        let is_as_it_was = || {
            let found = fsmeta::stat(root.as_fd(), path, FollowLinks::No, &Blank::default());
            found.is_ok_and(|(kind, meta)| kind == Kind::File && is_unchanged(&entry.meta, &meta))
        };
        if !is_as_it_was() {
            return Ok(Some(LiveFile::Changed));
        }
        let Ok(file) = fsmeta::open_source(root.as_fd(), path) else {
            return Ok(Some(LiveFile::Changed));
        };
        let holds = file_holds(self.reader, &file, entry)?;
        let opened = fsmeta::stat_fd(file.as_fd());
        if !opened.is_ok_and(|(_, meta)| is_unchanged(&entry.meta, &meta)) || !is_as_it_was() {
            return Ok(Some(LiveFile::Changed));
        }
        if holds {
            return Ok(Some(LiveFile::Equal));
        }
        // A file that can't be read says nothing about the snapshot.
        if let Err(e) = read_all(&file) {
            let errno = errno_of(&e);
            self.told.monitor.problem(&Problem {
                path: absolute(path),
                what: ProblemKind::Source(Trouble::Unreadable { errno }),
            });
            return Ok(Some(LiveFile::Changed));
        }
        Ok(Some(LiveFile::Differs))
    }
}

fn is_unchanged(was: &Meta, is: &Meta) -> bool {
    (was.size, was.mtime, was.ctime, was.ino) == (is.size, is.mtime, is.ctime, is.ino)
}

/// Some file systems keep times less exactly.
fn is_same_time(was: Time, is: Time) -> bool {
    let exact = |grain: u32| is.nanos == was.nanos - was.nanos % grain;
    was.secs == is.secs && [1, 100, 1_000, 1_000_000, 1_000_000_000].into_iter().any(exact)
}

fn read_all(file: &File) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        match read_at(file, &mut buffer, at)? {
            0 => return Ok(()),
            read => at += read as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{self, BackupOptions};
    use crate::monitor::{ProblemList, Quiet};
    use crate::repo;
    use crate::restore::{self, RestoreOptions};
    use crate::run::{LocalDirs, RunContext};
    use chunkstore::chunker::Bounds;
    use chunkstore::slot::{Cost, Secret};
    use std::fs;

    #[test]
    fn times_that_a_file_system_shortens() {
        let at = |secs, nanos| Time { secs, nanos };
        let was = at(5, 123_456_789);
        for same in [123_456_789, 123_456_700, 123_456_000, 123_000_000, 0] {
            assert!(is_same_time(was, at(5, same)), "{same}");
        }
        for other in [123_456_788, 123_456_600, 999_999_999] {
            assert!(!is_same_time(was, at(5, other)), "{other}");
        }
        assert!(!is_same_time(was, at(6, was.nanos)));
    }

    fn entry_at(reader: &Reader<'_>, manifest: &Manifest, path: &Path) -> (Vec<u8>, Entry) {
        let path = crate::list::relative(path.as_os_str().as_encoded_bytes()).to_vec();
        let mut cursor = cursor(reader, &manifest.root().unwrap()).unwrap();
        let item = cursor.lookup(&path).unwrap().unwrap();
        (path, item.entry)
    }

    #[test]
    fn every_difference_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunContext {
            host: "host".to_string(),
            ..RunContext::new(LocalDirs::below(dir.path().join("local")))
        };
        let place = dir.path().join("repository").display().to_string();
        let secret = || Secret::KeyFile([7; 32].into());
        let secrets = [(secret(), "test")];
        repo::create(&place, &run, Bounds::DEFAULT, &secrets, Cost::FLOOR, None).unwrap();
        let repo = Repo::open(&place, &secret(), &run).unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        for name in ["a", "b", "c", "d", "e"] {
            fs::write(source.join(name), name.repeat(3)).unwrap();
        }
        let options = BackupOptions::new(vec![source.clone()]);
        let made = backup::run(&repo, &options, None, &Quiet).unwrap();
        let manifest = repo.manifest(made.snapshot.unwrap()).unwrap();
        let folder = dir.path().join("folder");
        restore::run(&repo, &manifest, &RestoreOptions::new(&folder), &Quiet).unwrap();
        let reader = repo.reader(&Quiet);
        let compared = || {
            let problems = ProblemList::new();
            let told = Told::new(&problems);
            let mut comparison = DrillComparison::new(&repo, &reader, &manifest, &folder, &told).unwrap();
            comparison.all(None).unwrap();
            let found = comparison.found;
            drop(comparison);
            let faults = problems.list().into_iter().map(|problem| match problem.what {
                ProblemKind::Damage(Damage::Drill(fault)) => fault,
                other => panic!("{other:?}"),
            });
            (found, faults.collect::<Vec<_>>())
        };
        let (found, faults) = compared();
        assert_eq!(
            (found.files, found.live_files, found.different),
            (5, 5, 0),
            "{faults:?}"
        );
        // A live file of which everything but the content is as it was.
        let told = Told::new(&Quiet);
        let comparison = DrillComparison::new(&repo, &reader, &manifest, &folder, &told).unwrap();
        let (path, a) = entry_at(&reader, &manifest, &source.join("a"));
        let (_, b) = entry_at(&reader, &manifest, &source.join("b"));
        let other = Entry {
            content: b.content,
            ..a
        };
        let live = comparison.live(&path, &other).unwrap();
        assert!(matches!(live, Some(LiveFile::Differs)));
        // What was restored is not what it should be.
        let restored = |name: &str| folder.join(source.strip_prefix("/").unwrap()).join(name);
        fs::remove_file(restored("a")).unwrap();
        let times = fs::metadata(restored("b")).unwrap().modified().unwrap();
        fs::write(restored("b"), "xxx").unwrap();
        fs::File::open(restored("b"))
            .unwrap()
            .set_modified(times)
            .unwrap();
        let mut rights = fs::metadata(restored("c")).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(restored("c"), rights).unwrap();
        fs::remove_file(restored("d")).unwrap();
        fs::create_dir(restored("d")).unwrap();
        // The folder's own time changed, too.
        let (found, faults) = compared();
        let want = [
            DrillFault::Metadata(MetaPart::Times),
            DrillFault::Missing,
            DrillFault::Content,
            DrillFault::Metadata(MetaPart::Mode),
            DrillFault::Kind,
        ];
        assert_eq!(faults, want);
        assert_eq!((found.different, found.live_files), (5, 1));
        // A live file that has changed since is left alone.
        fs::write(source.join("e"), "yyy").unwrap();
        let (found, _) = compared();
        assert_eq!((found.different, found.live_files, found.live_changed), (5, 0, 1));
    }
}
