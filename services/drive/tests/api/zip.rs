//! Folders as archives, unpacked by others.

use std::io::{Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use drive::{Limits, ZIPS_AT_ONCE, ZIPS_OF_ONE, router, serve};
use net::{Listener, StopSource, Workers};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::kit::{Client, World, pattern};

/// What Python says is in an archive: names, sizes, times; each file was read and its CRC compared.
const LOOK: &str = r#"
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for info in archive.infolist():
        assert info.flag_bits & 0x800, info
        assert info.compress_type == zipfile.ZIP_STORED, info
    print(json.dumps([[info.filename, info.file_size, list(info.date_time)] for info in archive.infolist()]))
"#;

fn python(script: &str, arguments: &[&Path]) -> String {
    let output = Command::new("python3").arg("-c").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Names in an archive, after two others have found nothing wrong with it.
fn names(bytes: &[u8]) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("archive.zip");
    std::fs::write(&path, bytes).unwrap();
    let rows: Value = serde_json::from_str(&python(LOOK, &[&path])).unwrap();
    rows.as_array().unwrap().iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

async fn zip(client: &Client, path: &str) -> (HeaderMap, Vec<u8>) {
    let (status, headers, bytes) = client.raw(Method::GET, path, "").await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(headers["content-type"], "application/zip");
    assert_eq!(headers["content-length"], bytes.len().to_string());
    (headers, bytes)
}

async fn put(client: &Client, folder: &str, name: &str, bytes: &[u8]) -> String {
    let path = format!("/nodes/{folder}/files/{name}");
    client.upload(Method::PUT, &path, bytes.to_vec()).await.expect(StatusCode::CREATED).text("/id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_unpacked_as_it_was() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let top = alice.folder("root", "照片").await;
    let inner = alice.folder(&top, "空 and more").await;
    alice.folder(&inner, "empty").await;
    let content = pattern(3_000_000);
    put(&alice, &inner, "%E6%8A%A5%E5%91%8A.bin", &content).await;
    put(&alice, &top, "nothing", b"").await;
    put(&alice, &top, "a%3Fb", b"one").await;
    put(&alice, &top, "a%2Ab", b"two").await;

    let path = format!("/nodes/{top}/zip");
    let (headers, bytes) = zip(&alice, &path).await;
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"__.zip\"; filename*=UTF-8''%E7%85%A7%E7%89%87.zip"
    );
    let (status, of_head, nothing) = alice.raw(Method::HEAD, &path, "").await;
    assert_eq!((status, nothing.len()), (StatusCode::OK, 0));
    assert_eq!(of_head["content-length"], headers["content-length"]);
    let mut found = names(&bytes);
    found.sort_unstable();
    let expected = [
        "照片/",
        "照片/a_b",
        "照片/a_b (2)",
        "照片/nothing",
        "照片/空 and more/",
        "照片/空 and more/empty/",
        "照片/空 and more/报告.bin",
    ];
    assert_eq!(found, expected);

    // As Info-ZIP unpacks it.
    let folder = TempDir::new().unwrap();
    let archive = folder.path().join("archive.zip");
    std::fs::write(&archive, &bytes).unwrap();
    let unzip = Command::new("unzip").args(["-q", "-d"]).arg(folder.path()).arg(&archive).output().unwrap();
    assert!(unzip.status.success(), "{unzip:?}");
    let unpacked = folder.path().join("照片");
    assert!(std::fs::read(unpacked.join("空 and more/报告.bin")).unwrap() == content);
    assert!(unpacked.join("空 and more/empty").is_dir());
    let node = alice.get(&format!("/nodes/{inner}/children")).await.body["rows"][1].clone();
    let modified: jiff::Timestamp = node["modified_at"].as_str().unwrap().parse().unwrap();
    let there = std::fs::metadata(unpacked.join("空 and more/报告.bin")).unwrap().modified().unwrap();
    let there = there.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(there as i64, modified.as_second());

    // Of the root what is in it.
    assert_eq!(names(&zip(&alice, "/nodes/root/zip").await.1).len(), 7);
    let bob = world.user("bob").await;
    let (headers, bytes) = zip(&bob, "/nodes/root/zip").await;
    assert_eq!(
        (headers["content-disposition"].to_str().unwrap(), bytes.len()),
        ("attachment; filename=\"files.zip\"", 22)
    );
    assert!(names(&bytes).is_empty());
    bob.get(&path).await.problem(404, "node-not-found");
    world.visitor().get(&path).await.problem(401, "sign-in-needed");
    world.servers.as_ref().unwrap().check_logs(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_are_one_archive() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (one, two) = (alice.folder("root", "one").await, alice.folder("root", "two").await);
    let same = alice.folder(&two, "one").await;
    let file = put(&alice, &one, "file", b"content").await;
    let ask = async |nodes: Value| {
        let body = json!({"nodes": nodes, "name": "some.zip"}).to_string();
        let client = alice.with("content-type", "application/json");
        let (status, headers, bytes) = client.raw(Method::POST, "/zip", body).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(headers["content-disposition"], "attachment; filename=\"some.zip\"");
        names(&bytes)
    };
    assert_eq!(ask(json!([one, same, file, file])).await, ["one/", "one/file", "one (2)/", "file"]);
    // A folder, and what is in it besides.
    assert_eq!(ask(json!([file, one])).await, ["file", "one/", "one/file"]);
    for (nodes, status, code) in [
        (json!([]), 400, "field-invalid"),
        (json!(vec!["1"; 1001]), 400, "field-invalid"),
        (json!([one, "99999"]), 404, "node-not-found"),
        (json!(["root"]), 409, "root-stays"),
        (json!([7]), 400, "body-invalid"),
    ] {
        alice.post("/zip", json!({"nodes": nodes})).await.problem(status, code);
    }
    bob.post("/zip", json!({"nodes": [one]})).await.problem(404, "node-not-found");
    alice.get(&format!("/nodes/{file}/zip")).await.problem(409, "not-a-folder");
}

/// As a browser sends a form of the page, whose answer it saves.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_asks_for_an_archive_too() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let one = alice.folder("root", "one").await;
    put(&alice, &one, "a", b"content").await;
    let file = put(&alice, "root", "b", b"content").await;
    let own = format!("http://{}", world.address);
    let page = alice
        .with("content-type", "application/x-www-form-urlencoded")
        .with("sec-fetch-site", "same-origin")
        .with("origin", &own);
    let form = format!("nodes={one}&nodes={file}&name=%E7%85%A7%E7%89%87+1.zip");
    let (status, headers, bytes) = page.raw(Method::POST, "/zip", form.clone()).await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(names(&bytes), ["one/", "one/a", "b"]);
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"__ 1.zip\"; filename*=UTF-8''%E7%85%A7%E7%89%87%201.zip"
    );
    assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'self'; sandbox");
    let many = "nodes=1&".repeat(1001);
    for (body, status, code) in [
        ("", 400, "field-invalid"),
        ("name=a.zip", 400, "field-invalid"),
        (&many, 400, "field-invalid"),
        (&format!("nodes={one}&other=1"), 400, "body-invalid"),
        (&format!("nodes={one}&name=a&name=b"), 400, "body-invalid"),
        (&format!("nodes={one}&name=a%2Fb"), 400, "name-invalid"),
        ("nodes=99999", 404, "node-not-found"),
        (&"x".repeat(70_000), 413, "body-too-large"),
    ] {
        page.upload(Method::POST, "/zip", body.to_owned()).await.problem(status, code);
    }
    let evil = alice
        .with("content-type", "application/x-www-form-urlencoded")
        .with("sec-fetch-site", "cross-site")
        .with("origin", "https://evil.example");
    evil.upload(Method::POST, "/zip", form.clone()).await.problem(403, "cross-origin");
    let plain = alice.with("content-type", "text/plain");
    plain.upload(Method::POST, "/zip", form).await.problem(415, "not-json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_folder_is_an_archive_for_who_passes_its_gate() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let top = alice.folder("root", "shared").await;
    let inner = alice.folder(&top, "inner").await;
    let file = put(&alice, &inner, "file", b"content").await;
    let beside = alice.folder("root", "private").await;
    let share = async |node: &str, terms: Value| {
        let made = alice.post(&format!("/nodes/{node}/shares"), terms).await.expect(StatusCode::CREATED);
        (made.text("/id"), format!("/public/shares/{}", made.text("/token")))
    };
    let (id, link) = share(&top, json!({"downloads": 1})).await;
    let visitor = world.visitor();
    let whole = format!("{link}/zip");
    let (status, ..) = visitor.raw(Method::HEAD, &whole, "").await;
    assert_eq!(status, StatusCode::OK);
    let downloads = async || alice.get(&format!("/shares/{id}")).await.body["downloads"].clone();
    assert_eq!(downloads().await, 0);
    assert_eq!(names(&zip(&visitor, &whole).await.1), ["shared/", "shared/inner/", "shared/inner/file"]);
    assert_eq!(downloads().await, 1);
    // In the hour it goes on.
    let part = format!("{link}/nodes/{inner}/zip");
    assert_eq!(names(&zip(&visitor, &part).await.1), ["inner/", "inner/file"]);
    assert_eq!(downloads().await, 1);
    visitor.with("user-agent", "another").get(&whole).await.problem(410, "share-used-up");
    visitor.get(&format!("{link}/nodes/{beside}/zip")).await.problem(410, "share-unavailable");
    visitor.get(&format!("{link}/nodes/{file}/zip")).await.problem(409, "not-a-folder");
    let (_, coded) = share(&top, json!({"code": {"chosen": "abcd"}})).await;
    for path in [format!("{coded}/zip"), format!("{coded}/nodes/{inner}/zip")] {
        visitor.get(&path).await.problem(401, "share-code-needed");
    }
    let (_, of_file) = share(&file, json!({})).await;
    visitor.get(&format!("{of_file}/zip")).await.problem(409, "not-a-folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_whose_bytes_break_off_is_none() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let top = alice.folder("root", "top").await;
    for (name, size) in [("a", 1000), ("b", 3_000_000), ("c", 1000)] {
        put(&alice, &top, name, &pattern(size)).await;
    }
    let path = format!("/nodes/{top}/zip");
    // Before the first byte it is another answer.
    world.readable(0);
    let (status, ..) = alice.raw(Method::GET, &path, "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    world.readable(2_000_000);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "GET /api/v1{path} HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\n\r\n",
        alice.authorization()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let at = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = (String::from_utf8(answer[..at].to_vec()).unwrap(), &answer[at..]);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(body.len() < length.parse().unwrap(), "{} of {length}", body.len());
    assert!(!body.windows(4).any(|bytes| bytes == b"PK\x05\x06"));
    // Its place is free again.
    world.readable(u64::MAX);
    for _ in 0..=ZIPS_AT_ONCE {
        zip(&alice, &path).await;
    }
}

/// Asks for an archive and reads no more than that it comes.
async fn stalled(address: SocketAddr, path: &str, fields: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let head = format!("GET /api/v1{path} HTTP/1.1\r\nhost: drive\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

/// A folder with more than connections hold that nobody reads from.
async fn long_folder(client: &Client) -> String {
    let top = client.folder("root", "top").await;
    put(client, &top, "long", &pattern(12_000_000)).await;
    top
}

async fn comes(client: &Client, path: &str) {
    let wait = async {
        while client.raw(Method::GET, path, "").await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_archives_are_sent_at_once_and_some_of_them_to_one() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let top = long_folder(&alice).await;
    let made = alice.post(&format!("/nodes/{top}/shares"), json!({})).await.expect(StatusCode::CREATED);
    let path = format!("/public/shares/{}/zip", made.text("/token"));
    let mut askers = Vec::new();
    for number in 1..ZIPS_AT_ONCE / ZIPS_OF_ONE {
        askers.push(world.user(&format!("asker{number}")).await);
    }
    let mut held = Vec::new();
    for _ in 0..ZIPS_OF_ONE {
        held.push(stalled(world.address, &path, "").await);
    }
    // Visitors from one address are one, whatever they show.
    let visitor = world.visitor();
    visitor.with("user-agent", "another").get(&path).await.problem(429, "rate-limited");
    zip(&bob, &path).await;
    for asker in &askers {
        let fields = format!("authorization: {}\r\n", asker.authorization());
        for _ in 0..ZIPS_OF_ONE {
            held.push(stalled(world.address, &path, &fields).await);
        }
    }
    bob.get(&path).await.problem(429, "rate-limited");
    let (status, ..) = bob.raw(Method::HEAD, &path, "").await;
    assert_eq!(status, StatusCode::OK);
    // Whoever goes gives its place back.
    drop(held);
    comes(&bob, &path).await;
    comes(&visitor, &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_nobody_reads_gives_its_place_back() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let path = format!("/nodes/{}/zip", long_folder(&alice).await);
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = listener.addr();
    let limits = Limits { send_timeout: Duration::from_secs(1), ..Limits::default() };
    let (_source, stop) = StopSource::new();
    let router = router(Arc::clone(&world.drive)).unwrap();
    tokio::spawn(serve(router, Arc::new(Workers::here()), vec![listener], limits, Arc::default(), stop));
    let fields = format!("authorization: {}\r\n", alice.authorization());
    let mut held = Vec::new();
    for _ in 0..ZIPS_OF_ONE {
        held.push(stalled(address, &path, &fields).await);
    }
    comes(&alice, &path).await;
}

#[test]
fn others_read_what_does_not_fit_32_bits() {
    use drive_core::zip::{Entry, end, length};
    use drive_core::{ByteCount, UnixMillis};
    let size = 5_000_000_000;
    let modified = UnixMillis(1_709_209_798_000);
    let entries = [
        Entry::of("long".to_owned(), ByteCount::new(size), modified),
        Entry::of("behind".to_owned(), ByteCount::new(4), modified),
    ];
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("archive.zip");
    // A hole: nobody writes it, and nobody reads it.
    let mut file = std::fs::File::create(&path).unwrap();
    let mut lines = Vec::new();
    for (entry, (bytes, crc32)) in entries.iter().zip([(None, 0), (Some(b"here"), 0xb11b_8798)]) {
        let offset = file.stream_position().unwrap();
        file.write_all(&entry.head()).unwrap();
        match bytes {
            Some(bytes) => file.write_all(bytes).unwrap(),
            None => drop(file.seek(SeekFrom::Current(size as i64)).unwrap()),
        }
        file.write_all(&entry.descriptor(crc32)).unwrap();
        lines.extend(entry.directory(crc32, offset));
    }
    let at = file.stream_position().unwrap();
    file.write_all(&lines).unwrap();
    file.write_all(&end(2, at, lines.len() as u64)).unwrap();
    assert_eq!(file.stream_position().unwrap(), length(&entries));
    let script = r#"
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    print([(i.filename, i.file_size, i.header_offset > 2**32, i.date_time) for i in archive.infolist()])
    print(archive.read("behind"))
"#;
    let expected = "[('long', 5000000000, False, (2024, 2, 29, 12, 29, 58)), \
                    ('behind', 4, True, (2024, 2, 29, 12, 29, 58))]\nb'here'\n";
    assert_eq!(python(script, &[&path]), expected);
}
