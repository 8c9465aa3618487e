//! Who belongs to a cluster when addresses change, trackers are away, or storages may only be read.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use fdfs_client::StorageStatus::{self, Active, Deleted, IpChanged};
use fdfs_client::{Client, ClientConfig, DownloadOptions, FileId, InfoFlags, ServerAddr, UploadOptions};
use testkit::address::Loopback;
use testkit::cluster::{Cluster, Node, Plan};
use testkit::wait;
use tokio::runtime::Runtime;

const GROUP: &str = "group1";

/// A cluster, and a client that asks without a tracker in between where that matters.
struct Ground {
    cluster: Cluster,
    runtime: Runtime,
}

fn address(node: &Node) -> ServerAddr {
    ServerAddr::new(node.address().ip(), node.address().port())
}

fn client(trackers: &[SocketAddr]) -> Client {
    Client::new(ClientConfig::new(trackers.iter().map(|at| ServerAddr::new(at.ip(), at.port()))))
}

impl Ground {
    fn new(cluster: Cluster) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { cluster, runtime }
    }

    /// Two members of one group that hear news every second, and answer without waiting for each other.
    fn plan() -> Plan {
        Plan::new()
            .groups(&[(GROUP, 2)])
            .storage_key("heart_beat_interval", 1)
            .storage_key("durability", "disk")
    }

    /// The same with a table of ids: a line for each storage, beginning with 100001.
    fn with_ids(plan: Plan, modes: &[&str]) -> Self {
        let plan = plan
            .tracker_key("use_storage_id", true)
            .tracker_key("storage_ids_filename", "storage_ids.conf")
            .tracker_key("id_type_in_filename", "id");
        let ground = Self::new(plan.prepare().unwrap());
        ground.write_ids(modes);
        ground
    }

    fn write_ids(&self, modes: &[&str]) {
        let line = |(number, storage): (usize, &Node)| {
            let mode = modes.get(number).copied().unwrap_or("both");
            format!("{} {GROUP} {} rw={mode}\n", 100_001 + number, storage.address())
        };
        let table: String = self.cluster.storages.iter().enumerate().map(line).collect();
        fs::write(self.cluster.folder().join("storage_ids.conf"), table).unwrap();
    }

    /// Takes a file at this very storage.
    #[track_caller]
    fn upload(&self, storage: usize, content: &[u8], appender: bool) -> FileId {
        let at = client(&[]).storage(address(&self.cluster.storages[storage]));
        let options = UploadOptions { appender, ..UploadOptions::default() };
        self.runtime.block_on(at.upload(content.into(), None, &options)).unwrap().id
    }

    /// Whether a storage has the file itself, and would not ask another one for it.
    fn has(&self, storage: usize, id: &FileId) -> bool {
        let at = client(&[]).storage(address(&self.cluster.storages[storage]));
        let flags = InfoFlags { silent: true, ..InfoFlags::default() };
        self.runtime.block_on(at.file_info(id, flags)).is_ok()
    }

    #[track_caller]
    fn both_have(&self, ids: &[&FileId]) {
        for (storage, id) in [0, 1].into_iter().flat_map(|storage| ids.iter().map(move |id| (storage, id))) {
            let what = format!("{id} at storage {storage}");
            wait::until(&what, wait::READY, || self.has(storage, id).then_some(())).unwrap();
        }
    }

    /// As somebody reads who knows this tracker only.
    fn download(&self, tracker: usize, id: &FileId) -> Option<Vec<u8>> {
        let client = client(&[self.cluster.trackers[tracker].address()]);
        self.runtime.block_on(client.download(id, &DownloadOptions::default())).ok()
    }

    /// Address and status of every storage that a tracker does not list as gone.
    fn listed(&self, tracker: usize) -> BTreeMap<String, StorageStatus> {
        let at = address(&self.cluster.trackers[tracker]);
        let stats =
            self.runtime.block_on(client(&[]).tracker(at).list_storages(GROUP.parse().unwrap(), None));
        let here = stats.unwrap_or_default();
        let here = here.into_iter().filter(|stat| !matches!(stat.who.status, Deleted | IpChanged));
        let address = |ip: String, port: u16| format!("{ip}:{port}");
        here.map(|stat| (address(stat.ip.to_string(), stat.figures.storage_port), stat.who.status)).collect()
    }

    /// All trackers that run list the storages, each at its address and in service, and nobody else.
    #[track_caller]
    fn all_listed(&self) {
        let expected: BTreeMap<String, StorageStatus> =
            self.cluster.storages.iter().map(|storage| (storage.address().to_string(), Active)).collect();
        let trackers =
            (0..self.cluster.trackers.len()).filter(|at| self.cluster.trackers[*at].server.is_some());
        for tracker in trackers {
            let mut last = BTreeMap::new();
            let found = wait::until("all storages and nobody else", wait::READY, || {
                last = self.listed(tracker);
                (last == expected).then_some(())
            });
            assert!(found.is_ok(), "tracker {tracker} lists {last:?}, not {expected:?}");
        }
    }

    /// Each of two members has heard that the other serves: until then its sender asks the trackers what to do.
    #[track_caller]
    fn both_know(&self) {
        for (storage, other) in [(0, 1), (1, 0)] {
            let peer = format!("a peer changed peer={} ", self.cluster.storages[other].address().ip());
            let serves = |line: &str| line.contains(&peer) && line.ends_with("status=\"ACTIVE\"");
            let heard = || self.log(storage).lines().any(serves).then_some(());
            wait::until("the news that the other member serves", wait::READY, heard).unwrap();
        }
    }

    fn restart(&mut self, storage: usize) {
        let binary = self.cluster.binary().to_path_buf();
        self.cluster.storages[storage].start(&binary).unwrap();
    }

    /// Gives a stopped storage another address; the one that it had.
    fn move_storage(&mut self, storage: usize, to: Loopback) -> Loopback {
        self.cluster.storages[storage].move_to(to).unwrap()
    }

    /// Whether a storage keeps a mark of how far the peer of this name is.
    fn has_mark(&self, storage: usize, name: &str) -> bool {
        self.cluster.storages[storage].base_path.join("data/sync").join(format!("{name}.mark")).is_file()
    }

    fn log(&self, storage: usize) -> String {
        fs::read_to_string(self.cluster.storages[storage].base_path.join("logs/storaged.log")).unwrap()
    }
}

