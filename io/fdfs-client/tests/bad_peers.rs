//! Peers that are silent, slow, gone or talk nonsense.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod peer;

use fdfs_client::{
    Client, ClientConfig, Content, DownloadOptions, ExtName, FileId, Kind, Side, Status, UploadOptions,
};
use peer::*;
use std::time::{Duration, Instant};

fn id() -> FileId {
    ID.parse().unwrap()
}

fn txt() -> UploadOptions {
    UploadOptions { ext: Some(ExtName::parse(b"txt").unwrap()), ..UploadOptions::default() }
}

/// Deadlines that pass within a test.
fn impatient(trackers: &[std::net::SocketAddr]) -> Client {
    Client::new(ClientConfig { network_timeout: Duration::from_millis(150), ..config(trackers) })
}

async fn query(script: Vec<Step>) -> fdfs_client::Error {
    let tracker = Peer::start(vec![script]).await;
    impatient(&[tracker.address]).query_store(None).await.unwrap_err()
}

#[tokio::test]
async fn a_silent_peer_is_given_up_at_the_deadline() {
    let begin = Instant::now();
    let error = query(vec![Step::Request, Step::Hang]).await;
    assert_eq!((error.kind(), error.side()), (Kind::Timeout, Side::Tracker));
    assert!(error.retryable());
    assert!(begin.elapsed() >= Duration::from_millis(150));
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_peer_that_sends_byte_after_byte_is_given_up_all_the_same() {
    let Step::Send(bytes) = reply(0, &store_body(&[([127, 0, 0, 1], 1).into()], 0)) else { unreachable!() };
    let error = query(vec![Step::Request, Step::Drip(bytes, Duration::from_millis(20))]).await;
    assert_eq!(error.kind(), Kind::Timeout);
}

#[tokio::test]
async fn content_that_drips_is_given_up_all_the_same() {
    let mut start = 14_u64.to_be_bytes().to_vec();
    start.extend_from_slice(&[100, 0]);
    let drip = Step::Drip(CONTENT.to_vec(), Duration::from_millis(20));
    let storage = Peer::start(vec![vec![Step::Request, Step::Send(start), drip]]).await;
    let client = impatient(&[]);
    let download = client.storage(storage.server()).download(&id(), &DownloadOptions::default()).await;
    assert_eq!(download.unwrap_err().kind(), Kind::Timeout);
}

#[tokio::test]
async fn a_peer_that_closes_is_told_from_one_that_is_silent() {
    assert_eq!(query(vec![Step::Request]).await.kind(), Kind::Closed);
    assert_eq!(query(vec![Step::Request, Step::Send(vec![0, 0, 0, 0])]).await.kind(), Kind::Closed);
    let Step::Send(mut bytes) = reply(0, &[0; 40]) else { unreachable!() };
    bytes.truncate(30);
    assert_eq!(query(vec![Step::Request, Step::Send(bytes)]).await.kind(), Kind::Closed);
}

#[tokio::test]
async fn replies_that_break_the_protocol_are_told_so() {
    let protocol = |error: fdfs_client::Error| matches!(error.kind(), Kind::Protocol(_));
    // A length that is none of this command's.
    assert!(protocol(query(talk(vec![reply(0, &[0; 41])])).await));
    // No response at all.
    assert!(protocol(query(vec![Step::Request, Step::Send(b"HTTP/1.1 400 Bad Request\r\n".to_vec())]).await));
    // A body of less than no bytes.
    let negative = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 100, 0].to_vec();
    assert!(protocol(query(vec![Step::Request, Step::Send(negative)]).await));
    // An address that is none, an impossible port.
    assert!(protocol(query(talk(vec![reply(0, &store_body(&[([127, 0, 0, 1], 0).into()], 0))])).await));
    let mut nowhere = store_body(&[([127, 0, 0, 1], 1).into()], 0);
    nowhere[16] = b'x';
    assert!(protocol(query(talk(vec![reply(0, &nowhere)])).await));
}

