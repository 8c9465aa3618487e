//! Starting and stopping.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use daemon::log::{LogGuard, LogSink, Rotation};
use fdfs_client::{Client, ClientConfig};
use fdfs_conf::GatewayConf;
use fdfs_conf::gateway::{GatewayAccessLogConf, ResponseModeConf};
use fdfs_fileid::{FileName, GroupName};
use http_core::elsewhere::ResponseMode;
use net::{Conn, ConnCounters, ConnLimits, Listener, StopSource, Workers};
use status::{Node, Pulse};
use store::{Shelf, Store};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::compress::COMPRESSIONS_MAX;
use crate::connection::{self, Limits};
use crate::framed;
use crate::members::{self, Members};
use crate::metrics::{Counts, Status};
use crate::pictures::Pictures;
use crate::rules::{self, Rules};
use crate::tls::{self, Certificate};
use crate::upload::Uploads;

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
    /// TLS can't be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
    /// There is no folder for uploads on their way.
    #[error("cannot use the folder for uploads on their way: {0}")]
    Uploads(io::Error),
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
    /// What other processes of this host keep, by group.
    pub(crate) shelves: Vec<(GroupName, Shelf)>,
    pub(crate) cluster: Option<Client>,
    pub(crate) members: Members,
    /// URLs begin with the group; without, all files are of this one.
    pub(crate) only_group: Option<GroupName>,
    pub(crate) mode: ResponseMode,
    /// The port that the gateways of other hosts listen on, too, as far as clients are sent there.
    pub(crate) port: u16,
    pub(crate) limits: Limits,
    /// Answers that may be compressed at the same time.
    pub(crate) compressions: Arc<Semaphore>,
    pub(crate) access_log: Option<LogSink>,
    pub(crate) counts: Arc<Counts>,
    /// Both kinds of connections count against one limit.
    pub(crate) connections: Arc<ConnCounters>,
    pub(crate) uploads: Option<Uploads>,
    pub(crate) pictures: Option<Pictures>,
}

impl Gateway {
    /// The store of this process, if the group is its own.
    pub(crate) fn local(&self, group: &GroupName) -> Option<&Local> {
        self.local.as_ref().filter(|local| (local.owns)(group))
    }

    pub(crate) fn shelf(&self, group: &GroupName) -> Option<&Shelf> {
        self.shelves.iter().find(|(of, _)| of == group).map(|(_, shelf)| shelf)
    }
}

/// A gateway that runs on its own threads.
pub struct Running {
    addresses: Vec<SocketAddr>,
    node: Arc<dyn Node>,
    stop: StopSource,
    thread: thread::JoinHandle<()>,
}

impl Running {
    /// What it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Itself, for who asks how it is. To be let go of before [`Running::stop`].
    pub fn node(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
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
    let (access_log, access_guard) = match &conf.access_log {
        None => (None, None),
        Some(log) => {
            let guard = open_access_log(log)?;
            (Some(guard.sink()), Some(guard))
        }
    };
    let certificate = conf.listen.tls.as_ref().map(Certificate::load).transpose()?;
    let acceptor = certificate.as_ref().map(Certificate::acceptor).transpose().map_err(StartError::Tls)?;
    let secure = certificate.zip(acceptor);
    let base_path = conf.base_path.as_deref();
    let uploads =
        |upload| Uploads::new(upload, base_path, conf.limits.send_timeout).map_err(StartError::Uploads);
    let shelves = shelves(conf, local.as_ref()).map_err(StartError::Threads)?;
    let gateway = Arc::new(Gateway {
        rules: rules::load(conf)?,
        local,
        shelves,
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
            send_timeout: conf.limits.send_timeout,
        },
        compressions: Arc::new(Semaphore::new(COMPRESSIONS_MAX)),
        access_log,
        counts: Arc::default(),
        connections: Arc::default(),
        uploads: conf.upload.as_ref().map(uploads).transpose()?,
        pictures: conf.pictures.as_ref().map(Pictures::new).transpose()?,
    });
    let runtime = Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    let doors = {
        let _inside = runtime.enter();
        let secure_port = conf.listen.tls.as_ref().map(|tls| tls.port);
        Doors {
            plain: listen(conf, conf.listen.port)?,
            secure_at: secure_port.map(|port| listen(conf, port)).transpose()?.unwrap_or_default(),
            secure,
            access_guard,
        }
    };
    let addresses: Vec<_> = doors.plain.iter().chain(&doors.secure_at).map(Listener::addr).collect();
    let (stop, stopping) = StopSource::new();
    let limits = ConnLimits {
        max_connections: conf.limits.max_connections as usize,
        network_timeout: conf.limits.send_timeout,
        allow: Arc::new(|_| true),
    };
    let workers = Arc::new(Workers::start("gateway-net").map_err(StartError::Threads)?);
    tracing::info!(?addresses, own_files = gateway.local.is_some(), "gateway started");
    let pulse = Arc::new(Pulse::default());
    let node = Arc::new(Status { gateway: Arc::clone(&gateway), pulse: Arc::clone(&pulse) });
    let beating = stopping.clone();
    runtime.spawn(async move { pulse.keep(beating).await });
    let work = move || run(runtime, gateway, workers, doors, limits, stopping);
    let thread = thread::Builder::new().name("gateway".into()).spawn(work).map_err(StartError::Threads)?;
    Ok(Running { addresses, node, stop, thread })
}

