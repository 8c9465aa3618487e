//! Every state file that the original left behind decodes, and encodes to the same bytes.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "recordings are files")]

use fdfs_fileid::{FileName, Kind, StorePathIndex};
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_format::tracker::{changelog, groups, servers, status, sync_times};
use fdfs_format::trunk_log::TrunkLine;
use fdfs_format::{
    BinlogIndex, InitFlag, LineReader, Mark, Metadata, PathMark, SLOT_HEADER_LEN, SlotHeader, SlotKind,
    StatFile, complete_len,
};
use fdfs_proto::StorageStatus;
use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

const PLAIN: &str = "plain-2-storages";
const TRUNK: &str = "trunk-2-trackers-4-storages";
const LATE: &str = "late-join-disk-recovery";

/// The files of one recording by path, such as `storage3/data/storage_stat.dat`.
fn disk(recording: &str) -> BTreeMap<String, Vec<u8>> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1").join(recording);
    let file = std::fs::File::open(path.join("stores.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        if entry.header().entry_type().is_file() {
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path.trim_start_matches("./").to_owned(), bytes);
        }
    }
    files
}

/// Reads and writes again every file of all recordings whose path has this end; says how many there were.
fn round_trip(end: &str, again: impl Fn(&[u8]) -> Vec<u8>) -> usize {
    let mut count = 0;
    for recording in [PLAIN, TRUNK, LATE] {
        for (path, bytes) in disk(recording).iter().filter(|(path, _)| path.ends_with(end)) {
            let written = again(bytes);
            assert_eq!(
                String::from_utf8_lossy(&written),
                String::from_utf8_lossy(bytes),
                "{recording}: {path} changed by reading and writing it"
            );
            count += 1;
        }
    }
    count
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_storage_stat_file_keeps_its_bytes() {
    assert_eq!(round_trip("/storage_stat.dat", |bytes| StatFile::decode(bytes).unwrap().encode()), 8);
}

#[test]
fn every_data_init_flag_keeps_its_bytes() {
    assert_eq!(round_trip("/.data_init_flag", |bytes| InitFlag::decode(bytes).unwrap().encode()), 8);
}

#[test]
fn every_store_path_mark_keeps_its_bytes() {
    assert_eq!(round_trip("/.fastdfs_vars", |bytes| PathMark::decode_file(bytes).unwrap().encode_file()), 10);
}

#[test]
fn every_binlog_index_keeps_its_bytes() {
    assert_eq!(round_trip("/binlog_index.dat", |bytes| BinlogIndex::decode(bytes).unwrap().encode()), 8);
}

#[test]
fn every_mark_of_a_peer_keeps_its_bytes() {
    let mut count = 0;
    for recording in [PLAIN, TRUNK, LATE] {
        for (path, bytes) in disk(recording) {
            if path.contains("/data/sync/") && path.ends_with(".mark") {
                assert_eq!(text(&Mark::decode(&bytes).unwrap().encode()), text(&bytes), "{path}");
                count += 1;
            }
        }
    }
    assert_eq!(count, 8);
}

#[test]
fn every_binlog_keeps_its_bytes() {
    let again = |bytes: &[u8]| {
        let (mut reader, mut lines) = (LineReader::new(0), Vec::new());
        reader.feed(bytes, &mut lines);
        assert_eq!((reader.offset(), reader.incomplete_len()), (bytes.len() as u64, 0));
        assert_eq!(complete_len(bytes), bytes.len());
        lines.into_iter().flat_map(|line| line.record.unwrap().encode().unwrap().into_bytes()).collect()
    };
    assert_eq!(round_trip("/sync/binlog.000", again), 8);
}

#[test]
fn every_trunk_binlog_keeps_its_bytes() {
    let again = |bytes: &[u8]| {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines.flat_map(|line| format!("{}\n", TrunkLine::parse(line).unwrap()).into_bytes()).collect()
    };
    assert_eq!(round_trip("/trunk/binlog", again), 4);
}

#[test]
fn every_metadata_file_keeps_its_bytes() {
    assert!(round_trip("-m", |bytes| Metadata::parse(bytes).encode()) > 10);
}

#[test]
fn every_file_of_a_tracker_keeps_its_bytes() {
    assert_eq!(
        round_trip("/storage_groups_new.dat", |bytes| groups::encode(&groups::decode(bytes).unwrap())),
        4
    );
    let servers = |bytes: &[u8]| servers::encode(&servers::decode(bytes).unwrap());
    assert_eq!(round_trip("/storage_servers_new.dat", servers), 4);
    let sync_times = |bytes: &[u8]| sync_times::encode(&sync_times::decode(bytes).unwrap());
    assert_eq!(round_trip("/storage_sync_timestamp.dat", sync_times), 4);
    let changes = |bytes: &[u8]| {
        changelog::decode(bytes).into_iter().flat_map(|change| change.unwrap().encode()).collect()
    };
    assert_eq!(round_trip("/storage_changelog.dat", changes), 4);
    let status = |bytes: &[u8]| status::TrackerStatus::decode(bytes).unwrap().encode();
    assert_eq!(round_trip("/.tracker_status", status), 1);
}

#[test]
fn a_storages_files_say_what_was_done_to_it() {
    let files = disk(PLAIN);

    let stat = StatFile::decode(&files["storage3/data/storage_stat.dat"]).unwrap();
    assert_eq!(stat.stat.total_upload_count, 8);
    assert_eq!(stat.stat.success_truncate_count, 1);
    assert_eq!(stat.stat.total_download_bytes, 300_050);
    assert_eq!(stat.stat.success_sync_in_bytes, 15_252);
    assert_eq!(stat.stat.last_source_update, 1_795_350_671);
    assert_eq!((stat.dist_path_index_high, stat.dist_path_index_low, stat.dist_write_file_count), (0, 0, 8));

    let flag = InitFlag::decode(&files["storage4/data/.data_init_flag"]).unwrap();
    assert_eq!(flag.storage_join_time, 1_795_350_635);
    assert!(flag.sync_old_done);
    assert_eq!(flag.sync_src_server.unwrap().as_str(), "127.0.0.3");
    assert_eq!(flag.sync_until_timestamp, 1_795_350_640);
    assert_eq!(flag.last_ip_addr, "127.0.0.4");
    assert_eq!(flag.last_server_port, 23000);
    let mark = PathMark::decode_file(&files["storage4/data/.fastdfs_vars"]).unwrap();
    assert_eq!(flag.store_path_marks, BTreeMap::from([(StorePathIndex(0), mark)]));

    let mark = Mark::decode(&files["storage3/data/sync/127.0.0.4_23000.mark"]).unwrap();
    assert_eq!(
        mark,
        Mark {
            binlog_index: 0,
            binlog_offset: 1797,
            need_sync_old: true,
            sync_old_done: true,
            until_timestamp: 1_795_350_640,
            scan_row_count: 29,
            sync_row_count: 17,
        }
    );
}

#[test]
fn a_new_store_path_mark_is_made_as_the_original_makes_it() {
    let recorded = PathMark::decode_file(&disk(LATE)["st24/p1/data/.fastdfs_vars"]).unwrap();
    let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 24));
    assert_eq!(PathMark::generate(ip, 23000, StorePathIndex(1), 1_795_352_296), recorded);
}

