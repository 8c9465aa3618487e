//! The guide from FastDFS to Cairn and back (`docs/operations/upgrade.md`), walked with its own commands on the folders that
//! FastDFS 6.16.1 left of a tracker and two storages.
//!
//! `/etc/fdfs` of the guide is a folder for each server. No test machine has FastDFS: under its names stands in a Cairn that
//! packs nothing, so that the cluster is whole at each step. What FastDFS would find is looked at before each of its starts.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::files::{noise, run};
use e2e::on_disk;
use e2e::page::{same_steps, steps};
use e2e::recorded::{copy, readdress};
use fdfs_client::{
    Client, ClientConfig, DownloadOptions, FileId, MetaFlag, Metadata, ServerAddr, UploadOptions,
};
use fdfs_fileid::Kind;
use tempfile::TempDir;
use testkit::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use testkit::binary;
use testkit::conf::Conf;
use testkit::fixtures::Recording;

const GUIDE: &str = "docs/operations/upgrade.md";

/// Of the recording.
const SUBDIR_COUNT: u16 = 4;

/// What stands in for FastDFS: nothing is packed, whatever the configuration says.
const STAND_IN: &str = "#!/bin/sh
set -eu
{ echo 'pack_max_size = 0'; sed '/^pack_max_size/d' \"$1\"; } > \"$1.fastdfs\"
exec cairn ROLE \"$1.fastdfs\" \"$2\"
";

/// A server of the cluster, whoever runs it.
struct Place {
    role: &'static str,
    /// Its `/etc/fdfs`.
    etc: PathBuf,
    base: PathBuf,
    address: SocketAddr,
    _claim: Loopback,
}

impl Place {
    fn conf(&self) -> PathBuf {
        self.etc.join(format!("{}.conf", self.role))
    }
}

struct Site {
    tracker: Place,
    storages: [Place; 2],
    /// Where the programs are.
    path: String,
    // Last, so that the servers are gone before their folder is.
    folder: TempDir,
}

impl Site {
    /// What FastDFS left, at addresses of the test's; nothing runs yet.
    fn new() -> Site {
        let recording = Recording::Plain.stores().unwrap();
        let folder = tempfile::Builder::new().prefix("cairn-upgrade-").tempdir().unwrap();
        let claims = [0; 3].map(|_| Loopback::claim().unwrap());
        let new = [0, 1, 2].map(|index| claims[index].ip().to_string());
        let addresses =
            [("127.0.0.2", new[0].clone()), ("127.0.0.3", new[1].clone()), ("127.0.0.4", new[2].clone())];
        let names = ["tracker", "storage3", "storage4"];
        let [tracker, first, second] = claims;
        let mut places = [tracker, first, second].into_iter().zip(names).map(|(claim, name)| {
            let base = folder.path().join(name);
            copy(&recording.path().join(name).join("data"), &base.join("data"));
            readdress(&base.join("data"), &addresses);
            let (role, port) =
                if name == "tracker" { ("tracker", TRACKER_PORT) } else { ("storage", STORAGE_PORT) };
            let etc = folder.path().join("etc").join(name);
            Place { role, etc, base, address: claim.port(port), _claim: claim }
        });
        let [tracker, first, second] = [0; 3].map(|_| places.next().unwrap());
        drop(places);
        // A peer's mark is called after its address.
        for (of, peer, old) in [(&first, &second, "127.0.0.4"), (&second, &first, "127.0.0.3")] {
            let sync = of.base.join("data/sync");
            fs::rename(sync.join(format!("{old}_{STORAGE_PORT}.mark")), mark(of, peer)).unwrap();
        }
        let path = format!("{}:{}", programs(folder.path()).display(), std::env::var("PATH").unwrap());
        let site = Site { tracker, storages: [first, second], path, folder };
        site.write_confs();
        site
    }

    /// Files as FastDFS's samples are: the last keys are those of a section.
    fn write_confs(&self) {
        let tracker = self.tracker.address;
        let server = |place: &Place| {
            fs::create_dir_all(&place.etc).unwrap();
            Conf::new()
                .set("base_path", place.base.display())
                .add("tracker_server", tracker)
                .write(&place.etc.join("client.conf"))
                .unwrap();
            Conf::new()
                .set("bind_addr", place.address.ip())
                .set("port", place.address.port())
                .set("base_path", place.base.display())
                .set("[error-log] log_file_keep_days", 15)
        };
        // The disk of a test machine may be nearly full; that has tests of its own.
        server(&self.tracker).set("reserved_storage_space", "1MB").write(&self.tracker.conf()).unwrap();
        for place in &self.storages {
            server(place)
                .set("group_name", "group1")
                .set("store_path_count", 1)
                .set("store_path0", place.base.display())
                .set("subdir_count_per_path", SUBDIR_COUNT)
                .set("heart_beat_interval", 1)
                .set("tracker_server", tracker)
                .write(&place.conf())
                .unwrap();
        }
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.storages.iter().chain([&self.tracker])
    }

    fn client(&self) -> Client {
        let tracker = self.tracker.address;
        Client::new(ClientConfig::new([ServerAddr::new(tracker.ip(), tracker.port())]))
    }

    /// Runs a command in a shell; it succeeds.
    fn command(&self, line: &str) {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("PATH", &self.path)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}: {}{}", text(&output.stdout), text(&output.stderr));
    }

    /// The commands below a heading of the guide, for this server; `look` is called before FastDFS starts.
    fn walk(&self, heading: &str, place: &Place, look: impl Fn()) {
        let steps: Vec<_> = steps(GUIDE).into_iter().filter(|step| step.heading == heading).collect();
        assert!(!steps.is_empty(), "the guide has no commands for {heading}");
        for line in steps.iter().flat_map(|step| step.typed.lines()) {
            if line.starts_with("fdfs_") && line.ends_with(" start") {
                look();
            }
            self.command(&line.replace("/etc/fdfs", &place.etc.display().to_string()));
        }
    }
}

