//! Files over HTTP, from real clusters.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use e2e::files::{client, entry, member, noise, run, serving, upload, upload_as};
use e2e::http::{Answer, Http, ask};
use fdfs_client::{GroupName, Metadata, StorageStatus, UploadOptions};
use testkit::cluster::{Cluster, Plan};
use testkit::wait;

const PATIENCE: Duration = Duration::from_secs(60);

fn get(address: SocketAddr, target: &str) -> Answer {
    ask(address, "GET", target, &[]).unwrap()
}

/// One tracker, one storage.
fn one(keys: &[(&str, &str)]) -> Cluster {
    Plan::new().http(keys).start().unwrap()
}

#[test]
fn every_storage_and_a_gateway_by_itself_serve_the_files_of_every_group() {
    let plan = Plan::new().groups(&[("group1", 2), ("group2", 2)]).storage_key("heart_beat_interval", 1);
    let mut cluster = plan.http(&[]).start().unwrap();
    serving(&cluster, &["group1", "group2"], 2);
    let small = "今天天气很好\n".repeat(10).into_bytes();
    let large = noise(3_000_000);
    let mut files = Vec::new();
    for group in ["group1", "group2"] {
        for (content, ext) in [(&small, "txt"), (&large, "mp4"), (&Vec::new(), "bin")] {
            files.push((upload(&cluster, group, content, ext), content.clone()));
        }
        files.push((upload_as(&cluster, group, &small, "log", true), small.clone()));
    }
    let mut gateway = cluster.gateway(&[]).unwrap();
    let doors: Vec<SocketAddr> =
        cluster.storages.iter().map(|node| node.http()).chain([gateway.address()]).collect();
    for door in &doors {
        let mut http = Http::connect(*door).unwrap();
        for (id, content) in &files {
            let target = format!("/{id}");
            let answer = http.ask("GET", &target, &[]).unwrap();
            assert_eq!((answer.status, answer.content == *content), (200, true), "{door} {id}");
            let mut head = http.ask("HEAD", &target, &[]).unwrap();
            head.fields.insert("date".to_owned(), answer.field("date").to_owned());
            assert_eq!(head.fields, answer.fields, "{door} {id}");
            if content.len() > 200_000 {
                let part = http.ask("GET", &target, &["Range: bytes=100000-2000000"]).unwrap();
                assert_eq!((part.status, part.content == content[100_000..=2_000_000]), (206, true));
            }
        }
    }
    // The same tag from each: whichever a client asks, what it has is still right.
    let tags = doors.iter().map(|door| get(*door, &format!("/{}", files[0].0)).field("etag").to_owned());
    assert_eq!(tags.collect::<std::collections::BTreeSet<_>>().len(), 1);

    // One storage of the other group goes: the doors go on.
    let (id, content) = &files[5];
    assert_eq!(id.group.as_str(), "group2");
    cluster.storages[3].kill().unwrap();
    for door in [doors[0], doors[4]] {
        let answer = get(door, &format!("/{id}"));
        assert_eq!((answer.status, answer.content == *content), (200, true), "{door}");
    }
    assert!(gateway.stop().is_ok());
}

