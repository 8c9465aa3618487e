//! Two members of a group of ours, each pushing to the other.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fdfs_fileid::{FileName, Source};
use fdfs_proto::{IpText, Status, StorageCommand as C, StorageId, StorageStatus};
use net::Stop;
use storage_core::membership::{ClusterView, Identity, OwnIps, Peer};
use tokio::sync::watch;

use super::client::{Client, TestStorage, group, number, until, view};
use super::peer::FakeTracker;
use crate::run::launch;
use crate::server::Server;

/// As names and trackers have them; both listen on 127.0.0.1.
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];

pub(super) struct Group {
    pub(super) members: [TestStorage; 2],
    tell: [watch::Sender<Arc<ClusterView>>; 2],
    _tracker: FakeTracker,
}

fn id(member: usize) -> StorageId {
    StorageId::new(ADDRESSES[member].to_string().as_bytes()).unwrap()
}

impl Group {
    /// Both serve, with these lines of configuration.
    pub(super) fn start(more: &str) -> Self {
        let tracker = FakeTracker::start(None);
        let lines = format!("tracker_server={}\n{more}", tracker.address);
        let members = [TestStorage::prepare(&lines), TestStorage::prepare(&lines)];
        let mut this =
            Self { members, tell: [watch::Sender::default(), watch::Sender::default()], _tracker: tracker };
        this.run(0);
        this.run(1);
        this.say(StorageStatus::Active);
        this
    }

    pub(super) fn run(&mut self, member: usize) {
        self.run_with(member, |_, _| {});
    }

    /// The same, which does this with the server before it serves.
    pub(super) fn run_with(&mut self, member: usize, start: impl FnOnce(&Arc<Server>, Stop)) {
        let mut outside = None;
        let running = launch(&self.members[member].conf, |_, _, server, tell, stop| {
            start(server, stop);
            outside = Some(tell);
            Ok(())
        });
        self.members[member].running = Some(running.unwrap());
        self.tell[member] = outside.unwrap();
    }

    pub(super) fn stop(&mut self, member: usize) {
        self.members[member].running.take().unwrap().stop().unwrap();
    }

    /// What each member is told of the other one.
    pub(super) fn say(&self, status: StorageStatus) {
        (0..2).for_each(|member| self.say_to(member, status));
    }

    /// What one member, which serves, is told of the other one.
    pub(super) fn say_to(&self, member: usize, status: StorageStatus) {
        let mut view = Self::joined(member);
        view.is_listed = true;
        // Where it is really reached.
        let ip = IpText::new(b"127.0.0.1").unwrap();
        let other = 1 - member;
        let port = self.members[other].running.as_ref().map_or(9, |running| running.addresses()[0].port());
        view.peers.insert(id(other), Peer { status, ip, port });
        self.tell[member].send_replace(Arc::new(view));
    }

    /// One member is told that it serves, and not yet who else there is.
    pub(super) fn say_joined(&self, member: usize) {
        self.tell[member].send_replace(Arc::new(Self::joined(member)));
    }

    fn joined(member: usize) -> ClusterView {
        let (me, mut view) = (ADDRESSES[member], view());
        let identity = Identity {
            id: id(member),
            source: Source::Ip(me),
            ips: OwnIps { first: IpAddr::V4(me), second: None },
            ..(**view.identity.as_ref().unwrap()).clone()
        };
        view.identity = Some(Arc::new(identity));
        view.my_status = Some(StorageStatus::Active);
        view
    }

    pub(super) fn client(&self, member: usize) -> Client {
        self.members[member].connect()
    }

