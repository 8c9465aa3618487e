//! Content that is compressed on its way out, in chunks (RFC 9112 §7.1).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_core::encoding::Coding;
use net::Conn;
use tokio::task::spawn_blocking;

use crate::source::{Broken, Source};

/// What is read and compressed at a time, bytes.
const STEP: u64 = 256 * 1024;

/// Sends the head and the whole file behind it.
pub(crate) async fn send(
    conn: &mut Conn,
    mut head: Vec<u8>,
    source: &mut Source<'_>,
    size: u64,
    coding: Coding,
) -> Result<(), Broken> {
    let mut encoder = Encoder::new(coding)?;
    let mut done = 0;
    while done < size {
        let step = STEP.min(size - done);
        let content = source.read(done, step as usize).await;
        let content = if done == 0 { content.map_err(Broken::early)? } else { content? };
        done += step;
        let last = done >= size;
        let chunk;
        // Tens of milliseconds: not on a thread that serves others.
        (encoder, chunk) =
            spawn_blocking(move || encoder.next(&content, last)).await.map_err(std::io::Error::other)??;
        if !chunk.is_empty() {
            write_chunk(&mut head, &chunk);
            conn.write(&head).await?;
            head.clear();
        }
    }
    head.extend_from_slice(b"0\r\n\r\n");
    Ok(conn.write(&head).await?)
}

fn write_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
    out.extend_from_slice(chunk);
    out.extend_from_slice(b"\r\n");
}

/// A coding at work.
struct Encoder(GzEncoder<Vec<u8>>);

impl Encoder {
    fn new(coding: Coding) -> std::io::Result<Self> {
        match coding {
            Coding::Gzip => Ok(Self(GzEncoder::new(Vec::new(), Compression::default()))),
            // The rules do not offer them.
            Coding::Zstd | Coding::Brotli => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Takes the next bytes; what comes out.
    fn next(mut self, content: &[u8], last: bool) -> std::io::Result<(Self, Vec<u8>)> {
        self.0.write_all(content)?;
        if last {
            self.0.try_finish()?;
        }
        let chunk = std::mem::take(self.0.get_mut());
        Ok((self, chunk))
    }
}
