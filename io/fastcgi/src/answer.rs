//! The answer to a request, on its way from the service to the connection.

use std::fmt::Display;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use fcgi_proto::{AnswerHead, Unanswerable, answer_head, encode};
use http::{Method, Response, StatusCode};

/// Bytes on their way out beyond which no more are asked for.
pub const OUT_MAX: usize = encode::STDOUT_RECORD_MAX;

/// The content of an answer.
pub(crate) struct Content<B> {
    /// None when all of it is on its way.
    body: Option<Pin<Box<B>>>,
    /// What has been taken of it and is not on its way.
    chunk: Bytes,
    /// Bytes that are to follow, if that was announced.
    left: Option<u64>,
}

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub enum BrokenAnswer {
    /// The service could not go on.
    #[error("{0}")]
    Service(String),
    /// The announced length is another one.
    #[error("the answer is not as long as it announced")]
    Length,
}

/// Puts the head of an answer on its way; what is to follow.
pub(crate) fn begin<B>(
    id: u16,
    method: &Method,
    response: Response<B>,
    out: &mut BytesMut,
) -> Result<Content<B>, Unanswerable>
where
    B: http_body::Body<Data = Bytes>,
{
    let (parts, body) = response.into_parts();
    let AnswerHead { bytes, has_content, content_len } =
        answer_head(method, &parts, body.size_hint().exact())?;
    encode::stdout(id, &bytes, out);
    Ok(match has_content {
        true => Content { body: Some(Box::pin(body)), chunk: Bytes::new(), left: content_len },
        false => Content { body: None, chunk: Bytes::new(), left: None },
    })
}

/// Puts an answer on its way that no service gave.
pub(crate) fn refuse(id: u16, status: StatusCode, reason: &str, out: &mut BytesMut) {
    let words = status.canonical_reason().unwrap_or_default();
    let text = format!(
        "Status: {} {words}\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\r\n{reason}\n",
        status.as_str()
    );
    encode::stdout(id, text.as_bytes(), out);
    // What only the operator can mend goes to the web server's log.
    if status.is_server_error() {
        encode::stderr(id, &format!("{reason}\n"), out);
    }
    encode::answered(id, out);
}

impl<B> Content<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Display,
{
    /// Puts what is there on its way, as long as there is room; true when that was the last of it.
    pub(crate) async fn push(&mut self, id: u16, out: &mut BytesMut) -> Result<bool, BrokenAnswer> {
        poll_fn(|cx| Poll::Ready(self.push_now(cx, id, out))).await
    }

    fn push_now(&mut self, cx: &mut Context<'_>, id: u16, out: &mut BytesMut) -> Result<bool, BrokenAnswer> {
        while out.len() < OUT_MAX {
            let part = self.chunk.split_to(self.chunk.len().min(encode::STDOUT_RECORD_MAX));
            encode::stdout(id, &part, out);
            if self.body.is_none() && self.chunk.is_empty() {
                return self.end();
            }
            if self.poll_load(cx)?.is_pending() {
                break;
            }
        }
        Ok(false)
    }

    /// Waits until there is something to put on its way, or the end.
    pub(crate) async fn load(&mut self) -> Result<(), BrokenAnswer> {
        poll_fn(|cx| self.poll_load(cx)).await
    }

    fn poll_load(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BrokenAnswer>> {
        while self.chunk.is_empty()
            && let Some(body) = &mut self.body
        {
            match ready!(body.as_mut().poll_frame(cx)) {
                None => self.body = None,
                Some(Err(error)) => return Poll::Ready(Err(BrokenAnswer::Service(error.to_string()))),
                Some(Ok(frame)) => {
                    // CGI has nothing after the content.
                    let Ok(chunk) = frame.into_data() else { continue };
                    if let Some(left) = &mut self.left {
                        *left = left.checked_sub(chunk.len() as u64).ok_or(BrokenAnswer::Length)?;
                    }
                    self.chunk = chunk;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end(&self) -> Result<bool, BrokenAnswer> {
        match self.left {
            None | Some(0) => Ok(true),
            Some(_) => Err(BrokenAnswer::Length),
        }
    }
}
