//! A group of real processes mends itself, and says how it stands.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use e2e::files::{client, member, run};
use fdfs_client::{DownloadOptions, FileId, UploadOptions};
use testkit::cluster::{Cluster, Plan};
use testkit::wait;

const PATIENCE: Duration = Duration::from_secs(60);

/// Two members that look at everything every second.
fn group() -> Cluster {
    Plan::new()
        .groups(&[("group1", 2)])
        .tracker_key("check_active_interval", 1)
        .storage_key("heart_beat_interval", 1)
        .storage_key("pack_max_size", 0)
        .storage_key("scrub_interval", 1)
        .start()
        .unwrap()
}

fn monitor(cluster: &Cluster, more: &[&str]) -> String {
    let conf = cluster.client_conf();
    let output =
        Command::new(cluster.binary()).arg("monitor").arg("-c").arg(conf).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A figure of the storage with this address, as `cairn monitor --json` has it.
fn figure(cluster: &Cluster, storage: usize, name: &str) -> Option<u64> {
    let told: serde_json::Value = serde_json::from_str(&monitor(cluster, &["--json"])).unwrap();
    let ip = cluster.storages[storage].address().ip().to_string();
    let storages = told["groups"][0]["storages"].as_array().unwrap().clone();
    storages.iter().find(|storage| storage["ip"] == ip.as_str())?["figures"][name].as_u64()
}

fn upload(cluster: &Cluster, content: &'static str) -> FileId {
    run(client(cluster).upload(content.into(), &UploadOptions::default())).unwrap().id
}

fn on_disk(cluster: &Cluster, storage: usize, id: &FileId) -> PathBuf {
    cluster.storages[storage].store_paths[0].join("data").join(id.name.true_name())
}

#[test]
fn d21_a_flipped_bit_on_one_member_is_mended_by_itself_and_shown_by_the_monitor() {
    let cluster = group();
    wait::until("both members serve", PATIENCE, || {
        (monitor(&cluster, &[]).matches("ACTIVE").count() == 2).then_some(())
    })
    .unwrap();
    let id = upload(&cluster, "one of two copies");
    for storage in [0, 1] {
        let path = on_disk(&cluster, storage, &id);
        wait::until("both members have it", PATIENCE, || path.exists().then_some(())).unwrap();
    }
    fs::write(on_disk(&cluster, 1, &id), "One of two copies").unwrap();
    wait::until("it is mended", PATIENCE, || {
        (figure(&cluster, 1, "scrub_mended_total") == Some(1)).then_some(())
    })
    .unwrap();
    assert_eq!(fs::read_to_string(on_disk(&cluster, 1, &id)).unwrap(), "one of two copies");
    let got = run(member(&cluster, 1).download(&id, &DownloadOptions::default())).unwrap();
    assert_eq!(got, b"one of two copies");
    // Counted at the end of each round.
    wait::until("the bad copy is counted", PATIENCE, || {
        (figure(&cluster, 1, "quarantine_copies") == Some(1)).then_some(())
    })
    .unwrap();
    assert_eq!(figure(&cluster, 0, "quarantine_copies"), Some(0));
    let text = monitor(&cluster, &[]);
    assert!(text.contains("1 bad and 0 missing copies were found, and all mended"), "{text}");
    assert!(text.contains("keeps 1 bad copies aside, 17  B"), "{text}");
}

#[test]
fn d3_the_monitor_says_when_changes_have_fewer_copies_than_they_shall() {
    let mut cluster = group();
    wait::until("both members serve", PATIENCE, || {
        let knows = |storage| figure(&cluster, storage, "copies_possible") == Some(2);
        (knows(0) && knows(1)).then_some(())
    })
    .unwrap();
    assert!(!monitor(&cluster, &[]).contains("changes shall be on"));
    cluster.storages[1].kill().unwrap();
    wait::until("its absence is noticed", PATIENCE, || {
        (figure(&cluster, 0, "copies_degraded") == Some(1)).then_some(())
    })
    .unwrap();
    upload(&cluster, "one copy");
    let text = monitor(&cluster, &[]);
    assert!(text.contains("changes shall be on 2 members, 1 can have them"), "{text}");
    assert!(text.contains("→ start the other members"), "{text}");
    assert!(text.contains("1 changes were acknowledged with fewer copies"), "{text}");
}
