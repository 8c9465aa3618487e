//! The whole decision for a request: status, header fields, and which bytes go out.
//!
//! The service finds the file, asks [`answer_file`], writes the head that comes out and moves bytes.

use fdfs_fileid::FileName;

use crate::condition::{Current, Outcome, evaluate};
use crate::cors::{Cors, Origins};
use crate::encoding::{COMPRESS_BYTES_MIN, Coding, accepted};
use crate::fields::RequestFields;
use crate::head::{Method, Version};
use crate::mime::{MediaType, MimeTypes};
use crate::multipart::{Boundary, Multipart};
use crate::range::{ByteRange, RangeAnswer, Ranges, parse_range};
use crate::status::Status;
use crate::target::Parameters;
use crate::validator::{EntityTag, FileFacts, last_modified, never_changes};

/// What a part of an FLV film that does not begin at its beginning must begin with.
pub const FLV_HEADER: &[u8] = &[0x46, 0x4C, 0x56, 1, 1, 0, 0, 0, 9, 0, 0, 0, 9];

/// How files are answered; one for the whole service.
#[derive(Debug, Clone)]
pub struct FileRules {
    /// Several parts in one answer (`http.multi_range.enabled`); without, a request for them is 416.
    pub several_ranges: bool,
    /// `Cache-Control` of files that never change. Others are to be asked for anew.
    pub cache_control: String,
    /// Whose pages may read files.
    pub origins: Origins,
    /// Codings that the service can make, the preferred first; none switches compression off.
    pub codings: Vec<Coding>,
    /// Media types.
    pub types: MimeTypes,
    /// Extension of FLV films that can be asked for from `start` on; none switches that off.
    pub flv_extension: Option<String>,
}

/// A request for a file that may be served.
#[derive(Debug, Clone, Copy)]
pub struct FileRequest<'a> {
    /// GET or HEAD; anything else is 405.
    pub method: Method<'a>,
    /// Before HTTP/1.1 nothing is compressed, as its length could not be told.
    pub version: Version,
    /// The header fields.
    pub fields: &'a RequestFields<'a>,
    /// The parameters.
    pub parameters: &'a Parameters<'a>,
    /// The name, also for its extension.
    pub name: &'a FileName,
    /// For how many seconds a link with a token still works; none where no token is needed.
    pub link_left: Option<u32>,
    /// Separates the parts of an answer with several.
    pub boundary: Boundary,
    /// Unix seconds.
    pub now: i64,
    /// There is room for one more answer that is compressed on its way out. Without, the bytes go out as they are to all who
    /// take them so.
    pub may_compress: bool,
    /// What goes out is made of the file, as a smaller picture is: no parts of it, nothing compressed, and a tag that does
    /// not promise the same bytes each time. [`Answer::made`] says what came out.
    pub derived: bool,
}

/// What goes out behind the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "made once a request on the stack: a box would cost an allocation"
)]
pub enum Body {
    /// Nothing.
    Empty,
    /// This text.
    Text(&'static str),
    /// The whole file, or the whole picture that is sent for a refused token.
    Whole,
    /// A part of the file.
    Part {
        /// Bytes before it: empty, or [`FLV_HEADER`].
        prefix: &'static [u8],
        /// Which bytes.
        range: ByteRange,
    },
    /// Several parts; [`Answer::multipart`] has what goes around them.
    Several(Ranges),
    /// The whole file, compressed. In HTTP/1.1 it goes out in chunks.
    Compressed(Coding),
}

/// How long the answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache<'a> {
    /// Nothing is said.
    Unsaid,
    /// As configured.
    Text(&'a str),
    /// By the client alone, while its link works.
    Private { seconds: u32 },
}

/// What an answer says about a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) tag: EntityTag,
    pub(crate) modified: i64,
    pub(crate) media: &'a str,
    pub(crate) size: u64,
    pub(crate) parameters: &'a Parameters<'a>,
    pub(crate) boundary: Boundary,
    pub(crate) derived: bool,
}

