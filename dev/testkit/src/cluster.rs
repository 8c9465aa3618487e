//! A cluster of real processes on loopback addresses, from a few words.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::address::{HTTP_PORT, Loopback, STATUS_PORT, STORAGE_PORT, TRACKER_PORT};
use crate::conf::Conf;
use crate::process::Server;
use crate::{binary, logs, probe, wait};

/// What a cluster shall look like; [`Plan::start`] makes it so.
#[derive(Debug, Clone)]
pub struct Plan {
    trackers: usize,
    groups: Vec<(String, usize)>,
    store_paths: usize,
    tracker_keys: Vec<(String, String)>,
    storage_keys: Vec<(String, String)>,
    http_keys: Option<Vec<(String, String)>>,
    status: bool,
    folder: Option<PathBuf>,
    binary: Option<PathBuf>,
}

impl Default for Plan {
    /// One tracker, one storage of group1 with one store path and few directories.
    fn default() -> Plan {
        Plan {
            trackers: 1,
            groups: vec![("group1".to_owned(), 1)],
            store_paths: 1,
            tracker_keys: Vec::new(),
            // 256 × 256 directories per path take longer to make than most tests take to run.
            storage_keys: vec![("subdir_count_per_path".to_owned(), "4".to_owned())],
            http_keys: None,
            status: false,
            folder: None,
            binary: None,
        }
    }
}

impl Plan {
    /// See [`Plan::default`].
    #[must_use]
    pub fn new() -> Plan {
        Plan::default()
    }

    /// How many trackers.
    #[must_use]
    pub fn trackers(mut self, count: usize) -> Plan {
        self.trackers = count;
        self
    }

    /// Which groups, each with so many storages.
    #[must_use]
    pub fn groups(mut self, groups: &[(&str, usize)]) -> Plan {
        self.groups = groups.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        self
    }

    /// Store paths of each storage.
    #[must_use]
    pub fn store_paths(mut self, count: usize) -> Plan {
        self.store_paths = count;
        self
    }

    /// A key of every `tracker.conf`.
    #[must_use]
    pub fn tracker_key(mut self, key: &str, value: impl ToString) -> Plan {
        self.tracker_keys.push((key.to_owned(), value.to_string()));
        self
    }

    /// A key of every `storage.conf`.
    #[must_use]
    pub fn storage_key(mut self, key: &str, value: impl ToString) -> Plan {
        self.storage_keys.push((key.to_owned(), value.to_string()));
        self
    }

    /// Every storage serves HTTP as well, with these keys of `mod_fastdfs.conf` besides the necessary ones.
    #[must_use]
    pub fn http(mut self, keys: &[(&str, &str)]) -> Plan {
        let owned = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.http_keys = Some(owned.collect());
        self
    }

    /// Every server tells metrics and health, at [`Node::status`].
    #[must_use]
    pub fn status(mut self) -> Plan {
        self.status = true;
        self
    }

