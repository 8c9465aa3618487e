//! State files that are damaged, old, or written by another version.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_fileid::{FileName, GroupName, StorePathIndex};
use fdfs_format::tracker::changelog::{self, Change};
use fdfs_format::tracker::{groups, servers, status::TrackerStatus, sync_times};
use fdfs_format::{
    BinlogIndex, FormatError, InitFlag, Mark, PathMark, SLOT_HEADER_LEN, SlotHeader, SlotKind, StatFile,
    UnknownSlotKind, mark_file,
};
use fdfs_proto::{IpText, StatBlock, StorageId, StorageStatus, Version};

fn id(text: &str) -> StorageId {
    StorageId::new(text.as_bytes()).unwrap()
}

fn group(text: &str) -> GroupName {
    GroupName::parse(text.as_bytes()).unwrap()
}

fn missing(key: &'static str) -> FormatError {
    FormatError::MissingKey { section: String::new(), key }
}

#[test]
fn an_empty_stat_file_means_zeros() {
    assert_eq!(StatFile::decode(b""), Ok(StatFile::default()));
}

#[test]
fn a_stat_file_has_43_lines_in_their_order() {
    let text = String::from_utf8(StatFile::default().encode()).unwrap();
    let keys: Vec<&str> = text.lines().map(|line| line.strip_suffix("=0").unwrap()).collect();
    assert_eq!(keys.len(), 43);
    assert_eq!(
        [keys[0], keys[9], keys[10], keys[12], keys[22], keys[42]],
        [
            "total_upload_count",
            "success_download_count",
            "last_source_update",
            "total_set_meta_count",
            "total_upload_bytes",
            "dist_write_file_count"
        ]
    );
}

#[test]
fn a_counter_that_the_original_let_wrap_counts_from_zero() {
    let stat = StatFile::decode(b"total_upload_count=-5\nsuccess_upload_count=7\n").unwrap();
    assert_eq!((stat.stat.total_upload_count, stat.stat.success_upload_count), (0, 7));
}

#[test]
fn a_counter_that_is_no_number_names_its_line() {
    assert_eq!(
        StatFile::decode(b"total_upload_count=1\nsuccess_upload_count=many\n"),
        Err(FormatError::Value { line: 2, key: "success_upload_count" })
    );
    assert_eq!(StatFile::decode(b"\xff\xfe"), Err(FormatError::NotText));
}

#[test]
fn unknown_keys_comments_and_blanks_are_passed_over() {
    let stat = StatFile::decode(b"# comment\n\n  total_upload_count = 3 \r\nfuture_key=x\nno key\n").unwrap();
    assert_eq!(stat.stat.total_upload_count, 3);
}

#[test]
fn d6_a_mark_without_all_seven_keys_is_refused() {
    let whole = Mark { binlog_index: 3, binlog_offset: 7, ..Mark::default() }.encode();
    assert_eq!(Mark::decode(&whole).unwrap().binlog_offset, 7);
    assert_eq!(Mark::decode(b""), Err(missing("binlog_index")));
    assert_eq!(Mark::decode(&[0; 128]), Err(missing("binlog_index")));
    let text = String::from_utf8(whole).unwrap();
    let half = &text[..text.find("until_timestamp").unwrap()];
    assert_eq!(Mark::decode(half.as_bytes()), Err(missing("until_timestamp")));
}

#[test]
fn a_mark_file_is_named_after_the_peer() {
    assert_eq!(mark_file(&id("100002"), None), "100002.mark");
    assert_eq!(mark_file(&id("127.0.0.4"), Some(23000)), "127.0.0.4_23000.mark");
}

#[test]
fn an_init_flag_needs_its_first_three_keys() {
    let decode = |text: &str| InitFlag::decode(text.as_bytes());
    assert_eq!(decode(""), Err(missing("sync_old_done")));
    assert_eq!(decode("storage_join_time=1\nsync_old_done=1\n"), Err(missing("sync_src_server")));
    assert_eq!(decode("sync_old_done=1\nsync_src_server=\n"), Err(missing("storage_join_time")));

    let flag = decode("storage_join_time=5\nsync_old_done=0\nsync_src_server=\n").unwrap();
    assert_eq!(flag, InitFlag { storage_join_time: 5, ..InitFlag::default() });
}

#[test]
fn an_init_flag_keeps_its_marks_in_the_order_of_the_paths() {
    let mark = |text: &str| PathMark::new(text).unwrap();
    let marks = [(StorePathIndex(10), mark("ten")), (StorePathIndex(2), mark("two"))];
    let flag = InitFlag { store_path_marks: marks.into(), ..InitFlag::default() };
    let text = String::from_utf8(flag.encode()).unwrap();
    assert!(text.ends_with("trunk_binlog_compress_stage=0\nstore_path_mark2=two\nstore_path_mark10=ten\n"));
    assert_eq!(InitFlag::decode(text.as_bytes()), Ok(flag));
}

