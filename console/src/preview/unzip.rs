//! Members of a ZIP archive in memory, as office documents are. The archive is somebody's file: every length in it is
//! compared with what is there, and what a member may become has a limit before it is decompressed.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

const END: u32 = 0x0605_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
/// The end of the directory, with the longest comment.
const TAIL: usize = 22 + 65_535;
/// An office document has a few hundred.
const MEMBERS_MAX: usize = 10_000;
/// Compressed by DEFLATE; 0 is as it is.
const DEFLATE: u16 = 8;
/// The first bit of the flags: encrypted.
const ENCRYPTED: u16 = 1;

/// An archive, and where its members are.
pub struct Archive<'b> {
    bytes: &'b [u8],
    members: Vec<ZipEntry>,
}

struct ZipEntry {
    name: String,
    flags: u16,
    method: u16,
    /// As stored.
    size: usize,
    /// Of its header.
    offset: usize,
}

impl<'b> Archive<'b> {
    /// `None` if it is no archive, or one with 64-bit fields, which no document of a size that is previewed needs.
    pub fn open(bytes: &'b [u8]) -> Option<Archive<'b>> {
        let end = end_record(bytes)?;
        let count = usize::from(u16_at(bytes, end + 10)?);
        let mut at = u32_at(bytes, end + 16)? as usize;
        let mut members = Vec::new();
        for _ in 0..count.min(MEMBERS_MAX) {
            if u32_at(bytes, at)? != CENTRAL {
                return None;
            }
            let name_len = usize::from(u16_at(bytes, at + 28)?);
            let extra_len = usize::from(u16_at(bytes, at + 30)?);
            let comment_len = usize::from(u16_at(bytes, at + 32)?);
            let name = bytes.get(at + 46..)?.get(..name_len)?;
            members.push(ZipEntry {
                name: String::from_utf8_lossy(name).into_owned(),
                flags: u16_at(bytes, at + 8)?,
                method: u16_at(bytes, at + 10)?,
                size: u32_at(bytes, at + 20)? as usize,
                offset: u32_at(bytes, at + 42)? as usize,
            });
            at = at.checked_add(46 + name_len + extra_len + comment_len)?;
        }
        Some(Archive { bytes, members })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// The content of a member if it has at most so many bytes.
    pub fn read(&self, name: &str, most: usize) -> Option<Vec<u8>> {
        let member = self.members.iter().find(|member| member.name == name)?;
        if member.flags & ENCRYPTED != 0 || u32_at(self.bytes, member.offset)? != LOCAL {
            return None;
        }
        let name_len = usize::from(u16_at(self.bytes, member.offset + 26)?);
        let extra_len = usize::from(u16_at(self.bytes, member.offset + 28)?);
        let start = member.offset.checked_add(30 + name_len + extra_len)?;
        let stored = self.bytes.get(start..)?.get(..member.size)?;
        match member.method {
            0 => (stored.len() <= most).then(|| stored.to_vec()),
            DEFLATE => decompress_to_vec_with_limit(stored, most).ok(),
            _ => None,
        }
    }
}

/// Where the record at the end of the archive is.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(22)?;
    let first = bytes.len().saturating_sub(TAIL);
    (first..=last).rev().find(|at| u32_at(bytes, *at) == Some(END))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two: [u8; 2] = bytes.get(at..)?.get(..2)?.try_into().ok()?;
    Some(u16::from_le_bytes(two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four: [u8; 4] = bytes.get(at..)?.get(..4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use miniz_oxide::deflate::compress_to_vec;

    /// An archive of these members; those of an odd number are compressed.
    pub fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (nr, (name, content)) in members.iter().enumerate() {
            let (method, stored) = match nr % 2 {
                0 => (0u16, content.as_bytes().to_vec()),
                _ => (DEFLATE, compress_to_vec(content.as_bytes(), 6)),
            };
            let offset = out.len() as u32;
            let mut common = Vec::new();
            for value in [20, 0, method, 0, 0] {
                common.extend_from_slice(&u16::to_le_bytes(value));
            }
            for value in [0, stored.len() as u32, content.len() as u32] {
                common.extend_from_slice(&value.to_le_bytes());
            }
            for value in [name.len() as u16, 0] {
                common.extend_from_slice(&value.to_le_bytes());
            }
            out.extend_from_slice(&LOCAL.to_le_bytes());
            out.extend_from_slice(&common);
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&stored);
            directory.extend_from_slice(&CENTRAL.to_le_bytes());
            directory.extend_from_slice(&[20, 0]);
            directory.extend_from_slice(&common);
            directory.extend_from_slice(&[0; 10]);
            directory.extend_from_slice(&offset.to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
        }
        let (start, count) = (out.len() as u32, members.len() as u16);
        out.extend_from_slice(&directory);
        out.extend_from_slice(&END.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out
    }

    #[test]
    fn members_are_read() {
        let text = "many times the same ".repeat(1000);
        let bytes = archive(&[("a", "stored"), ("b/c", &text)]);
        let zip = Archive::open(&bytes).unwrap();
        assert_eq!(zip.names().collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(zip.read("a", 6).unwrap(), b"stored");
        assert_eq!(zip.read("b/c", text.len()).unwrap(), text.as_bytes());
        assert!(zip.read("a", 5).is_none() && zip.read("b/c", text.len() - 1).is_none());
        assert!(zip.read("nothing", 10).is_none());
    }

    /// Whatever is cut off or changed, it ends in an answer.
    #[test]
    fn no_archive_is_too_odd() {
        let bytes = archive(&[("a", "stored"), ("b", &"text".repeat(50))]);
        for end in 0..bytes.len() {
            let _ = Archive::open(&bytes[..end]);
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut odd = bytes.clone();
                odd[at] = value;
                if let Some(zip) = Archive::open(&odd) {
                    for name in ["a", "b"] {
                        assert!(zip.read(name, 1000).unwrap_or_default().len() <= 1000);
                    }
                }
            }
        }
    }
}
