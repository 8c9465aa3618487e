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
    /// The other servers of the group.
    pub peers: BTreeMap<StorageId, Peer>,
    /// Servers of the group beyond the 32 that a group can have.
    pub surplus: usize,
    /// The leading tracker.
    pub leader: Option<Host>,
    /// The trunk server of the group.
    pub trunk_server: Option<StorageId>,
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
            Source::Id(id) => match &self.ids {
                Some(ids) => ids.by_id(id)?.addr.shown_to(requester).ip(),
                // Without ids it is an address that reads as one.
                None => Some(IpAddr::V4(source.address())),
            },
        }
    }
}

impl Membership {
    /// The picture as of now.
    pub fn view(&self) -> ClusterView {
        let me = self.identity.as_ref().map(|me| me.id);
        ClusterView {
            identity: self.identity.clone(),
            parameters: self.parameters,
            ids: self.ids.clone(),
            my_status: self.my_listed_status().or_else(|| self.status_by_joins()),
            peers: self
                .servers
                .iter()
                .filter(|(id, _)| Some(**id) != me)
                .map(|(id, peer)| (*id, *peer))
                .collect(),
            surplus: self.surplus.len(),
            leader: self.leader,
            trunk_server: self.trunk_server,
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
