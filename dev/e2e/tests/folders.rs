//! Whole folders with `cairn put` and `cairn get`: a real tree, and what is killed on the way.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use e2e::tree;
use serde_json::Value;
use testkit::cluster::{Cluster, Plan};
use testkit::process::Server;
use testkit::{binary, wait};

/// Files of the tree, at least.
const FILES: usize = 10_500;
/// How long a put may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster and a folder to put there.
struct Place {
    cluster: Cluster,
    files: usize,
}

impl Place {
    /// With these keys of `storage.conf`.
    fn new(keys: &[(&str, &str)]) -> Place {
        // The tree, the cluster's copy of it, and what comes back.
        let room = tree::quick_folder(3 << 30);
        let plan = Plan::new().within(&room);
        let plan = keys.iter().fold(plan, |plan, (key, value)| plan.storage_key(key, value));
        let cluster = plan.start().unwrap();
        let files = tree::real(&cluster.folder().join("tree"), FILES).unwrap();
        assert!(files >= 10_000);
        Place { cluster, files }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.cluster.folder().join(name)
    }

    /// Runs `cairn` on the cluster to its end; its JSON report.
    fn cairn(&self, words: &[&str]) -> Value {
        let conf = self.cluster.client_conf().display().to_string();
        let command = [words, &["--json", "-c", &conf]].concat();
        let output = Command::new(self.cluster.binary())
            .args(&command)
            .current_dir(self.cluster.folder())
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Starts `cairn put` of the tree.
    fn start_put(&self) -> Server {
        let tree = self.path("tree").display().to_string();
        let manifest = self.manifest().display().to_string();
        let conf = self.cluster.client_conf().display().to_string();
        let words = ["put", &tree, "--manifest", &manifest, "-c", &conf];
        Server::start("put", binary::cairn().unwrap(), words, &self.path("put.output")).unwrap()
    }

    fn manifest(&self) -> PathBuf {
        self.path("tree.cairn")
    }

    /// Path and true name of every file the manifest says is in the cluster.
    fn acknowledged(&self) -> Vec<(PathBuf, String)> {
        let text = fs::read_to_string(self.manifest()).unwrap_or_default();
        let file = |line: &str| {
            // The last line may be half written.
            let entry: Value = serde_json::from_str(line).ok()?;
            let id = entry["id"].as_str().filter(|_| entry["kind"] == "file")?;
            let name = id.strip_prefix("group1/M00/").unwrap().to_owned();
            Some((tree::unescaped(entry["path"].as_str()?), name))
        };
        text.lines().filter_map(file).collect()
    }

    /// Waits until the manifest lists so many files.
    fn wait_for(&self, files: usize, put: &mut Server) {
        wait::until("a part of the tree in the cluster", PATIENCE, || {
            let listed = self.acknowledged().len();
            assert!(listed >= files || put.is_running(), "{}", put.output());
            (listed >= files).then_some(())
        })
        .unwrap();
    }

    /// Every acknowledged file is on disk with the bytes of the original. Gives their number.
    fn check_acknowledged(&self) -> usize {
        let acknowledged = self.acknowledged();
        let data = self.cluster.storages[0].store_paths[0].join("data");
        for (path, name) in &acknowledged {
            let stored = fs::read(data.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(stored == fs::read(self.path("tree").join(path)).unwrap(), "{name}");
        }
        acknowledged.len()
    }

    /// `cairn fsck` finds nothing; gives how many files it saw.
    fn fsck(&self) -> u64 {
        let conf = &self.cluster.storages[0].conf;
        let output =
            Command::new(self.cluster.binary()).arg("fsck").arg("--json").arg(conf).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{printed}");
        let summary: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        assert_eq!((&summary["clean"], &summary["complete"]), (&true.into(), &true.into()), "{printed}");
        summary["normal"].as_u64().unwrap()
    }

    fn get_and_compare(&self, source: &str) {
        let report = self.cairn(&["get", source, "back"]);
        assert_eq!(report["complete"], true, "{report}");
        tree::same(&self.path("tree"), &self.path("back")).unwrap();
    }
}

#[test]
fn a_real_tree_comes_back_equal_to_the_byte() {
    let mut place = Place::new(&[]);
    let report = place.cairn(&["put", "tree"]);
    assert_eq!(report["complete"], true, "{report}");
    let files = place.files as u64;
    assert_eq!((&report["files"], &report["sent"]), (&files.into(), &files.into()));
    // From the stored manifest, as on another machine.
    place.get_and_compare(report["manifest_id"].as_str().unwrap());
    assert_eq!(place.fsck(), files + 1, "the files and their manifest");
    place.cluster.stop().unwrap();
    assert_eq!(place.fsck(), files + 1);
    place.cluster.check_logs(&[]).unwrap();
}

#[test]
fn what_a_put_has_written_down_survives_kills_of_the_server_and_of_the_put() {
    // Every file on its own, so that what is there can be seen while no server runs.
    let mut place = Place::new(&[("pack_max_size", "0")]);

    // Both at once: nothing is flushed, nobody says good-bye.
    let mut put = place.start_put();
    place.wait_for(place.files / 4, &mut put);
    place.cluster.storages[0].kill().unwrap();
    put.kill().unwrap();
    place.cluster.restart_storage(0).unwrap();
    let first = place.check_acknowledged();
    assert!(first >= place.files / 4);
    place.fsck();

    // Only the server: the put goes on by itself when it is back.
    let mut put = place.start_put();
    place.wait_for(place.files / 2, &mut put);
    place.cluster.storages[0].kill().unwrap();
    let second = place.check_acknowledged();
    assert!(put.is_running(), "{}", put.output());
    place.cluster.restart_storage(0).unwrap();
    place.wait_for((second + place.files) / 2, &mut put);
    // And the tracker, which it asks for a place for every file.
    place.cluster.trackers[0].kill().unwrap();
    place.cluster.restart_tracker(0).unwrap();
    let ended = wait::until("the end of the put", PATIENCE, || (!put.is_running()).then_some(()));
    ended.unwrap();
    assert!(put.wait().unwrap().success(), "{}", put.output());
    assert_eq!(place.check_acknowledged(), place.files);

    let manifest = place.manifest().display().to_string();
    let again = place.cairn(&["put", "tree", "--manifest", &manifest, "--check"]);
    assert_eq!((&again["sent"], &again["skipped"]), (&0.into(), &(place.files as u64).into()));
    place.get_and_compare(&manifest);
    place.cluster.stop().unwrap();
    // Files that were stored and whose answer got lost are there twice, whole.
    assert!(place.fsck() > place.files as u64);
    place
        .cluster
        .check_logs(&["lost the tracker", "cannot reach the tracker", "cut off an incomplete line"])
        .unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_no_success() {
    let cluster = Cluster::start().unwrap();
    let conf = cluster.client_conf();
    for words in [["put", "nothing"], ["get", "nothing.cairn"], ["ls", "nothing.cairn"]] {
        let mut command = Command::new(cluster.binary());
        command.args(words).current_dir(cluster.folder());
        if words[0] != "ls" {
            command.arg("-c").arg(conf);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(!Path::new("nothing.cairn").exists());
    }
}