#[test]
fn what_is_asked_for_is_answered_as_the_rfcs_say() {
    let cluster = one(&[]);
    let door = cluster.storages[0].http();
    let content = noise(1000);
    let id = upload(&cluster, "group1", &content, "bin");
    let target = format!("/{id}");
    let whole = get(door, &target);
    let (tag, time) = (whole.field("etag").to_owned(), whole.field("last-modified").to_owned());
    assert_eq!(whole.field("accept-ranges"), "bytes");
    assert_eq!(whole.field("cache-control"), "public, max-age=31536000, immutable");
    let (tag_is, time_is) = (format!("If-None-Match: {tag}"), format!("If-Modified-Since: {time}"));
    let if_range = format!("If-Range: {tag}");
    // Method, fields, status, content or its place in the file, Content-Range.
    type Row<'a> = (&'a str, &'a [&'a str], u16, Option<std::ops::Range<usize>>, &'a str);
    let table: &[Row<'_>] = &[
        ("GET", &["Range: bytes=0-0"], 206, Some(0..1), "bytes 0-0/1000"),
        ("GET", &["Range: bytes=990-"], 206, Some(990..1000), "bytes 990-999/1000"),
        ("GET", &["Range: bytes=-10"], 206, Some(990..1000), "bytes 990-999/1000"),
        ("GET", &["Range: bytes=-5000"], 206, Some(0..1000), "bytes 0-999/1000"),
        ("GET", &["Range: bytes=10-5000"], 206, Some(10..1000), "bytes 10-999/1000"),
        ("GET", &["Range: bytes=1000-"], 416, None, "bytes */1000"),
        ("GET", &["Range: bytes=5-1"], 416, None, "bytes */1000"),
        ("GET", &["Range: lines=0-1"], 200, Some(0..1000), ""),
        ("GET", &["Range: bytes=0-9", &if_range], 206, Some(0..10), "bytes 0-9/1000"),
        ("GET", &["Range: bytes=0-9", "If-Range: \"other\""], 200, Some(0..1000), ""),
        ("GET", &[&tag_is], 304, None, ""),
        ("HEAD", &[&tag_is], 304, None, ""),
        ("GET", &["If-None-Match: \"other\""], 200, Some(0..1000), ""),
        ("GET", &[&time_is], 304, None, ""),
        ("GET", &[&time_is, "If-None-Match: \"other\""], 200, Some(0..1000), ""),
        ("GET", &["If-Match: \"other\""], 412, None, ""),
        ("HEAD", &["Range: bytes=0-0"], 200, None, ""),
        ("OPTIONS", &[], 204, None, ""),
        ("DELETE", &[], 405, None, ""),
    ];
    let mut http = Http::connect(door).unwrap();
    for (method, fields, status, part, range) in table {
        let answer = http.ask(method, &target, fields).unwrap();
        assert_eq!((answer.status, answer.field("content-range")), (*status, *range), "{method} {fields:?}");
        if let Some(part) = part {
            assert!(answer.content == content[part.clone()], "{fields:?}");
        }
    }
    let several = http.ask("GET", &target, &["Range: bytes=0-1,500-501"]).unwrap();
    assert!(several.field("content-type").starts_with("multipart/byteranges; boundary="));
    let parts = [&content[0..2], &content[500..502]];
    assert!(parts.iter().all(|part| several.content.windows(2).any(|window| window == *part)));
}

#[test]
fn nothing_but_files_is_ever_given_out() {
    let cluster = one(&[]);
    let door = cluster.storages[0].http();
    let id = upload(&cluster, "group1", b"content", "txt");
    let mut metadata = Metadata::new();
    metadata.insert("secret", "value");
    run(client(&cluster).set_metadata(&id, &metadata, fdfs_client::MetaFlag::Overwrite)).unwrap();
    let (text, name) = (id.to_string(), id.name.to_string());
    let table = [
        (format!("/{text}"), 200),
        (format!("/{text}-m"), 404),
        (format!("/group9/{name}"), 404),
        (format!("/{name}"), 404),
        (format!("//{text}"), 400),
        (format!("/{}", text.replace("M00/", "M00/../M00/")), 400),
        (format!("/{}", text.replace("M00/", "M00/%2e%2e/M00/")), 400),
        (format!("/{}", text.replace("M00/", "M00%2F..%2F")), 400),
        (format!("/{}", text.replace("M00/", "M99/")), 404),
        ("/group1/M00/00/00/000001".to_owned(), 400),
        ("/group1/M00/00/00/../../../../storage0.conf".to_owned(), 400),
        ("/../../../etc/passwd".to_owned(), 400),
        ("/group1/M00/.cairn/packs/1.pack".to_owned(), 400),
        ("/".to_owned(), 400),
        ("*".to_owned(), 400),
        (format!("/{text}%0d%0aX: y"), 400),
        (format!("/{text}%zz"), 400),
        (format!("/{}", "a".repeat(5000)), 414),
        (format!("/{text}?filename=a%0d%0aSet-Cookie:%20x"), 200),
    ];
    for (target, status) in table {
        let answer = get(door, &target.replace(' ', "%20"));
        assert_eq!(answer.status, status, "{target}");
        assert!(!answer.fields.contains_key("set-cookie"), "{answer:?}");
    }
    let named = get(door, &format!("/{text}?attname=%E4%BD%A0%E5%A5%BD%22.txt"));
    let expected = "attachment; filename=\"___.txt\"; filename*=UTF-8''%E4%BD%A0%E5%A5%BD%22.txt";
    assert_eq!(named.field("content-disposition").replace("\\\"", "_"), expected);
    run(client(&cluster).delete(&id)).unwrap();
    // 404 also for whom the file would be "not modified": a deleted file must not live on in caches.
    assert_eq!(ask(door, "GET", &format!("/{text}"), &["If-None-Match: *"]).unwrap().status, 404);
}

