//! What the port promises, asked of any store: one function for a sentence or two of its documentation.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::print_stdout, reason = "figures for whoever runs them by hand")]
#![allow(dead_code, reason = "not every store's tests use all of it")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drive_core::ByteCount;
use drive_core::ports::{
    BlobError, BlobKey, BlobStore, ByteSource, Later, PARTIAL_STATE_BYTES_MAX, PIECE_BYTES_MAX, PartialBlob,
};

const MIB: usize = 1024 * 1024;

/// A store and what can be seen of it from outside.
pub(crate) struct Subject<'a> {
    /// The store.
    pub(crate) store: &'a dyn BlobStore,
    /// The same store, as another process has it.
    pub(crate) other: &'a dyn BlobStore,
    /// How many objects it has, as far as that can be seen.
    pub(crate) objects: &'a dyn Fn() -> Option<usize>,
    /// How many bytes its servers have read and written, as far as that can be seen.
    pub(crate) moved: &'a dyn Fn() -> Option<u64>,
}

/// Everything that a store promises while it is there.
pub(crate) async fn conforms(subject: &Subject<'_>) {
    let Subject { store, other, .. } = *subject;
    // First, because what was used and freed before hides what is used.
    step("memory", memory_does_not_grow_with_a_blob(store)).await;
    step("check", async { store.check().await.unwrap() }).await;
    step("sizes", put_stores_exactly_the_bytes_whatever_their_number(store, other)).await;
    step("broken sources", a_source_that_breaks_off_leaves_nothing(subject)).await;
    step("long sources", a_source_that_has_more_is_refused_after_one_piece(subject)).await;
    step("dropped put", a_put_that_is_dropped_leaves_nothing(subject)).await;
    step("equal bytes", equal_bytes_are_two_blobs(store)).await;
    step("ranges", any_range_can_be_read(store, other)).await;
    step("missing", what_was_deleted_is_missing_and_may_be_deleted_again(store, other)).await;
    step("appends", pieces_of_any_size_become_a_blob_in_any_process(store, other)).await;
    step("repeated appends", an_append_replaces_what_lies_beyond(store, other)).await;
    step("lost answers", an_append_whose_answer_was_lost_can_be_made_again(store)).await;
    step("two appends", two_appends_at_once_leave_what_was_there(store, other)).await;
    step("sealing twice", sealing_again_gives_the_same_key_or_missing(store, other)).await;
    step("late appends", no_append_changes_what_is_sealed(store, other)).await;
    step("constant seal", sealing_moves_no_more_for_a_long_blob(subject)).await;
    step("discarding", what_was_discarded_may_be_discarded_again(subject)).await;
    step("taking back", what_is_taken_back_leaves_what_was_before_it(subject)).await;
    step("independence", calls_about_different_blobs_do_not_wait_for_each_other(store)).await;
    step("many at once", many_at_once_do_not_mix(store)).await;
}

async fn step(name: &str, work: impl Future<Output = ()>) {
    let begun = Instant::now();
    Box::pin(work).await;
    println!("{name}: {:?}", begun.elapsed());
}

// put

async fn put_stores_exactly_the_bytes_whatever_their_number(store: &dyn BlobStore, other: &dyn BlobStore) {
    for length in [0, 1, 1000, PIECE_BYTES_MAX - 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 20 * MIB] {
        let content = bytes(length as u64, length);
        let key = put(store, &content).await;
        // Visible to every process as soon as its key was answered.
        expect(other, &key, &content).await;
    }
}

async fn a_source_that_breaks_off_leaves_nothing(subject: &Subject<'_>) {
    let before = (subject.objects)();
    for length in [1, 1000, 9 * MIB] {
        let announced = count(length + 1);
        let mut source = Pieces::of(&bytes(1, length));
        assert_eq!(subject.store.put(announced, &mut source).await, Err(BlobError::SourceBroke), "{length}");
        let error = BlobError::Unavailable("the client's connection".to_owned());
        let mut source = Pieces::of(&bytes(1, length)).then(Err(error.clone()));
        assert_eq!(subject.store.put(announced, &mut source).await, Err(error), "{length}");
    }
    has_objects(subject, before);
}

