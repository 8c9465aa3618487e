//! Who may connect.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::net::IpAddr;

use fdfs_conf::AllowHosts;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn allowing(patterns: &[&str]) -> AllowHosts {
    let mut allowed = AllowHosts::nobody();
    for pattern in patterns {
        allowed.add_pattern(pattern).unwrap();
    }
    allowed
}

fn refused(pattern: &str) -> String {
    AllowHosts::nobody().add_pattern(pattern).unwrap_err().to_string()
}

/// Asserts which of the addresses may connect.
fn assert_allows(allowed: &AllowHosts, yes: &[&str], no: &[&str]) {
    for peer in yes {
        assert!(allowed.allows(ip(peer)), "{peer} should be allowed");
    }
    for peer in no {
        assert!(!allowed.allows(ip(peer)), "{peer} should not be allowed");
    }
}

#[test]
fn an_asterisk_lets_everybody_in_whatever_else_is_said() {
    assert_allows(&allowing(&["10.0.0.1", "*"]), &["8.8.8.8", "::1"], &[]);
    assert_allows(&AllowHosts::everybody(), &["8.8.8.8"], &[]);
}

#[test]
fn no_pattern_or_an_empty_one_lets_nobody_in() {
    let nobody = allowing(&["", "  "]);
    assert!(nobody.is_nobody());
    assert_allows(&nobody, &[], &["127.0.0.1"]);
}

#[test]
fn an_address_lets_itself_in_and_an_ipv4_peer_in_ipv6_form_counts_as_ipv4() {
    let allowed = allowing(&["10.0.1.5", "fe80::5", "[2001:db8::1]"]);
    assert_allows(
        &allowed,
        &["10.0.1.5", "::ffff:10.0.1.5", "fe80::5", "2001:db8::1"],
        &["10.0.1.6", "fe80::6", "::10.0.1.5"],
    );
}

#[test]
fn ranges_cover_the_numbers_written() {
    let allowed = allowing(&["10.0.1.[1-15, 20 ]", "192.168.[3-4].7"]);
    assert_allows(
        &allowed,
        &["10.0.1.1", "10.0.1.15", "10.0.1.20", "192.168.3.7", "192.168.4.7"],
        &["10.0.1.0", "10.0.1.16", "10.0.1.19", "10.0.1.21", "192.168.5.7"],
    );
}

#[test]
fn networks_cover_their_addresses_even_when_written_with_a_host_part() {
    let allowed =
        allowing(&["192.168.5.64/26", "172.16.9.9/12", "1.2.3.4/32", "128.0.0.0/1", "2001:db8::/32"]);
    assert_allows(
        &allowed,
        &["192.168.5.64", "192.168.5.127", "172.31.255.255", "1.2.3.4", "200.1.1.1", "2001:db8:ffff::1"],
        &["127.0.0.1", "1.2.3.5", "2001:db9::1"],
    );
    assert_allows(&allowing(&["192.168.5.64/26"]), &[], &["192.168.5.63", "192.168.5.128"]);
    assert_allows(&allowing(&["::1/128"]), &["::1"], &["::2", "0.0.0.1"]);
}

#[test]
fn names_wait_to_be_looked_up_and_keep_the_width_of_their_numbers() {
    let allowed = allowing(&["host[08-10,1-2].domain.com", "gate"]);
    let names: Vec<&str> = allowed.names().collect();
    assert_eq!(
        names,
        [
            "gate",
            "host08.domain.com",
            "host09.domain.com",
            "host1.domain.com",
            "host10.domain.com",
            "host2.domain.com"
        ]
    );
    assert!(!allowed.is_nobody());
    assert_allows(&allowed, &[], &["10.0.0.1"]);
    let found = allowed.resolve(&mut |name| match name {
        "gate" => vec![ip("10.0.0.1"), ip("fd00::1")],
        _ => vec![],
    });
    assert_allows(&found, &["10.0.0.1", "fd00::1"], &["10.0.0.2"]);
    assert_allows(&allowed, &[], &["10.0.0.1"]);
}

#[test]
fn what_is_no_pattern_is_refused() {
    assert_eq!(refused("10.0.0.0/0"), "\"10.0.0.0/0\" is no network: an address, a slash and 1 to 32 bits");
    assert_eq!(refused("10.0.0.0/33"), "\"10.0.0.0/33\" is no network: an address, a slash and 1 to 32 bits");
    assert_eq!(refused("::/129"), "\"::/129\" is no network: an address, a slash and 1 to 128 bits");
    assert_eq!(refused("here/8"), "\"here/8\" is no network: an address, a slash and 1 to 32 bits");
    assert_eq!(refused("10.0.1.[1-5"), "[ without ] in \"10.0.1.[1-5\"");
    assert_eq!(refused("10.[0-1].1.[1-5]"), "only one [...] can be in a host, got \"10.[0-1].1.[1-5]\"");
    assert_eq!(refused("10.0.1.[]"), "[...] must hold numbers and ranges such as [1-15,20], got \"\"");
    assert_eq!(refused("10.0.1.[1-x]"), "[...] must hold numbers and ranges such as [1-15,20], got \"1-x\"");
    assert_eq!(refused("10.0.1.[9-5]"), "the range 9-5 goes down");
    assert_eq!(refused("10.0.1.[250-300]"), "\"10.0.1.256\" is neither an IP address nor a host name");
    assert_eq!(refused("who goes there"), "\"who goes there\" is neither an IP address nor a host name");
}

#[test]
fn a_range_cannot_fill_the_memory() {
    assert_eq!(refused("h[0-4294967295]"), "all patterns together give more than 65536 hosts");
    let wide = format!("h[{}]", "0".repeat(300));
    assert!(refused(&wide).ends_with("is neither an IP address nor a host name"));
}
