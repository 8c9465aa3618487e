//! Files over HTTP through the other doors: TLS, HTTP/2, uploads; and the log of all of it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use e2e::curl::curl;
use e2e::files::{client, noise, run, upload};
use e2e::http::{Answer, Http, ask};
use fdfs_client::DownloadOptions;
use tempfile::TempDir;
use testkit::cluster::{Cluster, Plan};
use testkit::wait;

const PATIENCE: Duration = Duration::from_secs(60);

/// The name that certificates are for.
const NAME: &str = "files.cairn.test";
const TLS_PORT: u16 = 8443;

fn one(keys: &[(&str, &str)]) -> Cluster {
    Plan::new().http(keys).start().unwrap()
}

/// A certificate and its key, in files.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    fn new() -> Certificate {
        let this = Certificate { folder: tempfile::tempdir().unwrap() };
        this.renew();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        std::fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(self.path("cert.pem"), made.cert.pem()).unwrap();
    }

    /// curl, trusting this certificate alone.
    fn curl(&self, door: SocketAddr, target: &str, arguments: &[&str]) -> anyhow::Result<(Answer, String)> {
        let (trusted, at) = (self.text("cert.pem"), format!("{NAME}:{TLS_PORT}:{}", door.ip()));
        let url = format!("https://{NAME}:{TLS_PORT}{target}");
        curl(&[&["--cacert", &trusted, "--resolve", &at, &url], arguments].concat())
    }
}

fn secure(certificate: &Certificate, more: &[(&str, &str)]) -> Cluster {
    let (cert, key) = (certificate.text("cert.pem"), certificate.text("key.pem"));
    one(&[&[("tls_cert", cert.as_str()), ("tls_key", key.as_str())], more].concat())
}

#[test]
fn tls_and_http_2_answer_as_plain_http_does() {
    let certificate = Certificate::new();
    let cluster = secure(&certificate, &[("max_head_size", "4KB")]);
    let door = cluster.storages[0].http();
    let text = "举头望明月，低头思故乡。\n".repeat(20_000).into_bytes();
    let files = [
        upload(&cluster, "group1", b"small", "bin"),
        upload(&cluster, "group1", &noise(3_000_000), "mp4"),
        upload(&cluster, "group1", &text, "txt"),
        upload(&cluster, "group1", b"", "bin"),
    ];
    let asked: &[&[&str]] = &[
        &[],
        &["--head"],
        &["--header", "Range: bytes=2-3"],
        &["--header", "Range: bytes=1-2,4-"],
        &["--header", "Range: bytes=9000000-"],
        &["--header", "If-None-Match: *"],
        &["--header", "Accept-Encoding: gzip"],
        &["--header", "Accept-Encoding: br"],
        &["--header", "Accept-Encoding: zstd"],
        &["--header", "Accept-Encoding: identity;q=0"],
        &["--request", "OPTIONS"],
        &["--request", "DELETE"],
    ];
    let targets = files.iter().map(|id| format!("/{id}"));
    for target in
        targets.chain(["/group1/M00/00/00/none".to_owned(), format!("/{}?filename=%E4%BD%A0", files[0])])
    {
        for arguments in asked {
            let url = format!("http://{door}{target}");
            let (mut expected, _) = curl(&[&[url.as_str()], *arguments].concat()).unwrap();
            let doors = [
                (certificate.curl(door, &target, &[&["--http1.1"], *arguments].concat()).unwrap(), "1.1"),
                (certificate.curl(door, &target, &[&["--http2"], *arguments].concat()).unwrap(), "2"),
                (curl(&[&["--http2-prior-knowledge", &url], *arguments].concat()).unwrap(), "2"),
            ];
            for ((mut answer, version), wanted) in doors {
                assert_eq!(version, wanted);
                let same = answer.content == expected.content;
                // Each of several parts has a boundary of its own.
                let several = answer.field("content-type").starts_with("multipart/");
                assert!(same || several, "{target} {arguments:?} by {version}");
                for answer in [&mut answer, &mut expected] {
                    for field in ["date", "connection", "transfer-encoding"] {
                        answer.fields.remove(field);
                    }
                    if several {
                        answer.fields.remove("content-type");
                        let len = answer.fields.get("content-length").map(|len| len.parse().unwrap());
                        assert_eq!(len, Some(answer.content.len()));
                    }
                }
                let found = (answer.status, &answer.fields);
                assert_eq!(found, (expected.status, &expected.fields), "{target} {arguments:?} by {version}");
            }
        }
    }
    let long = format!("X: {}", "x".repeat(40_000));
    let refused = certificate.curl(door, &format!("/{}", files[0]), &["--http2", "--header", &long]);
    assert!(refused.is_err() || refused.unwrap().0.status == 431);
}

