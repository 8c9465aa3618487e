//! The bytes of files over API v1.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use drive::{LONG_UPLOADS_AT_ONCE, LONG_UPLOADS_OF_ONE, SHORT_BYTES_MAX};
use drive_core::ByteCount;
use drive_core::ports::PIECE_BYTES_MAX;
use futures_util::stream;
use reqwest::{Body, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use testkit::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{Client, Reply, World, pattern, settings, until};

/// A body whose length nobody says.
fn unsaid(bytes: &[u8], piece: usize) -> Body {
    let pieces: Vec<_> =
        bytes.chunks(piece).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    Body::wrap_stream(stream::iter(pieces))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_comes_back_whether_its_length_was_said_or_not() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let mut total = 0;
    for (number, size) in [0, 1, 1000, PIECE_BYTES_MAX - 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 9_000_000]
        .into_iter()
        .enumerate()
    {
        let content = pattern(size);
        for (said, body) in [("said", Body::from(content.clone())), ("unsaid", unsaid(&content, 100_000))] {
            let name = format!("{said}-{number}.bin");
            let made = alice.upload(Method::PUT, &format!("/nodes/root/files/{name}"), body).await;
            let made = made.expect(StatusCode::CREATED);
            assert_eq!(made.body["size"], size, "{name}");
            assert!(alice.bytes(&made.text("/id")).await == content, "{name}");
            total += size;
        }
    }
    assert_eq!(alice.get("/usage").await.body["used"], total);
    world.servers.as_ref().unwrap().check_logs(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_brings_one_file_under_its_own_name() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let client = alice.with("content-type", "multipart/form-data; boundary=x");
    let form = |name: &str, bytes: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
             --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{bytes}\r\n--x--\r\n"
        )
    };
    let path = format!("/nodes/{folder}/files");
    let made =
        client.upload(Method::POST, &path, form("报告.txt", "content")).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/name"), made.text("/parent")), ("报告.txt".to_owned(), folder.clone()));
    assert_eq!(alice.bytes(&made.text("/id")).await, b"content");
    let both = format!("{path}?on_conflict=keep-both");
    let second = client.upload(Method::POST, &both, form("报告.txt", "")).await.expect(StatusCode::CREATED);
    assert_eq!((second.text("/name"), &second.body["size"]), ("报告 (2).txt".to_owned(), &json!(0)));

    for (body, status, code) in [
        (form("报告.txt", "x"), 409, "name-taken"),
        (form("../up", "x"), 400, "name-invalid"),
        (
            "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n".to_owned(),
            400,
            "field-missing",
        ),
        (
            "--x\r\ncontent-disposition: form-data; name=\"f\"; filename=\"cut\"\r\n\r\nhalf".to_owned(),
            400,
            "form-invalid",
        ),
        ("no form".to_owned(), 400, "form-invalid"),
    ] {
        client.upload(Method::POST, &path, body).await.problem(status, code);
    }
    alice.upload(Method::POST, &path, "x").await.problem(415, "not-a-form");
    assert_eq!(alice.names(&folder).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_bytes_are_stored_once_and_counted_for_each() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let content = pattern(50_000);
    let (first, second) = (alice.file("a", &content).await, bob.file("b", &content).await);
    alice.file("again", &content).await;
    assert_eq!(alice.get("/usage").await.body["used"], 100_000);
    assert_eq!(bob.get("/usage").await.body["used"], 50_000);
    let entry = alice.delete(&format!("/nodes/{first}")).await.text("/trash");
    alice.delete(&format!("/trash/{entry}")).await.expect(StatusCode::NO_CONTENT);
    assert!(bob.bytes(&second).await == content);
    alice.get(&format!("/nodes/{second}/content")).await.problem(404, "node-not-found");
    assert_eq!(alice.get("/usage").await.body["used"], 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_conditions_are_answered_as_http_says() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let content = pattern(10_000);
    let file = alice.file("%E7%85%A7%E7%89%87.jpg", &content).await;
    let path = format!("/nodes/{file}/content");
    let (status, headers, bytes) = alice.raw(Method::GET, &path, "").await;
    assert!(status == StatusCode::OK && bytes == content);
    let tag = headers["etag"].to_str().unwrap();
    let digest: String = Sha256::digest(&content)[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(tag, format!("\"{digest}\""));
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("content-length", "10000"),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'self'; sandbox"),
        ("content-disposition", "inline; filename=\"__.jpg\"; filename*=UTF-8''%E7%85%A7%E7%89%87.jpg"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    let (status, of_head, bytes) = alice.raw(Method::HEAD, &path, "").await;
    assert!(status == StatusCode::OK && bytes.is_empty());
    assert_eq!(
        (&of_head["content-length"], &of_head["etag"]),
        (&headers["content-length"], &headers["etag"])
    );

    for (field, status, range, expected) in [
        ("bytes=0-0", 206, Some("bytes 0-0/10000"), &content[..1]),
        ("bytes=100-199", 206, Some("bytes 100-199/10000"), &content[100..200]),
        ("bytes=-5", 206, Some("bytes 9995-9999/10000"), &content[9995..]),
        ("bytes=9990-99999", 206, Some("bytes 9990-9999/10000"), &content[9990..]),
        ("lines=1-2", 200, None, &content[..]),
    ] {
        let (got, headers, bytes) = alice.with("range", field).raw(Method::GET, &path, "").await;
        assert_eq!(got.as_u16(), status, "{field}");
        assert_eq!(headers.get("content-range").map(|value| value.to_str().unwrap()), range, "{field}");
        assert!(bytes == expected, "{field}");
    }
    let beyond = alice.with("range", "bytes=10000-").get(&path).await.problem(416, "range-missing");
    assert_eq!(beyond.headers["content-range"], "bytes */10000");

    let (status, headers, bytes) =
        alice.with("range", "bytes=0-1,9998-9999").raw(Method::GET, &path, "").await;
    assert_eq!(status, StatusCode::PARTIAL_CONTENT);
    assert!(headers["content-type"].to_str().unwrap().starts_with("multipart/byteranges; boundary="));
    assert_eq!(headers["content-length"].to_str().unwrap(), bytes.len().to_string());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("bytes 0-1/10000") && text.contains("bytes 9998-9999/10000"), "{text}");

    for (name, value, status) in [
        ("if-none-match", tag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-match", tag, 200),
        ("if-match", "\"other\"", 412),
    ] {
        let (got, ..) = alice.with(name, value).raw(Method::GET, &path, "").await;
        assert_eq!(got.as_u16(), status, "{name}: {value}");
    }
    for (validator, status) in [(tag, 206), ("\"other\"", 200)] {
        let client = alice.with("range", "bytes=0-0").with("if-range", validator);
        assert_eq!(client.raw(Method::GET, &path, "").await.0.as_u16(), status, "{validator}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_run_in_a_browser_is_saved() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    for (name, media_type, way) in [
        ("page.html", "application/octet-stream", "attachment"),
        ("drawing.svg", "image/svg+xml", "attachment"),
        ("script.js", "application/octet-stream", "attachment"),
        ("notes.txt", "text/plain; charset=utf-8", "inline"),
        ("paper.pdf", "application/pdf", "inline"),
    ] {
        let file = alice.file(name, b"<script>alert(1)</script>").await;
        let path = format!("/nodes/{file}/content");
        let (_, headers, _) = alice.raw(Method::GET, &path, "").await;
        assert_eq!(headers["content-type"], media_type, "{name}");
        assert!(headers["content-disposition"].to_str().unwrap().starts_with(way), "{name}");
        let (_, headers, _) = alice.raw(Method::GET, &format!("{path}?save=true"), "").await;
        assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_they_were_said_to_be_become_no_file() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let digest = |bytes: &[u8]| format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)));
    for (name, field, result) in [
        ("right", digest(b"content"), Ok(())),
        ("among others", format!("sha-512=:AA==:, {}", digest(b"content")), Ok(())),
        ("wrong", digest(b"other"), Err("checksum-differs")),
        ("short", "sha-256=:AA==:".to_owned(), Err("field-invalid")),
    ] {
        let client = alice.with("content-digest", &field);
        let reply: Reply = client.upload(Method::PUT, &format!("/nodes/root/files/{name}"), "content").await;
        match result {
            Ok(()) => drop(reply.expect(StatusCode::CREATED)),
            Err(code) => drop(reply.problem(400, code)),
        }
    }
    assert_eq!(alice.names("root").await, ["among others", "right"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_more_than_there_is_room_for_is_told_before_it_is_stored() {
    let small = |settings: &mut drive_db::Settings| {
        settings.policy.quota = ByteCount::new(1000);
        settings.policy.file_max = ByteCount::new(2000).unwrap();
    };
    // With the cluster away: no byte may be needed to refuse.
    let world = World::on(crate::kit::away(), settings(), small).await;
    let alice = world.user("alice").await;
    let (quota, size, away) =
        ((507, "quota-exceeded"), (413, "file-too-large"), (503, "blob-store-unavailable"));
    // Of a length that nobody says the quota is what is passed first.
    for (length, said, not_said) in [(1001, quota, quota), (2001, size, quota), (1000, away, away)] {
        let bytes = pattern(length);
        for (body, (status, code)) in [(Body::from(bytes.clone()), said), (unsaid(&bytes, 300), not_said)] {
            let reply = alice.upload(Method::PUT, "/nodes/root/files/a", body).await;
            let reply = reply.problem(status, code);
            assert_eq!(reply.body.get("limit"), (status == 413).then_some(&json!(2000)), "{length}");
        }
    }
    assert_eq!(alice.get("/usage").await.body["used"], Value::from(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_becomes_no_file() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    for (name, head, body) in [
        ("said", "content-length: 5000000", pattern(3_000_000)),
        ("unsaid", "transfer-encoding: chunked", [b"4c4b40\r\n".to_vec(), pattern(4_900_000)].concat()),
    ] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let head = format!(
            "PUT /api/v1/nodes/root/files/{name} HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\n{head}\r\n\r\n",
            alice.authorization()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(alice.names("root").await.is_empty());
    assert_eq!(alice.get("/usage").await.body["used"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_needs_a_folder_of_ones_own_and_a_free_name() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let folder = alice.folder("root", "folder").await;
    let file = alice.file("file", b"x").await;
    for (client, path, status, code) in [
        (&bob, format!("/nodes/{folder}/files/a"), 404, "node-not-found"),
        (&alice, format!("/nodes/{file}/files/a"), 409, "not-a-folder"),
        (&alice, "/nodes/root/files/file".to_owned(), 409, "name-taken"),
        (&alice, "/nodes/root/files/a%2Fb".to_owned(), 400, "name-invalid"),
        (&alice, "/nodes/root/files/file?on_conflict=merge".to_owned(), 400, "query-invalid"),
        (&world.visitor(), "/nodes/root/files/a".to_owned(), 401, "sign-in-needed"),
    ] {
        client.upload(Method::PUT, &path, "bytes").await.problem(status, code);
    }
    alice.get(&format!("/nodes/{folder}/content")).await.problem(409, "not-a-file");
    let replaced = alice.upload(Method::PUT, "/nodes/root/files/file?on_conflict=replace", "new").await;
    assert_eq!(alice.bytes(&replaced.expect(StatusCode::CREATED).text("/id")).await, b"new");
    assert_eq!(alice.get("/trash").await.text("/rows/0/node/id"), file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_sent_again_with_its_key_is_the_same_file() {
    for world in [World::storing().await, World::working(|_| {}).await] {
        let alice = world.user("alice").await.with("idempotency-key", "1");
        let send = async |name: &str, content: &'static str| {
            alice.upload(Method::PUT, &format!("/nodes/root/files/{name}"), content).await
        };
        let first = send("a.txt", "content").await.expect(StatusCode::CREATED).text("/id");
        assert_eq!(send("a.txt", "content").await.expect(StatusCode::CREATED).text("/id"), first);
        send("a.txt", "other").await.problem(409, "idempotency-key-reused");
        send("b.txt", "content").await.problem(409, "idempotency-key-reused");
        assert_eq!(alice.names("root").await, ["a.txt"]);
        assert_eq!(world.drive.check().await.unwrap(), []);
    }
}

/// The drive's database, which is kept from writing.
async fn locked(world: &World) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(world.folder.path().join("drive.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_that_was_not_made_no_bytes_stay() {
    let hurried = |place: &mut drive_db::Settings| {
        place.deadlines.lock = Duration::from_millis(200);
        place.deadlines.step = Duration::from_millis(500);
    };
    let world = World::storing_with(settings(), hurried).await;
    let alice = world.user("alice").await.with("idempotency-key", "1");
    let mut lock = locked(&world).await;
    let sent = alice.upload(Method::PUT, "/nodes/root/files/a.txt", "content").await;
    sent.problem(503, "database-unavailable");
    assert_eq!(world.stored(), 0);
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    let sent = alice.upload(Method::PUT, "/nodes/root/files/a.txt", "content").await;
    sent.expect(StatusCode::CREATED);
    assert_eq!(world.stored(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_bytes_are_here_is_made_although_its_client_goes() {
    let world = World::storing_with(settings(), |place| place.deadlines.lock = wait::READY).await;
    let alice = world.user("alice").await;
    for (number, key) in ["", "idempotency-key: 1\r\n"].into_iter().enumerate() {
        let mut lock = locked(&world).await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let head = format!(
            "PUT /api/v1/nodes/root/files/{number} HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\n{key}\
             content-length: 7\r\n\r\ncontent",
            alice.authorization()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        until("its bytes are here", async || (world.stored() == 1 + number as u64).then_some(())).await;
        drop(stream);
        // The drive sees that it went.
        tokio::time::sleep(Duration::from_millis(200)).await;
        sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
        let name = number.to_string();
        until("the file is there", async || alice.names("root").await.contains(&name).then_some(())).await;
    }

    // The store has them, and has not said so.
    let held = world.answers.lock().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "PUT /api/v1/nodes/root/files/last HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\n\
         content-length: 7\r\n\r\ncontent",
        alice.authorization()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    until("its bytes are here", async || (world.stored() == 3).then_some(())).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(held);
    let last = "last".to_owned();
    until("the file is there", async || alice.names("root").await.contains(&last).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_file_is_taken_while_all_places_for_long_ones_are_taken() {
    let world = World::storing().await;
    let (alice, bob, admin) = (world.user("alice").await, world.user("bob").await, world.admin().await);
    let receiving = async || admin.get("/admin/overview").await.body["receiving"].as_u64().unwrap() as usize;
    let put = async |client: &Client, name: &str, bytes: u64| {
        client.upload(Method::PUT, &format!("/nodes/root/files/{name}"), pattern(bytes as usize)).await
    };
    let mut senders = vec![alice.clone()];
    for number in 1..LONG_UPLOADS_AT_ONCE / LONG_UPLOADS_OF_ONE {
        senders.push(world.user(&format!("sender{number}")).await);
    }
    let mut long = Vec::new();
    for number in 0..LONG_UPLOADS_AT_ONCE {
        let sender = &senders[number / LONG_UPLOADS_OF_ONE];
        if number == LONG_UPLOADS_OF_ONE {
            // One has as many as one may have. Others have theirs.
            until("one has places", async || (receiving().await == number).then_some(())).await;
            put(&alice, "long", SHORT_BYTES_MAX + 1).await.problem(429, "rate-limited");
            put(&alice, "beside", SHORT_BYTES_MAX).await.expect(StatusCode::CREATED);
            put(&bob, "long", SHORT_BYTES_MAX + 1).await.expect(StatusCode::CREATED);
        }
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let head = format!(
            "PUT /api/v1/nodes/root/files/{number} HTTP/1.1\r\nhost: drive\r\nauthorization: {}\r\n\
             content-length: {}\r\n\r\n",
            sender.authorization(),
            SHORT_BYTES_MAX + 1
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        long.push(stream);
    }
    until("all have places", async || (receiving().await == LONG_UPLOADS_AT_ONCE).then_some(())).await;
    let refused = put(&bob, "longer", SHORT_BYTES_MAX + 1).await.problem(429, "rate-limited");
    assert_eq!(refused.headers["retry-after"], "1");
    put(&bob, "short", SHORT_BYTES_MAX).await.expect(StatusCode::CREATED);
    drop(long.pop());
    until("one has left", async || (receiving().await < LONG_UPLOADS_AT_ONCE).then_some(())).await;
    put(&bob, "longer", SHORT_BYTES_MAX + 1).await.expect(StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_to_be_saved_has_its_name_in_any_script() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let file = alice.file("%E7%85%A7%E7%89%87%20%22a%22.jpg", b"x").await;
    let (_, headers, _) = alice.raw(Method::GET, &format!("/nodes/{file}/content?save=true"), "").await;
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"__ _a_.jpg\"; filename*=UTF-8''%E7%85%A7%E7%89%87%20%22a%22.jpg"
    );
}

/// The page shows them: by elements that fetch, which ask for no permission, and by reading them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_in_the_page_has_its_type_and_can_do_nothing_there() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let sandboxed = "default-src 'none'; frame-ancestors 'self'; sandbox";
    for (name, media_type, way) in [
        ("a.jpg", "image/jpeg", "inline"),
        ("a.webp", "image/webp", "inline"),
        ("a.mp4", "video/mp4", "inline"),
        ("a.webm", "video/webm", "inline"),
        ("a.mp3", "audio/mpeg", "inline"),
        ("a.md", "text/plain; charset=utf-8", "inline"),
        ("a.svg", "image/svg+xml", "attachment"),
        ("a.html", "application/octet-stream", "attachment"),
        ("a.xml", "application/octet-stream", "attachment"),
        ("a.pdf", "application/pdf", "inline"),
    ] {
        let file = alice.file(name, b"0123456789").await;
        let path = format!("/nodes/{file}/content");
        // As a player asks.
        let (status, headers, part) = alice.with("range", "bytes=3-").raw(Method::GET, &path, "").await;
        assert_eq!((status, &part[..]), (StatusCode::PARTIAL_CONTENT, &b"3456789"[..]), "{name}");
        assert_eq!(headers["content-type"], media_type, "{name}");
        assert!(headers["content-disposition"].to_str().unwrap().starts_with(way), "{name}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{name}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{name}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        match name {
            // Browsers show no PDF in a sandbox; in their viewers it reaches nothing of a page.
            "a.pdf" => assert_eq!(policy, "default-src 'none'; object-src 'self'; frame-ancestors 'self'"),
            _ => assert_eq!(policy, sandboxed, "{name}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recent_files_are_there_in_pages_with_their_folders() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let folder = alice.folder("root", "plans").await;
    for number in 0..3 {
        alice.file(&format!("{number}.txt"), b"x").await;
    }
    let path = format!("/nodes/{folder}/files/last.txt");
    let last = alice.upload(Method::PUT, &path, "x").await.text("/id");
    let gone = alice.file("gone.txt", b"x").await;
    alice.delete(&format!("/nodes/{gone}")).await.expect(StatusCode::OK);
    let page = alice.get("/recent?limit=3").await.expect(StatusCode::OK);
    assert_eq!(page.names(), ["last.txt", "2.txt", "1.txt"]);
    assert_eq!(page.body["rows"][0]["folder"], "plans");
    assert_eq!(
        (&page.body["rows"][0]["parent"], &page.body["rows"][1]["folder"]),
        (&json!(folder), &json!(null))
    );
    let rest = alice.get(&format!("/recent?limit=3&cursor={}", page.text("/next"))).await;
    assert_eq!((rest.names(), &rest.body["next"]), (vec!["0.txt".to_owned()], &Value::Null));
    alice.delete(&format!("/nodes/{folder}")).await.expect(StatusCode::OK);
    assert_eq!(alice.get("/recent").await.names(), ["2.txt", "1.txt", "0.txt"]);
    assert!(bob.get("/recent").await.names().is_empty());
    bob.get(&format!("/nodes/{last}")).await.problem(404, "node-not-found");
    let other = alice.get("/search?q=txt&limit=1").await.text("/next");
    alice.get(&format!("/recent?cursor={other}")).await.problem(400, "cursor-invalid");
    alice.get("/recent?limit=0").await.problem(400, "field-invalid");
    world.visitor().get("/recent").await.problem(401, "sign-in-needed");
}
