//! Folders and the trash over API v1.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_made_renamed_moved_and_copied() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let photos = alice.folder("root", "照片").await;
    let summer = alice.folder(&photos, "summer").await;
    alice.folder(&summer, "sea").await;
    let archive = alice.folder("root", "archive").await;

    let renamed =
        alice.patch(&format!("/nodes/{summer}"), json!({"name": "夏天"})).await.expect(StatusCode::OK);
    assert_eq!((renamed.text("/id"), renamed.text("/name")), (summer.clone(), "夏天".to_owned()));

    let moved =
        alice.patch(&format!("/nodes/{summer}"), json!({"parent": archive})).await.expect(StatusCode::OK);
    assert_eq!(moved.text("/parent"), archive);
    assert!(alice.names(&photos).await.is_empty());

    let copied = alice.post(&format!("/nodes/{summer}/copies"), json!({"parent": photos})).await;
    let copied = copied.expect(StatusCode::CREATED);
    assert_ne!(copied.text("/id"), summer);
    assert_eq!(alice.names(&copied.text("/id")).await, ["sea"]);
    assert_eq!(alice.names(&archive).await, ["夏天"]);

    let path = alice.get(&format!("/nodes/{}/path", copied.text("/id"))).await.expect(StatusCode::OK);
    assert_eq!(path.names()[1..], ["照片", "夏天"]);

    let into_itself = json!({"parent": summer});
    alice.patch(&format!("/nodes/{archive}"), into_itself).await.problem(409, "into-itself");
    alice.patch("/nodes/root", json!({"name": "other"})).await.problem(409, "root-stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_settled_as_it_was_asked_for() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let first = alice.folder("root", "a").await;
    let again = |on_conflict: &str| json!({"name": "a", "on_conflict": on_conflict});
    let post = |fields: Value| alice.post("/nodes/root/children", fields);
    post(json!({"name": "a"})).await.problem(409, "name-taken");
    post(again("fail")).await.problem(409, "name-taken");
    assert_eq!(post(again("keep-both")).await.expect(StatusCode::CREATED).text("/name"), "a (2)");
    let replaced = post(again("replace")).await.expect(StatusCode::CREATED);
    assert_ne!(replaced.text("/id"), first);
    let trash = alice.get("/trash").await.expect(StatusCode::OK);
    assert_eq!(trash.text("/rows/0/node/id"), first);
    post(again("merge")).await.problem(400, "body-invalid");
    for name in ["", "  ", ".", "..", "a/b", "a\u{202e}b", &"x".repeat(256)] {
        post(json!({"name": name})).await.problem(400, "name-invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_where_the_one_before_ended_in_either_direction() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for number in 0..7 {
        alice.folder("root", &format!("f{number}")).await;
    }
    let forwards: Vec<String> = (0..7).map(|number| format!("f{number}")).collect();
    let backwards: Vec<String> = forwards.iter().rev().cloned().collect();
    for (query, expected) in [("direction=asc", &forwards), ("direction=desc", &backwards)] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = alice.get(&format!("/nodes/root/children?limit=3&{query}{cursor}")).await;
            let page = page.expect(StatusCode::OK);
            seen.extend(page.names());
            pages += 1;
            let Some(next) = page.body["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!((&seen, pages), (expected, 3), "{query}");
    }
    let first = alice.get("/nodes/root/children?limit=3").await.text("/next");
    for (query, code) in [
        (format!("direction=desc&cursor={first}"), "cursor-invalid"),
        ("cursor=%27".to_owned(), "cursor-invalid"),
        ("limit=0".to_owned(), "field-invalid"),
        ("limit=-1".to_owned(), "query-invalid"),
        ("order=colour".to_owned(), "query-invalid"),
        ("page=2".to_owned(), "query-invalid"),
    ] {
        alice.get(&format!("/nodes/root/children?{query}")).await.problem(400, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_comes_back_or_goes_for_good() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let outer = alice.folder("root", "outer").await;
    let inner = alice.folder(&outer, "inner").await;
    let delete = async |node: &str| {
        alice.delete(&format!("/nodes/{node}")).await.expect(StatusCode::OK).text("/trash")
    };
    let entry = delete(&inner).await;
    alice.get(&format!("/nodes/{inner}")).await.problem(404, "node-not-found");
    let listed = alice.get("/trash").await.expect(StatusCode::OK);
    assert_eq!((listed.text("/rows/0/id"), listed.text("/rows/0/from")), (entry.clone(), outer.clone()));

    let restored = alice.post(&format!("/trash/{entry}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!((restored.text("/id"), restored.text("/parent")), (inner.clone(), outer.clone()));
    alice.post(&format!("/trash/{entry}/restore"), json!({})).await.problem(404, "trash-entry-not-found");

    // Its folder is gone: to the root.
    let entry = delete(&inner).await;
    let outer_entry = delete(&outer).await;
    let root = alice.get("/me").await.text("/root");
    let restored = alice.post(&format!("/trash/{entry}/restore"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(restored.text("/parent"), root);

    alice.delete(&format!("/trash/{outer_entry}")).await.expect(StatusCode::NO_CONTENT);
    alice.delete(&format!("/trash/{outer_entry}")).await.problem(404, "trash-entry-not-found");
    assert_eq!(alice.get("/usage").await.body["nodes"], 2);

    delete(&inner).await;
    let emptied = alice.delete("/trash").await.expect(StatusCode::ACCEPTED);
    assert_eq!(emptied.body["entries"], 1);
    assert_eq!(alice.get("/trash").await.body["rows"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_found_by_parts_in_any_case_and_never_those_of_others() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let reports = alice.folder("root", "Reports").await;
    alice.folder(&reports, "Summer Report 2026").await;
    alice.folder("root", "夏天的照片").await;
    alice.folder("root", "100%").await;
    bob.folder("root", "report of bob").await;
    for (query, found) in [
        ("report", vec!["Reports", "Summer Report 2026"]),
        ("2026%20REPORT", vec!["Summer Report 2026"]),
        ("%E7%85%A7%E7%89%87", vec!["夏天的照片"]),
        ("%25", vec!["100%"]),
        ("nothing", vec![]),
    ] {
        assert_eq!(
            alice.get(&format!("/search?q={query}")).await.expect(StatusCode::OK).names(),
            found,
            "{query}"
        );
    }
    let inside = alice.get("/search?q=summer").await;
    assert_eq!(inside.text("/rows/0/folder"), "Reports");
    alice.get("/search?q=").await.problem(400, "field-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_own_is_not_there() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let admin = world.admin().await;
    let folder = alice.folder("root", "private").await;
    let own = bob.folder("root", "own").await;
    for other in [&bob, &admin] {
        for missing in [folder.as_str(), "999999999"] {
            let node = format!("/nodes/{missing}");
            other.get(&node).await.problem(404, "node-not-found");
            other.get(&format!("{node}/children")).await.problem(404, "node-not-found");
            other.get(&format!("{node}/path")).await.problem(404, "node-not-found");
            other.delete(&node).await.problem(404, "node-not-found");
            other.patch(&node, json!({"name": "mine"})).await.problem(404, "node-not-found");
            let into = json!({"name": "x"});
            other.post(&format!("{node}/children"), into).await.problem(404, "node-not-found");
            let copy = json!({"parent": "root"});
            other.post(&format!("{node}/copies"), copy).await.problem(404, "node-not-found");
        }
    }
    bob.patch(&format!("/nodes/{own}"), json!({"parent": folder})).await.problem(404, "node-not-found");
    let entry = alice.delete(&format!("/nodes/{folder}")).await.text("/trash");
    bob.post(&format!("/trash/{entry}/restore"), json!({})).await.problem(404, "trash-entry-not-found");
    bob.delete(&format!("/trash/{entry}")).await.problem(404, "trash-entry-not-found");
    assert_eq!(alice.get("/trash").await.text("/rows/0/id"), entry);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_with_its_key_is_done_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let keyed = alice.with("idempotency-key", "one");
    let folder = json!({"name": "a", "on_conflict": "keep-both"});
    let first = keyed.post("/nodes/root/children", folder.clone()).await.expect(StatusCode::CREATED);
    let again = keyed.post("/nodes/root/children", folder.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    assert_eq!(alice.names("root").await, ["a"]);
    let other = json!({"name": "b"});
    keyed.post("/nodes/root/children", other.clone()).await.problem(409, "idempotency-key-reused");

    // What was refused may be tried again with the same key.
    let keyed = alice.with("idempotency-key", "two");
    let taken = json!({"name": "a"});
    keyed.post("/nodes/root/children", taken.clone()).await.problem(409, "name-taken");
    alice.patch(&format!("/nodes/{}", first.text("/id")), json!({"name": "c"})).await.expect(StatusCode::OK);
    keyed.post("/nodes/root/children", taken).await.expect(StatusCode::CREATED);

    let keyed = alice.with("idempotency-key", "three");
    let path = format!("/nodes/{}", first.text("/id"));
    let entry = keyed.delete(&path).await.expect(StatusCode::OK).text("/trash");
    assert_eq!(keyed.delete(&path).await.expect(StatusCode::OK).text("/trash"), entry);
    alice.with("idempotency-key", "a b").delete(&path).await.problem(400, "field-invalid");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_the_words_of_the_api() {
    let world = World::new().await;
    let user = world.user("anna").await;
    user.get("/nodes/%ff").await.problem(400, "path-invalid");
    user.delete("/trash/%ff").await.problem(400, "path-invalid");
}