impl Drop for Site {
    /// No test leaves a server behind, failed or not.
    fn drop(&mut self) {
        for place in self.places() {
            let conf = place.conf();
            let _ = Command::new(binary::cairn().unwrap()).arg(place.role).arg(&conf).arg("stop").output();
        }
    }
}

/// The program under test, and what stands in for FastDFS.
fn programs(folder: &Path) -> PathBuf {
    let programs = folder.join("programs");
    fs::create_dir(&programs).unwrap();
    symlink(binary::cairn().unwrap(), programs.join("cairn")).unwrap();
    for (name, role) in [("fdfs_trackerd", "tracker"), ("fdfs_storaged", "storage")] {
        let file = programs.join(name);
        fs::write(&file, STAND_IN.replace("ROLE", role)).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    }
    programs
}

/// Where a storage notes how far it has sent its changes to a peer.
fn mark(of: &Place, peer: &Place) -> PathBuf {
    of.base.join(format!("data/sync/{}_{STORAGE_PORT}.mark", peer.address.ip()))
}

/// What clients know of the cluster.
#[derive(Default)]
struct Known {
    contents: BTreeMap<FileId, Vec<u8>>,
    gone: BTreeSet<FileId>,
    stored: usize,
}

impl Known {
    /// The files that were there before.
    fn of(store_path: &Path) -> Known {
        let mut known = Known::default();
        for entry in fs::read_dir(store_path.join("data/00/00")).unwrap() {
            let entry = entry.unwrap();
            let base = entry.file_name().into_string().unwrap();
            if !base.ends_with("-m") {
                let id = format!("group1/M00/00/00/{base}").parse().unwrap();
                known.contents.insert(id, fs::read(entry.path()).unwrap());
            }
        }
        known
    }

