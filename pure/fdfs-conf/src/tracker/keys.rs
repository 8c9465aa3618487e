//! The keys of tracker.conf, and the way from them to a checked [`TrackerConf`].

use std::net::IpAddr;
use std::time::Duration;

use fdfs_fileid::GroupName;

use super::{
    DownloadServer, IdType, IdentityConf, PlacementConf, ReservedSpace, SHARE_WHOLE, StoreLookup,
    StorePathChoice, StoreServer, TrackerConf, TrunkConf,
};
use crate::error::{Bytes, ConfError, Oddity, Reason, Warning};
use crate::files::{OTHERS_OF_TRACKER, TRACKER_CONF};
use crate::ini::{Ini, Loader, ThisHost};
use crate::registry::Fit::{Clamp, DefaultBelow, Strict};
use crate::registry::{
    Key, Maybe, One, Reader, check_names, conf_keys, flag, number, seconds, size, text, time,
};
use crate::service::{ERROR_LOG, ListenConf, LogLevel, RawLogFile, RawService, RawStatus, TimeOfDay, folder};
use crate::storage_ids::{StorageIds, load_storage_ids};
use crate::value::{FromConf, Size, parse_size};

conf_keys! {
    /// What is tracker.conf's own, as typed.
    struct RawTracker, table TRACKER_KEYS;

    "Service" {
        base_path: One<String> = text("folder").absent("required").sample("/var/lib/cairn/tracker")
            .doc("Folder for data/ and logs/.");
        port: One<u16> = number(1, 65535, DefaultBelow).default("22122").sample("22122")
            .doc("TCP port to listen on.");
        log_level: One<LogLevel> = text("emerg, alert, crit, error, warn, notice, info or debug").default("info")
            .doc("Least severe message to log.");
    }
    "Where files go" {
        store_lookup: One<u8> = number(0, 2, Strict).default("0").sample("2")
            .doc("Group of an upload: 0 = take turns, 1 = always store_group, 2 = the one with the most free space.");
        store_group: Maybe<String> = text("group name").absent("none")
            .doc("The group for store_lookup = 1.");
        store_server: One<u8> = number(0, 2, Strict).default("0")
            .doc("Server in the group: 0 = take turns, 1 = the first by id or address, 2 = the lowest upload_priority.");
        store_path: One<u8> = number(0, 2, Strict).default("0")
            .doc("Store path on the server: 0 = take turns, 2 = the one with the most free space.");
        download_server: One<u8> = number(0, 1, Strict).default("0")
            .doc("Server of a download: 0 = take turns, 1 = the one the file was uploaded to.");
        reserved_storage_space: One<ReservedSpace> = text("20% or 10G").default("1GB").sample("20%")
            .doc("Space that uploads leave free: a share of each store path, or a size for all store paths of a server together.");
    }
    "Storages" {
        check_active_interval: One<Duration> = seconds(1, DefaultBelow).default("100").sample("120")
            .doc("A storage that did not report for this long is offline.");
        storage_ip_changed_auto_adjust: One<bool> = flag().default("true")
            .doc("Let a storage keep its identity when its address changes (without storage ids).");
        storage_sync_file_max_delay: One<Duration> = seconds(1, DefaultBelow).default("86400")
            .doc("After this long every member of a group is taken to hold a file.");
        storage_sync_file_max_time: One<Duration> = seconds(1, DefaultBelow).default("300")
            .doc("Longest time the copying of one file is taken to need.");
        response_ip_addr_size: One<AddressSize> = text("auto or IPv6").default("auto")
            .doc("Room for an address in replies: auto = wide when a storage in storage_ids.conf has an IPv6 address, IPv6 = always wide. Old clients understand narrow replies only.");
        store_slave_file_use_link: One<bool> = flag().default("false")
            .doc("Storages keep slave files as symbolic links.");
    }
    "Storage ids" {
        use_storage_id: One<bool> = flag().default("false")
            .doc("Know storages by the numbers in storage_ids_filename instead of by address; required for two addresses per storage and for IPv6.");
        storage_ids_filename: Maybe<String> = text("file").absent("required with use_storage_id").sample("storage_ids.conf")
            .doc("The file with the numbers; a relative name starts in this file's folder.");
        id_type_in_filename: One<IdType> = text("ip or id").default("ip").sample("id")
            .doc("What new file names say about their source (with use_storage_id).");
        trust_storage_server_id: One<bool> = flag().default("true")
            .doc("Believe the number a storage says it has (server_id) instead of finding it by address.");
    }
    "Trunk files" {
        use_trunk_file: One<bool> = flag().default("false")
            .doc("Keep small files merged in large ones.");
        slot_min_size: One<Size> = size(1, SLOT_MIN_SIZE_MAX, Clamp).default("256")
            .doc("Smallest slot for a file.");
        slot_max_size: Maybe<Size> = size(0, i32::MAX as u64, Strict).absent("trunk_file_size / 8").sample("1MB")
            .doc("Largest slot; larger files are stored on their own. At most half of trunk_file_size.");
        trunk_alloc_alignment_size: One<Size> = size(0, SLOT_MIN_SIZE_MAX, Strict).default("0").sample("256")
            .doc("Slots are multiples of this; raises slot_min_size.");
        trunk_free_space_merge: One<bool> = flag().default("false").sample("true")
            .doc("Merge neighbouring free slots when the trunk binlog is compacted.");
        delete_unused_trunk_files: One<bool> = flag().default("false")
            .doc("Delete trunk files that hold nothing.");
        trunk_file_size: One<Size> = size(0, i32::MAX as u64, Strict).default("64MB")
            .doc("Size of a trunk file, at least 4MB.");
        trunk_create_file_advance: One<bool> = flag().default("false")
            .doc("Create trunk files before they are needed.");
        trunk_create_file_time_base: One<TimeOfDay> = time().default("02:00")
            .doc("First time of day to create them.");
        trunk_create_file_interval: One<Duration> = seconds(0, Strict).default("86400")
            .doc("Pause between rounds of creating them.");
        trunk_create_file_space_threshold: One<Size> = size(0, i64::MAX as u64, Strict).default("0").sample("20G")
            .doc("Create trunk files until this much is free in them.");
        trunk_init_check_occupying: One<bool> = flag().default("false")
            .doc("Look at each free slot on the disk at start; slow.");
        trunk_init_reload_from_binlog: One<bool> = flag().default("false")
            .doc("Read the trunk binlog instead of its snapshot at start.");
        trunk_compress_binlog_min_interval: One<Duration> = seconds(0, Clamp).default("0").sample("86400")
            .doc("Compact the trunk binlog when it is opened or closed, at most this often; 0 = never.");
        trunk_compress_binlog_interval: One<Duration> = seconds(0, Clamp).default("0").sample("86400")
            .doc("Compact the trunk binlog this often; 0 = never.");
        trunk_compress_binlog_time_base: One<TimeOfDay> = time().default("03:00")
            .doc("First time of day to compact it.");
        trunk_binlog_max_backups: One<u32> = number(0, i32::MAX as i64, Clamp).default("0").sample("7")
            .doc("Copies of the trunk binlog to keep.");
    }
}

