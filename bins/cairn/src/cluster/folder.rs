//! The folder of a cluster: each server's configuration lies in a folder of the server's name.
//!
//! ```text
//! .cairn-cluster                                   made by us, so we may remove it
//! client.conf  storage_ids.conf
//! tracker1/tracker.conf  data/ logs/
//! group1-storage1/storage.conf  data/ logs/
//! ```
//!
//! Nothing else describes the cluster: what is here is what is started.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use daemon::control;
use fdfs_conf::service::ListenConf;

use super::description::{Description, STORAGE_IDS, Server, Shape, conf_of};
use crate::conf;
use crate::server::{self, Role};

/// Says that the folder was made here: only such a one is removed.
const MADE: &str = ".cairn-cluster";

/// What it says.
const MADE_TEXT: &str =
    "Made by `cairn cluster start`. `cairn cluster remove` deletes the folder that holds this file.\n";

/// A server's place: enough to stop it, whatever its configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) conf: PathBuf,
}

/// A server as its configuration has it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) place: Place,
    pub(super) server: Server,
    base_path: PathBuf,
}

impl Place {
    pub(super) fn load(&self) -> anyhow::Result<Member> {
        let (base_path, listen, status, group, id) = match self.role {
            Role::Tracker => {
                let (conf, _) = conf::tracker(&self.conf)?;
                (conf.base_path, conf.listen, conf.status_listen, None, None)
            }
            Role::Storage => {
                let (conf, _) = conf::storage(&self.conf)?;
                let group = conf.group_name.map(|group| group.to_string());
                (conf.base_path, conf.listen, conf.status_listen, group, conf.server_id)
            }
            Role::Gateway | Role::Drive => {
                bail!("{}: a cluster has trackers and storages", self.conf.display())
            }
        };
        let shown = self.conf.display();
        // A storage that starts elsewhere than where its files are would start empty.
        ensure!(base_path.is_dir(), "{shown}: base_path {} is not there: was it moved?", base_path.display());
        let address = address(&listen).with_context(|| {
            format!("{shown}: bind_addr is missing: set it to the address that this server had")
        })?;
        let server = Server { name: self.name.clone(), role: self.role, group, id, address, status };
        Ok(Member { place: self.clone(), server, base_path })
    }
}

impl Member {
    /// The number of its process, while there is one.
    pub(super) fn pid(&self) -> anyhow::Result<Option<i32>> {
        let role = self.server.role;
        let pid_file = server::pid_file(&self.base_path, role);
        control::status(&pid_file, role.program()).with_context(|| pid_file.display().to_string())
    }

    pub(super) fn log(&self) -> PathBuf {
        self.base_path.join("logs").join(self.server.role.log_name())
    }
}

fn address(listen: &ListenConf) -> Option<SocketAddr> {
    listen.inner_bind.first().map(|ip| SocketAddr::new(*ip, listen.inner_port))
}

/// The servers in a folder: trackers first, each kind by name, `storage10` behind `storage9`. None when the folder
/// is not there.
pub(super) fn places(folder: &Path) -> anyhow::Result<Vec<Place>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", folder.display())),
    };
    let mut places = Vec::new();
    for entry in entries {
        let name = entry.with_context(|| format!("read {}", folder.display()))?.file_name();
        // Names that are no text are none of ours.
        let Some(name) = name.to_str() else { continue };
        for role in [Role::Tracker, Role::Storage] {
            let conf = folder.join(conf_of(name, role));
            if conf.is_file() {
                places.push(Place { name: name.to_owned(), role, conf });
            }
        }
    }
    places.sort_by_key(|place| (place.role == Role::Storage, in_order(&place.name)));
    Ok(places)
}

/// The places of these names, or all.
pub(super) fn chosen(places: &[Place], names: &[String]) -> anyhow::Result<Vec<Place>> {
    for name in names {
        if !places.iter().any(|place| place.name == *name) {
            let known: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
            bail!("no server {name}: there are {}", known.join(", "));
        }
    }
    let wanted = |place: &&Place| names.is_empty() || names.contains(&place.name);
    Ok(places.iter().filter(wanted).cloned().collect())
}

/// How many of each there are; `None` when the groups differ in size.
pub(super) fn shape(members: &[Member]) -> Option<Shape> {
    let trackers = members.iter().filter(|member| member.server.role == Role::Tracker).count();
    let mut groups: Vec<&str> = members.iter().filter_map(|member| member.server.group.as_deref()).collect();
    let storages_in_all = groups.len();
    groups.sort_unstable();
    let storages = groups.first().map_or(0, |first| groups.iter().filter(|group| *group == first).count());
    let even = groups.chunk_by(|one, other| one == other).all(|group| group.len() == storages);
    groups.dedup();
    (even && storages_in_all == members.len() - trackers).then_some(Shape {
        trackers,
        groups: groups.len(),
        storages,
    })
}

