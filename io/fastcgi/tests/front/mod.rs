//! A FastCGI server on an address of its own, an nginx in front of it, and `curl` to ask.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use fastcgi::{Doors, Limits, serve};
use net::{ConnCounters, ConnLimits, Listener, LocalListener, StopSource, Workers};
use testkit::address::Loopback;
use tokio::process::Command;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::service::Service;

const PORT: u16 = 9000;

pub struct Front {
    pub address: SocketAddr,
    pub service: Service,
    pub events: UnboundedReceiver<&'static str>,
    pub counters: Arc<ConnCounters>,
    /// Connections to the port that were accepted.
    pub accepted: Arc<AtomicUsize>,
    pub stop: StopSource,
    pub server: JoinHandle<()>,
    _loopback: Loopback,
}

impl Front {
    /// Serves on a port, and on a local socket if one is named.
    pub fn start(local: Option<&Path>, max_connections: usize, network_timeout: Duration) -> Self {
        let loopback = Loopback::claim().unwrap();
        let listener = Listener::bind(loopback.port(PORT)).unwrap();
        let address = listener.addr();
        let local = local.map(|path| LocalListener::bind(path, 0o600).unwrap());
        let doors = Doors { ports: vec![listener], local: local.into_iter().collect() };
        let accepted = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&accepted);
        let allow = move |_| {
            counting.fetch_add(1, Relaxed);
            true
        };
        let connections = ConnLimits { max_connections, network_timeout, allow: Arc::new(allow) };
        let counters = Arc::new(ConnCounters::default());
        let ((service, events), (stop, stopping)) = (Service::new(), StopSource::new());
        let answering = service.clone();
        let server = tokio::spawn(serve(
            Arc::new(Workers::here()),
            doors,
            connections,
            Arc::clone(&counters),
            stopping,
            Limits::default(),
            move |request| answering.clone().answer(request),
        ));
        Self { address, service, events, counters, accepted, stop, server, _loopback: loopback }
    }

    pub fn usual() -> Self {
        Self::start(None, 100, Duration::from_secs(60))
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Relaxed)
    }
}

/// The configuration that is shipped, with these in the places of the two processes, `listen` unchanged.
pub fn shipped(first: &str, second: &str) -> String {
    let conf = include_str!("../../../../deploy/nginx/drive-fastcgi.conf");
    let changed = conf.replace("192.0.2.31:9000", first).replace("192.0.2.32:9000", second);
    assert!(!changed.contains("192.0.2."));
    changed
}

/// The shipped one with one process.
pub fn single(address: &str) -> String {
    let both = shipped(address, "the other");
    let lines = both.lines().filter(|line| !line.contains("server the other"));
    let conf: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(conf, both);
    conf
}

/// What `curl` answers.
pub async fn curl(arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "120", "--noproxy", "*"]).args(arguments);
    command.stdin(Stdio::null()).output().await.unwrap()
}

/// What `curl` prints, head and content.
pub async fn printed(arguments: &[&str]) -> String {
    let output = curl(&[&["--include"], arguments].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits for an event, not for ever.
pub async fn event(events: &mut UnboundedReceiver<&'static str>) -> Option<&'static str> {
    tokio::time::timeout(Duration::from_secs(60), events.recv()).await.unwrap()
}
