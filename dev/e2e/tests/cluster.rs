//! `cairn cluster`: clusters of background processes, made, used, hurt and mended with nothing but commands.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use e2e::tree;
use fdfs_client::{Client, ClientConfig, FileId, ServerAddr, UploadOptions};
use rustix::process::Signal;
use tempfile::TempDir;
use testkit::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use testkit::{binary, logs, wait};

/// Status, standard output, standard error.
type Told = (i32, String, String);

/// A place for one cluster; whatever runs there is stopped in the end.
struct Site {
    folder: TempDir,
    shape: &'static str,
    /// Further words for the first start.
    more: &'static [&'static str],
    addresses: Vec<Loopback>,
}

/// A line of `cairn cluster status`.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    name: String,
    group: String,
    pid: Option<u32>,
    status: String,
}

impl Site {
    /// Nothing runs yet, and nothing is made.
    fn new(shape: &'static str, servers: u8) -> Site {
        let addresses = Loopback::claim_row(servers).unwrap();
        Site { folder: tempfile::tempdir().unwrap(), shape, more: &[], addresses }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Told {
        let output = Command::new(binary::cairn().unwrap())
            .args(words)
            .current_dir(self.folder.path())
            .env_remove("LANG")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// The first start.
    fn make(&self) -> Told {
        let first = self.addresses[0].ip().to_string();
        let words = ["cluster", "start", "--shape", self.shape, "--first-ip", first.as_str()];
        self.run(&[&words[..], self.more].concat())
    }

    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run(words);
        assert_eq!(code, 0, "{words:?}: {out}{err}");
        out
    }

    /// Exit status and servers.
    fn status(&self) -> (i32, Vec<Line>) {
        let (code, out, err) = self.run(&["cluster", "status"]);
        assert_eq!(err, "");
        let line = |line: &str| {
            let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            let mut cell = || cells.next().unwrap_or_else(|| panic!("{out}")).to_owned();
            let (name, group, _, process, status) = (cell(), cell(), cell(), cell(), cell());
            let pid = process.strip_prefix("up, pid ").map(|pid| pid.parse().unwrap());
            assert!(pid.is_some() || process == "down", "{out}");
            Line { name, group, pid, status }
        };
        (code, out.lines().skip(1).map(line).collect())
    }

    fn pid(&self, name: &str) -> Option<u32> {
        self.status().1.into_iter().find(|line| line.name == name).unwrap().pid
    }

    /// Stores a text; its id.
    #[track_caller]
    fn upload(&self, text: &str) -> String {
        fs::write(self.path("sent.txt"), text).unwrap();
        self.done(&["fdfs_upload_file", "cairn-cluster/client.conf", "sent.txt"]).trim_end().to_owned()
    }

    #[track_caller]
    fn download(&self, id: &str) -> String {
        self.done(&["fdfs_download_file", "cairn-cluster/client.conf", id, "got.txt"]);
        fs::read_to_string(self.path("got.txt")).unwrap()
    }

    /// How many storages this tracker would send a reader of the file to.
    fn holders(&self, tracker: usize, id: &str) -> usize {
        let id: FileId = id.parse().unwrap();
        let address = ServerAddr::new(self.addresses[tracker].ip().into(), TRACKER_PORT);
        let tracker = Client::new(ClientConfig::new([address.clone()])).tracker(address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tracker.query_fetch_all(&id)).map_or(0, |holders| holders.len())
    }

    fn stop(&self) {
        let pids: Vec<u32> = self.status().1.iter().filter_map(|line| line.pid).collect();
        self.done(&["cluster", "stop"]);
        for pid in pids {
            // One that has ended and waits for its parent has no words left.
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            assert!(words.is_empty(), "{pid} still runs: {}", String::from_utf8_lossy(&words));
        }
        let (code, lines) = self.status();
        assert_eq!(code, 1);
        assert!(lines.iter().all(|line| line.pid.is_none()), "{lines:?}");
    }
}

impl Drop for Site {
    /// No test leaves a server behind, failed or not.
    fn drop(&mut self) {
        let _ = self.run(&["cluster", "stop"]);
    }
}

fn statuses<'a>(lines: &'a [Line], group: &str) -> Vec<&'a str> {
    lines.iter().filter(|line| line.group == group).map(|line| line.status.as_str()).collect()
}

