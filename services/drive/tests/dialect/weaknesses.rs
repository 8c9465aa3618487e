//! The weaknesses of the course's servers (W-01 to W-32 of cloud-disk-api) that a running server can have: each of them
//! tried on this one. The table in docs/compat.md names the tests.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drive_core::ByteCount;
use drive_db::Database;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tracing::Level;

use crate::kit::{World, settings};
use crate::old::{Old, Part, md5};

/// W-01
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_token_is_nobody_s_whoever_is_signed_in_or_not() {
    let world = World::new().await;
    let visitor = Old::visitor(&world);
    assert_eq!(visitor.register("lilei").await, 0);
    for user in ["lilei", "nobody", "admin"] {
        let client = Old { user: user.to_owned(), ..visitor.clone() };
        assert_eq!(client.call("/api/myfiles?cmd=count", json!({})).await.code(), 4, "{user}");
    }
}

/// W-02
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_makes_no_session_and_is_counted() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    assert_eq!(visitor.register("victim").await, 0);
    let parts: [Part<'_>; 2] = [("file", Some("a"), b"a"), ("user", None, b"victim")];
    assert_eq!(visitor.form(&parts).await, 4);
    for token in ["1", "0", "2"] {
        let client = Old { user: "victim".to_owned(), token: token.to_owned(), ..visitor.clone() };
        assert_eq!(client.call("/api/myfiles?cmd=count", json!({})).await.code(), 4);
    }
    let victim = visitor.signed_in("victim").await;
    assert_eq!(victim.upload("a", b"a").await, 0);
    assert_eq!(victim.call("/api/myfiles?cmd=count", json!({})).await.body["total"], 1);
}

/// W-03, W-17
#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_links_of_two_starts_are_random_and_differ() {
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let world = World::storing().await;
        let lilei = Old::visitor(&world).new_user("lilei").await;
        assert_eq!(lilei.upload("a.png", b"a").await, 0);
        for _ in 0..3 {
            let token = lilei.signed_in("lilei").await.token;
            let shared = lilei.call("/api/sharepic?cmd=share", json!({"md5": md5("a"), "filename": "a.png"}));
            let link = shared.await.body["urlmd5"].as_str().unwrap().to_owned();
            // 256 bits in base64, 128 in hex.
            assert_eq!((token.len(), link.len()), (43, 32));
            seen.extend([token[..8].to_owned(), link[..8].to_owned()]);
        }
    }
    assert_eq!(seen.len(), 12);
}

/// W-04
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_anybody_changes_without_a_token() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    assert_eq!(lilei.upload("a.png", b"a").await, 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"a", "a.png").await, 0);
    let shared = lilei.call("/api/sharepic?cmd=share", json!({"md5": md5("a"), "filename": "a.png"})).await;
    let link = shared.body["urlmd5"].as_str().unwrap();
    let fields = json!({"user": "lilei", "md5": md5("a"), "filename": "a.png", "urlmd5": link, "start": 0, "count": 9});
    for target in [
        "/api/dealsharefile?cmd=cancel",
        "/api/dealsharefile?cmd=save",
        "/api/dealsharefile?cmd=pv",
        "/api/sharepic?cmd=cancel",
        "/api/sharepic?cmd=share",
        "/api/sharepic?cmd=normal",
        "/api/dealfile?cmd=del",
    ] {
        assert_eq!(visitor.post(target, fields.clone()).await.body, json!({"code": 4}), "{target}");
    }
    assert_eq!(visitor.page("/api/sharefiles?cmd=normal", 0, 9).await.rows()[0]["pv"], 0);
    assert_eq!(lilei.page("/api/sharepic?cmd=normal", 0, 9).await.body["total"], 1);
    assert_eq!(lilei.names("/api/myfiles?cmd=normal").await, ["a.png"]);
}

