//! The guide from FastDFS to Cairn and back (`docs/operations/upgrade.md`), walked with its own commands on the folders that
//! FastDFS 6.16.1 left of two clusters: one of a tracker and two storages, and one of two trackers, two groups of two storages,
//! storage ids and trunk files.
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
use std::time::Duration;

use e2e::files::{noise, run};
use e2e::page::steps;
use e2e::recorded::readdress;
use fdfs_client::{
    Client, ClientConfig, DownloadOptions, FileId, MetaFlag, Metadata, ServerAddr, UploadOptions,
};
use fdfs_fileid::Kind;
use tempfile::TempDir;
use testkit::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use testkit::conf::Conf;
use testkit::fixtures::Recording;
use testkit::{binary, folder, wait};

const GUIDE: &str = "docs/operations/upgrade.md";

/// How long a cluster may take until all of it serves, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Of the recording.
const SUBDIR_COUNT: u16 = 4;

/// In front of the content in a slot of a trunk file.
const SLOT_HEADER_LEN: usize = 24;

/// What stands in for FastDFS: nothing is packed, whatever the configuration says.
const STAND_IN: &str = "#!/bin/sh
set -eu
{ echo 'pack_max_size = 0'; sed '/^pack_max_size/d' \"$1\"; } > \"$1.fastdfs\"
exec cairn ROLE \"$1.fastdfs\" \"$2\"
";

/// A cluster that was recorded.
struct Left {
    recording: Recording,
    /// What each server begins with, its address then, and the group of a storage.
    servers: &'static [(&'static str, &'static str, Option<&'static str>)],
    /// What its trackers were configured with besides.
    tracker_keys: &'static [(&'static str, &'static str)],
}

const PLAIN: Left = Left {
    recording: Recording::Plain,
    servers: &[
        ("tracker", "127.0.0.2", None),
        ("storage3", "127.0.0.3", Some("group1")),
        ("storage4", "127.0.0.4", Some("group1")),
    ],
    tracker_keys: &[],
};

const TRUNK: Left = Left {
    recording: Recording::Trunk,
    servers: &[
        // The first tracker was stopped in the middle of the recording. Here both know what the second one did.
        ("tracker12", "127.0.0.11", None),
        ("tracker12", "127.0.0.12", None),
        ("storage13", "127.0.0.13", Some("group1")),
        ("storage14", "127.0.0.14", Some("group1")),
        ("storage15", "127.0.0.15", Some("group2")),
        ("storage16", "127.0.0.16", Some("group2")),
    ],
    tracker_keys: &[
        ("use_storage_id", "true"),
        ("storage_ids_filename", "storage_ids.conf"),
        ("id_type_in_filename", "id"),
        ("use_trunk_file", "true"),
        ("trunk_file_size", "4MB"),
    ],
};

/// A server of the cluster, whoever runs it.
struct Place {
    name: &'static str,
    group: Option<&'static str>,
    /// Its `/etc/fdfs`.
    etc: PathBuf,
    base: PathBuf,
    address: SocketAddr,
    _claim: Loopback,
}

impl Place {
    fn role(&self) -> &'static str {
        if self.group.is_some() { "storage" } else { "tracker" }
    }

    fn conf(&self) -> PathBuf {
        self.etc.join(format!("{}.conf", self.role()))
    }

    fn data(&self) -> PathBuf {
        self.base.join("data")
    }

    fn server(&self) -> ServerAddr {
        ServerAddr::new(self.address.ip(), self.address.port())
    }

    /// The names of the files that say how far its changes have been sent.
    fn marks(&self) -> Vec<String> {
        let names = fs::read_dir(self.data().join("sync")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".mark")).collect()
    }
}

struct Site {
    trackers: Vec<Place>,
    storages: Vec<Place>,
    /// As it was recorded, but for the addresses.
    recorded: TempDir,
    /// Where the programs are.
    path: String,
    // Last, so that the servers are gone before their folder is.
    folder: TempDir,
}