#[test]
fn a_cluster_of_one_is_made_used_stopped_and_started_again_with_its_files() {
    let site = Site::new("1x1x1", 2);
    let (code, out, err) = site.make();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("fdfs_upload_file cairn-cluster/client.conf FILE"), "{out}");
    let (code, lines) = site.status();
    assert_eq!(code, 0, "{lines:?}");
    assert_eq!((statuses(&lines, "-"), statuses(&lines, "group1")), (vec!["leader"], vec!["ACTIVE"]));
    let (kept, gone) = (site.upload("kept"), site.upload("gone"));
    assert_eq!(site.download(&kept), "kept");
    site.done(&["fdfs_delete_file", "cairn-cluster/client.conf", &gone]);
    assert_ne!(site.run(&["fdfs_download_file", "cairn-cluster/client.conf", &gone]).0, 0);

    // Only what is missing is started.
    let tracker = site.pid("tracker1");
    site.done(&["cluster", "stop", "group1-storage1"]);
    let (code, lines) = site.status();
    assert_eq!((code, statuses(&lines, "group1")), (1, vec!["OFFLINE"]));
    let out = site.done(&["cluster", "start"]);
    assert!(out.starts_with("group1-storage1: ") && !out.contains("tracker1: "), "{out}");
    assert_eq!(site.pid("tracker1"), tracker);

    site.stop();
    site.done(&["cluster", "start", "--shape", "1x1x1"]);
    assert_eq!(site.download(&kept), "kept");
    site.stop();
    logs::check_folder(&site.path("cairn-cluster"), &[]).unwrap();
}

