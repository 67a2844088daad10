//! Reads a repository of format 1 as docs/format.md says, with public crates only: no code of `chunkstore` or
//! `engine`. Sections are named after the document's. It judges nothing: what does not fit panics.

use super::{Objects, hex, unhex};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use hpke::{Deserializable, Kem as _};
use minicbor::Decoder as Cbor;
use minicbor::data::Type;
use std::collections::BTreeMap;
use std::fmt::Write;

type Kem = hpke::kem::X25519HkdfSha256;
type Key = [u8; 32];

/// What was found, as text, and each path with its bytes.
pub struct Walk {
    pub text: String,
    pub files: Vec<(Vec<u8>, Vec<u8>)>,
}

pub fn read(objects: &Objects, key_file: &str) -> Walk {
    let mut walk = Repository::open(objects, key_file);
    walk.control_objects();
    walk.packs();
    walk.index();
    let root = walk.manifest();
    let mut files = Vec::new();
    for segment in root {
        walk.segment(&segment, &mut files);
    }
    Walk {
        text: walk.text,
        files,
    }
}

struct Repository<'a> {
    objects: &'a Objects,
    text: String,
    repo: [u8; 16],
    master: Key,
    control: Key,
    index: Key,
    /// By chunk id: pack, offset, stored length, plain length, codec, sealed key.
    places: BTreeMap<Vec<u8>, (String, usize, usize, usize, u8, Vec<u8>)>,
}

macro_rules! say {
    ($walk:expr, $($arg:tt)*) => { writeln!($walk.text, $($arg)*).unwrap() };
}

impl<'a> Repository<'a> {
    fn open(objects: &'a Objects, key_file: &str) -> Self {
        let config = &objects["config"];
        assert_eq!(&config[..8], b"DEDUPCFG");
        let len = u16::from_le_bytes([config[8], config[9]]) as usize;
        let (clear, sealed) = config[10..].split_at(len);
        let mut cbor = Cbor::new(clear);
        assert_eq!((cbor.array().unwrap(), cbor.u8().unwrap()), (Some(5), 1));
        let repo: [u8; 16] = cbor.bytes().unwrap().try_into().unwrap();
        let (slot, name) = only(objects, "keys/");
        let master = unlock(&repo, &unhex(name), slot, key_file);
        let mut walk = Repository {
            objects,
            text: String::new(),
            repo,
            master,
            control: derive(&repo, &master, "control"),
            index: derive(&repo, &master, "index"),
            places: BTreeMap::new(),
        };
        say!(walk, "repository {}", hex(&repo));
        say!(walk, "master key {}", hex(&master));
        for purpose in [
            "control",
            "index",
            "data chunk ids",
            "tree chunk ids",
            "file content hashes",
            "chunker",
        ] {
            say!(walk, "key '{purpose}' {}", hex(&derive(&repo, &master, purpose)));
        }
        let body = open(&walk.control, &[&aad(10, &repo), clear].concat(), sealed);
        let mut cbor = Cbor::new(&body);
        assert_eq!(
            (cbor.array().unwrap(), cbor.u8().unwrap(), cbor.array().unwrap()),
            (Some(5), 1, Some(3))
        );
        let mut number = || cbor.u64().unwrap();
        say!(
            walk,
            "config: bounds {} {} {}, pack {}, bundle {}, created {}",
            number(),
            number(),
            number(),
            number(),
            number(),
            number()
        );
        walk
    }

    /// The body of a small sealed object.
    fn small(&self, what: u8, path: &str, name: &[u8]) -> Vec<u8> {
        let bytes = &self.objects[path];
        let head = [&b"dedup"[..], &[what, 1, 1], &self.repo].concat();
        assert_eq!(bytes[..24], head);
        let keys = u16::from_le_bytes([bytes[24], bytes[25]]) as usize;
        let (head, sealed) = bytes.split_at(26 + 80 * keys);
        let key = match what {
            4 => self.index,
            6 => blake3::derive_key(
                "dedup 2026 v1 session manifest",
                &self.session_key(&head[26..106]),
            ),
            _ => self.control,
        };
        let plain = open(&key, &[head, name].concat(), sealed);
        let len = u32::from_le_bytes(plain[..4].try_into().unwrap()) as usize;
        assert!(plain[4 + len..].iter().all(|byte| *byte == 0));
        plain[4..4 + len].to_vec()
    }

