//! The trunk binlog on its way to the other members, so that each can become trunk server.

use std::collections::BTreeMap;
use std::io;

use fdfs_proto::{Status, StorageCommand, StorageId, StorageStatus};
use storage_core::membership::ClusterView;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::link::Link;
use super::{EACH, Trunk};
use crate::replication;
use crate::server::Server;

/// What is sent at a time, bytes.
const STEP: usize = 64 * 1024;

/// Where the peers stand.
pub(super) type Peers = BTreeMap<StorageId, Peer>;

/// Where a peer stands.
pub(super) struct Peer {
    link: Option<Link>,
    /// Up to where it has the log, bytes.
    offset: u64,
}

/// Sends for as long as it is polled, whenever this storage is trunk server.
pub(super) async fn run(server: &Server) {
    let mut peers = Peers::new();
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        round(server, &mut peers).await;
    }
}

/// Sends every peer that serves what it lacks, if this storage is trunk server.
pub(super) async fn round(server: &Server, peers: &mut Peers) {
    let trunk = &server.trunk;
    if trunk.role.lock().await.is_none() {
        // The marks are on disk; another term begins with what they are then.
        peers.clear();
        return;
    }
    let view = server.cluster.borrow().clone();
    peers.retain(|id, _| view.peers.contains_key(id));
    for (id, seen) in &view.peers {
        if !matches!(seen.status, StorageStatus::Active | StorageStatus::Online) {
            continue;
        }
        if !peers.contains_key(id) {
            let (files, name) = (trunk.files.clone(), mark_name(&view, id));
            let offset = spawn_blocking(move || files.read_mark(&name)).await.unwrap_or_default();
            peers.insert(*id, Peer { link: None, offset });
        }
        let Some(peer) = peers.get_mut(id) else { continue };
        if let Err(error) = trunk.push(&view, id, peer).await {
            tracing::debug!(peer = %id, %error, "cannot send the trunk binlog");
            peer.link = None;
        }
    }
}

impl Trunk {
    /// Sends a peer what it lacks.
    async fn push(&self, view: &ClusterView, id: &StorageId, peer: &mut Peer) -> io::Result<()> {
        let Some(len) = self.role.lock().await.as_ref().map(|role| role.log_len) else { return Ok(()) };
        if peer.offset > len {
            // The log is another one than the mark speaks of.
            peer.offset = 0;
        }
        let before = peer.offset;
        while peer.offset < len {
            if peer.link.as_ref().is_none_or(|link| !link.is_usable()) {
                peer.link = Some(Link::open(&replication::addresses(view, id), &self.wire).await?);
            }
            let Some(link) = &mut peer.link else { return Ok(()) };
            if peer.offset == 0 {
                accepted(link.ask(StorageCommand::TrunkTruncateBinlog, Status::OK, &[]).await?.0)?;
            }
            let (files, offset) = (self.files.clone(), peer.offset);
            let lines = spawn_blocking(move || files.lines_at(offset, STEP));
            let lines = lines.await.map_err(io::Error::other)??;
            if lines.is_empty() {
                break;
            }
            accepted(link.ask(StorageCommand::TrunkSyncBinlog, Status::OK, &lines).await?.0)?;
            peer.offset += lines.len() as u64;
        }
        if peer.offset != before {
            let (files, name, offset) = (self.files.clone(), mark_name(view, id), peer.offset);
            let saved = spawn_blocking(move || files.save_mark(&name, offset));
            saved.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

fn accepted(status: Status) -> io::Result<()> {
    if status.is_ok() { Ok(()) } else { Err(io::Error::other(format!("the peer refuses it: {status}"))) }
}

/// As the original names marks: by id, or by address and port.
fn mark_name(view: &ClusterView, id: &StorageId) -> String {
    let uses_ids = view.parameters.is_some_and(|parameters| parameters.use_storage_id);
    match view.peers.get(id) {
        Some(peer) if !uses_ids => format!("{}_{}", id.as_str(), peer.port),
        _ => id.as_str().to_owned(),
    }
}