/// Whether the storages of a cluster are known by numbers.
pub(super) fn has_ids(folder: &Path) -> bool {
    folder.join(STORAGE_IDS).is_file()
}

/// Makes the folder with all files, as a whole or not at all. There must be none, or an empty one.
pub(super) fn write(folder: &Path, description: &Description) -> anyhow::Result<()> {
    let folder = absolute(folder)?;
    if let Ok(mut entries) = fs::read_dir(&folder) {
        let other = entries.next().transpose().with_context(|| format!("read {}", folder.display()))?;
        if let Some(other) = other {
            bail!("{} is there, but no servers are: choose another folder", other.path().display());
        }
    }
    let making = beside(&folder, "new")?;
    let made = fill(&making, &folder, description)
        .and_then(|()| fs::rename(&making, &folder).with_context(|| format!("create {}", folder.display())));
    if made.is_err() {
        // Nothing runs in there yet.
        let _ = fs::remove_dir_all(&making);
    }
    made
}

/// Writes into `making` what will be in `folder`.
fn fill(making: &Path, folder: &Path, description: &Description) -> anyhow::Result<()> {
    let files = description.files(folder).into_iter().chain([(PathBuf::from(MADE), MADE_TEXT.to_owned())]);
    for (path, text) in files {
        let path = making.join(path);
        let above = path.parent().unwrap_or(making);
        fs::create_dir_all(above).with_context(|| format!("create {}", above.display()))?;
        let written = File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Whether [`write`] made the folder.
pub(super) fn is_made(folder: &Path) -> bool {
    folder.join(MADE).is_file()
}

/// Removes the folder of a cluster whose servers are stopped. It is gone under its name at once, so what breaks off leaves no
/// half cluster.
pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
    let folder = folder.canonicalize().with_context(|| format!("open {}", folder.display()))?;
    ensure!(is_made(&folder), "{} has no {MADE}", folder.display());
    let leaving = beside(&folder, "removed")?;
    fs::rename(&folder, &leaving).with_context(|| format!("remove {}", folder.display()))?;
    fs::remove_dir_all(&leaving).with_context(|| format!("remove {}", leaving.display()))
}

/// The path without links, also of a folder that is not there yet; the one above it is made.
fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    if let Ok(found) = folder.canonicalize() {
        return Ok(found);
    }
    let name = folder.file_name().with_context(|| format!("{} has no name", folder.display()))?;
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(above).with_context(|| format!("create {}", above.display()))?;
    let above = above.canonicalize().with_context(|| format!("open {}", above.display()))?;
    Ok(above.join(name))
}

/// A hidden name beside a folder that no other process uses.
fn beside(folder: &Path, what: &str) -> anyhow::Result<PathBuf> {
    let name = folder.file_name().with_context(|| format!("{} has no name", folder.display()))?;
    let process = std::process::id();
    Ok(folder.with_file_name(format!(".{}.{what}-{process}", name.to_string_lossy())))
}

