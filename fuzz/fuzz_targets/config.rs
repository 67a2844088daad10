//! The `config` object: its clear part is read before any key is known.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(clear) = chunkstore::config::clear(bytes) {
        let _ = chunkstore::config::open(bytes, &clear.repo, &chunkstore::seal::SealKey::new([1; 32]));
    }
});
