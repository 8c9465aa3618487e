//! Every bound of the tracker's memory, named.

/// Groups a tracker keeps. One more is refused with ENOSPC (wire protocol: constants).
pub const GROUPS_MAX: usize = 512;

/// Storages in one group, tombstones included; the clients' arrays end here. One more is refused with
/// ENOSPC once no tombstone can be dropped for it (wire protocol: constants).
pub const MEMBERS_MAX: usize = 32;

/// Trackers in a cluster. One more is refused with ENOSPC (wire protocol: JOIN).
pub const TRACKERS_MAX: usize = 16;

/// Store paths of one storage, and directories per level below them (wire protocol: JOIN).
pub const STORE_PATHS_MAX: i64 = 256;

/// Addresses of one server: an inner and an outer one.
pub const ADDRESSES_MAX: usize = 2;

/// Addresses under which this tracker knows itself. Storages name them; more are not learnt.
pub const OWN_ADDRESSES_MAX: usize = 32;

/// Bytes of the changelog. It grows by a line per deletion or address change, some 40 bytes each; a change
/// that would not fit is refused with ENOSPC.
pub const CHANGELOG_BYTES_MAX: usize = 16 << 20;

/// Bytes of one answer to CHANGELOG_REQ; the storage comes back for the rest (wire protocol:
/// CHANGELOG_REQ).
pub const CHANGELOG_PAGE: usize = 8 << 10;

/// Statistics updates after which the servers file is due (wire protocol: BEAT), and synchronisation
/// reports after which the times file is due.
pub const UPDATES_PER_SAVE: u32 = 1000;

/// Longest time for which a statistics update or a synchronisation report may be unsaved, milliseconds.
pub const SAVE_WITHIN_MS: u64 = 60_000;

/// How long one connection may keep the system files to itself, milliseconds.
pub const SYS_FILES_HELD_MS: u64 = 60_000;

/// Step to which running times are rounded down, seconds (wire protocol: running figures).
pub const RUNNING_STEP_S: i64 = 300;

/// How often the time of the last check is noted in `.tracker_status`, milliseconds.
pub const STATUS_EVERY_MS: u64 = 300_000;

/// Seconds without a tracker after which it looks for a better one's state when it is back (wire protocol: system
/// file transfer).
pub const AWAY_LONG_S: i64 = 600;

/// Administrators that may wait for one choice of a trunk server.
pub const TRUNK_WAITERS_MAX: usize = 16;
