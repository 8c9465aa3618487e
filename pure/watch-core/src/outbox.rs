//! What one channel has not been told yet, and when the next attempt is due.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::watch::Change;

/// Changes that wait for one channel; when there are more, the oldest go and are counted.
pub const WAITING_MAX: usize = 500;
/// How long to wait after a first failure; each further one doubles it …
pub const RETRY_MIN: Duration = Duration::from_secs(5);
/// … up to this.
pub const RETRY_MAX: Duration = Duration::from_secs(600);

/// What one channel has not been told yet. All that waits goes in one message, however long the channel was away: services
/// limit how many they take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    waiting: VecDeque<Change>,
    /// Changes that were given up because there were too many.
    left_out: u64,
    /// How many of those that wait, from the first, are in the message that is on its way.
    #[serde(skip)]
    sending: Option<Sending>,
    #[serde(skip)]
    failures: u32,
    /// No attempt before this.
    #[serde(skip)]
    not_before: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sending {
    changes: usize,
    left_out: u64,
}

/// What one message is to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The changes, the oldest first.
    pub changes: Vec<Change>,
    /// How many came before them and are lost.
    pub left_out: u64,
}

impl Outbox {
    /// Takes what is to be told; how many older changes had to go for it.
    pub fn push(&mut self, changes: &[Change]) -> usize {
        self.waiting.extend(changes.iter().cloned());
        let mut lost = 0;
        while self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
            match &mut self.sending {
                // It is on its way, and may arrive.
                Some(sending) if sending.changes > 0 => sending.changes -= 1,
                _ => {
                    self.left_out += 1;
                    lost += 1;
                }
            }
        }
        lost
    }

    /// How many changes wait, those on their way included.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When [`Outbox::begin`] has something to send, if ever.
    pub fn deadline(&self) -> Option<Duration> {
        (self.sending.is_none() && !self.waiting.is_empty()).then_some(self.not_before)
    }

    /// What is to be sent now. [`Outbox::sent`] or [`Outbox::failed`] has to follow before there is more.
    pub fn begin(&mut self, now: Duration) -> Option<Batch> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        let batch = Batch { changes: self.waiting.iter().cloned().collect(), left_out: self.left_out };
        self.sending = Some(Sending { changes: batch.changes.len(), left_out: batch.left_out });
        Some(batch)
    }

    /// The message has arrived.
    pub fn sent(&mut self) {
        let Some(sending) = self.sending.take() else { return };
        self.waiting.drain(..sending.changes.min(self.waiting.len()));
        self.left_out = self.left_out.saturating_sub(sending.left_out);
        (self.failures, self.not_before) = (0, Duration::ZERO);
    }

    /// It has not, as far as we know; how long is waited before the next attempt.
    pub fn failed(&mut self, now: Duration) -> Duration {
        self.sending = None;
        let wait = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Kind;
    use crate::watch::tests::offline;

    fn change(number: usize) -> Change {
        let sight = offline(&number.to_string());
        Change { kind: Kind::Opened, sight, was: None, since: 0, at: 0 }
    }

    fn changes(numbers: std::ops::Range<usize>) -> Vec<Change> {
        numbers.map(change).collect()
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_waits_goes_in_one_message_and_once() {
        let mut outbox = Outbox::default();
        assert_eq!((outbox.deadline(), outbox.begin(s(1))), (None, None));
        outbox.push(&changes(0..2));
        assert_eq!(outbox.begin(s(1)), Some(Batch { changes: changes(0..2), left_out: 0 }));
        outbox.push(&changes(2..3));
        assert_eq!(outbox.begin(s(1)), None, "one is on its way");
        outbox.sent();
        assert_eq!(outbox.begin(s(1)), Some(Batch { changes: changes(2..3), left_out: 0 }));
        outbox.sent();
        assert_eq!((outbox.waiting(), outbox.deadline()), (0, None));
    }

    #[test]
    fn after_a_failure_it_waits_longer_each_time_and_what_came_meanwhile_goes_along() {
        let mut outbox = Outbox::default();
        outbox.push(&changes(0..1));
        let mut now = s(0);
        for wanted in [5, 10, 20, 40, 80, 160, 320, 600, 600] {
            assert!(outbox.begin(now).is_some());
            assert_eq!(outbox.failed(now), s(wanted));
            assert_eq!(outbox.deadline(), Some(now + s(wanted)));
            assert_eq!(outbox.begin(now + s(wanted - 1)), None);
            now += s(wanted);
        }
        outbox.push(&changes(1..2));
        assert_eq!(outbox.begin(now).unwrap().changes, changes(0..2));
        outbox.sent();
        outbox.push(&changes(2..3));
        assert_eq!(outbox.deadline(), Some(s(0)), "all is forgotten");
    }

    #[test]
    fn when_there_are_too_many_the_oldest_go_and_are_counted() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(&changes(0..WAITING_MAX)), 0);
        assert_eq!(outbox.push(&changes(0..3)), 3);
        let batch = outbox.begin(s(0)).unwrap();
        assert_eq!((batch.changes.len(), batch.left_out), (WAITING_MAX, 3));
        assert_eq!(outbox.push(&changes(0..2)), 0, "those that go are on their way");
        outbox.sent();
        let batch = outbox.begin(s(0)).unwrap();
        assert_eq!(batch, Batch { changes: changes(0..2), left_out: 0 });
    }

    #[test]
    fn what_is_kept_is_what_was_not_sent() {
        let mut outbox = Outbox::default();
        outbox.push(&changes(0..2));
        outbox.begin(s(0)).unwrap();
        let text = serde_json::to_string(&outbox).unwrap();
        let mut again: Outbox = serde_json::from_str(&text).unwrap();
        assert_eq!(again.begin(s(0)).unwrap().changes, changes(0..2));
    }
}
