//! Every remote passes the suite; what only a directory can show is tested below it.

use chunkstore::remote::{Kind, Local, Memory, ObjectName, PortableLocal, Published, Remote};
use chunkstore::{Error, PackId, SessionId};
use kit::conformance::conformance;
use kit::remotes::{Counting, Faulty, listed};
use std::cell::RefCell;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::SystemTime;

fn session(n: u8) -> ObjectName {
    ObjectName::session(SessionId([n; 16]))
}

fn pack(n: u8) -> ObjectName {
    ObjectName::pack(PackId([n; 32]))
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn memory() {
    conformance(&|| Arc::new(Memory::new()));
}

/// What the suite leaves in a directory: nothing unpublished.
fn local(open: impl Fn(&Path) -> Arc<dyn Remote>) {
    let dirs = RefCell::new(Vec::new());
    conformance(&|| {
        let dir = tempfile::tempdir().unwrap();
        let remote = open(dir.path());
        dirs.borrow_mut().push(dir);
        remote
    });
    for dir in dirs.borrow().iter() {
        assert_eq!(entries(&dir.path().join("tmp")), 0, "nothing unpublished is left");
    }
}

#[test]
fn local_by_calls_of_the_system() {
    local(|root| Arc::new(Local::new(root)));
}

#[test]
fn local_by_the_standard_library() {
    local(|root| Arc::new(PortableLocal::new(root)));
}

/// The kit's own remotes keep the contract unless a test has them break it.
#[test]
fn wrappers() {
    conformance(&|| Arc::new(Counting::new(Arc::new(Memory::new()))));
    conformance(&|| Arc::new(Faulty::new(Arc::new(Memory::new()))));
}

#[test]
fn clones_of_a_memory_share_their_objects() {
    let one = Memory::new();
    let other = one.clone();
    one.put(&session(1), b"x").unwrap();
    assert_eq!(other.get(&session(1), 1).unwrap(), b"x");
    assert_eq!(listed(&Memory::new(), Kind::Session).unwrap(), []);
}

#[test]
fn local_passes_over_what_is_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    for name in [session(1), pack(0xab)] {
        remote.put(&name, b"x").unwrap();
    }
    let hex = "ab".repeat(32);
    let strangers = [
        "sessions/README".to_string(),
        "sessions/.nfs0000".to_string(),
        format!("sessions/{}", "AB".repeat(16)),
        format!("sessions/{hex}"),
        format!("packs/{hex}"),
        "packs/lost+found".to_string(),
        "packs/ab/note".to_string(),
        // Under a folder that is not its own it can't be read by its name.
        format!("packs/cd/{hex}"),
        "other".to_string(),
    ];
    std::fs::create_dir(dir.path().join("packs/cd")).unwrap();
    for stranger in &strangers {
        std::fs::write(dir.path().join(stranger), b"?").unwrap();
    }
    // A link that leads nowhere has the name of an object, which may be on a disk that is not mounted.
    symlink("nowhere", dir.path().join(session(2).path())).unwrap();
    let sessions = [(session(1), 1), (session(2), 0)];
    assert_eq!(listed(&remote, Kind::Session).unwrap(), sessions);
    assert_eq!(listed(&remote, Kind::Pack).unwrap(), [(pack(0xab), 1)]);
}

