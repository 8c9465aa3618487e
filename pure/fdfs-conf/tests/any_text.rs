//! No text makes the readers panic or run away.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use fdfs_conf::{AllowHosts, ClientConf, GatewayConf, Ini, ServerAddr, StorageConf, StorageIds, TrackerConf};
use proptest::prelude::*;
use support::{files, host};

/// Lines that look like configuration, so that the parsers behind the grammar are reached too.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "port",
        "bind_addr",
        "base_path",
        "store_path_count",
        "store_path0",
        "store_path1",
        "store_path1_readonly",
        "tracker_server",
        "allow_hosts",
        "reserved_storage_space",
        "slot_max_size",
        "log_level",
        "use_storage_id",
        "storage_ids_filename",
        "sync_start_time",
        "buff_size",
        "durability",
        "journal_size",
        "group_name",
        "server_id",
        "connect_timeout",
        "disk_reader_threads",
        "http.anti_steal.check_token",
        "response_ip_addr_size",
        "unknown",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "",
            "0",
            "1",
            "-1",
            "256",
            "99999999999999999999",
            "true",
            "off",
            "*",
            "10%",
            "1.5.%",
            "64KB",
            "1T",
            "16777216T",
            "25:00",
            "1:2:3",
            "10.0.1.[1-3,7]",
            "h[9-1]",
            "::/1",
            "1.2.3.4/32",
            "[::1]:1",
            "[",
            "]:",
            "a,b:1",
            "/x/",
            "ids.conf",
            "copies:2",
            "auto",
            "é",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,20}",
    ];
    let directive = prop::sample::select(vec![
        "#include storage.conf",
        "#include ids.conf",
        "#@if %{A} in [1,2]",
        "#@if %{LOCAL_IP} in [10.0.0.0/8]",
        "#@else",
        "#@endif",
        "#@for i from 0 to 3",
        "#@for i from 0 to 4000000000 step 7",
        "#@endfor",
        "#@set A = 1",
        "#@set A = %{A}%{A}",
        "#@function REPLACE_VARS",
        "#@function LOCAL_IP_GET",
        "[access-log]",
        "[error-log]",
        "[]",
        "x{$i} = %{A}",
    ]);
    prop_oneof![
        4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => directive.prop_map(str::to_owned),
        1 => "\\PC{0,30}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::collection::vec(line(), 0..20).prop_map(|lines| lines.join("\n")),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(main in text(), included in text()) {
        let host = host();
        let texts = [("storage.conf", main.as_str()), ("ids.conf", included.as_str())];
        for host in [None, Some(&host)] {
            let _ = TrackerConf::load_on("storage.conf", &mut files(&texts), host);
            let _ = StorageConf::load_on("storage.conf", &mut files(&texts), host);
            let _ = ClientConf::load_on("storage.conf", &mut files(&texts), host);
            let _ = GatewayConf::load_on("storage.conf", &mut files(&texts), host);
        }
        let _ = StorageIds::parse("ids.conf", &included);
    }

    #[test]
    fn a_message_always_names_the_file(main in text()) {
        if let Err(error) = Ini::parse("some.conf", &main) {
            prop_assert!(error.to_string().starts_with("some.conf:"));
        }
    }

    #[test]
    fn any_address_is_read_or_refused_and_what_is_read_is_written_so_that_it_reads_back(text in "[0-9a-f:.,\\[\\]]{0,30}") {
        if let Ok(server) = ServerAddr::parse(&text, 22122) {
            prop_assert_eq!(ServerAddr::parse(&server.to_string(), 1), Ok(server));
        }
    }

    #[test]
    fn any_pattern_is_read_or_refused(text in "[0-9a-z:./*, -]{0,20}\\[?[0-9, -]{0,8}\\]?[0-9.]{0,5}") {
        let mut allowed = AllowHosts::nobody();
        let _ = allowed.add_pattern(&text);
    }

    #[test]
    fn every_address_of_a_range_and_no_other_is_let_in(from in 0u8..=255, to in 0u8..=255, peer in 0u8..=255) {
        prop_assume!(from <= to);
        let mut allowed = AllowHosts::nobody();
        allowed.add_pattern(&format!("10.0.1.[{from}-{to}]")).unwrap();
        let ip = std::net::IpAddr::from([10, 0, 1, peer]);
        prop_assert_eq!(allowed.allows(ip), (from..=to).contains(&peer));
    }
}
