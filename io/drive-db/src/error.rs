//! What can go wrong, as the crate sees it.

use drive_core::Problem;
use sqlx::error::ErrorKind;
use sqlx::mysql::MySqlDatabaseError;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no sense.
    #[error("settings of the database: {0}")]
    Settings(String),
    /// No server answers, or the file can't be opened.
    #[error("the database does not answer: {0}")]
    Away(String),
    /// A later version has been here.
    #[error("the database has schema {found}, and this version knows up to {known}: use a later version")]
    TooNew {
        /// What the database says.
        found: i64,
        /// What is known here.
        known: i64,
    },
    /// An earlier version made it, and it was to be left as it is.
    #[error(
        "the database has schema {found}, and this version {known}: start its drive with this version once, or use the \
         version that it runs with"
    )]
    TooOld {
        /// What the database says.
        found: i64,
        /// What is known here.
        known: i64,
    },
    /// A statement of the schema was refused.
    #[error("the schema can't be made: {0}")]
    Schema(String),
}

/// Why a step was not done. Never leaves the crate.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A rule says no: an answer like any other.
    Problem(Problem),
    /// Another transaction was in the way, and nothing of this one is left: a deadlock, a lock that was waited for too
    /// long, a unique index. To be done again, from the first statement.
    Again(String),
    /// The connection is broken, or the server will not: nothing of this transaction is left. To be done again on
    /// another connection.
    Away(String),
    /// The connection broke while committing: whether it is done, nobody knows.
    Unknown(String),
    /// Ids have run out: to be done again when there are as many as this, which is all that this try asked for.
    Ids(usize),
    /// The database refuses a statement, or holds what it can't hold: a bug.
    Broken(String),
}

/// Of servers: a deadlock, or (Galera) a conflict with what another node committed.
const ER_LOCK_DEADLOCK: u16 = 1213;
/// Of servers: a lock was waited for too long.
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;
/// Of MariaDB: the row changed since the snapshot.
const ER_CHECKREAD: u16 = 1020;
/// Of servers that will not, for a while: too many connections, shutting down, not (yet) part of its Galera cluster,
/// read-only since it is no primary any more, killed by an administrator.
const ER_AWAY: [u16; 7] = [1040, 1053, 1047, 1290, 1792, 1836, 1927];

/// Of SQLite, the lowest byte of a result code: busy, locked; a failing or full disk, a file that can't be opened.
const SQLITE_AGAIN: [i32; 2] = [5, 6];
const SQLITE_AWAY: [i32; 3] = [10, 13, 14];

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::WorkerCrashed => Self::Away(text),
                _ => Self::Broken(text),
            };
        };
        if database.kind() == ErrorKind::UniqueViolation {
            return Self::Again(text);
        }
        if let Some(server) = database.try_downcast_ref::<MySqlDatabaseError>() {
            return match server.number() {
                ER_LOCK_DEADLOCK | ER_LOCK_WAIT_TIMEOUT | ER_CHECKREAD => Self::Again(text),
                number if ER_AWAY.contains(&number) => Self::Away(text),
                _ => Self::Broken(text),
            };
        }
        Self::of_sqlite(database.code().and_then(|code| code.parse().ok()).unwrap_or(0), text)
    }
}

impl Fault {
    /// For an operator who sees no log.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Problem(problem) => problem.to_string(),
            Self::Again(text) | Self::Away(text) | Self::Unknown(text) | Self::Broken(text) => text,
            Self::Ids(count) => format!("{count} ids are wanted"),
        }
    }

    /// What a result code of SQLite means.
    pub(crate) fn of_sqlite(code: i32, text: String) -> Self {
        let code = code & 0xff;
        if SQLITE_AGAIN.contains(&code) {
            Self::Again(text)
        } else if SQLITE_AWAY.contains(&code) {
            Self::Away(text)
        } else {
            Self::Broken(text)
        }
    }
}
