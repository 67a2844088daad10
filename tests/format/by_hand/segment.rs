//! Section 9 of docs/format.md: a segment's columns, read back to entries.

use super::{Repository, derive, lossy, short};
use std::collections::BTreeMap;
use std::fmt::Write;

impl Repository<'_> {
    /// Tells of the entries of segment `id`, and adds each path and its bytes to `files`.
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
        let mut column = |tag: u8| columns.remove(&tag).unwrap_or(Bytes(b""));
        let (mut dirs, mut lens, mut names) = (column(1), column(2), column(3));
        let mut attrs = column(4);
        let mut mtimes = Times::new(column(5), entries);
        let (mut inodes, mut sizes, mut targets, mut troubles) = (
            column(8),
            Sparse(column(11), 0),
            column(13),
            Sparse(column(15), 0),
        );
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
            column: column(19),
            hashes: column(20),
            last: None,
            next: 0,
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
                let mtime = mtimes.next();
                let (how, mut bytes) = contents.next(self);
                let excess = sizes.at(at).map_or(0, |column| unzigzag(column.number()));
                let size = bytes.len() as i64 + excess;
                let mut line = format!(
                    "  {kind} {mode:04o} {uid}:{gid} {user}:{group} {mtime} inode {ino} {size} bytes {}/{}{how}",
                    lossy(&dir),
                    lossy(&name)
                );
                if kind == 2 {
                    write!(line, " -> {}", lossy(targets.string())).unwrap();
                }
                if let Some(column) = troubles.at(at) {
                    let (code, reason) = (column.take(1)[0], column.take(1)[0]);
                    write!(
                        line,
                        ", trouble {code}, reason {reason}, errno {}",
                        column.number()
                    )
                    .unwrap();
                }
                say!(self, "{line}");
                files.push(([&dir[..], b"/", &name].concat(), std::mem::take(&mut bytes)));
                at += 1;
            }
        }
        assert_eq!(at, entries);
        assert!(
            names.0.is_empty() && inodes.0.is_empty() && attrs.0.is_empty() && contents.column.0.is_empty()
        );
    }
}

struct Contents<'a> {
    bundles: &'a [[u8; 32]],
    chunks: &'a [[u8; 36]],
    column: Bytes<'a>,
    hashes: Bytes<'a>,
    /// Row and end of the last part.
    last: Option<(usize, usize)>,
    next: usize,
}

impl Contents<'_> {
    /// How the next entry's content is held, and its bytes.
    fn next(&mut self, walk: &Repository<'_>) -> (String, Vec<u8>) {
        match self.column.number() {
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
            3 => self.extents(walk),
            code => panic!("content {code} is not in the example"),
        }
    }

    fn part(&mut self, walk: &Repository<'_>, row: usize, offset: usize, len: usize) -> (String, Vec<u8>) {
        self.last = Some((row, offset + len));
        let bytes = walk.chunk(false, &self.bundles[row])[offset..offset + len].to_vec();
        let key = derive(&walk.repo, &walk.master, "file content hashes");
        assert_eq!(
            self.hashes.take(16),
            &blake3::keyed_hash(&key, &bytes).as_bytes()[..16]
        );
        (
            format!(
                ", {len} bytes at {offset} of bundle {}",
                short(&self.bundles[row])
            ),
            bytes,
        )
    }

    fn extents(&mut self, walk: &Repository<'_>) -> (String, Vec<u8>) {
        let (mut how, mut bytes) = (String::new(), Vec::new());
        for _ in 0..self.column.number() {
            let row = match self.column.number() {
                0 => {
                    let len = self.column.number();
                    write!(how, ", {len} zeros").unwrap();
                    bytes.resize(bytes.len() + len, 0);
                    continue;
                }
                1 => self.next,
                code => code - 2,
            };
            self.next = row + 1;
            let (id, len) = self.chunks[row].split_at(32);
            let chunk = walk.chunk(false, id);
            assert_eq!(len, (chunk.len() as u32).to_le_bytes());
            write!(how, ", chunk {}", short(id)).unwrap();
            bytes.extend(chunk);
        }
        (how, bytes)
    }
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

    fn next(&mut self) -> String {
        self.last += unzigzag(self.secs.number());
        let nanos = u32::from_le_bytes(self.nanos.take(4).try_into().unwrap());
        format!("{}.{nanos:09}", self.last)
    }
}

fn unzigzag(value: usize) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
