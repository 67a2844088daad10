//! Frames' payloads: zstd or stored as they are. Contexts are kept and reused; output is bounded by the
//! authenticated plain length (I-14).

use crate::error::{Error, Feature, Flaw, Invalid, Object, Result, ZstdCall};
use crate::varint::Undecodable;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter};

/// How a frame's payload is encoded; the number is on disk and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Codec {
    Store = 0,
    Zstd = 1,
}

impl Codec {
    pub fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            0 => Some(Codec::Store),
            1 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// Of a tag as it is stored.
    pub fn read(tag: u8) -> Result<Self, Undecodable> {
        Codec::from_tag(tag).ok_or(Undecodable::Newer(Feature::Codec(tag)))
    }
}

/// Largest plaintext of a chunk, bytes.
pub const CHUNK_MAX: usize = 16 << 20;
/// zstd's window is never above 8 MiB, so decoding needs no more than that beside the output.
const WINDOW_LOG_MAX: u32 = 23;

pub struct Compressor {
    ctx: CCtx<'static>,
}

impl Compressor {
    /// `level` as zstd counts: -7..=19.
    pub fn new(level: i32) -> Result<Self> {
        let mut ctx = CCtx::create();
        let set = |ctx: &mut CCtx<'static>, parameter| {
            ctx.set_parameter(parameter)
                .map_err(|code| zstd_error(ZstdCall::SetUp, code))
        };
        set(&mut ctx, CParameter::CompressionLevel(level))?;
        set(&mut ctx, CParameter::ContentSizeFlag(false))?;
        // The tables of level 3 fill three quarters of a core's second cache, and the chunk wants to be there too. With
        // half of the smaller one it is faster beside a second core, at the same size but for a thousandth
        // (docs/decisions/0011-level-three.md).
        if level == 3 {
            set(&mut ctx, CParameter::ChainLog(15))?;
        }
        Ok(Compressor { ctx })
    }

    /// Replaces `out` by the payload of `plain`; stored as it is unless zstd saves 1/32.
    pub fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<Codec> {
        out.clear();
        out.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        self.ctx
            .compress2(out, plain)
            .map_err(|code| zstd_error(ZstdCall::Compress, code))?;
        if out.len() + plain.len() / 32 >= plain.len() {
            out.clear();
            out.extend_from_slice(plain);
            return Ok(Codec::Store);
        }
        Ok(Codec::Zstd)
    }
}

pub struct Decompressor {
    ctx: DCtx<'static>,
}

impl Decompressor {
    pub fn new() -> Result<Self> {
        let mut ctx = DCtx::create();
        ctx.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .map_err(|code| zstd_error(ZstdCall::SetUp, code))?;
        Ok(Decompressor { ctx })
    }

    /// Replaces `out` by the plaintext of `payload`, which must have exactly `plain_len` bytes.
    pub fn decompress(
        &mut self,
        codec: Codec,
        payload: &[u8],
        plain_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let wrong = |flaw| Error::corrupt(Object::Frame, flaw);
        if plain_len > CHUNK_MAX {
            return Err(wrong(Flaw::OutOfRange));
        }
        out.clear();
        match codec {
            Codec::Store => out.extend_from_slice(payload),
            Codec::Zstd => {
                out.reserve_exact(plain_len);
                // The vector's spare room bounds what zstd may write; it can be more than asked for, so the
                // length is compared below.
                self.ctx
                    .decompress(out, payload)
                    .map_err(|_| wrong(Flaw::Undecodable))?;
            }
        }
        if out.len() != plain_len {
            Err(wrong(Flaw::LengthMismatch))
        } else {
            Ok(())
        }
    }
}

fn zstd_error(call: ZstdCall, code: usize) -> Error {
    Error::Invalid(Invalid::Zstd {
        call,
        detail: zstd::zstd_safe::get_error_name(code).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_wrong_lengths() {
        let mut compressor = Compressor::new(3).unwrap();
        let mut decompressor = Decompressor::new().unwrap();
        let text = b"all work and no play ".repeat(5000);
        let noise: Vec<u8> = blake3::Hasher::new().finalize_xof().bytes(100_000);
        let (mut payload, mut plain) = (Vec::new(), Vec::new());
        for (data, codec) in [
            (&text, Codec::Zstd),
            (&noise, Codec::Store),
            (&Vec::new(), Codec::Store),
        ] {
            assert_eq!(compressor.compress(data, &mut payload).unwrap(), codec);
            decompressor
                .decompress(codec, &payload, data.len(), &mut plain)
                .unwrap();
            assert_eq!(&plain, data);
            assert!(
                decompressor
                    .decompress(codec, &payload, data.len() + 1, &mut plain)
                    .is_err()
            );
            assert!(
                decompressor
                    .decompress(codec, &payload, CHUNK_MAX + 1, &mut plain)
                    .is_err()
            );
        }
        compressor.compress(&text, &mut payload).unwrap();
        assert!(
            decompressor
                .decompress(Codec::Zstd, &payload, 10, &mut plain)
                .is_err()
        );
        for cut in [0, 1, payload.len() / 2, payload.len() - 1] {
            assert!(
                decompressor
                    .decompress(Codec::Zstd, &payload[..cut], text.len(), &mut plain)
                    .is_err()
            );
        }
    }

    trait Noise {
        fn bytes(self, len: usize) -> Vec<u8>;
    }
    impl Noise for blake3::OutputReader {
        fn bytes(mut self, len: usize) -> Vec<u8> {
            let mut bytes = vec![0; len];
            self.fill(&mut bytes);
            bytes
        }
    }
}
