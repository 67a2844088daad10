//! Reads a repository of format 1 as docs/format.md describes, with public crates only: no code of `chunkstore` or
//! `engine`. Sections are named after the document's. It judges nothing: what does not fit panics.

macro_rules! say {
    ($walk:expr, $($arg:tt)*) => { writeln!($walk.text, $($arg)*).unwrap() };
}

mod control;
mod manifest;
mod packs;
mod parity;
mod segment;

use super::{Objects, hex, unhex};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use minicbor::Decoder as Cbor;
use minicbor::data::Type;
use segment::Bytes;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

type Key = [u8; 32];

/// What opens a repository, as its holder has it.
pub enum Secret<'a> {
    KeyFile(&'a str),
    Password(&'a str),
    /// The 32 bytes that the words stand for.
    Recovery([u8; 32]),
}

/// Paths and their bytes.
pub type Files = Vec<(Vec<u8>, Vec<u8>)>;

/// What was found, as text, and each generation's paths with their bytes.
pub struct Walk {
    pub text: String,
    pub generations: BTreeMap<String, Files>,
    /// What was met of all that the document defines, as `type 4` or `section 12`.
    pub met: BTreeSet<String>,
}

pub fn read(objects: &Objects, secret: &Secret<'_>) -> Walk {
    let mut walk = Repository::open(objects, secret);
    walk.packs();
    walk.parity();
    walk.index();
    walk.control_objects();
    walk.others();
    let mut generations = BTreeMap::new();
    for id in walk.manifests() {
        let mut files = Vec::new();
        for segment in walk.manifest(&id) {
            walk.segment(&segment, &mut files);
        }
        generations.insert(hex(&id), files);
    }
    Walk {
        text: walk.text,
        generations,
        met: walk.met.into_inner(),
    }
}

/// A frame's place.
#[derive(Clone, PartialEq, Debug)]
struct Place {
    pack: String,
    offset: usize,
    stored: usize,
    plain: usize,
    codec: u8,
    sealed_key: Vec<u8>,
}

/// A file that a collection has moved: chunk id of the bundle, offset, length.
type Moved = (Vec<u8>, usize, usize);

struct Repository<'a> {
    objects: &'a Objects,
    text: String,
    repo: [u8; 16],
    master: Key,
    index: Key,
    /// By chunk id.
    places: BTreeMap<Vec<u8>, Vec<Place>>,
    /// By the hash of the content.
    parts: BTreeMap<Vec<u8>, BTreeSet<Moved>>,
    /// Packs and their sealed keys.
    keys: Vec<(String, Vec<Vec<u8>>)>,
    met: RefCell<BTreeSet<String>>,
}

