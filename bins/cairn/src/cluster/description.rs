//! From a short description to the servers of a cluster and their configurations. No disk, no network.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fdfs_conf::addr::{STORAGE_PORT, TRACKER_PORT, TRACKERS_MAX};

use crate::server::Role;

/// The clients' configuration, beside the servers' folders.
pub(super) const CLIENT_CONF: &str = "client.conf";

/// The numbers of the storages, where they have some.
pub(super) const STORAGE_IDS: &str = "storage_ids.conf";

/// The number of the first storage, as in FastDFS's sample.
const FIRST_ID: u32 = 100_001;

/// Servers of one cluster: more processes than that are no toy any more.
const SERVERS_MAX: usize = 64;

/// The port for metrics and health of a server with an address of its own, and of the first of several on one.
const STATUS_PORT: u16 = 9122;

/// Size of each journal: the storages share one disk, and the usual size is meant for a disk each.
const JOURNAL_SIZE: &str = "32MB";

/// Seconds between beats. News travels with them, and the usual 30 are long for somebody who watches.
const HEART_BEAT_INTERVAL: u32 = 1;

/// FastDFS does not start a storage with its own default.
const THREAD_STACK_SIZE: &str = "512KB";

/// How many of each: trackers, groups, storages in each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) trackers: usize,
    pub(super) groups: usize,
    pub(super) storages: usize,
}

impl Default for Shape {
    /// The smallest that survives the loss of any one server.
    fn default() -> Self {
        Self { trackers: 2, groups: 2, storages: 2 }
    }
}

/// A text that is no shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadShape {
    Form,
    Trackers,
    Servers,
}

impl fmt::Display for BadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("must be trackers x groups x storages in each group, as in 2x2x2"),
            Self::Trackers => write!(f, "at most {TRACKERS_MAX} trackers"),
            Self::Servers => write!(f, "at most {SERVERS_MAX} servers"),
        }
    }
}

impl std::error::Error for BadShape {}

impl FromStr for Shape {
    type Err = BadShape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let counts: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
        let (trackers, groups, storages) = match counts.as_deref() {
            Ok(&[trackers, groups, storages]) => (trackers, groups, storages),
            _ => return Err(BadShape::Form),
        };
        if [trackers, groups, storages].contains(&0) {
            return Err(BadShape::Form);
        }
        if trackers > TRACKERS_MAX {
            return Err(BadShape::Trackers);
        }
        let servers = groups.checked_mul(storages).and_then(|count| count.checked_add(trackers));
        if servers.is_none_or(|count| count > SERVERS_MAX) {
            return Err(BadShape::Servers);
        }
        Ok(Self { trackers, groups, storages })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.trackers, self.groups, self.storages)
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// `tracker1`, `group1-storage2`: also its folder.
    pub(super) name: String,
    pub(super) role: Role,
    /// A storage's group.
    pub(super) group: Option<String>,
    /// A storage's number, if storages have some.
    pub(super) id: Option<u32>,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Where it tells metrics and health, if it does.
    pub(super) status: Option<SocketAddr>,
}

/// What tells storages apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Each has an address of its own; all have the same port.
    Address,
    /// Each has a port of its own, and a number by which it is known; all have the same address.
    Port,
}

/// The servers of a cluster, trackers first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description(Vec<Server>);

