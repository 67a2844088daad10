use super::*;
use crate::chunker::Bounds;
use crate::compress::Codec;
use crate::config::Config;
use crate::id::ChunkId;
use crate::id::PackId;
use crate::pack::{Class, Frame};
use crate::parity;
use crate::remote::{Memory, ObjectName, Remote};
use crate::slot::{Cost, Secret};
use crate::store::{NewStore, Store};

const SIZE: usize = 1000;

fn pack(number: u8) -> HandedPack {
    let bytes = Bytes::from(vec![number; SIZE]);
    HandedPack {
        list: Arc::new(PackList {
            id: PackId(*blake3::hash(&bytes).as_bytes()),
            class: Class::Data,
            size: SIZE as u64,
            sealed_keys: Vec::new(),
            frames: Vec::new(),
            parts: Vec::new(),
        }),
        bytes,
        parity: Arc::default(),
        under: Some([1, 2]),
    }
}

/// One that nothing is taken from, with room for two packs in memory and three on disk.
fn intake(cache: &Path) -> Intake {
    Intake::new(
        6,
        Spool::new(cache, SIZE as u32, 3 * SIZE as u64 + 3 * SIZE as u64 / 16),
    )
}

#[test]
fn a_stalled_destination_costs_a_bounded_room() {
    let cache = tempfile::tempdir().unwrap();
    let intake = intake(cache.path());
    let packs: Vec<HandedPack> = (0..20).map(pack).collect();
    packs.iter().for_each(|pack| intake.offer(pack));
    assert_eq!(intake.missed(), 15, "two in memory, three on disk");
    let shared = |pack: &&HandedPack| !pack.bytes.is_unique();
    assert_eq!(packs.iter().filter(shared).count(), 2, "and nothing is copied");
    intake.close();
    let taken: Vec<HandedPack> = std::iter::from_fn(|| intake.take()).collect();
    assert_eq!(taken.len(), 5);
    for (taken, pack) in taken.iter().zip(&packs) {
        assert!(taken.bytes == pack.bytes && taken.list == pack.list && taken.under == pack.under);
    }
    intake.offer(&pack(99));
    assert!(intake.take().is_none(), "closed");
}

/// The file has no name from the start, so a crash leaves nothing.
#[test]
fn a_spool_leaves_nothing_and_is_used_again() {
    let cache = tempfile::tempdir().unwrap();
    let spool = Spool::new(cache.path(), SIZE as u32, 2 * SIZE as u64 + 200);
    for round in 0..5 {
        let (a, b) = (pack(round), pack(round + 100));
        let slots = (spool.put(&a.bytes).unwrap(), spool.put(&b.bytes).unwrap());
        assert!(spool.put(&a.bytes).is_none(), "full");
        let folders = std::fs::read_dir(cache.path().join("scratch")).unwrap();
        assert_eq!(folders.count(), 0);
        assert_eq!(spool.take(slots.0, &a.list.id).unwrap(), a.bytes);
        assert!(spool.take(slots.1, &a.list.id).is_none(), "not its bytes");
    }
    let large = Bytes::from(vec![1; 2 * SIZE]);
    assert!(spool.put(&large).is_none());
}

#[test]
fn a_disk_that_takes_nothing_is_one_without_room() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let intake = intake(file.path());
    (0..5).for_each(|number| intake.offer(&pack(number)));
    assert_eq!(intake.missed(), 3);
}

#[test]
fn an_abandoned_one_ends_whoever_waits() {
    let cache = tempfile::tempdir().unwrap();
    let intake = intake(cache.path());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| std::iter::from_fn(|| intake.take()).count());
        (0..4).for_each(|number| intake.offer(&pack(number)));
        intake.abandon();
        assert!(waits.join().unwrap() <= 4);
    });
    intake.offer(&pack(9));
    assert!(intake.take().is_none());
}

#[test]
fn destinations_share_a_bounded_memory() {
    let cache = tempfile::tempdir().unwrap();
    for count in 1..10 {
        let intakes = Intake::for_each(count, cache.path(), 1 << 20);
        let all: usize = intakes.iter().map(|intake| intake.packs()).sum();
        assert!(intakes.len() == count && all <= PACKS.max(LEAST * count));
        for intake in intakes {
            assert!(intake.queue() >= 1 && intake.lanes(100) + intake.queue() <= intake.packs());
            assert_eq!(intake.lanes(1), 1);
        }
    }
}

/// A pack for two destinations with parity: it is made for the first that needs it, and both have the same.
#[test]
fn parity_is_made_once_for_all_destinations() {
    let (first, second, cache) = (Memory::new(), Memory::new(), tempfile::tempdir().unwrap());
    let secret = Secret::KeyFile(zeroize::Zeroizing::new([9; 32]));
    let new = NewStore {
        bounds: Bounds::DEFAULT,
        secrets: &[(secret.clone(), "test")],
        cost: Cost::FLOOR,
        now: 1,
    };
    let config = Config {
        parity: Some(10),
        ..Config::new(new.bounds, 1)
    };
    Store::create_with(&first, &new, &config).unwrap();
    let leader = Store::open(Arc::new(first.clone()), &secret, cache.path()).unwrap();
    leader.make_replica(&second, 1).unwrap();
    let follower = leader
        .open_replica(Arc::new(second.clone()), cache.path())
        .unwrap();
    let sealed = leader.keys().new_session().unwrap().tree.sealed;
    let mut writer = leader.begin_pack(Class::Tree, vec![sealed]).unwrap();
    let frame = Frame {
        id: ChunkId([1; 32]),
        offset: 0,
        stored_len: 0,
        plain_len: 9,
        codec: Codec::Zstd,
        key: 0,
    };
    writer.append(frame, &[7; 4000]).unwrap();
    let closed = writer.finish(leader.keys()).unwrap();
    let handed = HandedPack {
        list: Arc::new(closed.list.clone()),
        bytes: closed.bytes.clone().unwrap(),
        parity: Arc::default(),
        under: None,
    };
    let made = || parity::ENCODED.with(std::cell::Cell::get);
    let before = made();
    follower
        .publish_bytes(handed.list.id, &handed.bytes, &handed.parity)
        .unwrap();
    leader.publish_pack(closed, &handed.parity).unwrap();
    assert_eq!(made() - before, 1);
    let name = ObjectName::parity(handed.list.id);
    let parities = [&first, &second].map(|remote| remote.get(&name, 1 << 20).unwrap());
    assert!(parities[0] == parities[1] && !parities[0].is_empty());
    parity::verify(leader.id(), handed.list.id, &parities[0]).unwrap();
    // Another percentage is another object.
    let more = handed.parity.get(leader.id(), handed.list.id, &handed.bytes, 50);
    assert!(more.unwrap().len() > parities[0].len() && made() - before == 2);
}
