//! Starting and stopping a tracker.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fdfs_conf::{ConfError, TrackerConf};
use fdfs_format::tracker::groups::Group;
use net::{ConnLimits, Listener, Stop, StopSource, Workers};
use status::{Node, Pulse};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tracker_core::leader::ElectionTimes;
use tracker_core::{Cluster, Saved};

use crate::ask_storage::Patience;
use crate::clock::Clock;
use crate::config::{self, Answers};
use crate::connection;
use crate::link::Reach;
use crate::metrics::Status;
use crate::names;
use crate::persist::Saver;
use crate::shell::Shell;
use crate::state::{self, StateError};

/// Stack of a worker thread.
const STACK_LEN: usize = 512 * 1024;

/// Threads that write files: there is one writer.
const FILE_THREADS: usize = 2;

/// How long tasks may take to end once all connections are closed.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for another tracker to connect, and to answer: the cluster is without leader meanwhile.
const TRACKER_PATIENCE: Duration = Duration::from_secs(5);

/// Why a tracker did not start.
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
    /// The data folder can't be used.
    #[error("cannot use {}: {error}", path.display())]
    BasePath {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The state of the last run can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A host name in `storage_ids.conf` can't be used.
    #[error(transparent)]
    StorageIds(#[from] ConfError),
    /// Threads can't be started.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// A tracker that runs on its own threads.
pub struct Running {
    addresses: Vec<SocketAddr>,
    node: Arc<dyn Node>,
    stop: StopSource,
    thread: JoinHandle<()>,
}

impl Running {
    /// What it listens on: with port 0 in the configuration, the port the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Itself, for who asks how it is. To be let go of before [`Running::stop`].
    pub fn node(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
    }

    /// Whether it has ended although nobody stopped it: a thread died. [`Running::stop`] says the rest.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops: no new connections, requests under way are finished, the state is saved. Blocks.
    ///
    /// # Errors
    /// When a thread of the tracker died. What could not be saved is in the log.
    pub fn stop(self) -> io::Result<()> {
        self.stop.stop();
        self.thread.join().map_err(|_| io::Error::other("a thread of the tracker died"))
    }
}

/// Reads the saved state, listens, and serves on threads of its own until [`Running::stop`]. Looks up the host
/// names of the configuration. Blocks until it serves.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub fn start(conf: &TrackerConf) -> Result<Running, StartError> {
    start_with(conf, ElectionTimes::default())
}

/// As [`start`], with an election in other times than the original's.
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub fn start_with(conf: &TrackerConf, election: ElectionTimes) -> Result<Running, StartError> {
    let data = conf.base_path.join("data");
    std::fs::create_dir_all(&data).map_err(|error| StartError::BasePath { path: data.clone(), error })?;
    let mut resolved = conf.clone();
    resolved.resolve_storage_ids(&mut names::of_storage)?;
    let conf = &resolved;
    let ids = conf.identity.storage_ids.clone().map(Arc::new);
    let allowed = conf.allow_hosts.resolve(&mut names::allowed);
    let tables = state::read(&data)?;
    let runtime = runtime(conf)?;
    let inside = runtime.enter();
    let listeners = listen(conf)?;
    let addresses: Vec<_> = listeners.iter().map(Listener::addr).collect();

    let clock = Clock::start();
    let now = clock.now();
    let cluster_config = config::cluster(conf, ids.clone(), &addresses, now.wall, election);
    let groups_saved = tables.groups.clone();
    let saved = Saved::from_tables(tables, &cluster_config.naming).map_err(StateError::from)?;
    let changelog_saved = saved.changelog.len() as u64;
    let groups = saved.groups.len();
    let cluster = Cluster::new(cluster_config, saved, now);
    let patience = Patience { connect: conf.network.connect_timeout, answer: conf.network.network_timeout };
    let reach = Reach {
        own: addresses.iter().map(SocketAddr::ip).collect(),
        connect: patience.connect.min(TRACKER_PATIENCE),
        answer: patience.answer.min(TRACKER_PATIENCE),
    };
    let shell = Arc::new(Shell::new(cluster, clock, Answers::new(conf, ids), patience, reach));
    drop(inside);

    let (stop, stopping) = StopSource::new();
    let limits = ConnLimits {
        max_connections: conf.network.max_connections as usize,
        network_timeout: conf.network.network_timeout,
        allow: Arc::new(move |addr| allowed.allows(addr)),
    };
    let pulse = Arc::new(Pulse::default());
    let node = Arc::new(Status { shell: Arc::clone(&shell), pulse: Arc::clone(&pulse) });
    let work =
        Work { runtime, listeners, limits, stopping, data, groups_saved, changelog_saved, shell, pulse };
    tracing::info!(?addresses, groups, "tracker started");
    let thread = std::thread::Builder::new()
        .name("tracker".into())
        .spawn(move || work.run())
        .map_err(StartError::Threads)?;
    Ok(Running { addresses, node, stop, thread })
}

struct Work {
    runtime: Runtime,
    listeners: Vec<Listener>,
    limits: ConnLimits,
    stopping: Stop,
    data: PathBuf,
    groups_saved: Vec<Group>,
    changelog_saved: u64,
    shell: Arc<Shell>,
    pulse: Arc<Pulse>,
}

impl Work {
    /// Serves until told to stop, then saves everything.
    fn run(self) {
        let Self { runtime, listeners, limits, stopping, data, groups_saved, changelog_saved, shell, pulse } =
            self;
        let mut saver = Saver::new(Arc::clone(&shell), data, groups_saved, changelog_saved);
        runtime.spawn(Arc::clone(&shell).keep_time(stopping.clone()));
        let beating = stopping.clone();
        runtime.spawn(async move { pulse.keep(beating).await });
        let (served, no_more) = oneshot::channel();
        let counters = Arc::clone(&shell.counters);
        let serving = async {
            net::serve(Workers::here().into(), listeners, limits, counters, stopping, move |conn| {
                connection::serve(Arc::clone(&shell), conn)
            })
            .await;
            // By now every answer has been given that waits for a save.
            let _ = served.send(());
        };
        runtime.block_on(async { tokio::join!(serving, saver.run(no_more)) });
        runtime.shutdown_timeout(STOP_WAIT);
        tracing::info!("tracker stopped");
    }
}

fn runtime(conf: &TrackerConf) -> Result<Runtime, StartError> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread()
        .worker_threads((conf.network.work_threads as usize).clamp(1, processors))
        .max_blocking_threads(FILE_THREADS)
        .thread_name("tracker-work")
        .thread_stack_size(STACK_LEN)
        .enable_all()
        .build()
        .map_err(StartError::Threads)
}

fn listen(conf: &TrackerConf) -> Result<Vec<Listener>, StartError> {
    let sockets = conf.listen.sockets(net::host_has_ipv4());
    sockets
        .into_iter()
        .map(|address| Listener::bind(address).map_err(|error| StartError::Listen { address, error }))
        .collect()
}
