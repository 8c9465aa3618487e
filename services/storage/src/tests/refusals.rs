//! Bad input: a clear status or a closed connection, no file, nothing stuck.

use std::io::Write;
use std::net::Shutdown;

use fdfs_fileid::FileName;
use fdfs_proto::{Status, StorageCommand as C};

use super::client::{TestStorage, group, number, until};

/// Sends a request in which the header announces `len` and nothing or little follows.
fn announce(storage: &TestStorage, command: u8, len: i64, body: &[u8]) -> super::client::Client {
    let mut client = storage.connect();
    let mut message = len.to_be_bytes().to_vec();
    message.extend_from_slice(&[command, 0]);
    message.extend_from_slice(body);
    client.0.write_all(&message).unwrap();
    client
}

#[test]
fn an_unknown_command_is_invalid_and_closes_the_connection() {
    let storage = TestStorage::start("");
    for command in [0, 39, 99, 255] {
        let mut client = storage.connect();
        client.send(command, 0, &[b"whatever"]);
        assert_eq!(client.receive().status, Status::EINVAL);
        assert!(!client.is_open());
    }
}

#[test]
fn a_negative_length_closes_the_connection_without_an_answer() {
    let storage = TestStorage::start("");
    let mut client = announce(&storage, 11, -1, b"");
    assert!(!client.is_open());
    let mut client = announce(&storage, 11, i64::MIN, b"");
    assert!(!client.is_open());
}

#[test]
fn a_length_of_all_there_is_takes_no_memory_and_no_space() {
    let storage = TestStorage::start("");
    for command in [C::UploadFile, C::Append, C::UploadSlave, C::DownloadFile, C::SetMetadata] {
        let body = [&[0][..], &(i64::MAX - 15).to_be_bytes(), &[0; 160]].concat();
        let mut client = announce(&storage, command.code(), i64::MAX, &body);
        let status = client.receive().status;
        assert!([Status::EINVAL, Status::ENOSPC].contains(&status), "{command}: {status:?}");
        assert!(!client.is_open());
    }
    assert_eq!((storage.files(), storage.temps()), (vec![], 0));
}

#[test]
fn lengths_that_contradict_each_other_are_invalid() {
    let storage = TestStorage::start("");
    let short: [&[u8]; 4] = [&[0], &number(100), b"txt\0\0\0", b"only this"];
    let long: [&[u8]; 4] = [&[0], &number(3), b"txt\0\0\0", b"more than that"];
    let negative: [&[u8]; 4] = [&[0], &(-1_i64).to_be_bytes(), b"txt\0\0\0", b""];
    for body in [&short, &long, &negative] {
        let mut client = storage.connect();
        assert_eq!(client.ask(C::UploadFile, body).status, Status::EINVAL);
        assert!(!client.is_open());
    }
    let mut client = storage.connect();
    assert_eq!(client.ask(C::UploadFile, &[b"few"]).status, Status::EINVAL);
    assert_eq!((storage.files(), storage.temps()), (vec![], 0));
}

#[test]
fn names_that_lead_elsewhere_are_invalid() {
    let storage = TestStorage::start("");
    let names: [&[u8]; 9] = [
        b"M00/../../../../../../../../etc/passwd-and-more",
        b"M00/00/00/../../../../../../../../../etc/passwd",
        b"M00/00/00/a/b/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt",
        b"M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0\0.txt482",
        b"M02/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt",
        b"MXX/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt",
        b"M00/0g/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt",
        b"/etc/passwd/etc/passwd/etc/passwd/etc/passwd",
        &[b'x'; 127],
    ];
    for name in names {
        for command in [C::DownloadFile, C::DeleteFile, C::GetMetadata, C::QueryFileInfo, C::RegenerateName] {
            let mut client = storage.connect();
            let offsets: &[u8] = if command == C::DownloadFile { &[0; 16] } else { &[] };
            let field = group("group1");
            let field: &[u8] = if command == C::RegenerateName { &[] } else { &field };
            let reply = client.ask(command, &[offsets, field, name]);
            assert_eq!(reply.status, Status::EINVAL, "{command} {}", name.escape_ascii());
        }
    }
}

#[test]
fn a_name_shorter_than_any_that_is_made_is_that_of_a_missing_file() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let named = [&group("group1")[..], b"M00/00/00/wKgAxGhjJQCAKlw9AAAA"].concat();
    for command in [C::QueryFileInfo, C::DeleteFile, C::GetMetadata] {
        assert_eq!(client.ask(command, &[&named]).status, Status::ENOENT, "{command}");
    }
}

