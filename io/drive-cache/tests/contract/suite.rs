//! One function for each sentence of `drive_core::ports::Cache`.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use drive_core::account::{AddressBlock, Track};
use drive_core::ports::{
    BOARD_ENTRIES_MAX, BOARD_SCORE_MAX, Board, CACHE_VALUE_BYTES_MAX, CacheKey, Order, PurposeOfRate,
    RateSubject,
};
use drive_core::ranking::RankEntry;
use drive_core::rate::{Admission, Rate};
use drive_core::session::TokenDigest;
use drive_core::share::VisitorMark;
use drive_core::{AccountId, ShareId, UnixMillis};
use futures_util::future::join_all;

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(60);

fn token(n: u8) -> CacheKey {
    CacheKey::Token(TokenDigest([n; 32]))
}

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn share(n: i64) -> ShareId {
    ShareId::new(n).unwrap()
}

fn ranks(rows: &[(i64, u64)]) -> Vec<RankEntry> {
    rows.iter().map(|(id, score)| RankEntry { share: share(*id), score: *score }).collect()
}

async fn kept(world: &dyn World, key: &CacheKey) -> Option<String> {
    let value = world.cache().get(key).await.unwrap()?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}

async fn put(world: &dyn World, key: &CacheKey, text: &str, ttl: Duration) {
    world.cache().put(key, value(text), ttl).await.unwrap();
}

async fn page(world: &dyn World, order: Order, from: usize, count: usize) -> Option<Vec<(i64, u64)>> {
    let page = world.cache().board_page(Board::Downloads, order, from, count).await.unwrap()?;
    Some(page.iter().map(|entry| (entry.share.get(), entry.score)).collect())
}

async fn whole(world: &dyn World) -> Option<Vec<(i64, u64)>> {
    page(world, Order::Highest, 0, usize::MAX).await
}

async fn replace(world: &dyn World, rows: &[(i64, u64)], ttl: Duration) {
    world.cache().board_replace(Board::Downloads, &ranks(rows), ttl).await.unwrap();
}

async fn add(world: &dyn World, rows: &[(i64, u64)]) {
    world.cache().board_add(Board::Downloads, &ranks(rows)).await.unwrap();
}

pub(crate) async fn a_value_is_kept_under_its_key_until_its_time_is_over(world: &dyn World) {
    assert_eq!(kept(world, &token(1)).await, None);
    put(world, &token(1), "a", HOUR).await;
    put(world, &token(2), "b", MOMENT).await;
    assert_eq!(kept(world, &token(1)).await.as_deref(), Some("a"));
    world.pass(MOMENT).await;
    assert_eq!(kept(world, &token(1)).await.as_deref(), Some("a"));
    assert_eq!(kept(world, &token(2)).await, None);
}

pub(crate) async fn the_next_value_takes_the_place_of_the_last_with_its_own_time(world: &dyn World) {
    put(world, &token(1), "short", MOMENT).await;
    put(world, &token(1), "long", HOUR).await;
    put(world, &token(2), "long", HOUR).await;
    put(world, &token(2), "short", MOMENT).await;
    world.pass(MOMENT).await;
    assert_eq!(kept(world, &token(1)).await.as_deref(), Some("long"));
    assert_eq!(kept(world, &token(2)).await, None);
}

pub(crate) async fn no_kind_of_key_meets_another(world: &dyn World) {
    let block = AddressBlock::of(IpAddr::from([192, 0, 2, 7]));
    let keys = [
        token(7),
        token(8),
        CacheKey::Attempts(Track::Account("7".to_owned())),
        CacheKey::Attempts(Track::Account("{7}".to_owned())),
        CacheKey::Attempts(Track::Account("192.0.2.7".to_owned())),
        CacheKey::Attempts(Track::Address(block)),
        CacheKey::Attempts(Track::Share(share(7))),
        CacheKey::Attempts(Track::ShareAddress(share(7), block)),
        CacheKey::Challenge([7; 32]),
        CacheKey::Probe,
    ];
    for (index, key) in keys.iter().enumerate() {
        put(world, key, &index.to_string(), HOUR).await;
    }
    replace(world, &[(7, 7)], HOUR).await;
    let rate = Rate::new(1, HOUR, 1).unwrap();
    let subject = RateSubject::Address(block);
    world.cache().take(&subject, PurposeOfRate::Request, &rate, UnixMillis(0)).await.unwrap();
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(kept(world, key).await, Some(index.to_string()), "{key:?}");
    }
}

