//! Many at once. Tasks run on several connections (and, on SQLite, wait for one writer); afterwards the checker must
//! find nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use drive_core::content::Md5Digest;
use drive_core::node::NodeName;
use drive_core::queue::{Counter, Entry, Event, UploadRecord};
use drive_core::session::{Door, SESSIONS_MAX, TokenDigest};
use drive_core::tree::OnConflict;
use drive_core::{Problem, UnixMillis};
use drive_db::{Database, LinkedFile, NewUpload, StoredFile};
use tokio::task::JoinSet;

use crate::kit::{
    Bed, HOUR, NOW, blob, by, bytes, entry_key, identity, later, name, registration, secret, system, visitor,
};

on_both! {
    a_hundred_saves_and_deletes_of_one_content_lose_no_reference
    collecting_and_linking_never_leave_a_node_without_bytes
    of_many_registrations_of_one_name_one_is_made
    a_limit_of_downloads_is_never_passed
    a_visitor_counts_once_however_many_requests
    a_quota_is_never_passed
    one_name_is_had_by_one_node
    folders_never_end_in_a_circle
    a_batch_is_applied_once_by_two_appliers
    sign_ins_keep_to_their_limit
    one_request_of_many_with_a_key_is_done
}

/// Runs so many tasks at once: their answers.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    tasks: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let mut set = JoinSet::new();
    for task in tasks {
        set.spawn(task);
    }
    set.join_all().await
}

async fn a_hundred_saves_and_deletes_of_one_content_lose_no_reference(bed: Bed) {
    let mut people = Vec::new();
    for number in 0..10 {
        people.push(bed.account(&format!("user{number}")).await);
    }
    let task = |number: u8| {
        let (db, person) = (Arc::clone(&bed.db), people[usize::from(number % 10)]);
        async move {
            let file = StoredFile {
                owner: person.id,
                parent: person.root,
                name: name(&format!("file {number}")),
                on_conflict: OnConflict::Fail,
                // Two contents, so that copies and purges of both cross.
                identity: identity(40 + number % 2),
                md5: Md5Digest([1; 16]),
                blob: blob(&format!("blob {number}").replace(' ', "-")),
            };
            let node = db.store_file(&file, &by(person)).await.unwrap();
            let copy = name(&format!("copy {number}"));
            db.copy(person.id, node.id, person.root, &copy, OnConflict::Fail, &by(person)).await.unwrap();
            let entry = db.trash(person.id, node.id, &by(person)).await.unwrap();
            // Every other copy stays.
            if number % 4 < 2 {
                assert!(db.purge_part(person.id, entry, &by(person)).await.unwrap().last);
            }
        }
    };
    at_once((0..100).map(task)).await;
    bed.is_well().await;
    let references = bed.references(40).await.unwrap() + bed.references(41).await.unwrap();
    assert_eq!(references, 150);
    // All of a hundred blobs but the two that are used are dropped.
    assert_eq!(bed.due_blobs(later(2 * HOUR), 1000).await.unwrap().len(), 98);
}

async fn collecting_and_linking_never_leave_a_node_without_bytes(bed: Bed) {
    let person = bed.account("lilei").await;
    for round in 0..10_u8 {
        let node = bed.file(person, person.root, &format!("first {round}"), round).await;
        let content = node.content.unwrap();
        let entry = bed.trash(person.id, node.id, &by(person)).await.unwrap();
        bed.purge_part(person.id, entry, &by(person)).await.unwrap();
        let collect = {
            let db = Arc::clone(&bed.db);
            tokio::spawn(async move { db.collect_contents(later(HOUR), 100).await.unwrap() })
        };
        let link = |number: u8| {
            let db = Arc::clone(&bed.db);
            let file = LinkedFile {
                owner: person.id,
                parent: person.root,
                name: NodeName::new(&format!("linked {round} {number}")).unwrap(),
                on_conflict: OnConflict::Fail,
                content,
            };
            async move { db.link_file(&file, &by(person)).await.map(drop) }
        };
        let linked = at_once((0..4).map(link)).await;
        let collected = collect.await.unwrap();
        let done = linked.iter().filter(|outcome| outcome.is_ok()).count() as u64;
        for outcome in &linked {
            assert!(matches!(outcome, Ok(()) | Err(Problem::ContentUnknown)), "{outcome:?}");
        }
        // Collected before anybody linked it, or linked by all: nothing between, as each sees the row or does not.
        assert_eq!(bed.references(round).await, (collected == 0).then_some(done), "{linked:?}");
    }
    bed.is_well().await;
}

