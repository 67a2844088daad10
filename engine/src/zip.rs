//! The ZIP format (PKWARE's APPNOTE, with its 64-bit fields), writing only, as a stream: sizes are known before a
//! member's content, its checksum follows. Nothing is compressed, so that any program reads it and a stream costs little.

use crate::entry::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::io::{self, Write};

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
/// Unix, and a reader that knows 64-bit fields.
const MADE_BY: u16 = 3 << 8 | NEEDED;
const NEEDED: u16 = 45;
/// The checksum follows the content; the name is UTF-8.
const FOLLOWS: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
/// What says that the 64-bit field has the value.
const MANY: u32 = u32::MAX;

/// What a member is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZipMember<'a> {
    /// Relative; of a directory with a slash at the end.
    pub path: &'a [u8],
    /// With the type's bits of Unix.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    pub size: u64,
}

/// Keeps what the end of the archive says again: about 100 bytes and the name of each member.
#[derive(Default)]
pub struct ZipDirectory {
    rows: Vec<u8>,
    count: u64,
}

impl ZipMember<'_> {
    fn flags(&self) -> u16 {
        let utf8 = std::str::from_utf8(self.path).is_ok();
        FOLLOWS | if utf8 { UTF8 } else { 0 }
    }

    fn is_large(&self) -> bool {
        self.size >= u64::from(MANY)
    }

    /// Times in seconds since 1970, and owners, as Info-ZIP has them.
    fn extra(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Ok(secs) = i32::try_from(self.mtime.secs) {
            put16(&mut out, 0x5455);
            put16(&mut out, 5);
            out.push(1);
            out.extend_from_slice(&secs.to_le_bytes());
        }
        put16(&mut out, 0x7875);
        put16(&mut out, 11);
        out.extend_from_slice(&[1, 4]);
        put32(&mut out, self.uid);
        out.push(4);
        put32(&mut out, self.gid);
        out
    }

    fn name_len(&self) -> io::Result<u16> {
        u16::try_from(self.path.len()).map_err(|_| io::ErrorKind::InvalidFilename.into())
    }

    /// What stands before the content.
    pub fn header(&self) -> io::Result<Vec<u8>> {
        let mut extra = self.extra();
        let short = if self.is_large() { MANY } else { 0 };
        if self.is_large() {
            put16(&mut extra, 1);
            put16(&mut extra, 16);
            put64(&mut extra, self.size);
            put64(&mut extra, self.size);
        }
        let mut out = Vec::new();
        put32(&mut out, LOCAL);
        put16(&mut out, NEEDED);
        put16(&mut out, self.flags());
        put16(&mut out, 0);
        put32(&mut out, dos_time(self.mtime));
        put32(&mut out, 0);
        put32(&mut out, short);
        put32(&mut out, short);
        put16(&mut out, self.name_len()?);
        put16(&mut out, extra.len() as u16);
        out.extend_from_slice(self.path);
        out.extend_from_slice(&extra);
        Ok(out)
    }

    /// What follows it.
    pub fn descriptor(&self, crc: u32) -> Vec<u8> {
        let mut out = Vec::new();
        put32(&mut out, DESCRIPTOR);
        put32(&mut out, crc);
        for _ in 0..2 {
            match self.is_large() {
                true => put64(&mut out, self.size),
                false => put32(&mut out, self.size as u32),
            }
        }
        out
    }
}

