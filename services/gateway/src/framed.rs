//! Connections whose framing a library does (`hyper`): HTTP/2, everything behind TLS, and requests with content.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use http_core::response::field_lines;
use http_core::{Answer, Body, Method, RequestFields, Status, Version};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use net::{ConnError, Stop};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::access::Access;
use crate::compress::Compressing;
use crate::door::{Asked, Door, Found};
use crate::requests::{Counted, Requests, UnderWay};
use crate::run::Gateway;
use crate::serve;
use crate::source::{Broken, Source};
use crate::upload;

/// Requests of one connection that are answered at the same time.
const STREAMS_MAX: u32 = 64;

/// Bytes of an answer that wait to be sent, for each request.
const SEND_BUFFER_MAX: usize = 256 * 1024;

/// The least that the library takes as the largest head of HTTP/1.
const HEAD_LEN_LEAST: usize = 8 * 1024;

/// How often a peer of HTTP/2 is asked whether it is there, and how long it may take to say so.
const PING_EACH: Duration = Duration::from_secs(20);

/// How long a connection that was asked to end may take to.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// What is read of a file at a time, bytes: here, and from another storage, where each costs two round trips.
const STEP: u64 = 128 * 1024;
const STEP_THERE: u64 = 1024 * 1024;

/// What goes out behind a head.
pub(crate) type Content = UnsyncBoxBody<Bytes, io::Error>;

/// A connection to one who may send requests. `secure` says that nobody else reads it.
pub(crate) async fn serve<S>(gateway: Arc<Gateway>, stream: S, peer: SocketAddr, mut stop: Stop, secure: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &gateway.limits;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It runs while the connection rests, too.
        .header_read_timeout(limits.keepalive_timeout)
        .max_buf_size(limits.head_len.max(HEAD_LEN_LEAST))
        .max_headers(http_core::head::FIELDS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EACH)
        .keep_alive_timeout(PING_EACH)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(limits.head_len).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER_MAX);
    let requests = Arc::new(Requests::new());
    let service = {
        let (gateway, requests) = (Arc::clone(&gateway), Arc::clone(&requests));
        service_fn(move |request| {
            let (gateway, busy) = (Arc::clone(&gateway), Requests::begin(&requests));
            async move { Ok::<_, Infallible>(respond(gateway, request, peer, secure, busy).await) }
        })
    };
    let stream = Counted { stream, requests: Arc::clone(&requests) };
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let (mut sent, mut look_at) = (0, Instant::now() + limits.send_timeout);
    // Once it was asked to end: when it is looked at next.
    let mut ends_at = None;
    loop {
        let wake_at = ends_at.unwrap_or_else(|| requests.rested_out(limits.keepalive_timeout));
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection broke");
                }
                return;
            }
            () = sleep_until(look_at) => {
                if requests.stuck(limits.send_timeout, &mut sent) {
                    tracing::debug!(%peer, "a client takes nothing");
                    return;
                }
                look_at = Instant::now() + limits.send_timeout;
                continue;
            }
            () = stop.wait(), if ends_at.is_none() => {}
            () = sleep_until(wake_at) => match ends_at {
                None if requests.rested_out(limits.keepalive_timeout) > Instant::now() => continue,
                // What is being answered may end; after that the peer has little time to go.
                Some(_) if requests.rest() => return,
                _ => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        ends_at = Some(Instant::now() + CLOSE_WAIT);
    }
}

async fn respond(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
    peer: SocketAddr,
    secure: bool,
    busy: UnderWay,
) -> Response<Content> {
    let (parts, content) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let lines = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let (fields, repeated) = match RequestFields::collect(lines, gateway.rules.bypass_name()) {
        Ok(fields) => (fields, false),
        Err(_) => (RequestFields::default(), true),
    };
    let asked = Asked {
        method: Method::parse(parts.method.as_str()),
        target,
        version: match parts.version {
            hyper::Version::HTTP_2 => Version::Http2,
            hyper::Version::HTTP_10 => Version::Http10,
            _ => Version::Http11,
        },
        fields: &fields,
        peer: peer.ip().to_canonical(),
    };
    let access = Access::begin(&gateway.counts, gateway.access_log.as_ref(), &asked);
    let mut door = Framed { going: Some((busy, access)), response: None };
    if repeated {
        let refused = Answer::plain(Status::BAD_REQUEST, asked.method, gateway.rules.no_cors());
        let answered = serve::words(&mut door, &refused).await;
        return door.finish(answered);
    }
    if upload::is_meant(&gateway, asked.method, asked.target) {
        let host = parts.uri.authority().map(|authority| authority.as_str().as_bytes()).or(fields.host);
        let (status, text) = upload::take(&gateway, target, host, secure, &parts.headers, content).await;
        return door.json(status, text);
    }
    let answered = serve::answer(&gateway, &mut door, &asked).await;
    door.finish(answered)
}

/// Keeps an answer for the library.
struct Framed {
    /// They end with the content.
    going: Option<(UnderWay, Access)>,
    response: Option<Response<Content>>,
}

impl Framed {
    /// The answer that was given.
    fn finish(self, answered: Result<(), ConnError>) -> Response<Content> {
        let broken = |error| {
            tracing::debug!(%error, "there is no answer");
            let mut response = Response::new(Full::default().map_err(|never| match never {}).boxed_unsync());
            *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            response
        };
        match (answered, self.response) {
            (Ok(()), Some(response)) => response,
            (Ok(()), None) => broken(ConnError::Truncated),
            (Err(error), _) => broken(error),
        }
    }

