//! The worked byte samples of the wire protocol reference: built and read back.

#![allow(clippy::unwrap_used, reason = "a test may")]

use fdfs_fileid::{ExtName, FileName, GroupName, StorePathIndex};
use fdfs_proto::storage::{download, file_info, metadata, named, upload};
use fdfs_proto::tracker::{Server, join, query_fetch, query_store};
use fdfs_proto::{
    AddrWidth, GroupField, HEADER_LEN, Header, Host, IpText, RawName, Status, StorageCommand, StorageStatus,
    TrackerCommand, Version, frame,
};

const NAME: &str = "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";

fn group1() -> GroupName {
    GroupName::parse(b"group1").unwrap()
}

fn name() -> FileName {
    FileName::parse(NAME.as_bytes()).unwrap()
}

/// Hex digits with blanks; `xN` behind a byte repeats it.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let (byte, times) = word.split_once('x').unwrap_or((word, "1"));
        let byte = u8::from_str_radix(byte, 16).unwrap();
        bytes.extend(std::iter::repeat_n(byte, times.parse().unwrap()));
    }
    bytes
}

fn split(message: &[u8]) -> (Header, &[u8]) {
    let (header, body) = message.split_at(HEADER_LEN);
    (Header::decode(header.try_into().unwrap()).unwrap(), body)
}

#[test]
fn a_store_query_without_group_is_a_bare_header() {
    let mut out = Vec::new();
    frame::request(&mut out, TrackerCommand::QueryStoreOne, |_| {});
    assert_eq!(out, bytes("00x8 65 00"));
}

#[test]
fn a_store_reply_of_narrow_width_is_forty_bytes() {
    let wire = bytes(
        "00x7 28 64 00  67 72 6f 75 70 31 00x10  31 39 32 2e 31 36 38 2e 30 2e 31 39 36 00 00  00x6 59 d8  00",
    );
    let got = query_store::Got {
        group: group1(),
        server: Server { ip: IpText::new(b"192.168.0.196").unwrap(), port: 23000 },
        path: StorePathIndex(0),
    };
    let mut out = Vec::new();
    frame::reply(&mut out, |out| got.encode(AddrWidth::V4, out));
    assert_eq!(out, wire);
    assert_eq!(query_store::Got::decode(split(&wire).1), Ok(got));
}

#[test]
fn an_upload_head_is_fifteen_bytes_in_front_of_the_content() {
    let wire = bytes("00x7 1d 0b 00  00  00x7 0e  74 78 74 00 00 00");
    let ask = upload::Ask::new(Some(StorePathIndex(0)), 14, &ExtName::parse(b"txt").unwrap());
    let mut out = Vec::new();
    frame::request_head(&mut out, StorageCommand::UploadFile, 0, ask.size, |out| ask.encode(out));
    assert_eq!(out, wire);
    let (header, head) = split(&wire);
    assert_eq!(upload::Ask::decode(header.body_len, head), Ok(ask));
}

#[test]
fn an_upload_reply_is_group_and_name() {
    let mut wire = bytes("00x7 3c 64 00  67 72 6f 75 70 31 00x10");
    wire.extend_from_slice(NAME.as_bytes());
    let name = name();
    let got = named::Got::new(group1(), &name);
    let mut out = Vec::new();
    frame::reply(&mut out, |out| got.encode(out));
    assert_eq!(out, wire);
    assert_eq!(
        named::Got::decode(split(&wire).1).unwrap().file_id().unwrap().to_string(),
        format!("group1/{NAME}")
    );
}

#[test]
fn a_fetch_query_is_group_and_name() {
    let mut wire = bytes("00x7 3c 66 00  67 72 6f 75 70 31 00x10");
    wire.extend_from_slice(NAME.as_bytes());
    let name = name();
    let ask = query_fetch::Ask { group: group1().into(), name: RawName::from(&name) };
    let mut out = Vec::new();
    frame::request(&mut out, TrackerCommand::QueryFetchOne, |out| ask.encode(out));
    assert_eq!(out, wire);
    assert_eq!(query_fetch::Ask::decode(split(&wire).1), Ok(ask));
}

#[test]
fn a_download_of_everything_has_offset_and_length_zero() {
    let mut wire = bytes("00x7 4c 0e 00  00x8  00x8  67 72 6f 75 70 31 00x10");
    wire.extend_from_slice(NAME.as_bytes());
    let name = name();
    let ask = download::Ask { offset: 0, len: 0, group: group1().into(), name: RawName::from(&name) };
    let mut out = Vec::new();
    frame::request(&mut out, StorageCommand::DownloadFile, |out| ask.encode(out));
    assert_eq!(out, wire);
    assert_eq!(download::Ask::decode(split(&wire).1), Ok(ask));
}

#[test]
fn set_metadata_has_the_group_before_the_name() {
    let mut wire = bytes("00x7 60 0d 00  00x7 2c  00x7 13  4f  67 72 6f 75 70 31 00x10");
    wire.extend_from_slice(NAME.as_bytes());
    wire.extend(bytes("68 65 69 67 68 74 02 38 30 01 77 69 64 74 68 02 31 36 30"));
    let name = name();
    let ask = metadata::AskSet {
        flag: metadata::MetaFlag::Overwrite,
        group: group1().into(),
        name: RawName::from(&name),
        meta: b"height\x0280\x01width\x02160",
    };
    let mut out = Vec::new();
    frame::request(&mut out, StorageCommand::SetMetadata, |out| ask.encode(out));
    assert_eq!(out, wire);
    assert_eq!(metadata::AskSet::decode(split(&wire).1), Ok(ask));
}