async fn a_source_that_has_more_is_refused_after_one_piece(subject: &Subject<'_>) {
    let before = (subject.objects)();
    for (announced, pieces) in [(0, 1), (MIB, 2), (MIB - 1, 1), (9 * MIB, 10), (9 * MIB - 1, 9)] {
        let mut source = Pieces::of(&bytes(2, 12 * MIB));
        let outcome = subject.store.put(count(announced), &mut source).await;
        assert!(matches!(outcome, Err(BlobError::Refused(_))), "{outcome:?}");
        assert_eq!(source.given, pieces, "{announced}");
    }
    has_objects(subject, before);
}

async fn a_put_that_is_dropped_leaves_nothing(subject: &Subject<'_>) {
    let before = (subject.objects)();
    for length in [MIB, 10 * MIB] {
        let mut source = Stuck { pieces: Pieces::of(&bytes(3, length)) };
        let put = subject.store.put(count(length + 1), &mut source);
        assert!(tokio::time::timeout(Duration::from_millis(300), put).await.is_err());
    }
    has_objects(subject, before);
}

async fn equal_bytes_are_two_blobs(store: &dyn BlobStore) {
    let content = bytes(4, 3000);
    let (one, two) = (put(store, &content).await, put(store, &content).await);
    assert_ne!(one, two);
    store.delete(&one).await.unwrap();
    expect(store, &two, &content).await;
}

// read, delete

async fn any_range_can_be_read(store: &dyn BlobStore, other: &dyn BlobStore) {
    let content = bytes(5, 9 * MIB + 5);
    let whole = put(store, &content).await;
    let pieces = [PIECE_BYTES_MAX, PIECE_BYTES_MAX, MIB, 5];
    let appended = seal(store, &append_all(store, other, None, &content, &pieces).await).await;
    let end = content.len();
    for key in [&whole, &appended] {
        for (from, to) in [
            (0, end),
            (0, 0),
            (0, 1),
            (1, 2),
            (end - 1, end),
            (end, end),
            (end - 5, end),
            (end - 6, end),
            (PIECE_BYTES_MAX - 1, PIECE_BYTES_MAX + 1),
            (PIECE_BYTES_MAX, PIECE_BYTES_MAX),
            (PIECE_BYTES_MAX, 2 * PIECE_BYTES_MAX),
            (100, end - 100),
            (300_000, 600_000),
        ] {
            let read = read(other, key, from, to - from).await.unwrap();
            assert!(read == content[from..to], "{from}..{to} of {}", key.as_str());
        }
    }
}

async fn what_was_deleted_is_missing_and_may_be_deleted_again(store: &dyn BlobStore, other: &dyn BlobStore) {
    let content = bytes(6, 5 * MIB);
    let stays = put(store, &content).await;
    let mut keys = vec![put(store, &content[..100]).await, put(store, &content).await, put(store, b"").await];
    let pieces = [MIB, PIECE_BYTES_MAX];
    keys.push(seal(store, &append_all(store, other, None, &content, &pieces).await).await);
    // One that has an index, in both kinds of stores.
    let mut partial = append_all(store, other, None, &content, &[PIECE_BYTES_MAX]).await;
    for _ in 0..6 {
        append(store, Some(&partial), b"lost").await;
        partial = append_all(store, other, Some(partial), &content, &[PIECE_BYTES_MAX]).await;
    }
    keys.push(seal(store, &partial).await);
    for key in &keys {
        let empty = *key == keys[2];
        assert_eq!(read(other, key, 0, usize::from(!empty)).await.unwrap().len(), usize::from(!empty));
        store.delete(key).await.unwrap();
        store.delete(key).await.unwrap();
        other.delete(key).await.unwrap();
        for length in [0, usize::from(!empty)] {
            let outcome = read(other, key, 0, length).await;
            assert_eq!(outcome, Err(BlobError::Missing), "{} bytes of {}", length, key.as_str());
        }
    }
    expect(store, &stays, &content).await;
}

// append, seal, discard

async fn pieces_of_any_size_become_a_blob_in_any_process(store: &dyn BlobStore, other: &dyn BlobStore) {
    for pieces in [
        &[1][..],
        &[PIECE_BYTES_MAX],
        &[1, 2, 3, 1000, 64 * 1024, MIB, PIECE_BYTES_MAX, 1],
        &[PIECE_BYTES_MAX - 1, PIECE_BYTES_MAX + 1 - 2, 1, 1, 1, PIECE_BYTES_MAX],
        &[PIECE_BYTES_MAX; 9],
        &[700_000; 24],
    ] {
        let content = bytes(7, pieces.iter().sum());
        let key = seal(other, &append_all(store, other, None, &content, pieces).await).await;
        expect(store, &key, &content).await;
        store.delete(&key).await.unwrap();
    }
}

