//! The messages that one record needs, one after the other.

use std::sync::Arc;

use super::need::Need;
use super::sender::Travel;
use super::steps::{self, Answer, Done, Local, Next, Step};
use super::window::Entry;
use fdfs_format::binlog::Change;

/// No record needs more messages.
pub const STEPS_MAX: u32 = 4;

/// A record on its way: what is sent next follows from the last answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    entry: Arc<Entry>,
    stale: bool,
    /// The message under way.
    step: Option<Step>,
    answers: u32,
}

impl Exchange {
    /// Begins; `peer_has` is what [`peer_has`] said of the record before on this connection, `local` the file as it is
    /// now.
    pub fn begin(travel: &Travel, peer_has: bool, local: Local) -> (Self, Next) {
        let (entry, stale) = (Arc::clone(&travel.entry), travel.stale);
        let is_new = matches!(entry.record.change, Change::Create { .. });
        let need = if peer_has && is_new { Need::Perhaps } else { entry.need };
        let first = steps::first(&entry.record, local, need);
        let mut exchange = Self { entry, stale, step: None, answers: 0 };
        let next = exchange.go(first);
        (exchange, next)
    }

    /// The peer has answered the message; `local` is looked at again.
    pub fn answered(&mut self, answer: Answer, local: Local) -> Next {
        let Some(step) = self.step.take() else { return Next::Nowhere };
        self.answers += 1;
        let next = steps::after(step, &self.entry.record, answer, local, self.stale);
        if self.answers >= STEPS_MAX && matches!(next, Next::Send(_)) {
            return Next::Nowhere;
        }
        self.go(next)
    }

    fn go(&mut self, next: Next) -> Next {
        if let Next::Send(step) = next {
            self.step = Some(step);
        }
        next
    }
}

