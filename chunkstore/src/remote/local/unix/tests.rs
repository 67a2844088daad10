use super::staged::link_exclusive;
use super::*;
use crate::id::{PackId, SessionId};
use crate::remote::Published;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

fn session(n: u8) -> ObjectName {
    ObjectName::session(SessionId([n; 16]))
}

fn pack(n: u8) -> ObjectName {
    ObjectName::pack(PackId([n; 32]))
}

fn listed(remote: &Local, kind: Kind) -> Result<Vec<ObjectName>> {
    let mut names = Vec::new();
    remote.list(kind, &mut |name, _| {
        names.push(name);
        Ok(())
    })?;
    names.sort();
    Ok(names)
}

fn mode(path: PathBuf) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_and_folders_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/b");
    let remote = Local::new(&root);
    remote.put(&pack(0xab), b"x").unwrap();
    for folder in ["", "tmp", "packs", "packs/ab"] {
        assert_eq!(mode(root.join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(root.join(pack(0xab).path())), 0o600);
}

/// What a group shares stays shared, whatever the umask.
#[test]
fn a_shared_repository_stays_shared() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("shared");
    std::fs::create_dir(&root).unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o770)).unwrap();
    let remote = Local::new(&root);
    remote.put(&pack(0xab), b"x").unwrap();
    for folder in ["tmp", "packs", "packs/ab"] {
        assert_eq!(mode(root.join(folder)), 0o770, "{folder}");
    }
    assert_eq!(mode(root.join(pack(0xab).path())), 0o660);
    remote.create_reserve().unwrap();
    assert_eq!(mode(root.join("tmp/reserve")), 0o660);
}

/// Only root can give files away, so only root can try.
#[test]
fn what_root_writes_belongs_to_the_owner_of_the_repository() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(1234), Some(2345)).unwrap();
    let remote = Local::new(dir.path());
    remote.put(&pack(0xab), b"x").unwrap();
    for path in ["tmp", "packs", "packs/ab", &pack(0xab).path()] {
        let meta = std::fs::metadata(dir.path().join(path)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1234, 2345), "{path}");
    }
    // Nobody but the owner.
    assert_eq!(mode(dir.path().join(pack(0xab).path())), 0o600);
}

#[test]
fn a_missing_root_is_no_repository_and_no_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("none");
    let remote = Local::new(&root);
    let config = ObjectName::config();
    assert!(matches!(remote.get(&config, 10), Err(Error::Missing { .. })));
    assert_eq!(remote.size(&config).unwrap(), None);
    assert!(matches!(remote.get(&pack(1), 10), Err(Error::Remote { .. })));
    assert!(matches!(remote.size(&pack(1)), Err(Error::Remote { .. })));
    assert!(matches!(remote.delete(&pack(1)), Err(Error::Remote { .. })));
    for kind in Kind::ALL {
        assert!(listed(&remote, kind).is_err(), "{kind:?}");
    }
    assert!(!root.exists(), "reading creates nothing");
}

#[test]
fn a_root_that_went_away_is_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("repo");
    let remote = Local::new(&root);
    remote.put(&pack(1), b"x").unwrap();
    std::fs::remove_dir_all(&root).unwrap();
    for kind in Kind::ALL {
        assert!(listed(&remote, kind).is_err(), "{kind:?}");
    }
    assert!(matches!(remote.get(&pack(1), 10), Err(Error::Remote { .. })));
    assert!(matches!(remote.size(&pack(1)), Err(Error::Remote { .. })));
    assert!(remote.begin().is_err(), "a repository is not begun anew halfway");
    assert!(!root.exists());
}

#[test]
fn the_barrier_syncs_each_touched_folder_once() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    let owed = |remote: &Local| -> Vec<String> {
        let unsynced = remote.shared.unsynced.lock();
        unsynced.folders.iter().cloned().collect()
    };
    let publish = |name: &ObjectName| {
        let mut staged = remote.begin().unwrap();
        staged.write(b"x").unwrap();
        staged.publish(name).unwrap()
    };
    assert_eq!(publish(&pack(0xab)), Published::Created);
    assert_eq!(owed(&remote), [".", "packs", "packs/ab"]);
    remote.barrier().unwrap();
    assert!(owed(&remote).is_empty());
    // A taken name is owed as well: it may be another's, not yet durable.
    assert_eq!(publish(&pack(0xab)), Published::Exists);
    assert_eq!(owed(&remote), ["packs/ab"]);
    remote.barrier().unwrap();
    remote.delete(&pack(0xab)).unwrap();
    assert_eq!(owed(&remote), ["packs/ab"]);
    std::fs::remove_dir(dir.path().join("packs/ab")).unwrap();
    remote.barrier().unwrap();
    assert_eq!(publish(&pack(0xab)), Published::Created);
    assert_eq!(owed(&remote), [".", "packs", "packs/ab"], "created again");
}

