//! The cluster at one instant, for questions that change nothing but whose turn it is.

mod query;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fdfs_fileid::GroupName;
use fdfs_proto::tracker::leader::Connections;
use fdfs_proto::tracker::list_groups::GroupStat;
use fdfs_proto::tracker::list_storages::{Figures, StorageStat, Who};
use fdfs_proto::tracker::{
    list_storages, storage_cluster_stat, storage_volume_stat, tracker_cluster_stat, tracker_status,
};
use fdfs_proto::{Brief, Host, HostText, IpText, StorageId};

use crate::group::GroupPort;
use crate::leader::{ElectionTimes, RunningFigures, Tracker, Trackers};
use crate::placement::leaves_room;
use crate::{ClusterConfig, Group, Member, Now, PathSpace, Refusal, Turn};

/// The cluster at one instant. Shared, and immutable but for the turns, which it has in common with the machine
/// and all other views; taking one copies nothing but references.
#[derive(Debug, Clone)]
pub struct View {
    pub(crate) config: Arc<ClusterConfig>,
    pub(crate) groups: BTreeMap<GroupName, Arc<Group>>,
    /// The number of the group that is tried first for the next upload that names none.
    pub(crate) group_turn: Turn,
    pub(crate) trackers: Trackers,
    pub(crate) last_check: Option<i64>,
}

/// `filter_by` of TRACKER_CLUSTER_STAT.
const BY_ACTIVE: u8 = 1;
/// `filter_by` of TRACKER_CLUSTER_STAT.
const BY_LEADER: u8 = 2;
/// `filter_by` of STORAGE_CLUSTER_STAT.
const BY_TRUNK_SERVER: u8 = 1;
/// `filter_by` of STORAGE_CLUSTER_STAT.
const BY_STATUS: u8 = 2;
/// `filter_by` of STORAGE_VOLUMN_STAT.
const BY_DISK: u8 = 1;
/// `filter_by` of STORAGE_VOLUMN_STAT.
const BY_TRUNK: u8 = 2;
/// `filter_by` of STORAGE_VOLUMN_STAT.
const BY_SPACE: u8 = 4;