#[test]
fn a_head_that_is_none_is_refused_and_the_connection_ends() {
    let cluster = one(&[("max_head_size", "1KB"), ("head_timeout", "1")]);
    let door = cluster.storages[0].http();
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(2000));
    let table: [(&[u8], u16); 7] = [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\0\x01\x02\x03\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (long.as_bytes(), 431),
    ];
    for (bytes, status) in table {
        let mut http = Http::connect(door).unwrap();
        http.send(bytes).unwrap();
        let answer = http.receive(false).unwrap();
        assert_eq!(answer.status, status, "{:?}", String::from_utf8_lossy(bytes));
        assert_eq!(answer.field("connection"), "close");
        assert!(http.ends());
    }
    // One that never comes.
    let mut http = Http::connect(door).unwrap();
    http.send(b"GET / HT").unwrap();
    assert!(http.ends());
    // With content, which nobody reads: answered, and the end.
    let mut http = Http::connect(door).unwrap();
    http.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    let answer = http.receive(false).unwrap();
    assert_eq!((answer.status, answer.field("allow")), (405, "GET, HEAD, OPTIONS"));
    assert!(http.ends());
}

#[test]
fn requests_on_one_connection_are_answered_in_order_however_they_come() {
    let cluster = one(&[]);
    let door = cluster.storages[0].http();
    let contents = [noise(10), noise(70_000), noise(200_000)];
    let targets = contents.clone().map(|content| format!("/{}", upload(&cluster, "group1", &content, "bin")));
    let mut http = Http::connect(door).unwrap();
    let mut all = String::new();
    for _ in 0..20 {
        for target in &targets {
            all.push_str(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
    }
    all.push_str(&format!("GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", targets[0]));
    // Half of it, then byte by byte.
    let (first, rest) = all.as_bytes().split_at(all.len() / 2);
    http.send(first).unwrap();
    let (slow, fast) = rest.split_at(100);
    for byte in slow {
        http.send(&[*byte]).unwrap();
    }
    http.send(fast).unwrap();
    for _ in 0..20 {
        for content in &contents {
            assert!(http.receive(false).unwrap().content == *content);
        }
    }
    assert!(http.receive(false).unwrap().content == contents[0]);
    assert!(http.ends());
    // HTTP/1.0, and as FastDFS's module asks when it passes a request on.
    for line in ["HTTP/1.0", " HTTP/1.0"] {
        let mut http = Http::connect(door).unwrap();
        http.send(format!("GET {} {line}\r\n\r\n", targets[0]).as_bytes()).unwrap();
        assert!(http.receive(false).unwrap().content == contents[0], "{line:?}");
        assert!(http.ends());
    }
}

#[test]
fn text_is_compressed_for_those_who_take_it() {
    let cluster = one(&[]);
    let door = cluster.storages[0].http();
    let content = "床前明月光，疑是地上霜。\n".repeat(40_000).into_bytes();
    let target = format!("/{}", upload(&cluster, "group1", &content, "txt"));
    let answer = ask(door, "GET", &target, &["Accept-Encoding: gzip"]).unwrap();
    assert_eq!((answer.status, answer.field("content-encoding")), (200, "gzip"));
    assert_eq!(answer.field("vary"), "Accept-Encoding");
    assert!(answer.field("etag").starts_with("W/"));
    assert!(answer.content.len() < content.len() / 10);
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&answer.content[..]), &mut plain).unwrap();
    assert!(plain == content);
    assert!(get(door, &target).content == content);
    let picture = format!("/{}", upload(&cluster, "group1", &content, "png"));
    assert_eq!(ask(door, "GET", &picture, &["Accept-Encoding: gzip"]).unwrap().field("content-encoding"), "");
}