#[test]
fn the_configurations_are_read_at_a_start_and_an_option_that_contradicts_them_is_refused() {
    let site = Site::new("1x1x1", 2);
    assert_eq!(site.make().0, 0);
    site.stop();
    for contradiction in [&["--shape", "1x1x2"][..], &["--first-ip", "127.0.0.251"], &["--storage-ids"]] {
        let (code, _, err) = site.run(&[&["cluster", "start"], contradiction].concat());
        assert_eq!(code, 1);
        assert!(err.contains("holds a cluster of another --shape, --first-ip or --storage-ids"), "{err}");
    }
    let conf = site.path("cairn-cluster/group1-storage1/storage.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text.replace("port = 23000", "port = 23009")).unwrap();
    site.done(&["cluster", "start"]);
    assert!(std::net::TcpStream::connect(site.addresses[1].port(23009)).is_ok());
    let (code, _, err) = site.run(&["cluster", "stop", "group1-storage2"]);
    assert_eq!(code, 1);
    assert!(err.contains("no server group1-storage2: there are tracker1, group1-storage1"), "{err}");
}

#[test]
fn servers_start_by_name_and_a_storage_without_any_tracker_is_a_failure() {
    let site = Site::new("1x1x1", 2);
    assert_eq!(site.make().0, 0);
    site.stop();
    let (code, out, err) = site.run(&["cluster", "start", "group1-storage1"]);
    assert_eq!(code, 1);
    assert!(out.starts_with("group1-storage1: ") && err.contains("no tracker runs"), "{out}{err}");
    assert!(site.pid("group1-storage1").is_some(), "it runs all the same");
    site.stop();
    // A tracker has nothing to wait for as long as it is alone.
    site.done(&["cluster", "start", "tracker1"]);
    site.done(&["cluster", "start", "group1-storage1"]);
    assert_eq!(site.status().0, 0);
    site.stop();
}

#[test]
fn members_of_one_group_share_an_address_by_their_numbers_and_the_cluster_is_removed_with_a_yes() {
    let mut site = Site::new("1x1x2", 2);
    site.more = &["--storage-ids"];
    let (code, out, err) = site.make();
    assert_eq!(code, 0, "{out}{err}");
    let (_, lines) = site.status();
    assert_eq!(statuses(&lines, "group1"), ["ACTIVE", "ACTIVE"]);
    let held_by_both = |id: &str| {
        wait::until(&format!("a copy of {id}"), wait::READY, || {
            site.upload("later");
            (site.holders(0, id) == 2).then_some(())
        })
        .unwrap();
    };
    let first = site.upload("first");
    held_by_both(&first);

    // Each is hurt once, and gets what came meanwhile.
    let mut ids = vec![(first, "first")];
    for (storage, text) in [("group1-storage1", "without one"), ("group1-storage2", "without two")] {
        let pid = rustix::process::Pid::from_raw(site.pid(storage).unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        wait::until("the tracker's notice", wait::READY, || {
            site.status().1.iter().any(|line| line.name == storage && line.status == "OFFLINE").then_some(())
        })
        .unwrap();
        ids.push((site.upload(text), text));
        assert_eq!(site.download(&ids.last().unwrap().0), text);
        site.done(&["cluster", "start"]);
        for (id, text) in &ids {
            held_by_both(id);
            assert_eq!(site.download(id), *text);
        }
    }
    let started = |words: &[&str]| site.run(&[&["cluster", "start"], words].concat());
    assert_eq!(started(&["--storage-ids"]).0, 0, "it is one");

    // Without a yes, and for folders of others, nothing happens.
    let (code, _, err) = site.run(&["cluster", "remove"]);
    assert_eq!(code, 1);
    assert!(err.contains("stops 3 servers and deletes") && err.contains("--yes"), "{err}");
    let mark = site.path("cairn-cluster/.cairn-cluster");
    let words = fs::read(&mark).unwrap();
    fs::remove_file(&mark).unwrap();
    let (code, _, err) = site.run(&["cluster", "remove", "--yes"]);
    assert_eq!(code, 1);
    assert!(err.contains("was not made by cluster start"), "{err}");
    assert_eq!(site.status().0, 0, "it still runs");
    fs::write(&mark, words).unwrap();
    let pids: Vec<u32> = site.status().1.iter().filter_map(|line| line.pid).collect();
    assert_eq!(pids.len(), 3);
    site.done(&["cluster", "remove", "--yes"]);
    assert!(!site.path("cairn-cluster").exists());
    for pid in pids {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(words.is_empty(), "{pid} still runs: {}", String::from_utf8_lossy(&words));
    }
    let left: Vec<_> =
        fs::read_dir(site.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".cairn")), "{left:?}");
    assert_eq!(site.run(&["cluster", "remove", "--yes"]).0, 1, "there is none any more");
}

#[test]
fn a_taken_address_is_named_before_anything_is_made_or_started() {
    let site = Site::new("1x1x1", 2);
    let at = site.addresses[1].port(STORAGE_PORT);
    let taken = TcpListener::bind(at).unwrap();
    let (code, out, err) = site.make();
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains(&format!("group1-storage1: {at} is taken by ")), "{err}");
    assert!(err.contains(&format!("pid {}", std::process::id())), "{err}");
    assert!(err.contains("--first-ip"), "{err}");
    assert!(!site.path("cairn-cluster").exists());
    let (code, _, err) = site.run(&["cluster", "status"]);
    assert_eq!(code, 1);
    assert!(err.contains("no cluster is in cairn-cluster") && err.contains("cluster start"), "{err}");

    drop(taken);
    assert_eq!(site.make().0, 0);
    site.done(&["cluster", "stop", "group1-storage1"]);
    let _taken = TcpListener::bind(at).unwrap();
    let (code, out, err) = site.run(&["cluster", "start"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains(&format!("{at} is taken by ")), "{err}");
}