impl Description {
    /// Servers on addresses one after the other from `first` on; `None` where the loopback network ends too soon.
    pub(super) fn new(shape: Shape, first: Ipv4Addr, apart: Apart) -> Option<Self> {
        let mut ips = (u32::from(first)..=u32::MAX).map(Ipv4Addr::from).take_while(Ipv4Addr::is_loopback);
        let mut servers = Vec::new();
        for number in 1..=shape.trackers {
            let ip = ips.next()?;
            servers.push(Server {
                name: format!("tracker{number}"),
                role: Role::Tracker,
                group: None,
                id: None,
                address: SocketAddr::from((ip, TRACKER_PORT)),
                status: Some(SocketAddr::from((ip, STATUS_PORT))),
            });
        }
        let mut ids = FIRST_ID..;
        // At most as many as there are servers, far fewer than ports.
        let mut ports = (STORAGE_PORT..).zip(STATUS_PORT..);
        let shared = if apart == Apart::Port { Some(ips.next()?) } else { None };
        for group in (1..=shape.groups).map(|number| format!("group{number}")) {
            for number in 1..=shape.storages {
                let (ip, (port, status_port)) = match shared {
                    Some(ip) => (ip, ports.next()?),
                    None => (ips.next()?, (STORAGE_PORT, STATUS_PORT)),
                };
                servers.push(Server {
                    name: format!("{group}-storage{number}"),
                    role: Role::Storage,
                    group: Some(group.clone()),
                    id: if shared.is_some() { ids.next() } else { None },
                    address: SocketAddr::from((ip, port)),
                    status: Some(SocketAddr::from((ip, status_port))),
                });
            }
        }
        Some(Self(servers))
    }

    pub(super) fn servers(&self) -> &[Server] {
        &self.0
    }

    /// Every file of the cluster in `folder`, an absolute path: its path in there, and its text. The clients' file
    /// is the last.
    pub(super) fn files(&self, folder: &Path) -> Vec<(PathBuf, String)> {
        let trackers = self.tracker_lines();
        let ids = self.id_lines();
        let ids_file = (!ids.is_empty()).then(|| folder.join(STORAGE_IDS));
        let server = |server: &Server| {
            let base_path = folder.join(&server.name);
            let text = match &server.group {
                None => tracker_conf(server, &base_path, ids_file.as_deref()),
                Some(group) => storage_conf(server, group, &base_path, &trackers),
            };
            (conf_of(&server.name, server.role), text)
        };
        let mut files: Vec<(PathBuf, String)> = self.0.iter().map(server).collect();
        if ids_file.is_some() {
            let text = format!("{}# number  group  address of the storage\n{ids}", head("The storages"));
            files.push((PathBuf::from(STORAGE_IDS), text));
        }
        files.push((PathBuf::from(CLIENT_CONF), client_conf(folder, &trackers)));
        files
    }

    fn tracker_lines(&self) -> String {
        let trackers = self.0.iter().filter(|server| server.role == Role::Tracker);
        trackers.map(|server| format!("tracker_server = {}\n", server.address)).collect()
    }

    fn id_lines(&self) -> String {
        let line = |server: &Server| {
            let (id, group) = (server.id?, server.group.as_deref()?);
            Some(format!("{id}  {group}  {}\n", server.address))
        };
        self.0.iter().filter_map(line).collect()
    }
}

/// Where a server's configuration is in the cluster's folder.
pub(super) fn conf_of(name: &str, role: Role) -> PathBuf {
    Path::new(name).join(format!("{}.conf", role.word()))
}

fn head(name: &str) -> String {
    format!(
        "# {name} of a local cluster. Written once by `cairn cluster start`, only read from then on:\n\
         # an ordinary configuration, yours to change.\n\n"
    )
}

fn tracker_conf(server: &Server, base_path: &Path, ids: Option<&Path>) -> String {
    let ids = ids.map(|ids| {
        format!(
            "\n\
             # Storages are known by numbers: they share an address.\n\
             use_storage_id = true\n\
             storage_ids_filename = {}\n\
             id_type_in_filename = id\n",
            ids.display()
        )
    });
    format!(
        "{}\
         bind_addr = {}\n\
         port = {}\n\
         base_path = {}\n\
         \n\
         # Uploads go to the groups in turn.\n\
         store_lookup = 0\n\
         \n\
         # The disk is this machine's own, not one for storages alone.\n\
         reserved_storage_space = 1%\n\
         {}{}",
        head(&server.name),
        server.address.ip(),
        server.address.port(),
        base_path.display(),
        status_line(server),
        ids.unwrap_or_default()
    )
}

