//! The life-cycle status of a storage, and what it may be used for.

/// Where a storage stands in its life. The order of the numbers matters when views are merged.
///
/// Source: wire protocol, "statuses".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StorageStatus {
    /// Known, brand new, no source of old data decided.
    Init = 0,
    /// Waits for the old data of its source.
    WaitSync = 1,
    /// Its source is sending old data.
    Syncing = 2,
    /// Tombstone of an old address.
    IpChanged = 3,
    /// Removed by an administrator.
    Deleted = 4,
    /// Not connected.
    Offline = 5,
    /// Connected, has not beaten yet.
    Online = 6,
    /// Serving.
    Active = 7,
    /// Rebuilding a disk.
    Recovery = 9,
    /// "No value".
    None = 99,
}

impl StorageStatus {
    /// Every status, in numerical order.
    pub const ALL: [StorageStatus; 10] = [
        StorageStatus::Init,
        StorageStatus::WaitSync,
        StorageStatus::Syncing,
        StorageStatus::IpChanged,
        StorageStatus::Deleted,
        StorageStatus::Offline,
        StorageStatus::Online,
        StorageStatus::Active,
        StorageStatus::Recovery,
        StorageStatus::None,
    ];

    /// The status with this number on the wire.
    pub fn from_u8(code: u8) -> Option<StorageStatus> {
        StorageStatus::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The number on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word the tools print.
    pub const fn caption(self) -> &'static str {
        match self {
            StorageStatus::Init => "INIT",
            StorageStatus::WaitSync => "WAIT_SYNC",
            StorageStatus::Syncing => "SYNCING",
            StorageStatus::IpChanged => "IP_CHANGED",
            StorageStatus::Deleted => "DELETED",
            StorageStatus::Offline => "OFFLINE",
            StorageStatus::Online => "ONLINE",
            StorageStatus::Active => "ACTIVE",
            StorageStatus::Recovery => "RECOVERY",
            StorageStatus::None => "NONE",
        }
    }
}

/// What a storage may be used for (`rw=` in `storage_ids.conf`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RwMode {
    /// Nothing.
    None,
    /// Downloads.
    Read,
    /// Uploads and changes.
    Write,
    /// Everything.
    #[default]
    Both,
}

impl RwMode {
    /// The number on the wire: 0, 4, 2 or 6.
    pub const fn code(self) -> u8 {
        match self {
            RwMode::None => 0,
            RwMode::Read => 4,
            RwMode::Write => 2,
            RwMode::Both => 6,
        }
    }

    /// The mode with this number on the wire.
    pub const fn from_u8(code: u8) -> Option<RwMode> {
        match code {
            0 => Some(RwMode::None),
            4 => Some(RwMode::Read),
            2 => Some(RwMode::Write),
            6 => Some(RwMode::Both),
            _ => None,
        }
    }

    /// May serve downloads.
    pub const fn can_read(self) -> bool {
        matches!(self, RwMode::Read | RwMode::Both)
    }

    /// May take uploads and changes.
    pub const fn can_write(self) -> bool {
        matches!(self, RwMode::Write | RwMode::Both)
    }
}
