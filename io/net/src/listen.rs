//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections the kernel may hold for us before we accept them.
const BACKLOG: i32 = 1024;

/// A bound, listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    addr: SocketAddr,
}

impl Listener {
    /// Binds and listens. Port 0 lets the kernel choose; [`Listener::addr`] tells what it chose.
    ///
    /// An IPv6 socket takes IPv6 only, so that `0.0.0.0` and `::` can be bound side by side.
    ///
    /// # Errors
    /// What `socket`, `bind` or `listen` say: most often `AddrInUse` and `AddrNotAvailable`.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let std: StdListener = socket.into();
        let addr = std.local_addr()?;
        Ok(Self { tcp: TcpListener::from_std(std)?, addr })
    }

    /// The address it is bound to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.tcp.accept().await
    }
}

/// Whether this host speaks IPv4 at all, which decides what `address_family = auto` means (wire protocol:
/// connection life cycle).
pub fn host_has_ipv4() -> bool {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).is_ok()
}
