//! What is over is removed in parts.

use drive_core::account::Verifiers;
use drive_core::idempotency::{Fingerprint, IdempotencyKey};
use drive_core::queue::{Counter, Entry, Event};
use drive_core::session::{Door, TokenDigest};
use drive_db::{NewShare, ShareChange};

use crate::kit::{Bed, DAY, NOW, at, by, entry_key, hash, later, secret};

on_both! {
    sessions_end_by_time
    keys_and_answers_are_forgotten_in_parts
    links_that_ended_leave_the_lists_and_come_back_when_they_are_prolonged
}

async fn sessions_end_by_time(bed: Bed) {
    let person = bed.account("lilei").await;
    let seen = Verifiers { text: Some(hash("first")), dialect: None };
    for (number, door) in [(1, Door::V1), (2, Door::V1), (3, Door::Dialect)] {
        bed.sign_in(person.id, &seen, TokenDigest([number; 32]), door, None, &by(person)).await.unwrap();
    }
    let first = bed.session_by_token(TokenDigest([1; 32])).await.unwrap().unwrap().0;
    assert_eq!(bed.sweep_sessions(later(DAY - 1), 100).await, Ok(0));
    assert_eq!(bed.sweep_sessions(later(DAY), 100).await, Ok(1), "the old dialect's");
    bed.touch_session(first.id, later(6 * DAY)).await.unwrap();
    assert_eq!(bed.sweep_sessions(later(7 * DAY), 100).await, Ok(1), "nobody used it");
    bed.touch_session(first.id, later(29 * DAY)).await.unwrap();
    assert_eq!(bed.sweep_sessions(later(30 * DAY - 1), 100).await, Ok(0));
    assert_eq!(bed.sweep_sessions(later(30 * DAY), 100).await, Ok(1), "used or not");
    assert_eq!(bed.sessions(person.id).await.unwrap(), []);
}

async fn keys_and_answers_are_forgotten_in_parts(bed: Bed) {
    let person = bed.account("lilei").await;
    for number in 0..5_u8 {
        let event = Event::Count(Counter::NodeDownloads(person.root));
        let entry = Entry { key: entry_key(number), at: NOW, event };
        bed.apply(&[entry], later(number.into())).await.unwrap();
        let key = IdempotencyKey::new(&number.to_string()).unwrap();
        bed.begin_request(person.id, &key, Fingerprint([0; 32]), later(number.into())).await.unwrap();
    }
    assert_eq!(bed.sweep_entry_keys(later(7 * DAY - 1), 100).await, Ok(0));
    assert_eq!(bed.sweep_entry_keys(later(7 * DAY + 3), 3).await, Ok(3));
    assert_eq!(bed.sweep_entry_keys(later(7 * DAY + 3), 3).await, Ok(1));
    assert_eq!(bed.sweep_entry_keys(later(7 * DAY + 3), 3).await, Ok(0));
    assert_eq!(bed.sweep_requests(later(DAY - 1), 100).await, Ok(0));
    assert_eq!(bed.sweep_requests(later(DAY + 4), 2).await, Ok(2));
    assert_eq!(bed.sweep_requests(later(DAY + 4), 100).await, Ok(3));
    // What is forgotten is new again.
    let event = Event::Count(Counter::NodeDownloads(person.root));
    bed.apply(&[Entry { key: entry_key(0), at: NOW, event }], at(person, NOW.0).at).await.unwrap();
    assert_eq!(bed.node(person.id, person.root).await.unwrap().downloads, 6);
}

async fn links_that_ended_leave_the_lists_and_come_back_when_they_are_prolonged(bed: Bed) {
    let person = bed.account("lilei").await;
    let folder = bed.folder(person, person.root, "folder").await;
    let mut links = Vec::new();
    for end in [Some(later(10)), Some(later(10)), Some(later(20)), None] {
        let new = NewShare { listed: true, expires_at: end, ..bed.link(person, folder) };
        links.push(bed.make_share(&new, &secret(), &by(person)).await.unwrap().id);
    }
    let read = async || bed.count_listed(later(10)).await.map(|count| (count.all(), count.read));
    assert_eq!(bed.sweep_listed(later(9), 100).await, Ok(0));
    assert_eq!(read().await, Ok((2, 4)));
    assert_eq!(bed.sweep_listed(later(10), 1).await, Ok(1));
    assert_eq!(bed.sweep_listed(later(10), 100).await, Ok(1));
    assert_eq!(bed.sweep_listed(later(10), 100).await, Ok(0));
    assert_eq!(read().await, Ok((2, 2)));
    bed.is_well().await;
    let change = ShareChange { expires_at: Some(Some(later(30))), ..ShareChange::default() };
    bed.change_share(person.id, links[0], &change, &secret(), &by(person)).await.unwrap();
    assert_eq!(read().await, Ok((3, 3)));
    bed.is_well().await;
}