async fn an_append_replaces_what_lies_beyond(store: &dyn BlobStore, other: &dyn BlobStore) {
    for piece in [1, 5000, PIECE_BYTES_MAX] {
        let content = bytes(8, 8 * piece);
        let mut partial = None;
        for (number, part) in content.chunks(piece).enumerate() {
            // Answers that were lost: of the same bytes, of others, of more, of less.
            append(store, partial.as_ref(), part).await;
            for length in [piece, (piece * 2).min(PIECE_BYTES_MAX), piece.div_ceil(2)] {
                append(other, partial.as_ref(), &bytes(number as u64, length)).await;
            }
            partial = Some(append(other, partial.as_ref(), part).await);
        }
        let partial = partial.unwrap();
        assert_eq!(partial.length, count(content.len()));
        let key = seal(store, &partial).await;
        expect(other, &key, &content).await;
    }
}

async fn an_append_whose_answer_was_lost_can_be_made_again(store: &dyn BlobStore) {
    let content = bytes(9, 40 * 100_000);
    let mut partial = None;
    for (polls, part) in content.chunks(100_000).enumerate() {
        poll_times(polls, store.append(partial.as_ref(), Bytes::copy_from_slice(part))).await;
        partial = Some(append(store, partial.as_ref(), part).await);
    }
    let key = seal(store, &partial.unwrap()).await;
    expect(store, &key, &content).await;
}

async fn two_appends_at_once_leave_what_was_there(store: &dyn BlobStore, other: &dyn BlobStore) {
    let content = bytes(10, 100_000);
    for round in 0..5 {
        let first = append(store, None, &content).await;
        let (one, two) = (bytes(11 + round, 200_000), bytes(12 + round, 300_000));
        let (one, two) = tokio::join!(append(store, Some(&first), &one), append(other, Some(&first), &two));
        let one = append(store, Some(&one), b"more").await;
        for partial in [one, two] {
            let key = seal(store, &partial).await;
            assert!(read(store, &key, 0, content.len()).await.unwrap() == content);
            assert_eq!(read(store, &key, 0, length(&partial)).await.unwrap().len(), length(&partial));
        }
    }
}

async fn sealing_again_gives_the_same_key_or_missing(store: &dyn BlobStore, other: &dyn BlobStore) {
    for pieces in [&[1][..], &[PIECE_BYTES_MAX, 5], &[PIECE_BYTES_MAX; 8]] {
        let content = bytes(13, pieces.iter().sum());
        let partial = append_all(store, other, None, &content, pieces).await;
        let key = seal(store, &partial).await;
        for again in [store, other, store] {
            let outcome = again.seal(&partial).await;
            assert!(outcome == Ok(key.clone()) || outcome == Err(BlobError::Missing), "{outcome:?}");
        }
        expect(store, &key, &content).await;
        store.delete(&key).await.unwrap();
        assert_eq!(store.seal(&partial).await, Err(BlobError::Missing));
    }
}

async fn no_append_changes_what_is_sealed(store: &dyn BlobStore, other: &dyn BlobStore) {
    for pieces in [&[1000][..], &[PIECE_BYTES_MAX], &[PIECE_BYTES_MAX, 5000], &[PIECE_BYTES_MAX; 8], &[9; 3]]
    {
        for polls in (0..30).step_by(3) {
            let content = bytes(14, pieces.iter().sum());
            let (last, before) = pieces.split_last().unwrap();
            let at = content.len() - last;
            let earlier = match before {
                [] => None,
                _ => Some(append_all(store, other, None, &content[..at], before).await),
            };
            let sealed = append(store, earlier.as_ref(), &content[at..]).await;
            // On their way when the blob is sealed: one behind its end, and one of a writer that is late by a piece.
            let mut behind = other.append(Some(&sealed), Bytes::from(bytes(15, 3000)));
            let mut within = other.append(earlier.as_ref(), Bytes::from(bytes(16, *last)));
            let answered = (poll_some(polls, &mut behind).await, poll_some(polls, &mut within).await);
            let key = seal(store, &sealed).await;
            let mut late = Vec::new();
            late.push(if let Some(outcome) = answered.0 { outcome } else { behind.await });
            late.push(if let Some(outcome) = answered.1 { outcome } else { within.await });
            late.push(store.append(Some(&sealed), Bytes::from_static(b"late")).await);
            // Whoever goes on from there changes nothing either, however far.
            let long = before.len() > 2;
            let (times, piece) = if long { (9, PIECE_BYTES_MAX) } else { (3, 2000) };
            for partial in late.into_iter().flatten() {
                let mut partial = partial;
                for _ in 0..times {
                    match other.append(Some(&partial), Bytes::from(bytes(17, piece))).await {
                        Ok(next) => partial = next,
                        Err(_) => break,
                    }
                }
            }
            expect(store, &key, &content).await;
            let again = other.seal(&sealed).await;
            assert!(again == Ok(key.clone()) || again == Err(BlobError::Missing), "{again:?}");
            if long && polls > 0 {
                break;
            }
        }
    }
}

