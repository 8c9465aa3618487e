//! client.conf.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::path::Path;
use std::time::Duration;

use fdfs_conf::client::ConnectFirstBy;
use fdfs_conf::service::LogLevel;
use fdfs_conf::{ClientConf, ServerAddr};
use support::{clean, client, field_files, files, refused, warnings};

#[test]
fn a_file_from_the_field_loads_without_a_warning() {
    let conf = clean(ClientConf::load("/etc/fdfs/client.conf", &mut field_files()));
    assert_eq!(conf.base_path, Path::new("/var/log/fastdfs"));
    assert_eq!(conf.connect_timeout, Duration::from_secs(5));
    assert_eq!(conf.network_timeout, Duration::from_secs(60));
    let trackers: Vec<String> = conf.tracker_servers.iter().map(ServerAddr::to_string).collect();
    assert_eq!(trackers, ["192.168.0.196:22122", "192.168.0.197:22122"]);
    assert_eq!(conf.log_level, LogLevel::Error);
    assert_eq!(conf.connect_first_by, ConnectFirstBy::LastConnected);
    assert_eq!(conf.storage_ids.map(|ids| ids.len()), Some(3));
    assert!(conf.anti_steal.check_token);
    assert_eq!(conf.anti_steal.secret_key.as_deref(), Some("FastDFS1234567890"));
    assert_eq!(conf.anti_steal.token_ttl, Duration::from_secs(900));
    assert_eq!(conf.anti_steal.token_check_fail.as_deref(), Some(Path::new("/etc/fdfs/anti-steal.jpg")));
}

#[test]
fn absent_keys_have_fastdfs_defaults() {
    let conf = clean(client(""));
    assert_eq!(conf.base_path, Path::new("/tmp"));
    assert_eq!(conf.connect_timeout, Duration::from_secs(10));
    assert_eq!(conf.network_timeout, Duration::from_secs(30));
    assert!(!conf.pool.enabled && !conf.load_fdfs_parameters_from_tracker);
    assert_eq!(conf.connect_first_by, ConnectFirstBy::Tracker);
    assert!(conf.storage_ids.is_none() && !conf.anti_steal.check_token);
    assert_eq!(conf.anti_steal.token_ttl, Duration::from_secs(600));
}

#[test]
fn a_storages_or_a_trackers_file_serves_a_tool_as_well() {
    clean(ClientConf::load("/etc/fdfs/storage.conf", &mut field_files()));
    assert_eq!(
        refused(ClientConf::load("/etc/fdfs/tracker.conf", &mut field_files())),
        "/etc/fdfs/tracker.conf: tracker_server: is missing, and there is no default"
    );
}

#[test]
fn ids_from_the_tracker_need_no_file() {
    let conf = clean(client("load_fdfs_parameters_from_tracker=1\nuse_storage_id=1\n"));
    assert!(conf.load_fdfs_parameters_from_tracker && conf.storage_ids.is_none());
    assert_eq!(
        refused(client("use_storage_id=1")),
        "client.conf:2: storage_ids_filename: is needed when use_storage_id is true"
    );
}

#[test]
fn tokens_need_a_secret() {
    assert_eq!(
        refused(client("http.anti_steal.check_token=1")),
        "client.conf:2: http.anti_steal.secret_key: is needed when http.anti_steal.check_token is true"
    );
    assert_eq!(
        refused(client("http.anti_steal.token_ttl=0")),
        "client.conf:2: http.anti_steal.token_ttl: must be between 1 and 2147483647, got 0"
    );
}

#[test]
fn a_secret_is_not_shown_in_a_log() {
    let conf = clean(client("http.anti_steal.secret_key=Very5ecret"));
    let shown = format!("{conf:?}");
    assert!(!shown.contains("Very5ecret") && shown.contains("secret_key: Some"), "{shown}");
}

#[test]
fn a_mistyped_key_is_answered_with_the_nearest_one() {
    assert_eq!(
        warnings(client("tracker_sever=10.0.0.2\nnet_work_timeout=3\nzzz=1\n")),
        [
            "client.conf:2: tracker_sever: unknown key, ignored; did you mean tracker_server?",
            "client.conf:3: net_work_timeout: unknown key, ignored; did you mean network_timeout?",
            "client.conf:4: zzz: unknown key, ignored",
        ]
    );
}

#[test]
fn booleans_have_eight_words_and_nothing_else() {
    for (word, value) in [
        ("TRUE", true),
        ("Yes", true),
        ("on", true),
        ("1", true),
        ("false", false),
        ("NO", false),
        ("Off", false),
        ("0", false),
    ] {
        assert_eq!(clean(client(&format!("use_connection_pool = {word}"))).pool.enabled, value, "{word}");
    }
    assert_eq!(
        refused(client("use_connection_pool = maybe")),
        "client.conf:2: use_connection_pool: must be true or false (also yes/no, on/off, 1/0), got \"maybe\""
    );
    assert_eq!(
        warnings(client("use_connection_pool =")),
        ["client.conf:2: use_connection_pool: is empty, which means false"]
    );
}

#[test]
fn a_number_fastdfs_would_replace_is_replaced_with_a_warning() {
    let loaded = client("connect_timeout = 0\nnetwork_timeout =\n");
    assert_eq!(
        warnings(loaded.clone()),
        [
            "client.conf:2: connect_timeout: 0 is not usable, 10 is used",
            "client.conf:3: network_timeout: is empty, 30 is used",
        ]
    );
    assert_eq!(loaded.unwrap().0.connect_timeout, Duration::from_secs(10));
}

#[test]
fn a_comment_after_a_number_is_stepped_over_with_a_warning() {
    let loaded = client("connect_timeout = 7 # seconds\n");
    assert_eq!(
        warnings(loaded.clone()),
        ["client.conf:2: connect_timeout: \"7 # seconds\" is read as 7; a comment needs a line of its own"]
    );
    assert_eq!(loaded.unwrap().0.connect_timeout, Duration::from_secs(7));
    for bad in ["7s", "7 seconds", "1.5", "0x10", "99999999999999999999999999999999999999999"] {
        assert_eq!(
            refused(client(&format!("connect_timeout = {bad}"))),
            format!("client.conf:2: connect_timeout: must be a whole number, got \"{bad}\"")
        );
    }
}

#[test]
fn levels_are_syslogs_words_or_their_beginnings() {
    let words = ["emerg", "Alert", "CRITICAL", "err", "warning", "notice", "LOG_INFO", "debug", ""];
    let levels = words.map(|word| clean(client(&format!("log_level={word}"))).log_level);
    assert_eq!(
        levels,
        [
            LogLevel::Emerg,
            LogLevel::Alert,
            LogLevel::Crit,
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Notice,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Info,
        ]
    );
    assert_eq!(
        refused(client("log_level=loud")),
        "client.conf:2: log_level: must be emerg, alert, crit, error, warn, notice, info or debug, got \"loud\""
    );
}

#[test]
fn of_a_key_given_twice_the_last_one_counts_and_says_so() {
    let texts = [("c.conf", "tracker_server=10.0.0.1\nconnect_timeout=1\nconnect_timeout=2\n")];
    let loaded = ClientConf::load("c.conf", &mut files(&texts));
    assert_eq!(
        warnings(loaded.clone()),
        ["c.conf:3: connect_timeout: given again; this line counts, line 2 does not"]
    );
    assert_eq!(loaded.unwrap().0.connect_timeout, Duration::from_secs(2));
}
