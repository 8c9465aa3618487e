//! Clusters with `storage_ids.conf`: who is who, dual addresses, IPv6, and wide replies.

use crate::peer::{group, id};
use crate::server::Server;
use fdfs_proto::tracker::query_fetch::{self, Ask as Fetch};
use fdfs_proto::tracker::{
    GroupAsk, Request, group_name, join, my_ip, parameters, query_store, storage_cluster_stat, storage_ids,
    storage_lookup,
};
use fdfs_proto::{AddrWidth, Brief, Empty, Host, RawName, Status, StorageStatus};

const CONF: &str = "use_storage_id = true\nid_type_in_filename = id\nstorage_ids_filename = storage_ids.conf\n\
    reserved_storage_space = 100MB\n";

const IDS: &str = "100001 group1 127.0.0.13\n100002 group1 127.0.0.14:23001 rw=read\n\
    100003 group2 10.0.0.9,127.0.0.15\n9 group2 [fd00::9] rw=none\n";

fn server() -> Server {
    Server::with(CONF, &[("storage_ids.conf", IDS)])
}

fn lookup(name: &str, host: &str) -> storage_lookup::Ask {
    storage_lookup::Ask { group: group(name), host: host.parse::<Host>().unwrap() }
}

#[test]
fn the_table_is_handed_out_in_the_order_of_ids_as_text() {
    let server = server();
    let body =
        server.client().get(&Request::FetchStorageIds(storage_ids::Ask { start: 0, allow_empty: false }));
    let got = storage_ids::Got::decode(&body).unwrap();
    assert_eq!((got.total, got.count), (4, 4));
    let lines = std::str::from_utf8(got.lines).unwrap();
    assert_eq!(
        lines,
        "100001 group1 127.0.0.13:23000\n100002 group1 127.0.0.14:23001 rw=read\n\
         100003 group2 10.0.0.9,127.0.0.15:23000\n9 group2 [fd00::9]:23000 rw=none\n"
    );
    let mut client = server.client();
    let rest = client.get(&Request::FetchStorageIds(storage_ids::Ask { start: 3, allow_empty: false }));
    assert_eq!(storage_ids::Got::decode(&rest).unwrap().count, 1);
    let beyond = Request::FetchStorageIds(storage_ids::Ask { start: 4, allow_empty: false });
    assert_eq!(client.refused(&beyond), Status::EINVAL);
}

#[test]
fn a_table_of_sixteen_thousand_lines_comes_in_pages() {
    let mut ids = String::new();
    for group in 0..512u32 {
        for member in 0..32u32 {
            let number = group * 32 + member + 1;
            ids.push_str(&format!("{number} g{group} 10.{}.{}.7\n", number >> 8, number & 255));
        }
    }
    let server = Server::with(CONF, &[("storage_ids.conf", &ids)]);
    let mut client = server.client();
    let (mut start, mut pages) = (0, 0);
    loop {
        let body = client.get(&Request::FetchStorageIds(storage_ids::Ask { start, allow_empty: false }));
        let got = storage_ids::Got::decode(&body).unwrap();
        assert_eq!(got.total, 16_384);
        start += got.count;
        pages += 1;
        if start == got.total {
            break;
        }
    }
    assert!(pages <= 32, "clients give up after some thirty pages, this took {pages}");
}

#[test]
fn without_ids_the_table_is_empty_or_off() {
    let server = Server::new("");
    let mut client = server.client();
    let ask = |allow_empty| Request::FetchStorageIds(storage_ids::Ask { start: 0, allow_empty });
    assert_eq!(client.get(&ask(true)), [0; 8]);
    assert_eq!(client.refused(&ask(false)), Status::EOPNOTSUPP);
    let ask = Request::GetGroupName(group_name::Ask { ip_text: b"", port: 23000 });
    assert_eq!(client.refused(&ask), Status::EOPNOTSUPP);
    assert_eq!(client.get(&Request::GetServerId(lookup("group1", "10.0.0.1:23000"))), b"10.0.0.1");
}