#[test]
fn s12_without_a_token_that_is_right_and_new_nobody_gets_a_file() {
    let keys = [
        ("http.anti_steal.check_token", "true"),
        ("http.anti_steal.secret_key", "FastDFS1234567890"),
        ("http.anti_steal.token_ttl", "100"),
    ];
    let cluster = one(&keys);
    let door = cluster.storages[0].http();
    let id = upload(&cluster, "group1", b"content", "txt");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let status = |query: &str| get(door, &format!("/{id}{query}")).status;
    let link = |ts: i64| {
        let token = fdfs_fileid::token::make(id.name.as_str(), "FastDFS1234567890", ts);
        format!("?token={token}&ts={ts}")
    };
    assert_eq!(status(&link(now)), 200);
    let answer = get(door, &format!("/{id}{}", link(now)));
    assert!(answer.field("cache-control").starts_with("private, max-age="), "{answer:?}");
    for query in ["", "?ts=1", "?token=00000000000000000000000000000000"] {
        assert_eq!(status(query), 400, "{query}");
    }
    for query in [
        link(now - 200),
        link(now + 200),
        link(0),
        link(now).replace("ts=", "ts=x"),
        format!("?token={}&ts={now}", "0".repeat(32)),
    ] {
        assert_eq!(status(&query), 403, "{query}");
    }
}

#[test]
fn a_refused_token_is_answered_with_the_picture_and_a_header_may_stand_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("no.gif");
    std::fs::write(&picture, b"GIF89a").unwrap();
    let picture = picture.display().to_string();
    let keys = [
        ("http.anti_steal.check_token", "true"),
        ("http.anti_steal.secret_key", "FastDFS1234567890"),
        ("http.anti_steal.token_check_fail", picture.as_str()),
        ("anti_steal_bypass_header_name", "X-Inside"),
        ("anti_steal_bypass_header_value", "yes"),
    ];
    let expected = [("403", 403), ("200", 200)];
    for (configured, status) in expected {
        let cluster = one(&[&keys[..], &[("token_fail_status", configured)]].concat());
        let door = cluster.storages[0].http();
        let target = format!("/{}", upload(&cluster, "group1", b"content", "txt"));
        let answer = get(door, &format!("{target}?token={}&ts=1", "0".repeat(32)));
        assert_eq!((answer.status, answer.content.as_slice()), (status, &b"GIF89a"[..]));
        assert_eq!((answer.field("content-type"), answer.field("cache-control")), ("image/gif", "no-store"));
        for (line, status) in [("X-Inside: yes", 200), ("X-Inside: no", 400), ("X-Inside:", 400)] {
            assert_eq!(ask(door, "GET", &target, &[line]).unwrap().status, status, "{line}");
        }
    }
}

#[test]
fn an_flv_film_is_sent_from_the_byte_that_a_player_jumps_to() {
    let cluster = one(&[("flv_support", "true")]);
    let door = cluster.storages[0].http();
    let film = noise(100_000);
    let target = format!("/{}", upload(&cluster, "group1", &film, "flv"));
    let from = |query: &str| get(door, &format!("{target}{query}"));
    let header: &[u8] = &[b'F', b'L', b'V', 1, 1, 0, 0, 0, 9, 0, 0, 0, 9];
    let jumped = from("?start=70000");
    assert_eq!((jumped.status, jumped.content == [header, &film[70_000..]].concat()), (200, true));
    assert!(from("?start=70000&end=80000").content == [header, &film[70_000..80_000]].concat());
    assert!(from("?start=0&end=10").content == film[..10]);
    assert!(from("?start=x").content == film);
    assert_eq!(from("?start=100000").status, 400);
    let other = format!("/{}?start=50", upload(&cluster, "group1", &film, "mp4"));
    assert!(get(door, &other).content == film);
}

