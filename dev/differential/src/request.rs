//! One request to both clusters: what it is, what is wrong with it, its bytes for either.

use fdfs_proto::limits::GROUP_LEN;
use fdfs_proto::{Header, Peer, StorageCommand, TrackerCommand};

use crate::layout::Shape;
use crate::wire::Pair;

/// How the header goes with the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As it should.
    Whole,
    /// It announces so many bytes more than come; then the connection ends in this direction.
    BreaksOff(u64),
    /// A length of minus one.
    Negative,
    /// A length of 4 GiB more than come.
    Huge,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) peer: Peer,
    pub(crate) command: u8,
    /// What is special about it, in words; differences are told apart by it.
    pub(crate) case: String,
    /// The status byte of its header.
    pub(crate) flag: u8,
    pub(crate) bodies: Pair<Vec<u8>>,
    pub(crate) framing: Framing,
    pub(crate) shape: Shape,
}

impl Request {
    pub(crate) fn storage(
        command: StorageCommand,
        case: impl Into<String>,
        bodies: Pair<Vec<u8>>,
    ) -> Request {
        Request::new(Peer::Storage, command.code(), case, bodies)
    }

    pub(crate) fn tracker(command: TrackerCommand, case: impl Into<String>, body: Vec<u8>) -> Request {
        Request::new(Peer::Tracker, command.code(), case, Pair::same(body))
    }

    pub(crate) fn new(peer: Peer, command: u8, case: impl Into<String>, bodies: Pair<Vec<u8>>) -> Request {
        let (case, framing) = (case.into(), Framing::Whole);
        Request { peer, command, case, flag: 0, bodies, framing, shape: Shape::Nothing }
    }

    pub(crate) fn shape(mut self, shape: Shape) -> Request {
        self.shape = shape;
        self
    }

    pub(crate) fn flag(mut self, flag: u8) -> Request {
        self.flag = flag;
        self
    }

    /// Its command's name.
    pub(crate) fn name(&self) -> &'static str {
        let known = match self.peer {
            Peer::Tracker => TrackerCommand::from_u8(self.command).map(TrackerCommand::name),
            Peer::Storage => StorageCommand::from_u8(self.command).map(StorageCommand::name),
        };
        known.unwrap_or("unknown")
    }

    /// Nothing comes after it.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.framing, Framing::BreaksOff(_) | Framing::Huge)
    }

    pub(crate) fn bytes(&self) -> Pair<Vec<u8>> {
        self.bodies.map(|body| {
            let len = body.len() as u64;
            let announced = match self.framing {
                Framing::BreaksOff(more) => len + more,
                Framing::Huge => len + (1 << 32),
                Framing::Whole | Framing::Negative => len,
            };
            let mut head = Header { body_len: announced, command: self.command, status: self.flag }.encode();
            if self.framing == Framing::Negative {
                head[..8].fill(0xFF);
            }
            [&head, body.as_slice()].concat()
        })
    }
}

/// Puts a body together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body(Vec<u8>);

impl Body {
    pub(crate) fn new() -> Body {
        Body::default()
    }

    pub(crate) fn int8(self, value: i64) -> Body {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn int4(self, value: i32) -> Body {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn byte(self, value: u8) -> Body {
        self.raw(&[value])
    }

    pub(crate) fn group(self, group: &[u8]) -> Body {
        self.padded(group, GROUP_LEN)
    }

    /// A text in a field; what does not fit is cut.
    pub(crate) fn padded(mut self, text: &[u8], len: usize) -> Body {
        let end = self.0.len() + len;
        self.0.extend_from_slice(&text[..text.len().min(len)]);
        self.0.resize(end, 0);
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Body {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}