#[test]
fn text_goes_out_in_each_coding_that_a_client_may_prefer() {
    let cluster = one(&[]);
    let door = cluster.storages[0].http();
    let text = "床前明月光，疑是地上霜。\n".repeat(40_000).into_bytes();
    let target = format!("/{}", upload(&cluster, "group1", &text, "txt"));
    let decoded = |answer: &Answer| {
        let (mut plain, coded) = (Vec::new(), &answer.content[..]);
        match answer.field("content-encoding") {
            "gzip" => flate2::read::GzDecoder::new(coded).read_to_end(&mut plain),
            "br" => brotli::Decompressor::new(coded, 4096).read_to_end(&mut plain),
            "zstd" => zstd::stream::read::Decoder::new(coded).unwrap().read_to_end(&mut plain),
            other => panic!("{other}"),
        }
        .unwrap();
        plain
    };
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
    ] {
        let answer = ask(door, "GET", &target, &[&format!("Accept-Encoding: {accepted}")]).unwrap();
        assert_eq!(answer.field("content-encoding"), coding, "{accepted}");
        assert!(answer.content.len() < text.len() / 10, "{coding}: {}", answer.content.len());
        assert!(decoded(&answer) == text, "{coding}");
    }
    let (answer, _) = curl(&["--compressed", &format!("http://{door}{target}")]).unwrap();
    assert!(answer.content == text);
    let nothing = ask(door, "GET", &target, &["Accept-Encoding: identity;q=0"]).unwrap();
    assert_eq!(nothing.status, 406);
}

#[test]
fn only_so_many_answers_are_compressed_at_once_and_the_others_go_out_as_they_are() {
    /// The gateway's bound.
    const AT_ONCE: usize = 64;
    let cluster = one(&[]);
    let door = cluster.storages[0].http();
    // Text by its name alone: it stays longer than all buffers.
    let target = format!("/{}", upload(&cluster, "group1", &noise(12 << 20), "txt"));
    let small = "读书破万卷，下笔如有神。\n".repeat(1000).into_bytes();
    let other = format!("/{}", upload(&cluster, "group1", &small, "txt"));
    let begin = || {
        let mut http = Http::connect(door).unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n");
        http.send(head.as_bytes()).unwrap();
        http
    };
    let mut waiting: Vec<Http> = (0..AT_ONCE).map(|_| begin()).collect();
    // Nobody else asks before all of them have their places.
    for http in &mut waiting {
        assert_eq!(http.receive_head().unwrap().field("content-encoding"), "zstd");
    }
    let coding = |accepted: &str| {
        let answer = ask(door, "GET", &other, &[&format!("Accept-Encoding: {accepted}")]).unwrap();
        (answer.status, answer.field("content-encoding").to_owned())
    };
    assert_eq!(coding("gzip"), (200, String::new()));
    // Who takes nothing else is told to come again.
    assert_eq!(coding("gzip, identity;q=0").0, 503);
    waiting.clear();
    let free = || (coding("gzip") == (200, "gzip".to_owned())).then_some(());
    wait::until("places are free again", PATIENCE, free).unwrap();
}

#[test]
fn a_new_certificate_is_taken_into_use_and_one_that_is_none_is_not() {
    let certificate = Certificate::new();
    let cluster = secure(&certificate, &[("head_timeout", "1")]);
    let door = cluster.storages[0].http();
    let target = format!("/{}", upload(&cluster, "group1", b"content", "txt"));
    let get = || certificate.curl(door, &target, &[]).map(|(answer, _)| answer.content);
    assert_eq!(get().unwrap(), b"content");

    let (cert, key) = (certificate.path("cert.pem"), certificate.path("key.pem"));
    let (good_cert, good_key) = (std::fs::read(&cert).unwrap(), std::fs::read(&key).unwrap());
    certificate.renew();
    // curl trusts the new one only.
    wait::until("the new certificate is in use", PATIENCE, || get().ok()).unwrap();

    // The key of another: said in the log, and the one in use stays.
    let in_use = std::fs::read(&cert).unwrap();
    std::fs::write(&key, &good_key).unwrap();
    let log = cluster.storages[0].base_path.join("logs/storaged.log");
    let said = || std::fs::read_to_string(&log).ok()?.contains("the old one stays in use").then_some(());
    wait::until("the log says that it can't be used", PATIENCE, said).unwrap();
    assert_eq!(get().unwrap(), b"content");
    std::fs::write(&cert, &good_cert).unwrap();
    wait::until("the first one is in use again", PATIENCE, || get().ok()).unwrap();
    assert_ne!(good_cert, in_use);

    // One who does not begin TLS is let go, and one who speaks something else.
    let tls = SocketAddr::new(door.ip(), TLS_PORT);
    assert!(Http::connect(tls).unwrap().ends());
    let mut plain = Http::connect(tls).unwrap();
    plain.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    assert!(plain.receive(false).is_err());
}

