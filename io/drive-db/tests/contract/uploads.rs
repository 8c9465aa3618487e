//! Uploads: leased, advanced, finished, given up.

use std::collections::BTreeMap;

use drive_core::content::{Md5Digest, Sha256Digest};
use drive_core::ports::PartialBlob;
use drive_core::tree::OnConflict;
use drive_core::upload::{UPLOADS_MAX, Upload, UploadState};
use drive_core::{Missing, Problem};
use drive_db::{FinishBy, NewUpload, Piece, SealedUpload};

use crate::kit::{Bed, DAY, HOUR, NOW, Person, at, blob, by, bytes, identity, later, name};

on_both! {
    an_upload_goes_from_its_beginning_to_a_file
    one_writer_at_a_time
    a_doubtful_upload_is_read_back
    room_is_reserved_and_given_back
    an_upload_of_unknown_length_reserves_as_it_goes
    uploads_end_by_time_or_by_their_owner
    what_was_given_up_is_over_by_every_clock
    uploads_that_are_over_take_turns
    the_drive_finishes_what_was_left
    what_is_claimed_is_compared
    others_have_no_uploads
    all_that_is_under_way_is_seen_with_whose_it_is
}

fn new(person: Person, text: &str, length: Option<u64>) -> NewUpload {
    NewUpload {
        owner: person.id,
        parent: person.root,
        name: name(text),
        on_conflict: OnConflict::Fail,
        length: length.map(bytes),
        claimed: None,
    }
}

fn piece(length: u64, offset_after: u64) -> Piece {
    Piece {
        bytes: bytes(length),
        partial: PartialBlob { state: format!("state at {offset_after}"), length: bytes(offset_after) },
        hash_state: vec![offset_after as u8; 300],
    }
}

fn sealed(seed: u8) -> SealedUpload {
    SealedUpload { identity: identity(seed), md5: Md5Digest([seed; 16]), read_back: false }
}

async fn begun(bed: &Bed, person: Person, text: &str, length: u64) -> Upload {
    bed.begin_upload(&new(person, text, Some(length)), &by(person)).await.unwrap()
}

/// All bytes of an upload in one piece, by a holder.
async fn filled(bed: &Bed, person: Person, upload: &Upload, holder: i64) -> Upload {
    let length = upload.length.unwrap().get();
    bed.take_upload(person.id, upload.id, holder, bytes(0), NOW).await.unwrap();
    bed.advance_upload(person.id, upload.id, holder, &piece(length, length), NOW).await.unwrap()
}

async fn an_upload_goes_from_its_beginning_to_a_file(bed: Bed) {
    let person = bed.account("lilei").await;
    let upload = begun(&bed, person, "a.bin", 50).await;
    assert_eq!(bed.upload(person.id, upload.id).await.unwrap(), upload);
    let (taken, hash) = bed.take_upload(person.id, upload.id, 7, bytes(0), NOW).await.unwrap();
    assert_eq!((taken.offset, hash), (bytes(0), None));
    bed.may_advance(&taken, 7, bytes(20), NOW).await.unwrap();
    let first = bed.advance_upload(person.id, upload.id, 7, &piece(20, 20), later(5)).await.unwrap();
    assert_eq!((first.offset, first.expires_at), (bytes(20), later(DAY + 5)));
    bed.release_upload(person.id, upload.id, 7).await.unwrap();
    // Another process goes on.
    let wrong = bed.take_upload(person.id, upload.id, 8, bytes(0), NOW).await;
    assert_eq!(wrong.err(), Some(Problem::OffsetDiffers { expected: bytes(20) }));
    let (taken, hash) = bed.take_upload(person.id, upload.id, 8, bytes(20), NOW).await.unwrap();
    assert_eq!(hash, Some(vec![20; 300]));
    assert_eq!(taken.partial, Some(piece(20, 20).partial));
    assert!(!taken.doubtful);
    assert_eq!(bed.unfinished_uploads(person.id).await.unwrap(), [taken]);
    let early = bed.finish_upload(person.id, upload.id, 8, &sealed(50), FinishBy::Client, &by(person)).await;
    assert_eq!(early.err(), Some(Problem::UploadIncomplete));
    let over = bed.advance_upload(person.id, upload.id, 8, &piece(31, 51), NOW).await;
    assert_eq!(over.err(), Some(Problem::FileTooLarge { limit: bytes(50) }));
    bed.advance_upload(person.id, upload.id, 8, &piece(30, 50), NOW).await.unwrap();
    bed.is_well().await;
    let unsealed =
        bed.finish_upload(person.id, upload.id, 8, &sealed(50), FinishBy::Client, &by(person)).await;
    assert_eq!(unsealed.err(), Some(Problem::UploadIncomplete));
    bed.seal_upload(person.id, upload.id, 8, &blob("sealed")).await.unwrap();
    bed.seal_upload(person.id, upload.id, 8, &blob("sealed")).await.unwrap();
    let cause = by(person);
    let done =
        bed.finish_upload(person.id, upload.id, 8, &sealed(50), FinishBy::Client, &cause).await.unwrap();
    assert_eq!((done.name.as_str(), done.content.unwrap().size), ("a.bin", bytes(50)));
    let again = bed.finish_upload(person.id, upload.id, 8, &sealed(50), FinishBy::Client, &cause).await;
    assert_eq!(again, Ok(done.clone()));
    assert_eq!(bed.references(50).await, Some(1));
    assert_eq!(bed.upload(person.id, upload.id).await.unwrap().state, UploadState::Done(done.id));
    assert_eq!(bed.unfinished_uploads(person.id).await.unwrap(), []);
    let usage = bed.usage(person.id).await.unwrap();
    assert_eq!((usage.used, usage.reserved), (bytes(50), bytes(0)));
    bed.is_well().await;
}

