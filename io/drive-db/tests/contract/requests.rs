//! Requests that come again.

use drive_core::Problem;
use drive_core::audit::{Actor, AuditEvent, AuditRecord};
use drive_core::idempotency::{Fingerprint, IdempotencyKey};
use drive_core::session::Door;
use drive_core::tree::OnConflict;
use drive_db::{Made, RequestTurn};

use crate::kit::{Bed, DAY, NOW, by, later, name};

on_both! {
    a_request_that_comes_twice_is_done_once
    a_request_that_died_is_done_by_the_next
    a_refused_request_may_be_tried_again
    the_audit_log_is_read_from_its_end
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).unwrap()
}

const THIS: Fingerprint = Fingerprint([1; 32]);
const OTHER: Fingerprint = Fingerprint([2; 32]);

async fn a_request_that_comes_twice_is_done_once(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let begin = async |fingerprint| bed.begin_request(person.id, &key("k'1"), fingerprint, NOW).await;
    let RequestTurn::Do(begun) = begin(THIS).await.unwrap() else { panic!("it is new") };
    assert_eq!(begin(THIS).await, Err(Problem::IdempotencyInProgress));
    assert_eq!(begin(OTHER).await, Err(Problem::IdempotencyKeyReused));
    // Keys are each account's own.
    let theirs = bed.begin_request(other.id, &key("k'1"), OTHER, NOW).await;
    assert!(matches!(theirs, Ok(RequestTurn::Do(_))));
    let cause = by(person).of_request(Some(begun));
    let made =
        bed.create_folder(person.id, person.root, &name("a"), OnConflict::KeepBoth, &cause).await.unwrap();
    assert_eq!(begin(THIS).await, Ok(RequestTurn::Done(Made::Node(made.id))));
    // The same request again, by somebody who did not ask first, does nothing.
    let again = bed.create_folder(person.id, person.root, &name("a"), OnConflict::KeepBoth, &cause).await;
    assert_eq!(again.err(), Some(Problem::IdempotencyInProgress));
    assert_eq!(bed.names(person, person.root).await, ["a"]);
    let day_after = bed.begin_request(person.id, &key("k'1"), OTHER, later(DAY)).await;
    assert!(matches!(day_after, Ok(RequestTurn::Do(_))));
    bed.is_well().await;
}

async fn a_request_that_died_is_done_by_the_next(bed: Bed) {
    let person = bed.account("lilei").await;
    let begin = async |now| bed.begin_request(person.id, &key("k"), THIS, now).await;
    let RequestTurn::Do(first) = begin(NOW).await.unwrap() else { panic!("it is new") };
    let RequestTurn::Do(second) = begin(later(120_000)).await.unwrap() else { panic!("the first died") };
    // It only seemed dead: the second wins.
    let make = async |begun, text: &str| {
        let cause = by(person).of_request(Some(begun));
        bed.create_folder(person.id, person.root, &name(text), OnConflict::Fail, &cause).await.map(drop)
    };
    assert_eq!(make(first, "first").await, Err(Problem::IdempotencyInProgress));
    assert_eq!(make(second, "second").await, Ok(()));
    assert_eq!(bed.names(person, person.root).await, ["second"]);
}

async fn a_refused_request_may_be_tried_again(bed: Bed) {
    let person = bed.account("lilei").await;
    let begin = async || bed.begin_request(person.id, &key("k"), THIS, NOW).await;
    let RequestTurn::Do(begun) = begin().await.unwrap() else { panic!("it is new") };
    bed.forget_request(&begun).await.unwrap();
    let RequestTurn::Do(begun) = begin().await.unwrap() else { panic!("it is forgotten") };
    let cause = by(person).of_request(Some(begun.clone()));
    bed.empty_trash(person.id, &cause).await.unwrap();
    bed.forget_request(&begun).await.unwrap();
    assert_eq!(begin().await, Ok(RequestTurn::Done(Made::Done)), "what is answered is not forgotten");
}

async fn the_audit_log_is_read_from_its_end(bed: Bed) {
    let person = bed.account("lilei").await;
    for number in 0..5 {
        let record = AuditRecord {
            at: later(number),
            actor: Actor::Visitor,
            address: Some([192, 0, 2, number as u8].into()),
            event: AuditEvent::SignInFailed { account: Some(person.id), door: Door::Dialect },
        };
        bed.write_audit(&record).await.unwrap();
    }
    let (mut times, mut after) = (Vec::new(), None);
    loop {
        let page = bed.list_audit(after.as_ref(), 2).await.unwrap();
        times.extend(page.rows.iter().map(|row| row.record.at.0 - NOW.0));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(times, [4, 3, 2, 1, 0, 0], "the account was made first");
    assert_eq!(bed.sweep_audit(later(2), 2).await, Ok(2));
    assert_eq!(bed.sweep_audit(later(2), 100).await, Ok(2));
    assert_eq!(bed.list_audit(None, 10).await.unwrap().rows.len(), 2);
}
