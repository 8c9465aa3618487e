//! The state as the original's tables, and back.
//!
//! Source: wire protocol, "what a tracker persists". Tombstones are not saved; of the statuses only those
//! before the first beat outlive a restart.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fdfs_fileid::GroupName;
use fdfs_format::tracker::status::TrackerStatus;
use fdfs_format::tracker::sync_times::SyncTimes;
use fdfs_format::tracker::{groups, servers};
use fdfs_proto::{RwMode, StorageId};

use crate::ids::{Identity, id_of_addr};
use crate::limits::{CHANGELOG_BYTES_MAX, GROUPS_MAX, MEMBERS_MAX};
use crate::status::{self, Cause};
use crate::{
    Cluster, Group, GroupPort, Member, Naming, Now, PathSpace, Saved, ServerAddrs, SyncSource, View,
};

/// The tables of a tracker's `data/` folder.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// `storage_groups_new.dat`
    pub groups: Vec<groups::Group>,
    /// `storage_servers_new.dat`
    pub servers: Vec<servers::Server>,
    /// `storage_sync_timestamp.dat`
    pub sync_times: Vec<SyncTimes>,
    /// `storage_changelog.dat`
    pub changelog: Vec<u8>,
    /// `.tracker_status`, from the run before.
    pub status: Option<TrackerStatus>,
}

/// Why saved tables cannot be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// More groups than a tracker keeps.
    #[error("more than {GROUPS_MAX} groups")]
    TooManyGroups,
    /// More storages than a group can have.
    #[error("group {0} has more than {MEMBERS_MAX} storages")]
    TooManyStorages(GroupName),
    /// A group that is listed twice.
    #[error("group {0} is listed twice")]
    GroupTwice(GroupName),
    /// A storage of a group that is not listed.
    #[error("storage {addr} is of group {group}, which is not listed")]
    UnknownGroup {
        /// The group.
        group: GroupName,
        /// The storage's address.
        addr: IpAddr,
    },
    /// A storage that is listed twice.
    #[error("storage {id} of group {group} is listed twice")]
    StorageTwice {
        /// Its group.
        group: GroupName,
        /// Its id.
        id: StorageId,
    },
    /// The changelog is longer than a tracker keeps.
    #[error("the changelog is longer than {CHANGELOG_BYTES_MAX} bytes")]
    ChangelogTooLong,
}

impl Saved {
    /// Takes over the tables of this tracker's last run, or of an original's.
    ///
    /// # Errors
    /// [`LoadError`] when they contradict each other or exceed a limit.
    pub fn from_tables(tables: Tables, naming: &Naming) -> Result<Self, LoadError> {
        if tables.groups.len() > GROUPS_MAX {
            return Err(LoadError::TooManyGroups);
        }
        if tables.changelog.len() > CHANGELOG_BYTES_MAX {
            return Err(LoadError::ChangelogTooLong);
        }
        let mut groups: BTreeMap<GroupName, Group> = BTreeMap::new();
        for row in &tables.groups {
            if groups.insert(row.group_name, group_of(row)).is_some() {
                return Err(LoadError::GroupTwice(row.group_name));
            }
        }
        // The columns of the times are in the order of the servers' rows.
        let mut order: BTreeMap<GroupName, Vec<StorageId>> = BTreeMap::new();
        for row in &tables.servers {
            let name = row.group_name;
            let unknown = LoadError::UnknownGroup { group: name, addr: row.ip_addr };
            let group = groups.get_mut(&name).ok_or(unknown)?;
            if group.members.len() == MEMBERS_MAX {
                return Err(LoadError::TooManyStorages(name));
            }
            let Some(member) = member_of(row, naming, tables.changelog.len() as u64) else { continue };
            order.entry(name).or_default().push(member.id);
            if let Some(twice) = group.members.insert(member.id, member) {
                return Err(LoadError::StorageTwice { group: name, id: twice.id });
            }
        }
        for row in &tables.sync_times {
            let Some(group) = groups.get_mut(&row.group_name) else { continue };
            let ids = order.get(&row.group_name).map(Vec::as_slice).unwrap_or_default();
            for (dest, until) in ids.iter().zip(&row.synced_until) {
                match u32::try_from(*until) {
                    Ok(until) if until > 0 => group.synced.insert((row.source, *dest), until),
                    _ => None,
                };
            }
        }
        Ok(Self {
            groups: groups.into_values().collect(),
            changelog: tables.changelog,
            last_check: tables.status.map(|status| status.last_check_time),
        })
    }
}

