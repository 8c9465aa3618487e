//! Looks at configurations and at what they name on this machine.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cluster_probe::Target;
use doctor_core::What;
use doctor_core::decide::{self, PathSeen, PortSeen};
use fdfs_client::{Client, ServerAddr};
use fdfs_conf::drive::BytesConf;
use fdfs_conf::files::{CLIENT_CONF, DRIVE_CONF, GATEWAY_CONF, STORAGE_CONF, TRACKER_CONF, WATCH_CONF};
use fdfs_conf::registry::FileSpec;
use fdfs_conf::{Ini, TrackerServers, Warning};

use crate::cmd::plain_http;
use crate::conf::{self, BadConf};
use crate::server::{self, Loaded, Role};

/// How long a server of HTTP may take.
const HTTP_WAIT: Duration = Duration::from_secs(5);
/// Longest page at the root of one, bytes.
const PAGE_LEN_MAX: u64 = 1024 * 1024;
const BYTES_PER_MB: u64 = 1 << 20;

/// Whose a configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Client,
    Server(Role),
    Watch,
}

/// The kinds of configurations, and which of them it is when a file fits several as well: the first.
const KINDS: [(&FileSpec, Kind); 6] = [
    (&CLIENT_CONF, Kind::Client),
    (&TRACKER_CONF, Kind::Server(Role::Tracker)),
    (&STORAGE_CONF, Kind::Server(Role::Storage)),
    (&GATEWAY_CONF, Kind::Server(Role::Gateway)),
    (&DRIVE_CONF, Kind::Server(Role::Drive)),
    (&WATCH_CONF, Kind::Watch),
];

/// What a configuration led to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub found: Vec<What>,
    pub trackers: Vec<Target>,
    /// Other configurations that it says are to be looked at.
    pub confs: Vec<PathBuf>,
}

/// Looks at one file and what it names.
pub(crate) async fn look(client: &Client, file: &Path) -> Looked {
    let mut looked = Looked::default();
    let kind = match conf::ini(file) {
        Ok(ini) => kind_of(file, &ini),
        Err(error) => {
            looked.found.push(bad(&error));
            return looked;
        }
    };
    match kind {
        None => looked.found.push(What::ConfUnknown { file: file.display().to_string() }),
        Some(Kind::Client) => match conf::client_with_warnings(file) {
            Ok((conf, warnings)) => {
                looked.found.extend(warnings.iter().map(odd));
                looked.trackers.extend(targets(&conf.tracker_servers));
            }
            Err(error) => looked.found.push(bad(&error)),
        },
        Some(Kind::Watch) => match conf::watch(file) {
            Ok((conf, warnings)) => {
                looked.found.extend(warnings.iter().map(odd));
                looked.trackers.extend(conf.tracker_servers.iter().flat_map(targets));
                looked.confs = conf.confs;
            }
            Err(error) => looked.found.push(bad(&error)),
        },
        Some(Kind::Server(role)) => match role.load(file) {
            Ok((loaded, warnings)) => {
                looked.found.extend(warnings.iter().map(odd));
                of_server(client, file, &loaded, &mut looked).await;
            }
            Err(error) => looked.found.push(bad(&error)),
        },
    }
    looked
}

/// Which kind a file is by its keys, and by its name when they fit several; `None` when no key is known.
fn kind_of(file: &Path, ini: &Ini) -> Option<Kind> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let rated = KINDS.iter().map(|(spec, kind)| {
        let stem = spec.name.trim_end_matches(".conf");
        let named = name.contains(stem) || matches!(kind, Kind::Server(role) if name.contains(role.word()));
        (known_keys(spec, ini), named, *kind)
    });
    // Of equals the last is the greatest, and the first is wanted.
    let best = rated.rev().max_by_key(|(known, named, _)| (*known, *named));
    best.filter(|(known, _, _)| *known > 0).map(|(_, _, kind)| kind)
}

fn known_keys(spec: &FileSpec, ini: &Ini) -> usize {
    let fits_section = |pattern: &str, section: &str| match pattern.split_once('#') {
        Some((head, tail)) => section.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail)),
        None => pattern == section,
    };
    let known = |section: &str, key: &str| {
        if section.is_empty() {
            return spec.rows().any(|row| row.matches(key));
        }
        let mut sections = spec.sections.iter().filter(|known| fits_section(known.name, section));
        sections.any(|known| known.rows().any(|row| row.matches(key)))
    };
    ini.items().iter().filter(|item| known(&item.section, &item.key)).count()
}

