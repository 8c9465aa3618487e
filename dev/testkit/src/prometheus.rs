//! A real Prometheus in a temporary folder.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::address::Loopback;
use crate::process::Server;

/// Not 9090, where the machine may have one of its own on all addresses.
const PORT: u16 = 19090;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Prometheus that can be killed and started again, removed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    server: Server,
    loopback: Loopback,
    folder: TempDir,
}

impl Prometheus {
    /// Starts it with this configuration; the files beside it that it names have been written, or are in `more`: names and
    /// texts.
    ///
    /// # Errors
    /// When it is not installed, does not like the configuration, or is not ready within [`crate::wait::READY`].
    pub fn start(conf: &str, more: &[(&str, &str)]) -> Result<Prometheus> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("prometheus-").tempdir()?;
        for (name, text) in [("prometheus.yml", conf)].iter().chain(more) {
            std::fs::write(folder.path().join(name), text).with_context(|| format!("write {name}"))?;
        }
        let server = launch(&loopback, folder.path())?;
        let mut this = Prometheus { server, loopback, folder };
        this.wait_until_ready()?;
        Ok(this)
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
    /// As [`Prometheus::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.server = launch(&self.loopback, self.folder.path())?;
        self.wait_until_ready()
    }

    /// What an expression is now: the labels and the number of each series.
    ///
    /// # Errors
    /// When it does not answer, or does not like the expression.
    pub fn ask(&self, expression: &str) -> Result<Vec<(Value, f64)>> {
        let escaped: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = get(self.address(), &format!("/api/v1/query?query={escaped}"))?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let body: Value = serde_json::from_str(body).with_context(|| body.to_owned())?;
        let series = body["data"]["result"].as_array().with_context(|| body.to_string())?;
        let number = |one: &Value| one["value"][1].as_str()?.parse().ok();
        series.iter().map(|one| Ok((one["metric"].clone(), number(one).context("no number")?))).collect()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let address = self.address();
        let ready = || get(address, "/-/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.0 200 "));
        self.server.until_ready(ready)
    }
}

fn launch(loopback: &Loopback, folder: &Path) -> Result<Server> {
    let arguments = [
        format!("--config.file={}", folder.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address={}", loopback.port(PORT)),
    ];
    Server::start("prometheus", Path::new("prometheus"), arguments, &folder.join("output.log"))
}

/// In HTTP/1.0, which has no chunks.
fn get(address: SocketAddr, target: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_server_starts_again_at_its_address_and_answers() {
        let mut prometheus = Prometheus::start("scrape_configs: []\n", &[]).unwrap();
        assert_eq!(prometheus.ask("vector(7)").unwrap()[0].1, 7.0);
        assert!(prometheus.ask("no expression (").is_err());
        prometheus.server().kill().unwrap();
        assert!(prometheus.ask("vector(7)").is_err());
        prometheus.start_again().unwrap();
        assert_eq!(prometheus.ask("vector(8)").unwrap()[0].1, 8.0);
    }
}
