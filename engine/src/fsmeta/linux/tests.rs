//! Metadata of special kinds needs root; run as another user, tests of owners and devices fail rather than pass
//! without having tested anything.

use super::*;
use crate::entry::{Kind, Meta, Time, Trouble, Xattr};
use crate::fsmeta::{ApplyOptions, Blank, FileId, FollowLinks, Names, Owner, TargetError};
use crate::platform::nobody::{NOBODY, as_nobody};
use crate::problem::MetaPart;
use rustix::fs::{CWD, RenameFlags};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn root_options() -> ApplyOptions {
    ApplyOptions {
        owner: Owner::Numeric,
        xattrs: true,
        privileged: true,
    }
}

fn some_meta() -> Meta {
    Meta {
        mode: 0o640,
        mtime: Time {
            secs: 1_700_000_000,
            nanos: 123_456_789,
        },
        ..Blank::default().meta()
    }
}

fn xattr(name: &str, value: &[u8]) -> Xattr {
    Xattr {
        name: name.into(),
        value: value.to_vec(),
    }
}

/// `system.posix_acl_access`: version 2, then (tag, permissions, id) each.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, perm, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(perm.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// user::rw-, user:1234:r--, group::r--, mask::r--, other::---
fn some_acl() -> Vec<u8> {
    let none = u32::MAX;
    acl(&[
        (1, 6, none),
        (2, 4, 1234),
        (4, 4, none),
        (16, 4, none),
        (32, 0, none),
    ])
}

