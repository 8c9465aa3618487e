//! The compositions of containers in `deploy/compose`, as processes on loopback addresses: what a container would run, with the
//! files it would see. What goes wrong here is a failed test.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::address::{Loopback, STATUS_PORT};
use testkit::binary;
use testkit::process::Server;

use crate::confs;

/// The secret of the drives.
pub const SECRET: &str = "0707070707070707070707070707070707070707070707070707070707070707";
/// The password of the first administrator, whose name is `admin`.
pub const ADMIN_PASSWORD: &str = "correct horse battery";
/// The image of ours.
const IMAGE: &str = "cairn:test";

/// What `.env` says here.
const VARIABLES: [(&str, &str); 6] = [
    ("CAIRN_IMAGE", IMAGE),
    ("CAIRN_ADDRESS", "192.0.2.10"),
    ("CAIRN_SECRET", SECRET),
    ("CAIRN_DATABASE_PASSWORD", "of the database"),
    ("CAIRN_ADMIN_PASSWORD", ADMIN_PASSWORD),
    ("GRAFANA_ADMIN_PASSWORD", "of grafana"),
];

/// `${NAME}`, `${NAME:-default}` and `${NAME:?what is missing}` replaced.
fn filled_in(text: &str) -> String {
    let mut pieces = text.split("${");
    let mut done = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (inside, rest) = piece.split_once('}').unwrap();
        let (name, other) = inside.split_once(':').unwrap_or((inside, ""));
        let value = VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let value = value.or_else(|| other.strip_prefix('-'));
        done.push_str(value.unwrap_or_else(|| panic!("{name} is not set: {other}")));
        done.push_str(rest);
    }
    done
}

/// A composition with its variables filled in.
#[must_use]
pub fn composition(name: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, filled_in(&fs::read_to_string(confs::project("deploy/compose").join(name)).unwrap()))
        .unwrap();
    confs::yaml(&file).remove(0)
}

/// The texts of a list; none when there is no list.
#[must_use]
pub fn texts(list: &Value) -> Vec<&str> {
    list.as_array().map(|list| list.iter().map(|text| text.as_str().unwrap()).collect()).unwrap_or_default()
}

/// The services that run `cairn`, with the words after it.
#[must_use]
pub fn of_ours(composition: &Value) -> BTreeMap<String, (&Value, Vec<&str>)> {
    let services = composition["services"].as_object().unwrap();
    let ours = services.iter().filter(|(_, service)| service["image"] == IMAGE);
    ours.map(|(name, service)| (name.clone(), (service, texts(&service["command"])))).collect()
}

