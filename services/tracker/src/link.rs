//! A connection to another tracker, and the questions of an election.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fdfs_proto::tracker::leader::{Connections, Join, Pong};
use fdfs_proto::tracker::{HostBody, Request, tracker_status};
use fdfs_proto::{DecodeError, Empty, HEADER_LEN, Header, RESPONSE, Status, frame};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tracker_core::{ServerAddrs, TrackerAnswer, TrackerAsk};

/// Longest answer of another tracker that is read: the trunk servers of 512 groups, or a part of a file.
const ANSWER_MAX: u64 = 64 << 10;

/// How to reach other trackers.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// Addresses this tracker is bound to. Connections begin there, for a leader knows its followers by their
    /// addresses.
    pub(crate) own: Vec<IpAddr>,
    /// How long a connection may take, at each address.
    pub(crate) connect: Duration,
    /// How long an answer may take.
    pub(crate) answer: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The machine says that nothing listens.
    #[error("nothing listens")]
    NotRunning,
    /// It cannot be reached, or the connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The answer does not come in time.
    #[error("no answer in time")]
    Late,
    /// The answer makes no sense.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A status that is not 0.
    #[error("refused with status {0}")]
    Refused(Status),
}

impl From<LinkError> for TrackerAnswer {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NotRunning => Self::NotRunning,
            LinkError::Refused(status) => Self::Refused(status),
            LinkError::Io(_) | LinkError::Late | LinkError::Decode(_) => Self::Silent,
        }
    }
}

/// A connection to another tracker.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    answer: Duration,
}

impl Link {
    /// Connects to the first address that lets it.
    pub(crate) async fn open(
        addrs: impl Iterator<Item = IpAddr>,
        port: u16,
        reach: &Reach,
    ) -> Result<Self, LinkError> {
        let mut failed = LinkError::NotRunning;
        for addr in addrs {
            match timeout(reach.connect, connect(SocketAddr::new(addr, port), &reach.own)).await {
                Ok(Ok(stream)) => return Ok(Self { stream, answer: reach.answer }),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Ok(Err(error)) => failed = error.into(),
                Err(_) => failed = LinkError::Late,
            }
        }
        Err(failed)
    }

    /// Asks one thing and reads the body of the answer.
    pub(crate) async fn ask(&mut self, request: &Request<'_>) -> Result<Vec<u8>, LinkError> {
        timeout(self.answer, self.exchange(request)).await.map_err(|_| LinkError::Late)?
    }

    async fn exchange(&mut self, request: &Request<'_>) -> Result<Vec<u8>, LinkError> {
        let mut message = Vec::new();
        frame::request(&mut message, request.command(), |out| request.encode(out));
        self.stream.write_all(&message).await?;
        let mut head = [0; HEADER_LEN];
        self.stream.read_exact(&mut head).await?;
        let header = Header::decode(&head)?;
        if header.command != RESPONSE || header.body_len > ANSWER_MAX {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        // Before the status: some refusals of the original carry a body.
        let mut body = vec![0; usize::try_from(header.body_len).unwrap_or_default()];
        self.stream.read_exact(&mut body).await?;
        if header.status() != Status::OK {
            return Err(LinkError::Refused(header.status()));
        }
        Ok(body)
    }

    /// The running figures of the tracker at the other end.
    pub(crate) async fn status(&mut self) -> Result<tracker_status::Got, LinkError> {
        Ok(tracker_status::Got::decode(&self.ask(&Request::TrackerStatus(Empty)).await?)?)
    }

    async fn ping(&mut self, connections: Connections) -> Result<Pong, LinkError> {
        Ok(Pong::decode(&self.ask(&Request::PingLeader(connections)).await?)?)
    }
}

async fn connect(to: SocketAddr, own: &[IpAddr]) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let from = own.iter().find(|addr| addr.is_ipv4() == to.is_ipv4() && !addr.is_unspecified());
    if let Some(from) = from {
        socket.bind(SocketAddr::new(*from, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The connection to the leader, on which this tracker joined and pings. At most one, and at most one ping at a
/// time.
#[derive(Debug, Default)]
pub(crate) struct LeaderLink(Mutex<Option<(ServerAddrs, u16, Link)>>);

impl LeaderLink {
    /// Lets it go: the leader is another one.
    pub(crate) fn close(&self) {
        *self.0.lock() = None;
    }

    /// Pings the leader, on a new connection where there is none. After a failure there is none any more.
    async fn ping(
        &self,
        (addrs, port): (ServerAddrs, u16),
        join: Join,
        connections: Connections,
        reach: &Reach,
    ) -> Result<Pong, LinkError> {
        let kept = self.0.lock().take().filter(|(to, at, _)| (*to, *at) == (addrs, port));
        let mut link = match kept {
            Some((_, _, link)) => link,
            None => {
                let mut link = Link::open(addrs.iter(), port, reach).await?;
                link.ask(&Request::JoinLeader(join)).await?;
                link
            }
        };
        let pong = link.ping(connections).await?;
        *self.0.lock() = Some((addrs, port, link));
        Ok(pong)
    }

    /// Asks another tracker something; what came of it.
    pub(crate) async fn ask(
        &self,
        to: (ServerAddrs, u16),
        ask: TrackerAsk,
        connections: Connections,
        reach: &Reach,
    ) -> TrackerAnswer {
        let (addrs, port) = to;
        let answer = async {
            Ok(match ask {
                TrackerAsk::Ping(join) => TrackerAnswer::Pong(self.ping(to, join, connections, reach).await?),
                TrackerAsk::Status => {
                    TrackerAnswer::Status(Link::open(addrs.iter(), port, reach).await?.status().await?)
                }
                TrackerAsk::Notify(host) => {
                    let request = Request::NotifyNextLeader(HostBody { host });
                    Link::open(addrs.iter(), port, reach).await?.ask(&request).await?;
                    TrackerAnswer::Done
                }
                TrackerAsk::Commit(host) => {
                    let request = Request::CommitNextLeader(HostBody { host });
                    Link::open(addrs.iter(), port, reach).await?.ask(&request).await?;
                    TrackerAnswer::Done
                }
            })
        };
        answer.await.unwrap_or_else(|error: LinkError| {
            tracing::debug!(addr = %addrs.first(), port, ?ask, %error, "another tracker does not answer");
            error.into()
        })
    }
}

#[cfg(test)]
mod tests;
