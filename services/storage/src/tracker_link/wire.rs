//! One connection to a tracker: connect, ask, read the answer, each within its deadline.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use fdfs_conf::{self as conf, ServerAddr};
use fdfs_proto::limits::TRACKER_BODY_MAX;
use fdfs_proto::{HEADER_LEN, Header, Host, RESPONSE, Status, TrackerCommand, frame};
use storage_core::tracker_link::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

/// How to connect and how long to wait.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Own addresses to connect from, one per IP version at most; none: the system chooses.
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) connect_timeout: Duration,
    pub(crate) network_timeout: Duration,
}

/// A connection, and the request buffer that goes with it.
pub(crate) struct Wire {
    stream: TcpStream,
    request: Vec<u8>,
}

/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Where a tracker may be reached.
pub(crate) struct Found {
    /// How it is known to the cluster: the first address of each of its hosts.
    pub(crate) host: Host,
    /// All addresses to try, in this order.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// The addresses of a tracker, names looked up.
pub(crate) async fn resolve(tracker: &ServerAddr, settings: &Settings) -> Result<Found, Failure> {
    let port = tracker.port();
    let (mut firsts, mut addresses) = (Vec::new(), Vec::new());
    for host in tracker.hosts() {
        let ips = match host {
            conf::Host::Ip(ip) => vec![*ip],
            conf::Host::Name(name) => look_up(name, port, settings).await?,
        };
        firsts.extend(ips.first());
        addresses.extend(ips.into_iter().map(|ip| SocketAddr::new(ip, port)));
    }
    let mut firsts = firsts.into_iter();
    let ip = firsts.next().ok_or(Failure::NoAddress)?;
    Ok(Found { host: Host { ip, second: firsts.next(), port }, addresses })
}

/// IPv4 first: that is what the original knows a named tracker by, and all members must mean the same one.
async fn look_up(name: &str, port: u16, settings: &Settings) -> Result<Vec<IpAddr>, Failure> {
    let found = timeout(settings.connect_timeout, lookup_host((name, port))).await;
    let addresses = found.map_err(|_| Failure::NoAddress)?.map_err(|_| Failure::NoAddress)?;
    let mut ips: Vec<IpAddr> = addresses.map(|address| address.ip().to_canonical()).collect();
    ips.sort_by_key(IpAddr::is_ipv6);
    ips.truncate(ADDRESSES_MAX);
    Ok(ips)
}

impl Wire {
    /// Connects to the first of these addresses that answers, and says which one that was.
    pub(crate) async fn connect(
        addresses: &[SocketAddr],
        settings: &Settings,
    ) -> Result<(Self, IpAddr), Failure> {
        let mut failure = Failure::NoAddress;
        for address in addresses {
            match timeout(settings.connect_timeout, open(*address, &settings.bind)).await {
                Ok(Ok(stream)) => return Ok((Self { stream, request: Vec::new() }, address.ip())),
                Ok(Err(error)) => failure = connect_failure(&error),
                Err(_) => failure = Failure::ConnectTimeout,
            }
        }
        Err(failure)
    }

    /// Sends a request and reads its answer: the status, and the body when the status is 0.
    pub(crate) async fn ask(
        &mut self,
        command: TrackerCommand,
        body: &[u8],
        settings: &Settings,
    ) -> Result<(Status, Vec<u8>), Failure> {
        self.request.clear();
        frame::request(&mut self.request, command, |out| out.extend_from_slice(body));
        timeout(settings.network_timeout, self.exchange()).await.map_err(|_| Failure::ReplyTimeout)?
    }

    async fn exchange(&mut self) -> Result<(Status, Vec<u8>), Failure> {
        self.stream.write_all(&self.request).await.map_err(|error| broken(&error))?;
        let mut head = [0; HEADER_LEN];
        self.stream.read_exact(&mut head).await.map_err(|error| broken(&error))?;
        let header = Header::decode(&head).map_err(|_| Failure::NotAReply)?;
        if header.command != RESPONSE || header.body_len > TRACKER_BODY_MAX {
            return Err(Failure::NotAReply);
        }
        let status = Status(header.status);
        if !status.is_ok() {
            // No body follows a refusal, whatever the header says (wire protocol: the 10-byte header).
            return Ok((status, Vec::new()));
        }
        let len = usize::try_from(header.body_len).map_err(|_| Failure::NotAReply)?;
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).await.map_err(|error| broken(&error))?;
        Ok((status, body))
    }

    /// Waits until the tracker closes the connection, or says something unasked, which is no better.
    pub(crate) async fn ended(&self) -> Failure {
        loop {
            if let Err(error) = self.stream.readable().await {
                return broken(&error);
            }
            match self.stream.try_read(&mut [0]) {
                Ok(0) => return Failure::Closed,
                Ok(_) => return Failure::NotAReply,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return broken(&error),
            }
        }
    }
}

/// Connects to the first of these addresses that answers.
///
/// # Errors
/// What the last one says, and which it is.
pub(crate) async fn open_any(addresses: &[SocketAddr], settings: &Settings) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "its address is not known");
    for address in addresses {
        let error = match timeout(settings.connect_timeout, open(*address, &settings.bind)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
        };
        failed = io::Error::new(error.kind(), format!("{address}: {error}"));
    }
    Err(failed)
}

pub(crate) async fn open(address: SocketAddr, bind: &[IpAddr]) -> io::Result<TcpStream> {
    let (socket, any) = if address.is_ipv4() {
        (TcpSocket::new_v4()?, IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    } else {
        (TcpSocket::new_v6()?, IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    };
    let from = bind.iter().copied().find(|ip| ip.is_ipv4() == address.is_ipv4()).unwrap_or(any);
    if !from.is_unspecified() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn connect_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::ConnectionRefused,
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        _ => Failure::ConnectFailed(error.raw_os_error().unwrap_or_default()),
    }
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            Failure::Closed
        }
        _ => Failure::Broken(error.raw_os_error().unwrap_or_default()),
    }
}
