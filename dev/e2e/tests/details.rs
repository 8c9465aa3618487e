//! Details seen on the original that clients lean on, byte by byte over sockets.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};

use e2e::wire::{Answer, Wire, field, request};
use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use testkit::address::Loopback;
use testkit::cluster::{Cluster, Plan};
use testkit::conf::Conf;
use testkit::process::Server;
use testkit::{binary, logs, probe, wait};

// What a tracker understands.
const JOIN: u8 = 81;
const BEAT: u8 = 83;
const REPORT_DISK_USAGE: u8 = 84;
const LIST_ONE_GROUP: u8 = 90;
const LIST_STORAGES: u8 = 92;
const DELETE_STORAGE: u8 = 93;
const FETCH_STORAGE_IDS: u8 = 69;
const STORE_ONE: u8 = 101;
const FETCH_ONE: u8 = 102;
const UPDATE: u8 = 103;
const FETCH_ALL: u8 = 105;
const STORE_ALL: u8 = 106;
// What a storage understands.
const UPLOAD: u8 = 11;
const DELETE: u8 = 12;
const DOWNLOAD: u8 = 14;
const GET_METADATA: u8 = 15;
const UPLOAD_SLAVE: u8 = 21;
const FILE_INFO: u8 = 22;
const UPLOAD_APPENDER: u8 = 23;
const APPEND: u8 = 24;
const TRUNCATE: u8 = 36;
/// What nobody understands.
const UNKNOWN: u8 = 200;

const OK: u8 = 0;
const ENOENT: u8 = 2;
const EEXIST: u8 = 17;
const EINVAL: u8 = 22;
const EOPNOTSUPP: u8 = 95;

const HELLO: &[u8] = b"hello fastdfs\n";
/// A name of 2025 that nobody has here.
const STRANGER: &str = "M00/00/00/fwAAA2hjJQCAAAAAAAAADg4Qul0000.txt";
const STRANGE_APPENDER: &str = "M00/00/00/fwAAA2hjJQCEAAAAAAAAAA4Qul0000.txt";