/// An answer, ready to be written.
#[derive(Debug, Clone)]
pub struct Answer<'a> {
    /// The status.
    pub status: Status,
    /// What GET would send. Of HEAD it is not sent: see [`Answer::body`].
    pub(crate) content: Body,
    pub(crate) head_only: bool,
    pub(crate) about: Option<About<'a>>,
    /// The type of a content that is not about a file.
    pub(crate) media: Option<&'a str>,
    /// Size of the picture for a refused token, or of the file that has no such range.
    pub(crate) size: u64,
    pub(crate) cache: Cache<'a>,
    pub(crate) cors: Cors<'a>,
    pub(crate) vary_encoding: bool,
    pub(crate) preflight: bool,
    pub(crate) location: Option<String>,
}

impl<'a> Answer<'a> {
    /// An answer that is a status and its words.
    pub fn plain(status: Status, method: Method<'_>, cors: Cors<'a>) -> Self {
        Answer {
            status,
            content: Body::Text(status.line()),
            head_only: method == Method::Head,
            about: None,
            media: Some("text/plain; charset=utf-8"),
            size: 0,
            cache: Cache::Unsaid,
            cors,
            vary_encoding: false,
            preflight: false,
            location: None,
        }
    }

    /// The answer to OPTIONS, also to a browser's question whether a page may send a request.
    pub fn options(fields: &RequestFields<'_>, cors: Cors<'a>) -> Self {
        let preflight = fields.origin.is_some() && fields.access_control_request_method.is_some();
        Answer {
            content: Body::Empty,
            media: None,
            preflight,
            ..Self::plain(Status::NO_CONTENT, Method::Options, cors)
        }
    }

    /// 302 to another place ([`crate::elsewhere::location`]).
    pub fn redirect(location: String, method: Method<'_>, cors: Cors<'a>) -> Self {
        Answer { location: Some(location), ..Self::plain(Status::FOUND, method, cors) }
    }

    /// The answer to a refused token: `status` as configured, with a picture if there is one (its size and type). Without one
    /// it is never 200, as there is nothing that could be all right. Nobody is to keep it.
    pub fn token_refused(
        status: Status,
        picture: Option<(u64, &'a MediaType)>,
        method: Method<'_>,
        cors: Cors<'a>,
    ) -> Self {
        let cache = Cache::Text("no-store");
        match picture {
            Some((size, media)) => Answer {
                content: Body::Whole,
                media: Some(&media.text),
                size,
                cache,
                ..Self::plain(status, method, cors)
            },
            None => {
                let status = if status == Status::OK { Status::FORBIDDEN } else { status };
                Answer { cache, ..Self::plain(status, method, cors) }
            }
        }
    }

    /// What was made of the file: its size in bytes and its media type.
    #[must_use]
    pub fn made(mut self, size: u64, media: &'a str) -> Self {
        if let Some(about) = &mut self.about {
            (about.size, about.media) = (size, media);
        }
        self
    }

    /// What is to be sent behind the head.
    pub fn body(&self) -> Body {
        if self.head_only { Body::Empty } else { self.content }
    }

    /// What goes around the parts of [`Body::Several`].
    pub fn multipart(&self) -> Option<Multipart<'a>> {
        let Body::Several(ranges) = self.content else { return None };
        let about = self.about?;
        Some(Multipart { boundary: about.boundary, media: about.media, size: about.size, ranges })
    }
}

