//! The tables, and the steps that made them. Steps are only ever added, at the end.

use drive_core::account::FOUND_BY_BYTES_MAX;

use super::{Added, Column, Index, Kind, Step, Table, column, nullable};

/// The steps, from an empty database to this version. The number of those that were done is what the database knows
/// of itself.
pub(super) const STEPS: &[Step] = &[
    Step::Create(&ID_BLOCKS),
    Step::Run(
        "INSERT INTO id_blocks (name, next_id) \
         SELECT 'all', 1 FROM (SELECT COUNT(*) AS present FROM id_blocks) AS blocks WHERE present = 0",
    ),
    Step::Create(&ACCOUNTS),
    Step::Create(&SESSIONS),
    Step::Create(&API_TOKENS),
    Step::Create(&CONTENTS),
    Step::Create(&NODES),
    Step::Create(&TRASH),
    Step::Create(&DROPPED_BLOBS),
    Step::Create(&UPLOADS),
    Step::Create(&RESERVATIONS),
    Step::Create(&SHARES),
    Step::Create(&ENTRY_KEYS),
    Step::Create(&IDEMPOTENCY),
    Step::Create(&AUDIT),
    Step::Index(&NODES_RECENT),
    Step::Add(&ACCOUNTS_FOUND_BY),
    Step::FoundBy,
    Step::Index(&ACCOUNTS_SEARCH),
    Step::Index(&UPLOADS_UNDER_WAY),
    Step::Sparse(&NODES_TRASH, "trash_id"),
    Step::Sparse(&CONTENTS_UNUSED, "unused_since"),
    Step::Add(&SHARES_MD5),
    Step::Parts(
        "shares",
        "UPDATE shares SET md5 = (SELECT c.md5 FROM nodes n JOIN contents c ON c.id = n.content_id \
         WHERE n.id = shares.node_id) WHERE md5 IS NULL AND id > ? AND id <= ?",
    ),
    Step::Index(&SHARES_BY_MD5),
    Step::Index(&SHARES_ENDING),
];

const ID: Column = column("id", Kind::Int);

/// Where the next block of ids begins: [`crate::ids`].
const ID_BLOCKS: Table = Table {
    name: "id_blocks",
    columns: &[column("name", Kind::Text(16)), column("next_id", Kind::Int)],
    primary: "name",
    unique: &[],
    indexes: &[],
    references: &[],
    checks: &[],
};

const ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
        ID,
        column("user_name", Kind::Text(256)),
        column("user_key", Kind::Text(255)),
        column("nick_name", Kind::Text(128)),
        nullable("email", Kind::Text(254)),
        nullable("phone", Kind::Text(16)),
        nullable("text_hash", Kind::Text(255)),
        nullable("dialect_hash", Kind::Text(255)),
        column("role", Kind::Small),
        column("state", Kind::Small),
        column("session_epoch", Kind::Int),
        column("token_epoch", Kind::Int),
        nullable("quota", Kind::Int),
        column("used", Kind::Int),
        column("reserved", Kind::Int),
        column("nodes", Kind::Int),
        column("root_id", Kind::Int),
        column("created_at", Kind::Int),
    ],
    primary: "id",
    unique: &[("user_key", "user_key")],
    indexes: &[("role", "role, state")],
    references: &[],
    checks: &["used >= 0", "reserved >= 0", "nodes >= 0"],
};

/// [`drive_core::account::found_by`]. Nothing of accounts that an earlier version makes beside this one: those are found by
/// their user name.
const ACCOUNTS_FOUND_BY: Added =
    Added { table: "accounts", column: nullable("found_by", Kind::Text(FOUND_BY_BYTES_MAX as u16)) };

/// A search reads all accounts in the order of their names, and of each only this.
const ACCOUNTS_SEARCH: Index = Index { table: "accounts", name: "search", columns: "user_key, id, found_by" };

const SESSIONS: Table = Table {
    name: "sessions",
    columns: &[
        ID,
        column("account_id", Kind::Int),
        column("token", Kind::Digest(32)),
        column("door", Kind::Small),
        column("epoch", Kind::Int),
        column("created_at", Kind::Int),
        column("used_at", Kind::Int),
    ],
    primary: "id",
    unique: &[("token", "token")],
    indexes: &[
        ("account", "account_id, used_at, id"),
        ("idle", "door, used_at"),
        ("age", "door, created_at"),
    ],
    references: &[("account_id", "accounts")],
    checks: &[],
};

