//! `cairn cluster`: clusters of background processes, made, used, hurt and mended with nothing but commands.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use fdfs_client::{Client, ClientConfig, FileId, ServerAddr};
use tempfile::TempDir;
use testkit::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use testkit::{binary, logs, wait};

/// Status, standard output, standard error.
type Told = (i32, String, String);

/// A place for one cluster; whatever runs there is stopped in the end.
struct Site {
    folder: TempDir,
    shape: &'static str,
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
        Site { folder: tempfile::tempdir().unwrap(), shape, addresses }
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
        self.run(&["cluster", "start", "--shape", self.shape, "--first-ip", &first])
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
    for contradiction in [["--shape", "1x1x2"], ["--first-ip", "127.0.0.251"]] {
        let (code, _, err) = site.run(&["cluster", "start", contradiction[0], contradiction[1]]);
        assert_eq!(code, 1);
        assert!(err.contains("holds a cluster of another --shape or --first-ip"), "{err}");
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
