//! A store path whose disk is full: a clear refusal, nothing torn, and all as before once there is room again.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use e2e::on_disk;
use e2e::small_disk::SmallDisk;
use e2e::tree::content;
use e2e::wire::{Answer, Wire, field, request};
use testkit::address::Loopback;
use testkit::cluster::{Cluster, Plan};
use testkit::process::Server;
use testkit::{binary, probe, wait};

const UPLOAD: u8 = 11;
const DELETE: u8 = 12;
const SET_METADATA: u8 = 13;
const DOWNLOAD: u8 = 14;
const GET_METADATA: u8 = 15;
const UPLOAD_APPENDER: u8 = 23;
const APPEND: u8 = 24;
const MODIFY: u8 = 34;
const QUERY_STORE: u8 = 101;

const ENOSPC: u8 = 28;
const OK: Answer = Answer { status: 0, body: Vec::new() };

const MIB: usize = 1 << 20;
/// Of which the journal takes 32.
const DISK_MIB: u32 = 128;
/// For all of `cairn up`, whose journal is as large as it is when nobody says anything.
const UP_DISK_MIB: u32 = 512;

fn int8(number: usize) -> [u8; 8] {
    (number as u64).to_be_bytes()
}

fn named(name: &str) -> Vec<u8> {
    [&field("group1", 16), name.as_bytes()].concat()
}

fn upload_body(content: &[u8]) -> Vec<u8> {
    [&[0xFF][..], &int8(content.len()), &field("bin", 6), content].concat()
}

/// A storage on a small disk, and all that it has acknowledged.
struct Site {
    // In this order: the servers end before their disk goes.
    cluster: Cluster,
    disk: SmallDisk,
    /// Name, and seed and length of the content.
    files: BTreeMap<String, (u64, usize)>,
    next: u64,
}

impl Site {
    /// None, and the reason printed, where disks cannot be mounted.
    fn new() -> Option<Site> {
        let disk = match SmallDisk::mount(DISK_MIB).unwrap() {
            Ok(disk) => disk,
            Err(reason) => {
                eprintln!("skipped, a small file system cannot be mounted here: {reason}");
                return None;
            }
        };
        let cluster = Plan::new()
            .storage_key("store_path0", disk.path().display())
            .storage_key("journal_size", "32MB")
            .tracker_key("reserved_storage_space", "1MB")
            .start()
            .unwrap();
        Some(Site { cluster, disk, files: BTreeMap::new(), next: 0 })
    }

    fn storage(&self) -> SocketAddr {
        self.cluster.storages[0].address()
    }

    fn ask(&self, command: u8, body: &[u8]) -> Answer {
        Wire::connect(self.storage()).unwrap().ask(command, body).unwrap()
    }

    /// Stores so many bytes; the name, or the status of the refusal.
    fn store(&mut self, command: u8, len: usize) -> Result<String, u8> {
        self.next += 1;
        let mut wire = Wire::connect(self.storage()).unwrap();
        let answer = wire.ask(command, &upload_body(&content(self.next, len))).unwrap();
        if answer.status != 0 {
            assert!(answer.body.is_empty());
            assert!(wire.is_in_step() || wire.is_closed(), "neither in step nor closed");
            return Err(answer.status);
        }
        let name = String::from_utf8(answer.body[16..].to_vec()).unwrap();
        self.files.insert(name.clone(), (self.next, len));
        Ok(name)
    }

    /// Stores files of so many bytes until there is no room; how many it were.
    fn fill(&mut self, len: usize) -> usize {
        for count in 0..100_000 {
            if let Err(status) = self.store(UPLOAD, len) {
                assert_eq!(status, ENOSPC);
                return count;
            }
        }
        panic!("the disk does not get full");
    }

