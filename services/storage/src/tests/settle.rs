//! After a start: changes that were made elsewhere meanwhile come before those of clients.

use std::io::Write;
use std::sync::Arc;

use fdfs_fileid::FileName;
use fdfs_proto::storage::active_test::ALL_SENT;
use fdfs_proto::{Status, StorageCommand as C, StorageStatus, frame};
use tokio::sync::watch;

use super::client::{Client, number, until};
use super::group::{Group, append, large, set_metadata};

/// The source of an appender, which comes back, and the other member, where it was changed meanwhile.
struct Back {
    group: Group,
    name: FileName,
    /// Says when the other member's trackers are asked how the cluster is.
    looks: watch::Receiver<()>,
}

const SOURCE: usize = 0;
const OTHER: usize = 1;

impl Back {
    /// The source is away, of which the other member knows.
    fn away() -> Self {
        let mut group = Group::start("durability=disk");
        let name = group.client(SOURCE).upload_as(C::UploadAppender, 0, b"one", "log").name();
        group.both_have(&name, b"one");
        group.stop(SOURCE);
        group.say(StorageStatus::Offline);
        let looks = group.members[OTHER].running.as_ref().unwrap().server().settle.looks();
        Self { group, name, looks }
    }

    /// It starts, and trackers have told it, but nobody else, how the cluster is.
    fn start(&mut self) {
        self.start_untold();
        self.group.say_to(SOURCE, StorageStatus::Active);
    }

    /// It starts and knows nothing of the cluster.
    fn start_untold(&mut self) {
        self.group.run_with(SOURCE, |server, stop| {
            tokio::spawn(server.settle.begin(Arc::clone(server), stop));
        });
    }

    /// Waits until the other member has been asked, whose trackers say then that the source serves.
    fn tell_other(&self) {
        until("the other member asks its trackers", || self.looks.has_changed().unwrap());
        self.group.say_to(OTHER, StorageStatus::Active);
    }

    /// A client that has asked the source to append something.
    fn ask_source(&self, content: &[u8]) -> Client {
        let mut client = self.group.client(SOURCE);
        let name = self.name.as_str().as_bytes();
        client.send(C::Append, 0, &[&number(name.len()), &number(content.len()), name, content]);
        client
    }

    /// How many appends were made by the other member itself.
    fn made_by_other(&self) -> usize {
        self.group.log(OTHER).lines().filter(|line| line.contains(" A ")).count()
    }
}

#[test]
fn d11_a_change_at_a_source_that_starts_comes_behind_those_that_were_made_elsewhere_meanwhile() {
    let mut back = Back::away();
    let mut other = back.group.client(OTHER);
    assert_eq!(append(&mut other, &back.name, b", two"), Status::OK);
    assert_eq!(set_metadata(&mut other, &back.name, b"k\x02old"), Status::OK);
    back.start();
    let mut client = back.ask_source(b", three");
    back.tell_other();
    assert_eq!(client.receive().status, Status::OK);
    back.group.both_have(&back.name, b"one, two, three");
    assert_eq!(set_metadata(&mut client, &back.name, b"k\x02new"), Status::OK);
    back.group.both_have(&back.name.metadata_name(), b"k\x02new");
}

#[test]
fn d11_so_does_it_come_behind_one_that_is_still_being_made_elsewhere() {
    let mut back = Back::away();
    let mut slow = back.group.client(OTHER);
    let (name, content) = (back.name.as_str().as_bytes(), large());
    let mut request = Vec::new();
    frame::request_head(&mut request, C::Append, 0, content.len() as u64, |out| {
        out.extend([&number(name.len())[..], &number(content.len()), name].concat());
    });
    slow.0.write_all(&[&request, &content[1..]].concat()).unwrap();
    let other = back.group.members[OTHER].running.as_ref().unwrap();
    until("the other member takes the change", || other.promised() > 0);
    back.start();
    let mut client = back.ask_source(b", three");
    back.tell_other();
    slow.0.write_all(&content[..1]).unwrap();
    assert_eq!(slow.receive().status, Status::OK);
    assert_eq!(client.receive().status, Status::OK);
    let whole = [b"one", &content[1..], &content[..1], b", three"].concat();
    back.group.both_have(&back.name, &whole);
}

#[test]
fn what_is_asked_of_the_other_member_from_then_on_is_done_at_the_source() {
    let mut back = Back::away();
    assert_eq!(append(&mut back.group.client(OTHER), &back.name, b", two"), Status::OK);
    back.start();
    let mut client = back.ask_source(b", three");
    back.tell_other();
    assert_eq!(client.receive().status, Status::OK);
    assert_eq!(append(&mut back.group.client(OTHER), &back.name, b", four"), Status::OK);
    back.group.both_have(&back.name, b"one, two, three, four");
    assert_eq!(back.made_by_other(), 1, "{}", back.group.log(OTHER));
}

#[test]
fn d11_a_source_that_knows_that_it_serves_but_not_yet_who_else_does_asks_all_the_same() {
    let mut back = Back::away();
    assert_eq!(append(&mut back.group.client(OTHER), &back.name, b", two"), Status::OK);
    back.start_untold();
    back.group.say_joined(SOURCE);
    let mut client = back.ask_source(b", three");
    back.group.say_to(SOURCE, StorageStatus::Active);
    back.tell_other();
    assert_eq!(client.receive().status, Status::OK);
    back.group.both_have(&back.name, b"one, two, three");
}

#[test]
fn d11_a_member_that_has_just_come_back_too_is_asked() {
    let mut back = Back::away();
    assert_eq!(append(&mut back.group.client(OTHER), &back.name, b", two"), Status::OK);
    back.start_untold();
    back.group.say_to(SOURCE, StorageStatus::Online);
    let mut client = back.ask_source(b", three");
    back.tell_other();
    assert_eq!(client.receive().status, Status::OK);
    // Before that nothing is sent to it.
    back.group.say_to(SOURCE, StorageStatus::Active);
    back.group.both_have(&back.name, b"one, two, three");
}

#[test]
fn a_member_that_goes_away_meanwhile_is_not_waited_for() {
    let mut back = Back::away();
    back.start();
    let mut client = back.ask_source(b", two");
    until("the other member is asked", || back.looks.has_changed().unwrap());
    back.group.stop(OTHER);
    back.group.say_to(SOURCE, StorageStatus::Offline);
    assert_eq!(client.receive().status, Status::OK);
}

#[test]
fn new_files_and_downloads_wait_for_nobody() {
    let mut back = Back::away();
    back.start();
    let mut client = back.group.client(SOURCE);
    let name = client.upload(b"new", "txt").name();
    assert_eq!(client.download(&name, 0, 0).body, b"new");
    assert_eq!(client.download(&back.name, 0, 0).body, b"one");
}

#[test]
fn who_has_not_said_who_it_is_is_not_told_what_it_has() {
    let group = Group::start("durability=disk");
    let mut client = group.client(0);
    client.send(C::ActiveTest, ALL_SENT, &[]);
    assert_eq!(client.receive().status, Status::EINVAL);
}
