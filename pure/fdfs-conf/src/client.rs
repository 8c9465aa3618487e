//! client.conf (wire protocol: client.conf), also read from a storage.conf or tracker.conf handed to a tool.

use std::path::PathBuf;
use std::time::Duration;

use crate::addr::TrackerServers;
use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::files::{CLIENT_CONF, OTHERS_OF_CLIENT};
use crate::ini::{Ini, Loader, ThisHost};
use crate::registry::Fit::{DefaultBelow, Strict};
use crate::registry::{
    Key, Many, Maybe, One, Reader, Shape, check_names, conf_keys, flag, ignored, seconds, text,
};
use crate::service::{LogLevel, PoolConf, check_pool, filled, folder};
use crate::storage::tracker_servers;
use crate::storage_ids::{StorageIds, load_storage_ids};
use crate::value::FromConf;

/// A checked client.conf, with its storage ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConf {
    /// Folder for logs.
    pub base_path: PathBuf,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long a server may stay silent.
    pub network_timeout: Duration,
    /// The trackers: 1..=16.
    pub tracker_servers: TrackerServers,
    /// Connections kept for reuse.
    pub pool: PoolConf,
    /// Ask a tracker whether storage ids are in use, and for the ids, instead of reading them here.
    pub load_fdfs_parameters_from_tracker: bool,
    /// The ids of `storage_ids_filename`; present exactly when `use_storage_id` is on and they are not loaded from a tracker.
    pub storage_ids: Option<StorageIds>,
    /// Which address of a storage with two is tried first.
    pub connect_first_by: ConnectFirstBy,
    /// Anti-steal tokens.
    pub anti_steal: AntiStealConf,
    /// Least severe message logged.
    pub log_level: LogLevel,
}

/// `connect_first_by`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFirstBy {
    /// The address the tracker gave.
    Tracker,
    /// The address that worked last.
    LastConnected,
}

/// Anti-steal tokens (HTTP access: tokens; `http.anti_steal.*`).
#[derive(Clone, PartialEq, Eq)]
pub struct AntiStealConf {
    /// URLs need a token.
    pub check_token: bool,
    /// The shared secret; never empty when `check_token` is on.
    pub secret_key: Option<String>,
    /// How long a token is good.
    pub token_ttl: Duration,
    /// File served instead when a token is refused.
    pub token_check_fail: Option<PathBuf>,
}

impl std::fmt::Debug for AntiStealConf {
    /// Leaves the secret out: configurations get logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AntiStealConf")
            .field("check_token", &self.check_token)
            .field("secret_key", &self.secret_key.as_ref().map(|_| "…"))
            .field("token_ttl", &self.token_ttl)
            .field("token_check_fail", &self.token_check_fail)
            .finish()
    }
}

conf_keys! {
    /// client.conf, as typed.
    struct RawClient, table CLIENT_KEYS;

    "Client" {
        tracker_server: Many<String> = text("host[:port]").absent("required").sample("127.0.0.1:22122")
            .doc("A tracker, repeatable up to 16 times: host:port, two addresses as inner,outer:port, IPv6 as [address]:port.");
        base_path: One<String> = text("folder").default("/tmp")
            .doc("Folder for logs.");
        connect_timeout: One<Duration> = seconds(1, DefaultBelow).default("10").sample("5")
            .doc("Longest wait for a connection to come up.");
        network_timeout: One<Duration> = seconds(1, DefaultBelow).default("30").sample("60")
            .doc("Longest silence of a server.");
        log_level: One<LogLevel> = text("emerg, alert, crit, error, warn, notice, info or debug").default("info")
            .doc("Least severe message to log.");
        use_connection_pool: One<bool> = flag().default("false")
            .doc("Keep connections for reuse.");
        connection_pool_max_idle_time: One<u32> = seconds(0, Strict).default("3600")
            .doc("Close a kept connection that was not used for this long.");
    }
    "Storage ids" {
        load_fdfs_parameters_from_tracker: One<bool> = flag().default("false")
            .doc("Ask a tracker whether storage ids are in use, and for the ids; the next two keys do not count then.");
        use_storage_id: One<bool> = flag().default("false")
            .doc("The cluster knows storages by number, as in tracker.conf.");
        storage_ids_filename: Maybe<String> = text("file").absent("required with use_storage_id").sample("storage_ids.conf")
            .doc("The file with the numbers; a relative name starts in this file's folder.");
        connect_first_by: One<ConnectFirstBy> = text("tracker or last-connected").default("tracker")
            .doc("Read, and not used yet: of a storage with two addresses the one that the tracker names is taken.");
    }
    "Anti-steal tokens" {
        check_token: One<bool> = flag().named("http.anti_steal.check_token").default("false")
            .doc("URLs of files need a token.");
        secret_key: Maybe<String> = text("text").named("http.anti_steal.secret_key").absent("required with check_token")
            .doc("The secret the tokens are made with.");
        token_ttl: One<Duration> = seconds(1, Strict).named("http.anti_steal.token_ttl").default("600")
            .doc("How long a token is good.");
        token_check_fail: Maybe<String> = text("file").named("http.anti_steal.token_check_fail").absent("none")
            .doc("File served instead when a token is refused.");
    }
}

