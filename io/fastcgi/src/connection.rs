//! One connection: requests one after another.

use std::fmt::Display;
use std::future::{Future, pending};
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fcgi_proto::{
    DecodeError, Decoder, Event, Head, PairsError, Params, ProtocolStatus, encode, request_head,
};
use http::{Request, Response, StatusCode};
use net::Stop;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::answer::{self, BrokenAnswer, Content, OUT_MAX};
use crate::body::Pump;
use crate::{Body, Limits};

/// What is read of content at a time, bytes.
pub const READ_LEN: usize = 16 << 10;

/// What is read of a connection that rests, bytes: most requests without content are shorter.
const FIRST_READ_LEN: usize = 2 << 10;

/// Bytes on their way out beyond which nothing is read, as it may have to be replied to. More than there can be of an answer,
/// so that one that is not taken can be aborted.
const UNREAD_MAX: usize = 3 * OUT_MAX;

/// How long, and for how many bytes, what a web server sends is read after a last answer that came before all of it: an
/// answer must not be lost in a reset.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_LEN_MAX: usize = 64 << 20;

/// Why a connection broke off.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum Broken {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the web server went away in the middle of a request")]
    Gone,
    #[error("a request did not come within {} s", .0.as_secs())]
    Late(Duration),
    #[error("an answer broke off: {0}")]
    Answer(#[from] BrokenAnswer),
}

/// A request that has begun.
#[derive(Debug, Clone, Copy)]
struct Begun {
    id: u16,
    keep: bool,
}

/// Serves what a web server asks for on `stream`, which fails by itself when the peer takes nothing for too long, until the
/// web server has enough or `stop`.
///
/// # Errors
/// [`Broken`], which is to be logged and nothing else.
pub async fn serve_stream<S, H, F, B>(
    stream: S,
    stop: Stop,
    limits: &Limits,
    service: &H,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite,
    H: Fn(Request<Body>) -> F,
    F: Future<Output = Response<B>>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    let (read, write) = tokio::io::split(stream);
    let reader = Reader { read, input: BytesMut::new(), decoder: Decoder::new(limits.records) };
    let mut connection = Connection { reader, write, out: BytesMut::new(), stop, limits };
    let mut patience = limits.head_timeout;
    loop {
        let Some((begun, params)) = connection.next_request(patience).await? else { return Ok(()) };
        patience = limits.idle_timeout;
        let all_read = match params.map(|params| request_head(&params)) {
            Ok(Ok(head)) => connection.exchange(begun.id, head, service).await?,
            Ok(Err(error)) => connection.refuse(begun, error.status(), &error.to_string()).await?,
            Err(error) => {
                connection
                    .refuse(begun, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &error.to_string())
                    .await?;
                return connection.linger().await;
            }
        };
        if begun.keep && !connection.stop.stopping() {
            continue;
        }
        return if all_read { Ok(()) } else { connection.linger().await };
    }
}

struct Connection<'a, S> {
    reader: Reader<S>,
    write: WriteHalf<S>,
    /// Whole records on their way out, but for the first, of which some may have gone.
    out: BytesMut,
    stop: Stop,
    limits: &'a Limits,
}

struct Reader<S> {
    read: ReadHalf<S>,
    /// What has come and has no meaning yet.
    input: BytesMut,
    decoder: Decoder,
}

