//! Answers that nobody reads: what they hold is let go of.
//!
//! A connection whose peer takes nothing is closed ([`crate::Limits::send_timeout`]). But a request of an HTTP/2 connection may
//! be left unread while the connection lives and answers pings, since the window of each is the client's to open.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::Frame;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Bytes that are given out at once: whoever takes them slowly comes for more before it counts as somebody who takes nothing.
const GIVEN_BYTES_MAX: usize = 256 * 1024;

/// How long a body's next bytes may take to be made. Every wait for a store or a database ends before.
const MADE_WITHIN: Duration = Duration::from_secs(600);

/// A body that is dropped when nobody takes from it for so long; who comes after that gets an error. What is in memory already
/// holds nothing, and stays as it is.
pub(crate) fn while_read(body: Body, patience: Duration) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    let kept = Kept { body: Some(body), rest: Bytes::new(), patience, until: Instant::now() + patience };
    let kept = Arc::new(Mutex::new(kept));
    let watch = tokio::spawn(watch(Arc::downgrade(&kept)));
    Body::new(Given { kept, watch })
}

/// What is still to be given out.
struct Kept {
    /// None once it is dropped.
    body: Option<Body>,
    rest: Bytes,
    patience: Duration,
    /// When it is dropped unless somebody asks for more.
    until: Instant,
}

struct Given {
    kept: Arc<Mutex<Kept>>,
    watch: JoinHandle<()>,
}

impl HttpBody for Given {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.poll(cx)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Kept {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        };
        if self.rest.is_empty() {
            let polled = Pin::new(body).poll_frame(cx);
            let wait = if polled.is_pending() { self.patience.max(MADE_WITHIN) } else { self.patience };
            self.until = Instant::now() + wait;
            match polled.map_ok(Frame::into_data) {
                Poll::Ready(Some(Ok(Ok(bytes)))) => self.rest = bytes,
                Poll::Ready(Some(Ok(Err(other)))) => return Poll::Ready(Some(Ok(other))),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        } else {
            self.until = Instant::now() + self.patience;
        }
        let given = self.rest.split_to(self.rest.len().min(GIVEN_BYTES_MAX));
        Poll::Ready(Some(Ok(Frame::data(given))))
    }
}

/// Drops a body when its time has come.
async fn watch(kept: Weak<Mutex<Kept>>) {
    loop {
        let until = {
            let Some(kept) = kept.upgrade() else { return };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if Instant::now() >= kept.until {
                tracing::debug!("nobody reads an answer");
                (kept.body, kept.rest) = (None, Bytes::new());
                return;
            }
            kept.until
        };
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;
    use tokio::time::{advance, sleep};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Something that is held.
    type Place = Arc<()>;

    /// Pieces of so many bytes, each made in a time; as long as there are some, the place is held.
    fn pieces(place: &Place, lengths: &[usize], each: Duration) -> Body {
        let (held, lengths) = (Arc::clone(place), lengths.to_vec());
        let pieces = stream::iter(lengths).then(move |length| {
            let held = Arc::clone(&held);
            async move {
                sleep(each).await;
                drop(held);
                Ok::<_, io::Error>(Bytes::from(vec![7; length]))
            }
        });
        while_read(Body::from_stream(Box::pin(pieces)), PATIENCE)
    }

    fn is_held(place: &Place) -> bool {
        Arc::strong_count(place) > 1
    }

    /// Lets time pass, and others do what they do then.
    async fn pass(time: Duration) {
        advance(time).await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_holds_nothing_after_a_while() {
        let place = Place::default();
        let mut body = pieces(&place, &[1, 1, 1], Duration::ZERO);
        tokio::task::yield_now().await;
        for _ in 0..2 {
            pass(PATIENCE - Duration::from_secs(1)).await;
            assert!(is_held(&place));
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), [7][..]);
        }
        pass(PATIENCE).await;
        assert!(!is_held(&place));
        body.frame().await.unwrap().unwrap_err();

        // Nor one that was never asked for.
        let body = pieces(&place, &[1], Duration::ZERO);
        tokio::task::yield_now().await;
        pass(PATIENCE).await;
        assert!(!is_held(&place));
        drop(body);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_store_is_not_a_client_that_takes_nothing() {
        let place = Place::default();
        let body = pieces(&place, &[1, 1], PATIENCE * 3);
        assert_eq!(body.collect().await.unwrap().to_bytes(), [7, 7][..]);
        assert!(!is_held(&place));
        // Nor is one who does not come back when the store has it, until nothing can still be made.
        let mut body = pieces(&place, &[1], PATIENCE * 20);
        tokio::select! {
            biased;
            _ = body.frame() => unreachable!("it is not made yet"),
            () = tokio::task::yield_now() => {}
        }
        pass(MADE_WITHIN - Duration::from_secs(1)).await;
        assert!(is_held(&place));
        pass(Duration::from_secs(1)).await;
        assert!(!is_held(&place));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_piece_is_given_out_in_parts() {
        let place = Place::default();
        let mut body = pieces(&place, &[GIVEN_BYTES_MAX + 5], Duration::ZERO);
        let mut lengths = Vec::new();
        while let Some(frame) = body.frame().await {
            lengths.push(frame.unwrap().into_data().unwrap().len());
            pass(PATIENCE - Duration::from_secs(1)).await;
        }
        assert_eq!(lengths, [256 * 1024, 5]);
    }
}