#[test]
fn a_binlog_tells_who_did_what() {
    let files = disk(PLAIN);
    let (mut reader, mut lines) = (LineReader::new(0), Vec::new());
    reader.feed(&files["storage3/data/sync/binlog.000"], &mut lines);
    let record = |at: usize| lines[at].record.clone().unwrap();
    let name = |text: &str| FileName::parse(text.as_bytes()).unwrap();

    assert_eq!(lines.len(), 29);
    assert_eq!(
        record(0),
        Record {
            timestamp: 1_795_350_669,
            origin: Origin::Client,
            change: Change::Create { name: name("M00/00/00/fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin") },
        }
    );
    assert_eq!(
        record(4).change,
        Change::Append { name: name("M00/00/00/fwAAA2sC4I2EMO8sAAAAAA4Qul0553.txt"), offset: 14, len: 14 }
    );
    assert_eq!(
        record(5).change,
        Change::Rename {
            name: name("M00/00/00/fwAAA2sC4IyAcwXNAAAAHF3DaX8553.txt"),
            old: name("M00/00/00/fwAAA2sC4I2EMO8sAAAAAA4Qul0553.txt"),
        }
    );
    assert_eq!(
        record(12).change,
        Change::Truncate {
            name: name("M00/00/00/fwAAA2sC4I2Ece1QAAAAAA4Qul0466.txt"),
            old_size: 14,
            new_size: 7
        }
    );
    assert_eq!(
        record(27),
        Record {
            timestamp: 1_795_350_669,
            origin: Origin::Peer,
            change: Change::Modify {
                name: name("M00/00/00/fwAABGsC4I2EIuXWAAAAAMjbWWk605.bin"),
                offset: 3000,
                len: 3000,
            },
        }
    );
    assert_eq!(lines[28].offset + lines[28].len, 1797);
}