/// W-05
#[tokio::test(flavor = "multi_thread")]
async fn deleting_with_ones_own_token_touches_nobody_else_s_file() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let visitor = Old::visitor(&world);
    let (lilei, thief) = (visitor.new_user("lilei").await, visitor.new_user("thief").await);
    assert_eq!(lilei.upload("a.png", b"a").await, 0);
    let picture = lilei.call("/api/sharepic?cmd=share", json!({"md5": md5("a"), "filename": "a.png"})).await;
    for _ in 0..3 {
        assert_eq!(thief.file("/api/dealfile?cmd=del", b"a", "a.png").await, 1);
        let cancel = thief.call("/api/sharepic?cmd=cancel", json!({"urlmd5": picture.body["urlmd5"]}));
        assert_eq!(cancel.await.code(), 1);
    }
    // One's own cancelled twice is cancelled once.
    for _ in 0..2 {
        let cancel = lilei.call("/api/sharepic?cmd=cancel", json!({"urlmd5": picture.body["urlmd5"]}));
        assert_eq!(cancel.await.code(), 0);
    }
    let row = &lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0];
    assert_eq!(lilei.browser().fetch(row["url"].as_str().unwrap()).await.1, b"a");
    assert_eq!(Database::open(place.unwrap()).await.unwrap().check().await.unwrap(), []);
}

/// W-06
#[tokio::test(flavor = "multi_thread")]
async fn a_digest_opens_no_content_and_tells_nothing_of_it() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, thief) = (visitor.new_user("lilei").await, visitor.new_user("thief").await);
    assert_eq!(lilei.upload("secret.png", b"secret").await, 0);
    for target in
        ["/api/md5", "/api/dealsharefile?cmd=save", "/api/sharepic?cmd=share", "/api/dealfile?cmd=share"]
    {
        let there = thief.file(target, b"secret", "secret.png").await;
        let not_there = thief.file(target, b"something else", "secret.png").await;
        assert_eq!((there, not_there), (1, 1), "{target}");
    }
    assert!(thief.names("/api/myfiles?cmd=normal").await.is_empty());
}

/// W-07
#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_known_by_what_they_are_not_by_what_is_said_of_them() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let forger = visitor.new_user("forger").await;
    let popular = md5("popular");
    let parts: [Part<'_>; 4] = [
        ("file", Some("a"), b"forged!"),
        ("user", None, b"forger"),
        ("md5", None, popular.as_bytes()),
        ("size", None, b"7"),
    ];
    assert_eq!(forger.browser().form(&parts).await, 1);
    assert_eq!(forger.browser().form(&parts[..2]).await, 0);
    assert_eq!(forger.page("/api/myfiles?cmd=normal", 0, 9).await.texts("md5"), [md5("forged!")]);
    let lilei = visitor.new_user("lilei").await;
    assert_eq!(lilei.file("/api/md5", b"popular", "a").await, 1);
}

/// W-08
#[tokio::test(flavor = "multi_thread")]
async fn urls_ask_for_a_session_or_a_link_and_end_with_it() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    assert_eq!(lilei.upload("a.png", b"a").await, 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"a", "a.png").await, 0);
    let picture = lilei.call("/api/sharepic?cmd=share", json!({"md5": md5("a"), "filename": "a.png"})).await;
    let link = picture.body["urlmd5"].clone();
    let browse = visitor.post("/api/sharepic?cmd=browse", json!({"urlmd5": link})).await;
    let own = lilei.page("/api/myfiles?cmd=normal", 0, 1).await.texts("url").remove(0);
    let shared = visitor.page("/api/sharefiles?cmd=normal", 0, 1).await.texts("url").remove(0);
    let shown = browse.body["url"].as_str().unwrap();
    for url in [&own, &shared, shown] {
        assert!(url.starts_with("/api/v1/") && !url.contains("M00"), "{url}");
    }
    assert_eq!(visitor.fetch(&own).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(visitor.fetch(&shared).await.0, StatusCode::OK);
    assert_eq!(visitor.fetch(shown).await.0, StatusCode::OK);
    assert_eq!(lilei.file("/api/dealsharefile?cmd=cancel", b"a", "a.png").await, 0);
    assert_eq!(lilei.call("/api/sharepic?cmd=cancel", json!({"urlmd5": link})).await.code(), 0);
    assert_eq!(visitor.fetch(&shared).await.0, StatusCode::GONE);
    assert_eq!(visitor.fetch(shown).await.0, StatusCode::GONE);
    // Signing out reaches the server: the old page's cookie opens nothing any more.
    assert_eq!(lilei.browser().fetch(&own).await.0, StatusCode::OK);
    let v1 = world.visitor().with("authorization", &format!("Bearer {}", lilei.token));
    v1.delete("/session").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(lilei.browser().fetch(&own).await.0, StatusCode::UNAUTHORIZED);
}

