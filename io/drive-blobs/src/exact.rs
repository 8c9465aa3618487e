//! A source of which exactly so many bytes are expected.

use bytes::Bytes;
use drive_core::ports::{BlobError, ByteSource};

/// The bytes of a source. The piece that completes them is given out only once the source has said that it is at its
/// end, so whoever stores them stores nothing of a source that has more.
pub(crate) struct Exact<'a> {
    source: &'a mut dyn ByteSource,
    left: u64,
    at_end: bool,
}

impl<'a> Exact<'a> {
    pub(crate) fn new(source: &'a mut dyn ByteSource, length: u64) -> Exact<'a> {
        Exact { source, left: length, at_end: false }
    }

    /// The next piece; none after the last byte.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.left == 0 {
            return self.end().await.map(|()| None);
        }
        let piece = self.source.next().await?.ok_or(BlobError::SourceBroke)?;
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(too_long)?;
        if self.left == 0 {
            self.end().await?;
        }
        Ok(Some(piece))
    }

    /// All bytes in memory, for the few that there are of a small blob.
    pub(crate) async fn gather(mut self) -> Result<Vec<u8>, BlobError> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.left).unwrap_or_default());
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    async fn end(&mut self) -> Result<(), BlobError> {
        if !self.at_end {
            self.at_end = self.source.next().await?.is_none();
        }
        if self.at_end { Ok(()) } else { Err(too_long()) }
    }
}

fn too_long() -> BlobError {
    BlobError::Refused("the source has more bytes than were announced".to_owned())
}
