//! The decisions of an HTTP access server for FastDFS files: request heads, file URLs, tokens, ranges, conditions,
//! headers.
//!
//! **Will never know**: sockets, files, clocks, randomness, where a file is. Bytes, facts about a file, the time and a
//! random boundary come in as arguments; a head, and which bytes to send, go out.
//!
//! **Invariants**
//! - No bytes make a decoder panic; what is read is bounded by named limits ([`head::FIELDS_MAX`],
//!   [`target::URL_BYTES_MAX`], [`target::PARAMETERS_MAX`], [`range::RANGES_MAX`], [`mime::MIME_BYTES_MAX`]).
//! - A [`FileTarget`] names one file of one group; no path leads out of a store path.
//! - Nothing of a request gets into an answer's head unless it is visible ASCII chosen here, so no request can add a line to
//!   it.
//! - Conditions are evaluated against a file that is there, or not at all.
//! - A length that is announced is the length of what goes out.
//!
//! **Begin reading** at [`answer::answer_file`], which makes the whole decision for a file, then [`head::parse_head`] and
//! [`target`] for the way to it.
//!
//! Sources: HTTP access (of FastDFS's nginx module 1.27); RFC 9110, 9112, 6266, 8187.
//!
//! # Where answers differ from FastDFS's nginx module
//!
//! | the module | here | why |
//! |---|---|---|
//! | 304 before it looks whether the file is there | 404 for a file that is gone | a deleted file must not live on in caches |
//! | `If-Modified-Since` compared as text | compared as dates, in all three forms | RFC 9110 §13.1.3 |
//! | no ETag, `If-Match`, `If-None-Match`, `If-Range`, `If-Unmodified-Since` | all of them, in RFC 9110's order | parts of two versions are not put together |
//! | `bytes=0-0` is the whole file | one byte | it is how clients probe for ranges |
//! | the unit of a range is not looked at | other units than bytes are ignored: 200 | RFC 9110 §14.2 |
//! | at most 5 ranges | at most 16, more are 416 | |
//! | one range that is not there makes all 416 | the others are sent | RFC 9110 §14.1.2 |
//! | overlapping ranges are sent as they are | joined; more than 2 overlaps are 416 | the same bytes again and again are an attack |
//! | HEAD with a range is 206 | the range is ignored: 200 | RFC 9110 §14.2: ranges are for GET |
//! | 416 without the size | `Content-Range: bytes */size` | RFC 9110 §15.5.17 |
//! | `Range` of 64 characters and more is 400 | only the whole head is limited | |
//! | URLs beyond 510 characters are 400 | beyond 4096 bytes 414 | names in Chinese are long when escaped |
//! | more than 32 parameters are cut off | 400 | |
//! | empty segments, `.` and `..` are resolved (by nginx) | 400 | one file has one URL, for every cache in front |
//! | names are cut at 127 characters | longer ones are 400 | two URLs must not be one file |
//! | names shorter than 44 characters are 400 | names that do not say who made the file, and when, are 400 | old names are served |
//! | metadata files are served | 404 | they are nobody's business over HTTP |
//! | `filename` goes into the header as it is | quoted, escaped, and in UTF-8 beside it | header injection; names in any language |
//! | `attname` means nothing | the same as `filename` | applications use it |
//! | a file with `filename` is always saved | `disposition=inline` shows it | |
//! | a refused token is answered with 200 and a picture | 403, with the picture if there is one; 200 when configured, and never to be cached | caches keep a 200 |
//! | `ts=0`, or no number, never expires | refused | |
//! | `ts` in the future is good until then | refused when further ahead than one time to live | |
//! | an empty bypass header passes when its value is configured empty | nobody passes | |
//! | `redirect` makes a file that is elsewhere 400 | counts only from members of the cluster, and is 404 there | users have parameters of that name |
//! | a 302 is cut at 256 bytes and leaks memory, IPv6 without brackets | neither | |
//! | FLV: `end=1` is the end | `end` is the byte after the last | |
//! | no `Cache-Control` | files that never change for a year, others to be asked for anew, with a token no longer than it works | |
//! | no `Access-Control-*` | for configured origins | |
//! | methods other than GET and HEAD are 405 | OPTIONS too is answered; 405 says which are | |
//!
//! Two blanks before `HTTP/1.0` in a request line are accepted, because the module writes them when it passes a request on
//! to a storage.

pub mod answer;
pub mod condition;
pub mod cors;
pub mod date;
pub mod disposition;
pub mod elsewhere;
pub mod encoding;
pub mod fields;
pub mod head;
pub mod mime;
pub mod multipart;
pub mod range;
pub mod response;
pub mod status;
pub mod target;
pub mod token;
pub mod validator;

pub use answer::{Answer, Body, FileRequest, FileRules, answer_file};
pub use fields::RequestFields;
pub use head::{Method, RequestHead, Version, parse_head};
pub use status::Status;
pub use target::{FileTarget, Parameters, Target, TargetError};
pub use validator::FileFacts;
