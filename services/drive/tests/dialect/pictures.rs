//! `/api/sharepic`.

use drive::Settings;
use drive_core::dialect::PictureCodes;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::{World, settings};
use crate::old::{Old, Reply, md5};

const PICTURE: &[u8] = b"not really a picture";

/// Shares `a.png`: the reply.
async fn share(client: &Old, more: Value) -> Reply {
    let mut fields = json!({"md5": md5(PICTURE), "filename": "a.png"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.call("/api/sharepic?cmd=share", fields).await
}

async fn browse(client: &Old, fields: Value) -> Reply {
    client.post("/api/sharepic?cmd=browse", fields).await
}

async fn world_with_picture(settings: Settings) -> (World, Old) {
    let world = World::storing_with(settings, |_| {}).await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    assert_eq!(lilei.upload("a.png", PICTURE).await, 0);
    (world, lilei)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_its_link_sees_a_picture_until_its_owner_takes_it_back() {
    let (world, lilei) = world_with_picture(settings()).await;
    let visitor = Old::visitor(&world);
    let shared = share(&lilei, json!({})).await;
    assert_eq!((shared.code(), shared.body.as_object().unwrap().len()), (0, 2));
    let link = shared.body["urlmd5"].clone();
    for views in 1..=3 {
        let seen = browse(&visitor, json!({"urlmd5": link})).await;
        assert_eq!((seen.code(), &seen.body["pv"]), (0, &json!(views)));
        assert_eq!((&seen.body["user"], seen.body["time"].as_str().unwrap().len()), (&json!("lilei"), 19));
        let (status, bytes) = visitor.fetch(seen.body["url"].as_str().unwrap()).await;
        assert_eq!((status, &bytes[..]), (StatusCode::OK, PICTURE));
    }
    // Whoever is signed in is the same visitor to both requests, too.
    let signed = visitor.new_user("hanmeimei").await;
    let seen = signed.call("/api/sharepic?cmd=browse", json!({"urlmd5": link})).await;
    assert_eq!(seen.body["pv"], 4);
    assert_eq!(signed.fetch(seen.body["url"].as_str().unwrap()).await.0, StatusCode::OK);
    let row = lilei.page("/api/sharepic?cmd=normal", 0, 10).await.rows().remove(0);
    for (field, value) in [
        ("user", json!("lilei")),
        ("filemd5", json!(md5(PICTURE))),
        ("file_name", json!("a.png")),
        ("urlmd5", link.clone()),
        ("pv", json!(4)),
        ("size", json!(PICTURE.len())),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    let url = browse(&visitor, json!({"urlmd5": link})).await.body["url"].as_str().unwrap().to_owned();
    let other = visitor.new_user("other").await;
    for (client, code) in [(&other, 1), (&lilei, 0)] {
        assert_eq!(client.call("/api/sharepic?cmd=cancel", json!({"urlmd5": link})).await.code(), code);
    }
    assert_eq!(browse(&visitor, json!({"urlmd5": link})).await.body, json!({"code": 2}));
    assert_eq!(visitor.fetch(&url).await.0, StatusCode::GONE);
    assert_eq!(lilei.page("/api/sharepic?cmd=normal", 0, 10).await.body["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_has_a_link_for_each_time_it_was_shared() {
    let (_world, lilei) = world_with_picture(settings()).await;
    let (first, second) = (share(&lilei, json!({})).await, share(&lilei, json!({})).await);
    assert_ne!(first.body["urlmd5"], second.body["urlmd5"]);
    let rows = lilei.page("/api/sharepic&cmd=normal", 0, 10).await;
    assert_eq!(rows.texts("urlmd5"), [second.body["urlmd5"].clone(), first.body["urlmd5"].clone()]);
    assert_eq!(lilei.page("/api/sharepic?cmd=normal", 1, 1).await.rows().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extraction_code_opens_the_picture_and_nothing_else_does() {
    let (world, lilei) = world_with_picture(settings()).await;
    let visitor = Old::visitor(&world);
    for (asked, chosen) in [(json!({"key": ""}), None), (json!({"key": "ab12"}), Some("ab12"))] {
        let shared = share(&lilei, asked).await;
        let key = shared.body["key"].as_str().unwrap();
        assert!(chosen.map_or(key.len() == 6, |chosen| chosen == key), "{key}");
        let link = shared.body["urlmd5"].clone();
        for wrong in [json!({}), json!({"key": ""}), json!({"key": "zzzz"})] {
            let mut fields = json!({"urlmd5": link});
            fields.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            assert_eq!(browse(&visitor, fields).await.body, json!({"code": 1}), "{wrong}");
        }
        let seen = browse(&visitor, json!({"urlmd5": link, "key": key})).await;
        assert_eq!(seen.code(), 0);
        let url = seen.body["url"].as_str().unwrap();
        assert_eq!(visitor.fetch(url).await.0, StatusCode::UNAUTHORIZED);
        // The old page's browser brings the cookie along.
        let cookie = seen.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let browser = visitor.with("cookie", cookie.split(';').next().unwrap());
        assert_eq!(browser.fetch(url).await, (StatusCode::OK, PICTURE.to_vec()));
    }
    for key in ["x", "with blank", "far too long to be one"] {
        assert_eq!(share(&lilei, json!({"key": key})).await.code(), 1, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_picture_links_have_codes_where_it_is_configured() {
    let (world, lilei) =
        world_with_picture(Settings { picture_codes: PictureCodes::Always, ..settings() }).await;
    let shared = share(&lilei, json!({})).await;
    let (link, key) = (&shared.body["urlmd5"], &shared.body["key"]);
    let visitor = Old::visitor(&world);
    assert_eq!(browse(&visitor, json!({"urlmd5": link})).await.code(), 1);
    assert_eq!(browse(&visitor, json!({"urlmd5": link, "key": key})).await.code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_can_not_be_tried_through() {
    let (world, lilei) = world_with_picture(settings()).await;
    let shared = share(&lilei, json!({"key": ""})).await;
    let (link, key) = (&shared.body["urlmd5"], &shared.body["key"]);
    let visitor = Old::visitor(&world);
    for number in 0..8 {
        let tried = json!({"urlmd5": link, "key": format!("zzzz{number:02}")});
        assert_eq!(browse(&visitor, tried).await.code(), 1);
    }
    // Even the right one has to wait now.
    assert_eq!(browse(&visitor, json!({"urlmd5": link, "key": key})).await.code(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pictures_of_ones_own_get_picture_links() {
    let (world, lilei) = world_with_picture(settings()).await;
    let visitor = Old::visitor(&world);
    let other = visitor.new_user("other").await;
    assert_eq!(share(&other, json!({})).await.code(), 1);
    assert_eq!(lilei.upload("a.svg", b"<svg/>").await, 0);
    assert_eq!(lilei.file("/api/sharepic?cmd=share", b"<svg/>", "a.svg").await, 1);
    // A link that is no picture link shows no picture.
    assert_eq!(lilei.file("/api/dealfile?cmd=share", PICTURE, "a.png").await, 0);
    let ranked = visitor.page("/api/sharefiles?cmd=pvdesc", 0, 1).await.rows().remove(0);
    for link in [ranked["share"].clone(), json!("00102030405060708090a0b0c0d0e0f0"), json!("x")] {
        assert_eq!(browse(&visitor, json!({"urlmd5": link})).await.body, json!({"code": 2}), "{link}");
    }
    let links = share(&lilei, json!({})).await;
    assert_eq!(lilei.file("/api/dealfile?cmd=del", PICTURE, "a.png").await, 0);
    assert_eq!(browse(&visitor, json!({"urlmd5": links.body["urlmd5"]})).await.code(), 2);
}
