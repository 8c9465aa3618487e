//! The log of requests, in the form that nginx calls *combined*, which everything reads that reads access logs, with the
//! time it took in seconds at the end.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Instant;

use daemon::log::LogSink;
use http_core::{Method, Status, Version};
use jiff::Zoned;

use crate::door::Asked;

/// What is noted of a request until it has been answered. Dropping it writes the line.
pub(crate) struct Access(Option<Box<Noted>>);

struct Noted {
    sink: LogSink,
    began: (Zoned, Instant),
    peer: IpAddr,
    line: String,
    referer: String,
    agent: String,
    status: Status,
    sent: u64,
}

impl Access {
    /// A request has come.
    pub(crate) fn begin(sink: Option<&LogSink>, asked: &Asked<'_>) -> Self {
        Self(sink.map(|sink| {
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
            noted(sink, asked.peer, line, asked.fields.referer, asked.fields.user_agent)
        }))
    }

    /// Something has come that is no request.
    pub(crate) fn begin_malformed(sink: Option<&LogSink>, peer: IpAddr) -> Self {
        Self(sink.map(|sink| noted(sink, peer, "-".into(), None, None)))
    }

    /// This is the answer.
    pub(crate) fn status(&mut self, status: Status) {
        if let Some(noted) = &mut self.0 {
            noted.status = status;
        }
    }

    /// So many more bytes of content went out.
    pub(crate) fn sent(&mut self, bytes: u64) {
        if let Some(noted) = &mut self.0 {
            noted.sent += bytes;
        }
    }
}

fn noted(
    sink: &LogSink,
    peer: IpAddr,
    line: String,
    referer: Option<&[u8]>,
    agent: Option<&[u8]>,
) -> Box<Noted> {
    let text = |field: Option<&[u8]>| {
        let mut text = String::new();
        push_escaped(&mut text, field.unwrap_or(b"-"));
        text
    };
    Box::new(Noted {
        sink: sink.clone(),
        began: (Zoned::now(), Instant::now()),
        peer,
        line,
        referer: text(referer),
        agent: text(agent),
        // Unless something is answered, the client has gone: nginx's number for that.
        status: Status(499),
        sent: 0,
    })
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

impl Drop for Noted {
    fn drop(&mut self) {
        let text = format!(
            "{} - - [{}] \"{}\" {} {} \"{}\" \"{}\" {:.3}",
            self.peer,
            self.began.0.strftime("%d/%b/%Y:%H:%M:%S %z"),
            self.line,
            self.status.0,
            self.sent,
            self.referer,
            self.agent,
            self.began.1.elapsed().as_secs_f64(),
        );
        self.sink.line(text.as_bytes());
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
