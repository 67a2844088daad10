//! A whole pack as storage may hand it out.
#![no_main]
use chunkstore::keys::{Keys, MasterKey};
use chunkstore::pack::{Class, decode_footer, parse_list};
use chunkstore::{PackId, RepoId};
use std::sync::LazyLock;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(&MasterKey::from_bytes([1; 32]), RepoId([2; 16])));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = parse_list(&KEYS, PackId([0; 32]), bytes);
    let _ = decode_footer(bytes, Class::Data, (126, 1 << 20), 2);
    let _ = decode_footer(bytes, Class::Tree, (126, 1 << 20), 2);
});
