//! The root inside a manifest.
#![no_main]
use chunkstore::object::{cbor, from_cbor};
use engine::tree::Root;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Some(root) = from_cbor::<Root>(body) {
        assert_eq!(from_cbor::<Root>(&cbor(&root)).as_ref(), Some(&root));
    }
});
