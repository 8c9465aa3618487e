//! Readers and writers that tell how many bytes went through them.

use crate::progress::Progress;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Tells the bytes that pass to a [`Progress`], and takes them back when the transfer turns out to have failed.
pub(crate) struct Counting<'a, T> {
    pub(crate) inner: T,
    progress: &'a dyn Progress,
    counted: i64,
}

impl<'a, T> Counting<'a, T> {
    pub(crate) fn new(inner: T, progress: &'a dyn Progress) -> Counting<'a, T> {
        Counting { inner, progress, counted: 0 }
    }

    fn count(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.counted = self.counted.saturating_add(bytes);
        self.progress.bytes(bytes);
    }

    /// Something went through.
    pub(crate) fn has_any(&self) -> bool {
        self.counted != 0
    }

    /// The bytes did not count after all.
    pub(crate) fn take_back(&mut self) {
        if self.counted != 0 {
            self.progress.bytes(-self.counted);
            self.counted = 0;
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counting<'_, T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.inner).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if read > 0 {
            this.count(read);
        }
        poll
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counting<'_, T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = poll {
            this.count(written);
        }
        poll
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