pub(crate) async fn removing_forgets_these_keys_and_no_others(world: &dyn World) {
    for n in 1..=4 {
        put(world, &token(n), "x", HOUR).await;
    }
    world.cache().remove(&[]).await.unwrap();
    world.cache().remove(&[token(1), token(9), token(3)]).await.unwrap();
    world.cache().remove(&[token(3)]).await.unwrap();
    let mut left = Vec::new();
    for n in 1..=4 {
        left.push(kept(world, &token(n)).await.is_some());
    }
    assert_eq!(left, [false, true, false, true]);
}

pub(crate) async fn what_is_kept_for_no_time_is_not_kept(world: &dyn World) {
    let nothing = Duration::from_micros(999);
    put(world, &token(1), "a", HOUR).await;
    put(world, &token(1), "b", nothing).await;
    assert_eq!(kept(world, &token(1)).await, None);
    assert!(world.cache().swap(&token(1), None, value("c"), nothing).await.unwrap());
    assert_eq!(kept(world, &token(1)).await, None);
    put(world, &token(1), "a", Duration::MAX).await;
    assert_eq!(kept(world, &token(1)).await.as_deref(), Some("a"));
    replace(world, &[(1, 1)], HOUR).await;
    replace(world, &[(2, 2)], nothing).await;
    assert_eq!(whole(world).await, None);
}

pub(crate) async fn a_value_that_is_too_large_is_refused_and_changes_nothing(world: &dyn World) {
    let largest = Bytes::from(vec![b'x'; CACHE_VALUE_BYTES_MAX]);
    let more = Bytes::from(vec![b'x'; CACHE_VALUE_BYTES_MAX + 1]);
    put(world, &token(1), "a", HOUR).await;
    let cache = world.cache();
    cache.put(&token(1), more.clone(), HOUR).await.unwrap_err();
    cache.swap(&token(1), Some(b"a"), more, HOUR).await.unwrap_err();
    assert_eq!(kept(world, &token(1)).await.as_deref(), Some("a"));
    cache.put(&token(1), largest.clone(), HOUR).await.unwrap();
    assert_eq!(cache.get(&token(1)).await.unwrap(), Some(largest));
}

pub(crate) async fn any_bytes_are_a_value(world: &dyn World) {
    let cache = world.cache();
    for bytes in [Bytes::new(), Bytes::from_static(&[0, 255, b'\r', b'\n', 128]), Bytes::from_static(b"0")] {
        cache.put(&token(1), bytes.clone(), HOUR).await.unwrap();
        assert_eq!(cache.get(&token(1)).await.unwrap(), Some(bytes.clone()));
        assert!(!cache.swap(&token(1), None, value("n"), HOUR).await.unwrap());
        assert!(cache.swap(&token(1), Some(&bytes), value("n"), HOUR).await.unwrap());
    }
}

pub(crate) async fn a_swap_asks_what_is_kept_now(world: &dyn World) {
    let cache = world.cache();
    for (before, expected, done) in [
        (None, None, true),
        (None, Some("a"), false),
        (None, Some(""), false),
        (Some("a"), None, false),
        (Some("a"), Some("a"), true),
        (Some("a"), Some("b"), false),
        (Some("a"), Some("ab"), false),
        (Some(""), Some(""), true),
        (Some(""), None, false),
    ] {
        cache.remove(&[token(1)]).await.unwrap();
        if let Some(before) = before {
            put(world, &token(1), before, HOUR).await;
        }
        let swapped = cache.swap(&token(1), expected.map(str::as_bytes), value("new"), HOUR).await;
        assert_eq!(swapped, Ok(done), "{before:?} {expected:?}");
        let after = if done { Some("new") } else { before };
        assert_eq!(kept(world, &token(1)).await.as_deref(), after, "{before:?} {expected:?}");
    }
    put(world, &token(1), "a", MOMENT).await;
    world.pass(MOMENT).await;
    assert!(cache.swap(&token(1), None, value("b"), HOUR).await.unwrap());
}

