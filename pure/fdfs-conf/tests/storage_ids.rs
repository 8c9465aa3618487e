//! storage_ids.conf.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::net::IpAddr;

use fdfs_conf::StorageIds;
use fdfs_fileid::GroupName;
use fdfs_proto::RwMode;

const CLUSTER: &str = "# id group address\r
\r
100001\tgroup1  192.168.0.196\r
  9 group1\t\t192.168.0.197:23001 rw=ReadOnly  \r
100003  group2  203.0.113.5,10.0.0.5  RW=none # no
";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn group(name: &str) -> GroupName {
    GroupName::parse(name.as_bytes()).unwrap()
}

fn parse(text: &str) -> StorageIds {
    StorageIds::parse("storage_ids.conf", text).unwrap()
}

fn refused(text: &str) -> String {
    StorageIds::parse("storage_ids.conf", text).unwrap_err().to_string()
}

fn cluster() -> StorageIds {
    parse(&CLUSTER.replace(" # no", ""))
}

#[test]
fn storages_are_found_by_id_by_address_and_by_group_and_address() {
    let ids = cluster();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids.by_id(100_001).unwrap().addr.to_string(), "192.168.0.196:23000");
    assert_eq!(ids.by_id_text("9").unwrap().id, 9);
    assert!(ids.by_id_text("09").is_none() && ids.by_id(10).is_none());
    assert_eq!(ids.by_addr(ip("192.168.0.197"), 23001).unwrap().id, 9);
    assert!(ids.by_addr(ip("192.168.0.197"), 23000).is_none());
    assert_eq!(ids.by_addr(ip("::ffff:10.0.0.5"), 23000).unwrap().id, 100_003);
    assert_eq!(ids.by_group_and_addr(&group("group2"), ip("203.0.113.5"), 23000).unwrap().id, 100_003);
    assert!(ids.by_group_and_addr(&group("group1"), ip("203.0.113.5"), 23000).is_none());
}

#[test]
fn modes_are_read_in_any_case_and_have_the_lists_codes() {
    let ids = cluster();
    let modes = [100_001, 9, 100_003].map(|id| ids.by_id(id).unwrap().rw);
    assert_eq!(modes, [RwMode::Both, RwMode::Read, RwMode::None]);
    let words = ["none", "read", "readonly", "write", "writeonly", "both", "all"];
    let codes = words.map(|word| parse(&format!("1 g 10.0.0.1 rw={word}")).by_id(1).unwrap().rw.code());
    assert_eq!(codes, [0, 4, 4, 2, 2, 6, 6]);
}

#[test]
fn the_inner_of_two_addresses_comes_first() {
    let ids = cluster();
    let dual = ids.by_id(100_003).unwrap();
    assert_eq!(dual.addr.to_string(), "10.0.0.5,203.0.113.5:23000");
    assert_eq!(dual.addr.shown_to(ip("198.51.100.7")).to_string(), "203.0.113.5");
    assert!(!ids.has_ipv6());
}

#[test]
fn ipv6_addresses_stand_in_brackets() {
    let ids = parse("1 g [2409:8a20::1]:23001 rw=none\n2 g [2409:8a20::2]\n3 g [fe80::1,10.0.0.1]:9\n");
    assert!(ids.has_ipv6());
    assert_eq!(
        ids.to_text(),
        "1 g [2409:8a20::1]:23001 rw=none\n2 g [2409:8a20::2]:23000\n3 g [10.0.0.1,fe80::1]:9\n"
    );
}

#[test]
fn the_text_for_other_servers_is_in_order_of_the_ids_as_texts_and_reads_back_equal() {
    let ids = cluster();
    let text = ids.to_text();
    assert_eq!(
        text,
        "100001 group1 192.168.0.196:23000\n\
         100003 group2 10.0.0.5,203.0.113.5:23000 rw=none\n\
         9 group1 192.168.0.197:23001 rw=read\n"
    );
    assert_eq!(parse(&text).to_text(), text);
}

