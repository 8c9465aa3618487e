//! The keys of drive.conf, and the way from them to a checked [`DriveConf`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{
    AccountsConf, BytesConf, DatabaseConf, DriveConf, DriveListenConf, QueueConf, RedisConf, S3Conf,
    ThumbnailsConf,
};
use crate::addr::parse_bind;
use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::files::{DRIVE_CONF, OTHERS_OF_DRIVE};
use crate::gateway::{group_name, list, needed};
use crate::ini::{Ini, Loader, ThisHost};
use crate::registry::Fit::{DefaultBelow, Strict};
use crate::registry::{
    Key, Many, Maybe, One, Reader, SectionSpec, check_names, conf_keys, days, flag, number, seconds, size,
    text,
};
use crate::service::{ERROR_LOG, LogLevel, RawLogFile, RawStatus, RunBy, filled, folder, path_of};
use crate::storage::tracker_servers;
use crate::value::{FromConf, Size};

/// Least and most memory that a password takes: what argon2id needs at least, and what a sign-in may cost at most.
const PASSWORD_MEMORY_MIN: u64 = 19 << 20;
const PASSWORD_MEMORY_MAX: u64 = 1 << 30;
/// Least memory of a cache.
const CACHE_MIN: u64 = 1 << 20;
/// Least bytes of a lane of the queue.
const LANE_MIN: u64 = 1 << 20;
/// Servers of one kind at most.
const SERVERS_MAX: usize = 16;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;

