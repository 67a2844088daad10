//! Sections 5 and 6 of docs/format.md: slots, sessions, fences, upgrades, marks, trash, lists of the forgotten, overviews
//! and machines' records.

use super::{Key, Repository, Secret, aad, hex, nullable, open, short, strings, try_open, unhex};
use minicbor::Decoder as Cbor;
use std::fmt::Write;

impl Repository<'_> {
    /// Label and time of a slot's note.
    pub fn slot(&mut self, id: &[u8], slot: &[u8]) {
        let random = [&self.repo[..], &id[..8]].concat();
        assert_eq!(id[8..], blake3::hash(&random).as_bytes()[..8]);
        let body = &slot[10..10 + u16::from_le_bytes([slot[8], slot[9]]) as usize];
        assert!(slot[10 + body.len()..].iter().all(|byte| *byte == 0));
        let mut cbor = Cbor::new(body);
        assert_eq!(cbor.array().unwrap(), Some(6));
        let kind = cbor.u8().unwrap();
        (1..5).for_each(|_| cbor.skip().unwrap());
        let others = [&body[..cbor.position()], &[0x40]].concat();
        let aad = [&aad(12, &self.repo)[..], id, blake3::hash(&others).as_bytes()].concat();
        let note = open(&self.key("notes"), &aad, cbor.bytes().unwrap());
        let mut cbor = Cbor::new(&note);
        assert_eq!(cbor.array().unwrap(), Some(2));
        for what in ["type 11", "type 12", &format!("slot {kind}")] {
            self.meet(what);
        }
        say!(
            self,
            "slot {} of kind {kind}: {}, created {}",
            short(id),
            cbor.str().unwrap(),
            cbor.i64().unwrap()
        );
    }

    pub fn control_objects(&mut self) {
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
            if elements > 4 {
                let under = nullable(&mut cbor, |cbor| {
                    assert_eq!(cbor.array().unwrap(), Some(2));
                    [cbor.u64().unwrap(), cbor.u64().unwrap()]
                });
                let number = |key: &Vec<u8>| {
                    let hash = blake3::hash(key);
                    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap())
                };
                let own = |keys: &[Vec<u8>]| {
                    let under = under.as_ref().map_or(&[][..], |under| &under[..]);
                    keys.iter().any(|key| under.contains(&number(key)))
                };
                let own = self.keys.iter().filter(|(_, keys)| own(keys));
                let own: Vec<String> = own.map(|(path, _)| path[9..17].to_string()).collect();
                say!(self, "  its packs: {own:?}");
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

    /// Upgrades, marks, trash, lists of the forgotten, overviews, machines' records.
    pub fn others(&mut self) {
        for (path, bytes) in self.objects {
            let Some((folder, name)) = path.split_once('/') else {
                continue;
            };
            let id = unhex(name.rsplit('/').next().unwrap());
            match folder {
                "upgrades" => self.upgrade(name, &self.small(14, bytes, &id)),
                "marks" => {
                    let body = self.small(8, bytes, &id);
                    let packs: Vec<_> = body.chunks(32).map(short).collect();
                    assert!(packs.is_sorted());
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
                "forgotten" => self.forgotten(&id, &self.small(15, bytes, &id)),
                "overviews" => self.overview(&id, &self.small(16, bytes, &id)),
                "machines" => self.record(&id, &self.small(17, bytes, &id)),
                _ => {}
            }
        }
    }

    fn upgrade(&mut self, name: &str, body: &[u8]) {
        let mut cbor = Cbor::new(body);
        assert_eq!(cbor.array().unwrap(), Some(4));
        let number = u64::from_str_radix(name, 16).unwrap();
        let (required, optional) = (strings(&mut cbor), strings(&mut cbor));
        let parity = nullable(&mut cbor, |cbor| cbor.u8().unwrap());
        let time = cbor.i64().unwrap();
        say!(
            self,
            "upgrade {number}: required {required:?}, optional {optional:?}, parity {parity:?}, time {time}"
        );
    }

    fn forgotten(&mut self, list: &[u8], body: &[u8]) {
        let mut cbor = Cbor::new(body);
        let count = cbor.array().unwrap().unwrap();
        say!(self, "list of forgotten {}: {count}", short(list));
        for _ in 0..count {
            let elements = cbor.array().unwrap().unwrap();
            assert!((3..=4).contains(&elements));
            let (id, machine) = (short(cbor.bytes().unwrap()), hex(cbor.bytes().unwrap()));
            let number = cbor.u64().unwrap();
            let original = (elements > 3)
                .then(|| nullable(&mut cbor, |cbor| short(cbor.bytes().unwrap())))
                .flatten();
            self.meet(if machine.bytes().all(|digit| digit == b'0') {
                "loss"
            } else {
                "forgotten"
            });
            say!(
                self,
                "  {id}: machine {machine}, number {number}, original {original:?}"
            );
        }
        assert_eq!(cbor.position(), body.len());
    }

    /// What it says of the manifests and fences that are there, which is what they say.
    fn overview(&mut self, number: &[u8], body: &[u8]) {
        let mut cbor = Cbor::new(body);
        assert_eq!(cbor.array().unwrap(), Some(1));
        let count = cbor.array().unwrap().unwrap();
        say!(
            self,
            "overview {}: {count}",
            u64::from_be_bytes(number.try_into().unwrap())
        );
        for _ in 0..count {
            let elements = cbor.array().unwrap().unwrap();
            assert!((2..=3).contains(&elements));
            let (id, size) = (cbor.bytes().unwrap(), cbor.u64().unwrap());
            let object = self.objects.get(&format!("snapshots/{}", hex(id)));
            let object = object.filter(|object| object.len() as u64 == size);
            let read = |cbor: &mut Cbor<'_>| {
                assert_eq!(cbor.array().unwrap(), Some(3));
                [cbor.bytes(), cbor.bytes(), cbor.bytes()].map(|bytes| bytes.unwrap().to_vec())
            };
            let manifest = (elements > 2).then(|| nullable(&mut cbor, read)).flatten();
            let Some([stored, tree, body]) = manifest else {
                assert!(object.is_none_or(|object| object[5] == 7));
                self.meet("fence in an overview");
                say!(self, "  {}: {size} bytes, a fence", short(id));
                continue;
            };
            say!(self, "  {}: {size} bytes, a manifest", short(id));
            let Some(object) = object else { continue };
            assert_eq!(*blake3::hash(object).as_bytes(), stored[..]);
            let whole = self.small(6, object, id);
            let (before, root, after) = around_root(&whole);
            let (same, empty, end) = around_root(&body);
            assert_eq!((before, after, empty), (same, end, &b""[..]));
            assert_eq!(*blake3::hash(root).as_bytes(), tree[..]);
        }
        assert_eq!(cbor.position(), body.len());
    }
}