/// I-9. Root may read any folder, so not permissions but files in place of folders stand in for trouble.
#[test]
fn local_trouble_is_never_an_empty_listing() {
    for kind in Kind::ALL {
        let dir = tempfile::tempdir().unwrap();
        let remote = Local::new(dir.path());
        assert_eq!(listed(&remote, kind).unwrap(), [], "{kind:?}");
        let in_the_way = dir.path().join(kind.folder());
        match kind {
            Kind::Config => std::fs::create_dir(in_the_way).unwrap(),
            _ => std::fs::write(in_the_way, b"a file").unwrap(),
        }
        assert!(
            matches!(listed(&remote, kind), Err(Error::Remote { .. })),
            "{kind:?}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    remote.put(&pack(1), b"x").unwrap();
    std::fs::write(dir.path().join("packs/02"), b"a file").unwrap();
    assert!(matches!(listed(&remote, Kind::Pack), Err(Error::Remote { .. })));
    assert!(matches!(remote.size(&pack(2)), Err(Error::Remote { .. })));
    assert!(matches!(remote.get(&pack(2), 1), Err(Error::Remote { .. })));
    assert!(remote.put(&pack(2), b"x").is_err());

    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let not_a_folder = Local::new(&file);
    assert!(matches!(
        not_a_folder.get(&ObjectName::config(), 1),
        Err(Error::Remote { .. })
    ));
    assert!(listed(&not_a_folder, Kind::Pack).is_err());
    assert!(not_a_folder.begin().is_err());
}

/// Whatever the clocks: a lock shows who still writes, and where that can't be seen, the sessions do.
#[test]
fn local_sweeps_what_nobody_writes() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    let sweep = |ended: bool| remote.sweep_staged(&mut || Ok(ended)).unwrap();
    assert_eq!(sweep(true), 0, "no folder yet");
    remote.put(&session(1), b"x").unwrap();
    let tmp = dir.path().join("tmp");
    let leave = |name: &str| std::fs::write(tmp.join(name), b"left").unwrap();
    leave(&"a".repeat(32));
    leave(&"b".repeat(32));
    let of_a_server = "c".repeat(34);
    leave(&of_a_server);
    leave("somebody's file");
    std::fs::create_dir(tmp.join("d".repeat(32))).unwrap();
    let mut running = remote.begin().unwrap();
    running.write(b"running").unwrap();
    for entry in std::fs::read_dir(&tmp).unwrap() {
        let file = std::fs::File::open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let other = Local::new(dir.path());
    assert_eq!(other.sweep_staged(&mut || Ok(false)).unwrap(), 2);
    assert_eq!(sweep(false), 0);
    assert!(tmp.join(&of_a_server).exists());
    assert_eq!(sweep(true), 1);
    assert!(!tmp.join(&of_a_server).exists());
    assert!(tmp.join("somebody's file").exists());
    assert!(tmp.join("d".repeat(32)).exists());
    assert_eq!(remote.get(&session(1), 1).unwrap(), b"x", "named objects stay");
    assert_eq!(running.publish(&session(2)).unwrap(), Published::Created);
}

/// A writer makes its file and locks it in two steps, and a sweep may come in between. `name` is one that only the sessions
/// tell anything about.
fn sweeps_nothing_that_was_locked_meanwhile(remote: &dyn Remote, root: &Path, name: &str) {
    let path = root.join("tmp").join(name);
    std::fs::create_dir(root.join("tmp")).unwrap();
    let writers = std::fs::File::create(&path).unwrap();
    let mut asked = 0;
    let mut all_ended = || {
        asked += 1;
        writers.lock().unwrap();
        Ok(true)
    };
    assert_eq!(remote.sweep_staged(&mut all_ended).unwrap(), 0);
    assert_eq!(asked, 1);
    assert!(path.exists());
    drop(writers);
    assert_eq!(remote.sweep_staged(&mut || Ok(true)).unwrap(), 1);
    assert!(!path.exists());
}

#[test]
fn local_sweeps_nothing_that_was_locked_meanwhile() {
    let (dir, portable) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sweeps_nothing_that_was_locked_meanwhile(&Local::new(dir.path()), dir.path(), &"a".repeat(34));
    let remote = PortableLocal::new(portable.path());
    sweeps_nothing_that_was_locked_meanwhile(&remote, portable.path(), &"a".repeat(32));
}

#[test]
fn local_sweep_follows_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let theirs = elsewhere.path().join("a".repeat(32));
    std::fs::write(&theirs, b"theirs").unwrap();
    symlink(elsewhere.path(), dir.path().join("tmp")).unwrap();
    assert!(Local::new(dir.path()).sweep_staged(&mut || Ok(true)).is_err());
    assert!(theirs.exists());
}

#[test]
fn local_swept_while_writing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path());
    let mut staged = remote.begin().unwrap();
    staged.write(b"x").unwrap();
    for entry in std::fs::read_dir(dir.path().join("tmp")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(matches!(staged.publish(&session(1)), Err(Error::Remote { .. })));
    assert_eq!(remote.size(&session(1)).unwrap(), None);
}

