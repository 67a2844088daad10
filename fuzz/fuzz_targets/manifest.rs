//! A manifest's body after its seal was opened.
#![no_main]
use chunkstore::SessionId;
use engine::manifest::Manifest;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(manifest) = Manifest::decode(SessionId([0; 16]), body) {
        let _ = manifest.time();
        let _ = manifest.root();
        assert!(Manifest::decode(SessionId([0; 16]), &manifest.encode()).is_ok());
    }
});