fn group_of(row: &groups::Group) -> Group {
    let port = match u16::try_from(row.storage_port) {
        Ok(0) => GroupPort::Unset,
        Ok(port) => GroupPort::One(port),
        Err(_) => GroupPort::Mixed,
    };
    Group {
        port,
        store_path_count: row.store_path_count.into(),
        subdir_count: row.subdir_count_per_path.into(),
        trunk_file_id: row.current_trunk_file_id,
        trunk_server: row.trunk_server,
        last_trunk_server: row.last_trunk_server,
        trunk_changes: u64::from(row.trunk_server.is_some()),
        ..Group::new(row.group_name)
    }
}

/// A saved storage. Its addresses and mode are those of the table of ids, if there is one; the file knows one
/// address only. None when it has neither a saved id nor an address that makes one.
fn member_of(row: &servers::Server, naming: &Naming, changelog_len: u64) -> Option<Member> {
    let id = row.id.or_else(|| id_of_addr(row.ip_addr))?;
    let entry = naming.table().and_then(|table| table.by_id_text(id.as_str())).and_then(Identity::of_entry);
    let (addrs, rw) = match entry {
        Some(entry) => (entry.addrs, entry.rw),
        None => (ServerAddrs::one(row.ip_addr), RwMode::Both),
    };
    let status = status::after(Cause::TrackerRestarted, row.status);
    let mut member = Member::new(id, addrs, row.storage_port, status, rw);
    member.version = row.version;
    member.join_time = row.join_time;
    member.sync_source =
        row.sync_src_server.map(|source| SyncSource { source, until: row.sync_until_timestamp });
    member.space = PathSpace { total_mb: row.total_mb, free_mb: row.free_mb };
    member.changelog_offset = row.changelog_offset.min(changelog_len);
    member.store_path_count = row.store_path_count.into();
    member.subdir_count = row.subdir_count_per_path.into();
    member.upload_priority = row.upload_priority.into();
    member.stat = row.stat;
    Some(member)
}

impl View {
    /// The groups table.
    pub fn groups_table(&self) -> Vec<groups::Group> {
        self.groups()
            .map(|group| groups::Group {
                group_name: group.name,
                storage_port: group.port.number(),
                store_path_count: clamp(group.store_path_count),
                subdir_count_per_path: clamp(group.subdir_count),
                current_trunk_file_id: group.trunk_file_id,
                trunk_server: group.trunk_server,
                last_trunk_server: group.last_trunk_server,
            })
            .collect()
    }

    /// The servers table: groups by name, storages by id, tombstones left out.
    pub fn servers_table(&self) -> Vec<servers::Server> {
        let by_table = self.config.naming.table().is_some();
        self.groups()
            .flat_map(|group| group.standing().map(move |member| (group.name, member)))
            .map(|(group_name, member)| servers::Server {
                id: by_table.then_some(member.id),
                group_name,
                ip_addr: member.addrs.first(),
                status: member.status,
                version: member.version,
                join_time: member.join_time,
                storage_port: member.port,
                sync_src_server: member.sync_source.map(|source| source.source),
                sync_until_timestamp: member.sync_source.map_or(0, |source| source.until),
                total_mb: member.space.total_mb,
                free_mb: member.space.free_mb,
                changelog_offset: member.changelog_offset,
                store_path_count: clamp(member.store_path_count),
                subdir_count_per_path: clamp(member.subdir_count),
                upload_priority: i32::try_from(member.upload_priority).unwrap_or(i32::MAX),
                stat: member.stat,
            })
            .collect()
    }

    /// The table of synchronisation times: a row per source, a column per destination, both in the order of
    /// the servers table.
    pub fn sync_times_table(&self) -> Vec<SyncTimes> {
        let mut rows = Vec::new();
        for group in self.groups() {
            for source in group.standing() {
                let until = |dest: &Member| group.synced.get(&(source.id, dest.id)).copied().unwrap_or(0);
                rows.push(SyncTimes {
                    group_name: group.name,
                    source: source.id,
                    synced_until: group.standing().map(|dest| i64::from(until(dest))).collect(),
                });
            }
        }
        rows
    }

    /// The status file.
    pub fn status_table(&self, now: Now) -> TrackerStatus {
        TrackerStatus { up_time: self.config.up_time, last_check_time: now.wall }
    }
}

impl Cluster {
    /// Everything that is saved, as tables.
    pub fn tables(&mut self, now: Now) -> Tables {
        let view = self.view();
        Tables {
            groups: view.groups_table(),
            servers: view.servers_table(),
            sync_times: view.sync_times_table(),
            changelog: self.changelog().to_vec(),
            status: Some(view.status_table(now)),
        }
    }
}

/// Counts are at most 256, as JOIN has checked.
fn clamp(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