    /// What a member has itself; nothing that it would ask the other one for.
    pub(super) fn has(&self, member: usize, name: &FileName) -> Option<Vec<u8>> {
        let server = self.members[member].running.as_ref().unwrap().server();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let file = server.store.open_file(name).await.ok()?;
            Some(file.read(0, usize::try_from(file.len).unwrap()).await.unwrap())
        })
    }

    #[track_caller]
    pub(super) fn both_have(&self, name: &FileName, content: &[u8]) {
        for member in [0, 1] {
            until(&format!("{name} on member {member}"), || {
                self.has(member, name).as_deref() == Some(content)
            });
        }
    }

    #[track_caller]
    pub(super) fn neither_has(&self, name: &FileName) {
        for member in [0, 1] {
            until(&format!("{name} is gone on member {member}"), || self.has(member, name).is_none());
        }
    }

    pub(super) fn log(&self, member: usize) -> String {
        self.members[member].running.as_ref().unwrap().server().store.binlog().flush().unwrap();
        let log = self.members[member].dir.path().join("base/data/sync/binlog.000");
        std::fs::read_to_string(log).unwrap()
    }
}

pub(super) fn append(client: &mut Client, name: &FileName, content: &[u8]) -> Status {
    let name = name.as_str().as_bytes();
    client.ask(C::Append, &[&number(name.len()), &number(content.len()), name, content]).status
}

pub(super) fn modify(client: &mut Client, name: &FileName, at: usize, content: &[u8]) -> Status {
    let name = name.as_str().as_bytes();
    client.ask(C::Modify, &[&number(name.len()), &number(at), &number(content.len()), name, content]).status
}

pub(super) fn truncate(client: &mut Client, name: &FileName, size: usize) -> Status {
    let name = name.as_str().as_bytes();
    client.ask(C::Truncate, &[&number(name.len()), &number(size), name]).status
}

pub(super) fn set_metadata(client: &mut Client, name: &FileName, meta: &[u8]) -> Status {
    let name = name.as_str().as_bytes();
    client
        .ask(C::SetMetadata, &[&number(name.len()), &number(meta.len()), b"O", &group("group1"), name, meta])
        .status
}

pub(super) fn large() -> Vec<u8> {
    (0..1_500_000_u32).map(|n| (n % 251) as u8).collect()
}

#[test]
fn every_kind_of_change_of_either_member_reaches_the_other() {
    for more in ["durability=disk", "durability=disk\npack_max_size=0", "durability=copies:2"] {
        let members = Group::start(more);
        for member in [0, 1] {
            let mut client = members.client(member);
            let small = client.upload(b"small", "txt").name();
            let big = client.upload(&large(), "bin").name();
            let empty = client.upload(b"", "txt").name();
            let log = client.upload_as(C::UploadAppender, 1, b"one", "log").name();
            assert_eq!(append(&mut client, &log, b", two, three"), Status::OK);
            assert_eq!(modify(&mut client, &log, 0, b"ONE"), Status::OK);
            assert_eq!(truncate(&mut client, &log, 8), Status::OK);
            assert_eq!(set_metadata(&mut client, &small, b"k\x02v"), Status::OK);
            assert_eq!(set_metadata(&mut client, &log, b"a\x02b"), Status::OK);
            let gone = client.upload(b"gone", "txt").name();
            members.both_have(&gone, b"gone");
            assert_eq!(client.of_file(C::DeleteFile, &gone).status, Status::OK);
            members.both_have(&small, b"small");
            members.both_have(&big, &large());
            members.both_have(&empty, b"");
            members.both_have(&log, b"ONE, two");
            members.both_have(&small.metadata_name(), b"k\x02v");
            members.neither_has(&gone);
            let renamed = client.ask(C::RegenerateName, &[log.as_str().as_bytes()]).name();
            members.both_have(&renamed, b"ONE, two");
            members.both_have(&renamed.metadata_name(), b"a\x02b");
            members.neither_has(&log);
            let mut other = members.client(1 - member);
            assert_eq!(other.of_file(C::GetMetadata, &small).body, b"k\x02v");
            // What came is not passed on.
            let lines = members.log(1 - member);
            let about = lines.lines().filter(|line| line.contains(small.as_str()));
            assert!(
                { about }.all(|line| line.split(' ').nth(1).unwrap().chars().all(char::is_lowercase)),
                "{lines}"
            );
        }
    }
}

