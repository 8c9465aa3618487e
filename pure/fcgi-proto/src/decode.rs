//! Records from a web server become events.

use bytes::{Buf, Bytes, BytesMut};

use crate::pairs::{PairsError, Params};
use crate::record::{HEADER_LEN, Header, ProtocolStatus, kind, role};

/// Bytes that a question for values may have: the three known names take 48.
pub const VALUES_BYTES_MAX: usize = 1 << 10;

/// Bytes of what begins a request (FastCGI 1.0, section 5.1).
const BEGIN_LEN: u16 = 8;

/// The flag of a request after which the connection stays.
const KEEP_CONN: u8 = 1;

/// What a request may bring along before its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all variables with their lengths.
    pub params_bytes: usize,
    /// Variables.
    pub params: usize,
}

impl Default for Limits {
    /// nginx takes heads of 32 KiB (`large_client_header_buffers`) and adds two dozen variables, some of which repeat
    /// the path.
    fn default() -> Self {
        Self { params_bytes: 64 << 10, params: 256 }
    }
}

/// What a web server wants to know about an application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the specification, section 4.1")]
pub struct Values {
    pub max_conns: bool,
    pub max_reqs: bool,
    pub mpxs_conns: bool,
}

/// What a web server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request for a responder begins.
    Begin {
        /// Its number.
        id: u16,
        /// The connection is wanted afterwards, too.
        keep: bool,
    },
    /// A request that can't be served: the answer is `END_REQUEST` with this status. What comes for it is skipped.
    Refused {
        /// Its number.
        id: u16,
        /// Why.
        status: ProtocolStatus,
        /// The connection is wanted afterwards, too.
        keep: bool,
    },
    /// All variables of the request.
    Params(Params),
    /// Some content of the request, not empty.
    Stdin(Bytes),
    /// The end of the content.
    StdinEnd,
    /// The answer is not wanted any more: `END_REQUEST` is wanted soon. The request is over for the decoder.
    Abort {
        /// Its number.
        id: u16,
    },
    /// What can this application do?
    GetValues(Values),
    /// A record about the connection, of a kind that is not known.
    UnknownType(u8),
}

/// Why a connection is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// What came is not FastCGI 1.
    #[error("a record of another version than 1")]
    Version,
    /// What begins a request has another length than 8 bytes.
    #[error("a request begins with {len} bytes instead of 8")]
    BeginLen {
        /// Its length.
        len: u16,
    },
    /// A request has the number of the connection itself.
    #[error("a request with the number 0")]
    NullId,
    /// A request begins with the number of the one that is not over.
    #[error("a request begins before the one with the same number is over")]
    BeganTwice,
    /// The variables are too long together.
    #[error("variables of more than {limit} bytes")]
    ParamsTooLong {
        /// How long they may be.
        limit: usize,
    },
    /// The variables are too many, or none.
    #[error(transparent)]
    Pairs(#[from] PairsError),
    /// Variables follow their end, or content its own, or content precedes the end of the variables.
    #[error("variables and content are out of order")]
    OutOfOrder,
    /// A question for values is too long.
    #[error("a question for values of {len} bytes")]
    ValuesTooLong {
        /// Its length.
        len: u16,
    },
}

/// Reads what a web server sends on one connection.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    record: Option<Open>,
    /// What has come of a record that counts as a whole.
    whole: Vec<u8>,
    request: Option<Request>,
}

/// The record that is being read.
#[derive(Debug)]
struct Open {
    of: Of,
    content: usize,
    padding: usize,
    /// What its end means has been said.
    said: bool,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Begin(u16),
    Abort(u16),
    Params,
    ParamsEnd,
    Stdin,
    StdinEnd,
    GetValues,
    Unknown(u8),
    Skipped,
}

#[derive(Debug)]
struct Request {
    id: u16,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Params(BytesMut),
    Stdin,
    Over,
}

