//! Ways to lose data and ways in that the original has (storage internals: holes), closed here. One test, or
//! more, for each that concerns the server of one node; the number is in the name.

use std::io::Write;
use std::sync::Arc;

use fdfs_fileid::{FileName, GroupName, StorePathIndex};
use fdfs_format::SlotHeader;
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::storage::{
    Request, fetch_binlog, report_server_id, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write,
    trunk,
};
use fdfs_proto::{Empty, GroupField, Header, RawName, Status, StorageCommand as C, StorageId};

use super::client::{TestStorage, group, number, until};

/// One request of every command that names a file, about this name.
fn requests_about(name: &[u8]) -> Vec<(C, Vec<u8>)> {
    let len = number(name.len());
    let named = [&group("group1")[..], name].concat();
    let slave = [&b"_big"[..], &[0; 12], b"jpg\0\0\0"].concat();
    vec![
        (C::DownloadFile, [&[0; 16][..], &named].concat()),
        (C::DeleteFile, named.clone()),
        (C::GetMetadata, named.clone()),
        (C::QueryFileInfo, named.clone()),
        (C::SetMetadata, [&len[..], &number(3), b"O", &named, b"a\x02b"].concat()),
        (C::Append, [&len[..], &number(1), name, b"x"].concat()),
        (C::Modify, [&len[..], &number(0), &number(1), name, b"x"].concat()),
        (C::Truncate, [&len[..], &number(0), name].concat()),
        (C::RegenerateName, name.to_vec()),
        (C::UploadSlave, [&len[..], &number(1), &slave, name, b"x"].concat()),
        (C::CreateLink, link(b"", b"", name)),
    ]
}

/// The body of a CREATE_LINK: another name for `source`, that of a slave of `master` unless there is none.
fn link(master: &[u8], prefix: &[u8], source: &[u8]) -> Vec<u8> {
    let lens = [number(master.len()), number(source.len()), number(0)].concat();
    let mut slave = prefix.to_vec();
    slave.resize(16, 0);
    let ext: &[u8] = if master.is_empty() { b"txt\0\0\0" } else { &[0; 6] };
    [&lens[..], &group("group1"), &slave, ext, master, source].concat()
}

/// A request of a peer or a tracker, well-formed, content and all: refused with EINVAL, so the connection closes.
fn assert_not_served(storage: &TestStorage, request: &Request<'_>) {
    let command = request.command();
    let mut body = Vec::new();
    request.encode(&mut body);
    body.resize(body.len() + usize::try_from(request.content_len()).unwrap(), b'x');
    let header = Header { body_len: body.len() as u64, command: command.code(), status: request.status() };
    assert_eq!(
        Request::decode(command, &header, &body).as_ref(),
        Ok(request),
        "its form is not what is refused"
    );
    let mut client = storage.connect();
    client.send(command, request.status(), &[&body]);
    assert_eq!(client.receive().status, Status::EINVAL, "{command}");
    assert!(!client.is_open(), "{command}");
}

fn group1() -> GroupField {
    GroupName::parse(b"group1").unwrap().into()
}

#[test]
fn s1_t6_names_longer_than_any_buffer_are_refused_and_the_longest_that_fit_are_not() {
    let storage = TestStorage::start("");
    let name = |len: usize| [&b"M00/00/00/"[..], &vec![b'a'; len - 10]].concat();
    for len in [128, 129, 1000, 200_000] {
        for (command, body) in requests_about(&name(len)) {
            let reply = storage.connect().ask(command, &[&body]);
            assert_eq!(reply.status, Status::EINVAL, "{command} {len}");
        }
    }
    let mut client = storage.connect();
    for (command, body) in requests_about(&name(127)) {
        assert_eq!(client.ask(command, &[&body]).status, Status::ENOENT, "{command}");
    }
}

#[test]
fn s2_commands_of_peers_are_not_taken_from_anybody() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "txt").name();
    let appender = client.upload_as(C::UploadAppender, 0, b"hello", "log").name();
    let files = storage.files();
    let (group, timestamp) = (group1(), 1_751_328_000);
    let (target, log) = (RawName::from(&name), RawName::from(&appender));
    let new = RawName::new(b"M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt");
    let created = sync_copy::Ask { size: 5, has_content: true, timestamp, group, name: new };
    let pair = sync_pair::Ask { timestamp, group, dest: new, source: target };
    let write = sync_write::Ask { start: 5, size: 3, timestamp, group, name: log };
    let cut = sync_truncate::Ask { old_size: 5, new_size: 0, timestamp, group, name: log };
    for request in [
        Request::SyncCreate(created),
        Request::SyncUpdate(sync_copy::Ask { name: target, ..created }),
        Request::SyncDelete(sync_delete::Ask { timestamp, group, name: target }),
        Request::SyncCreateLink(pair),
        Request::SyncRename(pair),
        Request::SyncAppend(write),
        Request::SyncModify(sync_write::Ask { start: 0, ..write }),
        Request::SyncTruncate(cut),
    ] {
        assert_not_served(&storage, &request);
    }
    assert_eq!(client.download(&name, 0, 0).body, b"hello");
    assert_eq!(client.download(&appender, 0, 0).body, b"hello");
    assert_eq!(storage.files(), files);
}

