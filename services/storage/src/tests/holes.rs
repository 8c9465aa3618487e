//! Ways to lose data and ways in that the original has (storage internals: holes), closed here. One test, or
//! more, for each that concerns one node; the number is in the name.

use std::io::Write;
use std::sync::Arc;

use fdfs_proto::{Status, StorageCommand as C};

use super::client::{TestStorage, group, number};

#[test]
fn s1_names_longer_than_any_buffer_are_refused() {
    let storage = TestStorage::start("");
    for command in [C::DownloadFile, C::DeleteFile, C::GetMetadata, C::SyncDelete, C::SyncRename] {
        for len in [128, 1000, 200_000] {
            let mut client = storage.connect();
            let mut name = b"M00/00/00/".to_vec();
            name.resize(len, b'a');
            let reply = client.ask(command, &[&[0; 16], &group("group1"), &name]);
            assert_eq!(reply.status, Status::EINVAL, "{command} {len}");
        }
    }
    assert!(storage.connect().is_open());
}

#[test]
fn s2_commands_of_peers_are_not_taken_from_anybody() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "txt").name();
    let peers = [C::SyncCreate, C::SyncDelete, C::SyncUpdate, C::SyncCreateLink, C::SyncAppend];
    let more = [C::SyncModify, C::SyncTruncate, C::SyncRename, C::FetchOnePathBinlog];
    for command in peers.into_iter().chain(more) {
        let mut client = storage.connect();
        let reply = client.ask(command, &[&[0; 4], &group("group1"), name.as_str().as_bytes()]);
        assert_eq!(reply.status, Status::EINVAL, "{command}");
    }
    assert_eq!(storage.connect().download(&name, 0, 0).body, b"hello");
}

#[test]
fn s3_trunk_containers_cannot_be_reached_by_name() {
    let storage = TestStorage::start("");
    let container = storage.dir.path().join("p0/data/00/00/000001");
    std::fs::create_dir_all(container.parent().unwrap()).unwrap();
    std::fs::write(&container, b"everybody's small files").unwrap();
    let name = b"M00/00/00/000001";
    for command in [C::DownloadFile, C::DeleteFile] {
        let offsets: &[u8] = if command == C::DownloadFile { &[0; 16] } else { &[] };
        let reply = storage.connect().ask(command, &[offsets, &group("group1"), name]);
        assert_eq!(reply.status, Status::EINVAL, "{command}");
    }
    assert!(container.exists());
}

#[test]
fn s4_s5_listing_and_trunk_commands_are_refused() {
    let storage = TestStorage::start("");
    let trunk = [C::TrunkAlloc, C::TrunkConfirm, C::TrunkFree, C::TrunkSyncBinlog, C::TrunkBinlogSize];
    let more = [C::TrunkDeleteMarks, C::TrunkTruncateBinlog, C::FetchOnePathBinlog];
    for command in trunk.into_iter().chain(more) {
        assert_eq!(storage.connect().ask(command, &[]).status, Status::EINVAL, "{command}");
    }
}

#[test]
fn s6_a_forged_trunk_name_reads_and_deletes_nothing() {
    let storage = TestStorage::start("");
    let name = b"M00/00/00/ooYBAGhjJbSIcAABAAAPoMv0OSYAAAAAQAAEAAAABAA2731.gz";
    let mut client = storage.connect();
    let reply = client.ask(C::DeleteFile, &[&group("group1"), name]);
    assert_eq!(reply.status, Status::ENOENT);
    let reply = client.ask(C::DownloadFile, &[&[0; 16], &group("group1"), name]);
    assert_eq!(reply.status, Status::ENOENT);
}

#[test]
fn s8_the_rest_of_a_refused_upload_is_never_read_as_a_request() {
    let storage = TestStorage::start("");
    let victim = storage.connect().upload(b"hello", "txt").name();
    let mut hidden = 60_u64.to_be_bytes().to_vec();
    hidden.extend_from_slice(&[12, 0]);
    hidden.extend_from_slice(&group("group1"));
    hidden.extend_from_slice(victim.as_str().as_bytes());
    // Refused at once (no such appender), with requests to delete a file as its content.
    let missing = b"M00/00/00/fwAAAWhjJQCEKlw9AAAAAA4Qul0482.txt";
    for repeat in [1, 40_000] {
        let content = hidden.repeat(repeat);
        let mut client = storage.connect();
        let body: [&[u8]; 4] = [&number(missing.len()), &number(content.len()), missing, &content];
        let reply = client.ask(C::Append, &body);
        assert_eq!(reply.status, Status::ENOENT);
        assert_eq!(client.is_open(), repeat == 1, "a short rest is read, a long one closes the connection");
        assert_eq!(storage.connect().download(&victim, 0, 0).body, b"hello");
    }
}

#[test]
fn s9_links_out_of_the_store_are_not_followed() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "txt").name();
    let outside = storage.dir.path().join("secret");
    std::fs::write(&outside, b"secret").unwrap();
    std::fs::remove_file(storage.on_disk(&name)).unwrap();
    std::os::unix::fs::symlink(&outside, storage.on_disk(&name)).unwrap();
    assert_eq!(client.download(&name, 0, 0).status, Status::ENOENT);
    assert_eq!(client.of_file(C::DeleteFile, &name).status, Status::OK);
    assert!(outside.exists());
}

