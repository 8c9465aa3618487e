//! storage.conf.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::path::Path;
use std::time::Duration;

use fdfs_conf::service::LogLevel;
use fdfs_conf::storage::{CopiesMissing, DistributeMode, Durability, StorePath, TimePrecision};
use fdfs_conf::{ServerAddr, StorageConf};
use support::{clean, field_files, files, refused, storage, warnings};

#[test]
fn a_file_from_the_field_loads_without_a_warning() {
    let conf = clean(StorageConf::load("/etc/fdfs/storage.conf", &mut field_files()));
    assert_eq!(conf.group_name.map(|group| group.to_string()), Some("group1".to_owned()));
    assert_eq!(conf.server_id, None);
    let paths: Vec<(&str, bool)> =
        conf.store_paths.iter().map(|p| (p.path.to_str().unwrap(), p.read_only)).collect();
    assert_eq!(paths, [("/opt/fastdfs", false), ("/data 2/磁盘", true), ("/data3", false)]);
    let trackers: Vec<String> = conf.tracker_servers.iter().map(ServerAddr::to_string).collect();
    assert_eq!(trackers, ["192.168.209.121:22122", "192.168.209.122:22122", "[2409:8a20::1,10.0.0.1]:22123"]);
    assert_eq!(conf.log_level, LogLevel::Warn);
    assert_eq!(conf.run_by.user.as_deref(), Some("fastdfs"));
    assert_eq!(conf.if_alias_prefix, ["eth", "bond"]);
    assert_eq!((conf.upload_priority, conf.sync.max_threads), (-5, 64));
    assert_eq!(conf.sync.wait, Duration::from_millis(10));
    assert!(!conf.sync.has_window());
    assert!(conf.access_log.enabled);
    assert_eq!(conf.access_log.time_precision, TimePrecision::Microsecond);
    assert_eq!(conf.access_log.file.rotate_on_size, 1 << 30);
    assert_eq!(conf.log_file.rotate_on_size, 100 << 20);
    assert_eq!(conf.access_log.file.keep_days, 15);
}

#[test]
fn absent_keys_have_fastdfs_defaults() {
    let conf = clean(storage(""));
    assert_eq!(conf.group_name, None);
    assert_eq!(conf.store_paths, [StorePath { path: "/fastdfs".into(), read_only: false }]);
    assert_eq!(conf.subdir_count_per_path, 256);
    assert_eq!(conf.listen.inner_port, 23000);
    assert!(conf.client_bind && conf.check_store_path_mark && !conf.compress_binlog);
    assert_eq!(conf.heart_beat_interval, Duration::from_secs(30));
    assert_eq!(conf.stat_report_interval, Duration::from_secs(300));
    assert_eq!(conf.sync_binlog_buff_interval, Duration::from_secs(60));
    assert_eq!(conf.sync_stat_file_interval, Duration::from_secs(60));
    assert_eq!((conf.disk.rw_separated, conf.disk.reader_threads, conf.disk.writer_threads), (true, 1, 1));
    assert_eq!((conf.sync.min_threads, conf.sync.max_threads), (1, 64));
    assert_eq!((conf.sync.wait, conf.sync.interval), (Duration::from_millis(100), Duration::ZERO));
    assert_eq!(conf.sync.write_mark_file_freq, 500);
    assert_eq!((conf.distribute.mode, conf.distribute.rotate_count), (DistributeMode::RoundRobin, 100));
    assert_eq!(conf.upload_priority, 10);
    assert!(!conf.access_log.enabled);
}

#[test]
fn our_own_keys_have_defaults_that_keep_data() {
    let conf = clean(storage(""));
    assert_eq!(conf.durability, Durability::Copies(2));
    assert_eq!((conf.journal.size, conf.journal.inline_max), (256 << 20, 64 << 10));
}

#[test]
fn durability_is_a_word() {
    assert_eq!(clean(storage("durability = FastDFS")).durability, Durability::Fastdfs);
    for word in ["fastdfs", "disk", "copies:1", "copies:32"] {
        assert_eq!(clean(storage(&format!("durability = {word}"))).durability.to_string(), word);
    }
    for wrong in ["sure", "copies", "copies:0", "copies:33", "copies:x"] {
        assert_eq!(
            refused(storage(&format!("durability = {wrong}"))),
            format!(
                "storage.conf:3: durability: must be copies:N with N from 1 to 32, disk or fastdfs, got \"{wrong}\""
            )
        );
    }
}

