//! Entries of the durable queue, applied once.

use drive_core::account::UserName;
use drive_core::content::Md5Digest;
use drive_core::queue::{BATCH_ENTRIES, Counter, Entry, Event, Outcome, UploadRecord};
use drive_core::tree::OnConflict;
use drive_core::{NodeId, Problem, ShareId};

use crate::kit::{
    Bed, DAY, NOW, Person, blob, by, bytes, entry_key, identity, later, name, registration, secret, system,
};

on_both! {
    a_batch_is_applied_once
    counters_add_up
    of_two_registrations_the_first_has_the_name
    uploads_are_recorded_or_refused_one_by_one
    what_was_accepted_blindly_is_kept
    reserved_room_is_given_back
    a_full_batch_is_one_transaction
}

fn entry(key: u8, event: Event) -> Entry {
    Entry { key: entry_key(key), at: NOW, event }
}

fn upload(owner: Person, text: &str, seed: u8) -> UploadRecord {
    UploadRecord {
        owner: owner.id,
        parent: owner.root,
        name: name(text),
        on_conflict: OnConflict::Fail,
        reserved: true,
        identity: identity(seed),
        md5: Md5Digest([seed; 16]),
        blob: blob(&format!("queued-{seed}-{text}")),
    }
}

async fn a_batch_is_applied_once(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "counted", 1).await.id;
    let batch = vec![
        entry(1, Event::Register(registration("new"))),
        entry(2, Event::RecordUpload(upload(person, "a", 5))),
        entry(3, Event::Count(Counter::NodeDownloads(node))),
        entry(3, Event::Count(Counter::NodeDownloads(node))),
    ];
    assert_eq!(bed.outcome(entry_key(1)).await, Ok(None));
    let outcomes = bed.apply(&batch, NOW).await.unwrap();
    assert_eq!(outcomes.len(), 2);
    let account = bed.account_by_name(&UserName::parse("new").unwrap()).await.unwrap().unwrap();
    assert_eq!(outcomes[&entry_key(1)], Outcome::Registered(account.id));
    let made = bed.child(person.id, person.root, &name("a")).await.unwrap().unwrap();
    assert_eq!(outcomes[&entry_key(2)], Outcome::Recorded(made.id));
    for _ in 0..2 {
        assert_eq!(bed.apply(&batch, later(5)).await.unwrap(), outcomes);
    }
    // Another batch with one of them in it.
    let again = [
        entry(2, Event::RecordUpload(upload(person, "b", 5))),
        entry(4, Event::RecordUpload(upload(person, "b", 5))),
    ];
    let more = bed.apply(&again, NOW).await.unwrap();
    assert_eq!(more[&entry_key(2)], outcomes[&entry_key(2)]);
    assert_eq!(bed.node(person.id, node).await.unwrap().downloads, 1);
    assert_eq!(bed.names(person, person.root).await, ["a", "b", "counted"]);
    assert_eq!(bed.outcome(entry_key(1)).await, Ok(Some(Outcome::Registered(account.id))));
    assert_eq!(bed.references(5).await, Some(2));
    assert_eq!(bed.apply(&[], NOW).await.unwrap().len(), 0);
    bed.is_well().await;
}

async fn counters_add_up(bed: Bed) {
    let person = bed.account("lilei").await;
    let node = bed.file(person, person.root, "a", 1).await.id;
    let mut shares = Vec::new();
    for _ in 0..3 {
        shares.push(bed.make_share(&bed.link(person, node), &secret(), &by(person)).await.unwrap().id);
    }
    let mut batch = Vec::new();
    for number in 0..60_u8 {
        let counter = match number % 4 {
            0 => Counter::ShareViews(shares[0]),
            1 => Counter::ShareViews(shares[usize::from(number / 20)]),
            2 => Counter::ShareDownloads(shares[1]),
            _ => Counter::NodeDownloads(node),
        };
        batch.push(entry(number, Event::Count(counter)));
    }
    batch.push(entry(100, Event::Count(Counter::ShareViews(ShareId::new(99_999).unwrap()))));
    batch.push(entry(101, Event::Count(Counter::NodeDownloads(NodeId::new(99_999).unwrap()))));
    assert_eq!(bed.apply(&batch, NOW).await.unwrap().len(), 0);
    let mut counts = Vec::new();
    for share in shares {
        let row = bed.share(person.id, share).await.unwrap().share;
        counts.push((row.views, row.downloads));
    }
    assert_eq!(counts, [(20, 0), (5, 15), (5, 0)]);
    assert_eq!(bed.node(person.id, node).await.unwrap().downloads, 15);
}

async fn of_two_registrations_the_first_has_the_name(bed: Bed) {
    bed.account("there").await;
    let batch: Vec<_> = ["There", "lilei", "LiLei", "wang"]
        .into_iter()
        .zip(1..)
        .map(|(text, key)| entry(key, Event::Register(registration(text))))
        .collect();
    let outcomes = bed.apply(&batch, NOW).await.unwrap();
    let refused = Outcome::Refused("user-name-taken".to_owned());
    assert_eq!((&outcomes[&entry_key(1)], &outcomes[&entry_key(3)]), (&refused, &refused));
    for key in [2, 4] {
        assert!(matches!(outcomes[&entry_key(key)], Outcome::Registered(_)), "{key}");
    }
    let first = bed.account_by_name(&UserName::parse("lilei").unwrap()).await.unwrap().unwrap();
    assert_eq!(first.user_name.as_str(), "lilei");
    bed.is_well().await;
}

