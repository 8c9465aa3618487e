//! Trunk mode: slots are asked for, handed out, given back, and never shared.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fdfs_fileid::{FileName, Kind, Source};
use fdfs_format::trunk_log::TrunkBlock;
use fdfs_proto::storage::trunk::{AskAlloc, AskBinlog, AskSlot, Slot};
use fdfs_proto::tracker::parameters::Parameters;
use fdfs_proto::{GroupField, IpText, Status, StorageCommand as C, StorageId, StorageStatus};
use storage_core::membership::{ClusterView, Identity, OwnIps, Peer};
use tokio::sync::watch;

use super::client::{Client, Reply, TestStorage, until, view};
use crate::run::launch;

pub(super) const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
pub(super) const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A storage whose cluster can be changed while it runs.
pub(super) struct Member {
    pub(super) storage: TestStorage,
    tell: watch::Sender<Arc<ClusterView>>,
}

fn id(ip: Ipv4Addr) -> StorageId {
    StorageId::new(ip.to_string().as_bytes()).unwrap()
}

/// The cluster as `me` sees it, with a trunk server and other members.
pub(super) fn seen(me: Ipv4Addr, trunk_server: Option<Ipv4Addr>, peers: &[(Ipv4Addr, u16)]) -> ClusterView {
    let view = view();
    let identity = Identity {
        id: id(me),
        source: Source::Ip(me),
        ips: OwnIps { first: IpAddr::V4(me), second: None },
        ..(**view.identity.as_ref().unwrap()).clone()
    };
    let parameters = Parameters {
        use_trunk_file: true,
        trunk_file_size: 4 << 20,
        slot_max_size: 1 << 20,
        ..view.parameters.unwrap()
    };
    // What listens is at the first address in any case.
    let ip = IpText::new(FIRST.to_string().as_bytes()).unwrap();
    let peer = |port| Peer { status: StorageStatus::Active, ip, port };
    ClusterView {
        identity: Some(Arc::new(identity)),
        parameters: Some(parameters),
        trunk_server: trunk_server.map(id),
        trunk_file_id: Some(0),
        peers: peers.iter().map(|(ip, port)| (id(*ip), peer(*port))).collect(),
        ..view
    }
}

impl Member {
    pub(super) fn start(view: ClusterView) -> Self {
        Self::with("", view)
    }

    /// With these lines of configuration.
    pub(super) fn with(more: &str, view: ClusterView) -> Self {
        let storage = TestStorage::prepare(&format!("durability=disk\n{more}"));
        let mut member = Self { storage, tell: watch::Sender::default() };
        member.run(view);
        member
    }

    pub(super) fn run(&mut self, view: ClusterView) {
        let mut kept = None;
        let started = launch(&self.storage.conf, |_, _, _, tell, _| {
            tell.send_replace(Arc::new(view));
            kept = Some(tell);
            Ok(())
        });
        self.storage.running = Some(started.unwrap());
        self.tell = kept.unwrap();
    }

    pub(super) fn restart(&mut self, view: ClusterView) {
        self.storage.running.take().unwrap().stop().unwrap();
        self.run(view);
    }

    pub(super) fn sees(&self, view: ClusterView) {
        self.tell.send_replace(Arc::new(view));
    }

    pub(super) fn port(&self) -> u16 {
        self.storage.address().port()
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.storage.dir.path().join("base/data/trunk/binlog")).unwrap_or_default()
    }
}

/// Uploads until that has got a slot: the role is taken a moment after the start.
pub(super) fn first_in_slot(client: &mut Client) -> FileName {
    let mut name = None;
    until("a file in a slot", || {
        name = Some(client.upload(b"first", "txt").name()).filter(|name| name.kind() == Kind::Trunk);
        name.is_some()
    });
    name.unwrap()
}

pub(super) fn about(name: &FileName) -> Slot {
    let (part, (dir_high, dir_low)) = (name.trunk_part().unwrap(), name.dirs());
    Slot {
        path: name.path_index().0,
        dir_high,
        dir_low,
        file_id: part.file_id,
        offset: part.offset,
        size: part.alloc_size,
    }
}