#[test]
fn a_member_that_was_away_gets_what_it_missed() {
    let mut members = Group::start("durability=disk");
    members.stop(1);
    members.say(StorageStatus::Offline);
    let mut client = members.client(0);
    let name = client.upload(b"content", "txt").name();
    let gone = client.upload(b"gone", "txt").name();
    assert_eq!(client.of_file(C::DeleteFile, &gone).status, Status::OK);
    members.run(1);
    members.say(StorageStatus::Active);
    members.both_have(&name, b"content");
    members.neither_has(&gone);
}

#[test]
fn d3_with_two_copies_an_upload_is_acknowledged_when_the_other_member_has_it() {
    let members = Group::start("durability=copies:2");
    let mut client = members.client(0);
    for count in 0..50_u8 {
        let content = [count; 100];
        let name = client.upload(&content, "txt").name();
        assert_eq!(members.has(1, &name).as_deref(), Some(&content[..]), "upload {count}");
        assert_eq!(client.of_file(C::DeleteFile, &name).status, Status::OK);
        assert_eq!(members.has(1, &name), None, "deletion {count}");
    }
}

#[test]
fn d3_without_the_other_member_changes_are_taken_with_one_copy_or_refused_as_configured() {
    for (more, expected) in [("copies_missing=accept", Status::OK), ("copies_missing=refuse", Status::EAGAIN)]
    {
        let mut members = Group::start(&format!("durability=copies:2\n{more}"));
        let before = members.client(0).upload(b"before", "txt");
        assert_eq!(before.status, Status::OK);
        members.stop(1);
        members.say(StorageStatus::Offline);
        let mut client = members.client(0);
        assert_eq!(client.upload(b"after", "txt").status, expected, "{more}");
        assert_eq!(client.of_file(C::DeleteFile, &before.name()).status, expected, "{more}");
    }
}

#[test]
fn d3_a_member_that_does_not_answer_holds_up_a_change_no_longer_than_copies_wait() {
    for (more, expected) in
        [("copies_missing=accept", Status::OK), ("copies_missing=refuse", Status::ETIMEDOUT)]
    {
        let mut members = Group::start(&format!("durability=copies:2\ncopies_wait=1\n{more}"));
        assert_eq!(members.client(0).upload(b"before", "txt").status, Status::OK);
        // The trackers have not noticed.
        members.stop(1);
        assert_eq!(members.client(0).upload(b"after", "txt").status, expected, "{more}");
    }
}

#[test]
fn d16_a_file_that_comes_after_its_deletion_is_not_kept() {
    let mut members = Group::start("durability=disk");
    members.stop(1);
    members.say(StorageStatus::Offline);
    let name = members.client(0).upload(b"content", "txt").name();
    members.run(1);
    // A third member has deleted it and was faster.
    members.say(StorageStatus::Offline);
    let time = 1_700_000_000_u32.to_be_bytes();
    let delete = [&time[..], &group("group1"), name.as_str().as_bytes()];
    assert_eq!(members.client(1).ask(C::SyncDelete, &delete).status, Status::ENOENT);
    members.say(StorageStatus::Active);
    let marker = members.client(0).upload(b"marker", "txt").name();
    members.both_have(&marker, b"marker");
    assert_eq!(members.has(1, &name), None);
    // Nor after a restart.
    members.stop(1);
    members.run(1);
    members.say(StorageStatus::Active);
    let create = [
        &number(name.as_str().len())[..],
        &number(7),
        &time,
        &group("group1"),
        name.as_str().as_bytes(),
        b"content",
    ];
    assert_eq!(members.client(1).ask(C::SyncCreate, &create).status, Status::EEXIST);
    assert_eq!(members.has(1, &name), None);
}