#[test]
fn in_redirect_mode_a_client_is_sent_to_the_storage_that_has_the_file() {
    let cluster = Plan::new()
        .groups(&[("group1", 1), ("group2", 1)])
        .http(&[("response_mode", "redirect")])
        .start()
        .unwrap();
    serving(&cluster, &["group1", "group2"], 1);
    let id = upload(&cluster, "group2", b"content", "txt");
    let (first, second) = (cluster.storages[0].http(), cluster.storages[1].http());
    let answer = get(first, &format!("/{id}?attname=a.txt"));
    let location = format!("http://{second}/{id}?attname=a.txt&redirect=1");
    assert_eq!((answer.status, answer.field("location")), (302, location.as_str()));
    let target = location.split_once(&second.to_string()).unwrap().1;
    assert_eq!(get(second, target).content, b"content");
    // Nobody is ever sent in circles by a member.
    let elsewhere = format!("/{}?redirect=1", upload(&cluster, "group1", b"content", "txt"));
    let from_member = || {
        let mut http = Http::connect_from(first.ip(), second).unwrap();
        http.ask("GET", &elsewhere, &[]).unwrap().status
    };
    wait::until("members are known", PATIENCE, || (from_member() == 404).then_some(())).unwrap();
    assert_eq!(get(second, &elsewhere).status, 302);
}

#[test]
fn the_nginx_configuration_that_is_shipped_serves_two_groups_and_goes_on_without_a_storage_of_each() {
    let plan = Plan::new().groups(&[("group1", 2), ("group2", 2)]).storage_key("heart_beat_interval", 1);
    let mut cluster = plan.http(&[]).start().unwrap();
    serving(&cluster, &["group1", "group2"], 2);
    let nginx = entry(&cluster);
    let door = nginx.address();
    let text = "床前明月光，疑是地上霜。".repeat(20).into_bytes();
    let video = noise(2_000_000);
    let mut files = Vec::new();
    for group in ["group1", "group2"] {
        files.push((upload(&cluster, group, &text, "txt"), text.clone(), "text/plain; charset=utf-8"));
        files.push((upload(&cluster, group, &video, "mp4"), video.clone(), "video/mp4"));
        files.push((
            upload_as(&cluster, group, &text, "log", true),
            text.clone(),
            "text/plain; charset=utf-8",
        ));
    }
    let check = |which: &str| {
        for (id, content, media) in &files {
            let target = format!("/{id}");
            let answer = get(door, &target);
            assert_eq!((answer.status, answer.content == *content), (200, true), "{which} {id}");
            assert_eq!(answer.field("content-type"), *media, "{which} {id}");
            let part = ask(door, "GET", &target, &["Range: bytes=100-199"]).unwrap();
            assert_eq!((part.status, part.content == content[100..200]), (206, true), "{which} {id}");
        }
    };
    check("all there");
    let (id, _, _) = &files[0];
    assert_eq!(get(door, &format!("/{id}")).field("x-cache"), "HIT");
    // One that changes is never kept.
    assert_eq!(get(door, &format!("/{}", files[2].0)).field("x-cache"), "MISS");
    assert_eq!(get(door, "/group1/M00/00/00/nothing").status, 400);
    assert_eq!(get(door, "/other").status, 404);
    assert_eq!(get(door, "/healthz").content, b"ok\n");
    cluster.storages[0].kill().unwrap();
    cluster.storages[3].kill().unwrap();
    check("one of each gone");
    let fresh = format!("/{}?attname=a.txt", files[1].0);
    assert!(get(door, &fresh).content == video);
    assert!(!nginx.output().contains("[emerg]"), "{}", nginx.output());
}

