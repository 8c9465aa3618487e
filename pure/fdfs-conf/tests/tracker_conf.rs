//! tracker.conf.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use fdfs_conf::TrackerConf;
use fdfs_conf::service::{AddressFamily, LogLevel, TimeOfDay};
use fdfs_conf::tracker::{DownloadServer, IdType, ReservedSpace, StoreLookup, StorePathChoice, StoreServer};
use fdfs_fileid::GroupName;
use support::{clean, field_files, files, refused, tracker, warnings};

#[test]
fn a_file_from_the_field_loads_without_a_warning() {
    let conf = clean(TrackerConf::load("/etc/fdfs/tracker.conf", &mut field_files()));
    assert_eq!(conf.base_path, Path::new("/opt/fastdfs/tracker"));
    assert_eq!(conf.listen.family, AddressFamily::Auto);
    assert_eq!((conf.listen.inner_port, conf.listen.inner_bind.len()), (22122, 0));
    assert_eq!(conf.network.connect_timeout, Duration::from_secs(5));
    assert_eq!((conf.network.min_buff_size, conf.network.max_buff_size), (8 << 10, 256 << 10));
    assert_eq!((conf.run_by.user, conf.run_by.group), (None, None));
    assert_eq!(conf.log_level, LogLevel::Info);
    assert_eq!(conf.placement.store_lookup, StoreLookup::LoadBalance);
    assert_eq!(conf.placement.reserved_storage_space, ReservedSpace::Share(200_000));
    assert!(conf.allow_hosts.allows("10.0.1.20".parse().unwrap()));
    assert!(!conf.allow_hosts.allows("10.0.1.21".parse().unwrap()));
    assert_eq!(conf.allow_hosts.names().count(), 8);
    assert_eq!(conf.check_active_interval, Duration::from_secs(120));
    assert!(conf.storage_ip_changed_auto_adjust && !conf.trunk.use_trunk_file);
    assert_eq!((conf.trunk.slot_min_size, conf.trunk.slot_max_size), (256, 1 << 20));
    assert_eq!(conf.trunk.create_file_time_base, TimeOfDay::new(2, 0));
    assert_eq!(conf.trunk.compress_binlog_time_base, TimeOfDay { hour: 3, minute: 0, second: 30 });
    assert_eq!(conf.trunk.create_file_space_threshold, 20 << 30);
    assert_eq!(conf.identity.id_type_in_filename, IdType::Id);
    assert_eq!(conf.identity.storage_ids.as_ref().map(|ids| ids.len()), Some(3));
    assert!(conf.wide_addresses, "a storage has an IPv6 address");
    assert_eq!(conf.log_file.keep_days, 30, "[error-log] comes before the keys outside sections");
    assert_eq!(conf.log_file.compress_days_before, 7);
}

#[test]
fn absent_keys_have_fastdfs_defaults() {
    let conf = clean(tracker(""));
    assert_eq!((conf.listen.inner_port, conf.listen.outer_port), (22122, 22122));
    assert_eq!(conf.network.connect_timeout, Duration::from_secs(10));
    assert_eq!(conf.network.network_timeout, Duration::from_secs(60));
    assert_eq!((conf.network.max_connections, conf.network.work_threads), (256, 4));
    assert_eq!((conf.network.min_buff_size, conf.network.max_buff_size), (256 << 10, 256 << 10));
    assert!(conf.allow_hosts.allows(IpAddr::from([203, 0, 113, 9])));
    assert_eq!(conf.placement.store_lookup, StoreLookup::RoundRobin);
    assert_eq!(conf.placement.store_server, StoreServer::RoundRobin);
    assert_eq!(conf.placement.store_path, StorePathChoice::RoundRobin);
    assert_eq!(conf.placement.download_server, DownloadServer::RoundRobin);
    assert_eq!(conf.placement.reserved_storage_space, ReservedSpace::Megabytes(1024));
    assert_eq!(conf.check_active_interval, Duration::from_secs(100));
    assert_eq!(conf.storage_sync_file_max_delay, Duration::from_secs(86_400));
    assert_eq!(conf.storage_sync_file_max_time, Duration::from_secs(300));
    assert!(conf.storage_ip_changed_auto_adjust);
    assert_eq!((conf.trunk.trunk_file_size, conf.trunk.slot_max_size), (64 << 20, 8 << 20));
    assert_eq!(conf.trunk.alloc_alignment_size, 0);
    assert!(!conf.identity.use_storage_id() && conf.identity.trust_storage_server_id);
    assert_eq!(conf.identity.id_type_in_filename, IdType::Ip);
    assert!(!conf.wide_addresses && !conf.pool.enabled && !conf.store_slave_file_use_link);
    assert_eq!(conf.log_file.delete_old_time, TimeOfDay::new(1, 30));
}

