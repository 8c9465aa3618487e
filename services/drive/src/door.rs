//! What comes with a request from its connection, and what goes with every answer.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use drive_core::Problem;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use status::HttpClass;
use tower_http::csrf::ProtectionError;
use traces::End;
use tracing::Instrument;

use crate::app::Drive;
use crate::counts::{Kind, ToOldClient};
use crate::refusal::{CROSS_ORIGIN, Refusal};

/// Who is at the other end of the connection. Every door puts it into a request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Where from.
    pub address: SocketAddr,
    /// Nobody else reads the connection.
    pub secure: bool,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const TRACE_PARENT: &str = "traceparent";
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What browsers are told of every answer that says nothing else.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// A request until it is answered. Dropping it counts the request.
struct Counted {
    drive: Arc<Drive>,
    began: Instant,
    kind: Kind,
    /// None: the client has gone.
    status: Option<StatusCode>,
    trace: traces::Request,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let class = self.drive.counts.request(self.kind, self.status, self.began.elapsed());
        self.trace.end(self.kind.word(), End { word: class.word(), failed: class == HttpClass::Failed });
    }
}

/// Gives a request its id, and an answer its headers; counts.
pub(crate) async fn dress(State(drive): State<Arc<Drive>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let known = route.map(|route| Kind::of(request.method(), route.as_str()));
    let kind = known.unwrap_or(Kind::without_route(false));
    let parent = last(request.headers(), TRACE_PARENT);
    let trace = traces::Request::begin("drive", parent);
    let mut counted = Counted { drive, began: Instant::now(), kind, status: None, trace };
    let id = format!("{:016x}", rand::random::<u64>());
    let span = tracing::debug_span!("request", id, method = %request.method(), path = request.uri().path());
    let mut response = counted.trace.within(next.run(request).instrument(span)).await;
    counted.status = Some(response.status());
    if known.is_none() {
        counted.kind = Kind::without_route(response.extensions().get::<ToOldClient>().is_some());
    }
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Who sent a request, as far as trusted proxies tell: the last address that none of them has.
pub(crate) fn sender(parts: &Parts, trusted: &[IpAddr]) -> Result<(IpAddr, bool), Problem> {
    let Some(peer) = parts.extensions.get::<Peer>() else {
        return Err(Problem::Contradiction("a door does not say who is there"));
    };
    let mut address = peer.address.ip().to_canonical();
    if !trusted.contains(&address) {
        return Ok((address, peer.secure));
    }
    let secure = peer.secure || last(&parts.headers, FORWARDED_PROTO) == Some("https");
    let lines: Vec<&str> =
        parts.headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        match IpAddr::from_str(text.trim()) {
            Ok(before) => address = before.to_canonical(),
            Err(_) => break,
        }
        if !trusted.contains(&address) {
            break;
        }
    }
    Ok((address, secure))
}

fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// A page of another origin sent something that only the drive's own pages may send.
pub(crate) fn foreign(_: ProtectionError) -> Response {
    CROSS_ORIGIN.because("pages of other origins may not do this").into_response()
}

/// A handler panicked: a bug. Nothing of it is told.
pub(crate) fn broken(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Refusal::Problem(Problem::Contradiction("a bug")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_who_sends() {
        let (proxy, inner) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for (peer, forwarded, proto, sends, secure) in [
            ("192.0.2.1:5", &["203.0.113.9"][..], "https", "192.0.2.1", false),
            ("10.0.0.1:5", &[][..], "http", "10.0.0.1", false),
            ("10.0.0.1:5", &["203.0.113.9"][..], "https", "203.0.113.9", true),
            // What the sender itself wrote stands before what the proxy saw.
            ("10.0.0.1:5", &["127.0.0.1, 203.0.113.9"][..], "http", "203.0.113.9", false),
            ("10.0.0.1:5", &["127.0.0.1", "203.0.113.9, 10.0.0.2"][..], "http", "203.0.113.9", false),
            ("10.0.0.1:5", &["203.0.113.9, nonsense"][..], "http", "10.0.0.1", false),
            ("[::ffff:10.0.0.1]:5", &["203.0.113.9"][..], "http", "203.0.113.9", false),
        ] {
            let mut request = http::Request::builder().header(FORWARDED_PROTO, proto);
            for line in forwarded {
                request = request.header(FORWARDED_FOR, *line);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            parts.extensions.insert(Peer { address: peer.parse().unwrap(), secure: false });
            let expected = (sends.parse().unwrap(), secure);
            assert_eq!(sender(&parts, &[proxy, inner]).unwrap(), expected, "{peer} {forwarded:?}");
        }
    }
}