impl Site {
    /// What FastDFS left, at addresses of the test's; nothing runs yet.
    fn new(left: &Left) -> Site {
        let recorded = left.recording.stores().unwrap();
        let folder = tempfile::Builder::new().prefix("cairn-upgrade-").tempdir().unwrap();
        let claims: Vec<Loopback> = left.servers.iter().map(|_| Loopback::claim().unwrap()).collect();
        let olds = left.servers.iter().map(|(_, old, _)| *old);
        let addresses: Vec<(&str, String)> =
            olds.zip(&claims).map(|(old, claim)| (old, claim.ip().to_string())).collect();
        let mut places = Vec::new();
        for ((name, old, group), claim) in left.servers.iter().zip(claims) {
            let data = recorded.path().join(name).join("data");
            readdress(&data, &addresses);
            // Without storage ids a mark is called after the peer's address.
            for (old, new) in &addresses {
                let mark = |ip: &str| data.join(format!("sync/{ip}_{STORAGE_PORT}.mark"));
                if mark(old).exists() {
                    fs::rename(mark(old), mark(new)).unwrap();
                }
            }
            let base = folder.path().join(old);
            folder::copy(&data, &base.join("data")).unwrap();
            let address = claim.port(if group.is_some() { STORAGE_PORT } else { TRACKER_PORT });
            let etc = folder.path().join("etc").join(old);
            places.push(Place { name, group: *group, etc, base, address, _claim: claim });
        }
        let path = format!("{}:{}", programs(folder.path()).display(), std::env::var("PATH").unwrap());
        let (storages, trackers) = places.into_iter().partition(|place: &Place| place.group.is_some());
        let site = Site { trackers, storages, recorded, path, folder };
        site.write_confs(left, &addresses);
        site
    }

    /// Files as FastDFS's samples are: the last keys are those of a section.
    fn write_confs(&self, left: &Left, addresses: &[(&str, String)]) {
        let with_trackers = |conf: Conf| {
            self.trackers.iter().fold(conf, |conf, place| conf.add("tracker_server", place.address))
        };
        let ids = fs::read_to_string(left.recording.folder().join("storage_ids.conf")).unwrap_or_default();
        let ids = addresses
            .iter()
            .fold(ids, |ids, (old, new)| ids.replace(&format!("{old}\n"), &format!("{new}\n")));
        let server = |place: &Place| {
            fs::create_dir_all(&place.etc).unwrap();
            fs::write(place.etc.join("storage_ids.conf"), &ids).unwrap();
            with_trackers(Conf::new().set("base_path", place.base.display()))
                .write(&place.etc.join("client.conf"))
                .unwrap();
            Conf::new()
                .set("bind_addr", place.address.ip())
                .set("port", place.address.port())
                .set("base_path", place.base.display())
                .set("[error-log] log_file_keep_days", 15)
        };
        for place in &self.trackers {
            let keys = left.tracker_keys.iter();
            // The disk of a test machine may be nearly full; that has tests of its own.
            keys.fold(server(place).set("reserved_storage_space", "1MB"), |conf, (key, value)| {
                conf.set(key, value)
            })
            .write(&place.conf())
            .unwrap();
        }
        for place in &self.storages {
            with_trackers(server(place))
                .set("group_name", place.group.unwrap())
                .set("store_path_count", 1)
                .set("store_path0", place.base.display())
                .set("subdir_count_per_path", SUBDIR_COUNT)
                .set("heart_beat_interval", 1)
                .write(&place.conf())
                .unwrap();
        }
    }

    /// A server's data as it was recorded.
    fn recorded(&self, place: &Place) -> PathBuf {
        self.recorded.path().join(place.name).join("data")
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.trackers.iter().chain(&self.storages)
    }

    fn client(&self) -> Client {
        Client::new(ClientConfig::new(self.trackers.iter().map(Place::server)))
    }

    /// Runs a command of the guide, which has to succeed. A disk of this machine may well be nearly full, which is a
    /// warning of doctor's (1) that it does not wait for.
    fn command(&self, line: &str) {
        let (status, text) = self.typed(line);
        let may_be = i32::from(line.starts_with("cairn doctor"));
        assert!(status <= may_be, "{line}: {text}");
    }

