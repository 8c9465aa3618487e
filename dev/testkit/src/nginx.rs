//! A real nginx in a temporary folder.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::{Pid, kill_process};
use tempfile::TempDir;

use crate::address::{Loopback, NGINX_PORT, NGINX_SECOND_PORT};
use crate::process::{Server, Signal};
use crate::wait;

/// A running nginx, ended and removed when dropped.
#[derive(Debug)]
pub struct Nginx {
    loopback: Loopback,
    server: Server,
    folder: TempDir,
}

impl Nginx {
    /// Starts it with `conf` in its http block, in which `listen 80;` becomes the address of this one, and
    /// `/var/cache/nginx` a folder of its own. `listen 81;` becomes the [second address](Nginx::second_address).
    ///
    /// # Errors
    /// When it is not installed, does not like the configuration, or does not listen within [`crate::wait::READY`].
    pub fn start(conf: &str) -> Result<Nginx> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("nginx-").tempdir()?;
        let place = folder.path().display();
        let conf = conf
            .replace("listen 80;", &format!("listen {}:{NGINX_PORT};", loopback.ip()))
            .replace("listen 81;", &format!("listen {}:{NGINX_SECOND_PORT};", loopback.ip()))
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
        let mut server = launch(folder.path())?;
        let address = loopback.port(NGINX_PORT);
        server.until_ready(|| TcpStream::connect(address).is_ok())?;
        Ok(Nginx { loopback, server, folder })
    }

    /// Ends all its processes with SIGKILL: the first, which would start others, then those it has.
    ///
    /// # Errors
    /// When one of them is still there after [`wait::STOP`].
    pub fn kill(&mut self) -> Result<()> {
        let workers = self.workers()?;
        self.server.kill()?;
        for worker in &workers {
            // Ended already by itself: no fault.
            let _ = kill_process(*worker, Signal::KILL);
        }
        let address = self.address();
        wait::until("nginx is gone", wait::STOP, || TcpStream::connect(address).is_err().then_some(()))
    }

    /// Starts it again after [`Nginx::kill`], with the same configuration at the same address.
    ///
    /// # Errors
    /// As [`Nginx::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.server = launch(self.folder.path())?;
        let address = self.address();
        self.server.until_ready(|| TcpStream::connect(address).is_ok())
    }

    fn workers(&self) -> Result<Vec<Pid>> {
        let pid = self.server.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
            .context("the processes of nginx")?;
        Ok(children.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)).collect())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(NGINX_PORT)
    }

    /// Where its second server listens, if it has one.
    #[must_use]
    pub fn second_address(&self) -> SocketAddr {
        self.loopback.port(NGINX_SECOND_PORT)
    }

    /// What it has printed, over all its processes.
    #[must_use]
    pub fn output(&self) -> String {
        self.server.output()
    }
}

fn launch(folder: &Path) -> Result<Server> {
    let file = folder.join("nginx.conf");
    let arguments = ["-e".as_ref(), "stderr".as_ref(), "-c".as_ref(), file.as_os_str()];
    Server::start("nginx", Path::new("nginx"), arguments, &folder.join("output.log"))
}

impl Drop for Nginx {
    /// In order: whoever kills its first process leaves the others.
    fn drop(&mut self) {
        let _ = self.server.terminate();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_nginx_leaves_no_process_behind_and_starts_again_at_its_addresses() {
        let conf = "server { listen 80; return 204; }\nserver { listen 81; return 204; }";
        let mut nginx = Nginx::start(conf).unwrap();
        let workers =
            wait::until("workers", wait::READY, || nginx.workers().ok().filter(|all| !all.is_empty()));
        let workers = workers.unwrap();
        nginx.kill().unwrap();
        assert!(TcpStream::connect(nginx.second_address()).is_err());
        for worker in workers {
            let gone = || kill_process(worker, Signal::KILL).is_err().then_some(());
            wait::until("a worker is gone", wait::STOP, gone).unwrap();
        }
        nginx.start_again().unwrap();
        assert!(TcpStream::connect(nginx.second_address()).is_ok());
    }
}
