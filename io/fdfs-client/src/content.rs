//! What is sent: bytes in memory, or a reader of known length.

use crate::error::{Error, Kind, Result};
use std::fs::Metadata;
use std::path::Path;
use std::pin::Pin;
use tokio::io::AsyncRead;

/// The content of an upload, append or modify.
///
/// Bytes in memory convert into it. A reader has to give exactly the size it is announced with: the protocol needs
/// the size in front.
pub struct Content<'a> {
    pub(crate) source: Source<'a>,
}

pub(crate) enum Source<'a> {
    Bytes(&'a [u8]),
    Reader { reader: Pin<Box<dyn AsyncRead + Send + 'a>>, size: u64 },
}

impl<'a> Content<'a> {
    /// The first `size` bytes of `reader`. A reader that ends before is an error of kind [`Kind::LocalRead`], and
    /// nothing is stored.
    pub fn reader(reader: impl AsyncRead + Send + 'a, size: u64) -> Content<'a> {
        Content { source: Source::Reader { reader: Box::pin(reader), size } }
    }

    /// A file as it is now; what is appended to it later is not sent.
    ///
    /// # Errors
    /// [`Kind::LocalRead`] when it cannot be opened, [`Kind::InvalidRequest`] when it is no regular file.
    pub async fn file(path: impl AsRef<Path>) -> Result<Content<'static>> {
        const OPERATION: &str = "open file";
        let failed = |cause| Error::local(Kind::LocalRead, OPERATION).caused_by(cause);
        let regular = |metadata: &Metadata| match metadata.is_file() {
            true => Ok(()),
            false => Err(Error::local(Kind::InvalidRequest("only regular files have content"), OPERATION)),
        };
        // Before it is opened, too: opening a pipe waits for somebody who writes into it.
        regular(&tokio::fs::metadata(&path).await.map_err(failed)?)?;
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let metadata = file.metadata().await.map_err(failed)?;
        regular(&metadata)?;
        Ok(Content::reader(file, metadata.len()))
    }

    /// How many bytes will be sent.
    pub fn size(&self) -> u64 {
        match &self.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Reader { size, .. } => *size,
        }
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Content<'a> {
    fn from(bytes: &'a T) -> Content<'a> {
        Content { source: Source::Bytes(bytes.as_ref()) }
    }
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("size", &self.size()).finish_non_exhaustive()
    }
}