/// Largest `slot_min_size`, bytes.
const SLOT_MIN_SIZE_MAX: u64 = 64 << 10;
/// Smallest `trunk_file_size`, bytes.
const TRUNK_FILE_SIZE_MIN: u64 = 4 << 20;

impl TrackerConf {
    /// Reads and checks the tracker.conf at `path`, with everything it includes and its storage ids.
    pub fn load(path: &str, loader: &mut Loader<'_>) -> Result<(TrackerConf, Vec<Warning>), ConfError> {
        TrackerConf::load_on(path, loader, None)
    }

    /// As [`TrackerConf::load`], for files whose directives ask about the machine.
    pub fn load_on(
        path: &str,
        loader: &mut Loader<'_>,
        host: Option<&ThisHost>,
    ) -> Result<(TrackerConf, Vec<Warning>), ConfError> {
        let ini = Ini::load(path, loader, host)?;
        let mut reader = Reader::new(&ini);
        check_names(&mut reader, &TRACKER_CONF, OTHERS_OF_TRACKER);
        let raw = RawTracker::read(&mut reader)?;
        let service = RawService::read(&mut reader)?.check(&mut reader, &raw.port)?;
        let log_file = reader.in_section(ERROR_LOG.name, true, RawLogFile::read)?.check();
        let identity = raw.identity(&mut reader, &service.listen, loader)?;
        let wide_addresses = match raw.response_ip_addr_size.value {
            AddressSize::Auto => identity.storage_ids.as_ref().is_some_and(StorageIds::has_ipv6),
            AddressSize::Wide => true,
        };
        let trunk = raw.trunk(&mut reader)?;
        let conf = TrackerConf {
            base_path: folder(&reader, &raw.base_path)?,
            listen: service.listen,
            network: service.network,
            run_by: service.run_by,
            log_level: raw.log_level.value,
            log_file,
            status_listen: RawStatus::read(&mut reader)?.status_listen.value.0,
            allow_hosts: service.allow_hosts,
            placement: raw.placement(&mut reader)?,
            check_active_interval: raw.check_active_interval.value,
            storage_ip_changed_auto_adjust: raw.storage_ip_changed_auto_adjust.value,
            storage_sync_file_max_delay: raw.storage_sync_file_max_delay.value,
            storage_sync_file_max_time: raw.storage_sync_file_max_time.value,
            trunk,
            identity,
            store_slave_file_use_link: raw.store_slave_file_use_link.value,
            pool: service.pool,
            wide_addresses,
        };
        Ok((conf, reader.into_warnings()))
    }

