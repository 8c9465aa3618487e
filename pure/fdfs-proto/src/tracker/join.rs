//! A storage logs in: JOIN 81.
//!
//! Source: wire protocol, "JOIN".

use fdfs_fileid::GroupName;

use crate::field::{Reader, put_int8};
use crate::limits::{STORE_PATHS_MAX, SUBDIRS_MAX, TRACKER_LINE_LEN_MAX, TRACKERS_MAX};
use crate::record::{
    Flag, Group17, Id16, Int8, Ip46, Kind, Port8, Status1, Status1OrNone, Text, Time8, record,
};
use crate::{DecodeError, Host, IpText, StorageId, StorageStatus, Version, Why};

record! {
    /// Who joins, without the list of trackers: 137 bytes.
    pub struct Joiner as "join" {
        /// Its group.
        group: GroupName => Group17,
        /// Its port, not 0.
        storage_port: u16 => Port8,
        /// Its store paths, 1..=256.
        store_path_count: u64 => Int8,
        /// Directories per level in each store path, 1..=256.
        subdir_count_per_path: u64 => Int8,
        /// Smaller is preferred for uploads when the tracker chooses by priority.
        upload_priority: i64 => Time8,
        /// Unix second of its first installation.
        join_time: i64 => Time8,
        /// Unix second of its start.
        up_time: i64 => Time8,
        /// Its version.
        version: Version => Text,
        /// Its initial synchronisation is not settled yet.
        init: bool => Flag,
        /// Its status as it last learned it; `None` when it never did and cannot know (−1 on the wire).
        status: Option<StorageStatus> => Status1OrNone,
        /// Its id, when storage ids are used.
        storage_id: Option<StorageId> => Id16,
        /// The address of this tracker as the storage knows it.
        tracker_ip: IpText => Ip46,
    }
}

/// Body of 81: the joiner and the trackers it knows, 145 bytes and a line for each tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who joins.
    pub joiner: Joiner,
    /// Every tracker in its configuration, 1..=16.
    pub trackers: Vec<Host>,
}

impl Ask {
    /// Reads the body.
    ///
    /// # Errors
    /// A count or a port out of range, a bad group name, a line that is no address with a port or does not end
    /// with a newline, bytes behind the last line.
    pub fn decode(body: &[u8]) -> Result<Ask, DecodeError> {
        let mut reader = Reader::new("join", body);
        let joiner = Joiner::read(&mut reader)?;
        let in_range = |count: u64, max: usize| count >= 1 && count <= max as u64;
        if joiner.storage_port == 0
            || !in_range(joiner.store_path_count, STORE_PATHS_MAX)
            || !in_range(joiner.subdir_count_per_path, SUBDIRS_MAX)
        {
            return Err(reader.fail(Why::Range));
        }
        let count = reader.int8()?;
        if !in_range(count, TRACKERS_MAX) {
            return Err(reader.fail(Why::Range));
        }
        let mut trackers = Vec::with_capacity(TRACKERS_MAX);
        for _ in 0..count {
            trackers.push(read_line(&mut reader)?);
        }
        reader.end()?;
        Ok(Ask { joiner, trackers })
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.joiner.encode(out);
        put_int8(out, self.trackers.len() as u64);
        for tracker in &self.trackers {
            tracker.put(out);
            out.push(b'\n');
        }
    }
}

fn read_line(reader: &mut Reader<'_>) -> Result<Host, DecodeError> {
    let mut ahead = reader.clone();
    let line = ahead.rest();
    let len = line.iter().take(TRACKER_LINE_LEN_MAX).position(|byte| *byte == b'\n');
    let line = reader.take(len.ok_or_else(|| reader.fail(Why::Text))?)?;
    let host = Host::parse(line).map_err(|_| reader.fail(Why::Text))?;
    reader.take(1)?;
    Ok(host)
}

record! {
    /// Reply of 81: 17 bytes.
    pub struct Got as "join reply" {
        /// The tracker's view of the storage's status.
        status: StorageStatus => Status1,
        /// The source of its old data, when it has one.
        src_id: Option<StorageId> => Id16,
    }
}