#[test]
fn another_group_is_invalid() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "").name();
    let reply = client.ask(C::DeleteFile, &[&group("group2"), name.as_str().as_bytes()]);
    assert_eq!(reply.status, Status::EINVAL);
    assert_eq!(storage.connect().download(&name, 0, 0).body, b"hello");
}

#[test]
fn an_extension_that_could_leave_the_folder_is_invalid() {
    let storage = TestStorage::start("");
    for ext in ["a/b", "a b", "\u{e9}", "a\\b", "..;"] {
        assert_eq!(storage.connect().upload(b"x", ext).status, Status::EINVAL, "{ext}");
    }
    assert_eq!(storage.files(), Vec::<String>::new());
}

#[test]
fn a_client_that_goes_away_in_the_middle_leaves_nothing() {
    let storage = TestStorage::start("");
    for (announced, sent) in [(1000, 10), (50_000, 49_999), (5_000_000, 1_000_000)] {
        let head = [&[0][..], &number(announced), b"txt\0\0\0", &vec![7; sent]].concat();
        let client = announce(&storage, 11, announced as i64 + 15, &head);
        client.0.shutdown(Shutdown::Both).unwrap();
    }
    // They have been accepted when one that came later is served, and are done with when all are closed.
    assert!(storage.connect().is_open());
    let server = storage.running.as_ref().unwrap();
    until("connections are closed, temporary files gone", || {
        server.connections() == 0 && storage.temps() == 0
    });
    assert_eq!((storage.files(), storage.temps()), (vec![], 0));
    assert_eq!(server.promised(), 0);
}

#[test]
fn a_peer_that_stops_sending_is_closed_after_the_network_timeout() {
    let storage = TestStorage::start("network_timeout=1");
    let mut silent = storage.connect();
    let mut half_header = storage.connect();
    half_header.0.write_all(&[0, 0, 0]).unwrap();
    let half = [&[0][..], &number(1000), b"txt\0\0\0", b"not all of it"].concat();
    let mut half_body = announce(&storage, 11, 1015, &half);
    for client in [&mut silent, &mut half_header, &mut half_body] {
        let mut byte = [0];
        assert_eq!(std::io::Read::read(&mut client.0, &mut byte).unwrap(), 0);
    }
    // Others are served all the while, and who was served once may be silent.
    let mut client = storage.connect();
    assert!(client.is_open());
}

#[test]
fn requests_sent_byte_by_byte_and_many_at_once_are_answered_in_order() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let message =
        [&29_u64.to_be_bytes()[..], &[11, 0, 0], &number(14), b"txt\0\0\0", b"hello fastdfs\n"].concat();
    for byte in &message {
        client.0.write_all(&[*byte]).unwrap();
    }
    let first = client.receive().name();
    client.0.write_all(&message.repeat(5)).unwrap();
    let mut names: Vec<FileName> = (0..5).map(|_| client.receive().name()).collect();
    names.push(first);
    for name in names {
        assert_eq!(client.download(&name, 0, 0).body, b"hello fastdfs\n");
    }
}

#[test]
fn quit_closes_silently_and_active_test_takes_no_body() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    assert!(client.is_open());
    client.send(C::Quit, 0, &[]);
    assert!(!client.is_open());
    let mut client = storage.connect();
    assert_eq!(client.ask(C::ActiveTest, &[b"x"]).status, Status::EINVAL);
}

#[test]
fn one_connection_more_than_allowed_is_closed_and_the_others_stay() {
    let storage = TestStorage::start("max_connections=2");
    let (mut one, mut two) = (storage.connect(), storage.connect());
    assert!(one.is_open() && two.is_open());
    assert!(!storage.connect().is_open());
    assert!(one.is_open() && two.is_open());
}

#[test]
fn a_host_that_is_not_allowed_is_closed_without_an_answer() {
    let storage = TestStorage::start("allow_hosts=10.0.0.1");
    assert!(!storage.connect().is_open());
}

#[test]
fn a_host_that_is_allowed_by_its_name_is_served() {
    let storage = TestStorage::start("allow_hosts=localhost\nallow_hosts=name.invalid");
    assert!(storage.connect().is_open());
}
