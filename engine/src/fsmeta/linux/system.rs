//! What backup and restore ask of the process and of a file system as a whole.

use crate::fsmeta::Trust;
use std::io;
use std::os::fd::AsFd;

/// Writes all that is not yet on the disk of the file system that `dir` is on.
pub fn sync_fs(dir: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::syncfs(dir)?)
}

/// Permission bits that new files of this process do not get. If the system doesn't tell: all but the owner's.
pub fn umask() -> u32 {
    // umask(2) can only be read by changing it, which other threads would notice.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
        .unwrap_or(0o077)
}

/// Numbers of file systems as statfs(2) lists them.
const MADE_UP: [u32; 15] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x7363_6673, // securityfs
    0x6265_6570, // configfs
    0xde5e_81e4, // efivarfs
    0xcafe_4a11, // bpf
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0x6e73_6673, // nsfs
];
const ELSEWHERE: [u32; 8] = [
    0x6573_5546, // FUSE
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9p
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
];

/// Whether the sizes on the file system that `dir` is on can be relied on. One that doesn't answer is not relied on.
pub fn sizes_of(dir: impl AsFd) -> Trust {
    let Ok(found) = rustix::fs::fstatfs(dir) else {
        return Trust::None;
    };
    // The field is signed or not, and 32 or 64 bits, as the architecture has it; the numbers are 32 bits.
    let number = found.f_type as u32;
    if MADE_UP.contains(&number) {
        Trust::None
    } else if ELSEWHERE.contains(&number) {
        Trust::NotEmpty
    } else {
        Trust::All
    }
}
