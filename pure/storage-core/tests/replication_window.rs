//! The window of replication: order within a file, freedom between files, and the place that may be saved.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

use fdfs_format::Mark;
use fdfs_format::binlog::{Change, Record};
use storage_core::replication::LogPosition;
use storage_core::replication::need::Need;
use storage_core::replication::sender::{How, Sender, SenderRules};
use storage_core::replication::steps::Done;
use storage_core::replication::window::{
    ATTEMPTS_MAX, Entry, Job, Ticket, Verdict, WINDOW_BYTES_MAX, WINDOW_RECORDS_MAX, WINDOW_SPAN_MAX, Window,
};
use storage_core::time::Mono;

const NOW: Mono = Mono(1_000);

fn at(offset: u64) -> LogPosition {
    LogPosition { file: 0, offset }
}

/// A name per number; those of different store paths end in different digits.
fn name(path: u8, n: u32) -> String {
    format!("M{path:02X}/00/00/file{n:06}")
}

fn line(op: char, name: &str, extra: &str) -> Record {
    Record::parse(format!("1700000000 {op} {name}{extra}").as_bytes()).unwrap()
}

/// Enters records, each 10 bytes long.
fn window(records: &[Record]) -> Window {
    let mut window = Window::new(at(0));
    for (n, record) in (1..).zip(records) {
        enter(&mut window, record.clone(), n * 10);
    }
    window
}

fn enter(window: &mut Window, record: Record, end: u64) {
    window.enter(Entry { record, need: Need::Yes, end: at(end), len: 10 });
}

/// Takes all that may travel now; what they are by the ends of their lines.
fn take_all(window: &mut Window) -> Vec<(u64, Ticket)> {
    std::iter::from_fn(|| window.take(NOW)).map(|Job { ticket, entry }| (entry.end.offset, ticket)).collect()
}

fn ends(jobs: &[(u64, Ticket)]) -> Vec<u64> {
    jobs.iter().map(|(end, _)| *end).collect()
}

#[test]
fn d4_records_of_one_file_follow_each_other_whatever_they_are() {
    let (a, b) = (name(0, 1), name(0, 2));
    let mut window = window(&[
        line('C', &a, ""),
        line('A', &a, " 0 5"),
        line('A', &a, " 5 5"),
        line('C', &format!("{a}-m"), ""),
        line('C', &b, ""),
        line('M', &a, " 0 5"),
        line('T', &a, " 10 0"),
        line('D', &a, ""),
    ]);
    let mut seen = Vec::new();
    let mut jobs = take_all(&mut window);
    assert_eq!(ends(&jobs), [10, 50]);
    while let Some((end, ticket)) = jobs.pop() {
        seen.push(end);
        window.taken(ticket, true);
        jobs.extend(take_all(&mut window));
    }
    assert_eq!(seen, [50, 10, 20, 30, 40, 60, 70, 80]);
    assert_eq!((window.acknowledged(), window.open()), (at(80), 0));
}

#[test]
fn a_rename_waits_for_both_its_names_and_both_wait_for_it() {
    let (old, new) = (name(0, 1), name(0, 2));
    let mut window = window(&[
        line('A', &old, " 0 5"),
        line('C', &new, ""),
        line('R', &new, &format!(" {old}")),
        line('D', &old, ""),
        line('D', &format!("{new}-m"), ""),
    ]);
    let jobs = take_all(&mut window);
    assert_eq!(ends(&jobs), [10, 20]);
    window.taken(jobs[0].1, true);
    assert_eq!(take_all(&mut window), []);
    window.taken(jobs[1].1, true);
    let jobs = take_all(&mut window);
    assert_eq!(ends(&jobs), [30]);
    window.taken(jobs[0].1, true);
    assert_eq!(ends(&take_all(&mut window)), [40, 50]);
}

