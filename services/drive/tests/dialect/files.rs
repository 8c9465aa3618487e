//! `/api/md5`, `/api/myfiles`, `/api/dealfile`.

use drive::Settings;
use reqwest::StatusCode;
use serde_json::json;

use crate::kit::{World, settings};
use crate::old::{Old, md5};

#[tokio::test(flavor = "multi_thread")]
async fn instant_upload_finds_ones_own_content_under_other_names() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.file("/api/md5", b"abc", "a.txt").await, 1);
    assert_eq!(lilei.upload("a.txt", b"abc").await, 0);
    assert_eq!(lilei.file("/api/md5", b"abc", "a.txt").await, 5);
    assert_eq!(lilei.file("/api/md5", b"abc", "b.txt").await, 0);
    assert_eq!(lilei.file("/api/md5", b"abc", "b.txt").await, 5);
    assert_eq!(lilei.file("/api/md5", b"abd", "b.txt").await, 1);
    // In a folder, which the dialect does not see, it counts as one's own all the same.
    let v1 = world.visitor().with("authorization", &format!("Bearer {}", lilei.token));
    let folder = v1.folder("root", "folder").await;
    let path = format!("/nodes/{folder}/files/c.txt");
    v1.upload(reqwest::Method::PUT, &path, "in a folder").await.expect(StatusCode::CREATED);
    assert_eq!(lilei.names("/api/myfiles?cmd=normal").await, ["a.txt", "b.txt"]);
    assert_eq!(lilei.file("/api/md5", b"in a folder", "c.txt").await, 0);
    let files = lilei.page("/api/myfiles?cmd=normal", 0, 10).await.rows();
    let (_, bytes) = lilei.browser().fetch(files[2]["url"].as_str().unwrap()).await;
    assert_eq!(bytes, b"in a folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages_orders_and_totals_in_either_way_of_writing_cmd() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let none = lilei.page("/api/myfiles?cmd=normal", 0, 10).await;
    assert_eq!(none.body, json!({"code": 0, "count": 0, "total": 0}));
    for (name, downloads) in [("b", 1), ("a", 0), ("d", 2), ("c", 1)] {
        assert_eq!(lilei.upload(name, b"same").await, 0);
        for _ in 0..downloads {
            assert_eq!(lilei.file("/api/dealfile?cmd=pv", b"same", name).await, 0);
        }
    }
    for (target, start, count, names) in [
        ("/api/myfiles?cmd=normal", 0, 10, &["a", "b", "c", "d"][..]),
        ("/api/myfiles&cmd=normal", 0, 10, &["a", "b", "c", "d"]),
        ("/api/myfiles?cmd=normal", 1, 2, &["b", "c"]),
        ("/api/myfiles?cmd=normal", 4, 10, &[]),
        ("/api/myfiles?cmd=normal", 0, 0, &[]),
        ("/api/myfiles?cmd=pvasc", 0, 10, &["a", "b", "c", "d"]),
        ("/api/myfiles&cmd=pvasc", 2, 10, &["c", "d"]),
        ("/api/myfiles?cmd=pvdesc", 0, 10, &["d", "c", "b", "a"]),
        ("/api/myfiles?cmd=pvdesc", 0, 1, &["d"]),
    ] {
        let page = lilei.page(target, start, count).await;
        assert_eq!(page.texts("file_name"), names, "{target} {start} {count}");
        assert_eq!(page.body["total"], 4);
    }
    for target in ["/api/myfiles?cmd=count", "/api/myfiles&cmd=count"] {
        assert_eq!(lilei.call(target, json!({})).await.body, json!({"code": 0, "total": 4}));
    }
    let page = lilei.page("/api/myfiles?cmd=pvdesc", 0, 10).await;
    let downloads: Vec<_> = page.rows().iter().map(|row| row["pv"].as_u64().unwrap()).collect();
    assert_eq!(downloads, [2, 1, 1, 0]);
    assert_eq!(lilei.file("/api/dealfile?cmd=pv", b"same", "e").await, 1);
    assert_eq!(lilei.file("/api/dealfile?cmd=pv", b"other", "a").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_told_so_many_minutes_ahead_of_utc_as_configured() {
    let mut seen = Vec::new();
    for time_offset_minutes in [0, 480] {
        let settings = Settings { time_offset_minutes, ..settings() };
        let world = World::storing_with(settings, |_| {}).await;
        let lilei = Old::visitor(&world).new_user("lilei").await;
        assert_eq!(lilei.upload("a", b"a").await, 0);
        let row = &lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0];
        let text = row["create_time"].as_str().unwrap().replace(' ', "T");
        let told: jiff::civil::DateTime = text.parse().unwrap();
        let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
        seen.push((told - now).total(jiff::Unit::Minute).unwrap().round());
    }
    // The two were made one after the other.
    let ahead = seen[1] - seen[0];
    assert!((470.0..=490.0).contains(&ahead), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_in_the_trash_and_shared_no_longer() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.upload("a", b"abc").await, 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"abc", "a").await, 0);
    let url = lilei.page("/api/sharefiles?cmd=normal", 0, 10).await.rows()[0]["url"].clone();
    for (content, name, code) in [(b"abd", "a", 1), (b"abc", "b", 1), (b"abc", "a", 0), (b"abc", "a", 1)] {
        assert_eq!(lilei.file("/api/dealfile?cmd=del", content, name).await, code, "{name}");
    }
    assert!(lilei.names("/api/myfiles?cmd=normal").await.is_empty());
    assert!(lilei.names("/api/sharefiles?cmd=normal").await.is_empty());
    assert_eq!(lilei.fetch(url.as_str().unwrap()).await.0, StatusCode::GONE);
    let v1 = world.visitor().with("authorization", &format!("Bearer {}", lilei.token));
    let trash = v1.get("/trash").await.expect(StatusCode::OK);
    assert_eq!(trash.body["rows"].as_array().unwrap().len(), 1);
    // As long as it is there it is still one's own content.
    assert_eq!(lilei.file("/api/md5", b"abc", "again").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_shared_once_and_again_after_it_was_cancelled() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"abc", "a").await, 1);
    assert_eq!(lilei.upload("a", b"abc").await, 0);
    for (target, code) in [
        ("/api/dealfile?cmd=share", 0),
        ("/api/dealfile?cmd=share", 3),
        ("/api/dealfile&cmd=share", 3),
        ("/api/dealsharefile?cmd=cancel", 0),
        ("/api/dealsharefile?cmd=cancel", 1),
        ("/api/dealfile?cmd=share", 0),
    ] {
        assert_eq!(lilei.file(target, b"abc", "a").await, code, "{target}");
    }
    let row = &lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0];
    assert_eq!((&row["share_status"], &row["md5"]), (&json!(1), &json!(md5("abc"))));
    assert_eq!(lilei.file("/api/dealsharefile?cmd=cancel", b"abc", "a").await, 0);
    let row = &lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0];
    assert_eq!(row["share_status"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_ones_own_file_opens_for_the_cookie_or_the_token_and_only_to_be_read() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    assert_eq!(lilei.upload("a", b"0123456789").await, 0);
    let url = lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with('/') && !url.contains("group1") && !url.contains(&lilei.token), "{url}");
    let page = lilei.browser();
    let with_token = |of: &Old| format!("{url}?token={}", of.token);
    let node = url.strip_suffix("/content").unwrap();
    for (what, client, target, status) in [
        ("cookie", &page, url.clone(), 200),
        ("own page", &page.with("sec-fetch-site", "same-origin"), url.clone(), 200),
        ("address bar", &page.with("sec-fetch-site", "none"), url.clone(), 200),
        ("another page", &page.with("sec-fetch-site", "cross-site"), url.clone(), 401),
        ("a neighbour", &page.with("sec-fetch-site", "same-site"), url.clone(), 401),
        ("token", &visitor, with_token(&lilei), 200),
        ("token, save", &visitor, format!("{}&save=true", with_token(&lilei)), 200),
        ("bearer", &visitor.with("authorization", &format!("Bearer {}", lilei.token)), url.clone(), 200),
        ("nothing", &visitor, url.clone(), 401),
        ("empty token", &visitor, format!("{url}?token="), 401),
        ("wrong token", &visitor, format!("{url}?token=1"), 401),
        ("somebody else's cookie", &other.browser(), url.clone(), 404),
        ("somebody else's token", &visitor, with_token(&other), 404),
        // It opens nothing else.
        ("what it is", &page, node.to_owned(), 401),
        ("account", &page, "/api/v1/me".to_owned(), 401),
        ("account by token", &visitor, format!("/api/v1/me?token={}", lilei.token), 401),
    ] {
        let (got, bytes) = client.fetch(&target).await;
        assert_eq!(got.as_u16(), status, "{what}");
        assert_eq!(bytes == b"0123456789", status == 200, "{what}");
    }
    let part = page.with("range", "bytes=2-4").fetch(&url).await;
    assert_eq!(part, (StatusCode::PARTIAL_CONTENT, b"234".to_vec()));
    for target in [node, &with_token(&lilei).replace("/content", "")] {
        let deleted = page.send(reqwest::Method::DELETE, target, Vec::new()).await;
        assert_eq!(deleted.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_api_v1_that_has_ended_does_not_hide_the_old_page_s() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.upload("a", b"abc").await, 0);
    let url = lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0]["url"].as_str().unwrap().to_owned();
    let ended = lilei.signed_in("lilei").await;
    let v1 = world.visitor().with("authorization", &format!("Bearer {}", ended.token));
    v1.delete("/session").await.expect(StatusCode::NO_CONTENT);
    let both = lilei.with("cookie", &format!("cairn={}; token={}", ended.token, lilei.token));
    assert_eq!(both.fetch(&url).await, (StatusCode::OK, b"abc".to_vec()));
}