#[test]
fn a_storage_with_a_new_address_is_the_member_it_was_and_old_file_ids_lead_to_it() {
    for (moved, trunk) in [(1, false), (0, true), (1, true)] {
        let stays = 1 - moved;
        let plan = Ground::plan().trackers(2).tracker_key("use_trunk_file", trunk);
        let mut ground = Ground::new(plan.start().unwrap());
        ground.all_listed();
        let old_name = format!("{}_23000", ground.cluster.storages[moved].address().ip());
        let mut ids = vec![ground.upload(0, b"first", false), ground.upload(1, b"second", false)];
        let appender = ground.upload(moved, b"one", true);
        ground.both_have(&[&ids[0], &ids[1], &appender]);

        ground.cluster.storages[moved].stop().unwrap();
        ids.push(ground.upload(stays, b"meanwhile", false));
        let old = ground.move_storage(moved, Loopback::claim().unwrap());
        ground.restart(moved);
        ground.all_listed();
        ids.push(ground.upload(moved, b"from the new address", false));
        ground.both_have(&ids.iter().collect::<Vec<_>>());
        let new_name = format!("{}_23000", ground.cluster.storages[moved].address().ip());
        wait::until("its mark under the new name", wait::READY, || {
            (ground.has_mark(stays, &new_name) && !ground.has_mark(stays, &old_name)).then_some(())
        })
        .unwrap();
        assert!(ground.log(stays).contains("replication goes on where it was"), "{}", ground.log(stays));

        // Changes of its appenders still go to it.
        let everything = client(&[ground.cluster.tracker()]);
        ground.runtime.block_on(everything.append(&appender, b", two".as_slice().into())).unwrap();
        let tracker = everything.tracker(address(&ground.cluster.trackers[0]));
        let update = ground.runtime.block_on(tracker.query_update(&appender)).unwrap();
        assert_eq!(update.to_string(), ground.cluster.storages[moved].address().to_string());

        // Trackers that start again with what they saved know nobody too many, and find everything.
        for tracker in [0, 1] {
            ground.cluster.trackers[tracker].kill().unwrap();
            ground.cluster.restart_tracker(tracker).unwrap();
        }
        ground.all_listed();
        let contents = [&b"first"[..], b"second", b"meanwhile", b"from the new address"];
        for tracker in [0, 1] {
            for (id, content) in ids.iter().zip(contents) {
                assert_eq!(
                    ground.download(tracker, id).as_deref(),
                    Some(content),
                    "{id} by tracker {tracker}"
                );
            }
            assert_eq!(ground.download(tracker, &appender).as_deref(), Some(&b"one, two"[..]));
        }

        // And back, with a file that nobody else has when it is asked for.
        ground.cluster.storages[moved].kill().unwrap();
        ground.move_storage(moved, old);
        ground.restart(moved);
        ground.all_listed();
        let last = ground.upload(stays, b"last", false);
        ground.both_have(&[&last]);
        ground.cluster.stop().unwrap();
    }
}

