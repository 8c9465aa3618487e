//! What is measured: a drive on its database, cache and queue, a cluster for the bytes, and nginx in front.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use testkit::cluster::{Cluster, Plan};
use testkit::drive::Drive;
use testkit::mariadb::MariaDb;
use testkit::nginx::Nginx;
use testkit::redis::Redis;

const HTTP: &str = include_str!("../../../../deploy/nginx/drive.conf");
const FASTCGI: &str = include_str!("../../../../deploy/nginx/drive-fastcgi.conf");

/// Connections last, as those of the generator do.
const NGINX: &str = "keepalive_requests 1000000000;\n";

/// What the drive keeps its rows, verdicts and entries in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Setup {
    /// SQLite, a cache in memory, the embedded queue
    Sqlite,
    /// MariaDB, a cache in Redis, a queue in Redis
    Mariadb,
}

impl Setup {
    pub(crate) const ALL: [Setup; 2] = [Setup::Sqlite, Setup::Mariadb];

    pub(crate) const fn name(self, queue: bool) -> &'static str {
        match (self, queue) {
            (Setup::Sqlite, true) => "SQLite, memory cache, embedded queue",
            (Setup::Sqlite, false) => "SQLite, memory cache, no queue",
            (Setup::Mariadb, true) => "MariaDB, Redis cache, Redis queue",
            (Setup::Mariadb, false) => "MariaDB, Redis cache, no queue",
        }
    }
}

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Door {
    /// The drive itself, over HTTP
    Http,
    /// nginx, over HTTP to the drive
    Nginx,
    /// nginx, over FastCGI to the drive
    Fastcgi,
}

impl Door {
    pub(crate) const ALL: [Door; 3] = [Door::Http, Door::Nginx, Door::Fastcgi];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Door::Http => "HTTP",
            Door::Nginx => "nginx, HTTP",
            Door::Fastcgi => "nginx, FastCGI",
        }
    }
}

/// A cluster of one storage, for all sites.
pub(crate) fn cluster(binary: &Path, folder: &Path) -> Result<Cluster> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    Plan::new().binary(binary).within(folder).storage_key("log_level", "warn").start()
}

/// One drive and the ways to it.
pub(crate) struct Site {
    pub(crate) drive: Drive,
    http: Nginx,
    fastcgi: Nginx,
    _parts: Option<(MariaDb, Redis, Redis)>,
}

impl Site {
    pub(crate) fn new(cluster: &Cluster, folder: &Path, setup: Setup, queue: bool) -> Result<Site> {
        let mut lines = format!(
            "FASTCGI\nlog_level = warn\ntrusted_proxies = 127.0.0.1\ntracker_server = {}\n",
            cluster.tracker()
        );
        let parts = match setup {
            Setup::Sqlite => None,
            Setup::Mariadb => Some((MariaDb::start()?, Redis::start()?, Redis::start_durable()?)),
        };
        if let Some((database, cache, _)) = &parts {
            let url = database.url(&database.database()?);
            lines += &format!("[database]\nurl = {url}\n[cache]\nredis_server = {}\n", cache.address());
        }
        match (&parts, queue) {
            (_, false) => lines += "[queue]\nkind = none\n",
            (Some((.., queue)), true) => {
                lines += &format!("[queue]\nkind = redis\nredis_server = {}\n", queue.address());
            }
            (None, true) => {}
        }
        let name = format!("drive-{setup:?}-{queue}").to_lowercase();
        let drive = Drive::start(folder, &name, &lines)?;
        let front = |conf: &str, port: u16, address: SocketAddr| {
            let address = address.to_string();
            let conf = conf.replace(&format!("192.0.2.31:{port}"), &address);
            Nginx::start(&format!("{NGINX}{}", conf.replace(&format!("192.0.2.32:{port}"), &address)))
        };
        let http = front(HTTP, 8080, drive.address())?;
        let fastcgi = front(FASTCGI, 9000, drive.fastcgi())?;
        Ok(Site { drive, http, fastcgi, _parts: parts })
    }

    pub(crate) fn door(&self, door: Door) -> SocketAddr {
        match door {
            Door::Http => self.drive.address(),
            Door::Nginx => self.http.address(),
            Door::Fastcgi => self.fastcgi.address(),
        }
    }
}
