//! One function for each sentence of `drive_core::ports::Queue`.

use std::collections::BTreeSet;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drive_core::ports::{
    Append, Delivery, Lane, Later, Queue, QueueDepth, QueueError, REASON_BYTES_MAX, SetAside,
    TICKET_BYTES_MAX,
};
use drive_core::queue::ENTRY_BYTES_MAX;
use futures_util::future::join_all;

use crate::world::{ENTRY_BYTES, Setup, World};

const NOW: Duration = Duration::ZERO;
/// A lease that ends in a test, and one that does not.
const SHORT: Duration = Duration::from_millis(1000);
const LONG: Duration = Duration::from_secs(3600);
/// For what comes sooner or later.
const PATIENCE: Duration = Duration::from_secs(60);
/// What clocks and timers of servers may differ by.
const BLUR: Duration = Duration::from_millis(100);

const ROOMY: Setup = Setup { lease: LONG, room: 10_000 };
const BRIEF: Setup = Setup { lease: SHORT, room: 10_000 };
const NARROW: Setup = Setup { lease: LONG, room: 3 };

const LANE: Lane = Lane::Records;

/// What is no ticket, or none of an entry that is there.
const NOTHINGS: [&str; 12] = [
    "",
    "x",
    "0",
    "7000",
    "7000.1",
    "-1.1",
    "7000-1",
    "-",
    "+",
    "18446744073709551616",
    "7000:$JS.ACK.test_records.appliers.1.7000.7000.1.0",
    "1:$JS.ACK.>",
];

/// An entry of [`ENTRY_BYTES`].
fn entry(text: &str) -> Append {
    Append { bytes: Bytes::from(format!("{text:ENTRY_BYTES$}")) }
}

fn entries(range: std::ops::Range<u32>) -> Vec<Append> {
    range.map(|n| entry(&n.to_string())).collect()
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().trim_end().to_owned()
}

fn texts(deliveries: &[Delivery]) -> BTreeSet<String> {
    deliveries.iter().map(|delivery| text(&delivery.bytes)).collect()
}

fn tickets(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(|delivery| delivery.ticket.clone()).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(ToString::to_string).collect()
}

async fn append(queue: &dyn Queue, items: &[&str]) {
    let entries: Vec<_> = items.iter().map(|item| entry(item)).collect();
    queue.append(LANE, &entries).await.unwrap();
}

/// Claims until there are so many.
async fn claim(queue: &dyn Queue, count: usize) -> Vec<Delivery> {
    let mut got = Vec::new();
    while got.len() < count {
        let more = queue.claim(LANE, count - got.len(), PATIENCE).await.unwrap();
        assert!(!more.is_empty(), "{} of {count} came", got.len());
        got.extend(more);
    }
    got
}

async fn claim_now(queue: &dyn Queue) -> Vec<Delivery> {
    queue.claim(LANE, 100, NOW).await.unwrap()
}

async fn listed(queue: &dyn Queue) -> Vec<SetAside> {
    queue.list_set_aside(LANE, None, 100).await.unwrap()
}

async fn set_aside(queue: &dyn Queue, delivery: &Delivery, reason: &str) {
    queue.set_aside(LANE, &delivery.ticket, reason).await.unwrap();
}

