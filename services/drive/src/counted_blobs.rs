//! A store of bytes whose calls and bytes are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use drive_core::ByteCount;
use drive_core::ports::{BlobError, BlobKey, BlobStore, ByteSource, Later, PartialBlob};
use status::Requests;
use traces::End;

/// What is asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Put,
    Append,
    Seal,
    Read,
    Delete,
}

impl Call {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::Put, "put"),
        (Self::Append, "append"),
        (Self::Seal, "seal"),
        (Self::Read, "read"),
        (Self::Delete, "delete"),
    ];

    fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// How a call ends.
pub(crate) const ENDS: [&str; 3] = ["done", "refused", "failed"];
const FAILED: usize = 2;

/// What is counted.
#[derive(Debug)]
pub(crate) struct BlobCounts {
    pub(crate) calls: Requests<{ ENDS.len() }>,
    /// Bytes that the store took.
    pub(crate) stored: AtomicU64,
    /// Bytes that it gave.
    pub(crate) fetched: AtomicU64,
}

impl Default for BlobCounts {
    fn default() -> Self {
        Self { calls: Requests::new(Call::ALL.len()), stored: AtomicU64::new(0), fetched: AtomicU64::new(0) }
    }
}

impl BlobCounts {
    fn count<T>(&self, call: Call, began: Instant, outcome: &Result<T, BlobError>) {
        let end = match outcome {
            Ok(_) => 0,
            // The client's doing, or nothing out of the ordinary.
            Err(BlobError::Missing | BlobError::SourceBroke | BlobError::Refused(_)) => 1,
            Err(BlobError::Full | BlobError::Unavailable(_) | BlobError::Damaged) => FAILED,
        };
        let took = began.elapsed();
        self.calls.count(call as usize, end, took);
        let end = End { word: ENDS[end], failed: end == FAILED };
        traces::call_ended("bytes", call.word(), took, end);
    }
}

/// Counts, and passes everything on.
pub(crate) struct CountedBlobs {
    pub(crate) inner: Arc<dyn BlobStore>,
    pub(crate) counts: Arc<BlobCounts>,
}

/// Counts what comes out of another.
struct CountedSource {
    inner: Box<dyn ByteSource>,
    counts: Arc<BlobCounts>,
}

impl ByteSource for CountedSource {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async {
            let next = self.inner.next().await;
            if let Ok(Some(bytes)) = &next {
                self.counts.fetched.fetch_add(bytes.len() as u64, Relaxed);
            }
            next
        })
    }
}

impl BlobStore for CountedBlobs {
    fn put<'a>(
        &'a self,
        length: ByteCount,
        source: &'a mut dyn ByteSource,
    ) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            let began = Instant::now();
            let put = self.inner.put(length, source).await;
            self.counts.count(Call::Put, began, &put);
            if put.is_ok() {
                self.counts.stored.fetch_add(length.get(), Relaxed);
            }
            put
        })
    }

    fn append<'a>(
        &'a self,
        to: Option<&'a PartialBlob>,
        piece: Bytes,
    ) -> Later<'a, Result<PartialBlob, BlobError>> {
        Box::pin(async move {
            let (began, length) = (Instant::now(), piece.len() as u64);
            let appended = self.inner.append(to, piece).await;
            self.counts.count(Call::Append, began, &appended);
            if appended.is_ok() {
                self.counts.stored.fetch_add(length, Relaxed);
            }
            appended
        })
    }

    fn seal<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<BlobKey, BlobError>> {
        Box::pin(async move {
            let began = Instant::now();
            let sealed = self.inner.seal(partial).await;
            self.counts.count(Call::Seal, began, &sealed);
            sealed
        })
    }

    fn take_back<'a>(
        &'a self,
        before: Option<&'a PartialBlob>,
        after: &'a PartialBlob,
    ) -> Later<'a, Result<(), BlobError>> {
        self.inner.take_back(before, after)
    }

    fn discard<'a>(&'a self, partial: &'a PartialBlob) -> Later<'a, Result<(), BlobError>> {
        self.inner.discard(partial)
    }

    fn read<'a>(
        &'a self,
        key: &'a BlobKey,
        offset: ByteCount,
        length: ByteCount,
    ) -> Later<'a, Result<Box<dyn ByteSource>, BlobError>> {
        Box::pin(async move {
            let began = Instant::now();
            let read = self.inner.read(key, offset, length).await;
            self.counts.count(Call::Read, began, &read);
            let counts = Arc::clone(&self.counts);
            Ok(Box::new(CountedSource { inner: read?, counts }) as Box<dyn ByteSource>)
        })
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> Later<'a, Result<(), BlobError>> {
        Box::pin(async move {
            let began = Instant::now();
            let deleted = self.inner.delete(key).await;
            self.counts.count(Call::Delete, began, &deleted);
            deleted
        })
    }

    fn check(&self) -> Later<'_, Result<(), BlobError>> {
        self.inner.check()
    }
}
