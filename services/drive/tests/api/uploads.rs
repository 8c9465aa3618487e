//! Uploads that are resumed, over tus.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drive::{end_over, finish_left};
use drive_core::content::Sha256Digest;
use drive_core::ports::PIECE_BYTES_MAX;
use drive_core::{AccountId, ByteCount, UnixMillis, UploadId};
use drive_db::Cause;
use md5::Md5;
use net::StopSource;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{Client, Reply, World, pattern, settings};

const OCTETS: &str = "application/offset+octet-stream";

fn hex(bytes: &[u8]) -> String {
    Sha256Digest(Sha256::digest(bytes).into()).to_string()
}

/// A client that speaks tus.
fn tus(client: &Client) -> Client {
    client.with("tus-resumable", "1.0.0")
}

fn metadata(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value)));
    pairs.collect::<Vec<_>>().join(",")
}

async fn send(client: &Client, method: Method, path: &str, body: Vec<u8>) -> Reply {
    let (status, headers, bytes) = client.raw(method, path, body).await;
    assert_eq!(headers["tus-resumable"], "1.0.0", "{path}");
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    Reply { status, headers, body }
}

async fn ask(client: &Client, length: Option<usize>, pairs: &[(&str, &str)]) -> Reply {
    let client = tus(client).with("upload-metadata", &metadata(pairs));
    let client = match length {
        Some(length) => client.with("upload-length", &length.to_string()),
        None => client.with("upload-defer-length", "1"),
    };
    send(&client, Method::POST, "/uploads", Vec::new()).await
}

fn place(headers: &HeaderMap) -> String {
    headers["location"].to_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned()
}

/// Begins an upload: its path.
async fn begin(client: &Client, length: Option<usize>, pairs: &[(&str, &str)]) -> String {
    place(&ask(client, length, pairs).await.expect(StatusCode::CREATED).headers)
}

async fn patch(client: &Client, path: &str, offset: usize, bytes: &[u8]) -> Reply {
    let client = tus(client).with("upload-offset", &offset.to_string()).with("content-type", OCTETS);
    send(&client, Method::PATCH, path, bytes.to_vec()).await
}

async fn head(client: &Client, path: &str) -> (StatusCode, HeaderMap) {
    let reply = send(&tus(client), Method::HEAD, path, Vec::new()).await;
    (reply.status, reply.headers)
}

async fn offset(client: &Client, path: &str) -> usize {
    let (status, headers) = head(client, path).await;
    assert_eq!(status, StatusCode::OK);
    headers["upload-offset"].to_str().unwrap().parse().unwrap()
}

/// Where the file is that an upload became.
fn node(reply: &Reply) -> String {
    let place = reply.headers["content-location"].to_str().unwrap();
    place.strip_prefix("/api/v1/nodes/").unwrap().to_owned()
}

/// Looks until it is so.
async fn until<F: Future<Output = bool>>(what: &str, look: impl Fn() -> F) {
    let wait = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("never {what}"));
}