#[test]
fn s3_trunk_containers_cannot_be_reached_by_name() {
    let storage = TestStorage::start("");
    let container = storage.dir.path().join("p0/data/00/00/000001");
    std::fs::create_dir_all(container.parent().unwrap()).unwrap();
    std::fs::write(&container, b"everybody's small files").unwrap();
    for name in [&b"M00/00/00/000001"[..], b"m00/00/00/000001", b"00/00/000001"] {
        for (command, body) in requests_about(name) {
            let reply = storage.connect().ask(command, &[&body]);
            assert_eq!(reply.status, Status::EINVAL, "{command} {}", name.escape_ascii());
        }
    }
    assert_eq!(std::fs::read(&container).unwrap(), b"everybody's small files");
    assert_eq!(storage.files(), ["00/00/000001"]);
}

#[test]
fn s4_nobody_is_given_a_list_of_all_files() {
    let storage = TestStorage::start("");
    storage.connect().upload(b"hello", "txt");
    let ask = fetch_binlog::Ask { group: group1(), path: StorePathIndex(0) };
    assert_not_served(&storage, &Request::FetchOnePathBinlog(ask));
}

#[test]
fn s5_nobody_hands_out_frees_or_wipes_trunk_space() {
    let storage = TestStorage::start("");
    let slot = trunk::Slot { path: 0, dir_high: 0, dir_low: 0, file_id: 1, offset: 0, size: 256 };
    let of_slot = trunk::AskSlot { group: group1(), slot };
    for request in [
        Request::TrunkAlloc(trunk::AskAlloc { group: group1(), size: 256, path: 0 }),
        Request::TrunkConfirm(of_slot),
        Request::TrunkFree(of_slot),
        Request::TrunkSyncBinlog(trunk::AskBinlog { lines: b"1751328000 A 0 0 0 1 0 256\n" }),
        Request::TrunkBinlogSize(Empty),
        Request::TrunkDeleteMarks(Empty),
        Request::TrunkTruncateBinlog(Empty),
    ] {
        assert_not_served(&storage, &request);
    }
    assert_eq!(storage.files(), Vec::<String>::new());
}

#[test]
fn s6_a_forged_trunk_name_reads_and_deletes_nothing() {
    let storage = TestStorage::start("");
    let name = b"M00/00/00/ooYBAGhjJbSIcAABAAAPoMv0OSYAAAAAQAAEAAAABAA2731.gz";
    let parsed = FileName::parse(name).unwrap();
    let slot = parsed.trunk_part().unwrap();
    // Somebody's file that holds what looks like the slot of that name, between the files of others.
    let mut content = vec![b'n'; 16 * 1024];
    let header = SlotHeader::of(&parsed).unwrap().encode();
    content[slot.offset as usize..][..header.len()].copy_from_slice(&header);
    let container = storage.dir.path().join("p0/data/00/00").join(slot.container());
    std::fs::create_dir_all(container.parent().unwrap()).unwrap();
    std::fs::write(&container, &content).unwrap();
    let mut client = storage.connect();
    for (command, body) in requests_about(name) {
        assert_eq!(client.ask(command, &[&body]).status, Status::ENOENT, "{command}");
    }
    assert!(std::fs::read(&container).unwrap() == content);
}

#[test]
fn s7_nobody_is_taken_for_a_peer_because_he_says_so() {
    let storage = TestStorage::start("");
    let id = StorageId::new(b"127.0.0.2").unwrap();
    assert_not_served(&storage, &Request::ReportServerId(report_server_id::Ask { id }));
}

