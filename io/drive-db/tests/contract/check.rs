//! The checker: what it finds, and that it finds nothing.

use crate::kit::{Bed, by, secret};

on_both! {
    every_kind_of_damage_is_found
}

/// Each statement breaks one promise; the checker says which.
const DAMAGE: &[(&str, &str)] = &[
    ("UPDATE contents SET refs = refs + 1 WHERE refs > 0", "references of a content"),
    (
        "UPDATE contents SET unused_since = 5 WHERE refs > 0",
        "a content that is used and noted as unused, or the other way round",
    ),
    ("UPDATE accounts SET used = used + 1", "bytes of an account"),
    ("UPDATE accounts SET nodes = nodes + 1", "nodes of an account"),
    ("UPDATE accounts SET reserved = reserved + 1", "room that an account has reserved"),
    ("UPDATE nodes SET folders = folders + 1 WHERE name = 'a'", "folders in a folder"),
    ("UPDATE nodes SET files = files + 1 WHERE name = 'a'", "files in a folder"),
    (
        "UPDATE nodes SET parent_id = (SELECT id FROM (SELECT id FROM nodes WHERE name = 'file') AS f) WHERE name = 'b'",
        "a node in what is no folder, or in a folder of somebody else",
    ),
    (
        "UPDATE nodes SET trash_id = (SELECT id FROM trash) WHERE name = 'b'",
        "a node that is not in the trash with its folder",
    ),
    ("UPDATE nodes SET parent_id = NULL WHERE name = 'b'", "a node in no folder that is no root"),
    ("UPDATE accounts SET root_id = 99999", "an account without its root"),
    (
        "UPDATE nodes SET trash_id = 99999 WHERE name = 'gone'",
        "a node in an entry of the trash that is not there",
    ),
    ("UPDATE nodes SET trash_id = NULL WHERE name = 'gone'", "an entry of the trash without its node"),
    ("UPDATE nodes SET size = size + 1 WHERE name = 'file'", "the size of a file"),
    (
        "UPDATE nodes SET content_id = NULL WHERE name = 'file'",
        "a file without content, or a folder with one",
    ),
    ("UPDATE shares SET public = 1", "a link in public lists, or not"),
    ("UPDATE shares SET md5 = X'00000000000000000000000000000000'", "the digest that a link is found by"),
    ("UPDATE shares SET owner_id = 99999", "a link to a node of somebody else"),
    (
        "UPDATE nodes SET parent_id = (SELECT id FROM (SELECT id FROM nodes WHERE name = 'b') AS b) WHERE name = 'a'",
        "a folder in a circle",
    ),
    ("UPDATE nodes SET name_key = 'other' WHERE name = 'a'", "the search key of a name"),
    ("UPDATE accounts SET found_by = 'other'", "what an account is found by"),
    (
        "INSERT INTO dropped_blobs (id, blob_key, delete_at) SELECT 99999, blob_key, 0 FROM contents LIMIT 1",
        "a blob that is in use and dropped",
    ),
    ("UPDATE uploads SET done_bytes = 99", "an upload that has come further than it reserved"),
];

async fn every_kind_of_damage_is_found(bed: Bed) {
    let person = bed.account("lilei").await;
    let a = bed.folder(person, person.root, "a").await;
    bed.folder(person, a, "b").await;
    let file = bed.file(person, a, "file", 5).await.id;
    let gone = bed.folder(person, a, "gone").await;
    bed.trash(person.id, gone, &by(person)).await.unwrap();
    bed.make_share(&bed.link(person, file), &secret(), &by(person)).await.unwrap();
    let upload = drive_db::NewUpload {
        owner: person.id,
        parent: a,
        name: crate::kit::name("u"),
        on_conflict: Default::default(),
        length: Some(crate::kit::bytes(7)),
        claimed: None,
    };
    bed.begin_upload(&upload, &by(person)).await.unwrap();
    bed.is_well().await;
    for (damage, what) in DAMAGE {
        let tables = ["contents", "accounts", "nodes", "shares", "uploads"];
        for table in tables {
            bed.by_hand(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
        }
        bed.by_hand(damage).await;
        let found = bed.check().await.unwrap();
        assert!(found.iter().any(|difference| difference.what == *what), "{damage}: {found:?}");
        bed.by_hand("DELETE FROM dropped_blobs").await;
        for table in tables {
            bed.by_hand(&format!("DELETE FROM {table}")).await;
            bed.by_hand(&format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
            bed.by_hand(&format!("DROP TABLE kept_{table}")).await;
        }
        bed.is_well().await;
    }
}
