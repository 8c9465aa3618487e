//! The plans of hot queries on both engines: each finds its rows by the index that is meant for it, and sorts nothing
//! that the index has in order.

use drive_core::account::{NickName, PasswordHash, Registration, Role, UserName, Verifiers};
use drive_core::content::{ContentIdentity, Md5Digest, Sha256Digest};
use drive_core::node::NodeName;
use drive_core::page::{Direction, NodeOrder, ShareOrder};
use drive_core::ports::BlobKey;
use drive_core::queue::{Entry, EntryKey, Event, UploadRecord};
use drive_core::session::{Door, TokenDigest};
use drive_core::share::{ShareKind, ShareToken, WantedCode};
use drive_core::tree::OnConflict;
use drive_core::{AccountId, ByteCount, DriveSecret, NodeId, UnixMillis};
use testkit::mariadb::MariaDb;

use crate::accounts;
use crate::cause::Cause;
use crate::contents::{by_identity_text, unused_text};
use crate::database::Database;
use crate::dialect::{RootOrder, listed_link_text, root_files_text};
use crate::engine::{Engine, Value};
use crate::sessions::by_token_text;
use crate::settings::Settings;
use crate::shares::{NewShare, ShareFilter, own_shares_text, ranking_text, share_text};
use crate::tree::{FAMILY, first_page, in_trash_text, kind_of_list, recent_text, search_text};
use crate::uploads::{count_under_way_text, over_text, under_way_text};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

/// Every upload has another.
fn md5(number: usize) -> Md5Digest {
    Md5Digest((number as u128).to_be_bytes())
}

const MD5_OF_500: [u8; 16] = 500_u128.to_be_bytes();

/// A query, the index it must use for its first table, and what is bound.
struct Hot {
    what: String,
    sql: String,
    index: &'static str,
    values: Vec<Value<'static>>,
}

fn hot(folder: NodeId, owner: AccountId) -> Vec<Hot> {
    let (folder, owner) = (Value::from(folder), Value::from(owner));
    let (one, text) = (Value::Int(1), Value::Text("file 00500"));
    let mut queries = Vec::new();
    for (order, index, key) in [
        (NodeOrder::Name, "by_name", text),
        (NodeOrder::Size, "by_size", Value::Int(5)),
        (NodeOrder::Modified, "by_time", Value::Int(NOW.0)),
        (NodeOrder::Downloads, "by_downloads", Value::Int(0)),
    ] {
        for direction in [Direction::Up, Direction::Down] {
            let begin = vec![folder, one, Value::Int(11)];
            let behind = vec![folder, one, key, key, one, Value::Int(11)];
            for (values, is_behind) in [(begin, false), (behind, true)] {
                queries.push(Hot {
                    what: format!("a folder by {order:?} {direction:?}, behind: {is_behind}"),
                    sql: kind_of_list(order, direction, is_behind),
                    index,
                    values,
                });
            }
        }
    }
    let mut add = |what: &str, sql: String, index, values: &[Value<'static>]| {
        queries.push(Hot { what: what.to_owned(), sql, index, values: values.to_vec() });
    };
    let pattern = Value::Text("%file%");
    add("a search", search_text(1), "search", &[owner, text, text, one, pattern, Value::Int(11)]);
    let name = Value::Text("user1");
    let values = [name, name, one, Value::Text("%user%"), Value::Int(11)];
    add("a search of accounts", accounts::search_text(1), "search", &values);
    add("recent files", recent_text(false), "recent", &[owner, one, Value::Int(11)]);
    let behind = [owner, one, Value::Int(NOW.0), Value::Int(NOW.0), one, Value::Int(11)];
    add("more of the recent files", recent_text(true), "recent", &behind);
    let like = Value::Text("file 005%(%)%");
    let end = Value::Text("file 005\u{10ffff}");
    let under_way = [Value::Int(0), Value::Int(0), Value::Int(50)];
    add("uploads under way", under_way_text(), "under_way", &under_way);
    let over = [Value::Int(NOW.0 + 1_000), Value::Int(NOW.0 + 1_000), Value::Int(500)];
    add("uploads that are over", over_text(), "expiry", &over);
    add("names that begin so", FAMILY.to_owned(), "name", &[folder, Value::Text("file 005"), end, like, one]);
    add("a session", by_token_text(), "token", &[Value::Bytes(&[7; 32])]);
    add("a content", by_identity_text(), "identity", &[Value::Bytes(&[7; 32]), one]);
    add("contents to be collected", unused_text(), "unused", &[Value::Int(NOW.0), Value::Int(100)]);
    add("what is in an entry of the trash", in_trash_text(), "trash", &[one, Value::Int(100)]);
    add("a link", share_text(), "token", &[Value::Text("00000000000000000000000000000007")]);
    let link = [Value::Bytes(&MD5_OF_500), Value::Text("file 00500"), Value::Int(NOW.0)];
    add("a link by digest and name", listed_link_text(false), "md5", &link);
    add("the ranking", ranking_text(), "ranking", &[Value::Int(NOW.0), Value::Int(100)]);
    let rows = [Value::Int(NOW.0), folder, Value::Int(10), Value::Int(0)];
    add("the old dialect's files", root_files_text(RootOrder::Name), "by_name", &rows);
    let most = RootOrder::Downloads(Direction::Down);
    add("the old dialect's files by downloads", root_files_text(most), "by_downloads", &rows);
    queries
}

