//! What every operation does with fields, tokens, names and pages that are not as they should be.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use drive_core::UnixMillis;
use drive_core::account::UserName;
use drive_core::session::{Door, Token, TokenKind};
use drive_db::{Cause, Database};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::{World, settings};
use crate::old::{Old, md5};

/// The targets that need a token, but for uploads, which have forms; and the fields that each of them needs.
const SIGNED: [(&str, &[&str]); 14] = [
    ("/api/md5", &["md5", "filename"]),
    ("/api/myfiles?cmd=count", &[]),
    ("/api/myfiles?cmd=normal", &["start", "count"]),
    ("/api/myfiles?cmd=pvasc", &["start", "count"]),
    ("/api/myfiles?cmd=pvdesc", &["start", "count"]),
    ("/api/dealfile?cmd=share", &["md5", "filename"]),
    ("/api/dealfile?cmd=del", &["md5", "filename"]),
    ("/api/dealfile?cmd=pv", &["md5", "filename"]),
    ("/api/dealsharefile?cmd=cancel", &["md5", "filename"]),
    ("/api/dealsharefile?cmd=save", &["md5", "filename"]),
    ("/api/dealsharefile?cmd=pv", &["md5", "filename"]),
    ("/api/sharepic?cmd=share", &["md5", "filename"]),
    ("/api/sharepic?cmd=normal", &["start", "count"]),
    ("/api/sharepic?cmd=cancel", &["urlmd5"]),
];

/// Those for everybody that have fields.
const PUBLIC: [(&str, &[&str]); 4] = [
    ("/api/sharefiles?cmd=normal", &["start", "count"]),
    ("/api/sharefiles?cmd=pvdesc", &["start", "count"]),
    ("/api/sharefiles?cmd=pvasc", &["start", "count"]),
    ("/api/sharepic?cmd=browse", &["urlmd5"]),
];

