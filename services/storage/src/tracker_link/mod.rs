//! The conversations with the trackers, carried: `storage-core` decides what is said, this module connects,
//! sends, keeps `.data_init_flag`, tells the operator, and publishes what the rest of the server needs to
//! know.
//!
//! One task per tracker, each with its own machine, all around one [`Membership`]. A tracker that cannot be
//! reached hinders nobody: files are served from the start, and uploads are taken as soon as one tracker
//! has said who this storage is.
//!
//! Begin reading at [`TrackerLinks::run`], then `task.rs`.

mod inputs;
pub(crate) mod record;
mod report;
mod task;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fdfs_conf::{ServerAddr, StorageConf};
use fdfs_proto::Version;
use net::Stop;
use parking_lot::Mutex;
use storage_core::membership::{self, ClusterView, Membership, TrackerIndex};
use storage_core::time::Mono;
use storage_core::tracker_link::{self, Action, Event, LinkInputs, TrackerLink, TrunkFigures};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use record::RecordError;
use record::RecordFile;
use task::Task;

/// What the links need from the configuration.
#[derive(Clone, Debug)]
pub(crate) struct LinkConfig {
    cluster: membership::Settings,
    link: tracker_link::Settings,
    trackers: Vec<ServerAddr>,
    wire: wire::Settings,
    record_file: PathBuf,
}

impl LinkConfig {
    /// From a checked configuration. `port` is the one that is really listened on, `data` the folder of
    /// `.data_init_flag`, `now` the Unix second of the start.
    pub(crate) fn new(conf: &StorageConf, port: u16, data: &Path, now: i64) -> Self {
        let bound: Vec<IpAddr> =
            conf.listen.inner_bind.iter().copied().filter(|ip| !ip.is_unspecified()).collect();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let trackers: Vec<ServerAddr> = conf.tracker_servers.iter().cloned().collect();
        Self {
            cluster: membership::Settings {
                group: conf.group_name,
                port,
                server_id: conf.server_id,
                local_ips: bound.clone(),
                // At most 16, as the configuration has checked.
                tracker_count: u8::try_from(trackers.len()).unwrap_or(u8::MAX),
            },
            link: tracker_link::Settings {
                store_path_count: u16::try_from(conf.store_paths.len()).unwrap_or(u16::MAX),
                subdir_count: conf.subdir_count_per_path,
                upload_priority: conf.upload_priority,
                up_time: now,
                version: Version::new(fdfs_proto::PROTOCOL_VERSION.as_bytes()).unwrap_or_default(),
                beat_interval_ms: millis(conf.heart_beat_interval),
                disk_report_interval_ms: millis(conf.stat_report_interval),
            },
            trackers,
            wire: wire::Settings {
                bind: if conf.client_bind { bound } else { Vec::new() },
                connect_timeout: conf.network.connect_timeout,
                network_timeout: conf.network.network_timeout,
            },
            record_file: data.join(fdfs_format::INIT_FLAG_FILE),
        }
    }
}

/// All links, ready to run.
pub(crate) struct TrackerLinks {
    config: LinkConfig,
    record: RecordFile,
    membership: Membership,
}

impl TrackerLinks {
    /// Reads `.data_init_flag`, or writes the first one. Blocks.
    ///
    /// # Errors
    /// [`RecordError`]: without this file the storage would not know whether it is new in its group.
    pub(crate) fn open(config: LinkConfig) -> Result<Self, RecordError> {
        let (record, join) = RecordFile::open(config.record_file.clone(), config.link.up_time)?;
        let membership = Membership::new(config.cluster.clone(), join);
        Ok(Self { config, record, membership })
    }

    /// Talks with all trackers until `stop`, and publishes what they say in `tell` whenever it changes. They are told
    /// of changes of `trunk` at once, and asked how the cluster is when `look` says so.
    pub(crate) async fn run(
        self,
        inputs: Arc<dyn LinkInputs>,
        tell: watch::Sender<Arc<ClusterView>>,
        mut trunk: watch::Receiver<Option<TrunkFigures>>,
        look: watch::Receiver<()>,
        mut stop: Stop,
    ) {
        let Self { config, record, mut membership } = self;
        tokio::select! {
            () = find_trackers(&config, &mut membership) => {}
            () = stop.wait() => return,
        }
        let (changed, _) = watch::channel(0);
        let shared = Arc::new(Shared {
            board: Mutex::new(Board { membership, tell }),
            record,
            changed,
            inputs,
            began: Instant::now(),
        });
        let mut tasks = JoinSet::new();
        for (index, tracker) in (0_u8..).zip(&config.trackers) {
            let link = TrackerLink::new(TrackerIndex(index), config.link.clone());
            let task = Task::new(
                Arc::clone(&shared),
                look.clone(),
                link,
                index,
                tracker.clone(),
                config.wire.clone(),
            );
            tasks.spawn(task.run());
        }
        let wake = async {
            while trunk.changed().await.is_ok() {
                shared.changed.send_modify(|_| {});
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = stop.wait() => {}
            () = wake => {}
            // Tasks go on until they are dropped.
            Some(ended) = tasks.join_next() => {
                tracing::error!(?ended, "a tracker link died, this storage needs a restart");
                stop.wait().await;
            }
        }
        // Closing the connections is all there is to say: a tracker takes that as "offline".
        tasks.shutdown().await;
    }
}

/// Looks all trackers up before any is joined: from a JOIN that lists only some a tracker would conclude
/// that it has the cluster to itself. Those that are not found in time are looked for again by their own
/// tasks.
async fn find_trackers(config: &LinkConfig, membership: &mut Membership) {
    let mut searches = JoinSet::new();
    for (index, tracker) in (0_u8..).zip(config.trackers.iter().cloned()) {
        let settings = config.wire.clone();
        searches.spawn(async move { (TrackerIndex(index), wire::resolve(&tracker, &settings).await) });
    }
    while let Some(search) = searches.join_next().await {
        if let Ok((index, Ok(found))) = search {
            membership.tracker_found(index, found.host);
        }
    }
}

/// What the tasks of all links share.
struct Shared {
    board: Mutex<Board>,
    record: RecordFile,
    /// The version of the membership: a change wakes the other links.
    changed: watch::Sender<u64>,
    inputs: Arc<dyn LinkInputs>,
    began: Instant,
}

struct Board {
    membership: Membership,
    tell: watch::Sender<Arc<ClusterView>>,
}

impl Shared {
    /// Lets a machine take a step, and publishes what it changed.
    fn step(&self, link: &mut TrackerLink, event: Event<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut board = self.board.lock();
        let before = board.membership.version();
        link.step(self.now(), event, &mut board.membership, &*self.inputs, &mut actions);
        self.publish(&board, before);
        actions
    }

    /// Changes the membership outside of a step.
    fn change(&self, change: impl FnOnce(&mut Membership)) {
        let mut board = self.board.lock();
        let before = board.membership.version();
        change(&mut board.membership);
        self.publish(&board, before);
    }

    /// Done under the lock, so that views come out in the order they came to be.
    fn publish(&self, board: &Board, before: u64) {
        let version = board.membership.version();
        if version == before {
            return;
        }
        let view = board.membership.view();
        board.tell.send_if_modified(|told| {
            let differs = **told != view;
            if differs {
                report::changed(told, &view);
                *told = Arc::new(view);
            }
            differs
        });
        self.changed.send_replace(version);
    }

    fn now(&self) -> Mono {
        Mono(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Brings the record to disk and returns when it is there.
    async fn persist(&self) {
        let newest = || self.board.lock().membership.record().clone();
        self.record.save(newest).await;
    }
}
