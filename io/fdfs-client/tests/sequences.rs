//! What goes over the wire, and to whom, when all is well and when a server is away.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod peer;

use fdfs_client::{
    Content, DownloadOptions, ExtName, FileId, InfoFlags, Kind, MetaFlag, Metadata, ServerAddr, Side, Status,
    UploadOptions,
};
use peer::*;
use std::time::Duration;

fn id() -> FileId {
    ID.parse().unwrap()
}

fn appender() -> FileId {
    APPENDER.parse().unwrap()
}

fn txt() -> UploadOptions {
    UploadOptions { ext: Some(ExtName::parse(b"txt").unwrap()), ..UploadOptions::default() }
}

fn whole() -> DownloadOptions {
    DownloadOptions::default()
}

#[tokio::test]
async fn an_upload_asks_a_tracker_and_sends_the_documented_bytes() {
    let storage = Peer::start(vec![talk(vec![named()])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &store_body(&[storage.address], 3))])]).await;
    let uploaded = client(&[tracker.address]).upload(CONTENT.into(), &txt()).await.unwrap();

    assert_eq!(uploaded.id.to_string(), ID);
    assert_eq!((uploaded.size, uploaded.crc32), (14, 0x0e10_ba5d));
    assert_eq!(uploaded.storage, storage.server());
    assert_eq!(tracker.seen(), [Seen { command: 101, status: 0, body: Vec::new() }]);
    let mut body = b"\x03\0\0\0\0\0\0\0\x0etxt\0\0\0".to_vec();
    body.extend_from_slice(CONTENT);
    assert_eq!(storage.seen(), [Seen { command: 11, status: 0, body }]);
}

#[tokio::test]
async fn wide_addresses_are_told_by_the_length_of_the_reply() {
    let storage = Peer::start(vec![talk(vec![named()])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &wide_store_body(storage.address, 0))])]).await;
    let uploaded = client(&[tracker.address]).upload(CONTENT.into(), &txt()).await.unwrap();
    assert_eq!(uploaded.storage, storage.server());
}

#[tokio::test]
async fn a_storage_may_have_an_ipv6_address() {
    let storage = Peer::start_at("[::1]:0", vec![talk(vec![named()])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &wide_store_body(storage.address, 0))])]).await;
    let uploaded = client(&[tracker.address]).upload(CONTENT.into(), &txt()).await.unwrap();
    assert_eq!(uploaded.storage.to_string(), format!("[::1]:{}", storage.address.port()));
}

#[tokio::test]
async fn an_upload_into_a_group_names_it_to_the_tracker() {
    let storage = Peer::start(vec![talk(vec![named()])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &store_body(&[storage.address], 0))])]).await;
    let options = UploadOptions { group: Some("group1".parse().unwrap()), appender: true, ..txt() };
    // An appender's name has no size in it, but this script answers with a normal name that fits.
    client(&[tracker.address]).upload(CONTENT.into(), &options).await.unwrap();
    assert_eq!(
        tracker.seen(),
        [Seen { command: 104, status: 0, body: b"group1\0\0\0\0\0\0\0\0\0\0".to_vec() }]
    );
    assert_eq!(storage.commands(), [23]);
}

#[tokio::test]
async fn a_big_upload_from_a_reader_arrives_whole() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let storage = Peer::start(vec![talk(vec![reply(
        0,
        b"group1\0\0\0\0\0\0\0\0\0\0M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log",
    )])])
    .await;
    let client = client(&[]);
    let uploaded = client
        .storage(storage.server())
        .upload(Content::reader(&content[..], 3_000_000), None, &txt())
        .await
        .unwrap();
    assert_eq!(uploaded.crc32, crc32fast::hash(&content));
    let seen = storage.seen();
    assert_eq!(seen[0].body[0], 0xff);
    assert_eq!(seen[0].body[1..9], 3_000_000_u64.to_be_bytes());
    assert!(seen[0].body[15..] == content);
}

#[tokio::test]
async fn connections_are_used_again() {
    let storage = Peer::start(vec![talk(vec![named(), named(), named()])]).await;
    let store = || reply(0, &store_body(&[storage.address], 0));
    let tracker = Peer::start(vec![talk(vec![store(), store(), store()])]).await;
    let client = client(&[tracker.address]);
    for _ in 0..3 {
        client.upload(CONTENT.into(), &txt()).await.unwrap();
    }
    assert_eq!((tracker.connections(), storage.connections()), (1, 1));
}