impl View {
    /// The groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().map(Arc::as_ref)
    }

    /// A group.
    pub fn group(&self, name: GroupName) -> Result<&Group, Refusal> {
        self.groups.get(&name).map(Arc::as_ref).ok_or(Refusal::UnknownGroup)
    }

    /// How long everything around an election takes.
    pub fn election_times(&self) -> ElectionTimes {
        self.config.election
    }

    /// The trackers.
    pub fn trackers(&self) -> &Trackers {
        &self.trackers
    }

    /// LIST_ONE_GROUP (90).
    pub fn group_stat(&self, name: GroupName) -> Result<GroupStat, Refusal> {
        self.group(name).map(|group| self.stat_of(group))
    }

    /// LIST_ALL_GROUPS (91).
    pub fn group_stats(&self) -> Vec<GroupStat> {
        self.groups().map(|group| self.stat_of(group)).collect()
    }

    fn stat_of(&self, group: &Group) -> GroupStat {
        GroupStat {
            group: group.name,
            total_mb: group.space.total_mb,
            free_mb: group.space.free_mb,
            reserved_mb: self.reserved_mb(group.space),
            trunk_free_mb: group.trunk_free_mb,
            storage_count: group.members.len() as u64,
            storage_port: match group.port {
                GroupPort::Unset => Some(0),
                GroupPort::One(port) => Some(port),
                GroupPort::Mixed => None,
            },
            readable_server_count: group.readable().count() as u64,
            writable_server_count: group.writable().count() as u64,
            current_write_server: group.write_turn.get() as u64,
            store_path_count: group.store_path_count.into(),
            subdir_count_per_path: group.subdir_count.into(),
            current_trunk_file_id: self.config.placement.use_trunk.then_some(group.trunk_file_id),
        }
    }

    fn reserved_mb(&self, space: PathSpace) -> u64 {
        self.config.placement.choice.reserved_storage_space.of_total_mb(space.total_mb)
    }

    /// LIST_STORAGE (92): all storages of a group, or one.
    pub fn storage_stats(
        &self,
        name: GroupName,
        id: Option<StorageId>,
        peer: IpAddr,
    ) -> Result<list_storages::Got, Refusal> {
        let group = self.group(name)?;
        let storages: Vec<StorageStat> = group
            .members
            .values()
            .filter(|member| id.is_none_or(|id| member.id == id))
            .map(|member| self.storage_stat(group, member, peer))
            .collect();
        if id.is_some() && storages.is_empty() {
            return Err(Refusal::UnknownStorage);
        }
        Ok(list_storages::Got { storages })
    }

    fn storage_stat(&self, group: &Group, member: &Member, peer: IpAddr) -> StorageStat {
        StorageStat {
            who: Who { status: member.status, rw_mode: member.rw, id: member.id },
            ip: IpText::from(member.addrs.seen_by(peer)),
            figures: Figures {
                src_id: member.sync_source.map(|source| source.source),
                version: member.version,
                join_time: member.join_time,
                up_time: member.up_time,
                total_mb: member.space.total_mb,
                free_mb: member.space.free_mb,
                reserved_mb: self.reserved_mb(member.space),
                upload_priority: member.upload_priority,
                store_path_count: member.store_path_count.into(),
                subdir_count_per_path: member.subdir_count.into(),
                current_write_path: member.path_turn.get() as u64,
                storage_port: member.port,
                stat: member.stat,
                is_trunk_server: group.trunk_server == Some(member.id),
            },
        }
    }

    /// STORAGE_GET_STATUS (71): the storage of a group at an address, with its first address.
    pub fn storage_at(&self, name: GroupName, addr: IpAddr, port: u16) -> Result<Brief, Refusal> {
        let group = self.group(name)?;
        let id = self.config.naming.id_at(&name, addr, port)?;
        let member = group.members.get(&id).ok_or(Refusal::UnknownStorage)?;
        Ok(Brief {
            status: member.status,
            port: member.port,
            id: Some(member.id),
            ip: IpText::from(member.addrs.first()),
        })
    }

    /// GET_LEADER (95).
    pub fn leader(&self, peer: IpAddr) -> Result<Host, Refusal> {
        let leader = self.trackers.leader().ok_or(Refusal::NoLeader)?;
        Ok(Host::new(leader.addrs.seen_by(peer), leader.port))
    }

    /// TRACKER_CLUSTER_STAT (96). `own` are the connection counts of this tracker.
    pub fn tracker_stats(
        &self,
        now: Now,
        ask: tracker_cluster_stat::Ask,
        own: Connections,
        peer: IpAddr,
    ) -> Result<tracker_cluster_stat::Got, Refusal> {
        if !self.trackers.leads() {
            return Err(Refusal::NotLeader);
        }
        // The list may know this tracker under several addresses as if it were several trackers.
        let mut me_before = false;
        let trackers = self
            .trackers
            .iter()
            .filter(|(_, is_me)| !(*is_me && std::mem::replace(&mut me_before, true)))
            .map(|(tracker, is_me)| self.tracker_stat(now, tracker, is_me, own, peer))
            .filter(|stat| ask.filter_by & BY_ACTIVE == 0 || stat.is_active == ask.is_active)
            .filter(|stat| ask.filter_by & BY_LEADER == 0 || stat.is_leader == ask.is_leader)
            .collect();
        Ok(tracker_cluster_stat::Got { trackers })
    }

    fn tracker_stat(
        &self,
        now: Now,
        tracker: &Tracker,
        is_me: bool,
        own: Connections,
        peer: IpAddr,
    ) -> tracker_cluster_stat::TrackerStat {
        let host = host_text(tracker.addrs.seen_by(peer), tracker.port);
        if is_me {
            return tracker_cluster_stat::TrackerStat {
                host,
                is_leader: true,
                is_active: true,
                connections: own,
                version: self.config.version,
                up_time: self.config.up_time,
                last_heartbeat_time: now.wall,
            };
        }
        let follower = tracker.follower;
        tracker_cluster_stat::TrackerStat {
            host,
            is_leader: false,
            is_active: tracker.pings(now.mono),
            connections: follower.map(|follower| follower.connections).unwrap_or_default(),
            version: follower.map(|follower| follower.version).unwrap_or_default(),
            up_time: follower.map_or(0, |follower| follower.up_time),
            last_heartbeat_time: follower.map_or(0, |follower| follower.last_ping_wall),
        }
    }

    /// TRACKER_GET_STATUS (64).
    pub fn running_figures(&self, now: Now) -> Result<tracker_status::Got, Refusal> {
        if self.groups.is_empty() {
            return Err(Refusal::NoGroups);
        }
        let figures = RunningFigures::new(now, self.config.up_time, self.last_check, self.trackers.leads());
        Ok(figures.into())
    }

    /// STORAGE_CLUSTER_STAT (97).
    pub fn storage_cluster_stats(
        &self,
        ask: storage_cluster_stat::Ask,
        peer: IpAddr,
    ) -> storage_cluster_stat::Got {
        let use_trunk_file = self.config.placement.use_trunk;
        let status_fits = |status: u8| match ask.op_type {
            b'=' => status == ask.status,
            b'!' => status != ask.status,
            _ => false,
        };
        let members =
            self.groups().flat_map(|group| group.members.values().map(move |member| (group, member)));
        let storages = members
            .map(|(group, member)| storage_cluster_stat::StorageStat {
                id: member.id,
                host: host_text(member.addrs.seen_by(peer), member.port),
                is_trunk_server: group.trunk_server == Some(member.id),
                status: member.status,
                connections: Connections {
                    alloc_count: member.stat.connection_alloc_count,
                    current_count: member.stat.connection_current_count,
                    max_count: member.stat.connection_max_count,
                },
                version: member.version,
                up_time: member.up_time,
                last_heartbeat_time: member.stat.last_heart_beat_time,
            })
            .filter(|stat| {
                !use_trunk_file
                    || ask.filter_by & BY_TRUNK_SERVER == 0
                    || stat.is_trunk_server == ask.is_trunk_server
            })
            .filter(|stat| ask.filter_by & BY_STATUS == 0 || status_fits(stat.status.code()))
            .collect();
        let use_storage_id = self.config.naming.table().is_some();
        storage_cluster_stat::Got { use_storage_id, use_trunk_file, storages }
    }

    /// STORAGE_VOLUMN_STAT (98).
    pub fn volume_stats(&self, ask: storage_volume_stat::Ask) -> storage_volume_stat::Got {
        let use_trunk_file = self.config.placement.use_trunk;
        let wanted = |bit: u8, is: bool, want: bool| ask.filter_by & bit == 0 || is == want;
        let groups = self
            .groups()
            .map(|group| self.volume_stat(group))
            .filter(|stat| {
                let (disk, trunk) = (stat.is_disk_available, stat.is_trunk_available);
                wanted(BY_DISK, disk, ask.is_disk_available)
                    && (!use_trunk_file || wanted(BY_TRUNK, trunk, ask.is_trunk_available))
                    && wanted(BY_SPACE, disk || trunk, ask.is_space_available)
            })
            .collect();
        storage_volume_stat::Got { use_trunk_file, groups }
    }

    fn volume_stat(&self, group: &Group) -> storage_volume_stat::VolumeStat {
        let reserved = self.config.placement.choice.reserved_storage_space;
        let reserved_mb = self.reserved_mb(group.space);
        let is_disk_available = leaves_room(reserved, group.space);
        let with_trunk =
            PathSpace { free_mb: group.space.free_mb.saturating_add(group.trunk_free_mb), ..group.space };
        let is_trunk_available =
            self.config.placement.use_trunk && group.trunk_free_mb > 0 && leaves_room(reserved, with_trunk);
        storage_volume_stat::VolumeStat {
            group: group.name,
            total_mb: group.space.total_mb,
            free_mb: group.space.free_mb,
            reserved_mb,
            avail_mb: if is_disk_available { group.space.free_mb.saturating_sub(reserved_mb) } else { 0 },
            trunk_free_mb: if is_trunk_available { group.trunk_free_mb } else { 0 },
            is_disk_available,
            is_trunk_available,
        }
    }
}

fn host_text(addr: IpAddr, port: u16) -> HostText {
    // The longest address with brackets and port has 52 bytes at most.
    HostText::new(Host::new(addr, port).to_string().as_bytes()).unwrap_or_default()
}
