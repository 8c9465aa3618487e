//! A real NATS server with JetStream in a temporary folder.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::address::Loopback;
use crate::process::Server;

/// Not 4222, where the machine may have a NATS of its own on all addresses.
const PORT: u16 = 14222;
/// How long its greeting may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A NATS server that can be killed and started again, removed when dropped.
#[derive(Debug)]
pub struct Nats {
    server: Server,
    loopback: Loopback,
    folder: TempDir,
}

impl Nats {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed, or does not greet within [`crate::wait::READY`].
    pub fn start() -> Result<Nats> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("nats-").tempdir()?;
        let server = launch(&loopback, folder.path())?;
        let mut nats = Nats { server, loopback, folder };
        nats.wait_until_ready()?;
        Ok(nats)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(PORT)
    }

    /// The process.
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Starts it again, in its folder and at its address, after it ended.
    ///
    /// # Errors
    /// As [`Nats::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.server = launch(&self.loopback, self.folder.path())?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let address = self.address();
        self.server.until_ready(|| greeting(address).is_some_and(|line| line.starts_with("INFO ")))
    }
}

fn launch(loopback: &Loopback, folder: &Path) -> Result<Server> {
    let (ip, port, store) =
        (loopback.ip().to_string(), PORT.to_string(), folder.join("store").display().to_string());
    let arguments = ["-a", &ip, "-p", &port, "-js", "-sd", &store];
    Server::start("nats-server", Path::new("nats-server"), arguments, &folder.join("output.log"))
}

fn greeting(address: SocketAddr) -> Option<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_server_starts_again_at_its_address() {
        let mut nats = Nats::start().unwrap();
        assert!(greeting(nats.address()).unwrap().contains("\"jetstream\":true"));
        nats.server().kill().unwrap();
        assert_eq!(greeting(nats.address()), None);
        nats.start_again().unwrap();
        assert!(greeting(nats.address()).unwrap().contains("\"jetstream\":true"));
    }
}
