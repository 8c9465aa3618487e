//! Who is served as a member of the group.

use std::net::IpAddr;

use fdfs_fileid::FileName;
use fdfs_proto::{Status, StorageCommand as C};

use super::client::{Client, TestStorage, group, number};
use crate::tracker_link::wire;

const CONTENT: &[u8] = b"from elsewhere";

/// A connection from another address of this machine.
fn connect_from(storage: &TestStorage, from: &str) -> Client {
    let from: IpAddr = from.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async { wire::open(storage.address(), &[from]).await.unwrap().into_std() });
    let stream = stream.unwrap();
    stream.set_nonblocking(false).unwrap();
    Client(stream)
}

/// What a member of the original sends: who it is, then a file; the status of that.
fn replicate(storage: &TestStorage, name: &FileName, from: &str) -> Status {
    let mut client = connect_from(storage, from);
    let mut id = [0; 16];
    id[..9].copy_from_slice(b"10.20.0.9");
    let said = client.ask(C::ReportServerId, &[&id]).status;
    if said != Status::OK {
        return said;
    }
    let time = 1_700_000_000_u32.to_be_bytes();
    let name = name.as_str().as_bytes();
    let create = [&number(name.len())[..], &number(CONTENT.len()), &time, &group("group1"), name, CONTENT];
    client.ask(C::SyncCreate, &create).status
}

#[test]
fn a_member_that_comes_from_a_further_address_is_served_when_the_configuration_allows_it() {
    let name = TestStorage::start("").connect().upload(CONTENT, "txt").name();
    for (patterns, from, expected) in [
        ("", "127.0.0.31", Status::EINVAL),
        ("allow_peers=127.0.0.31", "127.0.0.31", Status::OK),
        ("allow_peers=127.0.0.31", "127.0.0.32", Status::EINVAL),
        ("allow_peers=10.0.0.1\nallow_peers=127.0.0.[31-33]", "127.0.0.33", Status::OK),
        ("allow_peers=127.0.0.32/29", "127.0.0.39", Status::OK),
        ("allow_peers=127.0.0.32/29", "127.0.0.31", Status::EINVAL),
    ] {
        let storage = TestStorage::start(patterns);
        assert_eq!(replicate(&storage, &name, from), expected, "{patterns} {from}");
        let list = connect_from(&storage, from).ask(C::FetchOnePathBinlog, &[&group("group2"), &[0]]);
        assert_eq!(list.status, Status::EINVAL, "of another group");
        assert_eq!(connect_from(&storage, from).ask(C::ActiveTest, &[]).status, Status::OK, "as anybody");
    }
}

#[test]
fn a_further_address_of_a_member_may_be_written_as_a_name() {
    let storage = TestStorage::start("allow_peers=localhost\nallow_peers=name.invalid");
    let name = TestStorage::start("").connect().upload(CONTENT, "txt").name();
    assert_eq!(replicate(&storage, &name, "127.0.0.1"), Status::OK);
    assert_eq!(replicate(&storage, &name, "127.0.0.31"), Status::EINVAL);
}