    /// An answer that is not about a file.
    fn json(mut self, status: Status, text: String) -> Response<Content> {
        if let Some((_, access)) = &mut self.going {
            access.status(status);
            access.sent(text.len() as u64);
        }
        let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = status_code(status);
        let headers = response.headers_mut();
        headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(hyper::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == Status::UNAUTHORIZED {
            headers.insert(hyper::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn respond(&mut self, answer: &Answer<'_>, content: Content) {
        let mut response = Response::new(content);
        *response.status_mut() = status_code(answer.status);
        let mut written = Vec::new();
        answer.write_fields(&mut written);
        let date = serve::date();
        let fields = field_lines(&written).chain([(&b"date"[..], &date.as_bytes()[..])]);
        for (name, value) in fields {
            match (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                (Ok(name), Ok(value)) => {
                    response.headers_mut().append(name, value);
                }
                // Fields are visible ASCII, each of them tested.
                _ => tracing::error!(name = %String::from_utf8_lossy(name), "a field can't be sent"),
            }
        }
        self.response = Some(response);
    }
}

fn status_code(status: Status) -> hyper::StatusCode {
    hyper::StatusCode::from_u16(status.0).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR)
}

impl Door for Framed {
    async fn bytes(&mut self, answer: &Answer<'_>, content: &[u8]) -> Result<(), ConnError> {
        if let Some((_, access)) = &mut self.going {
            access.status(answer.status);
            access.sent(content.len() as u64);
        }
        let content = Full::from(Bytes::copy_from_slice(content));
        self.respond(answer, content.map_err(|never| match never {}).boxed_unsync());
        Ok(())
    }

    async fn file(&mut self, answer: &Answer<'_>, found: Found) -> Result<(), Broken> {
        let mut pieces = Pieces::new(answer, found)?;
        // Before the head goes out, so that there may be another answer.
        let Some(first) = pieces.next().await? else {
            return Ok(self.bytes(answer, &[]).await?);
        };
        let Some((busy, mut access)) = self.going.take() else { return Err(ConnError::Truncated.into()) };
        access.status(answer.status);
        let state = Some((pieces, Some(first), busy, access));
        let content = stream::unfold(state, |state| async {
            let (mut pieces, first, mut busy, mut access) = state?;
            busy.makes();
            let next = match first {
                Some(first) => Ok(Some(first)),
                None => pieces.next().await,
            };
            match next {
                Ok(Some(bytes)) => {
                    busy.gives();
                    access.sent(bytes.len() as u64);
                    Some((Ok(Frame::data(bytes)), Some((pieces, None, busy, access))))
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(%error, "an answer broke off");
                    Some((Err(io::Error::other(error)), None))
                }
            }
        });
        self.respond(answer, BodyExt::boxed_unsync(StreamBody::new(content)));
        Ok(())
    }
}

/// The content of an answer, a piece at a time.
enum Pieces {
    Parts { source: Source, parts: std::vec::IntoIter<Part>, now: Part },
    Compressed(Box<Compressing>),
}

/// A part of an answer.
enum Part {
    Text(Bytes),
    File { at: u64, len: u64 },
}

impl Pieces {
    fn new(answer: &Answer<'_>, found: Found) -> io::Result<Self> {
        let mut parts = Vec::new();
        match answer.body() {
            Body::Empty => {}
            Body::Text(text) => parts.push(Part::Text(Bytes::from_static(text.as_bytes()))),
            Body::Whole => parts.push(Part::File { at: 0, len: found.facts.size }),
            Body::Part { prefix, range } => {
                parts.push(Part::Text(Bytes::from_static(prefix)));
                parts.push(Part::File { at: range.first, len: range.len() });
            }
            Body::Several(ranges) => {
                let multipart = answer.multipart().ok_or(io::ErrorKind::InvalidData)?;
                let mut text = Vec::new();
                for range in ranges.as_slice() {
                    multipart.push_part_head(*range, &mut text);
                    parts.push(Part::Text(std::mem::take(&mut text).into()));
                    parts.push(Part::File { at: range.first, len: range.len() });
                }
                multipart.push_end(&mut text);
                parts.push(Part::Text(text.into()));
            }
            Body::Compressed(coding) => {
                return Ok(Self::Compressed(Box::new(Compressing::new(found, coding)?)));
            }
        }
        Ok(Self::Parts { source: found.source, parts: parts.into_iter(), now: Part::Text(Bytes::new()) })
    }

    /// The next bytes, never none; nothing at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        match self {
            Self::Compressed(compressing) => Ok(compressing.next().await?.map(Bytes::from)),
            Self::Parts { source, parts, now } => loop {
                match now {
                    Part::Text(text) if !text.is_empty() => return Ok(Some(std::mem::take(text))),
                    Part::File { at, len } if *len > 0 => {
                        let most = if matches!(source, Source::There { .. }) { STEP_THERE } else { STEP };
                        let step = most.min(*len);
                        let bytes = source.read(*at, step as usize).await.map_err(Broken::early)?;
                        (*at, *len) = (*at + step, *len - step);
                        return Ok(Some(bytes.into()));
                    }
                    _ => match parts.next() {
                        Some(part) => *now = part,
                        None => return Ok(None),
                    },
                }
            },
        }
    }
}