pub(crate) async fn a_swapped_value_has_its_own_time(world: &dyn World) {
    let cache = world.cache();
    put(world, &token(1), "a", HOUR).await;
    put(world, &token(2), "a", MOMENT).await;
    // The second swap fails when the moment was over before it, and there is nothing to be seen then.
    cache.swap(&token(1), Some(b"a"), value("b"), MOMENT).await.unwrap();
    let in_time = cache.swap(&token(2), Some(b"a"), value("b"), HOUR).await.unwrap();
    world.pass(MOMENT).await;
    assert_eq!(kept(world, &token(1)).await, None);
    assert_eq!(kept(world, &token(2)).await.is_some(), in_time);
}

pub(crate) async fn of_many_swaps_at_once_one_wins(world: &dyn World) {
    let cache = world.cache();
    let swaps = (0..50).map(|_| async { cache.swap(&token(1), None, value("0"), HOUR).await.unwrap() });
    assert_eq!(join_all(swaps).await.into_iter().filter(|won| *won).count(), 1);
    // Fifty count up, each until its own has been counted.
    let counts = (0..50).map(|_| async {
        loop {
            let before = kept(world, &token(1)).await.unwrap();
            let after = (before.parse::<u32>().unwrap() + 1).to_string();
            if cache.swap(&token(1), Some(before.as_bytes()), value(&after), HOUR).await.unwrap() {
                return;
            }
        }
    });
    join_all(counts).await;
    assert_eq!(kept(world, &token(1)).await.as_deref(), Some("50"));
}

pub(crate) async fn requests_are_counted_as_the_rule_says(world: &dyn World) {
    let subject = RateSubject::Account(AccountId::new(1).unwrap());
    // Long intervals: what is kept must not end in the time that the test takes.
    for (purpose, rate) in [
        (PurposeOfRate::Request, Rate::new(1, HOUR, 1).unwrap()),
        (PurposeOfRate::Registration, Rate::new(7, HOUR, 5).unwrap()),
        (PurposeOfRate::Proof, Rate::new(1, HOUR * 1000, 20).unwrap()),
    ] {
        let (mut state, mut now, mut random) = (None, 1_700_000_000_000_i64, 1_u64);
        let mut admitted = 0;
        for _ in 0..300 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Mostly forwards, up to twice an interval; sometimes a step back.
            let step = (random >> 33) as i64 % (2 * i64::from(rate.interval_ms()));
            now += if random >> 61 == 0 { -step } else { step / 4 };
            let (after, expected) = rate.admit(state, UnixMillis(now));
            state = after;
            admitted += i32::from(expected == Admission::Admitted);
            let got = world.cache().take(&subject, purpose, &rate, UnixMillis(now)).await.unwrap();
            assert_eq!(got, expected, "{purpose:?} at {now}");
        }
        assert!((10..300).contains(&admitted), "{purpose:?}: {admitted}");
    }
}

pub(crate) async fn of_many_requests_at_once_the_burst_goes_through(world: &dyn World) {
    let rate = Rate::new(1, HOUR, 10).unwrap();
    let subject = RateSubject::Account(AccountId::new(1).unwrap());
    let takes = (0..100).map(|_| world.cache().take(&subject, PurposeOfRate::Request, &rate, UnixMillis(0)));
    let admitted = join_all(takes).await.into_iter().filter(|one| *one == Ok(Admission::Admitted)).count();
    assert_eq!(admitted, 10);
}

pub(crate) async fn a_count_lives_no_longer_than_it_means_something(world: &dyn World) {
    let subject = RateSubject::Account(AccountId::new(1).unwrap());
    let rate = Rate::new(1, MOMENT, 2).unwrap();
    for at in [0, 0] {
        let take = world.cache().take(&subject, PurposeOfRate::Request, &rate, UnixMillis(at)).await;
        assert_eq!(take, Ok(Admission::Admitted));
    }
    world.pass(MOMENT * 2).await;
    // By the arithmetic alone it would be refused: no time has passed for it.
    let take = world.cache().take(&subject, PurposeOfRate::Request, &rate, UnixMillis(0)).await;
    assert_eq!(take, Ok(Admission::Admitted));
}

