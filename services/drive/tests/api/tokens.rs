//! API tokens and their scopes.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Client, PASSWORD, World};

async fn token(owner: &Client, world: &World, scopes: Value) -> (Client, String) {
    let made = owner.post("/tokens", json!({"label": "backup", "scopes": scopes})).await;
    let made = made.expect(StatusCode::CREATED);
    let text = made.text("/token");
    assert!(text.starts_with("cairn_") && text.len() == 49, "{text}");
    (world.visitor().with("authorization", &format!("Bearer {text}")), made.text("/id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_its_scopes_say_and_never_what_only_persons_may() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let (reader, _) = token(&alice, &world, json!(["read"])).await;
    let (writer, _) = token(&alice, &world, json!(["write"])).await;
    assert_eq!(reader.names("root").await, ["folder"]);
    let new = json!({"name": "new"});
    reader.post("/nodes/root/children", new.clone()).await.problem(403, "scope-missing");
    reader.delete(&format!("/nodes/{folder}")).await.problem(403, "scope-missing");
    writer.post("/nodes/root/children", new).await.expect(StatusCode::CREATED);
    writer.get("/nodes/root/children").await.problem(403, "scope-missing");
    writer.post(&format!("/nodes/{folder}/shares"), json!({})).await.problem(403, "scope-missing");
    for client in [&reader, &writer] {
        client.get("/me").await.problem(403, "not-allowed");
        client.get("/tokens").await.problem(403, "not-allowed");
        let more = json!({"label": "more", "scopes": ["read"]});
        client.post("/tokens", more).await.problem(403, "not-allowed");
        let change = json!({"old": PASSWORD, "new": "something else"});
        client.put("/me/password", change).await.problem(403, "not-allowed");
        client.get("/admin/accounts").await.problem(403, "not-allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_administers_makes_nobody_a_person_and_nobody_an_administrator() {
    let world = World::new().await;
    let admin = world.admin().await;
    let own = admin.get("/me").await.text("/id");
    let (script, _) = token(&admin, &world, json!(["admin"])).await;
    // What scripts need: accounts are made, bounded, frozen and signed out.
    let fields = json!({"user_name": "alice", "password": PASSWORD});
    let made = script.post("/accounts", fields).await.expect(StatusCode::CREATED);
    let alice = format!("/admin/accounts/{}", made.text("/id"));
    for change in [json!({"quota": 1000}), json!({"state": "frozen"}), json!({"state": "active"})] {
        script.patch(&alice, change).await.expect(StatusCode::OK);
    }
    script.delete(&format!("{alice}/sessions")).await.expect(StatusCode::NO_CONTENT);

    let change = json!({"password": "something else"});
    for account in [&format!("/admin/accounts/{own}"), &alice] {
        for role in ["administrator", "user"] {
            script.patch(account, json!({"role": role})).await.problem(403, "not-allowed");
        }
        script.put(&format!("{account}/password"), change.clone()).await.problem(403, "not-allowed");
    }
    let sign_in = json!({"user_name": "admin", "password": "something else"});
    world.visitor().post("/session", sign_in).await.problem(401, "sign-in-failed");
    assert_eq!(admin.get(&alice).await.text("/role"), "user");
    admin.put(&format!("{alice}/password"), change).await.expect(StatusCode::NO_CONTENT);
    admin.patch(&alice, json!({"role": "administrator"})).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_listed_without_the_token_and_end_when_their_owner_says_so() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (reader, id) = token(&alice, &world, json!(["read"])).await;
    let list = alice.get("/tokens").await.expect(StatusCode::OK);
    let expected = json!([{"id": id, "label": "backup", "scopes": ["read"], "expires_at": null}]);
    assert_eq!(list.body["rows"], expected);
    bob.delete(&format!("/tokens/{id}")).await.problem(404, "api-token-not-found");
    // Not used before: nothing is in a cache.
    alice.delete(&format!("/tokens/{id}")).await.expect(StatusCode::NO_CONTENT);
    reader.get("/nodes/root").await.problem(401, "session-ended");
    for (fields, status, code) in [
        (json!({"label": "x", "scopes": []}), 400, "field-invalid"),
        (json!({"label": "x", "scopes": ["all"]}), 400, "body-invalid"),
        (json!({"label": "x", "scopes": ["admin"]}), 403, "not-allowed"),
        (
            json!({"label": "x", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}),
            400,
            "field-invalid",
        ),
        (json!({"label": "x", "scopes": ["read"], "expires_at": "soon"}), 400, "field-invalid"),
    ] {
        alice.post("/tokens", fields).await.problem(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_ends_tokens_unless_they_are_kept() {
    let world = World::new().await;
    for (name, keep) in [("keeps", true), ("drops", false)] {
        let owner = world.user(name).await;
        let (reader, _) = token(&owner, &world, json!(["read"])).await;
        let change = json!({"old": PASSWORD, "new": "something else", "keep_api_tokens": keep});
        owner.put("/me/password", change).await.expect(StatusCode::OK);
        let reply = reader.get("/nodes/root").await;
        if keep { drop(reply.expect(StatusCode::OK)) } else { drop(reply.problem(401, "session-ended")) }
    }
}
