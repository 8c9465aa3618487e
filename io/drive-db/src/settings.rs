//! What a database is opened with.

use std::path::PathBuf;
use std::time::Duration;

use drive_core::ByteCount;
use drive_core::tree::TRASH_RETENTION;

/// Where the database is, and how it is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which engine, and where.
    pub place: Place,
    /// What is waited for, and how long.
    pub deadlines: Deadlines,
    /// What the administrator allows.
    pub policy: Policy,
}

/// An engine and its place.
#[derive(Clone)]
pub enum Place {
    /// One file on this machine. Several processes may use it.
    Sqlite {
        /// The file. Made when it is missing; its folder must be there.
        file: PathBuf,
        /// Connections that read. One more writes.
        readers: usize,
    },
    /// A MySQL or MariaDB server, or several that hold the same.
    MySql {
        /// `mysql://user:password@host:port/database?ssl-mode=…`, one for each server; the first that answers and may
        /// be written to is used until it does not answer any more.
        urls: Vec<String>,
        /// Connections at most.
        connections: usize,
    },
}

impl std::fmt::Debug for Place {
    /// Leaves the URLs out: they have passwords in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { file, readers } => {
                f.debug_struct("Sqlite").field("file", file).field("readers", readers).finish()
            }
            Self::MySql { urls, connections } => {
                f.debug_struct("MySql").field("urls", &urls.len()).field("connections", connections).finish()
            }
        }
    }
}

/// Connections that read a SQLite file, unless it is configured otherwise.
pub const SQLITE_READERS: usize = 4;
/// Connections to a server, unless it is configured otherwise.
pub const MYSQL_CONNECTIONS: usize = 16;
/// Connections of a pool at most.
pub const CONNECTIONS_MAX: usize = 1_000;
/// Servers at most.
pub const URLS_MAX: usize = 16;

/// What is waited for at most, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For one server to accept a connection.
    pub connect: Duration,
    /// For a lock that another transaction holds: of a row (MySQL), of the file (SQLite).
    pub lock: Duration,
    /// For a step as a whole: a free connection, locks, statements, what is tried again.
    pub step: Duration,
    /// For the schema: other processes that change it, and changing it.
    pub migrate: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            lock: Duration::from_secs(5),
            step: Duration::from_secs(15),
            migrate: Duration::from_secs(600),
        }
    }
}

/// What the administrator allows and sets for everybody.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How long the trash keeps.
    pub trash_retention: Duration,
    /// Bytes of one file at most.
    pub file_max: ByteCount,
    /// What a new account may store. None: as much as there is room for.
    pub quota: Option<ByteCount>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { trash_retention: TRASH_RETENTION, file_max: ByteCount::MAX, quota: None }
    }
}

impl Settings {
    /// A SQLite file, all else as usual.
    pub fn sqlite(file: impl Into<PathBuf>) -> Self {
        Self::of(Place::Sqlite { file: file.into(), readers: SQLITE_READERS })
    }

    /// Servers, all else as usual.
    pub fn mysql(urls: impl IntoIterator<Item = String>) -> Self {
        Self::of(Place::MySql { urls: urls.into_iter().collect(), connections: MYSQL_CONNECTIONS })
    }

    fn of(place: Place) -> Self {
        Self { place, deadlines: Deadlines::default(), policy: Policy::default() }
    }
}
