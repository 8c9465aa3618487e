//! What is noted of requests: they are counted, and written to the log, in the form that nginx calls *combined*, which
//! everything reads that reads access logs, with the time it took in seconds at the end.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use daemon::log::LogSink;
use http_core::{Method, Status, Version};
use jiff::Zoned;
use status::HttpClass;
use traces::End;

use crate::door::Asked;
use crate::metrics::{Counts, Kind};

/// What is noted of a request until it has been answered. Dropping it counts the request, and writes the line.
pub(crate) struct Access {
    counts: Arc<Counts>,
    kind: Kind,
    began: Instant,
    /// Unless something is answered, the client has gone.
    status: Option<Status>,
    sent: u64,
    trace: traces::Request,
    /// Without a log there is no line.
    line: Option<Box<Line>>,
}

/// What else the line of a request has.
struct Line {
    sink: LogSink,
    began: Zoned,
    peer: IpAddr,
    request: String,
    referer: String,
    agent: String,
}

/// What nginx writes for a client that has gone.
const GONE: Status = Status(499);

impl Access {
    /// A request has come.
    pub(crate) fn begin(counts: &Arc<Counts>, sink: Option<&LogSink>, asked: &Asked<'_>) -> Self {
        let line = sink.map(|sink| {
            let method = match asked.method {
                Method::Get => "GET",
                Method::Head => "HEAD",
                Method::Options => "OPTIONS",
                Method::Other(method) => method,
            };
            let version = match asked.version {
                Version::Http10 => "HTTP/1.0",
                Version::Http11 => "HTTP/1.1",
                Version::Http2 => "HTTP/2.0",
            };
            let mut line = String::new();
            push_escaped(&mut line, format!("{method} {} {version}", asked.target).as_bytes());
            Line::new(sink, asked.peer, line, asked.fields.referer, asked.fields.user_agent)
        });
        let parent = asked.fields.traceparent.and_then(|field| str::from_utf8(field).ok());
        Self::new(counts, Kind::of(asked.method), line, parent)
    }

    /// Something has come that is no request.
    pub(crate) fn begin_malformed(counts: &Arc<Counts>, sink: Option<&LogSink>, peer: IpAddr) -> Self {
        let line = sink.map(|sink| Line::new(sink, peer, "-".into(), None, None));
        Self::new(counts, Kind::Malformed, line, None)
    }

    fn new(counts: &Arc<Counts>, kind: Kind, line: Option<Box<Line>>, parent: Option<&str>) -> Self {
        let trace = traces::Request::begin("gateway", parent);
        Self { counts: Arc::clone(counts), kind, began: Instant::now(), status: None, sent: 0, trace, line }
    }

    /// This is the answer.
    pub(crate) fn status(&mut self, status: Status) {
        self.status = Some(status);
    }

    /// So many more bytes of content went out.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }
}

impl Line {
    fn new(
        sink: &LogSink,
        peer: IpAddr,
        request: String,
        referer: Option<&[u8]>,
        agent: Option<&[u8]>,
    ) -> Box<Self> {
        let text = |field: Option<&[u8]>| {
            let mut text = String::new();
            push_escaped(&mut text, field.unwrap_or(b"-"));
            text
        };
        let (referer, agent) = (text(referer), text(agent));
        Box::new(Self { sink: sink.clone(), began: Zoned::now(), peer, request, referer, agent })
    }
}

/// As nginx does: nothing that a request holds can end a field, or the line.
fn push_escaped(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=0x1F | 0x7F.. => {
                // Writing to a text does not fail.
                let _ = write!(out, "\\x{byte:02X}");
            }
            _ => out.push(char::from(*byte)),
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let class = self.counts.request(self.kind, self.status.map(|status| status.0), self.sent, took);
        let end = End { word: class.word(), failed: class == HttpClass::Failed };
        self.trace.end(self.kind.word(), end);
        let Some(line) = &self.line else { return };
        let text = format!(
            "{} - - [{}] \"{}\" {} {} \"{}\" \"{}\" {:.3}",
            line.peer,
            line.began.strftime("%d/%b/%Y:%H:%M:%S %z"),
            line.request,
            self.status.unwrap_or(GONE).0,
            self.sent,
            line.referer,
            line.agent,
            took.as_secs_f64(),
        );
        line.sink.line(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_request_gets_out_of_its_field() {
        let mut text = String::new();
        push_escaped(&mut text, b"a b\"c\\d\ne\x7f\xe4");
        assert_eq!(text, r"a b\x22c\x5Cd\x0Ae\x7F\xE4");
    }
}