const API_TOKENS: Table = Table {
    name: "api_tokens",
    columns: &[
        ID,
        column("account_id", Kind::Int),
        column("token", Kind::Digest(32)),
        column("label", Kind::Text(128)),
        column("scopes", Kind::Small),
        column("epoch", Kind::Int),
        nullable("expires_at", Kind::Int),
    ],
    primary: "id",
    unique: &[("token", "token")],
    indexes: &[("account", "account_id, id")],
    references: &[("account_id", "accounts")],
    checks: &[],
};

const CONTENTS: Table = Table {
    name: "contents",
    columns: &[
        ID,
        column("sha256", Kind::Digest(32)),
        column("size", Kind::Int),
        column("md5", Kind::Digest(16)),
        column("blob_key", Kind::Text(255)),
        column("refs", Kind::Int),
        nullable("unused_since", Kind::Int),
    ],
    primary: "id",
    unique: &[("identity", "sha256, size")],
    indexes: &[("md5", "md5"), ("unused", CONTENTS_UNUSED.columns)],
    references: &[],
    checks: &["refs >= 0"],
};

/// Few contents are unused, and every upload would be written into it.
const CONTENTS_UNUSED: Index = Index { table: "contents", name: "unused", columns: "unused_since, id" };

/// `folders` and `files` count what is in a folder that lives; of a file both are 0. For what is in folders that were
/// deleted they say what was in them.
const NODES: Table = Table {
    name: "nodes",
    columns: &[
        ID,
        column("owner_id", Kind::Int),
        nullable("parent_id", Kind::Int),
        column("kind", Kind::Small),
        column("name", Kind::Text(255)),
        column("name_key", Kind::Text(512)),
        nullable("content_id", Kind::Int),
        column("size", Kind::Int),
        column("created_at", Kind::Int),
        column("modified_at", Kind::Int),
        column("downloads", Kind::Int),
        nullable("trash_id", Kind::Int),
        column("folders", Kind::Int),
        column("files", Kind::Int),
    ],
    primary: "id",
    unique: &[("name", "parent_id, name")],
    indexes: &[
        ("by_name", "parent_id, kind, name_key, id"),
        ("by_size", "parent_id, kind, size, id"),
        ("by_time", "parent_id, kind, modified_at, id"),
        ("by_downloads", "parent_id, kind, downloads, id"),
        ("search", "owner_id, trash_id, name_key, id"),
        ("content", "content_id, owner_id"),
        ("trash", NODES_TRASH.columns),
    ],
    references: &[("owner_id", "accounts"), ("parent_id", "nodes"), ("content_id", "contents")],
    checks: &["folders >= 0", "files >= 0"],
};

/// Few nodes are in the trash, and every node that is made would be written into it.
const NODES_TRASH: Index = Index { table: "nodes", name: "trash", columns: "trash_id, kind, id" };

/// What somebody has that is not in the trash, files apart from folders, by time.
const NODES_RECENT: Index =
    Index { table: "nodes", name: "recent", columns: "owner_id, trash_id, kind, modified_at, id" };

const TRASH: Table = Table {
    name: "trash",
    columns: &[
        ID,
        column("owner_id", Kind::Int),
        column("node_id", Kind::Int),
        column("from_id", Kind::Int),
        column("deleted_at", Kind::Int),
        column("purge_at", Kind::Int),
        column("purging", Kind::Small),
    ],
    primary: "id",
    unique: &[("node", "node_id")],
    indexes: &[("owner", "owner_id, purging, deleted_at, id"), ("due", "purging, purge_at, id")],
    references: &[("owner_id", "accounts"), ("node_id", "nodes")],
    checks: &[],
};

const DROPPED_BLOBS: Table = Table {
    name: "dropped_blobs",
    columns: &[ID, column("blob_key", Kind::Text(255)), column("delete_at", Kind::Int)],
    primary: "id",
    unique: &[],
    indexes: &[("due", "delete_at, id")],
    references: &[],
    checks: &[],
};

