//! The old dialect's questions.

use drive_core::content::Md5Digest;
use drive_core::page::{Direction, RowsPage};
use drive_core::queue::{Counter, Entry, Event};
use drive_core::tree::OnConflict;
use drive_core::{Missing, Problem};
use drive_db::{ListedCount, NewShare, RootOrder};

use crate::kit::{Bed, NOW, at, by, entry_key, later, name, secret, system};

on_both! {
    the_files_of_the_root_folder_are_listed_by_rows
    a_digest_is_looked_for_among_ones_own_files_only
    a_file_is_listed_once_by_its_owner
    names_and_digests_mean_the_oldest_listed_link
    shared_files_are_listed_by_rows_and_counted
}

fn rows(start: i64, count: i64) -> RowsPage {
    RowsPage::new(start, count).unwrap()
}

async fn the_files_of_the_root_folder_are_listed_by_rows(bed: Bed) {
    let person = bed.account("lilei").await;
    let folder = bed.folder(person, person.root, "folder").await;
    bed.file(person, folder, "elsewhere", 9).await;
    let mut batch = Vec::new();
    for (number, text) in ["b", "a", "c"].into_iter().enumerate() {
        let node = bed.file(person, person.root, text, number as u8).await.id;
        for turn in 0..number {
            let key = entry_key((10 * number + turn) as u8);
            batch.push(Entry { key, at: NOW, event: Event::Count(Counter::NodeDownloads(node)) });
        }
    }
    bed.apply(&batch, NOW).await.unwrap();
    let c = bed.child(person.id, person.root, &name("c")).await.unwrap().unwrap().id;
    let share = NewShare { listed: true, expires_at: Some(later(10)), ..bed.link(person, c) };
    bed.make_share(&share, &secret(), &by(person)).await.unwrap();
    let list = async |order, page, now| {
        let files = bed.root_files(person.root, order, page, now).await.unwrap();
        files
            .iter()
            .map(|file| format!("{}{}", file.node.name, if file.listed { "*" } else { "" }))
            .collect::<Vec<_>>()
    };
    assert_eq!(list(RootOrder::Name, rows(0, 10), NOW).await, ["a", "b", "c*"]);
    assert_eq!(list(RootOrder::Name, rows(1, 1), NOW).await, ["b"]);
    assert_eq!(list(RootOrder::Name, rows(3, 10), NOW).await, [""; 0]);
    assert_eq!(list(RootOrder::Name, rows(0, 0), NOW).await, [""; 0]);
    assert_eq!(list(RootOrder::Downloads(Direction::Up), rows(0, 10), later(10)).await, ["b", "a", "c"]);
    assert_eq!(list(RootOrder::Downloads(Direction::Down), rows(0, 10), NOW).await, ["c*", "a", "b"]);
    assert_eq!(bed.count_root_files(person.id).await, Ok(3));
}

async fn a_digest_is_looked_for_among_ones_own_files_only(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let folder = bed.folder(person, person.root, "folder").await;
    bed.file(person, folder, "a", 5).await;
    let instant = async |who: crate::kit::Person, seed: u8, text: &str| {
        let made = bed.instant_by_md5(who.id, &Md5Digest([seed; 16]), &name(text), &by(who)).await;
        made.map(|node| node.name.as_str().to_owned())
    };
    assert_eq!(instant(other, 5, "a").await, Err(Problem::ContentUnknown));
    assert_eq!(instant(person, 6, "a").await, Err(Problem::ContentUnknown));
    assert_eq!(instant(person, 5, "a").await, Ok("a".to_owned()));
    assert_eq!(instant(person, 5, "a").await, Err(Problem::AlreadyOwned));
    bed.file(person, person.root, "taken", 7).await;
    assert_eq!(instant(person, 5, "taken").await, Ok("taken (2)".to_owned()));
    assert_eq!(bed.references(5).await, Some(3));
    // Two contents with one MD5: the bytes are asked for.
    let mut forged = bed.stored(person, folder, "forged", 8);
    forged.md5 = Md5Digest([5; 16]);
    bed.store_file(&forged, &by(person)).await.unwrap();
    assert_eq!(instant(person, 5, "b").await, Err(Problem::ContentUnknown));
    bed.is_well().await;
}

