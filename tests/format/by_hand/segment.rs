//! Section 9 of docs/format.md: a segment's columns, read back to entries.

use super::{Repository, lossy, short};
use std::collections::BTreeMap;
use std::fmt::Write;

impl Repository<'_> {
    /// Describes the entries of segment `id`, and adds each path and its bytes to `files`.
    pub fn segment(&mut self, id: &[u8], files: &mut Vec<(Vec<u8>, Vec<u8>)>) {
        let plain = self.chunk(true, id);
        let mut reader = Bytes(&plain);
        assert_eq!(reader.take(2), [1, 1]);
        let (runs, entries, sections) = (reader.number(), reader.number(), reader.number());
        let table: Vec<_> = (0..sections)
            .map(|_| (reader.take(1)[0], reader.number()))
            .collect();
        let mut columns: BTreeMap<u8, Bytes<'_>> = table
            .into_iter()
            .map(|(tag, len)| (tag, Bytes(reader.take(len))))
            .collect();
        assert!(reader.0.is_empty());
        self.meet("piece 1");
        columns.keys().for_each(|tag| self.meet(format!("section {tag}")));
        let mut column = |tag: u8| columns.remove(&tag).unwrap_or(Bytes(b""));
        let (mut dirs, mut lens, mut names) = (column(1), column(2), column(3));
        let mut attrs = column(4);
        let mut times = [Times::new(column(5), entries), Times::new(column(6), entries)];
        let mut births = Births::new(column(7), entries);
        let (mut inodes, mut links, mut sizes) = (column(8), Sparse(column(10), 0), Sparse(column(11), 0));
        let (mut targets, mut numbers, mut troubles) = (column(13), column(14), Sparse(column(15), 0));
        let mut devices = column(9);
        let device_rows: Vec<_> = (0..devices.number()).map(|_| devices.number()).collect();
        let mut xattrs = column(12);
        let xattr_rows = xattrs.attributes();
        let mut xattrs = Sparse(xattrs, 0);
        let mut flags = Sparse(column(28), 0);
        let rows: Vec<_> = (0..attrs.number())
            .map(|_| {
                (
                    attrs.take(1)[0],
                    attrs.number(),
                    attrs.number(),
                    attrs.number(),
                    lossy(attrs.string()),
                    lossy(attrs.string()),
                )
            })
            .collect();
        let mut contents = Contents {
            bundles: column(16).0.as_chunks::<32>().0,
            chunks: column(17).0.as_chunks::<36>().0,
            lists: column(18).0.as_chunks::<44>().0,
            column: column(19),
            hashes: column(20),
            last: None,
            next: [0; 2],
        };
        let (mut dir, mut ino, mut at) = (Vec::new(), 0i64, 0);
        for _ in 0..runs {
            let (shared, len, count) = (dirs.number(), dirs.number(), dirs.number());
            dir = [&dir[..shared], dirs.take(len)].concat();
            let mut name = Vec::new();
            for _ in 0..count {
                let (shared, len) = (lens.number(), lens.number());
                name = [&name[..shared], names.take(len)].concat();
                let (kind, mode, uid, gid, user, group) = rows[attrs.number()].clone();
                ino += unzigzag(inodes.number());
                let mtime = times[0].next(0);
                let ctime = times[1].next(mtime.1);
                let birth = births.next(at, ctime.1);
                let mtime = format!("{}.{:09}", mtime.0, mtime.1);
                let device = match &device_rows[..] {
                    [one] => *one,
                    rows => rows[devices.number()],
                };
                let links = links.at(at).map_or(1, Bytes::number);
                let (how, bytes) = contents.next(self);
                let excess = sizes.at(at).map_or(0, |column| unzigzag(column.number()));
                let size = bytes.len() as i64 + excess;
                self.meet(format!("kind {kind}"));
                let mut line = format!(
                    "  {kind} {mode:04o} {uid}:{gid} {user}:{group} {mtime} inode {ino} {size} bytes {}/{}{how}",
                    lossy(&dir),
                    lossy(&name)
                );
                write!(
                    line,
                    ", ctime {}.{:09}, device {device}, {links} links",
                    ctime.0, ctime.1
                )
                .unwrap();
                if let Some((secs, nanos)) = birth {
                    write!(line, ", born {secs}.{nanos:09}").unwrap();
                }
                if let Some(column) = xattrs.at(at) {
                    write!(line, ", attributes {}", xattr_rows[column.number()]).unwrap();
                }
                if kind == 3 || kind == 4 {
                    write!(line, ", number {}", numbers.number()).unwrap();
                }
                if kind == 2 {
                    write!(line, " -> {}", lossy(targets.string())).unwrap();
                }
                if let Some(column) = troubles.at(at) {
                    let code = column.take(1)[0];
                    write!(line, ", trouble {code}").unwrap();
                    self.meet(format!("trouble {code}"));
                    if code != 3 {
                        write!(line, ", reason {}, errno {}", column.take(1)[0], column.number()).unwrap();
                    }
                }
                if let Some(column) = flags.at(at) {
                    write!(line, ", flags {:#x}", column.number()).unwrap();
                }
                say!(self, "{line}");
                files.push(([&dir[..], b"/", &name].concat(), bytes));
                at += 1;
            }
        }
        assert_eq!(at, entries);
        let whole = [
            &dirs, &lens, &names, &attrs, &inodes, &devices, &targets, &numbers,
        ];
        assert!(whole.iter().all(|column| column.0.is_empty()));
        let sparse = [&links, &sizes, &troubles, &xattrs, &flags];
        assert!(sparse.iter().all(|column| column.0.0.is_empty()));
        assert!(contents.column.0.is_empty() && contents.hashes.0.is_empty());
    }
}