    /// Makes the temporary folder inside this one, for tests that need a certain file system.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Plan {
        self.folder = Some(folder.to_path_buf());
        self
    }

    /// Starts this program instead of the one of this build.
    #[must_use]
    pub fn binary(mut self, path: &Path) -> Plan {
        self.binary = Some(path.to_path_buf());
        self
    }

    /// Writes the files, starts the processes, waits until every tracker has a storage to offer.
    ///
    /// # Errors
    /// When a process cannot be started or is not ready within [`wait::READY`].
    pub fn start(self) -> Result<Cluster> {
        let mut cluster = self.prepare()?;
        cluster.start_all()?;
        Ok(cluster)
    }

    /// Writes the files and starts nothing.
    ///
    /// # Errors
    /// When folders or files cannot be made.
    pub fn prepare(self) -> Result<Cluster> {
        let folder = match &self.folder {
            Some(within) => tempfile::Builder::new().prefix("cairn-").tempdir_in(within)?,
            None => tempfile::Builder::new().prefix("cairn-").tempdir()?,
        };
        let binary = match &self.binary {
            Some(path) => path.clone(),
            None => binary::cairn()?.to_path_buf(),
        };
        let mut trackers = Vec::new();
        for index in 0..self.trackers {
            trackers.push(self.tracker(index, folder.path())?);
        }
        let addresses: Vec<SocketAddr> = trackers.iter().map(Node::address).collect();
        let mut storages = Vec::new();
        for (group, count) in &self.groups {
            for _ in 0..*count {
                storages.push(self.storage(storages.len(), group, &addresses, folder.path())?);
            }
        }
        let client_conf = folder.path().join("client.conf");
        let client = Conf::new().set("base_path", make_folder(folder.path(), "client")?.display());
        addresses
            .iter()
            .fold(client, |conf, address| conf.add("tracker_server", address))
            .write(&client_conf)?;
        Ok(Cluster { trackers, storages, client_conf, binary, folder })
    }

    fn tracker(&self, index: usize, folder: &Path) -> Result<Node> {
        let node = Node::new(&format!("tracker{index}"), "tracker", TRACKER_PORT, folder)?;
        self.told(&node)
            .set("bind_addr", node.loopback.ip())
            .set("port", TRACKER_PORT)
            .set("base_path", node.base_path.display())
            // The disk of a test machine may be nearly full; that has tests of its own.
            .set("reserved_storage_space", "1MB")
            .set_all(&self.tracker_keys)
            .write(&node.conf)?;
        Ok(node)
    }

    fn told(&self, node: &Node) -> Conf {
        if self.status { Conf::new().set("status_listen", node.status()) } else { Conf::new() }
    }

    fn storage(&self, index: usize, group: &str, trackers: &[SocketAddr], folder: &Path) -> Result<Node> {
        let mut node = Node::new(&format!("storage{index}"), "storage", STORAGE_PORT, folder)?;
        node.group = Some(group.to_owned());
        let mut conf = self
            .told(&node)
            .set("group_name", group)
            .set("bind_addr", node.loopback.ip())
            .set("port", STORAGE_PORT)
            .set("base_path", node.base_path.display())
            .set("store_path_count", self.store_paths);
        for path in 0..self.store_paths {
            let made = make_folder(&node.base_path, &format!("store{path}"))?;
            conf = conf.set(&format!("store_path{path}"), made.display());
            node.store_paths.push(made);
        }
        for tracker in trackers {
            conf = conf.add("tracker_server", tracker);
        }
        if let Some(keys) = &self.http_keys {
            let file = node.conf.with_extension("http.conf");
            http_conf(&node, trackers).set_all(keys).write(&file)?;
            conf = conf.set("gateway_conf", file.display());
            node.with_http = true;
        }
        conf.set_all(&self.storage_keys).write(&node.conf)?;
        Ok(node)
    }
}

/// What a `mod_fastdfs.conf` must say at least.
fn http_conf(node: &Node, trackers: &[SocketAddr]) -> Conf {
    let conf = Conf::new()
        .set("bind_addr", node.loopback.ip())
        .set("port", HTTP_PORT)
        .set("base_path", node.base_path.display())
        .set("url_have_group_name", true);
    trackers.iter().fold(conf, |conf, tracker| conf.add("tracker_server", tracker))
}

/// Running trackers and storages, stopped and removed when dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The trackers, in the order of their making.
    pub trackers: Vec<Node>,
    /// The storages, group by group.
    pub storages: Vec<Node>,
    client_conf: PathBuf,
    binary: PathBuf,
    // Last, so that the servers are gone before their folder is.
    folder: TempDir,
}

impl Cluster {
    /// One tracker, one storage.
    ///
    /// # Errors
    /// See [`Plan::start`].
    pub fn start() -> Result<Cluster> {
        Plan::new().start()
    }

    /// Address of the first tracker.
    ///
    /// # Panics
    /// When the plan had no tracker.
    #[must_use]
    pub fn tracker(&self) -> SocketAddr {
        self.trackers[0].address()
    }

    /// A `client.conf` that names all trackers.
    #[must_use]
    pub fn client_conf(&self) -> &Path {
        &self.client_conf
    }

    /// The temporary folder everything lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program the servers run.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Starts every server of a prepared cluster, trackers first, and waits until it serves.
    ///
    /// # Errors
    /// See [`Plan::start`].
    pub fn start_all(&mut self) -> Result<()> {
        let Cluster { trackers, storages, binary, .. } = self;
        for tracker in trackers.iter_mut() {
            tracker.start(binary)?;
        }
        // A storage that finds no tracker says so in its log, and the log of a good start holds no warning.
        for tracker in trackers.iter_mut() {
            tracker.wait_answers()?;
        }
        for storage in storages.iter_mut() {
            storage.start(binary)?;
        }
        self.wait_ready()
    }