#[test]
fn s10_metadata_files_cannot_be_reached_by_name() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "txt").name();
    let text = name.as_str().as_bytes();
    let body: [&[u8]; 6] = [&number(text.len()), &number(3), b"O", &group("group1"), text, b"a\x02b"];
    assert_eq!(client.ask(C::SetMetadata, &body).status, Status::OK);
    let metadata = name.metadata_name();
    assert_eq!(storage.connect().download(&metadata, 0, 0).status, Status::EINVAL);
    assert_eq!(storage.connect().of_file(C::DeleteFile, &metadata).status, Status::EINVAL);
    assert_eq!(storage.connect().of_file(C::GetMetadata, &name).body, b"a\x02b");
}

#[test]
fn d10_appends_of_two_clients_stay_whole_and_one_that_goes_away_takes_nothing_along() {
    let storage = TestStorage::start("");
    let name = storage.connect().upload_as(C::UploadAppender, 0, b"", "log").name();
    let text = name.as_str().as_bytes();
    // Half an append, then the other client's whole ones, then the first goes away.
    let mut first = storage.connect();
    let head = [&(16 + text.len() as u64 + 200_000).to_be_bytes()[..], &[24, 0]].concat();
    let half = [&head, &number(text.len())[..], &number(200_000), text, &[b'1'; 100_000]].concat();
    first.0.write_all(&half).unwrap();
    let mut second = storage.connect();
    for _ in 0..3 {
        let body: [&[u8]; 4] = [&number(text.len()), &number(70_000), text, &[b'2'; 70_000]];
        assert_eq!(second.ask(C::Append, &body).status, Status::OK);
    }
    drop(first);
    assert_eq!(second.download(&name, 0, 0).body, vec![b'2'; 210_000]);
}

#[test]
fn d11_a_modify_that_breaks_off_changes_nothing() {
    let storage = TestStorage::start("");
    let name = storage.connect().upload_as(C::UploadAppender, 0, &[b'o'; 100_000], "log").name();
    let text = name.as_str().as_bytes();
    let mut client = storage.connect();
    let head = [&(24 + text.len() as u64 + 90_000).to_be_bytes()[..], &[34, 0]].concat();
    let half = [&head, &number(text.len())[..], &number(0), &number(90_000), text, &[b'n'; 80_000]].concat();
    client.0.write_all(&half).unwrap();
    drop(client);
    assert_eq!(storage.connect().download(&name, 0, 0).body, vec![b'o'; 100_000]);
}

#[test]
fn d12_metadata_merged_by_many_clients_at_once_keeps_every_key() {
    let storage = Arc::new(TestStorage::start(""));
    let name = storage.connect().upload(b"hello", "txt").name();
    let threads: Vec<_> = (b'a'..=b'l')
        .map(|key| {
            let (storage, name) = (Arc::clone(&storage), name.clone());
            std::thread::spawn(move || {
                let text = name.as_str().as_bytes();
                let meta = [key, 2, key];
                let body: [&[u8]; 6] = [&number(text.len()), &number(3), b"M", &group("group1"), text, &meta];
                assert_eq!(storage.connect().ask(C::SetMetadata, &body).status, Status::OK);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let body = storage.connect().of_file(C::GetMetadata, &name).body;
    let keys: Vec<u8> = body.split(|&byte| byte == 1).map(|record| record[0]).collect();
    assert_eq!(keys, b"abcdefghijkl");
}

#[test]
fn d14_equal_content_in_the_same_second_gets_names_of_its_own() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let mut names: Vec<_> = (0..200).map(|_| client.upload(b"same", "txt").name()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 200);
}

#[test]
fn d16_d2_the_log_line_of_a_change_is_never_missing_after_a_crash() {
    let mut storage = TestStorage::start("sync_binlog_buff_interval=3600");
    let mut client = storage.connect();
    let (kept, deleted) = (client.upload(b"kept", "").name(), client.upload(b"gone", "").name());
    client.of_file(C::DeleteFile, &deleted);
    drop(client);
    // A crash: nothing is flushed or closed, another server opens what is on disk.
    storage.running.take().unwrap().crash();
    storage.start_again();
    storage.running.take().unwrap().stop().unwrap();
    let binlog = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
    let changes: Vec<String> =
        binlog.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(changes, [format!("C {kept}"), format!("C {deleted}"), format!("D {deleted}")]);
    storage.start_again();
}

#[test]
fn d27_of_two_slaves_of_one_name_uploaded_at_once_one_is_refused() {
    let storage = TestStorage::start("");
    let master = storage.connect().upload(b"hello", "jpg").name();
    let text = master.as_str().as_bytes();
    let request = |content: u8| {
        let len = 38 + text.len() + 100_000;
        let head = [&number(len)[..], &[21, 0], &number(text.len()), &number(100_000)].concat();
        [&head[..], b"_big\0\0\0\0\0\0\0\0\0\0\0\0", b"jpg\0\0\0", text, &[content; 100_000]].concat()
    };
    // Both are under way before either ends.
    let (one, two) = (request(b'1'), request(b'2'));
    let (mut first, mut second) = (storage.connect(), storage.connect());
    first.0.write_all(&one[..50_000]).unwrap();
    second.0.write_all(&two[..50_000]).unwrap();
    first.0.write_all(&one[50_000..]).unwrap();
    let name = first.receive().name();
    second.0.write_all(&two[50_000..]).unwrap();
    assert_eq!(second.receive().status, Status::EEXIST);
    assert_eq!(storage.connect().download(&name, 0, 0).body, vec![b'1'; 100_000]);
}