async fn sealing_moves_no_more_for_a_long_blob(subject: &Subject<'_>) {
    let Subject { store, other, moved, .. } = *subject;
    let content = bytes(18, 16 * PIECE_BYTES_MAX + 5);
    let mut pieces = vec![PIECE_BYTES_MAX; 16];
    pieces.push(5);
    let partial = append_all(store, other, None, &content, &pieces).await;
    let before = moved();
    let begun = Instant::now();
    let key = seal(store, &partial).await;
    println!("sealed 64 MiB in {:?}", begun.elapsed());
    if let (Some(before), Some(after)) = (before, moved()) {
        println!("servers moved {} bytes", after - before);
        assert!(after - before < 2 * MIB as u64, "{} bytes", after - before);
    }
    store.delete(&key).await.unwrap();
}

async fn what_was_discarded_may_be_discarded_again(subject: &Subject<'_>) {
    let Subject { store, other, .. } = *subject;
    let before = (subject.objects)();
    let content = bytes(19, 40 * MIB);
    for pieces in [&[5 * MIB / 2; 2][..], &[300, 500, 700, 5], &[PIECE_BYTES_MAX; 10]] {
        let partial = append_all(store, other, None, &content, pieces).await;
        store.discard(&partial).await.unwrap();
        store.discard(&partial).await.unwrap();
        other.discard(&partial).await.unwrap();
        assert_eq!(store.seal(&partial).await, Err(BlobError::Missing));
    }
    has_objects(subject, before);
}

async fn what_is_taken_back_leaves_what_was_before_it(subject: &Subject<'_>) {
    let Subject { store, other, .. } = *subject;
    let before = (subject.objects)();
    let first = append(store, None, b"first").await;
    store.take_back(None, &first).await.unwrap();
    let content = bytes(21, 40 * MIB);
    for pieces in [&[5 * MIB / 2; 2][..], &[300, 500, 700, 5], &[PIECE_BYTES_MAX; 10]] {
        let partial = append_all(store, other, None, &content, pieces).await;
        for piece in [5, PIECE_BYTES_MAX, 1000] {
            let lost = append(store, Some(&partial), &bytes(22, piece)).await;
            store.take_back(Some(&partial), &lost).await.unwrap();
            other.take_back(Some(&partial), &lost).await.unwrap();
        }
        let key = seal(store, &partial).await;
        expect(other, &key, &content[..length(&partial)]).await;
        store.delete(&key).await.unwrap();
    }
    has_objects(subject, before);
}

// at once

async fn calls_about_different_blobs_do_not_wait_for_each_other(store: &dyn BlobStore) {
    let mut stuck = Stuck { pieces: Pieces::of(&bytes(20, 2 * MIB)) };
    let mut waits = pin!(store.put(count(3 * MIB), &mut stuck));
    let content = bytes(21, 2 * MIB);
    let others = async {
        let key = put(store, &content).await;
        expect(store, &key, &content).await;
        let partial = append(store, None, &content).await;
        seal(store, &partial).await;
        store.delete(&key).await.unwrap();
    };
    tokio::select! {
        biased;
        outcome = &mut waits => panic!("{outcome:?}"),
        () = others => {}
    }
}

async fn many_at_once_do_not_mix(store: &dyn BlobStore) {
    let one = |seed: u64| async move {
        let content = bytes(seed, 50_000 + 40_000 * seed as usize);
        let key = put(store, &content).await;
        let mut partial = None;
        for part in content.chunks(30_000) {
            partial = Some(append(store, partial.as_ref(), part).await);
        }
        let appended = seal(store, &partial.unwrap()).await;
        expect(store, &key, &content).await;
        expect(store, &appended, &content).await;
        store.delete(&key).await.unwrap();
        expect(store, &appended, &content).await;
    };
    all_at_once((0..24).map(one).collect()).await;
}