/// Waits until so much is there: exact when nobody changes anything, but for a server that is behind with that.
async fn expect_depth(queue: &dyn Queue, waiting: u64, set_aside: u64) {
    let expected = QueueDepth { waiting, set_aside };
    let end = Instant::now() + PATIENCE;
    loop {
        let depth = queue.depth(LANE).await.unwrap();
        if depth == expected {
            return;
        }
        assert!(Instant::now() < end, "{depth:?} is not {expected:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Asks a future once, so that it has begun.
async fn begin<T>(future: &mut Later<'_, T>) -> Option<T> {
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

pub(crate) async fn what_is_appended_is_handed_out<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    queue.append(LANE, &[]).await.unwrap();
    let largest = Bytes::from((0..ENTRY_BYTES_MAX).map(|n| n as u8).collect::<Vec<_>>());
    let items = [Bytes::from_static(b"a"), Bytes::from_static(&[0, 255, b'\r', b'\n']), largest];
    queue.append(LANE, &[Append { bytes: items[0].clone() }]).await.unwrap();
    queue
        .append(LANE, &items[1..].iter().map(|bytes| Append { bytes: bytes.clone() }).collect::<Vec<_>>())
        .await
        .unwrap();
    let got = claim(queue, 3).await;
    let bytes: BTreeSet<_> = got.iter().map(|delivery| delivery.bytes.clone()).collect();
    assert_eq!(bytes, items.into());
    assert!(got.iter().all(|delivery| delivery.attempt == 1));
    assert!(got.iter().all(|delivery| (1..=TICKET_BYTES_MAX).contains(&delivery.ticket.len())));
    assert_eq!(tickets(&got).into_iter().collect::<BTreeSet<_>>().len(), 3);
    expect_depth(queue, 3, 0).await;
}

pub(crate) async fn lanes_do_not_meet<W: World>() {
    let world = W::start(NARROW).await;
    let queue = world.queue();
    queue.append(Lane::Records, &entries(0..3)).await.unwrap();
    queue.append(Lane::Counts, &[entry("count")]).await.unwrap();
    let got = queue.claim(Lane::Counts, 9, PATIENCE).await.unwrap();
    assert_eq!(texts(&got), set(&["count"]));
    queue.set_aside(Lane::Counts, &got[0].ticket, "r").await.unwrap();
    assert_eq!(listed(queue).await, []);
    expect_depth(queue, 3, 0).await;
    assert_eq!(queue.depth(Lane::Counts).await, Ok(QueueDepth { waiting: 0, set_aside: 1 }));
    assert_eq!(texts(&claim(queue, 3).await), set(&["0", "1", "2"]));
}

pub(crate) async fn a_claim_takes_no_more_than_it_asks_for<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    queue.append(LANE, &entries(0..10)).await.unwrap();
    assert_eq!(queue.claim(LANE, 0, PATIENCE).await, Ok(Vec::new()));
    let first = queue.claim(LANE, 4, PATIENCE).await.unwrap();
    assert!((1..=4).contains(&first.len()));
    let rest = claim(queue, 10 - first.len()).await;
    assert_eq!(texts(&[first, rest].concat()).len(), 10);
    assert_eq!(claim_now(queue).await, []);
}

pub(crate) async fn a_claim_waits_for_the_first_entry<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    for item in ["a", "b", "c"] {
        let mut waiting = queue.claim(LANE, 5, PATIENCE);
        assert_eq!(begin(&mut waiting).await, None);
        let items = [item];
        let (got, ()) = tokio::join!(waiting, append(queue, &items));
        assert_eq!(texts(&got.unwrap()), set(&[item]));
    }
}

pub(crate) async fn a_claim_ends_when_nothing_comes<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    assert_eq!(claim_now(queue).await, []);
    for wait in [Duration::from_millis(1), Duration::from_millis(600)] {
        let started = Instant::now();
        assert_eq!(queue.claim(LANE, 5, wait).await, Ok(Vec::new()));
        assert!(started.elapsed() >= wait.saturating_sub(BLUR), "{:?}", started.elapsed());
    }
}

pub(crate) async fn what_is_handed_out_comes_back_after_the_lease_and_not_before<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a", "b"]).await;
    for attempt in 1..=3 {
        let asked = Instant::now();
        let got = claim(queue, 2).await;
        assert_eq!(texts(&got), set(&["a", "b"]));
        assert!(got.iter().all(|delivery| delivery.attempt == attempt), "{got:?}");
        let early = claim_now(queue).await;
        // On a slow machine the lease may be over by now.
        assert!(early.is_empty() || asked.elapsed() >= SHORT - BLUR);
        if !early.is_empty() {
            return;
        }
        // The next claim of this loop waits for it.
    }
}

