//! The two questions a tracker asks storages, over real sockets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::peer::{group, id};
use crate::server::Server;
use fdfs_proto::tracker::{Request, beat, change_list, disk_usage, join, set_trunk_server, trunk};
use fdfs_proto::{Empty, Header, Status, StorageStatus};

const CONF: &str = "use_trunk_file = true\nreserved_storage_space = 100MB\n";

/// A storage's side of the questions: answers `count` of them on connections of their own.
fn storage(count: usize, trunk_binlog_len: u64) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.3:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let work = std::thread::spawn(move || {
        let mut commands = Vec::new();
        for _ in 0..count {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 10];
            stream.read_exact(&mut head).unwrap();
            let header = Header::decode(&head).unwrap();
            let body =
                if header.command == 31 { trunk_binlog_len.to_be_bytes().to_vec() } else { Vec::new() };
            let reply = Header { body_len: body.len() as u64, command: 100, status: 0 };
            stream.write_all(&[&reply.encode()[..], &body].concat()).unwrap();
            commands.push(header.command);
        }
        commands
    });
    (port, work)
}

#[test]
fn a_storage_is_asked_and_becomes_trunk_server() {
    let server = Server::new(CONF);
    let (port, asked) = storage(2, 77);
    let mut storage = server.peer("127.0.0.3");
    let mut ask = storage.first_join("group1", port);
    ask.joiner.init = false;
    ask.joiner.status = Some(StorageStatus::Online);
    storage.get(&Request::Join(ask));
    storage.get(&Request::Beat(beat::Ask { stat: None }));
    assert_eq!(asked.join().unwrap(), [31, 32]);
    let mut client = server.client();
    client.until("group1", "127.0.0.3", |stat| stat.figures.is_trunk_server);
    let told = change_list::Got::decode(&storage.get(&Request::Beat(beat::Ask { stat: None }))).unwrap();
    assert_eq!(told.trunk_server.unwrap().id, Some(id("127.0.0.3")));
    storage.get(&Request::ReportTrunkFileId(trunk::FileNumber { id: 5 }));
    assert_eq!(storage.get(&Request::FetchTrunkFileId(Empty)), [0, 0, 0, 5]);
    let ask = Request::SetTrunkServer(set_trunk_server::Ask { group: group("group1"), id: None });
    assert_eq!(client.get(&ask), b"127.0.0.3\0");
    let saved = std::fs::read_to_string(server.data().join("storage_groups_new.dat")).unwrap();
    assert!(saved.contains("trunk_server=127.0.0.3\n"), "{saved}");
}

#[test]
fn an_administrator_waits_for_the_storage_and_hears_how_it_went() {
    let server = Server::new(CONF);
    let closed = TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap().port();
    let mut storage = server.peer("127.0.0.3");
    let mut ask = storage.first_join("group1", closed);
    ask.joiner.init = false;
    ask.joiner.status = Some(StorageStatus::Online);
    let got = join::Got::decode(&storage.get(&Request::Join(ask))).unwrap();
    assert_eq!(got.status, StorageStatus::Online);
    let paths = vec![disk_usage::PathSpace { total_mb: 1000, free_mb: 500 }];
    storage.get(&Request::ReportDiskUsage(disk_usage::Ask { paths }));
    let mut client = server.client();
    let ask = Request::SetTrunkServer(set_trunk_server::Ask { group: group("group1"), id: None });
    assert_eq!(client.refused(&ask), Status::EIO, "nobody listens there");
    assert!(client.is_in_step());
}

#[test]
fn without_trunk_files_there_is_no_trunk_server_to_set() {
    let server = Server::new("");
    let mut storage = server.peer("127.0.0.3");
    storage.serve("group1");
    let ask = Request::SetTrunkServer(set_trunk_server::Ask { group: group("group1"), id: None });
    assert_eq!(server.client().refused(&ask), Status::EOPNOTSUPP);
}