#[tokio::test]
async fn the_next_tracker_is_asked_when_one_is_away_and_that_one_comes_last_from_then_on() {
    let away = Peer::nobody().await;
    let info = || reply(0, &fetch_body(somewhere()));
    let tracker = Peer::start(vec![talk(vec![info(), info(), info()])]).await;
    let client = client(&[away, tracker.address]);
    for _ in 0..3 {
        client.query_fetch(&id()).await.unwrap();
    }
    assert_eq!(tracker.commands(), [102, 102, 102]);
}

fn somewhere() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 23000).into()
}

#[tokio::test]
async fn a_tracker_that_knows_no_storage_yet_is_not_the_last_word() {
    let fresh = Peer::start(vec![talk(vec![reply(2, b"")])]).await;
    let settled = Peer::start(vec![talk(vec![reply(0, &fetch_body(somewhere()))])]).await;
    let client = client(&[fresh.address, settled.address]);
    assert_eq!(client.query_fetch(&id()).await.unwrap().port(), 23000);
    assert_eq!(fresh.commands(), [102]);
}

#[tokio::test]
async fn without_a_tracker_the_error_says_what_to_do() {
    let error = client(&[]).upload(CONTENT.into(), &txt()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NoTracker);
    assert_eq!(
        error.to_string(),
        "ask where to upload: tracker: no tracker is configured; add a tracker_server line to client.conf"
    );
}

#[tokio::test]
async fn all_trackers_away_is_an_error_of_connecting() {
    let (one, two) = (Peer::nobody().await, Peer::nobody().await);
    let error = client(&[one, two]).query_store(None).await.unwrap_err();
    assert_eq!((error.kind(), error.side()), (Kind::Connect, Side::Tracker));
    // The line has the cause in it: who prints causes behind an error would say it twice.
    assert!(error.to_string().contains("refused (os error 111); check that it runs"), "{error}");
    assert!(std::error::Error::source(&error).is_none());
    assert!(error.retryable());
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn trackers_that_cannot_be_connected_are_tried_again_for_some_rounds() {
    let away = Peer::nobody().await;
    let config = fdfs_client::ClientConfig { connect_rounds: 3, ..config(&[away]) };
    let begin = std::time::Instant::now();
    let error = fdfs_client::Client::new(config).query_store(None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Connect);
    // Two pauses, of 100 and 200 ms.
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn an_upload_goes_to_another_storage_when_the_proposed_one_is_away() {
    let away = Peer::nobody().await;
    let storage = Peer::start(vec![talk(vec![named()])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &store_body(&[away], 1)),
        reply(0, &store_body(&[away, storage.address], 1)),
    ])])
    .await;
    client(&[tracker.address]).upload(CONTENT.into(), &txt()).await.unwrap();
    assert_eq!(tracker.commands(), [101, 106]);
    // The path was proposed for the other storage, so this one chooses.
    assert_eq!(storage.seen()[0].body[0], 0xff);
}

#[tokio::test]
async fn a_whole_download_sends_the_documented_bytes_and_is_verified() {
    let storage = Peer::start(vec![talk(vec![reply(0, CONTENT)])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
    let bytes = client(&[tracker.address]).download(&id(), &whole()).await.unwrap();
    assert_eq!(bytes, CONTENT);
    let mut ask = b"group1\0\0\0\0\0\0\0\0\0\0".to_vec();
    ask.extend_from_slice(NAME.as_bytes());
    assert_eq!(tracker.seen(), [Seen { command: 102, status: 0, body: ask.clone() }]);
    let body = [[0; 16].as_slice(), &ask].concat();
    assert_eq!(storage.seen(), [Seen { command: 14, status: 0, body }]);
}

#[tokio::test]
async fn a_part_is_asked_for_with_offset_and_length() {
    let storage = Peer::start(vec![talk(vec![reply(0, b"fast")])]).await;
    let options = DownloadOptions { offset: 6, length: Some(4), ..whole() };
    let bytes = client(&[]).storage(storage.server()).download(&id(), &options).await.unwrap();
    assert_eq!(bytes, b"fast");
    assert_eq!(storage.seen()[0].body[..16], *b"\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x04");
}

#[tokio::test]
async fn a_part_of_no_bytes_is_not_asked_for() {
    let options = DownloadOptions { length: Some(0), ..whole() };
    assert_eq!(client(&[]).download(&id(), &options).await.unwrap(), b"");
}

#[tokio::test]
async fn a_download_turns_to_the_other_storages_when_one_is_away() {
    let away = Peer::nobody().await;
    let storage = Peer::start(vec![talk(vec![reply(0, CONTENT)])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(away)),
        reply(0, &fetch_all_body(&[away, storage.address])),
    ])])
    .await;
    assert_eq!(client(&[tracker.address]).download(&id(), &whole()).await.unwrap(), CONTENT);
    assert_eq!(tracker.commands(), [102, 105]);
}