pub(crate) async fn what_is_acknowledged_never_comes_back<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a", "b", "c"]).await;
    let got = claim(queue, 3).await;
    let done: Vec<_> = got.iter().filter(|delivery| text(&delivery.bytes) != "b").cloned().collect();
    queue.acknowledge(LANE, &[]).await.unwrap();
    queue.acknowledge(LANE, &tickets(&done)).await.unwrap();
    expect_depth(queue, 1, 0).await;
    let again = queue.claim(LANE, 9, PATIENCE).await.unwrap();
    assert_eq!(texts(&again), set(&["b"]));
    queue.acknowledge(LANE, &tickets(&again)).await.unwrap();
    expect_depth(queue, 0, 0).await;
    assert_eq!(queue.claim(LANE, 9, SHORT * 2).await, Ok(Vec::new()));
}

pub(crate) async fn what_is_unknown_is_nothing_to_do<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    let nothings = NOTHINGS.map(str::to_owned);
    for full in [false, true] {
        if full {
            append(queue, &["a", "b"]).await;
            let got = claim(queue, 2).await;
            set_aside(queue, &got[0], "r").await;
        }
        queue.acknowledge(LANE, &nothings).await.unwrap();
        queue.give_back(LANE, &nothings, NOW).await.unwrap();
        for nothing in NOTHINGS {
            queue.set_aside(LANE, nothing, "reason").await.unwrap();
            queue.retry_set_aside(LANE, nothing).await.unwrap();
            queue.drop_set_aside(LANE, nothing).await.unwrap();
        }
        let there = u64::from(full);
        expect_depth(queue, there, there).await;
        assert_eq!(claim_now(queue).await, []);
    }
}

pub(crate) async fn done_is_done_after_the_lease_too<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a"]).await;
    let first = claim(queue, 1).await;
    let second = claim(queue, 1).await;
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    queue.acknowledge(LANE, &tickets(&first)).await.unwrap();
    expect_depth(queue, 0, 0).await;
    assert_eq!(queue.claim(LANE, 9, SHORT * 2).await, Ok(Vec::new()));
    queue.acknowledge(LANE, &tickets(&second)).await.unwrap();
    queue.acknowledge(LANE, &tickets(&second)).await.unwrap();
}

pub(crate) async fn what_is_given_back_comes_at_its_time<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    append(queue, &["now", "later"]).await;
    let got = claim(queue, 2).await;
    let of =
        |name: &str| vec![got.iter().find(|delivery| text(&delivery.bytes) == name).unwrap().ticket.clone()];
    let later = Duration::from_millis(1500);
    let started = Instant::now();
    queue.give_back(LANE, &of("later"), later).await.unwrap();
    queue.give_back(LANE, &of("now"), NOW).await.unwrap();
    for (name, after) in [("now", NOW), ("later", later)] {
        let again = claim(queue, 1).await;
        assert_eq!((text(&again[0].bytes).as_str(), again[0].attempt), (name, 2));
        assert!(started.elapsed() >= after.saturating_sub(BLUR), "{name} came after {:?}", started.elapsed());
    }
    assert_eq!(claim_now(queue).await, []);
}

pub(crate) async fn nothing_is_given_back_for_longer_than_the_lease<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a"]).await;
    let got = claim(queue, 1).await;
    queue.give_back(LANE, &tickets(&got), SHORT).await.unwrap();
    assert_eq!(claim(queue, 1).await[0].attempt, 2);
}

pub(crate) async fn a_full_lane_refuses_and_keeps_what_it_has<W: World>() {
    let world = W::start(NARROW).await;
    let queue = world.queue();
    append(queue, &["a", "b"]).await;
    append(queue, &["c"]).await;
    assert_eq!(queue.append(LANE, &[entry("d")]).await, Err(QueueError::Full));
    // What is handed out counts.
    let got = claim(queue, 3).await;
    assert_eq!(texts(&got), set(&["a", "b", "c"]));
    assert_eq!(queue.append(LANE, &[entry("d")]).await, Err(QueueError::Full));
    queue.acknowledge(LANE, &tickets(&got[..1])).await.unwrap();
    expect_depth(queue, 2, 0).await;
    append(queue, &["d"]).await;
    assert_eq!(queue.append(LANE, &[entry("e")]).await, Err(QueueError::Full));
    assert_eq!(texts(&claim(queue, 1).await), set(&["d"]));
}