    /// Runs a command in a shell: its status, and what it printed.
    fn typed(&self, line: &str) -> (i32, String) {
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("PATH", &self.path)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
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
            let mut cairn = Command::new(binary::cairn().unwrap());
            let _ = cairn.arg(place.role()).arg(place.conf()).arg("stop").output();
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

/// What clients know of the cluster.
#[derive(Default)]
struct Known {
    contents: BTreeMap<FileId, Vec<u8>>,
    gone: BTreeSet<FileId>,
    stored: usize,
}

impl Known {
    /// The files that were there before: what the logs of the first member of each group speak of.
    fn of(site: &Site) -> Known {
        let mut known = Known::default();
        for place in site.storages.iter().step_by(2) {
            let log = text(&place.data().join("sync/binlog.000"));
            let records = |kinds: &[&str]| -> Vec<FileId> {
                let words = log.lines().map(|line| line.split(' ').collect::<Vec<_>>());
                let named = words.filter(|words| kinds.contains(&words[1]) && !words[2].ends_with("-m"));
                named.map(|words| format!("{}/{}", place.group.unwrap(), words[2]).parse().unwrap()).collect()
            };
            for id in records(&["C", "c", "R", "r"]) {
                known.contents.extend(kept(place, &id).map(|content| (id, content)));
            }
            known.gone.extend(records(&["D", "d"]));
        }
        known
    }

    /// Stores a small file and a larger one at each storage, changes one, and deletes one that was stored before.
    async fn change(&mut self, site: &Site) {
        let client = site.client();
        for place in &site.storages {
            let storage = client.storage(place.server());
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

    /// Every file is where FastDFS looks for it: a file of its own under its name, or in its slot.
    fn are_files(&self, place: &Place) {
        let of_the_group = |id: &FileId| place.group == Some(id.group.as_str());
        for (id, content) in self.contents.iter().filter(|(id, _)| of_the_group(id)) {
            assert!(kept(place, id).is_some_and(|kept| kept == *content), "{id} at {}", place.name);
        }
        for id in self.gone.iter().filter(|id| of_the_group(id)) {
            assert_eq!(kept(place, id).map(|content| content.len()), None, "{id} at {}", place.name);
        }
    }
}

/// What is where FastDFS looks for this file.
fn kept(place: &Place, id: &FileId) -> Option<Vec<u8>> {
    let name = &id.name;
    let (Kind::Trunk, Some(slot), Some(stamp)) = (name.kind(), name.trunk_part(), name.stamp()) else {
        return fs::read(place.data().join(name.true_name())).ok();
    };
    // A slot begins with a header: its kind (F), its size, and what it holds: size, checksum, time, extension.
    let (first, second) = name.dirs();
    let file = fs::read(place.data().join(format!("{first:02X}/{second:02X}/{:06}", slot.file_id))).unwrap();
    let slot = &file[usize::try_from(slot.offset).unwrap()..];
    let (header, content) = slot.split_at(SLOT_HEADER_LEN);
    let content = &content[..usize::try_from(stamp.size.size().unwrap()).unwrap()];
    let whole = header[0] == b'F' && crc32fast::hash(content) == stamp.crc32;
    whole.then(|| content.to_vec())
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
fn is_state_of_a_storage(site: &Site, place: &Place) {
    let (data, recorded) = (place.data(), site.recorded(place));
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
    // Of each peer there is a mark; it has all keys, and leads to the beginning of a line.
    let marks = place.marks();
    let known = fs::read_dir(recorded.join("sync")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(marks.len() == 1 && known.into_iter().any(|name| name == marks[0].as_str()), "{marks:?}");
    let mark = text(&data.join("sync").join(&marks[0]));
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
fn is_state_of_a_tracker(site: &Site, place: &Place) {
    let (data, recorded) = (place.data(), site.recorded(place));
    for file in ["storage_groups_new.dat", "storage_servers_new.dat"] {
        let (new, old) = (text(&data.join(file)), text(&recorded.join(file)));
        let plain = |text: &str| -> Vec<String> {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            lines.map(|line| line.split('=').next().unwrap().to_owned()).collect()
        };
        assert_eq!(plain(&new), plain(&old), "{file}");
    }
    let times = text(&data.join("storage_sync_timestamp.dat"));
    let is_row = |line: &str| line.starts_with("group") && line.split(',').count() == 4;
    assert!(times.lines().all(is_row), "{times}");
}

/// Over and back, with so many files at the beginning.
fn walk(left: &Left, files: usize) {
    let site = Site::new(left);
    let mut known = Known::of(&site);
    assert_eq!(known.contents.len(), files);
    for place in site.places() {
        site.command(&format!("fdfs_{}d {} start", place.role(), place.conf().display()));
    }
    let doctor = format!("cairn doctor -c {}/client.conf", site.trackers[0].etc.display());
    wait::until("all serve", PATIENCE, || {
        let told = site.typed(&doctor).1;
        let warned = |line: &str| line.starts_with("warning [") && !line.starts_with("warning [space_low]");
        (told.contains("errors: 0") && !told.lines().any(warned)).then_some(())
    })
    .unwrap();
    run(known.are_served(&site));

    for place in &site.storages {
        site.walk("Before", place, || ());
    }
    for place in site.trackers.iter().rev() {
        site.walk("Over: a tracker", place, || ());
    }
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
    let packed = |place: &Place| fs::read_dir(place.data().join(".cairn/packs")).unwrap().count() > 0;
    assert!(site.storages.iter().any(packed), "nothing was packed");

    for place in &site.storages {
        site.walk("Back: a storage", place, || {
            known.are_files(place);
            is_state_of_a_storage(&site, place);
        });
        run(known.change(&site));
        run(known.are_served(&site));
    }
    for place in site.trackers.iter().rev() {
        site.walk("Back: a tracker", place, || is_state_of_a_tracker(&site, place));
    }
    run(known.change(&site));
    run(known.are_served(&site));
    for place in &site.storages {
        known.are_files(place);
    }
}

#[test]
fn a_cluster_of_fastdfs_goes_over_server_by_server_and_comes_back_with_every_file() {
    walk(&PLAIN, 14);
}

#[test]
fn so_does_one_of_two_groups_with_storage_ids_and_trunk_files() {
    walk(&TRUNK, 13);
}
