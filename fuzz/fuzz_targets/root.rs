//! The root inside a manifest.
#![no_main]
use chunkstore::object::cbor;
use engine::tree::Root;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(root) = Root::decode(body) {
        assert_eq!(Root::decode(&cbor(&root)).as_ref(), Ok(&root));
    }
});
