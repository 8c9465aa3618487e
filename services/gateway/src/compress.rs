//! Content that is compressed on its way out.

use std::io::{self, Write};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_core::encoding::Coding;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::door::Found;
use crate::source::{Broken, Source};

/// Answers that are compressed at the same time; further ones go out as they are. Each holds some MiB.
pub(crate) const COMPRESSIONS_MAX: usize = 64;

/// What is read and compressed at a time, bytes.
const STEP: u64 = 256 * 1024;

/// Levels that cost about the same time, on text some 100 MB/s of a core.
const ZSTD_LEVEL: i32 = 3;
const BROTLI_LEVEL: u32 = 4;
/// A window of 1 MiB; the largest would make each answer hold 16 MiB.
const BROTLI_WINDOW_BITS: u32 = 20;
const BROTLI_BUFFER: usize = 16 * 1024;

/// A file that is being compressed.
pub(crate) struct Compressing {
    source: Source,
    size: u64,
    done: u64,
    /// None at the end.
    encoder: Option<Encoder>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Compressing {
    pub(crate) fn new(found: Found, coding: Coding) -> io::Result<Self> {
        let encoder = Some(Encoder::new(coding)?);
        Ok(Self { source: found.source, size: found.facts.size, done: 0, encoder, _place: found.place })
    }

    /// The next bytes, never none; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        while let Some(encoder) = self.encoder.take() {
            let step = STEP.min(self.size - self.done);
            let content = self.source.read(self.done, step as usize).await;
            let content = if self.done == 0 { content.map_err(Broken::early)? } else { content? };
            self.done += step;
            let last = self.done >= self.size;
            // Milliseconds: not on a thread that serves others.
            let (encoder, bytes) =
                spawn_blocking(move || encoder.next(&content, last)).await.map_err(io::Error::other)??;
            self.encoder = encoder;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// A coding at work.
enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::default())),
            Coding::Brotli => {
                let (level, window) = (BROTLI_LEVEL, BROTLI_WINDOW_BITS);
                Self::Brotli(Box::new(CompressorWriter::new(Vec::new(), BROTLI_BUFFER, level, window)))
            }
            Coding::Zstd => Self::Zstd(ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }

    /// Takes the next bytes; what comes out, and what goes on if they are not the last.
    fn next(mut self, content: &[u8], last: bool) -> io::Result<(Option<Self>, Vec<u8>)> {
        let writer: &mut dyn Write = match &mut self {
            Self::Gzip(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
        };
        writer.write_all(content)?;
        if !last {
            let bytes = std::mem::take(match &mut self {
                Self::Gzip(encoder) => encoder.get_mut(),
                Self::Brotli(encoder) => encoder.get_mut(),
                Self::Zstd(encoder) => encoder.get_mut(),
            });
            return Ok((Some(self), bytes));
        }
        let bytes = match self {
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Zstd(encoder) => encoder.finish()?,
        };
        Ok((None, bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_in_steps_comes_out_whole_again() {
        let content = "春眠不觉晓，处处闻啼鸟。\n".repeat(30_000).into_bytes();
        for coding in Coding::ALL {
            let mut encoder = Some(Encoder::new(coding).unwrap());
            let mut compressed = Vec::new();
            let mut steps = content.chunks(100_000).peekable();
            while let Some(step) = steps.next() {
                let (next, bytes) = encoder.take().unwrap().next(step, steps.peek().is_none()).unwrap();
                compressed.extend(bytes);
                encoder = next;
            }
            assert!(encoder.is_none());
            assert!(compressed.len() < content.len() / 20, "{coding:?}: {}", compressed.len());
            let mut plain = Vec::new();
            match coding {
                Coding::Gzip => {
                    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut plain).unwrap()
                }
                Coding::Brotli => {
                    brotli::Decompressor::new(&compressed[..], 4096).read_to_end(&mut plain).unwrap()
                }
                Coding::Zstd => zstd::stream::read::Decoder::new(&compressed[..])
                    .unwrap()
                    .read_to_end(&mut plain)
                    .unwrap(),
            };
            assert!(plain == content, "{coding:?}");
        }
    }
}