pub(crate) async fn a_batch_that_does_not_fit_is_refused<W: World>() {
    let world = W::start(NARROW).await;
    let queue = world.queue();
    assert_eq!(queue.append(LANE, &entries(0..4)).await, Err(QueueError::Full));
    // None, some or all are there, and no more than there is room.
    let some = claim_now(queue).await;
    assert!(some.len() <= 3);
    queue.acknowledge(LANE, &tickets(&some)).await.unwrap();
    expect_depth(queue, 0, 0).await;
    queue.append(LANE, &entries(10..13)).await.unwrap();
    assert_eq!(claim(queue, 3).await.len(), 3);
}

pub(crate) async fn what_is_set_aside_is_kept_with_its_reason<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a"]).await;
    let got = claim(queue, 1).await;
    for _ in 0..2 {
        set_aside(queue, &got[0], "does not decode").await;
    }
    expect_depth(queue, 0, 1).await;
    let list = listed(queue).await;
    assert_eq!(list.len(), 1);
    assert_eq!((text(&list[0].bytes).as_str(), list[0].reason.as_str()), ("a", "does not decode"));
    assert_eq!(queue.claim(LANE, 9, SHORT * 2).await, Ok(Vec::new()));
    // Whoever had it before does not bring it back.
    queue.give_back(LANE, &tickets(&got), NOW).await.unwrap();
    queue.acknowledge(LANE, &tickets(&got)).await.unwrap();
    assert_eq!(claim_now(queue).await, []);
    assert_eq!(listed(queue).await, list);
}

pub(crate) async fn a_reason_is_any_text_and_is_cut<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    let long = "文".repeat(200);
    let reasons = ["", "a\r\nb: c\0", &long];
    queue.append(LANE, &entries(0..3)).await.unwrap();
    for (delivery, reason) in claim(queue, 3).await.iter().zip(reasons) {
        set_aside(queue, delivery, reason).await;
    }
    let list: Vec<_> = listed(queue).await.into_iter().map(|row| row.reason).collect();
    assert_eq!(list, [reasons[0], reasons[1], &"文".repeat(REASON_BYTES_MAX / 3)]);
}

pub(crate) async fn those_set_aside_come_in_pages<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    queue.append(LANE, &entries(0..5)).await.unwrap();
    let mut got = claim(queue, 5).await;
    // In another order than they were appended in.
    got.sort_by_key(|delivery| std::cmp::Reverse(text(&delivery.bytes)));
    for delivery in &got {
        set_aside(queue, delivery, "r").await;
    }
    let page = async |after: Option<&str>, count| {
        let page = queue.list_set_aside(LANE, after, count).await.unwrap();
        (page.iter().map(|row| text(&row.bytes)).collect::<String>(), page)
    };
    let (all, rows) = page(None, 9).await;
    assert_eq!(all, "43210");
    assert!(rows.iter().all(|row| row.ticket.len() <= TICKET_BYTES_MAX));
    let after = |index: usize| Some(rows[index].ticket.as_str());
    assert_eq!(page(None, 2).await.0, "43");
    assert_eq!(page(after(1), 2).await.0, "21");
    assert_eq!(page(after(3), 2).await.0, "0");
    assert_eq!(page(after(4), 2).await.0, "");
    assert_eq!(page(None, 0).await.0, "");
    queue.drop_set_aside(LANE, &rows[1].ticket).await.unwrap();
    assert_eq!(page(after(1), 2).await.0, "21");
    assert_eq!(page(after(0), 2).await.0, "21");
    assert_eq!(page(Some("no ticket"), 2).await.0, "");
}