/// Some hundreds of accounts and links, a folder with some thousands of files.
async fn filled(database: &Database) -> (NodeId, AccountId) {
    let registration = |number: usize| Registration {
        user_name: UserName::parse(&format!("user{number}")).unwrap(),
        nick_name: NickName::new("n").unwrap(),
        email: None,
        phone: None,
        verifiers: Verifiers { text: Some(PasswordHash("h".to_owned())), dialect: None },
        role: Role::User,
        at: NOW,
    };
    let key = |number: usize| EntryKey((number as u128).to_be_bytes());
    let register =
        |number: usize| Entry { key: key(number), at: NOW, event: Event::Register(registration(number)) };
    database.apply(&(1..300).map(register).collect::<Vec<_>>(), NOW).await.unwrap();
    let account = database.account_by_name(&UserName::parse("user7").unwrap()).await.unwrap().unwrap();
    let upload = |number: usize| Entry {
        key: key(1_000 + number),
        at: UnixMillis(NOW.0 + number as i64),
        event: Event::RecordUpload(UploadRecord {
            owner: account.id,
            parent: account.root,
            name: NodeName::new(&format!("file {number:05}")).unwrap(),
            on_conflict: OnConflict::Fail,
            reserved: true,
            identity: ContentIdentity {
                sha256: Sha256Digest([7; 32]),
                size: ByteCount::new(number as u64).unwrap(),
            },
            md5: md5(number),
            blob: BlobKey::new(&format!("blob{number}")).unwrap(),
        }),
    };
    for first in (0..2_000).step_by(500) {
        let batch: Vec<_> = (first..first + 500).map(upload).collect();
        database.apply(&batch, NOW).await.unwrap();
    }
    let page = database.list_folder(account.id, account.root, NodeOrder::Name, Direction::Up, None, 400);
    for (number, node) in page.await.unwrap().rows.into_iter().enumerate() {
        let new = NewShare {
            owner: account.id,
            node: node.id,
            kind: ShareKind::Link,
            token: ShareToken::new((number as u128).to_be_bytes()),
            code: WantedCode::None,
            expires_at: None,
            downloads_left: None,
            listed: number % 2 == 0,
        };
        let cause = Cause::account(account.id, None, NOW);
        database.make_share(&new, &DriveSecret::new([1; 32]), &cause).await.unwrap();
    }
    // Those that are done are many beside those under way.
    database
        .write("uploads", |tx| {
            Box::pin(async {
                let sql = "INSERT INTO uploads (id, owner_id, parent_id, name, on_conflict, length, done_bytes, reserved, \
                     expires_at, state, node_id, doubtful, complete) \
                     SELECT id, owner_id, parent_id, name, 0, size, size, 0, modified_at, CASE WHEN id % 100 = 0 THEN 0 \
                     ELSE 2 END, id, 0, 0 FROM nodes WHERE kind = 1";
                tx.run(sql, &[]).await
            })
        })
        .await
        .unwrap();
    let (seen, token) = (&account.verifiers, TokenDigest([7; 32]));
    let cause = Cause::account(account.id, None, NOW);
    database.sign_in(account.id, seen, token, Door::V1, None, &cause).await.unwrap();
    (account.root, account.id)
}

