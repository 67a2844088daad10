//! Fixed data for the benchmarks: the same bytes on every machine, and as `dedup bench` uses them.

pub mod made;

pub use engine::bench::{noise, text};