#[test]
fn how_far_a_member_may_be_behind_is_ten_seconds_unless_said_otherwise() {
    assert_eq!(clean(storage("")).sync.lag_max, Duration::from_secs(10));
    assert_eq!(clean(storage("sync_lag_max = 0")).sync.lag_max, Duration::ZERO);
    assert_eq!(
        refused(storage("sync_lag_max = 100000")),
        "storage.conf:3: sync_lag_max: must be between 0 and 86400, got 100000"
    );
}

#[test]
fn missing_copies_are_accepted_or_refused() {
    let conf = clean(storage(""));
    assert_eq!((conf.copies_missing, conf.copies_wait.as_secs()), (CopiesMissing::Accept, 5));
    let conf = clean(storage("copies_missing = refuse\ncopies_wait = 60"));
    assert_eq!((conf.copies_missing, conf.copies_wait.as_secs()), (CopiesMissing::Refuse, 60));
    assert_eq!(
        refused(storage("copies_missing = perhaps")),
        "storage.conf:3: copies_missing: must be accept or refuse, got \"perhaps\""
    );
}

#[test]
fn a_journal_has_a_least_size() {
    let conf = clean(storage("journal_size = 32MB\njournal_inline_max = 0"));
    assert_eq!((conf.journal.size, conf.journal.inline_max), (32 << 20, 0));
    assert_eq!(
        refused(storage("journal_size = 31M")),
        "storage.conf:3: journal_size: must be between 32MB and 1TB, got \"31M\""
    );
    assert_eq!(
        refused(storage("journal_inline_max = 17M")),
        "storage.conf:3: journal_inline_max: must be between 0 and 16MB, got \"17M\""
    );
}

#[test]
fn a_store_path_count_outside_its_limits_stops_with_file_line_key_and_reason() {
    assert_eq!(
        refused(storage("store_path_count = 0")),
        "storage.conf:3: store_path_count: must be between 1 and 256, got 0"
    );
    assert_eq!(
        refused(storage("\n\nstore_path_count=257")),
        "storage.conf:5: store_path_count: must be between 1 and 256, got 257"
    );
    assert_eq!(
        refused(storage("store_path_count=two")),
        "storage.conf:3: store_path_count: must be a whole number, got \"two\""
    );
}

#[test]
fn every_store_path_must_be_given_and_be_another_folder() {
    assert_eq!(
        refused(storage("store_path_count=2")),
        "storage.conf:3: store_path1: is missing, and there is no default"
    );
    assert_eq!(
        refused(storage("store_path_count=2\nstore_path0=/a\nstore_path1=/a/")),
        "storage.conf:5: store_path1: is the same folder as store_path0"
    );
    assert_eq!(
        refused(storage("store_path_count=2\nstore_path1=/fastdfs")),
        "storage.conf:4: store_path1: is the same folder as store_path0"
    );
    assert_eq!(refused(storage("store_path0=")), "storage.conf:3: store_path0: is empty");
    let conf = clean(storage("store_path_count=2\nstore_path1=/b"));
    assert_eq!(conf.store_paths[0].path, Path::new("/fastdfs"));
}

#[test]
fn the_last_possible_store_path_is_255() {
    let lines: String = (0..256).map(|n| format!("store_path{n}=/disk{n}\n")).collect();
    let conf = clean(storage(&format!("store_path_count=256\n{lines}")));
    assert_eq!(conf.store_paths[255].path, Path::new("/disk255"));
}

#[test]
fn store_paths_beyond_the_count_are_warned_about() {
    assert_eq!(
        warnings(storage("store_path0=/a\nstore_path1=/b\nstore_path1_readonly=1")),
        [
            "storage.conf:4: store_path1: not used: store_path_count is 1",
            "storage.conf:5: store_path1_readonly: not used: store_path_count is 1",
        ]
    );
    assert_eq!(
        warnings(storage("store_path01=/b\nstore_path=/c")),
        [
            "storage.conf:3: store_path01: unknown key, ignored",
            "storage.conf:4: store_path: belongs in tracker.conf, ignored here",
        ]
    );
}

