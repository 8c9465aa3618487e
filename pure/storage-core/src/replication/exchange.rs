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
        let travel = travel("1700000000 T M00/00/00/file 9 0", false);
        let (mut exchange, next) = Exchange::begin(&travel, false, THERE);
        assert_eq!(next, Next::Send(Step::Truncate { old: 9, new: 0 }));
        assert_eq!(exchange.answered(answer(Status::EEXIST), THERE), Next::Send(Step::Ask));
        let copy = Next::Send(Step::Copy { update: true });
        assert_eq!(exchange.answered(Answer { status: Status::OK, size: Some(50) }, THERE), copy);
        assert_eq!(exchange.answered(answer(Status::OK), THERE), Next::Done(Done::Taken));
        assert_eq!(exchange.answered(answer(Status::OK), THERE), Next::Nowhere, "nothing was asked");
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
