//! `/api/upload`.

use drive_core::UnixMillis;
use drive_core::ports::PIECE_BYTES_MAX;
use drive_db::Database;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::kit::{World, settings};
use crate::old::{Old, Part, form, md5};

#[tokio::test(flavor = "multi_thread")]
async fn the_old_page_s_form_makes_a_file_in_whatever_order_its_fields_come() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let content = b"some content";
    let digest = md5(content);
    let parts: [Part<'_>; 4] = [
        ("file", Some("file"), content),
        ("user", None, b"lilei"),
        ("md5", None, digest.as_bytes()),
        ("size", None, b"12"),
    ];
    let mut names = Vec::new();
    for (number, order) in
        [[0, 1, 2, 3], [1, 0, 2, 3], [1, 2, 3, 0], [3, 2, 1, 0], [2, 0, 3, 1]].into_iter().enumerate()
    {
        let name = format!("图 {number}.png");
        let parts = order.map(|index| match parts[index] {
            ("file", _, content) => ("file", Some(name.as_str()), content),
            other => other,
        });
        assert_eq!(lilei.browser().form(&parts).await, 0, "{order:?}");
        names.push(name);
    }
    assert_eq!(lilei.names("/api/myfiles?cmd=normal").await, names);
    let row = &lilei.page("/api/myfiles?cmd=normal", 0, 1).await.rows()[0];
    for (field, value) in [
        ("user", json!("lilei")),
        ("md5", json!(digest)),
        ("share_status", json!(0)),
        ("shared_status", json!(0)),
        ("pv", json!(0)),
        ("size", json!(12)),
        ("type", json!("png")),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    let (status, bytes) = lilei.browser().fetch(row["url"].as_str().unwrap()).await;
    assert_eq!((status, &bytes[..]), (StatusCode::OK, &content[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_from_the_form_the_query_the_authorization_or_the_cookie() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let (token, bearer) = (lilei.token.clone(), format!("Bearer {}", lilei.token));
    let nobody = Old { token: String::new(), ..lilei.clone() };
    let user: Part<'_> = ("user", None, b"lilei");
    let of_form: Part<'_> = ("token", None, token.as_bytes());
    let form_type = "multipart/form-data; boundary=x-x";
    for (number, (client, query, parts, code)) in [
        (nobody.clone(), String::new(), vec![of_form], 0),
        (nobody.clone(), format!("?token={token}"), vec![], 0),
        (nobody.with("authorization", &bearer), String::new(), vec![], 0),
        (lilei.browser(), String::new(), vec![], 0),
        (lilei.browser().with("sec-fetch-site", "same-origin"), String::new(), vec![], 0),
        (nobody.clone(), String::new(), vec![], 4),
        // The first that is there counts.
        (lilei.browser(), String::new(), vec![("token", None, &b""[..])], 4),
        (lilei.browser(), "?token=".to_owned(), vec![], 4),
        (lilei.browser().with("authorization", "Bearer"), String::new(), vec![], 4),
        (lilei.browser().with("authorization", "Bearer wrong"), format!("?token={token}"), vec![], 0),
    ]
    .into_iter()
    .enumerate()
    {
        let (name, content) = (format!("{number}.txt"), number.to_string());
        let file: Part<'_> = ("file", Some(&name), content.as_bytes());
        let body = form(&[&parts[..], &[file, user]].concat());
        let (client, target) = (client.with("content-type", form_type), format!("/api/upload{query}"));
        let reply = client.ask(Method::POST, &target, body).await;
        assert_eq!(reply.code(), code, "{number}");
    }
    assert_eq!(lilei.names("/api/myfiles?cmd=normal").await.len(), 6);
    // A token in the form behind the file comes too late: nothing is stored for nobody.
    assert_eq!(nobody.form(&[("file", Some("late"), b"x"), user, of_form]).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_none_or_lies_makes_nothing() {
    let mut place = None;
    let world = World::storing_with(settings(), |of_database| place = Some(of_database.clone())).await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let page = lilei.browser();
    let user: Part<'_> = ("user", None, b"lilei");
    let file: Part<'_> = ("file", Some("a.txt"), b"abc");
    let (right, wrong, long) = (md5("abc"), md5("abd"), vec![b'x'; 2000]);
    for (what, parts, code) in [
        ("no file", vec![user], 1),
        ("no user", vec![file], 1),
        ("another user", vec![file, ("user", None, b"other")], 4),
        ("another user, before the file", vec![("user", None, b"other"), file], 4),
        ("no name of a user", vec![file, ("user", None, b"o'ther")], 1),
        ("another digest", vec![file, user, ("md5", None, wrong.as_bytes())], 1),
        ("no digest", vec![file, user, ("md5", None, b"' or 1=1")], 1),
        ("another size", vec![file, user, ("md5", None, right.as_bytes()), ("size", None, b"4")], 1),
        ("no size", vec![file, user, ("size", None, b"three")], 1),
        ("two files", vec![file, ("file", Some("b.txt"), b"abd"), user], 1),
        ("no name of a file", vec![("file", Some("a/b"), b"abc"), user], 1),
        ("a long field", vec![user, ("md5", None, &long), file], 1),
        ("many fields", vec![user; 20], 1),
    ] {
        assert_eq!(page.form(&parts).await, code, "{what}");
    }
    let mut cut = form(&[file, user]);
    cut.truncate(cut.len() - 20);
    for (what, media_type, body) in [
        ("cut", "multipart/form-data; boundary=x-x", cut),
        ("another boundary", "multipart/form-data; boundary=y", form(&[file, user])),
        ("no boundary", "multipart/form-data", form(&[file, user])),
        ("no form", "application/json", b"{}".to_vec()),
        ("nothing", "multipart/form-data; boundary=x-x", Vec::new()),
    ] {
        let client = page.with("content-type", media_type);
        assert_eq!(client.ask(Method::POST, "/api/upload", body).await.code(), 1, "{what}");
    }
    assert!(lilei.names("/api/myfiles?cmd=normal").await.is_empty());
    let usage = world.visitor().with("authorization", &format!("Bearer {}", lilei.token)).get("/usage").await;
    assert_eq!(usage.expect(StatusCode::OK).body["used"], 0);
    // What was stored of nine of them will be deleted.
    assert_eq!(dropped(&Database::open(place.unwrap()).await.unwrap()).await, 9);
}

/// How many blobs are to be deleted.
pub(crate) async fn dropped(database: &Database) -> usize {
    database.due_blobs(UnixMillis(i64::MAX), 100).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_twice_is_one_and_another_of_its_name_stays_beside_it() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    for (name, content) in [("a.txt", "one"), ("a.txt", "one"), ("a.txt", "two"), ("b.txt", "one")] {
        assert_eq!(lilei.upload(name, content.as_bytes()).await, 0, "{name} {content}");
    }
    let list = lilei.page("/api/myfiles?cmd=normal", 0, 10).await;
    assert_eq!(list.texts("file_name"), ["a (2).txt", "a.txt", "b.txt"]);
    assert_eq!(list.texts("md5"), [md5("two"), md5("one"), md5("one")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_of_all_sizes_come_back_as_they_were() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    for size in [0, 1, 100_000, PIECE_BYTES_MAX, 9_000_000] {
        let content: Vec<u8> =
            (0..size as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
        let name = format!("{size}.bin");
        assert_eq!(lilei.upload(&name, &content).await, 0, "{size}");
        let rows = lilei.page("/api/myfiles?cmd=normal", 0, 10).await.rows();
        let row = rows.iter().find(|row| row["file_name"] == name).unwrap();
        assert_eq!(row["size"], size);
        let (status, bytes) = lilei.browser().fetch(row["url"].as_str().unwrap()).await;
        assert!(status == StatusCode::OK && bytes == content, "{size}");
    }
    world.servers.as_ref().unwrap().check_logs(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_before_all_of_a_large_form_was_sent_is_told_so() {
    let world = World::storing().await;
    let lilei = Old::visitor(&world).new_user("lilei").await;
    let large = vec![7; 20_000_000];
    let user: Part<'_> = ("user", None, b"lilei");
    let nobody = Old { token: String::new(), ..lilei.clone() };
    assert_eq!(nobody.form(&[("file", Some("a"), &large), user]).await, 4);
    assert_eq!(lilei.browser().form(&[("file", Some("a/b"), &large), user]).await, 1);
}