#[test]
fn the_access_log_has_a_line_for_each_request_that_nobody_can_forge() {
    let certificate = Certificate::new();
    let cluster = secure(&certificate, &[("[access-log] enabled", "true")]);
    let door = cluster.storages[0].http();
    let target = format!("/{}", upload(&cluster, "group1", &noise(200_000), "bin"));
    let forged = "User-Agent: a\" 200 \\ \x01";
    assert_eq!(
        ask(door, "GET", &target, &["Range: bytes=0-9", "Referer: http://x/", "User-Agent: t"])
            .unwrap()
            .status,
        206
    );
    assert_eq!(ask(door, "HEAD", &target, &[]).unwrap().status, 200);
    assert_eq!(ask(door, "GET", "/group1/M00/%0a", &[forged.trim_end_matches('\x01')]).unwrap().status, 400);
    assert_eq!(certificate.curl(door, &target, &["--http2", "--user-agent", "c"]).unwrap().0.status, 200);
    let mut http = Http::connect(door).unwrap();
    http.send(b"no request\r\n\r\n").unwrap();
    assert_eq!(http.receive(false).unwrap().status, 400);

    let log = cluster.storages[0].base_path.join("logs/gateway_access.log");
    let lines = wait::until("five lines", PATIENCE, || {
        let lines: Vec<String> = std::fs::read_to_string(&log).ok()?.lines().map(str::to_owned).collect();
        (lines.len() >= 5).then_some(lines)
    })
    .unwrap();
    let expected = [
        format!("\"GET {target} HTTP/1.1\" 206 10 \"http://x/\" \"t\" "),
        format!("\"HEAD {target} HTTP/1.1\" 200 0 \"-\" \"-\" "),
        "\"GET /group1/M00/%0a HTTP/1.1\" 400 15 \"-\" \"a\\x22 200 \\x5C\" ".to_owned(),
        format!("\"GET {target} HTTP/2.0\" 200 200000 \"-\" \"c\" "),
        "\"-\" 400 15 \"-\" \"-\" ".to_owned(),
    ];
    assert_eq!(lines.len(), 5, "{lines:#?}");
    // A line is written when its request has been answered: those of two connections may change places.
    for expected in &expected {
        let found = lines.iter().filter(|line| line.contains(expected.as_str())).count();
        assert_eq!(found, 1, "{expected} in {lines:#?}");
    }
    for line in &lines {
        assert!(line.starts_with("127."), "{line}");
        let took: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(took < 60.0, "{line}");
    }
}