#[tokio::test]
async fn a_storage_that_does_not_have_the_file_yet_is_not_the_last_word() {
    let late = Peer::start(vec![talk(vec![reply(2, b"")])]).await;
    let source = Peer::start(vec![talk(vec![reply(0, CONTENT)])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(late.address)),
        reply(0, &fetch_all_body(&[late.address, source.address])),
    ])])
    .await;
    assert_eq!(client(&[tracker.address]).download(&id(), &whole()).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn a_file_that_is_nowhere_is_not_found() {
    let storage = Peer::start(vec![talk(vec![reply(2, b"")])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(storage.address)),
        reply(0, &fetch_all_body(&[storage.address])),
    ])])
    .await;
    let error = client(&[tracker.address]).download(&id(), &whole()).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!((error.side(), error.status()), (Side::Storage, Some(Status::ENOENT)));
    assert!(!error.retryable());
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_at_another_storage() {
    let mut half = 14_u64.to_be_bytes().to_vec();
    half.extend_from_slice(&[100, 0]);
    half.extend_from_slice(&CONTENT[..5]);
    let dying = Peer::start(vec![vec![Step::Request, Step::Send(half)]]).await;
    let storage = Peer::start(vec![talk(vec![reply(0, &CONTENT[5..])])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(dying.address)),
        reply(0, &fetch_all_body(&[dying.address, storage.address])),
    ])])
    .await;
    let mut bytes = Vec::new();
    let downloaded =
        client(&[tracker.address]).download_to_writer(&id(), &whole(), &mut bytes).await.unwrap();
    assert_eq!(bytes, CONTENT);
    assert!(downloaded.verified);
    assert_eq!(downloaded.storage, Some(storage.server()));
    assert_eq!(storage.seen()[0].body[..8], 5_u64.to_be_bytes());
}

#[tokio::test]
async fn an_appender_that_breaks_off_is_not_patched_together() {
    let mut half = 14_u64.to_be_bytes().to_vec();
    half.extend_from_slice(&[100, 0]);
    half.extend_from_slice(&CONTENT[..5]);
    let dying = Peer::start(vec![vec![Step::Request, Step::Send(half)]]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(dying.address))])]).await;
    let mut bytes = Vec::new();
    let error =
        client(&[tracker.address]).download_to_writer(&appender(), &whole(), &mut bytes).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
}

#[tokio::test]
async fn d21_a_damaged_copy_is_replaced_by_another_storages() {
    let damaged = Peer::start(vec![talk(vec![reply(0, b"jello fastdfs\n")])]).await;
    let storage = Peer::start(vec![talk(vec![reply(0, CONTENT)])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(damaged.address)),
        reply(0, &fetch_all_body(&[damaged.address, storage.address])),
    ])])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("copy");
    client(&[tracker.address]).download_to_file(&id(), &whole(), &local).await.unwrap();
    assert_eq!(std::fs::read(&local).unwrap(), CONTENT);
}