#[test]
fn a_storage_is_told_its_own_addresses() {
    let server = server();
    let ask = |from: &str, name: &str, port: u16| {
        let asked = my_ip::Ask { group: group(name).group().unwrap(), port };
        String::from_utf8(server.peer(from).get(&Request::GetMyIp(asked))).unwrap()
    };
    assert_eq!(ask("127.0.0.15", "group2", 23000), "10.0.0.9,127.0.0.15");
    assert_eq!(ask("127.0.0.13", "group1", 23000), "127.0.0.13");
    assert_eq!(ask("127.0.0.15", "group1", 23000), "127.0.0.15", "not in that group: just the address");
    assert_eq!(ask("127.0.0.99", "group1", 23000), "127.0.0.99");
}

#[test]
fn ids_and_groups_are_found_by_address_and_port() {
    let server = server();
    let mut client = server.client();
    assert_eq!(client.get(&Request::GetServerId(lookup("group1", "127.0.0.14:23001"))), b"100002");
    assert_eq!(client.get(&Request::GetServerId(lookup("group2", "127.0.0.15:23000"))), b"100003");
    assert_eq!(client.get(&Request::GetServerId(lookup("group2", "[fd00::9]:23000"))), b"9");
    assert_eq!(client.refused(&Request::GetServerId(lookup("group1", "127.0.0.14:23000"))), Status::ENOENT);
    let mut without_port = b"group1\0\0\0\0\0\0\0\0\0\0".to_vec();
    without_port.extend_from_slice(b"127.0.0.13");
    assert_eq!(client.ask_raw(70, &without_port).0, Status::EINVAL);

    let name = |from: &str, ip_text: &[u8], port: u16| {
        server.peer(from).ask(&Request::GetGroupName(group_name::Ask { ip_text, port }))
    };
    let found = |name: &[u8]| (Status::OK, [name, &[0; 10][..]].concat());
    assert_eq!(name("127.0.0.13", b"", 23000), found(b"group1"));
    assert_eq!(name("127.0.0.99", b"10.0.0.9", 23000), found(b"group2"));
    assert_eq!(name("127.0.0.99", b"", 23000).0, Status::ENOENT);
    assert_eq!(name("127.0.0.99", b"10.0.0.9", 1).0, Status::ENOENT);
    assert_eq!(name("127.0.0.99", &[b'1'; 46], 23000).0, Status::ENAMETOOLONG);
}

#[test]
fn storages_join_under_their_ids_and_are_shown_with_their_modes() {
    let server = server();
    let mut first = server.peer("127.0.0.13");
    first.serve("group1");
    let mut second = server.peer("127.0.0.77");
    let mut ask = second.first_join("group1", 23001);
    ask.joiner.storage_id = Some(id("100002"));
    second.get(&Request::Join(ask));
    let mut client = server.client();
    let list = client.list("group1");
    assert_eq!(list.iter().map(|stat| stat.who.id).collect::<Vec<_>>(), [id("100001"), id("100002")]);
    assert_eq!(list[1].who.rw_mode.code(), 4);
    assert_eq!(list[1].ip.to_string(), "127.0.0.14", "the table knows where it is");
    let stranger = server.peer("127.0.0.78").first_join("group1", 23000);
    assert_eq!(server.peer("127.0.0.78").refused(&Request::Join(stranger)), Status::ENOENT);

    let body = client.get(&Request::StorageClusterStat(storage_cluster_stat::Ask::default()));
    let got = storage_cluster_stat::Got::decode(&body).unwrap();
    assert!(got.use_storage_id);
    assert_eq!(got.storages[1].host.to_string(), "127.0.0.14:23001");
    let body = client.get(&Request::GetStorageStatus(lookup("group1", "127.0.0.13:23000")));
    let brief = Brief::decode(&body).unwrap();
    assert_eq!((brief.status, brief.id), (StorageStatus::Active, Some(id("100001"))));
    assert_eq!(
        client.refused(&Request::GetStorageStatus(lookup("group2", "10.0.0.9:23000"))),
        Status::ENOENT
    );
}