async fn one_writer_at_a_time(bed: Bed) {
    let person = bed.account("lilei").await;
    let upload = begun(&bed, person, "a", 50).await;
    bed.take_upload(person.id, upload.id, 1, bytes(0), NOW).await.unwrap();
    let busy = bed.take_upload(person.id, upload.id, 2, bytes(0), later(59_999)).await;
    assert_eq!(busy.err(), Some(Problem::UploadBusy));
    let (taken, _) = bed.take_upload(person.id, upload.id, 2, bytes(0), later(60_000)).await.unwrap();
    assert!(taken.doubtful);
    let late = bed.advance_upload(person.id, upload.id, 1, &piece(5, 5), later(60_001)).await;
    assert_eq!(late.err(), Some(Problem::UploadBusy));
    let late = bed.seal_upload(person.id, upload.id, 1, &blob("x")).await;
    assert_eq!(late.err(), Some(Problem::UploadBusy));
    bed.release_upload(person.id, upload.id, 1).await.unwrap();
    bed.advance_upload(person.id, upload.id, 2, &piece(5, 5), later(60_001)).await.unwrap();
}

async fn a_doubtful_upload_is_read_back(bed: Bed) {
    let person = bed.account("lilei").await;
    let upload = begun(&bed, person, "a", 5).await;
    bed.take_upload(person.id, upload.id, 1, bytes(0), later(-60_000)).await.unwrap();
    filled(&bed, person, &upload, 2).await;
    bed.seal_upload(person.id, upload.id, 2, &blob("b")).await.unwrap();
    let mut sealed = sealed(5);
    let refused = bed.finish_upload(person.id, upload.id, 2, &sealed, FinishBy::Client, &by(person)).await;
    assert_eq!(refused.err(), Some(Problem::UploadIncomplete));
    assert_eq!(bed.references(5).await, None);
    sealed.read_back = true;
    bed.finish_upload(person.id, upload.id, 2, &sealed, FinishBy::Client, &by(person)).await.unwrap();
    bed.is_well().await;
}

async fn room_is_reserved_and_given_back(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.set_quota(person.id, Some(bytes(100)), &by(person)).await.unwrap();
    let first = begun(&bed, person, "a", 60).await;
    let refused = bed.begin_upload(&new(person, "b", Some(41)), &by(person)).await;
    assert_eq!(refused.err(), Some(Problem::QuotaExceeded));
    let file = bed.stored(person, person.root, "c", 41);
    assert_eq!(bed.store_file(&file, &by(person)).await.err(), Some(Problem::QuotaExceeded));
    begun(&bed, person, "b", 40).await;
    bed.cancel_upload(person.id, first.id, &by(person)).await.unwrap();
    bed.is_well().await;
    bed.remove_upload(person.id, first.id, NOW).await.unwrap();
    assert_eq!(bed.usage(person.id).await.unwrap().reserved, bytes(40));
    bed.remove_upload(person.id, first.id, NOW).await.unwrap();
    assert_eq!(bed.upload(person.id, first.id).await.err(), Some(Problem::NotFound(Missing::Upload)));
    for number in 1..UPLOADS_MAX {
        begun(&bed, person, &format!("{number}"), 0).await;
    }
    let refused = bed.begin_upload(&new(person, "z", Some(0)), &by(person)).await;
    assert_eq!(refused.err(), Some(Problem::TooManyOf("uploads")));
    assert_eq!(bed.uploads(person.id, 1000).await.unwrap().len(), UPLOADS_MAX);
    bed.is_well().await;
}