#[test]
fn a_client_that_takes_nothing_is_left_after_a_while() {
    let certificate = Certificate::new();
    let keys = [("send_timeout", "1"), ("[access-log] enabled", "true")];
    let cluster = secure(&certificate, &keys);
    let door = cluster.storages[0].http();
    let content = noise(24 << 20);
    let target = format!("/{}", upload(&cluster, "group1", &content, "bin"));
    let mut http = Http::connect(door).unwrap();
    http.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    let log = cluster.storages[0].base_path.join("logs/gateway_access.log");
    let line = wait::until("it is given up", PATIENCE, || {
        std::fs::read_to_string(&log).ok()?.lines().next().map(str::to_owned)
    })
    .unwrap();
    let sent: usize = line.split(' ').nth(9).unwrap().parse().unwrap();
    assert!(sent > 0 && sent < content.len(), "{line}");
    // What was in the buffers is there, and then the end.
    assert!(http.receive(false).is_err());
    assert!(ask(door, "GET", &target, &[]).unwrap().content == content);
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

#[test]
fn a_client_that_answers_pings_and_takes_nothing_is_left_after_a_while() {
    const ACK: u8 = 1;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    let cluster = one(&[("send_timeout", "1")]);
    let door = cluster.storages[0].http();
    let target = format!("/{}", upload(&cluster, "group1", &noise(200_000), "bin"));
    let mut stream = std::net::TcpStream::connect(door).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // Nothing of a content may be sent (SETTINGS_INITIAL_WINDOW_SIZE).
    said.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    let mut fields = Vec::new();
    for (name, value) in [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", &target)] {
        // Literals without an index (RFC 7541, section 6.2.2).
        fields.extend([0, name.len() as u8]);
        fields.extend(name.bytes());
        fields.push(value.len() as u8);
        fields.extend(value.bytes());
    }
    said.extend(frame(HEADERS, 5, 1, &fields));
    stream.write_all(&said).unwrap();
    let began = std::time::Instant::now();
    let mut answered = false;
    loop {
        assert!(began.elapsed() < PATIENCE, "it is not left");
        let mut head = [0; 9];
        match stream.read_exact(&mut head) {
            Err(error) => break assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it is not left"),
            Ok(()) => answered |= head[3] == HEADERS,
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).unwrap();
        if head[3] == PING && head[4] & ACK == 0 {
            stream.write_all(&frame(PING, ACK, 0, &payload)).unwrap();
        }
    }
    assert!(answered);
}

#[test]
fn who_has_the_key_uploads_over_http_and_nobody_else() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let keys = [("upload_key", KEY), ("upload_max_size", "4MB"), ("send_timeout", "1")];
    let cluster = one(&keys);
    let door = cluster.storages[0].http();
    let url = |query: &str| format!("http://{door}/upload{query}");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (small, large) = (file("小.txt", b"small"), file("large.bin", &noise(3_500_000)));
    let too_large = file("too-large", &noise((4 << 20) + 1));
    let key = format!("Authorization: Bearer {KEY}");
    let send = |query: &str, arguments: &[&str]| {
        curl(&[&["--header", &key, &url(query)], arguments].concat()).unwrap().0
    };
    let binary = |path: &str| format!("@{path}");
    let form = |path: &str| format!("file=@{path}");

    let stored = [
        (send("?ext=txt", &["--data-binary", &binary(&small)]), "txt", &small),
        (send("?filename=a.b.txt", &["--data-binary", &binary(&small)]), "txt", &small),
        (send("", &["--data-binary", &binary(&large)]), "", &large),
        (send("", &["--form", &form(&small)]), "txt", &small),
        (send("?group=group1", &["--form", "other=field", "--form", &form(&large)]), "bin", &large),
        (send("", &["--header", "Transfer-Encoding: chunked", "--data-binary", &binary(&large)]), "", &large),
        (send("", &["--http2-prior-knowledge", "--form", &form(&large)]), "bin", &large),
    ];
    for (answer, ext, path) in stored {
        let said: serde_json::Value = serde_json::from_slice(&answer.content).unwrap();
        assert_eq!(answer.status, 201, "{said}");
        let content = std::fs::read(path).unwrap();
        let id = said["id"].as_str().unwrap();
        assert_eq!(said["size"], content.len());
        assert_eq!(id.rsplit_once('.').map_or("", |(_, ext)| ext), ext);
        assert!(curl(&[said["url"].as_str().unwrap()]).unwrap().0.content == content);
        let id = id.parse().unwrap();
        assert!(run(client(&cluster).download(&id, &DownloadOptions::default())).unwrap() == content);
    }

    let no_key: [&[&str]; 4] = [
        &[],
        &["--header", "Authorization: Bearer 0123456789abcdef0123456789abcdeg"],
        &["--header", "Authorization: Bearer "],
        &["--header", "Authorization: Basic MDEyMzQ1Njc4OWFiY2RlZg=="],
    ];
    for arguments in no_key {
        let url = url("");
        let (answer, _) = curl(&[&["--data-binary", "content", &url], arguments].concat()).unwrap();
        assert_eq!((answer.status, answer.field("www-authenticate")), (401, "Bearer"), "{arguments:?}");
    }
    for (query, arguments, status) in [
        ("", ["--data-binary", &binary(&too_large)], 413),
        ("", ["--form", &form(&too_large)], 413),
        ("", ["--form", "field=no file"], 400),
        ("?group=a/b", ["--data-binary", "content"], 400),
        ("?group=group9", ["--data-binary", "content"], 404),
        ("?ext=toolongext", ["--data-binary", "content"], 400),
    ] {
        let answer = send(query, &arguments);
        let said: serde_json::Value = serde_json::from_slice(&answer.content).unwrap();
        assert_eq!(answer.status, status, "{query} {arguments:?} {said}");
        assert!(said["error"].as_str().is_some_and(|text| !text.is_empty()), "{said}");
    }
    // One that stops in the middle is waited for in vain.
    let mut http = Http::connect(door).unwrap();
    http.send(
        format!("POST /upload HTTP/1.1\r\nHost: a\r\n{key}\r\nContent-Length: 10\r\n\r\nhello").as_bytes(),
    )
    .unwrap();
    assert_eq!(http.receive(false).unwrap().status, 408);
    // Where it is not configured there is no such thing.
    let without = one(&[]);
    let url = format!("http://{}/upload", without.storages[0].http());
    assert_eq!(curl(&["--header", &key, "--data-binary", "content", &url]).unwrap().0.status, 405);
}
