//! Reads a repository of format 1 as docs/format.md says, with public crates only: no code of `chunkstore` or
//! `engine`. Sections are named after the document's. It judges nothing: what does not fit panics.

macro_rules! say {
    ($walk:expr, $($arg:tt)*) => { writeln!($walk.text, $($arg)*).unwrap() };
}

mod segment;

use super::{Objects, hex, unhex};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use minicbor::Decoder as Cbor;
use minicbor::data::Type;
use segment::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write;

type Key = [u8; 32];

/// What was found, as text, and each path with its bytes.
pub struct Walk {
    pub text: String,
    pub files: Vec<(Vec<u8>, Vec<u8>)>,
}

pub fn read(objects: &Objects, key_file: &str) -> Walk {
    let mut walk = Repository::open(objects, key_file);
    walk.control_objects();
    walk.others();
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

/// A frame's place: pack, offset, stored and plain length, codec, sealed session key.
type Where = (String, usize, usize, usize, u8, Vec<u8>);

struct Repository<'a> {
    objects: &'a Objects,
    text: String,
    repo: [u8; 16],
    master: Key,
    index: Key,
    /// By chunk id: pack, offset, stored length, plain length, codec, sealed key.
    places: BTreeMap<Vec<u8>, Where>,
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
            index: derive(&repo, &master, "index"),
            places: BTreeMap::new(),
        };
        say!(walk, "repository {}", hex(&repo));
        say!(walk, "master key {}", hex(&master));
        for purpose in [
            "config",
            "upgrades",
            "notes",
            "sessions",
            "removals",
            "wrap data",
            "wrap tree",
            "wrap manifest",
            "authors",
            "index",
            "data chunk ids",
            "tree chunk ids",
            "file content hashes",
            "chunker",
        ] {
            say!(walk, "key '{purpose}' {}", hex(&derive(&repo, &master, purpose)));
        }
        let note = open_note(&walk.key("notes"), &repo, &unhex(name), slot);
        say!(walk, "slot {}: {note}", &name[..8]);
        let body = open(&walk.key("config"), &[&aad(10, &repo), clear].concat(), sealed);
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

    fn key(&self, purpose: &str) -> Key {
        derive(&self.repo, &self.master, purpose)
    }

    /// The body of a small sealed object.
    fn small(&self, what: u8, bytes: &[u8], name: &[u8]) -> Vec<u8> {
        let head = [&b"dedup"[..], &[what, 1, 1], &self.repo, &[0, 0]].concat();
        assert_eq!(bytes[..26], head);
        let mut rest = Bytes(&bytes[28..]);
        let count = u16::from_le_bytes([bytes[26], bytes[27]]);
        let keys: Vec<_> = (0..count).map(|_| sealed_key(&mut rest)).collect();
        let sealed = rest.0;
        let head = &bytes[..bytes.len() - sealed.len()];
        let key = match what {
            4 => self.index,
            5 | 7 => self.key("sessions"),
            6 => self.content_key(3, &keys[0]),
            8 | 9 => self.key("removals"),
            14 => self.key("upgrades"),
            _ => panic!("{what}"),
        };
        let plain = open(&key, &[head, name].concat(), sealed);
        let len = u32::from_le_bytes(plain[..4].try_into().unwrap()) as usize;
        assert!(plain[4 + len..].iter().all(|byte| *byte == 0));
        plain[4..4 + len].to_vec()
    }

    /// The content key of a class, of which the sealed one is of kind 0.
    fn content_key(&self, class: u8, sealed: &[u8]) -> Key {
        assert_eq!(sealed[0], 0);
        let what = [&aad(13, &self.repo)[..], &[0, class]].concat();
        let author = blake3::keyed_hash(&self.key("authors"), &[0; 16]);
        let tag = blake3::keyed_hash(author.as_bytes(), &[&what, &sealed[17..]].concat());
        assert_eq!(sealed[1..17], tag.as_bytes()[..16]);
        let word = ["data", "tree", "manifest"][usize::from(class) - 1];
        let wrap = self.key(&format!("wrap {word}"));
        open(&wrap, &what, &sealed[19..]).try_into().unwrap()
    }

    fn control_objects(&mut self) {
        for path in self.objects.keys().filter(|path| path.starts_with("sessions/")) {
            let id = unhex(path.strip_prefix("sessions/").unwrap());
            let body = self.small(5, &self.objects[path], &id);
            let mut cbor = Cbor::new(&body);
            let elements = cbor.array().unwrap().unwrap();
            assert!((4..=5).contains(&elements));
            let machine = hex(cbor.bytes().unwrap());
            let host = cbor.str().unwrap();
            say!(
                self,
                "session {}: machine {machine}, host {host}, pid {}, started {}",
                short(&id),
                cbor.u64().unwrap(),
                cbor.i64().unwrap()
            );
            if elements == 5 {
                // Tells its packs from others.
                cbor.skip().unwrap();
            }
        }
        for (path, bytes) in self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with("snapshots/"))
        {
            let id = unhex(path.strip_prefix("snapshots/").unwrap());
            if bytes[5] == 7 {
                assert_eq!(self.small(7, bytes, &id), b"");
                say!(self, "fence {}", short(&id));
            }
        }
    }

    /// Upgrades, marks, trash.
    fn others(&mut self) {
        for (path, bytes) in self.objects {
            let Some((folder, name)) = path.split_once('/') else {
                continue;
            };
            let id = unhex(name.rsplit('/').next().unwrap());
            match folder {
                "upgrades" => {
                    let body = self.small(14, bytes, &id);
                    let mut cbor = Cbor::new(&body);
                    assert_eq!(cbor.array().unwrap(), Some(4));
                    let number = u64::from_str_radix(name, 16).unwrap();
                    let (required, optional) = (strings(&mut cbor), strings(&mut cbor));
                    cbor.null().unwrap();
                    let time = cbor.i64().unwrap();
                    say!(
                        self,
                        "upgrade {number}: required {required:?}, optional {optional:?}, no parity, time {time}"
                    );
                }
                "marks" => {
                    let body = self.small(8, bytes, &id);
                    let packs: Vec<_> = body.chunks(32).map(short).collect();
                    say!(self, "mark {}: packs {packs:?}", short(&id));
                }
                "trash" => {
                    let body = self.small(9, bytes, &id);
                    let (time, manifest) = body.split_at(8);
                    let time = i64::from_le_bytes(time.try_into().unwrap());
                    let manifest = self.small(6, manifest, &id);
                    let mut cbor = Cbor::new(&manifest);
                    cbor.array().unwrap();
                    (0..4).for_each(|_| cbor.skip().unwrap());
                    let description = cbor.str().unwrap();
                    say!(
                        self,
                        "trash {}: forgotten {time}, description {description}",
                        short(&id)
                    );
                }
                _ => {}
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
            assert_eq!(
                (bytes[11], &bytes[12..28], &bytes[28..30]),
                (0, &self.repo[..], &[0, 0][..])
            );
            let mut rest = Bytes(&bytes[48..]);
            let count = u16::from_le_bytes([bytes[46], bytes[47]]);
            let keys: Vec<_> = (0..count).map(|_| sealed_key(&mut rest)).collect();
            let head = &bytes[..bytes.len() - rest.0.len()];
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
                let place = (path.clone(), offset, stored, plain, codec, keys[key].clone());
                self.places.insert(id, place);
                offset += stored;
            }
            // No file was moved.
            assert_eq!(reader.number(), 0);
            assert!(reader.0.is_empty());
        }
    }

    /// The index says the same as the footers.
    fn index(&mut self) {
        let (bytes, name) = only(self.objects, "index/");
        assert_eq!(name, hex(blake3::hash(bytes).as_bytes()));
        let body = self.small(4, bytes, b"");
        let mut reader = Bytes(&body);
        let keys: Vec<_> = (0..reader.number()).map(|_| sealed_key(&mut reader)).collect();
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
        assert_eq!(reader.number(), 0);
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
        let (what, purpose) = if tree { (2, "tree") } else { (1, "data") };
        let key = self.content_key(what, sealed_key);
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
        let body = self.small(6, &self.objects[path], &id);
        let mut cbor = Cbor::new(&body);
        assert_eq!(cbor.array().unwrap(), Some(21));
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
        cbor.skip().unwrap();
        say!(self, "  operating system {}", cbor.u8().unwrap());
        let mut cbor = Cbor::new(root);
        assert_eq!((cbor.array().unwrap(), cbor.array().unwrap()), (Some(4), Some(3)));
        let packs: Vec<_> = (0..cbor.array().unwrap().unwrap())
            .map(|_| hex(cbor.bytes().unwrap()))
            .collect();
        let keys = cbor.array().unwrap().unwrap();
        (0..keys).for_each(|_| assert_eq!(cbor.bytes().unwrap().len(), 91));
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
}

