//! A download that is pulled: the client writes into a sink, the sink's owner takes piece by piece.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use drive_core::ports::{BlobError, ByteSource, Later};
use fdfs_client::{Client, DownloadOptions, FileId, Status};
use parking_lot::Mutex;
use tokio::io::AsyncWrite;

use super::{told, too_short};

/// What is fetched into memory before any of it is given out, so that another storage can take over from the first
/// byte if a copy turns out to be damaged.
const BUFFERED_BYTES_MAX: u64 = 256 * 1024;

type Fetch = Pin<Box<dyn Future<Output = Result<(), BlobError>> + Send>>;

/// Some bytes of a file. The last piece is given out only when the client has compared what it can compare.
pub(super) struct Download {
    fetch: Option<Fetch>,
    slot: Slot,
    left: u64,
    id: FileId,
}

/// The piece that is on its way. There is one task, so the lock is never waited for.
type Slot = Arc<Mutex<Option<Bytes>>>;

impl Download {
    pub(super) fn new(client: Client, id: FileId, offset: u64, length: u64) -> Download {
        let slot = Slot::default();
        let options = DownloadOptions { offset, length: Some(length), ..DownloadOptions::default() };
        let (id_too, slot_too) = (id.clone(), Arc::clone(&slot));
        let fetch = async move {
            let failed = |error: fdfs_client::Error| match error.status() {
                // The offset lies behind the end.
                Some(Status::EINVAL) => too_short(&id_too),
                _ => told(&error),
            };
            if length <= BUFFERED_BYTES_MAX {
                let bytes = client.download(&id_too, &options).await.map_err(failed)?;
                *slot_too.lock() = Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty());
                return Ok(());
            }
            let mut sink = Sink { slot: slot_too, last: None };
            client.download_to_writer(&id_too, &options, &mut sink).await.map_err(failed).map(|_| ())
        };
        Download { fetch: Some(Box::pin(fetch)), slot, left: length, id }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BlobError>> {
        let mut outcome = Ok(());
        if self.slot.lock().is_none()
            && let Some(fetch) = &mut self.fetch
            && let Poll::Ready(ready) = fetch.as_mut().poll(cx)
        {
            self.fetch = None;
            outcome = ready;
        }
        if let Err(error) = outcome {
            return Poll::Ready(Err(error));
        }
        if let Some(piece) = self.slot.lock().take() {
            self.left = self.left.saturating_sub(piece.len() as u64);
            return Poll::Ready(Ok(Some(piece)));
        }
        match (&self.fetch, self.left) {
            (Some(_), _) => Poll::Pending,
            (None, 0) => Poll::Ready(Ok(None)),
            (None, _) => Poll::Ready(Err(too_short(&self.id))),
        }
    }
}

impl ByteSource for Download {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(poll_fn(|cx| self.poll(cx)))
    }
}

/// Where the client writes. It is polled only by [`Download::poll`], and only while the slot is empty; so it never has
/// to wake anybody.
struct Sink {
    slot: Slot,
    /// Kept back until another piece follows, or the client says that all is well by flushing.
    last: Option<Bytes>,
}

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.slot.lock().is_some() {
            return Poll::Pending;
        }
        let before = self.last.replace(Bytes::copy_from_slice(bytes));
        *self.slot.lock() = before;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.slot.lock().is_some() {
            return Poll::Pending;
        }
        let last = self.last.take();
        *self.slot.lock() = last;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