/// What a backup would record for `name`.
fn record(dir: &TargetDir, name: &[u8]) -> (Kind, Meta) {
    let (mut kind, mut meta) = stat(dir.as_fd(), name, FollowLinks::No, &Blank::default()).unwrap();
    let trouble = complete(dir.as_fd(), name, None, &Owners::default(), &mut kind, &mut meta);
    assert_eq!(trouble, None);
    (kind, meta)
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn hostile_names_are_refused_everywhere() {
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir(tmp.path().join("in")).unwrap();
    let target = Target::open(&tmp.path().join("in")).unwrap();
    let dir = target.root();
    let id = FileId { dev: 0, ino: 0 };
    let long = vec![b'x'; 256];
    let link = Kind::Symlink {
        target: b"x".to_vec(),
    };
    for name in [
        &b""[..],
        b".",
        b"..",
        b"/",
        b"/etc",
        b"a/b",
        b"../x",
        b"x/",
        b"a\0b",
        &long,
    ] {
        let refused = [
            dir.create_file(name).map(drop),
            dir.create_dir(name).map(drop),
            dir.create_special(name, &link),
            dir.create_special(name, &Kind::Fifo),
            dir.open_dir(name).map(drop),
            dir.open_file(name).map(drop),
            dir.hard_link(name, dir, b"ok", id),
            dir.hard_link(b"ok", dir, name, id),
            dir.remove(name),
            dir.remove_dir(name),
            dir.rename(name, b"ok"),
            dir.rename(b"ok", name),
            dir.stat(name).map(drop),
        ];
        for result in refused {
            assert!(
                matches!(result, Err(TargetError::HostileName { .. })),
                "{}: {result:?}",
                name.escape_ascii()
            );
        }
    }
    for path in [
        &b"/"[..],
        b"..",
        b"a/../..",
        b"a//b",
        b"/a",
        b"a/",
        b"a/./b",
        b"a\0",
    ] {
        let result = target.dir(path).map(drop);
        assert!(
            matches!(result, Err(TargetError::HostileName { .. })),
            "{}",
            path.escape_ascii()
        );
    }
    assert_eq!(fs::read_dir(tmp.path().join("in")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1);
}

#[test]
fn existing_links_are_not_followed() {
    let tmp = tempfile::tempdir().unwrap();
    let outside = tmp.path().join("outside");
    fs::create_dir_all(outside.join("sub")).unwrap();
    fs::create_dir(tmp.path().join("in")).unwrap();
    symlink(&outside, tmp.path().join("in/dir")).unwrap();
    symlink(outside.join("new"), tmp.path().join("in/file")).unwrap();
    let target = Target::open(&tmp.path().join("in")).unwrap();
    assert!(target.dir(b"dir").is_err());
    assert!(target.dir(b"dir/sub").is_err());
    assert!(target.root().open_each(b"dir/sub").is_err());
    assert!(target.root().open_dir(b"dir").is_err());
    assert!(target.root().open_file(b"file").is_err());
    let exists = |r: Result<(), TargetError>| {
        assert_eq!(r.unwrap_err().io_kind(), Some(std::io::ErrorKind::AlreadyExists));
    };
    exists(target.root().create_file(b"file").map(drop));
    exists(target.root().create_dir(b"dir").map(drop));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_dir(outside.join("sub")).unwrap().count(), 0);
}

/// Somebody exchanges a directory of the target with a link to outside, as fast as possible.
#[test]
fn swapped_links_lead_nowhere() {
    const ROUNDS: usize = 2000;
    let tmp = tempfile::tempdir().unwrap();
    let outside = tmp.path().join("outside");
    let inside = tmp.path().join("in");
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::create_dir_all(inside.join("sub/deep")).unwrap();
    symlink(&outside, inside.join("trap")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut created, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (inside.join("sub"), inside.join("trap"));
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let target = Target::open(&inside).unwrap();
        let mut round = 0;
        // Both outcomes must have been met, or nothing was shown.
        while round < ROUNDS || ((created == 0 || refused == 0) && round < 100 * ROUNDS) {
            let name = format!("f{round}").into_bytes();
            let result = match round % 4 {
                0 => target.dir(b"sub").and_then(|d| d.create_file(&name).map(drop)),
                1 => target
                    .dir(b"sub/deep")
                    .and_then(|d| d.create_file(&name).map(drop)),
                2 => target
                    .root()
                    .open_each(b"sub/deep")
                    .and_then(|d| d.create_dir(&name).map(drop)),
                _ => target
                    .root()
                    .open_dir(b"sub")
                    .and_then(|d| d.create_special(&name, &Kind::Fifo)),
            };
            match result {
                Ok(()) => created += 1,
                Err(_) => refused += 1,
            }
            round += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(created > 0 && refused > 0, "{created} created, {refused} refused");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_dir(outside.join("deep")).unwrap().count(), 0);
}

#[test]
fn hard_links_only_to_what_was_created() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let dir = target.root();
    let file = dir.create_file(b"a").unwrap();
    let id = FileId::from(&stat_fd(file.as_fd()).unwrap().1);
    dir.hard_link(b"b", dir, b"a", id).unwrap();
    assert_eq!(dir.stat(b"b").unwrap().1.nlink, 2);
    dir.create_file(b"other").unwrap();
    dir.rename(b"other", b"a").unwrap();
    let replaced = dir.hard_link(b"c", dir, b"a", id);
    assert!(matches!(replaced, Err(TargetError::Replaced { .. })));
    assert!(dir.stat(b"c").is_err());
}

#[test]
fn file_metadata_comes_back() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let dir = target.root();
    for (name, mode, secs, nanos) in [
        (&b"suid"[..], 0o6755, 1_700_000_000, 1),
        (b"sticky", 0o1000, 0, 999_999_999),
        (b"before 1970", 0o444, -86_401, 500_000_000),
        (b"far", 0o7777, 4_294_967_296, 0),
    ] {
        let file = dir.create_file(name).unwrap();
        let want = Meta {
            mode,
            uid: 1234,
            gid: 4321,
            mtime: Time { secs, nanos },
            xattrs: vec![
                xattr("security.test", b"s"),
                xattr("trusted.test", b"t"),
                xattr("user.empty", b""),
                xattr("user.\u{e9}", &[0, 255, 1]),
            ]
            .into(),
            ..some_meta()
        };
        let owners = Owners::default();
        let problems = apply_meta(
            &At::Fd(file.as_fd()),
            &Kind::File,
            &want,
            &root_options(),
            &owners,
        );
        assert_eq!(problems, []);
        let (kind, got) = record(dir, name);
        assert_eq!(kind, Kind::File);
        assert_eq!(got.mode, mode, "{}", name.escape_ascii());
        assert_eq!((got.uid, got.gid), (1234, 4321));
        assert_eq!(got.mtime, want.mtime);
        assert_eq!(got.xattrs, want.xattrs);
        assert!(got.btime.is_some());
        // Through the file's own descriptor the record is the same.
        let (mut kind, mut by_fd) = stat_fd(file.as_fd()).unwrap();
        complete(
            dir.as_fd(),
            name,
            Some(file.as_fd()),
            &owners,
            &mut kind,
            &mut by_fd,
        );
        assert_eq!(by_fd, got);
    }
}

