//! drive.conf: the cloud drive. A file of our own, in the grammar of the others, so that one registry declares all keys.
//!
//! Passwords and other secrets are not in it: it names the files they are in.

mod keys;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use fdfs_fileid::GroupName;

use crate::addr::TrackerServers;
use crate::service::{LogFileConf, LogLevel, RunBy};

pub(crate) use keys::{CACHE_SECTION, DATABASE_SECTION, DRIVE_KEYS, QUEUE_SECTION, S3_SECTION};

/// A checked drive.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveConf {
    /// Folder for logs, and for what is not kept elsewhere: the SQLite database, the embedded queue, the secret.
    pub base_path: PathBuf,
    /// Unix user and group to run under.
    pub run_by: RunBy,
    /// Least severe message logged.
    pub log_level: LogLevel,
    /// When the log begins a new file.
    pub log_file: LogFileConf,
    /// Where metrics and health are told; `None` = nowhere.
    pub status_listen: Option<SocketAddr>,
    /// Where to listen, and what connections may use up.
    pub listen: DriveListenConf,
    /// Addresses of proxies whose word about the sender is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins other than the drive's own whose pages may send requests with a cookie.
    pub trusted_origins: Vec<String>,
    /// The file with the secret of the installation; it may not be there before the first start.
    pub secret_file: PathBuf,
    /// The file with the first administrator's password; `None` = one is made up.
    pub admin_password_file: Option<PathBuf>,
    /// What accounts may do.
    pub accounts: AccountsConf,
    /// Where small pictures are kept.
    pub thumbnails: ThumbnailsConf,
    /// All picture links of old clients get an extraction code, not only those that ask for one.
    pub old_pictures_always_coded: bool,
    /// How many minutes ahead of UTC old clients are told times.
    pub old_time_offset_minutes: i32,
    /// Where the bytes are.
    pub bytes: BytesConf,
    /// Where everything else is.
    pub database: DatabaseConf,
    /// Where the cache is; `None` = in memory.
    pub cache: Option<RedisConf>,
    /// Bytes of a cache in memory, for each kind of thing.
    pub cache_memory: u64,
    /// Where the queue is.
    pub queue: QueueConf,
}

/// Where a drive listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveListenConf {
    /// Addresses, at most one per IP version; none means all.
    pub bind: Vec<IpAddr>,
    /// Port for HTTP.
    pub port: u16,
    /// For FastCGI; `None` = not.
    pub fastcgi: Option<SocketAddr>,
    /// Connections held at the same time.
    pub max_connections: u32,
    /// How long a connection may rest between two requests, and the head of a request take.
    pub keepalive_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub send_timeout: Duration,
}

/// What accounts may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsConf {
    /// Everybody may make one.
    pub open: bool,
    /// Bytes that a new one may store; `None` = as many as there is room for.
    pub quota: Option<u64>,
    /// Bytes of a file at most; `None` = any.
    pub file_size_max: Option<u64>,
    /// How long the trash keeps.
    pub trash_kept: Duration,
    /// How long the audit log is kept; `None` = for ever.
    pub audit_kept: Option<Duration>,
    /// How long a link may live; `None` = for ever.
    pub share_lifetime_max: Option<Duration>,
    /// Requests a second, of an account or address; `None` = any number.
    pub request_rate: Option<u32>,
    /// New accounts an hour from an address; `None` = any number.
    pub registration_rate: Option<u32>,
    /// Memory that hashing a password takes, KiB.
    pub password_memory_kib: u32,
    /// Passes over that memory.
    pub password_passes: u32,
    /// Passwords hashed at the same time.
    pub hashes_at_once: u32,
}

/// Where small pictures of pictures are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThumbnailsConf {
    /// Their folder.
    pub cache_path: PathBuf,
    /// Most that they take there, bytes.
    pub cache_max: u64,
}

/// Where the bytes of files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BytesConf {
    /// In a FastDFS cluster.
    Cluster {
        /// Its trackers.
        trackers: TrackerServers,
        /// The group; `None` = as the trackers choose.
        group: Option<GroupName>,
        /// How long a connection may take to come up.
        connect_timeout: Duration,
        /// How long a server may stay silent.
        network_timeout: Duration,
    },
    /// In a bucket.
    S3(S3Conf),
}

/// An S3-compatible store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Conf {
    /// Where it is.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// All names begin with this.
    pub prefix: String,
    /// Who we are.
    pub access_key_id: String,
    /// The file with what only we know.
    pub secret_access_key_file: Option<PathBuf>,
    /// The bucket is a part of the host's name.
    pub virtual_host_style: bool,
    /// How long the store may stay silent.
    pub network_timeout: Duration,
}

/// Where rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseConf {
    /// In a SQLite file of this machine.
    Sqlite(PathBuf),
    /// On MySQL or MariaDB servers that hold the same.
    MySql {
        /// `mysql://user@host:port/database`, in the order in which they are tried.
        urls: Vec<String>,
        /// The file with the password.
        password_file: Option<PathBuf>,
        /// Connections at most.
        connections: u32,
    },
}

/// A Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConf {
    /// `host[:port]`
    pub servers: Vec<String>,
    /// The servers are Sentinels, and this is the name of the service.
    pub sentinel: Option<String>,
    /// The servers are members of a Cluster.
    pub cluster: bool,
    /// The user; `None` = Redis's default one.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// The number of the database.
    pub database: u16,
    /// Through TLS.
    pub tls: bool,
    /// What all keys begin with.
    pub prefix: String,
    /// How long a call may take.
    pub deadline: Duration,
}

/// Where the durable queue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueConf {
    /// There is none: everything is written to the database at once.
    None,
    /// In a file of this process.
    Embedded {
        /// Bytes of a lane at most.
        lane_size: u64,
    },
    /// In Redis Streams.
    Redis {
        /// Which Redis.
        redis: RedisConf,
        /// Entries of a lane at most.
        lane_entries: u32,
        /// Replicas that have an entry before it is certain.
        replicas: u32,
        /// Its persistence is not checked.
        assume_durable: bool,
    },
    /// In NATS JetStream.
    Nats {
        /// `host:port`
        servers: Vec<String>,
        /// The user.
        user: Option<String>,
        /// The file with the user's password.
        password_file: Option<PathBuf>,
        /// The file with a token.
        token_file: Option<PathBuf>,
        /// The file with credentials.
        credentials_file: Option<PathBuf>,
        /// Through TLS.
        tls: bool,
        /// What all names begin with.
        prefix: String,
        /// Entries of a lane at most.
        lane_entries: u32,
        /// Bytes of a lane at most.
        lane_size: u32,
        /// Servers that keep each entry.
        replicas: u32,
    },
}
