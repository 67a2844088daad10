use super::*;
use crate::remote::{Memory, Published};

const REPO: RepoId = RepoId([3; 16]);

/// Numbers that a seed determines.
struct Draw(blake3::OutputReader);

impl Draw {
    fn new(seed: u64) -> Self {
        Draw(blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof())
    }

    fn below(&mut self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % end as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill(&mut bytes);
        bytes
    }
}

struct Pack {
    id: PackId,
    bytes: Vec<u8>,
    parity: Vec<u8>,
    head: ParityHeader,
}

fn pack(size: usize, percent: u8) -> Pack {
    let bytes = Draw::new(size as u64).bytes(size);
    let id = PackId(*blake3::hash(&bytes).as_bytes());
    let parity = encode(&REPO, id, &bytes, percent).unwrap();
    let head = find_head(&REPO, id, &parity).unwrap().0;
    Pack {
        id,
        bytes,
        parity,
        head,
    }
}

/// Damages up to `shards` shards of the pack and its parity together.
fn damage(pack: &Pack, draw: &mut Draw, shards: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut bytes, mut parity) = (pack.bytes.clone(), pack.parity.clone());
    let ParityHeader {
        shard,
        data,
        recovery,
        ..
    } = pack.head;
    let mut chosen: Vec<usize> = (0..data + recovery).collect();
    for number in 0..shards {
        let other = number + draw.below(chosen.len() - number);
        chosen.swap(number, other);
    }
    for number in &chosen[..shards] {
        let (object, start) = match number.checked_sub(data) {
            None => (&mut bytes, number * shard),
            Some(number) => (&mut parity, pack.head.len() + number * shard),
        };
        let end = (start + shard).min(object.len());
        let at = start + draw.below(end - start);
        match draw.below(3) {
            0 => object[at] ^= 1 << draw.below(8),
            1 => object[start..end].fill(0xee),
            _ => object[at..end].copy_from_slice(&draw.bytes(end - at)),
        }
    }
    (bytes, parity)
}

#[test]
fn two_thousand_damages_within_the_bound_are_all_repaired() {
    let packs = [(4096, 5), (5000, 3), (70_001, 10), (300_000, 2)].map(|(size, percent)| pack(size, percent));
    for seed in 0..2000 {
        let mut draw = Draw::new(seed);
        let pack = &packs[draw.below(packs.len())];
        let shards = 1 + draw.below(pack.head.recovery);
        let (bytes, mut parity) = damage(pack, &mut draw, shards);
        // And one of the two heads.
        let head = pack.head.len();
        let (first, last) = (0, parity.len() - TAIL - head);
        if draw.below(2) == 0 {
            let at = if draw.below(2) == 0 { first } else { last };
            parity[at + draw.below(head)] ^= 1;
        }
        assert_eq!(
            rebuild(&REPO, pack.id, &bytes, &parity).unwrap(),
            pack.bytes,
            "seed {seed}"
        );
    }
}

#[test]
fn cut_short_is_as_good_as_damaged() {
    let pack = pack(70_001, 10);
    let lost = pack.head.shard * (pack.head.recovery - 1);
    let cut = &pack.bytes[..pack.bytes.len() - lost];
    assert_eq!(rebuild(&REPO, pack.id, cut, &pack.parity).unwrap(), pack.bytes);
    let grown = [&pack.bytes[..], b"more"].concat();
    assert_eq!(rebuild(&REPO, pack.id, &grown, &pack.parity).unwrap(), pack.bytes);
    // The parity cut at its beginning: the head at its end is left.
    let parity = &pack.parity[pack.head.len()..];
    let mut bytes = pack.bytes.clone();
    bytes[7] ^= 1;
    assert_eq!(rebuild(&REPO, pack.id, &bytes, parity).unwrap(), pack.bytes);
}

