//! Linux: answers what the kernel asks of a file system in user space (FUSE). The device is opened and mounted by ourselves
//! where the rights suffice, and by fusermount3 otherwise.

use super::MountError;
use crate::entry::{Content, Entry, Extent, Kind, Time};
use crate::fsmeta::device_numbers;
use crate::view::tree::{NoAnswer, SnapshotTree};
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEntry, ReplyOpen, ReplyXattr, Request, SessionACL,
};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the kernel may keep an answer about what is in a snapshot, and one about what is above.
const VALID: Duration = Duration::from_secs(24 * 3600);
const VALID_ABOVE: Duration = Duration::from_secs(1);
/// KiB that the kernel reads ahead: by itself it asks for no more than 128, and so for one piece of a chunk at a time.
const READ_AHEAD_KIB: &str = "1024";
const THREADS: usize = 4;
const DEVICE: &str = "/dev/fuse";
/// Places in a directory that `.` and `..` take.
const DOTS: u64 = 2;

pub(super) struct Session(BackgroundSession);

pub(super) fn start(tree: SnapshotTree, at: &Path, others: bool) -> Result<Session, MountError> {
    if !Path::new(DEVICE).exists() {
        return Err(MountError::NotSupported);
    }
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::FSName("dedup".to_string()),
        MountOption::Subtype("dedup".to_string()),
    ];
    if others {
        config.acl = SessionACL::All;
        config.mount_options.push(MountOption::DefaultPermissions);
    }
    config.n_threads = Some(THREADS);
    let session = fuser::Session::new(Answers(tree), at, &config).and_then(fuser::Session::spawn);
    if session.is_ok() {
        read_ahead(at);
    }
    session.map(Session).map_err(|e| match e.kind() {
        // Neither the rights nor the helper that has them.
        io::ErrorKind::NotFound => MountError::NotSupported,
        _ => MountError::Refused(e),
    })
}

impl Session {
    pub fn is_over(&self) -> bool {
        self.0.guard.is_finished()
    }

    pub fn end(self) -> io::Result<()> {
        match self.is_over() {
            // Whoever unmounted it was quicker; unmounting again could end another mount in its place.
            true => self.0.join(),
            false => self.0.umount_and_join(),
        }
    }
}

/// Lets the kernel read more ahead, which only root may set. Without it, reading takes more requests.
fn read_ahead(at: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = std::fs::metadata(at) else { return };
    let (major, minor) = device_numbers(found.dev());
    let setting = format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb");
    let _refused = std::fs::write(setting, READ_AHEAD_KIB);
}

struct Answers(SnapshotTree);

/// How long an answer about this number may be kept.
fn valid(number: u64) -> Duration {
    match SnapshotTree::may_change(number) {
        true => VALID_ABOVE,
        false => VALID,
    }
}

fn errno(why: NoAnswer) -> Errno {
    match why {
        NoAnswer::Absent => Errno::ENOENT,
        NoAnswer::NotADirectory => Errno::ENOTDIR,
        NoAnswer::NotAFile => Errno::EINVAL,
        NoAnswer::Unknown => Errno::ESTALE,
        NoAnswer::Failed => Errno::EIO,
    }
}

/// Told of inode, place of the next, attributes and name; returns whether there is no more room.
type EachName<'a> = dyn FnMut(u64, u64, &FileAttr, &[u8]) -> bool + 'a;

impl Answers {
    /// Calls `each` with what is in a directory, until there is no more room.
    fn list(&self, INodeNo(inode): INodeNo, offset: u64, each: &mut EachName<'_>) -> Result<(), Errno> {
        if offset < DOTS {
            let own = self.0.node(inode).map_err(errno)?;
            let attr = attr_of(inode, &own.entry);
            for (at, name) in [(0, &b"."[..]), (1, &b".."[..])] {
                if offset <= at && each(inode, at + 1, &attr, name) {
                    return Ok(());
                }
            }
        }
        let place = offset.saturating_sub(DOTS);
        let listed = self.0.list(inode, place, &mut |next, inode, entry| {
            !each(inode, next + DOTS, &attr_of(inode, entry), &entry.name)
        });
        listed.map_err(errno)
    }
}

fn attr_of(inode: u64, entry: &Entry) -> FileAttr {
    let meta = &entry.meta;
    let size = match &entry.kind {
        Kind::Symlink { target } => target.len() as u64,
        Kind::File
        | Kind::Dir
        | Kind::CharDevice { .. }
        | Kind::BlockDevice { .. }
        | Kind::Fifo
        | Kind::Socket => meta.size,
    };
    FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: stored(entry).div_ceil(512),
        // No time of reading is kept.
        atime: time(meta.mtime),
        mtime: time(meta.mtime),
        ctime: time(meta.ctime),
        crtime: time(meta.btime.unwrap_or_default()),
        kind: match entry.kind {
            Kind::File => FileType::RegularFile,
            Kind::Dir => FileType::Directory,
            Kind::Symlink { .. } => FileType::Symlink,
            Kind::CharDevice { .. } => FileType::CharDevice,
            Kind::BlockDevice { .. } => FileType::BlockDevice,
            Kind::Fifo => FileType::NamedPipe,
            Kind::Socket => FileType::Socket,
        },
        perm: (meta.mode & 0o7777) as u16,
        nlink: u32::try_from(meta.nlink).unwrap_or(u32::MAX),
        uid: meta.uid,
        gid: meta.gid,
        rdev: match entry.kind {
            Kind::CharDevice { rdev } | Kind::BlockDevice { rdev } => packed(device_numbers(rdev)),
            Kind::File | Kind::Dir | Kind::Symlink { .. } | Kind::Fifo | Kind::Socket => 0,
        },
        blksize: 128 << 10,
        flags: 0,
    }
}

