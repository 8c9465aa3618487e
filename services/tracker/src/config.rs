//! What the machine, the handlers and the connections each need of tracker.conf.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fdfs_conf::service::TimeOfDay;
use fdfs_conf::tracker::{IdType, ReservedSpace};
use fdfs_conf::{StorageIds, TrackerConf};
use fdfs_proto::limits::TRACKER_BODY_MAX;
use fdfs_proto::tracker::parameters::{self, Parameters};
use fdfs_proto::{AddrWidth, HEADER_LEN, Version};
use tracker_core::leader::ElectionTimes;
use tracker_core::{ClusterConfig, Naming, PlacementConfig, TrunkLoading};

/// What handlers answer from without asking the machine.
#[derive(Debug)]
pub(crate) struct Answers {
    /// Width of addresses in replies.
    pub(crate) width: AddrWidth,
    /// The text for PARAMETER_REQ.
    pub(crate) parameters: Vec<u8>,
    /// The lines for FETCH_STORAGE_IDS, in the order of the ids as text; none when ids are off.
    pub(crate) id_lines: Option<Vec<Box<str>>>,
    /// The table of ids, when ids are on.
    pub(crate) ids: Option<Arc<StorageIds>>,
    /// Longest message, header included, that is read or sent.
    pub(crate) message_max: u64,
}

impl Answers {
    pub(crate) fn new(conf: &TrackerConf, ids: Option<Arc<StorageIds>>) -> Self {
        let width = if conf.wide_addresses { AddrWidth::V6 } else { AddrWidth::V4 };
        let mut text = Vec::new();
        parameters(conf, width).encode(&mut text);
        let lines = |ids: &Arc<StorageIds>| {
            ids.in_text_order().iter().map(|entry| format!("{entry}\n").into_boxed_str()).collect()
        };
        Self {
            width,
            parameters: text,
            id_lines: ids.as_ref().map(lines),
            ids,
            message_max: u64::from(conf.network.max_buff_size).max(TRACKER_BODY_MAX + HEADER_LEN as u64),
        }
    }
}

/// The machine's settings.
pub(crate) fn cluster(
    conf: &TrackerConf,
    ids: Option<Arc<StorageIds>>,
    addresses: &[SocketAddr],
    up_time: i64,
    election: ElectionTimes,
) -> ClusterConfig {
    let naming = match ids {
        None => Naming::ByAddress,
        Some(table) => Naming::ByTable {
            table,
            trust: conf.identity.trust_storage_server_id,
            in_file_names: conf.identity.id_type_in_filename == IdType::Id,
        },
    };
    ClusterConfig {
        placement: PlacementConfig {
            choice: conf.placement,
            use_trunk: conf.trunk.use_trunk_file,
            sync_max_delay_s: seconds(conf.storage_sync_file_max_delay).into(),
            sync_max_time_s: seconds(conf.storage_sync_file_max_time).into(),
        },
        naming,
        trunk_loading: TrunkLoading {
            checks_slots: conf.trunk.init_check_occupying,
            reads_binlog: conf.trunk.init_reload_from_binlog,
        },
        silence_ms: u64::try_from(conf.check_active_interval.as_millis()).unwrap_or(u64::MAX),
        port: addresses.first().map_or(conf.listen.inner_port, SocketAddr::port),
        addrs: addresses.iter().map(SocketAddr::ip).collect(),
        version: Version::new(fdfs_proto::PROTOCOL_VERSION.as_bytes()).unwrap_or_default(),
        up_time,
        election,
    }
}

/// What storages ask for with PARAMETER_REQ.
fn parameters(conf: &TrackerConf, width: AddrWidth) -> Parameters {
    let trunk = &conf.trunk;
    Parameters {
        use_storage_id: conf.identity.use_storage_id(),
        id_type_in_filename: match conf.identity.id_type_in_filename {
            IdType::Ip => parameters::IdType::Ip,
            IdType::Id => parameters::IdType::Id,
        },
        trust_storage_server_id: conf.identity.trust_storage_server_id,
        response_ip_addr_size: width,
        storage_ip_changed_auto_adjust: conf.storage_ip_changed_auto_adjust,
        storage_sync_file_max_delay: seconds(conf.storage_sync_file_max_delay),
        store_path: conf.placement.store_path.code().into(),
        reserved_storage_space: match conf.placement.reserved_storage_space {
            ReservedSpace::Megabytes(mb) => parameters::ReservedSpace::Mib(mb),
            ReservedSpace::Share(millionths) => {
                // Less than a hundredth of a percent cannot be said, and nothing at all is not a reserve.
                let hundredths = u16::try_from((millionths + 50) / 100).unwrap_or(u16::MAX);
                parameters::ReservedSpace::HundredthsOfPercent(hundredths.clamp(1, 9_999))
            }
        },
        use_trunk_file: trunk.use_trunk_file,
        slot_min_size: trunk.slot_min_size.into(),
        slot_max_size: trunk.slot_max_size.into(),
        trunk_alloc_alignment_size: trunk.alloc_alignment_size.into(),
        trunk_file_size: trunk.trunk_file_size.into(),
        trunk_create_file_advance: trunk.create_file_advance,
        trunk_create_file_time_base: time(trunk.create_file_time_base),
        trunk_create_file_interval: seconds(trunk.create_file_interval),
        trunk_create_file_space_threshold: trunk.create_file_space_threshold,
        trunk_init_check_occupying: trunk.init_check_occupying,
        trunk_init_reload_from_binlog: trunk.init_reload_from_binlog,
        trunk_free_space_merge: trunk.free_space_merge,
        delete_unused_trunk_files: trunk.delete_unused_trunk_files,
        trunk_compress_binlog_min_interval: seconds(trunk.compress_binlog_min_interval),
        trunk_compress_binlog_interval: seconds(trunk.compress_binlog_interval),
        trunk_compress_binlog_time_base: time(trunk.compress_binlog_time_base),
        trunk_binlog_max_backups: trunk.binlog_max_backups,
        store_slave_file_use_link: conf.store_slave_file_use_link,
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn time(time: TimeOfDay) -> parameters::TimeOfDay {
    parameters::TimeOfDay { hour: time.hour, minute: time.minute }
}
