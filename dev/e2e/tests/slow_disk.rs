//! A store path whose disk hangs holds up what is on it and nothing else.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use e2e::small_disk::HangingDisk;
use e2e::tree::content;
use e2e::wire::{Answer, Wire, field, request};
use testkit::cluster::Plan;
use testkit::wait;

const UPLOAD: u8 = 11;
const DELETE: u8 = 12;
const DOWNLOAD: u8 = 14;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// More than there are buffers for content on its way, and than there are threads of any kind.
const HELD_UP: u64 = 100;

fn upload_body(path: u8, content: &[u8]) -> Vec<u8> {
    [&[path][..], &(content.len() as u64).to_be_bytes(), &field("bin", 6), content].concat()
}

fn named(name: &str) -> Vec<u8> {
    [&field("group1", 16), name.as_bytes()].concat()
}

fn name_in(answer: &Answer) -> String {
    assert_eq!(answer.status, 0);
    String::from_utf8(answer.body[16..].to_vec()).unwrap()
}

fn check(storage: SocketAddr, name: &str, wanted: &[u8]) {
    let whole = [&[0; 16][..], &named(name)].concat();
    let answer = Wire::connect(storage).unwrap().ask(DOWNLOAD, &whole).unwrap();
    assert!(answer.status == 0 && answer.body == wanted, "{name}");
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_another() {
    let disk = match HangingDisk::mount(256).unwrap() {
        Ok(disk) => disk,
        Err(reason) => return eprintln!("skipped, a file system cannot be mounted here: {reason}"),
    };
    let mut cluster = Plan::new()
        .store_paths(2)
        .storage_key("store_path1", disk.path().display())
        .storage_key("journal_size", "32MB")
        .tracker_key("reserved_storage_space", "1MB")
        .start()
        .unwrap();
    let storage = cluster.storages[0].address();
    let ask = |command, body: &[u8]| Wire::connect(storage).unwrap().ask(command, body).unwrap();
    let earlier = name_in(&ask(UPLOAD, &upload_body(1, &content(1, 4 * KIB))));

    // Half of each is there when the disk begins to hang.
    let uploads: Vec<(Wire, Vec<u8>)> = (0..HELD_UP)
        .map(|number| {
            let body = upload_body(1, &content(1000 + number, MIB));
            let bytes = request(UPLOAD, 0, body.len() as u64, &body);
            let mut wire = Wire::connect(storage).unwrap();
            wire.send(&bytes[..MIB / 2]).unwrap();
            (wire, bytes)
        })
        .collect();
    let staged = disk.path().join("data/.cairn/tmp");
    let is_staged = || (fs::read_dir(&staged).unwrap().count() == HELD_UP as usize).then_some(());
    wait::until("content to be staged", wait::READY, is_staged).unwrap();
    let hang = disk.hang().unwrap();
    let mut held_up: Vec<JoinHandle<Answer>> = Vec::new();
    for (mut wire, bytes) in uploads {
        held_up.push(thread::spawn(move || {
            wire.send(&bytes[MIB / 2..]).unwrap();
            wire.answer().unwrap()
        }));
    }
    for number in 0..HELD_UP {
        let body = upload_body(1, &content(2000 + number, 4 * KIB));
        held_up.push(thread::spawn(move || Wire::connect(storage).unwrap().ask(UPLOAD, &body).unwrap()));
    }

    for round in 0..20 {
        for len in [4 * KIB, 64 * KIB, MIB] {
            let content = content(round, len);
            let name = name_in(&ask(UPLOAD, &upload_body(0, &content)));
            check(storage, &name, &content);
            assert_eq!(ask(DELETE, &named(&name)).status, 0);
        }
        // Reading does not wait for what cannot be written, where nothing has to be read from the disk.
        check(storage, &earlier, &content(1, 4 * KIB));
    }
    assert!(held_up.iter().all(|upload| !upload.is_finished()), "the disk does not hang");
    drop(hang);

    for (number, upload) in (0..).zip(held_up) {
        let name = name_in(&upload.join().unwrap());
        let wanted = if number < HELD_UP {
            content(1000 + number, MIB)
        } else {
            content(2000 + number - HELD_UP, 4 * KIB)
        };
        check(storage, &name, &wanted);
    }
    cluster.stop().unwrap();
    cluster.check_logs(&[]).unwrap();
}