#[test]
fn two_groups_serve_on_without_the_tracker_that_led() {
    let site = Site::new("2x2x1", 4);
    let (code, out, err) = site.make();
    assert_eq!(code, 0, "{out}{err}");
    let (_, lines) = site.status();
    let leader = lines.iter().find(|line| line.status == "leader").unwrap().name.clone();
    let ids = [site.upload("one"), site.upload("two")];
    site.done(&["cluster", "stop", &leader]);
    assert_eq!(ids.each_ref().map(|id| site.download(id)), ["one", "two"]);
    let id = site.upload("three");
    assert_eq!(site.download(&id), "three");
    let lines = wait::until("another leader", wait::READY, || {
        let (code, lines) = site.status();
        assert_eq!(code, 1, "a tracker is down: {lines:?}");
        lines.iter().any(|line| line.status == "leader").then_some(lines)
    })
    .unwrap();
    let down: Vec<&str> =
        lines.iter().filter(|line| line.pid.is_none()).map(|line| line.name.as_str()).collect();
    assert_eq!(down, [leader.as_str()]);
    assert_eq!((statuses(&lines, "group1"), statuses(&lines, "group2")), (vec!["ACTIVE"], vec!["ACTIVE"]));
    site.done(&["cluster", "start", &leader]);
    assert_eq!(site.status().0, 0);
    site.stop();
}

/// The seed walk-through.
#[test]
fn two_trackers_and_two_groups_of_two_serve_on_without_one_tracker_and_one_storage_of_each_group() {
    let site = Site::new("2x2x2", 6);
    let (code, out, err) = site.make();
    assert_eq!(code, 0, "{out}{err}");
    let (code, lines) = site.status();
    assert_eq!(code, 0, "{lines:?}");
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(
        names,
        ["tracker1", "tracker2", "group1-storage1", "group1-storage2", "group2-storage1", "group2-storage2"]
    );
    for group in ["group1", "group2"] {
        assert_eq!(statuses(&lines, group), ["ACTIVE", "ACTIVE"]);
    }
    assert_eq!(
        statuses(&lines, "-").into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(["follower", "leader"])
    );

    // Uploads take turns: both groups get some.
    let text = |number: usize| format!("file {number}\n");
    let mut ids: Vec<String> = (0..8).map(|number| site.upload(&text(number))).collect();
    for group in ["group1/", "group2/"] {
        assert!(ids.iter().any(|id| id.starts_with(group)), "{ids:?}");
    }
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(site.download(id), text(number));
    }
    let gone = ids.pop().unwrap();
    site.done(&["fdfs_delete_file", "cairn-cluster/client.conf", &gone]);

    // Each file has its copy, and both trackers know: they believe it when something later has arrived there, too.
    for id in &ids {
        wait::until(&format!("a copy of {id}"), wait::READY, || {
            site.upload("later");
            (site.holders(0, id) == 2 && site.holders(1, id) == 2).then_some(())
        })
        .unwrap();
    }

    let leader = lines.iter().find(|line| line.status == "leader").unwrap().name.clone();
    let stopped = [leader.as_str(), "group1-storage1", "group2-storage2"];
    let mut words = vec!["cluster", "stop"];
    words.extend(stopped);
    site.done(&words);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(site.download(id), text(number), "{id} without {stopped:?}");
    }
    assert_ne!(site.run(&["fdfs_download_file", "cairn-cluster/client.conf", &gone, "gone.txt"]).0, 0);
    let meanwhile: Vec<String> = (0..4).map(|number| site.upload(&text(number))).collect();
    for (number, id) in meanwhile.iter().enumerate() {
        assert_eq!(site.download(id), text(number));
    }
    let (code, lines) = site.status();
    assert_eq!(code, 1);
    let down: BTreeSet<&str> =
        lines.iter().filter(|line| line.pid.is_none()).map(|line| line.name.as_str()).collect();
    assert_eq!(down, BTreeSet::from(stopped));
    assert_eq!(statuses(&lines, "group1"), ["OFFLINE", "ACTIVE"]);
    assert_eq!(statuses(&lines, "group2"), ["ACTIVE", "OFFLINE"]);

    // Back again, they get what they missed.
    let out = site.done(&["cluster", "start"]);
    assert_eq!(out.matches(": started").count(), stopped.len(), "{out}");
    assert_eq!(site.status().0, 0);
    for id in &meanwhile {
        wait::until(&format!("a copy of {id}"), wait::READY, || {
            site.upload("later");
            (site.holders(0, id) == 2 && site.holders(1, id) == 2).then_some(())
        })
        .unwrap();
    }
    site.stop();
}

