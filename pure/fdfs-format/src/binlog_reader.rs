//! Reads a replication log in pieces, and goes on behind damage.
//!
//! The original stops for ever at a torn line. Here every line is one result, and after a bad one the next newline
//! begins a new attempt: damage costs the lines it hit, and is reported once per line.

use crate::binlog::{LINE_LEN_MAX, LineError, Record};

/// What stood in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it begins, bytes from the start of the file.
    pub offset: u64,
    /// Its bytes, newline included. Zero bytes at the start of a line are reported as a line of their own,
    /// which has no newline.
    pub len: u64,
    /// The record, or why there is none.
    pub record: Result<Record, LineError>,
}

/// Takes a log in pieces of any size and gives back its lines. Holds at most one line in memory.
#[derive(Debug, Clone)]
pub struct LineReader {
    /// Where the line in hand begins.
    offset: u64,
    /// What has been seen of it, while it can still be a record.
    pending: Vec<u8>,
    /// How much has been seen of it.
    seen: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a line, or in one that can be a record.
    Line,
    /// In zero bytes.
    Zeros,
    /// In a line that is too long; only its end matters.
    TooLong,
}

impl LineReader {
    /// Begins at `offset` of a file, which must be the beginning of a line.
    pub fn new(offset: u64) -> Self {
        Self { offset, pending: Vec::new(), seen: 0, state: State::Line }
    }

    /// Where to go on when this reader is given up: the beginning of the line it has not seen the end of.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes seen behind [`Self::offset`]. At the end of a file that nobody writes to any more, these are torn.
    pub fn incomplete_len(&self) -> u64 {
        self.seen
    }

    /// Takes the next bytes of the file and adds the lines that end in them to `lines`.
    pub fn feed(&mut self, bytes: &[u8], lines: &mut Vec<Line>) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if self.seen == 0 && *first == 0 {
                self.state = State::Zeros;
            }
            if self.state == State::Zeros {
                let zeros = rest.iter().take_while(|byte| **byte == 0).count();
                self.take(&rest[..zeros]);
                rest = &rest[zeros..];
                if !rest.is_empty() {
                    lines.push(self.finish());
                }
                continue;
            }
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(newline) => {
                    self.take(&rest[..newline]);
                    self.seen += 1;
                    lines.push(self.finish());
                    rest = &rest[newline + 1..];
                }
                None => {
                    self.take(rest);
                    rest = &[];
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        if self.state != State::Line {
            return;
        }
        if self.seen < LINE_LEN_MAX as u64 {
            self.pending.extend_from_slice(bytes);
        } else {
            self.state = State::TooLong;
            self.pending.clear();
        }
    }

    fn finish(&mut self) -> Line {
        let record = match self.state {
            State::Line => Record::parse(&self.pending),
            State::Zeros => Err(LineError::Zeros),
            State::TooLong => Err(LineError::TooLong),
        };
        let line = Line { offset: self.offset, len: self.seen, record };
        self.offset += self.seen;
        self.pending.clear();
        self.seen = 0;
        self.state = State::Line;
        line
    }
}

/// How much of the end of a log is complete lines. What comes after was torn by a crash and must be cut off
/// before the next line is written, or it would swallow that line.
pub fn complete_len(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}
