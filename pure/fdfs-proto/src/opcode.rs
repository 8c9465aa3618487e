//! The registry of commands: one row each, and everything else follows from the rows.

use crate::limits::{
    GROUP_LEN, GROUP_NAME_IP_LEN_MAX, GROUP_NUL_LEN, HOST_TEXT_LEN, INFO_NAME_LEN_MAX, IP_TEXT_LEN,
    LINK_NAMES_LEN_MAX, NAME_LEN_MAX, REPORT_ENTRIES_MAX, STORAGE_BODY_MAX, STORAGE_ID_LEN,
    STORAGE_ID_LEN_MAX, STORE_PATHS_MAX, STREAM_BODY_MAX, STREAM_HEAD_LEN_MAX, TRACKER_LINE_LEN_MAX,
    TRACKERS_MAX,
};

/// The command byte of every reply.
pub const RESPONSE: u8 = 100;

/// Which kind of server understands a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A tracker.
    Tracker,
    /// A storage.
    Storage,
}

/// How the body of a request arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Small enough to be read as a whole; a longer one is refused unread.
    Whole {
        /// Longest body, bytes.
        len_max: u64,
    },
    /// A head of fixed fields and names, then content of any length.
    Streamed {
        /// Longest head, bytes. The first `min(head_len_max, body length)` bytes are enough to decode it.
        head_len_max: u64,
    },
}

impl Body {
    /// How many bytes of a body of this length to read before decoding; `None` when the body is too long for
    /// its command.
    pub const fn bytes_to_decode(self, body_len: u64) -> Option<u64> {
        match self {
            Body::Whole { len_max } if body_len > len_max => None,
            Body::Whole { .. } => Some(body_len),
            Body::Streamed { .. } if body_len > STREAM_BODY_MAX => None,
            Body::Streamed { head_len_max } if body_len > head_len_max => Some(head_len_max),
            Body::Streamed { .. } => Some(body_len),
        }
    }
}

/// One row of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode {
    /// The command byte.
    pub code: u8,
    /// Who understands it.
    pub spoken_to: Peer,
    /// The name in logs and metrics.
    pub name: &'static str,
    /// The body of the request.
    pub body: Body,
    /// One sentence for the generated reference.
    pub doc: &'static str,
}

