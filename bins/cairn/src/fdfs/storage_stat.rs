//! `fdfs_storage_stat`: the storages of all groups in a line each.

use std::io::{self, Write};

use fdfs_proto::StorageStatus;
use fdfs_proto::tracker::storage_cluster_stat::{Ask, Got};
use jiff::tz::TimeZone;

use super::session::Session;
use super::stat_options::StatOptions;
use super::{Call, EXIT_FAILED, Trouble, human};

const BY_TRUNK: u8 = 1;
const BY_STATUS: u8 = 2;

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let options = StatOptions::parse(&call.args, b"ANTtd")?;
    let ask = ask(&options);
    let session = Session::open(call, &options.conf)?;
    match session.wait(session.client.storage_cluster_stat(ask)) {
        Ok(got) if got.storages.is_empty() => Ok(()),
        Ok(got) => Ok(write(call.out, &got, options.has(b'd'), &TimeZone::system())?),
        Err(error) => {
            let _ = writeln!(call.err, "{error}");
            Err(Trouble::Said(EXIT_FAILED))
        }
    }
}

fn ask(options: &StatOptions) -> Ask {
    let mut ask = Ask::default();
    if let Some(active) = options.last_of(b'A', b'N') {
        ask.filter_by |= BY_STATUS;
        ask.status = StorageStatus::Active.code();
        ask.op_type = if active { b'=' } else { b'!' };
    }
    if let Some(trunk) = options.last_of(b'T', b't') {
        ask.filter_by |= BY_TRUNK;
        ask.is_trunk_server = trunk;
    }
    ask
}

fn write(out: &mut dyn Write, got: &Got, detail: bool, zone: &TimeZone) -> io::Result<()> {
    writeln!(out)?;
    for storage in &got.storages {
        if got.use_storage_id {
            write!(out, "{} ", storage.id)?;
        }
        write!(out, "{} {}, ", storage.host, storage.status.caption())?;
        if got.use_trunk_file {
            write!(out, "is_trunk_server: {}, ", u8::from(storage.is_trunk_server))?;
        }
        writeln!(out, "connections {}", human::connections(&storage.connections))?;
        if detail {
            writeln!(
                out,
                "  version: {}, up_time: {}, last_heartbeat_time: {}\n",
                storage.version,
                human::time(storage.up_time, zone),
                human::time(storage.last_heartbeat_time, zone)
            )?;
        }
    }
    writeln!(out, "\nstorage server count: {}\n", got.storages.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdfs_proto::tracker::leader::Connections;
    use fdfs_proto::tracker::storage_cluster_stat::StorageStat;
    use fdfs_proto::{HostText, StorageId, Version};

    fn got(ids: bool, trunk: bool) -> Got {
        let storage = StorageStat {
            id: StorageId::new(b"100001").unwrap(),
            host: HostText::new(b"127.0.0.41:23000").unwrap(),
            is_trunk_server: trunk,
            status: StorageStatus::Active,
            connections: Connections::default(),
            version: Version::new(b"6.16.1").unwrap(),
            up_time: 1_751_328_000,
            last_heartbeat_time: 1_751_328_060,
        };
        Got { use_storage_id: ids, use_trunk_file: trunk, storages: vec![storage] }
    }

    fn text(got: &Got, detail: bool) -> String {
        let mut out = Vec::new();
        write(&mut out, got, detail, &TimeZone::UTC).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn without_ids_and_trunk_files_their_columns_are_missing() {
        assert_eq!(
            text(&got(false, false), false),
            "\n127.0.0.41:23000 ACTIVE, connections {alloc: 0, current: 0, max: 0}\n\
             \nstorage server count: 1\n\n"
        );
    }

    #[test]
    fn with_everything_on_everything_shows() {
        assert_eq!(
            text(&got(true, true), true),
            "\n100001 127.0.0.41:23000 ACTIVE, is_trunk_server: 1, connections {alloc: 0, current: 0, max: 0}\n  \
             version: 6.16.1, up_time: 2025-07-01 00:00:00, last_heartbeat_time: 2025-07-01 00:01:00\n\n\
             \nstorage server count: 1\n\n"
        );
    }
}
