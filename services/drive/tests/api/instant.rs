//! Instant upload over API v1.

use std::time::{Duration, Instant};

use drive::Settings;
use drive_core::content::Sha256Digest;
use drive_core::rate::Rate;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::kit::{Client, Reply, World, pattern, settings};

const ASK: &str = "/nodes/root/instant";
const PROVE: &str = "/nodes/root/instant/proof";

fn hex(bytes: &[u8]) -> String {
    Sha256Digest(bytes.try_into().unwrap()).to_string()
}

fn wish(name: &str, content: &[u8]) -> Value {
    json!({"name": name, "sha256": hex(&Sha256::digest(content)), "size": content.len()})
}

/// What somebody with these bytes answers.
fn proof(challenge: &Value, content: &[u8]) -> String {
    let nonce = Sha256Digest::from_hex(challenge["nonce"].as_str().unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&nonce.0).unwrap();
    for range in challenge["ranges"].as_array().unwrap() {
        let number = |name: &str| range[name].as_u64().unwrap() as usize;
        let (offset, length) = (number("offset"), number("length"));
        mac.update(&content[offset..offset + length]);
    }
    hex(&mac.finalize().into_bytes())
}

async fn challenge(client: &Client, name: &str, content: &[u8]) -> Value {
    client.post(ASK, wish(name, content)).await.expect(StatusCode::ACCEPTED).body
}