#[tokio::test]
async fn d21_a_damaged_copy_is_an_error_when_there_is_no_other_and_no_file_is_left() {
    let damaged = Peer::start(vec![talk(vec![reply(0, b"jello fastdfs\n")])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(damaged.address)),
        reply(0, &fetch_all_body(&[damaged.address])),
    ])])
    .await;
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("copy");
    let error = client(&[tracker.address]).download_to_file(&id(), &whole(), &local).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Corrupt { expected_crc32: 0x0e10_ba5d, .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_part_of_a_copy_that_is_too_short_comes_from_another_storage() {
    // Three bytes of it, and none: then the storage refuses to read at its end, and closes.
    let cut = vec![vec![Step::Request, reply(0, b"llo")]];
    let empty = vec![vec![Step::Request, reply(22, b"")], talk(vec![info(0, 0)])];
    for scripts in [cut, empty] {
        let short = Peer::start(scripts).await;
        let storage = Peer::start(vec![talk(vec![reply(0, b"llo fast")])]).await;
        let tracker = Peer::start(vec![talk(vec![
            reply(0, &fetch_body(short.address)),
            reply(0, &fetch_all_body(&[short.address, storage.address])),
        ])])
        .await;
        let options = DownloadOptions { offset: 2, length: Some(8), ..whole() };
        assert_eq!(client(&[tracker.address]).download(&id(), &options).await.unwrap(), b"llo fast");
    }
}

#[tokio::test]
async fn a_part_that_is_too_short_everywhere_is_an_error() {
    let short = Peer::start(vec![talk(vec![reply(0, b"llo")])]).await;
    let options = DownloadOptions { offset: 2, length: Some(8), ..whole() };
    let error = client(&[]).storage(short.server()).download(&id(), &options).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Corrupt { expected_size: 14, actual_size: 5, .. }), "{error}");
}

#[tokio::test]
async fn pieces_come_from_one_storage_on_one_connection_and_the_last_one_is_verified() {
    for (end, right) in [(b"dfs\n", true), (b"dfs!", false)] {
        let replies = vec![reply(0, b"hello"), reply(0, b" fast"), reply(0, end)];
        let storage = Peer::start(vec![talk(replies)]).await;
        let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
        let mut pieces = client(&[tracker.address]).download_in_pieces(&id(), 0, 14, 5);
        assert_eq!(pieces.next().await.unwrap().unwrap(), b"hello");
        assert_eq!(pieces.next().await.unwrap().unwrap(), b" fast");
        let last = pieces.next().await;
        if right {
            assert_eq!(last.unwrap().unwrap(), end);
            assert_eq!(pieces.next().await.unwrap(), None);
        } else {
            assert!(matches!(last.unwrap_err().kind(), Kind::Corrupt { expected_crc32: 0x0e10_ba5d, .. }));
        }
        let asked: Vec<_> = storage.seen().iter().map(|seen| (seen.body[7], seen.body[15])).collect();
        assert_eq!(asked, [(0, 5), (5, 5), (10, 4)]);
        assert_eq!((tracker.commands(), storage.connections()), (vec![102], 1));
    }
}

#[tokio::test]
async fn pieces_go_on_at_another_storage_when_the_first_is_away() {
    let dying = Peer::start(vec![vec![Step::Request, reply(0, b"hello")]]).await;
    let storage = Peer::start(vec![talk(vec![reply(0, b" fast"), reply(0, b"dfs\n")])]).await;
    let tracker = Peer::start(vec![talk(vec![
        reply(0, &fetch_body(dying.address)),
        reply(0, &fetch_all_body(&[dying.address, storage.address])),
    ])])
    .await;
    let mut pieces = client(&[tracker.address]).download_in_pieces(&id(), 0, 14, 5);
    let mut content = Vec::new();
    while let Some(piece) = pieces.next().await.unwrap() {
        content.extend_from_slice(&piece);
    }
    assert_eq!(content, CONTENT);
}

