//! `/api/reg`, `/api/login`.

use std::time::Duration;

use drive::Settings;
use drive_core::account::RegistrationPolicy;
use drive_core::rate::Rate;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::{PASSWORD, World, settings};
use crate::old::{Old, TYPED, md5};

fn registration(changes: &[(&str, Value)]) -> Value {
    let mut fields = json!({"userName": "lilei", "nickName": "李雷", "firstPwd": md5(TYPED)});
    for (name, value) in changes {
        fields[*name] = value.clone();
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_once_and_signs_in_at_both_doors() {
    let world = World::new().await;
    let old = Old::visitor(&world);
    assert_eq!(old.post("/api/reg", registration(&[])).await.body, json!({"code": 0}));
    assert_eq!(old.post("/api/reg", registration(&[])).await.code(), 2);
    // Names are compared without regard to case.
    assert_eq!(old.post("/api/reg", registration(&[("userName", "LiLei".into())])).await.code(), 2);
    // Two people may have one nick name.
    assert_eq!(old.post("/api/reg", registration(&[("userName", "other".into())])).await.code(), 0);
    let reply = old.post("/api/login", json!({"user": "lilei", "pwd": md5(TYPED)})).await;
    assert_eq!(reply.body.as_object().unwrap().len(), 2);
    // With what was typed, not with what old clients make of it.
    let v1 = world.visitor();
    let fields = json!({"user_name": "lilei", "password": md5(TYPED)});
    v1.post("/session", fields).await.problem(401, "sign-in-failed");
    let me = v1.signed_in("lilei", TYPED).await.get("/me").await.expect(StatusCode::OK);
    assert_eq!(me.text("/nick_name"), "李雷");
    old.signed_in("lilei").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_an_account_is_code_1() {
    let world = World::new().await;
    let old = Old::visitor(&world);
    for (name, value) in [
        ("userName", Value::Null),
        ("userName", 5.into()),
        ("userName", "".into()),
        ("userName", "x".repeat(33).into()),
        ("userName", "li lei".into()),
        ("nickName", Value::Null),
        ("nickName", "".into()),
        ("nickName", "x".repeat(1000).into()),
        ("firstPwd", Value::Null),
        ("firstPwd", TYPED.into()),
        ("firstPwd", md5("").into()),
        ("firstPwd", md5("lilei").into()),
        ("email", "nobody".into()),
        ("email", json!([])),
        ("phone", "call me".into()),
        ("phone", "1".repeat(100).into()),
    ] {
        let reply = old.post("/api/reg", registration(&[(name, value.clone())])).await;
        assert_eq!(reply.body, json!({"code": 1}), "{name} {value}");
    }
    assert_eq!(old.post("/api/login", json!({"user": "lilei", "pwd": md5(TYPED)})).await.code(), 1);
    let filled = [("email", "li@lei.cn".into()), ("phone", "13800138000".into())];
    assert_eq!(old.post("/api/reg", registration(&filled)).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sign_in_is_code_1_whatever_was_wrong() {
    let world = World::new().await;
    let old = Old::visitor(&world);
    old.new_user("lilei").await;
    world.user("modern").await;
    for fields in [
        json!({"user": "lilei", "pwd": md5("1234567")}),
        json!({"user": "lilei", "pwd": TYPED}),
        json!({"user": "lilei", "pwd": ""}),
        json!({"user": "lilei"}),
        json!({"user": "lilei", "pwd": 5}),
        json!({"user": "nobody", "pwd": md5(TYPED)}),
        json!({"user": "no'body", "pwd": md5(TYPED)}),
        json!({"pwd": md5(TYPED)}),
        // An account of API v1 lets old clients in when its owner says so.
        json!({"user": "modern", "pwd": md5(PASSWORD)}),
    ] {
        assert_eq!(old.post("/api/login", fields.clone()).await.body, json!({"code": 1}), "{fields}");
    }
    old.signed_in("lilei").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_open_as_configured_and_limited_by_address() {
    let closed = World::with(Settings { registration: RegistrationPolicy::Closed, ..settings() }).await;
    assert_eq!(Old::visitor(&closed).register("lilei").await, 1);
    let rate = Rate::new(2, Duration::from_secs(3600), 2);
    let limited = World::with(Settings { registration_rate: rate, ..settings() }).await;
    let old = Old::visitor(&limited);
    let mut codes = Vec::new();
    for name in ["first", "second", "third"] {
        codes.push(old.register(name).await);
    }
    assert_eq!(codes, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_limited_for_each_account_and_those_of_visitors_for_their_address() {
    let rate = Rate::new(1, Duration::from_secs(3600), 6);
    let world = World::with(Settings { request_rate: rate, ..settings() }).await;
    let visitor = Old::visitor(&world);
    let (first, second) = (visitor.new_user("first").await, visitor.new_user("second").await);
    for code in [0, 0, 0, 0, 0, 0, 1] {
        assert_eq!(first.call("/api/myfiles?cmd=count", json!({})).await.code(), code);
    }
    assert_eq!(second.call("/api/myfiles?cmd=count", json!({})).await.code(), 0);
    // Four requests of the address were the two accounts'.
    for code in [0, 0, 1] {
        assert_eq!(visitor.post("/api/sharefiles?cmd=count", json!({})).await.code(), code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_in_the_same_browser_ends_the_session_before() {
    let world = World::new().await;
    let old = Old::visitor(&world).new_user("lilei").await;
    let elsewhere = old.signed_in("lilei").await;
    let again = old.browser().signed_in("lilei").await;
    for (client, code) in [(&old, 4), (&elsewhere, 0), (&again, 0)] {
        assert_eq!(client.call("/api/myfiles?cmd=count", json!({})).await.code(), code);
    }
}