/// The lines of a plan.
async fn plan(database: &Database, query: &Hot) -> Vec<String> {
    let sqlite = database.engine() == Engine::Sqlite;
    let explain = if sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN FORMAT=JSON" };
    let sql = format!("{explain} {}", query.sql);
    let rows = database.read("explain", |tx| {
        Box::pin(tx.list(sql.clone(), &query.values, move |columns| {
            // SQLite: three numbers, then a line of text. Servers: one text of many lines.
            for _ in 0..if sqlite { 3 } else { 0 } {
                columns.opt_int()?;
            }
            columns.text()
        }))
    });
    rows.await.unwrap().iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

/// How a plan says that it uses an index.
fn used(database: &Database, index: &str) -> String {
    match database.engine() {
        Engine::Sqlite => format!("_{index} ("),
        Engine::MySql => format!("\"key\": \"{index}\""),
    }
}

async fn check(database: &Database) {
    let (folder, owner) = filled(database).await;
    if database.engine() == Engine::MySql {
        let tables = ["accounts", "sessions", "contents", "nodes", "shares", "uploads"];
        for table in tables {
            let analyze = format!("ANALYZE TABLE {table}");
            database.read_long("analyze", |tx| Box::pin(tx.rows(analyze.clone(), &[]))).await.unwrap();
        }
    }
    let first_page = Hot {
        what: "both kinds of a folder".to_owned(),
        sql: first_page(NodeOrder::Size, Direction::Down),
        index: "by_size",
        values: [Value::from(folder), Value::Int(0), Value::Int(11)].repeat(2),
    };
    // Here what is scanned is what the two parts gave.
    let lines = plan(database, &first_page).await.join("\n");
    assert_eq!(lines.matches(&used(database, "by_size")).count(), 2, "{lines}");
    assert!(!lines.contains("TEMP B-TREE") && !lines.contains("filesort"), "{lines}");
    // A node has few links, which are sorted: all that matters is that those of its owner are not read.
    let which = ShareFilter { kind: Some(ShareKind::Link), node: Some(folder) };
    let key = Value::Int(NOW.0);
    let of_node = Hot {
        what: "the links of a node".to_owned(),
        sql: own_shares_text(which, ShareOrder::Created, Direction::Down),
        index: "node",
        values: vec![owner.into(), folder.into(), Value::Int(0), key, key, Value::Int(1), Value::Int(11)],
    };
    // Here the owner is read first, by its id.
    let link = [Value::Bytes(&MD5_OF_500), Value::Text("file 00500"), Value::Int(NOW.0), owner.into()];
    let own = Hot {
        what: "one's own link by digest and name".to_owned(),
        sql: listed_link_text(true),
        index: "md5",
        values: link.to_vec(),
    };
    for query in [of_node, own] {
        let lines = plan(database, &query).await.join("\n");
        assert!(lines.contains(&used(database, query.index)), "{}: {lines}", query.what);
        assert!(!lines.contains("SCAN") && !lines.contains("\"access_type\": \"ALL\""), "{lines}");
    }
    let under_way = Hot {
        what: "how many uploads are under way".to_owned(),
        sql: count_under_way_text().to_owned(),
        index: "under_way",
        values: vec![Value::Int(2), Value::Int(10)],
    };
    // Here, too, what is scanned is what the inner part gave.
    let lines = plan(database, &under_way).await.join("\n");
    assert!(lines.contains(&used(database, "under_way")), "{lines}");
    for query in hot(folder, owner) {
        let lines = plan(database, &query).await;
        let used = used(database, query.index);
        let first =
            lines.iter().find(|line| ["SEARCH", "SCAN", "\"key\": "].iter().any(|sign| line.contains(sign)));
        let first = first.map(String::as_str).unwrap_or_default();
        assert!(first.contains(&used), "{}: {lines:#?}", query.what);
        for sign in ["SCAN", "TEMP B-TREE", "\"access_type\": \"ALL\"", "filesort", "temporary_table"] {
            assert!(!lines.iter().any(|line| line.contains(sign)), "{}: {lines:#?}", query.what);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_queries_use_their_indexes_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    check(&Database::open(Settings::sqlite(folder.path().join("drive.db"))).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_queries_use_their_indexes_on_mariadb() {
    let server = tokio::task::spawn_blocking(|| MariaDb::shared().unwrap()).await.unwrap();
    let url = server.url(&server.database().unwrap());
    check(&Database::open(Settings::mysql([url])).await.unwrap()).await;
}