impl Decoder {
    /// For a new connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, record: None, whole: Vec::new(), request: None }
    }

    /// The request was answered: what still comes for it is skipped, and another one may begin.
    pub fn end_request(&mut self) {
        self.request = None;
        if let Some(record) = &mut self.record
            && matches!(record.of, Of::Params | Of::ParamsEnd | Of::Stdin | Of::StdinEnd | Of::Abort(_))
        {
            record.of = Of::Skipped;
        }
    }

    /// The next event in `input`, from which what was read is taken; `Ok(None)` when more must come first.
    ///
    /// # Errors
    /// [`DecodeError`]: what follows has no meaning.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, DecodeError> {
        loop {
            let Some(record) = &mut self.record else {
                let Some(raw) = input.first_chunk::<HEADER_LEN>() else { return Ok(None) };
                let header = Header::decode(*raw).ok_or(DecodeError::Version)?;
                input.advance(HEADER_LEN);
                self.record = Some(Open {
                    of: self.meaning(header)?,
                    content: usize::from(header.content_len),
                    padding: usize::from(header.padding_len),
                    said: false,
                });
                continue;
            };
            if record.content > 0 {
                if input.is_empty() {
                    return Ok(None);
                }
                let part = input.split_to(record.content.min(input.len()));
                record.content -= part.len();
                match record.of {
                    Of::Stdin => return Ok(Some(Event::Stdin(part.freeze()))),
                    Of::Params => {
                        if let Some(Request { stage: Stage::Params(params), .. }) = &mut self.request {
                            params.extend_from_slice(&part);
                        }
                    }
                    Of::Begin(_) | Of::GetValues => self.whole.extend_from_slice(&part),
                    _ => {}
                }
                continue;
            }
            if !record.said {
                record.said = true;
                let of = record.of;
                if let Some(event) = self.end_of(of)? {
                    return Ok(Some(event));
                }
                continue;
            }
            let skipped = record.padding.min(input.len());
            input.advance(skipped);
            record.padding -= skipped;
            if record.padding > 0 {
                return Ok(None);
            }
            self.record = None;
        }
    }

    /// What a record is, as its header says.
    fn meaning(&mut self, header: Header) -> Result<Of, DecodeError> {
        let Header { kind: number, id, content_len, .. } = header;
        let empty = content_len == 0;
        match (number, id) {
            (kind::GET_VALUES, 0) if usize::from(content_len) > VALUES_BYTES_MAX => {
                Err(DecodeError::ValuesTooLong { len: content_len })
            }
            (kind::GET_VALUES, 0) => Ok(Of::GetValues),
            (kind::BEGIN_REQUEST, 0) => Err(DecodeError::NullId),
            (_, 0) => Ok(Of::Unknown(number)),
            (kind::BEGIN_REQUEST, _) if content_len != BEGIN_LEN => {
                Err(DecodeError::BeginLen { len: content_len })
            }
            (kind::BEGIN_REQUEST, _) => Ok(Of::Begin(id)),
            _ => {
                let Some(request) = self.request.as_mut().filter(|request| request.id == id) else {
                    return Ok(Of::Skipped);
                };
                match (number, &mut request.stage) {
                    (kind::ABORT_REQUEST, _) => Ok(Of::Abort(id)),
                    (kind::PARAMS, Stage::Params(_)) if empty => Ok(Of::ParamsEnd),
                    (kind::PARAMS, Stage::Params(params)) => {
                        let limit = self.limits.params_bytes;
                        if params.len() + usize::from(content_len) > limit {
                            return Err(DecodeError::ParamsTooLong { limit });
                        }
                        Ok(Of::Params)
                    }
                    (kind::STDIN, Stage::Stdin) => Ok(if empty { Of::StdinEnd } else { Of::Stdin }),
                    (kind::PARAMS | kind::STDIN, _) => Err(DecodeError::OutOfOrder),
                    // Content for a filter, and what only an application sends.
                    _ => Ok(Of::Skipped),
                }
            }
        }
    }

    /// What the end of a record's content means.
    fn end_of(&mut self, of: Of) -> Result<Option<Event>, DecodeError> {
        let whole = std::mem::take(&mut self.whole);
        match of {
            Of::Begin(id) => self.begin(id, &whole).map(Some),
            Of::Abort(id) => {
                self.request = None;
                Ok(Some(Event::Abort { id }))
            }
            Of::ParamsEnd => {
                let Some(request) = &mut self.request else { return Ok(None) };
                let Stage::Params(params) = std::mem::replace(&mut request.stage, Stage::Stdin) else {
                    return Err(DecodeError::OutOfOrder);
                };
                Ok(Some(Event::Params(Params::decode(params.freeze(), self.limits.params)?)))
            }
            Of::StdinEnd => {
                if let Some(request) = &mut self.request {
                    request.stage = Stage::Over;
                }
                Ok(Some(Event::StdinEnd))
            }
            Of::GetValues => {
                let names = Params::decode(whole.into(), VALUES_BYTES_MAX)?;
                Ok(Some(Event::GetValues(Values {
                    max_conns: names.get("FCGI_MAX_CONNS").is_some(),
                    max_reqs: names.get("FCGI_MAX_REQS").is_some(),
                    mpxs_conns: names.get("FCGI_MPXS_CONNS").is_some(),
                })))
            }
            Of::Unknown(number) => Ok(Some(Event::UnknownType(number))),
            Of::Params | Of::Stdin | Of::Skipped => Ok(None),
        }
    }

    fn begin(&mut self, id: u16, body: &[u8]) -> Result<Event, DecodeError> {
        let [role1, role0, flags, ..] = *body else {
            return Err(DecodeError::BeginLen { len: 0 });
        };
        let keep = flags & KEEP_CONN != 0;
        match &self.request {
            Some(request) if request.id == id => return Err(DecodeError::BeganTwice),
            Some(_) => return Ok(Event::Refused { id, status: ProtocolStatus::CantMpxConn, keep }),
            None => {}
        }
        if u16::from_be_bytes([role1, role0]) != role::RESPONDER {
            return Ok(Event::Refused { id, status: ProtocolStatus::UnknownRole, keep });
        }
        self.request = Some(Request { id, stage: Stage::Params(BytesMut::new()) });
        Ok(Event::Begin { id, keep })
    }
}
