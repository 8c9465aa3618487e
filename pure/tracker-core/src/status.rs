//! The life cycle of a storage, as data.
//!
//! Source: wire protocol, "who moves a storage, and when".

use fdfs_proto::StorageStatus::{
    self, Active, Deleted, Init, IpChanged, Offline, Online, Recovery, Syncing, WaitSync,
};

/// What can move a known storage from one status to another, apart from reports that name the new status
/// themselves ([`merged`], [`requested`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It joined.
    Joined,
    /// It asked for a source of old data and there is no other live server.
    NoSourceNeeded,
    /// It asked for a source of old data and got one.
    SourceFound,
    /// It said that it has a source.
    SourceNotified,
    /// It said that it needs no source.
    NoSourceNotified,
    /// It beat, or reported its disks, on a joined connection.
    Beat,
    /// It was silent for too long.
    Silent,
    /// Its last joined connection closed.
    Closed,
    /// This tracker started again and found it in its files. Who has left stays away, which the original forgets.
    TrackerRestarted,
}

/// One row: from any of these statuses, `cause` leads to `to`.
struct Row {
    cause: Cause,
    from: &'static [StorageStatus],
    to: StorageStatus,
}

const ROWS: &[Row] = &[
    Row { cause: Cause::Joined, from: &[Deleted, IpChanged], to: Init },
    Row { cause: Cause::Joined, from: &[Offline, Recovery], to: Online },
    Row { cause: Cause::NoSourceNeeded, from: &StorageStatus::ALL, to: Online },
    Row { cause: Cause::SourceFound, from: &StorageStatus::ALL, to: WaitSync },
    Row { cause: Cause::SourceNotified, from: &[Init], to: WaitSync },
    Row { cause: Cause::NoSourceNotified, from: &[Init, WaitSync, Syncing], to: Online },
    Row { cause: Cause::Beat, from: &[Offline, Online, Recovery, Deleted], to: Active },
    Row { cause: Cause::Silent, from: &[Active], to: Offline },
    Row { cause: Cause::Closed, from: &[Active, Online, Offline], to: Offline },
    Row {
        cause: Cause::TrackerRestarted,
        from: &[Offline, Online, Active, Recovery, StorageStatus::None],
        to: Offline,
    },
];

/// The status after `cause`; unchanged where the table has no row.
pub fn after(cause: Cause, from: StorageStatus) -> StorageStatus {
    ROWS.iter().find(|row| row.cause == cause && row.from.contains(&from)).map_or(from, |row| row.to)
}

/// The status in which a storage that this tracker did not know begins, from what its JOIN claims; none
/// when the claim is impossible (wire protocol: JOIN).
///
/// `claimed` is none while the storage does not know its own status.
pub fn first(initialising: bool, claimed: Option<StorageStatus>) -> Option<StorageStatus> {
    if initialising {
        return Some(Init);
    }
    match claimed? {
        Deleted | IpChanged | StorageStatus::None => None,
        Active => Some(Online),
        other => Some(other),
    }
}

/// The status after another server reported `reported` about a storage known as `known` (wire protocol:
/// REPORT_STATUS and REPLICA_CHG).
///
/// That a storage serves is not taken on the word of others: it counts as OFFLINE, from where its own next beat
/// lifts it. The original stores ACTIVE and serves nothing from it.
///
/// Nor is it that one which was deleted, or has another address now, is back: who says so may not have heard yet. It joins
/// when it is. The original believes whoever names a higher status.
///
/// `about_itself`: the storage reports its own status. It may then go to RECOVERY although it is taken to be
/// serving: it restarted without this tracker seeing its connection end. The original ignores that and sends
/// clients to a closed port until the storage counts as silent.
pub fn merged(known: StorageStatus, reported: StorageStatus, about_itself: bool) -> StorageStatus {
    match (known, reported) {
        (_, StorageStatus::None) => known,
        (Online | Active, Recovery) if about_itself => Recovery,
        (Init | Online | Active | Recovery, _) => known,
        (_, Deleted | IpChanged) => reported,
        (Deleted | IpChanged, _) if !about_itself => known,
        (_, Online | Active) => known.max(Offline),
        _ => known.max(reported),
    }
}

/// Whether a storage that this tracker does not know is taken in when another server reports it so (wire
/// protocol: REPORT_STATUS and REPLICA_CHG).
pub fn taken_in(reported: StorageStatus) -> bool {
    !matches!(reported, Deleted | IpChanged | Active | Online | StorageStatus::None)
}

/// The status after a storage asked for `requested` on its own behalf (wire protocol: CHANGE_STATUS).
pub fn requested(known: StorageStatus, requested: StorageStatus) -> StorageStatus {
    let connected_or_not = |status| matches!(status, Offline | Online | Active);
    match requested {
        _ if connected_or_not(known) && connected_or_not(requested) => known,
        // Serving is earned by beats on this tracker's own connection.
        Online | Active => Offline,
        StorageStatus::None => known,
        other => other,
    }
}

/// Whether a storage may be the source of another's old data, or is about to be again.
pub(crate) fn has_data(status: StorageStatus) -> bool {
    matches!(status, Offline | Online | Active)
}

/// A record that only remembers that a storage was here.
pub(crate) fn is_tombstone(status: StorageStatus) -> bool {
    matches!(status, Deleted | IpChanged)
}