#[test]
fn a_store_path_mark_is_one_visible_word() {
    assert_eq!(PathMark::new(""), None);
    assert_eq!(PathMark::new("two words"), None);
    assert_eq!(PathMark::new("line\nbreak"), None);
    assert_eq!(PathMark::new(&"x".repeat(257)), None);
    assert_eq!(PathMark::decode_file(b""), Err(missing("store_path_mark")));
    let opaque = PathMark::decode_file(b"store_path_mark=anything/else\n").unwrap();
    assert_eq!(opaque.as_str(), "anything/else");
}

#[test]
fn d28_an_emptied_binlog_index_is_an_error_not_log_zero() {
    assert_eq!(BinlogIndex::decode(b""), Err(missing("current_write")));
    assert_eq!(
        BinlogIndex::decode(b"current_write=4\n"),
        Ok(BinlogIndex { current_write: 4, current_compress: 0 })
    );
}

#[test]
fn the_binlog_index_of_old_versions_is_a_bare_number() {
    assert_eq!(BinlogIndex::decode_old(b"12\n"), Ok(BinlogIndex { current_write: 12, current_compress: 0 }));
    assert!(BinlogIndex::decode_old(b"").is_err());
}

#[test]
fn a_slot_belongs_to_the_name_with_the_same_size_time_checksum_and_end() {
    let name = FileName::parse(b"M00/00/00/ooYBAGhjJbSIcAABAAAPoMv0OSYAAAAAQAAEAAAABAA2731.gz").unwrap();
    let header = SlotHeader::of(&name).unwrap();
    assert_eq!(header.encode(), *b"F\x00\x00\x10\x00\x00\x00\x0f\xa0\xcb\xf4\x39\x26\x68\x63\x25\xb42731.gz");
    assert_eq!(SlotHeader::decode(&header.encode()), Ok(header));
    assert!(header.is_of(&name));
    assert!(SlotHeader { kind: SlotKind::Link, ..header }.is_of(&name));
    assert!(!SlotHeader { kind: SlotKind::Free, ..header }.is_of(&name));
    assert!(!SlotHeader { crc32: 1, ..header }.is_of(&name));

    let plain = FileName::parse(b"M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt").unwrap();
    assert_eq!(SlotHeader::of(&plain), None);
    assert!(!header.is_of(&plain));
}

#[test]
fn a_slot_of_unknown_kind_is_refused() {
    let mut bytes = [0; SLOT_HEADER_LEN];
    assert!(SlotHeader::is_unused(&bytes));
    bytes[..9].copy_from_slice(b"FFFFFFFFF");
    assert!(SlotHeader::is_unused(&bytes), "sizes alone are left over from an allocation");
    bytes[0] = b'X';
    assert_eq!(SlotHeader::decode(&bytes), Err(UnknownSlotKind(b'X')));
    bytes[9] = 1;
    assert!(!SlotHeader::is_unused(&bytes));
}

#[test]
fn a_groups_file_with_a_missing_group_is_refused() {
    assert_eq!(groups::decode(b""), Err(FormatError::MissingSection { section: "Global".into() }));
    assert_eq!(
        groups::decode(b"[Global]\n\tgroup_count=4000000000\n"),
        Err(FormatError::MissingSection { section: "Group001".into() })
    );
    assert_eq!(
        groups::decode(b"[Global]\n\tgroup_count=1\n[Group001]\n\tstorage_port=1\n"),
        Err(FormatError::MissingKey { section: "Group001".into(), key: "group_name" })
    );
    assert_eq!(
        groups::decode(b"[Global]\n\tgroup_count=1\n[Group001]\n\tgroup_name=../etc\n"),
        Err(FormatError::Value { line: 4, key: "group_name" })
    );
    assert_eq!(groups::decode(b"[Global]\n\tgroup_count=0\n"), Ok(Vec::new()));
}

#[test]
fn no_groups_are_written_as_none() {
    assert_eq!(groups::encode(&[]), b"[Global]\n\tgroup_count=0\n\n");
    assert_eq!(servers::encode(&[]), b"\n[Global]\n\tstorage_count=0\n");
}