fn derive(repo: &[u8; 16], master: &Key, purpose: &str) -> Key {
    blake3::derive_key(&format!("dedup 2026 v1 {purpose}"), &[&master[..], repo].concat())
}

fn aad(what: u8, repo: &[u8; 16]) -> Vec<u8> {
    [&b"dedup"[..], &[1, what, 1], repo, &[0, 0]].concat()
}

/// Takes a sealed key, of any kind, off the bytes.
fn sealed_key(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let head = bytes.take(19);
    let len = u16::from_le_bytes([head[17], head[18]]) as usize;
    [head, bytes.take(len)].concat()
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

/// Label and time of a slot's note.
fn open_note(control: &Key, repo: &[u8; 16], id: &[u8], slot: &[u8]) -> String {
    let body = &slot[10..10 + u16::from_le_bytes([slot[8], slot[9]]) as usize];
    let mut cbor = Cbor::new(body);
    cbor.array().unwrap();
    (0..5).for_each(|_| cbor.skip().unwrap());
    let others = [&body[..cbor.position()], &[0x40]].concat();
    let aad = [&aad(12, repo)[..], id, blake3::hash(&others).as_bytes()].concat();
    let note = open(control, &aad, cbor.bytes().unwrap());
    let mut cbor = Cbor::new(&note);
    assert_eq!(cbor.array().unwrap(), Some(2));
    format!("{}, created {}", cbor.str().unwrap(), cbor.i64().unwrap())
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