async fn an_upload_of_unknown_length_reserves_as_it_goes(bed: Bed) {
    let person = bed.account("lilei").await;
    bed.set_quota(person.id, Some(bytes(100)), &by(person)).await.unwrap();
    let upload = bed.begin_upload(&new(person, "a", None), &by(person)).await.unwrap();
    let (taken, _) = bed.take_upload(person.id, upload.id, 1, bytes(0), NOW).await.unwrap();
    let refused = bed.may_advance(&taken, 1, bytes(101), NOW).await;
    assert_eq!(refused, Err(Problem::QuotaExceeded));
    bed.advance_upload(person.id, upload.id, 1, &piece(60, 60), NOW).await.unwrap();
    assert_eq!(bed.usage(person.id).await.unwrap().reserved, bytes(60));
    bed.is_well().await;
    let short = bed.set_upload_length(person.id, upload.id, bytes(59)).await;
    assert_eq!(short.err(), Some(Problem::FieldInvalid("length")));
    let long = bed.set_upload_length(person.id, upload.id, bytes(101)).await;
    assert_eq!(long.err(), Some(Problem::QuotaExceeded));
    bed.set_upload_length(person.id, upload.id, bytes(80)).await.unwrap();
    assert_eq!(bed.usage(person.id).await.unwrap().reserved, bytes(80));
    bed.is_well().await;
}

async fn uploads_end_by_time_or_by_their_owner(bed: Bed) {
    let person = bed.account("lilei").await;
    let (old, held, kept) = (
        begun(&bed, person, "a", 5).await,
        begun(&bed, person, "b", 5).await,
        begun(&bed, person, "c", 5).await,
    );
    bed.take_upload(person.id, held.id, 1, bytes(0), later(DAY - 1)).await.unwrap();
    bed.take_upload(person.id, kept.id, 1, bytes(0), later(0)).await.unwrap();
    bed.advance_upload(person.id, kept.id, 1, &piece(1, 1), later(HOUR)).await.unwrap();
    let over = bed.over_uploads(later(DAY), 10).await.unwrap();
    assert_eq!(over.iter().map(|upload| upload.id).collect::<Vec<_>>(), [old.id]);
    let late = bed.take_upload(person.id, old.id, 2, bytes(0), later(DAY)).await;
    assert_eq!(late.err(), Some(Problem::UploadExpired));
    // One that is not over stays.
    bed.remove_upload(person.id, kept.id, later(DAY)).await.unwrap();
    assert!(bed.upload(person.id, kept.id).await.is_ok());
    bed.cancel_upload(person.id, kept.id, &at(person, NOW.0 + HOUR)).await.unwrap();
    let late = bed.advance_upload(person.id, kept.id, 1, &piece(1, 2), later(HOUR)).await;
    assert_eq!(late.err(), Some(Problem::UploadBusy));
    assert_eq!(bed.over_uploads(later(HOUR), 10).await.unwrap().len(), 1);
    // A sealed one leaves its blob to be deleted.
    let sealed = begun(&bed, person, "d", 5).await;
    filled(&bed, person, &sealed, 1).await;
    bed.seal_upload(person.id, sealed.id, 1, &blob("orphan")).await.unwrap();
    bed.cancel_upload(person.id, sealed.id, &by(person)).await.unwrap();
    for upload in bed.over_uploads(later(3 * DAY), 10).await.unwrap() {
        bed.remove_upload(person.id, upload.id, later(3 * DAY)).await.unwrap();
    }
    assert_eq!(bed.uploads(person.id, 10).await.unwrap(), []);
    assert_eq!(bed.usage(person.id).await.unwrap().reserved, bytes(0));
    let dropped = bed.due_blobs(later(4 * DAY), 10).await.unwrap();
    assert_eq!(dropped.iter().map(|dropped| dropped.blob.as_str()).collect::<Vec<_>>(), ["orphan"]);
    bed.is_well().await;
}