#[test]
fn a_file_info_reply_carries_size_time_crc_and_source() {
    let wire = bytes(
        "00x7 28 64 00  00x7 0e  00 00 00 00 68 63 25 00  00 00 00 00 0e 10 ba 5d
         31 39 32 2e 31 36 38 2e 30 2e 31 39 36 00x3",
    );
    let got = file_info::Got {
        size: 14,
        mtime: 1_751_328_000,
        crc32: 0x0e10_ba5d,
        source: IpText::new(b"192.168.0.196").unwrap(),
    };
    let mut out = Vec::new();
    frame::reply(&mut out, |out| got.encode(AddrWidth::V4, out));
    assert_eq!(out, wire);
    assert_eq!(file_info::Got::decode(split(&wire).1), Ok(got));
}

#[test]
fn a_crc_with_its_top_bit_set_is_stretched_with_its_sign() {
    let got = file_info::Got { size: 0, mtime: 0, crc32: 0xcbf4_3926, source: IpText::EMPTY };
    let mut out = Vec::new();
    got.encode(AddrWidth::V4, &mut out);
    assert_eq!(out, bytes("00x8 00x8 ff ff ff ff cb f4 39 26 00x16"));
    assert_eq!(file_info::Got::decode(&out), Ok(got));
}

#[test]
fn a_refusal_is_a_header_with_the_errno() {
    let mut out = Vec::new();
    frame::status(&mut out, Status::ENOENT);
    assert_eq!(out, bytes("00x8 64 02"));
    assert_eq!(split(&out).0.status(), Status::ENOENT);
}

#[test]
fn a_join_with_one_tracker_is_163_bytes() {
    let ask = join::Ask {
        joiner: join::Joiner {
            group: group1(),
            storage_port: 23000,
            store_path_count: 1,
            subdir_count_per_path: 256,
            upload_priority: 10,
            join_time: 1_751_328_000,
            up_time: 1_751_328_001,
            version: Version::new(b"6.16.1").unwrap(),
            init: true,
            status: Some(StorageStatus::Init),
            storage_id: None,
            tracker_ip: IpText::new(b"192.168.0.2").unwrap(),
        },
        trackers: vec!["192.168.0.2:22122".parse::<Host>().unwrap()],
    };
    let mut out = Vec::new();
    frame::request(&mut out, TrackerCommand::Join, |out| ask.encode(out));
    assert_eq!(out[..HEADER_LEN], bytes("00x7 a3 51 00"));
    assert_eq!(out[HEADER_LEN..HEADER_LEN + 25], bytes("67 72 6f 75 70 31 00x11  00x6 59 d8"));
    assert_eq!(out[HEADER_LEN + 137..HEADER_LEN + 145], bytes("00x7 01"));
    assert_eq!(&out[HEADER_LEN + 145..], b"192.168.0.2:22122\n");
    assert_eq!(join::Ask::decode(&out[HEADER_LEN..]), Ok(ask));
}

#[test]
fn a_negative_body_length_is_refused() {
    assert!(Header::decode(&[0xff; 10]).is_err());
}

#[test]
fn left_over_bytes_behind_the_nul_of_a_group_mean_nothing() {
    let field = GroupField::from_field(b"group2\0A4Qul0000");
    assert!(field.is(&GroupName::parse(b"group2").unwrap()));
    assert_eq!(field.as_bytes(), b"group2");
}

#[test]
fn a_group_may_fill_its_field() {
    assert_eq!(GroupField::from_field(b"sixteencharsgrp1").as_bytes(), b"sixteencharsgrp1");
}

#[test]
fn an_address_that_does_not_fit_leaves_the_narrow_field_empty() {
    let long = IpText::new(b"2001:db8::1:2345").unwrap();
    let got = file_info::Got { size: 0, mtime: 0, crc32: 0, source: long };
    let mut out = Vec::new();
    got.encode(AddrWidth::V4, &mut out);
    assert_eq!(file_info::Got::decode(&out).unwrap().source.as_bytes(), b"2001:db8::1:2345");
    let server = Server { ip: long, port: 23000 };
    let mut out = Vec::new();
    query_fetch::Got { group: group1(), server }.encode(AddrWidth::V4, &mut out);
    assert_eq!(query_fetch::Got::decode(&out).unwrap().server.ip, IpText::EMPTY);
}

#[test]
fn records_have_the_lengths_of_the_reference() {
    use fdfs_proto::tracker::{list_groups, list_storages};
    assert_eq!(fdfs_proto::Brief::LEN, 67);
    assert_eq!(fdfs_proto::StatBlock::LEN, 348);
    assert_eq!(list_groups::GroupStat::LEN, 113);
    assert_eq!(list_storages::StorageStat::len(AddrWidth::V4), 487);
    assert_eq!(list_storages::StorageStat::len(AddrWidth::V6), 517);
    assert_eq!(join::Got::LEN, 17);
    assert_eq!(join::Joiner::LEN, 137);
}
