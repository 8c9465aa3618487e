//! Memory and descriptors of every process of ours, and how far members are behind: looked at every few seconds.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use std::sync::Arc;

use crate::site::{Site, Watched};
use crate::tally::Tally;

/// How often memory and descriptors are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// How often everybody is asked how far others are behind.
const ASKED_EVERY: Duration = Duration::from_secs(2);
/// How soon the end is noticed.
const PAUSE: Duration = Duration::from_millis(200);

/// What may be more in the last quarter than in the second, and nobody calls it growth: a fourth, and so much.
const MORE: f64 = 1.25;
const MEMORY_MORE: u64 = 16 << 20;
const DESCRIPTORS_MORE: u64 = 32;
/// In less time a quarter is a handful of looks, and one large upload moves its median.
const JUDGED_FROM: Duration = Duration::from_secs(20 * 60);

/// One look at one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Since the load began.
    pub(crate) at: Duration,
    /// The process: another after a restart.
    pub(crate) pid: u32,
    /// Resident, bytes.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// By name of the member.
    pub(crate) samples: BTreeMap<String, Vec<Sample>>,
    /// The most that a storage was behind another: bytes of its binlog, at any time and while nobody was away.
    pub(crate) lag_bytes_max: f64,
    pub(crate) lag_bytes_max_when_well: f64,
    /// The age of the oldest change that waited for its turn, of a member that was reached.
    pub(crate) lag_seconds_max: f64,
    /// Changes that replication gave up, by process: each counts its own.
    pub(crate) given_up: BTreeMap<u32, u64>,
    /// The most entries that waited in the queue.
    pub(crate) waiting_max: f64,
}

/// What a row of samples comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) first: u64,
    pub(crate) median: u64,
    pub(crate) last: u64,
    pub(crate) most: u64,
    /// The median of the second quarter of the time, and of the last.
    pub(crate) quarters: Option<(u64, u64)>,
    /// None when that can't be told.
    pub(crate) flat: Option<bool>,
}

impl Course {
    /// Of numbers with the times they were taken at. It is flat when the last quarter's median is not above the second's by a
    /// fourth and `more`.
    pub(crate) fn of(numbers: &[(Duration, u64)], whole: Duration, more: u64) -> Option<Course> {
        let all: Vec<u64> = numbers.iter().map(|(_, number)| *number).collect();
        let between = |from: u32, to: u32| {
            let within = numbers.iter().filter(|(at, _)| *at * 4 >= whole * from && *at * 4 <= whole * to);
            median(within.map(|(_, number)| *number).collect())
        };
        let quarters = between(1, 2).zip(between(3, 4));
        let grows = |(second, last): (u64, u64)| last as f64 > second as f64 * MORE + more as f64;
        let flat = quarters.filter(|_| whole >= JUDGED_FROM).map(|both| !grows(both));
        Some(Course {
            first: *all.first()?,
            last: *all.last()?,
            most: *all.iter().max()?,
            median: median(all)?,
            quarters,
            flat,
        })
    }
}

fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

impl Figures {
    /// Memory, descriptors, and how many processes the member was.
    pub(crate) fn courses(&self, whole: Duration) -> Vec<(&str, Course, Course, usize)> {
        let row = |samples: &Vec<Sample>| {
            let of = |figure: fn(&Sample) -> u64, more| {
                let numbers: Vec<_> = samples.iter().map(|sample| (sample.at, figure(sample))).collect();
                Course::of(&numbers, whole, more)
            };
            let mut pids: Vec<u32> = samples.iter().map(|sample| sample.pid).collect();
            pids.dedup();
            let (memory, descriptors) = (
                of(|sample| sample.memory, MEMORY_MORE)?,
                of(|sample| sample.descriptors, DESCRIPTORS_MORE)?,
            );
            Some((memory, descriptors, pids.len()))
        };
        let rows = self.samples.iter().filter_map(|(name, samples)| {
            let (memory, descriptors, lives) = row(samples)?;
            Some((name.as_str(), memory, descriptors, lives))
        });
        rows.collect()
    }