#[test]
fn a_base_path_is_required() {
    let load = |text: &str| refused(TrackerConf::load("t.conf", &mut files(&[("t.conf", text)])));
    assert_eq!(load("port = 1"), "t.conf: base_path: is missing, and there is no default");
    assert_eq!(load("base_path ="), "t.conf:1: base_path: is empty");
    assert_eq!(
        load("base_path = /x\ndisabled = yes"),
        "t.conf:2: disabled: is true: this file is switched off"
    );
}

#[test]
fn the_whole_disk_may_be_the_base_path() {
    let loaded = TrackerConf::load("t.conf", &mut files(&[("t.conf", "base_path = //")]));
    assert_eq!(clean(loaded).base_path, Path::new("/"));
}

#[test]
fn placement_is_chosen_by_number() {
    let conf =
        clean(tracker("store_lookup=1\nstore_group=g7\nstore_server=2\nstore_path=2\ndownload_server=1"));
    assert_eq!(conf.placement.store_lookup, StoreLookup::Group(GroupName::parse(b"g7").unwrap()));
    assert_eq!(conf.placement.store_server, StoreServer::Priority);
    assert_eq!(conf.placement.store_path, StorePathChoice::LoadBalance);
    assert_eq!(conf.placement.download_server, DownloadServer::Source);
    assert_eq!(
        refused(tracker("store_lookup=3")),
        "tracker.conf:2: store_lookup: must be between 0 and 2, got 3"
    );
    assert_eq!(refused(tracker("store_path=1")), "tracker.conf:2: store_path: must be 0 or 2, got \"1\"");
    assert_eq!(
        refused(tracker("store_lookup=1")),
        "tracker.conf:2: store_group: is needed when store_lookup is 1"
    );
    assert_eq!(
        refused(tracker("store_lookup=1\nstore_group=g 7")),
        "tracker.conf:3: store_group: must be 1 to 16 letters and digits, got \"g 7\""
    );
}

#[test]
fn trunk_files_take_one_server_of_a_group() {
    let loaded = tracker("use_trunk_file=1");
    assert_eq!(
        warnings(loaded.clone()),
        ["tracker.conf: store_server: 0 is not usable, 1 (because of use_trunk_file) is used"]
    );
    assert_eq!(loaded.unwrap().0.placement.store_server, StoreServer::First);
}

#[test]
fn reserved_space_is_a_share_or_a_size() {
    let space = |text: &str| {
        let conf = clean(tracker(&format!("reserved_storage_space = {text}")));
        conf.placement.reserved_storage_space
    };
    assert_eq!(space("10%"), ReservedSpace::Share(100_000));
    assert_eq!(space("0.01 %"), ReservedSpace::Share(100));
    assert_eq!(space("99.99%"), ReservedSpace::Share(999_900));
    assert_eq!(space(".5%"), ReservedSpace::Share(5_000));
    assert_eq!(space("10G"), ReservedSpace::Megabytes(10_240));
    assert_eq!(space("1048575"), ReservedSpace::Megabytes(0));
    assert_eq!(space("20%").to_string(), "20.00%");
    assert_eq!(space("12.345%").to_string(), "12.35%");
    assert_eq!(space("1GB").to_string(), "1024MB");
    assert_eq!(space("20%").of_total_mb(1000), 200);
    assert_eq!(space("1GB").of_total_mb(1000), 1024);
    assert_eq!(ReservedSpace::Share(999_999).of_total_mb(u64::MAX), 18_446_725_626_965_477_905);
    for bad in ["0%", "100%", "%", "-1%", "1e1%", "10X", "ten"] {
        assert_eq!(
            refused(tracker(&format!("reserved_storage_space = {bad}"))),
            format!(
                "tracker.conf:2: reserved_storage_space: must be a share such as 20% (more than 0, less than 100) \
                 or a size such as 10G, got \"{bad}\""
            )
        );
    }
    assert_eq!(
        refused(tracker("reserved_storage_space=")),
        "tracker.conf:2: reserved_storage_space: is empty"
    );
}

