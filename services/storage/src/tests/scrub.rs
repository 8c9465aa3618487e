//! Bad and missing copies are found and replaced with those of another member.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fdfs_fileid::{FileName, Kind};
use fdfs_format::pack::RECORD_HEADER_LEN;
use fdfs_proto::storage::active_test;
use fdfs_proto::{Status, StorageCommand as C, StorageStatus};

use super::client::{Client, TestStorage, group, number, until};
use super::group::{Group, large, set_metadata};
use super::trunk::{FIRST, Member, SECOND, first_in_slot, seen};
use crate::scrub::{Figures, Scrub};

/// Neither packs nor journals are rewritten by themselves in these tests.
const PLAIN: &str = "durability=disk\npack_max_size=0";
const PACKED: &str = "durability=disk";

fn scrub(storage: &TestStorage) -> &Scrub {
    &storage.running.as_ref().unwrap().server().scrub
}

fn figures(storage: &TestStorage) -> &Figures {
    &scrub(storage).figures
}

fn get(figure: &AtomicU64) -> u64 {
    figure.load(Ordering::Relaxed)
}

/// Found bad, found missing, mended, set aside, and without a good copy anywhere.
fn found(storage: &TestStorage) -> [u64; 5] {
    let figures = figures(storage);
    [&figures.bad, &figures.missing, &figures.mended, &figures.set_aside, &figures.hopeless].map(get)
}