async fn memory_does_not_grow_with_a_blob(store: &dyn BlobStore) {
    const LENGTH: usize = 256 * MIB;
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory_at_most();
    let key = store.put(count(LENGTH), &mut Endless { left: LENGTH }).await.unwrap();
    let mut source = store.read(&key, ByteCount::ZERO, count(LENGTH)).await.unwrap();
    let (mut read, mut longest) = (0, 0);
    while let Some(piece) = source.next().await.unwrap() {
        assert!(piece.iter().all(|byte| *byte == 7));
        read += piece.len();
        longest = longest.max(piece.len());
    }
    let used = memory_at_most().saturating_sub(before);
    assert_eq!(read, LENGTH);
    assert!(longest <= PIECE_BYTES_MAX, "a piece of {longest} bytes");
    println!("used {} MiB", used / MIB);
    assert!(used < 64 * MIB, "{used} bytes");
    store.delete(&key).await.unwrap();
}

// without the store

/// Every call of a store that is away says so within its deadline, but for those in `certain`, which may succeed; none
/// takes what it can't see for gone. `key` is of a blob, and `partial` of one under construction, for which it is no
/// harm if a server that comes back does what it was asked to do.
pub(crate) async fn is_unavailable(
    store: &dyn BlobStore,
    (key, partial): &(BlobKey, PartialBlob),
    deadline: Duration,
    certain: &[&str],
) {
    /// Calls are slowed down by other tests.
    const SLACK: Duration = Duration::from_secs(3);
    let small = bytes(22, 100);
    let long = bytes(23, 5 * MIB);
    let mut sources = (Pieces::of(&small), Pieces::of(&long));
    let calls: Vec<(&str, Later<'_, Result<(), BlobError>>)> = vec![
        ("check", store.check()),
        ("put", nothing(store.put(count(small.len()), &mut sources.0))),
        ("put of much", nothing(store.put(count(long.len()), &mut sources.1))),
        ("read", nothing(store.read(key, ByteCount::ZERO, count(10)))),
        ("read of nothing", nothing(store.read(key, ByteCount::ZERO, ByteCount::ZERO))),
        ("append", nothing(store.append(Some(partial), Bytes::from_static(b"more")))),
        ("first append", nothing(store.append(None, Bytes::from_static(b"first")))),
        ("seal", nothing(store.seal(partial))),
        ("discard", store.discard(partial)),
        ("delete", store.delete(key)),
    ];
    let checked = calls.into_iter().map(|(name, call)| async move {
        let begun = Instant::now();
        let outcome = call.await;
        let took = begun.elapsed();
        let succeeds = certain.contains(&name) && outcome.is_ok();
        assert!(succeeds || matches!(outcome, Err(BlobError::Unavailable(_))), "{name}: {outcome:?}");
        assert!(took < deadline + SLACK, "{name}: {took:?}");
    });
    all_at_once(checked.collect()).await;
}

/// A blob and one under construction that nobody needs.
pub(crate) async fn to_lose(store: &dyn BlobStore) -> (BlobKey, PartialBlob) {
    (put(store, b"0123456789").await, append(store, None, b"0123456789").await)
}

fn nothing<'a, T: 'a>(call: Later<'a, Result<T, BlobError>>) -> Later<'a, Result<(), BlobError>> {
    Box::pin(async move { call.await.map(|_| ()) })
}

// tools

/// Bytes in pieces of a MiB. Fails the test when it is asked after its end.
pub(crate) struct Pieces {
    pieces: VecDeque<Result<Bytes, BlobError>>,
    given: usize,
    ended: bool,
}

impl Pieces {
    /// These bytes, and then the end.
    pub(crate) fn of(content: &[u8]) -> Pieces {
        let pieces = content.chunks(MIB).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Pieces { pieces, given: 0, ended: false }
    }

    fn then(mut self, last: Result<Bytes, BlobError>) -> Pieces {
        self.pieces.push_back(last);
        self
    }
}

impl ByteSource for Pieces {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async {
            assert!(!self.ended, "asked after its end");
            tokio::task::yield_now().await;
            match self.pieces.pop_front() {
                Some(Ok(piece)) => {
                    self.given += 1;
                    Ok(Some(piece))
                }
                end => {
                    self.ended = true;
                    end.transpose()
                }
            }
        })
    }
}