/// Fields that are all as they should be, though nothing may be there that they name.
fn fields() -> Value {
    json!({
        "md5": md5("x"), "filename": "x.png", "start": 0, "count": 10,
        "urlmd5": "00102030405060708090a0b0c0d0e0f0",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_token_is_code_4_wherever_one_is_needed() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    // A session that is a day old.
    let database = Database::open(place.unwrap()).await.unwrap();
    let account = database.account_by_name(&UserName::parse("lilei").unwrap()).await.unwrap().unwrap();
    let expired = Token::new(TokenKind::Session, rand::random());
    let now = jiff::Timestamp::now().as_millisecond();
    let cause = Cause::visitor(Some(IpAddr::from([127, 0, 0, 1])), UnixMillis(now - 24 * 3_600_000));
    let signed =
        database.sign_in(account.id, &account.verifiers, expired.digest(), Door::Dialect, None, &cause);
    signed.await.unwrap();
    let expired = expired.to_text();
    let long = "x".repeat(5000);
    for token in ["", "1", "wrong", &long, &expired, &other.token] {
        let client = Old { token: token.to_owned(), ..lilei.clone() };
        for (target, _) in SIGNED {
            assert_eq!(client.call(target, fields()).await.body, json!({"code": 4}), "{target} {token:.20}");
        }
        assert_eq!(
            client
                .form(&[
                    ("token", None, &token.as_bytes()[..token.len().min(1000)]),
                    ("user", None, b"lilei"),
                    ("file", Some("x.png"), b"x"),
                ])
                .await,
            4
        );
    }
    for (target, _) in SIGNED {
        for token in [None, Some(Value::Null)] {
            let mut fields = fields();
            fields["user"] = "lilei".into();
            if let Some(token) = token {
                fields["token"] = token;
            }
            assert_eq!(visitor.post(target, fields).await.body, json!({"code": 4}), "{target}");
        }
    }
    assert!(lilei.names("/api/myfiles?cmd=normal").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_missing_or_of_a_wrong_kind_are_code_1() {
    let world = World::new().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    let all = SIGNED.iter().map(|it| (&lilei, it)).chain(PUBLIC.iter().map(|it| (&visitor, it)));
    for (client, (target, needed)) in all {
        for field in *needed {
            for wrong in
                [Value::Null, json!([]), json!({}), json!(true), json!(-1), json!("x".repeat(10_000))]
            {
                let mut fields = fields();
                fields[*field] = wrong.clone();
                let code = client.call(target, fields).await.code();
                // What can't be the token of a link leads nowhere.
                let expected = if target.ends_with("browse") && wrong.is_string() { 2 } else { 1 };
                assert_eq!(code, expected, "{target} {field} {wrong:.20}");
            }
            let mut fields = fields();
            fields.as_object_mut().unwrap().remove(*field);
            assert_eq!(client.call(target, fields).await.code(), 1, "{target} without {field}");
        }
        let whole = serde_json::to_vec(&json!({"user": "lilei", "token": lilei.token})).unwrap();
        for body in [&b""[..], b"[]", b"null", b"{", b"\xff", &whole[..whole.len() - 1]] {
            assert_eq!(client.ask(Method::POST, target, body.to_vec()).await.code(), 1, "{target}");
        }
        let long = format!("{{\"user\":\"lilei\",\"x\":\"{}\"}}", "x".repeat(20_000));
        assert_eq!(client.ask(Method::POST, target, long.into_bytes()).await.code(), 1, "{target}");
    }
    for (target, _) in SIGNED {
        for user in [Value::Null, json!(5), json!("")] {
            let mut fields = fields();
            fields["token"] = lilei.token.as_str().into();
            fields["user"] = user;
            assert_eq!(visitor.post(target, fields).await.code(), 1, "{target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_methods_that_are_not_there_are_code_1_and_other_paths_are_not_the_dialect_s() {
    let world = World::new().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    for path in ["myfiles", "dealfile", "sharefiles", "dealsharefile", "sharepic"] {
        for cmd in
            ["", "?cmd=", "?cmd=all", "?cmd=normalx", "?x=normal", &format!("?cmd={}", "x".repeat(3000))]
        {
            let target = format!("/api/{path}{cmd}");
            assert_eq!(lilei.call(&target, fields()).await.body, json!({"code": 1}), "{target:.40}");
        }
    }
    for (target, _) in SIGNED.into_iter().chain(PUBLIC) {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            assert_eq!(lilei.ask(method, target, b"{}".to_vec()).await.code(), 1, "{target}");
        }
    }
    for target in ["/api/myfilesm?cmd=normal", "/api/regXYZ", "/api/reg/", "/api/chunk_init", "/api"] {
        let response = lilei.send(Method::POST, target, b"{}".to_vec()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{target}");
    }
    // That is the web page, which is fetched.
    let response = lilei.send(Method::POST, "/", b"{}".to_vec()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_any_language_and_with_any_mark_stay_as_they_are() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let long = "名".repeat(85);
    let mut names =
        vec!["报告.文档", "👩‍👩‍👧 family.png", "it's.txt", "a b;c&d=e.txt", "$(id)`id`|x", "%2e%2e", &long];
    for name in &names {
        assert_eq!(lilei.upload(name, name.as_bytes()).await, 0, "{name}");
        assert_eq!(lilei.file("/api/md5", name.as_bytes(), name).await, 5, "{name}");
        assert_eq!(lilei.file("/api/dealfile?cmd=share", name.as_bytes(), name).await, 0, "{name}");
        assert_eq!(lilei.file("/api/dealsharefile?cmd=pv", name.as_bytes(), name).await, 0, "{name}");
    }
    names.sort_unstable();
    for (target, field) in [
        ("/api/myfiles?cmd=normal", "file_name"),
        ("/api/sharefiles?cmd=normal", "file_name"),
        ("/api/sharefiles?cmd=pvdesc", "filename"),
    ] {
        let mut listed = lilei.page(target, 0, 100).await.texts(field);
        listed.sort_unstable();
        assert_eq!(listed, names, "{target}");
    }
    assert_eq!(lilei.upload("abc", b"abc").await, 0);
    for name in ["", ".", "..", "a/b", "a\r\nb", "a\nb", "a\u{0}b", &format!("{long}x"), "a\u{202e}b"] {
        assert_eq!(lilei.file("/api/md5", b"abc", name).await, 1, "{name:?}");
        assert_eq!(lilei.file("/api/dealfile?cmd=share", b"abc", name).await, 1, "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_content_under_two_names_and_one_name_of_two_users_are_files_of_their_own() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    for (client, name, content) in
        [(&lilei, "a", "1"), (&lilei, "b", "1"), (&other, "a", "2"), (&other, "c", "1")]
    {
        assert_eq!(client.upload(name, content.as_bytes()).await, 0);
        assert_eq!(client.file("/api/dealfile?cmd=share", content.as_bytes(), name).await, 0, "{name}");
    }
    assert_eq!(lilei.file("/api/dealfile?cmd=del", b"1", "a").await, 0);
    let shared = visitor.page("/api/sharefiles?cmd=normal", 0, 10).await;
    let shared: BTreeSet<_> = shared.texts("user").into_iter().zip(shared.texts("file_name")).collect();
    let expected =
        [("lilei", "b"), ("other", "a"), ("other", "c")].map(|(u, n)| (u.to_owned(), n.to_owned()));
    assert_eq!(shared, expected.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_bounds() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    assert_eq!(lilei.upload("a.png", b"x").await, 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"x", "a.png").await, 0);
    assert_eq!(lilei.file("/api/sharepic?cmd=share", b"x", "a.png").await, 0);
    let lists = SIGNED.iter().chain(&PUBLIC).filter(|(_, needed)| needed.contains(&"start"));
    for (target, _) in lists {
        for (start, count, expected) in [
            (json!(0), json!(1), (0, 1)),
            (json!("0"), json!("1"), (0, 1)),
            (json!(0), json!(i64::MAX), (0, 1)),
            (json!(0), json!(0), (0, 0)),
            (json!(1), json!(10), (0, 0)),
            (json!(100_000), json!(10), (0, 0)),
            (json!(100_001), json!(10), (1, 0)),
            (json!(-1), json!(10), (1, 0)),
            (json!(0), json!(-1), (1, 0)),
            (json!(0.5), json!(1), (1, 0)),
            (json!("x"), json!(1), (1, 0)),
            (json!(u64::MAX), json!(1), (1, 0)),
        ] {
            let reply = lilei.call(target, json!({"start": start, "count": count})).await;
            assert_eq!((reply.code(), reply.rows().len()), expected, "{target} {start} {count}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_leave_every_reference_counted() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let visitor = Old::visitor(&world);
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(visitor.new_user(&format!("user{number}")).await);
    }
    assert_eq!(people[0].upload("a", b"one content").await, 0);
    assert_eq!(people[0].file("/api/dealfile?cmd=share", b"one content", "a").await, 0);
    let turns = (0..100).map(|turn| {
        let client = people[turn % 4].clone();
        async move {
            let name = format!("n{}", turn % 5);
            match turn % 3 {
                0 => client.file("/api/md5", b"one content", &name).await,
                1 => client.file("/api/dealsharefile?cmd=save", b"one content", "a").await,
                _ => client.file("/api/dealfile?cmd=del", b"one content", &name).await,
            }
        }
    });
    let codes = tokio::time::timeout(Duration::from_secs(120), join_all(turns)).await.unwrap();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 1, 5].contains(code)), "{codes:?}");
    let database = Database::open(place.unwrap()).await.unwrap();
    assert_eq!(database.check().await.unwrap(), []);
    // Whatever is listed can be fetched, and nobody has one name twice.
    for client in &people {
        let page = client.page("/api/myfiles?cmd=normal", 0, 100).await;
        let names: BTreeSet<_> = page.texts("file_name").into_iter().collect();
        assert_eq!((names.len(), &page.body["total"]), (page.rows().len(), &json!(page.rows().len())));
        for url in page.texts("url") {
            assert_eq!(client.browser().fetch(&url).await, (StatusCode::OK, b"one content".to_vec()));
        }
    }
}