/// Bytes of a file that are not holes, as far as its entry tells.
fn stored(entry: &Entry) -> u64 {
    match &entry.content {
        Content::None => 0,
        Content::Bundled { len, .. } => u64::from(*len),
        Content::Extents(extents) => extents.iter().fold(0, |sum, extent| match extent {
            Extent::Chunk { len, .. } => sum + u64::from(*len),
            Extent::Zero { .. } => sum,
        }),
        Content::Lists(_) => entry.meta.size,
    }
}

/// As the kernel packs device numbers for programs.
fn packed((major, minor): (u32, u32)) -> u32 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

fn time(time: Time) -> SystemTime {
    let whole = Duration::from_secs(time.secs.unsigned_abs());
    let second = match time.secs < 0 {
        true => UNIX_EPOCH.checked_sub(whole),
        false => UNIX_EPOCH.checked_add(whole),
    };
    let nanos = Duration::from_nanos(time.nanos.into());
    second
        .and_then(|second| second.checked_add(nanos))
        .unwrap_or(UNIX_EPOCH)
}

impl Filesystem for Answers {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Not FUSE_READDIRPLUS_AUTO: that gives names alone from a directory's second request on, and whoever reads all names
        // before the first `stat`, as `du` and `find` do, then asks for each of them by itself.
        let wanted =
            InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_PARALLEL_DIROPS | InitFlags::FUSE_CACHE_SYMLINKS;
        // An older kernel does without.
        let _unknown = config.add_capabilities(wanted & config.capabilities());
        let _less = config
            .set_max_readahead(1 << 20)
            .or_else(|most| config.set_max_readahead(most));
        Ok(())
    }

    fn lookup(&self, _: &Request, INodeNo(parent): INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.0.lookup(parent, name.as_bytes()) {
            Ok(node) => reply.entry(&valid(parent), &attr_of(node.inode, &node.entry), Generation(0)),
            Err(why) => reply.error(errno(why)),
        }
    }

    fn getattr(&self, _: &Request, INodeNo(inode): INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.node(inode) {
            Ok(node) => reply.attr(&valid(inode), &attr_of(inode, &node.entry)),
            Err(why) => reply.error(errno(why)),
        }
    }

    fn readlink(&self, _: &Request, INodeNo(inode): INodeNo, reply: ReplyData) {
        match self.0.node(inode).map(|node| node.entry.kind) {
            Ok(Kind::Symlink { target }) => reply.data(&target),
            Ok(
                Kind::File
                | Kind::Dir
                | Kind::CharDevice { .. }
                | Kind::BlockDevice { .. }
                | Kind::Fifo
                | Kind::Socket,
            ) => reply.error(Errno::EINVAL),
            Err(why) => reply.error(errno(why)),
        }
    }

    fn open(&self, _: &Request, INodeNo(inode): INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.0.open(inode) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(why) => reply.error(errno(why)),
        }
    }

    fn opendir(&self, _: &Request, INodeNo(inode): INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let keep = match SnapshotTree::may_change(inode) {
            true => FopenFlags::empty(),
            false => FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_CACHE_DIR,
        };
        reply.opened(FileHandle(0), keep);
    }

    fn read(
        &self,
        _: &Request,
        INodeNo(inode): INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.0.read(inode, offset, size as usize) {
            Ok(bytes) => reply.data(&bytes),
            Err(why) => reply.error(errno(why)),
        }
    }

    fn readdir(&self, _: &Request, inode: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.list(inode, offset, &mut |inode, next, attr, name| {
            reply.add(INodeNo(inode), next, attr.kind, OsStr::from_bytes(name))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let valid = valid(inode.0);
        let listed = self.list(inode, offset, &mut |inode, next, attr, name| {
            let name = OsStr::from_bytes(name);
            reply.add(INodeNo(inode), next, name, &valid, attr, Generation(0))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn getxattr(&self, _: &Request, INodeNo(inode): INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let value = self.0.node(inode).and_then(|node| {
            let mut xattrs = node.entry.meta.xattrs.iter();
            let found = xattrs.find(|xattr| xattr.name == name.as_bytes());
            found.map(|xattr| xattr.value.clone()).ok_or(NoAnswer::Absent)
        });
        sized(value, size, reply);
    }

    fn listxattr(&self, _: &Request, INodeNo(inode): INodeNo, size: u32, reply: ReplyXattr) {
        let names = self.0.node(inode).map(|node| {
            let names = node.entry.meta.xattrs.iter();
            names
                .flat_map(|xattr| [&xattr.name, &b"\0"[..]].concat())
                .collect()
        });
        sized(names, size, reply);
    }
}

/// How long a value is, or the value if there is room for it.
fn sized(value: Result<Vec<u8>, NoAnswer>, room: u32, reply: ReplyXattr) {
    match value {
        Ok(value) if room == 0 => reply.size(value.len() as u32),
        Ok(value) if value.len() > room as usize => reply.error(Errno::ERANGE),
        Ok(value) => reply.data(&value),
        Err(NoAnswer::Absent) => reply.error(Errno::ENODATA),
        Err(why) => reply.error(errno(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_age() {
        let at = |secs, nanos| time(Time { secs, nanos });
        assert_eq!(at(0, 7), UNIX_EPOCH + Duration::new(0, 7));
        assert_eq!(at(-2, 500_000_000), UNIX_EPOCH - Duration::from_millis(1500));
        assert_eq!(
            at(15_000_000_000, 0),
            UNIX_EPOCH + Duration::from_secs(15_000_000_000)
        );
    }

    #[test]
    fn device_numbers_of_the_kernel() {
        assert_eq!(packed((1, 3)), 0x103);
        assert_eq!(packed((7, 300)), 0x10072c);
    }
}
