//! Writing the head of an answer.

use crate::answer::{Answer, Body, Cache};
use crate::cors::{ALLOWED_FIELDS, EXPOSED_FIELDS, PREFLIGHT_MAX_AGE_S};
use crate::date::DateText;
use crate::disposition::push_disposition;
use crate::head::Version;
use crate::multipart::push_content_range;
use crate::status::Status;

/// The methods there are, for `Allow`.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// Appends a number in decimal.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    // The longest has 20 digits.
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn number_field(out: &mut Vec<u8>, name: &str, number: u64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_number(out, number);
    out.extend_from_slice(b"\r\n");
}

impl Answer<'_> {
    /// Appends a whole HTTP/1.x head: status line, `Date`, the fields, what becomes of the connection, the empty line.
    /// `version` is that of the request.
    pub fn write_http1(&self, out: &mut Vec<u8>, date: &DateText, version: Version, keep_alive: bool) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.line().as_bytes());
        out.extend_from_slice(b"\r\n");
        field(out, "Date", date.as_bytes());
        self.write_fields(out);
        if let Body::Compressed(_) = self.content {
            field(out, "Transfer-Encoding", b"chunked");
        }
        match (keep_alive, version) {
            (false, _) => field(out, "Connection", b"close"),
            (true, Version::Http10) => field(out, "Connection", b"keep-alive"),
            (true, _) => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the fields that do not depend on the version of HTTP, a line each; [`field_lines`] takes them apart again.
    pub fn write_fields(&self, out: &mut Vec<u8>) {
        self.write_content_fields(out);
        self.write_file_fields(out);
        match self.cache {
            Cache::Unsaid => {}
            Cache::Text(text) => field(out, "Cache-Control", text.as_bytes()),
            Cache::Private { seconds } => {
                out.extend_from_slice(b"Cache-Control: private, max-age=");
                push_number(out, seconds.into());
                out.extend_from_slice(b"\r\n");
            }
        }
        if self.status == Status::METHOD_NOT_ALLOWED || self.status == Status::NO_CONTENT {
            field(out, "Allow", METHODS.as_bytes());
        }
        if let Some(location) = &self.location {
            field(out, "Location", location.as_bytes());
        }
        self.write_cors(out);
        match (self.vary_encoding, self.cors.vary) {
            (true, true) => field(out, "Vary", b"Accept-Encoding, Origin"),
            (true, false) => field(out, "Vary", b"Accept-Encoding"),
            (false, true) => field(out, "Vary", b"Origin"),
            (false, false) => {}
        }
    }

    /// What the content is and how long.
    fn write_content_fields(&self, out: &mut Vec<u8>) {
        let size = self.about.map_or(self.size, |about| about.size);
        let media = self.about.map(|about| about.media).or(self.media).map(str::as_bytes);
        match self.content {
            // Without content (204, 304) there must be no length.
            Body::Empty => return,
            Body::Text(text) => number_field(out, "Content-Length", text.len() as u64),
            Body::Whole => number_field(out, "Content-Length", size),
            Body::Part { prefix, range } => {
                number_field(out, "Content-Length", range.len().saturating_add(prefix.len() as u64));
                if self.status == Status::PARTIAL_CONTENT {
                    out.extend_from_slice(b"Content-Range: ");
                    push_content_range(Some(range), size, out);
                    out.extend_from_slice(b"\r\n");
                }
            }
            Body::Several(_) => {
                if let Some(multipart) = self.multipart() {
                    number_field(out, "Content-Length", multipart.content_len());
                    out.extend_from_slice(b"Content-Type: multipart/byteranges; boundary=");
                    out.extend_from_slice(multipart.boundary.as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
                return;
            }
            Body::Compressed(coding) => field(out, "Content-Encoding", coding.name().as_bytes()),
        }
        if self.status == Status::RANGE_NOT_SATISFIABLE {
            out.extend_from_slice(b"Content-Range: ");
            push_content_range(None, size, out);
            out.extend_from_slice(b"\r\n");
        }
        if let Some(media) = media {
            field(out, "Content-Type", media);
        }
    }

    /// What tells this version of the file, and the name to save it under.
    fn write_file_fields(&self, out: &mut Vec<u8>) {
        let Some(about) = &self.about else { return };
        out.extend_from_slice(b"ETag: ");
        about.tag.push_to(out);
        out.extend_from_slice(b"\r\n");
        field(out, "Last-Modified", DateText::new(about.modified).as_bytes());
        if self.status == Status::NOT_MODIFIED {
            return;
        }
        if !matches!(self.content, Body::Compressed(_)) && !about.derived {
            field(out, "Accept-Ranges", b"bytes");
        }
        let before = out.len();
        out.extend_from_slice(b"Content-Disposition: ");
        if push_disposition(about.parameters, out) {
            out.extend_from_slice(b"\r\n");
        } else {
            out.truncate(before);
        }
    }

    fn write_cors(&self, out: &mut Vec<u8>) {
        let Some(origin) = self.cors.allow_origin else { return };
        field(out, "Access-Control-Allow-Origin", origin.as_bytes());
        if self.preflight {
            field(out, "Access-Control-Allow-Methods", METHODS.as_bytes());
            field(out, "Access-Control-Allow-Headers", ALLOWED_FIELDS.as_bytes());
            number_field(out, "Access-Control-Max-Age", PREFLIGHT_MAX_AGE_S.into());
        } else {
            field(out, "Access-Control-Expose-Headers", EXPOSED_FIELDS.as_bytes());
        }
    }
}

/// The names and values of what [`Answer::write_fields`] wrote, for doors that frame fields themselves. No value ever
/// holds a line break, so nothing is lost on the way.
pub fn field_lines(written: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    written.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r")?;
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line.get(colon + 2..).unwrap_or_default()))
    })
}