async fn uploads_are_recorded_or_refused_one_by_one(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.set_quota(person.id, Some(bytes(100)), &system()).await.unwrap();
    let gone = bed.folder(person, person.root, "gone").await;
    bed.trash(person.id, gone, &by(person)).await.unwrap();
    let stranger = Person { id: drive_core::AccountId::new(99_999).unwrap(), ..person };
    let batch = vec![
        entry(1, Event::RecordUpload(upload(person, "a", 60))),
        entry(2, Event::RecordUpload(upload(person, "a", 30))),
        entry(3, Event::RecordUpload(upload(person, "b", 50))),
        entry(4, Event::RecordUpload(UploadRecord { parent: gone, ..upload(person, "c", 40) })),
        entry(5, Event::RecordUpload(upload(stranger, "d", 1))),
        entry(
            6,
            Event::RecordUpload(UploadRecord { on_conflict: OnConflict::Replace, ..upload(person, "c", 0) }),
        ),
    ];
    let outcomes = bed.apply(&batch, NOW).await.unwrap();
    let refused = |code: &str| Outcome::Refused(code.to_owned());
    assert_eq!(outcomes[&entry_key(2)], refused("name-taken"));
    assert_eq!(outcomes[&entry_key(3)], refused("quota-exceeded"));
    assert_eq!(outcomes[&entry_key(5)], refused("account-not-found"));
    for key in [1, 4, 6] {
        assert!(matches!(outcomes[&entry_key(key)], Outcome::Recorded(_)), "{key}");
    }
    assert_eq!(bed.names(person, person.root).await, ["a", "c"]);
    // What was refused left nothing but its blob, to be deleted.
    for seed in [30, 50, 1] {
        assert_eq!(bed.references(seed).await, None, "{seed}");
    }
    let dropped = bed.due_blobs(later(DAY), 10).await.unwrap();
    let mut keys: Vec<_> = dropped.iter().map(|dropped| dropped.blob.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["queued-1-d", "queued-30-a", "queued-50-b"]);
    bed.is_well().await;
}

async fn what_was_accepted_blindly_is_kept(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.set_quota(person.id, Some(bytes(10)), &system()).await.unwrap();
    bed.file(person, person.root, "a", 10).await;
    let record = UploadRecord { reserved: false, ..upload(person, "a", 200) };
    let outcomes = bed.apply(&[entry(1, Event::RecordUpload(record))], NOW).await.unwrap();
    assert!(matches!(outcomes[&entry_key(1)], Outcome::Recorded(_)));
    assert_eq!(bed.names(person, person.root).await, ["a", "a (2)"]);
    assert_eq!(bed.usage(person.id).await.unwrap().used, bytes(210));
    bed.is_well().await;
}

async fn reserved_room_is_given_back(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.set_quota(person.id, Some(bytes(100)), &system()).await.unwrap();
    let reserve = async |key: u8, size: u64| bed.reserve(person.id, entry_key(key), bytes(size), NOW).await;
    reserve(1, 60).await.unwrap();
    assert_eq!(reserve(2, 41).await, Err(Problem::QuotaExceeded));
    reserve(2, 40).await.unwrap();
    bed.is_well().await;
    // One is applied, one refused, one given up, one forgotten.
    let outcomes = bed.apply(&[entry(1, Event::RecordUpload(upload(person, "a", 60)))], NOW).await.unwrap();
    assert!(matches!(outcomes[&entry_key(1)], Outcome::Recorded(_)));
    let reserved = async || bed.usage(person.id).await.unwrap().reserved.get();
    assert_eq!(reserved().await, 40);
    let outcomes = bed.apply(&[entry(2, Event::RecordUpload(upload(person, "a", 40)))], NOW).await.unwrap();
    assert_eq!(outcomes[&entry_key(2)], Outcome::Refused("name-taken".to_owned()));
    assert_eq!(reserved().await, 0);
    reserve(3, 10).await.unwrap();
    bed.unreserve(entry_key(3)).await.unwrap();
    bed.unreserve(entry_key(3)).await.unwrap();
    assert_eq!(reserved().await, 0);
    reserve(4, 10).await.unwrap();
    assert_eq!(bed.sweep_reservations(later(7 * DAY - 1), 10).await, Ok(0));
    assert_eq!(bed.sweep_reservations(later(7 * DAY), 10).await, Ok(1));
    assert_eq!(reserved().await, 0);
    bed.is_well().await;
}

async fn a_full_batch_is_one_transaction(bed: Bed) {
    let person = bed.account("lilei").await;
    let folder = bed.folder(person, person.root, "folder").await;
    // All of one kind, and mixed; each needs more ids than a block has.
    for (round, registers) in [(0, 1), (1, 500), (2, 2)] {
        let entry = |number: usize| {
            let key = drive_core::queue::EntryKey((round * 1_000 + number as u128).to_be_bytes());
            let event = if number.is_multiple_of(registers) {
                Event::Register(registration(&format!("user{round}-{number}")))
            } else {
                let parent = if number.is_multiple_of(3) { folder } else { person.root };
                let record = upload(person, &format!("file{round}-{number}"), (number % 7) as u8);
                Event::RecordUpload(UploadRecord { parent, ..record })
            };
            Entry { key, at: NOW, event }
        };
        let batch: Vec<Entry> = (0..BATCH_ENTRIES).map(entry).collect();
        let outcomes = bed.apply(&batch, NOW).await.unwrap();
        assert_eq!(outcomes.len(), BATCH_ENTRIES);
        assert!(!outcomes.values().any(|outcome| matches!(outcome, Outcome::Refused(_))));
    }
    let in_root = bed.count_root_files(person.id).await.unwrap();
    assert_eq!(bed.inside(folder).await, format!("0|{}", 499 + 250 - in_root));
    assert_eq!(bed.list_accounts(None, 1000).await.unwrap().rows.len(), 1 + 500 + 1 + 250);
    bed.is_well().await;
}
