//! The store on a disk that forgets what was not synced, tears what it was writing, and fails.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{Lane, QueueError};
use redb::{Database, StorageBackend};
use tokio::time::Instant;

use super::Ticket;
use super::store::{Answer, Opener, Store, Work};

const LANE: Lane = Lane::Records;
const SECTOR: usize = 512;

/// A disk in memory.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Image>>);

#[derive(Debug, Default)]
struct Image {
    now: Vec<u8>,
    synced: Vec<u8>,
    /// Since the last sync.
    changes: Vec<Change>,
    /// Calls that change something until the power goes; none: it stays.
    power: Option<u32>,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Image {
    fn use_power(&mut self) -> io::Result<()> {
        match &mut self.power {
            Some(0) => return Err(io::Error::other("no power")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        self.use_power()?;
        apply(&mut self.now, &change, |_| true);
        self.changes.push(change);
        Ok(())
    }
}

/// Does a change to those sectors of it that are to be done.
fn apply(image: &mut Vec<u8>, change: &Change, mut sector: impl FnMut(usize) -> bool) {
    match change {
        Change::Length(length) => image.resize(*length, 0),
        Change::Write(at, bytes) => {
            for (index, chunk) in bytes.chunks(SECTOR).enumerate() {
                let from = at + index * SECTOR;
                if sector(index) {
                    image.resize(image.len().max(from + chunk.len()), 0);
                    image[from..from + chunk.len()].copy_from_slice(chunk);
                }
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.0.lock().unwrap();
        let from = offset as usize;
        let part = image.now.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().change(Change::Length(length as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.0.lock().unwrap();
        image.use_power()?;
        image.synced = image.now.clone();
        image.changes.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().change(Change::Write(offset as usize, data.to_vec()))
    }
}

impl Disk {
    fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || Database::builder().create_with_backend(disk.clone()))
    }

    /// What is there when the power comes back: of what was not synced some sectors, and not those written first.
    fn after_power_cut(&self, random: &mut Random) -> Self {
        let image = self.0.lock().unwrap();
        let mut left = image.synced.clone();
        for change in &image.changes {
            if random.below(4) > 0 {
                apply(&mut left, change, |_| random.below(4) > 0);
            }
        }
        Self(Arc::new(Mutex::new(Image { now: left.clone(), synced: left, ..Image::default() })))
    }

    fn power_for(&self, calls: Option<u32>) {
        self.0.lock().unwrap().power = calls;
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % limit
    }
}

fn open(disk: &Disk) -> Store {
    Store::open(disk.opener(), 1 << 30).unwrap()
}

fn append(numbers: &[u32]) -> Work {
    let entry = |number: &u32| {
        // Some fill more than a page.
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.resize(4 + (*number as usize * 131) % 9000, 7);
        Bytes::from(bytes)
    };
    Work::Append { lane: LANE, entries: numbers.iter().map(entry).collect() }
}

fn claim(store: &mut Store, count: usize) -> Vec<(Ticket, u32)> {
    let now = Instant::now();
    let work = Work::Claim { lane: LANE, count, now, until: now + Duration::from_secs(3600) };
    let answers = store.run([&work].into_iter()).unwrap();
    let Ok(Answer::Claimed { deliveries, .. }) = &answers[0] else { panic!("{answers:?}") };
    let number = |bytes: &Bytes| u32::from_be_bytes(*bytes.first_chunk().unwrap());
    deliveries.iter().map(|d| (Ticket::parse(&d.ticket).unwrap(), number(&d.bytes))).collect()
}

fn acknowledge(tickets: &[(Ticket, u32)]) -> Work {
    Work::Acknowledge { lane: LANE, tickets: tickets.iter().map(|(ticket, _)| *ticket).collect() }
}

#[test]
fn what_was_answered_survives_a_power_cut_at_any_moment() {
    let mut cuts = 0;
    for seed in 0..150 {
        let mut random = Random(seed);
        let mut disk = Disk::default();
        // Entries that are there for certain, and those that may be.
        let (mut there, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
        let mut next = 0;
        for _ in 0..3 {
            let mut store = open(&disk);
            let found: BTreeSet<_> =
                claim(&mut store, usize::MAX).into_iter().map(|(_, number)| number).collect();
            assert!(there.is_subset(&found), "seed {seed}: {:?} are gone", there.difference(&found));
            assert!(
                found.iter().all(|number| there.contains(number) || perhaps.contains(number)),
                "seed {seed}: {found:?} came back of {there:?} and {perhaps:?}"
            );
            (there, perhaps) = (found, BTreeSet::new());
            // Ready again, as after any start.
            drop(store);
            store = open(&disk);
            disk.power_for(Some(random.below(120)));
            loop {
                let numbers: Vec<u32> = (next..next + 1 + random.below(5)).collect();
                next += numbers.len() as u32;
                let some = random.below(4) as usize;
                // The first of those that the file has: what a failed one would have said is not asked.
                let taken = claim(&mut store, some);
                let works = [append(&numbers), acknowledge(&taken)];
                let taken = taken.into_iter().map(|(_, number)| number);
                if store.run(works.iter()).is_ok() {
                    there.extend(numbers);
                    taken.for_each(|number| assert!(there.remove(&number)));
                } else {
                    perhaps.extend(numbers);
                    for number in taken {
                        assert!(there.remove(&number));
                        perhaps.insert(number);
                    }
                    cuts += 1;
                    break;
                }
            }
            disk = disk.after_power_cut(&mut random);
        }
    }
    assert_eq!(cuts, 450);
}

#[test]
fn a_disk_that_failed_is_tried_again_and_nothing_was_lost() {
    let disk = Disk::default();
    let mut store = open(&disk);
    store.run([&append(&[1, 2])].into_iter()).unwrap();
    let held = claim(&mut store, 1);
    assert_eq!(held[0].1, 1);
    disk.power_for(Some(0));
    for _ in 0..2 {
        assert!(store.run([&append(&[3])].into_iter()).is_err());
    }
    disk.power_for(None);
    store.run([&append(&[4])].into_iter()).unwrap();
    let found = claim(&mut store, 9);
    // Leases are forgotten with it; 3 was refused, and is not there.
    assert_eq!(found.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 2, 4]);
    store.run([&acknowledge(&found)].into_iter()).unwrap();
    let depth = store.run([&Work::Depth { lane: LANE }].into_iter()).unwrap();
    assert_eq!(depth, [Ok(Answer::Depth(Default::default()))]);
}

#[test]
fn entries_are_handed_out_in_the_order_of_appending_and_those_given_back_are_not_last() {
    let disk = Disk::default();
    let mut store = open(&disk);
    let works = [append(&[5, 3]), append(&[9, 1]), append(&[7])];
    assert!(store.run(works.iter()).unwrap().into_iter().all(|answer| answer == Ok(Answer::Done)));
    let first = claim(&mut store, 2);
    let back = Work::GiveBack { lane: LANE, tickets: vec![first[1].0], until: Instant::now() };
    store.run([&back].into_iter()).unwrap();
    let numbers: Vec<u32> = first.iter().chain(&claim(&mut store, 9)).map(|(_, number)| *number).collect();
    assert_eq!(numbers, [5, 3, 3, 9, 1, 7]);
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_of_the_transaction_is_done() {
    let disk = Disk::default();
    let small = |count: usize| Work::Append { lane: LANE, entries: vec![Bytes::from(vec![0; 36]); count] };
    let mut store = Store::open(disk.opener(), 300).unwrap();
    let works = [small(2), small(2), small(1), small(1)];
    let answers = store.run(works.iter()).unwrap();
    assert_eq!(answers, [Ok(Answer::Done), Err(QueueError::Full), Ok(Answer::Done), Err(QueueError::Full)]);
    // And the same after a start.
    drop(store);
    let mut store = Store::open(disk.opener(), 300).unwrap();
    assert_eq!(store.run([&small(1)].into_iter()).unwrap(), [Err(QueueError::Full)]);
    let done = claim(&mut store, 1);
    store.run([&acknowledge(&done)].into_iter()).unwrap();
    assert_eq!(store.run([&small(1)].into_iter()).unwrap(), [Ok(Answer::Done)]);
}