#[test]
fn directories_and_acls_come_back() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let root = target.root();
    let dir = root.create_dir(b"d").unwrap();
    let want = Meta {
        mode: 0o2640,
        uid: 7,
        gid: 8,
        xattrs: vec![
            xattr("system.posix_acl_access", &some_acl()),
            xattr("system.posix_acl_default", &some_acl()),
        ]
        .into(),
        ..some_meta()
    };
    let owners = Owners::default();
    let applied = apply_meta(&At::Fd(dir.as_fd()), &Kind::Dir, &want, &root_options(), &owners);
    assert_eq!(applied, []);
    let (kind, got) = record(root, b"d");
    assert_eq!((kind, got.mode, got.uid, got.gid), (Kind::Dir, want.mode, 7, 8));
    assert_eq!((&got.xattrs, got.mtime), (&want.xattrs, want.mtime));

    // A file created in it inherits an access list that was never its own.
    let file = dir.create_file(b"f").unwrap();
    assert!(!record(&dir, b"f").1.xattrs.is_empty());
    let plain = some_meta();
    let applied = apply_meta(
        &At::Fd(file.as_fd()),
        &Kind::File,
        &plain,
        &root_options(),
        &owners,
    );
    assert_eq!(applied, []);
    let (_, got) = record(&dir, b"f");
    assert_eq!((got.mode, &got.xattrs), (0o640, &plain.xattrs));
}

#[test]
fn special_files_come_back() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let dir = target.root();
    let kinds = [
        (
            &b"link"[..],
            Kind::Symlink {
                target: b"../no\xff where".to_vec(),
            },
        ),
        (
            b"null",
            Kind::CharDevice {
                rdev: rustix::fs::makedev(1, 3),
            },
        ),
        (
            b"block",
            Kind::BlockDevice {
                rdev: rustix::fs::makedev(259, 70_000),
            },
        ),
        (b"fifo", Kind::Fifo),
        (b"socket", Kind::Socket),
    ];
    for (name, kind) in kinds {
        dir.create_special(name, &kind).unwrap();
        let want = Meta {
            mode: 0o4642,
            uid: 12,
            gid: 13,
            xattrs: vec![xattr("trusted.test", b"t")].into(),
            mtime: Time { secs: -5, nanos: 6 },
            ..some_meta()
        };
        let owners = Owners::default();
        let problems = apply_meta(
            &At::Name(dir.as_fd(), name),
            &kind,
            &want,
            &root_options(),
            &owners,
        );
        assert_eq!(problems, [], "{kind:?}");
        let (got_kind, got) = record(dir, name);
        assert_eq!(got_kind, kind);
        if !matches!(kind, Kind::Symlink { .. }) {
            assert_eq!(got.mode, want.mode);
        }
        assert_eq!((got.uid, got.gid, got.mtime), (12, 13, want.mtime));
        assert_eq!(got.xattrs, want.xattrs, "{kind:?}");
        assert_eq!(got.size, 0);
    }
    // A name that leads to another kind of object by now is left alone.
    fs::write(tmp.path().join("victim"), "").unwrap();
    let at = At::Name(dir.as_fd(), b"victim");
    let problems = apply_meta(
        &at,
        &Kind::Fifo,
        &some_meta(),
        &root_options(),
        &Owners::default(),
    );
    assert_eq!((problems.len(), &problems[0].part), (1, &MetaPart::All));
    assert_ne!(dir.stat(b"victim").unwrap().1.mtime, some_meta().mtime);
}