impl Repository<'_> {
    fn record(&mut self, name: &[u8], body: &[u8]) {
        let mut cbor = Cbor::new(body);
        assert_eq!(cbor.array().unwrap(), Some(6));
        let (subject, machine) = (cbor.u8().unwrap(), cbor.bytes().unwrap());
        let (host, profile) = (cbor.str().unwrap(), cbor.str().unwrap());
        let (time, content) = (cbor.i64().unwrap(), cbor.bytes().unwrap());
        assert_eq!(cbor.position(), body.len());
        let about = [machine, &[subject], profile.as_bytes()].concat();
        let series = blake3::keyed_hash(&self.key("machines"), &about);
        let (start, number) = name.split_at(8);
        assert_eq!(start, &series.as_bytes()[..8]);
        self.meet(format!("subject {subject}"));
        say!(
            self,
            "record {} number {}: machine {}, host {host}, profile {profile:?}, time {time}",
            short(start),
            u64::from_be_bytes(number.try_into().unwrap()),
            hex(machine)
        );
        match subject {
            1 => say!(self, "  settings {:?}", std::str::from_utf8(content).unwrap()),
            2 => self.machine_state(content),
            3 => self.path_tags(content),
            other => panic!("subject {other}"),
        }
    }

    fn path_tags(&mut self, content: &[u8]) {
        let mut cbor = Cbor::new(content);
        for _ in 0..cbor.array().unwrap().unwrap() {
            assert_eq!(cbor.array().unwrap(), Some(5));
            let (host, path) = (cbor.str().unwrap(), cbor.bytes().unwrap());
            let path = String::from_utf8_lossy(path);
            let (tag, time) = (cbor.str().unwrap(), cbor.i64().unwrap());
            let there = cbor.bool().unwrap();
            say!(
                self,
                "  tag {tag:?} of {path} on {host}, time {time}, there {there}"
            );
        }
        assert_eq!(cbor.position(), content.len());
    }

    fn machine_state(&mut self, content: &[u8]) {
        let mut cbor = Cbor::new(content);
        let time = |cbor: &mut Cbor<'_>| nullable(cbor, |cbor| cbor.i64().unwrap());
        assert_eq!(cbor.array().unwrap(), Some(4));
        for _ in 0..cbor.array().unwrap().unwrap() {
            let elements = cbor.array().unwrap().unwrap();
            assert!((3..=6).contains(&elements));
            let (name, last) = (cbor.str().unwrap(), time(&mut cbor));
            let status = cbor.str().unwrap();
            let reason = (elements > 3)
                .then(|| nullable(&mut cbor, |cbor| cbor.str().unwrap().to_string()))
                .flatten();
            let success = (elements > 4).then(|| time(&mut cbor)).flatten();
            let next = (elements > 5).then(|| time(&mut cbor)).flatten();
            say!(
                self,
                "  set {name}: last run {last:?} {status:?}, reason {reason:?}, last success {success:?}, next {next:?}"
            );
        }
        let (checked, restored) = (time(&mut cbor), time(&mut cbor));
        let program = cbor.str().unwrap();
        say!(
            self,
            "  checked {checked:?}, restored {restored:?}, program {program}"
        );
        assert_eq!(cbor.position(), content.len());
    }
}