#[tokio::test]
async fn pieces_of_an_appender_are_not_patched_together_and_end_where_it_ends() {
    let dying = Peer::start(vec![vec![Step::Request, reply(0, b"hello")]]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(dying.address))])]).await;
    let mut pieces = client(&[tracker.address]).download_in_pieces(&appender(), 0, 14, 5);
    assert_eq!(pieces.next().await.unwrap().unwrap(), b"hello");
    assert_eq!(pieces.next().await.unwrap_err().kind(), Kind::Closed);
    assert_eq!(tracker.commands(), [102]);

    let storage = Peer::start(vec![talk(vec![reply(0, b"hello"), reply(0, b" fa")])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
    let mut pieces = client(&[tracker.address]).download_in_pieces(&appender(), 0, 14, 5);
    assert_eq!(pieces.next().await.unwrap().unwrap(), b"hello");
    assert_eq!(pieces.next().await.unwrap().unwrap(), b" fa");
    assert_eq!(pieces.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_file_under_the_name_that_a_download_would_have_meanwhile_is_left_alone() {
    /// More than the downloads of all tests here.
    const TAKEN: usize = 50;
    let dir = tempfile::tempdir().unwrap();
    let taken = |count| dir.path().join(format!(".fdfs-{}-{count}.part", std::process::id()));
    (0..TAKEN).for_each(|count| std::fs::write(taken(count), "another process's").unwrap());
    let storage = Peer::start(vec![talk(vec![reply(0, CONTENT)])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
    let local = dir.path().join("copy");
    let downloaded = client(&[tracker.address]).download_to_file(&id(), &whole(), &local).await;
    assert!((0..TAKEN).all(|count| std::fs::read(taken(count)).unwrap() == b"another process's"));
    downloaded.unwrap();
    assert_eq!(std::fs::read(&local).unwrap(), CONTENT);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), TAKEN + 1);
}

#[tokio::test]
async fn what_a_link_leads_to_is_replaced_and_a_pipe_is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let [file, link, pipe] = ["file", "link", "pipe"].map(|name| dir.path().join(name));
    std::fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let read = {
        let pipe = pipe.clone();
        tokio::task::spawn_blocking(move || std::fs::read(pipe).unwrap())
    };
    for local in [&link, &pipe] {
        let storage = Peer::start(vec![talk(vec![reply(0, CONTENT)])]).await;
        let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
        client(&[tracker.address]).download_to_file(&id(), &whole(), local).await.unwrap();
    }
    assert_eq!((std::fs::read(&file).unwrap(), read.await.unwrap()), (CONTENT.to_vec(), CONTENT.to_vec()));
    assert_eq!(std::fs::read_link(&link).unwrap(), std::path::Path::new("file"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn a_pipe_has_no_content_and_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = fdfs_client::Content::file(&pipe).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::InvalidRequest(_)), "{error}");
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let storage = Peer::start(vec![talk(vec![reply(0, b"jello fastdfs\n")])]).await;
    let options = DownloadOptions { verify: false, ..whole() };
    let bytes = client(&[]).storage(storage.server()).download(&id(), &options).await.unwrap();
    assert_eq!(bytes, b"jello fastdfs\n");
}

#[tokio::test]
async fn an_empty_file_is_downloaded_though_the_storage_refuses_it() {
    // The appender is empty: the storage refuses to read at its end, and closes.
    let storage = Peer::start(vec![vec![Step::Request, reply(22, b"")], talk(vec![info(0, 0)])]).await;
    let bytes = client(&[]).storage(storage.server()).download(&appender(), &whole()).await.unwrap();
    assert_eq!(bytes, b"");
    assert_eq!(storage.commands(), [14, 22]);
    // No CRC asked for, and no log line about it wanted.
    assert_eq!(storage.seen()[1].status, 3);
}

#[tokio::test]
async fn an_offset_behind_the_end_stays_an_error() {
    let storage = Peer::start(vec![vec![Step::Request, reply(22, b"")]]).await;
    let options = DownloadOptions { offset: 100, ..whole() };
    let error = client(&[]).storage(storage.server()).download(&id(), &options).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::EINVAL));
}

#[tokio::test]
async fn changes_go_to_the_storage_for_updates() {
    let storage =
        Peer::start(vec![talk(vec![reply(0, b""), reply(0, b""), reply(0, b""), named(), reply(0, b"")])])
            .await;
    let update = || reply(0, &fetch_body(storage.address));
    let tracker = Peer::start(vec![talk(vec![update(), update(), update(), update(), update()])]).await;
    let client = client(&[tracker.address]);
    client.append(&appender(), "more".into()).await.unwrap();
    client.modify(&appender(), 7, "less".into()).await.unwrap();
    client.truncate(&appender(), 5).await.unwrap();
    assert_eq!(client.regenerate(&appender()).await.unwrap().to_string(), ID);
    client.delete(&id()).await.unwrap();
    assert_eq!(tracker.commands(), [103; 5]);
    let name = "M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log";
    let seen = storage.seen();
    assert_eq!(storage.commands(), [24, 34, 36, 38, 12]);
    assert_eq!(seen[0].body, format!("\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x04{name}more").into_bytes());
    assert_eq!(
        seen[1].body,
        format!("\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x04{name}less").into_bytes()
    );
    assert_eq!(seen[2].body, format!("\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x05{name}").into_bytes());
    assert_eq!(seen[3].body, name.as_bytes());
    assert_eq!(seen[4].body, format!("group1\0\0\0\0\0\0\0\0\0\0{NAME}").into_bytes());
}

