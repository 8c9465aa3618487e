//! What stands where in the replies, and which of it two servers can't say alike.

use fdfs_proto::StorageCommand;

/// How the body of a reply with status 0 is compared.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// There is none.
    Nothing,
    /// Byte by byte.
    Bytes,
    /// Lines of text, with the cluster's own addresses made equal.
    Text,
    /// A group and a file name, part by part.
    Name,
    /// Fields once, then rows of fields until the end.
    Records { head: &'static [Field], row: &'static [Field] },
    /// Its status only; somebody else reads it.
    Unread,
}

/// One field of a record.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) len: usize,
    pub(crate) kind: Kind,
}

/// How a field is compared.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Exactly.
    Number,
    /// Up to the first NUL, with the cluster's own addresses made equal.
    Text,
    /// Unix seconds, a minute apart at most; nothing is only like nothing.
    Time,
    /// MiB of the same disk, looked at in two moments.
    Disk,
    /// Not at all, for this reason.
    Free(#[expect(dead_code, reason = "for who reads the tables")] &'static str),
}

const fn number(name: &'static str, len: usize) -> Field {
    Field { name, len, kind: Kind::Number }
}

const fn text(name: &'static str, len: usize) -> Field {
    Field { name, len, kind: Kind::Text }
}

const fn time(name: &'static str) -> Field {
    Field { name, len: 8, kind: Kind::Time }
}

const fn disk(name: &'static str) -> Field {
    Field { name, len: 8, kind: Kind::Disk }
}

const fn free(name: &'static str, len: usize, why: &'static str) -> Field {
    Field { name, len, kind: Kind::Free(why) }
}

const CONNECTIONS: &str = "each server counts its own connections, and ours makes them when they come";
const COUNTERS: &str = "they come with a beat, whenever that is; the run compares them once, at its end";

const fn records(row: &'static [Field]) -> Shape {
    Shape::Records { head: &[], row }
}

const fn once(head: &'static [Field]) -> Shape {
    Shape::Records { head, row: &[] }
}

/// 22.
pub(crate) const FILE_INFO: Shape =
    once(&[number("size", 8), time("time"), number("crc", 8), text("source address", 16)]);

/// 101, 104.
pub(crate) const STORE_ONE: Shape =
    once(&[text("group", 16), text("address", 15), number("port", 8), number("store path", 1)]);

/// 102, 103, 105; 106 and 107, where one byte more is the store path.
pub(crate) const SERVERS: Shape =
    Shape::Records { head: &[text("group", 16)], row: &[text("address", 15), number("port", 8)] };

/// 90, 91.
pub(crate) const GROUPS: Shape = records(&[
    text("group", 17),
    disk("total space"),
    disk("free space"),
    disk("reserved space"),
    number("trunk free space", 8),
    number("storages", 8),
    number("port", 8),
    number("readable storages", 8),
    number("writable storages", 8),
    number("current write server", 8),
    number("store paths", 8),
    number("directories", 8),
    number("trunk file", 8),
]);

/// 92.
pub(crate) const STORAGES: Shape = records(&[
    number("its status", 1),
    number("mode", 1),
    text("id", 16),
    text("address", 16),
    text("source", 16),
    text("version", 8),
    free("join time", 8, "when the storage came first is the installation's"),
    free("up time", 8, "the two were not started at the same time"),
    disk("total space"),
    disk("free space"),
    disk("reserved space"),
    number("upload priority", 8),
    number("store paths", 8),
    number("directories", 8),
    number("current write path", 8),
    number("port", 8),
    free("connections", 12, CONNECTIONS),
    free("counters", 336, COUNTERS),
    number("trunk server", 1),
]);

/// 96.
pub(crate) const TRACKERS: Shape = Shape::Records {
    head: &[number("count", 1)],
    row: &[
        text("address", 52),
        number("leads", 1),
        number("active", 1),
        free("connections", 12, CONNECTIONS),
        text("version", 8),
        free("up time", 8, "the two were not started at the same time"),
        free("last beat", 8, "a leader has none"),
    ],
};

/// 97.
pub(crate) const STORAGE_STAT: Shape = Shape::Records {
    head: &[number("with ids", 1), number("with trunk files", 1), number("count", 4)],
    row: &[
        text("id", 16),
        text("address", 52),
        number("trunk server", 1),
        number("its status", 1),
        free("connections", 12, CONNECTIONS),
        text("version", 8),
        free("up time", 8, "the two were not started at the same time"),
        free("last beat", 8, COUNTERS),
    ],
};

/// 98.
pub(crate) const VOLUME_STAT: Shape = Shape::Records {
    head: &[number("with trunk files", 1), number("count", 4)],
    row: &[
        text("group", 17),
        disk("total space"),
        disk("free space"),
        disk("reserved space"),
        disk("available space"),
        number("trunk free space", 8),
        number("disk available", 1),
        number("trunk available", 1),
    ],
};

/// 71.
pub(crate) const BRIEFS: Shape =
    records(&[number("its status", 1), number("port", 4), text("id", 16), text("address", 46)]);

/// 81.
pub(crate) const JOINED: Shape = once(&[number("its status", 1), text("source", 16)]);

/// 79, 86, 87.
pub(crate) const SOURCE: Shape = once(&[text("source", 16), time("until")]);

/// 64.
pub(crate) const RUNNING: Shape = once(&[
    number("leads", 1),
    free("running time", 8, "the two were not started at the same time"),
    free("restart interval", 8, "nor stopped"),
]);

/// 72.
pub(crate) const TRUNK_FILE: Shape = once(&[number("trunk file", 4)]);

/// The counters of 92 behind those of connections: where they begin.
pub(crate) const COUNTERS_AT: usize = 150;
/// Those that a run compares at its end, how many have been tried and how many succeeded, and what they count.
pub(crate) const COUNTED: [(&str, &[StorageCommand]); 9] = [
    ("uploads", &[StorageCommand::UploadFile, StorageCommand::UploadAppender, StorageCommand::UploadSlave]),
    ("appends", &[StorageCommand::Append]),
    ("modifications", &[StorageCommand::Modify]),
    ("truncations", &[StorageCommand::Truncate]),
    ("changes of metadata", &[StorageCommand::SetMetadata]),
    ("deletions", &[StorageCommand::DeleteFile]),
    ("downloads", &[StorageCommand::DownloadFile]),
    ("readings of metadata", &[StorageCommand::GetMetadata]),
    ("links", &[StorageCommand::CreateLink]),
];