#[tokio::test]
async fn a_huge_announced_length_is_refused_before_memory_is_taken() {
    let huge = [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 100, 0].to_vec();
    let error = query(vec![Step::Request, Step::Send(huge.clone()), Step::Hang]).await;
    assert!(matches!(error.kind(), Kind::Protocol(_)), "{error}");

    // A normal file: its id says how long it is.
    let script = vec![Step::Request, Step::Send(huge.clone()), Step::Hang];
    let storage = Peer::start(vec![script.clone(), script]).await;
    let client = impatient(&[]);
    let storage = client.storage(storage.server());
    let error = storage.download(&id(), &DownloadOptions::default()).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Corrupt { expected_size: 14, .. }), "{error}");
    // An appender: nobody knows, but there is a limit.
    let error = storage.download(&APPENDER.parse().unwrap(), &DownloadOptions::default()).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::TooLarge { limit: 1_073_741_824, .. }), "{error}");
}

#[tokio::test]
async fn more_bytes_than_asked_for_are_refused() {
    let storage = Peer::start(vec![talk(vec![reply(0, b"fastdfs")])]).await;
    let options = DownloadOptions { offset: 6, length: Some(4), ..DownloadOptions::default() };
    let error = impatient(&[]).storage(storage.server()).download(&id(), &options).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Protocol(_)), "{error}");
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_an_upload_is_heard_and_the_connection_closed() {
    // Reads the head and a little, refuses, and does not read the rest: as the original does.
    let refusing = vec![Step::Read(1000), reply(28, b""), Step::Hang];
    let storage = Peer::start(vec![refusing, talk(vec![named()])]).await;
    let client = client(&[]);
    let direct = client.storage(storage.server());
    let content = vec![7; 64 << 20];
    let error = direct.upload((&content).into(), None, &txt()).await.unwrap_err();
    assert_eq!((error.status(), error.side()), (Some(Status::ENOSPC), Side::Storage));
    assert!(!error.outcome_unknown());
    assert!(error.to_string().contains("free some space"), "{error}");
    // The next one gets a connection of its own.
    direct.upload(CONTENT.into(), None, &txt()).await.unwrap();
    assert_eq!(storage.connections(), 2);
}

#[tokio::test]
async fn a_refusal_followed_by_a_close_in_the_middle_of_an_upload_is_heard() {
    let storage = Peer::start(vec![vec![Step::Read(1000), reply(22, b"")]]).await;
    let client = client(&[]);
    let content = vec![7; 64 << 20];
    let error = client.storage(storage.server()).upload((&content).into(), None, &txt()).await.unwrap_err();
    // With the rest of the upload unread, closing resets the connection; the refusal was there first.
    assert_eq!(error.status(), Some(Status::EINVAL));
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn an_upload_without_an_answer_is_not_repeated_and_its_outcome_not_known() {
    let storage = Peer::start(vec![vec![Step::Request], talk(vec![named()])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &store_body(&[storage.address], 0))])]).await;
    let error = client(&[tracker.address]).upload(CONTENT.into(), &txt()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Closed);
    assert!(error.outcome_unknown());
    assert!(!error.retryable());
    assert_eq!(storage.connections(), 1);
}

#[tokio::test]
async fn an_append_without_an_answer_is_not_repeated() {
    let storage = Peer::start(vec![vec![Step::Request], talk(vec![reply(0, b"")])]).await;
    let tracker = Peer::start(vec![talk(vec![reply(0, &fetch_body(storage.address))])]).await;
    let id = APPENDER.parse().unwrap();
    let error = client(&[tracker.address]).append(&id, "x".into()).await.unwrap_err();
    assert!(error.outcome_unknown());
    assert_eq!((storage.connections(), storage.commands()), (1, vec![24]));
}

#[tokio::test]
async fn a_delete_without_an_answer_is_not_repeated() {
    let storage = Peer::start(vec![vec![Step::Request], talk(vec![reply(0, b"")])]).await;
    let error = client(&[]).storage(storage.server()).delete(&id()).await.unwrap_err();
    assert!(error.outcome_unknown());
    assert_eq!((storage.connections(), storage.commands()), (1, vec![12]));
}