fn server() -> servers::Server {
    servers::Server {
        id: None,
        group_name: group("group1"),
        ip_addr: "fd00::7".parse().unwrap(),
        status: StorageStatus::Active,
        version: Version::new(b"6.16.1").unwrap(),
        join_time: 1,
        storage_port: 23000,
        sync_src_server: None,
        sync_until_timestamp: 0,
        total_mb: 2,
        free_mb: 1,
        changelog_offset: 0,
        store_path_count: 1,
        subdir_count_per_path: 256,
        upload_priority: -3,
        stat: StatBlock::default(),
    }
}

#[test]
fn an_ipv6_storage_has_brackets_in_the_comment_only() {
    let text = String::from_utf8(servers::encode(&[server()])).unwrap();
    assert!(
        text.starts_with(
            "# storage: [fd00::7]:23000\n[Storage001]\n\tgroup_name=group1\n\tip_addr=fd00::7\n"
        )
    );
    assert_eq!(servers::decode(text.as_bytes()), Ok(vec![server()]));
}

#[test]
fn a_status_nobody_knows_is_offline() {
    let text = String::from_utf8(servers::encode(&[server()])).unwrap().replace("status=7", "status=8");
    assert_eq!(servers::decode(text.as_bytes()).unwrap()[0].status, StorageStatus::Offline);
}

#[test]
fn a_storage_without_address_is_refused() {
    let text =
        String::from_utf8(servers::encode(&[server()])).unwrap().replace("ip_addr=fd00::7", "ip_addr=");
    assert_eq!(
        servers::decode(text.as_bytes()),
        Err(FormatError::MissingKey { section: "Storage001".into(), key: "ip_addr" })
    );
}

#[test]
fn more_than_999_storages_get_more_digits() {
    let many = vec![server(); 1000];
    let text = String::from_utf8(servers::encode(&many)).unwrap();
    assert!(text.contains("[Storage999]\n") && text.contains("[Storage1000]\n"));
    assert_eq!(servers::decode(text.as_bytes()).unwrap().len(), 1000);
}

#[test]
fn sync_times_need_a_group_a_source_and_a_time() {
    let row =
        sync_times::SyncTimes { group_name: group("group1"), source: id("100001"), synced_until: vec![0, 5] };
    assert_eq!(sync_times::decode(b"group1,100001,0,5\n\n"), Ok(vec![row]));
    let wrong = |column| Err(FormatError::Column { line: 2, column });
    assert_eq!(sync_times::decode(b"g,1,0\n/,1,0\n"), wrong("group"));
    assert_eq!(sync_times::decode(b"g,1,0\ng,,0\n"), wrong("storage id"));
    assert_eq!(sync_times::decode(b"g,1,0\ng,1\n"), wrong("time"));
    assert_eq!(sync_times::decode(b"g,1,0\ng,1,x\n"), wrong("time"));
    assert_eq!(sync_times::decode(b""), Ok(Vec::new()));
}

#[test]
fn a_change_log_has_one_line_per_change() {
    let deleted = Change {
        timestamp: 1_700_000_000,
        group_name: group("group1"),
        storage: id("10.0.0.7"),
        status: StorageStatus::Deleted,
        new_address: None,
    };
    let moved = Change {
        status: StorageStatus::IpChanged,
        new_address: Some(IpText::from("10.0.0.8".parse::<std::net::IpAddr>().unwrap())),
        ..deleted
    };
    assert_eq!(deleted.encode(), b"1700000000 group1 10.0.0.7 4 \n");
    assert_eq!(moved.encode(), b"1700000000 group1 10.0.0.7 3 10.0.0.8\n");
    let log = [deleted.encode(), moved.encode()].concat();
    assert_eq!(changelog::decode(&log), [Ok(deleted), Ok(moved)]);
    assert_eq!(changelog::decode(&log[..log.len() - 5]), [Ok(deleted)], "a page may end inside a line");
}

#[test]
fn a_broken_line_of_the_change_log_hides_no_other() {
    let lines = changelog::decode(b"rubbish\n1 group1 a 4 \n1 group1 a\n\xff\n2 group1 b 3 c\n");
    let wrong = |line, column| Err(FormatError::Column { line, column });
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0], wrong(1, "time"));
    assert!(lines[1].is_ok());
    assert_eq!(lines[2], wrong(3, "status"));
    assert_eq!(lines[3], Err(FormatError::NotText));
    assert_eq!(lines[4].as_ref().unwrap().new_address.unwrap().to_string(), "c");
}

#[test]
fn a_tracker_status_file_may_miss_anything() {
    assert_eq!(TrackerStatus::decode(b""), Ok(TrackerStatus::default()));
    assert_eq!(TrackerStatus { up_time: 1, last_check_time: 2 }.encode(), b"up_time=1\nlast_check_time=2\n");
}
