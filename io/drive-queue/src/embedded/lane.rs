//! Who has which entry of a lane.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::Ticket;

/// The entries of a lane by their places: ready, or held until an instant.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// Those that nobody has, with how often they were handed out.
    ready: BTreeMap<u64, u32>,
    held: BTreeMap<u64, Held>,
    ends: BTreeSet<(Instant, u64)>,
    /// Those set aside.
    pub(super) aside: u64,
    /// What all of them cost.
    pub(super) bytes: u64,
    /// The place of the next; never used again.
    pub(super) next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    attempt: u32,
    end: Instant,
}

impl LaneState {
    pub(super) fn waiting(&self) -> u64 {
        (self.ready.len() + self.held.len()) as u64
    }

    pub(super) fn add(&mut self, place: u64) {
        self.ready.insert(place, 0);
    }

    /// Up to `count` entries, in order, that are held until `until` from now on.
    pub(super) fn hold(&mut self, count: usize, now: Instant, until: Instant) -> Vec<Ticket> {
        self.release(now);
        let mut tickets = Vec::new();
        while tickets.len() < count
            && let Some((place, attempts)) = self.ready.pop_first()
        {
            let attempt = attempts.saturating_add(1);
            self.held.insert(place, Held { attempt, end: until });
            self.ends.insert((until, place));
            tickets.push(Ticket { place, attempt });
        }
        tickets
    }

    /// When the next one that is held becomes ready.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// Holds an entry until another instant, if it is held by this ticket.
    pub(super) fn hold_until(&mut self, ticket: Ticket, until: Instant) {
        if let Some(held) = self.held.get_mut(&ticket.place)
            && held.attempt == ticket.attempt
        {
            self.ends.remove(&(held.end, ticket.place));
            self.ends.insert((until, ticket.place));
            held.end = until;
        }
    }

    /// False if it is not there.
    pub(super) fn remove(&mut self, place: u64) -> bool {
        if let Some(held) = self.held.remove(&place) {
            self.ends.remove(&(held.end, place));
            return true;
        }
        self.ready.remove(&place).is_some()
    }

    fn release(&mut self, now: Instant) {
        while let Some((end, place)) = self.ends.first().copied()
            && end <= now
        {
            self.ends.pop_first();
            if let Some(held) = self.held.remove(&place) {
                self.ready.insert(place, held.attempt);
            }
        }
    }
}