#[test]
fn hostile_metadata_is_a_problem_not_a_surprise() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let file = target.root().create_file(b"f").unwrap();
    let before = stat_fd(file.as_fd()).unwrap().1;
    let hostile = Meta {
        uid: u32::MAX,
        // UTIME_NOW
        mtime: Time {
            secs: 0,
            nanos: 0x3fff_ffff,
        },
        xattrs: vec![xattr("", b"x"), xattr("user.a\0b", b"x"), xattr("nonsense", b"")].into(),
        ..some_meta()
    };
    let at = At::Fd(file.as_fd());
    let problems = apply_meta(&at, &Kind::File, &hostile, &root_options(), &Owners::default());
    let parts: Vec<MetaPart> = problems.into_iter().map(|p| p.part).collect();
    let attribute = |name: &[u8]| MetaPart::Attribute(name.to_vec());
    assert_eq!(
        parts,
        [
            MetaPart::Owner,
            attribute(b""),
            attribute(b"user.a\0b"),
            attribute(b"nonsense"),
            MetaPart::Times
        ]
    );
    let after = stat_fd(file.as_fd()).unwrap().1;
    assert_eq!((after.uid, after.mtime), (before.uid, before.mtime));
}

#[test]
fn without_root_what_is_possible_is_done_and_the_rest_told() {
    let tmp = tempfile::tempdir().unwrap();
    open_to_all(tmp.path(), 0o777);
    let target = Target::open(tmp.path()).unwrap();
    let options = ApplyOptions {
        privileged: false,
        ..root_options()
    };
    let want = Meta {
        mode: 0o6755,
        uid: 0,
        gid: NOBODY,
        xattrs: vec![xattr("trusted.x", b"1"), xattr("user.x", b"2")].into(),
        ..some_meta()
    };
    let problems = as_nobody(|| {
        let file = target.root().create_file(b"f").unwrap();
        apply_meta(
            &At::Fd(file.as_fd()),
            &Kind::File,
            &want,
            &options,
            &Owners::default(),
        )
    });
    let parts: Vec<MetaPart> = problems.into_iter().map(|p| p.part).collect();
    let attribute = MetaPart::Attribute(b"trusted.x".to_vec());
    assert_eq!(parts, [MetaPart::Owner, MetaPart::Mode, attribute]);
    let (_, got) = record(target.root(), b"f");
    // It must not run with the rights of the user who restored it.
    assert_eq!((got.mode, got.uid, got.mtime), (0o2755, NOBODY, want.mtime));
    assert_eq!(&got.xattrs[..], [xattr("user.x", b"2")]);
}

#[test]
fn reading_as_another_user() {
    let tmp = tempfile::tempdir().unwrap();
    open_to_all(tmp.path(), 0o755);
    fs::write(tmp.path().join("f"), "text").unwrap();
    fs::create_dir(tmp.path().join("closed")).unwrap();
    open_to_all(&tmp.path().join("closed"), 0o700);
    let root = Target::open(tmp.path()).unwrap();
    let dir = root.root().as_fd();
    as_nobody(|| {
        // Not the owner: the kernel refuses to leave access times alone, and reading goes on without.
        let file = open_source(dir, b"f").unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap(), "text");
        let refused = open_dir(dir, b"closed").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    });
    let walk = |path: &Path| {
        let filter = crate::filter::Filter::build(Default::default()).unwrap();
        crate::walk::Walk::start(&crate::walk::Sources::of(&[path.to_path_buf()]), filter, 1).unwrap()
    };
    let troubles: Vec<Trouble> = as_nobody(|| walk(tmp.path()).filter_map(|b| b.trouble).collect());
    let errno = rustix::io::Errno::ACCESS.raw_os_error();
    assert_eq!(troubles, [Trouble::Unreadable { errno }]);
}

#[test]
fn reading_does_not_touch_access_times_nor_wait() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("f");
    fs::write(&path, "text").unwrap();
    let old = std::fs::FileTimes::new().set_accessed(std::time::UNIX_EPOCH);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_times(old)
        .unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let dir = target.root();
    let file = open_source(dir.as_fd(), b"f").unwrap();
    advise_sequential(&file);
    assert_eq!(std::io::read_to_string(&file).unwrap(), "text");
    assert_eq!(fs::metadata(&path).unwrap().atime(), 0);
    dir.create_special(b"fifo", &Kind::Fifo).unwrap();
    assert_eq!(
        stat_fd(open_source(dir.as_fd(), b"fifo").unwrap().as_fd())
            .unwrap()
            .0,
        Kind::Fifo
    );
    symlink("f", tmp.path().join("link")).unwrap();
    assert!(open_source(dir.as_fd(), b"link").is_err());
}

