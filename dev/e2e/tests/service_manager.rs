//! What systemd hears of a server that it started.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use testkit::cluster::Plan;
use testkit::process::{Server, Signal};
use testkit::{binary, probe, wait};

#[test]
fn it_hears_when_a_server_serves_again_and_again_that_it_lives_and_when_it_stops() {
    let cluster = Plan::new().prepare().unwrap();
    let socket = cluster.folder().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(wait::READY)).unwrap();
    let heard = || {
        let mut datagram = [0; 1024];
        let len = manager.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..len].to_vec()).unwrap()
    };
    let socket = format!("NOTIFY_SOCKET={}", socket.display());
    let words = [
        socket.as_ref(),
        "WATCHDOG_USEC=30000000".as_ref(),
        binary::cairn().unwrap().as_os_str(),
        "tracker".as_ref(),
        cluster.trackers[0].conf.as_os_str(),
        "--no-daemon".as_ref(),
    ];
    // It becomes the tracker itself, under the same number.
    let log = cluster.folder().join("tracker.log");
    let mut server = Server::start("tracker", Path::new("env"), words, &log).unwrap();
    let ready = heard();
    let address = cluster.trackers[0].address();
    assert_eq!(ready, format!("READY=1\nSTATUS=fdfs_trackerd serves on [{address}]"));
    assert!(probe::answers(address));
    assert_eq!(heard(), "WATCHDOG=1");
    assert_eq!(heard(), "WATCHDOG=1");
    server.signal(Signal::TERM).unwrap();
    let last = wait::until("the word that it stops", wait::READY, || {
        Some(heard()).filter(|word| word != "WATCHDOG=1")
    });
    assert_eq!(last.unwrap(), "STOPPING=1\nSTATUS=stopping");
    assert!(server.wait().unwrap().success());
}
