//! Pictures over HTTP in other sizes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use e2e::files::{client, run, upload, upload_as};
use e2e::http::{Answer, ask};
use picture::{Fit, Format, Wanted};
use testkit::cluster::{Cluster, Plan};

const TRUSTED: &str = "X-Inside: a secret of ours";

fn cluster(sizes: &str) -> Cluster {
    let keys = [
        ("pictures", "true"),
        ("picture_sizes", sizes),
        ("anti_steal_bypass_header_name", "X-Inside"),
        ("anti_steal_bypass_header_value", "a secret of ours"),
    ];
    Plan::new().http(&keys).start().unwrap()
}

/// A JPEG of this size.
fn photo(width: u16, height: u16) -> Vec<u8> {
    let (mut file, pixels) = (Vec::new(), usize::from(width) * usize::from(height));
    let pixels: Vec<u8> =
        (0..pixels).flat_map(|at| [at as u8, (at / 251) as u8, (at / 7919) as u8]).collect();
    let encoder = jpeg_encoder::Encoder::new(&mut file, 85);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

fn get(door: SocketAddr, target: &str, lines: &[&str]) -> Answer {
    ask(door, "GET", target, lines).unwrap()
}

/// Its size and format, read by the library.
fn size(file: &[u8]) -> (u32, u32) {
    let as_it_is = Wanted { width: None, height: None, fit: Fit::Contain, format: Some(Format::Png) };
    let picture = picture::resized(file, &as_it_is).unwrap();
    (picture.width, picture.height)
}

/// The files of a cache.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(kept(&entry.path())),
            false if entry.file_name().to_string_lossy().ends_with(".lock") => {}
            false => files.push(entry.path()),
        }
    }
    files
}

#[test]
fn a_picture_comes_in_the_sizes_that_are_offered_and_is_made_once() {
    let cluster = cluster("200x200, 100x, x60");
    let door = cluster.storages[0].http();
    let cache = cluster.storages[0].base_path.join("pictures");
    let photo = photo(400, 300);
    let target = format!("/{}", upload(&cluster, "group1", &photo, "jpg"));
    assert!(get(door, &target, &[]).content == photo);
    for (query, lines, status, expected) in [
        ("?w=200&h=200", &[][..], 200, (200, 150)),
        ("?w=200&h=200&fit=cover", &[], 200, (200, 200)),
        ("?w=200&h=200&fit=fill&fm=png", &[], 200, (200, 200)),
        ("?w=100", &[], 200, (100, 75)),
        ("?h=60", &[], 200, (80, 60)),
        // Never larger than it was.
        ("?w=1000", &[TRUSTED], 200, (400, 300)),
        ("?fm=png", &[TRUSTED], 200, (400, 300)),
        ("?w=101", &[], 403, (0, 0)),
        ("?fm=png", &[], 403, (0, 0)),
        ("?w=101", &["X-Inside: a guess"], 403, (0, 0)),
        ("?w=0", &[], 400, (0, 0)),
        ("?w=100&fm=exe", &[], 400, (0, 0)),
        ("?w=99999999999", &[TRUSTED], 400, (0, 0)),
    ] {
        let answer = get(door, &format!("{target}{query}"), lines);
        assert_eq!(answer.status, status, "{query} {lines:?}");
        if status == 200 {
            assert_eq!(size(&answer.content), expected, "{query}");
            let media = if query.contains("png") { "image/png" } else { "image/jpeg" };
            assert_eq!(answer.field("content-type"), media, "{query}");
            assert_eq!(answer.field("cache-control"), "public, max-age=31536000, immutable");
        }
    }

    let small = format!("{target}?w=100");
    let first = get(door, &small, &[]);
    let tag = first.field("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(get(door, &small, &[&format!("If-None-Match: {tag}")]).status, 304);
    let part = get(door, &small, &["Range: bytes=0-9"]);
    assert!((part.status, part.content == first.content) == (200, true));
    let head = ask(door, "HEAD", &small, &[]).unwrap();
    assert_eq!(head.field("content-length"), first.content.len().to_string());
    // What is kept is what is sent; when it is gone it is made again.
    let before = kept(&cache);
    assert_eq!(before.len(), 7, "{before:?}");
    assert!(get(door, &small, &[]).content == first.content);
    assert_eq!(kept(&cache), before);
    std::fs::remove_dir_all(&cache).unwrap();
    assert!(get(door, &small, &[]).content == first.content);

    run(client(&cluster).delete(&target[1..].parse().unwrap())).unwrap();
    assert_eq!(get(door, &small, &[]).status, 404);
}

#[test]
fn what_is_no_picture_goes_out_as_it_is_and_what_only_says_it_is_one_does_not() {
    let cluster = cluster("100x");
    let door = cluster.storages[0].http();
    let mut bomb = Vec::from(*b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
    bomb.extend([0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50, 8, 2, 0, 0, 0]);
    let checksum = crc32fast::hash(&bomb[12..]);
    bomb.extend(checksum.to_be_bytes());
    let photo = photo(400, 300);
    for (content, ext, status) in [
        (b"text".to_vec(), "txt", 200),
        (b"GIF89a".to_vec(), "gif", 200),
        (Vec::new(), "jpg", 200),
        (photo[..100].to_vec(), "jpg", 415),
        (b"\xff\xd8\xff\xe0 and no more".to_vec(), "jpg", 415),
        (bomb, "png", 415),
    ] {
        let target = format!("/{}?w=100", upload(&cluster, "group1", &content, ext));
        let answer = get(door, &target, &[]);
        assert_eq!(answer.status, status, "{ext} {:?}", content.get(..20));
        assert!(status != 200 || answer.content == content, "{ext}");
    }
    // One that changes is made anew.
    let grown = upload_as(&cluster, "group1", &photo[..100], "jpg", true);
    let target = format!("/{grown}?w=100");
    assert_eq!(get(door, &target, &[]).status, 415);
    run(client(&cluster).append(&grown, photo[100..].into())).unwrap();
    assert_eq!(size(&get(door, &target, &[]).content), (100, 75));
    assert_eq!(get(door, &target, &[]).field("cache-control"), "no-cache");

    // Where they are not switched on such parameters mean nothing.
    let without = Plan::new().http(&[]).start().unwrap();
    let target = format!("/{}?w=zero", upload(&without, "group1", &photo, "jpg"));
    assert!(get(without.storages[0].http(), &target, &[]).content == photo);
}

#[test]
fn a_gateway_by_itself_makes_pictures_of_what_storages_have() {
    let cluster = Plan::new().start().unwrap();
    let mut gateway = cluster.gateway(&[("pictures", "true"), ("picture_sizes", "100x")]).unwrap();
    let target = format!("/{}?w=100", upload(&cluster, "group1", &photo(400, 300), "jpg"));
    assert_eq!(size(&get(gateway.address(), &target, &[]).content), (100, 75));
    gateway.stop().unwrap();
}