    fn session_key(&self, sealed: &[u8]) -> Vec<u8> {
        let (private, _) = Kem::derive_keypair(&derive(&self.repo, &self.master, "repository key pair"));
        let encapped = <Kem as hpke::Kem>::EncappedKey::from_bytes(&sealed[..32]).unwrap();
        hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, Kem>(
            &hpke::OpModeR::Base,
            &private,
            &encapped,
            b"dedup 2026 v1 session key",
            &sealed[32..],
            &self.repo,
        )
        .unwrap()
    }

    fn control_objects(&mut self) {
        for path in self.objects.keys().filter(|path| path.starts_with("sessions/")) {
            let id = unhex(path.strip_prefix("sessions/").unwrap());
            let body = self.small(5, path, &id);
            let mut cbor = Cbor::new(&body);
            assert_eq!(cbor.array().unwrap(), Some(4));
            let machine = hex(cbor.bytes().unwrap());
            let host = cbor.str().unwrap();
            say!(
                self,
                "session {}: machine {machine}, host {host}, pid {}, started {}",
                short(&id),
                cbor.u64().unwrap(),
                cbor.i64().unwrap()
            );
        }
        for (path, bytes) in self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with("snapshots/"))
        {
            let id = unhex(path.strip_prefix("snapshots/").unwrap());
            if bytes[5] == 7 {
                assert_eq!(self.small(7, path, &id), b"");
                say!(self, "fence {}", short(&id));
            }
        }
    }

    fn packs(&mut self) {
        for (path, bytes) in self.objects.iter().filter(|(path, _)| path.starts_with("packs/")) {
            assert_eq!(
                path.rsplit('/').next().unwrap(),
                hex(blake3::hash(bytes).as_bytes())
            );
            assert_eq!(&bytes[..10], b"DDUPPACK\x01\x01");
            assert_eq!(bytes[12..28], self.repo);
            let keys = u16::from_le_bytes([bytes[44], bytes[45]]) as usize;
            let head = &bytes[..46 + 80 * keys];
            let (rest, magic) = bytes.split_at(bytes.len() - 8);
            assert_eq!(magic, b"DDUPFOOT");
            let (rest, len) = rest.split_at(rest.len() - 4);
            let footer = &rest[rest.len() - u32::from_le_bytes(len.try_into().unwrap()) as usize..];
            let aad = [&aad(3, &self.repo)[..], blake3::hash(head).as_bytes()].concat();
            let body = open(&self.index, &aad, footer);
            let class = if bytes[10] == 1 { "data" } else { "tree" };
            let mut reader = Bytes(&body);
            let count = reader.number();
            say!(self, "pack {}: {class}, {count} frames", &path[9..17]);
            let mut offset = head.len();
            for _ in 0..count {
                let id = reader.take(32).to_vec();
                let (stored, plain, codec, key) = (
                    reader.number(),
                    reader.number(),
                    reader.take(1)[0],
                    reader.number(),
                );
                say!(
                    self,
                    "  frame {} at {offset}: {stored} stored, {plain} plain, codec {codec}",
                    short(&id)
                );
                let sealed_key = head[46 + 80 * key..][..80].to_vec();
                self.places
                    .insert(id, (path.clone(), offset, stored, plain, codec, sealed_key));
                offset += stored;
            }
            assert!(reader.0.is_empty());
        }
    }

    /// The index says the same as the footers.
    fn index(&mut self) {
        let (bytes, name) = only(self.objects, "index/");
        assert_eq!(name, hex(blake3::hash(bytes).as_bytes()));
        let body = self.small(4, &format!("index/{name}"), b"");
        let mut reader = Bytes(&body);
        let keys: Vec<_> = (0..reader.number()).map(|_| reader.take(80).to_vec()).collect();
        let mut packs = Vec::new();
        for _ in 0..reader.number() {
            let (id, _class, size) = (hex(reader.take(32)), reader.take(1)[0], reader.number());
            let keys: Vec<_> = (0..reader.number())
                .map(|_| keys[reader.number()].clone())
                .collect();
            packs.push((format!("packs/{}/{id}", &id[..2]), size, keys));
        }
        let entries = reader.number();
        for _ in 0..entries {
            let id = reader.take(32);
            let (pack, offset, stored, plain) =
                (reader.number(), reader.number(), reader.number(), reader.number());
            let (codec, key) = (reader.take(1)[0], reader.number());
            let (path, size, keys) = &packs[pack];
            assert_eq!(*size, self.objects[path].len());
            let place = (path.clone(), offset, stored, plain, codec, keys[key].clone());
            assert_eq!(self.places[id], place);
        }
        assert!(reader.0.is_empty());
        say!(
            self,
            "index {}: {} packs, {entries} entries",
            &name[..8],
            packs.len()
        );
    }

    fn chunk(&self, tree: bool, id: &[u8]) -> Vec<u8> {
        let (pack, offset, stored, plain_len, codec, sealed_key) = &self.places[id];
        let purpose = if tree { "tree" } else { "data" };
        let key = blake3::derive_key(
            &format!("dedup 2026 v1 session {purpose}"),
            &self.session_key(sealed_key),
        );
        let what = if tree { 2 } else { 1 };
        let aad = [
            &aad(what, &self.repo),
            id,
            &(*plain_len as u32).to_le_bytes(),
            &[*codec],
        ]
        .concat();
        let payload = open(&key, &aad, &self.objects[pack][*offset..][..*stored]);
        let plain = match codec {
            0 => payload,
            _ => zstd::bulk::decompress(&payload, *plain_len).unwrap(),
        };
        let ids = derive(&self.repo, &self.master, &format!("{purpose} chunk ids"));
        assert_eq!(blake3::keyed_hash(&ids, &plain).as_bytes(), id);
        assert_eq!(plain.len(), *plain_len);
        plain
    }

    /// Ids of the segments that the one manifest lists.
    fn manifest(&mut self) -> Vec<Vec<u8>> {
        let is_manifest =
            |(path, bytes): &(&String, &Vec<u8>)| path.starts_with("snapshots/") && bytes[5] == 6;
        let (path, _) = self.objects.iter().find(is_manifest).unwrap();
        let id = unhex(path.strip_prefix("snapshots/").unwrap());
        let body = self.small(6, path, &id);
        let mut cbor = Cbor::new(&body);
        assert_eq!(cbor.array().unwrap(), Some(20));
        let (host, user) = (cbor.str().unwrap(), cbor.str().unwrap());
        let paths = strings(&mut cbor);
        let tags = strings(&mut cbor);
        let description = cbor.str().unwrap();
        say!(
            self,
            "manifest {}: host {host}, user {user}, paths {paths:?}, tags {tags:?}, description {description}",
            short(&id)
        );
        say!(
            self,
            "  time {} {}, walk {}",
            cbor.i64().unwrap(),
            cbor.u32().unwrap(),
            cbor.i64().unwrap()
        );
        for _ in 8..18 {
            cbor.skip().unwrap();
        }
        let root = cbor.bytes().unwrap();
        let mut cbor = Cbor::new(root);
        assert_eq!((cbor.array().unwrap(), cbor.array().unwrap()), (Some(4), Some(3)));
        let packs: Vec<_> = (0..cbor.array().unwrap().unwrap())
            .map(|_| hex(cbor.bytes().unwrap()))
            .collect();
        let keys = cbor.array().unwrap().unwrap();
        (0..keys).for_each(|_| assert_eq!(cbor.bytes().unwrap().len(), 80));
        let mut segments = Vec::new();
        for _ in 0..cbor.array().unwrap().unwrap() {
            assert_eq!(cbor.array().unwrap(), Some(9));
            let (dir, name) = (lossy(cbor.bytes().unwrap()), lossy(cbor.bytes().unwrap()));
            let segment = cbor.bytes().unwrap().to_vec();
            let mut number = || cbor.u64().unwrap();
            say!(
                self,
                "  segment {} from '{dir}' '{name}': {} entries, {} files of {} bytes, {} plain",
                short(&segment),
                number(),
                number(),
                number(),
                number()
            );
            assert_eq!(cbor.array().unwrap(), Some(5));
            let mut number = || cbor.u64().unwrap() as usize;
            let (pack, _key, offset, stored, codec) = (number(), number(), number(), number(), number());
            let place = &self.places[&segment];
            assert!(
                place.0.ends_with(&packs[pack])
                    && (place.1, place.2, usize::from(place.4)) == (offset, stored, codec)
            );
            assert_eq!(cbor.datatype().unwrap(), Type::Null);
            cbor.null().unwrap();
            segments.push(segment);
        }
        segments
    }

    fn segment(&mut self, id: &[u8], files: &mut Vec<(Vec<u8>, Vec<u8>)>) {
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
                    write!(line, ", trouble {}, errno {}", column.take(1)[0], column.number()).unwrap();
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
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    fn number(&mut self) -> usize {
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

fn derive(repo: &[u8; 16], master: &Key, purpose: &str) -> Key {
    blake3::derive_key(&format!("dedup 2026 v1 {purpose}"), &[&master[..], repo].concat())
}

fn aad(what: u8, repo: &[u8; 16]) -> Vec<u8> {
    [&b"dedup"[..], &[1, what, 1], repo].concat()
}

fn open(key: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let key: Key = key.try_into().unwrap();
    let nonce: [u8; 24] = sealed[..24].try_into().unwrap();
    let payload = Payload {
        msg: &sealed[24..],
        aad,
    };
    chacha20poly1305::XChaCha20Poly1305::new(&key.into())
        .decrypt(&nonce.into(), payload)
        .unwrap()
}

fn unlock(repo: &[u8; 16], id: &[u8], slot: &[u8], key_file: &str) -> Key {
    assert_eq!((&slot[..8], slot.len()), (&b"DEDUPSLT"[..], 1024));
    let len = u16::from_le_bytes([slot[8], slot[9]]) as usize;
    let mut cbor = Cbor::new(&slot[10..10 + len]);
    assert_eq!((cbor.array().unwrap(), cbor.u8().unwrap()), (Some(6), 2));
    let salt = cbor.bytes().unwrap();
    cbor.null().unwrap();
    let (commitment, wrapped) = (cbor.bytes().unwrap(), cbor.bytes().unwrap());
    let secret = unhex(key_file.lines().nth(1).unwrap());
    let mut out = [0; 64];
    blake3::Hasher::new_derive_key("dedup 2026 v1 slot key-file")
        .update(&secret)
        .update(salt)
        .finalize_xof()
        .fill(&mut out);
    assert_eq!(out[32..], *commitment);
    open(&out[..32], &[&aad(11, repo)[..], id, &[2]].concat(), wrapped)
        .try_into()
        .unwrap()
}

/// The only object below a folder, and its name there.
fn only<'a>(objects: &'a Objects, folder: &str) -> (&'a [u8], &'a str) {
    let mut found = objects
        .iter()
        .filter_map(|(path, bytes)| Some((&bytes[..], path.strip_prefix(folder)?)));
    let first = found.next().unwrap();
    assert!(found.next().is_none());
    first
}

fn strings(cbor: &mut Cbor<'_>) -> Vec<String> {
    let count = cbor.array().unwrap().unwrap();
    let text = |cbor: &mut Cbor<'_>| match cbor.datatype().unwrap() {
        Type::Bytes => lossy(cbor.bytes().unwrap()),
        _ => cbor.str().unwrap().to_string(),
    };
    (0..count).map(|_| text(cbor)).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn short(id: &[u8]) -> String {
    hex(&id[..4])
}
