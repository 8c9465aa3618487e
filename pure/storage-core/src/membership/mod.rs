//! What this storage knows about its cluster, put together from what all its trackers say.
//!
//! Every [`TrackerLink`](crate::tracker_link::TrackerLink) reads and changes it: which group and id this
//! storage has (`identity`), whether the question where its old data comes from is settled (`source`),
//! which servers the group has and in which status (`merge`). It decides; the links carry messages.

mod identity;
mod leader;
mod merge;
mod source;
mod view;

use std::net::IpAddr;
use std::sync::Arc;

use fdfs_conf::StorageIds;
use fdfs_fileid::GroupName;
use fdfs_proto::tracker::join;
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::{Brief, Host, StorageId, StorageStatus};
use std::collections::{BTreeMap, BTreeSet};

pub use identity::{Identity, IdentityProblem, OwnIps, Wanted};
use leader::Dispute;
pub(crate) use leader::LeaderDuty;
pub use merge::Merged;
use source::{Copy, SourceSearch};
pub(crate) use source::{Recheck, SourceDuty};
pub use view::{ClusterView, Peer, TrackerSeen, has_left};

/// Which tracker, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackerIndex(pub u8);

/// What the configuration says about this storage's place in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `group_name`; `None`: a tracker knows it.
    pub group: Option<GroupName>,
    /// The port announced to the cluster.
    pub port: u16,
    /// `server_id`, counted when the tracker trusts it.
    pub server_id: Option<u32>,
    /// Addresses of this machine, as far as they are known; only used to find the own line among the
    /// storage ids.
    pub local_ips: Vec<IpAddr>,
    /// How many trackers the configuration names, 1 to 16.
    pub tracker_count: u8,
}

/// What outlives a restart, the cluster's part of `.data_init_flag` (storage internals: `.data_init_flag`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRecord {
    /// Unix second of the first start.
    pub join_time: i64,
    /// Whether it is settled where the old data comes from (or that none is needed).
    pub source_settled: bool,
    /// The storage that sends the old data.
    pub source: Option<StorageId>,
    /// Unix second up to which it sends them.
    pub until: i64,
    /// The addresses under which the trackers last knew this storage, `a` or `a,b`; empty when never.
    pub last_ips: String,
    /// The port it last announced; `None` in files of old versions.
    pub last_port: Option<u16>,
}

impl JoinRecord {
    /// The record of a storage that starts for the first time.
    pub fn first(now: i64) -> Self {
        Self {
            join_time: now,
            source_settled: false,
            source: None,
            until: 0,
            last_ips: String::new(),
            last_port: None,
        }
    }
}

/// One tracker as this storage sees it.
#[derive(Clone, Debug, Default)]
struct Link {
    /// Its addresses, once its name is looked up.
    host: Option<Host>,
    /// It has answered a JOIN, with whatever status.
    answered_join: bool,
    /// The connection is joined now.
    joined: bool,
    /// The status it gave this storage when it joined, and what the messages since then must have made of it.
    my_status: Option<StorageStatus>,
    /// The status it last listed this storage with.
    listed_status: Option<StorageStatus>,
    /// It has to hear what the leader says about this storage.
    to_correct: bool,
    /// It knows that this storage has to copy old files: what it says from then on tells whether the copy
    /// is complete.
    knows_copy: bool,
    /// It does not know the source of the old data (any more).
    source_unknown: bool,
    /// It has acknowledged the change of address.
    told_new_ip: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Membership {
    settings: Settings,
    record: JoinRecord,
    links: Vec<Link>,
    /// As configured, or as a tracker said.
    group: Option<GroupName>,
    parameters: Option<Parameters>,
    ids: Option<Arc<StorageIds>>,
    own_ips: Option<OwnIps>,
    identity: Option<Arc<Identity>>,
    /// All servers of the group, this one included.
    servers: BTreeMap<StorageId, Peer>,
    leader: Option<Host>,
    dispute: Dispute,
    trunk_server: Option<StorageId>,
    /// Number of the newest trunk file that a tracker knew after it had named this storage trunk server.
    trunk_file_id: Option<u32>,
    /// Grows with every change of `trunk_server`.
    trunk_epoch: u64,
    search: SourceSearch,
    /// How much of the old data is here.
    copy: Copy,
    /// Grows when links must send their notification about the source again.
    source_epoch: u32,
    /// Grows with every change that others may want to see.
    version: u64,
    /// Grows with every change of `record`.
    record_version: u64,
    /// Servers that did not fit into the table, by what was last said.
    surplus: BTreeSet<StorageId>,
    /// Servers of the group that got another id with another address, by the id before.
    moved: BTreeMap<StorageId, StorageId>,
}

impl Membership {
    /// Starts with what the configuration and the last run left.
    pub fn new(settings: Settings, record: JoinRecord) -> Self {
        let links = vec![Link::default(); usize::from(settings.tracker_count)];
        Self {
            copy: Copy::of_earlier_run(&record),
            group: settings.group,
            settings,
            record,
            links,
            parameters: None,
            ids: None,
            own_ips: None,
            identity: None,
            servers: BTreeMap::new(),
            leader: None,
            dispute: Dispute::default(),
            trunk_server: None,
            trunk_file_id: None,
            trunk_epoch: 0,
            search: SourceSearch::default(),
            source_epoch: 0,
            version: 0,
            record_version: 0,
            surplus: BTreeSet::new(),
            moved: BTreeMap::new(),
        }
    }

