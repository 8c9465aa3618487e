//! Texts with everything in them that means something to SQL: they are kept as they are, found as they are, and break
//! nothing.

use drive_core::account::{Email, NickName, PasswordHash, UserName, Verifiers};
use drive_core::content::Md5Digest;
use drive_core::idempotency::{Fingerprint, IdempotencyKey};
use drive_core::node::NodeName;
use drive_core::page::{Cursor, SearchQuery, SortKey};
use drive_core::ports::PartialBlob;
use drive_core::queue::{Entry, Event, UploadRecord};
use drive_core::tree::OnConflict;
use drive_db::{NewUpload, Piece, Profile};

use crate::kit::{Bed, NOW, blob, by, bytes, entry_key, identity, later, registration, system};

on_both! {
    names_with_quotes_are_names
    all_other_texts_are_texts
}

const NASTY: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "%",
    "_",
    "!",
    "?",
    "$1",
    "; DROP TABLE nodes; --",
    "' OR '1'='1",
    "' UNION SELECT * FROM accounts -- ",
    "x' FOR UPDATE",
    "FOR UPDATE",
    "a' -- FOR UPDATE",
    "-- *",
    "#",
    "NULL",
    "0x41",
    "文' 件",
    "😀'",
    "{name}",
];

async fn names_with_quotes_are_names(bed: Bed) {
    let person = bed.account("lilei").await;
    for (number, text) in NASTY.iter().enumerate() {
        let name = NodeName::new(text).unwrap();
        let folder =
            bed.create_folder(person.id, person.root, &name, OnConflict::Fail, &by(person)).await.unwrap();
        let inside = bed.file(person, folder.id, text, number as u8).await;
        assert_eq!(
            bed.child(person.id, folder.id, &name).await.unwrap().map(|node| node.id),
            Some(inside.id),
            "{text}"
        );
        let copy = bed
            .copy(person.id, inside.id, folder.id, &name, OnConflict::KeepBoth, &by(person))
            .await
            .unwrap();
        assert_eq!(copy.name.as_str(), format!("{} (2)", name.as_str()), "{text}");
        let again = bed
            .copy(person.id, inside.id, folder.id, &name, OnConflict::KeepBoth, &by(person))
            .await
            .unwrap();
        assert_eq!(again.name.as_str(), format!("{} (3)", name.as_str()), "{text}");
        let entry = bed.trash(person.id, again.id, &by(person)).await.unwrap();
        bed.restore(person.id, entry, None, &by(person)).await.unwrap();
        let renamed = bed
            .relocate(
                person.id,
                copy.id,
                Some(person.root),
                Some(&NodeName::new(&format!("moved {text}")).unwrap()),
                OnConflict::Fail,
                &by(person),
            )
            .await;
        renamed.unwrap();
        let query = SearchQuery::new(text).unwrap();
        let found = bed.search(person.id, &query, None, 1000).await.unwrap().rows;
        assert!(found.iter().any(|found| found.node.id == inside.id), "{text}");
        let md5 = Md5Digest([number as u8; 16]);
        assert!(bed.named_file(person.id, &md5, &name).await.is_err());
        assert!(bed.listed_link(&md5, &name, None, NOW).await.is_err());
    }
    // A name is found by itself and not by what it would be as a pattern.
    let percent = bed.child(person.id, person.root, &NodeName::new("%").unwrap()).await.unwrap().unwrap();
    let found = bed.search(person.id, &SearchQuery::new("%").unwrap(), None, 1000).await.unwrap().rows;
    assert!(found.iter().all(|found| found.node.name.as_str().contains('%')));
    assert!(found.iter().any(|found| found.node.id == percent.id));
    bed.is_well().await;
}

async fn all_other_texts_are_texts(bed: Bed) {
    let person = bed.account("lilei").await;
    for (number, text) in NASTY.iter().enumerate() {
        let profile = Profile {
            nick_name: NickName::new(text.get(..text.len().min(30)).unwrap_or("'")).unwrap(),
            email: Email::new("o'neill--;@b.cn").ok(),
            phone: None,
        };
        bed.change_profile(person.id, &profile, &by(person)).await.unwrap();
        let seen = bed.db.account(person.id).await.unwrap();
        assert_eq!((&seen.nick_name, &seen.email), (&profile.nick_name, &profile.email), "{text}");
        let hashes = Verifiers { text: Some(PasswordHash((*text).to_owned())), dialect: None };
        bed.renew_verifiers(person.id, &seen.verifiers, &hashes).await.unwrap();
        assert_eq!(bed.db.account(person.id).await.unwrap().verifiers, hashes);
        let after = Cursor { kind: None, key: SortKey::Text((*text).to_owned()), id: 1 };
        bed.list_accounts(Some(&after), 5).await.unwrap();
        let query = SearchQuery::new(profile.nick_name.as_str()).unwrap();
        let found = bed.search_accounts(&query, None, 5).await.unwrap().rows;
        assert_eq!(found.iter().map(|account| account.id).collect::<Vec<_>>(), [person.id], "{text}");
        bed.search_accounts(&query, Some(&after), 5).await.unwrap();
        bed.search(person.id, &SearchQuery::new("x").unwrap(), Some(&after), 5).await.unwrap();
        // Visible ASCII only, as rules want them.
        let ascii: String = text.chars().filter(char::is_ascii_graphic).chain(['k']).take(60).collect();
        let key = IdempotencyKey::new(&ascii).unwrap();
        bed.begin_request(person.id, &key, Fingerprint([1; 32]), NOW).await.ok();
        let dropped = blob(&ascii);
        bed.drop_blob(&dropped, NOW).await.unwrap();
        let due = bed.due_blobs(later(1 << 40), 1000).await.unwrap();
        assert!(due.iter().any(|due| due.blob == dropped), "{text}");
        let new = NewUpload {
            owner: person.id,
            parent: person.root,
            name: NodeName::new(text).unwrap(),
            on_conflict: OnConflict::KeepBoth,
            length: Some(bytes(1)),
            claimed: None,
        };
        let upload = bed.begin_upload(&new, &by(person)).await.unwrap();
        bed.take_upload(person.id, upload.id, 1, bytes(0), NOW).await.unwrap();
        let partial = PartialBlob { state: (*text).to_owned(), length: bytes(1) };
        let piece = Piece { bytes: bytes(1), partial: partial.clone(), hash_state: text.as_bytes().to_vec() };
        bed.advance_upload(person.id, upload.id, 1, &piece, NOW).await.unwrap();
        let (read, hash) = bed.take_upload(person.id, upload.id, 1, bytes(1), NOW).await.unwrap();
        assert_eq!((read.partial, hash.as_deref()), (Some(partial), Some(text.as_bytes())), "{text}");
        let record = UploadRecord {
            owner: person.id,
            parent: person.root,
            name: NodeName::new(text).unwrap(),
            on_conflict: OnConflict::KeepBoth,
            reserved: true,
            identity: identity(number as u8),
            md5: Md5Digest([1; 16]),
            blob: blob(&format!("{ascii}2")),
        };
        let entry = Entry { key: entry_key(number as u8), at: NOW, event: Event::RecordUpload(record) };
        bed.apply(&[entry], NOW).await.unwrap();
    }
    // What can be no user name is not looked up; what can is.
    for text in ["a'b", "a\\b", "a;b"] {
        assert!(UserName::parse(text).is_err(), "{text}");
    }
    bed.register(&registration("O_Neill"), &system()).await.unwrap();
    assert_eq!(bed.account_by_name(&UserName::parse("OxNeill").unwrap()).await.unwrap(), None);
    bed.is_well().await;
}