pub(crate) async fn what_is_set_aside_can_be_tried_again<W: World>() {
    let world = W::start(NARROW).await;
    let queue = world.queue();
    append(queue, &["a", "b", "c"]).await;
    let got = claim(queue, 3).await;
    for delivery in &got[..2] {
        set_aside(queue, delivery, "r").await;
    }
    let rows = listed(queue).await;
    for _ in 0..2 {
        queue.retry_set_aside(LANE, &rows[0].ticket).await.unwrap();
    }
    expect_depth(queue, 2, 1).await;
    assert_eq!(listed(queue).await, rows[1..]);
    let again = claim(queue, 1).await;
    assert_eq!((&again[0].bytes, again[0].attempt), (&rows[0].bytes, 1));
    assert_eq!(claim_now(queue).await, []);
    // And a second time around.
    set_aside(queue, &again[0], "still").await;
    let rows = listed(queue).await;
    assert_eq!(rows[1].reason, "still");
    queue.retry_set_aside(LANE, &rows[1].ticket).await.unwrap();
    let done = claim(queue, 1).await;
    assert_eq!(done[0].bytes, rows[1].bytes);
    queue.acknowledge(LANE, &tickets(&done)).await.unwrap();
    expect_depth(queue, 1, 1).await;
}

pub(crate) async fn what_is_set_aside_can_be_dropped<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a", "b"]).await;
    let got = claim(queue, 2).await;
    for delivery in &got {
        set_aside(queue, delivery, "r").await;
    }
    let rows = listed(queue).await;
    for _ in 0..2 {
        queue.drop_set_aside(LANE, &rows[0].ticket).await.unwrap();
    }
    assert_eq!(listed(queue).await, rows[1..]);
    queue.retry_set_aside(LANE, &rows[0].ticket).await.unwrap();
    expect_depth(queue, 0, 1).await;
    assert_eq!(queue.claim(LANE, 9, SHORT * 2).await, Ok(Vec::new()));
}

pub(crate) async fn those_set_aside_have_a_bound_too<W: World>() {
    let world = W::start(NARROW).await;
    let queue = world.queue();
    append(queue, &["a", "b", "c"]).await;
    for delivery in claim(queue, 3).await {
        set_aside(queue, &delivery, "").await;
    }
    expect_depth(queue, 0, 3).await;
    match queue.append(LANE, &[entry("d")]).await {
        // They count in the lane.
        Err(QueueError::Full) => {}
        // They have a bound of their own; and what does not fit stays where it is.
        Ok(()) => {
            let got = claim(queue, 1).await;
            assert_eq!(queue.set_aside(LANE, &got[0].ticket, "").await, Err(QueueError::Full));
            expect_depth(queue, 1, 3).await;
            queue.give_back(LANE, &tickets(&got), NOW).await.unwrap();
            let again = claim(queue, 1).await;
            queue.acknowledge(LANE, &tickets(&again)).await.unwrap();
        }
        Err(error) => panic!("{error}"),
    }
    assert_eq!(listed(queue).await.len(), 3);
    queue.drop_set_aside(LANE, &listed(queue).await[0].ticket).await.unwrap();
    append(queue, &["e"]).await;
    let got = claim(queue, 1).await;
    assert_eq!(texts(&got), set(&["e"]));
    set_aside(queue, &got[0], "").await;
    expect_depth(queue, 0, 3).await;
}

pub(crate) async fn appends_and_claims_of_many_at_once_lose_nothing<W: World>() {
    const EACH: u32 = 20;
    const WRITERS: u32 = 30;
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    let writers = (0..WRITERS).map(|writer| async move {
        let mine = entries(writer * EACH..(writer + 1) * EACH);
        for pair in mine.chunks(2) {
            queue.append(LANE, pair).await.unwrap();
        }
    });
    let all = (WRITERS * EACH) as usize;
    let count = std::cell::Cell::new(0);
    let readers = (0..4).map(|_| async {
        let mut mine = Vec::new();
        while count.get() < all {
            let got = queue.claim(LANE, 17, Duration::from_millis(50)).await.unwrap();
            count.set(count.get() + got.len());
            queue.acknowledge(LANE, &tickets(&got)).await.unwrap();
            mine.extend(got);
        }
        mine
    });
    let (_, got) = tokio::join!(join_all(writers), join_all(readers));
    let got = got.concat();
    assert_eq!(got.len(), all);
    assert_eq!(texts(&got), (0..WRITERS * EACH).map(|n| n.to_string()).collect());
    expect_depth(queue, 0, 0).await;
}

