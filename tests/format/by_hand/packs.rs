//! Section 7 of docs/format.md: packs and their parts, index segments, parity; and what a chunk is read from.

use super::{Bytes, Moved, Place, Repository, aad, derive, hex, open, padme, sealed_key, short};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A moved file as a table of parts lists it: number of the frame or entry, hash, offset, length.
type Part = (usize, Vec<u8>, usize, usize);

fn parts(reader: &mut Bytes<'_>) -> Vec<Part> {
    let (mut number, mut end) = (0, 0);
    let count = reader.number();
    (0..count)
        .map(|_| {
            let hash = reader.take(16).to_vec();
            let (step, gap, len) = (reader.number(), reader.number(), reader.number());
            if step > 0 {
                (number, end) = (number + step, 0);
            }
            let offset = end + gap;
            end = offset + len;
            assert!(len > 0);
            (number, hash, offset, len)
        })
        .collect()
}

impl Repository<'_> {
    pub fn packs(&mut self) {
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
            let start = rest.len() - u32::from_le_bytes(len.try_into().unwrap()) as usize;
            let aad = [&aad(3, &self.repo)[..], blake3::hash(head).as_bytes()].concat();
            let body = open(&self.index, &aad, &rest[start..]);
            self.meet("type 3");
            if keys.len() > 1 {
                self.meet("pack of several keys");
            }
            let class = if bytes[10] == 1 { "data" } else { "tree" };
            let mut reader = Bytes(&body);
            let count = reader.number();
            say!(self, "pack {}: {class}, {count} frames", &path[9..17]);
            let (mut offset, mut frames) = (head.len(), Vec::new());
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
                let place = Place {
                    pack: path.clone(),
                    offset,
                    stored,
                    plain,
                    codec,
                    sealed_key: keys[key].clone(),
                };
                frames.push((id.clone(), plain));
                self.places.entry(id).or_default().push(place);
                offset += stored;
            }
            self.padding(head, &bytes[offset..start]);
            assert!(bytes.len() >= 4096 && bytes.len() == padme(bytes.len()));
            let parts = parts(&mut reader);
            assert!(reader.0.is_empty() && (parts.is_empty() || class == "data"));
            for (number, hash, offset, len) in parts {
                let (bundle, plain) = &frames[number];
                assert!(offset + len <= *plain);
                say!(
                    self,
                    "  part {}: {len} bytes at {offset} of {}",
                    short(&hash),
                    short(bundle)
                );
                self.meet("parts");
                let moved = (bundle.clone(), offset, len);
                self.parts.entry(hash).or_default().insert(moved);
            }
            self.keys.push((path.clone(), keys));
        }
    }

    fn padding(&self, head: &[u8], padding: &[u8]) {
        let mut want = vec![0; padding.len()];
        let key = derive(&self.repo, &self.master, "padding");
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(head).finalize_xof().fill(&mut want);
        assert!(padding == want, "padding");
    }

    /// The index lists the same as the footers of the packs that are there.
    pub fn index(&mut self) {
        let mut listed = BTreeSet::new();
        for (path, bytes) in self.objects.iter().filter(|(path, _)| path.starts_with("index/")) {
            let name = path.strip_prefix("index/").unwrap();
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
                let path = format!("packs/{}/{id}", &id[..2]);
                assert_eq!(size, self.objects[&path].len());
                listed.insert(path.clone());
                packs.push((path, keys));
            }
            let entries = self.entries(&mut reader, &packs);
            for (number, hash, offset, len) in parts(&mut reader) {
                let moved: Moved = (entries[number].clone(), offset, len);
                assert!(self.parts[&hash].contains(&moved));
            }
            assert!(reader.0.is_empty());
            say!(
                self,
                "index {}: {} packs, {} entries",
                &name[..8],
                packs.len(),
                entries.len()
            );
        }
        let unlisted = self.keys.iter().filter(|(path, _)| !listed.contains(path));
        let unlisted: Vec<_> = unlisted.map(|(path, _)| path[9..17].to_string()).collect();
        if !unlisted.is_empty() {
            say!(self, "packs that no index segment lists: {unlisted:?}");
        }
    }

    /// Chunk ids, in the order of the entries.
    fn entries(&self, reader: &mut Bytes<'_>, packs: &[(String, Vec<Vec<u8>>)]) -> Vec<Vec<u8>> {
        let mut ids = Vec::new();
        let mut last = None;
        for _ in 0..reader.number() {
            let id = reader.take(32).to_vec();
            let (pack, offset, stored, plain) =
                (reader.number(), reader.number(), reader.number(), reader.number());
            let (codec, key) = (reader.take(1)[0], reader.number());
            let order = Some((id.clone(), pack, offset));
            assert!(last < order);
            last = order;
            let (path, keys) = &packs[pack];
            let place = Place {
                pack: path.clone(),
                offset,
                stored,
                plain,
                codec,
                sealed_key: keys[key].clone(),
            };
            assert!(self.places[&id].contains(&place));
            ids.push(id);
        }
        ids
    }

    pub fn chunk(&self, tree: bool, id: &[u8]) -> Vec<u8> {
        let Place {
            pack,
            offset,
            stored,
            plain: plain_len,
            codec,
            sealed_key,
        } = &self.places[id][0];
        let (what, purpose) = if tree { (2, "tree") } else { (1, "data") };
        self.meet(format!("type {what}"));
        self.meet(format!("codec {codec}"));
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

    /// A small file: in the bundle that the tree names, or where a collection has moved it.
    pub fn small_file(&self, bundle: &[u8], offset: usize, len: usize, hash: &[u8]) -> Vec<u8> {
        let (bundle, offset) = match self.places.contains_key(bundle) {
            true => (bundle.to_vec(), offset),
            false => {
                self.meet("moved file");
                let moved = self.parts[hash].iter().find(|(_, _, moved)| *moved == len);
                let (bundle, offset, _) = moved.unwrap();
                (bundle.clone(), *offset)
            }
        };
        let bytes = self.chunk(false, &bundle)[offset..offset + len].to_vec();
        let key = derive(&self.repo, &self.master, "file content hashes");
        assert_eq!(hash, &blake3::keyed_hash(&key, &bytes).as_bytes()[..16]);
        bytes
    }
}