#[test]
fn slots_are_fitted_as_fastdfs_fits_them() {
    let lines = "trunk_file_size=1MB\nslot_max_size=3MB\nslot_min_size=128\ntrunk_alloc_alignment_size=512\n";
    let loaded = tracker(lines);
    assert_eq!(
        warnings(loaded.clone()),
        [
            "tracker.conf:2: trunk_file_size: 1MB is not usable, 4MB is used",
            "tracker.conf:3: slot_max_size: 3MB is not usable, 2MB is used",
            "tracker.conf:4: slot_min_size: 128 is not usable, 512 is used",
        ]
    );
    let trunk = loaded.unwrap().0.trunk;
    assert_eq!((trunk.trunk_file_size, trunk.slot_max_size, trunk.slot_min_size), (4 << 20, 2 << 20, 512));
    assert_eq!(
        warnings(tracker("slot_min_size=1MB\nslot_max_size=2MB")),
        ["tracker.conf:2: slot_min_size: 1MB is not usable, 64KB is used"]
    );
    assert_eq!(
        refused(tracker("slot_max_size=256")),
        "tracker.conf:2: slot_max_size: must be greater than slot_min_size (256), got 256"
    );
    assert_eq!(
        refused(tracker("trunk_file_size=4G")),
        "tracker.conf:2: trunk_file_size: must be between 0 and 2147483647, got \"4G\""
    );
}

#[test]
fn storage_ids_need_a_file_that_can_be_read() {
    assert_eq!(
        refused(tracker("use_storage_id=true")),
        "tracker.conf:2: storage_ids_filename: is needed when use_storage_id is true"
    );
    assert_eq!(
        refused(tracker("use_storage_id=true\nstorage_ids_filename=")),
        "tracker.conf:3: storage_ids_filename: is empty"
    );
    assert_eq!(
        refused(tracker("use_storage_id=true\nstorage_ids_filename=gone.conf")),
        "tracker.conf:3: storage_ids_filename: gone.conf: no such file"
    );
    assert!(clean(tracker("storage_ids_filename=gone.conf")).identity.storage_ids.is_none());
}

#[test]
fn storage_ids_lie_beside_the_file_or_at_an_absolute_path() {
    let ids = "1 g 10.0.0.1\n";
    let text = |name: &str| format!("base_path=/x\nuse_storage_id=1\nstorage_ids_filename={name}\n");
    for (name, path) in
        [("ids.conf", "/etc/fdfs/ids.conf"), ("sub/ids", "/etc/fdfs/sub/ids"), ("/ids", "/ids")]
    {
        let texts = [("/etc/fdfs/t.conf", text(name)), (path, ids.to_owned())];
        let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let conf = clean(TrackerConf::load("/etc/fdfs/t.conf", &mut files(&texts)));
        assert!(conf.identity.use_storage_id() && !conf.wide_addresses, "{name}");
    }
}

#[test]
fn a_fault_in_the_storage_ids_names_their_file() {
    let texts = [
        ("/e/t.conf", "base_path=/x\nuse_storage_id=1\nstorage_ids_filename=ids.conf"),
        ("/e/ids.conf", "\n1 g 10.0.0.1:x"),
    ];
    assert_eq!(
        refused(TrackerConf::load("/e/t.conf", &mut files(&texts))),
        "/e/ids.conf:2: \"x\" is no port: a number from 1 to 65535"
    );
}