conf_keys! {
    /// drive.conf outside its sections, as typed.
    struct RawDrive, table DRIVE_KEYS;

    "Service" {
        bind_addr: Maybe<String> = text("ip or ip,ip").absent("all addresses").sample("127.0.0.1")
            .doc("Address to listen on; one IPv4 and one IPv6 address may be given with a comma between them. Without a proxy that speaks TLS in front, keep it to this machine.");
        port: One<u16> = number(1, 65535, Strict).default("8080")
            .doc("Port to listen on for HTTP.");
        fastcgi_port: Maybe<u16> = number(1, 65535, Strict).absent("no FastCGI")
            .doc("Port to listen on for FastCGI. Whoever can connect to it is believed who the client is.");
        fastcgi_bind_addr: One<String> = text("ip").default("127.0.0.1")
            .doc("Address to listen on for FastCGI.");
        base_path: One<String> = text("folder").absent("required").sample("/var/lib/cairn/drive")
            .doc("Folder for logs, and for what is not kept elsewhere: the SQLite database, the embedded queue, the secret.");
        run_by_group: Maybe<String> = text("group name").absent("the current group")
            .doc("Unix group to run under.");
        run_by_user: Maybe<String> = text("user name").absent("the current user")
            .doc("Unix user to run under.");
        log_level: One<LogLevel> = text("emerg, alert, crit, error, warn, notice, info or debug").default("info")
            .doc("Least severe message to log.");
        trusted_proxies: One<String> = text("ip,ip").default("")
            .doc("Addresses of proxies in front whose X-Forwarded-For and X-Forwarded-Proto are believed. Over FastCGI only these and this machine are served.");
        trusted_origins: One<String> = text("origin,origin").default("")
            .doc("Origins other than the drive's own, such as https://example.org, whose pages may send requests with a cookie.");
        secret_file: Maybe<String> = text("file").absent("data/secret in base_path")
            .doc("The secret of the installation: 64 hexadecimal digits. With SQLite it is made at the first start; with MySQL, whose drives all need the same, it must be there before. Instead of the file, CAIRN_SECRET may hold it.");
        admin_password_file: Maybe<String> = text("file").absent("one is made up and written to data/first-password in base_path")
            .doc("The password that the first administrator gets, read when there is none. Instead of the file, CAIRN_ADMIN_PASSWORD may hold it.");
    }
    "Limits" {
        max_connections: One<u32> = number(1, i32::MAX as i64, Strict).default("16384")
            .doc("Connections served at the same time.");
        keepalive_timeout: One<Duration> = seconds(1, Strict).default("75")
            .doc("Longest rest of a connection between two requests, and longest time for the head of a request.");
        send_timeout: One<Duration> = seconds(1, Strict).default("60")
            .doc("Longest time in which a client takes nothing of an answer.");
        request_rate: One<u32> = number(0, 1000, Strict).default("100")
            .doc("Requests a second of an account, or of an address that is not signed in, in the long run; five times as many at once. 0 = any number.");
        registration_rate: One<u32> = number(0, 1_000_000, Strict).default("20")
            .doc("New accounts an hour from an address; 0 = any number.");
    }
    "Accounts" {
        registration: One<Registration> = text("open or closed").default("closed")
            .doc("Who makes accounts: everybody, or administrators only.");
        quota: Maybe<Size> = size(0, i64::MAX as u64, Strict).absent("as much as there is room for")
            .doc("Bytes that a new account may store.");
        file_size_max: Maybe<Size> = size(1, i64::MAX as u64, Strict).absent("as large as there is room for")
            .doc("Largest file.");
        trash_days: One<u32> = days().default("30")
            .doc("Days after which the trash is removed for good.");
        audit_days: One<u32> = days().default("365")
            .doc("Days that lines of the audit log are kept; 0 = for ever.");
        share_days_max: One<u32> = days().default("0")
            .doc("Days that a link may live; 0 = for ever.");
        password_memory: One<Size> = size(PASSWORD_MEMORY_MIN, PASSWORD_MEMORY_MAX, Strict).default("19MB")
            .doc("Memory that hashing one password takes (argon2id).");
        password_passes: One<u32> = number(2, 16, Strict).default("2")
            .doc("Passes over that memory.");
        hashes_at_once: One<u32> = number(1, 64, Strict).default("2")
            .doc("Passwords that are hashed at the same time; each takes a core.");
    }
    "Thumbnails" {
        thumbnail_cache_path: Maybe<String> = text("folder").absent("data/thumbnails in base_path")
            .doc("Folder for small pictures of pictures, of this process only; nothing else may be in it.");
        thumbnail_cache_max: One<Size> = size(CACHE_MIN, i64::MAX as u64, Strict).default("1GB")
            .doc("Most that small pictures take on disk; those not asked for longest go first.");
    }
    "Old clients" {
        old_picture_codes: One<PictureCodes> = text("asked or always").default("asked")
            .doc("Which picture links of old clients get an extraction code: those whose request has a key, or all.");
        old_time_offset: One<i32> = number(-18 * 60, 18 * 60, Strict).default("0").sample("480")
            .doc("Minutes ahead of UTC in which old clients are told times, which name no zone: 480 is China's time.");
    }
    "Bytes" {
        tracker_server: Many<String> = text("host[:port]").absent("required, unless there is an [s3] endpoint").sample("127.0.0.1:22122")
            .doc("A tracker of the FastDFS cluster that keeps the bytes of files, repeatable up to 16 times: Cairn's or FastDFS's.");
        group_name: Maybe<String> = text("1 to 16 letters and digits").absent("as the trackers choose")
            .doc("The group that new files go to.");
        connect_timeout: One<Duration> = seconds(1, DefaultBelow).default("5")
            .doc("Longest wait for a connection to a tracker or storage to come up.");
        network_timeout: One<Duration> = seconds(1, DefaultBelow).default("30")
            .doc("Longest silence of a tracker, a storage or the S3 store.");
    }
}

conf_keys! {
    /// `[database]`, as typed.
    struct RawDatabase, table DATABASE_KEYS;

    "Database" {
        url: Many<String> = text("mysql://user@host:port/database").absent("SQLite, data/drive.db in base_path")
            .doc("A MySQL or MariaDB server, repeatable up to 16 times for servers that hold the same: they are tried in their order.");
        password_file: Maybe<String> = text("file").absent("CAIRN_DATABASE_PASSWORD, or none")
            .doc("The password of that user.");
        connections: One<u32> = number(2, 1000, Strict).default("32")
            .doc("Connections to the server at most.");
    }
}

conf_keys! {
    /// `[s3]`, as typed.
    struct RawS3, table S3_KEYS;

    "S3" {
        endpoint: Maybe<String> = text("https://host").absent("the bytes are in the FastDFS cluster")
            .doc("An S3-compatible store that keeps the bytes of files, instead of a FastDFS cluster.");
        region: One<String> = text("name").default("us-east-1")
            .doc("Its region.");
        bucket: Maybe<String> = text("name").absent("required with endpoint")
            .doc("The bucket, which has to be there.");
        prefix: One<String> = text("text").default("")
            .doc("What all names in the bucket begin with.");
        access_key_id: Maybe<String> = text("text").absent("required with endpoint")
            .doc("Who the drive is.");
        secret_access_key_file: Maybe<String> = text("file").absent("CAIRN_S3_SECRET_ACCESS_KEY")
            .doc("The key that belongs to it.");
        virtual_host_style: One<bool> = flag().default("false")
            .doc("The bucket is a part of the host's name.");
    }
}