    /// Changes that replication gave up: a member lacks them.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up.values().sum()
    }

    fn look(&mut self, at: Duration, running: &BTreeMap<String, (u32, SocketAddr)>) {
        for (name, (pid, _)) in running {
            if let Some((memory, descriptors)) = of_process(*pid) {
                let samples = self.samples.entry(name.clone()).or_default();
                samples.push(Sample { at, pid: *pid, memory, descriptors });
            }
        }
    }

    fn ask(&mut self, running: &BTreeMap<String, (u32, SocketAddr)>, is_well: impl Fn() -> bool) {
        for (pid, status) in running.values() {
            let well = is_well();
            // One that has just been killed tells nothing.
            let Ok(told) = Site::metrics(*status) else { continue };
            let given_up = told.sum("cairn_storage_sync_set_aside_total", &[]) as u64;
            if given_up > 0 {
                self.given_up.insert(*pid, given_up);
            }
            let most = |name: &str| {
                let samples = told.0.values().flat_map(|family| &family.samples);
                samples.filter(|sample| sample.name == name).map(|sample| sample.value).fold(0.0, f64::max)
            };
            let bytes = most("cairn_storage_sync_lag_bytes");
            self.lag_bytes_max = self.lag_bytes_max.max(bytes);
            if well && is_well() {
                self.lag_bytes_max_when_well = self.lag_bytes_max_when_well.max(bytes);
            }
            self.lag_seconds_max = self.lag_seconds_max.max(most("cairn_storage_sync_oldest_seconds"));
            self.waiting_max = self.waiting_max.max(told.sum("cairn_drive_queue_waiting", &[]));
        }
    }
}

/// Resident bytes and open descriptors; none once it has ended.
fn of_process(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some((kib * 1024, descriptors))
}

/// Looks until the load is over.
pub(crate) fn collect(watched: Watched, tally: Arc<Tally>) -> JoinHandle<Figures> {
    std::thread::spawn(move || {
        let (begun, mut figures) = (Instant::now(), Figures::default());
        let (mut next, mut next_asked) = (Duration::ZERO, Duration::ZERO);
        while !tally.is_over() {
            let at = begun.elapsed();
            let running = || watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if at >= next {
                next = at + EVERY;
                figures.look(at, &running());
            }
            if at >= next_asked {
                next_asked = at + ASKED_EVERY;
                figures.ask(&running(), || tally.is_well());
            }
            std::thread::sleep(PAUSE);
        }
        figures
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(numbers: &[u64], more: u64) -> Course {
        let minute = |at: usize| Duration::from_secs(at as u64 * 60);
        let numbers: Vec<_> = numbers.iter().enumerate().map(|(at, number)| (minute(at), *number)).collect();
        Course::of(&numbers, minute(numbers.len() - 1), more).unwrap()
    }

    #[test]
    fn the_last_quarter_is_compared_with_the_second_and_not_with_the_first() {
        let settled = course(
            &[
                10, 20, 60, 90, 99, 100, 100, 101, 99, 100, 100, 102, 100, 100, 101, 100, 100, 100, 99, 100,
                101,
            ],
            0,
        );
        assert_eq!((settled.first, settled.last, settled.most), (10, 101, 102));
        assert_eq!(settled.quarters, Some((100, 100)));
        assert_eq!(settled.flat, Some(true));
    }

    #[test]
    fn what_grows_all_the_time_is_not_flat() {
        let numbers: Vec<u64> = (0..=40).map(|at| 100 + 10 * at).collect();
        let growing = course(&numbers, 8);
        assert_eq!(growing.quarters, Some((250, 450)));
        assert_eq!(growing.flat, Some(false));
        // As long as it is little.
        assert_eq!(course(&numbers, 200).flat, Some(true));
    }

    #[test]
    fn a_peak_in_one_look_is_no_growth() {
        let mut numbers = [100; 40];
        numbers[38] = 100_000;
        let peak = course(&numbers, 0);
        assert_eq!(peak.flat, Some(true));
        assert_eq!(peak.most, 100_000);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(Course::of(&[], Duration::from_secs(1), 0), None);
        // A member that was seen in the first quarter alone.
        let early = Course::of(&[(Duration::ZERO, 5)], JUDGED_FROM, 0).unwrap();
        assert_eq!((early.flat, early.quarters), (None, None));
        // A short run.
        let numbers: Vec<_> = (0..60).map(|at| (Duration::from_secs(at), at)).collect();
        assert_eq!(Course::of(&numbers, Duration::from_secs(60), 0).unwrap().flat, None);
    }

    #[test]
    fn a_process_has_memory_and_descriptors() {
        let (memory, descriptors) = of_process(std::process::id()).unwrap();
        assert!(memory > 1 << 20 && descriptors >= 3, "{memory} {descriptors}");
    }
}
