//! Who is killed when: one member at a time, each kind in turn, and nobody before the last one serves again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::content::Dice;
use crate::site::{Part, Site};
use crate::tally::{NOBODY, Tally};

/// How long a killed member is away: from and up to, milliseconds.
const AWAY_MS: (usize, usize) = (2_000, 8_000);
/// What is noticed late counts for the one who was away.
const GRACE: Duration = Duration::from_secs(2);
/// Of each kind of ours, and of each group's members, one is left alone once so much of the time is over: its last life is a long
/// one, in which growth would show.
const SPARED: usize = 3;
const SPARED_FROM: u32 = 4;
/// How soon the end is noticed.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is next.
#[derive(Debug)]
pub(crate) struct Deck {
    cards: Vec<Part>,
    dice: Dice,
    begun: bool,
    /// Only those whose names have this text; all of them when it is empty.
    only: String,
}

impl Deck {
    pub(crate) fn new(dice: Dice, only: &str) -> Deck {
        Deck { cards: Vec::new(), dice, begun: false, only: only.to_owned() }
    }

    /// The next one; in the first round those come first who are spared later.
    pub(crate) fn next(&mut self, spare: bool) -> Part {
        loop {
            let Some(part) = self.cards.pop() else {
                let (spared, others) = Part::ALL.split_at(SPARED);
                self.cards = others.to_vec();
                self.cards.extend_from_slice(if spare && self.only.is_empty() { &[] } else { spared });
                let end = if self.begun { self.cards.len() } else { others.len() };
                self.begun = true;
                if let Some(cards) = self.cards.get_mut(..end) {
                    self.dice.shuffle(cards);
                }
                continue;
            };
            let is_spared = spare && Part::ALL.iter().take(SPARED).any(|one| *one == part);
            if part.name().contains(&self.only) && !(is_spared && self.only.is_empty()) {
                return part;
            }
        }
    }
}

/// How it is done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// From one kill to the next.
    pub(crate) every: Duration,
    /// How long there is load.
    pub(crate) whole: Duration,
    /// Only members whose names have this text.
    pub(crate) only: String,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Killed {
    /// How often, and the longest time from the kill until all members served again.
    pub(crate) by_name: BTreeMap<&'static str, (u64, Duration)>,
}

/// Kills until the time is over; every member serves in the end.
pub(crate) fn run(site: &mut Site, tally: &Arc<Tally>, plan: &Plan) -> Result<Killed> {
    let Plan { every, whole, .. } = *plan;
    let mut dice = Dice::new(plan.seed);
    let (mut deck, mut killed) = (Deck::new(dice.clone(), &plan.only), Killed::default());
    let begun = Instant::now();
    let mut next = every.min(whole / 4);
    loop {
        while begun.elapsed() < next.min(whole) {
            std::thread::sleep(PAUSE);
        }
        if begun.elapsed() + GRACE >= whole {
            return Ok(killed);
        }
        let part = deck.next(begun.elapsed() * SPARED_FROM >= whole);
        let at = Instant::now();
        tally.away(part.kind());
        site.kill(part).with_context(|| format!("kill {}", part.name()))?;
        let away = dice.size(AWAY_MS.0, AWAY_MS.1);
        std::thread::sleep(Duration::from_millis(u64::try_from(away)?));
        site.start_again(part).with_context(|| format!("start {} again", part.name()))?;
        site.until_well().with_context(|| format!("after {} was killed", part.name()))?;
        let took = at.elapsed();
        let place = killed.by_name.entry(part.name()).or_default();
        (place.0, place.1) = (place.0 + 1, place.1.max(took));
        let (answered, failed) = tally.so_far();
        let text = format!(
            "{:>5.0} s  {} was killed, all serve again after {:.1} s; {answered} requests answered, {failed} failed",
            begun.elapsed().as_secs_f64(),
            part.name(),
            took.as_secs_f64(),
        );
        crate::say(&text);
        std::thread::sleep(GRACE);
        tally.away(NOBODY);
        next = (next + every).max(begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_is_killed_and_nobody_else_to_the_end() {
        let mut deck = Deck::new(Dice::new(7), "drive");
        let mut killed: Vec<&str> = (0..4).map(|turn| deck.next(turn > 1).name()).collect();
        killed.sort_unstable();
        assert_eq!(killed, ["drive1", "drive1", "drive2", "drive2"]);
    }

    #[test]
    fn the_first_round_begins_with_those_who_are_spared_later_and_has_everybody_once() {
        let mut deck = Deck::new(Dice::new(5), "");
        let round: Vec<&str> = Part::ALL.iter().map(|_| deck.next(false).name()).collect();
        let mut first = round[..SPARED].to_vec();
        first.sort_unstable();
        assert_eq!(first, ["drive2", "group2-storage2", "tracker2"]);
        let mut all = round.clone();
        all.sort_unstable();
        let mut wanted: Vec<&str> = Part::ALL.iter().map(|part| part.name()).collect();
        wanted.sort_unstable();
        assert_eq!(all, wanted);
    }

    #[test]
    fn who_is_spared_is_killed_no_more_and_everybody_else_is() {
        let mut deck = Deck::new(Dice::new(6), "");
        deck.next(false);
        let later: Vec<&str> = (0..100).map(|_| deck.next(true).name()).collect();
        for part in Part::ALL.iter().skip(SPARED) {
            assert!(later.contains(&part.name()), "{}", part.name());
        }
        for name in ["drive2", "group2-storage2", "tracker2"] {
            assert!(!later.contains(&name), "{name}");
        }
    }
}