conf_keys! {
    /// A Redis in `[cache]` or `[queue]`, as typed.
    struct RawRedis, table REDIS_KEYS;

    "Redis" {
        redis_server: Many<String> = text("host[:port]").absent("no Redis")
            .doc("A Redis server, or several Sentinels or members of a Cluster; repeatable up to 16 times.");
        redis_sentinel: Maybe<String> = text("name").absent("the servers are no Sentinels")
            .doc("The name of the service, as the Sentinels know it.");
        redis_cluster: One<bool> = flag().default("false")
            .doc("The servers are members of a Redis Cluster.");
        redis_user: Maybe<String> = text("name").absent("Redis's default user")
            .doc("The user.");
        redis_password_file: Maybe<String> = text("file").absent("CAIRN_CACHE_REDIS_PASSWORD or CAIRN_QUEUE_REDIS_PASSWORD, or none")
            .doc("The password.");
        redis_database: One<u16> = number(0, 65535, Strict).default("0")
            .doc("The number of the database.");
        redis_tls: One<bool> = flag().default("false")
            .doc("Through TLS, with the certificates that the system trusts.");
        redis_prefix: One<String> = text("letters, digits, -, _ and .").default("cairn")
            .doc("What all keys begin with, so that installations can share a server.");
        redis_timeout: One<Duration> = seconds(1, Strict).default("2")
            .doc("How long a call may take, connecting included.");
    }
}

conf_keys! {
    /// `[cache]` but for its Redis, as typed.
    struct RawCache, table CACHE_KEYS;

    "Cache" {
        memory: One<Size> = size(CACHE_MIN, i64::MAX as u64, Strict).default("64MB")
            .doc("Without Redis: bytes of memory for sessions, as many for counts of attempts, and as many for rates. Several processes of one drive need Redis.");
    }
}

conf_keys! {
    /// `[queue]` but for its Redis, as typed.
    struct RawQueue, table QUEUE_KEYS;

    "Queue" {
        kind: One<QueueKind> = text("embedded, redis, nats or none").default("embedded")
            .doc("Where registrations, records of uploads and counts are certain before they are in the database: in a file of this process, in Redis Streams, in NATS JetStream, or nowhere: then they are written to the database at once.");
        lane_size: One<Size> = size(LANE_MIN, u32::MAX as u64, Strict).default("256MB")
            .doc("Embedded and NATS: bytes of each of the two lanes at most. What does not fit is written to the database at once.");
        lane_entries: One<u32> = number(1000, 1_000_000_000, Strict).default("1000000")
            .doc("Redis and NATS: entries of each of the two lanes at most.");
        replicas: One<u32> = number(0, 5, Strict).default("0")
            .doc("Redis: replicas that have an entry before it is certain. NATS: servers that keep it, 1, 3 or 5; 0 counts as 1.");
        redis_assume_durable: One<bool> = flag().default("false")
            .doc("Do not ask the Redis server whether it keeps what it was told through a power cut.");
        nats_server: Many<String> = text("host:port").absent("none")
            .doc("A NATS server, repeatable up to 16 times.");
        nats_user: Maybe<String> = text("name").absent("whoever may connect")
            .doc("The user.");
        nats_password_file: Maybe<String> = text("file").absent("CAIRN_QUEUE_NATS_PASSWORD")
            .doc("The password of that user.");
        nats_token_file: Maybe<String> = text("file").absent("none")
            .doc("A token, instead of user and password.");
        nats_credentials_file: Maybe<String> = text("file").absent("none")
            .doc("Credentials (a JWT and its key), instead of user and password.");
        nats_tls: One<bool> = flag().default("false")
            .doc("Through TLS only, with the certificates that the system trusts.");
        nats_prefix: One<String> = text("letters, digits, - and _").default("cairn")
            .doc("What the names of streams begin with.");
    }
}

/// `[database]`
pub(crate) const DATABASE_SECTION: SectionSpec = SectionSpec {
    name: "database",
    doc: "Where accounts, folders, links and all else but bytes are.",
    keys: &[DATABASE_KEYS],
};