pub(crate) async fn subjects_and_purposes_are_counted_apart(world: &dyn World) {
    let rate = Rate::new(1, HOUR, 1).unwrap();
    let account = |n| RateSubject::Account(AccountId::new(n).unwrap());
    let address = |n| RateSubject::Address(AddressBlock::of(IpAddr::from([192, 0, 2, n])));
    let visitor = |n, m| RateSubject::Visitor(ShareId::new(n).unwrap(), VisitorMark([m; 16]));
    let visitors = [visitor(1, 1), visitor(1, 2), visitor(2, 1)];
    for subject in [account(1), account(2), address(1), address(2)].into_iter().chain(visitors) {
        use PurposeOfRate::{Picture, Proof, Registration, Request};
        for purpose in [Request, Registration, Proof, Picture] {
            let mut seen = Vec::new();
            for _ in 0..2 {
                seen.push(world.cache().take(&subject, purpose, &rate, UnixMillis(5)).await.unwrap());
            }
            assert_eq!(
                seen,
                [Admission::Admitted, Admission::Refused { retry_after: HOUR }],
                "{subject:?} {purpose:?}"
            );
        }
    }
}

pub(crate) async fn without_a_board_nothing_is_added_and_there_is_no_page(world: &dyn World) {
    assert_eq!(whole(world).await, None);
    add(world, &[(1, 1)]).await;
    world.cache().board_remove(Board::Downloads, &[share(1)]).await.unwrap();
    assert_eq!(whole(world).await, None);
    assert_eq!(page(world, Order::Lowest, 0, 0).await, None);
}

pub(crate) async fn a_board_has_pages_from_both_ends(world: &dyn World) {
    replace(world, &[(3, 5), (1, 0), (9, 7), (i64::MAX, 5), (10, 5), (4, 0)], HOUR).await;
    let high = [(9, 7), (3, 5), (10, 5), (i64::MAX, 5), (1, 0), (4, 0)];
    let mut low = high;
    low.reverse();
    for (order, list) in [(Order::Highest, high), (Order::Lowest, low)] {
        for (from, count) in [
            (0, 6),
            (0, 7),
            (0, 1),
            (0, 0),
            (2, 2),
            (2, 0),
            (5, 1),
            (5, 9),
            (6, 1),
            (7, 3),
            (usize::MAX, usize::MAX),
        ] {
            let expected: Vec<_> = list.iter().skip(from).take(count).copied().collect();
            assert_eq!(page(world, order, from, count).await, Some(expected), "{order:?} {from} {count}");
        }
    }
}

pub(crate) async fn a_board_without_entries_is_an_answer(world: &dyn World) {
    replace(world, &[], HOUR).await;
    for order in [Order::Highest, Order::Lowest] {
        assert_eq!(page(world, order, 0, 10).await, Some(Vec::new()));
        assert_eq!(page(world, order, 0, 0).await, Some(Vec::new()));
    }
    add(world, &[(1, 0)]).await;
    assert_eq!(whole(world).await, Some(vec![(1, 0)]));
}

pub(crate) async fn scores_are_added_to_and_new_links_come_on(world: &dyn World) {
    replace(world, &[(1, 10), (2, 20)], HOUR).await;
    add(world, &[(1, 11), (3, 5), (3, 1), (2, 0)]).await;
    assert_eq!(whole(world).await, Some(vec![(1, 21), (2, 20), (3, 6)]));
    add(world, &[]).await;
    let adds = (0..50).map(|_| add(world, &[(2, 1), (4, 2)]));
    join_all(adds).await;
    assert_eq!(whole(world).await, Some(vec![(4, 100), (2, 70), (1, 21), (3, 6)]));
}

