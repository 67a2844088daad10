//! What fuzzing begins with: golden objects taken out of their seals, and what people write that is easily got wrong.
//! `fuzz/corpus` is made by `cargo test -p dedup-tests -- --ignored regenerate_corpus`; inputs that once failed are put
//! beside what that makes, and stay.

use chunkstore::compress::{Codec, Compressor};
use chunkstore::frame::Decoder;
use chunkstore::indexfile::IndexSegment;
use chunkstore::object::cbor;
use chunkstore::pack::{self, Class};
use chunkstore::remote::{Kind, Local, ObjectName};
use chunkstore::store::SnapshotObject;
use chunkstore::{IndexId, PackId, RepoId, SessionId, parity, varint};
use engine::manifest::Manifest;
use kit::machine::Machine;
use kit::random::Random;
use kit::remotes::contents;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A corpus is for the tricky cases, not for all of them.
const LARGEST: u64 = 300_000;
/// Pieces of each kind that are taken from the golden repository.
const PIECES: usize = 8;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every target begins with something, and nothing lies there for a target that is gone.
#[test]
fn every_fuzz_target_has_a_corpus() {
    let targets: Vec<String> = names(&fuzz().join("fuzz_targets"))
        .iter()
        .map(|name| name.trim_end_matches(".rs").to_string())
        .collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let mut size = 0;
    for target in &targets {
        assert!(manifest.contains(&format!("\nname = \"{target}\"\n")), "{target}");
        let folder = fuzz().join("corpus").join(target);
        let inputs = names(&folder);
        assert!(!inputs.is_empty(), "{target}");
        size += inputs
            .iter()
            .map(|name| folder.join(name).metadata().unwrap().len())
            .sum::<u64>();
    }
    assert!(size < LARGEST, "{size} bytes are too many to keep");
}