struct Contents<'a> {
    bundles: &'a [[u8; 32]],
    chunks: &'a [[u8; 36]],
    lists: &'a [[u8; 44]],
    column: Bytes<'a>,
    hashes: Bytes<'a>,
    /// Row and end of the last part.
    last: Option<(usize, usize)>,
    /// The rows of chunks and of extent lists after the ones used last.
    next: [usize; 2],
}

impl Contents<'_> {
    /// How the next entry's content is held, and its bytes.
    fn next(&mut self, walk: &Repository<'_>) -> (String, Vec<u8>) {
        let code = self.column.number();
        walk.meet(format!("content {code}"));
        match code {
            0 => (String::new(), Vec::new()),
            1 => {
                let (row, offset) = self.last.unwrap();
                let len = self.column.number();
                self.part(walk, row, offset, len)
            }
            2 => {
                let (row, offset, len) = (self.column.number(), self.column.number(), self.column.number());
                self.part(walk, row, offset, len)
            }
            3 => {
                let (mut how, mut bytes) = (String::new(), Vec::new());
                for _ in 0..self.column.number() {
                    let next = &mut self.next[0];
                    extent(walk, &mut self.column, self.chunks, next, (&mut how, &mut bytes));
                }
                (how, bytes)
            }
            4 => self.lists(walk),
            code => panic!("content {code}"),
        }
    }

    fn part(&mut self, walk: &Repository<'_>, row: usize, offset: usize, len: usize) -> (String, Vec<u8>) {
        self.last = Some((row, offset + len));
        let bundle = &self.bundles[row];
        let how = format!(", {len} bytes at {offset} of bundle {}", short(bundle));
        (how, walk.small_file(bundle, offset, len, self.hashes.take(16)))
    }

    fn lists(&mut self, walk: &Repository<'_>) -> (String, Vec<u8>) {
        let (mut how, mut bytes) = (String::new(), Vec::new());
        for _ in 0..self.column.number() {
            let row = match self.column.number() {
                1 => self.next[1],
                code => code - 2,
            };
            self.next[1] = row + 1;
            let (id, rest) = self.lists[row].split_at(32);
            let (extents, len) = rest.split_at(4);
            let before = bytes.len();
            let piece = walk.chunk(true, id);
            walk.meet("piece 2");
            let mut reader = Bytes(&piece);
            assert_eq!(reader.take(2), [2, 1]);
            let chunks = reader.number();
            let chunks = reader.take(36 * chunks).as_chunks::<36>().0;
            let (count, mut next, mut what) = (reader.number(), 0, String::new());
            for _ in 0..count {
                extent(walk, &mut reader, chunks, &mut next, (&mut what, &mut bytes));
            }
            assert!(reader.0.is_empty());
            assert_eq!(extents, (count as u32).to_le_bytes());
            assert_eq!(len, ((bytes.len() - before) as u64).to_le_bytes());
            write!(how, ", list {} of {count} extents", short(id)).unwrap();
        }
        (how, bytes)
    }
}

