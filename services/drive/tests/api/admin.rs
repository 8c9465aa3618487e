//! What administrators do over API v1.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use drive_core::ports::{Append, Lane};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{Client, PASSWORD, World, until};

async fn id(client: &Client) -> String {
    client.get("/me").await.text("/id")
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_is_for_administrators() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let account = id(&alice).await;
    let path = format!("/admin/accounts/{account}");
    for (client, status, code) in [(&alice, 403, "not-allowed"), (&world.visitor(), 401, "sign-in-needed")] {
        client.get("/admin/accounts").await.problem(status, code);
        client.get(&path).await.problem(status, code);
        client.patch(&path, json!({"role": "administrator"})).await.problem(status, code);
        client.put(&format!("{path}/password"), json!({"password": PASSWORD})).await.problem(status, code);
        client.delete(&format!("{path}/sessions")).await.problem(status, code);
        client.post("/admin/shares/1/revoke", json!({})).await.problem(status, code);
        client.get("/admin/audit").await.problem(status, code);
        client.get("/admin/overview").await.problem(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_listed_by_name_in_pages() {
    let world = World::new().await;
    for name in ["carol", "bob", "alice"] {
        world.user(name).await;
    }
    let admin = world.admin().await;
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/admin/accounts?limit=3{cursor}")).await.expect(StatusCode::OK);
        let rows = page.body["rows"].as_array().unwrap();
        names.extend(rows.iter().map(|row| row["user_name"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["admin", "alice", "bob", "carol"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_searched_by_parts_of_names_and_addresses_in_pages() {
    let world = World::new().await;
    for (name, nick, email) in
        [("wangwei", "王伟", "wei@one.cn"), ("anna", "Anna", "anna@wei.cn"), ("bob", "Bob", "bob@two.cn")]
    {
        let fields = json!({"nick_name": nick, "email": email});
        world.user(name).await.patch("/me", fields).await.expect(StatusCode::OK);
    }
    let admin = world.admin().await;
    let found = async |query: &str| {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/admin/accounts?limit=1&q={query}{cursor}");
            let page = admin.get(&path).await.expect(StatusCode::OK);
            let rows = page.body["rows"].as_array().unwrap();
            names.extend(rows.iter().map(|row| row["user_name"].as_str().unwrap().to_owned()));
            let Some(next) = page.body["next"].as_str() else { return names };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(found("WEI").await, ["anna", "wangwei"]);
    assert_eq!(found("%E4%BC%9F").await, ["wangwei"]);
    assert_eq!(found("two.cn%20bob").await, ["bob"]);
    assert_eq!(found("nobody").await, [""; 0]);
    for text in ["", "%20", "a%20b%20c%20d%20e%20f%20g%20h%20i"] {
        admin.get(&format!("/admin/accounts?q={text}")).await.problem(400, "field-invalid");
    }
    let cursor = admin.get("/admin/audit?limit=1").await.text("/next");
    admin.get(&format!("/admin/accounts?q=wei&cursor={cursor}")).await.problem(400, "cursor-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_account_is_shut_within_a_second_and_comes_back_as_it_was() {
    let world = World::new().await;
    let (admin, alice) = (world.admin().await, world.user("alice").await);
    let path = format!("/admin/accounts/{}", id(&alice).await);
    let frozen = admin.patch(&path, json!({"state": "frozen"})).await.expect(StatusCode::OK);
    assert_eq!(frozen.text("/state"), "frozen");
    // What a cache still says counts for a second at most.
    let frozen_at = Instant::now();
    let refused = loop {
        let reply = alice.get("/me").await;
        if reply.status != StatusCode::OK {
            break reply;
        }
        assert!(frozen_at.elapsed() < Duration::from_secs(5), "still open");
    };
    refused.problem(403, "account-frozen");
    let sign_in = json!({"user_name": "alice", "password": PASSWORD});
    world.visitor().post("/session", sign_in).await.problem(403, "account-frozen");
    admin.patch(&path, json!({"state": "active"})).await.expect(StatusCode::OK);
    alice.get("/me").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays_one() {
    let world = World::new().await;
    let (admin, alice) = (world.admin().await, world.user("alice").await);
    let own = format!("/admin/accounts/{}", id(&admin).await);
    for change in [json!({"role": "user"}), json!({"state": "frozen"})] {
        admin.patch(&own, change).await.problem(409, "last-administrator");
    }
    let other = format!("/admin/accounts/{}", id(&alice).await);
    admin.patch(&other, json!({"role": "administrator"})).await.expect(StatusCode::OK);
    admin.patch(&own, json!({"role": "user"})).await.expect(StatusCode::OK);
    for change in [json!({}), json!({"role": "user", "state": "frozen"}), json!({"name": "x"})] {
        alice.patch(&own, change).await.expect(StatusCode::BAD_REQUEST);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_bounds_what_is_stored() {
    let world = World::storing().await;
    let (admin, alice) = (world.admin().await, world.user("alice").await);
    let path = format!("/admin/accounts/{}", id(&alice).await);
    let changed = admin.patch(&path, json!({"quota": 1000})).await.expect(StatusCode::OK);
    assert_eq!(changed.body["usage"]["limit"], 1000);
    alice.file("fits", &[0; 600]).await;
    let beyond = alice.upload(reqwest::Method::PUT, "/nodes/root/files/beyond", vec![0; 401]).await;
    beyond.problem(507, "quota-exceeded");
    admin.patch(&path, json!({"quota": null})).await.expect(StatusCode::OK);
    alice.file("beyond", &[0; 401]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_anew_and_all_sessions_end() {
    let world = World::new().await;
    let (admin, alice) = (world.admin().await, world.user("alice").await);
    let path = format!("/admin/accounts/{}/password", {
        // Asked for without alice's session, so that no cache knows it.
        let list = admin.get("/admin/accounts").await;
        let rows = list.body["rows"].as_array().unwrap();
        rows.iter().find(|row| row["user_name"] == "alice").unwrap()["id"].as_str().unwrap().to_owned()
    });
    admin.put(&path, json!({"password": "alice"})).await.problem(400, "password-refused");
    admin.put(&path, json!({"password": "given by the office"})).await.expect(StatusCode::NO_CONTENT);
    alice.get("/me").await.problem(401, "session-ended");
    world.visitor().signed_in("alice", "given by the office").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_who_did_what_and_no_secret() {
    let world = World::new().await;
    let (admin, alice) = (world.admin().await, world.user("alice").await);
    let account = id(&alice).await;
    let wrong = json!({"user_name": "alice", "password": "not her password"});
    world.visitor().post("/session", wrong).await.problem(401, "sign-in-failed");
    admin.patch(&format!("/admin/accounts/{account}"), json!({"quota": 5})).await.expect(StatusCode::OK);
    let log = admin.get("/admin/audit").await.expect(StatusCode::OK);
    let rows = log.body["rows"].as_array().unwrap();
    let events: Vec<_> = rows.iter().map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(events[..3], ["quota-changed", "sign-in-failed", "signed-in"]);
    assert_eq!(rows[0]["actor"], json!({"account": id(&admin).await}));
    assert_eq!((&rows[1]["actor"], &rows[1]["address"]), (&json!("visitor"), &json!("127.0.0.1")));
    // Whoever signed in was known then.
    assert_eq!(rows[2]["actor"], json!({"account": account}));
    let text = log.body.to_string();
    assert!(!text.contains("password\":") && !text.contains(PASSWORD) && !text.contains("not her"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_applied_is_shown_put_back_and_dropped() {
    let world = World::working(|_| {}).await;
    let admin = world.admin().await;
    let lanes = json!([
        {"lane": "records", "waiting": 0, "set_aside": 0}, {"lane": "counts", "waiting": 0, "set_aside": 0},
    ]);
    assert_eq!(admin.get("/admin/queue").await.expect(StatusCode::OK).body["lanes"], lanes);
    // What no version has written.
    let queue = world.queue.as_ref().unwrap();
    queue.append(Lane::Records, &[Append { bytes: Bytes::from_static(b"no entry") }]).await.unwrap();
    let row = until("it is set aside", async || {
        let page = admin.get("/admin/queue/records").await.expect(StatusCode::OK);
        page.body["rows"].get(0).cloned()
    })
    .await;
    assert!(row["reason"].as_str().unwrap().contains("form"), "{row}");
    assert_eq!((&row["about"], &row["name"]), (&json!(null), &json!(null)));
    assert_eq!(admin.get("/admin/queue").await.body["lanes"][0]["set_aside"], 1);
    // The others go on meanwhile.
    world.user("alice").await;
    let ticket = json!({"ticket": row["ticket"]});
    admin.post("/admin/queue/records/retry", ticket).await.expect(StatusCode::NO_CONTENT);
    let row = until("it is set aside again", async || {
        let page = admin.get("/admin/queue/records").await.expect(StatusCode::OK);
        page.body["rows"].get(0).filter(|again| again["ticket"] != row["ticket"]).cloned()
    })
    .await;
    let ticket = json!({"ticket": row["ticket"]});
    admin.post("/admin/queue/records/drop", ticket).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(admin.get("/admin/queue/records").await.body["rows"], json!([]));
    admin.get("/admin/queue/other").await.problem(400, "field-invalid");
    world.user("bob").await.get("/admin/queue").await.problem(403, "not-allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drive_is_seen_at_a_glance() {
    let world = World::working(|_| {}).await;
    let (admin, alice, bob) = (world.admin().await, world.user("alice").await, world.user("bob").await);
    alice.folder("root", "plans").await;
    let file = alice.file("a.txt", b"content").await;
    bob.file("b.txt", b"content").await;
    let gone = bob.file("c.txt", b"other").await;
    bob.delete(&format!("/nodes/{gone}")).await.expect(StatusCode::OK);
    let mut links = Vec::new();
    for _ in 0..2 {
        let made = alice.post(&format!("/nodes/{file}/shares"), json!({})).await;
        links.push(made.expect(StatusCode::CREATED).text("/id"));
    }
    let revoked = alice.post(&format!("/shares/{}/revoke", links[0]), json!({})).await;
    revoked.expect(StatusCode::NO_CONTENT);
    let upload = bob
        .with("tus-resumable", "1.0.0")
        .with("upload-length", "10")
        .with("upload-metadata", &format!("filename {}", STANDARD.encode("secret plans")))
        .with("content-type", "application/offset+octet-stream")
        .raw(Method::POST, "/uploads", "four")
        .await;
    assert_eq!(upload.0, StatusCode::CREATED);
    let seen = until("all is counted", async || {
        let seen = admin.get("/admin/overview").await.expect(StatusCode::OK).body;
        (!seen["totals"].is_null()).then_some(seen)
    })
    .await;
    for (field, value) in [
        ("accounts", 3),
        ("folders", 1),
        ("files", 3),
        ("used_bytes", 19),
        ("reserved_bytes", 10),
        ("contents", 2),
        ("stored_bytes", 12),
        ("links", 2),
        ("links_open", 1),
    ] {
        assert_eq!(seen["totals"][field], value, "{field}: {seen}");
    }
    assert_eq!(seen["uploads"]["count"], 1);
    let row = &seen["uploads"]["rows"][0];
    assert_eq!((&row["user_name"], &row["offset"], &row["length"]), (&json!("bob"), &json!(4), &json!(10)));
    assert_eq!((&row["sending"], &seen["receiving"]), (&json!(false), &json!(0)));
    assert!(!seen.to_string().contains("secret plans"), "{seen}");
    let lanes: Vec<_> = seen["lanes"].as_array().unwrap().iter().map(|lane| &lane["lane"]).collect();
    assert_eq!(lanes, ["records", "counts"]);
    assert_eq!(seen["version"], env!("CARGO_PKG_VERSION"));
    // They are not counted again for each who asks.
    world.user("carol").await;
    let again = admin.get("/admin/overview").await.expect(StatusCode::OK).body;
    assert_eq!(again["totals"], seen["totals"]);
}