/// Plays a round.
fn round(storage: &TestStorage) {
    let before = get(&figures(storage).rounds);
    scrub(storage).begin.notify_one();
    until("a round of the scrub ends", || get(&figures(storage).rounds) > before);
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Flips a bit in the last byte of a content wherever a store keeps it, but in journal and quarantine.
fn rot(storage: &TestStorage, content: &[u8]) {
    let mut rotten = 0;
    for path in ["p0/data", "p1/data"] {
        for file in below(&storage.dir.path().join(path)) {
            let own = file.to_str().unwrap();
            if own.contains("journal") || own.contains("quarantine") {
                continue;
            }
            // Temporary ones may go meanwhile.
            let Ok(bytes) = fs::read(&file) else { continue };
            let Some(at) = bytes.windows(content.len()).position(|part| part == content) else { continue };
            let at = at + content.len() - 1;
            let file = fs::File::options().write(true).open(&file).unwrap();
            file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
            rotten += 1;
        }
    }
    assert_eq!(rotten, 1, "kept once");
}

fn rotten(content: &[u8]) -> Vec<u8> {
    let mut rotten = content.to_vec();
    *rotten.last_mut().unwrap() ^= 1;
    rotten
}

/// Copies in the quarantine: their names' endings, and what they hold.
fn quarantine(storage: &TestStorage) -> Vec<(String, Vec<u8>)> {
    let mut copies = Vec::new();
    for path in ["p0", "p1"] {
        for file in below(&storage.dir.path().join(path).join("data/.cairn/quarantine")) {
            let ending = file.extension().unwrap().to_str().unwrap().to_owned();
            match fs::read(file) {
                Ok(content) => copies.push((ending, content)),
                // It has just got another ending.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
            }
        }
    }
    copies
}

fn download(client: &mut Client, name: &FileName) -> (Status, Vec<u8>) {
    let reply = client.download(name, 0, 0);
    (reply.status, reply.body)
}

#[test]
fn d21_a_rotten_copy_is_replaced_with_that_of_another_member_and_kept_in_the_quarantine() {
    for more in [PLAIN, PACKED] {
        let members = Group::start(more);
        let (small, large) = (b"small, and not found twice".to_vec(), large());
        let contents = [&small[..], &large, b"of the other member"];
        let names = [
            members.client(0).upload(contents[0], "txt").name(),
            members.client(0).upload(contents[1], "bin").name(),
            members.client(1).upload(contents[2], "txt").name(),
        ];
        for (name, content) in names.iter().zip(contents) {
            members.both_have(name, content);
            // In the journal, it would be mended by a start.
            rot(&members.members[1], content);
            assert_eq!(members.has(1, name), Some(rotten(content)), "{name}, {more}");
        }
        round(&members.members[1]);
        assert_eq!(found(&members.members[1]), [3, 0, 3, 0, 0], "{more}");
        for (name, content) in names.iter().zip(contents) {
            members.both_have(name, content);
            assert!(download(&mut members.client(1), name) == (Status::OK, content.to_vec()), "{name}");
            let on_disk = members.members[1].on_disk(name);
            if let Ok(metadata) = fs::metadata(on_disk) {
                assert_eq!(metadata.mtime(), i64::from(name.stamp().unwrap().timestamp), "{name}");
            }
        }
        let mut kept = quarantine(&members.members[1]);
        kept.sort_by_key(|(_, copy)| copy.len());
        let expected = [contents[2], contents[0], contents[1]].map(|c| ("bad".to_owned(), rotten(c)));
        assert!(kept == expected, "{more}");
        // Nothing of it is passed on, and it is all there after a restart.
        let mut members = members;
        members.stop(1);
        let log = members.members[1].dir.path().join("base/data/sync/binlog.000");
        let log = fs::read_to_string(log).unwrap();
        assert!(!log.contains(&format!("C {}\n", names[0])) && !log.contains(&format!("D {}", names[0])));
        members.run(1);
        members.say(StorageStatus::Active);
        for (name, content) in names.iter().zip(contents) {
            members.both_have(name, content);
        }
        round(&members.members[1]);
        assert_eq!(found(&members.members[1]), [0; 5], "{more}");
    }
}

#[test]
fn d21_a_torn_copy_is_replaced() {
    let members = Group::start(PLAIN);
    let name = members.client(0).upload(b"longer than what is left", "txt").name();
    members.both_have(&name, b"longer than what is left");
    fs::write(members.members[0].on_disk(&name), b"longer").unwrap();
    round(&members.members[0]);
    members.both_have(&name, b"longer than what is left");
    assert_eq!(found(&members.members[0]), [1, 0, 1, 0, 0]);
}

#[test]
fn d21_a_rotten_slot_of_a_trunk_file_is_filled_again() {
    let first = Member::start(seen(FIRST, Some(FIRST), &[]));
    let second = Member::start(seen(SECOND, Some(FIRST), &[(FIRST, first.port())]));
    first.sees(seen(FIRST, Some(FIRST), &[(SECOND, second.port())]));
    first_in_slot(&mut first.storage.connect());
    let content = b"in a slot, and not found twice";
    let name = first.storage.connect().upload(content, "txt").name();
    assert_eq!(name.kind(), Kind::Trunk);
    // As the first one would send it.
    let time = name.stamp().unwrap().timestamp.to_be_bytes();
    let text = name.as_str().as_bytes();
    let copy: [&[u8]; 6] =
        [&number(text.len()), &number(content.len()), &time, &group("group1"), text, content];
    first_in_slot(&mut second.storage.connect());
    assert_eq!(second.storage.connect().ask(C::SyncCreate, &copy).status, Status::OK);
    assert_eq!(download(&mut second.storage.connect(), &name), (Status::OK, content.to_vec()));
    assert!(!second.storage.on_disk(&name).exists());
    rot(&second.storage, content);
    round(&second.storage);
    assert_eq!(found(&second.storage), [1, 0, 1, 0, 0]);
    assert_eq!(download(&mut second.storage.connect(), &name), (Status::OK, content.to_vec()));
    assert!(!second.storage.on_disk(&name).exists(), "it is in its slot again");
    assert_eq!(quarantine(&second.storage), [("bad".to_owned(), rotten(content))]);
    round(&second.storage);
    assert_eq!(found(&second.storage), [1, 0, 1, 0, 0]);
}

#[test]
fn a_file_that_the_log_knows_and_that_is_not_there_is_fetched_and_a_deleted_one_is_not() {
    let members = Group::start(PLAIN);
    let names = [
        members.client(0).upload(b"made here", "").name(),
        members.client(1).upload(b"made there", "").name(),
    ];
    let gone = members.client(0).upload(b"gone", "").name();
    members.both_have(&gone, b"gone");
    assert_eq!(members.client(0).of_file(C::DeleteFile, &gone).status, Status::OK);
    members.neither_has(&gone);
    for (name, content) in names.iter().zip([&b"made here"[..], b"made there"]) {
        members.both_have(name, content);
        fs::remove_file(members.members[0].on_disk(name)).unwrap();
        assert_eq!(members.has(0, name), None);
    }
    round(&members.members[0]);
    members.both_have(&names[0], b"made here");
    members.both_have(&names[1], b"made there");
    members.neither_has(&gone);
    assert_eq!(found(&members.members[0]), [0, 2, 2, 0, 0]);
}

#[test]
fn a_pack_that_lost_its_records_gets_its_files_back() {
    let mut members = Group::start(PACKED);
    let mut names = Vec::new();
    for number in 0..20_u8 {
        names.push(members.client(0).upload(&[number; 300], "bin").name());
    }
    for (number, name) in (0..20_u8).zip(&names) {
        members.both_have(name, &[number; 300]);
    }
    let meta = names[3].metadata_name();
    assert_eq!(set_metadata(&mut members.client(0), &names[3], b"k\x02v"), Status::OK);
    members.both_have(&meta, b"k\x02v");
    // Sealed, and then a stretch of it is lost, names and all.
    members.stop(1);
    members.run(1);
    members.say(StorageStatus::Active);
    let packs = below(&members.members[1].dir.path().join("p0/data/.cairn/packs"));
    let pack =
        packs.iter().find(|path| fs::read(path).unwrap().windows(300).any(|part| part == [7; 300])).unwrap();
    let bytes = fs::read(pack).unwrap();
    // They came in any order.
    let place = |number| bytes.windows(300).position(|part| part == [number; 300]).unwrap();
    let mut places: Vec<usize> = (0..20_u8).map(place).collect();
    places.sort_unstable();
    let (begin, end) = (places[5] - RECORD_HEADER_LEN, places[9]);
    let file = fs::File::options().write(true).open(pack).unwrap();
    file.write_all_at(&vec![0xEE; end - begin], begin as u64).unwrap();
    round(&members.members[1]);
    for (number, name) in (0..20_u8).zip(&names) {
        members.both_have(name, &[number; 300]);
    }
    members.both_have(&meta, b"k\x02v");
    let [bad, missing, mended, set_aside, hopeless] = found(&members.members[1]);
    assert_eq!((bad + missing, mended, set_aside, hopeless), (5, 5, 0, 0));
}

#[test]
fn d21_what_is_rotten_everywhere_is_set_aside_and_answered_eio_until_there_is_a_good_copy() {
    for more in [PLAIN, PACKED] {
        let members = Group::start(more);
        let content = b"rotten on both members";
        let name = members.client(0).upload(content, "txt").name();
        members.both_have(&name, content);
        for member in [0, 1] {
            rot(&members.members[member], content);
        }
        round(&members.members[0]);
        assert_eq!(found(&members.members[0]), [1, 0, 0, 1, 1], "{more}");
        assert_eq!(quarantine(&members.members[0]), [("lost".to_owned(), rotten(content))]);
        round(&members.members[1]);
        for member in [0, 1] {
            assert_eq!(download(&mut members.client(member), &name), (Status::EIO, vec![]), "{more}");
            assert_eq!(figures(&members.members[member]).quarantine.lock().lost, 1);
        }
        // Still so after a restart.
        let mut members = members;
        members.stop(0);
        members.run(0);
        members.say(StorageStatus::Active);
        assert_eq!(download(&mut members.client(0), &name), (Status::EIO, vec![]), "{more}");
        // Somebody puts a copy from elsewhere in place.
        let on_disk = members.members[1].on_disk(&name);
        fs::create_dir_all(on_disk.parent().unwrap()).unwrap();
        fs::write(&on_disk, content).unwrap();
        // The one without gives it out, and fetches it.
        assert_eq!(download(&mut members.client(0), &name), (Status::OK, content.to_vec()), "{more}");
        until("the other one has it again", || members.has(0, &name).as_deref() == Some(content));
        until("the bad copy is not the only one any more", || {
            quarantine(&members.members[0]) == [("bad".to_owned(), rotten(content))]
        });
    }
}

#[test]
fn a_file_that_is_set_aside_can_be_deleted_and_does_not_come_back() {
    let members = Group::start(PACKED);
    let content = b"rotten on both members";
    let name = members.client(0).upload(content, "txt").name();
    members.both_have(&name, content);
    for member in [0, 1] {
        rot(&members.members[member], content);
    }
    for member in [0, 1] {
        round(&members.members[member]);
        assert_eq!(get(&figures(&members.members[member]).set_aside), 1);
    }
    assert_eq!(members.client(0).of_file(C::DeleteFile, &name).status, Status::OK);
    for member in [0, 1] {
        until("the deletion is known", || download(&mut members.client(member), &name).0 == Status::ENOENT);
        round(&members.members[member]);
        assert_eq!(members.has(member, &name), None);
        assert_eq!(get(&figures(&members.members[member]).hopeless), 0);
        assert_eq!(quarantine(&members.members[member]), [("bad".to_owned(), rotten(content))]);
    }
}

#[test]
fn a_reader_who_comes_upon_a_damaged_record_has_it_mended_at_once() {
    let members = Group::start(PACKED);
    let content = b"its record is damaged";
    let name = members.client(0).upload(content, "txt").name();
    members.both_have(&name, content);
    // The header stands before the content.
    let packs = below(&members.members[0].dir.path().join("p0/data/.cairn/packs"));
    let hit = packs.iter().find_map(|path| {
        let bytes = fs::read(path).unwrap();
        Some((path, bytes.windows(content.len()).position(|part| part == content)?))
    });
    let (pack, at) = hit.unwrap();
    fs::File::options().write(true).open(pack).unwrap().write_all_at(&[0xEE; 8], at as u64 - 8).unwrap();
    assert_eq!(download(&mut members.client(0), &name).0, Status::EIO);
    until("it is mended", || download(&mut members.client(0), &name) == (Status::OK, content.to_vec()));
    assert_eq!(get(&figures(&members.members[0]).rounds), 0);
}

#[test]
fn metadata_with_zero_bytes_in_it_is_given_out_as_it_was_set_after_a_round_as_before() {
    for more in [PLAIN, PACKED] {
        let mut members = Group::start(more);
        let meta = b"a\x02x\0y\x01b\x02\0\x01c\x02ends with one\0";
        let name = members.client(0).upload(b"of no consequence", "txt").name();
        members.both_have(&name, b"of no consequence");
        assert_eq!(set_metadata(&mut members.client(0), &name, meta), Status::OK);
        members.both_have(&name.metadata_name(), meta);
        round(&members.members[0]);
        // Without anybody who could have another copy.
        members.stop(1);
        members.say(StorageStatus::Offline);
        round(&members.members[0]);
        assert_eq!(found(&members.members[0]), [0; 5], "{more}");
        assert_eq!(quarantine(&members.members[0]), []);
        let reply = members.client(0).of_file(C::GetMetadata, &name);
        assert_eq!((reply.status, &*reply.body), (Status::OK, &meta[..]), "{more}");
    }
}

#[test]
fn what_fsck_has_marked_is_mended_when_the_storage_runs() {
    for more in [PLAIN, PACKED] {
        let mut members = Group::start(more);
        let content = b"marked while it did not run";
        let name = members.client(0).upload(content, "txt").name();
        members.both_have(&name, content);
        rot(&members.members[1], content);
        members.stop(1);
        let root = members.members[1].dir.path().join(format!("p{}", name.path_index().0));
        store::mark_damaged(&root, std::slice::from_ref(&name)).unwrap();
        members.run(1);
        members.say(StorageStatus::Active);
        until("it is mended", || members.has(1, &name).as_deref() == Some(content));
        until("the mark is gone", || !root.join("data/.cairn/damaged").exists());
    }
}

#[test]
fn rounds_begin_by_themselves_and_not_at_all_with_an_interval_of_nothing() {
    let members = Group::start(&format!("{PLAIN}\nscrub_interval=1"));
    let name = members.client(0).upload(b"content", "txt").name();
    members.both_have(&name, b"content");
    rot(&members.members[0], b"content");
    until("it is mended", || members.has(0, &name).as_deref() == Some(b"content"));
    until("the next round ends", || get(&figures(&members.members[0]).rounds) > 1);
    assert!(get(&figures(&members.members[0]).files) > 0 && get(&figures(&members.members[0]).bytes) > 6);
}

/// What `cairn monitor` asks for.
fn asked(storage: &TestStorage) -> Vec<(String, u64)> {
    let mut client = storage.connect();
    client.send(C::ActiveTest, active_test::FIGURES, &[]);
    let reply = client.receive();
    assert_eq!(reply.status, Status::OK);
    assert!(client.is_open());
    active_test::figures(&reply.body)
}

fn figure(figures: &[(String, u64)], name: &str) -> u64 {
    figures.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name} in {figures:?}")).1
}

#[test]
fn d3_fewer_copies_than_wanted_show_in_the_figures_of_a_storage() {
    let mut members = Group::start("durability=copies:2\ncopies_missing=accept");
    assert_eq!(members.client(0).upload(b"before", "txt").status, Status::OK);
    let before = asked(&members.members[0]);
    let copies = ["copies_wanted", "copies_possible", "copies_degraded", "changes_with_fewer_copies_total"];
    assert_eq!(copies.map(|name| figure(&before, name)), [2, 2, 0, 0]);
    members.stop(1);
    members.say(StorageStatus::Offline);
    assert_eq!(members.client(0).upload(b"after", "txt").status, Status::OK);
    let after = asked(&members.members[0]);
    assert_eq!(copies.map(|name| figure(&after, name)), [2, 1, 1, 1]);
    assert_eq!(figure(&after, "changes_refused_for_copies_total"), 0);
    // Whoever only asks for a sign of life gets nothing else.
    let reply = members.client(0).ask(C::ActiveTest, &[]);
    assert_eq!((reply.status, reply.body.len()), (Status::OK, 0));
}
