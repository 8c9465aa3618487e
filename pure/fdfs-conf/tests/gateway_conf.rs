//! mod_fastdfs.conf with its http.conf.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fdfs_conf::gateway::{CorsOrigins, ResponseModeConf, TokenFailStatus};
use fdfs_conf::{ConfError, GatewayConf, Warning};
use support::{clean, field_files, files, refused, warnings};

/// Loads a mod_fastdfs.conf that needs `lines` on top of what is required.
fn gateway(lines: &str) -> Result<(GatewayConf, Vec<Warning>), ConfError> {
    let text = format!("url_have_group_name=true\n{lines}");
    GatewayConf::load("m.conf", &mut files(&[("m.conf", &text)]))
}

#[test]
fn a_file_from_the_field_loads_without_a_warning_with_the_http_conf_it_includes() {
    let conf = clean(GatewayConf::load("/etc/fdfs/mod_fastdfs.conf", &mut field_files()));
    assert_eq!(conf.connect_timeout, Duration::from_secs(2));
    assert_eq!(conf.tracker_servers.map(|trackers| trackers.iter().count()), Some(2));
    assert!(conf.load_fdfs_parameters_from_tracker && conf.storage_ids.is_none());
    assert!(!conf.url_have_group_name);
    let group = &conf.groups[0];
    assert_eq!((group.name.as_str(), group.storage_server_port), ("group1", 23000));
    assert_eq!(group.store_paths, [PathBuf::from("/opt/fastdfs")]);
    assert_eq!(conf.response_mode, ResponseModeConf::Proxy);
    assert_eq!(conf.log_filename, None);
    assert_eq!(conf.answers.flv_extension.as_deref(), Some("flv"));
    assert_eq!(conf.answers.mime_types.as_deref(), Some(Path::new("/etc/fdfs/mime.types")));
    assert!(conf.answers.multi_range && conf.tokens.anti_steal.check_token);
    assert_eq!(conf.tokens.anti_steal.token_ttl, Duration::from_secs(900));
    assert_eq!(conf.tokens.fail_status, TokenFailStatus::Forbidden);
}

#[test]
fn without_a_group_files_of_all_groups_are_fetched_from_their_members() {
    let conf = clean(gateway("tracker_server=10.0.0.1\n"));
    assert!(conf.groups.is_empty());
    assert_eq!((conf.listen.port, conf.listen.tls), (8888, None));
    assert_eq!(conf.limits.max_head_size, 16 << 10);
    assert_eq!(conf.answers.cors_origins, CorsOrigins::Own);
    assert_eq!(
        refused(gateway("url_have_group_name=false\n")),
        "m.conf:2: group_name: is needed when url_have_group_name is false"
    );
}

#[test]
fn groups_have_sections_by_number() {
    let two = "group_count=2\n[group1]\ngroup_name=a\nstore_path_count=2\nstore_path0=/a0\nstore_path1=/a1\n\
               [group2]\ngroup_name=b\nstore_path0=/b0\nstorage_server_port=24000\n";
    let conf = clean(gateway(two));
    let shown: Vec<(&str, u16, usize)> = conf
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.storage_server_port, group.store_paths.len()))
        .collect();
    assert_eq!(shown, [("a", 23000, 2), ("b", 24000, 1)]);
    assert_eq!(
        warnings(gateway(&two.replace("group_count=2", "group_count=1"))),
        ["m.conf:9: [group2]: not used: group_count counts fewer sections, and from 1"]
    );
    assert_eq!(
        refused(gateway(&two.replace("group_name=b", "group_name=a"))),
        "m.conf:9: group_name: group a has a section already"
    );
    assert_eq!(
        refused(gateway(&two.replace("store_path1=/a1\n", ""))),
        "m.conf:5: store_path1: is missing, and there is no default"
    );
}

#[test]
fn wrong_values_stop_the_start_with_their_line() {
    for (line, message) in [
        ("response_mode=redirct", "response_mode: must be proxy or redirect, got \"redirct\""),
        ("token_fail_status=404", "token_fail_status: must be 403 or 200, got \"404\""),
        ("tls_cert=a.pem", "tls_key: is needed when tls_cert is given"),
        (
            "anti_steal_bypass_header_name=X-Pass",
            "anti_steal_bypass_header_value: is needed when anti_steal_bypass_header_name is given",
        ),
        (
            "http.anti_steal.check_token=true",
            "http.anti_steal.secret_key: is needed when http.anti_steal.check_token is true",
        ),
        (
            "cors_origins=https://a.example/",
            "cors_origins: must be * or origins such as https://example.org, in lower case and without a path, \
             got \"https://a.example/\"",
        ),
    ] {
        assert_eq!(refused(gateway(line)), format!("m.conf:2: {message}"));
    }
}

#[test]
fn unknown_keys_warn() {
    assert_eq!(
        warnings(gateway("respons_mode=proxy\n")),
        ["m.conf:2: respons_mode: unknown key, ignored; did you mean response_mode?"]
    );
}

#[test]
fn secrets_are_not_shown_in_a_log() {
    let conf = clean(gateway(
        "http.anti_steal.secret_key=Very5ecret\nanti_steal_bypass_header_name=X-Pass\n\
         anti_steal_bypass_header_value=AlsoS3cret\n",
    ));
    let shown = format!("{conf:?}");
    assert!(!shown.contains("Very5ecret") && !shown.contains("AlsoS3cret") && shown.contains("X-Pass"));
}
