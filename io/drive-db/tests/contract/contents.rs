//! Contents: stored once, counted, collected late.

use drive_core::node::{FileContent, NodeName};
use drive_core::tree::OnConflict;
use drive_core::{ContentId, Problem};
use drive_db::LinkedFile;

use crate::kit::{Bed, HOUR, NOW, Person, blob, by, identity, later, name};

on_both! {
    equal_bytes_are_stored_once
    what_is_ones_own_is_linked
    unused_contents_are_collected_after_their_grace
    a_content_that_is_used_again_stays
    dropped_blobs_are_due_and_forgotten
}

async fn equal_bytes_are_stored_once(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let first = bed.file(person, person.root, "a", 5).await;
    let second = bed.file(other, other.root, "b", 5).await;
    assert_eq!(first.content, second.content);
    assert_eq!(bed.references(5).await, Some(2));
    let content = bed.content_by_identity(&identity(5)).await.unwrap().unwrap();
    assert_eq!(bed.content(content.id).await.unwrap().as_ref(), Some(&content));
    assert_eq!(bed.content(ContentId::new(1).unwrap()).await.unwrap(), None);
    let dropped = bed.due_blobs(later(HOUR), 10).await.unwrap();
    assert_eq!(dropped.len(), 1, "the second blob is not needed");
    assert_ne!(dropped[0].blob, content.blob);
    // Another size is another content.
    let mut file = bed.stored(person, person.root, "c", 5);
    file.identity.size = crate::kit::bytes(6);
    let third = bed.store_file(&file, &by(person)).await.unwrap();
    assert_ne!(third.content, first.content);
    bed.is_well().await;
}

fn linked(person: Person, text: &str, content: FileContent) -> LinkedFile {
    LinkedFile {
        owner: person.id,
        parent: person.root,
        name: NodeName::new(text).unwrap(),
        on_conflict: OnConflict::Fail,
        content,
    }
}

async fn what_is_ones_own_is_linked(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let file = bed.file(person, person.root, "a", 5).await;
    let content = bed.own_content(person.id, &identity(5)).await.unwrap().unwrap();
    assert_eq!(bed.own_content(other.id, &identity(5)).await.unwrap(), None);
    assert_eq!(bed.content_by_identity(&identity(6)).await.unwrap(), None);
    bed.link_file(&linked(person, "b", content.file()), &by(person)).await.unwrap();
    assert_eq!(bed.references(5).await, Some(2));
    let taken = bed.link_file(&linked(person, "b", content.file()), &by(person)).await;
    assert_eq!(taken.err(), Some(Problem::NameTaken));
    assert_eq!(bed.references(5).await, Some(2), "what is refused counts nothing");
    let none = FileContent { id: ContentId::new(9_999_999).unwrap(), ..content.file() };
    let gone = bed.link_file(&linked(person, "c", none), &by(person)).await;
    assert_eq!(gone.err(), Some(Problem::ContentUnknown));
    bed.trash(person.id, file.id, &by(person)).await.unwrap();
    assert!(bed.own_content(person.id, &identity(5)).await.unwrap().is_some(), "in the trash, too");
    bed.is_well().await;
}

async fn remove(bed: &Bed, person: Person, text: &str) {
    let node = bed.child(person.id, person.root, &name(text)).await.unwrap().unwrap();
    let entry = bed.trash(person.id, node.id, &by(person)).await.unwrap();
    assert!(bed.purge_part(person.id, entry, &by(person)).await.unwrap().last);
}

async fn unused_contents_are_collected_after_their_grace(bed: Bed) {
    let person = bed.account("lilei").await;
    for seed in 1..=5 {
        bed.file(person, person.root, &format!("file {seed}"), seed).await;
    }
    for seed in 1..=3 {
        remove(&bed, person, &format!("file {seed}")).await;
    }
    assert_eq!(bed.collect_contents(later(HOUR - 1), 100).await, Ok(0));
    assert_eq!(bed.collect_contents(later(HOUR), 2).await, Ok(2), "in parts");
    assert_eq!(bed.collect_contents(later(HOUR), 2).await, Ok(1));
    assert_eq!(bed.collect_contents(later(HOUR), 2).await, Ok(0));
    for seed in 1..=5 {
        assert_eq!(bed.references(seed).await.is_some(), seed > 3, "{seed}");
    }
    assert_eq!(bed.due_blobs(later(2 * HOUR - 1), 10).await.unwrap(), []);
    assert_eq!(bed.due_blobs(later(2 * HOUR), 10).await.unwrap().len(), 3);
    bed.is_well().await;
}

async fn a_content_that_is_used_again_stays(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.file(person, person.root, "a", 5).await;
    remove(&bed, person, "a").await;
    assert_eq!(bed.references(5).await, Some(0));
    bed.file(person, person.root, "b", 5).await;
    assert_eq!(bed.collect_contents(later(HOUR), 100).await, Ok(0));
    let content = bed.content_by_identity(&identity(5)).await.unwrap().unwrap();
    assert_eq!((content.references, content.unused_since), (1, None));
    bed.is_well().await;
}

async fn dropped_blobs_are_due_and_forgotten(bed: Bed) {
    for number in 0..5 {
        bed.drop_blob(&blob(&format!("b{number}")), later(number)).await.unwrap();
    }
    let due = bed.due_blobs(later(HOUR + 2), 10).await.unwrap();
    let keys: Vec<_> = due.iter().map(|dropped| dropped.blob.as_str()).collect();
    assert_eq!(keys, ["b0", "b1", "b2"]);
    bed.forget_blobs(&due[..2]).await.unwrap();
    let left = bed.due_blobs(later(HOUR + 9), 2).await.unwrap();
    let keys: Vec<_> = left.iter().map(|dropped| dropped.blob.as_str()).collect();
    assert_eq!(keys, ["b2", "b3"]);
    // What the store did not delete lets others have their turn.
    bed.put_off_blobs(&left[..1], later(HOUR + 10)).await.unwrap();
    let due = async |at| {
        let due = bed.due_blobs(at, 10).await.unwrap();
        due.iter().map(|dropped| dropped.blob.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(due(later(HOUR + 9)).await, ["b3", "b4"]);
    assert_eq!(due(later(HOUR + 10)).await, ["b3", "b4", "b2"]);
    assert_eq!(bed.due_blobs(NOW, 10).await.unwrap(), []);
}