#[test]
fn the_first_store_path_given_twice_is_the_second_one() {
    let loaded = storage("store_path0=/a\nstore_path0=/b");
    assert_eq!(
        warnings(loaded.clone()),
        ["storage.conf:4: store_path0: given again; this line counts, line 3 does not"]
    );
    assert_eq!(loaded.unwrap().0.store_paths[0].path, Path::new("/b"));
}

#[test]
fn a_group_name_is_checked_and_may_be_left_to_the_tracker() {
    assert_eq!(refused(storage("group_name=")), "storage.conf:3: group_name: is empty");
    assert_eq!(
        refused(storage("group_name=group-1")),
        "storage.conf:3: group_name: must be 1 to 16 letters and digits, got \"group-1\""
    );
}

#[test]
fn a_server_id_is_a_storage_id() {
    assert_eq!(clean(storage("server_id = 100001")).server_id, Some(100_001));
    assert_eq!(clean(storage("server_id =")).server_id, None);
    assert_eq!(
        refused(storage("server_id = 0100")),
        "storage.conf:3: server_id: must be a storage id, a number from 1 to 16777215 without leading zeros, got \"0100\""
    );
}

#[test]
fn trackers_are_required_limited_and_may_be_on_this_host() {
    let load = |text: &str| StorageConf::load("s.conf", &mut files(&[("s.conf", text)]));
    assert_eq!(refused(load("base_path=/x")), "s.conf: tracker_server: is missing, and there is no default");
    assert_eq!(
        refused(load("base_path=/x\ntracker_server=")),
        "s.conf:2: tracker_server: must be host:port, got an empty text"
    );
    assert_eq!(clean(load("base_path=/x\ntracker_server=127.0.0.1")).tracker_servers.as_slice().len(), 1);
    let many: String = (1..=17).map(|n| format!("tracker_server=10.0.0.{n}\n")).collect();
    assert_eq!(
        refused(load(&format!("base_path=/x\n{many}"))),
        "s.conf:18: tracker_server: given more than 16 times"
    );
    assert_eq!(
        warnings(storage("tracker_server=10.0.0.1:22122")),
        ["storage.conf:3: tracker_server: the same tracker twice, counted once"]
    );
}

#[test]
fn disk_threads_must_leave_somebody_to_work() {
    let said = "must be between 1 and 1024, got 0";
    assert_eq!(
        refused(storage("disk_reader_threads=0")),
        format!("storage.conf:3: disk_reader_threads: {said}")
    );
    assert_eq!(
        refused(storage("disk_writer_threads=0")),
        format!("storage.conf:3: disk_writer_threads: {said}")
    );
    let conf = clean(storage("disk_rw_separated=0\ndisk_reader_threads=0"));
    assert_eq!((conf.disk.reader_threads, conf.disk.writer_threads), (0, 1));
    assert_eq!(
        refused(storage("disk_rw_separated=0\ndisk_reader_threads=0\ndisk_writer_threads=0")),
        format!("storage.conf:4: disk_reader_threads: {said}")
    );
}

#[test]
fn sync_threads_are_fitted_as_fastdfs_fits_them() {
    let threads = |lines: &str| {
        let (conf, warnings) = storage(lines).unwrap();
        (conf.sync.min_threads, conf.sync.max_threads, warnings.len())
    };
    assert_eq!(threads("sync_max_threads=0"), (1, 64, 0));
    assert_eq!(threads("sync_max_threads=8"), (1, 8, 0));
    assert_eq!(threads("sync_max_threads=300"), (1, 256, 1));
    assert_eq!(threads("sync_min_threads=9\nsync_max_threads=4"), (9, 9, 1));
    assert_eq!(threads("sync_min_threads=90"), (90, 90, 1), "auto is no less either");
    assert_eq!(threads("sync_min_threads=0"), (1, 64, 1));
    assert_eq!(
        refused(storage("sync_max_threads=many")),
        "storage.conf:3: sync_max_threads: must be auto, or a number from 1 to 256, got \"many\""
    );
}