#[test]
fn a_tracker_that_was_stopped_while_an_address_changed_lists_nobody_twice() {
    let mut ground = Ground::new(Ground::plan().trackers(2).start().unwrap());
    ground.all_listed();
    let id = ground.upload(1, b"content", false);
    ground.both_have(&[&id]);
    for away in [0, 1] {
        ground.cluster.trackers[away].stop().unwrap();
        ground.cluster.storages[1].stop().unwrap();
        // The peer hears of it at once, or when it starts.
        let peer_too = away == 1;
        if peer_too {
            ground.cluster.storages[0].stop().unwrap();
        }
        ground.move_storage(1, Loopback::claim().unwrap());
        ground.restart(1);
        if peer_too {
            ground.restart(0);
        }
        ground.all_listed();
        let name = format!("{}_23000", ground.cluster.storages[1].address().ip());
        wait::until("the mark under its name", wait::READY, || ground.has_mark(0, &name).then_some(()))
            .unwrap();
        ground.cluster.restart_tracker(away).unwrap();
        ground.all_listed();
        assert_eq!(ground.download(away, &id).as_deref(), Some(&b"content"[..]));
        let marks = fs::read_dir(ground.cluster.storages[0].base_path.join("data/sync")).unwrap();
        let marks = marks.map(|entry| entry.unwrap().path());
        assert_eq!(marks.filter(|path| path.extension().is_some_and(|end| end == "mark")).count(), 1);
    }
    ground.cluster.stop().unwrap();
}

#[test]
fn with_storage_ids_a_new_address_in_the_table_is_all_that_a_move_takes() {
    let mut ground = Ground::with_ids(Ground::plan().trackers(2), &[]);
    ground.cluster.start_all().unwrap();
    ground.all_listed();
    let mut ids = vec![ground.upload(0, b"first", false), ground.upload(1, b"second", false)];
    ground.both_have(&[&ids[0], &ids[1]]);
    ground.cluster.storages[1].stop().unwrap();
    ids.push(ground.upload(0, b"meanwhile", false));
    ground.move_storage(1, Loopback::claim().unwrap());
    ground.write_ids(&[]);
    // Trackers read the table at their start, one after the other; the other storage goes on.
    for tracker in [0, 1] {
        ground.cluster.trackers[tracker].stop().unwrap();
        ground.cluster.restart_tracker(tracker).unwrap();
    }
    ground.restart(1);
    ground.all_listed();
    ids.push(ground.upload(1, b"from the new address", false));
    ground.both_have(&ids.iter().collect::<Vec<_>>());
    // Saved some time after what it says has arrived.
    wait::until("the mark under its name", wait::READY, || ground.has_mark(0, "100002").then_some(()))
        .unwrap();
    let contents = [&b"first"[..], b"second", b"meanwhile", b"from the new address"];
    for (id, content) in ids.iter().zip(contents) {
        assert_eq!(ground.download(0, id).as_deref(), Some(content), "{id}");
    }
    // Who asks a member about a file is told where its source is now.
    let first = client(&[]).storage(address(&ground.cluster.storages[0]));
    let info = ground.runtime.block_on(first.file_info(&ids[3], InfoFlags::default())).unwrap();
    assert_eq!(info.source, Some(ground.cluster.storages[1].address().ip()));
    ground.cluster.stop().unwrap();
}

