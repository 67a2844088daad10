//! Small sealed objects as storage may hand them out, and what is inside the smallest of them.
#![no_main]
use chunkstore::RepoId;
use chunkstore::forgotten::Forgotten;
use chunkstore::object::{Head, from_cbor};
use chunkstore::remote::{Kind, ObjectName};
use chunkstore::seal::{SealKey, Sealed};
use chunkstore::session::Owner;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(head) = Head::parse(&RepoId([2; 16]), "object", bytes) {
        for what in [
            Sealed::Session,
            Sealed::Fence,
            Sealed::Mark,
            Sealed::Trash,
            Sealed::Forgotten,
            Sealed::Overview,
            Sealed::Machine,
            Sealed::Manifest,
        ] {
            let opened = head.open(what, &SealKey::new([1; 32]), b"name", "object");
            assert!(opened.is_err(), "nobody has sealed this");
        }
    }
    let _ = from_cbor::<Owner>(bytes);
    let _ = from_cbor::<Vec<Forgotten>>(bytes);
    let text = String::from_utf8_lossy(bytes);
    for kind in Kind::ALL {
        if let Some(name) = ObjectName::parse(kind, &text) {
            assert!(!name.path().contains(".."));
        }
    }
});