#[test]
fn ipv6_needs_storage_ids_in_file_names() {
    let because = "when IPv6 is in use (address_family, bind_addr)";
    for family in ["address_family=IPv6", "address_family=both", "bind_addr=::"] {
        assert_eq!(
            refused(tracker(family)),
            format!("tracker.conf: use_storage_id: must be true {because}"),
            "{family}"
        );
    }
    assert_eq!(
        refused(tracker("bind_addr=::1\nuse_storage_id=1\nid_type_in_filename=ip")),
        format!("tracker.conf:4: id_type_in_filename: must be id {because}")
    );
}

#[test]
fn replies_are_wide_when_told_or_when_a_storage_has_ipv6() {
    assert!(clean(tracker("response_ip_addr_size = IPv6")).wide_addresses);
    assert!(!clean(tracker("response_ip_addr_size = auto")).wide_addresses);
    let odd = tracker("response_ip_addr_size = IPv4");
    assert_eq!(
        warnings(odd.clone()),
        ["tracker.conf:2: response_ip_addr_size: \"IPv4\" is not usable, IPv6, as FastDFS reads it, is used"]
    );
    assert!(odd.unwrap().0.wide_addresses);
}

#[test]
fn sides_may_have_addresses_and_ports_of_their_own() {
    let conf = clean(tracker(
        "inner_bind_addr=10.0.0.1\nouter_bind_addr=203.0.113.1\nouter_port=80\nbind_addr=1.1.1.1",
    ));
    let sockets: Vec<String> = conf.listen.sockets(true).iter().map(ToString::to_string).collect();
    assert_eq!(sockets, ["10.0.0.1:22122", "203.0.113.1:80"]);
    assert_eq!(
        refused(tracker("bind_addr=localhost")),
        "tracker.conf:2: bind_addr: must be an IP address, got \"localhost\""
    );
    assert_eq!(
        refused(tracker("bind_addr=10.0.0.1,10.0.0.2")),
        "tracker.conf:2: bind_addr: must hold at most one address per IP version, got \"10.0.0.1,10.0.0.2\""
    );
}

#[test]
fn a_pool_needs_an_idle_time() {
    assert_eq!(
        refused(tracker("use_connection_pool=1\nconnection_pool_max_idle_time=0")),
        "tracker.conf:3: connection_pool_max_idle_time: must be between 1 and 2147483647, got 0"
    );
    assert!(!clean(tracker("connection_pool_max_idle_time=0")).pool.enabled);
}

#[test]
fn buffers_count_in_pairs() {
    let conf = clean(tracker("buff_size=64KB\nmin_buff_size=8KB\nmax_buff_size=16KB"));
    assert_eq!((conf.network.min_buff_size, conf.network.max_buff_size), (8 << 10, 64 << 10));
    assert_eq!(
        warnings(tracker("max_buff_size=128KB")),
        ["tracker.conf:2: max_buff_size: not used: min_buff_size and max_buff_size count only together"]
    );
    let loaded = tracker("buff_size=8KB\nmin_buff_size=64KB\nmax_buff_size=16KB");
    assert_eq!(warnings(loaded.clone()), ["tracker.conf:4: max_buff_size: 16KB is not usable, 64KB is used"]);
    assert_eq!(loaded.unwrap().0.network.max_buff_size, 64 << 10);
}

#[test]
fn a_host_name_that_leads_to_ipv6_makes_replies_wide() {
    let texts = [
        ("t.conf", "base_path=/x\nuse_storage_id=1\nstorage_ids_filename=ids"),
        ("ids", "1 g one.example\n"),
    ];
    let mut conf = clean(TrackerConf::load("t.conf", &mut files(&texts)));
    assert!(!conf.wide_addresses);
    assert_eq!(
        refused(conf.resolve_storage_ids(&mut |_| None)),
        "ids:1: the host name \"one.example\" has no address"
    );
    conf.resolve_storage_ids(&mut |_| Some("2001:db8::1".parse().unwrap())).unwrap();
    assert!(conf.wide_addresses);
    assert!(conf.identity.storage_ids.unwrap().by_addr("2001:db8::1".parse().unwrap(), 23000).is_some());
}
