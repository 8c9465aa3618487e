//! Small pictures of pictures.

use std::io::Cursor;

use drive::Settings;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{Client, World, settings};

fn written(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn opaque(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 77])).into()
}

/// What a picture says it is: its type, width and height.
fn looks(bytes: &[u8]) -> (&'static str, usize, usize) {
    let number = |at: usize, count: usize| {
        bytes[at..at + count].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    if bytes.starts_with(b"\x89PNG") {
        return ("image/png", number(16, 4), number(20, 4));
    }
    assert!(bytes.starts_with(b"\xff\xd8"), "neither PNG nor JPEG");
    // Segment after segment, to the one with the size.
    let mut at = 2;
    while !matches!(bytes[at + 1], 0xC0 | 0xC2) {
        at += 2 + number(at + 2, 2);
    }
    ("image/jpeg", number(at + 7, 2), number(at + 5, 2))
}

async fn small(client: &Client, path: &str) -> (HeaderMap, Vec<u8>) {
    let (status, headers, bytes) = client.raw(Method::GET, path, "").await;
    assert_eq!(status, StatusCode::OK, "{path}: {}", String::from_utf8_lossy(&bytes));
    (headers, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_made_smaller_and_never_larger() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let clear: DynamicImage = RgbaImage::from_pixel(300, 900, Rgba([9, 9, 9, 100])).into();
    let large = opaque(2000, 1000);
    let mut jpeg = Vec::new();
    for (name, bytes, edge, expected) in [
        // What it is is told by its content.
        ("a.txt", written(large.clone(), ImageFormat::Png), 1280, ("image/jpeg", 1280, 640)),
        ("a.png", written(large.clone(), ImageFormat::Png), 64, ("image/jpeg", 64, 32)),
        ("a.webp", written(large, ImageFormat::WebP), 320, ("image/jpeg", 320, 160)),
        ("b.png", written(clear, ImageFormat::Png), 640, ("image/png", 213, 640)),
        ("c.png", written(opaque(50, 40), ImageFormat::Png), 160, ("image/jpeg", 50, 40)),
    ] {
        let file = alice.file(name, &bytes).await;
        let (headers, bytes) = small(&alice, &format!("/nodes/{file}/thumbnail?edge={edge}")).await;
        assert_eq!(looks(&bytes), expected, "{name}");
        assert_eq!(headers["content-type"], expected.0, "{name}");
        if jpeg.is_empty() {
            jpeg = bytes;
        }
    }
    let file = alice.file("a.jpg", &jpeg).await;
    let (_, bytes) = small(&alice, &format!("/nodes/{file}/thumbnail?edge=160")).await;
    assert_eq!(looks(&bytes), ("image/jpeg", 160, 80));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_picture_is_made_once_for_all_who_have_its_content() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let picture = written(opaque(400, 400), ImageFormat::Png);
    let file = alice.file("a.png", &picture).await;
    let path = |edge: u32| format!("/nodes/{file}/thumbnail?edge={edge}");
    let (headers, bytes) = small(&alice, &path(160)).await;
    for (name, value) in [
        ("cache-control", "private, max-age=2592000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(headers["content-length"], bytes.len().to_string());
    let tag = headers["etag"].to_str().unwrap();
    assert!(tag.starts_with('"'), "{tag}");

    let others = bob.file("b.png", &picture).await;
    world.readable(0);
    assert!(small(&alice, &path(160)).await.1 == bytes);
    assert!(small(&bob, &format!("/nodes/{others}/thumbnail?edge=160")).await.1 == bytes);
    let (status, of_head, nothing) = alice.raw(Method::HEAD, &path(160), "").await;
    assert_eq!((status, nothing.len()), (StatusCode::OK, 0));
    assert_eq!(of_head["content-length"], headers["content-length"]);
    let (status, again, nothing) = alice.with("if-none-match", tag).raw(Method::GET, &path(160), "").await;
    assert_eq!((status, nothing.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(again["etag"], tag);
    alice.get(&path(320)).await.problem(503, "blob-store-unavailable");
    world.readable(u64::MAX);
    let (headers, _) = small(&alice, &path(320)).await;
    assert_ne!(headers["etag"], tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_would_take_more_memory_than_there_is_has_no_small_one() {
    let memory = Some(128 << 20);
    let world = World::storing_with(Settings { memory, ..settings() }, |_| {}).await;
    let alice = world.user("alice").await;
    let file = alice.file("a.png", &written(opaque(400, 400), ImageFormat::Png)).await;
    small(&alice, &format!("/nodes/{file}/thumbnail?edge=160")).await;
    // Half of it, less what decoders take beside pixels, is for four megapixels.
    let file = alice.file("b.png", &written(opaque(3000, 2500), ImageFormat::Png)).await;
    let path = format!("/nodes/{file}/thumbnail?edge=160");
    alice.get(&path).await.problem(404, "no-thumbnail");
    // It is known from now on.
    world.readable(0);
    alice.get(&path).await.problem(404, "no-thumbnail");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_no_picture_there_is_none() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let picture = written(opaque(400, 400), ImageFormat::Png);
    // 60000 by 60000, its head says: nothing is decoded of it.
    let mut bomb = picture.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = crc32fast::hash(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    for (name, bytes) in [
        ("notes.png", &b"not what its name says"[..]),
        ("empty.png", b""),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("cut.png", &picture[..60]),
        ("bomb.png", &bomb),
    ] {
        let file = alice.file(name, bytes).await;
        let path = format!("/nodes/{file}/thumbnail?edge=160");
        alice.get(&path).await.problem(404, "no-thumbnail");
        // It is known from now on.
        world.readable(0);
        alice.get(&path).await.problem(404, "no-thumbnail");
        world.readable(u64::MAX);
    }
    let file = alice.file("a.png", &picture).await;
    let folder = alice.folder("root", "folder").await;
    for (client, path, status, code) in [
        (&alice, format!("/nodes/{file}/thumbnail"), 400, "query-invalid"),
        (&alice, format!("/nodes/{file}/thumbnail?edge=100"), 400, "field-invalid"),
        (&alice, format!("/nodes/{file}/thumbnail?edge=4294967296"), 400, "query-invalid"),
        (&alice, format!("/nodes/{folder}/thumbnail?edge=160"), 409, "not-a-file"),
        (&bob, format!("/nodes/{file}/thumbnail?edge=160"), 404, "node-not-found"),
        (&world.visitor(), format!("/nodes/{file}/thumbnail?edge=160"), 401, "sign-in-needed"),
    ] {
        client.get(&path).await.problem(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_look_at_a_link_sees_small_pictures_and_is_not_counted() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let path = format!("/nodes/{folder}/files/a.png");
    let picture = written(opaque(400, 200), ImageFormat::Png);
    let inside = alice.upload(Method::PUT, &path, picture.clone()).await.text("/id");
    let beside = alice.file("b.png", &picture).await;
    let share = async |terms| {
        let made = alice.post(&format!("/nodes/{folder}/shares"), terms).await.expect(StatusCode::CREATED);
        (made.text("/id"), format!("/public/shares/{}", made.text("/token")))
    };
    let visitor = world.visitor();
    let (id, link) = share(json!({"downloads": 1})).await;
    for _ in 0..3 {
        let (_, bytes) = small(&visitor, &format!("{link}/nodes/{inside}/thumbnail?edge=160")).await;
        assert_eq!(looks(&bytes), ("image/jpeg", 160, 80));
    }
    assert_eq!(alice.get(&format!("/shares/{id}")).await.body["downloads"], 0);
    let at = |link: &str, node: &str| format!("{link}/nodes/{node}/thumbnail?edge=160");
    visitor.get(&at(&link, &beside)).await.problem(410, "share-unavailable");
    visitor.get(&at(&link, &folder)).await.problem(409, "not-a-file");
    let (_, coded) = share(json!({"code": {"chosen": "abcd"}})).await;
    visitor.get(&at(&coded, &inside)).await.problem(401, "share-code-needed");
    let grant = visitor.post(&format!("{coded}/grant"), json!({"code": "abcd"})).await.text("/grant");
    small(&visitor.with("share-grant", &grant), &at(&coded, &inside)).await;
    alice.post(&format!("/shares/{id}/revoke"), json!({})).await.expect(StatusCode::NO_CONTENT);
    visitor.get(&at(&link, &inside)).await.problem(410, "share-revoked");
    let other = format!("{link}/nodes/{inside}/thumbnail?edge=161");
    visitor.get(&other).await.problem(400, "field-invalid");
}