#[test]
fn an_ipv6_address_in_the_table_makes_replies_wide() {
    let server = server();
    let mut storage = server.peer("127.0.0.13");
    storage.serve("group1");
    let mut client = server.client();
    let got = client.get(&Request::QueryStoreOne(Empty));
    assert_eq!(got.len(), 70);
    assert_eq!(query_store::Got::decode(&got).unwrap().server.ip.to_string(), "127.0.0.13");
    let all = client.get(&Request::QueryStoreGroupAll(GroupAsk { group: group("group1") }));
    assert_eq!(all.len(), 17 + 53);
    let name = RawName::new(b"M00/00/1B/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log");
    let fetch = Fetch { group: group("group1"), name };
    assert_eq!(client.get(&Request::QueryFetchOne(fetch)).len(), 69);
    assert_eq!(client.get(&Request::QueryUpdate(fetch)).len(), 69);
    let all = client.get(&Request::QueryFetchAll(fetch));
    assert_eq!(all.len(), 16 + 53);
    assert_eq!(query_fetch::GotAll::decode(&all).unwrap().servers[0].port, 23000);
    let list =
        Request::ListStorages(fdfs_proto::tracker::list_storages::Ask { group: group("group1"), id: None });
    assert_eq!(client.get(&list).len(), 517);
    let parameters = parameters::Parameters::decode(&client.get(&Request::GetParameters(Empty))).unwrap();
    assert_eq!(parameters.response_ip_addr_size, AddrWidth::V6);
}

#[test]
fn without_ids_replies_are_narrow_unless_they_are_told_to_be_wide() {
    for (conf, one, all, list) in
        [("", 40, 17 + 23, 487), ("response_ip_addr_size = IPv6\n", 70, 17 + 53, 517)]
    {
        let server = Server::new(&format!("{conf}reserved_storage_space = 100MB\n"));
        let mut client = server.client();
        let mut storage = server.peer("127.0.0.3");
        storage.serve("group1");
        assert_eq!(client.get(&Request::QueryStoreOne(Empty)).len(), one);
        assert_eq!(client.get(&Request::QueryStoreAll(Empty)).len(), all);
        let ask = fdfs_proto::tracker::list_storages::Ask { group: group("group1"), id: None };
        assert_eq!(client.get(&Request::ListStorages(ask)).len(), list);
    }
}

#[test]
fn a_client_is_given_the_address_of_its_own_kind() {
    let server = server();
    let mut storage = server.peer("127.0.0.15");
    storage.serve("group2");
    let got = server.client().get(&Request::QueryStoreOne(Empty));
    // 127.0.0.15 counts as an outer address, and so does the client's.
    assert_eq!(query_store::Got::decode(&got).unwrap().server.ip.to_string(), "127.0.0.15");
}

#[test]
fn a_tracker_on_ipv6_serves_ipv6() {
    let server = Server::at(
        "::1",
        "use_storage_id = true\nid_type_in_filename = id\nstorage_ids_filename = i\nreserved_storage_space = 100MB\n",
        &[("i", "1 group1 [::1]\n")],
    );
    let mut storage = server.peer("::1");
    storage.serve("group1");
    let mut client = server.peer("::1");
    let got = query_store::Got::decode(&client.get(&Request::QueryStoreOne(Empty))).unwrap();
    assert_eq!((got.server.ip.to_string().as_str(), got.server.port), ("::1", 23000));
    let leader = client.get(&Request::GetLeader(Empty));
    assert_eq!(String::from_utf8(leader).unwrap(), server.address.to_string());
    let asked = my_ip::Ask { group: group("group1").group().unwrap(), port: 23000 };
    assert_eq!(client.get(&Request::GetMyIp(asked)), b"::1");
}

#[test]
fn a_storage_that_joins_is_told_its_status() {
    let server = server();
    let got: join::Got = server.peer("127.0.0.13").join("group1");
    assert_eq!(got, join::Got { status: StorageStatus::Init, src_id: None });
}

#[test]
fn the_names_in_the_table_are_looked_up() {
    let server = Server::with(CONF, &[("storage_ids.conf", "1 group1 localhost\n")]);
    let mut storage = server.peer("127.0.0.1");
    storage.serve("group1");
    assert_eq!(server.client().list("group1")[0].who.id, id("1"));
}

#[test]
fn a_name_without_address_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("storage_ids.conf", "1 group1 no-such-host.invalid\n")];
    let conf = crate::server::conf(folder.path(), "127.0.0.2", CONF, &files);
    let error = match Server::in_folder(folder, conf) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it started"),
    };
    assert!(error.contains("storage_ids.conf") && error.contains("no-such-host.invalid"), "{error}");
}