    /// Grows with every change that others may want to see: other links, and readers of [`Membership::view`].
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What must be kept on disk.
    pub fn record(&self) -> &JoinRecord {
        &self.record
    }

    /// Grows with every change of [`Membership::record`].
    pub(crate) fn record_version(&self) -> u64 {
        self.record_version
    }

    /// What holds for the whole cluster, once a tracker said so.
    pub fn parameters(&self) -> Option<&Parameters> {
        self.parameters.as_ref()
    }

    /// Notes the addresses of a tracker.
    pub fn tracker_found(&mut self, tracker: TrackerIndex, host: Host) {
        if let Some(link) = self.link_mut(tracker)
            && link.host != Some(host)
        {
            link.host = Some(host);
            self.touch();
        }
    }

    /// The trackers that a JOIN lists: all whose addresses are known.
    pub(crate) fn tracker_list(&self) -> Vec<Host> {
        self.links.iter().filter_map(|link| link.host).collect()
    }

    /// The status a JOIN claims: what the cluster last said about this storage, in a list or in answer to
    /// another JOIN. As long as it never said anything: INIT when no tracker can know better any more,
    /// otherwise none, so that a tracker that just lost its memory does not take an established storage for
    /// a new one (wire protocol: JOIN).
    ///
    /// The original goes by lists only. A tracker that comes back without knowing a storage that another
    /// one has as complete then takes it for a new one, leads, and has the others take it for one too.
    pub(crate) fn status_to_claim(&self) -> Option<StorageStatus> {
        let listed = self.my_listed_status().filter(|status| {
            !matches!(status, StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None)
        });
        let nobody_left = self.links.len() == 1 || self.links.iter().all(|link| link.answered_join);
        listed.or_else(|| self.status_by_joins()).or(nobody_left.then_some(StorageStatus::Init))
    }

    /// The furthest status that a tracker this storage is joined to gave it.
    fn status_by_joins(&self) -> Option<StorageStatus> {
        self.links.iter().filter(|link| link.joined).filter_map(|link| link.my_status).max()
    }

    /// A tracker answered a JOIN; `reply` is `None` when it refused.
    pub(crate) fn join_answered(&mut self, tracker: TrackerIndex, reply: Option<&join::Got>) {
        if let Some(link) = self.link_mut(tracker) {
            link.answered_join = true;
            link.joined = reply.is_some();
            link.my_status = reply.map(|reply| reply.status);
            link.listed_status = None;
            link.to_correct = false;
            self.touch();
        }
        if let Some(reply) = reply {
            self.status_seen(tracker, reply.status);
        }
    }

    /// The connection to a tracker is gone.
    pub(crate) fn link_lost(&mut self, tracker: TrackerIndex) {
        self.release_search(tracker);
        self.dispute.forget(tracker);
        let host = self.link(tracker).and_then(|link| link.host);
        if host.is_some() && self.leader == host {
            // Whoever leads now says so on its own connection.
            self.leader = None;
            self.touch();
        }
        if let Some(link) = self.link_mut(tracker)
            && link.joined
        {
            link.joined = false;
            link.my_status = None;
            link.listed_status = None;
            link.to_correct = false;
            link.source_unknown = false;
            self.touch();
        }
    }

    /// Whether this storage is the trunk server of its group.
    pub(crate) fn is_trunk_server(&self) -> bool {
        self.identity.as_ref().is_some_and(|me| self.trunk_server == Some(me.id))
    }

    /// Grows with every change of the trunk server.
    pub(crate) fn trunk_epoch(&self) -> u64 {
        self.trunk_epoch
    }

    /// A tracker knows this as the number of the newest trunk file.
    pub(crate) fn trunk_file_found(&mut self, id: u32) {
        let newest = self.trunk_file_id.map_or(id, |known| known.max(id));
        if self.is_trunk_server() && self.trunk_file_id != Some(newest) {
            self.trunk_file_id = Some(newest);
            self.touch();
        }
    }

    fn my_listed_status(&self) -> Option<StorageStatus> {
        let identity = self.identity.as_ref()?;
        self.servers.get(&identity.id).map(|server| server.status)
    }

    /// What was listed about this storage holds no more.
    fn forget_my_status(&mut self) {
        if let Some(me) = &self.identity {
            self.servers.remove(&me.id);
        }
    }

    fn is_me(&self, brief: &Brief) -> bool {
        self.identity.as_ref().is_some_and(|me| brief.id == Some(me.id))
    }

    fn link(&self, tracker: TrackerIndex) -> Option<&Link> {
        self.links.get(usize::from(tracker.0))
    }

    fn link_mut(&mut self, tracker: TrackerIndex) -> Option<&mut Link> {
        self.links.get_mut(usize::from(tracker.0))
    }

    fn touch(&mut self) {
        self.version += 1;
    }

    fn change_record(&mut self, change: impl FnOnce(&mut JoinRecord)) {
        let before = self.record.clone();
        change(&mut self.record);
        if self.record != before {
            self.record_version += 1;
            self.touch();
        }
    }
}
