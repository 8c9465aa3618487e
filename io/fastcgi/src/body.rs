//! The content of a request, on its way from the connection to the service.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Instant;

/// Pieces of content that wait for the service.
pub const PIECES_MAX: usize = 4;

/// Why content does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client, or the web server, is gone, or the answer has been given.
    #[error("the request is over before its content is")]
    Gone,
    /// Nothing came for too long.
    #[error("no content for {} s", .0.as_secs())]
    Silent(Duration),
    /// The announced length is another one.
    #[error("the content is not as long as was announced")]
    Length,
}

/// The content of a request.
#[derive(Debug)]
pub struct Body {
    /// None when nothing follows.
    pieces: Option<Receiver<Piece>>,
    /// Bytes that are to follow, if that is known.
    left: Option<u64>,
}

#[derive(Debug)]
enum Piece {
    Content(Bytes),
    End,
    Failed(BodyError),
}

impl Body {
    /// Without content.
    pub(crate) fn empty() -> Self {
        Self { pieces: None, left: Some(0) }
    }

    /// Content that comes through a pump.
    pub(crate) fn pumped(content_len: Option<u64>) -> (Pump, Self) {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let pump = Pump { sender: Some(sender), held: None, over: false, due: None };
        (pump, Self { pieces: Some(pieces), left: content_len })
    }

    fn next(&mut self, piece: Piece) -> Result<Option<Bytes>, BodyError> {
        match (piece, &mut self.left) {
            (Piece::Failed(error), _) => Err(error),
            (Piece::End, None | Some(0)) => Ok(None),
            (Piece::End, Some(_)) => Err(BodyError::Length),
            (Piece::Content(bytes), left) => {
                if let Some(left) = left {
                    *left = left.checked_sub(bytes.len() as u64).ok_or(BodyError::Length)?;
                }
                Ok(Some(bytes))
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(pieces) = &mut this.pieces else { return Poll::Ready(None) };
        let piece = ready!(pieces.poll_recv(cx)).unwrap_or(Piece::Failed(BodyError::Gone));
        let next = this.next(piece);
        if !matches!(next, Ok(Some(_))) {
            this.pieces = None;
        }
        Poll::Ready(next.transpose().map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.pieces, self.left) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Some(left)) => SizeHint::with_exact(left),
            (Some(_), None) => SizeHint::default(),
        }
    }
}

/// What a connection has to do with the content of a request.
#[derive(Debug)]
pub(crate) struct Pump {
    /// None when the service does not want any, or gets no more.
    sender: Option<Sender<Piece>>,
    /// What the service has to take next.
    held: Option<Piece>,
    /// The end has come.
    over: bool,
    /// When the silence has become too long.
    due: Option<Instant>,
}

impl Pump {
    /// For a request without content, whose end has been seen.
    pub(crate) fn idle() -> Self {
        Self { sender: None, held: None, over: true, due: None }
    }

    /// All content has come.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Something waits to be taken: nothing more may come.
    pub(crate) fn is_full(&self) -> bool {
        self.held.is_some()
    }

    /// Content has come. What nobody wants is dropped.
    pub(crate) fn content(&mut self, bytes: Bytes) {
        self.hold(Piece::Content(bytes));
    }

    /// The end has come.
    pub(crate) fn end(&mut self) {
        self.over = true;
        self.hold(Piece::End);
    }

    /// No content has come for too long.
    pub(crate) fn silent(&mut self, timeout: Duration) {
        self.hold(Piece::Failed(BodyError::Silent(timeout)));
    }

    fn hold(&mut self, piece: Piece) {
        self.due = None;
        let Some(sender) = &self.sender else { return };
        match sender.try_send(piece) {
            Ok(()) => {}
            Err(TrySendError::Full(piece)) => self.held = Some(piece),
            Err(TrySendError::Closed(_)) => self.sender = None,
        }
    }

    /// When the content that the service waits for must have come; none when it is not waited for.
    pub(crate) fn due(&mut self, timeout: Duration) -> Option<Instant> {
        let waits = !self.over && !self.is_full() && self.sender.is_some();
        match waits {
            true => Some(*self.due.get_or_insert_with(|| Instant::now() + timeout)),
            false => {
                self.due = None;
                None
            }
        }
    }

    /// Hands over what is held, as soon as there is room.
    pub(crate) async fn hand_over(&mut self) {
        let Some(sender) = &self.sender else { return };
        if let Ok(permit) = sender.reserve().await
            && let Some(piece) = self.held.take()
        {
            permit.send(piece);
            return;
        }
        (self.sender, self.held) = (None, None);
    }
}
