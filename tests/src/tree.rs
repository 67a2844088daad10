//! Trees of files that a seed determines, with everything in them that has ever troubled a backup, and edits to them.
//! Device files and foreign owners need root; without it they are left out.

use crate::random::Random;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// How much of what a tree has.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub files: usize,
    /// Largest file, bytes.
    pub largest: u64,
    /// Where small files end in the repository under test: sizes cluster around it.
    pub boundary: u64,
    /// Entries of the one directory that has many.
    pub crowd: usize,
    /// Devices, foreign owners, attributes: what not every test needs.
    pub special: bool,
}

impl Shape {
    pub const SMALL: Shape = Shape {
        files: 25,
        largest: 300 << 10,
        boundary: 16 << 10,
        crowd: 0,
        special: true,
    };
    pub const LARGE: Shape = Shape {
        files: 120,
        largest: 6 << 20,
        boundary: 128 << 10,
        crowd: 700,
        special: true,
    };
}

pub struct TreeMaker {
    pub root: PathBuf,
    pub random: Random,
    shape: Shape,
    named: u64,
}

const ODD_NAMES: &[&[u8]] = &[
    b"\xff\xfe not utf-8 \x80",
    b"with\nnewline",
    b"-rf",
    b"\"quoted\" 'name' $HOME `x`",
    b" leading and trailing ",
    b"\xc3\xa9t\xc3\xa9",
    b"e\xcc\x81te\xcc\x81",
    b"...",
    b"\\back\\slash",
    b"a\tb\x01\x7f",
];

impl TreeMaker {
    /// `root` is made, and must not be there.
    pub fn new(root: &Path, seed: u64, shape: Shape) -> Self {
        fs::create_dir(root).unwrap();
        let random = Random::new(seed);
        TreeMaker {
            root: root.to_path_buf(),
            random,
            shape,
            named: 0,
        }
    }

    /// The first state.
    pub fn populate(&mut self) {
        for _ in 0..self.shape.files / 5 + 1 {
            let parent = self.any_dir();
            let name = self.name();
            fs::create_dir(parent.join(name)).unwrap();
        }
        for _ in 0..self.shape.files {
            self.add_file();
        }
        self.add_deep_dirs();
        self.add_crowd();
        for _ in 0..self.shape.files / 4 + 8 {
            self.add_other();
        }
        for _ in 0..self.shape.files / 4 {
            self.change_meta();
        }
        for dir in self.dirs() {
            if self.random.chance(30) {
                self.touch(&dir);
            }
        }
    }

    /// `count` random edits, any of which may undo another.
    pub fn edit(&mut self, count: usize) {
        for _ in 0..count {
            match self.random.below(16) {
                0..=2 => self.add_file(),
                3 => self.add_other(),
                4 | 5 => self.change_meta(),
                6..=10 => self.change_content(),
                11 => self.rename(),
                12 => self.swap(),
                13 | 14 => self.delete(),
                _ => self.replace_kind(),
            }
        }
    }

    fn name(&mut self) -> OsString {
        self.named += 1;
        let number = self.named;
        let name = match self.random.below(20) {
            0 => [&b"x".repeat(240)[..], number.to_string().as_bytes()].concat(),
            1..=4 => {
                let odd = self.random.pick(ODD_NAMES).unwrap();
                [odd, number.to_string().as_bytes()].concat()
            }
            5 => format!(".hidden-{number}").into_bytes(),
            _ => format!("name-{number}").into_bytes(),
        };
        OsStr::from_bytes(&name).to_os_string()
    }

    /// Everything below the root, sorted, so that the seed alone decides what is chosen.
    fn all(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut todo = vec![self.root.clone()];
        while let Some(dir) = todo.pop() {
            for child in fs::read_dir(&dir).unwrap() {
                let child = child.unwrap();
                if child.file_type().unwrap().is_dir() {
                    todo.push(child.path());
                }
                found.push(child.path());
            }
        }
        found.sort();
        found
    }

    fn dirs(&self) -> Vec<PathBuf> {
        let mut dirs = self.all();
        dirs.retain(|path| fs::symlink_metadata(path).unwrap().is_dir());
        dirs.push(self.root.clone());
        dirs
    }

    fn regular(&self) -> Vec<PathBuf> {
        let mut files = self.all();
        files.retain(|path| fs::symlink_metadata(path).unwrap().is_file());
        files
    }

    fn any_dir(&mut self) -> PathBuf {
        let dirs = self.dirs();
        self.random.pick(&dirs).unwrap().clone()
    }

    fn any(&mut self) -> Option<PathBuf> {
        let all = self.all();
        self.random.pick(&all).cloned()
    }

    fn any_file(&mut self) -> Option<PathBuf> {
        let files = self.regular();
        self.random.pick(&files).cloned()
    }

