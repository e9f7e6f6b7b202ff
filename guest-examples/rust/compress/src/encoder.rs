//! One body's compression: each chunk comes out at once, so that what a slow upstream sends is not
//! held back.

use std::io::Write;

use brotli::CompressorWriter;
use flate2::write::GzEncoder;
use flate2::Compression;
use ruzstd::encoding::{compress_to_vec, CompressionLevel};

use crate::negotiation::Coding;

/// 256 KiB: nginx's brotli module has twice as much, and a guest has 16 MiB for one body.
const BROTLI_WINDOW: u32 = 18;

/// Each level from 5 on doubles what brotli remembers matches in: 4 MiB at this one.
const BROTLI_LEVEL: u32 = 6;

pub enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Br(Box<CompressorWriter<Vec<u8>>>),
    /// Each chunk is a frame of its own (RFC 8878, section 3: frames may follow each other).
    Zstd {
        is_empty: bool,
    },
}

impl Encoder {
    /// `level` is 1 for the fastest to 9 for the smallest; brotli stops at 6, and zstd has the
    /// fastest only.
    pub fn new(coding: Coding, level: u32) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(level))),
            Coding::Br => {
                Self::Br(Box::new(CompressorWriter::new(Vec::new(), 4096, level.min(BROTLI_LEVEL), BROTLI_WINDOW)))
            }
            Coding::Zstd => Self::Zstd { is_empty: true },
        }
    }

    /// What comes out for a chunk.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        const INTO_MEMORY: &str = "writing to memory does not fail";
        if bytes.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Gzip(encoder) => {
                encoder.write_all(bytes).expect(INTO_MEMORY);
                encoder.flush().expect(INTO_MEMORY);
                std::mem::take(encoder.get_mut())
            }
            Self::Br(encoder) => {
                encoder.write_all(bytes).expect(INTO_MEMORY);
                encoder.flush().expect(INTO_MEMORY);
                std::mem::take(encoder.get_mut())
            }
            Self::Zstd { is_empty } => {
                *is_empty = false;
                compress_to_vec(bytes, CompressionLevel::Fastest)
            }
        }
    }

    /// What comes out at the end.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.finish().expect("writing to memory does not fail"),
            Self::Br(encoder) => encoder.into_inner(),
            // A content of no frame is none that is encoded.
            Self::Zstd { is_empty: true } => compress_to_vec(&[][..], CompressionLevel::Fastest),
            Self::Zstd { is_empty: false } => Vec::new(),
        }
    }
}
