//! The checklist for a member of a group that has members of the original (storage internals: checklist for a node in a
//! mixed group), one test for each point, or the names of those that were there.
//!
//! | | point | tests |
//! |---|---|---|
//! | 1 | say first whose changes come, don't wait for it | `every_connection_says_first_who_it_is_from`, `m1_…` |
//! | 2 | answers to changes have no body and the original's statuses | `m2_…` |
//! | 3 | "there already" and "not there" are done; answers may have a body | `m3_…` |
//! | 4 | what came is logged in lower case with its own time | `m4_…` |
//! | 5 | no line and no column is too long for the original | `m5_…` |
//! | 6 | copies have the time of the change | `m6_…` |
//! | 7 | changes of one file do not overtake each other | `d4_changes_of_one_appender_arrive_one_by_one_and_in_order` |
//! | 8 | nothing is refused for ever | `m8_…` |
//! | 9 | slots are never shared, and emptied as a whole | `d15_…` here and in the store |
//! | 10 | a new member waits for its copy | `a_new_member_is_filled_with_what_others_brought_…` |
//! | 11 | names | `worked_examples` and `recordings` of `fdfs-fileid` |

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use fdfs_fileid::FileName;
use fdfs_proto::{Status, StorageCommand as C, StorageStatus, frame};

use super::client::{Client, Reply, TestStorage, group, number, until};
use super::group::{Group, append, modify, truncate};
use super::peer::Instead;
use super::replication::Pair;

const TIME: u32 = 1_700_000_000;

/// An appender of a member of the original, 10.0.0.1.
const LOG: &str = "M00/00/00/CgAAAWVT8QCEDhS6AAAAAAAAAAA123.log";

/// What the original's sender does, on connections that have said nothing.
struct Sender(Client);

impl Sender {
    fn to(members: &Group) -> Self {
        Self(members.client(1))
    }

    fn create(&mut self, command: C, name: &str, content: &[u8]) -> Reply {
        let (name_len, size, time) = (number(name.len()), number(content.len()), TIME.to_be_bytes());
        self.0.ask(command, &[&name_len, &size, &time, &group("group1"), name.as_bytes(), content])
    }

    fn part(&mut self, command: C, name: &str, start: usize, content: &[u8], time: u32) -> Reply {
        let (name_len, start, len) = (number(name.len()), number(start), number(content.len()));
        let time = time.to_be_bytes();
        self.0.ask(command, &[&name_len, &start, &len, &time, &group("group1"), name.as_bytes(), content])
    }

    fn truncate(&mut self, name: &str, old: usize, new: usize, time: u32) -> Reply {
        let (name_len, old, new) = (number(name.len()), number(old), number(new));
        let time = time.to_be_bytes();
        self.0.ask(C::SyncTruncate, &[&name_len, &old, &new, &time, &group("group1"), name.as_bytes()])
    }

    fn delete(&mut self, name: &str) -> Reply {
        let time = TIME.to_be_bytes();
        self.0.ask(C::SyncDelete, &[&time, &group("group1"), name.as_bytes()])
    }

    fn pair(&mut self, command: C, new: &str, old: &str) -> Reply {
        let (new_len, old_len, time) = (number(new.len()), number(old.len()), TIME.to_be_bytes());
        let names = [new.as_bytes(), old.as_bytes()].concat();
        self.0.ask(command, &[&new_len, &old_len, &time, &group("group1"), &names])
    }
}

/// A name for this content as a member of the original makes it.
fn named(content: &[u8], end: &str) -> String {
    use fdfs_fileid::{SizeWord, Source, Stamp};
    let stamp = Stamp {
        source: Source::Ip([10, 0, 0, 1].into()),
        timestamp: TIME,
        size: SizeWord::normal(content.len() as u64, 5),
        crc32: crc32fast::hash(content),
    };
    format!("M00/00/00/{}{end}", stamp.to_text())
}

fn alone() -> Group {
    let mut members = Group::start("durability=disk");
    members.stop(0);
    members
}