async fn what_was_given_up_is_over_by_every_clock(bed: Bed) {
    let person = bed.account("lilei").await;
    // Of two processes one is a second ahead.
    let (ahead, behind) = (later(2_000), later(1_000));
    let expired = Some(Problem::UploadExpired);
    let cancelled = begun(&bed, person, "a", 5).await;
    bed.cancel_upload(person.id, cancelled.id, &at(person, ahead.0)).await.unwrap();
    assert_eq!(bed.take_upload(person.id, cancelled.id, 1, bytes(0), behind).await.err(), expired);
    bed.remove_upload(person.id, cancelled.id, behind).await.unwrap();

    // What time ended is over everywhere before its bytes go.
    let old = begun(&bed, person, "b", 5).await;
    let (ahead, behind) = (later(DAY + 1_000), later(DAY - 1_000));
    assert_eq!(bed.claim_over_upload(person.id, old.id, behind).await.unwrap(), None);
    // Twice: the store did not discard them the first time.
    for _ in 0..2 {
        let claimed = bed.claim_over_upload(person.id, old.id, ahead).await.unwrap();
        assert_eq!(claimed.map(|upload| (upload.id, upload.state)), Some((old.id, UploadState::Open)));
    }
    assert_eq!(bed.take_upload(person.id, old.id, 1, bytes(0), behind).await.err(), expired);
    bed.remove_upload(person.id, old.id, ahead).await.unwrap();
    assert_eq!(bed.claim_over_upload(person.id, old.id, ahead).await.unwrap(), None);

    // One that was gone on with after somebody found it over is not.
    let kept = begun(&bed, person, "c", 5).await;
    assert_eq!(bed.over_uploads(ahead, 10).await.unwrap().len(), 1);
    bed.take_upload(person.id, kept.id, 1, bytes(0), behind).await.unwrap();
    bed.advance_upload(person.id, kept.id, 1, &piece(5, 5), behind).await.unwrap();
    assert_eq!(bed.claim_over_upload(person.id, kept.id, ahead).await.unwrap(), None);
    bed.seal_upload(person.id, kept.id, 1, &blob("kept")).await.unwrap();
    bed.finish_upload(person.id, kept.id, 1, &sealed(5), FinishBy::Client, &at(person, behind.0))
        .await
        .unwrap();
    assert_eq!(bed.uploads(person.id, 10).await.unwrap().len(), 1);
    bed.is_well().await;
}

async fn uploads_that_are_over_take_turns(bed: Bed) {
    let person = bed.account("lilei").await;
    let mut tries = BTreeMap::new();
    for text in ["a", "b", "c"] {
        let cancelled = begun(&bed, person, text, 5).await;
        bed.cancel_upload(person.id, cancelled.id, &by(person)).await.unwrap();
        tries.insert(cancelled.id, 0);
    }
    // The store discards none of them, and there are more than are looked for at once.
    for _ in 0..3 {
        let over = bed.over_uploads(NOW, 2).await.unwrap();
        assert_eq!(over.len(), 2);
        for upload in over {
            bed.claim_over_upload(person.id, upload.id, NOW).await.unwrap().unwrap();
            *tries.get_mut(&upload.id).unwrap() += 1;
        }
    }
    assert_eq!(tries.into_values().collect::<Vec<_>>(), [2, 2, 2]);
    // One that time ends, and then one that is given up, waits for none of those.
    let old = begun(&bed, person, "d", 5).await;
    let over = bed.over_uploads(later(DAY), 1).await.unwrap();
    assert_eq!(over.iter().map(|upload| upload.id).collect::<Vec<_>>(), [old.id]);
    bed.remove_upload(person.id, old.id, later(DAY)).await.unwrap();
    let cancelled = begun(&bed, person, "e", 5).await;
    bed.cancel_upload(person.id, cancelled.id, &by(person)).await.unwrap();
    let over = bed.over_uploads(NOW, 1).await.unwrap();
    assert_eq!(over.iter().map(|upload| upload.id).collect::<Vec<_>>(), [cancelled.id]);
    assert_eq!(bed.over_uploads(NOW, 10).await.unwrap().len(), 4);
    bed.is_well().await;
}