#[test]
fn a_recorded_metadata_file_holds_its_pairs() {
    let files = disk(PLAIN);
    let metadata = Metadata::parse(&files["storage3/data/00/00/fwAABGsC4I2AGPFwAAAADg4Qul0465.txt-m"]);
    let pairs: Vec<(&[u8], &[u8])> = metadata.iter().collect();
    let expected: [(&[u8], &[u8]); 4] =
        [(b"ext_name", b"jpg"), (b"file_size", b"115120"), (b"height", b"80"), (b"width", b"160")];
    assert_eq!(pairs, expected);
}

/// Every slot that a name in the binlogs points to, in the trunk files of every storage of the recording.
#[test]
fn every_recorded_slot_has_the_header_its_name_asks_for() {
    let files = disk(TRUNK);
    let (mut present, mut deleted) = (0, 0);
    for storage in ["storage13", "storage14", "storage15", "storage16"] {
        let (mut reader, mut lines) = (LineReader::new(0), Vec::new());
        reader.feed(&files[&format!("{storage}/data/sync/binlog.000")], &mut lines);
        let mut names = BTreeMap::new();
        for line in lines {
            match line.record.unwrap().change {
                Change::Create { name } if name.kind() == Kind::Trunk => names.insert(name, true),
                Change::Delete { name } => names.insert(name, false),
                _ => None,
            };
        }
        for (name, alive) in names {
            let Some(slot) = name.trunk_part() else { continue };
            let (high, low) = name.dirs();
            let container = &files[&format!("{storage}/data/{high:02X}/{low:02X}/{}", slot.container())];
            let slot_bytes = &container[slot.offset as usize..][..slot.alloc_size as usize];
            let header: &[u8; SLOT_HEADER_LEN] = slot_bytes.first_chunk().unwrap();
            if alive {
                assert_eq!(SlotHeader::of(&name).unwrap().encode(), *header, "{name}");
                let header = SlotHeader::decode(header).unwrap();
                assert!(header.is_of(&name));
                let content = &slot_bytes[SLOT_HEADER_LEN..][..header.file_size as usize];
                assert_eq!(crc32fast::hash(content), header.crc32);
                present += 1;
            } else {
                assert!(SlotHeader::is_unused(header), "{name} was deleted");
                assert_eq!(SlotHeader::decode(header).unwrap().kind, SlotKind::Free);
                deleted += 1;
            }
        }
    }
    assert_eq!((present, deleted), (18, 4));
}

#[test]
fn a_trackers_files_say_what_the_cluster_was() {
    let files = disk(TRUNK);

    let groups = groups::decode(&files["tracker12/data/storage_groups_new.dat"]).unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[1].group_name.as_str(), "group2");
    assert_eq!(groups[1].storage_port, 23000);
    assert_eq!(groups[1].subdir_count_per_path, 4);
    assert_eq!(groups[1].current_trunk_file_id, 1);
    assert_eq!(groups[1].trunk_server.unwrap().as_str(), "100004");

    let servers = servers::decode(&files["tracker12/data/storage_servers_new.dat"]).unwrap();
    assert_eq!(servers.len(), 4);
    assert_eq!(servers[0].id.unwrap().as_str(), "100001");
    assert_eq!(servers[0].ip_addr, IpAddr::V4(Ipv4Addr::new(127, 0, 0, 13)));
    assert_eq!(servers[0].status, StorageStatus::Offline);
    assert_eq!(servers[0].version.to_str(), Some("6.16.1"));
    assert_eq!(servers[0].total_mb, 258_019);
    assert_eq!(servers[0].upload_priority, 10);
    assert_eq!(servers[0].sync_src_server, None);
    assert_eq!(servers[0].stat.success_sync_in_bytes, 1_509_119);
    assert_eq!(servers[0].stat.last_synced_timestamp, 1_795_350_776);

    let rows = sync_times::decode(&files["tracker12/data/storage_sync_timestamp.dat"]).unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[1].source.as_str(), "100002");
    assert_eq!(rows[1].synced_until, [1_795_350_776, 0]);

    let status = status::TrackerStatus::decode(&files["tracker12/data/.tracker_status"]).unwrap();
    assert_eq!(status, status::TrackerStatus { up_time: 1_795_350_713, last_check_time: 1_795_350_715 });

    let by_address = servers::decode(&disk(PLAIN)["tracker/data/storage_servers_new.dat"]).unwrap();
    assert_eq!(by_address[1].id, None);
    assert_eq!(by_address[1].sync_src_server.unwrap().as_str(), "127.0.0.3");
}