/// The bytes of a manifest before element [18], that element, and the bytes after it.
fn around_root(body: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let mut cbor = Cbor::new(body);
    cbor.array().unwrap();
    (0..18).for_each(|_| cbor.skip().unwrap());
    let start = cbor.position();
    let root = cbor.bytes().unwrap();
    (&body[..start], root, &body[cbor.position()..])
}

/// The master key, if the slot is of the secret's kind and the secret is its.
pub fn unlock(repo: &[u8; 16], id: &[u8], slot: &[u8], secret: &Secret<'_>) -> Option<Key> {
    assert_eq!((&slot[..8], slot.len()), (&b"DEDUPSLT"[..], 1024));
    let len = u16::from_le_bytes([slot[8], slot[9]]) as usize;
    let mut cbor = Cbor::new(&slot[10..10 + len]);
    assert_eq!(cbor.array().unwrap(), Some(6));
    let kind = cbor.u8().unwrap();
    let salt = cbor.bytes().unwrap();
    let cost = nullable(&mut cbor, |cbor| {
        assert_eq!(cbor.array().unwrap(), Some(3));
        [cbor.u32().unwrap(), cbor.u32().unwrap(), cbor.u32().unwrap()]
    });
    let (commitment, wrapped) = (cbor.bytes().unwrap(), cbor.bytes().unwrap());
    let mut out = [0; 64];
    let mut derived = |word: &str, secret: &[u8]| {
        blake3::Hasher::new_derive_key(&format!("dedup 2026 v1 slot {word}"))
            .update(secret)
            .update(salt)
            .finalize_xof()
            .fill(&mut out);
    };
    match (kind, secret) {
        (1, Secret::Password(text)) => {
            let [memory, passes, lanes] = cost.unwrap();
            let params = argon2::Params::new(memory, passes, lanes, Some(64)).unwrap();
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
                .hash_password_into(text.as_bytes(), salt, &mut out)
                .unwrap();
        }
        (2, Secret::KeyFile(text)) => derived("key-file", &unhex(text.lines().nth(1).unwrap())),
        (3, Secret::Recovery(bytes)) => derived("recovery", bytes),
        _ => return None,
    }
    if out[32..] != *commitment {
        return None;
    }
    let aad = [&aad(11, repo)[..], id, &[kind]].concat();
    try_open(&out[..32], &aad, wrapped)?.try_into().ok()
}
