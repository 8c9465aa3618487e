//! Opening: migrations, several processes at once, schemas that are too new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drive_core::content::Md5Digest;
use drive_core::page::SearchQuery;
use drive_core::{Part, Problem};
use drive_db::{Database, Deadlines, Engine, NewShare, OpenError, Place, Settings};
use testkit::mariadb::MariaDb;

use crate::kit::{Bed, Ground, NOW, by, name, registration, secret, system};

on_both! {
    what_was_written_is_there_when_it_is_opened_again
    several_that_open_at_once_make_one_schema
    several_processes_that_start_at_once_make_one_schema
    a_schema_of_a_later_version_is_refused
    a_schema_that_was_left_half_made_is_finished
    an_index_that_came_later_is_made_in_a_database_of_before
    accounts_of_before_are_found_as_new_ones_are
    links_of_before_are_found_by_digest_and_name
    a_dropped_step_leaves_nothing_and_holds_up_nobody
    two_databases_on_one_place_do_not_give_the_same_ids
}

async fn what_was_written_is_there_when_it_is_opened_again(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.file(person, person.root, "a", 5).await;
    bed.ping().await.unwrap();
    let again = Database::open(bed.settings.clone()).await.unwrap();
    assert_eq!(again.engine(), bed.engine());
    assert_eq!(again.usage(person.id).await.unwrap().used.get(), 5);
    again.register(&registration("other"), &system()).await.unwrap();
    bed.is_well().await;
}

/// Removes all tables, for tests of how they come to be.
async fn empty(bed: &Bed) {
    let tables = [
        "audit",
        "idempotency",
        "entry_keys",
        "shares",
        "reservations",
        "uploads",
        "dropped_blobs",
        "trash",
        "nodes",
        "contents",
        "api_tokens",
        "sessions",
        "accounts",
        "id_blocks",
        "schema_steps",
    ];
    for table in tables {
        bed.by_hand(&format!("DROP TABLE {table}")).await;
    }
}

async fn several_that_open_at_once_make_one_schema(bed: Bed) {
    empty(&bed).await;
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        opening.spawn(Database::open(bed.settings.clone()));
    }
    let opened: Vec<Database> = opening.join_all().await.into_iter().map(Result::unwrap).collect();
    for (number, database) in opened.iter().enumerate() {
        database.register(&registration(&format!("user{number}")), &system()).await.unwrap();
    }
    let steps = bed.look("SELECT COUNT(*), MAX(step) FROM schema_steps").await;
    let (count, last) = steps[0].split_once('|').unwrap();
    assert_eq!(count, last, "each step once");
    bed.is_well().await;
}

/// Says to a test of this program, run as a process of its own, what to open.
const PLACE: &str = "DRIVE_DB_TEST_PLACE";

async fn several_processes_that_start_at_once_make_one_schema(bed: Bed) {
    empty(&bed).await;
    let place = match &bed.settings.place {
        Place::Sqlite { file, .. } => file.display().to_string(),
        Place::MySql { urls, .. } => urls[0].clone(),
    };
    let mut children = Vec::new();
    for number in 0..4 {
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "opening::a_process_opens_the_place_it_is_told"]);
        child.env(PLACE, format!("{number} {place}")).kill_on_drop(true);
        children.push(child.stdout(std::process::Stdio::piped()).spawn().unwrap());
    }
    for child in children {
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(bed.list_accounts(None, 10).await.unwrap().rows.len(), 4);
    bed.is_well().await;
}

/// The process of the test above; by itself it opens a place of its own.
#[tokio::test]
async fn a_process_opens_the_place_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let own = format!("0 {}", folder.path().join("drive.db").display());
    let told = std::env::var(PLACE).unwrap_or(own);
    let (number, place) = told.split_once(' ').unwrap();
    let settings = match place.strip_prefix("mysql:") {
        Some(_) => Settings::mysql([place.to_owned()]),
        None => Settings::sqlite(place),
    };
    let database = Database::open(settings).await.unwrap();
    let account = database.register(&registration(&format!("user{number}")), &system()).await.unwrap();
    assert_eq!(database.usage(account).await.unwrap().nodes, 1);
}

