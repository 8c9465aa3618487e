//! Blobs in a real S3 server.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod suite;

use std::sync::Arc;
use std::time::Duration;

use drive_blobs::{S3Settings, on_s3};
use drive_core::ports::{BlobError, BlobKey, BlobStore};
use opendal::Operator;
use rustix::process::Signal;
use suite::{Subject, append, expect, put, read, seal};
use testkit::seaweed::{ACCESS_KEY_ID, SECRET_ACCESS_KEY, Seaweed};

const BUCKET: &str = "blobs";

fn settings(server: &Seaweed, deadline: Duration) -> S3Settings {
    S3Settings {
        endpoint: format!("http://{}", server.address()),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        prefix: "drive".to_owned(),
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        virtual_host_style: false,
        deadline,
    }
}

fn store(server: &Seaweed, deadline: Duration) -> Arc<dyn BlobStore> {
    on_s3(&settings(server, deadline)).unwrap()
}

/// The bucket as others see it.
fn bucket(server: &Seaweed) -> Operator {
    let builder = opendal::services::S3::default()
        .endpoint(&format!("http://{}", server.address()))
        .region("us-east-1")
        .bucket(BUCKET)
        .access_key_id(ACCESS_KEY_ID)
        .secret_access_key(SECRET_ACCESS_KEY)
        .disable_config_load();
    Operator::new(builder).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_server_is_a_blob_store() {
    let server = Seaweed::start(BUCKET).unwrap();
    let deadline = Duration::from_secs(20);
    let (one, two) = (store(&server, deadline), store(&server, deadline));
    let bucket = bucket(&server);
    let objects = || {
        let list = async { bucket.list("drive/").await.unwrap() };
        let all = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(list));
        Some(all.iter().filter(|entry| entry.metadata().is_file()).count())
    };
    let moved = || server.server.moved_bytes();
    let before = objects();
    assert_eq!(before, Some(0));
    suite::conforms(&Subject { store: &*one, other: &*two, objects: &objects, moved: &moved }).await;
}

#[tokio::test]
async fn an_s3_server_that_is_gone_is_unavailable() {
    let mut server = Seaweed::start(BUCKET).unwrap();
    let deadline = Duration::from_secs(4);
    let store = store(&server, deadline);
    let key = put(&*store, b"stays here").await;
    let partial = append(&*store, None, b"goes on").await;
    let to_lose = suite::to_lose(&*store).await;
    // Silent at first.
    server.server.signal(Signal::STOP).unwrap();
    suite::is_unavailable(&*store, &to_lose, deadline, &[]).await;
    server.server.signal(Signal::CONT).unwrap();
    expect(&*store, &key, b"stays here").await;
    let partial = append(&*store, Some(&partial), b", really").await;
    let sealed = seal(&*store, &partial).await;
    expect(&*store, &sealed, b"goes on, really").await;
    server.server.kill().unwrap();
    suite::is_unavailable(&*store, &to_lose, deadline, &[]).await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_or_a_wrong_secret_is_refused() {
    let server = Seaweed::start(BUCKET).unwrap();
    let good = settings(&server, Duration::from_secs(10));
    on_s3(&good).unwrap().check().await.unwrap();
    let wrong_bucket = S3Settings { bucket: "another".to_owned(), ..good.clone() };
    let wrong_secret = S3Settings { secret_access_key: "guessed".to_owned(), ..good };
    for settings in [wrong_bucket, wrong_secret] {
        let outcome = on_s3(&settings).unwrap().check().await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_object_of_another_length_is_damaged() {
    let server = Seaweed::start(BUCKET).unwrap();
    let store = store(&server, Duration::from_secs(10));
    let partial = append(&*store, None, b"0123456789").await;
    let key = put(&*store, b"0123456789").await;
    let name = |text: &str| format!("drive/{}", text.split_once('@').unwrap().0);
    let bucket = bucket(&server);
    for name in [name(&partial.state), name(key.as_str())] {
        bucket.write(&name, "012345678").await.unwrap();
    }
    assert_eq!(read(&*store, &key, 0, 10).await, Err(BlobError::Damaged));
    assert_eq!(read(&*store, &key, 9, 1).await, Err(BlobError::Damaged));
    assert_eq!(read(&*store, &key, 0, 0).await, Err(BlobError::Damaged));
    assert_eq!(store.append(Some(&partial), "more".into()).await, Err(BlobError::Damaged));
}

#[tokio::test]
async fn what_is_no_key_of_a_bucket_is_refused() {
    let server = Seaweed::start(BUCKET).unwrap();
    let store = store(&server, Duration::from_secs(10));
    let long = format!("{}@1", "0".repeat(33));
    for text in ["group1/M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482@1", "../a@1", "a@1", &long] {
        let key = BlobKey::new(text).unwrap();
        let outcome = read(&*store, &key, 0, 1).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{text}: {outcome:?}");
        let outcome = store.delete(&key).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{text}: {outcome:?}");
    }
}
