//! `/api/sharefiles`, `/api/dealsharefile`.

use std::time::Duration;

use drive::Settings;
use drive_core::share::SharePolicy;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{World, settings};
use crate::old::{Old, md5};

#[tokio::test(flavor = "multi_thread")]
async fn shared_files_are_for_everybody_to_list_count_and_fetch() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    let none = visitor.post("/api/sharefiles?cmd=normal", json!({"start": 0, "count": 10})).await;
    assert_eq!(none.body, json!({"code": 0, "count": 0, "total": 0}));
    for name in ["first.txt", "second.txt"] {
        assert_eq!(lilei.upload(name, name.as_bytes()).await, 0);
        assert_eq!(lilei.file("/api/dealfile?cmd=share", name.as_bytes(), name).await, 0);
    }
    for (method, target) in
        [(Method::GET, "/api/sharefiles?cmd=count"), (Method::POST, "/api/sharefiles&cmd=count")]
    {
        assert_eq!(visitor.ask(method, target, Vec::new()).await.body, json!({"code": 0, "total": 2}));
    }
    let page = visitor.page("/api/sharefiles?cmd=normal", 0, 10).await;
    assert_eq!(page.texts("file_name"), ["second.txt", "first.txt"]);
    assert_eq!(visitor.page("/api/sharefiles&cmd=normal", 1, 10).await.texts("file_name"), ["first.txt"]);
    let row = &page.rows()[0];
    for (field, value) in [
        ("user", json!("lilei")),
        ("md5", json!(md5("second.txt"))),
        ("share_status", json!(1)),
        ("pv", json!(0)),
        ("size", json!(10)),
        ("type", json!("txt")),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    let (status, bytes) = visitor.fetch(row["url"].as_str().unwrap()).await;
    assert_eq!((status, &bytes[..]), (StatusCode::OK, &b"second.txt"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_and_saying_so_count_as_one_download_of_a_visitor() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    assert_eq!(lilei.upload("a", b"abc").await, 0);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"abc", "a").await, 0);
    let downloads = async || {
        let row = visitor.page("/api/sharefiles?cmd=normal", 0, 1).await.rows().remove(0);
        (row["pv"].as_u64().unwrap(), row["url"].as_str().unwrap().to_owned())
    };
    let (_, url) = downloads().await;
    let firefox = other.with("user-agent", "firefox");
    assert_eq!(firefox.browser().fetch(&url).await.0, StatusCode::OK);
    assert_eq!(firefox.file("/api/dealsharefile?cmd=pv", b"abc", "a").await, 0);
    assert_eq!(firefox.file("/api/dealsharefile?cmd=pv", b"abc", "a").await, 0);
    assert_eq!(downloads().await.0, 1);
    let qt = other.with("user-agent", "qt");
    assert_eq!(qt.file("/api/dealsharefile?cmd=pv", b"abc", "a").await, 0);
    assert_eq!(downloads().await.0, 2);
    for (content, name) in [(b"abc", "b"), (b"abd", "a")] {
        assert_eq!(other.file("/api/dealsharefile?cmd=pv", content, name).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_file_is_saved_once_as_a_file_of_ones_own() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    assert_eq!(lilei.upload("a.txt", b"abc").await, 0);
    assert_eq!(other.file("/api/dealsharefile?cmd=save", b"abc", "a.txt").await, 1);
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"abc", "a.txt").await, 0);
    for (client, code) in [(&other, 0), (&other, 5), (&lilei, 5)] {
        assert_eq!(client.file("/api/dealsharefile?cmd=save", b"abc", "a.txt").await, code);
    }
    assert_eq!(lilei.file("/api/dealfile?cmd=del", b"abc", "a.txt").await, 0);
    let row = &other.page("/api/myfiles?cmd=normal", 0, 10).await.rows()[0];
    assert_eq!((&row["file_name"], &row["share_status"]), (&json!("a.txt"), &json!(0)));
    assert_eq!(other.browser().fetch(row["url"].as_str().unwrap()).await.1, b"abc");
    // Another content under the name is no hindrance.
    let third = visitor.new_user("third").await;
    assert_eq!(other.file("/api/dealfile?cmd=share", b"abc", "a.txt").await, 0);
    assert_eq!(third.upload("a.txt", b"mine").await, 0);
    assert_eq!(third.file("/api/dealsharefile?cmd=save", b"abc", "a.txt").await, 0);
    assert_eq!(third.names("/api/myfiles?cmd=normal").await, ["a (2).txt", "a.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_cancels_a_share() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let (lilei, other) = (visitor.new_user("lilei").await, visitor.new_user("other").await);
    for owner in [&lilei, &other] {
        assert_eq!(owner.upload("a", b"abc").await, 0);
    }
    assert_eq!(lilei.file("/api/dealfile?cmd=share", b"abc", "a").await, 0);
    let url = visitor.page("/api/sharefiles?cmd=normal", 0, 1).await.rows()[0]["url"].clone();
    assert_eq!(other.file("/api/dealsharefile?cmd=cancel", b"abc", "a").await, 1);
    assert_eq!(visitor.names("/api/sharefiles?cmd=normal").await, ["a"]);
    assert_eq!(lilei.file("/api/dealsharefile?cmd=cancel", b"abc", "a").await, 0);
    assert!(visitor.names("/api/sharefiles?cmd=normal").await.is_empty());
    assert_eq!(visitor.fetch(url.as_str().unwrap()).await.0, StatusCode::GONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ranking_names_files_so_that_they_can_be_fetched_from_either_end() {
    let world = World::storing().await;
    let visitor = Old::visitor(&world);
    let lilei = visitor.new_user("lilei").await;
    for (name, downloads) in [("a", 1), ("b", 0), ("c", 2), ("d", 1)] {
        assert_eq!(lilei.upload(name, name.as_bytes()).await, 0);
        assert_eq!(lilei.file("/api/dealfile?cmd=share", name.as_bytes(), name).await, 0);
        for agent in 0..downloads {
            let client = lilei.with("user-agent", &agent.to_string());
            assert_eq!(client.file("/api/dealsharefile?cmd=pv", name.as_bytes(), name).await, 0);
        }
    }
    for (target, start, count, names) in [
        ("/api/sharefiles?cmd=pvdesc", 0, 10, &["c", "a", "d", "b"][..]),
        ("/api/sharefiles&cmd=pvdesc", 0, 10, &["c", "a", "d", "b"]),
        ("/api/sharefiles?cmd=pvdesc", 1, 2, &["a", "d"]),
        ("/api/sharefiles?cmd=pvdesc", 4, 2, &[]),
        ("/api/sharefiles?cmd=pvasc", 0, 10, &["b", "d", "a", "c"]),
        ("/api/sharefiles?cmd=pvasc", 0, 1, &["b"]),
    ] {
        let page = visitor.page(target, start, count).await;
        assert_eq!(page.texts("filename"), names, "{target}");
        assert_eq!(page.body["total"], 4);
    }
    let first = &visitor.page("/api/sharefiles?cmd=pvdesc", 0, 1).await.rows()[0];
    for (field, value) in [("pv", json!(2)), ("md5", json!(md5("c"))), ("user", json!("lilei"))] {
        assert_eq!(first[field], value, "{field}");
    }
    let link = first["share"].as_str().unwrap();
    let seen = world.visitor().get(&format!("/public/shares/{link}")).await.expect(StatusCode::OK);
    assert_eq!(seen.text("/node/name"), "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_old_clients_end_never_or_as_late_as_they_may() {
    for (lifetime_max, ends) in [(None, false), (Some(Duration::from_secs(3600)), true)] {
        let settings = Settings { shares: SharePolicy { lifetime_max }, ..settings() };
        let world = World::storing_with(settings, |_| {}).await;
        let lilei = Old::visitor(&world).new_user("lilei").await;
        assert_eq!(lilei.upload("a.png", b"a").await, 0);
        for target in ["/api/dealfile?cmd=share", "/api/sharepic?cmd=share"] {
            assert_eq!(lilei.file(target, b"a", "a.png").await, 0, "{target}");
        }
        let v1 = world.visitor().with("authorization", &format!("Bearer {}", lilei.token));
        let links = v1.get("/shares").await.expect(StatusCode::OK);
        let links = links.body["rows"].as_array().unwrap();
        assert_eq!(links.len(), 2);
        assert!(links.iter().all(|link| link["expires_at"].is_null() != ends), "{links:?}");
    }
}
