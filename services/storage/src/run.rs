//! Starting and stopping a storage server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::thread;
use std::time::Duration;

use daemon::log::{LogGuard, Rotation};
use fdfs_conf::StorageConf;
use fdfs_conf::storage::{DistributeMode, Durability, TimePrecision};
use fdfs_fileid::{FileName, GroupName, StorePathIndex};
use fdfs_format::{INIT_FLAG_FILE, STAT_FILE, StatFile};
use net::{ConnCounters, ConnLimits, Listener, Stop, StopSource, Workers};
use parking_lot::Mutex;
use status::{Node, Pulse};
use storage_core::directories::{CursorPosition, Directories, DirectoryCursor};
use storage_core::membership::ClusterView;
use storage_core::stats::Statistics;
use storage_core::tracker_link::LinkInputs;
use store::marks::Owner;
use store::{Packing, Store, StoreError, StoreSettings};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::access_log::AccessLog;
use crate::connection;
use crate::content::Chunks;
use crate::copies::Copies;
use crate::handler::sync::Damaged;
use crate::metrics::{self, Status};
use crate::recovery::{Flag, Recovery, will_compare};
use crate::relay::Relay;
use crate::replication::{self, Replication};
use crate::scrub::{self, Scrub};
use crate::server::{ChangeClock, Server, Synced, unix_now};
use crate::settle::Settle;
use crate::strangers::Strangers;
use crate::tracker_link::{LinkConfig, RecordError, TrackerLinks, record};
use crate::trunk::{self, Trunk};

/// Name of the access log below `logs/`.
const ACCESS_LOG: &str = "storage_access.log";

/// The sign, below `data/`, that the log is being made anew.
const LOG_LOST_FILE: &str = ".cairn-log-lost";

/// How long tasks may take to end once all connections are closed.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// How often the disks are asked how full they are.
const SPACE_EACH: Duration = Duration::from_secs(1);

/// Why a storage did not start.
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
    /// The store can't be opened.
    #[error("cannot open the store: {0}")]
    Store(#[from] StoreError),
    /// A folder or file of the base path can't be used.
    #[error("cannot use {}: {error}", path.display())]
    BasePath {
        /// Folder or file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is known about the last start can't be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Threads can't be started.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
}

/// A storage that runs on its own threads.
pub struct Running {
    addresses: Vec<SocketAddr>,
    server: Arc<Server>,
    node: Arc<dyn Node>,
    stop: StopSource,
    #[cfg(test)]
    crash: Arc<std::sync::atomic::AtomicBool>,
    thread: thread::JoinHandle<Result<(), StoreError>>,
}

impl Running {
    /// What it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it has ended although nobody stopped it: a thread died. [`Running::stop`] says the rest.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Its store, to be read from by others in the same process. They end before [`Running::stop`].
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(&self.server.store)
    }

    /// Takes note of files that can't be read: they are looked at, and mended from other members.
    pub fn suspect(&self) -> Arc<dyn Fn(&FileName) + Send + Sync> {
        let server = Arc::clone(&self.server);
        Arc::new(move |name| server.scrub.suspect(name))
    }

    /// Tells whether a group is its own, which it may have to learn from a tracker.
    pub fn owns(&self) -> Arc<dyn Fn(&GroupName) -> bool + Send + Sync> {
        let server = Arc::clone(&self.server);
        Arc::new(move |group| server.group().is_some_and(|own| own == *group))
    }

    /// Itself, for who asks how it is. To be let go of before [`Running::stop`].
    pub fn node(&self) -> Arc<dyn Node> {
        Arc::clone(&self.node)
    }

    /// Whether a tracker has told this storage who it is, so that it takes uploads.
    pub fn knows_itself(&self) -> bool {
        self.server.known().is_some()
    }

    /// What the server works with.
    #[cfg(test)]
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Connections open now.
    #[cfg(test)]
    pub(crate) fn connections(&self) -> u32 {
        self.server.connections.current()
    }

    /// Space promised to uploads under way on all store paths, bytes.
    #[cfg(test)]
    pub(crate) fn promised(&self) -> u64 {
        self.server.path_usage().iter().map(|path| path.promised_bytes).sum()
    }

    /// Ends the threads without flushing or closing anything.
    #[cfg(test)]
    pub(crate) fn crash(self) {
        self.crash.store(true, std::sync::atomic::Ordering::Release);
        let _ = self.stop();
    }

    /// Stops: no new connections, requests under way are finished, everything is synced. Blocks.
    ///
    /// # Errors
    /// What syncing says. Nothing acknowledged is lost: the journal does the rest at the next start.
    pub fn stop(self) -> Result<(), StoreError> {
        self.stop.stop();
        self.thread.join().unwrap_or(Err(StoreError::Closed))
    }
}