async fn of_many_registrations_of_one_name_one_is_made(bed: Bed) {
    let task = |number: usize| {
        let (db, text) = (Arc::clone(&bed.db), ["LiLei", "lilei", "ＬＩＬＥＩ"][number % 3]);
        async move { db.register(&registration(text), &system()).await }
    };
    let outcomes = at_once((0..30).map(task)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Problem::UserNameTaken))),
        "{outcomes:?}"
    );
    bed.is_well().await;
}

async fn a_limit_of_downloads_is_never_passed(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "a", 1).await.id;
    let mut new = bed.link(person, node);
    new.downloads_left = Some(10);
    let share = bed.make_share(&new, &secret(), &by(person)).await.unwrap().id;
    let task = |number: u8| {
        let db = Arc::clone(&bed.db);
        async move { db.count_download(share, &visitor(number), NOW).await }
    };
    let outcomes = at_once((0..50).map(task)).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Ok(true)).count(), 10);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(Problem::ShareUsedUp)).count(), 40);
    let row = bed.share(person.id, share).await.unwrap().share;
    assert_eq!((row.downloads_left, row.downloads), (Some(0), 10));
}

async fn a_visitor_counts_once_however_many_requests(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "a", 1).await.id;
    let share = bed.make_share(&bed.link(person, node), &secret(), &by(person)).await.unwrap().id;
    // In the database at once, and through the queue, by the same key.
    let task = |number: u8| {
        let db = Arc::clone(&bed.db);
        async move {
            if number.is_multiple_of(2) {
                db.count_download(share, &visitor(1), NOW).await.map(drop)
            } else {
                let key = drive_core::queue::EntryKey::of_download(share, &visitor(1), NOW);
                let event = Event::Count(Counter::ShareDownloads(share));
                db.apply(&[Entry { key, at: NOW, event }], NOW).await.map(drop)
            }
        }
    };
    for outcome in at_once((0..20).map(task)).await {
        outcome.unwrap();
    }
    assert_eq!(bed.share(person.id, share).await.unwrap().share.downloads, 1);
}

