//! A file that is not here yet is fetched from where it was uploaded to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fdfs_fileid::{FileName, Source};
use fdfs_proto::{IpText, Status, StorageCommand as C, StorageId, StorageStatus};
use storage_core::membership::{ClusterView, Identity, OwnIps, Peer};

use super::client::{Client, TestStorage, group, number, until, view};
use super::group::{Group, append, set_metadata};
use super::peer::{FakePeer, Instead};
use crate::run::launch;

const ORIGIN: &str = "127.0.0.1";
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The storage that files are uploaded to, and another member of its group, to which nothing is replicated.
struct Pair {
    origin: TestStorage,
    other: TestStorage,
}

impl Pair {
    fn start() -> Self {
        let mut pair =
            Self { origin: TestStorage::start(""), other: TestStorage::prepare("durability=disk") };
        pair.start_other(StorageStatus::Active);
        pair
    }

    fn start_other(&mut self, origin: StorageStatus) {
        self.start_other_with(origin, self.origin.address().port());
    }

    /// The same, the origin being reached on this port.
    fn start_other_with(&mut self, origin: StorageStatus, port: u16) {
        let told = self.seen_by_other(origin, port);
        let started = launch(&self.other.conf, |_, _, _, tell, _| {
            tell.send_replace(Arc::new(told));
            Ok(())
        });
        self.other.running = Some(started.unwrap());
    }

    fn seen_by_other(&self, origin: StorageStatus, port: u16) -> ClusterView {
        let view = view();
        let me = Identity {
            id: StorageId::new(OTHER.to_string().as_bytes()).unwrap(),
            source: Source::Ip(OTHER),
            ips: OwnIps { first: IpAddr::V4(OTHER), second: None },
            ..(**view.identity.as_ref().unwrap()).clone()
        };
        let ip = IpText::new(ORIGIN.as_bytes()).unwrap();
        let peer = Peer { status: origin, ip, port };
        let peers = [(StorageId::new(ORIGIN.as_bytes()).unwrap(), peer)].into();
        ClusterView { identity: Some(Arc::new(me)), peers, ..view }
    }

    fn upload(&self, content: &[u8]) -> FileName {
        self.origin.connect().upload(content, "txt").name()
    }
}

fn download(client: &mut Client, name: &FileName) -> (Status, Vec<u8>) {
    let reply = client.download(name, 0, 0);
    (reply.status, reply.body)
}

#[test]
fn a_file_that_is_not_here_yet_is_fetched_from_where_it_was_uploaded_to() {
    let pair = Pair::start();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut client = pair.other.connect();
    for content in [&b"content"[..], b"", &large] {
        let name = pair.upload(content);
        assert!(download(&mut client, &name) == (Status::OK, content.to_vec()), "{} bytes", content.len());
    }
    let name = pair.upload(&large);
    assert_eq!(client.download(&name, 1_000_000, 10).body, &large[1_000_000..1_000_010]);
    assert_eq!(client.download(&name, 3_000_001, 1).status, Status::EINVAL);
}

#[test]
fn what_is_known_of_a_file_is_asked_where_it_was_uploaded_to() {
    let pair = Pair::start();
    let name = pair.upload(b"content");
    let body = [&group("group1")[..], name.as_str().as_bytes()].concat();
    let set = [&super::client::number(name.as_str().len())[..], &super::client::number(3), b"O", &body[..16]];
    let set = [&set.concat()[..], name.as_str().as_bytes(), b"a\x02b"];
    assert_eq!(pair.origin.connect().ask(C::SetMetadata, &set).status, Status::OK);
    for command in [C::QueryFileInfo, C::GetMetadata] {
        let here = pair.origin.connect().ask(command, &[&body]);
        let there = pair.other.connect().ask(command, &[&body]);
        assert_eq!((there.status, &there.body), (Status::OK, &here.body), "{command}");
    }
}

#[test]
fn d16_a_deletion_that_comes_before_the_file_is_done_where_it_was_uploaded_to() {
    let pair = Pair::start();
    let name = pair.upload(b"content");
    assert_eq!(pair.other.connect().of_file(C::DeleteFile, &name).status, Status::OK);
    for storage in [&pair.origin, &pair.other] {
        assert_eq!(storage.connect().download(&name, 0, 0).status, Status::ENOENT);
        assert_eq!(storage.connect().of_file(C::DeleteFile, &name).status, Status::ENOENT);
    }
}

