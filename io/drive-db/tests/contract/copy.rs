//! A copy of all of a database: equal, well, of one moment, and nothing when it can't be.

use drive_core::tree::OnConflict;
use drive_db::{CopyError, Database, OpenError, Settings};

use crate::kit::{Bed, by, registration, system};

on_both! {
    a_copy_has_every_row_and_works
    a_copy_into_a_database_with_accounts_is_refused
    a_copy_that_fails_leaves_nothing_and_is_made_again
    what_is_open_as_it_is_is_not_made_and_not_changed
}

/// Rows of every table, as a copy tells them.
const TABLES: &[&str] =
    &["accounts", "sessions", "contents", "nodes", "trash", "shares", "uploads", "audit", "id_blocks"];

async fn a_copy_has_every_row_and_works(bed: Bed) {
    let person = bed.account("李雷").await;
    let old = bed.folder(person, person.root, "old").await;
    for number in 0..1_100 {
        bed.file(person, old, &format!("{number}.txt"), u8::try_from(number % 7).unwrap()).await;
    }
    // More of one table than is read at once, and a folder in one that is younger, which is so read later.
    let young = bed.folder(person, person.root, "young").await;
    bed.relocate(person.id, old, Some(young), None, OnConflict::Fail, &by(person)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    let copy = Database::open(Settings::sqlite(&file)).await.unwrap();
    let mut last = None;
    let copied = bed.copy_to(&copy, |rows| last = Some(rows)).await.unwrap();
    assert_eq!(copied.last().copied(), last);
    for table in TABLES {
        let there = bed.look(&format!("SELECT COUNT(*) FROM {table}")).await;
        let told = copied.iter().find(|copied| copied.table == *table).unwrap();
        assert_eq!(vec![told.rows.to_string()], there, "{table}");
    }
    assert_eq!(copy.check().await.unwrap(), []);
    assert_eq!(copy.usage(person.id).await.unwrap(), bed.usage(person.id).await.unwrap());
    let mut lines = copy.blob_lines(None).await.unwrap();
    assert_eq!(lines.len(), 7);
    let last = lines.pop().unwrap();
    assert_eq!(copy.blob_lines(Some(last.id)).await.unwrap(), []);
    // New ids are behind all that are there.
    copy.register(&registration("韩梅梅"), &system()).await.unwrap();
    // And back, into a database of the first engine.
    let back = bed.another().await;
    copy.copy_to(&back, |_| {}).await.unwrap();
    assert_eq!(back.check().await.unwrap(), []);
    assert_eq!(back.usage(person.id).await.unwrap(), bed.usage(person.id).await.unwrap());
    copy.settle().await.unwrap();
    let alone = folder.path().join("alone.db");
    std::fs::copy(&file, &alone).unwrap();
    let alone = Database::open_as_it_is(Settings::sqlite(alone)).await.unwrap();
    assert_eq!(alone.usage(person.id).await.unwrap(), bed.usage(person.id).await.unwrap());
}

async fn a_copy_into_a_database_with_accounts_is_refused(bed: Bed) {
    bed.account("lilei").await;
    let folder = tempfile::tempdir().unwrap();
    let other = Database::open(Settings::sqlite(folder.path().join("other.db"))).await.unwrap();
    other.register(&registration("other"), &system()).await.unwrap();
    let refused = bed.copy_to(&other, |_| {}).await;
    assert!(matches!(refused, Err(CopyError::NotEmpty(1))), "{refused:?}");
    let into = other.copy_to(&bed, |_| {}).await;
    assert!(matches!(into, Err(CopyError::NotEmpty(1))), "{into:?}");
    // Both go on.
    let person = bed.account("hanmeimei").await;
    bed.folder(person, person.root, "folder").await;
    bed.is_well().await;
}

async fn a_copy_that_fails_leaves_nothing_and_is_made_again(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.folder(person, person.root, "a").await;
    let folder = tempfile::tempdir().unwrap();
    let other = Database::open(Settings::sqlite(folder.path().join("other.db"))).await.unwrap();
    // A row that refers to none: found at the end, when all are there.
    bed.by_hand("UPDATE nodes SET parent_id = 99999 WHERE name = 'a'").await;
    let failed = bed.copy_to(&other, |_| {}).await;
    assert!(matches!(&failed, Err(CopyError::GivenUp(text)) if text.contains("FOREIGN KEY")), "{failed:?}");
    let root = person.root.get();
    bed.by_hand(&format!("UPDATE nodes SET parent_id = {root} WHERE name = 'a'")).await;
    bed.copy_to(&other, |_| {}).await.unwrap();
    assert_eq!(other.check().await.unwrap(), []);
    assert_eq!(other.usage(person.id).await.unwrap(), bed.usage(person.id).await.unwrap());
}

async fn what_is_open_as_it_is_is_not_made_and_not_changed(bed: Bed) {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.db");
    let opened = Database::open_as_it_is(Settings::sqlite(&missing)).await;
    assert!(matches!(opened, Err(OpenError::Away(_))), "{opened:?}");
    assert!(!missing.exists());
    Database::open_as_it_is(bed.settings.clone()).await.unwrap().ping().await.unwrap();
    bed.by_hand("DELETE FROM schema_steps WHERE step > 10").await;
    let old = Database::open_as_it_is(bed.settings.clone()).await;
    assert!(matches!(old, Err(OpenError::TooOld { found: 10, .. })), "{old:?}");
    assert_eq!(bed.look("SELECT MAX(step) FROM schema_steps").await, ["10"]);
}
