//! One connection: HTTP/1 requests, answered in order.

use std::time::Duration;

use http_core::head::{Content, HTTP2_PREFACE, HeadError, Version};
use http_core::{Answer, Method, parse_head};
use net::{Conn, ConnError};
use tokio::time::Instant;

use crate::run::Gateway;
use crate::serve;

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
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The next request.
    Next,
    /// The end; the peer may still be sending.
    Close,
}

/// Serves until either side has enough.
pub(crate) async fn serve(gateway: &Gateway, mut conn: Conn) {
    match requests(gateway, &mut conn).await {
        Ok(true) => conn.linger().await,
        Ok(false) => {}
        Err(error) => tracing::debug!(peer = %conn.peer(), %error, "a connection broke"),
    }
}

/// True when the peer may still be sending.
async fn requests(gateway: &Gateway, conn: &mut Conn) -> Result<bool, ConnError> {
    let limits = &gateway.limits;
    // What has come and is not consumed.
    let mut input = Vec::new();
    let mut patience = limits.head_timeout;
    loop {
        if input.is_empty() {
            // A quick peer has the next request there already; a buffer is held by nobody who waits.
            match conn.take_some(STEP, &mut input)? {
                None => return Ok(false),
                Some(0) => {
                    input = Vec::new();
                    if !conn.has_come(patience).await? {
                        return Ok(false);
                    }
                }
                Some(_) => {}
            }
        }
        patience = limits.keepalive_timeout;
        let due = Instant::now() + limits.head_timeout;
        loop {
            match parse_head(&input, limits.head_len, gateway.rules.bypass_name()) {
                Ok(Some(head)) => {
                    let keep = head.keep_alive && head.content == Content::None && !conn.is_stopping();
                    let len = head.len;
                    let after = serve::answer(gateway, conn, &head, keep).await?;
                    if after == After::Close {
                        return Ok(true);
                    }
                    input.drain(..len);
                    break;
                }
                Ok(None) => {
                    if !more(conn, &mut input, due).await? {
                        return Ok(false);
                    }
                }
                Err(error) => {
                    refuse(gateway, conn, &input, error).await?;
                    return Ok(true);
                }
            }
        }
    }
}

/// Waits for more of a head; false when there will be none, or not in time.
async fn more(conn: &mut Conn, input: &mut Vec<u8>, due: Instant) -> Result<bool, ConnError> {
    loop {
        match conn.take_some(STEP, input)? {
            None => return Ok(false),
            Some(0) => {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() || !conn.has_come(left).await? {
                    return Ok(false);
                }
            }
            Some(_) => return Ok(true),
        }
    }
}

/// A head that can't be understood is answered, and nothing behind it.
async fn refuse(gateway: &Gateway, conn: &mut Conn, input: &[u8], error: HeadError) -> Result<(), ConnError> {
    if input.starts_with(HTTP2_PREFACE) {
        tracing::debug!("a client speaks HTTP/2 without asking");
    }
    let answer = Answer::plain(error.status(), Method::Get, gateway.rules.no_cors());
    let mut out = Vec::new();
    answer.write_http1(&mut out, &serve::date(), Version::Http11, false);
    conn.write_pair(&out, serve::text(&answer).as_bytes()).await
}