/// `complete`: all bytes are here, and it is not done: [`drive_core::upload::Upload::is_left`] looks among these.
const UPLOADS: Table = Table {
    name: "uploads",
    columns: &[
        ID,
        column("owner_id", Kind::Int),
        column("parent_id", Kind::Int),
        column("name", Kind::Text(255)),
        column("on_conflict", Kind::Small),
        nullable("length", Kind::Int),
        column("done_bytes", Kind::Int),
        column("reserved", Kind::Int),
        nullable("claimed", Kind::Digest(32)),
        column("expires_at", Kind::Int),
        column("state", Kind::Small),
        nullable("blob_key", Kind::Text(255)),
        nullable("node_id", Kind::Int),
        nullable("lease_holder", Kind::Int),
        nullable("lease_until", Kind::Int),
        column("doubtful", Kind::Small),
        nullable("partial_state", Kind::Text(512)),
        nullable("partial_length", Kind::Int),
        nullable("hash_state", Kind::Bytes(1024)),
        column("complete", Kind::Small),
    ],
    primary: "id",
    unique: &[],
    indexes: &[
        ("owner", "owner_id, id"),
        ("open", "owner_id, state"),
        ("expiry", "expires_at, id"),
        ("complete", "complete, lease_until"),
    ],
    references: &[("owner_id", "accounts")],
    checks: &["reserved >= 0", "done_bytes >= 0"],
};

/// What is under way of everybody, among those that are done and not removed yet.
const UPLOADS_UNDER_WAY: Index = Index { table: "uploads", name: "under_way", columns: "state, id" };

/// Room that is reserved for an entry of the queue ([`drive_core::queue::UploadRecord::reserved`]).
const RESERVATIONS: Table = Table {
    name: "reservations",
    columns: &[
        column("entry_key", Kind::Digest(16)),
        column("account_id", Kind::Int),
        column("bytes", Kind::Int),
        column("expires_at", Kind::Int),
    ],
    primary: "entry_key",
    unique: &[],
    indexes: &[("account", "account_id"), ("expiry", "expires_at")],
    references: &[("account_id", "accounts")],
    checks: &["bytes >= 0"],
};

/// `public`: as [`drive_core::share::Share::is_listed`] says, the end aside; of a link that has ended, until the sweep comes.
const SHARES: Table = Table {
    name: "shares",
    columns: &[
        ID,
        column("kind", Kind::Small),
        column("owner_id", Kind::Int),
        column("node_id", Kind::Int),
        column("token", Kind::Text(32)),
        column("code", Kind::Small),
        nullable("code_digest", Kind::Digest(32)),
        column("version", Kind::Int),
        nullable("expires_at", Kind::Int),
        nullable("downloads_left", Kind::Int),
        column("listed", Kind::Small),
        column("revoked", Kind::Small),
        column("views", Kind::Int),
        column("downloads", Kind::Int),
        column("created_at", Kind::Int),
        column("public", Kind::Small),
    ],
    primary: "id",
    unique: &[("token", "token")],
    indexes: &[
        ("owner", "owner_id, created_at, id"),
        ("node", "node_id, public"),
        ("newest", "public, created_at, id"),
        ("ranking", "public, downloads DESC, id"),
    ],
    references: &[("owner_id", "accounts"), ("node_id", "nodes")],
    checks: &["downloads_left IS NULL OR downloads_left >= 0"],
};

/// The alias of the file that a link leads to, which stays: a node never gets another content. The old dialect knows links
/// by alias and name, and of a content that everybody saves there are more files than links. Links that an earlier version
/// makes beside this one are not found so.
const SHARES_MD5: Added = Added { table: "shares", column: nullable("md5", Kind::Digest(16)) };

/// What everybody sees of one alias, the oldest first.
const SHARES_BY_MD5: Index = Index { table: "shares", name: "md5", columns: "md5, public, id" };

/// Links that everybody sees, by when they end.
const SHARES_ENDING: Index = Index { table: "shares", name: "ending", columns: "public, expires_at, id" };

/// What was applied of the queue, and downloads of links by visitor and hour.
const ENTRY_KEYS: Table = Table {
    name: "entry_keys",
    columns: &[
        column("entry_key", Kind::Digest(16)),
        column("applied_at", Kind::Int),
        nullable("outcome", Kind::Text(255)),
    ],
    primary: "entry_key",
    unique: &[],
    indexes: &[("age", "applied_at")],
    references: &[],
    checks: &[],
};

const IDEMPOTENCY: Table = Table {
    name: "idempotency",
    columns: &[
        column("account_id", Kind::Int),
        column("request_key", Kind::Text(64)),
        column("fingerprint", Kind::Digest(32)),
        column("begun_at", Kind::Int),
        nullable("answer", Kind::Blob),
    ],
    primary: "account_id, request_key",
    unique: &[],
    indexes: &[("age", "begun_at")],
    references: &[("account_id", "accounts")],
    checks: &[],
};

const AUDIT: Table = Table {
    name: "audit",
    columns: &[ID, column("at", Kind::Int), column("record", Kind::Text(1024))],
    primary: "id",
    unique: &[],
    indexes: &[("at", "at, id")],
    references: &[],
    checks: &[],
};