    fn size(&mut self) -> u64 {
        let Shape {
            boundary, largest, ..
        } = self.shape;
        match self.random.below(14) {
            0 => 0,
            1..=3 => 1 + self.random.below(200),
            4..=6 => 1 + self.random.below(8 << 10),
            7 => boundary - 1,
            8 => boundary,
            9 => boundary + 1,
            10 => 4096 * (1 + self.random.below(8)),
            11 | 12 => boundary + self.random.below(4 * boundary),
            _ => 1 + self.random.below(largest),
        }
    }

    /// Random bytes, text, zeros, or a mix.
    fn bytes(&mut self, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        match self.random.below(5) {
            0 => {}
            1 => {
                let words = [&b"back "[..], b"up ", b"chunk ", b"tree\n", b"of ", b"files "];
                let mut text = Vec::with_capacity(bytes.len() + 8);
                while text.len() < bytes.len() {
                    text.extend_from_slice(self.random.pick(&words).unwrap());
                }
                bytes.copy_from_slice(&text[..len as usize]);
            }
            2 => {
                // Runs of zeros between data, as in databases.
                for block in bytes.chunks_mut(10_000) {
                    if self.random.chance(50) {
                        self.random.fill(block);
                    }
                }
            }
            _ => self.random.fill(&mut bytes),
        }
        bytes
    }

    fn add_file(&mut self) {
        let path = self.any_dir().join(self.name());
        let known = self.any_file();
        match (self.random.below(10), known) {
            (0 | 1, Some(known)) => {
                fs::copy(known, &path).unwrap();
            }
            (2, Some(known)) => fs::hard_link(known, &path).unwrap_or_else(|e| {
                assert_eq!(e.raw_os_error(), Some(rustix::io::Errno::MLINK.raw_os_error()));
            }),
            (3, _) => self.add_sparse(&path),
            _ => {
                let len = self.size();
                fs::write(&path, self.bytes(len)).unwrap();
            }
        }
    }

    /// Data at some places of a file, holes between and often at its end.
    fn add_sparse(&mut self, path: &Path) {
        let file = fs::File::create(path).unwrap();
        let len = 1 + self.random.below(self.shape.largest * 4);
        file.set_len(len).unwrap();
        for _ in 0..self.random.below(4) {
            let at = self.random.below(len);
            let size = 1 + self.random.below(50_000);
            let bytes = self.bytes(size.min(len - at));
            file.write_all_at(&bytes, at).unwrap();
        }
    }