#[test]
fn a_slave_is_a_file_of_its_own_and_an_old_form_of_a_name_is_not() {
    let master = "M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
    let slave = "M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482_big.txt";
    let mut window = window(&[line('C', master, ""), line('C', slave, ""), line('D', &master[4..], "")]);
    assert_eq!(ends(&take_all(&mut window)), [10, 20]);
}

#[test]
fn d6_d7_d20_only_what_arrived_without_a_gap_may_be_saved() {
    let mut window = window(&[1, 2, 3, 4].map(|n| line('C', &name(0, n), "")));
    let jobs = take_all(&mut window);
    window.taken(jobs[3].1, true);
    window.taken(jobs[1].1, true);
    assert_eq!((window.acknowledged(), window.acknowledged_count()), (at(0), 0));
    window.taken(jobs[0].1, true);
    assert_eq!((window.acknowledged(), window.acknowledged_count()), (at(20), 2));
    window.failed(jobs[2].1, NOW, 0);
    assert_eq!(window.acknowledged(), at(20));
}

#[test]
fn lines_that_need_nothing_count_as_soon_as_all_before_them_does() {
    let mut window = Window::new(at(0));
    window.pass(at(10));
    assert_eq!(window.acknowledged(), at(10));
    enter(&mut window, line('C', &name(0, 1), ""), 20);
    window.pass(at(30));
    window.pass(at(40));
    assert_eq!(window.acknowledged(), at(10));
    let jobs = take_all(&mut window);
    window.taken(jobs[0].1, true);
    assert_eq!((window.acknowledged(), window.acknowledged_count()), (at(40), 1));
}

#[test]
fn d17_a_record_that_fails_is_tried_again_while_others_go_on_and_set_aside_in_the_end() {
    let mut window = window(&[line('C', &name(0, 1), ""), line('C', &name(0, 2), "")]);
    let jobs = take_all(&mut window);
    let bad = jobs[0].1;
    let mut now = NOW;
    for (attempts, pause) in (1..).zip([1_000, 2_000, 4_000, 8_000, 16_000]) {
        assert_eq!(window.failed(bad, now, 0), Verdict::Again { attempts });
        assert_eq!(window.next_due(), Some(now.after_ms(pause)));
        assert_eq!(window.take(now.after_ms(pause - 1)), None);
        if attempts == 1 {
            window.taken(jobs[1].1, true);
        }
        now = now.after_ms(pause);
        assert_eq!(window.take(now).unwrap().ticket, bad);
    }
    assert_eq!(window.acknowledged(), at(0));
    assert_eq!(window.failed(bad, now, 0), Verdict::SetAside);
    assert_eq!((window.acknowledged(), window.open()), (at(20), 0));
}

#[test]
fn d17_nothing_is_set_aside_while_nothing_of_its_store_path_is_taken() {
    let mut window =
        window(&[line('C', &name(1, 1), ""), line('C', &name(0, 2), ""), line('C', &name(1, 3), "")]);
    let jobs = take_all(&mut window);
    window.taken(jobs[1].1, true);
    for attempts in 1..=3 * ATTEMPTS_MAX {
        for bad in [jobs[0].1, jobs[2].1] {
            assert_eq!(window.failed(bad, NOW, 0), Verdict::Again { attempts });
        }
        assert_eq!(window.take(NOW), None);
        let later = Mono(u64::MAX);
        assert!(window.take(later).is_some() && window.take(later).is_some());
    }
    // Needing nothing proves nothing.
    window.taken(jobs[0].1, false);
    assert!(matches!(window.failed(jobs[2].1, NOW, 0), Verdict::Again { .. }));
    enter(&mut window, line('C', &name(1, 4), ""), 40);
    let next = take_all(&mut window);
    window.taken(next[0].1, true);
    assert_eq!(window.failed(jobs[2].1, NOW, 0), Verdict::SetAside);
    assert_eq!(window.acknowledged(), at(40));
}

