//! Whose turn it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Whose turn it is: a place that the machine and all of its views share, so that a question takes its turn in
/// a view without the machine, and the next view goes on from there. A clone is the same turn.
///
/// Relaxed, because it orders nothing else: all that it decides is who is tried first. A view may be older or
/// newer than the turn, so the place may be one that the view does not have; whoever takes a turn begins at its
/// first then. A turn that is set while others take theirs is at worst taken twice or skipped, which hurts nobody.
#[derive(Debug, Clone, Default)]
pub struct Turn(Arc<AtomicUsize>);

impl Turn {
    /// The place whose turn it is.
    pub fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Makes it the turn of a place.
    pub fn set(&self, place: usize) {
        self.0.store(place, Relaxed);
    }

    /// Takes a turn: `choose` is told the place whose turn it is, and gives what it chose and the place whose
    /// turn is next. When it chooses nothing, the turn stays. It is asked again when somebody else was faster, so
    /// that as many turns are taken as there were questions.
    pub fn take<T>(&self, mut choose: impl FnMut(usize) -> Option<(T, usize)>) -> Option<T> {
        let mut chosen = None;
        let taken = self.0.fetch_update(Relaxed, Relaxed, |place| {
            let (choice, next) = choose(place)?;
            chosen = Some(choice);
            Some(next)
        });
        taken.ok().and(chosen)
    }

    /// Takes the turn of the first of `count` places that `fits`, tried in a circle; the one after it is next.
    pub(crate) fn take_first(&self, count: usize, mut fits: impl FnMut(usize) -> bool) -> Option<usize> {
        self.take(|place| {
            let found = circle(place, count).find(|place| fits(*place))?;
            Some((found, (found + 1) % count))
        })
    }
}

/// The places below `count`, in a circle from `start` on, or from the first if there is no such place.
pub(crate) fn circle(start: usize, count: usize) -> impl Iterator<Item = usize> {
    let start = if start < count { start } else { 0 };
    (start..count).chain(0..start)
}

#[cfg(test)]
mod tests {
    use super::Turn;

    #[test]
    fn a_place_that_is_not_there_any_more_counts_as_the_first() {
        let turn = Turn::default();
        turn.set(usize::MAX);
        assert_eq!(turn.take_first(3, |_| true), Some(0));
        assert_eq!(turn.get(), 1);
    }

    #[test]
    fn when_nothing_is_chosen_the_turn_stays() {
        let turn = Turn::default();
        turn.set(2);
        assert_eq!(turn.take_first(3, |_| false), None);
        assert_eq!(turn.take_first(0, |_| true), None);
        assert_eq!(turn.get(), 2);
    }

    #[test]
    fn a_clone_is_the_same_turn() {
        let turn = Turn::default();
        assert_eq!(turn.clone().take_first(3, |place| place > 0), Some(1));
        assert_eq!(turn.get(), 2);
    }
}