    fn add_deep_dirs(&mut self) {
        let mut path = self.any_dir();
        for level in 0..40 {
            path.push(format!("level {level}"));
        }
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("at the bottom"), b"found").unwrap();
    }

    fn add_crowd(&mut self) {
        let dir = self.root.join("crowd");
        fs::create_dir(&dir).unwrap();
        for number in 0..self.shape.crowd {
            let len = self.random.below(64);
            fs::write(dir.join(format!("{number:05}")), self.bytes(len)).unwrap();
        }
    }

    /// Anything that is not a regular file.
    fn add_other(&mut self) {
        let path = self.any_dir().join(self.name());
        let node = |path: &Path, kind, dev| {
            rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o640), dev).unwrap();
        };
        match self.random.below(9) {
            0 => symlink("nowhere/at all", &path).unwrap(),
            1 => symlink(path.file_name().unwrap(), &path).unwrap(),
            2 => symlink("..", &path).unwrap(),
            3 => {
                let target = self.any().unwrap_or_default();
                symlink(target, &path).unwrap();
            }
            4 => symlink(OsStr::from_bytes(b"\xff\xfe/\n"), &path).unwrap(),
            5 => node(&path, FileType::Fifo, 0),
            6 => node(&path, FileType::Socket, 0),
            7 if self.privileged() => node(&path, FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
            8 if self.privileged() => node(&path, FileType::BlockDevice, rustix::fs::makedev(7, 300)),
            _ => fs::create_dir(&path).unwrap(),
        }
    }

    fn privileged(&self) -> bool {
        self.shape.special && rustix::process::geteuid().is_root()
    }

    fn change_meta(&mut self) {
        let Some(path) = self.any() else { return };
        let file_type = fs::symlink_metadata(&path).unwrap().file_type();
        match self.random.below(6) {
            0 | 1 => self.touch(&path),
            2 if self.privileged() => {
                let (uid, gid) = (self.random.below(70_000) as u32, self.random.below(70_000) as u32);
                let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
                rustix::fs::chownat(CWD, &path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
            }
            3 | 4 if self.shape.special && (file_type.is_file() || file_type.is_dir()) => {
                self.set_xattr(&path)
            }
            _ if !file_type.is_symlink() => {
                let root = rustix::process::geteuid().is_root();
                let modes: &[u32] = match root {
                    true => &[0o600, 0o644, 0o755, 0o000, 0o4755, 0o2711, 0o1777, 0o7777, 0o400],
                    // What its owner may still read and change.
                    false => &[0o700, 0o744, 0o755, 0o4755, 0o2711, 0o1777, 0o7777],
                };
                let mode = *self.random.pick(modes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            _ => {}
        }
    }

    fn touch(&mut self, path: &Path) {
        let times = [
            (0, 0),
            (-1, 999_999_999),
            (-2_000_000_000, 1),
            (4_294_967_296, 123_456_789),
            (1_700_000_000, 999_999_999),
        ];
        let (secs, nanos) = match self.random.below(8) {
            n @ 0..5 => times[n as usize],
            _ => (
                1_500_000_000 + self.random.below(200_000_000) as i64,
                self.random.below(1_000_000_000) as i64,
            ),
        };
        set_mtime(path, secs, nanos);
    }

    fn set_xattr(&mut self, path: &Path) {
        let set = |name: &str, value: &[u8]| {
            match rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()) {
                // A file system may have no attributes, or no more room for them.
                Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSPC) => {}
                Err(e) => panic!("{}: {name}: {e}", path.display()),
            }
        };
        let number = self.random.below(3);
        match self.random.below(5) {
            0 => set("user.empty", b""),
            1 => set("system.posix_acl_access", &acl(self.random.below(9) as u16 & 7)),
            2 if self.privileged() => set("trusted.dedup", &[0xff, 0, number as u8]),
            3 => {
                let _gone = rustix::fs::lremovexattr(path, "user.0");
            }
            _ => {
                let len = self.random.below(300);
                let value = self.bytes(len);
                set(&format!("user.{number}"), &value);
            }
        }
    }

    fn change_content(&mut self) {
        let Some(path) = self.any_file() else { return };
        let len = fs::metadata(&path).unwrap().len();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let piece = 1 + self.random.below(20_000);
        let bytes = self.bytes(piece);
        let at = self.random.below(len + 1);
        match self.random.below(6) {
            // In place, with the times as they were: only the ctime shows it.
            0 | 1 if len > 0 => {
                let before = fs::metadata(&path).unwrap();
                let kept = bytes.len().min((len - at) as usize);
                file.write_all_at(&bytes[..kept], at).unwrap();
                use std::os::unix::fs::MetadataExt;
                set_mtime(&path, before.mtime(), before.mtime_nsec());
            }
            2 => file.write_all_at(&bytes, len).unwrap(),
            3 => file.set_len(at).unwrap(),
            4 => file.set_len(len + piece * 10).unwrap(),
            _ => {
                let mut whole = fs::read(&path).unwrap();
                let at = at as usize;
                whole.splice(at..at, bytes);
                file.write_all_at(&whole, 0).unwrap();
            }
        }
    }

    fn rename(&mut self) {
        let Some(from) = self.any() else { return };
        let to = self.any_dir().join(self.name());
        match fs::rename(from, to) {
            // Into itself.
            Err(e) if e.kind() != io::ErrorKind::InvalidInput => panic!("{e}"),
            _ => {}
        }
    }

    fn swap(&mut self) {
        let (Some(a), Some(b)) = (self.any(), self.any()) else {
            return;
        };
        match rustix::fs::renameat_with(CWD, &a, CWD, &b, rustix::fs::RenameFlags::EXCHANGE) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(e) => panic!("{e}"),
        }
    }

    fn delete(&mut self) {
        let Some(path) = self.any() else { return };
        // A large part of the tree is not to go at once.
        let is_dir = fs::symlink_metadata(&path).unwrap().is_dir();
        if is_dir && fs::read_dir(&path).unwrap().count() < 4 {
            fs::remove_dir_all(path).unwrap();
        } else if !is_dir {
            fs::remove_file(path).unwrap();
        }
    }

    /// Another kind of thing under the same name.
    fn replace_kind(&mut self) {
        let Some(path) = self.any() else { return };
        let file_type = fs::symlink_metadata(&path).unwrap().file_type();
        if file_type.is_dir() {
            if fs::read_dir(&path).unwrap().count() >= 4 {
                return;
            }
            fs::remove_dir_all(&path).unwrap();
            fs::write(&path, b"was a directory").unwrap();
        } else {
            fs::remove_file(&path).unwrap();
            if file_type.is_fifo() {
                symlink("was a pipe", &path).unwrap();
            } else {
                fs::create_dir(&path).unwrap();
                fs::write(path.join("inside"), b"was a file").unwrap();
            }
        }
    }
}

/// Sets the mtime of anything, a link itself too.
pub fn set_mtime(path: &Path, secs: i64, nanos: i64) {
    let time = Timespec {
        tv_sec: secs,
        tv_nsec: nanos,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// `system.posix_acl_access` with an entry for user 1234.
fn acl(rights: u16) -> Vec<u8> {
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, perm, id) in [
        (1, 6, u32::MAX),
        (2, rights, 1234),
        (4, 4, u32::MAX),
        (16, 7, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(perm));
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}