#[test]
fn what_did_not_get_to_the_peer_is_the_next_to_be_sent_and_has_not_failed() {
    let mut window = window(&[1, 2, 3].map(|n| line('C', &name(0, n), "")));
    let first = window.take(NOW).unwrap();
    window.take(NOW).unwrap();
    window.not_sent(first.ticket);
    assert_eq!(window.take(NOW).unwrap().ticket, first.ticket);
    assert_eq!(window.failed(first.ticket, NOW, 0), Verdict::Again { attempts: 1 });
}

#[test]
fn the_window_is_bounded_in_records_in_bytes_and_in_how_far_it_reaches() {
    let mut window = Window::new(at(0));
    let mut end = 0;
    let mut fill = |window: &mut Window, n: u32, len: u64| {
        end += len;
        let record = line('C', &name(0, n), "");
        window.enter(Entry { record, need: Need::Yes, end: at(end), len });
    };
    let mut n = 0;
    while window.has_room() {
        fill(&mut window, n, 10);
        n += 1;
    }
    assert_eq!(window.open(), WINDOW_RECORDS_MAX);
    // The first fails, the others are done.
    let stuck = window.take(NOW).unwrap();
    window.failed(stuck.ticket, NOW, 0);
    while window.has_room() || window.open() > 1 {
        while let Some(job) = window.take(NOW) {
            window.taken(job.ticket, true);
        }
        if window.has_room() {
            fill(&mut window, n, 10);
            n += 1;
        }
    }
    assert_eq!((n as usize, window.acknowledged()), (WINDOW_SPAN_MAX, at(0)));

    let mut window = Window::new(at(0));
    fill(&mut window, 0, WINDOW_BYTES_MAX - 1);
    assert!(window.has_room());
    fill(&mut window, 1, 1);
    assert!(!window.has_room());
}

/// Small generator of numbers; the seed says all.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The files that a record names, in a way of the test's own.
fn files(record: &Record) -> BTreeSet<String> {
    let text = record.encode().unwrap();
    let names = text.trim_end().split(' ').skip(2).filter(|word| word.starts_with('M'));
    names.map(|name| name.strip_suffix("-m").unwrap_or(name).to_owned()).collect()
}

fn random_record(random: &mut Random) -> Record {
    let one = name(0, u32::try_from(random.below(6)).unwrap());
    let two = name(0, u32::try_from(random.below(6)).unwrap());
    match random.below(8) {
        0 => line('C', &one, ""),
        1 => line('A', &one, &format!(" {} 5", random.below(100))),
        2 => line('M', &one, &format!(" {} 5", random.below(100))),
        3 => line('T', &one, " 5 0"),
        4 => line('D', &one, ""),
        5 => line('U', &format!("{one}-m"), ""),
        6 => line('R', &one, &format!(" {two}")),
        _ => line('L', &one, &format!(" {two}")),
    }
}

