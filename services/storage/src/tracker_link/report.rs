//! What an operator reads about the cluster: changes, each once.

use fdfs_conf::ServerAddr;
use fdfs_proto::StorageStatus;
use storage_core::membership::ClusterView;
use storage_core::tracker_link::Notice;

/// Says what a link has to say.
pub(super) fn notice(tracker: &ServerAddr, notice: &Notice) {
    match notice {
        Notice::Joined(status) => {
            tracing::info!(%tracker, status = status.caption(), "joined the tracker");
        }
        Notice::SourceSettled(Some(source)) => {
            tracing::info!(%tracker, %source, "another storage of the group sends the old files");
        }
        Notice::SourceSettled(None) => {
            tracing::info!(%tracker, "no other storage of the group has old files to send");
        }
        Notice::Removed => {
            tracing::warn!(
                %tracker,
                "an administrator had removed this storage, it joins as a new one and gets all files again"
            );
        }
        Notice::SourceLost => {
            tracing::warn!("the storage that should send the old files is gone, looking for another one");
        }
        Notice::Trouble(trouble) => match trouble.advice() {
            Some(advice) => tracing::warn!(%tracker, advice, "{trouble}"),
            None => tracing::warn!(%tracker, "{trouble}"),
        },
    }
}

/// Says what differs between two views.
pub(super) fn changed(before: &ClusterView, after: &ClusterView) {
    if let (None, Some(me)) = (&before.identity, &after.identity) {
        tracing::info!(group = %me.group, id = %me.id, address = %me.ips, "the cluster knows this storage, uploads are taken");
    }
    if before.my_status != after.my_status
        && let Some(status) = after.my_status
    {
        if status == StorageStatus::Deleted {
            tracing::warn!("an administrator has removed this storage from the cluster");
        } else {
            tracing::info!(status = status.caption(), "the cluster has this storage in another status");
        }
    }
    if before.leader != after.leader {
        match after.leader {
            Some(leader) => tracing::info!(%leader, "a tracker leads"),
            None => tracing::info!("no leading tracker is known"),
        }
    }
    if before.trunk_server != after.trunk_server {
        let server = after.trunk_server.map(|id| id.to_string()).unwrap_or_default();
        tracing::info!(server, "the group has another trunk server");
    }
    for (id, peer) in &after.peers {
        let was = before.peers.get(id).map(|peer| peer.status);
        if was != Some(peer.status) {
            let was = was.map_or("unknown", StorageStatus::caption);
            tracing::info!(peer = %id, address = %peer.ip, was, status = peer.status.caption(), "a peer changed");
        }
    }
    if after.surplus > before.surplus {
        tracing::warn!(
            surplus = after.surplus,
            advice = "a group has room for 32 storages; delete those that are gone",
            "the group has more storages than can be kept in sync"
        );
    }
}
