//! Everything that `deploy/compose/cluster.yaml` has, as processes on loopback addresses, from its files; which are killed and
//! come back.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::composition::{Member, composition, files_of, members};
use e2e::confs;
use e2e::files::run;
use e2e::http::ask;
use fdfs_client::{Client, ClientConfig, GroupName, ServerAddr, StorageStatus};
use testkit::drive::FASTCGI_PORT;
use testkit::mariadb::MariaDb;
use testkit::nats::Nats;
use testkit::nginx::Nginx;
use testkit::open_metrics::Exposition;
use testkit::prometheus::Prometheus;
use testkit::redis::Redis;
use testkit::wait;

/// How long members may take to find each other again on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// What clients of FastDFS wait for a connection, and for an answer.
const CONNECT: Duration = Duration::from_secs(2);
const NETWORK: Duration = Duration::from_secs(15);

/// Where the second door of the drive is, which the composition does not have.
const FASTCGI: &str = include_str!("../../../deploy/nginx/drive-fastcgi.conf");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");

/// What differs from the files, in words for the report.
pub(crate) const DIFFERENCES: &str = "addresses; `reserved_storage_space`, `subdir_count_per_path` and `heart_beat_interval` (1 MB, \
    4, 1 s); the drives' `[queue]` is NATS JetStream; they serve FastCGI, too, behind `deploy/nginx/drive-fastcgi.conf`; nginx \
    keeps 500 MB at most";

/// The processes of Cairn that run, and where they tell of themselves.
pub(crate) type Watched = Arc<Mutex<BTreeMap<String, (u32, SocketAddr)>>>;

/// Who can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A member of the composition that is ours.
    Cairn(&'static str),
    Nginx,
    MariaDb,
    Redis,
    Nats,
    Prometheus,
}

impl Part {
    pub(crate) const ALL: [Part; 13] = [
        // The first three are left alone when the beginning is over: see the killer.
        Part::Cairn("tracker2"),
        Part::Cairn("group2-storage2"),
        Part::Cairn("drive2"),
        Part::Cairn("tracker1"),
        Part::Cairn("group1-storage1"),
        Part::Cairn("group1-storage2"),
        Part::Cairn("group2-storage1"),
        Part::Cairn("drive1"),
        Part::Nginx,
        Part::MariaDb,
        Part::Redis,
        Part::Nats,
        Part::Prometheus,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Cairn(name) => name,
            Part::Nginx => "nginx",
            Part::MariaDb => "MariaDB",
            Part::Redis => "Redis (cache)",
            Part::Nats => "NATS (queue)",
            Part::Prometheus => "Prometheus",
        }
    }

    /// What it is one of.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Part::Cairn(name) if name.starts_with("tracker") => "a tracker",
            Part::Cairn(name) if name.starts_with("drive") => "a drive",
            Part::Cairn(_) => "a storage",
            other => other.name(),
        }
    }
}

pub(crate) struct Site {
    pub(crate) members: Vec<Member>,
    entry: Nginx,
    database: MariaDb,
    cache: Redis,
    queue: Nats,
    pub(crate) prometheus: Prometheus,
    pub(crate) database_url: String,
    pub(crate) folder: PathBuf,
    pub(crate) watched: Watched,
}

impl Site {
    /// Starts everything and waits until all of it serves.
    pub(crate) fn start(folder: &Path) -> Result<Site> {
        let cluster = composition("cluster.yaml");
        let (database, cache, queue) = (MariaDb::start()?, Redis::start_durable()?, Nats::start()?);
        let database_url = database.url(&database.database()?);
        files_of(&cluster, folder);
        let places = vec![
            (
                "kind = redis\nredis_server = redis:6379".to_owned(),
                format!("kind = nats\nnats_server = {}", queue.address()),
            ),
            ("mysql://cairn@mariadb:3306/cairn".to_owned(), database_url.clone()),
            ("redis:6379".to_owned(), cache.address().to_string()),
        ];
        let mut members = members(&cluster, folder, places, |role, address| match role {
            "drive" => format!("fastcgi_bind_addr = {}\nfastcgi_port = {FASTCGI_PORT}\n", address.ip()),
            _ => String::new(),
        })?;
        for member in &mut members {
            member.start()?;
        }
        let address = |name: &str, port: u16| -> Result<String> {
            let member = members.iter().find(|member| member.name == name);
            Ok(member.with_context(|| format!("no {name}"))?.port(port).to_string())
        };
        let fastcgi = FASTCGI
            .replace("192.0.2.31:9000", &address("drive1", FASTCGI_PORT)?)
            .replace("192.0.2.32:9000", &address("drive2", FASTCGI_PORT)?)
            .replace("upstream drive {", "upstream drive-fastcgi {")
            .replace("fastcgi_pass drive;", "fastcgi_pass drive-fastcgi;")
            .replace("listen 80;", "listen 81;");
        let read = |name: &str| {
            let file = folder.join("etc/cairn").join(name);
            fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
        };
        let http = read("nginx.conf")?
            .replace("listen 8080;", "listen 80;")
            .replace("max_size=10g", "max_size=500m");
        let entry = Nginx::start(&format!("{http}\n{fastcgi}"))?;
        let prometheus = Prometheus::start(&read("prometheus.yml")?, &[("alerts.yml", ALERTS)])?;
        let site = Site {
            members,
            entry,
            database,
            cache,
            queue,
            prometheus,
            database_url,
            folder: folder.to_path_buf(),
            watched: Watched::default(),
        };
        site.watch();
        site.until_well()?;
        Ok(site)
    }