#[test]
fn d21_a_copy_that_is_damaged_here_is_answered_from_another_member_and_mended() {
    let plan = Plan::new().groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1);
    let cluster = plan.http(&[]).start().unwrap();
    serving(&cluster, &["group1"], 2);
    let content = noise(5_000);
    // By the other member: of a file this new the trackers name the maker alone, for minutes in a group at rest.
    let maker = member(&cluster, 1);
    let id = run(maker.upload((&content).into(), None, &UploadOptions::default())).unwrap().id;
    // The header of its record, which is looked at before anything is given out.
    let packs = cluster.storages[0].store_paths[0].join("data/.cairn/packs");
    let damaged = std::fs::read_dir(&packs).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let Some(place) = bytes.windows(content.len()).position(|part| part == content) else { return false };
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.write_all_at(&[!bytes[place - 20]], place as u64 - 20).unwrap();
        true
    });
    assert!(damaged);
    for storage in &cluster.storages {
        let answer = get(storage.http(), &format!("/{id}"));
        assert_eq!((answer.status, answer.content == content), (200, true));
    }
    let mended = || {
        let storage = member(&cluster, 0);
        let figures = run(storage.figures()).unwrap_or_default();
        figures.contains(&("scrub_mended_total".to_owned(), 1)).then_some(())
    };
    wait::until("the copy is mended", PATIENCE, mended).unwrap();
}

/// That the other member has it is told with its next beat; until then the trackers let it stand in.
#[test]
fn a_file_whose_maker_dies_at_once_is_found_on_the_other_member() {
    let mut cluster =
        Plan::new().groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1).http(&[]).start().unwrap();
    serving(&cluster, &["group1"], 2);
    let mut gateway = cluster.gateway(&[]).unwrap();
    let storage = member(&cluster, 1);
    let content: &[u8] = b"made in the last second";
    let id = run(storage.upload(content.into(), None, &UploadOptions::default())).unwrap().id;
    cluster.storages[1].kill().unwrap();
    let answer = get(gateway.address(), &format!("/{id}"));
    assert_eq!((answer.status, answer.content.as_slice()), (200, content));
    gateway.stop().unwrap();
}

/// Replication is put off to another time of the day, so that only the maker has the file.
#[test]
fn what_a_member_lacks_comes_from_the_maker_also_when_a_tracker_is_gone() {
    let far = |hours: &str| {
        let date = std::process::Command::new("date").args(["-d", hours, "+%H:%M"]).output().unwrap();
        String::from_utf8(date.stdout).unwrap().trim().to_owned()
    };
    let plan = Plan::new().trackers(2).groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1);
    let mut cluster = plan.storage_key("durability", "disk").http(&[]).start().unwrap();
    // A member that joins is filled, by replication: that has to be over.
    wait::until("both members are active", PATIENCE, || {
        let all = run(client(&cluster).list_storages(GroupName::parse(b"group1").unwrap(), None)).ok()?;
        let active = all.iter().filter(|storage| storage.who.status == StorageStatus::Active).count();
        (active == 2).then_some(())
    })
    .unwrap();
    cluster.storages[0].stop().unwrap();
    cluster.storages[0].configure("sync_start_time", far("+11 hours")).unwrap();
    cluster.storages[0].configure("sync_end_time", far("+12 hours")).unwrap();
    cluster.restart_storage(0).unwrap();
    let storage = member(&cluster, 0);
    let content = noise(300_000);
    let id = wait::until("the maker takes files", PATIENCE, || {
        let stored = run(storage.upload((&content).into(), None, &UploadOptions::default()));
        stored.ok().map(|stored| stored.id)
    })
    .unwrap();
    let name = id.name.to_string();
    let (_, below) = name.split_once('/').unwrap();
    let copy = cluster.storages[1].store_paths[0].join("data").join(below);
    for tracker in 0..2 {
        // The trackers hear at the maker's next beat that it is there again.
        wait::until("the file comes from its maker", PATIENCE, || {
            let answer = get(cluster.storages[1].http(), &format!("/{id}"));
            (answer.status == 200 && answer.content == content).then_some(())
        })
        .unwrap();
        assert!(!copy.exists(), "{}", copy.display());
        if tracker == 0 {
            cluster.trackers[0].kill().unwrap();
        }
    }
}

#[test]
fn where_urls_have_no_group_all_files_are_of_one() {
    let cluster = one(&[("url_have_group_name", "false"), ("group_name", "group1")]);
    let door = cluster.storages[0].http();
    let id = upload(&cluster, "group1", b"content", "txt");
    assert_eq!(get(door, &format!("/{}", id.name)).content, b"content");
    assert_eq!(get(door, &format!("/{id}")).status, 400);
}