async fn a_quota_is_never_passed(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.set_quota(person.id, Some(bytes(100)), &system()).await.unwrap();
    let task = |number: u8| {
        let db = Arc::clone(&bed.db);
        async move {
            let text = name(&format!("file {number}"));
            if number.is_multiple_of(2) {
                let new = NewUpload {
                    owner: person.id,
                    parent: person.root,
                    name: text,
                    on_conflict: OnConflict::Fail,
                    length: Some(bytes(10)),
                    claimed: None,
                };
                db.begin_upload(&new, &by(person)).await.map(drop)
            } else {
                let file = StoredFile {
                    owner: person.id,
                    parent: person.root,
                    name: text,
                    on_conflict: OnConflict::Fail,
                    identity: identity(10),
                    md5: Md5Digest([1; 16]),
                    blob: blob(&format!("blob{number}")),
                };
                db.store_file(&file, &by(person)).await.map(drop)
            }
        }
    };
    let outcomes = at_once((0..40).map(task)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    let usage = bed.usage(person.id).await.unwrap();
    assert_eq!(usage.used.get() + usage.reserved.get(), 100);
    bed.is_well().await;
}

async fn one_name_is_had_by_one_node(bed: Bed) {
    let person = bed.account("lilei").await;
    let task = |number: u8| {
        let db = Arc::clone(&bed.db);
        let on_conflict = if number.is_multiple_of(2) { OnConflict::Fail } else { OnConflict::KeepBoth };
        async move {
            let made = db.create_folder(person.id, person.root, &name("a"), on_conflict, &by(person)).await;
            made.map(|node| node.name.as_str().to_owned())
        }
    };
    let outcomes = at_once((0..20).map(task)).await;
    let names: Vec<_> = outcomes.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    assert!(names.len() >= 10);
    bed.is_well().await;
}

async fn folders_never_end_in_a_circle(bed: Bed) {
    let person = bed.account("lilei").await;
    let mut folders = Vec::new();
    for number in 0..4 {
        folders.push(bed.folder(person, person.root, &format!("f{number}")).await);
    }
    let task = |number: usize| {
        let db = Arc::clone(&bed.db);
        let (from, to) = (folders[number % 4], folders[(number + 1 + number / 4 % 3) % 4]);
        async move { db.relocate(person.id, from, Some(to), None, OnConflict::Fail, &by(person)).await.map(drop) }
    };
    let outcomes = at_once((0..40).map(task)).await;
    for outcome in &outcomes {
        assert!(matches!(outcome, Ok(()) | Err(Problem::IntoItself)), "{outcome:?}");
    }
    assert!(outcomes.contains(&Err(Problem::IntoItself)));
    bed.is_well().await;
}

async fn a_batch_is_applied_once_by_two_appliers(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "counted", 1).await.id;
    let batch: Arc<Vec<Entry>> = Arc::new(
        (0..40_u8)
            .map(|number| {
                let event = match number % 4 {
                    0 => Event::Register(registration(&format!("user{number}"))),
                    1 => Event::RecordUpload(UploadRecord {
                        owner: person.id,
                        parent: person.root,
                        name: name(&format!("file {number}")),
                        on_conflict: OnConflict::KeepBoth,
                        reserved: true,
                        identity: identity(7),
                        md5: Md5Digest([7; 16]),
                        blob: blob(&format!("queued{number}")),
                    }),
                    _ => Event::Count(Counter::NodeDownloads(node)),
                };
                Entry { key: entry_key(number), at: NOW, event }
            })
            .collect(),
    );
    let task = |number: usize| {
        let (db, batch): (Arc<Database>, _) = (Arc::clone(&bed.db), Arc::clone(&batch));
        // The same entries in other batches, as after leases that ran out.
        async move { db.apply(&batch[number..], UnixMillis(NOW.0 + number as i64)).await.unwrap().len() }
    };
    at_once((0..8).map(task)).await;
    assert_eq!(bed.node(person.id, node).await.unwrap().downloads, 20);
    assert_eq!(bed.references(7).await, Some(10));
    assert_eq!(bed.list_accounts(None, 1000).await.unwrap().rows.len(), 11);
    bed.is_well().await;
}

async fn sign_ins_keep_to_their_limit(bed: Bed) {
    let person = bed.account("lilei").await;
    let seen = bed.db.account(person.id).await.unwrap().verifiers;
    let task = |number: u8| {
        let (db, seen) = (Arc::clone(&bed.db), seen.clone());
        async move { db.sign_in(person.id, &seen, TokenDigest([number; 32]), Door::V1, None, &by(person)).await }
    };
    for outcome in at_once((0..SESSIONS_MAX as u8 + 20).map(task)).await {
        outcome.unwrap();
    }
    assert_eq!(bed.sessions(person.id).await.unwrap().len(), SESSIONS_MAX);
}

async fn one_request_of_many_with_a_key_is_done(bed: Bed) {
    use drive_core::idempotency::{Fingerprint, IdempotencyKey};
    use drive_db::RequestTurn;
    let person = bed.account("lilei").await;
    let task = |_: u8| {
        let db = Arc::clone(&bed.db);
        async move {
            let key = IdempotencyKey::new("key").unwrap();
            match db.begin_request(person.id, &key, Fingerprint([1; 32]), NOW).await {
                Ok(RequestTurn::Do(begun)) => {
                    let cause = by(person).of_request(Some(begun));
                    let keep = OnConflict::KeepBoth;
                    db.create_folder(person.id, person.root, &name("a"), keep, &cause).await.unwrap();
                    1
                }
                Ok(RequestTurn::Done(_)) | Err(Problem::IdempotencyInProgress) => 0,
                Err(problem) => panic!("{problem:?}"),
            }
        }
    };
    let done: i32 = at_once((0..20).map(task)).await.into_iter().sum();
    assert_eq!((done, bed.names(person, person.root).await.len()), (1, 1));
}