/// W-09
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_password_signs_nobody_in_and_guessing_has_to_wait() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    let database = Database::open(place.unwrap()).await.unwrap();
    let name = drive_core::account::UserName::parse("lilei").unwrap();
    let account = database.account_by_name(&name).await.unwrap().unwrap();
    let kept = account.verifiers.dialect.unwrap().0;
    assert!(kept.starts_with("$argon2id$") && !kept.contains(&md5(crate::old::TYPED)), "{kept}");
    let login =
        async |pwd: &str| visitor.post("/api/login", json!({"user": "lilei", "pwd": pwd})).await.code();
    assert_eq!(login(&kept).await, 1);
    for number in 0..7 {
        assert_eq!(login(&md5(number.to_string())).await, 1);
    }
    // The right one, too; who is signed in is not touched.
    assert_eq!(login(&md5(crate::old::TYPED)).await, 1);
    assert_eq!(lilei.call("/api/myfiles?cmd=count", json!({})).await.code(), 0);
}

/// W-09
#[tokio::test(flavor = "multi_thread")]
async fn no_log_has_a_password_or_a_token() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone()).init();
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    let wrong = md5("a wrong password");
    assert_eq!(visitor.post("/api/login", json!({"user": "lilei", "pwd": wrong})).await.code(), 1);
    assert_eq!(lilei.upload("a", b"a").await, 0);
    let url = lilei.page("/api/myfiles?cmd=normal", 0, 1).await.texts("url").remove(0);
    assert_eq!(visitor.fetch(&format!("{url}?token={}", lilei.token)).await.0, StatusCode::OK);
    let target = format!("/api/myfiles?cmd=count&token={}", lilei.token);
    assert_eq!(visitor.post(&target, json!({"user": "lilei"})).await.code(), 0);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let of_drive: Vec<_> = text.lines().filter(|line| line.contains("drive")).collect();
    assert!(of_drive.iter().any(|line| line.contains("not done")), "{text}");
    for secret in [&lilei.token, &md5(crate::old::TYPED), &wrong] {
        let told: Vec<_> = of_drive.iter().filter(|line| line.contains(secret.as_str())).collect();
        assert!(told.is_empty(), "{told:?}");
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// W-10
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_like_a_key_of_the_system() {
    let world = World::new().await;
    let visitor = Old::visitor(&world);
    for name in [
        "FILE_PUBLIC_ZSET",
        "FILE_PUBLIC_COUNT",
        "file_name_hash",
        "xxx_share_xxx_file_xxx_list_xxx_count_xxx",
    ] {
        assert_eq!(visitor.register(name).await, 1, "{name}");
    }
    // One whose counter would collide with another's is an account like all others.
    for name in ["a", "ab_share_picture_list_count"] {
        let name = format!("{name}1");
        let client = visitor.new_user(&name).await;
        assert_eq!(client.call("/api/myfiles?cmd=count", json!({})).await.body["total"], 0);
    }
}

/// W-11, W-12
#[tokio::test(flavor = "multi_thread")]
async fn quotes_in_any_field_are_text_and_end_no_process() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    assert_eq!(lilei.upload("a.png", b"a").await, 0);
    for text in
        ["'", "\"", "\\", "' or '1'='1", "'; drop table nodes; --", "%", "_", "\u{1}", "${x}", "{{x}}"]
    {
        for field in
            ["user", "token", "md5", "filename", "urlmd5", "key", "start", "count", "pwd", "userName"]
        {
            let mut fields = json!({
                "user": "lilei", "token": lilei.token, "md5": md5("a"), "filename": "b.png", "start": 0,
                "count": 1, "urlmd5": "00102030405060708090a0b0c0d0e0f0", "pwd": md5("wrong"),
                "userName": "new", "nickName": "new", "firstPwd": md5("other"),
            });
            fields[field] = text.into();
            if field != "userName" {
                fields["userName"] = "lilei".into();
            }
            for target in [
                "/api/reg",
                "/api/md5",
                "/api/myfiles?cmd=normal",
                "/api/dealfile?cmd=share",
                "/api/dealfile?cmd=del",
                "/api/sharefiles?cmd=normal",
                "/api/dealsharefile?cmd=save",
                "/api/sharepic?cmd=share",
                "/api/sharepic?cmd=browse",
                "/api/sharepic?cmd=cancel",
            ] {
                let code = visitor.post(target, fields.clone()).await.code();
                assert!(code <= 5, "{target} {field} {text}");
            }
        }
    }
    // Only instant uploads under these names came of it.
    let names = lilei.names("/api/myfiles?cmd=normal").await;
    assert!(names.contains(&"a.png".to_owned()), "{names:?}");
    assert!(lilei.names("/api/sharefiles?cmd=normal").await.is_empty());
    assert_eq!(visitor.signed_in("lilei").await.call("/api/myfiles?cmd=count", json!({})).await.code(), 0);
}