#[test]
fn beyond_the_bound_is_an_error_and_changes_nothing() {
    let pack = pack(70_001, 5);
    for seed in 0..200 {
        let mut draw = Draw::new(seed);
        let more = pack.head.recovery + 1 + draw.below(20);
        let (bytes, parity) = damage(&pack, &mut draw, more);
        if bytes == pack.bytes {
            continue;
        }
        let remote = Memory::new();
        let put = |name: &ObjectName, bytes: &[u8]| {
            assert_eq!(remote.put(name, bytes).unwrap(), Published::Created);
        };
        put(&ObjectName::pack(pack.id), &bytes);
        put(&ObjectName::parity(pack.id), &parity);
        let before = (bytes, parity);
        let refused = mend(&remote, &REPO, pack.id, 5, false);
        assert!(
            matches!(refused, Err(Error::Corrupt { .. })),
            "seed {seed}: {refused:?}"
        );
        let get = |name: &ObjectName| remote.get(name, 1 << 20).unwrap();
        let after = (get(&ObjectName::pack(pack.id)), get(&ObjectName::parity(pack.id)));
        assert_eq!(before, after);
    }
}

#[test]
fn every_flip_of_a_parity_object_is_found_and_mended() {
    let pack = pack(4096, 5);
    verify(&REPO, pack.id, &pack.parity).unwrap();
    let remote = Memory::new();
    remote.put(&ObjectName::pack(pack.id), &pack.bytes).unwrap();
    remote.put(&ObjectName::parity(pack.id), &pack.parity).unwrap();
    assert_eq!(mend(&remote, &REPO, pack.id, 5, false).unwrap(), Mended::Whole);
    for at in 0..pack.parity.len() {
        let mut bad = pack.parity.clone();
        bad[at] ^= 0x20;
        assert!(verify(&REPO, pack.id, &bad).is_err(), "byte {at}");
        assert!(verify(&REPO, pack.id, &pack.parity[..at]).is_err(), "cut at {at}");
        if at % 50 == 0 {
            remote.replace(&ObjectName::parity(pack.id), &bad).unwrap();
            assert_eq!(mend(&remote, &REPO, pack.id, 5, false).unwrap(), Mended::Parity);
            assert_eq!(
                remote.get(&ObjectName::parity(pack.id), 1 << 20).unwrap(),
                pack.parity
            );
        }
    }
    // What a later version made is named, and left as it is.
    let last = pack.parity.len() - TAIL - pack.head.len();
    for (at, is_newer) in [(8, true), (9, true), (11, true), (7, false), (20, false)] {
        let mut other = pack.parity.clone();
        other[at] ^= 6;
        other[last + at] ^= 6;
        let refused = verify(&REPO, pack.id, &other).unwrap_err();
        assert_eq!(matches!(refused, Error::NewerFormat(_)), is_newer, "byte {at}");
    }
    assert!(verify(&RepoId([4; 16]), pack.id, &pack.parity).is_err());
    assert!(verify(&REPO, PackId([1; 32]), &pack.parity).is_err());
}

#[test]
fn hostile_parity_is_refused() {
    let pack = pack(4096, 5);
    let mut draw = Draw::new(1);
    for len in [0, 1, 11, 12, 100, 5000] {
        let bytes = draw.bytes(len);
        assert!(rebuild(&REPO, pack.id, &pack.bytes, &bytes).is_err());
    }
    // Numbers that ask for much, with a check that holds.
    for (at, number) in [
        (FIXED - 4, u32::MAX),
        (FIXED - 8, u32::MAX),
        (FIXED - 12, u32::MAX),
        (FIXED - 12, 0),
    ] {
        let mut head = pack.head.encode(&REPO, pack.id);
        head[at..at + 4].copy_from_slice(&number.to_le_bytes());
        let end = head.len() - CHECK;
        let check = *blake3::hash(&head[..end]).as_bytes();
        head[end..].copy_from_slice(&check);
        assert!(ParityHeader::parse(&REPO, pack.id, &head).is_none());
    }
    assert!(encode(&REPO, pack.id, &pack.bytes, 0).is_err());
    assert!(encode(&REPO, pack.id, &[], 5).is_err());
}