    /// Stores a small file and a larger one at each storage, changes one, and deletes one that was stored before.
    async fn change(&mut self, site: &Site) {
        let client = site.client();
        for place in &site.storages {
            let storage = client.storage(ServerAddr::new(place.address.ip(), place.address.port()));
            for len in [5_000, 100_000] {
                self.stored += 1;
                let content = noise(len + self.stored);
                let options = UploadOptions::default();
                let id = storage.upload(content.as_slice().into(), None, &options).await.unwrap().id;
                self.contents.insert(id, content);
            }
        }
        let appender = self.contents.keys().find(|id| id.name.kind() == Kind::Appender).unwrap().clone();
        client.append(&appender, "more".into()).await.unwrap();
        self.contents.get_mut(&appender).unwrap().extend_from_slice(b"more");
        let new: Vec<FileId> = self.contents.keys().filter(|id| self.is_new(id)).cloned().collect();
        client
            .set_metadata(&new[0], &Metadata::from_iter([("width", "1")]), MetaFlag::Overwrite)
            .await
            .unwrap();
        client.delete(&new[1]).await.unwrap();
        self.contents.remove(&new[1]);
        self.gone.insert(new[1].clone());
    }

    /// Whether one of the test's own: their sizes are those of nothing that was recorded.
    fn is_new(&self, id: &FileId) -> bool {
        let len = self.contents[id].len();
        (5_000..5_100).contains(&len) || (100_000..100_100).contains(&len)
    }

    /// Every file is served as it was stored.
    async fn are_served(&self, site: &Site) {
        let client = site.client();
        for (id, content) in &self.contents {
            let served = client.download(id, &DownloadOptions::default()).await.unwrap();
            assert!(served == *content, "{id}");
        }
        for id in &self.gone {
            let refused = client.download(id, &DownloadOptions::default()).await.err();
            assert!(refused.is_some_and(|error| error.is_not_found()), "{id}");
        }
    }