fn storage_conf(server: &Server, group: &str, base_path: &Path, trackers: &str) -> String {
    format!(
        "{}\
         group_name = {group}\n\
         bind_addr = {}\n\
         port = {}\n\
         base_path = {base}\n\
         store_path_count = 1\n\
         store_path0 = {base}\n\
         {trackers}\
         \n\
         # News travels with the beats.\n\
         heart_beat_interval = {HEART_BEAT_INTERVAL}\n\
         \n\
         # All storages share one disk.\n\
         journal_size = {JOURNAL_SIZE}\n\
         \n\
         # Only FastDFS needs this, should it ever read the file: less is too little for it.\n\
         thread_stack_size = {THREAD_STACK_SIZE}\n\
         {status}{id}",
        head(&server.name),
        server.address.ip(),
        server.address.port(),
        base = base_path.display(),
        status = status_line(server),
        id = server
            .id
            .map(|id| format!("\n# Its line in {STORAGE_IDS}.\nserver_id = {id}\n"))
            .unwrap_or_default()
    )
}

fn status_line(server: &Server) -> String {
    let line = |address| {
        format!("\n# /metrics, /healthz and /readyz, on this machine only.\nstatus_listen = {address}\n")
    };
    server.status.map(line).unwrap_or_default()
}

fn client_conf(folder: &Path, trackers: &str) -> String {
    format!("{}base_path = {}\n{trackers}", head("The clients' file"), folder.display())
}

#[cfg(test)]
mod tests {
    use fdfs_conf::{ClientConf, LoadError, StorageConf, TrackerConf};

    use super::*;

    const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

    fn shape(text: &str) -> Shape {
        text.parse().unwrap()
    }

    fn description(text: &str) -> Description {
        Description::new(shape(text), FIRST, Apart::Address).unwrap()
    }

    fn by_port(text: &str) -> Description {
        Description::new(shape(text), FIRST, Apart::Port).unwrap()
    }

    fn text_of(files: &[(PathBuf, String)], path: &str) -> String {
        files.iter().find(|(file, _)| file == Path::new(path)).unwrap().1.clone()
    }

    #[test]
    fn a_shape_is_three_counts_and_reads_back_as_it_is_shown() {
        assert_eq!(shape("2x3x4"), Shape { trackers: 2, groups: 3, storages: 4 });
        assert_eq!(shape(&Shape::default().to_string()), Shape::default());
        for (text, error) in [
            ("", BadShape::Form),
            ("2x2", BadShape::Form),
            ("2x2x2x2", BadShape::Form),
            ("2x0x2", BadShape::Form),
            ("-1x1x1", BadShape::Form),
            ("two x 1 x 1", BadShape::Form),
            ("17x1x1", BadShape::Trackers),
            ("1x8x8", BadShape::Servers),
            ("1x18446744073709551615x2", BadShape::Servers),
        ] {
            assert_eq!(text.parse::<Shape>(), Err(error), "{text}");
        }
        assert_eq!(shape("16x6x8").trackers, 16);
    }

    #[test]
    fn servers_have_names_and_one_address_each() {
        let described = description("2x2x2");
        let listed: Vec<(&str, String)> = described
            .servers()
            .iter()
            .map(|server| (server.name.as_str(), server.address.to_string()))
            .collect();
        let expected = [
            ("tracker1", "127.0.0.11:22122"),
            ("tracker2", "127.0.0.12:22122"),
            ("group1-storage1", "127.0.0.13:23000"),
            ("group1-storage2", "127.0.0.14:23000"),
            ("group2-storage1", "127.0.0.15:23000"),
            ("group2-storage2", "127.0.0.16:23000"),
        ];
        assert_eq!(listed, expected.map(|(name, address)| (name, address.to_owned())));
    }

    #[test]
    fn each_server_tells_how_it_is_at_an_address_of_its_own() {
        for described in [description("2x2x2"), by_port("2x2x2")] {
            let mut told: Vec<SocketAddr> =
                described.servers().iter().filter_map(|server| server.status).collect();
            assert!(told.iter().all(|address| address.ip().is_loopback()));
            told.sort();
            told.dedup();
            assert_eq!(told.len(), 6);
        }
        assert_eq!(by_port("1x1x2").servers()[2].status, Some(SocketAddr::from(([127, 0, 0, 12], 9123))));
    }

