//! One connection: HTTP/1 requests, answered in order. It is given to a library when it turns out to be HTTP/2, and for
//! requests with content, which is read nowhere else.

use std::sync::Arc;
use std::time::Duration;

use http_core::head::{Content, HTTP2_PREFACE, HeadError, RequestHead, Version};
use http_core::{Answer, Body, Method, parse_head};
use net::{Conn, ConnError};
use tokio::time::Instant;

use crate::access::Access;
use crate::compress::Compressing;
use crate::door::{Asked, Door, Found};
use crate::framed;
use crate::run::Gateway;
use crate::serve;
use crate::source::Broken;
use crate::upload;

/// What is read of a head at a time.
const STEP: usize = 4 * 1024;

/// What bounds a connection.
pub(crate) struct Limits {
    /// Largest head, bytes.
    pub(crate) head_len: usize,
    /// How long a head may take to arrive.
    pub(crate) head_timeout: Duration,
    /// How long a connection may rest between requests.
    pub(crate) keepalive_timeout: Duration,
    /// How long a client may take to receive the next bytes of an answer. For what is framed by hand its connection does that.
    pub(crate) send_timeout: Duration,
}

/// How serving by hand ends.
enum End {
    /// It is over.
    Over,
    /// It is over; the peer may still be sending.
    Linger,
    /// The rest is for a library, with these bytes that have come.
    HandOver(Vec<u8>),
}

/// Serves until either side has enough.
pub(crate) async fn serve(gateway: Arc<Gateway>, mut conn: Conn) {
    match requests(&gateway, &mut conn).await {
        Ok(End::Over) => {}
        Ok(End::Linger) => conn.linger().await,
        Ok(End::HandOver(input)) => {
            let (peer, stop) = (conn.peer(), conn.stop());
            framed::serve(gateway, conn.into_stream(input), peer, stop, false).await;
        }
        Err(error) => tracing::debug!(peer = %conn.peer(), %error, "a connection broke"),
    }
}

async fn requests(gateway: &Gateway, conn: &mut Conn) -> Result<End, ConnError> {
    let limits = &gateway.limits;
    // What has come and is not consumed.
    let mut input = Vec::new();
    let mut patience = limits.head_timeout;
    loop {
        if input.is_empty() {
            // A quick peer has the next request there already; a buffer is held by nobody who waits.
            match conn.take_some(STEP, &mut input)? {
                None => return Ok(End::Over),
                Some(0) => {
                    input = Vec::new();
                    if !conn.has_come(patience).await? {
                        return Ok(End::Over);
                    }
                }
                Some(_) => {}
            }
        }
        patience = limits.keepalive_timeout;
        let due = Instant::now() + limits.head_timeout;
        loop {
            match parse_head(&input, limits.head_len, gateway.rules.bypass_name()) {
                Ok(Some(head)) if upload::is_meant(gateway, head.method, head.target) => {
                    return Ok(End::HandOver(input));
                }
                Ok(Some(head)) => {
                    let keep = head.keep_alive && head.content == Content::None && !conn.is_stopping();
                    answer(gateway, conn, &head, keep).await?;
                    if !keep {
                        return Ok(End::Linger);
                    }
                    let len = head.len;
                    input.drain(..len);
                    break;
                }
                Ok(None) => {
                    if !conn.take_more(STEP, &mut input, due).await? {
                        return Ok(End::Over);
                    }
                }
                Err(_) if begins_http2(&input) => return Ok(End::HandOver(input)),
                Err(error) => {
                    refuse(gateway, conn, error).await?;
                    return Ok(End::Linger);
                }
            }
        }
    }
}

/// The first line of it is enough, whether the rest has come or not.
fn begins_http2(input: &[u8]) -> bool {
    input.starts_with(HTTP2_PREFACE) || input.len() >= 16 && HTTP2_PREFACE.starts_with(input)
}

