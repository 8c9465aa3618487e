//! Links and their gate over API v1.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::kit::{Client, Reply, World};

/// Makes a link: its id and where it leads.
async fn share(owner: &Client, node: &str, terms: Value) -> (String, String) {
    let made = owner.post(&format!("/nodes/{node}/shares"), terms).await.expect(StatusCode::CREATED);
    (made.text("/id"), format!("/public/shares/{}", made.text("/token")))
}

fn with_grant(client: &Client, granted: &Reply) -> Client {
    client.with("share-grant", &granted.text("/grant"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_shows_what_it_leads_to_and_nothing_beside_it() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "shared").await;
    let inner = alice.folder(&folder, "inner").await;
    let beside = alice.folder("root", "private").await;
    let path = format!("/nodes/{inner}/files/a.txt");
    let file = alice.upload(Method::PUT, &path, "content").await.expect(StatusCode::CREATED).text("/id");
    let (id, link) = share(&alice, &folder, json!({})).await;
    let visitor = world.visitor();
    let page = visitor.get(&link).await.expect(StatusCode::OK);
    assert_eq!((page.text("/owner"), page.text("/node/name")), ("alice".to_owned(), "shared".to_owned()));
    assert!(page.body["node"].get("parent").is_none());
    let children = |node: &str| format!("{link}/nodes/{node}/children");
    assert_eq!(visitor.get(&children(&folder)).await.expect(StatusCode::OK).names(), ["inner"]);
    assert_eq!(visitor.get(&children(&inner)).await.expect(StatusCode::OK).names(), ["a.txt"]);
    let (status, headers, bytes) =
        visitor.raw(Method::GET, &format!("{link}/nodes/{file}/content"), "").await;
    assert_eq!((status, &bytes[..]), (StatusCode::OK, &b"content"[..]));
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    let root = alice.get("/me").await.text("/root");
    for outside in [&beside, &root, "999999"] {
        visitor.get(&children(outside)).await.problem(410, "share-unavailable");
        visitor.get(&format!("{link}/nodes/{outside}/content")).await.problem(410, "share-unavailable");
    }
    let downloads = alice.get(&format!("/shares/{id}")).await.expect(StatusCode::OK);
    assert_eq!(downloads.body["downloads"], 1);
    for text in ["0".repeat(32), "nonsense".to_owned(), "'".to_owned()] {
        visitor.get(&format!("/public/shares/{text}")).await.problem(404, "share-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_opens_every_route_of_its_link_and_no_other() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let folder = alice.folder("root", "shared").await;
    let path = format!("/nodes/{folder}/files/a");
    let file = alice.upload(Method::PUT, &path, "content").await.expect(StatusCode::CREATED).text("/id");
    let (id, link) = share(&alice, &folder, json!({"code": "generated"})).await;
    let (_, other) = share(&alice, &folder, json!({"code": {"chosen": "abcd"}})).await;
    let code = alice.get(&format!("/shares/{id}")).await.text("/code/text");
    let visitor = world.visitor();
    let closed = async |client: &Client, link: &str| {
        client.get(link).await.problem(401, "share-code-needed");
        client.get(&format!("{link}/nodes/{folder}/children")).await.problem(401, "share-code-needed");
        client.get(&format!("{link}/nodes/{file}/content")).await.problem(401, "share-code-needed");
    };
    closed(&visitor, &link).await;
    let save = json!({"parent": "root"});
    bob.post(&format!("{link}/save"), save.clone()).await.problem(401, "share-code-needed");
    let grant = format!("{link}/grant");
    visitor.post(&grant, json!({"code": "wrong1"})).await.problem(403, "share-code-wrong");
    visitor.post(&grant, json!({"code": ""})).await.problem(401, "share-code-needed");
    let granted = visitor.post(&grant, json!({"code": code.to_uppercase()})).await.expect(StatusCode::OK);
    let cookie = granted.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains(&format!("; Path=/api/v1{link}; ")) && cookie.contains("HttpOnly"), "{cookie}");
    let by_cookie = visitor.with("cookie", cookie.split(';').next().unwrap());
    for client in [&with_grant(&visitor, &granted), &by_cookie] {
        client.get(&link).await.expect(StatusCode::OK);
        client.get(&format!("{link}/nodes/{folder}/children")).await.expect(StatusCode::OK);
        let (status, _, bytes) = client.raw(Method::GET, &format!("{link}/nodes/{file}/content"), "").await;
        assert_eq!((status, &bytes[..]), (StatusCode::OK, &b"content"[..]));
        closed(client, &other).await;
    }
    // Another visitor has another mark.
    closed(&with_grant(&bob, &granted), &link).await;
    // A changed code ends what was given for the one before.
    alice.patch(&format!("/shares/{id}"), json!({"renew": true})).await.expect(StatusCode::OK);
    closed(&with_grant(&visitor, &granted), &link).await;
    assert_ne!(alice.get(&format!("/shares/{id}")).await.text("/code/text"), code);
    // A chosen one is not shown again.
    let rows = alice.get("/shares").await.body["rows"].clone();
    assert!(rows.as_array().unwrap().iter().any(|row| row["code"] == json!({"kind": "chosen"})), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_codes_slows_down_and_nothing_but_the_right_one_makes_it_faster() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "shared").await;
    let (_, link) = share(&alice, &folder, json!({"code": {"chosen": "secret7"}})).await;
    let grant = format!("{link}/grant");
    let visitor = world.visitor();
    let mut wrong = 0;
    loop {
        let reply = visitor.post(&grant, json!({"code": "wrong"})).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            reply.problem(429, "too-many-attempts");
            break;
        }
        reply.problem(403, "share-code-wrong");
        wrong += 1;
        assert!(wrong <= 6, "nobody slows this down");
        // An empty code must not buy more guesses; it costs one.
        if wrong == 3 {
            visitor.post(&grant, json!({"code": ""})).await.problem(401, "share-code-needed");
        }
    }
    assert_eq!(wrong, 5);
    visitor.post(&grant, json!({"code": "secret7"})).await.problem(429, "too-many-attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_each_visitor_once_and_then_the_link_is_used_up() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let file = alice.file("a.bin", &[7; 1000]).await;
    let (id, link) = share(&alice, &file, json!({"downloads": 2})).await;
    let path = format!("{link}/nodes/{file}/content");
    let visitors: Vec<_> =
        (0..3).map(|n| world.visitor().with("user-agent", &format!("browser {n}"))).collect();
    visitors[0].raw(Method::HEAD, &path, "").await;
    for _ in 0..3 {
        // Parts of a film are one download.
        let (status, ..) = visitors[0].with("range", "bytes=10-19").raw(Method::GET, &path, "").await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT);
    }
    let left = async || alice.get(&format!("/shares/{id}")).await.body["downloads_left"].clone();
    assert_eq!(left().await, 1);
    assert_eq!(visitors[1].raw(Method::GET, &path, "").await.0, StatusCode::OK);
    assert_eq!(left().await, 0);
    visitors[2].get(&path).await.problem(410, "share-used-up");
    visitors[2].get(&link).await.expect(StatusCode::OK);
    assert_eq!(visitors[0].raw(Method::GET, &path, "").await.0, StatusCode::OK);
    alice
        .post(&format!("/nodes/{file}/shares"), json!({"downloads": 0}))
        .await
        .problem(400, "share-terms-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_over_says_so_on_every_route() {
    let world = World::storing().await;
    let (alice, bob, admin) = (world.user("alice").await, world.user("bob").await, world.admin().await);
    let file = alice.file("a", b"content").await;
    let (by_owner, by_admin) = (share(&alice, &file, json!({})).await, share(&alice, &file, json!({})).await);
    let (removed, trashed) = (share(&alice, &file, json!({})).await, share(&alice, &file, json!({})).await);
    bob.post(&format!("/shares/{}/revoke", by_owner.0), json!({})).await.problem(404, "share-not-found");
    alice.post(&format!("/shares/{}/revoke", by_owner.0), json!({})).await.expect(StatusCode::NO_CONTENT);
    admin
        .post(&format!("/admin/shares/{}/revoke", by_admin.0), json!({}))
        .await
        .expect(StatusCode::NO_CONTENT);
    alice.delete(&format!("/shares/{}", removed.0)).await.expect(StatusCode::NO_CONTENT);
    let over = async |link: &str, status: u16, code: &str| {
        let visitor = world.visitor();
        visitor.get(link).await.problem(status, code);
        visitor.get(&format!("{link}/nodes/{file}/children")).await.problem(status, code);
        visitor.get(&format!("{link}/nodes/{file}/content")).await.problem(status, code);
        visitor.post(&format!("{link}/grant"), json!({"code": "x"})).await.problem(status, code);
        bob.post(&format!("{link}/save"), json!({"parent": "root"})).await.problem(status, code);
    };
    over(&by_owner.1, 410, "share-revoked").await;
    over(&by_admin.1, 410, "share-revoked").await;
    over(&removed.1, 404, "share-not-found").await;
    let entry = alice.delete(&format!("/nodes/{file}")).await.text("/trash");
    over(&trashed.1, 410, "share-unavailable").await;
    alice.post(&format!("/trash/{entry}/restore"), json!({})).await.expect(StatusCode::OK);
    world.visitor().get(&trashed.1).await.expect(StatusCode::OK);
    let account = alice.get("/me").await.text("/id");
    admin
        .patch(&format!("/admin/accounts/{account}"), json!({"state": "frozen"}))
        .await
        .expect(StatusCode::OK);
    over(&trashed.1, 410, "share-unavailable").await;
    assert!(bob.names("root").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_those_that_were_asked_for_or_refused() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "shared").await;
    let make = async |terms: Value| alice.post(&format!("/nodes/{folder}/shares"), terms).await;
    let usual = make(json!({})).await.expect(StatusCode::CREATED);
    assert!(usual.body["expires_at"].is_string() && usual.body["downloads_left"].is_null());
    let never = make(json!({"expires_at": null})).await.expect(StatusCode::CREATED);
    assert!(never.body["expires_at"].is_null());
    let then = make(json!({"expires_at": "2100-01-01T00:00:00Z"})).await.expect(StatusCode::CREATED);
    assert_eq!(then.text("/expires_at"), "2100-01-01T00:00:00.000Z");
    let path = format!("/shares/{}", then.text("/id"));
    let changed =
        alice.patch(&path, json!({"expires_at": null, "downloads": 3})).await.expect(StatusCode::OK);
    assert_eq!((&changed.body["expires_at"], &changed.body["downloads_left"]), (&json!(null), &json!(3)));
    let changed = alice.patch(&path, json!({"downloads": null})).await.expect(StatusCode::OK);
    assert_eq!(changed.body["downloads_left"], json!(null));
    for (terms, status, code) in [
        (json!({"expires_at": "2001-01-01T00:00:00Z"}), 400, "share-terms-invalid"),
        (json!({"code": {"chosen": "abc"}}), 400, "field-invalid"),
        (json!({"kind": "picture"}), 409, "not-a-picture"),
        (json!({"kind": "other"}), 400, "body-invalid"),
    ] {
        make(terms).await.problem(status, code);
    }
    alice.post("/nodes/root/shares", json!({})).await.problem(409, "root-stays");
    assert_eq!(alice.get("/shares").await.body["rows"].as_array().unwrap().len(), 3);
    let bob = world.user("bob").await;
    bob.patch(&path, json!({"listed": true})).await.problem(404, "share-not-found");
    bob.post(&format!("/nodes/{folder}/shares"), json!({})).await.problem(404, "node-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_listed_by_what_they_lead_to() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let folder = alice.folder("root", "shared").await;
    let picture = alice.file("a.png", b"no real picture").await;
    let (first, _) = share(&alice, &picture, json!({})).await;
    let (shown, _) = share(&alice, &picture, json!({"kind": "picture"})).await;
    share(&alice, &folder, json!({})).await;
    let (last, _) = share(&alice, &picture, json!({})).await;
    let listed = async |client: &Client, query: &str| {
        let page = client.get(&format!("/shares?{query}")).await.expect(StatusCode::OK);
        let rows = page.body["rows"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&alice, "").await.len(), 4);
    let of_picture = format!("node={picture}&order=created&direction=desc");
    assert_eq!(listed(&alice, &of_picture).await, [&last, &shown, &first].map(String::clone));
    assert_eq!(listed(&alice, &format!("kind=link&{of_picture}")).await, [last, first]);
    assert_eq!(listed(&alice, &format!("kind=picture&node={picture}")).await, [shown]);
    assert_eq!(listed(&alice, &format!("node={folder}")).await.len(), 1);
    // Nobody learns whether there is such a node.
    for query in ["node=root".to_owned(), "node=999999".to_owned()] {
        assert_eq!(listed(&alice, &query).await, [""; 0]);
    }
    assert_eq!(listed(&bob, &of_picture).await, [""; 0]);
    alice.get("/shares?node=x").await.problem(404, "node-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_leads_to_is_saved_without_its_bytes_being_sent_again() {
    let world = World::storing().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let folder = alice.folder("root", "shared").await;
    let path = format!("/nodes/{folder}/files/a");
    alice.upload(Method::PUT, &path, "content").await.expect(StatusCode::CREATED);
    let (id, link) = share(&alice, &folder, json!({"downloads": 1})).await;
    world
        .visitor()
        .post(&format!("{link}/save"), json!({"parent": "root"}))
        .await
        .problem(401, "sign-in-needed");
    let keyed = bob.with("idempotency-key", "save");
    let fields = json!({"parent": "root", "name": "from alice"});
    let saved = keyed.post(&format!("{link}/save"), fields.clone()).await.expect(StatusCode::CREATED);
    let again = keyed.post(&format!("{link}/save"), fields).await.expect(StatusCode::CREATED);
    assert_eq!(saved.body, again.body);
    assert_eq!(saved.text("/name"), "from alice");
    let copied = bob.get(&format!("/nodes/{}/children", saved.text("/id"))).await;
    assert_eq!(bob.bytes(&copied.text("/rows/0/id")).await, b"content");
    let row = alice.get(&format!("/shares/{id}")).await;
    assert_eq!((&row.body["downloads"], &row.body["downloads_left"]), (&json!(1), &json!(0)));
    let carol = world.user("carol").await;
    carol.post(&format!("{link}/save"), json!({"parent": "root"})).await.problem(410, "share-used-up");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_listed_and_needs_no_code_is_shown_to_everybody() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for (name, terms) in [
        ("listed", json!({"listed": true})),
        ("not listed", json!({})),
        ("with a code", json!({"listed": true, "code": "generated"})),
        ("taken back", json!({"listed": true})),
        ("listed later", json!({"listed": true})),
    ] {
        let folder = alice.folder("root", name).await;
        let (id, _) = share(&alice, &folder, terms).await;
        if name == "taken back" {
            alice.post(&format!("/shares/{id}/revoke"), json!({})).await.expect(StatusCode::NO_CONTENT);
        }
    }
    let listed = world.visitor().get("/public/shares").await.expect(StatusCode::OK);
    let rows = listed.body["rows"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["node"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["listed later", "listed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_pages_show_is_a_view_of_each_visitor_and_no_second_one_of_who_opens_its_link() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let picture = alice.file("a.png", b"no real picture").await;
    let (id, link) = share(&alice, &picture, json!({"kind": "picture"})).await;
    let path = format!("{link}/nodes/{picture}/content");
    let views = async || alice.get(&format!("/shares/{id}")).await.body["views"].as_u64().unwrap();
    let [one, other, opener, late] =
        ["one", "other", "opener", "late"].map(|agent| world.visitor().with("user-agent", agent));
    // Pages load it again and again, in parts, and ask whether it is still the same.
    let (_, headers, _) = one.raw(Method::GET, &path, "").await;
    let tag = headers["etag"].to_str().unwrap();
    one.with("if-none-match", tag).raw(Method::GET, &path, "").await;
    one.with("range", "bytes=0-3").raw(Method::GET, &path, "").await;
    assert_eq!(views().await, 1);
    // Somebody else; who has it from before sees it, too; a question about it shows nothing.
    other.raw(Method::HEAD, &path, "").await;
    assert_eq!(views().await, 1);
    let (status, ..) = other.with("if-none-match", tag).raw(Method::GET, &path, "").await;
    assert_eq!((status, views().await), (StatusCode::NOT_MODIFIED, 2));
    // Each time its link is opened counts, and what that shows does not.
    for opened in 3..=5 {
        opener.get(&link).await.expect(StatusCode::OK);
        opener.raw(Method::GET, &path, "").await;
        assert_eq!(views().await, opened);
    }
    // Many at once are one.
    let loads = (0..8).map(|_| late.raw(Method::GET, &path, ""));
    join_all(loads).await;
    assert_eq!(views().await, 6);
    // Other links count the page, and downloads.
    let (file, file_link) = share(&alice, &picture, json!({})).await;
    one.raw(Method::GET, &format!("{file_link}/nodes/{picture}/content"), "").await;
    let row = alice.get(&format!("/shares/{file}")).await;
    assert_eq!((&row.body["views"], &row.body["downloads"]), (&json!(0), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_link_shows_its_picture_and_counts_no_download() {
    let world = World::storing().await;
    let alice = world.user("alice").await;
    let picture = alice.file("a.png", b"no real picture").await;
    let (id, link) = share(&alice, &picture, json!({"kind": "picture", "downloads": 1})).await;
    for agent in ["one", "two"] {
        let visitor = world.visitor().with("user-agent", agent);
        let (status, headers, _) =
            visitor.raw(Method::GET, &format!("{link}/nodes/{picture}/content"), "").await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "image/png"));
        // Pages of other sites show it.
        assert_eq!(headers["cross-origin-resource-policy"], "cross-origin");
    }
    assert_eq!(alice.get(&format!("/shares/{id}")).await.body["downloads"], 0);
}
