//! Payloads of frames: decompression is bounded by the recorded length.
#![no_main]
use chunkstore::compress::{Codec, Decompressor};

libfuzzer_sys::fuzz_target!(|input: (u32, bool, &[u8])| {
    let (len, zstd, payload) = input;
    let codec = if zstd { Codec::Zstd } else { Codec::Store };
    let mut out = Vec::new();
    let len = len as usize % (1 << 20);
    if Decompressor::new()
        .expect("zstd")
        .decompress(codec, payload, len, &mut out)
        .is_ok()
    {
        assert_eq!(out.len(), len);
    }
});