async fn answer(
    gateway: &Gateway,
    conn: &mut Conn,
    head: &RequestHead<'_>,
    keep: bool,
) -> Result<(), ConnError> {
    let asked = Asked {
        method: head.method,
        target: head.target,
        version: head.version,
        fields: &head.fields,
        peer: conn.peer_ip(),
    };
    let access = Access::begin(&gateway.counts, gateway.access_log.as_ref(), &asked);
    let mut door = ByHand::new(conn, head.version, keep, access);
    serve::answer(gateway, &mut door, &asked).await
}

/// A head that can't be understood is answered, and nothing behind it.
async fn refuse(gateway: &Gateway, conn: &mut Conn, error: HeadError) -> Result<(), ConnError> {
    let mut access = Access::begin_malformed(&gateway.counts, gateway.access_log.as_ref(), conn.peer_ip());
    access.status(error.status());
    let answer = Answer::plain(error.status(), Method::Get, gateway.rules.no_cors());
    let mut door = ByHand::new(conn, Version::Http11, false, access);
    serve::words(&mut door, &answer).await
}

/// HTTP/1 written straight to the socket, large files by the system.
struct ByHand<'c> {
    conn: &'c mut Conn,
    version: Version,
    keep: bool,
    access: Access,
    /// What the connection had sent before.
    before: u64,
    /// Bytes of the answer that are not its content.
    head_len: u64,
}

impl Drop for ByHand<'_> {
    fn drop(&mut self) {
        self.access.sent((self.conn.sent() - self.before).saturating_sub(self.head_len));
    }
}

impl<'c> ByHand<'c> {
    fn new(conn: &'c mut Conn, version: Version, keep: bool, access: Access) -> Self {
        let before = conn.sent();
        Self { conn, version, keep, access, before, head_len: 0 }
    }

    fn head_of(&mut self, answer: &Answer<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        answer.write_http1(&mut out, &serve::date(), self.version, self.keep);
        self.access.status(answer.status);
        self.head_len = out.len() as u64;
        out
    }

    async fn compressed(&mut self, mut head: Vec<u8>, mut content: Compressing) -> Result<(), Broken> {
        // The first bytes are there before the head goes out, so that there may be another answer.
        while let Some(bytes) = content.next().await? {
            push_chunk(&mut head, &bytes);
            self.conn.write(&head).await?;
            head.clear();
        }
        head.extend_from_slice(b"0\r\n\r\n");
        Ok(self.conn.write(&head).await?)
    }
}

/// RFC 9112 §7.1.
fn push_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
    out.extend_from_slice(chunk);
    out.extend_from_slice(b"\r\n");
}

impl Door for ByHand<'_> {
    async fn bytes(&mut self, answer: &Answer<'_>, content: &[u8]) -> Result<(), ConnError> {
        let head = self.head_of(answer);
        self.conn.write_pair(&head, content).await
    }

    async fn file(&mut self, answer: &Answer<'_>, found: Found) -> Result<(), Broken> {
        let mut head = self.head_of(answer);
        let Found { mut source, facts, .. } = match answer.body() {
            Body::Compressed(coding) => {
                return self.compressed(head, Compressing::new(found, coding)?).await;
            }
            _ => found,
        };
        match answer.body() {
            Body::Empty | Body::Compressed(_) => self.conn.write(&head).await?,
            Body::Text(text) => self.conn.write_pair(&head, text.as_bytes()).await?,
            Body::Whole => source.send(self.conn, &head, 0, facts.size).await?,
            Body::Part { prefix, range } => {
                head.extend_from_slice(prefix);
                source.send(self.conn, &head, range.first, range.len()).await?;
            }
            Body::Several(ranges) => {
                let Some(multipart) = answer.multipart() else {
                    return Err(ConnError::Truncated.into());
                };
                for (number, range) in ranges.as_slice().iter().enumerate() {
                    multipart.push_part_head(*range, &mut head);
                    let sent = source.send(self.conn, &head, range.first, range.len()).await;
                    if number == 0 {
                        sent?
                    } else {
                        sent.map_err(Broken::late)?
                    }
                    head.clear();
                }
                multipart.push_end(&mut head);
                self.conn.write(&head).await?;
            }
        }
        Ok(())
    }
}