/// Whether the next file may well be at the peer, after a record that was done so; `before` is what was thought.
pub fn peer_has(before: bool, done: Done) -> bool {
    match done {
        Done::Existed => true,
        Done::Taken => false,
        Done::Nothing | Done::Missing => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::LogPosition;
    use crate::replication::receive::{Appended, appended};
    use crate::replication::window::{Job, Window};
    use crate::time::Mono;
    use fdfs_format::binlog::Record;
    use fdfs_proto::Status;

    const THERE: Local = Local::There { size: 100 };

    fn travel(line: &str, stale: bool) -> Travel {
        let record = Record::parse(line.as_bytes()).unwrap();
        let end = LogPosition { file: 0, offset: 10 };
        let mut window = Window::new(LogPosition::default());
        window.enter(Entry { record, need: Need::Yes, end, len: 10 });
        let Job { ticket, entry } = window.take(Mono(0)).unwrap();
        Travel { ticket, entry, stale }
    }

    fn answer(status: Status) -> Answer {
        Answer { status, size: None }
    }

    #[test]
    fn each_answer_leads_to_the_next_message_until_the_record_is_done() {
        let mut travel = travel("1700000000 C M00/00/00/file", false);
        Arc::get_mut(&mut travel.entry).unwrap().need = Need::Perhaps;
        let (mut exchange, next) = Exchange::begin(&travel, false, THERE);
        assert_eq!(next, Next::Send(Step::Ask));
        let asked = exchange.answered(Answer { status: Status::OK, size: Some(100) }, THERE);
        assert_eq!(asked, Next::Send(Step::Confirm));
        assert_eq!(exchange.answered(answer(Status::EEXIST), THERE), Next::Done(Done::Existed));
        assert_eq!(exchange.answered(answer(Status::OK), THERE), Next::Nowhere, "nothing was asked");
    }

    /// The file at the peer, and what it answers.
    fn take(theirs: &mut Vec<u8>, ours: &[u8], step: Step) -> Status {
        let part = |start: u64, len: u64| &ours[start as usize..(start + len) as usize];
        match step {
            Step::Copy { .. } => *theirs = ours.to_vec(),
            Step::Append { start, len } => match appended(theirs.len() as u64, start, len) {
                Appended::Here => theirs.extend_from_slice(part(start, len)),
                Appended::Had => return Status::EEXIST,
                Appended::Unfit => return Status::ENOENT,
            },
            Step::Modify { start, .. } if start > theirs.len() as u64 => return Status::ENOENT,
            Step::Modify { start, len } => {
                theirs.resize(theirs.len().max((start + len) as usize), 0);
                theirs[start as usize..(start + len) as usize].copy_from_slice(part(start, len));
            }
            Step::Truncate { old, .. } if old != theirs.len() as u64 => return Status::EEXIST,
            Step::Truncate { new, .. } => theirs.resize(new as usize, 0),
            other => panic!("no change needs {other:?}"),
        }
        Status::OK
    }

    /// Found by simulation: what was appended, cut and appended again while the peer was away was of the right size
    /// there, and of the wrong content.
    #[test]
    fn d4_changes_that_were_cut_off_again_before_they_were_sent_leave_no_difference() {
        // Size before, then: appended so many bytes, modified so many at a place, cut to a size.
        let table: &[(u8, &[&str])] = &[
            (17, &["A 17 20", "A 37 12", "M 49 32", "T 81 6", "A 6 15", "A 21 10", "T 31 17"]),
            (30, &["T 30 10", "A 10 20"]),
            (10, &["A 10 20", "T 30 15"]),
            (10, &["A 10 20", "T 30 15", "A 15 15", "T 30 12"]),
            (17, &["A 17 20", "T 37 5", "A 5 12", "T 17 10"]),
            (50, &["M 40 5", "T 50 30", "A 30 30"]),
            (10, &["T 10 30", "M 20 5", "T 30 22"]),
        ];
        for (size, changes) in table {
            let mut theirs = vec![b'x'; usize::from(*size)];
            let mut ours = theirs.clone();
            for (n, change) in (b'a'..).zip(*changes) {
                let numbers: Vec<usize> =
                    change[2..].split(' ').map(|number| number.parse().unwrap()).collect();
                let (first, second) = (numbers[0], numbers[1]);
                match &change[..1] {
                    "T" => ours.resize(second, 0),
                    _ => {
                        ours.resize(ours.len().max(first + second), 0);
                        ours[first..first + second].fill(n);
                    }
                }
            }
            // Once more, as after a restart with an older mark.
            for change in changes.iter().chain(*changes) {
                let line = format!("1700000000 {} M00/00/00/file {}", &change[..1], &change[2..]);
                let local = Local::There { size: ours.len() as u64 };
                let (mut exchange, mut next) = Exchange::begin(&travel(&line, false), false, local);
                while let Next::Send(step) = next {
                    let status = take(&mut theirs, &ours, step);
                    next = exchange.answered(answer(status), local);
                }
                assert!(matches!(next, Next::Done(_)), "{change}: {next:?}");
            }
            assert_eq!(theirs, ours, "{size} {changes:?}");
        }
    }

    /// Tries every answer to every message; the largest number of messages that led to an end.
    fn longest(exchange: &Exchange, next: Next, sent: u32) -> u32 {
        assert_ne!(next, Next::Nowhere, "{exchange:?}");
        let Next::Send(_) = next else { return sent };
        let statuses = [Status::OK, Status::EEXIST, Status::ENOENT, Status::EIO, Status::ENOSPC];
        let each = statuses.into_iter().flat_map(|status| [(status, 100), (status, 50)]);
        let ends = each.flat_map(|(status, size)| {
            [THERE, Local::Missing].map(|local| {
                let mut exchange = exchange.clone();
                let next = exchange.answered(Answer { status, size: Some(size) }, local);
                longest(&exchange, next, sent + 1)
            })
        });
        ends.max().unwrap_or(sent)
    }

    #[test]
    fn whatever_the_peer_answers_no_record_needs_more_messages_than_that() {
        let mut most = 0;
        for line in ["C $", "U $", "A $ 60 40", "M $ 0 9", "T $ 9 0", "D $", "L $ $x", "R $ $x"] {
            for (stale, peer_has, local) in [
                (false, false, THERE),
                (true, false, THERE),
                (false, true, THERE),
                (true, true, Local::Missing),
            ] {
                let line = format!("1700000000 {}", line.replace('$', "M00/00/00/file"));
                let (exchange, next) = Exchange::begin(&travel(&line, stale), peer_has, local);
                most = most.max(longest(&exchange, next, 0));
            }
        }
        assert!((2..=STEPS_MAX).contains(&most), "{most}");
    }

    #[test]
    fn after_a_file_that_the_peer_had_the_next_is_asked_for_first() {
        assert!(
            peer_has(false, Done::Existed) && peer_has(true, Done::Nothing) && peer_has(true, Done::Missing)
        );
        assert!(!peer_has(true, Done::Taken) && !peer_has(false, Done::Nothing));
        let travel = travel("1700000000 C M00/00/00/file", false);
        assert_eq!(Exchange::begin(&travel, true, THERE).1, Next::Send(Step::Ask));
    }
}