async fn a_file_is_listed_once_by_its_owner(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let node = bed.file(person, person.root, "a", 5).await.id;
    let md5 = Md5Digest([5; 16]);
    assert_eq!(bed.named_file(person.id, &md5, &name("a")).await, Ok(node));
    let missing = Err(Problem::NotFound(Missing::Node));
    assert_eq!(bed.named_file(person.id, &Md5Digest([6; 16]), &name("a")).await, missing);
    assert_eq!(bed.named_file(other.id, &md5, &name("a")).await, missing);
    let list = async |expires_at, now| {
        let new = NewShare { listed: true, expires_at, ..bed.link(person, node) };
        bed.list_file(&new, &secret(), &at(person, now)).await.map(|share| share.id)
    };
    list(Some(later(10)), NOW.0).await.unwrap();
    assert_eq!(list(None, NOW.0 + 9).await, Err(Problem::AlreadyShared));
    list(None, NOW.0 + 10).await.unwrap();
    // Somebody else's equal file is nobody's hindrance.
    let theirs = bed.file(other, other.root, "a", 5).await.id;
    let new = NewShare { listed: true, ..bed.link(other, theirs) };
    bed.list_file(&new, &secret(), &by(other)).await.unwrap();
    bed.is_well().await;
}

async fn names_and_digests_mean_the_oldest_listed_link(bed: Bed) {
    let (first, second) = (bed.account("first").await, bed.account("second").await);
    let mut links = Vec::new();
    for owner in [first, second] {
        let node = bed.file(owner, owner.root, "a", 5).await.id;
        let new = NewShare { listed: true, ..bed.link(owner, node) };
        links.push(bed.make_share(&new, &secret(), &by(owner)).await.unwrap().id);
    }
    let md5 = Md5Digest([5; 16]);
    let find = async |owner| bed.listed_link(&md5, &name("a"), owner, NOW).await.map(|share| share.id);
    assert_eq!(find(None).await, Ok(links[0]));
    assert_eq!(find(Some(second.id)).await, Ok(links[1]));
    bed.revoke_share(None, links[0], &system()).await.unwrap();
    assert_eq!(find(None).await, Ok(links[1]));
    assert_eq!(find(Some(first.id)).await, Err(Problem::NotFound(Missing::Share)));
    let called = async |text| bed.listed_link(&md5, &name(text), None, NOW).await.map(|share| share.id);
    assert_eq!(called("b").await, Err(Problem::NotFound(Missing::Share)));
    let node = bed.child(second.id, second.root, &name("a")).await.unwrap().unwrap().id;
    let renamed = bed.relocate(second.id, node, None, Some(&name("b")), OnConflict::Fail, &by(second)).await;
    renamed.unwrap();
    assert_eq!(called("a").await, Err(Problem::NotFound(Missing::Share)));
    assert_eq!(called("b").await, Ok(links[1]));
    bed.is_well().await;
}

async fn shared_files_are_listed_by_rows_and_counted(bed: Bed) {
    let person = bed.account("lilei").await;
    let folder = bed.folder(person, person.root, "folder").await;
    let new = NewShare { listed: true, ..bed.link(person, folder) };
    bed.make_share(&new, &secret(), &by(person)).await.unwrap();
    for number in 0..5_u8 {
        let node = bed.file(person, person.root, &format!("f{number}"), number).await.id;
        let new = NewShare { listed: true, ..bed.link(person, node) };
        bed.make_share(&new, &secret(), &at(person, NOW.0 + i64::from(number))).await.unwrap();
    }
    let files = bed.shared_files(rows(1, 2), NOW).await.unwrap();
    let names: Vec<_> = files.iter().map(|file| file.node.name.as_str()).collect();
    assert_eq!(names, ["f3", "f2"]);
    assert_eq!(bed.count_listed(NOW).await, Ok(ListedCount { files: 5, folders: 1, read: 6 }));
}