impl ZipDirectory {
    /// A member that was written, whose header begins at `offset`.
    pub fn add(&mut self, member: &ZipMember<'_>, crc: u32, offset: u64) -> io::Result<()> {
        let far = offset >= u64::from(MANY);
        let mut large = Vec::new();
        if member.is_large() {
            put64(&mut large, member.size);
            put64(&mut large, member.size);
        }
        if far {
            put64(&mut large, offset);
        }
        let mut extra = member.extra();
        if !large.is_empty() {
            put16(&mut extra, 1);
            put16(&mut extra, large.len() as u16);
            extra.extend_from_slice(&large);
        }
        let size = if member.is_large() {
            MANY
        } else {
            member.size as u32
        };
        let out = &mut self.rows;
        put32(out, CENTRAL);
        put16(out, MADE_BY);
        put16(out, NEEDED);
        put16(out, member.flags());
        put16(out, 0);
        put32(out, dos_time(member.mtime));
        put32(out, crc);
        put32(out, size);
        put32(out, size);
        put16(out, member.name_len()?);
        put16(out, extra.len() as u16);
        // No comment, on the first disk, not known to be text.
        put16(out, 0);
        put16(out, 0);
        put16(out, 0);
        let is_dir = member.path.ends_with(b"/");
        put32(out, member.mode << 16 | if is_dir { 0x10 } else { 0 });
        put32(out, if far { MANY } else { offset as u32 });
        out.extend_from_slice(member.path);
        out.extend_from_slice(&extra);
        self.count += 1;
        Ok(())
    }

    /// The end of the archive, which begins at `offset`.
    pub fn end(&self, offset: u64, out: &mut dyn Write) -> io::Result<()> {
        let size = self.rows.len() as u64;
        out.write_all(&self.rows)?;
        let mut end = Vec::new();
        let many = u64::from(MANY);
        if self.count >= u64::from(u16::MAX) || size >= many || offset >= many {
            put32(&mut end, END_64);
            put64(&mut end, 44);
            put16(&mut end, MADE_BY);
            put16(&mut end, NEEDED);
            put32(&mut end, 0);
            put32(&mut end, 0);
            for number in [self.count, self.count, size, offset] {
                put64(&mut end, number);
            }
            put32(&mut end, LOCATOR_64);
            put32(&mut end, 0);
            put64(&mut end, offset + size);
            put32(&mut end, 1);
        }
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        put32(&mut end, END);
        put16(&mut end, 0);
        put16(&mut end, 0);
        put16(&mut end, count);
        put16(&mut end, count);
        put32(&mut end, u32::try_from(size).unwrap_or(MANY));
        put32(&mut end, u32::try_from(offset).unwrap_or(MANY));
        put16(&mut end, 0);
        out.write_all(&end)
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Local time in steps of two seconds, from 1980 to 2107.
fn dos_time(time: Time) -> u32 {
    let at = Timestamp::from_second(time.secs).map(|at| at.to_zoned(TimeZone::system()).datetime());
    let first = DateTime::constant(1980, 1, 1, 0, 0, 0, 0);
    let last = DateTime::constant(2107, 12, 31, 23, 59, 58, 0);
    let at = at.unwrap_or(first).clamp(first, last);
    let field = |value: i16, shift: u32| u32::from(value.unsigned_abs()) << shift;
    field(at.year() - 1980, 25)
        | field(at.month().into(), 21)
        | field(at.day().into(), 16)
        | field(at.hour().into(), 11)
        | field(at.minute().into(), 5)
        | field(i16::from(at.second()) / 2, 0)
}

/// The checksum of IEEE 802.3, byte by byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crc32(u32);

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut value = n as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xedb8_8320 ^ value >> 1
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
}

impl Default for Crc32 {
    fn default() -> Self {
        Crc32(!0)
    }
}

impl Crc32 {
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let row = (self.0 as u8 ^ byte) as usize;
            self.0 = TABLE.get(row).copied().unwrap_or_default() ^ self.0 >> 8;
        }
    }

    pub fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        let mut crc = Crc32::default();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.value(), 0xcbf4_3926);
        assert_eq!(Crc32::default().value(), 0);
    }

    #[test]
    fn times_are_held_within_the_format() {
        let at = |secs| dos_time(Time { secs, nanos: 0 });
        assert_eq!(at(-1_000_000_000_000), 1 << 21 | 1 << 16);
        assert_eq!(at(8_000_000_000) >> 25, 127);
    }
}