    #[test]
    fn addresses_stay_in_the_loopback_network() {
        let last = |count| Ipv4Addr::from(u32::from(Ipv4Addr::new(128, 0, 0, 0)) - count);
        for (apart, shape_text) in [(Apart::Address, "1x1x1"), (Apart::Port, "1x1x9")] {
            assert!(Description::new(shape(shape_text), last(2), apart).is_some());
            assert_eq!(Description::new(shape(shape_text), last(1), apart), None);
            assert_eq!(Description::new(shape(shape_text), Ipv4Addr::new(10, 0, 0, 1), apart), None);
        }
    }

    #[test]
    fn storages_on_one_address_have_a_port_and_a_number_each() {
        let described = by_port("2x2x2");
        let listed: Vec<(Option<u32>, String)> =
            described.servers().iter().map(|server| (server.id, server.address.to_string())).collect();
        let expected = [
            (None, "127.0.0.11:22122"),
            (None, "127.0.0.12:22122"),
            (Some(100_001), "127.0.0.13:23000"),
            (Some(100_002), "127.0.0.13:23001"),
            (Some(100_003), "127.0.0.13:23002"),
            (Some(100_004), "127.0.0.13:23003"),
        ];
        assert_eq!(listed, expected.map(|(id, address)| (id, address.to_owned())));
        let files = described.files(Path::new("/c"));
        let ids = text_of(&files, STORAGE_IDS);
        let lines: Vec<&str> =
            ids.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(lines[2], "100003  group2  127.0.0.13:23002");
        assert_eq!(files.last().unwrap().0, Path::new(CLIENT_CONF));
    }

    #[test]
    fn every_text_is_a_configuration_without_a_warning() {
        let folder = Path::new("/srv/a cluster");
        for (described, count) in [(description("2x2x2"), 7), (by_port("2x2x2"), 8)] {
            let files = described.files(folder);
            assert_eq!(files.len(), count);
            assert_eq!(files.last().unwrap().0, Path::new(CLIENT_CONF));
            for server in described.servers() {
                check_conf(server, folder, &files);
            }
            let text = text_of(&files, CLIENT_CONF);
            let mut loader = |_: &str| -> Result<String, LoadError> { Ok(text.clone()) };
            let (client, warnings) = ClientConf::load("client.conf", &mut loader).unwrap();
            assert_eq!(warnings, []);
            assert_eq!(client.tracker_servers.as_slice().len(), 2);
        }
    }

    /// Reads a server's file back.
    fn check_conf(server: &Server, folder: &Path, files: &[(PathBuf, String)]) {
        let path = folder.join(conf_of(&server.name, server.role));
        let path = path.to_str().unwrap();
        let mut loader = |path: &str| -> Result<String, LoadError> {
            Ok(text_of(files, Path::new(path).strip_prefix(folder).unwrap().to_str().unwrap()))
        };
        let (listen, status, base_path) = match server.role {
            Role::Tracker => {
                let (conf, warnings) = TrackerConf::load(path, &mut loader).unwrap();
                assert_eq!(warnings, []);
                (conf.listen, conf.status_listen, conf.base_path)
            }
            Role::Storage => {
                let (conf, warnings) = StorageConf::load(path, &mut loader).unwrap();
                assert_eq!(warnings, []);
                assert_eq!(conf.group_name.unwrap().as_str(), server.group.clone().unwrap());
                assert_eq!(conf.server_id, server.id);
                assert_eq!(conf.store_paths.len(), 1);
                assert_eq!(conf.tracker_servers.as_slice().len(), 2);
                (conf.listen, conf.status_listen, conf.base_path)
            }
            Role::Gateway | Role::Drive => panic!("a cluster has no gateways of its own"),
        };
        assert_eq!(listen.sockets(true), [server.address]);
        assert_eq!(status, server.status);
        assert_eq!(base_path, folder.join(&server.name));
    }

    #[test]
    fn the_original_finds_nothing_that_it_refuses() {
        for (path, text) in description("2x2x2").files(Path::new("/c")) {
            assert!(!text.contains('['), "{}", path.display());
            assert!(!text.contains("127.0.0.1:"), "{}", path.display());
            assert_eq!(text.contains("thread_stack_size = "), path.ends_with("storage.conf"));
        }
    }
}