#[test]
fn m1_changes_are_taken_on_connections_that_do_not_say_whose_they_are() {
    let members = alone();
    let name = named(b"content", "1234567");
    assert_eq!(Sender::to(&members).create(C::SyncCreate, &name, b"content").status, Status::OK);
    assert_eq!(members.has(1, &name.parse().unwrap()).unwrap(), b"content");
}

#[test]
fn head_and_content_that_are_sent_apart_do_not_wait_for_each_other() {
    const TIMES: u32 = 100;
    // What the original's kernel waits for the acknowledgement of the head, at least.
    const HELD_BACK: Duration = Duration::from_millis(40);
    let members = alone();
    let mut client = members.client(1);
    client.0.set_nodelay(false).unwrap();
    let began = Instant::now();
    for _ in 0..TIMES {
        let mut head = Vec::new();
        let fields = [&[0xff][..], &number(7), b"txt\0\0\0"].concat();
        frame::request_head(&mut head, C::UploadFile, 0, 7, |out| out.extend_from_slice(&fields));
        client.0.write_all(&head).unwrap();
        client.0.write_all(b"content").unwrap();
        assert_eq!(client.receive().status, Status::OK);
    }
    assert!(began.elapsed() < HELD_BACK * TIMES / 2, "{:?}", began.elapsed());
}

#[test]
fn m2_changes_are_answered_with_the_statuses_of_the_original_and_without_a_body() {
    let members = alone();
    let mut sender = Sender::to(&members);
    let (first, absent) = (named(b"content", "123.txt"), named(b"not here", "123.txt"));
    let renamed = named(b"0123456789abcXY", "123.log");
    let slave = named(b"content", "123_s.txt");
    let table = [
        ("create", sender.create(C::SyncCreate, &first, b"content"), Status::OK),
        ("create what is here", sender.create(C::SyncCreate, &first, b"content"), Status::EEXIST),
        ("create a slave", sender.create(C::SyncCreate, &slave, b"small"), Status::OK),
        ("create it with another size", sender.create(C::SyncCreate, &slave, b"larger"), Status::OK),
        ("update", sender.create(C::SyncUpdate, &slave, b"update"), Status::OK),
        ("append to what is missing", sender.part(C::SyncAppend, LOG, 0, b"x", TIME), Status::ENOENT),
        ("modify what is missing", sender.part(C::SyncModify, LOG, 0, b"x", TIME), Status::ENOENT),
        ("truncate what is missing", sender.truncate(LOG, 1, 0, TIME), Status::ENOENT),
        ("create an appender", sender.create(C::SyncCreate, LOG, b"0123456789"), Status::OK),
        ("append", sender.part(C::SyncAppend, LOG, 10, b"abc", TIME), Status::OK),
        ("append it again", sender.part(C::SyncAppend, LOG, 10, b"abc", TIME), Status::EEXIST),
        ("append behind a gap", sender.part(C::SyncAppend, LOG, 20, b"abc", TIME), Status::ENOENT),
        ("append across the end", sender.part(C::SyncAppend, LOG, 12, b"abc", TIME), Status::ENOENT),
        ("append nothing", sender.part(C::SyncAppend, LOG, 13, b"", TIME), Status::OK),
        ("modify across the end", sender.part(C::SyncModify, LOG, 12, b"cXYZ", TIME), Status::OK),
        ("modify behind the end", sender.part(C::SyncModify, LOG, 17, b"x", TIME), Status::ENOENT),
        ("modify nothing", sender.part(C::SyncModify, LOG, 0, b"", TIME), Status::OK),
        ("truncate", sender.truncate(LOG, 16, 15, TIME), Status::OK),
        ("truncate it again", sender.truncate(LOG, 16, 15, TIME), Status::EEXIST),
        ("rename", sender.pair(C::SyncRename, &renamed, LOG), Status::OK),
        ("rename it again", sender.pair(C::SyncRename, &renamed, LOG), Status::EEXIST),
        ("rename what is missing", sender.pair(C::SyncRename, &absent, LOG), Status::ENOENT),
        ("link to what is missing", sender.pair(C::SyncCreateLink, &absent, LOG), Status::OK),
        ("delete", sender.delete(&first), Status::OK),
        ("delete it again", sender.delete(&first), Status::ENOENT),
    ];
    for (what, reply, status) in table {
        assert_eq!((reply.status, reply.body.len()), (status, 0), "{what}");
    }
    assert_eq!(members.has(1, &renamed.parse().unwrap()).unwrap(), b"0123456789abcXY");
    assert_eq!(members.has(1, &slave.parse().unwrap()).unwrap(), b"update");
}