/// The requests that change an appender: append `more` bytes, modify as many at its beginning, truncate it.
fn changes(name: &FileName, more: usize) -> [(C, Vec<u8>); 3] {
    let (text, len) = (name.as_str().as_bytes(), number(name.as_str().len()));
    let content = vec![b'n'; more];
    [
        (C::Append, [&len[..], &number(more), text, &content].concat()),
        (C::Modify, [&len[..], &number(0), &number(more), text, &content].concat()),
        (C::Truncate, [&len[..], &number(3), text].concat()),
    ]
}

#[test]
fn d11_an_appender_is_changed_where_it_was_uploaded_to_as_long_as_that_serves() {
    let mut pair = Pair::start();
    for more in [2, 200_000] {
        let name = pair.origin.connect().upload_as(C::UploadAppender, 0, b"old", "log").name();
        let at_origin = || pair.origin.connect().download(&name, 0, 0).body;
        let mut client = pair.other.connect();
        let [append, modify, truncate] = changes(&name, more);
        assert_eq!(client.ask(append.0, &[&append.1]).status, Status::OK);
        assert_eq!(at_origin(), [&b"old"[..], &vec![b'n'; more]].concat());
        assert_eq!(client.ask(modify.0, &[&modify.1]).status, Status::OK);
        assert_eq!(at_origin().len(), 3 + more);
        assert!(at_origin().starts_with(&vec![b'n'; more]));
        assert_eq!(client.ask(truncate.0, &[&truncate.1]).status, Status::OK);
        assert_eq!(at_origin().len(), 3);
        assert_eq!(pair.other.files(), Vec::<String>::new());
        // What the origin refuses is refused, and the connection goes on as it does after any refusal.
        assert_eq!(pair.origin.connect().of_file(C::DeleteFile, &name).status, Status::OK);
        for (command, body) in changes(&name, more) {
            let mut client = pair.other.connect();
            assert_eq!(client.ask(command, &[&body]).status, Status::ENOENT, "{command}");
            assert!(more > 2 || client.is_open(), "{command}");
        }
    }
    // Without it a member changes what it has, as with the original.
    let name = pair.origin.connect().upload_as(C::UploadAppender, 0, b"old", "log").name();
    pair.other.running.take().unwrap().stop().unwrap();
    pair.start_other(StorageStatus::Offline);
    let mut client = pair.other.connect();
    let text = name.as_str().as_bytes();
    let time = 1_700_000_000_u32.to_be_bytes();
    let copy = [&number(text.len())[..], &number(3), &time, &group("group1"), text, b"old"];
    assert_eq!(client.ask(C::SyncCreate, &copy).status, Status::OK);
    for (command, body) in changes(&name, 2) {
        assert_eq!(client.ask(command, &[&body]).status, Status::OK, "{command}");
    }
    assert_eq!(pair.origin.connect().download(&name, 0, 0).body, b"old");
    assert_eq!(client.download(&name, 0, 0).body, b"nnd");
}

#[test]
fn d11_an_appender_gets_its_new_name_where_it_was_uploaded_to_with_all_that_was_appended_there() {
    const ORIGIN: usize = 0;
    const OTHER: usize = 1;
    let members = Group::start("durability=disk");
    let name = members.client(ORIGIN).upload_as(C::UploadAppender, 0, b"one", "log").name();
    members.both_have(&name, b"one");
    // Nothing that is changed at the origin comes to the other one.
    members.say_to(ORIGIN, StorageStatus::Offline);
    let origin = members.members[ORIGIN].running.as_ref().unwrap().server();
    until("nothing is sent", || {
        origin.replication.all().iter().any(|(_, peer, _)| peer.lag.last_error.is_some())
    });
    let mut client = members.client(OTHER);
    assert_eq!(append(&mut client, &name, b", two"), Status::OK);
    assert_eq!(members.has(OTHER, &name).as_deref(), Some(&b"one"[..]));
    let new = client.ask(C::RegenerateName, &[name.as_str().as_bytes()]).name();
    members.say_to(ORIGIN, StorageStatus::Active);
    members.both_have(&new, b"one, two");
    members.neither_has(&name);
    // What is refused there is refused, and the connection goes on.
    assert_eq!(client.ask(C::RegenerateName, &[name.as_str().as_bytes()]).status, Status::ENOENT);
    assert!(client.is_open());
}

#[test]
fn metadata_that_was_set_at_another_member_moves_along_to_the_new_name() {
    let members = Group::start("durability=disk");
    let mut client = members.client(1);
    for _ in 0..20 {
        let name = members.client(0).upload_as(C::UploadAppender, 0, b"one", "log").name();
        members.both_have(&name, b"one");
        assert_eq!(set_metadata(&mut client, &name, b"a\x02b"), Status::OK);
        // On a busy machine the metadata may take longer to be there than the new name waits.
        let mut reply = None;
        until("the name is given", || {
            let given = client.ask(C::RegenerateName, &[name.as_str().as_bytes()]);
            reply = (given.status != Status::EAGAIN).then_some(given);
            reply.is_some()
        });
        let new = reply.unwrap().name();
        members.both_have(&new, b"one");
        members.both_have(&new.metadata_name(), b"a\x02b");
    }
}

