//! The servers that keep the bytes, as administrators see them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use drive_blobs::cluster_of;
use fdfs_client::{Client as Cluster, ClientConfig, ServerAddr};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::kit::{World, until};

/// A look may take so long, whoever does not answer.
const LOOK_MAX: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_trackers_groups_and_members() {
    let world = World::storing().await;
    let (admin, alice) = (world.admin().await, world.user("alice").await);
    alice.file("a", &[7; 5000]).await;
    // Storages tell their trackers now and then.
    let seen = until("the member has told of the file", async || {
        let seen = admin.get("/admin/cluster").await.expect(StatusCode::OK).body;
        (seen["groups"][0]["members"][0]["uploads"] == 1).then_some(seen)
    })
    .await;
    let tracker = world.servers.as_ref().unwrap().tracker();
    assert_eq!(seen["kind"], "fastdfs");
    let expected = json!([{"address": tracker.to_string(), "answers": true, "fault": null, "leads": true}]);
    assert_eq!(seen["trackers"], expected);
    let group = &seen["groups"][0];
    assert_eq!(group["name"], "group1");
    let bytes = |name: &str| group[name].as_u64().unwrap();
    assert!(bytes("free_bytes") > 0 && bytes("free_bytes") <= bytes("total_bytes"), "{group}");
    let member = &group["members"][0];
    assert_eq!(group["members"].as_array().unwrap().len(), 1);
    let storage = world.servers.as_ref().unwrap().storages[0].address();
    assert_eq!(member["address"], storage.to_string());
    assert_eq!((&member["state"], &member["lag_reason"]), (&json!("active"), &json!("alone")));
    assert_eq!((&member["lag_s"], &member["deletes"]), (&json!(null), &json!(0)));
    assert!(member["bytes_in"].as_u64().unwrap() >= 5000, "{member}");
    assert!(member["heartbeat_age_s"].as_u64().unwrap() < 60, "{member}");
    assert!(member["since"].is_string() && member["connections_max"].as_u64().unwrap() > 0, "{member}");

    for path in ["/admin/cluster", "/admin/cluster/history", "/admin/cluster/findings"] {
        alice.get(path).await.problem(403, "not-allowed");
        world.visitor().get(path).await.problem(401, "sign-in-needed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_reads_what_is_wrong_in_the_language_of_the_page() {
    let world = World::storing().await;
    let admin = world.admin().await;
    // The disk of this machine may well be nearly full.
    let told = |mut seen: Value| {
        seen["findings"].as_array_mut().unwrap().retain(|finding| finding["code"] != "space_low");
        seen
    };
    let seen = until("the group has its member", async || {
        let seen = told(admin.get("/admin/cluster/findings").await.expect(StatusCode::OK).body);
        // A tracker that has just begun does not lead yet.
        (seen["findings"].as_array().unwrap().len() == 1 && seen["findings"][0]["code"] == "group_single")
            .then_some(seen)
    })
    .await;
    assert_eq!(seen["kind"], "fastdfs");
    let finding = &seen["findings"][0];
    assert_eq!(finding["severity"], "note");
    assert!(finding["what"].as_str().unwrap().starts_with("group group1 has one member"), "{finding}");
    assert!(finding["todo"].as_str().unwrap().starts_with("start a second storage"), "{finding}");
    let chinese = told(admin.get("/admin/cluster/findings?language=zh-CN").await.expect(StatusCode::OK).body);
    assert!(chinese["findings"][0]["what"].as_str().unwrap().contains("只有一个成员"), "{chinese}");
    admin.get("/admin/cluster/findings?language=fr").await.problem(400, "query-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_what_this_process_saw() {
    let world = World::storing().await;
    let admin = world.admin().await;
    let none = admin.get("/admin/cluster/history").await.expect(StatusCode::OK);
    assert_eq!(none.body, json!({"every_s": 10, "samples": []}));
    world.drive.sample_cluster().await;
    world.drive.sample_cluster().await;
    let past = admin.get("/admin/cluster/history").await.expect(StatusCode::OK);
    let samples = past.body["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2);
    assert!(samples[0]["at"].as_str().unwrap() <= samples[1]["at"].as_str().unwrap());
    let group = &samples[1]["groups"][0];
    assert_eq!((&group["name"], &group["uploads_per_s"]), (&json!("group1"), &json!(0.0)));
    assert!(group["free_bytes"].as_u64().unwrap() > 0, "{group}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_drive_does_by_itself_looks_at_the_cluster() {
    let world = World::working(|_| {}).await;
    let admin = world.admin().await;
    let first = until("a look", async || {
        let past = admin.get("/admin/cluster/history").await.expect(StatusCode::OK);
        past.body["samples"].get(0).cloned()
    })
    .await;
    assert_eq!(first["groups"][0]["name"], "group1");
}

#[tokio::test(flavor = "multi_thread")]
async fn trackers_that_do_not_answer_are_told_in_time() {
    // Takes connections and says nothing.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let silent = silent.local_addr().unwrap();
    let nobody = ServerAddr::new(Ipv4Addr::LOCALHOST.into(), 9);
    let trackers = [nobody, ServerAddr::new(silent.ip(), silent.port())];
    let world = World::looking_at(cluster_of(Cluster::new(ClientConfig::new(trackers)))).await;
    let admin = world.admin().await;
    let began = Instant::now();
    let seen = admin.get("/admin/cluster").await.expect(StatusCode::OK);
    assert!(began.elapsed() < LOOK_MAX, "{:?}", began.elapsed());
    let tracker = |address: &str, fault: &str| json!({"address": address, "answers": false, "fault": fault, "leads": false});
    let expected = [tracker("127.0.0.1:9", "unreachable"), tracker(&silent.to_string(), "silent")];
    assert_eq!(seen.body, json!({"kind": "fastdfs", "trackers": expected, "groups": null}));
    world.drive.sample_cluster().await;
    let past = admin.get("/admin/cluster/history").await.expect(StatusCode::OK);
    assert_eq!(past.body["samples"][0]["groups"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_store_has_no_servers_to_look_at() {
    let world = World::new().await;
    let admin = world.admin().await;
    let seen = admin.get("/admin/cluster").await.expect(StatusCode::OK);
    assert_eq!(seen.body, json!({"kind": "s3", "trackers": [], "groups": []}));
    world.drive.sample_cluster().await;
    let past = admin.get("/admin/cluster/history").await.expect(StatusCode::OK);
    assert_eq!(past.body["samples"], json!([]));
}