    /// Starts a gateway by itself, with these keys of `mod_fastdfs.conf` besides the necessary ones.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen within [`wait::READY`].
    pub fn gateway(&self, keys: &[(&str, &str)]) -> Result<Node> {
        let mut node = Node::new("gateway", "gateway", HTTP_PORT, self.folder.path())?;
        let trackers: Vec<SocketAddr> = self.trackers.iter().map(Node::address).collect();
        let conf = http_conf(&node, &trackers).set("status_listen", node.status());
        keys.iter().fold(conf, |conf, (key, value)| conf.set(key, value)).write(&node.conf)?;
        node.start(&self.binary)?;
        let address = node.address();
        wait::until("the gateway listens", wait::READY, || TcpStream::connect(address).ok())?;
        Ok(node)
    }

    /// Starts a stopped or killed storage again and waits until it answers and the trackers offer its group.
    ///
    /// # Errors
    /// When it is not ready within [`wait::READY`].
    pub fn restart_storage(&mut self, index: usize) -> Result<()> {
        self.storages[index].start(&self.binary)?;
        self.wait_ready()?;
        let Some(group) = &self.storages[index].group else { return Ok(()) };
        for tracker in self.trackers.iter().filter(|tracker| tracker.server.is_some()) {
            let what = format!("a storage of {group} known to {}", tracker.name);
            let offered = || probe::offers_storage_of(tracker.address(), group).then_some(());
            wait::until(&what, wait::READY, offered)?;
        }
        Ok(())
    }

    /// Starts a stopped or killed tracker again and waits until it answers and the cluster serves.
    ///
    /// # Errors
    /// When it is not ready within [`wait::READY`].
    pub fn restart_tracker(&mut self, index: usize) -> Result<()> {
        self.trackers[index].start(&self.binary)?;
        self.wait_ready()
    }

    /// Waits until every process that runs answers, and every running tracker has a storage to offer.
    ///
    /// # Errors
    /// When that takes longer than [`wait::READY`], or a process ends meanwhile.
    pub fn wait_ready(&mut self) -> Result<()> {
        for node in self.trackers.iter_mut().chain(&mut self.storages) {
            if node.server.is_some() {
                node.wait_answers()?;
            }
        }
        for tracker in self.trackers.iter().filter(|tracker| tracker.server.is_some()) {
            let what = format!("a storage known to {}", tracker.name);
            wait::until(&what, wait::READY, || probe::offers_storage(tracker.address()).then_some(()))?;
        }
        Ok(())
    }

    /// Stops every process with SIGTERM, storages first, and fails if one does not end with code 0.
    ///
    /// # Errors
    /// See above.
    pub fn stop(&mut self) -> Result<()> {
        for node in self.storages.iter_mut().chain(&mut self.trackers) {
            node.stop()?;
        }
        Ok(())
    }

    /// Fails when any server logged a WARN or ERROR line without one of the `expected` texts in it.
    ///
    /// # Errors
    /// Shows file and lines.
    pub fn check_logs(&self, expected: &[&str]) -> Result<()> {
        for node in self.trackers.iter().chain(&self.storages) {
            // Nothing else of the folder: files that were stored may be called `*.log` too.
            logs::check_file(&node.output, expected)?;
            logs::check_folder(&node.base_path.join("logs"), expected)?;
        }
        Ok(())
    }
}

/// One tracker or storage: its address, files and, while it runs, its process.
#[derive(Debug)]
pub struct Node {
    /// "tracker0", "storage1".
    pub name: String,
    /// Its configuration file.
    pub conf: PathBuf,
    /// Its base path.
    pub base_path: PathBuf,
    /// Its store paths; a tracker has none.
    pub store_paths: Vec<PathBuf>,
    /// The process, while it runs.
    pub server: Option<Server>,
    role: &'static str,
    port: u16,
    /// Of a storage; a tracker has none.
    group: Option<String>,
    /// It serves HTTP besides.
    with_http: bool,
    output: PathBuf,
    loopback: Loopback,
}

