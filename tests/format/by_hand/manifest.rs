//! Section 8 of docs/format.md: manifests, roots and pages.

use super::{Repository, hex, lossy, nullable, short, strings, unhex};
use minicbor::Decoder as Cbor;
use std::fmt::Write;

/// A row of a root or page: chunk id, and how many segments a page has.
type Row = (Vec<u8>, Option<u64>);

impl Repository<'_> {
    /// Sessions that published a manifest.
    pub fn manifests(&self) -> Vec<Vec<u8>> {
        let all = self.objects.iter();
        all.filter_map(|(path, bytes)| Some((unhex(path.strip_prefix("snapshots/")?), bytes)))
            .filter_map(|(id, bytes)| (bytes[5] == 6).then_some(id))
            .collect()
    }

    /// Ids of the segments that a manifest leads to.
    pub fn manifest(&mut self, id: &[u8]) -> Vec<Vec<u8>> {
        let body = self.small(6, &self.objects[&format!("snapshots/{}", hex(id))], id);
        let mut cbor = Cbor::new(&body);
        let elements = cbor.array().unwrap().unwrap();
        assert!((23..=24).contains(&elements));
        let (host, user) = (cbor.str().unwrap(), cbor.str().unwrap());
        let paths = strings(&mut cbor);
        let tags = strings(&mut cbor);
        let description = cbor.str().unwrap();
        say!(
            self,
            "manifest {}: host {host}, user {user}, paths {paths:?}, tags {tags:?}, description {description}",
            short(id)
        );
        say!(
            self,
            "  time {} {}, walk {}, {} s, partial {}, protected {}",
            cbor.i64().unwrap(),
            cbor.u32().unwrap(),
            cbor.i64().unwrap(),
            cbor.u64().unwrap(),
            cbor.bool().unwrap(),
            cbor.bool().unwrap()
        );
        let id = |cbor: &mut Cbor<'_>| nullable(cbor, |cbor| short(cbor.bytes().unwrap()));
        say!(
            self,
            "  parent {:?}, original {:?}, machine {}, number {}, after {}",
            id(&mut cbor),
            id(&mut cbor),
            hex(cbor.bytes().unwrap()),
            cbor.u64().unwrap(),
            short(cbor.bytes().unwrap())
        );
        let counters = cbor.array().unwrap().unwrap();
        assert_eq!(counters, 13);
        let counters: Vec<u64> = (0..counters).map(|_| cbor.u64().unwrap()).collect();
        let program = cbor.str().unwrap();
        say!(self, "  counters {counters:?}, program {program}");
        let root = cbor.bytes().unwrap();
        let unlisted = strings(&mut cbor);
        let mut mounted = |what: &str, cbor: &mut Cbor<'_>| {
            for _ in 0..cbor.array().unwrap().unwrap() {
                let elements = cbor.array().unwrap().unwrap();
                let path = lossy(cbor.bytes().unwrap());
                let numbers: Vec<i64> = (1..elements).map(|_| cbor.i64().unwrap()).collect();
                self.meet(what);
                say!(self, "  {what} {path}: {numbers:?}");
            }
        };
        mounted("mounts", &mut cbor);
        mounted("missing", &mut cbor);
        say!(
            self,
            "  not listed {unlisted:?}, operating system {}",
            cbor.u8().unwrap()
        );
        if elements > 23 {
            self.meet("set");
            say!(self, "  set {}", cbor.str().unwrap());
        }
        assert_eq!(cbor.position(), body.len());
        self.root(root)
    }

    fn root(&mut self, root: &[u8]) -> Vec<Vec<u8>> {
        let mut cbor = Cbor::new(root);
        assert_eq!(cbor.array().unwrap(), Some(4));
        let rows = self.rows(&mut cbor);
        let mut number = || cbor.u64().unwrap();
        say!(
            self,
            "  root: {} entries, {} files, {} bytes",
            number(),
            number(),
            number()
        );
        assert_eq!(cbor.position(), root.len());
        let mut segments = Vec::new();
        for (id, pages) in rows {
            let Some(count) = pages else {
                segments.push(id);
                continue;
            };
            self.meet("piece 3");
            let page = self.chunk(true, &id);
            assert_eq!(page[..2], [3, 1]);
            let mut cbor = Cbor::new(&page[2..]);
            let rows = self.rows(&mut cbor);
            assert_eq!((cbor.position(), rows.len() as u64), (page.len() - 2, count));
            for (id, pages) in rows {
                assert_eq!(pages, None);
                segments.push(id);
            }
        }
        segments
    }

    fn rows(&mut self, cbor: &mut Cbor<'_>) -> Vec<Row> {
        assert_eq!(cbor.array().unwrap(), Some(3));
        let packs: Vec<_> = (0..cbor.array().unwrap().unwrap())
            .map(|_| hex(cbor.bytes().unwrap()))
            .collect();
        let keys: Vec<_> = (0..cbor.array().unwrap().unwrap())
            .map(|_| cbor.bytes().unwrap().to_vec())
            .collect();
        let count = cbor.array().unwrap().unwrap();
        (0..count).map(|_| self.row(cbor, &packs, &keys)).collect()
    }

    fn row(&mut self, cbor: &mut Cbor<'_>, packs: &[String], keys: &[Vec<u8>]) -> Row {
        assert_eq!(cbor.array().unwrap(), Some(9));
        let (dir, name) = (lossy(cbor.bytes().unwrap()), lossy(cbor.bytes().unwrap()));
        let id = cbor.bytes().unwrap().to_vec();
        let mut number = || cbor.u64().unwrap();
        say!(
            self,
            "  piece {} from '{dir}' '{name}': {} entries, {} files of {} bytes, {} plain",
            short(&id),
            number(),
            number(),
            number(),
            number()
        );
        let place = nullable(cbor, |cbor| {
            assert_eq!(cbor.array().unwrap(), Some(5));
            let mut number = || cbor.u64().unwrap() as usize;
            (number(), number(), number(), number(), number())
        });
        if let Some((pack, key, offset, stored, codec)) = place {
            // A hint: a collection may have moved the piece since.
            let known = self.places[&id]
                .iter()
                .filter(|at| at.pack.ends_with(&packs[pack]));
            for at in known {
                assert_eq!((at.stored, usize::from(at.codec)), (stored, codec));
                assert_eq!((at.offset, &at.sealed_key), (offset, &keys[key]));
            }
        }
        let pages = nullable(cbor, |cbor| cbor.u64().unwrap());
        (id, pages)
    }
}