#[test]
fn storages_on_one_host_differ_by_port() {
    let ids = parse("1 g 10.0.0.1:23000\n2 g 10.0.0.1:23001\n");
    assert_eq!(ids.by_addr(ip("10.0.0.1"), 23001).unwrap().id, 2);
}

#[test]
fn an_id_or_an_address_twice_is_refused_with_both_lines() {
    assert_eq!(refused("1 g 10.0.0.1\n\n1 g 10.0.0.2"), "storage_ids.conf:3: id 1 is on line 1 already");
    assert_eq!(
        refused("1 g 10.0.0.1\n2 h 203.0.113.1,10.0.0.1"),
        "storage_ids.conf:2: 10.0.0.1:23000 is on line 1 already"
    );
}

#[test]
fn a_line_that_is_no_storage_is_refused() {
    let shape = "storage_ids.conf:1: must read: id group address[:port] [rw=none|read|write|both]";
    assert_eq!(refused("100001"), shape);
    assert_eq!(refused("100001 group1"), shape);
    for id in ["0", "01", "-1", "16777216", "x", "+5"] {
        assert_eq!(
            refused(&format!("{id} g 10.0.0.1")),
            format!(
                "storage_ids.conf:1: must be a storage id, a number from 1 to 16777215 without leading zeros, got \"{id}\""
            )
        );
    }
    assert_eq!(
        refused("1 group_1 10.0.0.1"),
        "storage_ids.conf:1: must be 1 to 16 letters and digits, got \"group_1\""
    );
    assert_eq!(
        refused("1 g 10.0.0.1 ro"),
        "storage_ids.conf:1: unknown option \"ro\", there is only rw=none|read|write|both"
    );
    assert_eq!(
        refused("1 g 10.0.0.1 rw=sometimes"),
        "storage_ids.conf:1: unknown option \"rw=sometimes\", there is only rw=none|read|write|both"
    );
    assert_eq!(
        refused(CLUSTER),
        "storage_ids.conf:5: unknown option \"RW=none # no\", there is only rw=none|read|write|both"
    );
    assert_eq!(refused("# nobody\n"), "storage_ids.conf: holds no storage");
}

#[test]
fn host_names_are_found_by_address_once_looked_up() {
    let ids = parse("1 g one.example\n2 g two.example,203.0.113.2\n");
    assert_eq!(ids.names().collect::<Vec<_>>(), ["one.example", "two.example"]);
    assert!(ids.by_addr(ip("10.0.0.1"), 23000).is_none());
    let resolved = ids
        .resolve(&mut |name| Some(ip(if name == "one.example" { "10.0.0.1" } else { "10.0.0.2" })))
        .unwrap();
    assert_eq!(resolved.by_addr(ip("10.0.0.2"), 23000).unwrap().id, 2);
    assert_eq!(resolved.names().count(), 0);
}

#[test]
fn looking_up_names_finds_what_cannot_be() {
    let ids = parse("1 g 10.0.0.1\n2 g two.example\n3 g three.example,203.0.113.2\n");
    let to = |address: &'static str| move |_: &str| Some(ip(address));
    let message = |found: Result<StorageIds, fdfs_conf::ConfError>| found.unwrap_err().to_string();
    assert_eq!(
        message(ids.resolve(&mut |_| None)),
        "storage_ids.conf:2: the host name \"two.example\" has no address"
    );
    assert_eq!(
        message(ids.resolve(&mut to("10.0.0.1"))),
        "storage_ids.conf:2: 10.0.0.1:23000 is on line 1 already"
    );
    assert!(
        message(ids.resolve(&mut to("8.8.8.8"))).starts_with("storage_ids.conf:3: 8.8.8.8 and 203.0.113.2")
    );
}

#[test]
fn t23_short_addresses_are_addresses_alone_and_in_pairs() {
    let ids = parse("1 g 1.1.1.1\n2 g 1.1.1.2,10.0.0.9\n3 g [::2]\n");
    for (id, address) in [(1, "1.1.1.1"), (2, "1.1.1.2"), (2, "10.0.0.9"), (3, "::2")] {
        assert_eq!(ids.by_addr(ip(address), 23000).unwrap().id, id);
    }
}