/// W-13
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_for_anything_is_refused_in_order() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    let long = "x".repeat(12_000);
    for field in ["user", "md5", "filename", "urlmd5", "key"] {
        let mut fields = json!({"user": "lilei", "token": lilei.token, "md5": md5("a"), "filename": "a"});
        fields[field] = long.as_str().into();
        assert_ne!(visitor.post("/api/dealfile?cmd=share", fields).await.code(), 0, "{field}");
    }
    let target = format!("/api/myfiles?cmd={long}");
    assert_eq!(lilei.call(&target, json!({})).await.code(), 1);
    for boundary in ["x".repeat(5000), "x".repeat(100)] {
        let client =
            lilei.browser().with("content-type", &format!("multipart/form-data; boundary={boundary}"));
        assert_eq!(client.ask(Method::POST, "/api/upload", b"--x--".to_vec()).await.code(), 1);
    }
    let name = "x".repeat(256);
    assert_eq!(lilei.browser().form(&[("file", Some(&name), b"a"), ("user", None, b"lilei")]).await, 1);
    let part = "y".repeat(3000);
    assert_eq!(lilei.browser().form(&[(&part, Some("a"), b"a"), ("user", None, b"lilei")]).await, 0);
    assert_eq!(lilei.names("/api/myfiles?cmd=normal").await, ["a"]);
}

/// W-14, W-15
#[tokio::test(flavor = "multi_thread")]
async fn paths_and_commands_in_a_request_are_texts() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let folder = tempfile::tempdir().unwrap();
    let (bait, made) = (folder.path().join("bait"), folder.path().join("made"));
    std::fs::write(&bait, "bait").unwrap();
    let path = bait.to_str().unwrap();
    // What the upload module of nginx would have sent.
    let parts: [Part<'_>; 6] = [
        ("file_name", None, b"stolen"),
        ("file_content_type", None, b"text/plain"),
        ("file_path", None, path.as_bytes()),
        ("file_md5", None, b"841fb9adb1ab8c4e6a8d6b9b9e7a6b9e"),
        ("file_size", None, b"4"),
        ("user", None, b"lilei"),
    ];
    assert_eq!(lilei.browser().form(&parts).await, 1);
    assert_eq!(std::fs::read(&bait).unwrap(), b"bait");
    // A name has no slash: a shell would make one of this.
    let escaped = made.to_str().unwrap().replace('/', "\\057");
    let name = format!("$(touch $(printf '{escaped}')).png");
    let shell = format!(": {name}");
    let by_shell = Command::new("sh").args(["-c", &shell]).current_dir(&folder).status().unwrap();
    assert!(by_shell.success() && made.exists());
    std::fs::remove_file(&made).unwrap();
    assert_eq!(lilei.upload("a", b"a").await, 0);
    for target in ["/api/md5", "/api/dealfile?cmd=share", "/api/sharepic?cmd=share", "/api/dealfile?cmd=del"]
    {
        assert_eq!(lilei.file(target, b"a", &name).await, 0, "{target}");
    }
    assert!(!made.exists());
}