async fn a_schema_of_a_later_version_is_refused(bed: Bed) {
    bed.by_hand("INSERT INTO schema_steps (step) VALUES (9999)").await;
    let refused = Database::open(bed.settings.clone()).await;
    assert!(matches!(refused, Err(OpenError::TooNew { found: 9999, .. })), "{refused:?}");
}

async fn a_schema_that_was_left_half_made_is_finished(bed: Bed) {
    // The last table and an index are there, and their steps are not written down; before that others are missing.
    bed.by_hand("DROP TABLE idempotency").await;
    bed.by_hand("DROP TABLE entry_keys").await;
    let last = bed.look("SELECT MAX(step) FROM schema_steps").await[0].parse::<i64>().unwrap();
    bed.by_hand(&format!("DELETE FROM schema_steps WHERE step > {}", last - 4)).await;
    Database::open(bed.settings.clone()).await.unwrap();
    let person = bed.account("lilei").await;
    bed.apply(&[], crate::kit::NOW).await.unwrap();
    bed.empty_trash(person.id, &by(person)).await.unwrap();
    assert_eq!(bed.look("SELECT MAX(step) FROM schema_steps").await, [last.to_string()]);
}

async fn an_index_that_came_later_is_made_in_a_database_of_before(bed: Bed) {
    let person = bed.account("lilei").await;
    let file = bed.file(person, person.root, "a", 5).await.id;
    bed.by_hand(match bed.engine() {
        Engine::Sqlite => "DROP INDEX nodes_recent",
        Engine::MySql => "DROP INDEX recent ON nodes",
    })
    .await;
    let steps = bed.look("SELECT COUNT(*) FROM schema_steps").await;
    bed.by_hand("DELETE FROM schema_steps WHERE step >= 16").await;
    let again = Database::open(bed.settings.clone()).await.unwrap();
    assert_eq!(bed.look("SELECT COUNT(*) FROM schema_steps").await, steps);
    let there = bed.look(match bed.engine() {
        Engine::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'nodes_recent'",
        Engine::MySql => {
            "SELECT COUNT(DISTINCT index_name) FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND index_name = 'recent'"
        }
    });
    assert_eq!(there.await, ["1"]);
    assert_eq!(again.recent(person.id, None, 9).await.unwrap().rows[0].node.id, file);
}

async fn accounts_of_before_are_found_as_new_ones_are(bed: Bed) {
    let count = 700;
    for number in 0..count {
        bed.account(&format!("Person{number}")).await;
    }
    bed.by_hand(match bed.engine() {
        Engine::Sqlite => "DROP INDEX accounts_search",
        Engine::MySql => "DROP INDEX search ON accounts",
    })
    .await;
    bed.by_hand("ALTER TABLE accounts DROP COLUMN found_by").await;
    bed.by_hand("DELETE FROM schema_steps WHERE step >= 17").await;
    let again = Database::open(bed.settings.clone()).await.unwrap();
    let found = async |text: &str| {
        let query = SearchQuery::new(text).unwrap();
        again.search_accounts(&query, None, 1000).await.unwrap().rows.len()
    };
    assert_eq!(found("person").await, count);
    assert_eq!(found("person699").await, 1);
    assert_eq!(bed.look("SELECT COUNT(*) FROM accounts WHERE found_by IS NULL").await, ["0"]);
    // An earlier version beside this one knows nothing of it.
    bed.by_hand("UPDATE accounts SET found_by = NULL").await;
    assert_eq!(found("PERSON699").await, 1);
    bed.is_well().await;
}

async fn links_of_before_are_found_by_digest_and_name(bed: Bed) {
    let person = bed.account("lilei").await;
    let file = bed.file(person, person.root, "a", 5).await.id;
    let folder = bed.folder(person, person.root, "folder").await;
    // More than are filled in at once, the file's last.
    for node in std::iter::repeat_n(folder, 500).chain([file]) {
        let new = NewShare { listed: true, ..bed.link(person, node) };
        bed.make_share(&new, &secret(), &by(person)).await.unwrap();
    }
    bed.by_hand(match bed.engine() {
        Engine::Sqlite => "DROP INDEX shares_md5",
        Engine::MySql => "DROP INDEX md5 ON shares",
    })
    .await;
    bed.by_hand("ALTER TABLE shares DROP COLUMN md5").await;
    bed.by_hand("DELETE FROM schema_steps WHERE step >= 23").await;
    let again = Database::open(bed.settings.clone()).await.unwrap();
    let found = again.listed_link(&Md5Digest([5; 16]), &name("a"), None, NOW).await;
    assert_eq!(found.map(|share| share.node), Ok(file));
    bed.is_well().await;
    // An earlier version beside this one knows nothing of it.
    bed.by_hand("UPDATE shares SET md5 = NULL").await;
    bed.is_well().await;
}

