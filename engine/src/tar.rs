//! The tar format (POSIX.1-2001 "pax"), writing only: headers for what [`Entry`](crate::entry::Entry) can be. What does
//! not fit the old fields (long or unusual names, large numbers, fractions of seconds) goes into a pax header before, and
//! so do extended attributes, ACLs and the maps of files with holes, with the keys that GNU tar and star gave them.

mod acl;

use crate::entry::{Time, Xattr};
use std::io::{self, Write};

const BLOCK: usize = 512;

/// What a member is, as its header's letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Dir,
    Fifo,
}

impl Type {
    fn letter(self) -> u8 {
        match self {
            Type::File => b'0',
            Type::HardLink => b'1',
            Type::Symlink => b'2',
            Type::CharDevice => b'3',
            Type::BlockDevice => b'4',
            Type::Dir => b'5',
            Type::Fifo => b'6',
        }
    }
}

/// A member of the archive; its content of `size` bytes follows, then [`padding`].
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// Relative, components separated by `/`.
    pub path: &'a [u8],
    pub kind: Type,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub user: &'a str,
    pub group: &'a str,
    pub size: u64,
    pub mtime: Time,
    /// Target of a link; empty for all else.
    pub link: &'a [u8],
    /// Major and minor number of a device.
    pub device: (u32, u32),
    pub xattrs: &'a [Xattr],
    /// Bytes of the file with its holes, where the content is a map of them ([`hole_map`]) and then what is between them.
    pub with_holes: Option<u64>,
}

impl<'a> Member<'a> {
    /// A private file.
    pub fn file(path: &'a [u8], size: u64, mtime: Time) -> Member<'a> {
        Member {
            path,
            kind: Type::File,
            mode: 0o600,
            uid: 0,
            gid: 0,
            user: "",
            group: "",
            size,
            mtime,
            link: b"",
            device: (0, 0),
            xattrs: &[],
            with_holes: None,
        }
    }

    /// Writes the header, and the pax header before it where one is needed.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut records = Vec::new();
        let mut long = |key: &str, value: &[u8], field: usize| {
            if value.len() > field || !value.is_ascii() {
                record(&mut records, key, value);
            }
        };
        long("path", self.path, 100);
        long("linkpath", self.link, 100);
        long("uname", self.user.as_bytes(), 31);
        long("gname", self.group.as_bytes(), 31);
        let mut large = |key: &str, value: u64, digits: u32| {
            if value >> (3 * digits) > 0 {
                record(&mut records, key, value.to_string().as_bytes());
            }
        };
        large("size", self.size, 11);
        large("uid", self.uid.into(), 7);
        large("gid", self.gid.into(), 7);
        if self.mtime.nanos != 0 || !(0..1 << 33).contains(&self.mtime.secs) {
            record(&mut records, "mtime", decimal(self.mtime).as_bytes());
        }
        if let Some(size) = self.with_holes {
            record(&mut records, "GNU.sparse.major", b"1");
            record(&mut records, "GNU.sparse.minor", b"0");
            record(&mut records, "GNU.sparse.name", self.path);
            record(&mut records, "GNU.sparse.realsize", size.to_string().as_bytes());
        }
        for xattr in self.xattrs {
            match acl::text(xattr) {
                Some((key, text)) => record(&mut records, key, text.as_bytes()),
                None => record(&mut records, xattr_key(&xattr.name), &xattr.value),
            }
        }
        if !records.is_empty() {
            let name = b"pax-header";
            let extra = Member::file(name, records.len() as u64, Time::default());
            out.write_all(&extra.header(b'x'))?;
            out.write_all(&records)?;
            out.write_all(padding(records.len() as u64))?;
        }
        out.write_all(&self.header(self.kind.letter()))
    }

    fn header(&self, letter: u8) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut field = Fields(&mut block, 0);
        field.text(self.path, 100);
        field.octal(u64::from(self.mode & 0o7777), 8);
        field.octal(self.uid.into(), 8);
        field.octal(self.gid.into(), 8);
        field.octal(self.size, 12);
        field.octal(u64::try_from(self.mtime.secs).unwrap_or(0), 12);
        field.text(b"        ", 8);
        field.text(&[letter], 1);
        field.text(self.link, 100);
        field.text(b"ustar\x0000", 8);
        field.text(self.user.as_bytes(), 32);
        field.text(self.group.as_bytes(), 32);
        field.octal(self.device.0.into(), 8);
        field.octal(self.device.1.into(), 8);
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        Fields(&mut block, 148).text(format!("{sum:06o}\0 ").as_bytes(), 8);
        block
    }
}

/// Writes fields one after the other; what does not fit is cut (the pax header has it whole).
struct Fields<'a>(&'a mut [u8; BLOCK], usize);

impl Fields<'_> {
    fn text(&mut self, value: &[u8], width: usize) {
        let room = self.0.iter_mut().skip(self.1).take(width);
        room.zip(value).for_each(|(to, from)| *to = *from);
        self.1 += width;
    }

    fn octal(&mut self, value: u64, width: usize) {
        let most = (1 << (3 * (width - 1))) - 1;
        let digits = width - 1;
        self.text(format!("{:0digits$o}\0", value.min(most)).as_bytes(), width);
    }
}