fn block(slot: &Slot) -> TrunkBlock {
    let Slot { path, dir_high, dir_low, file_id, offset, size } = *slot;
    TrunkBlock { path, dir_high, dir_low, file_id, offset, size }
}

fn assert_apart(names: &[FileName]) {
    let mut slots: Vec<_> = names.iter().map(about).collect();
    slots.sort_by_key(|slot| (slot.path, slot.dir_high, slot.dir_low, slot.file_id, slot.offset));
    for pair in slots.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let same = (a.path, a.dir_high, a.dir_low, a.file_id) == (b.path, b.dir_high, b.dir_low, b.file_id);
        assert!(!same || a.offset + a.size <= b.offset, "{a:?} and {b:?} share space");
    }
}

fn of_slot(client: &mut Client, command: C, slot: Slot) -> Reply {
    let mut body = Vec::new();
    AskSlot { group: GroupField::from_field(b"group1"), slot }.encode(&mut body);
    client.ask(command, &[&body])
}

pub(super) fn alloc(client: &mut Client, size: u32) -> Reply {
    let mut body = Vec::new();
    AskAlloc { group: GroupField::from_field(b"group1"), size, path: 0 }.encode(&mut body);
    client.ask(C::TrunkAlloc, &[&body])
}

#[test]
fn small_files_get_slots_of_their_own_and_those_of_deleted_files_are_used_again() {
    let member = Member::start(seen(FIRST, Some(FIRST), &[]));
    let mut client = member.storage.connect();
    let mut names = vec![first_in_slot(&mut client)];
    for size in [0, 1, 1000, 5000, 300_000] {
        let content = vec![b'x'; size];
        let name = client.upload(&content, "bin").name();
        assert_eq!(name.kind(), Kind::Trunk, "{size} bytes");
        assert!(client.download(&name, 0, 0).body == content, "{size} bytes");
        names.push(name);
    }
    assert_apart(&names);
    // Too large for a slot, and an appender, which has to grow.
    assert_eq!(client.upload(&vec![0; 1 << 20], "bin").name().kind(), Kind::Normal);
    assert_eq!(client.upload_as(C::UploadAppender, 0, b"grows", "log").name().kind(), Kind::Appender);
    let deleted = names.pop().unwrap();
    assert_eq!(client.of_file(C::DeleteFile, &deleted).status, Status::OK);
    until("the slot is used again", || {
        let name = client.upload(&vec![b'y'; 300_000], "bin").name();
        names.push(name.clone());
        name.trunk_part() == deleted.trunk_part() && name.path_index() == deleted.path_index()
    });
    let slots: Vec<_> = names.iter().filter(|name| name.kind() == Kind::Trunk).cloned().collect();
    assert_apart(&slots);
}

#[test]
fn a_member_gets_its_slots_from_the_trunk_server_and_a_copy_of_the_log() {
    let first = Member::start(seen(FIRST, Some(FIRST), &[]));
    let second = Member::start(seen(SECOND, Some(FIRST), &[(FIRST, first.port())]));
    first.sees(seen(FIRST, Some(FIRST), &[(SECOND, second.port())]));
    let (mut a, mut b) = (first.storage.connect(), second.storage.connect());
    let mut names = vec![first_in_slot(&mut a), first_in_slot(&mut b)];
    for _ in 0..10 {
        names.push(a.upload(b"from the first", "txt").name());
        names.push(b.upload(b"from the second", "txt").name());
    }
    names.retain(|name| name.kind() == Kind::Trunk);
    assert!(names.len() > 10);
    assert_apart(&names);
    until("the copy is complete", || !first.log().is_empty() && first.log() == second.log());
    // The role goes to the other one, which hands out nothing that is in use.
    first.sees(seen(FIRST, Some(SECOND), &[(SECOND, second.port())]));
    second.sees(seen(SECOND, Some(SECOND), &[(FIRST, first.port())]));
    until("the first has laid it down", || alloc(&mut first.storage.connect(), 256).status == Status::EINVAL);
    names.push(first_in_slot(&mut b));
    for _ in 0..10 {
        names.push(a.upload(b"from the first", "txt").name());
        names.push(b.upload(b"from the second", "txt").name());
    }
    names.retain(|name| name.kind() == Kind::Trunk);
    assert_apart(&names);
}