fn int8(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Group and name, as most commands have them at their end.
fn named(group: &str, name: &str) -> Vec<u8> {
    [&field(group, 16), name.as_bytes()].concat()
}

fn download(name: &str, offset: u64, length: u64) -> Vec<u8> {
    [&int8(offset)[..], &int8(length), &named("group1", name)].concat()
}

fn slave(master: &str, content: &[u8]) -> Vec<u8> {
    let head = [int8(master.len() as u64), int8(content.len() as u64)].concat();
    [&head, &field("_small", 16), &field("txt", 6), master.as_bytes(), content].concat()
}

fn appended(name: &str, content: &[u8]) -> Vec<u8> {
    [&int8(name.len() as u64)[..], &int8(content.len() as u64), name.as_bytes(), content].concat()
}

fn truncated(name: &str, size: u64) -> Vec<u8> {
    [&int8(name.len() as u64)[..], &int8(size), name.as_bytes()].concat()
}

/// Stores content; the name without the group.
fn upload(storage: SocketAddr, command: u8, content: &[u8]) -> String {
    let body = [&[0xFF][..], &int8(content.len() as u64), &field("txt", 6), content].concat();
    let answer = Wire::connect(storage).unwrap().ask(command, &body).unwrap();
    assert_eq!((answer.status, &answer.body[..16]), (OK, &field("group1", 16)[..]));
    String::from_utf8(answer.body[16..].to_vec()).unwrap()
}

/// The whole content of a file.
fn content(storage: SocketAddr, name: &str) -> Answer {
    Wire::connect(storage).unwrap().ask(DOWNLOAD, &download(name, 0, 0)).unwrap()
}

fn refusal(status: u8) -> Answer {
    Answer { status, body: Vec::new() }
}

fn storage_of(cluster: &Cluster) -> SocketAddr {
    cluster.storages[0].address()
}

#[test]
fn a_storage_closes_the_connection_after_22() {
    let cluster = Cluster::start().unwrap();
    let storage = storage_of(&cluster);
    let name = upload(storage, UPLOAD, HELLO);
    let too_long = [&[0xFF][..], &int8(15), &field("txt", 6), HELLO].concat();
    for (what, command, body) in [
        ("an unknown command", UNKNOWN, vec![]),
        ("another group", DELETE, named("group2", &name)),
        ("no file name", DELETE, named("group1", "M00/00/00")),
        ("a download from the end on", DOWNLOAD, download(&name, 14, 0)),
        ("a size that is not that of the rest", UPLOAD, too_long),
        ("a file that is no appender", TRUNCATE, truncated(&name, 1)),
        ("content for a file that is no appender", APPEND, appended(&name, HELLO)),
    ] {
        let mut wire = Wire::connect(storage).unwrap();
        assert_eq!(wire.ask(command, &body).unwrap(), refusal(EINVAL), "{what}");
        assert!(wire.is_closed(), "{what}");
    }
    assert_eq!(content(storage, &name).body, HELLO);
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn a_storage_keeps_the_connection_after_0_and_2_and_17() {
    let cluster = Cluster::start().unwrap();
    let storage = storage_of(&cluster);
    let name = upload(storage, UPLOAD, HELLO);
    // More than any buffer on the way: what a refused upload still sends must not be read as a request.
    let much = vec![b'x'; 900_000];
    let mut wire = Wire::connect(storage).unwrap();
    for (what, command, body, status) in [
        ("a missing file", DELETE, named("group1", STRANGER), ENOENT),
        ("a missing file", DOWNLOAD, download(STRANGER, 0, 0), ENOENT),
        ("no metadata", GET_METADATA, named("group1", &name), ENOENT),
        ("a missing file", FILE_INFO, named("group1", STRANGER), ENOENT),
        ("a missing master", UPLOAD_SLAVE, slave(STRANGER, HELLO), ENOENT),
        ("a missing master, with much content", UPLOAD_SLAVE, slave(STRANGER, &much), ENOENT),
        ("a missing appender, with much content", APPEND, appended(STRANGE_APPENDER, &much), ENOENT),
        ("a slave", UPLOAD_SLAVE, slave(&name, HELLO), OK),
        ("the same slave", UPLOAD_SLAVE, slave(&name, HELLO), EEXIST),
        ("the same slave, with much content", UPLOAD_SLAVE, slave(&name, &much), EEXIST),
        ("a deletion", DELETE, named("group1", &name), OK),
    ] {
        assert_eq!(wire.ask(command, &body).unwrap().status, status, "{what}");
        assert!(wire.is_in_step(), "{what}");
    }
    // Nobody waits for so much that is not wanted: answered, then closed.
    let mut wire = Wire::connect(storage).unwrap();
    let answer = wire.ask(UPLOAD_SLAVE, &slave(STRANGER, &vec![b'x'; 8_000_000])).unwrap();
    assert_eq!(answer, refusal(ENOENT));
    assert!(wire.is_closed());
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn a_tracker_keeps_the_connection_whatever_it_answers() {
    let cluster = Cluster::start().unwrap();
    let mut wire = Wire::connect(cluster.tracker()).unwrap();
    for (what, command, body, status) in [
        ("an unknown command", UNKNOWN, vec![], EINVAL),
        ("an unknown command with a body", UNKNOWN, vec![7; 1000], EINVAL),
        ("a group field too short", LIST_ONE_GROUP, vec![b'g'; 3], EINVAL),
        ("an unknown group", LIST_ONE_GROUP, field("group9", 16), ENOENT),
        ("an unknown storage", LIST_STORAGES, named("group1", "10.0.0.1"), ENOENT),
        ("an unknown storage", DELETE_STORAGE, named("group1", "10.0.0.1"), ENOENT),
        ("a name too short", FETCH_ONE, named("group1", "M00/00/00"), EINVAL),
        ("a file of an unknown group", FETCH_ONE, named("group9", STRANGER), ENOENT),
        ("storage ids that are not used", FETCH_STORAGE_IDS, vec![0; 5], EOPNOTSUPP),
        ("a place for an upload", STORE_ONE, vec![], OK),
    ] {
        assert_eq!(wire.ask(command, &body).unwrap().status, status, "{what}");
        assert!(wire.is_in_step(), "{what}");
    }
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn the_crc_of_file_info_is_sign_extended_to_64_bits() {
    let cluster = Cluster::start().unwrap();
    let storage = storage_of(&cluster);
    for (text, crc) in [("a", 0xFFFF_FFFF_E8B7_BE43_u64), ("hello fastdfs\n", 0x0E10_BA5D)] {
        for command in [UPLOAD, UPLOAD_APPENDER] {
            let name = upload(storage, command, text.as_bytes());
            let info = Wire::connect(storage).unwrap().ask(FILE_INFO, &named("group1", &name)).unwrap().body;
            assert_eq!((info.len(), &info[..8]), (40, &int8(text.len() as u64)[..]), "{name}");
            assert_eq!(info[16..24], int8(crc), "{name}");
        }
        // An appender's is computed from its content, unless the request says not to.
        let name = upload(storage, UPLOAD_APPENDER, text.as_bytes());
        let mut wire = Wire::connect(storage).unwrap();
        let info = wire.ask_with(FILE_INFO, 1, &named("group1", &name)).unwrap().body;
        assert_eq!(info[16..24], int8(0), "{name}");
    }
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn truncating_beyond_the_size_grows_the_file_by_zeros() {
    let cluster = Cluster::start().unwrap();
    let storage = storage_of(&cluster);
    let name = upload(storage, UPLOAD_APPENDER, b"hello");
    let mut wire = Wire::connect(storage).unwrap();
    for (size, expected) in [(8, &b"hello\0\0\0"[..]), (8, b"hello\0\0\0"), (3, b"hel"), (5, b"hel\0\0")] {
        assert_eq!(wire.ask(TRUNCATE, &truncated(&name, size)).unwrap(), refusal(OK), "to {size}");
        assert_eq!(content(storage, &name).body, expected);
    }
    cluster.check_logs(&[]).unwrap();
}

/// A storage that only the tracker sees: it joins as one that has all its files, and reports space.
fn joined(own: IpAddr, tracker: SocketAddr) -> Wire {
    let mut wire = Wire::connect_from(own, tracker).unwrap();
    let numbers = [23000, 1, 256, 10, 1_700_000_000, 1_700_000_000].map(int8).concat();
    let line = format!("{tracker}\n");
    let join = [
        &field("group1", 17)[..],
        &numbers,
        &field("6.16.1", 8),
        // Not in its first handshake; status ONLINE.
        &[0, 6],
        &field("", 16),
        &field(&tracker.ip().to_string(), 46),
        &int8(1),
        line.as_bytes(),
    ]
    .concat();
    assert_eq!(wire.ask(JOIN, &join).unwrap().status, OK);
    assert_eq!(wire.ask(BEAT, &[]).unwrap().status, OK);
    assert_eq!(wire.ask(REPORT_DISK_USAGE, &[int8(1000), int8(500)].concat()).unwrap().status, OK);
    wire
}

#[test]
fn fetch_all_repeats_address_and_port_for_each_further_server() {
    let cluster = Plan::new().groups(&[]).prepare();
    let mut cluster = cluster.unwrap();
    let binary = cluster.binary().to_path_buf();
    cluster.trackers[0].start(&binary).unwrap();
    let tracker = cluster.tracker();
    wait::until("the tracker", wait::READY, || probe::answers(tracker).then_some(())).unwrap();
    let places: Vec<Loopback> = (0..3).map(|_| Loopback::claim().unwrap()).collect();
    let mut addresses: Vec<String> = places.iter().map(|place| place.ip().to_string()).collect();
    addresses.sort();
    let _storages: Vec<Wire> = places.iter().map(|place| joined(place.ip().into(), tracker)).collect();
    // Of a day long past, so that every storage has it by now.
    let stamp = Stamp {
        source: Source::Ip(places[0].ip()),
        timestamp: 1_700_000_000,
        size: SizeWord::normal(14, 1),
        crc32: 0x0E10_BA5D,
    };
    let name = build_name(StorePathIndex(0), (0, 0), &stamp, &ExtName::parse(b"txt").unwrap(), 1);
    let mut wire = Wire::connect(tracker).unwrap();
    for (command, tail) in [(FETCH_ALL, 0), (STORE_ALL, 1)] {
        let body = if command == FETCH_ALL { named("group1", name.as_str()) } else { vec![] };
        let answer = wire.ask(command, &body).unwrap();
        assert_eq!((answer.status, answer.body.len()), (OK, 16 + 3 * 23 + tail), "{command}");
        assert_eq!(answer.body[..16], field("group1", 16));
        let servers: Vec<&[u8]> = answer.body[16..16 + 3 * 23].chunks(23).collect();
        let listed: Vec<&[u8]> = servers.iter().map(|server| &server[..15]).collect();
        let mut listed: Vec<String> = listed.iter().map(|text| text_of(text)).collect();
        listed.sort();
        assert_eq!(listed, addresses);
        assert!(servers.iter().all(|server| server[15..] == int8(23000)));
    }
    cluster.check_logs(&[]).unwrap();
}

/// The text in a field that may be filled up with NULs.
fn text_of(field: &[u8]) -> String {
    String::from_utf8(field.to_vec()).unwrap().trim_end_matches('\0').to_owned()
}

#[test]
fn every_reply_with_an_address_has_the_width_that_the_tracker_is_told() {
    for (value, text_len) in [("auto", 15), ("IPv6", 45)] {
        let cluster = Plan::new().tracker_key("response_ip_addr_size", value).start().unwrap();
        let storage = storage_of(&cluster);
        let name = upload(storage, UPLOAD, HELLO);
        let ip = storage.ip().to_string();
        let mut tracker = Wire::connect(cluster.tracker()).unwrap();
        for (command, body, tail) in [
            (STORE_ONE, vec![], 9),
            (STORE_ALL, vec![], 9),
            (FETCH_ONE, named("group1", &name), 8),
            (UPDATE, named("group1", &name), 8),
            (FETCH_ALL, named("group1", &name), 8),
        ] {
            let answer = tracker.ask(command, &body).unwrap();
            assert_eq!((answer.status, answer.body.len()), (OK, 16 + text_len + tail), "{value} {command}");
            assert_eq!(text_of(&answer.body[16..16 + text_len]), ip, "{value} {command}");
            assert_eq!(answer.body[16 + text_len..][..8], int8(23000), "{value} {command}");
        }
        let listed = tracker.ask(LIST_STORAGES, &field("group1", 16)).unwrap();
        assert_eq!((listed.status, listed.body.len()), (OK, 471 + text_len + 1), "{value}");
        // The storage hears of it from the tracker.
        let info = Wire::connect(storage).unwrap().ask(FILE_INFO, &named("group1", &name)).unwrap();
        assert_eq!((info.status, info.body.len()), (OK, 24 + text_len + 1), "{value}");
        assert_eq!(text_of(&info.body[24..]), ip);
        cluster.check_logs(&[]).unwrap();
    }
}

/// A cluster whose tracker has a table with its one storage as 100001.
fn with_ids(type_in_filename: &str) -> Cluster {
    let plan = Plan::new()
        .tracker_key("use_storage_id", true)
        .tracker_key("storage_ids_filename", "storage_ids.conf")
        .tracker_key("id_type_in_filename", type_in_filename);
    let mut cluster = plan.prepare().unwrap();
    let line = format!("100001 group1 {}\n", storage_of(&cluster).ip());
    std::fs::write(cluster.folder().join("storage_ids.conf"), line).unwrap();
    cluster.start_all().unwrap();
    cluster
}

fn source(name: &str) -> Source {
    FileName::parse(name.as_bytes()).unwrap().stamp().unwrap().source
}

#[test]
fn with_storage_ids_names_hold_the_id_and_still_lead_to_the_address() {
    let mut cluster = with_ids("id");
    let storage = storage_of(&cluster);
    let ip = storage.ip().to_string();
    let name = upload(storage, UPLOAD, HELLO);
    assert_eq!(source(&name), Source::Id(100_001));
    let mut tracker = Wire::connect(cluster.tracker()).unwrap();
    for command in [FETCH_ONE, UPDATE, FETCH_ALL] {
        let answer = tracker.ask(command, &named("group1", &name)).unwrap();
        assert_eq!((answer.body.len(), text_of(&answer.body[16..31])), (39, ip.clone()), "{command}");
    }
    let listed = tracker.ask(LIST_STORAGES, &named("group1", "100001")).unwrap().body;
    assert_eq!((listed.len(), text_of(&listed[2..18])), (487, "100001".to_owned()));
    let info = Wire::connect(storage).unwrap().ask(FILE_INFO, &named("group1", &name)).unwrap();
    assert_eq!(text_of(&info.body[24..]), ip);
    // It is known under its id when all comes back.
    cluster.stop().unwrap();
    cluster.start_all().unwrap();
    let found = Wire::connect(cluster.tracker()).unwrap().ask(FETCH_ONE, &named("group1", &name)).unwrap();
    assert_eq!(text_of(&found.body[16..31]), ip);
    assert_eq!(content(storage, &name).body, HELLO);
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn with_storage_ids_names_may_go_on_holding_the_address() {
    let cluster = with_ids("ip");
    let storage = storage_of(&cluster);
    let name = upload(storage, UPLOAD, HELLO);
    assert_eq!(
        IpAddr::from(match source(&name) {
            Source::Ip(ip) => ip,
            other => panic!("{other:?}"),
        }),
        storage.ip()
    );
    let mut tracker = Wire::connect(cluster.tracker()).unwrap();
    let listed = tracker.ask(LIST_STORAGES, &field("group1", 16)).unwrap().body;
    assert_eq!(text_of(&listed[2..18]), "100001");
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn over_ipv6_everything_is_as_over_ipv4_but_wide() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // All of ::1 is one address, so these take ports that are free.
    let listeners = [0, 0].map(|port| TcpListener::bind((Ipv6Addr::LOCALHOST, port)).unwrap());
    let [tracker, storage] = listeners.map(|listener| listener.local_addr().unwrap());
    std::fs::write(here.join("storage_ids.conf"), format!("7 group1 [::1]:{}\n", storage.port())).unwrap();
    Conf::new()
        .set("bind_addr", "::1")
        .set("port", tracker.port())
        .set("base_path", here.join("tracker").display())
        .set("reserved_storage_space", "1MB")
        .set("use_storage_id", true)
        .set("storage_ids_filename", "storage_ids.conf")
        .set("id_type_in_filename", "id")
        .write(&here.join("tracker.conf"))
        .unwrap();
    Conf::new()
        .set("group_name", "group1")
        .set("bind_addr", "::1")
        .set("port", storage.port())
        .set("base_path", here.join("storage").display())
        .set("store_path_count", 1)
        .set("subdir_count_per_path", 4)
        .set("tracker_server", tracker)
        .write(&here.join("storage.conf"))
        .unwrap();
    let start = |role: &str| {
        let conf = here.join(format!("{role}.conf"));
        let arguments = [role.as_ref(), conf.as_os_str(), "--no-daemon".as_ref()];
        Server::start(role, binary::cairn().unwrap(), arguments, &here.join(format!("{role}.log"))).unwrap()
    };
    let mut servers = [start("tracker"), start("storage")];
    wait::until("a storage to offer", wait::READY, || {
        assert!(servers.iter_mut().all(Server::is_running), "{}{}", servers[0].output(), servers[1].output());
        probe::offers_storage(tracker).then_some(())
    })
    .unwrap();

    let mut wire = Wire::connect(tracker).unwrap();
    let place = wire.ask(STORE_ONE, &[]).unwrap().body;
    assert_eq!((place.len(), text_of(&place[16..61])), (70, "::1".to_owned()));
    assert_eq!(place[61..69], int8(storage.port().into()));
    let name = upload(storage, UPLOAD, HELLO);
    assert_eq!(source(&name), Source::Id(7));
    let found = wire.ask(FETCH_ONE, &named("group1", &name)).unwrap().body;
    assert_eq!((found.len(), text_of(&found[16..61])), (69, "::1".to_owned()));
    assert_eq!(content(storage, &name).body, HELLO);
    let info = Wire::connect(storage).unwrap().ask(FILE_INFO, &named("group1", &name)).unwrap().body;
    assert_eq!((info.len(), text_of(&info[24..])), (70, "::1".to_owned()));

    let [tracker, storage] = &mut servers;
    assert!(storage.terminate().unwrap().success());
    assert!(tracker.terminate().unwrap().success());
    logs::check_folder(here, &[]).unwrap();
}

#[test]
fn a_request_may_arrive_in_pieces_and_several_may_arrive_at_once() {
    let cluster = Cluster::start().unwrap();
    let storage = storage_of(&cluster);
    let name = upload(storage, UPLOAD, HELLO);
    let body = download(&name, 0, 0);
    let bytes = request(DOWNLOAD, 0, body.len() as u64, &body);
    let mut wire = Wire::connect(storage).unwrap();
    for piece in bytes.chunks(1) {
        wire.send(piece).unwrap();
    }
    assert_eq!(wire.answer().unwrap().body, HELLO);
    wire.send(&bytes.repeat(3)).unwrap();
    for _ in 0..3 {
        assert_eq!(wire.answer().unwrap().body, HELLO);
    }
    cluster.check_logs(&[]).unwrap();
}