    /// Replaces the host names among the storage ids by addresses. Does nothing without storage ids. A name that leads to an
    /// IPv6 address makes replies wide, as a written address does.
    pub fn resolve_storage_ids(
        &mut self,
        look_up: &mut dyn FnMut(&str) -> Option<IpAddr>,
    ) -> Result<(), ConfError> {
        if let Some(ids) = &self.identity.storage_ids {
            let resolved = ids.resolve(look_up)?;
            self.wide_addresses |= resolved.has_ipv6();
            self.identity.storage_ids = Some(resolved);
        }
        Ok(())
    }
}

impl RawTracker {
    fn placement(&self, reader: &mut Reader<'_>) -> Result<PlacementConf, ConfError> {
        let store_lookup = match self.store_lookup.value {
            0 => StoreLookup::RoundRobin,
            1 => StoreLookup::Group(self.store_group(reader)?),
            _ => StoreLookup::LoadBalance,
        };
        let store_server = match self.store_server.value {
            // Trunk slots are handed out by one server of a group: spreading uploads would only send them around.
            0 if self.use_trunk_file.value => {
                let used = "1 (because of use_trunk_file)".to_owned();
                reader.warn_given(&self.store_server, Oddity::Replaced { got: "0".to_owned(), used });
                StoreServer::First
            }
            0 => StoreServer::RoundRobin,
            1 => StoreServer::First,
            _ => StoreServer::Priority,
        };
        let store_path = match self.store_path.value {
            0 => StorePathChoice::RoundRobin,
            2 => StorePathChoice::LoadBalance,
            got => {
                let reason = Reason::NotAChoice { allowed: "0 or 2", got: got.to_string() };
                return Err(self.store_path.fault(reader.ini, reason));
            }
        };
        let download_server = match self.download_server.value {
            0 => DownloadServer::RoundRobin,
            _ => DownloadServer::Source,
        };
        let reserved_storage_space = self.reserved_storage_space.value;
        Ok(PlacementConf { store_lookup, store_server, store_path, download_server, reserved_storage_space })
    }

    fn store_group(&self, reader: &Reader<'_>) -> Result<GroupName, ConfError> {
        let Some(given) = self.store_group.as_ref().filter(|given| !given.value.is_empty()) else {
            let reason = Reason::NeededBy { other: "store_lookup is 1" };
            return Err(ConfError {
                key: "store_group".to_owned(),
                ..self.store_lookup.fault(reader.ini, reason)
            });
        };
        GroupName::parse(given.value.as_bytes())
            .map_err(|_| given.fault(reader.ini, Reason::NotAGroupName { got: given.value.clone() }))
    }

    fn identity(
        &self,
        reader: &mut Reader<'_>,
        listen: &ListenConf,
        loader: &mut Loader<'_>,
    ) -> Result<IdentityConf, ConfError> {
        let ipv6 = "IPv6 is in use (address_family, bind_addr)";
        // Whether a host without any IPv4 address listens on IPv6 shows only where it runs.
        let uses_ipv6 = listen.uses_ipv6(true);
        if !self.use_storage_id.value {
            if uses_ipv6 {
                let reason = Reason::MustBe { value: "true", other: ipv6 };
                return Err(self.use_storage_id.fault(reader.ini, reason));
            }
            return Ok(IdentityConf {
                storage_ids: None,
                id_type_in_filename: IdType::Ip,
                trust_storage_server_id: self.trust_storage_server_id.value,
            });
        }
        if uses_ipv6 && self.id_type_in_filename.value == IdType::Ip {
            let reason = Reason::MustBe { value: "id", other: ipv6 };
            return Err(self.id_type_in_filename.fault(reader.ini, reason));
        }
        Ok(IdentityConf {
            storage_ids: Some(load_storage_ids(
                reader.ini,
                &self.use_storage_id,
                self.storage_ids_filename.as_ref(),
                loader,
            )?),
            id_type_in_filename: self.id_type_in_filename.value,
            trust_storage_server_id: self.trust_storage_server_id.value,
        })
    }

