//! A connection as [`AsyncRead`] and [`AsyncWrite`], for libraries that want those.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What is written goes to the peer at once. One that takes nothing for its network timeout is an error of kind
/// [`io::ErrorKind::TimedOut`].
#[derive(Debug)]
pub struct ConnWriter<'a> {
    stream: &'a mut TcpStream,
    sent: &'a mut u64,
    patience: Patience,
}

impl<'a> ConnWriter<'a> {
    pub(crate) fn new(stream: &'a mut TcpStream, sent: &'a mut u64, patience: Duration) -> Self {
        Self { stream, sent, patience: Patience::new(patience) }
    }
}

impl AsyncWrite for ConnWriter<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut *this.stream).poll_write(cx, bytes);
        let written = ready!(this.patience.watch(cx, written))?;
        *this.sent += written as u64;
        Poll::Ready(Ok(written))
    }

    /// Nothing is held back.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The connection goes on.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A whole connection, for a library that speaks with the peer itself. What had been read of it before comes first. A peer
/// that takes nothing for its network timeout is an error; how long one may be silent is the library's to watch.
#[derive(Debug)]
pub struct ConnStream<S = TcpStream> {
    stream: S,
    /// Bytes that had been read, the next one at `start`.
    before: Vec<u8>,
    start: usize,
    patience: Patience,
}

impl<S> ConnStream<S> {
    pub(crate) fn new(stream: S, before: Vec<u8>, patience: Duration) -> Self {
        Self { stream, before, start: 0, patience: Patience::new(patience) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ConnStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let left = this.before.get(this.start..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let taken = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..taken).unwrap_or_default());
        this.start += taken;
        if this.start == this.before.len() {
            (this.before, this.start) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ConnStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.patience.watch(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.patience.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Nothing is held back.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// How long a peer may take nothing.
#[derive(Debug)]
struct Patience {
    length: Duration,
    /// Runs while the peer takes nothing.
    ends: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Patience {
    fn new(length: Duration) -> Self {
        Self { length, ends: Box::pin(sleep(length)), waiting: false }
    }

    /// The outcome of an attempt to write, or that the peer has taken nothing for too long.
    fn watch(&mut self, cx: &mut Context<'_>, tried: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if tried.is_ready() {
            self.waiting = false;
            return tried;
        }
        if !self.waiting {
            self.waiting = true;
            self.ends.as_mut().reset(Instant::now() + self.length);
        }
        self.ends.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
