//! A drive put together as its configuration says: which database, which store of bytes, which cache, which queue.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use disk_cache::DiskCache;
use drive::{Limits, Listen, Page, Parts, Settings};
use drive_blobs::{FdfsSettings, S3Settings, STORAGE_CONNECTIONS, cluster_of, on_fastdfs, on_s3};
use drive_cache::{MemoryCache, MemoryCacheConfig, RedisCache};
use drive_core::account::{PasswordCost, RegistrationPolicy};
use drive_core::dialect::PictureCodes;
use drive_core::ports::{BlobStore, Cache, Cluster, Queue};
use drive_core::queue::BATCH_LEASE;
use drive_core::rate::Rate;
use drive_core::share::SharePolicy;
use drive_core::{ByteCount, DriveSecret};
use drive_db::Database;
use drive_queue::{
    EmbeddedQueue, EmbeddedQueueConfig, NatsLogin, NatsQueue, NatsQueueConfig, Persistence, RedisQueue,
    RedisQueueConfig,
};
use fdfs_client::{Client, ClientConfig};
use fdfs_conf::DriveConf;
use fdfs_conf::drive::{AccountsConf, BytesConf, DatabaseConf, QueueConf, RedisConf, S3Conf};
use redis_link::{RedisConfig, Secret, Servers};
use url::Url;

/// The embedded queue, in the folder `data` of the base path.
const QUEUE_FILE: &str = "queue.redb";

/// The file with the password that the first administrator got, in the same folder.
const FIRST_PASSWORD_FILE: &str = "first-password";

/// How long a call to the queue may take, beyond what it waits for.
const QUEUE_DEADLINE: Duration = Duration::from_secs(5);

/// Requests that may come at once, as a multiple of those that may come in a second.
const BURST: u32 = 5;

/// Bytes of the secret.
const SECRET_LEN: usize = 32;

/// Starts a drive. What it needs is made in its base path when it is not there.
pub(crate) fn start(conf: &DriveConf) -> Result<drive::Running, drive::StartError> {
    let hosts = if conf.listen.bind.is_empty() { all_addresses() } else { conf.listen.bind.clone() };
    let this_machine = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let listen = Listen {
        http: hosts.into_iter().map(|host| SocketAddr::new(host, conf.listen.port)).collect(),
        fastcgi: conf.listen.fastcgi.into_iter().collect(),
        web_servers: conf.trusted_proxies.iter().copied().chain(this_machine).collect(),
        limits: Limits {
            connections: conf.listen.max_connections as usize,
            send_timeout: conf.listen.send_timeout,
            rest_timeout: conf.listen.keepalive_timeout,
        },
    };
    let first = || first_password(conf).map_err(Into::into);
    let running = drive::start(&listen, first, || async { parts(conf).await.map_err(Into::into) })?;
    if running.made_administrator() {
        tracing::info!(
            user = "admin",
            file = %first_password_file(conf).display(),
            "the first administrator was made; unless its password was given, it is in this file: sign in, change it, \
             and delete the file"
        );
    }
    Ok(running)
}

