//! A real nginx in a temporary folder.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::address::{Loopback, NGINX_PORT};
use crate::process::Server;

/// A running nginx, ended and removed when dropped.
#[derive(Debug)]
pub struct Nginx {
    loopback: Loopback,
    server: Server,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it with `conf` in its http block, in which `listen 80;` becomes the address of this one, and
    /// `/var/cache/nginx` a folder of its own.
    ///
    /// # Errors
    /// When it is not installed, does not like the configuration, or does not listen within [`crate::wait::READY`].
    pub fn start(conf: &str) -> Result<Nginx> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("nginx-").tempdir()?;
        let place = folder.path().display();
        let conf = conf
            .replace("listen 80;", &format!("listen {}:{NGINX_PORT};", loopback.ip()))
            .replace("/var/cache/nginx", &place.to_string());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {place}/{what};\n"))
            .concat();
        let main = format!(
            "daemon off;\nuser root;\nworker_processes auto;\npid {place}/nginx.pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{temporary}{conf}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, main).context("write nginx.conf")?;
        let arguments = ["-e".as_ref(), "stderr".as_ref(), "-c".as_ref(), file.as_os_str()];
        let log = folder.path().join("output.log");
        let mut server = Server::start("nginx", Path::new("nginx"), arguments, &log)?;
        let address = loopback.port(NGINX_PORT);
        server.until_ready(|| TcpStream::connect(address).is_ok())?;
        Ok(Nginx { loopback, server, _folder: folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(NGINX_PORT)
    }

    /// What it has printed, over all its processes.
    #[must_use]
    pub fn output(&self) -> String {
        self.server.output()
    }
}

impl Drop for Nginx {
    /// In order: whoever kills its first process leaves the others.
    fn drop(&mut self) {
        let _ = self.server.terminate();
    }
}
