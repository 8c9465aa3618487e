//! The repositories of the drive: accounts, sessions, the tree, contents, uploads, links, the queue's entries, on SQLite
//! or on MySQL and MariaDB, in one code.
//!
//! One method is one transaction is one step of a use case: it loads the rows that a rule of `drive-core` asks for,
//! asks it, and writes what its plan says.
//!
//! **Will never know**: HTTP, caches, where bytes are, what the time is. Times and tokens are arguments.
//!
//! **Invariants**
//! - A step is done as a whole or not at all, whoever dies or goes away in the middle.
//! - Reference counts, quotas and downloads left are exact under any concurrency ([`Database::check`] proves it): the
//!   row of an account is locked before its tree, contents are counted by deltas in the order of their ids.
//! - Who is in the way of another, by a deadlock or a unique index, is done again here, a bounded number of times, and
//!   callers do not see it.
//! - No value is ever a part of a statement's text.
//! - No step reads more than its limits say, and none runs one query for each row of a list.
//!
//! **Locking order**: accounts by id, then uploads, links, nodes, contents by id, then what has keys (entries,
//! requests). Why, and what isolation levels do, is in decision 11.
//!
//! **Begin reading** at [`Database`] (`database.rs`: how steps run), then `tree/`, then `contents.rs`.
//!
//! | module | what |
//! |---|---|
//! | `settings`, `database`, `error`, `ids` | opening, running steps, what goes wrong, ids in blocks |
//! | `engine/` | connections, pools with failover, values, rows |
//! | `schema/` | tables as data, both dialects, migrations |
//! | `accounts`, `sessions`, `api_tokens` | who |
//! | `tree/`, `contents`, `uploads` | what |
//! | `shares`, `dialect` | links; what only the old dialect asks for |
//! | `queue`, `requests`, `cause` | entries of the durable queue; requests with keys; the audit log |
//! | `sweep`, `check`, `totals` | what time ends; the checker; what there is in all |

mod accounts;
mod api_tokens;
mod cause;
mod check;
mod contents;
mod copy;
mod database;
mod dialect;
mod engine;
mod error;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "helpers of tests")]
mod explain;
mod ids;
mod page;
mod queue;
mod requests;
mod schema;
mod sessions;
mod settings;
mod shares;
mod sweep;
mod totals;
mod tree;
mod uploads;

pub use accounts::Profile;
pub use api_tokens::NewApiToken;
pub use cause::{BegunRequest, Cause, Made};
pub use check::Difference;
pub use contents::{DroppedBlob, LinkedFile, StoredFile};
pub use copy::{BlobLine, CopiedRows, CopyError};
pub use database::Database;
pub use dialect::{PictureLink, RootFile, RootOrder};
pub use engine::Engine;
pub use error::OpenError;
pub use page::Page;
pub use requests::{AuditRow, RequestTurn};
pub use sessions::{Holder, PasswordChange};
pub use settings::{
    CONNECTIONS_MAX, Deadlines, MYSQL_CONNECTIONS, Place, Policy, SQLITE_READERS, Settings, URLS_MAX,
};
pub use shares::{
    Gate, ListedCount, ListedShare, NewShare, SaveShared, ShareChange, ShareFilter, ShareRow, ShareView,
};
pub use tree::{FileRow, FoundNode, PurgeProgress, TrashRow};
pub use uploads::{
    FinishBy, HASH_STATE_BYTES_MAX, NewUpload, Piece, SealedUpload, UNDER_WAY_COUNTED_MAX, UnderWay,
};