pub(crate) async fn links_are_taken_off(world: &dyn World) {
    replace(world, &[(1, 10), (2, 20), (3, 30)], HOUR).await;
    world.cache().board_remove(Board::Downloads, &[]).await.unwrap();
    world.cache().board_remove(Board::Downloads, &[share(2), share(9)]).await.unwrap();
    assert_eq!(whole(world).await, Some(vec![(3, 30), (1, 10)]));
    world.cache().board_remove(Board::Downloads, &[share(1), share(3)]).await.unwrap();
    assert_eq!(whole(world).await, Some(Vec::new()));
    add(world, &[(2, 1)]).await;
    assert_eq!(whole(world).await, Some(vec![(2, 1)]));
}

pub(crate) async fn a_new_board_takes_the_place_of_the_old_one_with_its_own_time(world: &dyn World) {
    replace(world, &[(1, 10), (2, 20)], HOUR).await;
    replace(world, &[(3, 1), (2, 2)], HOUR).await;
    assert_eq!(whole(world).await, Some(vec![(2, 2), (3, 1)]));
    replace(world, &[(4, 1)], MOMENT).await;
    world.pass(MOMENT).await;
    assert_eq!(whole(world).await, None);
    add(world, &[(4, 1)]).await;
    assert_eq!(whole(world).await, None);
    replace(world, &[(4, 1)], MOMENT).await;
    replace(world, &[(5, 1)], HOUR).await;
    world.pass(MOMENT).await;
    assert_eq!(whole(world).await, Some(vec![(5, 1)]));
}

pub(crate) async fn readers_see_the_old_board_or_the_new_one(world: &dyn World) {
    let one: Vec<_> = (1..=3000).map(|id| (id, 1)).collect();
    let other: Vec<_> = (2001..=5000).map(|id| (id, 2)).collect();
    replace(world, &one, HOUR).await;
    let write = async {
        for _ in 0..5 {
            replace(world, &other, HOUR).await;
            replace(world, &one, HOUR).await;
        }
    };
    let read = async {
        for _ in 0..50 {
            let seen = whole(world).await.unwrap();
            assert!(seen == one || seen == other, "{} entries", seen.len());
        }
    };
    tokio::join!(write, read);
}

pub(crate) async fn scores_end_where_they_can_not_be_told_apart(world: &dyn World) {
    let most = BOARD_SCORE_MAX;
    replace(world, &[(1, most - 1), (2, most), (3, most + 1), (4, u64::MAX), (5, 0)], HOUR).await;
    let expected = vec![(2, most), (3, most), (4, most), (1, most - 1), (5, 0)];
    assert_eq!(whole(world).await, Some(expected));
    add(world, &[(1, 1), (2, 1), (5, u64::MAX), (6, u64::MAX)]).await;
    assert_eq!(whole(world).await, Some((1..=6).map(|id| (id, most)).collect()));
}

pub(crate) async fn a_board_has_so_many_entries_and_no_more(world: &dyn World) {
    let most = BOARD_ENTRIES_MAX as i64;
    let rows: Vec<_> = (1..=most).map(|id| (id, 1)).collect();
    replace(world, &rows, HOUR).await;
    let more = ranks(&(1..=most + 1).map(|id| (id, 2)).collect::<Vec<_>>());
    world.cache().board_replace(Board::Downloads, &more, HOUR).await.unwrap_err();
    assert_eq!(page(world, Order::Lowest, 0, 1).await, Some(vec![(most, 1)]));
    assert_eq!(page(world, Order::Highest, BOARD_ENTRIES_MAX - 1, 9).await, Some(vec![(most, 1)]));
    add(world, &[(most + 7, 9), (most, 4)]).await;
    let first = page(world, Order::Highest, 0, 2).await.unwrap();
    assert_eq!(first, [(most, 5), (1, 1)]);
}

pub(crate) async fn a_dropped_call_mixes_up_no_answers(world: &dyn World) {
    for n in 0..20 {
        put(world, &token(n), &n.to_string(), HOUR).await;
    }
    for n in 0..20 {
        let (dropped, key) = (token((n + 1) % 20), token(n));
        let mut call = world.cache().get(&dropped);
        // Asked once, which sends it, and dropped before the answer is taken.
        std::future::poll_fn(|context| {
            let _ = call.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
        drop(call);
        assert_eq!(kept(world, &key).await, Some(n.to_string()));
    }
}

pub(crate) async fn it_answers(world: &dyn World) {
    world.cache().check().await.unwrap();
}