/// A life of a window: records come, travel, are taken, fail and fail to travel in any order.
fn live(seed: u64) {
    let mut random = Random(seed);
    let mut window = Window::new(at(0));
    let mut records: BTreeMap<u64, Record> = BTreeMap::new();
    let mut travelling: Vec<Job> = Vec::new();
    // Of each file the ends of the lines that are done, in the order they got done.
    let mut done: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut finished: BTreeSet<u64> = BTreeSet::new();
    let (mut now, mut end) = (NOW, 0);
    let total = 400;
    while finished.len() < total {
        now = now.after_ms(random.below(3_000));
        if records.len() < total && random.below(2) == 0 {
            end += 10;
            let record = random_record(&mut random);
            records.insert(end, record.clone());
            enter(&mut window, record, end);
        }
        if travelling.len() < 5
            && let Some(job) = window.take(now)
        {
            let busy: BTreeSet<String> = travelling.iter().flat_map(|job| files(&job.entry.record)).collect();
            assert!(busy.is_disjoint(&files(&job.entry.record)), "seed {seed}: two of one file travel");
            travelling.push(job);
        }
        if travelling.is_empty() || random.below(2) == 0 {
            continue;
        }
        let which = usize::try_from(random.below(travelling.len() as u64)).unwrap();
        let job = travelling.swap_remove(which);
        let over = match random.below(5) {
            0 => window.failed(job.ticket, now, 0) == Verdict::SetAside,
            1 => {
                window.not_sent(job.ticket);
                false
            }
            _ => {
                window.taken(job.ticket, true);
                true
            }
        };
        if over {
            finished.insert(job.entry.end.offset);
            for file in files(&job.entry.record) {
                done.entry(file).or_default().push(job.entry.end.offset);
            }
        }
        let gapless = records.keys().take_while(|end| finished.contains(end)).last().copied().unwrap_or(0);
        assert_eq!(window.acknowledged(), at(gapless), "seed {seed}");
        assert_eq!(window.open(), records.len() - finished.len(), "seed {seed}");
    }
    for (file, order) in done {
        assert!(order.is_sorted(), "seed {seed}: {file} out of order");
    }
    assert_eq!(window.acknowledged(), at(end));
}

#[test]
fn in_any_order_of_completion_files_keep_theirs_and_the_saved_place_has_no_gap() {
    (0..200).for_each(live);
}

#[test]
fn what_waits_is_as_old_as_the_earliest_record_that_was_never_sent() {
    let at_second = |second: u32, n| {
        let mut record = line('C', &name(0, n), "");
        record.timestamp = second.into();
        record
    };
    let mut window = window(&[at_second(100, 1), at_second(200, 2), at_second(300, 3)]);
    assert_eq!(window.waiting_since(), Some(100));
    let Job { ticket: first, .. } = window.take(NOW).unwrap();
    assert_eq!(window.waiting_since(), Some(200));
    // One that failed and is due again says nothing of how fast others go.
    assert_eq!(window.failed(first, NOW, 0), Verdict::Again { attempts: 1 });
    let due = window.next_due().unwrap();
    let again = window.take(due).unwrap();
    window.failed(again.ticket, due, 0);
    assert_eq!(window.waiting_since(), Some(200));
    let _ = window.take(NOW);
    let _ = window.take(NOW);
    assert_eq!(window.waiting_since(), None);
}

/// Hands lines to a sender, each of 10 bytes.
fn sender(records: &[Record]) -> Sender {
    let rules = SenderRules { travel_max: 2, rest_ms: 0, save_each: 100 };
    let mut sender = Sender::new(rules, Mark::default(), None, at(0), NOW);
    for (n, record) in (0..).zip(records) {
        sender.line(at(n * 10), at(n * 10 + 10), Some(record.clone()));
    }
    sender
}

/// Lets records travel, for so many seconds, to a peer that refuses creations for want of room until so many files were
/// deleted there; how many were, and how many creations it refused.
fn to_full_peer(sender: &mut Sender, deletions_until_room: usize, seconds: u64) -> (usize, usize) {
    let (mut deleted, mut refused) = (0, 0);
    for second in 0..seconds {
        let now = NOW.after_ms(second * 1_000);
        while let Some(travel) = sender.take(now) {
            let how = match travel.entry.record.change {
                Change::Delete { .. } => {
                    deleted += 1;
                    How::Done(Done::Taken)
                }
                _ if deleted < deletions_until_room => {
                    refused += 1;
                    How::PeerFull
                }
                _ => How::Done(Done::Taken),
            };
            sender.back(travel.ticket, &travel.entry, how, now, 0);
        }
    }
    (deleted, refused)
}