/// What a client was told.
#[derive(Default)]
struct Acknowledged {
    /// Acknowledged uploads, and what was sent.
    kept: BTreeMap<String, Vec<u8>>,
    /// Acknowledged deletions.
    gone: BTreeSet<String>,
    refused: usize,
    /// Deletions that were refused, and how.
    undeleted: BTreeMap<String, String>,
}

/// Uploads, reads and deletes until told to stop; what was acknowledged.
fn load(addresses: Vec<ServerAddr>, stop: &AtomicBool, seed: u64) -> Acknowledged {
    let mut config = ClientConfig::new(addresses);
    config.connect_timeout = Duration::from_secs(2);
    config.network_timeout = Duration::from_secs(10);
    let client = Client::new(config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut told = Acknowledged::default();
    for count in 0.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let len = [0, 100, 5_000, 70_000, 300_000][count % 5];
        let content = tree::content(seed + count as u64, len);
        match runtime.block_on(client.upload(content.as_slice().into(), &UploadOptions::default())) {
            Ok(uploaded) => {
                let id = uploaded.id.to_string();
                assert!(told.kept.insert(id.clone(), content).is_none(), "{id} was given out twice");
                if count % 4 == 3 {
                    let content = told.kept.remove(&id).unwrap();
                    match runtime.block_on(client.delete(&uploaded.id)) {
                        Ok(()) => drop(told.gone.insert(id)),
                        // It may be gone and may be there; an answer is needed to say.
                        Err(error) if error.outcome_unknown() => {}
                        Err(error) => {
                            told.undeleted.insert(id.clone(), error.to_string());
                            told.kept.insert(id, content);
                        }
                    }
                }
            }
            Err(_) => told.refused += 1,
        }
    }
    told
}