    /// Every file is a file of its own under its name, and nothing else is there that FastDFS would take for one.
    fn are_files(&self, place: &Place) {
        on_disk::check(&place.base).unwrap();
        for (id, content) in &self.contents {
            let path = place.base.join("data").join(id.name.true_name());
            assert!(fs::read(&path).unwrap() == *content, "{}", path.display());
        }
        for id in &self.gone {
            assert!(!place.base.join("data").join(id.name.true_name()).exists(), "{id}");
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The keys of a state file, in their order.
fn keys(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split('=').next().unwrap().trim()).collect()
}

/// A line of the binlog as FastDFS reads it: time, kind, name, and what belongs to the kind (storage internals: records).
fn is_record(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let [time, kind, name, more @ ..] = words.as_slice() else { return false };
    let is_name = |name: &str| name.starts_with("M00/") && name.len() > 10 && name.len() <= 127;
    let are_numbers =
        |words: &[&str]| words.len() == 2 && words.iter().all(|word| word.parse::<u64>().is_ok());
    let fits = match kind.to_ascii_uppercase().as_str() {
        "C" | "D" | "U" => more.is_empty(),
        "A" | "M" | "T" => are_numbers(more),
        "R" | "L" => more.len() == 1 && is_name(more[0]),
        _ => false,
    };
    time.parse::<u32>().is_ok() && is_name(name) && fits && line.len() < 256
}

/// The state of a storage is what FastDFS reads.
fn is_state_of_a_storage(site: &Site, index: usize, recorded: &Path) {
    let (place, peer) = (&site.storages[index], &site.storages[1 - index]);
    let data = place.base.join("data");
    // No packs, nothing left to do.
    let ours = data.join(".cairn");
    assert!(!ours.join("packs").exists());
    assert_eq!(fs::read_dir(ours.join("journal")).unwrap().count(), 0);
    // Folders that are missing would make FastDFS take the disk for a new one.
    for first in 0..SUBDIR_COUNT {
        for second in 0..SUBDIR_COUNT {
            assert!(data.join(format!("{first:02X}/{second:02X}")).is_dir());
        }
    }
    let (log, old) = (text(&data.join("sync/binlog.000")), text(&recorded.join("sync/binlog.000")));
    assert!(log.len() > old.len() && log.starts_with(&old) && log.ends_with('\n'));
    let odd: Vec<&str> = log.lines().filter(|line| !is_record(line)).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert_eq!(text(&data.join("sync/binlog_index.dat")), "current_write=0\ncurrent_compress=0\n");
    // A mark has all keys, and leads to the beginning of a line.
    let mark = text(&mark(place, peer));
    let expected = [
        "binlog_index",
        "binlog_offset",
        "need_sync_old",
        "sync_old_done",
        "until_timestamp",
        "scan_row_count",
        "sync_row_count",
    ];
    assert_eq!(keys(&mark), expected);
    let offset =
        mark.lines().nth(1).unwrap().strip_prefix("binlog_offset=").unwrap().parse::<usize>().unwrap();
    assert!(log[..offset].ends_with('\n') && offset > old.len(), "{mark}");
    for file in [".data_init_flag", "storage_stat.dat"] {
        assert_eq!(keys(&text(&data.join(file))), keys(&text(&recorded.join(file))), "{file}");
    }
}

/// The state of a tracker is what FastDFS reads: as many groups and storages, with the same keys.
fn is_state_of_a_tracker(site: &Site, recorded: &Path) {
    let data = site.tracker.base.join("data");
    for file in ["storage_groups_new.dat", "storage_servers_new.dat"] {
        let (new, old) = (text(&data.join(file)), text(&recorded.join(file)));
        let plain = |text: &str| -> Vec<String> {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            lines.map(|line| line.split('=').next().unwrap().to_owned()).collect()
        };
        assert_eq!(plain(&new), plain(&old), "{file}");
    }
    let times = text(&data.join("storage_sync_timestamp.dat"));
    assert!(
        times.lines().all(|line| line.starts_with("group1,127.0.0.") && line.split(',').count() == 4),
        "{times}"
    );
}

#[test]
fn a_cluster_of_fastdfs_goes_over_server_by_server_and_comes_back_with_every_file() {
    let recorded = Recording::Plain.stores().unwrap();
    let left = |name: &str| recorded.path().join(name).join("data");
    let site = Site::new();
    let mut known = Known::of(&site.storages[0].base);
    assert_eq!(known.contents.len(), 14);
    for place in site.places().collect::<Vec<_>>().into_iter().rev() {
        site.command(&format!("fdfs_{}d {} start", place.role, place.conf().display()));
    }
    site.command(&format!("cairn doctor -c {}/client.conf --wait 120", site.tracker.etc.display()));
    run(known.are_served(&site));

    for place in &site.storages {
        site.walk("Before", place, || ());
    }
    site.walk("Over: a tracker", &site.tracker, || ());
    run(known.change(&site));
    for place in &site.storages {
        site.walk("Over: a storage", place, || ());
        run(known.change(&site));
        run(known.are_served(&site));
    }
    // So far nothing has been packed.
    for place in &site.storages {
        known.are_files(place);
    }
    for place in &site.storages {
        site.walk("When you will not go back", place, || ());
    }
    run(known.change(&site));
    run(known.are_served(&site));
    let packs = |place: &Place| fs::read_dir(place.base.join("data/.cairn/packs")).unwrap().count();
    assert!(site.storages.iter().all(|place| packs(place) > 0), "nothing was packed");

    for (index, name) in ["storage3", "storage4"].into_iter().enumerate() {
        let place = &site.storages[index];
        site.walk("Back: a storage", place, || {
            known.are_files(place);
            is_state_of_a_storage(&site, index, &left(name));
        });
        run(known.change(&site));
        run(known.are_served(&site));
    }
    site.walk("Back: a tracker", &site.tracker, || is_state_of_a_tracker(&site, &left("tracker")));
    run(known.change(&site));
    run(known.are_served(&site));
    for place in &site.storages {
        known.are_files(place);
    }
}

#[test]
fn both_languages_have_the_same_commands() {
    same_steps(GUIDE, "docs/operations/upgrade.zh-CN.md");
}