#[tokio::test]
async fn a_connection_that_died_in_the_pool_is_replaced_without_notice() {
    // Serves one request and closes.
    let once = vec![Step::Request, reply(0, b"")];
    let storage = Peer::start(vec![once.clone(), once.clone(), once]).await;
    let client = client(&[]);
    let direct = client.storage(storage.server());
    for count in 1..=3 {
        direct.delete(&id()).await.unwrap();
        storage.has_closed(count).await;
    }
    assert_eq!(storage.connections(), 3);
}

#[tokio::test]
async fn a_connection_not_used_for_long_is_tested_first() {
    let storage = Peer::start(vec![
        vec![Step::Request, reply(0, b""), Step::Request, Step::Hang],
        talk(vec![reply(0, b"")]),
    ])
    .await;
    let client = Client::new(ClientConfig {
        test_idle_after: Duration::ZERO,
        network_timeout: Duration::from_millis(150),
        ..config(&[])
    });
    let direct = client.storage(storage.server());
    direct.delete(&id()).await.unwrap();
    direct.delete(&id()).await.unwrap();
    assert_eq!(storage.commands(), [12, 111, 12]);
}

#[tokio::test]
async fn a_storage_closes_after_einval_and_is_not_expected_to_stay() {
    let storage = Peer::start(vec![
        vec![Step::Request, reply(2, b""), Step::Request, reply(22, b""), Step::Hang],
        talk(vec![reply(0, b"")]),
    ])
    .await;
    let client = client(&[]);
    let direct = client.storage(storage.server());
    assert_eq!(direct.delete(&id()).await.unwrap_err().status(), Some(Status::ENOENT));
    assert_eq!(direct.delete(&id()).await.unwrap_err().status(), Some(Status::EINVAL));
    direct.delete(&id()).await.unwrap();
    assert_eq!(storage.connections(), 2);
}

#[tokio::test]
async fn a_refusal_with_a_body_does_not_put_the_connection_out_of_step() {
    let storage =
        Peer::start(vec![vec![Step::Request, reply(2, b"junk"), Step::Hang], talk(vec![reply(0, b"")])])
            .await;
    let client = client(&[]);
    let direct = client.storage(storage.server());
    assert_eq!(direct.delete(&id()).await.unwrap_err().status(), Some(Status::ENOENT));
    direct.delete(&id()).await.unwrap();
    assert_eq!(storage.connections(), 2);
}

#[tokio::test]
async fn a_reader_that_ends_early_is_a_local_error() {
    let storage = Peer::start(vec![vec![Step::Hang]]).await;
    let client = client(&[]);
    let content = Content::reader(&b"short"[..], 10);
    let error = client.storage(storage.server()).upload(content, None, &txt()).await.unwrap_err();
    assert_eq!((error.kind(), error.side()), (Kind::LocalRead, Side::Local));
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn connections_to_one_server_are_bounded() {
    let storage = Peer::start(vec![vec![Step::Request, Step::Hang], talk(vec![reply(0, b"")])]).await;
    let client = Client::new(ClientConfig {
        max_connections_per_server: 1,
        connect_timeout: Duration::from_millis(100),
        ..config(&[])
    });
    let (first, second) = (client.storage(storage.server()), client.storage(storage.server()));
    let id = id();
    let hanging = first.delete(&id);
    tokio::pin!(hanging);
    let error = tokio::select! {
        biased;
        _ = &mut hanging => panic!("nobody answers it"),
        second = second.delete(&id) => second.unwrap_err(),
    };
    assert_eq!(error.kind(), Kind::Busy);
    assert_eq!(storage.connections(), 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_takes_its_connection_with_it() {
    let storage = Peer::start(vec![vec![Step::Request, Step::Hang], talk(vec![reply(0, b"")])]).await;
    let client = client(&[]);
    let direct = client.storage(storage.server());
    let waited = tokio::time::timeout(Duration::from_millis(50), direct.delete(&id())).await;
    assert!(waited.is_err());
    direct.delete(&id()).await.unwrap();
    assert_eq!(storage.connections(), 2);
}
