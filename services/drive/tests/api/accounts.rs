//! Accounts and sessions over API v1.

use drive::Settings;
use drive_core::account::RegistrationPolicy;
use drive_core::rate::Rate;
use md5::{Digest, Md5};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::time::Duration;

use crate::kit::{ADMIN, PASSWORD, World, settings};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_signs_in_and_sees_itself() {
    let world = World::new().await;
    let visitor = world.visitor();
    let fields = json!({
        "user_name": "李雷", "password": PASSWORD, "nick_name": "小李", "email": "li@example.com",
        "phone": "+86 138 0000",
    });
    let made = visitor.post("/accounts", fields).await.expect(StatusCode::CREATED);
    let user = visitor.signed_in("李雷", PASSWORD).await;
    let me = user.get("/me").await.expect(StatusCode::OK);
    assert_eq!(me.body, made.body);
    for (field, value) in [
        ("user_name", json!("李雷")),
        ("nick_name", json!("小李")),
        ("email", json!("li@example.com")),
        ("phone", json!("+86 138 0000")),
        ("role", json!("user")),
        ("state", json!("active")),
        ("old_clients", json!(false)),
    ] {
        assert_eq!(me.body[field], value, "{field}");
    }
    assert_eq!(me.body["usage"], json!({"limit": null, "used": 0, "reserved": 0, "nodes": 1}));
    assert_eq!(user.get("/usage").await.expect(StatusCode::OK).body, me.body["usage"]);
    let root = user.get("/nodes/root").await.expect(StatusCode::OK);
    assert_eq!(root.text("/id"), me.text("/root"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_account_is_refused_with_its_reason() {
    let world = World::new().await;
    let visitor = world.visitor();
    world.user("taken").await;
    for (fields, status, code) in [
        (json!({"user_name": "Taken", "password": PASSWORD}), 409, "user-name-taken"),
        (json!({"user_name": "x", "password": PASSWORD}), 400, "user-name-invalid"),
        (json!({"user_name": "root", "password": PASSWORD}), 400, "user-name-invalid"),
        (json!({"user_name": "a'; --", "password": PASSWORD}), 400, "user-name-invalid"),
        (json!({"user_name": "somebody", "password": "short"}), 400, "password-refused"),
        (json!({"user_name": "somebody", "password": "somebody"}), 400, "password-refused"),
        (json!({"user_name": "somebody", "password": PASSWORD, "email": "no"}), 400, "field-invalid"),
        (json!({"user_name": "somebody"}), 400, "body-invalid"),
        (
            json!({"user_name": "somebody", "password": PASSWORD, "role": "administrator"}),
            400,
            "body-invalid",
        ),
    ] {
        visitor.post("/accounts", fields).await.problem(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_registration_is_closed_only_administrators_make_accounts() {
    let world = World::with(Settings { registration: RegistrationPolicy::Closed, ..settings() }).await;
    let fields = json!({"user_name": "somebody", "password": PASSWORD});
    world.visitor().post("/accounts", fields.clone()).await.problem(403, "registration-closed");
    world.admin().await.post("/accounts", fields).await.expect(StatusCode::CREATED);
    let user = world.visitor().signed_in("somebody", PASSWORD).await;
    let other = json!({"user_name": "other", "password": PASSWORD});
    user.post("/accounts", other).await.problem(403, "registration-closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_everybody_may_make_an_account_is_told_before_anybody_tries() {
    for (registration, open) in [(RegistrationPolicy::Open, true), (RegistrationPolicy::Closed, false)] {
        // Nobody who asks is counted: the page does each time that it is opened.
        let request_rate = Rate::new(1, Duration::from_secs(3600), 1);
        let world = World::with(Settings { registration, request_rate, ..settings() }).await;
        for _ in 0..3 {
            let about = world.visitor().get("/about").await.expect(StatusCode::OK);
            let version = env!("CARGO_PKG_VERSION");
            assert_eq!(about.body, json!({"version": version, "open_registration": open}));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_of_one_address_are_limited() {
    let rate = Rate::new(1, Duration::from_secs(3600), 2);
    let world = World::with(Settings { registration_rate: rate, ..settings() }).await;
    for name in ["one", "two"] {
        world.user(name).await;
    }
    let fields = json!({"user_name": "three", "password": PASSWORD});
    let refused = world.visitor().post("/accounts", fields).await.problem(429, "rate-limited");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_one_administrator_and_a_second_none() {
    let world = World::new().await;
    let again = world
        .drive
        .first_start(|| -> Result<String, drive_core::Problem> { panic!("nobody needs a password") });
    assert!(!again.await.unwrap());
    let admin = world.admin().await;
    assert_eq!(admin.get("/me").await.text("/role"), "administrator");
    world
        .visitor()
        .post("/session", json!({"user_name": ADMIN, "password": "guess"}))
        .await
        .problem(401, "sign-in-failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_name_that_nobody_has_look_the_same() {
    let world = World::new().await;
    world.user("alice").await;
    let visitor = world.visitor();
    let mut bodies = Vec::new();
    for (name, password) in [("alice", "wrong"), ("nobody", "wrong"), ("a'b", "wrong"), ("alice", "")] {
        let refused = visitor.post("/session", json!({"user_name": name, "password": password})).await;
        bodies.push(refused.problem(401, "sign-in-failed").body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_slow_down_one_name_and_leave_sessions_alone() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.user("bob").await;
    let visitor = world.visitor();
    let wrong = json!({"user_name": "alice", "password": "a wrong one"});
    for _ in 0..6 {
        visitor.post("/session", wrong.clone()).await.problem(401, "sign-in-failed");
    }
    let right = json!({"user_name": "Alice", "password": PASSWORD});
    let refused = visitor.post("/session", right).await.problem(429, "too-many-attempts");
    assert!(refused.body["retry_after_s"].as_u64().unwrap() >= 1);
    alice.get("/me").await.expect(StatusCode::OK);
    visitor.signed_in("bob", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_has_its_session_in_a_cookie_that_scripts_cannot_read() {
    let world =
        World::with(Settings { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..settings() }).await;
    world.user("alice").await;
    let fields = json!({"user_name": "alice", "password": PASSWORD});
    for (proto, name, secure) in [("http", "cairn", false), ("https", "__Host-cairn", true)] {
        let browser = world.visitor().with("x-forwarded-proto", proto);
        let reply = browser.post("/session", fields.clone()).await.expect(StatusCode::CREATED);
        assert!(reply.body["token"].is_null(), "a script can't read the token");
        let line = reply.headers["set-cookie"].to_str().unwrap().to_owned();
        let (pair, rest) = line.split_once(';').unwrap();
        assert!(pair.starts_with(&format!("{name}=")) && pair.len() == name.len() + 1 + 43, "{pair}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
            assert!(rest.contains(attribute), "{line}");
        }
        assert_eq!(rest.contains("Secure"), secure, "{line}");
        let signed = browser.with("cookie", &format!("other=1; {pair}"));
        signed.get("/me").await.expect(StatusCode::OK);
        let out = signed.delete("/session").await.expect(StatusCode::NO_CONTENT);
        let cleared = out.headers["set-cookie"].to_str().unwrap();
        assert!(cleared.starts_with(&format!("{name}=;")) && cleared.contains("Max-Age=0"), "{cleared}");
        signed.get("/me").await.problem(401, "session-ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_opens_nothing() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.get("/me").await.problem(401, "sign-in-needed");
    for text in ["", "x", &"A".repeat(43), &format!("cairn_{}", "A".repeat(43)), "' OR 1=1 --"] {
        let refused = visitor.with("authorization", &format!("Bearer {text}")).get("/me").await;
        let refused = refused.problem(401, "session-ended");
        assert_eq!(refused.headers["www-authenticate"], "Bearer");
        visitor.with("cookie", &format!("cairn={text}")).get("/me").await.expect(StatusCode::UNAUTHORIZED);
    }
    // An API token in a cookie is none: a page could send it.
    visitor
        .with("cookie", &format!("cairn=cairn_{}", "A".repeat(43)))
        .get("/me")
        .await
        .problem(401, "sign-in-needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_ends_the_session_that_the_browser_had() {
    let world = World::new().await;
    let first = world.user("alice").await;
    let second = first.signed_in("alice", PASSWORD).await;
    first.get("/me").await.problem(401, "session-ended");
    second.get("/me").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_has_the_session_also_when_a_password_is_one_whose_hash_is_not_made_anew() {
    let world = World::new().await;
    let digits: String = Md5::digest(PASSWORD).iter().map(|byte| format!("{byte:02x}")).collect();
    let fields = json!({"userName": "alice", "nickName": "alice", "firstPwd": digits});
    let url = format!("http://{}/api/reg", world.address);
    let made = reqwest::Client::new().post(url).body(fields.to_string()).send().await.unwrap();
    assert_eq!(made.text().await.unwrap(), r#"{"code":0}"#);
    let file = SqliteConnectOptions::new().filename(world.folder.path().join("drive.db"));
    let mut other = file.connect().await.unwrap();
    let trigger = "CREATE TRIGGER no_hash BEFORE UPDATE OF text_hash ON accounts \
         BEGIN SELECT RAISE(ABORT, 'refused by a test'); END";
    sqlx::query(trigger).execute(&mut other).await.unwrap();
    let first = world.visitor().signed_in("alice", PASSWORD).await;
    let second = first.signed_in("alice", PASSWORD).await;
    first.get("/me").await.problem(401, "session-ended");
    second.get("/me").await.expect(StatusCode::OK);
    // The next that signs in tries again.
    sqlx::query("DROP TRIGGER no_hash").execute(&mut other).await.unwrap();
    second.signed_in("alice", PASSWORD).await;
    let hash = "SELECT text_hash FROM accounts WHERE user_name = 'alice'";
    let hash: Option<String> = sqlx::query_scalar(hash).fetch_one(&mut other).await.unwrap();
    assert!(hash.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_by_their_owner_only() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let phone = world.visitor().signed_in("alice", PASSWORD).await;
    let bob = world.user("bob").await;
    let list = alice.get("/sessions").await.expect(StatusCode::OK);
    let rows = list.body["rows"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 2);
    let other = rows.iter().find(|row| row["present"] == false).unwrap()["id"].as_str().unwrap();
    assert_eq!(rows.iter().filter(|row| row["present"] == true).count(), 1);
    bob.delete(&format!("/sessions/{other}")).await.problem(404, "session-not-found");
    alice.delete("/sessions/nonsense").await.problem(404, "session-not-found");
    phone.delete(&format!("/sessions/{other}")).await.expect(StatusCode::NO_CONTENT);
    phone.get("/me").await.problem(401, "session-ended");
    alice.get("/me").await.expect(StatusCode::OK);
    alice.delete("/sessions").await.expect(StatusCode::NO_CONTENT);
    alice.get("/me").await.problem(401, "session-ended");
    bob.get("/me").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_wants_the_old_one_and_makes_a_session_anew() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let change = |old: &str, new: &str| json!({"old": old, "new": new, "hand": "token"});
    alice.put("/me/password", change("wrong", "another long one")).await.problem(401, "sign-in-failed");
    alice.put("/me/password", change(PASSWORD, "alice")).await.problem(400, "password-refused");
    let changed =
        alice.put("/me/password", change(PASSWORD, "another long one")).await.expect(StatusCode::OK);
    alice.get("/me").await.problem(401, "session-ended");
    let anew = world.visitor().with("authorization", &format!("Bearer {}", changed.text("/token")));
    anew.get("/me").await.expect(StatusCode::OK);
    let old = json!({"user_name": "alice", "password": PASSWORD});
    world.visitor().post("/session", old).await.problem(401, "sign-in-failed");
    world.visitor().signed_in("alice", "another long one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_changes_field_by_field() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for (change, nick_name, email) in [
        (json!({"nick_name": "爱丽丝"}), "爱丽丝", json!(null)),
        (json!({"email": "a@example.com"}), "爱丽丝", json!("a@example.com")),
        (json!({}), "爱丽丝", json!("a@example.com")),
        (json!({"email": null, "nick_name": "A"}), "A", json!(null)),
    ] {
        let changed = alice.patch("/me", change).await.expect(StatusCode::OK);
        assert_eq!((changed.text("/nick_name"), &changed.body["email"]), (nick_name.to_owned(), &email));
        assert_eq!(alice.get("/me").await.body, changed.body);
    }
    alice.patch("/me", json!({"nick_name": "line\nend"})).await.problem(400, "field-invalid");
}

#[tokio::test]
async fn a_body_is_an_object() {
    let world = World::new().await;
    let user = world.user("anna").await;
    user.patch("/me", json!({"email": "anna@example.org"})).await.expect(StatusCode::OK);
    // What reads objects would read a list by the order of its fields.
    for body in [json!([null, null]), json!([]), json!("email"), json!(null), json!(7)] {
        user.patch("/me", body).await.problem(400, "body-invalid");
    }
    assert_eq!(user.get("/me").await.text("/email"), "anna@example.org");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_are_let_in_when_their_owner_says_so() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let old = async || {
        // What an old client makes of the password.
        let digits: String = Md5::digest(PASSWORD).iter().map(|byte| format!("{byte:02x}")).collect();
        let url = format!("http://{}/api/login", world.address);
        let body = json!({"user": "alice", "pwd": digits}).to_string();
        let answer = reqwest::Client::new().post(url).body(body).send().await.unwrap();
        serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap()
    };
    assert_eq!(old().await["code"], 1);
    let wrong = json!({"password": "another password"});
    alice.put("/me/old-clients", wrong).await.problem(401, "sign-in-failed");
    let right = json!({"password": PASSWORD});
    let account = alice.put("/me/old-clients", right).await.expect(StatusCode::OK);
    assert_eq!(account.body["old_clients"], true);
    let signed_in = old().await;
    assert_eq!(signed_in["code"], 0);
    // It works with files in API v1, too, and does not keep the account: the digits are not the password.
    let token = format!("Bearer {}", signed_in["token"].as_str().unwrap());
    let old_client = world.visitor().with("authorization", &token);
    old_client.get("/nodes/root/children").await.expect(StatusCode::OK);
    old_client.get("/me").await.problem(403, "not-allowed");
    let wanted = json!({"label": "for ever", "scopes": ["read"]});
    old_client.post("/tokens", wanted).await.problem(403, "not-allowed");
    let account = alice.delete("/me/old-clients").await.expect(StatusCode::OK);
    assert_eq!(account.body["old_clients"], false);
    assert_eq!(old().await["code"], 1);
}
