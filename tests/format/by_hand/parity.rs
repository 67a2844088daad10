//! Section 7 of docs/format.md: parity, with a Reed-Solomon code that is computed from its definition. Slow, and enough for
//! packs of some hundred KiB.

use super::{Repository, hex};
use std::fmt::Write;

const POLYNOMIAL: u32 = 0x1002D;
const BASIS: [u16; 16] = [
    0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012, 0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8,
    0xFB34, 0xFF38, 0x991E,
];

/// The element that is written so, as a polynomial.
fn element(written: u16) -> u16 {
    let bits = (0..16).filter(|bit| written >> bit & 1 == 1);
    bits.fold(0, |sum, bit| sum ^ BASIS[bit])
}

fn mul(a: u16, b: u16) -> u16 {
    let (mut product, mut a) = (0, u32::from(a));
    for bit in 0..16 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a > 0xFFFF {
            a ^= POLYNOMIAL;
        }
    }
    product as u16
}

fn inverse(a: u16) -> u16 {
    // a to the power of 2^16 - 2.
    let (mut power, mut result) = (a, 1);
    for _ in 1..16 {
        power = mul(power, power);
        result = mul(result, power);
    }
    result
}

/// What the polynomial that has one value at each of the points is at `x`, as a factor for each value.
fn factors(points: &[u16], x: u16) -> Vec<u16> {
    let others = |skip: usize| points.iter().enumerate().filter(move |(at, _)| *at != skip);
    (0..points.len())
        .map(|at| {
            let above = others(at).fold(1, |product, (_, p)| mul(product, x ^ p));
            let below = others(at).fold(1, |product, (_, p)| mul(product, points[at] ^ p));
            mul(above, inverse(below))
        })
        .collect()
}

/// The 16-bit elements of a shard.
fn elements(shard: &[u8]) -> Vec<u16> {
    let blocks = shard.chunks(64);
    let written = blocks.flat_map(|block| (0..32).map(|at| u16::from_le_bytes([block[at], block[at + 32]])));
    written.map(element).collect()
}

/// The recovery shards of these, as elements.
fn recovery(shards: &[Vec<u16>], m: usize) -> Vec<Vec<u16>> {
    let k = shards.len();
    let (k2, m2) = (k.next_power_of_two(), m.next_power_of_two());
    let points = |from: usize, count: usize| -> Vec<u16> {
        (from..from + count)
            .map(|number| element(number as u16))
            .collect()
    };
    let mut out = vec![vec![0; shards[0].len()]; m];
    let mut add = |shards: &[Vec<u16>], points: &[u16], first: usize| {
        for (number, out) in out.iter_mut().enumerate() {
            let factors = factors(points, element((first + number) as u16));
            // What is not there is zero.
            for (shard, factor) in shards.iter().zip(factors) {
                for (sum, value) in out.iter_mut().zip(shard) {
                    *sum ^= mul(factor, *value);
                }
            }
        }
    };
    if k2 > m2 || k2 == m2 && k <= m {
        for (number, shards) in shards.chunks(m2).enumerate() {
            add(shards, &points((number + 1) * m2, m2), 0);
        }
    } else {
        add(shards, &points(0, k2), k2);
    }
    out
}

impl Repository<'_> {
    /// Parity beside packs that are there.
    pub fn parity(&mut self) {
        for (path, bytes) in self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with("parity/"))
        {
            let name = path.strip_prefix("parity/").unwrap();
            let (rest, magic) = bytes.split_at(bytes.len() - 8);
            assert_eq!(magic, b"DDUPRITY");
            let (rest, len) = rest.split_at(rest.len() - 4);
            let len = u32::from_le_bytes(len.try_into().unwrap()) as usize;
            let (head, shards) = rest[..rest.len() - len].split_at(len);
            assert_eq!(head, &rest[rest.len() - len..]);
            assert_eq!(&head[..12], b"DDUPRITY\x01\0\0\0");
            assert_eq!(
                (&head[12..28], hex(&head[28..60])),
                (&self.repo[..], name.to_string())
            );
            let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize;
            let size = number(60);
            let (shard, k, m) = (number(68), number(72), number(76));
            let (hashes, end) = head[80..].split_at(8 * (k + m));
            assert_eq!(blake3::hash(&head[..head.len() - 32]).as_bytes(), end);
            let mut pack = self.objects[&format!("packs/{}/{name}", &name[..2])].clone();
            assert_eq!((pack.len(), number(64), pack.len().div_ceil(shard)), (size, 0, k));
            pack.resize(k * shard, 0);
            assert_eq!(shards.len(), m * shard);
            let all = pack.chunks(shard).chain(shards.chunks(shard));
            for (shard, hash) in all.zip(hashes.chunks(8)) {
                assert_eq!(blake3::hash(shard).as_bytes()[..8], *hash);
            }
            let made = recovery(&pack.chunks(shard).map(elements).collect::<Vec<_>>(), m);
            let stored: Vec<_> = shards.chunks(shard).map(elements).collect();
            assert!(made == stored, "recovery shards of {path}");
            self.meet("parity");
            say!(
                self,
                "parity {}: {k} shards of {shard} bytes, {m} more",
                &name[..8]
            );
        }
    }
}
