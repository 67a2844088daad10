//! What a WebDAV server answers about a folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(members) = chunkstore::remote::multistatus::parse(bytes) {
        let named: usize = members.iter().map(|member| member.name.len()).sum();
        // Three bytes for one that is not UTF-8.
        assert!(named <= 3 * bytes.len());
    }
});
