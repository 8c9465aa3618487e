//! Where downloaded content goes, and what is counted on the way.

use crate::error::{Error, Kind, Result};
use tokio::io::{AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _};

/// A place for content.
pub(crate) enum Sink<'a> {
    Buffer { bytes: Vec<u8>, limit: u64 },
    Writer(&'a mut (dyn AsyncWrite + Send + Unpin)),
    File(tokio::fs::File),
}

/// Content on its way into a [`Sink`], its length and checksum so far.
pub(crate) struct Receiver<'a> {
    pub(crate) sink: Sink<'a>,
    pub(crate) received: u64,
    crc: crc32fast::Hasher,
    operation: &'static str,
}

impl<'a> Receiver<'a> {
    pub(crate) fn new(sink: Sink<'a>, operation: &'static str) -> Receiver<'a> {
        Receiver { sink, received: 0, crc: crc32fast::Hasher::new(), operation }
    }

    pub(crate) fn crc32(&self) -> u32 {
        self.crc.clone().finalize()
    }

    /// Makes room for `len` more bytes, or says that there will be none.
    pub(crate) fn expect(&mut self, len: u64) -> Result<()> {
        /// Reserved without having seen a byte of it: an announced length is only a claim.
        const TRUSTED_LEN: u64 = 1 << 20;
        if let Sink::Buffer { bytes, limit } = &mut self.sink {
            let size = self.received.saturating_add(len);
            if size > *limit {
                let kind = Kind::TooLarge { size, limit: *limit };
                return Err(Error::local(kind, self.operation));
            }
            bytes.reserve(usize::try_from(len.min(TRUSTED_LEN)).unwrap_or_default());
        }
        Ok(())
    }

    pub(crate) async fn write(&mut self, piece: &[u8]) -> Result<()> {
        let written = match &mut self.sink {
            Sink::Buffer { bytes, .. } => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
            Sink::Writer(writer) => writer.write_all(piece).await,
            Sink::File(file) => file.write_all(piece).await,
        };
        written.map_err(|cause| Error::local(Kind::LocalWrite, self.operation).caused_by(cause))?;
        self.crc.update(piece);
        self.received += piece.len() as u64;
        Ok(())
    }

    /// Hands what is buffered to the operating system.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let flushed = match &mut self.sink {
            Sink::Buffer { .. } => Ok(()),
            Sink::Writer(writer) => writer.flush().await,
            Sink::File(file) => file.flush().await,
        };
        flushed.map_err(|cause| Error::local(Kind::LocalWrite, self.operation).caused_by(cause))
    }

    /// Forgets what was received. False when that is impossible: a writer has it already.
    pub(crate) async fn restart(&mut self) -> Result<bool> {
        if self.received == 0 {
            return Ok(true);
        }
        match &mut self.sink {
            Sink::Buffer { bytes, .. } => bytes.clear(),
            Sink::Writer(_) => return Ok(false),
            Sink::File(file) => {
                let emptied = match file.rewind().await {
                    Ok(_) => file.set_len(0).await,
                    Err(error) => Err(error),
                };
                emptied.map_err(|cause| Error::local(Kind::LocalWrite, self.operation).caused_by(cause))?;
            }
        }
        self.received = 0;
        self.crc = crc32fast::Hasher::new();
        Ok(true)
    }
}