#[test]
fn d7_a_peer_without_room_is_sent_the_deletions_that_make_room_and_gets_everything_in_the_end() {
    let mut lines: Vec<_> = (0..100).map(|n| line('C', &name(0, n), "")).collect();
    lines.extend((1_000..1_050).map(|n| line('D', &name(0, n), "")));
    let mut sender = sender(&lines);
    let (deleted, refused) = to_full_peer(&mut sender, 50, 2);
    assert_eq!((deleted, refused), (50, 1), "the deletions wait for nobody");
    assert_eq!((sender.acknowledged(), sender.open()), (at(1_500), 0));
    assert!(sender.works());
}

#[test]
fn what_makes_room_proves_nothing_of_a_peer_without_room_and_one_creation_at_a_time_finds_out() {
    let mut lines: Vec<_> = (0..10).map(|n| line('C', &name(0, n), "")).collect();
    lines.extend((1_000..1_010).map(|n| line('D', &name(0, n), "")));
    let mut sender = sender(&lines);
    // One when it begins, then after 1, 3, 7, 15 and 31 s.
    assert_eq!(to_full_peer(&mut sender, usize::MAX, 40), (10, 6));
    assert!(!sender.works() && !sender.reaches_peer());
    // Lines are still read: there may be more that makes room.
    assert!(sender.wants_lines());
    sender.line(at(200), at(210), Some(line('D', &name(0, 2_000), "")));
    assert_eq!(to_full_peer(&mut sender, 1, 1), (1, 0));
}

#[test]
fn a_deletion_that_is_refused_for_want_of_room_waits_like_everything_else() {
    let mut sender = sender(&[line('C', &name(0, 1), ""), line('D', &name(0, 2), "")]);
    let mut seen = Vec::new();
    for second in 0..8 {
        let now = NOW.after_ms(second * 1_000);
        while let Some(travel) = sender.take(now) {
            seen.push((second, travel.entry.end.offset));
            sender.back(travel.ticket, &travel.entry, How::PeerFull, now, 0);
        }
    }
    assert_eq!(seen, [(0, 10), (0, 20), (1, 10), (3, 10), (7, 10)]);
    // What was the last to make trouble is gone: all is well.
    let now = NOW.after_ms(60_000);
    while let Some(travel) = sender.take(now) {
        let done = if travel.entry.end == at(10) { Done::Missing } else { Done::Taken };
        sender.back(travel.ticket, &travel.entry, How::Done(done), now, 0);
    }
    assert_eq!(sender.acknowledged(), at(20));
    assert!(sender.works());
}

#[test]
fn a_new_file_that_no_answer_came_for_may_be_there_and_no_other_change_may() {
    let mut sender = sender(&[line('C', &name(0, 1), ""), line('A', &name(0, 2), " 0 5")]);
    let travels: Vec<_> = std::iter::from_fn(|| sender.take(NOW)).collect();
    for travel in &travels {
        assert_eq!(travel.entry.need, Need::Yes);
        sender.back(travel.ticket, &travel.entry, How::Unanswered, NOW, 0);
    }
    let mut again = Vec::new();
    let later = NOW.after_ms(60_000);
    while let Some(travel) = sender.take(later) {
        again.push((travel.entry.end, travel.entry.need));
        sender.back(travel.ticket, &travel.entry, How::Done(Done::Taken), later, 0);
    }
    assert_eq!(again, [(at(10), Need::Perhaps), (at(20), Need::Yes)]);
}

#[test]
fn at_the_end_of_the_log_the_place_is_where_reading_goes_on_also_in_a_new_file() {
    let next = LogPosition { file: 1, offset: 0 };
    let mut sender = sender(&[line('C', &name(0, 1), "")]);
    let travel = sender.take(NOW).unwrap();
    sender.all_entered(next);
    assert_eq!(sender.acknowledged(), at(0), "the record is on its way");
    sender.back(travel.ticket, &travel.entry, How::Done(Done::Taken), NOW, 0);
    assert_eq!(sender.acknowledged(), next);
    let after = LogPosition { file: 2, offset: 0 };
    sender.all_entered(after);
    assert_eq!(sender.acknowledged(), after);
}
