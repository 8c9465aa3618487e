//! A process of the drive, and its configuration.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::address::{Loopback, STATUS_PORT};
use crate::process::Server;
use crate::{binary, wait};

/// The port for HTTP.
pub const DRIVE_PORT: u16 = 8080;
/// The port for FastCGI, when the configuration asks for it.
pub const FASTCGI_PORT: u16 = 9000;

/// The password of the first administrator, whose name is `admin`.
pub const ADMIN_PASSWORD: &str = "correct horse battery";

/// Whether it says that all of its parts answer.
fn is_whole(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(wait::READY))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: drive\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

/// A process of the drive, ended when dropped.
#[derive(Debug)]
pub struct Drive {
    /// Where it keeps what is its own.
    pub base_path: PathBuf,
    /// The process, while it runs.
    pub server: Option<Server>,
    name: String,
    variables: Vec<String>,
    conf: PathBuf,
    output: PathBuf,
    loopback: Loopback,
}

impl Drive {
    /// Writes its configuration, `lines` after what every one needs: keys, then sections; and starts it.
    ///
    /// # Errors
    /// When it ends, or does not have all its parts within [`wait::READY`].
    pub fn start(folder: &Path, name: &str, lines: &str) -> Result<Drive> {
        let password = folder.join("admin-password");
        std::fs::write(&password, ADMIN_PASSWORD)?;
        Drive::start_first(folder, name, &format!("admin_password_file = {}\n{lines}", password.display()))
    }

    /// As [`Drive::start`], but that the first administrator gets a password that is made up.
    ///
    /// # Errors
    /// As [`Drive::start`].
    pub fn start_first(folder: &Path, name: &str, lines: &str) -> Result<Drive> {
        Drive::start_with(folder, name, lines, &[])
    }

    /// As [`Drive::start_first`], with these variables (`NAME=value`) in its environment.
    ///
    /// # Errors
    /// As [`Drive::start`].
    pub fn start_with(folder: &Path, name: &str, lines: &str, variables: &[&str]) -> Result<Drive> {
        let loopback = Loopback::claim()?;
        let base_path = folder.join(name);
        std::fs::create_dir_all(&base_path)?;
        let secret = folder.join("secret");
        std::fs::write(&secret, "07".repeat(32))?;
        let conf = folder.join(format!("{name}.conf"));
        let text = format!(
            "bind_addr = {ip}\nport = {DRIVE_PORT}\nbase_path = {}\nsecret_file = {}\n\
             status_listen = {ip}:{STATUS_PORT}\nrequest_rate = 0\nregistration_rate = 0\nregistration = open\n{}",
            base_path.display(),
            secret.display(),
            lines.replace(
                "FASTCGI",
                &format!("fastcgi_bind_addr = {}\nfastcgi_port = {FASTCGI_PORT}", loopback.ip())
            ),
            ip = loopback.ip(),
        );
        std::fs::write(&conf, text)?;
        let output = folder.join(format!("{name}.output.log"));
        let variables = variables.iter().map(|&variable| variable.to_owned()).collect();
        let name = name.to_owned();
        let mut this = Drive { base_path, server: None, name, variables, conf, output, loopback };
        this.start_again()?;
        Ok(this)
    }

    /// Starts it, after it was killed or stopped.
    ///
    /// # Errors
    /// As [`Drive::start`].
    pub fn start_again(&mut self) -> Result<()> {
        let program =
            [binary::cairn()?.as_os_str(), "drive".as_ref(), self.conf.as_os_str(), "--no-daemon".as_ref()];
        let arguments = self.variables.iter().map(AsRef::<OsStr>::as_ref).chain(program);
        // It becomes the drive itself, under the same number.
        let mut server = Server::start(&self.name, Path::new("env"), arguments, &self.output)?;
        let address = self.address();
        server.until_ready(|| is_whole(address).unwrap_or(false))?;
        self.server = Some(server);
        Ok(())
    }

    /// Where it serves HTTP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(DRIVE_PORT)
    }

    /// Where it tells metrics and health.
    #[must_use]
    pub fn status(&self) -> SocketAddr {
        self.loopback.port(STATUS_PORT)
    }

    /// Where it serves FastCGI, if it does.
    #[must_use]
    pub fn fastcgi(&self) -> SocketAddr {
        self.loopback.port(FASTCGI_PORT)
    }

    /// Ends the process with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().with_context(|| format!("{} does not run", self.name))?.kill()
    }

    /// Ends the process with SIGTERM.
    ///
    /// # Errors
    /// When it does not end in time, or not with code 0.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let status = server.terminate()?;
        anyhow::ensure!(status.success(), "{} ended with {status}:\n{}", self.name, self.printed());
        Ok(())
    }

    /// What the process printed, over all its starts.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read(&self.output)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}
