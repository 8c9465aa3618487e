//! A storage goes through the statuses in the order of its life, at every tracker, and none has it as serving before its
//! source has sent all old files.

use fdfs_proto::StorageStatus::{
    self, Active, Deleted, Init, IpChanged, Offline, Online, Recovery, Syncing, WaitSync,
};

use crate::scenario::World;

/// Written out here, not taken from the code under test (storage internals: status values; wire protocol: who moves a
/// storage, and when).
const LEGAL: [(StorageStatus, &[StorageStatus]); 9] = [
    (Init, &[WaitSync, Online]),
    // Reports of its source may overtake each other, and a tracker that was away hears of the end only.
    (WaitSync, &[Syncing, Offline, Online]),
    // Back to WAIT_SYNC: the answer to its question for a source (87) was lost, and it asked again.
    (Syncing, &[Offline, Online, WaitSync]),
    // Deleted by an administrator.
    (Offline, &[Online, Active, Recovery, Deleted]),
    (Online, &[Active, Offline, Recovery, WaitSync]),
    (Active, &[Offline, Recovery]),
    (Recovery, &[Online, Offline, Active]),
    (Deleted, &[Init]),
    (IpChanged, &[Init]),
];

/// A follower may be told what the leader last said, which can be an earlier stage of the copy (CHANGE_STATUS 59).
fn told_by_leader(moved: &crate::history::Moved) -> bool {
    !moved.leads && matches!(moved.new, WaitSync | Syncing)
}

pub(super) fn legal(world: &mut World) -> Result<(), String> {
    for moved in std::mem::take(&mut world.env.history.moved) {
        let what = format!(
            "{} of {} went from {:?} to {:?} at tracker {}",
            moved.id, moved.group, moved.old, moved.new, world.env.ips[moved.tracker]
        );
        let row = LEGAL.iter().find(|(from, _)| *from == moved.old);
        if !row.is_some_and(|(_, to)| to.contains(&moved.new)) && !told_by_leader(&moved) {
            return Err(what);
        }
        if moved.new == Active && moved.copy_under_way {
            return Err(format!("{what} before it has its old files"));
        }
    }
    Ok(())
}
