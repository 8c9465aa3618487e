//! How many links everybody sees: the total beside each page of them that old clients ask for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drive_core::Problem;
use drive_db::ListedCount;

use crate::app::Drive;

/// So many links are read for every page. Where there are more, what was counted is good for [`KNOWN_FOR`].
const READ_EACH_TIME: u64 = 1_000;
/// At least, and [`KNOWN_FOR_TIMES`] as long as counting took.
const KNOWN_FOR: Duration = Duration::from_secs(1);
const KNOWN_FOR_TIMES: u32 = 20;

/// What this process counted last; none of few.
#[derive(Default)]
pub(crate) struct Listed(Mutex<Option<Known>>);

struct Known {
    count: ListedCount,
    good_until: Instant,
    /// Somebody counts again.
    counting: bool,
}

impl Listed {
    /// What is known. The first who comes when that is not good any more is told nothing, and counts; others have
    /// the old number until it is done.
    fn known(&self, now: Instant) -> Option<ListedCount> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_mut()?;
        if now >= known.good_until && !known.counting {
            known.counting = true;
            return None;
        }
        Some(known.count)
    }

    fn keep(&self, count: ListedCount, begun: Instant, now: Instant) {
        let took = now.saturating_duration_since(begun);
        let good_until = now + KNOWN_FOR.max(took * KNOWN_FOR_TIMES);
        let known = (count.read > READ_EACH_TIME).then_some(Known { count, good_until, counting: false });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Whoever counts; given up, another may.
struct Turn<'l>(&'l Listed);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(known) = self.0.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            known.counting = false;
        }
    }
}

impl Drive {
    /// How many links everybody sees: of many, a moment ago.
    pub(crate) async fn listed_count(&self) -> Result<ListedCount, Problem> {
        let begun = Instant::now();
        if let Some(count) = self.listed.known(begun) {
            return Ok(count);
        }
        let _turn = Turn(&self.listed);
        let count = self.database.count_listed(self.now()).await?;
        self.listed.keep(count, begun, Instant::now());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(files: u64, read: u64) -> ListedCount {
        ListedCount { files, folders: 0, read }
    }

    #[test]
    fn few_are_counted_each_time() {
        let listed = Listed::default();
        let begun = Instant::now();
        assert_eq!(listed.known(begun), None);
        listed.keep(count(5, READ_EACH_TIME), begun, begun);
        assert_eq!(listed.known(begun), None);
    }

    #[test]
    fn many_are_counted_by_one_at_a_time_and_others_have_the_old_number() {
        let listed = Listed::default();
        let begun = Instant::now();
        let many = count(5, READ_EACH_TIME + 1);
        listed.keep(many, begun, begun);
        assert_eq!(listed.known(begun + KNOWN_FOR / 2), Some(many));
        let later = begun + KNOWN_FOR;
        assert_eq!(listed.known(later), None);
        assert_eq!(listed.known(later + 9 * KNOWN_FOR), Some(many), "another who asks meanwhile");
        let more = count(6, READ_EACH_TIME + 2);
        listed.keep(more, later, later);
        assert_eq!(listed.known(later), Some(more));
        listed.keep(ListedCount::default(), later, later);
        assert_eq!(listed.known(later), None, "few again");
    }

    #[test]
    fn what_takes_long_to_count_is_good_for_longer() {
        let listed = Listed::default();
        let begun = Instant::now();
        let many = count(5, READ_EACH_TIME + 1);
        listed.keep(many, begun, begun + KNOWN_FOR);
        assert_eq!(listed.known(begun + KNOWN_FOR * KNOWN_FOR_TIMES), Some(many));
        assert_eq!(listed.known(begun + KNOWN_FOR * (KNOWN_FOR_TIMES + 1)), None);
    }

    #[test]
    fn a_count_that_is_given_up_leaves_the_turn_to_another() {
        let listed = Listed::default();
        let begun = Instant::now();
        listed.keep(count(5, READ_EACH_TIME + 1), begun, begun);
        let later = begun + KNOWN_FOR;
        assert_eq!(listed.known(later), None);
        drop(Turn(&listed));
        assert_eq!(listed.known(later), None);
    }
}