/// The store paths that the configuration names, but for those that are in the store of this process.
fn shelves(conf: &GatewayConf, local: Option<&Local>) -> io::Result<Vec<(GroupName, Shelf)>> {
    let others = conf.groups.iter().filter(|group| !local.is_some_and(|local| (local.owns)(&group.name)));
    others
        .filter(|group| !group.store_paths.is_empty())
        .map(|group| Ok((group.name, Shelf::open(&group.store_paths)?)))
        .collect()
}

/// Where it is listened.
struct Doors {
    plain: Vec<Listener>,
    secure_at: Vec<Listener>,
    secure: Option<(Arc<Certificate>, TlsAcceptor)>,
    access_guard: Option<LogGuard>,
}

fn run(
    runtime: Runtime,
    gateway: Arc<Gateway>,
    workers: Arc<Workers>,
    doors: Doors,
    limits: ConnLimits,
    stopping: net::Stop,
) {
    runtime.spawn(members::follow(Arc::clone(&gateway), stopping.clone()));
    let counters = Arc::clone(&gateway.connections);
    let plain = {
        let gateway = Arc::clone(&gateway);
        let handler = move |conn| connection::serve(Arc::clone(&gateway), conn);
        let (workers, limits, counters) = (Arc::clone(&workers), limits.clone(), Arc::clone(&counters));
        net::serve(workers, doors.plain, limits, counters, stopping.clone(), handler)
    };
    match doors.secure {
        None => runtime.block_on(plain),
        Some((certificate, acceptor)) => {
            runtime.spawn(certificate.follow(stopping.clone()));
            let handler = move |conn| secure(Arc::clone(&gateway), acceptor.clone(), conn);
            let secure =
                net::serve(Arc::clone(&workers), doors.secure_at, limits, counters, stopping, handler);
            runtime.block_on(async { tokio::join!(plain, secure) });
        }
    }
    drop(workers);
    runtime.shutdown_timeout(STOP_WAIT);
    // The last lines are in it.
    drop(doors.access_guard);
    tracing::info!("gateway stopped");
}

/// A connection to the door with TLS.
async fn secure(gateway: Arc<Gateway>, acceptor: TlsAcceptor, conn: Conn) {
    let (peer, stop) = (conn.peer(), conn.stop());
    match tls::accept(&acceptor, conn.into_stream(Vec::new()), gateway.limits.head_timeout).await {
        Ok(stream) => framed::serve(gateway, stream, peer, stop, true).await,
        Err(error) => tracing::debug!(%peer, %error, "a client did not get through TLS"),
    }
}

fn open_access_log(conf: &GatewayAccessLogConf) -> Result<LogGuard, StartError> {
    let opened = conf.path.parent().map_or(Ok(()), std::fs::create_dir_all);
    opened
        .and_then(|()| daemon::log::open(conf.path.clone(), Rotation::from(&conf.file)))
        .map_err(|error| StartError::File { path: conf.path.clone(), reason: error.to_string() })
}

fn listen(conf: &GatewayConf, port: u16) -> Result<Vec<Listener>, StartError> {
    let all = || {
        let four = net::host_has_ipv4().then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        vec![four.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    };
    let hosts = if conf.listen.bind.is_empty() { all() } else { conf.listen.bind.clone() };
    let bind = |host| {
        let address = SocketAddr::new(host, port);
        Listener::bind(address).map_err(|error| StartError::Listen { address, error })
    };
    hosts.into_iter().map(bind).collect()
}