macro_rules! opcodes {
    (
        $(#[$meta:meta])*
        $enum:ident spoken to $peer:ident {
            $($code:literal $variant:ident $name:literal $body:ident($max:expr) $doc:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum {
            $(#[doc = concat!($code, ": ", $doc)] $variant = $code,)+
        }

        impl $enum {
            /// Every command, by number.
            pub const ALL: &'static [$enum] = &[$($enum::$variant,)+];

            /// The command with this number.
            pub const fn from_u8(code: u8) -> Option<$enum> {
                match code {
                    $($code => Some($enum::$variant),)+
                    _ => None,
                }
            }

            /// The number on the wire.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The name in logs and metrics.
            pub const fn name(self) -> &'static str {
                self.opcode().name
            }

            /// How the body of the request arrives.
            pub const fn body(self) -> Body {
                self.opcode().body
            }

            /// The row of the registry.
            pub const fn opcode(self) -> Opcode {
                match self {
                    $($enum::$variant => Opcode {
                        code: $code,
                        spoken_to: Peer::$peer,
                        name: $name,
                        body: opcodes!(@body $body($max)),
                        doc: $doc,
                    },)+
                }
            }
        }

        impl From<$enum> for u8 {
            fn from(command: $enum) -> u8 {
                command.code()
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
    (@body whole($max:expr)) => { Body::Whole { len_max: $max as u64 } };
    (@body streamed($max:expr)) => { Body::Streamed { head_len_max: $max as u64 } };
}

opcodes! {
    /// What a tracker understands.
    TrackerCommand spoken to Tracker {
        58 JoinLeader "join_leader" whole(24)
            "A follower introduces itself to the leading tracker, once per connection.";
        59 ChangeStatus "change_status" whole(1)
            "A joined storage corrects a follower's idea of its status.";
        60 GetMyIp "get_my_ip" whole(GROUP_NUL_LEN + 4)
            "A storage asks which addresses it has.";
        61 SysFilesStart "sys_files_start" whole(0)
            "A tracker begins to copy another's state files and locks them.";
        62 SysFilesEnd "sys_files_end" whole(0)
            "The copy of the state files is over.";
        63 SysFilesGet "sys_files_get" whole(9)
            "One part of one state file.";
        64 TrackerStatus "tracker_status" whole(0)
            "The running figures that decide an election.";
        65 PingLeader "ping_leader" whole(12)
            "A follower tells the leader that it lives and learns the trunk servers.";
        66 NotifyNextLeader "notify_next_leader" whole(HOST_TEXT_LEN)
            "Announces the winner of an election.";
        67 CommitNextLeader "commit_next_leader" whole(HOST_TEXT_LEN)
            "Makes the announced winner the leader.";
        68 ReselectLeader "reselect_leader" whole(0)
            "Asks a leader to step down because there are two.";
        69 FetchStorageIds "fetch_storage_ids" whole(5)
            "A page of the table of storage ids.";
        70 GetServerId "get_server_id" whole(GROUP_LEN + HOST_TEXT_LEN)
            "The storage id that belongs to a group and an address.";
        71 GetStorageStatus "get_storage_status" whole(GROUP_LEN + HOST_TEXT_LEN)
            "The status of one storage.";
        72 FetchTrunkFileId "fetch_trunk_file_id" whole(0)
            "The number of the group's newest trunk file.";
        73 ReportTrunkFileId "report_trunk_file_id" whole(4)
            "The trunk server reports the number of its newest trunk file.";
        74 ReportTrunkFree "report_trunk_free" whole(8)
            "The trunk server reports the free space in trunk files.";
        75 GetParameters "get_parameters" whole(0)
            "The settings that hold for the whole cluster.";
        76 ReportStatus "report_status" whole(GROUP_LEN + 67)
            "A storage reports the status of itself or of a peer it fills.";
        77 GetChangelog "get_changelog" whole(GROUP_LEN + STORAGE_ID_LEN)
            "What happened to the identities of the group's storages since last time.";
        78 ReportIpChanged "report_ip_changed" whole(GROUP_LEN + 2 * IP_TEXT_LEN)
            "A storage moved to another address.";
        79 SyncDestQuery "sync_dest_query" whole(0)
            "A joined storage asks for the source of its old data.";
        81 Join "join" whole(145 + TRACKERS_MAX * TRACKER_LINE_LEN_MAX)
            "A storage logs in; the connection is bound to it.";
        82 Quit "quit" whole(0)
            "Closes the connection; there is no reply.";
        83 Beat "beat" whole(348)
            "A joined storage lives; perhaps with its counters.";
        84 ReportDiskUsage "report_disk_usage" whole(STORE_PATHS_MAX * 16)
            "Total and free space of each store path.";
        85 ReplicaChange "replica_change" whole(REPORT_ENTRIES_MAX * 67)
            "Peers whose status a joined storage knows better than this tracker.";
        86 SyncSrcRequest "sync_src_request" whole(GROUP_LEN + STORAGE_ID_LEN)
            "A source asks about the storage it may have to fill.";
        87 SyncDestRequest "sync_dest_request" whole(0)
            "A new storage asks for the source of its old data.";
        88 SyncNotify "sync_notify" whole(24)
            "A storage tells which source it was given.";
        89 SyncReport "sync_report" whole(REPORT_ENTRIES_MAX * 20)
            "Up to which second a storage has the files of each peer.";
        90 ListOneGroup "list_one_group" whole(GROUP_LEN)
            "Figures of one group.";
        91 ListAllGroups "list_all_groups" whole(0)
            "Figures of all groups.";
        92 ListStorages "list_storages" whole(GROUP_LEN + STORAGE_ID_LEN_MAX)
            "Figures of a group's storages, or of one of them.";
        93 DeleteStorage "delete_storage" whole(GROUP_LEN + STORAGE_ID_LEN_MAX)
            "Removes a storage that is not in service.";
        94 SetTrunkServer "set_trunk_server" whole(GROUP_LEN + STORAGE_ID_LEN_MAX)
            "Names or asks for the trunk server of a group.";
        95 GetLeader "get_leader" whole(0)
            "The address of the leading tracker.";
        96 TrackerClusterStat "tracker_cluster_stat" whole(3)
            "The trackers, as their leader sees them.";
        97 StorageClusterStat "storage_cluster_stat" whole(4)
            "The storages of all groups, filtered.";
        98 StorageVolumeStat "storage_volume_stat" whole(4)
            "The space of all groups, filtered.";
        101 QueryStoreOne "query_store_one" whole(0)
            "Where to upload.";
        102 QueryFetchOne "query_fetch_one" whole(GROUP_LEN + NAME_LEN_MAX)
            "Where to download a file.";
        103 QueryUpdate "query_update" whole(GROUP_LEN + NAME_LEN_MAX)
            "Where to change or delete a file.";
        104 QueryStoreGroupOne "query_store_group_one" whole(GROUP_LEN)
            "Where to upload within a group.";
        105 QueryFetchAll "query_fetch_all" whole(GROUP_LEN + NAME_LEN_MAX)
            "Every storage a file can be downloaded from.";
        106 QueryStoreAll "query_store_all" whole(0)
            "Every storage of the group that would be chosen for an upload.";
        107 QueryStoreGroupAll "query_store_group_all" whole(GROUP_LEN)
            "Every storage of a group that takes uploads.";
        108 DeleteGroup "delete_group" whole(GROUP_LEN)
            "Removes an empty group.";
        109 GetGroupName "get_group_name" whole(GROUP_NAME_IP_LEN_MAX + 4)
            "The group that belongs to an address, by the table of storage ids.";
        111 ActiveTest "active_test" whole(0)
            "Is anybody there?";
    }
}

opcodes! {
    /// What a storage understands.
    StorageCommand spoken to Storage {
        9 ReportServerId "report_server_id" whole(STORAGE_ID_LEN)
            "A replicating peer says who it is.";
        11 UploadFile "upload_file" streamed(15)
            "Stores a file.";
        12 DeleteFile "delete_file" whole(GROUP_LEN + NAME_LEN_MAX)
            "Deletes a file and its metadata.";
        13 SetMetadata "set_metadata" whole(STORAGE_BODY_MAX)
            "Replaces or merges a file's metadata.";
        14 DownloadFile "download_file" whole(32 + NAME_LEN_MAX)
            "A file or a part of it.";
        15 GetMetadata "get_metadata" whole(GROUP_LEN + NAME_LEN_MAX)
            "A file's metadata.";
        16 SyncCreate "sync_create" streamed(STREAM_HEAD_LEN_MAX)
            "Replication: a file was created.";
        17 SyncDelete "sync_delete" whole(20 + NAME_LEN_MAX)
            "Replication: a file was deleted.";
        18 SyncUpdate "sync_update" streamed(STREAM_HEAD_LEN_MAX)
            "Replication: a file was replaced.";
        19 SyncCreateLink "sync_create_link" whole(36 + 2 * NAME_LEN_MAX)
            "Replication: a link was created.";
        20 CreateLink "create_link" whole(62 + LINK_NAMES_LEN_MAX)
            "Creates a link to a file that is already there.";
        21 UploadSlave "upload_slave" streamed(STREAM_HEAD_LEN_MAX)
            "Stores a file under a name derived from a master's.";
        22 QueryFileInfo "query_file_info" whole(GROUP_LEN + INFO_NAME_LEN_MAX)
            "Size, time, CRC and source of a file.";
        23 UploadAppender "upload_appender" streamed(15)
            "Stores a file that can be changed later.";
        24 Append "append" streamed(STREAM_HEAD_LEN_MAX)
            "Adds to the end of an appender.";
        25 SyncAppend "sync_append" streamed(STREAM_HEAD_LEN_MAX)
            "Replication: an appender grew.";
        26 FetchOnePathBinlog "fetch_one_path_binlog" whole(GROUP_LEN + 1)
            "The files of one store path, for a peer that lost its disk.";
        27 TrunkAlloc "trunk_alloc" whole(GROUP_LEN + 5)
            "A slot in a trunk file, from the trunk server.";
        28 TrunkConfirm "trunk_confirm" whole(GROUP_LEN + 15)
            "Whether the slot was filled.";
        29 TrunkFree "trunk_free" whole(GROUP_LEN + 15)
            "Gives a slot back.";
        30 TrunkSyncBinlog "trunk_sync_binlog" whole(STORAGE_BODY_MAX)
            "Lines of the trunk binlog, from the trunk server to its group.";
        31 TrunkBinlogSize "trunk_binlog_size" whole(0)
            "How long the trunk binlog is.";
        32 TrunkDeleteMarks "trunk_delete_marks" whole(0)
            "Forget how far peers have the trunk binlog.";
        33 TrunkTruncateBinlog "trunk_truncate_binlog" whole(0)
            "Begin the copy of the trunk binlog anew.";
        34 Modify "modify" streamed(STREAM_HEAD_LEN_MAX)
            "Overwrites a part of an appender.";
        35 SyncModify "sync_modify" streamed(STREAM_HEAD_LEN_MAX)
            "Replication: a part of an appender was overwritten.";
        36 Truncate "truncate" whole(16 + NAME_LEN_MAX)
            "Sets the size of an appender.";
        37 SyncTruncate "sync_truncate" whole(44 + NAME_LEN_MAX)
            "Replication: the size of an appender was set.";
        38 RegenerateName "regenerate_name" whole(NAME_LEN_MAX)
            "Turns an appender into a normal file under a new name.";
        40 SyncRename "sync_rename" whole(36 + 2 * NAME_LEN_MAX)
            "Replication: a file was renamed.";
        82 Quit "quit" whole(0)
            "Closes the connection; there is no reply.";
        111 ActiveTest "active_test" whole(0)
            "Is anybody there? With the status byte 202, which the original does not look at, Cairn tells its figures, a line each: name, space, value; with 203 it answers a member of its group when that has all changes that were made here, or 11 when that takes longer.";
    }
}

/// The whole registry: trackers' commands first, each by number.
pub fn all() -> impl Iterator<Item = Opcode> {
    let tracker = TrackerCommand::ALL.iter().map(|command| command.opcode());
    let storage = StorageCommand::ALL.iter().map(|command| command.opcode());
    tracker.chain(storage)
}
