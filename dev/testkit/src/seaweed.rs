//! A real S3 server: SeaweedFS, from the package that `cargo xtask test` installs beside the Python clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::address::Loopback;
use crate::process::Server;
use crate::python;

/// The id of the one key it knows.
pub const ACCESS_KEY_ID: &str = "testkit";
/// The secret of that key.
pub const SECRET_ACCESS_KEY: &str = "testkit-secret";

/// It listens on 127.0.0.1 as well, whatever address it is given, so two need different ports. They follow from the
/// last number of the address, which nobody else has, and lie below those that the kernel gives to clients.
const FIRST_PORT: u16 = 24_000;
const PORTS: u16 = 8;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A running server, killed and removed when dropped.
#[derive(Debug)]
pub struct Seaweed {
    /// Its process.
    pub server: Server,
    loopback: Loopback,
    // Last, so that the server is gone before its folder is.
    _folder: TempDir,
}

impl Seaweed {
    /// Starts it with one empty bucket and waits until it can store.
    ///
    /// # Errors
    /// When it is not installed, ends, or is not ready within [`crate::wait::READY`].
    pub fn start(bucket: &str) -> Result<Seaweed> {
        let folder = tempfile::Builder::new().prefix("seaweed-").tempdir()?;
        let loopback = Loopback::claim()?;
        let place = folder.path().display();
        let keys = format!(
            r#"{{"identities":[{{"name":"testkit","actions":["Admin"],"credentials":[{{"accessKey":"{ACCESS_KEY_ID}","secretKey":"{SECRET_ACCESS_KEY}"}}]}}]}}"#
        );
        std::fs::write(folder.path().join("keys.json"), keys)?;
        std::fs::create_dir(folder.path().join("data"))?;
        let port = |which: u16| port(&loopback, which);
        let arguments = [
            "-logtostderr=true".to_owned(),
            "server".to_owned(),
            format!("-ip={}", loopback.ip()),
            format!("-ip.bind={}", loopback.ip()),
            format!("-dir={place}/data"),
            format!("-master.port={}", port(0)),
            format!("-master.port.grpc={}", port(1)),
            "-master.volumeSizeLimitMB=64".to_owned(),
            format!("-volume.port={}", port(2)),
            format!("-volume.port.grpc={}", port(3)),
            "-volume.max=100".to_owned(),
            "-filer".to_owned(),
            format!("-filer.port={}", port(4)),
            format!("-filer.port.grpc={}", port(5)),
            format!("-filer.localSocket={place}/filer.sock"),
            "-s3".to_owned(),
            format!("-s3.config={place}/keys.json"),
            format!("-s3.port={}", port(6)),
            format!("-s3.port.grpc={}", port(7)),
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-s3.localSocket={place}/s3.sock"),
        ];
        let program = python::interpreter()?.with_file_name("weed");
        ensure!(program.is_file(), "no {}: `cargo xtask test` installs it", program.display());
        let server = Server::start("seaweed", &program, arguments, &folder.path().join("output.log"))?;
        let mut seaweed = Seaweed { server, loopback, _folder: folder };
        seaweed.wait_ready(bucket)?;
        Ok(seaweed)
    }

    /// Where it speaks S3.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(port(&self.loopback, 6))
    }

    fn wait_ready(&mut self, bucket: &str) -> Result<()> {
        let address = |which| self.loopback.port(port(&self.loopback, which));
        let (master, filer, s3) = (address(0), address(4), address(6));
        self.server.until_ready(|| {
            ask(master, "GET /dir/assign").is_some_and(|answer| answer.contains("\"fid\""))
                && ask(s3, "GET /").is_some()
                // A bucket is a folder to it; this is the last, so it succeeds once.
                && ask(filer, &format!("POST /buckets/{bucket}/")).is_some_and(|answer| answer.contains(" 201 "))
        })
    }
}

impl Drop for Seaweed {
    /// It makes these outside its folder, whatever it is told.
    fn drop(&mut self) {
        for (role, which) in [("master", 1), ("volume", 3), ("filer", 5), ("s3", 7)] {
            let socket = format!("seaweedfs-{role}-grpc-{}.sock", port(&self.loopback, which));
            let _ = std::fs::remove_file(std::env::temp_dir().join(socket));
        }
    }
}

fn port(loopback: &Loopback, which: u16) -> u16 {
    FIRST_PORT + u16::from(loopback.ip().octets()[3]) * PORTS + which
}

/// The answer to a request without a body.
fn ask(server: SocketAddr, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    let head =
        format!("{request} HTTP/1.1\r\nHost: {server}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned()).filter(|answer| !answer.is_empty())
}
