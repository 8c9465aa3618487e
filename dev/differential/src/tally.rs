//! What was sent, what differed, and how often: one entry for each kind of difference, with its first example.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fdfs_proto::{Peer, StorageCommand, TrackerCommand};

use crate::compare::Difference;
use crate::expected::{self, Expected};
use crate::request::Request;
use crate::wire::Pair;

/// So much of a request's body is shown.
const SHOWN_MAX: usize = 120;

/// What makes a difference another one than the last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sort {
    pub(crate) storage: bool,
    pub(crate) command: u8,
    pub(crate) name: &'static str,
    pub(crate) case: String,
    pub(crate) field: String,
    /// The two values, of [`WITH_VALUES`].
    pub(crate) values: Option<(String, String)>,
}

/// One sort of difference.
#[derive(Debug)]
struct Seen {
    times: u64,
    first: Difference,
    request: String,
    /// So many commands had been sent when it was seen first.
    at: u64,
}

#[derive(Debug, Default)]
struct Counts {
    sent: BTreeMap<(bool, u8), u64>,
    refused: u64,
    /// What each of the two said yes to.
    done: BTreeMap<(bool, u8), Pair<u64>>,
    seen: BTreeMap<Sort, Seen>,
}

/// Shared by all streams.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

/// Fields whose differences are told apart by their values.
const WITH_VALUES: [&str; 5] = ["status", "connection after", "body", "length", "source"];

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request went to both.
    pub(crate) fn sent(&self, request: &Request, done: &Pair<bool>) {
        let mut counts = self.counts();
        let what = (request.peer == Peer::Storage, request.command);
        *counts.sent.entry(what).or_default() += 1;
        counts.refused += u64::from(!done.ours || !done.original);
        let both = counts.done.entry(what).or_default();
        both.ours += u64::from(done.ours);
        both.original += u64::from(done.original);
    }

    /// One of the two did this besides, which the run does not count.
    pub(crate) fn undone(&self, request: &Request, done: &Pair<bool>) {
        let mut counts = self.counts();
        let both = counts.done.entry((request.peer == Peer::Storage, request.command)).or_default();
        both.ours += u64::from(done.ours);
        both.original += u64::from(done.original);
    }

    /// How often storages were sent one of these commands, and how often either did it.
    pub(crate) fn of(&self, commands: &[StorageCommand]) -> (u64, Pair<u64>) {
        let counts = self.counts();
        let mut sum = (0, Pair::default());
        for command in commands {
            let what = (true, command.code());
            sum.0 += counts.sent.get(&what).copied().unwrap_or_default();
            let done = counts.done.get(&what).cloned().unwrap_or_default();
            sum.1 = Pair::new(sum.1.ours + done.ours, sum.1.original + done.original);
        }
        sum
    }

    /// And these are the differences between its answers.
    pub(crate) fn differ(&self, request: &Request, differences: Vec<Difference>) {
        let mut counts = self.counts();
        let at = counts.sent.values().sum();
        for difference in differences {
            let values = WITH_VALUES
                .contains(&difference.field.as_str())
                .then(|| (difference.ours.clone(), difference.original.clone()));
            let sort = Sort {
                storage: request.peer == Peer::Storage,
                command: request.command,
                name: request.name(),
                case: request.case.clone(),
                field: difference.field.clone(),
                values,
            };
            let seen = counts.seen.entry(sort).or_insert_with(|| Seen {
                times: 0,
                first: difference,
                request: shown(&request.bodies.original),
                at,
            });
            seen.times += 1;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts().sent.values().sum()
    }

    /// Prints everything; says how many sorts nobody expects.
    pub(crate) fn report(&self, out: &mut impl Write) -> io::Result<usize> {
        let counts = self.counts();
        writeln!(
            out,
            "{} commands to each, {} of them refused by either",
            counts.sent.values().sum::<u64>(),
            counts.refused
        )?;
        for storage in [false, true] {
            let sent: Vec<String> = counts
                .sent
                .iter()
                .filter(|((of_storage, _), _)| *of_storage == storage)
                .map(|((_, code), times)| format!("{code}: {times}"))
                .collect();
            writeln!(out, "  to {}: {}", if storage { "storages" } else { "trackers" }, sent.join(", "))?;
        }
        let missing = not_sent(&counts.sent);
        if !missing.is_empty() {
            writeln!(out, "  never sent: {}", missing.join(", "))?;
        }
        let mut explained: BTreeMap<usize, (u64, usize)> = BTreeMap::new();
        let mut open = 0;
        for (sort, seen) in &counts.seen {
            if let Some(index) = expected::explains(sort) {
                let (times, sorts) = explained.entry(index).or_default();
                *times += seen.times;
                *sorts += 1;
                continue;
            }
            open += 1;
            write_sort(out, sort, seen)?;
        }
        let sorts: usize = explained.values().map(|(_, sorts)| sorts).sum();
        writeln!(out, "\n{sorts} sorts of differences are meant to be, for {} reasons:", explained.len())?;
        for (index, (times, sorts)) in &explained {
            let Expected { why, .. } = &expected::EXPECTED[*index];
            writeln!(out, "  {times} times in {sorts} sorts: {why}")?;
        }
        for (index, Expected { why, .. }) in expected::EXPECTED.iter().enumerate() {
            if !explained.contains_key(&index) {
                writeln!(out, "  not met: {why}")?;
            }
        }
        writeln!(out, "{open} sorts of differences nobody expects")?;
        out.flush()?;
        Ok(open)
    }
}

