//! The tools, one row each. Dispatch, usage texts, links and `docs/commands.md` come from here.

use super::{
    Call, Trouble, append_file, appender_test, crc32, daemons, delete_file, download_file, file_info,
    monitor, regenerate_filename, storage_stat, test, tracker_stat, upload_appender, upload_file,
    volumn_stat,
};

/// Where a tool's usage goes, as the original does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageTo {
    Stdout,
    Stderr,
}

/// One classic tool.
pub(crate) struct Tool {
    /// The name it is called by.
    pub name: &'static str,
    /// Its arguments, as in the usage line.
    pub arguments: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
    /// Where its usage goes.
    pub usage_to: UsageTo,
    /// Does it.
    pub run: fn(&mut Call<'_>) -> Result<(), Trouble>,
}

/// All of them.
pub(crate) static TOOLS: &[Tool] = &[
    Tool {
        name: "fdfs_trackerd",
        arguments: "[-N] [-V] [-h] CONF [start | stop | restart | status]",
        doc: "The tracker server: starts in the background (with -N on the terminal), stops, restarts, says whether it runs.",
        usage_to: UsageTo::Stderr,
        run: daemons::tracker,
    },
    Tool {
        name: "fdfs_storaged",
        arguments: "[-N] [-V] [-h] CONF [start | stop | restart | status]",
        doc: "The storage server: starts in the background (with -N on the terminal), stops, restarts, says whether it runs.",
        usage_to: UsageTo::Stderr,
        run: daemons::storage,
    },
    Tool {
        name: "fdfs_upload_file",
        arguments: "CONF FILE [STORAGE[:PORT]] [STORE_PATH_INDEX]",
        doc: "Stores a local file and prints its id. With an address it goes to that storage, without one where the tracker says.",
        usage_to: UsageTo::Stdout,
        run: upload_file::run,
    },
    Tool {
        name: "fdfs_upload_appender",
        arguments: "CONF FILE",
        doc: "Stores a local file as an appender, which can grow, and prints its id.",
        usage_to: UsageTo::Stdout,
        run: upload_appender::run,
    },
    Tool {
        name: "fdfs_download_file",
        arguments: "CONF FILE_ID [FILE] [OFFSET BYTES]",
        doc: "Fetches a file, or BYTES of it from OFFSET on (0 bytes: to the end). The local name is the last part of the id unless given; an existing file is replaced.",
        usage_to: UsageTo::Stdout,
        run: download_file::run,
    },
    Tool {
        name: "fdfs_delete_file",
        arguments: "CONF FILE_ID",
        doc: "Deletes a file and its metadata.",
        usage_to: UsageTo::Stdout,
        run: delete_file::run,
    },
    Tool {
        name: "fdfs_append_file",
        arguments: "CONF APPENDER_ID FILE",
        doc: "Adds a local file to the end of an appender.",
        usage_to: UsageTo::Stdout,
        run: append_file::run,
    },
    Tool {
        name: "fdfs_regenerate_filename",
        arguments: "CONF APPENDER_ID",
        doc: "Turns an appender into a normal file and prints its new id; the old id is gone.",
        usage_to: UsageTo::Stderr,
        run: regenerate_filename::run,
    },
    Tool {
        name: "fdfs_file_info",
        arguments: "[-n] [-s] CONF FILE_ID",
        doc: "Shows kind, source, time, size and CRC-32 of a file. -n: do not compute the CRC-32 of appenders and slaves. -s: the storage shall not log a missing file.",
        usage_to: UsageTo::Stderr,
        run: file_info::run,
    },
    Tool {
        name: "fdfs_crc32",
        arguments: "FILE",
        doc: "Prints the CRC-32 of a local file in hexadecimal.",
        usage_to: UsageTo::Stdout,
        run: crc32::run,
    },
    Tool {
        name: "fdfs_monitor",
        arguments: "[CONF [-h TRACKER[:PORT]] [list | delete | set_trunk_server [GROUP [STORAGE_ID]]]]",
        doc: "Shows groups and storages; deletes a storage or an empty group; names the trunk server. CONF is /etc/fdfs/client.conf unless given.",
        usage_to: UsageTo::Stdout,
        run: monitor::run,
    },
    Tool {
        name: "fdfs_tracker_stat",
        arguments: "[-c CONF] [-A|-N] [-L|-F] [-d] [-h]",
        doc: "Lists the trackers. -A: active, -N: not active, -L: the leader, -F: followers, -d: in detail.",
        usage_to: UsageTo::Stderr,
        run: tracker_stat::run,
    },
    Tool {
        name: "fdfs_storage_stat",
        arguments: "[-c CONF] [-A|-N] [-T|-t] [-d] [-h]",
        doc: "Lists the storages. -A: active, -N: not active, -T: trunk servers, -t: others, -d: in detail.",
        usage_to: UsageTo::Stderr,
        run: storage_stat::run,
    },
    Tool {
        name: "fdfs_volumn_stat",
        arguments: "[-c CONF] [-A|-N|-F] [-D|-d] [-T|-t] [-h]",
        doc: "Lists the space of groups. -A: with space, -N or -F: without, -D: with disk space, -d: without, -T: with trunk space, -t: without.",
        usage_to: UsageTo::Stderr,
        run: volumn_stat::run,
    },
    Tool {
        name: "fdfs_test",
        arguments: "CONF upload FILE [FILE|BUFF|CALLBACK] | CONF download GROUP NAME [FILE] | CONF getmeta|delete|query_servers GROUP NAME | CONF setmeta GROUP NAME O|M NAME1=VALUE1,NAME2=VALUE2",
        doc: "Does one operation and shows every step. O overwrites metadata, M merges.",
        usage_to: UsageTo::Stdout,
        run: test::run,
    },
    Tool {
        name: "fdfs_test1",
        arguments: "CONF upload FILE [FILE|BUFF|CALLBACK] | CONF download FILE_ID [FILE] | CONF getmeta|delete|query_servers FILE_ID | CONF setmeta FILE_ID O|M NAME1=VALUE1,NAME2=VALUE2",
        doc: "The same with whole file ids.",
        usage_to: UsageTo::Stdout,
        run: test::run1,
    },
    Tool {
        name: "fdfs_appender_test",
        arguments: "CONF FILE [FILE|BUFF|CALLBACK]",
        doc: "Uploads an appender, cuts it, appends to it and changes it, and shows every step. The file stays.",
        usage_to: UsageTo::Stdout,
        run: appender_test::run,
    },
    Tool {
        name: "fdfs_appender_test1",
        arguments: "CONF FILE [FILE|BUFF|CALLBACK]",
        doc: "The same with whole file ids.",
        usage_to: UsageTo::Stdout,
        run: appender_test::run1,
    },
];

/// The tools as a page of reference.
pub(crate) fn reference() -> String {
    let mut page = String::from("| tool | arguments | what it does |\n|---|---|---|\n");
    for tool in TOOLS {
        let arguments = tool.arguments.replace('|', "\\|");
        page.push_str(&format!("| `{}` | `{arguments}` | {} |\n", tool.name, tool.doc));
    }
    page
}
