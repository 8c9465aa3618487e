//! Bodies that are text: addresses, parameters, lists of trackers.

use fdfs_proto::tracker::parameters::{IdType, Parameters, ReservedSpace, TimeOfDay};
use fdfs_proto::tracker::{join, my_ip, query_store, set_trunk_server, storage_ids, storage_lookup};
use fdfs_proto::{AddrWidth, Host, HostError, StorageId, Why};

#[test]
fn hosts_are_read_in_all_four_forms_and_written_the_same() {
    for text in [
        "192.168.0.2:22122",
        "192.168.0.2,1.2.3.4:22122",
        "[2001:db8::1]:22122",
        "[2001:db8::1,fd00::1]:22122",
    ] {
        assert_eq!(text.parse::<Host>().map(|host| host.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn what_is_no_host_says_why() {
    for (text, why) in [
        ("192.168.0.2", HostError::NoPort),
        ("[2001:db8::1]", HostError::NoPort),
        ("192.168.0.2:", HostError::Port),
        ("192.168.0.2:0", HostError::Port),
        ("192.168.0.2:+1", HostError::Port),
        ("192.168.0.2:65536", HostError::Port),
        ("tracker:22122", HostError::Address),
        (":22122", HostError::Address),
        ("[2001:db8::1:22122", HostError::Address),
        ("10.0.0.1,10.0.0.2,10.0.0.3:1", HostError::TooMany),
    ] {
        assert_eq!(text.parse::<Host>(), Err(why), "{text}");
    }
}

#[test]
fn two_addresses_of_a_storage_stand_with_a_comma_between() {
    let got = my_ip::Got { ip: [10, 0, 0, 1].into(), second: Some([1, 2, 3, 4].into()) };
    let mut out = Vec::new();
    got.encode(&mut out);
    assert_eq!(out, b"10.0.0.1,1.2.3.4");
    assert_eq!(my_ip::Got::decode(&out), Ok(got));
}

#[test]
fn a_lookup_without_port_is_refused() {
    let mut body = [&b"group1\0\0\0\0\0\0\0\0\0\0"[..], b"192.168.0.2"].concat();
    assert_eq!(storage_lookup::Ask::decode(&body).map_err(|error| error.why), Err(Why::Text));
    body.extend_from_slice(b":23000");
    assert_eq!(
        storage_lookup::Ask::decode(&body).map(|ask| ask.host.to_string()),
        Ok("192.168.0.2:23000".into())
    );
}

#[test]
fn a_tracker_line_without_newline_refuses_the_join() {
    let mut body = vec![0; 145];
    body[..6].copy_from_slice(b"group1");
    body[24] = 1;
    body[32] = 1;
    body[40] = 1;
    body[144] = 1;
    body.extend_from_slice(b"10.0.0.1:22122");
    assert_eq!(join::Ask::decode(&body).map_err(|error| error.why), Err(Why::Text));
    body.push(b'\n');
    assert_eq!(join::Ask::decode(&body).map(|ask| ask.trackers.len()), Ok(1));
    body.push(b'x');
    assert_eq!(join::Ask::decode(&body).map_err(|error| error.why), Err(Why::Trailing));
}

#[test]
fn a_join_of_no_or_seventeen_trackers_is_refused() {
    let mut body = vec![0; 145];
    body[..6].copy_from_slice(b"group1");
    body[24] = 1;
    body[32] = 1;
    body[40] = 1;
    assert_eq!(join::Ask::decode(&body).map_err(|error| error.why), Err(Why::Range));
    body[144] = 17;
    for _ in 0..17 {
        body.extend_from_slice(b"10.0.0.1:22122\n");
    }
    assert_eq!(join::Ask::decode(&body).map_err(|error| error.why), Err(Why::Range));
}

#[test]
fn a_length_that_fits_both_widths_is_read_as_the_wide_one() {
    // 17 and 53 narrow or 23 wide records.
    assert_eq!(query_store::GotAll::width(17 + 53 * 23), Some(AddrWidth::V6));
    assert_eq!(query_store::GotAll::width(17 + 2 * 23), Some(AddrWidth::V4));
    assert_eq!(query_store::GotAll::width(17 + 2 * 53), Some(AddrWidth::V6));
    assert_eq!(query_store::GotAll::width(17), None);
    assert_eq!(query_store::GotAll::width(17 + 24), None);
}

#[test]
fn the_trunk_server_is_named_with_a_nul_behind() {
    let mut out = Vec::new();
    set_trunk_server::Got { id: StorageId::new(b"100001").unwrap() }.encode(&mut out);
    assert_eq!(out, b"100001\0");
}

#[test]
fn a_storage_id_has_no_slash_no_blank_and_at_most_fifteen_characters() {
    for bad in ["", "1234567890123456", "a/b", "a b", "a\nb", "../x"] {
        assert_eq!(StorageId::new(bad.as_bytes()), None, "{bad:?}");
    }
    assert!(StorageId::new(b"255.255.255.255").is_some());
}

#[test]
fn a_page_of_ids_must_hold_the_lines_it_announces() {
    let page = |total: u8, count: u8, lines: &str| {
        let mut body = vec![0, 0, 0, total, 0, 0, 0, count];
        body.extend_from_slice(lines.as_bytes());
        storage_ids::Got::decode(&body).map(|got| got.count).map_err(|error| error.why)
    };
    assert_eq!(page(2, 1, "100001 group1 10.0.0.1:23000\n"), Ok(1));
    assert_eq!(page(0, 0, ""), Ok(0));
    assert_eq!(page(2, 2, "100001 group1 10.0.0.1:23000\n"), Err(Why::Mismatch));
    assert_eq!(page(2, 1, "100001 group1 10.0.0.1:23000"), Err(Why::Mismatch));
    assert_eq!(page(0, 1, "100001 group1 10.0.0.1:23000\n"), Err(Why::Mismatch));
}

#[test]
fn parameters_that_are_missing_take_the_storages_fallbacks() {
    let parameters = Parameters::decode(b"").unwrap();
    assert_eq!(parameters.response_ip_addr_size, AddrWidth::V6);
    assert!(!parameters.trust_storage_server_id);
    assert_eq!(parameters.reserved_storage_space, ReservedSpace::Mib(1024));
    assert_eq!(parameters.slot_max_size, 16 * 1024 * 1024);
    let parameters = Parameters::decode(b"trunk_file_size=4194304\nsomething_new=7\n").unwrap();
    assert_eq!(parameters.slot_max_size, 1024 * 1024);
}

#[test]
fn parameters_are_read_in_every_notation() {
    let read = |text: &str| Parameters::decode(text.as_bytes()).unwrap();
    assert_eq!(
        read("reserved_storage_space=20.00%\n").reserved_storage_space,
        ReservedSpace::HundredthsOfPercent(2000)
    );
    assert_eq!(
        read("reserved_storage_space=0.5%\n").reserved_storage_space,
        ReservedSpace::HundredthsOfPercent(50)
    );
    assert_eq!(read("reserved_storage_space=2G\n").reserved_storage_space, ReservedSpace::Mib(2048));
    assert_eq!(read("id_type_in_filename=id\n").id_type_in_filename, IdType::Id);
    assert_eq!(
        read("trunk_compress_binlog_time_base=23:59\n").trunk_compress_binlog_time_base,
        TimeOfDay { hour: 23, minute: 59 }
    );
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    for text in [
        "use_storage_id\n",
        "store_path=many\n",
        "reserved_storage_space=100%\n",
        "reserved_storage_space=0%\n",
        "response_ip_addr_size=20\n",
        "trunk_create_file_time_base=24:00\n",
    ] {
        assert_eq!(Parameters::decode(text.as_bytes()).map_err(|error| error.why), Err(Why::Text), "{text}");
    }
    assert_eq!(Parameters::decode(&[b'\n'; 1024]).map_err(|error| error.why), Err(Why::Length));
}