/// Two processes, as far as the remote knows: nothing is shared but the directory.
#[test]
fn local_rename_races_between_handles() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..50u8 {
        let start = Barrier::new(2);
        let won: Vec<Published> = std::thread::scope(|scope| {
            let racers: Vec<_> = [b'a', b'b']
                .into_iter()
                .map(|racer| {
                    let (start, root) = (&start, dir.path());
                    scope.spawn(move || {
                        let remote = Local::new(root);
                        let mut staged = remote.begin().unwrap();
                        staged.write(&[racer]).unwrap();
                        start.wait();
                        let published = staged.publish(&pack(round)).unwrap();
                        remote.barrier().unwrap();
                        if published == Published::Created {
                            assert_eq!(remote.get(&pack(round), 1).unwrap(), [racer]);
                        }
                        published
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let winners = won.iter().filter(|w| **w == Published::Created).count();
        assert_eq!(winners, 1, "round {round}");
    }
    assert_eq!(entries(&dir.path().join("tmp")), 0);
}

/// A filesystem of 1 MiB, taken down again with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(SmallDisk(dir)),
            _ => None,
        }
    }
}

impl SmallDisk {
    fn make_read_only(&self) {
        let done = std::process::Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.0.path())
            .status();
        assert!(done.unwrap().success());
    }
}

/// A small disk, or word on the terminal that a test can't be run here.
fn small_disk(test: &str) -> Option<SmallDisk> {
    let disk = SmallDisk::mount();
    if disk.is_none() {
        assert!(!rustix::process::geteuid().is_root(), "root can't mount a tmpfs");
        // Not through the test harness, which would keep it to itself.
        let word = format!("SKIPPED {test}: mounting a small disk needs root\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), word.as_bytes());
    }
    disk
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}

#[test]
fn local_full_disk() {
    let Some(disk) = small_disk("local_full_disk") else {
        return;
    };
    let remote = Local::new(disk.0.path().join("repository"));
    remote.put(&ObjectName::config(), b"config").unwrap();
    let bytes = vec![7; 100_000];
    let mut stored = 0;
    let full = loop {
        let mut staged = remote.begin().unwrap();
        let written = staged.write(&bytes);
        match written.and_then(|()| staged.publish(&pack(stored))) {
            Ok(published) => assert_eq!(published, Published::Created),
            Err(e) => break e,
        }
        stored += 1;
        assert!(stored < 12, "1 MiB holds no 12 packs");
    };
    assert!(matches!(full, Error::NoSpace { .. }), "{full}");
    assert!(stored >= 8, "{stored}");
    assert_eq!(entries(&disk.0.path().join("repository/tmp")), 0);
    assert_eq!(listed(&remote, Kind::Pack).unwrap().len(), usize::from(stored));
    for n in 0..stored {
        assert!(remote.get(&pack(n), bytes.len()).unwrap() == bytes);
    }

    // Filled to the last page: reading and deleting need no space, and make some.
    let filler = disk.0.path().join("filler");
    while std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&filler)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 512]))
        .is_ok()
    {}
    assert!(matches!(
        remote.put(&session(1), &bytes),
        Err(Error::NoSpace { .. })
    ));
    remote.delete(&pack(0)).unwrap();
    remote.barrier().unwrap();
    assert_eq!(remote.sweep_staged(&mut || Ok(true)).unwrap(), 0);
    assert_eq!(remote.put(&session(1), b"a mark").unwrap(), Published::Created);
    assert_eq!(
        listed(&remote, Kind::Pack).unwrap().len(),
        usize::from(stored) - 1
    );
}

#[test]
fn local_read_only_disk() {
    let Some(disk) = small_disk("local_read_only_disk") else {
        return;
    };
    let root = disk.0.path().join("repository");
    let remote = Local::new(&root);
    remote.put(&ObjectName::config(), b"config").unwrap();
    remote.put(&pack(1), b"pack").unwrap();
    disk.make_read_only();
    let remote = Local::new(&root);
    assert_eq!(remote.get(&ObjectName::config(), 10).unwrap(), b"config");
    assert_eq!(remote.get(&pack(1), 10).unwrap(), b"pack");
    assert_eq!(remote.size(&pack(2)).unwrap(), None);
    assert_eq!(listed(&remote, Kind::Pack).unwrap(), [(pack(1), 4)]);
    assert_eq!(listed(&remote, Kind::Mark).unwrap(), []);
    assert_eq!(remote.sweep_staged(&mut || Ok(true)).unwrap(), 0);
    remote.barrier().unwrap();
    assert!(matches!(remote.put(&session(1), b"x"), Err(Error::Remote { .. })));
    assert!(matches!(remote.delete(&pack(1)), Err(Error::Remote { .. })));
    assert!(chunkstore::remote::probe(&remote).is_err());
}

/// A listing of a folder that is not there is an error; a new repository has to do without.
#[test]
fn a_repository_can_be_made_where_nothing_is_yet() {
    let dir = tempfile::tempdir().unwrap();
    let remote = Local::new(dir.path().join("not/there/yet"));
    kit::machine::create(&remote, chunkstore::chunker::Bounds::DEFAULT).unwrap();
    assert_eq!(listed(&remote, Kind::Key).unwrap().len(), 1);
    let again = kit::machine::create(&remote, chunkstore::chunker::Bounds::DEFAULT);
    assert!(matches!(again, Err(Error::RepositoryExists { .. })));
    assert_eq!(listed(&remote, Kind::Key).unwrap().len(), 1);
}