async fn the_drive_finishes_what_was_left(bed: Bed) {
    let person = bed.account("lilei").await;
    let folder = bed.folder(person, person.root, "folder").await;
    let mut asked = new(person, "a.txt", Some(5));
    asked.parent = folder;
    let upload = bed.begin_upload(&asked, &by(person)).await.unwrap();
    filled(&bed, person, &upload, 1).await;
    begun(&bed, person, "other", 5).await;
    bed.file(person, person.root, "a.txt", 9).await;
    bed.trash(person.id, folder, &by(person)).await.unwrap();
    assert_eq!(bed.left_uploads(later(59_999), 10).await.unwrap(), []);
    let left = bed.left_uploads(later(60_000), 10).await.unwrap();
    assert_eq!(left.iter().map(|upload| upload.id).collect::<Vec<_>>(), [upload.id]);
    let now = at(person, NOW.0 + 60_000);
    bed.take_upload(person.id, upload.id, 2, bytes(5), now.at).await.unwrap();
    bed.seal_upload(person.id, upload.id, 2, &blob("left")).await.unwrap();
    // Even past the quota, which was lowered meanwhile.
    bed.set_quota(person.id, Some(bytes(1)), &by(person)).await.unwrap();
    let sealed = SealedUpload { read_back: true, ..sealed(5) };
    let refused = bed.finish_upload(person.id, upload.id, 2, &sealed, FinishBy::Client, &now).await;
    assert_eq!(refused.err(), Some(Problem::NotFound(Missing::Node)));
    let node = bed.finish_upload(person.id, upload.id, 2, &sealed, FinishBy::Drive, &now).await.unwrap();
    assert_eq!((node.parent, node.name.as_str()), (Some(person.root), "a (2).txt"));
    assert_eq!(bed.left_uploads(later(120_000), 10).await.unwrap(), []);
    bed.is_well().await;
}

async fn what_is_claimed_is_compared(bed: Bed) {
    let person = bed.account("lilei").await;
    let mut asked = new(person, "a", Some(5));
    asked.claimed = Some(Sha256Digest([6; 32]));
    let upload = bed.begin_upload(&asked, &by(person)).await.unwrap();
    filled(&bed, person, &upload, 1).await;
    bed.seal_upload(person.id, upload.id, 1, &blob("b")).await.unwrap();
    let refused = bed.finish_upload(person.id, upload.id, 1, &sealed(5), FinishBy::Client, &by(person)).await;
    assert_eq!(refused.err(), Some(Problem::ChecksumDiffers));
}

async fn others_have_no_uploads(bed: Bed) {
    let (person, other) = (bed.account("lilei").await, bed.account("other").await);
    let upload = begun(&bed, person, "a", 5).await;
    let missing = Some(Problem::NotFound(Missing::Upload));
    assert_eq!(bed.upload(other.id, upload.id).await.err(), missing);
    assert_eq!(bed.take_upload(other.id, upload.id, 1, bytes(0), NOW).await.err(), missing);
    assert_eq!(bed.cancel_upload(other.id, upload.id, &by(other)).await.err(), missing);
    assert_eq!(bed.uploads(other.id, 10).await.unwrap(), []);
    assert_eq!(bed.unfinished_uploads(other.id).await.unwrap(), []);
    let mut into = new(other, "b", Some(1));
    into.parent = person.root;
    let into = bed.begin_upload(&into, &by(other)).await;
    assert_eq!(into.err(), Some(Problem::NotFound(Missing::Node)));
}

async fn all_that_is_under_way_is_seen_with_whose_it_is(bed: Bed) {
    let (one, other) = (bed.account("lilei").await, bed.account("hanmeimei").await);
    let nothing = bed.uploads_under_way(10, NOW).await.unwrap();
    assert_eq!((nothing.uploads.len(), nothing.count), (0, 0));
    let first = begun(&bed, one, "a", 50).await;
    let sealed_one = begun(&bed, other, "b", 40).await;
    filled(&bed, other, &sealed_one, 7).await;
    bed.seal_upload(other.id, sealed_one.id, 7, &blob("sealed")).await.unwrap();
    let done = begun(&bed, one, "c", 30).await;
    filled(&bed, one, &done, 8).await;
    bed.seal_upload(one.id, done.id, 8, &blob("done")).await.unwrap();
    bed.finish_upload(one.id, done.id, 8, &sealed(30), FinishBy::Client, &by(one)).await.unwrap();
    let last = bed.begin_upload(&new(one, "d", None), &at(one, NOW.0 + 5)).await.unwrap();
    let seen = bed.uploads_under_way(10, later(1)).await.unwrap();
    let rows: Vec<_> = seen.uploads.iter().map(|(upload, owner)| (upload.id, owner.as_str())).collect();
    assert_eq!(rows, [(last.id, "lilei"), (sealed_one.id, "hanmeimei"), (first.id, "lilei")]);
    assert_eq!(seen.count, 3);
    let (upload, _) = &seen.uploads[1];
    assert_eq!((upload.offset, upload.length), (bytes(40), Some(bytes(40))));
    let two = bed.uploads_under_way(2, later(1)).await.unwrap();
    assert_eq!((two.uploads.len(), two.count), (2, 3));
    // Those that are over are nobody's business any more.
    let over = bed.uploads_under_way(10, later(DAY)).await.unwrap();
    assert_eq!(over.uploads.iter().map(|(upload, _)| upload.id).collect::<Vec<_>>(), [last.id]);
}