    /// Somebody else takes all the rest of the disk.
    fn add_ballast(&self) {
        let mut file = File::create(self.disk.path().join("ballast")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn remove_ballast(&self) {
        fs::remove_file(self.disk.path().join("ballast")).unwrap();
    }

    fn delete(&mut self, name: &str) {
        assert_eq!(self.ask(DELETE, &named(name)), OK, "{name}");
        self.files.remove(name);
    }

    /// Kills the storage and starts it again; a tracker may have nothing to offer while its disk is full.
    fn crash(&mut self) {
        let binary = self.cluster.binary().to_path_buf();
        let storage = &mut self.cluster.storages[0];
        storage.kill().unwrap();
        storage.start(&binary).unwrap();
        let (address, server) = (storage.address(), storage.server.as_mut().unwrap());
        wait::until("the storage", wait::READY, || {
            assert!(server.is_running(), "{}", server.output());
            probe::answers(address).then_some(())
        })
        .unwrap();
    }

    /// Everything acknowledged is there, nothing is torn, and nothing else is there.
    fn check(&self) {
        for (name, (seed, len)) in &self.files {
            let answer = self.ask(DOWNLOAD, &[&int8(0)[..], &int8(0), &named(name)].concat());
            assert_eq!(answer.status, 0, "{name}");
            assert!(answer.body == content(*seed, *len), "{name}");
        }
        let found = on_disk::check(self.disk.path()).unwrap();
        assert_eq!(found.normal + found.others, self.files.len());
    }

    /// `cairn fsck` finds nothing: names, contents and records agree.
    fn fsck(&self) {
        let conf = &self.cluster.storages[0].conf;
        let output = Command::new(self.cluster.binary()).arg("fsck").arg(conf).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn end(mut self) {
        self.fsck();
        self.cluster.stop().unwrap();
        on_disk::check(self.disk.path()).unwrap();
        self.fsck();
        self.cluster.check_logs(&["the disk is full", "lost the tracker"]).unwrap();
    }
}

#[test]
fn a_full_disk_refuses_uploads_and_takes_them_again_after_a_deletion() {
    let Some(mut site) = Site::new() else { return };
    let free = site.disk.free().unwrap();
    let large = site.fill(5 * MIB);
    assert!(large > 10, "{large}");
    // Smaller ones still find room, down to what is reserved.
    site.fill(200_000);
    site.fill(3_000);
    let left = site.disk.free().unwrap();
    assert!((MIB as u64..3 * MIB as u64).contains(&left), "{left}");
    site.check();

    // Reading, deleting and looking still work, and each deletion gives its space back.
    let is_large = |file: &(&String, &(u64, usize))| file.1.1 == 5 * MIB;
    let names: Vec<String> = site.files.iter().filter(is_large).map(|(name, _)| name.clone()).collect();
    for name in &names[..large / 2] {
        site.delete(name);
    }
    site.check();
    // What is left is no multiple of a file.
    assert!(site.fill(5 * MIB) >= large / 2 - 1);
    site.check();
    for name in site.files.keys().cloned().collect::<Vec<_>>() {
        site.delete(&name);
    }
    let left = site.disk.free().unwrap();
    assert!(left > free - 2 * MIB as u64, "{left} of {free}");
    assert_eq!(site.fill(5 * MIB), large);
    site.end();
}

#[test]
fn changes_on_a_full_disk_happen_or_do_not_but_never_by_half_and_never_later() {
    let Some(mut site) = Site::new() else { return };
    let appender = site.store(UPLOAD_APPENDER, 100_000).unwrap();
    site.fill(MIB);
    let file = site.files.keys().next().unwrap().clone();
    let metadata =
        |text: &[u8]| [&int8(file.len())[..], &int8(text.len()), b"O", &named(&file), text].concat();
    assert_eq!(site.ask(SET_METADATA, &metadata(b"width\x02160")), OK);
    site.add_ballast();

    // More than what goes through the journal, and less.
    for len in [5 * MIB, 50_000] {
        let more = content(7, len);
        let body = [&int8(appender.len())[..], &int8(more.len()), appender.as_bytes(), &more].concat();
        assert_eq!(site.ask(APPEND, &body).status, ENOSPC);
        // The first of these bytes have room: they are where others are.
        let place = [int8(appender.len()), int8(60_000), int8(more.len())].concat();
        let body = [&place, appender.as_bytes(), &more].concat();
        assert_eq!(site.ask(MODIFY, &body).status, ENOSPC);
        assert_eq!(site.store(UPLOAD, len), Err(ENOSPC));
    }
    assert_eq!(site.ask(SET_METADATA, &metadata(b"width\x02320")).status, ENOSPC);
    site.check();
    site.fsck();

    // A start needs room for its journal; that of the last run gives it.
    site.crash();
    site.check();
    site.remove_ballast();
    site.crash();
    // What was refused has not come to be, now that there is room.
    site.check();
    assert_eq!(site.ask(GET_METADATA, &named(&file)).body, b"width\x02160");
    assert_eq!(site.ask(SET_METADATA, &metadata(b"width\x02320")), OK);
    site.delete(&file);
    site.store(UPLOAD, MIB / 2).unwrap();
    site.check();
    site.end();
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_an_upload_leaves_nothing_of_it() {
    let Some(mut site) = Site::new() else { return };
    site.store(UPLOAD, 10 * MIB).unwrap();
    let large = content(9, 30 * MIB);
    let body = upload_body(&large);
    let mut wire = Wire::connect(site.storage()).unwrap();
    let bytes = request(UPLOAD, 0, body.len() as u64, &body);
    wire.send(&bytes[..bytes.len() / 3]).unwrap();
    site.add_ballast();
    // The other side may have closed before the end.
    let _ = wire.send(&bytes[bytes.len() / 3..]);
    assert_eq!(wire.answer().unwrap(), Answer { status: ENOSPC, body: Vec::new() });
    drop(wire);
    site.check();
    site.remove_ballast();
    site.store(UPLOAD, 30 * MIB).unwrap();
    site.check();
    site.end();
}

#[test]
fn d22_a_burst_of_uploads_gets_what_there_is_room_for() {
    let Some(mut site) = Site::new() else { return };
    site.fill(20 * MIB);
    let storage = site.storage();
    let uploads: Vec<_> = (0..24)
        .map(|number| {
            std::thread::spawn(move || {
                let body = upload_body(&content(1000 + number, 3 * MIB));
                (number, Wire::connect(storage).unwrap().ask(UPLOAD, &body).unwrap())
            })
        })
        .collect();
    let mut stored = 0;
    for upload in uploads {
        let (number, answer) = upload.join().unwrap();
        if answer.status == 0 {
            let name = String::from_utf8(answer.body[16..].to_vec()).unwrap();
            site.files.insert(name, (1000 + number, 3 * MIB));
            stored += 1;
        } else {
            assert_eq!(answer.status, ENOSPC);
        }
    }
    assert!((1..24).contains(&stored), "{stored}");
    site.check();
    site.end();
}

/// Starts `cairn up` with all its data there, and waits until it says that it is up.
fn up(disk: &SmallDisk, address: &Loopback, printed: &Path) -> Server {
    let _ = fs::remove_file(printed);
    let (cairn, data) = (binary::cairn().unwrap().display().to_string(), disk.path().join("data"));
    let (data, ip) = (data.display().to_string(), address.ip().to_string());
    let words = ["LC_ALL=C", &cairn, "up", "--data", &data, "--listen", &ip];
    // It becomes `up` itself, under the same number.
    let mut server = Server::start("up", Path::new("env"), words, printed).unwrap();
    server.until_ready(|| fs::read_to_string(printed).is_ok_and(|text| text.contains("Ctrl-C"))).unwrap();
    server
}

#[test]
fn up_starts_on_a_full_disk_and_gives_out_and_deletes_what_is_there() {
    let disk = match SmallDisk::mount(UP_DISK_MIB).unwrap() {
        Ok(disk) => disk,
        Err(reason) => return eprintln!("skipped, a small file system cannot be mounted here: {reason}"),
    };
    let (address, place) = (Loopback::claim().unwrap(), tempfile::tempdir().unwrap());
    let (storage, printed) = (address.port(23000), place.path().join("printed"));
    let ask = |command: u8, body: &[u8]| Wire::connect(storage).unwrap().ask(command, body).unwrap();
    let mut server = up(&disk, &address, &printed);
    assert!(!server.output().contains(" is full: uploads are refused"), "{}", server.output());
    let mut names = Vec::new();
    for len in [20 * MIB, MIB, 200_000] {
        loop {
            let answer = ask(UPLOAD, &upload_body(&content(len as u64, len)));
            if answer.status != 0 {
                assert_eq!(answer.status, ENOSPC);
                break;
            }
            names.push((String::from_utf8(answer.body[16..].to_vec()).unwrap(), len));
        }
    }
    assert!(server.terminate().unwrap().success(), "{}", server.output());

    let mut server = up(&disk, &address, &printed);
    assert!(server.output().contains(" is full: uploads are refused"), "{}", server.output());
    let tracker = Wire::connect(address.port(22122)).unwrap().ask(QUERY_STORE, &[]).unwrap();
    assert_eq!(tracker.status, ENOSPC);
    for (name, len) in &names {
        let answer = ask(DOWNLOAD, &[&int8(0)[..], &int8(0), &named(name)].concat());
        assert_eq!(answer.status, 0, "{name}");
        assert!(answer.body == content(*len as u64, *len), "{name}");
    }
    // There is room again for who makes some.
    let (name, len) = &names[0];
    assert_eq!(ask(DELETE, &named(name)), OK);
    let answer = ask(UPLOAD, &upload_body(&content(7, len / 2)));
    assert_eq!(answer.status, 0);
    assert!(server.terminate().unwrap().success(), "{}", server.output());
}
