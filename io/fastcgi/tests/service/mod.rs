//! A service that shows what it is asked and what becomes of its work.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use fastcgi::{Body, BodyError, Client};
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub type Content = BoxBody<Bytes, io::Error>;

/// What all requests share.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    /// What happens, in words.
    events: UnboundedSender<&'static str>,
    /// Lets `/wait` go on.
    go: Notify,
    /// Bytes of content that were made.
    made: AtomicU64,
}

/// Says so when it is dropped.
struct Dropped(UnboundedSender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

pub fn text(text: impl Into<String>) -> Response<Content> {
    let content = Full::from(Bytes::from(text.into()));
    Response::new(content.map_err(|never: Infallible| match never {}).boxed())
}

impl Service {
    pub fn new() -> (Self, UnboundedReceiver<&'static str>) {
        let (events, receive) = unbounded_channel();
        (Self(Arc::new(Shared { events, go: Notify::new(), made: AtomicU64::new(0) })), receive)
    }

    pub fn go(&self) {
        self.0.go.notify_one();
    }

    pub fn made(&self) -> u64 {
        self.0.made.load(Relaxed)
    }

    /// Pieces of 16 KiB, `len` bytes in all, each byte the number of its piece.
    fn pieces(&self, len: u64) -> Content {
        let state = (self.clone(), Dropped(self.0.events.clone()), 0);
        StreamBody::new(stream::unfold(state, move |(this, guard, at)| async move {
            let part = (len - at).min(16 << 10);
            if part == 0 {
                return None;
            }
            this.0.made.fetch_add(part, Relaxed);
            let bytes = Bytes::from(vec![(at >> 14) as u8; part as usize]);
            Some((Ok(http_body::Frame::data(bytes)), (this, guard, at + part)))
        }))
        .boxed()
    }

    pub async fn answer(self, request: Request<Body>) -> Response<Content> {
        let say = |what| {
            let _ = self.0.events.send(what);
        };
        let query: u64 = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(0);
        let path = request.uri().path().to_owned();
        match path.as_str() {
            // What it was asked, a line for each part.
            "/show" => {
                let (parts, body) = request.into_parts();
                let mut out = format!(
                    "{} {}\n{:?}\n",
                    parts.method,
                    parts.uri,
                    parts.extensions.get::<Client>().unwrap()
                );
                for (name, value) in &parts.headers {
                    out += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
                }
                let content = match body.collect().await {
                    Ok(content) => content.to_bytes(),
                    Err(error) => return text(format!("{out}{error}")),
                };
                let mut answer = text(out + &String::from_utf8_lossy(&content));
                let name = http::HeaderValue::from_bytes("文件".as_bytes()).unwrap();
                answer.headers_mut().insert("x-name", name);
                answer
            }
            "/echo" => Response::new(request.into_body().map_err(io::Error::other).boxed()),
            // How much content came, and the sum of its bytes.
            "/count" => {
                let (mut body, mut count, mut sum) = (request.into_body(), 0, 0);
                loop {
                    match body.frame().await {
                        None => return text(format!("{count} {sum}")),
                        Some(Ok(frame)) => {
                            let bytes = frame.into_data().unwrap();
                            count += bytes.len() as u64;
                            sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                        }
                        Some(Err(error)) => {
                            let mut answer = text(error.to_string());
                            *answer.status_mut() = match error {
                                BodyError::Silent(_) => StatusCode::REQUEST_TIMEOUT,
                                BodyError::Length | BodyError::Gone => StatusCode::BAD_REQUEST,
                            };
                            return answer;
                        }
                    }
                }
            }
            "/pieces" => Response::new(self.pieces(query)),
            // Announces more than it has.
            "/less" => Response::builder().header("content-length", "9").body(self.pieces(query)).unwrap(),
            "/broken" => {
                let parts = [Ok(http_body::Frame::data(Bytes::from("some"))), Err(io::Error::other("gone"))];
                Response::new(StreamBody::new(stream::iter(parts)).boxed())
            }
            "/breaks-later" => {
                let error = stream::iter([Err(io::Error::other("gone"))]);
                let pieces = http_body_util::BodyStream::new(self.pieces(query));
                Response::new(StreamBody::new(futures_util::StreamExt::chain(pieces, error)).boxed())
            }
            "/hang" => {
                let _guard = Dropped(self.0.events.clone());
                say("asked");
                std::future::pending().await
            }
            "/wait" => {
                say("asked");
                self.0.go.notified().await;
                text("waited")
            }
            // Takes one piece of its content, and the rest when it may.
            "/wait-between" => {
                let mut body = request.into_body();
                let first = body.frame().await.unwrap().unwrap().into_data().unwrap().len();
                say("asked");
                self.0.go.notified().await;
                text(format!("{}", first + body.collect().await.unwrap().to_bytes().len()))
            }
            "/interim" => Response::builder().status(101).body(self.pieces(1)).unwrap(),
            "/teapot" => {
                let mut answer = text("short and stout");
                *answer.status_mut() = StatusCode::IM_A_TEAPOT;
                answer
            }
            "/nothing" => Response::builder().status(204).body(self.pieces(0)).unwrap(),
            _ => {
                let mut answer = text("nothing here");
                *answer.status_mut() = StatusCode::NOT_FOUND;
                answer
            }
        }
    }
}