fn now() -> UnixMillis {
    UnixMillis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

async fn ids(client: &Client, path: &str) -> (AccountId, UploadId) {
    let account = client.get("/me").await.text("/id").parse::<i64>().unwrap();
    let upload = path.strip_prefix("/uploads/").unwrap().parse::<i64>().unwrap();
    (AccountId::try_from(account).unwrap(), UploadId::try_from(upload).unwrap())
}

/// The head of a PATCH, sent over a connection of its own.
async fn open(world: &World, client: &Client, path: &str, offset: usize, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "PATCH /api/v1{path} HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\ntus-resumable: 1.0.0\r\n\
         content-type: {OCTETS}\r\nupload-offset: {offset}\r\ncontent-length: {length}\r\n\r\n",
        client.authorization()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_another_version_is_told_which_one_is_spoken() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for path in ["/uploads", "/uploads/1"] {
        let reply = send(&world.visitor(), Method::OPTIONS, path, Vec::new()).await;
        let reply = reply.expect(StatusCode::NO_CONTENT);
        for (name, value) in [
            ("tus-version", "1.0.0"),
            (
                "tus-extension",
                "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination",
            ),
            ("tus-max-size", "9223372036854775807"),
            ("tus-checksum-algorithm", "sha256,sha1,md5"),
        ] {
            assert_eq!(reply.headers[name], value, "{path}");
        }
    }
    for client in [alice.clone(), alice.with("tus-resumable", "0.2.2")] {
        for (method, path) in [
            (Method::POST, "/uploads"),
            (Method::HEAD, "/uploads/1"),
            (Method::PATCH, "/uploads/1"),
            (Method::DELETE, "/uploads/1"),
        ] {
            let reply = send(&client, method.clone(), path, Vec::new()).await;
            assert_eq!(reply.headers["tus-version"], "1.0.0");
            match method {
                Method::HEAD => drop(reply.expect(StatusCode::PRECONDITION_FAILED)),
                _ => drop(reply.problem(412, "tus-version-unknown")),
            }
        }
    }
    let visitor = tus(&world.visitor());
    send(&visitor, Method::POST, "/uploads", Vec::new()).await.problem(401, "sign-in-needed");
    tus(&alice).put("/uploads", json!({})).await.problem(405, "method-unknown");
    let other = tus(&alice).with("sec-fetch-site", "cross-site").with("origin", "https://evil.example");
    let (status, ..) = other.raw(Method::POST, "/uploads", "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_piece_by_piece_and_becomes_a_file_with_its_last_byte() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let content = pattern(2 * PIECE_BYTES_MAX + 1_000_003);
    let digest = hex(&content);
    let pairs =
        [("filename", "报告.bin"), ("parent", &folder), ("sha256", &digest), ("filetype", "text/plain")];
    let made = ask(&alice, Some(content.len()), &pairs).await.expect(StatusCode::CREATED);
    assert_eq!(made.headers["upload-offset"], "0");
    assert!(made.headers["upload-expires"].to_str().unwrap().ends_with(" GMT"));
    let path = place(&made.headers);
    assert_eq!(alice.get("/usage").await.body["reserved"], content.len());
    let kept = [("filename", "报告.bin"), ("parent", &folder), ("on_conflict", "fail"), ("sha256", &digest)];

    let mut at = 0;
    for piece in [1, 63, 1000, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 5] {
        let (status, headers) = head(&alice, &path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["upload-offset"], at.to_string());
        assert_eq!(headers["upload-length"], content.len().to_string());
        assert_eq!(headers["upload-metadata"], metadata(&kept));
        assert_eq!(headers["cache-control"], "no-store");
        let reply = patch(&alice, &path, at, &content[at..at + piece]).await.expect(StatusCode::NO_CONTENT);
        at += piece;
        assert_eq!(reply.headers["upload-offset"], at.to_string());
        assert!(reply.headers.contains_key("upload-expires"));
    }
    let row = alice.get("/uploads").await.expect(StatusCode::OK).body["rows"][0].clone();
    assert_eq!(row, alice.get(&path).await.body);
    assert_eq!((&row["name"], &row["offset"], &row["node"]), (&json!("报告.bin"), &json!(at), &Value::Null));
    assert_eq!((&row["length"], &row["sha256"]), (&json!(content.len()), &json!(digest)));

    let reply = patch(&alice, &path, at, &content[at..]).await.expect(StatusCode::NO_CONTENT);
    let file = node(&reply);
    assert!(!reply.headers.contains_key("upload-expires"));
    assert!(alice.bytes(&file).await == content);
    let made = alice.get(&format!("/nodes/{file}")).await;
    assert_eq!((made.text("/name"), made.text("/parent")), ("报告.bin".to_owned(), folder));
    assert_eq!(alice.get(&path).await.text("/node"), file);
    assert_eq!(head(&alice, &path).await.1["content-location"], format!("/api/v1/nodes/{file}"));
    assert_eq!(alice.get("/uploads").await.body["rows"], json!([]));
    let usage = alice.get("/usage").await.body;
    assert_eq!((&usage["used"], &usage["reserved"]), (&json!(content.len()), &json!(0)));
    patch(&alice, &path, content.len(), b"").await.problem(410, "upload-ended");
    // What is forgotten is the upload.
    send(&tus(&alice), Method::DELETE, &path, Vec::new()).await.expect(StatusCode::NO_CONTENT);
    alice.get(&path).await.problem(404, "upload-not-found");
    assert_eq!(alice.bytes(&file).await.len(), content.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_before_a_connection_broke_is_kept() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let content = pattern(9_000_000);
    let path = begin(&alice, Some(content.len()), &[("filename", "a")]).await;
    let mut at = 0;
    for more in [100_000, 6_000_000] {
        let mut stream = open(&world, &alice, &path, at, content.len() - at).await;
        stream.write_all(&content[at..at + more]).await.unwrap();
        drop(stream);
        at += more;
        until("kept", || async { offset(&alice, &path).await == at }).await;
        // The lease is given back a moment later.
        until("free", || async { patch(&alice, &path, at, b"").await.status == StatusCode::NO_CONTENT })
            .await;
    }
    let mut stream = open(&world, &alice, &path, at, content.len() - at).await;
    stream.write_all(&content[at..]).await.unwrap();
    // The client is gone before it is told.
    drop(stream);
    until("a file", || async { alice.get(&path).await.body["node"].is_string() }).await;
    let file = alice.get(&path).await.text("/node");
    assert!(alice.bytes(&file).await == content);
    world.servers.as_ref().unwrap().check_logs(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_writes_at_a_time() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let content = pattern(PIECE_BYTES_MAX + 1000);
    let path = begin(&alice, Some(content.len()), &[("filename", "a")]).await;
    let mut stream = open(&world, &alice, &path, 0, content.len()).await;
    stream.write_all(&content[..PIECE_BYTES_MAX]).await.unwrap();
    until("a piece", || async { offset(&alice, &path).await == PIECE_BYTES_MAX }).await;
    patch(&alice, &path, PIECE_BYTES_MAX, b"x").await.problem(423, "upload-busy");
    stream.write_all(&content[PIECE_BYTES_MAX..]).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 204");
    let file = alice.get(&path).await.text("/node");
    assert!(alice.bytes(&file).await == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_its_checksum_is_not_kept() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let content = pattern(2 * PIECE_BYTES_MAX + 70_000);
    let path = begin(&alice, Some(content.len()), &[("filename", "a")]).await;
    let sum = |algorithm: &str, bytes: &[u8]| {
        let digest = match algorithm {
            "sha256" => Sha256::digest(bytes).to_vec(),
            "sha1" => Sha1::digest(bytes).to_vec(),
            _ => Md5::digest(bytes).to_vec(),
        };
        format!("{algorithm} {}", STANDARD.encode(digest))
    };
    let mut at = 0;
    // The last is more than is held in memory.
    for (algorithm, piece) in
        [("sha256", 1000), ("sha1", 5000), ("md5", 10_000), ("sha256", content.len() - 16_000)]
    {
        let bytes = &content[at..at + piece];
        let wrong = alice.with("upload-checksum", &sum(algorithm, &bytes[1..]));
        patch(&wrong, &path, at, bytes).await.problem(460, "checksum-differs");
        assert_eq!(offset(&alice, &path).await, at, "{algorithm}");
        let right = alice.with("upload-checksum", &sum(algorithm, bytes));
        let reply = patch(&right, &path, at, bytes).await.expect(StatusCode::NO_CONTENT);
        at += piece;
        assert_eq!(reply.headers["upload-offset"], at.to_string());
    }
    let file = alice.get(&path).await.text("/node");
    assert!(alice.bytes(&file).await == content);

    let path = begin(&alice, Some(10), &[("filename", "b")]).await;
    for sum in ["crc32 AAAA", "sha256", "sha256 !", "sha256 AAAA", "sha256 "] {
        let refused = patch(&alice.with("upload-checksum", sum), &path, 0, b"0123456789").await;
        assert_eq!(refused.problem(400, "field-invalid").body["field"], "upload-checksum", "{sum}");
    }
    assert_eq!(offset(&alice, &path).await, 0);
    world.servers.as_ref().unwrap().check_logs(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_may_be_said_later_and_once() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let path = begin(&alice, None, &[("filename", "a")]).await;
    let (_, headers) = head(&alice, &path).await;
    assert_eq!(
        (&headers["upload-defer-length"], headers.get("upload-length")),
        (&"1".parse().unwrap(), None)
    );
    patch(&alice, &path, 0, b"01234").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(alice.get("/usage").await.body["reserved"], 5);
    let says = |length: &str| alice.with("upload-length", length);
    for wrong in ["4", "-1", "x", ""] {
        patch(&says(wrong), &path, 5, b"").await.problem(400, "field-invalid");
    }
    patch(&says("8"), &path, 5, b"56").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(head(&alice, &path).await.1["upload-length"], "8");
    patch(&says("9"), &path, 7, b"7").await.problem(400, "field-invalid");
    let last = patch(&says("8"), &path, 7, b"7").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(alice.bytes(&node(&last)).await, b"01234567");

    // The end of what is here may be said without another byte.
    let path = begin(&alice, None, &[("filename", "b")]).await;
    patch(&alice, &path, 0, b"all").await.expect(StatusCode::NO_CONTENT);
    let last = patch(&says("3"), &path, 3, b"").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(alice.bytes(&node(&last)).await, b"all");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_begin_with_bytes_or_be_all_of_them() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let creating = |name: &str, length: &str| {
        let client = tus(&alice).with("upload-metadata", &metadata(&[("filename", name)]));
        client.with("upload-length", length).with("content-type", OCTETS)
    };
    let whole = send(&creating("a", "5"), Method::POST, "/uploads", b"whole".to_vec()).await;
    let whole = whole.expect(StatusCode::CREATED);
    assert_eq!(
        (&whole.headers["upload-offset"], alice.bytes(&node(&whole)).await),
        (&"5".parse().unwrap(), b"whole".to_vec())
    );
    assert_eq!(alice.get(&place(&whole.headers)).await.text("/node"), node(&whole));

    let half = send(&creating("b", "8"), Method::POST, "/uploads", b"half".to_vec()).await;
    let half = half.expect(StatusCode::CREATED);
    assert_eq!(half.headers["upload-offset"], "4");
    let rest = patch(&alice, &place(&half.headers), 4, b"half").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(alice.bytes(&node(&rest)).await, b"halfhalf");

    let nothing = ask(&alice, Some(0), &[("filename", "c")]).await.expect(StatusCode::CREATED);
    assert_eq!(alice.bytes(&node(&nothing)).await, b"");

    // What is wrong with the bytes does not undo the upload.
    let wrong = creating("d", "4").with("upload-checksum", &format!("sha1 {}", STANDARD.encode([0; 20])));
    let wrong =
        send(&wrong, Method::POST, "/uploads", b"half".to_vec()).await.problem(460, "checksum-differs");
    assert_eq!(offset(&alice, &place(&wrong.headers)).await, 0);

    // The same request, whose answer was lost.
    let again = creating("e", "8").with("idempotency-key", "0123456789abcdef");
    let mut places = Vec::new();
    for _ in 0..2 {
        let made = send(&again, Method::POST, "/uploads", b"half".to_vec()).await.expect(StatusCode::CREATED);
        assert_eq!(made.headers["upload-offset"], "4");
        places.push(place(&made.headers));
    }
    assert_eq!(places[0], places[1]);
    let other = again.with("upload-length", "9");
    send(&other, Method::POST, "/uploads", b"half".to_vec()).await.problem(409, "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense_change_nothing() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let file = alice.file("taken", b"x").await;
    let of = |pairs: &[(&str, &str)]| metadata(pairs);
    let name = ("filename", "a");
    for (length, defer, pairs, status, code) in [
        (None, None, of(&[name]), 400, "field-missing"),
        (Some("1"), Some("1"), of(&[name]), 400, "field-invalid"),
        (None, Some("2"), of(&[name]), 400, "field-invalid"),
        (Some("-1"), None, of(&[name]), 400, "field-invalid"),
        (Some("1"), None, of(&[]), 400, "field-missing"),
        (Some("1"), None, "filename !".to_owned(), 400, "field-invalid"),
        (Some("1"), None, of(&[("filename", "../up")]), 400, "name-invalid"),
        (Some("1"), None, of(&[name, ("parent", "99999")]), 404, "node-not-found"),
        (Some("1"), None, of(&[name, ("parent", &file)]), 409, "not-a-folder"),
        (Some("1"), None, of(&[name, ("on_conflict", "merge")]), 400, "field-invalid"),
        (Some("1"), None, of(&[name, ("sha256", "abc")]), 400, "field-invalid"),
        (Some("1"), None, of(&[("filename", "taken")]), 409, "name-taken"),
    ] {
        let mut client = tus(&alice).with("upload-metadata", &pairs);
        for (field, value) in [("upload-length", length), ("upload-defer-length", defer)] {
            if let Some(value) = value {
                client = client.with(field, value);
            }
        }
        send(&client, Method::POST, "/uploads", Vec::new()).await.problem(status, code);
    }
    assert_eq!(alice.get("/uploads").await.body["rows"], json!([]));

    let path = begin(&alice, Some(10), &[name]).await;
    let bare = tus(&alice).with("content-type", OCTETS);
    send(&bare, Method::PATCH, &path, b"x".to_vec()).await.problem(400, "field-missing");
    for wrong in ["-1", "+0", "x", ""] {
        let client = bare.with("upload-offset", wrong);
        send(&client, Method::PATCH, &path, b"x".to_vec()).await.problem(400, "field-invalid");
    }
    let other = tus(&alice).with("upload-offset", "0").with("content-type", "text/plain");
    send(&other, Method::PATCH, &path, b"x".to_vec()).await.problem(415, "not-octets");
    let reply = patch(&alice, &path, 1, b"x").await.problem(409, "offset-differs");
    assert_eq!(reply.body["offset"], 0);
    let reply = patch(&alice, &path, 0, b"0123456789a").await.problem(413, "file-too-large");
    assert_eq!(reply.body["limit"], 10);
    for gone in ["/uploads/99999", "/uploads/x", "/uploads/'"] {
        patch(&alice, gone, 0, b"x").await.problem(404, "upload-not-found");
        assert_eq!(head(&alice, gone).await.0, StatusCode::NOT_FOUND);
    }
    patch(&bob, &path, 0, b"x").await.problem(404, "upload-not-found");
    bob.get(&path).await.problem(404, "upload-not-found");
    send(&tus(&bob), Method::DELETE, &path, Vec::new()).await.problem(404, "upload-not-found");
    assert_eq!(offset(&alice, &path).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_has_room_or_is_refused() {
    let small = |settings: &mut drive_db::Settings| {
        settings.policy.quota = ByteCount::new(1000);
        settings.policy.file_max = ByteCount::new(2000).unwrap();
    };
    let world = World::storing_with(settings(), small).await;
    let alice = world.user("alice").await;
    let options = send(&alice, Method::OPTIONS, "/uploads", Vec::new()).await;
    assert_eq!(options.headers["tus-max-size"], "2000");
    ask(&alice, Some(2001), &[("filename", "a")]).await.problem(413, "file-too-large");
    ask(&alice, Some(1001), &[("filename", "a")]).await.problem(413, "quota-exceeded");
    let path = begin(&alice, Some(600), &[("filename", "a")]).await;
    ask(&alice, Some(401), &[("filename", "b")]).await.problem(413, "quota-exceeded");
    let unsaid = begin(&alice, None, &[("filename", "c")]).await;
    patch(&alice, &unsaid, 0, &pattern(401)).await.problem(413, "quota-exceeded");
    patch(&alice, &unsaid, 0, &pattern(400)).await.expect(StatusCode::NO_CONTENT);
    patch(&alice, &unsaid, 400, b"x").await.problem(413, "quota-exceeded");
    send(&tus(&alice), Method::DELETE, &path, Vec::new()).await.expect(StatusCode::NO_CONTENT);
    let last = patch(&alice.with("upload-length", "1000"), &unsaid, 400, &pattern(600)).await;
    assert_eq!(alice.bytes(&node(&last)).await.len(), 1000);
}

/// What a drive answers to bytes with a checksum that is not theirs, sent whole or in chunks: the line of its status.
async fn sent_with_a_wrong_checksum(world: &World, client: &Client, path: &str, whole: bool) -> String {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let content = pattern(4 * PIECE_BYTES_MAX);
    let framed = match whole {
        true => format!("content-length: {}", content.len()),
        false => "transfer-encoding: chunked".to_owned(),
    };
    let head = format!(
        "PATCH /api/v1{path} HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\ntus-resumable: 1.0.0\r\n\
         content-type: {OCTETS}\r\nupload-offset: 0\r\nupload-checksum: sha1 {}\r\n{framed}\r\n\r\n",
        client.authorization(),
        STANDARD.encode([0; 20])
    );
    let sending = tokio::spawn(async move {
        writing.write_all(head.as_bytes()).await?;
        if !whole {
            writing.write_all(format!("{:x}\r\n", content.len()).as_bytes()).await?;
        }
        writing.write_all(&content).await?;
        writing.write_all(if whole { b"" } else { b"\r\n0\r\n\r\n" }).await?;
        // Whoever closes has gone.
        Ok::<_, std::io::Error>(writing)
    });
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(Duration::from_secs(30), reading.read_exact(&mut answer)).await;
    read.unwrap().unwrap();
    sending.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upload_without_a_length_stores_aside_has_room_in_the_quota() {
    let quota = 2 * PIECE_BYTES_MAX as u64;
    let world = World::storing_with(settings(), |place| place.policy.quota = ByteCount::new(quota)).await;
    let alice = world.user("alice").await;
    let path = begin(&alice, None, &[("filename", "a")]).await;
    for whole in [true, false] {
        let answer = sent_with_a_wrong_checksum(&world, &alice, &path, whole).await;
        assert_eq!(answer, "HTTP/1.1 413", "whole: {whole}");
        assert_eq!(world.stored(), 0, "whole: {whole}");
    }
    until("free", || async { offset(&alice, &path).await == 0 }).await;
    assert!(world.appended() <= quota, "{}", world.appended());

    // With room for them it is the checksum that is wrong; what has come counts against the quota.
    let some = pattern(PIECE_BYTES_MAX);
    until("free", || async { patch(&alice, &path, 0, b"").await.status == StatusCode::NO_CONTENT }).await;
    patch(&alice, &path, 0, &some).await.expect(StatusCode::NO_CONTENT);
    let wrong = alice.with("upload-checksum", &format!("sha1 {}", STANDARD.encode([0; 20])));
    patch(&wrong, &path, some.len(), &some).await.problem(460, "checksum-differs");
    patch(&alice, &path, some.len(), &some).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_can_be_given_up() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    for (method, field) in [(Method::DELETE, None), (Method::POST, Some("DELETE"))] {
        let path = begin(&alice, Some(10), &[("filename", "a")]).await;
        patch(&alice, &path, 0, b"01234").await.expect(StatusCode::NO_CONTENT);
        let client =
            field.map_or_else(|| tus(&alice), |field| tus(&alice).with("x-http-method-override", field));
        send(&client, method, &path, Vec::new()).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(head(&alice, &path).await.0, StatusCode::NOT_FOUND);
        patch(&alice, &path, 5, b"56789").await.problem(404, "upload-not-found");
        assert_eq!(alice.get("/usage").await.body["reserved"], 0);
    }
    let path = begin(&alice, Some(4), &[("filename", "a")]).await;
    let instead = tus(&alice).with("upload-offset", "0").with("content-type", OCTETS);
    send(&instead, Method::POST, &path, b"post".to_vec()).await.problem(405, "method-unknown");
    let instead = instead.with("x-http-method-override", "PATCH");
    let reply = send(&instead, Method::POST, &path, b"post".to_vec()).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(alice.bytes(&node(&reply)).await, b"post");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_goes_on_with_ends() {
    let world = World::storing().await;
    let (_source, stop) = StopSource::new();
    let alice = world.user("alice").await;
    let path = begin(&alice, Some(10), &[("filename", "a")]).await;
    patch(&alice, &path, 0, b"01234").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(end_over(&world.drive, now(), 10, &stop).await, Ok(0));
    assert_eq!(offset(&alice, &path).await, 5);
    // As if a day had passed.
    let (owner, upload) = ids(&alice, &path).await;
    world.database().await.cancel_upload(owner, upload, &Cause::system(now())).await.unwrap();
    assert_eq!(head(&alice, &path).await.0, StatusCode::GONE);
    patch(&alice, &path, 5, b"56789").await.problem(410, "upload-expired");
    alice.get(&path).await.problem(410, "upload-expired");
    assert_eq!(alice.get("/uploads").await.body["rows"], json!([]));
    assert_eq!(end_over(&world.drive, now(), 10, &stop).await, Ok(1));
    alice.get(&path).await.problem(404, "upload-not-found");
    assert_eq!(alice.get("/usage").await.body["reserved"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_what_it_was_said_to_be_becomes_no_file() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let digest = hex(b"0123456788");
    let path = begin(&alice, Some(10), &[("filename", "a"), ("sha256", &digest)]).await;
    patch(&alice, &path, 0, b"01234").await.expect(StatusCode::NO_CONTENT);
    patch(&alice, &path, 5, b"56789").await.problem(400, "checksum-differs");
    assert_eq!(head(&alice, &path).await.0, StatusCode::NOT_FOUND);
    assert!(alice.names("root").await.is_empty());
    let usage = alice.get("/usage").await.body;
    assert_eq!((&usage["used"], &usage["reserved"]), (&json!(0), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_left_with_all_its_bytes_is_finished_by_the_drive() {
    let world = World::storing().await;
    let (_source, stop) = StopSource::new();
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let path = begin(&alice, Some(5), &[("filename", "a"), ("parent", &folder)]).await;
    patch(&alice, &path, 0, b"all").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(finish_left(&world.drive, now(), 10, &stop).await, Ok(0));
    alice.upload(Method::PUT, &format!("/nodes/{folder}/files/a"), "other").await.expect(StatusCode::CREATED);
    patch(&alice, &path, 3, b"!!").await.problem(409, "name-taken");
    assert_eq!(alice.get(&path).await.body["node"], Value::Null);
    assert_eq!(finish_left(&world.drive, now(), 10, &stop).await, Ok(1));
    assert_eq!(finish_left(&world.drive, now(), 10, &stop).await, Ok(0));
    let file = alice.get(&path).await.text("/node");
    assert_eq!(alice.bytes(&file).await, b"all!!");
    assert_eq!(alice.names(&folder).await, ["a", "a (2)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_may_have_written_is_read_again_before_it_becomes_a_file() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let path = begin(&alice, Some(10), &[("filename", "a")]).await;
    patch(&alice, &path, 0, b"01234").await.expect(StatusCode::NO_CONTENT);
    // A writer that fell asleep two minutes ago.
    let (owner, upload) = ids(&alice, &path).await;
    let asleep = UnixMillis(now().0 - 120_000);
    let five = ByteCount::new(5).unwrap();
    world.database().await.take_upload(owner, upload, 7, five, asleep).await.unwrap();
    let last = patch(&alice, &path, 5, b"56789").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(alice.bytes(&node(&last)).await, b"0123456789");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_client_uploads_and_goes_on() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let folder = tempfile::TempDir::new().unwrap();
    let content = pattern(9_000_001);
    std::fs::write(folder.path().join("content"), &content).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/tus.py");
    let url = format!("http://{}/api/v1/uploads", world.address);
    let token = alice.authorization().to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        testkit::python::run(&script, &[&url, &token, "content"], folder.path())
    });
    ran.await.unwrap().unwrap();
    assert_eq!(alice.names("root").await, ["checked.bin", "resumed.bin", "whole.bin"]);
    for row in alice.get("/nodes/root/children").await.body["rows"].as_array().unwrap() {
        assert!(alice.bytes(row["id"].as_str().unwrap()).await == content, "{row}");
    }
}