/// Reads one extent, and adds how it is held and its bytes.
fn extent(
    walk: &Repository<'_>,
    column: &mut Bytes<'_>,
    chunks: &[[u8; 36]],
    next: &mut usize,
    (how, bytes): (&mut String, &mut Vec<u8>),
) {
    let row = match column.number() {
        0 => {
            let len = column.number();
            write!(how, ", {len} zeros").unwrap();
            bytes.resize(bytes.len() + len, 0);
            return;
        }
        1 => *next,
        code => code - 2,
    };
    *next = row + 1;
    let (id, len) = chunks[row].split_at(32);
    let chunk = walk.chunk(false, id);
    assert_eq!(len, (chunk.len() as u32).to_le_bytes());
    write!(how, ", chunk {}", short(id)).unwrap();
    bytes.extend(chunk);
}

/// What is left of a column or body.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    pub fn number(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = usize::from(self.take(1)[0]);
            value |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    }

    fn string(&mut self) -> &'a [u8] {
        let len = self.number();
        self.take(len)
    }

    /// Rows of extended attributes, as names and lengths.
    fn attributes(&mut self) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let rows = self.number();
        (0..rows)
            .map(|_| {
                let mut row = String::new();
                for _ in 0..self.number() {
                    let (name, value) = (lossy(self.string()), self.string());
                    write!(row, "[{name} of {} bytes]", value.len()).unwrap();
                }
                row
            })
            .collect()
    }
}

/// A sparse column, and the entry after the one listed last.
struct Sparse<'a>(Bytes<'a>, usize);

impl<'a> Sparse<'a> {
    /// The column, at the value of entry `at` if it has one.
    fn at(&mut self, at: usize) -> Option<&mut Bytes<'a>> {
        if self.0.0.is_empty() {
            return None;
        }
        let mut ahead = Bytes(self.0.0);
        if self.1 + ahead.number() != at {
            return None;
        }
        self.0 = ahead;
        self.1 = at + 1;
        Some(&mut self.0)
    }
}

struct Times<'a> {
    secs: Bytes<'a>,
    nanos: Bytes<'a>,
    last: i64,
}

impl<'a> Times<'a> {
    fn new(column: Bytes<'a>, entries: usize) -> Self {
        let (secs, nanos) = column.0.split_at(column.0.len() - 4 * entries);
        Times {
            secs: Bytes(secs),
            nanos: Bytes(nanos),
            last: 0,
        }
    }

    fn next(&mut self, like: u32) -> (i64, u32) {
        self.last += unzigzag(self.secs.number());
        let nanos = u32::from_le_bytes(self.nanos.take(4).try_into().unwrap());
        (self.last, nanos ^ like)
    }
}

/// Times of birth of the entries that have one.
struct Births<'a> {
    bits: &'a [u8],
    times: Times<'a>,
}

impl<'a> Births<'a> {
    fn new(mut column: Bytes<'a>, entries: usize) -> Self {
        let bits = match column.0.is_empty() {
            true => &[],
            false => column.take(entries.div_ceil(8)),
        };
        let count = bits.iter().map(|byte| byte.count_ones() as usize).sum();
        Births {
            bits,
            times: Times::new(column, count),
        }
    }

    fn next(&mut self, at: usize, like: u32) -> Option<(i64, u32)> {
        let set = self
            .bits
            .get(at / 8)
            .is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        set.then(|| self.times.next(like))
    }
}

fn unzigzag(value: usize) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
