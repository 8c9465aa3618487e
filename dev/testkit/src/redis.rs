//! Real Redis servers in temporary folders: one by itself, with replicas and a Sentinel, or as a Cluster of one.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::address::Loopback;
use crate::process::Server;
use crate::wait;

/// Not 6379, where the machine may have a Redis of its own on all addresses. A Cluster also uses this plus 10000.
const PORT: u16 = 16379;
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a master is silent before the Sentinel replaces it. Less than a busy disk can hold one up, and it replaces masters that
/// are well, and what was written meanwhile is lost.
const DOWN_AFTER_MS: u32 = 2000;

/// The name under which the Sentinel knows the master.
pub const SERVICE: &str = "drive";

/// A Redis server that can be killed and started again, removed when dropped.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    arguments: Vec<String>,
    loopback: Loopback,
    folder: TempDir,
}

/// The server that tests of this process share, as long as one of them holds it.
static SHARED: Mutex<Weak<Redis>> = Mutex::new(Weak::new());

impl Redis {
    /// One that keeps nothing when it ends, for all tests of this process; started by the first, ended when the last lets it go.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn shared() -> Result<Arc<Redis>> {
        // A test that panicked here has left nothing half done.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Redis::start()?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// One that keeps nothing when it ends: a cache.
    ///
    /// # Errors
    /// When it is not installed, or does not answer within [`wait::READY`].
    pub fn start() -> Result<Redis> {
        Redis::with(&["--appendonly", "no"])
    }

    /// One that answers when what it was told is on disk.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_durable() -> Result<Redis> {
        Redis::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A durable one that is a Cluster of its own.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_cluster() -> Result<Redis> {
        let redis =
            Redis::with(&["--appendonly", "yes", "--appendfsync", "always", "--cluster-enabled", "yes"])?;
        redis.ask("CLUSTER ADDSLOTSRANGE 0 16383").context("no answer about slots")?;
        wait::until("a Cluster that is up", wait::READY, || {
            // The first line is the length of what follows.
            let info = redis.ask_for_lines("CLUSTER INFO", 2)?;
            info.contains("cluster_state:ok").then_some(())
        })?;
        Ok(redis)
    }

    /// A durable one that follows `master`, and has caught up with it.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_replica(master: &Redis) -> Result<Redis> {
        let (ip, port) = (master.address().ip().to_string(), master.address().port().to_string());
        let redis =
            Redis::with(&["--appendonly", "yes", "--appendfsync", "always", "--replicaof", &ip, &port])?;
        wait::until("a replica that has caught up", wait::READY, || {
            let info = redis.ask_for_lines("INFO replication", 6)?;
            info.contains("master_link_status:up").then_some(())
        })?;
        Ok(redis)
    }

    /// One with more arguments.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn with(more: &[&str]) -> Result<Redis> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("redis-").tempdir()?;
        let (ip, port, place) =
            (loopback.ip().to_string(), PORT.to_string(), folder.path().display().to_string());
        let usual = ["--bind", &ip, "--port", &port, "--dir", &place, "--save", "", "--protected-mode", "no"];
        // As a replica it comes from the address of the machine, and is not found there.
        let replica = ["--replica-announce-ip", &ip, "--repl-diskless-sync-delay", "0"];
        let arguments = usual.iter().chain(&replica).chain(more).map(ToString::to_string).collect::<Vec<_>>();
        let server = launch(&arguments, folder.path())?;
        let mut redis = Redis { server, arguments, loopback, folder };
        redis.wait_until_ready()?;
        Ok(redis)
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
    /// As [`Redis::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.server = launch(&self.arguments, self.folder.path())?;
        self.wait_until_ready()
    }

    /// Sends one command and returns the first line of the answer, if there is one.
    #[must_use]
    pub fn ask(&self, command: &str) -> Option<String> {
        self.ask_for_lines(command, 1)
    }

    fn ask_for_lines(&self, command: &str, lines: usize) -> Option<String> {
        ask(self.address(), command, lines)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let address = self.address();
        // One that wants a password says so when it is ready.
        let ready = |answer: String| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH");
        self.server.until_ready(|| ask(address, "PING", 1).is_some_and(ready))
    }
}

/// A Sentinel that watches a master as [`SERVICE`], and decides alone.
#[derive(Debug)]
pub struct Sentinel {
    loopback: Loopback,
    _server: Server,
    _folder: TempDir,
}

impl Sentinel {
    /// Watches `master`, and knows so many of its replicas.
    ///
    /// # Errors
    /// When it does not know them within [`wait::READY`].
    pub fn start(master: &Redis, replicas: usize) -> Result<Sentinel> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("sentinel-").tempdir()?;
        let file = folder.path().join("sentinel.conf");
        let conf = format!(
            "bind {}\nport {PORT}\nprotected-mode no\ndir {}\n\
             sentinel monitor {SERVICE} {} {} 1\n\
             sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {SERVICE} 3000\n",
            loopback.ip(),
            folder.path().display(),
            master.address().ip(),
            master.address().port(),
        );
        std::fs::write(&file, conf).context("write sentinel.conf")?;
        let arguments = [file.display().to_string(), "--sentinel".to_owned()];
        let server = launch(&arguments, folder.path())?;
        let address = loopback.port(PORT);
        wait::until("a Sentinel that knows the replicas", wait::READY, || {
            // `status=ok,address=…,slaves=1,sentinels=1`, on the last of these lines.
            let info = ask(address, "INFO sentinel", 9)?;
            info.contains(&format!("status=ok,address={},slaves={replicas},", master.address())).then_some(())
        })?;
        Ok(Sentinel { loopback, _server: server, _folder: folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(PORT)
    }
}

fn launch(arguments: &[String], folder: &Path) -> Result<Server> {
    Server::start("redis-server", Path::new("redis-server"), arguments, &folder.join("output.log"))
}

/// The first lines of the answer to a command without blanks in its arguments.
fn ask(address: SocketAddr, command: &str, lines: usize) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    let mut reader = BufReader::new(stream);
    for _ in 0..lines {
        reader.read_line(&mut answer).ok().filter(|read| *read > 0)?;
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_durable_server_was_told_is_there_after_a_kill() {
        let mut redis = Redis::start_durable().unwrap();
        assert_eq!(redis.ask("SET a b").unwrap(), "+OK\r\n");
        redis.server().kill().unwrap();
        assert_eq!(redis.ask("GET a"), None);
        redis.start_again().unwrap();
        assert_eq!(redis.ask_for_lines("GET a", 2).unwrap(), "$1\r\nb\r\n");
    }

    #[test]
    fn a_cluster_of_one_answers_for_every_slot() {
        let redis = Redis::start_cluster().unwrap();
        for key in ["a", "b", "c"] {
            assert_eq!(redis.ask(&format!("SET {key} 1")).unwrap(), "+OK\r\n");
        }
    }

    #[test]
    fn a_replica_takes_over_when_its_master_is_killed() {
        let mut master = Redis::start_durable().unwrap();
        let replica = Redis::start_replica(&master).unwrap();
        let sentinel = Sentinel::start(&master, 1).unwrap();
        master.server().kill().unwrap();
        let question = format!("SENTINEL get-master-addr-by-name {SERVICE}");
        let ip = replica.address().ip().to_string();
        wait::until("another master", wait::READY, || {
            ask(sentinel.address(), &question, 3)?.contains(&ip).then_some(())
        })
        .unwrap();
    }
}
