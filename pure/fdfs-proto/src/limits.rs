//! Every maximum of the protocol, named. Lengths are bytes.
//!
//! Source: wire protocol, "constants" and "sizes".

/// Group name field; a name may fill it.
pub const GROUP_LEN: usize = 16;
/// Group name field of the records that keep a NUL behind the name.
pub const GROUP_NUL_LEN: usize = GROUP_LEN + 1;
/// Storage id, without the NUL its 16-byte field always ends with.
pub const STORAGE_ID_LEN_MAX: usize = 15;
/// Storage id field.
pub const STORAGE_ID_LEN: usize = STORAGE_ID_LEN_MAX + 1;
/// Address field where only IPv4 is expected.
pub const IPV4_TEXT_LEN: usize = 16;
/// Address field that holds any address.
pub const IP_TEXT_LEN: usize = 46;
/// Longest address text in a GET_GROUP_NAME that is read at all; beyond 45 it is answered "name too long".
pub const GROUP_NAME_IP_LEN_MAX: usize = 128;
/// `ip:port` text.
pub const HOST_TEXT_LEN: usize = 52;
/// One line of the tracker list in a JOIN, its newline included: two addresses, brackets and a port.
pub const TRACKER_LINE_LEN_MAX: usize = 100;
/// Version field.
pub const VERSION_LEN: usize = 8;
/// File extension field, without a dot.
pub const EXT_LEN: usize = 6;
/// Field for the prefix of a slave's name.
pub const PREFIX_LEN: usize = 16;
/// Longest logical file name.
pub const NAME_LEN_MAX: usize = 127;
/// Shortest name the tracker looks at in a fetch or update query.
pub const QUERY_NAME_LEN_MIN: usize = 22;
/// Shortest name of an appender: path 10, base64 27, extension part 7.
pub const APPENDER_NAME_LEN_MIN: usize = 44;
/// Shortest name of a master: more than the path alone.
pub const MASTER_NAME_LEN_MIN: usize = 11;
/// Longest name in a file-information query.
pub const INFO_NAME_LEN_MAX: usize = 131;
/// The names in a CREATE_LINK together.
pub const LINK_NAMES_LEN_MAX: usize = 256;

/// Groups in a cluster, as the original's arrays have it.
pub const GROUPS_MAX: usize = 512;
/// Storages in a group, as the original's arrays have it.
pub const GROUP_STORAGES_MAX: usize = 32;
/// Trackers in a cluster.
pub const TRACKERS_MAX: usize = 16;
/// Store paths of a storage.
pub const STORE_PATHS_MAX: usize = 256;
/// Directories per level and store path.
pub const SUBDIRS_MAX: usize = 256;
/// Ports, for configurations that leave them out.
pub const TRACKER_PORT: u16 = 22122;
/// The storage's default port.
pub const STORAGE_PORT: u16 = 23000;

/// Longest body a tracker reads, and the most it answers with.
pub const TRACKER_BODY_MAX: u64 = 256 * 1024;
/// Longest body a storage reads as a whole (set-metadata, trunk binlog); streamed content has no limit but
/// the 63 bits of the header.
pub const STORAGE_BODY_MAX: u64 = 256 * 1024;
/// Longest head (fixed fields and names) in front of streamed content: append and modify records of
/// replication, 44 + 127.
pub const STREAM_HEAD_LEN_MAX: u64 = 171;
/// Longest streamed body, head included.
pub const STREAM_BODY_MAX: u64 = i64::MAX as u64;
/// Longest text in the answer to a parameter request; the original reads it into a buffer of 1024 bytes.
pub const PARAMETERS_LEN_MAX: usize = 1023;
/// Longest part of a system file in one reply.
pub const SYS_FILE_PART_LEN_MAX: usize = 8173;
/// Storages in one SYNC_REPORT or REPLICA_CHG: generous, since the original does not bound them itself.
pub const REPORT_ENTRIES_MAX: usize = 512;
/// The body length that means "until the connection closes", 2^58.
pub const INFINITE_BODY_LEN: u64 = 1 << 58;
/// Metadata: longest name.
pub const META_NAME_LEN_MAX: usize = 64;
/// Metadata: longest value.
pub const META_VALUE_LEN_MAX: usize = 256;
