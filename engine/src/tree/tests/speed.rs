//! What coding costs an entry. `cargo test --release -p dedup-engine tree_speed -- --ignored --nocapture`

use super::*;
use std::hint::black_box;
use std::time::Instant;

#[test]
#[ignore = "a measurement"]
fn tree_speed() {
    const ENTRIES: usize = 100_000;
    let stream = plain_stream(ENTRIES);
    let segments: Vec<Vec<Run>> = stream.chunks(3000).map(|part| runs(&part.to_vec())).collect();
    let mut best = [f64::MAX; 6];
    let mut bytes = 0;
    for _ in 0..7 {
        let mut each = |slot: usize, start: Instant| {
            let ns = start.elapsed().as_nanos() as f64 / ENTRIES as f64;
            best[slot] = best[slot].min(ns);
        };
        let start = Instant::now();
        let plain: Vec<_> = segments.iter().map(|runs| encode(runs)).collect();
        each(0, start);
        bytes = plain.iter().map(Vec::len).sum();
        let start = Instant::now();
        for plain in &plain {
            black_box(decode(plain).unwrap());
        }
        each(1, start);
        let start = Instant::now();
        for plain in &plain {
            black_box(references(plain).unwrap());
        }
        each(2, start);
        let pieces = Pieces::default();
        let copy = stream.clone();
        let start = Instant::now();
        let mut writer = TreeWriter::new(KEY, pieces.store());
        for (dir, entry) in copy {
            writer.push(&dir, entry).unwrap();
        }
        let root = writer.finish().unwrap();
        each(3, start);
        let start = Instant::now();
        let mut cursor = pieces.cursor(&root);
        while let Some(item) = cursor.next().unwrap() {
            black_box(item);
        }
        each(4, start);
        let start = Instant::now();
        let mut cursor = pieces.cursor(&root);
        let mut writer = TreeWriter::new(KEY, pieces.store());
        while let Some(item) = cursor.next().unwrap() {
            writer.push_same(&item.dir, item.entry, &item.pos).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), root);
        each(5, start);
    }
    let [encode, decode, references, push, cursor, same] = best;
    println!(
        "ns an entry: encode {encode:.0}, decode {decode:.0} (with drop), references {references:.0}, \
         push and store {push:.0}, cursor {cursor:.0}, cursor and push_same {same:.0}; plain bytes an entry {:.1}",
        bytes as f64 / ENTRIES as f64
    );
}