/// `[s3]`
pub(crate) const S3_SECTION: SectionSpec =
    SectionSpec { name: "s3", doc: "An S3-compatible store for the bytes of files.", keys: &[S3_KEYS] };

/// `[cache]`
pub(crate) const CACHE_SECTION: SectionSpec = SectionSpec {
    name: "cache",
    doc: "What the drive knows for a while: in memory, or in a Redis that all processes of one drive share.",
    keys: &[CACHE_KEYS, REDIS_KEYS],
};

/// `[queue]`
pub(crate) const QUEUE_SECTION: SectionSpec = SectionSpec {
    name: "queue",
    doc: "What is certain to be done, later. With several processes of one drive each may have an embedded queue of its own.",
    keys: &[QUEUE_KEYS, REDIS_KEYS],
};

/// `registration`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    Open,
    Closed,
}

impl FromConf for Registration {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            _ => Err(Reason::NotAChoice { allowed: "open or closed", got: text.to_owned() }),
        }
    }
}

/// `old_picture_codes`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PictureCodes {
    Asked,
    Always,
}

impl FromConf for PictureCodes {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text {
            "asked" => Ok(Self::Asked),
            "always" => Ok(Self::Always),
            _ => Err(Reason::NotAChoice { allowed: "asked or always", got: text.to_owned() }),
        }
    }
}

/// `kind` of the queue
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueKind {
    Embedded,
    Redis,
    Nats,
    None,
}

impl FromConf for QueueKind {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "redis" => Ok(Self::Redis),
            "nats" => Ok(Self::Nats),
            "none" => Ok(Self::None),
            _ => {
                let allowed = "embedded, redis, nats or none";
                Err(Reason::NotAChoice { allowed, got: text.to_owned() })
            }
        }
    }
}

impl DriveConf {
    /// Reads and checks the drive.conf at `path`, with everything it includes.
    pub fn load(path: &str, loader: &mut Loader<'_>) -> Result<(DriveConf, Vec<Warning>), ConfError> {
        DriveConf::load_on(path, loader, None)
    }

    /// As [`DriveConf::load`], for files whose directives ask about the machine.
    pub fn load_on(
        path: &str,
        loader: &mut Loader<'_>,
        host: Option<&ThisHost>,
    ) -> Result<(DriveConf, Vec<Warning>), ConfError> {
        let ini = Ini::load(path, loader, host)?;
        let mut reader = Reader::new(&ini);
        check_names(&mut reader, &DRIVE_CONF, OTHERS_OF_DRIVE);
        let raw = RawDrive::read(&mut reader)?;
        let log_file = reader.in_section(ERROR_LOG.name, true, RawLogFile::read)?.check();
        let base_path = folder(&reader, &raw.base_path)?;
        let s3 = reader.in_section(S3_SECTION.name, false, RawS3::read)?;
        let cache = reader.in_section(CACHE_SECTION.name, false, RawCache::read)?;
        let conf = DriveConf {
            listen: raw.listen(&reader)?,
            trusted_proxies: raw.proxies(&reader)?,
            trusted_origins: list(&raw.trusted_origins.value),
            secret_file: path_of(&ini, raw.secret_file.as_ref())
                .unwrap_or_else(|| base_path.join("data").join("secret")),
            admin_password_file: path_of(&ini, raw.admin_password_file.as_ref()),
            accounts: raw.accounts(),
            thumbnails: ThumbnailsConf {
                cache_path: path_of(&ini, raw.thumbnail_cache_path.as_ref())
                    .unwrap_or_else(|| base_path.join("data").join("thumbnails")),
                cache_max: raw.thumbnail_cache_max.value.0,
            },
            old_pictures_always_coded: raw.old_picture_codes.value == PictureCodes::Always,
            old_time_offset_minutes: raw.old_time_offset.value,
            bytes: raw.bytes(&mut reader, s3)?,
            database: database(&mut reader, &base_path)?,
            cache: redis(&mut reader, CACHE_SECTION.name)?,
            cache_memory: cache.memory.value.0,
            queue: queue(&mut reader)?,
            log_level: raw.log_level.value,
            log_file,
            status_listen: RawStatus::read(&mut reader)?.status_listen.value.0,
            run_by: RunBy { group: filled(raw.run_by_group), user: filled(raw.run_by_user) },
            base_path,
        };
        Ok((conf, reader.into_warnings()))
    }
}