/// The answer to a request for one file. `facts` is none when nobody has it: that comes before every condition, so a file
/// that was deleted is never "not modified".
pub fn answer_file<'a>(
    request: &FileRequest<'a>,
    facts: Option<&FileFacts>,
    rules: &'a FileRules,
) -> Answer<'a> {
    let cors = rules.origins.decide(request.fields);
    let plain = |status| Answer::plain(status, request.method, cors);
    match request.method {
        Method::Get | Method::Head => {}
        Method::Options => return Answer::options(request.fields, cors),
        Method::Other(_) => return plain(Status::METHOD_NOT_ALLOWED),
    }
    let Some(facts) = facts else { return plain(Status::NOT_FOUND) };

    let current = Current {
        tag: EntityTag::of(request.name, facts, request.now),
        modified: last_modified(request.name, facts, request.now),
        never_changes: never_changes(request.name),
    };
    let outcome = evaluate(request.fields, &current);
    // HEAD has no parts (RFC 9110 §14.2).
    let range = match outcome {
        Outcome::Go { range: true } if request.method == Method::Get && !request.derived => {
            request.fields.range
        }
        _ => None,
    };
    let media = rules.types.of(request.name);
    let as_is = request.version == Version::Http10 || request.derived;
    let offered: &[Coding] = if as_is { &[] } else { &rules.codings };
    let worth = media.compressible && facts.size >= COMPRESS_BYTES_MIN && !offered.is_empty();
    let takes = accepted(&request.fields.accept_encoding, offered);
    let wanted = (worth && request.may_compress) || !takes.identity;
    let coding = takes.coding.filter(|_| wanted && range.is_none());

    let mut answer = Answer {
        status: Status::OK,
        content: Body::Whole,
        about: Some(About {
            tag: if coding.is_some() || request.derived { current.tag.weakened() } else { current.tag },
            modified: current.modified,
            media: &media.text,
            size: facts.size,
            parameters: request.parameters,
            boundary: request.boundary,
            derived: request.derived,
        }),
        media: None,
        cache: match (request.link_left, current.never_changes) {
            (Some(seconds), true) => Cache::Private { seconds },
            (Some(_), false) => Cache::Text("private, no-cache"),
            (None, true) => Cache::Text(&rules.cache_control),
            (None, false) => Cache::Text("no-cache"),
        },
        vary_encoding: worth || !takes.identity,
        ..plain(Status::OK)
    };
    match outcome {
        Outcome::Failed => return plain(Status::PRECONDITION_FAILED),
        Outcome::NotModified => {
            answer.status = Status::NOT_MODIFIED;
            answer.content = Body::Empty;
            return answer;
        }
        Outcome::Go { .. } => {}
    }
    if coding.is_none() && !takes.identity {
        return plain(Status::NOT_ACCEPTABLE);
    }
    if let Some(field) = range {
        match parse_range(field, facts.size, rules.several_ranges) {
            RangeAnswer::Whole => {}
            RangeAnswer::Unsatisfiable => {
                let refused = plain(Status::RANGE_NOT_SATISFIABLE);
                return Answer { size: facts.size, ..refused };
            }
            RangeAnswer::Parts(ranges) => {
                answer.status = Status::PARTIAL_CONTENT;
                answer.content = match *ranges.as_slice() {
                    [range] => Body::Part { prefix: &[], range },
                    _ => Body::Several(ranges),
                };
            }
        }
    } else if let Some(coding) = coding {
        answer.content = Body::Compressed(coding);
    } else if request.parameters.start.is_some() && !request.derived && is_flv(request.name, rules) {
        match flv_part(request.parameters, facts.size) {
            Ok(content) => answer.content = content,
            Err(()) => return plain(Status::BAD_REQUEST),
        }
    }
    answer
}

fn is_flv(name: &FileName, rules: &FileRules) -> bool {
    let extension = name.base().rsplit_once('.').map(|(_, extension)| extension);
    rules.flv_extension.as_deref().is_some_and(|flv| extension == Some(flv))
}

/// From byte `start` up to, not including, byte `end`: what players of FLV films ask for when one jumps.
fn flv_part(parameters: &Parameters<'_>, size: u64) -> Result<Body, ()> {
    let Some(start) = Parameters::number(parameters.start) else { return Ok(Body::Whole) };
    let end = Parameters::number(parameters.end).unwrap_or(size).min(size);
    if start >= end {
        return if start == 0 && size == 0 { Ok(Body::Whole) } else { Err(()) };
    }
    let prefix = if start > 0 { FLV_HEADER } else { &[] };
    Ok(Body::Part { prefix, range: ByteRange { first: start, last: end - 1 } })
}
