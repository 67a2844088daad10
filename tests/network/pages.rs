//! More objects of a kind than a server lists at once: every command goes on to the last of them.

use chunkstore::chunker::Bounds;
use chunkstore::config::Config;
use chunkstore::frame::Encoder;
use chunkstore::pack::Class;
use chunkstore::remote::{self, Kind, ObjectName, Remote};
use chunkstore::slot::{Cost, new_key_file};
use chunkstore::store::{NewStore, Store};
use chunkstore::writer::Writer;
use engine::repo::Repo;
use engine::run::{LocalDirs, RunContext};
use kit::generation::noise;
use kit::program::{Home, number};
use kit::remotes::listed;
use kit::servers::Seaweed;
use std::fs;

/// Keys that SeaweedFS, as most stores of this kind, gives at once.
const PAGE: usize = 1000;
const PACKS: usize = PAGE + 50;
/// A file that is one chunk of its own.
const BOUNDS: Bounds = Bounds {
    min: 4 << 10,
    avg: 16 << 10,
    max: 64 << 10,
};

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_dedup-under-test"))
}

/// A repository with so many packs, each of which has one file of the snapshot.
fn fill(home: &Home, url: &str) {
    let (text, secret) = new_key_file().unwrap();
    home.write("key", text.as_bytes());
    let config = Config {
        pack_size: 1 << 20,
        ..Config::new(BOUNDS, 0)
    };
    let secrets = [(secret, "test")];
    let new = NewStore {
        bounds: BOUNDS,
        secrets: &secrets,
        cost: Cost::FLOOR,
        now: 0,
    };
    Store::create_with(
        &*remote::open(url, &remote::Link::default()).unwrap(),
        &new,
        &config,
    )
    .unwrap();
    let run = RunContext::new(LocalDirs {
        cache: home.path("kit/cache"),
        state: home.path("kit/state"),
    });
    let repo = Repo::open(url, &secrets[0].0, &run).unwrap();
    let writer = Writer::begin(repo.store.clone(), repo.owner(), 1, false).unwrap();
    let mut encoder = Encoder::new(1).unwrap();
    for n in 0..PACKS {
        let bytes = noise(n as u64, config.small_file() as usize);
        home.write(&format!("source/{}/f{n}", n % 10), &bytes);
        writer.put(0, &mut encoder, Class::Data, &bytes).unwrap();
        writer.flush().unwrap();
    }
}

fn packs(remote: &dyn Remote) -> Vec<ObjectName> {
    let mut names: Vec<ObjectName> = listed(remote, Kind::Pack)
        .unwrap()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort_by_key(ObjectName::path);
    names
}

#[test]
fn check_heal_and_prune_see_beyond_the_first_page() {
    let Some(server) = Seaweed::start("check_heal_and_prune_see_beyond_the_first_page") else {
        return;
    };
    let (home, url) = (home(), server.url());
    fill(&home, &url);
    let args = |more: &[&str]| -> Vec<String> {
        let given = ["-r", &url, "--key-file", "key"];
        [&given[..], more]
            .concat()
            .iter()
            .map(|arg| arg.to_string())
            .collect()
    };
    let run = |more: &[&str]| home.run(&args(more));
    // The writer that put the packs has ended; its chunks count all the same.
    let saved = run(&["backup", "source", "--json"]).ends(0).summary();
    assert_eq!(number(&saved, "files_new"), PACKS as u64);
    let remote = remote::open(&url, &remote::Link::default()).unwrap();
    let before = packs(&*remote);
    assert!((PACKS..PACKS + 10).contains(&before.len()), "{}", before.len());
    run(&["check", "--read-data"]).ends(0);
    run(&["remote", "add", "whole", &home.text("whole")]).ends(0);
    run(&["replicate"]).ends(0);

    // Packs from each page are lost, and packs from each page damaged.
    let lost: Vec<&ObjectName> = before.iter().step_by(7).collect();
    let hurt: Vec<&ObjectName> = before
        .iter()
        .skip(1)
        .step_by(101)
        .filter(|name| !lost.contains(name))
        .collect();
    assert!(lost.len() > 140 && hurt.iter().any(|name| before[PAGE..].contains(name)));
    lost.iter().for_each(|name| remote.delete(name).unwrap());
    for name in &hurt {
        let mut bytes = Vec::new();
        remote.read(name, 0, 1 << 20, &mut bytes).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        remote.replace(name, &bytes).unwrap();
    }
    fs::remove_dir_all(home.path(".cache")).unwrap();
    run(&["check", "--read-data"]).ends(13);
    run(&["heal", "--from", &home.text("whole"), "--read-data"]).ends(0);
    run(&["check", "--read-data"]).ends(0);
    assert!(packs(&*remote).len() >= before.len());

    // All but a few go.
    for n in 0..PACKS - 20 {
        fs::remove_file(home.path(format!("source/{}/f{n}", n % 10))).unwrap();
    }
    run(&["backup", "source"]).ends(0);
    run(&[
        "prune",
        "--keep-last=1",
        "--keep-trash=0s",
        "--max-unused=0",
        "--yes",
    ])
    .ends(0);
    let after = packs(&*remote);
    assert!(after.len() < 40, "{}", after.len());
    run(&["check", "--read-data"]).ends(0);
    run(&["restore", "--target", "out"]).ends(0);
    for n in PACKS - 20..PACKS {
        let name = format!("source/{}/f{n}", n % 10);
        let restored = format!("{}{}", home.text("out"), home.text(&name));
        assert_eq!(fs::read(restored).unwrap(), fs::read(home.path(&name)).unwrap());
    }
}
