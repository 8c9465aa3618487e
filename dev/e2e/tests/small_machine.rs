//! What runs on a small machine: the whole installation in 256 MiB, a storage alone in 64. `cargo xtask bench memory` does
//! the same with more.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use e2e::curl::curl;
use fdfs_client::{Client, ClientConfig, DownloadOptions, ServerAddr, UploadOptions};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde_json::{Value, json};
use testkit::cluster::Plan;
use testkit::memory::{Bound, Watch};
use testkit::up::Up;
use testkit::{binary, wait};

const MIB: u64 = 1 << 20;
/// How long a round of the scrub may take.
const SCRUB_TIME: Duration = Duration::from_secs(60);

/// A process and what it may take: the kernel ends it when it takes more, where it lets us say so.
struct Small {
    memory: u64,
    bound: Option<Bound>,
    folder: tempfile::TempDir,
}

impl Small {
    fn new(memory: u64) -> Small {
        Small { memory, bound: Bound::new(memory), folder: tempfile::tempdir().unwrap() }
    }

    fn program(&self) -> std::path::PathBuf {
        let program = binary::cairn().unwrap();
        match &self.bound {
            Some(bound) => bound.around(program, self.folder.path()).unwrap(),
            None => program.to_owned(),
        }
    }

    /// It has done with so much.
    fn check(&self, watch: &Watch) {
        let most = watch.most();
        assert!(most <= self.memory, "{} MiB", most / MIB);
        if let Some(bound) = &self.bound {
            assert_eq!(bound.seen().unwrap().killed, 0);
        }
    }
}

/// A photograph of 24 megapixels.
fn photograph(progressive: bool) -> Vec<u8> {
    let (width, height) = (6000u16, 4000u16);
    let pixels: Vec<u8> = (0..u32::from(height))
        .flat_map(|y| (0..u32::from(width) * 3).map(move |x| (x / 71 + y / 16) as u8))
        .collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 80);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels, width, height, ColorType::Rgb).unwrap();
    file
}

/// Some megabytes that repeat after a while.
fn bytes(count: u64) -> Vec<u8> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// The drive listens.
fn answers(up: &Up) {
    wait::until("the drive", wait::READY, || std::net::TcpStream::connect(up.drive()).ok()).unwrap();
}

/// Signs in: a field for requests.
fn sign_in(api: &str, password: &str) -> String {
    let fields = json!({"user_name": "admin", "password": password, "hand": "token"}).to_string();
    let json = "content-type: application/json";
    let (answer, _) = curl(&["--header", json, "--data", &fields, &format!("{api}/session")]).unwrap();
    let session: Value = serde_json::from_slice(&answer.content).unwrap();
    format!("authorization: Bearer {}", session["token"].as_str().unwrap())
}

/// Sends a file into the root folder: its id.
fn put(api: &str, authorization: &str, file: &Path) -> String {
    let url = format!("{api}/nodes/root/files/{}", file.file_name().unwrap().to_str().unwrap());
    let (answer, _) =
        curl(&["--header", authorization, "--upload-file", file.to_str().unwrap(), &url]).unwrap();
    let made: Value = serde_json::from_slice(&answer.content).unwrap();
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[test]
fn the_whole_installation_lives_in_256_mib_and_makes_no_picture_that_would_end_it() {
    let small = Small::new(256 * MIB);
    let place = tempfile::tempdir().unwrap();
    let mut up = Up::start_as(&small.program(), &[], place.path()).unwrap();
    let watch = Watch::of(up.server.pid());
    let api = format!("http://{}/api/v1", up.drive());
    let password = up.password().unwrap();
    answers(&up);
    // As many at once as wait for nothing: one account's attempts are counted.
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| sign_in(&api, &password))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let authorization = &tokens[0];
    let large = small.folder.path().join("large.bin");
    let content = bytes(64 * MIB);
    fs::write(&large, &content).unwrap();
    let id = put(&api, authorization, &large);
    let (answer, _) = curl(&["--header", authorization, &format!("{api}/nodes/{id}/content")]).unwrap();
    assert!(answer.content == content);
    if small.bound.is_some() {
        for (name, progressive, expected) in [("whole.jpg", false, 200), ("in-passes.jpg", true, 404)] {
            let file = small.folder.path().join(name);
            fs::write(&file, photograph(progressive)).unwrap();
            let id = put(&api, authorization, &file);
            let url = format!("{api}/nodes/{id}/thumbnail?edge=320");
            for _ in 0..2 {
                let (answer, _) = curl(&["--header", authorization, &url]).unwrap();
                assert_eq!(answer.status, expected, "{name}");
            }
        }
    }
    small.check(&watch);
    up.server.kill().unwrap();
    up.restart().unwrap();
    answers(&up);
    let watch = Watch::of(up.server.pid());
    let (answer, _) = curl(&["--header", authorization, &format!("{api}/nodes/{id}/content")]).unwrap();
    assert!(answer.content == content);
    small.check(&watch);
    assert!(up.server.terminate().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_lives_in_64_mib_through_uploads_a_crash_and_a_scrub() {
    let small = Small::new(64 * MIB);
    let mut cluster = Plan::new()
        .binary(&small.program())
        .status()
        .storage_key("scrub_interval", 1)
        .storage_key("scrub_bytes_per_second", 0)
        .prepare()
        .unwrap();
    cluster.trackers[0].start(binary::cairn().unwrap()).unwrap();
    cluster.storages[0].start(&small.program()).unwrap();
    cluster.wait_ready().unwrap();
    let watch = Watch::of(cluster.storages[0].server.as_ref().unwrap().pid());
    let address = cluster.tracker();
    let client = Client::new(ClientConfig::new([ServerAddr::new(address.ip(), address.port())]));
    // More than a journal holds, so that it turns over, and one that goes past it.
    let content = bytes(MIB / 2);
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, content) = (client.clone(), content.clone());
        uploads.spawn(async move {
            for _ in 0..20 {
                client.upload((&content).into(), &UploadOptions::default()).await.unwrap();
            }
        });
    }
    while let Some(done) = uploads.join_next().await {
        done.unwrap();
    }
    let large = bytes(32 * MIB);
    let id = client.upload((&large).into(), &UploadOptions::default()).await.unwrap().id;
    small.check(&watch);
    cluster.storages[0].kill().unwrap();
    cluster.restart_storage(0).unwrap();
    let watch = Watch::of(cluster.storages[0].server.as_ref().unwrap().pid());
    assert!(client.download(&id, &DownloadOptions::default()).await.unwrap() == large);
    let status = cluster.storages[0].status();
    wait::until("a round of the scrub", SCRUB_TIME, || {
        let (page, _) = curl(&[&format!("http://{status}/metrics")]).ok()?;
        let page = String::from_utf8(page.content).ok()?;
        let rounds = page.lines().find_map(|line| line.strip_prefix("cairn_storage_scrub_rounds_total "))?;
        (!rounds.starts_with('0')).then_some(())
    })
    .unwrap();
    small.check(&watch);
    cluster.stop().unwrap();
}