/// Opens the store, listens, and serves on threads of its own until [`Running::stop`].
///
/// # Errors
/// [`StartError`]; nothing is left running.
pub fn start(conf: &StorageConf) -> Result<Running, StartError> {
    launch(conf, |data, port, server, tell, stop| {
        let config = LinkConfig::new(conf, port, data, unix_now().into());
        let links = TrackerLinks::open(config)?;
        tokio::spawn(server.settle.begin(Arc::clone(server), stop.clone()));
        let (recovery, inputs) = (Recovery::new(conf, data, port, server), Arc::clone(server));
        // Not joined before it is complete: trackers take who has joined and beats for active.
        tokio::spawn(async move {
            if recovery.run(stop.clone()).await {
                let look = inputs.settle.looks();
                let compare = recovery.compare(stop.clone());
                let trunk = inputs.trunk.follow_figures();
                tokio::join!(links.run(inputs as Arc<dyn LinkInputs>, tell, trunk, look, stop), compare);
            }
        });
        Ok(())
    })
}

/// The same with `join` to make contact with the cluster, on the server's threads. It is given the data
/// folder, the port that is listened on, the server, and where to say what the cluster says.
pub(crate) fn launch(
    conf: &StorageConf,
    join: impl FnOnce(&Path, u16, &Arc<Server>, watch::Sender<Arc<ClusterView>>, Stop) -> Result<(), StartError>,
) -> Result<Running, StartError> {
    let data = conf.base_path.join("data");
    std::fs::create_dir_all(&data).map_err(|error| StartError::BasePath { path: data.clone(), error })?;
    check_marks(conf, &data)?;
    let store = open_store(conf, &data)?;
    let newest = store.newest_change();
    let trunk = Trunk::new(conf).map_err(StoreError::Io)?;
    let runtime = runtime()?;
    let inside = runtime.enter();
    let listeners = listen(conf)?;
    let addresses: Vec<_> = listeners.iter().map(Listener::addr).collect();
    let (stop, stopping) = StopSource::new();
    let (stats, position) = load_stats(&data)?;
    let (access_log, access_guard) = open_access_log(conf)?;
    let (tell, cluster) = watch::channel(Arc::new(ClusterView::default()));
    let server = Arc::new(Server {
        group: conf.group_name,
        store: Arc::new(store),
        cluster,
        stats,
        connections: Arc::new(ConnCounters::default()),
        requests: metrics::requests(),
        directories: Mutex::new(directories(conf, position)),
        read_only: conf.store_paths.iter().map(|path| path.read_only).collect(),
        turn: AtomicU32::new(0),
        chunks: Chunks::new(conf.store_paths.len()),
        clock: ChangeClock::from(newest),
        access_log,
        replication: replication::Board::default(),
        relay: Relay::new(conf),
        settle: Settle::default(),
        copies: Copies::new(conf),
        synced: Synced::default(),
        trunk,
        scrub: Scrub::new(conf),
        strangers: Strangers::new(conf),
        damaged: Damaged::default(),
        rebuilding: AtomicUsize::new(0),
    });
    let port = addresses.first().map_or(0, SocketAddr::port);
    join(&data, port, &server, tell, stopping.clone())?;
    let replication = Replication::new(replication::Config::new(conf), Arc::clone(&server));
    let replicating = tokio::spawn(replication.run(stopping.clone()));
    drop(inside);
    tracing::info!(
        durability = %conf.durability,
        store_paths = conf.store_paths.len(),
        ?addresses,
        "storage started"
    );
    let hosts = conf.allow_hosts.resolve(&mut |name| {
        let found = net::look_up(name);
        if found.is_empty() {
            tracing::warn!(name, "allow_hosts: the name has no address");
        }
        found
    });
    let pulse = Arc::new(Pulse::default());
    let node = Arc::new(Status::new(Arc::clone(&server), conf, Arc::clone(&pulse)));
    let work = Work {
        runtime,
        workers: Arc::new(Workers::start("storage-net").map_err(StartError::Threads)?),
        listeners,
        limits: ConnLimits {
            max_connections: conf.network.max_connections as usize,
            network_timeout: conf.network.network_timeout,
            allow: Arc::new(move |ip| hosts.allows(ip)),
        },
        stopping,
        replicating,
        server: Arc::clone(&server),
        pulse,
        data,
        flush_each: conf.sync_binlog_buff_interval,
        save_each: conf.sync_stat_file_interval,
        _access_guard: access_guard,
        #[cfg(test)]
        crash: Arc::default(),
    };
    #[cfg(test)]
    let crash = Arc::clone(&work.crash);
    let thread = thread::Builder::new()
        .name("storage".into())
        .spawn(move || run(work))
        .map_err(StartError::Threads)?;
    Ok(Running {
        addresses,
        server,
        node,
        stop,
        #[cfg(test)]
        crash,
        thread,
    })
}