/// Writes the files that containers of ours see below a folder: `etc/cairn` and `etc/cairn-network`.
pub fn files_of(cluster: &Value, folder: &Path) {
    let (conf, network) = (folder.join("etc/cairn"), folder.join("etc/cairn-network"));
    fs::create_dir_all(&conf).unwrap();
    fs::create_dir_all(&network).unwrap();
    for entry in fs::read_dir(confs::project("deploy/compose/conf")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text =
                fs::read_to_string(&path).unwrap().replace("/etc/cairn-network", network.to_str().unwrap());
            fs::write(conf.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    for (name, config) in cluster["configs"].as_object().unwrap() {
        let text = config["content"].as_str().unwrap();
        fs::write(network.join(format!("{name}.conf")), text).unwrap();
    }
}

/// What a container of ours would run, as a process that can be killed and started again.
#[derive(Debug)]
pub struct Member {
    /// The name of the service.
    pub name: String,
    /// `tracker`, `storage` or `drive`.
    pub role: String,
    /// The process, while it runs.
    pub server: Option<Server>,
    /// Its configuration.
    pub conf: PathBuf,
    address: Loopback,
    log: PathBuf,
}

impl Member {
    /// Where it is.
    #[must_use]
    pub fn port(&self, port: u16) -> SocketAddr {
        self.address.port(port)
    }

    /// Where it tells metrics and health.
    #[must_use]
    pub fn status(&self) -> SocketAddr {
        self.port(STATUS_PORT)
    }

    /// Starts it, also after it was killed. It is not waited for: members wait for each other.
    ///
    /// # Errors
    /// When the program is missing.
    pub fn start(&mut self) -> Result<()> {
        let variables = [format!("CAIRN_SECRET={SECRET}"), format!("CAIRN_ADMIN_PASSWORD={ADMIN_PASSWORD}")];
        let program: [&OsStr; 4] =
            [binary::cairn()?.as_os_str(), self.role.as_ref(), self.conf.as_os_str(), "--no-daemon".as_ref()];
        // It becomes the program itself, under the same number.
        let words = variables.iter().map(AsRef::as_ref).chain(program);
        self.server = Some(Server::start(&self.name, Path::new("env"), words, &self.log)?);
        Ok(())
    }

    /// Ends it with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().with_context(|| format!("{} does not run", self.name))?.kill()
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not end in time, or not with code 0.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let status = server.terminate()?;
        anyhow::ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }
}

/// Lays out the members of ours below a folder in which [`files_of`] has written, each on an address of its own; none is
/// started. `places` are texts of the files, and what stands for them here. `more` says which lines a role has before those of
/// its file.
pub fn members(
    cluster: &Value,
    folder: &Path,
    mut places: Vec<(String, String)>,
    more: impl Fn(&str, &Loopback) -> String,
) -> Result<Vec<Member>> {
    let services = of_ours(cluster);
    let addresses: Vec<Loopback> = services.iter().map(|_| Loopback::claim()).collect::<Result<_>>()?;
    for ((name, (service, _)), address) in services.iter().zip(&addresses) {
        let inside = service["networks"]["cairn"]["ipv4_address"].as_str().unwrap();
        places.push((format!("{inside},192.0.2.10:"), format!("{}:", address.ip())));
        places.push((format!("{name}:"), format!("{}:", address.ip())));
    }
    // The entry.
    places.push(("172.30.0.50".to_owned(), "127.0.0.1".to_owned()));
    for path in ["etc/cairn", "etc/cairn-network"].map(|path| folder.join(path)) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let text = places.iter().fold(text, |text, (from, to)| text.replace(from, to));
            fs::write(&path, text).unwrap();
        }
    }
    let mut members = Vec::new();
    for ((name, (_, command)), address) in services.iter().zip(addresses) {
        assert_eq!(command[2], "--no-daemon", "{name}");
        members.push(member(folder, name, command, address, &more));
    }
    Ok(members)
}

/// Its files are its own, because it has no network of its own here: its addresses are in them. The disk of a test machine may
/// be nearly full, and making 65,536 folders takes longer than the rest.
fn member(
    folder: &Path,
    name: &str,
    command: &[&str],
    address: Loopback,
    more: &impl Fn(&str, &Loopback) -> String,
) -> Member {
    let (own, data) = (folder.join(name), folder.join(format!("{name}-data")));
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(&data).unwrap();
    let ip = address.ip();
    for entry in fs::read_dir(folder.join("etc/cairn")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path)
            .unwrap()
            .replace("/var/lib/cairn", data.to_str().unwrap())
            .replace("0.0.0.0", &ip.to_string())
            .replace("reserved_storage_space = 10%", "reserved_storage_space = 1MB");
        fs::write(own.join(path.file_name().unwrap()), format!("bind_addr = {ip}\n{text}")).unwrap();
    }
    let conf = own.join(Path::new(command[1]).file_name().unwrap());
    let mut lines = more(command[0], &address);
    if command[0] == "storage" {
        lines += "subdir_count_per_path = 4\nheart_beat_interval = 1\n";
    }
    fs::write(&conf, lines + &fs::read_to_string(&conf).unwrap()).unwrap();
    let log = folder.join(format!("{name}.log"));
    Member { name: name.to_owned(), role: command[0].to_owned(), server: None, conf, address, log }
}