/// Keys that need nothing done.
pub(crate) const IGNORED_CLIENT_KEYS: &[Key] =
    &[ignored("http.*", "about serving HTTP, which a client does not").shaped(Shape::Family)];

impl ClientConf {
    /// Reads and checks the client.conf at `path`, with everything it includes and its storage ids. Keys of tracker.conf and
    /// storage.conf are nothing odd: tools are often given those files.
    pub fn load(path: &str, loader: &mut Loader<'_>) -> Result<(ClientConf, Vec<Warning>), ConfError> {
        ClientConf::load_on(path, loader, None)
    }

    /// As [`ClientConf::load`], for files whose directives ask about the machine.
    pub fn load_on(
        path: &str,
        loader: &mut Loader<'_>,
        host: Option<&ThisHost>,
    ) -> Result<(ClientConf, Vec<Warning>), ConfError> {
        let ini = Ini::load(path, loader, host)?;
        let mut reader = Reader::new(&ini);
        check_names(&mut reader, &CLIENT_CONF, OTHERS_OF_CLIENT);
        let raw = RawClient::read(&mut reader)?;
        let ids_wanted = raw.use_storage_id.value && !raw.load_fdfs_parameters_from_tracker.value;
        let storage_ids = if ids_wanted {
            let filename = raw.storage_ids_filename.as_ref();
            Some(load_storage_ids(&ini, &raw.use_storage_id, filename, loader)?)
        } else {
            None
        };
        let conf = ClientConf {
            base_path: folder(&reader, &raw.base_path)?,
            connect_timeout: raw.connect_timeout.value,
            network_timeout: raw.network_timeout.value,
            tracker_servers: tracker_servers(&mut reader, &raw.tracker_server)?,
            pool: check_pool(&reader, &raw.use_connection_pool, &raw.connection_pool_max_idle_time)?,
            load_fdfs_parameters_from_tracker: raw.load_fdfs_parameters_from_tracker.value,
            storage_ids,
            connect_first_by: raw.connect_first_by.value,
            log_level: raw.log_level.value,
            anti_steal: raw.anti_steal(&reader)?,
        };
        Ok((conf, reader.into_warnings()))
    }
}

impl RawClient {
    fn anti_steal(self, reader: &Reader<'_>) -> Result<AntiStealConf, ConfError> {
        let secret_key = filled(self.secret_key);
        if self.check_token.value && secret_key.is_none() {
            let reason = Reason::NeededBy { other: "http.anti_steal.check_token is true" };
            let fault = self.check_token.fault(reader.ini, reason);
            return Err(ConfError { key: "http.anti_steal.secret_key".to_owned(), ..fault });
        }
        Ok(AntiStealConf {
            check_token: self.check_token.value,
            secret_key,
            token_ttl: self.token_ttl.value,
            token_check_fail: filled(self.token_check_fail).map(PathBuf::from),
        })
    }
}

impl FromConf for ConnectFirstBy {
    fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "" | "tracker" => Ok(ConnectFirstBy::Tracker),
            // FastDFS looks at the first four letters.
            word if word.starts_with("last") => Ok(ConnectFirstBy::LastConnected),
            _ => Err(Reason::NotAChoice { allowed: "tracker or last-connected", got: text.to_owned() }),
        }
    }
}