impl<'a> Repository<'a> {
    fn open(objects: &'a Objects, secret: &Secret<'_>) -> Self {
        let config = &objects["config"];
        assert_eq!(&config[..8], b"DEDUPCFG");
        let len = u16::from_le_bytes([config[8], config[9]]) as usize;
        let (clear, sealed) = config[10..].split_at(len);
        let mut cbor = Cbor::new(clear);
        assert_eq!((cbor.array().unwrap(), cbor.u8().unwrap()), (Some(5), 1));
        let repo: [u8; 16] = cbor.bytes().unwrap().try_into().unwrap();
        assert_eq!(cbor.u8().unwrap(), 1);
        let features = (strings(&mut cbor), strings(&mut cbor));
        let slots = || {
            objects
                .iter()
                .filter_map(|(path, bytes)| Some((unhex(path.strip_prefix("keys/")?), bytes)))
        };
        let opened = slots().filter_map(|(id, slot)| control::unlock(&repo, &id, slot, secret));
        let opened: Vec<Key> = opened.collect();
        assert_eq!(opened.len(), 1, "slots that the secret opens");
        let master = opened[0];
        let mut walk = Repository {
            objects,
            text: String::new(),
            repo,
            master,
            index: derive(&repo, &master, "index"),
            places: BTreeMap::new(),
            parts: BTreeMap::new(),
            keys: Vec::new(),
            met: RefCell::default(),
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
        for (id, slot) in slots() {
            walk.slot(&id, slot);
        }
        walk.config(clear, sealed, &features);
        walk
    }

    fn config(&mut self, clear: &[u8], sealed: &[u8], (required, optional): &(Vec<String>, Vec<String>)) {
        assert!(required.is_empty());
        self.meet("type 10");
        let body = open(
            &self.key("config"),
            &[&aad(10, &self.repo), clear].concat(),
            sealed,
        );
        let mut cbor = Cbor::new(&body);
        let elements = cbor.array().unwrap().unwrap();
        assert!((5..=7).contains(&elements));
        assert_eq!((cbor.u8().unwrap(), cbor.array().unwrap()), (1, Some(3)));
        let mut number = || cbor.u64().unwrap();
        say!(
            self,
            "config: bounds {} {} {}, pack {}, bundle {}, created {}, optional {optional:?}",
            number(),
            number(),
            number(),
            number(),
            number(),
            number()
        );
        if elements > 5 {
            say!(
                self,
                "  parity: {:?} percent",
                nullable(&mut cbor, |c| c.u8().unwrap())
            );
        }
        if elements > 6
            && let Some(replica) = nullable(&mut cbor, |c| hex(c.bytes().unwrap()))
        {
            self.meet("replica");
            say!(self, "  replica {replica}");
        }
    }

    fn meet(&self, what: impl ToString) {
        self.met.borrow_mut().insert(what.to_string());
    }

    fn key(&self, purpose: &str) -> Key {
        derive(&self.repo, &self.master, purpose)
    }

    /// The body of a small sealed object.
    fn small(&self, what: u8, bytes: &[u8], name: &[u8]) -> Vec<u8> {
        self.meet(format!("type {what}"));
        let head = [&b"dedup"[..], &[what, 1, 1], &self.repo, &[0, 0]].concat();
        assert_eq!(bytes[..26], head);
        let mut rest = Bytes(&bytes[28..]);
        let count = u16::from_le_bytes([bytes[26], bytes[27]]);
        assert_eq!(count, u16::from(matches!(what, 6 | 16 | 17)));
        let keys: Vec<_> = (0..count).map(|_| sealed_key(&mut rest)).collect();
        let sealed = rest.0;
        let head = &bytes[..bytes.len() - sealed.len()];
        let key = match what {
            4 => self.index,
            5 | 7 => self.key("sessions"),
            6 | 16 | 17 => self.content_key(3, &keys[0]),
            8 | 9 | 15 => self.key("removals"),
            14 => self.key("upgrades"),
            _ => panic!("{what}"),
        };
        let plain = open(&key, &[head, name].concat(), sealed);
        let len = u32::from_le_bytes(plain[..4].try_into().unwrap()) as usize;
        assert!(plain[4 + len..].iter().all(|byte| *byte == 0));
        let floor = if matches!(what, 4 | 6 | 16) { 4096 } else { 1024 };
        assert!(bytes.len() >= floor && bytes.len() == padme(bytes.len()));
        plain[4..4 + len].to_vec()
    }

    /// The content key of a class, of which the sealed one is of kind 0.
    fn content_key(&self, class: u8, sealed: &[u8]) -> Key {
        self.meet("type 13");
        assert_eq!(sealed[0], 0);
        let what = [&aad(13, &self.repo)[..], &[0, class]].concat();
        let author = blake3::keyed_hash(&self.key("authors"), &[0; 16]);
        let tag = blake3::keyed_hash(author.as_bytes(), &[&what, &sealed[17..]].concat());
        assert_eq!(sealed[1..17], tag.as_bytes()[..16]);
        let word = ["data", "tree", "manifest"][usize::from(class) - 1];
        let wrap = self.key(&format!("wrap {word}"));
        open(&wrap, &what, &sealed[19..]).try_into().unwrap()
    }
}

fn derive(repo: &[u8; 16], master: &Key, purpose: &str) -> Key {
    blake3::derive_key(&format!("dedup 2026 v1 {purpose}"), &[&master[..], repo].concat())
}

fn aad(what: u8, repo: &[u8; 16]) -> Vec<u8> {
    [&b"dedup"[..], &[1, what, 1], repo, &[0, 0]].concat()
}

/// The least Padmé length that is not below `n`.
fn padme(n: usize) -> usize {
    let e = n.ilog2();
    let s = e.ilog2() + 1;
    n.next_multiple_of(1 << (e - s))
}

/// Takes a sealed key, of any kind, off the bytes.
fn sealed_key(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let head = bytes.take(19);
    let len = u16::from_le_bytes([head[17], head[18]]) as usize;
    [head, bytes.take(len)].concat()
}

fn open(key: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    try_open(key, aad, sealed).unwrap()
}

fn try_open(key: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let key: Key = key.try_into().unwrap();
    let nonce: [u8; 24] = sealed[..24].try_into().unwrap();
    let payload = Payload {
        msg: &sealed[24..],
        aad,
    };
    chacha20poly1305::XChaCha20Poly1305::new(&key.into())
        .decrypt(&nonce.into(), payload)
        .ok()
}

fn nullable<T>(cbor: &mut Cbor<'_>, read: impl FnOnce(&mut Cbor<'_>) -> T) -> Option<T> {
    match cbor.datatype().unwrap() {
        Type::Null => {
            cbor.null().unwrap();
            None
        }
        _ => Some(read(cbor)),
    }
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