/// The key of an extended attribute; what would end a key is escaped as GNU tar escapes it.
fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"SCHILY.xattr.".to_vec();
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            byte => key.push(*byte),
        }
    }
    key
}

/// Where the data of a file with holes is, as offset and length: what its content begins with (GNU tar's format 1.0).
pub fn hole_map(data: &[(u64, u64)]) -> Vec<u8> {
    let mut map = format!("{}\n", data.len()).into_bytes();
    for (offset, len) in data {
        map.extend_from_slice(format!("{offset}\n{len}\n").as_bytes());
    }
    let end = map.len() as u64;
    map.extend_from_slice(padding(end));
    map
}

/// `LENGTH KEY=VALUE\n`, the length counting itself.
fn record(to: &mut Vec<u8>, key: impl AsRef<[u8]>, value: &[u8]) {
    let key = key.as_ref();
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + len.to_string().len() != len {
        len += 1;
    }
    to.extend_from_slice(format!("{len} ").as_bytes());
    to.extend_from_slice(key);
    to.push(b'=');
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// Seconds with their fraction; negative times count down from zero.
fn decimal(time: Time) -> String {
    match (time.secs, time.nanos) {
        (secs, 0) => secs.to_string(),
        (secs, nanos) if secs >= 0 => format!("{secs}.{nanos:09}"),
        // -1.75 is stored as -2 seconds and 0.25 after them.
        (secs, nanos) => format!("-{}.{:09}", (secs + 1).unsigned_abs(), 1_000_000_000 - nanos),
    }
}

/// What follows content of `size` bytes.
pub fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = (size % BLOCK as u64) as usize;
    match over {
        0 => &[],
        over => ZEROS.get(over..).unwrap_or(&[]),
    }
}

/// The end of every archive.
pub fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// A whole archive of private files. `mtime` in seconds since 1970.
pub fn of_small_files(files: &[(String, Vec<u8>)], mtime: i64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mtime = Time {
        secs: mtime,
        nanos: 0,
    };
    for (name, bytes) in files {
        Member::file(name.as_bytes(), bytes.len() as u64, mtime).write(&mut out)?;
        out.extend_from_slice(bytes);
        out.extend_from_slice(padding(bytes.len() as u64));
    }
    end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn times() {
        let time = |secs, nanos| decimal(Time { secs, nanos });
        assert_eq!(time(5, 0), "5");
        assert_eq!(time(5, 250), "5.000000250");
        assert_eq!(time(-2, 250_000_000), "-1.750000000");
        assert_eq!(time(-1, 250_000_000), "-0.750000000");
    }

    #[test]
    fn records_count_themselves() {
        for len in [1, 80, 88, 89, 90, 91, 92, 900, 985, 990, 995] {
            let mut out = Vec::new();
            record(&mut out, "path", &vec![b'x'; len]);
            let text = String::from_utf8(out.clone()).unwrap();
            let said: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, out.len(), "{len}");
        }
    }

    /// The system's tar as the oracle.
    #[cfg(unix)]
    #[test]
    fn other_programs_read_it() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(120));
        let mut out = Vec::new();
        let time = Time {
            secs: 1_700_000_000,
            nanos: 123_456_789,
        };
        for (path, kind, mode, content, link) in [
            ("d".repeat(90), Type::Dir, 0o750, "", ""),
            (long.clone(), Type::File, 0o640, "content", ""),
            ("na\u{ef}ve".to_string(), Type::File, 0o4755, "", ""),
            ("link".to_string(), Type::Symlink, 0o777, "", long.as_str()),
            ("hard".to_string(), Type::HardLink, 0o640, "", long.as_str()),
            ("fifo".to_string(), Type::Fifo, 0o600, "", ""),
        ] {
            let member = Member {
                kind,
                mode,
                link: link.as_bytes(),
                ..Member::file(path.as_bytes(), content.len() as u64, time)
            };
            member.write(&mut out).unwrap();
            out.extend_from_slice(content.as_bytes());
            out.extend_from_slice(padding(content.len() as u64));
        }
        end(&mut out).unwrap();
        let archive = dir.path().join("a.tar");
        std::fs::write(&archive, out).unwrap();
        let done = Command::new("tar")
            .args(["--no-same-owner", "-xpf"])
            .arg(&archive)
            .arg("-C")
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(done.success());
        let at = |name: &str| std::fs::symlink_metadata(dir.path().join(name)).unwrap();
        assert_eq!(std::fs::read(dir.path().join(&long)).unwrap(), b"content");
        assert_eq!(at(&long).mode() & 0o7777, 0o640);
        assert_eq!(
            (at(&long).mtime(), at(&long).mtime_nsec()),
            (1_700_000_000, 123_456_789)
        );
        assert_eq!(at("na\u{ef}ve").mode() & 0o7777, 0o4755);
        assert_eq!(
            std::fs::read_link(dir.path().join("link"))
                .unwrap()
                .to_str()
                .unwrap(),
            long
        );
        assert_eq!(at("hard").ino(), at(&long).ino());
        assert_eq!(at("fifo").mode() & 0o170000, 0o010000);
    }
}
