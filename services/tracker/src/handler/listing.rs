//! What monitors ask: 90, 91, 92, 96, 97, 98.

use fdfs_proto::tracker::{
    list_groups, list_storages, storage_cluster_stat, storage_volume_stat, tracker_cluster_stat,
};
use fdfs_proto::{GroupField, HEADER_LEN, Status};
use tracker_core::Caller;

use super::{Answer, body, group};
use crate::shell::Shell;

/// LIST_ONE_GROUP (90).
pub(super) fn one_group(shell: &Shell, name: GroupField) -> Answer {
    let stat = shell.view().group_stat(group(name)?)?;
    Ok(body(|out| stat.encode(out)))
}

/// LIST_ALL_GROUPS (91).
pub(super) fn all_groups(shell: &Shell) -> Answer {
    let got = list_groups::GotAll { groups: shell.view().group_stats() };
    within(shell, body(|out| got.encode(out)), Status::ENOSPC)
}

/// LIST_STORAGE (92).
pub(super) fn storages(shell: &Shell, from: Caller, asked: list_storages::Ask) -> Answer {
    let got = shell.view().storage_stats(group(asked.group)?, asked.id, from.peer)?;
    Ok(body(|out| got.encode(shell.answers.width, out)))
}

/// TRACKER_CLUSTER_STAT (96).
pub(super) fn trackers(shell: &Shell, from: Caller, asked: tracker_cluster_stat::Ask) -> Answer {
    let got = shell.view().tracker_stats(shell.clock.now(), asked, shell.connections(), from.peer)?;
    Ok(body(|out| got.encode(out)))
}

/// STORAGE_CLUSTER_STAT (97).
pub(super) fn cluster(shell: &Shell, from: Caller, asked: storage_cluster_stat::Ask) -> Answer {
    let got = shell.view().storage_cluster_stats(asked, from.peer);
    within(shell, body(|out| got.encode(out)), Status::EINVAL)
}

/// STORAGE_VOLUMN_STAT (98).
pub(super) fn volumes(shell: &Shell, asked: storage_volume_stat::Ask) -> Answer {
    let got = shell.view().volume_stats(asked);
    within(shell, body(|out| got.encode(out)), Status::EINVAL)
}

/// An answer that grows with the cluster, unless it is longer than the tracker may send.
fn within(shell: &Shell, body: Vec<u8>, too_long: Status) -> Answer {
    let len = (HEADER_LEN + body.len()) as u64;
    if len <= shell.answers.message_max { Ok(body) } else { Err(too_long) }
}
