//! Pieces of a tree after their frame was opened: what decodes encodes to the same bytes.
#![no_main]
use engine::tree;

libfuzzer_sys::fuzz_target!(|plain: &[u8]| {
    if let Ok(runs) = tree::decode(plain) {
        assert_eq!(tree::encode(&runs), plain);
    }
    let _ = tree::references(plain);
    let _ = tree::decode_extent_list(plain);
    let _ = tree::decode_page(plain);
});