struct Work {
    runtime: Runtime,
    workers: Arc<Workers>,
    listeners: Vec<Listener>,
    limits: ConnLimits,
    stopping: Stop,
    /// Ends when its marks are saved.
    replicating: JoinHandle<()>,
    server: Arc<Server>,
    pulse: Arc<Pulse>,
    data: PathBuf,
    flush_each: Duration,
    save_each: Duration,
    /// Writes the access log until it is dropped.
    _access_guard: Option<LogGuard>,
    #[cfg(test)]
    crash: Arc<std::sync::atomic::AtomicBool>,
}

/// Serves until told to stop, then brings everything to rest.
fn run(work: Work) -> Result<(), StoreError> {
    let Work { runtime, workers, listeners, limits, stopping, replicating, server, pulse, data, .. } = work;
    let (flush_each, save_each) = (work.flush_each, work.save_each);
    runtime.spawn(flush_binlog(Arc::clone(&server), flush_each, stopping.clone()));
    runtime.spawn(save_stats(Arc::clone(&server), data.clone(), save_each, stopping.clone()));
    let beating = stopping.clone();
    runtime.spawn(async move { pulse.keep(beating).await });
    runtime.spawn(ask_for_space(Arc::clone(&server), stopping.clone()));
    runtime.spawn(scrub::run(Arc::clone(&server), data.clone(), stopping.clone()));
    let trunk = runtime.spawn(trunk::run(Arc::clone(&server), stopping.clone()));
    let serving = Arc::clone(&server);
    let counters = Arc::clone(&server.connections);
    let handler = move |conn| {
        let server = Arc::clone(&serving);
        async move { connection::serve(&server, conn).await }
    };
    runtime.block_on(async {
        net::serve(Arc::clone(&workers), listeners, limits, counters, stopping, handler).await;
        if timeout(STOP_WAIT, replicating).await.is_err() {
            tracing::warn!("replication did not end in time, some of it will be done once more");
        }
        if timeout(STOP_WAIT, trunk).await.is_err() {
            tracing::warn!("what is known about slots of trunk files could not be noted in time");
        }
    });
    // Ends the tasks that are left, so that nothing changes any more when the store is closed.
    drop(workers);
    runtime.shutdown_timeout(STOP_WAIT);
    #[cfg(test)]
    if work.crash.load(std::sync::atomic::Ordering::Acquire) {
        return Ok(());
    }
    write_stats(&server, &data);
    let closed = server.store.close();
    match &closed {
        Ok(()) => tracing::info!("storage stopped"),
        Err(error) => tracing::error!(%error, "the store could not be closed, the next start does the rest"),
    }
    closed
}

/// Makes sure that the store paths are the disks they were at the last start (storage internals: store paths).
fn check_marks(conf: &StorageConf, data: &Path) -> Result<(), StartError> {
    let file = data.join(INIT_FLAG_FILE);
    let mut flag = record::read_or_create(&file, unix_now().into())?;
    let ip = conf.listen.inner_bind.first().copied().unwrap_or(Ipv4Addr::LOCALHOST.into());
    let owner = Owner { ip, port: conf.listen.inner_port, now: unix_now() };
    let enabled = conf.check_store_path_mark;
    if !flag.sync_old_done {
        will_compare(data).map_err(|error| StartError::BasePath { path: data.to_owned(), error })?;
    }
    for (index, path) in (0..=u8::MAX).map(StorePathIndex).zip(&conf.store_paths) {
        // Before its mark is made: afterwards it looks like any other.
        let is_lost = enabled && flag.sync_old_done && !flag.store_path_marks.contains_key(&index);
        if is_lost && store::marks::is_new(&path.path) {
            let sign = Flag::new(data, index);
            sign.set().map_err(|error| StartError::BasePath { path: data.to_owned(), error })?;
        }
        if let Some(mark) = store::marks::check(&path.path, index, &flag.store_path_marks, enabled, owner)? {
            flag.store_path_marks.insert(index, mark);
            record::write(&file, &flag)?;
        }
    }
    Ok(())
}

/// Opens the store. If its log is gone with the base path, it is made anew; the sign stays until that is complete.
fn open_store(conf: &StorageConf, data: &Path) -> Result<Store, StartError> {
    let (settings, sign) = (store_settings(conf), data.join(LOG_LOST_FILE));
    let unusable = |error| StartError::BasePath { path: sign.clone(), error };
    let is_lost = sign.exists() || store::log_is_lost(&settings).map_err(unusable)?;
    if !is_lost {
        return Ok(Store::open(&settings)?.0);
    }
    daemon::state_file::replace(&sign, b"the log is made of the files on the store paths\n")
        .map_err(unusable)?;
    let (store, _) = Store::open_without_log(&settings)?;
    std::fs::remove_file(&sign).map_err(unusable)?;
    Ok(store)
}