/// Answers a challenge: what it says, and not at once.
async fn prove(client: &Client, name: &str, challenge: &Value, proof: &str) -> Reply {
    let began = Instant::now();
    let answer = json!({"name": name, "challenge": challenge["challenge"], "proof": proof});
    let reply = client.post(PROVE, answer).await;
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_ones_own_is_linked_at_once() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let content = pattern(10_000);
    let first = alice.file("first", &content).await;
    let made = alice.post(ASK, wish("second", &content)).await.expect(StatusCode::CREATED);
    assert!(alice.bytes(&made.text("/id")).await == content);
    assert_eq!(alice.get("/usage").await.body["used"], 20_000);
    alice.post(ASK, wish("second", &content)).await.problem(409, "name-taken");
    // In the trash it is one's own still.
    alice.delete(&format!("/nodes/{first}")).await.expect(StatusCode::OK);
    alice.delete(&format!("/nodes/{}", made.text("/id"))).await.expect(StatusCode::OK);
    let keyed = alice.with("idempotency-key", "0123456789abcdef");
    let third = keyed.post(ASK, wish("third", &content)).await.expect(StatusCode::CREATED).text("/id");
    let again = keyed.post(ASK, wish("third", &content)).await.expect(StatusCode::CREATED).text("/id");
    assert_eq!(third, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_bytes_need_not_send_them() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    // As a whole, and in samples.
    for (number, size) in [0, 1, 1000, 262_144, 262_145, 5_000_000].into_iter().enumerate() {
        let (name, content) = (number.to_string(), pattern(size));
        alice.file(&name, &content).await;
        let asked = challenge(&bob, &name, &content).await;
        let ranges = asked["ranges"].as_array().unwrap().len();
        assert_eq!(
            ranges,
            if size == 0 {
                0
            } else if size <= 262_144 {
                1
            } else {
                16
            }
        );
        let made = prove(&bob, &name, &asked, &proof(&asked, &content)).await.expect(StatusCode::CREATED);
        assert_eq!(made.body["size"], size);
        assert!(bob.bytes(&made.text("/id")).await == content);
    }
    assert_eq!(bob.get("/usage").await.body["used"], 5_525_290);
    world.servers.as_ref().unwrap().check_logs(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_what_is_there() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (there, elsewhere) = (pattern(300_000), pattern(300_001));
    alice.file("there", &there).await;
    let known = challenge(&bob, "a", &there).await;
    let unknown = challenge(&bob, "a", &elsewhere).await;
    for asked in [&known, &unknown] {
        let mut fields: Vec<&str> = asked.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["challenge", "ends_at", "nonce", "ranges"]);
        assert_eq!(asked["ranges"].as_array().unwrap().len(), 16);
    }
    // A wrong proof of what is there, a right one of what is not.
    let wrong = prove(&bob, "a", &known, &proof(&known, &pattern(300_001)[1..])).await;
    let right = prove(&bob, "a", &unknown, &proof(&unknown, &elsewhere)).await;
    assert_eq!(wrong.body, right.body);
    wrong.problem(404, "content-unknown");
    right.problem(404, "content-unknown");
    for text in ["", "x", &"0".repeat(64)] {
        let asked = challenge(&bob, "a", &there).await;
        prove(&bob, "a", &asked, text).await.problem(404, "content-unknown");
    }
    // What can't be read is not there.
    let asked = challenge(&bob, "a", &there).await;
    let answer = proof(&asked, &there);
    world.readable(0);
    prove(&bob, "a", &asked, &answer).await.problem(404, "content-unknown");
    world.readable(u64::MAX);
    assert!(bob.names("root").await.is_empty());
    assert_eq!(bob.get("/usage").await.body["used"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_answered_once_by_whom_it_was_given_to() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let carol = world.user("carol").await;
    let content = pattern(1000);
    alice.file("a", &content).await;
    let asked = challenge(&bob, "a", &content).await;
    let right = proof(&asked, &content);
    prove(&carol, "a", &asked, &right).await.problem(400, "field-invalid");
    prove(&bob, "a", &asked, &right[..63]).await.problem(404, "content-unknown");
    // The right answer comes too late.
    prove(&bob, "a", &asked, &right).await.problem(404, "content-unknown");

    let asked = challenge(&bob, "a", &content).await;
    let right = proof(&asked, &content);
    bob.file("a", b"other").await;
    prove(&bob, "a", &asked, &right).await.problem(409, "name-taken");
    prove(&bob, "b", &asked, &right).await.problem(404, "content-unknown");

    // The same request, whose answer was lost.
    let asked = challenge(&bob, "c", &content).await;
    let right = proof(&asked, &content);
    let keyed = bob.with("idempotency-key", "0123456789abcdef");
    let made = prove(&keyed, "c", &asked, &right).await.expect(StatusCode::CREATED).text("/id");
    assert_eq!(prove(&keyed, "c", &asked, &right).await.expect(StatusCode::CREATED).text("/id"), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_are_limited_for_each_account() {
    let rate = Rate::new(1, Duration::from_secs(3600), 3);
    let world = World::with(Settings { proof_rate: rate, ..settings() }).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for _ in 0..3 {
        challenge(&alice, "a", b"content").await;
    }
    alice.post(ASK, wish("a", b"content")).await.problem(429, "rate-limited");
    challenge(&bob, "a", b"content").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_become_a_file_is_told_before_anything_is_proved() {
    let small = |settings: &mut drive_db::Settings| {
        settings.policy.quota = drive_core::ByteCount::new(1000);
        settings.policy.file_max = drive_core::ByteCount::new(2000).unwrap();
    };
    let world = World::on(crate::kit::away(), settings(), small).await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "taken").await;
    for (path, fields, status, code) in [
        (ASK, wish("taken", b"x"), 409, "name-taken"),
        (ASK, wish("../up", b"x"), 400, "name-invalid"),
        ("/nodes/99999/instant", wish("a", b"x"), 404, "node-not-found"),
        (ASK, wish("a", &pattern(1001)), 507, "quota-exceeded"),
        (ASK, wish("a", &pattern(2001)), 413, "file-too-large"),
        (ASK, json!({"name": "a", "sha256": "abc", "size": 1}), 400, "body-invalid"),
        (ASK, json!({"name": "a", "sha256": "0".repeat(64), "size": -1}), 400, "body-invalid"),
        (PROVE, json!({"name": "a", "challenge": "x", "proof": "x"}), 400, "field-invalid"),
    ] {
        alice.post(path, fields).await.problem(status, code);
    }
    world.visitor().post(ASK, wish("a", b"x")).await.problem(401, "sign-in-needed");
    let (status, ..) = alice.raw(Method::GET, &format!("/nodes/{folder}/instant"), "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}