fn keep(target: &str, name: &str, bytes: &[u8]) {
    let folder = fuzz().join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn keep_texts(target: &str, texts: &[&str]) {
    for (number, text) in texts.iter().enumerate() {
        keep(target, &format!("text-{number:02}"), text.as_bytes());
    }
}

#[test]
#[ignore = "writes fuzz/corpus"]
fn regenerate_corpus() {
    keep_objects();
    keep_trees();
    keep_frames();
    keep_texts(
        "filter",
        &[
            "home/me/a.tmp\n*.tmp\n!keep.tmp",
            "home/me/cache/x\n/home/*/cache/\n**/x\n",
            "a/b/c\na/**/c\n[!a-z]\n{a,b}/**\n",
            "a\\b\n\\*\n\\\n[\n]\n{a,{b,c}}\n[[:alpha:]]\n",
            "x\n#note\n  padded  \n!\n/\n//\n",
            "\u{fc}/\u{1F600}\n\u{fc}/?\n**\n***\n",
        ],
    );
    keep_texts(
        "listing",
        &[
            r#"<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/new/packs/</D:href><D:propstat>
            <D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop></D:propstat></D:response></D:multistatus>"#,
            r#"<multistatus xmlns="DAV:"><response><href>/p/a%20b%ff</href><propstat><prop><getcontentlength>12
            </getcontentlength></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#,
            "<a><response><href>&lt;&#x41;&unknown;</href><![CDATA[x]]></response></a>",
            "<D:multistatus><D:response></wrong>",
        ],
    );
    keep_texts(
        "settings",
        &[
            "[remotes.main]\nurl = '/mnt/backup'\npassword-file = '~/pass'\n",
            "[remotes.okinawa]\nurl = 's3://office/pc1'\nkey-file = '/k'\npassword-command = 'pass show x'\n",
            "remotes.a = { url = 'sftp://u@h/p', key-file = 'relative' }",
            "[remote.main]\nurl='/a'",
            "[remotes.a]\npasword-file='/x'\n[remotes.a]\n",
            "[remotes]\na = 1\n'\\u0000' = []\n",
        ],
    );
    keep_texts(
        "url",
        &[
            "s3://office/pc%201/x/?endpoint=http://127.0.0.1:83&region=jp&timeout=5&secret=s3cr3t",
            "sftp://u:p%40ss@host:2222/~/backup",
            "webdavs://u:pass@[::1]:8443/a//b/?ca=/etc/ca.pem&proxy=http://p:1&retry=0",
            "rclone:name,token=x:path",
            "azblob://c/../x",
            "b2://b/%2e%2e/%ff",
        ],
    );
    keep_texts(
        "parameters",
        &[
            "1.5 GiB",
            "latest~3",
            "0123abcd",
            "unlimited",
            "18446744073709551615",
            "-1s",
            "12:61",
            "10%",
            "3y2m",
            "2h30m",
            "1w",
            "yesterday 18:00",
            "3d ago",
            "2026-11-22 08:00:59",
            "2026-03-29T02:30:00+02:00",
            "0.0000000000001 TiB",
            "99999999y",
            "\u{1b}[31m\u{202e}name\u{7f}",
            "s3://id:secret@host/bucket?secret=x",
            "sftp://user:pa%3Ass@host:22//path",
            "webdavs://h:p@[::1]:9/%2e%2e/",
        ],
    );
}

/// Whole objects, and bodies of those that are sealed.
fn keep_objects() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1/repository");
    let remote = Local::new(place);
    let machine = Machine::new("here");
    let store = machine.open(Arc::new(remote)).unwrap().store;
    for (name, mut bytes) in contents(store.remote()).unwrap() {
        let short = format!("golden-{}", &name.id().get(..8).unwrap_or("config"));
        match name.kind() {
            Kind::Config => keep("config", &short, &bytes),
            Kind::Key => keep("slot", &short, &bytes),
            Kind::Pack => keep_pack(&store, &name, &short, &bytes),
            Kind::Index => {
                let segment = IndexSegment::open(store.keys(), IndexId::from_hex(name.id()).unwrap(), &bytes);
                keep("index_segment", &short, &segment.unwrap().encode());
            }
            Kind::Session
            | Kind::Mark
            | Kind::Trash
            | Kind::Parity
            | Kind::Upgrade
            | Kind::Forgotten
            | Kind::Overview
            | Kind::Machine => {
                // The targets' own repository.
                bytes[8..24].copy_from_slice(&[2; 16]);
                keep("object", &short, &bytes);
            }
            Kind::Snapshot => {
                let id = SessionId::from_hex(name.id()).unwrap();
                if let SnapshotObject::Manifest { body, .. } = store.snapshot_object(id).unwrap() {
                    keep("manifest", &short, &body);
                    let root = Manifest::decode(id, &body).unwrap().root().unwrap();
                    keep("root", &short, &cbor(&root));
                }
            }
        }
    }
    keep(
        "object",
        "owner",
        &cbor(&chunkstore::session::Owner {
            machine: [1; 16],
            host: "here".to_string(),
            pid: 1,
            started: -1,
            packs: None,
        }),
    );
    let digits = "0123456789abcdef".repeat(4);
    keep(
        "slot",
        "key-file",
        format!("dedup key file 1\n{digits}\n").as_bytes(),
    );
    keep("slot", "phrase", ["abandon"; 23].join(" ").as_bytes());
    // Jobs and where they are broken.
    keep("operations", "life", &[0, 0, 2, 0, 2, 0, 3, 0, 5, 0]);
    keep(
        "operations",
        "crashes",
        &[0, 0, 2, 0, 2, 0x45, 2, 0x8a, 3, 3, 6, 0x94, 4, 0, 6, 0],
    );
    keep(
        "operations",
        "faults",
        &[
            0, 0, 0x12, 0xc4, 2, 0, 0x23, 0xc8, 0x33, 0, 0x36, 0xd0, 0x56, 0xe0, 8, 0,
        ],
    );
    // An honest tree; then links, and what would go through them.
    keep(
        "restore",
        "honest",
        &[0, 0, 0, 2, 0, 1, 0, 0, 0, 1, 2, 0, 0, 3, 3, 0],
    );
    keep(
        "restore",
        "through-a-link",
        &[1, 0, 0, 3, 0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0, 0, 5, 3, 0, 0],
    );
    keep(
        "restore",
        "linked",
        &[3, 0, 0, 3, 5, 0, 1, 0, 5, 0, 7, 0, 5, 6, 3, 0, 1],
    );
}

