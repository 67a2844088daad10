//! A key slot: read before anything is authenticated. Only cheap secrets are tried, so that runs stay short. And what
//! people type or keep as secrets.
#![no_main]
use chunkstore::slot::{Slot, parse_key_file, parse_phrase};
use chunkstore::{RepoId, SlotId};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(slot) = Slot::parse(SlotId([0; 16]), bytes) {
        let text = "dedup key file 1\n0101010101010101010101010101010101010101010101010101010101010101\n";
        let secret = parse_key_file(text).expect("a key file");
        let _ = slot.unwrap(&secret, &RepoId([1; 16]));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (parse_key_file(text), parse_phrase(text));
    }
});