/// W-16
#[tokio::test(flavor = "multi_thread")]
async fn other_origins_are_refused_scripts_do_not_run_and_quotas_hold() {
    let quota = ByteCount::new(100);
    let world = World::storing_with(settings(), |of_database| of_database.policy.quota = quota).await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.upload("a.svg", b"<svg onload='alert(1)'/>").await, 0);
    assert_eq!(lilei.upload("a.html", b"<script>alert(1)</script>").await, 0);
    let evil = lilei.browser().with("origin", "https://evil.example").with("sec-fetch-site", "cross-site");
    let body = json!({"user": "lilei", "md5": md5("x"), "filename": "x"}).to_string();
    let refused = evil.send(Method::POST, "/api/dealfile?cmd=del", body.into_bytes()).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(!refused.headers().contains_key("access-control-allow-origin"));
    let asked = evil.send(Method::OPTIONS, "/api/dealfile?cmd=del", Vec::new()).await;
    assert!(!asked.headers().contains_key("access-control-allow-origin"));
    for url in lilei.page("/api/myfiles?cmd=normal", 0, 9).await.texts("url") {
        let response = lilei.browser().send(Method::GET, &url, Vec::new()).await;
        let headers = response.headers();
        assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment"), "{headers:?}");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("sandbox"), "{headers:?}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    assert_eq!(lilei.upload("large", &[0; 80]).await, 1);
    assert_eq!(lilei.upload("small", &[0; 40]).await, 0);
}

/// W-21, W-22
#[tokio::test(flavor = "multi_thread")]
async fn uploads_deletions_and_instant_uploads_side_by_side_leave_each_file_once_and_whole() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    for round in 0..5 {
        let content = format!("content {round}");
        let (name, bytes) = (format!("{round}"), content.as_bytes());
        let uploads = (0..4).map(|_| lilei.upload(&name, bytes));
        assert_eq!(join_all(uploads).await, [0; 4]);
        let copy = format!("{round} copy");
        let (deleted, linked) = tokio::join!(
            lilei.file("/api/dealfile?cmd=del", bytes, &name),
            lilei.file("/api/md5", bytes, &copy)
        );
        assert_eq!((deleted, linked), (0, 0));
        let shares = (0..3).map(|_| lilei.file("/api/dealfile?cmd=share", bytes, &copy));
        let mut codes = join_all(shares).await;
        codes.sort_unstable();
        assert_eq!(codes, [0, 3, 3]);
        let saver = visitor.new_user(&format!("saver{round}")).await;
        let mut codes =
            join_all((0..4).map(|_| saver.file("/api/dealsharefile?cmd=save", bytes, &copy))).await;
        codes.sort_unstable();
        assert_eq!(codes, [0, 5, 5, 5]);
        assert_eq!(saver.names("/api/myfiles?cmd=normal").await, [copy]);
    }
    let page = lilei.page("/api/myfiles?cmd=normal", 0, 100).await;
    assert_eq!(page.texts("file_name"), [0, 1, 2, 3, 4].map(|round| format!("{round} copy")));
    for (round, url) in page.texts("url").into_iter().enumerate() {
        assert_eq!(lilei.browser().fetch(&url).await.1, format!("content {round}").into_bytes());
    }
    assert_eq!(Database::open(place.unwrap()).await.unwrap().check().await.unwrap(), []);
}

/// W-23
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_store_is_away_leaves_no_row() {
    let mut place = None;
    let away = crate::kit::away();
    let world = World::on(away, settings(), |of_database| place = Some(of_database.clone())).await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.upload("a", b"a").await, 1);
    assert_eq!(lilei.call("/api/myfiles?cmd=count", json!({})).await.body["total"], 0);
    assert_eq!(lilei.file("/api/md5", b"a", "a").await, 1);
    assert_eq!(Database::open(place.unwrap()).await.unwrap().check().await.unwrap(), []);
}

/// W-24, W-28
#[tokio::test(flavor = "multi_thread")]
async fn what_one_owner_does_to_a_share_does_nothing_to_another_s_of_the_same_name_and_content() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    for owner in [&lilei, &other] {
        assert_eq!(owner.upload("a", b"a").await, 0);
        assert_eq!(owner.file("/api/dealfile?cmd=share", b"a", "a").await, 0);
    }
    let total = async || visitor.post("/api/sharefiles?cmd=count", json!({})).await.body["total"].clone();
    assert_eq!(total().await, 2);
    assert_eq!(lilei.file("/api/dealfile?cmd=del", b"a", "a").await, 0);
    for _ in 0..2 {
        assert_eq!(lilei.file("/api/dealsharefile?cmd=cancel", b"a", "a").await, 1);
        assert_eq!(total().await, 1);
    }
    for target in ["/api/sharefiles?cmd=normal", "/api/sharefiles?cmd=pvdesc"] {
        assert_eq!(visitor.page(target, 0, 9).await.texts("user"), ["other"], "{target}");
    }
}