fn write_sort(out: &mut impl Write, sort: &Sort, seen: &Seen) -> io::Result<()> {
    let Sort { storage, command, name, case, field, .. } = sort;
    let peer = if *storage { "storage" } else { "tracker" };
    let Seen { times, first, request, at } = seen;
    writeln!(out, "\n{peer} {command} {name} [{case}] {field}, {times} times, first after {at}")?;
    writeln!(out, "  ours:     {}", first.ours)?;
    writeln!(out, "  original: {}", first.original)?;
    writeln!(out, "  request:  {request}")
}

fn not_sent(sent: &BTreeMap<(bool, u8), u64>) -> Vec<String> {
    let trackers = TrackerCommand::ALL.iter().map(|command| (false, command.code(), command.name()));
    let storages = StorageCommand::ALL.iter().map(|command| (true, command.code(), command.name()));
    trackers
        .chain(storages)
        .filter(|(storage, code, _)| !sent.contains_key(&(*storage, *code)))
        .map(|(storage, code, name)| format!("{} {code} {name}", if storage { "storage" } else { "tracker" }))
        .collect()
}

fn shown(body: &[u8]) -> String {
    let text = body[..body.len().min(SHOWN_MAX)].escape_ascii().to_string();
    format!("{} bytes: {text}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(case: &str) -> Request {
        Request::storage(StorageCommand::DeleteFile, case, Pair::default())
    }

    #[test]
    fn a_difference_nobody_expects_is_shown_once_with_its_count_and_makes_the_run_fail() {
        let tally = Tally::default();
        for _ in 0..3 {
            tally.sent(&request("of a test"), &Pair::new(false, true));
            tally.differ(&request("of a test"), vec![Difference::new("status", "2", "5")]);
        }
        tally.differ(&request("of a test"), vec![Difference::new("status", "0", "5")]);
        let mut out = Vec::new();
        assert_eq!(tally.report(&mut out).unwrap(), 2);
        assert_eq!(tally.of(&[StorageCommand::DeleteFile]), (3, Pair::new(0, 3)));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text.matches("storage 12 delete_file [of a test] status, 3 times, first after 1").count(),
            1,
            "{text}"
        );
        assert!(text.contains("3 commands to each, 3 of them refused by either"), "{text}");
    }

    #[test]
    fn without_differences_the_run_is_good() {
        let tally = Tally::default();
        tally.sent(&request(""), &Pair::same(true));
        assert_eq!(tally.report(&mut Vec::new()).unwrap(), 0);
    }
}