/// The files of a storage by name, unpacked; metadata there is none.
fn files_of(site: &Site, storage: &str) -> BTreeMap<String, Vec<u8>> {
    site.done(&["unpack", &format!("cairn-cluster/{storage}/storage.conf")]);
    let data = site.path("cairn-cluster").join(storage).join("data");
    let mut files = BTreeMap::new();
    let is_hex = |name: &str| name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let folders = |parent: &Path| -> Vec<String> {
        let names =
            fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| is_hex(name)).collect()
    };
    for first in folders(&data) {
        for second in folders(&data.join(&first)) {
            for entry in fs::read_dir(data.join(&first).join(&second)).unwrap() {
                let entry = entry.unwrap();
                let name = format!("M00/{first}/{second}/{}", entry.file_name().into_string().unwrap());
                files.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

/// Whether a storage has pushed all of its log to its peers, and noted so.
fn has_pushed_all(site: &Site, storage: &str) -> bool {
    let sync = site.path("cairn-cluster").join(storage).join("data/sync");
    let len = fs::metadata(sync.join("binlog.000")).unwrap().len();
    let mut marks = fs::read_dir(&sync).unwrap().map(|entry| entry.unwrap().path());
    let mark = marks.find(|path| path.extension().is_some_and(|extension| extension == "mark"));
    let mark = mark.map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
    mark.lines().any(|line| line == format!("binlog_offset={len}"))
}

/// What the logs of these storages say of a file.
fn lines_about(site: &Site, storages: &[&str], name: &str) -> String {
    let mut text = String::new();
    for storage in storages {
        let folder = site.path("cairn-cluster").join(storage);
        for log in ["data/sync/binlog.000", "logs/storaged.log"] {
            let log = fs::read_to_string(folder.join(log)).unwrap_or_default();
            log.lines()
                .filter(|line| line.contains(name))
                .for_each(|line| text += &format!("{storage}: {line}\n"));
        }
    }
    text
}

/// How many members are hurt; `CLUSTER_ROUNDS=200` takes a quarter of an hour.
fn rounds() -> usize {
    std::env::var("CLUSTER_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8)
}

#[test]
fn whoever_is_killed_stopped_or_silenced_under_load_nothing_acknowledged_is_lost_and_members_are_equal() {
    let site = Site::new("2x2x2", 6);
    let (code, out, err) = site.make();
    assert_eq!(code, 0, "{out}{err}");
    let stop = AtomicBool::new(false);
    let trackers: Vec<_> = site.addresses[..2]
        .iter()
        .map(|address| ServerAddr::new(address.ip().into(), TRACKER_PORT))
        .collect();
    let seed: u64 = 0x5eed;
    let told = std::thread::scope(|scope| {
        let clients: Vec<_> = [1, 2]
            .map(|client| {
                let (trackers, stop) = (trackers.clone(), &stop);
                scope.spawn(move || load(trackers, stop, seed + client * 1_000_000_007))
            })
            .into();
        let hurt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..rounds() {
                let (_, lines) = site.status();
                // Storages more often: they hold the files.
                let victim = &lines[[2, 5, 3, 4, 0, 2, 4, 1, 3, 5][round % 10]];
                let pid = rustix::process::Pid::from_raw(victim.pid.unwrap().try_into().unwrap()).unwrap();
                match round % 3 {
                    0 => rustix::process::kill_process(pid, Signal::KILL).unwrap(),
                    1 => drop(site.done(&["cluster", "stop", &victim.name])),
                    _ => {
                        rustix::process::kill_process(pid, Signal::STOP).unwrap();
                        // Long enough for others to notice; nothing tells when they have.
                        let deadline = Instant::now() + Duration::from_secs(3);
                        wait::until("silence", wait::READY, || (Instant::now() > deadline).then_some(()))
                            .unwrap();
                        rustix::process::kill_process(pid, Signal::CONT).unwrap();
                    }
                }
                wait::until(&format!("round {round}, {} back", victim.name), wait::READY, || {
                    (site.run(&["cluster", "start"]).0 == 0 && site.status().0 == 0).then_some(())
                })
                .unwrap();
            }
        }));
        stop.store(true, Ordering::Release);
        let told: Vec<Acknowledged> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        if let Err(panic) = hurt {
            std::panic::resume_unwind(panic);
        }
        told
    });
    let storages = ["group1-storage1", "group1-storage2", "group2-storage1", "group2-storage2"];
    for storage in storages {
        wait::until(&format!("{storage} has pushed all"), wait::READY, || {
            has_pushed_all(&site, storage).then_some(())
        })
        .unwrap();
    }
    site.stop();
    for (group, members) in ["group1", "group2"].iter().zip(storages.chunks(2)) {
        let [one, other] = [0, 1].map(|member| files_of(&site, members[member]));
        for told in &told {
            let of_group = |id: &str| id.strip_prefix(&format!("{group}/")).map(str::to_owned);
            for (id, content) in &told.kept {
                let Some(name) = of_group(id) else { continue };
                assert!(
                    one.get(&name) == Some(content),
                    "{id} was acknowledged, {} has not got it, {} has: {}; deletion: {:?}\n{}",
                    members[0],
                    members[1],
                    other.contains_key(&name),
                    told.undeleted.get(id),
                    lines_about(&site, members, &name)
                );
            }
            for id in &told.gone {
                let Some(name) = of_group(id) else { continue };
                assert!(
                    !one.contains_key(&name),
                    "{id} was deleted, {} has it, {} has: {}\n{}",
                    members[0],
                    members[1],
                    other.contains_key(&name),
                    lines_about(&site, members, &name)
                );
            }
        }
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(
            names(&one).symmetric_difference(&names(&other)).collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
        assert!(one == other, "members of {group} differ");
    }
    let kept: usize = told.iter().map(|told| told.kept.len()).sum();
    let gone: usize = told.iter().map(|told| told.gone.len()).sum();
    let refused: usize = told.iter().map(|told| told.refused).sum();
    println!("{} rounds: {kept} files kept, {gone} deleted, {refused} requests refused", rounds());
    assert!(kept > 10 * rounds() && gone > rounds(), "{kept} files, {gone} deletions: there was no load");
}