#[test]
fn a_member_behind_another_address_replicates_once_it_is_named_and_the_log_says_how() {
    let mut ground = Ground::with_ids(Ground::plan(), &[]);
    // Its connections come from 127.0.0.1, as behind NAT; it says itself who it is.
    ground.cluster.storages[1].configure("server_id", 100_002).unwrap();
    ground.cluster.storages[1].configure("client_bind", false).unwrap();
    // A new member fetches what the others list. The first has nobody to fetch from: only a sender brings it files.
    let binary = ground.cluster.binary().to_path_buf();
    ground.cluster.trackers[0].start(&binary).unwrap();
    ground.cluster.restart_storage(0).unwrap();
    ground.restart(1);
    ground.all_listed();
    let id = ground.upload(1, b"behind NAT", false);
    let hint = "add allow_peers = 127.0.0.1 to storage.conf";
    wait::until("a word on what to do", wait::READY, || ground.log(0).contains(hint).then_some(())).unwrap();
    assert!(!ground.has(0, &id), "{}", ground.log(0));
    ground.cluster.storages[0].stop().unwrap();
    ground.cluster.storages[0].configure("allow_peers", "127.0.0.1").unwrap();
    ground.restart(0);
    ground.both_have(&[&id]);
    assert_eq!(ground.log(0).matches(hint).count(), 1, "{}", ground.log(0));
    ground.cluster.stop().unwrap();
}

#[test]
fn uploads_and_downloads_go_where_the_table_allows_them_and_every_member_gets_every_file() {
    let plan = Ground::plan().groups(&[(GROUP, 3)]);
    let mut ground = Ground::with_ids(plan, &["both", "read", "write"]);
    ground.cluster.start_all().unwrap();
    ground.all_listed();
    let tracker = client(&[]).tracker(address(&ground.cluster.trackers[0]));
    let addresses = [0, 1, 2].map(|index| ground.cluster.storages[index].address().to_string());
    let at = |index: usize| addresses[index].clone();
    let mut placed = BTreeMap::new();
    for _ in 0..6 {
        let target = ground.runtime.block_on(tracker.query_store(None)).unwrap();
        *placed.entry(target.storage.to_string()).or_insert(0) += 1;
    }
    assert_eq!(placed, BTreeMap::from([(at(0), 3), (at(2), 3)]), "not on the one for reading");

    // A storage does not know its mode: who addresses it is served, as by the original.
    let ids = [0, 1, 2].map(|index| ground.upload(index, b"content", false));
    for id in &ids {
        for storage in 0..3 {
            let what = format!("{id} at storage {storage}");
            wait::until(&what, wait::READY, || ground.has(storage, id).then_some(())).unwrap();
        }
    }
    // Something later has arrived from everybody: then it is known that the earlier ones have.
    let holders = wait::until("both that may be read", wait::READY, || {
        let later = [0, 1, 2].map(|index| ground.upload(index, b"later", false));
        wait::until("the later ones", wait::READY, || {
            later.iter().all(|id| (0..3).all(|storage| ground.has(storage, id))).then_some(())
        })
        .unwrap();
        let holders = ground.runtime.block_on(tracker.query_fetch_all(&ids[0])).unwrap_or_default();
        (holders.len() == 2).then_some(holders)
    })
    .unwrap();
    let mut holders: Vec<String> = holders.iter().map(ToString::to_string).collect();
    holders.sort_unstable();
    let mut readable = [at(0), at(1)];
    readable.sort_unstable();
    assert_eq!(holders, readable, "not from the one for writing");
    // What is changed where it came from is changed elsewhere when that is only for reading.
    for (source, goes_to) in [(0, vec![at(0)]), (1, vec![at(0), at(2)]), (2, vec![at(2)])] {
        let update = ground.runtime.block_on(tracker.query_update(&ids[source])).unwrap().to_string();
        assert!(goes_to.contains(&update), "{source} at {update}");
    }

    // Another mode is in force when the tracker has read it.
    ground.write_ids(&["read", "both", "none"]);
    ground.cluster.trackers[0].stop().unwrap();
    ground.cluster.restart_tracker(0).unwrap();
    ground.all_listed();
    let tracker = client(&[]).tracker(address(&ground.cluster.trackers[0]));
    for _ in 0..3 {
        let target = ground.runtime.block_on(tracker.query_store(None)).unwrap();
        assert_eq!(target.storage.to_string(), at(1));
    }
    ground.cluster.stop().unwrap();
}