#[test]
fn a_new_name_that_is_no_answer_to_that_is_not_passed_on() {
    let mut pair = Pair::start();
    let name = pair.origin.connect().upload_as(C::UploadAppender, 0, b"old", "log").name();
    pair.other.running.take().unwrap().stop().unwrap();
    // In the place of the origin one that answers without a name.
    let peer = FakePeer::start();
    peer.obey(|seen| (seen.command == C::RegenerateName).then_some(Instead::Refuse(Status::OK)));
    pair.start_other_with(StorageStatus::Active, peer.address.port());
    let mut client = pair.other.connect();
    client.send(C::RegenerateName, 0, &[name.as_str().as_bytes()]);
    let mut answer = [0; 10];
    assert!(std::io::Read::read_exact(&mut client.0, &mut answer).is_err(), "{answer:?}");
}

#[test]
fn a_deletion_that_is_passed_on_and_not_answered_is_not_said_to_have_found_nothing() {
    let mut pair = Pair::start();
    let name = pair.upload(b"content");
    pair.other.running.take().unwrap().stop().unwrap();
    // In the place of the origin one that takes the question and ends.
    let peer = FakePeer::start();
    peer.obey(|seen| (seen.command == C::DeleteFile).then_some(Instead::HangUp));
    pair.start_other_with(StorageStatus::Active, peer.address.port());
    let mut client = pair.other.connect();
    client.send(C::DeleteFile, 0, &[&group("group1"), name.as_str().as_bytes()]);
    let mut answer = [0; 10];
    assert!(std::io::Read::read_exact(&mut client.0, &mut answer).is_err(), "{answer:?}");
}

#[test]
fn a_member_that_asks_what_is_here_is_not_told_what_the_origin_has() {
    let pair = Pair::start();
    let name = pair.upload(b"content");
    let body = [&group("group1")[..], name.as_str().as_bytes()];
    // As members of the original ask: a missing file is nothing to notice.
    let mut client = pair.other.connect();
    client.send(C::QueryFileInfo, 3, &body);
    assert_eq!(client.receive().status, Status::ENOENT);
    // And as one that has said who it is.
    let mut member = [0; 16];
    member[..ORIGIN.len()].copy_from_slice(ORIGIN.as_bytes());
    assert_eq!(client.ask(C::ReportServerId, &[&member]).status, Status::OK);
    client.send(C::QueryFileInfo, 0, &body);
    assert_eq!(client.receive().status, Status::ENOENT);
    // Nor does it get away with saying that the file is here.
    let text = name.as_str().as_bytes();
    let time = 1_700_000_000_u32.to_be_bytes();
    let claim = [&number(text.len())[..], &number(7), &time, &group("group1"), text];
    client.send(C::SyncCreate, Status::EEXIST.0, &claim);
    assert_eq!(client.receive().status, Status::ENOENT);
}

#[test]
fn what_was_deleted_here_is_not_fetched_from_where_that_is_not_known_yet() {
    let mut pair = Pair::start();
    let name = pair.upload(b"content");
    // As a third member says.
    let time = 1_700_000_000_u32.to_be_bytes();
    let delete = [&time[..], &group("group1"), name.as_str().as_bytes()];
    assert_eq!(pair.other.connect().ask(C::SyncDelete, &delete).status, Status::ENOENT);
    assert_eq!(pair.other.connect().download(&name, 0, 0).status, Status::ENOENT);
    // Nor after a restart.
    pair.other.running.take().unwrap().stop().unwrap();
    pair.start_other(StorageStatus::Active);
    assert_eq!(pair.other.connect().download(&name, 0, 0).status, Status::ENOENT);
}

#[test]
fn without_somebody_to_ask_a_file_that_is_not_here_is_not_found() {
    let mut pair = Pair::start();
    let name = pair.upload(b"content");
    pair.other.running.take().unwrap().stop().unwrap();
    pair.start_other(StorageStatus::Offline);
    assert_eq!(pair.other.connect().download(&name, 0, 0).status, Status::ENOENT);
    pair.other.running.take().unwrap().stop().unwrap();
    pair.start_other(StorageStatus::Active);
    pair.origin.running.take().unwrap().stop().unwrap();
    assert_eq!(pair.other.connect().download(&name, 0, 0).status, Status::ENOENT);
}