#[test]
fn a_trunk_server_that_was_a_copy_meanwhile_sends_its_whole_log() {
    let lines = |n: u32| format!("1751328000 A 0 0 0 {n} 0 4194304\n").into_bytes();
    let send = |member: &Member, command, lines: &[u8]| {
        assert_eq!(member.storage.connect().ask(command, &[lines]).status, Status::OK);
    };
    let other = Member::start(seen(SECOND, None, &[]));
    let first = Member::start(seen(FIRST, Some(FIRST), &[(SECOND, other.port())]));
    other.sees(seen(SECOND, Some(FIRST), &[(FIRST, first.port())]));
    first_in_slot(&mut first.storage.connect());
    until("the copy is complete", || !first.log().is_empty() && first.log() == other.log());
    // The other one was trunk server for a while, and no tracker has the marks of the first term removed.
    first.sees(seen(FIRST, Some(SECOND), &[(SECOND, other.port())]));
    until("it is laid down", || alloc(&mut first.storage.connect(), 256).status == Status::EINVAL);
    send(&first, C::TrunkTruncateBinlog, b"");
    send(&first, C::TrunkSyncBinlog, &[lines(7), lines(8)].concat());
    first.sees(seen(FIRST, Some(FIRST), &[(SECOND, other.port())]));
    until("the copy is complete again", || first.log().contains(" 8 0 ") && first.log() == other.log());
}

#[test]
fn without_a_trunk_server_that_answers_a_small_file_is_an_ordinary_one() {
    for trunk_server in [None, Some(FIRST)] {
        // Nobody listens on port 1.
        let member = Member::start(seen(SECOND, trunk_server, &[(FIRST, 1)]));
        let mut client = member.storage.connect();
        for _ in 0..3 {
            let name = client.upload(b"content", "txt").name();
            assert_eq!(name.kind(), Kind::Normal);
            assert_eq!(client.download(&name, 0, 0).body, b"content");
        }
    }
}

#[test]
fn a_member_that_lost_its_disk_gets_a_trunk_file_as_a_whole_and_nobody_else_does() {
    for (peers, expected) in [(&[(SECOND, 1)][..], Status::OK), (&[][..], Status::EINVAL)] {
        // The client comes from the address that the other member has.
        let member = Member::start(seen(FIRST, Some(FIRST), peers));
        let name = first_in_slot(&mut member.storage.connect());
        let (slot, (high, low)) = (about(&name), name.dirs());
        let container =
            format!("{}/{high:02X}/{low:02X}/{:06}", name.path_index(), slot.file_id).parse().unwrap();
        let whole = member.storage.connect().download(&container, 0, 0);
        assert_eq!(whole.status, expected);
        if expected.is_ok() {
            let at = slot.offset as usize + 24;
            assert_eq!((whole.body.len(), &whole.body[at..at + 5]), (4 << 20, &b"first"[..]));
        }
    }
}

#[test]
fn d15_a_slot_that_could_not_be_given_back_is_after_a_restart() {
    let first = Member::start(seen(FIRST, Some(FIRST), &[]));
    // Nobody listens on port 1.
    let (there, away) = ([(FIRST, first.port())], [(FIRST, 1)]);
    let mut second = Member::start(seen(SECOND, Some(FIRST), &there));
    let mut client = second.storage.connect();
    let name = first_in_slot(&mut client);
    second.sees(seen(SECOND, Some(FIRST), &away));
    assert_eq!(client.of_file(C::DeleteFile, &name).status, Status::OK);
    second.restart(seen(SECOND, Some(FIRST), &away));
    let free = || {
        let mut block = block(&about(&name));
        block.size = 1;
        let free = storage_core::trunk::replay(None, first.log().as_bytes(), 2).free;
        !free.overlapping(&block).is_empty()
    };
    assert!(!free());
    second.sees(seen(SECOND, Some(FIRST), &there));
    until("the slot is free", free);
    // And given back once.
    let log = first.log();
    second.restart(seen(SECOND, Some(FIRST), &there));
    let next = first_in_slot(&mut second.storage.connect());
    assert_eq!(about(&next), about(&name));
    let slot = block(&about(&name));
    let frees = |log: &str| {
        let line = format!(
            " A {} {} {} {} {} {}",
            slot.path, slot.dir_high, slot.dir_low, slot.file_id, slot.offset, slot.size
        );
        log.matches(&line).count()
    };
    assert_eq!(frees(&first.log()), frees(&log));
}