    fn trunk(&self, reader: &mut Reader<'_>) -> Result<TrunkConf, ConfError> {
        let replaced = |got: u64, used: u64| Oddity::Replaced {
            got: Bytes(got).to_string(),
            used: Bytes(used).to_string(),
        };
        let mut file_size = self.trunk_file_size.value.0;
        if file_size < TRUNK_FILE_SIZE_MIN {
            reader.warn_given(&self.trunk_file_size, replaced(file_size, TRUNK_FILE_SIZE_MIN));
            file_size = TRUNK_FILE_SIZE_MIN;
        }
        let mut slot_min = self.slot_min_size.value.0;
        let mut slot_max = file_size / 8;
        if let Some(given) = &self.slot_max_size {
            slot_max = given.value.0;
            if slot_max <= slot_min {
                let reason = Reason::NotAbove { other: "slot_min_size", bound: slot_min, got: slot_max };
                return Err(given.fault(reader.ini, reason));
            }
            if slot_max > file_size / 2 {
                reader.warn_given(given, replaced(slot_max, file_size / 2));
                slot_max = file_size / 2;
            }
        }
        let alignment = self.trunk_alloc_alignment_size.value.0;
        if slot_min < alignment {
            reader.warn_given(&self.slot_min_size, replaced(slot_min, alignment));
            slot_min = alignment;
        }
        Ok(TrunkConf {
            use_trunk_file: self.use_trunk_file.value,
            slot_min_size: Size(slot_min).to_u32(),
            slot_max_size: Size(slot_max).to_u32(),
            alloc_alignment_size: Size(alignment).to_u32(),
            trunk_file_size: Size(file_size).to_u32(),
            free_space_merge: self.trunk_free_space_merge.value,
            delete_unused_trunk_files: self.delete_unused_trunk_files.value,
            create_file_advance: self.trunk_create_file_advance.value,
            create_file_time_base: self.trunk_create_file_time_base.value,
            create_file_interval: self.trunk_create_file_interval.value,
            create_file_space_threshold: self.trunk_create_file_space_threshold.value.0,
            init_check_occupying: self.trunk_init_check_occupying.value,
            init_reload_from_binlog: self.trunk_init_reload_from_binlog.value,
            compress_binlog_min_interval: self.trunk_compress_binlog_min_interval.value,
            compress_binlog_interval: self.trunk_compress_binlog_interval.value,
            compress_binlog_time_base: self.trunk_compress_binlog_time_base.value,
            binlog_max_backups: self.trunk_binlog_max_backups.value,
        })
    }
}

/// `response_ip_addr_size`
#[derive(Clone, Copy, Debug)]
pub(crate) enum AddressSize {
    Auto,
    Wide,
}

impl FromConf for AddressSize {
    fn from_conf(_: &Key, text: &str, oddities: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(AddressSize::Auto),
            "ipv6" => Ok(AddressSize::Wide),
            // FastDFS takes every other word, even IPv4, for "wide"; the cluster behind this file relies on what it got so far.
            _ => {
                let used = "IPv6, as FastDFS reads it,".to_owned();
                oddities.push(Oddity::Replaced { got: format!("\"{text}\""), used });
                Ok(AddressSize::Wide)
            }
        }
    }
}

impl FromConf for IdType {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "id" => Ok(IdType::Id),
            "ip" | "" => Ok(IdType::Ip),
            _ => Err(Reason::NotAChoice { allowed: "ip or id", got: text.to_owned() }),
        }
    }
}

impl ReservedSpace {
    /// Reads `20%`, `12.5%`, `10G` or plain bytes. Sizes are cut to whole megabytes, shares to millionths.
    pub fn parse(text: &str) -> Option<ReservedSpace> {
        let text = text.trim();
        let Some(percent) = text.strip_suffix('%') else {
            return parse_size(text).map(|bytes| ReservedSpace::Megabytes(bytes >> 20));
        };
        let (whole, fraction) = percent.trim().split_once('.').unwrap_or((percent.trim(), ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return None;
        }
        let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // Four digits of a percent are a millionth of the whole.
        let fraction: u32 = format!("{fraction:0<4}").get(..4)?.parse().ok()?;
        let millionths = whole.checked_mul(10_000)?.checked_add(fraction)?;
        (1..SHARE_WHOLE).contains(&millionths).then_some(ReservedSpace::Share(millionths))
    }
}

impl FromConf for ReservedSpace {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        if text.is_empty() {
            return Err(Reason::Empty);
        }
        ReservedSpace::parse(text).ok_or_else(|| Reason::NotASpace { got: text.to_owned() })
    }
}