impl<S: AsyncRead> Reader<S> {
    /// The next event, for which `room` bytes are read at a time; none at the end of the stream. Nothing is lost when it is
    /// not waited for any more.
    async fn next(&mut self, room: usize) -> Result<Option<Event>, Broken> {
        loop {
            if let Some(event) = self.decoder.next(&mut self.input)? {
                return Ok(Some(event));
            }
            self.input.reserve(room);
            if self.read.read_buf(&mut self.input).await? == 0 {
                return Ok(None);
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite> Connection<'_, S> {
    /// The next request, or that what it brings along is too much; none when there is no other. `patience` is for its
    /// beginning.
    async fn next_request(
        &mut self,
        patience: Duration,
    ) -> Result<Option<(Begun, Result<Params, DecodeError>)>, Broken> {
        // A connection that rests holds no buffers.
        self.out = BytesMut::new();
        if self.reader.input.is_empty() {
            self.reader.input = BytesMut::new();
        }
        let mut due = Instant::now() + patience;
        let mut begun: Option<Begun> = None;
        loop {
            let event = tokio::select! {
                biased;
                event = timeout_at(due, self.reader.next(FIRST_READ_LEN)) => event,
                () = self.stop.wait(), if begun.is_none() => return Ok(None),
            };
            let event = match (event, begun) {
                (Ok(Ok(Some(event))), _) => event,
                (Ok(Ok(None)) | Err(_), None) => return Ok(None),
                (Ok(Ok(None)), Some(_)) => return Err(Broken::Gone),
                (Err(_), Some(_)) => return Err(Broken::Late(self.limits.head_timeout)),
                (Ok(Err(Broken::Decode(error))), Some(begun)) if is_too_much(error) => {
                    return Ok(Some((begun, Err(error))));
                }
                (Ok(Err(error)), _) => return Err(error),
            };
            match (event, begun) {
                (Event::Begin { id, keep }, _) => {
                    begun = Some(Begun { id, keep });
                    due = Instant::now() + self.limits.head_timeout;
                }
                (Event::Params(params), Some(begun)) => return Ok(Some((begun, Ok(params)))),
                (Event::Abort { id }, Some(Begun { keep, .. })) => {
                    encode::end_request(id, ProtocolStatus::RequestComplete, &mut self.out);
                    self.flush().await?;
                    if !keep {
                        return Ok(None);
                    }
                    begun = None;
                    due = Instant::now() + self.limits.idle_timeout;
                }
                (Event::Refused { id, status, keep: false }, None) => {
                    encode::end_request(id, status, &mut self.out);
                    self.flush().await?;
                    self.linger().await?;
                    return Ok(None);
                }
                (event, _) => {
                    self.reply(&event)?;
                    self.flush().await?;
                }
            }
        }
    }

    /// Answers what is not about the request at hand.
    fn reply(&mut self, event: &Event) -> Result<(), DecodeError> {
        match *event {
            Event::Refused { id, status, .. } => encode::end_request(id, status, &mut self.out),
            Event::GetValues(asked) => encode::values(asked, self.limits.max_connections, &mut self.out),
            Event::UnknownType(number) => encode::unknown_type(number, &mut self.out),
            // The decoder has requests one after another, with their parts in order.
            _ => return Err(DecodeError::OutOfOrder),
        }
        Ok(())
    }

    /// Lets a service answer a request; whether its content has come to its end.
    async fn exchange<H, F, B>(&mut self, id: u16, head: Head, service: &H) -> Result<bool, Broken>
    where
        H: Fn(Request<Body>) -> F,
        F: Future<Output = Response<B>>,
        B: http_body::Body<Data = Bytes>,
        B::Error: Display,
    {
        let Head { request, content_len } = head;
        let method = request.method().clone();
        // Most requests have no content, and its end is there already.
        let mut early = self.reader.decoder.next(&mut self.reader.input)?;
        let (mut pump, body) = match (&early, content_len) {
            (Some(Event::StdinEnd), None | Some(0)) => {
                early = None;
                (Pump::idle(), Body::empty())
            }
            _ => Body::pumped(content_len),
        };
        let mut thinking = Some(Box::pin(service(request.map(|()| body))));
        let mut content: Option<Content<B>> = None;
        let mut done = false;
        loop {
            if let Some(event) = early.take() {
                match event {
                    Event::Stdin(bytes) => pump.content(bytes),
                    Event::StdinEnd => pump.end(),
                    Event::Abort { id } => {
                        (thinking, content, done) = (None, None, true);
                        encode::end_request(id, ProtocolStatus::RequestComplete, &mut self.out);
                    }
                    event => self.reply(&event)?,
                }
            }
            if let Some(going) = &mut content
                && going.push(id, &mut self.out).await?
            {
                (content, done) = (None, true);
                encode::answered(id, &mut self.out);
                self.reader.decoder.end_request();
            }
            if done && self.out.is_empty() {
                return Ok(pump.is_over());
            }
            let has_room = self.out.len() < OUT_MAX;
            let reading = !done && !pump.is_full() && self.out.len() < UNREAD_MAX;
            let due = pump.due(self.limits.content_timeout);
            tokio::select! {
                written = self.write.write_buf(&mut self.out), if !self.out.is_empty() => {
                    if written? == 0 {
                        return Err(io::Error::from(io::ErrorKind::WriteZero).into());
                    }
                }
                response = end_of(&mut thinking) => {
                    thinking = None;
                    match answer::begin(id, &method, response, &mut self.out) {
                        Ok(going) => content = Some(going),
                        Err(error) => {
                            tracing::error!(%error, "a service gave an answer that is none");
                            answer::refuse(id, StatusCode::INTERNAL_SERVER_ERROR, &error.to_string(), &mut self.out);
                            self.reader.decoder.end_request();
                            done = true;
                        }
                    }
                }
                loaded = load(&mut content), if has_room => loaded?,
                event = self.reader.next(READ_LEN), if reading => early = Some(event?.ok_or(Broken::Gone)?),
                () = pump.hand_over(), if pump.is_full() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    pump.silent(self.limits.content_timeout);
                }
            }
        }
    }

    /// Answers a request that no service sees; that its content has not been read.
    async fn refuse(&mut self, begun: Begun, status: StatusCode, reason: &str) -> Result<bool, Broken> {
        tracing::debug!(%reason, "a request was refused");
        answer::refuse(begun.id, status, reason, &mut self.out);
        self.reader.decoder.end_request();
        self.flush().await?;
        Ok(false)
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        self.write.write_all_buf(&mut self.out).await?;
        Ok(())
    }

    /// Says that nothing follows, and reads what comes for a while.
    async fn linger(&mut self) -> Result<(), Broken> {
        self.write.shutdown().await?;
        let due = Instant::now() + LINGER;
        let mut left = LINGER_LEN_MAX;
        while left > 0 {
            self.reader.input.clear();
            self.reader.input.reserve(READ_LEN);
            match timeout_at(due, self.reader.read.read_buf(&mut self.reader.input)).await {
                Ok(Ok(n)) if n > 0 => left = left.saturating_sub(n),
                // However it ends, the connection is over.
                _ => break,
            }
        }
        Ok(())
    }
}

/// What the client is told, as it may send less.
fn is_too_much(error: DecodeError) -> bool {
    matches!(error, DecodeError::ParamsTooLong { .. } | DecodeError::Pairs(PairsError::TooMany { .. }))
}

/// The response, when there is one to wait for.
async fn end_of<F: Future + Unpin>(thinking: &mut Option<F>) -> F::Output {
    match thinking {
        Some(thinking) => thinking.await,
        None => pending().await,
    }
}

/// More of the answer, when there is one to wait for.
async fn load<B>(content: &mut Option<Content<B>>) -> Result<(), BrokenAnswer>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    match content {
        Some(content) => content.load().await,
        None => pending().await,
    }
}