impl Node {
    fn new(name: &str, role: &'static str, port: u16, folder: &Path) -> Result<Node> {
        Ok(Node {
            name: name.to_owned(),
            conf: folder.join(format!("{name}.conf")),
            base_path: make_folder(folder, name)?,
            store_paths: Vec::new(),
            server: None,
            role,
            port,
            group: None,
            with_http: false,
            output: folder.join(format!("{name}.output.log")),
            loopback: Loopback::claim()?,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(self.port)
    }

    /// Where it serves HTTP, if it does.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.loopback.port(HTTP_PORT)
    }

    /// Where it tells metrics and health, if it does.
    #[must_use]
    pub fn status(&self) -> SocketAddr {
        self.loopback.port(STATUS_PORT)
    }

    /// Gives the server, which does not run, another address; the one that it had.
    ///
    /// # Errors
    /// When its configuration cannot be changed.
    pub fn move_to(&mut self, address: Loopback) -> Result<Loopback> {
        let text = std::fs::read_to_string(&self.conf)?;
        let line = |loopback: &Loopback| format!("bind_addr = {}\n", loopback.ip());
        let old = line(&self.loopback);
        anyhow::ensure!(text.contains(&old), "{} has no {old}", self.conf.display());
        std::fs::write(&self.conf, text.replace(&old, &line(&address)))?;
        Ok(std::mem::replace(&mut self.loopback, address))
    }

    /// Adds a line to its configuration, for its next start.
    ///
    /// # Errors
    /// When its configuration cannot be changed.
    pub fn configure(&self, key: &str, value: impl ToString) -> Result<()> {
        let text = std::fs::read_to_string(&self.conf)?;
        std::fs::write(&self.conf, format!("{text}{key} = {}\n", value.to_string()))?;
        Ok(())
    }

    /// Starts the process; does not wait until it answers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self, binary: &Path) -> Result<()> {
        let arguments = [self.role.as_ref(), self.conf.as_os_str(), "--no-daemon".as_ref()];
        self.server = Some(Server::start(&self.name, binary, arguments, &self.output)?);
        Ok(())
    }

    /// Ends the process with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().with_context(|| format!("{} does not run", self.name))?.kill()
    }

    /// Ends the process with SIGTERM, if it runs.
    ///
    /// # Errors
    /// When it does not end in time, or not with code 0.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let status = server.terminate()?;
        anyhow::ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// What the process printed, over all its starts.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read(&self.output)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn wait_answers(&mut self) -> Result<()> {
        let (address, http) = (self.address(), self.with_http.then(|| self.http()));
        let Node { name, server, output, .. } = self;
        let server = server.as_mut().with_context(|| format!("{name} does not run"))?;
        let alive = wait::until(&format!("answer of {name} at {address}"), wait::READY, || {
            if probe::answers(address) && http.is_none_or(|http| TcpStream::connect(http).is_ok()) {
                return Some(true);
            }
            (!server.is_running()).then_some(false)
        })?;
        anyhow::ensure!(alive, "{name} ended at its start:\n{}", std::fs::read_to_string(output)?);
        Ok(())
    }
}

fn make_folder(within: &Path, name: &str) -> Result<PathBuf> {
    let path = within.join(name);
    std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_writes_one_configuration_per_server_on_addresses_of_their_own() {
        let cluster = Plan::new()
            .trackers(2)
            .groups(&[("group1", 1), ("group2", 1)])
            .store_paths(2)
            .storage_key("subdir_count_per_path", 8)
            .binary(Path::new("/bin/false"))
            .prepare()
            .unwrap();
        assert_eq!((cluster.trackers.len(), cluster.storages.len()), (2, 2));
        let conf = std::fs::read_to_string(&cluster.storages[1].conf).unwrap();
        assert!(conf.contains("group_name = group2\n"));
        assert!(conf.contains(&format!("bind_addr = {}\n", cluster.storages[1].address().ip())));
        assert_eq!(conf.matches("subdir_count_per_path").count(), 1);
        assert_eq!(conf.matches("tracker_server = 127.0.0.").count(), 2);
        assert!(cluster.storages[1].store_paths.iter().all(|path| path.is_dir()));
        let client = std::fs::read_to_string(cluster.client_conf()).unwrap();
        assert!(client.contains(&format!("tracker_server = {}\n", cluster.tracker())));
    }

    #[test]
    fn a_server_that_ends_at_once_is_reported_with_what_it_printed() {
        let mut cluster = Plan::new().binary(Path::new("/bin/ls")).prepare().unwrap();
        cluster.trackers[0].start(Path::new("/bin/ls")).unwrap();
        let words = cluster.wait_ready().unwrap_err().to_string();
        assert!(words.contains("tracker0 ended at its start"), "{words}");
        assert!(words.contains("ls:"), "{words}");
    }
}