fn bad(error: &BadConf) -> What {
    let fault = error.fault();
    What::ConfBad {
        file: fault.file.clone(),
        line: fault.line,
        key: fault.key.clone(),
        reason: fault.reason.to_string(),
    }
}

fn odd(warning: &Warning) -> What {
    What::ConfOdd {
        file: warning.file.clone(),
        line: warning.line,
        key: warning.key.clone(),
        reason: warning.oddity.to_string(),
    }
}

fn targets(servers: &TrackerServers) -> impl Iterator<Item = Target> + '_ {
    servers.iter().map(|address| Target { address: address.clone(), named: true })
}

async fn of_server(client: &Client, file: &Path, loaded: &Loaded, looked: &mut Looked) {
    let shown = file.display().to_string();
    let role = loaded.role();
    let base_path = loaded.base_path();
    let mut paths = loaded.paths();
    paths.dedup();
    for path in paths {
        let is_store = path != base_path;
        looked.found.extend(decide::path(&path.display().to_string(), is_store, path_seen(path)));
    }
    looked.found.extend(decide::open_files(&shown, max_connections(loaded), open_files(base_path, role)));
    for socket in sockets(loaded) {
        let seen = port_seen(client, reachable(socket), role).await;
        looked.found.extend(decide::port(&shown, &socket.to_string(), role.word(), seen));
        if role == Role::Tracker {
            let at = reachable(socket);
            looked.trackers.push(Target { address: ServerAddr::new(at.ip(), at.port()), named: false });
        }
    }
    match loaded {
        Loaded::Tracker(_) => {}
        Loaded::Storage { conf, .. } => looked.trackers.extend(targets(&conf.tracker_servers)),
        Loaded::Gateway { conf, .. } => {
            looked.trackers.extend(conf.tracker_servers.iter().flat_map(targets));
        }
        Loaded::Drive(conf) => {
            if let BytesConf::Cluster { trackers, .. } = &conf.bytes {
                looked.trackers.extend(targets(trackers));
            }
        }
    }
}

fn max_connections(loaded: &Loaded) -> u64 {
    match loaded {
        Loaded::Tracker(conf) => conf.network.max_connections.into(),
        Loaded::Storage { conf, gateway } => {
            let more = gateway.as_ref().map_or(0, |gateway| gateway.limits.max_connections);
            u64::from(conf.network.max_connections) + u64::from(more)
        }
        Loaded::Gateway { conf, .. } => conf.limits.max_connections.into(),
        Loaded::Drive(conf) => conf.listen.max_connections.into(),
    }
}

/// Where it listens for what it is there for; HTTP inside a storage is not asked.
fn sockets(loaded: &Loaded) -> Vec<SocketAddr> {
    let bound = |bind: &[IpAddr], port: u16| match bind {
        [] => vec![SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)],
        some => some.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
    };
    match loaded {
        Loaded::Tracker(conf) => conf.listen.sockets(true),
        Loaded::Storage { conf, .. } => conf.listen.sockets(true),
        Loaded::Gateway { conf, .. } => bound(&conf.listen.bind, conf.listen.port),
        Loaded::Drive(conf) => bound(&conf.listen.bind, conf.listen.port),
    }
}

/// Where to ask a server that listens there.
fn reachable(socket: SocketAddr) -> SocketAddr {
    let ip = match socket.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, socket.port())
}

fn path_seen(path: &Path) -> PathSeen {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return PathSeen::Missing,
        Err(error) => return PathSeen::Refused(error.to_string()),
        Ok(about) if !about.is_dir() => return PathSeen::NotFolder,
        Ok(_) => {}
    }
    let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    let space = rustix::fs::access(path, wanted).and_then(|()| rustix::fs::statvfs(path));
    match space.map_err(io::Error::from) {
        Err(error) => PathSeen::Refused(error.to_string()),
        Ok(space) => PathSeen::Fine {
            free_mb: space.f_bavail.saturating_mul(space.f_frsize) / BYTES_PER_MB,
            total_mb: space.f_blocks.saturating_mul(space.f_frsize) / BYTES_PER_MB,
        },
    }
}

/// How many files the server may open: its own limit when it runs and we may see it, else what one started from here has.
/// `None` = as many as it likes. Servers raise theirs as far as they may.
fn open_files(base_path: &Path, role: Role) -> Option<u64> {
    let pid = daemon::control::status(&server::pid_file(base_path, role), role.program()).ok().flatten();
    let limits = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/limits")).ok());
    match limits.as_deref().and_then(limit_in) {
        Some(limit) => limit,
        None => rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum,
    }
}

