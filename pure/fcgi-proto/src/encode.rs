//! Records on their way to a web server.

use bytes::BufMut;

use crate::decode::Values;
use crate::pairs::push_pair;
use crate::record::{CONTENT_MAX, Header, ProtocolStatus, kind};

/// Most bytes of an answer in one record: a web server passes a record on as it comes, so that a larger one would save
/// next to nothing.
pub const STDOUT_RECORD_MAX: usize = 32 << 10;

/// Bytes of a message for the web server's log at most.
pub const STDERR_MAX: usize = 1 << 10;

/// One record without padding; content beyond [`CONTENT_MAX`] is left out.
pub fn record(kind: u8, id: u16, content: &[u8], out: &mut impl BufMut) {
    let content = content.get(..CONTENT_MAX).unwrap_or(content);
    let content_len = u16::try_from(content.len()).unwrap_or(u16::MAX);
    out.put_slice(&Header { kind, id, content_len, padding_len: 0 }.encode());
    out.put_slice(content);
}

/// Content of an answer, in as many records as it takes. Without content there is none: an empty one would be the end.
pub fn stdout(id: u16, content: &[u8], out: &mut impl BufMut) {
    for part in content.chunks(STDOUT_RECORD_MAX) {
        record(kind::STDOUT, id, part, out);
    }
}

/// A line for the web server's log, cut at [`STDERR_MAX`] bytes.
pub fn stderr(id: u16, line: &str, out: &mut impl BufMut) {
    let line = line.as_bytes();
    record(kind::STDERR, id, line.get(..STDERR_MAX).unwrap_or(line), out);
}

/// That the answer is complete and the request over.
pub fn answered(id: u16, out: &mut impl BufMut) {
    record(kind::STDOUT, id, &[], out);
    end_request(id, ProtocolStatus::RequestComplete, out);
}

/// That a request is over. The application's own status is always 0: it is the exit code of a program.
pub fn end_request(id: u16, status: ProtocolStatus, out: &mut impl BufMut) {
    record(kind::END_REQUEST, id, &[0, 0, 0, 0, status as u8, 0, 0, 0], out);
}

/// The answer to a question for values: those that were asked for and are known (FastCGI 1.0, section 4.1).
pub fn values(asked: Values, max_connections: usize, out: &mut impl BufMut) {
    let connections = max_connections.to_string();
    let rows = [
        (asked.max_conns, "FCGI_MAX_CONNS", connections.as_str()),
        (asked.max_reqs, "FCGI_MAX_REQS", connections.as_str()),
        (asked.mpxs_conns, "FCGI_MPXS_CONNS", "0"),
    ];
    let mut content = Vec::new();
    for (_, name, value) in rows.into_iter().filter(|(asked, ..)| *asked) {
        push_pair(name.as_bytes(), value.as_bytes(), &mut content);
    }
    record(kind::GET_VALUES_RESULT, 0, &content, out);
}

/// That a record about the connection is of no known kind.
pub fn unknown_type(unknown: u8, out: &mut impl BufMut) {
    record(kind::UNKNOWN_TYPE, 0, &[unknown, 0, 0, 0, 0, 0, 0, 0], out);
}