/// How the store of a storage is opened.
pub fn store_settings(conf: &StorageConf) -> StoreSettings {
    StoreSettings {
        binlog_dir: conf.base_path.join("data/sync"),
        paths: conf.store_paths.iter().map(|path| path.path.clone()).collect(),
        durability: match conf.durability {
            Durability::Disk | Durability::Copies(_) => store::Durability::Disk,
            Durability::Fastdfs => store::Durability::Fastdfs,
        },
        inline_max: conf.journal.inline_max as usize,
        journal_len: conf.journal.size,
        packing: Packing {
            file_len_max: (conf.packs.max_file > 0).then_some(conf.packs.max_file as usize),
            pack_len: conf.packs.size,
            dead_percent: conf.packs.rewrite_percent.into(),
            rewrite_rate: conf.packs.rewrite_rate,
        },
        commit_wait: conf.commit_wait,
    }
}

/// Accepts connections, talks to trackers and keeps time; connections are served elsewhere ([`Workers`]).
fn runtime() -> Result<Runtime, StartError> {
    Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)
}

fn listen(conf: &StorageConf) -> Result<Vec<Listener>, StartError> {
    let has_ipv4 = net::host_has_ipv4();
    let sockets = conf.listen.sockets(has_ipv4);
    sockets
        .into_iter()
        .map(|address| Listener::bind(address).map_err(|error| StartError::Listen { address, error }))
        .collect()
}

fn load_stats(data: &Path) -> Result<(Statistics, CursorPosition), StartError> {
    let path = data.join(STAT_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(StartError::BasePath { path, error }),
    };
    let stats = Statistics::default();
    let position = match StatFile::decode(&bytes) {
        Ok(file) => {
            stats.restore(&file);
            CursorPosition::from(&file)
        }
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "statistics can't be read, they start at zero");
            CursorPosition::default()
        }
    };
    Ok((stats, position))
}

fn directories(conf: &StorageConf, position: CursorPosition) -> Directories {
    let subdir_count = conf.subdir_count_per_path;
    match conf.distribute.mode {
        DistributeMode::RoundRobin => {
            Directories::InTurn(DirectoryCursor::new(subdir_count, conf.distribute.rotate_count, position))
        }
        DistributeMode::Hash => Directories::ByHash { subdir_count },
    }
}

fn open_access_log(conf: &StorageConf) -> Result<(Option<AccessLog>, Option<LogGuard>), StartError> {
    if !conf.access_log.enabled {
        return Ok((None, None));
    }
    let path = conf.base_path.join("logs").join(ACCESS_LOG);
    std::fs::create_dir_all(conf.base_path.join("logs"))
        .map_err(|error| StartError::BasePath { path: path.clone(), error })?;
    let rotation = Rotation::from(&conf.access_log.file);
    let guard =
        daemon::log::open(path.clone(), rotation).map_err(|error| StartError::BasePath { path, error })?;
    let microseconds = conf.access_log.time_precision == TimePrecision::Microsecond;
    Ok((Some(AccessLog { sink: guard.sink(), microseconds }), Some(guard)))
}

async fn flush_binlog(server: Arc<Server>, each: Duration, mut stop: Stop) {
    let mut ticks = ticks(each);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.wait() => return,
        }
        let flushing = Arc::clone(&server);
        // The task can't be cancelled, and a panic has said so itself.
        if let Ok(Err(error)) = spawn_blocking(move || flushing.store.binlog().flush()).await {
            tracing::error!(%error, "cannot write the binlog, its lines stay in memory and in the journal");
        }
    }
}

async fn ask_for_space(server: Arc<Server>, mut stop: Stop) {
    let mut ticks = ticks(SPACE_EACH);
    loop {
        tokio::select! {
            _ = ticks.tick() => server.store.refresh_usage(),
            () = stop.wait() => return,
        }
    }
}

async fn save_stats(server: Arc<Server>, data: PathBuf, each: Duration, mut stop: Stop) {
    let mut ticks = ticks(each);
    let mut saved = server.stats.changes();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.wait() => return,
        }
        let changes = server.stats.changes();
        if changes != saved {
            let (server, data) = (Arc::clone(&server), data.clone());
            if spawn_blocking(move || write_stats(&server, &data)).await.is_ok() {
                saved = changes;
            }
        }
    }
}

fn write_stats(server: &Server, data: &Path) {
    let position = server.directories.lock().position();
    let bytes = server.stats.file(position).encode();
    if let Err(error) = daemon::state_file::replace(&data.join(STAT_FILE), &bytes) {
        tracing::warn!(%error, "cannot save the statistics");
    }
}

fn ticks(each: Duration) -> Interval {
    let mut ticks = interval(each.max(Duration::from_secs(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
