//! Connections on which nothing is asked.
//!
//! The library's own timers begin only once it knows which HTTP is spoken, and for HTTP/2 not even then.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// What is asked on a connection.
pub(crate) struct Requests {
    began: Instant,
    /// Those that are being answered.
    under_way: AtomicUsize,
    /// When the last of them ended, milliseconds after `began`.
    rests_since: AtomicU64,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), under_way: AtomicUsize::new(0), rests_since: AtomicU64::new(0) }
    }

    pub(crate) fn begin(this: &Arc<Self>) -> UnderWay {
        this.under_way.fetch_add(1, SeqCst);
        UnderWay(Arc::clone(this))
    }

    /// Whether none is being answered.
    pub(crate) fn rest(&self) -> bool {
        self.under_way.load(SeqCst) == 0
    }

    /// When the connection will have rested for so long, if nothing is asked until then.
    pub(crate) fn rested_out(&self, patience: Duration) -> Instant {
        let since = match self.rest() {
            true => self.began + Duration::from_millis(self.rests_since.load(SeqCst)),
            false => Instant::now(),
        };
        since + patience
    }
}

/// A request that is being answered, until this is dropped.
pub(crate) struct UnderWay(Arc<Requests>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.rests_since.store(now, SeqCst);
        self.0.under_way.fetch_sub(1, SeqCst);
    }
}

/// The content of an answer: as long as it is given out, its request is under way.
pub(crate) struct Answering {
    pub(crate) body: Body,
    pub(crate) _request: UnderWay,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
