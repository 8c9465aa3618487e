//! What is asked on a connection whose framing a library does.
//!
//! The library's own timers begin only once it knows which HTTP is spoken, and for HTTP/2 not even then: there a peer may ask
//! nothing, or take nothing of what it asked for, and answer pings.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What goes out on a connection that lives, and is no answer, stays below this, bytes in [`Requests::stuck`]'s time: pings.
const PINGS_LEN: u64 = 1024;

/// What is asked on a connection.
#[derive(Debug)]
pub(crate) struct Requests {
    began: Instant,
    /// Those that are being answered.
    under_way: AtomicUsize,
    /// Those of them for which something is being made or read; the others wait for the peer to take what there is.
    making: AtomicUsize,
    /// When one of them last ended or had something to be taken, milliseconds after `began`.
    gave: AtomicU64,
    /// Bytes that went out, whatever they were.
    sent: AtomicU64,
}

impl Requests {
    /// None yet, on a connection that begins now.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            under_way: AtomicUsize::new(0),
            making: AtomicUsize::new(0),
            gave: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// One more is being answered, until what this returns is dropped.
    pub(crate) fn begin(this: &Arc<Self>) -> UnderWay {
        this.under_way.fetch_add(1, SeqCst);
        this.making.fetch_add(1, SeqCst);
        UnderWay { requests: Arc::clone(this), making: true }
    }

    /// Whether none is being answered.
    pub(crate) fn rest(&self) -> bool {
        self.under_way.load(SeqCst) == 0
    }

    fn gave(&self) -> Instant {
        self.began + Duration::from_millis(self.gave.load(SeqCst))
    }

    /// When the connection will have rested for so long, if nothing is asked until then.
    pub(crate) fn rested_out(&self, patience: Duration) -> Instant {
        let since = if self.rest() { self.gave() } else { Instant::now() };
        since + patience
    }

    /// Whether the peer takes nothing: all that is asked waits for it, for so long, and since this was last asked nothing but
    /// pings went out. `before` is what had gone out then.
    pub(crate) fn stuck(&self, patience: Duration, before: &mut u64) -> bool {
        let sent = self.sent.load(SeqCst);
        let moved = sent - std::mem::replace(before, sent) >= PINGS_LEN;
        !moved && !self.rest() && self.making.load(SeqCst) == 0 && self.gave() + patience <= Instant::now()
    }
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay {
    requests: Arc<Requests>,
    making: bool,
}

impl UnderWay {
    /// There is something to be taken.
    pub(crate) fn gives(&mut self) {
        if std::mem::take(&mut self.making) {
            self.note();
            self.requests.making.fetch_sub(1, SeqCst);
        }
    }

    /// It was taken, and more is asked for.
    pub(crate) fn makes(&mut self) {
        if !std::mem::replace(&mut self.making, true) {
            self.requests.making.fetch_add(1, SeqCst);
        }
    }

    fn note(&self) {
        let now = u64::try_from(self.requests.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.requests.gave.store(now, SeqCst);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.note();
        if self.making {
            self.requests.making.fetch_sub(1, SeqCst);
        }
        self.requests.under_way.fetch_sub(1, SeqCst);
    }
}

/// A stream whose bytes that go out are counted.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    pub(crate) stream: S,
    pub(crate) requests: Arc<Requests>,
}

impl<S> Counted<S> {
    fn went(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(len)) = written {
            self.requests.sent.fetch_add(*len as u64, SeqCst);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.went(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.went(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::time::advance;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Looks once in a time, as a connection does.
    async fn looks(requests: &Arc<Requests>, before: &mut u64) -> bool {
        advance(PATIENCE).await;
        requests.stuck(PATIENCE, before)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_stuck_when_all_that_it_asked_for_waits_and_nothing_but_pings_goes_out() {
        let requests = Arc::new(Requests::new());
        let mut wire = Counted { stream: tokio::io::sink(), requests: Arc::clone(&requests) };
        let mut before = 0;
        assert!(!looks(&requests, &mut before).await, "nothing is asked");
        let mut one = Requests::begin(&requests);
        let mut other = Requests::begin(&requests);
        one.gives();
        assert!(!looks(&requests, &mut before).await, "something is being made");
        other.gives();
        wire.write_all(&[7; 100_000]).await.unwrap();
        assert!(!looks(&requests, &mut before).await, "it takes");
        wire.write_all(&[7; 100]).await.unwrap();
        assert!(looks(&requests, &mut before).await);
        one.makes();
        assert!(!looks(&requests, &mut before).await, "it was taken");
        one.gives();
        assert!(!requests.stuck(PATIENCE, &mut before), "only now");
        assert!(looks(&requests, &mut before).await);
        drop((one, other));
        assert!(!looks(&requests, &mut before).await, "all is over");
        assert!(requests.rest());
    }
}