#[test]
fn with_every_tracker_stopped_whoever_knows_a_storage_goes_on_and_afterwards_all_is_as_before() {
    let mut ground = Ground::new(Ground::plan().trackers(2).start().unwrap());
    ground.all_listed();
    let before = ground.upload(0, b"before", true);
    ground.both_have(&[&before]);
    ground.both_know();
    for tracker in [0, 1] {
        ground.cluster.trackers[tracker].stop().unwrap();
    }
    let ids = [ground.upload(0, b"one", false), ground.upload(1, b"two", false)];
    ground.both_have(&[&ids[0], &ids[1]]);
    let storages = [0, 1].map(|index| client(&[]).storage(address(&ground.cluster.storages[index])));
    let runtime = &ground.runtime;
    runtime.block_on(storages[0].append(&before, b" and during".as_slice().into())).unwrap();
    let read = |at: usize, id: &FileId| {
        runtime.block_on(storages[at].download(id, &DownloadOptions::default())).unwrap_or_default()
    };
    wait::until("the appended part at the other member", wait::READY, || {
        (read(1, &before) == b"before and during").then_some(())
    })
    .unwrap();
    assert_eq!((read(1, &ids[0]), read(0, &ids[1])), (b"one".to_vec(), b"two".to_vec()));
    runtime.block_on(storages[1].delete(&ids[0])).unwrap();
    wait::until("the deletion at the other member", wait::READY, || (!ground.has(0, &ids[0])).then_some(()))
        .unwrap();
    // A member that starts meanwhile serves what it has; only new files need a tracker that says who it is.
    ground.cluster.storages[1].kill().unwrap();
    ground.restart(1);
    wait::until("the restarted member", wait::READY, || ground.has(1, &ids[1]).then_some(())).unwrap();
    for tracker in [1, 0] {
        ground.cluster.restart_tracker(tracker).unwrap();
        ground.all_listed();
    }
    let after = ground.upload(1, b"after", false);
    ground.both_have(&[&after, &before, &ids[1]]);
    assert!(!ground.has(0, &ids[0]) && !ground.has(1, &ids[0]));
    ground.cluster.stop().unwrap();
}

#[test]
fn a_tracker_is_added_by_naming_it_in_each_configuration_one_restart_after_the_other() {
    let mut ground = Ground::new(Ground::plan().trackers(2).prepare().unwrap());
    // As if there had been one only.
    let second = ground.cluster.trackers[1].address();
    let line = format!("tracker_server = {second}\n");
    for storage in &ground.cluster.storages {
        let text = fs::read_to_string(&storage.conf).unwrap();
        fs::write(&storage.conf, text.replace(&line, "")).unwrap();
    }
    let binary = ground.cluster.binary().to_path_buf();
    ground.cluster.trackers[0].start(&binary).unwrap();
    for storage in [0, 1] {
        ground.restart(storage);
    }
    ground.cluster.wait_ready().unwrap();
    ground.all_listed();
    let id = ground.upload(0, b"content", false);
    ground.both_have(&[&id]);

    ground.cluster.trackers[1].start(&binary).unwrap();
    for storage in [0, 1] {
        ground.cluster.storages[storage].stop().unwrap();
        let text = fs::read_to_string(&ground.cluster.storages[storage].conf).unwrap();
        fs::write(&ground.cluster.storages[storage].conf, format!("{text}{line}")).unwrap();
        ground.restart(storage);
        wait::until("the restarted member", wait::READY, || ground.has(storage, &id).then_some(())).unwrap();
    }
    ground.all_listed();
    assert_eq!(ground.download(1, &id).as_deref(), Some(&b"content"[..]));
    // It can be all there is.
    ground.cluster.trackers[0].stop().unwrap();
    assert_eq!(ground.download(1, &id).as_deref(), Some(&b"content"[..]));
    let more = client(&[second]);
    let uploaded = ground.runtime.block_on(more.upload(b"more".as_slice().into(), &UploadOptions::default()));
    ground.both_have(&[&uploaded.unwrap().id]);
    ground.cluster.stop().unwrap();
}