/// A member of the original sends changes of one file at the same time.
#[test]
fn m2_d4_what_a_change_that_came_too_late_would_spoil_is_asked_for_as_a_whole() {
    let members = alone();
    let mut sender = Sender::to(&members);
    sender.create(C::SyncCreate, LOG, b"0123456789");
    // After a cut to 2, which comes later.
    assert_eq!(sender.part(C::SyncAppend, LOG, 2, b"abc", TIME).status, Status::ENOENT);
    assert_eq!(sender.create(C::SyncUpdate, LOG, b"01abc").status, Status::OK);
    assert_eq!(sender.truncate(LOG, 10, 2, TIME).status, Status::EEXIST);
    assert_eq!(sender.part(C::SyncAppend, LOG, 2, b"abc", TIME).status, Status::EEXIST);
    assert_eq!(members.has(1, &LOG.parse().unwrap()).unwrap(), b"01abc");
    // Its last change is missing.
    let renamed = named(b"01abcdef", "123.log");
    assert_eq!(sender.pair(C::SyncRename, &renamed, LOG).status, Status::ENOENT);
    assert_eq!(sender.create(C::SyncCreate, &renamed, b"01abcdef").status, Status::OK);
    assert_eq!(members.has(1, &LOG.parse().unwrap()), None);
    assert_eq!(members.has(1, &renamed.parse().unwrap()).unwrap(), b"01abcdef");
}

/// Nor in order.
#[test]
fn m2_d16_an_appender_that_comes_after_its_end_is_not_kept() {
    let members = alone();
    let mut sender = Sender::to(&members);
    let (renamed, deleted) = (named(b"0123456789", "123.log"), LOG.replace("123.log", "456.log"));
    assert_eq!(sender.pair(C::SyncRename, &renamed, LOG).status, Status::ENOENT);
    assert_eq!(sender.create(C::SyncCreate, &renamed, b"0123456789").status, Status::OK);
    assert_eq!(sender.delete(&deleted).status, Status::ENOENT);
    for late in [LOG, &deleted] {
        assert_eq!(sender.create(C::SyncCreate, late, b"0123456789").status, Status::EEXIST);
        assert_eq!(members.has(1, &late.parse().unwrap()), None);
    }
}

/// Found by simulation: the file had come with a copy of all files, before and after it got its new name.
#[test]
fn m2_d16_a_new_name_that_comes_too_late_takes_the_old_one_away() {
    let members = alone();
    let mut sender = Sender::to(&members);
    let deleted_log = LOG.replace("123.log", "456.log");
    let (renamed, deleted) = (named(b"0123456789", "123.log"), named(b"0123456789", "456.log"));
    sender.create(C::SyncCreate, LOG, b"0123456789");
    sender.create(C::SyncCreate, &renamed, b"0123456789");
    sender.create(C::SyncCreate, &deleted_log, b"0123456789");
    assert_eq!(sender.delete(&deleted).status, Status::ENOENT);
    for (old, new) in [(LOG, &renamed), (&deleted_log, &deleted)] {
        assert_eq!(sender.pair(C::SyncRename, new, old).status, Status::EEXIST);
        assert_eq!(members.has(1, &old.parse().unwrap()), None);
        assert_eq!(sender.create(C::SyncCreate, old, b"0123456789").status, Status::EEXIST);
        assert_eq!(members.has(1, &old.parse().unwrap()), None);
    }
    assert_eq!(members.has(1, &deleted.parse().unwrap()), None);
    assert_eq!(members.has(1, &renamed.parse().unwrap()).unwrap(), b"0123456789");
}

