//! The body of an index segment after its seal was opened: decodes, or fails; what decodes encodes to the same bytes.
#![no_main]
use chunkstore::indexfile::IndexSegment;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    if let Ok(segment) = IndexSegment::decode(body) {
        let again = IndexSegment::decode(&segment.encode()).expect("what was decoded encodes");
        assert_eq!(again, segment);
    }
});
