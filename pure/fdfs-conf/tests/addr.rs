//! Server addresses and the sockets a daemon opens.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::net::IpAddr;

use fdfs_conf::addr::AddrError;
use fdfs_conf::service::{AddressFamily, ListenConf};
use fdfs_conf::{Host, IpClass, ServerAddr, TrackerServers};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn shown(text: &str) -> String {
    match ServerAddr::parse(text, 22122) {
        Ok(server) => server.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_server_may_be_written_in_all_of_fastdfs_ways() {
    assert_eq!(shown("192.168.0.196:22123"), "192.168.0.196:22123");
    assert_eq!(shown("192.168.0.196"), "192.168.0.196:22122");
    assert_eq!(shown("tracker-1.example.com:22122"), "tracker-1.example.com:22122");
    assert_eq!(shown("com.ikingtech.ch116221"), "com.ikingtech.ch116221:22122");
    assert_eq!(shown("192.168.2.100,122.244.141.46:22122"), "192.168.2.100,122.244.141.46:22122");
    assert_eq!(shown("192.168.1.10, 172.17.4.21"), "192.168.1.10,172.17.4.21:22122");
    assert_eq!(shown("[2409:8a20::1]:22000"), "[2409:8a20::1]:22000");
    assert_eq!(shown("[::1]"), "[::1]:22122");
    assert_eq!(shown("fe80::1:22122"), "[fe80::1]:22122");
    assert_eq!(shown("127.0.0.1:22122"), "127.0.0.1:22122");
}

#[test]
fn an_ipv4_and_an_ipv6_address_in_one_bracket_must_differ_in_class() {
    assert_eq!(shown("[10.0.0.1,2409:8a20::1]:1"), "[10.0.0.1,2409:8a20::1]:1");
    assert_eq!(
        shown("[2409:8a20::1,fe80::2]:1"),
        "error: 2409:8a20::1 and fe80::2 are of one kind: two addresses must be an inner and an outer one, \
         or of two different inner networks"
    );
    assert_eq!(
        ServerAddr::parse("10.0.0.1,10.0.0.2", 1),
        Err(AddrError::SameClass { first: ip("10.0.0.1"), second: ip("10.0.0.2") })
    );
}

#[test]
fn what_is_no_server_is_refused_with_the_part_that_is_wrong() {
    assert_eq!(shown(""), "error: must be host:port, got an empty text");
    assert_eq!(shown(":22122"), "error: \"\" is neither an IP address nor a host name");
    assert_eq!(shown("10.0.0.1:0"), "error: \"0\" is no port: a number from 1 to 65535");
    assert_eq!(shown("10.0.0.1:65536"), "error: \"65536\" is no port: a number from 1 to 65535");
    assert_eq!(shown("10.0.0.1:http"), "error: \"http\" is no port: a number from 1 to 65535");
    assert_eq!(shown("10.0.0.256:1"), "error: \"10.0.0.256\" is neither an IP address nor a host name");
    assert_eq!(shown("a b:1"), "error: \"a b\" is neither an IP address nor a host name");
    assert_eq!(shown("[::1:22122"), "error: [ without ] in \"[::1:22122\"");
    assert_eq!(shown("[::1]22122"), "error: \"22122\" is no port: a number from 1 to 65535");
    assert_eq!(shown("::1"), "error: an IPv6 address needs brackets, as in [::1]:22122, got \"::1\"");
    assert_eq!(
        shown("10.0.0.1,8.8.8.8,9.9.9.9:1"),
        "error: at most two hosts, got \"10.0.0.1,8.8.8.8,9.9.9.9:1\""
    );
}

#[test]
fn addresses_fall_into_three_private_classes_and_one_outer() {
    let classes = ["10.255.0.1", "172.16.0.1", "172.31.9.9", "192.168.3.4"].map(|text| IpClass::of(ip(text)));
    assert_eq!(classes, [IpClass::Private10, IpClass::Private172, IpClass::Private172, IpClass::Private192]);
    for outer in ["172.15.0.1", "172.32.0.1", "192.169.0.1", "1.2.3.4", "127.0.0.1", "::1", "fe80::1"] {
        assert_eq!(IpClass::of(ip(outer)), IpClass::Outer, "{outer}");
    }
    assert_eq!(IpClass::of(ip("::ffff:10.0.0.1")), IpClass::Private10);
}

#[test]
fn a_peer_is_shown_the_second_address_when_that_is_of_its_class() {
    let server = ServerAddr::parse("192.168.1.10,203.0.113.9:23000", 1).unwrap();
    assert_eq!(server.shown_to(ip("198.51.100.1")), &Host::Ip(ip("203.0.113.9")));
    assert_eq!(server.shown_to(ip("192.168.7.7")), &Host::Ip(ip("192.168.1.10")));
    assert_eq!(server.shown_to(ip("10.0.0.1")), &Host::Ip(ip("192.168.1.10")));
    let two_inner = ServerAddr::parse("192.168.1.10,172.17.4.21:23000", 1).unwrap();
    assert_eq!(two_inner.shown_to(ip("172.20.0.1")), &Host::Ip(ip("172.17.4.21")));
}

#[test]
fn names_are_looked_up_by_whoever_can() {
    let server = ServerAddr::parse("inner.example,203.0.113.9:23000", 1).unwrap();
    assert_eq!(server.names().collect::<Vec<_>>(), ["inner.example"]);
    let resolved = server.resolve(&mut |name| (name == "inner.example").then(|| ip("10.1.1.1"))).unwrap();
    assert_eq!(resolved.to_string(), "10.1.1.1,203.0.113.9:23000");
    assert_eq!(server.resolve(&mut |_| None), Err("inner.example"));
}

#[test]
fn trackers_are_sorted_by_hosts_address_text_and_port_and_counted_once() {
    let servers =
        ["192.168.0.1:2", "10.0.0.9:1", "192.168.0.1:1", "10.0.0.10:1", "10.0.0.9:1", "10.0.0.1,8.8.8.8:1"]
            .map(|text| ServerAddr::parse(text, 22122).unwrap());
    let trackers = TrackerServers::new(servers.to_vec()).unwrap();
    let order: Vec<String> = trackers.iter().map(ServerAddr::to_string).collect();
    assert_eq!(order, ["10.0.0.10:1", "10.0.0.9:1", "192.168.0.1:1", "192.168.0.1:2", "10.0.0.1,8.8.8.8:1"]);
    assert_eq!(TrackerServers::new(vec![]), None);
}

fn listen(family: AddressFamily, bind: &[&str]) -> ListenConf {
    let bind: Vec<IpAddr> = bind.iter().map(|text| ip(text)).collect();
    ListenConf { family, inner_bind: bind.clone(), outer_bind: bind, inner_port: 1, outer_port: 1 }
}

fn sockets(conf: &ListenConf, host_has_ipv4: bool) -> Vec<String> {
    conf.sockets(host_has_ipv4).iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_bound_address_auto_listens_on_ipv4_if_the_host_has_any() {
    let auto = listen(AddressFamily::Auto, &[]);
    assert_eq!(sockets(&auto, true), ["0.0.0.0:1"]);
    assert_eq!(sockets(&auto, false), ["[::]:1"]);
}

#[test]
fn auto_follows_the_bound_addresses() {
    assert_eq!(sockets(&listen(AddressFamily::Auto, &["127.0.0.1"]), false), ["127.0.0.1:1"]);
    assert_eq!(sockets(&listen(AddressFamily::Auto, &["::1"]), true), ["[::1]:1"]);
    assert_eq!(
        sockets(&listen(AddressFamily::Auto, &["127.0.0.1", "::1"]), true),
        ["127.0.0.1:1", "[::1]:1"]
    );
}

#[test]
fn a_family_listens_on_all_its_addresses_where_none_is_bound() {
    assert_eq!(sockets(&listen(AddressFamily::Both, &["127.0.0.1"]), true), ["127.0.0.1:1", "[::]:1"]);
    assert_eq!(sockets(&listen(AddressFamily::V4, &["127.0.0.1", "::1"]), true), ["127.0.0.1:1"]);
    assert_eq!(sockets(&listen(AddressFamily::V6, &[]), true), ["[::]:1"]);
}

#[test]
fn two_sides_open_two_sockets_unless_one_covers_the_other() {
    let sides = |inner: &[&str], outer: &[&str], outer_port| ListenConf {
        family: AddressFamily::V4,
        inner_bind: inner.iter().map(|text| ip(text)).collect(),
        outer_bind: outer.iter().map(|text| ip(text)).collect(),
        inner_port: 1,
        outer_port,
    };
    assert_eq!(sockets(&sides(&["10.0.0.1"], &["8.8.8.8"], 2), true), ["10.0.0.1:1", "8.8.8.8:2"]);
    assert_eq!(sockets(&sides(&["10.0.0.1"], &["8.8.8.8"], 1), true), ["10.0.0.1:1", "8.8.8.8:1"]);
    assert_eq!(sockets(&sides(&["10.0.0.1"], &[], 1), true), ["0.0.0.0:1"]);
    assert_eq!(sockets(&sides(&[], &[], 2), true), ["0.0.0.0:1", "0.0.0.0:2"]);
}
