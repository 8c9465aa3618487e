//! Where servers tell how they are.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::net::SocketAddr;

use fdfs_conf::{ConfError, DriveConf, GatewayConf, StorageConf, TrackerConf};
use support::files;

type Told = Result<Option<SocketAddr>, ConfError>;

/// What each kind of file makes of a line.
fn told(line: &str) -> [Told; 4] {
    let load = |least: &str| format!("{least}\n{line}\n");
    let (base, cluster) = (load("base_path=/x"), load("base_path=/x\ntracker_server=10.0.0.1"));
    let named = load("group_name=group1");
    [
        TrackerConf::load("c", &mut files(&[("c", &base)])).map(|(conf, _)| conf.status_listen),
        StorageConf::load("c", &mut files(&[("c", &cluster)])).map(|(conf, _)| conf.status_listen),
        GatewayConf::load("c", &mut files(&[("c", &named)])).map(|(conf, _)| conf.status_listen),
        DriveConf::load("c", &mut files(&[("c", &cluster)])).map(|(conf, _)| conf.status_listen),
    ]
}

#[test]
fn nobody_tells_how_it_is_unless_an_address_is_given() {
    for line in ["", "status_listen ="] {
        assert_eq!(told(line), [Ok(None), Ok(None), Ok(None), Ok(None)], "{line}");
    }
}

#[test]
fn the_address_is_an_ip_with_a_port() {
    for text in ["127.0.0.1:9122", "[::1]:9122", "0.0.0.0:1"] {
        let address: SocketAddr = text.parse().unwrap();
        for told in told(&format!("status_listen = {text}")) {
            assert_eq!(told, Ok(Some(address)));
        }
    }
    for text in ["9122", "127.0.0.1", "localhost:9122", "127.0.0.1:0", "127.0.0.1:70000", "::1:9122 "] {
        for told in told(&format!("status_listen = {text}")) {
            let words = told.unwrap_err().to_string();
            assert!(words.contains("must be an IP address and a port"), "{text}: {words}");
        }
    }
}