/// Gives its pieces, and then neither more nor an end.
struct Stuck {
    pieces: Pieces,
}

impl ByteSource for Stuck {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        match self.pieces.pieces.is_empty() {
            true => Box::pin(std::future::pending()),
            false => self.pieces.next(),
        }
    }
}

/// Sevens.
struct Endless {
    left: usize,
}

impl ByteSource for Endless {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        let piece = self.left.min(MIB);
        self.left -= piece;
        Box::pin(async move { Ok(Some(Bytes::from(vec![7; piece])).filter(|piece| !piece.is_empty())) })
    }
}

/// So many bytes that look random, others for each seed.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(length + 8);
    while content.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(length);
    content
}

pub(crate) fn count(bytes: usize) -> ByteCount {
    ByteCount::new(bytes as u64).unwrap()
}

fn length(partial: &PartialBlob) -> usize {
    usize::try_from(partial.length.get()).unwrap()
}

pub(crate) async fn put(store: &dyn BlobStore, content: &[u8]) -> BlobKey {
    store.put(count(content.len()), &mut Pieces::of(content)).await.unwrap()
}

pub(crate) async fn append(store: &dyn BlobStore, to: Option<&PartialBlob>, piece: &[u8]) -> PartialBlob {
    let partial = store.append(to, Bytes::copy_from_slice(piece)).await;
    let partial = partial.unwrap_or_else(|error| panic!("{error} appending {} to {to:?}", piece.len()));
    let before = to.map_or(0, length);
    assert_eq!(length(&partial), before + piece.len());
    assert!(partial.state.len() <= PARTIAL_STATE_BYTES_MAX, "{}", partial.state);
    partial
}

/// Appends the first bytes of `content` in these pieces, behind `to`, by both processes in turn.
async fn append_all(
    store: &dyn BlobStore,
    other: &dyn BlobStore,
    to: Option<PartialBlob>,
    content: &[u8],
    pieces: &[usize],
) -> PartialBlob {
    let (mut partial, mut at) = (to, 0);
    for (number, piece) in pieces.iter().enumerate() {
        let by = if number % 2 == 0 { store } else { other };
        partial = Some(append(by, partial.as_ref(), &content[at..at + piece]).await);
        at += piece;
    }
    partial.unwrap()
}

pub(crate) async fn seal(store: &dyn BlobStore, partial: &PartialBlob) -> BlobKey {
    store.seal(partial).await.unwrap()
}

/// Some bytes of a blob, or what is wrong.
pub(crate) async fn read(
    store: &dyn BlobStore,
    key: &BlobKey,
    offset: usize,
    length: usize,
) -> Result<Vec<u8>, BlobError> {
    let mut source = store.read(key, count(offset), count(length)).await?;
    let mut content = Vec::new();
    while let Some(piece) = source.next().await? {
        assert!((1..=PIECE_BYTES_MAX).contains(&piece.len()), "a piece of {} bytes", piece.len());
        content.extend_from_slice(&piece);
    }
    assert_eq!(content.len(), length);
    Ok(content)
}

pub(crate) async fn expect(store: &dyn BlobStore, key: &BlobKey, content: &[u8]) {
    let read = read(store, key, 0, content.len()).await.unwrap();
    assert!(read == content, "{} has other bytes", key.as_str());
}

async fn all_at_once(work: Vec<impl Future<Output = ()>>) {
    let mut work: Vec<_> = work.into_iter().map(Box::pin).collect();
    poll_fn(|cx| {
        work.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        if work.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Whatever was given up may take a moment to go; so may what earlier steps gave up, so fewer are right, too.
fn has_objects(subject: &Subject<'_>, expected: Option<usize>) {
    let look = || ((subject.objects)() <= expected).then_some(());
    testkit::wait::until("no more objects than before", testkit::wait::READY, look).unwrap();
}

/// Polls a future so often, and a little later drops it.
async fn poll_times<T>(times: usize, mut future: Later<'_, T>) {
    poll_some(times, &mut future).await;
}

async fn poll_some<T>(times: usize, future: &mut Later<'_, T>) -> Option<T> {
    for _ in 0..times {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(outcome);
        }
        // Time for answers to arrive, so that it gets further with each poll. Whatever it comes to is right.
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    None
}

/// The most memory that this process has held since the mark was reset.
fn memory_at_most() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
}
