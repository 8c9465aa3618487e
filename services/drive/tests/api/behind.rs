//! Records and counts that go through the queue.

use std::sync::Arc;
use std::time::Duration;

use drive_core::{Problem, UnixMillis};
use net::StopSource;
use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::kit::{Client, PASSWORD, World, settings, until};

/// A drive whose database gives up soon, and a second connection to that.
async fn hurried() -> (World, SqliteConnection) {
    let world = World::working(|settings| {
        settings.deadlines.lock = Duration::from_millis(200);
        settings.deadlines.step = Duration::from_millis(500);
    })
    .await;
    let options = SqliteConnectOptions::new().filename(world.folder.path().join("drive.db"));
    let other = options.connect().await.unwrap();
    (world, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_through_the_queue_is_answered_as_if_it_did_not() {
    let world = World::working(|_| {}).await;
    let alice = world.user("alice").await;
    let file = alice.file("a.txt", b"content").await;
    assert_eq!(alice.bytes(&file).await, b"content");
    assert_eq!(alice.get("/usage").await.body["used"], 7);
    let taken = json!({"user_name": "alice", "password": PASSWORD});
    world.visitor().post("/accounts", taken).await.problem(409, "user-name-taken");
    let again = alice.upload(Method::PUT, "/nodes/root/files/a.txt", "other").await;
    again.problem(409, "name-taken");
    let both = alice.upload(Method::PUT, "/nodes/root/files/a.txt?on_conflict=keep-both", "other").await;
    assert_eq!(both.expect(StatusCode::CREATED).text("/name"), "a (2).txt");
    assert_eq!(alice.get("/usage").await.body["reserved"], 0);
    assert_eq!(world.drive.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_accounts_are_accepted_while_the_database_takes_nothing_and_are_there_after_it() {
    let (world, mut other) = hurried().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let path = format!("/nodes/{folder}/files/a.txt");
    let sent = alice.upload(Method::PUT, &path, "content").await.expect(StatusCode::ACCEPTED);
    assert_eq!(sent.body["state"], "waiting");
    let place = format!("/records/{}", sent.text("/key"));
    assert_eq!(sent.headers["location"], format!("/api/v1{place}").as_str());
    let asked = json!({"user_name": "bob", "password": PASSWORD});
    let registered = world.visitor().post("/accounts", asked).await.expect(StatusCode::ACCEPTED);
    assert_eq!(alice.get(&place).await.body["state"], "waiting");
    // What is not written behind is refused.
    let folder = alice.post("/nodes/root/children", json!({"name": "x"})).await;
    folder.problem(503, "database-unavailable");
    lock.rollback().await.unwrap();

    let record = until("the record is applied", async || {
        let reply = alice.get(&place).await;
        (reply.status == StatusCode::OK && reply.body["state"] != "waiting").then_some(reply)
    })
    .await;
    assert_eq!(record.body["state"], "applied");
    assert_eq!(alice.bytes(&record.text("/node")).await, b"content");
    let place = format!("/records/{}", registered.text("/key"));
    until("the account is made", async || (alice.get(&place).await.body["state"] == "applied").then_some(()))
        .await;
    world.visitor().signed_in("bob", PASSWORD).await;
    assert_eq!(world.drive.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_refused_stays_so_while_the_database_gives_nothing() {
    let (world, mut other) = hurried().await;
    let (admin, alice, bob) = (world.admin().await, world.user("alice").await, world.user("bob").await);
    let (phone, carol) = (bob.clone(), world.user("carol").await);
    let bob = world.visitor().signed_in("bob", PASSWORD).await;
    for client in [&alice, &bob, &phone, &carol] {
        client.get("/nodes/root").await.expect(StatusCode::OK);
    }
    let account = format!("/admin/accounts/{}", alice.get("/me").await.text("/id"));
    admin.patch(&account, json!({"state": "frozen"})).await.expect(StatusCode::OK);
    let change = json!({"old": PASSWORD, "new": "something else"});
    bob.put("/me/password", change).await.expect(StatusCode::OK);
    for (client, code) in [(&alice, "account-frozen"), (&phone, "session-ended")] {
        until("it is refused", async || (client.get("/nodes/root").await.body["code"] == code).then_some(()))
            .await;
    }

    // What a connection has in memory counts no more after a change, and the rest is in a log that is empty.
    for sql in ["PRAGMA wal_autocheckpoint = 0", "UPDATE accounts SET nick_name = 'somebody'"] {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
    let log = world.folder.path().join("drive.db-wal");
    std::fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap();
    let send = async |client: &Client| client.upload(Method::PUT, "/nodes/1/files/a.txt", "content").await;
    for client in [&alice, &phone] {
        send(client).await.problem(503, "database-unavailable");
    }
    // Who was not refused is let in by what the cache says.
    send(&carol).await.expect(StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_and_downloads_are_counted_once_each_and_make_the_ranking() {
    let world = World::working(|_| {}).await;
    let alice = world.user("alice").await;
    let (first, second) = (alice.file("first", b"1").await, alice.file("second", b"2").await);
    let terms = json!({"listed": true});
    let mut links = Vec::new();
    for node in [&first, &second] {
        let made = alice.post(&format!("/nodes/{node}/shares"), terms.clone()).await;
        links.push(made.expect(StatusCode::CREATED).text("/token"));
    }
    for _ in 0..3 {
        world.visitor().get(&format!("/public/shares/{}", links[1])).await.expect(StatusCode::OK);
    }
    for visitor in [&world.user("bob").await, &world.user("carol").await] {
        // Twice within the hour counts once.
        for _ in 0..2 {
            let path = format!("/public/shares/{}/nodes/{second}/content", links[1]);
            assert_eq!(visitor.raw(Method::GET, &path, "").await.0, StatusCode::OK);
        }
    }
    let row = until("the counts are applied", async || {
        let page = world.visitor().get("/public/shares").await;
        let row = page.body["rows"].as_array()?.iter().find(|row| row["token"] == *links[1])?.clone();
        (row["downloads"] == 2 && row["views"] == 3).then_some(row)
    })
    .await;
    assert_eq!(row["owner"], "alice");
    world.drive.make_board().await;
    let ranking = world.visitor().get("/public/ranking").await.expect(StatusCode::OK);
    let tokens: Vec<_> = ranking.body["rows"].as_array().unwrap().iter().map(|row| &row["token"]).collect();
    assert_eq!(tokens, [&links[1], &links[0]]);
    let part = world.visitor().get("/public/ranking?from=1&limit=1").await.expect(StatusCode::OK);
    assert_eq!((&part.body["rows"][0]["token"], &part.body["next"]), (&json!(links[0]), &json!(2)));

    // One's own downloads: those that are saved, not those that are looked at.
    for query in ["", "?save=true", "?save=true"] {
        let path = format!("/nodes/{first}/content{query}");
        assert_eq!(alice.raw(Method::GET, &path, "").await.0, StatusCode::OK);
    }
    until("they are counted", async || {
        (alice.get(&format!("/nodes/{first}")).await.body["downloads"] == 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_leads_to_is_given_and_counted_while_the_database_takes_nothing() {
    let (world, mut other) = hurried().await;
    let alice = world.user("alice").await;
    let folder = alice.folder("root", "folder").await;
    let file =
        alice.upload(Method::PUT, &format!("/nodes/{folder}/files/a.txt"), "content").await.text("/id");
    let made = alice.post(&format!("/nodes/{folder}/shares"), json!({"listed": true})).await;
    let link = format!("/public/shares/{}", made.expect(StatusCode::CREATED).text("/token"));
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let visitor = world.visitor();
    for path in ["/zip".to_owned(), format!("/nodes/{folder}/zip"), format!("/nodes/{file}/content")] {
        let (status, ..) = visitor.raw(Method::GET, &format!("{link}{path}"), "").await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    lock.rollback().await.unwrap();
    until("they are counted as one", async || {
        let page = visitor.get("/public/shares").await;
        (page.body["rows"][0]["downloads"] == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_sqlite_takes_is_there_though_nobody_works_on_the_queue() {
    let world = World::resting().await;
    let alice = world.admin().await;
    let sent = alice.upload(Method::PUT, "/nodes/root/files/a", "content").await;
    let file = sent.expect(StatusCode::CREATED).text("/id");
    assert_eq!(alice.bytes(&file).await, b"content");
    assert_eq!(alice.get("/admin/queue").await.body["lanes"][0]["waiting"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_sqlite_takes_without_being_able_to_say_so_is_not_made_by_the_queue_besides() {
    let world = World::resting().await;
    let alice = world.admin().await;
    let file = world.folder.path().join("drive.db");
    let (log, aside) = (file.with_extension("db-wal"), file.with_extension("aside"));
    let mut other = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    // The first takes the connection along, so that the log is opened anew to be synced; the second only opens another
    // connection.
    for how in ["ROLLBACK", "ABORT"] {
        let trigger = format!(
            "CREATE TRIGGER refuses BEFORE INSERT ON nodes BEGIN SELECT RAISE({how}, 'refused by a test'); END"
        );
        sqlx::query(AssertSqlSafe(trigger)).execute(&mut other).await.unwrap();
        alice.post("/nodes/root/children", json!({"name": "x"})).await.problem(500, "contradiction");
        sqlx::query("DROP TRIGGER refuses").execute(&mut other).await.unwrap();
    }
    std::fs::rename(&log, &aside).unwrap();
    let sent = alice.upload(Method::PUT, "/nodes/root/files/a.txt", "content").await;
    std::fs::rename(&aside, &log).unwrap();
    sent.problem(503, "database-unavailable");
    assert_eq!(alice.names("root").await, ["a.txt"]);
    assert_eq!(alice.get("/usage").await.body["used"], 7);
    assert_eq!(alice.get("/admin/queue").await.body["lanes"][0]["waiting"], 0);
    // It goes on.
    alice.file("b.txt", b"other").await;
    assert_eq!(world.drive.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_database_never_takes_does_not_hold_up_the_others_of_its_batch() {
    let world = World::resting().await;
    let alice = world.admin().await;
    let options = SqliteConnectOptions::new().filename(world.folder.path().join("drive.db"));
    let mut other = options.connect().await.unwrap();
    // A row that is there already: the transaction is tried again, and again.
    for sql in [
        "CREATE TABLE poison (id INTEGER PRIMARY KEY)",
        "INSERT INTO poison VALUES (1)",
        // All of them at first: what SQLite takes at once is in no queue.
        "CREATE TRIGGER poisoned BEFORE INSERT ON nodes BEGIN INSERT INTO poison VALUES (1); END",
    ] {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
    let paths = ["a", "poison", "b"].map(|name| format!("/nodes/root/files/{name}"));
    let [a, poison, b] = &paths;
    let send = |path| alice.upload(Method::PUT, path, "content");
    let (a, poison, b) = tokio::join!(send(a), send(poison), send(b));
    for sql in [
        "DROP TRIGGER poisoned",
        "CREATE TRIGGER poisoned BEFORE INSERT ON nodes WHEN NEW.name = 'poison' \
             BEGIN INSERT INTO poison VALUES (1); END",
    ] {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
    let (source, stop) = StopSource::new();
    tokio::spawn(drive::work(Arc::clone(&world.drive), stop));
    for record in [a, b] {
        let place = record.expect(StatusCode::ACCEPTED).headers["location"].to_str().unwrap().to_owned();
        let place = place.strip_prefix("/api/v1").unwrap();
        until("it is applied", async || (alice.get(place).await.body["state"] == "applied").then_some(()))
            .await;
    }
    let poison = format!("/records/{}", poison.text("/key"));
    assert_eq!(alice.get(&poison).await.body["state"], "waiting");
    sqlx::query("DROP TRIGGER poisoned").execute(&mut other).await.unwrap();
    until("it is applied, too", async || (alice.get(&poison).await.body["state"] == "applied").then_some(()))
        .await;
    drop(source);
    assert_eq!(world.drive.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_ends_goes_by_itself() {
    let world = World::working(|settings| settings.policy.trash_retention = Duration::ZERO).await;
    let alice = world.user("alice").await;
    let file = alice.file("a.txt", b"content").await;
    alice.delete(&format!("/nodes/{file}")).await.expect(StatusCode::OK);
    world.drive.sweep_now().await.unwrap();
    assert!(alice.get("/trash").await.names().is_empty());
    assert_eq!(alice.get("/usage").await.body["used"], 0);
    assert_eq!(world.drive.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_does_not_delete_is_left_aside_and_deleted_later() {
    let world =
        World::storing_with(settings(), |settings| settings.policy.trash_retention = Duration::ZERO).await;
    let (alice, database) = (world.user("alice").await, world.database().await);
    let file = alice.file("a.txt", b"content").await;
    alice.delete(&format!("/nodes/{file}")).await.expect(StatusCode::OK);
    world.drive.sweep_now().await.unwrap();
    let end_of_time = UnixMillis(i64::MAX);
    assert_eq!(database.collect_contents(end_of_time, 10).await.unwrap(), 1);
    let dropped = database.due_blobs(end_of_time, 10).await.unwrap();
    let its_time_has_come = async || database.put_off_blobs(&dropped, UnixMillis(0)).await.unwrap();
    let sweep = || world.drive.sweep_now();

    its_time_has_come().await;
    world.readable(0);
    assert!(matches!(sweep().await, Err(Problem::Unavailable(_))));
    world.readable(u64::MAX);
    // Others have their turn meanwhile.
    sweep().await.unwrap();
    assert_eq!((world.stored(), database.due_blobs(end_of_time, 10).await.unwrap()), (1, dropped.clone()));

    its_time_has_come().await;
    sweep().await.unwrap();
    assert_eq!((world.stored(), database.due_blobs(end_of_time, 10).await.unwrap()), (0, Vec::new()));
}