pub(crate) async fn equal_entries_are_one_or_two<W: World>() {
    let world = W::start(ROOMY).await;
    let queue = world.queue();
    append(queue, &["a"]).await;
    append(queue, &["a"]).await;
    append(queue, &["b"]).await;
    let waiting = queue.depth(LANE).await.unwrap().waiting;
    assert!((2..=3).contains(&waiting));
    let got = claim(queue, waiting as usize).await;
    assert_eq!(texts(&got), set(&["a", "b"]));
}

pub(crate) async fn a_dropped_claim_costs_a_lease_at_most<W: World>() {
    let world = W::start(BRIEF).await;
    let queue = world.queue();
    append(queue, &["a"]).await;
    // Known to it, so that the next call begins with the claim itself.
    queue.depth(LANE).await.unwrap();
    // Whether its answer was here already or is on its way, nobody has seen it.
    let mut dropped = queue.claim(LANE, 1, PATIENCE);
    drop(begin(&mut dropped).await);
    drop(dropped);
    let got = claim(queue, 1).await;
    assert_eq!(texts(&got), set(&["a"]));
    // One that only waits takes nothing along.
    queue.acknowledge(LANE, &tickets(&got)).await.unwrap();
    let mut dropped = queue.claim(LANE, 1, PATIENCE);
    assert_eq!(begin(&mut dropped).await, None);
    drop(dropped);
    append(queue, &["b"]).await;
    assert_eq!(texts(&claim(queue, 1).await), set(&["b"]));
}

pub(crate) async fn entries_of_a_process_that_died_come_back<W: World>() {
    let mut world = W::start(BRIEF).await;
    append(world.queue(), &["a", "b", "c"]).await;
    let got = claim(world.queue(), 3).await;
    let (a, others) = got.split_first().unwrap();
    world.queue().acknowledge(LANE, std::slice::from_ref(&a.ticket)).await.unwrap();
    set_aside(world.queue(), &others[0], "r").await;
    world.another_process().await;
    let again = claim(world.queue(), 1).await;
    assert_eq!(again[0].bytes, others[1].bytes);
    expect_depth(world.queue(), 1, 1).await;
    assert_eq!(listed(world.queue()).await[0].bytes, others[0].bytes);
    // What is older than the process names nothing that is newer.
    world.queue().acknowledge(LANE, &tickets(&again)).await.unwrap();
    expect_depth(world.queue(), 0, 1).await;
    world.another_process().await;
    append(world.queue(), &["d"]).await;
    world.queue().acknowledge(LANE, &tickets(&got)).await.unwrap();
    assert_eq!(texts(&claim(world.queue(), 1).await), set(&["d"]));
}

pub(crate) async fn what_was_appended_survives_a_kill<W: World>() {
    let mut world = W::start(BRIEF).await;
    world.queue().append(LANE, &entries(0..50)).await.unwrap();
    let got = claim(world.queue(), 20).await;
    set_aside(world.queue(), &got[0], "r").await;
    world.kill().await;
    // The first call may find the old connection broken.
    let end = Instant::now() + PATIENCE;
    while let Err(error) = world.queue().depth(LANE).await {
        assert!(Instant::now() < end, "{error}");
    }
    let mut seen = BTreeSet::new();
    while seen.len() < 49 {
        let more = world.queue().claim(LANE, 50, PATIENCE).await.unwrap();
        assert!(!more.is_empty());
        world.queue().acknowledge(LANE, &tickets(&more)).await.unwrap();
        seen.extend(texts(&more));
    }
    let aside = listed(world.queue()).await;
    assert_eq!(aside[0].bytes, got[0].bytes);
    seen.insert(text(&aside[0].bytes));
    assert_eq!(seen, (0..50).map(|n| n.to_string()).collect());
}
