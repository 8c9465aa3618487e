//! Writing to a connection through [`AsyncWrite`], for libraries that want one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What is written goes to the peer at once. One that takes nothing for its network timeout is an error of kind
/// [`io::ErrorKind::TimedOut`].
#[derive(Debug)]
pub struct ConnWriter<'a> {
    stream: &'a mut TcpStream,
    patience: Duration,
    /// Runs while the peer takes nothing.
    patience_ends: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<'a> ConnWriter<'a> {
    pub(crate) fn new(stream: &'a mut TcpStream, patience: Duration) -> Self {
        Self { stream, patience, patience_ends: Box::pin(sleep(patience)), waiting: false }
    }
}

impl AsyncWrite for ConnWriter<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Poll::Ready(written) = Pin::new(&mut *this.stream).poll_write(cx, bytes) {
            this.waiting = false;
            return Poll::Ready(written);
        }
        if !this.waiting {
            this.waiting = true;
            this.patience_ends.as_mut().reset(Instant::now() + this.patience);
        }
        match this.patience_ends.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
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
