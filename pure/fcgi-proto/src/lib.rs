//! FastCGI 1.0 as a responder speaks it: what a web server sends becomes events, what is answered becomes records, and
//! the variables of CGI become the head of an HTTP request.
//!
//! **Will never know**: sockets, clocks, what a request is for, how its content is used. Bytes come in as arguments,
//! bytes and values go out.
//!
//! **Invariants**
//! - No bytes make a decoder panic. What is kept of a connection is bounded by [`Limits`] and [`VALUES_BYTES_MAX`], and by
//!   what has arrived, never by what was announced. Content passes through: it is never gathered.
//! - There is one request at a time. Another one beside it is refused, as is one for another role; what comes for a refused
//!   or a finished request is skipped.
//! - Nothing of a request adds a line to its head, nor an answer to what the web server reads as one.
//! - What the framing of HTTP is about stays with the web server: such fields are dropped both ways.
//!
//! **Begin reading** at [`Decoder`], then [`request_head`].
//!
//! Sources: FastCGI specification 1.0; RFC 3875 (CGI 1.1); RFC 9110, 9112; nginx's `ngx_http_fastcgi_module` for what
//! is really sent: one request at a time with the id 1, every header field as a variable, also those that have one of
//! their own.

mod decode;
pub mod encode;
mod pairs;
mod record;
mod request;
mod response;

pub use decode::{DecodeError, Decoder, Event, Limits, VALUES_BYTES_MAX, Values};
pub use pairs::{PairsError, Params, push_pair};
pub use record::{CONTENT_MAX, HEADER_LEN, Header, ProtocolStatus, VERSION, kind, role};
pub use request::{Client, Head, HeadError, TARGET_BYTES_MAX, request_head};
pub use response::{AnswerHead, Unanswerable, answer_head};
