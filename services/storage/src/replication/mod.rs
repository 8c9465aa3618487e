//! Replication, carried: `storage-core` decides what is sent and what follows from answers, this module reads the
//! binlog, connects, sends, and keeps the marks.
//!
//! One task per peer, on the thread that also talks with trackers and never on those that serve requests; within it one
//! short task for each record that travels, and for each of these a connection. Peers appear and go with what trackers
//! list. Somebody who waits for copies follows a [`Board`], which also slows clients down for peers that are too far
//! behind (`pace.rs`).
//!
//! Begin reading at [`Replication::run`], then `peer.rs` (the life of a peer), then `stream.rs` (sending).

mod link;
mod pace;
mod peer;
mod progress;
mod send;
mod stream;
pub(crate) mod trackers;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use fdfs_conf::storage::SyncConf;
use fdfs_conf::{ServerAddr, StorageConf};
use fdfs_proto::StorageId;
use net::Stop;
use storage_core::membership::{ClusterView, has_left};
use storage_core::time::Mono;
use tokio::task::JoinSet;

use crate::server::Server;
use crate::tracker_link::wire;
pub(crate) use progress::{Board, Obstacle, PeerProgress};

/// What replication needs from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    sync: SyncConf,
    trackers: Vec<ServerAddr>,
    pub(crate) wire: wire::Settings,
}

impl Config {
    /// From a checked configuration.
    pub(crate) fn new(conf: &StorageConf) -> Self {
        let bound: Vec<IpAddr> =
            conf.listen.inner_bind.iter().copied().filter(|ip| !ip.is_unspecified()).collect();
        Self {
            sync: conf.sync,
            trackers: conf.tracker_servers.iter().cloned().collect(),
            wire: wire::Settings {
                bind: if conf.client_bind { bound } else { Vec::new() },
                connect_timeout: conf.network.connect_timeout,
                network_timeout: conf.network.network_timeout,
            },
        }
    }
}

/// What the tasks of all peers share.
struct Shared {
    config: Config,
    server: Arc<Server>,
    began: Instant,
}

impl Shared {
    fn now(&self) -> Mono {
        Mono(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// The sending side of replication.
pub(crate) struct Replication {
    shared: Arc<Shared>,
}

impl Replication {
    /// Nothing is sent before [`Replication::run`].
    pub(crate) fn new(config: Config, server: Arc<Server>) -> Self {
        Self { shared: Arc::new(Shared { config, server, began: Instant::now() }) }
    }

    /// Replicates to every peer that the cluster has, until `stop`; returns when all marks are saved.
    pub(crate) async fn run(self, mut stop: Stop) {
        let mut cluster = self.shared.server.cluster.clone();
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<StorageId, tokio::task::Id> = BTreeMap::new();
        loop {
            let view = Arc::clone(&cluster.borrow_and_update());
            for (id, peer) in &view.peers {
                // Without an identity there is no name for the mark.
                if has_left(peer.status) || view.identity.is_none() || running.contains_key(id) {
                    continue;
                }
                // Its task under the id before has the mark, and leaves it behind when it ends.
                if view.earlier_ids(*id).any(|earlier| running.contains_key(&earlier)) {
                    continue;
                }
                let task = tasks.spawn(peer::run(Arc::clone(&self.shared), *id, stop.clone()));
                running.insert(*id, task.id());
            }
            tokio::select! {
                () = stop.wait() => break,
                changed = cluster.changed() => {
                    if changed.is_err() {
                        stop.wait().await;
                        break;
                    }
                }
                Some(ended) = tasks.join_next_with_id() => {
                    match ended {
                        Ok((ended, ())) => running.retain(|_, task| *task != ended),
                        // Not begun anew: it would die again.
                        Err(error) => {
                            tracing::error!(%error, "replication to a peer died, this storage needs a restart");
                        }
                    }
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Where a peer is reached: as trackers list it, then every address that its line of the storage ids has.
pub(crate) fn addresses(view: &ClusterView, id: &StorageId) -> Vec<SocketAddr> {
    let Some(peer) = view.peers.get(id) else { return Vec::new() };
    let mut ips: Vec<IpAddr> = peer.ip.ip().into_iter().collect();
    if let Some(entry) = view.ids.as_ref().and_then(|ids| ids.by_id_text(id.as_str())) {
        ips.extend(entry.addr.ips());
    }
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in ips.into_iter().map(|ip| SocketAddr::new(ip, peer.port)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Waits until the cluster looks different; for ever when nobody watches it any more.
async fn changed(cluster: &mut tokio::sync::watch::Receiver<Arc<ClusterView>>) {
    if cluster.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