#[test]
fn d15_a_slot_that_is_freed_while_its_file_is_here_is_not_handed_out() {
    let member = Member::start(seen(FIRST, Some(FIRST), &[]));
    let mut client = member.storage.connect();
    let name = first_in_slot(&mut client);
    assert_eq!(of_slot(&mut client, C::TrunkFree, about(&name)).status, Status::OK);
    let others: Vec<_> = (0..20).map(|_| client.upload(b"other", "txt").name()).collect();
    assert!(others.iter().all(|other| about(other) != about(&name)));
    assert_eq!(client.download(&name, 0, 0).body, b"first");
}

#[test]
fn d15_what_is_handed_out_is_not_free_in_the_log() {
    let member = Member::start(seen(FIRST, Some(FIRST), &[]));
    let mut client = member.storage.connect();
    let mut slot = None;
    until("a slot", || {
        slot = Some(alloc(&mut client_again(&member), 1000)).filter(|reply| reply.status.is_ok());
        slot.is_some()
    });
    let slot = Slot::decode(&slot.unwrap().body).unwrap();
    let block = block(&slot);
    let free = storage_core::trunk::replay(None, member.log().as_bytes(), 2).free;
    assert!(!free.is_empty() && free.overlapping(&block).is_empty());
    assert_eq!(of_slot(&mut client, C::TrunkConfirm, slot).status, Status::OK);
    assert_eq!(of_slot(&mut client, C::TrunkConfirm, slot).status, Status::ENOENT);
}

fn client_again(member: &Member) -> Client {
    member.storage.connect()
}

#[test]
fn s5_only_members_are_handed_slots_or_believed_about_them() {
    // The client comes from an address that no member has.
    let member = Member::start(seen(SECOND, Some(SECOND), &[]));
    let name = first_in_slot(&mut member.storage.connect());
    let before = member.log();
    let mut lines = Vec::new();
    AskBinlog { lines: b"1751328000 A 0 0 0 1 0 256\n" }.encode(&mut lines);
    let connect = || member.storage.connect();
    assert_eq!(alloc(&mut connect(), 256).status, Status::EINVAL);
    assert_eq!(of_slot(&mut connect(), C::TrunkConfirm, about(&name)).status, Status::EINVAL);
    assert_eq!(of_slot(&mut connect(), C::TrunkFree, about(&name)).status, Status::EINVAL);
    assert_eq!(connect().ask(C::TrunkSyncBinlog, &[&lines]).status, Status::EINVAL);
    assert_eq!(connect().ask(C::TrunkTruncateBinlog, &[]).status, Status::EINVAL);
    assert_eq!(member.log(), before);
}

#[test]
fn a_copy_takes_whole_lines_and_nothing_else() {
    let member = Member::start(seen(FIRST, None, &[]));
    let line = b"1751328000 A 0 0 0 1 0 256\n";
    let send = |lines: &[u8]| member.storage.connect().ask(C::TrunkSyncBinlog, &[lines]).status;
    assert_eq!(send(line), Status::OK);
    for wrong in [&b""[..], b"1751328000 A 0 0 0 1 0 256", b"nonsense\n"] {
        assert_eq!(send(wrong), Status::EINVAL);
    }
    let size = member.storage.connect().ask(C::TrunkBinlogSize, &[]);
    assert_eq!(size.body, (line.len() as u64).to_be_bytes());
    assert_eq!(member.storage.connect().ask(C::TrunkTruncateBinlog, &[]).status, Status::OK);
    assert_eq!(member.log(), "");
}