#[tokio::test]
async fn a_slave_goes_to_its_master() {
    let slave = "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482_150x150.jpg";
    let body = format!("group1\0\0\0\0\0\0\0\0\0\0{slave}");
    let storage = Peer::start(vec![talk(vec![reply(0, body.as_bytes())])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
    let prefix = fdfs_client::SlavePrefix::parse(b"_150x150").unwrap();
    let options = UploadOptions { ext: Some(ExtName::parse(b"jpg").unwrap()), ..UploadOptions::default() };
    let client = client(&[tracker.address]);
    let uploaded = client.upload_slave(&id(), &prefix, "tiny".into(), &options).await.unwrap();
    assert_eq!(uploaded.id.name.as_str(), slave);
    let expected = format!("\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x04_150x150\0\0\0\0\0\0\0\0jpg\0\0\0{NAME}tiny");
    assert_eq!(storage.seen()[0].body, expected.into_bytes());
}

#[tokio::test]
async fn nothing_is_sent_to_append_nothing_or_to_change_a_normal_file() {
    let client = client(&[]);
    client.append(&appender(), "".into()).await.unwrap();
    client.modify(&appender(), 3, "".into()).await.unwrap();
    for error in [
        client.append(&id(), "x".into()).await.unwrap_err(),
        client.modify(&id(), 0, "x".into()).await.unwrap_err(),
        client.truncate(&id(), 0).await.unwrap_err(),
        client.regenerate(&id()).await.unwrap_err(),
    ] {
        assert!(matches!(error.kind(), Kind::InvalidRequest(_)), "{error}");
        assert_eq!(error.side(), Side::Local);
    }
}

#[tokio::test]
async fn metadata_goes_as_documented_and_comes_back() {
    let storage =
        Peer::start(vec![talk(vec![reply(0, b""), reply(0, b"height\x0280\x01width\x02160")])]).await;
    let client = client(&[]);
    let storage_client = client.storage(storage.server());
    let metadata = Metadata::from_iter([("width", "160"), ("height", "80")]);
    storage_client.set_metadata(&id(), &metadata, MetaFlag::Overwrite).await.unwrap();
    assert_eq!(storage_client.metadata(&id()).await.unwrap(), metadata);
    let expected = format!(
        "\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x13Ogroup1\0\0\0\0\0\0\0\0\0\0{NAME}height\x0280\x01width\x02160"
    );
    assert_eq!(storage.seen()[0].body, expected.into_bytes());
    assert_eq!(storage.commands(), [13, 15]);
}

#[tokio::test]
async fn a_file_whose_metadata_cannot_be_set_is_deleted_again() {
    let storage = Peer::start(vec![talk(vec![named(), reply(28, b""), reply(0, b"")])]).await;
    let options = UploadOptions { metadata: Metadata::from_iter([("a", "b")]), ..txt() };
    let client = client(&[]);
    let error = client.storage(storage.server()).upload(CONTENT.into(), None, &options).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::ENOSPC));
    assert_eq!(storage.commands(), [11, 13, 12]);
}

#[tokio::test]
async fn an_id_that_does_not_fit_what_was_sent_is_an_error_and_the_file_is_deleted_again() {
    let storage = Peer::start(vec![talk(vec![named(), reply(0, b"")])]).await;
    let client = client(&[]);
    let upload = client.storage(storage.server()).upload("something else".into(), None, &txt()).await;
    assert!(matches!(upload.unwrap_err().kind(), Kind::Corrupt { expected_size: 14, actual_size: 14, .. }));
    assert_eq!(storage.commands(), [11, 12]);
}

