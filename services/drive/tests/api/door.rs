//! What every route does: limits, fields, refusals.

use std::time::Duration;

use drive::{JSON_BYTES_MAX, Settings};
use drive_core::rate::Rate;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::{PASSWORD, World, settings};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_to_run_nothing_of_it() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let mut ids = Vec::new();
    for path in ["/me", "/nowhere", "/nodes/99999"] {
        let reply = alice.get(path).await;
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.headers[name], value, "{path}");
        }
        ids.push(reply.headers["x-request-id"].clone());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_methods_that_are_not_there_are_problems_too() {
    let world = World::new().await;
    world.visitor().get("/nowhere").await.problem(404, "path-unknown");
    world.visitor().delete("/accounts").await.problem(405, "method-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_change_nothing() {
    let trusted = vec!["https://photos.example".to_owned()];
    let world = World::with(Settings { trusted_origins: trusted, ..settings() }).await;
    let alice = world.user("alice").await;
    let own = format!("http://{}", world.address);
    let folder = |name: &str| json!({"name": name});
    for (name, headers, passes) in [
        ("program", vec![], true),
        ("own page", vec![("sec-fetch-site", "same-origin"), ("origin", &own)], true),
        ("own page, old browser", vec![("origin", &own)], true),
        ("other page", vec![("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], false),
        ("other page, old browser", vec![("origin", "https://evil.example")], false),
        ("neighbour", vec![("sec-fetch-site", "same-site"), ("origin", "https://b.example")], false),
        ("trusted", vec![("sec-fetch-site", "cross-site"), ("origin", "https://photos.example")], true),
        ("no origin", vec![("sec-fetch-site", "cross-site"), ("origin", "null")], false),
    ] {
        let page = headers.iter().fold(alice.clone(), |client, (key, value)| client.with(key, value));
        let reply = page.post("/nodes/root/children", folder(name)).await;
        if passes {
            reply.expect(StatusCode::CREATED);
        } else {
            reply.problem(403, "cross-origin");
            page.get("/me").await.expect(StatusCode::OK);
        }
    }
    assert_eq!(alice.names("root").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_json_of_bounded_length() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let long = json!({"name": "x".repeat(JSON_BYTES_MAX)});
    alice.post("/nodes/root/children", long).await.problem(413, "body-too-large");
    alice.send(Method::POST, "/nodes/root/children", None).await.problem(415, "not-json");
    for body in [json!([]), json!({"name": 7}), json!({"name": "a", "path": "/etc"}), json!("{")] {
        alice.post("/nodes/root/children", body).await.problem(400, "body-invalid");
    }
    assert!(alice.names("root").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_limited_for_each_account() {
    let rate = Rate::new(1, Duration::from_secs(3600), 12);
    let world = World::with(Settings { request_rate: rate, ..settings() }).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for _ in 0..12 {
        alice.get("/me").await.expect(StatusCode::OK);
    }
    alice.get("/me").await.problem(429, "rate-limited");
    bob.get("/me").await.expect(StatusCode::OK);
    // The visitor's requests so far were counted for the address: two for each account.
    for _ in 0..8 {
        world.visitor().get("/me").await.problem(401, "sign-in-needed");
    }
    world.visitor().get("/me").await.problem(429, "rate-limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_in_any_field_are_text() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for text in ["'", "\"", "' OR '1'='1", "a\\", "%", "x'); DROP TABLE nodes; --"] {
        let made = alice.post("/nodes/root/children", json!({"name": text})).await;
        assert_eq!(made.expect(StatusCode::CREATED).text("/name"), text);
        let fields = json!({"user_name": text, "password": PASSWORD});
        world.visitor().post("/accounts", fields).await.problem(400, "user-name-invalid");
    }
    assert_eq!(alice.names("root").await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_which_of_its_parts_answer() {
    let health = async |world: &World| {
        let response = reqwest::get(format!("http://{}/healthz", world.address)).await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap())
    };
    let world = World::working(|_| {}).await;
    let all = json!({"database": "ok", "bytes": "ok", "cache": "ok", "queue": "ok"});
    assert_eq!(health(&world).await, (200, all));
    let without = json!({"database": "ok", "bytes": "away", "cache": "ok", "queue": null});
    assert_eq!(health(&World::new().await).await, (503, without));
}