#[test]
fn a_window_for_replication_is_noticed() {
    assert!(clean(storage("sync_end_time=06:00")).sync.has_window());
    assert!(clean(storage("sync_start_time=00:01")).sync.has_window());
    assert_eq!(
        refused(storage("sync_end_time=24:00")),
        "storage.conf:3: sync_end_time: must be a time such as 02:30 or 02:30:00, got \"24:00\""
    );
}

#[test]
fn nobody_counts_as_a_member_by_the_configuration_unless_it_names_him() {
    let ip = |text: &str| text.parse().unwrap();
    assert!(clean(storage("")).allow_peers.is_nobody());
    let peers = clean(storage("allow_peers=10.0.1.[4-5]\nallow_peers = fd00::/64\n")).allow_peers;
    assert!(peers.allows(ip("10.0.1.5")) && peers.allows(ip("fd00::9")) && !peers.allows(ip("10.0.1.6")));
    assert_eq!(
        refused(storage("allow_peers=10.0.0.0/40")),
        "storage.conf:3: allow_peers: \"10.0.0.0/40\" is no network: an address, a slash and 1 to 32 bits"
    );
    assert_eq!(
        warnings(storage("allow_peers=10.0.0.7\nallow_peers=*")),
        [
            "storage.conf:4: allow_peers: whoever may connect counts as a member of the group: he can write and delete every file"
        ]
    );
}

#[test]
fn deduplication_is_said_not_to_be_there() {
    assert_eq!(
        warnings(storage("check_file_duplicate=1\nkey_namespace=x")),
        [
            "storage.conf:3: check_file_duplicate: not used: equal files are not merged, FastDHT servers are not supported"
        ]
    );
}

#[test]
fn an_access_log_has_its_own_keys_in_its_section_only() {
    assert_eq!(
        warnings(storage(
            "enabled = true\n[access-log]\nport = 5\ncolour = red\nlog_file_keep_day = 3\n[other]\na=1\nb=2\n"
        )),
        [
            "storage.conf:3: enabled: belongs in [access-log], ignored here",
            "storage.conf:5: port: belongs above the first [section], ignored here",
            "storage.conf:6: colour: unknown key, ignored",
            "storage.conf:7: log_file_keep_day: unknown key, ignored; did you mean log_file_keep_days?",
            "storage.conf:9: [other]: unknown section, ignored with all its keys",
        ]
    );
    assert!(clean(storage("[access-log]\nenabled=1")).access_log.enabled);
    assert_eq!(
        refused(storage("[access-log]\ntime_precision=ns")),
        "storage.conf:4: time_precision: must be ms or us, got \"ns\""
    );
}

#[test]
fn names_of_older_versions_are_accepted_with_advice() {
    assert_eq!(
        warnings(storage("use_access_log=true\nrotate_error_log=false\nhttp.server_port=8888\n")),
        [
            "storage.conf:3: use_access_log: no longer in use, ignored: set enabled inside [access-log]",
            "storage.conf:4: rotate_error_log: no longer in use, ignored: the log_file_* keys replaced it in FastDFS 6.14",
            "storage.conf:5: http.server_port: no longer in use, ignored: trackers and storages have served no HTTP since \
             FastDFS 5; another program does that",
        ]
    );
}

#[test]
fn keys_without_effect_are_accepted_whatever_they_say() {
    clean(storage("thread_stack_size=5\nuse_io_uring=maybe\nfsync_after_written_bytes=1\ngroup0=a\n"));
}

#[test]
fn a_disk_for_each_turn_of_a_loop() {
    let conf = clean(storage(
        "store_path_count = 3\n#@for i from 0 to 2 step 1\nstore_path{$i} = /disk{$i}\n#@endfor\n",
    ));
    assert_eq!(conf.store_paths[2].path, Path::new("/disk2"));
}

#[test]
fn a_fault_in_an_included_file_names_that_file() {
    let texts = [
        ("/e/storage.conf", "base_path=/x\n#include conf.d/limits.conf\n"),
        ("/e/conf.d/limits.conf", "# limits\nwork_threads = 0\n"),
    ];
    assert_eq!(
        refused(StorageConf::load("/e/storage.conf", &mut files(&texts))),
        "/e/conf.d/limits.conf:2: work_threads: must be between 1 and 1024, got 0"
    );
}