/// Sorts as people count: digits together are one number. Leading zeros do not count.
fn in_order(name: &str) -> Vec<(u64, char)> {
    let mut order = Vec::new();
    let mut number: Option<u64> = None;
    for c in name.chars() {
        match c.to_digit(10) {
            Some(digit) => {
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit)));
            }
            None => {
                order.extend(number.take().map(|number| (number, '0')));
                order.push((0, c));
            }
        }
    }
    order.extend(number.map(|number| (number, '0')));
    order
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::description::{Apart, CLIENT_CONF};
    use super::*;

    fn written(shape: &str) -> (tempfile::TempDir, PathBuf) {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("cluster");
        let first = Ipv4Addr::new(127, 0, 0, 11);
        write(&folder, &Description::new(shape.parse().unwrap(), first, Apart::Address).unwrap()).unwrap();
        (above, folder)
    }

    fn loaded(folder: &Path) -> Vec<Member> {
        places(folder).unwrap().iter().map(|place| place.load().unwrap()).collect()
    }

    #[test]
    fn what_was_written_is_read_back_in_order() {
        for text in ["1x1x1", "2x2x2", "3x11x2", "1x1x12"] {
            let (_above, folder) = written(text);
            let members = loaded(&folder);
            let first = Ipv4Addr::new(127, 0, 0, 11);
            let expected = Description::new(text.parse().unwrap(), first, Apart::Address).unwrap();
            let read: Vec<Server> = members.iter().map(|member| member.server.clone()).collect();
            assert_eq!(read, expected.servers());
            assert_eq!(shape(&members), Some(text.parse().unwrap()));
            assert!(members.iter().all(|member| member.pid().unwrap().is_none()));
            assert!(conf::client(&folder.join(CLIENT_CONF)).is_ok());
        }
    }

    #[test]
    fn what_somebody_changed_counts_and_other_folders_do_not() {
        let (_above, folder) = written("1x1x2");
        fs::create_dir(folder.join("notes")).unwrap();
        let path = folder.join("group1-storage2/storage.conf");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("23000", "23001").replace("group1\n", "blue\n")).unwrap();
        let members = loaded(&folder);
        assert_eq!(members.len(), 3);
        assert_eq!(members[2].server.address, "127.0.0.13:23001".parse().unwrap());
        assert_eq!(members[2].server.group.as_deref(), Some("blue"));
        fs::remove_dir_all(folder.join("tracker1")).unwrap();
        assert_eq!(shape(&loaded(&folder)), Some(Shape { trackers: 0, groups: 2, storages: 1 }));
    }

    #[test]
    fn groups_of_different_size_have_no_shape() {
        let (_above, folder) = written("1x2x2");
        fs::remove_dir_all(folder.join("group2-storage1")).unwrap();
        assert_eq!(shape(&loaded(&folder)), None);
    }

    #[test]
    fn a_folder_that_was_moved_is_not_started_empty() {
        let (above, folder) = written("1x1x1");
        let moved = above.path().join("moved");
        fs::rename(&folder, &moved).unwrap();
        let places = places(&moved).unwrap();
        let error = places[1].load().unwrap_err().to_string();
        assert!(error.contains("storage.conf: base_path") && error.contains("moved?"), "{error}");
    }

    #[test]
    fn files_that_are_there_are_left_alone() {
        let (above, folder) = written("1x1x1");
        let again = Description::new(Shape::default(), Ipv4Addr::new(127, 0, 0, 50), Apart::Port).unwrap();
        let error = write(&folder, &again).unwrap_err().to_string();
        assert!(error.contains("is there, but no servers are"), "{error}");
        assert_eq!(shape(&loaded(&folder)), Some("1x1x1".parse().unwrap()));
        assert_eq!(names(above.path()), ["cluster"]);
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_folder_is_made_whole_or_not_at_all_and_an_empty_one_is_used() {
        let above = tempfile::tempdir().unwrap();
        let described =
            Description::new("1x1x2".parse().unwrap(), Ipv4Addr::new(127, 0, 0, 11), Apart::Port).unwrap();
        // Nothing can take this name.
        let taken = above.path().join("file");
        fs::write(&taken, "not a folder").unwrap();
        assert!(write(&taken, &described).is_err());
        assert_eq!(names(above.path()), ["file"]);
        let empty = above.path().join("deep/empty");
        fs::create_dir_all(&empty).unwrap();
        write(&empty, &described).unwrap();
        assert_eq!(names(&above.path().join("deep")), ["empty"]);
        let read: Vec<Server> = loaded(&empty).iter().map(|member| member.server.clone()).collect();
        assert_eq!(read, described.servers());
        assert!(has_ids(&empty) && is_made(&empty));
    }

    #[test]
    fn only_a_folder_that_was_made_here_is_removed() {
        let (above, folder) = written("1x1x1");
        fs::write(folder.join("tracker1/notes.txt"), "mine").unwrap();
        remove(&folder).unwrap();
        assert_eq!(names(above.path()), Vec::<String>::new());
        let (above, folder) = written("1x1x1");
        fs::remove_file(folder.join(MADE)).unwrap();
        assert!(remove(&folder).unwrap_err().to_string().contains(MADE));
        assert_eq!(names(above.path()), ["cluster"]);
    }

    #[test]
    fn names_choose_servers_and_unknown_ones_are_told_what_there_is() {
        let (_above, folder) = written("1x1x1");
        let all = places(&folder).unwrap();
        assert_eq!(chosen(&all, &[]).unwrap(), all);
        assert_eq!(chosen(&all, &["group1-storage1".into()]).unwrap(), all[1..]);
        let error = chosen(&all, &["storage1".into()]).unwrap_err().to_string();
        assert_eq!(error, "no server storage1: there are tracker1, group1-storage1");
        assert_eq!(places(&folder.join("nothing")).unwrap(), []);
    }
}