fn all_addresses() -> Vec<IpAddr> {
    let four = net::host_has_ipv4().then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    vec![four.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
}

async fn parts(conf: &DriveConf) -> anyhow::Result<Parts> {
    let data = conf.base_path.join("data");
    let place = database(&conf.database)?;
    let policy = policy(&conf.accounts);
    Ok(Parts {
        database: Database::open(drive_db::Settings { policy, ..place })
            .await
            .context("open the database")?,
        blobs: blobs(&conf.bytes)?,
        cluster: cluster(&conf.bytes),
        cache: cache(conf).context("[cache]")?,
        queue: queue(&conf.queue, &data).await.context("[queue]")?,
        secret: drive_secret(&conf.secret_file, &conf.database)?,
        settings: settings(conf),
        page: Page::built_in(),
        thumbnails: DiskCache::open(&conf.thumbnails.cache_path, conf.thumbnails.cache_max)?,
    })
}

fn settings(conf: &DriveConf) -> Settings {
    let accounts = &conf.accounts;
    let rate = |count: Option<u32>, per: Duration, burst: u32| {
        count.and_then(|count| Rate::new(count, per, count.saturating_mul(burst)))
    };
    Settings {
        registration: match accounts.open {
            true => RegistrationPolicy::Open,
            false => RegistrationPolicy::Closed,
        },
        password_cost: PasswordCost {
            memory_kib: accounts.password_memory_kib,
            passes: accounts.password_passes,
            lanes: PasswordCost::LEAST.lanes,
        },
        hashes_at_once: accounts.hashes_at_once as usize,
        trusted_proxies: conf.trusted_proxies.clone(),
        trusted_origins: conf.trusted_origins.clone(),
        request_rate: rate(accounts.request_rate, Duration::from_secs(1), BURST),
        registration_rate: rate(accounts.registration_rate, Duration::from_secs(3600), 1),
        shares: SharePolicy { lifetime_max: accounts.share_lifetime_max },
        audit_kept: accounts.audit_kept,
        picture_codes: match conf.old_pictures_always_coded {
            true => PictureCodes::Always,
            false => PictureCodes::Asked,
        },
        time_offset_minutes: conf.old_time_offset_minutes,
        memory: daemon::memory::for_this_process(),
        ..Settings::default()
    }
}

fn policy(accounts: &AccountsConf) -> drive_db::Policy {
    let bytes = |count: u64| ByteCount::new(count).unwrap_or(ByteCount::MAX);
    drive_db::Policy {
        trash_retention: accounts.trash_kept,
        file_max: accounts.file_size_max.map_or(ByteCount::MAX, bytes),
        quota: accounts.quota.map(bytes),
    }
}

/// Where the database is, which may be made.
pub(crate) fn database(conf: &DatabaseConf) -> anyhow::Result<drive_db::Settings> {
    if let DatabaseConf::Sqlite(file) = conf {
        make_private(file)?;
    }
    database_as_it_is(conf)
}

/// Where the database is; nothing is made.
pub(crate) fn database_as_it_is(conf: &DatabaseConf) -> anyhow::Result<drive_db::Settings> {
    match conf {
        DatabaseConf::Sqlite(file) => Ok(drive_db::Settings::sqlite(file)),
        DatabaseConf::MySql { urls, password_file, connections } => {
            let password = secret(password_file.as_deref(), "CAIRN_DATABASE_PASSWORD")?;
            let with_password = |text: &String| {
                let mut url = Url::parse(text).with_context(|| format!("[database] url = {text}"))?;
                if let Some(password) = &password {
                    // It would leave a % as it is, and what follows would be read as an escape.
                    let escaped: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
                    let set = url.set_password(Some(&escaped));
                    set.map_err(|()| anyhow!("[database] url = {text}: there is no place for a password"))?;
                }
                anyhow::Ok(url.to_string())
            };
            let urls = urls.iter().map(with_password).collect::<anyhow::Result<Vec<_>>>()?;
            let place = drive_db::Place::MySql { urls, connections: *connections as usize };
            Ok(drive_db::Settings { place, ..drive_db::Settings::mysql([]) })
        }
    }
}

fn blobs(conf: &BytesConf) -> anyhow::Result<Arc<dyn BlobStore>> {
    match conf {
        BytesConf::Cluster { trackers, group, connect_timeout, network_timeout } => {
            let client = Client::new(ClientConfig {
                connect_timeout: *connect_timeout,
                network_timeout: *network_timeout,
                // Who asks over HTTP waits: another storage is tried at once.
                connect_rounds: 1,
                max_connections_per_server: STORAGE_CONNECTIONS,
                ..ClientConfig::new(trackers.iter().cloned())
            });
            Ok(on_fastdfs(client, FdfsSettings { group: *group, deadline: *network_timeout }))
        }
        BytesConf::S3(conf) => s3(conf).context("[s3]"),
    }
}

/// The cluster that keeps the bytes, for who looks after it: by connections of their own, which nobody who fetches a file
/// waits for.
fn cluster(conf: &BytesConf) -> Option<Arc<dyn Cluster>> {
    let BytesConf::Cluster { trackers, connect_timeout, network_timeout, .. } = conf else { return None };
    Some(cluster_of(Client::new(ClientConfig {
        connect_timeout: *connect_timeout,
        network_timeout: *network_timeout,
        connect_rounds: 1,
        ..ClientConfig::new(trackers.iter().cloned())
    })))
}

fn s3(conf: &S3Conf) -> anyhow::Result<Arc<dyn BlobStore>> {
    let key = secret(conf.secret_access_key_file.as_deref(), "CAIRN_S3_SECRET_ACCESS_KEY")?;
    Ok(on_s3(&S3Settings {
        endpoint: conf.endpoint.clone(),
        region: conf.region.clone(),
        bucket: conf.bucket.clone(),
        prefix: conf.prefix.clone(),
        access_key_id: conf.access_key_id.clone(),
        secret_access_key: key
            .context("secret_access_key_file is missing, and CAIRN_S3_SECRET_ACCESS_KEY")?,
        virtual_host_style: conf.virtual_host_style,
        deadline: conf.network_timeout,
    })?)
}

fn cache(conf: &DriveConf) -> anyhow::Result<Arc<dyn Cache>> {
    Ok(match &conf.cache {
        None => {
            let shelf_bytes = usize::try_from(conf.cache_memory).unwrap_or(usize::MAX);
            Arc::new(MemoryCache::new(MemoryCacheConfig { shelf_bytes }))
        }
        Some(conf) => Arc::new(RedisCache::new(&redis(conf, "CAIRN_CACHE_REDIS_PASSWORD")?)?),
    })
}

fn redis(conf: &RedisConf, variable: &str) -> anyhow::Result<RedisConfig> {
    let mut servers = Vec::new();
    for text in &conf.servers {
        servers.push(text.parse().with_context(|| format!("redis_server = {text}"))?);
    }
    let password = secret(conf.password_file.as_deref(), variable)?.map(Secret);
    let servers = match (&conf.sentinel, conf.cluster) {
        (Some(service), _) => {
            Servers::Sentinel { service: service.clone(), sentinels: servers, password: None }
        }
        (None, true) => Servers::Cluster(servers),
        (None, false) => Servers::Single(servers.pop().context("no redis_server")?),
    };
    Ok(RedisConfig {
        servers,
        user: conf.user.clone(),
        password,
        database: conf.database,
        tls: conf.tls,
        prefix: conf.prefix.clone(),
        deadline: conf.deadline,
    })
}

async fn queue(conf: &QueueConf, data: &Path) -> anyhow::Result<Option<Arc<dyn Queue>>> {
    Ok(Some(match conf {
        QueueConf::None => return Ok(None),
        QueueConf::Embedded { lane_size } => {
            let file = data.join(QUEUE_FILE);
            make_private(&file)?;
            let opened = EmbeddedQueue::open(&EmbeddedQueueConfig {
                file: file.clone(),
                lane_bytes_max: *lane_size,
                lease: BATCH_LEASE,
                deadline: QUEUE_DEADLINE,
            });
            Arc::new(opened.with_context(|| format!("open {}", file.display()))?)
        }
        QueueConf::Redis { redis: conf, lane_entries, replicas, assume_durable } => {
            Arc::new(RedisQueue::new(RedisQueueConfig {
                redis: redis(conf, "CAIRN_QUEUE_REDIS_PASSWORD")?,
                lane_entries_max: u64::from(*lane_entries),
                lease: BATCH_LEASE,
                replicas: *replicas,
                persistence: match assume_durable {
                    true => Persistence::Assumed,
                    false => Persistence::Checked,
                },
            })?)
        }
        QueueConf::Nats { servers, tls, prefix, lane_entries, lane_size, replicas, .. } => Arc::new(
            NatsQueue::new(NatsQueueConfig {
                servers: servers.clone(),
                login: nats_login(conf)?,
                tls: *tls,
                prefix: prefix.clone(),
                lane_entries_max: *lane_entries,
                lane_bytes_max: *lane_size,
                lease: BATCH_LEASE,
                deadline: QUEUE_DEADLINE,
                replicas: u8::try_from(*replicas)?,
            })
            .await?,
        ),
    }))
}

fn nats_login(conf: &QueueConf) -> anyhow::Result<NatsLogin> {
    let QueueConf::Nats { user, password_file, token_file, credentials_file, .. } = conf else {
        return Ok(NatsLogin::Nobody);
    };
    let in_file = |file: &PathBuf| read(file).map(Secret);
    Ok(match (user, token_file, credentials_file) {
        (None, None, None) => NatsLogin::Nobody,
        (Some(user), None, None) => {
            let password = secret(password_file.as_deref(), "CAIRN_QUEUE_NATS_PASSWORD")?;
            let password =
                password.context("nats_password_file is missing, and CAIRN_QUEUE_NATS_PASSWORD")?;
            NatsLogin::User(user.clone(), Secret(password))
        }
        (None, Some(file), None) => NatsLogin::Token(in_file(file)?),
        (None, None, Some(file)) => NatsLogin::Credentials(in_file(file)?),
        _ => {
            bail!("nats_user, nats_token_file and nats_credentials_file exclude each other: keep one of them")
        }
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A secret from its file, or from the environment when no file is named.
pub(crate) fn secret(file: Option<&Path>, variable: &str) -> anyhow::Result<Option<String>> {
    match file {
        Some(file) => read(file).map(Some),
        None => Ok(std::env::var(variable).ok().filter(|text| !text.is_empty())),
    }
}

/// The secret of the installation as it is written down, in its file or in the environment.
pub(crate) fn written_secret(file: &Path) -> anyhow::Result<Option<String>> {
    secret(file.exists().then_some(file), "CAIRN_SECRET")
}

/// The secret of the installation; made when it is not written down, and nobody else can need the same.
fn drive_secret(file: &Path, database: &DatabaseConf) -> anyhow::Result<DriveSecret> {
    let text = match (written_secret(file)?, database) {
        (Some(text), _) => text,
        // Each would make its own, and refuse the codes of links that another shows.
        (None, DatabaseConf::MySql { .. }) => bail!(
            "no secret is in {} (secret_file) or CAIRN_SECRET, and none is made with a database that several drives \
             may share: write one there, the same for all of them: that of the other drives or of a backup, or for a \
             new installation what `openssl rand -hex {SECRET_LEN}` prints",
            file.display()
        ),
        (None, DatabaseConf::Sqlite(_)) => {
            let bytes: [u8; SECRET_LEN] = rand::random();
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            match write_new(file, &text) {
                Ok(()) => text,
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(file)?,
                Err(error) => return Err(error).with_context(|| format!("write {}", file.display())),
            }
        }
    };
    parse_secret(&text, file)
}

/// What is written down, as the secret. The file is only named in the error.
pub(crate) fn parse_secret(text: &str, file: &Path) -> anyhow::Result<DriveSecret> {
    let wrong = || {
        let (file, digits) = (file.display(), 2 * SECRET_LEN);
        anyhow!(
            "{file}, or CAIRN_SECRET: not {digits} hexadecimal digits: bring back the one that a backup has"
        )
    };
    let mut bytes = [0; SECRET_LEN];
    if text.len() != 2 * SECRET_LEN {
        return Err(wrong());
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(DriveSecret::new(bytes))
}

/// Makes a file that only its owner reads, unless it is there: hashes of passwords will be in it.
fn make_private(path: &Path) -> anyhow::Result<()> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(drop).with_context(|| format!("write {}", path.display()))
}

/// Writes a new file that only its owner reads, on disk when this has ended.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// The password of a first administrator. One that is made up is in its file before the account is made: whatever
/// happens between, its operator can sign in.
fn first_password(conf: &DriveConf) -> anyhow::Result<String> {
    if let Some(given) = secret(conf.admin_password_file.as_deref(), "CAIRN_ADMIN_PASSWORD")? {
        return Ok(given);
    }
    let (path, made_up) = (first_password_file(conf), drive::random_password());
    match write_new(&path, &made_up) {
        Ok(()) => Ok(made_up),
        // A start that ended before the account was made.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(error).with_context(|| format!("write {}", path.display())),
    }
}

/// Where the password of a first administrator is that was made up.
pub(crate) fn first_password_file(conf: &DriveConf) -> PathBuf {
    conf.base_path.join("data").join(FIRST_PASSWORD_FILE)
}
