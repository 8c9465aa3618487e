//! Starting and stopping.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fdfs_client::{Client, ClientConfig};
use fdfs_conf::GatewayConf;
use fdfs_conf::gateway::ResponseModeConf;
use fdfs_fileid::{FileName, GroupName};
use http_core::elsewhere::ResponseMode;
use net::{ConnCounters, ConnLimits, Listener, StopSource, Workers};
use store::Store;
use tokio::runtime::{Builder, Runtime};

use crate::connection::{self, Limits};
use crate::members::{self, Members};
use crate::rules::{self, Rules};

/// How long tasks may take to end once all connections are closed.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address can't be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A file that the configuration names can't be used.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration asks for something that there is not.
    #[error("{0}")]
    Unable(&'static str),
    /// Threads can't be started.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// The store of a storage in the same process.
pub struct Local {
    /// Whether a group is its own.
    pub owns: Arc<dyn Fn(&GroupName) -> bool + Send + Sync>,
    /// The store.
    pub store: Arc<Store>,
    /// Is told of files that can't be read.
    pub suspect: Arc<dyn Fn(&FileName) + Send + Sync>,
}

/// What all requests share.
pub(crate) struct Gateway {
    pub(crate) rules: Rules,
    pub(crate) local: Option<Local>,
    pub(crate) cluster: Option<Client>,
    pub(crate) members: Members,
    /// URLs begin with the group; without, all files are of this one.
    pub(crate) only_group: Option<GroupName>,
    pub(crate) mode: ResponseMode,
    /// The port that the gateways of other hosts listen on, too, as far as clients are sent there.
    pub(crate) port: u16,
    pub(crate) limits: Limits,
}

/// A gateway that runs on its own threads.
pub struct Running {
    addresses: Vec<SocketAddr>,
    stop: StopSource,
    thread: thread::JoinHandle<()>,
}

impl Running {
    /// What it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it has ended although nobody stopped it.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops: no new connections, answers under way are finished. Blocks.
    pub fn stop(self) {
        self.stop.stop();
        if self.thread.join().is_err() {
            tracing::error!("a thread of the gateway had panicked");
        }
    }
}

/// Listens, and serves on threads of its own until [`Running::stop`].
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub fn start(conf: &GatewayConf, local: Option<Local>) -> Result<Running, StartError> {
    if conf.listen.tls.is_some() {
        return Err(StartError::Unable(
            "HTTPS is not there yet: leave tls_cert and tls_key out, or put nginx in front",
        ));
    }
    let gateway = Arc::new(Gateway {
        rules: rules::load(conf)?,
        local,
        cluster: conf.tracker_servers.as_ref().map(|trackers| {
            Client::new(ClientConfig {
                connect_timeout: conf.connect_timeout,
                network_timeout: conf.network_timeout,
                // Who asks over HTTP waits: another storage is tried at once.
                connect_rounds: 1,
                ..ClientConfig::new(trackers.iter().cloned())
            })
        }),
        members: Members::default(),
        only_group: (!conf.url_have_group_name)
            .then(|| conf.groups.first().map(|group| group.name))
            .flatten(),
        mode: match conf.response_mode {
            ResponseModeConf::Proxy => ResponseMode::Proxy,
            ResponseModeConf::Redirect => ResponseMode::Redirect,
        },
        port: conf.listen.port,
        limits: Limits {
            head_len: conf.limits.max_head_size as usize,
            head_timeout: conf.limits.head_timeout,
            keepalive_timeout: conf.limits.keepalive_timeout,
        },
    });
    let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    let listeners = {
        let _inside = runtime.enter();
        listen(conf)?
    };
    let addresses: Vec<_> = listeners.iter().map(Listener::addr).collect();
    let (stop, stopping) = StopSource::new();
    let limits = ConnLimits {
        max_connections: conf.limits.max_connections as usize,
        network_timeout: conf.limits.send_timeout,
        allow: Arc::new(|_| true),
    };
    let workers = Arc::new(Workers::start("gateway-net").map_err(StartError::Threads)?);
    tracing::info!(?addresses, own_files = gateway.local.is_some(), "gateway started");
    let work = move || run(runtime, gateway, workers, listeners, limits, stopping);
    let thread = thread::Builder::new().name("gateway".into()).spawn(work).map_err(StartError::Threads)?;
    Ok(Running { addresses, stop, thread })
}

fn run(
    runtime: Runtime,
    gateway: Arc<Gateway>,
    workers: Arc<Workers>,
    listeners: Vec<Listener>,
    limits: ConnLimits,
    stopping: net::Stop,
) {
    runtime.spawn(members::follow(Arc::clone(&gateway), stopping.clone()));
    let handler = move |conn| {
        let gateway = Arc::clone(&gateway);
        async move { connection::serve(&gateway, conn).await }
    };
    let counters = Arc::new(ConnCounters::default());
    runtime.block_on(net::serve(Arc::clone(&workers), listeners, limits, counters, stopping, handler));
    drop(workers);
    runtime.shutdown_timeout(STOP_WAIT);
    tracing::info!("gateway stopped");
}

fn listen(conf: &GatewayConf) -> Result<Vec<Listener>, StartError> {
    let all = || {
        let four = net::host_has_ipv4().then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        vec![four.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    };
    let hosts = if conf.listen.bind.is_empty() { all() } else { conf.listen.bind.clone() };
    let bind = |host| {
        let address = SocketAddr::new(host, conf.listen.port);
        Listener::bind(address).map_err(|error| StartError::Listen { address, error })
    };
    hosts.into_iter().map(bind).collect()
}