impl RawDrive {
    fn listen(&self, reader: &Reader<'_>) -> Result<DriveListenConf, ConfError> {
        let ini = reader.ini;
        let bind = match &self.bind_addr {
            None => Vec::new(),
            Some(given) => parse_bind(&given.value).map_err(|reason| given.fault(ini, reason))?,
        };
        let fastcgi = match &self.fastcgi_port {
            None => None,
            Some(port) => {
                let text = &self.fastcgi_bind_addr;
                let ip: IpAddr = text
                    .value
                    .parse()
                    .map_err(|_| text.fault(ini, Reason::NotAnIp { got: text.value.clone() }))?;
                if port.value == self.port.value {
                    let reason = Reason::MustBe { value: "another port", other: "port is the same" };
                    return Err(port.fault(ini, reason));
                }
                Some(SocketAddr::new(ip, port.value))
            }
        };
        Ok(DriveListenConf {
            bind,
            port: self.port.value,
            fastcgi,
            max_connections: self.max_connections.value,
            keepalive_timeout: self.keepalive_timeout.value,
            send_timeout: self.send_timeout.value,
        })
    }

    fn proxies(&self, reader: &Reader<'_>) -> Result<Vec<IpAddr>, ConfError> {
        let given = &self.trusted_proxies;
        let parse =
            |text: String| text.parse().map_err(|_| given.fault(reader.ini, Reason::NotAnIp { got: text }));
        list(&given.value).into_iter().map(parse).collect()
    }

    fn accounts(&self) -> AccountsConf {
        let days = |count: u32| Duration::from_secs(u64::from(count) * DAY);
        let some = |count: u32| (count > 0).then_some(count);
        AccountsConf {
            open: self.registration.value == Registration::Open,
            quota: self.quota.as_ref().map(|given| given.value.0),
            file_size_max: self.file_size_max.as_ref().map(|given| given.value.0),
            trash_kept: days(self.trash_days.value),
            audit_kept: some(self.audit_days.value).map(days),
            share_lifetime_max: some(self.share_days_max.value).map(days),
            request_rate: some(self.request_rate.value),
            registration_rate: some(self.registration_rate.value),
            password_memory_kib: u32::try_from(self.password_memory.value.0 >> 10).unwrap_or(u32::MAX),
            password_passes: self.password_passes.value,
            hashes_at_once: self.hashes_at_once.value,
        }
    }

    fn bytes(&self, reader: &mut Reader<'_>, s3: RawS3) -> Result<BytesConf, ConfError> {
        let ini = reader.ini;
        let Some(endpoint) = s3.endpoint.as_ref().filter(|given| !given.value.is_empty()) else {
            return Ok(BytesConf::Cluster {
                trackers: tracker_servers(reader, &self.tracker_server)?,
                group: self.group_name.as_ref().map(|given| group_name(ini, given)).transpose()?,
                connect_timeout: self.connect_timeout.value,
                network_timeout: self.network_timeout.value,
            });
        };
        if let Some(given) = self.tracker_server.first() {
            reader.warn_given(given, Oddity::NoEffect { why: "the bytes are in the [s3] endpoint" });
        }
        let need = |given: Maybe<String>, key| {
            filled(given).ok_or_else(|| needed(ini, Some(endpoint), key, "there is an [s3] endpoint"))
        };
        Ok(BytesConf::S3(S3Conf {
            endpoint: endpoint.value.clone(),
            region: s3.region.value,
            bucket: need(s3.bucket, "bucket")?,
            prefix: s3.prefix.value,
            access_key_id: need(s3.access_key_id, "access_key_id")?,
            secret_access_key_file: path_of(ini, s3.secret_access_key_file.as_ref()),
            virtual_host_style: s3.virtual_host_style.value,
            network_timeout: self.network_timeout.value,
        }))
    }
}

/// The texts of a key that may be repeated.
fn several(reader: &Reader<'_>, given: &Many<String>) -> Result<Vec<String>, ConfError> {
    match given.get(SERVERS_MAX) {
        Some(one_more) => Err(one_more.fault(reader.ini, Reason::TooMany { limit: SERVERS_MAX })),
        None => Ok(given.iter().map(|given| given.value.clone()).collect()),
    }
}