#[test]
fn holes_are_found() {
    let tmp = tempfile::tempdir().unwrap();
    let path = tmp.path().join("f");
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let ranges = |size| data_ranges(&file, size).map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(ranges(0), []);
    file.set_len(10 << 20).unwrap();
    assert_eq!(ranges(10 << 20), []);
    file.write_all_at(&[1; 100], 1 << 20).unwrap();
    file.write_all_at(&[1; 5000], 5 << 20).unwrap();
    file.sync_all().unwrap();
    let found = ranges(10 << 20);
    assert_eq!(found.len(), 2, "{found:?}");
    for ((start, end), at, len) in [(found[0], 1 << 20, 100), (found[1], 5 << 20, 5000)] {
        assert!(
            start <= at && end >= at + len && end - start < 1 << 20,
            "{found:?}"
        );
    }
    // The file may be longer or shorter than it was.
    assert_eq!(ranges((1 << 20) + 50), [(found[0].0, (1 << 20) + 50)]);
    assert_eq!(ranges(100 << 20), found);
    let pipe = std::io::pipe().unwrap().0;
    assert!(data_ranges(&pipe, 10).next().unwrap().is_err());
}

#[test]
fn a_removed_directory_does_not_list_as_empty() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let open = target.root().create_dir(b"d").unwrap();
    let mut names = Names::default();
    list_dir(open.as_fd(), &mut Vec::new(), &mut names).unwrap();
    assert!(names.is_empty());
    target.root().remove_dir(b"d").unwrap();
    assert!(list_dir(open.as_fd(), &mut Vec::new(), &mut names).is_err());
}

#[test]
fn owners_have_names() {
    let owners = Owners::default();
    for _ in 0..2 {
        assert_eq!(&*owners.user(0), "root");
        assert_eq!(&*owners.group(0), "root");
        assert_eq!(&*owners.user(3_999_999_999), "");
        assert_eq!(owners.uid_of(&"root".into()), Some(0));
        assert_eq!(owners.gid_of(&"root".into()), Some(0));
        assert_eq!(owners.uid_of(&"no such user".into()), None);
        assert_eq!(owners.uid_of(&"".into()), None);
        assert_eq!(owners.uid_of(&"ro\0ot".into()), None);
    }
}

#[test]
fn owner_by_name_falls_back_to_numbers() {
    let tmp = tempfile::tempdir().unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let file = target.root().create_file(b"f").unwrap();
    let want = Meta {
        uid: 5000,
        gid: 5001,
        user: "nobody".into(),
        group: "no such group".into(),
        ..some_meta()
    };
    let options = ApplyOptions {
        owner: Owner::ByName,
        ..root_options()
    };
    let at = At::Fd(file.as_fd());
    assert_eq!(
        apply_meta(&at, &Kind::File, &want, &options, &Owners::default()),
        []
    );
    let got = stat_fd(file.as_fd()).unwrap().1;
    assert_eq!((got.uid, got.gid), (NOBODY, 5001));
}

#[test]
fn attributes_beyond_the_bound_are_told() {
    // 64 KiB values fit only where the file system stores them apart from the inode; tmpfs does.
    let tmp = tempfile::tempdir_in("/dev/shm").unwrap();
    let target = Target::open(tmp.path()).unwrap();
    let dir = target.root();
    let file = dir.create_file(b"f").unwrap();
    for i in 0..17 {
        let name = format!("trusted.{i:02}");
        rustix::fs::fsetxattr(&file, name, &[7; 65536], rustix::fs::XattrFlags::empty()).unwrap();
    }
    let (mut kind, mut meta) = stat_fd(file.as_fd()).unwrap();
    let trouble = complete(dir.as_fd(), b"f", None, &Owners::default(), &mut kind, &mut meta);
    let errno = rustix::io::Errno::TOOBIG.raw_os_error();
    assert_eq!(trouble, Some(Trouble::NoXattrs { errno }));
    assert_eq!(meta.xattrs.len(), 15);
}