#[test]
fn after_a_failed_sync_no_barrier_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    remote.put(&session(1), b"x").unwrap();
    remote.shared.unsynced.lock().failed = true;
    assert!(remote.barrier().is_err());
    assert!(remote.put(&session(2), b"x").is_err());
    assert!(remote.barrier().is_err());
}

#[test]
fn a_folder_that_cannot_be_opened_stays_owed() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    let mut staged = remote.begin().unwrap();
    staged.write(b"x").unwrap();
    staged.publish(&session(1)).unwrap();
    let folder = dir.path().join("sessions");
    std::fs::rename(&folder, dir.path().join("away")).unwrap();
    std::fs::write(&folder, b"in the way").unwrap();
    assert!(remote.barrier().is_err());
    assert!(remote.barrier().is_err());
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(dir.path().join("away"), &folder).unwrap();
    remote.barrier().unwrap();
    assert!(remote.shared.unsynced.lock().folders.is_empty());
}

#[test]
fn publishing_by_link_is_exclusive_too() {
    let dir = tempfile::tempdir().unwrap();
    let root = File::open(dir.path()).unwrap();
    for n in 0..8 {
        std::fs::write(dir.path().join(format!("t{n}")), [n]).unwrap();
    }
    for round in 0..20 {
        let target = format!("target{round}");
        let start = std::sync::Barrier::new(8);
        let results: Vec<Published> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|n| {
                    let (root, start, target) = (&root, &start, &target);
                    scope.spawn(move || {
                        start.wait();
                        link_exclusive(root.as_fd(), &format!("t{n}"), target).unwrap()
                    })
                })
                .collect();
            racers.into_iter().map(|r| r.join().unwrap()).collect()
        });
        let winners: Vec<u8> = (0..8u8)
            .filter(|n| results[usize::from(*n)] == Published::Created)
            .collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(std::fs::read(dir.path().join(&target)).unwrap(), winners);
        // The winner's request repeated, as a network filesystem may do, still has won.
        let again = link_exclusive(root.as_fd(), &format!("t{}", winners[0]), &target).unwrap();
        assert_eq!(again, Published::Created);
    }
}

/// It is listed, so that it hides no object; whoever reads it gets an error, never that it is missing.
#[test]
fn what_is_not_a_file_under_a_name_is_unreadable() {
    type Make = fn(&Path);
    let makers: [(Make, Cause); 5] = [
        (|path| std::fs::create_dir(path).unwrap(), Cause::NotARegularFile),
        (
            |path| rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::from_raw_mode(0o600)).unwrap(),
            Cause::NotARegularFile,
        ),
        (
            |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            Cause::NotARegularFile,
        ),
        (|path| symlink(path, path).unwrap(), Cause::BrokenLink),
        (|path| symlink("nowhere", path).unwrap(), Cause::BrokenLink),
    ];
    for (make, cause) in makers {
        let dir = tempfile::tempdir().unwrap();
        let remote = Local::new(dir.path());
        for name in [session(1), ObjectName::pack(PackId([1; 32]))] {
            let path = dir.path().join(name.path());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            // Names of sockets are short.
            let short = dir.path().join("x");
            make(&short);
            std::fs::rename(&short, &path).unwrap();
            if cause == Cause::BrokenLink && path.read_link().unwrap() == short {
                std::fs::remove_file(&path).unwrap();
                symlink(&path, &path).unwrap();
            }
            let why = |error: Error| match error {
                Error::Remote { source, .. } => source.cause().cloned(),
                other => panic!("{other}"),
            };
            assert_eq!(listed(&remote, name.kind()).unwrap(), std::slice::from_ref(&name));
            assert_eq!(why(remote.get(&name, 10).unwrap_err()), Some(cause.clone()));
            assert_eq!(why(remote.size(&name).unwrap_err()), Some(cause.clone()));
            assert_eq!(remote.put(&name, b"x").unwrap(), Published::Exists);
            assert_eq!(remote.delete(&name).is_err(), path.is_dir());
        }
    }
}

#[test]
fn a_link_to_a_file_is_that_file() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    let path = dir.path().join(session(1).path());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(dir.path().join("elsewhere"), b"abc").unwrap();
    symlink("../elsewhere", &path).unwrap();
    assert_eq!(remote.size(&session(1)).unwrap(), Some(3));
    assert_eq!(remote.get(&session(1), 10).unwrap(), b"abc");
}

#[test]
fn a_failed_write_is_never_published() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    let mut staged = Box::new(StagedFile::create(&remote.shared).unwrap());
    let temporary = staged.temporary.clone();
    // Opened for reading, so that the write fails.
    staged.file = File::open(dir.path().join(&temporary)).unwrap();
    assert!(matches!(staged.write(b"x"), Err(Error::Remote { .. })));
    assert!(matches!(staged.write(b"x"), Err(Error::WriterFailed)));
    assert!(matches!(staged.publish(&session(1)), Err(Error::WriterFailed)));
    assert_eq!(remote.size(&session(1)).unwrap(), None);
    assert!(!dir.path().join(&temporary).exists());
}