#[test]
fn m3_a_peer_that_has_or_lacks_already_what_a_change_is_to_bring_about_is_done_with() {
    let pair = Pair::start(StorageStatus::Active);
    pair.peer.obey(|seen| match seen.command {
        C::SyncCreate | C::SyncUpdate | C::SyncTruncate | C::SyncRename => {
            Some(Instead::Refuse(Status::EEXIST))
        }
        C::SyncDelete => Some(Instead::Refuse(Status::ENOENT)),
        _ => None,
    });
    let mut client = pair.client();
    let name = client.upload(b"content", "txt").name();
    let log = client.upload_as(C::UploadAppender, 0, b"grows", "log").name();
    assert_eq!(truncate(&mut client, &log, 2), Status::OK);
    assert_eq!(client.of_file(C::DeleteFile, &name).status, Status::OK);
    pair.caught_up();
    assert_eq!(pair.progress().lag.set_aside, 0);
    // Whether it is the same file is made sure of first, and after a cut that did not fit.
    let asked = |command: &C| *command != C::QueryFileInfo;
    let about: Vec<_> = pair.peer.about(log.as_str()).into_iter().filter(asked).collect();
    assert_eq!(about, [C::SyncCreate, C::SyncTruncate, C::SyncUpdate]);
}

#[test]
fn m4_what_came_is_logged_in_lower_case_with_its_own_time() {
    let members = alone();
    let mut sender = Sender::to(&members);
    let (name, other) = (named(b"content", "123.txt"), named(b"01", "123.log"));
    sender.create(C::SyncCreate, &name, b"content");
    sender.create(C::SyncCreate, &name, b"content");
    sender.create(C::SyncUpdate, &format!("{name}-m"), b"k\x02v");
    sender.create(C::SyncCreate, LOG, b"0");
    sender.part(C::SyncAppend, LOG, 1, b"12", TIME + 1);
    sender.part(C::SyncModify, LOG, 1, b"1", TIME + 2);
    sender.truncate(LOG, 3, 2, TIME + 3);
    sender.pair(C::SyncRename, &other, LOG);
    sender.delete(&name);
    let (a, m, t) = (TIME + 1, TIME + 2, TIME + 3);
    let expected = [
        format!("{TIME} c {name}"),
        format!("{TIME} c {name}"),
        format!("{TIME} u {name}-m"),
        format!("{TIME} c {LOG}"),
        format!("{a} a {LOG} 1 2"),
        format!("{m} m {LOG} 1 1"),
        format!("{t} t {LOG} 3 2"),
        format!("{TIME} r {other} {LOG}"),
        format!("{TIME} d {name}"),
        format!("{TIME} d {name}-m"),
    ];
    assert_eq!(members.log(1).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn m5_no_line_of_the_log_is_too_long_for_the_original() {
    let mut members = Group::start("durability=disk");
    members.stop(1);
    let mut client = members.client(0);
    let log = client.upload_as(C::UploadAppender, 0, b"grows", "log").name();
    // The slave of an appender grows, too, and slaves of slaves have long names.
    let mut name = log;
    while name.as_str().len() < 112 {
        let prefix = *b"_0123456789_0123";
        let head =
            [&number(name.as_str().len())[..], &number(5), &prefix, b"log\0\0\0", name.as_str().as_bytes()];
        let reply = client.ask(C::UploadSlave, &[&head.concat(), b"slave"]);
        assert_eq!(reply.status, Status::OK, "{name}");
        name = reply.name();
    }
    for i in 0..20 {
        append(&mut client, &name, &[b'x'; 100_000]);
        modify(&mut client, &name, i * 100_000, b"modified");
        truncate(&mut client, &name, i * 100_000 + 70_000);
    }
    let renamed = client.ask(C::RegenerateName, &[name.as_str().as_bytes()]).name();
    members.run(1);
    members.say(StorageStatus::Active);
    until("the other member has it", || members.has(1, &renamed) == members.has(0, &renamed));
    assert_eq!(members.has(0, &renamed).unwrap().len(), 19 * 100_000 + 70_000);
    assert_eq!(members.has(1, &name), None);
    for line in members.log(0).lines() {
        let column = line.splitn(3, ' ').nth(2).unwrap();
        assert!(line.len() < 255 && column.len() <= 127, "{line}");
    }
}

#[test]
fn m6_copies_have_the_time_of_the_change() {
    let members = alone();
    let mut sender = Sender::to(&members);
    let storage: &TestStorage = &members.members[1];
    let mtime = |name: &str| {
        let name: FileName = name.parse().unwrap();
        std::fs::metadata(storage.on_disk(&name)).unwrap().mtime()
    };
    let content = vec![7; 100_000];
    let name = named(&content, "123.bin");
    sender.create(C::SyncCreate, &name, &content);
    assert_eq!(mtime(&name), i64::from(TIME));
    sender.create(C::SyncCreate, LOG, b"0");
    assert_eq!(mtime(LOG), i64::from(TIME));
    sender.part(C::SyncAppend, LOG, 1, b"12", TIME + 1);
    assert_eq!(mtime(LOG), i64::from(TIME) + 1);
    sender.part(C::SyncModify, LOG, 1, b"1", TIME + 2);
    assert_eq!(mtime(LOG), i64::from(TIME) + 2);
    sender.truncate(LOG, 3, 2, TIME + 3);
    assert_eq!(mtime(LOG), i64::from(TIME) + 3);
    let other = named(b"01", "123.log");
    sender.pair(C::SyncRename, &other, LOG);
    assert_eq!(mtime(&other), i64::from(TIME) + 3);
    // A packed one says so itself.
    let small = named(b"small", "123.txt");
    sender.create(C::SyncCreate, &small, b"small");
    let info = members.client(1).of_file(C::QueryFileInfo, &small.parse().unwrap());
    assert_eq!(info.body[8..16], u64::from(TIME).to_be_bytes());
}

#[test]
fn m8_d17_a_file_that_is_damaged_at_a_peer_does_not_hold_up_what_is_behind_it() {
    let members = alone();
    let name = named(b"content", "123.txt");
    let mut sender = Sender::to(&members);
    // It may have suffered on its way.
    assert_eq!(sender.create(C::SyncCreate, &name, b"c0ntent").status, Status::EIO);
    // The original would send it for ever.
    assert_eq!(sender.create(C::SyncCreate, &name, b"c0ntent").status, Status::EEXIST);
    assert_eq!(members.has(1, &name.parse().unwrap()), None);
    assert!(!members.log(1).contains(&name));
    // Another member may have a good one.
    assert_eq!(sender.create(C::SyncCreate, &name, b"content").status, Status::OK);
    assert_eq!(members.has(1, &name.parse().unwrap()).unwrap(), b"content");
    assert_eq!(sender.create(C::SyncUpdate, &name, b"c0ntent").status, Status::EIO);
    assert_eq!(members.has(1, &name.parse().unwrap()).unwrap(), b"content");
}

#[test]
fn m8_slaves_as_short_as_ordinary_files_are_taken() {
    // The original makes them of a master with an extension of six characters.
    let members = alone();
    for end in ["_0.png", "_50.png"] {
        let slave = named(b"content of the master", end);
        assert_eq!(
            Sender::to(&members).create(C::SyncCreate, &slave, b"small").status,
            Status::OK,
            "{slave}"
        );
        assert_eq!(members.has(1, &slave.parse().unwrap()).unwrap(), b"small");
    }
}
