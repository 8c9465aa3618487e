//! mod_fastdfs.conf and the http.conf that it includes (HTTP access: configuration), for serving files over HTTP.

mod keys;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use fdfs_fileid::GroupName;

use crate::addr::TrackerServers;
use crate::client::AntiStealConf;
use crate::service::{LogFileConf, LogLevel};
use crate::storage_ids::StorageIds;

pub use keys::LOCAL_GROUPS_MAX;
pub(crate) use keys::{GATEWAY_ACCESS_LOG, GATEWAY_KEYS, GROUP_SECTION, HTTP_KEYS, IGNORED_GATEWAY_KEYS};
pub(crate) use keys::{group_name, list, needed};

/// A checked mod_fastdfs.conf, with its storage ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayConf {
    /// Where to listen.
    pub listen: GatewayListenConf,
    /// What a client may use up.
    pub limits: GatewayLimitsConf,
    /// How long a connection to a tracker or storage may take to come up.
    pub connect_timeout: Duration,
    /// How long a tracker or storage may stay silent.
    pub network_timeout: Duration,
    /// The trackers: 1..=16, or none; then only files on this host are served.
    pub tracker_servers: Option<TrackerServers>,
    /// Ask a tracker for the storage ids and the two values below.
    pub load_fdfs_parameters_from_tracker: bool,
    /// After this long every member of a group is taken to hold a file.
    pub storage_sync_file_max_delay: Duration,
    /// The ids of `storage_ids_filename`; present exactly when `use_storage_id` is on and they are not loaded from a tracker.
    pub storage_ids: Option<StorageIds>,
    /// URLs begin with the group: `/group1/M00/…`; without: `/M00/…`, and there is one group.
    pub url_have_group_name: bool,
    /// The groups with files on this host; may be empty.
    pub groups: Vec<LocalGroup>,
    /// How a client gets a file that another host has.
    pub response_mode: ResponseModeConf,
    /// Prefixes of the network interfaces whose addresses count as this host's own; none = all.
    pub if_alias_prefix: Vec<String>,
    /// Least severe message logged.
    pub log_level: LogLevel,
    /// Where metrics and health are told; `None` = nowhere.
    pub status_listen: Option<SocketAddr>,
    /// A log file of its own.
    pub log_filename: Option<PathBuf>,
    /// The log of requests; `None` = there is none.
    pub access_log: Option<GatewayAccessLogConf>,
    /// Pictures are resized on their way out; `None` = not.
    pub pictures: Option<PicturesConf>,
    /// Files are taken over HTTP; `None` = not.
    pub upload: Option<UploadConf>,
    /// Folder for logs and what is only passing.
    pub base_path: Option<PathBuf>,
    /// How files are answered.
    pub answers: AnswersConf,
    /// Anti-steal tokens.
    pub tokens: TokenConf,
}

/// Where a gateway listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayListenConf {
    /// Addresses, at most one per IP version; none means all.
    pub bind: Vec<IpAddr>,
    /// Port for HTTP.
    pub port: u16,
    /// HTTPS as well.
    pub tls: Option<TlsConf>,
}

/// HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConf {
    /// Its port; not the one for HTTP.
    pub port: u16,
    /// The certificate and what vouches for it, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// What a client may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayLimitsConf {
    /// Connections held at the same time.
    pub max_connections: u32,
    /// Largest request head, bytes.
    pub max_head_size: u32,
    /// How long the head of a request may take to arrive.
    pub head_timeout: Duration,
    /// How long a connection may rest between two requests.
    pub keepalive_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub send_timeout: Duration,
}

/// A group with files on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalGroup {
    /// Its name.
    pub name: GroupName,
    /// Port of its storage on this host.
    pub storage_server_port: u16,
    /// Its store paths M00, M01, … as in storage.conf; none when files are only fetched from its members.
    pub store_paths: Vec<PathBuf>,
}

/// The log of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAccessLogConf {
    /// The file.
    pub path: PathBuf,
    /// When it begins a new one.
    pub file: LogFileConf,
}

/// Resizing of pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicturesConf {
    /// What anybody may ask for.
    pub sizes: Vec<PictureSize>,
    /// Folder of resized pictures.
    pub cache_path: PathBuf,
    /// Most that they take there, bytes.
    pub cache_size: u64,
}

/// One of `picture_sizes`, pixels; at least one side is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    /// Width; `None` = as it comes out.
    pub width: Option<u32>,
    /// Height; `None` = as it comes out.
    pub height: Option<u32>,
}

/// Uploads over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadConf {
    /// Who has it may upload.
    pub key: String,
    /// Largest file, bytes.
    pub max_size: u64,
}

impl std::fmt::Debug for UploadConf {
    /// Leaves the key out: configurations get logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadConf").field("max_size", &self.max_size).finish_non_exhaustive()
    }
}

/// `response_mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseModeConf {
    /// The gateway fetches it and passes it on.
    Proxy,
    /// The client is sent there.
    Redirect,
}

/// How files are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswersConf {
    /// A file of media types in Apache's form; `None` = the built-in table.
    pub mime_types: Option<PathBuf>,
    /// Media type of everything unknown.
    pub default_content_type: String,
    /// Several ranges in one request.
    pub multi_range: bool,
    /// Extension of FLV films that may be asked for from a byte on; `None` = not.
    pub flv_extension: Option<String>,
    /// `Cache-Control` of files that never change.
    pub cache_control: String,
    /// Whose pages may read files.
    pub cors_origins: CorsOrigins,
}

/// `cors_origins`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// The gateway's own alone.
    Own,
    /// Everybody's.
    All,
    /// These, as browsers write them.
    Listed(Vec<String>),
}

/// Anti-steal tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenConf {
    /// What client.conf knows too.
    pub anti_steal: AntiStealConf,
    /// Status of the answer to a refused token.
    pub fail_status: TokenFailStatus,
    /// A header field, by name and value, that stands for a token. Neither is empty.
    pub bypass: Option<(String, String)>,
}

impl std::fmt::Debug for TokenConf {
    /// Leaves the secrets out: configurations get logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenConf")
            .field("anti_steal", &self.anti_steal)
            .field("fail_status", &self.fail_status)
            .field("bypass", &self.bypass.as_ref().map(|(name, _)| (name, "…")))
            .finish()
    }
}

/// `token_fail_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFailStatus {
    /// 403, with the file of `http.anti_steal.token_check_fail` if there is one.
    Forbidden,
    /// 200 with that file, as FastDFS has it.
    Ok,
}