/// W-26, W-27
#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_known_whatever_others_are_counted_and_names_keep_their_case() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    // Written one behind the other, MD5 and name of the last two are parts of each other.
    let names = ["a.png", "A.png", "b", &format!("{}b", md5("x"))];
    for (downloads, name) in names.into_iter().enumerate() {
        assert_eq!(lilei.upload(name, b"x").await, 0, "{name}");
        assert_eq!(lilei.file("/api/dealfile?cmd=share", b"x", name).await, 0, "{name}");
        for agent in 0..downloads {
            let client = lilei.with("user-agent", &agent.to_string());
            assert_eq!(client.file("/api/dealsharefile?cmd=pv", b"x", name).await, 0);
        }
    }
    for name in names {
        assert_eq!(lilei.file("/api/dealfile?cmd=share", b"x", name).await, 3, "{name}");
    }
    assert_eq!(lilei.file("/api/dealsharefile?cmd=cancel", b"x", "a.png").await, 0);
    let left = lilei.page("/api/sharefiles?cmd=pvdesc", 0, 9).await;
    assert_eq!(left.texts("filename"), [names[3], names[2], names[1]]);
}

/// W-29
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_equal_counts_show_each_file_once() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let names: BTreeSet<String> = (0..23).map(|number| format!("{number}")).collect();
    for name in &names {
        assert_eq!(lilei.upload(name, b"x").await, 0);
        assert_eq!(lilei.file("/api/dealfile?cmd=share", b"x", name).await, 0);
    }
    for (target, field) in [
        ("/api/myfiles?cmd=normal", "file_name"),
        ("/api/myfiles?cmd=pvasc", "file_name"),
        ("/api/myfiles?cmd=pvdesc", "file_name"),
        ("/api/sharefiles?cmd=normal", "file_name"),
        ("/api/sharefiles?cmd=pvdesc", "filename"),
        ("/api/sharefiles?cmd=pvasc", "filename"),
    ] {
        let mut seen = Vec::new();
        for start in (0..25).step_by(5) {
            seen.extend(lilei.page(target, start, 5).await.texts(field));
        }
        assert_eq!((seen.len(), seen.into_iter().collect()), (23, names.clone()), "{target}");
    }
}

/// W-31
#[tokio::test(flavor = "multi_thread")]
async fn long_replies_arrive_whole_and_each_outcome_has_its_code() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    assert_eq!(lilei.upload("x", b"x").await, 0);
    for number in 10..49 {
        let name = format!("{number}{}", "\"".repeat(250));
        assert_eq!(lilei.file("/api/md5", b"x", &name).await, 0, "{number}");
    }
    let page = lilei.page("/api/myfiles?cmd=normal", 0, 100).await;
    assert_eq!(page.rows().len(), 40);
    assert!(serde_json::to_vec(&page.body).unwrap().len() > 20_000);
    let nobody = Old { token: "x".to_owned(), ..lilei.clone() };
    assert_eq!(nobody.call("/api/myfiles?cmd=normal", json!({"start": 0, "count": 1})).await.code(), 4);
    assert_eq!(lilei.call("/api/myfiles?cmd=normal", json!({"start": 0})).await.code(), 1);
    assert_eq!(lilei.file("/api/dealsharefile?cmd=save", b"y", "y").await, 1);
}

/// W-20: of downloads; of contents, see `a_hundred_at_once_leave_every_reference_counted`.
#[tokio::test(flavor = "multi_thread")]
async fn downloads_counted_side_by_side_are_all_counted() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.upload("a", b"a").await, 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"a", "a").await, 0);
    let turns = (0..50).map(|agent| {
        let client = lilei.with("user-agent", &agent.to_string());
        async move {
            let own = client.file("/api/dealfile?cmd=pv", b"a", "a").await;
            own + client.file("/api/dealsharefile?cmd=pv", b"a", "a").await
        }
    });
    let codes = tokio::time::timeout(Duration::from_secs(120), join_all(turns)).await.unwrap();
    assert_eq!(codes, [0; 50]);
    for target in ["/api/myfiles?cmd=normal", "/api/sharefiles?cmd=normal", "/api/sharefiles?cmd=pvdesc"] {
        assert_eq!(lilei.page(target, 0, 1).await.rows()[0]["pv"], 50, "{target}");
    }
}