fn database(reader: &mut Reader<'_>, base_path: &std::path::Path) -> Result<DatabaseConf, ConfError> {
    let raw = reader.in_section(DATABASE_SECTION.name, false, RawDatabase::read)?;
    for given in &raw.url {
        if !given.value.starts_with("mysql://") {
            let got = given.value.clone();
            return Err(given.fault(reader.ini, Reason::NotAChoice { allowed: "mysql://…", got }));
        }
    }
    let urls = several(reader, &raw.url)?;
    if urls.is_empty() {
        return Ok(DatabaseConf::Sqlite(base_path.join("data").join("drive.db")));
    }
    let password_file = path_of(reader.ini, raw.password_file.as_ref());
    Ok(DatabaseConf::MySql { urls, password_file, connections: raw.connections.value })
}

/// The Redis of a section, if it names one.
fn redis(reader: &mut Reader<'_>, section: &'static str) -> Result<Option<RedisConf>, ConfError> {
    let raw = reader.in_section(section, false, RawRedis::read)?;
    let servers = several(reader, &raw.redis_server)?;
    let sentinel = filled(raw.redis_sentinel);
    if raw.redis_cluster.value && (sentinel.is_some() || raw.redis_database.value != 0) {
        let reason = Reason::MustBe { value: "false", other: "there are Sentinels, or a redis_database" };
        return Err(raw.redis_cluster.fault(reader.ini, reason));
    }
    if let (Some(second), None, false) = (raw.redis_server.get(1), &sentinel, raw.redis_cluster.value) {
        let other = "there are no Sentinels and no Cluster";
        return Err(second.fault(reader.ini, Reason::MustBe { value: "the only one", other }));
    }
    Ok((!servers.is_empty()).then(|| RedisConf {
        servers,
        sentinel,
        cluster: raw.redis_cluster.value,
        user: filled(raw.redis_user),
        password_file: path_of(reader.ini, raw.redis_password_file.as_ref()),
        database: raw.redis_database.value,
        tls: raw.redis_tls.value,
        prefix: raw.redis_prefix.value,
        deadline: raw.redis_timeout.value,
    }))
}

fn queue(reader: &mut Reader<'_>) -> Result<QueueConf, ConfError> {
    let raw = reader.in_section(QUEUE_SECTION.name, false, RawQueue::read)?;
    let redis = redis(reader, QUEUE_SECTION.name)?;
    let ini = reader.ini;
    let lane_size = raw.lane_size.value.0;
    let lane_entries = raw.lane_entries.value;
    Ok(match raw.kind.value {
        QueueKind::None => QueueConf::None,
        QueueKind::Embedded => QueueConf::Embedded { lane_size },
        QueueKind::Redis => {
            let Some(redis) = redis else {
                let reason = Reason::NeededBy { other: "[queue] kind is redis" };
                return Err(ConfError { key: "redis_server".to_owned(), ..raw.kind.fault(ini, reason) });
            };
            let assume_durable = raw.redis_assume_durable.value;
            QueueConf::Redis { redis, lane_entries, replicas: raw.replicas.value, assume_durable }
        }
        QueueKind::Nats => {
            let servers = several(reader, &raw.nats_server)?;
            if servers.is_empty() {
                let reason = Reason::NeededBy { other: "[queue] kind is nats" };
                return Err(ConfError { key: "nats_server".to_owned(), ..raw.kind.fault(ini, reason) });
            }
            if !matches!(raw.replicas.value, 0 | 1 | 3 | 5) {
                let allowed = "0, 1, 3 or 5";
                let got = raw.replicas.value.to_string();
                return Err(raw.replicas.fault(ini, Reason::NotAChoice { allowed, got }));
            }
            let path = |given: &Maybe<String>| -> Option<PathBuf> { path_of(ini, given.as_ref()) };
            QueueConf::Nats {
                servers,
                password_file: path(&raw.nats_password_file),
                token_file: path(&raw.nats_token_file),
                credentials_file: path(&raw.nats_credentials_file),
                user: filled(raw.nats_user),
                tls: raw.nats_tls.value,
                prefix: raw.nats_prefix.value,
                lane_entries,
                lane_size: u32::try_from(lane_size).unwrap_or(u32::MAX),
                replicas: raw.replicas.value.max(1),
            }
        }
    })
}