async fn a_dropped_step_leaves_nothing_and_holds_up_nobody(bed: Bed) {
    let person = bed.account("lilei").await;
    for number in 0..50_u64 {
        let text = name(&format!("{number}"));
        let cause = by(person);
        let step = bed.create_folder(person.id, person.root, &text, Default::default(), &cause);
        // Dropped somewhere in the middle, or just behind the end.
        tokio::time::timeout(Duration::from_micros(100 * number), step).await.ok();
    }
    // Whatever was undone took its locks with it.
    let began = Instant::now();
    bed.folder(person, person.root, "last").await;
    assert!(began.elapsed() < Duration::from_secs(5));
    bed.is_well().await;
}

async fn two_databases_on_one_place_do_not_give_the_same_ids(bed: Bed) {
    let other = Arc::new(Database::open(bed.settings.clone()).await.unwrap());
    let person = bed.account("lilei").await;
    for number in 0..5 {
        let text = name(&format!("other {number}"));
        other.create_folder(person.id, person.root, &text, Default::default(), &by(person)).await.unwrap();
        bed.folder(person, person.root, &format!("this {number}")).await;
    }
    assert_eq!(bed.names(person, person.root).await.len(), 10);
    bed.is_well().await;
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_without_telling_passwords() {
    for (place, word) in [
        (Place::MySql { urls: vec![], connections: 1 }, "servers"),
        (Place::MySql { urls: vec!["mysql://a:hush@b/c".to_owned(); 17], connections: 1 }, "servers"),
        (Place::MySql { urls: vec!["postgres://a:hush@b/c".to_owned()], connections: 1 }, "URL"),
        (Place::MySql { urls: vec!["mysql://a:hush@b".to_owned()], connections: 1 }, "URL"),
        (Place::MySql { urls: vec!["mysql://a:hush@b:x/c".to_owned()], connections: 1 }, "URL"),
        (Place::MySql { urls: vec!["mysql://a:hush@b/c".to_owned()], connections: 0 }, "connections"),
        (Place::Sqlite { file: "x".into(), readers: 0 }, "connections"),
        (Place::Sqlite { file: "/no/such/folder/x".into(), readers: 1 }, ""),
    ] {
        let settings = Settings { place, ..Settings::sqlite("x") };
        let refused = Database::open(settings.clone()).await.unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
        assert!(!refused.contains("hush") && !format!("{settings:?}").contains("hush"), "{refused}");
    }
}

/// Short waits, so that tests of servers that are away are short.
fn impatient(settings: Settings) -> Settings {
    let deadlines = Deadlines {
        connect: Duration::from_millis(500),
        lock: Duration::from_secs(1),
        step: Duration::from_secs(3),
        migrate: Duration::from_secs(30),
    };
    Settings { deadlines, ..settings }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_server_is_used_when_one_is_away() {
    let start = || tokio::task::spawn_blocking(|| MariaDb::start().unwrap());
    let (mut first, mut second) = (start().await.unwrap(), start().await.unwrap());
    for server in [&first, &second] {
        server.sql("CREATE DATABASE drive").unwrap();
    }
    // Two servers that do not hold the same, so that the test sees which is used.
    let urls = [first.url("drive"), second.url("drive")];
    let database = Database::open(impatient(Settings::mysql([urls[1].clone()]))).await.unwrap();
    database.register(&registration("second"), &system()).await.unwrap();
    let database = Database::open(impatient(Settings::mysql(urls.clone()))).await.unwrap();
    assert_eq!(database.engine(), Engine::MySql);
    database.register(&registration("first"), &system()).await.unwrap();
    let has = async |text: &str| {
        let name = drive_core::account::UserName::parse(text).unwrap();
        database.account_by_name(&name).await.map(|account| account.is_some())
    };
    assert_eq!((has("first").await, has("second").await), (Ok(true), Ok(false)));
    // The connection breaks: the same call goes on at the next server.
    first.kill().unwrap();
    assert_eq!((has("first").await, has("second").await), (Ok(false), Ok(true)));
    database.register(&registration("third"), &system()).await.unwrap();
    // Both away: an error in time, and recovery by itself.
    second.kill().unwrap();
    let began = Instant::now();
    assert_eq!(has("second").await, Err(Problem::Unavailable(Part::Database)));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(database.ping().await, Err(Problem::Unavailable(Part::Database)));
    let second = tokio::task::spawn_blocking(move || {
        second.restart().unwrap();
        second
    });
    let second = second.await.unwrap();
    assert_eq!((has("second").await, has("third").await), (Ok(true), Ok(true)));
    // One that takes no writes is no server to use (W-32).
    first.restart().unwrap();
    second.sql("SET GLOBAL read_only = 1; CREATE USER plain@'%'; GRANT ALL ON drive.* TO plain@'%'").unwrap();
    first.sql("CREATE USER plain@'%'; GRANT ALL ON drive.* TO plain@'%'").unwrap();
    let plain = urls.map(|url| url.replace("root@", "plain@"));
    let [one, other] = plain;
    let database = Database::open(impatient(Settings::mysql([other, one]))).await.unwrap();
    let name = drive_core::account::UserName::parse("first").unwrap();
    assert!(database.account_by_name(&name).await.unwrap().is_some());
    // It becomes so while it is used: the write goes to the other.
    second.sql("SET GLOBAL read_only = 0").unwrap();
    first.sql("SET GLOBAL read_only = 1").unwrap();
    database.register(&registration("fourth"), &system()).await.unwrap();
    assert!(second.sql("SELECT user_key FROM drive.accounts").unwrap().contains("fourth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_had_committed_is_there_and_nothing_half() {
    let mut server = tokio::task::spawn_blocking(|| MariaDb::start().unwrap()).await.unwrap();
    server.sql("CREATE DATABASE drive").unwrap();
    let settings = impatient(Settings::mysql([server.url("drive")]));
    let database = Arc::new(Database::open(settings).await.unwrap());
    let id = database.register(&registration("lilei"), &system()).await.unwrap();
    let root = database.account(id).await.unwrap().root;
    let person = crate::kit::Person { id, root };
    let writer = {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            let mut done = Vec::new();
            for number in 0.. {
                let text = name(&format!("{number}"));
                match database.create_folder(id, root, &text, Default::default(), &by(person)).await {
                    Ok(node) => done.push(node.id),
                    Err(Problem::Unavailable(Part::Database)) => break,
                    Err(problem) => panic!("{problem:?}"),
                }
            }
            done
        })
    };
    while database.usage(id).await.unwrap().nodes < 100 {
        tokio::task::yield_now().await;
    }
    server.kill().unwrap();
    let done = writer.await.unwrap();
    server.restart().unwrap();
    assert!(done.len() >= 99);
    for node in &done {
        database.node(id, *node).await.unwrap();
    }
    // What was committing when it died is there or not; nothing else is.
    let nodes = database.usage(id).await.unwrap().nodes as usize - 1;
    assert!((done.len()..=done.len() + 1).contains(&nodes), "{} {nodes}", done.len());
    assert_eq!(database.check().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    // Accepts connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mysql://root@{}/drive", silent.local_addr().unwrap());
    let began = Instant::now();
    let refused = Database::open(impatient(Settings::mysql([url]))).await;
    assert!(matches!(refused, Err(OpenError::Away(_))), "{refused:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_as_durable_and_strict_as_it_is_said_to_be() {
    let bed = Bed::sqlite().await;
    assert_eq!(bed.look("PRAGMA journal_mode").await, ["wal"]);
    assert!(matches!(bed.ground, Ground::Sqlite(_)));
    let tables =
        bed.look("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT'").await;
    assert_eq!(tables, [""; 0]);
}
