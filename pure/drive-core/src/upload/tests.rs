//! The life of an upload.

use super::*;

const NOW: UnixMillis = UnixMillis(1_000_000);
const DAY: i64 = 24 * 3_600_000;

fn bytes(number: u64) -> ByteCount {
    ByteCount::new(number).unwrap()
}

fn digest(byte: u8) -> Sha256Digest {
    Sha256Digest([byte; 32])
}

fn quota(limit: u64, reserved: u64) -> Quota {
    Quota { limit: Some(bytes(limit)), used: ByteCount::ZERO, reserved: bytes(reserved), nodes: 1 }
}

fn sealed() -> UploadState {
    UploadState::Sealed(BlobKey::new("k").unwrap())
}

fn held_by(holder: i64, until: i64) -> Option<Lease> {
    Some(Lease { holder, until: UnixMillis(until) })
}

fn upload(length: Option<u64>, offset: u64) -> Upload {
    Upload {
        id: UploadId::new(1).unwrap(),
        owner: AccountId::new(1).unwrap(),
        parent: NodeId::new(1).unwrap(),
        name: NodeName::new("a.txt").unwrap(),
        on_conflict: OnConflict::KeepBoth,
        length: length.map(bytes),
        offset: bytes(offset),
        reserved: bytes(length.unwrap_or(offset)),
        claimed: None,
        expires_at: UnixMillis(NOW.0 + DAY),
        state: UploadState::Open,
        lease: held_by(7, NOW.0 + 1),
        doubtful: false,
        partial: None,
    }
}

#[test]
fn an_upload_begins_with_room_for_all_of_it() {
    let run = |length: Option<u64>, open| begin(length.map(bytes), bytes(500), open, quota(100, 40), NOW);
    let begun = run(Some(60), 0).unwrap();
    assert_eq!((begun.reserved, begun.quota, begun.expires_at.0), (bytes(60), quota(100, 100), NOW.0 + DAY));
    assert_eq!(run(None, 99).unwrap().quota, quota(100, 40));
    assert_eq!(run(Some(61), 0), Err(Problem::QuotaExceeded));
    assert_eq!(run(Some(501), 0), Err(Problem::FileTooLarge { limit: bytes(500) }));
    assert_eq!(run(None, 100), Err(Problem::TooManyOf("uploads")));
}

#[test]
fn one_request_writes_at_a_time() {
    let free = |upload: Upload| Upload { lease: None, ..upload };
    let done = UploadState::Done(NodeId::new(3).unwrap());
    let ok = |doubtful| Ok(Taken { lease: Lease { holder: 8, until: UnixMillis(NOW.0 + 60_000) }, doubtful });
    for (what, upload, offset, expected) in [
        ("nobody writes", free(upload(Some(9), 4)), 4, ok(false)),
        ("another writes", upload(Some(9), 4), 4, Err(Problem::UploadBusy)),
        ("it writes itself", Upload { lease: held_by(8, 0), ..upload(Some(9), 4) }, 4, ok(false)),
        ("a lease ran out", Upload { lease: held_by(7, NOW.0), ..upload(Some(9), 4) }, 4, ok(true)),
        ("doubt stays", Upload { doubtful: true, ..free(upload(Some(9), 4)) }, 4, ok(true)),
        ("too far", free(upload(Some(9), 4)), 5, Err(Problem::OffsetDiffers { expected: bytes(4) })),
        ("again", free(upload(Some(9), 4)), 0, Err(Problem::OffsetDiffers { expected: bytes(4) })),
        ("sealed", Upload { state: sealed(), ..free(upload(Some(9), 9)) }, 9, ok(false)),
        ("done", Upload { state: done, ..free(upload(Some(9), 9)) }, 9, Err(Problem::UploadEnded)),
        ("expired", Upload { expires_at: NOW, ..free(upload(Some(9), 4)) }, 4, Err(Problem::UploadExpired)),
    ] {
        assert_eq!(upload.take(8, bytes(offset), NOW), expected, "{what}");
    }
}

#[test]
fn a_piece_moves_the_offset_and_renews_lease_and_life() {
    let run =
        |upload: Upload, holder, piece| upload.advance(holder, bytes(piece), bytes(20), quota(100, 90), NOW);
    let advanced = run(upload(Some(9), 4), 7, 5).unwrap();
    assert_eq!(
        advanced,
        Advanced {
            offset: bytes(9),
            reserved: bytes(9),
            quota: None,
            lease: Lease { holder: 7, until: UnixMillis(NOW.0 + 60_000) },
            expires_at: UnixMillis(NOW.0 + DAY),
        }
    );
    assert_eq!(run(upload(Some(9), 4), 7, 6), Err(Problem::FileTooLarge { limit: bytes(9) }));
    assert_eq!(run(upload(Some(9), 4), 8, 5), Err(Problem::UploadBusy));
    assert_eq!(run(Upload { lease: None, ..upload(Some(9), 4) }, 7, 5), Err(Problem::UploadBusy));
    let late = Upload { lease: held_by(7, 0), ..upload(Some(9), 4) };
    assert!(run(late, 7, 5).is_ok());
}