#[tokio::test]
async fn file_info_carries_its_flags_in_the_header() {
    let storage = Peer::start(vec![talk(vec![info(14, 0xf0e1_0002)])]).await;
    let flags = InfoFlags { no_crc: true, silent: false };
    let info = client(&[]).storage(storage.server()).file_info(&id(), flags).await.unwrap();
    assert_eq!((info.size, info.mtime, info.crc32), (14, 1_751_328_000, 0xf0e1_0002));
    assert_eq!(info.source.unwrap().to_string(), "192.168.0.196");
    assert_eq!((storage.seen()[0].command, storage.seen()[0].status), (22, 1));
}

#[tokio::test]
async fn the_table_of_storage_ids_is_read_page_by_page() {
    let page = |total: u32, count: u32, lines: &str| {
        let mut body = total.to_be_bytes().to_vec();
        body.extend_from_slice(&count.to_be_bytes());
        body.extend_from_slice(lines.as_bytes());
        reply(0, &body)
    };
    let first = "100001 group1 127.0.0.3:23000\n100002 group1 127.0.0.4:23000\n";
    let second = "100003 group2 127.0.0.5:23000\n";
    let tracker = Peer::start(vec![talk(vec![page(3, 2, first), page(3, 1, second)])]).await;
    let client = client(&[]);
    let tracker_addr = ServerAddr::new(tracker.address.ip(), tracker.address.port());
    let ids = client.tracker(tracker_addr).storage_ids().await.unwrap();
    assert_eq!(ids, format!("{first}{second}").into_bytes());
    assert_eq!(tracker.seen()[1].body, [0, 0, 0, 2, 1]);
}

/// The 487 bytes of a storage record: status, both modes, its id and address, all figures 0 but the port.
fn storage_record(status: u8) -> Vec<u8> {
    let mut record = vec![0; 487];
    record[0] = status;
    record[1] = 6;
    record[2..11].copy_from_slice(b"127.0.0.3");
    record[18..27].copy_from_slice(b"127.0.0.3");
    record[130..138].copy_from_slice(&23000_u64.to_be_bytes());
    record
}

#[tokio::test]
async fn a_storage_in_service_is_deleted_nowhere() {
    let offline = Peer::start(vec![talk(vec![reply(0, &storage_record(5))])]).await;
    let active = Peer::start(vec![talk(vec![reply(0, &storage_record(7))])]).await;
    let client = client(&[offline.address, active.address]);
    let group = "group1".parse().unwrap();
    let error = client.delete_storage(group, "127.0.0.3".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::EBUSY));
    assert_eq!((offline.commands(), active.commands()), (vec![92], vec![92]));
}

#[tokio::test]
async fn a_storage_out_of_service_is_deleted_on_every_tracker_that_knows_it() {
    let one = Peer::start(vec![talk(vec![reply(0, &storage_record(5)), reply(0, b"")])]).await;
    let ignorant = Peer::start(vec![talk(vec![reply(2, b"")])]).await;
    let told = Peer::start(vec![talk(vec![reply(0, &storage_record(5)), reply(114, b"")])]).await;
    let client = client(&[one.address, ignorant.address, told.address]);
    client.delete_storage("group1".parse().unwrap(), "127.0.0.3".parse().unwrap()).await.unwrap();
    assert_eq!(one.commands(), [92, 93]);
    assert_eq!(ignorant.commands(), [92]);
    assert_eq!(told.commands(), [92, 93]);
    assert_eq!(one.seen()[1].body, b"group1\0\0\0\0\0\0\0\0\0\x00127.0.0.3");
}

#[tokio::test]
async fn the_trunk_server_is_set_where_the_leader_is() {
    let follower = Peer::start(vec![talk(vec![reply(95, b"")])]).await;
    let leader = Peer::start(vec![talk(vec![reply(0, b"100002\0")])]).await;
    let client = client(&[follower.address, leader.address]);
    let id = client.set_trunk_server("group1".parse().unwrap(), None).await.unwrap();
    assert_eq!(id.as_str(), "100002");
}

#[test]
fn all_futures_can_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let client = client(&[]);
    let (id, options, whole) = (id(), txt(), whole());
    moves(client.upload("x".into(), &options));
    moves(client.download(&id, &whole));
    moves(client.download_to_file(&id, &whole, "x"));
    moves(client.append(&id, "x".into()));
    moves(client.delete(&id));
    moves(client.delete_storage("g".parse().unwrap(), "1".parse().unwrap()));
    moves(client.delete_group("g".parse().unwrap()));
}
