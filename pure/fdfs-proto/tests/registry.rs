//! The registry names every command of FastDFS 6.16.1, once.

use std::collections::BTreeSet;

use fdfs_proto::opcode::all;
use fdfs_proto::{Body, Peer, RwMode, Status, StorageCommand, StorageStatus, TrackerCommand};

#[test]
fn trackers_understand_exactly_the_commands_of_the_reference() {
    let codes: Vec<u8> = TrackerCommand::ALL.iter().map(|command| command.code()).collect();
    assert_eq!(
        codes,
        [
            58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 81, 82,
            83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 101, 102, 103, 104, 105, 106,
            107, 108, 109, 111
        ]
    );
}

#[test]
fn storages_understand_exactly_the_commands_of_the_reference() {
    let codes: Vec<u8> = StorageCommand::ALL.iter().map(|command| command.code()).collect();
    assert_eq!(
        codes,
        [
            9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33,
            34, 35, 36, 37, 38, 40, 82, 111
        ]
    );
}

#[test]
fn every_other_number_is_no_command() {
    for code in 0..=u8::MAX {
        let tracker = TrackerCommand::from_u8(code);
        assert_eq!(tracker.is_some(), TrackerCommand::ALL.iter().any(|known| known.code() == code));
        assert!(tracker.is_none_or(|command| command.code() == code));
        let storage = StorageCommand::from_u8(code);
        assert_eq!(storage.is_some(), StorageCommand::ALL.iter().any(|known| known.code() == code));
        assert!(storage.is_none_or(|command| command.code() == code));
    }
    assert_eq!(TrackerCommand::from_u8(fdfs_proto::RESPONSE), None);
}

#[test]
fn names_are_unique_and_rows_are_documented() {
    for peer in [Peer::Tracker, Peer::Storage] {
        let rows: Vec<_> = all().filter(|row| row.spoken_to == peer).collect();
        let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len());
        assert!(rows.iter().all(|row| row.doc.ends_with(['.', '?'])));
    }
}

#[test]
fn a_whole_body_beyond_its_limit_is_refused_unread() {
    assert_eq!(TrackerCommand::Join.body().bytes_to_decode(1745), Some(1745));
    assert_eq!(TrackerCommand::Join.body().bytes_to_decode(1746), None);
    assert_eq!(TrackerCommand::QueryStoreOne.body().bytes_to_decode(1), None);
    assert_eq!(StorageCommand::SetMetadata.body().bytes_to_decode(1 << 40), None);
}

#[test]
fn of_a_streamed_body_the_head_is_enough() {
    let body = StorageCommand::UploadFile.body();
    assert_eq!(body, Body::Streamed { head_len_max: 15 });
    assert_eq!(body.bytes_to_decode(1 << 62), Some(15));
    assert_eq!(body.bytes_to_decode(3), Some(3));
    assert_eq!(body.bytes_to_decode(1 << 63), None);
    assert_eq!(StorageCommand::SyncAppend.body().bytes_to_decode(1000), Some(171));
}

#[test]
fn statuses_have_the_numbers_of_linux() {
    assert_eq!(Status::ENOENT.0, 2);
    assert_eq!(Status::EINVAL.0, 22);
    assert_eq!(Status::ENOSPC.0, 28);
    assert_eq!(Status::ENONET.0, 64);
    assert_eq!(Status::EOPNOTSUPP.0, 95);
    assert_eq!(Status::ETIMEDOUT.0, 110);
    assert_eq!(Status::EALREADY.0, 114);
    assert_eq!(Status::ENOENT.message(), "No such file or directory");
    assert_eq!(Status::ENOENT.to_string(), "No such file or directory (2)");
    assert_eq!(format!("{:?} {:?}", Status::OK, Status(200)), "OK Status(200)");
}

#[test]
fn storage_statuses_and_modes_have_the_numbers_of_the_reference() {
    let statuses = StorageStatus::ALL.map(|status| (status.code(), status.caption()));
    assert_eq!(
        statuses,
        [
            (0, "INIT"),
            (1, "WAIT_SYNC"),
            (2, "SYNCING"),
            (3, "IP_CHANGED"),
            (4, "DELETED"),
            (5, "OFFLINE"),
            (6, "ONLINE"),
            (7, "ACTIVE"),
            (9, "RECOVERY"),
            (99, "NONE")
        ]
    );
    assert_eq!(StorageStatus::from_u8(8), None);
    assert_eq!([RwMode::None, RwMode::Read, RwMode::Write, RwMode::Both].map(RwMode::code), [0, 4, 2, 6]);
}