/// The second number in the line of open files; outside `None` when there is no such line, inside when there is no limit.
fn limit_in(limits: &str) -> Option<Option<u64>> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let hard = line.split_whitespace().nth(1)?;
    if hard == "unlimited" { Some(None) } else { hard.parse().ok().map(Some) }
}

async fn port_seen(client: &Client, address: SocketAddr, role: Role) -> PortSeen {
    if let Err(error) = TcpStream::connect_timeout(&address, HTTP_WAIT) {
        // Nobody at all is one thing, a firewall or an address of another machine are not told apart from it.
        return match server::holder(address) {
            None => PortSeen::Nobody,
            holder => PortSeen::Stranger { holder, reason: error.to_string() },
        };
    }
    let answer = match role {
        Role::Tracker | Role::Storage => {
            let at = ServerAddr::new(address.ip(), address.port());
            cluster_probe::alive(client, at, role == Role::Tracker).await
        }
        Role::Gateway | Role::Drive => match plain_http::get(address, "/", PAGE_LEN_MAX, HTTP_WAIT) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
    };
    match answer {
        Ok(()) => PortSeen::Answers,
        Err(reason) => PortSeen::Stranger { holder: server::holder(address), reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, text: &str) -> Option<Kind> {
        kind_of(Path::new(name), &Ini::parse(name, text).unwrap())
    }

    #[test]
    fn a_configuration_is_known_by_its_keys_and_by_its_name_when_they_fit_several() {
        let both = "base_path = /x\ntracker_server = h:1\n";
        assert_eq!(kind("client.conf", both), Some(Kind::Client));
        assert_eq!(kind("a.conf", both), Some(Kind::Client));
        assert_eq!(kind("storage.conf", both), Some(Kind::Server(Role::Storage)));
        assert_eq!(kind("a.conf", "base_path = /x\nstore_path0 = /y\n"), Some(Kind::Server(Role::Storage)));
        assert_eq!(
            kind("storage.conf", "base_path = /x\nstore_lookup = 2\n"),
            Some(Kind::Server(Role::Tracker))
        );
        assert_eq!(kind("x", "[database]\nurl = x\n"), Some(Kind::Server(Role::Drive)));
        assert_eq!(kind("watch.conf", both), Some(Kind::Watch));
        assert_eq!(kind("x", "base_path = /x\n[webhook1]\nurl = https://h/\n"), Some(Kind::Watch));
        assert_eq!(kind("tracker.conf", "nothing = known\n"), None);
    }

    #[test]
    fn every_default_file_is_known_for_what_it_is_under_any_name_if_it_has_more_than_a_clients() {
        for (spec, expected) in KINDS {
            let name = if expected == Kind::Watch { spec.name } else { "x" };
            assert_eq!(kind(name, &fdfs_conf::generate::default_conf(spec)), Some(expected), "{}", spec.name);
        }
    }

    #[test]
    fn of_a_watchers_configuration_its_keys_are_checked_and_what_it_names_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("watch.conf");
        let text = "base_path = /x\ntracker_server = 127.0.0.1:9\ncheck_conf = other.conf\nintervall = 5\n";
        fs::write(&file, text).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let looked = runtime.block_on(async { look(&cluster_probe::client(), &file).await });
        assert!(matches!(&looked.found[..], [What::ConfOdd { key, .. }] if key == "intervall"), "{looked:?}");
        assert_eq!(looked.trackers.len(), 1);
        assert_eq!(looked.confs, [folder.path().join("other.conf")]);
    }

    #[test]
    fn the_limit_of_open_files_is_the_hard_one() {
        assert_eq!(limit_in("Max processes 1 2 x\nMax open files   1024   4096   files\n"), Some(Some(4096)));
        assert_eq!(limit_in("Max open files   1024   unlimited   files\n"), Some(None));
        assert_eq!(limit_in("Max processes 1 2 x\n"), None);
    }

    #[test]
    fn a_path_is_missing_a_file_or_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert_eq!(path_seen(&file), PathSeen::Missing);
        fs::write(&file, "").unwrap();
        assert_eq!(path_seen(&file), PathSeen::NotFolder);
        assert!(matches!(path_seen(folder.path()), PathSeen::Fine { .. }));
    }
}
