//! What others may see of the cluster: an unchanging picture, made anew after each change.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fdfs_conf::StorageIds;
use fdfs_fileid::Source;
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::{Brief, Host, IpText, StorageId, StorageStatus};

use super::{Identity, Membership};
use crate::space::{PathMode, Reserve};

/// Another server of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it stands.
    pub status: StorageStatus,
    /// Its (first) address as text.
    pub ip: IpText,
    /// Its port.
    pub port: u16,
}

impl Peer {
    pub(super) fn brief(&self, id: StorageId) -> Brief {
        Brief { status: self.status, port: self.port, id: Some(id), ip: self.ip }
    }
}

/// A tracker of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackerSeen {
    /// Its addresses; `None` until its name is looked up.
    pub host: Option<Host>,
    /// Whether this storage is joined there now.
    pub joined: bool,
}

/// The cluster as this storage sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Who this storage is; `None` until a tracker was reached. Without it no file can be named.
    pub identity: Option<Arc<Identity>>,
    /// What holds for the whole cluster; `None` until a tracker was reached.
    pub parameters: Option<Parameters>,
    /// The storage ids of the cluster, when they are used.
    pub ids: Option<Arc<StorageIds>>,
    /// This storage's own status, as the leading tracker has it, or as any tracker had it when this storage
    /// joined.
    pub my_status: Option<StorageStatus>,
    /// Whether a tracker has listed the group with this storage in it, so that [`Self::peers`] says who else there is.
    /// That it serves it may hear before, in answer to a JOIN.
    pub is_listed: bool,
    /// The other servers of the group.
    pub peers: BTreeMap<StorageId, Peer>,
    /// Servers of the group beyond the 32 that a group can have.
    pub surplus: usize,
    /// Servers of the group that got another id with another address since this one started, by the id before.
    pub moved: BTreeMap<StorageId, StorageId>,
    /// The leading tracker.
    pub leader: Option<Host>,
    /// The trunk server of the group.
    pub trunk_server: Option<StorageId>,
    /// While that is this storage, and a tracker was asked: number of the newest trunk file as trackers know it.
    pub trunk_file_id: Option<u32>,
    /// The trackers, in the order of the configuration.
    pub trackers: Vec<TrackerSeen>,
    /// Whether it is settled where the old data comes from.
    pub source_settled: bool,
    /// Every tracker has lost the source of the old data, and another one is being looked for.
    pub source_in_doubt: bool,
}

impl ClusterView {
    /// What uploads must leave free.
    pub fn reserve(&self) -> Reserve {
        self.parameters.map(|parameters| parameters.reserved_storage_space.into()).unwrap_or_default()
    }

    /// How a store path is chosen when the client leaves it open.
    pub fn path_mode(&self) -> PathMode {
        self.parameters.map(|parameters| PathMode::from_code(parameters.store_path)).unwrap_or_default()
    }

    /// The address of the storage that a file name gives as its source, as `requester` should see it;
    /// `None` for an id that is not known.
    pub fn source_ip(&self, source: Source, requester: IpAddr) -> Option<IpAddr> {
        match source {
            Source::Ip(ip) => Some(IpAddr::V4(ip)),
            Source::Id(id) => {
                // Without ids it is an address that reads as one.
                let Some(ids) = &self.ids else { return Some(IpAddr::V4(source.address())) };
                let entry = ids.by_id(id)?;
                let peer = StorageId::new(id.to_string().as_bytes()).and_then(|id| self.peers.get(&id));
                // The table is that of this storage's start; where a server is now comes with every list.
                let moved_to = peer.and_then(|peer| peer.ip.ip());
                let moved_to = moved_to.filter(|now| entry.addr.ips().all(|known| known != *now));
                moved_to.or_else(|| entry.addr.shown_to(requester).ip())
            }
        }
    }

    /// The server of the group that has, or once had, an id; an id that nobody is known to have had stays what it is.
    pub fn now_called(&self, id: StorageId) -> StorageId {
        let mut now = id;
        // No id leads back to itself, as the newest one of a server leads nowhere.
        while let Some(next) = self.moved.get(&now).filter(|_| !self.is_in_use(&now)) {
            now = *next;
        }
        now
    }

    /// Whether a server of the group, this one included, has an id.
    fn is_in_use(&self, id: &StorageId) -> bool {
        self.identity.as_ref().is_some_and(|me| me.id == *id)
            || self.peers.get(id).is_some_and(|peer| !has_left(peer.status))
    }

    /// The ids that a server had before this one.
    pub fn earlier_ids(&self, id: StorageId) -> impl Iterator<Item = StorageId> {
        self.moved.keys().copied().filter(move |old| *old != id && self.now_called(*old) == id)
    }
}

/// Whether a server of this status is none of the group any more.
pub fn has_left(status: StorageStatus) -> bool {
    matches!(status, StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None)
}

impl Membership {
    /// The picture as of now.
    pub fn view(&self) -> ClusterView {
        let me = self.identity.as_ref().map(|me| me.id);
        ClusterView {
            identity: self.identity.clone(),
            parameters: self.parameters,
            ids: self.ids.clone(),
            is_listed: self.my_listed_status().is_some(),
            my_status: self.my_listed_status().or_else(|| self.status_by_joins()),
            peers: self
                .servers
                .iter()
                .filter(|(id, _)| Some(**id) != me)
                .map(|(id, peer)| (*id, *peer))
                .collect(),
            surplus: self.surplus.len(),
            moved: self.moved.clone(),
            leader: self.leader,
            trunk_server: self.trunk_server,
            trunk_file_id: self.trunk_file_id,
            trackers: self
                .links
                .iter()
                .map(|link| TrackerSeen { host: link.host, joined: link.joined })
                .collect(),
            source_settled: self.record.source_settled,
            source_in_doubt: self.source_in_doubt(),
        }
    }
}