#[test]
fn one_connection_too_many_is_closed_and_the_others_go_on() {
    let cluster = one(&[("max_connections", "2")]);
    let door = cluster.storages[0].http();
    let target = format!("/{}", upload(&cluster, "group1", b"content", "txt"));
    let mut two = [Http::connect(door).unwrap(), Http::connect(door).unwrap()];
    for http in &mut two {
        assert_eq!(http.ask("GET", &target, &[]).unwrap().status, 200);
    }
    assert!(ask(door, "GET", &target, &[]).is_err());
    let [mut first, second] = two;
    assert_eq!(first.ask("GET", &target, &[]).unwrap().status, 200);
    drop(second);
    wait::until("there is room again", PATIENCE, || ask(door, "GET", &target, &[]).ok()).unwrap();
}

/// As FastDFS's module does, beside a storage that is another process.
#[test]
fn a_gateway_that_is_told_the_store_paths_needs_neither_storage_nor_tracker_for_what_is_in_no_pack() {
    let mut cluster = Plan::new().store_paths(2).start().unwrap();
    serving(&cluster, &["group1"], 1);
    let paths = cluster.storages[0].store_paths.clone();
    let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let missing = cluster.folder().join("no disk");
    let keys = [
        ("group_name", "group1"),
        ("store_path_count", "3"),
        ("store_path0", paths[0]),
        ("store_path1", paths[1]),
        ("store_path2", missing.to_str().unwrap()),
    ];
    let mut gateway = cluster.gateway(&keys).unwrap();
    let door = gateway.address();
    let warned = format!(
        "a store path can't be read, its files have to come from the storage path={}",
        missing.display()
    );
    wait::until("the warning", PATIENCE, || gateway.printed().contains(&warned).then_some(())).unwrap();
    assert_eq!(gateway.printed().matches("a store path can't be read").count(), 1);
    let large = noise(300_000);
    let plain = format!("/{}", upload(&cluster, "group1", &large, "bin"));
    let appender = format!("/{}", upload_as(&cluster, "group1", b"grows", "log", true));
    let packed = format!("/{}", upload(&cluster, "group1", b"small", "txt"));
    assert_eq!((get(door, &packed).status, get(door, &packed).content), (200, b"small".to_vec()));
    cluster.stop().unwrap();
    for (target, content) in [(&plain, &large[..]), (&appender, b"grows")] {
        let answer = get(door, target);
        assert_eq!((answer.status, answer.content == content), (200, true), "{target}");
    }
    let part = ask(door, "GET", &plain, &["Range: bytes=100000-200000"]).unwrap();
    assert_eq!((part.status, part.content == large[100_000..=200_000]), (206, true));
    // It may well be there.
    assert_eq!(get(door, &packed).status, 502);
    assert!(gateway.stop().is_ok());
}

/// Its group is one of two in the configuration, and the other one is this process's own.
#[test]
fn a_storage_serves_the_store_paths_of_another_group_on_its_host_and_its_own_packs() {
    let mut cluster = Plan::new().groups(&[("group1", 1), ("group2", 1)]).http(&[]).start().unwrap();
    serving(&cluster, &["group1", "group2"], 1);
    let large = noise(300_000);
    let other = format!("/{}", upload(&cluster, "group2", &large, "bin"));
    let own = format!("/{}", upload(&cluster, "group1", b"small", "txt"));
    let storage = &mut cluster.storages;
    let conf = storage[0].conf.with_extension("http.conf");
    let mut text = std::fs::read_to_string(&conf).unwrap() + "group_count = 2\n";
    for (number, node) in (1..).zip(storage.iter()) {
        let path = node.store_paths[0].display();
        text += &format!("[group{number}]\ngroup_name = group{number}\nstore_path0 = {path}\n");
    }
    std::fs::write(&conf, text).unwrap();
    storage[0].stop().unwrap();
    cluster.restart_storage(0).unwrap();
    cluster.storages[1].stop().unwrap();
    cluster.trackers[0].stop().unwrap();
    let door = cluster.storages[0].http();
    assert_eq!((get(door, &own).status, get(door, &own).content), (200, b"small".to_vec()));
    let answer = get(door, &other);
    assert_eq!((answer.status, answer.content == large), (200, true));
}
