//! A web server, as far as FastCGI sees of it.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use fcgi_proto::{HEADER_LEN, Header, encode, kind, push_pair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode::record(kind, id, content, &mut out);
    out
}

pub fn begin(id: u16, keep: bool) -> Vec<u8> {
    record(kind::BEGIN_REQUEST, id, &[0, 1, u8::from(keep), 0, 0, 0, 0, 0])
}

pub fn params(id: u16, pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (name, value) in pairs {
        push_pair(name.as_bytes(), value.as_bytes(), &mut content);
    }
    let mut out: Vec<u8> = content.chunks(60_000).flat_map(|part| record(kind::PARAMS, id, part)).collect();
    out.extend(record(kind::PARAMS, id, &[]));
    out
}

/// A request up to its content.
pub fn head(id: u16, keep: bool, method: &str, target: &str) -> Vec<u8> {
    [begin(id, keep), params(id, &[("REQUEST_METHOD", method), ("REQUEST_URI", target)])].concat()
}

/// A whole request without content.
pub fn get(id: u16, keep: bool, target: &str) -> Vec<u8> {
    [head(id, keep, "GET", target), record(kind::STDIN, id, &[])].concat()
}

/// What ends a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was printed.
    pub text: String,
    /// What is for the log.
    pub log: String,
    /// The protocol's status.
    pub status: u8,
}

pub struct Web<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Web<S> {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next record: kind, request, content; none at the end.
    pub async fn record(&mut self) -> Option<(u8, u16, Vec<u8>)> {
        let mut raw = [0; HEADER_LEN];
        if self.0.read(&mut raw[..1]).await.unwrap() == 0 {
            return None;
        }
        self.0.read_exact(&mut raw[1..]).await.unwrap();
        let header = Header::decode(raw).unwrap();
        assert_eq!(header.padding_len, 0);
        let mut content = vec![0; usize::from(header.content_len)];
        self.0.read_exact(&mut content).await.unwrap();
        Some((header.kind, header.id, content))
    }

    /// All records up to the end of this request, which are all of it.
    pub async fn answer(&mut self, id: u16) -> Answer {
        let (mut text, mut log) = (Vec::new(), Vec::new());
        loop {
            let (kind, of, content) = self.record().await.expect("an answer that ends");
            assert_eq!(of, id);
            match kind {
                kind::STDOUT => text.extend(content),
                kind::STDERR => log.extend(content),
                kind::END_REQUEST => {
                    let [text, log] = [text, log].map(|bytes| String::from_utf8(bytes).unwrap());
                    return Answer { text, log, status: content[4] };
                }
                other => panic!("a record of kind {other}"),
            }
        }
    }

    /// The answer to a request without content.
    pub async fn ask(&mut self, keep: bool, target: &str) -> String {
        self.send(get(1, keep, target)).await;
        self.answer(1).await.text
    }
}
