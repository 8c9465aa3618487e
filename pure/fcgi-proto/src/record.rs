//! The header of a record (FastCGI 1.0, section 3.3) and the numbers in records.

/// The only version there is.
pub const VERSION: u8 = 1;

/// Bytes of a header.
pub const HEADER_LEN: usize = 8;

/// Most bytes of content that a record can have.
pub const CONTENT_MAX: usize = u16::MAX as usize;

/// The kinds of records.
#[allow(missing_docs, reason = "named as in the specification, section 8")]
pub mod kind {
    pub const BEGIN_REQUEST: u8 = 1;
    pub const ABORT_REQUEST: u8 = 2;
    pub const END_REQUEST: u8 = 3;
    pub const PARAMS: u8 = 4;
    pub const STDIN: u8 = 5;
    pub const STDOUT: u8 = 6;
    pub const STDERR: u8 = 7;
    pub const DATA: u8 = 8;
    pub const GET_VALUES: u8 = 9;
    pub const GET_VALUES_RESULT: u8 = 10;
    pub const UNKNOWN_TYPE: u8 = 11;
}

/// What this application can be asked to be.
#[allow(missing_docs, reason = "named as in the specification, section 6")]
pub mod role {
    pub const RESPONDER: u16 = 1;
}

/// How a request ended, for the web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ProtocolStatus {
    /// It was answered, or aborted as asked for.
    RequestComplete = 0,
    /// There is one already on this connection.
    CantMpxConn = 1,
    /// There is no room for it.
    Overloaded = 2,
    /// It is for another role than responder.
    UnknownRole = 3,
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// One of [`kind`], or another number.
    pub kind: u8,
    /// The request it belongs to; 0 for the connection itself.
    pub id: u16,
    /// Bytes of content that follow.
    pub content_len: u16,
    /// Bytes without meaning that follow the content.
    pub padding_len: u8,
}

impl Header {
    /// Reads it; none when it is of another version.
    pub fn decode(bytes: [u8; HEADER_LEN]) -> Option<Self> {
        let [version, kind, id1, id0, len1, len0, padding_len, _reserved] = bytes;
        (version == VERSION).then_some(Self {
            kind,
            id: u16::from_be_bytes([id1, id0]),
            content_len: u16::from_be_bytes([len1, len0]),
            padding_len,
        })
    }

    /// Its bytes.
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let ([id1, id0], [len1, len0]) = (self.id.to_be_bytes(), self.content_len.to_be_bytes());
        [VERSION, self.kind, id1, id0, len1, len0, self.padding_len, 0]
    }
}