#[test]
fn s8_t11_the_rest_of_a_refused_upload_is_never_read_as_a_request() {
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
    let storage = TestStorage::start("pack_max_size = 0");
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
fn s10_metadata_files_cannot_be_reached_by_name_and_no_file_gets_such_a_name() {
    let storage = TestStorage::start("pack_max_size = 0");
    let mut client = storage.connect();
    let name = client.upload_as(C::UploadAppender, 0, b"hello", "txt").name();
    let text = name.as_str().as_bytes();
    let body: [&[u8]; 6] = [&number(text.len()), &number(3), b"O", &group("group1"), text, b"a\x02b"];
    assert_eq!(client.ask(C::SetMetadata, &body).status, Status::OK);
    let files = storage.files();
    for (command, body) in requests_about(name.metadata_name().as_str().as_bytes()) {
        assert_eq!(storage.connect().ask(command, &[&body]).status, Status::EINVAL, "{command}");
    }
    // Slaves, uploaded or linked, whose names would be those of metadata.
    let other = client.upload(b"other", "").name();
    for (master, prefix) in [(&name, &b"-m"[..]), (&other, b"-m"), (&other, b"_small-m")] {
        let master = master.as_str().as_bytes();
        let linked = link(master, prefix, other.as_str().as_bytes());
        let slave = [prefix, &vec![0; 22 - prefix.len()], master, b"x"].concat();
        let uploaded = [&number(master.len())[..], &number(1), &slave].concat();
        for (command, body) in [(C::UploadSlave, uploaded), (C::CreateLink, linked)] {
            let reply = storage.connect().ask(command, &[&body]);
            assert_eq!(reply.status, Status::EINVAL, "{command} {}", prefix.escape_ascii());
        }
    }
    assert_eq!(storage.connect().of_file(C::GetMetadata, &name).body, b"a\x02b");
    assert_eq!(storage.files().len(), files.len() + 1);
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
    until("the first append has begun", || storage.temps() == 1);
    let mut second = storage.connect();
    for _ in 0..3 {
        let body: [&[u8]; 4] = [&number(text.len()), &number(70_000), text, &[b'2'; 70_000]];
        assert_eq!(second.ask(C::Append, &body).status, Status::OK);
    }
    drop(first);
    until("the first append is given up", || storage.running.as_ref().unwrap().connections() == 1);
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
    until("the change has begun", || storage.temps() == 1);
    drop(client);
    until("it is given up", || storage.running.as_ref().unwrap().connections() == 0);
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
fn t8_a_request_that_changes_nothing_is_answered_without_a_body() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload_as(C::UploadAppender, 0, b"hello", "log").name();
    let text = name.as_str().as_bytes();
    let len = number(text.len());
    for (command, body) in [
        (C::Append, [&len[..], &number(0), text].concat()),
        (C::Modify, [&len[..], &number(2), &number(0), text].concat()),
        (C::Truncate, [&len[..], &number(5), text].concat()),
    ] {
        let reply = client.ask(command, &[&body]);
        assert_eq!((reply.status, reply.body), (Status::OK, Vec::new()), "{command}");
    }
    assert!(client.is_open());
    assert_eq!(client.download(&name, 0, 0).body, b"hello");
}

#[test]
fn t12_an_empty_file_can_be_downloaded() {
    for more in ["", "pack_max_size = 0"] {
        let storage = TestStorage::start(more);
        let mut client = storage.connect();
        let name = client.upload(b"", "txt").name();
        let reply = client.download(&name, 0, 0);
        assert_eq!((reply.status, reply.body), (Status::OK, Vec::new()));
        assert!(client.is_open());
    }
}

#[test]
fn equal_content_in_the_same_second_gets_names_of_its_own() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let mut names: Vec<_> = (0..200).map(|_| client.upload(b"same", "txt").name()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 200);
}

#[test]
fn d2_d16_the_log_line_of_a_change_is_never_missing_after_a_crash() {
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
fn d19_t13_links_leave_records_that_every_reader_understands() {
    let mut storage = TestStorage::start("");
    let mut client = storage.connect();
    let source = client.upload(b"hello", "txt").name();
    let text = source.as_str().as_bytes();
    let free = client.ask(C::CreateLink, &[&link(b"", b"", text)]).name();
    let slave = client.ask(C::CreateLink, &[&link(text, b"_thumbnail", text)]).name();
    drop(client);
    storage.running.take().unwrap().stop().unwrap();
    let binlog = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
    let records = binlog.lines().map(|line| Record::parse(line.as_bytes()).unwrap());
    // Ordinary new files: that the content was there before is nobody else's business.
    let created = [source, free, slave].map(|name| (Origin::Client, Change::Create { name }));
    assert!(records.map(|record| (record.origin, record.change)).eq(created));
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
    let (one, two) = (request(b'1'), request(b'2'));
    let (mut first, mut second) = (storage.connect(), storage.connect());
    first.0.write_all(&one[..50_000]).unwrap();
    second.0.write_all(&two[..50_000]).unwrap();
    until("both are under way before either ends", || storage.temps() == 2);
    first.0.write_all(&one[50_000..]).unwrap();
    let name = first.receive().name();
    second.0.write_all(&two[50_000..]).unwrap();
    assert_eq!(second.receive().status, Status::EEXIST);
    assert_eq!(storage.connect().download(&name, 0, 0).body, vec![b'1'; 100_000]);
}
