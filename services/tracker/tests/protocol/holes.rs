//! Defects of the original's tracker (wire protocol: defects not to copy), not copied; the number is in the name.

use fdfs_proto::tracker::{
    Request, list_groups, storage_cluster_stat, storage_ids, storage_volume_stat, sync_source, sys_files,
    tracker_cluster_stat, tracker_status,
};
use fdfs_proto::{Empty, Status};

use crate::peer::{group, id};
use crate::server::Server;

#[test]
fn t3_thirty_two_storages_are_listed_whole_and_a_33rd_is_refused() {
    let server = Server::new("");
    let mut members: Vec<_> = (10..42).map(|number| server.peer(&format!("127.0.0.{number}"))).collect();
    members.iter_mut().for_each(|member| member.serve("group1"));
    let mut late = server.peer("127.0.0.42");
    let ask = late.first_join("group1", 23000);
    late.refused(&Request::Join(ask));
    let mut client = server.client();
    let mut listed: Vec<_> = client.list("group1").iter().map(|stat| stat.who.id).collect();
    listed.sort();
    let expected: Vec<_> = (10..42).map(|number| id(&format!("127.0.0.{number}"))).collect();
    assert_eq!(listed, expected);
    let all = Request::StorageClusterStat(storage_cluster_stat::Ask::default());
    assert_eq!(storage_cluster_stat::Got::decode(&client.get(&all)).unwrap().storages.len(), 32);
    assert!(client.is_in_step());
}

#[test]
fn t4_an_address_longer_than_any_names_no_leader() {
    let server = Server::new("");
    server.peer("127.0.0.3").serve("group1");
    let mut client = server.client();
    let leader = client.get(&Request::GetLeader(Empty));
    for command in [66, 67] {
        for len in [52, 53, 100, 5000] {
            let body = vec![b'1'; len];
            assert_eq!(client.ask_raw(command, &body), (Status::EINVAL, Vec::new()), "{command} {len}");
        }
    }
    assert_eq!(client.get(&Request::GetLeader(Empty)), leader);
}

#[test]
fn t5_pages_of_ids_hold_the_longest_lines_whole() {
    let conf = "use_storage_id = true\nid_type_in_filename = id\nstorage_ids_filename = storage_ids.conf\n";
    let lines: Vec<String> = (0..2048_u32)
        .map(|number| {
            let (group, inner) =
                (number / 32, format!("192.168.{}.{}", 100 + number / 100, 100 + number % 100));
            let outer = format!("2409:1111:2222:3333:4444:5555:6666:{:x}", 0x1000 + number);
            format!("{} longestgroup{group:04} [{inner},{outer}]:65535 rw=read\n", 10_000_000 + number)
        })
        .collect();
    let server = Server::with(conf, &[("storage_ids.conf", &lines.concat())]);
    let mut client = server.client();
    let mut text = String::new();
    let mut start = 0;
    while start < 2048 {
        let body = client.get(&Request::FetchStorageIds(storage_ids::Ask { start, allow_empty: false }));
        let got = storage_ids::Got::decode(&body).unwrap();
        assert!(got.count > 0);
        assert_eq!(got.lines.iter().filter(|byte| **byte == b'\n').count(), got.count as usize);
        text.push_str(std::str::from_utf8(got.lines).unwrap());
        start += got.count;
    }
    assert!(text == lines.concat(), "{}", text.lines().next().unwrap());
}

#[test]
fn t7_behind_the_end_of_every_text_there_are_zeros() {
    let server = Server::new("");
    let mut first = server.peer("127.0.0.3");
    first.serve("group1");
    let mut second = server.peer("127.0.0.4");
    second.join("group1");
    let source = second.get(&Request::SyncDestRequest(Empty));
    let mut client = server.client();
    // Encoded anew, fields are padded with zeros.
    let same = |body: &[u8], encode: &dyn Fn(&mut Vec<u8>)| {
        let mut again = Vec::new();
        encode(&mut again);
        assert_eq!(body, again);
    };
    same(&source, &|out| sync_source::Got::decode(&source).unwrap().encode(out));
    let body = second.get(&Request::SyncDestQuery(Empty));
    same(&body, &|out| sync_source::Got::decode(&body).unwrap().encode(out));
    let ask = sync_source::AskDest { group: group("group1"), dest_id: Some(id("127.0.0.4")) };
    let body = first.get(&Request::SyncSrcRequest(ask));
    same(&body, &|out| sync_source::Got::decode(&body).unwrap().encode(out));
    let body = client.get(&Request::TrackerStatus(Empty));
    same(&body, &|out| tracker_status::Got::decode(&body).unwrap().encode(out));
    let body = client.get(&Request::TrackerClusterStat(tracker_cluster_stat::Ask::default()));
    same(&body, &|out| tracker_cluster_stat::Got::decode(&body).unwrap().encode(out));
    let body = client.get(&Request::StorageClusterStat(storage_cluster_stat::Ask::default()));
    same(&body, &|out| storage_cluster_stat::Got::decode(&body).unwrap().encode(out));
    let body = client.get(&Request::StorageVolumeStat(storage_volume_stat::Ask::default()));
    same(&body, &|out| storage_volume_stat::Got::decode(&body).unwrap().encode(out));
    let body = client.get(&Request::ListAllGroups(Empty));
    same(&body, &|out| list_groups::GotAll::decode(&body).unwrap().encode(out));
}

#[test]
fn t10_what_is_no_part_of_a_state_file_is_refused_without_a_body() {
    let server = Server::new("");
    server.peer("127.0.0.3").serve("group1");
    let mut client = server.client();
    let part = |file, offset| Request::SysFilesGet(sys_files::Ask { file, offset });
    client.get(&Request::SysFilesStart(Empty));
    // What is on disk does not matter any more.
    std::fs::rename(server.data(), server.data().with_extension("away")).unwrap();
    client.get(&part(sys_files::SysFile::Groups, 0));
    assert_eq!(client.refused(&part(sys_files::SysFile::Groups, u64::MAX >> 1)), Status::EINVAL);
    for body in [&[9; 9][..], &[0; 8], &[0; 10], &[]] {
        assert_eq!(client.ask_raw(63, body), (Status::EINVAL, Vec::new()), "{body:?}");
    }
    assert!(client.is_in_step());
}