    /// `http://` and the address of the entry.
    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.entry.address())
    }

    /// The same, where it goes on by FastCGI.
    pub(crate) fn fastcgi(&self) -> String {
        format!("http://{}", self.entry.second_address())
    }

    pub(crate) fn trackers(&self) -> Result<Vec<ServerAddr>> {
        let (storage, _) = confs::storage(&self.folder.join("etc/cairn/group1-storage1.conf"));
        Ok(storage.tracker_servers.as_slice().to_vec())
    }

    /// A client of both trackers.
    pub(crate) fn client(&self) -> Result<Client> {
        let mut config = ClientConfig::new(self.trackers()?);
        (config.connect_timeout, config.network_timeout) = (CONNECT, NETWORK);
        Ok(Client::new(config))
    }

    /// Where a storage serves clients.
    pub(crate) fn storage(&self, name: &str) -> Result<ServerAddr> {
        let member =
            self.members.iter().find(|member| member.name == name).with_context(|| format!("no {name}"))?;
        let (conf, _) = confs::storage(&self.folder.join(format!("etc/cairn/{name}.conf")));
        let place = member.port(conf.listen.inner_port);
        Ok(ServerAddr::new(place.ip(), place.port()))
    }

    pub(crate) fn member(&mut self, name: &str) -> Result<&mut Member> {
        self.members.iter_mut().find(|member| member.name == name).with_context(|| format!("no {name}"))
    }

    pub(crate) fn kill(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Cairn(name) => self.member(name)?.kill(),
            Part::Nginx => self.entry.kill(),
            Part::MariaDb => self.database.kill(),
            Part::Redis => self.cache.server().kill(),
            Part::Nats => self.queue.server().kill(),
            Part::Prometheus => self.prometheus.server().kill(),
        }?;
        self.watch();
        Ok(())
    }

    pub(crate) fn start_again(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Cairn(name) => self.member(name)?.start(),
            Part::Nginx => self.entry.start_again(),
            Part::MariaDb => self.database.restart(),
            Part::Redis => self.cache.start_again(),
            Part::Nats => self.queue.start_again(),
            Part::Prometheus => self.prometheus.start_again(),
        }?;
        self.watch();
        Ok(())
    }

    /// Says who runs now.
    pub(crate) fn watch(&self) {
        let running = self.members.iter().filter_map(|member| {
            let pid = member.server.as_ref()?.pid();
            Some((member.name.clone(), (pid, member.status())))
        });
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = running.collect();
    }

    /// Waits until every member that runs can do its work, and the trackers agree.
    pub(crate) fn until_well(&self) -> Result<()> {
        for member in self.members.iter().filter(|member| member.server.is_some()) {
            wait::until(&format!("{} can do its work", member.name), PATIENCE, || {
                (ask(member.status(), "GET", "/readyz", &[]).ok()?.status == 200).then_some(())
            })?;
        }
        let storages =
            self.members.iter().filter(|member| member.role == "storage" && member.server.is_some());
        let wanted = storages.count();
        for tracker in self.trackers()? {
            wait::until(&format!("tracker {tracker} has {wanted} active storages"), PATIENCE, || {
                (run(active(self.client().ok()?, tracker.clone())).ok()? == wanted).then_some(())
            })?;
        }
        Ok(())
    }

    /// What a member tells.
    pub(crate) fn metrics(status: SocketAddr) -> Result<Exposition> {
        let answer = ask(status, "GET", "/metrics", &[])?;
        Exposition::parse(&String::from_utf8(answer.content)?)
    }

    /// Waits until nothing is under way between the members: the queue is empty, and every storage has what the others have.
    pub(crate) fn until_quiet(&self, limit: Duration) -> Result<()> {
        const UNDER_WAY: [(&str, &str); 3] = [
            ("storage", "cairn_storage_sync_lag_bytes"),
            ("storage", "cairn_storage_sync_records"),
            ("drive", "cairn_drive_queue_waiting"),
        ];
        for (role, name) in UNDER_WAY {
            for member in self.members.iter().filter(|member| member.role == role) {
                wait::until(&format!("{name} of {} is 0", member.name), limit, || {
                    (Site::metrics(member.status()).ok()?.sum(name, &[]) == 0.0).then_some(())
                })?;
            }
        }
        Ok(())
    }

    /// The sum of a metric over all members of a role.
    pub(crate) fn sum(&self, role: &str, name: &str) -> Result<f64> {
        let mut sum = 0.0;
        for member in self.members.iter().filter(|member| member.role == role) {
            sum += Site::metrics(member.status())?.sum(name, &[]);
        }
        Ok(sum)
    }
}

/// How many storages a tracker says are active.
async fn active(client: Client, tracker: ServerAddr) -> Result<usize> {
    let tracker = client.tracker(tracker);
    let mut count = 0;
    for group in ["group1", "group2"] {
        let group = GroupName::parse(group.as_bytes()).context("a group")?;
        let storages = tracker.list_storages(group, None).await?;
        count += storages.iter().filter(|storage| storage.who.status == StorageStatus::Active).count();
    }
    Ok(count)
}
