//! Parity as storage may hand it out.
#![no_main]
use chunkstore::{PackId, RepoId, parity};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = parity::verify(&RepoId([2; 16]), PackId([0; 32]), bytes);
});
