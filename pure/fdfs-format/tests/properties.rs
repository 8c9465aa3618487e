//! What holds for all bytes and all values.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_fileid::{FileName, GroupName};
use fdfs_format::binlog::{Change, LINE_LEN_MAX, Origin, Record};
use fdfs_format::metadata::{META_NAME_LEN_MAX, META_VALUE_LEN_MAX};
use fdfs_format::tracker::{changelog, groups, servers, status::TrackerStatus, sync_times};
use fdfs_format::trunk_log::{TrunkLine, TrunkSnapshot};
use fdfs_format::{
    BinlogIndex, InitFlag, LineReader, Mark, Metadata, PathMark, SLOT_HEADER_LEN, SlotHeader, StatFile,
};
use fdfs_proto::StorageId;
use proptest::collection::vec;
use proptest::prelude::*;

fn look_at_everything(bytes: &[u8]) {
    let _ = StatFile::decode(bytes);
    let _ = InitFlag::decode(bytes);
    let _ = Mark::decode(bytes);
    let _ = PathMark::decode_file(bytes);
    let _ = BinlogIndex::decode(bytes);
    let _ = BinlogIndex::decode_old(bytes);
    let _ = Metadata::parse(bytes).encode();
    let _ = Record::parse(bytes);
    let _ = groups::decode(bytes);
    let _ = servers::decode(bytes);
    let _ = sync_times::decode(bytes);
    let _ = changelog::decode(bytes);
    let _ = TrackerStatus::decode(bytes);
    let _ = TrunkSnapshot::decode(bytes);
    let _ = TrunkLine::parse(bytes).map(|line| line.to_string());
    let mut lines = Vec::new();
    LineReader::new(u64::from(u32::MAX)).feed(bytes, &mut lines);
    if let Some(header) = bytes.first_chunk::<SLOT_HEADER_LEN>() {
        let _ = SlotHeader::decode(header);
        let _ = SlotHeader::is_unused(header);
    }
}

fn name() -> impl Strategy<Value = FileName> {
    "M0[0-9A-F]/[0-9A-F]{2}/[0-9A-F]{2}/[A-Za-z0-9_-]{34}"
        .prop_map(|text| FileName::parse(text.as_bytes()).unwrap())
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        name().prop_map(|name| Change::Create { name }),
        name().prop_map(|name| Change::Delete { name: name.metadata_name() }),
        name().prop_map(|name| Change::Update { name }),
        (name(), any::<u64>(), any::<u64>()).prop_map(|(name, offset, len)| Change::Append {
            name,
            offset,
            len
        }),
        (name(), any::<u64>(), any::<u64>()).prop_map(|(name, offset, len)| Change::Modify {
            name,
            offset,
            len
        }),
        (name(), any::<u64>(), any::<u64>()).prop_map(|(name, old_size, new_size)| Change::Truncate {
            name,
            old_size,
            new_size
        }),
        (name(), name()).prop_map(|(name, source)| Change::Link { name, source }),
        (name(), name()).prop_map(|(name, old)| Change::Rename { name, old }),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..600)) {
        look_at_everything(&bytes);
    }

    #[test]
    fn nothing_that_resembles_a_state_file_makes_a_decoder_panic(
        lines in vec("\\[(Global|Group001|Storage001)\\]|\t?(group_count|storage_count|status|binlog_offset|group_name|store_path_mark[0-9]{0,4})=[ -~]{0,12}|[0-9]{0,12} [A-Za-z] M00/00/00/[ -~]{0,40}|[ -~]{0,30}", 0..12),
    ) {
        look_at_everything(lines.join("\n").as_bytes());
    }

    #[test]
    fn a_record_reads_back_as_it_was_written(timestamp in 0..i64::MAX, own: bool, change in change()) {
        let origin = if own { Origin::Client } else { Origin::Peer };
        let record = Record { timestamp, origin, change };
        let line = record.encode().unwrap();
        prop_assert!(line.len() <= LINE_LEN_MAX);
        prop_assert_eq!(Record::parse(line.trim_end_matches('\n').as_bytes()), Ok(record));
    }

    #[test]
    fn a_reader_accounts_for_every_byte(bytes in vec(prop_oneof![Just(b'\n'), Just(0), Just(b'C'), any::<u8>()], 0..2000), piece in 1..400_usize) {
        let (mut reader, mut lines) = (LineReader::new(0), Vec::new());
        for bytes in bytes.chunks(piece) {
            reader.feed(bytes, &mut lines);
        }
        let mut at = 0;
        for line in &lines {
            prop_assert_eq!(line.offset, at);
            at += line.len;
        }
        prop_assert_eq!(reader.offset(), at);
        prop_assert_eq!(reader.offset() + reader.incomplete_len(), bytes.len() as u64);
    }

    #[test]
    fn metadata_is_stable_once_read(bytes in vec(prop_oneof![Just(1), Just(2), any::<u8>()], 0..2000)) {
        let metadata = Metadata::parse(&bytes);
        let encoded = metadata.encode();
        prop_assert_eq!(encoded.len(), metadata.encoded_len());
        for (name, value) in metadata.iter() {
            prop_assert!(name.len() <= META_NAME_LEN_MAX && value.len() <= META_VALUE_LEN_MAX);
        }
        prop_assert_eq!(Metadata::parse(&encoded), metadata);
    }

    #[test]
    fn a_slot_header_reads_back(bytes: [u8; SLOT_HEADER_LEN]) {
        if let Ok(header) = SlotHeader::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    #[test]
    fn a_mark_reads_back(
        binlog_index: u32, binlog_offset: u64, need_sync_old: bool, sync_old_done: bool, until_timestamp: i64,
        scan_row_count: u64, sync_row_count: u64,
    ) {
        let mark = Mark {
            binlog_index, binlog_offset, need_sync_old, sync_old_done, until_timestamp, scan_row_count, sync_row_count,
        };
        prop_assert_eq!(Mark::decode(&mark.encode()), Ok(mark));
    }

    #[test]
    fn the_groups_of_a_tracker_read_back(
        rows in vec(("[A-Za-z0-9]{1,16}", any::<(u16, u16, u16, u32)>(), proptest::option::of("[0-9]{1,8}")), 0..6),
    ) {
        let groups: Vec<groups::Group> = rows.iter().map(|(name, (port, paths, subdirs, trunk), server)| groups::Group {
            group_name: GroupName::parse(name.as_bytes()).unwrap(),
            storage_port: i32::from(*port),
            store_path_count: *paths,
            subdir_count_per_path: *subdirs,
            current_trunk_file_id: *trunk,
            trunk_server: server.as_ref().map(|id| StorageId::new(id.as_bytes()).unwrap()),
            last_trunk_server: None,
        }).collect();
        prop_assert_eq!(groups::decode(&groups::encode(&groups)), Ok(groups));
    }
}