#[test]
fn an_upload_of_unknown_length_reserves_as_it_comes() {
    let run = |offset, piece| upload(None, offset).advance(7, bytes(piece), bytes(20), quota(100, 90), NOW);
    let advanced = run(4, 10).unwrap();
    assert_eq!((advanced.reserved, advanced.quota), (bytes(14), Some(quota(100, 100))));
    assert_eq!(run(4, 11), Err(Problem::QuotaExceeded));
    assert_eq!(run(4, 17), Err(Problem::FileTooLarge { limit: bytes(20) }));
    assert_eq!(run(4, ByteCount::MAX.get()), Err(Problem::FileTooLarge { limit: bytes(20) }));
}

#[test]
fn the_length_is_said_once() {
    let run =
        |known: Option<u64>, length| upload(known, 4).set_length(bytes(length), bytes(20), quota(100, 90));
    assert_eq!(run(None, 14), Ok((bytes(14), quota(100, 100))));
    assert_eq!(run(None, 4), Ok((bytes(4), quota(100, 90))));
    assert_eq!(run(None, 15), Err(Problem::QuotaExceeded));
    assert_eq!(run(None, 3), Err(Problem::FieldInvalid("length")));
    assert_eq!(run(None, 21), Err(Problem::FileTooLarge { limit: bytes(20) }));
    assert_eq!(run(Some(9), 9), Ok((bytes(9), quota(100, 90))));
    assert_eq!(run(Some(9), 10), Err(Problem::FieldInvalid("length")));
}

#[test]
fn only_a_whole_upload_becomes_a_file() {
    let whole = || upload(Some(9), 9);
    let seal = |read_back| Ok(Finish::Seal { read_back });
    let node = NodeId::new(3).unwrap();
    for (what, upload, holder, read_back, expected) in [
        ("whole", whole(), 7, false, seal(false)),
        ("empty", upload(Some(0), 0), 7, false, seal(false)),
        ("as claimed", Upload { claimed: Some(digest(1)), ..whole() }, 7, false, seal(false)),
        (
            "otherwise",
            Upload { claimed: Some(digest(2)), ..whole() },
            7,
            false,
            Err(Problem::ChecksumDiffers),
        ),
        ("doubtful", Upload { doubtful: true, ..whole() }, 7, false, seal(true)),
        ("read back", Upload { doubtful: true, ..whole() }, 7, true, seal(false)),
        ("not whole", upload(Some(9), 8), 7, false, Err(Problem::UploadIncomplete)),
        ("no length", upload(None, 9), 7, false, Err(Problem::UploadIncomplete)),
        ("another writes", whole(), 8, false, Err(Problem::UploadBusy)),
        ("expired", Upload { expires_at: NOW, ..whole() }, 7, false, Err(Problem::UploadExpired)),
        ("done", Upload { state: UploadState::Done(node), ..whole() }, 8, false, Ok(Finish::Done(node))),
        ("sealed before a crash", Upload { state: sealed(), ..whole() }, 7, false, seal(false)),
    ] {
        assert_eq!(upload.finish(holder, digest(1), read_back, NOW), expected, "{what}");
    }
}

#[test]
fn an_upload_is_given_up_when_nothing_came_and_nobody_writes() {
    let at = |expires: i64, lease| Upload { expires_at: UnixMillis(expires), lease, ..upload(Some(9), 4) };
    for (upload, expected) in [
        (at(NOW.0, None), true),
        (at(NOW.0 + 1, None), false),
        (at(NOW.0, held_by(7, NOW.0)), true),
        (at(NOW.0, held_by(7, NOW.0 + 1)), false),
    ] {
        assert_eq!(upload.is_over(NOW), expected);
    }
}

#[test]
fn a_whole_upload_that_nobody_finishes_is_left_to_the_drive() {
    let whole = || Upload { lease: None, ..upload(Some(9), 9) };
    let done = UploadState::Done(NodeId::new(3).unwrap());
    for (what, upload, expected) in [
        ("whole", whole(), true),
        ("sealed", Upload { state: sealed(), ..whole() }, true),
        ("its writer died", Upload { lease: held_by(7, NOW.0), ..whole() }, true),
        ("its writer lives", Upload { lease: held_by(7, NOW.0 + 1), ..whole() }, false),
        ("done", Upload { state: done, ..whole() }, false),
        ("not whole", Upload { lease: None, ..upload(Some(9), 8) }, false),
        ("no length", Upload { lease: None, ..upload(None, 9) }, false),
        ("over", Upload { expires_at: NOW, ..whole() }, false),
    ] {
        assert_eq!(upload.is_left(NOW), expected, "{what}");
    }
}