/// A pack; the list in its footer; and parity for it, if it is small.
fn keep_pack(store: &chunkstore::store::Store, name: &ObjectName, short: &str, bytes: &[u8]) {
    let list = pack::parse_list(store.keys(), PackId::from_hex(name.id()).unwrap(), bytes).unwrap();
    let mut body = Vec::new();
    varint::put(&mut body, list.frames.len() as u64);
    for frame in &list.frames {
        body.extend_from_slice(frame.id.as_bytes());
        varint::put(&mut body, frame.stored_len.into());
        varint::put(&mut body, frame.plain_len.into());
        body.push(frame.codec as u8);
        varint::put(&mut body, frame.key.into());
    }
    chunkstore::smallfile::put_parts(&mut body, &list.parts);
    keep("pack_footer", &format!("{short}-footer"), &body);
    if bytes.len() <= 8192 && list.frames.len() > 1 {
        let mut ours = bytes.to_vec();
        ours[8..24].copy_from_slice(&[2; 16]);
        keep("pack_footer", short, &ours);
        let parity = parity::encode(&RepoId([2; 16]), PackId([0; 32]), bytes, 5).unwrap();
        keep("parity", short, &parity);
    }
}

/// Tree chunks of the golden generations, of every kind.
fn keep_trees() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1/repository");
    let remote = Local::new(place);
    let store = Machine::new("here").open(Arc::new(remote)).unwrap().store;
    let mut decoder = Decoder::new().unwrap();
    let mut kept: [BTreeSet<Vec<u8>>; 256] = std::array::from_fn(|_| BTreeSet::new());
    let mut segments = Vec::new();
    store
        .remote()
        .list(Kind::Index, &mut |name, _| {
            segments.extend(IndexId::from_hex(name.id()));
            Ok(())
        })
        .unwrap();
    for id in segments {
        let segment = store.segment(id).unwrap();
        for entry in &segment.entries {
            let pack = &segment.packs[entry.pack as usize];
            if pack.class != Class::Tree {
                continue;
            }
            let place = segment.place(entry);
            let mut plain = Vec::new();
            let read = decoder.read(
                store.remote(),
                store.keys(),
                Class::Tree,
                entry.id,
                &place,
                &mut plain,
            );
            // Its pack may have been collected.
            if read.is_ok() {
                kept[usize::from(plain[0])].insert(plain);
            }
        }
    }
    for (kind, pieces) in kept.iter().enumerate() {
        for (number, plain) in pieces
            .iter()
            .filter(|plain| plain.len() < 20_000)
            .take(PIECES)
            .enumerate()
        {
            keep("tree_segment", &format!("golden-{kind}-{number}"), plain);
        }
    }
}

/// A length, whether it is zstd, and the payload.
fn keep_frames() {
    let mut compressor = Compressor::new(3).unwrap();
    let mut noise = vec![0; 500];
    Random::new(1).fill(&mut noise);
    let mut window = noise.repeat(3);
    window.extend(vec![0; 100_000]);
    for (name, plain) in [
        ("empty", Vec::new()),
        ("text", b"a line of text that repeats\n".repeat(50)),
        ("noise", noise),
        ("zeros", vec![0; 1 << 19]),
        ("mixed", window),
    ] {
        let mut payload = Vec::new();
        let codec = compressor.compress(&plain, &mut payload).unwrap();
        let head = [
            &(plain.len() as u32).to_le_bytes()[..],
            &[u8::from(codec == Codec::Zstd)],
        ]
        .concat();
        keep("frame", name, &[head, payload].concat());
    }
}
