//! What a tracker costs while nothing happens. Alone in its process, so that its memory is the tracker's.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use std::io::{Read, Write};
use std::net::TcpStream;

use fdfs_conf::{LoadError, TrackerConf};

/// Both ends are in this process, and many systems allow it 20,000 open files.
const CONNECTIONS: usize = 9_000;

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn an_idle_tracker_and_its_idle_connections_stay_small() {
    let files = daemon::limits::raise_open_files().unwrap_or(u64::MAX);
    assert!(files >= 2 * CONNECTIONS as u64 + 100, "only {files} open files are allowed here");
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "base_path = {}\nbind_addr = 127.0.0.2\nmax_connections = {CONNECTIONS}\n",
        folder.path().display()
    );
    let mut read = |path: &str| (path == "tracker.conf").then(|| text.clone()).ok_or(LoadError::NotFound);
    let (mut conf, _) = TrackerConf::load("tracker.conf", &mut read).unwrap();
    (conf.listen.inner_port, conf.listen.outer_port) = (0, 0);
    let running = tracker::start(&conf).unwrap();
    let address = running.addresses()[0];

    let alone = resident();
    assert!(alone < 32 << 20, "an idle tracker takes {alone} bytes");

    let mut clients = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(address).unwrap();
        // Served once, from now on it may idle.
        client.write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 111, 0]).unwrap();
        let mut reply = [0; 10];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(reply, [0, 0, 0, 0, 0, 0, 0, 0, 100, 0]);
        clients.push(client);
    }
    let each = resident().saturating_sub(alone) / CONNECTIONS as u64;
    assert!(each < 10_000, "an idle connection takes {each} bytes");
    drop(clients);
    running.stop().unwrap();
}
