//! What a link is told.

use std::time::Duration;

use crate::address::ServerAddress;

/// Bytes of a prefix at most.
pub const PREFIX_BYTES_MAX: usize = 32;

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Servers {
    /// One server.
    Single(ServerAddress),
    /// The master of a service, as any of these Sentinels says.
    Sentinel {
        /// The name of the service, as the Sentinels know it.
        service: String,
        /// Some or all of the Sentinels.
        sentinels: Vec<ServerAddress>,
        /// The password of the Sentinels themselves, which have no user here.
        password: Option<Secret>,
    },
    /// A Cluster; some or all of its members.
    Cluster(Vec<ServerAddress>),
}

/// One Redis, as an installation uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    /// Whom to ask.
    pub servers: Servers,
    /// The user; none is Redis's default one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The number of the database; a Cluster has 0 only.
    pub database: u16,
    /// Through TLS, with the certificates that the system trusts.
    pub tls: bool,
    /// What all keys begin with, so that installations can share a server: 1 to [`PREFIX_BYTES_MAX`] of `a-z`, `A-Z`,
    /// `0-9`, `-`, `_`, `.`.
    pub prefix: String,
    /// How long a call may take, connecting included.
    pub deadline: Duration,
}

/// A configuration that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongConfig {
    /// The prefix.
    #[error("the prefix {0:?} is not 1 to {PREFIX_BYTES_MAX} letters, digits, '-', '_' or '.'")]
    Prefix(String),
    /// No Sentinel, or no member of the Cluster.
    #[error("no server is named")]
    NoServer,
    /// A Cluster and a database.
    #[error("a Redis Cluster has the database 0 only")]
    Database,
    /// The deadline.
    #[error("a deadline of nothing can't be kept")]
    Deadline,
    /// What the client library does not take.
    #[error("the client refuses: {0}")]
    Client(String),
}

impl RedisConfig {
    pub(crate) fn check(&self) -> Result<(), WrongConfig> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        if !(1..=PREFIX_BYTES_MAX).contains(&self.prefix.len()) || !self.prefix.bytes().all(fits) {
            return Err(WrongConfig::Prefix(self.prefix.clone()));
        }
        match &self.servers {
            Servers::Sentinel { sentinels: none, .. } | Servers::Cluster(none) if none.is_empty() => {
                return Err(WrongConfig::NoServer);
            }
            Servers::Cluster(_) if self.database != 0 => return Err(WrongConfig::Database),
            _ => {}
        }
        if self.deadline.is_zero() { Err(WrongConfig::Deadline) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_is_refused_before_anything_is_asked() {
        let good = RedisConfig {
            servers: Servers::Single("a".parse().unwrap()),
            user: None,
            password: Some(Secret("geheim".to_owned())),
            database: 3,
            tls: false,
            prefix: "cairn".to_owned(),
            deadline: Duration::from_millis(1),
        };
        assert_eq!(good.check(), Ok(()));
        for prefix in ["", "a b", "a{b}", "文", &"x".repeat(33)] {
            let wrong = RedisConfig { prefix: prefix.to_owned(), ..good.clone() };
            assert_eq!(wrong.check(), Err(WrongConfig::Prefix(prefix.to_owned())));
        }
        let nobody = Servers::Sentinel { service: "m".to_owned(), sentinels: Vec::new(), password: None };
        for (servers, error) in [
            (nobody, WrongConfig::NoServer),
            (Servers::Cluster(Vec::new()), WrongConfig::NoServer),
            (Servers::Cluster(vec!["a".parse().unwrap()]), WrongConfig::Database),
        ] {
            assert_eq!(RedisConfig { servers, ..good.clone() }.check(), Err(error));
        }
        let late = RedisConfig { deadline: Duration::ZERO, ..good.clone() };
        assert_eq!(late.check(), Err(WrongConfig::Deadline));
        assert!(!format!("{good:?}").contains("geheim"));
    }
}
